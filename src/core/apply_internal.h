/*
 * apply_internal.h -- one application of the rules under way. apply.c opens and closes it; forward.c, compensate.c and verbs.c hold the rules.
 */
#ifndef BATON_CORE_APPLY_INTERNAL_H
#define BATON_CORE_APPLY_INTERNAL_H

#include "reply.h"
#include <baton/apply.h>

/* Replies that change nothing are told in the history only while so many of them are in it: a flood must not push out the rest. */
#define HISTORY_NOISE_MAX 16

struct apply {
    const struct definition *definition;
    struct saga *next; /* the copy that becomes the saga if nothing fails */
    struct effects *effects;
    int64_t at;
    struct saga_place seen_from; /* where the expression stands that is evaluated */
    bool undoing; /* the step there: its output is its own, whatever stood in for it */
    int entering; /* calls of forward_from under way, one within the other */
    bool iterations_wait; /* some may begin now */
    const struct saga_gate *gate; /* NULL = every service takes every command */
    bool held;   /* the saga is paused: what would be sent waits for its end */
    bool was_ended; /* before the event */
    bool failed; /* memory ran out: the copy and the effects are thrown away */
};

/* apply.c */
void apply_history(struct apply *apply, enum history_kind kind, struct saga_place place, int attempt);
struct effect *apply_effect(struct apply *apply, enum effect_kind kind); /* NULL if memory ran out */
/* What the saga is about, parked or not: running, compensating, or its end. */
enum saga_status apply_phase(const struct saga *saga);
void apply_turn(struct apply *apply, enum saga_status phase);
/** Park it; NULL step = an operator pauses it. With a step it stays parked until apply_unstick. */
void apply_park(struct apply *apply, struct saga_step *step, const char *format, ...) __attribute__((format(printf, 3, 4)));
/** The saga is no more parked on this step, if it was; the last one resumes it. */
void apply_unstick(struct apply *apply, struct saga_step *step);
bool apply_is_stuck(const struct saga *saga); /* parked on a step */
void apply_history_note(struct apply *apply, enum history_kind kind, struct saga_place place, int attempt, json_t *note); /* takes note over */
void apply_resume(struct apply *apply);
void apply_unpark(struct apply *apply, enum saga_status to); /* without telling anybody */
/** On its way forward: it runs, is to be tried again, or waits. */
bool apply_is_outstanding(const struct definition *definition, const struct saga_step *step);
/** Is it unknown whether a pivot that cannot be undone has been passed? */
bool apply_pivot_unsettled(const struct apply *apply);
/** An outstanding step is waited for no more: unknown if an attempt of it went unanswered, else failed. */
void apply_give_up(struct apply *apply, struct saga_step *step, const char *code, const char *message);
/** All of them. The step if it was one, else the saga. */
struct saga_place apply_give_up_outstanding(struct apply *apply, const char *code, const char *message);
/** What an expression sees that stands there; the next one that is asked for takes its place. */
struct expr_scope apply_scope(struct apply *apply, struct saga_place place);
/** Evaluate a template that stands there; NULL template gives {}. An expression that fails: *ret_error is set (owned) and false returned. */
bool apply_template(struct apply *apply, const struct template *template, struct saga_place place, json_t **ret_value, json_t **ret_error);
void apply_set(struct apply *apply, json_t **slot, json_t *value); /* takes value over; NULL value notes the failure */
bool apply_is_group(const struct definition *definition, const struct saga_step *step);
const char *apply_name(const struct apply *apply, const struct saga_step *step, char out[SAGA_PLACE_NAME_MAX]);
/** The group around it; SAGA_ITSELF = the saga. */
struct saga_place apply_around(const struct apply *apply, struct saga_place place);
/** May attempt `attempts`+1 be made after code? */
bool apply_retry_allowed(const struct apply *apply, const struct retry_policy *policy, const struct saga_step *step, int attempts,
                         const char *code, int64_t delay_ms);
/** When the time of all attempts together is over (retry.maxDuration, from the first one on); INT64_MAX = never. */
int64_t apply_latest(const struct retry_policy *policy, const struct saga_step *step);
/** When the answer to what is sent now, or goes on now, is due: the timeout of one attempt (0 = none), within that of all; 0 = never. */
int64_t apply_reply_due(const struct apply *apply, const struct retry_policy *policy, const struct saga_step *step, int64_t timeout_ms);
const char *error_code(const json_t *error);
const char *error_message(const json_t *error);
int apply_next_order(const struct apply *apply);

/* forward.c */
void forward_from(struct apply *apply, struct saga_place place); /* enter this step, and whatever follows without waiting; SAGA_ITSELF = nothing does */
void forward_reply(struct apply *apply, const struct saga_event *event, struct saga_step *step, struct reply_meaning *meaning);
void forward_due(struct apply *apply, struct saga_step *step);
bool forward_past_pivot(const struct apply *apply);
/** Has this list of the group come to its end? SAGA_ITSELF, 0: the saga. */
bool forward_finished(const struct apply *apply, struct saga_place group, int branch);
void forward_complete_saga(struct apply *apply); /* as soon as what lost is undone */
void forward_again(struct apply *apply, struct saga_step *step);                  /* its budget anew */
void forward_complete(struct apply *apply, struct saga_step *step, json_t *output); /* takes output over; NULL = null */
void forward_skip(struct apply *apply, struct saga_step *step, json_t *output);     /* likewise; NULL = none */
/** Its output, taken over, with where it lies, NULL = nowhere else. */
void forward_take_output(struct apply *apply, struct saga_step *step, json_t *output, json_t *dataref);
void forward_settle(struct apply *apply, struct saga_step *step, enum step_status status);
/* Each returns the next step to enter, SAGA_ITSELF = there is something to wait for, or the saga is over. */
struct saga_place forward_follow(struct apply *apply, struct saga_place place); /* after a settled one; in a branch that lost: none */
struct saga_place forward_jump(struct apply *apply, struct saga_place from, int to); /* to a later step of the list, or of one around it: what is between is skipped */
struct saga_place forward_enter_failed(struct apply *apply, struct saga_step *step); /* step->error says why */

/* wait.c */
struct saga_place wait_enter(struct apply *apply, struct saga_step *step); /* like forward_follow */
struct saga_place wait_enter_sleep(struct apply *apply, struct saga_step *step);
void wait_due(struct apply *apply, struct saga_step *step);
void wait_signal(struct apply *apply, const struct saga_event *event);

/**
 * The step is given up with this error: failed, or unknown with an attempt unanswered. What stands in for it takes over, else the saga turns back
 * or parks. `step` is not to be used after it.
 */
void forward_fall_back(struct apply *apply, struct saga_step *step, const char *code, const char *message);

/* undo.c */
/** What undoes it, whether a reply has named it or the definition: how often, how long, and of the definition's the rest; NULL = nothing does. */
const struct definition_compensation *undo_of(const struct definition *definition, const struct saga_step *step);
const char *undo_command(const struct definition *definition, const struct saga_step *step); /* of one that has */
/** A success may name the step's compensation, while nobody has begun to undo it. True: now it has one. */
bool undo_named(struct apply *apply, const struct saga_event *event, struct saga_step *step);

/* tcc.c */
bool tcc_begun(const struct apply *apply); /* a confirm has been sent: there is no way back */
/** What this confirm confirms; NULL = it was not done. */
const struct saga_step *tcc_tried(const struct apply *apply, int confirm);
/** Is this step, about to be sent, the point of no return, and has run out what was tried before it? step->error says so. */
bool tcc_too_late(struct apply *apply, struct saga_step *step);

/* repeat.c */
/** Was this attempt of an earlier poll than the present one? */
bool repeat_is_over(const struct apply *apply, const struct saga_step *step, int attempt);
/** After a success: true if it is not the step's, and what follows has been arranged. meaning->output_failed is set where that cannot be known. */
bool repeat_goes_on(struct apply *apply, const struct saga_event *event, struct saga_step *step, struct reply_meaning *meaning);

/* fallback.c */
/** The entry to enter instead of a step that was given up; SAGA_ITSELF = none. */
struct saga_place fallback_of(struct apply *apply, struct saga_step *step);
struct saga_place fallback_enter_value(struct apply *apply, struct saga_step *step); /* like forward_follow */
/** Did something stand in for it? Then it counts as behind. */
bool fallback_taken(const struct saga_step *step);
/** A success of a step for which something stands in, while the saga goes forward: nobody uses it; it is undone if the saga turns back. */
void fallback_done_after_all(struct apply *apply, struct saga_step *step, const struct reply_meaning *meaning);

/* cached.c */
/** The step has succeeded: its output is kept, if a cached value may stand in for it. */
void cached_keep(struct apply *apply, const struct saga_step *step);
struct saga_place cached_enter(struct apply *apply, struct saga_step *step); /* like forward_follow */
void cached_due(struct apply *apply, struct saga_step *step);
void cached_found(struct apply *apply, const struct saga_event *event);

/* parallel.c */
/** Is what was done at this step undone, now or as soon as may be? It stands in a branch that lost, or the saga has turned back. */
bool parallel_lost(const struct apply *apply, struct saga_place place);
/** A command that is outstanding there, whose answer has to come first; NULL = none. likely: look at that one before all others; NULL = at none. */
const struct saga_step *parallel_awaits(const struct apply *apply, struct saga_place place, const struct saga_step *likely);
/** Must these two be undone one after the other? */
bool parallel_ordered(const struct apply *apply, struct saga_place a, struct saga_place b);
/** The step failed for good: the branch around it that its parallel can do without. False: the saga cannot. */
bool parallel_spares(const struct apply *apply, struct saga_place place, struct saga_place *ret_parallel, int *ret_branch);
/** It can do without this branch: nothing is sent there any more. */
void parallel_lose(struct apply *apply, struct saga_place parallel, int branch);
/** A branch has come to its end. True: the parallel is done with that, and the others have lost. */
bool parallel_join(struct apply *apply, struct saga_place parallel);
/** Nothing goes on in the whole saga but what is waited for. */
void parallel_stop_all(struct apply *apply);

/* foreach.c */
struct saga_place foreach_enter(struct apply *apply, struct saga_step *step); /* like forward_follow */
/** The first step of an iteration that may begin now; SAGA_ITSELF = none may. */
struct saga_place foreach_next(struct apply *apply);
/** One of its iterations has come to its end. True: that was the last of all, and the forEach has its output. */
bool foreach_follow(struct apply *apply, struct saga_place each);
/** The item of this place, borrowed; NULL = there is none. */
json_t *foreach_item(const struct apply *apply, struct saga_place place);
/** Is the iteration of this place being undone, some step of it? */
bool foreach_undoing(const struct apply *apply, struct saga_place place);

/* lock.c */
bool lock_ask(struct apply *apply, struct saga_step *step); /* false: step->error says why not */
bool lock_granted(struct apply *apply, struct saga_step *step, const json_t *payload); /* likewise */
void lock_leave(struct apply *apply); /* the saga has ended */
void lock_apply(struct apply *apply, const struct saga_event *event); /* of a lock */

/* compensate.c */
/** {"input": what the step was given, "output": what it answered}. NULL if memory ran out. */
json_t *compensate_default_input(struct apply *apply, const struct saga_step *step);
void compensate_begin(struct apply *apply, struct saga_place place, const char *code, const char *message);
/** What may be undone now is; the saga ends if that was the last thing it waited for. */
void compensate_next(struct apply *apply);
void compensate_ready(struct apply *apply); /* the first half of that */
bool compensate_left(const struct apply *apply); /* is there anything to undo, or to wait for before? */
void compensate_late(struct apply *apply, struct saga_step *step); /* a success after the step had been given up */
void compensate_reply(struct apply *apply, const struct saga_event *event, struct saga_step *step, struct reply_meaning *meaning);
void compensate_due(struct apply *apply, struct saga_step *step);
bool compensate_under_way(const struct saga_step *step); /* or parked */
void compensate_again(struct apply *apply, struct saga_step *step); /* its budget anew */
/** Its compensation is done, or left out, by hand: as told by status. */
void compensate_settle(struct apply *apply, struct saga_step *step, enum step_status status);

void compensate_undone(struct apply *apply, struct saga_step *step, int attempt);

/* child.c */
/** Is an answer of its child outstanding? */
bool child_awaited(const struct definition *definition, const struct saga_step *step);
/** May the step start one here? Else step->error says why not. */
bool child_may_start(struct apply *apply, struct saga_step *step);
/** The effect starts the step's child, or undoes it. */
void child_sent(struct apply *apply, struct saga_step *step, struct effect *effect);
/** An operator's other input for the step: may it still have one? */
bool child_takes_input(const struct apply *apply, const struct saga_step *step);
/** It has ended without success, or never began; a child that did, has undone what it did. */
void child_refused(struct apply *apply, struct saga_step *step);
/** Such news of a child that is waited for no more, or is being undone: true if that settles it. */
bool child_refused_late(struct apply *apply, const struct saga_event *event, struct saga_step *step, const struct reply_meaning *meaning);
/* Of a saga that is a child itself. */
void child_ended(struct apply *apply); /* if the result is among the effects, the parent has its answer */
void child_started_again(struct apply *apply, const struct saga_event *event);
void child_undo(struct apply *apply, const struct saga_event *event); /* its parent compensates it */

/* hold.c */
/**
 * Does the service (NULL = it is for no service, but a child) take the step's next command? If not, the step waits, and asks again within latest (INT64_MAX = whenever); its attempts are as
 * they were.
 */
bool hold_back(struct apply *apply, struct saga_step *step, enum saga_action action, const char *service, int64_t latest);
/** What was held back goes now. True if it was, and so its first attempt began when it was held. */
bool hold_end(struct saga_step *step);
/** A step that waits no more is not held, however that came. */
void hold_forget(struct saga_step *step);
/** Does the step's command wait for this service? */
bool hold_waits_for(const struct apply *apply, const struct saga_step *step, const char *service);

/* verbs.c */
#define CANCELLED_CODE "CANCELLED" /* of the saga's error, without a step: it ends as cancelled */
void verbs_apply(struct apply *apply, const struct saga_event *event);
void verbs_note(struct apply *apply, const struct saga_event *event, struct saga_place place); /* in the history */
void verbs_turn_back(struct apply *apply, const struct saga_event *event);      /* it is allowed */
/** Around an event of a paused saga: its rules run, nothing is sent, and it stays paused. Of another saga nothing happens. */
void verbs_hold(struct apply *apply);
void verbs_hold_on(struct apply *apply, const struct saga *before);

#endif

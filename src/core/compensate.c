/*
 * compensate.c -- the way back: what was done, or may have been, is undone in reverse order of completion.
 *
 * Owns:     compensate commands, their budget, parking when it is spent, the end of a compensated saga.
 * Rule:     a saga ends with all its steps done, or with the done ones compensated (Garcia-Molina and Salem, "Sagas", SIGMOD
 *           1987); a step whose outcome is unknown counts as done.
 * Tests:    tests/core/test_apply.c
 */
#include "apply_internal.h"
#include <string.h>

static const struct definition_compensation *compensation_of(const struct apply *apply, const struct saga_step *step)
{
    return undo_of(apply->definition, step);
}

void compensate_begin(struct apply *apply, struct saga_place place, const char *code, const char *message)
{
    struct saga *saga = apply->next;
    char name[SAGA_PLACE_NAME_MAX];

    apply_turn(apply, SAGA_COMPENSATING);
    saga->turned_back = true;
    saga->deadline_at_ms = 0;
    parallel_stop_all(apply);
    if (saga->error == NULL) {
        if (place.index >= 0)
            (void)saga_place_name(apply->definition, place, name);
        apply_set(apply, &saga->error,
                  place.index < 0 ? json_pack("{s:n, s:s, s:s}", "step", "code", code, "message", message)
                           : json_pack("{s:s, s:s, s:s}", "step", name, "code", code, "message", message));
        saga->error_changed = true;
    }
    apply_history(apply, HISTORY_COMPENSATING, place, 0);
    compensate_next(apply);
}

/* Done, or perhaps, and has to be undone. */
static bool is_to_undo(const struct apply *apply, const struct saga_step *step)
{
    return (step->status == STEP_DONE || step->status == STEP_UNKNOWN || ((step->status == STEP_SKIPPED || step->status == STEP_FAILED) && step->done_order > 0)) &&
           compensation_of(apply, step) != NULL && parallel_lost(apply, saga_place_of(step));
}

bool compensate_under_way(const struct saga_step *step)
{
    return step->status == STEP_COMPENSATING || step->status == STEP_COMPENSATION_RETRYING || step->status == STEP_COMPENSATION_FAILED;
}

bool compensate_left(const struct apply *apply)
{
    for (size_t i = 0; i < apply->next->steps_len; i++) {
        const struct saga_step *step = &apply->next->steps[i];

        if (compensate_under_way(step) || is_to_undo(apply, step) ||
            (apply_is_outstanding(apply->definition, step) && parallel_lost(apply, saga_place_of(step))))
            return true;
    }
    return false;
}

/* {"input": <what the step was given>, "output": <what it answered>} where the definition says nothing. */
json_t *compensate_default_input(struct apply *apply, const struct saga_step *step)
{
    json_t *given = NULL, *error = NULL;

    if (step->input != NULL)
        given = json_incref(step->input);
    else if (!apply_template(apply, apply->definition->steps[step->index].input, saga_place_of(step), &given, &error))
        given = json_null();
    json_decref(error);
    return json_pack("{s:o, s:O}", "input", given, "output", step->output == NULL ? json_null() : step->output);
}

static void give_up(struct apply *apply, struct saga_step *step)
{
    char name[SAGA_PLACE_NAME_MAX];

    step->status = STEP_COMPENSATION_FAILED;
    step->forever = false;
    if (step->compensations == 0)
        apply_park(apply, step, "compensation of %s: %s, %s", apply_name(apply, step, name), error_code(step->error),
                   error_message(step->error));
    else
        apply_park(apply, step, "compensation of %s: %s after %d attempts", apply_name(apply, step, name), error_code(step->error),
                   step->compensations);
}

static void send(struct apply *apply, struct saga_step *step)
{
    const struct definition_compensation *compensation = compensation_of(apply, step);
    bool child = apply->definition->steps[step->index].kind == STEP_SAGA;
    json_t *input = NULL, *error = NULL;
    struct effect *effect = NULL;

    if (step->compensations == 0)
        step->forgiven = 0; /* those were attempts of the step itself */
    if (apply->held) {
        step->status = STEP_COMPENSATION_RETRYING;
        step->forever = false;
        step->due_at_ms = apply->at;
        step->changed = true;
        return;
    }
    /* One that never was sent is held as long as it takes: an operator could do nothing else. */
    if (hold_back(apply, step, ACTION_COMPENSATE, saga_undo_service(apply->next, step),
                  step->compensations == step->forgiven ? INT64_MAX : apply_latest(&compensation->retry, step)))
        return;
    apply->undoing = true;
    if (child) {
        input = NULL; /* it knows what it did */
    } else if (step->undo_input != NULL) {
        input = json_incref(step->undo_input);
    } else if (step->undo != NULL && json_object_get(step->undo, "input") != NULL) {
        input = json_incref(json_object_get(step->undo, "input"));
    } else if (step->undo != NULL || compensation->input == NULL) {
        input = compensate_default_input(apply, step);
        apply->failed = apply->failed || input == NULL;
    } else {
        (void)apply_template(apply, compensation->input, saga_place_of(step), &input, &error);
    }
    apply->undoing = false;
    if (error != NULL) {
        apply_set(apply, &step->error, error);
        give_up(apply, step);
        return;
    }
    step->status = STEP_COMPENSATING;
    step->compensations++;
    (void)hold_end(step);
    step->sent_at_ms = apply->at;
    if (step->compensations == step->forgiven + 1)
        step->first_at_ms = apply->at;
    step->due_at_ms = apply_reply_due(apply, &compensation->retry, step, compensation->timeout_ms);
    step->changed = true;
    apply_history(apply, HISTORY_UNDO_SENT, saga_place_of(step), step->compensations);
    effect = apply_effect(apply, child ? EFFECT_CHILD : EFFECT_COMMAND);
    if (effect == NULL) {
        json_decref(input);
        return;
    }
    effect->place = saga_place_of(step);
    effect->action = ACTION_COMPENSATE;
    effect->attempt = step->compensations;
    effect->service = saga_undo_service(apply->next, step);
    effect->command = undo_command(apply->definition, step);
    effect->input = input;
    effect->expires_at_ms = step->due_at_ms;
    if (child)
        child_sent(apply, step, effect);
}

/* An error without a step is the saga's own: no participant can say that it was cancelled. */
static bool cancelled(const struct saga *saga)
{
    return json_is_null(json_object_get(saga->error, "step")) && strcmp(error_code(saga->error), CANCELLED_CODE) == 0;
}

/* It has not begun to be undone after all. */
static void choose_again(struct saga_step *step)
{
    step->status = step->unanswered ? STEP_UNKNOWN : STEP_DONE;
    step->due_at_ms = 0;
    step->forever = false;
    step->changed = true;
}

/* Its first command has not been sent: what was done after it, as a late answer says, is undone before it. */
static bool waits_for_a_pause(const struct saga_step *step)
{
    return step->status == STEP_COMPENSATION_RETRYING && step->compensations == 0 && !step->parked;
}

/* One look at all that is to be undone. What stood in the way of one step is likely to stand in that of the next. */
struct look {
    const struct saga_step *blocker, *awaited; /* NULL = none yet */
    int undoing[DEFINITION_STEPS_MAX];         /* of each forEach: so many of its iterations */
};

/* Must the step wait for this one? Of two that stand in an order the one that was done last is undone first, and never both at once. */
static bool blocks(const struct apply *apply, const struct saga_step *other, const struct saga_step *step)
{
    return other != step && (compensate_under_way(other) || (other->done_order > step->done_order && is_to_undo(apply, other))) &&
           parallel_ordered(apply, saga_place_of(step), saga_place_of(other));
}

/* In its own iteration. */
static bool is_blocked_inside(const struct apply *apply, const struct saga_step *step)
{
    int each = apply->definition->steps[step->index].each;

    for (int i = each + 1; each >= 0 && i < apply->definition->steps[each].after; i++) {
        const struct saga_step *other = saga_step_find(apply->next, (struct saga_place){i, step->iteration});

        if (other != NULL && blocks(apply, other, step))
            return true;
    }
    return false;
}

static bool is_blocked(const struct apply *apply, const struct saga_step *step, struct look *look)
{
    int each = apply->definition->steps[step->index].each;

    if (each >= 0 && look->undoing[each] >= apply->definition->steps[each].concurrency && !foreach_undoing(apply, saga_place_of(step)))
        return true;
    if ((look->blocker != NULL && blocks(apply, look->blocker, step)) || is_blocked_inside(apply, step))
        return true;
    for (size_t i = 0; i < apply->next->steps_len; i++) {
        if (blocks(apply, &apply->next->steps[i], step)) {
            look->blocker = &apply->next->steps[i];
            return true;
        }
    }
    look->awaited = parallel_awaits(apply, saga_place_of(step), look->awaited);
    return look->awaited != NULL;
}

/* Of the steps of one iteration that are being undone, the first counts. */
static bool is_first_of_iteration(const struct apply *apply, const struct saga_step *step)
{
    int each = apply->definition->steps[step->index].each;
    bool first = each >= 0;

    for (int i = each + 1; i < step->index && first; i++) {
        const struct saga_step *other = saga_step_find(apply->next, (struct saga_place){i, step->iteration});

        first = other == NULL || !compensate_under_way(other);
    }
    return first;
}

void compensate_ready(struct apply *apply)
{
    struct saga *saga = apply->next;
    struct look look = {.blocker = NULL};

    for (size_t i = 0; i < saga->steps_len; i++) {
        if (waits_for_a_pause(&saga->steps[i]))
            choose_again(&saga->steps[i]);
    }
    for (size_t i = 0; i < saga->steps_len; i++) {
        if (compensate_under_way(&saga->steps[i]) && is_first_of_iteration(apply, &saga->steps[i]))
            look.undoing[apply->definition->steps[saga->steps[i].index].each]++;
    }
    for (size_t i = 0; i < saga->steps_len && !apply->failed; i++) {
        struct saga_step *step = &saga->steps[i];
        int each = apply->definition->steps[step->index].each;

        if (!is_to_undo(apply, step) || is_blocked(apply, step, &look))
            continue;
        look.undoing[each < 0 ? 0 : each] += each >= 0 && !foreach_undoing(apply, saga_place_of(step));
        send(apply, step);
    }
}

void compensate_next(struct apply *apply)
{
    struct saga *saga = apply->next;

    compensate_ready(apply);
    if (saga_status_ended(saga->status) || compensate_left(apply))
        return;
    if (!saga->turned_back) {
        if (forward_finished(apply, SAGA_ITSELF, 0))
            forward_complete_saga(apply);
        return;
    }
    apply_turn(apply, cancelled(saga) ? SAGA_CANCELLED : SAGA_COMPENSATED);
    if (saga->ended_at_ms != 0)
        return; /* its result is out already: this was the undoing of a success that came late */
    saga->ended_at_ms = apply->at;
    apply_history(apply, HISTORY_ENDED, SAGA_ITSELF, 0);
    (void)apply_effect(apply, EFFECT_RESULT);
}

void compensate_again(struct apply *apply, struct saga_step *step)
{
    step->forgiven = step->compensations;
    apply_unstick(apply, step);
    step->held_since_ms = 0;
    if (step->compensations > 0) {
        send(apply, step);
        return;
    }
    choose_again(step);
    compensate_next(apply);
}

void compensate_settle(struct apply *apply, struct saga_step *step, enum step_status status)
{
    apply_unstick(apply, step);
    step->status = status;
    step->due_at_ms = 0;
    step->forever = false;
    step->settled_at_ms = apply->at;
    step->changed = true;
    compensate_next(apply);
}

void compensate_late(struct apply *apply, struct saga_step *step)
{
    struct saga *saga = apply->next;

    step->changed = true;
    saga->late++;
    apply_history(apply, HISTORY_LATE, saga_place_of(step), step->attempts);
    if (compensation_of(apply, step) == NULL)
        return;
    if (step->done_order == 0) {
        step->status = STEP_DONE;
        step->done_order = apply_next_order(apply);
    }
    compensate_next(apply);
}

void compensate_undone(struct apply *apply, struct saga_step *step, int attempt)
{
    apply_history(apply, HISTORY_UNDONE, saga_place_of(step), attempt);
    compensate_settle(apply, step, STEP_COMPENSATED);
}

/* Another attempt, or the operator. Takes error over. */
static void try_again(struct apply *apply, struct saga_step *step, json_t *error, int64_t retry_after_ms)
{
    const struct retry_policy *retry = &compensation_of(apply, step)->retry;
    char name[SAGA_PLACE_NAME_MAX];
    int64_t delay = retry_delay_ms(retry, apply->next->id, apply_name(apply, step, name), step->compensations - step->forgiven + 1);

    if (delay < retry_after_ms)
        delay = retry_after_ms;
    apply_set(apply, &step->error, error);
    step->changed = true;
    if (!apply_retry_allowed(apply, retry, step, step->compensations - step->forgiven, error_code(step->error), delay)) {
        give_up(apply, step);
        return;
    }
    if (delay == 0) {
        send(apply, step);
        return;
    }
    step->status = STEP_COMPENSATION_RETRYING;
    step->forever = false;
    step->due_at_ms = apply->at + delay;
}

void compensate_reply(struct apply *apply, const struct saga_event *event, struct saga_step *step, struct reply_meaning *meaning)
{
    bool waits = step->status == STEP_COMPENSATING || step->status == STEP_COMPENSATION_RETRYING;

    if (meaning->outcome == REPLY_SUCCESS && (waits || step->status == STEP_COMPENSATION_FAILED)) {
        compensate_undone(apply, step, event->attempt);
        return;
    }
    if (!waits || (step->due_at_ms == 0 && !step->forever) || event->attempt != step->compensations || step->status != STEP_COMPENSATING) {
        apply->effects->disposition = step->status == STEP_COMPENSATED && meaning->outcome == REPLY_SUCCESS ? IGNORED_DUPLICATE
                                                                                                          : IGNORED_LATE;
        return;
    }
    if (meaning->outcome == REPLY_PENDING) {
        step->due_at_ms = apply_reply_due(apply, &compensation_of(apply, step)->retry, step, compensation_of(apply, step)->timeout_ms);
        step->changed = true;
        apply_history(apply, HISTORY_PENDING, saga_place_of(step), event->attempt);
        return;
    }
    /* A compensation that is refused is tried again: giving up would leave the effect in place. */
    apply_history(apply, HISTORY_UNDO_REFUSED, saga_place_of(step), event->attempt);
    try_again(apply, step, json_incref(meaning->error), event->retry_after_ms);
}

void compensate_due(struct apply *apply, struct saga_step *step)
{
    if (step->status == STEP_COMPENSATION_RETRYING) {
        if (step->compensations == step->forgiven || apply->at < apply_latest(&compensation_of(apply, step)->retry, step))
            send(apply, step);
        else
            give_up(apply, step); /* the timer came late: what is sent now would have expired */
        return;
    }
    apply_history(apply, HISTORY_UNDO_TIMEOUT, saga_place_of(step), step->compensations);
    try_again(apply, step, reply_error("TIMEOUT", "no answer in time"), 0);
}

/*
 * forward.c -- the way forward: next step, attempts, what a reply or a silence means for a step.
 *
 * Owns:     execute commands; skipping; giving up; completion.
 * Rule:     the first outcome of any attempt settles a step (one idempotency key for all attempts).
 * Tests:    tests/core/test_apply.c
 */
#include "apply_internal.h"
#include <stdlib.h>
#include <string.h>

static const struct definition_step *definition_of(const struct apply *apply, const struct saga_step *step)
{
    return &apply->definition->steps[step->index];
}

bool forward_past_pivot(const struct apply *apply)
{
    const struct saga_step *step = apply->definition->pivot < 0 ? NULL : saga_step_find(apply->next, (struct saga_place){apply->definition->pivot, -1});

    return (step != NULL && step->status == STEP_DONE) || tcc_begun(apply);
}

static struct saga_step *add_step(struct apply *apply, struct saga_place place)
{
    struct saga_step *step = saga_step_add(apply->next, place);

    if (step == NULL)
        apply->failed = true;
    else
        step->changed = true;
    return step;
}

void forward_settle(struct apply *apply, struct saga_step *step, enum step_status status)
{
    step->status = status;
    step->done_order = 0;
    step->due_at_ms = 0;
    step->forever = false;
    step->held_since_ms = 0;
    step->settled_at_ms = apply->at;
    step->changed = true;
}

/* No way on from this step: its branch has lost, or back, or, past the point of no return, to the operator. */
static void fail(struct apply *apply, struct saga_step *step)
{
    const struct definition_step *definition = definition_of(apply, step);
    const char *code = error_code(step->error), *message = error_message(step->error);
    struct saga_place place = saga_place_of(step), parallel = SAGA_ITSELF;
    char name[SAGA_PLACE_NAME_MAX];
    int branch = -1;

    (void)apply_name(apply, step, name);
    if (parallel_lost(apply, place)) {
        compensate_next(apply);
    } else if (parallel_spares(apply, place, &parallel, &branch)) {
        parallel_lose(apply, parallel, branch);
        compensate_next(apply);
    } else if (forward_past_pivot(apply) && step->status == STEP_DONE) {
        apply_park(apply, step, "step %s: %s", name, message);
    } else if (forward_past_pivot(apply) && step->attempts == 0) {
        apply_park(apply, step, "step %s: %s, %s; past the pivot there is no way back", name, code, message);
    } else if (forward_past_pivot(apply)) {
        apply_park(apply, step, "step %s: %s after %d attempts; past the pivot there is no way back", name, code, step->attempts);
    } else if (definition->pivot && step->status == STEP_UNKNOWN && definition->compensation == NULL) {
        apply_park(apply, step, "step %s: %s after %d attempts; the outcome of the pivot is unknown and it cannot be undone", name, code,
                   step->attempts);
    } else {
        compensate_begin(apply, place, code, message);
    }
}

/* Past the pivot the only way out is forward, for all that the saga cannot do without. */
static bool only_forward(const struct apply *apply, const struct saga_step *step)
{
    struct saga_place place = saga_place_of(step), parallel = SAGA_ITSELF;
    int branch = -1;

    return forward_past_pivot(apply) && !parallel_lost(apply, place) && !parallel_spares(apply, place, &parallel, &branch);
}

/* False: step->error says why there is none. A saga is started with an object: no attempt would change that. */
static bool input_of(struct apply *apply, struct saga_step *step, json_t **ret_input)
{
    const struct definition_step *definition = definition_of(apply, step);
    json_t *error = NULL;

    if (step->input != NULL) {
        *ret_input = json_incref(step->input);
    } else if (definition->confirmation && definition->input == NULL) {
        *ret_input = compensate_default_input(apply, tcc_tried(apply, step->index));
        apply->failed = apply->failed || *ret_input == NULL;
    } else if (!apply_template(apply, definition->input, saga_place_of(step), ret_input, &error)) {
        if (error != NULL)
            apply_set(apply, &step->error, error);
        return false;
    }
    if (definition->kind != STEP_SAGA || json_is_object(*ret_input))
        return true;
    json_decref(*ret_input);
    *ret_input = NULL;
    apply_set(apply, &step->error, reply_error("EXPRESSION", "the input of a saga is no object"));
    return false;
}

/* Attempt number step->attempts + 1. Inputs are not kept in the state: the same outputs give the same input again. */
static void send(struct apply *apply, struct saga_step *step)
{
    const struct definition_step *definition = definition_of(apply, step);
    json_t *input = NULL;
    struct effect *effect = NULL;

    if (apply->held) {
        step->status = STEP_RETRYING;
        step->forever = false;
        step->due_at_ms = apply->at;
        step->changed = true;
        return;
    }
    if (tcc_too_late(apply, step)) {
        (void)forward_enter_failed(apply, step);
        return;
    }
    if (hold_back(apply, step, ACTION_EXECUTE, definition->service, apply_latest(&definition->retry, step)))
        return;
    if (!input_of(apply, step, &input)) {
        if (apply->failed)
            return;
        forward_settle(apply, step, STEP_FAILED);
        fail(apply, step);
        return;
    }
    step->status = STEP_RUNNING;
    step->attempts++;
    step->sent_at_ms = apply->at;
    if (!hold_end(step) && step->attempts == step->forgiven + 1)
        step->first_at_ms = apply->at;
    step->due_at_ms = apply_reply_due(apply, &definition->retry, step, definition->timeout_ms);
    step->changed = true;
    apply_history(apply, HISTORY_SENT, saga_place_of(step), step->attempts);
    effect = apply_effect(apply, definition->kind == STEP_SAGA ? EFFECT_CHILD : EFFECT_COMMAND);
    if (effect == NULL) {
        json_decref(input);
        return;
    }
    effect->place = saga_place_of(step);
    effect->action = ACTION_EXECUTE;
    effect->attempt = step->attempts;
    effect->poll = definition->repeat == NULL ? 0 : step->polls + 1;
    effect->service = definition->service;
    effect->command = definition->command;
    effect->input = input;
    effect->expires_at_ms = step->due_at_ms;
    if (definition->kind == STEP_SAGA)
        child_sent(apply, step, effect);
}

bool forward_finished(const struct apply *apply, struct saga_place group, int branch)
{
    const struct saga_step *step = NULL;
    int last = definition_first(apply->definition, group.index, branch);

    for (int next = last; next >= 0; next = definition_follower(apply->definition, next))
        last = next;
    step = saga_step_find(apply->next, saga_place_at(apply->definition, last, group.iteration));
    if (step != NULL && fallback_taken(step))
        step = saga_step_find(apply->next, (struct saga_place){apply->definition->steps[last].fallback, step->iteration});
    return step != NULL && !step->parked && (step->status == STEP_DONE || step->status == STEP_SKIPPED);
}

void forward_complete_saga(struct apply *apply)
{
    struct saga *saga = apply->next;
    json_t *output = NULL, *error = NULL;

    if (compensate_left(apply)) {
        saga->deadline_at_ms = 0; /* nothing is left that could be late */
        return;
    }
    apply_turn(apply, SAGA_COMPLETED);
    if (saga->ended_at_ms != 0)
        return; /* its result is out already: this was the undoing of a success that came late */
    saga->ended_at_ms = apply->at;
    if (apply->definition->output != NULL) {
        /* All steps are done: an output that cannot be computed undoes nothing. */
        if (apply_template(apply, apply->definition->output, SAGA_ITSELF, &output, &error))
            saga->output = output;
        else
            saga->error = error;
    }
    saga->output_changed = saga->error_changed = true;
    apply_history(apply, HISTORY_ENDED, SAGA_ITSELF, 0);
    (void)apply_effect(apply, EFFECT_RESULT);
}

/* A condition: 1 yes, 0 no, -1 it failed (step->error says why). */
static int holds(struct apply *apply, struct saga_step *step, const struct expr *condition)
{
    struct expr_scope scope = apply_scope(apply, saga_place_of(step));
    struct baton_error err = {0};
    bool yes = false;
    enum baton_err rc = expr_eval_bool(apply->definition->vm, condition, &scope, &yes, &err);

    if (rc == BATON_OK)
        return yes;
    if (rc == BATON_E_NOMEM)
        apply->failed = true;
    else
        apply_set(apply, &step->error, reply_error("EXPRESSION", err.text));
    return -1;
}

/* --- from step to step: each of these returns the next one to enter, SAGA_ITSELF = there is something to wait for, or the saga is over --- */

/* After a settled one: the next of its list; at the end of the list its group is done. */
struct saga_place forward_follow(struct apply *apply, struct saga_place place)
{
    if (parallel_lost(apply, place)) {
        compensate_next(apply);
        return SAGA_ITSELF;
    }
    for (struct saga_place parent; place.index >= 0; place = parent) {
        int next = definition_follower(apply->definition, place.index);
        enum step_kind kind;

        if (next >= 0)
            return (struct saga_place){next, place.iteration};
        parent = apply_around(apply, place);
        kind = parent.index < 0 ? STEP_SEQUENCE : apply->definition->steps[parent.index].kind;
        if ((kind == STEP_PARALLEL && !parallel_join(apply, parent)) || (kind == STEP_FOREACH && !foreach_follow(apply, parent)))
            return SAGA_ITSELF; /* the other branches or iterations are under way */
        if (parent.index >= 0 && apply_is_group(apply->definition, saga_step_find(apply->next, parent)))
            forward_settle(apply, saga_step_find(apply->next, parent), STEP_DONE);
        if (kind == STEP_PARALLEL)
            compensate_ready(apply);
    }
    forward_complete_saga(apply);
    return SAGA_ITSELF;
}

static void leave_out(struct apply *apply, struct saga_step *step)
{
    forward_settle(apply, step, STEP_SKIPPED);
    apply_history(apply, HISTORY_SKIPPED, saga_place_of(step), 0);
}

struct saga_place forward_jump(struct apply *apply, struct saga_place from, int to)
{
    for (struct saga_place at = from, parent; at.index >= 0; at = parent) {
        int next = definition_follower(apply->definition, at.index);

        for (; next >= 0 && next != to && !apply->failed; next = definition_follower(apply->definition, next)) {
            struct saga_step *step = add_step(apply, (struct saga_place){next, at.iteration});

            if (step != NULL)
                leave_out(apply, step);
        }
        if (next == to)
            return (struct saga_place){to, at.iteration};
        parent = apply_around(apply, at);
        if (parent.index >= 0)
            forward_settle(apply, saga_step_find(apply->next, parent), STEP_DONE);
    }
    return SAGA_ITSELF;
}

static struct saga_place skip(struct apply *apply, struct saga_step *step)
{
    leave_out(apply, step);
    return forward_follow(apply, saga_place_of(step));
}

struct saga_place forward_enter_failed(struct apply *apply, struct saga_step *step)
{
    forward_settle(apply, step, STEP_FAILED);
    fail(apply, step);
    return SAGA_ITSELF;
}

static struct saga_place enter_switch(struct apply *apply, struct saga_step *step)
{
    const struct definition_step *definition = definition_of(apply, step);
    int yes = 0, branch = 0, first = -1;

    for (; branch < definition->cases_len; branch++) {
        yes = holds(apply, step, definition->cases[branch]);
        if (yes < 0)
            return forward_enter_failed(apply, step);
        if (yes > 0)
            break;
    }
    first = definition_first(apply->definition, step->index, branch);
    if (first < 0)
        return skip(apply, step);
    step->chosen = branch + 1;
    return (struct saga_place){first, step->iteration};
}

/* Its branches, one after the other: each up to where it waits. */
static struct saga_place enter_parallel(struct apply *apply, struct saga_place place)
{
    for (int i = 0; i < apply->definition->steps[place.index].branches; i++) {
        if (saga_step_find(apply->next, place)->status != STEP_RUNNING || apply->failed)
            break; /* decided already, or it failed */
        forward_from(apply, (struct saga_place){definition_first(apply->definition, place.index, i), place.iteration});
    }
    return SAGA_ITSELF;
}

static struct saga_place enter(struct apply *apply, struct saga_place place)
{
    struct saga_step *step = add_step(apply, place);
    const struct definition_step *definition = step == NULL ? NULL : definition_of(apply, step);
    int yes = 1;

    if (step == NULL)
        return SAGA_ITSELF;
    if (definition->when != NULL)
        yes = holds(apply, step, definition->when);
    if (yes < 0)
        return forward_enter_failed(apply, step);
    if (yes == 0 || (definition->confirmation && tcc_tried(apply, place.index) == NULL))
        return skip(apply, step);
    switch (definition->kind) {
    case STEP_SEQUENCE: return (struct saga_place){definition_first(apply->definition, place.index, 0), place.iteration};
    case STEP_SWITCH: return enter_switch(apply, step);
    case STEP_PARALLEL: return enter_parallel(apply, place);
    case STEP_FOREACH: return foreach_enter(apply, step);
    case STEP_SLEEP: return wait_enter_sleep(apply, step);
    case STEP_WAIT: return wait_enter(apply, step);
    case STEP_VALUE: return fallback_enter_value(apply, step);
    case STEP_CACHED: return cached_enter(apply, step);
    case STEP_SAGA:
        if (!child_may_start(apply, step))
            return forward_enter_failed(apply, step);
        break;
    case STEP_COMMAND: break;
    }
    send(apply, step);
    return SAGA_ITSELF;
}

void forward_from(struct apply *apply, struct saga_place place)
{
    apply->entering++;
    do {
        while (place.index >= 0 && !apply->failed)
            place = enter(apply, place);
        place = apply->entering > 1 ? SAGA_ITSELF : foreach_next(apply);
    } while (place.index >= 0 && !apply->failed);
    apply->entering--;
}

/* With an attempt unanswered the participant may have acted: the step counts as maybe done. */
static void stand_in_or_fail(struct apply *apply, struct saga_step *step)
{
    struct saga_place other = SAGA_ITSELF;

    forward_settle(apply, step, step->unanswered ? STEP_UNKNOWN : STEP_FAILED);
    if (step->unanswered)
        step->done_order = apply_next_order(apply);
    if (!parallel_lost(apply, saga_place_of(step)))
        other = fallback_of(apply, step);
    if (other.index < 0)
        fail(apply, step);
    else
        forward_from(apply, other);
}

/* The step's budget is spent. */
static void give_up(struct apply *apply, struct saga_step *step)
{
    apply_history(apply, HISTORY_EXHAUSTED, saga_place_of(step), step->attempts);
    stand_in_or_fail(apply, step);
}

void forward_fall_back(struct apply *apply, struct saga_step *step, const char *code, const char *message)
{
    apply_set(apply, &step->error, reply_error(code, message));
    stand_in_or_fail(apply, step);
}

/* Another attempt, or none. Takes error over. */
static void try_again(struct apply *apply, struct saga_step *step, json_t *error, int64_t retry_after_ms)
{
    const struct definition_step *definition = definition_of(apply, step);
    char name[SAGA_PLACE_NAME_MAX];
    int64_t delay = retry_delay_ms(&definition->retry, apply->next->id, apply_name(apply, step, name), step->attempts - step->forgiven + 1);

    if (delay < retry_after_ms)
        delay = retry_after_ms;
    apply_set(apply, &step->error, error);
    if (parallel_lost(apply, saga_place_of(step)) ||
        !apply_retry_allowed(apply, &definition->retry, step, step->attempts - step->forgiven, error_code(step->error), delay)) {
        give_up(apply, step);
        return;
    }
    step->changed = true;
    if (delay == 0) {
        send(apply, step);
        return;
    }
    step->status = STEP_RETRYING;
    step->forever = false;
    step->held_since_ms = 0;
    step->due_at_ms = apply->at + delay;
}

void forward_take_output(struct apply *apply, struct saga_step *step, json_t *output, json_t *dataref)
{
    apply_set(apply, &step->output, output);
    json_decref(step->dataref);
    step->dataref = json_incref(dataref);
}

static void done(struct apply *apply, const struct saga_event *event, struct saga_step *step, struct reply_meaning *meaning)
{
    if (repeat_goes_on(apply, event, step, meaning))
        return;
    forward_settle(apply, step, STEP_DONE);
    step->done_order = apply_next_order(apply);
    step->unanswered = false;
    forward_take_output(apply, step, json_incref(meaning->output), meaning->dataref);
    json_decref(step->error);
    step->error = NULL;
    apply_history(apply, HISTORY_DONE, saga_place_of(step), step->attempts);
    if (meaning->output_failed) {
        apply_set(apply, &step->error, json_incref(meaning->error));
        fail(apply, step);
        return;
    }
    cached_keep(apply, step);
    forward_from(apply, forward_follow(apply, saga_place_of(step)));
}

static void refused(struct apply *apply, const struct saga_event *event, struct saga_step *step, struct reply_meaning *meaning)
{
    apply_history(apply, HISTORY_REFUSED, saga_place_of(step), event->attempt);
    child_refused(apply, step);
    if (only_forward(apply, step)) {
        step->refused = true;
        try_again(apply, step, json_incref(meaning->error), 0);
        return;
    }
    forward_settle(apply, step, step->polls > 0 ? STEP_UNKNOWN : STEP_FAILED);
    step->unanswered = step->polls > 0;
    if (step->polls > 0)
        step->done_order = apply_next_order(apply);
    apply_set(apply, &step->error, json_incref(meaning->error));
    fail(apply, step);
}

/* A reply to a step that waits for one. */
static void awaited(struct apply *apply, const struct saga_event *event, struct saga_step *step, struct reply_meaning *meaning)
{
    const struct definition_step *definition = definition_of(apply, step);

    if (meaning->outcome == REPLY_SUCCESS) {
        done(apply, event, step, meaning);
        return;
    }
    if (meaning->outcome == REPLY_FAILURE && !(only_forward(apply, step) && event->attempt != step->attempts)) {
        refused(apply, event, step, meaning);
        return;
    }
    /* Transient news of an attempt that has been replaced tell nothing about the one under way. */
    if (event->attempt != step->attempts || step->status != STEP_RUNNING) {
        apply->effects->disposition = IGNORED_LATE;
        return;
    }
    if (meaning->outcome == REPLY_PENDING) {
        step->due_at_ms = apply_reply_due(apply, &definition->retry, step, definition->timeout_ms);
        step->changed = true;
        apply_history(apply, HISTORY_PENDING, saga_place_of(step), event->attempt);
        return;
    }
    apply_history(apply, HISTORY_TRANSIENT, saga_place_of(step), event->attempt);
    try_again(apply, step, json_incref(meaning->error), event->retry_after_ms);
}

/* One whose output could not be used is done: no reply changes that any more. */
static bool is_parked_step(const struct saga_step *step)
{
    return step->parked && (step->status == STEP_FAILED || step->status == STEP_UNKNOWN || step->status == STEP_RUNNING || step->status == STEP_RETRYING);
}

void forward_again(struct apply *apply, struct saga_step *step)
{
    apply_unstick(apply, step);
    step->forgiven = step->attempts;
    step->held_since_ms = 0;
    step->done_order = 0;
    step->settled_at_ms = 0;
    switch (definition_of(apply, step)->kind) {
    case STEP_SLEEP: forward_from(apply, wait_enter_sleep(apply, step)); break;
    case STEP_WAIT: forward_from(apply, wait_enter(apply, step)); break;
    case STEP_VALUE: forward_from(apply, fallback_enter_value(apply, step)); break;
    case STEP_CACHED: forward_from(apply, cached_enter(apply, step)); break;
    case STEP_COMMAND:
    case STEP_SAGA:
    case STEP_SEQUENCE:
    case STEP_SWITCH:
    case STEP_PARALLEL:
    case STEP_FOREACH: send(apply, step); break;
    }
}

void forward_complete(struct apply *apply, struct saga_step *step, json_t *output)
{
    int order = step->status == STEP_DONE ? step->done_order : 0;

    apply_unstick(apply, step);
    forward_settle(apply, step, STEP_DONE);
    if (definition_of(apply, step)->kind == STEP_COMMAND || definition_of(apply, step)->kind == STEP_SAGA) /* nothing else has anything to undo */
        step->done_order = order > 0 ? order : apply_next_order(apply);
    step->unanswered = false;
    forward_take_output(apply, step, output == NULL ? json_null() : output, NULL);
    json_decref(step->error);
    step->error = NULL;
    forward_from(apply, forward_follow(apply, saga_place_of(step)));
}

void forward_skip(struct apply *apply, struct saga_step *step, json_t *output)
{
    bool done = step->status == STEP_DONE, maybe = step->unanswered || step->status == STEP_RUNNING;
    int order = step->done_order;

    apply_unstick(apply, step);
    forward_settle(apply, step, done ? STEP_DONE : STEP_SKIPPED);
    /* What may have happened is undone with the rest, should the saga turn back. */
    if (done || maybe)
        step->done_order = order > 0 ? order : apply_next_order(apply);
    step->unanswered = maybe;
    if (output != NULL || done)
        forward_take_output(apply, step, output == NULL ? json_null() : output, NULL);
    forward_from(apply, forward_follow(apply, saga_place_of(step)));
}

static bool resumes(struct apply *apply, const struct saga_event *event, struct saga_step *step, struct reply_meaning *meaning)
{
    bool settled = meaning->outcome == REPLY_SUCCESS ||
                   (meaning->outcome == REPLY_FAILURE && step->status != STEP_FAILED && !only_forward(apply, step));

    if (!is_parked_step(step) || !settled)
        return false;
    apply_unstick(apply, step);
    if (meaning->outcome == REPLY_SUCCESS)
        done(apply, event, step, meaning);
    else
        refused(apply, event, step, meaning);
    return true;
}

void forward_reply(struct apply *apply, const struct saga_event *event, struct saga_step *step, struct reply_meaning *meaning)
{
    bool success = meaning->outcome == REPLY_SUCCESS, awaits = step->status == STEP_RUNNING || step->status == STEP_RETRYING;

    if (repeat_is_over(apply, step, event->attempt)) {
        apply->effects->disposition = success ? IGNORED_DUPLICATE : IGNORED_LATE;
        return;
    }
    if (success && undo_named(apply, event, step) && !awaits && parallel_lost(apply, saga_place_of(step))) {
        forward_take_output(apply, step, json_incref(meaning->output), meaning->dataref);
        compensate_late(apply, step);
        return;
    }
    if (resumes(apply, event, step, meaning))
        return;
    if (awaits && !step->parked) {
        awaited(apply, event, step, meaning);
        return;
    }
    if (child_refused_late(apply, event, step, meaning))
        return;
    switch (step->status) {
    case STEP_FAILED:
        if (success && step->attempts > 0 && fallback_taken(step) && (!parallel_lost(apply, saga_place_of(step)) || step->done_order > 0)) {
            fallback_done_after_all(apply, step, meaning);
            apply->effects->disposition = IGNORED_LATE;
        } else if (success && step->attempts > 0) {
            forward_take_output(apply, step, json_incref(meaning->output), meaning->dataref);
            compensate_late(apply, step);
        } else {
            apply->effects->disposition = meaning->outcome == REPLY_FAILURE ? IGNORED_DUPLICATE : IGNORED_LATE;
        }
        break;
    case STEP_UNKNOWN:
        /* It is compensated anyway; what it made may help to undo it. */
        /* A null output is none, as in the state that another worker reads. */
        if (success && (step->output == NULL || json_is_null(step->output))) {
            forward_take_output(apply, step, json_incref(meaning->output), meaning->dataref);
            step->changed = true;
        }
        apply->effects->disposition = IGNORED_LATE;
        break;
    case STEP_SKIPPED: /* by an operator: what was sent before was done after all, and is undone if the saga turns back */
        if (success && step->done_order == 0 && parallel_lost(apply, saga_place_of(step))) {
            compensate_late(apply, step);
            break;
        }
        if (success && step->done_order == 0) {
            step->done_order = apply_next_order(apply);
            step->changed = true;
        }
        apply->effects->disposition = IGNORED_LATE;
        break;
    case STEP_DONE:
        apply->effects->disposition = success ? IGNORED_DUPLICATE : IGNORED_LATE;
        break;
    case STEP_RUNNING:
    case STEP_RETRYING:
    case STEP_WAITING:
    case STEP_COMPENSATING:
    case STEP_COMPENSATION_RETRYING:
    case STEP_COMPENSATED:
    case STEP_COMPENSATION_FAILED:
    case STEP_COMPENSATION_SKIPPED:
    case STEP_STATUS_COUNT:
        apply->effects->disposition = success && !step->unanswered ? IGNORED_DUPLICATE : IGNORED_LATE;
        break;
    }
}

void forward_due(struct apply *apply, struct saga_step *step)
{
    if (step->status == STEP_RETRYING) {
        if ((step->attempts == step->forgiven && step->held_since_ms == 0) || apply->at < apply_latest(&definition_of(apply, step)->retry, step))
            send(apply, step);
        else
            give_up(apply, step); /* the timer came late: what is sent now would have expired */
        return;
    }
    step->unanswered = true;
    apply_history(apply, HISTORY_TIMEOUT, saga_place_of(step), step->attempts);
    try_again(apply, step, reply_error("TIMEOUT", "no answer in time"), 0);
}

/*
 * wait.c -- steps that send nothing: a sleep waits for its time, a wait for a signal.
 *
 * Owns:     how long they last, signals that come early, what a wait does that ends without one.
 * Rule:     a wait has a due time or says "never"; that is the one live saga that may be due at no time at all.
 * Tests:    tests/core/test_apply.c
 */
#include "apply_internal.h"
#include <string.h>

static const struct definition_step *definition_of(const struct apply *apply, const struct saga_step *step)
{
    return &apply->definition->steps[step->index];
}

static struct saga_place begin(struct apply *apply, struct saga_step *step, int64_t due_at_ms)
{
    step->status = STEP_WAITING;
    step->due_at_ms = due_at_ms;
    step->forever = due_at_ms == 0;
    step->changed = true;
    json_decref(step->error); /* of before it waits anew */
    step->error = NULL;
    apply_history(apply, HISTORY_WAITING, saga_place_of(step), 0);
    return SAGA_ITSELF;
}

static struct saga_place end(struct apply *apply, struct saga_step *step)
{
    forward_settle(apply, step, STEP_DONE);
    apply_history(apply, HISTORY_DONE, saga_place_of(step), 0);
    return forward_follow(apply, saga_place_of(step));
}

/* The time that the expression gives; false: step->error says why not. */
static bool time_of(struct apply *apply, struct saga_step *step, int64_t *ret_ms)
{
    struct expr_scope scope = apply_scope(apply, saga_place_of(step));
    struct baton_error err = {0};
    json_t *value = NULL;
    enum baton_err rc = expr_eval(apply->definition->vm, definition_of(apply, step)->until, &scope, &value, &err);
    bool fine = rc == BATON_OK && json_is_string(value) && time_parse(json_string_value(value), ret_ms);

    if (rc == BATON_E_NOMEM)
        apply->failed = true;
    else if (!fine)
        apply_set(apply, &step->error,
                  reply_error("EXPRESSION", rc == BATON_OK ? "\"until\" is not a time such as 2026-01-31T12:00:00Z" : err.text));
    json_decref(value);
    return fine;
}

struct saga_place wait_enter_sleep(struct apply *apply, struct saga_step *step)
{
    const struct definition_step *definition = definition_of(apply, step);
    int64_t until = apply->at + definition->timeout_ms;

    if (definition->until != NULL && !time_of(apply, step, &until))
        return forward_enter_failed(apply, step);
    return until <= apply->at ? end(apply, step) : begin(apply, step, until);
}

/* The oldest signal of that name that came early leaves the saga's list; NULL = none. The list may be shared with the state before. */
static json_t *take_early(struct apply *apply, const char *name)
{
    struct saga *saga = apply->next;
    size_t n = json_array_size(saga->signals);

    for (size_t i = 0; i < n; i++) {
        json_t *signal = json_array_get(saga->signals, i), *payload = NULL;

        if (strcmp(json_string_value(json_object_get(signal, "name")), name) != 0)
            continue;
        payload = json_incref(json_object_get(signal, "payload"));
        apply_set(apply, &saga->signals, json_copy(saga->signals));
        (void)json_array_remove(saga->signals, i);
        if (n == 1) {
            json_decref(saga->signals);
            saga->signals = NULL;
        }
        saga->signals_changed = true;
        return payload == NULL ? json_null() : payload;
    }
    return NULL;
}

/* Takes payload over. */
static struct saga_place signalled(struct apply *apply, struct saga_step *step, json_t *payload)
{
    if (definition_of(apply, step)->lock && !lock_granted(apply, step, payload)) {
        json_decref(payload);
        return forward_enter_failed(apply, step);
    }
    apply_set(apply, &step->output, payload);
    json_decref(step->error);
    step->error = NULL;
    apply_history(apply, HISTORY_SIGNAL, saga_place_of(step), 0);
    return end(apply, step);
}

struct saga_place wait_enter(struct apply *apply, struct saga_step *step)
{
    const struct definition_step *definition = definition_of(apply, step);
    json_t *payload = definition->lock ? NULL : take_early(apply, definition->signal);

    if (definition->lock && !lock_ask(apply, step))
        return forward_enter_failed(apply, step);
    if (payload != NULL)
        return signalled(apply, step, payload);
    return begin(apply, step, definition->timeout_ms == 0 ? 0 : apply->at + definition->timeout_ms);
}

void wait_due(struct apply *apply, struct saga_step *step)
{
    const struct definition_step *definition = definition_of(apply, step);

    if (definition->kind == STEP_SLEEP) {
        forward_from(apply, end(apply, step));
        return;
    }
    apply_history(apply, HISTORY_TIMEOUT, saga_place_of(step), 0);
    apply_set(apply, &step->error, definition->lock ? reply_error("LOCK_TIMEOUT", "another saga holds the lock")
                                                          : reply_error("TIMEOUT", "no signal in time"));
    switch (definition->on_timeout) {
    case ON_TIMEOUT_FAIL: (void)forward_enter_failed(apply, step); break;
    case ON_TIMEOUT_CONTINUE: forward_from(apply, end(apply, step)); break;
    case ON_TIMEOUT_GOTO:
        forward_settle(apply, step, STEP_DONE);
        forward_from(apply, forward_jump(apply, saga_place_of(step), definition->goto_step));
        break;
    }
}

/* --- signals --- */

/* Can the saga still get to this step, which it has not reached? The innermost group around it that was entered tells, if nothing is lost there. */
static bool may_come_to(const struct apply *apply, struct saga_place place)
{
    const struct definition_step *steps = apply->definition->steps;

    if (saga_step_find(apply->next, place) != NULL || parallel_lost(apply, place))
        return false;
    for (struct saga_place inner = place, around = apply_around(apply, place); around.index >= 0; inner = around, around = apply_around(apply, around)) {
        const struct saga_step *group = saga_step_find(apply->next, around);

        if (group != NULL)
            return group->status == STEP_RUNNING && (steps[around.index].kind != STEP_SWITCH || group->chosen == steps[inner.index].branch + 1);
    }
    return true;
}

/* In a forEach: in an iteration that is under way, or in one to come. */
static bool may_come(const struct apply *apply, int index)
{
    int each = apply->definition->steps[index].each;
    const struct saga_step *group = each < 0 ? NULL : saga_step_find(apply->next, (struct saga_place){each, -1});
    bool may = false;

    if (group == NULL)
        return may_come_to(apply, (struct saga_place){each < 0 ? index : each, -1});
    may = group->status == STEP_RUNNING && group->begun < group->count && !parallel_lost(apply, saga_place_of(group));
    for (int i = 0; i < group->begun && !may; i++)
        may = may_come_to(apply, (struct saga_place){index, i});
    return may;
}

static bool waits_for(const struct definition_step *step, const char *signal)
{
    return step->kind == STEP_WAIT && strcmp(step->signal, signal) == 0;
}

/* The step that takes the signal now: it waits, or the saga parked on it when it had waited long enough. */
static struct saga_step *taker(const struct apply *apply, const char *signal)
{
    for (size_t i = 0; i < apply->next->steps_len; i++) {
        struct saga_step *step = &apply->next->steps[i];

        if (waits_for(definition_of(apply, step), signal) &&
            (step->status == STEP_WAITING || (step->status == STEP_FAILED && step->parked)))
            return step;
    }
    return NULL;
}

static void ignore(struct apply *apply, enum history_kind kind)
{
    apply->effects->disposition = IGNORED_LATE;
    apply->next->late++;
    apply_history(apply, kind, SAGA_ITSELF, 0);
}

static void keep(struct apply *apply, const struct saga_event *event)
{
    struct saga *saga = apply->next;
    json_t *signal = json_pack("{s:s, s:I, s:O?}", "name", event->signal, "at", (json_int_t)apply->at, "payload", event->body);

    apply_set(apply, &saga->signals, saga->signals == NULL ? json_array() : json_copy(saga->signals));
    apply->failed = apply->failed || signal == NULL;
    apply->failed = json_array_append_new(saga->signals, signal) != 0 || apply->failed;
    saga->signals_changed = true;
    apply_history(apply, HISTORY_SIGNAL_KEPT, SAGA_ITSELF, 0);
}

void wait_signal(struct apply *apply, const struct saga_event *event)
{
    struct saga_step *step = taker(apply, event->signal);
    bool wanted = false;

    if (step != NULL) {
        apply_unstick(apply, step);
        forward_from(apply, signalled(apply, step, event->body == NULL ? json_null() : json_incref(event->body)));
        return;
    }
    for (size_t i = 0; !wanted && i < apply->definition->steps_len; i++)
        wanted = waits_for(&apply->definition->steps[i], event->signal) && may_come(apply, (int)i);
    if (!wanted)
        ignore(apply, HISTORY_LATE);
    else if (json_array_size(apply->next->signals) == SAGA_SIGNALS_MAX)
        ignore(apply, HISTORY_SIGNAL_REFUSED);
    else
        keep(apply, event);
}

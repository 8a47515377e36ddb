/*
 * apply.c -- the one place where a saga changes.
 *
 * Owns:     (definition, saga, event) -> (saga', effects): copy, rules, invariant, swap.
 * May use:  the core's own headers, jansson.
 * Never:    time, rand, stdio, librdkafka, hiredis.
 * Tests:    tests/core/test_apply.c, one row a rule; tests/core/test_apply_random.c
 */
#include "apply_internal.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REASON_MAX 512

/* --- helpers of the rules --- */

static size_t noise(const struct saga *saga)
{
    size_t n = 0;

    for (size_t i = 0; i < saga->history_len; i++) {
        enum history_kind kind = saga->history[i].kind;

        n += kind == HISTORY_DUPLICATE || kind == HISTORY_LATE || kind == HISTORY_DUPLICATE_START;
    }
    return n;
}

void apply_history(struct apply *apply, enum history_kind kind, struct saga_place place, int attempt)
{
    apply_history_note(apply, kind, place, attempt, NULL);
}

void apply_history_note(struct apply *apply, enum history_kind kind, struct saga_place place, int attempt, json_t *note)
{
    struct saga *saga = apply->next;

    if ((kind == HISTORY_DUPLICATE || kind == HISTORY_LATE || kind == HISTORY_DUPLICATE_START) && noise(saga) >= HISTORY_NOISE_MAX)
        return;
    if (saga->history_len == SAGA_HISTORY_MAX) {
        json_decref(saga->history[0].note);
        memmove(saga->history, saga->history + 1, (saga->history_len - 1) * sizeof *saga->history);
        saga->history_len--;
        saga->history_dropped++;
        saga->history_cut++;
    }
    if (saga->history_len == saga->history_cap) {
        size_t cap = saga->history_cap == 0 ? 8 : saga->history_cap * 2;
        struct saga_history *history = realloc(saga->history, cap * sizeof *history);

        if (history == NULL) {
            json_decref(note);
            apply->failed = true;
            return;
        }
        saga->history = history;
        saga->history_cap = cap;
    }
    saga->history[saga->history_len++] = (struct saga_history){
        .after_ms = apply->at - saga->started_at_ms, .kind = kind, .place = place, .attempt = attempt, .note = note};
    saga->history_new++;
}

struct effect *apply_effect(struct apply *apply, enum effect_kind kind)
{
    struct effects *effects = apply->effects;

    if (effects->len == effects->cap) {
        size_t cap = effects->cap == 0 ? 8 : effects->cap * 2;
        struct effect *items = realloc(effects->items, cap * sizeof *items);

        if (items == NULL) {
            apply->failed = true;
            return NULL;
        }
        effects->items = items;
        effects->cap = cap;
    }
    effects->items[effects->len] = (struct effect){.kind = kind, .place = SAGA_ITSELF};
    return &effects->items[effects->len++];
}

void apply_set(struct apply *apply, json_t **slot, json_t *value)
{
    if (value == NULL)
        apply->failed = true;
    json_decref(*slot);
    *slot = value;
}

enum saga_status apply_phase(const struct saga *saga)
{
    return saga->status == SAGA_PARKED ? saga->parked_from : saga->status;
}

void apply_turn(struct apply *apply, enum saga_status phase)
{
    struct saga *saga = apply->next;

    if (saga->status != SAGA_PARKED) {
        saga->status = phase;
        return;
    }
    saga->parked_changed = saga->parked_changed || saga->parked_from != phase;
    saga->parked_from = phase;
}

static void set_reason(struct apply *apply, const char *reason)
{
    struct saga *saga = apply->next;

    free(saga->parked);
    saga->parked = strdup(reason);
    apply->failed = apply->failed || saga->parked == NULL;
    saga->parked_changed = true;
}

/* An event tells of it once: the reason is the last one. */
static bool told(const struct effects *effects)
{
    for (size_t i = effects->len; i > 0 && effects->items[i - 1].kind != EFFECT_RESUMED; i--) {
        if (effects->items[i - 1].kind == EFFECT_PARKED)
            return true;
    }
    return false;
}

void apply_park(struct apply *apply, struct saga_step *step, const char *format, ...)
{
    struct saga *saga = apply->next;
    char reason[REASON_MAX];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    baton_text_clean(reason);
    set_reason(apply, reason);
    if (step != NULL) {
        step->parked = true;
        step->due_at_ms = 0;
        step->forever = step->forever && step->status == STEP_WAITING;
        step->changed = true;
    }
    if (saga->status != SAGA_PARKED) /* what has ended comes to its end again */
        saga->parked_from = saga_status_ended(saga->status) ? (saga->turned_back ? SAGA_COMPENSATING : SAGA_RUNNING) : saga->status;
    saga->status = SAGA_PARKED;
    if (told(apply->effects))
        return;
    apply_history(apply, HISTORY_PARKED, SAGA_ITSELF, 0);
    (void)apply_effect(apply, EFFECT_PARKED);
}

static const struct saga_step *stuck(const struct saga *saga)
{
    for (size_t i = 0; i < saga->steps_len; i++) {
        if (saga->steps[i].parked)
            return &saga->steps[i];
    }
    return NULL;
}

bool apply_is_stuck(const struct saga *saga)
{
    return stuck(saga) != NULL;
}

void apply_unstick(struct apply *apply, struct saga_step *step)
{
    struct saga *saga = apply->next;
    const struct saga_step *other = NULL;
    char reason[REASON_MAX], name[SAGA_PLACE_NAME_MAX];

    if (!step->parked)
        return;
    step->parked = false;
    step->changed = true;
    other = stuck(saga);
    if (other == NULL && saga->paused_at_ms == 0) {
        apply_resume(apply);
    } else if (other != NULL) {
        (void)snprintf(reason, sizeof reason, "step %s: %s", apply_name(apply, other, name),
                       other->error == NULL ? "its command cannot be sent" : error_code(other->error));
        baton_text_clean(reason);
        set_reason(apply, reason);
    }
}

void apply_resume(struct apply *apply)
{
    struct saga *saga = apply->next;

    apply_unpark(apply, saga->parked_from);
    apply_history(apply, HISTORY_RESUMED, SAGA_ITSELF, 0);
    (void)apply_effect(apply, EFFECT_RESUMED);
}

bool apply_is_group(const struct definition *definition, const struct saga_step *step)
{
    enum step_kind kind = definition->steps[step->index].kind;

    return kind == STEP_SEQUENCE || kind == STEP_SWITCH || kind == STEP_PARALLEL || kind == STEP_FOREACH;
}

void apply_unpark(struct apply *apply, enum saga_status to)
{
    struct saga *saga = apply->next;

    free(saga->parked);
    saga->parked = NULL;
    saga->paused_at_ms = 0;
    saga->status = to;
    saga->parked_changed = true;
}

const char *apply_name(const struct apply *apply, const struct saga_step *step, char out[SAGA_PLACE_NAME_MAX])
{
    (void)saga_place_name(apply->definition, saga_place_of(step), out);
    return out;
}

struct saga_place apply_around(const struct apply *apply, struct saga_place place)
{
    return saga_place_at(apply->definition, apply->definition->steps[place.index].parent, place.iteration);
}

const char *error_code(const json_t *error)
{
    const char *code = json_string_value(json_object_get(error, "code"));

    return code == NULL ? "" : code;
}

const char *error_message(const json_t *error)
{
    const char *message = json_string_value(json_object_get(error, "message"));

    return message == NULL ? "" : message;
}

int apply_next_order(const struct apply *apply)
{
    int most = 0;

    for (size_t i = 0; i < apply->next->steps_len; i++)
        most = apply->next->steps[i].done_order > most ? apply->next->steps[i].done_order : most;
    return most + 1;
}

/* What stands in for a step has its output; what undoes the step itself is told what the step itself made. */
static json_t *output_of(const struct apply *apply, const struct saga_step *step)
{
    const struct saga_step *other = step->fallback == FALLBACK_NONE || (apply->undoing && step->index == apply->seen_from.index)
                                        ? NULL
                                        : saga_step_find(apply->next, (struct saga_place){apply->definition->steps[step->index].fallback, step->iteration});

    return json_incref(other == NULL ? step->output : other->output);
}

static json_t *step_field(const void *context, const char *name, enum expr_step_field field)
{
    const struct apply *apply = context;
    int index = definition_step_index(apply->definition, name, strlen(name));
    const struct saga_step *step = index < 0 ? NULL : saga_step_find(apply->next, saga_place_at(apply->definition, index, apply->seen_from.iteration));

    if (step == NULL)
        return NULL;
    switch (field) {
    case EXPR_STEP_OUTPUT: return output_of(apply, step);
    case EXPR_STEP_ERROR: return json_incref(step->error);
    case EXPR_STEP_STATUS: return json_string(step_status_name(step->status));
    case EXPR_STEP_FALLBACK: return json_string(fallback_kind_name(step->fallback)); /* NULL stays NULL */
    case EXPR_STEP_FIELDS: break;
    }
    return NULL;
}

struct expr_scope apply_scope(struct apply *apply, struct saga_place place)
{
    apply->seen_from = place;
    return (struct expr_scope){
        .input = apply->next->input,
        .item = foreach_item(apply, place),
        .index = place.iteration,
        .saga_id = apply->next->id,
        .saga_type = apply->definition->name,
        .saga_version = apply->definition->version,
        .step = step_field,
        .step_context = apply,
    };
}

bool apply_template(struct apply *apply, const struct template *template, struct saga_place place, json_t **ret_value, json_t **ret_error)
{
    struct expr_scope scope = apply_scope(apply, place);
    struct baton_error err = {0};
    json_t *value = NULL;
    enum baton_err rc = BATON_OK;

    *ret_error = NULL;
    if (template == NULL)
        value = json_object();
    else
        rc = template_eval(apply->definition->vm, template, &scope, &value, &err);
    if (rc == BATON_OK && value != NULL) {
        *ret_value = value;
        return true;
    }
    if (rc == BATON_E_INVALID)
        *ret_error = reply_error("EXPRESSION", err.text);
    apply->failed = apply->failed || *ret_error == NULL;
    return false;
}

static bool listed(char *const *codes, const char *code)
{
    for (; *codes != NULL; codes++) {
        if (strcmp(*codes, code) == 0)
            return true;
    }
    return false;
}

int64_t apply_latest(const struct retry_policy *policy, const struct saga_step *step)
{
    return policy->max_duration_ms > 0 ? step->first_at_ms + policy->max_duration_ms : INT64_MAX;
}

int64_t apply_reply_due(const struct apply *apply, const struct retry_policy *policy, const struct saga_step *step, int64_t timeout_ms)
{
    int64_t due = timeout_ms == 0 ? INT64_MAX : apply->at + timeout_ms, latest = apply_latest(policy, step);

    if (due > latest)
        due = latest;
    return due == INT64_MAX ? 0 : due;
}

bool apply_retry_allowed(const struct apply *apply, const struct retry_policy *policy, const struct saga_step *step, int attempts,
                         const char *code, int64_t delay_ms)
{
    if (policy->attempts != RETRY_UNLIMITED && attempts >= policy->attempts)
        return false;
    if (apply->at + delay_ms >= apply_latest(policy, step))
        return false;
    if (policy->on != NULL && !listed(policy->on, code))
        return false;
    return policy->not_on == NULL || !listed(policy->not_on, code);
}

/* --- events --- */

static void ignored(struct apply *apply, const struct saga_event *event, enum disposition disposition)
{
    bool duplicate = disposition == IGNORED_DUPLICATE;

    apply->effects->disposition = disposition;
    apply->next->duplicates += duplicate;
    apply->next->late += !duplicate;
    apply_history(apply, duplicate ? HISTORY_DUPLICATE : HISTORY_LATE, event->place, event->attempt);
}

/* Its participant is believed whatever it says, once: is this the answer that a command of this direction still waits for? */
static void on_reply(struct apply *apply, const struct saga_event *event)
{
    struct expr_scope scope;
    struct reply_meaning meaning = {0};
    struct saga_step *step = NULL;

    assert(event->place.index >= 0 && (size_t)event->place.index < apply->definition->steps_len);
    step = saga_step_find(apply->next, event->place);
    /* What was terminated stays as it was left: whatever is said of it now is only counted. */
    if (apply->next->status == SAGA_TERMINATED || step == NULL || event->attempt < 1 ||
        event->attempt > (event->action == ACTION_EXECUTE ? step->attempts : step->compensations)) {
        ignored(apply, event, IGNORED_LATE);
        return;
    }
    scope = apply_scope(apply, event->place);
    if (!reply_classify(apply->definition, event, &scope, &meaning)) {
        apply->failed = true;
        return;
    }
    apply->effects->answer = meaning.outcome;
    if (event->action == ACTION_EXECUTE)
        forward_reply(apply, event, step, &meaning);
    else
        compensate_reply(apply, event, step, &meaning);
    if (apply->effects->disposition == IGNORED_DUPLICATE || apply->effects->disposition == IGNORED_LATE)
        ignored(apply, event, apply->effects->disposition);
    reply_meaning_clear(&meaning);
}

bool apply_is_outstanding(const struct definition *definition, const struct saga_step *step)
{
    return step->status == STEP_WAITING || ((step->status == STEP_RUNNING || step->status == STEP_RETRYING) && !apply_is_group(definition, step));
}

bool apply_pivot_unsettled(const struct apply *apply)
{
    const struct saga *saga = apply->next;

    for (size_t i = 0; i < saga->steps_len; i++) {
        const struct saga_step *step = &saga->steps[i];
        const struct definition_step *definition = &apply->definition->steps[step->index];

        if (definition->pivot && definition->compensation == NULL &&
            (step->status == STEP_RUNNING || step->status == STEP_UNKNOWN || (step->status == STEP_RETRYING && step->unanswered)))
            return true;
    }
    return false;
}

void apply_give_up(struct apply *apply, struct saga_step *step, const char *code, const char *message)
{
    step->unanswered = step->unanswered || step->status == STEP_RUNNING;
    forward_settle(apply, step, step->unanswered ? STEP_UNKNOWN : STEP_FAILED);
    if (step->unanswered)
        step->done_order = apply_next_order(apply);
    apply_set(apply, &step->error, reply_error(code, message));
}

struct saga_place apply_give_up_outstanding(struct apply *apply, const char *code, const char *message)
{
    struct saga *saga = apply->next;
    struct saga_place last = SAGA_ITSELF;
    int given_up = 0;

    for (size_t i = 0; i < saga->steps_len; i++) {
        struct saga_step *step = &saga->steps[i];

        if (!apply_is_outstanding(apply->definition, step))
            continue;
        apply_give_up(apply, step, code, message);
        last = saga_place_of(step);
        given_up++;
    }
    return given_up == 1 ? last : SAGA_ITSELF;
}

/* The saga's time is up: it turns back, unless it cannot any more. */
static void on_deadline(struct apply *apply)
{
    apply->next->deadline_at_ms = 0;
    apply_history(apply, HISTORY_DEADLINE, SAGA_ITSELF, 0);
    /* A pivot that has been sent and cannot be undone has to be settled first. */
    if (!forward_past_pivot(apply) && !apply_pivot_unsettled(apply))
        compensate_begin(apply, apply_give_up_outstanding(apply, "DEADLINE", "the saga's timeout"), "DEADLINE",
                         "the saga's timeout has passed");
}

/* The step whose time came first, or of those that are woken the one held back first; NULL = none is due. */
static struct saga_step *first_due(const struct apply *apply, const char *woken)
{
    struct saga *saga = apply->next;
    struct saga_step *first = NULL;

    for (size_t i = 0; i < saga->steps_len; i++) {
        struct saga_step *step = &saga->steps[i];

        if (step->due_at_ms == 0 || (woken != NULL ? !hold_waits_for(apply, step, woken) : step->due_at_ms > apply->at))
            continue;
        if (first == NULL || (woken != NULL ? step->held_since_ms < first->held_since_ms : step->due_at_ms < first->due_at_ms))
            first = step;
    }
    return first;
}

static void on_timer(struct apply *apply, const struct saga_event *event)
{
    struct saga *saga = apply->next;
    struct saga_step *step = NULL;
    bool due = false;

    if (saga->paused_at_ms != 0) {
        apply->effects->disposition = IGNORED_EARLY;
        return;
    }
    if (saga->status == SAGA_RUNNING && saga->deadline_at_ms > 0 && saga->deadline_at_ms <= apply->at) {
        on_deadline(apply);
        due = true;
    }
    while (!apply->failed && (event->woken == NULL || !due) && (step = first_due(apply, event->woken)) != NULL) {
        due = true;
        if (step->status == STEP_RUNNING || step->status == STEP_RETRYING)
            forward_due(apply, step);
        else if (step->status == STEP_WAITING && apply->definition->steps[step->index].kind == STEP_CACHED)
            cached_due(apply, step);
        else if (step->status == STEP_WAITING)
            wait_due(apply, step);
        else
            compensate_due(apply, step);
    }
    if (!due)
        apply->effects->disposition = IGNORED_EARLY;
}

static void on_park(struct apply *apply, const struct saga_event *event)
{
    struct saga *saga = apply->next;
    bool live = saga->paused_at_ms == 0 && (!saga_status_ended(saga->status) || saga->due_at_ms != 0), parked = false;

    for (size_t i = 0; i < saga->steps_len && live; i++) {
        struct saga_step *step = &saga->steps[i];

        if (step->parked || !(apply_is_outstanding(apply->definition, step) || compensate_under_way(step)))
            continue;
        apply_park(apply, step, "%s", event->reason);
        parked = true;
    }
    if (!parked)
        apply->effects->disposition = IGNORED_EARLY;
}

/* --- the frame --- */

static void settle_due(struct saga *saga)
{
    int64_t due = saga->status == SAGA_RUNNING ? saga->deadline_at_ms : 0;

    for (size_t i = 0; i < saga->steps_len && saga->paused_at_ms == 0; i++) {
        int64_t step = saga->steps[i].due_at_ms;

        if (step > 0 && (due == 0 || step < due))
            due = step;
    }
    saga->due_at_ms = due;
}

const char *saga_broken_rule(const struct saga *saga)
{
    int waiting = 0, for_ever = 0, parked = saga->paused_at_ms != 0;

    for (size_t i = 0; i < saga->steps_len; i++) {
        const struct saga_step *step = &saga->steps[i];
        bool sent = !apply_is_group(saga->definition, step) && (step->status == STEP_RUNNING || step->status == STEP_RETRYING || step->status == STEP_COMPENSATING ||
                                                               step->status == STEP_COMPENSATION_RETRYING);
        bool forever = step->forever && (step->status == STEP_WAITING || child_awaited(saga->definition, step));

        if (step->due_at_ms != 0 && !sent && step->status != STEP_WAITING)
            return "a settled step or a group has a due time";
        if (step->forever && !forever)
            return "something else than a wait is for ever";
        if (sent && step->due_at_ms == 0 && !forever && !step->parked)
            return "a command is outstanding without a due time";
        if (step->status == STEP_WAITING && (step->due_at_ms != 0) == forever && !step->parked)
            return "a wait without a due time that does not say for ever";
        waiting += step->due_at_ms != 0;
        for_ever += forever;
        parked += step->parked;
    }
    if ((saga->status == SAGA_PARKED) != (parked > 0))
        return "parked on nothing, or on a step and not parked";
    if (saga->status == SAGA_PARKED)
        return saga->parked == NULL || saga->parked[0] == '\0' ? "parked without a reason" : NULL;
    if (saga->parked != NULL)
        return "a reason for parking, but not parked";
    if (saga_status_ended(saga->status))
        return saga->ended_at_ms == 0 ? "ended without a time" : NULL;
    if ((waiting == 0 || saga->due_at_ms == 0) && for_ever == 0)
        return "live without a due time or a parked reason";
    return NULL;
}

/* Close the application: the invariant holds in release builds too, because a saga that breaks it would be silently stuck. */
static enum baton_err finish(struct apply *apply, struct saga **ret_next)
{
    enum disposition disposition = apply->effects->disposition;

    child_ended(apply);
    if (apply->failed || disposition == IGNORED_EARLY || disposition == IGNORED_REFUSED) {
        if (apply->failed)
            effects_clear(apply->effects);
        assert(apply->effects->len == 0);
        saga_free(apply->next);
        *ret_next = NULL;
        return apply->failed ? BATON_E_NOMEM : BATON_OK;
    }
    if (saga_status_ended(apply->next->status) && !apply->was_ended)
        lock_leave(apply);
    for (size_t i = 0; i < apply->next->steps_len; i++)
        hold_forget(&apply->next->steps[i]);
    settle_due(apply->next);
    if (saga_broken_rule(apply->next) != NULL)
        __builtin_trap();
    *ret_next = apply->next;
    return BATON_OK;
}

/* Nobody but the sagas that want it moves it. */
static void of_no_use_to_a_lock(struct apply *apply, const struct saga_event *event)
{
    apply->effects->disposition = event->kind == EVENT_VERB ? IGNORED_REFUSED : IGNORED_EARLY;
    if (event->kind == EVENT_VERB)
        (void)strcpy(apply->effects->refusal, "it is a lock: it goes when its owner, the first of its queue, ends");
}

static char *copy(struct apply *apply, const char *text)
{
    char *copied = text == NULL ? NULL : strdup(text);

    apply->failed = apply->failed || (text != NULL && copied == NULL);
    return copied;
}

enum baton_err saga_start(const struct definition *definition, const struct saga_event *event, struct saga **ret_saga,
                          struct effects *effects)
{
    struct apply apply = {.definition = definition, .next = saga_new(), .effects = effects, .at = event->at_ms, .gate = event->gate};
    struct saga *saga = apply.next;

    assert(event->kind == (definition->is_lock ? EVENT_LOCK : EVENT_START) && event->input != NULL && strlen(event->saga_id) <= SAGA_ID_MAX);
    effects_clear(effects);
    if (saga == NULL)
        return BATON_E_NOMEM;
    expr_vm_begin(definition->vm);
    (void)strcpy(saga->id, event->saga_id);
    saga->definition = definition;
    saga->seq = 1;
    saga->started_at_ms = saga->updated_at_ms = event->at_ms;
    saga->deadline_at_ms = definition->timeout_ms > 0 ? event->at_ms + definition->timeout_ms : 0;
    saga->input = json_incref(event->input);
    saga->dataref = json_incref(event->dataref);
    saga->traceparent = copy(&apply, event->traceparent);
    saga->tracestate = copy(&apply, event->tracestate);
    saga->reply_to.topic = copy(&apply, event->reply_topic);
    saga->reply_to.correlation = copy(&apply, event->reply_correlation);
    saga->parent = json_incref(event->parent);
    apply_history(&apply, HISTORY_STARTED, SAGA_ITSELF, 0);
    forward_from(&apply, (struct saga_place){0, -1});
    if (definition->is_lock)
        lock_apply(&apply, event);
    return finish(&apply, ret_saga);
}

enum baton_err saga_next(const struct saga *saga, const struct saga_event *event, struct saga **ret_next, struct effects *effects)
{
    struct saga *next = NULL;
    struct apply apply = {.definition = saga->definition, .effects = effects, .gate = event->gate};

    effects_clear(effects);
    *ret_next = NULL;
    next = apply.next = saga_clone(saga);
    if (next == NULL)
        return BATON_E_NOMEM;
    expr_vm_begin(apply.definition->vm);
    /* Clocks of two workers may differ: a saga's own time never runs back. */
    apply.at = event->at_ms > next->updated_at_ms ? event->at_ms : next->updated_at_ms;
    next->seq++;
    next->updated_at_ms = apply.at;
    next->history_new = next->history_cut = 0;
    next->output_changed = next->error_changed = next->parked_changed = next->signals_changed = next->parent_changed = next->queue_changed = false;
    for (size_t i = 0; i < next->steps_len; i++)
        next->steps[i].changed = false;
    apply.was_ended = saga_status_ended(saga->status);
    if (saga->definition->is_lock && event->kind != EVENT_LOCK) {
        of_no_use_to_a_lock(&apply, event);
        return finish(&apply, ret_next);
    }
    switch (event->kind) {
    case EVENT_START:
        effects->disposition = IGNORED_DUPLICATE;
        next->duplicates++;
        apply_history(&apply, HISTORY_DUPLICATE_START, SAGA_ITSELF, 0);
        child_started_again(&apply, event);
        break;
    case EVENT_REPLY:
        verbs_hold(&apply);
        on_reply(&apply, event);
        verbs_hold_on(&apply, saga);
        break;
    case EVENT_TIMER: on_timer(&apply, event); break;
    case EVENT_PARK: on_park(&apply, event); break;
    case EVENT_VERB: verbs_apply(&apply, event); break;
    case EVENT_SIGNAL:
        verbs_hold(&apply);
        wait_signal(&apply, event);
        verbs_hold_on(&apply, saga);
        break;
    case EVENT_LOCK: lock_apply(&apply, event); break;
    case EVENT_CACHED:
        verbs_hold(&apply);
        cached_found(&apply, event);
        verbs_hold_on(&apply, saga);
        break;
    case EVENT_KIND_COUNT: assert(false); break;
    }
    return finish(&apply, ret_next);
}

enum baton_err saga_apply(struct saga **saga, const struct saga_event *event, struct effects *effects)
{
    struct saga *next = NULL;
    enum baton_err rc = saga_next(*saga, event, &next, effects);

    if (next != NULL) {
        saga_free(*saga);
        *saga = next;
    }
    return rc;
}

/*
 * saga.c -- the life of a saga's state and of effect lists, and the words for their parts.
 *
 * Owns:     allocation, copying; names of statuses.
 * Tests:    tests/core/test_saga.c
 */
#include <baton/saga.h>
#include <stdlib.h>
#include <string.h>

static const char *const status_names[SAGA_STATUS_COUNT] = {
    [SAGA_RUNNING] = "running",     [SAGA_COMPENSATING] = "compensating", [SAGA_COMPLETED] = "completed",
    [SAGA_COMPENSATED] = "compensated", [SAGA_PARKED] = "parked",         [SAGA_CANCELLED] = "cancelled",
    [SAGA_TERMINATED] = "terminated",
};

static const char *const step_names[STEP_STATUS_COUNT] = {
    [STEP_RUNNING] = "running",
    [STEP_RETRYING] = "retrying",
    [STEP_WAITING] = "waiting",
    [STEP_DONE] = "done",
    [STEP_FAILED] = "failed",
    [STEP_UNKNOWN] = "unknown",
    [STEP_SKIPPED] = "skipped",
    [STEP_COMPENSATING] = "compensating",
    [STEP_COMPENSATION_RETRYING] = "compensation-retrying",
    [STEP_COMPENSATED] = "compensated",
    [STEP_COMPENSATION_FAILED] = "compensation-failed",
    [STEP_COMPENSATION_SKIPPED] = "compensation-skipped",
};

static const char *const verb_names[VERB_COUNT] = {
    [VERB_CANCEL] = "cancel", [VERB_TERMINATE] = "terminate", [VERB_PAUSE] = "pause",       [VERB_RESUME] = "resume",
    [VERB_RETRY] = "retry",   [VERB_SKIP] = "skip",           [VERB_COMPLETE] = "complete", [VERB_COMPENSATE] = "compensate",
    [VERB_MIGRATE] = "migrate",
};

static const char *const history_names[HISTORY_VERB] = {
    [HISTORY_STARTED] = "started",           [HISTORY_SENT] = "sent",
    [HISTORY_DONE] = "done",                 [HISTORY_REFUSED] = "refused",
    [HISTORY_TRANSIENT] = "transient",       [HISTORY_TIMEOUT] = "timeout",
    [HISTORY_EXHAUSTED] = "exhausted",       [HISTORY_SKIPPED] = "skipped",
    [HISTORY_COMPENSATING] = "compensating", [HISTORY_UNDO_SENT] = "undo-sent",
    [HISTORY_UNDONE] = "undone",             [HISTORY_UNDO_REFUSED] = "undo-refused",
    [HISTORY_UNDO_TIMEOUT] = "undo-timeout", [HISTORY_DUPLICATE] = "duplicate",
    [HISTORY_LATE] = "late",                 [HISTORY_PENDING] = "pending",
    [HISTORY_PARKED] = "parked",             [HISTORY_RESUMED] = "resumed",
    [HISTORY_DEADLINE] = "deadline",         [HISTORY_ENDED] = "ended",
    [HISTORY_DUPLICATE_START] = "duplicate-start", [HISTORY_WAITING] = "waiting",
    [HISTORY_SIGNAL] = "signal",             [HISTORY_SIGNAL_KEPT] = "signal-kept",
    [HISTORY_SIGNAL_REFUSED] = "signal-refused", [HISTORY_FALLBACK] = "fallback",
    [HISTORY_POLLED] = "polled",             [HISTORY_UNDO_IGNORED] = "undo-ignored",
    [HISTORY_LOST] = "lost",
    [HISTORY_HELD] = "held",
};

static int name_index(const char *const *names, int count, const char *text)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], text) == 0)
            return i;
    }
    return -1;
}

const char *saga_status_name(enum saga_status status)
{
    return status_names[status];
}

bool saga_status_parse(const char *text, enum saga_status *ret_status)
{
    int index = name_index(status_names, SAGA_STATUS_COUNT, text);

    if (index >= 0)
        *ret_status = (enum saga_status)index;
    return index >= 0;
}

bool saga_status_ended(enum saga_status status)
{
    return status == SAGA_COMPLETED || status == SAGA_COMPENSATED || status == SAGA_CANCELLED || status == SAGA_TERMINATED;
}

const char *step_status_name(enum step_status status)
{
    return step_names[status];
}

bool step_status_parse(const char *text, enum step_status *ret_status)
{
    int index = name_index(step_names, STEP_STATUS_COUNT, text);

    if (index >= 0)
        *ret_status = (enum step_status)index;
    return index >= 0;
}

const char *history_kind_name(enum history_kind kind)
{
    return kind < HISTORY_VERB ? history_names[kind] : verb_names[kind - HISTORY_VERB];
}

bool history_kind_parse(const char *text, enum history_kind *ret_kind)
{
    int index = name_index(history_names, HISTORY_VERB, text);

    if (index < 0) {
        index = name_index(verb_names, VERB_COUNT, text);
        index += index < 0 ? 0 : HISTORY_VERB;
    }
    if (index >= 0)
        *ret_kind = (enum history_kind)index;
    return index >= 0;
}

const char *saga_verb_name(enum saga_verb verb)
{
    return verb_names[verb];
}

bool saga_verb_parse(const char *text, size_t len, enum saga_verb *ret_verb)
{
    for (int i = 0; i < VERB_COUNT; i++) {
        if (strlen(verb_names[i]) == len && memcmp(verb_names[i], text, len) == 0) {
            *ret_verb = (enum saga_verb)i;
            return true;
        }
    }
    return false;
}

const char *disposition_name(enum disposition disposition)
{
    static const char *const names[] = {"applied", "duplicate", "late", "early", "refused"};

    return names[disposition];
}

struct saga *saga_new(void)
{
    return calloc(1, sizeof(struct saga));
}

void saga_free(struct saga *saga)
{
    if (saga == NULL)
        return;
    for (size_t i = 0; i < saga->steps_len; i++) {
        json_decref(saga->steps[i].items);
        json_decref(saga->steps[i].output);
        json_decref(saga->steps[i].dataref);
        json_decref(saga->steps[i].error);
        json_decref(saga->steps[i].input);
        json_decref(saga->steps[i].undo_input);
        json_decref(saga->steps[i].child);
        json_decref(saga->steps[i].undo);
    }
    for (size_t i = 0; i < saga->history_len; i++)
        json_decref(saga->history[i].note);
    json_decref(saga->input);
    json_decref(saga->dataref);
    json_decref(saga->output);
    json_decref(saga->error);
    json_decref(saga->signals);
    json_decref(saga->parent);
    json_decref(saga->queue);
    free(saga->parked);
    free(saga->traceparent);
    free(saga->tracestate);
    free(saga->reply_to.topic);
    free(saga->reply_to.correlation);
    free(saga->steps);
    free(saga->slots);
    free(saga->history);
    free(saga);
}

/* NULL stays NULL; false if memory ran out. */
static bool copy_text(const char *from, char **ret_to)
{
    *ret_to = from == NULL ? NULL : strdup(from);
    return from == NULL || *ret_to != NULL;
}

struct saga *saga_clone(const struct saga *saga)
{
    struct saga *copy = malloc(sizeof *copy);
    bool fine = true;

    if (copy == NULL)
        return NULL;
    *copy = *saga;
    json_incref(copy->input);
    json_incref(copy->dataref);
    json_incref(copy->output);
    json_incref(copy->error);
    json_incref(copy->signals);
    json_incref(copy->parent);
    json_incref(copy->queue);
    fine = copy_text(saga->parked, &copy->parked);
    fine = copy_text(saga->traceparent, &copy->traceparent) && fine;
    fine = copy_text(saga->tracestate, &copy->tracestate) && fine;
    fine = copy_text(saga->reply_to.topic, &copy->reply_to.topic) && fine;
    fine = copy_text(saga->reply_to.correlation, &copy->reply_to.correlation) && fine;
    copy->steps = saga->steps_cap == 0 ? NULL : malloc(saga->steps_cap * sizeof *copy->steps);
    copy->history = saga->history_cap == 0 ? NULL : malloc(saga->history_cap * sizeof *copy->history);
    copy->slots = saga->slots == NULL ? NULL : malloc(saga->slots_cap * sizeof *copy->slots);
    if (copy->slots != NULL)
        memcpy(copy->slots, saga->slots, saga->slots_cap * sizeof *copy->slots);
    fine = fine && (copy->slots != NULL || saga->slots == NULL) && (copy->steps != NULL || saga->steps_cap == 0) && (copy->history != NULL || saga->history_cap == 0);
    if (copy->steps == NULL)
        copy->steps_len = 0;
    for (size_t i = 0; i < copy->steps_len; i++) {
        copy->steps[i] = saga->steps[i];
        json_incref(copy->steps[i].items);
        json_incref(copy->steps[i].output);
        json_incref(copy->steps[i].dataref);
        json_incref(copy->steps[i].error);
        json_incref(copy->steps[i].input);
        json_incref(copy->steps[i].undo_input);
        json_incref(copy->steps[i].child);
        json_incref(copy->steps[i].undo);
    }
    if (copy->history == NULL)
        copy->history_len = 0;
    for (size_t i = 0; i < copy->history_len; i++) {
        copy->history[i] = saga->history[i];
        json_incref(copy->history[i].note);
    }
    if (!fine) {
        saga_free(copy);
        return NULL;
    }
    return copy;
}

/* jansson 2.14: about 100 bytes for each member of an object, 40 for a value. */
static size_t json_heap_bytes(const json_t *value)
{
    size_t bytes = 48;

    if (value == NULL)
        return 0;
    if (json_is_string(value))
        return bytes + json_string_length(value);
    if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++)
            bytes += 8 + json_heap_bytes(json_array_get(value, i));
    } else if (json_is_object(value)) {
        json_t *object = (json_t *)(uintptr_t)value;

        bytes += 200;
        for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at))
            bytes += 80 + strlen(json_object_iter_key(at)) + json_heap_bytes(json_object_iter_value(at));
    }
    return bytes;
}

size_t saga_heap_bytes(const struct saga *saga)
{
    size_t bytes = sizeof *saga + saga->steps_cap * sizeof *saga->steps + saga->slots_cap * sizeof *saga->slots + saga->history_cap * sizeof *saga->history +
                   json_heap_bytes(saga->input) + json_heap_bytes(saga->dataref) + json_heap_bytes(saga->output) + json_heap_bytes(saga->error) + json_heap_bytes(saga->signals) +
                   json_heap_bytes(saga->parent) + json_heap_bytes(saga->queue);

    for (size_t i = 0; i < saga->steps_len; i++)
        bytes += json_heap_bytes(saga->steps[i].items) + json_heap_bytes(saga->steps[i].output) + json_heap_bytes(saga->steps[i].dataref) + json_heap_bytes(saga->steps[i].error) + json_heap_bytes(saga->steps[i].input) +
                 json_heap_bytes(saga->steps[i].undo_input) + json_heap_bytes(saga->steps[i].child) + json_heap_bytes(saga->steps[i].undo);
    for (size_t i = 0; i < saga->history_len; i++)
        bytes += json_heap_bytes(saga->history[i].note);
    return bytes;
}

void effects_clear(struct effects *effects)
{
    for (size_t i = 0; i < effects->len; i++)
        json_decref(effects->items[i].input);
    effects->len = 0;
    effects->disposition = APPLIED;
    effects->answer = REPLY_UNSAID;
    effects->refusal[0] = '\0';
}

void effects_free(struct effects *effects)
{
    effects_clear(effects);
    free(effects->items);
    memset(effects, 0, sizeof *effects);
}

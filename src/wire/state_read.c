/*
 * state_read.c -- a state document back into a saga.
 *
 * Owns:     checking every member: the view may lie, and an operator may have edited it.
 * Never:    believes a document of another definition or another content of it.
 * Tests:    tests/wire/test_state.c
 */
#include "state.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Sticky: the first member that is wrong is named in the error, the rest is not looked at. */
struct reading {
    const json_t *object;
    const char *where; /* "" or the step's name */
    const char *wrong; /* NULL = none yet */
    bool nomem;
};

static const json_t *member(struct reading *reading, const char *name)
{
    return reading->wrong != NULL ? NULL : json_object_get(reading->object, name);
}

/* A whole number from 0; absent and null are 0. */
static int64_t read_number(struct reading *reading, const char *name, int64_t max)
{
    const json_t *value = member(reading, name);

    if (value == NULL || json_is_null(value))
        return 0;
    if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > max) {
        reading->wrong = name;
        return 0;
    }
    return json_integer_value(value);
}

static bool read_flag(struct reading *reading, const char *name)
{
    const json_t *value = member(reading, name);

    if (value != NULL && !json_is_boolean(value))
        reading->wrong = name;
    return json_is_true(value);
}

/* A new reference; absent and null are NULL. */
static json_t *read_value(struct reading *reading, const char *name)
{
    const json_t *value = member(reading, name);

    return json_is_null(value) ? NULL : json_incref((json_t *)value);
}

static char *read_text(struct reading *reading, const char *name)
{
    const json_t *value = member(reading, name);
    char *copy = NULL;

    if (value == NULL || json_is_null(value))
        return NULL;
    if (!json_is_string(value)) {
        reading->wrong = name;
        return NULL;
    }
    copy = strdup(json_string_value(value));
    if (copy == NULL)
        reading->nomem = true;
    return copy;
}

static void read_status(struct reading *reading, const char *name, enum saga_status *ret_status)
{
    const char *text = json_string_value(member(reading, name));

    if (reading->wrong == NULL && (text == NULL || !saga_status_parse(text, ret_status)))
        reading->wrong = name;
}

static enum fallback_kind read_fallback(struct reading *reading)
{
    const json_t *value = member(reading, "fallback");
    enum fallback_kind kind = FALLBACK_NONE;

    if (value != NULL && (!json_is_string(value) || !fallback_kind_parse(json_string_value(value), &kind)))
        reading->wrong = "fallback";
    return kind;
}

static json_t *read_dataref(struct reading *reading)
{
    json_t *value = read_value(reading, "dataref");

    if (value == NULL || json_is_string(value))
        return value;
    json_decref(value);
    reading->wrong = "dataref";
    return NULL;
}

static json_t *read_undo(struct reading *reading)
{
    json_t *undo = read_value(reading, "undo");

    if (undo != NULL && (!json_is_string(json_object_get(undo, "service")) || !json_is_string(json_object_get(undo, "command"))))
        reading->wrong = "undo";
    return undo;
}

static uint32_t read_lost(struct reading *reading)
{
    const json_t *branches = member(reading, "lost"), *branch = NULL;
    uint32_t lost = 0;
    size_t i = 0;

    if (branches == NULL || json_is_null(branches))
        return 0;
    if (!json_is_array(branches))
        reading->wrong = "lost";
    json_array_foreach(branches, i, branch) {
        if (!json_is_integer(branch) || json_integer_value(branch) < 1 || json_integer_value(branch) > DEFINITION_BRANCHES_MAX)
            reading->wrong = "lost";
        else
            lost |= UINT32_C(1) << (json_integer_value(branch) - 1);
    }
    return lost;
}

/* As many as are counted. */
static json_t *read_items(struct reading *reading, const struct saga_step *step)
{
    json_t *items = read_value(reading, "items");

    if (items != NULL && (!json_is_array(items) || json_array_size(items) != (size_t)step->count))
        reading->wrong = "items";
    return items;
}

static void read_step(struct reading *reading, struct saga_step *step)
{
    const char *status = json_string_value(member(reading, "status"));

    if (status == NULL || !step_status_parse(status, &step->status)) {
        reading->wrong = "status";
        return;
    }
    step->chosen = (int)read_number(reading, "case", DEFINITION_CASES_MAX + 1);
    step->count = (int)read_number(reading, "count", FOREACH_ITEMS_MAX);
    step->begun = (int)read_number(reading, "begun", step->count);
    step->finished = (int)read_number(reading, "finished", step->begun);
    step->items = read_items(reading, step);
    step->attempts = (int)read_number(reading, "attempts", INT_MAX);
    step->compensations = (int)read_number(reading, "compensations", INT_MAX);
    step->forgiven = (int)read_number(reading, "forgiven", INT_MAX);
    step->lost = read_lost(reading);
    step->parked = read_flag(reading, "parked");
    step->forever = read_flag(reading, "forever");
    step->polls = (int)read_number(reading, "polls", INT_MAX);
    step->poll_from = (int)read_number(reading, "pollFrom", INT_MAX);
    step->fallback = read_fallback(reading);
    step->refused = read_flag(reading, "refused");
    step->unanswered = read_flag(reading, "unanswered");
    step->done_order = (int)read_number(reading, "doneOrder", INT_MAX);
    step->first_at_ms = read_number(reading, "firstAt", INT64_MAX);
    step->sent_at_ms = read_number(reading, "sentAt", INT64_MAX);
    step->due_at_ms = read_number(reading, "dueAt", INT64_MAX);
    step->settled_at_ms = read_number(reading, "settledAt", INT64_MAX);
    step->cached_at_ms = read_number(reading, "cachedAt", INT64_MAX);
    step->child = read_value(reading, "child");
    if (step->child != NULL && !json_is_string(step->child))
        reading->wrong = "child";
    step->children_failed = (int)read_number(reading, "childrenFailed", INT_MAX);
    step->held_since_ms = read_number(reading, "heldSince", INT64_MAX);
    step->input = read_value(reading, "input");
    step->undo_input = read_value(reading, "undoInput");
    step->undo = read_undo(reading);
    step->output = read_value(reading, "output");
    step->dataref = read_dataref(reading);
    step->error = read_value(reading, "error");
}

static void read_steps(struct reading *reading, struct saga *saga)
{
    json_t *steps = (json_t *)member(reading, "steps");

    if (!json_is_object(steps)) {
        reading->wrong = "steps";
        return;
    }
    for (void *it = json_object_iter(steps); it != NULL && reading->wrong == NULL;
         it = json_object_iter_next(steps, it)) {
        const char *name = json_object_iter_key(it);
        struct reading entry = {.object = json_object_iter_value(it), .where = name};
        struct saga_step *step = NULL;
        struct saga_place place;

        if (!saga_place_parse(saga->definition, name, strlen(name), &place)) {
            reading->wrong = "steps";
            return;
        }
        step = saga_step_add(saga, place);
        if (step == NULL) {
            reading->nomem = true;
            return;
        }
        read_step(&entry, step);
        reading->where = entry.wrong != NULL ? name : reading->where;
        reading->wrong = entry.wrong;
    }
}

static bool read_history_entry(const json_t *value, const struct definition *definition, struct saga_history *entry)
{
    const json_t *after = json_array_get(value, 0);
    const char *kind = json_string_value(json_array_get(value, 1));
    const json_t *step = json_array_get(value, 2);
    const json_t *attempt = json_array_get(value, 3);

    const json_t *note = json_array_get(value, 4);

    if (json_array_size(value) < 4 || json_array_size(value) > 5 || (note != NULL && !json_is_object(note)) || !json_is_integer(after) || kind == NULL ||
        !history_kind_parse(kind, &entry->kind) || !json_is_integer(attempt) || json_integer_value(attempt) < 0 ||
        json_integer_value(attempt) > INT_MAX)
        return false;
    entry->after_ms = json_integer_value(after);
    entry->attempt = (int)json_integer_value(attempt);
    entry->place = SAGA_ITSELF;
    if (!json_is_null(step) && (!json_is_string(step) || !saga_place_parse(definition, json_string_value(step), json_string_length(step), &entry->place)))
        return false;
    entry->note = json_incref((json_t *)(uintptr_t)note);
    return true;
}

static void read_history(struct reading *reading, struct saga *saga)
{
    const json_t *history = member(reading, "history");
    size_t count = json_array_size(history);

    if (!json_is_array(history) || count > SAGA_HISTORY_MAX) {
        reading->wrong = "history";
        return;
    }
    saga->history = calloc(count == 0 ? 1 : count, sizeof *saga->history);
    if (saga->history == NULL) {
        reading->nomem = true;
        return;
    }
    saga->history_cap = count == 0 ? 1 : count;
    for (; saga->history_len < count; saga->history_len++) {
        if (!read_history_entry(json_array_get(history, saga->history_len), saga->definition,
                                &saga->history[saga->history_len])) {
            reading->wrong = "history";
            return;
        }
    }
}

static void read_parked(struct reading *reading, struct saga *saga)
{
    const json_t *parked = member(reading, "parked");
    struct reading inner = {.object = parked, .where = "parked"};

    if (parked == NULL || json_is_null(parked))
        return;
    saga->parked = read_text(&inner, "reason");
    saga->paused_at_ms = read_number(&inner, "pausedAt", INT64_MAX);
    read_status(&inner, "from", &saga->parked_from);
    if (inner.wrong != NULL || (saga->parked == NULL && !inner.nomem))
        reading->wrong = "parked";
    reading->nomem = reading->nomem || inner.nomem;
}

static void read_reply_to(struct reading *reading, struct saga *saga)
{
    const json_t *reply_to = member(reading, "replyTo");
    struct reading inner = {.object = reply_to, .where = "replyTo"};

    if (reply_to == NULL || json_is_null(reply_to))
        return;
    saga->reply_to.topic = read_text(&inner, "topic");
    saga->reply_to.correlation = read_text(&inner, "correlation");
    if (inner.wrong != NULL || (saga->reply_to.topic == NULL && !inner.nomem))
        reading->wrong = "replyTo";
    reading->nomem = reading->nomem || inner.nomem;
}

static void read_parent(struct reading *reading, struct saga *saga)
{
    saga->parent = read_value(reading, "parent");
    if (reading->wrong == NULL && saga->parent != NULL &&
        (!json_is_string(json_object_get(saga->parent, "saga")) || !json_is_string(json_object_get(saga->parent, "step")) ||
         !json_is_integer(json_object_get(saga->parent, "attempt")) || !json_is_integer(json_object_get(saga->parent, "depth"))))
        reading->wrong = "parent";
}

static void read_signals(struct reading *reading, struct saga *saga)
{
    const json_t *signal = NULL;
    size_t i = 0;

    saga->signals = read_value(reading, "signals");
    if (reading->wrong != NULL || saga->signals == NULL)
        return;
    if (json_array_size(saga->signals) == 0 || json_array_size(saga->signals) > SAGA_SIGNALS_MAX)
        reading->wrong = "signals";
    json_array_foreach(saga->signals, i, signal) {
        if (!json_is_string(json_object_get(signal, "name")) || !json_is_integer(json_object_get(signal, "at")))
            reading->wrong = "signals";
    }
}

/* Before there were branches a state did not say which step it is parked on: there was one that it could be. */
static void mark_parked(struct saga *saga)
{
    struct saga_step *last = saga->steps_len == 0 ? NULL : &saga->steps[saga->steps_len - 1];
    bool back = saga->parked_from != SAGA_RUNNING;

    if (saga->status != SAGA_PARKED || saga->paused_at_ms != 0 || last == NULL)
        return;
    for (size_t i = 0; i < saga->steps_len; i++) {
        enum step_status status = saga->steps[i].status;

        if (saga->steps[i].parked)
            return;
        if (back && (status == STEP_COMPENSATING || status == STEP_COMPENSATION_RETRYING || status == STEP_COMPENSATION_FAILED))
            last = &saga->steps[i];
    }
    last->parked = true;
}

static void read_queue(struct reading *reading, struct saga *saga)
{
    const json_t *row = NULL;
    size_t i = 0;

    saga->queue = read_value(reading, "queue");
    if (reading->wrong != NULL || saga->queue == NULL)
        return;
    if (!saga->definition->is_lock || json_array_size(saga->queue) == 0 || json_array_size(saga->queue) > LOCK_QUEUE_MAX)
        reading->wrong = "queue";
    json_array_foreach(saga->queue, i, row) {
        const json_t *id = json_object_get(row, "saga");

        if (!json_is_string(id) || !saga_id_valid(json_string_value(id), json_string_length(id)) || !json_is_integer(json_object_get(row, "at")))
            reading->wrong = "queue";
    }
}

static void read_all(struct reading *reading, struct saga *saga)
{
    const json_t *id = member(reading, "id");

    if (!json_is_string(id) || !saga_id_valid(json_string_value(id), json_string_length(id))) {
        reading->wrong = "id";
        return;
    }
    memcpy(saga->id, json_string_value(id), json_string_length(id) + 1);
    read_status(reading, "status", &saga->status);
    saga->seq = read_number(reading, "seq", INT64_MAX);
    if (reading->wrong == NULL && saga->seq < 1)
        reading->wrong = "seq";
    saga->started_at_ms = read_number(reading, "startedAt", INT64_MAX);
    saga->updated_at_ms = read_number(reading, "updatedAt", INT64_MAX);
    saga->ended_at_ms = read_number(reading, "endedAt", INT64_MAX);
    saga->deadline_at_ms = read_number(reading, "deadlineAt", INT64_MAX);
    saga->due_at_ms = read_number(reading, "dueAt", INT64_MAX);
    saga->input = read_value(reading, "input");
    if (reading->wrong == NULL && !json_is_object(saga->input))
        reading->wrong = "input";
    saga->dataref = read_dataref(reading);
    saga->output = read_value(reading, "output");
    saga->error = read_value(reading, "error");
    read_parked(reading, saga);
    saga->turned_back = read_flag(reading, "turnedBack");
    saga->traceparent = read_text(reading, "traceparent");
    saga->tracestate = read_text(reading, "tracestate");
    read_reply_to(reading, saga);
    read_parent(reading, saga);
    saga->duplicates = read_number(reading, "duplicates", INT64_MAX);
    saga->late = read_number(reading, "late", INT64_MAX);
    if (reading->wrong == NULL)
        read_steps(reading, saga);
    if (reading->wrong == NULL)
        read_history(reading, saga);
    saga->history_dropped = read_number(reading, "historyDropped", INT64_MAX);
    read_signals(reading, saga);
    read_queue(reading, saga);
    if (reading->wrong == NULL)
        mark_parked(saga);
}

bool wire_state_definition(const json_t *doc, const char **ret_name, int64_t *ret_version, const char **ret_hash)
{
    const char *name = json_string_value(json_object_get(doc, "definition"));
    const char *hash = json_string_value(json_object_get(doc, "hash"));
    int64_t version = json_integer_value(json_object_get(doc, "version"));

    if (name == NULL || hash == NULL || version < 1)
        return false;
    *ret_name = name;
    *ret_version = version;
    *ret_hash = hash;
    return true;
}

enum baton_err wire_state_read(const json_t *doc, const struct definition *definition, struct saga **ret_saga,
                               struct baton_error *err)
{
    struct reading reading = {.object = doc, .where = ""};
    const char *name, *hash;
    int64_t version;
    struct saga *saga;

    if (!wire_state_definition(doc, &name, &version, &hash))
        return baton_fail(err, BATON_E_INVALID, "not a state document: definition, version or hash is missing");
    if (strcmp(name, definition->name) != 0 || version != definition->version || strcmp(hash, definition->hash) != 0)
        return baton_fail(
            err, BATON_E_INVALID,
            "state of definition \"%.64s\" version %lld hash %.12s, not of \"%s\" version %lld hash %.12s", name,
            (long long)version, hash, definition->name, (long long)definition->version, definition->hash);
    saga = saga_new();
    if (saga == NULL)
        return baton_fail(err, BATON_E_NOMEM, "state: out of memory");
    saga->definition = definition;
    read_all(&reading, saga);
    if (reading.wrong == NULL && !reading.nomem) {
        *ret_saga = saga;
        return BATON_OK;
    }
    saga_free(saga);
    if (reading.wrong == NULL)
        return baton_fail(err, BATON_E_NOMEM, "state: out of memory");
    return baton_fail(err, BATON_E_INVALID, "not a state document: \"%s\"%s%s%s is wrong", reading.wrong,
                      reading.where[0] == '\0' ? "" : " of step \"", reading.where,
                      reading.where[0] == '\0' ? "" : "\"");
}

bool wire_state_summary(const json_t *doc, struct wire_summary *ret_summary)
{
    struct wire_summary summary = {
        .id = json_string_value(json_object_get(doc, "id")),
        .type = json_string_value(json_object_get(doc, "definition")),
        .version = json_integer_value(json_object_get(doc, "version")),
        .seq = json_integer_value(json_object_get(doc, "seq")),
        .due_ms = json_integer_value(json_object_get(doc, "dueAt")), /* null reads as 0: no timer */
        .updated_ms = json_integer_value(json_object_get(doc, "updatedAt")),
    };
    const char *status = json_string_value(json_object_get(doc, "status"));

    if (summary.id == NULL || summary.type == NULL || summary.seq < 1 || status == NULL ||
        !saga_status_parse(status, &summary.status))
        return false;
    *ret_summary = summary;
    return true;
}

/*
 * patch.c -- what one event changed of a state document, and putting it back on.
 *
 * Owns:     the patch's form: {"set":{...},"steps":{<name>:<whole entry>},"cut":n,"history":[...]}. In set, `output`,
 * `error`, `parked`, `parent`, `signals` and `queue` are there only if they changed (the last two null = no longer there); a small member that is left out is zero now (null, 0, false).
 * Never:    runs a rule: a journal can be applied by a reader that has no definition.
 * Tests:    tests/wire/test_patch.c: equal to the byte, over random sagas.
 */
#include "state.h"
#include "text.h"

/* How a member of set behaves when it is left out. */
enum member_kind {
    ALWAYS,    /* never left out */
    UNCHANGED, /* keeps its value */
    NONE,      /* null: a time */
    ZERO,      /* 0: a counter */
    FALSE,     /* false: a flag */
    OPTIONAL,  /* keeps its value; null takes the member away */
};

static const struct member {
    const char *name;
    enum member_kind kind;
} members[] = {
    {"status", ALWAYS},   {"seq", ALWAYS},       {"updatedAt", ALWAYS},    {"endedAt", NONE},     {"deadlineAt", NONE},
    {"dueAt", NONE},      {"output", UNCHANGED}, {"error", UNCHANGED},     {"parked", UNCHANGED}, {"turnedBack", FALSE},
    {"parent", UNCHANGED},
    {"duplicates", ZERO}, {"late", ZERO},        {"historyDropped", ZERO}, {"signals", OPTIONAL}, {"queue", OPTIONAL},
};
#define MEMBERS (sizeof members / sizeof members[0])

bool patch_output_is_body(const struct saga_step *step, const json_t *body)
{
    /* Without an error the output is the entry's last member, so that the reader can put it back in its place. */
    return body != NULL && step->changed && step->output == body && step->error == NULL;
}

static void put_time(struct buffer *out, const char *name, int64_t value)
{
    if (value == 0)
        return;
    buffer_text(out, name);
    buffer_int(out, value);
}

static void put_set(struct buffer *out, const struct saga *saga)
{
    text_put(out, "{\"set\":{\"status\":\"");
    buffer_text(out, saga_status_name(saga->status));
    text_put(out, "\",\"seq\":");
    buffer_int(out, saga->seq);
    text_put(out, ",\"updatedAt\":");
    buffer_int(out, saga->updated_at_ms);
    put_time(out, ",\"endedAt\":", saga->ended_at_ms);
    put_time(out, ",\"deadlineAt\":", saga->deadline_at_ms);
    put_time(out, ",\"dueAt\":", saga->due_at_ms);
    if (saga->output_changed) {
        text_put(out, ",\"output\":");
        json_write(out, saga->output);
    }
    if (saga->error_changed) {
        text_put(out, ",\"error\":");
        json_write(out, saga->error);
    }
    if (saga->parked_changed) {
        text_put(out, ",\"parked\":");
        state_parked_write(out, saga);
    }
    if (saga->parent_changed) {
        text_put(out, ",\"parent\":");
        json_write(out, saga->parent);
    }
    if (saga->signals_changed) {
        text_put(out, ",\"signals\":");
        json_write(out, saga->signals);
    }
    if (saga->queue_changed) {
        text_put(out, ",\"queue\":");
        json_write(out, saga->queue);
    }
    if (saga->turned_back)
        text_put(out, ",\"turnedBack\":true");
    put_time(out, ",\"duplicates\":", saga->duplicates);
    put_time(out, ",\"late\":", saga->late);
    put_time(out, ",\"historyDropped\":", saga->history_dropped);
    buffer_char(out, '}');
}

static void put_steps(struct buffer *out, const struct saga *saga, const json_t *body)
{
    bool first = true;

    for (size_t i = 0; i < saga->steps_len; i++) {
        const struct saga_step *step = &saga->steps[i];

        if (!step->changed)
            continue;
        if (first)
            text_put(out, ",\"steps\":{");
        else
            buffer_char(out, ',');
        first = false;
        state_place_write(out, saga->definition, saga_place_of(step));
        buffer_char(out, ':');
        state_step_write(out, step, patch_output_is_body(step, body));
    }
    if (!first)
        buffer_char(out, '}');
}

void patch_write(struct buffer *out, const struct saga *saga, const json_t *body)
{
    size_t fresh = saga->history_new < saga->history_len ? saga->history_new : saga->history_len;

    put_set(out, saga);
    put_steps(out, saga, body);
    if (saga->history_cut > 0) {
        text_put(out, ",\"cut\":");
        buffer_int(out, (int64_t)saga->history_cut);
    }
    if (fresh > 0) {
        text_put(out, ",\"history\":[");
        state_history_write(out, saga, saga->history_len - fresh);
        buffer_char(out, ']');
    }
    buffer_char(out, '}');
}

void wire_patch_write(struct buffer *out, const struct saga *saga)
{
    patch_write(out, saga, NULL);
}

static bool value_fits(const struct member *member, const json_t *value)
{
    switch (member->kind) {
    case UNCHANGED: return true;
    case OPTIONAL: return value == NULL || json_is_null(value) || json_is_array(value);
    case FALSE: return value == NULL || json_is_boolean(value);
    case NONE:
    case ZERO: return value == NULL || json_is_integer(value);
    case ALWAYS: break;
    }
    return strcmp(member->name, "status") == 0 ? json_is_string(value) : json_is_integer(value);
}

/* Is every member one that we know, and of the right kind? Looked at before anything is changed. */
static const char *check_set(json_t *set)
{
    size_t known = 0;

    if (!json_is_object(set))
        return "set";
    for (size_t i = 0; i < MEMBERS; i++) {
        const json_t *value = json_object_get(set, members[i].name);

        if (!value_fits(&members[i], value))
            return members[i].name;
        known += value != NULL ? 1 : 0;
    }
    return known == json_object_size(set) ? NULL : "set";
}

static bool all_objects(json_t *steps)
{
    for (void *it = json_object_iter(steps); it != NULL; it = json_object_iter_next(steps, it)) {
        if (!json_is_object(json_object_iter_value(it)))
            return false;
    }
    return true;
}

static const char *check_patch(const json_t *doc, const json_t *patch)
{
    json_t *steps = json_object_get(patch, "steps");
    const json_t *history = json_object_get(patch, "history");
    const json_t *cut = json_object_get(patch, "cut");
    size_t known = 1 + (steps != NULL ? 1U : 0U) + (history != NULL ? 1U : 0U) + (cut != NULL ? 1U : 0U);

    if (!json_is_object(json_object_get(doc, "steps")) || !json_is_array(json_object_get(doc, "history")))
        return "the document";
    if (json_object_size(patch) != known)
        return "patch";
    if (steps != NULL && (!json_is_object(steps) || !all_objects(steps)))
        return "steps";
    if (history != NULL && !json_is_array(history))
        return "history";
    if (cut != NULL && (!json_is_integer(cut) || json_integer_value(cut) < 0))
        return "cut";
    return check_set(json_object_get(patch, "set"));
}

/* A new reference to what a member is now; NULL = keep what is there, or memory ran out. */
static json_t *member_value(const struct member *member, json_t *value)
{
    if (value != NULL)
        return json_incref(value);
    switch (member->kind) {
    case NONE: return json_null();
    case ZERO: return json_integer(0);
    case FALSE: return json_false();
    case ALWAYS:
    case UNCHANGED:
    case OPTIONAL: break;
    }
    return NULL;
}

static bool apply_set(json_t *doc, const json_t *set)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        json_t *value = json_object_get(set, members[i].name);

        if (value == NULL && (members[i].kind == UNCHANGED || members[i].kind == OPTIONAL))
            continue;
        if (members[i].kind == OPTIONAL && json_is_null(value)) {
            (void)json_object_del(doc, members[i].name);
            continue;
        }
        if (json_object_set_new(doc, members[i].name, member_value(&members[i], value)) != 0)
            return false;
    }
    return true;
}

static bool apply_history(json_t *history, const json_t *patch)
{
    size_t had = json_array_size(history);
    json_int_t cut = json_integer_value(json_object_get(patch, "cut"));
    json_t *fresh = json_object_get(patch, "history");

    /* One event may add more than is kept: then all of the old ones go. */
    if ((uint64_t)cut >= had && cut > 0) {
        (void)json_array_clear(history);
    } else {
        for (; cut > 0; cut--)
            (void)json_array_remove(history, 0);
    }
    return fresh == NULL || json_array_extend(history, fresh) == 0;
}

enum baton_err wire_patch_apply(json_t *doc, const json_t *patch, struct baton_error *err)
{
    const char *wrong = check_patch(doc, patch);
    json_t *steps;

    if (wrong != NULL)
        return baton_fail(err, BATON_E_INVALID, "not a patch of a state document: \"%s\" is wrong", wrong);
    steps = json_object_get(patch, "steps");
    if (!apply_set(doc, json_object_get(patch, "set")) ||
        (steps != NULL && json_object_update(json_object_get(doc, "steps"), steps) != 0) ||
        !apply_history(json_object_get(doc, "history"), patch))
        return baton_fail(err, BATON_E_NOMEM, "patch: out of memory");
    return BATON_OK;
}

/*
 * definition_step.c -- the members of one step, whatever group it stands in.
 *
 * Owns:     what each kind of step may say of itself. Which steps there are, and where: definition_tree.c.
 * Tests:    tests/core/test_definition.c
 */
#include "definition_parts.h"
#include <stdlib.h>
#include <string.h>

bool step_name_valid(const char *text)
{
    size_t len = strlen(text);

    if (len < 1 || len > DEFINITION_STEP_NAME_MAX || strchr("0123456789_-", text[0]) != NULL)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
            return false;
    }
    return true;
}

static char *service_of(struct checking *checking, const json_t *doc, bool required)
{
    const char *text = read_text(checking, doc, "service", required);

    if (text == NULL)
        return NULL;
    if (!service_name_valid(text, strlen(text))) {
        WRONG(checking, "service", "1 to 200 of letters, digits, '.', '_' and '-' expected: it names the topic <service>.commands");
        return NULL;
    }
    return read_copy(checking, text);
}

static char *command_of(struct checking *checking, const json_t *doc)
{
    const char *text = read_text(checking, doc, "command", true);

    if (text == NULL)
        return NULL;
    if (text[0] == '\0' || strlen(text) > 200) {
        WRONG(checking, "command", "1 to 200 characters expected");
        return NULL;
    }
    for (const char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20) {
            WRONG(checking, "command", "control characters cannot stand in a header");
            return NULL;
        }
    }
    return read_copy(checking, text);
}

/* A schema alone maps nothing: the body tells the outcome as it does without a `reply`. */
static void reply_of(struct checking *checking, const json_t *parent, struct definition_step *step)
{
    static const char *const names[] = {"success", "retry", "code", "output", "schema", NULL};
    const json_t *doc = json_object_get(parent, "reply");
    bool maps = json_object_size(doc) > (json_object_get(doc, "schema") != NULL ? 1 : 0);
    struct reply_mapping *mapping = NULL;
    size_t len = 0;

    if (doc == NULL)
        return;
    len = read_enter(checking, "reply");
    if (read_members(checking, doc, names)) {
        step->reply_schema = read_payload_schema(checking, doc);
        mapping = step->reply = maps ? calloc(1, sizeof *mapping) : NULL;
        checking->no_memory = checking->no_memory || (maps && mapping == NULL);
    }
    if (mapping != NULL) {
        mapping->success = read_expr(checking, doc, "success");
        mapping->retry = read_expr(checking, doc, "retry");
        mapping->code = read_expr(checking, doc, "code");
        mapping->output = read_expr(checking, doc, "output");
    }
    read_leave(checking, len);
}

static void repeat_of(struct checking *checking, const json_t *parent, struct definition_step *step)
{
    static const char *const names[] = {"until", "interval", "limit", NULL};
    const json_t *doc = json_object_get(parent, "repeat"), *limit = json_object_get(doc, "limit");
    size_t len = 0;

    if (doc == NULL)
        return;
    step->repeat = calloc(1, sizeof *step->repeat);
    if (step->repeat == NULL) {
        checking->no_memory = true;
        return;
    }
    len = read_enter(checking, "repeat");
    if (read_members(checking, doc, names)) {
        for (size_t i = 0; names[i] != NULL; i++) {
            if (json_object_get(doc, names[i]) == NULL)
                finding_add(checking, FINDING_ERROR, "\"%s\" is missing", names[i]);
        }
        step->repeat->until = read_expr(checking, doc, "until");
        step->repeat->interval_ms = 1; /* what is missing or wrong is not said to be zero as well */
        read_duration(checking, doc, "interval", &step->repeat->interval_ms);
        if (step->repeat->interval_ms == 0)
            WRONG(checking, "interval", "a duration above zero expected");
        if (limit != NULL && (!json_is_integer(limit) || json_integer_value(limit) < 1 || json_integer_value(limit) > REPEAT_LIMIT_MAX))
            WRONG(checking, "limit", "1 to %d polls expected", REPEAT_LIMIT_MAX);
        else
            step->repeat->limit = (int)json_integer_value(limit);
    }
    read_leave(checking, len);
}

static struct definition_compensation *compensation_new(struct checking *checking, const struct defaults *defaults)
{
    struct definition_compensation *compensation = calloc(1, sizeof *compensation);

    if (compensation == NULL) {
        checking->no_memory = true;
        return NULL;
    }
    compensation->timeout_ms = defaults->undo_timeout_ms;
    compensation->retry = retry_inherit(checking, &defaults->undo_retry);
    return compensation;
}

/* What a compensation and both parts of a tcc have alike: what is sent, how long it is waited for, how often it is asked. */
static void read_sent(struct checking *checking, const json_t *doc, struct definition_compensation *sent)
{
    sent->command = command_of(checking, doc);
    sent->input = read_template(checking, doc, "input");
    read_retry(checking, doc, &sent->retry);
    read_duration(checking, doc, "timeout", &sent->timeout_ms);
}

static struct definition_compensation *compensation_of(struct checking *checking, const json_t *parent, const char *step_service,
                                                       const struct defaults *defaults)
{
    static const char *const names[] = {"service", "command", "input", "retry", "timeout", NULL};
    const json_t *doc = json_object_get(parent, "compensation");
    struct definition_compensation *compensation = NULL;
    size_t len = 0;

    if (doc == NULL)
        return NULL;
    compensation = compensation_new(checking, defaults);
    if (compensation == NULL)
        return NULL;
    len = read_enter(checking, "compensation");
    if (read_members(checking, doc, names)) {
        compensation->service = service_of(checking, doc, false);
        if (compensation->service == NULL && step_service != NULL)
            compensation->service = read_copy(checking, step_service);
        read_sent(checking, doc, compensation);
    }
    read_leave(checking, len);
    return compensation;
}

void read_command_step(struct checking *checking, const json_t *doc, const struct defaults *defaults, struct definition_step *step)
{
    json_t *pivot = NULL;

    step->service = service_of(checking, doc, true);
    step->command = command_of(checking, doc);
    step->input = read_template(checking, doc, "input");
    step->output = read_template(checking, doc, "output");
    read_duration(checking, doc, "timeout", &step->timeout_ms);
    read_retry(checking, doc, &step->retry);
    step->compensation = compensation_of(checking, doc, step->service, defaults);
    if (step->compensation == NULL)
        step->unsaid = compensation_new(checking, defaults);
    reply_of(checking, doc, step);
    repeat_of(checking, doc, step);
    pivot = json_object_get(doc, "pivot");
    if (pivot != NULL && !json_is_boolean(pivot))
        WRONG(checking, "pivot", "true or false expected");
    step->pivot = json_is_true(pivot);
}

/* The member `confirm` or `cancel` of a tcc: like a compensation, at the service of the step. */
static struct definition_compensation *tcc_part_of(struct checking *checking, const json_t *tcc, const char *key, const char *service,
                                                   const struct defaults *defaults)
{
    static const char *const names[] = {"command", "input", "retry", "timeout", NULL};
    const json_t *doc = json_object_get(tcc, key);
    struct definition_compensation *part = compensation_new(checking, defaults);
    size_t len = 0;

    if (part == NULL)
        return NULL;
    if (doc == NULL) {
        finding_add(checking, FINDING_ERROR, "\"%s\" is missing", key);
        return part;
    }
    len = read_enter(checking, key);
    if (read_members(checking, doc, names)) {
        part->service = service == NULL ? NULL : read_copy(checking, service);
        read_sent(checking, doc, part);
    }
    read_leave(checking, len);
    return part;
}

void read_tcc_step(struct checking *checking, const json_t *doc, const struct defaults *defaults, struct definition_step *step)
{
    static const char *const names[] = {"try", "confirm", "cancel", "expires", NULL}, *const try_names[] = {"command", NULL};
    const json_t *tcc = json_object_get(doc, "tcc"), *try = json_object_get(tcc, "try");
    size_t len = 0, inner = 0;

    step->tcc = true;
    step->service = service_of(checking, doc, true);
    step->input = read_template(checking, doc, "input");
    step->output = read_template(checking, doc, "output");
    read_duration(checking, doc, "timeout", &step->timeout_ms);
    read_retry(checking, doc, &step->retry);
    reply_of(checking, doc, step);
    if (step->each >= 0)
        WRONG(checking, "tcc", "a forEach cannot be tried and confirmed: start a child saga for each item");
    len = read_enter(checking, "tcc");
    if (read_members(checking, tcc, names)) {
        if (try == NULL)
            finding_add(checking, FINDING_ERROR, "\"try\" is missing");
        inner = read_enter(checking, "try");
        if (try != NULL && read_members(checking, try, try_names))
            step->command = command_of(checking, try);
        read_leave(checking, inner);
        step->confirm = tcc_part_of(checking, tcc, "confirm", step->service, defaults);
        step->compensation = tcc_part_of(checking, tcc, "cancel", step->service, defaults);
        read_duration(checking, tcc, "expires", &step->expires_ms);
    }
    read_leave(checking, len);
}

/* Not awaited, a child has nothing to wait for, to answer or to be undone. */
static void detached_of(struct checking *checking, const json_t *doc, const json_t *saga, struct definition_step *step)
{
    static const char *const useless[] = {"output", "timeout", "retry", "pivot"};
    const json_t *detached = json_object_get(saga, "detached");

    if (detached != NULL && !json_is_boolean(detached))
        finding_at(checking, FINDING_ERROR, "detached", false, 0, "true or false expected");
    step->detached = json_is_true(detached);
    for (size_t i = 0; step->detached && i < sizeof useless / sizeof *useless; i++) {
        if (json_object_get(doc, useless[i]) != NULL)
            finding_add(checking, FINDING_ERROR, "a detached child is not awaited: \"%s\" of its step has no meaning", useless[i]);
    }
}

/* A child has its own timeout and its own attempts: its step waits for ever, and once, unless it says otherwise. */
void read_saga_step(struct checking *checking, const json_t *doc, const struct defaults *defaults, struct definition_step *step)
{
    static const char *const names[] = {"name", "version", "input", "detached", NULL};
    const json_t *saga = json_object_get(doc, "saga"), *version = json_object_get(saga, "version"), *pivot = json_object_get(doc, "pivot");
    size_t len = read_enter(checking, "saga");
    const char *name = NULL;

    if (read_members(checking, saga, names)) {
        name = read_text(checking, saga, "name", true);
        if (name != NULL && !definition_name_valid(name, strlen(name)))
            WRONG(checking, "name", "the name of a definition expected: 1 to %d of a-z, 0-9 and '-', not '-' first", DEFINITION_NAME_MAX);
        else if (name != NULL)
            step->child = read_copy(checking, name);
        if (version != NULL && (!json_is_integer(version) || json_integer_value(version) < 1 || json_integer_value(version) > INT32_MAX))
            WRONG(checking, "version", "a whole number from 1 expected, or none for the newest");
        else
            step->child_version = json_integer_value(version);
        step->input = read_template(checking, saga, "input");
        detached_of(checking, doc, saga, step);
    }
    read_leave(checking, len);
    step->output = read_template(checking, doc, "output");
    step->timeout_ms = 0;
    read_duration(checking, doc, "timeout", &step->timeout_ms);
    step->retry.attempts = 1;
    read_retry(checking, doc, &step->retry);
    if (pivot != NULL && !json_is_boolean(pivot))
        WRONG(checking, "pivot", "true or false expected");
    step->pivot = json_is_true(pivot);
    if (step->detached)
        return;
    step->compensation = calloc(1, sizeof *step->compensation);
    if (step->compensation == NULL)
        checking->no_memory = true;
    else
        step->compensation->retry = retry_inherit(checking, &defaults->undo_retry);
}

/* --- what sends nothing --- */

void read_sleep(struct checking *checking, const json_t *doc, struct definition_step *step)
{
    static const char *const names[] = {"until", NULL};
    const json_t *sleep = json_object_get(doc, "sleep");
    size_t len = 0;

    if (!json_is_object(sleep)) {
        read_duration(checking, doc, "sleep", &step->timeout_ms);
        return;
    }
    len = read_enter(checking, "sleep");
    if (read_members(checking, sleep, names) && json_object_get(sleep, "until") == NULL)
        finding_add(checking, FINDING_ERROR, "\"until\" is missing");
    step->until = read_expr(checking, sleep, "until");
    read_leave(checking, len);
}

static void on_timeout_of(struct checking *checking, const json_t *doc, struct definition_step *step)
{
    static const char *const names[] = {"goto", NULL};
    const json_t *then = json_object_get(doc, "onTimeout");
    const char *word = json_string_value(then), *name = NULL;
    size_t len = 0;

    if (then == NULL)
        return;
    if (json_is_object(then)) {
        len = read_enter(checking, "onTimeout");
        if (read_members(checking, then, names))
            name = read_text(checking, then, "goto", true);
        if (name != NULL && !step_name_valid(name))
            WRONG(checking, "goto", "the name of a later sequence expected");
        else if (name != NULL)
            step->goto_name = read_copy(checking, name);
        step->on_timeout = ON_TIMEOUT_GOTO;
        read_leave(checking, len);
    } else if (word != NULL && strcmp(word, "continue") == 0) {
        step->on_timeout = ON_TIMEOUT_CONTINUE;
    } else if (word == NULL || strcmp(word, "fail") != 0) {
        WRONG(checking, "onTimeout", "\"fail\", \"continue\" or {\"goto\": \"<a later sequence>\"} expected");
    }
}

void read_wait(struct checking *checking, const json_t *doc, struct definition_step *step)
{
    static const char *const names[] = {"signal", "timeout", "onTimeout", NULL};
    const json_t *wait = json_object_get(doc, "wait");
    const char *signal = NULL, *timeout = json_string_value(json_object_get(wait, "timeout"));
    size_t len = read_enter(checking, "wait");

    if (read_members(checking, wait, names)) {
        signal = read_text(checking, wait, "signal", true);
        if (signal != NULL && !step_name_valid(signal))
            WRONG(checking, "signal", "a letter and then up to %d letters, digits, '_' or '-' expected", DEFINITION_STEP_NAME_MAX - 1);
        else if (signal != NULL)
            step->signal = read_copy(checking, signal);
        if (json_object_get(wait, "timeout") == NULL)
            finding_add(checking, FINDING_ERROR, "\"timeout\" is missing: how long, or \"never\"");
        if (timeout != NULL && strcmp(timeout, "never") == 0)
            step->timeout_ms = 0;
        else
            read_duration(checking, wait, "timeout", &step->timeout_ms);
        on_timeout_of(checking, wait, step);
    }
    read_leave(checking, len);
}

bool read_each(struct checking *checking, const json_t *each, struct definition_step *step)
{
    static const char *const names[] = {"items", "maxConcurrency", "steps", NULL};
    const json_t *most = json_object_get(each, "maxConcurrency");

    if (!read_members(checking, each, names))
        return false;
    if (json_object_get(each, "items") == NULL)
        finding_add(checking, FINDING_ERROR, "\"items\" is missing: an array, such as \"${input.items}\"");
    step->items = read_expr(checking, each, "items");
    step->concurrency = FOREACH_CONCURRENCY;
    if (most != NULL && (!json_is_integer(most) || json_integer_value(most) < 1 || json_integer_value(most) > FOREACH_CONCURRENCY_MAX))
        WRONG(checking, "maxConcurrency", "1 to %d iterations at a time expected", FOREACH_CONCURRENCY_MAX);
    else if (most != NULL)
        step->concurrency = (int)json_integer_value(most);
    return true;
}

void read_join(struct checking *checking, const json_t *doc, struct definition_step *step)
{
    static const char *const names[] = {"quorum", NULL};
    const json_t *join = json_object_get(doc, "join"), *quorum = json_object_get(join, "quorum");
    const char *word = json_string_value(join);
    size_t len = 0;

    step->quorum = step->branches;
    if (join == NULL || (word != NULL && strcmp(word, "all") == 0))
        return;
    if (word != NULL && strcmp(word, "any") == 0) {
        step->quorum = 1;
    } else if (!json_is_object(join)) {
        WRONG(checking, "join", "\"all\", \"any\" or {\"quorum\": <number of branches>} expected");
    } else {
        len = read_enter(checking, "join");
        if (read_members(checking, join, names) && quorum == NULL)
            finding_add(checking, FINDING_ERROR, "\"quorum\" is missing");
        if (quorum != NULL && (!json_is_integer(quorum) || json_integer_value(quorum) < 1 || json_integer_value(quorum) > DEFINITION_BRANCHES_MAX))
            WRONG(checking, "quorum", "a number of branches expected, 1 to %d", DEFINITION_BRANCHES_MAX);
        else if (json_integer_value(quorum) > step->branches)
            WRONG(checking, "quorum", "more branches than there are: %d", step->branches);
        else
            step->quorum = (int)json_integer_value(quorum);
        read_leave(checking, len);
    }
}

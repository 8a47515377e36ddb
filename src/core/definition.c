/*
 * definition.c -- a definition document into a compiled definition.
 *
 * Owns:     the parts of a definition, which members each has, the defaults. How a member is read: definition_read.c.
 * Tests:    tests/core/test_definition.c
 */
#include "definition_check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_DEFAULT_MS 30000
#define TEXT_MAX 1000

static const struct retry_policy retry_default = {.attempts = 3, .interval_ms = 500, .backoff = 2.0, .max_interval_ms = 30000, .jitter = 0.2};
static const struct retry_policy undo_default = {.attempts = 10, .interval_ms = 500, .backoff = 2.0, .max_interval_ms = 30000, .jitter = 0.2};

/* --- retry --- */

static void free_texts(char **codes)
{
    for (size_t i = 0; codes != NULL && codes[i] != NULL; i++)
        free(codes[i]);
    free(codes);
}

static char **copy_codes(struct checking *checking, char *const *codes)
{
    size_t n = 0;
    char **copied = NULL;

    if (codes == NULL)
        return NULL;
    while (codes[n] != NULL)
        n++;
    copied = calloc(n + 1, sizeof *copied);
    checking->no_memory = checking->no_memory || copied == NULL;
    for (size_t i = 0; copied != NULL && i < n; i++)
        copied[i] = read_copy(checking, codes[i]);
    return copied;
}

static void codes_of(struct checking *checking, const json_t *doc, const char *key, char ***codes)
{
    json_t *value = json_object_get(doc, key);
    size_t n = json_array_size(value);

    if (value == NULL)
        return;
    free_texts(*codes);
    *codes = calloc(n + 1, sizeof **codes);
    checking->no_memory = checking->no_memory || *codes == NULL;
    if (!json_is_array(value) || n == 0)
        WRONG(checking, key, "a list of error codes expected, at least one");
    for (size_t i = 0, used = 0; *codes != NULL && i < n; i++) {
        const char *code = json_string_value(json_array_get(value, i));

        if (code == NULL || code[0] == '\0')
            WRONG(checking, key, "a list of error codes expected: item %zu is not a text", i);
        else
            (*codes)[used++] = read_copy(checking, code);
    }
}

static void attempts_of(struct checking *checking, const json_t *doc, int *ret_attempts)
{
    json_t *value = json_object_get(doc, "attempts");

    if (value == NULL)
        return;
    if (json_is_string(value) && strcmp(json_string_value(value), "unlimited") == 0)
        *ret_attempts = RETRY_UNLIMITED;
    else if (json_is_integer(value) && json_integer_value(value) >= 1 && json_integer_value(value) <= RETRY_ATTEMPTS_MAX)
        *ret_attempts = (int)json_integer_value(value);
    else
        WRONG(checking, "attempts", "1 to %d or \"unlimited\" expected", RETRY_ATTEMPTS_MAX);
}

/* Over policy, which holds the defaults and owns its lists. */
static void retry_of(struct checking *checking, const json_t *parent, struct retry_policy *policy)
{
    static const char *const names[] = {"attempts", "interval", "backoff", "maxInterval", "maxDuration", "jitter", "on", "notOn", NULL};
    const json_t *doc = json_object_get(parent, "retry");
    size_t len = 0;

    if (doc == NULL)
        return;
    len = read_enter(checking, "retry");
    if (read_members(checking, doc, names)) {
        attempts_of(checking, doc, &policy->attempts);
        read_duration(checking, doc, "interval", &policy->interval_ms);
        read_number(checking, doc, "backoff", 1, 100, &policy->backoff);
        read_duration(checking, doc, "maxInterval", &policy->max_interval_ms);
        read_duration(checking, doc, "maxDuration", &policy->max_duration_ms);
        read_number(checking, doc, "jitter", 0, 1, &policy->jitter);
        codes_of(checking, doc, "on", &policy->on);
        codes_of(checking, doc, "notOn", &policy->not_on);
        if (policy->max_interval_ms < policy->interval_ms) {
            if (json_object_get(doc, "maxInterval") != NULL)
                WRONG(checking, "maxInterval", "below \"interval\"");
            policy->max_interval_ms = policy->interval_ms;
        }
    }
    read_leave(checking, len);
}

static struct retry_policy inherit(struct checking *checking, const struct retry_policy *from)
{
    struct retry_policy policy = *from;

    policy.on = copy_codes(checking, from->on);
    policy.not_on = copy_codes(checking, from->not_on);
    return policy;
}

static void free_retry(struct retry_policy *policy)
{
    free_texts(policy->on);
    free_texts(policy->not_on);
}

struct defaults {
    int64_t timeout_ms, undo_timeout_ms;
    struct retry_policy retry, undo_retry;
};

static void defaults_of(struct checking *checking, const json_t *doc, struct defaults *defaults)
{
    static const char *const names[] = {"timeout", "retry", "compensation", NULL};
    static const char *const undo_names[] = {"timeout", "retry", NULL};
    const json_t *inner = json_object_get(doc, "defaults"), *undo = NULL;
    size_t len = 0;

    *defaults = (struct defaults){TIMEOUT_DEFAULT_MS, TIMEOUT_DEFAULT_MS, retry_default, undo_default};
    if (inner == NULL)
        return;
    len = read_enter(checking, "defaults");
    if (read_members(checking, inner, names)) {
        read_duration(checking, inner, "timeout", &defaults->timeout_ms);
        retry_of(checking, inner, &defaults->retry);
        defaults->undo_timeout_ms = defaults->timeout_ms;
        /* A compensation waits as long, but is tried more often: giving up leaves the effect in place. */
        defaults->undo_retry.interval_ms = defaults->retry.interval_ms;
        defaults->undo_retry.backoff = defaults->retry.backoff;
        defaults->undo_retry.max_interval_ms = defaults->retry.max_interval_ms;
        defaults->undo_retry.jitter = defaults->retry.jitter;
        undo = json_object_get(inner, "compensation");
        if (undo != NULL) {
            size_t inner_len = read_enter(checking, "compensation");

            if (read_members(checking, undo, undo_names)) {
                read_duration(checking, undo, "timeout", &defaults->undo_timeout_ms);
                retry_of(checking, undo, &defaults->undo_retry);
            }
            read_leave(checking, inner_len);
        }
    }
    read_leave(checking, len);
}

/* --- steps --- */

static bool step_name_valid(const char *text)
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
    compensation->retry = inherit(checking, &defaults->undo_retry);
    return compensation;
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
        compensation->command = command_of(checking, doc);
        compensation->input = read_template(checking, doc, "input");
        retry_of(checking, doc, &compensation->retry);
        read_duration(checking, doc, "timeout", &compensation->timeout_ms);
    }
    read_leave(checking, len);
    return compensation;
}

static void command_step_of(struct checking *checking, const json_t *doc, const struct defaults *defaults, struct definition_step *step)
{
    json_t *pivot = NULL;

    step->service = service_of(checking, doc, true);
    step->command = command_of(checking, doc);
    step->input = read_template(checking, doc, "input");
    step->output = read_template(checking, doc, "output");
    read_duration(checking, doc, "timeout", &step->timeout_ms);
    retry_of(checking, doc, &step->retry);
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
static void saga_step_of(struct checking *checking, const json_t *doc, const struct defaults *defaults, struct definition_step *step)
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
    retry_of(checking, doc, &step->retry);
    if (pivot != NULL && !json_is_boolean(pivot))
        WRONG(checking, "pivot", "true or false expected");
    step->pivot = json_is_true(pivot);
    if (step->detached)
        return;
    step->compensation = calloc(1, sizeof *step->compensation);
    if (step->compensation == NULL)
        checking->no_memory = true;
    else
        step->compensation->retry = inherit(checking, &defaults->undo_retry);
}

/* --- the tree --- */

/* What a step is, is said by one of these members; none of them: a command. */
static const struct kind {
    const char *member;
    enum step_kind kind;
    const char *const *names;
} kinds[] = {
    {"sequence", STEP_SEQUENCE, (const char *const[]){"name", "description", "when", "sequence", NULL}},
    {"parallel", STEP_PARALLEL, (const char *const[]){"name", "description", "when", "parallel", "join", NULL}},
    {"switch", STEP_SWITCH, (const char *const[]){"name", "description", "when", "switch", "default", NULL}},
    {"sleep", STEP_SLEEP, (const char *const[]){"name", "description", "when", "sleep", NULL}},
    {"wait", STEP_WAIT, (const char *const[]){"name", "description", "when", "wait", "sensitive", NULL}},
    {"saga", STEP_SAGA, (const char *const[]){"name", "description", "when", "saga", "output", "timeout", "retry", "pivot", "sensitive", NULL}},
    {NULL, STEP_COMMAND,
     (const char *const[]){"name", "description", "service", "command", "input", "output", "when", "timeout", "retry", "compensation",
                           "pivot", "reply", "fallback", "repeat", "sensitive", NULL}},
};

static const struct kind *kind_of(const json_t *doc)
{
    const struct kind *kind = kinds;

    while (kind->member != NULL && json_object_get(doc, kind->member) == NULL)
        kind++;
    return kind;
}

/* Where the steps of a list stand in the tree. */
struct branch {
    int parent, branch;
    int depth; /* groups around it */
};

/* A definition under construction: the array grows, so steps are known by their index. */
struct growing {
    struct checking *checking;
    const struct defaults *defaults;
    struct definition *definition;
    size_t cap;
    int parallels; /* so far */
    bool full; /* more steps than a definition may have: said once */
};

static void list_of(struct growing *growing, const json_t *doc, const char *key, struct branch at);
static void steps_in(struct growing *growing, const json_t *steps, struct branch at);

/* Room for one more, or -1. */
static int add_step(struct growing *growing, struct branch at, size_t position)
{
    struct definition *definition = growing->definition;

    if (definition->steps_len == DEFINITION_STEPS_MAX) {
        if (!growing->full)
            finding_add(growing->checking, FINDING_ERROR, "at most %d steps expected in all", DEFINITION_STEPS_MAX);
        growing->full = true;
        return -1;
    }
    if (definition->steps_len == growing->cap) {
        size_t cap = growing->cap == 0 ? 8 : growing->cap * 2;
        struct definition_step *steps = realloc(definition->steps, cap * sizeof *steps);

        if (steps == NULL) {
            growing->checking->no_memory = true;
            return -1;
        }
        definition->steps = steps;
        growing->cap = cap;
    }
    definition->steps[definition->steps_len] = (struct definition_step){
        .parent = at.parent, .branch = at.branch, .position = (int)position, .timeout_ms = growing->defaults->timeout_ms,
        .retry = inherit(growing->checking, &growing->defaults->retry)};
    return (int)definition->steps_len++;
}

/* A parallel needs no name: the third one of the definition, named or not, is then "parallel-3". */
static void name_of(struct growing *growing, const json_t *doc, int index)
{
    struct checking *checking = growing->checking;
    struct definition_step *steps = growing->definition->steps;
    bool parallel = steps[index].kind == STEP_PARALLEL;
    const char *name = read_text(checking, doc, "name", !parallel);
    char numbered[32];

    growing->parallels += parallel;
    if (parallel && json_object_get(doc, "name") == NULL) {
        (void)snprintf(numbered, sizeof numbered, "parallel-%d", growing->parallels);
        name = numbered;
    }
    if (name != NULL && !step_name_valid(name))
        WRONG(checking, "name", "a letter and then up to %d letters, digits, '_' or '-' expected", DEFINITION_STEP_NAME_MAX - 1);
    else if (name != NULL)
        steps[index].name = read_copy(checking, name);
    for (int i = 0; i < index && steps[index].name != NULL; i++) {
        if (steps[i].name != NULL && strcmp(steps[i].name, name) == 0)
            WRONG(checking, "name", "\"%s\" is the name of step %d too", name, i + 1);
    }
}

static void pivot_of(struct growing *growing, int index)
{
    struct definition *definition = growing->definition;

    if (!definition->steps[index].pivot)
        return;
    if (definition->pivot >= 0)
        WRONG(growing->checking, "pivot", "step %d is the pivot already: there is one point of no return", definition->pivot + 1);
    else
        definition->pivot = index;
}

/* --- what stands in for a command --- */

/* Room for what belongs to a step, after it in the array; -1 = none. */
static int add_part(struct growing *growing, int owner, const char *suffix)
{
    char name[DEFINITION_ENTRY_NAME_MAX + 1];
    int index = add_step(growing, (struct branch){.parent = owner}, 0);
    struct definition_step *steps = growing->definition->steps;

    if (index < 0 || steps[owner].name == NULL)
        return -1;
    (void)snprintf(name, sizeof name, "%s:%s", steps[owner].name, suffix);
    steps[index].name = read_copy(growing->checking, name);
    steps[index].after = index + 1;
    return index;
}

/* The members of a fallback; what it leaves out is as the step says. The compensation's service is the one that acted, unless the fallback names one. */
static json_t *with_inherited(const json_t *doc, const json_t *fallback, struct definition_step *other)
{
    const struct {
        const char *member;
        bool *inherited;
    } members[] = {{"input", &other->input_inherited}, {"output", &other->output_inherited}, {"reply", &other->reply_inherited},
                   {"compensation", &other->compensation_inherited}};
    json_t *whole = json_copy((json_t *)(uintptr_t)fallback);
    bool fine = whole != NULL;

    for (size_t i = 0; fine && i < sizeof members / sizeof members[0]; i++) {
        json_t *value = json_object_get(doc, members[i].member);

        if (value == NULL || json_object_get(fallback, members[i].member) != NULL)
            continue;
        *members[i].inherited = true;
        value = json_copy(value);
        if (members[i].inherited == &other->compensation_inherited)
            (void)json_object_del(value, "service");
        fine = json_object_set_new(whole, members[i].member, value) == 0;
    }
    if (!fine) {
        json_decref(whole);
        return NULL;
    }
    return whole;
}

static void other_service_of(struct growing *growing, const json_t *doc, const json_t *fallback, int owner, int index)
{
    static const char *const names[] = {"service", "command", "input", "output", "timeout", "retry", "reply", "compensation", NULL};
    struct checking *checking = growing->checking;
    struct definition_step *step = &growing->definition->steps[owner], *other = &growing->definition->steps[index];
    json_t *whole = NULL;

    other->kind = STEP_COMMAND;
    other->stands_in = FALLBACK_SERVICE;
    other->timeout_ms = step->timeout_ms;
    free_retry(&other->retry);
    other->retry = inherit(checking, &step->retry);
    if (!read_members(checking, fallback, names))
        return;
    whole = with_inherited(doc, fallback, other);
    checking->no_memory = checking->no_memory || whole == NULL;
    if (whole != NULL)
        command_step_of(checking, whole, growing->defaults, other);
    json_decref(whole);
}

static void value_of(struct checking *checking, const json_t *fallback, struct definition_step *other)
{
    static const char *const names[] = {"output", NULL};

    other->kind = STEP_VALUE;
    other->stands_in = FALLBACK_OUTPUT;
    if (!read_members(checking, fallback, names))
        return;
    if (json_object_get(fallback, "output") == NULL)
        finding_add(checking, FINDING_ERROR, "\"output\" is missing: a value, or \"service\" and \"command\": another service");
    other->output = read_template(checking, fallback, "output");
}

/* Of a step that was read without errors: what it inherits has none. */
static void fallback_of(struct growing *growing, const json_t *doc, int owner)
{
    struct checking *checking = growing->checking;
    const json_t *fallback = json_object_get(doc, "fallback");
    size_t len = 0;
    int index = -1;

    if (fallback == NULL)
        return;
    if (growing->definition->steps[owner].pivot) {
        WRONG(checking, "fallback", "the pivot has none: whether it was done must be known, for there is no way back from it");
        return;
    }
    index = add_part(growing, owner, "fallback");
    if (index < 0)
        return;
    growing->definition->steps[owner].fallback = index;
    len = read_enter(checking, "fallback");
    if (json_object_get(fallback, "service") != NULL || json_object_get(fallback, "command") != NULL)
        other_service_of(growing, doc, fallback, owner, index);
    else
        value_of(checking, fallback, &growing->definition->steps[index]);
    read_leave(checking, len);
}

/* --- groups, waits --- */

static void cases_of(struct growing *growing, const json_t *doc, int index, struct branch inside)
{
    static const char *const names[] = {"when", "steps", NULL};
    struct checking *checking = growing->checking;
    const json_t *cases = json_object_get(doc, "switch");
    size_t n = json_array_size(cases), len = 0;
    struct expr **conditions = NULL;

    if (!json_is_array(cases) || n == 0 || n > DEFINITION_CASES_MAX) {
        WRONG(checking, "switch", "a list of 1 to %d cases expected", DEFINITION_CASES_MAX);
        return;
    }
    conditions = calloc(n, sizeof(struct expr *));
    if (conditions == NULL) {
        checking->no_memory = true;
        return;
    }
    growing->definition->steps[index].cases = conditions;
    growing->definition->steps[index].cases_len = (int)n;
    len = read_enter(checking, "switch");
    for (inside.branch = 0; (size_t)inside.branch < n; inside.branch++) {
        const json_t *item = json_array_get(cases, (size_t)inside.branch);
        size_t inner = read_enter_index(checking, (size_t)inside.branch);

        if (read_members(checking, item, names)) {
            conditions[inside.branch] = read_expr(checking, item, "when");
            if (json_object_get(item, "when") == NULL)
                finding_add(checking, FINDING_ERROR, "\"when\" is missing");
            list_of(growing, item, "steps", inside);
        }
        read_leave(checking, inner);
    }
    read_leave(checking, len);
    if (json_object_get(doc, "default") != NULL)
        list_of(growing, doc, "default", inside);
}

static void join_of(struct checking *checking, const json_t *doc, struct definition_step *step)
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

static void branches_of(struct growing *growing, const json_t *doc, int index, struct branch inside)
{
    struct checking *checking = growing->checking;
    const json_t *branches = json_object_get(doc, "parallel");
    size_t n = json_array_size(branches), len = 0;

    if (!json_is_array(branches) || n == 0 || n > DEFINITION_BRANCHES_MAX) {
        WRONG(checking, "parallel", "a list of 1 to %d branches expected, each a list of steps", DEFINITION_BRANCHES_MAX);
        return;
    }
    growing->definition->steps[index].branches = (int)n;
    join_of(checking, doc, &growing->definition->steps[index]);
    len = read_enter(checking, "parallel");
    for (inside.branch = 0; (size_t)inside.branch < n; inside.branch++) {
        size_t inner = read_enter_index(checking, (size_t)inside.branch);

        steps_in(growing, json_array_get(branches, (size_t)inside.branch), inside);
        read_leave(checking, inner);
    }
    read_leave(checking, len);
}

static void sleep_of(struct checking *checking, const json_t *doc, struct definition_step *step)
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

static void wait_of(struct checking *checking, const json_t *doc, struct definition_step *step)
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

static void step_of(struct growing *growing, const json_t *doc, struct branch at, size_t position)
{
    struct checking *checking = growing->checking;
    const struct kind *kind = kind_of(doc);
    struct branch inside = {.depth = at.depth + 1};
    int index = add_step(growing, at, position);

    if (index < 0 || !read_members(checking, doc, kind->names))
        return;
    growing->definition->steps[index].kind = kind->kind;
    name_of(growing, doc, index);
    (void)read_text(checking, doc, "description", false);
    growing->definition->steps[index].when = read_expr(checking, doc, "when");
    growing->definition->steps[index].sensitive = read_pointers(checking, doc, "sensitive");
    inside.parent = index;
    switch (kind->kind) {
    case STEP_COMMAND:
        command_step_of(checking, doc, growing->defaults, &growing->definition->steps[index]);
        pivot_of(growing, index);
        fallback_of(growing, doc, index);
        break;
    case STEP_VALUE: break;
    case STEP_SEQUENCE: list_of(growing, doc, "sequence", inside); break;
    case STEP_SWITCH: cases_of(growing, doc, index, inside); break;
    case STEP_PARALLEL: branches_of(growing, doc, index, inside); break;
    case STEP_SLEEP: sleep_of(checking, doc, &growing->definition->steps[index]); break;
    case STEP_WAIT: wait_of(checking, doc, &growing->definition->steps[index]); break;
    case STEP_SAGA:
        saga_step_of(checking, doc, growing->defaults, &growing->definition->steps[index]);
        pivot_of(growing, index);
        break;
    }
    growing->definition->steps[index].after = (int)growing->definition->steps_len;
}

/* A list of steps; that is where we are in the document. */
static void steps_in(struct growing *growing, const json_t *steps, struct branch at)
{
    struct checking *checking = growing->checking;
    size_t n = json_array_size(steps);

    if (!json_is_array(steps) || n == 0 || n > DEFINITION_STEPS_MAX) {
        finding_add(checking, FINDING_ERROR, "a list of 1 to %d steps expected", DEFINITION_STEPS_MAX);
        return;
    }
    if (at.depth > DEFINITION_DEPTH_MAX) {
        finding_add(checking, FINDING_ERROR, "groups are nested %d deep at most", DEFINITION_DEPTH_MAX);
        return;
    }
    for (size_t i = 0; i < n && !growing->full; i++) {
        size_t inner = read_enter_index(checking, i);

        step_of(growing, json_array_get(steps, i), at, i);
        read_leave(checking, inner);
    }
}

/* The member `key` of doc: a list of steps. */
static void list_of(struct growing *growing, const json_t *doc, const char *key, struct branch at)
{
    const json_t *steps = json_object_get(doc, key);
    size_t len = 0;

    if (steps == NULL) {
        finding_add(growing->checking, FINDING_ERROR, "\"%s\" is missing", key);
        return;
    }
    len = read_enter(growing->checking, key);
    steps_in(growing, steps, at);
    read_leave(growing->checking, len);
}

/* The saga's lock becomes a wait before its first step. */
static void lock_of(struct growing *growing, const json_t *doc)
{
    static const char *const names[] = {"key", "mode", "timeout", NULL};
    struct checking *checking = growing->checking;
    struct definition *definition = growing->definition;
    const json_t *lock = json_object_get(doc, "lock");
    const char *mode = NULL, *timeout = json_string_value(json_object_get(lock, "timeout"));
    size_t len = 0;
    int index = lock == NULL ? -1 : add_step(growing, (struct branch){.parent = -1}, 0);
    struct definition_step *step = index < 0 ? NULL : &definition->steps[index];

    if (step == NULL)
        return;
    step->kind = STEP_WAIT;
    step->lock = true;
    step->name = read_copy(checking, LOCK_STEP);
    step->signal = read_copy(checking, LOCK_SIGNAL);
    step->after = index + 1;
    step->timeout_ms = LOCK_TIMEOUT_MS;
    len = read_enter(checking, "lock");
    if (read_members(checking, lock, names)) {
        if (json_object_get(lock, "key") == NULL)
            finding_add(checking, FINDING_ERROR, "\"key\" is missing: the business key, such as \"${input.account}\"");
        else if (json_string_length(json_object_get(lock, "key")) == 0)
            WRONG(checking, "key", "a text expected, such as \"${input.account}\"");
        else
            definition->lock.key = read_template(checking, lock, "key");
        if (json_is_string(json_object_get(lock, "key")))
            definition->lock.key_text = read_copy(checking, json_string_value(json_object_get(lock, "key")));
        mode = read_text(checking, lock, "mode", false);
        definition->lock.reject = mode != NULL && strcmp(mode, "reject") == 0;
        if (mode != NULL && !definition->lock.reject && strcmp(mode, "queue") != 0)
            WRONG(checking, "mode", "\"queue\" or \"reject\" expected");
        if (timeout != NULL && strcmp(timeout, "never") == 0)
            step->timeout_ms = 0;
        else
            read_duration(checking, lock, "timeout", &step->timeout_ms);
    }
    read_leave(checking, len);
}

static void steps_of(struct checking *checking, const json_t *doc, const struct defaults *defaults, struct definition *definition)
{
    struct growing growing = {.checking = checking, .defaults = defaults, .definition = definition};

    lock_of(&growing, doc);
    list_of(&growing, doc, "steps", (struct branch){.parent = -1});
}

static void input_of(struct checking *checking, const json_t *parent, struct definition *definition)
{
    static const char *const names[] = {"schema", NULL};
    const json_t *doc = json_object_get(parent, "input");
    size_t len = 0;

    if (doc == NULL)
        return;
    len = read_enter(checking, "input");
    if (read_members(checking, doc, names)) {
        if (json_object_get(doc, "schema") == NULL)
            finding_add(checking, FINDING_ERROR, "\"schema\" is missing");
        definition->input_schema = read_payload_schema(checking, doc);
    }
    read_leave(checking, len);
}

static void on_duplicate_of(struct checking *checking, const json_t *doc, struct definition *definition)
{
    const char *word = read_text(checking, doc, "onDuplicate", false);

    if (word == NULL)
        return;
    if (strcmp(word, "reject") == 0)
        definition->on_duplicate = ON_DUPLICATE_REJECT;
    else if (strcmp(word, "afterEnd") == 0)
        WRONG(checking, "onDuplicate", "\"afterEnd\" is not supported by this version: \"same\" or \"reject\" expected");
    else if (strcmp(word, "same") != 0)
        WRONG(checking, "onDuplicate", "\"same\" or \"reject\" expected");
}

static void head_of(struct checking *checking, const json_t *doc, struct definition *definition)
{
    const char *name = read_text(checking, doc, "name", true), *description = read_text(checking, doc, "description", false);
    json_t *version = json_object_get(doc, "version");

    (void)read_text(checking, doc, "$schema", false);
    if (name != NULL && !definition_name_valid(name, strlen(name)))
        WRONG(checking, "name", "1 to %d of a-z, 0-9 and '-' expected, not '-' first", DEFINITION_NAME_MAX);
    else if (name != NULL && strcmp(name, LOCK_DEFINITION) == 0)
        WRONG(checking, "name", "%s is Baton's own", LOCK_DEFINITION);
    else if (name != NULL)
        definition->name = read_copy(checking, name);
    if (description != NULL && strlen(description) > TEXT_MAX)
        WRONG(checking, "description", "at most %d bytes expected", TEXT_MAX);
    else if (description != NULL)
        definition->description = read_copy(checking, description);
    if (version == NULL)
        finding_add(checking, FINDING_ERROR, "\"version\" is missing");
    else if (!json_is_integer(version) || json_integer_value(version) < 1 || json_integer_value(version) > INT32_MAX)
        WRONG(checking, "version", "a whole number from 1 expected");
    else
        definition->version = json_integer_value(version);
    read_duration(checking, doc, "timeout", &definition->timeout_ms);
    on_duplicate_of(checking, doc, definition);
    input_of(checking, doc, definition);
}

enum baton_err definition_parse(const json_t *doc, struct expr_vm *vm, struct findings *findings, struct definition **ret_definition)
{
    static const char *const names[] = {"$schema", "name", "version", "description", "timeout", "onDuplicate", "defaults", "input", "lock", "steps", "output", "sensitive", NULL};
    struct checking checking = {.vm = vm, .findings = findings};
    struct definition *definition = calloc(1, sizeof *definition);
    struct defaults defaults;
    enum baton_err rc = BATON_OK;

    findings->len = findings->errors = 0;
    if (definition == NULL)
        return BATON_E_NOMEM;
    definition->vm = vm;
    definition->pivot = -1;
    if (read_members(&checking, doc, names)) {
        head_of(&checking, doc, definition);
        defaults_of(&checking, doc, &defaults);
        steps_of(&checking, doc, &defaults, definition);
        definition->output = read_template(&checking, doc, "output");
        definition->sensitive = read_pointers(&checking, doc, "sensitive");
        free_retry(&defaults.retry);
        free_retry(&defaults.undo_retry);
    }
    if (findings->errors == 0 && !checking.no_memory)
        definition_check(&checking, definition);
    if (checking.no_memory || checking.pointer.failed)
        rc = BATON_E_NOMEM;
    else if (findings->errors > 0)
        rc = BATON_E_INVALID;
    buffer_free(&checking.pointer);
    if (rc != BATON_OK) {
        definition_free(definition);
        return rc;
    }
    *ret_definition = definition;
    return BATON_OK;
}

static void free_compensation(struct expr_vm *vm, struct definition_compensation *compensation)
{
    if (compensation == NULL)
        return;
    free(compensation->service);
    free(compensation->command);
    template_free(vm, compensation->input);
    free_retry(&compensation->retry);
    free(compensation);
}

static void free_step(struct expr_vm *vm, struct definition_step *step)
{
    free(step->name);
    free(step->child);
    free(step->service);
    free(step->command);
    template_free(vm, step->input);
    template_free(vm, step->output);
    expr_free(vm, step->when);
    for (int i = 0; i < step->cases_len; i++)
        expr_free(vm, step->cases[i]);
    free(step->cases);
    expr_free(vm, step->until);
    free(step->signal);
    free(step->goto_name);
    free_texts(step->sensitive);
    free_retry(&step->retry);
    schema_free(step->reply_schema);
    if (step->repeat != NULL)
        expr_free(vm, step->repeat->until);
    free(step->repeat);
    if (step->reply != NULL) {
        expr_free(vm, step->reply->success);
        expr_free(vm, step->reply->retry);
        expr_free(vm, step->reply->code);
        expr_free(vm, step->reply->output);
        free(step->reply);
    }
    free_compensation(vm, step->compensation);
    free_compensation(vm, step->unsaid);
}

void definition_free(struct definition *definition)
{
    if (definition == NULL)
        return;
    for (size_t i = 0; i < definition->steps_len; i++)
        free_step(definition->vm, &definition->steps[i]);
    template_free(definition->vm, definition->output);
    template_free(definition->vm, definition->lock.key);
    free(definition->lock.key_text);
    schema_free(definition->input_schema);
    free_texts(definition->sensitive);
    free(definition->steps);
    free(definition->name);
    free(definition->description);
    free(definition);
}

static const char *const fallback_names[FALLBACK_KIND_COUNT] = {
    [FALLBACK_OUTPUT] = "output",
    [FALLBACK_SERVICE] = "service",
};

const char *fallback_kind_name(enum fallback_kind kind)
{
    return fallback_names[kind];
}

bool fallback_kind_parse(const char *text, enum fallback_kind *ret_kind)
{
    for (int i = FALLBACK_NONE + 1; i < FALLBACK_KIND_COUNT; i++) {
        if (strcmp(fallback_names[i], text) == 0) {
            *ret_kind = (enum fallback_kind)i;
            return true;
        }
    }
    return false;
}

int definition_step_index(const struct definition *definition, const char *name, size_t len)
{
    for (size_t i = 0; i < definition->steps_len; i++) {
        if (strncmp(definition->steps[i].name, name, len) == 0 && definition->steps[i].name[len] == '\0')
            return (int)i;
    }
    return -1;
}

int definition_first(const struct definition *definition, int group, int branch)
{
    int end = group < 0 ? (int)definition->steps_len : definition->steps[group].after;

    for (int i = group + 1; i < end; i = definition->steps[i].after) {
        if (definition->steps[i].branch == branch)
            return i;
    }
    return -1;
}

int definition_follower(const struct definition *definition, int index)
{
    const struct definition_step *step = &definition->steps[index];
    int end = step->parent < 0 ? (int)definition->steps_len : definition->steps[step->parent].after;

    return step->after < end && definition->steps[step->after].branch == step->branch ? step->after : -1;
}

int definition_branch(const struct definition *definition, int group, int index)
{
    while (definition->steps[index].parent != group)
        index = definition->steps[index].parent;
    return definition->steps[index].branch;
}

bool definition_contains(const struct definition *definition, int group, int index)
{
    return group < 0 || (index >= group && index < definition->steps[group].after);
}

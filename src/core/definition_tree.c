/*
 * definition_tree.c -- the steps of a definition as a tree: groups, branches, and what stands in for a step.
 *
 * Owns:     the array of steps and who stands in whom; names.
 * Tests:    tests/core/test_definition.c
 */
#include "definition_parts.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a step is, is said by one of these members; none of them: a command. */
static const struct kind {
    const char *member;
    enum step_kind kind;
    const char *const *names;
} kinds[] = {
    {"sequence", STEP_SEQUENCE, (const char *const[]){"name", "description", "when", "sequence", NULL}},
    {"parallel", STEP_PARALLEL, (const char *const[]){"name", "description", "when", "parallel", "join", NULL}},
    {"forEach", STEP_FOREACH, (const char *const[]){"name", "description", "when", "forEach", NULL}},
    {"switch", STEP_SWITCH, (const char *const[]){"name", "description", "when", "switch", "default", NULL}},
    {"sleep", STEP_SLEEP, (const char *const[]){"name", "description", "when", "sleep", NULL}},
    {"wait", STEP_WAIT, (const char *const[]){"name", "description", "when", "wait", "sensitive", NULL}},
    {"tcc", STEP_COMMAND, (const char *const[]){"name", "description", "service", "input", "output", "when", "timeout", "retry", "reply", "tcc", "sensitive", NULL}},
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
    int each;  /* the forEach around it; -1 = none */
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
        .parent = at.parent, .branch = at.branch, .each = at.each, .position = (int)position, .timeout_ms = growing->defaults->timeout_ms,
        .retry = retry_inherit(growing->checking, &growing->defaults->retry)};
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
    int index = add_step(growing, (struct branch){.parent = owner, .each = growing->definition->steps[owner].each}, 0);
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
    retry_free(&other->retry);
    other->retry = retry_inherit(checking, &step->retry);
    if (!read_members(checking, fallback, names))
        return;
    whole = with_inherited(doc, fallback, other);
    checking->no_memory = checking->no_memory || whole == NULL;
    if (whole != NULL)
        read_command_step(checking, whole, growing->defaults, other);
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
        finding_add(checking, FINDING_ERROR, "\"output\" is missing: a value; or \"service\" and \"command\": another service; or \"cached\" and \"maxAge\": the last success");
    other->output = read_template(checking, fallback, "output");
}

/* What the step itself has made is not there when the key is wanted to find it. */
static void cached_of(struct checking *checking, const json_t *fallback, struct definition_step *other)
{
    static const char *const names[] = {"cached", "maxAge", NULL};

    other->kind = STEP_CACHED;
    other->stands_in = FALLBACK_CACHED;
    if (!read_members(checking, fallback, names))
        return;
    if (json_string_length(json_object_get(fallback, "cached")) == 0)
        WRONG(checking, "cached", "a text expected: the key of what is kept, such as \"quote/${input.sku}\"");
    else
        other->key = read_template(checking, fallback, "cached");
    if (json_object_get(fallback, "maxAge") == NULL)
        finding_add(checking, FINDING_ERROR, "\"maxAge\" is missing: how old it may be");
    read_duration(checking, fallback, "maxAge", &other->max_age_ms);
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
    else if (json_object_get(fallback, "cached") != NULL)
        cached_of(checking, fallback, &growing->definition->steps[index]);
    else
        value_of(checking, fallback, &growing->definition->steps[index]);
    read_leave(checking, len);
}

/* --- groups --- */

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
    read_join(checking, doc, &growing->definition->steps[index]);
    len = read_enter(checking, "parallel");
    for (inside.branch = 0; (size_t)inside.branch < n; inside.branch++) {
        size_t inner = read_enter_index(checking, (size_t)inside.branch);

        steps_in(growing, json_array_get(branches, (size_t)inside.branch), inside);
        read_leave(checking, inner);
    }
    read_leave(checking, len);
}

static void each_of(struct growing *growing, const json_t *doc, int index, struct branch inside)
{
    struct checking *checking = growing->checking;
    const json_t *each = json_object_get(doc, "forEach");
    size_t len = 0;

    if (inside.each >= 0) {
        WRONG(checking, "forEach", "a forEach cannot stand in another one: start a child saga for each item of the inner one");
        return;
    }
    inside.each = index;
    len = read_enter(checking, "forEach");
    if (read_each(checking, each, &growing->definition->steps[index]))
        list_of(growing, each, "steps", inside);
    read_leave(checking, len);
}

static void step_of(struct growing *growing, const json_t *doc, struct branch at, size_t position)
{
    struct checking *checking = growing->checking;
    const struct kind *kind = kind_of(doc);
    struct branch inside = {.each = at.each, .depth = at.depth + 1};
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
        if (kind->member != NULL) {
            read_tcc_step(checking, doc, growing->defaults, &growing->definition->steps[index]);
            break;
        }
        read_command_step(checking, doc, growing->defaults, &growing->definition->steps[index]);
        pivot_of(growing, index);
        fallback_of(growing, doc, index);
        break;
    case STEP_VALUE:
    case STEP_CACHED: break;
    case STEP_SEQUENCE: list_of(growing, doc, "sequence", inside); break;
    case STEP_SWITCH: cases_of(growing, doc, index, inside); break;
    case STEP_PARALLEL: branches_of(growing, doc, index, inside); break;
    case STEP_FOREACH: each_of(growing, doc, index, inside); break;
    case STEP_SLEEP: read_sleep(checking, doc, &growing->definition->steps[index]); break;
    case STEP_WAIT: read_wait(checking, doc, &growing->definition->steps[index]); break;
    case STEP_SAGA:
        read_saga_step(checking, doc, growing->defaults, &growing->definition->steps[index]);
        pivot_of(growing, index);
        break;
    }
    growing->definition->steps[index].after = (int)growing->definition->steps_len;
}

/* Behind the pivot, if every saga passes it there and nothing leads past it; else at the end. */
static bool confirms_here(const struct growing *growing, bool end)
{
    const struct definition *definition = growing->definition;
    const struct definition_step *pivot = definition->pivot < 0 ? NULL : &definition->steps[definition->pivot];
    bool here = pivot != NULL && pivot->parent < 0 && pivot->when == NULL && pivot->after == (int)definition->steps_len;

    for (int i = 0; here && i < definition->pivot; i++)
        here = definition->steps[i].goto_name == NULL;
    return end || here;
}

/* A step of its own for each that was tried and has none yet: it takes what `confirm` says over. */
static void confirm_all(struct growing *growing)
{
    struct definition *definition = growing->definition;

    for (int i = 0; i < (int)definition->steps_len; i++) {
        struct definition_compensation *confirm = definition->steps[i].confirm;
        int index = confirm == NULL ? -1 : add_part(growing, i, "confirm");
        struct definition_step *step = index < 0 ? NULL : &definition->steps[index];

        if (step == NULL)
            continue;
        definition->steps[i].confirm = NULL;
        step->parent = -1;
        step->kind = STEP_COMMAND;
        step->confirmation = true;
        step->confirms = i;
        step->service = confirm->service;
        step->command = confirm->command;
        step->input = confirm->input;
        retry_free(&step->retry);
        step->retry = confirm->retry;
        step->timeout_ms = confirm->timeout_ms;
        free(confirm);
        definition->confirms = true;
    }
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
        if (at.parent < 0 && confirms_here(growing, i + 1 == n))
            confirm_all(growing);
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
    int index = lock == NULL ? -1 : add_step(growing, (struct branch){.parent = -1, .each = -1}, 0);
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

void read_steps(struct checking *checking, const json_t *doc, const struct defaults *defaults, struct definition *definition)
{
    struct growing growing = {.checking = checking, .defaults = defaults, .definition = definition};

    lock_of(&growing, doc);
    list_of(&growing, doc, "steps", (struct branch){.parent = -1, .each = -1});
}

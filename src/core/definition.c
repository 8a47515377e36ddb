/*
 * definition.c -- a definition document into a compiled definition.
 *
 * Owns:     the document itself, what it is freed of, the ways through its tree. The parts: definition_retry.c, definition_step.c, definition_tree.c.
 * Tests:    tests/core/test_definition.c
 */
#include "definition_parts.h"
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 1000

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
        WRONG(checking, "onDuplicate", "\"afterEnd\" is not supported by this version: give each start an id of its own, and the definition a lock on what they share");
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
        read_defaults(&checking, doc, &defaults);
        read_steps(&checking, doc, &defaults, definition);
        definition->output = read_template(&checking, doc, "output");
        definition->sensitive = read_pointers(&checking, doc, "sensitive");
        retry_free(&defaults.retry);
        retry_free(&defaults.undo_retry);
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
    retry_free(&compensation->retry);
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
    template_free(vm, step->key);
    expr_free(vm, step->when);
    for (int i = 0; i < step->cases_len; i++)
        expr_free(vm, step->cases[i]);
    free(step->cases);
    expr_free(vm, step->items);
    expr_free(vm, step->until);
    free(step->signal);
    free(step->goto_name);
    texts_free(step->sensitive);
    retry_free(&step->retry);
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
    free_compensation(vm, step->confirm);
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
    texts_free(definition->sensitive);
    free(definition->steps);
    free(definition->name);
    free(definition->description);
    free(definition);
}

static const char *const fallback_names[FALLBACK_KIND_COUNT] = {
    [FALLBACK_OUTPUT] = "output",
    [FALLBACK_SERVICE] = "service",
    [FALLBACK_CACHED] = "cached",
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

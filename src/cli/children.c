/*
 * children.c -- what only several definitions together show: a child saga that may refuse to be undone.
 *
 * Owns:     where a child's definition is looked for: among the files at hand, then among what is deployed.
 * Tests:    tests/cli/test_commands.py, tests/integration/test_commands.py
 */
#include "cli.h"
#include <baton/json.h>
#include <stdlib.h>
#include <string.h>

struct known {
    struct checked *const *files;
    size_t len;
    struct definition_store *store; /* NULL = none */
};

/* Of these files: that version, or the newest; NULL = none. */
static const struct definition *among_files(const struct known *known, const char *name, int64_t version)
{
    const struct definition *found = NULL;

    for (size_t i = 0; i < known->len; i++) {
        const struct definition *definition = checked_definition(known->files[i]);

        if (definition != NULL && strcmp(definition->name, name) == 0 && (version == 0 || definition->version == version) &&
            (found == NULL || definition->version > found->version))
            found = definition;
    }
    return found;
}

/* What cannot be undone once it is behind: a pivot, and the first confirm as well. */
static bool cannot_turn_back(const struct definition *definition)
{
    return definition->pivot >= 0 || definition->confirms;
}

static bool text_has_pivot(const char *text)
{
    struct findings *findings = malloc(sizeof *findings);
    struct expr_vm *vm = expr_vm_new();
    struct definition *definition = NULL;
    json_t *doc = NULL;
    bool has = findings != NULL && vm != NULL && json_parse(text, strlen(text), &json_default_limits, &doc, NULL) == BATON_OK &&
               definition_parse(doc, vm, findings, &definition) == BATON_OK && cannot_turn_back(definition);

    json_decref(doc);
    definition_free(definition);
    expr_vm_free(vm);
    free(findings);
    return has;
}

static bool has_pivot(void *context, const char *name, int64_t version)
{
    const struct known *known = context;
    const struct definition *file = among_files(known, name, version);
    char *text = NULL, hash[65];
    int64_t deployed = 0;
    bool has = file != NULL && cannot_turn_back(file);

    if (known->store == NULL || definition_store_get(known->store, name, version, &text, &deployed, hash) != BATON_OK)
        return has;
    if (file == NULL || deployed > file->version)
        has = text_has_pivot(text);
    free(text);
    return has;
}

bool children_check(struct checked *const *files, size_t len, struct definition_store *store)
{
    struct known known = {files, len, store};
    bool fine = true;

    for (size_t i = 0; i < len && fine; i++) {
        if (checked_definition(files[i]) != NULL)
            fine = definition_check_children(checked_definition(files[i]), has_pivot, &known, checked_findings(files[i]));
    }
    return fine;
}

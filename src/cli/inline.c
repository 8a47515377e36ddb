/*
 * inline.c -- the schema files that a definition's file names, put into it: what is published holds everything.
 *
 * Owns:     where a definition names one (`input.schema`, a step's `reply.schema`); that the whole stays within a definition's limits.
 * Tests:    tests/cli/test_schemas.py
 */
#include "inline.h"
#include <baton/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct json_limits limits = {DEFINITION_BYTES_MAX, JSON_DEPTH_MAX, JSON_VALUES_MAX};

struct walk {
    const char *path; /* of the definition */
    struct inlines *inlines;
    struct buffer pointer;
};

/* A name is relative to the definition's directory. */
static char *path_of(const char *definition, const char *name)
{
    const char *slash = strrchr(definition, '/');
    char *path = NULL;

    if (name[0] == '/' || slash == NULL)
        return strdup(name);
    return asprintf(&path, "%.*s/%s", (int)(slash - definition), definition, name) < 0 ? NULL : path;
}

static struct inlined *add_inlined(struct walk *walk, const char *name)
{
    struct inlines *inlines = walk->inlines;
    struct inlined *items = realloc(inlines->items, (inlines->len + 1) * sizeof *items), *item = NULL;
    const char *pointer = buffer_cstr(&walk->pointer);

    if (items == NULL)
        return NULL;
    inlines->items = items;
    item = &items[inlines->len++];
    *item = (struct inlined){.pointer = pointer == NULL ? NULL : strdup(pointer), .path = path_of(walk->path, name)};
    return item->pointer == NULL || item->path == NULL ? NULL : item;
}

/* The schema in the file; an empty one where there is none, and item->error says why. NULL if memory ran out. */
static json_t *read_schema(struct inlined *item)
{
    struct baton_error why = {0};
    json_t *schema = NULL;
    enum baton_err rc = strcmp(item->path, "-") == 0 ? baton_fail(&item->error, BATON_E_INVALID, "a schema is not read from standard input")
                                                     : file_read(item->path, DEFINITION_BYTES_MAX, &item->text, &item->len, &item->error);

    if (rc == BATON_OK && json_parse(item->text, item->len, &limits, &schema, &why) != BATON_OK)
        (void)baton_fail(&item->error, why.code, "%s: %s", item->path, why.text);
    else if (rc == BATON_OK && !json_is_object(schema))
        (void)baton_fail(&item->error, BATON_E_INVALID, "%s: a JSON Schema is an object", item->path);
    if (item->error.code == BATON_OK)
        return schema;
    json_decref(schema);
    return json_object();
}

/* The member `schema` of object, which stands at the walk's pointer. */
static bool inline_member(struct walk *walk, json_t *object)
{
    const char *name = json_string_value(json_object_get(object, "schema"));
    size_t len = walk->pointer.len;
    struct inlined *item = NULL;

    if (name == NULL)
        return true;
    json_pointer_push(&walk->pointer, "schema");
    item = add_inlined(walk, name);
    walk->pointer.len = len;
    return item != NULL && json_object_set_new(object, "schema", read_schema(item)) == 0;
}

static bool is_payload(const char *key)
{
    return strcmp(key, "input") == 0 || strcmp(key, "output") == 0 || strcmp(key, "compensation") == 0 || strcmp(key, "fallback") == 0;
}

/* Every step's `reply`, in whatever groups the steps stand; not in what is a payload's template. */
static bool inline_steps(struct walk *walk, json_t *value)
{
    size_t len = walk->pointer.len;
    bool fine = true;

    for (size_t i = 0; i < json_array_size(value) && fine; i++) {
        buffer_char(&walk->pointer, '/');
        buffer_int(&walk->pointer, (int64_t)i);
        fine = inline_steps(walk, json_array_get(value, i));
        walk->pointer.len = len;
    }
    for (void *at = json_object_iter(value); at != NULL && fine; at = json_object_iter_next(value, at)) {
        const char *key = json_object_iter_key(at);

        if (is_payload(key))
            continue;
        json_pointer_push(&walk->pointer, key);
        fine = strcmp(key, "reply") == 0 ? inline_member(walk, json_object_iter_value(at)) : inline_steps(walk, json_object_iter_value(at));
        walk->pointer.len = len;
    }
    return fine;
}

bool inline_schemas(json_t *document, const char *path, struct inlines *ret_inlines)
{
    struct walk walk = {.path = path, .inlines = ret_inlines};
    bool fine = true;

    json_pointer_push(&walk.pointer, "input");
    fine = inline_member(&walk, json_object_get(document, "input"));
    buffer_clear(&walk.pointer);
    json_pointer_push(&walk.pointer, "steps");
    fine = fine && inline_steps(&walk, json_object_get(document, "steps"));
    ret_inlines->too_large = ret_inlines->len > 0 && !json_within(document, &limits);
    fine = fine && !walk.pointer.failed;
    buffer_free(&walk.pointer);
    return fine;
}

void inlines_free(struct inlines *inlines)
{
    for (size_t i = 0; i < inlines->len; i++) {
        free(inlines->items[i].pointer);
        free(inlines->items[i].path);
        free(inlines->items[i].text);
    }
    free(inlines->items);
    *inlines = (struct inlines){0};
}

static void tell(struct findings *findings, const char *pointer, const char *text)
{
    struct finding *finding = &findings->items[findings->len < FINDINGS_MAX ? findings->len++ : FINDINGS_MAX - 1];

    findings->errors++;
    *finding = (struct finding){.level = FINDING_ERROR};
    (void)snprintf(finding->pointer, sizeof finding->pointer, "%s", pointer);
    (void)snprintf(finding->text, sizeof finding->text, "%s", text);
}

void inlines_tell(const struct inlines *inlines, struct findings *findings)
{
    for (size_t i = 0; i < inlines->len; i++) {
        if (inlines->items[i].error.code != BATON_OK)
            tell(findings, inlines->items[i].pointer, inlines->items[i].error.text);
    }
    if (inlines->too_large)
        tell(findings, "", "with its schema files it is longer, deeper or of more values than a definition may be");
}

const struct inlined *inlined_at(const struct inlines *inlines, const char *pointer, const char **ret_inside)
{
    for (size_t i = 0; i < inlines->len; i++) {
        const struct inlined *item = &inlines->items[i];
        size_t len = strlen(item->pointer);

        if (item->error.code != BATON_OK || strncmp(item->pointer, pointer, len) != 0 || (pointer[len] != '\0' && pointer[len] != '/'))
            continue;
        *ret_inside = pointer + len;
        return item;
    }
    return NULL;
}

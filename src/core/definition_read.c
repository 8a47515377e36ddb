/*
 * definition_read.c -- the members of a definition, each with its type and range; what is wrong is said where it stands.
 *
 * Owns:     findings; unknown members with the nearest name; texts, durations, numbers, expressions, templates.
 * Tests:    tests/core/test_definition.c
 */
#include "definition_check.h"
#include <baton/json.h>
#include <baton/mask.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- findings --- */

/* An error goes before a warning where there is no room for both. */
static void make_room(struct findings *findings)
{
    size_t at = findings->len;

    if (findings->len < FINDINGS_MAX)
        return;
    while (at > 0 && findings->items[at - 1].level == FINDING_ERROR)
        at--;
    if (at == 0)
        return;
    memmove(&findings->items[at - 1], &findings->items[at], (findings->len - at) * sizeof findings->items[0]);
    findings->len--;
}

static void add(struct checking *checking, enum finding_level level, const char *key, bool of_key, int column, const char *format,
                va_list args)
{
    struct findings *findings = checking->findings;
    struct finding *finding = NULL;
    size_t len = checking->pointer.len;
    const char *pointer = NULL;

    findings->errors += level == FINDING_ERROR;
    if (level == FINDING_ERROR)
        make_room(findings);
    if (findings->len == FINDINGS_MAX)
        return;
    if (key != NULL)
        json_pointer_push(&checking->pointer, key);
    pointer = buffer_cstr(&checking->pointer);
    finding = &findings->items[findings->len++];
    *finding = (struct finding){.level = level, .of_key = of_key, .column_in_string = column};
    (void)snprintf(finding->pointer, sizeof finding->pointer, "%s", pointer == NULL ? "" : pointer);
    (void)vsnprintf(finding->text, sizeof finding->text, format, args);
    baton_text_clean(finding->pointer);
    baton_text_clean(finding->text);
    checking->pointer.len = len;
}

void finding_add(struct checking *checking, enum finding_level level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(checking, level, NULL, false, 0, format, args);
    va_end(args);
}

void finding_at(struct checking *checking, enum finding_level level, const char *key, bool of_key, int column, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(checking, level, key, of_key, column, format, args);
    va_end(args);
}

/* --- reading members --- */

size_t read_enter(struct checking *checking, const char *key)
{
    size_t len = checking->pointer.len;

    json_pointer_push(&checking->pointer, key);
    return len;
}

size_t read_enter_index(struct checking *checking, size_t index)
{
    char token[24];

    (void)snprintf(token, sizeof token, "%zu", index);
    return read_enter(checking, token);
}

void read_leave(struct checking *checking, size_t len)
{
    checking->pointer.len = len;
}

static bool listed(const char *word, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (strcmp(word, *names) == 0)
            return true;
    }
    return false;
}

/* False if doc is no object. */
bool read_members(struct checking *checking, const json_t *doc, const char *const *names)
{
    json_t *object = (json_t *)(uintptr_t)doc;
    size_t count = 0;

    if (!json_is_object(doc)) {
        finding_add(checking, FINDING_ERROR, "an object expected");
        return false;
    }
    while (names[count] != NULL)
        count++;
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
        const char *key = json_object_iter_key(at), *near = NULL;

        if (listed(key, names))
            continue;
        near = nearest_name(key, names, count);
        if (near != NULL)
            finding_at(checking, FINDING_ERROR, key, true, 0, "unknown member \"%.60s\"; did you mean \"%s\"?", key, near);
        else
            finding_at(checking, FINDING_ERROR, key, true, 0, "unknown member \"%.60s\"", key);
    }
    return true;
}

char *read_copy(struct checking *checking, const char *text)
{
    char *copied = strdup(text);

    checking->no_memory = checking->no_memory || copied == NULL;
    return copied;
}

/* A text member; NULL when missing or wrong (said). */
const char *read_text(struct checking *checking, const json_t *doc, const char *key, bool required)
{
    json_t *value = json_object_get(doc, key);

    if (value == NULL) {
        if (required)
            finding_add(checking, FINDING_ERROR, "\"%s\" is missing", key);
        return NULL;
    }
    if (!json_is_string(value)) {
        WRONG(checking, key, "a text expected");
        return NULL;
    }
    return json_string_value(value);
}

void read_duration(struct checking *checking, const json_t *doc, const char *key, int64_t *ret_ms)
{
    json_t *value = json_object_get(doc, key);

    if (value == NULL)
        return;
    if (!json_is_string(value) || !duration_parse(json_string_value(value), ret_ms))
        WRONG(checking, key, "a duration like \"250ms\", \"30s\", \"5m\", \"24h\" or \"7d\" expected, at most 3650d");
    else if (*ret_ms == 0 && strcmp(key, "interval") != 0)
        WRONG(checking, key, "a duration above zero expected");
}

void read_number(struct checking *checking, const json_t *doc, const char *key, double least, double most, double *ret_value)
{
    json_t *value = json_object_get(doc, key);

    if (value == NULL)
        return;
    if (!json_is_number(value) || json_number_value(value) < least || json_number_value(value) > most)
        WRONG(checking, key, "a number from %g to %g expected", least, most);
    else
        *ret_value = json_number_value(value);
}

struct expr *read_expr(struct checking *checking, const json_t *doc, const char *key)
{
    json_t *value = json_object_get(doc, key);
    struct expr *expr = NULL;
    struct expr_error_place place;
    struct baton_error err;
    enum baton_err rc = BATON_OK;

    if (value == NULL)
        return NULL;
    if (!json_is_string(value)) {
        WRONG(checking, key, "an expression \"${...}\" expected");
        return NULL;
    }
    rc = expr_compile_field(checking->vm, json_string_value(value), &expr, &place, &err);
    if (rc == BATON_E_NOMEM)
        checking->no_memory = true;
    else if (rc != BATON_OK)
        finding_at(checking, FINDING_ERROR, key, false, place.column, "%s", err.text);
    return expr;
}

struct template *read_template(struct checking *checking, const json_t *doc, const char *key)
{
    json_t *value = json_object_get(doc, key);
    struct template *template = NULL;
    struct expr_error_place place;
    struct baton_error err;
    size_t len = 0;
    enum baton_err rc = BATON_OK;

    if (value == NULL)
        return NULL;
    rc = template_compile(checking->vm, value, &template, &place, &err);
    if (rc == BATON_E_NOMEM)
        checking->no_memory = true;
    if (rc != BATON_E_INVALID)
        return template;
    len = read_enter(checking, key);
    buffer_text(&checking->pointer, place.pointer);
    finding_at(checking, FINDING_ERROR, NULL, false, place.column, "%s", err.text);
    read_leave(checking, len);
    return NULL;
}

/* What was meant by "card.number" or "$.card.number", most likely. */
static const char *as_pointer(const char *text, char *out, size_t size)
{
    size_t len = 0;

    for (text += text[0] == '$' && text[1] == '.' ? 2 : 0; *text != '\0' && len + 2 < size; text++) {
        if (len == 0)
            out[len++] = '/';
        out[len++] = *text == '.' ? '/' : *text;
    }
    out[len] = '\0';
    return out;
}

char **read_pointers(struct checking *checking, const json_t *doc, const char *key)
{
    const json_t *value = json_object_get(doc, key);
    size_t n = json_array_size(value), len = 0, used = 0;
    char **pointers = NULL, near[64];

    if (value == NULL)
        return NULL;
    if (!json_is_array(value) || n == 0 || n > DEFINITION_SENSITIVE_MAX) {
        WRONG(checking, key, "a list of 1 to %d JSON Pointers such as \"/card/number\" expected", DEFINITION_SENSITIVE_MAX);
        return NULL;
    }
    pointers = calloc(n + 1, sizeof *pointers);
    checking->no_memory = checking->no_memory || pointers == NULL;
    len = read_enter(checking, key);
    for (size_t i = 0; pointers != NULL && i < n; i++) {
        const char *text = json_string_value(json_array_get(value, i));
        size_t inner = read_enter_index(checking, i);

        if (text == NULL)
            finding_add(checking, FINDING_ERROR, "a JSON Pointer such as \"/card/number\" expected");
        else if (pointer_valid(text))
            pointers[used++] = read_copy(checking, text);
        else if (text[0] != '/')
            finding_add(checking, FINDING_ERROR, "a JSON Pointer begins with '/'; did you mean \"%s\"?", as_pointer(text, near, sizeof near));
        else
            finding_add(checking, FINDING_ERROR, "in a JSON Pointer '~' stands as \"~0\", and '/' in a name as \"~1\"");
        read_leave(checking, inner);
    }
    read_leave(checking, len);
    return pointers;
}

static void schema_says(void *context, bool warning, const char *pointer, bool of_key, const char *text)
{
    struct checking *checking = context;
    size_t len = checking->pointer.len;

    buffer_text(&checking->pointer, pointer);
    finding_at(checking, warning ? FINDING_WARNING : FINDING_ERROR, NULL, of_key, 0, "%s", text);
    checking->pointer.len = len;
}

struct schema *read_payload_schema(struct checking *checking, const json_t *doc)
{
    json_t *value = json_object_get(doc, "schema");
    struct schema *schema = NULL;
    size_t len = 0;

    if (value == NULL)
        return NULL;
    if (!json_is_object(value)) {
        WRONG(checking, "schema", json_is_string(value) ? "the schema itself expected: the file of a definition may name a file, but what is published "
                                                          "holds everything (baton deploy puts it in)"
                                                        : "a JSON Schema, or in a file the name of one, expected");
        return NULL;
    }
    len = read_enter(checking, "schema");
    if (schema_compile(value, schema_says, checking, &schema) == BATON_E_NOMEM)
        checking->no_memory = true;
    read_leave(checking, len);
    return schema;
}

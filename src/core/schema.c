/*
 * schema.c -- a schema document into nodes.
 *
 * Owns:     which keywords there are and what may stand there; references; what is refused because it could not be checked in bounds.
 * Standard: JSON Schema draft 7 (Wright, Andrews, Luff, draft-handrews-json-schema-validation-01, 2018).
 * Tests:    tests/core/test_schema.c; tests/schemas/schema_oracle.cpp compares with another implementation
 */
#include "schema_internal.h"
#include <baton/buffer.h>
#include <baton/definition.h>
#include <baton/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pending { /* a $ref, to be resolved when all is read */
    int node;
    const char *target;
    char *pointer; /* of the $ref */
};

struct compiling {
    struct schema *schema;
    schema_say say;
    void *context;
    struct buffer pointer;
    struct pending *pending;
    size_t pending_len, pending_cap;
    bool wrong, no_memory, too_many;
};

/* --- saying --- */

static void say(struct compiling *compiling, bool warning, const char *key, bool of_key, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static void say(struct compiling *compiling, bool warning, const char *key, bool of_key, const char *format, ...)
{
    size_t len = compiling->pointer.len;
    char text[512];
    const char *pointer = NULL;
    va_list args;

    if (key != NULL)
        json_pointer_push(&compiling->pointer, key);
    pointer = buffer_cstr(&compiling->pointer);
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    baton_text_clean(text);
    compiling->say(compiling->context, warning, pointer == NULL ? "" : pointer, of_key, text);
    compiling->wrong = compiling->wrong || !warning;
    compiling->pointer.len = len;
}

#define WRONG(compiling, key, ...) say((compiling), false, (key), false, __VA_ARGS__)

static void *get_memory(struct compiling *compiling, size_t n, size_t size)
{
    void *memory = calloc(n == 0 ? 1 : n, size);

    compiling->no_memory = compiling->no_memory || memory == NULL;
    return memory;
}

/* --- nodes --- */

static const char *const kind_names[KINDS] = {"null", "boolean", "object", "array", "string", "number", "integer"};

static const char *const keywords[] = {
    "$comment", "$id", "$ref", "$schema", "additionalItems", "additionalProperties", "allOf", "anyOf", "const", "contains",
    "contentEncoding", "contentMediaType", "default", "definitions", "dependencies", "description", "else", "enum", "examples",
    "exclusiveMaximum", "exclusiveMinimum", "format", "if", "items", "maxItems", "maxLength", "maxProperties", "maximum", "minItems",
    "minLength", "minProperties", "minimum", "multipleOf", "not", "oneOf", "pattern", "patternProperties", "properties", "propertyNames",
    "readOnly", "required", "then", "title", "type", "uniqueItems", "writeOnly",
};
#define KEYWORDS (sizeof keywords / sizeof *keywords)

static int compile_node(struct compiling *compiling, const json_t *doc);

/* -1 when there are too many (said once) or memory ran out. */
static int add_node(struct compiling *compiling, const json_t *doc)
{
    struct schema *schema = compiling->schema;

    if (schema->len == SCHEMA_NODES_MAX) {
        if (!compiling->too_many)
            WRONG(compiling, NULL, "more than %d schemas in one", SCHEMA_NODES_MAX);
        compiling->too_many = true;
        return -1;
    }
    if (schema->len == schema->cap) {
        int cap = schema->cap == 0 ? 16 : schema->cap * 2;
        struct node *nodes = realloc(schema->nodes, (size_t)cap * sizeof *nodes);

        if (nodes == NULL) {
            compiling->no_memory = true;
            return -1;
        }
        schema->nodes = nodes;
        schema->cap = cap;
    }
    schema->nodes[schema->len] = (struct node){.doc = doc, .verdict = -1, .ref = -1, .max_length = -1, .min_length = -1, .max_items = -1,
                                               .min_items = -1, .max_properties = -1, .min_properties = -1, .items = -1,
                                               .additional_items = -1, .contains = -1, .additional_properties = -1,
                                               .property_names = -1, .none = -1, .when = -1, .then = -1, .otherwise = -1};
    return schema->len++;
}

/* While nodes are added they move: what is read goes into a copy, which is put back at the end. */
static int read_schema(struct compiling *compiling, const json_t *doc, const char *key)
{
    const json_t *value = json_object_get(doc, key);
    size_t len = compiling->pointer.len;
    int node = -1;

    if (value == NULL)
        return -1;
    json_pointer_push(&compiling->pointer, key);
    node = compile_node(compiling, value);
    compiling->pointer.len = len;
    return node;
}

static struct nodes read_schemas(struct compiling *compiling, const json_t *doc, const char *key)
{
    const json_t *value = json_object_get(doc, key);
    size_t n = json_array_size(value), len = compiling->pointer.len;
    struct nodes nodes = {0};

    if (value == NULL)
        return nodes;
    if (!json_is_array(value) || n == 0) {
        WRONG(compiling, key, "a list of schemas expected, at least one");
        return nodes;
    }
    nodes.items = get_memory(compiling, n, sizeof *nodes.items);
    if (nodes.items == NULL)
        return nodes;
    json_pointer_push(&compiling->pointer, key);
    for (size_t i = 0; i < n; i++) {
        size_t inner = compiling->pointer.len;

        buffer_char(&compiling->pointer, '/');
        buffer_int(&compiling->pointer, (int64_t)i);
        nodes.items[nodes.len++] = compile_node(compiling, json_array_get(value, i));
        compiling->pointer.len = inner;
    }
    compiling->pointer.len = len;
    return nodes;
}

/* The members of an object of schemas; NULL if it is none (said) or empty. */
static const json_t *schema_object(struct compiling *compiling, const json_t *doc, const char *key)
{
    const json_t *value = json_object_get(doc, key);

    if (value != NULL && !json_is_object(value))
        WRONG(compiling, key, "an object of schemas expected");
    return json_object_size(value) == 0 ? NULL : value;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

static void read_properties(struct compiling *compiling, const json_t *doc, struct node *node)
{
    json_t *object = (json_t *)(uintptr_t)schema_object(compiling, doc, "properties");
    size_t len = compiling->pointer.len;

    if (object == NULL)
        return;
    node->properties = get_memory(compiling, json_object_size(object), sizeof *node->properties);
    if (node->properties == NULL)
        return;
    json_pointer_push(&compiling->pointer, "properties");
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at))
        node->properties[node->properties_len++] =
            (struct named){json_object_iter_key(at), read_schema(compiling, object, json_object_iter_key(at))};
    compiling->pointer.len = len;
    qsort(node->properties, node->properties_len, sizeof *node->properties, by_name);
}

static struct regex *read_regex(struct compiling *compiling, const char *text, const char *key, bool of_key)
{
    struct regex *regex = NULL;
    struct baton_error err;
    enum baton_err rc = regex_compile(text, strlen(text), &regex, &err);

    if (rc == BATON_E_NOMEM)
        compiling->no_memory = true;
    else if (rc != BATON_OK)
        say(compiling, false, key, of_key, "%.400s", err.text);
    return regex;
}

static void read_patterns(struct compiling *compiling, const json_t *doc, struct node *node)
{
    json_t *object = (json_t *)(uintptr_t)schema_object(compiling, doc, "patternProperties");
    size_t len = compiling->pointer.len;

    if (object == NULL)
        return;
    node->patterns = get_memory(compiling, json_object_size(object), sizeof *node->patterns);
    if (node->patterns == NULL)
        return;
    json_pointer_push(&compiling->pointer, "patternProperties");
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
        const char *key = json_object_iter_key(at);
        struct regex *regex = read_regex(compiling, key, key, true);
        int inner = read_schema(compiling, object, key);

        if (regex != NULL)
            node->patterns[node->patterns_len++] = (struct patterned){regex, inner};
    }
    compiling->pointer.len = len;
}

static bool texts(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!json_is_string(json_array_get(list, i)))
            return false;
    }
    return json_is_array(list);
}

static void read_dependencies(struct compiling *compiling, const json_t *doc, struct node *node)
{
    json_t *object = (json_t *)(uintptr_t)schema_object(compiling, doc, "dependencies");
    size_t len = compiling->pointer.len;

    if (object == NULL)
        return;
    node->dependencies = get_memory(compiling, json_object_size(object), sizeof *node->dependencies);
    if (node->dependencies == NULL)
        return;
    json_pointer_push(&compiling->pointer, "dependencies");
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
        const char *key = json_object_iter_key(at);
        const json_t *value = json_object_iter_value(at);
        bool names = json_is_array(value);

        if (names && !texts(value))
            WRONG(compiling, key, "a list of names expected, or a schema");
        node->dependencies[node->dependencies_len++] =
            (struct dependency){key, names ? -1 : read_schema(compiling, object, key), names ? value : NULL};
    }
    compiling->pointer.len = len;
}

/* --- plain keywords --- */

static void read_type(struct compiling *compiling, const json_t *doc, struct node *node)
{
    const json_t *value = json_object_get(doc, "type");
    size_t n = json_is_array(value) ? json_array_size(value) : 1;

    if (value == NULL)
        return;
    if (n == 0)
        WRONG(compiling, "type", "at least one type expected");
    for (size_t i = 0; i < n; i++) {
        const char *name = json_string_value(json_is_array(value) ? json_array_get(value, i) : value), *near = NULL;
        unsigned bit = 0;

        for (int k = 0; name != NULL && k < KINDS; k++)
            bit |= strcmp(name, kind_names[k]) == 0 ? 1U << k : 0;
        node->types |= bit;
        if (bit != 0)
            continue;
        near = name == NULL ? NULL : nearest_name(name, kind_names, KINDS);
        WRONG(compiling, "type", "null, boolean, object, array, string, number or integer expected%s%s%s",
              near != NULL ? "; did you mean \"" : "", near != NULL ? near : "", near != NULL ? "\"?" : "");
    }
}

static void read_allowed(struct compiling *compiling, const json_t *doc, struct node *node)
{
    const json_t *list = json_object_get(doc, "enum");

    node->constant = json_object_get(doc, "const");
    if (list == NULL)
        return;
    if (!json_is_array(list) || json_array_size(list) == 0) {
        WRONG(compiling, "enum", "a list of values expected, at least one");
        return;
    }
    node->allowed = get_memory(compiling, json_array_size(list), sizeof *node->allowed);
    if (node->allowed == NULL)
        return;
    for (size_t i = 0; i < json_array_size(list); i++)
        node->allowed[node->allowed_len++] = (struct hashed){schema_hash(json_array_get(list, i)), json_array_get(list, i)};
    qsort(node->allowed, node->allowed_len, sizeof *node->allowed, schema_by_hash);
}

static const json_t *read_number(struct compiling *compiling, const json_t *doc, const char *key)
{
    const json_t *value = json_object_get(doc, key);

    if (value == NULL || json_is_number(value))
        return value;
    WRONG(compiling, key, "a number expected");
    return NULL;
}

static json_int_t read_count(struct compiling *compiling, const json_t *doc, const char *key)
{
    const json_t *value = json_object_get(doc, key);

    if (value == NULL)
        return -1;
    if (json_is_integer(value) && json_integer_value(value) >= 0)
        return json_integer_value(value);
    WRONG(compiling, key, "a whole number from 0 expected");
    return -1;
}

static bool read_flag(struct compiling *compiling, const json_t *doc, const char *key)
{
    const json_t *value = json_object_get(doc, key);

    if (value != NULL && !json_is_boolean(value))
        WRONG(compiling, key, "true or false expected");
    return json_is_true(value);
}

static void read_plain(struct compiling *compiling, const json_t *doc, struct node *node)
{
    const json_t *pattern = json_object_get(doc, "pattern");

    read_type(compiling, doc, node);
    read_allowed(compiling, doc, node);
    node->maximum = read_number(compiling, doc, "maximum");
    node->exclusive_maximum = read_number(compiling, doc, "exclusiveMaximum");
    node->minimum = read_number(compiling, doc, "minimum");
    node->exclusive_minimum = read_number(compiling, doc, "exclusiveMinimum");
    node->multiple_of = read_number(compiling, doc, "multipleOf");
    if (node->multiple_of != NULL && json_number_value(node->multiple_of) <= 0)
        WRONG(compiling, "multipleOf", "a number above 0 expected");
    node->max_length = read_count(compiling, doc, "maxLength");
    node->min_length = read_count(compiling, doc, "minLength");
    node->max_items = read_count(compiling, doc, "maxItems");
    node->min_items = read_count(compiling, doc, "minItems");
    node->max_properties = read_count(compiling, doc, "maxProperties");
    node->min_properties = read_count(compiling, doc, "minProperties");
    node->unique = read_flag(compiling, doc, "uniqueItems");
    node->required = json_object_get(doc, "required");
    if (node->required != NULL && !texts(node->required)) {
        WRONG(compiling, "required", "a list of names expected");
        node->required = NULL;
    }
    if (json_is_string(pattern))
        node->pattern = read_regex(compiling, json_string_value(pattern), "pattern", false);
    else if (pattern != NULL)
        WRONG(compiling, "pattern", "a text expected");
}

static void warn_unknown(struct compiling *compiling, const json_t *doc)
{
    json_t *object = (json_t *)(uintptr_t)doc;

    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
        const char *key = json_object_iter_key(at), *near = NULL;
        bool known = false;

        for (size_t i = 0; i < KEYWORDS && !known; i++)
            known = strcmp(keywords[i], key) == 0;
        near = known || strncmp(key, "x-", 2) == 0 ? NULL : nearest_name(key, keywords, KEYWORDS);
        if (near != NULL)
            say(compiling, true, key, true, "unknown keyword \"%.60s\" says nothing; did you mean \"%s\"?", key, near);
    }
}

/* --- references --- */

static void note_reference(struct compiling *compiling, const json_t *doc, int node)
{
    const char *target = json_string_value(json_object_get(doc, "$ref")), *pointer = NULL;
    struct pending *pending = NULL;

    if (target == NULL) {
        WRONG(compiling, "$ref", "a text expected");
        return;
    }
    if (target[0] != '#' || (target[1] != '\0' && target[1] != '/')) {
        WRONG(compiling, "$ref", "\"%.100s\" is outside of this document: only \"#\" and \"#/...\" are followed; put it into \"definitions\"", target);
        return;
    }
    if (compiling->pending_len == compiling->pending_cap) {
        size_t cap = compiling->pending_cap == 0 ? 16 : compiling->pending_cap * 2;

        pending = realloc(compiling->pending, cap * sizeof *pending);
        if (pending == NULL) {
            compiling->no_memory = true;
            return;
        }
        compiling->pending = pending;
        compiling->pending_cap = cap;
    }
    pointer = buffer_cstr(&compiling->pointer);
    pending = &compiling->pending[compiling->pending_len];
    *pending = (struct pending){node, target + 1, pointer == NULL ? NULL : strdup(pointer)};
    if (pending->pointer == NULL)
        compiling->no_memory = true;
    else
        compiling->pending_len++;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One token of a pointer in a URI fragment: %xx, then ~1 and ~0. */
static bool take_token(const char **at, struct buffer *token)
{
    buffer_clear(token);
    for ((*at)++; **at != '\0' && **at != '/'; (*at)++) {
        char c = **at;

        if (c == '%') {
            int high = hex((*at)[1]), low = high < 0 ? -1 : hex((*at)[2]);

            if (low < 0 || high * 16 + low == 0)
                return false;
            c = (char)(high * 16 + low);
            *at += 2;
        }
        buffer_char(token, c);
    }
    return buffer_cstr(token) != NULL;
}

static void untilde(char *text)
{
    char *to = text;

    for (; *text != '\0'; text++) {
        *to = *text;
        if (*text == '~' && (text[1] == '0' || text[1] == '1'))
            *to = *++text == '0' ? '~' : '/';
        to++;
    }
    *to = '\0';
}

static const json_t *resolve(const json_t *doc, const char *target)
{
    struct buffer token = {0};

    while (doc != NULL && *target == '/') {
        char *end = NULL;

        if (!take_token(&target, &token)) {
            doc = NULL;
            break;
        }
        untilde(token.data);
        if (json_is_array(doc)) {
            unsigned long index = strtoul(token.data, &end, 10);

            doc = end != token.data && *end == '\0' ? json_array_get(doc, index) : NULL;
        } else {
            doc = json_object_get(doc, token.data);
        }
    }
    buffer_free(&token);
    return doc;
}

/* Its targets may hold references of their own, which stand behind then. */
static void resolve_all(struct compiling *compiling)
{
    for (size_t i = 0; i < compiling->pending_len && !compiling->no_memory && !compiling->too_many; i++) {
        struct pending pending = compiling->pending[i];
        const json_t *doc = resolve(compiling->schema->doc, pending.target);
        int node = -1;

        buffer_clear(&compiling->pointer);
        if (doc == NULL) {
            buffer_text(&compiling->pointer, pending.pointer);
            WRONG(compiling, "$ref", "nothing stands at \"#%.100s\"", pending.target);
            continue;
        }
        buffer_text(&compiling->pointer, pending.target);
        node = compile_node(compiling, doc);
        compiling->schema->nodes[pending.node].ref = node;
    }
}

/* --- round in place --- */

enum colour { WHITE, GREY, BLACK };

static bool round_from(const struct schema *schema, int node, char *colours, int depth);

static bool round_among(const struct schema *schema, const struct nodes *nodes, char *colours, int depth)
{
    for (size_t i = 0; i < nodes->len; i++) {
        if (round_from(schema, nodes->items[i], colours, depth))
            return true;
    }
    return false;
}

/* Does the same value come to the same schema again? Then a check would never end. */
static bool round_from(const struct schema *schema, int index, char *colours, int depth)
{
    const struct node *node = index < 0 ? NULL : &schema->nodes[index];
    bool found = false;

    if (node == NULL || colours[index] == BLACK)
        return false;
    if (colours[index] == GREY || depth > SCHEMA_DEPTH_MAX)
        return true;
    colours[index] = GREY;
    depth++;
    found = round_from(schema, node->ref, colours, depth) || round_from(schema, node->none, colours, depth) ||
            round_from(schema, node->when, colours, depth) || round_from(schema, node->then, colours, depth) ||
            round_from(schema, node->otherwise, colours, depth) || round_among(schema, &node->all, colours, depth) ||
            round_among(schema, &node->any, colours, depth) || round_among(schema, &node->one, colours, depth);
    for (size_t i = 0; i < node->dependencies_len && !found; i++)
        found = round_from(schema, node->dependencies[i].node, colours, depth);
    colours[index] = BLACK;
    return found;
}

static void check_round(struct compiling *compiling)
{
    char *colours = get_memory(compiling, (size_t)compiling->schema->len, 1);

    for (int i = 0; colours != NULL && i < compiling->schema->len; i++) {
        if (!round_from(compiling->schema, i, colours, 0))
            continue;
        buffer_clear(&compiling->pointer);
        for (size_t k = 0; k < compiling->pending_len; k++) {
            if (compiling->pending[k].node == i)
                buffer_text(&compiling->pointer, compiling->pending[k].pointer);
        }
        WRONG(compiling, NULL, "comes back to itself for the same value (or is nested deeper than %d): a check would never end", SCHEMA_DEPTH_MAX);
        break;
    }
    free(colours);
}

/* --- the frame --- */

static void read_inside(struct compiling *compiling, const json_t *doc, struct node *node)
{
    const json_t *items = json_object_get(doc, "items");

    if (json_is_array(items))
        node->tuple = read_schemas(compiling, doc, "items");
    else
        node->items = read_schema(compiling, doc, "items");
    node->additional_items = json_is_array(items) ? read_schema(compiling, doc, "additionalItems") : -1;
    node->contains = read_schema(compiling, doc, "contains");
    read_properties(compiling, doc, node);
    read_patterns(compiling, doc, node);
    node->additional_properties = read_schema(compiling, doc, "additionalProperties");
    node->property_names = read_schema(compiling, doc, "propertyNames");
    read_dependencies(compiling, doc, node);
    node->all = read_schemas(compiling, doc, "allOf");
    node->any = read_schemas(compiling, doc, "anyOf");
    node->one = read_schemas(compiling, doc, "oneOf");
    node->none = read_schema(compiling, doc, "not");
    node->when = read_schema(compiling, doc, "if");
    node->then = node->when < 0 ? -1 : read_schema(compiling, doc, "then");
    node->otherwise = node->when < 0 ? -1 : read_schema(compiling, doc, "else");
}

/* What is under "definitions" is checked too, used or not. */
static void read_definitions(struct compiling *compiling, const json_t *doc)
{
    json_t *object = (json_t *)(uintptr_t)schema_object(compiling, doc, "definitions");
    size_t len = compiling->pointer.len;

    if (object == NULL)
        return;
    json_pointer_push(&compiling->pointer, "definitions");
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at))
        (void)read_schema(compiling, object, json_object_iter_key(at));
    compiling->pointer.len = len;
}

static int node_of(const struct schema *schema, const json_t *doc)
{
    for (int i = 0; json_is_object(doc) && i < schema->len; i++) {
        if (schema->nodes[i].doc == doc)
            return i;
    }
    return -1;
}

static int compile_node(struct compiling *compiling, const json_t *doc)
{
    int index = node_of(compiling->schema, doc);
    struct node node;

    if (index >= 0)
        return index; /* by a reference */
    if (!json_is_object(doc) && !json_is_boolean(doc)) {
        WRONG(compiling, NULL, "a schema expected: an object, true or false");
        return -1;
    }
    index = add_node(compiling, doc);
    if (index < 0)
        return -1;
    node = compiling->schema->nodes[index];
    if (json_is_boolean(doc)) {
        node.verdict = json_is_true(doc);
    } else if (json_object_get(doc, "$ref") != NULL) {
        note_reference(compiling, doc, index); /* what stands beside it says nothing */
        read_definitions(compiling, doc);
    } else {
        const json_t *version = json_object_get(doc, "$schema");

        if (json_is_string(version) && strstr(json_string_value(version), "draft-07") == NULL && strstr(json_string_value(version), "draft-06") == NULL)
            say(compiling, true, "$schema", false, "read as draft 7 (http://json-schema.org/draft-07/schema#)");
        if (index > 0 && json_object_get(doc, "$id") != NULL)
            say(compiling, false, "$id", true, "only the whole schema may have an \"$id\": references are followed from there");
        warn_unknown(compiling, doc);
        read_plain(compiling, doc, &node);
        read_inside(compiling, doc, &node);
        read_definitions(compiling, doc);
    }
    compiling->schema->nodes[index] = node;
    return index;
}

enum baton_err schema_compile(const json_t *doc, schema_say say_it, void *context, struct schema **ret_schema)
{
    struct compiling compiling = {.schema = calloc(1, sizeof *compiling.schema), .say = say_it, .context = context};
    enum baton_err rc = BATON_OK;

    if (compiling.schema == NULL)
        return BATON_E_NOMEM;
    compiling.schema->doc = json_incref((json_t *)(uintptr_t)doc);
    (void)compile_node(&compiling, doc);
    resolve_all(&compiling);
    if (!compiling.wrong && !compiling.no_memory)
        check_round(&compiling);
    if (compiling.no_memory || compiling.pointer.failed)
        rc = BATON_E_NOMEM;
    else if (compiling.wrong)
        rc = BATON_E_INVALID;
    for (size_t i = 0; i < compiling.pending_len; i++)
        free(compiling.pending[i].pointer);
    free(compiling.pending);
    buffer_free(&compiling.pointer);
    if (rc != BATON_OK) {
        schema_free(compiling.schema);
        return rc;
    }
    *ret_schema = compiling.schema;
    return BATON_OK;
}

void schema_free(struct schema *schema)
{
    if (schema == NULL)
        return;
    for (int i = 0; i < schema->len; i++) {
        struct node *node = &schema->nodes[i];

        for (size_t k = 0; k < node->patterns_len; k++)
            regex_free(node->patterns[k].regex);
        regex_free(node->pattern);
        free(node->patterns);
        free(node->properties);
        free(node->dependencies);
        free(node->allowed);
        free(node->tuple.items);
        free(node->all.items);
        free(node->any.items);
        free(node->one.items);
    }
    free(schema->nodes);
    json_decref(schema->doc);
    free(schema);
}

/*
 * schema_check.c -- a payload against a compiled schema.
 *
 * Owns:     what each keyword demands; the bounds of a check; the words for what is wrong, without a value of the payload in them.
 * Tests:    tests/core/test_schema.c; tests/schemas/schema_oracle.cpp compares with another implementation
 */
#include "schema_internal.h"
#include "utf8.h"
#include <baton/buffer.h>
#include <baton/json.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 160 /* bytes of one error's text, pointer included */

struct checking {
    const struct schema *schema;
    struct buffer pointer; /* where in the payload */
    struct buffer text;    /* the errors so far */
    size_t errors;
    int silent; /* > 0: inside of anyOf, not and the like: only the answer counts */
    int depth;
    int64_t steps;         /* left */
    bool too_much, too_deep, no_memory;
};

/* --- values --- */

int schema_compare(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b)) {
        json_int_t left = json_integer_value(a), right = json_integer_value(b);

        return left < right ? -1 : left > right;
    }
    return json_number_value(a) < json_number_value(b) ? -1 : json_number_value(a) > json_number_value(b);
}

static bool equal_objects(const json_t *a, const json_t *b)
{
    json_t *object = (json_t *)(uintptr_t)a;

    if (json_object_size(a) != json_object_size(b))
        return false;
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
        const json_t *other = json_object_get(b, json_object_iter_key(at));

        if (other == NULL || !schema_equal(json_object_iter_value(at), other))
            return false;
    }
    return true;
}

bool schema_equal(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b))
        return schema_compare(a, b) == 0;
    if (json_typeof(a) != json_typeof(b))
        return false;
    if (json_is_object(a))
        return equal_objects(a, b);
    if (!json_is_array(a))
        return json_equal(a, b) != 0;
    if (json_array_size(a) != json_array_size(b))
        return false;
    for (size_t i = 0; i < json_array_size(a); i++) {
        if (!schema_equal(json_array_get(a, i), json_array_get(b, i)))
            return false;
    }
    return true;
}

/* FNV-1a (Fowler, Noll, Vo). */
static uint64_t mix(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

uint64_t schema_hash(const json_t *value)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325), inner = 0;
    int type = json_is_integer(value) ? JSON_REAL : (int)json_typeof(value);
    double number = 0;

    hash = mix(hash, &type, sizeof type);
    if (json_is_number(value)) {
        number = json_number_value(value) + 0.0; /* -0.0 is 0 */
        return mix(hash, &number, sizeof number);
    }
    if (json_is_string(value))
        return mix(hash, json_string_value(value), json_string_length(value));
    if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++) {
            inner = schema_hash(json_array_get(value, i));
            hash = mix(hash, &inner, sizeof inner);
        }
    } else if (json_is_object(value)) {
        json_t *object = (json_t *)(uintptr_t)value;

        for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) { /* in any order */
            uint64_t member = schema_hash(json_object_iter_value(at));

            inner += mix(member, json_object_iter_key(at), strlen(json_object_iter_key(at)));
        }
        hash = mix(hash, &inner, sizeof inner);
    }
    return hash;
}

int schema_by_hash(const void *a, const void *b)
{
    uint64_t left = ((const struct hashed *)a)->hash, right = ((const struct hashed *)b)->hash;

    return left < right ? -1 : left > right;
}

static int64_t size_of(const json_t *value)
{
    int64_t size = 1 + (int64_t)json_string_length(value) / 8;

    for (size_t i = 0; i < json_array_size(value); i++)
        size += size_of(json_array_get(value, i));
    if (json_is_object(value)) {
        json_t *object = (json_t *)(uintptr_t)value;

        for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at))
            size += 1 + size_of(json_object_iter_value(at));
    }
    return size;
}

/* --- saying --- */

static bool fails(struct checking *checking, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* False, and the error told unless nobody would see it. */
static bool fails(struct checking *checking, const char *format, ...)
{
    char words[WORDS_MAX];
    size_t len = checking->pointer.len < WORDS_MAX / 2 ? checking->pointer.len : WORDS_MAX / 2;
    va_list args;

    if (checking->silent > 0)
        return false;
    if (checking->errors++ >= SCHEMA_ERRORS_MAX)
        return false;
    va_start(args, format);
    (void)vsnprintf(words, sizeof words - len, format, args);
    va_end(args);
    if (checking->text.len > 0)
        buffer_text(&checking->text, "; ");
    if (len == 0)
        buffer_text(&checking->text, "(root)");
    buffer_append(&checking->text, checking->pointer.data, len);
    if (len < checking->pointer.len)
        buffer_text(&checking->text, "...");
    buffer_text(&checking->text, ": ");
    buffer_text(&checking->text, words);
    return false;
}

static bool afford(struct checking *checking, int64_t steps)
{
    checking->steps -= steps;
    if (checking->steps < 0)
        checking->too_much = true;
    return !checking->too_much;
}

static const char *const kind_words[KINDS] = {"null", "a boolean", "an object", "an array", "a text", "a number", "a whole number"};

/* The kinds that a value is of: a whole number is of two. */
static unsigned kinds_of(const json_t *value)
{
    double number = 0;

    switch (json_typeof(value)) {
    case JSON_NULL: return 1U << KIND_NULL;
    case JSON_TRUE:
    case JSON_FALSE: return 1U << KIND_BOOLEAN;
    case JSON_OBJECT: return 1U << KIND_OBJECT;
    case JSON_ARRAY: return 1U << KIND_ARRAY;
    case JSON_STRING: return 1U << KIND_STRING;
    case JSON_INTEGER: return 1U << KIND_NUMBER | 1U << KIND_INTEGER;
    case JSON_REAL:
        number = json_real_value(value);
        return 1U << KIND_NUMBER | (floor(number) == number ? 1U << KIND_INTEGER : 0);
    }
    return 0;
}

static const char *kind_word(unsigned kinds)
{
    int kind = 0;

    while (kind < KINDS - 1 && (kinds & 1U << kind) == 0)
        kind++;
    return kind_words[kind];
}

static bool check(struct checking *checking, int index, const json_t *value);

/* Is it of this schema? Nothing is said. */
static bool is(struct checking *checking, int index, const json_t *value)
{
    bool yes = false;

    checking->silent++;
    yes = check(checking, index, value);
    checking->silent--;
    return yes;
}

/* --- keywords --- */

static bool check_type(struct checking *checking, const struct node *node, const json_t *value)
{
    char wanted[96] = "";
    unsigned kinds = kinds_of(value), shown = node->types;

    if (node->types == 0 || (node->types & kinds) != 0)
        return true;
    if ((shown & 1U << KIND_NUMBER) != 0)
        shown &= ~(1U << KIND_INTEGER);
    for (int i = 0; i < KINDS; i++) {
        size_t len = strlen(wanted);

        if ((shown & 1U << i) != 0)
            (void)snprintf(wanted + len, sizeof wanted - len, "%s%s", len > 0 ? " or " : "", kind_words[i]);
    }
    return fails(checking, "%s expected, not %s", wanted, kind_word(kinds));
}

static bool check_allowed(struct checking *checking, const struct node *node, const json_t *value)
{
    uint64_t hash = 0;
    size_t from = 0, to = node->allowed_len;

    if (node->constant != NULL && (!afford(checking, size_of(node->constant)) || !schema_equal(value, node->constant)))
        return fails(checking, "not the one value that may stand here");
    if (node->allowed == NULL)
        return true;
    if (!afford(checking, size_of(value)))
        return false;
    hash = schema_hash(value);
    while (from < to) {
        size_t half = from + (to - from) / 2;

        if (node->allowed[half].hash < hash)
            from = half + 1;
        else
            to = half;
    }
    for (; from < node->allowed_len && node->allowed[from].hash == hash; from++) {
        if (!afford(checking, size_of(value)))
            return false;
        if (schema_equal(node->allowed[from].value, value))
            return true;
    }
    return fails(checking, "not one of the %zu values that may stand here", node->allowed_len);
}

static bool is_multiple(const json_t *value, const json_t *of)
{
    double quotient = 0;

    if (json_is_integer(value) && json_is_integer(of))
        return json_integer_value(value) % json_integer_value(of) == 0;
    quotient = json_number_value(value) / json_number_value(of);
    return fabs(quotient - round(quotient)) <= 4 * DBL_EPSILON * fabs(quotient); /* 19.99 is a multiple of 0.01, in decimal */
}

/* A bound of the schema in words; the payload's number stays untold. */
static bool beyond(struct checking *checking, const char *what, const json_t *bound)
{
    char number[JSON_REAL_MAX];

    if (json_is_integer(bound))
        return fails(checking, "%s %" JSON_INTEGER_FORMAT " expected", what, json_integer_value(bound));
    return fails(checking, "%s %.*s expected", what, (int)json_real_text(json_real_value(bound), number), number);
}

static bool check_number(struct checking *checking, const struct node *node, const json_t *value)
{
    bool fine = true;

    if (node->maximum != NULL && schema_compare(value, node->maximum) > 0)
        fine = beyond(checking, "at most", node->maximum);
    if (node->exclusive_maximum != NULL && schema_compare(value, node->exclusive_maximum) >= 0)
        fine = beyond(checking, "less than", node->exclusive_maximum);
    if (node->minimum != NULL && schema_compare(value, node->minimum) < 0)
        fine = beyond(checking, "at least", node->minimum);
    if (node->exclusive_minimum != NULL && schema_compare(value, node->exclusive_minimum) <= 0)
        fine = beyond(checking, "more than", node->exclusive_minimum);
    if (node->multiple_of != NULL && !is_multiple(value, node->multiple_of))
        fine = beyond(checking, "a multiple of", node->multiple_of);
    return fine;
}

static bool within(struct checking *checking, size_t count, json_int_t least, json_int_t most, const char *what)
{
    if (most >= 0 && (json_int_t)count > most)
        return fails(checking, "at most %" JSON_INTEGER_FORMAT " %s expected, not %zu", most, what, count);
    if (least >= 0 && (json_int_t)count < least)
        return fails(checking, "at least %" JSON_INTEGER_FORMAT " %s expected, not %zu", least, what, count);
    return true;
}

static bool matches(struct checking *checking, struct regex *regex, const char *text, size_t len)
{
    bool found = regex_search(regex, text, len, &checking->steps);

    return afford(checking, 0) && found;
}

static bool check_text(struct checking *checking, const struct node *node, const json_t *value)
{
    const char *text = json_string_value(value);
    size_t len = json_string_length(value), count = 0;
    bool fine = true;

    if (node->max_length >= 0 || node->min_length >= 0) {
        if (!afford(checking, (int64_t)len / 64))
            return false;
        for (size_t i = 0; i < len; i++)
            count += ((unsigned char)text[i] & 0xc0) != 0x80;
        fine = within(checking, count, node->min_length, node->max_length, "characters");
    }
    if (node->pattern != NULL && !matches(checking, node->pattern, text, len))
        fine = fails(checking, "does not match the pattern %.80s", json_string_value(json_object_get(node->doc, "pattern")));
    return fine;
}

static bool check_unique(struct checking *checking, const json_t *value)
{
    size_t n = json_array_size(value);
    struct hashed *all = NULL;
    bool fine = true;

    if (n < 2 || !afford(checking, size_of(value)))
        return true;
    all = malloc(n * sizeof *all);
    if (all == NULL) {
        checking->no_memory = true;
        return false;
    }
    for (size_t i = 0; i < n; i++)
        all[i] = (struct hashed){schema_hash(json_array_get(value, i)), json_array_get(value, i)};
    qsort(all, n, sizeof *all, schema_by_hash);
    for (size_t i = 0; i < n && fine; i++) {
        for (size_t k = i + 1; k < n && fine && all[k].hash == all[i].hash && afford(checking, size_of(all[k].value)); k++)
            fine = !schema_equal(all[i].value, all[k].value);
    }
    free(all);
    return fine || fails(checking, "no two items alike expected");
}

static size_t enter_index(struct checking *checking, size_t index)
{
    size_t len = checking->pointer.len;

    if (checking->silent == 0) {
        buffer_char(&checking->pointer, '/');
        buffer_int(&checking->pointer, (int64_t)index);
    }
    return len;
}

static size_t enter(struct checking *checking, const char *key)
{
    size_t len = checking->pointer.len;

    if (checking->silent == 0)
        json_pointer_push(&checking->pointer, key);
    return len;
}

static bool check_items(struct checking *checking, const struct node *node, const json_t *value)
{
    size_t n = json_array_size(value);
    bool fine = within(checking, n, node->min_items, node->max_items, "items"), found = node->contains < 0;

    if (node->unique && !check_unique(checking, value))
        fine = false;
    for (size_t i = 0; i < n && !checking->too_much; i++) {
        const json_t *item = json_array_get(value, i);
        int inner = i < node->tuple.len ? node->tuple.items[i] : node->tuple.len > 0 ? node->additional_items : node->items;
        size_t len = enter_index(checking, i);

        if (inner >= 0 && !check(checking, inner, item))
            fine = false;
        checking->pointer.len = len;
        found = found || is(checking, node->contains, item);
    }
    if (!found)
        fine = fails(checking, "no item is as \"contains\" demands");
    return fine;
}

static int property_of(const struct node *node, const char *key)
{
    size_t from = 0, to = node->properties_len;

    while (from < to) {
        size_t half = from + (to - from) / 2;
        int order = strcmp(node->properties[half].name, key);

        if (order == 0)
            return node->properties[half].node;
        if (order < 0)
            from = half + 1;
        else
            to = half;
    }
    return -1;
}

static bool check_name(struct checking *checking, const struct node *node, const char *key)
{
    json_t *name = NULL;
    bool fine = true;

    if (node->property_names < 0)
        return true;
    name = json_string(key);
    if (name == NULL)
        checking->no_memory = true;
    else
        fine = is(checking, node->property_names, name) || fails(checking, "a name that \"propertyNames\" does not allow");
    json_decref(name);
    return fine;
}

static bool check_member(struct checking *checking, const struct node *node, const char *key, const json_t *value)
{
    int named = property_of(node, key);
    bool fine = check_name(checking, node, key), known = named >= 0;

    if (known && !check(checking, named, value))
        fine = false;
    for (size_t i = 0; i < node->patterns_len; i++) {
        if (!matches(checking, node->patterns[i].regex, key, strlen(key)))
            continue;
        known = true;
        fine = check(checking, node->patterns[i].node, value) && fine;
    }
    if (known || node->additional_properties < 0)
        return fine;
    if (checking->schema->nodes[node->additional_properties].verdict == 0)
        return fails(checking, "an unknown member");
    return check(checking, node->additional_properties, value) && fine;
}

static bool check_dependencies(struct checking *checking, const struct node *node, const json_t *value)
{
    bool fine = true;

    for (size_t i = 0; i < node->dependencies_len; i++) {
        const struct dependency *dependency = &node->dependencies[i];

        if (json_object_get(value, dependency->name) == NULL)
            continue;
        if (dependency->node >= 0)
            fine = check(checking, dependency->node, value) && fine;
        for (size_t k = 0; k < json_array_size(dependency->names) && afford(checking, 1); k++) {
            const char *name = json_string_value(json_array_get(dependency->names, k));

            if (json_object_get(value, name) == NULL)
                fine = fails(checking, "with \"%.40s\", \"%.40s\" is missing", dependency->name, name);
        }
    }
    return fine;
}

static bool check_members(struct checking *checking, const struct node *node, const json_t *value)
{
    json_t *object = (json_t *)(uintptr_t)value;
    bool each = node->properties_len + node->patterns_len > 0 || node->additional_properties >= 0 || node->property_names >= 0;
    bool fine = within(checking, json_object_size(value), node->min_properties, node->max_properties, "members");

    for (size_t i = 0; i < json_array_size(node->required) && afford(checking, 1); i++) {
        const char *name = json_string_value(json_array_get(node->required, i));

        if (json_object_get(value, name) == NULL)
            fine = fails(checking, "\"%.60s\" is missing", name);
    }
    for (void *at = each ? json_object_iter(object) : NULL; at != NULL && afford(checking, 1); at = json_object_iter_next(object, at)) {
        size_t len = enter(checking, json_object_iter_key(at));

        fine = check_member(checking, node, json_object_iter_key(at), json_object_iter_value(at)) && fine;
        checking->pointer.len = len;
    }
    return check_dependencies(checking, node, value) && fine;
}

/* How many of these it is of, but no more than are asked for. */
static size_t count_of(struct checking *checking, const struct nodes *nodes, const json_t *value, size_t enough)
{
    size_t count = 0;

    for (size_t i = 0; i < nodes->len && count < enough; i++)
        count += is(checking, nodes->items[i], value);
    return count;
}

static bool check_combined(struct checking *checking, const struct node *node, const json_t *value)
{
    bool fine = true;
    size_t count = 0;

    for (size_t i = 0; i < node->all.len; i++)
        fine = check(checking, node->all.items[i], value) && fine;
    if (node->any.len > 0 && count_of(checking, &node->any, value, 1) == 0)
        fine = fails(checking, "as none of \"anyOf\" demands");
    if (node->one.len > 0 && (count = count_of(checking, &node->one, value, 2)) != 1)
        fine = fails(checking, count == 0 ? "as none of \"oneOf\" demands" : "as more than one of \"oneOf\" demands");
    if (node->none >= 0 && is(checking, node->none, value))
        fine = fails(checking, "as \"not\" forbids");
    if (node->when >= 0) {
        int then = is(checking, node->when, value) ? node->then : node->otherwise;

        fine = (then < 0 || check(checking, then, value)) && fine;
    }
    return fine;
}

static bool check_node(struct checking *checking, const struct node *node, const json_t *value)
{
    bool fine = true;

    if (node->verdict >= 0)
        return node->verdict == 1 || fails(checking, "nothing may stand here");
    if (node->ref >= 0)
        return check(checking, node->ref, value);
    fine = check_type(checking, node, value);
    fine = check_allowed(checking, node, value) && fine;
    if (json_is_number(value))
        fine = check_number(checking, node, value) && fine;
    else if (json_is_string(value))
        fine = check_text(checking, node, value) && fine;
    else if (json_is_array(value))
        fine = check_items(checking, node, value) && fine;
    else if (json_is_object(value))
        fine = check_members(checking, node, value) && fine;
    return check_combined(checking, node, value) && fine;
}

static bool check(struct checking *checking, int index, const json_t *value)
{
    bool fine = false;

    if (!afford(checking, 1))
        return false;
    if (checking->depth == SCHEMA_DEPTH_MAX) {
        checking->too_deep = true;
        return false;
    }
    checking->depth++;
    fine = check_node(checking, &checking->schema->nodes[index], value);
    checking->depth--;
    return fine;
}

enum baton_err schema_check(struct schema *schema, const json_t *value, struct baton_error *err)
{
    struct checking checking = {.schema = schema, .steps = SCHEMA_STEPS_MAX};
    json_t *null = json_null();
    bool fine = check(&checking, 0, value == NULL ? null : value);
    const char *text = buffer_cstr(&checking.text);
    size_t more = checking.errors > SCHEMA_ERRORS_MAX ? checking.errors - SCHEMA_ERRORS_MAX : 0;
    enum baton_err rc = BATON_OK;

    if (checking.no_memory || checking.pointer.failed || text == NULL)
        rc = baton_fail(err, BATON_E_NOMEM, "out of memory");
    else if (checking.too_much)
        rc = baton_fail(err, BATON_E_INVALID, "(root): not checked to the end: it takes more than %d steps", SCHEMA_STEPS_MAX);
    else if (checking.too_deep)
        rc = baton_fail(err, BATON_E_INVALID, "(root): not checked to the end: it nests deeper than %d", SCHEMA_DEPTH_MAX);
    else if (!fine && more > 0)
        rc = baton_fail(err, BATON_E_INVALID, "%.700s; and %zu more", text, more);
    else if (!fine)
        rc = baton_fail(err, BATON_E_INVALID, "%s", text);
    buffer_free(&checking.pointer);
    buffer_free(&checking.text);
    return rc;
}

/*
 * schema_internal.h -- a compiled schema: nodes with what each demands. schema.c builds it, schema_check.c asks it.
 */
#ifndef BATON_CORE_SCHEMA_INTERNAL_H
#define BATON_CORE_SCHEMA_INTERNAL_H

#include "regex.h"
#include <baton/schema.h>
#include <stdint.h>

enum json_kind { KIND_NULL, KIND_BOOLEAN, KIND_OBJECT, KIND_ARRAY, KIND_STRING, KIND_NUMBER, KIND_INTEGER, KINDS };

struct nodes { /* indexes */
    int *items;
    size_t len;
};

struct named {
    const char *name; /* borrowed from the document */
    int node;
};

struct patterned {
    struct regex *regex;
    int node;
};

struct dependency {
    const char *name;
    int node;            /* -1: names */
    const json_t *names;
};

struct hashed {
    uint64_t hash;
    const json_t *value;
};

/* -1 in a node's index: not there. */
struct node {
    const json_t *doc;
    int verdict; /* of the schemas true and false: 1 and 0; else -1 */
    int ref;
    unsigned types; /* bits of json_kind; 0 = any */
    struct hashed *allowed; /* enum or const, in order of hash */
    size_t allowed_len;
    const json_t *constant; /* const: that is said by its own name */
    const json_t *maximum, *exclusive_maximum, *minimum, *exclusive_minimum, *multiple_of; /* numbers; NULL = not there */
    json_int_t max_length, min_length, max_items, min_items, max_properties, min_properties;
    struct regex *pattern;
    int items, additional_items, contains;
    struct nodes tuple;
    bool unique;
    const json_t *required;
    struct named *properties; /* in order of name */
    size_t properties_len;
    struct patterned *patterns;
    size_t patterns_len;
    int additional_properties, property_names;
    struct dependency *dependencies;
    size_t dependencies_len;
    struct nodes all, any, one;
    int none, when, then, otherwise;
};

struct schema {
    json_t *doc;
    struct node *nodes; /* the first is the root */
    int len, cap;
};

/** Equal as JSON Schema has it: 1 and 1.0 are. */
bool schema_equal(const json_t *a, const json_t *b);
/** Equal values have equal hashes. */
uint64_t schema_hash(const json_t *value);
/** Below, equal, above: -1, 0, 1. Both are numbers. */
int schema_compare(const json_t *a, const json_t *b);
int schema_by_hash(const void *a, const void *b); /* of struct hashed, for qsort */

#endif

/*
 * schema.h -- JSON Schema draft 7: is a payload what its definition says?
 *
 * Pure, and bounded whatever the schema and the payload: patterns run in linear time, references that go round in place are
 * refused when the schema is compiled, and one check may take SCHEMA_STEPS_MAX steps. Equal payloads give equal answers on every worker.
 */
#ifndef BATON_SCHEMA_H
#define BATON_SCHEMA_H

#include <baton/error.h>
#include <jansson.h>
#include <stdbool.h>

#define SCHEMA_NODES_MAX 2000      /* schemas within a schema */
#define SCHEMA_DEPTH_MAX 256       /* of one check: schemas within schemas, by reference too */
#define SCHEMA_STEPS_MAX 5000000   /* of one check; a schema's keyword, a member, a character against a pattern is one */
#define SCHEMA_ERRORS_MAX 8        /* told; more are counted */

struct schema; /* compiled; one thread at a time */

/* What the compiler has to say. pointer: into the schema document; of_key: the key itself is meant. */
typedef void (*schema_say)(void *context, bool warning, const char *pointer, bool of_key, const char *text);

/**
 * Compile a schema. All of draft 7's keywords; `format` and the content keywords are annotations, as the standard allows. A `$ref` stays
 * within the document (`#`, `#/definitions/x`). An unknown keyword is ignored, as the standard demands; with a near name it is warned of.
 *
 * @doc  Borrowed; the schema keeps a reference, so it must not be changed.
 * Returns BATON_OK, BATON_E_INVALID after say was told at least one error, BATON_E_NOMEM.
 */
enum baton_err schema_compile(const json_t *doc, schema_say say, void *context, struct schema **ret_schema);
void schema_free(struct schema *schema); /* NULL is fine */

/**
 * Check a payload; NULL counts as null.
 *
 * BATON_E_INVALID: err->text has the errors as "<JSON Pointer>: <what>; ...", the whole value as "(root)"; names of members, never values: they
 * may be secret. BATON_E_NOMEM.
 */
enum baton_err schema_check(struct schema *schema, const json_t *value, struct baton_error *err);

#endif

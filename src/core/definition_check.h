/*
 * definition_check.h -- what is wrong with a definition, said where it stands.
 */
#ifndef BATON_CORE_DEFINITION_CHECK_H
#define BATON_CORE_DEFINITION_CHECK_H

#include <baton/buffer.h>
#include <baton/definition.h>

/* A document being read: the pointer to where we are, and what has been found. */
struct checking {
    struct expr_vm *vm;
    struct findings *findings;
    struct buffer pointer;
    bool no_memory;
};

void finding_add(struct checking *checking, enum finding_level level, const char *format, ...) __attribute__((format(printf, 3, 4)));
/** Of the member `key` of where we are; the key itself if of_key. */
void finding_at(struct checking *checking, enum finding_level level, const char *key, bool of_key, int column,
                const char *format, ...) __attribute__((format(printf, 6, 7)));

#define WRONG(checking, key, ...) finding_at((checking), FINDING_ERROR, (key), false, 0, __VA_ARGS__)

/* Go into a member or element and come back: what is found meanwhile stands there. read_enter returns what read_leave wants. */
size_t read_enter(struct checking *checking, const char *key);
size_t read_enter_index(struct checking *checking, size_t index);
void read_leave(struct checking *checking, size_t len);

/** Has doc only these members (NULL-terminated)? Says which are unknown; false if doc is no object. */
bool read_members(struct checking *checking, const json_t *doc, const char *const *names);

/* One member of doc. A missing one leaves the value as it is (NULL for a pointer); a wrong one is said. */
const char *read_text(struct checking *checking, const json_t *doc, const char *key, bool required);
void read_duration(struct checking *checking, const json_t *doc, const char *key, int64_t *ret_ms);
void read_number(struct checking *checking, const json_t *doc, const char *key, double least, double most, double *ret_value);
struct expr *read_expr(struct checking *checking, const json_t *doc, const char *key);
struct template *read_template(struct checking *checking, const json_t *doc, const char *key);

/** The member `schema`, a JSON Schema; NULL when missing or wrong (said). */
struct schema *read_payload_schema(struct checking *checking, const json_t *doc);

/** A list of JSON Pointers, NULL-terminated; NULL when missing or wrong (said). */
char **read_pointers(struct checking *checking, const json_t *doc, const char *key);

/** strdup that notes the failure. */
char *read_copy(struct checking *checking, const char *text);

/** Where each goto leads; references between steps, undo before the pivot, durations: over a definition that was read without errors. */
void definition_check(struct checking *checking, struct definition *definition);

#endif

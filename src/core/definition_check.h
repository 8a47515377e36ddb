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

/** References between steps, undo before the pivot, durations: over a definition that was read without errors. */
void definition_check(struct checking *checking, const struct definition *definition);

#endif

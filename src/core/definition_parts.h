/*
 * definition_parts.h -- the parts of a definition under construction, one for the other.
 */
#ifndef BATON_DEFINITION_PARTS_H
#define BATON_DEFINITION_PARTS_H

#include "definition_check.h"

/* --- definition_retry.c --- */
struct defaults {
    int64_t timeout_ms, undo_timeout_ms;
    struct retry_policy retry, undo_retry;
};

/** `defaults` of the document; retry_free its policies. */
void read_defaults(struct checking *checking, const json_t *doc, struct defaults *defaults);
/** `retry` of parent over what the policy says already. */
void read_retry(struct checking *checking, const json_t *parent, struct retry_policy *policy);
struct retry_policy retry_inherit(struct checking *checking, const struct retry_policy *from); /* a copy with lists of its own */
void retry_free(struct retry_policy *policy);
void texts_free(char **texts); /* NULL-terminated; NULL is fine */

/* --- definition_step.c --- */
bool step_name_valid(const char *text);
/** The members of a step of that kind into step. What is wrong is said, what is missing stays as it is. */
void read_command_step(struct checking *checking, const json_t *doc, const struct defaults *defaults, struct definition_step *step);
void read_tcc_step(struct checking *checking, const json_t *doc, const struct defaults *defaults, struct definition_step *step);
void read_saga_step(struct checking *checking, const json_t *doc, const struct defaults *defaults, struct definition_step *step);
void read_sleep(struct checking *checking, const json_t *doc, struct definition_step *step);
void read_wait(struct checking *checking, const json_t *doc, struct definition_step *step);
/** The members of a forEach but its steps; false if it is no object. */
bool read_each(struct checking *checking, const json_t *each, struct definition_step *step);
void read_join(struct checking *checking, const json_t *doc, struct definition_step *step);

/* --- definition_tree.c --- */
/** `lock` and `steps` of the document into definition->steps. */
void read_steps(struct checking *checking, const json_t *doc, const struct defaults *defaults, struct definition *definition);

#endif

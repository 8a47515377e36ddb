/*
 * mask.h -- what a definition calls sensitive, kept out of what people see. Pure.
 *
 * The value at a sensitive place is shown as "***". So is every text or number in it wherever else it stands, for templates copy: alone, and
 * of four characters or more also inside a longer text. Rather too much is masked than too little.
 */
#ifndef BATON_MASK_H
#define BATON_MASK_H

#include <baton/definition.h>

#define MASK_TEXT "***"
#define MASK_INSIDE_MIN 4       /* characters of what is looked for inside texts */
#define MASK_SECRETS_MAX 1000   /* of more of them no text is searched: all are masked */

struct mask;
struct mask *mask_new(void); /* NULL if memory ran out */
void mask_free(struct mask *mask); /* NULL is fine */

/** Secret from now on: what value holds at the places (JSON Pointers, "*" for every member or element; NULL = none). */
void mask_learn(struct mask *mask, char *const *places, const json_t *value);
/** Has anything secret been found? */
bool mask_empty(const struct mask *mask);
/** New reference: the value with its own places and all secrets masked. NULL if memory ran out. */
json_t *mask_apply(const struct mask *mask, char *const *places, const json_t *value);

/** A JSON Pointer (RFC 6901). */
bool pointer_valid(const char *text);

#endif

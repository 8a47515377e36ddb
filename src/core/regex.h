/*
 * regex.h -- the patterns of a schema: ECMA 262 without what cannot be matched in linear time.
 */
#ifndef BATON_CORE_REGEX_H
#define BATON_CORE_REGEX_H

#include <baton/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REGEX_TEXT_MAX 1000  /* bytes of a pattern */
#define REGEX_STATES_MAX 4000 /* what it may expand to: x{1000} counts a thousand times */
#define REGEX_DEPTH_MAX 50   /* nested groups */

struct regex;

/**
 * Literals, `.`, classes, \d \w \s and their opposites, \b, anchors, groups, alternatives, quantifiers (greedy or lazy alike).
 * Backreferences, lookaround, \p and \c are BATON_E_INVALID with the reason and the place, as is everything malformed.
 */
enum baton_err regex_compile(const char *text, size_t len, struct regex **ret_regex, struct baton_error *err);
void regex_free(struct regex *regex); /* NULL is fine */

/**
 * Does it match somewhere in text (UTF-8)? Time: characters times states at most, whatever the pattern; each is taken from *steps.
 * False when *steps is used up (then it is negative). Uses the regex's own memory: one thread at a time.
 */
bool regex_search(struct regex *regex, const char *text, size_t len, int64_t *steps);

#endif

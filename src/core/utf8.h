/*
 * utf8.h -- is it a character?
 */
#ifndef BATON_CORE_UTF8_H
#define BATON_CORE_UTF8_H

#include <stddef.h>

/** Bytes of the character that begins at `at` (1..4); 0 if none does: RFC 3629, no surrogates, nothing overlong. */
size_t utf8_char(const char *at, size_t left);

#endif

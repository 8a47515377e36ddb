/*
 * utf8.c -- is it a character?
 *
 * Why:      a text that is not UTF-8 cannot stand in JSON: what comes out of an expression or is cut to a length is looked at first.
 * Tests:    tests/core/test_error.c, tests/core/test_expr.c
 */
#include "utf8.h"

static size_t expected(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first < 0xe0)
        return 2;
    if ((first & 0xf0) == 0xe0)
        return 3;
    return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

size_t utf8_char(const char *at, size_t left)
{
    const unsigned char *c = (const unsigned char *)at;
    size_t len = left == 0 ? 0 : expected(c[0]);

    if (len == 0 || len > left)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((c[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f) || (c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] > 0x8f))
        return 0;
    return len;
}

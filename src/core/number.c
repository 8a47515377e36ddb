/*
 * number.c -- doubles as text that reads back equal.
 *
 * Owns:     the shortest of 15, 16 or 17 significant digits that round-trips (Steele and White, "How to print floating-point numbers
 *           accurately", PLDI 1990: 17 always do).
 * Tests:    tests/core/test_json.c
 */
#include <baton/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXACT_INTEGER_MAX 1e15

/* Money is mostly like this: a whole number of cents, or a whole number. */
static size_t whole(double value, char out[JSON_REAL_MAX])
{
    return (size_t)snprintf(out, JSON_REAL_MAX, "%lld.0", (long long)value);
}

size_t json_real_text(double value, char out[JSON_REAL_MAX])
{
    size_t len = 0;

    if (value == floor(value) && fabs(value) < EXACT_INTEGER_MAX && !(value == 0 && signbit(value)))
        return whole(value, out);
    for (int digits = 15; digits <= 17; digits++) {
        len = (size_t)snprintf(out, JSON_REAL_MAX, "%.*g", digits, value);
        if (digits == 17 || strtod(out, NULL) == value)
            break;
    }
    if (strpbrk(out, ".eE") == NULL) {
        out[len++] = '.';
        out[len++] = '0';
        out[len] = '\0';
    }
    return len;
}

/*
 * number.c -- doubles as text that reads back equal.
 *
 * Owns:     the shortest of 15, 16 or 17 significant digits that round-trips (Steele and White, "How to print floating-point numbers
 *           accurately", PLDI 1990: 17 always do).
 * Tests:    tests/core/test_number.c
 */
#include <baton/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXACT_INTEGER_MAX 1e15
#define DECIMAL_PLACES_MAX 4 /* below 1e-4 the text would need an exponent */

/* Money is mostly like this: a whole number of cents, or a whole number. */
static size_t whole(double value, char out[JSON_REAL_MAX])
{
    return (size_t)snprintf(out, JSON_REAL_MAX, "%lld.0", (long long)value);
}

static size_t decimal_text(int64_t digits, int places, bool negative, char out[JSON_REAL_MAX])
{
    char text[JSON_REAL_MAX], *at = text + sizeof text;
    size_t len = 0;

    for (int i = 0; i <= places || digits > 0; i++, digits /= 10) {
        if (i == places)
            *--at = '.';
        *--at = (char)('0' + digits % 10);
    }
    if (negative)
        *--at = '-';
    len = (size_t)(text + sizeof text - at);
    memcpy(out, at, len);
    out[len] = '\0';
    return len;
}

/* A decimal of few places: r / 10^k is the double that strtod makes of its text, since both are exact and division rounds to nearest.
 * 0 = it is not one. Why: printf and strtod are 2,500 instructions, and money is written again at every step. */
static size_t decimal(double value, char out[JSON_REAL_MAX])
{
    double scale = 10;

    if (value == 0)
        return 0;
    for (int places = 1; places <= DECIMAL_PLACES_MAX; places++, scale *= 10) {
        double scaled = round(value * scale);

        if (fabs(scaled) >= EXACT_INTEGER_MAX)
            return 0;
        if (scaled / scale == value)
            return decimal_text((int64_t)fabs(scaled), places, value < 0, out);
    }
    return 0;
}

size_t json_real_text(double value, char out[JSON_REAL_MAX])
{
    size_t len = 0;

    if (value == floor(value) && fabs(value) < EXACT_INTEGER_MAX && !(value == 0 && signbit(value)))
        return whole(value, out);
    len = decimal(value, out);
    if (len > 0)
        return len;
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

/*
 * error.c -- error values of all rooms.
 *
 * Owns:     the texts of baton_err, the one formatter of error texts.
 * May use:  the C library's formatting, nothing that does I/O.
 * Tests:    tests/core/test_error.c
 */
#include "utf8.h"
#include <baton/error.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum baton_err baton_fail(struct baton_error *err, enum baton_err code, const char *format, ...)
{
    va_list args;

    if (err == NULL)
        return code;
    err->code = code;
    va_start(args, format);
    (void)vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    baton_text_clean(err->text);
    return code;
}

/* C0 and C1 controls, and those that turn the direction of the text around: they make a line look like another. */
static bool is_control(const char *at, size_t len)
{
    const unsigned char *c = (const unsigned char *)at;

    if (len == 1)
        return c[0] < 0x20 || c[0] == 0x7f;
    if (len == 2)
        return c[0] == 0xc2 && c[1] < 0xa0;
    return len == 3 && c[0] == 0xe2 && ((c[1] == 0x80 && c[2] >= 0xaa && c[2] <= 0xae) || (c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9));
}

void baton_text_clean(char *text)
{
    size_t left = strlen(text);

    for (size_t len = 0; left > 0; text += len, left -= len) {
        len = utf8_char(text, left);
        if (len > 0 && !is_control(text, len))
            continue;
        len = len == 0 ? 1 : len;
        memset(text, '?', len);
    }
}

const char *baton_err_name(enum baton_err code)
{
    switch (code) {
    case BATON_OK: return "OK";
    case BATON_E_RETRY: return "RETRY";
    case BATON_E_STALE: return "STALE";
    case BATON_E_POISON: return "POISON";
    case BATON_E_INVALID: return "INVALID";
    case BATON_E_NOT_FOUND: return "NOT_FOUND";
    case BATON_E_CONFLICT: return "CONFLICT";
    case BATON_E_ABORT: return "ABORT";
    case BATON_E_FATAL: return "FATAL";
    case BATON_E_NOMEM: return "NOMEM";
    }
    return "UNKNOWN";
}

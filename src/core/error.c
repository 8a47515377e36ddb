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

void baton_text_clean(char *text)
{
    size_t left = strlen(text);

    for (size_t len = 0; left > 0; text += len, left -= len) {
        len = utf8_char(text, left);
        if (len > 1 || (len == 1 && (unsigned char)*text >= 0x20 && *text != 0x7f))
            continue;
        *text = '?';
        len = 1;
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

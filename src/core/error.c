/*
 * error.c -- error values of all rooms.
 *
 * Owns:     the texts of baton_err, the one formatter of error texts.
 * May use:  the C library's formatting, nothing that does I/O.
 * Tests:    tests/core/test_error.c
 */
#include <baton/error.h>
#include <stdarg.h>
#include <stdio.h>

enum baton_err baton_fail(struct baton_error *err, enum baton_err code, const char *format, ...)
{
    va_list args;

    if (err == NULL)
        return code;
    err->code = code;
    va_start(args, format);
    (void)vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    for (char *c = err->text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    }
    return code;
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

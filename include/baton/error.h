/*
 * error.h -- the one error type of all rooms.
 *
 * An error code names the caller's next move; the text says what happened, where, and what to do.
 */
#ifndef BATON_ERROR_H
#define BATON_ERROR_H

#include <stddef.h>

enum baton_err {
    BATON_OK = 0,
    BATON_E_RETRY,     /* transient: the same call may succeed later */
    BATON_E_STALE,     /* the view or the partition is not where we left it: acquire it again */
    BATON_E_POISON,    /* this message can never be applied: dead-letter it */
    BATON_E_INVALID,   /* the input (definition, configuration, argument) is wrong: tell its author */
    BATON_E_NOT_FOUND, /* no such saga, definition, topic */
    BATON_E_CONFLICT,  /* it exists already and is different */
    BATON_E_ABORT,     /* abort the transaction, seek back, apply the batch again */
    BATON_E_FATAL,     /* outcome unknown or client dead: destroy it, forget everything, start over */
    BATON_E_NOMEM,     /* out of memory: nothing was changed */
};

#define BATON_ERROR_TEXT_MAX 768

struct baton_error {
    enum baton_err code;
    char text[BATON_ERROR_TEXT_MAX]; /* UTF-8, one line, NUL-terminated, cut if longer */
};

/**
 * Fill err and return code, so that a caller can write `return baton_fail(err, BATON_E_RETRY, ...)`.
 * err may be NULL. The text is cleaned (baton_text_clean).
 */
enum baton_err baton_fail(struct baton_error *err, enum baton_err code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/**
 * In place: control characters and bytes that are not UTF-8 become '?', so that a value from outside cannot forge a log line, and what
 * was cut in the middle of a character can stand in JSON.
 */
void baton_text_clean(char *text);

/** "OK", "RETRY", ... for logs and tests. Never NULL. */
const char *baton_err_name(enum baton_err code);

#endif

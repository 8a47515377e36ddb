/*
 * payload.c -- a JSON value from outside, or the dead-letter reason why it is none.
 *
 * Owns:     which reason a refused text gets.
 * May use:  json_parse, which enforces the limits.
 * Tests:    tests/wire/test_start.c, tests/wire/test_reply.c
 */
#include "payload.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum baton_err poison(enum dlq_reason *ret_reason, enum dlq_reason reason, struct baton_error *err, const char *format,
                      ...)
{
    char text[BATON_ERROR_TEXT_MAX];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    *ret_reason = reason;
    return baton_fail(err, BATON_E_POISON, "%s", text);
}

enum baton_err payload_check_headers(const struct bus_message *message, enum dlq_reason *ret_reason,
                                     struct baton_error *err)
{
    if (message->headers_total <= BUS_HEADERS_MAX)
        return BATON_OK;
    return poison(ret_reason, DLQ_TOO_MANY_HEADERS, err, "%zu headers, at most %d are read; send fewer",
                  message->headers_total, BUS_HEADERS_MAX);
}

struct extent {
    size_t depth, values;
};

/* Past a string that starts at its opening quote; an unfinished one ends with the text. */
static size_t skip_string(const char *text, size_t len, size_t at)
{
    for (at++; at < len && text[at] != '"'; at++) {
        if (text[at] == '\\')
            at++;
    }
    return at;
}

/* How deep and how many, counted as json_parse counts: for naming the limit that it found broken. */
static struct extent measure(const char *text, size_t len)
{
    struct extent extent = {0, 1};
    size_t depth = 0;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c == '"')
            i = skip_string(text, len, i);
        if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && depth > 0)
            depth--;
        if (c == '{' || c == '[' || c == ',')
            extent.values++;
        extent.depth = depth > extent.depth ? depth : extent.depth;
    }
    return extent;
}

enum baton_err payload_parse(const char *what, const char *text, size_t len, const struct json_limits *limits,
                             json_t **ret_value, enum dlq_reason *ret_reason, struct baton_error *err)
{
    struct baton_error cause = {BATON_OK, ""};
    struct extent extent;
    enum baton_err rc;

    if (len > limits->bytes_max)
        return poison(ret_reason, DLQ_TOO_LARGE, err, "%s of %zu bytes, at most %zu; send a reference instead", what,
                      len, limits->bytes_max);
    rc = json_parse(text, len, limits, ret_value, &cause);
    if (rc == BATON_OK)
        return rc;
    if (rc != BATON_E_INVALID)
        return baton_fail(err, rc, "%s: %s", what, cause.text);
    extent = measure(text, len);
    if (extent.depth > limits->depth_max)
        return poison(ret_reason, DLQ_TOO_DEEP, err, "%s nests %zu deep, at most %zu; flatten it", what, extent.depth,
                      limits->depth_max);
    if (extent.values > limits->values_max)
        return poison(ret_reason, DLQ_TOO_LARGE, err, "%s of %zu values, at most %zu; send a reference instead", what,
                      extent.values, limits->values_max);
    return poison(ret_reason, DLQ_INVALID_JSON, err, "%s is not JSON: %s; fix the sender, then replay it", what,
                  cause.text);
}

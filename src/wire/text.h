/*
 * text.h -- small pieces of JSON text, appended to a buffer.
 *
 * Owns nothing. Why not json_t: these writers run some 30,000 times a second.
 */
#ifndef BATON_WIRE_TEXT_H
#define BATON_WIRE_TEXT_H

#include <baton/buffer.h>
#include <baton/json.h>
#include <string.h>

/* A string literal, its length known to the compiler. */
#define text_put(out, literal) buffer_append((out), "" literal "", sizeof(literal) - 1)

/* A string that may be NULL (null). */
static inline void text_string(struct buffer *out, const char *text)
{
    if (text == NULL)
        text_put(out, "null");
    else
        json_write_string(out, text, strlen(text));
}

/* A time in ms, where 0 stands for "none". */
static inline void text_time(struct buffer *out, int64_t at_ms)
{
    if (at_ms == 0)
        text_put(out, "null");
    else
        buffer_int(out, at_ms);
}

#endif

/*
 * buffer.h -- a growing byte buffer whose first failed allocation sticks.
 *
 * Writers append without checking; whoever uses the bytes asks `failed` once at the end.
 */
#ifndef BATON_BUFFER_H
#define BATON_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buffer {
    char *data; /* not NUL-terminated unless buffer_cstr was called */
    size_t len; /* bytes used */
    size_t cap; /* bytes owned */
    bool failed; /* an allocation failed: the content is not to be used */
};

void buffer_clear(struct buffer *buffer); /* empty, keeps the memory for reuse, resets failed */
void buffer_free(struct buffer *buffer);  /* gives the memory back, leaves a zeroed struct */
bool buffer_reserve(struct buffer *buffer, size_t more);
void buffer_int(struct buffer *buffer, int64_t value); /* append in decimal */

/* Inline: a state is some two hundred of these calls. */
static inline void buffer_append(struct buffer *buffer, const void *bytes, size_t len)
{
    if (len == 0 || ((buffer->failed || len > buffer->cap - buffer->len) && !buffer_reserve(buffer, len)))
        return;
    memcpy(buffer->data + buffer->len, bytes, len);
    buffer->len += len;
}

static inline void buffer_text(struct buffer *buffer, const char *text) /* append a C string */
{
    buffer_append(buffer, text, strlen(text));
}

static inline void buffer_char(struct buffer *buffer, char c)
{
    buffer_append(buffer, &c, 1);
}

/** NUL-terminate (len is unchanged) and return the text; NULL if failed. Valid until the next append. */
const char *buffer_cstr(struct buffer *buffer);

#endif

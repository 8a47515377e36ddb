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

struct buffer {
    char *data; /* not NUL-terminated unless buffer_cstr was called */
    size_t len; /* bytes used */
    size_t cap; /* bytes owned */
    bool failed; /* an allocation failed: the content is not to be used */
};

void buffer_clear(struct buffer *buffer); /* empty, keeps the memory for reuse, resets failed */
void buffer_free(struct buffer *buffer);  /* gives the memory back, leaves a zeroed struct */
void buffer_append(struct buffer *buffer, const void *bytes, size_t len);
void buffer_text(struct buffer *buffer, const char *text); /* append a C string */
void buffer_char(struct buffer *buffer, char c);
void buffer_int(struct buffer *buffer, int64_t value); /* append in decimal */
bool buffer_reserve(struct buffer *buffer, size_t more);
/** NUL-terminate (len is unchanged) and return the text; NULL if failed. Valid until the next append. */
const char *buffer_cstr(struct buffer *buffer);

#endif

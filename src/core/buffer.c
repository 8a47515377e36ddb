/*
 * buffer.c -- a growing byte buffer with a sticky failure.
 *
 * Owns:     growth (doubling).
 * Tests:    tests/core/test_json.c writes everything through it.
 */
#include <baton/buffer.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_FIRST 256

void buffer_clear(struct buffer *buffer)
{
    buffer->len = 0;
    buffer->failed = false;
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->data);
    memset(buffer, 0, sizeof *buffer);
}

bool buffer_reserve(struct buffer *buffer, size_t more)
{
    size_t cap = buffer->cap == 0 ? BUFFER_FIRST : buffer->cap;
    char *data = NULL;

    if (buffer->failed)
        return false;
    if (more <= buffer->cap - buffer->len)
        return true;
    if (more > SIZE_MAX / 4 - buffer->len) {
        buffer->failed = true;
        return false;
    }
    while (cap - buffer->len < more)
        cap *= 2;
    data = realloc(buffer->data, cap);
    if (data == NULL) {
        buffer->failed = true;
        return false;
    }
    buffer->data = data;
    buffer->cap = cap;
    return true;
}

/* Two digits a division. */
void buffer_int(struct buffer *buffer, int64_t value)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748"
                                "4950515253545556575859606162636465666768697071727374757677787980818283848586878889909192939495969798"
                                "99";
    char digits[24];
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? (uint64_t)0 - (uint64_t)value : (uint64_t)value;

    for (; rest >= 10; rest /= 100) {
        digits[--at] = pairs[2 * (rest % 100) + 1];
        digits[--at] = pairs[2 * (rest % 100)];
    }
    if (rest > 0 || at == sizeof digits)
        digits[--at] = (char)('0' + rest);
    if (value < 0)
        digits[--at] = '-';
    buffer_append(buffer, digits + at, sizeof digits - at);
}

const char *buffer_cstr(struct buffer *buffer)
{
    if (!buffer_reserve(buffer, 1))
        return NULL;
    buffer->data[buffer->len] = '\0';
    return buffer->data;
}

/*
 * trace.c -- W3C trace context (https://www.w3.org/TR/trace-context/).
 *
 * Owns:     validation, and the span id of a message.
 * Never:    randomness: a span id is a hash of the message id, so that a step done again has the same span.
 * Tests:    tests/wire/test_text.c
 */
#include "trace.h"
#include <string.h>

#define TRACESTATE_MAX 512

static bool hex(const char *text, size_t len, bool *ret_zero)
{
    *ret_zero = true;
    for (size_t i = 0; i < len; i++) {
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
            return false;
        if (text[i] != '0')
            *ret_zero = false;
    }
    return true;
}

bool traceparent_valid(struct text_view value)
{
    const char *text = value.text;
    bool zero;

    if (text == NULL || value.len != TRACEPARENT_LEN || memcmp(text, "00-", 3) != 0 || text[35] != '-' ||
        text[52] != '-')
        return false;
    if (!hex(text + 3, 32, &zero) || zero)
        return false;
    if (!hex(text + 36, 16, &zero) || zero)
        return false;
    return hex(text + 53, 2, &zero);
}

bool tracestate_valid(struct text_view value)
{
    return value.text != NULL && value.len > 0 && value.len <= TRACESTATE_MAX && text_printable(value);
}

/* FNV-1a, then murmur3's finisher so that ids that differ in the last digit differ everywhere. */
static uint64_t hash64(const char *text, size_t len)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < len; i++) {
        hash ^= (unsigned char)text[i];
        hash *= UINT64_C(0x100000001b3);
    }
    hash ^= hash >> 33;
    hash *= UINT64_C(0xff51afd7ed558ccd);
    hash ^= hash >> 33;
    hash *= UINT64_C(0xc4ceb9fe1a85ec53);
    hash ^= hash >> 33;
    return hash == 0 ? 1 : hash;
}

void traceparent_child(char out[TRACEPARENT_LEN], const char *parent, const char *message_id, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t span = hash64(message_id, len);

    memcpy(out, parent, TRACEPARENT_LEN);
    for (int i = 0; i < 16; i++)
        out[36 + i] = digits[span >> (60 - 4 * i) & 15];
}

/*
 * base64.c -- base64 (RFC 4648), strict.
 *
 * Owns:     the alphabet.
 * Why not OpenSSL's: it takes int lengths, and counts padding as bytes.
 * Tests:    tests/wire/test_text.c
 */
#include "base64.h"
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_write(struct buffer *out, const void *bytes, size_t len)
{
    const unsigned char *in = bytes;

    for (size_t i = 0; i < len; i += 3) {
        uint32_t group = (uint32_t)in[i] << 16;
        char quad[4];

        if (i + 1 < len)
            group |= (uint32_t)in[i + 1] << 8;
        if (i + 2 < len)
            group |= in[i + 2];
        quad[0] = alphabet[group >> 18];
        quad[1] = alphabet[(group >> 12) & 63];
        quad[2] = i + 1 < len ? alphabet[(group >> 6) & 63] : '=';
        quad[3] = i + 2 < len ? alphabet[group & 63] : '=';
        buffer_append(out, quad, sizeof quad);
    }
}

static bool sextet(char c, uint32_t *group)
{
    const char *at = c == '\0' ? NULL : strchr(alphabet, c);

    if (at == NULL)
        return false;
    *group = *group << 6 | (uint32_t)(at - alphabet);
    return true;
}

bool base64_read(struct buffer *out, const char *text, size_t len)
{
    if (len % 4 != 0)
        return false;
    for (size_t i = 0; i < len; i += 4) {
        bool last = i + 4 == len;
        size_t padding = !last || text[i + 3] != '=' ? 0 : text[i + 2] != '=' ? 1 : 2;
        uint32_t group = 0;
        unsigned char bytes[3];

        for (size_t k = 0; k < 4 - padding; k++) {
            if (!sextet(text[i + k], &group))
                return false;
        }
        group <<= 6 * padding;
        bytes[0] = (unsigned char)(group >> 16);
        bytes[1] = (unsigned char)(group >> 8 & 0xff);
        bytes[2] = (unsigned char)(group & 0xff);
        /* Bits under the padding must be zero: one text for one value. */
        if ((padding >= 1 && bytes[2] != 0) || (padding == 2 && bytes[1] != 0))
            return false;
        buffer_append(out, bytes, 3 - padding);
    }
    return true;
}

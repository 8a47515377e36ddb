/*
 * headers.c -- looking into the headers of a consumed message.
 *
 * Owns:     how header names compare (without case: some clients and proxies change it) and what counts as absent.
 * Never:    believes that a value ends with NUL or is text.
 * Tests:    tests/wire/test_start.c, tests/wire/test_reply.c
 */
#include "headers.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const struct bus_header *wire_header(const struct bus_message *message, const char *name)
{
    for (size_t i = 0; i < message->headers_len; i++) {
        const struct bus_header *header = &message->headers[i];

        if (header->value != NULL && header->name != NULL && strcasecmp(header->name, name) == 0)
            return header;
    }
    return NULL;
}

struct text_view header_text(const struct bus_message *message, const char *name)
{
    const struct bus_header *header = wire_header(message, name);
    struct text_view view = {NULL, 0};

    if (header != NULL) {
        view.text = header->value;
        view.len = header->len;
    }
    return view;
}

struct text_view header_either(const struct bus_message *message, const char *name, const char *other)
{
    struct text_view view = header_text(message, name);

    return view.text != NULL ? view : header_text(message, other);
}

bool text_is(struct text_view view, const char *text)
{
    return view.text != NULL && view.len == strlen(text) && memcmp(view.text, text, view.len) == 0;
}

bool text_starts_nocase(struct text_view view, const char *prefix)
{
    size_t len = strlen(prefix);

    return view.text != NULL && view.len >= len && strncasecmp(view.text, prefix, len) == 0;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

bool media_type_is(struct text_view content_type, const char *media_type)
{
    const char *semicolon;
    struct text_view bare = content_type;

    if (bare.text == NULL)
        return false;
    semicolon = bare.len == 0 ? NULL : memchr(bare.text, ';', bare.len);
    if (semicolon != NULL)
        bare.len = (size_t)(semicolon - bare.text);
    while (bare.len > 0 && blank(bare.text[bare.len - 1]))
        bare.len--;
    while (bare.len > 0 && blank(bare.text[0])) {
        bare.text++;
        bare.len--;
    }
    return bare.len == strlen(media_type) && text_starts_nocase(bare, media_type);
}

char *text_copy(struct text_view view)
{
    char *copy = malloc(view.len + 1);

    if (copy == NULL)
        return NULL;
    if (view.len > 0)
        memcpy(copy, view.text, view.len);
    copy[view.len] = '\0';
    return copy;
}

bool text_printable(struct text_view view)
{
    for (size_t i = 0; i < view.len; i++) {
        if (view.text[i] < 0x20 || view.text[i] > 0x7e)
            return false;
    }
    return true;
}

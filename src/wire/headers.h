/*
 * headers.h -- looking into the headers of a consumed message.
 */
#ifndef BATON_WIRE_HEADERS_H
#define BATON_WIRE_HEADERS_H

#include <baton/wire.h>

struct text_view {    /* borrowed; not NUL-terminated */
    const char *text; /* NULL = absent */
    size_t len;
};

/* The value of the first header of that name, or absent. */
struct text_view header_text(const struct bus_message *message, const char *name);
/* The first of the two names that is there. */
struct text_view header_either(const struct bus_message *message, const char *name, const char *other);
bool text_is(struct text_view view, const char *text);
/* Is the media type (parameters after ';' aside) this one? Compared without case. */
bool media_type_is(struct text_view content_type, const char *media_type);
bool text_starts_nocase(struct text_view view, const char *prefix);
/* malloc'ed copy, NUL-terminated; NULL if memory ran out. */
char *text_copy(struct text_view view);
/* Only visible ASCII and spaces. */
bool text_printable(struct text_view view);

#endif

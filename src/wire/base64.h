/*
 * base64.h -- base64 (RFC 4648), for correlation ids that are not text and for data_base64 of CloudEvents.
 */
#ifndef BATON_WIRE_BASE64_H
#define BATON_WIRE_BASE64_H

#include <baton/buffer.h>

void base64_write(struct buffer *out, const void *bytes, size_t len);
/* Appends the bytes; false if the text is not strict base64 (with padding). */
bool base64_read(struct buffer *out, const char *text, size_t len);

#endif

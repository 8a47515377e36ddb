/*
 * trace.h -- W3C trace context: which traceparent is believed, and the child of one.
 */
#ifndef BATON_WIRE_TRACE_H
#define BATON_WIRE_TRACE_H

#include "headers.h"

#define TRACEPARENT_LEN 55 /* 00-<32 hex>-<16 hex>-<2 hex> */

/* Version 00, lower-case hex, trace and span id not all zero. */
bool traceparent_valid(struct text_view value);
/* Visible ASCII, at most 512 bytes. */
bool tracestate_valid(struct text_view value);
/* The same trace and flags with the span id of this message. Every worker computes the same. parent must be valid. */
void traceparent_child(char out[TRACEPARENT_LEN], const char *parent, const char *message_id, size_t len);

#endif

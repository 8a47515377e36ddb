/*
 * record.h -- building an outgoing record in a struct wire_out: value text, and header values packed into one text
 * buffer.
 */
#ifndef BATON_WIRE_RECORD_H
#define BATON_WIRE_RECORD_H

#include "headers.h"
#include "text.h"

#define CONTENT_TYPE_JSON "application/json"

/* Empty record, memory kept. */
void record_begin(struct wire_out *out);
/* A header whose value is written to out->text after this call, up to the next header or record_end. */
void record_header(struct wire_out *out, const char *name);
/* A header whose value outlives the record's use: borrowed. NULL value = null header. */
void record_header_borrowed(struct wire_out *out, const char *name, const void *value, size_t len);
#define record_header_literal(out, name, literal)                                                                      \
    record_header_borrowed((out), (name), "" literal "", sizeof(literal) - 1)
/* A header with a copy of text. */
void record_header_text(struct wire_out *out, const char *name, const char *text);
void record_header_number(struct wire_out *out, const char *name, int64_t number);
void record_header_time(struct wire_out *out, const char *name, int64_t at_ms);

/* The saga's trace, as a child for this message; nothing if the saga has none. */
void record_headers_trace(struct wire_out *out, const struct saga *saga, const char *message_id, size_t len);
/* ce_specversion, ce_source, ce_type, ce_time, ce_sagaid, ce_sagatype, ce_sagaversion, content-type. */
void record_headers_saga(struct wire_out *out, const struct saga *saga, const char *source_prefix, const char *type,
                         int64_t now_ms);

/* kafka_correlationId: the asker's, as it came; NULL = none. */
void record_header_correlation(struct wire_out *out, const char *correlation);
void record_key(struct wire_out *out, const char *saga_id);
/* Resolve the headers. BATON_E_NOMEM if some append failed; what names the record in the error. */
enum baton_err record_end(struct wire_out *out, const char *what, struct baton_error *err);

#endif

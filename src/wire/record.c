/*
 * record.c -- building an outgoing record.
 *
 * Owns:     how header values share one growing buffer: they are offsets until the record is complete.
 * Never:    allocation per header; the buffers are reused from record to record.
 * Tests:    tests/wire/test_command.c, tests/wire/test_records.c
 */
#include "record.h"
#include "base64.h"
#include "trace.h"

#define B64_PREFIX "b64:"
#define BORROWED SIZE_MAX /* in offsets: the header's value is already in place */

void record_begin(struct wire_out *out)
{
    buffer_clear(&out->value);
    buffer_clear(&out->text);
    memset(&out->record, 0, sizeof out->record);
    out->record.partition = -1;
    out->topic[0] = '\0';
    out->key[0] = '\0';
}

/* Close the header before: its value ends here. */
static void close_last(struct wire_out *out)
{
    size_t n = out->record.headers_len;

    if (n > 0 && out->offsets[n - 1] != BORROWED)
        out->headers[n - 1].len = out->text.len - out->offsets[n - 1];
}

void record_header(struct wire_out *out, const char *name)
{
    size_t n = out->record.headers_len;

    close_last(out);
    if (n == WIRE_OUT_HEADERS_MAX) { /* our own headers are counted: a message of the most headers leaves room for all
                                        of them */
        out->text.failed = true;
        return;
    }
    out->headers[n] = (struct bus_header){.name = name};
    out->offsets[n] = out->text.len;
    out->record.headers_len++;
}

void record_header_borrowed(struct wire_out *out, const char *name, const void *value, size_t len)
{
    size_t n = out->record.headers_len;

    record_header(out, name);
    if (n == out->record.headers_len)
        return;
    out->headers[n].value = value;
    out->headers[n].len = len;
    out->offsets[n] = BORROWED;
}

void record_header_text(struct wire_out *out, const char *name, const char *text)
{
    record_header(out, name);
    buffer_text(&out->text, text);
}

void record_header_number(struct wire_out *out, const char *name, int64_t number)
{
    record_header(out, name);
    buffer_int(&out->text, number);
}

void record_header_time(struct wire_out *out, const char *name, int64_t at_ms)
{
    char time[32];
    size_t len = wire_time_text(time, at_ms);

    record_header(out, name);
    buffer_append(&out->text, time, len);
}

void record_headers_trace(struct wire_out *out, const struct saga *saga, const char *message_id, size_t len)
{
    struct text_view parent = {saga->traceparent, 0};
    char child[TRACEPARENT_LEN];

    if (parent.text == NULL)
        return;
    parent.len = strlen(parent.text);
    if (!traceparent_valid(parent))
        return;
    traceparent_child(child, parent.text, message_id, len);
    record_header(out, "traceparent");
    buffer_append(&out->text, child, sizeof child);
    if (saga->tracestate != NULL)
        record_header_text(out, "tracestate", saga->tracestate);
}

void record_headers_saga(struct wire_out *out, const struct saga *saga, const char *source_prefix, const char *type,
                         int64_t now_ms)
{
    record_header_literal(out, "ce_specversion", "1.0");
    record_header_text(out, "ce_source", source_prefix);
    text_put(&out->text, "/baton/");
    buffer_text(&out->text, saga->definition->name);
    buffer_char(&out->text, '/');
    buffer_int(&out->text, saga->definition->version);
    record_header_text(out, "ce_type", type);
    record_header_time(out, "ce_time", now_ms);
    record_header_text(out, "ce_sagaid", saga->id);
    record_header_text(out, "ce_sagatype", saga->definition->name);
    record_header_number(out, "ce_sagaversion", saga->definition->version);
    record_header_literal(out, "content-type", CONTENT_TYPE_JSON);
}

void record_header_correlation(struct wire_out *out, const char *correlation)
{
    size_t prefix = strlen(B64_PREFIX);
    size_t start;

    if (correlation == NULL)
        return;
    record_header(out, "kafka_correlationId");
    start = out->text.len;
    if (strncmp(correlation, B64_PREFIX, prefix) != 0) {
        buffer_text(&out->text, correlation);
    } else if (!base64_read(&out->text, correlation + prefix, strlen(correlation + prefix))) {
        out->text.len = start; /* not ours after all: as it stands */
        buffer_text(&out->text, correlation);
    }
}

void record_key(struct wire_out *out, const char *saga_id)
{
    size_t len = strlen(saga_id);

    if (len > SAGA_ID_MAX)
        len = SAGA_ID_MAX;
    memcpy(out->key, saga_id, len);
    out->key[len] = '\0';
    out->record.key = out->key;
    out->record.key_len = len;
}

enum baton_err record_end(struct wire_out *out, const char *what, struct baton_error *err)
{
    close_last(out);
    if (out->text.failed || out->value.failed)
        return baton_fail(err, BATON_E_NOMEM, "%s: out of memory", what);
    for (size_t i = 0; i < out->record.headers_len; i++) {
        if (out->offsets[i] != BORROWED)
            out->headers[i].value = out->headers[i].len == 0 ? "" : out->text.data + out->offsets[i];
    }
    out->record.headers = out->headers;
    if (out->record.value == NULL && out->value.len > 0) {
        out->record.value = out->value.data;
        out->record.value_len = out->value.len;
    }
    return BATON_OK;
}

void wire_out_free(struct wire_out *out)
{
    buffer_free(&out->value);
    buffer_free(&out->text);
    memset(&out->record, 0, sizeof out->record);
}

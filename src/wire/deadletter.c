/*
 * deadletter.c -- a message that cannot be applied, set aside whole.
 *
 * Owns:     the list of reasons, and the dlq-* headers.
 * Never:    copies the message: key, value and headers are borrowed until the record is produced.
 * Tests:    tests/wire/test_records.c
 */
#include "record.h"

static const char *const reasons[DLQ_REASON_COUNT] = {
    [DLQ_INVALID_JSON] = "invalid-json",
    [DLQ_TOO_LARGE] = "too-large",
    [DLQ_TOO_DEEP] = "too-deep",
    [DLQ_TOO_MANY_HEADERS] = "too-many-headers",
    [DLQ_MISSING_ID] = "missing-id",
    [DLQ_INVALID_ID] = "invalid-id",
    [DLQ_MISSING_TYPE] = "missing-type",
    [DLQ_UNKNOWN_DEFINITION] = "unknown-definition",
    [DLQ_CONFLICTING_START] = "conflicting-start",
    [DLQ_NOT_AN_OBJECT] = "not-an-object",
    [DLQ_MISSING_CORRELATION] = "missing-correlation",
    [DLQ_INVALID_CORRELATION] = "invalid-correlation",
    [DLQ_ORPHAN_REPLY] = "orphan-reply",
    [DLQ_WRONG_STEP] = "wrong-step",
    [DLQ_WRONG_SERVICE] = "wrong-service",
    [DLQ_INVALID_CLOUDEVENT] = "invalid-cloudevent",
    [DLQ_INVALID_OUTCOME] = "invalid-outcome",
    [DLQ_BAD_SIGNATURE] = "bad-signature",
    [DLQ_WRONG_PARTITION] = "wrong-partition",
    [DLQ_UNKNOWN_VERB] = "unknown-verb",
    [DLQ_INVALID_CONTROL] = "invalid-control",
    [DLQ_UNKNOWN_SAGA] = "unknown-saga",
    [DLQ_REPLY_TOPIC_NOT_ALLOWED] = "reply-topic-not-allowed",
    [DLQ_UNDELIVERABLE] = "undeliverable",
    [DLQ_KILLS_WORKER] = "kills-worker",
    [DLQ_SCHEMA] = "schema",
    [DLQ_DUPLICATE_START] = "duplicate-start",
};

const char *dlq_reason_name(enum dlq_reason reason)
{
    if ((int)reason < 0 || reason >= DLQ_REASON_COUNT)
        return "unknown";
    return reasons[reason];
}

static bool ours(const char *name)
{
    struct text_view view = {name, strlen(name)};

    return text_starts_nocase(view, "dlq-");
}

/* A dead letter that was replayed and failed again carries the newest story only. */
static void copy_headers(struct wire_out *out, const struct bus_message *message)
{
    for (size_t i = 0; i < message->headers_len; i++) {
        const struct bus_header *header = &message->headers[i];

        if (header->name != NULL && !ours(header->name))
            record_header_borrowed(out, header->name, header->value, header->len);
    }
}

enum baton_err wire_dead_letter_write(const struct bus_message *message, const char *origin_topic,
                                      enum dlq_reason reason, const char *explanation, const char *dlq_topic,
                                      struct wire_out *out, struct baton_error *err)
{
    record_begin(out);
    out->record.topic = dlq_topic;
    out->record.key = message->key;
    out->record.key_len = message->key_len;
    out->record.value = message->value;
    out->record.value_len = message->value_len;
    copy_headers(out, message);
    record_header_text(out, "dlq-reason", dlq_reason_name(reason));
    record_header_text(out, "dlq-error", explanation);
    record_header_text(out, "dlq-topic", origin_topic);
    record_header_number(out, "dlq-partition", message->partition);
    record_header_number(out, "dlq-offset", message->offset);
    if (message->timestamp_ms >= 0)
        record_header_number(out, "dlq-timestamp", message->timestamp_ms);
    if (message->headers_total > message->headers_len) /* what was never read cannot be passed on: say so */
        record_header_number(out, "dlq-headers-dropped", (int64_t)(message->headers_total - message->headers_len));
    return record_end(out, "dead letter", err);
}

/*
 * answer.c -- the CloudEvent that answers a control message.
 *
 * Owns:     its headers and value (docs/protocol.md, schemas/control-answer.schema.json).
 * Tests:    tests/wire/test_control.c
 */
#include "record.h"
#include <stdio.h>

static const char *outcome_word(enum wire_answer_outcome outcome)
{
    switch (outcome) {
    case ANSWER_ACCEPTED: return "accepted";
    case ANSWER_REFUSED: return "refused";
    case ANSWER_UNKNOWN_SAGA: break;
    }
    return "unknown-saga";
}

static void put_value(struct buffer *out, const struct wire_answer *answer, const struct wire_control *control)
{
    text_put(out, "{\"id\":");
    text_string(out, answer->saga_id);
    text_put(out, ",\"verb\":");
    text_string(out, wire_control_word(control));
    text_put(out, ",\"outcome\":");
    text_string(out, outcome_word(answer->outcome));
    text_put(out, ",\"reason\":");
    text_string(out, answer->reason);
    text_put(out, ",\"status\":");
    text_string(out, answer->saga == NULL ? NULL : saga_status_name(answer->saga->status));
    text_put(out, ",\"seq\":");
    if (answer->saga == NULL)
        text_put(out, "null");
    else
        buffer_int(out, answer->saga->seq);
    buffer_char(out, '}');
}

enum baton_err wire_answer_write(const struct wire_answer *answer, const struct wire_control *control, int64_t now_ms, struct wire_out *out,
                                 struct baton_error *err)
{
    char type[64];

    record_begin(out);
    (void)snprintf(out->topic, sizeof out->topic, "%s", control->reply_topic); /* reply_to_read has bounded it */
    out->record.topic = out->topic;
    record_key(out, answer->saga_id);
    record_header_text(out, "ce_id", answer->saga_id);
    text_put(&out->text, "/control/");
    buffer_int(&out->text, answer->partition);
    buffer_char(&out->text, '/');
    buffer_int(&out->text, answer->offset);
    record_header_literal(out, "ce_specversion", "1.0");
    record_header_literal(out, "ce_source", "/baton/control");
    (void)snprintf(type, sizeof type, "baton.control.%s.v1", outcome_word(answer->outcome));
    record_header_text(out, "ce_type", type);
    record_header_time(out, "ce_time", now_ms);
    record_header_text(out, "ce_sagaid", answer->saga_id);
    record_header_literal(out, "content-type", CONTENT_TYPE_JSON);
    record_header_correlation(out, control->reply_correlation);
    put_value(&out->value, answer, control);
    return record_end(out, "answer", err);
}

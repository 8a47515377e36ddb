/*
 * result.c -- the CloudEvents that tell how a saga went: result, parked, resumed.
 *
 * Owns:     their headers and value (docs/protocol.md, schemas/result.schema.json).
 * Tests:    tests/wire/test_records.c
 */
#include "record.h"
#include <stdio.h>

/* What happened, as a word: the status a saga ended with, or the announcement. */
static const char *event_word(const struct saga *saga, enum effect_kind kind)
{
    switch (kind) {
    case EFFECT_PARKED: return "parked";
    case EFFECT_RESUMED: return "resumed";
    case EFFECT_COMMAND:
    case EFFECT_CHILD:
    case EFFECT_ANSWER:
    case EFFECT_LOCK:
    case EFFECT_SIGNAL:
    case EFFECT_HELD:
    case EFFECT_DIVERTED:
    case EFFECT_CACHE:
    case EFFECT_LOOKUP:
    case EFFECT_RESULT: break;
    }
    return saga_status_name(saga->status);
}

static void put_value(struct buffer *out, const struct saga *saga)
{
    text_put(out, "{\"id\":");
    text_string(out, saga->id);
    text_put(out, ",\"definition\":");
    text_string(out, saga->definition->name);
    text_put(out, ",\"version\":");
    buffer_int(out, saga->definition->version);
    text_put(out, ",\"status\":");
    text_string(out, saga_status_name(saga->status));
    text_put(out, ",\"output\":");
    json_write(out, saga->output);
    text_put(out, ",\"error\":");
    json_write(out, saga->error);
    if (saga->parked != NULL) {
        text_put(out, ",\"reason\":");
        text_string(out, saga->parked);
    }
    buffer_char(out, '}');
}

enum baton_err wire_result_write(const struct saga *saga, enum effect_kind kind, int64_t now_ms, const char *topic,
                                 const char *correlation, struct wire_out *out, struct baton_error *err)
{
    const char *word = event_word(saga, kind);
    char type[64];
    size_t id_start, id_len;
    char id[WIRE_MESSAGE_ID_MAX];

    record_begin(out);
    if (strlen(topic) >= sizeof out->topic)
        return baton_fail(err, BATON_E_INVALID, "result of saga %s: the topic name is too long", saga->id);
    memcpy(out->topic, topic, strlen(topic) + 1);
    out->record.topic = out->topic;
    record_key(out, saga->id);

    /* <saga>/<word>/<seq>: the same for the copy that goes to the starter. */
    record_header_text(out, "ce_id", saga->id);
    id_start = 0;
    buffer_char(&out->text, '/');
    buffer_text(&out->text, word);
    buffer_char(&out->text, '/');
    buffer_int(&out->text, saga->seq);
    id_len = out->text.failed ? 0 : out->text.len - id_start;
    if (id_len > 0 && id_len <= sizeof id)
        memcpy(id, out->text.data + id_start, id_len);

    (void)snprintf(type, sizeof type, "baton.saga.%s.v1", word);
    record_headers_saga(out, saga, "", type, now_ms);
    record_header_number(out, "ce_sagaseq", saga->seq);
    record_headers_trace(out, saga, id, id_len <= sizeof id ? id_len : 0);
    record_header_correlation(out, correlation);
    put_value(&out->value, saga);
    return record_end(out, "result", err);
}

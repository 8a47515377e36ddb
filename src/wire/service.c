/*
 * service.c -- the CloudEvent that tells of a service's circuit breaker.
 *
 * Owns:     its headers and value (docs/protocol.md, schemas/service-event.schema.json).
 * Tests:    tests/wire/test_records.c
 */
#include "record.h"
#include <stdio.h>

static void put_value(struct buffer *out, const char *name, const struct service_breaker *breaker)
{
    text_put(out, "{\"service\":");
    text_string(out, name);
    text_put(out, ",\"state\":");
    text_string(out, breaker_name(breaker->breaker));
    text_put(out, ",\"since\":");
    buffer_int(out, breaker->since_ms);
    text_put(out, ",\"until\":");
    text_time(out, breaker->until_ms);
    text_put(out, ",\"byHand\":");
    buffer_text(out, breaker->by_hand ? "true" : "false");
    text_put(out, ",\"who\":");
    text_string(out, breaker->who[0] == '\0' ? NULL : breaker->who);
    text_put(out, ",\"why\":");
    text_string(out, breaker->why[0] == '\0' ? NULL : breaker->why);
    buffer_char(out, '}');
}

enum baton_err wire_service_write(const char *name, const struct service_breaker *breaker, const char *topic, struct wire_out *out, struct baton_error *err)
{
    char type[64];

    record_begin(out);
    if (strlen(topic) >= sizeof out->topic)
        return baton_fail(err, BATON_E_INVALID, "event of service %s: the topic name is too long", name);
    memcpy(out->topic, topic, strlen(topic) + 1);
    out->record.topic = out->topic;
    out->record.key = name; /* borrowed until it is produced */
    out->record.key_len = strlen(name);
    record_header_literal(out, "ce_specversion", "1.0");
    record_header_text(out, "ce_id", name);
    buffer_char(&out->text, '/');
    buffer_text(&out->text, breaker_name(breaker->breaker));
    buffer_char(&out->text, '/');
    buffer_int(&out->text, breaker->change);
    record_header_text(out, "ce_source", "/baton/services/");
    buffer_text(&out->text, name);
    (void)snprintf(type, sizeof type, "baton.service.%s.v1", breaker_name(breaker->breaker));
    record_header_text(out, "ce_type", type);
    record_header_time(out, "ce_time", breaker->since_ms);
    record_header_literal(out, "content-type", CONTENT_TYPE_JSON);
    put_value(&out->value, name, breaker);
    return record_end(out, "service event", err);
}

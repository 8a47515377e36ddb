/*
 * cloudevent.c -- CloudEvents 1.0 on Kafka: telling the modes apart, and reading the structured one.
 *
 * Owns:     which events are believed. In binary mode only a foreign ce_specversion is refused, for nothing else of it
 * is needed. Tests:    tests/wire/test_start.c, tests/wire/test_reply.c
 */
#include "cloudevent.h"
#include "base64.h"
#include "payload.h"
#include <string.h>

bool cloudevent_is_structured(const struct bus_message *message)
{
    return text_starts_nocase(header_text(message, "content-type"), "application/cloudevents");
}

enum baton_err cloudevent_check_binary(const struct bus_message *message, enum dlq_reason *ret_reason,
                                       struct baton_error *err)
{
    struct text_view version = header_text(message, "ce_specversion");

    if (version.text == NULL || text_is(version, "1.0"))
        return BATON_OK;
    return poison(ret_reason, DLQ_INVALID_CLOUDEVENT, err, "ce_specversion is not \"1.0\"; send CloudEvents 1.0");
}

struct text_view cloudevent_text(const struct cloudevent *event, const char *name)
{
    const json_t *member = json_object_get(event->doc, name);
    struct text_view view = {NULL, 0};

    if (json_is_string(member)) {
        view.text = json_string_value(member);
        view.len = json_string_length(member);
    }
    return view;
}

void cloudevent_clear(struct cloudevent *event)
{
    json_decref(event->doc);
    json_decref(event->data);
    memset(event, 0, sizeof *event);
}

static enum baton_err check_attributes(const struct cloudevent *event, enum dlq_reason *ret_reason,
                                       struct baton_error *err)
{
    static const char *const required[] = {"id", "source", "type"};

    if (!json_is_object(event->doc))
        return poison(ret_reason, DLQ_INVALID_CLOUDEVENT, err, "the event is not a JSON object");
    if (!text_is(cloudevent_text(event, "specversion"), "1.0"))
        return poison(ret_reason, DLQ_INVALID_CLOUDEVENT, err, "specversion is not \"1.0\"; send CloudEvents 1.0");
    for (size_t i = 0; i < sizeof required / sizeof required[0]; i++) {
        if (cloudevent_text(event, required[i]).len == 0)
            return poison(ret_reason, DLQ_INVALID_CLOUDEVENT, err,
                          "the event has no \"%s\"; CloudEvents 1.0 requires it", required[i]);
    }
    return BATON_OK;
}

static enum baton_err read_base64(struct cloudevent *event, const json_t *encoded, const struct json_limits *limits,
                                  enum dlq_reason *ret_reason, struct baton_error *err)
{
    struct buffer bytes = {0};
    enum baton_err rc;

    if (!json_is_string(encoded) || !base64_read(&bytes, json_string_value(encoded), json_string_length(encoded)))
        rc = poison(ret_reason, DLQ_INVALID_CLOUDEVENT, err, "data_base64 is not base64");
    else if (bytes.failed)
        rc = baton_fail(err, BATON_E_NOMEM, "data_base64: out of memory");
    else
        rc = payload_parse("data_base64", bytes.len == 0 ? "" : bytes.data, bytes.len, limits, &event->data, ret_reason,
                           err);
    buffer_free(&bytes);
    return rc;
}

static enum baton_err read_data(struct cloudevent *event, const struct json_limits *limits, enum dlq_reason *ret_reason,
                                struct baton_error *err)
{
    json_t *data = json_object_get(event->doc, "data");
    const json_t *encoded = json_object_get(event->doc, "data_base64");

    if (data != NULL && encoded != NULL)
        return poison(ret_reason, DLQ_INVALID_CLOUDEVENT, err, "the event has both data and data_base64");
    if (encoded != NULL)
        return read_base64(event, encoded, limits, ret_reason, err);
    event->data = json_incref(data);
    return BATON_OK;
}

enum baton_err cloudevent_read(const struct bus_message *message, const struct json_limits *limits,
                               struct cloudevent *ret_event, enum dlq_reason *ret_reason, struct baton_error *err)
{
    struct cloudevent event = {NULL, NULL};
    enum baton_err rc;

    if (!media_type_is(header_text(message, "content-type"), "application/cloudevents+json"))
        return poison(
            ret_reason, DLQ_INVALID_CLOUDEVENT, err,
            "content-type is a CloudEvents format other than application/cloudevents+json (no batches, no Avro)");
    if (message->value == NULL)
        return poison(ret_reason, DLQ_INVALID_CLOUDEVENT, err, "a structured event without a value");
    rc = payload_parse("value", message->value, message->value_len, limits, &event.doc, ret_reason, err);
    if (rc == BATON_OK)
        rc = check_attributes(&event, ret_reason, err);
    if (rc == BATON_OK)
        rc = read_data(&event, limits, ret_reason, err);
    if (rc == BATON_OK && json_is_null(event.data)) {
        json_decref(event.data);
        event.data = NULL;
    }
    if (rc != BATON_OK) {
        cloudevent_clear(&event);
        return rc;
    }
    *ret_event = event;
    return BATON_OK;
}

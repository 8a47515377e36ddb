/*
 * reply.c -- reading a participant's reply.
 *
 * Owns:     the correlation, and what the headers say of the outcome. What the body says is the core's, which knows the
 * step. May use:  json_parse through payload.h, cloudevent.h. Tests:    tests/wire/test_reply.c, one row a rule.
 */
#include "cloudevent.h"
#include "dataref.h"
#include "ids.h"
#include "payload.h"
#include <stdlib.h>
#include <string.h>

#define RETRY_AFTER_MAX_MS INT64_C(604800000) /* 7 days */
#define NEST_MESSAGE_MAX 1024                 /* bytes of a thrown error's text that are kept */

static bool is_nest_error(const struct bus_message *message)
{
    return wire_header(message, "kafka_nest-err") != NULL;
}

static enum baton_err parse_id(struct text_view view, const char *where, struct wire_signer *signer,
                               struct wire_message_id *ret_id, enum dlq_reason *ret_reason, struct baton_error *err)
{
    if (!wire_message_id_parse(view.text, view.len, ret_id))
        return poison(ret_reason, DLQ_INVALID_CORRELATION, err,
                      "%s is not the id of one of our commands; echo the command's kafka_correlationId, byte for byte",
                      where);
    if (!wire_signer_believes(signer, view.text, view.len))
        return poison(ret_reason, DLQ_BAD_SIGNATURE, err,
                      "%s carries %s: forged, not echoed byte for byte, or signed with a key that security.replyKeyFile no longer holds",
                      where, wire_message_id_tagged(view.text, view.len) ? "a tag of no reply key" : "no tag");
    return BATON_OK;
}

/* event: NULL unless the message is a structured CloudEvent. */
static enum baton_err find_id(const struct bus_message *message, const struct cloudevent *event,
                              struct wire_signer *signer, struct wire_message_id *ret_id, enum dlq_reason *ret_reason, struct baton_error *err)
{
    struct text_view view = header_text(message, "kafka_correlationId");

    if (view.text != NULL)
        return parse_id(view, "kafka_correlationId", signer, ret_id, ret_reason, err);
    view = header_text(message, "ce_causationid");
    if (view.text != NULL)
        return parse_id(view, "ce_causationid", signer, ret_id, ret_reason, err);
    if (event != NULL)
        view = cloudevent_text(event, "causationid");
    if (view.text != NULL)
        return parse_id(view, "causationid", signer, ret_id, ret_reason, err);
    return poison(ret_reason, DLQ_MISSING_CORRELATION, err,
                  "no kafka_correlationId and no ce_causationid; echo the command's kafka_correlationId");
}

static bool has_correlation(const struct bus_message *message)
{
    return header_either(message, "kafka_correlationId", "ce_causationid").text != NULL;
}

enum baton_err wire_reply_id(const struct bus_message *message, struct wire_signer *signer,
                             struct wire_message_id *ret_id, enum dlq_reason *ret_reason, struct baton_error *err)
{
    struct cloudevent event = {NULL, NULL};
    struct wire_message_id id;
    bool structured = !has_correlation(message) && cloudevent_is_structured(message);
    enum baton_err rc = payload_check_headers(message, ret_reason, err);

    if (rc == BATON_OK && structured)
        rc = cloudevent_read(message, &json_default_limits, &event, ret_reason, err);
    if (rc == BATON_OK)
        rc = find_id(message, structured ? &event : NULL, signer, &id, ret_reason, err);
    cloudevent_clear(&event);
    if (rc == BATON_OK)
        *ret_id = id;
    return rc;
}

static enum baton_err read_outcome(const struct bus_message *message, enum reply_header_outcome *ret_outcome,
                                   enum dlq_reason *ret_reason, struct baton_error *err)
{
    static const struct {
        const char *word;
        enum reply_header_outcome outcome;
    } words[] = {
        {"success", REPLY_SUCCESS}, {"failure", REPLY_FAILURE}, {"retry", REPLY_RETRY}, {"pending", REPLY_PENDING}};
    struct text_view view = header_text(message, "saga-outcome");

    *ret_outcome = REPLY_UNSAID;
    if (view.text == NULL)
        return BATON_OK;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (text_is(view, words[i].word)) {
            *ret_outcome = words[i].outcome;
            return BATON_OK;
        }
    }
    return poison(ret_reason, DLQ_INVALID_OUTCOME, err,
                  "saga-outcome \"%.*s\" is not success, failure, retry or pending",
                  (int)(view.len > 40 ? 40 : view.len), view.text);
}

/* A hint only: what is not a whole number of ms is ignored, what is longer than 7 days is cut to that. */
static int64_t read_retry_after(const struct bus_message *message)
{
    struct text_view view = header_text(message, "retry-after-ms");
    int64_t ms;

    if (view.text == NULL || !number_parse(view.text, view.len, &ms))
        return 0;
    return ms < RETRY_AFTER_MAX_MS ? ms : RETRY_AFTER_MAX_MS;
}

/* The text of a thrown error as a JSON string, cut to a bound at a character's start. NULL if memory ran out. */
static json_t *nest_message(struct text_view text)
{
    size_t len = text.len < NEST_MESSAGE_MAX ? text.len : NEST_MESSAGE_MAX;
    json_t *message = NULL;

    while (len > 0 && len < text.len && ((unsigned char)text.text[len] & 0xc0) == 0x80)
        len--;
    if (len > 0 && memchr(text.text, '\0', len) == NULL)
        message = json_stringn(text.text, len);
    return message != NULL ? message : json_string("the handler threw an error that is not text");
}

/* NestJS sends a thrown error as text or JSON in a header: {"error":{"code","message","details"?}}. */
static enum baton_err nest_body(const struct bus_message *message, const struct json_limits *limits, json_t **ret_body,
                                struct baton_error *err)
{
    struct text_view text = header_text(message, "kafka_nest-err");
    json_t *thrown = NULL;
    json_t *body = NULL;
    json_t *code, *said;

    (void)json_parse(text.len == 0 ? "" : text.text, text.len, limits, &thrown, NULL);
    code = json_object_get(thrown, "code");
    said = json_is_string(thrown) ? thrown : json_object_get(thrown, "message");
    body = json_pack("{s:{s:o, s:o, s:O*}}", "error", "code",
                     json_is_string(code) ? json_incref(code) : json_string("NEST_ERROR"), "message",
                     json_is_string(said) ? json_incref(said) : nest_message(text), "details",
                     json_is_object(thrown) ? thrown : NULL);
    json_decref(thrown);
    if (body == NULL)
        return baton_fail(err, BATON_E_NOMEM, "reply: out of memory");
    *ret_body = body;
    return BATON_OK;
}

/* Only text headers: an expression cannot do anything with bytes, and the journal must be able to carry them. */
static json_t *read_headers(const struct bus_message *message)
{
    json_t *headers = json_object();

    for (size_t i = 0; headers != NULL && i < message->headers_len; i++) {
        const struct bus_header *header = &message->headers[i];
        json_t *value;

        if (header->value == NULL || header->name == NULL || json_object_get(headers, header->name) != NULL ||
            (header->len > 0 && memchr(header->value, '\0', header->len) != NULL))
            continue;
        value = json_stringn(header->value, header->len);
        if (value != NULL)
            (void)json_object_set_new(headers, header->name, value); /* a name that is not UTF-8 is left out too */
    }
    return headers;
}

/* The core knows whether it can be one; what is no text, or too long, cannot. NULL also if memory ran out: *fine tells. */
static char *read_compensation(const struct bus_message *message, bool *fine)
{
    struct text_view view = header_text(message, "saga-compensation");
    json_t *text = NULL;
    char *copy = NULL;

    if (view.text == NULL)
        return NULL;
    if (view.len <= UNDO_BYTES_MAX && memchr(view.text, '\0', view.len) == NULL)
        text = json_stringn(view.text, view.len); /* NULL: no UTF-8 */
    copy = strdup(text == NULL ? "" : json_string_value(text));
    json_decref(text);
    *fine = copy != NULL;
    return copy;
}

static enum baton_err read_body(const struct bus_message *message, const struct cloudevent *event,
                                const struct json_limits *limits, struct wire_reply *reply, enum dlq_reason *ret_reason,
                                struct baton_error *err)
{
    enum baton_err rc = BATON_OK;

    if (event != NULL)
        reply->body = json_incref(event->data);
    else if (message->value != NULL && message->value_len > 0)
        rc = payload_parse("value", message->value, message->value_len, limits, &reply->body, ret_reason, err);
    if (rc == BATON_OK && json_is_null(reply->body))
        reply->body = NULL; /* json_null is a singleton: nothing to release */
    if (!is_nest_error(message) || rc == BATON_E_NOMEM)
        return rc;
    if (json_object_get(reply->body, "error") != NULL)
        return BATON_OK;
    json_decref(reply->body);
    reply->body = NULL;
    return nest_body(message, limits, &reply->body, err);
}

static bool says_problem(const struct bus_message *message, const struct cloudevent *event)
{
    struct text_view data_type = {NULL, 0};

    if (event != NULL)
        data_type = cloudevent_text(event, "datacontenttype");
    return is_nest_error(message) || media_type_is(header_text(message, "content-type"), "application/problem+json") ||
           media_type_is(data_type, "application/problem+json");
}

enum baton_err wire_reply_read(const struct bus_message *message, const struct json_limits *limits, bool want_headers,
                               struct wire_reply *ret_reply, enum dlq_reason *ret_reason, struct baton_error *err)
{
    struct wire_reply reply = {.outcome = REPLY_UNSAID};
    struct cloudevent event = {NULL, NULL};
    const struct cloudevent *structured = NULL;
    enum baton_err rc = payload_check_headers(message, ret_reason, err);

    if (rc == BATON_OK && cloudevent_is_structured(message)) {
        rc = cloudevent_read(message, limits, &event, ret_reason, err);
        structured = &event;
    }
    if (rc == BATON_OK)
        rc = find_id(message, structured, NULL, &reply.id, ret_reason, err);
    if (rc == BATON_OK)
        rc = read_outcome(message, &reply.outcome, ret_reason, err);
    if (rc == BATON_OK)
        rc = read_body(message, structured, limits, &reply, ret_reason, err);
    if (rc == BATON_OK)
        rc = dataref_read(message, structured, &reply.dataref, ret_reason, err);
    if (rc == BATON_OK && want_headers) {
        reply.headers = read_headers(message);
        if (reply.headers == NULL)
            rc = baton_fail(err, BATON_E_NOMEM, "reply: out of memory");
    }
    reply.problem = says_problem(message, structured);
    reply.retry_after_ms = read_retry_after(message);
    if (rc == BATON_OK) {
        bool fine = true;

        reply.compensation = read_compensation(message, &fine);
        if (!fine)
            rc = baton_fail(err, BATON_E_NOMEM, "reply: out of memory");
    }
    cloudevent_clear(&event);
    if (rc != BATON_OK) {
        wire_reply_clear(&reply);
        return rc;
    }
    *ret_reply = reply;
    return BATON_OK;
}

void wire_reply_clear(struct wire_reply *reply)
{
    json_decref(reply->body);
    json_decref(reply->dataref);
    json_decref(reply->headers);
    free(reply->compensation);
    memset(reply, 0, sizeof *reply);
}

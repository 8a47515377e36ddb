/*
 * start.c -- reading a start command.
 *
 * Owns:     where id, type, version, input, trace and reply address of a new saga come from, and in which order.
 * May use:  json_parse through payload.h, cloudevent.h.
 * Never:    decides whether the definition or the reply topic exists: that is the engine's.
 * Tests:    tests/wire/test_start.c, one row a rule.
 */
#include "cloudevent.h"
#include "dataref.h"
#include "ids.h"
#include "payload.h"
#include "reply_to.h"
#include "trace.h"
#include <stdlib.h>
#include <string.h>

/* One start command while it is read. */
struct reading {
    const struct bus_message *message;
    struct cloudevent event; /* doc is NULL unless the message is structured */
    enum dlq_reason *ret_reason;
    struct baton_error *err;
};

/* A header, else an attribute of the structured event. */
static struct text_view find(const struct reading *reading, const char *header, const char *ce_header,
                             const char *attribute)
{
    struct text_view view = header_either(reading->message, header, ce_header);

    return view.text != NULL || reading->event.doc == NULL ? view : cloudevent_text(&reading->event, attribute);
}

/* Key, then header saga-id or ce_sagaid (attribute sagaid), then ce_id (attribute id). An empty key counts as no key.
 */
static struct text_view find_id(const struct reading *reading)
{
    struct text_view view = {reading->message->key, reading->message->key_len};

    if (view.text != NULL && view.len > 0)
        return view;
    view = find(reading, "saga-id", "ce_sagaid", "sagaid");
    if (view.text != NULL)
        return view;
    return find(reading, "ce_id", "ce_id", "id");
}

static enum baton_err read_id(const struct reading *reading, char ret_id[SAGA_ID_MAX + 1])
{
    struct text_view view = find_id(reading);

    if (view.text == NULL)
        return poison(reading->ret_reason, DLQ_MISSING_ID, reading->err,
                      "no saga id; send it as the record's key, or in header saga-id or ce_id");
    if (!saga_id_valid(view.text, view.len))
        return poison(reading->ret_reason, DLQ_INVALID_ID, reading->err,
                      "the saga id \"%.*s\" is not 1..%d of A-Z a-z 0-9 . _ : -",
                      (int)(view.len > 160 ? 160 : view.len), view.text, SAGA_ID_MAX);
    if (view.len >= strlen(WIRE_LOCK_PREFIX) && memcmp(view.text, WIRE_LOCK_PREFIX, strlen(WIRE_LOCK_PREFIX)) == 0)
        return poison(reading->ret_reason, DLQ_INVALID_ID, reading->err, "the saga id \"%.*s\" begins with \"%s\", as only locks' do",
                      (int)(view.len > 160 ? 160 : view.len), view.text, WIRE_LOCK_PREFIX);
    memcpy(ret_id, view.text, view.len);
    ret_id[view.len] = '\0';
    return BATON_OK;
}

static enum baton_err read_type(const struct reading *reading, const char *binding, struct wire_start *start)
{
    struct text_view view = find(reading, "saga-type", "ce_sagatype", "sagatype");

    if (view.text == NULL && binding != NULL) {
        view.text = binding;
        view.len = strlen(binding);
    }
    if (view.text == NULL)
        return poison(reading->ret_reason, DLQ_MISSING_TYPE, reading->err,
                      "no saga type; send header saga-type, or bind the topic to a definition");
    if (!definition_name_valid(view.text, view.len))
        return poison(reading->ret_reason, DLQ_UNKNOWN_DEFINITION, reading->err,
                      "\"%.*s\" cannot be the name of a definition", (int)(view.len > 160 ? 160 : view.len), view.text);
    memcpy(start->type, view.text, view.len);
    start->type[view.len] = '\0';
    return BATON_OK;
}

/* A CloudEvents extension may be a number as well as text. */
static enum baton_err read_version(const struct reading *reading, struct wire_start *start)
{
    struct text_view view = find(reading, "saga-version", "ce_sagaversion", "sagaversion");
    const json_t *number = json_object_get(reading->event.doc, "sagaversion");

    start->version = 0;
    if (view.text != NULL) {
        if (!number_parse(view.text, view.len, &start->version) || start->version < 1)
            return poison(reading->ret_reason, DLQ_UNKNOWN_DEFINITION, reading->err,
                          "saga-version \"%.*s\" is not a whole number from 1", (int)(view.len > 40 ? 40 : view.len),
                          view.text);
    } else if (number != NULL && !json_is_null(number)) {
        start->version = json_integer_value(number); /* 0 if it is not an integer */
        if (start->version < 1)
            return poison(reading->ret_reason, DLQ_UNKNOWN_DEFINITION, reading->err,
                          "sagaversion is not a whole number from 1");
    }
    return BATON_OK;
}

static enum baton_err read_input(struct reading *reading, const struct json_limits *limits, struct wire_start *start)
{
    const struct bus_message *message = reading->message;
    enum baton_err rc = BATON_OK;

    if (reading->event.doc != NULL)
        start->input = json_incref(reading->event.data);
    else if (message->value != NULL && message->value_len > 0)
        rc = payload_parse("value", message->value, message->value_len, limits, &start->input, reading->ret_reason,
                           reading->err);
    if (rc == BATON_OK && start->dataref != NULL && (start->input == NULL || json_is_null(start->input)))
        start->input = json_object();
    if (rc == BATON_OK && !json_is_object(start->input))
        rc = poison(reading->ret_reason, DLQ_NOT_AN_OBJECT, reading->err, "the input is %s, not a JSON object",
                    start->input == NULL ? "empty" : "another JSON value");
    return rc;
}

/* A trace context that is not valid is left out: it must never cost an order. */
static enum baton_err read_trace(const struct reading *reading, struct wire_start *start)
{
    struct text_view parent = find(reading, "traceparent", "ce_traceparent", "traceparent");
    struct text_view state = find(reading, "tracestate", "ce_tracestate", "tracestate");

    if (!traceparent_valid(parent))
        return BATON_OK;
    start->traceparent = text_copy(parent);
    if (tracestate_valid(state))
        start->tracestate = text_copy(state);
    if (start->traceparent == NULL || (tracestate_valid(state) && start->tracestate == NULL))
        return baton_fail(reading->err, BATON_E_NOMEM, "start: out of memory");
    return BATON_OK;
}

static enum baton_err read_envelope(struct reading *reading, const struct json_limits *limits)
{
    enum baton_err rc = payload_check_headers(reading->message, reading->ret_reason, reading->err);

    if (rc != BATON_OK)
        return rc;
    if (cloudevent_is_structured(reading->message))
        return cloudevent_read(reading->message, limits, &reading->event, reading->ret_reason, reading->err);
    return cloudevent_check_binary(reading->message, reading->ret_reason, reading->err);
}

enum baton_err wire_start_read(const struct bus_message *message, const char *binding, const struct json_limits *limits,
                               struct wire_start *ret_start, enum dlq_reason *ret_reason, struct baton_error *err)
{
    struct reading reading = {message, {NULL, NULL}, ret_reason, err};
    struct wire_start start = {.at_ms = message->timestamp_ms > 0 ? message->timestamp_ms : 0};
    enum baton_err rc = read_envelope(&reading, limits);

    if (rc == BATON_OK)
        rc = read_id(&reading, start.id);
    if (rc == BATON_OK)
        rc = read_type(&reading, binding, &start);
    if (rc == BATON_OK)
        rc = read_version(&reading, &start);
    if (rc == BATON_OK)
        rc = dataref_read(message, &reading.event, &start.dataref, ret_reason, err);
    if (rc == BATON_OK)
        rc = read_input(&reading, limits, &start);
    if (rc == BATON_OK)
        rc = read_trace(&reading, &start);
    if (rc == BATON_OK)
        rc = reply_to_read(message, &start.reply_topic, &start.reply_correlation, ret_reason, err);
    cloudevent_clear(&reading.event);
    if (rc != BATON_OK) {
        wire_start_clear(&start);
        return rc;
    }
    *ret_start = start;
    return BATON_OK;
}

void wire_start_clear(struct wire_start *start)
{
    json_decref(start->input);
    json_decref(start->dataref);
    json_decref(start->parent);
    free(start->traceparent);
    free(start->tracestate);
    free(start->reply_topic);
    free(start->reply_correlation);
    memset(start, 0, sizeof *start);
}

bool wire_start_id(const struct bus_message *message, const struct json_limits *limits, char ret_id[SAGA_ID_MAX + 1])
{
    enum dlq_reason reason;
    struct baton_error err;
    struct reading reading = {message, {NULL, NULL}, &reason, &err};
    bool found = false;

    /* The event is parsed only when neither key nor header names the saga. */
    if (header_either(message, "saga-id", "ce_sagaid").text == NULL &&
        (message->key == NULL || message->key_len == 0) && cloudevent_is_structured(message) &&
        cloudevent_read(message, limits, &reading.event, &reason, &err) != BATON_OK)
        return false;
    found = read_id(&reading, ret_id) == BATON_OK;
    cloudevent_clear(&reading.event);
    return found;
}

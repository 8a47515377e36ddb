/*
 * cloudevent.h -- CloudEvents 1.0 in structured mode (content-type application/cloudevents+json).
 */
#ifndef BATON_WIRE_CLOUDEVENT_H
#define BATON_WIRE_CLOUDEVENT_H

#include "headers.h"

struct cloudevent {
    json_t *doc;  /* owned: the whole event */
    json_t *data; /* owned; NULL = none or null */
};

/* Does the content-type say that the value is an event (of any format)? */
bool cloudevent_is_structured(const struct bus_message *message);
/* In binary mode: is ce_specversion one that we know? Plain JSON without ce_ headers is fine. */
enum baton_err cloudevent_check_binary(const struct bus_message *message, enum dlq_reason *ret_reason,
                                       struct baton_error *err);
/* BATON_E_POISON: invalid-cloudevent, invalid-json, too-large, too-deep. */
enum baton_err cloudevent_read(const struct bus_message *message, const struct json_limits *limits,
                               struct cloudevent *ret_event, enum dlq_reason *ret_reason, struct baton_error *err);
void cloudevent_clear(struct cloudevent *event);
/* A string attribute, or absent. Borrowed from the event. */
struct text_view cloudevent_text(const struct cloudevent *event, const char *name);

#endif

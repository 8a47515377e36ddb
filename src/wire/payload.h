/*
 * payload.h -- a JSON value from outside, or the dead-letter reason why it is none.
 */
#ifndef BATON_WIRE_PAYLOAD_H
#define BATON_WIRE_PAYLOAD_H

#include <baton/wire.h>

/* Fill reason and err; returns BATON_E_POISON. */
enum baton_err poison(enum dlq_reason *ret_reason, enum dlq_reason reason, struct baton_error *err, const char *format,
                      ...) __attribute__((format(printf, 4, 5)));

/* Parse text. what names it in the error ("value", "data_base64"). BATON_E_POISON with too-large, too-deep or
 * invalid-json. */
enum baton_err payload_parse(const char *what, const char *text, size_t len, const struct json_limits *limits,
                             json_t **ret_value, enum dlq_reason *ret_reason, struct baton_error *err);

/* More headers than we look at: some that matter may be missing. */
enum baton_err payload_check_headers(const struct bus_message *message, enum dlq_reason *ret_reason,
                                     struct baton_error *err);

#endif

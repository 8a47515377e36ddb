/*
 * reply_to.h -- headers kafka_replyTopic and kafka_correlationId of a message that may have an answer.
 */
#ifndef BATON_WIRE_REPLY_TO_H
#define BATON_WIRE_REPLY_TO_H

#include "headers.h"

/* Both malloc'ed, NULL = not there; what has been written is the caller's even if it fails. A correlation is text, or "b64:" and base64 when it is not
 * printable ASCII; without a topic it is not read. BATON_E_POISON with reason. */
enum baton_err reply_to_read(const struct bus_message *message, char **ret_topic, char **ret_correlation,
                             enum dlq_reason *ret_reason, struct baton_error *err);

#endif

/*
 * reply_to.c -- where whoever sent a message wants its answer.
 *
 * Owns:     the form of a topic's name; a correlation as text.
 * Never:    decides whether the topic is allowed: that is the engine's.
 * Tests:    tests/wire/test_start.c
 */
#include "reply_to.h"
#include "base64.h"
#include "payload.h"

#define CORRELATION_MAX 1024 /* bytes; it lives in the saga's state */
#define TOPIC_MAX 249        /* Kafka's own limit */
#define TEXT_COLON_64 "b64:"

static bool topic_valid(struct text_view view)
{
    if (view.len == 0 || view.len > TOPIC_MAX)
        return false;
    for (size_t i = 0; i < view.len; i++) {
        char c = view.text[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
              c == '-'))
            return false;
    }
    return true;
}

/* Text stays text; any other bytes, and text that looks like our own prefix, become b64:. */
static char *correlation_text(struct text_view view)
{
    struct buffer text = {0};

    if (text_printable(view) && !text_starts_nocase(view, TEXT_COLON_64))
        return text_copy(view);
    buffer_text(&text, TEXT_COLON_64);
    base64_write(&text, view.text, view.len);
    if (buffer_cstr(&text) == NULL)
        buffer_free(&text);
    return text.data;
}

enum baton_err reply_to_read(const struct bus_message *message, char **ret_topic, char **ret_correlation,
                             enum dlq_reason *ret_reason, struct baton_error *err)
{
    struct text_view topic = header_text(message, "kafka_replyTopic");
    struct text_view correlation = header_text(message, "kafka_correlationId");

    if (topic.text == NULL)
        return BATON_OK;
    if (!topic_valid(topic))
        return poison(ret_reason, DLQ_REPLY_TOPIC_NOT_ALLOWED, err,
                      "kafka_replyTopic is not the name of a topic");
    if (correlation.len > CORRELATION_MAX)
        return poison(ret_reason, DLQ_INVALID_CORRELATION, err,
                      "kafka_correlationId of %zu bytes, at most %d", correlation.len, CORRELATION_MAX);
    *ret_topic = text_copy(topic);
    if (correlation.text != NULL)
        *ret_correlation = correlation_text(correlation);
    if (*ret_topic == NULL || (correlation.text != NULL && *ret_correlation == NULL))
        return baton_fail(err, BATON_E_NOMEM, "reply address: out of memory");
    return BATON_OK;
}

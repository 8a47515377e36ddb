/*
 * reader.c -- one partition at a time, read without a group: journal, states, definitions.
 *
 * Owns:     a read_committed handle, and one that asks for true high watermarks; both opened when first needed.
 * May use:  librdkafka's simple consumer: it needs no group, so no coordinator and no right on one.
 * Never:    commit an offset.
 * Tests:    tests/kafka/test_mock.c, tests/kafka/test_group.c
 */
#include "kafka_internal.h"
#include <stdlib.h>
#include <string.h>

#define LEADER_WAIT_MS 2000
#define END_WAIT_MS 10000

void reader_init(struct reader *reader, const struct kafka_options *options)
{
    memset(reader, 0, sizeof *reader);
    reader->options = options;
}

static enum baton_err open_handle(struct reader *reader, const char *isolation, rd_kafka_t **handle, struct baton_error *err)
{
    static const struct setting defaults[] = {
        {"fetch.wait.max.ms", "10"},   {"queued.max.messages.kbytes", "32768"}, {"queued.min.messages", "1000000"},
        {"fetch.max.bytes", "8388608"}, {"fetch.message.max.bytes", "4194304"},  {"fetch.error.backoff.ms", "50"},
        {"socket.timeout.ms", "10000"}, {"reconnect.backoff.max.ms", "1000"},    {NULL, NULL}};
    const struct setting fixed[] = {{"enable.auto.commit", "false"},
                                    {"enable.auto.offset.store", "false"},
                                    {"isolation.level", isolation},
                                    {"auto.offset.reset", "error"},
                                    {"allow.auto.create.topics", "false"},
                                    {"enable.partition.eof", "true"},
                                    {NULL, NULL}};
    rd_kafka_conf_t *conf = NULL;
    enum baton_err rc = BATON_OK;

    if (*handle != NULL)
        return BATON_OK;
    rc = conf_new(reader->options, CLIENT_CONSUMER, defaults, fixed, &reader->client, &conf, err);
    return rc == BATON_OK ? conf_open(conf, CLIENT_CONSUMER, handle, err) : rc;
}

void reader_end(struct reader *reader)
{
    if (reader->topic == NULL)
        return;
    (void)rd_kafka_consume_stop(reader->topic, reader->partition);
    rd_kafka_topic_destroy(reader->topic);
    reader->topic = NULL;
}

void reader_clear(struct reader *reader)
{
    reader_end(reader);
    if (reader->handle != NULL)
        rd_kafka_destroy(reader->handle);
    if (reader->asker != NULL)
        rd_kafka_destroy(reader->asker);
    reader->handle = reader->asker = NULL;
}

enum baton_err reader_begin(struct reader *reader, const char *topic, int32_t partition, int64_t offset, struct baton_error *err)
{
    enum baton_err rc = open_handle(reader, "read_committed", &reader->handle, err);

    if (rc != BATON_OK)
        return rc;
    reader_end(reader);
    reader->topic = rd_kafka_topic_new(reader->handle, topic, NULL);
    if (reader->topic == NULL)
        return baton_fail(err, BATON_E_INVALID, "\"%s\" is not a topic name", topic);
    reader->partition = partition;
    reader->position = offset;
    reader->at_end = false;
    if (rd_kafka_consume_start(reader->topic, partition, offset) != 0) {
        rd_kafka_resp_err_t code = rd_kafka_last_error();

        rd_kafka_topic_destroy(reader->topic);
        reader->topic = NULL;
        return baton_fail(err, BATON_E_FATAL, "read %s[%d]: %s", topic, partition, rd_kafka_err2str(code));
    }
    return BATON_OK;
}

static enum baton_err read_error(struct reader *reader, const rd_kafka_message_t *message, struct bus_message *ret_message,
                                 struct baton_error *err)
{
    const char *topic = rd_kafka_topic_name(reader->topic);
    const char *text = message->payload == NULL ? rd_kafka_err2str(message->err) : message->payload;

    switch ((int)message->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        reader->at_end = true;
        reader->position = ret_message->offset = message->offset;
        return BATON_E_NOT_FOUND;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        return baton_fail(err, BATON_E_STALE, "%s[%d]@%lld no longer exists: %s", topic, reader->partition,
                          (long long)reader->position, text);
    case RD_KAFKA_RESP_ERR__FATAL:
        return baton_fail(err, BATON_E_FATAL, "read %s[%d]: %s", topic, reader->partition, text);
    default:
        return baton_fail(err, BATON_E_RETRY, "read %s[%d]: %s (%s)", topic, reader->partition, text,
                          rd_kafka_err2name(message->err));
    }
}

enum baton_err reader_next(struct reader *reader, int timeout_ms, struct bus_message *ret_message, struct baton_error *err)
{
    rd_kafka_message_t *message = NULL;
    enum baton_err rc = BATON_OK;

    if (reader->topic == NULL)
        return baton_fail(err, BATON_E_FATAL, "nothing is being read");
    ret_message->handle = NULL;
    message = rd_kafka_consume(reader->topic, reader->partition, timeout_ms);
    if (message == NULL) {
        (void)rd_kafka_poll(reader->handle, 0); /* errors of connections, for the log */
        if (reader->at_end) {
            ret_message->offset = reader->position;
            return BATON_E_NOT_FOUND;
        }
        return baton_fail(err, BATON_E_RETRY, "%s[%d]@%lld: nothing came in %d ms", rd_kafka_topic_name(reader->topic),
                          reader->partition, (long long)reader->position, timeout_ms);
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        rc = read_error(reader, message, ret_message, err);
        rd_kafka_message_destroy(message);
        return rc;
    }
    reader->at_end = false;
    reader->position = message->offset + 1;
    message_borrow(message, ret_message);
    return BATON_OK;
}

enum baton_err reader_watermarks(struct reader *reader, const char *topic, int32_t partition, int timeout_ms,
                                 int64_t *ret_low, int64_t *ret_high, struct baton_error *err)
{
    enum baton_err rc = open_handle(reader, "read_uncommitted", &reader->asker, err);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    int64_t low = 0, high = 0;

    if (rc != BATON_OK)
        return rc;
    code = rd_kafka_query_watermark_offsets(reader->asker, topic, partition, &low, &high, timeout_ms);
    (void)rd_kafka_poll(reader->asker, 0);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return baton_fail(err, BATON_E_RETRY, "watermarks of %s[%d]: %s", topic, partition, rd_kafka_err2str(code));
    *ret_low = low;
    *ret_high = high;
    return BATON_OK;
}

/* --- the faces' tail --- */

/* A partition whose leader is not known yet is looked for again only after half a second: ask first. Failing is fine, reading will say why. */
static void ask_leader(struct reader *reader, const char *topic)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(reader->handle, topic, NULL);
    const struct rd_kafka_metadata *metadata = NULL;

    if (handle == NULL)
        return;
    if (rd_kafka_metadata(reader->handle, 0, handle, &metadata, LEADER_WAIT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
}

struct kafka_tail {
    struct reader reader;
};

/* librdkafka would look for the end when it first fetches: what comes before that, and after this call, would be missed. */
static enum baton_err find_end(struct reader *reader, const char *topic, int32_t partition, int64_t *ret_offset, struct baton_error *err)
{
    int64_t low = 0;
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(reader->handle, topic, partition, &low, ret_offset, END_WAIT_MS);

    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return baton_fail(err, BATON_E_RETRY, "the end of %s[%d]: %s", topic, partition, rd_kafka_err2str(code));
    return BATON_OK;
}

enum baton_err kafka_tail_open(const struct kafka_options *options, const char *topic, int32_t partition, int64_t offset,
                               struct kafka_tail **ret_tail, struct baton_error *err)
{
    struct kafka_tail *tail = NULL;
    enum baton_err rc = kafka_properties_check(options, err);

    if (rc != BATON_OK)
        return rc;
    tail = calloc(1, sizeof *tail);
    if (tail == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory");
    reader_init(&tail->reader, options);
    rc = open_handle(&tail->reader, "read_committed", &tail->reader.handle, err);
    if (rc == BATON_OK) {
        ask_leader(&tail->reader, topic);
        if (offset == RD_KAFKA_OFFSET_END)
            rc = find_end(&tail->reader, topic, partition, &offset, err);
    }
    if (rc == BATON_OK)
        rc = reader_begin(&tail->reader, topic, partition, offset, err);
    if (rc == BATON_OK)
        *ret_tail = tail;
    else
        kafka_tail_close(tail);
    return rc;
}

enum baton_err kafka_tail_next(struct kafka_tail *tail, int timeout_ms, struct bus_message *ret_message, struct baton_error *err)
{
    return reader_next(&tail->reader, timeout_ms, ret_message, err);
}

void kafka_tail_release(struct kafka_tail *tail, struct bus_message *message)
{
    (void)tail;
    message_release(message);
}

void kafka_tail_close(struct kafka_tail *tail)
{
    if (tail != NULL)
        reader_clear(&tail->reader);
    free(tail);
}

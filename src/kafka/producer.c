/*
 * producer.c -- one transactional producer: its handle, its replacement, its delivery reports.
 *
 * Owns:     the handle, the records of the open transaction and what the broker said of them.
 * May use:  librdkafka.
 * Never:    begin or end a transaction (transaction.c does).
 * Tests:    tests/kafka/test_mock.c, tests/kafka/test_group.c
 */
#include "kafka_internal.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INIT_SLICE_MS 5000
#define CONNECT_PATIENCE_MS 1000
#define SOCKET_TIMEOUT_MS 10000

void producer_init(struct producer *producer, const struct kafka_bus_options *options, int number)
{
    producer->options = options;
    producer->number = number;
    producer->client.owner = producer;
}

/* --- delivery reports --- */

static void note_failure(struct producer *producer, const rd_kafka_message_t *message, int tag)
{
    bool poison = error_is_poison(message->err), poisoned = error_is_poison(producer->failed);
    size_t bytes = message->len + message->key_len;

    if (producer->failed != RD_KAFKA_RESP_ERR_NO_ERROR && (poisoned || !poison) &&
        !(poisoned && message->err == producer->failed && bytes > producer->failed_bytes))
        return;
    /* A broker refuses a whole batch for one large record: the largest is the likeliest culprit. */
    producer->failed = message->err;
    producer->failed_bytes = bytes;
    producer->failed_tag = tag;
    (void)snprintf(producer->failed_topic, sizeof producer->failed_topic, "%s",
                   message->rkt == NULL ? "" : rd_kafka_topic_name(message->rkt));
}

static void on_report(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque)
{
    struct client *client = opaque;
    struct producer *producer = client->owner;
    uintptr_t mark = (uintptr_t)message->_private;
    size_t index = (size_t)(mark & UINT32_MAX);

    (void)handle;
    if ((uint32_t)(mark >> 32) != producer->epoch || index >= producer->sent_len)
        return; /* of a transaction that is over */
    producer->reported++;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        note_failure(producer, message, producer->sent[index].tag);
    else
        producer->sent[index].offset = message->offset;
}

void producer_serve(struct producer *producer, int timeout_ms)
{
    if (producer->handle != NULL)
        (void)rd_kafka_poll(producer->handle, timeout_ms);
}

/* --- the handle --- */

/* Derived from the transaction's time unless the user says: a record must have failed before the transaction does. */
static enum baton_err derive_timeouts(struct producer *producer, rd_kafka_conf_t *conf, struct baton_error *err)
{
    int64_t third = conf_number(conf, "transaction.timeout.ms", 15000) / 3;
    struct setting derived[] = {{"message.timeout.ms", NULL}, {"socket.timeout.ms", NULL}};
    char value[32], text[256];

    producer->transaction_timeout_ms = third * 3;
    (void)snprintf(value, sizeof value, "%" PRId64, third * 2 < SOCKET_TIMEOUT_MS ? third * 2 : SOCKET_TIMEOUT_MS);
    for (size_t i = 0; i < sizeof derived / sizeof *derived; i++) {
        if (conf_user_set(&producer->options->kafka, CLIENT_PRODUCER, derived[i].name) ||
            (i == 0 && conf_user_set(&producer->options->kafka, CLIENT_PRODUCER, "delivery.timeout.ms")))
            continue;
        if (rd_kafka_conf_set(conf, derived[i].name, value, text, sizeof text) != RD_KAFKA_CONF_OK)
            return baton_fail(err, BATON_E_INVALID, "kafka property \"transaction.timeout.ms\" is too short: %s", text);
    }
    return BATON_OK;
}

enum baton_err producer_open(struct producer *producer, struct baton_error *err)
{
    static const struct setting defaults[] = {
        {"transaction.timeout.ms", "15000"},
        {"linger.ms", "0"},
        {"retry.backoff.ms", "5"},
        {"batch.num.messages", "100000"},
        {"queue.buffering.max.messages", "1000000"},
        {"queue.buffering.max.kbytes", "262144"},
        {"reconnect.backoff.max.ms", "1000"},
        {"topic.metadata.propagation.max.ms", "3000"},
        {NULL, NULL}};
    const struct kafka_bus_options *options = producer->options;
    char id[256], bytes[32];
    const struct setting fixed[] = {{"transactional.id", id},
                                    {"enable.idempotence", "true"},
                                    {"partitioner", "murmur2_random"},
                                    {"message.max.bytes", bytes},
                                    {NULL, NULL}};
    rd_kafka_conf_t *conf = NULL;
    enum baton_err rc = BATON_OK;

    if (producer->handle != NULL)
        return BATON_OK;
    if (snprintf(id, sizeof id, "%s.%d", options->transactional_id, producer->number) >= (int)sizeof id)
        return baton_fail(err, BATON_E_INVALID, "transactional id \"%s\" is too long", options->transactional_id);
    (void)snprintf(bytes, sizeof bytes, "%d", options->max_message_bytes > 0 ? options->max_message_bytes : 1000000);
    rc = conf_new(&options->kafka, CLIENT_PRODUCER, defaults, fixed, &producer->client, &conf, err);
    if (rc != BATON_OK)
        return rc;
    rc = derive_timeouts(producer, conf, err);
    if (rc != BATON_OK) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    producer->ready = producer->retire = false;
    return conf_open(conf, CLIENT_PRODUCER, &producer->handle, err);
}

/* librdkafka 2.0.2 connects to a leader up to a second after the first record for it waits (measured: 0.9 s for the first command of a fresh
 * worker, under 1 ms after this). A question to each leader connects now; without an answer nothing is lost but that second. */
static void connect_leaders(struct producer *producer)
{
    const char *name = producer->options->inputs[0].topic;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(producer->handle, name, NULL);
    const struct rd_kafka_metadata *metadata = NULL;
    int64_t until_ms = now_ms() + CONNECT_PATIENCE_MS, low = 0, high = 0;

    if (topic == NULL)
        return;
    if (rd_kafka_metadata(producer->handle, 0, topic, &metadata, CONNECT_PATIENCE_MS) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const struct rd_kafka_metadata_topic *about = metadata->topic_cnt == 1 ? &metadata->topics[0] : NULL;

        for (int i = 0; about != NULL && i < about->partition_cnt && now_ms() < until_ms; i++) {
            bool asked = false;

            for (int k = 0; k < i && !asked; k++)
                asked = about->partitions[k].leader == about->partitions[i].leader;
            if (!asked)
                (void)rd_kafka_query_watermark_offsets(producer->handle, name, about->partitions[i].id, &low, &high,
                                                       (int)(until_ms - now_ms()) + 1);
        }
        rd_kafka_metadata_destroy(metadata);
    }
    rd_kafka_topic_destroy(topic);
}

enum baton_err producer_ready(struct producer *producer, int64_t deadline_ms, struct baton_error *err)
{
    if (producer->ready)
        return BATON_OK;
    while (!producer->ready) {
        int64_t left = deadline_ms - now_ms();
        rd_kafka_error_t *error =
            rd_kafka_init_transactions(producer->handle, left < 1 ? 1 : left < INIT_SLICE_MS ? (int)left : INIT_SLICE_MS);
        bool again = error != NULL && rd_kafka_error_is_retriable(error) && !rd_kafka_error_is_fatal(error);

        producer->ready = error == NULL;
        producer_serve(producer, 0);
        if (error != NULL && (!again || now_ms() >= deadline_ms)) {
            enum baton_err rc =
                baton_fail(err, again ? BATON_E_RETRY : BATON_E_FATAL, "transactional id %s.%d: %s: %s",
                           producer->options->transactional_id, producer->number, rd_kafka_error_name(error),
                           rd_kafka_error_string(error));

            rd_kafka_error_destroy(error);
            return rc;
        }
        if (error != NULL)
            rd_kafka_error_destroy(error);
    }
    connect_leaders(producer);
    return BATON_OK;
}

void producer_close(struct producer *producer)
{
    topic_slots_clear(producer->topics);
    if (producer->handle != NULL) {
        (void)rd_kafka_purge(producer->handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
        producer_serve(producer, 0);
        rd_kafka_destroy(producer->handle);
    }
    producer->handle = NULL;
    producer->ready = producer->retire = false;
    free(producer->sent);
    producer->sent = NULL;
    producer->sent_len = producer->sent_cap = 0;
}

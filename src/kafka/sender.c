/*
 * sender.c -- a plain producer for the faces: one record, one acknowledgement.
 *
 * Owns:     its handle.
 * Never:    a transaction.
 * Tests:    tests/kafka/test_mock.c
 */
#include "kafka_internal.h"
#include <stdlib.h>

struct kafka_sender {
    struct client client;
    rd_kafka_t *handle;
    struct topic_slot topics[TOPIC_SLOTS];
};

struct answer {
    bool there;
    rd_kafka_resp_err_t code;
    int32_t partition;
    int64_t offset;
};

static void on_report(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque)
{
    struct answer *answer = message->_private;

    (void)handle;
    (void)opaque;
    *answer = (struct answer){.there = true, .code = message->err, .partition = message->partition, .offset = message->offset};
}

enum baton_err kafka_sender_open(const struct kafka_options *options, struct kafka_sender **ret_sender, struct baton_error *err)
{
    static const struct setting defaults[] = {
        {"linger.ms", "0"}, {"topic.metadata.propagation.max.ms", "3000"}, {"message.timeout.ms", "30000"},
        {"socket.timeout.ms", "10000"}, {"reconnect.backoff.max.ms", "1000"}, {NULL, NULL}};
    static const struct setting fixed[] = {{"enable.idempotence", "true"}, {"partitioner", "murmur2_random"}, {NULL, NULL}};
    struct kafka_sender *sender = NULL;
    rd_kafka_conf_t *conf = NULL;
    enum baton_err rc = kafka_properties_check(options, err);

    if (rc != BATON_OK)
        return rc;
    sender = calloc(1, sizeof *sender);
    if (sender == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory");
    rc = conf_new(options, CLIENT_PRODUCER, defaults, fixed, &sender->client, &conf, err);
    if (rc == BATON_OK) {
        rd_kafka_conf_set_dr_msg_cb(conf, on_report);
        rc = conf_open(conf, CLIENT_PRODUCER, &sender->handle, err);
    }
    if (rc == BATON_OK)
        *ret_sender = sender;
    else
        kafka_sender_close(sender);
    return rc;
}

enum baton_err kafka_sender_send(struct kafka_sender *sender, const struct bus_record *record, int32_t *ret_partition,
                                 int64_t *ret_offset, struct baton_error *err)
{
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    struct topic_slot *slot = topic_slot_find(sender->topics, sender->handle, record->topic, &code);
    struct answer answer = {0};

    if (slot != NULL)
        code = record_produce(sender->handle, slot->topic, record, &answer);
    /* message.timeout.ms bounds it; answer lives on this stack, so there is no leaving earlier. */
    while (code == RD_KAFKA_RESP_ERR_NO_ERROR && !answer.there)
        (void)rd_kafka_poll(sender->handle, 100);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = answer.code;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return baton_fail(err, error_is_poison(code) ? BATON_E_INVALID : BATON_E_RETRY, "send %zu bytes to \"%s\": %s",
                          record->value_len, record->topic, rd_kafka_err2str(code));
    if (ret_partition != NULL)
        *ret_partition = answer.partition;
    if (ret_offset != NULL)
        *ret_offset = answer.offset;
    return BATON_OK;
}

void kafka_sender_close(struct kafka_sender *sender)
{
    if (sender == NULL)
        return;
    topic_slots_clear(sender->topics);
    if (sender->handle != NULL)
        rd_kafka_destroy(sender->handle);
    free(sender);
}

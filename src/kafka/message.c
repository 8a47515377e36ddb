/*
 * message.c -- librdkafka's messages <-> the bus's.
 *
 * Owns:     borrowing a consumed message, copying a record to produce, topic handles by name.
 * May use:  librdkafka.
 * Never:    look into keys and values.
 * Tests:    tests/kafka/test_mock.c
 */
#include "kafka_internal.h"
#include <stdlib.h>
#include <string.h>

void message_borrow(rd_kafka_message_t *message, struct bus_message *ret_message)
{
    rd_kafka_headers_t *headers = NULL;
    rd_kafka_timestamp_type_t kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    int64_t timestamp = rd_kafka_message_timestamp(message, &kind);
    size_t n = 0;

    ret_message->input = -1;
    ret_message->partition = message->partition;
    ret_message->offset = message->offset;
    ret_message->timestamp_ms = kind == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : timestamp;
    ret_message->key = message->key;
    ret_message->key_len = message->key_len;
    ret_message->value = message->payload;
    ret_message->value_len = message->len;
    ret_message->handle = message;
    ret_message->headers_total = 0;
    if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        ret_message->headers_total = rd_kafka_header_cnt(headers);
        while (n < ret_message->headers_total && n < BUS_HEADERS_MAX) {
            struct bus_header *header = &ret_message->headers[n];

            if (rd_kafka_header_get_all(headers, n, &header->name, &header->value, &header->len) != RD_KAFKA_RESP_ERR_NO_ERROR)
                break;
            n++;
        }
    }
    ret_message->headers_len = n;
}

void message_release(struct bus_message *message)
{
    if (message->handle != NULL)
        rd_kafka_message_destroy(message->handle);
    message->handle = NULL;
}

static size_t slot_of(const char *name)
{
    uint32_t hash = 2166136261u;

    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return (hash ^ (hash >> 16)) % TOPIC_SLOTS;
}

static void slot_clear(struct topic_slot *slot)
{
    if (slot->topic != NULL)
        rd_kafka_topic_destroy(slot->topic);
    free(slot->name);
    memset(slot, 0, sizeof *slot);
}

struct topic_slot *topic_slot_find(struct topic_slot *slots, rd_kafka_t *handle, const char *name,
                                   rd_kafka_resp_err_t *ret_code)
{
    struct topic_slot *slot = &slots[slot_of(name)];

    if (slot->topic != NULL && strcmp(slot->name, name) == 0)
        return slot;
    slot_clear(slot);
    slot->name = strdup(name);
    slot->topic = slot->name == NULL ? NULL : rd_kafka_topic_new(handle, name, NULL);
    if (slot->topic != NULL)
        return slot;
    *ret_code = slot->name == NULL ? RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE : rd_kafka_last_error();
    slot_clear(slot);
    return NULL;
}

void topic_slots_clear(struct topic_slot *slots)
{
    for (size_t i = 0; i < TOPIC_SLOTS; i++)
        slot_clear(&slots[i]);
}

static rd_kafka_headers_t *headers_of(const struct bus_record *record)
{
    rd_kafka_headers_t *headers = record->headers_len == 0 ? NULL : rd_kafka_headers_new(record->headers_len);

    for (size_t i = 0; i < record->headers_len; i++) {
        const struct bus_header *header = &record->headers[i];

        (void)rd_kafka_header_add(headers, header->name, -1, header->value, header->value == NULL ? 0 : (ssize_t)header->len);
    }
    return headers;
}

rd_kafka_resp_err_t record_produce(rd_kafka_t *handle, rd_kafka_topic_t *topic, const struct bus_record *record, void *opaque)
{
    rd_kafka_headers_t *headers = headers_of(record);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

    /* librdkafka only reads, and copies, what it is given as not const. */
    if (headers == NULL)
        return rd_kafka_producev(handle, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(record->partition),
                                 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(record->key, record->key_len),
                                 RD_KAFKA_V_VALUE((void *)(uintptr_t)record->value, record->value_len),
                                 RD_KAFKA_V_OPAQUE(opaque), RD_KAFKA_V_END);
    code = rd_kafka_producev(handle, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(record->partition),
                             RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(record->key, record->key_len),
                             RD_KAFKA_V_VALUE((void *)(uintptr_t)record->value, record->value_len), RD_KAFKA_V_HEADERS(headers),
                             RD_KAFKA_V_OPAQUE(opaque), RD_KAFKA_V_END);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_headers_destroy(headers); /* they stay ours when it fails */
    return code;
}

bool error_is_poison(rd_kafka_resp_err_t code)
{
    static const rd_kafka_resp_err_t poison[] = {
        RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE,
        RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION,
        RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, RD_KAFKA_RESP_ERR_INVALID_RECORD,
        RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE, RD_KAFKA_RESP_ERR_POLICY_VIOLATION,
        RD_KAFKA_RESP_ERR__INVALID_ARG};

    for (size_t i = 0; i < sizeof poison / sizeof *poison; i++) {
        if (poison[i] == code)
            return true;
    }
    return false;
}

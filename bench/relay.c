/*
 * relay.c -- the physical limit of the design: the message pattern of a saga with no orchestration in it.
 *
 * Consumes starts and replies, produces in transactions the same number and size of records as the worker (command or result with
 * the same headers, packed journal, one state per saga) and writes the same bytes to Redis. Decides nothing, keeps nothing, recovers from nothing.
 *
 * usage: bench-relay --brokers B --redis-port N [--prefix P] [--steps a,b,c] [--refused 0|1] [--journal BYTES per step of a saga]
 *                    [--state BYTES] [--sets PER_SAGA] [--batch N] [--producers N]
 * Pattern a (refused 0): start -> a -> b -> c -> result. Pattern b (refused 1): c is refused, then b and a are undone.
 */
#include "common.h"
#include <hiredis/hiredis.h>

#define PARTITIONS_MAX 64
#define RECORD_MAX 700000

struct relay {
    const char *prefix, *refused;
    char services[3][64];
    rd_kafka_t *producers[8], *producer;
    redisContext *redis;
    char *filler; /* state-shaped bytes */
    size_t journal_bytes, state_bytes;
    double sets_per_record, sets_owed;
    size_t sets_sent;
    char *packed[PARTITIONS_MAX];
    size_t packed_len[PARTITIONS_MAX];
};

static void must(rd_kafka_error_t *error)
{
    if (error == NULL)
        return;
    fprintf(stderr, "relay: %s\n", rd_kafka_error_string(error));
    exit(1);
}

static void command(struct relay *relay, const rd_kafka_message_t *message, int step, char direction)
{
    char topic[256], id[256], key[256], reply_topic[256];
    static const char trace[] = "0123456789abcdef0123";
    int key_len = (int)message->key_len;

    (void)snprintf(topic, sizeof topic, "%s%s.commands", relay->prefix, relay->services[step]);
    (void)snprintf(reply_topic, sizeof reply_topic, "%sbaton.replies", relay->prefix);
    (void)snprintf(id, sizeof id, "%.*s/%c/%c/1", key_len, (const char *)message->key, 'a' + step, direction);
    (void)snprintf(key, sizeof key, "%.*s/%c/%c", key_len, (const char *)message->key, 'a' + step, direction);
    (void)rd_kafka_producev(
        relay->producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_KEY(message->key, message->key_len),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)"{\"order\":\"s-00000000\",\"items\":[{\"sku\":\"A-1\",\"quantity\":2},{\"sku\":\"B-7\",\"quantity\":1}]}", 83),
        RD_KAFKA_V_HEADER("ce_specversion", "1.0", -1), RD_KAFKA_V_HEADER("ce_id", id, -1),
        RD_KAFKA_V_HEADER("ce_source", "/baton/bench-order/1", -1), RD_KAFKA_V_HEADER("ce_type", "ReserveStock", -1),
        RD_KAFKA_V_HEADER("ce_time", "2026-01-31T12:00:00.000Z", -1),
        RD_KAFKA_V_HEADER("ce_sagaid", message->key, (ssize_t)message->key_len),
        RD_KAFKA_V_HEADER("ce_sagatype", "bench-order", -1), RD_KAFKA_V_HEADER("ce_sagaversion", "1", -1),
        RD_KAFKA_V_HEADER("ce_sagastep", trace, 7),
        RD_KAFKA_V_HEADER("ce_sagaaction", (direction == 'x' ? "execute" : "compensate"), -1),
        RD_KAFKA_V_HEADER("ce_sagaattempt", "1", -1), RD_KAFKA_V_HEADER("idempotency-key", key, -1),
        RD_KAFKA_V_HEADER("kafka_correlationId", id, -1), RD_KAFKA_V_HEADER("kafka_replyTopic", reply_topic, -1),
        RD_KAFKA_V_HEADER("ce_expirytime", "2026-01-31T12:00:00.000Z", -1),
        RD_KAFKA_V_HEADER("content-type", "application/json", -1), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
}

static void result(struct relay *relay, const rd_kafka_message_t *message, const char *status)
{
    char topic[256], type[64];

    (void)snprintf(type, sizeof type, "baton.saga.%s.v1", status);
    (void)snprintf(topic, sizeof topic, "%sbaton.results", relay->prefix);
    (void)rd_kafka_producev(
        relay->producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_KEY(message->key, message->key_len),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)"{\"id\":\"s-00000000\",\"definition\":\"bench-order\",\"version\":1,\"status\":\"completed\",\"output\":{\"ref\":\"0123456789abcdef\"},\"error\":null}", 130),
        RD_KAFKA_V_HEADER("ce_specversion", "1.0", -1), RD_KAFKA_V_HEADER("ce_type", type, -1),
        RD_KAFKA_V_HEADER("ce_id", message->key, (ssize_t)message->key_len), RD_KAFKA_V_HEADER("ce_source", "/baton/bench-order/1", -1),
        RD_KAFKA_V_HEADER("ce_time", "2026-01-31T12:00:00.000Z", -1), RD_KAFKA_V_HEADER("content-type", "application/json", -1),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    (void)snprintf(topic, sizeof topic, "%sbaton.state", relay->prefix);
    (void)rd_kafka_producev(relay->producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(message->partition),
                            RD_KAFKA_V_KEY(message->key, message->key_len), RD_KAFKA_V_VALUE(relay->filler, relay->state_bytes),
                            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
}

static void flush_journal(struct relay *relay, int partition)
{
    char topic[256];

    (void)snprintf(topic, sizeof topic, "%sbaton.journal", relay->prefix);
    (void)rd_kafka_producev(relay->producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
                            RD_KAFKA_V_VALUE(relay->packed[partition], relay->packed_len[partition]),
                            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    relay->packed_len[partition] = 0;
}

static void handle(struct relay *relay, const rd_kafka_message_t *message)
{
    const char *topic = rd_kafka_topic_name(message->rkt);
    size_t len = 0;
    const char *id = bench_header(message, "kafka_correlationId", &len);
    int p = message->partition % PARTITIONS_MAX;

    if (strstr(topic, "orders.commands") != NULL)
        command(relay, message, 0, 'x');
    else if (id != NULL && len > 6 && id[len - 3] == 'x' && id[len - 5] != 'c')
        command(relay, message, id[len - 5] - 'a' + 1, 'x');
    else if (id != NULL && len > 6 && id[len - 3] == 'x' && relay->refused[0] == '1')
        command(relay, message, 1, 'c');
    else if (id != NULL && len > 6 && id[len - 3] == 'c' && id[len - 5] == 'b')
        command(relay, message, 0, 'c');
    else
        result(relay, message, relay->refused[0] == '1' ? "compensated" : "completed");
    if (relay->packed_len[p] + relay->journal_bytes > RECORD_MAX)
        flush_journal(relay, p);
    memcpy(relay->packed[p] + relay->packed_len[p], relay->filler, relay->journal_bytes);
    relay->packed_len[p] += relay->journal_bytes;
    for (relay->sets_owed += relay->sets_per_record; relay->redis != NULL && relay->sets_owed >= 1; relay->sets_owed -= 1) {
        (void)redisAppendCommand(relay->redis, "SET %b %b", message->key, message->key_len, relay->filler, relay->state_bytes);
        relay->sets_sent++;
    }
}

static void commit(struct relay *relay, rd_kafka_t *consumer)
{
    rd_kafka_topic_partition_list_t *positions = NULL;
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(consumer);

    for (int p = 0; p < PARTITIONS_MAX; p++) {
        if (relay->packed_len[p] > 0)
            flush_journal(relay, p);
    }
    (void)rd_kafka_assignment(consumer, &positions);
    (void)rd_kafka_position(consumer, positions);
    for (int i = positions->cnt - 1; i >= 0; i--) {
        if (positions->elems[i].offset < 0)
            (void)rd_kafka_topic_partition_list_del_by_idx(positions, i);
    }
    must(rd_kafka_send_offsets_to_transaction(relay->producer, positions, group, 30000));
    while (rd_kafka_outq_len(relay->producer) > 0)
        (void)rd_kafka_poll(relay->producer, 1);
    must(rd_kafka_commit_transaction(relay->producer, 30000));
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(positions);
    for (; relay->sets_sent > 0; relay->sets_sent--) {
        void *reply = NULL;

        if (redisGetReply(relay->redis, &reply) != REDIS_OK)
            exit(1);
        freeReplyObject(reply);
    }
}

int main(int argc, char **argv)
{
    const char *brokers = bench_option(argc, argv, "--brokers", NULL), *steps = bench_option(argc, argv, "--steps", "inventory,payments,settlement");
    int port = atoi(bench_option(argc, argv, "--redis-port", "0")), batch = atoi(bench_option(argc, argv, "--batch", "2000"));
    int producers = atoi(bench_option(argc, argv, "--producers", "3"));
    struct relay relay = {.prefix = bench_option(argc, argv, "--prefix", ""), .refused = bench_option(argc, argv, "--refused", "0"),
                          .journal_bytes = (size_t)atol(bench_option(argc, argv, "--journal", "400")),
                          .state_bytes = (size_t)atol(bench_option(argc, argv, "--state", "1000"))};
    rd_kafka_message_t **messages = calloc((size_t)batch, sizeof(rd_kafka_message_t *));
    char topics[] = "orders.commands,baton.replies", group[128], error[512];
    rd_kafka_t *consumer = NULL;
    int turn = 0;

    bench_on_signals();
    relay.sets_per_record = atof(bench_option(argc, argv, "--sets", "1")) / (relay.refused[0] == '1' ? 6 : 4);
    relay.filler = malloc(relay.journal_bytes + relay.state_bytes + 1);
    if (messages == NULL || relay.filler == NULL || sscanf(steps, "%63[^,],%63[^,],%63s", relay.services[0], relay.services[1], relay.services[2]) != 3)
        return 2;
    for (size_t i = 0; i < relay.journal_bytes + relay.state_bytes; i++)
        relay.filler[i] = "{\"status\":\"running\",\"steps\":[0123456789]}"[i % 41];
    for (int p = 0; p < PARTITIONS_MAX; p++) {
        relay.packed[p] = malloc(RECORD_MAX + relay.journal_bytes);
        if (relay.packed[p] == NULL)
            return 1;
    }
    if (port > 0) {
        relay.redis = redisConnect("127.0.0.1", port);
        if (relay.redis == NULL || relay.redis->err)
            return 1;
    }
    for (int i = 0; i < producers && i < 8; i++) {
        rd_kafka_conf_t *conf = rd_kafka_conf_new();
        char id[64];

        (void)snprintf(id, sizeof id, "relay-%s-%d", relay.prefix, i);
        bench_set(conf, "bootstrap.servers", brokers);
        bench_set(conf, "linger.ms", "0");
        bench_set(conf, "transactional.id", id);
        bench_set(conf, "retry.backoff.ms", "5");
        bench_set(conf, "partitioner", "murmur2_random");
        bench_set(conf, "queue.buffering.max.messages", "2000000");
        bench_set(conf, "batch.num.messages", "100000");
        bench_set(conf, "socket.nagle.disable", "true");
        relay.producers[i] = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
        if (relay.producers[i] == NULL)
            return 1;
        must(rd_kafka_init_transactions(relay.producers[i], 30000));
    }
    (void)snprintf(group, sizeof group, "relay-%s", relay.prefix);
    consumer = bench_consumer(brokers, group, relay.prefix, topics);
    printf("ready\n");
    (void)fflush(stdout);
    while (!bench_stop) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 50);
        int n = 0;

        for (; message != NULL; message = n < batch ? rd_kafka_consumer_poll(consumer, 0) : NULL) {
            if (message->err)
                rd_kafka_message_destroy(message);
            else
                messages[n++] = message;
        }
        if (n == 0)
            continue;
        relay.producer = relay.producers[turn++ % producers];
        must(rd_kafka_begin_transaction(relay.producer));
        for (int i = 0; i < n; i++)
            handle(&relay, messages[i]);
        commit(&relay, consumer);
        for (int i = 0; i < n; i++)
            rd_kafka_message_destroy(messages[i]);
    }
    (void)rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    for (int i = 0; i < producers; i++)
        rd_kafka_destroy(relay.producers[i]);
    return 0;
}

/*
 * common.c -- see common.h.
 */
#include "common.h"

volatile sig_atomic_t bench_stop;

static void on_signal(int number)
{
    (void)number;
    bench_stop = 1;
}

void bench_on_signals(void)
{
    (void)signal(SIGTERM, on_signal);
    (void)signal(SIGINT, on_signal);
    (void)signal(SIGPIPE, SIG_IGN);
}

int64_t bench_now_us(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

const char *bench_option(int argc, char **argv, const char *name, const char *fallback)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], name) == 0)
            return argv[i + 1];
    }
    if (fallback == NULL) {
        fprintf(stderr, "%s: %s is missing\n", argv[0], name);
        exit(2);
    }
    return fallback;
}

void bench_set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char error[512];

    if (rd_kafka_conf_set(conf, name, value, error, sizeof error) != RD_KAFKA_CONF_OK) {
        fprintf(stderr, "%s=%s: %s\n", name, value, error);
        exit(1);
    }
}

/* A position of its own for every partition: "from the end" is then a fact, not a plan. Assigned once: librdkafka 2.0.2 now and then delivers
 * nothing after an assignment that follows another at once. */
static void on_rebalance(rd_kafka_t *client, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
    bool *assigned = opaque;

    if (err != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        (void)rd_kafka_assign(client, NULL);
        return;
    }
    for (int i = 0; i < partitions->cnt; i++) {
        int64_t low = 0, high = 0;

        if (rd_kafka_query_watermark_offsets(client, partitions->elems[i].topic, partitions->elems[i].partition, &low, &high,
                                             10000) != RD_KAFKA_RESP_ERR_NO_ERROR) {
            fprintf(stderr, "cannot read where %s ends\n", partitions->elems[i].topic);
            exit(1);
        }
        partitions->elems[i].offset = high;
    }
    (void)rd_kafka_assign(client, partitions);
    *assigned = partitions->cnt > 0;
}

rd_kafka_t *bench_consumer(const char *brokers, const char *group, const char *prefix, const char *topics)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
    static bool assigned;
    char error[512], names[1024], *rest = names;
    rd_kafka_t *client = NULL;

    assigned = false;
    bench_set(conf, "bootstrap.servers", brokers);
    bench_set(conf, "group.id", group);
    bench_set(conf, "auto.offset.reset", "latest");
    bench_set(conf, "enable.auto.commit", "false");
    bench_set(conf, "isolation.level", "read_committed");
    bench_set(conf, "fetch.wait.max.ms", "10");
    bench_set(conf, "socket.nagle.disable", "true");
    rd_kafka_conf_set_opaque(conf, &assigned);
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
    if (client == NULL) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    (void)rd_kafka_poll_set_consumer(client);
    (void)snprintf(names, sizeof names, "%s", topics);
    for (char *topic = strsep(&rest, ","); topic != NULL; topic = strsep(&rest, ",")) {
        char full[256];

        (void)snprintf(full, sizeof full, "%s%s", prefix, topic);
        (void)rd_kafka_topic_partition_list_add(list, full, RD_KAFKA_PARTITION_UA);
    }
    (void)rd_kafka_subscribe(client, list);
    rd_kafka_topic_partition_list_destroy(list);
    while (!assigned && !bench_stop) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(client, 100);

        if (message != NULL)
            rd_kafka_message_destroy(message);
    }
    return client;
}

rd_kafka_t *bench_producer(const char *brokers, const char *linger_ms, const char *topic)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char error[512];
    int64_t low = 0, high = 0;
    rd_kafka_t *client = NULL;

    bench_set(conf, "bootstrap.servers", brokers);
    bench_set(conf, "linger.ms", linger_ms);
    bench_set(conf, "partitioner", "murmur2_random");
    bench_set(conf, "queue.buffering.max.messages", "1000000");
    bench_set(conf, "socket.nagle.disable", "true");
    client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    if (client == NULL) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    (void)rd_kafka_query_watermark_offsets(client, topic, 0, &low, &high, 10000);
    return client;
}

const void *bench_header(const rd_kafka_message_t *message, const char *name, size_t *ret_len)
{
    rd_kafka_headers_t *headers = NULL;
    const void *value = NULL;

    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, name, &value, ret_len) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return NULL;
    return value;
}

/*
 * load.c -- starts sagas and waits for their results: saturated (a window in flight) or at a fixed rate. Bounded in count and time.
 *
 * usage: bench-load --brokers B [--prefix P] --count N [--window W] [--rate R] [--type T] [--tag X] [--seconds S]
 * Prints one line of JSON: sagas finished, sagas/s, latency percentiles in ms, outcomes by ce_type.
 */
#include "common.h"

struct run {
    int64_t count, sent, done, completed, compensated;
    int64_t *sent_us;
    int64_t *latency_us;
    int64_t first_us, last_us;
    const char *tag;
    size_t tag_len;
};

static int by_size(const void *a, const void *b)
{
    int64_t one = *(const int64_t *)a, two = *(const int64_t *)b;

    return (one > two) - (one < two);
}

static double percentile(const int64_t *sorted, int64_t n, double q)
{
    return n == 0 ? 0 : (double)sorted[(int64_t)((double)(n - 1) * q)] / 1000.0;
}

static void take_result(struct run *run, const rd_kafka_message_t *message)
{
    char digits[24] = "";
    int64_t index = 0;
    size_t len = 0;
    const char *type = NULL;

    if (message->err || message->key_len <= run->tag_len || message->key_len - run->tag_len >= sizeof digits ||
        memcmp(message->key, run->tag, run->tag_len) != 0)
        return;
    memcpy(digits, (const char *)message->key + run->tag_len, message->key_len - run->tag_len);
    index = strtoll(digits, NULL, 10);
    if (index < 0 || index >= run->sent || run->latency_us[index] != 0)
        return;
    run->last_us = bench_now_us();
    run->latency_us[index] = run->last_us - run->sent_us[index];
    type = bench_header(message, "ce_type", &len);
    run->done++;
    if (type != NULL && memmem(type, len, "completed", 9) != NULL)
        run->completed++;
    else if (type != NULL && memmem(type, len, "compensated", 11) != NULL)
        run->compensated++;
}

static void send_start(struct run *run, rd_kafka_t *producer, const char *topic, const char *type)
{
    char id[96], value[256];
    int id_len = snprintf(id, sizeof id, "%s%lld", run->tag, (long long)run->sent);
    int len = snprintf(value, sizeof value,
                       "{\"customer\":\"c-%lld\",\"total\":149.95,\"currency\":\"EUR\",\"items\":[{\"sku\":\"A-1\",\"quantity\":2},"
                       "{\"sku\":\"B-7\",\"quantity\":1}]}", (long long)(run->sent % 1000));

    run->sent_us[run->sent] = bench_now_us();
    if (run->sent == 0)
        run->first_us = run->sent_us[0];
    while (rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_KEY(id, (size_t)id_len),
                             RD_KAFKA_V_VALUE(value, (size_t)len), RD_KAFKA_V_HEADER("saga-type", type, -1),
                             RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        (void)rd_kafka_poll(producer, 10);
    run->sent++;
}

int main(int argc, char **argv)
{
    const char *brokers = bench_option(argc, argv, "--brokers", NULL), *prefix = bench_option(argc, argv, "--prefix", "");
    const char *type = bench_option(argc, argv, "--type", "bench-order");
    int64_t window = atoll(bench_option(argc, argv, "--window", "4000"));
    double rate = atof(bench_option(argc, argv, "--rate", "0"));
    int64_t until = bench_now_us() + atoll(bench_option(argc, argv, "--seconds", "120")) * 1000000;
    struct run run = {.count = atoll(bench_option(argc, argv, "--count", NULL)), .tag = bench_option(argc, argv, "--tag", "s-")};
    char topic[256], group[128];
    rd_kafka_t *producer = NULL, *consumer = NULL;
    double seconds = 0;

    bench_on_signals();
    run.tag_len = strlen(run.tag);
    run.sent_us = calloc((size_t)run.count, sizeof *run.sent_us);
    run.latency_us = calloc((size_t)run.count, sizeof *run.latency_us);
    if (run.sent_us == NULL || run.latency_us == NULL)
        return 1;
    (void)snprintf(topic, sizeof topic, "%sorders.commands", prefix);
    (void)snprintf(group, sizeof group, "bench-load-%d", (int)getpid());
    producer = bench_producer(brokers, rate > 0 ? "0" : "1", topic);
    consumer = bench_consumer(brokers, group, prefix, "baton.results");
    int64_t started = bench_now_us();
    while (run.done < run.count && bench_now_us() < until && !bench_stop) {
        int64_t allowed = rate > 0 ? (int64_t)((double)(bench_now_us() - started) * rate / 1e6) : run.done + window;
        rd_kafka_message_t *message = NULL;

        while (run.sent < run.count && run.sent < allowed)
            send_start(&run, producer, topic, type);
        (void)rd_kafka_poll(producer, 0);
        message = rd_kafka_consumer_poll(consumer, rate > 0 ? 1 : 5);
        for (int i = 0; message != NULL && i < 500; i++) {
            take_result(&run, message);
            rd_kafka_message_destroy(message);
            message = rd_kafka_consumer_poll(consumer, 0);
        }
        if (message != NULL) {
            take_result(&run, message);
            rd_kafka_message_destroy(message);
        }
    }
    seconds = (double)(run.last_us - run.first_us) / 1e6;
    int64_t n = 0;
    for (int64_t i = 0; i < run.sent; i++) {
        if (run.latency_us[i] > 0)
            run.latency_us[n++] = run.latency_us[i];
    }
    qsort(run.latency_us, (size_t)n, sizeof *run.latency_us, by_size);
    printf("{\"sent\":%lld,\"done\":%lld,\"completed\":%lld,\"compensated\":%lld,\"seconds\":%.3f,\"per_s\":%.1f,\"p50_ms\":%.2f,"
           "\"p99_ms\":%.2f,\"max_ms\":%.2f}\n",
           (long long)run.sent, (long long)run.done, (long long)run.completed, (long long)run.compensated, seconds,
           seconds > 0 ? (double)run.done / seconds : 0, percentile(run.latency_us, n, 0.5), percentile(run.latency_us, n, 0.99),
           percentile(run.latency_us, n, 1.0));
    (void)rd_kafka_flush(producer, 2000);
    (void)rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    rd_kafka_destroy(producer);
    free(run.sent_us);
    free(run.latency_us);
    return run.done == run.count ? 0 : 1;
}

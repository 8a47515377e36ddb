/*
 * echo.c -- participants that do nothing: each command is answered at once.
 *
 * usage: bench-echo --brokers B [--prefix P] [--services a,b,c] [--refuse SERVICE]
 * A refused service answers saga-outcome: failure to execute commands; compensations always succeed.
 */
#include "common.h"

int main(int argc, char **argv)
{
    const char *brokers = bench_option(argc, argv, "--brokers", NULL), *prefix = bench_option(argc, argv, "--prefix", "");
    const char *services = bench_option(argc, argv, "--services", "inventory,payments,settlement");
    const char *refuse = bench_option(argc, argv, "--refuse", "-");
    char replies[256], topics[1024] = "", names[1024], group[128], refused[256], *rest = names;
    rd_kafka_t *consumer = NULL, *producer = NULL;
    int64_t served = 0;

    bench_on_signals();
    (void)snprintf(names, sizeof names, "%s", services);
    for (char *name = strsep(&rest, ","); name != NULL; name = strsep(&rest, ",")) {
        size_t len = strlen(topics);

        (void)snprintf(topics + len, sizeof topics - len, "%s%s.commands", len == 0 ? "" : ",", name);
    }
    (void)snprintf(refused, sizeof refused, "%s%s.commands", prefix, refuse);
    (void)snprintf(group, sizeof group, "bench-echo-%s", prefix);
    (void)snprintf(replies, sizeof replies, "%sbaton.replies", prefix);
    producer = bench_producer(brokers, "1", replies);
    consumer = bench_consumer(brokers, group, prefix, topics);
    printf("ready\n");
    (void)fflush(stdout);
    while (!bench_stop) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 100);
        const void *correlation = NULL, *reply_topic = NULL, *action = NULL;
        size_t correlation_len = 0, reply_len = 0, action_len = 0;
        char topic[256];
        bool no = false;

        if (message == NULL)
            continue;
        correlation = message->err ? NULL : bench_header(message, "kafka_correlationId", &correlation_len);
        reply_topic = message->err ? NULL : bench_header(message, "kafka_replyTopic", &reply_len);
        if (correlation != NULL && reply_topic != NULL && reply_len < sizeof topic) {
            memcpy(topic, reply_topic, reply_len);
            topic[reply_len] = '\0';
            action = bench_header(message, "ce_sagaaction", &action_len);
            no = strcmp(rd_kafka_topic_name(message->rkt), refused) == 0 && action_len > 0 && *(const char *)action == 'e';
            const char *body = no ? "{\"code\":\"DECLINED\"}" : "{\"ok\":true,\"ref\":\"0123456789abcdef\"}";

            for (;;) {
                rd_kafka_resp_err_t err = rd_kafka_producev(
                    producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_KEY(message->key, message->key_len),
                    RD_KAFKA_V_VALUE((void *)(uintptr_t)body, strlen(body)),
                    RD_KAFKA_V_HEADER("kafka_correlationId", correlation, (ssize_t)correlation_len),
                    RD_KAFKA_V_HEADER("saga-outcome", no ? "failure" : "success", -1),
                    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);

                if (err != RD_KAFKA_RESP_ERR__QUEUE_FULL)
                    break;
                (void)rd_kafka_poll(producer, 10);
            }
            if ((++served & 255) == 0)
                (void)rd_kafka_poll(producer, 0);
        }
        rd_kafka_message_destroy(message);
    }
    (void)rd_kafka_flush(producer, 5000);
    (void)rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    rd_kafka_destroy(producer);
    return 0;
}

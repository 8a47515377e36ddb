/*
 * client.c -- plain librdkafka clients: what an example participant or an example customer has in its hands.
 */
#include "dev_internal.h"
#include <time.h>

#define ASK_MS 10000

int64_t client_now_ms(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The broker is in this process: what its connections say when it goes is no news. */
static void on_log(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
    (void)handle;
    (void)level;
    (void)facility;
    (void)text;
}

static enum baton_err open_client(rd_kafka_type_t type, const char *brokers, const char *const (*settings)[2], size_t n,
                                  rd_kafka_t **ret_client, struct baton_error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[256] = "";
    bool fine = rd_kafka_conf_set(conf, "bootstrap.servers", brokers, text, sizeof text) == RD_KAFKA_CONF_OK;

    for (size_t i = 0; i < n && fine; i++)
        fine = rd_kafka_conf_set(conf, settings[i][0], settings[i][1], text, sizeof text) == RD_KAFKA_CONF_OK;
    rd_kafka_conf_set_log_cb(conf, on_log);
    *ret_client = fine ? rd_kafka_new(type, conf, text, sizeof text) : NULL;
    if (*ret_client != NULL)
        return BATON_OK;
    rd_kafka_conf_destroy(conf);
    return baton_fail(err, BATON_E_FATAL, "kafka client: %s", text);
}

/* Ask for the topics before they are used: librdkafka looks for the leader of one it meets by the way only once a second. */
static enum baton_err know_topics(rd_kafka_t *client, const char *const *topics, size_t n, struct baton_error *err)
{
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

    for (size_t i = 0; i < n && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        rd_kafka_topic_t *topic = rd_kafka_topic_new(client, topics[i], NULL);
        const struct rd_kafka_metadata *metadata = NULL;

        if (topic == NULL)
            return baton_fail(err, BATON_E_INVALID, "\"%s\" is not a topic name", topics[i]);
        code = rd_kafka_metadata(client, 0, topic, &metadata, ASK_MS);
        if (metadata != NULL)
            rd_kafka_metadata_destroy(metadata);
        rd_kafka_topic_destroy(topic);
    }
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? BATON_OK : baton_fail(err, BATON_E_RETRY, "topics: %s", rd_kafka_err2str(code));
}

enum baton_err client_producer(const char *brokers, const char *topic, rd_kafka_t **ret_producer, struct baton_error *err)
{
    static const char *const settings[][2] = {{"partitioner", "murmur2_random"}, {"linger.ms", "0"}, {"socket.nagle.disable", "true"}};
    enum baton_err rc = open_client(RD_KAFKA_PRODUCER, brokers, settings, sizeof settings / sizeof *settings, ret_producer, err);

    return rc == BATON_OK ? know_topics(*ret_producer, &topic, 1, err) : rc;
}

enum baton_err client_consumer(const char *brokers, const char *const *topics, size_t topics_len, int32_t partitions,
                               rd_kafka_t **ret_consumer, struct baton_error *err)
{
    static const char *const settings[][2] = {{"group.id", "none"},          {"enable.auto.commit", "false"},
                                              {"fetch.wait.max.ms", "10"},   {"isolation.level", "read_committed"},
                                              {"socket.nagle.disable", "true"}};
    rd_kafka_topic_partition_list_t *list = NULL;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    enum baton_err rc = open_client(RD_KAFKA_CONSUMER, brokers, settings, sizeof settings / sizeof *settings, ret_consumer, err);

    if (rc == BATON_OK)
        rc = know_topics(*ret_consumer, topics, topics_len, err);
    if (rc != BATON_OK)
        return rc;
    list = rd_kafka_topic_partition_list_new((int)topics_len * partitions);
    for (size_t i = 0; i < topics_len; i++) {
        for (int32_t p = 0; p < partitions; p++)
            rd_kafka_topic_partition_list_add(list, topics[i], p)->offset = RD_KAFKA_OFFSET_BEGINNING;
    }
    (void)rd_kafka_poll_set_consumer(*ret_consumer);
    code = rd_kafka_assign(*ret_consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? BATON_OK : baton_fail(err, BATON_E_FATAL, "kafka client: %s", rd_kafka_err2str(code));
}

void client_close(rd_kafka_t *client)
{
    if (client != NULL)
        rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

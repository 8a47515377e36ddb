/*
 * topics.c -- creating topics and asking what there is.
 *
 * Owns:     the admin requests, and the wait until what was created can be used.
 * Never:    let the broker create a topic because it was asked for.
 * Tests:    tests/kafka/test_group.c, tests/kafka/test_mock.c
 */
#include "kafka_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ASK_MS 10000
#define ASK_REFUSED_MS 3000
#define CREATE_MS 30000
#define MOCK_MS 5000
#define CLUSTER_ID_SIZE 64

static enum baton_err open_admin(const struct kafka_options *options, struct client *client, rd_kafka_t **ret_handle,
                                 struct baton_error *err)
{
    static const struct setting defaults[] = {{"socket.timeout.ms", "10000"}, {NULL, NULL}};
    rd_kafka_conf_t *conf = NULL;
    enum baton_err rc = kafka_properties_check(options, err);

    if (rc == BATON_OK)
        rc = conf_new(options, CLIENT_PRODUCER, defaults, NULL, client, &conf, err);
    return rc == BATON_OK ? conf_open(conf, CLIENT_PRODUCER, ret_handle, err) : rc;
}

static const struct rd_kafka_metadata_topic *topic_in(const struct rd_kafka_metadata *metadata, const char *name)
{
    for (int i = 0; i < metadata->topic_cnt; i++) {
        if (strcmp(metadata->topics[i].topic, name) == 0)
            return &metadata->topics[i];
    }
    return NULL;
}

static const char *brokers(const struct kafka_options *options)
{
    for (size_t i = options->common_len; i > 0; i--) {
        if (strcmp(options->common[i - 1].name, "bootstrap.servers") == 0)
            return options->common[i - 1].value;
    }
    return "the brokers";
}

/* Of all topics: asking for one by name may create it. A broker that refuses connections is not waited for as long as a silent one. */
static enum baton_err ask(rd_kafka_t *handle, const struct client *client, const struct rd_kafka_metadata **ret_metadata,
                          struct baton_error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_metadata(handle, 1, NULL, ret_metadata, ASK_REFUSED_MS);

    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && !atomic_load(&client->disconnected))
        code = rd_kafka_metadata(handle, 1, NULL, ret_metadata, ASK_MS - ASK_REFUSED_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return baton_fail(err, BATON_E_RETRY, "kafka at %s: %s; is bootstrap.servers right, and the broker up?", brokers(client->options),
                          rd_kafka_err2str(code));
    return BATON_OK;
}

static bool usable(const struct rd_kafka_metadata_topic *topic)
{
    if (topic == NULL || topic->err != RD_KAFKA_RESP_ERR_NO_ERROR || topic->partition_cnt == 0)
        return false;
    for (int i = 0; i < topic->partition_cnt; i++) {
        if (topic->partitions[i].leader < 0)
            return false;
    }
    return true;
}

static enum baton_err new_topic(const struct kafka_topic_spec *spec, rd_kafka_NewTopic_t **ret_topic, struct baton_error *err)
{
    char text[256];
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(spec->name, spec->partitions, spec->replication, text, sizeof text);

    if (topic == NULL)
        return baton_fail(err, BATON_E_INVALID, "topic \"%s\": %s", spec->name, text);
    for (size_t i = 0; i < spec->config_len; i++) {
        if (rd_kafka_NewTopic_set_config(topic, spec->config[i].name, spec->config[i].value) != RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_NewTopic_destroy(topic);
            return baton_fail(err, BATON_E_INVALID, "topic \"%s\": config \"%s\"", spec->name, spec->config[i].name);
        }
    }
    *ret_topic = topic;
    return BATON_OK;
}

static enum baton_err created(rd_kafka_event_t *event, size_t *ret_created, struct baton_error *err)
{
    const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(event);
    const rd_kafka_topic_result_t **topics = NULL;
    size_t n = 0;

    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR || result == NULL)
        return baton_fail(err, BATON_E_RETRY, "create topics: %s", rd_kafka_event_error_string(event));
    topics = rd_kafka_CreateTopics_result_topics(result, &n);
    for (size_t i = 0; i < n; i++) {
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(topics[i]);
        const char *text = rd_kafka_topic_result_error_string(topics[i]);

        if (code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
            continue;
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
            return baton_fail(err, code == RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT || code == RD_KAFKA_RESP_ERR_NOT_CONTROLLER
                                       ? BATON_E_RETRY : BATON_E_INVALID,
                              "create topic \"%s\": %s", rd_kafka_topic_result_name(topics[i]),
                              text == NULL ? rd_kafka_err2str(code) : text);
        (*ret_created)++;
    }
    return BATON_OK;
}

static enum baton_err request(rd_kafka_t *handle, rd_kafka_NewTopic_t **topics, size_t n, size_t *ret_created,
                              struct baton_error *err)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
    rd_kafka_AdminOptions_t *admin = rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_event_t *event = NULL;
    enum baton_err rc = BATON_OK;
    char text[256];

    (void)rd_kafka_AdminOptions_set_request_timeout(admin, CREATE_MS, text, sizeof text);
    (void)rd_kafka_AdminOptions_set_operation_timeout(admin, ASK_MS, text, sizeof text);
    rd_kafka_CreateTopics(handle, topics, n, admin, queue);
    event = rd_kafka_queue_poll(queue, CREATE_MS + ASK_MS);
    rc = event == NULL ? baton_fail(err, BATON_E_RETRY, "create topics: no answer") : created(event, ret_created, err);
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(admin);
    rd_kafka_queue_destroy(queue);
    return rc;
}

static enum baton_err await_usable(rd_kafka_t *handle, const struct client *client, const struct kafka_topic_spec *specs, size_t n,
                                   int patience_ms, struct baton_error *err)
{
    int64_t until = now_ms() + patience_ms;
    struct timespec step = {.tv_nsec = 20 * 1000000};

    for (;;) {
        const struct rd_kafka_metadata *metadata = NULL;
        enum baton_err rc = ask(handle, client, &metadata, err);
        size_t missing = n;

        if (rc != BATON_OK)
            return rc;
        for (size_t i = 0; i < n && missing == n; i++) {
            if (!usable(topic_in(metadata, specs[i].name)))
                missing = i;
        }
        rd_kafka_metadata_destroy(metadata);
        if (missing == n)
            return BATON_OK;
        if (now_ms() > until)
            return baton_fail(err, BATON_E_RETRY, "topic \"%s\" has no leader after %d ms", specs[missing].name, patience_ms);
        (void)nanosleep(&step, NULL);
    }
}

/* A controller that is none of the brokers: a mock cluster. It takes no such request; whoever owns it creates what is missing. */
static bool takes_requests(rd_kafka_t *handle, const struct rd_kafka_metadata *metadata)
{
    int32_t controller = rd_kafka_controllerid(handle, 0);
    bool known = controller < 0; /* none just now: it will come */

    for (int i = 0; i < metadata->broker_cnt; i++)
        known = known || metadata->brokers[i].id == controller;
    return known;
}

/* What is not there yet, as new topics; *ret_n of them. */
static enum baton_err list_missing(rd_kafka_t *handle, const struct client *client, const struct kafka_topic_spec *specs, size_t n,
                                   rd_kafka_NewTopic_t **topics, size_t *ret_n, bool *ret_mock, struct baton_error *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    enum baton_err rc = ask(handle, client, &metadata, err);

    for (size_t i = 0; i < n && rc == BATON_OK; i++) {
        if (topic_in(metadata, specs[i].name) != NULL)
            continue;
        rc = new_topic(&specs[i], &topics[*ret_n], err);
        *ret_n += rc == BATON_OK;
    }
    *ret_mock = metadata != NULL && !takes_requests(handle, metadata);
    if (metadata != NULL)
        rd_kafka_metadata_destroy(metadata);
    return rc;
}

enum baton_err kafka_topics_create(const struct kafka_options *options, const struct kafka_topic_spec *specs, size_t n,
                                   size_t *ret_created, struct baton_error *err)
{
    struct client client = {0};
    rd_kafka_t *handle = NULL;
    rd_kafka_NewTopic_t **topics = calloc(n + 1, sizeof *topics);
    size_t missing = 0, done = 0;
    bool mock = false;
    enum baton_err rc = topics == NULL ? baton_fail(err, BATON_E_NOMEM, "out of memory") : open_admin(options, &client, &handle, err);

    if (rc == BATON_OK)
        rc = list_missing(handle, &client, specs, n, topics, &missing, &mock, err);
    if (rc == BATON_OK && missing > 0 && !mock)
        rc = request(handle, topics, missing, &done, err);
    if (rc == BATON_OK)
        rc = await_usable(handle, &client, specs, n, mock ? MOCK_MS : CREATE_MS, err);
    if (rc == BATON_OK && ret_created != NULL)
        *ret_created = done;
    if (topics != NULL)
        rd_kafka_NewTopic_destroy_array(topics, missing);
    free(topics);
    if (handle != NULL)
        rd_kafka_destroy(handle);
    return rc;
}

enum baton_err kafka_topics_describe(const struct kafka_options *options, const char *const *names, size_t n,
                                     int32_t *ret_partitions, char *ret_cluster_id, struct baton_error *err)
{
    struct client client = {0};
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_t *handle = NULL;
    char *cluster = NULL;
    enum baton_err rc = open_admin(options, &client, &handle, err);

    if (rc == BATON_OK)
        rc = ask(handle, &client, &metadata, err);
    if (rc != BATON_OK)
        goto out;
    if (ret_cluster_id != NULL) {
        cluster = rd_kafka_clusterid(handle, ASK_MS);
        (void)snprintf(ret_cluster_id, CLUSTER_ID_SIZE, "%s", cluster == NULL ? "" : cluster);
    }
    for (size_t i = 0; i < n; i++) {
        const struct rd_kafka_metadata_topic *topic = topic_in(metadata, names[i]);

        ret_partitions[i] = topic == NULL || topic->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ? -1 : topic->partition_cnt;
    }
out:
    if (cluster != NULL)
        rd_kafka_mem_free(handle, cluster);
    if (metadata != NULL)
        rd_kafka_metadata_destroy(metadata);
    if (handle != NULL)
        rd_kafka_destroy(handle);
    return rc;
}

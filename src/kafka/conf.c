/*
 * conf.c -- properties become librdkafka handles; its logs and passing errors become lines of the caller's.
 *
 * Owns:     the order in which defaults, the user's properties and the fixed ones apply.
 * May use:  librdkafka.
 * Never:    decide which property is allowed (property.c), log by itself.
 * Tests:    tests/kafka/test_properties.c, tests/kafka/test_mock.c
 */
#include "kafka_internal.h"
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

int64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void client_log(const struct client *client, int level, const char *facility, const char *text)
{
    if (client->options->log != NULL)
        client->options->log(client->options->log_context, level, facility, text);
}

/* From any thread of librdkafka's. */
static void on_log(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
    struct client *client = rd_kafka_opaque(handle);

    if (client == NULL)
        return;
    if (strcmp(facility, "FAIL") == 0)
        atomic_store(&client->disconnected, true);
    client_log(client, level, facility, text);
}

static void on_error(rd_kafka_t *handle, int code, const char *reason, void *opaque)
{
    struct client *client = opaque;

    (void)handle;
    if (code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN ||
        code == RD_KAFKA_RESP_ERR__TIMED_OUT)
        atomic_store(&client->disconnected, true);
    client_log(client, LOG_WARNING, rd_kafka_err2name((rd_kafka_resp_err_t)code), reason);
}

static enum baton_err apply_settings(rd_kafka_conf_t *conf, const struct setting *settings, struct baton_error *err)
{
    char text[256];

    for (; settings != NULL && settings->name != NULL; settings++) {
        if (settings->value != NULL &&
            rd_kafka_conf_set(conf, settings->name, settings->value, text, sizeof text) != RD_KAFKA_CONF_OK)
            return baton_fail(err, BATON_E_INVALID, "kafka property \"%s\": %s", settings->name, text);
    }
    return BATON_OK;
}

static enum baton_err apply_user(rd_kafka_conf_t *conf, const struct kafka_property *properties, size_t n,
                                 struct baton_error *err)
{
    char text[256];

    for (size_t i = 0; i < n; i++) {
        if (rd_kafka_conf_set(conf, properties[i].name, properties[i].value, text, sizeof text) != RD_KAFKA_CONF_OK)
            return baton_fail(err, BATON_E_INVALID, "kafka property \"%s\": %s", properties[i].name, text);
    }
    return BATON_OK;
}

static bool among(const struct kafka_property *properties, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(properties[i].name, name) == 0)
            return true;
    }
    return false;
}

bool conf_user_set(const struct kafka_options *options, enum client_kind kind, const char *name)
{
    return among(options->common, options->common_len, name) ||
           (kind == CLIENT_CONSUMER ? among(options->consumer, options->consumer_len, name)
                                    : among(options->producer, options->producer_len, name));
}

enum baton_err conf_new(const struct kafka_options *options, enum client_kind kind, const struct setting *defaults,
                        const struct setting *fixed, struct client *client, rd_kafka_conf_t **ret_conf,
                        struct baton_error *err)
{
    static const struct setting all[] = {{"client.id", "baton"}, {"socket.nagle.disable", "true"}, {NULL, NULL}};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum baton_err rc = apply_settings(conf, all, err);

    client->options = options;
    if (rc == BATON_OK)
        rc = apply_settings(conf, defaults, err);
    if (rc == BATON_OK)
        rc = apply_user(conf, options->common, options->common_len, err);
    if (rc == BATON_OK && kind == CLIENT_CONSUMER)
        rc = apply_user(conf, options->consumer, options->consumer_len, err);
    if (rc == BATON_OK && kind == CLIENT_PRODUCER)
        rc = apply_user(conf, options->producer, options->producer_len, err);
    if (rc == BATON_OK)
        rc = apply_settings(conf, fixed, err);
    if (rc != BATON_OK) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    rd_kafka_conf_set_opaque(conf, client);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    *ret_conf = conf;
    return BATON_OK;
}

enum baton_err conf_open(rd_kafka_conf_t *conf, enum client_kind kind, rd_kafka_t **ret_handle, struct baton_error *err)
{
    char text[512];
    rd_kafka_t *handle = rd_kafka_new(kind == CLIENT_CONSUMER ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, conf, text, sizeof text);

    if (handle == NULL) {
        rd_kafka_resp_err_t code = rd_kafka_last_error();

        rd_kafka_conf_destroy(conf);
        return baton_fail(err, code == RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE ? BATON_E_RETRY : BATON_E_INVALID,
                          "kafka client: %s; change the kafka properties", text);
    }
    *ret_handle = handle;
    return BATON_OK;
}

int64_t conf_number(const rd_kafka_conf_t *conf, const char *name, int64_t otherwise)
{
    char value[64];
    size_t size = sizeof value;

    if (rd_kafka_conf_get(conf, name, value, &size) != RD_KAFKA_CONF_OK)
        return otherwise;
    return strtoll(value, NULL, 10);
}

const char *kafka_library_version(void)
{
    return rd_kafka_version_str();
}

/*
 * property.c -- which librdkafka properties a user may set.
 *
 * Owns:     the list of refused properties, each with its reason.
 * May use:  librdkafka's configuration functions.
 * Never:    a connection.
 * Tests:    tests/kafka/test_properties.c
 */
#include "kafka_internal.h"
#include <baton/definition.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAMES_MAX 512

static const struct refusal {
    const char *name;
    const char *why;
    const char *advice;
} refusals[] = {
    {"plugin.library.paths", "it loads code into the worker", "link what you need into librdkafka instead"},
    {"interceptors", "it loads code into the worker", "remove it"},
    {"sasl.kerberos.kinit.cmd", "it runs a shell command", "renew the ticket outside, with k5start or cron"},
    {"ssl.engine.location", "it loads code into the worker", "use ssl.key.location or ssl.keystore.location"},
    {"ssl.engine.id", "it loads code into the worker", "use ssl.key.location or ssl.keystore.location"},
    {"ssl.providers", "it loads code into the worker", "configure providers in openssl.cnf"},
    {"enable.auto.commit", "offsets are committed with the transaction, never beside it", "remove it"},
    {"auto.commit.enable", "offsets are committed with the transaction, never beside it", "remove it"},
    {"auto.commit.interval.ms", "offsets are committed with the transaction, never beside it", "remove it"},
    {"enable.auto.offset.store", "offsets are committed with the transaction, never beside it", "remove it"},
    {"offset.store.method", "offsets are committed with the transaction, never beside it", "remove it"},
    {"offset.store.path", "offsets are committed with the transaction, never beside it", "remove it"},
    {"isolation.level", "reading uncommitted records would act on transactions that never happened", "remove it"},
    {"auto.offset.reset", "a position is never guessed: it comes from the journal", "remove it"},
    {"partition.assignment.strategy", "partition p of all inputs must be owned together, which range does", "remove it"},
    {"group.protocol", "partition p of all inputs must be owned together, which the classic range assignor does", "remove it"},
    {"group.protocol.type", "the group is one of consumers", "remove it"},
    {"group.remote.assignor", "partition p of all inputs must be owned together", "remove it"},
    {"group.id", "it has a key of its own", "set group.id of Baton's configuration, not of librdkafka's"},
    {"group.instance.id", "static members keep partitions while they are away", "remove it"},
    {"enable.partition.eof", "the end of a partition is Baton's own business", "remove it"},
    {"transactional.id", "it must be stable per worker slot and thread", "use --instance to name the worker"},
    {"enable.idempotence", "transactions need it", "remove it"},
    {"enable.gapless.guarantee", "a gap would make the producer fatal instead of aborting", "remove it"},
    {"acks", "a record counts when all in-sync replicas have it", "remove it; set min.insync.replicas on the topics"},
    {"request.required.acks", "a record counts when all in-sync replicas have it",
     "remove it; set min.insync.replicas on the topics"},
    {"message.send.max.retries", "retries are bounded by the transaction's time", "set transaction.timeout.ms"},
    {"retries", "retries are bounded by the transaction's time", "set transaction.timeout.ms"},
    {"max.in.flight", "the order of records depends on it", "remove it"},
    {"max.in.flight.requests.per.connection", "the order of records depends on it", "remove it"},
    {"queuing.strategy", "the order of records depends on it", "remove it"},
    {"partitioner", "keys must fall where the Java clients put them (murmur2)", "remove it"},
    {"delivery.report.only.error", "the journal's offsets come from the delivery reports", "remove it"},
    {"allow.auto.create.topics", "a misspelt topic must be an error", "create topics with \"baton topics ensure\""},
    {"message.max.bytes", "it has a key of its own", "set engine.maxMessageBytes"},
    {"enabled_events", "events are Baton's own business", "remove it"},
    {"log.queue", "logs are Baton's own business", "remove it"},
};

static enum baton_err refused(const char *name, const char *why, const char *advice, struct baton_error *err)
{
    return baton_fail(err, BATON_E_INVALID, "kafka property \"%s\" cannot be set: %s; %s", name, why, advice);
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);

    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* The first word of each line of librdkafka's own table, the only place where it names them all. */
static const char *nearest(const char *word, char *table)
{
    const char *names[NAMES_MAX];
    char *rest = table, *line = NULL;
    size_t n = 0;

    while ((line = strsep(&rest, "\n")) != NULL && n < NAMES_MAX) {
        size_t len = strcspn(line, " |");

        if (len == 0 || line[0] == '#' || line[len] == '\0')
            continue;
        line[len] = '\0';
        names[n++] = line;
    }
    return nearest_name(word, names, n);
}

static enum baton_err unknown(const char *name, const char *text, struct baton_error *err)
{
    char *table = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&table, &len);
    const char *near = NULL;
    enum baton_err rc = BATON_OK;

    if (out != NULL) {
        rd_kafka_conf_properties_show(out);
        near = fclose(out) == 0 ? nearest(name, table) : NULL;
    }
    if (near == NULL || strcmp(near, name) == 0)
        rc = baton_fail(err, BATON_E_INVALID, "kafka property \"%s\": %s", name, text);
    else
        rc = baton_fail(err, BATON_E_INVALID, "kafka property \"%s\": %s; did you mean \"%s\"?", name, text, near);
    free(table);
    return rc;
}

static enum baton_err check_one(rd_kafka_conf_t *conf, const struct kafka_property *property, struct baton_error *err)
{
    char text[256];

    if (property->name == NULL || property->value == NULL)
        return baton_fail(err, BATON_E_INVALID, "a kafka property without %s", property->name == NULL ? "name" : "value");
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        if (strcasecmp(property->name, refusals[i].name) == 0)
            return refused(property->name, refusals[i].why, refusals[i].advice, err);
    }
    if (ends_with(property->name, "_cb") || strcmp(property->name, "opaque") == 0 ||
        strcmp(property->name, "default_topic_conf") == 0)
        return refused(property->name, "it is not a value but a place in memory", "remove it", err);
    if (rd_kafka_conf_set(conf, property->name, property->value, text, sizeof text) != RD_KAFKA_CONF_OK)
        return unknown(property->name, text, err);
    return BATON_OK;
}

static enum baton_err check_all(rd_kafka_conf_t *conf, const struct kafka_property *properties, size_t n,
                                struct baton_error *err)
{
    enum baton_err rc = BATON_OK;

    for (size_t i = 0; i < n && rc == BATON_OK; i++)
        rc = check_one(conf, &properties[i], err);
    return rc;
}

static bool names_brokers(const struct kafka_property *properties, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if ((strcmp(properties[i].name, "bootstrap.servers") == 0 || strcmp(properties[i].name, "metadata.broker.list") == 0) &&
            properties[i].value[0] != '\0')
            return true;
    }
    return false;
}

enum baton_err kafka_properties_check(const struct kafka_options *options, struct baton_error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum baton_err rc = check_all(conf, options->common, options->common_len, err);

    if (rc == BATON_OK)
        rc = check_all(conf, options->consumer, options->consumer_len, err);
    if (rc == BATON_OK)
        rc = check_all(conf, options->producer, options->producer_len, err);
    if (rc == BATON_OK && !names_brokers(options->common, options->common_len))
        rc = baton_fail(err, BATON_E_INVALID, "kafka property \"bootstrap.servers\" is missing: name at least one broker, host:port");
    rd_kafka_conf_destroy(conf);
    return rc;
}

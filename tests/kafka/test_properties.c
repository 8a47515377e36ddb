/*
 * test_properties.c -- which librdkafka properties a user may set: each refusal with its reason, each misspelling with the nearest name.
 */
#include "rows.h"
#include <baton/kafka.h>

static const struct row {
    const char *name;
    const char *property, *value;
    const char *then; /* NULL = allowed; else words of the refusal */
} rows[] = {
    {"TLS is allowed", "security.protocol", "ssl", NULL},
    {"a certificate is allowed", "ssl.ca.location", "/etc/ssl/certs/ca-certificates.crt", NULL},
    {"a login is allowed", "sasl.username", "baton", NULL},
    {"linger is allowed", "linger.ms", "5", NULL},
    {"compression is allowed", "compression.type", "zstd", NULL},
    {"the session timeout is allowed", "session.timeout.ms", "9000", NULL},
    {"the transaction timeout is allowed", "transaction.timeout.ms", "30000", NULL},
    {"debug is allowed", "debug", "broker,topic", NULL},
    {"a second broker list is allowed", "metadata.broker.list", "b:9092", NULL},
    {"the mock cluster is allowed", "test.mock.num.brokers", "1", NULL},

    {"a plugin", "plugin.library.paths", "evil.so", "it loads code into the worker"},
    {"interceptors", "interceptors", "x", "it loads code into the worker"},
    {"a shell command", "sasl.kerberos.kinit.cmd", "rm -rf /", "it runs a shell command; renew the ticket outside"},
    {"an OpenSSL engine", "ssl.engine.location", "evil.so", "it loads code into the worker"},
    {"an OpenSSL engine's id", "ssl.engine.id", "x", "it loads code into the worker"},
    {"OpenSSL providers", "ssl.providers", "legacy", "it loads code into the worker"},
    {"auto commit, even off", "enable.auto.commit", "false", "offsets are committed with the transaction"},
    {"auto commit by its old name", "auto.commit.enable", "true", "offsets are committed with the transaction"},
    {"the auto commit interval", "auto.commit.interval.ms", "5000", "offsets are committed with the transaction"},
    {"the offset store", "enable.auto.offset.store", "true", "offsets are committed with the transaction"},
    {"the offset store's method", "offset.store.method", "broker", "offsets are committed with the transaction"},
    {"the offset store's path", "offset.store.path", "/tmp", "offsets are committed with the transaction"},
    {"dirty reads", "isolation.level", "read_uncommitted", "would act on transactions that never happened"},
    {"a guessed position", "auto.offset.reset", "earliest", "a position is never guessed"},
    {"another assignor", "partition.assignment.strategy", "cooperative-sticky", "must be owned together"},
    {"another group protocol", "group.protocol", "consumer", "must be owned together"},
    {"another group type", "group.protocol.type", "connect", "the group is one of consumers"},
    {"a remote assignor", "group.remote.assignor", "uniform", "must be owned together"},
    {"the group's id", "group.id", "x", "set group.id of Baton's configuration"},
    {"static membership", "group.instance.id", "x", "keep partitions while they are away"},
    {"end of partition events", "enable.partition.eof", "true", "Baton's own business"},
    {"the transactional id", "transactional.id", "x", "stable per worker slot and thread; use --instance"},
    {"no idempotence", "enable.idempotence", "false", "transactions need it"},
    {"gapless", "enable.gapless.guarantee", "true", "fatal instead of aborting"},
    {"fewer acks", "acks", "1", "in-sync replicas have it; remove it; set min.insync.replicas"},
    {"fewer acks by their old name", "request.required.acks", "0", "in-sync replicas have it"},
    {"retries", "retries", "0", "bounded by the transaction's time"},
    {"retries by their old name", "message.send.max.retries", "0", "bounded by the transaction's time"},
    {"requests in flight", "max.in.flight", "1000", "the order of records depends on it"},
    {"requests in flight by their long name", "max.in.flight.requests.per.connection", "6", "the order of records depends on it"},
    {"the queue's order", "queuing.strategy", "lifo", "the order of records depends on it"},
    {"another partitioner", "partitioner", "random", "keys must fall where the Java clients put them"},
    {"fewer reports", "delivery.report.only.error", "true", "the journal's offsets come from the delivery reports"},
    {"topics created by accident", "allow.auto.create.topics", "true", "a misspelt topic must be an error"},
    {"the message size", "message.max.bytes", "1", "set engine.maxMessageBytes"},
    {"events", "enabled_events", "1", "Baton's own business"},
    {"the log queue", "log.queue", "true", "Baton's own business"},
    {"a refused name in other letters", "Enable.Auto.Commit", "true", "offsets are committed with the transaction"},
    {"a callback", "dr_msg_cb", "x", "a place in memory"},
    {"the opaque", "opaque", "x", "a place in memory"},
    {"the default topic's configuration", "default_topic_conf", "x", "a place in memory"},
    {"a misspelling", "sesion.timeout.ms", "9000", "did you mean \"session.timeout.ms\"?"},
    {"a name like no other", "zzzzzzzzzzzzzzzz", "1", "\"zzzzzzzzzzzzzzzz\""},
    {"a value that is no number", "linger.ms", "soon", "linger.ms"},
    {"a value out of range", "session.timeout.ms", "0", "session.timeout.ms"},
    {"a value that is not among the few", "security.protocol", "tls", "security.protocol"},
};

static enum baton_err check(const struct kafka_property *property, int where, struct baton_error *err)
{
    const struct kafka_property brokers = {"bootstrap.servers", "b:9092"}, common[] = {brokers, *property};
    struct kafka_options options = {.common = common, .common_len = where == 0 ? 2 : 1};

    if (where == 1)
        options.consumer = property;
    if (where == 2)
        options.producer = property;
    options.consumer_len = where == 1;
    options.producer_len = where == 2;
    return kafka_properties_check(&options, err);
}

/* For both clients, for the consumer, for the producer: nowhere is a back door. */
static void check_row(void **state)
{
    const struct row *row = *state;
    struct kafka_property property = {row->property, row->value};

    for (int where = 0; where < 3; where++) {
        struct baton_error err = {0};
        enum baton_err rc = check(&property, where, &err);

        assert_string_equal(baton_err_name(rc), row->then == NULL ? "OK" : "INVALID");
        if (row->then != NULL && (strstr(err.text, row->then) == NULL || strstr(err.text, row->property) == NULL))
            fail_msg("\"%s\" does not say \"%s\"", err.text, row->then);
    }
}

static const struct broker_row {
    const char *name;
    struct kafka_property property;
    const char *then;
} broker_rows[] = {
    {"no broker", {"client.id", "x"}, "\"bootstrap.servers\" is missing"},
    {"an empty broker list", {"bootstrap.servers", ""}, "\"bootstrap.servers\" is missing"},
    {"a property without a name", {NULL, "x"}, "without name"},
    {"a property without a value", {"client.id", NULL}, "without value"},
};

static void check_brokers(void **state)
{
    const struct broker_row *row = *state;
    struct kafka_options options = {.common = &row->property, .common_len = 1};
    struct baton_error err = {0};

    assert_int_equal(kafka_properties_check(&options, &err), BATON_E_INVALID);
    if (strstr(err.text, row->then) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.text, row->then);
}

int main(void)
{
    return RUN_ROWS(rows, check_row) + RUN_ROWS(broker_rows, check_brokers);
}

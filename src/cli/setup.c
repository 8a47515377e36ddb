/*
 * setup.c -- what must be in Kafka before a worker can run: topics of the right shape, the cluster's own record, the definitions.
 *
 * Owns:     the shape of every topic; the epoch that names this journal to Redis.
 */
#include "cli.h"
#include <baton/json.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SPECS_MAX (BUS_INPUTS_MAX + 16)
#define TAIL_WAIT_MS 200
#define TAIL_TRIES 150 /* 30 s */

static const struct kafka_property plain[] = {{"cleanup.policy", "delete"}};
static const struct kafka_property kept_longer[] = {{"cleanup.policy", "delete"}, {"retention.ms", "604800000"}, {"max.message.bytes", NULL}};
static const struct kafka_property compacted[] = {{"cleanup.policy", "compact"}, {"max.message.bytes", NULL}};

struct shapes {
    struct kafka_topic_spec specs[SPECS_MAX];
    size_t len;
    struct kafka_property large[3], compact[2];
    char bytes[24];
};

static void add(struct shapes *shapes, const char *name, int32_t partitions, int32_t replication, const struct kafka_property *config,
                size_t config_len)
{
    shapes->specs[shapes->len++] = (struct kafka_topic_spec){.name = name, .partitions = partitions, .replication = replication,
                                                             .config = config, .config_len = config_len};
}

static void shape_bytes(const struct cli *cli, struct shapes *shapes)
{
    (void)snprintf(shapes->bytes, sizeof shapes->bytes, "%d", config_limits(cli->config)->max_record_bytes);
    memcpy(shapes->large, kept_longer, sizeof kept_longer);
    memcpy(shapes->compact, compacted, sizeof compacted);
    shapes->large[2].value = shapes->bytes;
    shapes->compact[1].value = shapes->bytes;
}

static void shape_all(const struct cli *cli, struct shapes *shapes)
{
    const struct config_topics *topics = config_topics(cli->config);
    int32_t n = topics->partitions, r = topics->replication;

    shape_bytes(cli, shapes);
    for (size_t i = 0; i < topics->inputs_len; i++)
        add(shapes, topics->inputs[i].topic, n, r, plain, 1);
    add(shapes, topics->journal, n, r, shapes->large, 3);
    add(shapes, topics->state, n, r, shapes->compact, 2);
    add(shapes, topics->results, n, r, shapes->large, 3);
    add(shapes, topics->events, n, r, shapes->large, 3);
    add(shapes, topics->dlq, n, r, shapes->large, 3);
    add(shapes, topics->definitions, 1, r, shapes->compact, 2);
}

static enum baton_err create_topics(struct cli *cli, const struct kafka_topic_spec *specs, size_t n, size_t *ret_created,
                                    struct baton_error *err)
{
    return cli->create_topics != NULL ? cli->create_topics(cli->create_context, specs, n, ret_created, err)
                                      : kafka_topics_create(&cli->kafka, specs, n, ret_created, err);
}

enum baton_err setup_partitions(struct cli *cli, int32_t *ret_partitions, struct baton_error *err)
{
    const char *journal = config_topics(cli->config)->journal;
    int32_t partitions = 0;
    enum baton_err rc = kafka_topics_describe(&cli->kafka, &journal, 1, &partitions, NULL, err);

    if (rc != BATON_OK)
        return rc;
    if (partitions < 1)
        return baton_fail(err, BATON_E_NOT_FOUND, "topic %s does not exist: no worker has run here yet, or topics.prefix is another", journal);
    *ret_partitions = partitions;
    return BATON_OK;
}

static enum baton_err check_counts(const struct cli *cli, const struct shapes *shapes, char *ret_cluster, struct baton_error *err)
{
    const char *names[SPECS_MAX];
    int32_t counts[SPECS_MAX];
    enum baton_err rc = BATON_OK;

    for (size_t i = 0; i < shapes->len; i++)
        names[i] = shapes->specs[i].name;
    rc = kafka_topics_describe(&cli->kafka, names, shapes->len, counts, ret_cluster, err);
    for (size_t i = 0; rc == BATON_OK && i < shapes->len; i++) {
        bool owned = i < config_topics(cli->config)->inputs_len + 2; /* inputs, journal, state */

        if (counts[i] < 0)
            rc = baton_fail(err, BATON_E_NOT_FOUND, "topic %s does not exist; run \"baton topics ensure\"", names[i]);
        else if (owned && counts[i] != shapes->specs[i].partitions)
            rc = baton_fail(err, BATON_E_CONFLICT,
                            "topic %s has %" PRId32 " partitions, topics.partitions says %" PRId32 ": inputs, journal and state must have the same "
                            "count, and it cannot change once sagas have run; set topics.partitions to %" PRId32, names[i], counts[i],
                            shapes->specs[i].partitions, counts[i]);
    }
    return rc;
}

/* The cluster's record as it was first written: {"partitions":N,"epoch":"..."}. */
struct cluster {
    char epoch[33];
    int64_t partitions;
    int records;
    bool differ; /* two workers wrote one at the same moment: the first holds, and is written again to outlive compaction */
};

static void take_cluster(struct cluster *cluster, const struct bus_message *message)
{
    json_t *doc = NULL;
    const char *epoch = NULL;

    if (json_parse(message->value, message->value_len, &json_default_limits, &doc, NULL) != BATON_OK)
        return;
    epoch = json_string_value(json_object_get(doc, "epoch"));
    if (epoch != NULL && strlen(epoch) < sizeof cluster->epoch) {
        if (cluster->records++ == 0) {
            (void)snprintf(cluster->epoch, sizeof cluster->epoch, "%s", epoch);
            cluster->partitions = json_integer_value(json_object_get(doc, "partitions"));
            cluster->differ = false;
        } else {
            cluster->differ = strcmp(epoch, cluster->epoch) != 0;
        }
    }
    json_decref(doc);
}

/* The definitions topic from its beginning to its end. */
static enum baton_err read_definitions(struct cli *cli, struct cluster *cluster, struct setup *setup, struct baton_error *err)
{
    struct kafka_tail *tail = NULL;
    enum baton_err rc = kafka_tail_open(&cli->kafka, config_topics(cli->config)->definitions, 0, -2, &tail, err);
    int tries = 0;

    while (rc == BATON_OK) {
        struct bus_message message;
        struct baton_error why = {0};

        rc = kafka_tail_next(tail, TAIL_WAIT_MS, &message, err);
        if (rc == BATON_E_RETRY && ++tries < TAIL_TRIES) {
            rc = BATON_OK;
            continue;
        }
        if (rc == BATON_E_NOT_FOUND) {
            setup->next_offset = message.offset;
            rc = BATON_OK;
            break;
        }
        if (rc != BATON_OK)
            break;
        if (message.value != NULL && message.key_len == strlen(DEFINITIONS_CLUSTER_KEY) &&
            memcmp(message.key, DEFINITIONS_CLUSTER_KEY, message.key_len) == 0)
            take_cluster(cluster, &message);
        else if (message.value != NULL && definition_store_put(setup->store, message.value, message.value_len, &why) != BATON_OK)
            log_line(&cli->logger, LOG_LEVEL_WARN, "definitions topic, offset %" PRId64 ": %s; ignored", message.offset, why.text);
        kafka_tail_release(tail, &message);
    }
    kafka_tail_close(tail);
    return rc;
}

static enum baton_err write_cluster(struct cli *cli, const char *epoch, int64_t partitions, struct baton_error *err)
{
    char value[128];
    struct kafka_sender *sender = NULL;
    struct bus_record record = {.topic = config_topics(cli->config)->definitions, .partition = 0, .key = DEFINITIONS_CLUSTER_KEY,
                                .key_len = strlen(DEFINITIONS_CLUSTER_KEY), .value = value};
    enum baton_err rc = kafka_sender_open(&cli->kafka, &sender, err);

    if (rc != BATON_OK)
        return rc;
    record.value_len = (size_t)snprintf(value, sizeof value, "{\"partitions\":%" PRId64 ",\"epoch\":\"%s\"}", partitions, epoch);
    rc = kafka_sender_send(sender, &record, NULL, NULL, err);
    kafka_sender_close(sender);
    return rc;
}

static enum baton_err settle_cluster(struct cli *cli, struct cluster *cluster, struct setup *setup, struct baton_error *err)
{
    int32_t partitions = config_topics(cli->config)->partitions;
    uint64_t random[2] = {0};
    enum baton_err rc = read_definitions(cli, cluster, setup, err);

    if (rc == BATON_OK && cluster->records == 0) {
        char epoch[33];

        if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
            return baton_fail(err, BATON_E_FATAL, "the system gives no random bytes");
        (void)snprintf(epoch, sizeof epoch, "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
        rc = write_cluster(cli, epoch, partitions, err);
        if (rc == BATON_OK)
            rc = read_definitions(cli, cluster, setup, err);
    }
    if (rc == BATON_OK && cluster->differ)
        rc = write_cluster(cli, cluster->epoch, cluster->partitions, err);
    if (rc == BATON_OK && cluster->partitions != partitions)
        rc = baton_fail(err, BATON_E_CONFLICT,
                        "this cluster was first used with %" PRId64 " partitions, topics.partitions says %" PRId32 ": the count cannot change; set it back",
                        cluster->partitions, partitions);
    return rc;
}

enum baton_err setup_run(struct cli *cli, bool create, size_t *ret_created, struct setup *ret_setup, struct baton_error *err)
{
    struct shapes shapes = {.len = 0};
    struct cluster cluster = {.records = 0};
    struct setup setup = {.store = definition_store_new()};
    char id[64] = "";
    size_t created = 0;
    enum baton_err rc = BATON_OK;

    if (setup.store == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory for definitions");
    shape_all(cli, &shapes);
    if (create)
        rc = create_topics(cli, shapes.specs, shapes.len, &created, err);
    if (rc == BATON_OK)
        rc = check_counts(cli, &shapes, id, err);
    if (rc == BATON_OK)
        rc = settle_cluster(cli, &cluster, &setup, err);
    if (rc != BATON_OK) {
        setup_clear(&setup);
        return rc;
    }
    (void)snprintf(setup.epoch, sizeof setup.epoch, "%.60s:%s", id, cluster.epoch);
    *ret_setup = setup;
    *ret_created = created;
    return BATON_OK;
}

void setup_clear(struct setup *setup)
{
    definition_store_free(setup->store);
    setup->store = NULL;
}

/* --- command topics --- */

struct services {
    char **topics; /* owned */
    size_t len, cap;
    const char *prefix;
    bool failed;
};

static void services_add(struct services *services, const char *service)
{
    char name[512];

    (void)snprintf(name, sizeof name, "%s%s.commands", services->prefix, service);
    for (size_t i = 0; i < services->len; i++) {
        if (strcmp(services->topics[i], name) == 0)
            return;
    }
    if (services->len == services->cap) {
        size_t cap = services->cap == 0 ? 32 : services->cap * 2;
        char **topics = realloc(services->topics, cap * sizeof *topics);

        if (topics == NULL) {
            services->failed = true;
            return;
        }
        services->topics = topics;
        services->cap = cap;
    }
    services->topics[services->len] = strdup(name);
    services->failed = services->failed || services->topics[services->len] == NULL;
    services->len += services->topics[services->len] != NULL;
}

/* Every service that is named in a value of a definition: of a step, of its compensation or fallback, in any group. What is no more than data may
 * call a member so, too. */
static void visit_value(struct services *services, const json_t *value)
{
    static const char *const data[] = {"input", "output", "reply", NULL};
    json_t *object = (json_t *)(uintptr_t)value;
    const json_t *item = NULL;
    size_t i = 0;

    json_array_foreach(value, i, item) {
        visit_value(services, item);
    }
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
        const char *key = json_object_iter_key(at);
        size_t k = 0;

        item = json_object_iter_value(at);
        while (data[k] != NULL && strcmp(key, data[k]) != 0)
            k++;
        if (data[k] == NULL)
            visit_value(services, item);
        if (strcmp(key, "service") == 0 && json_is_string(item))
            services_add(services, json_string_value(item));
    }
}

static void visit_definition(void *context, const char *name, int64_t version, const char *hash, const char *text)
{
    json_t *doc = NULL;

    (void)name;
    (void)version;
    (void)hash;
    if (json_parse(text, strlen(text), &json_default_limits, &doc, NULL) != BATON_OK)
        return;
    visit_value(context, json_object_get(doc, "steps"));
    json_decref(doc);
}

enum baton_err setup_command_topics(struct cli *cli, struct definition_store *store, const char *const *names, size_t names_len,
                                    size_t *ret_created, struct baton_error *err)
{
    const struct config_topics *topics = config_topics(cli->config);
    struct services services = {.prefix = topics->prefix};
    struct shapes shapes = {.len = 0};
    size_t created = 0, some = 0;
    enum baton_err rc = BATON_OK;

    shape_bytes(cli, &shapes);
    definition_store_each(store, visit_definition, &services);
    for (size_t i = 0; i < names_len; i++)
        services_add(&services, names[i]);
    if (services.failed)
        rc = baton_fail(err, BATON_E_NOMEM, "out of memory for topics");
    for (size_t at = 0; rc == BATON_OK && at < services.len; at += shapes.len, created += some) {
        shapes.len = 0;
        for (size_t i = at; i < services.len && shapes.len < SPECS_MAX; i++)
            add(&shapes, services.topics[i], topics->partitions, topics->replication, shapes.large, 3);
        rc = create_topics(cli, shapes.specs, shapes.len, &some, err);
    }
    for (size_t i = 0; i < services.len; i++)
        free(services.topics[i]);
    free(services.topics);
    if (rc == BATON_OK)
        *ret_created = created;
    return rc;
}

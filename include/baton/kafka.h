/*
 * kafka.h -- Kafka as Baton's bus: an engine thread's bus, topics, and small clients for the faces.
 */
#ifndef BATON_KAFKA_H
#define BATON_KAFKA_H

#include <baton/bus.h>
#include <jansson.h>

/* librdkafka properties from the user, verbatim. */
struct kafka_property {
    const char *name, *value;
};

struct kafka_options {
    const struct kafka_property *common;   /* both clients; at least bootstrap.servers */
    size_t common_len;
    const struct kafka_property *consumer; /* over common */
    size_t consumer_len;
    const struct kafka_property *producer;
    size_t producer_len;
    /* Called with librdkafka's own log lines and passing errors; from any thread. level is syslog's. NULL = dropped. */
    void (*log)(void *context, int level, const char *facility, const char *text);
    void *log_context;
};

struct kafka_bus_options {
    struct kafka_options kafka;
    const char *group_id;
    const char *transactional_id; /* stable per worker slot and thread: <group>.<instance>.<thread>; producers append .<n> */
    int producers;                /* taken in turn; 0 = 3 */
    const struct bus_input *inputs;
    size_t inputs_len;
    int max_message_bytes;        /* message.max.bytes of the producers; 0 = 1000000 */
    bool mock;                    /* the broker is librdkafka's mock cluster: it keeps no transactional offsets */
};

/**
 * Refuse properties whose change breaks a promise (enable.auto.commit, enable.idempotence=false, isolation.level, transactional.id, partitioner,
 * auto.offset.reset, partition.assignment.strategy, acks, group ids...) or runs code (plugin.library.paths, sasl.kerberos.kinit.cmd, ssl.engine.location):
 * BATON_E_INVALID with property, reason, and what to do. Also names unknown to librdkafka, with its own text.
 */
enum baton_err kafka_properties_check(const struct kafka_options *options, struct baton_error *err);

/** A consumer (group member, subscribed to all inputs), `producers` transactional producers (initialised), a reader. options are borrowed and must
 * outlive it. BATON_E_RETRY: broker away; BATON_E_INVALID: a setting; BATON_E_FATAL: fenced at init. */
enum baton_err kafka_bus_open(const struct kafka_bus_options *options, struct bus *ret_bus, struct baton_error *err);

/** "2.0.2": the librdkafka that runs. */
const char *kafka_library_version(void);

/* --- topics --- */
struct kafka_topic_spec {
    const char *name;
    int32_t partitions;
    int32_t replication;                  /* -1 = broker default */
    const struct kafka_property *config;  /* e.g. cleanup.policy */
    size_t config_len;
};
/** Creates what is missing (already there is fine); *ret_created gets the number created. Waits until each is visible with a leader. */
enum baton_err kafka_topics_create(const struct kafka_options *options, const struct kafka_topic_spec *specs, size_t n,
                                   size_t *ret_created, struct baton_error *err);
/** Partition count of each named topic, -1 = does not exist. ret_cluster_id: at least 64 bytes, may be NULL. */
enum baton_err kafka_topics_describe(const struct kafka_options *options, const char *const *names, size_t n,
                                     int32_t *ret_partitions, char *ret_cluster_id, struct baton_error *err);

/* --- plain producer for the faces (start, deploy): idempotent, not transactional, synchronous --- */
struct kafka_sender;
enum baton_err kafka_sender_open(const struct kafka_options *options, struct kafka_sender **ret_sender, struct baton_error *err);
/** Produces and waits for the acknowledgement. ret_offset may be NULL. */
enum baton_err kafka_sender_send(struct kafka_sender *sender, const struct bus_record *record, int32_t *ret_partition,
                                 int64_t *ret_offset, struct baton_error *err);
void kafka_sender_close(struct kafka_sender *sender);

/* --- plain tail of one partition (definitions topic, journal for the faces); read_committed, no group --- */
struct kafka_tail;
enum baton_err kafka_tail_open(const struct kafka_options *options, const char *topic, int32_t partition, int64_t offset /* -2 = beginning, -1 = the end as it is now */,
                               struct kafka_tail **ret_tail, struct baton_error *err);
/** As bus.read_next: OK, NOT_FOUND (at the end), RETRY (nothing yet), STALE, FATAL. */
enum baton_err kafka_tail_next(struct kafka_tail *tail, int timeout_ms, struct bus_message *ret_message, struct baton_error *err);
void kafka_tail_release(struct kafka_tail *tail, struct bus_message *message);
void kafka_tail_close(struct kafka_tail *tail);

#endif

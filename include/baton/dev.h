/*
 * dev.h -- a whole world in one process, for trying Baton out: a mock broker, a private Redis, the examples and their participants,
 * and orders whose ends are checked against what the participants did.
 *
 * Nothing here is durable and nothing here proves a promise: librdkafka's mock cluster keeps no transactional offsets, knows no isolation
 * and remembers the newest 5 MB of a partition.
 */
#ifndef BATON_DEV_H
#define BATON_DEV_H

#include <baton/error.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* --- the broker: librdkafka's mock cluster, on a loopback port, inside this process --- */
struct dev_broker;
enum baton_err dev_broker_open(struct dev_broker **ret_broker, struct baton_error *err);
const char *dev_broker_address(const struct dev_broker *broker); /* host:port */
/** Create a topic; *ret_created says whether it was missing. The mock cluster has no such request on the wire. From any thread. */
enum baton_err dev_broker_topic(struct dev_broker *broker, const char *name, int32_t partitions, bool *ret_created,
                                struct baton_error *err);
void dev_broker_close(struct dev_broker *broker); /* after every client is gone; NULL is fine */

/* --- the store: redis-server as a child on a free loopback port, without persistence; it dies with this process --- */
struct dev_redis;
/** BATON_E_NOT_FOUND: there is no redis-server in PATH. Call it from the main thread: the child dies with the thread that started it. */
enum baton_err dev_redis_open(struct dev_redis **ret_redis, struct baton_error *err);
const char *dev_redis_url(const struct dev_redis *redis);
void dev_redis_close(struct dev_redis *redis); /* NULL is fine */

/* --- the examples, compiled in from examples/ --- */
struct dev_document {
    const char *text;
    size_t len;
};
#define DEV_EXAMPLES 2
extern const struct dev_document dev_documents[DEV_EXAMPLES];

/* --- the ledger: what the participants did, whatever anybody else believes --- */
struct dev_ledger;
struct dev_ledger *dev_ledger_new(void); /* NULL = out of memory */
void dev_ledger_free(struct dev_ledger *ledger);

/* --- the participants of the examples --- */
/* Shares, 0 to 1, drawn from the seed: of steps (refuse, silent, late) and of commands (transient, twice). */
struct dev_faults {
    double refuse;    /* a business no */
    double transient; /* "retry" to the first attempt */
    double silent;    /* no answer, half of them having acted; a command that is repeated without end gets one in the end */
    double late;      /* an answer after the timeout: half in time for a later attempt, half only when the saga has given up */
    double twice;     /* the same answer two times */
    bool forget;      /* against their duty: no idempotency key is remembered */
};
struct dev_participants_options {
    const char *brokers;
    const char *prefix; /* of topics */
    const char *replies_topic; /* where most answers will go */
    int32_t partitions; /* of each command topic */
    uint64_t seed;
    struct dev_faults faults;
    struct dev_ledger *ledger;
};
struct dev_participants;
/** Starts their threads. The options' strings and the ledger are borrowed until stop. */
enum baton_err dev_participants_start(const struct dev_participants_options *options, struct dev_participants **ret_participants,
                                      struct baton_error *err);
/** Work begun and not yet ended: answers held back. */
size_t dev_participants_pending(struct dev_participants *participants);
void dev_participants_stop(struct dev_participants *participants); /* NULL is fine */

/* --- orders --- */
struct dev_orders_options {
    const char *brokers, *start_topic, *results_topic, *events_topic;
    int32_t partitions;
    int count;       /* of both examples in turn */
    int rate;        /* started a second; 0 = all at once */
    uint64_t seed;   /* of inputs and ids */
    struct dev_ledger *ledger;
    struct dev_participants *participants;
    bool (*stop)(void *context); /* asked often: true = end early */
    void *stop_context;
    FILE *talk;      /* progress and compensated sagas; NULL = silence */
    bool terminal;   /* talk is one: draw a bar */
    bool color;
};
/**
 * Starts the orders, waits for their ends, then compares each with the ledger. BATON_OK with *ret_report, whatever the comparison
 * says; BATON_E_STALE when stop said so.
 *
 * @ret_report  New reference: {"seed","orders","tookMs","outcomes":{},"latencyMs":{},"faults":{},"effects":{},"wrong":[{"id","why"}],"right"}.
 */
enum baton_err dev_orders_run(const struct dev_orders_options *options, json_t **ret_report, struct baton_error *err);
/** The report for people. */
void dev_report_print(const json_t *report, FILE *out, bool color);

#endif

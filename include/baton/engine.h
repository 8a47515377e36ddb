/*
 * engine.h -- the worker: engine threads over a bus and a view each, and the definitions they share.
 *
 * Never knows librdkafka or hiredis: the wiring (src/cli) hands it openers.
 */
#ifndef BATON_ENGINE_H
#define BATON_ENGINE_H

#include <baton/bus.h>
#include <baton/definition.h>
#include <baton/error.h>
#include <baton/view.h>
#include <baton/wire.h>

/* --- log: only engine and faces log; adapters report --- */
enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
struct logger {
    enum log_level level;
    bool json; /* one JSON object per line, else text */
    int fd;    /* 2 */
};
/** One line: time, level, text. From any thread. Control characters are escaped. */
void log_line(const struct logger *logger, enum log_level level, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* --- definitions, shared by all threads --- */
struct definition_store;
struct definition_store *definition_store_new(void);
void definition_store_free(struct definition_store *store);
/** Add a definition document's text (as it stands on the definitions topic). The same (name, version) with the same hash is fine;
 * BATON_E_CONFLICT with another; BATON_E_INVALID if it is not a definition. Compiles it once to check. */
enum baton_err definition_store_put(struct definition_store *store, const char *text, size_t len, struct baton_error *err);
/** version 0 = the newest. *ret_text malloc'ed copy (caller frees). BATON_E_NOT_FOUND. */
enum baton_err definition_store_get(struct definition_store *store, const char *name, int64_t version, char **ret_text,
                                    int64_t *ret_version, char ret_hash[65]);
/** Calls visit for every (name, version), ordered by name, version. */
void definition_store_each(struct definition_store *store,
                           void (*visit)(void *context, const char *name, int64_t version, const char *hash, const char *text),
                           void *context);
/** Count of definitions ever put: changes when something arrived. */
uint64_t definition_store_generation(struct definition_store *store);

/* Where definitions come from: kafka_tail's functions fit. */
struct definition_feed {
    void *self;
    enum baton_err (*next)(void *self, int timeout_ms, struct bus_message *ret_message, struct baton_error *err);
    void (*release)(void *self, struct bus_message *message);
};
/* The key of the cluster's own record on the definitions topic: {"partitions":N,"epoch":"..."}; written at first start. */
#define DEFINITIONS_CLUSTER_KEY ".baton"
/** Key of a definition's record: "<name>@<version>". */

/* --- the worker --- */
struct engine_limits {
    int batch_max_count;      /* messages of one transaction */
    size_t batch_max_bytes;
    int batch_max_wait_ms;    /* how long a batch may grow after its first message; 0 = take what is there */
    int view_lag_ms;          /* how far the view may be behind the journal */
    int64_t retention_ms;     /* of ended sagas */
    size_t cache_bytes;       /* of all threads together */
    int max_message_bytes;    /* of an input */
    int max_record_bytes;     /* of what is produced */
    int definition_wait_ms;   /* how long an existing saga waits for its definition before it parks */
};

struct worker_options {
    int threads;
    const char *worker_name; /* for the journal and logs */
    const struct bus_input *inputs;
    size_t inputs_len;
    int32_t partitions;      /* of inputs, journal, state */
    const char *epoch;       /* cluster id and the definitions topic's epoch: names this journal */
    const char *journal_topic, *state_topic, *results_topic, *events_topic, *dlq_topic, *replies_topic, *definitions_topic;
    const char *const *allow_reply_to; /* NULL-terminated topic names a starter may ask answers on */
    const char *command_prefix;
    const char *const *service_replies; /* see wire_names */
    const struct service_rules *services; /* those that are not to be given too much, each once, at most SERVICE_RULES_MAX */
    size_t services_len;
    const char *reply_keys;  /* text of the key file, taken by wire_signer_new once already; NULL = ids carry no tag */
    size_t reply_keys_len;
    struct engine_limits limits;
    struct definition_store *store;
    struct definition_feed feed;
    const struct logger *logger;
    int64_t (*now_ms)(void *context); /* ms since the epoch; NULL = the machine's clock */
    /* Openers, called from the thread they are for, also again after a fatal error. */
    void *context;
    enum baton_err (*open_bus)(void *context, int thread, struct bus *ret_bus, struct baton_error *err);
    enum baton_err (*open_view)(void *context, int thread, struct view *ret_view, struct baton_error *err);
};

/* Counters since start, of all threads. */
struct worker_stats {
    int64_t started, completed, compensated, parked, cancelled;
    int64_t inputs, commands, duplicates, late, forwarded, dead_letters, timers, transactions, aborts, reopened;
    int64_t view_applies, view_loads, catch_ups, rebuilds, trickled;
    int64_t held, service_changes; /* commands held back, each time; changes of circuit breakers that this worker told of */
    int64_t partitions_owned, partitions_ready;
    int64_t cache_bytes, cache_sagas;
};

struct worker;
/** Starts the threads. Everything in options is borrowed and must outlive the worker. */
enum baton_err worker_start(const struct worker_options *options, struct worker **ret_worker, struct baton_error *err);
/** Ask for a graceful stop: finish or abort what is open, show the view, leave the group. Safe from any thread, not from a signal handler. */
void worker_stop(struct worker *worker);
/** Wait up to timeout_ms for all threads to have ended; true if they have. */
bool worker_wait(struct worker *worker, int timeout_ms);
void worker_stats(struct worker *worker, struct worker_stats *ret_stats);
/** False once a thread has given up for good (never happens by broker or Redis faults alone). */
bool worker_healthy(struct worker *worker);
void worker_free(struct worker *worker); /* after worker_wait gave true */

#endif

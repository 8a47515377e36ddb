/*
 * worker.c -- the worker: its engine threads and the follower of the definitions topic.
 *
 * Owns:     starting, stopping, counting.
 * Tests:    tests/engine/test_threads.c, test_engine.c, tests/integration/
 */
#include "engine_internal.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#define FEED_WAIT_MS 100

uint64_t keyed_hash_key = UINT64_C(0x9e3779b97f4a7c15);
static pthread_once_t hash_key_chosen = PTHREAD_ONCE_INIT;

/* Keeps the store as new as the definitions topic. */
static void *feeder_run(void *argument)
{
    struct worker *worker = argument;
    const struct worker_options *options = worker->options;

    while (!atomic_load(&worker->stopping)) {
        struct bus_message message;
        struct baton_error err = {0};
        enum baton_err rc = options->feed.next(options->feed.self, FEED_WAIT_MS, &message, &err);

        if (rc == BATON_E_NOT_FOUND && message.offset > atomic_load(&worker->feed_position))
            atomic_store(&worker->feed_position, message.offset);
        if (rc == BATON_E_FATAL || rc == BATON_E_STALE) {
            log_line(options->logger, LOG_LEVEL_ERROR, "definitions: %s", err.text);
            struct timespec step = {.tv_sec = 1};

            (void)nanosleep(&step, NULL);
        }
        if (rc != BATON_OK)
            continue;
        if (message.value != NULL &&
            !(message.key_len == strlen(DEFINITIONS_CLUSTER_KEY) &&
              memcmp(message.key, DEFINITIONS_CLUSTER_KEY, message.key_len) == 0) &&
            definition_store_put(options->store, message.value, message.value_len, &err) != BATON_OK)
            log_line(options->logger, LOG_LEVEL_ERROR, "definitions topic, offset %lld: %s; ignored", (long long)message.offset,
                     err.text);
        atomic_store(&worker->feed_position, message.offset + 1);
        options->feed.release(options->feed.self, &message);
    }
    return NULL;
}

/* Once a process: tables that live already have been filled under it. */
static void choose_hash_key(void)
{
    if (getrandom(&keyed_hash_key, sizeof keyed_hash_key, 0) < 0)
        keyed_hash_key ^= (uint64_t)time(NULL); /* a kernel without it: weaker, never wrong */
    keyed_hash_key |= 1;
}

enum baton_err worker_start(const struct worker_options *options, struct worker **ret_worker, struct baton_error *err)
{
    struct worker *worker = calloc(1, sizeof *worker);
    uint64_t born = 0;

    if (worker == NULL || (worker->engines = calloc((size_t)options->threads, sizeof *worker->engines)) == NULL) {
        free(worker);
        return baton_fail(err, BATON_E_NOMEM, "out of memory for %d threads", options->threads);
    }
    (void)pthread_once(&hash_key_chosen, choose_hash_key);
    worker->options = options;
    if (getrandom(&born, sizeof born, 0) < 0)
        born = (uint64_t)time(NULL);
    (void)snprintf(worker->token, sizeof worker->token, "%.40s/%016" PRIx64, options->worker_name, born);
    if (options->feed.next != NULL)
        worker->feeder_started = pthread_create(&worker->feeder, NULL, feeder_run, worker) == 0;
    for (int i = 0; i < options->threads; i++) {
        struct engine *engine = &worker->engines[i];

        engine->worker = worker;
        engine->options = options;
        engine->thread = i;
        atomic_store(&engine->healthy, true);
        engine->started = pthread_create(&engine->pthread, NULL, engine_run, engine) == 0;
        if (!engine->started) {
            worker_stop(worker);
            (void)worker_wait(worker, -1);
            worker_free(worker);
            return baton_fail(err, BATON_E_FATAL, "cannot start thread %d", i);
        }
    }
    *ret_worker = worker;
    return BATON_OK;
}

void worker_stop(struct worker *worker)
{
    atomic_store(&worker->stopping, true);
}

static bool all_ended(struct worker *worker)
{
    for (int i = 0; i < worker->options->threads; i++) {
        if (worker->engines[i].started && !atomic_load(&worker->engines[i].ended))
            return false;
    }
    return true;
}

bool worker_wait(struct worker *worker, int timeout_ms)
{
    struct timespec step = {.tv_nsec = 5 * 1000000};

    for (int64_t waited = 0; !all_ended(worker); waited += 5) {
        if (timeout_ms >= 0 && waited >= timeout_ms)
            return false;
        (void)nanosleep(&step, NULL);
    }
    return true;
}

void worker_stats(struct worker *worker, struct worker_stats *ret_stats)
{
    int64_t sums[STAT_COUNT] = {0};

    for (int i = 0; i < worker->options->threads; i++) {
        for (int k = 0; k < STAT_COUNT; k++)
            sums[k] += atomic_load_explicit(&worker->engines[i].stats[k], memory_order_relaxed);
    }
    *ret_stats = (struct worker_stats){
        .started = sums[STAT_STARTED], .completed = sums[STAT_COMPLETED], .compensated = sums[STAT_COMPENSATED],
        .parked = sums[STAT_PARKED], .cancelled = sums[STAT_CANCELLED], .inputs = sums[STAT_INPUTS],
        .commands = sums[STAT_COMMANDS], .duplicates = sums[STAT_DUPLICATES], .late = sums[STAT_LATE],
        .forwarded = sums[STAT_FORWARDED], .dead_letters = sums[STAT_DEAD_LETTERS], .timers = sums[STAT_TIMERS],
        .transactions = sums[STAT_TRANSACTIONS], .aborts = sums[STAT_ABORTS], .reopened = sums[STAT_REOPENED],
        .view_applies = sums[STAT_VIEW_APPLIES], .view_loads = sums[STAT_VIEW_LOADS], .catch_ups = sums[STAT_CATCH_UPS],
        .rebuilds = sums[STAT_REBUILDS], .trickled = sums[STAT_TRICKLED], .held = sums[STAT_HELD], .service_changes = sums[STAT_SERVICE_CHANGES], .partitions_owned = sums[STAT_OWNED],
        .partitions_ready = sums[STAT_READY], .cache_bytes = sums[STAT_CACHE_BYTES], .cache_sagas = sums[STAT_CACHE_SAGAS],
    };
}

bool worker_healthy(struct worker *worker)
{
    for (int i = 0; i < worker->options->threads; i++) {
        if (!atomic_load(&worker->engines[i].healthy))
            return false;
    }
    return true;
}

void worker_free(struct worker *worker)
{
    if (worker == NULL)
        return;
    atomic_store(&worker->stopping, true);
    for (int i = 0; i < worker->options->threads; i++) {
        if (worker->engines[i].started)
            (void)pthread_join(worker->engines[i].pthread, NULL);
    }
    if (worker->feeder_started)
        (void)pthread_join(worker->feeder, NULL);
    free(worker->engines);
    free(worker);
}

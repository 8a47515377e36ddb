/*
 * wiring.c -- Kafka and Redis as an engine's bus and view, by this call's configuration.
 *
 * Owns:     what a worker's options point at.
 */
#include "cli.h"
#include <stdio.h>
#include <stdlib.h>

#define THREADS_MAX 64

struct wiring {
    struct cli *cli;
    bool mock;
    struct kafka_tail *tail;
    char transactional_ids[THREADS_MAX][256];
    struct kafka_bus_options buses[THREADS_MAX]; /* a bus borrows them for its life */
    struct worker_options options;
};

static enum baton_err open_bus(void *context, int thread, struct bus *ret_bus, struct baton_error *err)
{
    struct wiring *wiring = context;
    const struct config_topics *topics = config_topics(wiring->cli->config);

    wiring->buses[thread] = (struct kafka_bus_options){
        .kafka = wiring->cli->kafka,
        .group_id = config_group_id(wiring->cli->config),
        .transactional_id = wiring->transactional_ids[thread],
        .inputs = topics->inputs,
        .inputs_len = topics->inputs_len,
        .max_message_bytes = config_limits(wiring->cli->config)->max_record_bytes,
        .mock = wiring->mock,
    };
    return kafka_bus_open(&wiring->buses[thread], ret_bus, err);
}

static enum baton_err open_view(void *context, int thread, struct view *ret_view, struct baton_error *err)
{
    struct wiring *wiring = context;

    (void)thread;
    return redis_view_open(config_redis(wiring->cli->config), ret_view, err);
}

static enum baton_err feed_next(void *self, int timeout_ms, struct bus_message *ret_message, struct baton_error *err)
{
    return kafka_tail_next(self, timeout_ms, ret_message, err);
}

static void feed_release(void *self, struct bus_message *message)
{
    kafka_tail_release(self, message);
}

static void fill_options(struct wiring *wiring, const struct wiring_needs *needs)
{
    const struct cli *cli = wiring->cli;
    const struct config_topics *topics = config_topics(cli->config);

    wiring->options = (struct worker_options){
        .threads = config_threads(cli->config),
        .worker_name = needs->instance,
        .inputs = topics->inputs,
        .inputs_len = topics->inputs_len,
        .partitions = topics->partitions,
        .epoch = needs->setup->epoch,
        .journal_topic = topics->journal,
        .state_topic = topics->state,
        .results_topic = topics->results,
        .events_topic = topics->events,
        .dlq_topic = topics->dlq,
        .replies_topic = topics->replies,
        .definitions_topic = topics->definitions,
        .allow_reply_to = topics->allow_reply_to,
        .command_prefix = topics->prefix,
        .service_replies = topics->service_replies,
        .reply_keys = needs->reply_keys,
        .reply_keys_len = needs->reply_keys_len,
        .limits = *config_limits(cli->config),
        .store = needs->setup->store,
        .feed = {.self = wiring->tail, .next = feed_next, .release = feed_release},
        .logger = &cli->logger,
        .context = wiring,
        .open_bus = open_bus,
        .open_view = open_view,
    };
    wiring->options.services = config_services(cli->config, &wiring->options.services_len);
}

enum baton_err wiring_open(struct cli *cli, const struct wiring_needs *needs, struct wiring **ret_wiring, struct baton_error *err)
{
    struct wiring *wiring = calloc(1, sizeof *wiring);
    enum baton_err rc = BATON_OK;

    if (wiring == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory for a worker");
    wiring->cli = cli;
    wiring->mock = needs->mock;
    rc = kafka_tail_open(&cli->kafka, config_topics(cli->config)->definitions, 0, -2, &wiring->tail, err);
    if (rc != BATON_OK) {
        wiring_close(wiring);
        return rc;
    }
    for (int i = 0; i < config_threads(cli->config) && i < THREADS_MAX; i++)
        (void)snprintf(wiring->transactional_ids[i], sizeof wiring->transactional_ids[i], "%.80s.%.150s.%d",
                       config_group_id(cli->config), needs->instance, i);
    fill_options(wiring, needs);
    *ret_wiring = wiring;
    return BATON_OK;
}

const struct worker_options *wiring_options(const struct wiring *wiring)
{
    return &wiring->options;
}

void wiring_close(struct wiring *wiring)
{
    if (wiring == NULL)
        return;
    kafka_tail_close(wiring->tail);
    free(wiring);
}

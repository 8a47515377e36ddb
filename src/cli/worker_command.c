/*
 * worker_command.c -- `baton worker`, `baton topics`: from the configuration to a running worker; signals.
 */
#include "cli.h"
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WATCH_NS 50000000
#define TRIM_ROUNDS 200 /* of watching: ten seconds */
#define LARGE_BLOCK_BYTES (256 * 1024)

/* Until a stop is asked for; a second one ends the process at once. */
static void watch(struct cli *cli, struct worker *worker, const sigset_t *signals)
{
    bool ready = false, stopping = false;
    struct timespec wait = {.tv_nsec = WATCH_NS};
    int rounds = 0;

    while (!worker_wait(worker, 0)) {
        struct worker_stats stats;
        int got = sigtimedwait(signals, NULL, &wait);

        if (got > 0 && stopping) {
            log_line(&cli->logger, LOG_LEVEL_WARN, "second signal: ending at once; the next owner resumes from the journal");
            _exit(EXIT_UNEXPECTED);
        }
        if (got > 0) {
            stopping = true;
            log_line(&cli->logger, LOG_LEVEL_INFO, "stopping: finishing what is open (a second signal ends at once)");
            worker_stop(worker);
        }
        if (++rounds % TRIM_ROUNDS == 0)
            (void)malloc_trim(0);
        worker_stats(worker, &stats);
        if (!ready && stats.partitions_owned > 0 && stats.partitions_ready == stats.partitions_owned) {
            ready = true;
            log_line(&cli->logger, LOG_LEVEL_INFO, "ready: %lld partitions", (long long)stats.partitions_ready);
        }
    }
}

/* Batches come and go in large blocks and on many threads: left alone, glibc's arenas keep the peak of each (measured: 144 MB resident
 * for 50 MB in use). Large blocks go back at once, the rest now and then. And no fastbins: every block over 1 kB would tidy them up (measured:
 * a seventh of the worker's CPU). */
static void memory_is_given_back(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES);
    (void)mallopt(M_MXFAST, 0);
    (void)mallopt(M_TRIM_THRESHOLD, 16 * LARGE_BLOCK_BYTES);
}

int command_worker(struct cli *cli)
{
    const char *definitions = cli_option(cli, "--definitions"), *given = cli_option(cli, "--instance");
    bool no_create = cli_flag(cli, "--no-create");
    struct wiring *wiring = NULL;
    struct setup setup = {0};
    struct worker *worker = NULL;
    struct worker_stats stats = {0};
    struct baton_error err = {0};
    char instance[160], version[64] = "", *keys = NULL;
    size_t created = 0, keys_len = 0;
    sigset_t signals;
    enum baton_err rc = BATON_OK;
    int code = EXIT_OK;

    cli_expect(cli, 0, 0);
    memory_is_given_back();
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    rc = reply_keys_read(cli, &keys, &keys_len, &err);
    if (rc == BATON_OK)
        rc = instance_name(given, instance, sizeof instance, &err);
    if (rc == BATON_OK)
        rc = redis_check(config_redis(cli->config), version, &err);
    if (rc == BATON_E_RETRY) { /* it may come later: sagas wait in Kafka */
        log_line(&cli->logger, LOG_LEVEL_WARN, "%s", err.text);
        rc = BATON_OK;
    }
    if (rc == BATON_OK)
        rc = setup_run(cli, !no_create, &created, &setup, &err);
    if (rc == BATON_OK && definitions != NULL)
        rc = deploy_directory(cli, setup.store, definitions, &err);
    if (rc == BATON_OK && !no_create)
        rc = setup_command_topics(cli, setup.store, NULL, 0, &created, &err);
    if (rc == BATON_OK)
        rc = wiring_open(cli, &(struct wiring_needs){.setup = &setup, .instance = instance, .reply_keys = keys, .reply_keys_len = keys_len},
                         &wiring, &err);
    if (rc == BATON_OK) {
        log_line(&cli->logger, LOG_LEVEL_INFO, "baton %s worker %s, %d threads, group %s, redis %s", BATON_VERSION, instance,
                 config_threads(cli->config), config_group_id(cli->config), version);
        rc = worker_start(wiring_options(wiring), &worker, &err);
    }
    if (rc == BATON_OK) {
        watch(cli, worker, &signals);
        worker_stats(worker, &stats);
        code = worker_healthy(worker) ? EXIT_OK : EXIT_UNEXPECTED;
        log_line(&cli->logger, LOG_LEVEL_INFO,
                 "stopped: %lld started, %lld completed, %lld compensated, %lld parked, %lld dead letters, %lld transactions",
                 (long long)stats.started, (long long)stats.completed, (long long)stats.compensated, (long long)stats.parked,
                 (long long)stats.dead_letters, (long long)stats.transactions);
    } else {
        code = cli_fail(&err);
    }
    worker_free(worker);
    wiring_close(wiring);
    setup_clear(&setup);
    reply_keys_free(keys, keys_len);
    return code;
}

#define SERVICES_MAX 256

int command_topics(struct cli *cli)
{
    const char *services[SERVICES_MAX], *service = NULL;
    size_t services_len = 0, created = 0, more = 0;
    struct setup setup = {0};
    struct baton_error err = {0};
    enum baton_err rc = BATON_OK;

    while (services_len < SERVICES_MAX && (service = cli_option(cli, "--service")) != NULL) {
        if (!service_name_valid(service, strlen(service)))
            return cli_usage(cli, "--service \"%s\": 1 to 200 of A-Za-z0-9._- expected", service);
        services[services_len++] = service;
    }
    cli_expect(cli, 1, 1);
    if (strcmp(cli->args[0], "ensure") != 0)
        return cli_usage(cli, "\"%s\": only \"ensure\" can be done with topics", cli->args[0]);
    rc = setup_run(cli, true, &created, &setup, &err);
    if (rc == BATON_OK)
        rc = setup_command_topics(cli, setup.store, services, services_len, &more, &err);
    setup_clear(&setup);
    if (rc != BATON_OK)
        return cli_fail(&err);
    if (cli->output == OUTPUT_TEXT)
        (void)printf("%zu topics created\n", created + more);
    else
        (void)printf("{\"created\":%zu}\n", created + more);
    return EXIT_OK;
}

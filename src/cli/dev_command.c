/*
 * dev_command.c -- `baton dev`: a mock broker and a private Redis, then the same set-up and the same worker as everywhere.
 *
 * Owns:     the order in which the parts come up and go down, signals, the flags.
 * Tests:    tests/dev/test_dev.py
 */
#include "cli.h"
#include <baton/dev.h>
#include <baton/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define INSTANCE "dev"
#define READY_PATIENCE_MS 30000
#define STEP_MS 10
#define WATCH_MS 100
#define ORDERS_MAX 1000000
#define RATE_STANDARD 200

struct world {
    struct cli *cli;
    struct dev_broker *broker;
    struct dev_redis *redis;
    struct setup setup;
    struct wiring *wiring;
    struct worker *worker;
    struct dev_ledger *ledger;
    struct dev_participants *participants;
    sigset_t signals;
    bool stopping;
};

struct flags {
    int64_t orders, seed, rate;
    struct dev_faults faults;
    bool verbose;
};

/* --- flags --- */

static int64_t whole(struct cli *cli, const char *name, int64_t least, int64_t most, int64_t otherwise)
{
    const char *text = cli_option(cli, name);
    int64_t number = otherwise;

    if (text != NULL && !cli_number(text, least, most, &number))
        exit(cli_usage(cli, "%s \"%s\": a whole number from %lld to %lld expected", name, text, (long long)least, (long long)most));
    return number;
}

/* "5%" or "5": percent. */
static double share(struct cli *cli, const char *name, double otherwise)
{
    const char *text = cli_option(cli, name);
    char *end = NULL;
    double value = 0;

    if (text == NULL)
        return otherwise;
    value = strtod(text, &end);
    if (end == text || (strcmp(end, "%") != 0 && *end != '\0') || !(value >= 0 && value <= 100))
        exit(cli_usage(cli, "%s \"%s\": a share from 0%% to 100%% expected", name, text));
    return value / 100;
}

static struct flags read_flags(struct cli *cli)
{
    struct flags flags = {.orders = whole(cli, "--orders", 1, ORDERS_MAX, 0)};
    bool ordered = flags.orders > 0;
    uint32_t random = 0;

    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        random = (uint32_t)time(NULL);
    flags.seed = whole(cli, "--seed", 0, INT32_MAX, random % 1000000);
    flags.rate = whole(cli, "--rate", 0, ORDERS_MAX, RATE_STANDARD);
    flags.faults = (struct dev_faults){
        .refuse = share(cli, "--refuse", ordered ? 0.03 : 0),
        .transient = share(cli, "--transient", ordered ? 0.03 : 0),
        .silent = share(cli, "--silent", ordered ? 0.01 : 0),
        .late = share(cli, "--late", ordered ? 0.02 : 0),
        .twice = share(cli, "--twice", ordered ? 0.05 : 0),
        .forget = cli_flag(cli, "--forget"),
    };
    flags.verbose = cli_flag(cli, "--verbose");
    if (flags.faults.refuse + flags.faults.silent + flags.faults.late > 1)
        exit(cli_usage(cli, "--refuse, --silent and --late are shares of the same steps: together at most 100%%"));
    return flags;
}

/* --- signals --- */

/* Asked for often: true once the world is to end. A second signal ends it at once; Redis dies with this process. */
static bool stopped(void *context)
{
    struct world *world = context;
    struct timespec none = {0};

    if (sigtimedwait(&world->signals, NULL, &none) > 0) {
        if (world->stopping)
            _exit(EXIT_UNEXPECTED);
        world->stopping = true;
    }
    return world->stopping;
}

static void pause_ms(int ms)
{
    struct timespec step = {.tv_nsec = ms * 1000000L};

    (void)nanosleep(&step, NULL);
}

/* --- coming up --- */

static enum baton_err create_topics(void *context, const struct kafka_topic_spec *specs, size_t n, size_t *ret_created,
                                    struct baton_error *err)
{
    struct world *world = context;
    size_t created = 0;
    enum baton_err rc = BATON_OK;

    for (size_t i = 0; rc == BATON_OK && i < n; i++) {
        bool fresh = false;

        rc = dev_broker_topic(world->broker, specs[i].name, specs[i].partitions, &fresh, err);
        created += fresh;
    }
    if (rc == BATON_OK && ret_created != NULL)
        *ret_created = created;
    return rc;
}

static enum baton_err deploy_examples(struct world *world, struct baton_error *err)
{
    struct kafka_sender *sender = NULL;
    enum baton_err rc = kafka_sender_open(&world->cli->kafka, &sender, err);

    for (size_t i = 0; rc == BATON_OK && i < DEV_EXAMPLES; i++) {
        char name[DEFINITION_NAME_MAX + 32];
        const char *said = NULL;
        json_t *doc = NULL;

        rc = json_parse(dev_documents[i].text, dev_documents[i].len, &json_default_limits, &doc, err);
        if (rc == BATON_OK)
            rc = deploy_document(world->cli, world->setup.store, sender, doc, "examples", &said, name, err);
        json_decref(doc);
    }
    kafka_sender_close(sender);
    return rc;
}

static enum baton_err come_up(struct world *world, const struct flags *flags, struct baton_error *err)
{
    struct cli *cli = world->cli;
    const struct wiring_needs needs = {.setup = &world->setup, .instance = INSTANCE, .mock = true};
    struct dev_participants_options cast = {.seed = (uint64_t)flags->seed, .faults = flags->faults};
    size_t created = 0;
    enum baton_err rc = dev_redis_open(&world->redis, err);

    if (rc == BATON_OK)
        rc = dev_broker_open(&world->broker, err);
    if (rc == BATON_OK)
        rc = cli_configure(cli, dev_broker_address(world->broker), dev_redis_url(world->redis), err);
    if (rc != BATON_OK)
        return rc;
    cli_expect(cli, 0, 0);
    if (!flags->verbose)
        cli->logger.level = flags->orders > 0 ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN;
    log_line(&cli->logger, LOG_LEVEL_INFO, "brokers %s, redis %s", dev_broker_address(world->broker), dev_redis_url(world->redis));
    cli->create_topics = create_topics;
    cli->create_context = world;
    rc = setup_run(cli, true, &created, &world->setup, err);
    if (rc == BATON_OK)
        rc = deploy_examples(world, err);
    if (rc == BATON_OK)
        rc = setup_command_topics(cli, world->setup.store, NULL, 0, &created, err);
    if (rc == BATON_OK)
        rc = wiring_open(cli, &needs, &world->wiring, err);
    if (rc == BATON_OK)
        rc = worker_start(wiring_options(world->wiring), &world->worker, err);
    if (rc != BATON_OK)
        return rc;
    world->ledger = dev_ledger_new();
    if (world->ledger == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory for the ledger");
    cast.brokers = dev_broker_address(world->broker);
    cast.prefix = config_topics(cli->config)->prefix;
    cast.replies_topic = config_topics(cli->config)->replies;
    cast.partitions = config_topics(cli->config)->partitions;
    cast.ledger = world->ledger;
    return dev_participants_start(&cast, &world->participants, err);
}

/* Until the worker has taken all partitions. */
static enum baton_err await_ready(struct world *world, struct baton_error *err)
{
    for (int waited = 0; waited < READY_PATIENCE_MS; waited += STEP_MS) {
        struct worker_stats stats;

        worker_stats(world->worker, &stats);
        if (stats.partitions_ready == config_topics(world->cli->config)->partitions)
            return BATON_OK;
        if (stopped(world))
            return baton_fail(err, BATON_E_STALE, "stopped before the worker was ready");
        if (!worker_healthy(world->worker))
            return baton_fail(err, BATON_E_FATAL, "the worker ended; --verbose shows why");
        pause_ms(STEP_MS);
    }
    return baton_fail(err, BATON_E_FATAL, "the worker is not ready after %d s; --verbose shows why", READY_PATIENCE_MS / 1000);
}

static void go_down(struct world *world)
{
    dev_participants_stop(world->participants);
    if (world->worker != NULL) {
        worker_stop(world->worker);
        while (!worker_wait(world->worker, STEP_MS))
            (void)stopped(world);
    }
    worker_free(world->worker);
    wiring_close(world->wiring);
    if (world->setup.store != NULL)
        setup_clear(&world->setup);
    dev_ledger_free(world->ledger);
    dev_redis_close(world->redis);
    dev_broker_close(world->broker);
}

/* --- what it is up for --- */

static int run_orders(struct world *world, const struct flags *flags, struct baton_error *err)
{
    const struct config_topics *topics = config_topics(world->cli->config);
    const struct dev_orders_options options = {
        .brokers = dev_broker_address(world->broker),
        .start_topic = topics->inputs[0].topic,
        .results_topic = topics->results,
        .events_topic = topics->events,
        .partitions = topics->partitions,
        .count = (int)flags->orders,
        .rate = (int)flags->rate,
        .seed = (uint64_t)flags->seed,
        .ledger = world->ledger,
        .participants = world->participants,
        .stop = stopped,
        .stop_context = world,
        .talk = stderr,
        .terminal = isatty(STDERR_FILENO) && !flags->verbose,
        .color = cli_colored(STDERR_FILENO),
    };
    json_t *report = NULL;
    bool right = false;

    (void)fprintf(stderr, "%lld orders, seed %lld, on a mock broker: not durable, no proof of a promise\n", (long long)flags->orders,
                  (long long)flags->seed);
    if (dev_orders_run(&options, &report, err) != BATON_OK)
        return cli_fail(err);
    if (world->cli->output == OUTPUT_TEXT)
        dev_report_print(report, stdout, cli_colored(STDOUT_FILENO));
    else
        cli_print_json(report);
    right = json_is_true(json_object_get(report, "right"));
    json_decref(report);
    return right ? EXIT_OK : EXIT_UNEXPECTED;
}

static void say_addresses(const struct world *world)
{
    const char *brokers = dev_broker_address(world->broker), *redis = dev_redis_url(world->redis);
    json_t *addresses = NULL;

    if (world->cli->output != OUTPUT_TEXT) {
        addresses = json_pack("{s:s, s:s}", "brokers", brokers, "redis", redis);
        cli_print_json(addresses);
        json_decref(addresses);
    } else {
        (void)printf("A mock Kafka, a private Redis, a worker and the participants of the examples run here until Ctrl-C.\n"
                     "Not durable, and no proof of a promise: that takes a real Kafka.\n\n"
                     "In another terminal:\n\n"
                     "  export BATON_BROKERS=%s BATON_REDIS=%s\n"
                     "  baton start order --id o-1 --wait --input '{\"customer\":\"c-1\",\"items\":[{\"sku\":\"A-1\",\"count\":2}],"
                     "\"total\":19.99,\"currency\":\"EUR\"}'\n"
                     "  baton history o-1\n", brokers, redis);
    }
    (void)fflush(stdout);
}

/* A definition deployed from outside needs command topics, and nobody outside can create them on this broker. */
static void watch(struct world *world)
{
    uint64_t seen = 0;

    while (!stopped(world)) {
        uint64_t generation = definition_store_generation(world->setup.store);
        struct baton_error err = {0};
        size_t created = 0;

        if (generation != seen && setup_command_topics(world->cli, world->setup.store, NULL, 0, &created, &err) != BATON_OK)
            log_line(&world->cli->logger, LOG_LEVEL_ERROR, "%s", err.text);
        seen = generation;
        pause_ms(WATCH_MS);
    }
}

int command_dev(struct cli *cli)
{
    struct world world = {.cli = cli};
    struct baton_error err = {0};
    struct flags flags = {0};
    int code = EXIT_OK;

    if (cli_option(cli, "-b") != NULL || cli_option(cli, "--brokers") != NULL || cli_option(cli, "--redis") != NULL)
        return cli_usage(cli, "baton dev brings its own broker and Redis; \"baton worker\" runs against others");
    flags = read_flags(cli);
    /* Before the first thread: all inherit it. */
    (void)sigemptyset(&world.signals);
    (void)sigaddset(&world.signals, SIGINT);
    (void)sigaddset(&world.signals, SIGTERM);
    (void)sigaddset(&world.signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &world.signals, NULL);
    (void)fputs("starting; the mock broker takes 3 s to form a group\n", stderr);
    if (come_up(&world, &flags, &err) != BATON_OK || await_ready(&world, &err) != BATON_OK) {
        code = world.stopping ? EXIT_UNEXPECTED : cli_fail(&err);
    } else if (flags.orders > 0) {
        code = run_orders(&world, &flags, &err);
    } else {
        say_addresses(&world);
        watch(&world);
    }
    go_down(&world);
    return code;
}

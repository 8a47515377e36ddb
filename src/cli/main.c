/*
 * main.c -- the table of commands; from flags and environment to the configuration.
 *
 * Owns:     which flags there are; flag over environment over file.
 */
#include "cli.h"
#include <baton/definition.h>
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROPERTIES_MAX 64 /* -X of one call */
#define OVERRIDES_MAX (PROPERTIES_MAX + 8)

static const struct cli_flag none[] = {{NULL, NULL, NULL}};
static const struct cli_flag worker_flags[] = {
    {"--definitions", "DIR", "publish the definitions (*.json) of this directory first"},
    {"--instance", "NAME", "the worker's name; left out: hostname and the lowest free slot of this host"},
    {"--no-create", NULL, "do not create missing topics"},
    {NULL, NULL, NULL},
};
static const struct cli_flag topics_flags[] = {
    {"--service", "NAME", "also the command topic of this service; may be repeated"},
    {NULL, NULL, NULL},
};
static const struct cli_flag start_flags[] = {
    {"--id", "ID", "the saga's id: 1 to 128 of A-Za-z0-9._:-; left out: a random one"},
    {"--input", "JSON|@FILE|-", "a JSON object, from here, a file or standard input; left out: {}"},
    {"--version", "N", "of the definition; left out: the newest"},
    {"--wait", "[SECONDS]", "until the saga ends or parks; left out: 30"},
    {NULL, NULL, NULL},
};
static const struct cli_flag try_flags[] = {
    {"--input", "JSON|@FILE|-", "a JSON object, from here, a file or standard input; left out: {}"},
    {"--replies", "FILE", "what the participants answer (docs/commands.md); what it leaves out succeeds with body null"},
    {"--random", NULL, "what the replies leave out is drawn instead: success, refusal, \"try again\", pending, silence"},
    {"--seed", "S", "of --random; left out: a random one, which is printed"},
    {"--id", "ID", "the saga's id; left out: try"},
    {NULL, NULL, NULL},
};
static const struct cli_flag graph_flags[] = {
    {"--format", "FORMAT", "svg, mermaid or dot; left out: svg"},
    {"--saga", "ID", "draw this saga's run over it: statuses, attempts, times, the way it took"},
    {NULL, NULL, NULL},
};
static const struct cli_flag list_flags[] = {
    {"--status", "STATUS", "running, compensating, completed, compensated, parked, cancelled or terminated"},
    {"--type", "TYPE", "of this definition"},
    {"--version", "N", "of this version of it"},
    {"--limit", "N", "at most so many; left out: 20"},
    {NULL, NULL, NULL},
};

#define WHO_FLAGS                                                                                                                      \
    {"--why", "TEXT", "the reason, for the saga's history"},                                                                           \
    {"--who", "NAME", "whoever asks; left out: this user and host"},                                                                   \
    {"--timeout", "SECONDS", "how long to wait for the answer; left out: 10, with --where 600"},                                                         \
    {"--where", "FILTER", "instead of ID: all sagas that fit, as type=T,version=2,status=S,step=N,service=V,older=30m"},        \
    {"--yes", NULL, "with --where: do it; left out: only say what would become of them"},                                                                      \
    {NULL, NULL, NULL}
static const struct cli_flag verb_flags[] = {WHO_FLAGS};
static const struct cli_flag retry_flags[] = {
    {"--input", "JSON|@FILE|-", "another input of its command, from now on; left out: the definition's"},
    WHO_FLAGS,
};
static const struct cli_flag output_flags[] = {
    {"--output", "JSON|@FILE|-", "the step's output, for the steps after it; left out: none"},
    WHO_FLAGS,
};
static const struct cli_flag signal_flags[] = {
    {"--data", "JSON|@FILE|-", "its payload, the output of the step that waits; left out: null"},
    {"--who", "NAME", "whoever sends it; left out: this user and host"},
    {"--timeout", "SECONDS", "how long to wait for the answer; left out: 10"},
    {NULL, NULL, NULL},
};
static const struct cli_flag migrate_flags[] = {
    {"--where", "FILTER", "only those that fit, as status=S,step=N,older=30m"},
    {"--dry-run", NULL, "ask nothing of them: only say what would become of them"},
    {"--why", "TEXT", "the reason, for the sagas' history"},
    {"--who", "NAME", "whoever asks; left out: this user and host"},
    {"--timeout", "SECONDS", "how long to wait for the answer; left out: 600"},
    {NULL, NULL, NULL},
};
static const struct cli_flag services_flags[] = {
    {"--why", "TEXT", "the reason, for whoever looks"},
    {"--who", "NAME", "whoever asks; left out: this user and host"},
    {NULL, NULL, NULL},
};
#define VERB_CODES "Exit codes: 0 done, 4 no such saga, 6 the saga's state forbids it (it says why), 7 no worker has answered in time."

static const struct cli_flag dev_flags[] = {
    {"--orders", "N", "run N orders of both examples, check every end, and end: 0 all right, 1 not"},
    {"--seed", "S", "of inputs and faults; left out: a random one, which is printed"},
    {"--rate", "R", "orders started a second, 0 = all at once; left out: 200"},
    {"--refuse", "P%", "of the steps get a business no; left out: 3% with --orders, else 0"},
    {"--transient", "P%", "of the commands get \"try again\" first; left out: 3%, else 0"},
    {"--silent", "P%", "of the steps get no answer, half of them done nevertheless; left out: 1%, else 0"},
    {"--late", "P%", "of the steps get one after the timeout, half when the saga has given up; left out: 2%, else 0"},
    {"--twice", "P%", "of the answers come two times; left out: 5%, else 0"},
    {"--forget", NULL, "participants remember no idempotency key, against their duty: the check must notice"},
    {"--verbose", NULL, "the worker's log, too"},
    {NULL, NULL, NULL},
};

static const struct command commands[] = {
    {"dev", command_dev, true, "", "mock broker, Redis, worker and example participants in one process", dev_flags,
     "All of it is on loopback ports and gone at Ctrl-C; the addresses are printed for the other commands. Nothing is durable and nothing\n"
     "is proved: librdkafka's mock cluster has no transactions to speak of. It needs redis-server in PATH."},
    {"worker", command_worker, false, "", "run sagas until SIGTERM", worker_flags,
     "SIGTERM or SIGINT finishes what is open and ends with 0; a second one ends at once."},
    {"topics", command_topics, false, "ensure", "create the topics that are missing, check those that are there", topics_flags, ""},
    {"deploy", command_deploy, false, "FILE|DIR...", "check and publish definitions", none,
     "All are checked before the first is published. Exit codes: 3 if one is wrong, 6 if a version exists with other content."},
    {"validate", command_validate, true, "FILE|DIR|-...", "check definitions", none, "Exit codes: 0 all are valid, 3 one is not."},
    {"try", command_try, true, "FILE", "run a definition against given replies, without a broker", try_flags,
     "The rules are the worker's, time is simulated: the unit test of a saga.\n"
     "Exit codes: 0 completed, 3 the definition, the input or the replies are wrong, 10 compensated, 11 parked, 12 cancelled or terminated."},
    {"graph", command_graph, false, "FILE|NAME", "draw a definition, or a run over it", graph_flags,
     "A file is drawn as it is; NAME, or NAME@VERSION, is what is deployed: the newest, or with --saga the saga's own version.\n"
     "Exit codes: 3 the file is wrong, 4 no such definition or saga, 6 the saga is of another definition."},
    {"definitions", command_definitions, false, "", "what is deployed, and how many sagas are of each version", none, ""},
    {"start", command_start, false, "TYPE", "start a saga", start_flags,
     "Exit codes with --wait: 0 completed, 7 not ended in time, 10 compensated, 11 parked, 12 cancelled or terminated."},
    {"status", command_status, false, "ID", "where a saga is", none, ""},
    {"history", command_history, false, "ID", "what happened to a saga", none, ""},
    {"list", command_list, false, "", "sagas, the last changed first", list_flags, ""},
    {"signal", command_verb, false, "ID NAME", "what a saga waits for has come", signal_flags, VERB_CODES},
    {"cancel", command_verb, false, "ID", "turn a saga back: what was done is compensated", verb_flags, VERB_CODES},
    {"terminate", command_verb, false, "ID", "end a saga now: NOTHING is compensated", verb_flags, VERB_CODES},
    {"pause", command_verb, false, "ID", "send nothing, let no timer fire, until it is resumed", verb_flags, VERB_CODES},
    {"resume", command_verb, false, "ID", "go on after a pause", verb_flags, VERB_CODES},
    {"retry", command_verb, false, "ID [STEP]", "the step that a saga is parked on again", retry_flags, VERB_CODES},
    {"skip", command_verb, false, "ID STEP", "go on without a step, or without its compensation", output_flags, VERB_CODES},
    {"complete", command_verb, false, "ID STEP", "a step, or its compensation, was done by hand", output_flags, VERB_CODES},
    {"compensate", command_verb, false, "ID", "turn a saga back, also one that is parked before the pivot", verb_flags, VERB_CODES},
    {"migrate", command_migrate, false, "NAME FROM TO", "running sagas of one version go on by another", migrate_flags,
     "Each is checked: it moves where its position maps, and stays where it does not.\n"
     "Exit codes: 0 all moved, 4 a version is not deployed, 6 some were refused (it says why), 7 not done in time."},
    {"services", command_services, false, "[open|close|reset NAME]", "circuit breakers, commands in flight, rates; and to set them by hand", services_flags,
     "open holds back all commands to it until close or reset; close lets them go, whatever fails, until reset; reset leaves it to its rules,\n"
     "closed and with nothing counted. Exit codes: 0 done, 4 no worker has rules for it."},
    {"config", command_config, false, "", "every setting and where it comes from", none, ""},
    {"version", command_version, true, "", "versions of Baton and its libraries", none, ""},
};
#define COMMANDS (sizeof commands / sizeof *commands)

static void help(FILE *out)
{
    (void)fputs("baton -- a saga orchestrator over Kafka and Redis\n\nusage: baton COMMAND [ARGUMENTS] [OPTIONS]\n\n", out);
    for (size_t i = 0; i < COMMANDS; i++)
        (void)fprintf(out, "  %-12s %-16s %s\n", commands[i].name, commands[i].arguments, commands[i].what);
    (void)fputs("\n(baton COMMAND --help says more)\n", out);
}

/* --- configuration --- */

struct overrides {
    struct config_override items[OVERRIDES_MAX];
    size_t len;
};

static void override(struct overrides *overrides, const char *path, const char *value, const char *origin)
{
    if (value == NULL)
        return;
    assert(overrides->len < OVERRIDES_MAX);
    overrides->items[overrides->len++] = (struct config_override){.path = path, .value = value, .origin = origin};
}

/* A variable that is set to nothing counts as not set. */
static const char *environment(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

static const char *either(struct cli *cli, const char *name, const char *other)
{
    const char *value = cli_option(cli, name);

    return value != NULL || other == NULL ? value : cli_option(cli, other);
}

static void kafka_log(void *context, int level, const char *facility, const char *text)
{
    struct cli *cli = context;

    log_line(&cli->logger, level <= 3 ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG, "kafka: %s: %s", facility, text);
}

static enum log_level level_of(const char *name)
{
    if (strcmp(name, "error") == 0)
        return LOG_LEVEL_ERROR;
    if (strcmp(name, "warn") == 0)
        return LOG_LEVEL_WARN;
    return strcmp(name, "debug") == 0 ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
}

enum baton_err cli_configure(struct cli *cli, const char *brokers, const char *redis, struct baton_error *err)
{
    struct overrides overrides = {.len = 0};
    const char *file = either(cli, "--config", "-c"), *property = NULL;
    char *names[PROPERTIES_MAX];
    size_t names_len = 0;
    enum baton_err rc = BATON_OK;

    if (file == NULL)
        file = environment("BATON_CONFIG");
    override(&overrides, "kafka.bootstrap.servers", environment("BATON_BROKERS"), "environment BATON_BROKERS");
    override(&overrides, "redis.url", environment("BATON_REDIS"), "environment BATON_REDIS");
    override(&overrides, "topics.prefix", environment("BATON_TOPIC_PREFIX"), "environment BATON_TOPIC_PREFIX");
    override(&overrides, "kafka.bootstrap.servers", either(cli, "--brokers", "-b"), "flag --brokers");
    override(&overrides, "redis.url", cli_option(cli, "--redis"), "flag --redis");
    override(&overrides, "kafka.bootstrap.servers", brokers, "this process");
    override(&overrides, "redis.url", redis, "this process");
    while ((property = cli_option(cli, "-X")) != NULL) {
        const char *equals = strchr(property, '=');

        if (equals == NULL || equals == property || names_len == PROPERTIES_MAX)
            exit(cli_usage(cli, "-X \"%s\": PROPERTY=VALUE expected, at most %d times", property, PROPERTIES_MAX));
        if (asprintf(&names[names_len], "kafka.%.*s", (int)(equals - property), property) < 0)
            return baton_fail(err, BATON_E_NOMEM, "out of memory");
        override(&overrides, names[names_len++], equals + 1, "flag -X");
    }
    rc = config_load(file, overrides.items, overrides.len, &cli->config, err);
    for (size_t i = 0; i < names_len; i++)
        free(names[i]);
    if (rc != BATON_OK)
        return rc;
    cli->logger.level = level_of(config_log_level(cli->config));
    cli->logger.json = config_log_json(cli->config);
    cli->kafka = *config_kafka(cli->config);
    cli->kafka.log = kafka_log;
    cli->kafka.log_context = cli;
    return BATON_OK;
}

static void print_setting(const json_t *row)
{
    const char *value = json_string_value(json_object_get(row, "value"));

    (void)printf("%-28s %-32s %s\n", json_string_value(json_object_get(row, "path")), value != NULL ? value : "-",
                 json_string_value(json_object_get(row, "origin")));
}

int command_config(struct cli *cli)
{
    struct redis_reader *reader = NULL;
    struct baton_error err = {0};

    cli_expect(cli, 0, 0);
    if (redis_reader_open(config_redis(cli->config), &reader, &err) != BATON_OK) /* connects to nothing, but reads what it would need */
        return cli_fail(&err);
    redis_reader_close(reader);
    cli_print_rows(cli, config_dump(cli->config), print_setting);
    return EXIT_OK;
}

static bool has_flag(const struct command *command, const char *name)
{
    for (const struct cli_flag *flag = command->flags; flag->name != NULL; flag++) {
        if (strcmp(flag->name, name) == 0)
            return true;
    }
    return false;
}

/* -o text|json|jsonl; exits with usage if it is another. A command with an --output of its own has the short form only. */
static enum output output_form(struct cli *cli)
{
    static const char *const names[] = {"text", "json", "jsonl"};
    const char *form = either(cli, "-o", has_flag(cli->command, "--output") ? NULL : "--output");

    for (int i = 0; form != NULL && i < 3; i++) {
        if (strcmp(form, names[i]) == 0)
            return (enum output)i;
    }
    if (form != NULL)
        exit(cli_usage(cli, "-o \"%s\": text, json or jsonl expected", form));
    return OUTPUT_TEXT;
}

static const struct command *command_named(const struct cli *cli, const char *name)
{
    const char *names[COMMANDS], *near = NULL;

    for (size_t i = 0; i < COMMANDS; i++) {
        names[i] = commands[i].name;
        if (strcmp(name, names[i]) == 0)
            return &commands[i];
    }
    near = nearest_name(name, names, COMMANDS);
    if (near != NULL)
        exit(cli_usage(cli, "unknown command \"%s\"; did you mean \"%s\"?", name, near));
    exit(cli_usage(cli, "unknown command \"%s\"", name));
}

int main(int argc, char **argv)
{
    struct cli cli = {.logger = {.level = LOG_LEVEL_INFO, .fd = STDERR_FILENO}};
    struct baton_error err = {0};
    int code = 0;

    (void)signal(SIGPIPE, SIG_IGN); /* hiredis writes to sockets that may be gone */
    if (argc < 2 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        help(argc < 2 ? stderr : stdout);
        return argc < 2 ? EXIT_USAGE : EXIT_OK;
    }
    cli.command = command_named(&cli, strcmp(argv[1], "--version") == 0 ? "version" : argv[1]);
    cli.args = argv + 2;
    cli.args_len = argc - 2;
    if (cli_flag(&cli, "--help") || cli_flag(&cli, "-h")) {
        cli_help(&cli);
        return EXIT_OK;
    }
    cli.output = output_form(&cli);
    if (!cli.command->plain && cli_configure(&cli, NULL, NULL, &err) != BATON_OK)
        return cli_fail(&err);
    code = cli.command->run(&cli);
    config_free(cli.config);
    if ((fflush(stdout) != 0 || ferror(stdout) != 0) && code == EXIT_OK)
        code = EXIT_UNEXPECTED;
    return code;
}

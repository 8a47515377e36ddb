/*
 * main.c -- the command line: options of all commands, the table of commands, exit codes.
 *
 * Owns:     flag over environment over file; what an error code means for a shell.
 */
#include "cli.h"
#include <baton/json.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OVERRIDES_MAX 64

static const struct command {
    const char *name;
    int (*run)(struct cli *cli);
    bool plain; /* needs no configuration */
    const char *help;
} commands[] = {
    {"worker", command_worker, false, "[--definitions DIR] [--instance NAME] [--no-create]   run sagas until SIGTERM"},
    {"topics", command_topics, false, "ensure [--service NAME]...   create what is missing"},
    {"deploy", command_deploy, false, "FILE...   check and publish definitions"},
    {"validate", command_validate, true, "FILE...   check definitions; exit 3 if one is wrong"},
    {"definitions", command_definitions, false, "what is deployed"},
    {"start", command_start, false, "TYPE [--id ID] [--input JSON|@FILE|-] [--wait [SECONDS]]   start a saga"},
    {"status", command_status, false, "ID   where a saga is"},
    {"history", command_history, false, "ID   what happened to it"},
    {"list", command_list, false, "[--status STATUS] [--type TYPE] [--limit N]   the newest first"},
    {"config", command_config, false, "every setting and where it comes from"},
    {"version", command_version, true, "versions of Baton and its libraries"},
};
#define COMMANDS (sizeof commands / sizeof *commands)

static void help(FILE *out)
{
    (void)fputs("baton -- a saga orchestrator over Kafka and Redis\n\nusage: baton COMMAND [ARGUMENTS] [OPTIONS]\n\n", out);
    for (size_t i = 0; i < COMMANDS; i++)
        (void)fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].help);
    (void)fputs("\noptions of all commands:\n"
                "  -b, --brokers HOST:PORT,...   Kafka (BATON_BROKERS; kafka.bootstrap.servers)\n"
                "      --redis URL               Redis (BATON_REDIS; redis.url)\n"
                "  -c, --config FILE             configuration (BATON_CONFIG)\n"
                "  -X property=value             a librdkafka property\n"
                "  -o text|json|jsonl            form of the output\n"
                "  -h, --help\n", out);
}

int cli_usage(const char *format, ...)
{
    va_list args;

    (void)fputs("usage: ", stderr);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputs("\n(baton --help lists all commands)\n", stderr);
    return EXIT_USAGE;
}

int cli_fail(const struct baton_error *err)
{
    (void)fprintf(stderr, "error: %s\n", err->text);
    switch (err->code) {
    case BATON_E_INVALID:
    case BATON_E_POISON:
        return EXIT_INVALID;
    case BATON_E_NOT_FOUND:
        return EXIT_MISSING;
    case BATON_E_CONFLICT:
        return EXIT_CONFLICT;
    case BATON_E_RETRY:
        return EXIT_UNREACHABLE;
    case BATON_OK:
    case BATON_E_STALE:
    case BATON_E_ABORT:
    case BATON_E_FATAL:
    case BATON_E_NOMEM:
        break;
    }
    return EXIT_UNEXPECTED;
}

static void take_out(struct cli *cli, int at, int count)
{
    memmove(cli->args + at, cli->args + at + count, (size_t)(cli->args_len - at - count) * sizeof *cli->args);
    cli->args_len -= count;
}

const char *cli_option(struct cli *cli, const char *name)
{
    size_t len = strlen(name);

    for (int i = 0; i < cli->args_len; i++) {
        const char *value = NULL;

        if (strcmp(cli->args[i], "--") == 0)
            return NULL;
        if (strncmp(cli->args[i], name, len) == 0 && cli->args[i][len] == '=') {
            value = cli->args[i] + len + 1;
            take_out(cli, i, 1);
            return value;
        }
        if (strcmp(cli->args[i], name) == 0) {
            if (i + 1 >= cli->args_len)
                exit(cli_usage("%s needs a value", name));
            value = cli->args[i + 1];
            take_out(cli, i, 2);
            return value;
        }
    }
    return NULL;
}

bool cli_flag(struct cli *cli, const char *name)
{
    for (int i = 0; i < cli->args_len; i++) {
        if (strcmp(cli->args[i], name) == 0) {
            take_out(cli, i, 1);
            return true;
        }
    }
    return false;
}

void cli_expect(struct cli *cli, int least, int most, const char *usage)
{
    for (int i = 0; i < cli->args_len; i++) {
        if (cli->args[i][0] == '-' && cli->args[i][1] != '\0') {
            (void)fprintf(stderr, "error: unknown option \"%s\"\n", cli->args[i]);
            exit(cli_usage("%s", usage));
        }
    }
    if (cli->args_len < least || cli->args_len > most)
        exit(cli_usage("%s", usage));
}

void cli_print_json(const struct cli *cli, const json_t *value)
{
    struct buffer text = {0};

    (void)cli;
    json_write(&text, value);
    if (!text.failed)
        (void)printf("%.*s\n", (int)text.len, text.data);
    buffer_free(&text);
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
    if (overrides->len == OVERRIDES_MAX)
        exit(cli_usage("more than %d overrides", OVERRIDES_MAX));
    overrides->items[overrides->len++] = (struct config_override){.path = path, .value = value, .origin = origin};
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

static enum baton_err configure(struct cli *cli, struct baton_error *err)
{
    struct overrides overrides = {.len = 0};
    const char *file = either(cli, "--config", "-c"), *property = NULL;
    char *names[OVERRIDES_MAX];
    size_t names_len = 0;
    enum baton_err rc = BATON_OK;

    if (file == NULL)
        file = getenv("BATON_CONFIG");
    override(&overrides, "kafka.bootstrap.servers", getenv("BATON_BROKERS"), "environment BATON_BROKERS");
    override(&overrides, "redis.url", getenv("BATON_REDIS"), "environment BATON_REDIS");
    override(&overrides, "topics.prefix", getenv("BATON_TOPIC_PREFIX"), "environment BATON_TOPIC_PREFIX");
    override(&overrides, "kafka.bootstrap.servers", either(cli, "--brokers", "-b"), "flag --brokers");
    override(&overrides, "redis.url", cli_option(cli, "--redis"), "flag --redis");
    while ((property = cli_option(cli, "-X")) != NULL) {
        const char *equals = strchr(property, '=');

        if (equals == NULL || equals == property || names_len == OVERRIDES_MAX)
            exit(cli_usage("-X property=value"));
        if (asprintf(&names[names_len], "kafka.%.*s", (int)(equals - property), property) < 0)
            return baton_fail(err, BATON_E_NOMEM, "out of memory");
        override(&overrides, names[names_len++], equals + 1, "flag -X");
    }
    rc = config_load(file != NULL && file[0] != '\0' ? file : NULL, overrides.items, overrides.len, &cli->config, err);
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

int command_config(struct cli *cli)
{
    json_t *rows = config_dump(cli->config), *row = NULL;
    size_t i = 0;

    cli_expect(cli, 0, 0, "baton config");
    if (cli->output == OUTPUT_JSON)
        cli_print_json(cli, rows);
    else
        json_array_foreach(rows, i, row) {
            const char *value = json_string_value(json_object_get(row, "value"));

            if (cli->output == OUTPUT_JSONL)
                cli_print_json(cli, row);
            else
                (void)printf("%-28s %-32s %s\n", json_string_value(json_object_get(row, "path")), value != NULL ? value : "-",
                             json_string_value(json_object_get(row, "origin")));
        }
    json_decref(rows);
    return EXIT_OK;
}

int main(int argc, char **argv)
{
    struct cli cli = {.logger = {.level = LOG_LEVEL_INFO, .fd = 2}};
    const struct command *command = NULL;
    const char *names[COMMANDS], *near = NULL, *form = NULL;
    struct baton_error err = {0};
    int code = 0;

    (void)signal(SIGPIPE, SIG_IGN); /* hiredis writes to sockets that may be gone */
    if (argc < 2 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        help(argc < 2 ? stderr : stdout);
        return argc < 2 ? EXIT_USAGE : EXIT_OK;
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        names[i] = commands[i].name;
        if (strcmp(argv[1], names[i]) == 0)
            command = &commands[i];
    }
    if (command == NULL) {
        near = nearest_name(argv[1], names, COMMANDS);
        (void)fprintf(stderr, "error: unknown command \"%s\"%s%s%s\n", argv[1], near != NULL ? "; did you mean \"" : "",
                      near != NULL ? near : "", near != NULL ? "\"?" : "");
        return cli_usage("baton COMMAND [ARGUMENTS] [OPTIONS]");
    }
    cli.args = argv + 2;
    cli.args_len = argc - 2;
    if (cli_flag(&cli, "--help") || cli_flag(&cli, "-h")) {
        (void)printf("usage: baton %s %s\n", command->name, command->help);
        return EXIT_OK;
    }
    form = either(&cli, "-o", "--output");
    if (form != NULL && strcmp(form, "text") != 0 && strcmp(form, "json") != 0 && strcmp(form, "jsonl") != 0)
        return cli_usage("-o text|json|jsonl");
    cli.output = form == NULL || strcmp(form, "text") == 0 ? OUTPUT_TEXT : strcmp(form, "json") == 0 ? OUTPUT_JSON : OUTPUT_JSONL;
    if (!command->plain && configure(&cli, &err) != BATON_OK)
        return cli_fail(&err);
    code = command->run(&cli);
    config_free(cli.config);
    if (fflush(stdout) != 0 && code == EXIT_OK)
        code = EXIT_UNEXPECTED;
    return code;
}

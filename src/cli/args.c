/*
 * args.c -- the command line of one command: its options, what is left of it, its help.
 *
 * Tests:    tests/cli/test_commands.py
 */
#include "cli.h"
#include <baton/definition.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLAGS_MAX 64

static const struct cli_flag common[] = {
    {"-b", "HOST:PORT,...", "Kafka: --brokers, BATON_BROKERS, kafka.bootstrap.servers"},
    {"--brokers", "HOST:PORT,...", NULL},
    {"--redis", "URL", "Redis: BATON_REDIS, redis.url"},
    {"-c", "FILE", "configuration: --config, BATON_CONFIG"},
    {"--config", "FILE", NULL},
    {"-X", "PROPERTY=VALUE", "a librdkafka property; may be repeated"},
    {"-o", "text|json|jsonl", "form of the output: --output"},
    {"--output", "text|json|jsonl", NULL},
    {"-h", NULL, "this text: --help"},
    {"--help", NULL, NULL},
    {NULL, NULL, NULL},
};

static void print_call(FILE *out, const struct command *command)
{
    (void)fprintf(out, "usage: baton %s%s%s", command->name, command->arguments[0] != '\0' ? " " : "", command->arguments);
    for (const struct cli_flag *flag = command->flags; flag->name != NULL; flag++)
        (void)fprintf(out, flag->value != NULL ? " [%s %s]" : " [%s]", flag->name, flag->value);
    (void)fputs(" [OPTIONS]\n", out);
}

static void print_flags(const struct cli_flag *flag)
{
    for (; flag->name != NULL; flag++) {
        char left[64];

        if (flag->what == NULL)
            continue;
        (void)snprintf(left, sizeof left, "%s%s%s", flag->name, flag->value != NULL ? " " : "", flag->value != NULL ? flag->value : "");
        (void)printf("  %-26s %s\n", left, flag->what);
    }
}

void cli_help(const struct cli *cli)
{
    const struct command *command = cli->command;

    print_call(stdout, command);
    (void)printf("\n%s\n", command->what);
    if (command->flags->name != NULL)
        (void)putchar('\n');
    print_flags(command->flags);
    (void)puts("\noptions of all commands:");
    print_flags(common);
    if (command->more[0] != '\0')
        (void)printf("\n%s\n", command->more);
}

int cli_usage(const struct cli *cli, const char *format, ...)
{
    va_list args;

    (void)fputs("error: ", stderr);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    if (cli->command == NULL) {
        (void)fputs("usage: baton COMMAND [ARGUMENTS] [OPTIONS]\n(baton --help lists all commands)\n", stderr);
        return EXIT_USAGE;
    }
    print_call(stderr, cli->command);
    (void)fprintf(stderr, "(baton %s --help says more)\n", cli->command->name);
    return EXIT_USAGE;
}

bool cli_number(const char *text, int64_t least, int64_t most, int64_t *ret_number)
{
    char *end = NULL;
    long long number = 0;

    errno = 0;
    number = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < least || number > most)
        return false;
    *ret_number = number;
    return true;
}

static void take_out(struct cli *cli, int at, int count)
{
    memmove(cli->args + at, cli->args + at + count, (size_t)(cli->args_len - at - count) * sizeof *cli->args);
    cli->args_len -= count;
}

/* Where `--name` or `--name=VALUE` stands before a "--"; -1 = nowhere. */
static int find(const struct cli *cli, const char *name, bool *ret_joined)
{
    size_t len = strlen(name);

    for (int i = 0; i < cli->args_len && strcmp(cli->args[i], "--") != 0; i++) {
        if (strncmp(cli->args[i], name, len) != 0 || (cli->args[i][len] != '\0' && cli->args[i][len] != '='))
            continue;
        *ret_joined = cli->args[i][len] == '=';
        return i;
    }
    return -1;
}

const char *cli_option(struct cli *cli, const char *name)
{
    bool joined = false;
    int at = find(cli, name, &joined);
    const char *value = NULL;

    if (at < 0)
        return NULL;
    if (joined) {
        value = cli->args[at] + strlen(name) + 1;
    } else {
        if (at + 1 >= cli->args_len)
            exit(cli_usage(cli, "%s needs a value", name));
        value = cli->args[at + 1];
    }
    take_out(cli, at, joined ? 1 : 2);
    return value;
}

bool cli_flag(struct cli *cli, const char *name)
{
    bool joined = false;
    int at = find(cli, name, &joined);

    if (at < 0)
        return false;
    if (joined)
        exit(cli_usage(cli, "%s takes no value", name));
    take_out(cli, at, 1);
    return true;
}

int64_t cli_option_number(struct cli *cli, const char *name, int64_t otherwise)
{
    bool joined = false;
    int at = find(cli, name, &joined);
    int64_t number = otherwise;

    if (at < 0)
        return -1;
    if (joined) {
        if (!cli_number(cli->args[at] + strlen(name) + 1, 0, INT32_MAX, &number))
            exit(cli_usage(cli, "%s: a whole number expected", name));
        take_out(cli, at, 1);
    } else {
        take_out(cli, at, at + 1 < cli->args_len && cli_number(cli->args[at + 1], 0, INT32_MAX, &number) ? 2 : 1);
    }
    return number;
}

static size_t add_names(const struct cli_flag *flags, const char **names, size_t n)
{
    for (; flags->name != NULL && n < FLAGS_MAX; flags++)
        names[n++] = flags->name;
    return n;
}

/* An option that no one has taken: unknown, given twice, or without a use. */
static int refuse(const struct cli *cli, const char *option)
{
    const char *names[FLAGS_MAX], *near = NULL;
    size_t own = add_names(cli->command->flags, names, 0), n = add_names(common, names, own), len = strcspn(option, "=");
    char name[72];

    (void)snprintf(name, sizeof name, "%.*s", (int)len, option);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(names[i], name) != 0)
            continue;
        if (i >= own && cli->command->plain && strcmp(name, "-o") != 0 && strcmp(name, "--output") != 0)
            return cli_usage(cli, "%s is of no use here: \"baton %s\" reads no configuration", name, cli->command->name);
        return cli_usage(cli, "%s is given twice", name);
    }
    near = nearest_name(name, names, n);
    if (near != NULL)
        return cli_usage(cli, "unknown option \"%s\"; did you mean \"%s\"?", option, near);
    return cli_usage(cli, "unknown option \"%s\"", option);
}

void cli_expect(struct cli *cli, int least, int most)
{
    for (int i = 0; i < cli->args_len; i++) {
        if (strcmp(cli->args[i], "--") == 0) {
            take_out(cli, i, 1);
            break;
        }
        if (cli->args[i][0] == '-' && cli->args[i][1] != '\0')
            exit(refuse(cli, cli->args[i]));
    }
    if (cli->args_len < least)
        exit(cli_usage(cli, "%s is missing", cli->command->arguments));
    if (cli->args_len > most)
        exit(cli_usage(cli, "\"%s\" is one argument too many", cli->args[most]));
}

/*
 * migrate_command.c -- `baton migrate`: running sagas of one version to another, as a job of the workers; or what would become of them.
 *
 * Tests:    tests/integration/test_migrate.py
 */
#include "cli.h"
#include <baton/apply.h>
#include <baton/filter.h>
#include <baton/json.h>
#include <baton/wire.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TIMEOUT_STANDARD_S 600
#define TIMEOUT_MAX_S 86400
#define LOOKED_AT_MAX 10000 /* sagas of one dry run */

struct migration {
    struct cli *cli;
    const char *who, *why, *where, *name;
    int64_t seconds, from, to;
    bool dry;
    struct setup setup;
};

/* Exits with usage if one is wrong. */
static void read_options(struct cli *cli, struct migration *migration)
{
    const char *seconds = cli_option(cli, "--timeout");

    *migration = (struct migration){.cli = cli, .who = cli_option(cli, "--who"), .why = cli_option(cli, "--why"), .where = cli_option(cli, "--where"),
                                    .dry = cli_flag(cli, "--dry-run"), .seconds = TIMEOUT_STANDARD_S};
    cli_expect(cli, 3, 3);
    migration->name = cli->args[0];
    if (!definition_name_valid(migration->name, strlen(migration->name)))
        exit(cli_usage(cli, "\"%s\" cannot be the name of a definition: a-z, 0-9 and '-' expected", migration->name));
    if (!cli_number(cli->args[1], 1, INT32_MAX, &migration->from) || !cli_number(cli->args[2], 1, INT32_MAX, &migration->to))
        exit(cli_usage(cli, "versions are whole numbers from 1: from \"%s\" to \"%s\"", cli->args[1], cli->args[2]));
    if (seconds != NULL && !cli_number(seconds, 1, TIMEOUT_MAX_S, &migration->seconds))
        exit(cli_usage(cli, "--timeout \"%s\": 1 to %d expected", seconds, TIMEOUT_MAX_S));
    verb_check_who(cli, migration->who, migration->why);
}

/* The whole filter: its own conditions, and what --where adds. */
static enum baton_err make_filter(const struct migration *migration, char out[FILTER_TEXT_MAX + 1], struct saga_filter *ret_filter, struct baton_error *err)
{
    struct baton_error why = {0};
    int len = snprintf(out, FILTER_TEXT_MAX + 1, "type=%s,version=%" PRId64 "%s%s", migration->name, migration->from, migration->where == NULL ? "" : ",",
                       migration->where == NULL ? "" : migration->where);

    if (len > FILTER_TEXT_MAX)
        return baton_fail(err, BATON_E_INVALID, "--where: at most %d bytes in all", FILTER_TEXT_MAX);
    if (saga_filter_parse(out, ret_filter, &why) != BATON_OK)
        return baton_fail(err, BATON_E_INVALID, "--where: %s", why.text);
    if (strcmp(ret_filter->type, migration->name) != 0 || ret_filter->version != migration->from)
        return baton_fail(err, BATON_E_INVALID, "--where: type and version are said already");
    return BATON_OK;
}

static enum baton_err compile(const struct migration *migration, int64_t version, struct expr_vm *vm, struct definition **ret_definition, struct baton_error *err)
{
    struct findings *findings = malloc(sizeof *findings);
    char *text = NULL, hash[65];
    int64_t found = 0;
    json_t *doc = NULL;
    enum baton_err rc = definition_store_get(migration->setup.store, migration->name, version, &text, &found, hash);

    if (rc != BATON_OK)
        rc = baton_fail(err, BATON_E_NOT_FOUND, "version %" PRId64 " of definition %s is not deployed (baton definitions)", version, migration->name);
    if (rc == BATON_OK)
        rc = json_parse(text, strlen(text), &json_default_limits, &doc, err);
    if (rc == BATON_OK)
        rc = findings == NULL ? BATON_E_NOMEM : definition_parse(doc, vm, findings, ret_definition);
    if (rc == BATON_OK)
        (void)strcpy((*ret_definition)->hash, hash);
    json_decref(doc);
    free(text);
    free(findings);
    return rc;
}

/* --- what would become of them --- */

static void add_row(json_t *rows, const struct saga *saga, const struct definition *to)
{
    char reason[256] = "";
    bool fine = saga_migratable(saga, to, reason, sizeof reason);

    (void)json_array_append_new(rows, json_pack("{s:s, s:s, s:I, s:s, s:s, s:s?}", "id", saga->id, "definition", to->name, "version", (json_int_t)saga->definition->version,
                                                "status", saga_status_name(saga->status), "outcome", fine ? "accepted" : "refused", "reason", fine ? NULL : reason));
}

static enum baton_err look_at(struct redis_reader *reader, int32_t partitions, const char *id, const struct saga_filter *filter, const struct definition *from,
                              const struct definition *to, json_t *rows, struct baton_error *err)
{
    struct timespec now;
    struct saga *saga = NULL;
    char *text = NULL;
    json_t *doc = NULL;
    enum baton_err rc = redis_reader_state(reader, wire_partition_of(id, strlen(id), partitions), id, &text, err);

    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (rc == BATON_E_NOT_FOUND)
        return BATON_OK; /* its retention has ended meanwhile */
    if (rc == BATON_OK)
        rc = json_parse(text, strlen(text), &wire_own_limits, &doc, err);
    if (rc == BATON_OK && json_integer_value(json_object_get(doc, "version")) == from->version)
        rc = wire_state_read(doc, from, &saga, err);
    if (saga != NULL && saga_filter_fits(filter, saga, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000))
        add_row(rows, saga, to);
    saga_free(saga);
    json_decref(doc);
    free(text);
    return rc;
}

static void print_row(const json_t *row)
{
    const char *reason = json_string_value(json_object_get(row, "reason"));

    (void)printf("%-9s %-13s %s%s%s\n", json_string_value(json_object_get(row, "outcome")), json_string_value(json_object_get(row, "status")),
                 json_string_value(json_object_get(row, "id")), reason == NULL ? "" : "  ", reason == NULL ? "" : reason);
}

static int tell(struct cli *cli, json_t *rows)
{
    size_t refused = 0, n = json_array_size(rows);

    for (size_t i = 0; i < n; i++)
        refused += !json_is_null(json_object_get(json_array_get(rows, i), "reason"));
    cli_print_rows(cli, rows, print_row);
    (void)fflush(stdout);
    (void)fprintf(stderr, "%zu sagas, of which %zu would be refused; nothing was asked of them\n", n, refused);
    return refused > 0 ? EXIT_CONFLICT : EXIT_OK;
}

static int dry_run(struct migration *migration, const struct saga_filter *filter, const struct definition *from, const struct definition *to)
{
    const int32_t partitions = config_topics(migration->cli->config)->partitions;
    struct redis_listed *listed = calloc(LOOKED_AT_MAX, sizeof *listed);
    struct redis_reader *reader = NULL;
    struct baton_error err = {0};
    json_t *rows = json_array();
    size_t n = 0;
    int code = EXIT_OK;
    enum baton_err rc = listed == NULL ? baton_fail(&err, BATON_E_NOMEM, "out of memory") : redis_reader_open(config_redis(migration->cli->config), &reader, &err);

    for (int status = 0; rc == BATON_OK && status < SAGA_STATUS_COUNT; status++) {
        if (!saga_filter_status(filter, (enum saga_status)status))
            continue;
        rc = redis_reader_list(reader, partitions, status, migration->name, migration->from, listed, LOOKED_AT_MAX, &n, &err);
        for (size_t i = 0; rc == BATON_OK && i < n; i++)
            rc = look_at(reader, partitions, listed[i].id, filter, from, to, rows, &err);
        if (n == LOOKED_AT_MAX)
            (void)fprintf(stderr, "only the %d last changed of the %s ones were looked at\n", LOOKED_AT_MAX, saga_status_name((enum saga_status)status));
    }
    redis_reader_close(reader);
    free(listed);
    code = rc == BATON_OK ? tell(migration->cli, json_incref(rows)) : cli_fail(&err);
    json_decref(rows);
    return code;
}

/* --- doing it --- */

static int begin(struct migration *migration, const char *filter)
{
    char me[VERB_WHO_MAX + 1];
    json_t *message = NULL;
    struct baton_error err = {0};
    int code = EXIT_OK;

    verb_whoami(me, sizeof me);
    message = json_pack("{s:s, s:s, s:s*, s:I}", "verb", "migrate", "who", migration->who != NULL ? migration->who : me, "why", migration->why, "version",
                        (json_int_t)migration->to);
    if (message == NULL) {
        (void)baton_fail(&err, BATON_E_INVALID, "--who and --why must be UTF-8");
        return cli_fail(&err);
    }
    code = verb_job(migration->cli, &(struct verb_job){filter, true, message, migration->seconds});
    json_decref(message);
    return code;
}

int command_migrate(struct cli *cli)
{
    struct migration migration;
    struct saga_filter filter;
    struct expr_vm *vm = expr_vm_new();
    struct definition *from = NULL, *to = NULL;
    struct baton_error err = {0};
    char text[FILTER_TEXT_MAX + 1];
    size_t created = 0;
    int code = EXIT_OK;
    enum baton_err rc = BATON_OK;

    read_options(cli, &migration);
    rc = vm == NULL ? baton_fail(&err, BATON_E_NOMEM, "out of memory") : make_filter(&migration, text, &filter, &err);
    if (rc == BATON_OK)
        rc = setup_run(cli, false, &created, &migration.setup, &err);
    if (rc == BATON_OK)
        rc = compile(&migration, migration.from, vm, &from, &err);
    if (rc == BATON_OK)
        rc = compile(&migration, migration.to, vm, &to, &err);
    if (rc != BATON_OK)
        code = cli_fail(&err);
    else
        code = migration.dry ? dry_run(&migration, &filter, from, to) : begin(&migration, text);
    definition_free(from);
    definition_free(to);
    expr_vm_free(vm);
    setup_clear(&migration.setup);
    return code;
}

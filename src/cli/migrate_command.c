/*
 * migrate_command.c -- `baton migrate`: running sagas of one version to another, as a job of the workers; or what would become of them.
 *
 * Tests:    tests/integration/test_migrate.py
 */
#include "cli.h"
#include <baton/filter.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_STANDARD_S 600
#define TIMEOUT_MAX_S 86400

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
static enum baton_err make_filter(const struct migration *migration, char out[FILTER_TEXT_MAX + 1], struct baton_error *err)
{
    struct saga_filter filter;
    struct baton_error why = {0};
    int len = snprintf(out, FILTER_TEXT_MAX + 1, "type=%s,version=%" PRId64 "%s%s", migration->name, migration->from, migration->where == NULL ? "" : ",",
                       migration->where == NULL ? "" : migration->where);

    if (len > FILTER_TEXT_MAX)
        return baton_fail(err, BATON_E_INVALID, "--where: at most %d bytes in all", FILTER_TEXT_MAX);
    if (saga_filter_parse(out, &filter, &why) != BATON_OK)
        return baton_fail(err, BATON_E_INVALID, "--where: %s", why.text);
    if (strcmp(filter.type, migration->name) != 0 || filter.version != migration->from)
        return baton_fail(err, BATON_E_INVALID, "--where: type and version are said already");
    return BATON_OK;
}

static enum baton_err is_deployed(const struct migration *migration, int64_t version, struct baton_error *err)
{
    char *text = NULL, hash[65];
    int64_t found = 0;
    enum baton_err rc = definition_store_get(migration->setup.store, migration->name, version, &text, &found, hash);

    free(text);
    return rc == BATON_OK ? rc : baton_fail(err, BATON_E_NOT_FOUND, "version %" PRId64 " of definition %s is not deployed (baton definitions)", version, migration->name);
}

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
    code = verb_job(migration->cli, &(struct verb_job){filter, !migration->dry, message, migration->seconds});
    json_decref(message);
    return code;
}

int command_migrate(struct cli *cli)
{
    struct migration migration;
    struct baton_error err = {0};
    char filter[FILTER_TEXT_MAX + 1];
    size_t created = 0;
    int code = EXIT_OK;
    enum baton_err rc = BATON_OK;

    read_options(cli, &migration);
    rc = make_filter(&migration, filter, &err);
    if (rc == BATON_OK)
        rc = setup_run(cli, false, &created, &migration.setup, &err);
    if (rc == BATON_OK)
        rc = is_deployed(&migration, migration.from, &err);
    if (rc == BATON_OK)
        rc = is_deployed(&migration, migration.to, &err);
    code = rc == BATON_OK ? begin(&migration, filter) : cli_fail(&err);
    setup_clear(&migration.setup);
    return code;
}

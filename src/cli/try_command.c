/*
 * try_command.c -- `baton try`: the unit test of a saga's author.
 *
 * Owns:     its options, and what its exit code tells.
 * Tests:    tests/cli/test_try.py; tests/cli/test_examples.py holds the transcripts of examples/try against it
 */
#include "try.h"
#include <baton/json.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define ID_STANDARD "try"

struct trial {
    const char *id, *input, *replies_path;
    bool random;
    int64_t seed;
    struct checked *file, *replies_file;
    struct expr_vm *vm;
    struct definition *definition;
    struct replies *replies;
    json_t *report;
    enum saga_status status;
};

static int read_options(struct cli *cli, struct trial *trial)
{
    const char *seed = cli_option(cli, "--seed");

    trial->id = cli_option(cli, "--id");
    trial->input = cli_option(cli, "--input");
    trial->replies_path = cli_option(cli, "--replies");
    trial->random = cli_flag(cli, "--random");
    cli_expect(cli, 1, 1);
    if (trial->id == NULL)
        trial->id = ID_STANDARD;
    if (!saga_id_valid(trial->id, strlen(trial->id)))
        return cli_usage(cli, "--id \"%s\": 1 to %d of A-Za-z0-9._:- expected", trial->id, SAGA_ID_MAX);
    if (seed != NULL && !trial->random)
        return cli_usage(cli, "--seed is of use with --random only");
    if (seed != NULL && !cli_number(seed, 0, INT64_MAX, &trial->seed))
        return cli_usage(cli, "--seed \"%s\": a whole number expected", seed);
    if (seed == NULL && trial->random) {
        uint32_t drawn = 0;

        if (getrandom(&drawn, sizeof drawn, 0) == (ssize_t)sizeof drawn)
            trial->seed = drawn;
    }
    return EXIT_OK;
}

/* The definition, compiled; its findings are shown either way. */
static enum baton_err read_definition(struct trial *trial, const char *path, struct baton_error *err)
{
    struct findings *findings = NULL;
    enum baton_err rc = BATON_E_NOMEM;

    trial->file = checked_file(path);
    if (trial->file == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory");
    checked_show(trial->file);
    if (checked_document(trial->file) == NULL)
        return baton_fail(err, BATON_E_INVALID, "%s is not valid", path);
    trial->vm = expr_vm_new();
    findings = malloc(sizeof *findings);
    if (trial->vm != NULL && findings != NULL)
        rc = definition_parse(checked_document(trial->file), trial->vm, findings, &trial->definition);
    free(findings);
    return rc == BATON_OK ? BATON_OK : baton_fail(err, BATON_E_NOMEM, "out of memory");
}

static enum baton_err read_replies(struct trial *trial, struct baton_error *err)
{
    trial->replies = replies_read(trial->replies_path, trial->definition, &trial->replies_file);
    if (trial->replies != NULL) {
        if (trial->random)
            replies_randomize(trial->replies, (uint64_t)trial->seed);
        return BATON_OK;
    }
    if (trial->replies_file == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory");
    checked_show(trial->replies_file);
    return baton_fail(err, BATON_E_INVALID, "%s is not valid", trial->replies_path);
}

static void tell(const struct cli *cli, const struct trial *trial)
{
    if (trial->random)
        (void)json_object_set_new(trial->report, "seed", json_integer(trial->seed));
    if (cli->output == OUTPUT_JSON)
        cli_print_json(trial->report);
    else if (cli->output == OUTPUT_JSONL)
        cli_print_rows(cli, json_incref(json_object_get(trial->report, "timeline")), NULL);
    else
        try_print(trial->report, cli_colored(STDOUT_FILENO));
    (void)fflush(stdout); /* the talk comes after it, also where both go to one file */
    if (trial->random)
        (void)fprintf(stderr, "seed %" PRId64 "\n", trial->seed);
    if (trial->replies_file != NULL) {
        replies_tell_unused(trial->replies, trial->replies_file);
        checked_show(trial->replies_file);
    }
}

static int outcome(enum saga_status status)
{
    switch (status) {
    case SAGA_COMPLETED: return EXIT_OK;
    case SAGA_COMPENSATED: return EXIT_COMPENSATED;
    case SAGA_PARKED: return EXIT_PARKED;
    case SAGA_CANCELLED:
    case SAGA_TERMINATED: return EXIT_CANCELLED;
    case SAGA_RUNNING:
    case SAGA_COMPENSATING:
    case SAGA_STATUS_COUNT: break;
    }
    return EXIT_UNEXPECTED;
}

int command_try(struct cli *cli)
{
    struct trial trial = {.status = SAGA_RUNNING};
    struct try_run run = {0};
    struct baton_error err = {0}, why = {0};
    int code = read_options(cli, &trial);
    enum baton_err rc = BATON_OK;

    if (code != EXIT_OK)
        return code;
    rc = input_read(trial.input, NULL, NULL, &run.input, &err);
    if (rc == BATON_OK)
        rc = read_definition(&trial, cli->args[0], &err);
    if (rc == BATON_OK && trial.definition->input_schema != NULL && schema_check(trial.definition->input_schema, run.input, &why) != BATON_OK)
        rc = baton_fail(&err, why.code, "--input is not as the definition's schema demands: %s", why.text);
    if (rc == BATON_OK)
        rc = read_replies(&trial, &err);
    if (rc == BATON_OK) {
        run.definition = trial.definition;
        run.id = trial.id;
        run.replies = trial.replies;
        rc = try_run(&run, &trial.report, &trial.status, &err);
    }
    if (trial.report != NULL && masked(trial.definition, run.input, trial.report, &why) != BATON_OK)
        rc = baton_fail(&err, why.code, "%s", why.text);
    else if (trial.report != NULL)
        tell(cli, &trial);
    code = rc == BATON_OK ? outcome(trial.status) : cli_fail(&err);
    json_decref(trial.report);
    json_decref(run.input);
    replies_free(trial.replies);
    definition_free(trial.definition);
    expr_vm_free(trial.vm);
    checked_free(trial.replies_file);
    checked_free(trial.file);
    return code;
}

/*
 * verb_command.c -- what an operator asks of a saga; of all that a filter names: verb_job.c.
 *
 * Owns:     the control message of each verb; what an answer means for a shell.
 * Tests:    tests/cli/test_commands.py, tests/integration/test_verbs.py
 */
#include "cli.h"
#include <baton/json.h>
#include <baton/wire.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_STANDARD_S 10
#define TIMEOUT_MAX_S 3600
#define SIGNAL "signal"
#define TIMEOUT_WHERE_S 600

struct asking {
    struct cli *cli;
    const char *who, *why, *where, *value;
    bool yes;
    int64_t seconds;
    struct control *control;
    json_t *message;
};

/* --- the message --- */

/* The option that carries a value, of the verbs that have one. */
static const char *value_option(const char *verb)
{
    static const struct { const char *verb, *option; } options[] = {
        {SIGNAL, "--data"}, {"retry", "--input"}, {"skip", "--output"}, {"complete", "--output"}};

    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (strcmp(options[i].verb, verb) == 0)
            return options[i].option;
    }
    return NULL;
}

/* In the message it is called the same. */
static const char *value_member(const char *verb)
{
    const char *option = value_option(verb);

    return option == NULL ? "" : option + strlen("--");
}

void verb_whoami(char *out, size_t size)
{
    const struct passwd *user = getpwuid(geteuid());
    char host[64] = "";

    (void)gethostname(host, sizeof host - 1);
    if (user != NULL)
        (void)snprintf(out, size, "%s@%s", user->pw_name, host);
    else
        (void)snprintf(out, size, "uid %ld@%s", (long)geteuid(), host);
}

static enum baton_err read_json(const char *given, const char *option, json_t **ret_value, struct baton_error *err)
{
    struct baton_error why = {0};
    char *text = NULL;
    size_t len = strlen(given);
    enum baton_err rc = BATON_OK;

    if (given[0] == '@' || strcmp(given, "-") == 0)
        rc = file_read(given[0] == '@' ? given + 1 : given, JSON_BYTES_MAX, &text, &len, err);
    if (rc == BATON_OK)
        rc = json_parse(text != NULL ? text : given, len, &json_default_limits, ret_value, &why);
    if (why.code != BATON_OK)
        rc = baton_fail(err, rc, "%s: %s", option, why.text);
    free(text);
    return rc;
}

/* step: of a signal, its name. */
static enum baton_err make_message(struct asking *asking, const char *step, struct baton_error *err)
{
    const char *name = asking->cli->command->name, *member = value_member(name);
    json_t *value = NULL;
    char me[VERB_WHO_MAX + 1];
    enum baton_err rc = BATON_OK;

    verb_whoami(me, sizeof me);
    if (asking->value != NULL)
        rc = read_json(asking->value, value_option(name), &value, err);
    if (rc != BATON_OK)
        return rc;
    asking->message = json_pack("{s:s, s:s, s:s*, s:s*, s:o*}", "verb", name, "who", asking->who != NULL ? asking->who : me, "why",
                                asking->why, strcmp(name, SIGNAL) == 0 ? "name" : "step", step, member, value);
    if (asking->message == NULL)
        return baton_fail(err, BATON_E_INVALID, "--who, --why and names must be UTF-8");
    return BATON_OK;
}

/* --- the answer --- */

static void print_answer(const json_t *answer)
{
    (void)printf("%s  %s %s", cli_text_at(answer, "id"), cli_text_at(answer, "verb"), cli_text_at(answer, "outcome"));
    if (json_is_integer(json_object_get(answer, "seq")))
        (void)printf("  %s  (seq %" JSON_INTEGER_FORMAT ")", cli_text_at(answer, "status"), json_integer_value(json_object_get(answer, "seq")));
    if (json_is_string(json_object_get(answer, "reason")))
        (void)printf("  %s", cli_text_at(answer, "reason"));
    (void)putchar('\n');
}

static int code_of(const json_t *answer)
{
    const char *outcome = cli_text_at(answer, "outcome");

    if (strcmp(outcome, "accepted") == 0)
        return EXIT_OK;
    return strcmp(outcome, "refused") == 0 ? EXIT_CONFLICT : EXIT_MISSING;
}

static int fail(const struct baton_error *err)
{
    int code = cli_fail(err);

    return err->code == BATON_E_STALE ? EXIT_TIMED_OUT : code;
}

static int ask(struct asking *asking, const char *id)
{
    struct control_question question = {.answer = NULL};
    struct baton_error err = {0};
    int code = EXIT_OK;

    (void)strcpy(question.id, id);
    if (control_ask(asking->control, &question, 1, asking->message, asking->seconds, &err) != BATON_OK)
        return fail(&err);
    code = code_of(question.answer);
    if (asking->cli->output != OUTPUT_TEXT)
        cli_print_json(question.answer);
    else if (code == EXIT_OK)
        print_answer(question.answer);
    else
        (void)fprintf(stderr, "error: %s is %s: %s\n", cli_text_at(question.answer, "verb"), code == EXIT_CONFLICT ? "refused" : "of no use",
                      cli_text_at(question.answer, "reason"));
    json_decref(question.answer);
    return code;
}

/* --- the command --- */

static int by_id(struct asking *asking, const char *id)
{
    struct baton_error err = {0};

    if (!saga_id_valid(id, strlen(id))) {
        (void)baton_fail(&err, BATON_E_INVALID, "\"%s\" is not a saga id: 1 to %d of A-Za-z0-9._:-", id, SAGA_ID_MAX);
        return cli_fail(&err);
    }
    if (control_open(asking->cli, &asking->control, &err) != BATON_OK)
        return cli_fail(&err);
    return ask(asking, id);
}

void verb_check_who(struct cli *cli, const char *who, const char *why)
{
    if (why != NULL && strlen(why) > VERB_WHY_MAX)
        exit(cli_usage(cli, "--why: at most %d bytes", VERB_WHY_MAX));
    if (who != NULL && (who[0] == '\0' || strlen(who) > VERB_WHO_MAX))
        exit(cli_usage(cli, "--who: 1 to %d bytes expected", VERB_WHO_MAX));
}

/* Exits with usage if one is wrong. */
static void read_options(struct cli *cli, struct asking *asking)
{
    const char *seconds = cli_option(cli, "--timeout");

    *asking = (struct asking){.cli = cli, .who = cli_option(cli, "--who"), .seconds = TIMEOUT_STANDARD_S};
    if (strcmp(cli->command->name, SIGNAL) != 0) {
        asking->why = cli_option(cli, "--why");
        asking->where = cli_option(cli, "--where");
        asking->yes = cli_flag(cli, "--yes");
    }
    if (value_option(cli->command->name) != NULL)
        asking->value = cli_option(cli, value_option(cli->command->name));
    if (asking->where != NULL)
        asking->seconds = TIMEOUT_WHERE_S;
    if (seconds != NULL && !cli_number(seconds, 1, TIMEOUT_MAX_S, &asking->seconds))
        exit(cli_usage(cli, "--timeout \"%s\": 1 to %d expected", seconds, TIMEOUT_MAX_S));
    verb_check_who(cli, asking->who, asking->why);
    if (asking->yes && asking->where == NULL)
        exit(cli_usage(cli, "--yes goes with --where"));
}

int command_verb(struct cli *cli)
{
    const char *name = cli->command->name, *step = NULL;
    bool retry = strcmp(name, "retry") == 0;
    struct baton_error err = {0};
    struct asking asking;
    int ids = 1, steps = 0, code = EXIT_OK;

    read_options(cli, &asking);
    ids = asking.where == NULL ? 1 : 0;
    steps = value_option(name) != NULL && !retry ? 1 : 0;
    cli_expect(cli, ids + steps, ids + (retry ? 1 : steps));
    if (strcmp(name, "complete") == 0 && asking.value == NULL)
        return cli_usage(cli, "--output is missing: what the step would have given; null if nothing");
    step = cli->args_len > ids ? cli->args[ids] : NULL;
    if (make_message(&asking, step, &err) != BATON_OK)
        code = cli_fail(&err);
    else
        code = asking.where != NULL ? verb_job(cli, &(struct verb_job){asking.where, asking.yes, asking.message, asking.seconds})
                                    : by_id(&asking, cli->args[0]);
    control_close(asking.control);
    json_decref(asking.message);
    return code;
}

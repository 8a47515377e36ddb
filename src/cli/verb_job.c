/*
 * verb_job.c -- a verb for all sagas that a filter names: one job for each partition, its answers added up.
 *
 * Rule:     the workers do it, page by page; whoever ends this process ends nothing.
 * Tests:    tests/integration/test_verbs.py
 */
#include "cli.h"
#include <baton/filter.h>
#include <baton/wire.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* A name of the job that lies on partition p. */
static void name_job(char out[CONTROL_ID_MAX + 1], uint64_t random, int32_t p, int32_t partitions)
{
    int n = 0;

    do {
        (void)snprintf(out, CONTROL_ID_MAX + 1, "job:%016" PRIx64 ":%d", random, n++);
    } while (wire_partition_of(out, strlen(out), partitions) != p);
}

static int64_t sum(const struct control_question *questions, int32_t n, const char *name)
{
    int64_t sum = 0;

    for (int32_t i = 0; i < n; i++)
        sum += json_integer_value(json_object_get(questions[i].answer, name));
    return sum;
}

/* How often each reason was given, the most frequent first. */
static json_t *reasons_of(const struct control_question *questions, int32_t n)
{
    json_t *all = json_object(), *ordered = json_object(), *count = NULL;
    const char *reason = NULL;

    for (int32_t i = 0; i < n; i++) {
        json_object_foreach(json_object_get(questions[i].answer, "reasons"), reason, count)
            (void)json_object_set_new(all, reason, json_integer(json_integer_value(json_object_get(all, reason)) + json_integer_value(count)));
    }
    while (json_object_size(all) > 0) {
        const char *most = NULL;

        json_object_foreach(all, reason, count) {
            if (most == NULL || json_integer_value(count) > json_integer_value(json_object_get(all, most)))
                most = reason;
        }
        (void)json_object_set(ordered, most, json_object_get(all, most));
        (void)json_object_del(all, most);
    }
    json_decref(all);
    return ordered;
}

static json_t *add_up(const struct control_question *questions, int32_t n)
{
    json_t *sagas = json_array(), *doc = NULL;
    bool complete = true;

    for (int32_t i = 0; i < n; i++) {
        (void)json_array_extend(sagas, json_object_get(questions[i].answer, "sagas"));
        complete = complete && json_is_true(json_object_get(questions[i].answer, "complete"));
    }
    doc = json_copy(questions[0].answer);
    (void)json_object_del(doc, "id");
    (void)json_object_set_new(doc, "found", json_integer(sum(questions, n, "found")));
    (void)json_object_set_new(doc, "accepted", json_integer(sum(questions, n, "accepted")));
    (void)json_object_set_new(doc, "refused", json_integer(sum(questions, n, "refused")));
    (void)json_object_set_new(doc, "reasons", reasons_of(questions, n));
    (void)json_object_set_new(doc, "complete", json_boolean(complete));
    (void)json_object_set_new(doc, "sagas", sagas);
    return doc;
}

static void print_text(const json_t *doc)
{
    const json_t *row = NULL;
    size_t i = 0;

    json_array_foreach(json_object_get(doc, "sagas"), i, row)
        (void)printf("%-9s %-13s %-20s %s  %s\n", cli_text_at(row, "outcome"), cli_text_at(row, "status"), cli_text_at(row, "definition"), cli_text_at(row, "id"),
                     cli_text_at(row, "reason"));
}

static int tell(struct cli *cli, const json_t *doc)
{
    bool preview = json_is_true(json_object_get(doc, "preview"));
    int64_t found = json_integer_value(json_object_get(doc, "found")), refused = json_integer_value(json_object_get(doc, "refused"));
    int64_t shown = (int64_t)json_array_size(json_object_get(doc, "sagas"));
    const char *reason = NULL;
    json_t *count = NULL;

    if (cli->output == OUTPUT_TEXT)
        print_text(doc);
    else
        cli_print_json(doc);
    if (shown < found)
        (void)fprintf(stderr, "... and %" PRId64 " more\n", found - shown);
    if (preview)
        (void)fprintf(stderr, "%" PRId64 " sagas, of which %" PRId64 " would be refused; nothing was asked of them\n", found, refused);
    else
        (void)fprintf(stderr, "%" PRId64 " sagas asked, %" PRId64 " refused\n", found, refused);
    json_object_foreach(json_object_get(doc, "reasons"), reason, count)
        (void)fprintf(stderr, "%7" JSON_INTEGER_FORMAT "  %s\n", json_integer_value(count), reason);
    if (!json_is_true(json_object_get(doc, "complete")))
        (void)fprintf(stderr, "sagas kept changing ahead of the job: some may be missed, ask again\n");
    return refused > 0 ? EXIT_CONFLICT : EXIT_OK;
}

int verb_job(struct cli *cli, const struct verb_job *job)
{
    struct saga_filter filter;
    struct control *control = NULL;
    struct control_question *questions = NULL;
    struct baton_error err = {0}, why = {0};
    uint64_t random = 0;
    int32_t partitions = 0;
    json_t *doc = NULL;
    int code = EXIT_OK;
    enum baton_err rc = saga_filter_parse(job->where, &filter, &why);

    if (rc != BATON_OK)
        (void)baton_fail(&err, rc, "--where: %s", why.text);
    if (rc == BATON_OK)
        rc = control_open(cli, &control, &err);
    if (rc != BATON_OK)
        return cli_fail(&err);
    partitions = control_partitions(control);
    questions = calloc((size_t)partitions, sizeof *questions);
    if (questions == NULL || getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random) {
        rc = baton_fail(&err, BATON_E_NOMEM, "out of memory");
        goto out;
    }
    for (int32_t p = 0; p < partitions; p++)
        name_job(questions[p].id, random, p, partitions);
    (void)json_object_set_new(job->message, "where", json_string(job->where));
    (void)json_object_set_new(job->message, "preview", json_boolean(!job->yes));
    rc = control_ask(control, questions, (size_t)partitions, job->message, job->seconds, &err);
out:
    if (rc == BATON_OK) {
        doc = add_up(questions, partitions);
        code = tell(cli, doc);
    } else {
        code = err.code == BATON_E_STALE ? EXIT_TIMED_OUT : cli_fail(&err);
        if (code == EXIT_TIMED_OUT)
            (void)fprintf(stderr, "error: not done within %" PRId64 " s: the workers go on with job:%016" PRIx64 "; their logs say how far they got\n",
                          job->seconds, random);
    }
    json_decref(doc);
    for (int32_t p = 0; questions != NULL && p < partitions; p++)
        json_decref(questions[p].answer);
    free(questions);
    control_close(control);
    return code;
}

/*
 * saga_command.c -- start a saga; see where it is, what happened, which there are.
 *
 * Owns:     the text form of a saga. Reads Redis, the view: what it shows may be `engine.viewLag` old.
 */
#include "cli.h"
#include <baton/json.h>
#include <baton/wire.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define WAIT_STANDARD_S 30
#define POLL_NS 20000000
#define LIST_STANDARD 20
#define LIST_MAX 10000

static enum baton_err read_state(struct redis_reader *reader, int32_t partitions, const char *id, json_t **ret_doc,
                                 struct baton_error *err)
{
    char *text = NULL;
    int32_t partition = wire_partition_of(id, strlen(id), partitions);
    enum baton_err rc = redis_reader_state(reader, partition, id, &text, err);

    if (rc == BATON_OK)
        rc = json_parse(text, strlen(text), &wire_own_limits, ret_doc, err);
    free(text);
    return rc;
}

enum baton_err saga_find(struct cli *cli, const char *id, json_t **ret_doc, struct baton_error *err)
{
    struct redis_reader *reader = NULL;
    int32_t partitions = 0;
    enum baton_err rc = BATON_OK;

    if (!saga_id_valid(id, strlen(id)))
        return baton_fail(err, BATON_E_INVALID, "\"%s\" is not a saga id: 1 to %d of A-Za-z0-9._:-", id, SAGA_ID_MAX);
    rc = setup_partitions(cli, &partitions, err);
    if (rc == BATON_OK)
        rc = redis_reader_open(config_redis(cli->config), &reader, err);
    if (rc == BATON_OK)
        rc = read_state(reader, partitions, id, ret_doc, err);
    redis_reader_close(reader);
    return rc;
}

static void print_member(const json_t *doc, const char *name, const char *label)
{
    struct buffer text = {0};
    json_t *value = json_object_get(doc, name);

    if (value == NULL || json_is_null(value))
        return;
    json_write(&text, value);
    if (!text.failed)
        (void)printf("%s%.*s\n", label, (int)text.len, text.data);
    buffer_free(&text);
}

/* Of a verb: " by ann: the customer called". */
static void print_by(const json_t *row)
{
    const char *who = json_string_value(json_object_get(row, "who")), *why = json_string_value(json_object_get(row, "why"));

    if (who != NULL)
        (void)printf("  by %s%s%s", who, why == NULL ? "" : ": ", why == NULL ? "" : why);
}

/* What an operator did last. */
static void print_last_verb(const json_t *doc)
{
    const json_t *history = json_object_get(doc, "history");

    for (size_t i = json_array_size(history); i > 0; i--) {
        const json_t *entry = json_array_get(history, i - 1), *by = json_array_get(entry, 4);

        if (by == NULL)
            continue;
        (void)printf("  %s", json_string_value(json_array_get(entry, 1)));
        if (json_is_string(json_array_get(entry, 2)))
            (void)printf(" %s", json_string_value(json_array_get(entry, 2)));
        print_by(by);
        (void)putchar('\n');
        return;
    }
}

static void print_saga(const json_t *doc)
{
    struct iterations *iterations = iterations_new(json_object_get(doc, "steps"));
    const char *name = NULL;
    json_t *step = NULL;

    (void)printf("%s  %s version %" JSON_INTEGER_FORMAT "  %s  (seq %" JSON_INTEGER_FORMAT ")\n", cli_text_at(doc, "id"), cli_text_at(doc, "definition"),
                 json_integer_value(json_object_get(doc, "version")), cli_text_at(doc, "status"), json_integer_value(json_object_get(doc, "seq")));
    if (json_is_object(json_object_get(doc, "parked")))
        (void)printf("  parked: %s\n", cli_text_at(json_object_get(doc, "parked"), "reason"));
    if (json_is_object(json_object_get(doc, "parent")))
        (void)printf("  child of %s, step %s\n", cli_text_at(json_object_get(doc, "parent"), "saga"), cli_text_at(json_object_get(doc, "parent"), "step"));
    print_last_verb(doc);
    print_member(doc, "error", "  error:  ");
    json_object_foreach(json_object_get(doc, "steps"), name, step) {
        if (!iterations_show(iterations, name, step))
            continue;
        (void)printf("  %-20s %-22s attempts %" JSON_INTEGER_FORMAT, name, cli_text_at(step, "status"), json_integer_value(json_object_get(step, "attempts")));
        if (json_object_get(step, "heldSince") != NULL)
            (void)printf("  held back");
        if (json_object_get(step, "fallback") != NULL)
            (void)printf("  fallback: %s", cli_text_at(step, "fallback"));
        if (json_object_get(step, "count") != NULL)
            (void)printf("  %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " iterations", json_integer_value(json_object_get(step, "finished")),
                         json_integer_value(json_object_get(step, "count")));
        (void)putchar('\n');
        if (json_object_get(step, "child") != NULL)
            (void)printf("                       child %s\n", cli_text_at(step, "child"));
        print_member(step, "error", "                       ");
    }
    print_member(doc, "output", "  output: ");
    iterations_free(iterations);
}

/* Members that a state leaves out when they are 0 or null, put back: a reader finds the same ones for every step. */
static void fill_steps(json_t *doc)
{
    static const char *const nullable[] = {"output", "error"};
    const char *name = NULL;
    json_t *step = NULL;

    json_object_foreach(json_object_get(doc, "steps"), name, step) {
        if (json_object_get(step, "attempts") == NULL)
            (void)json_object_set_new(step, "attempts", json_integer(0));
        for (size_t i = 0; i < sizeof nullable / sizeof *nullable; i++) {
            if (json_object_get(step, nullable[i]) == NULL)
                (void)json_object_set_new(step, nullable[i], json_null());
        }
    }
}

static void show_saga(struct cli *cli, json_t *doc)
{
    masked_saga(cli, doc);
    if (cli->output == OUTPUT_TEXT) {
        print_saga(doc);
    } else {
        fill_steps(doc);
        cli_print_json(doc);
    }
}

int command_status(struct cli *cli)
{
    struct baton_error err = {0};
    json_t *doc = NULL;

    cli_expect(cli, 1, 1);
    if (saga_find(cli, cli->args[0], &doc, &err) != BATON_OK)
        return cli_fail(&err);
    show_saga(cli, doc);
    json_decref(doc);
    return EXIT_OK;
}

static void print_entry(const json_t *row)
{
    json_int_t attempt = json_integer_value(json_object_get(row, "attempt"));
    const char *step = json_string_value(json_object_get(row, "step"));

    (void)printf("%s  %+9" JSON_INTEGER_FORMAT " ms  %s", cli_text_at(row, "at"), json_integer_value(json_object_get(row, "afterMs")),
                 cli_text_at(row, "what"));
    if (step != NULL)
        (void)printf("  %s", step);
    if (attempt > 0)
        (void)printf(" #%" JSON_INTEGER_FORMAT, attempt);
    if (json_object_get(row, "fallback") != NULL)
        (void)printf(": %s", cli_text_at(row, "fallback"));
    print_by(row);
    (void)putchar('\n');
}

int command_history(struct cli *cli)
{
    struct baton_error err = {0};
    json_t *doc = NULL, *entry = NULL, *rows = NULL;
    size_t i = 0;

    cli_expect(cli, 1, 1);
    if (saga_find(cli, cli->args[0], &doc, &err) != BATON_OK)
        return cli_fail(&err);
    masked_saga(cli, doc);
    if (json_integer_value(json_object_get(doc, "historyDropped")) > 0)
        (void)fprintf(stderr, "the first %" JSON_INTEGER_FORMAT " entries are in the journal only\n",
                      json_integer_value(json_object_get(doc, "historyDropped")));
    rows = json_array();
    json_array_foreach(json_object_get(doc, "history"), i, entry) { /* [ms since the start, what, step or null, attempt or 0] */
        json_int_t after = json_integer_value(json_array_get(entry, 0));
        char at[32];

        (void)wire_time_text(at, json_integer_value(json_object_get(doc, "startedAt")) + after);
        json_t *row = json_pack("{s:s, s:I, s:O, s:O, s:O}", "at", at, "afterMs", after, "what", json_array_get(entry, 1), "step",
                                json_array_get(entry, 2), "attempt", json_array_get(entry, 3));
        (void)json_object_update(row, json_array_get(entry, 4)); /* a verb's who and why */
        if (strcmp(cli_text_at(row, "what"), "fallback") == 0)
            (void)json_object_set(row, "fallback", json_object_get(json_object_get(json_object_get(doc, "steps"), cli_text_at(row, "step")), "fallback"));
        (void)json_array_append_new(rows, row);
    }
    cli_print_rows(cli, rows, print_entry);
    json_decref(doc);
    return EXIT_OK;
}

static void print_listed(const json_t *row)
{
    (void)printf("%s  %-13s %-20s %4" JSON_INTEGER_FORMAT "  %s\n", cli_text_at(row, "updatedAt"), cli_text_at(row, "status"), cli_text_at(row, "definition"),
                 json_integer_value(json_object_get(row, "version")), cli_text_at(row, "id"));
}

int command_list(struct cli *cli)
{
    const char *status_text = cli_option(cli, "--status"), *type = cli_option(cli, "--type"), *limit_text = cli_option(cli, "--limit"), *version_text = cli_option(cli, "--version");
    int64_t limit = LIST_STANDARD, version = 0;
    struct redis_reader *reader = NULL;
    struct redis_listed *listed = NULL;
    struct baton_error err = {0};
    enum saga_status status = SAGA_RUNNING;
    int32_t partitions = 0;
    size_t n = 0;
    json_t *rows = NULL;
    int code = EXIT_OK;
    enum baton_err rc = BATON_OK;

    cli_expect(cli, 0, 0);
    if (status_text != NULL && !saga_status_parse(status_text, &status))
        return cli_usage(cli, "--status \"%s\": running, compensating, completed, compensated, parked, cancelled or terminated expected",
                         status_text);
    if (limit_text != NULL && !cli_number(limit_text, 1, LIST_MAX, &limit))
        return cli_usage(cli, "--limit \"%s\": 1 to %d expected", limit_text, LIST_MAX);
    if (version_text != NULL && !cli_number(version_text, 1, INT32_MAX, &version))
        return cli_usage(cli, "--version \"%s\": a whole number from 1 expected", version_text);
    if (type != NULL && !definition_name_valid(type, strlen(type)))
        return cli_usage(cli, "--type \"%s\" cannot be the name of a definition", type);
    listed = calloc((size_t)limit, sizeof *listed);
    rc = listed == NULL ? baton_fail(&err, BATON_E_NOMEM, "out of memory") : setup_partitions(cli, &partitions, &err);
    if (rc == BATON_OK)
        rc = redis_reader_open(config_redis(cli->config), &reader, &err);
    if (rc == BATON_OK)
        rc = redis_reader_list(reader, partitions, status_text != NULL ? (int)status : -1, type, version, listed, (size_t)limit, &n, &err);
    if (rc != BATON_OK) {
        code = cli_fail(&err);
        goto out;
    }
    rows = json_array();
    for (size_t i = 0; i < n; i++) {
        char when[32];

        (void)wire_time_text(when, listed[i].updated_ms);
        (void)json_array_append_new(rows, json_pack("{s:s, s:s, s:I, s:s, s:s}", "id", listed[i].id, "definition", listed[i].type, "version", (json_int_t)listed[i].version, "status",
                                                    saga_status_name(listed[i].status), "updatedAt", when));
    }
    cli_print_rows(cli, rows, print_listed);
out:
    free(listed);
    redis_reader_close(reader);
    return code;
}

/* --- start --- */

static const struct bus_input *start_topic(const struct config_topics *topics, const char *type)
{
    const struct bus_input *open = NULL;

    for (size_t i = 0; i < topics->inputs_len; i++) {
        const struct bus_input *input = &topics->inputs[i];

        if (input->kind != INPUT_START)
            continue;
        if (input->binding != NULL && strcmp(input->binding, type) == 0)
            return input;
        if (open == NULL || (open->binding != NULL && input->binding == NULL))
            open = input;
    }
    return open;
}

struct waiting {
    struct redis_reader *reader;
    int32_t partitions;
};

/* Before anything is sent: can the end be seen at all? */
static enum baton_err waiting_begin(struct cli *cli, const char *id, struct waiting *waiting, struct baton_error *err)
{
    json_t *doc = NULL;
    enum baton_err rc = setup_partitions(cli, &waiting->partitions, err);

    if (rc == BATON_OK)
        rc = redis_reader_open(config_redis(cli->config), &waiting->reader, err);
    if (rc == BATON_OK)
        rc = read_state(waiting->reader, waiting->partitions, id, &doc, err);
    json_decref(doc);
    return rc == BATON_E_NOT_FOUND ? BATON_OK : rc;
}

static int ended(enum saga_status status)
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
    return -1;
}

static int timed_out(const struct cli *cli, const char *id, int64_t seconds, enum baton_err rc, const struct baton_error *err)
{
    if (rc != BATON_OK && rc != BATON_E_NOT_FOUND)
        return cli_fail(err);
    if (rc == BATON_OK)
        (void)fprintf(stderr, "saga %s has not ended within %" PRId64 " s; it goes on: baton status %s\n", id, seconds, id);
    else
        (void)fprintf(stderr, "saga %s has not begun within %" PRId64 " s: does a worker run, is the definition deployed (baton definitions)? "
                      "A start that was refused lies in %s\n", id, seconds, config_topics(cli->config)->dlq);
    return EXIT_TIMED_OUT;
}

/* Until the saga ends or parks, or the time is over. */
static int wait_for(struct cli *cli, const struct waiting *waiting, const char *id, int64_t seconds)
{
    struct timespec start, now, step = {.tv_nsec = POLL_NS};
    struct baton_error err = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    for (;;) {
        enum saga_status status = SAGA_RUNNING;
        json_t *doc = NULL;
        enum baton_err rc = read_state(waiting->reader, waiting->partitions, id, &doc, &err);
        int code = rc == BATON_OK && saga_status_parse(cli_text_at(doc, "status"), &status) ? ended(status) : -1;

        if (code >= 0)
            show_saga(cli, doc);
        json_decref(doc);
        if (code >= 0)
            return code;
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec - start.tv_sec >= seconds)
            return timed_out(cli, id, seconds, rc, &err);
        (void)nanosleep(&step, NULL);
    }
}

/* version NULL = the newest */
static enum baton_err send_start(struct cli *cli, const char *type, const char *version, const char *id, const char *input, size_t input_len, struct baton_error *err)
{
    const struct bus_input *topic = start_topic(config_topics(cli->config), type);
    const struct bus_header headers[] = {{"saga-type", type, strlen(type)}, {"content-type", "application/json", 16}, {"saga-version", version, version == NULL ? 0 : strlen(version)}};
    const struct bus_record record = {.topic = topic->topic, .partition = -1, .key = id, .key_len = strlen(id), .value = input,
                                      .value_len = input_len, .headers = headers, .headers_len = version == NULL ? 2 : 3};
    struct kafka_sender *sender = NULL;
    int32_t partitions = 0;
    enum baton_err rc = kafka_topics_describe(&cli->kafka, &topic->topic, 1, &partitions, NULL, err);

    if (rc == BATON_OK && partitions < 1)
        rc = baton_fail(err, BATON_E_NOT_FOUND, "topic %s does not exist; run \"baton topics ensure\", or a worker", topic->topic);
    if (rc == BATON_OK)
        rc = kafka_sender_open(&cli->kafka, &sender, err);
    if (rc == BATON_OK)
        rc = kafka_sender_send(sender, &record, NULL, NULL, err);
    kafka_sender_close(sender);
    return rc;
}

static enum baton_err random_id(char out[33], struct baton_error *err)
{
    uint64_t random[2] = {0};

    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return baton_fail(err, BATON_E_FATAL, "the system gives no random bytes");
    (void)snprintf(out, 33, "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
    return BATON_OK;
}

int command_start(struct cli *cli)
{
    const char *id = cli_option(cli, "--id"), *given = cli_option(cli, "--input"), *version = cli_option(cli, "--version"), *type = NULL;
    int64_t number = 0, seconds = cli_option_number(cli, "--wait", WAIT_STANDARD_S);
    struct waiting waiting = {.reader = NULL};
    struct baton_error err = {0};
    char made[33], *input = NULL;
    size_t input_len = 0;
    enum baton_err rc = BATON_OK;
    int code = EXIT_OK;

    cli_expect(cli, 1, 1);
    type = cli->args[0];
    if (!definition_name_valid(type, strlen(type)))
        return cli_usage(cli, "\"%s\" cannot be the name of a definition: a-z, 0-9 and '-' expected", type);
    if (version != NULL && !cli_number(version, 1, INT32_MAX, &number))
        return cli_usage(cli, "--version \"%s\": a whole number from 1 expected", version);
    if (id != NULL && !saga_id_valid(id, strlen(id)))
        return cli_usage(cli, "--id \"%s\": 1 to %d of A-Za-z0-9._:- expected", id, SAGA_ID_MAX);
    if (id == NULL)
        rc = random_id(made, &err);
    id = id != NULL ? id : made;
    if (rc == BATON_OK)
        rc = input_read(given, &input, &input_len, NULL, &err);
    if (rc == BATON_OK && seconds >= 0)
        rc = waiting_begin(cli, id, &waiting, &err);
    if (rc == BATON_OK)
        rc = send_start(cli, type, version, id, input, input_len, &err);
    free(input);
    if (rc != BATON_OK) {
        code = cli_fail(&err);
    } else if (seconds >= 0) {
        (void)fprintf(stderr, "started %s\n", id);
        code = wait_for(cli, &waiting, id, seconds);
    } else if (cli->output == OUTPUT_TEXT) {
        (void)printf("%s\n", id);
    } else {
        (void)printf("{\"id\":\"%s\",\"definition\":\"%s\"}\n", id, type);
    }
    redis_reader_close(waiting.reader);
    return code;
}

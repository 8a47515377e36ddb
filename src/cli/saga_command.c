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

static enum baton_err read_state(struct cli *cli, struct redis_reader *reader, int32_t partitions, const char *id, json_t **ret_doc,
                                 struct baton_error *err)
{
    char *text = NULL;
    int32_t partition = wire_partition_of(id, strlen(id), partitions);
    enum baton_err rc = redis_reader_state(reader, partition, id, &text, err);

    (void)cli;
    if (rc == BATON_OK)
        rc = json_parse(text, strlen(text), &wire_own_limits, ret_doc, err);
    free(text);
    return rc;
}

/* One saga by its id, from the argument. */
static enum baton_err find_saga(struct cli *cli, const char *id, json_t **ret_doc, struct baton_error *err)
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
        rc = read_state(cli, reader, partitions, id, ret_doc, err);
    redis_reader_close(reader);
    return rc;
}

static const char *text_at(const json_t *doc, const char *name)
{
    const char *text = json_string_value(json_object_get(doc, name));

    return text != NULL ? text : "-";
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

static void print_saga(const json_t *doc)
{
    const char *name = NULL;
    json_t *step = NULL;

    (void)printf("%s  %s version %" JSON_INTEGER_FORMAT "  %s  (seq %" JSON_INTEGER_FORMAT ")\n", text_at(doc, "id"), text_at(doc, "definition"),
                 json_integer_value(json_object_get(doc, "version")), text_at(doc, "status"), json_integer_value(json_object_get(doc, "seq")));
    if (json_is_string(json_object_get(doc, "parked")))
        (void)printf("  parked: %s\n", text_at(doc, "parked"));
    print_member(doc, "error", "  error:  ");
    json_object_foreach(json_object_get(doc, "steps"), name, step) {
        (void)printf("  %-20s %-22s attempts %" JSON_INTEGER_FORMAT "\n", name, text_at(step, "status"),
                     json_integer_value(json_object_get(step, "attempts")));
        print_member(step, "error", "                       ");
    }
    print_member(doc, "output", "  output: ");
}

int command_status(struct cli *cli)
{
    struct baton_error err = {0};
    json_t *doc = NULL;

    cli_expect(cli, 1, 1, "baton status ID");
    if (find_saga(cli, cli->args[0], &doc, &err) != BATON_OK)
        return cli_fail(&err);
    if (cli->output == OUTPUT_TEXT)
        print_saga(doc);
    else
        cli_print_json(cli, doc);
    json_decref(doc);
    return EXIT_OK;
}

int command_history(struct cli *cli)
{
    struct baton_error err = {0};
    json_t *doc = NULL, *entry = NULL;
    size_t i = 0;

    cli_expect(cli, 1, 1, "baton history ID");
    if (find_saga(cli, cli->args[0], &doc, &err) != BATON_OK)
        return cli_fail(&err);
    if (cli->output == OUTPUT_JSON) {
        cli_print_json(cli, json_object_get(doc, "history"));
    } else {
        if (json_integer_value(json_object_get(doc, "historyDropped")) > 0)
            (void)fprintf(stderr, "the first %" JSON_INTEGER_FORMAT " entries are in the journal only\n",
                          json_integer_value(json_object_get(doc, "historyDropped")));
        json_array_foreach(json_object_get(doc, "history"), i, entry)
            cli_print_json(cli, entry);
    }
    json_decref(doc);
    return EXIT_OK;
}

int command_list(struct cli *cli)
{
    const char *status_text = cli_option(cli, "--status"), *type = cli_option(cli, "--type"), *limit_text = cli_option(cli, "--limit");
    long limit = limit_text != NULL ? strtol(limit_text, NULL, 10) : LIST_STANDARD;
    struct redis_reader *reader = NULL;
    struct redis_listed *listed = NULL;
    struct baton_error err = {0};
    enum saga_status status = SAGA_RUNNING;
    int32_t partitions = 0;
    size_t n = 0;
    json_t *rows = NULL;
    int code = EXIT_OK;
    enum baton_err rc = BATON_OK;

    cli_expect(cli, 0, 0, "baton list [--status STATUS] [--type TYPE] [--limit N]");
    if (status_text != NULL && !saga_status_parse(status_text, &status))
        return cli_usage("--status running|compensating|completed|compensated|parked|cancelled|terminated");
    if (limit < 1 || limit > LIST_MAX)
        return cli_usage("--limit 1..%d", LIST_MAX);
    if (type != NULL && !definition_name_valid(type, strlen(type)))
        return cli_usage("--type: \"%s\" is not a definition's name", type);
    listed = calloc((size_t)limit, sizeof *listed);
    rows = json_array();
    rc = listed == NULL ? baton_fail(&err, BATON_E_NOMEM, "out of memory") : setup_partitions(cli, &partitions, &err);
    if (rc == BATON_OK)
        rc = redis_reader_open(config_redis(cli->config), &reader, &err);
    if (rc == BATON_OK)
        rc = redis_reader_list(reader, partitions, status_text != NULL ? (int)status : -1, type, listed, (size_t)limit, &n, &err);
    if (rc != BATON_OK)
        code = cli_fail(&err);
    for (size_t i = 0; rc == BATON_OK && i < n; i++) {
        char when[32];
        json_t *row = NULL;

        (void)wire_time_text(when, listed[i].updated_ms);
        if (cli->output == OUTPUT_TEXT) {
            (void)printf("%s  %-13s %-20s %s\n", when, saga_status_name(listed[i].status), listed[i].type, listed[i].id);
            continue;
        }
        row = json_pack("{s:s, s:s, s:s, s:s}", "id", listed[i].id, "definition", listed[i].type, "status",
                        saga_status_name(listed[i].status), "updatedAt", when);
        if (cli->output == OUTPUT_JSONL)
            cli_print_json(cli, row);
        (void)json_array_append_new(rows, row);
    }
    if (rc == BATON_OK && cli->output == OUTPUT_JSON)
        cli_print_json(cli, rows);
    json_decref(rows);
    free(listed);
    redis_reader_close(reader);
    return code;
}

/* --- start --- */

static enum baton_err read_input(const char *given, char **ret_text, size_t *ret_len, struct baton_error *err)
{
    json_t *input = NULL;
    struct baton_error why = {0};
    enum baton_err rc = BATON_OK;

    if (given != NULL && (given[0] == '@' || strcmp(given, "-") == 0)) {
        rc = file_read(given[0] == '@' ? given + 1 : given, JSON_BYTES_MAX, ret_text, ret_len, err);
        if (rc != BATON_OK)
            return rc;
    } else {
        *ret_text = strdup(given != NULL ? given : "{}");
        if (*ret_text == NULL)
            return baton_fail(err, BATON_E_NOMEM, "out of memory");
        *ret_len = strlen(*ret_text);
    }
    rc = json_parse(*ret_text, *ret_len, &json_default_limits, &input, &why);
    if (rc != BATON_OK)
        rc = baton_fail(err, rc, "--input: %s", why.text);
    else if (!json_is_object(input))
        rc = baton_fail(err, BATON_E_INVALID, "--input must be a JSON object");
    json_decref(input);
    return rc;
}

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

/* Until the saga ends or parks, or the time is over. */
static int wait_for(struct cli *cli, const char *id, int64_t seconds)
{
    struct redis_reader *reader = NULL;
    struct baton_error err = {0};
    struct timespec start, now, step = {.tv_nsec = POLL_NS};
    int32_t partitions = 0;
    json_t *doc = NULL;
    int code = EXIT_TIMED_OUT;

    if (setup_partitions(cli, &partitions, &err) != BATON_OK ||
        redis_reader_open(config_redis(cli->config), &reader, &err) != BATON_OK)
        return cli_fail(&err);
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    for (;;) {
        enum saga_status status = SAGA_RUNNING;
        enum baton_err rc = read_state(cli, reader, partitions, id, &doc, &err);

        if (rc == BATON_OK && saga_status_parse(text_at(doc, "status"), &status) && (saga_status_ended(status) || status == SAGA_PARKED)) {
            code = status == SAGA_COMPLETED ? EXIT_OK
                   : status == SAGA_COMPENSATED ? EXIT_COMPENSATED : status == SAGA_PARKED ? EXIT_PARKED : EXIT_CANCELLED;
            if (cli->output == OUTPUT_TEXT)
                print_saga(doc);
            else
                cli_print_json(cli, doc);
            json_decref(doc);
            break;
        }
        if (rc == BATON_OK)
            json_decref(doc);
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec - start.tv_sec >= seconds) {
            (void)fprintf(stderr, "saga %s has not ended within %" PRId64 " s; it goes on: baton status %s\n", id, seconds, id);
            break;
        }
        (void)nanosleep(&step, NULL);
    }
    redis_reader_close(reader);
    return code;
}

int command_start(struct cli *cli)
{
    const char *id = cli_option(cli, "--id"), *given = cli_option(cli, "--input"), *type = NULL;
    int64_t seconds = -1;
    struct kafka_sender *sender = NULL;
    struct baton_error err = {0};
    char made[33], *input = NULL;
    size_t input_len = 0;
    const struct bus_input *topic = NULL;
    enum baton_err rc = BATON_OK;

    for (int i = 0; i < cli->args_len; i++) { /* --wait takes a number or nothing */
        char *end = NULL;

        if (strncmp(cli->args[i], "--wait=", 7) == 0) {
            seconds = strtoll(cli->args[i] + 7, &end, 10);
            if (*end != '\0' || seconds < 0)
                return cli_usage("--wait [SECONDS]");
            cli->args[i] = (char[]){"--wait"};
        } else if (strcmp(cli->args[i], "--wait") == 0 && seconds < 0) {
            seconds = WAIT_STANDARD_S;
            if (i + 1 < cli->args_len && cli->args[i + 1][0] >= '0' && cli->args[i + 1][0] <= '9' &&
                (seconds = strtoll(cli->args[i + 1], &end, 10)) >= 0 && *end == '\0' && cli->args_len > 2) {
                memmove(cli->args + i + 1, cli->args + i + 2, (size_t)(cli->args_len - i - 2) * sizeof *cli->args);
                cli->args_len--;
            }
        }
        if (strcmp(cli->args[i], "--wait") == 0) {
            (void)cli_flag(cli, "--wait");
            i--;
        }
    }
    cli_expect(cli, 1, 1, "baton start TYPE [--id ID] [--input JSON|@FILE|-] [--wait [SECONDS]]");
    type = cli->args[0];
    if (!definition_name_valid(type, strlen(type)))
        return cli_usage("\"%s\" is not a definition's name", type);
    if (id == NULL) {
        uint64_t random[2] = {0};

        if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
            return EXIT_UNEXPECTED;
        (void)snprintf(made, sizeof made, "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
        id = made;
    }
    if (!saga_id_valid(id, strlen(id)))
        return cli_usage("--id \"%s\" must be 1 to %d of A-Za-z0-9._:-", id, SAGA_ID_MAX);
    rc = read_input(given, &input, &input_len, &err);
    topic = start_topic(config_topics(cli->config), type);
    if (rc == BATON_OK)
        rc = kafka_sender_open(&cli->kafka, &sender, &err);
    if (rc == BATON_OK) {
        const struct bus_header headers[] = {{"saga-type", type, strlen(type)}, {"content-type", "application/json", 16}};
        const struct bus_record record = {.topic = topic->topic, .partition = -1, .key = id, .key_len = strlen(id), .value = input,
                                          .value_len = input_len, .headers = headers, .headers_len = 2};

        rc = kafka_sender_send(sender, &record, NULL, NULL, &err);
    }
    kafka_sender_close(sender);
    free(input);
    if (rc != BATON_OK)
        return cli_fail(&err);
    if (seconds >= 0)
        return wait_for(cli, id, seconds);
    if (cli->output == OUTPUT_TEXT)
        (void)printf("%s\n", id);
    else
        (void)printf("{\"id\":\"%s\",\"definition\":\"%s\"}\n", id, type);
    return EXIT_OK;
}

/*
 * deploy.c -- definitions: check them, publish them, list them.
 *
 * Owns:     what is published: the document, compact, under <name>@<version>; never a version with other content.
 * Tests:    tests/integration/test_commands.py
 */
#include "cli.h"
#include <baton/json.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MAX 1000

static void print_valid(const json_t *row)
{
    if (json_is_true(json_object_get(row, "valid")))
        (void)printf("%s: %s version %" JSON_INTEGER_FORMAT " is valid%s\n", json_string_value(json_object_get(row, "file")),
                     json_string_value(json_object_get(row, "name")), json_integer_value(json_object_get(row, "version")),
                     json_array_size(json_object_get(row, "findings")) > 0 ? ", with warnings" : "");
}

/* All of them are read before the first is judged: what one brings with it for another is known then. */
struct batch {
    char **names;
    struct checked **files;
    size_t len;
};

static enum baton_err batch_read(struct cli *cli, struct batch *batch, struct baton_error *err)
{
    enum baton_err rc = checked_expand(cli->args, cli->args_len, &batch->names, &batch->len, err);

    if (rc != BATON_OK)
        return rc;
    batch->files = calloc(batch->len, sizeof *batch->files);
    for (size_t i = 0; i < batch->len && rc == BATON_OK; i++) {
        if (batch->files != NULL)
            batch->files[i] = checked_file(batch->names[i]);
        if (batch->files == NULL || batch->files[i] == NULL)
            rc = baton_fail(err, BATON_E_NOMEM, "%s: out of memory", batch->names[i]);
    }
    return rc;
}

static void batch_free(struct batch *batch)
{
    for (size_t i = 0; i < batch->len && batch->files != NULL; i++)
        checked_free(batch->files[i]);
    free(batch->files);
    checked_files_free(batch->names, batch->len);
}

static enum baton_err check_children(const struct batch *batch, struct definition_store *store, struct baton_error *err)
{
    return children_check(batch->files, batch->len, store) ? BATON_OK : baton_fail(err, BATON_E_NOMEM, "out of memory");
}

int command_validate(struct cli *cli)
{
    struct baton_error err = {0};
    struct batch batch = {0};
    json_t *rows = json_array();
    int code = EXIT_OK;
    enum baton_err rc = BATON_OK;

    cli_expect(cli, 1, FILES_MAX);
    rc = batch_read(cli, &batch, &err);
    if (rc == BATON_OK)
        rc = check_children(&batch, NULL, &err);
    if (rc != BATON_OK)
        code = cli_fail(&err);
    for (size_t i = 0; rc == BATON_OK && i < batch.len; i++) {
        if (checked_document(batch.files[i]) == NULL)
            code = EXIT_INVALID;
        if (cli->output == OUTPUT_TEXT)
            checked_show(batch.files[i]);
        (void)json_array_append_new(rows, checked_json(batch.files[i]));
    }
    if (rc == BATON_OK)
        cli_print_rows(cli, rows, print_valid);
    else
        json_decref(rows);
    batch_free(&batch);
    return code;
}

enum baton_err deploy_document(struct cli *cli, struct definition_store *store, struct kafka_sender *sender, const json_t *doc,
                               const char *path, const char **ret_said, char *ret_name, struct baton_error *err)
{
    struct buffer text = {0};
    char key[DEFINITION_NAME_MAX + 32], hash[65], *known = NULL;
    const char *name = json_string_value(json_object_get(doc, "name"));
    int64_t version = json_integer_value(json_object_get(doc, "version")), known_version = 0;
    struct bus_record record = {.topic = config_topics(cli->config)->definitions, .partition = 0};
    enum baton_err rc = BATON_OK;

    (void)snprintf(key, sizeof key, "%s@%" PRId64, name, version);
    (void)strcpy(ret_name, key);
    *ret_said = "deployed";
    json_write(&text, doc);
    if (text.failed) {
        rc = baton_fail(err, BATON_E_NOMEM, "%s: out of memory", path);
        goto out;
    }
    if (definition_store_get(store, name, version, &known, &known_version, hash) == BATON_OK)
        *ret_said = "unchanged";
    rc = definition_store_put(store, text.data, text.len, err);
    if (rc != BATON_OK || known != NULL)
        goto out;
    record.key = key;
    record.key_len = strlen(key);
    record.value = text.data;
    record.value_len = text.len;
    rc = kafka_sender_send(sender, &record, NULL, NULL, err);
out:
    free(known);
    buffer_free(&text);
    return rc;
}

enum baton_err deploy_file(struct cli *cli, struct definition_store *store, struct kafka_sender *sender, const char *path,
                           const char **ret_said, char *ret_name, struct baton_error *err)
{
    struct checked *checked = checked_file(path);
    enum baton_err rc = BATON_OK;

    if (checked == NULL)
        return baton_fail(err, BATON_E_NOMEM, "%s: out of memory", path);
    checked_show(checked);
    rc = checked_document(checked) == NULL
             ? baton_fail(err, BATON_E_INVALID, "%s is not valid", path)
             : deploy_document(cli, store, sender, checked_document(checked), path, ret_said, ret_name, err);
    checked_free(checked);
    return rc;
}

enum baton_err deploy_directory(struct cli *cli, struct definition_store *store, const char *path, struct baton_error *err)
{
    struct kafka_sender *sender = NULL;
    char **files = NULL, *const args[] = {(char *)(uintptr_t)path};
    size_t files_len = 0;
    enum baton_err rc = checked_expand(args, 1, &files, &files_len, err);

    if (rc == BATON_OK)
        rc = kafka_sender_open(&cli->kafka, &sender, err);
    for (size_t i = 0; rc == BATON_OK && i < files_len; i++) {
        char name[DEFINITION_NAME_MAX + 32];
        const char *said = NULL;

        rc = deploy_file(cli, store, sender, files[i], &said, name, err);
        if (rc == BATON_OK)
            log_line(&cli->logger, LOG_LEVEL_INFO, "definition %s %s", name, said);
    }
    checked_files_free(files, files_len);
    kafka_sender_close(sender);
    return rc;
}

static void print_deployed(const json_t *row)
{
    (void)printf("%s %s\n", json_string_value(json_object_get(row, "definition")), json_string_value(json_object_get(row, "result")));
}

/* A directory half deployed helps nobody. */
static enum baton_err all_valid(const struct batch *batch, struct baton_error *err)
{
    for (size_t i = 0; i < batch->len; i++) {
        if (checked_document(batch->files[i]) != NULL)
            continue;
        checked_show(batch->files[i]);
        return baton_fail(err, BATON_E_INVALID, "%s is not valid; nothing was published", batch->names[i]);
    }
    return BATON_OK;
}

int command_deploy(struct cli *cli)
{
    struct setup setup = {0};
    struct kafka_sender *sender = NULL;
    struct baton_error err = {0};
    struct batch batch = {0};
    size_t created = 0;
    json_t *rows = json_array();
    enum baton_err rc = BATON_OK;
    int code = EXIT_OK;

    cli_expect(cli, 1, FILES_MAX);
    rc = batch_read(cli, &batch, &err);
    if (rc == BATON_OK)
        rc = all_valid(&batch, &err);
    if (rc == BATON_OK)
        rc = setup_run(cli, true, &created, &setup, &err);
    if (rc == BATON_OK)
        rc = check_children(&batch, setup.store, &err);
    if (rc == BATON_OK)
        rc = kafka_sender_open(&cli->kafka, &sender, &err);
    for (size_t i = 0; rc == BATON_OK && i < batch.len; i++) {
        char name[DEFINITION_NAME_MAX + 32];
        const char *said = NULL;

        checked_show(batch.files[i]);
        rc = deploy_document(cli, setup.store, sender, checked_document(batch.files[i]), batch.names[i], &said, name, &err);
        if (rc == BATON_OK)
            (void)json_array_append_new(rows, json_pack("{s:s, s:s}", "definition", name, "result", said));
    }
    if (rc == BATON_OK)
        rc = setup_command_topics(cli, setup.store, NULL, 0, &created, &err);
    cli_print_rows(cli, rows, print_deployed); /* also what was published before something failed */
    if (rc != BATON_OK)
        code = cli_fail(&err);
    batch_free(&batch);
    kafka_sender_close(sender);
    setup_clear(&setup);
    return code;
}

static void collect(void *context, const char *name, int64_t version, const char *hash, const char *text)
{
    (void)text;
    (void)json_array_append_new(context, json_pack("{s:s, s:I, s:s, s:n, s:n}", "name", name, "version", (json_int_t)version, "hash", hash, "live", "sagas"));
}

static void print_definition(const json_t *row)
{
    const char *hash = json_string_value(json_object_get(row, "hash"));
    const json_t *live = json_object_get(row, "live");
    char text[32] = "?";

    if (json_is_integer(live))
        (void)snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(live));
    (void)printf("%-40s %6" JSON_INTEGER_FORMAT "  %-12.12s  %s live\n", json_string_value(json_object_get(row, "name")),
                 json_integer_value(json_object_get(row, "version")), hash != NULL ? hash : "not deployed", text);
}

/* The row of this version; one of its own at the end if it is not deployed. */
static json_t *row_of(json_t *rows, const char *name, int64_t version)
{
    json_t *row = NULL;
    size_t i = 0;

    json_array_foreach(rows, i, row) {
        if (strcmp(json_string_value(json_object_get(row, "name")), name) == 0 && json_integer_value(json_object_get(row, "version")) == version)
            return row;
    }
    row = json_pack("{s:s, s:I, s:n, s:n, s:n}", "name", name, "version", (json_int_t)version, "hash", "live", "sagas");
    (void)json_array_append_new(rows, row);
    return row;
}

static void set_counts(json_t *row, const int64_t *counts)
{
    json_t *sagas = json_object();
    int64_t live = 0;

    for (int status = 0; status < SAGA_STATUS_COUNT; status++) {
        (void)json_object_set_new(sagas, saga_status_name((enum saga_status)status), json_integer(counts[status]));
        live += saga_status_ended((enum saga_status)status) ? 0 : counts[status];
    }
    (void)json_object_set_new(row, "live", json_integer(live));
    (void)json_object_set_new(row, "sagas", sagas);
}

static enum baton_err count_sagas(struct cli *cli, json_t *rows, struct baton_error *err)
{
    static const int64_t none[SAGA_STATUS_COUNT] = {0};
    struct redis_reader *reader = NULL;
    struct redis_counted *counted = NULL;
    json_t *row = NULL;
    size_t n = 0, i = 0;
    enum baton_err rc = redis_reader_open(config_redis(cli->config), &reader, err);

    if (rc == BATON_OK)
        rc = redis_reader_count(reader, config_topics(cli->config)->partitions, &counted, &n, err);
    redis_reader_close(reader);
    if (rc != BATON_OK)
        return rc;
    json_array_foreach(rows, i, row)
        set_counts(row, none);
    for (i = 0; i < n; i++) {
        int64_t sum = 0;

        for (int status = 0; status < SAGA_STATUS_COUNT; status++)
            sum += counted[i].counts[status];
        if (sum > 0)
            set_counts(row_of(rows, counted[i].type, counted[i].version), counted[i].counts);
    }
    free(counted);
    return BATON_OK;
}

int command_definitions(struct cli *cli)
{
    struct setup setup = {0};
    struct baton_error err = {0};
    json_t *rows = NULL;
    size_t created = 0;

    cli_expect(cli, 0, 0);
    if (setup_run(cli, false, &created, &setup, &err) != BATON_OK)
        return cli_fail(&err);
    rows = json_array();
    definition_store_each(setup.store, collect, rows);
    if (count_sagas(cli, rows, &err) != BATON_OK)
        (void)fprintf(stderr, "the sagas are not counted: %s\n", err.text);
    cli_print_rows(cli, rows, print_definition);
    setup_clear(&setup);
    return EXIT_OK;
}

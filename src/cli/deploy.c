/*
 * deploy.c -- definitions: check them, publish them, list them.
 *
 * Owns:     how findings are shown: file:line:column, the line, a caret.
 */
#include "cli.h"
#include <baton/json.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void show_line(const char *text, int line, int column)
{
    const char *start = text;

    for (int i = 1; i < line && start != NULL; i++) {
        start = strchr(start, '\n');
        start = start != NULL ? start + 1 : NULL;
    }
    if (start == NULL)
        return;
    (void)fprintf(stderr, "    %.*s\n    ", (int)strcspn(start, "\r\n"), start);
    for (int i = 1; i < column && *start != '\0'; start++) {
        if (((unsigned char)*start & 0xc0) == 0x80)
            continue; /* inside a code point */
        (void)fputc(*start == '\t' ? '\t' : ' ', stderr);
        i++;
    }
    (void)fputs("^\n", stderr);
}

static void show_findings(const char *path, const char *text, size_t len, const struct findings *findings)
{
    for (size_t i = 0; i < findings->len; i++) {
        const struct finding *finding = &findings->items[i];
        int line = 1, column = 1;

        json_locate(text, len, finding->pointer, finding->of_key, &line, &column);
        if (finding->column_in_string > 0)
            column += finding->column_in_string; /* the opening quote comes first */
        (void)fprintf(stderr, "%s:%d:%d: %s: %s\n", path, line, column, finding->level == FINDING_ERROR ? "error" : "warning",
                      finding->text);
        show_line(text, line, column);
    }
    if (findings->errors > findings->len)
        (void)fprintf(stderr, "%s: and %zu more errors\n", path, findings->errors - findings->len);
}

/* Read and check one file. BATON_E_INVALID after its findings were shown (err empty), or with err. */
static enum baton_err check_file(const char *path, json_t **ret_doc, size_t *ret_warnings, struct baton_error *err)
{
    const struct json_limits limits = {DEFINITION_BYTES_MAX, JSON_DEPTH_MAX, JSON_VALUES_MAX};
    struct findings *findings = calloc(1, sizeof *findings);
    struct expr_vm *vm = expr_vm_new();
    struct definition *definition = NULL;
    struct baton_error why = {0};
    json_t *doc = NULL;
    char *text = NULL;
    size_t len = 0;
    enum baton_err rc = BATON_OK;

    if (findings == NULL || vm == NULL) {
        rc = baton_fail(err, BATON_E_NOMEM, "%s: out of memory", path);
        goto out;
    }
    rc = file_read(path, DEFINITION_BYTES_MAX, &text, &len, err);
    if (rc != BATON_OK)
        goto out;
    rc = json_parse(text, len, &limits, &doc, &why);
    if (rc != BATON_OK) {
        int line = 1, column = 1;
        int at = 0;

        if (sscanf(why.text, "line %d column %d: %n", &line, &column, &at) == 2 && at > 0) {
            (void)fprintf(stderr, "%s:%d:%d: error: %s\n", path, line, column, why.text + at);
            show_line(text, line, column);
        } else {
            rc = baton_fail(err, rc, "%s: %s", path, why.text);
        }
        goto out;
    }
    rc = definition_parse(doc, vm, findings, &definition);
    show_findings(path, text, len, findings);
    if (rc == BATON_E_NOMEM)
        rc = baton_fail(err, rc, "%s: out of memory", path);
    if (rc == BATON_OK) {
        *ret_doc = json_incref(doc);
        *ret_warnings = findings->len;
    }
out:
    definition_free(definition);
    expr_vm_free(vm);
    json_decref(doc);
    free(findings);
    free(text);
    return rc;
}

int command_validate(struct cli *cli)
{
    int code = EXIT_OK;

    cli_expect(cli, 1, 1000, "baton validate FILE...");
    for (int i = 0; i < cli->args_len; i++) {
        struct baton_error err = {0};
        json_t *doc = NULL;
        size_t warnings = 0;
        enum baton_err rc = check_file(cli->args[i], &doc, &warnings, &err);

        if (rc == BATON_OK && cli->output == OUTPUT_TEXT)
            (void)printf("%s: %s version %" JSON_INTEGER_FORMAT " is valid%s\n", cli->args[i],
                         json_string_value(json_object_get(doc, "name")), json_integer_value(json_object_get(doc, "version")),
                         warnings > 0 ? ", with warnings" : "");
        if (rc != BATON_OK) {
            if (err.text[0] != '\0')
                (void)fprintf(stderr, "error: %s\n", err.text);
            code = EXIT_INVALID;
        }
        if (cli->output != OUTPUT_TEXT) {
            json_t *row = json_pack("{s:s, s:b}", "file", cli->args[i], "valid", rc == BATON_OK);

            cli_print_json(cli, row);
            json_decref(row);
        }
        json_decref(doc);
    }
    return code;
}

enum baton_err deploy_file(struct cli *cli, struct definition_store *store, struct kafka_sender *sender, const char *path,
                           const char **ret_said, char *ret_name, struct baton_error *err)
{
    json_t *doc = NULL;
    struct buffer text = {0};
    char key[DEFINITION_NAME_MAX + 32], hash[65], *known = NULL;
    const char *name = NULL;
    int64_t version = 0, known_version = 0;
    size_t warnings = 0;
    enum baton_err rc = check_file(path, &doc, &warnings, err);
    struct bus_record record = {.topic = config_topics(cli->config)->definitions, .partition = 0};

    if (rc != BATON_OK)
        return rc == BATON_E_INVALID && err->text[0] == '\0' ? baton_fail(err, rc, "%s is not a definition: nothing was published", path) : rc;
    name = json_string_value(json_object_get(doc, "name"));
    version = json_integer_value(json_object_get(doc, "version"));
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
    json_decref(doc);
    return rc;
}

static int json_files(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0;
}

enum baton_err deploy_directory(struct cli *cli, struct definition_store *store, const char *path, struct baton_error *err)
{
    struct dirent **entries = NULL;
    struct kafka_sender *sender = NULL;
    int n = scandir(path, &entries, json_files, alphasort);
    enum baton_err rc = BATON_OK;

    if (n < 0)
        return baton_fail(err, BATON_E_INVALID, "--definitions \"%s\" is not a readable directory", path);
    rc = kafka_sender_open(&cli->kafka, &sender, err);
    for (int i = 0; i < n; i++) {
        char file[4096], name[DEFINITION_NAME_MAX + 32];
        const char *said = NULL;

        if (rc == BATON_OK) {
            (void)snprintf(file, sizeof file, "%.3000s/%s", path, entries[i]->d_name);
            rc = deploy_file(cli, store, sender, file, &said, name, err);
            if (rc == BATON_OK)
                log_line(&cli->logger, LOG_LEVEL_INFO, "definition %s %s", name, said);
        }
        free(entries[i]);
    }
    free(entries);
    kafka_sender_close(sender);
    return rc;
}

int command_deploy(struct cli *cli)
{
    struct setup setup = {0};
    struct kafka_sender *sender = NULL;
    struct baton_error err = {0};
    size_t created = 0;
    enum baton_err rc = BATON_OK;
    int code = EXIT_OK;

    cli_expect(cli, 1, 1000, "baton deploy FILE...");
    /* All files are checked before the first is published. */
    for (int i = 0; i < cli->args_len; i++) {
        json_t *doc = NULL;
        size_t warnings = 0;

        rc = check_file(cli->args[i], &doc, &warnings, &err);
        json_decref(doc);
        if (rc != BATON_OK) {
            if (err.text[0] != '\0')
                return cli_fail(&err);
            (void)fprintf(stderr, "error: %s is not valid; nothing was published\n", cli->args[i]);
            return EXIT_INVALID;
        }
    }
    rc = setup_run(cli, true, &created, &setup, &err);
    if (rc == BATON_OK)
        rc = kafka_sender_open(&cli->kafka, &sender, &err);
    for (int i = 0; rc == BATON_OK && i < cli->args_len; i++) {
        char name[DEFINITION_NAME_MAX + 32];
        const char *said = NULL;

        rc = deploy_file(cli, setup.store, sender, cli->args[i], &said, name, &err);
        if (rc == BATON_OK && cli->output == OUTPUT_TEXT)
            (void)printf("%s %s\n", name, said);
        else if (rc == BATON_OK) {
            json_t *row = json_pack("{s:s, s:s}", "definition", name, "result", said);

            cli_print_json(cli, row);
            json_decref(row);
        }
    }
    if (rc == BATON_OK)
        rc = setup_command_topics(cli, setup.store, NULL, 0, &created, &err);
    if (rc != BATON_OK)
        code = cli_fail(&err);
    kafka_sender_close(sender);
    setup_clear(&setup);
    return code;
}

static void collect(void *context, const char *name, int64_t version, const char *hash, const char *text)
{
    (void)text;
    (void)json_array_append_new(context, json_pack("{s:s, s:I, s:s}", "name", name, "version", (json_int_t)version, "hash", hash));
}

int command_definitions(struct cli *cli)
{
    struct setup setup = {0};
    struct baton_error err = {0};
    json_t *rows = json_array(), *row = NULL;
    size_t created = 0, i = 0;

    cli_expect(cli, 0, 0, "baton definitions");
    if (setup_run(cli, false, &created, &setup, &err) != BATON_OK) {
        json_decref(rows);
        return cli_fail(&err);
    }
    definition_store_each(setup.store, collect, rows);
    if (cli->output == OUTPUT_JSON) {
        cli_print_json(cli, rows);
    } else {
        json_array_foreach(rows, i, row) {
            if (cli->output == OUTPUT_JSONL)
                cli_print_json(cli, row);
            else
                (void)printf("%-40s %6" JSON_INTEGER_FORMAT "  %.12s\n", json_string_value(json_object_get(row, "name")),
                             json_integer_value(json_object_get(row, "version")), json_string_value(json_object_get(row, "hash")));
        }
    }
    json_decref(rows);
    setup_clear(&setup);
    return EXIT_OK;
}

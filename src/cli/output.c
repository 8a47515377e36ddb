/*
 * output.c -- data on stdout, talk on stderr; what an error means for a shell.
 *
 * Tests:    tests/cli/test_commands.py
 */
#include "cli.h"
#include <baton/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cli_fail(const struct baton_error *err)
{
    (void)fprintf(stderr, "error: %s\n", err->text);
    switch (err->code) {
    case BATON_E_INVALID:
    case BATON_E_POISON:
        return EXIT_INVALID;
    case BATON_E_NOT_FOUND:
        return EXIT_MISSING;
    case BATON_E_CONFLICT:
        return EXIT_CONFLICT;
    case BATON_E_RETRY:
        return EXIT_UNREACHABLE;
    case BATON_OK:
    case BATON_E_STALE:
    case BATON_E_ABORT:
    case BATON_E_FATAL:
    case BATON_E_NOMEM:
        break;
    }
    return EXIT_UNEXPECTED;
}

bool cli_colored(int fd)
{
    const char *no_color = getenv("NO_COLOR"), *terminal = getenv("TERM");

    return isatty(fd) && (no_color == NULL || no_color[0] == '\0') && (terminal == NULL || strcmp(terminal, "dumb") != 0);
}

void cli_print_json(const json_t *value)
{
    struct buffer text = {0};

    json_write(&text, value);
    if (!text.failed)
        (void)printf("%.*s\n", (int)text.len, text.data);
    buffer_free(&text);
}

const char *cli_text_at(const json_t *doc, const char *name)
{
    const char *text = json_string_value(json_object_get(doc, name));

    return text != NULL ? text : "-";
}

void cli_print_rows(const struct cli *cli, json_t *rows, void (*print)(const json_t *row))
{
    json_t *row = NULL;
    size_t i = 0;

    if (cli->output == OUTPUT_JSON) {
        cli_print_json(rows);
    } else {
        json_array_foreach(rows, i, row) {
            if (cli->output == OUTPUT_JSONL)
                cli_print_json(row);
            else
                print(row);
        }
    }
    json_decref(rows);
}

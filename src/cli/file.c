/*
 * file.c -- a whole file into memory, bounded; the value of --input.
 */
#include "cli.h"
#include <baton/json.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum baton_err file_read(const char *path, size_t bytes_max, char **ret_text, size_t *ret_len, struct baton_error *err)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "re");
    char *text = NULL;
    size_t len = 0;
    bool failed = false;

    if (file == NULL)
        return baton_fail(err, BATON_E_INVALID, "%s: %s", path, strerror(errno));
    text = malloc(bytes_max + 2);
    if (text != NULL)
        len = fread(text, 1, bytes_max + 1, file);
    failed = ferror(file) != 0;
    if (!standard)
        (void)fclose(file);
    if (text == NULL)
        return baton_fail(err, BATON_E_NOMEM, "%s: out of memory", path);
    if (failed || len > bytes_max) {
        free(text);
        return failed ? baton_fail(err, BATON_E_INVALID, "%s: cannot be read", path)
                      : baton_fail(err, BATON_E_INVALID, "%s: longer than %zu bytes", path, bytes_max);
    }
    text[len] = '\0';
    *ret_text = text;
    *ret_len = len;
    return BATON_OK;
}

enum baton_err input_read(const char *given, char **ret_text, size_t *ret_len, json_t **ret_input, struct baton_error *err)
{
    char *text = NULL;
    size_t len = 0;
    json_t *input = NULL;
    struct baton_error why = {0};
    enum baton_err rc = BATON_OK;

    if (given != NULL && (given[0] == '@' || strcmp(given, "-") == 0)) {
        rc = file_read(given[0] == '@' ? given + 1 : given, JSON_BYTES_MAX, &text, &len, err);
        if (rc != BATON_OK)
            return rc;
    } else {
        text = strdup(given != NULL ? given : "{}");
        if (text == NULL)
            return baton_fail(err, BATON_E_NOMEM, "out of memory");
        len = strlen(text);
    }
    rc = json_parse(text, len, &json_default_limits, &input, &why);
    if (rc != BATON_OK)
        rc = baton_fail(err, rc, "--input: %s", why.text);
    else if (!json_is_object(input))
        rc = baton_fail(err, BATON_E_INVALID, "--input must be a JSON object");
    if (rc == BATON_OK && ret_input != NULL)
        *ret_input = json_incref(input);
    if (rc == BATON_OK && ret_text != NULL) {
        *ret_text = text;
        *ret_len = len;
        text = NULL;
    }
    json_decref(input);
    free(text);
    return rc;
}

/*
 * file.c -- a whole file into memory, bounded.
 */
#include "cli.h"
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

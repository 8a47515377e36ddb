/*
 * check.c -- definition files, and others: which ones are meant, what is in them, what is wrong with them.
 *
 * Owns:     how findings are shown: file:line:column, the line, a caret.
 * Tests:    tests/cli/test_commands.py
 */
#include "inline.h"
#include <baton/json.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define STANDARD_INPUT "<stdin>"

struct checked {
    const char *path; /* borrowed */
    const char *name; /* for people; borrowed */
    char *text;
    size_t len;
    json_t *document;         /* NULL = not JSON */
    bool valid;               /* without an error */
    struct baton_error error; /* why there is no document, or no memory; without place */
    bool error_placed;        /* at line, column */
    int line, column;
    struct findings findings;
    struct inlines inlines; /* schema files that are part of the document now */
    struct expr_vm *vm;     /* the definition's */
    struct definition *definition; /* NULL = none, or not a valid one */
};

/* "line L column C: what" of json_parse, taken apart. */
static void note_json_error(struct checked *checked, enum baton_err rc, const char *text)
{
    int at = 0;

    checked->error_placed = sscanf(text, "line %d column %d: %n", &checked->line, &checked->column, &at) == 2 && at > 0;
    (void)baton_fail(&checked->error, rc, "%s", checked->error_placed ? text + at : text);
}

static void check_definition(void *context, const json_t *document, struct findings *findings)
{
    struct checked *checked = context;
    bool fine = inline_schemas(checked->document, checked->path, &checked->inlines);
    enum baton_err rc = BATON_E_NOMEM;

    checked->vm = expr_vm_new();
    if (checked->vm != NULL && fine)
        rc = definition_parse(document, checked->vm, findings, &checked->definition);
    inlines_tell(&checked->inlines, findings);
    if (rc == BATON_E_NOMEM)
        (void)baton_fail(&checked->error, rc, "out of memory");
}

static void read_file(struct checked *checked, const char *path, size_t bytes_max, checked_by check, void *context)
{
    const struct json_limits limits = {bytes_max, JSON_DEPTH_MAX, JSON_VALUES_MAX};
    struct baton_error why = {0};
    enum baton_err rc = file_read(path, bytes_max, &checked->text, &checked->len, &checked->error);

    checked->path = path;
    checked->name = strcmp(path, "-") == 0 ? STANDARD_INPUT : path;
    if (rc != BATON_OK)
        return;
    rc = json_parse(checked->text, checked->len, &limits, &checked->document, &why);
    if (rc != BATON_OK)
        note_json_error(checked, rc, why.text);
    else
        check(context, checked->document, &checked->findings);
    checked->valid = checked->error.code == BATON_OK && checked->findings.errors == 0;
}

struct checked *checked_other_file(const char *path, size_t bytes_max, checked_by check, void *context)
{
    struct checked *checked = calloc(1, sizeof *checked);

    if (checked != NULL)
        read_file(checked, path, bytes_max, check, context);
    return checked;
}

struct checked *checked_file(const char *path)
{
    struct checked *checked = calloc(1, sizeof *checked);

    if (checked != NULL)
        read_file(checked, path, DEFINITION_BYTES_MAX, check_definition, checked);
    return checked;
}

void checked_free(struct checked *checked)
{
    if (checked == NULL)
        return;
    json_decref(checked->document);
    definition_free(checked->definition);
    expr_vm_free(checked->vm);
    inlines_free(&checked->inlines);
    free(checked->text);
    free(checked);
}

const json_t *checked_document(const struct checked *checked)
{
    return checked->valid ? checked->document : NULL;
}

const struct definition *checked_definition(const struct checked *checked)
{
    return checked->valid ? checked->definition : NULL;
}

struct findings *checked_findings(struct checked *checked)
{
    return &checked->findings;
}

/* --- showing --- */

#define SHOWN_BEFORE 60 /* code points of a long line, before and after the place */
#define SHOWN_AFTER 40

/* So many code points on, or to the end of the line. */
static const char *skip_code_points(const char *at, int count)
{
    for (; count > 0 && *at != '\0' && *at != '\r' && *at != '\n'; count--) {
        at++;
        while (((unsigned char)*at & 0xc0) == 0x80)
            at++;
    }
    return at;
}

/* The line and a caret below the column, of a long line what is around it. */
static void show_line(const char *text, int line, int column)
{
    const char *from = text, *place = NULL, *to = NULL;
    char shown[(SHOWN_BEFORE + SHOWN_AFTER) * 4 + 1];
    bool cut = column > SHOWN_BEFORE + 1;

    for (int i = 1; i < line && from != NULL; i++) {
        from = strchr(from, '\n');
        from = from != NULL ? from + 1 : NULL;
    }
    if (from == NULL)
        return;
    from = skip_code_points(from, cut ? column - SHOWN_BEFORE - 1 : 0);
    place = skip_code_points(from, cut ? SHOWN_BEFORE : column - 1);
    to = skip_code_points(place, SHOWN_AFTER);
    (void)snprintf(shown, sizeof shown, "%.*s", (int)(to - from), from);
    for (char *c = shown; *c != '\0'; c++)
        *c = *c == '\t' ? ' ' : *c;
    baton_text_clean(shown); /* a file must not talk to the terminal */
    (void)fprintf(stderr, "    %s%s%s\n    ", cut ? "..." : "", shown, strchr("\r\n", *to) != NULL ? "" : "..."); /* strchr finds the NUL, too */
    for (int i = (cut ? SHOWN_BEFORE + 3 : column - 1); i > 0; i--)
        (void)fputc(' ', stderr);
    (void)fputs("^\n", stderr);
}

struct place {
    const char *file, *text;
    int line, column;
};

static struct place place_of(const struct checked *checked, const struct finding *finding)
{
    const char *inside = finding->pointer;
    const struct inlined *inlined = inlined_at(&checked->inlines, finding->pointer, &inside);
    struct place place = {checked->name, checked->text, 1, 1};

    if (inlined != NULL) {
        place.file = inlined->path;
        place.text = inlined->text;
    }
    json_locate(place.text, inlined != NULL ? inlined->len : checked->len, inside, finding->of_key, &place.line, &place.column);
    if (finding->column_in_string > 0)
        place.column += finding->column_in_string; /* the opening quote comes first */
    return place;
}

static const char *level_name(const struct finding *finding)
{
    return finding->level == FINDING_ERROR ? "error" : "warning";
}

void checked_show(const struct checked *checked)
{
    if (checked->error_placed) {
        (void)fprintf(stderr, "%s:%d:%d: error: %s\n", checked->name, checked->line, checked->column, checked->error.text);
        show_line(checked->text, checked->line, checked->column);
    } else if (checked->error.code != BATON_OK) {
        (void)fprintf(stderr, "error: %s\n", checked->error.text);
    }
    for (size_t i = 0; i < checked->findings.len; i++) {
        const struct finding *finding = &checked->findings.items[i];
        const struct place place = place_of(checked, finding);

        (void)fprintf(stderr, "%s:%d:%d: %s: %s\n", place.file, place.line, place.column, level_name(finding), finding->text);
        show_line(place.text, place.line, place.column);
    }
    if (checked->findings.errors > checked->findings.len)
        (void)fprintf(stderr, "%s: and %zu more errors\n", checked->name, checked->findings.errors - checked->findings.len);
}

json_t *checked_json(const struct checked *checked)
{
    json_t *found = json_array(), *row = json_pack("{s:s, s:b}", "file", checked->name, "valid", checked->valid);

    if (checked->valid) {
        (void)json_object_set(row, "name", json_object_get(checked->document, "name"));
        (void)json_object_set(row, "version", json_object_get(checked->document, "version"));
    }
    if (checked->error_placed)
        (void)json_array_append_new(found, json_pack("{s:s, s:i, s:i, s:s, s:s}", "level", "error", "line", checked->line, "column",
                                                     checked->column, "pointer", "", "text", checked->error.text));
    else if (checked->error.code != BATON_OK)
        (void)json_array_append_new(found, json_pack("{s:s, s:n, s:n, s:s, s:s}", "level", "error", "line", "column", "pointer", "", "text",
                                                     checked->error.text));
    for (size_t i = 0; i < checked->findings.len; i++) {
        const struct finding *finding = &checked->findings.items[i];
        const struct place place = place_of(checked, finding);
        json_t *told = json_pack("{s:s, s:i, s:i, s:s, s:s}", "level", level_name(finding), "line", place.line, "column", place.column,
                                 "pointer", finding->pointer, "text", finding->text);

        if (place.file != checked->name)
            (void)json_object_set_new(told, "file", json_string(place.file));
        (void)json_array_append_new(found, told);
    }
    (void)json_object_set_new(row, "findings", found);
    return row;
}

/* --- which files --- */

struct files {
    char **names;
    size_t len, cap;
};

static enum baton_err add_file(struct files *files, const char *folder, const char *name, struct baton_error *err)
{
    char *path = NULL;

    if (files->len == files->cap) {
        size_t cap = files->cap == 0 ? 16 : files->cap * 2;
        char **names = realloc(files->names, cap * sizeof *names);

        if (names == NULL)
            return baton_fail(err, BATON_E_NOMEM, "out of memory");
        files->names = names;
        files->cap = cap;
    }
    if (asprintf(&path, "%s%s%s", folder, folder[0] != '\0' && folder[strlen(folder) - 1] != '/' ? "/" : "", name) < 0)
        return baton_fail(err, BATON_E_NOMEM, "out of memory");
    files->names[files->len++] = path;
    return BATON_OK;
}

static int json_files(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0;
}

static enum baton_err add_directory(struct files *files, const char *path, struct baton_error *err)
{
    struct dirent **entries = NULL;
    int n = scandir(path, &entries, json_files, alphasort);
    enum baton_err rc = BATON_OK;

    if (n < 0)
        return baton_fail(err, BATON_E_INVALID, "%s: not a readable directory", path);
    if (n == 0)
        rc = baton_fail(err, BATON_E_INVALID, "%s: no file in it ends in .json", path);
    for (int i = 0; i < n; i++) {
        if (rc == BATON_OK)
            rc = add_file(files, path, entries[i]->d_name, err);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

enum baton_err checked_expand(char *const *args, int args_len, char ***ret_files, size_t *ret_len, struct baton_error *err)
{
    struct files files = {0};
    enum baton_err rc = BATON_OK;

    for (int i = 0; rc == BATON_OK && i < args_len; i++) {
        struct stat about;

        rc = stat(args[i], &about) == 0 && S_ISDIR(about.st_mode) ? add_directory(&files, args[i], err) : add_file(&files, "", args[i], err);
    }
    if (rc != BATON_OK) {
        checked_files_free(files.names, files.len);
        return rc;
    }
    *ret_files = files.names;
    *ret_len = files.len;
    return BATON_OK;
}

void checked_files_free(char **files, size_t len)
{
    for (size_t i = 0; i < len; i++)
        free(files[i]);
    free(files);
}

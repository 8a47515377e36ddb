/*
 * graph_command.c -- `baton graph`: a definition from a file or as deployed, and a saga's run over it, as a picture on stdout.
 *
 * Tests:    tests/graph/test_graph.py, tests/integration/test_commands.py
 */
#include "cli.h"
#include <baton/graph.h>
#include <baton/json.h>
#include <baton/wire.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What is to be drawn, and by which name. */
struct subject {
    const char *path; /* of a file; NULL = it is deployed */
    char name[DEFINITION_NAME_MAX + 1];
    int64_t version; /* 0 = the newest, or the saga's */
    json_t *definition, *saga;
    char hash[65];
};

/* NAME or NAME@VERSION, unless there is a file of that name. */
static bool read_subject(const char *text, struct subject *subject)
{
    const char *at = strchr(text, '@');
    size_t len = at == NULL ? strlen(text) : (size_t)(at - text);
    struct stat about;

    if (strcmp(text, "-") == 0 || strchr(text, '/') != NULL || strchr(text, '.') != NULL || stat(text, &about) == 0) {
        subject->path = text;
        return true;
    }
    if (!definition_name_valid(text, len) || (at != NULL && !cli_number(at + 1, 1, INT32_MAX, &subject->version)))
        return false;
    (void)snprintf(subject->name, sizeof subject->name, "%.*s", (int)len, text);
    return true;
}

static enum baton_err read_file(struct subject *subject, struct baton_error *err)
{
    struct checked *checked = checked_file(subject->path);
    enum baton_err rc = BATON_OK;

    if (checked == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory");
    checked_show(checked);
    if (checked_document(checked) == NULL)
        rc = baton_fail(err, BATON_E_INVALID, "%s is not valid", subject->path);
    else
        rc = wire_definition_hash(checked_document(checked), subject->hash, err);
    if (rc == BATON_OK)
        subject->definition = json_incref((json_t *)(uintptr_t)checked_document(checked));
    checked_free(checked);
    return rc;
}

static enum baton_err read_deployed(struct cli *cli, struct subject *subject, struct baton_error *err)
{
    const int64_t pinned = subject->version == 0 ? json_integer_value(json_object_get(subject->saga, "version")) : subject->version;
    struct setup setup = {0};
    char *text = NULL;
    size_t created = 0;
    enum baton_err rc = setup_run(cli, false, &created, &setup, err);

    if (rc == BATON_OK && definition_store_get(setup.store, subject->name, pinned, &text, &subject->version, subject->hash) != BATON_OK)
        rc = pinned == 0 ? baton_fail(err, BATON_E_NOT_FOUND, "no definition %s is deployed (baton definitions), and there is no such file", subject->name)
                         : baton_fail(err, BATON_E_NOT_FOUND, "version %" PRId64 " of definition %s is not deployed (baton definitions)", pinned, subject->name);
    if (rc == BATON_OK)
        rc = json_parse(text, strlen(text), &json_default_limits, &subject->definition, err);
    free(text);
    setup_clear(&setup);
    return rc;
}

/* Is the saga one of this definition? A picture of another one's run would be a lie. */
static enum baton_err compare(const struct subject *subject, const char *id, struct baton_error *err)
{
    const char *name = json_string_value(json_object_get(subject->saga, "definition")), *hash = json_string_value(json_object_get(subject->saga, "hash"));

    if (name != NULL && hash != NULL && strcmp(hash, subject->hash) == 0)
        return BATON_OK;
    return baton_fail(err, BATON_E_CONFLICT, "saga %s is of %s version %" JSON_INTEGER_FORMAT ", and not of this content of %s version %" JSON_INTEGER_FORMAT, id, name,
                      json_integer_value(json_object_get(subject->saga, "version")), json_string_value(json_object_get(subject->definition, "name")),
                      json_integer_value(json_object_get(subject->definition, "version")));
}

int command_graph(struct cli *cli)
{
    const char *format_text = cli_option(cli, "--format"), *id = cli_option(cli, "--saga");
    enum graph_format format = GRAPH_SVG;
    struct subject subject = {.path = NULL};
    struct buffer out = {0};
    struct baton_error err = {0};
    enum baton_err rc = BATON_OK;

    if (format_text != NULL && !graph_format_parse(format_text, &format))
        return cli_usage(cli, "--format \"%s\": svg, mermaid or dot expected", format_text);
    cli_expect(cli, 1, 1);
    if (!read_subject(cli->args[0], &subject))
        return cli_usage(cli, "\"%s\" is neither a file nor NAME or NAME@VERSION of a definition", cli->args[0]);
    if (id != NULL)
        rc = saga_find(cli, id, &subject.saga, &err);
    if (rc == BATON_OK)
        rc = subject.path != NULL ? read_file(&subject, &err) : read_deployed(cli, &subject, &err);
    if (rc == BATON_OK && id != NULL)
        rc = compare(&subject, id, &err);
    if (rc == BATON_OK && id != NULL)
        rc = masked_by(subject.definition, subject.saga, &err);
    if (rc == BATON_OK)
        rc = graph_draw(subject.definition, subject.saga, format, &out, &err);
    if (rc == BATON_OK)
        (void)fwrite(out.data, 1, out.len, stdout);
    buffer_free(&out);
    json_decref(subject.definition);
    json_decref(subject.saga);
    return rc == BATON_OK ? EXIT_OK : cli_fail(&err);
}

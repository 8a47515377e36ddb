/*
 * parsers.c -- definition_parse and config_load as judges, and the list of what they refuse that a schema cannot.
 */
#include "parsers.h"
#include <baton/config.h>
#include <baton/definition.h>
#include <baton/json.h>
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Said of a definition beyond its shape: references between values. */
static const char *const definition_beyond[] = {
    "is the name of step",     /* names are unique */
    "is the pivot already",    /* one pivot */
    "below \"interval\"",      /* maxInterval against interval */
    "is not the name of a later sequence",
    "starts itself",
    "groups are nested",       /* depth */
    "more branches than there are",
    "a pivot cannot stand in a parallel",
    "steps expected in all",   /* of all lists together */
    "at most 3650d",           /* the value of a duration; its form is in the schema */
    "without its \"}\"",       /* templates that do not close */
    "the schema itself expected", /* a file may name one, what is published may not */
    NULL,
};

/* Said of a configuration beyond its shape. */
static const char *const configuration_beyond[] = {
    "is named twice among the inputs", "are both \"", /* topics differ */
    " is out of its range, ",                         /* of a duration; that of a number is in the schema */
    "is not a duration such as",                      /* too long for one; its form is in the schema */
    "kafka property \"",                              /* librdkafka's own names, types and ranges */
    "more than 32 input topics",                      /* start topics and reply topics together */
    NULL,
};

static bool says(const char *text, const char *const *phrases)
{
    for (; *phrases != NULL; phrases++) {
        if (strstr(text, *phrases) != NULL)
            return true;
    }
    return false;
}

/* Inside of a payload schema another standard rules. What is no object at all is said of its place, and is shape. */
static bool in_payload_schema(const struct finding *finding)
{
    const char *at = strstr(finding->pointer, "/schema");

    return at != NULL && (at[7] == '/' || at[7] == '\0') && strstr(finding->text, "a JSON Schema, or") == NULL;
}

/* An expression or a reference stands inside a string: a place in it is given. */
static bool beyond_shape(const struct finding *finding)
{
    if (strstr(finding->text, "an expression \"${...}\" expected") != NULL)
        return false;
    return finding->column_in_string > 0 || in_payload_schema(finding) || says(finding->text, definition_beyond);
}

enum verdict parser_definition(const char *text, char *why, size_t why_size)
{
    static struct findings findings;
    struct expr_vm *vm = expr_vm_new();
    struct definition *definition = NULL;
    struct baton_error err = {0};
    json_t *doc = NULL;
    enum verdict verdict = VERDICT_REFUSED;

    if (json_parse(text, strlen(text), &json_default_limits, &doc, &err) != BATON_OK) {
        (void)snprintf(why, why_size, "%s", err.text);
    } else if (definition_parse(doc, vm, &findings, &definition) == BATON_OK) {
        (void)snprintf(why, why_size, "accepted");
        verdict = VERDICT_ACCEPTED;
    } else {
        size_t used = 0;

        verdict = findings.errors > FINDINGS_MAX ? VERDICT_REFUSED : VERDICT_REFUSED_BEYOND;
        for (size_t i = 0; i < findings.len; i++) {
            if (findings.items[i].level != FINDING_ERROR)
                continue;
            if (!beyond_shape(&findings.items[i]))
                verdict = VERDICT_REFUSED;
            if (used < why_size)
                used += (size_t)snprintf(why + used, why_size - used, "%s: %s\n", findings.items[i].pointer, findings.items[i].text);
        }
    }
    definition_free(definition);
    json_decref(doc);
    expr_vm_free(vm);
    return verdict;
}

enum verdict parser_configuration(const char *text, const char *file, char *why, size_t why_size)
{
    FILE *out = fopen(file, "we");
    struct config *config = NULL;
    struct baton_error err = {0};
    enum baton_err rc = BATON_OK;

    if (out == NULL || fputs(text, out) < 0 || fclose(out) != 0) {
        (void)fprintf(stderr, "%s cannot be written\n", file);
        exit(EXIT_FAILURE);
    }
    rc = config_load(file, NULL, 0, &config, &err);
    config_free(config);
    (void)snprintf(why, why_size, "%s", rc == BATON_OK ? "accepted" : err.text);
    if (rc == BATON_OK)
        return VERDICT_ACCEPTED;
    /* A property that breaks a promise is refused by name: the schema knows the name. */
    return says(err.text, configuration_beyond) && strstr(err.text, "\" cannot be set: ") == NULL ? VERDICT_REFUSED_BEYOND : VERDICT_REFUSED;
}

const char *parser_kafka_property(size_t index, const char **ret_value)
{
    static const char **dump;
    static size_t dump_len;

    if (dump == NULL) {
        rd_kafka_conf_t *conf = rd_kafka_conf_new();

        dump = rd_kafka_conf_dump(conf, &dump_len); /* for the life of the test */
        rd_kafka_conf_destroy(conf);
    }
    if (2 * index + 1 >= dump_len)
        return NULL;
    *ret_value = dump[2 * index + 1];
    return dump[2 * index];
}

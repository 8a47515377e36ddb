/*
 * test_dataref.c -- a reference goes on with its data, and with nothing else.
 */
#include "rows.h"
#include <baton/apply.h>
#include <baton/json.h>
#include <stdlib.h>
#include <string.h>

/* `put` stands as a template in a step behind two that have given a reference each, `mapped` by way of a reply mapping. */
static const struct row {
    const char *name, *put, *then;
} rows[] = {
    {"the whole input", "${input}", "s3://input"},
    {"a part of it is other data", "${input.a}", NULL},
    {"a whole output", "${steps.first.output}", "s3://first"},
    {"a part of it is other data, too", "${steps.first.output.r}", NULL},
    {"an output by an index is computed", "${steps['first'].output}", NULL},
    {"what a mapping has made is not what came", "${steps.mapped.output}", NULL},
    {"a mapping that takes the body as it is", "${steps.same.output}", "s3://same"},
    {"a computed value", "${input or 1}", NULL},
    {"a text around it", "x${input}", NULL},
    {"a fixed value", "x", NULL},
};

static json_t *document(const char *put)
{
    return json_pack("{s:s, s:i, s:["
                     "{s:s, s:s, s:s, s:{s:s}},"
                     "{s:s, s:s, s:s, s:{s:s}, s:{s:s}},"
                     "{s:s, s:s, s:s, s:s},"
                     "{s:s, s:s, s:s, s:s}]}",
                     "name", "d", "version", 1, "steps",
                     "name", "first", "service", "s", "command", "C", "compensation", "command", "U",
                     "name", "mapped", "service", "s", "command", "C", "reply", "output", "${body.r}", "compensation", "command", "U",
                     "name", "same", "service", "s", "command", "C", "output", "${body}",
                     "name", "put", "service", "s", "command", "C", "input", put);
}

static void answer(struct saga **saga, struct effects *effects, int step, const char *dataref)
{
    json_t *body = json_pack("{s:i}", "r", 1), *reference = json_string(dataref);
    struct saga_event event = {.kind = EVENT_REPLY, .at_ms = 2000 + step, .place = AT(step), .action = ACTION_EXECUTE, .attempt = 1, .body = body, .dataref = reference};

    assert_int_equal(saga_apply(saga, &event, effects), BATON_OK);
    json_decref(body);
    json_decref(reference);
}

static void check_row(void **state)
{
    const struct row *row = *state;
    json_t *doc = document(row->put), *input = json_pack("{s:i}", "a", 1), *reference = json_string("s3://input");
    struct expr_vm *vm = expr_vm_new();
    struct findings *findings = calloc(1, sizeof *findings);
    struct definition *definition = NULL;
    struct saga *saga = NULL, *copy = NULL;
    struct effects effects = {0};
    struct saga_event start = {.kind = EVENT_START, .at_ms = 1000, .saga_id = "o-1", .input = input, .dataref = reference};
    const json_t *got = NULL;

    assert_int_equal(definition_parse(doc, vm, findings, &definition), BATON_OK);
    assert_int_equal(saga_start(definition, &start, &saga, &effects), BATON_OK);
    answer(&saga, &effects, 0, "s3://first");
    answer(&saga, &effects, 1, "s3://mapped");
    answer(&saga, &effects, 2, "s3://same");
    copy = saga_clone(saga);
    got = saga_dataref(copy, definition->steps[3].input, AT(3), false);
    assert_string_equal(got == NULL ? "none" : json_string_value(got), row->then == NULL ? "none" : row->then);
    saga_free(copy);
    saga_free(saga);
    effects_free(&effects);
    definition_free(definition);
    expr_vm_free(vm);
    free(findings);
    json_decref(reference);
    json_decref(input);
    json_decref(doc);
}

int main(void)
{
    return RUN_ROWS(rows, check_row);
}

/*
 * test_reply.c -- what a reply means: the first rule that fits, a row each (docs/protocol.md, "Outcome of a reply").
 *
 * then: the outcome, and the output or the error.
 */
#include "reply.h"
#include "rows.h"

enum { PLAIN, MAPPED, SHAPED, BROKEN, TYPED }; /* steps of the definition */

static const char document[] =
    "{\"name\":\"d\",\"version\":1,\"steps\":["
    "{\"name\":\"plain\",\"service\":\"s\",\"command\":\"C\"},"
    "{\"name\":\"mapped\",\"service\":\"s\",\"command\":\"C\",\"reply\":{\"success\":\"${body.status == 'OK'}\",\"retry\":\"${headers.later}\","
    "\"code\":\"${body.reason}\",\"output\":\"${body.data}\"}},"
    "{\"name\":\"shaped\",\"service\":\"s\",\"command\":\"C\",\"output\":{\"n\":\"${body.n + 1}\"}},"
    "{\"name\":\"broken\",\"service\":\"s\",\"command\":\"C\",\"reply\":{\"success\":\"${body.no + 1}\"}},"
    "{\"name\":\"typed\",\"service\":\"s\",\"command\":\"C\",\"output\":{\"n\":\"${body.n + 1}\"},"
    "\"reply\":{\"schema\":{\"type\":\"object\",\"required\":[\"n\"],\"properties\":{\"n\":{\"type\":\"integer\"}}}}}]}";

static const struct row {
    const char *name;
    int step;
    enum reply_header_outcome outcome;
    bool problem;
    const char *body; /* NULL = none */
    const char *then;
} reply_rows[] = {
    /* 1: the header */
    {"the header says success, whatever the body says", PLAIN, REPLY_SUCCESS, false, "{\"error\":{\"code\":\"X\"}}", "success {\"error\":{\"code\":\"X\"}}"},
    {"the header goes before problem+json", PLAIN, REPLY_SUCCESS, true, "{\"a\":1}", "success {\"a\":1}"},
    {"the header goes before the mapping", MAPPED, REPLY_SUCCESS, false, "{\"status\":\"NO\"}", "success {\"status\":\"NO\"}"},
    {"a success without a body has the output null", PLAIN, REPLY_SUCCESS, false, NULL, "success null"},
    {"the header says failure", PLAIN, REPLY_FAILURE, false, "{\"code\":\"X\",\"message\":\"m\"}", "failure {\"code\":\"X\",\"message\":\"m\"}"},
    {"a failure without a word has a code", PLAIN, REPLY_FAILURE, false, NULL, "failure {\"code\":\"REFUSED\",\"message\":\"\"}"},
    {"a failure that is a text", PLAIN, REPLY_FAILURE, false, "\"no stock\"", "failure {\"code\":\"REFUSED\",\"message\":\"no stock\"}"},
    {"the header says retry", PLAIN, REPLY_RETRY, false, "{}", "retry {\"code\":\"TRANSIENT\",\"message\":\"\"}"},
    {"the header says retry of what is not retryable", PLAIN, REPLY_RETRY, false, "{\"error\":{\"code\":\"X\",\"retryable\":false}}",
     "retry {\"code\":\"X\",\"message\":\"\"}"},
    {"the header says pending", PLAIN, REPLY_PENDING, false, "{\"error\":{\"code\":\"X\"}}", "pending"},

    /* 2: problem+json, kafka_nest-err */
    {"a problem is a failure", PLAIN, REPLY_UNSAID, true, "{\"type\":\"T\",\"title\":\"t\",\"detail\":\"d\"}", "failure {\"code\":\"T\",\"message\":\"d\"}"},
    {"a problem goes before the mapping", MAPPED, REPLY_UNSAID, true, "{\"status\":\"OK\"}", "failure {\"code\":\"REFUSED\",\"message\":\"\"}"},
    {"a problem is no retry", PLAIN, REPLY_UNSAID, true, "{\"error\":{\"code\":\"X\",\"retryable\":true}}", "failure {\"code\":\"X\",\"message\":\"\"}"},

    /* 3: the mapping */
    {"the mapping says success", MAPPED, REPLY_UNSAID, false, "{\"status\":\"OK\",\"data\":[1]}", "success [1]"},
    {"the mapping goes before the body's error", MAPPED, REPLY_UNSAID, false, "{\"status\":\"OK\",\"error\":{\"code\":\"X\"}}", "success null"},
    {"the mapping says failure, with its code", MAPPED, REPLY_UNSAID, false, "{\"status\":\"NO\",\"reason\":\"R\",\"message\":\"m\"}",
     "failure {\"code\":\"R\",\"message\":\"m\"}"},
    {"a code that is no text is none", MAPPED, REPLY_UNSAID, false, "{\"reason\":7}", "failure {\"code\":\"REFUSED\",\"message\":\"\"}"},
    {"a mapping that fails is a failure", BROKEN, REPLY_UNSAID, false, "{}", "failure EXPRESSION"},

    /* 4: the body's error */
    {"the body has an error", PLAIN, REPLY_UNSAID, false, "{\"error\":{\"code\":\"X\",\"message\":\"m\",\"details\":{\"a\":[1]}}}",
     "failure {\"code\":\"X\",\"message\":\"m\",\"details\":{\"a\":[1]}}"},
    {"a retryable one", PLAIN, REPLY_UNSAID, false, "{\"error\":{\"code\":\"X\",\"retryable\":true}}", "retry {\"code\":\"X\",\"message\":\"\"}"},
    {"an error that is a text", PLAIN, REPLY_UNSAID, false, "{\"error\":\"no\"}", "failure {\"code\":\"REFUSED\",\"message\":\"no\"}"},
    {"an error that is false is one", PLAIN, REPLY_UNSAID, false, "{\"error\":false}", "failure {\"code\":\"REFUSED\",\"message\":\"\"}"},
    {"an error that is null is none", PLAIN, REPLY_UNSAID, false, "{\"error\":null,\"a\":1}", "success {\"error\":null,\"a\":1}"},

    /* 5: else */
    {"else it is a success, and the body the output", PLAIN, REPLY_UNSAID, false, "[1,2.5]", "success [1,2.5]"},
    {"no body is a success too", PLAIN, REPLY_UNSAID, false, NULL, "success null"},

    /* the step's output */
    {"the step's output shapes it", SHAPED, REPLY_UNSAID, false, "{\"n\":1}", "success {\"n\":2}"},
    {"a failure is not shaped", SHAPED, REPLY_FAILURE, false, "{\"n\":1}", "failure {\"code\":\"REFUSED\",\"message\":\"\"}"},
    {"a shape that fails leaves what came, and says so", SHAPED, REPLY_UNSAID, false, "{}", "success {} but EXPRESSION"},

    /* the step's schema */
    {"a body as the schema demands", TYPED, REPLY_UNSAID, false, "{\"n\":1}", "success {\"n\":2}"},
    {"another body leaves what came, unshaped, and says what is wrong", TYPED, REPLY_SUCCESS, false, "{\"n\":\"1\"}",
     "success {\"n\":\"1\"} but {\"code\":\"SCHEMA\",\"message\":\"/n: a whole number expected, not a text\"}"},
    {"no body counts as null", TYPED, REPLY_UNSAID, false, NULL,
     "success null but {\"code\":\"SCHEMA\",\"message\":\"(root): an object expected, not null\"}"},
    {"a schema alone is no mapping: the body tells the outcome", TYPED, REPLY_UNSAID, false, "{\"error\":{\"code\":\"X\"}}", "failure {\"code\":\"X\",\"message\":\"\"}"},
    {"a failure is not held against the schema", TYPED, REPLY_FAILURE, false, "{\"code\":\"X\"}", "failure {\"code\":\"X\",\"message\":\"\"}"},
};

static struct expr_vm *vm;
static struct definition *definition;

static void say_meaning(struct buffer *said, const struct reply_meaning *meaning)
{
    static const char *const outcomes[] = {"unsaid", "success", "failure", "retry", "pending"};
    const char *code = json_string_value(json_object_get(meaning->error, "code"));

    say(said, "%s", outcomes[meaning->outcome]);
    if (meaning->output != NULL) {
        buffer_char(said, ' ');
        json_write(said, meaning->output);
    }
    if (code != NULL && strcmp(code, "EXPRESSION") == 0) { /* its message is Lua's */
        say(said, "%s EXPRESSION", meaning->output_failed ? " but" : "");
    } else if (meaning->error != NULL) {
        say(said, "%s ", meaning->output_failed ? " but" : "");
        json_write(said, meaning->error);
    }
}

static void classify(const struct saga_event *event, struct buffer *said)
{
    struct expr_scope scope = {.index = -1, .saga_id = "o-1", .saga_type = "d", .saga_version = 1};
    struct reply_meaning meaning = {.output_failed = false};

    assert_true(reply_classify(definition, event, &scope, &meaning));
    say_meaning(said, &meaning);
    reply_meaning_clear(&meaning);
}

static void check_reply(void **state)
{
    const struct row *row = *state;
    json_t *body = row->body == NULL ? NULL : parse(row->body);
    struct buffer said = {0};

    classify(&(struct saga_event){.kind = EVENT_REPLY, .place = AT(row->step), .attempt = 1, .outcome = row->outcome, .problem = row->problem, .body = body}, &said);
    assert_text(row->name, &said, row->then);
    buffer_free(&said);
    json_decref(body);
}

static void the_mapping_sees_headers_and_goes_by_retry_first(void **state)
{
    json_t *body = parse("{\"status\":\"OK\",\"reason\":\"R\"}"), *headers = parse("{\"later\":\"1\"}");
    struct buffer said = {0};

    (void)state;
    classify(&(struct saga_event){.kind = EVENT_REPLY, .place = AT(MAPPED), .attempt = 1, .body = body, .headers = headers}, &said);
    assert_text("retry", &said, "retry {\"code\":\"R\",\"message\":\"\"}");
    buffer_free(&said);
    json_decref(body);
    json_decref(headers);
}

/* The mapping and the output are of the command, not of its undoing. */
static void a_compensation_is_read_without_the_mapping(void **state)
{
    json_t *body = parse("{\"status\":\"NO\"}");
    struct buffer said = {0};

    (void)state;
    classify(&(struct saga_event){.kind = EVENT_REPLY, .place = AT(MAPPED), .action = ACTION_COMPENSATE, .attempt = 1, .body = body}, &said);
    assert_text("mapped", &said, "success {\"status\":\"NO\"}");
    buffer_clear(&said);
    classify(&(struct saga_event){.kind = EVENT_REPLY, .place = AT(SHAPED), .action = ACTION_COMPENSATE, .attempt = 1, .body = body}, &said);
    assert_text("shaped", &said, "success {\"status\":\"NO\"}");
    buffer_free(&said);
    json_decref(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mapping_sees_headers_and_goes_by_retry_first),
        cmocka_unit_test(a_compensation_is_read_without_the_mapping),
    };
    struct findings *findings = calloc(1, sizeof *findings);
    json_t *doc = parse(document);
    int failed = 1;

    vm = expr_vm_new();
    if (findings != NULL && definition_parse(doc, vm, findings, &definition) == BATON_OK)
        failed = RUN_ROWS(reply_rows, check_reply) + cmocka_run_group_tests(tests, NULL, NULL);
    definition_free(definition);
    expr_vm_free(vm);
    json_decref(doc);
    free(findings);
    return failed;
}

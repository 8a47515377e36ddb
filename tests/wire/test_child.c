/*
 * test_child.c -- what a saga and its child tell each other: the records byte for byte, and what is read of them and of others.
 */
#include "support.h"

static const struct wire_names names = {.replies = "baton.replies", .control = "baton.control", .command_prefix = "", .source_prefix = ""};

/* --- records --- */

/* The third step, ship, stands for one that starts a child. */
struct given_child {
    struct definition definition;
    struct definition_step steps[6];
    struct saga *saga;
    struct effect effect;
};

static void given_child_init(struct given_child *given, const char *parent)
{
    struct saga_step *step = NULL;

    given->saga = order_saga();
    given->definition = order_definition;
    memcpy(given->steps, order_definition.steps, sizeof given->steps);
    given->steps[3].kind = STEP_SAGA;
    given->steps[3].child = (char *)"shipping";
    given->definition.steps = given->steps;
    given->saga->definition = &given->definition;
    given->saga->parent = parent == NULL ? NULL : parse(parent);
    step = saga_step_add(given->saga, AT(3));
    assert_non_null(step);
    step->child = json_string("o-1001.ship");
    given->effect = (struct effect){.kind = EFFECT_CHILD, .place = AT(3), .attempt = 1, .input = parse("{\"total\":19.99}")};
}

static void given_child_clear(struct given_child *given)
{
    json_decref(given->effect.input);
    saga_free(given->saga);
}

static const struct row {
    const char *name;
    const char *parent; /* of the saga that sends it */
    int64_t version;
    bool detached;
    enum saga_action action;
    const char *then;
} rows[] = {
    {"a start", NULL, 0, false, ACTION_EXECUTE,
     "topic baton.control partition -1\nkey o-1001.ship\nbaton-parent: o-1001/ship/x/1\ncontent-type: application/json\n"
     "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-4f0e3ce9e6dbd1dd-01\ntracestate: vendor=1\nsaga-type: shipping\nbaton-depth: 1\n{\"total\":19.99}"},
    {"of a version, by a child itself, not awaited", "{\"saga\":\"p\",\"step\":\"k\",\"attempt\":1,\"depth\":2}", 3, true, ACTION_EXECUTE,
     "topic baton.control partition -1\nkey o-1001.ship\nbaton-parent: o-1001/ship/x/1\ncontent-type: application/json\n"
     "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-4f0e3ce9e6dbd1dd-01\ntracestate: vendor=1\nsaga-type: shipping\nsaga-version: 3\nbaton-depth: 3\nbaton-detached: true\n"
     "{\"total\":19.99}"},
    {"its undoing", NULL, 0, false, ACTION_COMPENSATE,
     "topic baton.control partition -1\nkey o-1001.ship\nbaton-parent: o-1001/ship/c/1\ncontent-type: application/json\n"
     "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-4f0e3ce9e6dbd1dd-01\ntracestate: vendor=1\n"
     "{\"verb\":\"compensate\",\"who\":\"o-1001\",\"why\":\"compensation of its parent's step ship\"}"},
};

/* The span is one of this message: compared without it. */
static void cut_span(struct buffer *said)
{
    char *at = strstr(buffer_cstr(said), "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-");

    assert_non_null(at);
    memcpy(at + strlen("traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-"), "4f0e3ce9e6dbd1dd", 16);
}

/* As a consumer gets it. */
static struct bus_message message_of(const struct bus_record *record)
{
    struct bus_message message = {.key = record->key, .key_len = record->key_len, .value = record->value, .value_len = record->value_len,
                                  .headers_len = record->headers_len, .headers_total = record->headers_len};

    memcpy(message.headers, record->headers, record->headers_len * sizeof *record->headers);
    return message;
}

static void check_read_back(const struct row *row, const struct bus_record *record)
{
    struct bus_message message = message_of(record);
    struct baton_error err = {BATON_OK, ""};
    enum dlq_reason reason = DLQ_REASON_COUNT;
    struct wire_control control;
    struct wire_start start;
    char id[SAGA_ID_MAX + 1];
    json_t *parent = NULL;

    assert_int_equal(wire_child_is_start(&message), row->action == ACTION_EXECUTE);
    if (row->action == ACTION_EXECUTE) {
        if (wire_child_start_read(&message, &json_default_limits, &start, &reason, &err) != BATON_OK)
            fail_msg("%s", err.text);
        assert_string_equal(start.id, "o-1001.ship");
        assert_string_equal(start.type, "shipping");
        assert_int_equal(start.version, row->version);
        assert_non_null(start.traceparent);
        parent = row->detached ? parse("{\"saga\":\"o-1001\",\"step\":\"ship\",\"attempt\":1,\"depth\":3,\"detached\":true}")
                               : parse("{\"saga\":\"o-1001\",\"step\":\"ship\",\"attempt\":1,\"depth\":1}");
        assert_true(json_equal(start.parent, parent));
        wire_start_clear(&start);
    } else {
        if (wire_control_read(&message, &json_default_limits, id, &control, &reason, &err) != BATON_OK)
            fail_msg("%s", err.text);
        parent = parse("{\"saga\":\"o-1001\",\"step\":\"ship\",\"attempt\":1}");
        assert_true(json_equal(wire_control_event(&control, 0).parent, parent));
        wire_control_clear(&control);
    }
    json_decref(parent);
}

static void check_record(void **state)
{
    const struct row *row = *state;
    struct given_child given;
    struct wire_out out = {.text = {0}};
    struct buffer said = {0};

    given_child_init(&given, row->parent);
    given.steps[3].child_version = row->version;
    given.steps[3].detached = row->detached;
    given.effect.action = row->action;
    assert_int_equal(wire_child_write(given.saga, &given.effect, &names, &out, NULL), BATON_OK);
    say_record(&said, &out.record);
    cut_span(&said);
    assert_text(row->name, &said, row->then);
    check_read_back(row, &out.record);
    buffer_free(&said);
    wire_out_free(&out);
    given_child_clear(&given);
}

/* --- what is no start of a child, and no undoing --- */

static const struct wrong_row {
    const char *name;
    const char *headers, *value;
    const char *then; /* the dead letter's reason */
} wrong_rows[] = {
    {"a start without a parent", "saga-type: d", "{}", "invalid-control"},
    {"a parent that is none", "saga-type: d\nbaton-parent: o-1\nbaton-depth: 1", "{}", "invalid-control"},
    {"a start that undoes", "saga-type: d\nbaton-parent: o-1/s/c/1\nbaton-depth: 1", "{}", "invalid-control"},
    {"without a depth", "saga-type: d\nbaton-parent: o-1/s/x/1", "{}", "invalid-control"},
    {"at the depth of who has no parent", "saga-type: d\nbaton-parent: o-1/s/x/1\nbaton-depth: 0", "{}", "invalid-control"},
    {"too deep", "saga-type: d\nbaton-parent: o-1/s/x/1\nbaton-depth: 9", "{}", "invalid-control"},
    {"no object", "saga-type: d\nbaton-parent: o-1/s/x/1\nbaton-depth: 1", "[]", "not-an-object"},
    {"an undoing that starts", "baton-parent: o-1/s/x/1", "{\"verb\":\"compensate\",\"who\":\"o-1\"}", "invalid-control"},
    {"a parent that cancels", "baton-parent: o-1/s/c/1", "{\"verb\":\"cancel\",\"who\":\"o-1\"}", "invalid-control"},
    {"a parent that signals", "baton-parent: o-1/s/c/1", "{\"verb\":\"signal\",\"name\":\"go\"}", "invalid-control"},
};

static void check_wrong(void **state)
{
    const struct wrong_row *row = *state;
    enum dlq_reason reason = DLQ_REASON_COUNT;
    struct baton_error err = {BATON_OK, ""};
    struct wire_control control;
    struct wire_start start;
    struct given given;
    char id[SAGA_ID_MAX + 1];

    given_message(&given, "o-1.s", row->headers, row->value);
    assert_int_equal(wire_child_is_start(&given.message) ? wire_child_start_read(&given.message, &json_default_limits, &start, &reason, &err)
                                                         : wire_control_read(&given.message, &json_default_limits, id, &control, &reason, &err), BATON_E_POISON);
    assert_string_equal(dlq_reason_name(reason), row->then);
    given_clear(&given);
}

/* --- the answer --- */

static void an_answer_is_signed_and_read_as_any_reply(void **state)
{
    static const char key[] = "0123456789abcdef0123456789abcdef";
    json_t *body = parse("{\"error\":{\"code\":\"NO\",\"message\":\"\"}}");
    const struct wire_child_answer answer = {.parent_id = "o-1001", .step = "ship", .action = ACTION_EXECUTE, .attempt = 2, .child_id = "o-1001.ship",
                                             .outcome = REPLY_FAILURE, .body = body};
    struct wire_names signing = names;
    struct wire_out out = {.text = {0}};
    struct buffer said = {0};
    struct bus_message message;
    struct wire_message_id id;
    enum dlq_reason reason;

    (void)state;
    assert_int_equal(wire_child_answer_write(&answer, &names, &out, NULL), BATON_OK);
    say_record(&said, &out.record);
    assert_text("answer", &said, "topic baton.replies partition -1\nkey o-1001\nkafka_correlationId: o-1001/ship/x/2\nsaga-outcome: failure\nbaton-child: o-1001.ship\n"
                                 "content-type: application/json\n{\"error\":{\"code\":\"NO\",\"message\":\"\"}}");
    assert_int_equal(wire_signer_new(key, strlen(key), &signing.signer, NULL), BATON_OK);
    message = message_of(&out.record);
    assert_int_equal(wire_reply_id(&message, signing.signer, &id, &reason, NULL), BATON_E_POISON); /* made up by somebody without the key */
    assert_int_equal(reason, DLQ_BAD_SIGNATURE);
    assert_int_equal(wire_child_answer_write(&answer, &signing, &out, NULL), BATON_OK);
    message = message_of(&out.record);
    assert_int_equal(wire_reply_id(&message, signing.signer, &id, &reason, NULL), BATON_OK);
    assert_string_equal(id.step, "ship");
    assert_int_equal(id.attempt, 2);
    wire_signer_free(signing.signer);
    buffer_free(&said);
    wire_out_free(&out);
    json_decref(body);
}

static void who_waits_for_an_answer_is_known_of_a_message_that_cannot_be_read(void **state)
{
    static const struct { const char *headers; bool waits; } messages[] = {
        {"saga-type: d\nbaton-parent: o-1/s/x/3", true}, {"saga-type: d\nbaton-parent: o-1/s/x/3\nbaton-detached: true", false}, {"baton-parent: o-1/s/c/3", true},
        {"baton-parent: %00", false}, {NULL, false}};

    (void)state;
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        struct wire_message_id id = {.attempt = 0};
        struct given given;

        given_message(&given, "o-1.s", messages[i].headers, "{");
        assert_int_equal(wire_child_asker(&given.message, &id), messages[i].waits);
        assert_int_equal(id.attempt, messages[i].waits ? 3 : 0);
        given_clear(&given);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_signed_and_read_as_any_reply),
        cmocka_unit_test(who_waits_for_an_answer_is_known_of_a_message_that_cannot_be_read),
    };

    return RUN_ROWS(rows, check_record) + RUN_ROWS(wrong_rows, check_wrong) + cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_state.c -- the state document: its form, and that what is written reads back the same.
 */
#include "random_saga.h"

static const char golden[] =
    "{\"id\":\"o-1001\",\"definition\":\"order\",\"version\":3,"
    "\"hash\":\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\","
    "\"status\":\"running\",\"seq\":2,\"startedAt\":1769860800000,\"updatedAt\":1769860800120,\"endedAt\":null,"
    "\"deadlineAt\":1769861700000,\"dueAt\":1769860810120,\"input\":{\"total\":19.99,\"items\":[{\"sku\":\"A-1\","
    "\"count\":2}]},"
    "\"output\":null,\"error\":null,\"parked\":null,\"turnedBack\":false,"
    "\"traceparent\":\"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\",\"tracestate\":\"vendor=1\","
    "\"replyTo\":{\"topic\":\"shop.replies\",\"correlation\":\"cart-7\"},\"duplicates\":0,\"late\":0,"
    "\"steps\":{\"reserve\":{\"status\":\"done\",\"attempts\":1,\"doneOrder\":1,\"firstAt\":1769860800000,\"sentAt\":"
    "1769860800000,"
    "\"settledAt\":1769860800120,\"output\":{\"reservation\":\"r-17\"}},"
    "\"authorize\":{\"status\":\"running\",\"attempts\":1,\"firstAt\":1769860800120,\"sentAt\":1769860800120,\"dueAt\":"
    "1769860810120}},"
    "\"history\":[[0,\"started\",null,0],[0,\"sent\",\"reserve\",1],[120,\"done\",\"reserve\",1],[120,\"sent\","
    "\"authorize\",1]],"
    "\"historyDropped\":0}";

static void the_document_is_byte_for_byte(void **state)
{
    struct saga *saga = order_saga();
    struct buffer text = {0};

    (void)state;
    wire_state_write(&text, saga);
    assert_text("state", &text, golden);
    buffer_free(&text);
    saga_free(saga);
}

/* --- what is refused --- */

static const struct row {
    const char *name;
    const char *pointer; /* member of the document; "a.b" goes down */
    const char *value;   /* JSON; NULL = remove it */
    const char *then;    /* part of the error; NULL = accepted */
} wrong_rows[] = {
    {"a missing definition", "definition", NULL, "definition, version or hash is missing"},
    {"another definition", "definition", "\"refund\"", "\"refund\" version 3"},
    {"another version", "version", "4", "version 4"},
    {"another hash", "hash", "\"00\"", "hash 00"},
    {"an id that is none", "id", "\"o 1\"", "\"id\" is wrong"},
    {"an unknown status", "status", "\"sleeping\"", "\"status\" is wrong"},
    {"seq 0", "seq", "0", "\"seq\" is wrong"},
    {"seq as text", "seq", "\"2\"", "\"seq\" is wrong"},
    {"seq as a real", "seq", "2.0", "\"seq\" is wrong"},
    {"a negative time", "dueAt", "-1", "\"dueAt\" is wrong"},
    {"an input that is no object", "input", "[]", "\"input\" is wrong"},
    {"no input", "input", NULL, "\"input\" is wrong"},
    {"parked without a reason", "parked", "{\"from\":\"running\"}", "\"parked\" is wrong"},
    {"parked from nowhere", "parked", "{\"reason\":\"x\",\"from\":\"x\"}", "\"parked\" is wrong"},
    {"turnedBack that is no flag", "turnedBack", "1", "\"turnedBack\" is wrong"},
    {"a trace that is no text", "traceparent", "1", "\"traceparent\" is wrong"},
    {"replyTo without a topic", "replyTo", "{\"correlation\":\"x\"}", "\"replyTo\" is wrong"},
    {"no steps", "steps", NULL, "\"steps\" is wrong"},
    {"a step the definition does not have", "steps", "{\"fly\":{\"status\":\"done\"}}", "\"steps\" is wrong"},
    {"a step without status", "steps", "{\"ship\":{}}", "\"status\" of step \"ship\" is wrong"},
    {"a step that is no object", "steps", "{\"ship\":1}", "\"status\" of step \"ship\" is wrong"},
    {"attempts beyond int", "steps", "{\"ship\":{\"status\":\"done\",\"attempts\":2147483648}}",
     "\"attempts\" of step \"ship\" is wrong"},
    {"a child that is no id", "steps", "{\"ship\":{\"status\":\"done\",\"child\":1}}", "\"child\" of step \"ship\" is wrong"},
    {"a parent without a step", "parent", "{\"saga\":\"o-7\",\"attempt\":1,\"depth\":1}", "\"parent\" is wrong"},
    {"a parent that is none", "parent", "\"o-7\"", "\"parent\" is wrong"},
    {"a parent", "parent", "{\"saga\":\"o-7\",\"step\":\"pay\",\"attempt\":1,\"depth\":1}", NULL},
    {"no history", "history", NULL, "\"history\" is wrong"},
    {"a history entry of three", "history", "[[0,\"sent\",null]]", "\"history\" is wrong"},
    {"an unknown history kind", "history", "[[0,\"flew\",null,0]]", "\"history\" is wrong"},
    {"history of an unknown step", "history", "[[0,\"sent\",\"fly\",0]]", "\"history\" is wrong"},
    {"a member left out that is null anyway", "error", NULL, NULL},
    {"a member of a newer version", "somethingNew", "1", NULL},
};

static void check_wrong(void **state)
{
    const struct row *row = *state;
    json_t *doc = parse(golden);
    struct saga *saga = NULL;
    struct baton_error err = {BATON_OK, ""};
    enum baton_err rc;

    if (row->value == NULL)
        json_object_del(doc, row->pointer);
    else
        json_object_set_new(doc, row->pointer, parse(row->value));
    rc = wire_state_read(doc, &order_definition, &saga, &err);
    json_decref(doc);
    if (row->then == NULL) {
        assert_int_equal(rc, BATON_OK);
        saga_free(saga);
        return;
    }
    assert_int_equal(rc, BATON_E_INVALID);
    assert_null(saga);
    if (strstr(err.text, row->then) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.text, row->then);
}

static void anything_but_an_object_is_refused(void **state)
{
    static const char *const texts[] = {"null", "1", "\"x\"", "[]", "{}"};
    struct saga *saga = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        json_t *doc = parse(texts[i]);
        struct wire_summary summary;

        assert_int_equal(wire_state_read(doc, &order_definition, &saga, NULL), BATON_E_INVALID);
        assert_false(wire_state_summary(doc, &summary));
        json_decref(doc);
    }
}

static void more_history_than_is_kept_is_refused(void **state)
{
    json_t *doc = parse(golden);
    json_t *history = json_object_get(doc, "history");
    struct saga *saga = NULL;

    (void)state;
    while (json_array_size(history) < SAGA_HISTORY_MAX)
        json_array_append(history, json_array_get(history, 0));
    assert_int_equal(wire_state_read(doc, &order_definition, &saga, NULL), BATON_OK);
    saga_free(saga);
    json_array_append(history, json_array_get(history, 0));
    assert_int_equal(wire_state_read(doc, &order_definition, &saga, NULL), BATON_E_INVALID);
    json_decref(doc);
}

static void the_summary_is_what_the_view_needs(void **state)
{
    json_t *doc = parse(golden);
    struct wire_summary summary;
    const char *name, *hash;
    int64_t version;

    (void)state;
    assert_true(wire_state_summary(doc, &summary));
    assert_string_equal(summary.id, "o-1001");
    assert_string_equal(summary.type, "order");
    assert_int_equal(summary.seq, 2);
    assert_int_equal(summary.status, SAGA_RUNNING);
    assert_int_equal(summary.due_ms, 1769860810120);
    assert_int_equal(summary.updated_ms, 1769860800120);
    json_object_set_new(doc, "dueAt", json_null());
    assert_true(wire_state_summary(doc, &summary));
    assert_int_equal(summary.due_ms, 0);
    assert_true(wire_state_definition(doc, &name, &version, &hash));
    assert_string_equal(name, "order");
    assert_int_equal(version, 3);
    assert_string_equal(hash, order_definition.hash);
    json_decref(doc);
}

/* --- properties --- */

static void assert_json_equal(const char *what, const json_t *a, const json_t *b)
{
    if ((a == NULL || json_is_null(a)) && (b == NULL || json_is_null(b)))
        return;
    if (!json_equal(a, b))
        fail_msg("%s differs", what);
}

static void assert_text_equal(const char *what, const char *a, const char *b)
{
    if ((a == NULL) != (b == NULL) || (a != NULL && strcmp(a, b) != 0))
        fail_msg("%s differs: %s, %s", what, a == NULL ? "NULL" : a, b == NULL ? "NULL" : b);
}

static void assert_step_equal(const struct saga_step *a, const struct saga_step *b)
{
    assert_int_equal(a->index, b->index);
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->chosen, b->chosen);
    assert_int_equal(a->attempts, b->attempts);
    assert_int_equal(a->compensations, b->compensations);
    assert_int_equal(a->forever, b->forever);
    assert_int_equal(a->unanswered, b->unanswered);
    assert_int_equal(a->done_order, b->done_order);
    assert_int_equal(a->first_at_ms, b->first_at_ms);
    assert_int_equal(a->sent_at_ms, b->sent_at_ms);
    assert_int_equal(a->due_at_ms, b->due_at_ms);
    assert_int_equal(a->settled_at_ms, b->settled_at_ms);
    assert_json_equal("step output", a->output, b->output);
    assert_json_equal("step error", a->error, b->error);
    assert_json_equal("step dataref", a->dataref, b->dataref);
}

static void assert_saga_equal(const struct saga *a, const struct saga *b)
{
    assert_string_equal(a->id, b->id);
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->seq, b->seq);
    assert_int_equal(a->started_at_ms, b->started_at_ms);
    assert_int_equal(a->updated_at_ms, b->updated_at_ms);
    assert_int_equal(a->ended_at_ms, b->ended_at_ms);
    assert_int_equal(a->deadline_at_ms, b->deadline_at_ms);
    assert_int_equal(a->due_at_ms, b->due_at_ms);
    assert_json_equal("input", a->input, b->input);
    assert_json_equal("output", a->output, b->output);
    assert_json_equal("error", a->error, b->error);
    assert_json_equal("dataref", a->dataref, b->dataref);
    assert_text_equal("parked", a->parked, b->parked);
    if (a->parked != NULL)
        assert_int_equal(a->parked_from, b->parked_from);
    assert_int_equal(a->turned_back, b->turned_back);
    assert_text_equal("traceparent", a->traceparent, b->traceparent);
    assert_text_equal("tracestate", a->tracestate, b->tracestate);
    assert_text_equal("reply topic", a->reply_to.topic, b->reply_to.topic);
    assert_text_equal("correlation", a->reply_to.correlation, b->reply_to.correlation);
    assert_int_equal(a->duplicates, b->duplicates);
    assert_int_equal(a->late, b->late);
    assert_int_equal(a->steps_len, b->steps_len);
    for (size_t i = 0; i < a->steps_len; i++)
        assert_step_equal(&a->steps[i], &b->steps[i]);
    assert_int_equal(a->history_len, b->history_len);
    for (size_t i = 0; i < a->history_len; i++) {
        assert_int_equal(a->history[i].after_ms, b->history[i].after_ms);
        assert_int_equal(a->history[i].kind, b->history[i].kind);
        assert_int_equal(a->history[i].place.index, b->history[i].place.index);
        assert_int_equal(a->history[i].place.iteration, b->history[i].place.iteration);
        assert_int_equal(a->history[i].attempt, b->history[i].attempt);
    }
    assert_int_equal(a->history_dropped, b->history_dropped);
    assert_json_equal("signals", a->signals, b->signals);
}

static void assert_head_is_summary(const struct buffer *text, const json_t *doc)
{
    struct wire_state_head head;
    struct wire_summary summary;

    assert_true(wire_state_summary(doc, &summary));
    assert_true(wire_state_head_read(text->data, text->len, &head));
    assert_string_equal(head.type, summary.type);
    assert_int_equal(head.seq, summary.seq);
    assert_int_equal(head.status, summary.status);
    assert_int_equal(head.due_ms, summary.due_ms);
    assert_int_equal(head.updated_ms, summary.updated_ms);
}

/* Whatever is cut off or damaged in it: refused, or what a parse would say too. */
static void a_head_is_read_whole_or_not_at_all(void **state)
{
    struct random random = random_begin("head");
    struct wire_state_head head;
    size_t whole = strlen(golden);

    (void)state;
    for (size_t len = 0; len < whole; len++) {
        char *cut = malloc(len + 1); /* of just this size: reading beyond it is seen by the sanitizer */

        assert_non_null(cut);
        memcpy(cut, golden, len);
        if (wire_state_head_read(cut, len, &head))
            assert_int_equal(head.due_ms, 1769860810120);
        free(cut);
    }
    for (int round = 0; round < 20000; round++) {
        char text[sizeof golden];
        json_t *doc = NULL;
        struct buffer view = {.data = text, .len = sizeof golden - 1};

        memcpy(text, golden, sizeof golden);
        text[random_below(&random, 320)] = "0179-.\"{}[],:aenlt"[random_below(&random, 19)];
        if (wire_state_head_read(text, sizeof golden - 1, &head) &&
            json_parse(text, sizeof golden - 1, &wire_own_limits, &doc, NULL) == BATON_OK)
            assert_head_is_summary(&view, doc);
        json_decref(doc);
    }
}

static void what_is_written_reads_back_the_same(void **state)
{
    struct random random = random_begin("state");

    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct saga *saga = random_saga(&random);
        struct saga *again = NULL;
        struct buffer text = {0}, text_again = {0};
        struct baton_error err = {BATON_OK, ""};
        json_t *doc;

        wire_state_write(&text, saga);
        doc = parse(buffer_cstr(&text));
        if (wire_state_read(doc, &order_definition, &again, &err) != BATON_OK)
            fail_msg("%s", err.text);
        assert_saga_equal(saga, again);
        assert_head_is_summary(&text, doc);
        wire_state_write(&text_again, again);
        assert_text("state", &text_again, text.data);
        json_decref(doc);
        buffer_free(&text);
        buffer_free(&text_again);
        saga_free(saga);
        saga_free(again);
    }
}

/* The view may hold anything: whatever is read is either refused or a saga that can be written. */
static void a_damaged_document_is_refused_or_readable(void **state)
{
    struct random random = random_begin("damage");
    int readable = 0;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        char text[sizeof golden];
        json_t *doc = NULL;
        struct saga *saga = NULL;
        struct buffer again = {0};

        memcpy(text, golden, sizeof golden);
        for (int n = 1 + random_below(&random, 2); n > 0; n--)
            text[random_below(&random, (int)sizeof golden - 1)] = "0179-.\"{}[],:aenlt"[random_below(&random, 19)];
        if (json_parse(text, sizeof golden - 1, &wire_own_limits, &doc, NULL) != BATON_OK)
            continue;
        if (wire_state_read(doc, &order_definition, &saga, NULL) == BATON_OK) {
            wire_state_write(&again, saga);
            assert_false(again.failed);
            readable++;
        }
        buffer_free(&again);
        saga_free(saga);
        json_decref(doc);
    }
    assert_in_range(readable, 1, 19999);
}

/* A participant sees the very number that the producer wrote: start -> state -> read again -> command. */
static void numbers_stay_equal_from_start_to_command(void **state)
{
    static const struct wire_names names = {.replies = "r", .command_prefix = "", .source_prefix = ""};
    struct random random = random_begin("numbers");
    struct wire_out out = {.text = {0}};

    (void)state;
    for (int round = 0; round < 500; round++) {
        json_t *input = random_object(&random, 4);
        char *value = written(input);
        struct bus_message message = {.key = "o-1", .key_len = 3, .value = value, .value_len = strlen(value)};
        struct wire_start start;
        struct baton_error err = {BATON_OK, ""};
        enum dlq_reason reason;
        struct saga *saga = order_saga(), *again = NULL;
        struct buffer text = {0}, sent = {0};
        struct effect effect = {.kind = EFFECT_COMMAND, .attempt = 1, .service = "s", .command = "C"};
        json_t *doc;

        if (wire_start_read(&message, "order", &json_default_limits, &start, &reason, &err) != BATON_OK)
            fail_msg("%s: %s", err.text, value);
        json_decref(saga->input);
        saga->input = json_incref(start.input);
        wire_state_write(&text, saga);
        doc = parse(buffer_cstr(&text));
        assert_int_equal(wire_state_read(doc, &order_definition, &again, NULL), BATON_OK);
        effect.input = again->input;
        assert_int_equal(wire_command_write(again, &effect, 0, &names, &out, NULL), BATON_OK);
        buffer_append(&sent, out.record.value, out.record.value_len);
        assert_text("command", &sent, value);
        json_decref(doc);
        json_decref(input);
        buffer_free(&text);
        buffer_free(&sent);
        wire_start_clear(&start);
        saga_free(saga);
        saga_free(again);
        free(value);
    }
    wire_out_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_document_is_byte_for_byte),
        cmocka_unit_test(anything_but_an_object_is_refused),
        cmocka_unit_test(more_history_than_is_kept_is_refused),
        cmocka_unit_test(the_summary_is_what_the_view_needs),
        cmocka_unit_test(a_head_is_read_whole_or_not_at_all),
        cmocka_unit_test(what_is_written_reads_back_the_same),
        cmocka_unit_test(a_damaged_document_is_refused_or_readable),
        cmocka_unit_test(numbers_stay_equal_from_start_to_command),
    };

    return RUN_ROWS(wrong_rows, check_wrong) + cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_control.c -- control messages as rows: what is read, which dead letter the rest becomes; and their answers.
 */
#include "support.h"

static const struct row {
    const char *name;
    const char *key, *headers, *value;
    const char *then; /* id, verb, who, why, step, value, message id, where the answer goes; or the dead letter's reason */
} rows[] = {
    {"a verb, and who", "o-1", NULL, "{\"verb\":\"cancel\",\"who\":\"ann\"}", "o-1 cancel ann - - - - -"},
    {"and why", "o-1", NULL, "{\"verb\":\"pause\",\"who\":\"ann\",\"why\":\"audit\"}", "o-1 pause ann audit - - - -"},
    {"an empty why is none", "o-1", NULL, "{\"verb\":\"pause\",\"who\":\"ann\",\"why\":\"\"}", "o-1 pause ann - - - - -"},
    {"a null why too", "o-1", NULL, "{\"verb\":\"pause\",\"who\":\"ann\",\"why\":null}", "o-1 pause ann - - - - -"},
    {"a step, and an input for it", "o-1", NULL, "{\"verb\":\"retry\",\"who\":\"ann\",\"step\":\"s\",\"input\":{\"a\":19.99}}",
     "o-1 retry ann - s {\"a\":19.99} - -"},
    {"retry needs neither", "o-1", NULL, "{\"verb\":\"retry\",\"who\":\"ann\"}", "o-1 retry ann - - - - -"},
    {"an output", "o-1", NULL, "{\"verb\":\"complete\",\"who\":\"ann\",\"step\":\"s\",\"output\":7}", "o-1 complete ann - s 7 - -"},
    {"no output", "o-1", NULL, "{\"verb\":\"skip\",\"who\":\"ann\",\"step\":\"s\"}", "o-1 skip ann - s - - -"},
    {"the saga in a header", NULL, "saga-id: o-1", "{\"verb\":\"resume\",\"who\":\"ann\"}", "o-1 resume ann - - - - -"},
    {"a message id, echoed where it wants its answer", "o-1", "ce_id: m-1\nkafka_replyTopic: baton.events",
     "{\"verb\":\"terminate\",\"who\":\"ann\"}", "o-1 terminate ann - - - m-1 baton.events m-1"},
    {"or a correlation", "o-1", "ce_id: m-1\nkafka_replyTopic: baton.events\nkafka_correlationId: c-1",
     "{\"verb\":\"compensate\",\"who\":\"ann\"}", "o-1 compensate ann - - - m-1 baton.events c-1"},

    {"another version", "o-1", NULL, "{\"verb\":\"migrate\",\"who\":\"ann\",\"version\":3}", "o-1 migrate ann - - - - - to 3"},
    {"no version", "o-1", NULL, "{\"verb\":\"migrate\",\"who\":\"ann\"}", "invalid-control"},
    {"a version that is a text", "o-1", NULL, "{\"verb\":\"migrate\",\"who\":\"ann\",\"version\":\"3\"}", "invalid-control"},
    {"a version beyond all versions", "o-1", NULL, "{\"verb\":\"migrate\",\"who\":\"ann\",\"version\":2147483648}", "invalid-control"},
    {"a version of another verb", "o-1", NULL, "{\"verb\":\"pause\",\"who\":\"ann\",\"version\":3}", "invalid-control"},

    {"a signal", "o-1", NULL, "{\"verb\":\"signal\",\"name\":\"approved\",\"who\":\"ann\",\"data\":7}", "o-1 signal approved ann 7"},
    {"of a program, without data", "o-1", NULL, "{\"verb\":\"signal\",\"name\":\"approved\"}", "o-1 signal approved - -"},
    {"a signal without a name", "o-1", NULL, "{\"verb\":\"signal\",\"who\":\"ann\"}", "invalid-control"},
    {"a signal by an empty name", "o-1", NULL, "{\"verb\":\"signal\",\"name\":\"a\",\"who\":\"\"}", "invalid-control"},
    {"a signal with a reason", "o-1", NULL, "{\"verb\":\"signal\",\"name\":\"a\",\"why\":\"x\"}", "invalid-control"},
    {"a verb with a name", "o-1", NULL, "{\"verb\":\"pause\",\"who\":\"ann\",\"name\":\"a\"}", "invalid-control"},

    {"of all that a filter names", "job:1", NULL, "{\"verb\":\"cancel\",\"who\":\"ann\",\"where\":\"type=order,older=1h\"}",
     "job:1 cancel ann - - - - - where order 3600000 since 0 after 0/"},
    {"only to count", "job:1", NULL, "{\"verb\":\"skip\",\"step\":\"s\",\"who\":\"ann\",\"where\":\"\",\"preview\":true}",
     "job:1 skip ann - s - - - preview - 0 since 0 after 0/"},
    {"its next page", "job:1", NULL,
     "{\"verb\":\"cancel\",\"who\":\"ann\",\"where\":\"\",\"progress\":{\"since\":9,\"after\":7,\"afterId\":\"o-1\",\"found\":3,\"accepted\":2,\"refused\":1,\"sagas\":[]}}",
     "job:1 cancel ann - - - - - where - 0 since 9 after 7/o-1"},
    {"progress with reasons that are none", "job:1", NULL,
     "{\"verb\":\"cancel\",\"who\":\"ann\",\"where\":\"\",\"progress\":{\"since\":9,\"after\":7,\"afterId\":\"o-1\",\"found\":3,\"accepted\":2,\"refused\":1,\"reasons\":[],\"sagas\":[]}}",
     "invalid-control"},
    {"a filter that is none", "job:1", NULL, "{\"verb\":\"cancel\",\"who\":\"ann\",\"where\":\"state=x\"}", "invalid-control"},
    {"a filter that is no text", "job:1", NULL, "{\"verb\":\"cancel\",\"who\":\"ann\",\"where\":1}", "invalid-control"},
    {"a preview of nothing", "o-1", NULL, "{\"verb\":\"cancel\",\"who\":\"ann\",\"preview\":true}", "invalid-control"},
    {"a preview that is neither true nor false", "job:1", NULL, "{\"verb\":\"cancel\",\"who\":\"ann\",\"where\":\"\",\"preview\":1}", "invalid-control"},
    {"progress that no worker has written", "job:1", NULL, "{\"verb\":\"cancel\",\"who\":\"ann\",\"where\":\"\",\"progress\":{}}", "invalid-control"},
    {"a signal to all", "job:1", NULL, "{\"verb\":\"signal\",\"name\":\"a\",\"where\":\"\"}", "invalid-control"},

    {"a lock's message with another lock's id", "lock:k", NULL, "{\"lock\":\"ask\",\"saga\":\"o-1\",\"key\":\"j\",\"queue\":true}", "invalid-control"},
    {"a lock's message that says nothing we know", "lock:k", NULL, "{\"lock\":\"take\",\"saga\":\"o-1\",\"key\":\"k\",\"queue\":true}", "invalid-control"},
    {"a lock's message of nobody", "lock:k", NULL, "{\"lock\":\"ask\",\"key\":\"k\",\"queue\":true}", "invalid-control"},
    {"a lock's message with a verb", "lock:k", NULL, "{\"lock\":\"ask\",\"saga\":\"o-1\",\"key\":\"k\",\"queue\":true,\"verb\":\"cancel\"}", "invalid-control"},

    {"no saga", NULL, NULL, "{\"verb\":\"cancel\",\"who\":\"ann\"}", "missing-id"},
    {"no saga's id", "o 1", NULL, "{\"verb\":\"cancel\",\"who\":\"ann\"}", "invalid-id"},
    {"no JSON", "o-1", NULL, "{", "invalid-json"},
    {"no value", "o-1", NULL, NULL, "not-an-object"},
    {"no object", "o-1", NULL, "[]", "not-an-object"},
    {"a structured event", "o-1", "content-type: application/cloudevents+json", "{}", "invalid-cloudevent"},
    {"another version of CloudEvents", "o-1", "ce_specversion: 0.3", "{}", "invalid-cloudevent"},
    {"no verb", "o-1", NULL, "{\"who\":\"ann\"}", "invalid-control"},
    {"a verb that is no text", "o-1", NULL, "{\"verb\":1,\"who\":\"ann\"}", "invalid-control"},
    {"an unknown verb", "o-1", NULL, "{\"verb\":\"cancell\",\"who\":\"ann\"}", "unknown-verb"},
    {"nobody", "o-1", NULL, "{\"verb\":\"cancel\"}", "invalid-control"},
    {"nobody by name", "o-1", NULL, "{\"verb\":\"cancel\",\"who\":\"\"}", "invalid-control"},
    {"a name of two lines", "o-1", NULL, "{\"verb\":\"cancel\",\"who\":\"a\\nb\"}", "invalid-control"},
    {"a reason that is no text", "o-1", NULL, "{\"verb\":\"cancel\",\"who\":\"ann\",\"why\":1}", "invalid-control"},
    {"a step where none belongs", "o-1", NULL, "{\"verb\":\"cancel\",\"who\":\"ann\",\"step\":\"s\"}", "invalid-control"},
    {"no step where one belongs", "o-1", NULL, "{\"verb\":\"skip\",\"who\":\"ann\"}", "invalid-control"},
    {"an empty step", "o-1", NULL, "{\"verb\":\"skip\",\"who\":\"ann\",\"step\":\"\"}", "invalid-control"},
    {"an output where an input belongs", "o-1", NULL, "{\"verb\":\"retry\",\"who\":\"ann\",\"output\":1}", "invalid-control"},
    {"a member that it does not know", "o-1", NULL, "{\"verb\":\"pause\",\"who\":\"ann\",\"until\":1}", "invalid-control"},
    {"a topic that is none", "o-1", "kafka_replyTopic: a/b", "{\"verb\":\"pause\",\"who\":\"ann\"}", "reply-topic-not-allowed"},
};

static const char *or_none(const char *text)
{
    return text == NULL ? "-" : text;
}

static void say_control(struct buffer *said, const char *id, const struct wire_control *control)
{
    struct saga_event event = wire_control_event(control, 7);

    assert_int_equal(event.at_ms, 7);
    if (event.kind == EVENT_SIGNAL) {
        say(said, "%s %s %s %s ", id, wire_control_word(control), event.signal, or_none(event.who));
        if (event.body == NULL)
            say(said, "-");
        else
            json_write(said, event.body);
        return;
    }
    assert_int_equal(event.kind, EVENT_VERB);
    say(said, "%s %s %s %s %s ", id, saga_verb_name(event.verb), event.who, or_none(event.why), or_none(event.step_name));
    if (event.value == NULL)
        say(said, "-");
    else
        json_write(said, event.value);
    say(said, " %s %s", or_none(event.verb_id), or_none(control->reply_topic));
    if (control->reply_correlation != NULL)
        say(said, " %s", control->reply_correlation);
    if (event.version > 0)
        say(said, " to %lld", (long long)event.version);
    if (control->job != NULL)
        say(said, " %s %s %lld since %lld after %lld/%s", control->job->preview ? "preview" : "where",
            control->job->where.type[0] == '\0' ? "-" : control->job->where.type, (long long)control->job->where.older_ms, (long long)control->job->since_ms,
            (long long)control->job->after_ms, control->job->after_id);
}

static void check_row(void **state)
{
    const struct row *row = *state;
    struct given given;
    struct wire_control control;
    struct baton_error err = {BATON_OK, ""};
    enum dlq_reason reason = DLQ_REASON_COUNT;
    struct buffer said = {0};
    char id[SAGA_ID_MAX + 1];

    given_message(&given, row->key, row->headers, row->value);
    if (wire_control_read(&given.message, &json_default_limits, id, &control, &reason, &err) == BATON_OK) {
        say_control(&said, id, &control);
        wire_control_clear(&control);
    } else {
        assert_int_equal(err.code, BATON_E_POISON);
        assert_true(strlen(err.text) > 0);
        say(&said, "%s", dlq_reason_name(reason));
    }
    assert_text(row->name, &said, row->then);
    buffer_free(&said);
    given_clear(&given);
}

/* --- locks: their ids, and what sagas and they tell each other --- */

static const struct lock_row {
    const char *name, *key, *id;
} lock_rows[] = {
    {"a key that can stand in an id", "account-7", "lock:account-7"},
    {"one with colons", "account:7", "lock:account:7"},
    {"one that cannot", "account/7", "lock::2cbd769e13d2b1abaf0ffe6a9e5a3294"},
    {"one that would look like a hash", ":7", "lock::HASH"},
    {"letters of other alphabets", "\xc3\xa4", "lock::HASH"},
};

static void check_lock_id(void **state)
{
    const struct lock_row *row = *state;
    char id[SAGA_ID_MAX + 1];

    assert_true(wire_lock_id(row->key, id));
    assert_true(saga_id_valid(id, strlen(id)));
    if (strstr(row->id, "HASH") == NULL)
        assert_string_equal(id, row->id);
    else
        assert_int_equal(strlen(id), strlen("lock::") + 32);
}

static void the_longest_key_has_an_id(void **state)
{
    char key[LOCK_KEY_MAX + 1], id[SAGA_ID_MAX + 1], other[SAGA_ID_MAX + 1];

    (void)state;
    memset(key, 'k', sizeof key);
    key[LOCK_KEY_MAX] = '\0';
    assert_true(wire_lock_id(key, id));
    key[LOCK_KEY_MAX - 1] = '\0';
    assert_true(wire_lock_id(key, other));
    assert_string_not_equal(id, other);
    key[SAGA_ID_MAX - 5] = '\0';
    assert_true(wire_lock_id(key, id)); /* the longest that is readable */
    assert_int_equal(strlen(id), SAGA_ID_MAX);
}

static void what_is_told_reads_as_it_was_written(void **state)
{
    struct effect ask = {.kind = EFFECT_LOCK, .input = parse("{\"lock\":\"ask\",\"saga\":\"o-1\",\"key\":\"account/7\",\"queue\":false}")};
    struct effect yes = {.kind = EFFECT_SIGNAL, .to = "o-1", .input = parse("{\"verb\":\"signal\",\"name\":\":lock\",\"data\":{\"granted\":true}}")};
    const struct effect *told[] = {&ask, &yes};
    struct wire_out out = {.text = {0}};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct wire_control control;
        struct given given;
        enum dlq_reason reason = DLQ_REASON_COUNT;
        char id[SAGA_ID_MAX + 1], *value = NULL;

        assert_int_equal(wire_tell_write(told[i], "baton.control", &out, NULL), BATON_OK);
        assert_string_equal(out.record.topic, "baton.control");
        value = strndup(out.record.value, out.record.value_len);
        given_message(&given, out.record.key, NULL, value);
        assert_int_equal(wire_control_read(&given.message, &json_default_limits, id, &control, &reason, NULL), BATON_OK);
        if (i == 0) {
            struct saga_event event = wire_lock_event(&control, 7);

            assert_int_equal(event.kind, EVENT_LOCK);
            assert_true(event.reject && !event.leave);
            assert_string_equal(event.who, "o-1");
            assert_string_equal(control.lock.key, "account/7");
        } else {
            assert_string_equal(id, "o-1");
            assert_string_equal(wire_control_event(&control, 7).signal, LOCK_SIGNAL);
        }
        wire_control_clear(&control);
        given_clear(&given);
        free(value);
    }
    json_decref(ask.input);
    json_decref(yes.input);
    wire_out_free(&out);
}

static void the_next_page_reads_as_it_was_written(void **state)
{
    struct given given, next;
    struct wire_control control, again;
    struct wire_out out = {.text = {0}};
    enum dlq_reason reason = DLQ_REASON_COUNT;
    char id[SAGA_ID_MAX + 1], *value = NULL;

    (void)state;
    given_message(&given, "job:1", "ce_id: m-1\nkafka_replyTopic: baton.events", "{\"verb\":\"skip\",\"step\":\"s\",\"output\":19.99,\"who\":\"ann\",\"where\":\"type=order\"}");
    assert_int_equal(wire_control_read(&given.message, &json_default_limits, id, &control, &reason, NULL), BATON_OK);
    control.job->since_ms = 9;
    control.job->after_ms = 7;
    (void)strcpy(control.job->after_id, "o-1");
    control.job->found = 3;
    control.job->accepted = 2;
    control.job->refused = 1;
    (void)json_array_append_new(control.job->sagas, json_string("o-1"));
    (void)json_object_set_new(control.job->reasons, "it has ended", json_integer(1));
    assert_int_equal(wire_job_write(&control, id, "baton.control", 3, &out, NULL), BATON_OK);
    assert_string_equal(out.record.topic, "baton.control");
    assert_int_equal(out.record.partition, 3);
    value = strndup(out.record.value, out.record.value_len);
    given_message(&next, "job:1", "ce_id: m-1\nkafka_replyTopic: baton.events\nkafka_correlationId: m-1", value);
    assert_string_equal(record_header_value(&out.record, "ce_id"), "m-1");
    assert_string_equal(record_header_value(&out.record, "kafka_replyTopic"), "baton.events");
    assert_string_equal(record_header_value(&out.record, "kafka_correlationId"), "m-1");
    assert_int_equal(wire_control_read(&next.message, &json_default_limits, id, &again, &reason, NULL), BATON_OK);
    assert_string_equal(id, "job:1");
    assert_int_equal(again.verb, VERB_SKIP);
    assert_string_equal(again.step, "s");
    assert_true(json_real_value(again.value) == 19.99);
    assert_string_equal(again.message_id, "m-1");
    assert_string_equal(again.reply_topic, "baton.events");
    assert_string_equal(again.reply_correlation, "m-1");
    assert_string_equal(again.job->where.type, "order");
    assert_int_equal(again.job->since_ms, 9);
    assert_int_equal(again.job->after_ms, 7);
    assert_string_equal(again.job->after_id, "o-1");
    assert_int_equal(again.job->found, 3);
    assert_int_equal(again.job->accepted, 2);
    assert_int_equal(again.job->refused, 1);
    assert_int_equal(json_array_size(again.job->sagas), 1);
    assert_int_equal(json_integer_value(json_object_get(again.job->reasons, "it has ended")), 1);
    wire_control_clear(&control);
    wire_control_clear(&again);
    wire_out_free(&out);
    given_clear(&given);
    given_clear(&next);
    free(value);
}

static void who_and_why_are_bounded(void **state)
{
    static const struct { size_t who, why; bool fine; } bounds[] = {
        {VERB_WHO_MAX, VERB_WHY_MAX, true}, {VERB_WHO_MAX + 1, 1, false}, {1, VERB_WHY_MAX + 1, false}};

    (void)state;
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        char value[1024], x[512];
        struct given given;
        struct wire_control control;
        enum dlq_reason reason = DLQ_REASON_COUNT;
        char id[SAGA_ID_MAX + 1];

        memset(x, 'x', sizeof x);
        (void)snprintf(value, sizeof value, "{\"verb\":\"pause\",\"who\":\"%.*s\",\"why\":\"%.*s\"}", (int)bounds[i].who, x, (int)bounds[i].why, x);
        given_message(&given, "o-1", NULL, value);
        assert_int_equal(wire_control_read(&given.message, &json_default_limits, id, &control, &reason, NULL) == BATON_OK, bounds[i].fine);
        if (bounds[i].fine)
            wire_control_clear(&control);
        else
            assert_int_equal(reason, DLQ_INVALID_CONTROL);
        given_clear(&given);
    }
}

/* --- answers, byte for byte --- */

static void check_answer(const struct wire_answer *answer, const char *expected)
{
    struct wire_control control = {.verb = VERB_CANCEL, .reply_topic = (char *)"baton.events", .reply_correlation = (char *)"m-1"};
    struct wire_out out = {.text = {0}};
    struct buffer said = {0};

    assert_int_equal(wire_answer_write(answer, &control, 1769860800120, &out, NULL), BATON_OK);
    say_record(&said, &out.record);
    assert_text("answer", &said, expected);
    buffer_free(&said);
    wire_out_free(&out);
}

static void answers(void **state)
{
    struct saga *saga = order_saga();
    struct wire_answer answer = {.outcome = ANSWER_ACCEPTED, .saga_id = saga->id, .saga = saga, .partition = 3, .offset = 7};

    (void)state;
    check_answer(&answer, "topic baton.events partition -1\nkey o-1001\nce_id: o-1001/control/3/7\nce_specversion: 1.0\nce_source: /baton/control\n"
                          "ce_type: baton.control.accepted.v1\nce_time: 2026-01-31T12:00:00.120Z\nce_sagaid: o-1001\ncontent-type: application/json\n"
                          "kafka_correlationId: m-1\n{\"id\":\"o-1001\",\"verb\":\"cancel\",\"outcome\":\"accepted\",\"reason\":null,\"status\":\"running\",\"seq\":2}");
    answer.outcome = ANSWER_REFUSED;
    answer.reason = "it has \"ended\"";
    check_answer(&answer, "topic baton.events partition -1\nkey o-1001\nce_id: o-1001/control/3/7\nce_specversion: 1.0\nce_source: /baton/control\n"
                          "ce_type: baton.control.refused.v1\nce_time: 2026-01-31T12:00:00.120Z\nce_sagaid: o-1001\ncontent-type: application/json\n"
                          "kafka_correlationId: m-1\n{\"id\":\"o-1001\",\"verb\":\"cancel\",\"outcome\":\"refused\",\"reason\":\"it has \\\"ended\\\"\",\"status\":\"running\",\"seq\":2}");
    answer.outcome = ANSWER_UNKNOWN_SAGA;
    answer.saga = NULL;
    answer.reason = "no such saga";
    check_answer(&answer, "topic baton.events partition -1\nkey o-1001\nce_id: o-1001/control/3/7\nce_specversion: 1.0\nce_source: /baton/control\n"
                          "ce_type: baton.control.unknown-saga.v1\nce_time: 2026-01-31T12:00:00.120Z\nce_sagaid: o-1001\ncontent-type: application/json\n"
                          "kafka_correlationId: m-1\n{\"id\":\"o-1001\",\"verb\":\"cancel\",\"outcome\":\"unknown-saga\",\"reason\":\"no such saga\",\"status\":null,\"seq\":null}");
    saga_free(saga);
}

static void too_large_names_the_limit(void **state)
{
    const struct json_limits limits = {.bytes_max = 20, .depth_max = 8, .values_max = 24};
    struct given given;
    struct wire_control control;
    struct baton_error err = {BATON_OK, ""};
    enum dlq_reason reason = DLQ_REASON_COUNT;
    char id[SAGA_ID_MAX + 1];

    (void)state;
    given_message(&given, "o-1", NULL, "{\"verb\":\"pause\",\"who\":\"ann\"}");
    assert_int_equal(wire_control_read(&given.message, &limits, id, &control, &reason, &err), BATON_E_POISON);
    assert_int_equal(reason, DLQ_TOO_LARGE);
    assert_string_equal(err.text, "value of 28 bytes, at most 20; send a reference instead");
    given_clear(&given);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(too_large_names_the_limit),
        cmocka_unit_test(who_and_why_are_bounded),
        cmocka_unit_test(the_next_page_reads_as_it_was_written),
        cmocka_unit_test(what_is_told_reads_as_it_was_written),
        cmocka_unit_test(the_longest_key_has_an_id),
        cmocka_unit_test(answers),
    };

    return RUN_ROWS(rows, check_row) + RUN_ROWS(lock_rows, check_lock_id) + cmocka_run_group_tests(tests, NULL, NULL);
}

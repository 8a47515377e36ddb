/*
 * test_reply.c -- reading replies, a row a rule. The first word of a refusal is the dead-letter reason.
 */
#include "random_saga.h"

#define ID "kafka_correlationId: o-1/reserve/x/1"
#define STRUCTURED "content-type: application/cloudevents+json\n"
#define CE "\"specversion\":\"1.0\",\"id\":\"r-1\",\"source\":\"/inventory\",\"type\":\"reserved\""

static const struct row {
    const char *name;
    const char *headers, *value;
    const char *then;
} reply_rows[] = {
    /* correlation */
    {"the echoed correlation is enough", ID, "{\"r\":1}", "o-1/reserve/x/1 unsaid {\"r\":1}"},
    {"header names compare without case", "Kafka_CorrelationID: o-1/reserve/c/2", "{}", "o-1/reserve/c/2 unsaid {}"},
    {"ce_causationid does as well", "ce_causationid: o-1/reserve/x/1", "{}", "o-1/reserve/x/1 unsaid {}"},
    {"kafka_correlationId goes before it", "ce_causationid: o-9/x/x/1\n" ID, "{}", "o-1/reserve/x/1 unsaid {}"},
    {"a null correlation counts as absent", "kafka_correlationId\nce_causationid: o-1/reserve/x/1", "{}",
     "o-1/reserve/x/1 unsaid {}"},
    {"no correlation", "content-type: application/json", "{}", "missing-correlation"},
    {"no header at all", NULL, "{}", "missing-correlation"},
    {"somebody else's correlation", "kafka_correlationId: %00%01%02%03", "{}", "invalid-correlation"},
    {"a correlation of text", "kafka_correlationId: 42", "{}", "invalid-correlation"},
    {"an empty correlation", "kafka_correlationId: ", "{}", "invalid-correlation"},
    {"a bad one is not saved by a good causation", "kafka_correlationId: 42\nce_causationid: o-1/reserve/x/1", "{}",
     "invalid-correlation"},

    /* outcome */
    {"saga-outcome success", ID "\nsaga-outcome: success", "{}", "o-1/reserve/x/1 success {}"},
    {"saga-outcome failure", ID "\nsaga-outcome: failure", "{}", "o-1/reserve/x/1 failure {}"},
    {"saga-outcome retry", ID "\nsaga-outcome: retry", "{}", "o-1/reserve/x/1 retry {}"},
    {"saga-outcome pending", ID "\nsaga-outcome: pending", NULL, "o-1/reserve/x/1 pending none"},
    {"an unknown outcome", ID "\nsaga-outcome: ok", "{}", "invalid-outcome"},
    {"an outcome in another case", ID "\nsaga-outcome: Success", "{}", "invalid-outcome"},
    {"an empty outcome", ID "\nsaga-outcome: ", "{}", "invalid-outcome"},
    {"a null outcome is unsaid", ID "\nsaga-outcome", "{}", "o-1/reserve/x/1 unsaid {}"},
    {"retry-after-ms", ID "\nsaga-outcome: retry\nretry-after-ms: 1500", NULL, "o-1/reserve/x/1 retry after 1500 none"},
    {"a retry-after-ms beyond 7 days is cut", ID "\nretry-after-ms: 99999999999", NULL,
     "o-1/reserve/x/1 unsaid after 604800000 none"},
    {"a retry-after-ms that is no number is ignored", ID "\nretry-after-ms: soon", NULL, "o-1/reserve/x/1 unsaid none"},
    {"a negative one too", ID "\nretry-after-ms: -5", NULL, "o-1/reserve/x/1 unsaid none"},
    {"problem+json is a problem", ID "\ncontent-type: application/problem+json", "{\"title\":\"x\"}",
     "o-1/reserve/x/1 unsaid problem {\"title\":\"x\"}"},
    {"with parameters and in any case too", ID "\nContent-Type: Application/Problem+JSON ; charset=utf-8", "{}",
     "o-1/reserve/x/1 unsaid problem {}"},
    {"another type that begins alike is none", ID "\ncontent-type: application/problem+jsonx", "{}",
     "o-1/reserve/x/1 unsaid {}"},

    /* body */
    {"a null value is no body", ID, NULL, "o-1/reserve/x/1 unsaid none"},
    {"an empty value is no body", ID, "", "o-1/reserve/x/1 unsaid none"},
    {"the JSON null is no body", ID, "null", "o-1/reserve/x/1 unsaid none"},
    {"a body may be any JSON value", ID, "[1,\"a\",19.99]", "o-1/reserve/x/1 unsaid [1,\"a\",19.99]"},
    {"a body that is no JSON", ID, "OK", "invalid-json"},
    {"a body that is not UTF-8", ID, "\"%ff\"", "invalid-json"},
    {"a key twice", ID, "{\"a\":1,\"a\":1}", "invalid-json"},
    {"nesting beyond the limit", ID, "[[[[[[[[[1]]]]]]]]]", "too-deep"},
    {"bytes beyond the limit", ID,
     "\"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345"
     "67890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\"",
     "too-large"},

    /* NestJS */
    {"a thrown text", ID "\nkafka_nest-err: no stock", NULL,
     "o-1/reserve/x/1 unsaid problem {\"error\":{\"code\":\"NEST_ERROR\",\"message\":\"no stock\"}}"},
    {"a thrown object", ID "\nkafka_nest-err: {\"code\":\"NO_STOCK\",\"message\":\"none left\"}", NULL,
     "o-1/reserve/x/1 unsaid problem {\"error\":{\"code\":\"NO_STOCK\",\"message\":\"none "
     "left\",\"details\":{\"code\":\"NO_STOCK\","
     "\"message\":\"none left\"}}}"},
    {"a thrown JSON string", ID "\nkafka_nest-err: \"no stock\"", NULL,
     "o-1/reserve/x/1 unsaid problem {\"error\":{\"code\":\"NEST_ERROR\",\"message\":\"no stock\"}}"},
    {"its value need not be JSON", ID "\nkafka_nest-err: no stock", "undefined",
     "o-1/reserve/x/1 unsaid problem {\"error\":{\"code\":\"NEST_ERROR\",\"message\":\"no stock\"}}"},
    {"a body that says its error itself stays", ID "\nkafka_nest-err: x", "{\"error\":{\"code\":\"E\"}}",
     "o-1/reserve/x/1 unsaid problem {\"error\":{\"code\":\"E\"}}"},
    {"a thrown error that is not text", ID "\nkafka_nest-err: %ff%00", NULL,
     "o-1/reserve/x/1 unsaid problem {\"error\":{\"code\":\"NEST_ERROR\",\"message\":\"the handler threw an error that "
     "is not text\"}}"},
    {"an empty thrown error", ID "\nkafka_nest-err: ", NULL,
     "o-1/reserve/x/1 unsaid problem {\"error\":{\"code\":\"NEST_ERROR\",\"message\":\"the handler threw an error that "
     "is not text\"}}"},

    /* claim checks */
    {"a reference instead of the body", ID "\nce_dataref: s3://labels/7", NULL, "o-1/reserve/x/1 unsaid none at \"s3://labels/7\""},
    {"a reference beside the body", ID "\nce_dataref: s3://labels/7", "{}", "o-1/reserve/x/1 unsaid {} at \"s3://labels/7\""},
    {"the reference of a structured event", STRUCTURED ID, "{" CE ",\"dataref\":\"/files/1\"}", "o-1/reserve/x/1 unsaid none at \"/files/1\""},
    {"a reference that is no URI is refused", ID "\nce_dataref: ", "{}", "invalid-cloudevent"},
    {"a compensation is taken as it is", ID "\nsaga-compensation: {\"command\":\"U\"}", "{}", "o-1/reserve/x/1 unsaid undo <{\"command\":\"U\"}> {}"},
    {"what is no compensation too: the core knows", ID "\nsaga-compensation: nonsense", "{}", "o-1/reserve/x/1 unsaid undo <nonsense> {}"},
    {"a compensation that is no UTF-8 is empty", ID "\nsaga-compensation: %ff", "{}", "o-1/reserve/x/1 unsaid undo <> {}"},
    {"a compensation with a NUL is empty", ID "\nsaga-compensation: a%00b", "{}", "o-1/reserve/x/1 unsaid undo <> {}"},

    /* structured CloudEvents */
    {"a structured event: data is the body", STRUCTURED ID, "{" CE ",\"data\":{\"r\":1}}",
     "o-1/reserve/x/1 unsaid {\"r\":1}"},
    {"its causationid is the correlation", STRUCTURED, "{" CE ",\"causationid\":\"o-1/reserve/x/1\",\"data\":{}}",
     "o-1/reserve/x/1 unsaid {}"},
    {"the header goes before it", STRUCTURED ID, "{" CE ",\"causationid\":\"o-9/s/x/1\",\"data\":{}}",
     "o-1/reserve/x/1 unsaid {}"},
    {"no data is no body", STRUCTURED ID, "{" CE "}", "o-1/reserve/x/1 unsaid none"},
    {"null data is no body", STRUCTURED ID, "{" CE ",\"data\":null}", "o-1/reserve/x/1 unsaid none"},
    {"its data may be a problem", STRUCTURED ID,
     "{" CE ",\"datacontenttype\":\"application/problem+json\",\"data\":{}}", "o-1/reserve/x/1 unsaid problem {}"},
    {"neither header nor causationid", STRUCTURED, "{" CE ",\"data\":{}}", "missing-correlation"},
    {"an event that is none", STRUCTURED ID, "{}", "invalid-cloudevent"},
};

static const struct json_limits limits = {.bytes_max = 200, .depth_max = 8, .values_max = 24};

static void say_reply(struct buffer *out, const struct wire_reply *reply)
{
    static const char *const outcomes[] = {"unsaid", "success", "failure", "retry", "pending"};

    say(out, "%s/%s/%s/%d %s", reply->id.saga_id, reply->id.step, reply->id.action == ACTION_EXECUTE ? "x" : "c",
        reply->id.attempt, outcomes[reply->outcome]);
    if (reply->problem)
        say(out, " problem");
    if (reply->retry_after_ms > 0)
        say(out, " after %lld", (long long)reply->retry_after_ms);
    if (reply->compensation != NULL)
        say(out, " undo <%s>", reply->compensation);
    buffer_text(out, " ");
    if (reply->body == NULL)
        buffer_text(out, "none");
    else
        json_write(out, reply->body);
    if (reply->dataref != NULL) {
        buffer_text(out, " at ");
        json_write(out, reply->dataref);
    }
}

/* Routing and reading must never disagree about which saga a reply belongs to. */
static void assert_same_id(const struct bus_message *message, const struct wire_reply *reply)
{
    struct wire_message_id id;
    enum dlq_reason reason;

    assert_int_equal(wire_reply_id(message, NULL, &id, &reason, NULL), BATON_OK);
    assert_string_equal(id.saga_id, reply->id.saga_id);
    assert_string_equal(id.step, reply->id.step);
    assert_int_equal(id.attempt, reply->id.attempt);
}

static void check_reply(void **state)
{
    const struct row *row = *state;
    struct given given;
    struct wire_reply reply;
    struct baton_error err = {BATON_OK, ""};
    enum dlq_reason reason = DLQ_REASON_COUNT;
    struct buffer said = {0};
    enum baton_err rc;

    given_message(&given, NULL, row->headers, row->value);
    rc = wire_reply_read(&given.message, &limits, true, &reply, &reason, &err);
    if (rc == BATON_OK) {
        say_reply(&said, &reply);
        assert_same_id(&given.message, &reply);
        assert_true(json_is_object(reply.headers));
        wire_reply_clear(&reply);
    } else {
        assert_int_equal(rc, BATON_E_POISON);
        assert_true(strlen(err.text) > 10);
        say(&said, "%s", dlq_reason_name(reason));
    }
    assert_text(row->name, &said, row->then);
    buffer_free(&said);
    given_clear(&given);
}

static void headers_are_text_first_of_each_name(void **state)
{
    struct given given;
    struct wire_reply reply;
    enum dlq_reason reason;
    char *text;

    (void)state;
    given_message(&given, NULL, ID "\nx: 1\nx: 2\nraw: %ff\nnul: a%00b\nnull\nempty: ", "{}");
    assert_int_equal(wire_reply_read(&given.message, &limits, true, &reply, &reason, NULL), BATON_OK);
    text = written(reply.headers);
    assert_string_equal(text, "{\"kafka_correlationId\":\"o-1/reserve/x/1\",\"x\":\"1\",\"empty\":\"\"}");
    free(text);
    wire_reply_clear(&reply);
    given_clear(&given);
}

static void headers_are_not_built_unless_wanted(void **state)
{
    struct given given;
    struct wire_reply reply;
    enum dlq_reason reason;

    (void)state;
    given_message(&given, NULL, ID, "{}");
    assert_int_equal(wire_reply_read(&given.message, &limits, false, &reply, &reason, NULL), BATON_OK);
    assert_null(reply.headers);
    wire_reply_clear(&reply);
    given_clear(&given);
}

static void more_headers_than_are_read(void **state)
{
    struct given given;
    struct wire_reply reply;
    enum dlq_reason reason = DLQ_REASON_COUNT;

    (void)state;
    given_message(&given, NULL, ID, "{}");
    given.message.headers_total = BUS_HEADERS_MAX + 1;
    assert_int_equal(wire_reply_read(&given.message, &limits, false, &reply, &reason, NULL), BATON_E_POISON);
    assert_string_equal(dlq_reason_name(reason), "too-many-headers");
    given_clear(&given);
}

static void a_long_thrown_text_is_cut_at_a_character(void **state)
{
    char headers[4096] = ID "\nkafka_nest-err: x";
    struct given given;
    struct wire_reply reply;
    enum dlq_reason reason;
    const json_t *message;

    (void)state;
    for (int i = 0; i < 600; i++)
        strcat(headers, "\xc3\xa9");
    given_message(&given, NULL, headers, NULL);
    assert_int_equal(wire_reply_read(&given.message, &json_default_limits, false, &reply, &reason, NULL), BATON_OK);
    message = json_object_get(json_object_get(reply.body, "error"), "message");
    assert_int_equal(json_string_length(message), 1023);
    wire_reply_clear(&reply);
    given_clear(&given);
}

/* Any bytes in any place: a reply or a reason, never a read beyond the end (every part is a heap block of its own). */
static void any_bytes_are_a_reply_or_a_reason(void **state)
{
    static const char *const names[] = {"kafka_correlationId", "ce_causationid", "saga-outcome",     "retry-after-ms",
                                        "content-type",        "kafka_nest-err", "saga-id",          "saga-type",
                                        "saga-version",        "traceparent",    "kafka_replyTopic", "ce_specversion"};
    static const char *const values[] = {"o-1/reserve/x/1",
                                         "o-1/reserve/x/",
                                         "1",
                                         "",
                                         "application/cloudevents+json",
                                         "{}",
                                         "success",
                                         "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                         "%00%ff",
                                         "order"};
    static const char *const bodies[] = {"{" CE ",\"data_base64\":\"e30=\"}", "{" CE ",\"data\":{}}",
                                         "{\"a\":[1,2.5,\"x\"]}", "", "%ff"};
    struct random random = random_begin("bytes");

    (void)state;
    for (int round = 0; round < 5000; round++) {
        char headers[1024] = "";
        struct given given;
        struct wire_reply reply;
        struct wire_start start;
        struct wire_message_id id;
        enum dlq_reason reason = DLQ_REASON_COUNT;
        char saga_id[SAGA_ID_MAX + 1];
        char *value;

        for (int n = random_below(&random, 6); n > 0; n--)
            sprintf(headers + strlen(headers), "%s: %s\n", names[random_below(&random, 12)],
                    values[random_below(&random, 10)]);
        given_message(&given, random_one_in(&random, 2) ? NULL : values[random_below(&random, 10)], headers,
                      random_one_in(&random, 6) ? NULL : bodies[random_below(&random, 5)]);
        value = (char *)(uintptr_t)given.message.value;
        for (int n = random_below(&random, 3); n > 0 && given.message.value_len > 0; n--)
            value[random_below(&random, (int)given.message.value_len)] = (char)random_below(&random, 256);
        if (wire_reply_read(&given.message, &limits, true, &reply, &reason, NULL) == BATON_OK) {
            assert_int_equal(wire_reply_id(&given.message, NULL, &id, &reason, NULL), BATON_OK);
            wire_reply_clear(&reply);
        } else {
            assert_true(reason < DLQ_REASON_COUNT);
        }
        if (wire_start_read(&given.message, "order", &limits, &start, &reason, NULL) == BATON_OK) {
            assert_true(wire_start_id(&given.message, &limits, saga_id));
            assert_string_equal(saga_id, start.id);
            wire_start_clear(&start);
        }
        given_clear(&given);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_text_first_of_each_name),
        cmocka_unit_test(headers_are_not_built_unless_wanted),
        cmocka_unit_test(more_headers_than_are_read),
        cmocka_unit_test(any_bytes_are_a_reply_or_a_reason),
        cmocka_unit_test(a_long_thrown_text_is_cut_at_a_character),
    };

    return RUN_ROWS(reply_rows, check_reply) + cmocka_run_group_tests(tests, NULL, NULL);
}

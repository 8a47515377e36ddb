/*
 * test_start.c -- reading start commands, a row a rule. The first word of a refusal is the dead-letter reason.
 */
#include "support.h"

#define STRUCTURED "content-type: application/cloudevents+json; charset=UTF-8"
#define CE "\"specversion\":\"1.0\",\"id\":\"e-1\",\"source\":\"/shop\",\"type\":\"placed\""
#define TRACE "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static const struct row {
    const char *name;
    const char *key, *headers, *value, *binding;
    const char *then;
} start_rows[] = {
    /* where things come from */
    {"plain JSON needs a key and a binding only", "o-1", NULL, "{\"a\":1}", "order", "o-1 order@0 {\"a\":1}"},
    {"the id may be a header", NULL, "saga-id: o-2", "{}", "order", "o-2 order@0 {}"},
    {"or the CloudEvents extension", NULL, "ce_specversion: 1.0\nce_sagaid: o-2\nce_id: e-1", "{}", "order",
     "o-2 order@0 {}"},
    {"or the event's id", NULL, "ce_specversion: 1.0\nce_id: e-1", "{}", "order", "e-1 order@0 {}"},
    {"the key goes before the header", "o-1", "saga-id: o-2", "{}", "order", "o-1 order@0 {}"},
    {"the header goes before the event's id", NULL, "ce_id: e-1\nsaga-id: o-2", "{}", "order", "o-2 order@0 {}"},
    {"an empty key is no key", "", "saga-id: o-2", "{}", "order", "o-2 order@0 {}"},
    {"header names compare without case", NULL, "SAGA-ID: o-2\nSaga-Type: refund", "{}", NULL, "o-2 refund@0 {}"},
    {"a null header counts as absent", NULL, "saga-id\nce_id: e-1", "{}", "order", "e-1 order@0 {}"},
    {"so the next of that name counts", NULL, "saga-id\nsaga-id: o-5", "{}", "order", "o-5 order@0 {}"},
    {"the first header of a name counts", NULL, "saga-id: one\nsaga-id: two", "{}", "order", "one order@0 {}"},
    {"the type header goes before the binding", "o-1", "saga-type: refund", "{}", "order", "o-1 refund@0 {}"},
    {"the type may be the CloudEvents extension", "o-1", "ce_sagatype: refund", "{}", NULL, "o-1 refund@0 {}"},
    {"ce_type is not the saga's type", "o-1", "ce_type: placed", "{}", "order", "o-1 order@0 {}"},
    {"a version may be asked for", "o-1", "saga-version: 3", "{}", "order", "o-1 order@3 {}"},
    {"numbers go in as they are", "o-1", NULL, "{\"a\":19.99,\"b\":1.0,\"c\":9223372036854775807}", "order",
     "o-1 order@0 {\"a\":19.99,\"b\":1.0,\"c\":9223372036854775807}"},

    /* claim checks */
    {"a reference beside the value", "o-1", "ce_dataref: s3://orders/1?v=2", "{\"a\":1}", "order", "o-1 order@0 {\"a\":1} at \"s3://orders/1?v=2\""},
    {"a reference instead of the value", "o-1", "ce_dataref: s3://orders/1", NULL, "order", "o-1 order@0 {} at \"s3://orders/1\""},
    {"a reference beside null", "o-1", "ce_dataref: s3://orders/1", "null", "order", "o-1 order@0 {} at \"s3://orders/1\""},
    {"a reference does not make a list an object", "o-1", "ce_dataref: s3://orders/1", "[]", "order", "not-an-object"},
    {"the reference of a structured event", "o-1", STRUCTURED, "{" CE ",\"dataref\":\"/files/1\"}", "order", "o-1 order@0 {} at \"/files/1\""},
    {"an empty reference is refused", "o-1", "ce_dataref: ", "{}", "order", "invalid-cloudevent"},
    {"a reference that is no text is refused", "o-1", "ce_dataref: %00%01", "{}", "order", "invalid-cloudevent"},

    /* structured CloudEvents */
    {"a structured event: data is the input", NULL, STRUCTURED, "{" CE ",\"data\":{\"a\":1}}", "order",
     "e-1 order@0 {\"a\":1}"},
    {"its sagaid goes before its id", NULL, STRUCTURED, "{" CE ",\"sagaid\":\"o-3\",\"data\":{}}", "order",
     "o-3 order@0 {}"},
    {"the key goes before both", "o-1", STRUCTURED, "{" CE ",\"sagaid\":\"o-3\",\"data\":{}}", "order",
     "o-1 order@0 {}"},
    {"its sagatype and sagaversion count", "o-1", STRUCTURED,
     "{" CE ",\"sagatype\":\"refund\",\"sagaversion\":2,\"data\":{}}", NULL, "o-1 refund@2 {}"},
    {"a version as text is fine", "o-1", STRUCTURED, "{" CE ",\"sagaversion\":\"2\",\"data\":{}}", "order",
     "o-1 order@2 {}"},
    {"data_base64 is decoded", "o-1", STRUCTURED, "{" CE ",\"data_base64\":\"eyJhIjoxfQ==\"}", "order",
     "o-1 order@0 {\"a\":1}"},
    {"the media type compares without case", "o-1", "content-type: Application/CloudEvents+JSON",
     "{" CE ",\"data\":{}}", "order", "o-1 order@0 {}"},
    {"another specversion is refused", "o-1", STRUCTURED,
     "{\"specversion\":\"0.3\",\"id\":\"e\",\"source\":\"s\",\"type\":\"t\"}", "order", "invalid-cloudevent"},
    {"an event without source is refused", "o-1", STRUCTURED,
     "{\"specversion\":\"1.0\",\"id\":\"e\",\"type\":\"t\",\"data\":{}}", "order", "invalid-cloudevent"},
    {"an event that is an array is refused", "o-1", STRUCTURED, "[]", "order", "invalid-cloudevent"},
    {"an event without a value is refused", "o-1", STRUCTURED, NULL, "order", "invalid-cloudevent"},
    {"data and data_base64 together are refused", "o-1", STRUCTURED, "{" CE ",\"data\":{},\"data_base64\":\"e30=\"}",
     "order", "invalid-cloudevent"},
    {"data_base64 that is not base64 is refused", "o-1", STRUCTURED, "{" CE ",\"data_base64\":\"*\"}", "order",
     "invalid-cloudevent"},
    {"data_base64 that is not JSON is refused", "o-1", STRUCTURED, "{" CE ",\"data_base64\":\"Zm9v\"}", "order",
     "invalid-json"},
    {"a batch is refused", "o-1", "content-type: application/cloudevents-batch+json", "[]", "order",
     "invalid-cloudevent"},
    {"an Avro event is refused", "o-1", "content-type: application/cloudevents+avro", "x", "order",
     "invalid-cloudevent"},
    {"no data is not an object", "o-1", STRUCTURED, "{" CE "}", "order", "not-an-object"},
    {"binary mode of another specversion is refused", "o-1", "ce_specversion: 0.3", "{}", "order",
     "invalid-cloudevent"},

    /* trace and reply address */
    {"a valid trace context is kept", "o-1", "traceparent: " TRACE "\ntracestate: v=1", "{}", "order",
     "o-1 order@0 {} trace " TRACE " v=1"},
    {"the CloudEvents extension too", "o-1", "ce_traceparent: " TRACE, "{}", "order",
     "o-1 order@0 {} trace " TRACE " -"},
    {"one that is not valid is left out", "o-1", "traceparent: 00-0-0-0\ntracestate: v=1", "{}", "order",
     "o-1 order@0 {}"},
    {"a tracestate that is not ASCII is left out", "o-1", "traceparent: " TRACE "\ntracestate: v=%c3%a9", "{}", "order",
     "o-1 order@0 {} trace " TRACE " -"},
    {"a reply topic and correlation are kept", "o-1", "kafka_replyTopic: shop.replies\nkafka_correlationId: cart-7",
     "{}", "order", "o-1 order@0 {} reply shop.replies cart-7"},
    {"bytes of a correlation become base64", "o-1", "kafka_replyTopic: r\nkafka_correlationId: %00%ff%10", "{}",
     "order", "o-1 order@0 {} reply r b64:AP8Q"},
    {"text that looks like our base64 too", "o-1", "kafka_replyTopic: r\nkafka_correlationId: b64:AP8Q", "{}", "order",
     "o-1 order@0 {} reply r b64:YjY0OkFQOFE="},
    {"a reply topic without correlation", "o-1", "kafka_replyTopic: r", "{}", "order", "o-1 order@0 {} reply r -"},
    {"a correlation without a topic is of no use", "o-1", "kafka_correlationId: cart-7", "{}", "order",
     "o-1 order@0 {}"},
    {"a reply topic that cannot be one is refused", "o-1", "kafka_replyTopic: a/b", "{}", "order",
     "reply-topic-not-allowed"},
    {"a reply topic with a NUL is refused", "o-1", "kafka_replyTopic: a%00b", "{}", "order", "reply-topic-not-allowed"},

    /* ids and types */
    {"no id at all", NULL, NULL, "{}", "order", "missing-id"},
    {"an id with a blank", "o 1", NULL, "{}", "order", "invalid-id"},
    {"an id with a slash", "o/1", NULL, "{}", "order", "invalid-id"},
    {"an id with a NUL", "o%00", NULL, "{}", "order", "invalid-id"},
    {"an id that is not ASCII", "%c3%a9", NULL, "{}", "order", "invalid-id"},
    {"an empty id in a header", NULL, "saga-id: ", "{}", "order", "invalid-id"},
    {"a bad key is not saved by a good header", "o 1", "saga-id: o-1", "{}", "order", "invalid-id"},
    {"an id of 128 characters is fine",
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbccccccccccccccccccccccccccccccccddddddddddddddddd"
     "ddddddddddddddd",
     NULL, "{}", "order",
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbccccccccccccccccccccccccccccccccddddddddddddddddd"
     "ddddddddddddddd "
     "order@0 {}"},
    {"an id of 129 is not",
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbccccccccccccccccccccccccccccccccddddddddddddddddd"
     "ddddddddddddddde",
     NULL, "{}", "order", "invalid-id"},
    {"no type and no binding", "o-1", NULL, "{}", NULL, "missing-type"},
    {"a type that cannot be a definition", "o-1", "saga-type: Order!", "{}", "order", "unknown-definition"},
    {"version 0", "o-1", "saga-version: 0", "{}", "order", "unknown-definition"},
    {"a version that is no number", "o-1", "saga-version: newest", "{}", "order", "unknown-definition"},

    /* values */
    {"a null value", "o-1", NULL, NULL, "order", "not-an-object"},
    {"an empty value", "o-1", NULL, "", "order", "not-an-object"},
    {"an array", "o-1", NULL, "[1]", "order", "not-an-object"},
    {"null", "o-1", NULL, "null", "order", "not-an-object"},
    {"a number", "o-1", NULL, "1", "order", "not-an-object"},
    {"no JSON", "o-1", NULL, "{\"a\":", "order", "invalid-json"},
    {"two values", "o-1", NULL, "{} {}", "order", "invalid-json"},
    {"a key twice", "o-1", NULL, "{\"a\":1,\"a\":2}", "order", "invalid-json"},
    {"bytes that are not UTF-8", "o-1", NULL, "{\"a\":\"%ff\"}", "order", "invalid-json"},
    {"a raw NUL", "o-1", NULL, "{\"a\":\"%00\"}", "order", "invalid-json"},
    {"an escaped NUL", "o-1", NULL, "{\"a\":\"\\u0000\"}", "order", "invalid-json"},
    {"an integer beyond 64 bits", "o-1", NULL, "{\"a\":9223372036854775808}", "order", "invalid-json"},
    {"a real beyond double", "o-1", NULL, "{\"a\":1e999}", "order", "invalid-json"},
    {"binary", "o-1", NULL, "%00%01%02", "order", "invalid-json"},
    {"nesting beyond the limit", "o-1", NULL, "{\"a\":[[[[[[[[1]]]]]]]]}", "order", "too-deep"},
    {"bytes beyond the limit", "o-1", NULL,
     "{\"a\":\"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
     "01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\""
     "}",
     "order", "too-large"},
    {"values beyond the limit", "o-1", NULL,
     "{\"a\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30]}", "order",
     "too-large"},
};

static const struct json_limits limits = {.bytes_max = 200, .depth_max = 8, .values_max = 24};

static void say_start(struct buffer *out, const struct wire_start *start)
{
    say(out, "%s %s@%lld ", start->id, start->type, (long long)start->version);
    json_write(out, start->input);
    if (start->traceparent != NULL)
        say(out, " trace %s %s", start->traceparent, start->tracestate == NULL ? "-" : start->tracestate);
    if (start->dataref != NULL) {
        buffer_text(out, " at ");
        json_write(out, start->dataref);
    }
    if (start->reply_topic != NULL)
        say(out, " reply %s %s", start->reply_topic, start->reply_correlation == NULL ? "-" : start->reply_correlation);
}

static void check_start(void **state)
{
    const struct row *row = *state;
    struct given given;
    struct wire_start start;
    struct baton_error err = {BATON_OK, ""};
    enum dlq_reason reason = DLQ_REASON_COUNT;
    struct buffer said = {0};
    enum baton_err rc;
    char id[SAGA_ID_MAX + 1];

    given_message(&given, row->key, row->headers, row->value);
    rc = wire_start_read(&given.message, row->binding, &limits, &start, &reason, &err);
    if (rc == BATON_OK) {
        say_start(&said, &start);
        assert_int_equal(start.at_ms, given.message.timestamp_ms);
        assert_true(wire_start_id(&given.message, &limits, id));
        assert_string_equal(id, start.id);
        wire_start_clear(&start);
    } else {
        assert_int_equal(rc, BATON_E_POISON);
        assert_int_equal(err.code, BATON_E_POISON);
        assert_true(strlen(err.text) > 10);
        say(&said, "%s", dlq_reason_name(reason));
    }
    assert_text(row->name, &said, row->then);
    buffer_free(&said);
    given_clear(&given);
}

static void invalid_json_names_the_place(void **state)
{
    struct given given;
    struct wire_start start;
    struct baton_error err = {BATON_OK, ""};
    enum dlq_reason reason = DLQ_REASON_COUNT;

    (void)state;
    given_message(&given, "o-1", NULL, "{\"a\":1,\n  \"a\":2}");
    assert_int_equal(wire_start_read(&given.message, "order", &limits, &start, &reason, &err), BATON_E_POISON);
    assert_int_equal(reason, DLQ_INVALID_JSON);
    assert_non_null(strstr(err.text, "line 2"));
    assert_non_null(strstr(err.text, "\"a\""));
    given_clear(&given);
}

static void too_large_names_the_limit(void **state)
{
    struct given given;
    struct wire_start start;
    struct baton_error err = {BATON_OK, ""};
    enum dlq_reason reason = DLQ_REASON_COUNT;
    char headers[DATAREF_MAX + 32] = "ce_dataref: ", value[256] = "{\"a\":\"";

    (void)state;
    memset(headers + strlen(headers), 'x', DATAREF_MAX + 1);
    given_message(&given, "o-1", headers, "{}");
    assert_int_equal(wire_start_read(&given.message, "order", &limits, &start, &reason, &err), BATON_E_POISON);
    assert_int_equal(reason, DLQ_TOO_LARGE);
    assert_string_equal(err.text, "ce_dataref of 2049 bytes, at most 2048");
    given_clear(&given);
    memset(value + strlen(value), 'x', 220);
    given_message(&given, "o-1", NULL, value);
    assert_int_equal(wire_start_read(&given.message, "order", &limits, &start, &reason, &err), BATON_E_POISON);
    assert_int_equal(reason, DLQ_TOO_LARGE);
    assert_string_equal(err.text, "value of 226 bytes, at most 200; send a reference instead");
    given_clear(&given);
}

static void more_headers_than_are_read(void **state)
{
    struct given given;
    struct wire_start start;
    struct baton_error err;
    enum dlq_reason reason = DLQ_REASON_COUNT;

    (void)state;
    given_message(&given, "o-1", NULL, "{}");
    given.message.headers_total = BUS_HEADERS_MAX + 1;
    assert_int_equal(wire_start_read(&given.message, "order", &limits, &start, &reason, &err), BATON_E_POISON);
    assert_string_equal(dlq_reason_name(reason), "too-many-headers");
    given_clear(&given);
}

static void no_timestamp_is_zero(void **state)
{
    struct given given;
    struct wire_start start;
    enum dlq_reason reason;

    (void)state;
    given_message(&given, "o-1", NULL, "{}");
    given.message.timestamp_ms = -1;
    assert_int_equal(wire_start_read(&given.message, "order", &limits, &start, &reason, NULL), BATON_OK);
    assert_int_equal(start.at_ms, 0);
    wire_start_clear(&start);
    given_clear(&given);
}

static void a_correlation_is_bounded(void **state)
{
    char headers[2048];
    struct given given;
    struct wire_start start;
    enum dlq_reason reason = DLQ_REASON_COUNT;

    (void)state;
    strcpy(headers, "kafka_replyTopic: r\nkafka_correlationId: ");
    memset(headers + strlen(headers), 'x', 1025);
    headers[strlen("kafka_replyTopic: r\nkafka_correlationId: ") + 1025] = '\0';
    given_message(&given, "o-1", headers, "{}");
    assert_int_equal(wire_start_read(&given.message, "order", &limits, &start, &reason, NULL), BATON_E_POISON);
    assert_string_equal(dlq_reason_name(reason), "invalid-correlation");
    given_clear(&given);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(invalid_json_names_the_place),
        cmocka_unit_test(more_headers_than_are_read),
        cmocka_unit_test(too_large_names_the_limit),
        cmocka_unit_test(no_timestamp_is_zero),
        cmocka_unit_test(a_correlation_is_bounded),
    };

    return RUN_ROWS(start_rows, check_start) + cmocka_run_group_tests(tests, NULL, NULL);
}

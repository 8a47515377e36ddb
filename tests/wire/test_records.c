/*
 * test_records.c -- results, announcements, dead letters and forwarded messages, byte for byte.
 */
#include "support.h"

static struct wire_out out;

/* --- results --- */

static const struct result_row {
    const char *name;
    enum effect_kind kind;
    enum saga_status status;
    const char *output, *error, *parked, *correlation;
    const char *then; /* ce_id, ce_type, kafka_correlationId, value */
} result_rows[] = {
    {"a completed saga", EFFECT_RESULT, SAGA_COMPLETED, "{\"receipt\":\"p-1\"}", NULL, NULL, NULL,
     "o-1001/completed/2 baton.saga.completed.v1 -\n"
     "{\"id\":\"o-1001\",\"definition\":\"order\",\"version\":3,\"status\":\"completed\",\"output\":{\"receipt\":\"p-"
     "1\"},\"error\":null}"},
    {"a compensated saga, to a starter", EFFECT_RESULT, SAGA_COMPENSATED, NULL,
     "{\"step\":\"settle\",\"code\":\"CARD_DECLINED\",\"message\":\"no\"}", NULL, "cart-7",
     "o-1001/compensated/2 baton.saga.compensated.v1 cart-7\n"
     "{\"id\":\"o-1001\",\"definition\":\"order\",\"version\":3,\"status\":\"compensated\",\"output\":null,"
     "\"error\":{\"step\":\"settle\",\"code\":\"CARD_DECLINED\",\"message\":\"no\"}}"},
    {"a parked saga is announced", EFFECT_PARKED, SAGA_PARKED, NULL,
     "{\"step\":\"ship\",\"code\":\"TIMEOUT\",\"message\":\"no\"}", "ship: no answer after the pivot", NULL,
     "o-1001/parked/2 baton.saga.parked.v1 -\n"
     "{\"id\":\"o-1001\",\"definition\":\"order\",\"version\":3,\"status\":\"parked\",\"output\":null,"
     "\"error\":{\"step\":\"ship\",\"code\":\"TIMEOUT\",\"message\":\"no\"},\"reason\":\"ship: no answer after the "
     "pivot\"}"},
    {"and its resumption", EFFECT_RESUMED, SAGA_RUNNING, NULL, NULL, NULL, NULL,
     "o-1001/resumed/2 baton.saga.resumed.v1 -\n"
     "{\"id\":\"o-1001\",\"definition\":\"order\",\"version\":3,\"status\":\"running\",\"output\":null,\"error\":"
     "null}"},
    {"a base64 correlation goes out as the bytes it was", EFFECT_RESULT, SAGA_CANCELLED, NULL, NULL, NULL, "b64:Zm9v",
     "o-1001/cancelled/2 baton.saga.cancelled.v1 foo\n"
     "{\"id\":\"o-1001\",\"definition\":\"order\",\"version\":3,\"status\":\"cancelled\",\"output\":null,\"error\":"
     "null}"},
    {"one that is not base64 goes out as it stands", EFFECT_RESULT, SAGA_TERMINATED, NULL, NULL, NULL, "b64:*",
     "o-1001/terminated/2 baton.saga.terminated.v1 b64:*\n"
     "{\"id\":\"o-1001\",\"definition\":\"order\",\"version\":3,\"status\":\"terminated\",\"output\":null,\"error\":"
     "null}"},
};

static void check_result(void **state)
{
    const struct result_row *row = *state;
    struct saga *saga = order_saga();
    struct buffer said = {0};

    saga->status = row->status;
    saga->output = row->output == NULL ? NULL : parse(row->output);
    saga->error = row->error == NULL ? NULL : parse(row->error);
    saga->parked = row->parked == NULL ? NULL : strdup(row->parked);
    assert_int_equal(wire_result_write(saga, row->kind, 1769860800120, "baton.results", row->correlation, &out, NULL),
                     BATON_OK);
    say(&said, "%s ", record_header_value(&out.record, "ce_id"));
    say(&said, "%s ", record_header_value(&out.record, "ce_type"));
    say(&said, "%s\n", record_header_value(&out.record, "kafka_correlationId"));
    buffer_append(&said, out.record.value, out.record.value_len);
    assert_text(row->name, &said, row->then);
    assert_string_equal(out.record.topic, "baton.results");
    assert_memory_equal(out.record.key, "o-1001", out.record.key_len);
    assert_string_equal(record_header_value(&out.record, "content-type"), "application/json");
    assert_string_equal(record_header_value(&out.record, "ce_source"), "/baton/order/3");
    buffer_free(&said);
    saga_free(saga);
}

static void a_breaker_that_changed(void **state)
{
    const struct service_breaker breaker = {.change = 7, .breaker = BREAKER_OPEN, .by_hand = true, .since_ms = 1769860800120, .who = "ann", .why = "\"up\""};
    struct buffer said = {0};

    (void)state;
    assert_int_equal(wire_service_write("card.network", &breaker, "baton.events", &out, NULL), BATON_OK);
    say(&said, "%s ", record_header_value(&out.record, "ce_id"));
    say(&said, "%s ", record_header_value(&out.record, "ce_type"));
    say(&said, "%s ", record_header_value(&out.record, "ce_source"));
    say(&said, "%s\n", record_header_value(&out.record, "ce_time"));
    buffer_append(&said, out.record.value, out.record.value_len);
    assert_text("service", &said, "card.network/open/7 baton.service.open.v1 /baton/services/card.network 2026-01-31T12:00:00.120Z\n"
                "{\"service\":\"card.network\",\"state\":\"open\",\"since\":1769860800120,\"until\":null,\"byHand\":true,\"who\":\"ann\",\"why\":\"\\\"up\\\"\"}");
    assert_memory_equal(out.record.key, "card.network", out.record.key_len);
    buffer_free(&said);
}

/* --- dead letters --- */

static const struct dead_row {
    const char *name;
    const char *key, *headers, *value;
    const char *then;
} dead_rows[] = {
    {"a message is set aside whole", "o-1", "content-type: text/plain\nraw: %ff", "OK",
     "topic baton.dlq partition -1\nkey o-1\ncontent-type: text/plain\nraw: \xff\ndlq-reason: invalid-json\ndlq-error: "
     "value is not JSON\n"
     "dlq-topic: baton.replies\ndlq-partition: 3\ndlq-offset: 18231\ndlq-timestamp: 1769860800123\nOK"},
    {"without key, value and with a null header too", NULL, "x", NULL,
     "topic baton.dlq partition -1\nkey \nx\ndlq-reason: invalid-json\ndlq-error: value is not JSON\n"
     "dlq-topic: baton.replies\ndlq-partition: 3\ndlq-offset: 18231\ndlq-timestamp: 1769860800123\n(null)"},
    {"an older dead letter's headers are replaced", "o-1", "dlq-reason: too-deep\nDLQ-Offset: 1\ndlq-other: x\na: 1",
     "OK",
     "topic baton.dlq partition -1\nkey o-1\na: 1\ndlq-reason: invalid-json\ndlq-error: value is not JSON\n"
     "dlq-topic: baton.replies\ndlq-partition: 3\ndlq-offset: 18231\ndlq-timestamp: 1769860800123\nOK"},
};

static void check_dead_letter(void **state)
{
    const struct dead_row *row = *state;
    struct given given;
    struct buffer said = {0};

    given_message(&given, row->key, row->headers, row->value);
    assert_int_equal(wire_dead_letter_write(&given.message, "baton.replies", DLQ_INVALID_JSON, "value is not JSON",
                                            "baton.dlq", &out, NULL),
                     BATON_OK);
    say_record(&said, &out.record);
    assert_text(row->name, &said, row->then);
    buffer_free(&said);
    given_clear(&given);
}

static void a_dead_letter_carries_the_most_headers(void **state)
{
    char headers[4096] = "";
    struct given given;

    (void)state;
    for (int i = 0; i < BUS_HEADERS_MAX; i++)
        sprintf(headers + strlen(headers), "h%d: %d\n", i, i);
    given_message(&given, "o-1", headers, "{}");
    given.message.headers_total = 70;
    assert_int_equal(
        wire_dead_letter_write(&given.message, "in", DLQ_TOO_MANY_HEADERS, "70 headers", "baton.dlq", &out, NULL),
        BATON_OK);
    assert_int_equal(out.record.headers_len, BUS_HEADERS_MAX + 7);
    assert_string_equal(record_header_value(&out.record, "h63"), "63");
    assert_string_equal(record_header_value(&out.record, "dlq-headers-dropped"), "6");
    given_clear(&given);
}

static void every_reason_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < DLQ_REASON_COUNT; i++) {
        const char *name = dlq_reason_name((enum dlq_reason)i);

        assert_non_null(name);
        assert_true(strspn(name, "abcdefghijklmnopqrstuvwxyz-") == strlen(name) && strlen(name) > 5);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(name, dlq_reason_name((enum dlq_reason)k));
    }
    assert_string_equal(dlq_reason_name(DLQ_REASON_COUNT), "unknown");
}

/* --- forwarded messages --- */

static void a_forwarded_message_is_the_same_with_one_more_header(void **state)
{
    struct given given;
    struct buffer said = {0};

    (void)state;
    given_message(&given, NULL, "kafka_correlationId: o-1/reserve/x/1\nx", "{}");
    assert_false(wire_was_forwarded(&given.message));
    assert_int_equal(wire_forward_write(&given.message, "baton.replies", 5, "o-1", &out, NULL), BATON_OK);
    say_record(&said, &out.record);
    assert_text("forwarded", &said,
                "topic baton.replies partition 5\nkey o-1\nkafka_correlationId: o-1/reserve/x/1\nx\n"
                "baton-forwarded: baton.replies/3/18231\n{}");
    buffer_free(&said);
    given_clear(&given);

    given_message(&given, "o-1", "Baton-Forwarded: baton.replies/3/1\na: 1", "{}");
    assert_true(wire_was_forwarded(&given.message));
    assert_int_equal(wire_forward_write(&given.message, "baton.replies", 5, "o-1", &out, NULL), BATON_OK);
    assert_int_equal(out.record.headers_len, 2);
    assert_string_equal(record_header_value(&out.record, "baton-forwarded"), "baton.replies/3/18231");
    given_clear(&given);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_breaker_that_changed),
        cmocka_unit_test(a_dead_letter_carries_the_most_headers),
        cmocka_unit_test(every_reason_has_a_name_of_its_own),
        cmocka_unit_test(a_forwarded_message_is_the_same_with_one_more_header),
    };
    int failed = RUN_ROWS(result_rows, check_result) + RUN_ROWS(dead_rows, check_dead_letter) +
                 cmocka_run_group_tests(tests, NULL, NULL);

    wire_out_free(&out);
    return failed;
}

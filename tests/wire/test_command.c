/*
 * test_command.c -- golden command records: byte for byte what docs/protocol.md promises.
 */
#include "support.h"

#define KEY "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char *const own_replies[] = {"payments", "payments.replies", NULL};

static const struct wire_names names = {
    .replies = "baton.replies", .service_replies = own_replies, .command_prefix = "", .source_prefix = ""};

static const struct row {
    const char *name;
    struct effect effect;
    const char *input; /* NULL = none */
    const char *prefix;
    bool traced;
    const char *then;
} command_rows[] = {
    {"an execute command",
     {.kind = EFFECT_COMMAND,
      .place = {0, -1},
      .action = ACTION_EXECUTE,
      .attempt = 1,
      .service = "inventory",
      .command = "ReserveStock",
      .expires_at_ms = 1769860810000},
     "{\"order\":\"o-1001\",\"total\":19.99}",
     "",
     true,
     "topic inventory.commands partition -1\n"
     "key o-1001\n"
     "ce_id: o-1001/reserve/x/1\n"
     "ce_specversion: 1.0\n"
     "ce_source: /baton/order/3\n"
     "ce_type: ReserveStock\n"
     "ce_time: 2026-01-31T12:00:00.120Z\n"
     "ce_sagaid: o-1001\n"
     "ce_sagatype: order\n"
     "ce_sagaversion: 3\n"
     "content-type: application/json\n"
     "ce_sagastep: reserve\n"
     "ce_sagaaction: execute\n"
     "ce_sagaattempt: 1\n"
     "ce_expirytime: 2026-01-31T12:00:10.000Z\n"
     "idempotency-key: o-1001/reserve/x\n"
     "kafka_correlationId: o-1001/reserve/x/1\n"
     "kafka_replyTopic: baton.replies\n"
     "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-@SPAN@-01\n"
     "tracestate: vendor=1\n"
     "{\"order\":\"o-1001\",\"total\":19.99}"},
    {"a compensate command to a service with a reply topic of its own, under a prefix, without trace or expiry",
     {.kind = EFFECT_COMMAND,
      .place = {1, -1},
      .action = ACTION_COMPENSATE,
      .attempt = 12,
      .service = "payments",
      .command = "Void"},
     NULL,
     "shop.",
     false,
     "topic shop.payments.commands partition -1\n"
     "key o-1001\n"
     "ce_id: o-1001/authorize/c/12\n"
     "ce_specversion: 1.0\n"
     "ce_source: /baton/order/3\n"
     "ce_type: Void\n"
     "ce_time: 2026-01-31T12:00:00.120Z\n"
     "ce_sagaid: o-1001\n"
     "ce_sagatype: order\n"
     "ce_sagaversion: 3\n"
     "content-type: application/json\n"
     "ce_sagastep: authorize\n"
     "ce_sagaaction: compensate\n"
     "ce_sagaattempt: 12\n"
     "idempotency-key: o-1001/authorize/c\n"
     "kafka_correlationId: o-1001/authorize/c/12\n"
     "kafka_replyTopic: payments.replies\n"
     "null"},
};

static struct wire_out out; /* one for all rows: its memory is reused from record to record */

static void check_command(void **state)
{
    const struct row *row = *state;
    struct saga *saga = order_saga();
    struct effect effect = row->effect;
    struct wire_names with_prefix = names;
    struct buffer said = {0};
    char *span;

    with_prefix.command_prefix = row->prefix;
    effect.input = row->input == NULL ? NULL : parse(row->input);
    if (!row->traced) {
        free(saga->traceparent);
        saga->traceparent = NULL;
    }
    assert_int_equal(wire_command_write(saga, &effect, 1769860800120, &with_prefix, &out, NULL), BATON_OK);
    say_record(&said, &out.record);
    assert_non_null(buffer_cstr(&said));
    span = strstr(said.data, "traceparent: ");
    if (span != NULL) { /* a hash: its value is tested in test_text.c; "@SPAN@" is shorter than it */
        span += strlen("traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-");
        memmove(span + strlen("@SPAN@"), span + 16, strlen(span + 16) + 1);
        memcpy(span, "@SPAN@", strlen("@SPAN@"));
        said.len -= 16 - strlen("@SPAN@");
    }
    assert_text(row->name, &said, row->then);
    buffer_free(&said);
    json_decref(effect.input);
    saga_free(saga);
}

static void a_topic_name_that_does_not_fit_is_refused(void **state)
{
    struct saga *saga = order_saga();
    struct effect effect = command_rows[0].effect;
    char service[300];
    struct baton_error err;

    (void)state;
    memset(service, 'a', sizeof service - 1);
    service[sizeof service - 1] = '\0';
    effect.service = service;
    assert_int_equal(wire_command_write(saga, &effect, 0, &names, &out, &err), BATON_E_INVALID);
    saga_free(saga);
}

static void every_attempt_has_an_id_of_its_own_and_one_idempotency_key(void **state)
{
    struct saga *saga = order_saga();
    struct effect effect = command_rows[0].effect;
    char first_id[64], first_key[64];

    (void)state;
    assert_int_equal(wire_command_write(saga, &effect, 0, &names, &out, NULL), BATON_OK);
    strcpy(first_id, record_header_value(&out.record, "ce_id"));
    strcpy(first_key, record_header_value(&out.record, "idempotency-key"));
    effect.attempt = 2;
    assert_int_equal(wire_command_write(saga, &effect, 0, &names, &out, NULL), BATON_OK);
    assert_string_not_equal(first_id, record_header_value(&out.record, "ce_id"));
    assert_string_equal(first_key, record_header_value(&out.record, "idempotency-key"));
    saga_free(saga);
}

static void each_poll_has_an_idempotency_key_of_its_own(void **state)
{
    struct saga *saga = order_saga();
    struct effect effect = command_rows[0].effect;

    (void)state;
    effect.attempt = 3;
    effect.poll = 2;
    assert_int_equal(wire_command_write(saga, &effect, 0, &names, &out, NULL), BATON_OK);
    assert_string_equal(record_header_value(&out.record, "ce_id"), "o-1001/reserve/x/3");
    assert_string_equal(record_header_value(&out.record, "idempotency-key"), "o-1001/reserve/x.2");
    saga_free(saga);
}

/* The tags: printf o-1001/reserve/x/1 | openssl dgst -sha256 -hmac KEY, the first 32 digits. */
static void a_signed_command_differs_in_its_two_ids_only(void **state)
{
    struct saga *saga = order_saga();
    struct wire_names signing = names;
    struct effect effect = command_rows[0].effect;
    char span[64];

    (void)state;
    assert_int_equal(wire_signer_new(KEY, strlen(KEY), &signing.signer, NULL), BATON_OK);
    assert_int_equal(wire_command_write(saga, &effect, 0, &names, &out, NULL), BATON_OK);
    strcpy(span, record_header_value(&out.record, "traceparent"));
    assert_int_equal(wire_command_write(saga, &effect, 0, &signing, &out, NULL), BATON_OK);
    assert_string_equal(record_header_value(&out.record, "ce_id"), "o-1001/reserve/x/1/b5e81822a5e617282ce0d58c43e845a1");
    assert_string_equal(record_header_value(&out.record, "kafka_correlationId"), "o-1001/reserve/x/1/b5e81822a5e617282ce0d58c43e845a1");
    assert_string_equal(record_header_value(&out.record, "idempotency-key"), "o-1001/reserve/x");
    assert_string_equal(record_header_value(&out.record, "traceparent"), span);
    wire_signer_free(signing.signer);
    saga_free(saga);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signed_command_differs_in_its_two_ids_only),
        cmocka_unit_test(a_topic_name_that_does_not_fit_is_refused),
        cmocka_unit_test(every_attempt_has_an_id_of_its_own_and_one_idempotency_key),
        cmocka_unit_test(each_poll_has_an_idempotency_key_of_its_own),
    };
    int failed = RUN_ROWS(command_rows, check_command) + cmocka_run_group_tests(tests, NULL, NULL);

    wire_out_free(&out);
    return failed;
}

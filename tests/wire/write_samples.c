/*
 * write_samples.c -- what the writers really produce, as JSON documents that tests/schemas holds against the schemas.
 *
 * Usage: wire_samples DIRECTORY. Each file is <schema>--<what>.json.
 */
#include "random_saga.h"
#include <errno.h>
#include <sys/stat.h>

static const char *directory;

static void save(const char *schema, const char *what, const char *text, size_t len)
{
    char path[1024];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s--%s.json", directory, schema, what);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void save_record(const char *schema, const char *what, const struct bus_record *record)
{
    struct buffer text = {0};

    buffer_text(&text, "{\"key\":");
    json_write_string(&text, record->key, record->key_len);
    buffer_text(&text, ",\"headers\":{");
    for (size_t i = 0; i < record->headers_len; i++) {
        const struct bus_header *header = &record->headers[i];

        if (i > 0)
            buffer_char(&text, ',');
        json_write_string(&text, header->name, strlen(header->name));
        buffer_char(&text, ':');
        json_write_string(&text, header->value, header->len);
    }
    buffer_text(&text, "},\"value\":");
    buffer_append(&text, record->value, record->value_len);
    buffer_char(&text, '}');
    assert_false(text.failed);
    save(schema, what, text.data, text.len);
    buffer_free(&text);
}

static void commands(void **state)
{
    static const char key[] = "0123456789abcdef0123456789abcdef";
    struct wire_names names = {.replies = "baton.replies", .command_prefix = "shop.", .source_prefix = ""};
    struct saga *saga = order_saga();
    struct effect effect = {.kind = EFFECT_COMMAND,
                            .attempt = 1,
                            .service = "inventory",
                            .command = "ReserveStock",
                            .input = saga->input,
                            .expires_at_ms = 1769860810000};
    struct wire_out out = {.text = {0}};

    (void)state;
    assert_int_equal(wire_command_write(saga, &effect, 1769860800120, &names, &out, NULL), BATON_OK);
    save_record("command", "execute", &out.record);
    assert_int_equal(wire_signer_new(key, strlen(key), &names.signer, NULL), BATON_OK);
    assert_int_equal(wire_command_write(saga, &effect, 1769860800120, &names, &out, NULL), BATON_OK);
    save_record("command", "signed", &out.record);
    wire_signer_free(names.signer);
    names.signer = NULL;
    free(saga->traceparent);
    saga->traceparent = NULL;
    effect.action = ACTION_COMPENSATE;
    effect.attempt = 12;
    effect.input = NULL;
    effect.expires_at_ms = 0;
    assert_int_equal(wire_command_write(saga, &effect, 1769860800120, &names, &out, NULL), BATON_OK);
    save_record("command", "compensate", &out.record);
    wire_out_free(&out);
    saga_free(saga);
}

static void results(void **state)
{
    static const enum saga_status ends[] = {SAGA_COMPLETED, SAGA_COMPENSATED, SAGA_CANCELLED, SAGA_TERMINATED};
    struct saga *saga = order_saga();
    struct wire_out out = {.text = {0}};

    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        saga->status = ends[i];
        assert_int_equal(wire_result_write(saga, EFFECT_RESULT, 1769860800120, "baton.results", "cart-7", &out, NULL),
                         BATON_OK);
        save_record("result", saga_status_name(ends[i]), &out.record);
    }
    saga->status = SAGA_PARKED;
    saga->parked = strdup("ship: no answer after the pivot");
    saga->error = parse("{\"step\":\"ship\",\"code\":\"TIMEOUT\",\"message\":\"no answer\"}");
    assert_int_equal(wire_result_write(saga, EFFECT_PARKED, 1769860800120, "baton.events", NULL, &out, NULL), BATON_OK);
    save_record("result", "parked", &out.record);
    saga->status = SAGA_RUNNING;
    free(saga->parked);
    saga->parked = NULL;
    assert_int_equal(wire_result_write(saga, EFFECT_RESUMED, 1769860800120, "baton.events", NULL, &out, NULL),
                     BATON_OK);
    save_record("result", "resumed", &out.record);
    wire_out_free(&out);
    saga_free(saga);
}

static void services(void **state)
{
    struct service_breaker breaker = {.change = 7, .breaker = BREAKER_OPEN, .since_ms = 1769860800120, .until_ms = 1769860830120};
    struct wire_out out = {.text = {0}};

    (void)state;
    assert_int_equal(wire_service_write("payments", &breaker, "baton.events", &out, NULL), BATON_OK);
    save_record("service-event", "open", &out.record);
    breaker = (struct service_breaker){.change = 8, .breaker = BREAKER_CLOSED, .by_hand = true, .since_ms = 1769860800120, .who = "ann", .why = "it is up"};
    assert_int_equal(wire_service_write("payments", &breaker, "baton.events", &out, NULL), BATON_OK);
    save_record("service-event", "closed-by-hand", &out.record);
    wire_out_free(&out);
}

static void answers(void **state)
{
    struct saga *saga = order_saga();
    struct wire_control control = {.verb = VERB_CANCEL, .reply_topic = (char *)"baton.events", .reply_correlation = (char *)"m-1"};
    struct wire_answer answer = {.outcome = ANSWER_ACCEPTED, .saga_id = saga->id, .saga = saga, .partition = 3, .offset = 7};
    struct wire_job job = {.found = 1, .accepted = 1};
    struct wire_out out = {.text = {0}};

    (void)state;
    assert_int_equal(wire_answer_write(&answer, &control, 1769860800120, &out, NULL), BATON_OK);
    save_record("control-answer", "accepted", &out.record);
    answer.outcome = ANSWER_REFUSED;
    answer.reason = "it has ended: completed";
    assert_int_equal(wire_answer_write(&answer, &control, 1769860800120, &out, NULL), BATON_OK);
    save_record("control-answer", "refused", &out.record);
    answer.outcome = ANSWER_UNKNOWN_SAGA;
    answer.saga = NULL;
    assert_int_equal(wire_answer_write(&answer, &control, 1769860800120, &out, NULL), BATON_OK);
    save_record("control-answer", "unknown-saga", &out.record);
    job.sagas = json_pack("[{s:s, s:s, s:i, s:s, s:s, s:n}]", "id", saga->id, "definition", "order", "version", 3, "status", "cancelled", "outcome", "accepted", "reason");
    job.reasons = json_object();
    control.job = &job;
    control.doc = json_pack("{s:s}", "where", "type=order");
    assert_int_equal(wire_job_answer_write(&control, "job:1", 3, 7, true, 1769860800120, &out, NULL), BATON_OK);
    save_record("control-answer", "job", &out.record);
    json_decref(control.doc);
    json_decref(job.sagas);
    json_decref(job.reasons);
    wire_out_free(&out);
    saga_free(saga);
}

static void states(void **state)
{
    struct random random = random_begin("samples");

    (void)state;
    for (int i = 0; i < 20; i++) {
        struct saga *saga = random_saga(&random);
        struct buffer text = {0};
        char what[32];

        wire_state_write(&text, saga);
        assert_false(text.failed);
        (void)snprintf(what, sizeof what, "random-%d", i);
        save("saga-state", what, text.data, text.len);
        buffer_free(&text);
        saga_free(saga);
    }
}

static void add_steps(struct random *random, struct journal_writer *writer)
{
    struct saga *saga = random_saga(random);
    struct effect effect = {.kind = EFFECT_COMMAND, .place = AT(1), .attempt = 2};
    struct effects effects = {.items = &effect, .disposition = APPLIED};
    struct journal_cause cause = {"baton.replies", 3, 344};
    struct saga_event event = {.kind = EVENT_START, .at_ms = 1769860800000};
    json_t *asks = json_pack("{s:s, s:s, s:i}", "saga", "o-7", "step", "pay", "attempt", 1);

    journal_writer_step(writer, saga, &event, &cause, &effects);
    for (int kind = EVENT_START; kind < EVENT_KIND_COUNT; kind++) {
        random_event(random, saga);
        event = (struct saga_event){
            .kind = (enum saga_event_kind)kind, .at_ms = 1769860800120, .attempt = 1, .reason = "no such topic",
            .verb = VERB_RETRY, .who = "ann", .why = "because", .step_name = "settle", .verb_id = "m-1",
            .place = AT(0), .signal = "approved", .parent = kind == EVENT_START || kind == EVENT_VERB ? asks : NULL};
        event.body = saga->steps_len > 0 ? saga->steps[0].output : NULL;
        event.outcome = (enum reply_header_outcome)random_below(random, 5);
        event.problem = random_one_in(random, 2);
        event.retry_after_ms = random_below(random, 2);
        event.compensation = random_one_in(random, 4) ? "{\"command\":\"Undo\"}" : NULL;
        effects.len = (size_t)random_below(random, 2);
        effects.disposition = (enum disposition)random_below(random, IGNORED_EARLY);
        journal_writer_step(writer, saga, &event, random_one_in(random, 2) ? NULL : &cause, &effects);
    }
    journal_writer_note(writer, &cause, "dead-letter:invalid-json", NULL);
    journal_writer_note(writer, &cause, "forwarded", "o-7");
    event.kind = EVENT_VERB;
    journal_writer_refused(writer, &cause, "o-7", &event, "it has ended: completed");
    journal_writer_purge(writer, "o-3", 1769860800000);
    json_decref(asks);
    saga_free(saga);
}

static void journal_records(void **state)
{
    static const char *const topics[] = {"orders.commands", "baton.replies"};
    static const int64_t offsets[] = {12, 345};
    const struct journal_head head = {.seq = 42,
                                      .checkpoint = 40,
                                      .checkpoint_offset = -1,
                                      .at_ms = 1769860800120,
                                      .worker = "baton.w1.0",
                                      .topics = topics,
                                      .offsets = offsets,
                                      .inputs_len = 2,
                                      .part = 1,
                                      .parts = 1};
    struct random random = random_begin("samples");

    (void)state;
    for (int i = 0; i < 10; i++) {
        struct journal_writer writer = {.count = 0};
        struct buffer text = {0};
        char what[32];

        if (i > 0) /* the first has no steps */
            add_steps(&random, &writer);
        journal_record_write(&text, &head, &writer);
        assert_false(text.failed);
        (void)snprintf(what, sizeof what, "random-%d", i);
        save("journal-record", what, text.data, text.len);
        journal_writer_free(&writer);
        buffer_free(&text);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands),
        cmocka_unit_test(results),
        cmocka_unit_test(services),
        cmocka_unit_test(answers),
        cmocka_unit_test(states),
        cmocka_unit_test(journal_records),
    };

    if (argc != 2 || (mkdir(argv[1], 0777) != 0 && errno != EEXIST)) {
        fprintf(stderr, "usage: wire_samples DIRECTORY\n");
        return 2;
    }
    directory = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}

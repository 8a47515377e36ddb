/*
 * test_journal.c -- journal records: their text, what comes back, and that a torn one is refused.
 */
#include "random_saga.h"

static const char *const topics[] = {"orders.commands", "baton.replies", "baton.control"};
static const int64_t offsets[] = {12, 345, 0};

static const struct journal_head head = {
    .seq = 42,
    .checkpoint = 40,
    .checkpoint_offset = 77,
    .at_ms = 1769860800120,
    .worker = "baton.w1.0",
    .topics = topics,
    .offsets = offsets,
    .inputs_len = 3,
    .part = 1,
    .parts = 1,
};
#define HEAD                                                                                                           \
    "{\"v\":1,\"seq\":42,\"at\":1769860800120,\"worker\":\"baton.w1.0\",\"c\":40,\"co\":77,\"part\":[1,1],"            \
    "\"vector\":{\"orders.commands\":12,\"baton.replies\":345,\"baton.control\":0},"

/* A reply that settled reserve, whose output is the body itself, and what was sent after it. */
static void write_reply_step(struct journal_writer *writer)
{
    static const struct journal_cause cause = {"baton.replies", 3, 344};
    struct saga *saga = order_saga();
    struct saga_event event = {
        .kind = EVENT_REPLY, .at_ms = 1769860800120, .place = AT(0), .action = ACTION_EXECUTE, .attempt = 1};
    struct effect effect = {.kind = EFFECT_COMMAND, .place = AT(1), .action = ACTION_EXECUTE, .attempt = 1};
    struct effects effects = {.items = &effect, .len = 1, .disposition = APPLIED};

    saga->steps[0].changed = saga->steps[1].changed = true;
    saga->history_new = 2;
    event.body = saga->steps[0].output;
    event.outcome = REPLY_SUCCESS;
    journal_writer_step(writer, saga, &event, &cause, &effects);
    saga_free(saga);
}

static void a_record_is_byte_for_byte(void **state)
{
    struct journal_writer writer = {.count = 0};
    struct buffer text = {0};
    static const struct journal_cause note = {"baton.replies", 3, 343};

    (void)state;
    write_reply_step(&writer);
    journal_writer_note(&writer, &note, "dead-letter:invalid-json", NULL);
    journal_writer_note(&writer, &note, "forwarded", "o-7");
    journal_writer_purge(&writer, "o-3", 1769860800000);
    journal_record_write(&text, &head, &writer);
    assert_text(
        "record", &text,
        HEAD
        "\"n\":4,\"crc\":\"6742b681\",\"steps\":["
        "{\"id\":\"o-1001\",\"seq\":2,\"cause\":[\"baton.replies\",3,344],\"event\":{\"reply\":\"reserve/x/1\","
        "\"at\":1769860800120,\"outcome\":\"success\",\"body\":{\"reservation\":\"r-17\"}},\"as\":\"applied\","
        "\"send\":[\"authorize/x/"
        "1\"],\"outputIsBody\":[\"reserve\"],\"patch\":{\"set\":{\"status\":\"running\",\"seq\":2,"
        "\"updatedAt\":1769860800120,\"deadlineAt\":1769861700000,\"dueAt\":1769860810120},\"steps\":{\"reserve\":"
        "{\"status\":\"done\",\"attempts\":1,\"doneOrder\":1,\"firstAt\":1769860800000,\"sentAt\":1769860800000,"
        "\"settledAt\":1769860800120},\"authorize\":{\"status\":\"running\",\"attempts\":1,\"firstAt\":1769860800120,"
        "\"sentAt\":1769860800120,\"dueAt\":1769860810120}},\"history\":[[120,\"done\",\"reserve\",1],"
        "[120,\"sent\",\"authorize\",1]]}},"
        "{\"note\":\"dead-letter:invalid-json\",\"cause\":[\"baton.replies\",3,343]},"
        "{\"note\":\"forwarded\",\"cause\":[\"baton.replies\",3,343],\"id\":\"o-7\"},"
        "{\"purge\":\"o-3\",\"at\":1769860800000}]}");
    buffer_free(&text);
    journal_writer_free(&writer);
}

/* What a held-back command's service was known to be is told, what made no difference is not. */
static void what_was_known_of_a_service_is_told(void **state)
{
    struct journal_writer writer = {.count = 0};
    struct saga *saga = order_saga();
    const struct gate_service services[] = {{.name = "payments", .open = true, .until_ms = 1769860830000}, {.name = "inventory", .permits = 3}};
    const struct saga_gate gate = {.services = services, .len = 2};
    struct saga_event event = {.kind = EVENT_TIMER, .at_ms = 1769860800120, .gate = &gate, .woken = "payments"};
    struct effect effect = {.kind = EFFECT_HELD, .place = AT(1), .action = ACTION_EXECUTE, .service = "payments"};
    struct effects effects = {.items = &effect, .len = 1, .disposition = APPLIED};

    (void)state;
    saga->steps[1].changed = true;
    saga->steps[1].status = STEP_RETRYING;
    saga->steps[1].held_since_ms = 1769860800120;
    journal_writer_step(&writer, saga, &event, NULL, &effects);
    assert_text("step", &writer.steps,
                "{\"id\":\"o-1001\",\"seq\":2,\"cause\":\"timer\",\"event\":{\"timer\":1769860800120,\"woken\":\"payments\","
                "\"gate\":{\"payments\":{\"permits\":0,\"open\":true,\"until\":1769860830000}}},\"as\":\"applied\","
                "\"patch\":{\"set\":{\"status\":\"running\",\"seq\":2,\"updatedAt\":1769860800120,\"deadlineAt\":1769861700000,\"dueAt\":1769860810120},"
                "\"steps\":{\"authorize\":{\"status\":\"retrying\",\"attempts\":1,\"firstAt\":1769860800120,\"sentAt\":1769860800120,"
                "\"dueAt\":1769860810120,\"heldSince\":1769860800120}}}}");
    journal_writer_free(&writer);
    saga_free(saga);
}

static void say_step(struct buffer *out, const json_t *json)
{
    struct journal_step step;

    if (!journal_step_read(json, &step)) {
        say(out, "refused");
        return;
    }
    say(out, "%s %lld%s%s", step.saga_id == NULL ? "-" : step.saga_id, (long long)step.seq, step.note ? " note" : "",
        step.purge ? " purge" : "");
    if (step.state != NULL)
        say(out, " state");
    if (step.patch != NULL)
        say(out, " patch");
}

static const struct row {
    const char *name;
    const char *step;
    const char *then;
} step_rows[] = {
    {"a first step has the state", "{\"id\":\"o-1\",\"seq\":1,\"state\":{}}", "o-1 1 state"},
    {"a later one has a patch", "{\"id\":\"o-1\",\"seq\":2,\"patch\":{}}", "o-1 2 patch"},
    {"a note without a saga", "{\"note\":\"forwarded\",\"cause\":\"timer\"}", "- 0 note"},
    {"a note with one", "{\"note\":\"forwarded\",\"cause\":\"timer\",\"id\":\"o-1\"}", "o-1 0 note"},
    {"a purge", "{\"purge\":\"o-1\",\"at\":1}", "o-1 0 purge"},
    {"both state and patch", "{\"id\":\"o-1\",\"seq\":1,\"state\":{},\"patch\":{}}", "refused"},
    {"neither", "{\"id\":\"o-1\",\"seq\":1}", "refused"},
    {"no id", "{\"seq\":1,\"state\":{}}", "refused"},
    {"no seq", "{\"id\":\"o-1\",\"state\":{}}", "refused"},
    {"seq 0", "{\"id\":\"o-1\",\"seq\":0,\"state\":{}}", "refused"},
    {"a purge of nothing", "{\"purge\":1}", "refused"},
    {"a number", "1", "refused"},
    {"an output that is the body of no event",
     "{\"id\":\"o-1\",\"seq\":2,\"outputIsBody\":[\"a\"],\"patch\":{\"steps\":{\"a\":{}}}}", "refused"},
    {"an output of a step that is not there",
     "{\"id\":\"o-1\",\"seq\":2,\"event\":{\"body\":1},\"outputIsBody\":[\"b\"],\"patch\":{\"steps\":{\"a\":{}}}}",
     "refused"},
};

static void check_step(void **state)
{
    const struct row *row = *state;
    json_t *step = parse(row->step);
    struct buffer said = {0};

    say_step(&said, step);
    assert_text(row->name, &said, row->then);
    buffer_free(&said);
    json_decref(step);
}

static void an_output_that_is_the_body_comes_back(void **state)
{
    struct journal_writer writer = {.count = 0};
    struct journal_record record;
    struct journal_step step;
    struct buffer text = {0}, expected = {0}, got = {0};
    struct saga *saga = order_saga();

    (void)state;
    write_reply_step(&writer);
    journal_record_write(&text, &head, &writer);
    assert_int_equal(journal_record_read(text.data, text.len, &record, NULL), BATON_OK);
    assert_int_equal(record.seq, 42);
    assert_int_equal(record.checkpoint, 40);
    assert_int_equal(record.checkpoint_offset, 77);
    assert_int_equal(record.at_ms, 1769860800120);
    assert_int_equal(record.part, 1);
    assert_int_equal(record.parts, 1);
    assert_int_equal(json_integer_value(json_object_get(record.vector, "baton.replies")), 345);
    for (int twice = 0; twice < 2; twice++)
        assert_true(journal_step_read(json_array_get(record.steps, 0), &step));

    saga->steps[0].changed = saga->steps[1].changed = true;
    saga->history_new = 2;
    wire_patch_write(&expected, saga);
    json_write(&got, step.patch);
    assert_text("patch", &got, buffer_cstr(&expected));
    journal_record_clear(&record);
    journal_writer_free(&writer);
    buffer_free(&text);
    buffer_free(&expected);
    buffer_free(&got);
    saga_free(saga);
}

/* --- torn records --- */

static void any_flipped_byte_is_refused(void **state)
{
    struct journal_writer writer = {.count = 0};
    struct buffer text = {0};

    (void)state;
    write_reply_step(&writer);
    journal_record_write(&text, &head, &writer);
    for (size_t i = 0; i < text.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            struct journal_record record;

            text.data[i] = (char)(text.data[i] ^ (1 << bit));
            if (journal_record_read(text.data, text.len, &record, NULL) != BATON_E_INVALID)
                fail_msg("bit %d of byte %zu: %.*s", bit, i, (int)text.len, text.data);
            text.data[i] = (char)(text.data[i] ^ (1 << bit));
        }
    }
    buffer_free(&text);
    journal_writer_free(&writer);
}

static void any_cut_is_refused(void **state)
{
    struct journal_writer writer = {.count = 0};
    struct buffer text = {0};
    struct journal_record record;

    (void)state;
    write_reply_step(&writer);
    journal_record_write(&text, &head, &writer);
    for (size_t len = 0; len < text.len; len++) {
        char *exact = malloc(len == 0 ? 1 : len);

        assert_non_null(exact);
        memcpy(exact, text.data, len);
        assert_int_equal(journal_record_read(exact, len, &record, NULL), BATON_E_INVALID);
        free(exact);
    }
    assert_int_equal(journal_record_read(NULL, 0, &record, NULL), BATON_E_INVALID);
    buffer_free(&text);
    journal_writer_free(&writer);
}

static void a_count_that_is_wrong_is_refused(void **state)
{
    struct journal_writer writer = {.count = 0};
    struct buffer text = {0};
    struct journal_record record;
    struct baton_error err = {BATON_OK, ""};

    (void)state;
    write_reply_step(&writer);
    writer.count = 2; /* under a checksum that is right */
    journal_record_write(&text, &head, &writer);
    assert_int_equal(journal_record_read(text.data, text.len, &record, &err), BATON_E_INVALID);
    assert_non_null(strstr(err.text, "\"n\""));
    buffer_free(&text);
    journal_writer_free(&writer);
}

static void another_format_says_so(void **state)
{
    struct journal_record record;
    struct baton_error err = {BATON_OK, ""};
    static const char text[] = "{\"v\":2,\"anything\":1}";

    (void)state;
    assert_int_equal(journal_record_read(text, sizeof text - 1, &record, &err), BATON_E_INVALID);
    assert_non_null(strstr(err.text, "unknown format"));
}

/* --- properties --- */

/* Whatever happens to a saga: reading the journal alone gives its state. */
static void the_journal_alone_gives_the_state(void **state)
{
    struct random random = random_begin("journal");

    (void)state;
    for (int round = 0; round < 200; round++) {
        struct saga *saga = random_saga(&random);
        json_t *doc = NULL;

        for (int seq = 1; seq < 10; seq++) {
            struct journal_writer writer = {.count = 0};
            struct journal_record record;
            struct journal_step step;
            struct buffer text = {0}, expected = {0}, got = {0};
            struct baton_error err = {BATON_OK, ""};
            struct effects effects = {.disposition = APPLIED};
            struct saga_event event = {
                .kind = seq == 1 ? EVENT_START : EVENT_REPLY, .at_ms = saga->updated_at_ms, .place = AT(0), .attempt = 1};
            struct journal_cause cause = {"baton.replies", 1, seq};

            if (seq > 1)
                random_event(&random, saga);
            saga->seq = seq;
            event.problem = random_one_in(&random, 2);
            event.body = random_one_in(&random, 3) ? random_json(&random, 2)
                         : saga->steps_len > 0     ? json_incref(saga->steps[saga->steps_len - 1].output)
                                                   : NULL;
            journal_writer_step(&writer, saga, &event, random_one_in(&random, 3) ? NULL : &cause, &effects);
            journal_record_write(&text, &head, &writer);
            if (journal_record_read(text.data, text.len, &record, &err) != BATON_OK)
                fail_msg("%s: %.*s", err.text, (int)text.len, text.data);
            if (!journal_step_read(json_array_get(record.steps, 0), &step))
                fail_msg("%.*s", (int)text.len, text.data);
            if (step.state != NULL)
                doc = json_incref(step.state);
            else if (wire_patch_apply(doc, step.patch, &err) != BATON_OK)
                fail_msg("%s", err.text);
            wire_state_write(&expected, saga);
            json_write(&got, doc);
            assert_text(text.data, &got, buffer_cstr(&expected));
            journal_record_clear(&record);
            json_decref(event.body);
            journal_writer_free(&writer);
            buffer_free(&text);
            buffer_free(&expected);
            buffer_free(&got);
        }
        json_decref(doc);
        saga_free(saga);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_byte_for_byte),          cmocka_unit_test(what_was_known_of_a_service_is_told),
        cmocka_unit_test(an_output_that_is_the_body_comes_back),
        cmocka_unit_test(any_flipped_byte_is_refused),       cmocka_unit_test(any_cut_is_refused),
        cmocka_unit_test(a_count_that_is_wrong_is_refused),  cmocka_unit_test(another_format_says_so),
        cmocka_unit_test(the_journal_alone_gives_the_state),
    };

    return RUN_ROWS(step_rows, check_step) + cmocka_run_group_tests(tests, NULL, NULL);
}

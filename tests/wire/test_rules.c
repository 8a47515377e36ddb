/*
 * test_rules.c -- random sagas driven by the real rules: after every event the patch, the journal and the state
 * document agree, and a worker that has read the state goes on like the one that wrote it.
 */
#include "random_saga.h"
#include <baton/apply.h>

static const char definition_text[] =
    "{\"name\":\"order\",\"version\":1,\"timeout\":\"15m\","
    "\"defaults\":{\"timeout\":\"10s\",\"retry\":{\"attempts\":3,\"interval\":\"200ms\"}},\"steps\":["
    "{\"name\":\"reserve\",\"service\":\"inventory\",\"command\":\"ReserveStock\",\"input\":{\"items\":\"${input.items}"
    "\"},"
    "\"compensation\":{\"command\":\"ReleaseStock\"}},"
    "{\"name\":\"risk\",\"when\":\"${input.total > 1000}\",\"service\":\"risk\",\"command\":\"Assess\"},"
    "{\"name\":\"authorize\",\"service\":\"payments\",\"command\":\"Authorize\",\"compensation\":{\"command\":\"Void\"}"
    "},"
    "{\"name\":\"settle\",\"service\":\"payments\",\"command\":\"Settle\",\"pivot\":true},"
    "{\"name\":\"ship\",\"service\":\"shipping\",\"command\":\"Ship\"}],"
    "\"output\":{\"receipt\":\"${steps.settle.output.receipt}\",\"all\":\"${steps.ship.output}\"}}";

static struct expr_vm *vm;
static struct definition *definition;

static int open_definition(void **state)
{
    struct findings findings;
    json_t *doc = parse(definition_text);

    (void)state;
    vm = expr_vm_new();
    assert_non_null(vm);
    if (definition_parse(doc, vm, &findings, &definition) != BATON_OK)
        fail_msg("%s: %s", findings.items[0].pointer, findings.items[0].text);
    assert_int_equal(wire_definition_hash(doc, definition->hash, NULL), BATON_OK);
    json_decref(doc);
    return 0;
}

static int close_definition(void **state)
{
    (void)state;
    definition_free(definition);
    expr_vm_free(vm);
    return 0;
}

/* What a reader of the journal alone knows of the saga, beside the saga itself. */
struct run {
    struct saga *saga, *again; /* again: as read back after the last event; NULL = not yet */
    struct effects effects;
    json_t *doc;
    int64_t now_ms;
};

static void assert_documents_agree(struct run *run, const struct saga_event *event)
{
    static const char *const topics[] = {"baton.replies"};
    static const int64_t offsets[] = {7};
    const struct journal_head head = {
        .seq = 1, .worker = "w", .topics = topics, .offsets = offsets, .inputs_len = 1, .part = 1, .parts = 1};
    struct journal_writer writer = {.count = 0};
    struct journal_record record;
    struct journal_step step;
    struct buffer text = {0}, expected = {0}, got = {0}, again_text = {0};
    struct baton_error err = {BATON_OK, ""};

    if (run->effects.disposition == IGNORED_EARLY || run->effects.disposition == IGNORED_REFUSED)
        return; /* nothing has changed, and no step is journalled */
    journal_writer_step(&writer, run->saga, event, NULL, &run->effects);
    journal_record_write(&text, &head, &writer);
    if (journal_record_read(text.data, text.len, &record, &err) != BATON_OK)
        fail_msg("%s", err.text);
    assert_true(journal_step_read(json_array_get(record.steps, 0), &step));
    if (step.state != NULL)
        run->doc = json_incref(step.state);
    else if (wire_patch_apply(run->doc, step.patch, &err) != BATON_OK)
        fail_msg("%s", err.text);
    wire_state_write(&expected, run->saga);
    json_write(&got, run->doc);
    assert_text(buffer_cstr(&text), &got, buffer_cstr(&expected));
    saga_free(run->again);
    run->again = NULL;
    if (wire_state_read(run->doc, definition, &run->again, &err) != BATON_OK)
        fail_msg("%s", err.text);
    wire_state_write(&again_text, run->again);
    assert_text("read again", &again_text, expected.data);
    journal_record_clear(&record);
    journal_writer_free(&writer);
    buffer_free(&text);
    buffer_free(&expected);
    buffer_free(&got);
    buffer_free(&again_text);
}

static void assert_same_effects(const struct effects *a, const struct effects *b)
{
    assert_int_equal(a->disposition, b->disposition);
    assert_int_equal(a->len, b->len);
    for (size_t i = 0; i < a->len; i++) {
        assert_int_equal(a->items[i].kind, b->items[i].kind);
        assert_int_equal(a->items[i].place.index, b->items[i].place.index);
        assert_int_equal(a->items[i].place.iteration, b->items[i].place.iteration);
        assert_int_equal(a->items[i].action, b->items[i].action);
        assert_int_equal(a->items[i].attempt, b->items[i].attempt);
        assert_int_equal(a->items[i].expires_at_ms, b->items[i].expires_at_ms);
        assert_true(a->items[i].input == b->items[i].input || json_equal(a->items[i].input, b->items[i].input));
    }
}

/* By the worker that has had the saga all along, and by one that has just read it. */
static void apply_event(struct run *run, const struct saga_event *event)
{
    struct effects effects = {0};
    struct buffer one = {0}, two = {0};

    assert_int_equal(saga_apply(&run->saga, event, &run->effects), BATON_OK);
    assert_int_equal(saga_apply(&run->again, event, &effects), BATON_OK);
    assert_same_effects(&run->effects, &effects);
    wire_state_write(&one, run->saga);
    wire_state_write(&two, run->again);
    assert_text("applied to what was read back", &two, buffer_cstr(&one));
    assert_documents_agree(run, event);
    effects_free(&effects);
    buffer_free(&one);
    buffer_free(&two);
}

static json_t *random_body(struct random *random)
{
    json_t *body;

    if (random_one_in(random, 4))
        return NULL;
    if (random_one_in(random, 3))
        return json_pack("{s:{s:s, s:s, s:b}}", "error", "code", "NO", "message", "no", "retryable",
                         random_one_in(random, 2));
    body = random_json(random, 3);
    return body;
}

static void random_reply(struct random *random, struct run *run)
{
    struct saga_event event = {.kind = EVENT_REPLY, .at_ms = run->now_ms};

    event.place = saga_place_at(definition, random_below(random, (int)definition->steps_len), random_below(random, 3));
    if (run->saga->steps_len > 0 && !random_one_in(random, 4)) /* mostly to the step that waits */
        event.place = saga_place_of(&run->saga->steps[run->saga->steps_len - 1]);
    event.action = run->saga->turned_back && !random_one_in(random, 4) ? ACTION_COMPENSATE : ACTION_EXECUTE;
    event.attempt = 1 + random_below(random, 3);
    event.outcome = random_one_in(random, 2) ? REPLY_UNSAID : (enum reply_header_outcome)random_below(random, 5);
    event.problem = random_one_in(random, 8);
    event.body = random_body(random);
    apply_event(run, &event);
    json_decref(event.body);
}

static void random_timer(struct random *random, struct run *run)
{
    struct saga_event event = {.kind = EVENT_TIMER};

    if (run->saga->due_at_ms > run->now_ms && !random_one_in(random, 4))
        run->now_ms = run->saga->due_at_ms;
    event.at_ms = run->now_ms;
    apply_event(run, &event);
}

static void random_verb(struct random *random, struct run *run)
{
    const char *step = definition->steps[run->saga->steps[run->saga->steps_len - 1].index].name;
    struct saga_event event = {.kind = EVENT_VERB, .at_ms = run->now_ms, .who = "ann", .verb_id = "m-1"};

    event.verb = (enum saga_verb)random_below(random, VERB_COUNT);
    if (event.verb == VERB_TERMINATE && !random_one_in(random, 4))
        event.verb = VERB_RESUME;
    event.why = random_one_in(random, 2) ? NULL : "\"because\"";
    event.step_name = random_one_in(random, 4) ? NULL : step;
    event.value = random_one_in(random, 2) ? NULL : random_json(random, 3);
    apply_event(run, &event);
    json_decref(event.value);
}

static void journal_and_state_agree_after_every_event(void **state)
{
    struct random random = random_begin("rules");

    (void)state;
    for (int round = 0; round < 150; round++) {
        struct run run = {.now_ms = 1769860800000};
        struct saga_event start = {
            .kind = EVENT_START, .at_ms = run.now_ms, .saga_id = "o-1", .input = random_object(&random, 3)};

        json_object_set_new(start.input, "total", json_real(random_below(&random, 2000)));
        assert_int_equal(saga_start(definition, &start, &run.saga, &run.effects), BATON_OK);
        assert_documents_agree(&run, &start);
        for (int event = 0; event < 40; event++) {
            run.now_ms += random_below(&random, 500);
            if (random_one_in(&random, 3))
                random_timer(&random, &run);
            else if (random_one_in(&random, 5))
                random_verb(&random, &run);
            else
                random_reply(&random, &run);
        }
        json_decref(start.input);
        json_decref(run.doc);
        effects_free(&run.effects);
        saga_free(run.again);
        saga_free(run.saga);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(journal_and_state_agree_after_every_event),
    };

    return cmocka_run_group_tests(tests, open_definition, close_definition);
}

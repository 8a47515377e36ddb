/*
 * test_foreach.c -- a forEach of ten thousand items: forth, and back.
 *
 * Nothing here looks at a clock: what took the square of the number of items would not come to its end before the test's timeout.
 */
#include "rows.h"
#include <baton/apply.h>

#define ITEMS FOREACH_ITEMS_MAX

static const char parcels[] =
    "{\"name\":\"parcels\",\"version\":1,\"steps\":["
    "{\"name\":\"pay\",\"service\":\"bank\",\"command\":\"Pay\",\"compensation\":{\"command\":\"Refund\"}},"
    "{\"name\":\"each\",\"forEach\":{\"items\":\"${input.items}\",\"maxConcurrency\":50,\"steps\":["
    "{\"name\":\"send\",\"service\":\"post\",\"command\":\"Send\",\"input\":{\"parcel\":\"${item}\",\"index\":\"${index}\"},"
    "\"compensation\":{\"command\":\"Fetch\",\"input\":{\"parcel\":\"${item}\",\"at\":\"${steps.send.output.at}\"}}}]}},"
    "{\"name\":\"tell\",\"service\":\"mail\",\"command\":\"Tell\",\"input\":{\"sent\":\"${#steps.each.output}\",\"last\":\"${steps.each.output[10000].at}\"}}]}";

/* Nothing of these waits for anything. */
static const char idle[] =
    "{\"name\":\"parcels\",\"version\":1,\"steps\":[{\"name\":\"each\",\"forEach\":{\"items\":\"${input.items}\",\"steps\":["
    "{\"name\":\"both\",\"parallel\":[[{\"name\":\"send\",\"when\":\"${item < 0}\",\"service\":\"post\",\"command\":\"Send\",\"compensation\":{\"command\":\"Fetch\"}}],"
    "[{\"name\":\"nap\",\"sleep\":{\"until\":\"${'1970-01-01T00:00:00Z'}\"}}]]}]}}]}";

struct world {
    struct expr_vm *vm;
    struct definition *definition;
    struct saga *saga;
    struct effects effects;
    struct effect *sent; /* not answered yet, the oldest first; inputs owned */
    size_t sent_from, sent_len;
    int undoing, most_undoing;
};

static void keep_sent(struct world *world)
{
    for (size_t i = 0; i < world->effects.len; i++) {
        if (world->effects.items[i].kind != EFFECT_COMMAND)
            continue;
        world->sent[world->sent_len] = world->effects.items[i];
        world->sent[world->sent_len++].input = json_incref(world->effects.items[i].input);
        world->undoing += world->effects.items[i].action == ACTION_COMPENSATE;
    }
    world->most_undoing = world->undoing > world->most_undoing ? world->undoing : world->most_undoing;
}

static void begin(struct world *world, const char *definition, int items)
{
    struct findings *findings = calloc(1, sizeof *findings);
    json_t *doc = parse(definition), *input = json_pack("{s:[]}", "items");
    struct saga_event start = {.kind = EVENT_START, .at_ms = 1000, .saga_id = "o-1", .input = input};

    *world = (struct world){.vm = expr_vm_new(), .sent = calloc(3 * ITEMS, sizeof *world->sent)};
    assert_non_null(world->sent);
    for (int i = 0; i < items; i++)
        json_array_append_new(json_object_get(input, "items"), json_integer(i));
    assert_int_equal(definition_parse(doc, world->vm, findings, &world->definition), BATON_OK);
    assert_int_equal(saga_start(world->definition, &start, &world->saga, &world->effects), BATON_OK);
    keep_sent(world);
    free(findings);
    json_decref(doc);
    json_decref(input);
}

static void end(struct world *world)
{
    for (size_t i = world->sent_from; i < world->sent_len; i++)
        json_decref(world->sent[i].input);
    effects_free(&world->effects);
    saga_free(world->saga);
    definition_free(world->definition);
    expr_vm_free(world->vm);
    free(world->sent);
}

static void happen(struct world *world, const struct saga_event *event)
{
    assert_int_equal(saga_apply(&world->saga, event, &world->effects), BATON_OK);
    keep_sent(world);
}

/* The participant of the oldest command does what it is told: it is where its parcel says. */
static void answer(struct world *world)
{
    const struct effect *command = &world->sent[world->sent_from++];
    json_t *body = json_pack("{s:O?}", "at", json_object_get(command->input, "parcel"));
    struct saga_event event = {.kind = EVENT_REPLY, .at_ms = world->saga->updated_at_ms + 1, .place = command->place, .action = command->action, .attempt = command->attempt,
                               .outcome = REPLY_SUCCESS, .body = body};

    if (command->action == ACTION_COMPENSATE) {
        assert_int_equal(json_integer_value(json_object_get(command->input, "parcel")), json_integer_value(json_object_get(command->input, "at")));
        world->undoing--;
    }
    json_decref(command->input);
    happen(world, &event);
    json_decref(body);
}

static void ten_thousand_items_are_done_and_undone(void **state)
{
    struct saga_event cancel = {.kind = EVENT_VERB, .verb = VERB_CANCEL, .who = "ann"};
    struct world world;
    json_t *input = NULL;

    (void)state;
    begin(&world, parcels, ITEMS);
    while (world.sent[world.sent_from].place.index != 3) {
        assert_true(world.sent_len - world.sent_from <= 50);
        answer(&world);
    }
    input = world.sent[world.sent_from].input;
    assert_int_equal(json_integer_value(json_object_get(input, "sent")), ITEMS);
    assert_int_equal(json_integer_value(json_object_get(input, "last")), ITEMS - 1);
    assert_int_equal(world.sent_len, ITEMS + 2);
    cancel.at_ms = world.saga->updated_at_ms;
    happen(&world, &cancel);
    answer(&world); /* of `tell`, which has nothing to undo: it is late */
    while (world.sent_from < world.sent_len)
        answer(&world);
    assert_int_equal(world.saga->status, SAGA_CANCELLED);
    assert_int_equal(world.sent_len, ITEMS + 2 + ITEMS + 1);
    assert_int_equal(world.most_undoing, 50);
    end(&world);
}

/* Each of them would stand on the stack of the one before. */
static void ten_thousand_that_have_nothing_to_wait_for_are_done_at_once(void **state)
{
    struct world world;

    (void)state;
    begin(&world, idle, ITEMS);
    assert_int_equal(world.saga->status, SAGA_COMPLETED);
    assert_int_equal(world.sent_len, 0);
    end(&world);
}

static void one_more_is_too_many(void **state)
{
    struct world world;

    (void)state;
    begin(&world, idle, ITEMS + 1);
    assert_int_equal(world.saga->status, SAGA_COMPENSATED);
    assert_string_equal(json_string_value(json_object_get(world.saga->error, "message")), "\"items\" gives 10001 of them, at most 10000");
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_thousand_items_are_done_and_undone),
        cmocka_unit_test(ten_thousand_that_have_nothing_to_wait_for_are_done_at_once),
        cmocka_unit_test(one_more_is_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

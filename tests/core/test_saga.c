/*
 * test_saga.c -- the life of a saga's state, and the words for its parts.
 */
#include "rows.h"
#include <baton/saga.h>

static void every_word_reads_back(void **state)
{
    (void)state;
    for (int i = 0; i < SAGA_STATUS_COUNT; i++) {
        enum saga_status status = SAGA_STATUS_COUNT;

        assert_true(saga_status_parse(saga_status_name((enum saga_status)i), &status));
        assert_int_equal(status, i);
    }
    for (int i = 0; i < STEP_STATUS_COUNT; i++) {
        enum step_status status = STEP_STATUS_COUNT;

        assert_true(step_status_parse(step_status_name((enum step_status)i), &status));
        assert_int_equal(status, i);
    }
    for (int i = 0; i < HISTORY_KIND_COUNT; i++) {
        enum history_kind kind = HISTORY_KIND_COUNT;

        assert_true(history_kind_parse(history_kind_name((enum history_kind)i), &kind));
        assert_int_equal(kind, i);
    }
}

static void a_foreign_word_is_none(void **state)
{
    enum saga_status status = SAGA_PARKED;
    enum step_status step = STEP_DONE;
    enum history_kind kind = HISTORY_SENT;

    (void)state;
    assert_false(saga_status_parse("Running", &status));
    assert_false(step_status_parse("", &step));
    assert_false(history_kind_parse("flew", &kind));
    assert_int_equal(status, SAGA_PARKED);
    assert_int_equal(step, STEP_DONE);
    assert_int_equal(kind, HISTORY_SENT);
}

static void parked_is_live_and_four_have_ended(void **state)
{
    (void)state;
    for (int i = 0; i < SAGA_STATUS_COUNT; i++) {
        assert_int_equal(saga_status_ended((enum saga_status)i),
                         i == SAGA_COMPLETED || i == SAGA_COMPENSATED || i == SAGA_CANCELLED || i == SAGA_TERMINATED);
    }
}

static struct saga *full_saga(void)
{
    struct saga *saga = saga_new();

    assert_non_null(saga);
    (void)strcpy(saga->id, "o-1");
    saga->status = SAGA_PARKED;
    saga->parked = strdup("why");
    saga->input = parse("{\"a\":[1,2]}");
    saga->error = parse("{\"code\":\"X\"}");
    saga->traceparent = strdup("00-x");
    saga->reply_to.topic = strdup("t");
    saga->steps = calloc(2, sizeof *saga->steps);
    saga->history = calloc(2, sizeof *saga->history);
    assert_non_null(saga->steps);
    assert_non_null(saga->history);
    saga->steps_cap = saga->history_cap = 2;
    saga->steps_len = saga->history_len = 1;
    saga->steps[0] = (struct saga_step){.index = 3, .iteration = -1, .status = STEP_DONE, .output = parse("7")};
    saga->history[0] = (struct saga_history){.after_ms = 5, .kind = HISTORY_SENT, .place = AT(3), .attempt = 1};
    return saga;
}

/* Both are freed: the sanitizer sees what they share without owning, and what a copy forgets. */
static void a_copy_is_equal_and_lives_by_itself(void **state)
{
    struct saga *saga = full_saga(), *copy = saga_clone(saga);

    (void)state;
    assert_non_null(copy);
    assert_string_equal(copy->parked, "why");
    assert_ptr_not_equal(copy->parked, saga->parked);
    assert_ptr_not_equal(copy->steps, saga->steps);
    saga->steps[0].status = STEP_COMPENSATED;
    saga->history[0].attempt = 9;
    saga_free(saga);
    assert_int_equal(copy->steps[0].status, STEP_DONE);
    assert_int_equal(copy->history[0].attempt, 1);
    assert_int_equal(json_integer_value(copy->steps[0].output), 7);
    assert_int_equal(json_array_size(json_object_get(copy->input, "a")), 2);
    assert_string_equal(copy->traceparent, "00-x");
    assert_null(copy->tracestate);
    saga_free(copy);
    saga_free(NULL);
}

static void a_step_is_found_by_its_index(void **state)
{
    struct saga *saga = full_saga();

    (void)state;
    assert_ptr_equal(saga_step_find(saga, AT(3)), &saga->steps[0]);
    assert_null(saga_step_find(saga, AT(0)));
    saga_free(saga);
}

/* The cache is bounded by it: what is larger must weigh more. */
static void the_weight_grows_with_the_payload(void **state)
{
    struct saga *saga = full_saga();
    size_t before = saga_heap_bytes(saga);

    (void)state;
    assert_true(before > sizeof *saga);
    json_decref(saga->steps[0].output);
    saga->steps[0].output = parse("{\"list\":[\"0123456789012345678901234567890123456789\",1,2,3]}");
    assert_true(saga_heap_bytes(saga) > before + 200);
    saga_free(saga);
}

static void effects_are_cleared_and_used_again(void **state)
{
    struct effects effects = {.items = calloc(2, sizeof *effects.items), .len = 2, .cap = 2, .disposition = IGNORED_LATE};

    (void)state;
    assert_non_null(effects.items);
    effects.items[0].input = parse("{}");
    effects_clear(&effects);
    assert_int_equal(effects.len, 0);
    assert_int_equal(effects.cap, 2);
    assert_int_equal(effects.disposition, APPLIED);
    effects_free(&effects);
    assert_null(effects.items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_word_reads_back),
        cmocka_unit_test(a_foreign_word_is_none),
        cmocka_unit_test(parked_is_live_and_four_have_ended),
        cmocka_unit_test(a_copy_is_equal_and_lives_by_itself),
        cmocka_unit_test(a_step_is_found_by_its_index),
        cmocka_unit_test(the_weight_grows_with_the_payload),
        cmocka_unit_test(effects_are_cleared_and_used_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

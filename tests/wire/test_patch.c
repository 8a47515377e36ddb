/*
 * test_patch.c -- a patch on the state before gives the state after, to the byte.
 */
#include "random_saga.h"

static char *state_text(const struct saga *saga)
{
    struct buffer text = {0};

    wire_state_write(&text, saga);
    assert_non_null(buffer_cstr(&text));
    return text.data;
}

static void assert_patch_gives(json_t *doc, const struct saga *saga)
{
    struct buffer patch = {0}, got = {0};
    struct baton_error err = {BATON_OK, ""};
    char *expected = state_text(saga);
    json_t *parsed;

    wire_patch_write(&patch, saga);
    parsed = parse(buffer_cstr(&patch));
    if (wire_patch_apply(doc, parsed, &err) != BATON_OK)
        fail_msg("%s: %s", err.text, patch.data);
    json_write(&got, doc);
    assert_text(patch.data, &got, expected);
    json_decref(parsed);
    buffer_free(&patch);
    buffer_free(&got);
    free(expected);
}

static void patched_state_equals_the_state(void **state)
{
    struct random random = random_begin("patch");

    (void)state;
    for (int round = 0; round < 300; round++) {
        struct saga *saga = random_saga(&random);
        char *before = state_text(saga);
        json_t *doc = parse(before);

        for (int event = 0; event < 12; event++) {
            random_event(&random, saga);
            assert_patch_gives(doc, saga);
        }
        free(before);
        json_decref(doc);
        saga_free(saga);
    }
}

static void a_patch_is_small(void **state)
{
    struct saga *saga = order_saga();
    struct buffer patch = {0};

    (void)state;
    saga->steps[1].changed = true;
    saga->history_new = 1;
    wire_patch_write(&patch, saga);
    assert_text("patch", &patch,
                "{\"set\":{\"status\":\"running\",\"seq\":2,\"updatedAt\":1769860800120,\"deadlineAt\":1769861700000,"
                "\"dueAt\":1769860810120},\"steps\":{\"authorize\":{\"status\":\"running\",\"attempts\":1,\"firstAt\":"
                "1769860800120,"
                "\"sentAt\":1769860800120,\"dueAt\":1769860810120}},\"history\":[[120,\"sent\",\"authorize\",1]]}");
    buffer_free(&patch);
    saga_free(saga);
}

#define SET "\"set\":{\"status\":\"running\",\"seq\":3,\"updatedAt\":1}"

static const struct row {
    const char *name;
    const char *patch;
    bool then;
} patch_rows[] = {
    {"the least", "{" SET "}", true},
    {"nothing", "{}", false},
    {"no object", "[]", false},
    {"no status", "{\"set\":{\"seq\":3,\"updatedAt\":1}}", false},
    {"no seq", "{\"set\":{\"status\":\"running\",\"updatedAt\":1}}", false},
    {"seq as text", "{\"set\":{\"status\":\"running\",\"seq\":\"3\",\"updatedAt\":1}}", false},
    {"an unknown member", "{\"set\":{\"status\":\"running\",\"seq\":3,\"updatedAt\":1,\"input\":{}}}", false},
    {"an unknown part", "{" SET ",\"unset\":[]}", false},
    {"steps that are no object", "{" SET ",\"steps\":[]}", false},
    {"an entry that is no object", "{" SET ",\"steps\":{\"ship\":1}}", false},
    {"history that is no array", "{" SET ",\"history\":{}}", false},
    {"a negative cut", "{" SET ",\"cut\":-1}", false},
    {"a cut of more than there is", "{" SET ",\"cut\":9223372036854775807}", true},
    {"turnedBack that is no flag", "{\"set\":{\"status\":\"running\",\"seq\":3,\"updatedAt\":1,\"turnedBack\":1}}",
     false},
};

static void check_patch(void **state)
{
    const struct row *row = *state;
    struct saga *saga = order_saga();
    char *before = state_text(saga);
    json_t *doc = parse(before), *patch = parse(row->patch);
    struct baton_error err = {BATON_OK, ""};
    struct buffer after = {0};

    assert_int_equal(wire_patch_apply(doc, patch, &err), row->then ? BATON_OK : BATON_E_INVALID);
    json_write(&after, doc);
    if (!row->then)
        assert_text("a refused patch changes nothing", &after, before);
    buffer_free(&after);
    json_decref(doc);
    json_decref(patch);
    free(before);
    saga_free(saga);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patched_state_equals_the_state),
        cmocka_unit_test(a_patch_is_small),
    };

    return RUN_ROWS(patch_rows, check_patch) + cmocka_run_group_tests(tests, NULL, NULL);
}

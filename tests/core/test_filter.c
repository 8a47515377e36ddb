/*
 * test_filter.c -- which sagas a filter means, as rows.
 */
#include "rows.h"
#include <baton/filter.h>

/* --- its form --- */

static const struct form_row {
    const char *name, *text;
    const char *then; /* type version status step service older, or the error */
} form_rows[] = {
    {"nothing is all that have not ended", "", "- 0 -1 - - 0"},
    {"one condition", "type=order", "order 0 -1 - - 0"},
    {"all of them, in any order", "older=1h,service=payments,step=settle,status=parked,version=3,type=order", "order 3 4 settle payments 3600000"},
    {"a later one counts", "step=a,step=b", "- 0 -1 b - 0"},
    {"no value", "type=", "\"type=\" is none of"},
    {"no condition", "order", "\"order\" is none of"},
    {"an unknown name", "state=parked", "\"state=parked\" is none of"},
    {"an unknown status", "status=sleeping", "\"status=sleeping\" is none of"},
    {"no version", "version=0", "\"version=0\" is none of"},
    {"a version with words", "version=1a", "\"version=1a\" is none of"},
    {"a version beyond all numbers", "version=9999999999999999999", "\"version=9999999999999999999\" is none of"},
    {"no duration", "older=soon", "\"older=soon\" is none of"},
    {"a type that cannot be", "type=Order", "\"type=Order\" is none of"},
    {"a comma too many", "type=order,", "\"\" is none of"},
    {"a value with a comma's neighbour", "type=a,b=c", "\"b=c\" is none of"},
};

static const char *or_none(const char *text)
{
    return text[0] == '\0' ? "-" : text;
}

static void check_form(void **state)
{
    const struct form_row *row = *state;
    struct saga_filter filter;
    struct baton_error err = {0};
    struct buffer said = {0};

    if (saga_filter_parse(row->text, &filter, &err) != BATON_OK) {
        assert_int_equal(err.code, BATON_E_INVALID);
        if (strstr(err.text, row->then) == NULL)
            fail_msg("%s: %s", row->name, err.text);
        return;
    }
    say(&said, "%s %lld %d %s %s %lld", or_none(filter.type), (long long)filter.version, filter.status, or_none(filter.step), or_none(filter.service),
        (long long)filter.older_ms);
    assert_text(row->name, &said, row->then);
    buffer_free(&said);
}

static void its_length_is_bounded(void **state)
{
    char text[FILTER_TEXT_MAX + 2];
    struct saga_filter filter;

    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_int_equal(saga_filter_parse(text, &filter, NULL), BATON_E_INVALID);
}

/* --- what fits: a saga of order@3, changed at 1000, whose steps stand as the row says --- */

static struct definition_compensation undo = {.service = (char *)"store"};
static struct definition_step steps[] = {
    {.name = (char *)"reserve", .service = (char *)"inventory", .compensation = &undo},
    {.name = (char *)"settle", .service = (char *)"payments"},
    {.name = (char *)"approve", .kind = STEP_WAIT},
};
static const struct definition order = {.name = (char *)"order", .version = 3, .steps = steps, .steps_len = 3};

static const struct fit_row {
    const char *name, *text;
    enum saga_status status;
    enum step_status first, second, third;
    int64_t now_ms;
    bool fits;
} fit_rows[] = {
    {"nothing asked", "", SAGA_RUNNING, STEP_DONE, STEP_RUNNING, STEP_SKIPPED, 1000, true},
    {"ended", "", SAGA_COMPLETED, STEP_DONE, STEP_DONE, STEP_DONE, 1000, false},
    {"ended, and asked for", "status=completed", SAGA_COMPLETED, STEP_DONE, STEP_DONE, STEP_DONE, 1000, true},
    {"parked is live", "", SAGA_PARKED, STEP_DONE, STEP_FAILED, STEP_SKIPPED, 1000, true},
    {"its type", "type=order", SAGA_RUNNING, STEP_DONE, STEP_RUNNING, STEP_SKIPPED, 1000, true},
    {"another type", "type=payment", SAGA_RUNNING, STEP_DONE, STEP_RUNNING, STEP_SKIPPED, 1000, false},
    {"its version", "version=3", SAGA_RUNNING, STEP_DONE, STEP_RUNNING, STEP_SKIPPED, 1000, true},
    {"another version", "version=2", SAGA_RUNNING, STEP_DONE, STEP_RUNNING, STEP_SKIPPED, 1000, false},
    {"another status", "status=parked", SAGA_RUNNING, STEP_DONE, STEP_RUNNING, STEP_SKIPPED, 1000, false},
    {"at the step", "step=settle", SAGA_RUNNING, STEP_DONE, STEP_RUNNING, STEP_SKIPPED, 1000, true},
    {"parked on the step", "step=settle", SAGA_PARKED, STEP_DONE, STEP_FAILED, STEP_SKIPPED, 1000, true},
    {"waiting in the step", "step=approve", SAGA_RUNNING, STEP_DONE, STEP_DONE, STEP_WAITING, 1000, true},
    {"past the step", "step=reserve", SAGA_RUNNING, STEP_DONE, STEP_RUNNING, STEP_SKIPPED, 1000, false},
    {"undoing the step", "step=reserve", SAGA_COMPENSATING, STEP_COMPENSATING, STEP_FAILED, STEP_SKIPPED, 1000, true},
    {"the step is undone", "step=reserve", SAGA_COMPENSATING, STEP_COMPENSATED, STEP_RUNNING, STEP_SKIPPED, 1000, false},
    {"no such step", "step=ship", SAGA_RUNNING, STEP_DONE, STEP_RUNNING, STEP_SKIPPED, 1000, false},
    {"at the service", "service=payments", SAGA_RUNNING, STEP_DONE, STEP_RUNNING, STEP_SKIPPED, 1000, true},
    {"past the service", "service=inventory", SAGA_RUNNING, STEP_DONE, STEP_RUNNING, STEP_SKIPPED, 1000, false},
    {"undone by another service", "service=store", SAGA_COMPENSATING, STEP_COMPENSATING, STEP_DONE, STEP_SKIPPED, 1000, true},
    {"and not by its own", "service=inventory", SAGA_COMPENSATING, STEP_COMPENSATING, STEP_DONE, STEP_SKIPPED, 1000, false},
    {"a step and another step's service", "step=reserve,service=payments", SAGA_RUNNING, STEP_DONE, STEP_RUNNING, STEP_SKIPPED, 1000, false},
    {"old enough", "older=1s", SAGA_RUNNING, STEP_DONE, STEP_RUNNING, STEP_SKIPPED, 2000, true},
    {"not old enough", "older=1s", SAGA_RUNNING, STEP_DONE, STEP_RUNNING, STEP_SKIPPED, 1999, false},
};

static void check_fit(void **state)
{
    const struct fit_row *row = *state;
    struct saga_step reached[] = {{.index = 0, .status = row->first}, {.index = 1, .status = row->second}, {.index = 2, .status = row->third}};
    struct saga saga = {.definition = &order, .status = row->status, .updated_at_ms = 1000, .steps = reached, .steps_len = 3};
    struct saga_filter filter;

    assert_int_equal(saga_filter_parse(row->text, &filter, NULL), BATON_OK);
    assert_int_equal(saga_filter_fits(&filter, &saga, row->now_ms), row->fits);
}

static void a_job_is_known_by_the_history(void **state)
{
    struct saga_history history[] = {{.kind = HISTORY_STARTED}, {.kind = HISTORY_VERB, .note = parse("{\"who\":\"ann\",\"job\":\"job:1\"}")}};
    struct saga saga = {.history = history, .history_len = 2};

    (void)state;
    assert_true(saga_asked_by(&saga, "job:1"));
    assert_false(saga_asked_by(&saga, "job:2"));
    saga.history_len = 1;
    assert_false(saga_asked_by(&saga, "job:1"));
    json_decref(history[1].note);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_length_is_bounded),
        cmocka_unit_test(a_job_is_known_by_the_history),
    };
    int failed = RUN_ROWS(form_rows, check_form) + RUN_ROWS(fit_rows, check_fit);

    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_name.c -- names, durations, times, and what was probably meant.
 */
#include "rows.h"
#include <baton/definition.h>

#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

enum { DEFINITION = 1, SAGA_ID = 2, SERVICE = 4 };

static const struct name_row {
    const char *name;
    const char *text;
    int valid_as;
} name_rows[] = {
    {"lower-case letters are a name for all", "order", DEFINITION | SAGA_ID | SERVICE},
    {"nothing is a name for none", "", 0},
    {"one character is enough", "a", DEFINITION | SAGA_ID | SERVICE},
    {"a definition may begin with a digit", "3ds", DEFINITION | SAGA_ID | SERVICE},
    {"a definition does not begin with a dash", "-a", SAGA_ID | SERVICE},
    {"a definition has no upper case", "Order", SAGA_ID | SERVICE},
    {"an underscore is for services and ids", "a_b", SAGA_ID | SERVICE},
    {"a colon is for ids alone", "a:b", SAGA_ID},
    {"a dot is not for definitions", "a.b", SAGA_ID | SERVICE},
    {"a dot alone is no topic", ".", SAGA_ID},
    {"two dots neither", "..", SAGA_ID},
    {"a slash is for none", "a/b", 0},
    {"a blank is for none", "a b", 0},
    {"no letter beyond ASCII", "\xc3\xa9", 0},
    {"64 characters", X64, DEFINITION | SAGA_ID | SERVICE},
    {"65 characters are too long for a definition", X64 "x", SAGA_ID | SERVICE},
    {"128 characters", X64 X64, SAGA_ID | SERVICE},
    {"129 characters are too long for an id", X64 X64 "x", SERVICE},
    {"200 characters", X64 X64 X64 "12345678", SERVICE},
    {"201 characters are too long for a service", X64 X64 X64 "123456789", 0},
};

static void check_name(void **state)
{
    const struct name_row *row = *state;
    size_t len = strlen(row->text);

    assert_int_equal(definition_name_valid(row->text, len), (row->valid_as & DEFINITION) != 0);
    assert_int_equal(saga_id_valid(row->text, len), (row->valid_as & SAGA_ID) != 0);
    assert_int_equal(service_name_valid(row->text, len), (row->valid_as & SERVICE) != 0);
}

static void a_nul_is_for_none(void **state)
{
    (void)state;
    assert_false(definition_name_valid("a\0b", 3));
    assert_false(saga_id_valid("a\0b", 3));
    assert_false(service_name_valid("a\0b", 3));
}

static const struct duration_row {
    const char *name;
    const char *text;
    int64_t then; /* ms; -1 = refused */
} duration_rows[] = {
    {"milliseconds", "250ms", 250},
    {"seconds", "30s", 30000},
    {"minutes", "5m", 300000},
    {"hours", "24h", 86400000},
    {"days", "7d", 604800000},
    {"zero", "0s", 0},
    {"ten years", "3650d", 315360000000},
    {"more than ten years", "3651d", -1},
    {"more than ten years in ms", "315360000001ms", -1},
    {"a number that overflows", "99999999999999999999s", -1},
    {"no unit", "30", -1},
    {"no number", "s", -1},
    {"nothing", "", -1},
    {"an unknown unit", "3w", -1},
    {"upper case", "3S", -1},
    {"a fraction", "1.5s", -1},
    {"a sign", "-1s", -1},
    {"a blank between", "1 s", -1},
    {"two of them", "1h30m", -1},
};

static void check_duration(void **state)
{
    const struct duration_row *row = *state;
    int64_t ms = -1;

    assert_int_equal(duration_parse(row->text, &ms), row->then >= 0);
    assert_int_equal(ms, row->then);
}

static const struct duration_row time_rows[] = {
    {"the epoch", "1970-01-01T00:00:00Z", 0},
    {"a time", "2026-01-31T12:30:15Z", 1769862615000},
    {"with milliseconds", "2026-01-31T12:30:15.250Z", 1769862615250},
    {"with more than milliseconds", "2026-01-31T12:30:15.2509999Z", 1769862615250},
    {"east of Greenwich", "2026-01-31T12:30:15+01:30", 1769857215000},
    {"west of Greenwich", "2026-01-31T12:30:15-01:30", 1769868015000},
    {"a leap day", "2000-02-29T00:00:00Z", 951782400000},
    {"the day after it", "2000-03-01t00:00:00z", 951868800000},
    {"the last of all", "9999-12-31T23:59:59Z", 253402300799000},
    {"no leap day in a century", "2100-02-29T00:00:00Z", -1},
    {"a thirteenth month", "2026-13-01T00:00:00Z", -1},
    {"a month zero", "2026-00-01T00:00:00Z", -1},
    {"a day zero", "2026-01-00T00:00:00Z", -1},
    {"the hour 24", "2026-01-01T24:00:00Z", -1},
    {"the minute 60", "2026-01-01T00:60:00Z", -1},
    {"a zone of 24 hours", "2026-01-01T00:00:00+24:00", -1},
    {"before the epoch", "1969-12-31T23:59:59Z", -1},
    {"before the epoch by its zone", "1970-01-01T00:00:00+01:00", -1},
    {"no zone", "2026-01-31T12:30:15", -1},
    {"a date alone", "2026-01-31", -1},
    {"a point without digits", "2026-01-31T12:30:15.Z", -1},
    {"one digit less", "2026-1-31T12:30:15Z", -1},
    {"something behind", "2026-01-31T12:30:15Z ", -1},
    {"nothing", "", -1},
};

static void check_time(void **state)
{
    const struct duration_row *row = *state;
    int64_t ms = -1;

    assert_int_equal(time_parse(row->text, &ms), row->then >= 0);
    assert_int_equal(ms, row->then);
}

static const struct near_row {
    const char *name;
    const char *word;
    const char *then; /* NULL = none */
} near_rows[] = {
    {"a letter too few", "servce", "service"},
    {"a letter too many", "serviice", "service"},
    {"another letter", "sarvice", "service"},
    {"two letters in each other's place", "sevrice", "service"},
    {"the nearer of two", "input", "input"},
    {"a short word has only near neighbours", "xy", NULL},
    {"another word", "banana", NULL},
    {"a word longer than any name", X64 "x", NULL},
};

static void check_near(void **state)
{
    static const char *const candidates[] = {"output", "input", "service", X64 "xx"};
    const struct near_row *row = *state;
    const char *near = nearest_name(row->word, candidates, 4);

    if (row->then == NULL)
        assert_null(near);
    else
        assert_string_equal(near, row->then);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_nul_is_for_none)};

    return RUN_ROWS(name_rows, check_name) + RUN_ROWS(duration_rows, check_duration) + RUN_ROWS(time_rows, check_time) + RUN_ROWS(near_rows, check_near) +
           cmocka_run_group_tests(tests, NULL, NULL);
}

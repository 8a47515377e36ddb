/*
 * test_retry.c -- when the next attempt is due. Which attempts are made at all: test_apply.c.
 */
#include "rows.h"
#include <baton/apply.h>

static const struct retry_row {
    const char *name;
    struct retry_policy policy;
    int next;
    int64_t then;
} retry_rows[] = {
    {"the second attempt waits the interval", {.interval_ms = 200, .backoff = 2, .max_interval_ms = 30000}, 2, 200},
    {"the third waits the factor longer", {.interval_ms = 200, .backoff = 2, .max_interval_ms = 30000}, 3, 400},
    {"and so on", {.interval_ms = 200, .backoff = 2, .max_interval_ms = 30000}, 6, 3200},
    {"not longer than maxInterval", {.interval_ms = 200, .backoff = 2, .max_interval_ms = 1000}, 6, 1000},
    {"a factor of one stays", {.interval_ms = 200, .backoff = 1, .max_interval_ms = 1000}, 50, 200},
    {"a factor may be a fraction", {.interval_ms = 100, .backoff = 1.5, .max_interval_ms = 1000}, 4, 225},
    {"no interval, no wait", {.interval_ms = 0, .backoff = 2, .max_interval_ms = 1000}, 9, 0},
    {"the thousandth attempt is capped like any", {.interval_ms = 1, .backoff = 100, .max_interval_ms = 60000}, 1000, 60000},
};

static void check_retry(void **state)
{
    const struct retry_row *row = *state;

    assert_int_equal(retry_delay_ms(&row->policy, "o-1", "reserve", row->next), row->then);
}

static void jitter_is_the_same_on_every_worker(void **state)
{
    const struct retry_policy policy = {.interval_ms = 100000, .backoff = 1, .max_interval_ms = 100000, .jitter = 0.2};

    (void)state;
    /* Fixed for ever: a replay must give these times again. */
    assert_int_equal(retry_delay_ms(&policy, "o-1", "reserve", 2), 110469);
    assert_int_equal(retry_delay_ms(&policy, "o-1", "reserve", 3), 119317);
    assert_int_equal(retry_delay_ms(&policy, "o-1", "settle", 2), 117272);
    assert_int_equal(retry_delay_ms(&policy, "o-2", "reserve", 2), 80114);
}

static void jitter_spreads_over_its_bounds_and_no_further(void **state)
{
    const struct retry_policy policy = {.interval_ms = 1000, .backoff = 1, .max_interval_ms = 1000, .jitter = 0.2};
    int64_t least = INT64_MAX, most = 0;
    double sum = 0;

    (void)state;
    for (int i = 0; i < 10000; i++) {
        char id[16];
        int64_t delay = 0;

        (void)snprintf(id, sizeof id, "o-%d", i);
        delay = retry_delay_ms(&policy, id, "reserve", 2 + i % 3);
        least = delay < least ? delay : least;
        most = delay > most ? delay : most;
        sum += (double)delay;
    }
    assert_in_range(least, 800, 805);
    assert_in_range(most, 1195, 1200);
    assert_in_range((int)(sum / 10000), 990, 1010);
}

static void saga_and_step_are_told_apart(void **state)
{
    const struct retry_policy policy = {.interval_ms = 1000000, .backoff = 1, .max_interval_ms = 1000000, .jitter = 1};

    (void)state;
    assert_int_not_equal(retry_delay_ms(&policy, "o-1a", "b", 2), retry_delay_ms(&policy, "o-1", "ab", 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jitter_is_the_same_on_every_worker),
        cmocka_unit_test(jitter_spreads_over_its_bounds_and_no_further),
        cmocka_unit_test(saga_and_step_are_told_apart),
    };

    return RUN_ROWS(retry_rows, check_retry) + cmocka_run_group_tests(tests, NULL, NULL);
}

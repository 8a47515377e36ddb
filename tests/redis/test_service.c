/*
 * test_service.c -- the script that makes one of what the threads tell: changes of the breaker, probes, shares; on a real server.
 */
#include "support.h"

static struct server server;
static struct view view;

static const struct service_rules breaker = {.name = "s", .breaker = true, .window_ms = 10000, .failure_permille = 500, .minimum_calls = 10, .open_ms = 30000, .probes = 3};
static const struct service_rules bounded = {.name = "s", .window_ms = 10000, .max_in_flight = 10, .rate_permille = 9000};

#define NOW INT64_C(1769860800000)

/* A thread, as it knows the service. */
struct thread {
    const char *name;
    const struct service_rules *rules;
    struct service_sync sync;
};

static struct service_share tell(struct thread *thread, int64_t now_ms)
{
    struct baton_error err = {0};

    thread->sync.rules = thread->rules;
    thread->sync.report.change = thread->sync.known.change;
    if (view.services(view.self, thread->name, &thread->sync, 1, now_ms, &err) != BATON_OK)
        fail_msg("%s", err.text);
    if (thread->sync.ret_share.breaker.change != thread->sync.known.change)
        thread->sync.report.good = thread->sync.report.bad = thread->sync.report.started = 0;
    thread->sync.known = thread->sync.ret_share.breaker;
    return thread->sync.ret_share;
}

static enum breaker state_of(const struct thread *thread)
{
    return thread->sync.known.breaker;
}

static int empty(void **state)
{
    (void)state;
    server_do(&server, "FLUSHALL");
    return 0;
}

static void counts_of_all_threads_open_it(void **state)
{
    struct thread a = {.name = "a", .rules = &breaker}, b = {.name = "b", .rules = &breaker};

    (void)state;
    (void)tell(&a, NOW);
    (void)tell(&b, NOW);
    assert_int_equal(a.sync.known.change, 1);
    a.sync.report = (struct service_report){.good = 4, .bad = 1};
    (void)tell(&a, NOW);
    (void)tell(&a, NOW); /* told twice it counts once */
    assert_int_equal(state_of(&a), BREAKER_CLOSED);
    b.sync.report = (struct service_report){.good = 1, .bad = 3};
    (void)tell(&b, NOW);
    assert_int_equal(state_of(&b), BREAKER_CLOSED); /* nine of ten calls */
    b.sync.report = (struct service_report){.good = 1, .bad = 4};
    assert_true(tell(&b, NOW).announce);
    assert_int_equal(state_of(&b), BREAKER_OPEN); /* five of ten are bad */
    assert_int_equal(b.sync.known.until_ms, NOW + 30000);
    assert_false(tell(&a, NOW).announce); /* one thread tells the world */
    assert_int_equal(state_of(&a), BREAKER_OPEN);
}

static void open_thread(struct thread *a)
{
    (void)tell(a, NOW);
    a->sync.report.bad = 10;
    (void)tell(a, NOW);
    assert_int_equal(state_of(a), BREAKER_OPEN);
}

static void below_the_rate_it_stays_closed(void **state)
{
    struct thread a = {.name = "a", .rules = &breaker};

    (void)state;
    (void)tell(&a, NOW);
    a.sync.report = (struct service_report){.good = 51, .bad = 49};
    (void)tell(&a, NOW);
    assert_int_equal(state_of(&a), BREAKER_CLOSED);
}

static void its_probes_are_divided_and_all_must_succeed(void **state)
{
    struct thread a = {.name = "a", .rules = &breaker}, b = {.name = "b", .rules = &breaker};
    int64_t later = NOW + 30000;

    (void)state;
    open_thread(&a);
    a.sync.report.held = 2;
    (void)tell(&a, later - 1);
    assert_int_equal(state_of(&a), BREAKER_OPEN);
    assert_int_equal(tell(&a, later).probes, 2);
    assert_int_equal(state_of(&a), BREAKER_HALF_OPEN);
    b.sync.report.held = 5;
    assert_int_equal(tell(&b, later).probes, 1);
    assert_int_equal(tell(&b, later).probes, 1); /* asked again there are no more */
    a.sync.report = (struct service_report){.started = 2, .good = 2};
    (void)tell(&a, later);
    assert_int_equal(state_of(&a), BREAKER_HALF_OPEN);
    b.sync.report = (struct service_report){.started = 1, .good = 1};
    (void)tell(&b, later);
    assert_int_equal(state_of(&b), BREAKER_CLOSED);
    assert_int_equal(b.sync.known.change, 4);
    (void)tell(&a, later);
    assert_int_equal(state_of(&a), BREAKER_CLOSED);
}

static void one_probe_that_fails_opens_it_again(void **state)
{
    struct thread a = {.name = "a", .rules = &breaker};

    (void)state;
    open_thread(&a);
    a.sync.report.held = 9;
    assert_int_equal(tell(&a, NOW + 30000).probes, 3);
    a.sync.report = (struct service_report){.started = 3, .good = 2, .bad = 1};
    (void)tell(&a, NOW + 31000);
    assert_int_equal(state_of(&a), BREAKER_OPEN);
    assert_int_equal(a.sync.known.until_ms, NOW + 61000);
}

static void the_probes_of_a_thread_that_died_are_anothers(void **state)
{
    struct thread a = {.name = "a", .rules = &breaker}, b = {.name = "b", .rules = &breaker};

    (void)state;
    open_thread(&a);
    a.sync.report.held = 9;
    assert_int_equal(tell(&a, NOW + 30000).probes, 3);
    b.sync.report.held = 1;
    assert_int_equal(tell(&b, NOW + 30000).probes, 0);
    assert_int_equal(tell(&b, NOW + 30000 + SERVICE_MEMBER_MS).probes, 1);
}

static void outcomes_of_before_a_change_do_not_count_after_it(void **state)
{
    struct thread a = {.name = "a", .rules = &breaker}, b = {.name = "b", .rules = &breaker};

    (void)state;
    (void)tell(&b, NOW);
    open_thread(&a);
    b.sync.report = (struct service_report){.bad = 5, .held = 1};
    (void)tell(&b, NOW + 30000); /* it hears of half-open; its failures are of when it was closed */
    assert_int_equal(state_of(&b), BREAKER_HALF_OPEN);
    (void)tell(&b, NOW + 30001);
    assert_int_equal(state_of(&b), BREAKER_HALF_OPEN);
}

static void wiped_it_is_what_a_thread_knows(void **state)
{
    struct thread a = {.name = "a", .rules = &breaker}, b = {.name = "b", .rules = &breaker};

    (void)state;
    (void)tell(&b, NOW);
    open_thread(&a);
    server_do(&server, "FLUSHALL");
    (void)tell(&b, NOW + 1); /* b has not heard that it opened */
    assert_int_equal(state_of(&b), BREAKER_CLOSED);
    assert_false(tell(&a, NOW + 2).announce); /* the world knows */
    assert_int_equal(state_of(&a), BREAKER_OPEN);
    (void)tell(&b, NOW + 3);
    assert_int_equal(state_of(&b), BREAKER_OPEN);
    assert_int_equal(b.sync.known.until_ms, a.sync.known.until_ms);
}

static void counts_come_back_after_a_wipe(void **state)
{
    struct thread a = {.name = "a", .rules = &breaker}, b = {.name = "b", .rules = &breaker};

    (void)state;
    (void)tell(&a, NOW);
    (void)tell(&b, NOW);
    a.sync.report.bad = 9;
    (void)tell(&a, NOW);
    server_do(&server, "FLUSHALL");
    (void)tell(&a, NOW);
    b.sync.report.bad = 1;
    (void)tell(&b, NOW);
    assert_int_equal(state_of(&b), BREAKER_OPEN);
}

static void a_clock_that_is_behind_does_not_hold_it_open(void **state)
{
    struct thread a = {.name = "a", .rules = &breaker}, b = {.name = "b", .rules = &breaker};

    (void)state;
    open_thread(&a);
    a.sync.report.held = b.sync.report.held = 1;
    (void)tell(&a, NOW + 30000);
    assert_int_equal(tell(&b, NOW + 25000).probes, 1);
    assert_int_equal(state_of(&b), BREAKER_HALF_OPEN);
    assert_int_equal(tell(&a, NOW + 30001).probes, 1); /* b is not taken for dead */
    assert_int_equal(tell(&b, NOW + 25001).probes, 1);
}

/* --- by hand --- */

static void set(const char *verb, enum baton_err expected)
{
    struct redis_options options = options_of(&server);
    struct baton_error err = {0};

    assert_int_equal(redis_service_set(&options, "s", verb, "ann", "maintenance", NOW, &err), expected);
}

static void open_by_hand_it_stays_open_until_it_is_closed(void **state)
{
    struct thread a = {.name = "a", .rules = &breaker};

    (void)state;
    set("open", BATON_E_NOT_FOUND);
    (void)tell(&a, NOW);
    set("open", BATON_OK);
    assert_true(tell(&a, NOW).announce);
    assert_int_equal(state_of(&a), BREAKER_OPEN);
    assert_string_equal(a.sync.known.who, "ann");
    assert_string_equal(a.sync.known.why, "maintenance");
    (void)tell(&a, NOW + 1000000);
    assert_int_equal(state_of(&a), BREAKER_OPEN);
    server_do(&server, "FLUSHALL");
    (void)tell(&a, NOW + 1000000);
    assert_true(a.sync.known.by_hand);
    set("close", BATON_OK);
    (void)tell(&a, NOW + 1000000);
    assert_int_equal(state_of(&a), BREAKER_CLOSED);
    a.sync.report.bad = 100;
    (void)tell(&a, NOW + 1000000);
    assert_int_equal(state_of(&a), BREAKER_CLOSED); /* whatever fails */
    set("reset", BATON_OK);
    (void)tell(&a, NOW + 1000000);
    assert_int_equal(state_of(&a), BREAKER_CLOSED); /* what failed before is forgotten */
    a.sync.report.bad = 100;
    (void)tell(&a, NOW + 1000000);
    assert_int_equal(state_of(&a), BREAKER_OPEN);
}

/* --- shares --- */

static int64_t in_flight(struct thread *thread, int64_t now, int64_t has, int64_t held, int64_t oldest)
{
    thread->sync.report = (struct service_report){.in_flight = has, .held = held, .wanted = has + held, .oldest_ms = oldest, .lease_ms = NOW + 20000};
    return tell(thread, now).in_flight;
}

static void one_thread_may_have_all(void **state)
{
    struct thread a = {.name = "a", .rules = &bounded};

    (void)state;
    assert_int_equal(in_flight(&a, NOW, 0, 100, 1), 10);
    assert_int_equal(in_flight(&a, NOW, 10, 90, 1), 10);
    assert_int_equal(in_flight(&a, NOW, 0, 0, 0), 10); /* what nobody wants is there for whoever will */
}

static void another_gets_its_part_when_it_is_free(void **state)
{
    struct thread a = {.name = "a", .rules = &bounded}, b = {.name = "b", .rules = &bounded};

    (void)state;
    assert_int_equal(in_flight(&a, NOW, 0, 100, 1), 10);
    assert_int_equal(in_flight(&b, NOW, 0, 100, 2), 0); /* a has all of it */
    assert_int_equal(in_flight(&a, NOW, 10, 90, 1), 5); /* it sends no more ... */
    assert_int_equal(in_flight(&b, NOW, 0, 100, 2), 0); /* ... but those are still out */
    assert_int_equal(in_flight(&a, NOW, 7, 90, 1), 5);
    assert_int_equal(in_flight(&b, NOW, 0, 100, 2), 3);
    assert_int_equal(in_flight(&a, NOW, 5, 90, 1), 5);
    assert_int_equal(in_flight(&b, NOW, 3, 97, 2), 5);
}

static void who_wants_little_has_it_the_others_share_the_rest(void **state)
{
    struct thread a = {.name = "a", .rules = &bounded}, b = {.name = "b", .rules = &bounded}, c = {.name = "c", .rules = &bounded};

    (void)state;
    for (int i = 0; i < 2; i++) {
        (void)in_flight(&a, NOW, 0, 1, 1);
        (void)in_flight(&b, NOW, 0, 100, 2);
        (void)in_flight(&c, NOW, 0, 100, 3);
    }
    assert_int_equal(in_flight(&a, NOW, 0, 1, 1), 1);
    assert_int_equal(in_flight(&b, NOW, 0, 100, 2), 5); /* 4.5: who has waited longer has the half more */
    assert_int_equal(in_flight(&c, NOW, 0, 100, 3), 4);
}

static void what_a_dead_thread_left_in_flight_counts_until_it_is_due(void **state)
{
    struct thread a = {.name = "a", .rules = &bounded}, b = {.name = "b", .rules = &bounded};

    (void)state;
    (void)in_flight(&a, NOW, 8, 100, 1);
    assert_int_equal(in_flight(&b, NOW + SERVICE_MEMBER_MS, 0, 100, 2), 2);
    assert_int_equal(in_flight(&b, NOW + 19999, 0, 100, 2), 2);
    assert_int_equal(in_flight(&b, NOW + 20000, 0, 100, 2), 10);
}

static void wiped_nobody_gets_more_until_all_have_told(void **state)
{
    struct thread a = {.name = "a", .rules = &bounded}, b = {.name = "b", .rules = &bounded};

    (void)state;
    (void)in_flight(&a, NOW, 6, 100, 1);
    (void)in_flight(&b, NOW, 4, 100, 2);
    server_do(&server, "FLUSHALL");
    assert_int_equal(in_flight(&a, NOW + 1, 6, 100, 1), 6);
    assert_int_equal(in_flight(&a, NOW + 200, 3, 100, 1), 3);
    assert_int_equal(in_flight(&b, NOW + 400, 4, 100, 2), 4);
    assert_int_equal(a.sync.ret_share.rate_permille + b.sync.ret_share.rate_permille, 0);
    assert_int_equal(in_flight(&a, NOW + 1 + SERVICE_SETTLE_MS, 3, 100, 1), 5);
}

/* The first to tell after the wipe has never been there before. */
static void wiped_a_newcomer_does_not_hide_it(void **state)
{
    struct thread a = {.name = "a", .rules = &bounded}, b = {.name = "b", .rules = &bounded};

    (void)state;
    (void)in_flight(&a, NOW, 6, 100, 1);
    server_do(&server, "FLUSHALL");
    (void)in_flight(&b, NOW + 1, 0, 0, 0);
    assert_int_equal(in_flight(&a, NOW + 2, 6, 100, 1), 6);
    assert_int_equal(in_flight(&b, NOW + 3, 0, 100, 2), 0);
    assert_int_equal(in_flight(&a, NOW + 2 + SERVICE_SETTLE_MS, 5, 100, 1), 5);
    assert_int_equal(in_flight(&b, NOW + 3 + SERVICE_SETTLE_MS, 0, 100, 2), 5);
}

static void rates_never_sum_up_to_more(void **state)
{
    struct thread a = {.name = "a", .rules = &bounded}, b = {.name = "b", .rules = &bounded};

    (void)state;
    a.sync.report.demand = b.sync.report.demand = 9000;
    assert_int_equal(tell(&a, NOW).rate_permille, 9000);
    assert_int_equal(tell(&b, NOW).rate_permille, 0);
    assert_int_equal(tell(&a, NOW).rate_permille, 4500);
    assert_int_equal(tell(&b, NOW).rate_permille, 4500);
    a.sync.report.demand = 1000;
    assert_int_equal(tell(&a, NOW).rate_permille, 1000);
    assert_int_equal(tell(&b, NOW).rate_permille, 8000);
}

/* --- for people --- */

static void a_summary_adds_up_the_threads(void **state)
{
    struct redis_options options = options_of(&server);
    struct thread a = {.name = "a", .rules = &breaker}, b = {.name = "b", .rules = &breaker};
    struct service_summary services[4];
    struct baton_error err = {0};
    size_t n = 0;

    (void)state;
    assert_int_equal(redis_services_list(&options, NOW, services, 4, &n, &err), BATON_OK);
    assert_int_equal(n, 0);
    (void)tell(&a, NOW);
    (void)tell(&b, NOW);
    a.sync.report = (struct service_report){.good = 3, .bad = 1, .held = 2};
    (void)tell(&a, NOW);
    b.sync.report = (struct service_report){.good = 1, .held = 5};
    (void)tell(&b, NOW);
    assert_int_equal(redis_services_list(&options, NOW, services, 4, &n, &err), BATON_OK);
    assert_int_equal(n, 1);
    assert_string_equal(services[0].name, "s");
    assert_int_equal(services[0].breaker.breaker, BREAKER_CLOSED);
    assert_true(services[0].has_breaker);
    assert_int_equal(services[0].good, 4);
    assert_int_equal(services[0].bad, 1);
    assert_int_equal(services[0].held, 7);
    assert_int_equal(services[0].threads, 2);
    assert_int_equal(redis_services_list(&options, NOW + SERVICE_MEMBER_MS, services, 4, &n, &err), BATON_OK);
    assert_int_equal(services[0].threads, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(counts_of_all_threads_open_it, empty),
        cmocka_unit_test_setup(below_the_rate_it_stays_closed, empty),
        cmocka_unit_test_setup(its_probes_are_divided_and_all_must_succeed, empty),
        cmocka_unit_test_setup(one_probe_that_fails_opens_it_again, empty),
        cmocka_unit_test_setup(the_probes_of_a_thread_that_died_are_anothers, empty),
        cmocka_unit_test_setup(outcomes_of_before_a_change_do_not_count_after_it, empty),
        cmocka_unit_test_setup(wiped_it_is_what_a_thread_knows, empty),
        cmocka_unit_test_setup(counts_come_back_after_a_wipe, empty),
        cmocka_unit_test_setup(a_clock_that_is_behind_does_not_hold_it_open, empty),
        cmocka_unit_test_setup(open_by_hand_it_stays_open_until_it_is_closed, empty),
        cmocka_unit_test_setup(one_thread_may_have_all, empty),
        cmocka_unit_test_setup(another_gets_its_part_when_it_is_free, empty),
        cmocka_unit_test_setup(who_wants_little_has_it_the_others_share_the_rest, empty),
        cmocka_unit_test_setup(what_a_dead_thread_left_in_flight_counts_until_it_is_due, empty),
        cmocka_unit_test_setup(wiped_nobody_gets_more_until_all_have_told, empty),
        cmocka_unit_test_setup(wiped_a_newcomer_does_not_hide_it, empty),
        cmocka_unit_test_setup(rates_never_sum_up_to_more, empty),
        cmocka_unit_test_setup(a_summary_adds_up_the_threads, empty),
    };

    return with_view(&server, &view, tests, COUNT(tests));
}

/*
 * test_gate.c -- services that are not to be given too much: what is held back, and that all of it goes in the end.
 */
#include "stage.h"

static const struct service_rules fragile[] = {
    {.name = "s", .breaker = true, .window_ms = 600000, .failure_permille = 500, .minimum_calls = 4, .open_ms = 30000, .probes = 1}};
static const struct service_rules narrow[] = {{.name = "s", .window_ms = 10000, .max_in_flight = 2}};
static const struct service_rules both[] = {{.name = "s", .window_ms = 10000, .max_in_flight = 2}, {.name = "t", .window_ms = 10000, .max_in_flight = 2}};
static const struct service_rules patient[] = { /* opens at the first bad one in ten, once there are fourteen */
    {.name = "s", .breaker = true, .window_ms = 600000, .failure_permille = 100, .minimum_calls = 14, .open_ms = 30000, .probes = 1}};
static const struct service_rules slow[] = {{.name = "s", .window_ms = 10000, .rate_permille = 5000}};

#define OPEN_OVER (31 * SECOND)
#define RAMP_OVER (13 * SECOND)

static struct stage *stage_with(const struct service_rules *rules, int32_t partitions, int threads)
{
    return stage_begin(&(struct stage_setup){.partitions = partitions, .threads = threads, .services = rules, .services_len = 1});
}

/* What has been sent so far is lost: nobody will answer it. */
static void lose_commands(struct stage *s)
{
    for (int32_t p = 0; p < s->setup.partitions; p++) {
        struct bus_message message;

        while (memory_kafka_read(s->kafka, COMMANDS, p, &s->answered[p], &message))
            memory_kafka_release(&message);
    }
}

/* Four orders whose participant is silent: the breaker opens. */
static void break_it(struct stage *s)
{
    s->silent = true;
    stage_orders(s, "dead", 4);
    UNTIL(s, stage_count(s, COMMANDS) == 4);
    lose_commands(s);
    stage_jump(s, ANSWER_LATE);
    UNTIL(s, memory_view_service_is(s->view, "s", "open"));
}

static void all_come_through(struct stage *s, int64_t results)
{
    s->silent = false;
    stage_jump(s, OPEN_OVER);
    UNTIL(s, memory_view_service_is(s->view, "s", "closed"));
    stage_jump(s, RAMP_OVER);
    UNTIL(s, stage_count(s, RESULTS) == results);
}

static void silence_opens_it_and_an_answer_closes_it(void **state)
{
    struct stage *s = stage_with(fragile, 2, 1);

    (void)state;
    stage_start(s, "w1");
    break_it(s);
    stage_orders(s, "o", 6);
    UNTIL(s, stage_stats(s, "w1").held >= 6);
    assert_int_equal(stage_count(s, COMMANDS), 4);
    stage_jump(s, OPEN_OVER);
    UNTIL(s, stage_count(s, COMMANDS) == 5); /* the probe; the retries of the four have asked as well by now */
    UNTIL(s, stage_stats(s, "w1").held >= 9);
    assert_int_equal(stage_count(s, COMMANDS), 5);
    all_come_through(s, 10);
    for (int i = 1; i <= 6; i++) {
        char id[16];

        (void)snprintf(id, sizeof id, "o-%d", i);
        UNTIL(s, strcmp(stage_status(s, id), "completed") == 0);
    }
    UNTIL(s, stage_count(s, EVENTS) == 3); /* open, half-open, closed: told once each */
    assert_int_equal(stage_stats(s, "w1").service_changes, 3);
    stage_end(s);
}

static void a_probe_that_fails_opens_it_again(void **state)
{
    struct stage *s = stage_with(fragile, 1, 1);

    (void)state;
    stage_start(s, "w1");
    break_it(s);
    stage_jump(s, OPEN_OVER);
    UNTIL(s, stage_count(s, COMMANDS) == 5);
    lose_commands(s);
    stage_jump(s, ANSWER_LATE);
    UNTIL(s, stage_logged(s, "half-open") && memory_view_service_is(s->view, "s", "open"));
    assert_int_equal(stage_count(s, COMMANDS), 5);
    all_come_through(s, 4);
    stage_end(s);
}

static void a_business_no_never_opens_it(void **state)
{
    struct stage *s = stage_with(fragile, 2, 1);

    (void)state;
    stage_start(s, "w1");
    stage_orders(s, "o:no-a", 20);
    UNTIL(s, stage_count(s, RESULTS) == 20);
    stage_orders(s, "p", 5);
    UNTIL(s, stage_count(s, RESULTS) == 25);
    assert_true(memory_view_service_is(s->view, "s", "closed"));
    assert_int_equal(stage_stats(s, "w1").held, 0);
    stage_end(s);
}

static void transient_failures_open_it(void **state)
{
    struct stage *s = stage_with(fragile, 2, 1);

    (void)state;
    stage_start(s, "w1");
    stage_orders(s, "o:again-a", 8);
    UNTIL(s, memory_view_service_is(s->view, "s", "open"));
    all_come_through(s, 8);
    stage_end(s);
}

static void redis_wiped_while_open_it_is_open_again(void **state)
{
    struct stage *s = stage_with(fragile, 2, 1);

    (void)state;
    stage_start(s, "w1");
    break_it(s);
    memory_view_wipe(s->view);
    UNTIL(s, memory_view_service_is(s->view, "s", "open"));
    stage_orders(s, "o", 3);
    UNTIL(s, stage_stats(s, "w1").held >= 3);
    assert_int_equal(stage_count(s, COMMANDS), 4);
    all_come_through(s, 7);
    stage_end(s);
}

/* Each thread has told what it knew when this was called, and heard what came of it: all of them tell about equally often. */
static void all_have_told(struct stage *s, int threads)
{
    int64_t enough = memory_view_service_rounds(s->view) + 2 * threads + 1;

    UNTIL(s, memory_view_service_rounds(s->view) >= enough);
}

static void what_is_older_than_the_window_does_not_count(void **state)
{
    struct stage *s = stage_with(patient, 1, 1);

    (void)state;
    stage_start(s, "w1");
    stage_orders(s, "o:again-a", 3); /* three bad ones, nine good ones: too few */
    UNTIL(s, stage_stats(s, "w1").inputs == 6);
    stage_jump(s, RETRY_DUE);
    UNTIL(s, stage_count(s, RESULTS) == 3);
    stage_jump(s, 700 * SECOND);
    stage_orders(s, "p", 2); /* six more: enough, were it not for the window */
    UNTIL(s, stage_count(s, RESULTS) == 5);
    all_have_told(s, 1);
    assert_true(memory_view_service_is(s->view, "s", "closed"));
    stage_orders(s, "q:again-a", 8);
    UNTIL(s, memory_view_service_is(s->view, "s", "open"));
    all_come_through(s, 13);
    stage_end(s);
}

static void silence_of_before_is_not_held_against_a_service_that_is_back(void **state)
{
    struct stage *s = stage_with(fragile, 1, 1);

    (void)state;
    stage_start(s, "w1");
    s->silent = true;
    stage_orders(s, "o", 4);
    UNTIL(s, stage_count(s, COMMANDS) == 4);
    lose_commands(s);
    assert_true(memory_view_set_service(s->view, "s", "reset"));
    UNTIL(s, stage_logged(s, "the circuit breaker is closed, by ann"));
    stage_jump(s, ANSWER_LATE);
    UNTIL(s, stage_stats(s, "w1").timers == 4);
    all_have_told(s, 1);
    assert_true(memory_view_service_is(s->view, "s", "closed"));
    s->silent = false;
    stage_jump(s, RETRY_DUE);
    UNTIL(s, stage_count(s, RESULTS) == 4);
    stage_end(s);
}

/* One a second at first, twice as many each second. */
static void what_waited_goes_as_a_ramp(void **state)
{
    struct stage *s = stage_with(fragile, 1, 1);
    int64_t begun = 0, before = 0, sent = 0;

    (void)state;
    stage_start(s, "w1");
    break_it(s);
    stage_orders(s, "o", 40);
    UNTIL(s, stage_stats(s, "w1").held >= 40);
    s->silent = false;
    stage_jump(s, OPEN_OVER);
    UNTIL(s, stage_count(s, COMMANDS) == 5); /* the probe */
    begun = stage_now(s);
    before = stage_count(s, COMMANDS);
    UNTIL(s, memory_view_service_is(s->view, "s", "closed"));
    for (int i = 0; i < 4; i++) {
        stage_jump(s, SECOND);
        sent = stage_count(s, COMMANDS);
        UNTIL(s, stage_count(s, COMMANDS) > sent);
        sent = stage_count(s, COMMANDS) - before;
        assert_true(sent <= 2 + (INT64_C(2) << ((stage_now(s) - begun + 999) / SECOND))); /* never more, however slow this machine is */
    }
    stage_jump(s, RAMP_OVER);
    UNTIL(s, stage_count(s, RESULTS) == 44);
    stage_end(s);
}

static void one_worker_opens_it_for_all(void **state)
{
    struct stage *s = stage_with(fragile, 4, 2);

    (void)state;
    stage_start(s, "w1");
    stage_start(s, "w2");
    UNTIL(s, stage_ready(s));
    break_it(s);
    UNTIL(s, stage_stats(s, "w1").service_changes + stage_stats(s, "w2").service_changes == 1);
    stage_orders(s, "o", 40);
    UNTIL(s, stage_stats(s, "w1").held + stage_stats(s, "w2").held >= 40 || stage_count(s, COMMANDS) > 4);
    all_come_through(s, 44);
    stage_end(s);
}

static void what_is_held_back_is_woken_by_the_next_owner(void **state)
{
    struct stage *s = stage_with(fragile, 2, 1);

    (void)state;
    stage_start(s, "w1");
    break_it(s);
    stage_orders(s, "o", 5);
    UNTIL(s, stage_stats(s, "w1").held >= 5);
    stage_stop(s, "w1");
    stage_start(s, "w2");
    UNTIL(s, stage_ready(s));
    s->silent = false;
    stage_jump(s, OPEN_OVER);
    UNTIL(s, memory_view_service_is(s->view, "s", "closed"));
    stage_jump(s, RAMP_OVER);
    stage_jump(s, 60 * SECOND); /* nobody told the new owner who waits: each asks by itself */
    UNTIL(s, stage_count(s, RESULTS) == 9);
    stage_end(s);
}

static void a_partition_that_moved_is_held_back_by_its_new_owner_alone(void **state)
{
    struct stage *s = stage_with(fragile, 4, 1);

    (void)state;
    stage_start(s, "w1");
    UNTIL(s, memory_view_set_service(s->view, "s", "open"));
    UNTIL(s, stage_logged(s, "the circuit breaker is open"));
    stage_orders(s, "o", 20);
    UNTIL(s, memory_view_service_held(s->view, "s") == 20);
    stage_start(s, "w2");
    UNTIL(s, stage_stats(s, "w1").partitions_ready == 2 && stage_stats(s, "w2").partitions_ready == 2);
    UNTIL(s, memory_view_service_held(s->view, "s") < 20); /* nobody told the new owner */
    stage_jump(s, 120 * SECOND);
    UNTIL(s, memory_view_service_held(s->view, "s") == 20); /* each has asked by itself */
    assert_true(memory_view_set_service(s->view, "s", "close"));
    UNTIL(s, (stage_jump(s, SECOND), stage_count(s, RESULTS) == 20));
    stage_end(s);
}

static void a_thread_that_is_fenced_holds_back_again(void **state)
{
    struct stage *s = stage_with(fragile, 1, 1);

    (void)state;
    stage_start(s, "w1");
    break_it(s);
    memory_kafka_next_commits(s->kafka, MEMORY_DIES_UNDONE, 0, 1);
    stage_orders(s, "o", 3);
    UNTIL(s, memory_kafka_faults_spent(s->kafka) && stage_stats(s, "w1").held >= 3);
    assert_int_equal(stage_count(s, COMMANDS), 4);
    memory_kafka_next_commits(s->kafka, MEMORY_DIES_DONE, 0, 1); /* of the probe */
    s->silent = false;
    stage_jump(s, OPEN_OVER);
    UNTIL(s, memory_kafka_faults_spent(s->kafka));
    UNTIL(s, (stage_jump(s, SECOND), stage_count(s, RESULTS) == 7));
    stage_end(s);
}

static void redis_away_it_stays_open(void **state)
{
    struct stage *s = stage_with(fragile, 1, 1);

    (void)state;
    stage_start(s, "w1");
    break_it(s);
    stage_orders(s, "o", 3);
    UNTIL(s, stage_stats(s, "w1").held >= 3);
    memory_view_away(s->view, true);
    UNTIL(s, stage_logged(s, "sagas wait in Kafka until it serves again"));
    stage_jump(s, 10 * OPEN_OVER);
    stage_orders(s, "p", 3);
    assert_int_equal(stage_count(s, COMMANDS), 4);
    s->silent = false;
    memory_view_away(s->view, false);
    UNTIL(s, (stage_jump(s, SECOND), stage_count(s, RESULTS) == 10));
    stage_end(s);
}

static void an_aborted_transaction_holds_back_again(void **state)
{
    struct stage *s = stage_with(fragile, 1, 1);

    (void)state;
    stage_start(s, "w1");
    break_it(s);
    memory_kafka_next_commits(s->kafka, MEMORY_ABORTS, 0, 2);
    stage_orders(s, "o", 3);
    UNTIL(s, stage_stats(s, "w1").held >= 3 && stage_stats(s, "w1").aborts == 2);
    memory_kafka_next_commits(s->kafka, MEMORY_ABORTS, 0, 2); /* of the probe */
    s->silent = false;
    stage_jump(s, OPEN_OVER);
    UNTIL(s, stage_stats(s, "w1").aborts == 4);
    all_come_through(s, 7);
    stage_end(s);
}

static void an_operator_opens_it_and_closes_it(void **state)
{
    struct stage *s = stage_with(fragile, 2, 1);

    (void)state;
    stage_start(s, "w1");
    UNTIL(s, memory_view_set_service(s->view, "s", "open"));
    UNTIL(s, stage_logged(s, "the circuit breaker is open, by ann: maintenance"));
    stage_orders(s, "o", 5);
    UNTIL(s, stage_stats(s, "w1").held == 5);
    stage_jump(s, 10 * OPEN_OVER); /* by hand it stays open */
    UNTIL(s, stage_stats(s, "w1").held >= 10);
    assert_int_equal(stage_count(s, COMMANDS), 0);
    assert_true(memory_view_set_service(s->view, "s", "close"));
    UNTIL(s, stage_logged(s, "the circuit breaker is closed, by ann"));
    stage_jump(s, RAMP_OVER);
    UNTIL(s, stage_count(s, RESULTS) == 5);
    stage_end(s);
}

static void closed_by_hand_it_does_not_open(void **state)
{
    struct stage *s = stage_with(fragile, 1, 1);

    (void)state;
    stage_start(s, "w1");
    UNTIL(s, memory_view_set_service(s->view, "s", "close"));
    UNTIL(s, stage_logged(s, "the circuit breaker is closed, by ann"));
    stage_jump(s, RAMP_OVER);
    s->silent = true;
    stage_orders(s, "o", 6);
    UNTIL(s, stage_count(s, COMMANDS) == 6);
    stage_jump(s, ANSWER_LATE);
    UNTIL(s, stage_stats(s, "w1").timers == 6);
    stage_jump(s, RETRY_DUE);
    UNTIL(s, stage_count(s, COMMANDS) == 12);
    s->silent = false;
    UNTIL(s, stage_count(s, RESULTS) == 6);
    assert_true(memory_view_service_is(s->view, "s", "closed"));
    stage_end(s);
}

/* --- how many in flight --- */

static void no_more_are_in_flight_than_may_be_first_come_first_served(void **state)
{
    struct stage *s = stage_with(narrow, 1, 1);

    (void)state;
    s->silent = true;
    stage_start(s, "w1");
    stage_orders(s, "o", 6);
    UNTIL(s, stage_stats(s, "w1").held >= 4 && stage_count(s, COMMANDS) == 2);
    assert_int_equal(stage_commands(s, "o-1/a/x/1") + stage_commands(s, "o-2/a/x/1"), 2);
    stage_reply(s, "o-1/a/x/1", "success", "1");
    UNTIL(s, stage_commands(s, "o-3/a/x/1") == 1); /* not b of o-1, which came later */
    assert_int_equal(stage_count(s, COMMANDS), 3);
    stage_reply(s, "o-2/a/x/1", "success", "1");
    UNTIL(s, stage_commands(s, "o-4/a/x/1") == 1);
    assert_int_equal(stage_count(s, COMMANDS), 4);
    s->silent = false;
    UNTIL(s, stage_count(s, RESULTS) == 6);
    stage_end(s);
}

static void all_threads_together_keep_to_it(void **state)
{
    struct stage *s = stage_with(narrow, 8, 3);

    (void)state;
    s->silent = true;
    stage_start(s, "w1");
    UNTIL(s, stage_ready(s));
    stage_orders(s, "o", 40);
    UNTIL(s, stage_stats(s, "w1").started == 40 && stage_count(s, COMMANDS) == 2);
    stage_jump(s, SECOND);
    UNTIL(s, stage_stats(s, "w1").held >= 60); /* they have asked again */
    assert_int_equal(stage_count(s, COMMANDS), 2);
    s->silent = false;
    UNTIL(s, stage_count(s, RESULTS) == 40);
    stage_end(s);
}

/* Answered to the new owner, of whom the old one hears nothing; the commands' own time is longer. */
static void in_flight_in_a_partition_that_moved_it_gives_its_place_back(void **state)
{
    struct stage *s = stage_with(narrow, 4, 1);
    char id[64];

    (void)state;
    s->silent = true;
    stage_start(s, "w1");
    UNTIL(s, stage_ready(s));
    stage_deploy(s, "{\"name\":\"long\",\"version\":1,\"defaults\":{\"timeout\":\"10m\"},\"steps\":[{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\"},"
                    "{\"name\":\"b\",\"service\":\"s\",\"command\":\"B\"}]}");
    for (int n = 1; n <= 2; n++)
        (void)stage_send(s, ORDERS, -1, stage_id_on(s, 3, "o", n), "saga-type: long", "{}");
    UNTIL(s, stage_count(s, COMMANDS) == 2);
    stage_start(s, "w2");
    UNTIL(s, stage_stats(s, "w1").partitions_ready == 2 && stage_stats(s, "w2").partitions_ready == 2);
    for (int n = 1; n <= 2; n++) {
        (void)snprintf(id, sizeof id, "%s/a/x/1", stage_id_on(s, 3, "o", n));
        stage_reply(s, id, "success", "1");
    }
    UNTIL(s, stage_stats(s, "w2").held >= 2);
    for (int i = 0; i < 12; i++) { /* no thread counts as gone meanwhile */
        int64_t rounds = memory_view_service_rounds(s->view);

        UNTIL(s, memory_view_service_rounds(s->view) >= rounds + 3);
        stage_jump(s, 3 * SECOND);
    }
    UNTIL(s, stage_count(s, COMMANDS) == 4);
    s->silent = false;
    UNTIL(s, (stage_jump(s, SECOND), stage_count(s, RESULTS) == 2));
    stage_end(s);
}

static void what_nobody_knows_to_have_gone_takes_its_place(void **state)
{
    struct stage *s = stage_with(narrow, 1, 1);

    (void)state;
    s->silent = true;
    stage_start(s, "w1");
    UNTIL(s, memory_view_service_is(s->view, "s", "closed"));
    all_have_told(s, 1);
    memory_kafka_next_commits(s->kafka, MEMORY_DIES_DONE, 0, 1);
    stage_orders(s, "o", 2);
    UNTIL(s, memory_kafka_faults_spent(s->kafka) && stage_count(s, COMMANDS) > 0);
    stage_orders(s, "p", 4);
    UNTIL(s, stage_stats(s, "w1").held >= 4);
    assert_int_equal(stage_count(s, COMMANDS), 2);
    stage_reply(s, "o-1/a/x/1", "success", "1");
    UNTIL(s, stage_count(s, COMMANDS) == 3);
    s->silent = false;
    UNTIL(s, stage_count(s, RESULTS) == 6);
    stage_end(s);
}

static void wiped_no_more_are_in_flight_than_may_be(void **state)
{
    struct stage *s = stage_with(narrow, 2, 2);

    (void)state;
    s->silent = true;
    stage_start(s, "w1");
    UNTIL(s, stage_ready(s));
    stage_orders(s, "o", 10);
    UNTIL(s, stage_count(s, COMMANDS) == 2 && stage_stats(s, "w1").started == 10);
    for (int i = 0; i < 3; i++) {
        memory_view_wipe(s->view);
        all_have_told(s, 2);
        assert_int_equal(stage_count(s, COMMANDS), 2);
    }
    s->silent = false;
    UNTIL(s, (stage_jump(s, 200), stage_count(s, RESULTS) == 10));
    stage_end(s);
}

static void redis_away_no_more_are_in_flight_than_may_be(void **state)
{
    struct stage *s = stage_with(narrow, 1, 1);

    (void)state;
    s->silent = true;
    stage_start(s, "w1");
    stage_orders(s, "o", 6);
    UNTIL(s, stage_stats(s, "w1").held >= 4 && stage_count(s, COMMANDS) == 2);
    memory_view_away(s->view, true);
    UNTIL(s, stage_logged(s, "sagas wait in Kafka until it serves again"));
    stage_reply(s, "o-1/a/x/1", "success", "1");
    stage_jump(s, 5 * SECOND);
    memory_view_away(s->view, false);
    UNTIL(s, stage_commands(s, "o-3/a/x/1") == 1);
    assert_int_equal(stage_count(s, COMMANDS), 3);
    s->silent = false;
    UNTIL(s, stage_count(s, RESULTS) == 6);
    stage_end(s);
}

static void one_that_is_full_does_not_hold_up_another(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1, .threads = 1, .services = both, .services_len = 2});
    char id[32];

    (void)state;
    stage_deploy(s, "{\"name\":\"other\",\"version\":1,\"steps\":[{\"name\":\"a\",\"service\":\"t\",\"command\":\"A\"}]}");
    s->silent = true;
    stage_start(s, "w1");
    stage_orders(s, "o", 30);
    UNTIL(s, stage_stats(s, "w1").held >= 28);
    for (int i = 1; i <= 5; i++) {
        (void)snprintf(id, sizeof id, "t-%d", i);
        (void)stage_send(s, ORDERS, -1, id, "saga-type: other", "{}");
    }
    for (int i = 1; i <= 5; i++) {
        UNTIL(s, stage_count(s, OTHER_COMMANDS) == (i + 1 < 5 ? i + 1 : 5));
        (void)snprintf(id, sizeof id, "t-%d/a/x/1", i);
        stage_reply(s, id, "success", "1");
    }
    UNTIL(s, stage_count(s, RESULTS) == 5);
    assert_int_equal(stage_count(s, COMMANDS), 2);
    s->silent = false;
    UNTIL(s, stage_count(s, RESULTS) == 35);
    stage_end(s);
}

static void what_was_not_answered_gives_its_place_back(void **state)
{
    struct stage *s = stage_with(narrow, 1, 1);

    (void)state;
    stage_start(s, "w1");
    s->silent = true;
    stage_orders(s, "o", 4);
    UNTIL(s, stage_count(s, COMMANDS) == 2);
    lose_commands(s);
    stage_jump(s, ANSWER_LATE);
    UNTIL(s, stage_commands(s, "o-3/a/x/1") == 1 && stage_commands(s, "o-4/a/x/1") == 1); /* the first two have timed out */
    s->silent = false;
    stage_jump(s, RETRY_DUE);
    UNTIL(s, stage_count(s, RESULTS) == 4);
    stage_end(s);
}

/* --- how many a second --- */

static void the_rate_is_kept(void **state)
{
    struct stage *s = stage_with(slow, 1, 1);
    int64_t begun = 0, sent = 0;

    (void)state;
    s->silent = true;
    stage_start(s, "w1");
    UNTIL(s, memory_view_service_is(s->view, "s", "closed"));
    begun = stage_now(s);
    stage_orders(s, "o", 30);
    UNTIL(s, stage_count(s, COMMANDS) >= 4);
    sent = stage_count(s, COMMANDS);
    assert_true(sent <= 2 + (stage_now(s) - begun) * 5 / 1000); /* never more, however slow this machine is */
    for (int i = 0; i < 12; i++) {
        stage_jump(s, SECOND);
        UNTIL(s, stage_count(s, COMMANDS) > sent);
        sent = stage_count(s, COMMANDS);
        assert_true(sent <= 2 + (stage_now(s) - begun) * 5 / 1000);
    }
    s->silent = false;
    UNTIL(s, (stage_jump(s, 200), stage_count(s, RESULTS) == 30)); /* a token each time */
    stage_end(s);
}

/* Room and a newcomer meet in one batch, after those that wait. */
static void who_comes_later_goes_later(void **state)
{
    struct stage *s = stage_with(slow, 1, 1);

    (void)state;
    s->silent = true;
    stage_start(s, "w1");
    UNTIL(s, memory_view_service_is(s->view, "s", "closed"));
    stage_orders(s, "o", 10);
    UNTIL(s, stage_stats(s, "w1").started == 10 && stage_stats(s, "w1").held >= 5);
    memory_view_away(s->view, true);
    UNTIL(s, stage_logged(s, "sagas wait in Kafka until it serves again"));
    stage_jump(s, SECOND);
    stage_order(s, "late");
    memory_view_away(s->view, false);
    for (int i = 0; i < 20 && stage_commands(s, "late/a/x/1") == 0; i++) {
        int64_t sent = stage_count(s, COMMANDS);

        UNTIL(s, stage_count(s, COMMANDS) > sent || stage_count(s, COMMANDS) == 11);
        stage_jump(s, SECOND);
    }
    UNTIL(s, stage_commands(s, "late/a/x/1") == 1);
    assert_int_equal(stage_count(s, COMMANDS), 11);
    s->silent = false;
    UNTIL(s, (stage_jump(s, 200), stage_count(s, RESULTS) == 11));
    stage_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(silence_opens_it_and_an_answer_closes_it),
        TEST(a_probe_that_fails_opens_it_again),
        TEST(a_business_no_never_opens_it),
        TEST(transient_failures_open_it),
        TEST(what_is_older_than_the_window_does_not_count),
        TEST(silence_of_before_is_not_held_against_a_service_that_is_back),
        TEST(what_waited_goes_as_a_ramp),
        TEST(redis_wiped_while_open_it_is_open_again),
        TEST(redis_away_it_stays_open),
        TEST(one_worker_opens_it_for_all),
        TEST(what_is_held_back_is_woken_by_the_next_owner),
        TEST(a_partition_that_moved_is_held_back_by_its_new_owner_alone),
        TEST(an_aborted_transaction_holds_back_again),
        TEST(a_thread_that_is_fenced_holds_back_again),
        TEST(an_operator_opens_it_and_closes_it),
        TEST(closed_by_hand_it_does_not_open),
        TEST(no_more_are_in_flight_than_may_be_first_come_first_served),
        TEST(one_that_is_full_does_not_hold_up_another),
        TEST(all_threads_together_keep_to_it),
        TEST(in_flight_in_a_partition_that_moved_it_gives_its_place_back),
        TEST(what_nobody_knows_to_have_gone_takes_its_place),
        TEST(wiped_no_more_are_in_flight_than_may_be),
        TEST(redis_away_no_more_are_in_flight_than_may_be),
        TEST(what_was_not_answered_gives_its_place_back),
        TEST(the_rate_is_kept),
        TEST(who_comes_later_goes_later),
    };

    return RUN(tests);
}

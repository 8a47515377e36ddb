/*
 * test_timers.c -- due times fire once, by the saga's own due time, whoever owns the partition then.
 */
#include "stage.h"

static void no_answer_in_time_is_tried_again_after_the_interval(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1});

    (void)state;
    stage_start(s, "w1");
    stage_order(s, "o:slow-a");
    UNTIL(s, stage_commands(s, "o:slow-a/a/x/1") == 1);
    stage_jump(s, ANSWER_LATE);
    UNTIL(s, stage_stats(s, "w1").timers == 1);
    assert_int_equal(stage_commands(s, "o:slow-a/a/x/2"), 0); /* the interval comes first */
    stage_jump(s, RETRY_DUE);
    UNTIL(s, strcmp(stage_status(s, "o:slow-a"), "completed") == 0);
    assert_int_equal(stage_stats(s, "w1").timers, 2);
    stage_end(s);
}

static void a_timer_answered_meanwhile_fires_nothing(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1});

    (void)state;
    s->silent = true;
    stage_start(s, "w1");
    stage_order(s, "o-1");
    UNTIL(s, stage_commands(s, "o-1/a/x/1") == 1);
    stage_jump(s, 59 * SECOND);
    stage_reply(s, "o-1/a/x/1", "success", "1"); /* its timer is in memory already */
    UNTIL(s, stage_commands(s, "o-1/b/x/1") == 1);
    stage_jump(s, 3 * SECOND); /* a would be due now, b is not */
    stage_order(s, "o-2");
    UNTIL(s, stage_commands(s, "o-2/a/x/1") == 1);
    assert_int_equal(stage_stats(s, "w1").timers, 0);
    s->silent = false;
    UNTIL(s, stage_count(s, RESULTS) == 2);
    assert_int_equal(stage_stats(s, "w1").timers, 0);
    stage_end(s);
}

static void timers_of_a_stopped_worker_are_fired_by_the_next(void **state)
{
    struct stage *s = stage_begin(NULL);

    (void)state;
    stage_start(s, "w1");
    stage_orders(s, "o:slow-b", 10);
    UNTIL(s, stage_count(s, COMMANDS) == 20);
    stage_stop(s, "w1");
    stage_jump(s, ANSWER_LATE);
    stage_start(s, "w2");
    UNTIL(s, stage_stats(s, "w2").timers == 10);
    stage_jump(s, RETRY_DUE);
    UNTIL(s, stage_count(s, RESULTS) == 10);
    stage_end(s);
}

static void timers_of_an_aborted_transaction_fire_again(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1});

    (void)state;
    stage_start(s, "w1");
    stage_orders(s, "o:slow-a", 5);
    UNTIL(s, stage_count(s, COMMANDS) == 5);
    memory_kafka_next_commits(s->kafka, MEMORY_ABORTS, 0, 2);
    stage_jump(s, ANSWER_LATE);
    UNTIL(s, stage_stats(s, "w1").timers == 5 && stage_stats(s, "w1").aborts == 2);
    stage_jump(s, RETRY_DUE);
    UNTIL(s, stage_count(s, RESULTS) == 5);
    stage_end(s);
}

static void more_timers_than_one_reading_holds_all_fire(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1, .batch_max_count = 5000, .batch_max_wait_ms = 50, .cache_bytes = 1});

    (void)state;
    s->silent = true;
    stage_start(s, "w1");
    stage_orders(s, "o", 2300); /* TIMER_READ_MAX is 2000 */
    UNTIL(s, stage_stats(s, "w1").started == 2300);
    stage_jump(s, ANSWER_LATE);
    UNTIL(s, stage_stats(s, "w1").timers >= 2300);
    stage_jump(s, RETRY_DUE);
    UNTIL(s, stage_count(s, COMMANDS) >= 4600);
    stage_end(s);
}

static void a_sagas_own_deadline_turns_it_back(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1});

    (void)state;
    stage_deploy(s, "{\"name\":\"short\",\"version\":1,\"timeout\":\"5s\",\"steps\":[{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\","
                    "\"timeout\":\"1h\",\"compensation\":{\"command\":\"UndoA\"}}]}");
    stage_start(s, "w1");
    (void)stage_send(s, ORDERS, -1, "o:mute-a", "saga-type: short", "{}");
    UNTIL(s, stage_count(s, COMMANDS) == 1);
    stage_jump(s, 6 * SECOND);
    UNTIL(s, strcmp(stage_status(s, "o:mute-a"), "compensated") == 0);
    assert_int_equal(stage_commands(s, "o:mute-a/a/c/1"), 1);
    stage_end(s);
}

static void timers_far_ahead_wait_in_the_view(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1});

    (void)state;
    stage_deploy(s, "{\"name\":\"slow\",\"version\":1,\"timeout\":\"7d\",\"steps\":[{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\","
                    "\"timeout\":\"24h\",\"retry\":{\"attempts\":2,\"interval\":\"1s\",\"jitter\":0}}]}");
    stage_start(s, "w1");
    (void)stage_send(s, ORDERS, -1, "o:slow-a", "saga-type: slow", "{}");
    UNTIL(s, stage_count(s, COMMANDS) == 1);
    stage_jump(s, DAY - 60 * SECOND);
    stage_order(s, "p");
    UNTIL(s, stage_count(s, RESULTS) == 1);
    assert_int_equal(stage_stats(s, "w1").timers, 0);
    stage_jump(s, 61 * SECOND);
    UNTIL(s, stage_stats(s, "w1").timers == 1);
    stage_jump(s, 2 * SECOND);
    UNTIL(s, stage_count(s, RESULTS) == 2);
    stage_end(s);
}

static const struct CMUnitTest tests[] = {
    TEST(no_answer_in_time_is_tried_again_after_the_interval),
    TEST(a_timer_answered_meanwhile_fires_nothing),
    TEST(timers_of_a_stopped_worker_are_fired_by_the_next),
    TEST(timers_of_an_aborted_transaction_fire_again),
    TEST(more_timers_than_one_reading_holds_all_fire),
    TEST(a_sagas_own_deadline_turns_it_back),
    TEST(timers_far_ahead_wait_in_the_view),
};

int main(void)
{
    return RUN(tests);
}

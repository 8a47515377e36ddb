/*
 * test_view.c -- show.c, load.c, cache.c: the view follows under its watermark, is believed only there, and may go away.
 */
#include "stage.h"

#define HOUR_MS (3600 * 1000)

static void applies_of_several_transactions_are_one(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1, .view_lag_ms = HOUR_MS, .batch_max_count = 1});

    (void)state;
    stage_start(s, "w1");
    stage_orders(s, "o", 3);
    UNTIL(s, stage_count(s, RESULTS) == 3 && stage_stats(s, "w1").transactions == 12);
    assert_int_equal(memory_view_applied(s->view), 0);
    stage_stop(s, "w1"); /* shows what has been committed */
    assert_int_equal(memory_view_applied(s->view), 1);
    assert_int_equal(memory_view_written(s->view), 3); /* each saga once, not once a step */
    stage_end(s);
}

static void the_view_follows_within_its_lag(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1, .view_lag_ms = HOUR_MS});

    (void)state;
    s->silent = true;
    stage_start(s, "w1");
    stage_order(s, "o-1");
    UNTIL(s, stage_commands(s, "o-1/a/x/1") == 1);
    assert_string_equal(stage_status(s, "o-1"), "none");
    stage_jump(s, HOUR_MS + 1);
    UNTIL(s, strcmp(stage_status(s, "o-1"), "none") != 0);
    stage_end(s);
}

static void what_is_not_shown_is_never_evicted(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.view_lag_ms = HOUR_MS, .cache_bytes = 1});

    (void)state;
    stage_start(s, "w1");
    stage_orders(s, "o", 20);
    UNTIL(s, stage_count(s, RESULTS) == 20);
    assert_int_equal(memory_view_applied(s->view), 0);
    stage_end(s);
}

static void what_is_shown_is_evicted_and_loaded_again(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.cache_bytes = 1});

    (void)state;
    s->silent = true;
    stage_start(s, "w1");
    stage_orders(s, "o", 10);
    UNTIL(s, stage_count(s, COMMANDS) == 10 && stage_stats(s, "w1").cache_sagas == 0);
    s->silent = false;
    UNTIL(s, stage_count(s, RESULTS) == 10);
    assert_true(stage_stats(s, "w1").view_loads >= 20);
    stage_end(s);
}

static void what_waits_for_long_leaves_the_cache_and_is_loaded_again(void **state)
{
    struct stage *s = stage_begin(NULL);

    (void)state;
    s->silent = true;
    stage_start(s, "w1");
    stage_orders(s, "o", 10);
    UNTIL(s, stage_count(s, COMMANDS) == 10 && stage_stats(s, "w1").cache_sagas == 10);
    stage_jump(s, CACHE_COLD);
    UNTIL(s, stage_stats(s, "w1").cache_sagas == 0);
    assert_int_equal(stage_stats(s, "w1").cache_bytes, 0);
    s->silent = false;
    UNTIL(s, stage_count(s, RESULTS) == 10);
    assert_int_equal(stage_stats(s, "w1").view_loads, 20); /* before their first event, and after the wait */
    stage_end(s);
}

static void what_has_ended_leaves_the_cache(void **state)
{
    struct stage *s = stage_begin(NULL);

    (void)state;
    stage_start(s, "w1");
    stage_orders(s, "o", 10);
    UNTIL(s, stage_count(s, RESULTS) == 10 && stage_stats(s, "w1").cache_sagas == 0);
    assert_int_equal(stage_stats(s, "w1").cache_bytes, 0);
    stage_end(s);
}

/* --- the view is not where it was left --- */

static void a_refused_apply_acquires_again(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1, .view_lag_ms = HOUR_MS});
    struct memory_view *before = NULL;

    (void)state;
    s->silent = true;
    stage_start(s, "w1");
    UNTIL(s, stage_ready(s));
    before = memory_view_snapshot(s->view);
    stage_order(s, "o-1");
    UNTIL(s, stage_commands(s, "o-1/a/x/1") == 1);
    stage_jump(s, HOUR_MS + 1);
    UNTIL(s, memory_view_applied(s->view) == 1);
    memory_view_roll_back(s->view, before);
    stage_order(s, "o-2");
    UNTIL(s, stage_commands(s, "o-2/a/x/1") == 1);
    stage_jump(s, HOUR_MS + 1);
    UNTIL(s, stage_logged(s, "acquiring it again") && stage_ready(s) && stage_stats(s, "w1").catch_ups == 1);
    s->silent = false; /* an hour has passed: attempts and the saga's own time are over */
    UNTIL(s, stage_stats(s, "w1").completed + stage_stats(s, "w1").compensated == 2 && stage_stats(s, "w1").inputs >= 4);
    s->silent = true;
    stage_end(s);
}

static void a_load_from_another_w_is_not_believed(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1, .cache_bytes = 1});
    struct memory_view *before = NULL;

    (void)state;
    s->silent = true;
    stage_start(s, "w1");
    UNTIL(s, stage_ready(s));
    before = memory_view_snapshot(s->view);
    stage_order(s, "o-1");
    UNTIL(s, strcmp(stage_status(s, "o-1"), "running") == 0 && stage_stats(s, "w1").cache_sagas == 0);
    memory_view_roll_back(s->view, before); /* a failover: o-1 is missing */
    stage_reply(s, "o-1/a/x/1", "success", "1");
    UNTIL(s, stage_commands(s, "o-1/b/x/1") == 1);
    assert_int_equal(stage_count(s, LETTERS), 0); /* not taken for an orphan */
    assert_true(stage_logged(s, "the view is not where this worker left it"));
    stage_end(s);
}

/* One batch, two partitions: what is said to the view about the one must not touch what was loaded for the other. */
static void a_partition_that_is_stale_leaves_the_others_their_loads(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.batch_max_wait_ms = 100});
    struct memory_view *before = NULL;
    char zero[64], one[64], reply[80];

    (void)state;
    (void)strcpy(zero, stage_id_on(s, 0, "o", 0));
    (void)strcpy(one, stage_id_on(s, 1, "o", 0));
    s->silent = true;
    stage_start(s, "w1");
    stage_order(s, one);
    UNTIL(s, strcmp(stage_status(s, one), "running") == 0);
    before = memory_view_snapshot(s->view);
    stage_order(s, zero);
    UNTIL(s, strcmp(stage_status(s, zero), "running") == 0);
    stage_stop(s, "w1");
    stage_start(s, "w2");
    UNTIL(s, stage_ready(s));
    memory_view_roll_back(s->view, before);
    (void)snprintf(reply, sizeof reply, "%s/a/x/1", zero);
    stage_reply(s, reply, "success", "1");
    (void)snprintf(reply, sizeof reply, "%s/a/x/1", one);
    stage_reply(s, reply, "success", "1");
    (void)snprintf(reply, sizeof reply, "%s/b/x/1", zero);
    UNTIL(s, stage_commands(s, reply) == 1 && stage_count(s, COMMANDS) == 4);
    stage_end(s);
}

static void flushall_in_mid_run_gives_equal_states(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.cache_bytes = 1, .batch_max_count = 4});

    (void)state;
    stage_start(s, "w1");
    stage_orders(s, "o", 15);
    stage_orders(s, "o:no-b", 5);
    UNTIL(s, stage_count(s, COMMANDS) >= 20);
    memory_view_wipe(s->view);
    UNTIL(s, stage_count(s, RESULTS) == 20);
    stage_order(s, "last"); /* so that both partitions look at their view once more */
    stage_order(s, "last-1");
    stage_order(s, "last-2");
    UNTIL(s, stage_count(s, RESULTS) == 23 && stage_stats(s, "w1").rebuilds >= 4);
    stage_end(s);
}

/* Its sagas wait for nothing but their timers, and those are gone with the view. */
static void a_view_wiped_under_an_idle_worker_is_noticed(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1});

    (void)state;
    stage_deploy(s, "{\"name\":\"slow\",\"version\":1,\"timeout\":\"7d\",\"steps\":[{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\","
                    "\"timeout\":\"24h\",\"retry\":{\"attempts\":2,\"interval\":\"1s\",\"jitter\":0}}]}");
    stage_start(s, "w1");
    (void)stage_send(s, ORDERS, -1, "o:slow-a", "saga-type: slow", "{}");
    UNTIL(s, stage_count(s, COMMANDS) == 1);
    stage_jump(s, TRICKLE_DUE);
    UNTIL(s, stage_count(s, STATES) == 1 && memory_view_meta(s->view, 0).w == 2); /* nothing is left to write */
    memory_view_wipe(s->view);
    stage_jump(s, DAY);
    UNTIL(s, stage_stats(s, "w1").timers == 1);
    stage_jump(s, 2 * SECOND);
    UNTIL(s, stage_count(s, RESULTS) == 1);
    stage_end(s);
}

static void a_lost_answer_of_an_apply_that_went_through_is_fine(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1});

    (void)state;
    s->silent = true;
    stage_start(s, "w1");
    UNTIL(s, stage_ready(s));
    memory_view_lose_answers(s->view, 1);
    stage_order(s, "o-1");
    UNTIL(s, stage_logged(s, "redis answers again"));
    s->silent = false;
    UNTIL(s, strcmp(stage_status(s, "o-1"), "completed") == 0);
    assert_false(stage_logged(s, "acquiring it again"));
    stage_end(s);
}

/* It hangs in the network while the same is shown by a second call: when it arrives, w has gone on. */
static void a_late_apply_changes_nothing(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1});

    (void)state;
    s->silent = true;
    stage_start(s, "w1");
    UNTIL(s, stage_ready(s));
    memory_view_delay_next(s->view);
    stage_order(s, "o-1");
    UNTIL(s, strcmp(stage_status(s, "o-1"), "running") == 0);
    assert_false(memory_view_deliver(s->view));
    stage_end(s);
}

/* --- Redis away --- */

static void redis_away_pauses_and_resumes_and_loses_nothing(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.batch_max_count = 4});
    int64_t transactions = 0;

    (void)state;
    stage_start(s, "w1");
    stage_orders(s, "o", 20);
    UNTIL(s, stage_count(s, COMMANDS) >= 10);
    memory_view_away(s->view, true);
    UNTIL(s, stage_logged(s, "sagas wait in Kafka"));
    transactions = stage_stats(s, "w1").transactions;
    stage_orders(s, "p", 10);
    memory_kafka_rebalance(s->kafka); /* it still polls: it stays a member of the group */
    UNTIL(s, memory_kafka_generation(s->kafka) >= 2);
    assert_true(stage_stats(s, "w1").transactions <= transactions + 1);
    memory_view_away(s->view, false);
    UNTIL(s, stage_count(s, RESULTS) == 30);
    stage_end(s);
}

static void redis_away_without_a_rebalance_resumes_where_it_was(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1, .batch_max_count = 4});

    (void)state;
    stage_start(s, "w1");
    stage_orders(s, "o", 20);
    UNTIL(s, stage_count(s, COMMANDS) >= 10);
    memory_view_away(s->view, true);
    UNTIL(s, stage_logged(s, "sagas wait in Kafka"));
    stage_orders(s, "p", 10);
    memory_view_away(s->view, false);
    UNTIL(s, stage_count(s, RESULTS) == 30);
    assert_int_equal(stage_stats(s, "w1").reopened, 0);
    stage_end(s);
}

static void redis_away_at_the_start_is_waited_for(void **state)
{
    struct stage *s = stage_begin(NULL);

    (void)state;
    memory_view_away(s->view, true);
    stage_orders(s, "o", 5);
    stage_start(s, "w1");
    UNTIL(s, stage_logged(s, "sagas wait in Kafka"));
    memory_view_away(s->view, false);
    UNTIL(s, stage_count(s, RESULTS) == 5);
    stage_end(s);
}

static void timers_due_while_redis_was_away_fire_after_it(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1});

    (void)state;
    stage_start(s, "w1");
    stage_orders(s, "o:slow-a", 3);
    UNTIL(s, stage_count(s, COMMANDS) == 3 && strcmp(stage_status(s, "o:slow-a-3"), "running") == 0);
    memory_view_away(s->view, true);
    stage_jump(s, ANSWER_LATE);
    UNTIL(s, stage_logged(s, "sagas wait in Kafka"));
    memory_view_away(s->view, false);
    UNTIL(s, stage_stats(s, "w1").timers == 3);
    stage_jump(s, RETRY_DUE);
    UNTIL(s, stage_count(s, RESULTS) == 3);
    stage_end(s);
}

static const struct CMUnitTest tests[] = {
    TEST(applies_of_several_transactions_are_one),
    TEST(the_view_follows_within_its_lag),
    TEST(what_is_not_shown_is_never_evicted),
    TEST(what_is_shown_is_evicted_and_loaded_again),
    TEST(what_waits_for_long_leaves_the_cache_and_is_loaded_again),
    TEST(what_has_ended_leaves_the_cache),
    TEST(a_refused_apply_acquires_again),
    TEST(a_load_from_another_w_is_not_believed),
    TEST(a_partition_that_is_stale_leaves_the_others_their_loads),
    TEST(flushall_in_mid_run_gives_equal_states),
    TEST(a_view_wiped_under_an_idle_worker_is_noticed),
    TEST(a_lost_answer_of_an_apply_that_went_through_is_fine),
    TEST(a_late_apply_changes_nothing),
    TEST(redis_away_pauses_and_resumes_and_loses_nothing),
    TEST(redis_away_without_a_rebalance_resumes_where_it_was),
    TEST(redis_away_at_the_start_is_waited_for),
    TEST(timers_due_while_redis_was_away_fire_after_it),
};

int main(void)
{
    return RUN(tests);
}

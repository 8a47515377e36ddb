/*
 * test_trial.c -- whose fault a worker's death is: what the next owner makes of the mark that a dead one has left in the view.
 *
 * A death cannot happen here, in one process: a row plants the mark that it would have left, or lets a worker hang for ever with it.
 * Real deaths: tests/integration/test_killer.py.
 */
#include "stage.h"

#define DEAD "{\"by\":\"dead/1\",\"seq\":%d,\"trying\":%s,\"deaths\":{%s}}"
#define ONE_BY_ONE "taking inputs one by one"

static void plant(struct stage *s, int seq, const char *trying, const char *deaths)
{
    char text[1000];

    (void)snprintf(text, sizeof text, DEAD, seq, trying, deaths);
    memory_view_set_trial(s->view, 0, text);
}

/* One partition, three orders at offsets 0, 1, 2; a worker died before it committed anything. */
static const struct row {
    const char *name;
    int seq;
    const char *trying, *deaths;
    bool careful;
    int letters; /* of the order at offset 1 */
} rows[] = {
    {"a batch killed it: nobody is condemned, all are taken alone", 0, "\"batch\"", "", true, 0},
    {"a batch at another seq killed it: it had committed since", 7, "\"batch\"", "", false, 0},
    {"an order killed it alone: tried again", 0, "\"orders.commands/1\"", "", true, 0},
    {"an order killed it alone a second time: to the dead letters", 0, "\"orders.commands/1\"", "\"orders.commands/1\":1", true, 1},
    {"the deaths are remembered while another one is tried", 0, "\"orders.commands/2\"", "\"orders.commands/1\":2", true, 1},
    {"so they are by a worker that was killed from outside", 0, "null", "\"orders.commands/1\":2", true, 1},
    {"one death of each is nobody's third", 0, "\"orders.commands/2\"", "\"orders.commands/0\":1,\"orders.commands/1\":1", true, 0},
    {"a topic that is no input any more is nobody", 0, "\"gone/1\"", "\"gone/1\":5", false, 0},
    {"a mark that is no mark is none", 0, "1", "\"orders.commands/1\":\"2\"", false, 0},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1});

    plant(s, row->seq, row->trying, row->deaths);
    stage_orders(s, "o", 3);
    stage_start(s, "w1");
    UNTIL(s, stage_count(s, RESULTS) + stage_letters(s, "kills-worker") == 3);
    assert_int_equal(stage_letters(s, "kills-worker"), row->letters);
    assert_int_equal(stage_count(s, LETTERS), row->letters);
    assert_int_equal(stage_logged(s, ONE_BY_ONE), row->careful);
    if (row->careful) {
        assert_true(stage_stats(s, "w1").transactions >= stage_stats(s, "w1").inputs);
        assert_null(strstr(memory_view_meta(s->view, 0).trial, "\"trying\":\"")); /* it lives */
    }
    stage_end(s);
}

static void a_mark_on_what_is_committed_condemns_nothing(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1});

    (void)state;
    stage_order(s, "o-1");
    stage_start(s, "w1");
    UNTIL(s, stage_count(s, RESULTS) == 1);
    stage_stop(s, "w1");
    plant(s, 0, "\"orders.commands/0\"", "\"orders.commands/0\":5"); /* the view may lie: a failover to an old replica */
    stage_order(s, "o-2");
    stage_start(s, "w2");
    UNTIL(s, stage_count(s, RESULTS) == 2);
    assert_int_equal(stage_count(s, LETTERS), 0);
    assert_false(stage_logged(s, ONE_BY_ONE));
    stage_end(s);
}

static void a_reply_that_kills_leaves_its_saga_as_it_is(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1});

    (void)state;
    s->silent = true;
    stage_order(s, "o-1");
    stage_start(s, "w1");
    UNTIL(s, stage_commands(s, "o-1/a/x/1") == 1);
    stage_stop(s, "w1");
    plant(s, 1, "\"baton.replies/0\"", "\"baton.replies/0\":1");
    stage_reply(s, "o-1/a/x/1", "success", "1");
    stage_start(s, "w2");
    UNTIL(s, stage_letters(s, "kills-worker") == 1);
    assert_string_equal(stage_status(s, "o-1"), "running");
    stage_reply(s, "o-1/a/x/1", "success", "1"); /* another that does not kill */
    UNTIL(s, stage_commands(s, "o-1/b/x/1") == 1);
    stage_end(s);
}

static void a_timer_that_kills_parks_its_saga_alone(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1});
    int seq = 0;

    (void)state;
    s->leaves_inputs = true; /* p's compensations are answered as it ends */
    stage_order(s, "o:mute-b");
    stage_order(s, "p:mute-b");
    stage_start(s, "w1");
    UNTIL(s, stage_commands(s, "o:mute-b/b/x/1") == 1 && stage_commands(s, "p:mute-b/b/x/1") == 1);
    stage_stop(s, "w1");
    seq = (int)stage_journal(s, 0).seq;
    plant(s, seq, "\"timer:o:mute-b\"", "\"timer:o:mute-b\":1");
    stage_jump(s, 3600 * SECOND);
    stage_start(s, "w2");
    UNTIL(s, strcmp(stage_status(s, "o:mute-b"), "parked") == 0);
    assert_true(stage_logged(s, "saga o:mute-b is parked: kills-worker"));
    UNTIL(s, stage_commands(s, "p:mute-b/b/x/2") == 1 || strcmp(stage_status(s, "p:mute-b"), "running") != 0);
    assert_int_equal(stage_count(s, LETTERS), 0);
    stage_end(s);
}

static void a_running_worker_leaves_one_mark_a_partition(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 2, .batch_max_count = 5});

    (void)state;
    stage_start(s, "w1");
    UNTIL(s, stage_ready(s));
    assert_int_equal(memory_view_marked(s->view), 0); /* nor does one that has nothing to do */
    stage_orders(s, "o", 100);
    UNTIL(s, stage_count(s, RESULTS) == 100);
    assert_int_equal(memory_view_marked(s->view), 2);
    stage_end(s);
}

/* --- who lives has not died --- */

static void a_worker_that_starts_over_is_not_dead(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1});

    (void)state;
    memory_kafka_next_commits(s->kafka, MEMORY_DIES_UNDONE, 0, 5);
    stage_orders(s, "o", 3);
    stage_start(s, "w1");
    UNTIL(s, stage_count(s, RESULTS) == 3);
    assert_true(stage_stats(s, "w1").reopened >= 5);
    assert_false(stage_logged(s, ONE_BY_ONE));
    stage_end(s);
}

static void a_worker_that_could_not_take_its_mark_away_knows_it_again(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1});

    (void)state;
    stage_start(s, "w1");
    UNTIL(s, stage_ready(s));
    memory_kafka_stall(s->kafka, "w1.0");
    stage_orders(s, "o", 3);
    UNTIL(s, memory_kafka_stalled(s->kafka, "w1.0"));
    memory_view_away(s->view, true);
    memory_kafka_wake(s->kafka, "w1.0");
    memory_kafka_expire(s->kafka, "w1.0");
    UNTIL(s, stage_logged(s, "lost"));
    assert_non_null(strstr(memory_view_meta(s->view, 0).trial, "\"trying\":\"batch\""));
    memory_view_away(s->view, false);
    UNTIL(s, stage_count(s, RESULTS) == 3);
    assert_false(stage_logged(s, ONE_BY_ONE));
    stage_end(s);
}

static void a_worker_that_stops_takes_its_mark_away(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1});

    (void)state;
    memory_kafka_next_commits(s->kafka, MEMORY_ABORTS, 0, 1000000);
    stage_orders(s, "o", 3);
    stage_start(s, "w1");
    UNTIL(s, stage_stats(s, "w1").aborts >= 1);
    assert_non_null(strstr(memory_view_meta(s->view, 0).trial, "\"trying\":\"batch\""));
    stage_stop(s, "w1");
    assert_string_equal(memory_view_meta(s->view, 0).trial, "");
    memory_kafka_next_commits(s->kafka, MEMORY_COMMITS, 0, 0);
    stage_start(s, "w2");
    UNTIL(s, stage_count(s, RESULTS) == 3);
    assert_false(stage_logged(s, ONE_BY_ONE));
    stage_end(s);
}

/* Its mark goes as it gives them up, which the next owner may not see yet: then it is careful, and condemns nothing. */
static void partitions_that_go_elsewhere_condemn_nothing(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 2});

    (void)state;
    memory_kafka_next_commits(s->kafka, MEMORY_ABORTS, 0, 1000000);
    stage_orders(s, "o", 10);
    stage_start(s, "w1");
    UNTIL(s, stage_stats(s, "w1").aborts >= 1);
    for (int i = 0; i < 5; i++) {
        int64_t generation = memory_kafka_generation(s->kafka);

        memory_kafka_rebalance(s->kafka);
        UNTIL(s, memory_kafka_generation(s->kafka) > generation);
    }
    stage_start(s, "w2");
    UNTIL(s, stage_stats(s, "w2").partitions_ready == 1);
    memory_kafka_next_commits(s->kafka, MEMORY_COMMITS, 0, 0);
    UNTIL(s, stage_count(s, RESULTS) == 10);
    assert_int_equal(stage_count(s, LETTERS), 0);
    stage_end(s);
}

static void a_worker_that_hangs_makes_the_next_one_careful(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1});

    (void)state;
    stage_start(s, "w1");
    UNTIL(s, stage_ready(s));
    memory_kafka_stall(s->kafka, "w1.0");
    stage_orders(s, "o", 3);
    UNTIL(s, memory_kafka_stalled(s->kafka, "w1.0"));
    memory_kafka_expire(s->kafka, "w1.0");
    stage_start(s, "w2");
    UNTIL(s, stage_count(s, RESULTS) == 3);
    assert_true(stage_logged(s, ONE_BY_ONE));
    assert_int_equal(stage_count(s, LETTERS), 0);
    memory_kafka_wake(s->kafka, "w1.0");
    UNTIL(s, stage_stats(s, "w1").aborts == 1);
    stage_end(s);
}

static const struct CMUnitTest tests[] = {
    TEST(a_mark_on_what_is_committed_condemns_nothing),
    TEST(a_reply_that_kills_leaves_its_saga_as_it_is),
    TEST(a_timer_that_kills_parks_its_saga_alone),
    TEST(a_running_worker_leaves_one_mark_a_partition),
    TEST(a_worker_that_starts_over_is_not_dead),
    TEST(a_worker_that_could_not_take_its_mark_away_knows_it_again),
    TEST(a_worker_that_stops_takes_its_mark_away),
    TEST(partitions_that_go_elsewhere_condemn_nothing),
    TEST(a_worker_that_hangs_makes_the_next_one_careful),
};

int main(void)
{
    return RUN(tests) | RUN_ROWS(rows, check_row);
}

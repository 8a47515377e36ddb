/*
 * test_threads.c -- several engine threads, several workers, and a world that misbehaves while they run. Under the thread sanitizer
 * this is the test of what they share; everywhere it is the test that no order of the faults breaks a promise.
 */
#include "stage.h"
#include <time.h>

static void many_orders_on_several_threads(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 8, .threads = 3});

    (void)state;
    stage_orders(s, "o", 200);
    stage_orders(s, "o:no-b", 50);
    stage_orders(s, "o:twice", 50);
    stage_start(s, "w1");
    UNTIL(s, stage_count(s, RESULTS) == 300);
    stage_end(s);
}

static void two_workers_share_and_rebalance(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 8, .threads = 2, .batch_max_count = 10});

    (void)state;
    stage_start(s, "w1");
    stage_orders(s, "o", 150);
    UNTIL(s, stage_count(s, RESULTS) >= 20);
    stage_start(s, "w2");
    stage_orders(s, "p", 150);
    UNTIL(s, stage_count(s, RESULTS) >= 100);
    memory_kafka_rebalance(s->kafka);
    UNTIL(s, stage_count(s, RESULTS) >= 150);
    stage_stop(s, "w1");
    UNTIL(s, stage_count(s, RESULTS) == 300);
    stage_end(s);
}

/* Definitions arrive while threads look them up. */
static void definitions_arrive_while_orders_run(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 4, .threads = 3});
    char text[256], type[64], id[32];

    (void)state;
    stage_start(s, "w1");
    for (int i = 0; i < 20; i++) {
        (void)snprintf(text, sizeof text, "{\"name\":\"d-%d\",\"version\":1,\"timeout\":\"1h\",\"steps\":[{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\"}]}", i);
        stage_deploy(s, text);
        for (int k = 0; k < 4; k++) {
            (void)snprintf(id, sizeof id, "x-%d-%d", i, k);
            (void)snprintf(type, sizeof type, "saga-type: d-%d", i);
            (void)stage_send(s, ORDERS, -1, id, type, "{}");
        }
    }
    UNTIL(s, stage_count(s, RESULTS) == 80);
    assert_int_equal(stage_count(s, LETTERS), 0);
    stage_end(s);
}

/* --- chaos --- */

static uint64_t chaos_seed;

static unsigned pick(uint64_t *random, unsigned n)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return (unsigned)(*random % n);
}

static void misbehave(struct stage *s, uint64_t *random, struct memory_view **snapshot)
{
    static const char *const members[] = {"w1.0", "w1.1", "w2.0", "w2.1"};

    switch (pick(random, 12)) {
    case 0: memory_kafka_next_commits(s->kafka, MEMORY_ABORTS, (int)pick(random, 3), 1 + (int)pick(random, 2)); break;
    case 1: memory_kafka_next_commits(s->kafka, MEMORY_DIES_DONE, (int)pick(random, 3), 1); break;
    case 2: memory_kafka_next_commits(s->kafka, MEMORY_DIES_UNDONE, (int)pick(random, 3), 1); break;
    case 3: memory_kafka_rebalance(s->kafka); break;
    case 4: memory_kafka_expire(s->kafka, members[pick(random, 4)]); break;
    case 5: memory_kafka_stall(s->kafka, members[pick(random, 4)]); break;
    case 6: memory_view_wipe(s->view); break;
    case 7: memory_view_lose_answers(s->view, 1 + (int)pick(random, 2)); break;
    case 8: memory_view_delay_next(s->view); break;
    case 9: memory_kafka_hold_markers(s->kafka, pick(random, 2) ? JOURNAL : STATES); break;
    case 10:
        if (*snapshot == NULL) {
            *snapshot = memory_view_snapshot(s->view);
        } else {
            memory_view_roll_back(s->view, *snapshot);
            *snapshot = NULL;
        }
        break;
    case 11: memory_view_away(s->view, true); break;
    }
}

static void behave(struct stage *s)
{
    static const char *const members[] = {"w1.0", "w1.1", "w2.0", "w2.1"};

    for (size_t i = 0; i < 4; i++)
        memory_kafka_wake(s->kafka, members[i]);
    memory_view_away(s->view, false);
    memory_view_lose_answers(s->view, 0);
    (void)memory_view_deliver(s->view);
    memory_kafka_release_markers(s->kafka);
}

/* A saga with a child, its second step. */
static const char trip[] =
    "{\"name\":\"trip\",\"version\":1,\"timeout\":\"1h\",\"defaults\":{\"timeout\":\"60s\"},\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"P\",\"compensation\":"
    "{\"command\":\"UndoP\"}},{\"name\":\"k\",\"saga\":{\"name\":\"order\",\"input\":{\"pad\":\"-\"}}},{\"name\":\"q\",\"service\":\"s\",\"command\":\"Q\"}]}";

/* How many results it and its child will have. */
static int start_trip(struct stage *s, int round, unsigned kind)
{
    static const struct { const char *word; int results; } kinds[] = {{"", 2}, {":no-c", 2}, {":no-q", 3}};
    char id[48];

    (void)snprintf(id, sizeof id, "t%d%s", round, kinds[kind].word);
    (void)stage_send(s, ORDERS, -1, id, "saga-type: trip", "{}");
    return kinds[kind].results;
}

static void whatever_happens_every_promise_holds(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 6, .threads = 2, .batch_max_count = 6, .cache_bytes = 40000, .view_lag_ms = 5});
    uint64_t random = chaos_seed;
    struct memory_view *snapshot = NULL;
    int results = 40 * 8;

    (void)state;
    stage_deploy(s, trip);
    stage_start(s, "w1");
    stage_start(s, "w2");
    for (int round = 1; round <= 40; round++) {
        char prefix[48];

        (void)snprintf(prefix, sizeof prefix, "r%d%s", round, pick(&random, 3) == 0 ? ":no-c" : pick(&random, 4) == 0 ? ":twice" : "");
        stage_orders(s, prefix, 8);
        results += start_trip(s, round, pick(&random, 3));
        misbehave(s, &random, &snapshot);
        for (int64_t until = memory_world_real_ms() + 20; memory_world_real_ms() < until;)
            stage_wait(s, until + STAGE_PATIENCE_MS, "", __FILE__, __LINE__);
        behave(s);
    }
    UNTIL(s, stage_count(s, RESULTS) == results);
    memory_view_free(snapshot);
    memory_kafka_next_commits(s->kafka, MEMORY_COMMITS, 0, 0);
    /* Every partition looks at its view once more, whatever was done to it last. */
    for (int32_t p = 0; p < 6; p++)
        stage_order(s, stage_id_on(s, p, "last", 0));
    UNTIL(s, stage_count(s, RESULTS) == results + 6);
    stage_end(s);
}

static const struct CMUnitTest tests[] = {
    TEST(many_orders_on_several_threads),
    TEST(two_workers_share_and_rebalance),
    TEST(definitions_arrive_while_orders_run),
    TEST(whatever_happens_every_promise_holds),
};

int main(int argc, char **argv)
{
    chaos_seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL);
    print_message("seed %llu\n", (unsigned long long)chaos_seed);
    return RUN(tests);
}

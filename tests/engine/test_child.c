/*
 * test_child.c -- a saga and its children through the whole engine: on other partitions, answered once whatever becomes of a transaction.
 *
 * The children are orders, which do what their id says, and a child's id has its parent's in it.
 */
#include "stage.h"

/* p can be undone, q is the last. */
static const char trip[] =
    "{\"name\":\"trip\",\"version\":1,\"timeout\":\"1h\",\"defaults\":{\"timeout\":\"60s\",\"retry\":{\"attempts\":2,\"interval\":\"30s\",\"jitter\":0}},\"steps\":["
    "{\"name\":\"p\",\"service\":\"s\",\"command\":\"P\",\"compensation\":{\"command\":\"UndoP\"}},"
    "{\"name\":\"k\",\"saga\":{\"name\":\"order\",\"input\":{\"pad\":\"${saga.id}\"}}},"
    "{\"name\":\"q\",\"service\":\"s\",\"command\":\"Q\"}]}";

static struct stage *begin(const struct stage_setup *setup)
{
    struct stage *s = stage_begin(setup);

    stage_deploy(s, trip);
    return s;
}

static void start_trip(struct stage *s, const char *id)
{
    (void)stage_send(s, ORDERS, -1, id, "saga-type: trip", "{}");
}

static bool is(struct stage *s, const char *id, const char *status)
{
    return strcmp(stage_status(s, id), status) == 0;
}

/* --- rows: where a trip of this id and its child end --- */

static const struct row {
    const char *name;
    const char *id, *child;
    const char *trip_ends, *child_ends;
    int results;
} rows[] = {
    {"both complete", "t", "t.k", "completed", "completed", 2},
    {"the child fails, the trip turns back", "t:no-c", "t:no-c.k", "compensated", "compensated", 2},
    {"the trip fails, its completed child is undone", "t:no-q", "t:no-q.k", "compensated", "compensated", 3},
    {"answers that come twice change nothing", "t:twice", "t:twice.k", "completed", "completed", 2},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct stage *s = begin(&(struct stage_setup){.partitions = 8, .threads = 2});

    stage_start(s, "w1");
    start_trip(s, row->id);
    UNTIL(s, is(s, row->id, row->trip_ends) && is(s, row->child, row->child_ends) && stage_count(s, RESULTS) == row->results);
    assert_int_equal(stage_letters(s, ""), 0);
    stage_end(s);
}

/* --- transactions that fail --- */

static const struct commit_row {
    const char *name;
    enum memory_commit how;
} commit_rows[] = {
    {"aborted, a child is started once", MEMORY_ABORTS},
    {"unknown, it was committed: a child is started once", MEMORY_DIES_DONE},
    {"unknown, it was not: a child is started once", MEMORY_DIES_UNDONE},
};

/* Each commit of the family's life in turn: the parent's start, the child's, each answer, each undoing. */
static void check_commit(void **state)
{
    const struct commit_row *row = *state;

    for (int skip = 0; skip < 12; skip += 1 + (skip > 4)) {
        struct stage *s = begin(&(struct stage_setup){.partitions = 4});

        memory_kafka_next_commits(s->kafka, row->how, skip, 1);
        stage_start(s, "w1");
        start_trip(s, "t:no-q");
        UNTIL(s, is(s, "t:no-q", "compensated") && is(s, "t:no-q.k", "compensated"));
        assert_int_equal(stage_count(s, RESULTS), 3);
        assert_int_equal(stage_commands(s, "t:no-q.k/b/c/1"), 1);
        stage_end(s);
    }
}

/* --- what no row says --- */

static void what_cannot_be_started_is_a_dead_letter_and_a_failure(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.no_definition = true});

    (void)state;
    stage_deploy(s, trip);
    stage_start(s, "w1");
    start_trip(s, "t");
    UNTIL(s, is(s, "t", "compensated") && stage_letters(s, "unknown-definition") == 1);
    assert_int_equal(stage_commands(s, "t/p/c/1"), 1);
    stage_end(s);
}

static void somebody_elses_saga_is_not_its_child(void **state)
{
    struct stage *s = begin(NULL);

    (void)state;
    stage_start(s, "w1");
    stage_order(s, "t.k");
    UNTIL(s, is(s, "t.k", "completed"));
    start_trip(s, "t");
    UNTIL(s, is(s, "t", "compensated") && stage_letters(s, "conflicting-start") == 1);
    assert_true(is(s, "t.k", "completed"));
    stage_end(s);
}

/* Cancelled before the child had a chance to be refused: nothing is left to be undone. */
static void a_trip_that_is_cancelled_undoes_what_it_may_have_started(void **state)
{
    struct stage *s = begin(NULL);

    (void)state;
    stage_start(s, "w1");
    start_trip(s, "t:mute-b");
    UNTIL(s, stage_commands(s, "t:mute-b.k/b/x/1") == 1);
    (void)stage_send(s, CONTROL, -1, "t:mute-b", NULL, "{\"verb\":\"cancel\",\"who\":\"ann\"}");
    UNTIL(s, is(s, "t:mute-b", "cancelled") && is(s, "t:mute-b.k", "compensated"));
    stage_end(s);
}

/* Whoever may only start sagas cannot make one answer for another. */
static void on_a_start_topic_nobody_has_a_parent(void **state)
{
    struct stage *s = begin(NULL);

    (void)state;
    stage_start(s, "w1");
    start_trip(s, "t:mute-q");
    UNTIL(s, stage_commands(s, "t:mute-q/q/x/1") == 1);
    (void)stage_send(s, ORDERS, -1, "forged", "saga-type: order\nbaton-parent: t:mute-q/q/x/1\nbaton-depth: 1", "{}");
    UNTIL(s, is(s, "forged", "completed"));
    assert_true(is(s, "t:mute-q", "running"));
    assert_false(stage_logged(s, "dead letter"));
    stage_end(s);
}

static void a_child_that_is_gone_cannot_be_undone(void **state)
{
    struct stage *s = begin(NULL);

    (void)state;
    stage_start(s, "w1");
    start_trip(s, "t");
    UNTIL(s, is(s, "t", "completed"));
    (void)stage_send(s, CONTROL, -1, "t.j", "baton-parent: t/k/c/1", "{\"verb\":\"compensate\",\"who\":\"t\"}");
    UNTIL(s, stage_letters(s, "unknown-saga") == 1 && stage_letters(s, "wrong-step") == 1); /* the answer is to a command that t has not sent */
    (void)stage_send(s, CONTROL, -1, "t.k", "baton-parent: u/k/c/1", "{\"verb\":\"compensate\",\"who\":\"u\"}");
    UNTIL(s, stage_letters(s, "unknown-saga") == 2 && stage_letters(s, "orphan-reply") == 1);
    assert_true(is(s, "t.k", "completed"));
    stage_end(s);
}

static const struct CMUnitTest tests[] = {
    TEST(what_cannot_be_started_is_a_dead_letter_and_a_failure),
    TEST(somebody_elses_saga_is_not_its_child),
    TEST(a_trip_that_is_cancelled_undoes_what_it_may_have_started),
    TEST(on_a_start_topic_nobody_has_a_parent),
    TEST(a_child_that_is_gone_cannot_be_undone),
};

int main(void)
{
    return RUN_ROWS(rows, check_row) + RUN_ROWS(commit_rows, check_commit) + RUN(tests);
}

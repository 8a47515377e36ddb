/*
 * test_cached.c -- the last success of a step stands in for it: kept by one saga, found by another, across partitions and workers; lost with the view.
 */
#include "stage.h"

/* Its participants are the order's: what refuses to be done at once is given up. */
static const char quoted[] =
    "{\"name\":\"order\",\"version\":2,\"timeout\":\"1h\",\"defaults\":{\"timeout\":\"60s\",\"retry\":{\"attempts\":1}},"
    "\"steps\":[{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\",\"compensation\":{\"command\":\"UndoA\"}},"
    "{\"name\":\"b\",\"service\":\"s\",\"command\":\"B\",\"compensation\":{\"command\":\"UndoB\"},\"fallback\":{\"cached\":\"all\",\"maxAge\":\"1h\"}},"
    "{\"name\":\"c\",\"service\":\"s\",\"command\":\"C\"}],\"output\":\"${steps.b.fallback}\"}";

static struct stage *stage_of(int32_t partitions)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = partitions, .no_definition = true});

    stage_deploy(s, quoted);
    stage_start(s, "w1");
    return s;
}

static bool is(struct stage *s, const char *id, const char *status)
{
    return strcmp(stage_status(s, id), status) == 0;
}

static void what_one_saga_was_told_stands_in_for_another(void **state)
{
    struct stage *s = stage_of(3);

    (void)state;
    stage_order(s, "o-1");
    UNTIL(s, is(s, "o-1", "completed"));
    for (int i = 0; i < 6; i++) {
        char id[32];

        (void)snprintf(id, sizeof id, "p-%d:again-b", i);
        stage_order(s, id);
    }
    UNTIL(s, stage_count(s, RESULTS) == 7);
    for (int i = 0; i < 6; i++) {
        char id[32];

        (void)snprintf(id, sizeof id, "p-%d:again-b", i);
        UNTIL(s, is(s, id, "completed"));
    }
    stage_end(s);
}

static void with_nothing_kept_it_turns_back(void **state)
{
    struct stage *s = stage_of(1);

    (void)state;
    stage_order(s, "p-1:again-b");
    UNTIL(s, is(s, "p-1:again-b", "compensated"));
    stage_end(s);
}

static void it_goes_with_the_view(void **state)
{
    struct stage *s = stage_of(1);

    (void)state;
    stage_order(s, "o-1");
    UNTIL(s, is(s, "o-1", "completed"));
    memory_view_wipe(s->view);
    stage_order(s, "p-1:again-b");
    UNTIL(s, is(s, "p-1:again-b", "compensated"));
    stage_order(s, "o-2");
    UNTIL(s, is(s, "o-2", "completed"));
    stage_order(s, "p-2:again-b");
    UNTIL(s, is(s, "p-2:again-b", "completed"));
    stage_end(s);
}

static void another_worker_finds_it(void **state)
{
    struct stage *s = stage_of(1);

    (void)state;
    stage_order(s, "o-1");
    UNTIL(s, is(s, "o-1", "completed"));
    stage_stop(s, "w1");
    stage_start(s, "w2");
    stage_order(s, "p-1:again-b");
    UNTIL(s, is(s, "p-1:again-b", "completed"));
    stage_end(s);
}

/* Asked in the transaction that needs it: it waits as it would for a saga. */
static void with_the_view_away_it_waits(void **state)
{
    struct stage *s = stage_of(1);

    (void)state;
    stage_order(s, "o-1");
    UNTIL(s, is(s, "o-1", "completed"));
    stage_order(s, "p-1:mute-b");
    UNTIL(s, stage_commands(s, "p-1:mute-b/b/x/1") == 1);
    memory_view_away(s->view, true);
    stage_reply(s, "p-1:mute-b/b/x/1", "retry", "{}");
    UNTIL(s, stage_logged(s, "sagas wait in Kafka until it serves again"));
    assert_int_equal(stage_commands(s, "p-1:mute-b/c/x/1"), 0);
    memory_view_away(s->view, false);
    UNTIL(s, is(s, "p-1:mute-b", "completed"));
    stage_end(s);
}

static void one_too_old_is_none(void **state)
{
    struct stage *s = stage_of(1);

    (void)state;
    stage_order(s, "o-1");
    UNTIL(s, is(s, "o-1", "completed"));
    stage_jump(s, 2 * 3600 * SECOND);
    stage_order(s, "p-1:again-b");
    UNTIL(s, is(s, "p-1:again-b", "compensated"));
    stage_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_one_saga_was_told_stands_in_for_another), TEST(with_nothing_kept_it_turns_back), TEST(it_goes_with_the_view), TEST(another_worker_finds_it),
        TEST(with_the_view_away_it_waits), TEST(one_too_old_is_none),
    };

    return RUN(tests);
}

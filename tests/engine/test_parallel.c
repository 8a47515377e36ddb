/*
 * test_parallel.c -- sagas with several commands under way: one transaction sends them, each answer and each timer settles its own.
 */
#include "stage.h"

#define DO(name) "{\"name\":\"" name "\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"}}"
#define DEFINE(name, join)                                                                                                          \
    "{\"name\":\"" name "\",\"version\":1,\"defaults\":{\"timeout\":\"60s\",\"retry\":{\"attempts\":3,\"interval\":\"30s\",\"jitter\":0}},"    \
    "\"steps\":[{\"parallel\":[[" DO("b") "],[" DO("c") "," DO("d") "],[" DO("e") "]],\"join\":" join "}," DO("z") "]}"

static struct stage *begin(void)
{
    struct stage *s = stage_begin(NULL);

    stage_deploy(s, DEFINE("all", "\"all\""));
    stage_deploy(s, DEFINE("any", "\"any\""));
    stage_start(s, "w1");
    UNTIL(s, stage_ready(s));
    return s;
}

static void start(struct stage *s, const char *type, const char *id)
{
    char headers[64];

    (void)snprintf(headers, sizeof headers, "saga-type: %s", type);
    (void)stage_send(s, ORDERS, -1, id, headers, "{}");
}

static void ends(struct stage *s, const char *id, const char *status)
{
    UNTIL(s, strcmp(stage_status(s, id), status) == 0);
}

static void all_branches_are_done(void **state)
{
    struct stage *s = begin();

    (void)state;
    start(s, "all", "o-1");
    ends(s, "o-1", "completed");
    assert_int_equal(stage_commands(s, "o-1/d/x/1"), 1);
    assert_int_equal(stage_commands(s, "o-1/z/x/1"), 1);
    stage_end(s);
}

static void one_fails_and_the_others_are_undone(void **state)
{
    struct stage *s = begin();

    (void)state;
    start(s, "all", "o:no-d");
    ends(s, "o:no-d", "compensated");
    assert_int_equal(stage_commands(s, "o:no-d/b/c/1"), 1);
    assert_int_equal(stage_commands(s, "o:no-d/c/c/1"), 1);
    assert_int_equal(stage_commands(s, "o:no-d/e/c/1"), 1);
    stage_end(s);
}

static void several_are_late_at_once(void **state)
{
    struct stage *s = begin();

    (void)state;
    start(s, "all", "o:slow-b:slow-e");
    UNTIL(s, stage_commands(s, "o:slow-b:slow-e/d/x/1") == 1);
    stage_jump(s, ANSWER_LATE);
    UNTIL(s, stage_stats(s, "w1").timers >= 1);
    stage_jump(s, RETRY_DUE);
    ends(s, "o:slow-b:slow-e", "completed");
    assert_int_equal(stage_commands(s, "o:slow-b:slow-e/b/x/2"), 1);
    assert_int_equal(stage_commands(s, "o:slow-b:slow-e/e/x/2"), 1);
    stage_end(s);
}

static void what_lost_is_undone_before_the_end(void **state)
{
    struct stage *s = begin();

    (void)state;
    start(s, "any", "o:mute-b:mute-d:mute-c");
    ends(s, "o:mute-b:mute-d:mute-c", "completed");
    assert_int_equal(stage_commands(s, "o:mute-b:mute-d:mute-c/b/c/1"), 1);
    assert_int_equal(stage_commands(s, "o:mute-b:mute-d:mute-c/c/c/1"), 1);
    assert_int_equal(stage_commands(s, "o:mute-b:mute-d:mute-c/e/c/1"), 0);
    stage_end(s);
}

static void another_worker_goes_on(void **state)
{
    struct stage *s = begin();

    (void)state;
    s->silent = true;
    start(s, "all", "o-1");
    UNTIL(s, stage_commands(s, "o-1/e/x/1") == 1);
    stage_stop(s, "w1");
    stage_start(s, "w2");
    s->silent = false;
    ends(s, "o-1", "completed");
    assert_int_equal(stage_commands(s, "o-1/b/x/1"), 1);
    stage_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_branches_are_done), TEST(one_fails_and_the_others_are_undone), TEST(several_are_late_at_once),
        TEST(what_lost_is_undone_before_the_end), TEST(another_worker_goes_on),
    };

    return RUN(tests);
}

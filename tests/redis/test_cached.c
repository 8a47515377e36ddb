/*
 * test_cached.c -- values that stand in for steps, on a real server: their names, their time.
 */
#include "support.h"

static struct server server;
static struct view view;

static void put(const char *name, const char *text, int64_t ttl_ms)
{
    const struct view_cached item = {.name = name, .text = text, .len = strlen(text), .ttl_ms = ttl_ms};
    struct baton_error err = {0};

    if (view.cached_put(view.self, &item, 1, &err) != BATON_OK)
        fail_msg("%s", err.text);
}

static int empty(void **state)
{
    (void)state;
    server_do(&server, "FLUSHALL");
    return 0;
}

static void what_was_put_is_there_what_was_not_is_not(void **state)
{
    struct view_cached items[] = {{.name = "order:quote:b c"}, {.name = "order:quote:none"}, {.name = "order:quote:a"}};
    struct baton_error err = {0};

    (void)state;
    put("order:quote:a", "{\"at\":1}", 60000);
    put("order:quote:b c", "one", 60000);
    put("order:quote:b c", "another", 60000);
    assert_int_equal(view.cached_get(view.self, items, 3, &err), BATON_OK);
    assert_memory_equal(items[0].text, "another", items[0].len);
    assert_null(items[1].text);
    assert_memory_equal(items[2].text, "{\"at\":1}", items[2].len);
}

static void it_has_a_time_to_live(void **state)
{
    redisReply *reply = NULL;

    (void)state;
    put("order:quote:a", "x", 60000);
    put("order:quote:late", "x", -5); /* its time was over before it was written */
    reply = server_ask(&server, "PTTL %s:cached:order:quote:a", TEST_PREFIX);
    assert_in_range(reply->integer, 1, 60000);
    freeReplyObject(reply);
}

static void nothing_is_asked_for(void **state)
{
    struct baton_error err = {0};

    (void)state;
    assert_int_equal(view.cached_put(view.self, NULL, 0, &err), BATON_OK);
    assert_int_equal(view.cached_get(view.self, NULL, 0, &err), BATON_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_was_put_is_there_what_was_not_is_not, empty),
        cmocka_unit_test_setup(it_has_a_time_to_live, empty),
        cmocka_unit_test_setup(nothing_is_asked_for, empty),
    };

    return with_view(&server, &view, tests, COUNT(tests));
}

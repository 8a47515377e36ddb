/*
 * test_reader.c -- what the faces see: one saga, lists and counts over several partitions, from the indexes.
 */
#include "support.h"

#define PARTITIONS 3

static struct server server;
static struct view view;
static struct redis_reader *reader;

/* Nine sagas over three partitions, two types, two versions of one; partition 1 has none of type order. */
static const struct given {
    int32_t partition;
    struct view_item item;
} given[] = {
    {0, {.id = "a", .type = "order", .version = 1, .seq = 1, .status = SAGA_RUNNING, .updated_ms = 10, .state = "{\"id\":\"a\"}"}},
    {0, {.id = "b", .type = "order", .version = 1, .seq = 1, .status = SAGA_PARKED, .updated_ms = 20, .state = "{}"}},
    {0, {.id = "c", .type = "payment", .seq = 1, .status = SAGA_RUNNING, .updated_ms = 30, .state = "{}"}},
    {1, {.id = "d", .type = "payment", .seq = 1, .status = SAGA_COMPLETED, .updated_ms = 40, .state = "{}"}},
    {1, {.id = "e", .type = "payment", .seq = 1, .status = SAGA_RUNNING, .updated_ms = 50, .state = "{}"}},
    {2, {.id = "f", .type = "order", .version = 2, .seq = 1, .status = SAGA_RUNNING, .updated_ms = 60, .state = "{}"}},
    {2, {.id = "g", .type = "order", .version = 2, .seq = 1, .status = SAGA_COMPENSATED, .updated_ms = 70, .state = "{}"}},
    {2, {.id = "h", .type = "order", .version = 2, .seq = 1, .status = SAGA_TERMINATED, .updated_ms = 80, .state = "{}"}},
    {2, {.id = "i", .type = "payment", .seq = 1, .status = SAGA_PARKED, .updated_ms = 80, .state = "{}"}},
};

static const struct row {
    const char *name;
    int status;
    const char *type;
    int64_t version;
    size_t max;
    const char *then;
} list_rows[] = {
    {"all, the newest first; equal times by id", -1, NULL, 0, 100, "h i g f e d c b a"},
    {"at most max, the newest of all partitions", -1, NULL, 0, 4, "h i g f"},
    {"one", -1, NULL, 0, 1, "h"},
    {"of a status", SAGA_RUNNING, NULL, 0, 100, "f e c a"},
    {"of a type", -1, "payment", 0, 100, "i e d c"},
    {"of a version", -1, "order", 2, 100, "h g f"},
    {"of a version and a status", SAGA_RUNNING, "order", 1, 100, "a"},
    {"of a version that is not there", -1, "order", 12, 100, ""},
    {"what was written before versions were told apart has none", -1, "payment", 1, 100, ""},
    {"of a status and a type", SAGA_RUNNING, "order", 0, 100, "f a"},
    {"of a status and a type, at most max", SAGA_RUNNING, "order", 0, 1, "f"},
    {"of a status that nothing has", SAGA_CANCELLED, NULL, 0, 100, ""},
    {"of a type that is not there", -1, "refund", 0, 100, ""},
    {"a type is no pattern", -1, "*", 0, 100, ""},
};

static void check_list(void **state)
{
    const struct row *row = *state;
    struct redis_listed listed[100];
    struct baton_error err = {0};
    struct buffer out = {0};
    size_t n = 0;

    assert_int_equal(redis_reader_list(reader, PARTITIONS, row->status, row->type, row->version, listed, row->max, &n, &err), BATON_OK);
    for (size_t i = 0; i < n; i++) {
        const struct given *one = &given[listed[i].id[0] - 'a'];

        say(&out, "%s%s", i == 0 ? "" : " ", listed[i].id);
        assert_string_equal(listed[i].type, one->item.type);
        assert_int_equal(listed[i].version, one->item.version);
        assert_int_equal(listed[i].status, one->item.status);
        assert_int_equal(listed[i].updated_ms, one->item.updated_ms);
    }
    buffer_text(&out, "");
    assert_string_equal(out.len == 0 ? "" : buffer_cstr(&out), row->then);
    buffer_free(&out);
}

static void counts_by_version_and_status(void **state)
{
    static const struct {
        const char *type;
        int64_t version, running, parked, ended;
    } wanted[] = {{"order", 1, 1, 1, 0}, {"order", 2, 1, 0, 2}, {"payment", 0, 2, 1, 1}};
    struct redis_counted *counted = NULL;
    struct baton_error err = {0};
    size_t n = 0;

    (void)state;
    assert_int_equal(redis_reader_count(reader, PARTITIONS, &counted, &n, &err), BATON_OK);
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++) {
        const int64_t *counts = counted[i].counts;

        assert_string_equal(counted[i].type, wanted[i].type);
        assert_int_equal(counted[i].version, wanted[i].version);
        assert_int_equal(counts[SAGA_RUNNING], wanted[i].running);
        assert_int_equal(counts[SAGA_PARKED], wanted[i].parked);
        assert_int_equal(counts[SAGA_COMPLETED] + counts[SAGA_COMPENSATED] + counts[SAGA_TERMINATED], wanted[i].ended);
    }
    free(counted);
    assert_int_equal(redis_reader_count(reader, 1, &counted, &n, &err), BATON_OK); /* only partition 0 */
    assert_int_equal(n, 2);
    assert_int_equal(counted[0].counts[SAGA_RUNNING], 1);
    free(counted);
}

static void one_saga(void **state)
{
    struct baton_error err = {0};
    char *text = NULL;

    (void)state;
    assert_int_equal(redis_reader_state(reader, 0, "a", &text, &err), BATON_OK);
    assert_string_equal(text, "{\"id\":\"a\"}");
    free(text);
    assert_int_equal(redis_reader_state(reader, 1, "a", &text, &err), BATON_E_NOT_FOUND);
    assert_int_equal(redis_reader_state(reader, 0, "nobody", &text, &err), BATON_E_NOT_FOUND);
    assert_string_equal(err.text, "no saga \"nobody\"");
    server_do(&server, "SET " TEST_PREFIX ":{0}:saga:forged x");
    assert_int_equal(redis_reader_state(reader, 0, "forged", &text, &err), BATON_E_NOT_FOUND);
}

static void meta_as_the_view_left_it(void **state)
{
    struct view_meta meta;
    struct baton_error err = {0};

    (void)state;
    assert_int_equal(redis_reader_meta(reader, 2, &meta, &err), BATON_OK);
    assert_int_equal(meta.w, 1);
    assert_string_equal(meta.epoch, "e");
    assert_int_equal(redis_reader_meta(reader, 9, &meta, &err), BATON_OK);
    assert_int_equal(meta.w, VIEW_NO_W);
}

static void an_empty_redis(void **state)
{
    struct redis_counted *counted = NULL;
    struct redis_listed listed[2];
    struct baton_error err = {0};
    size_t n = 9;

    (void)state;
    server_do(&server, "FLUSHALL");
    assert_int_equal(redis_reader_list(reader, PARTITIONS, -1, NULL, 0, listed, 2, &n, &err), BATON_OK);
    assert_int_equal(n, 0);
    assert_int_equal(redis_reader_list(reader, PARTITIONS, -1, NULL, 0, listed, 0, &n, &err), BATON_E_INVALID);
    assert_int_equal(redis_reader_count(reader, PARTITIONS, &counted, &n, &err), BATON_OK);
    assert_int_equal(n, 0);
    free(counted);
}

/* Two passwords that are right, one that is not: the login travels with every connection. */
static void logs_in(void **state)
{
    struct redis_options options = options_of(&server);
    struct redis_reader *other = NULL;
    struct view_meta meta;
    struct baton_error err = {0};
    char url[128];

    (void)state;
    server_do(&server, "ACL SETUSER baton on >se:c@ret ~" TEST_PREFIX ":* +@all");
    server_do(&server, "CONFIG SET requirepass top");
    (void)snprintf(url, sizeof url, "redis://baton:se%%3Ac%%40ret@127.0.0.1:%d/2", server.port);
    options.url = url;
    assert_int_equal(redis_reader_open(&options, &other, &err), BATON_OK);
    assert_int_equal(redis_reader_meta(other, 0, &meta, &err), BATON_OK);
    assert_int_equal(meta.w, VIEW_NO_W); /* database 2 is empty */
    redis_reader_close(other);

    (void)snprintf(url, sizeof url, "redis://:top@127.0.0.1:%d", server.port);
    assert_int_equal(redis_reader_open(&options, &other, &err), BATON_OK);
    assert_int_equal(redis_reader_meta(other, 0, &meta, &err), BATON_OK);
    redis_reader_close(other);

    (void)snprintf(url, sizeof url, "redis://:wrong@127.0.0.1:%d", server.port);
    assert_int_equal(redis_reader_open(&options, &other, &err), BATON_OK);
    assert_int_equal(redis_reader_meta(other, 0, &meta, &err), BATON_E_FATAL);
    assert_non_null(strstr(err.text, "check redis.username and redis.passwordFile"));
    redis_reader_close(other);

    options.url = server.url;
    assert_int_equal(redis_reader_open(&options, &other, &err), BATON_OK);
    assert_int_equal(redis_reader_meta(other, 0, &meta, &err), BATON_E_FATAL);
    assert_non_null(strstr(err.text, "set redis.passwordFile"));
    redis_reader_close(other);
}

static int start(void **state)
{
    struct redis_options options;
    struct baton_error err = {0};

    (void)state;
    server_start(&server, NULL);
    options = options_of(&server);
    if (redis_view_open(&options, &view, &err) != BATON_OK || redis_reader_open(&options, &reader, &err) != BATON_OK)
        return -1;
    for (int32_t p = PARTITIONS; p-- > 0;) {
        struct view_item items[COUNT(given)];
        struct view_apply apply = {.partition = p, .expected = 0, .target = 1, .items = items};
        struct view_meta meta = {.epoch = "e"};

        for (size_t i = 0; i < COUNT(given); i++) {
            if (given[i].partition != p)
                continue;
            items[apply.items_len] = given[i].item;
            items[apply.items_len++].state_len = strlen(given[i].item.state);
        }
        if (view.rebuild_begin(view.self, p, "t", &err) != BATON_OK || view.rebuild_end(view.self, p, "t", &meta, &err) != BATON_OK ||
            view.apply(view.self, &apply, 1, &err) != BATON_OK)
            return -1;
    }
    return 0;
}

static int stop(void **state)
{
    (void)state;
    view.close(view.self);
    redis_reader_close(reader);
    server_remove(&server);
    return 0;
}

int main(void)
{
    static const struct {
        const char *name;
        CMUnitTestFunction check;
    } cases[] = {
        {"counts by version and status", counts_by_version_and_status},
        {"one saga's state, or that there is none", one_saga},
        {"meta as the view left it", meta_as_the_view_left_it},
        {"an empty Redis has no sagas", an_empty_redis},
        {"user, password and database of the url", logs_in},
    };
    struct CMUnitTest tests[COUNT(list_rows) + COUNT(cases)] = {0};
    size_t n = 0;

    for (size_t i = 0; i < COUNT(list_rows); i++)
        tests[n++] = (struct CMUnitTest){.name = list_rows[i].name, .test_func = check_list, .initial_state = (void *)(uintptr_t)&list_rows[i]};
    for (size_t i = 0; i < COUNT(cases); i++)
        tests[n++] = (struct CMUnitTest){.name = cases[i].name, .test_func = cases[i].check};
    return _cmocka_run_group_tests("reader", tests, n, start, stop);
}

/*
 * test_lock.c -- sagas of the same key, one after the other: across partitions, whatever becomes of the worker, the view and the transactions.
 */
#include "stage.h"

#define COUNT 12 /* sagas of one key */

/* Keyed by input.key; its participants are the order's. */
static const char transfer[] =
    "{\"name\":\"order\",\"version\":2,\"timeout\":\"1h\",\"lock\":{\"key\":\"${input.key}\",\"timeout\":\"30m\"},\"defaults\":{\"timeout\":\"60s\",\"retry\":{\"attempts\":2,"
    "\"interval\":\"30s\",\"jitter\":0}},\"steps\":[{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\",\"compensation\":{\"command\":\"UndoA\"}},"
    "{\"name\":\"b\",\"service\":\"s\",\"command\":\"B\",\"compensation\":{\"command\":\"UndoB\"}},{\"name\":\"c\",\"service\":\"s\",\"command\":\"C\"}]}";

static void begin(struct stage *s, int i, const char *key)
{
    char id[32], value[64];

    (void)snprintf(id, sizeof id, i % 3 == 2 ? "t-%d:no-b" : "t-%d", i);
    (void)snprintf(value, sizeof value, "{\"key\":\"%s\"}", key);
    (void)stage_send(s, ORDERS, -1, id, NULL, value);
}

/* In the order of the commands topic: is every saga over before the next one of its key begins? Each has one of the two keys, by its number. */
static void assert_one_at_a_time(struct stage *s, int keys)
{
    char owner[2][SAGA_ID_MAX + 1] = {"", ""};
    int changes[2] = {0};

    for (int32_t p = 0; p < s->setup.partitions; p++) {
        struct bus_message message;
        int64_t at = 0;

        while (memory_kafka_read(s->kafka, COMMANDS, p, &at, &message)) {
            char id[SAGA_ID_MAX + 1];
            int key = 0;

            (void)snprintf(id, sizeof id, "%.*s", (int)message.key_len, (const char *)message.key);
            key = atoi(id + 2) % keys;
            if (strcmp(owner[key], id) != 0)
                changes[key]++;
            (void)strcpy(owner[key], id);
            memory_kafka_release(&message);
        }
    }
    for (int key = 0; key < keys; key++)
        assert_int_equal(changes[key], COUNT / keys); /* who lost it never has it again */
}

static struct stage *stage_of(int32_t partitions)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = partitions, .no_definition = true});

    stage_deploy(s, transfer);
    stage_start(s, "w1");
    return s;
}

static void one_at_a_time_of_one_key(void **state)
{
    struct stage *s = stage_of(1);

    (void)state;
    for (int i = 0; i < COUNT; i++)
        begin(s, i, "account/7");
    UNTIL(s, stage_count(s, RESULTS) == COUNT);
    assert_one_at_a_time(s, 1);
    stage_end(s);
}

static void each_key_goes_its_way(void **state)
{
    struct stage *s = stage_of(1);

    (void)state;
    for (int i = 0; i < COUNT; i++)
        begin(s, i, i % 2 == 0 ? "even" : "odd");
    UNTIL(s, stage_count(s, RESULTS) == COUNT);
    assert_one_at_a_time(s, 2);
    UNTIL(s, strcmp(stage_status(s, "lock:even"), "completed") == 0 && strcmp(stage_status(s, "lock:odd"), "completed") == 0);
    stage_end(s);
}

static void across_partitions_and_workers(void **state)
{
    struct stage *s = stage_of(4);

    (void)state;
    stage_start(s, "w2");
    for (int i = 0; i < COUNT; i++)
        begin(s, i, "account/7");
    UNTIL(s, stage_count(s, RESULTS) == COUNT);
    stage_end(s);
}

static void a_wiped_view_forgets_no_owner(void **state)
{
    struct stage *s = stage_of(2);

    (void)state;
    s->silent = true;
    begin(s, 0, "k");
    UNTIL(s, stage_commands(s, "t-0/a/x/1") == 1);
    begin(s, 1, "k");
    memory_view_wipe(s->view);
    s->silent = false;
    UNTIL(s, stage_count(s, RESULTS) == 2);
    stage_end(s);
}

static void who_waits_too_long_gives_up_and_leaves_the_queue(void **state)
{
    struct stage *s = stage_of(2);

    (void)state;
    s->silent = true;
    begin(s, 0, "k");
    UNTIL(s, stage_commands(s, "t-0/a/x/1") == 1);
    begin(s, 1, "k");
    UNTIL(s, strcmp(stage_status(s, "t-1"), "running") == 0);
    stage_jump(s, 31 * 60 * SECOND);
    UNTIL(s, strcmp(stage_status(s, "t-1"), "compensated") == 0);
    assert_int_equal(stage_commands(s, "t-1/a/x/1"), 0);
    stage_end(s);
}

static void a_saga_with_a_locks_id_is_refused(void **state)
{
    struct stage *s = stage_of(1);

    (void)state;
    (void)stage_send(s, ORDERS, -1, "lock:k", NULL, "{\"key\":\"k\"}");
    UNTIL(s, stage_letters(s, "invalid-id") == 1);
    stage_end(s);
}

/* --- a transaction that fails: nobody is told twice, nobody is forgotten --- */

static const struct commit_row {
    const char *name;
    enum memory_commit how;
    int after;
} commit_rows[] = {
    {"the asking aborted", MEMORY_ABORTS, 0},        {"committed, and nobody heard", MEMORY_DIES_DONE, 0}, {"lost", MEMORY_DIES_UNDONE, 0},
    {"the granting aborted", MEMORY_ABORTS, 1},      {"granted, and nobody heard", MEMORY_DIES_DONE, 1},   {"the granting lost", MEMORY_DIES_UNDONE, 1},
    {"the first command aborted", MEMORY_ABORTS, 2}, {"sent, and nobody heard", MEMORY_DIES_DONE, 2},      {"the first command lost", MEMORY_DIES_UNDONE, 2},
    {"a later one aborted", MEMORY_ABORTS, 7},       {"a later one, and nobody heard", MEMORY_DIES_DONE, 7}, {"a later one lost", MEMORY_DIES_UNDONE, 7},
};

static void check_commit(void **state)
{
    const struct commit_row *row = *state;
    struct stage *s = stage_of(1);

    UNTIL(s, stage_ready(s));
    memory_kafka_next_commits(s->kafka, row->how, row->after, 1);
    for (int i = 0; i < COUNT; i++)
        begin(s, i, "account/7");
    UNTIL(s, memory_kafka_faults_spent(s->kafka) && stage_count(s, RESULTS) == COUNT);
    assert_one_at_a_time(s, 1);
    stage_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_at_a_time_of_one_key),
        TEST(each_key_goes_its_way),
        TEST(across_partitions_and_workers),
        TEST(a_wiped_view_forgets_no_owner),
        TEST(who_waits_too_long_gives_up_and_leaves_the_queue),
        TEST(a_saga_with_a_locks_id_is_refused),
    };
    int failed = RUN_ROWS(commit_rows, check_commit);

    return failed + RUN(tests);
}

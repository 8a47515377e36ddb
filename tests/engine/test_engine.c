/*
 * test_engine.c -- the loop: an order goes through, and the next move after each error (design.md section 6).
 */
#include "stage.h"

/* --- orders --- */

static void an_order_goes_through(void **state)
{
    struct stage *s = stage_begin(NULL);

    (void)state;
    stage_start(s, "w1");
    stage_order(s, "o-1");
    UNTIL(s, strcmp(stage_status(s, "o-1"), "completed") == 0);
    assert_int_equal(stage_commands(s, "o-1/a/x/1"), 1);
    assert_int_equal(stage_commands(s, "o-1/c/x/1"), 1);
    assert_int_equal(stage_stats(s, "w1").completed, 1);
    stage_end(s);
}

static void a_refused_order_is_compensated(void **state)
{
    struct stage *s = stage_begin(NULL);

    (void)state;
    stage_start(s, "w1");
    stage_order(s, "o:no-c");
    UNTIL(s, strcmp(stage_status(s, "o:no-c"), "compensated") == 0);
    assert_int_equal(stage_commands(s, "o:no-c/b/c/1"), 1);
    assert_int_equal(stage_commands(s, "o:no-c/a/c/1"), 1);
    stage_end(s);
}

static void the_same_start_again_is_the_same_saga(void **state)
{
    struct stage *s = stage_begin(NULL);

    (void)state;
    stage_start(s, "w1");
    stage_order(s, "o-1");
    stage_order(s, "o-1");
    UNTIL(s, stage_stats(s, "w1").completed == 1 && stage_stats(s, "w1").duplicates == 1);
    stage_order(s, "o-1"); /* after its end, from the view */
    UNTIL(s, stage_stats(s, "w1").duplicates == 2);
    assert_int_equal(stage_stats(s, "w1").started, 1);
    stage_end(s);
}

static void answers_that_come_twice_change_nothing(void **state)
{
    struct stage *s = stage_begin(NULL);

    (void)state;
    stage_start(s, "w1");
    stage_orders(s, "o:twice", 10);
    UNTIL(s, stage_count(s, RESULTS) == 10 && stage_stats(s, "w1").inputs == 10 + 60);
    assert_int_equal(stage_stats(s, "w1").duplicates + stage_stats(s, "w1").late, 30);
    stage_end(s);
}

static void a_whole_life_in_one_batch(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.batch_max_wait_ms = 100});

    (void)state;
    s->silent = true;
    stage_order(s, "o-1");
    stage_start(s, "w1");
    UNTIL(s, stage_commands(s, "o-1/a/x/1") == 1);
    stage_reply(s, "o-1/a/x/1", "success", "1");
    stage_reply(s, "o-1/a/x/1", "success", "1");
    stage_order(s, "o-1");
    UNTIL(s, stage_commands(s, "o-1/b/x/1") == 1 && stage_stats(s, "w1").duplicates == 2);
    s->silent = false;
    s->answered[stage_partition(s, "o-1")] = 0;
    UNTIL(s, stage_count(s, RESULTS) == 1);
    stage_end(s);
}

/* --- dead letters and forwarding --- */

static const struct letter_row {
    const char *name;
    const char *topic, *key, *headers, *value;
    const char *reason;
} letter_rows[] = {
    {"a start that is no JSON", ORDERS, "x-1", NULL, "{", "invalid-json"},
    {"a start that is no object", ORDERS, "x-1", NULL, "[]", "not-an-object"},
    {"a start without id", ORDERS, NULL, NULL, "{}", "missing-id"},
    {"a start of an unknown type", ORDERS, "x-1", "saga-type: nothing", "{}", "unknown-definition"},
    {"a start that its definition's schema forbids", ORDERS, "x-1", NULL, "{\"pad\":7}", "schema"},
    {"a start with another input", ORDERS, "o-1", NULL, "{\"other\":1}", "conflicting-start"},
    {"a reply without correlation", REPLIES, "o-1", NULL, "{}", "missing-correlation"},
    {"a reply to no saga", REPLIES, "x-1", "kafka_correlationId: x-1/a/x/1", "{}", "orphan-reply"},
    {"a reply to a command never sent", REPLIES, "o-1", "kafka_correlationId: o-1/a/x/9", "{}", "wrong-step"},
    {"a reply to a step that is not there", REPLIES, "o-1", "kafka_correlationId: o-1/z/x/1", "{}", "wrong-step"},
    {"a reply that is no JSON", REPLIES, "o-1", "kafka_correlationId: o-1/a/x/1", "}", "invalid-json"},
    {"a verb that nobody knows", CONTROL, "o-1", NULL, "{\"verb\":\"explode\",\"who\":\"ann\"}", "unknown-verb"},
    {"a verb that nobody signs", CONTROL, "o-1", NULL, "{\"verb\":\"pause\"}", "invalid-control"},
    {"a verb for no saga", CONTROL, "x-1", NULL, "{\"verb\":\"cancel\",\"who\":\"ann\"}", "unknown-saga"},
};

static void check_letter(void **state)
{
    const struct letter_row *row = *state;
    struct stage *s = stage_begin(NULL);

    stage_start(s, "w1");
    s->silent = true;
    stage_order(s, "o-1");
    UNTIL(s, stage_commands(s, "o-1/a/x/1") == 1);
    (void)stage_send(s, row->topic, row->key == NULL ? 0 : -1, row->key, row->headers, row->value);
    UNTIL(s, stage_letters(s, row->reason) == 1);
    s->silent = false; /* the partition goes on */
    UNTIL(s, stage_count(s, RESULTS) == 1);
    assert_int_equal(stage_count(s, LETTERS), 1);
    stage_end(s);
}

/* Whether it runs or has ended, in one batch with it or later. */
static void a_definition_may_take_each_id_once(void **state)
{
    static const char once[] = "{\"name\":\"once\",\"version\":1,\"timeout\":\"1h\",\"onDuplicate\":\"reject\",\"steps\":[{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\"}]}";
    struct stage *s = stage_begin(NULL);

    (void)state;
    stage_deploy(s, once);
    for (int i = 0; i < 2; i++)
        (void)stage_send(s, ORDERS, -1, "o-1", "saga-type: once", "{\"n\":1}");
    stage_start(s, "w1");
    UNTIL(s, stage_count(s, RESULTS) == 1 && stage_letters(s, "duplicate-start") == 1);
    (void)stage_send(s, ORDERS, -1, "o-1", "saga-type: once", "{\"n\":1}");
    (void)stage_send(s, ORDERS, -1, "o-1", "saga-type: once", "{\"n\":2}");
    (void)stage_send(s, ORDERS, -1, "o-1", NULL, "{}");
    UNTIL(s, stage_letters(s, "duplicate-start") == 4);
    assert_int_equal(stage_commands(s, "o-1/a/x/1"), 1);
    assert_int_equal(stage_stats(s, "w1").duplicates, 0);
    stage_end(s);
}

static void a_reply_on_the_wrong_partition_is_forwarded(void **state)
{
    struct stage *s = stage_begin(NULL);

    (void)state;
    s->silent = true;
    stage_start(s, "w1");
    stage_order(s, "o-1");
    UNTIL(s, stage_commands(s, "o-1/a/x/1") == 1);
    (void)stage_send(s, REPLIES, 1 - stage_partition(s, "o-1"), NULL, "kafka_correlationId: o-1/a/x/1", "{}");
    UNTIL(s, stage_commands(s, "o-1/b/x/1") == 1);
    assert_int_equal(stage_stats(s, "w1").forwarded, 1);
    assert_int_equal(stage_count(s, LETTERS), 0);
    stage_end(s);
}

static void forwarded_once_and_wrong_again_is_a_dead_letter(void **state)
{
    struct stage *s = stage_begin(NULL);

    (void)state;
    stage_start(s, "w1");
    (void)stage_send(s, REPLIES, 1 - stage_partition(s, "o-1"), "o-1", "kafka_correlationId: o-1/a/x/1\nbaton-forwarded: x/0/1", "{}");
    UNTIL(s, stage_letters(s, "wrong-partition") == 1);
    stage_end(s);
}

/* --- a transaction that fails --- */

static const struct commit_row {
    const char *name;
    enum memory_commit how;
    int skip, times;
} commit_rows[] = {
    {"the first transaction aborts: its inputs are read again", MEMORY_ABORTS, 0, 1},
    {"an abort in mid-run seeks back", MEMORY_ABORTS, 3, 1},
    {"three aborts in a row", MEMORY_ABORTS, 2, 3},
    {"unknown outcome, it was committed: nothing is done twice", MEMORY_DIES_DONE, 3, 1},
    {"unknown outcome, it was aborted: nothing is lost", MEMORY_DIES_UNDONE, 3, 1},
    {"unknown at the first transaction, committed", MEMORY_DIES_DONE, 0, 1},
    {"unknown at the first transaction, aborted", MEMORY_DIES_UNDONE, 0, 1},
    {"unknown three times in a row, committed", MEMORY_DIES_DONE, 1, 3},
    {"unknown three times in a row, aborted", MEMORY_DIES_UNDONE, 1, 3},
};

static void check_commit(void **state)
{
    const struct commit_row *row = *state;
    /* Small batches, so that there are many transactions; the view lags, so that a fatal one leaves it behind. */
    struct stage *s = stage_begin(&(struct stage_setup){.batch_max_count = 5, .view_lag_ms = 50});

    stage_orders(s, "o", 12);
    stage_orders(s, "o:no-b", 4);
    memory_kafka_next_commits(s->kafka, row->how, row->skip, row->times);
    stage_start(s, "w1");
    UNTIL(s, stage_count(s, RESULTS) == 16 && memory_kafka_faults_spent(s->kafka));
    if (row->how == MEMORY_ABORTS)
        assert_int_equal(stage_stats(s, "w1").reopened, 0);
    else
        assert_int_equal(stage_stats(s, "w1").reopened, row->times);
    stage_end(s);
}

/* --- a record that no broker takes --- */

static const char fat_pad[] = "{\"total\":1,\"pad\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}";

static void culprit_parks(bool at_commit)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1, .batch_max_wait_ms = 20});

    memory_kafka_limit(s->kafka, COMMANDS, 80, at_commit);
    stage_orders(s, "o", 10);
    (void)stage_send(s, ORDERS, -1, "fat", NULL, fat_pad); /* b's command is the large one */
    stage_orders(s, "p", 10);
    stage_start(s, "w1");
    UNTIL(s, stage_count(s, RESULTS) == 20 && strcmp(stage_status(s, "fat"), "parked") == 0);
    assert_int_equal(stage_letters(s, "undeliverable"), 1); /* the reply that it answers to */
    assert_int_equal(stage_count(s, LETTERS), 1);
    assert_int_equal(stage_count(s, EVENTS), 1);
    assert_int_equal(stage_stats(s, "w1").parked, 1);
    stage_end(s);
}

static void a_reply_whose_command_is_refused_parks_its_saga_alone(void **state)
{
    (void)state;
    culprit_parks(false);
}

static void so_it_does_when_only_the_commit_tells(void **state)
{
    (void)state;
    culprit_parks(true);
}

static void a_timer_whose_command_is_refused_parks_its_saga_alone(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1});

    (void)state;
    (void)stage_send(s, ORDERS, -1, "fat:slow-b", NULL, fat_pad);
    stage_order(s, "o:slow-b");
    stage_start(s, "w1");
    UNTIL(s, stage_commands(s, "fat:slow-b/b/x/1") == 1 && stage_commands(s, "o:slow-b/b/x/1") == 1);
    memory_kafka_limit(s->kafka, COMMANDS, 80, false);
    stage_jump(s, ANSWER_LATE); /* no answer in time */
    UNTIL(s, stage_stats(s, "w1").timers >= 2);
    stage_jump(s, RETRY_DUE); /* the next attempt is due */
    UNTIL(s, strcmp(stage_status(s, "fat:slow-b"), "parked") == 0 && strcmp(stage_status(s, "o:slow-b"), "completed") == 0);
    assert_int_equal(stage_count(s, LETTERS), 0);
    stage_end(s);
}

static void a_start_whose_command_has_no_topic_is_a_dead_letter(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1, .batch_max_wait_ms = 20});

    (void)state;
    stage_deploy(s, "{\"name\":\"lost\",\"version\":1,\"timeout\":\"1h\",\"steps\":[{\"name\":\"a\",\"service\":\"nowhere\",\"command\":\"A\"}]}");
    stage_orders(s, "o", 5);
    (void)stage_send(s, ORDERS, -1, "x-1", "saga-type: lost", "{}");
    stage_orders(s, "p", 5);
    stage_start(s, "w1");
    UNTIL(s, stage_letters(s, "undeliverable") == 1 && stage_count(s, RESULTS) == 10);
    assert_string_equal(stage_status(s, "x-1"), "none");
    stage_end(s);
}

static void a_reply_that_would_make_its_saga_too_large_parks_it(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1, .max_record_bytes = 738000 /* states of 18,000 */});
    char *body = calloc(1, 9001);

    (void)state;
    s->silent = true;
    stage_start(s, "w1");
    stage_order(s, "o-1");
    stage_order(s, "p-1");
    UNTIL(s, stage_commands(s, "o-1/a/x/1") == 1 && stage_commands(s, "p-1/a/x/1") == 1);
    memset(body, 'x', 9000);
    body[0] = body[8999] = '"';
    stage_reply(s, "o-1/a/x/1", "success", body);
    UNTIL(s, stage_commands(s, "o-1/b/x/1") == 1);
    stage_reply(s, "p-1/a/x/1", "success", "1");
    stage_reply(s, "o-1/b/x/1", "success", body);
    UNTIL(s, strcmp(stage_status(s, "o-1"), "parked") == 0 && stage_commands(s, "p-1/b/x/1") == 1);
    assert_int_equal(stage_letters(s, "undeliverable"), 1);
    free(body);
    stage_end(s);
}

static void a_state_topic_that_refuses_stops_no_order(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1});

    (void)state;
    memory_kafka_limit(s->kafka, STATES, 10, false);
    stage_orders(s, "o", 5);
    stage_start(s, "w1");
    UNTIL(s, stage_count(s, RESULTS) == 5);
    assert_true(stage_logged(s, "checkpoints stand still"));
    assert_int_equal(stage_journal(s, 0).checkpoint, 0);
    memory_kafka_limit(s->kafka, STATES, SIZE_MAX, false);
    stage_jump(s, 60 * SECOND);
    UNTIL(s, stage_count(s, STATES) == 5 && stage_journal(s, 0).checkpoint == stage_journal(s, 0).seq);
    stage_end(s);
}

/* --- the group --- */

static void a_worker_joins_and_another_leaves(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 4, .batch_max_count = 5});

    (void)state;
    stage_start(s, "w1");
    stage_orders(s, "o", 20);
    UNTIL(s, stage_count(s, RESULTS) >= 5);
    stage_start(s, "w2");
    stage_orders(s, "p", 20);
    UNTIL(s, stage_stats(s, "w2").partitions_ready == 2 && stage_count(s, RESULTS) == 40);
    stage_stop(s, "w1");
    stage_orders(s, "q", 10);
    UNTIL(s, stage_count(s, RESULTS) == 50);
    assert_int_equal(stage_stats(s, "w2").partitions_ready, 4);
    stage_end(s);
}

static void a_rebalance_while_collecting_throws_the_batch_away(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.batch_max_wait_ms = 60000}); /* it collects until the rebalance */

    (void)state;
    stage_start(s, "w1");
    UNTIL(s, stage_ready(s));
    stage_orders(s, "o", 3);
    memory_kafka_rebalance(s->kafka);
    UNTIL(s, memory_kafka_generation(s->kafka) >= 2 && stage_ready(s));
    assert_int_equal(stage_stats(s, "w1").transactions, 0);
    assert_int_equal(stage_stats(s, "w1").aborts, 0);
    UNTIL(s, definition_store_generation(s->workers[0].options.store) == 1); /* it is waited for by the clock that jumps now */
    UNTIL(s, (stage_jump(s, 61 * SECOND), stage_stats(s, "w1").started == 3));
    s->leaves_inputs = true; /* replies would wait for another batch of a minute */
    stage_end(s);
}

/* It hangs between deciding and committing; meanwhile its partitions move and the other does the same work. */
static void a_woken_zombie_commits_nothing(void **state)
{
    struct stage *s = stage_begin(NULL);

    (void)state;
    stage_start(s, "w1");
    UNTIL(s, stage_ready(s));
    memory_kafka_stall(s->kafka, "w1.0");
    stage_orders(s, "o", 10);
    UNTIL(s, memory_kafka_stalled(s->kafka, "w1.0"));
    memory_kafka_expire(s->kafka, "w1.0");
    stage_start(s, "w2");
    UNTIL(s, stage_count(s, RESULTS) == 10);
    memory_kafka_wake(s->kafka, "w1.0");
    UNTIL(s, stage_stats(s, "w1").aborts == 1);
    stage_end(s);
}

/* It hangs with a message in its hands and, the batch being full, polls no more: only metadata of before the poll give it away. */
static void a_zombie_woken_with_a_full_batch_commits_nothing(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.batch_max_count = 1, .view_lag_ms = 3600 * 1000});

    (void)state;
    stage_start(s, "w1");
    UNTIL(s, stage_ready(s));
    memory_kafka_stall_fetch(s->kafka, "w1.0");
    stage_orders(s, "o", 10);
    UNTIL(s, memory_kafka_stalled(s->kafka, "w1.0"));
    memory_kafka_expire(s->kafka, "w1.0");
    stage_start(s, "w2");
    UNTIL(s, stage_count(s, RESULTS) == 10);
    memory_kafka_wake(s->kafka, "w1.0");
    /* On a slow machine w2 has shown its work by then, because timers were read: the view's w gives it away, too. */
    UNTIL(s, stage_stats(s, "w1").aborts == 1 || stage_logged(s, "the view is not where this worker left it"));
    stage_end(s);
}

static void a_woken_zombie_fires_no_timer(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1});

    (void)state;
    stage_start(s, "w1");
    stage_orders(s, "o:mute-a", 5);
    UNTIL(s, stage_stats(s, "w1").started == 5);
    memory_kafka_stall(s->kafka, "w1.0");
    stage_jump(s, ANSWER_LATE);
    UNTIL(s, memory_kafka_stalled(s->kafka, "w1.0"));
    memory_kafka_expire(s->kafka, "w1.0");
    stage_start(s, "w2");
    UNTIL(s, stage_stats(s, "w2").partitions_ready == 1 && stage_stats(s, "w2").timers == 5);
    memory_kafka_wake(s->kafka, "w1.0");
    UNTIL(s, stage_stats(s, "w1").aborts == 1);
    stage_jump(s, RETRY_DUE);
    UNTIL(s, stage_commands(s, "o:mute-a-5/a/x/2") == 1 && stage_commands(s, "o:mute-a-1/a/x/2") == 1);
    stage_end(s);
}

static void kafka_away_at_the_start_is_waited_for(void **state)
{
    struct stage *s = stage_begin(NULL);

    (void)state;
    memory_kafka_away(s->kafka, true);
    stage_start(s, "w1");
    stage_order(s, "o-1");
    UNTIL(s, stage_logged(s, "trying again in"));
    memory_kafka_away(s->kafka, false);
    UNTIL(s, stage_count(s, RESULTS) == 1);
    stage_end(s);
}

static void kafka_away_in_mid_run_loses_nothing(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.batch_max_count = 3});

    (void)state;
    stage_start(s, "w1");
    stage_orders(s, "o", 20);
    UNTIL(s, stage_count(s, COMMANDS) >= 5);
    memory_kafka_away(s->kafka, true);
    UNTIL(s, stage_logged(s, "kafka in memory: away"));
    memory_kafka_away(s->kafka, false);
    UNTIL(s, stage_count(s, RESULTS) == 20);
    stage_end(s);
}

/* --- definitions --- */

static void an_unknown_definition_waits_for_its_topic(void **state)
{
    struct stage *s = stage_begin(NULL);

    (void)state;
    stage_hold_definitions(s, "w1", 1); /* it is on the topic, the follower has not got there */
    stage_start(s, "w1");
    stage_deploy(s, "{\"name\":\"next\",\"version\":1,\"timeout\":\"1h\",\"steps\":[{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\"}]}");
    (void)stage_send(s, ORDERS, -1, "n-1", "saga-type: next", "{}");
    UNTIL(s, stage_logged(s, "ready at seq"));
    stage_hold_definitions(s, "w1", INT64_MAX);
    UNTIL(s, strcmp(stage_status(s, "n-1"), "completed") == 0);
    assert_int_equal(stage_count(s, LETTERS), 0);
    stage_end(s);
}

static const struct CMUnitTest tests[] = {
    TEST(an_order_goes_through),
    TEST(a_refused_order_is_compensated),
    TEST(the_same_start_again_is_the_same_saga),
    TEST(answers_that_come_twice_change_nothing),
    TEST(a_whole_life_in_one_batch),
    TEST(a_definition_may_take_each_id_once),
    TEST(a_reply_on_the_wrong_partition_is_forwarded),
    TEST(forwarded_once_and_wrong_again_is_a_dead_letter),
    TEST(a_reply_whose_command_is_refused_parks_its_saga_alone),
    TEST(so_it_does_when_only_the_commit_tells),
    TEST(a_timer_whose_command_is_refused_parks_its_saga_alone),
    TEST(a_start_whose_command_has_no_topic_is_a_dead_letter),
    TEST(a_reply_that_would_make_its_saga_too_large_parks_it),
    TEST(a_state_topic_that_refuses_stops_no_order),
    TEST(a_worker_joins_and_another_leaves),
    TEST(a_rebalance_while_collecting_throws_the_batch_away),
    TEST(a_woken_zombie_commits_nothing),
    TEST(a_zombie_woken_with_a_full_batch_commits_nothing),
    TEST(a_woken_zombie_fires_no_timer),
    TEST(kafka_away_at_the_start_is_waited_for),
    TEST(kafka_away_in_mid_run_loses_nothing),
    TEST(an_unknown_definition_waits_for_its_topic),
};

int main(void)
{
    return RUN(tests) | RUN_ROWS(letter_rows, check_letter) | RUN_ROWS(commit_rows, check_commit);
}

/*
 * test_acquire.c -- taking over a partition: from what is committed, what the journal has and what the view shows.
 */
#include "stage.h"
#include <inttypes.h>

#define HOUR_MS (3600 * 1000)

/* One partition with some life in it: ended sagas, a live one that waits for its answer, a compensated one. Nobody runs. */
static struct stage *lived(void)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1, .batch_max_count = 3});

    stage_orders(s, "o", 5);
    stage_order(s, "o:no-b");
    stage_order(s, "o:mute-b");
    stage_start(s, "w1");
    UNTIL(s, stage_count(s, RESULTS) == 6 && stage_commands(s, "o:mute-b/b/x/1") == 1);
    stage_stop(s, "w1");
    return s;
}

/* The next owner goes on where the last one stopped. */
static void goes_on(struct stage *s, const char *name)
{
    int64_t results = stage_count(s, RESULTS);

    stage_reply(s, "o:mute-b/b/x/1", "success", "1");
    stage_order(s, "new");
    UNTIL(s, stage_count(s, RESULTS) == results + 2);
    assert_int_equal(stage_stats(s, name).started, 1);
}

/* An input of about so many bytes. */
static char *fat(size_t bytes)
{
    static const char begin[] = "{\"pad\":\"-\",\"x\":\"";
    char *text = malloc(bytes + sizeof begin + 3);

    assert_non_null(text);
    memset(text, 'x', bytes + sizeof begin);
    memcpy(text, begin, sizeof begin - 1);
    (void)strcpy(text + bytes + sizeof begin, "\"}");
    return text;
}

static void fat_orders(struct stage *s, int n, size_t bytes)
{
    char *text = fat(bytes), id[16];

    for (int i = 0; i < n; i++) {
        (void)snprintf(id, sizeof id, "f-%d", i);
        (void)stage_send(s, ORDERS, -1, id, NULL, text);
    }
    free(text);
}

/* --- the ordinary ways --- */

static void the_first_start_begins_where_the_inputs_begin(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1});

    (void)state;
    stage_orders(s, "o", 3);
    memory_kafka_delete_before(s->kafka, ORDERS, 0, 2);
    stage_start(s, "w1");
    UNTIL(s, stage_count(s, RESULTS) == 1);
    assert_string_equal(stage_status(s, "o-1"), "none");
    UNTIL(s, strcmp(stage_status(s, "o-3"), "completed") == 0);
    stage_stop(s, "w1");
    stage_drop(s); /* the checker would miss what retention took before anybody was there */
}

static void a_graceful_stop_leaves_nothing_to_catch_up(void **state)
{
    struct stage *s = lived();

    (void)state;
    stage_start(s, "w2");
    goes_on(s, "w2");
    assert_int_equal(stage_stats(s, "w2").catch_ups, 0);
    assert_int_equal(stage_stats(s, "w2").rebuilds, 0);
    stage_end(s);
}

static void a_view_that_lags_is_caught_up(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1, .view_lag_ms = HOUR_MS});

    (void)state;
    s->silent = true;
    stage_start(s, "w1");
    stage_orders(s, "o", 3);
    UNTIL(s, stage_count(s, COMMANDS) == 3);
    memory_kafka_next_commits(s->kafka, MEMORY_DIES_DONE, 0, 1); /* it forgets what it has not shown */
    stage_orders(s, "p", 3);
    UNTIL(s, stage_stats(s, "w1").catch_ups == 1 && stage_ready(s));
    assert_string_equal(stage_status(s, "o-1"), "running");
    assert_string_equal(stage_status(s, "p-1"), "running"); /* of the transaction that nobody was told of */
    s->silent = false;
    UNTIL(s, stage_count(s, RESULTS) == 6);
    stage_end(s);
}

static void a_view_rolled_back_is_caught_up(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1, .batch_max_count = 1});
    struct memory_view *before = NULL;

    (void)state;
    stage_start(s, "w1");
    stage_orders(s, "o", 5);
    UNTIL(s, stage_count(s, RESULTS) == 5);
    stage_stop(s, "w1");
    before = memory_view_snapshot(s->view);
    stage_order(s, "o:mute-b");
    stage_order(s, "o:no-b");
    stage_start(s, "w1");
    UNTIL(s, stage_count(s, RESULTS) == 6 && stage_commands(s, "o:mute-b/b/x/1") == 1);
    stage_stop(s, "w1");
    memory_view_roll_back(s->view, before);
    stage_start(s, "w2");
    UNTIL(s, stage_ready(s));
    assert_int_equal(stage_stats(s, "w2").catch_ups, 1);
    assert_int_equal(stage_stats(s, "w2").rebuilds, 0);
    assert_string_equal(stage_status(s, "o:mute-b"), "running");
    goes_on(s, "w2");
    stage_end(s);
}

static void a_wiped_view_is_rebuilt(void **state)
{
    struct stage *s = lived();

    (void)state;
    memory_view_wipe(s->view);
    stage_start(s, "w2");
    UNTIL(s, stage_ready(s));
    assert_int_equal(stage_stats(s, "w2").rebuilds, 1);
    stage_stop(s, "w2");
    stage_check(s); /* equal to the last byte, before anything else happens */
    stage_start(s, "w2");
    goes_on(s, "w2");
    stage_end(s);
}

static void the_view_of_another_journal_is_rebuilt(void **state)
{
    struct stage *s = lived();
    struct view_meta meta = memory_view_meta(s->view, 0);

    (void)state;
    memory_view_set_meta(s->view, 0, meta.w, meta.jo, "another cluster/1");
    stage_start(s, "w2");
    UNTIL(s, stage_ready(s));
    assert_int_equal(stage_stats(s, "w2").rebuilds, 1);
    goes_on(s, "w2");
    stage_end(s);
}

static void a_view_older_than_the_journal_is_rebuilt(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1, .batch_max_count = 1});
    struct memory_view *before = NULL;

    (void)state;
    stage_start(s, "w1");
    stage_orders(s, "o", 3);
    UNTIL(s, stage_count(s, RESULTS) == 3);
    stage_stop(s, "w1");
    before = memory_view_snapshot(s->view);
    stage_start(s, "w1");
    stage_orders(s, "p", 3);
    UNTIL(s, stage_count(s, RESULTS) == 6);
    stage_stop(s, "w1");
    memory_view_roll_back(s->view, before);
    assert_int_equal(stage_journal(s, 0).checkpoint, stage_journal(s, 0).seq);
    memory_kafka_delete_before(s->kafka, JOURNAL, 0, memory_kafka_end(s->kafka, JOURNAL, 0) - 4); /* retention, up to c */
    stage_start(s, "w2");
    stage_order(s, "q");
    UNTIL(s, stage_count(s, RESULTS) == 7);
    assert_int_equal(stage_stats(s, "w2").rebuilds, 1);
    stage_end(s);
}

static void nothing_of_the_journal_is_needed_where_all_is_in_the_state_topic(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1});

    (void)state;
    stage_start(s, "w1");
    stage_orders(s, "o", 3);
    UNTIL(s, stage_count(s, RESULTS) == 3);
    stage_stop(s, "w1");
    assert_int_equal(stage_journal(s, 0).checkpoint, stage_journal(s, 0).seq);
    memory_kafka_delete_before(s->kafka, JOURNAL, 0, memory_kafka_end(s->kafka, JOURNAL, 0));
    memory_view_wipe(s->view);
    stage_start(s, "w2");
    stage_order(s, "p");
    UNTIL(s, stage_count(s, RESULTS) == 4);
    assert_string_equal(stage_status(s, "o-1"), "completed");
    stage_end(s);
}

/* --- markers come late --- */

static void late_journal_markers_are_waited_for(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1, .batch_max_count = 1});
    struct memory_view *before = memory_view_snapshot(s->view);

    (void)state;
    s->silent = true;
    stage_start(s, "w1");
    stage_order(s, "o-1");
    UNTIL(s, strcmp(stage_status(s, "o-1"), "running") == 0);
    memory_kafka_hold_markers(s->kafka, JOURNAL);
    stage_reply(s, "o-1/a/x/1", "success", "1");
    UNTIL(s, stage_commands(s, "o-1/b/x/1") == 1);
    stage_stop(s, "w1");
    memory_view_roll_back(s->view, before);
    stage_start(s, "w2");
    UNTIL(s, memory_kafka_not_yet(s->kafka) >= 3);
    assert_int_equal(stage_stats(s, "w2").partitions_ready, 0);
    memory_kafka_release_markers(s->kafka);
    UNTIL(s, stage_ready(s));
    assert_int_equal(stage_journal(s, 0).seq, memory_view_meta(s->view, 0).w);
    s->silent = false;
    s->answered[0] = 0;
    UNTIL(s, stage_count(s, RESULTS) == 1);
    stage_end(s);
}

/* The inputs' vector tells nothing about it: only S does. */
static void late_journal_markers_of_a_timer_are_waited_for(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1});
    struct memory_view *before = NULL;

    (void)state;
    stage_start(s, "w1");
    stage_order(s, "o:slow-a");
    UNTIL(s, strcmp(stage_status(s, "o:slow-a"), "running") == 0);
    before = memory_view_snapshot(s->view);
    memory_kafka_hold_markers(s->kafka, JOURNAL);
    stage_jump(s, ANSWER_LATE);
    UNTIL(s, stage_stats(s, "w1").timers == 1);
    stage_stop(s, "w1");
    memory_view_roll_back(s->view, before);
    stage_start(s, "w2");
    UNTIL(s, memory_kafka_not_yet(s->kafka) >= 3);
    assert_int_equal(stage_stats(s, "w2").partitions_ready, 0);
    memory_kafka_release_markers(s->kafka);
    UNTIL(s, stage_ready(s));
    stage_jump(s, RETRY_DUE);
    UNTIL(s, stage_count(s, RESULTS) == 1);
    stage_end(s);
}

static void late_offset_markers_are_waited_for(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1});

    (void)state;
    s->silent = true;
    stage_start(s, "w1");
    UNTIL(s, stage_ready(s));
    memory_kafka_hold_markers(s->kafka, NULL);
    stage_order(s, "o-1");
    UNTIL(s, stage_commands(s, "o-1/a/x/1") == 1);
    stage_stop(s, "w1");
    stage_start(s, "w2");
    UNTIL(s, memory_kafka_not_yet(s->kafka) >= 3);
    assert_int_equal(stage_stats(s, "w2").partitions_ready, 0);
    memory_kafka_release_markers(s->kafka);
    s->silent = false;
    UNTIL(s, stage_count(s, RESULTS) == 1);
    stage_end(s);
}

static void late_state_markers_are_waited_for_by_a_rebuild(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1});

    (void)state;
    stage_start(s, "w1");
    UNTIL(s, stage_ready(s));
    memory_kafka_hold_markers(s->kafka, STATES);
    stage_orders(s, "o", 3);
    UNTIL(s, stage_count(s, RESULTS) == 3);
    stage_stop(s, "w1");
    memory_view_wipe(s->view);
    stage_start(s, "w2");
    UNTIL(s, memory_kafka_not_yet(s->kafka) >= 3);
    assert_int_equal(stage_stats(s, "w2").partitions_ready, 0);
    memory_kafka_release_markers(s->kafka);
    UNTIL(s, stage_ready(s));
    assert_string_equal(stage_status(s, "o-3"), "completed");
    stage_end(s);
}

/* --- the offsets --- */

static void offsets_moved_back_do_nothing_twice(void **state)
{
    struct stage *s = lived();
    struct stage_position last = stage_journal(s, 0);
    char metadata[64];

    (void)state;
    (void)snprintf(metadata, sizeof metadata, "1;seq=%" PRId64 ";c=%" PRId64, last.seq, last.checkpoint);
    memory_kafka_move(s->kafka, ORDERS, 0, 0, metadata);
    memory_kafka_move(s->kafka, REPLIES, 0, 0, metadata);
    stage_start(s, "w2");
    goes_on(s, "w2");
    assert_int_equal(stage_stats(s, "w2").duplicates, 0);
    stage_end(s);
}

static void offsets_that_expired_are_found_in_the_journal(void **state)
{
    struct stage *s = lived();

    (void)state;
    memory_kafka_move(s->kafka, ORDERS, 0, -1, NULL);
    memory_kafka_move(s->kafka, REPLIES, 0, -1, NULL);
    memory_kafka_move(s->kafka, CONTROL, 0, -1, NULL);
    stage_start(s, "w2");
    goes_on(s, "w2");
    assert_int_equal(stage_stats(s, "w2").duplicates, 0);
    stage_end(s);
}

static void offsets_without_our_metadata_are_found_in_the_journal(void **state)
{
    struct stage *s = lived();

    (void)state;
    memory_kafka_move(s->kafka, ORDERS, 0, 0, NULL);
    memory_kafka_move(s->kafka, REPLIES, 0, 0, NULL);
    memory_kafka_move(s->kafka, CONTROL, 0, 0, NULL);
    stage_start(s, "w2");
    goes_on(s, "w2");
    stage_end(s);
}

/* Until somebody sets them right again, nothing is decided; then it goes on by itself. */
static void stops_until(struct stage *s, const char *alarm, void (*set_right)(struct stage *s))
{
    int64_t journal = stage_journal(s, 0).records;

    stage_start(s, "w2");
    UNTIL(s, stage_logged(s, "looking again"));
    assert_false(stage_logged(s, "STOPPED"));
    stage_order(s, "meanwhile");
    UNTIL(s, (stage_jump(s, SECOND), stage_logged(s, "STOPPED")));
    assert_true(stage_logged(s, alarm));
    assert_int_equal(stage_stats(s, "w2").partitions_ready, 0);
    assert_int_equal(stage_journal(s, 0).records, journal);
    if (set_right == NULL) {
        stage_drop(s);
        return;
    }
    set_right(s);
    UNTIL(s, (stage_jump(s, SECOND), stage_ready(s)));
    UNTIL(s, strcmp(stage_status(s, "meanwhile"), "completed") == 0);
    stage_end(s);
}

/* The group's offsets as they should be: the vector, seq and checkpoint of the journal's last record. */
static void right_offsets(struct stage *s)
{
    struct stage_position last = stage_journal(s, 0);
    char metadata[64];

    (void)snprintf(metadata, sizeof metadata, "1;seq=%" PRId64 ";c=%" PRId64, last.seq, last.checkpoint);
    memory_kafka_move(s->kafka, ORDERS, 0, last.vector[0], metadata);
    memory_kafka_move(s->kafka, REPLIES, 0, last.vector[1], metadata);
    memory_kafka_move(s->kafka, CONTROL, 0, last.vector[2], metadata);
}

/* As an earlier transaction left them. */
static void old_offsets(struct stage *s, int64_t seq, int64_t checkpoint)
{
    char metadata[64];

    (void)snprintf(metadata, sizeof metadata, "1;seq=%" PRId64 ";c=%" PRId64, seq, checkpoint);
    memory_kafka_move(s->kafka, ORDERS, 0, 0, metadata);
    memory_kafka_move(s->kafka, REPLIES, 0, 0, metadata);
    memory_kafka_move(s->kafka, CONTROL, 0, 0, metadata);
}

static void offsets_moved_ahead_stop_the_partition(void **state)
{
    struct stage *s = lived();
    struct stage_position last = stage_journal(s, 0);
    char metadata[64];

    (void)state;
    (void)snprintf(metadata, sizeof metadata, "1;seq=%" PRId64 ";c=%" PRId64, last.seq, last.checkpoint);
    memory_kafka_move(s->kafka, ORDERS, 0, last.vector[0] + 5, metadata);
    stops_until(s, "is ahead of the journal's", right_offsets);
}

static void a_view_ahead_of_the_offsets_stops_the_partition(void **state)
{
    struct stage *s = lived();

    (void)state;
    old_offsets(s, stage_journal(s, 0).seq - 1, 0);
    stops_until(s, "the view shows seq", right_offsets);
}

static void a_view_ahead_of_offsets_that_were_only_old_is_fine(void **state)
{
    struct stage *s = lived();

    (void)state;
    old_offsets(s, stage_journal(s, 0).seq - 1, 0);
    stage_start(s, "w2");
    UNTIL(s, stage_logged(s, "looking again"));
    right_offsets(s); /* they are fetched again */
    goes_on(s, "w2");
    assert_false(stage_logged(s, "STOPPED"));
    stage_end(s);
}

static void a_journal_that_lost_its_end_stops_the_partition(void **state)
{
    struct stage *s = lived();

    (void)state;
    old_offsets(s, stage_journal(s, 0).seq + 3, 0);
    stops_until(s, "the journal ends at seq", right_offsets);
}

static void brought_back(struct stage *s)
{
    memory_kafka_delete_before(s->kafka, JOURNAL, 0, 0);
}

/* Live sagas are in the journal only; its beginning is gone. */
static struct stage *beheaded(bool wiped)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1, .batch_max_count = 1});

    s->silent = true;
    stage_start(s, "w1");
    stage_orders(s, "o", 6);
    UNTIL(s, stage_count(s, COMMANDS) == 6);
    stage_stop(s, "w1");
    s->silent = false;
    assert_int_equal(stage_journal(s, 0).checkpoint, 0);
    memory_kafka_delete_before(s->kafka, JOURNAL, 0, 6);
    if (wiped)
        memory_view_wipe(s->view);
    return s;
}

static void a_journal_that_begins_after_c_stops_a_rebuild(void **state)
{
    (void)state;
    stops_until(beheaded(true), "begins after", brought_back);
}

static void a_journal_that_begins_after_c_stops_the_partition_even_with_a_view(void **state)
{
    (void)state;
    stops_until(beheaded(false), "begins after", brought_back);
}

static void a_position_that_never_comes_is_told_of(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1});

    (void)state;
    s->silent = true;
    stage_start(s, "w1");
    UNTIL(s, stage_ready(s));
    memory_kafka_hold_markers(s->kafka, NULL);
    stage_order(s, "o-1");
    UNTIL(s, stage_commands(s, "o-1/a/x/1") == 1);
    stage_stop(s, "w1");
    stage_start(s, "w2");
    UNTIL(s, (stage_jump(s, SECOND), stage_logged(s, "is still waiting: ")));
    memory_kafka_release_markers(s->kafka);
    UNTIL(s, stage_ready(s));
    stage_end(s);
}

/* --- rebuild --- */

static void token_lost(enum memory_rebuild before)
{
    struct stage *s = lived();

    memory_view_wipe(s->view);
    memory_view_steal_token(s->view, before);
    stage_start(s, "w2");
    UNTIL(s, stage_ready(s));
    assert_int_equal(stage_stats(s, "w2").rebuilds, 1);
    goes_on(s, "w2");
    stage_end(s);
}

static void a_rebuild_that_loses_its_token_begins_again(void **state)
{
    (void)state;
    token_lost(MEMORY_REBUILD_PUT);
}

static void so_does_one_that_loses_it_at_the_end(void **state)
{
    (void)state;
    token_lost(MEMORY_REBUILD_END);
}

/* This thread's offsets are old: the state topic knows more. It must not write that into the view as seq S. */
static void a_state_newer_than_the_offsets_is_not_believed(void **state)
{
    struct stage *s = lived();

    (void)state;
    old_offsets(s, 1, 0);
    memory_view_wipe(s->view);
    stops_until(s, "state of saga", right_offsets);
}

/* --- checkpoints --- */

static void the_next_owner_takes_over_what_is_dirty(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1, .batch_max_count = 1});

    (void)state;
    stage_start(s, "w1");
    stage_orders(s, "o:mute-c", 3); /* live, never in the state topic */
    UNTIL(s, stage_count(s, COMMANDS) == 9);
    stage_stop(s, "w1");
    assert_int_equal(stage_count(s, STATES), 0);
    stage_start(s, "w2");
    UNTIL(s, stage_ready(s));
    stage_order(s, "p"); /* ends: written at once; c must not pass the others */
    UNTIL(s, stage_count(s, RESULTS) == 1);
    assert_int_equal(stage_journal(s, 0).checkpoint, 0);
    stage_stop(s, "w2");
    memory_view_wipe(s->view);
    stage_start(s, "w3");
    UNTIL(s, stage_ready(s));
    assert_string_equal(stage_status(s, "o:mute-c-1"), "running");
    stage_end(s);
}

static void what_is_dirty_for_long_is_trickled(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1});

    (void)state;
    stage_deploy(s, "{\"name\":\"slow\",\"version\":1,\"timeout\":\"7d\",\"steps\":[{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\",\"timeout\":\"24h\"}]}");
    stage_start(s, "w1");
    s->silent = true;
    for (int i = 0; i < 450; i++) { /* more than one transaction carries */
        char id[16];

        (void)snprintf(id, sizeof id, "s-%d", i);
        (void)stage_send(s, ORDERS, -1, id, "saga-type: slow", "{}");
    }
    UNTIL(s, stage_count(s, COMMANDS) == 450);
    assert_int_equal(stage_count(s, STATES), 0);
    stage_jump(s, TRICKLE_DUE);
    UNTIL(s, stage_count(s, STATES) == 450 && stage_journal(s, 0).checkpoint == stage_journal(s, 0).seq);
    stage_stop(s, "w1");
    stage_check(s);
    memory_view_wipe(s->view);
    memory_kafka_delete_before(s->kafka, JOURNAL, 0, memory_kafka_end(s->kafka, JOURNAL, 0)); /* it may: c is its end */
    stage_start(s, "w2");
    UNTIL(s, stage_ready(s));
    assert_string_equal(stage_status(s, "s-449"), "running");
    s->silent = false;
    UNTIL(s, stage_count(s, RESULTS) == 450);
    stage_end(s);
}

static void a_trickled_state_counts_only_once_it_is_committed(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1, .batch_max_count = 1});

    (void)state;
    stage_start(s, "w1");
    stage_orders(s, "o:mute-c", 3);
    UNTIL(s, stage_count(s, COMMANDS) == 9);
    memory_kafka_next_commits(s->kafka, MEMORY_ABORTS, 0, 2);
    stage_jump(s, TRICKLE_DUE); /* timers fire too */
    UNTIL(s, memory_kafka_faults_spent(s->kafka) && stage_count(s, STATES) >= 3);
    stage_stop(s, "w1");
    stage_check(s);
    memory_view_wipe(s->view);
    stage_start(s, "w2");
    UNTIL(s, stage_ready(s));
    stage_end(s);
}

static void a_journal_behind_the_checkpoint_is_bounded_in_bytes(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1, .batch_max_count = 2});

    (void)state;
    s->silent = true;
    stage_start(s, "w1");
    fat_orders(s, 46, 200000); /* more than DIRTY_JOURNAL_MAX */
    UNTIL(s, stage_count(s, COMMANDS) >= 46 && stage_count(s, STATES) > 0);
    stage_stop(s, "w1");
    assert_true(stage_journal(s, 0).checkpoint > 0);
    stage_end(s);
}

static void records_of_several_parts_are_caught_up(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1, .batch_max_wait_ms = 100});
    struct memory_view *before = NULL;

    (void)state;
    stage_start(s, "w1");
    UNTIL(s, stage_ready(s));
    before = memory_view_snapshot(s->view);
    s->silent = true;
    fat_orders(s, 8, 300000);
    UNTIL(s, stage_count(s, COMMANDS) == 8);
    stage_stop(s, "w1");
    assert_true(stage_journal(s, 0).records > stage_journal(s, 0).seq);
    memory_view_roll_back(s->view, before);
    stage_start(s, "w2");
    UNTIL(s, stage_ready(s));
    assert_int_equal(stage_stats(s, "w2").catch_ups, 1);
    s->silent = false;
    UNTIL(s, stage_count(s, RESULTS) == 8);
    stage_end(s);
}

/* --- retention --- */

static void an_ended_saga_goes_after_its_retention(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1});

    (void)state;
    s->ids_come_back = true;
    stage_start(s, "w1");
    stage_orders(s, "o", 5);
    UNTIL(s, stage_count(s, RESULTS) == 5);
    stage_jump(s, 6 * DAY);
    stage_order(s, "young");
    UNTIL(s, strcmp(stage_status(s, "young"), "completed") == 0);
    assert_string_equal(stage_status(s, "o-1"), "completed");
    stage_jump(s, 2 * DAY);
    UNTIL(s, memory_view_sagas(s->view, 0) == 1);
    assert_string_equal(stage_status(s, "young"), "completed");
    UNTIL(s, stage_count(s, STATES) == 6 + 5); /* tombstones */
    stage_stop(s, "w1");
    stage_check(s);
    memory_view_wipe(s->view); /* what is gone stays gone */
    stage_start(s, "w2");
    UNTIL(s, stage_ready(s));
    assert_int_equal(memory_view_sagas(s->view, 0), 1);
    stage_order(s, "o-1"); /* the id may be used again */
    UNTIL(s, stage_count(s, RESULTS) == 7);
    stage_end(s);
}

static void a_purge_is_caught_up(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1});
    struct memory_view *before = NULL;

    (void)state;
    stage_start(s, "w1");
    stage_orders(s, "o", 3);
    UNTIL(s, stage_count(s, RESULTS) == 3);
    stage_stop(s, "w1");
    before = memory_view_snapshot(s->view);
    stage_start(s, "w1");
    stage_jump(s, 8 * DAY);
    UNTIL(s, memory_view_sagas(s->view, 0) == 0);
    stage_stop(s, "w1");
    memory_view_roll_back(s->view, before);
    stage_start(s, "w2");
    UNTIL(s, stage_ready(s));
    assert_int_equal(memory_view_sagas(s->view, 0), 0);
    stage_end(s);
}

static const struct CMUnitTest tests[] = {
    TEST(the_first_start_begins_where_the_inputs_begin),
    TEST(a_graceful_stop_leaves_nothing_to_catch_up),
    TEST(a_view_that_lags_is_caught_up),
    TEST(a_view_rolled_back_is_caught_up),
    TEST(a_wiped_view_is_rebuilt),
    TEST(the_view_of_another_journal_is_rebuilt),
    TEST(a_view_older_than_the_journal_is_rebuilt),
    TEST(nothing_of_the_journal_is_needed_where_all_is_in_the_state_topic),
    TEST(late_journal_markers_are_waited_for),
    TEST(late_journal_markers_of_a_timer_are_waited_for),
    TEST(late_offset_markers_are_waited_for),
    TEST(late_state_markers_are_waited_for_by_a_rebuild),
    TEST(offsets_moved_back_do_nothing_twice),
    TEST(offsets_that_expired_are_found_in_the_journal),
    TEST(offsets_without_our_metadata_are_found_in_the_journal),
    TEST(offsets_moved_ahead_stop_the_partition),
    TEST(a_view_ahead_of_the_offsets_stops_the_partition),
    TEST(a_view_ahead_of_offsets_that_were_only_old_is_fine),
    TEST(a_journal_that_lost_its_end_stops_the_partition),
    TEST(a_journal_that_begins_after_c_stops_a_rebuild),
    TEST(a_journal_that_begins_after_c_stops_the_partition_even_with_a_view),
    TEST(a_position_that_never_comes_is_told_of),
    TEST(a_rebuild_that_loses_its_token_begins_again),
    TEST(so_does_one_that_loses_it_at_the_end),
    TEST(a_state_newer_than_the_offsets_is_not_believed),
    TEST(the_next_owner_takes_over_what_is_dirty),
    TEST(what_is_dirty_for_long_is_trickled),
    TEST(a_trickled_state_counts_only_once_it_is_committed),
    TEST(a_journal_behind_the_checkpoint_is_bounded_in_bytes),
    TEST(records_of_several_parts_are_caught_up),
    TEST(an_ended_saga_goes_after_its_retention),
    TEST(a_purge_is_caught_up),
};

int main(void)
{
    return RUN(tests);
}

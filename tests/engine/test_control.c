/*
 * test_control.c -- verbs from the control topic through the whole engine: applied, refused, answered, once; whatever becomes of the transaction.
 */
#include "stage.h"

/* --- asking, and the answer --- */

static void ask(struct stage *s, const char *id, const char *tag, const char *value)
{
    char headers[160];

    (void)snprintf(headers, sizeof headers, "ce_id: %s\nkafka_replyTopic: " EVENTS, tag);
    (void)stage_send(s, CONTROL, -1, id, headers, value);
}

#define BY_ANN "\"who\":\"ann\",\"why\":\"she knows\""
#define VERB(verb) "{\"verb\":\"" verb "\"," BY_ANN "}"

/* How many answers to the message of this tag have this outcome. */
static int answers(struct stage *s, const char *tag, const char *outcome)
{
    char type[64];
    int found = 0;

    (void)snprintf(type, sizeof type, "baton.control.%s.v1", outcome);
    for (int32_t p = 0; p < s->setup.partitions; p++) {
        struct bus_message message;
        int64_t at = 0;

        while (memory_kafka_read(s->kafka, EVENTS, p, &at, &message)) {
            const struct bus_header *said = wire_header(&message, "ce_type"), *correlation = wire_header(&message, "kafka_correlationId");

            found += said != NULL && said->len == strlen(type) && memcmp(said->value, type, said->len) == 0 && correlation != NULL &&
                     correlation->len == strlen(tag) && memcmp(correlation->value, tag, correlation->len) == 0;
            memory_kafka_release(&message);
        }
    }
    return found;
}

static bool is(struct stage *s, const char *id, const char *status)
{
    return strcmp(stage_status(s, id), status) == 0;
}

/* --- rows: what is asked of an order whose participants are silent at step b --- */

static const struct row {
    const char *name;
    const char *asked, *answer;
    const char *then; /* the saga's status when all is over */
} rows[] = {
    {"cancel turns it back", VERB("cancel"), "accepted", "cancelled"},
    {"compensate too", VERB("compensate"), "accepted", "compensated"},
    {"terminate ends it", VERB("terminate"), "accepted", "terminated"},
    {"pause parks it", VERB("pause"), "accepted", "parked"},
    {"complete goes on", "{\"verb\":\"complete\",\"step\":\"b\",\"output\":1," BY_ANN "}", "accepted", "completed"},
    {"skip goes on", "{\"verb\":\"skip\",\"step\":\"b\"," BY_ANN "}", "accepted", "completed"},
    {"resume is refused", VERB("resume"), "refused", "running"},
    {"retry is refused", VERB("retry"), "refused", "running"},
    {"a signal that nobody waits for is refused", "{\"verb\":\"signal\",\"name\":\"go\"}", "refused", "running"},
    {"a step that is not there is refused", "{\"verb\":\"skip\",\"step\":\"zz\"," BY_ANN "}", "refused", "running"},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct stage *s = stage_begin(NULL);

    stage_start(s, "w1");
    stage_order(s, "o:mute-b");
    UNTIL(s, stage_commands(s, "o:mute-b/b/x/1") == 1);
    ask(s, "o:mute-b", "m-1", row->asked);
    UNTIL(s, answers(s, "m-1", row->answer) == 1 && is(s, "o:mute-b", row->then));
    stage_end(s);
}

/* --- what no row says --- */

static void who_and_why_are_in_the_state(void **state)
{
    struct stage *s = stage_begin(NULL);

    (void)state;
    stage_start(s, "w1");
    stage_order(s, "o:mute-b");
    UNTIL(s, stage_commands(s, "o:mute-b/b/x/1") == 1);
    ask(s, "o:mute-b", "m-1", VERB("pause"));
    UNTIL(s, is(s, "o:mute-b", "parked"));
    assert_true(stage_logged(s, "paused by ann: she knows"));
    stage_end(s);
}

static void a_verb_on_the_wrong_partition_is_forwarded(void **state)
{
    struct stage *s = stage_begin(NULL);

    (void)state;
    stage_start(s, "w1");
    stage_order(s, "o:mute-b");
    UNTIL(s, stage_commands(s, "o:mute-b/b/x/1") == 1);
    (void)stage_send(s, CONTROL, 1 - stage_partition(s, "o:mute-b"), "o:mute-b", NULL, VERB("cancel"));
    UNTIL(s, is(s, "o:mute-b", "cancelled"));
    assert_int_equal(stage_stats(s, "w1").forwarded, 1);
    stage_end(s);
}

static void no_answer_where_it_is_not_allowed(void **state)
{
    struct stage *s = stage_begin(NULL);

    (void)state;
    stage_start(s, "w1");
    stage_order(s, "o:mute-b");
    UNTIL(s, stage_commands(s, "o:mute-b/b/x/1") == 1);
    (void)stage_send(s, CONTROL, -1, "o:mute-b", "kafka_replyTopic: elsewhere", VERB("cancel"));
    UNTIL(s, is(s, "o:mute-b", "cancelled") && stage_logged(s, "topics.allowReplyTo does not name"));
    stage_end(s);
}

static void a_saga_that_is_not_there_is_a_dead_letter_and_answered(void **state)
{
    struct stage *s = stage_begin(NULL);

    (void)state;
    stage_start(s, "w1");
    ask(s, "nobody", "m-1", VERB("cancel"));
    UNTIL(s, answers(s, "m-1", "unknown-saga") == 1);
    assert_int_equal(stage_letters(s, "unknown-saga"), 1);
    stage_end(s);
}

static void of_two_cancels_one_is_refused(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.batch_max_wait_ms = 100});

    (void)state;
    stage_start(s, "w1");
    stage_order(s, "o:mute-b");
    UNTIL(s, stage_commands(s, "o:mute-b/b/x/1") == 1);
    ask(s, "o:mute-b", "m-1", VERB("cancel"));
    ask(s, "o:mute-b", "m-2", VERB("cancel"));
    UNTIL(s, answers(s, "m-1", "accepted") == 1 && answers(s, "m-2", "refused") == 1 && is(s, "o:mute-b", "cancelled"));
    stage_end(s);
}

static void paused_it_stays_so_at_another_worker(void **state)
{
    struct stage *s = stage_begin(NULL);

    (void)state;
    stage_start(s, "w1");
    s->silent = true;
    stage_order(s, "o-1");
    UNTIL(s, stage_commands(s, "o-1/a/x/1") == 1);
    ask(s, "o-1", "m-1", VERB("pause"));
    UNTIL(s, answers(s, "m-1", "accepted") == 1);
    stage_reply(s, "o-1/a/x/1", "success", "1");
    stage_stop(s, "w1");
    stage_start(s, "w2");
    stage_jump(s, ANSWER_LATE);
    stage_order(s, "o-2");
    UNTIL(s, stage_commands(s, "o-2/a/x/1") == 1);
    assert_int_equal(stage_commands(s, "o-1/b/x/1"), 0);
    assert_int_equal(stage_commands(s, "o-1/a/x/2"), 0);
    s->silent = false;
    ask(s, "o-1", "m-2", VERB("resume"));
    UNTIL(s, answers(s, "m-2", "accepted") == 1 && is(s, "o-1", "completed"));
    stage_end(s);
}

/* --- a transaction that fails: the verb is applied and answered once --- */

static const struct commit_row {
    const char *name;
    enum memory_commit how;
} commit_rows[] = {
    {"aborted, it is asked again", MEMORY_ABORTS},
    {"unknown, it was committed", MEMORY_DIES_DONE},
    {"unknown, it was aborted", MEMORY_DIES_UNDONE},
};

static void check_commit(void **state)
{
    const struct commit_row *row = *state;
    struct stage *s = stage_begin(NULL);

    stage_start(s, "w1");
    stage_order(s, "o:mute-b");
    UNTIL(s, stage_commands(s, "o:mute-b/b/x/1") == 1);
    memory_kafka_next_commits(s->kafka, row->how, 0, 1);
    ask(s, "o:mute-b", "m-1", VERB("cancel"));
    ask(s, "nobody", "m-2", VERB("cancel"));
    UNTIL(s, memory_kafka_faults_spent(s->kafka) && is(s, "o:mute-b", "cancelled") && answers(s, "m-2", "unknown-saga") == 1);
    assert_int_equal(answers(s, "m-1", "accepted"), 1);
    assert_int_equal(answers(s, "m-1", "refused"), 0);
    assert_int_equal(stage_letters(s, "unknown-saga"), 1);
    stage_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_and_why_are_in_the_state),
        TEST(a_verb_on_the_wrong_partition_is_forwarded),
        TEST(no_answer_where_it_is_not_allowed),
        TEST(a_saga_that_is_not_there_is_a_dead_letter_and_answered),
        TEST(of_two_cancels_one_is_refused),
        TEST(paused_it_stays_so_at_another_worker),
    };
    int failed = RUN_ROWS(rows, check_row) + RUN_ROWS(commit_rows, check_commit);

    return failed + RUN(tests);
}

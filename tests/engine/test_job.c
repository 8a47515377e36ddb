/*
 * test_job.c -- what is asked of all sagas that a filter names: each once, page by page, whatever becomes of the worker and the view.
 */
#include "stage.h"

#define MANY 250 /* in one partition: three transactions */
#define BY_ANN "\"who\":\"ann\",\"why\":\"she knows\""

static void ask(struct stage *s, const char *id, const char *value)
{
    char headers[SAGA_ID_MAX + 80];

    (void)snprintf(headers, sizeof headers, "ce_id: %s\nkafka_replyTopic: " EVENTS, id);
    (void)stage_send(s, CONTROL, -1, id, headers, value);
}

/* The job's answer, a new reference; NULL = not yet. */
static json_t *answer(struct stage *s, const char *id)
{
    json_t *found = NULL;

    for (int32_t p = 0; p < s->setup.partitions && found == NULL; p++) {
        struct bus_message message;
        int64_t at = 0;

        while (memory_kafka_read(s->kafka, EVENTS, p, &at, &message)) {
            const struct bus_header *type = wire_header(&message, "ce_type");

            if (found == NULL && type != NULL && type->len == strlen("baton.control.job.v1") && memcmp(type->value, "baton.control.job.v1", type->len) == 0 &&
                message.key_len == strlen(id) && memcmp(message.key, id, message.key_len) == 0)
                assert_int_equal(json_parse(message.value, message.value_len, &json_default_limits, &found, NULL), BATON_OK);
            memory_kafka_release(&message);
        }
    }
    return found;
}

static bool answered(struct stage *s, const char *id)
{
    json_t *found = answer(s, id);

    json_decref(found);
    return found != NULL;
}

static void assert_counts(struct stage *s, const char *id, int64_t found, int64_t accepted, int64_t refused)
{
    json_t *doc = answer(s, id), *count = NULL;
    int64_t reasons = 0;
    const char *reason = NULL;
    size_t shown = (size_t)(found < WIRE_JOB_SHOWN_MAX ? found : WIRE_JOB_SHOWN_MAX);

    assert_non_null(doc);
    assert_int_equal(json_integer_value(json_object_get(doc, "found")), found);
    assert_int_equal(json_integer_value(json_object_get(doc, "accepted")), accepted);
    assert_int_equal(json_integer_value(json_object_get(doc, "refused")), refused);
    json_object_foreach(json_object_get(doc, "reasons"), reason, count)
        reasons += json_integer_value(count);
    assert_int_equal(reasons, refused);
    assert_true(json_is_true(json_object_get(doc, "complete")));
    assert_int_equal(json_array_size(json_object_get(doc, "sagas")), shown);
    json_decref(doc);
}

/* MANY orders that wait for step b's participant, and three that have ended, all in one partition. */
static struct stage *waiting_orders(void)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 1});
    char id[32];

    stage_start(s, "w1");
    stage_orders(s, "ended", 3);
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(id, sizeof id, "o-%d:mute-b", i);
        stage_order(s, id);
    }
    (void)snprintf(id, sizeof id, "o-%d:mute-b/b/x/1", MANY - 1);
    UNTIL(s, stage_commands(s, id) == 1 && stage_count(s, RESULTS) == 3);
    return s;
}

static int with_status(struct stage *s, const char *status)
{
    char id[32];
    int found = 0;

    for (int i = 0; i < MANY; i++) {
        (void)snprintf(id, sizeof id, "o-%d:mute-b", i);
        found += strcmp(stage_status(s, id), status) == 0;
    }
    return found;
}

/* --- rows --- */

static const struct row {
    const char *name, *asked;
    int64_t found, accepted, refused;
    const char *status; /* of all, then */
} rows[] = {
    {"all that have not ended turn back", "{\"verb\":\"cancel\",\"where\":\"\"," BY_ANN "}", MANY, MANY, 0, "cancelled"},
    {"all of a type, at a step", "{\"verb\":\"cancel\",\"where\":\"type=order,version=1,step=b,service=s\"," BY_ANN "}", MANY, MANY, 0, "cancelled"},
    {"a verb with a step and a value", "{\"verb\":\"complete\",\"step\":\"b\",\"output\":1,\"where\":\"step=b\"," BY_ANN "}", MANY, MANY, 0, "completed"},
    {"each is asked once, though it is found again in its new status", "{\"verb\":\"pause\",\"where\":\"\"," BY_ANN "}", MANY, MANY, 0, "parked"},
    {"a preview says who would do it, and asks nobody", "{\"verb\":\"cancel\",\"where\":\"status=running\",\"preview\":true," BY_ANN "}", MANY, MANY, 0, "running"},
    {"a preview says who would not", "{\"verb\":\"resume\",\"where\":\"\",\"preview\":true," BY_ANN "}", MANY, 0, MANY, "running"},
    {"a preview of a version that is not there", "{\"verb\":\"migrate\",\"version\":9,\"where\":\"\",\"preview\":true," BY_ANN "}", MANY, 0, MANY, "running"},
    {"what the state forbids is counted", "{\"verb\":\"resume\",\"where\":\"\"," BY_ANN "}", MANY, 0, MANY, "running"},
    {"another type", "{\"verb\":\"cancel\",\"where\":\"type=payment\"," BY_ANN "}", 0, 0, 0, "running"},
    {"another step", "{\"verb\":\"cancel\",\"where\":\"step=a\"," BY_ANN "}", 0, 0, 0, "running"},
    {"what has ended, where it is asked for", "{\"verb\":\"cancel\",\"where\":\"status=completed\"," BY_ANN "}", 3, 0, 3, "running"},
    {"sagas that started after it are none of its business",
     "{\"verb\":\"cancel\",\"where\":\"\",\"progress\":{\"since\":1,\"after\":0,\"afterId\":\"\",\"found\":0,\"accepted\":0,\"refused\":0,\"sagas\":[]}," BY_ANN "}",
     0, 0, 0, "running"},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct stage *s = waiting_orders();

    ask(s, "job:1", row->asked);
    UNTIL(s, answered(s, "job:1"));
    assert_counts(s, "job:1", row->found, row->accepted, row->refused);
    UNTIL(s, with_status(s, row->status) == MANY);
    stage_end(s);
}

/* --- whatever happens --- */

static const struct commit_row {
    const char *name;
    enum memory_commit how;
    int after; /* transactions that go well before */
} commit_rows[] = {
    {"its first page aborted", MEMORY_ABORTS, 0},
    {"its first page committed, and nobody heard", MEMORY_DIES_DONE, 0},
    {"its first page lost", MEMORY_DIES_UNDONE, 0},
    {"its second page aborted", MEMORY_ABORTS, 1},
    {"its second page committed, and nobody heard", MEMORY_DIES_DONE, 1},
    {"its second page lost", MEMORY_DIES_UNDONE, 1},
};

static void check_commit(void **state)
{
    const struct commit_row *row = *state;
    struct stage *s = waiting_orders();

    memory_kafka_next_commits(s->kafka, row->how, row->after, 1);
    ask(s, "job:1", "{\"verb\":\"pause\",\"where\":\"\"," BY_ANN "}");
    UNTIL(s, memory_kafka_faults_spent(s->kafka) && answered(s, "job:1"));
    assert_counts(s, "job:1", MANY, MANY, 0);
    assert_int_equal(with_status(s, "parked"), MANY);
    stage_end(s);
}

static void a_preview_leaves_every_saga_as_it_was(void **state)
{
    struct stage *s = waiting_orders();

    (void)state;
    ask(s, "job:1", "{\"verb\":\"cancel\",\"where\":\"\",\"preview\":true," BY_ANN "}");
    UNTIL(s, answered(s, "job:1"));
    stage_order(s, "later");
    UNTIL(s, stage_count(s, RESULTS) == 4 && strcmp(stage_status(s, "later"), "completed") == 0); /* what the preview had begun would show by now */
    assert_int_equal(stage_commands(s, "o-0:mute-b/a/c/1"), 0);
    assert_int_equal(with_status(s, "running"), MANY);
    stage_end(s);
}

static void a_wiped_view_hides_nobody(void **state)
{
    struct stage *s = waiting_orders();

    (void)state;
    memory_view_wipe(s->view);
    ask(s, "job:1", "{\"verb\":\"pause\",\"where\":\"\"," BY_ANN "}");
    UNTIL(s, answered(s, "job:1"));
    assert_counts(s, "job:1", MANY, MANY, 0);
    stage_end(s);
}

static void another_worker_goes_on_with_it(void **state)
{
    struct stage *s = waiting_orders();

    (void)state;
    stage_stop(s, "w1");
    ask(s, "job:1", "{\"verb\":\"pause\",\"where\":\"\"," BY_ANN "}");
    stage_start(s, "w2");
    UNTIL(s, answered(s, "job:1"));
    assert_counts(s, "job:1", MANY, MANY, 0);
    stage_end(s);
}

static void each_partition_has_its_own(void **state)
{
    struct stage *s = stage_begin(&(struct stage_setup){.partitions = 2});
    char id[2][SAGA_ID_MAX + 1];

    (void)state;
    s->silent = true;
    stage_start(s, "w1");
    stage_orders(s, "o", 20);
    UNTIL(s, stage_count(s, COMMANDS) == 20);
    for (int p = 0; p < 2; p++) {
        (void)snprintf(id[p], sizeof id[p], "%s", stage_id_on(s, p, "job", 0));
        ask(s, id[p], "{\"verb\":\"terminate\",\"where\":\"\"," BY_ANN "}");
    }
    UNTIL(s, answered(s, id[0]) && answered(s, id[1]) && stage_count(s, RESULTS) == 20);
    stage_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_preview_leaves_every_saga_as_it_was),
        TEST(a_wiped_view_hides_nobody),
        TEST(another_worker_goes_on_with_it),
        TEST(each_partition_has_its_own),
    };
    int failed = RUN_ROWS(rows, check_row) + RUN_ROWS(commit_rows, check_commit);

    return failed + RUN(tests);
}

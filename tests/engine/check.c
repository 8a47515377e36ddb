/*
 * check.c -- what must hold after every test, told from the committed records alone.
 *
 * Owns:     stage_check. It folds the journal itself, with nothing of src/engine, so that a fault there cannot agree with itself.
 */
#include "stage.h"
#include <inttypes.h>

struct checking {
    struct stage *stage;
    int32_t partition;
    json_t *states;  /* id -> state document: the fold of the journal */
    json_t *rebuilt; /* the same from the state topic and the journal after the checkpoint */
    json_t *as_of;   /* id -> seq of the partition up to which the state topic is right */
    json_t *causes;  /* "topic/partition/offset" -> object of saga ids */
    json_t *sent;    /* message ids of commands that the journal names */
    json_t *ended;   /* ids of results, <saga>/<status>/<seq>, that the journal's states promise */
    int64_t seq, checkpoint;
    int64_t *offset_of; /* journal offset of the first part of each seq, from 1 */
    int64_t seqs_cap;
    json_t *vector; /* of the last record */
};

#define CHECK(condition, ...)                                                                                                      \
    do {                                                                                                                           \
        if (!(condition)) {                                                                                                        \
            print_error("partition %d: ", checking->partition);                                                                    \
            print_error(__VA_ARGS__);                                                                                              \
            print_error("\n");                                                                                                     \
            fail();                                                                                                                \
        }                                                                                                                          \
    } while (0)

static char *text_of(const json_t *doc)
{
    struct buffer text = {0};

    json_write(&text, doc);
    assert_non_null(buffer_cstr(&text));
    return text.data;
}

static void fold_step(struct checking *checking, json_t *states, const struct journal_step *step)
{
    struct baton_error err = {0};
    json_t *doc = json_object_get(states, step->saga_id);

    if (step->purge) {
        (void)json_object_del(states, step->saga_id);
    } else if (step->state != NULL) {
        CHECK(doc == NULL, "saga %s is started over another", step->saga_id);
        (void)json_object_set_new(states, step->saga_id, json_deep_copy(step->state));
    } else {
        CHECK(doc != NULL, "saga %s is changed before it exists", step->saga_id);
        CHECK(json_integer_value(json_object_get(doc, "seq")) == step->seq - 1, "saga %s goes from seq %" JSON_INTEGER_FORMAT " to %" PRId64,
              step->saga_id, json_integer_value(json_object_get(doc, "seq")), step->seq);
        CHECK(wire_patch_apply(doc, step->patch, &err) == BATON_OK, "saga %s: %s", step->saga_id, err.text);
    }
}

/* An input is a cause once for each saga it touches, and once as a note; a job's also of each refusal. */
static void note_cause(struct checking *checking, const json_t *item, const struct journal_step *step)
{
    json_t *cause = json_object_get(item, "cause"), *sagas = NULL;
    char key[400], who[SAGA_ID_MAX + 8];
    bool refused = false;

    if (!json_is_array(cause))
        return;
    (void)snprintf(key, sizeof key, "%s/%d/%" JSON_INTEGER_FORMAT, json_string_value(json_array_get(cause, 0)),
                   (int)json_integer_value(json_array_get(cause, 1)), json_integer_value(json_array_get(cause, 2)));
    sagas = json_object_get(checking->causes, key);
    if (sagas == NULL) {
        sagas = json_object();
        (void)json_object_set_new(checking->causes, key, sagas);
    }
    refused = strcmp(step->note ? json_string_value(json_object_get(item, "note")) : "", "refused") == 0;
    (void)snprintf(who, sizeof who, "%s%s", step->note ? "note " : "", (step->note && !refused) || step->saga_id == NULL ? "" : step->saga_id);
    CHECK(json_object_get(sagas, who) == NULL, "input %s was applied twice (%s)", key, who);
    (void)json_object_set_new(sagas, who, json_true());
}

static void note_commands(struct checking *checking, const json_t *item, const struct journal_step *step)
{
    const json_t *name = NULL;
    size_t i = 0;

    json_array_foreach(json_object_get(item, "send"), i, name) {
        char id[WIRE_MESSAGE_ID_MAX];

        (void)snprintf(id, sizeof id, "%s/%s", step->saga_id, json_string_value(name));
        CHECK(checking->stage->ids_come_back || json_object_get(checking->sent, id) == NULL, "the journal sends %s twice", id);
        (void)json_object_set_new(checking->sent, id, json_true());
    }
}

/* The step that ends a saga has its result; what comes after the end has none, but for another end: of a child that its parent undoes. */
static void note_end(struct checking *checking, const struct journal_step *step, enum saga_status before)
{
    struct wire_summary summary;
    char id[SAGA_ID_MAX + 64];

    if (strncmp(step->saga_id, WIRE_LOCK_PREFIX, strlen(WIRE_LOCK_PREFIX)) == 0) /* nobody waits for its result */
        return;
    if (!wire_state_summary(json_object_get(checking->states, step->saga_id), &summary) || !saga_status_ended(summary.status) || summary.status == before)
        return;
    (void)snprintf(id, sizeof id, "%s/%s/%" PRId64, step->saga_id, saga_status_name(summary.status), summary.seq);
    (void)json_object_set_new(checking->ended, id, json_true());
}

static enum saga_status status_of(const json_t *doc)
{
    struct wire_summary summary;

    return wire_state_summary(doc, &summary) ? summary.status : SAGA_STATUS_COUNT;
}

static void take_record(struct checking *checking, const struct journal_record *record, int64_t offset)
{
    const char *topic = NULL;
    json_t *item = NULL, *next = NULL;
    size_t i = 0;
    int64_t co = record->checkpoint_offset;

    CHECK(record->seq == checking->seq + (record->part == 1), "seq %" PRId64 " part %d follows %" PRId64, record->seq, record->part,
          checking->seq);
    CHECK(record->checkpoint >= checking->checkpoint && record->checkpoint <= record->seq, "seq %" PRId64 ": checkpoint %" PRId64 " after %" PRId64,
          record->seq, record->checkpoint, checking->checkpoint);
    if (record->part == 1) {
        if (record->seq >= checking->seqs_cap) {
            checking->seqs_cap = (record->seq + 1) * 2;
            checking->offset_of = realloc(checking->offset_of, (size_t)checking->seqs_cap * sizeof *checking->offset_of);
            assert_non_null(checking->offset_of);
        }
        checking->offset_of[record->seq] = offset;
    }
    CHECK(record->checkpoint == record->seq || (co >= 0 && co <= checking->offset_of[record->checkpoint + 1]),
          "seq %" PRId64 ": checkpoint %" PRId64 " is said to end at %" PRId64 ", seq %" PRId64 " lies at %" PRId64, record->seq,
          record->checkpoint, co, record->checkpoint + 1, checking->offset_of[record->checkpoint + 1]);
    json_object_foreach(record->vector, topic, next) {
        CHECK(json_integer_value(next) >= json_integer_value(json_object_get(checking->vector, topic)), "seq %" PRId64 ": %s goes back",
              record->seq, topic);
    }
    json_decref(checking->vector);
    checking->vector = json_incref(record->vector);
    checking->seq = record->seq;
    checking->checkpoint = record->checkpoint;
    json_array_foreach(record->steps, i, item) {
        struct journal_step step;
        enum saga_status before = SAGA_STATUS_COUNT;

        CHECK(journal_step_read(item, &step), "seq %" PRId64 ": step %zu cannot be read", record->seq, i);
        note_cause(checking, item, &step);
        if (step.note || step.saga_id == NULL)
            continue;
        note_commands(checking, item, &step);
        before = status_of(json_object_get(checking->states, step.saga_id));
        fold_step(checking, checking->states, &step);
        note_end(checking, &step, before);
    }
}

static void each_record(struct checking *checking, void (*take)(struct checking *checking, const struct journal_record *record, int64_t offset))
{
    int64_t at = 0;
    struct bus_message message;

    while (memory_kafka_read(checking->stage->kafka, JOURNAL, checking->partition, &at, &message)) {
        struct journal_record record;
        struct baton_error err = {0};

        CHECK(journal_record_read(message.value, message.value_len, &record, &err) == BATON_OK, "offset %" PRId64 ": %s", message.offset,
              err.text);
        take(checking, &record, message.offset);
        journal_record_clear(&record);
        memory_kafka_release(&message);
    }
}

/* --- rebuild: the state topic, then the journal after the checkpoint --- */

static void take_states(struct checking *checking)
{
    int64_t at = 0;
    struct bus_message message;

    while (memory_kafka_read(checking->stage->kafka, STATES, checking->partition, &at, &message)) {
        const struct bus_header *header = wire_header(&message, STATE_SEQ_HEADER);
        char id[SAGA_ID_MAX + 1], digits[24] = "";
        json_t *doc = NULL;

        assert_non_null(header);
        (void)snprintf(id, sizeof id, "%.*s", (int)message.key_len, (const char *)message.key);
        (void)snprintf(digits, sizeof digits, "%.*s", (int)header->len, (const char *)header->value);
        (void)json_object_set_new(checking->as_of, id, json_integer(strtoll(digits, NULL, 10)));
        (void)json_object_del(checking->rebuilt, id);
        if (message.value != NULL) {
            CHECK(json_parse(message.value, message.value_len, &wire_own_limits, &doc, NULL) == BATON_OK, "state of %s is no JSON", id);
            (void)json_object_set_new(checking->rebuilt, id, doc);
        }
        memory_kafka_release(&message);
    }
}

static void rebuild_record(struct checking *checking, const struct journal_record *record, int64_t offset)
{
    json_t *item = NULL;
    size_t i = 0;

    (void)offset;
    json_array_foreach(record->steps, i, item) {
        struct journal_step step;

        if (record->seq <= checking->checkpoint || !journal_step_read(item, &step) || step.note || step.saga_id == NULL ||
            record->seq <= json_integer_value(json_object_get(checking->as_of, step.saga_id)))
            continue;
        if (step.state != NULL)
            (void)json_object_del(checking->rebuilt, step.saga_id);
        fold_step(checking, checking->rebuilt, &step);
    }
}

static void check_rebuild(struct checking *checking)
{
    const char *id = NULL;
    json_t *doc = NULL;

    take_states(checking);
    each_record(checking, rebuild_record);
    CHECK(json_object_size(checking->rebuilt) == json_object_size(checking->states),
          "the state topic and the journal after %" PRId64 " give %zu sagas, the journal %zu", checking->checkpoint,
          json_object_size(checking->rebuilt), json_object_size(checking->states));
    json_object_foreach(checking->states, id, doc) {
        char *one = text_of(doc), *other = text_of(json_object_get(checking->rebuilt, id));

        CHECK(strcmp(one, other) == 0, "saga %s in the journal:\n%s\nfrom checkpoint %" PRId64 ":\n%s", id, one, checking->checkpoint, other);
        free(one);
        free(other);
    }
}

/* --- the view --- */

static void check_item(void *context, const struct view_item *item)
{
    struct checking *checking = context;
    json_t *doc = json_object_get(checking->states, item->id);
    struct wire_summary summary;
    char *text = NULL;

    CHECK(doc != NULL, "the view shows saga %s, the journal does not know it", item->id);
    text = text_of(doc);
    CHECK(strlen(text) == item->state_len && memcmp(text, item->state, item->state_len) == 0, "saga %s in the journal:\n%s\nin the view:\n%.*s",
          item->id, text, (int)item->state_len, item->state);
    free(text);
    CHECK(wire_state_summary(doc, &summary), "saga %s: no state document", item->id);
    CHECK(strcmp(summary.type, item->type) == 0 && summary.seq == item->seq && summary.status == item->status &&
              summary.due_ms == item->due_ms && summary.updated_ms == item->updated_ms,
          "saga %s: the view's index is not the state's", item->id);
    CHECK(saga_status_ended(summary.status) || (summary.status == SAGA_PARKED
                                                    ? json_is_object(json_object_get(doc, "parked")) || json_is_string(json_object_get(doc, "parked"))
                                                    : summary.due_ms > 0 || json_array_size(json_object_get(doc, "queue")) > 0),
          "saga %s is %s and owns neither a due time nor a reason", item->id, saga_status_name(summary.status));
}

static void check_view(struct checking *checking)
{
    struct view_meta meta = memory_view_meta(checking->stage->view, checking->partition);

    CHECK(meta.w == checking->seq || (meta.w == VIEW_NO_W && checking->seq == 0), "the view shows seq %" PRId64 ", the journal ends at %" PRId64,
          meta.w, checking->seq);
    CHECK(memory_view_sagas(checking->stage->view, checking->partition) == json_object_size(checking->states),
          "the view shows %zu sagas, the journal has %zu", memory_view_sagas(checking->stage->view, checking->partition),
          json_object_size(checking->states));
    memory_view_each(checking->stage->view, checking->partition, check_item, checking);
}

/* --- offsets and inputs --- */

static void check_inputs(struct checking *checking)
{
    const struct worker_options *options = &checking->stage->workers[0].options;
    struct bus_committed committed;

    if (checking->seq == 0 && !checking->stage->leaves_inputs) {
        for (size_t i = 0; i < options->inputs_len; i++)
            CHECK(memory_kafka_end(checking->stage->kafka, options->inputs[i].topic, checking->partition) == 0, "%s was never read",
                  options->inputs[i].topic);
    }
    if (checking->seq == 0)
        return;
    memory_kafka_committed(checking->stage->kafka, checking->partition, options->inputs, options->inputs_len, &committed);
    CHECK(committed.known && committed.seq == checking->seq && committed.checkpoint == checking->checkpoint,
          "the offsets say seq %" PRId64 " and checkpoint %" PRId64 ", the journal %" PRId64 " and %" PRId64, committed.seq,
          committed.checkpoint, checking->seq, checking->checkpoint);
    for (size_t i = 0; i < options->inputs_len; i++) {
        const char *topic = options->inputs[i].topic;
        int64_t at = 0, next = json_integer_value(json_object_get(checking->vector, topic));
        struct bus_message message;

        CHECK(committed.offsets[i] == next, "%s: the offset is %" PRId64 ", the vector says %" PRId64, topic, committed.offsets[i], next);
        while (memory_kafka_read(checking->stage->kafka, topic, checking->partition, &at, &message)) {
            char key[400];

            (void)snprintf(key, sizeof key, "%s/%d/%" PRId64, topic, checking->partition, message.offset);
            CHECK(message.offset < next || checking->stage->leaves_inputs, "input %s is left behind", key);
            CHECK((message.offset < next) == (json_object_get(checking->causes, key) != NULL), "input %s %s", key,
                  message.offset < next ? "was dropped in silence" : "was applied, but its offset is not committed");
            memory_kafka_release(&message);
        }
    }
}

/* --- commands and results, over all partitions --- */

static void count_ids(struct stage *stage, const char *topic, const char *name, json_t *counts)
{
    for (int32_t p = 0; p < stage->setup.partitions; p++) {
        int64_t at = 0;
        struct bus_message message;

        while (memory_kafka_read(stage->kafka, topic, p, &at, &message)) {
            const struct bus_header *header = wire_header(&message, name);
            char id[WIRE_MESSAGE_ID_MAX];

            assert_true(header != NULL || strcmp(topic, CONTROL) == 0);
            (void)snprintf(id, sizeof id, "%.*s", header == NULL ? 0 : (int)header->len, header == NULL ? "" : (const char *)header->value);
            if (header != NULL && (strcmp(topic, CONTROL) != 0 || wire_header(&message, "content-type") != NULL)) /* else a test has sent it */
                (void)json_object_set_new(counts, id, json_integer(json_integer_value(json_object_get(counts, id)) + 1));
            memory_kafka_release(&message);
        }
    }
}

/* In the topic, or said to a child. */
static void check_once(struct stage *stage, const char *topic, const json_t *wanted)
{
    json_t *counts = json_object(), *count = NULL;
    const char *id = NULL;

    count_ids(stage, topic, "ce_id", counts);
    if (strcmp(topic, COMMANDS) == 0) {
        count_ids(stage, OTHER_COMMANDS, "ce_id", counts);
        count_ids(stage, CONTROL, "baton-parent", counts);
    }

    json_object_foreach(counts, id, count) {
        if (json_object_get(wanted, id) == NULL)
            fail_msg("%s has %s, the journal does not", topic, id);
        if (json_integer_value(count) != 1 && !stage->ids_come_back)
            fail_msg("%s has %s %d times", topic, id, (int)json_integer_value(count));
    }
    if (json_object_size(counts) != json_object_size(wanted))
        fail_msg("%s has %zu ids, the journal has %zu", topic, json_object_size(counts), json_object_size(wanted));
    json_decref(counts);
}

void stage_check(struct stage *stage)
{
    json_t *sent = json_object(), *ended = json_object();

    for (int32_t p = 0; p < stage->setup.partitions; p++) {
        struct checking checking = {.stage = stage, .partition = p, .states = json_object(), .rebuilt = json_object(),
                                    .as_of = json_object(), .causes = json_object(), .sent = sent, .ended = ended};

        each_record(&checking, take_record);
        check_rebuild(&checking);
        check_view(&checking);
        check_inputs(&checking);
        json_decref(checking.states);
        json_decref(checking.rebuilt);
        json_decref(checking.as_of);
        json_decref(checking.causes);
        json_decref(checking.vector);
        free(checking.offset_of);
    }
    check_once(stage, COMMANDS, sent);
    check_once(stage, RESULTS, ended);
    json_decref(sent);
    json_decref(ended);
}

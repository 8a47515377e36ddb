/*
 * journal_tail.c -- the journal's records near its end: S with its vector, and what they say is dirty.
 *
 * Owns:     when a reading is whole: commit markers arrive per partition, later than the offsets (model: catch_up = 'seq').
 * Model:    tests/model/protocol_model.py, rules dirty_from_tail, refetch_before_alarm.
 * Tests:    tests/engine/test_acquire.c
 */
#include "acquire.h"
#include <inttypes.h>

#define TAIL_STEP_OFFSETS 4     /* how far back the last record is looked for at first: a record, its marker, an aborted one's marker */

/* The vector and the checkpoint's place, from the record that turned out to be S. */
static void note_last(struct taking *taking, const struct journal_record *record, int64_t offset)
{
    const struct worker_options *options = taking->engine->options;

    taking->last_seq = record->seq;
    if (record->part == 1)
        taking->last_offset = offset;
    taking->checkpoint_offset = record->checkpoint_offset;
    if (taking->seq < 0) /* the group knows no checkpoint: the journal's last record does */
        taking->checkpoint = record->checkpoint;
    taking->has_vector = true;
    for (size_t i = 0; i < options->inputs_len; i++) {
        json_t *next = json_object_get(record->vector, options->inputs[i].topic);

        taking->vector[i] = json_is_integer(next) ? json_integer_value(next) : -1;
    }
}

enum baton_err taking_read_journal(struct taking *taking, int64_t from, record_visitor visit, void *context,
                                   struct baton_error *err)
{
    struct engine *engine = taking->engine;
    struct bus *bus = &engine->bus;
    int64_t until = engine_now(engine) + ACQUIRE_PATIENCE_MS;
    enum baton_err rc = bus->read_begin(bus->self, engine->options->journal_topic, taking->part->partition, from, err);
    bool whole = true;

    taking->last_seq = taking->last_offset = -1;
    while (rc == BATON_OK) {
        struct bus_message message;
        struct journal_record record = {0};

        rc = bus->read_next(bus->self, ACQUIRE_READ_WAIT_MS, &message, err);
        if (rc == BATON_E_NOT_FOUND) {
            if (message.offset >= taking->high) {
                rc = taking->seq < 0 || taking->last_seq < 0 ? BATON_OK
                     : baton_fail(err, BATON_E_STALE, "partition %d: the journal ends at seq %" PRId64 ", the offsets say %" PRId64,
                                  taking->part->partition, taking->last_seq, taking->seq);
                break;
            }
            rc = BATON_E_RETRY; /* commit markers arrive per partition, later than the offsets: wait */
        }
        if (rc == BATON_E_RETRY) {
            if (engine_now(engine) > until || engine_stopping(engine)) {
                (void)baton_fail(err, BATON_E_RETRY,
                                 "partition %d: the journal shows seq %" PRId64 ", the committed offsets say %" PRId64,
                                 taking->part->partition, taking->last_seq, taking->seq);
                break;
            }
            rc = BATON_OK;
            continue;
        }
        if (rc != BATON_OK)
            break;
        rc = journal_record_read(message.value, message.value_len, &record, err);
        taking->began_beyond = taking->seq >= 0 && record.seq > taking->seq && taking->last_seq < 0;
        if (rc == BATON_OK && taking->seq >= 0 && record.seq > taking->seq)
            rc = baton_fail(err, BATON_E_STALE, "partition %d: the journal has seq %" PRId64 ", the offsets fetched say %" PRId64,
                            taking->part->partition, record.seq, taking->seq);
        if (rc == BATON_OK) {
            whole = record.part == record.parts;
            note_last(taking, &record, message.offset);
            rc = visit(taking, &record, message.offset, message.value_len, context, err);
        }
        journal_record_clear(&record);
        bus->release(bus->self, &message);
        if (rc == BATON_OK && whole && taking->seq >= 0 && taking->last_seq == taking->seq)
            break;
        until = engine_now(engine) + ACQUIRE_PATIENCE_MS;
    }
    bus->read_end(bus->self);
    return rc;
}

/* --- dirty sagas and marks: records after c --- */

enum baton_err taking_visit_dirty(struct taking *taking, struct journal_record *record, int64_t offset, size_t bytes,
                                  void *context, struct baton_error *err)
{
    size_t i = 0;
    json_t *item = NULL;
    struct journal_step step;

    const struct part *part = taking->part;
    int64_t last = part->marks_len == 0 ? taking->checkpoint : part->marks[part->marks_len - 1].seq;

    (void)context;
    if (record->seq <= taking->checkpoint)
        return BATON_OK;
    if (record->seq > last + 1)
        return baton_fail(err, BATON_E_STALE,
                          "partition %d: %s begins after its checkpoint: seq %" PRId64 " is needed, seq %" PRId64
                          " is there: records were deleted too early; raise the topic's retention", part->partition,
                          taking->engine->options->journal_topic, last + 1, record->seq);
    if (!part_mark_add(taking->part, record->seq, offset, bytes))
        return baton_fail(err, BATON_E_NOMEM, "out of memory for partition %d", taking->part->partition);
    json_array_foreach(record->steps, i, item) {
        if (!journal_step_read(item, &step))
            return baton_fail(err, BATON_E_INVALID, "journal record seq %" PRId64 ": step %zu is not one", record->seq, i);
        if (!step.note && step.saga_id != NULL &&
            !part_dirty_add(taking->part, step.saga_id, record->seq, taking->engine->now_ms))
            return baton_fail(err, BATON_E_NOMEM, "out of memory for partition %d", taking->part->partition);
    }
    return BATON_OK;
}

static enum baton_err visit_nothing(struct taking *taking, struct journal_record *record, int64_t offset, size_t bytes,
                                    void *context, struct baton_error *err)
{
    (void)taking;
    (void)record;
    (void)offset;
    (void)bytes;
    (void)context;
    (void)err;
    return BATON_OK;
}

enum baton_err taking_find_last(struct taking *taking, struct baton_error *err)
{
    enum baton_err rc = BATON_OK;

    if (taking->low == taking->high)
        return BATON_OK;
    for (int64_t back = TAIL_STEP_OFFSETS;; back *= 4) {
        int64_t from = taking->high - back < taking->low ? taking->low : taking->high - back;

        rc = taking_read_journal(taking, from, visit_nothing, NULL, err);
        if (from == taking->low)
            return rc;
        if (rc == BATON_E_STALE && taking->began_beyond)
            continue; /* S lies further back */
        /* Begun amid the parts of a record, its first offset is not known yet. */
        if (rc != BATON_OK || taking->last_offset >= 0)
            return rc;
    }
}

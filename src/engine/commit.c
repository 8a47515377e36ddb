/*
 * commit.c -- one transaction: trickled states, the journal record of each touched partition, the offsets; then memory follows.
 *
 * Owns:     checkpoint arithmetic; what changes in memory, and only after the commit (model: checkpoint_after_commit).
 * Tests:    tests/engine/test_acquire.c (checkpoints), test_engine.c (outcomes), tests/integration/
 */
#include "cached.h"
#include "gate.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define DIRTY_AGE_TRICKLE_MS (DIRTY_AGE_MAX_MS * 3 / 4) /* so that the bound holds */

/* --- which states ride along --- */

static size_t dirty_max(const struct engine *engine)
{
    size_t each = DIRTY_COUNT_MAX / (engine->ready_parts == 0 ? 1 : engine->ready_parts);

    return each < DIRTY_COUNT_MIN ? DIRTY_COUNT_MIN : each;
}

static bool trickle_due(const struct engine *engine, const struct part *part, const struct dirty *dirty, size_t taken)
{
    int64_t journal = part->marks_first < part->marks_len ? part->journal_bytes - part->marks[part->marks_first].bytes : 0;

    return part->dirty_len - taken > dirty_max(engine) || engine->now_ms - dirty->since_ms > DIRTY_AGE_TRICKLE_MS ||
           journal > DIRTY_JOURNAL_MAX;
}

bool commit_choose_trickle(struct engine *engine)
{
    bool some = false;

    for (int32_t p = 0; p < engine->options->partitions; p++) {
        struct part *part = &engine->parts[p];
        struct dirty *dirty = part->dirty_list;

        part->trickle_len = 0;
        if (part->state != PART_READY || dirty == NULL || batch_alone(engine) || engine->now_ms < engine->trickle_off_until_ms)
            continue;
        while (dirty != NULL && part->trickle_len < TRICKLE_BATCH_MAX &&
               trickle_due(engine, part, dirty, part->trickle_len)) {
            if (part->trickle == NULL)
                part->trickle = calloc(TRICKLE_BATCH_MAX, sizeof *part->trickle);
            if (part->trickle == NULL)
                break;
            (void)strcpy(part->trickle[part->trickle_len++], dirty->id);
            dirty = dirty->next;
        }
        some = some || part->trickle_len > 0;
    }
    return some;
}

/* The entry's state after this batch into the records for the state topic. */
static enum baton_err produce_state(struct engine *engine, struct entry *entry, struct baton_error *err)
{
    const struct saga *saga = entry->touched ? entry->work : entry->saga;
    char digits[24];
    struct bus_header header = {.name = STATE_SEQ_HEADER, .value = digits};
    struct bus_record record = {.topic = engine->options->state_topic, .partition = entry->part->partition, .key = entry->id,
                                .key_len = strlen(entry->id), .headers = &header, .headers_len = 1, .tag = TAG_STATE};
    enum baton_err rc = BATON_OK;

    if (entry->state_written)
        return BATON_OK;
    header.len = (size_t)snprintf(digits, sizeof digits, "%" PRId64, entry->part->seq + 1);
    if (!entry->touched && entry->text != NULL) { /* asleep or broken, too */
        record.value = entry->text;
        record.value_len = entry->text_len;
    } else if (saga != NULL) {
        buffer_clear(&engine->scratch);
        wire_state_write(&engine->scratch, saga);
        if (engine->scratch.failed)
            return baton_fail(err, BATON_E_NOMEM, "out of memory for saga %s", entry->id);
        record.value = engine->scratch.data;
        record.value_len = engine->scratch.len;
    }
    rc = decide_produce(engine, &record, err);
    if (rc != BATON_OK)
        return rc;
    entry->state_written = true;
    engine->pending[STAT_TRICKLED]++;
    if (!entry->touched || saga == NULL)
        return BATON_OK;
    /* The view will want the same text. */
    entry->work_text = malloc(record.value_len);
    if (entry->work_text != NULL) {
        memcpy(entry->work_text, record.value, record.value_len);
        entry->work_text_len = record.value_len;
    }
    return BATON_OK;
}

/* A saga that has ended is written once, now; live ones when they have been dirty for long. */
static enum baton_err produce_states(struct engine *engine, struct baton_error *err)
{
    enum baton_err rc = BATON_OK;
    bool off = engine->now_ms < engine->trickle_off_until_ms;

    for (struct entry *entry = engine->touched; entry != NULL && rc == BATON_OK; entry = entry->next_touched) {
        if (!off && (entry->work == NULL || saga_status_ended(entry->work->status)))
            rc = produce_state(engine, entry, err);
    }
    for (int32_t p = 0; p < engine->options->partitions; p++) {
        struct part *part = &engine->parts[p];

        if (part->state != PART_READY || part->trickle_len == 0)
            continue;
        decide_touch_part(engine, part);
        for (size_t i = 0; i < part->trickle_len && rc == BATON_OK; i++) {
            struct entry *entry = cache_find(engine, part->trickle[i]);

            if (entry != NULL)
                rc = produce_state(engine, entry, err);
        }
    }
    return rc;
}

/* --- checkpoint and record --- */

/* c after this batch: everything up to it is in the state topic once this transaction has committed. */
static void next_checkpoint(struct engine *engine, struct part *part)
{
    const struct dirty *dirty = part->dirty_list;

    for (; dirty != NULL; dirty = dirty->next) {
        const struct entry *entry = cache_find(engine, dirty->id);

        if (entry == NULL || !entry->state_written)
            break;
    }
    if (dirty != NULL)
        part->next_checkpoint = dirty->first_seq - 1;
    else
        part->next_checkpoint = part->unwritten ? part->seq : part->seq + 1;
}

static int64_t checkpoint_offset(const struct part *part)
{
    for (size_t i = part->marks_first; i < part->marks_len; i++) {
        if (part->marks[i].seq > part->next_checkpoint)
            return part->marks[i].offset;
    }
    return part->last_offset < 0 ? 0 : part->last_offset; /* this very record or a later one: an earlier offset serves */
}

static enum baton_err produce_record(struct engine *engine, struct part *part, struct baton_error *err)
{
    const struct worker_options *options = engine->options;
    const char *topics[BUS_INPUTS_MAX];
    struct journal_head head = {.seq = part->seq + 1, .checkpoint = part->next_checkpoint,
                                .checkpoint_offset = checkpoint_offset(part), .at_ms = engine->now_ms,
                                .worker = options->worker_name, .topics = topics, .offsets = part->next_offsets,
                                .inputs_len = options->inputs_len, .parts = 1};
    struct bus_record record = {.topic = options->journal_topic, .partition = part->partition, .tag = TAG_JOURNAL};
    enum baton_err rc = BATON_OK;

    for (size_t i = 0; i < options->inputs_len; i++)
        topics[i] = options->inputs[i].topic;
    if (part_writer(part) == NULL) /* a trickle alone has a record too */
        return baton_fail(err, BATON_E_NOMEM, "out of memory for the journal");
    head.parts = (int)part->writers_len;
    part->record_bytes = 0;
    for (size_t i = 0; i < part->writers_len && rc == BATON_OK; i++) {
        head.part = (int)i + 1;
        buffer_clear(&engine->scratch);
        journal_record_write(&engine->scratch, &head, &part->writers[i]);
        if (engine->scratch.failed || part->writers[i].steps.failed)
            return baton_fail(err, BATON_E_NOMEM, "out of memory for the journal");
        record.value = engine->scratch.data;
        record.value_len = engine->scratch.len;
        record.ret_offset = i == 0 ? &part->record_offset : NULL;
        part->record_bytes += engine->scratch.len;
        rc = decide_produce(engine, &record, err);
    }
    return rc;
}

/* --- after the commit --- */

/* An ended saga is not looked at again, but for a late reply now and then: its text is a quarter of it. */
static void entry_sleep(struct entry *entry)
{
    if (entry->saga == NULL || entry->text == NULL || !saga_status_ended(entry->saga->status) || entry->saga->due_at_ms != 0)
        return;
    saga_free(entry->saga);
    entry->saga = NULL;
    entry->asleep = true;
}

static enum baton_err entry_committed(struct engine *engine, struct entry *entry, struct baton_error *err)
{
    struct part *part = entry->part;
    bool noted = true;

    saga_free(entry->saga);
    entry->saga = entry->work;
    entry->work = NULL;
    free(entry->text);
    entry->text = entry->work_text;
    entry->text_len = entry->work_text_len;
    entry->work_text = NULL;
    entry->work_text_len = 0;
    entry->state_len = entry->work_state_len;
    entry->touched = false;
    entry->removed = entry->saga == NULL;
    if (entry->saga != NULL)
        entry->summary = (struct wire_summary){.type = entry->saga->definition->name, .version = entry->saga->definition->version, .seq = entry->saga->seq,
                                               .status = entry->saga->status, .due_ms = entry->saga->due_at_ms,
                                               .updated_ms = entry->saga->updated_at_ms};
    part->show_now = part->show_now || entry->removed;
    if (!entry->state_written)
        noted = part_dirty_add(part, entry->id, part->seq, engine->now_ms);
    if (noted && entry->saga != NULL && entry->saga->due_at_ms > 0 && entry->saga->due_at_ms <= part->timers_until_ms)
        noted = timers_push(part, entry->saga->due_at_ms, entry->id);
    entry_sleep(entry);
    cache_account(engine, entry, entry->state_len);
    unshown_add(engine, entry);
    return noted ? BATON_OK : baton_fail(err, BATON_E_NOMEM, "out of memory after a commit");
}

static enum baton_err committed(struct engine *engine, struct baton_error *err)
{
    enum baton_err rc = BATON_OK;

    for (int32_t p = 0; p < engine->options->partitions; p++) {
        struct part *part = &engine->parts[p];

        if (!part->touched)
            continue;
        if (part->shown == part->seq)
            part->unshown_since_ms = engine->now_ms;
        part->seq++;
        memcpy(part->offsets, part->next_offsets, sizeof part->offsets);
        part->checkpoint = part->next_checkpoint;
        part->last_offset = part->record_offset;
        for (size_t i = 0; i < part->trickle_len; i++) {
            struct entry *entry = cache_find(engine, part->trickle[i]);

            if (entry != NULL && entry->state_written)
                part_dirty_remove(part, entry->id);
            if (entry != NULL && !entry->touched)
                entry->state_written = false;
        }
        if (rc == BATON_OK && !part_mark_add(part, part->seq, part->record_offset, part->record_bytes))
            rc = baton_fail(err, BATON_E_NOMEM, "out of memory after a commit");
        part_marks_drop(part);
    }
    for (struct entry *entry = engine->touched, *next = NULL; entry != NULL && rc == BATON_OK; entry = next) {
        next = entry->next_touched;
        if (entry->state_written)
            part_dirty_remove(entry->part, entry->id);
        rc = entry_committed(engine, entry, err);
    }
    engine->touched = NULL;
    gate_committed(engine);
    cached_committed(engine);
    for (int i = 0; i < STAT_COUNT; i++) {
        if (engine->pending[i] != 0)
            engine_count(engine, (enum stat)i, engine->pending[i]);
    }
    engine_count(engine, STAT_TRANSACTIONS, 1);
    return rc;
}

void commit_undo(struct engine *engine)
{
    for (struct entry *entry = engine->touched, *next = NULL; entry != NULL; entry = next) {
        next = entry->next_touched;
        saga_free(entry->work);
        entry->work = NULL;
        free(entry->work_text);
        entry->work_text = NULL;
        entry->work_text_len = 0;
        entry->touched = entry->state_written = false;
    }
    engine->touched = NULL;
    for (int32_t p = 0; p < engine->options->partitions; p++) {
        struct part *part = &engine->parts[p];

        for (size_t i = 0; i < part->trickle_len; i++) {
            struct entry *entry = cache_find(engine, part->trickle[i]);

            if (entry != NULL)
                entry->state_written = false;
        }
    }
}

enum baton_err commit_batch(struct engine *engine, struct baton_error *err)
{
    size_t n = 0;
    enum baton_err rc = produce_states(engine, err);

    for (struct entry *entry = engine->touched; entry != NULL; entry = entry->next_touched)
        entry->part->unwritten = entry->part->unwritten || !entry->state_written;
    for (int32_t p = 0; p < engine->options->partitions && rc == BATON_OK; p++) {
        struct part *part = &engine->parts[p];

        if (!part->touched)
            continue;
        next_checkpoint(engine, part);
        rc = produce_record(engine, part, err);
        engine->positions[n].partition = part->partition;
        engine->positions[n].seq = part->seq + 1;
        engine->positions[n].checkpoint = part->next_checkpoint;
        memcpy(engine->positions[n].offsets, part->next_offsets, sizeof part->next_offsets);
        n++;
    }
    if (rc == BATON_OK && !engine->begun)
        return BATON_OK; /* nothing to say */
    if (rc == BATON_OK) {
        rc = engine->bus.commit(engine->bus.self, engine->positions, n, &engine->failed_tag, err);
        engine->begun = rc == BATON_E_FATAL;
        engine_count(engine, STAT_ABORTS, rc == BATON_E_ABORT || rc == BATON_E_POISON);
    }
    if (rc == BATON_OK && committed(engine, err) != BATON_OK)
        return BATON_E_FATAL; /* memory no longer says what Kafka says */
    return rc;
}

/*
 * acquire.c -- taking over a partition: where is it, does the view show that, and if not, make it.
 *
 * Owns:     design.md section 6, "Acquire p": committed offsets -> S and c; the view's w -> catch up to S, or rebuild; the vector; the
 *           dirty sagas. Decides nothing about a saga.
 * Model:    tests/model/protocol_model.py, acquire(): rules require_stable, catch_up = 'seq', rebuild_*, dirty_from_tail,
 *           refetch_before_alarm.
 * Tests:    tests/engine/test_acquire.c, test_threads.c, tests/integration/
 */
#include "fold.h"
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#define READ_WAIT_MS 200
#define CHUNK_SAGAS 1000        /* sagas of one catch-up apply, one rebuild call */
#define CHUNK_BYTES (4 * 1024 * 1024)
#define TAIL_STEP_OFFSETS 4     /* how far back the last record is looked for at first: a record, its marker, an aborted one's marker */

/* What is known of p while it is being acquired. */
struct taking {
    struct engine *engine;
    struct part *part;
    struct bus_committed committed;
    struct view_meta meta;
    int64_t low, high;   /* of the journal */
    int64_t seq;         /* S; -1 = the journal's last */
    int64_t checkpoint;  /* c */
    int64_t last_seq, last_offset; /* the last whole record seen */
    int64_t checkpoint_offset;     /* of that record */
    bool began_beyond; /* the last reading met a record after S and none before it */
    bool has_vector;
    int64_t vector[BUS_INPUTS_MAX]; /* of that record; -1 = it does not name the input */
};

typedef enum baton_err (*record_visitor)(struct taking *taking, struct journal_record *record, int64_t offset, size_t bytes,
                                         void *context, struct baton_error *err);

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

/* Read records from `from` until S has been read whole, or, if S is not known or lies before `from`, to the end. BATON_E_RETRY: S is not
 * to be seen yet. BATON_E_STALE: the journal ends before S. */
static enum baton_err read_journal(struct taking *taking, int64_t from, record_visitor visit, void *context,
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

        rc = bus->read_next(bus->self, READ_WAIT_MS, &message, err);
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

static enum baton_err visit_dirty(struct taking *taking, struct journal_record *record, int64_t offset, size_t bytes,
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

/* --- catch up: records after w over the view --- */

struct catching {
    struct fold fold;
    int64_t from;   /* w that the view has now */
    int64_t to;     /* last whole record folded */
    int64_t jo;
    struct { struct journal_record record; } *kept; /* records of the chunk: states are loaded in one call */
    size_t kept_len, kept_cap;
    size_t sagas, bytes;
};

/* Load the chunk's sagas, fold its records over them, apply: from -> to. */
static enum baton_err catching_flush(struct taking *taking, struct catching *catching, struct baton_error *err)
{
    struct engine *engine = taking->engine;
    size_t n = HASH_COUNT(catching->fold.all), i = 0;
    const char **ids = calloc(n + 1, sizeof *ids);
    struct view_text *states = calloc(n + 1, sizeof *states);
    struct view_item *items = calloc(n + 1, sizeof *items);
    struct view_load load = {.partition = taking->part->partition, .ids = ids, .ids_len = n, .ret_states = states};
    struct view_apply apply = {.partition = taking->part->partition, .expected = catching->from, .target = catching->to,
                               .jo = catching->jo, .items = items, .items_len = n};
    struct journal_step step;
    json_t *item = NULL;
    enum baton_err rc = BATON_OK;

    if (ids == NULL || states == NULL || items == NULL) {
        rc = baton_fail(err, BATON_E_NOMEM, "out of memory while catching up");
        goto out;
    }
    if (catching->to == catching->from)
        goto out;
    for (struct folded *folded = catching->fold.all; folded != NULL; folded = folded->hh.next)
        ids[i++] = folded->id;
    if (n > 0) {
        rc = view_checked(engine, engine->view.load(engine->view.self, &load, 1, err), err);
        if (rc != BATON_OK)
            goto out;
        if (load.ret_w != catching->from) {
            rc = baton_fail(err, BATON_E_STALE, "the view moved while catching up");
            goto out;
        }
    }
    i = 0;
    for (struct folded *folded = catching->fold.all; folded != NULL; folded = folded->hh.next, i++) {
        if (!folded_set(&catching->fold, folded, states[i].text, states[i].len, catching->from)) {
            rc = baton_fail(err, BATON_E_NOMEM, "out of memory while catching up");
            goto out;
        }
    }
    for (size_t k = 0; k < catching->kept_len && rc == BATON_OK; k++) {
        struct journal_record *record = &catching->kept[k].record;

        json_array_foreach(record->steps, i, item) {
            if (journal_step_read(item, &step) && !step.note && step.saga_id != NULL)
                rc = folded_step(&catching->fold, fold_find(&catching->fold, step.saga_id), &step, record->seq, err);
            if (rc != BATON_OK)
                goto out;
        }
    }
    i = 0;
    for (struct folded *folded = catching->fold.all; folded != NULL; folded = folded->hh.next) {
        rc = folded_item(&catching->fold, folded, &items[i++], err);
        if (rc != BATON_OK)
            goto out;
    }
    rc = view_checked(engine, engine->view.apply(engine->view.self, &apply, 1, err), err);
    if (rc == BATON_OK && apply.ret_refused && apply.ret_w != catching->to)
        rc = baton_fail(err, BATON_E_STALE, "the view moved while catching up");
    if (rc == BATON_OK)
        catching->from = catching->to;
out:
    for (size_t k = 0; k < catching->kept_len; k++)
        journal_record_clear(&catching->kept[k].record);
    catching->kept_len = catching->bytes = 0;
    fold_clear(&catching->fold);
    free(ids);
    free(states);
    free(items);
    return rc;
}

static enum baton_err visit_catch_up(struct taking *taking, struct journal_record *record, int64_t offset, size_t bytes,
                                     void *context, struct baton_error *err)
{
    struct catching *catching = context;
    struct journal_step step;
    json_t *item = NULL;
    size_t i = 0;
    bool last = record->part == record->parts;

    if (record->seq <= catching->from) {
        catching->jo = offset;
        return BATON_OK;
    }
    if (record->seq > catching->to + 1)
        return baton_fail(err, BATON_E_INVALID, "partition %d: the journal goes from seq %" PRId64 " to %" PRId64,
                          taking->part->partition, catching->to, record->seq);
    json_array_foreach(record->steps, i, item) {
        if (!journal_step_read(item, &step))
            return baton_fail(err, BATON_E_INVALID, "journal record seq %" PRId64 ": step %zu is not one", record->seq, i);
        if (!step.note && step.saga_id != NULL && fold_add(&catching->fold, step.saga_id) == NULL)
            return baton_fail(err, BATON_E_NOMEM, "out of memory while catching up");
    }
    if (catching->kept_len == catching->kept_cap) {
        size_t cap = catching->kept_cap == 0 ? 64 : catching->kept_cap * 2;
        void *kept = realloc(catching->kept, cap * sizeof *catching->kept);

        if (kept == NULL)
            return baton_fail(err, BATON_E_NOMEM, "out of memory while catching up");
        catching->kept = kept;
        catching->kept_cap = cap;
    }
    catching->kept[catching->kept_len++].record = *record;
    memset(record, 0, sizeof *record); /* the chunk owns it now */
    catching->bytes += bytes;
    if (!last)
        return BATON_OK;
    catching->to = taking->last_seq;
    catching->jo = taking->last_offset;
    if (HASH_COUNT(catching->fold.all) >= CHUNK_SAGAS || catching->bytes >= CHUNK_BYTES)
        return catching_flush(taking, catching, err);
    return BATON_OK;
}

static enum baton_err catch_up(struct taking *taking, struct baton_error *err)
{
    struct catching catching = {.from = taking->meta.w, .to = taking->meta.w, .jo = taking->meta.jo};
    enum baton_err rc = read_journal(taking, taking->meta.jo < taking->low ? taking->low : taking->meta.jo, visit_catch_up,
                                     &catching, err);

    if (rc == BATON_OK)
        rc = catching_flush(taking, &catching, err);
    for (size_t k = 0; k < catching.kept_len; k++)
        journal_record_clear(&catching.kept[k].record);
    fold_clear(&catching.fold);
    free(catching.kept);
    if (rc == BATON_OK && catching.from > taking->meta.w)
        engine_count(taking->engine, STAT_CATCH_UPS, 1);
    return rc;
}

/* --- rebuild: the state topic, then the journal after c --- */

struct rebuilding {
    struct fold tail; /* sagas changed after c */
    char token[64];
    struct view_item *items;
    struct folded *chunk; /* CHUNK_SAGAS of them, outside any table: owners of the items' text */
    size_t items_len;
};

static enum baton_err visit_tail_ids(struct taking *taking, struct journal_record *record, int64_t offset, size_t bytes,
                                     void *context, struct baton_error *err)
{
    struct rebuilding *rebuilding = context;
    struct journal_step step;
    json_t *item = NULL;
    size_t i = 0;

    if (record->seq <= taking->checkpoint)
        return BATON_OK;
    json_array_foreach(record->steps, i, item) {
        if (journal_step_read(item, &step) && !step.note && step.saga_id != NULL &&
            fold_add(&rebuilding->tail, step.saga_id) == NULL)
            return baton_fail(err, BATON_E_NOMEM, "out of memory while rebuilding");
    }
    return visit_dirty(taking, record, offset, bytes, NULL, err);
}

static enum baton_err visit_tail_fold(struct taking *taking, struct journal_record *record, int64_t offset, size_t bytes,
                                      void *context, struct baton_error *err)
{
    struct rebuilding *rebuilding = context;
    struct journal_step step;
    json_t *item = NULL;
    size_t i = 0;
    enum baton_err rc = BATON_OK;

    (void)offset;
    (void)bytes;
    if (record->seq <= taking->checkpoint)
        return BATON_OK;
    json_array_foreach(record->steps, i, item) {
        struct folded *folded = NULL;

        if (!journal_step_read(item, &step) || step.note || step.saga_id == NULL)
            continue;
        folded = fold_find(&rebuilding->tail, step.saga_id);
        if (folded == NULL)
            continue;
        rc = folded_step(&rebuilding->tail, folded, &step, record->seq, err);
        if (rc == BATON_OK && !folded_settle(&rebuilding->tail, folded))
            rc = baton_fail(err, BATON_E_NOMEM, "out of memory while rebuilding");
        if (rc != BATON_OK)
            return rc;
    }
    return BATON_OK;
}

static enum baton_err rebuilding_flush(struct taking *taking, struct rebuilding *rebuilding, struct baton_error *err)
{
    struct engine *engine = taking->engine;
    struct fold none = {0};
    enum baton_err rc = BATON_OK;

    if (rebuilding->items_len > 0)
        rc = view_checked(engine,
                          engine->view.rebuild_put(engine->view.self, taking->part->partition, rebuilding->token,
                                                   rebuilding->items, rebuilding->items_len, err),
                          err);
    for (size_t i = 0; i < rebuilding->items_len; i++) {
        (void)folded_set(&none, &rebuilding->chunk[i], NULL, 0, 0);
    }
    rebuilding->items_len = 0;
    return rc;
}

static enum baton_err rebuilding_put(struct taking *taking, struct rebuilding *rebuilding, const char *id, const char *text,
                                     size_t len, struct baton_error *err)
{
    struct folded *folded = &rebuilding->chunk[rebuilding->items_len];
    struct fold none = {0};
    enum baton_err rc = BATON_OK;

    memset(folded, 0, sizeof *folded);
    (void)strcpy(folded->id, id);
    if (!folded_set(&none, folded, text, len, 0))
        return baton_fail(err, BATON_E_NOMEM, "out of memory while rebuilding");
    rc = folded_item(&none, folded, &rebuilding->items[rebuilding->items_len], err);
    rebuilding->items_len++;
    if (rc == BATON_OK && rebuilding->items_len == CHUNK_SAGAS)
        rc = rebuilding_flush(taking, rebuilding, err);
    return rc;
}

/* One record of the state topic. */
static enum baton_err take_state(struct taking *taking, struct rebuilding *rebuilding, const struct bus_message *message,
                                 struct baton_error *err)
{
    char id[SAGA_ID_MAX + 1];
    const struct bus_header *header = wire_header(message, STATE_SEQ_HEADER);
    struct folded *folded = NULL;
    int64_t as_of = 0;

    if (message->key == NULL || !saga_id_valid(message->key, message->key_len))
        return BATON_OK; /* not ours: somebody else's record in the topic */
    memcpy(id, message->key, message->key_len);
    id[message->key_len] = '\0';
    if (header != NULL && header->len < 24) {
        char digits[24] = "";

        memcpy(digits, header->value, header->len);
        as_of = strtoll(digits, NULL, 10);
    }
    if (as_of > taking->seq)
        return baton_fail(err, BATON_E_STALE, "partition %d: state of saga %s is of seq %" PRId64 ", the offsets say %" PRId64,
                          taking->part->partition, id, as_of, taking->seq);
    folded = fold_find(&rebuilding->tail, id);
    if (folded != NULL) {
        if (!folded_set(&rebuilding->tail, folded, message->value, message->value_len, as_of))
            return baton_fail(err, BATON_E_NOMEM, "out of memory while rebuilding");
        return BATON_OK;
    }
    return rebuilding_put(taking, rebuilding, id, message->value, message->value_len, err);
}

/* To the high watermark, not to the LSO: markers are late here too. */
static enum baton_err read_states(struct taking *taking, struct rebuilding *rebuilding, struct baton_error *err)
{
    struct engine *engine = taking->engine;
    struct bus *bus = &engine->bus;
    const char *topic = engine->options->state_topic;
    int32_t p = taking->part->partition;
    int64_t low = 0, high = 0, until = engine_now(engine) + ACQUIRE_PATIENCE_MS;
    enum baton_err rc = bus->watermarks(bus->self, topic, p, 5000, &low, &high, err);

    if (rc != BATON_OK || low == high)
        return rc;
    rc = bus->read_begin(bus->self, topic, p, low, err);
    while (rc == BATON_OK) {
        struct bus_message message;

        rc = bus->read_next(bus->self, READ_WAIT_MS, &message, err);
        if (rc == BATON_E_NOT_FOUND && message.offset >= high) {
            rc = BATON_OK;
            break;
        }
        if (rc == BATON_E_NOT_FOUND || rc == BATON_E_RETRY) {
            if (engine_now(engine) > until || engine_stopping(engine)) {
                rc = baton_fail(err, BATON_E_RETRY, "partition %d: %s is not readable to offset %" PRId64 " yet", p, topic, high);
                break;
            }
            rc = BATON_OK;
            continue;
        }
        if (rc != BATON_OK)
            break;
        rc = take_state(taking, rebuilding, &message, err);
        bus->release(bus->self, &message);
        until = engine_now(engine) + ACQUIRE_PATIENCE_MS;
    }
    bus->read_end(bus->self);
    return rc;
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

/* Find record S near the journal's end, without reading it all: its vector, its checkpoint. */
static enum baton_err find_last(struct taking *taking, struct baton_error *err)
{
    enum baton_err rc = BATON_OK;

    if (taking->low == taking->high)
        return BATON_OK;
    for (int64_t back = TAIL_STEP_OFFSETS;; back *= 4) {
        int64_t from = taking->high - back < taking->low ? taking->low : taking->high - back;

        rc = read_journal(taking, from, visit_nothing, NULL, err);
        if (from == taking->low)
            return rc;
        if (rc == BATON_E_STALE && taking->began_beyond)
            continue; /* S lies further back */
        /* Begun amid the parts of a record, its first offset is not known yet. */
        if (rc != BATON_OK || taking->last_offset >= 0)
            return rc;
    }
}

static enum baton_err rebuild(struct taking *taking, struct baton_error *err)
{
    struct engine *engine = taking->engine;
    struct rebuilding rebuilding = {.items = calloc(CHUNK_SAGAS, sizeof *rebuilding.items),
                                    .chunk = calloc(CHUNK_SAGAS, sizeof *rebuilding.chunk)};
    struct view_meta meta = {0};
    struct folded *folded = NULL, *next = NULL;
    int64_t from = 0, started = engine_now(engine);
    enum baton_err rc = BATON_OK;

    /* Before the first record there is nothing to show: a first start is no trouble. */
    ENGINE_LOG(engine, taking->seq > 0 ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "partition %d: the view shows %s; rebuilding it from %s and %s", taking->part->partition,
               taking->meta.w == VIEW_NO_W ? "nothing" : "another journal", engine->options->state_topic,
               engine->options->journal_topic);
    if (rebuilding.items == NULL || rebuilding.chunk == NULL) {
        rc = baton_fail(err, BATON_E_NOMEM, "out of memory while rebuilding");
        goto out;
    }
    (void)snprintf(rebuilding.token, sizeof rebuilding.token, "%.40s-%" PRIx64, engine->options->worker_name,
                   (uint64_t)started ^ (uint64_t)engine->thread << 56);
    from = taking->checkpoint_offset >= taking->low ? taking->checkpoint_offset : taking->low;
    if (taking->last_seq > taking->checkpoint) {
        rc = read_journal(taking, from, visit_tail_ids, &rebuilding, err);
        if (rc != BATON_OK)
            goto out;
    }
    rc = view_checked(engine, engine->view.rebuild_begin(engine->view.self, taking->part->partition, rebuilding.token, err), err);
    if (rc == BATON_OK)
        rc = read_states(taking, &rebuilding, err);
    if (rc == BATON_OK && rebuilding.tail.all != NULL)
        rc = read_journal(taking, from, visit_tail_fold, &rebuilding, err);
    HASH_ITER(hh, rebuilding.tail.all, folded, next) {
        if (rc == BATON_OK)
            rc = rebuilding_put(taking, &rebuilding, folded->id, folded->text, folded->text_len, err);
    }
    if (rc == BATON_OK)
        rc = rebuilding_flush(taking, &rebuilding, err);
    if (rc != BATON_OK)
        goto out;
    meta.w = taking->seq;
    meta.jo = taking->last_offset >= 0 ? taking->last_offset : taking->high;
    (void)snprintf(meta.epoch, sizeof meta.epoch, "%s", engine->options->epoch);
    rc = view_checked(engine, engine->view.rebuild_end(engine->view.self, taking->part->partition, rebuilding.token, &meta, err), err);
    if (rc == BATON_OK) {
        engine_count(engine, STAT_REBUILDS, 1);
        ENGINE_LOG(engine, LOG_LEVEL_INFO, "partition %d: view rebuilt to seq %" PRId64 " in %" PRId64 " ms",
                   taking->part->partition, taking->seq, engine_now(engine) - started);
    }
out:
    if (rebuilding.chunk != NULL) {
        struct fold none = {0};

        for (size_t i = 0; i < rebuilding.items_len; i++)
            (void)folded_set(&none, &rebuilding.chunk[i], NULL, 0, 0);
    }
    fold_clear(&rebuilding.tail);
    free(rebuilding.items);
    free(rebuilding.chunk);
    return rc;
}

/* --- the whole --- */

/* Inputs without a position of their own start at their beginning: a first start, or a start topic bound later. */
static enum baton_err settle_offsets(struct taking *taking, struct baton_error *err)
{
    const struct worker_options *options = taking->engine->options;
    struct part *part = taking->part;
    struct bus *bus = &taking->engine->bus;

    for (size_t i = 0; i < options->inputs_len; i++) {
        int64_t low = 0, high = 0, committed = taking->committed.offsets[i];
        enum baton_err rc = BATON_OK;

        part->offsets[i] = taking->has_vector ? taking->vector[i] : -1;
        if (part->offsets[i] >= 0) {
            if (committed > part->offsets[i])
                return baton_fail(err, BATON_E_STALE,
                                  "%s partition %d: the group's offset %" PRId64 " is ahead of the journal's %" PRId64
                                  ": somebody moved it; set it back, or these inputs would be skipped",
                                  options->inputs[i].topic, part->partition, committed, part->offsets[i]);
            continue;
        }
        if (committed >= 0) {
            part->offsets[i] = committed;
            continue;
        }
        rc = bus->watermarks(bus->self, options->inputs[i].topic, part->partition, 5000, &low, &high, err);
        if (rc != BATON_OK)
            return rc;
        part->offsets[i] = low;
    }
    return BATON_OK;
}

static enum baton_err acquire(struct engine *engine, struct part *part, struct baton_error *err)
{
    struct taking taking = {.engine = engine, .part = part, .seq = -1, .last_seq = -1, .last_offset = -1, .checkpoint_offset = -1};
    struct bus *bus = &engine->bus;
    enum baton_err rc = BATON_OK;
    bool view_fits = false;

    part_forget(engine, part);
    rc = bus->committed(bus->self, &part->partition, 1, 1000, &taking.committed, err);
    if (rc == BATON_OK)
        rc = bus->watermarks(bus->self, engine->options->journal_topic, part->partition, 5000, &taking.low, &taking.high, err);
    if (rc == BATON_OK)
        rc = view_checked(engine, engine->view.meta(engine->view.self, part->partition, &taking.meta, err), err);
    if (rc != BATON_OK)
        return rc;
    if (taking.committed.known) {
        taking.seq = taking.committed.seq;
        taking.checkpoint = taking.committed.checkpoint;
    } else if (taking.low == taking.high) {
        taking.seq = 0;
    }
    /* Record S: its vector; and S itself where the group knows nothing (offsets expired, another group id). */
    rc = taking.seq == 0 ? BATON_OK : find_last(&taking, err);
    if (rc != BATON_OK)
        return rc;
    if (taking.seq < 0)
        taking.seq = taking.last_seq < 0 ? 0 : taking.last_seq;
    if (taking.last_seq != taking.seq && taking.seq > 0 && taking.checkpoint < taking.seq)
        return baton_fail(err, BATON_E_STALE,
                          "partition %d: %s ends at seq %" PRId64 ", the offsets say %" PRId64 " with checkpoint %" PRId64
                          ": records were deleted, or it is another cluster's topic", part->partition,
                          engine->options->journal_topic, taking.last_seq, taking.seq, taking.checkpoint);
    rc = settle_offsets(&taking, err);
    if (rc != BATON_OK)
        return rc;
    part->checkpoint = taking.checkpoint;
    view_fits = taking.meta.w != VIEW_NO_W && strcmp(taking.meta.epoch, engine->options->epoch) == 0;
    if (view_fits && taking.meta.w > taking.seq)
        return baton_fail(err, BATON_E_STALE,
                          "partition %d: the view shows seq %" PRId64 ", the committed offsets say %" PRId64
                          ": offsets were moved back, or the journal lost its end", part->partition, taking.meta.w, taking.seq);
    if (view_fits && taking.meta.w < taking.seq && taking.meta.jo < taking.low)
        view_fits = false; /* older than the journal keeps */
    if (!view_fits) {
        rc = rebuild(&taking, err);
    } else {
        if (taking.meta.w < taking.seq)
            rc = catch_up(&taking, err);
        if (rc == BATON_OK && taking.meta.w < taking.seq && taking.last_seq != taking.seq)
            rc = baton_fail(err, BATON_E_STALE, "partition %d: journal records after the view's seq %" PRId64 " are missing",
                            part->partition, taking.meta.w);
        if (rc == BATON_OK && taking.checkpoint < taking.seq)
            rc = read_journal(&taking, taking.checkpoint_offset < taking.low ? taking.low : taking.checkpoint_offset,
                              visit_dirty, NULL, err);
    }
    if (rc != BATON_OK)
        return rc;
    part->seq = part->shown = taking.seq;
    part->last_offset = taking.last_offset;
    trial_found(engine, part, taking.meta.trial);
    rc = timers_refill(engine, part, err);
    if (rc == BATON_OK)
        rc = bus->seek(bus->self, part->partition, part->offsets, err);
    if (rc == BATON_OK)
        rc = bus->resume(bus->self, part->partition, err);
    return rc;
}

/* A position that makes no sense may only be old: it is fetched again for a while before the partition stops. */
static void not_acquired(struct engine *engine, struct part *part, enum baton_err rc, const struct baton_error *err)
{
    int64_t now = engine_now(engine);

    part_forget(engine, part);
    part->retry_at_ms = now + ACQUIRE_RETRY_MS;
    if (rc == BATON_E_RETRY) {
        part->waiting_since_ms = part->waiting_since_ms == 0 ? now : part->waiting_since_ms;
        if (now - part->waiting_since_ms >= ACQUIRE_PATIENCE_MS) {
            ENGINE_LOG(engine, LOG_LEVEL_ERROR, "partition %d is still waiting: %s", part->partition, err->text);
            part->waiting_since_ms = now;
        }
        return;
    }
    if (part->troubled_since_ms == 0) {
        part->troubled_since_ms = now;
        ENGINE_LOG(engine, LOG_LEVEL_WARN, "%s; looking again", err->text);
    }
    if (now - part->troubled_since_ms < ACQUIRE_PATIENCE_MS && part->state == PART_ACQUIRING)
        return;
    ENGINE_LOG(engine, LOG_LEVEL_ERROR, "partition %d is STOPPED: %s", part->partition, err->text);
    part->state = PART_STOPPED;
    part->retry_at_ms = now + STOPPED_RETRY_MS;
}

void acquire_parts(struct engine *engine)
{
    int64_t ready = 0, owned = 0;
    bool acquired = false;

    engine->now_ms = engine_now(engine);
    engine->definitions_asked = false;
    for (int32_t p = 0; p < engine->options->partitions && engine->bus_open; p++) {
        struct part *part = &engine->parts[p];
        struct baton_error err = {0};
        enum baton_err rc = BATON_OK;

        if ((part->state == PART_ACQUIRING || part->state == PART_STOPPED) && part->retry_at_ms <= engine_now(engine) &&
            engine->view_away_until_ms <= engine_now(engine) && !engine_stopping(engine)) {
            rc = acquire(engine, part, &err);
            acquired = true;
            if (rc == BATON_OK) {
                part->state = PART_READY;
                part->troubled_since_ms = part->waiting_since_ms = 0;
                ENGINE_LOG(engine, LOG_LEVEL_INFO, "partition %d: ready at seq %" PRId64 ", checkpoint %" PRId64 ", %zu dirty",
                           part->partition, part->seq, part->checkpoint, part->dirty_len);
            } else if (rc == BATON_E_FATAL) {
                engine_fail(engine, &err);
                return;
            } else {
                not_acquired(engine, part, rc, &err);
            }
        }
        owned += part->state != PART_NONE;
        ready += part->state == PART_READY;
    }
    if (acquired)
        (void)malloc_trim(0); /* reading the journal's records took many times what is kept of them */
    engine->ready_parts = (size_t)ready;
    engine_set(engine, STAT_OWNED, owned);
    engine_set(engine, STAT_READY, ready);
}

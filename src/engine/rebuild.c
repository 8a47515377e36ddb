/*
 * rebuild.c -- the view made anew: the state topic, then the journal after c.
 *
 * Owns:     what a partition's sagas are when the view is gone or of another journal.
 * Model:    tests/model/protocol_model.py, rules rebuild_*.
 * Tests:    tests/engine/test_acquire.c, tests/integration/test_redis_lies.py
 */
#include "acquire.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

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
    return taking_visit_dirty(taking, record, offset, bytes, NULL, err);
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

        rc = bus->read_next(bus->self, ACQUIRE_READ_WAIT_MS, &message, err);
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

enum baton_err taking_rebuild(struct taking *taking, struct baton_error *err)
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
        rc = taking_read_journal(taking, from, visit_tail_ids, &rebuilding, err);
        if (rc != BATON_OK)
            goto out;
    }
    rc = view_checked(engine, engine->view.rebuild_begin(engine->view.self, taking->part->partition, rebuilding.token, err), err);
    if (rc == BATON_OK)
        rc = read_states(taking, &rebuilding, err);
    if (rc == BATON_OK && rebuilding.tail.all != NULL)
        rc = taking_read_journal(taking, from, visit_tail_fold, &rebuilding, err);
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

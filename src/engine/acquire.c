/*
 * acquire.c -- taking over a partition: where is it, does the view show that, and if not, make it.
 *
 * Owns:     design.md section 6, "Acquire p": committed offsets -> S and c; the view's w -> catch up to S, or rebuild; the vector; the
 *           dirty sagas. Decides nothing about a saga.
 * Model:    tests/model/protocol_model.py, acquire(): rules require_stable, catch_up = 'seq', rebuild_*, dirty_from_tail,
 *           refetch_before_alarm.
 * Tests:    tests/engine/test_acquire.c, test_threads.c, tests/integration/
 */
#include "acquire.h"
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

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
    rc = taking.seq == 0 ? BATON_OK : taking_find_last(&taking, err);
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
        rc = taking_rebuild(&taking, err);
    } else {
        if (taking.meta.w < taking.seq)
            rc = taking_catch_up(&taking, err);
        if (rc == BATON_OK && taking.meta.w < taking.seq && taking.last_seq != taking.seq)
            rc = baton_fail(err, BATON_E_STALE, "partition %d: journal records after the view's seq %" PRId64 " are missing",
                            part->partition, taking.meta.w);
        if (rc == BATON_OK && taking.checkpoint < taking.seq)
            rc = taking_read_journal(&taking, taking.checkpoint_offset < taking.low ? taking.low : taking.checkpoint_offset,
                              taking_visit_dirty, NULL, err);
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

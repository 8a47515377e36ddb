/*
 * catch_up.c -- the view brought from w to S, by the journal's records between.
 *
 * Owns:     chunks: each is loaded, folded and applied in one step of w.
 * Model:    tests/model/protocol_model.py, rule catch_up = 'seq': to S, never to "the end that I see".
 * Tests:    tests/engine/test_acquire.c, tests/integration/
 */
#include "acquire.h"
#include <inttypes.h>
#include <stdlib.h>

#define CHUNK_BYTES (4 * 1024 * 1024)

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

enum baton_err taking_catch_up(struct taking *taking, struct baton_error *err)
{
    struct catching catching = {.from = taking->meta.w, .to = taking->meta.w, .jo = taking->meta.jo};
    enum baton_err rc = taking_read_journal(taking, taking->meta.jo < taking->low ? taking->low : taking->meta.jo, visit_catch_up,
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

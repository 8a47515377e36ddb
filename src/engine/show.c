/*
 * show.c -- the view follows the journal: committed changes, coalesced, under the watermark.
 *
 * Owns:     when and what is applied; Redis away.
 * Rule:     w goes from where this thread left it to the last committed seq, with every saga changed between (model: apply_is_cas,
 *           apply_every_saga).
 * Tests:    tests/engine/test_view.c, tests/integration/
 */
#include "cached.h"
#include <stdlib.h>

#define AWAY_DELAY_MIN_MS 50
#define AWAY_DELAY_MAX_MS 2000

enum baton_err view_checked(struct engine *engine, enum baton_err rc, struct baton_error *err)
{
    int64_t now = engine_now(engine);

    if (rc != BATON_E_RETRY && rc != BATON_E_FATAL) {
        if (engine->view_away_since_ms != 0)
            ENGINE_LOG(engine, LOG_LEVEL_INFO, "redis answers again after %lld ms", (long long)(now - engine->view_away_since_ms));
        engine->view_away_since_ms = engine->view_away_until_ms = engine->view_delay_ms = 0;
        return rc;
    }
    if (engine->view_away_since_ms == 0) {
        engine->view_away_since_ms = now;
        ENGINE_LOG(engine, rc == BATON_E_FATAL ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN,
                   "%s; sagas wait in Kafka until it serves again", err->text);
    }
    engine->view_delay_ms = engine->view_delay_ms == 0 ? AWAY_DELAY_MIN_MS : engine->view_delay_ms * 2;
    if (engine->view_delay_ms > AWAY_DELAY_MAX_MS)
        engine->view_delay_ms = AWAY_DELAY_MAX_MS;
    engine->view_away_until_ms = now + engine->view_delay_ms;
    return BATON_E_RETRY;
}

void unshown_add(struct engine *engine, struct entry *entry)
{
    struct part *part = entry->part;

    if (!entry->unshown) {
        entry->unshown = true;
        entry->next_unshown = part->unshown;
        part->unshown = entry;
        part->unshown_len++;
        engine->unshown_total++;
    }
    engine->unshown_bytes += entry->bytes - entry->unshown_bytes;
    entry->unshown_bytes = entry->bytes;
}

void unshown_drop(struct engine *engine, struct entry *entry)
{
    if (!entry->unshown)
        return;
    entry->unshown = false;
    entry->next_unshown = NULL;
    engine->unshown_total--;
    engine->unshown_bytes -= entry->unshown_bytes;
    entry->unshown_bytes = 0;
}

static size_t unshown_bytes_max(const struct engine *engine)
{
    size_t cache = cache_bytes_max(engine);

    return cache < UNSHOWN_BYTES_MIN ? UNSHOWN_BYTES_MIN : cache;
}

bool show_overdue(const struct engine *engine)
{
    return engine->unshown_total >= UNSHOWN_COUNT_MAX || engine->unshown_bytes >= 2 * unshown_bytes_max(engine);
}

bool show_due(const struct engine *engine, int64_t *ret_at_ms)
{
    int64_t at = INT64_MAX, lag = (int64_t)engine->options->limits.view_lag_ms * (engine->busy ? VIEW_LAG_BUSY : 1);
    bool many = engine->unshown_total >= UNSHOWN_SHOW_COUNT || engine->unshown_bytes >= unshown_bytes_max(engine);

    for (int32_t p = 0; p < engine->options->partitions; p++) {
        const struct part *part = &engine->parts[p];

        if (part->state != PART_READY || part->shown == part->seq)
            continue;
        if (part->show_now || many)
            at = 0;
        else if (part->unshown_since_ms + lag < at)
            at = part->unshown_since_ms + lag;
    }
    if (at < engine->view_away_until_ms)
        at = engine->view_away_until_ms;
    *ret_at_ms = at;
    return at != INT64_MAX;
}

/* The entry's state as text, made once: the journal's trickle may have made it already. */
static bool entry_text(struct entry *entry, struct buffer *scratch)
{
    if (entry->text != NULL || entry->removed)
        return true;
    buffer_clear(scratch);
    wire_state_write(scratch, entry->saga);
    if (scratch->failed || (entry->text = malloc(scratch->len)) == NULL)
        return false;
    memcpy(entry->text, scratch->data, scratch->len);
    entry->text_len = scratch->len;
    return true;
}

static struct view_item item_of(const struct entry *entry)
{
    if (entry->removed)
        return (struct view_item){.id = entry->id, .type = ""};
    return (struct view_item){
        .id = entry->id,
        .type = entry->summary.type,
        .version = entry->summary.version,
        .seq = entry->summary.seq,
        .status = entry->summary.status,
        .due_ms = entry->summary.due_ms,
        .updated_ms = entry->summary.updated_ms,
        .state = entry->text,
        .state_len = entry->text_len,
    };
}

/* What has been shown may be evicted; what has ended is not needed any more. */
static void shown(struct engine *engine, struct part *part)
{
    struct entry *entry = part->unshown;

    while (entry != NULL) {
        struct entry *next = entry->next_unshown;
        size_t state_len = entry->text_len;

        unshown_drop(engine, entry);
        entry->removed = entry->asleep = false;
        free(entry->text);
        entry->text = NULL;
        entry->text_len = 0;
        entry->state_len = state_len;
        if (!entry->touched && (entry->saga == NULL || (saga_status_ended(entry->saga->status) && entry->saga->due_at_ms == 0)))
            cache_remove(engine, entry);
        else
            cache_account(engine, entry, state_len);
        entry = next;
    }
    part->unshown = NULL;
    part->unshown_len = 0;
    part->show_now = false;
    part->shown = part->seq;
}

/* Everything the part has unshown, as one apply. */
static bool prepare(struct engine *engine, struct part *part, struct view_item *items, struct view_apply *apply)
{
    size_t n = 0;

    for (struct entry *entry = part->unshown; entry != NULL; entry = entry->next_unshown) {
        if (!entry_text(entry, &engine->scratch))
            return false;
        items[n++] = item_of(entry);
    }
    *apply = (struct view_apply){.partition = part->partition, .expected = part->shown, .target = part->seq,
                                 .jo = part->last_offset, .items = items, .items_len = n};
    return true;
}

static bool reserve_items(struct engine *engine)
{
    struct view_item *items = NULL;

    if (engine->unshown_total <= engine->show_items_cap)
        return true;
    items = realloc(engine->show_items, 2 * engine->unshown_total * sizeof *items);
    if (items == NULL)
        return false;
    engine->show_items = items;
    engine->show_items_cap = 2 * engine->unshown_total;
    return true;
}

enum baton_err show(struct engine *engine, struct part *only, struct baton_error *err)
{
    size_t parts = (size_t)engine->options->partitions, n = 0, at = 0;
    struct view_apply *applies = engine->show_applies;
    enum baton_err rc = BATON_OK;

    cached_flush(engine);
    if (!reserve_items(engine))
        return baton_fail(err, BATON_E_NOMEM, "out of memory for the view");
    for (size_t p = 0; p < parts; p++) {
        struct part *part = &engine->parts[p];

        if (part->state != PART_READY || part->shown == part->seq || (only != NULL && part != only))
            continue;
        if (!prepare(engine, part, engine->show_items + at, &applies[n++]))
            return baton_fail(err, BATON_E_NOMEM, "out of memory for the view");
        at += part->unshown_len;
    }
    if (n == 0)
        return BATON_OK;
    rc = view_checked(engine, engine->view.apply(engine->view.self, applies, n, err), err);
    if (rc != BATON_OK)
        return rc;
    engine_count(engine, STAT_VIEW_APPLIES, (int64_t)n);
    for (size_t i = 0; i < n; i++) {
        struct part *part = &engine->parts[applies[i].partition];

        if (applies[i].ret_refused && applies[i].ret_w != part->seq)
            part_stale(engine, part, "the view is not where this worker left it");
        else
            shown(engine, part);
    }
    cache_shrink(engine);
    return BATON_OK;
}

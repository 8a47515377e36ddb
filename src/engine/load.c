/*
 * load.c -- the sagas that a batch needs, from the cache or the view.
 *
 * Owns:     one load per partition, all sent at once.
 * Rule:     a view is believed only if its w is what this thread last wrote (model: load_checks_w).
 * Tests:    tests/engine/test_view.c, tests/integration/
 */
#include "engine_internal.h"
#include <stdlib.h>

struct wanted {
    const char *id;
    struct part *part;
};

struct wanting {
    struct wanted *items;
    size_t len, cap;
};

static int by_part_and_id(const void *a, const void *b)
{
    const struct wanted *one = a, *two = b;

    if (one->part != two->part)
        return one->part->partition < two->part->partition ? -1 : 1;
    return strcmp(one->id, two->id);
}

/* Its text was made from a saga of this thread: it reads back, unless memory ran out. */
static bool wake(struct engine *engine, struct entry *entry)
{
    struct baton_error err;

    if (!entry->asleep)
        return true;
    if (definitions_read_state(engine, entry->text, entry->text_len, &entry->saga, &err) != BATON_OK)
        return false;
    entry->asleep = false;
    cache_account(engine, entry, entry->text_len);
    return true;
}

static bool want(struct engine *engine, struct wanting *wanting, struct part *part, const char *id)
{
    struct entry *entry = cache_find(engine, id);

    if (entry != NULL) {
        cache_touch(engine, entry);
        return wake(engine, entry);
    }
    if (wanting->len == wanting->cap) {
        size_t cap = wanting->cap == 0 ? 256 : wanting->cap * 2;
        struct wanted *items = realloc(wanting->items, cap * sizeof *items);

        if (items == NULL)
            return false;
        wanting->items = items;
        wanting->cap = cap;
    }
    wanting->items[wanting->len++] = (struct wanted){.id = id, .part = part};
    return true;
}

static bool want_all(struct engine *engine, struct wanting *wanting)
{
    bool fine = true;

    for (size_t i = 0; i < engine->items_len && fine; i++) {
        struct item *item = &engine->items[i];

        for (size_t k = 0; item->page != NULL && item->part->state == PART_READY && k < item->page->ret_n && fine; k++)
            fine = want(engine, wanting, item->part, item->page->items[k].id);
        if (item->part->state == PART_READY && item->page == NULL && (item->kind == ITEM_START || item->kind == ITEM_REPLY || item->kind == ITEM_CONTROL))
            fine = want(engine, wanting, item->part, item->id);
    }
    for (size_t i = 0; i < engine->fired_len && fine; i++) {
        if (engine->parts[engine->fired[i].partition].state == PART_READY)
            fine = want(engine, wanting, &engine->parts[engine->fired[i].partition], engine->fired[i].id);
    }
    for (int32_t p = 0; p < engine->options->partitions; p++) {
        for (size_t i = 0; i < engine->parts[p].trickle_len && fine; i++)
            fine = want(engine, wanting, &engine->parts[p], engine->parts[p].trickle[i]);
        for (size_t i = 0; i < engine->parts[p].purge_len && fine; i++)
            fine = want(engine, wanting, &engine->parts[p], engine->parts[p].purge[i].id);
    }
    return fine;
}

/* Take one loaded state into the cache. One that cannot be read (its definition is gone from the topic) stays as text: what comes for it
 * is dead-lettered, the partition goes on. */
static enum baton_err take(struct engine *engine, struct part *part, const char *id, const struct view_text *state,
                           struct baton_error *err)
{
    struct saga *saga = NULL;
    struct entry *entry = NULL;
    enum baton_err rc = BATON_OK;

    if (state->text != NULL)
        rc = definitions_read_state(engine, state->text, state->len, &saga, err);
    if (rc == BATON_E_NOMEM)
        return rc;
    entry = cache_insert(engine, part, id, saga);
    if (entry == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory for saga %s", id);
    entry->state_len = state->len;
    if (rc == BATON_OK)
        return BATON_OK;
    ENGINE_LOG(engine, LOG_LEVEL_ERROR, "saga %s: %s; messages for it go to the dead letters", id, err->text);
    entry->broken = true;
    entry->text = malloc(state->len + 1);
    if (entry->text == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory for saga %s", id);
    memcpy(entry->text, state->text, state->len);
    entry->text_len = state->len;
    cache_account(engine, entry, state->len);
    return BATON_OK;
}

enum baton_err load_batch(struct engine *engine, struct baton_error *err)
{
    struct wanting wanting = {0};
    struct view_load *loads = NULL;
    struct view_text *states = NULL;
    const char **ids = NULL;
    size_t n = 0, loads_len = 0;
    enum baton_err rc = BATON_OK;

    if (!want_all(engine, &wanting)) {
        rc = baton_fail(err, BATON_E_NOMEM, "out of memory for a batch");
        goto out;
    }
    if (wanting.len == 0)
        goto out;
    qsort(wanting.items, wanting.len, sizeof *wanting.items, by_part_and_id);
    ids = calloc(wanting.len, sizeof *ids);
    states = calloc(wanting.len, sizeof *states);
    loads = calloc((size_t)engine->options->partitions, sizeof *loads);
    if (ids == NULL || states == NULL || loads == NULL) {
        rc = baton_fail(err, BATON_E_NOMEM, "out of memory for a batch");
        goto out;
    }
    for (size_t i = 0; i < wanting.len; i++) {
        bool other_part = i == 0 || wanting.items[i].part != wanting.items[i - 1].part;

        if (!other_part && strcmp(wanting.items[i].id, wanting.items[i - 1].id) == 0)
            continue;
        if (other_part) {
            loads[loads_len++] = (struct view_load){.partition = wanting.items[i].part->partition, .ids = ids + n,
                                                    .ret_states = states + n};
        }
        ids[n++] = wanting.items[i].id;
        loads[loads_len - 1].ids_len++;
    }
    rc = view_checked(engine, engine->view.load(engine->view.self, loads, loads_len, err), err);
    if (rc != BATON_OK)
        goto out;
    engine_count(engine, STAT_VIEW_LOADS, (int64_t)n);
    for (size_t i = 0; i < loads_len; i++) {
        struct part *part = &engine->parts[loads[i].partition];

        for (size_t k = 0; k < loads[i].ids_len && loads[i].ret_w == part->shown; k++) {
            rc = take(engine, part, loads[i].ids[k], &loads[i].ret_states[k], err);
            if (rc != BATON_OK)
                goto out;
        }
    }
    /* Afterwards: giving a partition up talks to the view, and with that the loaded texts are gone. */
    for (size_t i = 0; i < loads_len; i++) {
        struct part *part = &engine->parts[loads[i].partition];

        if (loads[i].ret_w != part->shown)
            part_stale(engine, part, "the view is not where this worker left it");
    }
out:
    free(wanting.items);
    free(ids);
    free(states);
    free(loads);
    return rc;
}

/*
 * cache.c -- sagas in memory, bounded by bytes and by how long nothing came for them, least recently used out first.
 *
 * Owns:     the entries.
 * Rule:     an entry leaves only when the view shows its last change (model: evict_only_shown), and never in mid-batch.
 * Tests:    tests/engine/test_view.c
 */
#include "engine_internal.h"
#include <stdlib.h>

/* Measured: a state of n bytes of text takes about 3.4 times that in jansson values. */
#define HEAP_PER_TEXT 4

size_t cache_bytes_max(const struct engine *engine)
{
    return engine->options->limits.cache_bytes / (size_t)engine->options->threads;
}

struct entry *cache_find(struct engine *engine, const char *id)
{
    struct entry *entry = NULL;

    HASH_FIND_STR(engine->entries, id, entry);
    return entry;
}

void cache_account(struct engine *engine, struct entry *entry, size_t state_len)
{
    size_t bytes = sizeof *entry + entry->text_len + (entry->saga != NULL ? sizeof *entry->saga + HEAP_PER_TEXT * state_len : 0);

    engine->cache_bytes += bytes - entry->bytes;
    entry->bytes = bytes;
}

struct entry *cache_insert(struct engine *engine, struct part *part, const char *id, struct saga *saga)
{
    struct entry *entry = calloc(1, sizeof *entry + strlen(id) + 1);

    if (entry == NULL) {
        saga_free(saga);
        return NULL;
    }
    (void)strcpy(entry->id, id);
    entry->part = part;
    entry->saga = saga;
    entry->used_ms = engine->now_ms;
    HASH_ADD_STR(engine->entries, id, entry);
    DL_APPEND(engine->lru, entry);
    if (saga != NULL)
        entry->bytes = saga_heap_bytes(saga);
    else
        entry->bytes = sizeof *entry;
    engine->cache_bytes += entry->bytes;
    return entry;
}

void cache_touch(struct engine *engine, struct entry *entry)
{
    entry->used_ms = engine->now_ms;
    if (engine->lru->prev == entry)
        return;
    DL_DELETE(engine->lru, entry);
    DL_APPEND(engine->lru, entry);
}

void cache_remove(struct engine *engine, struct entry *entry)
{
    HASH_DEL(engine->entries, entry);
    DL_DELETE(engine->lru, entry);
    engine->cache_bytes -= entry->bytes;
    unshown_drop(engine, entry);
    saga_free(entry->saga);
    saga_free(entry->work);
    free(entry->text);
    free(entry->work_text);
    free(entry);
}

void cache_shrink(struct engine *engine)
{
    struct entry *entry = engine->lru;
    int64_t cold_ms = engine_now(engine) - CACHE_IDLE_MAX_MS;

    while (entry != NULL && (engine->cache_bytes > cache_bytes_max(engine) || entry->used_ms <= cold_ms)) {
        struct entry *next = entry->next;

        if (!entry->unshown && !entry->touched)
            cache_remove(engine, entry);
        entry = next;
    }
    engine_set(engine, STAT_CACHE_BYTES, (int64_t)engine->cache_bytes);
    engine_set(engine, STAT_CACHE_SAGAS, (int64_t)HASH_COUNT(engine->entries));
}

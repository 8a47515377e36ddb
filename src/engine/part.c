/*
 * part.c -- what a thread knows of one partition p: its position, its dirty sagas, where its journal records lie.
 *
 * Owns:     struct part; the order of dirty sagas (oldest first, so that the head tells the checkpoint).
 * Tests:    tests/engine/test_acquire.c
 */
#include "engine_internal.h"
#include <stdlib.h>

void part_init(struct part *part, int32_t partition)
{
    memset(part, 0, sizeof *part);
    part->partition = partition;
    part->last_offset = -1;
}

static void dirty_clear(struct part *part)
{
    struct dirty *dirty = NULL, *next = NULL;

    HASH_CLEAR(hh, part->dirty_by_id);
    DL_FOREACH_SAFE(part->dirty_list, dirty, next) {
        free(dirty);
    }
    part->dirty_list = NULL;
    part->dirty_len = 0;
}

void part_forget(struct engine *engine, struct part *part)
{
    struct entry *entry = NULL, *next = NULL;

    trial_forget(engine, part);
    HASH_ITER(hh, engine->entries, entry, next) {
        if (entry->part == part)
            cache_remove(engine, entry);
    }
    part->unshown = NULL;
    part->unshown_len = 0;
    part->show_now = false;
    dirty_clear(part);
    timers_clear(part);
    part->marks_len = part->marks_first = 0;
    part->seq = part->checkpoint = part->shown = part->journal_bytes = 0;
    part->last_offset = -1;
    part->timers_until_ms = 0;
    part->touched = false;
}

void part_give_back(struct part *part)
{
    for (size_t i = 0; i < part->writers_cap; i++)
        journal_writer_free(&part->writers[i]);
    free(part->writers);
    free(part->trickle);
    free(part->purge);
    part->writers = NULL;
    part->writers_cap = part->writers_len = part->trickle_len = part->purge_len = 0;
    part->trickle = NULL;
    part->purge = NULL;
}

void part_free(struct part *part)
{
    dirty_clear(part);
    timers_clear(part);
    part_give_back(part);
    free(part->timers);
    free(part->marks);
}

struct journal_writer *part_writer(struct part *part)
{
    struct journal_writer *last = part->writers_len == 0 ? NULL : &part->writers[part->writers_len - 1];

    if (last != NULL && last->steps.len < RECORD_STEPS_BYTES_MAX)
        return last;
    if (part->writers_len == part->writers_cap) {
        size_t cap = part->writers_cap == 0 ? 1 : part->writers_cap * 2;
        struct journal_writer *writers = realloc(part->writers, cap * sizeof *writers);

        if (writers == NULL)
            return NULL;
        memset(writers + part->writers_cap, 0, (cap - part->writers_cap) * sizeof *writers);
        part->writers = writers;
        part->writers_cap = cap;
    }
    last = &part->writers[part->writers_len++];
    journal_writer_clear(last);
    return last;
}

void part_stale(struct engine *engine, struct part *part, const char *why)
{
    struct baton_error err;

    if (part->state != PART_READY)
        return;
    ENGINE_LOG(engine, LOG_LEVEL_WARN, "partition %d: %s; acquiring it again", part->partition, why);
    if (engine->bus.pause(engine->bus.self, part->partition, &err) != BATON_OK)
        ENGINE_LOG(engine, LOG_LEVEL_WARN, "partition %d: pause: %s", part->partition, err.text);
    part_forget(engine, part);
    part->state = PART_ACQUIRING;
    part->retry_at_ms = 0;
}

bool part_dirty_add(struct part *part, const char *id, int64_t seq, int64_t now_ms)
{
    struct dirty *dirty = NULL;

    HASH_FIND_STR(part->dirty_by_id, id, dirty);
    if (dirty != NULL)
        return true;
    dirty = calloc(1, sizeof *dirty + strlen(id) + 1);
    if (dirty == NULL)
        return false;
    (void)strcpy(dirty->id, id);
    dirty->first_seq = seq;
    dirty->since_ms = now_ms;
    HASH_ADD_STR(part->dirty_by_id, id, dirty);
    DL_APPEND(part->dirty_list, dirty);
    part->dirty_len++;
    return true;
}

void part_dirty_remove(struct part *part, const char *id)
{
    struct dirty *dirty = NULL;

    HASH_FIND_STR(part->dirty_by_id, id, dirty);
    if (dirty == NULL)
        return;
    HASH_DEL(part->dirty_by_id, dirty);
    DL_DELETE(part->dirty_list, dirty);
    part->dirty_len--;
    free(dirty);
}

bool part_mark_add(struct part *part, int64_t seq, int64_t offset, size_t bytes)
{
    if (part->marks_first > 0 && part->marks_first >= part->marks_len / 2) {
        memmove(part->marks, part->marks + part->marks_first, (part->marks_len - part->marks_first) * sizeof *part->marks);
        part->marks_len -= part->marks_first;
        part->marks_first = 0;
    }
    if (part->marks_len == part->marks_cap) {
        size_t cap = part->marks_cap == 0 ? 64 : part->marks_cap * 2;
        struct mark *marks = realloc(part->marks, cap * sizeof *marks);

        if (marks == NULL)
            return false;
        part->marks = marks;
        part->marks_cap = cap;
    }
    part->journal_bytes += (int64_t)bytes;
    part->marks[part->marks_len++] = (struct mark){.seq = seq, .offset = offset, .bytes = part->journal_bytes};
    return true;
}

void part_marks_drop(struct part *part)
{
    while (part->marks_first < part->marks_len && part->marks[part->marks_first].seq <= part->checkpoint)
        part->marks_first++;
}

/*
 * gate_queue.c -- who waits for a service.
 *
 * Owns:     the lines, one a partition, so that a partition that is not ready holds up no other, and one that is lost goes as a whole.
 * Tests:    tests/engine/test_gate.c
 */
#include "gate_queue.h"
#include <stdlib.h>

void queue_free(struct queue *queue)
{
    for (int32_t p = 0; queue->lines != NULL && p < queue->partitions; p++) {
        queue_forget(queue, p);
        free(queue->lines[p].heap);
    }
    free(queue->lines);
    queue->lines = NULL;
}

static bool before(const struct waiting *a, const struct waiting *b)
{
    return a->since_ms != b->since_ms ? a->since_ms < b->since_ms : a->order < b->order;
}

static void swap(struct waiting **a, struct waiting **b)
{
    struct waiting *one = *a;

    *a = *b;
    *b = one;
}

static bool line_grow(struct line *line)
{
    size_t cap = line->cap == 0 ? 64 : line->cap * 2;
    struct waiting **heap = line->len < line->cap ? line->heap : realloc(line->heap, cap * sizeof(struct waiting *));

    if (heap == NULL)
        return false;
    if (line->len == line->cap)
        line->cap = cap;
    line->heap = heap;
    return true;
}

static void line_put(struct line *line, struct waiting *waiting)
{
    size_t at = line->len++;

    line->heap[at] = waiting;
    for (; at > 0 && before(line->heap[at], line->heap[(at - 1) / 2]); at = (at - 1) / 2)
        swap(&line->heap[at], &line->heap[(at - 1) / 2]);
}

static struct waiting *line_take(struct line *line)
{
    struct waiting *first = line->heap[0];
    size_t at = 0;

    line->heap[0] = line->heap[--line->len];
    for (;;) {
        size_t least = at, left = 2 * at + 1, right = left + 1;

        if (left < line->len && before(line->heap[left], line->heap[least]))
            least = left;
        if (right < line->len && before(line->heap[right], line->heap[least]))
            least = right;
        if (least == at)
            return first;
        swap(&line->heap[at], &line->heap[least]);
        at = least;
    }
}

void queue_add(struct queue *queue, const char *key, size_t id_len, int64_t since_ms, int32_t partition)
{
    struct waiting *waiting = NULL;

    HASH_FIND_STR(queue->by_key, key, waiting);
    if (waiting != NULL || HASH_COUNT(queue->by_key) >= WAITING_MAX)
        return;
    if (queue->lines == NULL)
        queue->lines = calloc((size_t)queue->partitions, sizeof *queue->lines);
    if (queue->lines == NULL || !line_grow(&queue->lines[partition]))
        return;
    waiting = calloc(1, sizeof *waiting + strlen(key) + 1);
    if (waiting == NULL)
        return;
    (void)strcpy(waiting->key, key);
    waiting->since_ms = since_ms;
    waiting->order = queue->orders++;
    waiting->partition = partition;
    waiting->id_len = id_len;
    HASH_ADD_STR(queue->by_key, key, waiting);
    line_put(&queue->lines[partition], waiting);
}

const struct waiting *queue_first(const struct queue *queue, const struct part *parts)
{
    const struct waiting *first = NULL;

    for (int32_t p = 0; queue->by_key != NULL && p < queue->partitions; p++) {
        const struct line *line = &queue->lines[p];

        if (line->len > 0 && parts[p].state == PART_READY && (first == NULL || before(line->heap[0], first)))
            first = line->heap[0];
    }
    return first;
}

struct waiting *queue_take(struct queue *queue, const struct part *parts)
{
    const struct waiting *first = queue_first(queue, parts);
    struct waiting *taken = first == NULL ? NULL : line_take(&queue->lines[first->partition]);

    if (taken != NULL)
        HASH_DEL(queue->by_key, taken);
    return taken;
}

size_t queue_len(const struct queue *queue, const struct part *parts)
{
    size_t len = 0;

    for (int32_t p = 0; queue->by_key != NULL && p < queue->partitions; p++)
        len += parts[p].state == PART_READY ? queue->lines[p].len : 0;
    return len;
}

void queue_forget(struct queue *queue, int32_t partition)
{
    struct line *line = queue->lines == NULL ? NULL : &queue->lines[partition];

    for (; line != NULL && line->len > 0; line->len--) {
        HASH_DEL(queue->by_key, line->heap[line->len - 1]);
        free(line->heap[line->len - 1]);
    }
}

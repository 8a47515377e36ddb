/*
 * gate_queue.h -- who waits for a service: a line for each partition, whoever has waited longest first.
 *
 * Hints, never truths: what is remembered here is woken before its due time, what is not asks by itself when that comes.
 */
#ifndef BATON_ENGINE_GATE_QUEUE_H
#define BATON_ENGINE_GATE_QUEUE_H

#include "engine_internal.h"

#define WAITING_MAX 20000 /* sagas a service */

struct waiting { /* a command held back */
    int64_t since_ms;
    uint64_t order;
    int32_t partition;
    size_t id_len;
    UT_hash_handle hh;
    char key[]; /* <saga>/<step>/<action> */
};

struct line {
    struct waiting **heap;
    size_t len, cap;
};

struct queue {
    int32_t partitions;
    struct line *lines; /* of them; NULL = nobody has ever waited */
    struct waiting *by_key;
    uint64_t orders;
};

void queue_free(struct queue *queue);
/** Whoever waits already keeps the place. Where memory or room runs out it asks by itself when it is due. */
void queue_add(struct queue *queue, const char *key, size_t id_len, int64_t since_ms, int32_t partition);
/** Whoever has waited longest in partitions that are ready, parts; NULL = nobody. Borrowed until the queue changes. */
const struct waiting *queue_first(const struct queue *queue, const struct part *parts);
/** The same, out of the queue and the caller's, to be freed. */
struct waiting *queue_take(struct queue *queue, const struct part *parts);
/** How many wait in partitions that are ready. */
size_t queue_len(const struct queue *queue, const struct part *parts);
/** Its sagas are another thread's. */
void queue_forget(struct queue *queue, int32_t partition);

#endif

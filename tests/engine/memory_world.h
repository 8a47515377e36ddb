/*
 * memory_world.h -- what the Kafka and the Redis in memory share: one lock, and the time, which comes from outside.
 *
 * Many threads may use both. A single-threaded simulation hands in a `wait` that moves its own clock instead of sleeping.
 */
#ifndef BATON_TESTS_MEMORY_WORLD_H
#define BATON_TESTS_MEMORY_WORLD_H

#include <pthread.h>
#include <stdint.h>

struct memory_world {
    pthread_mutex_t lock;   /* over all of memory_kafka and memory_view */
    pthread_cond_t changed; /* broadcast with every change */
    void *context;
    int64_t (*now_ms)(void *context);
    /** With the lock held: return at a change or after timeout_ms, whichever comes first; earlier is fine. */
    void (*wait)(struct memory_world *world, int timeout_ms);
};

/** With memory_world_wait as `wait`; the caller sets the clock. */
void memory_world_init(struct memory_world *world);
void memory_world_clear(struct memory_world *world);
/** `wait` for real threads: sleeps on `changed`. */
void memory_world_wait(struct memory_world *world, int timeout_ms);
/** With the lock held. */
void memory_world_changed(struct memory_world *world);
/** The machine's monotonic clock: for deadlines of waiting tests, never for what a worker sees. */
int64_t memory_world_real_ms(void);

#endif

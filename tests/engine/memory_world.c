/*
 * memory_world.c -- one lock, one condition, and a wait that a simulation replaces.
 */
#include "memory_world.h"
#include <time.h>

void memory_world_init(struct memory_world *world)
{
    pthread_condattr_t monotonic;

    (void)pthread_mutex_init(&world->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&world->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    world->wait = memory_world_wait;
}

void memory_world_clear(struct memory_world *world)
{
    (void)pthread_cond_destroy(&world->changed);
    (void)pthread_mutex_destroy(&world->lock);
}

void memory_world_wait(struct memory_world *world, int timeout_ms)
{
    struct timespec until = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    (void)pthread_cond_timedwait(&world->changed, &world->lock, &until);
}

void memory_world_changed(struct memory_world *world)
{
    (void)pthread_cond_broadcast(&world->changed);
}

int64_t memory_world_real_ms(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

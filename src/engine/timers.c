/*
 * timers.c -- due times: a window of the view's timers in memory, refilled before it runs out.
 *
 * Owns:     the heap of each partition.
 * Why:      the view's ZSET holds every timer, so memory does not grow with live sagas; what falls due within the horizon is held here,
 *           so that an idle worker fires within milliseconds. An entry is a hint: the saga's own due time decides.
 * Tests:    tests/engine/test_timers.c
 */
#include "gate.h"
#include <stdlib.h>

static void sift_down(struct timer *heap, size_t len, size_t at)
{
    for (;;) {
        size_t least = at, left = 2 * at + 1, right = left + 1;

        if (left < len && heap[left].due_ms < heap[least].due_ms)
            least = left;
        if (right < len && heap[right].due_ms < heap[least].due_ms)
            least = right;
        if (least == at)
            return;
        struct timer moved = heap[at];
        heap[at] = heap[least];
        heap[least] = moved;
        at = least;
    }
}

static void sift_up(struct timer *heap, size_t at)
{
    while (at > 0 && heap[at].due_ms < heap[(at - 1) / 2].due_ms) {
        struct timer moved = heap[at];

        heap[at] = heap[(at - 1) / 2];
        heap[(at - 1) / 2] = moved;
        at = (at - 1) / 2;
    }
}

static bool push_owned(struct part *part, int64_t due_ms, char *id)
{
    if (part->timers_len == part->timers_cap) {
        size_t cap = part->timers_cap == 0 ? 64 : part->timers_cap * 2;
        struct timer *timers = realloc(part->timers, cap * sizeof *timers);

        if (timers == NULL)
            return false;
        part->timers = timers;
        part->timers_cap = cap;
    }
    part->timers[part->timers_len] = (struct timer){.due_ms = due_ms, .id = id, .partition = part->partition};
    sift_up(part->timers, part->timers_len++);
    return true;
}

bool timers_push(struct part *part, int64_t due_ms, const char *id)
{
    char *copy = strdup(id);

    if (copy == NULL)
        return false;
    if (push_owned(part, due_ms, copy))
        return true;
    free(copy);
    return false;
}

static struct timer pop(struct part *part)
{
    struct timer first = part->timers[0];

    part->timers[0] = part->timers[--part->timers_len];
    sift_down(part->timers, part->timers_len, 0);
    return first;
}

void timers_clear(struct part *part)
{
    for (size_t i = 0; i < part->timers_len; i++)
        free(part->timers[i].id);
    part->timers_len = 0;
}

enum baton_err timers_refill(struct engine *engine, struct part *part, struct baton_error *err)
{
    static _Thread_local struct view_timer read[TIMER_READ_MAX];
    int64_t now = engine_now(engine), until = now + TIMER_HORIZON_MS;
    struct view_meta meta = {0};
    size_t n = 0;
    enum baton_err rc = BATON_OK;

    if (part->timers_until_ms > now + TIMER_HORIZON_MS / 2 || (part->timers_len > 0 && part->timers[0].due_ms <= now))
        return BATON_OK;
    /* The view's timers are as old as the view: show first, or what has fired would be read again. */
    if (part->shown < part->seq) {
        rc = show(engine, part, err);
        if (rc != BATON_OK || part->state != PART_READY)
            return rc;
    }
    rc = view_checked(engine, engine->view.timers(engine->view.self, part->partition, until, read, TIMER_READ_MAX, &n, err), err);
    if (rc == BATON_OK)
        rc = view_checked(engine, engine->view.meta(engine->view.self, part->partition, &meta, err), err);
    if (rc != BATON_OK)
        return rc;
    /* An idle partition looks at its view here only: wiped or rolled back, it has lost timers. */
    if (meta.w != part->shown) {
        part_stale(engine, part, "the view is not where this worker left it");
        return baton_fail(err, BATON_E_STALE, "partition %d: the view moved while its timers were read", part->partition);
    }
    timers_clear(part);
    for (size_t i = 0; i < n; i++) {
        if (!timers_push(part, read[i].due_ms, read[i].id))
            return baton_fail(err, BATON_E_NOMEM, "out of memory for timers of partition %d", part->partition);
    }
    /* A full answer may hide more timers at the same instant: read again from there as soon as these have fired. */
    part->timers_until_ms = n == TIMER_READ_MAX ? read[n - 1].due_ms : until;
    return BATON_OK;
}

int64_t timers_next(const struct engine *engine)
{
    int64_t next = INT64_MAX;

    for (int32_t p = 0; p < engine->options->partitions; p++) {
        const struct part *part = &engine->parts[p];

        if (part->state != PART_READY)
            continue;
        if (part->timers_len > 0 && part->timers[0].due_ms < next)
            next = part->timers[0].due_ms;
        if (part->timers_until_ms - TIMER_HORIZON_MS / 2 < next)
            next = part->timers_until_ms - TIMER_HORIZON_MS / 2;
    }
    return next;
}

bool timers_fire(struct engine *engine, struct timer timer)
{
    if (engine->fired_len == engine->fired_cap) {
        size_t cap = engine->fired_cap == 0 ? 64 : engine->fired_cap * 2;
        struct timer *fired = realloc(engine->fired, cap * sizeof *fired);

        if (fired == NULL)
            return false;
        engine->fired = fired;
        engine->fired_cap = cap;
    }
    engine->fired[engine->fired_len++] = timer;
    return true;
}

void timers_take(struct engine *engine)
{
    size_t max = batch_alone(engine) ? 1 : TIMER_BATCH_MAX;

    for (int32_t p = 0; p < engine->options->partitions; p++) {
        struct part *part = &engine->parts[p];

        while (part->state == PART_READY && part->timers_len > 0 && part->timers[0].due_ms <= engine->now_ms &&
               engine->fired_len < max) {
            struct timer timer = pop(part);

            if (!timers_fire(engine, timer)) {
                (void)push_owned(part, timer.due_ms, timer.id); /* cannot fail: its place is still there */
                return;
            }
        }
    }
}

void timers_discard(struct engine *engine, size_t decided)
{
    for (size_t i = 0; i < decided; i++) {
        free(engine->fired[i].id);
        free(engine->fired[i].key);
    }
    engine->fired_len -= decided;
    if (decided > 0)
        memmove(engine->fired, engine->fired + decided, engine->fired_len * sizeof *engine->fired);
    timers_restore(engine);
}

void timers_restore(struct engine *engine)
{
    for (size_t i = 0; i < engine->fired_len; i++) {
        struct part *part = &engine->parts[engine->fired[i].partition];

        if (engine->fired[i].woken != NULL) {
            gate_put_back(engine, &engine->fired[i]);
            free(engine->fired[i].id);
            free(engine->fired[i].key);
            continue;
        }
        if (part->state != PART_READY || !push_owned(part, engine->fired[i].due_ms, engine->fired[i].id)) {
            free(engine->fired[i].id);
            part->timers_until_ms = 0; /* the view still has it */
        }
    }
    engine->fired_len = 0;
}

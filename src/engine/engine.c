/*
 * engine.c -- one engine thread's loop: open, acquire, rounds, view, and starting over after a fatal error.
 *
 * Owns:     the life of the bus and the view of this thread.
 * Tests:    tests/engine/test_engine.c
 */
#include "cached.h"
#include "gate.h"
#include <errno.h>
#include <stdlib.h>
#include <time.h>

int64_t engine_now(const struct engine *engine)
{
    struct timespec now = {0};

    if (engine->options->now_ms != NULL)
        return engine->options->now_ms(engine->options->context);
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool engine_stopping(const struct engine *engine)
{
    return atomic_load_explicit(&engine->worker->stopping, memory_order_relaxed);
}

void engine_count(struct engine *engine, enum stat stat, int64_t more)
{
    atomic_fetch_add_explicit(&engine->stats[stat], more, memory_order_relaxed);
}

void engine_set(struct engine *engine, enum stat stat, int64_t value)
{
    atomic_store_explicit(&engine->stats[stat], value, memory_order_relaxed);
}

static void forget_all(struct engine *engine)
{
    for (int32_t p = 0; p < engine->options->partitions; p++) {
        part_forget(engine, &engine->parts[p]);
        engine->parts[p].state = PART_NONE;
    }
}

void engine_fail(struct engine *engine, const struct baton_error *err)
{
    if (!engine->bus_open)
        return;
    ENGINE_LOG(engine, LOG_LEVEL_WARN, "thread %d: %s; forgetting everything and joining again", engine->thread, err->text);
    gate_doubt(engine);
    gate_clear(engine);
    commit_undo(engine);
    timers_discard(engine, engine->fired_len);
    batch_release(engine);
    engine->begun = false;
    engine->alone = 0;
    engine->bus.close(engine->bus.self);
    engine->bus_open = false;
    forget_all(engine);
    engine_count(engine, STAT_REOPENED, 1);
}

static void pause_until(const struct engine *engine, int64_t until_ms)
{
    while (engine_now(engine) < until_ms && !engine_stopping(engine)) {
        struct timespec step = {.tv_nsec = 20 * 1000000};

        (void)nanosleep(&step, NULL);
    }
}

/* Bus and view, again and again until both are there or a stop is asked for. False = stop. */
static bool open_all(struct engine *engine)
{
    int64_t delay_ms = REOPEN_DELAY_MIN_MS;

    while (!engine_stopping(engine) && !(engine->bus_open && engine->view_open)) {
        struct baton_error err = {0};
        enum baton_err rc = BATON_OK;

        if (!engine->view_open)
            rc = engine->options->open_view(engine->options->context, engine->thread, &engine->view, &err);
        engine->view_open = engine->view_open || rc == BATON_OK;
        if (rc == BATON_OK && !engine->bus_open) {
            rc = engine->options->open_bus(engine->options->context, engine->thread, &engine->bus, &err);
            engine->bus_open = rc == BATON_OK;
        }
        if (rc == BATON_OK)
            return true;
        ENGINE_LOG(engine, LOG_LEVEL_WARN, "thread %d: %s; trying again in %lld ms", engine->thread, err.text, (long long)delay_ms);
        if (rc == BATON_E_INVALID) {
            atomic_store(&engine->healthy, false);
            return false;
        }
        pause_until(engine, engine_now(engine) + delay_ms);
        delay_ms = delay_ms * 2 < REOPEN_DELAY_MAX_MS ? delay_ms * 2 : REOPEN_DELAY_MAX_MS;
    }
    return engine->bus_open && engine->view_open;
}

/* Redis away: partitions are paused, so that polling keeps the membership without collecting; resumed when it answers. */
static void follow_view(struct engine *engine)
{
    struct baton_error err = {0};
    bool away = engine->view_away_since_ms != 0 || show_overdue(engine);

    if (away == engine->parts_paused)
        return;
    for (int32_t p = 0; p < engine->options->partitions; p++) {
        struct part *part = &engine->parts[p];
        enum baton_err rc = BATON_OK;

        if (part->state != PART_READY)
            continue;
        rc = away ? engine->bus.pause(engine->bus.self, p, &err) : engine->bus.resume(engine->bus.self, p, &err);
        /* What librdkafka had fetched may be gone with the pause: read from the known position. */
        if (rc == BATON_OK && !away)
            rc = engine->bus.seek(engine->bus.self, p, part->offsets, &err);
        if (rc != BATON_OK) {
            engine_fail(engine, &err);
            return;
        }
    }
    engine->parts_paused = away;
}

/* The cheapest call there is tells whether Redis is back. */
static void probe_view(struct engine *engine)
{
    struct baton_error err = {0};
    struct view_meta meta;

    if (engine->view_away_since_ms == 0 || engine->view_away_until_ms > engine_now(engine))
        return;
    (void)view_checked(engine, engine->view.meta(engine->view.self, 0, &meta, &err), &err);
}

static void show_if_due(struct engine *engine)
{
    struct baton_error err = {0};
    int64_t at = 0;

    if (show_due(engine, &at) && at <= engine_now(engine))
        (void)show(engine, NULL, &err);
}

static void tell_and_hear(struct engine *engine)
{
    struct baton_error err = {0};

    (void)gate_sync(engine, &err);
}

static void refill_timers(struct engine *engine)
{
    struct baton_error err = {0};

    for (int32_t p = 0; p < engine->options->partitions; p++) {
        if (engine->parts[p].state == PART_READY && timers_refill(engine, &engine->parts[p], &err) != BATON_OK)
            return;
    }
}

/* How long the next poll may wait: until something else is due. */
static int wait_ms(struct engine *engine)
{
    int64_t now = engine_now(engine), next = timers_next(engine), at = gate_next(engine);

    next = at < next ? at : next;

    if (show_due(engine, &at) && at < next)
        next = at;
    for (int32_t p = 0; p < engine->options->partitions; p++) {
        const struct part *part = &engine->parts[p];

        if ((part->state == PART_ACQUIRING || part->state == PART_STOPPED) && part->retry_at_ms < next)
            next = part->retry_at_ms;
    }
    if (next <= now)
        return 0;
    return next - now < IDLE_WAIT_MS ? (int)(next - now) : IDLE_WAIT_MS;
}

static void round_of(struct engine *engine)
{
    acquire_parts(engine);
    if (!engine->bus_open)
        return;
    probe_view(engine);
    if (engine->view_away_since_ms == 0) {
        refill_timers(engine);
        show_if_due(engine);
        tell_and_hear(engine);
    }
    follow_view(engine);
    if (!engine->bus_open)
        return;
    if (engine->hold_until_ms > engine_now(engine))
        pause_until(engine, engine->hold_until_ms);
    if (engine->view_away_since_ms != 0 || show_overdue(engine))
        batch_idle(engine, IDLE_WAIT_MS);
    else
        batch_run(engine, wait_ms(engine));
    cache_shrink(engine);
}

static bool setup(struct engine *engine)
{
    engine->parts = calloc((size_t)engine->options->partitions, sizeof *engine->parts);
    engine->positions = calloc((size_t)engine->options->partitions, sizeof *engine->positions);
    engine->show_applies = calloc((size_t)engine->options->partitions, sizeof *engine->show_applies);
    engine->vm = expr_vm_new();
    engine->lock_definition = lock_definition();
    engine->cached = cached_new();
    if (engine->cached == NULL || !gate_new(engine, &engine->gate))
        return false;
    if (engine->options->reply_keys != NULL &&
        wire_signer_new(engine->options->reply_keys, engine->options->reply_keys_len, &engine->names.signer, NULL) != BATON_OK)
        return false;
    if (engine->parts == NULL || engine->positions == NULL || engine->show_applies == NULL || engine->vm == NULL || engine->lock_definition == NULL)
        return false;
    for (int32_t p = 0; p < engine->options->partitions; p++)
        part_init(&engine->parts[p], p);
    engine->names.replies = engine->options->replies_topic;
    for (size_t i = 0; i < engine->options->inputs_len; i++) {
        if (engine->options->inputs[i].kind == INPUT_CONTROL)
            engine->names.control = engine->options->inputs[i].topic;
    }
    engine->names.service_replies = engine->options->service_replies;
    engine->names.command_prefix = engine->options->command_prefix;
    engine->names.source_prefix = "";
    return true;
}

static void teardown(struct engine *engine)
{
    if (engine->bus_open)
        engine->bus.close(engine->bus.self);
    if (engine->parts != NULL)
        forget_all(engine);
    if (engine->view_open)
        engine->view.close(engine->view.self);
    if (engine->parts != NULL) {
        for (int32_t p = 0; p < engine->options->partitions; p++)
            part_free(&engine->parts[p]);
    }
    definitions_free(engine);
    definition_free(engine->lock_definition);
    expr_vm_free(engine->vm);
    gate_free(engine->gate);
    cached_free(engine->cached);
    effects_free(&engine->effects);
    wire_out_free(&engine->out);
    wire_signer_free(engine->names.signer);
    buffer_free(&engine->scratch);
    free(engine->parts);
    free(engine->positions);
    free(engine->show_applies);
    free(engine->show_items);
    free(engine->items);
    free(engine->fired);
}

void *engine_run(void *argument)
{
    struct engine *engine = argument;
    struct baton_error err = {0};

    if (!setup(engine)) {
        ENGINE_LOG(engine, LOG_LEVEL_ERROR, "thread %d: out of memory at start", engine->thread);
        atomic_store(&engine->healthy, false);
    } else {
        while (!engine_stopping(engine) && open_all(engine)) {
            while (!engine_stopping(engine) && engine->bus_open)
                round_of(engine);
        }
        /* No transaction is open between rounds: what is left is to show what has been committed. */
        if (engine->bus_open && engine->view_open && engine->view_away_since_ms == 0)
            (void)show(engine, NULL, &err);
    }
    teardown(engine);
    atomic_store(&engine->ended, true);
    return NULL;
}

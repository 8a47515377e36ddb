/*
 * batch.c -- one round: collect, load, decide, commit; and what to do when one of them fails.
 *
 * Owns:     the batch under way; the next move after each error (design.md section 6, "Errors").
 * Rule:     the group's metadata are taken before the first poll; a rebalance while collecting throws the batch away; an abort
 *           does not rewind the consumer, so every dropped batch seeks back.
 * Tests:    tests/engine/test_engine.c, tests/integration/
 */
#include "cached.h"
#include "gate.h"
#include <stdlib.h>

#define HOLD_AFTER_ABORT_MS 100
#define ITEMS_KEPT 256 /* of a batch: beyond it memory is given back when nothing comes */

/* --- collect --- */

static void item_dead(struct item *item, enum dlq_reason reason, const char *why)
{
    item->kind = ITEM_DEAD;
    item->reason = reason;
    item->explanation = strdup(why); /* where memory runs out, the reason alone has to do */
}

static void item_clear(struct engine *engine, struct item *item)
{
    wire_start_clear(&item->start);
    wire_reply_clear(&item->reply);
    wire_control_clear(&item->control);
    free(item->explanation);
    free(item->page);
    engine->bus.release(engine->bus.self, &item->message);
}

/* On the wrong partition it is passed on; passed on once already, somebody disagrees about partitions. */
static void route(struct engine *engine, struct item *item)
{
    item->to_partition = wire_partition_of(item->id, strlen(item->id), engine->options->partitions);
    if (item->to_partition == item->message.partition)
        return;
    if (wire_was_forwarded(&item->message)) {
        item_dead(item, DLQ_WRONG_PARTITION, "forwarded once and still on the wrong partition: the topic's partition count has changed");
        return;
    }
    item->kind = ITEM_FORWARD;
}

static enum baton_err classify(struct engine *engine, struct item *item)
{
    const struct bus_input *input = &engine->options->inputs[item->message.input];
    struct json_limits limits = {(size_t)engine->options->limits.max_message_bytes, JSON_DEPTH_MAX, JSON_VALUES_MAX};
    struct baton_error why = {0};
    enum baton_err rc = BATON_OK;

    if (item->message.headers_total > BUS_HEADERS_MAX) {
        (void)baton_fail(&why, BATON_E_POISON, "%zu headers, at most %d are taken", item->message.headers_total, BUS_HEADERS_MAX);
        item_dead(item, DLQ_TOO_MANY_HEADERS, why.text);
        return BATON_OK;
    }
    switch (input->kind) {
    case INPUT_START:
        item->kind = ITEM_START;
        rc = wire_start_read(&item->message, input->binding, &limits, &item->start, &item->reason, &why);
        if (rc == BATON_OK)
            (void)strcpy(item->id, item->start.id);
        break;
    case INPUT_REPLIES:
        item->kind = ITEM_REPLY;
        rc = wire_reply_id(&item->message, engine->names.signer, &item->reply.id, &item->reason, &why);
        if (rc == BATON_OK)
            (void)strcpy(item->id, item->reply.id.saga_id);
        break;
    case INPUT_CONTROL:
        if (wire_child_is_start(&item->message)) {
            item->kind = ITEM_START;
            rc = wire_child_start_read(&item->message, &limits, &item->start, &item->reason, &why);
            if (rc == BATON_OK)
                (void)strcpy(item->id, item->start.id);
            break;
        }
        item->kind = ITEM_CONTROL;
        rc = wire_control_read(&item->message, &limits, item->id, &item->control, &item->reason, &why);
        break;
    }
    if (rc == BATON_E_POISON) {
        item_dead(item, item->reason, why.text);
        return BATON_OK;
    }
    if (rc == BATON_OK)
        route(engine, item);
    return rc;
}

/* Takes the message over. condemned: NULL, or why it must not be read. False if memory ran out: the message stays the caller's. */
static bool item_add(struct engine *engine, const struct bus_message *message, const char *condemned)
{
    struct item *item = NULL;

    if (engine->items_len == engine->items_cap) {
        size_t cap = engine->items_cap == 0 ? 64 : engine->items_cap * 2;
        struct item *items = realloc(engine->items, cap * sizeof *items);

        if (items == NULL)
            return false;
        engine->items = items;
        engine->items_cap = cap;
    }
    item = &engine->items[engine->items_len++];
    memset(&item->kind, 0, sizeof *item - offsetof(struct item, kind));
    bus_message_copy(&item->message, message);
    item->part = &engine->parts[message->partition];
    engine->batch_bytes += message->value_len + message->key_len;
    if (condemned != NULL) {
        item_dead(item, DLQ_KILLS_WORKER, condemned);
        return true;
    }
    if (classify(engine, item) == BATON_OK)
        return true;
    engine->items_len--; /* out of memory */
    wire_start_clear(&item->start);
    wire_control_clear(&item->control);
    return false;
}

void batch_release(struct engine *engine)
{
    for (size_t i = 0; i < engine->items_len; i++)
        item_clear(engine, &engine->items[i]);
    engine->items_len = engine->batch_bytes = 0;
}

static void batch_clear(struct engine *engine)
{
    batch_release(engine);
    engine->rebalanced = engine->definitions_asked = false;
    for (int32_t p = 0; p < engine->options->partitions; p++) {
        struct part *part = &engine->parts[p];

        part->touched = part->unwritten = false;
        part->trickle_len = part->purge_len = part->writers_len = 0;
    }
    memset(engine->pending, 0, sizeof engine->pending);
    gate_clear(engine);
    cached_clear(engine);
}

static void rebalance(struct engine *engine, const struct bus_poll *poll)
{
    engine->rebalanced = true;
    for (size_t i = 0; i < poll->partitions_len; i++) {
        struct part *part = &engine->parts[poll->partitions[i]];

        part_forget(engine, part);
        part->state = poll->kind == BUS_ASSIGNED ? PART_ACQUIRING : PART_NONE;
        part->retry_at_ms = part->troubled_since_ms = part->waiting_since_ms = 0;
    }
    /* Only now: what is revoked mostly comes back at once. */
    for (int32_t p = 0; p < engine->options->partitions && poll->kind == BUS_ASSIGNED; p++) {
        if (engine->parts[p].state == PART_NONE)
            gate_lost(engine, p);
    }
    ENGINE_LOG(engine, LOG_LEVEL_INFO, "thread %d: %zu partitions %s", engine->thread, poll->partitions_len,
               poll->kind == BUS_ASSIGNED ? "assigned" : poll->lost ? "lost" : "revoked");
}

static enum baton_err take_message(struct engine *engine, const struct bus_message *message, struct baton_error *err)
{
    const char *condemned = NULL;
    enum baton_err rc = trial_input(engine, message, &condemned, err);

    if (rc == BATON_OK && !item_add(engine, message, condemned))
        rc = baton_fail(err, BATON_E_NOMEM, "out of memory for a batch");
    return rc;
}

/* Poll once; BATON_OK with *ret_got telling whether something came. */
static enum baton_err collect_one(struct engine *engine, int wait_ms, bool *ret_got, struct baton_error *err)
{
    struct bus_poll *poll = &engine->poll;
    enum baton_err rc = engine->bus.poll(engine->bus.self, wait_ms, poll, err);

    *ret_got = false;
    if (rc == BATON_E_RETRY) {
        ENGINE_LOG(engine, LOG_LEVEL_WARN, "%s", err->text);
        return BATON_OK;
    }
    if (rc != BATON_OK)
        return rc;
    switch (poll->kind) {
    case BUS_IDLE:
        break;
    case BUS_MESSAGE:
        *ret_got = true;
        if (engine->parts[poll->message.partition].state != PART_READY)
            engine->bus.release(engine->bus.self, &poll->message); /* it is read again after the acquire's seek */
        else {
            rc = take_message(engine, &poll->message, err);
            if (rc != BATON_OK)
                engine->bus.release(engine->bus.self, &poll->message);
        }
        break;
    case BUS_ASSIGNED:
    case BUS_REVOKED:
        rebalance(engine, poll);
        break;
    }
    return rc;
}

static enum baton_err collect(struct engine *engine, int wait_ms, struct baton_error *err)
{
    const struct engine_limits *limits = &engine->options->limits;
    size_t max = batch_alone(engine) ? 1 : (size_t)limits->batch_max_count;
    bool got = false;
    int64_t until = 0;
    enum baton_err rc = BATON_OK;

    engine->bus.snapshot(engine->bus.self);
    rc = collect_one(engine, wait_ms, &got, err);
    until = limits->batch_max_wait_ms > 0 ? engine_now(engine) + limits->batch_max_wait_ms : 0;
    while (rc == BATON_OK && !engine->rebalanced && engine->items_len < max && engine->batch_bytes < limits->batch_max_bytes &&
           !engine_stopping(engine)) {
        int64_t left = until == 0 ? 0 : until - engine_now(engine);

        if (!got && left <= 0)
            break;
        rc = collect_one(engine, left <= 0 ? 0 : left < IDLE_WAIT_MS ? (int)left : IDLE_WAIT_MS, &got, err);
    }
    engine->busy = engine->items_len >= (size_t)limits->batch_max_count || engine->batch_bytes >= limits->batch_max_bytes;
    return rc;
}

/* Ended sagas whose retention is over, now and then. */
static enum baton_err choose_purges(struct engine *engine, bool *ret_some, struct baton_error *err)
{
    enum baton_err rc = BATON_OK;

    for (int32_t p = 0; p < engine->options->partitions && rc == BATON_OK; p++) {
        struct part *part = &engine->parts[p];

        if (part->state != PART_READY || part->purge_at_ms > engine->now_ms || batch_alone(engine))
            continue;
        if (part->purge == NULL)
            part->purge = calloc(PURGE_BATCH_MAX, sizeof *part->purge);
        if (part->purge == NULL)
            return baton_fail(err, BATON_E_NOMEM, "out of memory for partition %d", part->partition);
        rc = view_checked(engine,
                          engine->view.ended_before(engine->view.self, part->partition,
                                                    engine->now_ms - engine->options->limits.retention_ms, part->purge,
                                                    PURGE_BATCH_MAX, &part->purge_len, err),
                          err);
        if (rc != BATON_OK)
            part->purge_len = 0;
        /* A full answer hides more. */
        part->purge_at_ms = part->purge_len == PURGE_BATCH_MAX ? engine->now_ms + 1 : engine->now_ms + PURGE_EVERY_MS;
        *ret_some = *ret_some || part->purge_len > 0;
    }
    return rc;
}

/* --- failure --- */

/* Inputs are read again from where the last transaction left them. */
static enum baton_err seek_back(struct engine *engine, struct baton_error *err)
{
    enum baton_err rc = BATON_OK;

    for (int32_t p = 0; p < engine->options->partitions && rc == BATON_OK; p++) {
        if (engine->parts[p].state == PART_READY)
            rc = engine->bus.seek(engine->bus.self, p, engine->parts[p].offsets, err);
    }
    return rc;
}

/* The batch did not happen: memory goes back, inputs are read again from where the last transaction left them. */
static enum baton_err drop(struct engine *engine, struct baton_error *err)
{
    enum baton_err rc = BATON_OK;

    commit_undo(engine);
    timers_restore(engine);
    if (engine->begun) {
        rc = engine->bus.abort(engine->bus.self, err);
        engine->begun = false;
        engine_count(engine, STAT_ABORTS, 1);
    }
    return rc == BATON_OK ? seek_back(engine, err) : rc;
}

static void note_culprit(struct engine *engine, const struct baton_error *err)
{
    struct culprit *culprit = &engine->culprit;

    memset(culprit, 0, sizeof *culprit);
    culprit->set = true;
    culprit->input = -1;
    (void)snprintf(culprit->why, sizeof culprit->why, "%s", err->text);
    if (engine->items_len == 1) {
        culprit->input = engine->items[0].message.input;
        culprit->partition = engine->items[0].message.partition;
        culprit->offset = engine->items[0].message.offset;
    } else if (engine->fired_len == 1) {
        (void)strcpy(culprit->id, engine->fired[0].id);
    }
}

static void failed(struct engine *engine, enum baton_err rc, struct baton_error *err)
{
    size_t causes = engine->items_len + engine->fired_len;

    if (rc == BATON_E_FATAL) {
        engine_fail(engine, err);
        return;
    }
    if (rc == BATON_E_POISON && engine->failed_tag == TAG_STATE) {
        engine->trickle_off_until_ms = engine_now(engine) + STOPPED_RETRY_MS;
        ENGINE_LOG(engine, LOG_LEVEL_ERROR, "%s refuses a state: %s; checkpoints stand still until it takes them",
                   engine->options->state_topic, err->text);
    } else if (rc == BATON_E_POISON && causes > 1) {
        ENGINE_LOG(engine, LOG_LEVEL_WARN, "%s; taking the %zu inputs one by one to find it", err->text, causes);
        engine->alone = causes;
    } else if (rc == BATON_E_POISON && causes == 1 && !engine->culprit.set) {
        note_culprit(engine, err);
    } else if (rc != BATON_E_RETRY || engine->view_away_since_ms == 0) {
        ENGINE_LOG(engine, rc == BATON_E_POISON ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, "transaction dropped: %s", err->text);
        engine->hold_until_ms = engine_now(engine) + HOLD_AFTER_ABORT_MS;
    }
    if (drop(engine, err) != BATON_OK)
        engine_fail(engine, err);
}

/* --- the round --- */

/* After a burst: what was reserved for large batches goes back, one that comes reserves it again. */
static void give_back(struct engine *engine)
{
    if (engine->items_cap <= ITEMS_KEPT)
        return;
    free(engine->items);
    engine->items = NULL;
    engine->items_cap = 0;
    free(engine->show_items);
    engine->show_items = NULL;
    engine->show_items_cap = 0;
    buffer_free(&engine->scratch);
    for (int32_t p = 0; p < engine->options->partitions; p++)
        part_give_back(&engine->parts[p]);
}

void batch_idle(struct engine *engine, int wait_ms)
{
    struct baton_error err = {0};

    if (collect(engine, wait_ms, &err) == BATON_E_FATAL)
        engine_fail(engine, &err);
    batch_clear(engine); /* read again: positions are sought when the partitions resume */
}

void batch_run(struct engine *engine, int wait_ms)
{
    struct baton_error err = {0};
    bool some = false;
    enum baton_err rc = BATON_OK;

    engine->careful = trial_careful(engine);
    rc = collect(engine, wait_ms, &err);
    engine->now_ms = engine_now(engine);
    if (engine->rebalanced) {
        /* Whatever was collected is read again: by the new owner, or by us after the acquire. */
        if (rc != BATON_OK || seek_back(engine, &err) != BATON_OK)
            engine_fail(engine, &err);
        goto out;
    }
    if (rc == BATON_OK && (!batch_alone(engine) || engine->items_len == 0)) {
        timers_take(engine);
        gate_take(engine);
        rc = trial_timers(engine, &err);
    }
    if (rc == BATON_OK)
        some = commit_choose_trickle(engine);
    some = some || gate_has_news(engine);
    if (rc == BATON_OK)
        rc = choose_purges(engine, &some, &err);
    if (rc == BATON_OK && engine->items_len == 0 && engine->fired_len == 0 && !some) {
        engine->alone = 0;
        give_back(engine);
        goto out;
    }
    if (rc == BATON_OK)
        rc = job_pages(engine, &err);
    if (rc == BATON_OK)
        rc = load_batch(engine, &err);
    if (rc == BATON_OK)
        rc = decide_batch(engine, &err);
    trial_survived(engine, rc == BATON_OK);
    if (rc == BATON_OK)
        rc = commit_batch(engine, &err);
    if (rc != BATON_OK) {
        failed(engine, rc, &err);
        goto out;
    }
    engine->culprit.set = false;
    engine->alone -= engine->alone > 0;
    timers_discard(engine, engine->fired_decided);
    if (engine->cut && seek_back(engine, &err) != BATON_OK)
        engine_fail(engine, &err);
out:
    trial_survived(engine, false); /* of a batch that was thrown away */
    batch_clear(engine);
}

/*
 * lock.c -- the semantic lock on a business key: one saga at a time. Both sides of it.
 *
 * Owns:     what a saga asks of the lock before its first step and tells it at its end; the lock itself, which is a saga of Baton's own definition: its state
 *           is the queue, its owner the first in it.
 * Rule:     who has asked leaves when it ends, whatever that end is. Both go the same way, in order: so no saga that has ended holds a lock for good, and none
 *           holds it twice. A lock is free when nobody is in the queue; then it has ended, until somebody asks again.
 * Never:    bounds how long a lock is held: its owner owns a due time or a parked reason, as every saga.
 * Tests:    tests/core/test_lock.c, tests/engine/test_lock.c
 */
#include "apply_internal.h"
#include <stdlib.h>
#include <string.h>

/* --- the saga that wants it --- */

static bool key_of(struct apply *apply, struct saga_step *step, json_t **ret_key)
{
    json_t *key = NULL, *error = NULL;

    if (!apply_template(apply, apply->definition->lock.key, SAGA_ITSELF, &key, &error)) {
        if (step != NULL && error != NULL)
            apply_set(apply, &step->error, error);
        else
            json_decref(error);
        return false;
    }
    if (json_is_string(key) && json_string_length(key) > 0 && json_string_length(key) <= LOCK_KEY_MAX) {
        *ret_key = key;
        return true;
    }
    json_decref(key);
    if (step != NULL)
        apply_set(apply, &step->error, reply_error("EXPRESSION", "lock.key gives no text of 1 to 512 bytes"));
    return false;
}

/* Takes key over. */
static void tell(struct apply *apply, const char *what, json_t *key)
{
    struct effect *effect = apply_effect(apply, EFFECT_LOCK);
    json_t *message = json_pack("{s:s, s:s, s:o, s:b}", "lock", what, "saga", apply->next->id, "key", key, "queue", !apply->definition->lock.reject);

    if (effect == NULL || message == NULL) {
        apply->failed = true;
        json_decref(message);
        return;
    }
    effect->input = message;
}

bool lock_ask(struct apply *apply, struct saga_step *step)
{
    json_t *key = NULL;

    if (step->sent_at_ms != 0) /* parked while it waited, it waits anew: its place in the queue has stayed */
        return true;
    if (!key_of(apply, step, &key))
        return false;
    step->sent_at_ms = apply->at;
    tell(apply, "ask", key);
    return true;
}

void lock_leave(struct apply *apply)
{
    struct saga_step *step = apply->definition->lock.key == NULL ? NULL : saga_step_find(apply->next, (struct saga_place){0, -1});
    json_t *key = NULL;

    if (step == NULL || step->sent_at_ms == 0 || !key_of(apply, NULL, &key))
        return;
    step->sent_at_ms = 0; /* a child that its parent undoes after its end ends once more */
    step->changed = true;
    tell(apply, "leave", key);
}

bool lock_granted(struct apply *apply, struct saga_step *step, const json_t *payload)
{
    const json_t *details = json_object_get(payload, "details");

    if (json_is_true(json_object_get(payload, "granted")))
        return true;
    apply_set(apply, &step->error,
              json_pack("{s:s, s:s, s:O?}", "code", "LOCKED", "message", "another saga holds the lock", "details", (json_t *)(uintptr_t)details));
    return false;
}

/* --- the lock --- */

#define HELD "held"

struct definition *lock_definition(void)
{
    struct definition *definition = calloc(1, sizeof *definition);

    if (definition == NULL)
        return NULL;
    definition->name = strdup(LOCK_DEFINITION);
    definition->version = 1;
    definition->is_lock = true;
    definition->pivot = -1;
    (void)strcpy(definition->hash, LOCK_DEFINITION);
    definition->steps = calloc(1, sizeof *definition->steps);
    if (definition->steps != NULL) {
        definition->steps_len = 1;
        definition->steps[0] = (struct definition_step){.kind = STEP_WAIT, .parent = -1, .each = -1, .confirms = -1, .after = 1};
        definition->steps[0].name = strdup(HELD);
        definition->steps[0].signal = strdup("left");
    }
    if (definition->name == NULL || definition->steps == NULL || definition->steps[0].name == NULL || definition->steps[0].signal == NULL) {
        definition_free(definition);
        return NULL;
    }
    return definition;
}

static const char *owner_of(const json_t *queue)
{
    return json_string_value(json_object_get(json_array_get(queue, 0), "saga"));
}

static int place_of(const json_t *queue, const char *saga)
{
    const json_t *row = NULL;
    size_t i = 0;

    json_array_foreach(queue, i, row) {
        if (strcmp(json_string_value(json_object_get(row, "saga")), saga) == 0)
            return (int)i;
    }
    return -1;
}

/* Told by the signal that its first step waits for. */
static void answer(struct apply *apply, const char *saga, bool granted)
{
    struct effect *effect = apply_effect(apply, EFFECT_SIGNAL);
    json_t *data = granted ? json_pack("{s:b}", "granted", 1)
                           : json_pack("{s:b, s:{s:s?}}", "granted", 0, "details", "owner", owner_of(apply->next->queue));

    if (effect == NULL || data == NULL) {
        apply->failed = true;
        json_decref(data);
        return;
    }
    (void)strcpy(effect->to, saga);
    effect->input = json_pack("{s:s, s:s, s:o}", "verb", "signal", "name", LOCK_SIGNAL, "data", data);
    apply->failed = apply->failed || effect->input == NULL;
}

/* The list may be shared with the state before. */
static void own_queue(struct apply *apply)
{
    apply_set(apply, &apply->next->queue, apply->next->queue == NULL ? json_array() : json_copy(apply->next->queue));
    apply->next->queue_changed = true;
}

static void hold(struct apply *apply)
{
    struct saga *lock = apply->next;

    lock->status = SAGA_RUNNING;
    lock->ended_at_ms = 0;
    lock->steps[0].status = STEP_WAITING;
    lock->steps[0].forever = true;
    lock->steps[0].settled_at_ms = 0;
    lock->steps[0].changed = true;
}

static void ask(struct apply *apply, const struct saga_event *event)
{
    struct saga *lock = apply->next;
    size_t n = json_array_size(lock->queue);

    if (place_of(lock->queue, event->who) >= 0) {
        lock->duplicates++;
        apply->effects->disposition = IGNORED_DUPLICATE;
        return;
    }
    if ((n > 0 && event->reject) || n >= LOCK_QUEUE_MAX) {
        lock->late++;
        answer(apply, event->who, false);
        return;
    }
    own_queue(apply);
    if (json_array_append_new(lock->queue, json_pack("{s:s, s:I}", "saga", event->who, "at", (json_int_t)apply->at)) != 0)
        apply->failed = true;
    if (n > 0)
        return;
    hold(apply);
    answer(apply, event->who, true);
}

static void leave(struct apply *apply, const struct saga_event *event)
{
    struct saga *lock = apply->next;
    int place = place_of(lock->queue, event->who);

    if (place < 0) {
        lock->late++;
        apply->effects->disposition = IGNORED_LATE;
        return;
    }
    own_queue(apply);
    (void)json_array_remove(lock->queue, (size_t)place);
    if (json_array_size(lock->queue) > 0) {
        if (place == 0)
            answer(apply, owner_of(lock->queue), true);
        return;
    }
    json_decref(lock->queue);
    lock->queue = NULL;
    forward_settle(apply, &lock->steps[0], STEP_DONE);
    lock->status = SAGA_COMPLETED;
    lock->ended_at_ms = apply->at;
}

void lock_apply(struct apply *apply, const struct saga_event *event)
{
    if (event->leave)
        leave(apply, event);
    else
        ask(apply, event);
}

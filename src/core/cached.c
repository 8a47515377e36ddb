/*
 * cached.c -- the last success of a step, kept under a key, stands in for it when it is given up.
 *
 * Owns:     what is kept, what is asked for, and when what was kept is too old.
 * Rule:     it is a cache: what is not there, or too old, fails what stands in with CACHE_MISS, as it would be without.
 * Rule:     the value comes by an event, and is in the journal with it: a replay asks nobody. Whoever does not hear asks again (promise 4).
 * Tests:    tests/core/test_apply.c, tests/core/test_apply_random.c
 */
#include "apply_internal.h"
#include <inttypes.h>
#include <stdio.h>

#define ASK_AGAIN_MS 1000

/* What an expression that stands there gives as the key; NULL: *ret_error says why it is none. */
static json_t *key_of(struct apply *apply, int cached, struct saga_place place, json_t **ret_error)
{
    json_t *key = NULL;

    *ret_error = NULL;
    if (!apply_template(apply, apply->definition->steps[cached].key, place, &key, ret_error))
        return NULL;
    if (json_is_string(key) && json_string_length(key) > 0 && json_string_length(key) <= CACHED_KEY_MAX)
        return key;
    json_decref(key);
    *ret_error = reply_error("EXPRESSION", "fallback.cached gives no text of 1 to 512 bytes");
    apply->failed = apply->failed || *ret_error == NULL;
    return NULL;
}

/* Takes input over. */
static void tell(struct apply *apply, enum effect_kind kind, const struct saga_step *step, json_t *input, int64_t until_ms)
{
    struct effect *effect = apply_effect(apply, kind);

    apply->failed = apply->failed || input == NULL;
    if (effect == NULL) {
        json_decref(input);
        return;
    }
    effect->place = saga_place_of(step);
    effect->input = input;
    effect->expires_at_ms = until_ms;
}

void cached_keep(struct apply *apply, const struct saga_step *step)
{
    int other = apply->definition->steps[step->index].fallback;
    json_t *error = NULL, *key = NULL;

    /* Without its reference a value would be another one to whoever follows it. */
    if (other == 0 || apply->definition->steps[other].kind != STEP_CACHED || step->dataref != NULL)
        return;
    key = key_of(apply, other, saga_place_of(step), &error);
    json_decref(error); /* a key that is none keeps nothing */
    if (key != NULL)
        tell(apply, EFFECT_CACHE, step, json_pack("{s:o, s:O}", "key", key, "value", step->output), apply->at + apply->definition->steps[other].max_age_ms);
}

struct saga_place cached_enter(struct apply *apply, struct saga_step *step)
{
    json_t *error = NULL, *key = key_of(apply, step->index, saga_place_of(step), &error);

    if (key == NULL) {
        if (error != NULL)
            apply_set(apply, &step->error, error);
        return forward_enter_failed(apply, step);
    }
    step->status = STEP_WAITING;
    step->due_at_ms = apply->at + ASK_AGAIN_MS;
    step->changed = true;
    tell(apply, EFFECT_LOOKUP, step, json_pack("{s:o}", "key", key), 0);
    return SAGA_ITSELF;
}

void cached_due(struct apply *apply, struct saga_step *step)
{
    forward_from(apply, cached_enter(apply, step));
}

void cached_found(struct apply *apply, const struct saga_event *event)
{
    struct saga_step *step = saga_step_find(apply->next, event->place);
    const struct definition_step *definition = &apply->definition->steps[event->place.index];
    int64_t age = apply->at - event->cached_at_ms;
    char message[96] = "nothing is kept under its key";

    if (step == NULL || definition->kind != STEP_CACHED || step->status != STEP_WAITING) {
        apply->effects->disposition = IGNORED_EARLY;
        return;
    }
    if (event->body != NULL && age <= definition->max_age_ms) {
        apply_set(apply, &step->output, json_incref(event->body));
        json_decref(step->error);
        step->error = NULL;
        step->cached_at_ms = event->cached_at_ms;
        forward_settle(apply, step, STEP_DONE);
        apply_history(apply, HISTORY_DONE, saga_place_of(step), 0);
        forward_from(apply, forward_follow(apply, saga_place_of(step)));
        return;
    }
    if (event->body != NULL)
        (void)snprintf(message, sizeof message, "what is kept under its key is %" PRId64 " ms old, older than maxAge", age);
    apply_set(apply, &step->error, reply_error("CACHE_MISS", message));
    (void)forward_enter_failed(apply, step);
}

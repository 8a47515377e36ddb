/*
 * hold.c -- commands that wait for their service: its breaker is open, or it has as much to do as it may.
 *
 * Owns:     whether a command may go now, and when one that may not asks again.
 * Rule:     while the breaker is open a step's fallback stands in at once; one that is busy is waited for. Compensations have nothing that stands in.
 * Rule:     what is held back spends no attempt and keeps its deadlines: the time of all attempts together runs from when it was first held. It
 *           asks again by itself (a due time, promise 4) after about as long as it has waited already; usually it is woken before.
 * Why:      the answer is in the event, not asked of the world: a replay of the journal gives the same.
 * Tests:    tests/core/test_apply.c, tests/core/test_apply_random.c
 */
#include "apply_internal.h"
#include <baton/gate.h>
#include <string.h>

#define ASK_MIN_MS 1000
#define ASK_MAX_MS 60000

static const char open_message[] = "the circuit breaker of its service is open";

static const struct gate_service *gate_of(const struct saga_gate *gate, const char *service)
{
    for (size_t i = 0; gate != NULL && service != NULL && i < gate->len; i++) {
        if (strcmp(gate->services[i].name, service) == 0)
            return &gate->services[i];
    }
    return NULL;
}

static int sent_to(const struct apply *apply, const char *service)
{
    int sent = 0;

    for (size_t i = 0; i < apply->effects->len; i++) {
        const struct effect *effect = &apply->effects->items[i];

        sent += effect->kind == EFFECT_COMMAND && strcmp(effect->service, service) == 0;
    }
    return sent;
}

/* Half of the time it has waited, and a part of the other half that differs from saga to saga: what was held together does not ask together. */
static int64_t ask_at(const struct apply *apply, const struct saga_step *step, int64_t until_ms)
{
    int64_t wait = apply->at - step->held_since_ms, from = until_ms > apply->at ? until_ms : apply->at;
    struct retry_policy spread = {.backoff = 1, .jitter = 1};
    char name[SAGA_PLACE_NAME_MAX];

    wait = wait < ASK_MIN_MS ? ASK_MIN_MS : wait > ASK_MAX_MS ? ASK_MAX_MS : wait;
    spread.interval_ms = spread.max_interval_ms = wait / 4; /* 0 .. wait / 2 */
    return from + wait / 2 + retry_delay_ms(&spread, apply->next->id, apply_name(apply, step, name), step->attempts + 1);
}

static void tell(struct apply *apply, enum effect_kind kind, const struct saga_step *step, enum saga_action action, const char *service)
{
    struct effect *effect = apply_effect(apply, kind);

    if (effect == NULL)
        return;
    effect->place = saga_place_of(step);
    effect->action = action;
    effect->service = service;
}

static void wait_for(struct apply *apply, struct saga_step *step, enum saga_action action, const struct gate_service *gate, int64_t latest)
{
    if (step->held_since_ms == 0) {
        apply_history(apply, HISTORY_HELD, saga_place_of(step), action == ACTION_EXECUTE ? step->attempts + 1 : step->compensations + 1);
        step->held_since_ms = apply->at;
        if (action == ACTION_EXECUTE && step->attempts == step->forgiven) {
            latest = latest == INT64_MAX ? latest : latest - step->first_at_ms + apply->at;
            step->first_at_ms = apply->at;
        }
    }
    step->status = action == ACTION_EXECUTE ? STEP_RETRYING : STEP_COMPENSATION_RETRYING;
    step->due_at_ms = ask_at(apply, step, gate->until_ms);
    if (step->due_at_ms > latest)
        step->due_at_ms = latest > apply->at ? latest : apply->at + 1;
    step->changed = true;
    if (action == ACTION_EXECUTE) /* of one that is undone the error tells why */
        apply_set(apply, &step->error, gate->open ? reply_error("BREAKER_OPEN", open_message)
                                                  : reply_error("SERVICE_BUSY", "its service has as much to do as it may"));
    tell(apply, EFFECT_HELD, step, action, gate->name);
}

bool hold_back(struct apply *apply, struct saga_step *step, enum saga_action action, const char *service, int64_t latest)
{
    const struct gate_service *gate = gate_of(apply->gate, service);

    if (gate == NULL || sent_to(apply, service) < gate->permits)
        return false;
    if (gate->open && action == ACTION_EXECUTE && apply->definition->steps[step->index].fallback != 0 && !step->refused) {
        tell(apply, EFFECT_DIVERTED, step, action, gate->name);
        forward_fall_back(apply, step, "BREAKER_OPEN", open_message);
    } else {
        wait_for(apply, step, action, gate, latest);
    }
    return true;
}

bool hold_end(struct saga_step *step)
{
    bool held = step->held_since_ms != 0;

    step->held_since_ms = 0;
    if (held && step->status == STEP_RUNNING) {
        json_decref(step->error);
        step->error = NULL;
    }
    return held;
}

void hold_forget(struct saga_step *step)
{
    if (step->status != STEP_RETRYING && step->status != STEP_COMPENSATION_RETRYING)
        step->held_since_ms = 0;
}

bool hold_waits_for(const struct apply *apply, const struct saga_step *step, const char *service)
{
    if (step->held_since_ms == 0)
        return false;
    return strcmp(step->status == STEP_RETRYING ? apply->definition->steps[step->index].service : saga_undo_service(apply->next, step), service) == 0;
}

static const char *const breaker_names[BREAKER_COUNT] = {[BREAKER_CLOSED] = "closed", [BREAKER_OPEN] = "open", [BREAKER_HALF_OPEN] = "half-open"};

const char *breaker_name(enum breaker breaker)
{
    return breaker_names[breaker];
}

bool breaker_parse(const char *text, enum breaker *ret_breaker)
{
    for (int i = 0; i < BREAKER_COUNT; i++) {
        if (strcmp(breaker_names[i], text) == 0) {
            *ret_breaker = (enum breaker)i;
            return true;
        }
    }
    return false;
}

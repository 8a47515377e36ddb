/*
 * tcc.c -- try, confirm, cancel: a step is tried on the way forward, and confirmed when there is no way back.
 *
 * Owns:     which steps are confirmed; what was tried and has expired.
 * Rule:     the first confirm that is sent is a point of no return: from then on each is tried until it is done, or the saga parks.
 * Rule:     a confirm is a step of its own behind the pivot, or at the end; a cancel is the compensation of its try. So nothing else is special about them.
 * Tests:    tests/core/test_apply.c
 */
#include "apply_internal.h"
#include <stdio.h>

static bool to_be_confirmed(const struct apply *apply, const struct saga_step *step)
{
    return step->status == STEP_DONE && !parallel_lost(apply, saga_place_of(step));
}

bool tcc_begun(const struct apply *apply)
{
    for (size_t i = 0; apply->definition->confirms && i < apply->next->steps_len; i++) {
        const struct saga_step *step = &apply->next->steps[i];

        if (apply->definition->steps[step->index].confirmation && (step->attempts > 0 || step->status == STEP_DONE))
            return true;
    }
    return false;
}

const struct saga_step *tcc_tried(const struct apply *apply, int confirm)
{
    const struct saga_step *step = saga_step_find(apply->next, (struct saga_place){apply->definition->steps[confirm].confirms, -1});

    return step != NULL && to_be_confirmed(apply, step) ? step : NULL;
}

/* A step whose reservation has run out; NULL = none. */
static const char *expired(const struct apply *apply)
{
    for (size_t i = 0; apply->definition->confirms && i < apply->next->steps_len; i++) {
        const struct saga_step *step = &apply->next->steps[i];
        const struct definition_step *definition = &apply->definition->steps[step->index];

        if (definition->expires_ms > 0 && to_be_confirmed(apply, step) && apply->at >= step->settled_at_ms + definition->expires_ms)
            return definition->name;
    }
    return NULL;
}

bool tcc_too_late(struct apply *apply, struct saga_step *step)
{
    const struct definition_step *definition = &apply->definition->steps[step->index];
    char message[DEFINITION_ENTRY_NAME_MAX + 64];
    const char *name = NULL;

    if (step->attempts == 0 && (definition->pivot || definition->confirmation) && !forward_past_pivot(apply))
        name = expired(apply);
    if (name == NULL)
        return false;
    (void)snprintf(message, sizeof message, "what %s has tried has expired", name);
    apply_set(apply, &step->error, reply_error("TCC_EXPIRED", message));
    return true;
}

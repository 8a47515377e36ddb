/*
 * tcc.c -- try, confirm, cancel: a step is tried on the way forward, and confirmed when there is no way back.
 *
 * Owns:     which steps are confirmed; what was tried and has expired.
 * Rule:     the first confirm that is sent is a point of no return: from then on each is tried until it is done, or the saga parks.
 * Rule:     a confirm is a step of its own behind the pivot, or at the end; a cancel is the compensation of its try. So nothing else is special about them.
 * Tests:    tests/core/test_apply.c
 */
#include "apply_internal.h"

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

    return step != NULL && step->status == STEP_DONE && !parallel_lost(apply, saga_place_of(step)) ? step : NULL;
}

const char *tcc_expired(const struct apply *apply)
{
    for (size_t i = 0; apply->definition->confirms && i < apply->next->steps_len; i++) {
        const struct saga_step *step = &apply->next->steps[i];
        const struct definition_step *definition = &apply->definition->steps[step->index];

        if (definition->expires_ms > 0 && step->status == STEP_DONE && apply->at >= step->settled_at_ms + definition->expires_ms)
            return definition->name;
    }
    return NULL;
}

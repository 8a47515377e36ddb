/*
 * fallback.c -- what stands in for a step that is given up: a value, or another service.
 *
 * Owns:     when it is taken, and what becomes of the step that it stands in for.
 * Rule:     a refusal is an answer: nothing stands in for that. Exhaustion, silence and an open breaker are none.
 * Rule:     what stands in has an entry of its own, `<step>:fallback`: its attempts, its output, its compensation. The step's entry tells of the step
 *           alone; unknown, or done after all, it is undone like any other if the saga turns back, and left in place if the saga completes.
 * Tests:    tests/core/test_apply.c
 */
#include "apply_internal.h"

bool fallback_taken(const struct saga_step *step)
{
    return step->fallback != FALLBACK_NONE;
}

struct saga_place fallback_of(struct apply *apply, struct saga_step *step)
{
    int other = apply->definition->steps[step->index].fallback;

    if (other == 0 || step->refused)
        return SAGA_ITSELF;
    step->fallback = apply->definition->steps[other].stands_in;
    step->changed = true;
    apply_history(apply, HISTORY_FALLBACK, saga_place_of(step), 0);
    return (struct saga_place){other, step->iteration};
}

struct saga_place fallback_enter_value(struct apply *apply, struct saga_step *step)
{
    json_t *value = NULL, *error = NULL;

    if (!apply_template(apply, apply->definition->steps[step->index].output, saga_place_of(step), &value, &error)) {
        apply_set(apply, &step->error, error);
        return forward_enter_failed(apply, step);
    }
    apply_set(apply, &step->output, value);
    json_decref(step->error); /* of before an operator's retry */
    step->error = NULL;
    forward_settle(apply, step, STEP_DONE);
    apply_history(apply, HISTORY_DONE, saga_place_of(step), 0);
    return forward_follow(apply, saga_place_of(step));
}

void fallback_done_after_all(struct apply *apply, struct saga_step *step, const struct reply_meaning *meaning)
{
    if (step->done_order > 0)
        return;
    step->done_order = apply_next_order(apply);
    forward_take_output(apply, step, json_incref(meaning->output), meaning->dataref);
    step->changed = true;
}

/*
 * repeat.c -- a step that is asked again until its answer will do.
 *
 * Owns:     whether an answer is the step's, or another poll follows.
 * Rule:     a poll is a command of its own, with its own idempotency key and its own budget of attempts; its first success ends it.
 * Rule:     a step that has answered a poll may have acted: it is undone if it fails after that, once, whatever the last answer was.
 * Tests:    tests/core/test_apply.c
 */
#include "apply_internal.h"
#include <stdio.h>

static const struct repeat_policy *repeat_of(const struct apply *apply, const struct saga_step *step)
{
    return apply->definition->steps[step->index].repeat;
}

bool repeat_is_over(const struct apply *apply, const struct saga_step *step, int attempt)
{
    return repeat_of(apply, step) != NULL && attempt <= step->poll_from;
}

/* The output stands in the step already. False: meaning->error says why it cannot be known. */
static bool will_do(struct apply *apply, const struct saga_event *event, const struct saga_step *step, const struct repeat_policy *repeat, struct reply_meaning *meaning)
{
    struct expr_scope scope = apply_scope(apply, saga_place_of(step));
    struct baton_error err = {0};
    bool yes = false;
    enum baton_err rc = BATON_OK;

    scope.body = event->body;
    scope.headers = event->headers;
    rc = expr_eval_bool(apply->definition->vm, repeat->until, &scope, &yes, &err);
    apply->failed = apply->failed || rc == BATON_E_NOMEM;
    if (rc == BATON_E_INVALID) {
        meaning->output_failed = true;
        apply_set(apply, &meaning->error, reply_error("EXPRESSION", err.text));
    }
    return yes || rc != BATON_OK;
}

bool repeat_goes_on(struct apply *apply, const struct saga_event *event, struct saga_step *step, struct reply_meaning *meaning)
{
    const struct repeat_policy *repeat = repeat_of(apply, step);
    char message[64];

    if (repeat == NULL || meaning->output_failed)
        return false;
    forward_take_output(apply, step, json_incref(meaning->output), meaning->dataref);
    if (will_do(apply, event, step, repeat, meaning))
        return false;
    step->polls++;
    step->poll_from = step->forgiven = step->attempts;
    step->unanswered = true;
    step->changed = true;
    apply_history(apply, HISTORY_POLLED, saga_place_of(step), event->attempt);
    if (parallel_lost(apply, saga_place_of(step))) {
        forward_fall_back(apply, step, "STOPPED", "no more polls where the saga does not go on");
        return true;
    }
    if (step->polls % repeat->limit == 0) { /* an operator's retry has as many again */
        (void)snprintf(message, sizeof message, "not yet after %d polls", step->polls);
        forward_fall_back(apply, step, "REPEAT_LIMIT", message);
        return true;
    }
    step->done_order = 0; /* it may have been given up and parked on */
    step->held_since_ms = 0;
    step->settled_at_ms = 0;
    step->status = STEP_RETRYING;
    step->due_at_ms = apply->at + repeat->interval_ms;
    return true;
}

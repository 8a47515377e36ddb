/*
 * foreach.c -- one list of steps for each item of an array: its iterations run side by side, so many at a time.
 *
 * Owns:     the items; which iteration begins next; what the forEach gives.
 * Rule:     iterations are independent of each other: none waits for another, and nothing orders two of them on the way back. Within one of them the
 *           rules of a list hold. One that fails, fails the forEach.
 * Rule:     no more of them are being undone at a time than may be under way: a participant that is asked by tens is not asked by thousands because one failed.
 * Why:      an iteration begins at the top of an event's work, never from within the end of another: else ten thousand that have nothing to wait for would
 *           stand on each other's stack.
 * Tests:    tests/core/test_apply.c, tests/core/test_foreach.c, tests/core/test_apply_random.c
 */
#include "apply_internal.h"
#include <stdio.h>

/* The array; a new reference. A Lua table with nothing in it is one. False: step->error says why there is none. */
static bool items_of(struct apply *apply, struct saga_step *step, json_t **ret_items)
{
    struct expr_scope scope = apply_scope(apply, saga_place_of(step));
    struct baton_error err = {0};
    char message[96];
    json_t *items = NULL;
    enum baton_err rc = expr_eval(apply->definition->vm, apply->definition->steps[step->index].items, &scope, &items, &err);

    if (rc == BATON_OK && json_is_object(items) && json_object_size(items) == 0)
        apply_set(apply, &items, json_array());
    if (rc == BATON_OK && json_is_array(items) && json_array_size(items) <= FOREACH_ITEMS_MAX) {
        *ret_items = items;
        return true;
    }
    if (rc == BATON_OK && json_is_array(items))
        (void)snprintf(message, sizeof message, "\"items\" gives %zu of them, at most %d", json_array_size(items), FOREACH_ITEMS_MAX);
    else
        (void)snprintf(message, sizeof message, "\"items\" gives no array");
    json_decref(items);
    apply->failed = apply->failed || rc == BATON_E_NOMEM;
    apply_set(apply, &step->error, reply_error("EXPRESSION", rc == BATON_E_INVALID ? err.text : message));
    return false;
}

/* The output of the last of its steps that was done; what stands in for a step comes after it. A null is none: the state, as it is kept, does not tell them apart. */
static json_t *given_by(const struct apply *apply, int each, int iteration)
{
    for (int i = apply->definition->steps[each].after - 1; i > each; i--) {
        const struct saga_step *step = saga_step_find(apply->next, (struct saga_place){i, iteration});

        if (step != NULL && step->output != NULL && !json_is_null(step->output) && (step->status == STEP_DONE || step->status == STEP_SKIPPED))
            return step->output;
    }
    return json_null();
}

static void collect(struct apply *apply, struct saga_step *step)
{
    json_t *output = json_array();

    for (int i = 0; i < step->count && output != NULL; i++) {
        if (json_array_append(output, given_by(apply, step->index, i)) != 0)
            apply->failed = true;
    }
    apply_set(apply, &step->output, output);
}

struct saga_place foreach_enter(struct apply *apply, struct saga_step *step)
{
    json_t *items = NULL;

    if (!items_of(apply, step, &items))
        return forward_enter_failed(apply, step);
    step->count = (int)json_array_size(items);
    if (expr_is_of_input(apply->definition->steps[step->index].items))
        json_decref(items);
    else
        apply_set(apply, &step->items, items);
    if (step->count > 0) {
        apply->iterations_wait = true;
        return SAGA_ITSELF;
    }
    collect(apply, step);
    forward_settle(apply, step, STEP_DONE);
    return forward_follow(apply, saga_place_of(step));
}

struct saga_place foreach_next(struct apply *apply)
{
    const struct definition *definition = apply->definition;

    for (int i = 0; apply->iterations_wait && i < (int)definition->steps_len; i++) {
        struct saga_step *step = definition->steps[i].kind == STEP_FOREACH ? saga_step_find(apply->next, (struct saga_place){i, -1}) : NULL;

        if (step == NULL || step->status != STEP_RUNNING || step->begun == step->count || step->begun - step->finished >= definition->steps[i].concurrency)
            continue;
        step->changed = true;
        return (struct saga_place){definition_first(definition, i, 0), step->begun++};
    }
    apply->iterations_wait = false;
    return SAGA_ITSELF;
}

bool foreach_follow(struct apply *apply, struct saga_place each)
{
    struct saga_step *step = saga_step_find(apply->next, each);

    step->changed = true;
    apply->iterations_wait = true;
    if (++step->finished < step->count)
        return false;
    collect(apply, step);
    return true;
}

json_t *foreach_item(const struct apply *apply, struct saga_place place)
{
    int each = place.iteration < 0 ? -1 : apply->definition->steps[place.index].each;
    const struct saga_step *step = each < 0 ? NULL : saga_step_find(apply->next, (struct saga_place){each, -1});
    struct expr_scope input = {.input = apply->next->input};
    json_t *items = NULL;
    struct baton_error err;

    if (step == NULL)
        return NULL;
    if (step->items != NULL)
        return json_array_get(step->items, (size_t)place.iteration);
    if (expr_eval(apply->definition->vm, apply->definition->steps[each].items, &input, &items, &err) != BATON_OK)
        return NULL;
    json_decref(items); /* it is a part of the input, which stays */
    return json_array_get(items, (size_t)place.iteration);
}

bool foreach_undoing(const struct apply *apply, struct saga_place place)
{
    int each = apply->definition->steps[place.index].each;
    bool undoing = false;

    for (int i = each + 1; i < apply->definition->steps[each].after && !undoing; i++) {
        const struct saga_step *step = saga_step_find(apply->next, (struct saga_place){i, place.iteration});

        undoing = step != NULL && compensate_under_way(step);
    }
    return undoing;
}

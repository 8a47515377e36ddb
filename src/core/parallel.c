/*
 * parallel.c -- branches side by side: when a parallel is done, and which of its branches lose.
 *
 * Owns:     joins; what stops in a branch that lost; which steps stand in an order to each other.
 * Rule:     a branch loses when enough others are done, or when it fails and the parallel can do without it. Nothing is sent in it any
 *           more; what was done in it, or may have been, is undone, whatever the saga does. A saga that turns back has lost as a whole.
 * Tests:    tests/core/test_apply.c, tests/core/test_apply_random.c
 */
#include "apply_internal.h"

static bool has_lost(const struct apply *apply, struct saga_place parallel, int branch)
{
    const struct saga_step *entry = saga_step_find(apply->next, parallel);

    return entry != NULL && (entry->lost >> branch & 1) != 0;
}

/* The parallel of the innermost branch that lost around this step; below `within` only. SAGA_ITSELF = none. */
static struct saga_place lost_group(const struct apply *apply, struct saga_place place, int within)
{
    const struct definition_step *steps = apply->definition->steps;

    for (struct saga_place group = apply_around(apply, place); group.index != within; place = group, group = apply_around(apply, group)) {
        if (steps[group.index].kind == STEP_PARALLEL && has_lost(apply, group, steps[place.index].branch))
            return group;
    }
    return SAGA_ITSELF;
}

bool parallel_lost(const struct apply *apply, struct saga_place place)
{
    return apply->next->turned_back || lost_group(apply, place, -1).index >= 0;
}

/* In two iterations of one forEach? */
static bool other_iteration(const struct definition *definition, struct saga_place a, struct saga_place b)
{
    return a.iteration != b.iteration && definition->steps[a.index].each >= 0 && definition->steps[a.index].each == definition->steps[b.index].each;
}

/* Everything stands in the branch 0 of no parallel. */
static bool stands_in(const struct apply *apply, struct saga_place parallel, int branch, const struct saga_step *step)
{
    if (parallel.index < 0)
        return true;
    return step->index != parallel.index && definition_contains(apply->definition, parallel.index, step->index) &&
           definition_branch(apply->definition, parallel.index, step->index) == branch &&
           !other_iteration(apply->definition, parallel, saga_place_of(step));
}

const struct saga_step *parallel_awaits(const struct apply *apply, struct saga_place place, const struct saga_step *likely)
{
    struct saga_place parallel = lost_group(apply, place, -1);
    int branch = parallel.index < 0 ? 0 : definition_branch(apply->definition, parallel.index, place.index);

    if (likely != NULL && apply_is_outstanding(apply->definition, likely) && stands_in(apply, parallel, branch, likely))
        return likely;
    for (size_t i = 0; i < apply->next->steps_len; i++) {
        const struct saga_step *step = &apply->next->steps[i];

        if (apply_is_outstanding(apply->definition, step) && stands_in(apply, parallel, branch, step))
            return step;
    }
    return NULL;
}

bool parallel_ordered(const struct apply *apply, struct saga_place a, struct saga_place b)
{
    const struct definition_step *steps = apply->definition->steps;
    int group_of_a = a.index, group_of_b = b.index; /* or the step itself: side by side in one list, or in two branches */

    if (other_iteration(apply->definition, a, b))
        return false;
    if (definition_contains(apply->definition, a.index, b.index) || definition_contains(apply->definition, b.index, a.index))
        return true; /* a step, and what stands in for it */
    while (!definition_contains(apply->definition, steps[group_of_a].parent, b.index))
        group_of_a = steps[group_of_a].parent;
    while (steps[group_of_b].parent != steps[group_of_a].parent)
        group_of_b = steps[group_of_b].parent;
    if (steps[group_of_a].branch != steps[group_of_b].branch)
        return false;
    /* What lost is undone on its own, whatever came after its group; what came before waits for it. */
    return lost_group(apply, group_of_a < group_of_b ? a : b, steps[group_of_a].parent).index < 0;
}

/* Groups end; what would be sent or waits is given up, and so is what has been sent, unless its answer is waited for. */
static void stop(struct apply *apply, struct saga_place parallel, int branch, bool wait_for_answers, const char *why)
{
    for (size_t i = 0; i < apply->next->steps_len; i++) {
        struct saga_step *step = &apply->next->steps[i];
        /* A child may take its time: it is undone at once. */
        bool awaited = wait_for_answers && step->status == STEP_RUNNING && !step->parked && !child_awaited(apply->definition, step);

        if (!stands_in(apply, parallel, branch, step))
            continue;
        if (apply_is_group(apply->definition, step)) {
            if (step->status == STEP_RUNNING)
                forward_settle(apply, step, STEP_FAILED);
        } else if (apply_is_outstanding(apply->definition, step) && !awaited) {
            apply_give_up(apply, step, "STOPPED", why);
        }
        if (!compensate_under_way(step))
            apply_unstick(apply, step);
    }
}

void parallel_stop_all(struct apply *apply)
{
    stop(apply, SAGA_ITSELF, 0, true, "another branch failed");
}

static int branches_left(const struct apply *apply, struct saga_place parallel)
{
    int left = apply->definition->steps[parallel.index].branches;

    for (uint32_t lost = saga_step_find(apply->next, parallel)->lost; lost != 0; lost &= lost - 1)
        left--;
    return left;
}

bool parallel_spares(const struct apply *apply, struct saga_place place, struct saga_place *ret_parallel, int *ret_branch)
{
    const struct definition_step *steps = apply->definition->steps;

    for (struct saga_place group = apply_around(apply, place); group.index >= 0; place = group, group = apply_around(apply, group)) {
        if (steps[group.index].kind == STEP_PARALLEL && branches_left(apply, group) > steps[group.index].quorum) {
            *ret_parallel = group;
            *ret_branch = steps[place.index].branch;
            return true;
        }
    }
    return false;
}

static void lose(struct apply *apply, struct saga_place parallel, int branch, bool wait_for_answers, const char *why)
{
    struct saga_step *entry = saga_step_find(apply->next, parallel);

    entry->lost |= UINT32_C(1) << branch;
    entry->changed = true;
    apply_history(apply, HISTORY_LOST, parallel, branch + 1);
    stop(apply, parallel, branch, wait_for_answers, why);
}

void parallel_lose(struct apply *apply, struct saga_place parallel, int branch)
{
    lose(apply, parallel, branch, true, "its branch failed");
}

bool parallel_join(struct apply *apply, struct saga_place parallel)
{
    const struct definition_step *definition = &apply->definition->steps[parallel.index];
    uint32_t open = 0;
    int done = 0;

    for (int i = 0; i < definition->branches; i++) {
        if (has_lost(apply, parallel, i))
            continue;
        if (forward_finished(apply, parallel, i))
            done++;
        else
            open |= UINT32_C(1) << i;
    }
    if (done < definition->quorum)
        return false;
    for (int i = 0; i < definition->branches; i++) {
        if ((open >> i & 1) != 0)
            lose(apply, parallel, i, false, "enough other branches are done");
    }
    return true;
}

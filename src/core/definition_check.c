/*
 * definition_check.c -- what a definition that reads well may still get wrong.
 *
 * Owns:     references between steps; undo before the pivot; durations against the saga's timeout.
 * Tests:    tests/core/test_definition.c
 */
#include "definition_check.h"
#include <baton/json.h>
#include <stdio.h>
#include <string.h>


/* Where an expression stands: what it may refer to. */
struct place {
    struct checking *checking;
    const struct definition *definition;
    int last_step; /* index of the last step whose result is known there */
    int own_step;  /* the one it stands in; steps_len = after all of them */
    const char *key; /* of the expression field, or of the template's root */
};

/* NULL, too, once no more errors are told: thousands of wrong names against hundreds of right ones take long. */
static const char *near_step(const struct checking *checking, const struct definition *definition, const char *name)
{
    const char *names[DEFINITION_STEPS_MAX];

    if (checking->findings->errors >= FINDINGS_MAX)
        return NULL;
    for (size_t i = 0; i < definition->steps_len; i++)
        names[i] = definition->steps[i].name;
    return nearest_name(name, names, definition->steps_len);
}

static bool is_group(const struct definition_step *step)
{
    return step->kind == STEP_SEQUENCE || step->kind == STEP_SWITCH || step->kind == STEP_PARALLEL || step->kind == STEP_FOREACH;
}

/* What is known of a step at the place of one that comes after it. */
enum certainty {
    REACHED,
    MAY_BE_SKIPPED,
    OTHER_CASE,   /* of one switch: never both */
    OTHER_BRANCH, /* of one parallel: nobody knows which comes first */
};

/* Can the parallel be done without one of its branches? */
static bool may_lose(const struct definition_step *group)
{
    return group->kind == STEP_PARALLEL && group->quorum < group->branches;
}

static enum certainty certainty_of(const struct definition *definition, int index, int from)
{
    const struct definition_step *steps = definition->steps;
    enum certainty certainty = REACHED;
    int apart = -1; /* the outermost group around index, or itself, that `from` is not in */

    for (int i = index; i >= 0 && !definition_contains(definition, i, from); i = steps[i].parent) {
        const struct definition_step *group = steps[i].parent < 0 ? NULL : &steps[steps[i].parent];
        bool chosen = group != NULL && (group->kind == STEP_SWITCH || may_lose(group));

        if (steps[i].when != NULL || (steps[i].skipped_to > 0 && from >= steps[i].skipped_to) || (chosen && !definition_contains(definition, steps[i].parent, from)))
            certainty = MAY_BE_SKIPPED;
        apart = i;
    }
    if (apart < 0 || steps[apart].parent < 0 || steps[apart].parent == from)
        return certainty;
    while (definition_contains(definition, steps[apart].parent, from) && steps[from].parent != steps[apart].parent)
        from = steps[from].parent;
    if ((size_t)from >= definition->steps_len || steps[from].parent != steps[apart].parent || steps[from].branch == steps[apart].branch)
        return certainty;
    return steps[steps[apart].parent].kind == STEP_PARALLEL ? OTHER_BRANCH : OTHER_CASE;
}

/* Is the pivot behind every run that gets to this step? */
static bool past_pivot(const struct definition *definition, int index)
{
    return definition->pivot >= 0 && index > definition->pivot && certainty_of(definition, definition->pivot, index) == REACHED;
}

/* Can another step fail, once this one is done? */
static bool is_last(const struct definition *definition, int index)
{
    for (; index >= 0; index = definition->steps[index].parent) {
        const int group = definition->steps[index].parent;

        if (definition_follower(definition, index) >= 0 ||
            (group >= 0 && (definition->steps[group].branches > 1 || definition->steps[group].kind == STEP_FOREACH)))
            return false;
    }
    return true;
}

static bool is_step_field(const char *field)
{
    for (int i = 0; i < EXPR_STEP_FIELDS; i++) {
        if (strcmp(field, expr_step_fields[i]) == 0)
            return true;
    }
    return false;
}

/* The parallel around the step, the innermost one that may do without it if only_may_lose; -1 = there is none. */
static int parallel_around(const struct definition *definition, int index, bool only_may_lose)
{
    int group = definition->steps[index].parent;

    while (group >= 0 && (definition->steps[group].kind != STEP_PARALLEL || (only_may_lose && !may_lose(&definition->steps[group]))))
        group = definition->steps[group].parent;
    return group;
}

static bool is_in_other_each(const struct definition *definition, int index, int from)
{
    int each = definition->steps[index].each;

    return each >= 0 && ((size_t)from >= definition->steps_len || !definition_contains(definition, each, from) || from == each);
}

static void check_reference(const struct place *place, const struct expr_reference *reference, const char *pointer, int column)
{
    struct checking *checking = place->checking;
    const struct definition *definition = place->definition;
    int index = definition_step_index(definition, reference->step, strlen(reference->step));
    size_t len = checking->pointer.len;
    const char *near = index < 0 ? near_step(checking, definition, reference->step) : NULL;

    json_pointer_push(&checking->pointer, place->key);
    buffer_text(&checking->pointer, pointer);
    if (index < 0 && near != NULL)
        finding_at(checking, FINDING_ERROR, NULL, false, column, "no step is called \"%s\"; did you mean \"%s\"?", reference->step, near);
    else if (index < 0)
        finding_at(checking, FINDING_ERROR, NULL, false, column, "no step is called \"%s\"", reference->step);
    else if (is_in_other_each(definition, index, place->own_step))
        finding_at(checking, FINDING_ERROR, NULL, false, column, "steps.%s is there once for each item; outside of the forEach use steps.%s.output, an array",
                   reference->step, definition->steps[definition->steps[index].each].name);
    else if (definition->steps[index].kind == STEP_FOREACH && index != place->own_step && definition_contains(definition, index, place->own_step))
        finding_at(checking, FINDING_ERROR, NULL, false, column, "steps.%s is the forEach around it, which is done when all its iterations are; see item and index",
                   reference->step);
    else if (certainty_of(definition, index, place->own_step) == OTHER_BRANCH)
        finding_at(checking, FINDING_ERROR, NULL, false, column,
                   "steps.%s is in another branch of the same parallel: it may be there or not; use it after the parallel", reference->step);
    else if (index > place->last_step)
        finding_at(checking, FINDING_ERROR, NULL, false, column, "steps.%s is used before it runs", reference->step);
    else if (!is_step_field(reference->field))
        finding_at(checking, FINDING_ERROR, NULL, false, column, "steps.%s has output, error, status and fallback, not \"%s\"", reference->step,
                   reference->field);
    else if (is_group(&definition->steps[index]) && definition->steps[index].kind != STEP_FOREACH && strcmp(reference->field, "output") == 0)
        finding_at(checking, FINDING_ERROR, NULL, false, column, "%s is a group: it has a status, the steps in it have outputs", reference->step);
    else if (definition->steps[index].kind == STEP_SLEEP && strcmp(reference->field, "output") == 0)
        finding_at(checking, FINDING_ERROR, NULL, false, column, "%s is a sleep: it has no output", reference->step);
    else if (certainty_of(definition, index, place->own_step) == OTHER_CASE)
        finding_at(checking, FINDING_ERROR, NULL, false, column, "steps.%s is in another case of the same switch: never both", reference->step);
    else if (definition->steps[index].kind == STEP_WAIT && definition->steps[index].on_timeout == ON_TIMEOUT_CONTINUE && !reference->guarded &&
             strcmp(reference->field, "output") == 0)
        finding_at(checking, FINDING_WARNING, NULL, false, column,
                   "step %s may end without a signal, then this is nil: write (steps.%s.output... or <value>)", reference->step, reference->step);
    else if (certainty_of(definition, index, place->own_step) == MAY_BE_SKIPPED && !reference->guarded &&
             strcmp(reference->field, "output") == 0)
        finding_at(checking, FINDING_WARNING, NULL, false, column,
                   "step %s may be %s, then this is nil: write (steps.%s.output... or <value>)", reference->step,
                   parallel_around(definition, index, true) < 0 ? "skipped" : "in a branch that loses", reference->step);
    checking->pointer.len = len;
}

static void check_expr(const struct place *place, const struct expr *expr, const char *pointer, int column_offset)
{
    struct expr_reference references[EXPR_REFERENCES_MAX];
    size_t n = expr == NULL ? 0 : expr_references(expr, references, EXPR_REFERENCES_MAX);

    for (size_t i = 0; i < n; i++)
        check_reference(place, &references[i], pointer, column_offset + references[i].column);
    if (expr != NULL && expr_uses_item(expr) && ((size_t)place->own_step >= place->definition->steps_len || place->definition->steps[place->own_step].each < 0)) {
        size_t len = place->checking->pointer.len;

        json_pointer_push(&place->checking->pointer, place->key);
        buffer_text(&place->checking->pointer, pointer);
        finding_at(place->checking, FINDING_WARNING, NULL, false, column_offset + 1, "item and index are nil here: they belong to the steps in a forEach");
        place->checking->pointer.len = len;
    }
}

static void visit(void *context, const struct expr *expr, const char *pointer, int column_offset)
{
    check_expr(context, expr, pointer, column_offset);
}

static void check_template(struct place *place, const char *key, const struct template *template)
{
    place->key = key;
    if (template != NULL)
        template_visit(template, visit, place);
}

static void check_field(struct place *place, const char *key, const struct expr *expr)
{
    place->key = key;
    check_expr(place, expr, "", 2); /* after ${ */
}

/* To where a step stands in the document. */
static void push_place(struct checking *checking, const struct definition *definition, int index)
{
    const struct definition_step *step = &definition->steps[index];
    const struct definition_step *group = step->parent < 0 ? NULL : &definition->steps[step->parent];

    if (step->confirmation) {
        push_place(checking, definition, step->confirms);
        (void)read_enter(checking, "tcc");
        (void)read_enter(checking, "confirm");
        return;
    }
    if (group == NULL) {
        (void)read_enter(checking, "steps");
    } else {
        push_place(checking, definition, step->parent);
        if (step->stands_in != FALLBACK_NONE) {
            (void)read_enter(checking, "fallback");
            return;
        }
        if (group->kind == STEP_SEQUENCE) {
            (void)read_enter(checking, "sequence");
        } else if (group->kind == STEP_PARALLEL) {
            (void)read_enter(checking, "parallel");
            (void)read_enter_index(checking, (size_t)step->branch);
        } else if (group->kind == STEP_FOREACH) {
            (void)read_enter(checking, "forEach");
            (void)read_enter(checking, "steps");
        } else if (step->branch == group->cases_len) {
            (void)read_enter(checking, "default");
        } else {
            (void)read_enter(checking, "switch");
            (void)read_enter_index(checking, (size_t)step->branch);
            (void)read_enter(checking, "steps");
        }
    }
    (void)read_enter_index(checking, (size_t)step->position);
}

static void check_cases(struct checking *checking, struct place *place, const struct definition_step *step)
{
    size_t len = read_enter(checking, "switch");

    for (int i = 0; i < step->cases_len; i++) {
        size_t inner = read_enter_index(checking, (size_t)i);

        check_field(place, "when", step->cases[i]);
        read_leave(checking, inner);
    }
    read_leave(checking, len);
}

static void check_pivot(struct checking *checking, const struct definition *definition, int index)
{
    const struct definition_step *steps = definition->steps;
    int parallel = parallel_around(definition, index, false);

    if (!steps[index].pivot)
        return;
    if (steps[index].each >= 0)
        finding_at(checking, FINDING_ERROR, "pivot", false, 0,
                   "a pivot cannot stand in a forEach: it would be passed once for each item, and the others may still fail; put it after %s", steps[steps[index].each].name);
    else if (parallel >= 0)
        finding_at(checking, FINDING_ERROR, "pivot", false, 0,
                   "a pivot cannot stand in a parallel: the branches beside it may still fail, and then there has to be a way back; put it after %s",
                   steps[parallel].name);
}

static void check_expiry(struct checking *checking, const struct definition *definition, int confirm);
static double worst_list_ms(const struct definition *definition, int group, int branch);

static void check_command(struct checking *checking, struct place *before, struct place *after, int index)
{
    const struct definition *definition = before->definition;
    const struct definition_step *step = &definition->steps[index];
    bool past = past_pivot(definition, index), loses = parallel_around(definition, index, true) >= 0;
    size_t inner = checking->pointer.len;

    check_template(before, "input", step->input_inherited ? NULL : step->input);
    check_template(after, "output", step->output_inherited ? NULL : step->output);
    if (step->reply != NULL && !step->reply_inherited) {
        json_pointer_push(&checking->pointer, "reply");
        check_field(after, "success", step->reply->success);
        check_field(after, "retry", step->reply->retry);
        check_field(after, "code", step->reply->code);
        check_field(after, "output", step->reply->output);
        checking->pointer.len = inner;
    }
    if (step->repeat != NULL) {
        json_pointer_push(&checking->pointer, "repeat");
        check_field(after, "until", step->repeat->until);
        checking->pointer.len = inner;
    }
    if (step->confirmation) {
        check_expiry(checking, definition, index);
        return;
    }
    if (step->tcc) {
        json_pointer_push(&checking->pointer, "tcc");
        json_pointer_push(&checking->pointer, "cancel");
        check_template(after, "input", step->compensation->input);
        checking->pointer.len = inner;
        return;
    }
    if (step->compensation_inherited)
        return;
    if (step->compensation != NULL) {
        json_pointer_push(&checking->pointer, "compensation");
        check_template(after, "input", step->compensation->input);
        checking->pointer.len = inner;
        if (past && !loses)
            finding_at(checking, FINDING_WARNING, "compensation", true, 0, "never used: the step comes after the pivot");
        else if (step->compensation->retry.attempts == RETRY_UNLIMITED)
            finding_at(checking, FINDING_WARNING, "compensation", true, 0, "tried for ever: the saga never parks, nobody is told");
    } else if (loses && step->stands_in == FALLBACK_NONE) {
        finding_add(checking, FINDING_WARNING, "step %s cannot be undone when its branch loses: give it a compensation", step->name);
    } else if (!past && !step->pivot && step->stands_in == FALLBACK_NONE && !is_last(definition, index)) {
        finding_add(checking, FINDING_WARNING, "step %s cannot be undone when a later step fails: give it a compensation", step->name);
    }
    if (step->retry.attempts == RETRY_UNLIMITED && definition->timeout_ms == 0 && !past && !step->pivot)
        finding_at(checking, FINDING_WARNING, "retry", true, 0, "unlimited attempts and no saga timeout: it may wait for ever");
    check_pivot(checking, definition, index);
}

/* A child is undone as a whole: it needs no compensation of the step. */
static void check_saga(struct checking *checking, struct place *before, struct place *after, int index)
{
    const struct definition *definition = before->definition;
    const struct definition_step *step = &definition->steps[index];
    size_t inner = checking->pointer.len;

    check_template(after, "output", step->output);
    (void)read_enter(checking, "saga");
    check_template(before, "input", step->input);
    if (strcmp(step->child, definition->name) == 0)
        finding_at(checking, FINDING_ERROR, "name", false, 0, "%s starts itself: there would be no end to it", definition->name);
    checking->pointer.len = inner;
    if (step->retry.attempts == RETRY_UNLIMITED && definition->timeout_ms == 0 && !past_pivot(definition, index) && !step->pivot)
        finding_at(checking, FINDING_WARNING, "retry", true, 0, "unlimited attempts and no saga timeout: it may wait for ever");
    check_pivot(checking, definition, index);
}

/* Is the child undone when what comes after it, or what stands beside it, fails? */
static bool may_be_undone(const struct definition *definition, int index)
{
    const struct definition_step *step = &definition->steps[index];

    if (step->kind != STEP_SAGA || step->detached || step->pivot)
        return false;
    return parallel_around(definition, index, true) >= 0 || (!past_pivot(definition, index) && !is_last(definition, index));
}

bool definition_check_children(const struct definition *definition, definition_has_pivot *has_pivot, void *context, struct findings *findings)
{
    struct checking checking = {.findings = findings};

    for (int i = 0; i < (int)definition->steps_len; i++) {
        const struct definition_step *step = &definition->steps[i];

        if (!may_be_undone(definition, i) || !has_pivot(context, step->child, step->child_version))
            continue;
        push_place(&checking, definition, i);
        (void)read_enter(&checking, "saga");
        finding_at(&checking, FINDING_WARNING, "name", false, 0, "%s has a pivot or confirms what it tried: past that, it cannot be undone when a later step fails, and this saga parks", step->child);
        checking.pointer.len = 0;
    }
    checking.no_memory = checking.no_memory || checking.pointer.failed;
    buffer_free(&checking.pointer);
    return !checking.no_memory;
}

static void check_step(struct checking *checking, const struct definition *definition, int index)
{
    const struct definition_step *step = &definition->steps[index];
    struct place before = {checking, definition, index - 1, index, NULL}, after = {checking, definition, index, index, NULL};
    size_t len = checking->pointer.len;

    if (step->lock) {
        (void)read_enter(checking, "lock");
        check_template(&before, "key", definition->lock.key);
        checking->pointer.len = len;
        return;
    }
    push_place(checking, definition, index);
    check_field(&before, "when", step->when);
    switch (step->kind) {
    case STEP_COMMAND: check_command(checking, &before, &after, index); break;
    case STEP_SAGA: check_saga(checking, &before, &after, index); break;
    case STEP_SWITCH: check_cases(checking, &before, step); break;
    case STEP_VALUE: check_template(&before, "output", step->output); break;
    case STEP_CACHED: /* what its parent makes is not known to the key */
        before.last_step = step->parent - 1;
        check_template(&before, "cached", step->key);
        break;
    case STEP_SLEEP:
        (void)read_enter(checking, "sleep");
        check_field(&before, "until", step->until);
        break;
    case STEP_FOREACH:
        (void)read_enter(checking, "forEach");
        check_field(&before, "items", step->items);
        break;
    case STEP_SEQUENCE:
    case STEP_PARALLEL:
    case STEP_WAIT: break;
    }
    checking->pointer.len = len;
}

/* A goto leads on to a sequence of its own list or of one around it: never back, never into a group, never out of a branch. */
static void resolve_goto(struct checking *checking, struct definition *definition, int index)
{
    struct definition_step *steps = definition->steps, *wait = &steps[index];
    int to = wait->goto_name == NULL ? -1 : definition_step_index(definition, wait->goto_name, strlen(wait->goto_name));
    size_t len = checking->pointer.len;
    bool led = false;

    if (wait->goto_name == NULL)
        return;
    for (int i = index; to >= 0 && steps[to].kind == STEP_SEQUENCE && i >= 0 && !led; i = steps[i].parent) {
        if (steps[i].kind == STEP_PARALLEL || steps[i].kind == STEP_FOREACH)
            break;
        for (int next = i; next >= 0 && !led; next = definition_follower(definition, next))
            led = next == to && next != i;
    }
    if (led) {
        wait->goto_step = to;
        for (int i = wait->after; i < to; i++)
            steps[i].skipped_to = to > steps[i].skipped_to ? to : steps[i].skipped_to;
        return;
    }
    push_place(checking, definition, index);
    (void)read_enter(checking, "wait");
    (void)read_enter(checking, "onTimeout");
    finding_at(checking, FINDING_ERROR, "goto", false, 0, "\"%s\" is not the name of a later sequence of this list, or of one around it%s", wait->goto_name,
               wait->each >= 0 ? ", within the forEach" : parallel_around(definition, index, false) >= 0 ? ", within the branch" : "");
    checking->pointer.len = len;
}

/* The longest a step can take: every attempt times out, every delay is the longest. */
static double worst_ms(const struct definition_step *step)
{
    const struct retry_policy *retry = &step->retry;
    double total = 0, delay = (double)retry->interval_ms;

    if ((step->kind != STEP_COMMAND && step->kind != STEP_SAGA) || (retry->attempts == RETRY_UNLIMITED && retry->max_duration_ms == 0))
        return 0;

    for (int i = 0; i < retry->attempts; i++) {
        total += (double)step->timeout_ms;
        if (i + 1 < retry->attempts)
            total += (delay < (double)retry->max_interval_ms ? delay : (double)retry->max_interval_ms) * (1 + retry->jitter);
        if (delay < (double)retry->max_interval_ms)
            delay *= retry->backoff;
    }
    if (retry->max_duration_ms > 0 && total > (double)retry->max_duration_ms)
        total = (double)retry->max_duration_ms;
    return step->repeat == NULL ? total : (total + (double)step->repeat->interval_ms) * step->repeat->limit;
}

/* Of a list of steps; what has no bound of its own is bounded by the timeout itself, or past the pivot. */
static double worst_chain_ms(const struct definition *definition, int first, int stop)
{
    double total = 0;

    for (int i = first; i >= 0 && i != stop; i = definition_follower(definition, i)) {
        const struct definition_step *step = &definition->steps[i];
        double longest = 0;

        switch (step->kind) {
        case STEP_COMMAND:
            total += worst_ms(step) + (step->fallback == 0 ? 0 : worst_ms(&definition->steps[step->fallback]));
            break;
        case STEP_SAGA: /* one without a timeout has the child's */
            total += worst_ms(step);
            break;
        case STEP_VALUE:
        case STEP_CACHED: break;
        case STEP_SLEEP:
        case STEP_WAIT: total += step->until == NULL ? (double)step->timeout_ms : 0; break;
        case STEP_SEQUENCE:
        case STEP_FOREACH: total += worst_list_ms(definition, i, 0); break; /* at least one iteration */
        case STEP_SWITCH:
        case STEP_PARALLEL: /* its branches run side by side */
            for (int k = 0; k <= step->cases_len + step->branches; k++) {
                double ms = worst_list_ms(definition, i, k);

                longest = ms > longest ? ms : longest;
            }
            total += longest;
            break;
        }
    }
    return total;
}

static double worst_list_ms(const struct definition *definition, int group, int branch)
{
    return worst_chain_ms(definition, definition_first(definition, group, branch), -1);
}

/* From the end of this step up to that one, which stands behind its outermost group: the branches beside it may go on for as long as they ever take. */
static double worst_between_ms(const struct definition *definition, int index, int stop)
{
    const struct definition_step *steps = definition->steps;
    double total = 0;

    for (int i = index, group; i >= 0; i = group) {
        group = steps[i].parent;
        total += worst_chain_ms(definition, definition_follower(definition, i), stop);
        for (int k = 0; group >= 0 && k < steps[group].branches; k++) {
            double ms = k == steps[i].branch ? 0 : worst_list_ms(definition, group, k);

            total = ms > total ? ms : total;
        }
    }
    return total;
}

/* How long what was tried may have to wait for its confirm. */
static void check_expiry(struct checking *checking, const struct definition *definition, int confirm)
{
    int tried = definition->steps[confirm].confirms;
    double lasts = (double)definition->steps[tried].expires_ms, total = worst_between_ms(definition, tried, confirm);
    size_t len = checking->pointer.len;

    if (lasts == 0 || total <= lasts)
        return;
    checking->pointer.len = 0;
    push_place(checking, definition, tried);
    (void)read_enter(checking, "tcc");
    finding_at(checking, FINDING_WARNING, "expires", false, 0, "%.0f s, and the steps up to the confirm can take %.0f s with all their attempts: it may come too late", lasts / 1000,
               total / 1000);
    checking->pointer.len = len;
}

static void check_durations(struct checking *checking, const struct definition *definition)
{
    double total = worst_list_ms(definition, -1, 0);

    if (definition->timeout_ms != 0 && total > (double)definition->timeout_ms)
        finding_at(checking, FINDING_WARNING, "timeout", false, 0,
                   "the steps can take %.0f s with all their attempts, the saga's timeout is %.0f s: late attempts will be cut off",
                   total / 1000, (double)definition->timeout_ms / 1000);
}

void definition_check(struct checking *checking, struct definition *definition)
{
    struct place end = {checking, definition, (int)definition->steps_len - 1, (int)definition->steps_len, NULL};

    for (size_t i = 0; i < definition->steps_len; i++)
        resolve_goto(checking, definition, (int)i);
    for (size_t i = 0; i < definition->steps_len; i++)
        check_step(checking, definition, (int)i);
    check_template(&end, "output", definition->output);
    check_durations(checking, definition);
}

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

#define REFERENCES_MAX 64

/* Where an expression stands: what it may refer to. */
struct place {
    struct checking *checking;
    const struct definition *definition;
    int last_step; /* index of the last step whose result is known there */
    int own_step;  /* never guarded against itself; -1 = none */
    const char *key; /* of the expression field, or of the template's root */
};

static const char *near_step(const struct definition *definition, const char *name)
{
    const char *names[DEFINITION_STEPS_MAX];

    for (size_t i = 0; i < definition->steps_len; i++)
        names[i] = definition->steps[i].name;
    return nearest_name(name, names, definition->steps_len);
}

static void check_reference(const struct place *place, const struct expr_reference *reference, const char *pointer, int column)
{
    struct checking *checking = place->checking;
    const struct definition *definition = place->definition;
    int index = definition_step_index(definition, reference->step, strlen(reference->step));
    size_t len = checking->pointer.len;
    const char *near = index < 0 ? near_step(definition, reference->step) : NULL;

    json_pointer_push(&checking->pointer, place->key);
    buffer_text(&checking->pointer, pointer);
    if (index < 0 && near != NULL)
        finding_at(checking, FINDING_ERROR, NULL, false, column, "no step is called \"%s\"; did you mean \"%s\"?", reference->step, near);
    else if (index < 0)
        finding_at(checking, FINDING_ERROR, NULL, false, column, "no step is called \"%s\"", reference->step);
    else if (index > place->last_step)
        finding_at(checking, FINDING_ERROR, NULL, false, column, "steps.%s is used before it runs", reference->step);
    else if (strcmp(reference->field, "output") != 0 && strcmp(reference->field, "error") != 0 && strcmp(reference->field, "status") != 0)
        finding_at(checking, FINDING_ERROR, NULL, false, column, "steps.%s has output, error and status, not \"%s\"", reference->step,
                   reference->field);
    else if (definition->steps[index].when != NULL && index != place->own_step && !reference->guarded &&
             strcmp(reference->field, "output") == 0)
        finding_at(checking, FINDING_WARNING, NULL, false, column,
                   "step %s may be skipped, then this is nil: write (steps.%s.output... or <value>)", reference->step, reference->step);
    checking->pointer.len = len;
}

static void check_expr(const struct place *place, const struct expr *expr, const char *pointer, int column_offset)
{
    struct expr_reference references[REFERENCES_MAX];
    size_t n = expr == NULL ? 0 : expr_references(expr, references, REFERENCES_MAX);

    for (size_t i = 0; i < n && i < REFERENCES_MAX; i++)
        check_reference(place, &references[i], pointer, column_offset + references[i].column);
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

static void check_step(struct checking *checking, const struct definition *definition, int index)
{
    const struct definition_step *step = &definition->steps[index];
    struct place before = {checking, definition, index - 1, -1, NULL}, after = {checking, definition, index, index, NULL};
    size_t len = checking->pointer.len, inner = 0;
    char token[24];

    (void)snprintf(token, sizeof token, "%d", index);
    json_pointer_push(&checking->pointer, "steps");
    json_pointer_push(&checking->pointer, token);
    check_template(&before, "input", step->input);
    check_field(&before, "when", step->when);
    check_template(&after, "output", step->output);
    inner = checking->pointer.len;
    if (step->reply != NULL) {
        json_pointer_push(&checking->pointer, "reply");
        check_field(&after, "success", step->reply->success);
        check_field(&after, "retry", step->reply->retry);
        check_field(&after, "code", step->reply->code);
        check_field(&after, "output", step->reply->output);
        checking->pointer.len = inner;
    }
    if (step->compensation != NULL) {
        json_pointer_push(&checking->pointer, "compensation");
        check_template(&after, "input", step->compensation->input);
        checking->pointer.len = inner;
        if (definition->pivot >= 0 && index > definition->pivot)
            finding_at(checking, FINDING_WARNING, "compensation", true, 0, "never used: the step comes after the pivot");
        else if (step->compensation->retry.attempts == RETRY_UNLIMITED)
            finding_at(checking, FINDING_WARNING, "compensation", true, 0, "tried for ever: the saga never parks, nobody is told");
    } else if ((definition->pivot < 0 || index < definition->pivot) && (size_t)index + 1 < definition->steps_len) {
        finding_add(checking, FINDING_WARNING, "step %s cannot be undone when a later step fails: give it a compensation", step->name);
    }
    if (step->retry.attempts == RETRY_UNLIMITED && definition->timeout_ms == 0 && (definition->pivot < 0 || index < definition->pivot))
        finding_at(checking, FINDING_WARNING, "retry", true, 0, "unlimited attempts and no saga timeout: it may wait for ever");
    checking->pointer.len = len;
}

/* The longest a step can take: every attempt times out, every delay is the longest. */
static double worst_ms(const struct definition_step *step)
{
    const struct retry_policy *retry = &step->retry;
    double total = 0, delay = (double)retry->interval_ms;

    for (int i = 0; i < retry->attempts; i++) {
        total += (double)step->timeout_ms;
        if (i + 1 < retry->attempts)
            total += (delay < (double)retry->max_interval_ms ? delay : (double)retry->max_interval_ms) * (1 + retry->jitter);
        if (delay < (double)retry->max_interval_ms)
            delay *= retry->backoff;
    }
    if (retry->max_duration_ms > 0 && total > (double)retry->max_duration_ms)
        total = (double)retry->max_duration_ms;
    return total;
}

static void check_durations(struct checking *checking, const struct definition *definition)
{
    double total = 0;

    if (definition->timeout_ms == 0)
        return;
    for (size_t i = 0; i < definition->steps_len; i++) {
        if (definition->steps[i].retry.attempts == RETRY_UNLIMITED && definition->steps[i].retry.max_duration_ms == 0)
            continue; /* bounded by the timeout itself, or past the pivot */
        total += worst_ms(&definition->steps[i]);
    }
    if (total > (double)definition->timeout_ms)
        finding_at(checking, FINDING_WARNING, "timeout", false, 0,
                   "the steps can take %.0f s with all their attempts, the saga's timeout is %.0f s: late attempts will be cut off",
                   total / 1000, (double)definition->timeout_ms / 1000);
}

void definition_check(struct checking *checking, const struct definition *definition)
{
    struct place end = {checking, definition, (int)definition->steps_len - 1, -1, NULL};

    for (size_t i = 0; i < definition->steps_len; i++)
        check_step(checking, definition, (int)i);
    check_template(&end, "output", definition->output);
    check_durations(checking, definition);
}

/*
 * verbs.c -- what an operator asks of a saga: applied, or refused with the reason.
 *
 * Owns:     which verb each state allows; pausing. A refused verb changes nothing.
 * Rule:     past the pivot there is no way back, by hand neither; a cancelled saga takes the way back that a failure takes.
 * Tests:    tests/core/test_apply.c, one row a rule; tests/core/test_apply_random.c
 */
#include "apply_internal.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SAID_MAX (VERB_WHO_MAX + VERB_WHY_MAX + 64)

static void refuse(struct apply *apply, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void refuse(struct apply *apply, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(apply->effects->refusal, sizeof apply->effects->refusal, format, args);
    va_end(args);
    baton_text_clean(apply->effects->refusal);
    apply->effects->disposition = IGNORED_REFUSED;
}

/* "cancelled by ann: the customer called" */
static const char *said(char out[SAID_MAX], const char *what, const struct saga_event *event)
{
    (void)snprintf(out, SAID_MAX, "%s by %s%s%s", what, event->who, event->why == NULL ? "" : ": ", event->why == NULL ? "" : event->why);
    baton_text_clean(out);
    return out;
}

void verbs_note(struct apply *apply, const struct saga_event *event, struct saga_place place)
{
    json_t *who = json_pack("{s:s, s:s*, s:s*}", "who", event->who, "why", event->why, "job", event->job);

    apply->failed = apply->failed || who == NULL;
    apply_history_note(apply, HISTORY_VERB + event->verb, place, 0, who);
}

/* --- turning back, ending --- */

static bool parked_on_pivot(const struct apply *apply)
{
    const struct saga_step *step = saga_step_find(apply->next, (struct saga_place){apply->definition->pivot, -1});

    return step != NULL && step->parked;
}

static void end_pause(struct apply *apply)
{
    apply->next->paused_at_ms = 0;
    if (!apply_is_stuck(apply->next))
        apply_resume(apply);
    apply->next->parked_changed = true;
}

void verbs_turn_back(struct apply *apply, const struct saga_event *event)
{
    bool cancel = event->verb == VERB_CANCEL;
    const char *code = cancel ? CANCELLED_CODE : "COMPENSATE";
    char message[SAID_MAX];

    verbs_note(apply, event, SAGA_ITSELF);
    if (apply->next->paused_at_ms != 0)
        end_pause(apply);
    (void)said(message, cancel ? "cancelled" : "turned back", event);
    (void)apply_give_up_outstanding(apply, code, message);
    compensate_begin(apply, SAGA_ITSELF, code, message);
}

static void turn_back(struct apply *apply, const struct saga_event *event)
{
    struct saga *saga = apply->next;
    bool cancel = event->verb == VERB_CANCEL;

    if (saga->turned_back) {
        refuse(apply, "it has turned back already%s", apply_is_stuck(saga)
                                                          ? ", and is parked on the way: retry, skip or complete what it is parked on" : "");
        return;
    }
    if (tcc_begun(apply)) {
        refuse(apply, "what was tried is being confirmed: there is no way back");
        return;
    }
    if (forward_past_pivot(apply)) {
        refuse(apply, "past the pivot (step %s is done) there is no way back", apply->definition->steps[apply->definition->pivot].name);
        return;
    }
    /* Parked on it, compensate is an operator's word that the pivot was not passed. */
    if (apply_pivot_unsettled(apply) && (cancel || !parked_on_pivot(apply))) {
        refuse(apply, "it is not known whether the pivot, step %s, was passed, and it cannot be undone: wait for its answer%s",
               apply->definition->steps[apply->definition->pivot].name,
               parked_on_pivot(apply) ? ", or find out and say complete or compensate" : "");
        return;
    }
    verbs_turn_back(apply, event);
}

/* A group, or a compensation, that is under way is left where it is. */
static void leave(struct apply *apply, struct saga_step *step)
{
    step->changed = step->changed || step->parked;
    step->parked = false;
    if (step->status == STEP_RUNNING)
        step->status = STEP_FAILED;
    else if (step->status == STEP_COMPENSATING || step->status == STEP_COMPENSATION_RETRYING)
        step->status = STEP_COMPENSATION_FAILED;
    else
        return;
    step->due_at_ms = 0;
    step->forever = false;
    step->settled_at_ms = apply->at;
    step->changed = true;
}

static void terminate(struct apply *apply, const struct saga_event *event)
{
    struct saga *saga = apply->next;
    char message[SAID_MAX];

    if (saga->ended_at_ms != 0) {
        refuse(apply, "its result is out already: skip or complete what is left to be undone");
        return;
    }
    verbs_note(apply, event, SAGA_ITSELF);
    (void)said(message, "ended without compensation", event);
    (void)apply_give_up_outstanding(apply, "TERMINATED", message);
    for (size_t i = 0; i < saga->steps_len; i++)
        leave(apply, &saga->steps[i]);
    if (saga->status == SAGA_PARKED)
        apply_unpark(apply, SAGA_TERMINATED);
    saga->status = SAGA_TERMINATED;
    saga->deadline_at_ms = 0;
    saga->ended_at_ms = apply->at;
    if (saga->error == NULL)
        apply_set(apply, &saga->error, json_pack("{s:n, s:s, s:s}", "step", "code", "TERMINATED", "message", message));
    saga->error_changed = true;
    apply_history(apply, HISTORY_ENDED, SAGA_ITSELF, 0);
    (void)apply_effect(apply, EFFECT_RESULT);
}

/* --- pausing --- */

static void pause(struct apply *apply, const struct saga_event *event)
{
    struct saga *saga = apply->next;
    char reason[SAID_MAX];

    if (saga->status == SAGA_PARKED) {
        refuse(apply, saga->paused_at_ms != 0 ? "it is paused already" : "it is parked: see to what it is parked on");
        return;
    }
    verbs_note(apply, event, SAGA_ITSELF);
    apply_park(apply, NULL, "%s", said(reason, "paused", event));
    saga->paused_at_ms = apply->at;
}

/* Timers stood still: what was due comes so much later. The saga's deadline is a promise to others, and stays. */
static void resume(struct apply *apply, const struct saga_event *event)
{
    struct saga *saga = apply->next;
    int64_t pause_ms = apply->at - saga->paused_at_ms;

    if (saga->paused_at_ms == 0) {
        refuse(apply, saga->status == SAGA_PARKED ? "it is parked, not paused: retry, skip or complete what it is parked on"
                                                  : "it is not paused");
        return;
    }
    verbs_note(apply, event, SAGA_ITSELF);
    for (size_t i = 0; i < saga->steps_len; i++) {
        if (saga->steps[i].due_at_ms == 0)
            continue;
        saga->steps[i].due_at_ms += pause_ms;
        saga->steps[i].changed = true;
    }
    end_pause(apply);
}

void verbs_hold(struct apply *apply)
{
    apply->held = apply->next->paused_at_ms != 0;
}

/* Due times are kept as they would be without the pause. */
static void stand_still(struct apply *apply, const struct saga *before)
{
    struct saga *saga = apply->next;

    for (size_t i = 0; i < saga->steps_len; i++) {
        struct saga_step *step = &saga->steps[i];
        const struct saga_step *was = i < before->steps_len ? &before->steps[i] : NULL; /* none is ever taken away */

        if (step->due_at_ms != 0 && (was == NULL || was->due_at_ms != step->due_at_ms))
            step->due_at_ms -= apply->at - saga->paused_at_ms;
    }
}

static bool any_due(const struct saga *saga)
{
    bool due = false;

    for (size_t i = 0; i < saga->steps_len && !due; i++)
        due = saga->steps[i].due_at_ms != 0;
    return due;
}

void verbs_hold_on(struct apply *apply, const struct saga *before)
{
    struct saga *saga = apply->next;

    if (!apply->held)
        return;
    if (saga_status_ended(saga->parked_from)) { /* that was the last answer */
        apply_unpark(apply, saga->parked_from);
        return;
    }
    if (apply_is_stuck(saga) && !any_due(saga)) { /* for a reason of its own now */
        saga->paused_at_ms = 0;
        return;
    }
    stand_still(apply, before);
}

/* --- one step --- */

/* May a verb be about this step? The saga is parked on it, or waits for it. */
static bool at_hand(const struct apply *apply, const struct saga_step *step, enum saga_verb verb)
{
    return step->parked || (verb != VERB_RETRY && (compensate_under_way(step) || apply_is_outstanding(apply->definition, step)));
}

/* The step that the verb is about; NULL = it is refused: another one, or several. */
static struct saga_step *step_of(struct apply *apply, const struct saga_event *event)
{
    struct saga_step *found = NULL;
    char names[256] = "", name[SAGA_PLACE_NAME_MAX];
    size_t len = 0;
    int count = 0;

    for (size_t i = 0; i < apply->next->steps_len; i++) {
        struct saga_step *step = &apply->next->steps[i];

        if (!at_hand(apply, step, event->verb))
            continue;
        (void)apply_name(apply, step, name);
        if (event->step_name != NULL && strcmp(event->step_name, name) == 0)
            return step;
        found = step;
        if (len + strlen(name) + 3 < sizeof names)
            len += (size_t)snprintf(names + len, sizeof names - len, "%s%s", count == 0 ? "" : ", ", name);
        count++;
    }
    if (count == 1 && event->step_name == NULL)
        return found;
    if (count == 0)
        refuse(apply, "no step is %s", event->verb == VERB_RETRY ? "parked" : "under way");
    else
        refuse(apply, event->verb == VERB_RETRY ? "it is parked on %s%s" : "under way: %s%s", names, event->step_name == NULL ? ": name the step" : "");
    return NULL;
}

static void again(struct apply *apply, struct saga_step *step, json_t *input)
{
    bool back = compensate_under_way(step);

    if (!json_is_null(input) && input != NULL)
        apply_set(apply, back ? &step->undo_input : &step->input, json_incref(input));
    if (back)
        compensate_again(apply, step);
    else
        forward_again(apply, step);
}

static void by_hand(struct apply *apply, struct saga_step *step, const struct saga_event *event)
{
    bool complete = event->verb == VERB_COMPLETE;

    if (compensate_under_way(step))
        compensate_settle(apply, step, complete ? STEP_COMPENSATED : STEP_COMPENSATION_SKIPPED);
    else if (complete)
        forward_complete(apply, step, json_incref(event->value));
    else
        forward_skip(apply, step, json_incref(event->value));
}

static void about_step(struct apply *apply, const struct saga_event *event)
{
    const struct saga *saga = apply->next;
    struct saga_step *step = NULL;
    struct saga_place place;
    char name[SAGA_PLACE_NAME_MAX];

    if (saga->paused_at_ms != 0) {
        refuse(apply, "it is paused: resume it first");
        return;
    }
    if (event->verb == VERB_RETRY && saga->status != SAGA_PARKED) {
        refuse(apply, "it is %s, not parked: it goes on by itself", saga_status_name(saga->status));
        return;
    }
    if (event->step_name == NULL && event->verb != VERB_RETRY) {
        refuse(apply, "%s needs the name of a step", saga_verb_name(event->verb));
        return;
    }
    if (event->step_name != NULL && !saga_place_parse(apply->definition, event->step_name, strlen(event->step_name), &place)) {
        int index = definition_step_index(apply->definition, event->step_name, strcspn(event->step_name, "."));

        if (index >= 0 && apply->definition->steps[index].each >= 0)
            refuse(apply, "step %s stands in a forEach: name the iteration too, such as %s.0", apply->definition->steps[index].name, apply->definition->steps[index].name);
        else
            refuse(apply, "%s version %lld has no step \"%.64s\"", apply->definition->name, (long long)apply->definition->version,
               event->step_name);
        return;
    }
    step = step_of(apply, event);
    if (step == NULL)
        return;
    (void)apply_name(apply, step, name);
    if (event->verb == VERB_RETRY && step->status == STEP_DONE) {
        refuse(apply, "step %s is done, its output could not be used: complete it with another", name);
        return;
    }
    if (event->verb == VERB_RETRY && event->value != NULL && !json_is_null(event->value) && !child_takes_input(apply, step)) {
        refuse(apply, "step %s has a child that may have begun: retry it without another input", name);
        return;
    }
    if (event->verb == VERB_RETRY && !compensate_under_way(step) && parallel_lost(apply, saga_place_of(step))) {
        refuse(apply, "nothing is sent for step %s any more, its branch has lost or the saga has turned back: skip or complete it", name);
        return;
    }
    if (event->verb != VERB_SKIP && apply_is_group(apply->definition, step)) {
        refuse(apply, "%s is a group that cannot be entered: skip it", name);
        return;
    }
    verbs_note(apply, event, saga_place_of(step));
    if (event->verb == VERB_RETRY)
        again(apply, step, event->value);
    else
        by_hand(apply, step, event);
}

static void migrate(struct apply *apply, const struct saga_event *event)
{
    char reason[sizeof apply->effects->refusal] = "";
    struct saga *saga = apply->next;

    if (event->definition == NULL) {
        refuse(apply, "version %lld of %s is not deployed", (long long)event->version, apply->definition->name);
        return;
    }
    if (!saga_migrate(saga, event->definition, reason, sizeof reason)) {
        refuse(apply, "%s", reason);
        return;
    }
    apply->definition = saga->definition;
    verbs_note(apply, event, SAGA_ITSELF);
}

void verbs_apply(struct apply *apply, const struct saga_event *event)
{
    const struct saga *saga = apply->next;

    assert(event->who != NULL && event->who[0] != '\0' && strlen(event->who) <= VERB_WHO_MAX);
    assert(event->why == NULL || strlen(event->why) <= VERB_WHY_MAX);
    if (event->parent != NULL) {
        child_undo(apply, event);
        return;
    }
    if (saga_status_ended(saga->status)) {
        refuse(apply, "it has ended: %s", saga_status_name(saga->status));
        return;
    }
    switch (event->verb) {
    case VERB_CANCEL:
    case VERB_COMPENSATE: turn_back(apply, event); break;
    case VERB_TERMINATE: terminate(apply, event); break;
    case VERB_PAUSE: pause(apply, event); break;
    case VERB_RESUME: resume(apply, event); break;
    case VERB_RETRY:
    case VERB_SKIP:
    case VERB_COMPLETE: about_step(apply, event); break;
    case VERB_MIGRATE: migrate(apply, event); break;
    case VERB_COUNT: assert(false); break;
    }
}

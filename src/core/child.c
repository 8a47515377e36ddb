/*
 * child.c -- child sagas, from both sides: the step that starts one, and the saga that answers to its parent.
 *
 * Owns:     a child's id; what its end means for the step; when one that is completed may turn back.
 * Rule:     a step has one child that may be at work: the next one starts only after that one has ended without success. What has ended without
 *           success has undone what it did, or never began: there is nothing left to be undone.
 * Tests:    tests/core/test_apply.c, tests/core/test_apply_random.c
 */
#include "apply_internal.h"
#include <stdio.h>
#include <string.h>

static const struct definition_step *definition_of(const struct apply *apply, const struct saga_step *step)
{
    return &apply->definition->steps[step->index];
}

static int number_of(const json_t *parent, const char *member)
{
    return (int)json_integer_value(json_object_get(parent, member));
}

/* --- of the parent --- */

bool child_awaited(const struct definition *definition, const struct saga_step *step)
{
    return definition->steps[step->index].kind == STEP_SAGA && (step->status == STEP_RUNNING || step->status == STEP_COMPENSATING);
}

bool child_may_start(struct apply *apply, struct saga_step *step)
{
    char message[96];

    if (number_of(apply->next->parent, "depth") < SAGA_DEPTH_MAX)
        return true;
    (void)snprintf(message, sizeof message, "children of children are %d deep at most: does one start its own ancestor?", SAGA_DEPTH_MAX);
    apply_set(apply, &step->error, reply_error("SAGA_DEPTH", message));
    return false;
}

/* FNV-1a. */
static uint64_t hash(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash;
}

/* <saga>.<step>, from the second child on :<n> after it. One that is too long keeps its beginning, and a hash of the whole. */
static json_t *child_id(const char *saga_id, const char *step, int n)
{
    char id[SAGA_ID_MAX + SAGA_PLACE_NAME_MAX + 16];

    if (n == 1)
        (void)snprintf(id, sizeof id, "%s.%s", saga_id, step);
    else
        (void)snprintf(id, sizeof id, "%s.%s:%d", saga_id, step, n);
    if (strlen(id) > SAGA_ID_MAX)
        (void)snprintf(id + SAGA_ID_MAX - 17, 18, "-%016llx", (unsigned long long)hash(id));
    return json_string(id);
}

/* With its start sent, a step whose child is detached is done. */
static void let_go(struct apply *apply, struct saga_step *step)
{
    forward_settle(apply, step, STEP_DONE);
    apply_set(apply, &step->output, json_pack("{s:O}", "saga", step->child));
    json_decref(step->error);
    step->error = NULL;
    apply_history(apply, HISTORY_DONE, saga_place_of(step), step->attempts);
    forward_from(apply, forward_follow(apply, saga_place_of(step)));
}

void child_sent(struct apply *apply, struct saga_step *step, struct effect *effect)
{
    char name[SAGA_PLACE_NAME_MAX];

    step->forever = step->due_at_ms == 0;
    if (effect->action == ACTION_COMPENSATE)
        return;
    apply_set(apply, &step->child, child_id(apply->next->id, apply_name(apply, step, name), step->children_failed + 1));
    if (definition_of(apply, step)->detached && !apply->failed)
        let_go(apply, step);
}

bool child_takes_input(const struct apply *apply, const struct saga_step *step)
{
    return definition_of(apply, step)->kind != STEP_SAGA || step->child == NULL || (step->status == STEP_FAILED && !step->unanswered);
}

void child_refused(struct apply *apply, struct saga_step *step)
{
    if (definition_of(apply, step)->kind == STEP_SAGA)
        step->children_failed++;
}

bool child_refused_late(struct apply *apply, const struct saga_event *event, struct saga_step *step, const struct reply_meaning *meaning)
{
    if (definition_of(apply, step)->kind != STEP_SAGA || meaning->outcome != REPLY_FAILURE || event->attempt != step->attempts)
        return false;
    if (step->status == STEP_UNKNOWN) {
        apply_history(apply, HISTORY_REFUSED, saga_place_of(step), event->attempt);
        child_refused(apply, step);
        forward_settle(apply, step, STEP_FAILED);
        step->unanswered = false;
        apply_set(apply, &step->error, json_incref(meaning->error));
        return true;
    }
    if (step->status != STEP_COMPENSATING && step->status != STEP_COMPENSATION_RETRYING && step->status != STEP_COMPENSATION_FAILED)
        return false;
    apply_history(apply, HISTORY_REFUSED, saga_place_of(step), event->attempt);
    compensate_undone(apply, step, step->compensations);
    return true;
}

/* --- of the child --- */

bool saga_is_child_of(const struct saga *saga, const json_t *parent)
{
    if (saga->parent == NULL || parent == NULL)
        return saga->parent == parent;
    return json_equal(json_object_get(saga->parent, "saga"), json_object_get(parent, "saga")) != 0 &&
           json_equal(json_object_get(saga->parent, "step"), json_object_get(parent, "step")) != 0;
}

static void set_parent(struct apply *apply, const char *member, int number)
{
    apply_set(apply, &apply->next->parent, json_copy(apply->next->parent));
    if (number == 0)
        (void)json_object_del(apply->next->parent, member);
    else if (json_object_set_new(apply->next->parent, member, json_integer(number)) != 0)
        apply->failed = true;
    apply->next->parent_changed = true;
}

/* Takes body over. */
static void answer(struct apply *apply, enum saga_action action, enum reply_header_outcome outcome, json_t *body)
{
    struct effect *effect = apply_effect(apply, EFFECT_ANSWER);

    apply->failed = apply->failed || body == NULL;
    if (effect == NULL) {
        json_decref(body);
        return;
    }
    effect->action = action;
    effect->attempt = number_of(apply->next->parent, action == ACTION_EXECUTE ? "attempt" : "undo");
    effect->outcome = outcome;
    effect->input = body;
}

static void answer_failure(struct apply *apply, enum saga_action action, const char *code, const char *message)
{
    const struct saga *saga = apply->next;

    answer(apply, action, REPLY_FAILURE,
           json_pack("{s:{s:s, s:s, s:{s:s, s:s}}}", "error", "code", code, "message", message, "details", "saga", saga->id, "status",
                     saga_status_name(saga->status)));
}

static void answer_end(struct apply *apply, enum saga_action action)
{
    const struct saga *saga = apply->next;
    bool fine = action == ACTION_EXECUTE ? saga->status == SAGA_COMPLETED : saga->status == SAGA_COMPENSATED || saga->status == SAGA_CANCELLED;

    if (!fine)
        answer_failure(apply, action, error_code(saga->error), error_message(saga->error));
    else
        answer(apply, action, REPLY_SUCCESS, action == ACTION_EXECUTE && saga->output != NULL ? json_incref(saga->output) : json_null());
}

static bool answers(const struct saga *saga)
{
    return saga->parent != NULL && json_object_get(saga->parent, "detached") == NULL;
}

void child_ended(struct apply *apply)
{
    bool ended = false;

    if (!answers(apply->next))
        return;
    for (size_t i = 0; i < apply->effects->len; i++)
        ended = ended || apply->effects->items[i].kind == EFFECT_RESULT;
    if (ended)
        answer_end(apply, number_of(apply->next->parent, "undo") > 0 ? ACTION_COMPENSATE : ACTION_EXECUTE);
}

void child_started_again(struct apply *apply, const struct saga_event *event)
{
    if (event->parent == NULL || !answers(apply->next))
        return;
    set_parent(apply, "attempt", number_of(event->parent, "attempt"));
    if (saga_status_ended(apply->next->status))
        answer_end(apply, ACTION_EXECUTE);
}

/* It stays as it is, and so does what it did. */
static void refuse_undo(struct apply *apply, const char *code, const char *why)
{
    answer_failure(apply, ACTION_COMPENSATE, code, why);
    set_parent(apply, "undo", 0);
}

void child_undo(struct apply *apply, const struct saga_event *event)
{
    struct saga *saga = apply->next;

    set_parent(apply, "undo", number_of(event->parent, "attempt"));
    if (saga->status == SAGA_COMPENSATED || saga->status == SAGA_CANCELLED || saga->turned_back) {
        verbs_note(apply, event, SAGA_ITSELF);
        if (saga_status_ended(saga->status))
            answer_end(apply, ACTION_COMPENSATE);
        return; /* else it is on the way, and answers when it ends */
    }
    if (saga->status == SAGA_TERMINATED) {
        refuse_undo(apply, "TERMINATED", "it was terminated: what it did stays");
    } else if (forward_past_pivot(apply)) {
        refuse_undo(apply, "PAST_PIVOT", "past its pivot there is no way back");
    } else if (apply_pivot_unsettled(apply)) {
        refuse_undo(apply, "PIVOT_UNKNOWN", "it is not known yet whether its pivot was passed, and that cannot be undone");
    } else {
        saga->output_changed = saga->output != NULL;
        json_decref(saga->output);
        saga->output = NULL;
        saga->ended_at_ms = 0; /* completed until now: it will have another end */
        verbs_turn_back(apply, event);
    }
}

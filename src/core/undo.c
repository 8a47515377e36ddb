/*
 * undo.c -- what undoes a step: as the definition says, or as the reply said that did it.
 *
 * Owns:     reading a compensation that a reply names.
 * Rule:     a reply's goes before the definition's; what cannot be one counts as none, and is told of: the success is not lost for it.
 * Rule:     it goes to the service that acted, or to one that the definition names: a participant cannot have a command sent anywhere else.
 * Tests:    tests/core/test_apply.c
 */
#include "apply_internal.h"
#include <baton/json.h>
#include <string.h>

#define COMMAND_MAX 200

const struct definition_compensation *undo_of(const struct definition *definition, const struct saga_step *step)
{
    const struct definition_step *defined = &definition->steps[step->index];

    if (defined->kind == STEP_SAGA && step->child == NULL)
        return NULL; /* completed by hand before a child was started */
    return defined->compensation == NULL && step->undo != NULL ? defined->unsaid : defined->compensation;
}

const char *saga_undo_service(const struct saga *saga, const struct saga_step *step)
{
    const struct definition_compensation *compensation = undo_of(saga->definition, step);

    if (step->undo != NULL)
        return json_string_value(json_object_get(step->undo, "service"));
    return compensation == NULL ? NULL : compensation->service;
}

const char *undo_command(const struct definition *definition, const struct saga_step *step)
{
    return step->undo != NULL ? json_string_value(json_object_get(step->undo, "command")) : undo_of(definition, step)->command;
}

static bool is_known(const struct definition *definition, const char *service)
{
    for (size_t i = 0; i < definition->steps_len; i++) {
        const struct definition_step *step = &definition->steps[i];

        if ((step->service != NULL && strcmp(step->service, service) == 0) || (step->compensation != NULL && step->compensation->service != NULL && strcmp(step->compensation->service, service) == 0))
            return true;
    }
    return false;
}

/* The name of a command stands in a header. */
static bool is_command(const char *text)
{
    size_t len = text == NULL ? 0 : strlen(text);

    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20)
            return false;
    }
    return len > 0 && len <= COMMAND_MAX;
}

/* Its own, with its service; NULL = it cannot be one. */
static json_t *read(struct apply *apply, const struct saga_step *step, const char *text)
{
    const char *acted = apply->definition->steps[step->index].service, *service = NULL;
    json_t *doc = NULL, *undo = NULL, *input = NULL;
    size_t members = 0;

    if (strlen(text) > UNDO_BYTES_MAX || json_parse(text, strlen(text), &json_default_limits, &doc, NULL) != BATON_OK)
        return NULL;
    service = json_string_value(json_object_get(doc, "service"));
    input = json_object_get(doc, "input");
    members = 1U + (json_object_get(doc, "service") != NULL ? 1U : 0U) + (input != NULL ? 1U : 0U);
    if (json_object_size(doc) == members && is_command(json_string_value(json_object_get(doc, "command"))) &&
        (json_object_get(doc, "service") == NULL || (service != NULL && is_known(apply->definition, service)))) {
        undo = json_pack("{s:s, s:O, s:O*}", "service", service == NULL ? acted : service, "command", json_object_get(doc, "command"), "input", input);
        apply->failed = apply->failed || undo == NULL;
    }
    json_decref(doc);
    return undo;
}

bool undo_named(struct apply *apply, const struct saga_event *event, struct saga_step *step)
{
    bool awaited = step->status == STEP_RUNNING || step->status == STEP_RETRYING;
    bool given_up = step->status == STEP_FAILED || step->status == STEP_UNKNOWN || step->status == STEP_SKIPPED;
    bool had = undo_of(apply->definition, step) != NULL;
    json_t *undo = NULL;

    if (event->compensation == NULL || apply->definition->steps[step->index].kind != STEP_COMMAND || step->attempts == 0 || !(awaited || (given_up && step->undo == NULL)))
        return false;
    undo = read(apply, step, event->compensation);
    if (undo == NULL) {
        apply_history(apply, HISTORY_UNDO_IGNORED, saga_place_of(step), event->attempt);
        return false;
    }
    apply_set(apply, &step->undo, undo);
    step->changed = true;
    return !had;
}

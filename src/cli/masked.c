/*
 * masked.c -- a saga's state, and a trial's report, as people may see them: without what the definition calls sensitive.
 *
 * Owns:     which members of them are no payload; all others are masked, also those of a later version.
 * Tests:    tests/core/test_mask.c, tests/cli/test_try.py, tests/integration/test_commands.py
 */
#include "cli.h"
#include <baton/json.h>
#include <baton/mask.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const saga_own[] = {"id", "definition", "version", "hash", "status", "seq", "startedAt", "updatedAt", "endedAt", "deadlineAt", "dueAt", "turnedBack",
                                       "traceparent", "tracestate", "replyTo", "duplicates", "late", "historyDropped", "afterMs", NULL};
static const char *const step_own[] = {"status", "case", "count", "begun", "finished", "fallback", "refused", "lost", "parked", "attempts", "compensations", "forgiven", "forever", "unanswered", "doneOrder", "polls", "pollFrom", "firstAt", "sentAt", "dueAt",
                                       "settledAt", "cachedAt", NULL};
static const char *const row_own[] = {"afterMs", "what", "step", "action", "attempt", "service", "command", "dueMs", "outcome", "taken", "status", "signal", NULL};

struct masking {
    const struct definition *definition;
    struct mask *mask;
    bool failed;
};

static bool listed(const char *word, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcmp(word, *words) == 0)
            return true;
    }
    return false;
}

/* Of a step by its name, of an iteration of it by "<name>.<index>", of what belongs to it by "<name>:fallback" or "<name>:confirm". */
static char *const *places_of(const struct masking *masking, const char *step)
{
    int index = step == NULL ? -1 : definition_step_index(masking->definition, step, strcspn(step, ".:"));

    return index < 0 ? NULL : masking->definition->steps[index].sensitive;
}

/* One member, in its place. */
static void mask_member(struct masking *masking, json_t *object, const char *key, char *const *places)
{
    json_t *value = json_object_get(object, key);

    if (value != NULL && !json_is_null(value) && json_object_set_new(object, key, mask_apply(masking->mask, places, value)) != 0)
        masking->failed = true;
}

/* All members but its own; the one called `payload` has places. */
static void mask_object(struct masking *masking, json_t *object, const char *const *own, const char *payload, char *const *places)
{
    const char *key = NULL;
    json_t *value = NULL;

    json_object_foreach(object, key, value) {
        if (!listed(key, own))
            mask_member(masking, object, key, strcmp(key, payload) == 0 ? places : NULL);
    }
}

/* What a signal has brought, or brings yet: it is the output of whatever waits for it. */
static void learn_signal(struct masking *masking, const char *signal, const json_t *payload)
{
    for (size_t i = 0; signal != NULL && i < masking->definition->steps_len; i++) {
        const struct definition_step *step = &masking->definition->steps[i];

        if (step->signal != NULL && strcmp(step->signal, signal) == 0)
            mask_learn(masking->mask, step->sensitive, payload);
    }
}

static void learn(struct masking *masking, const json_t *input, const json_t *doc)
{
    const char *name = NULL;
    json_t *step = NULL, *row = NULL, *signal = NULL;
    size_t i = 0;

    mask_learn(masking->mask, masking->definition->sensitive, input);
    json_object_foreach(json_object_get(doc, "steps"), name, step)
        mask_learn(masking->mask, places_of(masking, name), json_object_get(step, "output"));
    json_array_foreach(json_object_get(doc, "signals"), i, signal)
        learn_signal(masking, json_string_value(json_object_get(signal, "name")), json_object_get(signal, "payload"));
    json_array_foreach(json_object_get(doc, "timeline"), i, row) {
        mask_learn(masking->mask, places_of(masking, json_string_value(json_object_get(row, "step"))), json_object_get(row, "body"));
        learn_signal(masking, json_string_value(json_object_get(row, "signal")), json_object_get(row, "body"));
    }
}

/* The notes of verbs; the rest of an entry is ours. */
static void mask_history(struct masking *masking, json_t *history)
{
    json_t *entry = NULL;
    size_t i = 0;

    json_array_foreach(history, i, entry) {
        json_t *note = json_array_get(entry, 4);

        if (note != NULL && json_array_set_new(entry, 4, mask_apply(masking->mask, NULL, note)) != 0)
            masking->failed = true;
    }
}

static void mask_document(struct masking *masking, json_t *doc)
{
    char *const *places = masking->definition->sensitive;
    const char *key = NULL;
    json_t *value = NULL, *item = NULL;
    size_t i = 0;

    json_object_foreach(doc, key, value) {
        if (listed(key, saga_own))
            continue;
        if (strcmp(key, "steps") == 0) {
            const char *name = NULL;

            json_object_foreach(value, name, item)
                mask_object(masking, item, step_own, "output", places_of(masking, name));
        } else if (strcmp(key, "history") == 0) {
            mask_history(masking, value);
        } else if (strcmp(key, "timeline") == 0) {
            json_array_foreach(value, i, item) {
                bool started = json_object_get(item, "step") == NULL;

                mask_object(masking, item, row_own, started ? "input" : "body",
                            started ? places : places_of(masking, json_string_value(json_object_get(item, "step"))));
            }
        } else {
            mask_member(masking, doc, key, strcmp(key, "input") == 0 ? places : NULL);
        }
    }
}

enum baton_err masked(const struct definition *definition, const json_t *input, json_t *doc, struct baton_error *err)
{
    struct masking masking = {.definition = definition, .mask = mask_new()};

    if (masking.mask != NULL) {
        learn(&masking, input, doc);
        mask_document(&masking, doc);
    }
    masking.failed = masking.failed || masking.mask == NULL;
    mask_free(masking.mask);
    return masking.failed ? baton_fail(err, BATON_E_NOMEM, "out of memory") : BATON_OK;
}

enum baton_err masked_by(const json_t *definition, json_t *doc, struct baton_error *err)
{
    struct expr_vm *vm = expr_vm_new();
    struct findings *findings = malloc(sizeof *findings);
    struct definition *compiled = NULL;
    enum baton_err rc = vm == NULL || findings == NULL ? BATON_E_NOMEM : definition_parse(definition, vm, findings, &compiled);

    rc = rc != BATON_OK ? baton_fail(err, rc, "the definition cannot be read") : masked(compiled, json_object_get(doc, "input"), doc, err);
    definition_free(compiled);
    expr_vm_free(vm);
    free(findings);
    return rc;
}

/* Every payload of it: nobody says which of them are sensitive. */
static void hide(json_t *doc)
{
    const char *key = NULL, *name = NULL;
    json_t *value = NULL, *step = NULL;

    json_object_foreach(doc, key, value) {
        if (!listed(key, saga_own) && strcmp(key, "steps") != 0 && strcmp(key, "history") != 0 && !json_is_null(value))
            (void)json_object_set_new(doc, key, json_string(MASK_TEXT));
    }
    json_object_foreach(json_object_get(doc, "steps"), name, step) {
        json_object_foreach(step, key, value) {
            if (!listed(key, step_own) && !json_is_null(value))
                (void)json_object_set_new(step, key, json_string(MASK_TEXT));
        }
    }
}

void masked_saga(struct cli *cli, json_t *doc)
{
    const char *name = json_string_value(json_object_get(doc, "definition")), *wanted = json_string_value(json_object_get(doc, "hash"));
    struct setup setup = {0};
    struct baton_error err = {0};
    char *text = NULL, hash[65] = "";
    int64_t version = 0;
    size_t created = 0;
    json_t *definition = NULL;
    enum baton_err rc = setup_run(cli, false, &created, &setup, &err);

    if (rc == BATON_OK && name != NULL)
        rc = definition_store_get(setup.store, name, json_integer_value(json_object_get(doc, "version")), &text, &version, hash);
    if (rc == BATON_OK && (wanted == NULL || strcmp(wanted, hash) != 0))
        rc = BATON_E_NOT_FOUND;
    if (rc == BATON_OK)
        rc = json_parse(text, strlen(text), &json_default_limits, &definition, &err);
    if (rc == BATON_OK)
        rc = masked_by(definition, doc, &err);
    if (rc != BATON_OK) {
        (void)fprintf(stderr, "its payloads are not shown: its definition, which says what in them is sensitive, is not to be had%s%s\n",
                      err.text[0] == '\0' ? "" : ": ", err.text);
        hide(doc);
    }
    json_decref(definition);
    free(text);
    setup_clear(&setup);
}

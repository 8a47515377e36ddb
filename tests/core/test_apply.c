/*
 * test_apply.c -- the rules, a row each: what is given as events, what comes as effects, where it ends.
 *
 * Events: start; ok STEP (success), no STEP (refusal), again STEP (transient), undone STEP, undo-no STEP; due (the saga's timer).
 * Effects: STEP#n (execute, attempt n), ~STEP#n (compensate), result, parked, resumed; late and dup where the event changed nothing.
 */
#include <baton/apply.h>
#include <baton/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* a, b can be undone; p is the pivot; z comes after it. */
static const char order[] =
    "{\"name\":\"order\",\"version\":1,\"timeout\":\"1h\",\"defaults\":{\"timeout\":\"10s\",\"retry\":{\"attempts\":2,\"interval\":\"1s\",\"jitter\":0}},"
    "\"steps\":[{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\",\"compensation\":{\"command\":\"UndoA\",\"retry\":{\"attempts\":2}}},"
    "{\"name\":\"b\",\"service\":\"s\",\"command\":\"B\",\"compensation\":{\"command\":\"UndoB\"}},"
    "{\"name\":\"w\",\"service\":\"s\",\"command\":\"W\",\"when\":\"${input.w}\"},"
    "{\"name\":\"p\",\"service\":\"s\",\"command\":\"P\",\"pivot\":true,\"compensation\":{\"command\":\"UndoP\"}},"
    "{\"name\":\"z\",\"service\":\"s\",\"command\":\"Z\"}]}";

static const struct row {
    const char *name;
    const char *when;
    const char *then;
} rows[] = {
    {"a start sends the first step", "start", "a#1; running"},
    {"a done step starts the next one", "start, ok a", "a#1, b#1; running"},
    {"a step whose condition is false is skipped", "start, ok a, ok b", "a#1, b#1, p#1; running"},
    {"the last done step completes it", "start, ok a, ok b, ok p, ok z", "a#1, b#1, p#1, z#1, result; completed"},
    {"a refusal compensates the done steps, last first", "start, ok a, ok b, no p, undone b, undone a",
     "a#1, b#1, p#1, ~b#1, ~a#1, result; compensated"},
    {"a refusal of the first step has nothing to undo", "start, no a", "a#1, result; compensated"},
    {"a transient failure is tried again after the interval", "start, again a, due", "a#1, a#2; running"},
    {"exhausted by answers: nothing happened there", "start, again a, due, again a", "a#1, a#2, result; compensated"},
    {"a timeout is tried again", "start, due, due", "a#1, a#2; running"},
    {"exhausted by silence: it may have acted, and is compensated", "start, due, due, due, undone a", "a#1, a#2, ~a#1, result; compensated"},
    {"the first outcome of any attempt settles the step", "start, due, due, ok a#1", "a#1, a#2, b#1; running"},
    {"a second outcome is a duplicate", "start, ok a, ok a", "a#1, b#1, dup; running"},
    {"another outcome than the one that settled it is late, not a duplicate", "start, ok a, no a", "a#1, b#1, late; running"},
    {"a late success of a step given up changes nothing while it is compensated", "start, due, due, due, ok a", "a#1, a#2, ~a#1, late; compensating"},
    {"a compensation is tried again", "start, ok a, no b, due, due", "a#1, b#1, ~a#1, ~a#2; compensating"},
    {"a compensation whose budget is spent parks the saga", "start, ok a, no b, due, due, due", "a#1, b#1, ~a#1, ~a#2, parked; parked"},
    {"a late success resumes what was parked", "start, ok a, no b, due, due, due, undone a",
     "a#1, b#1, ~a#1, ~a#2, parked, resumed, result; compensated"},
    {"past the pivot there is no way back: refused, tried again", "start, ok a, ok b, ok p, no z, due", "a#1, b#1, p#1, z#1, z#2; running"},
    {"past the pivot, exhausted: parked", "start, ok a, ok b, ok p, no z, due, no z", "a#1, b#1, p#1, z#1, z#2, parked; parked"},
    {"a second start is counted", "start, start", "a#1, dup; running"},
    {"a reply after the end is late", "start, no a, again a", "a#1, result, late; compensated"},
};
#define ROWS (sizeof rows / sizeof *rows)

static json_t *parse(const char *text)
{
    json_t *value = NULL;
    struct baton_error err = {0};

    if (json_parse(text, strlen(text), &json_default_limits, &value, &err) != BATON_OK)
        fail_msg("%s", err.text);
    return value;
}

static void add(char *said, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(char *said, const char *format, ...)
{
    va_list args;

    if (said[0] != '\0')
        (void)strcat(said, ", ");
    va_start(args, format);
    (void)vsprintf(said + strlen(said), format, args);
    va_end(args);
}

static void say_effects(char *said, const struct saga *saga, const struct effects *effects)
{
    for (size_t i = 0; i < effects->len; i++) {
        const struct effect *effect = &effects->items[i];

        switch (effect->kind) {
        case EFFECT_COMMAND:
            add(said, "%s%s#%d", effect->action == ACTION_EXECUTE ? "" : "~", saga->definition->steps[effect->step].name, effect->attempt);
            break;
        case EFFECT_RESULT:
            add(said, "result");
            break;
        case EFFECT_PARKED:
            add(said, "parked");
            break;
        case EFFECT_RESUMED:
            add(said, "resumed");
            break;
        }
    }
    if (effects->disposition == IGNORED_DUPLICATE)
        add(said, "dup");
    if (effects->disposition == IGNORED_LATE)
        add(said, "late");
}

/* "ok a#1" to an event; the attempt is the last one sent unless it is named. */
static struct saga_event event_of(const struct saga *saga, const char *word, int64_t *clock)
{
    static const struct {
        const char *verb;
        enum saga_action action;
        enum reply_header_outcome outcome;
    } replies[] = {
        {"ok", ACTION_EXECUTE, REPLY_SUCCESS}, {"no", ACTION_EXECUTE, REPLY_FAILURE}, {"again", ACTION_EXECUTE, REPLY_RETRY},
        {"undone", ACTION_COMPENSATE, REPLY_SUCCESS}, {"undo-no", ACTION_COMPENSATE, REPLY_FAILURE},
    };
    char verb[16] = "", step[16] = "";
    int attempt = 0;
    struct saga_event event = {.kind = EVENT_TIMER};

    if (strcmp(word, "due") == 0) {
        *clock = saga->due_at_ms;
        event.at_ms = *clock;
        return event;
    }
    event.at_ms = ++*clock;
    if (sscanf(word, "%15s %15[^#]#%d", verb, step, &attempt) < 2)
        fail_msg("row says \"%s\"", word);
    event.kind = EVENT_REPLY;
    event.step = definition_step_index(saga->definition, step, strlen(step));
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        if (strcmp(replies[i].verb, verb) == 0) {
            const struct saga_step *entry = saga_step_find(saga, event.step);

            event.action = replies[i].action;
            event.outcome = replies[i].outcome;
            event.attempt = attempt > 0 ? attempt : replies[i].action == ACTION_EXECUTE ? entry->attempts : entry->compensations;
            return event;
        }
    }
    fail_msg("row says \"%s\"", word);
    return event;
}

static void check_row(void **state)
{
    const struct row *row = *state;
    struct expr_vm *vm = expr_vm_new();
    struct findings *findings = calloc(1, sizeof *findings);
    struct definition *definition = NULL;
    json_t *doc = parse(order), *input = json_object();
    struct saga *saga = NULL;
    struct effects effects = {0};
    char said[1024] = "", copy[512], *rest = copy;
    int64_t clock = 1000000;

    assert_int_equal(definition_parse(doc, vm, findings, &definition), BATON_OK);
    (void)snprintf(copy, sizeof copy, "%s", row->when);
    for (char *word = strsep(&rest, ","); word != NULL; word = strsep(&rest, ",")) {
        struct saga_event event = {.kind = EVENT_START, .at_ms = ++clock, .saga_id = "o-1", .input = input};

        word += strspn(word, " ");
        if (strcmp(word, "start") != 0)
            event = event_of(saga, word, &clock);
        assert_int_equal(saga == NULL ? saga_start(definition, &event, &saga, &effects) : saga_apply(&saga, &event, &effects), BATON_OK);
        say_effects(said, saga, &effects);
        assert_null(saga_broken_rule(saga));
    }
    (void)strcat(said, "; ");
    (void)strcat(said, saga_status_name(saga->status));
    assert_string_equal(said, row->then);
    effects_free(&effects);
    saga_free(saga);
    definition_free(definition);
    expr_vm_free(vm);
    free(findings);
    json_decref(doc);
    json_decref(input);
}

int main(void)
{
    struct CMUnitTest tests[ROWS];

    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].name, .test_func = check_row, .initial_state = (void *)(uintptr_t)&rows[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

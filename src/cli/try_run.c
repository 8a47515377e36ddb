/*
 * try_run.c -- the core's loop without a world: answers and timers in order of simulated time, each through saga_apply, until nothing is left.
 *
 * Owns:     simulated time; the report's rows, made of the saga's history and of the effects of each event.
 * Never:    a rule of a saga: those are saga_apply's.
 * Tests:    tests/cli/test_try.py
 */
#include "try.h"
#include <baton/apply.h>
#include <stdlib.h>
#include <string.h>

#define START_MS INT64_C(1767225600000) /* 2026-01-01T00:00:00Z: any time would do, but always the same */

/* An answer under way. */
struct arrival {
    int64_t at_ms;
    struct saga_place place;
    enum saga_action action;
    int attempt;
    struct try_answer answer;
};

struct running {
    const struct try_run *run;
    struct saga *saga;
    struct effects effects;
    struct arrival *arrivals; /* in the order of their commands */
    size_t arrivals_len, arrivals_cap;
    int64_t now_ms;
    json_t *timeline;
    bool failed; /* memory ran out */
};

/* --- rows --- */

static const struct definition_step *definition_of(const struct running *running, struct saga_place place)
{
    return &running->run->definition->steps[place.index];
}

static const char *action_name(enum saga_action action)
{
    return action == ACTION_EXECUTE ? "execute" : "compensate";
}

/* A row at this time, at the end of the timeline; borrowed. */
static json_t *add_row(struct running *running, const char *what)
{
    json_t *row = json_pack("{s:I, s:s}", "afterMs", (json_int_t)(running->now_ms - START_MS), "what", what);

    if (json_array_append_new(running->timeline, row) != 0)
        running->failed = true;
    return row;
}

static void set(struct running *running, json_t *row, const char *key, json_t *value)
{
    if (json_object_set_new(row, key, value) != 0)
        running->failed = true;
}

static void set_if(struct running *running, json_t *row, const char *key, json_t *value)
{
    if (value != NULL)
        set(running, row, key, json_incref(value));
}

static void set_name(struct running *running, json_t *row, struct saga_place place)
{
    char name[SAGA_PLACE_NAME_MAX];

    (void)saga_place_name(running->run->definition, place, name);
    set(running, row, "step", json_string(name));
}

static void set_step(struct running *running, json_t *row, struct saga_place place, enum saga_action action, int attempt)
{
    set_name(running, row, place);
    set(running, row, "action", json_string(action_name(action)));
    set(running, row, "attempt", json_integer(attempt));
}

static void add_command(struct running *running, const struct effect *effect)
{
    json_t *row = add_row(running, "sent");

    set_step(running, row, effect->place, effect->action, effect->attempt);
    if (effect->kind == EFFECT_CHILD) {
        set(running, row, "saga", json_string(definition_of(running, effect->place)->child));
        set_if(running, row, "child", saga_step_find(running->saga, effect->place)->child);
    } else {
        set(running, row, "service", json_string(effect->service));
        set(running, row, "command", json_string(effect->command));
    }
    set_if(running, row, "input", effect->input);
    if (effect->expires_at_ms > 0)
        set(running, row, "dueMs", json_integer(effect->expires_at_ms - START_MS));
}

static bool is_sent(const struct effect *effect)
{
    return effect->kind == EFFECT_COMMAND || effect->kind == EFFECT_CHILD;
}

static const struct effect *next_command(const struct running *running, size_t *at)
{
    for (; *at < running->effects.len; (*at)++) {
        if (is_sent(&running->effects.items[*at]))
            return &running->effects.items[(*at)++];
    }
    return NULL;
}

static void add_history(struct running *running, const struct saga_history *entry)
{
    const struct saga *saga = running->saga;
    json_t *row = add_row(running, history_kind_name(entry->kind));

    if (entry->place.index >= 0)
        set_name(running, row, entry->place);
    if (entry->attempt > 0)
        set(running, row, "attempt", json_integer(entry->attempt));
    if (entry->kind == HISTORY_FALLBACK)
        set(running, row, "fallback", json_string(fallback_kind_name(saga_step_find(saga, entry->place)->fallback)));
    if (entry->kind == HISTORY_COMPENSATING)
        set_if(running, row, "error", saga->error);
    if (entry->kind == HISTORY_PARKED && saga->parked != NULL)
        set(running, row, "reason", json_string(saga->parked));
    if (entry->kind == HISTORY_ENDED) {
        set(running, row, "status", json_string(saga_status_name(saga->status)));
        set_if(running, row, "output", saga->output);
        set_if(running, row, "error", saga->error);
    }
}

/* What became of an answer is told in its own row. */
static bool settles_answer(enum history_kind kind)
{
    switch (kind) {
    case HISTORY_DONE:
    case HISTORY_REFUSED:
    case HISTORY_TRANSIENT:
    case HISTORY_UNDONE:
    case HISTORY_UNDO_REFUSED:
    case HISTORY_DUPLICATE:
    case HISTORY_LATE:
    case HISTORY_POLLED:
    case HISTORY_PENDING: return true;
    case HISTORY_STARTED:
    case HISTORY_SENT:
    case HISTORY_TIMEOUT:
    case HISTORY_EXHAUSTED:
    case HISTORY_SKIPPED:
    case HISTORY_COMPENSATING:
    case HISTORY_UNDO_SENT:
    case HISTORY_UNDO_TIMEOUT:
    case HISTORY_PARKED:
    case HISTORY_RESUMED:
    case HISTORY_DEADLINE:
    case HISTORY_ENDED:
    case HISTORY_DUPLICATE_START:
    case HISTORY_VERB:
    case HISTORY_VERB_LAST:
    case HISTORY_WAITING:
    case HISTORY_SIGNAL:
    case HISTORY_SIGNAL_KEPT:
    case HISTORY_SIGNAL_REFUSED:
    case HISTORY_UNDO_IGNORED:
    case HISTORY_FALLBACK:
    case HISTORY_LOST:
    case HISTORY_HELD:
    case HISTORY_KIND_COUNT: return false;
    }
    return false;
}

static void add_waiting(struct running *running)
{
    for (size_t i = 0; i < running->saga->steps_len; i++) {
        const struct saga_step *step = &running->saga->steps[i];
        bool forward = step->status == STEP_RETRYING;

        if (step->changed && step->status == STEP_WAITING && definition_of(running, saga_place_of(step))->kind != STEP_CACHED) {
            json_t *row = add_row(running, "waiting");

            set_name(running, row, saga_place_of(step));
            if (!step->forever)
                set(running, row, "dueMs", json_integer(step->due_at_ms - START_MS));
        }
        if (step->changed && step->due_at_ms > 0 && (forward || step->status == STEP_COMPENSATION_RETRYING)) {
            json_t *row = add_row(running, "waiting");

            set_step(running, row, saga_place_of(step), forward ? ACTION_EXECUTE : ACTION_COMPENSATE,
                     (forward ? step->attempts : step->compensations) + 1);
            set(running, row, "dueMs", json_integer(step->due_at_ms - START_MS));
        }
    }
}

/* What the last event made of the saga, in the order in which it happened. answer: the row of the answer that was the event, or NULL. */
static void note(struct running *running, json_t *answer)
{
    const struct saga *saga = running->saga;
    const struct effect *command = NULL;
    size_t fresh = saga->history_new < saga->history_len ? saga->history_new : saga->history_len, at = 0;

    for (size_t i = saga->history_len - fresh; i < saga->history_len; i++) {
        const struct saga_history *entry = &saga->history[i];

        if (entry->kind == HISTORY_STARTED || entry->kind == HISTORY_WAITING)
            continue;
        if (answer != NULL && settles_answer(entry->kind)) {
            set(running, answer, "taken", json_string(history_kind_name(entry->kind)));
            answer = NULL;
        } else if (entry->kind == HISTORY_SENT || entry->kind == HISTORY_UNDO_SENT) {
            command = next_command(running, &at);
            if (command != NULL)
                add_command(running, command);
        } else {
            add_history(running, entry);
        }
    }
    while ((command = next_command(running, &at)) != NULL) /* the history holds the newest entries only */
        add_command(running, command);
    if (answer != NULL)
        set(running, answer, "taken", json_string(disposition_name(running->effects.disposition)));
    add_waiting(running);
}

/* --- the world --- */

static void expect(struct running *running, struct saga_place place, enum saga_action action, int attempt)
{
    struct try_answer answer = replies_next(running->run->replies, place, action);

    bool refuses = definition_of(running, place)->lock && answer.outcome == REPLY_FAILURE;

    /* The answer to a wait is its signal; what is no success is none, but for a lock that another saga holds. */
    if (answer.silent || (attempt == 0 && answer.outcome != REPLY_SUCCESS && answer.outcome != REPLY_UNSAID && !refuses))
        return;
    if (running->arrivals_len == running->arrivals_cap) {
        size_t cap = running->arrivals_cap == 0 ? 16 : running->arrivals_cap * 2;
        struct arrival *arrivals = realloc(running->arrivals, cap * sizeof *arrivals);

        if (arrivals == NULL) {
            running->failed = true;
            return;
        }
        running->arrivals = arrivals;
        running->arrivals_cap = cap;
    }
    running->arrivals[running->arrivals_len++] = (struct arrival){.at_ms = running->now_ms + answer.after_ms, .place = place, .action = action,
                                                                  .attempt = attempt, .answer = answer};
}

static void applied(struct running *running, enum baton_err rc, json_t *answer);

/* What was asked for in the last event, told at once. */
static void look_up(struct running *running)
{
    size_t n = 0;
    struct saga_place *places = calloc(running->effects.len + 1, sizeof *places);

    running->failed = running->failed || places == NULL;
    for (size_t i = 0; places != NULL && i < running->effects.len; i++) {
        if (running->effects.items[i].kind == EFFECT_LOOKUP)
            places[n++] = running->effects.items[i].place;
    }
    for (size_t i = 0; i < n && !running->failed; i++) {
        struct try_answer answer = replies_next(running->run->replies, places[i], ACTION_EXECUTE);
        bool found = !answer.silent && (answer.outcome == REPLY_SUCCESS || answer.outcome == REPLY_UNSAID);
        struct saga_event event = {.kind = EVENT_CACHED, .at_ms = running->now_ms, .place = places[i], .cached_at_ms = running->now_ms - answer.after_ms,
                                   .body = !found ? NULL : answer.body == NULL ? json_null() : answer.body};
        json_t *row = add_row(running, found ? "found" : "missed");

        set_name(running, row, places[i]);
        set_if(running, row, "body", event.body);
        applied(running, saga_apply(&running->saga, &event, &running->effects), row);
    }
    free(places);
}

/* The event has been applied: tell it, and let the participants have their commands. */
static void applied(struct running *running, enum baton_err rc, json_t *answer)
{
    if (rc != BATON_OK) {
        running->failed = true;
        return;
    }
    if (running->effects.disposition == IGNORED_EARLY)
        return;
    note(running, answer);
    for (size_t i = 0; i < running->effects.len; i++) {
        const struct effect *effect = &running->effects.items[i];

        if (is_sent(effect) && !definition_of(running, effect->place)->detached)
            expect(running, effect->place, effect->action, effect->attempt);
    }
    for (size_t i = 0; i < running->saga->steps_len; i++) {
        const struct saga_step *step = &running->saga->steps[i];

        if (step->changed && step->status == STEP_WAITING && definition_of(running, saga_place_of(step))->kind == STEP_WAIT)
            expect(running, saga_place_of(step), ACTION_EXECUTE, 0);
    }
    look_up(running);
}

static void deliver(struct running *running, size_t at)
{
    const struct arrival arrival = running->arrivals[at];
    const struct try_answer *answer = &arrival.answer;
    static const char *const outcomes[] = {NULL, "success", "failure", "retry", "pending"};
    struct saga_event event = {.kind = EVENT_REPLY, .at_ms = arrival.at_ms, .place = arrival.place, .action = arrival.action,
                               .attempt = arrival.attempt, .outcome = answer->outcome, .retry_after_ms = answer->retry_after_ms,
                               .body = answer->body, .headers = answer->headers,
                               .compensation = json_string_value(json_object_get(answer->headers, "saga-compensation"))};
    json_t *row = NULL, *lock = NULL;

    memmove(&running->arrivals[at], &running->arrivals[at + 1], (running->arrivals_len - at - 1) * sizeof *running->arrivals);
    running->arrivals_len--;
    running->now_ms = arrival.at_ms;
    if (arrival.attempt == 0) {
        event = (struct saga_event){.kind = EVENT_SIGNAL, .at_ms = arrival.at_ms, .body = answer->body,
                                    .signal = definition_of(running, arrival.place)->signal};
        lock = definition_of(running, arrival.place)->lock ? json_pack("{s:b}", "granted", answer->outcome != REPLY_FAILURE) : NULL;
        event.body = lock != NULL ? lock : event.body;
        row = add_row(running, "signalled");
        set(running, row, "signal", json_string(event.signal));
        set_if(running, row, "body", event.body);
        applied(running, saga_apply(&running->saga, &event, &running->effects), row);
        json_decref(lock);
        return;
    }
    row = add_row(running, "answer");
    set_step(running, row, arrival.place, arrival.action, arrival.attempt);
    if (outcomes[answer->outcome] != NULL)
        set(running, row, "outcome", json_string(outcomes[answer->outcome]));
    set_if(running, row, "body", answer->body);
    applied(running, saga_apply(&running->saga, &event, &running->effects), row);
    if (answer->outcome == REPLY_PENDING) /* the work goes on: its outcome is still to come */
        expect(running, arrival.place, arrival.action, arrival.attempt);
}

/* The first answer, by time and then by command; arrivals_len = none. */
static size_t first_arrival(const struct running *running)
{
    size_t first = running->arrivals_len;

    for (size_t i = 0; i < running->arrivals_len; i++) {
        if (first == running->arrivals_len || running->arrivals[i].at_ms < running->arrivals[first].at_ms)
            first = i;
    }
    return first;
}

/* False if nothing is left to happen. */
static bool happens(struct running *running)
{
    size_t first = first_arrival(running);
    int64_t due = running->saga->due_at_ms;
    struct saga_event timer = {.kind = EVENT_TIMER, .at_ms = due};

    if (first < running->arrivals_len && (due == 0 || running->arrivals[first].at_ms <= due)) {
        deliver(running, first);
        return true;
    }
    if (due == 0)
        return false;
    running->now_ms = due;
    applied(running, saga_apply(&running->saga, &timer, &running->effects), NULL);
    return true;
}

static void begin(struct running *running)
{
    const struct try_run *run = running->run;
    struct saga_event event = {.kind = EVENT_START, .at_ms = START_MS, .saga_id = run->id, .input = run->input};
    json_t *row = add_row(running, "started");

    set_if(running, row, "input", run->input);
    applied(running, saga_start(run->definition, &event, &running->saga, &running->effects), NULL);
}

static json_t *report(struct running *running)
{
    const struct saga *saga = running->saga;
    const struct definition *definition = running->run->definition;
    json_t *doc = json_pack("{s:s, s:s, s:I, s:s, s:I}", "id", saga->id, "definition", definition->name, "version",
                            (json_int_t)definition->version, "status", saga_status_name(saga->status), "afterMs",
                            (json_int_t)((saga->ended_at_ms > 0 ? saga->ended_at_ms : saga->updated_at_ms) - START_MS));
    json_t *steps = json_object();
    char name[SAGA_PLACE_NAME_MAX];

    set_if(running, doc, "output", saga->output);
    set_if(running, doc, "error", saga->error);
    if (saga->parked != NULL)
        set(running, doc, "parked", json_string(saga->parked));
    for (size_t i = 0; i < saga->steps_len; i++) {
        const struct saga_step *step = &saga->steps[i];
        json_t *row = json_pack("{s:s, s:i, s:i}", "status", step_status_name(step->status), "attempts", step->attempts, "compensations",
                                step->compensations);

        set_if(running, row, "output", step->output);
        set_if(running, row, "error", step->error);
        (void)saga_place_name(definition, saga_place_of(step), name);
        set(running, steps, name, row);
    }
    set(running, doc, "steps", steps);
    set(running, doc, "timeline", json_incref(running->timeline));
    return doc;
}

enum baton_err try_run(const struct try_run *run, json_t **ret_report, enum saga_status *ret_status, struct baton_error *err)
{
    struct running running = {.run = run, .now_ms = START_MS, .timeline = json_array()};
    enum baton_err rc = BATON_OK;
    int events = 1;

    begin(&running);
    while (!running.failed && events < TRY_EVENTS_MAX && happens(&running))
        events++;
    if (running.saga != NULL && !running.failed) {
        *ret_report = report(&running);
        *ret_status = running.saga->status;
    }
    if (running.failed)
        rc = baton_fail(err, BATON_E_NOMEM, "out of memory");
    else if (events == TRY_EVENTS_MAX)
        rc = baton_fail(err, BATON_E_FATAL, "saga %s is not at its end after %d events: it is %s", run->id, TRY_EVENTS_MAX,
                        saga_status_name(running.saga->status));
    saga_free(running.saga);
    effects_free(&running.effects);
    free(running.arrivals);
    json_decref(running.timeline);
    return rc;
}

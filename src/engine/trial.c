/*
 * trial.c -- which input kills the worker: a mark in the view, so that the next owner knows what this one died of.
 *
 * Owns:     the mark (ARCHITECTURE.md, "Decisions"): {"by": process, "seq": the partition's, "trying": "batch", "<topic>/<offset>",
 *           "timer:<saga>" or null, "deaths": {what: how often a worker died of it alone}}.
 * Rule:     the mark decides the order of work and what goes to the dead letters unread, never what is true: the view may lie.
 * Cost:     a Redis command per acquired partition, before its first message is read; two per input while a dead worker's trace is followed.
 * Tests:    tests/engine/test_trial.c, tests/integration/test_killer.py
 */
#include "engine_internal.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCH "batch"
#define TIMER "timer:" /* no topic name has a colon */
#define CAREFUL_MS 30000    /* how long the trace is followed at most: the other partitions of the thread are slow meanwhile */
#define ALONE_DEATHS_MAX 2  /* and the batch's before: three */
#define SUSPECTS_MAX 8

static const char advice[] = "a worker died each of the three times that it was taken, twice with nothing else in its hands; find the crash in what the "
                             "workers said last and upgrade, then replay it";

static bool is_timer(const char *what)
{
    return strncmp(what, TIMER, sizeof TIMER - 1) == 0;
}

/* Is what it names still to come? */
static bool open_still(const struct engine *engine, const struct part *part, const char *what)
{
    const char *slash = strrchr(what, '/');

    if (is_timer(what))
        return true;
    for (size_t i = 0; slash != NULL && i < engine->options->inputs_len; i++) {
        const char *topic = engine->options->inputs[i].topic;

        if (strlen(topic) == (size_t)(slash - what) && memcmp(topic, what, (size_t)(slash - what)) == 0)
            return strtoll(slash + 1, NULL, 10) >= part->offsets[i];
    }
    return false;
}

static json_int_t deaths_of(const struct part *part, const char *what)
{
    return json_integer_value(json_object_get(part->trial.deaths, what));
}

static void forget_settled(const struct engine *engine, struct part *part)
{
    const char *what = NULL;
    json_t *deaths = NULL;
    void *next = NULL;

    json_object_foreach_safe(part->trial.deaths, next, what, deaths) {
        if (!open_still(engine, part, what))
            (void)json_object_del(part->trial.deaths, what);
    }
}

/* trying NULL: nothing, this worker lives. */
static enum baton_err mark(struct engine *engine, struct part *part, const char *trying, struct baton_error *err)
{
    struct buffer *out = &engine->scratch;
    enum baton_err rc = BATON_OK;

    forget_settled(engine, part);
    buffer_clear(out);
    if (trying != NULL || json_object_size(part->trial.deaths) > 0) {
        buffer_text(out, "{\"by\":");
        json_write_string(out, engine->worker->token, strlen(engine->worker->token));
        buffer_text(out, ",\"seq\":");
        buffer_int(out, part->seq);
        buffer_text(out, ",\"trying\":");
        if (trying != NULL)
            json_write_string(out, trying, strlen(trying));
        else
            buffer_text(out, "null");
        buffer_text(out, ",\"deaths\":");
        if (part->trial.deaths != NULL)
            json_write(out, part->trial.deaths);
        else
            buffer_text(out, "{}");
        buffer_char(out, '}');
    }
    if (buffer_cstr(out) == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory for partition %d", part->partition);
    rc = view_checked(engine, engine->view.trial(engine->view.self, part->partition, buffer_cstr(out), err), err);
    if (rc != BATON_OK)
        return rc;
    part->trial.marked = true;
    part->trial.batch_seq = trying != NULL && strcmp(trying, BATCH) == 0 ? part->seq : -1;
    return BATON_OK;
}

/* --- what the last owner left --- */

static void take_deaths(struct part *part, const json_t *deaths)
{
    const char *what = NULL;
    json_t *count = NULL;

    json_object_foreach((json_t *)deaths, what, count) {
        if (json_integer_value(count) > 0 && json_object_size(part->trial.deaths) < SUSPECTS_MAX)
            (void)json_object_set(part->trial.deaths, what, count);
    }
}

void trial_found(struct engine *engine, struct part *part, const char *text)
{
    json_t *doc = NULL;
    const char *by = NULL, *trying = NULL;
    bool here = false;

    if (text[0] == '\0' || json_parse(text, strlen(text), &json_default_limits, &doc, NULL) != BATON_OK)
        return;
    part->trial.deaths = json_object();
    take_deaths(part, json_object_get(doc, "deaths"));
    by = json_string_value(json_object_get(doc, "by"));
    trying = json_string_value(json_object_get(doc, "trying"));
    here = json_integer_value(json_object_get(doc, "seq")) == part->seq; /* nothing has been committed since */
    if (by == NULL || trying == NULL || strcmp(by, engine->worker->token) == 0) /* nothing, or it lives: it is this very process */
        trying = NULL;
    else if ((strcmp(trying, BATCH) == 0 || is_timer(trying)) && !here)
        trying = NULL;
    if (trying != NULL && strcmp(trying, BATCH) != 0 && open_still(engine, part, trying))
        (void)json_object_set_new(part->trial.deaths, trying, json_integer(deaths_of(part, trying) + 1));
    forget_settled(engine, part);
    if ((trying != NULL && strcmp(trying, BATCH) == 0) || json_object_size(part->trial.deaths) > 0) {
        part->trial.careful = (size_t)engine->options->limits.batch_max_count;
        part->trial.careful_until_ms = engine_now(engine) + CAREFUL_MS;
        ENGINE_LOG(engine, LOG_LEVEL_WARN, "partition %d: a worker died at seq %" PRId64 " with %s in its hands; taking inputs one by one",
                   part->partition, part->seq, trying != NULL ? trying : "a suspect");
    }
    json_decref(doc);
}

bool trial_careful(struct engine *engine)
{
    bool some = false;

    for (int32_t p = 0; p < engine->options->partitions; p++) {
        struct part *part = &engine->parts[p];
        struct baton_error err = {0};

        if (part->state != PART_READY || part->trial.careful == 0)
            continue;
        if (part->trial.careful_until_ms > engine_now(engine)) {
            some = true;
            continue;
        }
        part->trial.careful = 0;
        json_decref(part->trial.deaths);
        part->trial.deaths = NULL;
        (void)mark(engine, part, NULL, &err); /* fails: an old mark is believed only where it stands */
    }
    return some;
}

/* --- trying --- */

static enum baton_err try_alone(struct engine *engine, struct part *part, const char *what, bool *ret_condemned, struct baton_error *err)
{
    enum baton_err rc = BATON_OK;

    *ret_condemned = deaths_of(part, what) >= ALONE_DEATHS_MAX;
    if (*ret_condemned)
        return BATON_OK;
    rc = mark(engine, part, what, err);
    if (rc != BATON_OK)
        return rc;
    engine->tried = part;
    (void)snprintf(engine->tried_what, sizeof engine->tried_what, "%s", what);
    return BATON_OK;
}

enum baton_err trial_input(struct engine *engine, const struct bus_message *message, const char **ret_condemned, struct baton_error *err)
{
    struct part *part = &engine->parts[message->partition];
    char what[TRIAL_WHAT_MAX];
    bool condemned = false;
    enum baton_err rc = BATON_OK;

    *ret_condemned = NULL;
    if (part->trial.careful == 0)
        return part->trial.marked ? BATON_OK : mark(engine, part, BATCH, err);
    (void)snprintf(what, sizeof what, "%s/%" PRId64, engine->options->inputs[message->input].topic, message->offset);
    rc = try_alone(engine, part, what, &condemned, err);
    if (rc == BATON_OK && condemned)
        *ret_condemned = advice;
    return rc;
}

enum baton_err trial_timers(struct engine *engine, struct baton_error *err)
{
    enum baton_err rc = BATON_OK;

    for (size_t i = 0; i < engine->fired_len && rc == BATON_OK; i++) {
        struct part *part = &engine->parts[engine->fired[i].partition];
        char what[TRIAL_WHAT_MAX];
        bool condemned = false;

        if (part->trial.careful == 0) {
            rc = part->trial.marked ? BATON_OK : mark(engine, part, BATCH, err);
            continue;
        }
        (void)snprintf(what, sizeof what, TIMER "%s", engine->fired[i].id);
        rc = try_alone(engine, part, what, &condemned, err);
        if (rc != BATON_OK || !condemned)
            continue;
        memset(&engine->culprit, 0, sizeof engine->culprit);
        engine->culprit.set = true;
        engine->culprit.input = -1;
        (void)strcpy(engine->culprit.id, engine->fired[i].id);
        (void)snprintf(engine->culprit.why, sizeof engine->culprit.why, "kills-worker: its timer: %s", advice);
    }
    return rc;
}

void trial_survived(struct engine *engine, bool decided)
{
    struct part *part = engine->tried;
    struct baton_error err = {0};

    if (part == NULL)
        return;
    engine->tried = NULL;
    if (decided && is_timer(engine->tried_what)) /* an input is settled by its offset, once that is committed */
        (void)json_object_del(part->trial.deaths, engine->tried_what);
    if (decided && part->trial.careful > 0)
        part->trial.careful--;
    (void)mark(engine, part, NULL, &err); /* fails: this worker's death would count against the input */
}

void trial_forget(struct engine *engine, struct part *part)
{
    struct baton_error err = {0};

    if (engine->tried == part)
        trial_survived(engine, false);
    json_decref(part->trial.deaths);
    part->trial.deaths = NULL;
    /* Whoever takes it over at the same seq must not think that this worker died. */
    if (part->trial.marked && part->trial.batch_seq == part->seq && engine->view_open && engine->view_away_since_ms == 0)
        (void)mark(engine, part, NULL, &err);
    memset(&part->trial, 0, sizeof part->trial);
}

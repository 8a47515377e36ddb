/*
 * decide.c -- the batch's inputs, timers and purges through the rules, in order; what comes out goes into the transaction.
 *
 * Owns:     which event an input is, which dead letter it becomes; effects -> records; the journal's steps.
 * Never:    a rule of a saga: those are saga_apply's.
 * Tests:    tests/engine/test_engine.c, tests/integration/
 */
#include "cached.h"
#include "gate.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define INPUTS_MS_MAX 2000   /* deciding inputs for so long, and timers until ... */
#define TIMERS_MS_MAX 3000   /* ... is enough for one transaction: it must not outlive its timeout. One event takes 30 ms at the worst. */
#define STATE_OVERHEAD 20000 /* room for headers and framing beside a state in one record */

void decide_touch_part(struct engine *engine, struct part *part)
{
    (void)engine;
    if (part->touched)
        return;
    part->touched = true;
    memcpy(part->next_offsets, part->offsets, sizeof part->next_offsets);
}

enum baton_err decide_produce(struct engine *engine, const struct bus_record *record, struct baton_error *err)
{
    enum baton_err rc = BATON_OK;

    if (!engine->begun) {
        rc = engine->bus.begin(engine->bus.self, err);

        if (rc != BATON_OK)
            return rc;
        engine->begun = true;
    }
    rc = engine->bus.produce(engine->bus.self, record, err);
    if (rc != BATON_OK)
        engine->failed_tag = record->tag;
    return rc;
}

enum baton_err decide_produce_out(struct engine *engine, int tag, struct baton_error *err)
{
    engine->out.record.tag = tag;
    return decide_produce(engine, &engine->out.record, err);
}

const struct saga *decide_current(const struct entry *entry)
{
    return entry->touched ? entry->work : entry->saga;
}

struct journal_cause decide_cause(const struct engine *engine, const struct item *item)
{
    return (struct journal_cause){.topic = engine->options->inputs[item->message.input].topic,
                                  .partition = item->message.partition, .offset = item->message.offset};
}

/* What a parent has asked is not done: it has its answer too. */
static enum baton_err answer_parent(struct engine *engine, const struct item *item, enum dlq_reason reason, const char *why, struct baton_error *err)
{
    struct wire_message_id asker;
    struct wire_child_answer answer = {.outcome = REPLY_FAILURE, .child_id = item->id};
    char code[64];
    size_t len = 0;
    json_t *body = NULL;
    enum baton_err rc = BATON_OK;

    if (engine->options->inputs[item->message.input].kind != INPUT_CONTROL || !wire_child_asker(&item->message, &asker))
        return BATON_OK;
    for (const char *c = dlq_reason_name(reason); *c != '\0' && len + 1 < sizeof code; c++)
        code[len++] = *c == '-' ? '_' : (char)(*c - 'a' + 'A');
    code[len] = '\0';
    body = json_pack("{s:{s:s, s:s}}", "error", "code", code, "message", why);
    if (body == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory for the answer to saga %s", asker.saga_id);
    answer.parent_id = asker.saga_id;
    answer.step = asker.step;
    answer.action = asker.action;
    answer.attempt = asker.attempt;
    answer.body = body;
    rc = wire_child_answer_write(&answer, &engine->names, &engine->out, err);
    json_decref(body);
    return rc == BATON_OK ? decide_produce_out(engine, TAG_CAUSE, err) : rc;
}

static enum baton_err dead_letter(struct engine *engine, struct item *item, enum dlq_reason reason, const char *why,
                                  struct baton_error *err)
{
    struct journal_cause cause = decide_cause(engine, item);
    struct journal_writer *writer = part_writer(item->part);
    char what[64];
    enum baton_err rc = wire_dead_letter_write(&item->message, cause.topic, reason, why, engine->options->dlq_topic, &engine->out, err);

    if (rc == BATON_OK)
        rc = decide_produce_out(engine, TAG_CAUSE, err);
    if (rc == BATON_OK)
        rc = answer_parent(engine, item, reason, why, err);
    if (rc != BATON_OK)
        return rc;
    if (writer == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory for the journal");
    (void)snprintf(what, sizeof what, "dead-letter:%s", dlq_reason_name(reason));
    journal_writer_note(writer, &cause, what, item->id[0] == '\0' ? NULL : item->id);
    engine->pending[STAT_DEAD_LETTERS]++;
    ENGINE_LOG(engine, LOG_LEVEL_WARN, "dead letter %s[%d]@%" PRId64 ": %s: %s", cause.topic, cause.partition, cause.offset,
               dlq_reason_name(reason), why);
    return BATON_OK;
}

/* --- effects --- */

static bool reply_topic_allowed(const struct engine *engine, const char *topic)
{
    for (const char *const *allowed = engine->options->allow_reply_to; allowed != NULL && *allowed != NULL; allowed++) {
        if (strcmp(*allowed, topic) == 0)
            return true;
    }
    return false;
}

static void say_not_allowed(struct engine *engine, const char *saga_id, const char *topic, const char *instead)
{
    if (!engine->reply_to_warned)
        ENGINE_LOG(engine, LOG_LEVEL_WARN, "saga %s: an answer is wanted on %s, which topics.allowReplyTo does not name; %s (said once)",
                   saga_id, topic, instead);
    engine->reply_to_warned = true;
}

static void count_ended(struct engine *engine, enum saga_status status)
{
    if (status == SAGA_COMPLETED)
        engine->pending[STAT_COMPLETED]++;
    else if (status == SAGA_COMPENSATED)
        engine->pending[STAT_COMPENSATED]++;
    else if (status == SAGA_CANCELLED)
        engine->pending[STAT_CANCELLED]++;
}

static enum baton_err produce_result(struct engine *engine, const struct saga *saga, struct baton_error *err)
{
    const char *reply_topic = saga->reply_to.topic;
    enum baton_err rc = wire_result_write(saga, EFFECT_RESULT, engine->now_ms, engine->options->results_topic, NULL,
                                          &engine->out, err);

    if (rc == BATON_OK)
        rc = decide_produce_out(engine, TAG_CAUSE, err);
    if (rc != BATON_OK || reply_topic == NULL)
        return rc;
    if (!reply_topic_allowed(engine, reply_topic)) {
        say_not_allowed(engine, saga->id, reply_topic, "its result is on the results topic only");
        return BATON_OK;
    }
    rc = wire_result_write(saga, EFFECT_RESULT, engine->now_ms, reply_topic, saga->reply_to.correlation, &engine->out, err);
    return rc == BATON_OK ? decide_produce_out(engine, TAG_CAUSE, err) : rc;
}

static enum baton_err produce_answer(struct engine *engine, const struct saga *saga, const struct effect *effect, struct baton_error *err)
{
    bool completed = effect->action == ACTION_EXECUTE && effect->outcome == REPLY_SUCCESS;
    const struct wire_child_answer answer = {.parent_id = json_string_value(json_object_get(saga->parent, "saga")),
                                             .step = json_string_value(json_object_get(saga->parent, "step")), .action = effect->action,
                                             .attempt = effect->attempt, .child_id = saga->id, .outcome = effect->outcome, .body = effect->input,
                                             .dataref = completed ? saga_dataref(saga, saga->definition->output, SAGA_ITSELF, false) : NULL};
    enum baton_err rc = wire_child_answer_write(&answer, &engine->names, &engine->out, err);

    return rc == BATON_OK ? decide_produce_out(engine, TAG_CAUSE, err) : rc;
}

static const char *control_topic(const struct engine *engine)
{
    for (size_t i = 0; i < engine->options->inputs_len; i++) {
        if (engine->options->inputs[i].kind == INPUT_CONTROL)
            return engine->options->inputs[i].topic;
    }
    return NULL;
}

static enum baton_err produce_effects(struct engine *engine, const struct saga *saga, struct baton_error *err)
{
    enum baton_err rc = BATON_OK;

    for (size_t i = 0; i < engine->effects.len && rc == BATON_OK; i++) {
        const struct effect *effect = &engine->effects.items[i];

        switch (effect->kind) {
        case EFFECT_COMMAND:
            rc = wire_command_write(saga, effect, engine->now_ms, &engine->names, &engine->out, err);
            if (rc == BATON_OK)
                rc = decide_produce_out(engine, TAG_CAUSE, err);
            engine->pending[STAT_COMMANDS]++;
            break;
        case EFFECT_CHILD:
            rc = wire_child_write(saga, effect, &engine->names, &engine->out, err);
            if (rc == BATON_OK)
                rc = decide_produce_out(engine, TAG_CAUSE, err);
            break;
        case EFFECT_ANSWER: rc = produce_answer(engine, saga, effect, err); break;
        case EFFECT_LOCK:
        case EFFECT_SIGNAL:
            rc = wire_tell_write(effect, control_topic(engine), &engine->out, err);
            if (rc == BATON_OK)
                rc = decide_produce_out(engine, TAG_CAUSE, err);
            break;
        case EFFECT_RESULT:
            rc = produce_result(engine, saga, err);
            count_ended(engine, saga->status);
            break;
        case EFFECT_PARKED:
            engine->pending[STAT_PARKED]++;
            ENGINE_LOG(engine, saga->paused_at_ms != 0 ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "saga %s is parked: %s", saga->id, saga->parked);
            __attribute__((fallthrough));
        case EFFECT_RESUMED:
            rc = wire_result_write(saga, effect->kind, engine->now_ms, engine->options->events_topic, NULL, &engine->out, err);
            if (rc == BATON_OK)
                rc = decide_produce_out(engine, TAG_CAUSE, err);
            break;
        case EFFECT_HELD: engine->pending[STAT_HELD]++; break;
        case EFFECT_DIVERTED: break;
        case EFFECT_CACHE:
        case EFFECT_LOOKUP:
            if (!cached_note(engine, saga, effect))
                rc = baton_fail(err, BATON_E_NOMEM, "out of memory for a cached value");
            break;
        }
    }
    return rc;
}

/* --- applying --- */

static void touch(struct engine *engine, struct entry *entry)
{
    entry->touched = true;
    entry->state_written = false;
    entry->work_state_len = entry->state_len;
    entry->next_touched = engine->touched;
    engine->touched = entry;
    decide_touch_part(engine, entry->part);
}

/* Of a state: it may have to stand in a part of a journal record behind what is there already. What goes forward stops a sixth before, so that there
 * is room for the way back. */
static size_t state_bytes_max(const struct engine *engine, const struct saga *saga)
{
    size_t most = (size_t)engine->options->limits.max_record_bytes - RECORD_STEPS_BYTES_MAX - STATE_OVERHEAD;

    return saga->turned_back ? most : most / 6 * 5;
}

/* Journal the step; a state beyond what one record can carry is refused while it is still small enough to be kept. */
static enum baton_err journal_step(struct engine *engine, struct entry *entry, const struct saga_event *event,
                                   const struct journal_cause *cause, struct baton_error *err)
{
    struct journal_writer *writer = part_writer(entry->part);
    size_t before = 0, limit = state_bytes_max(engine, entry->work);

    if (writer == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory for the journal");
    before = writer->steps.len;
    journal_writer_step(writer, entry->work, event, cause, &engine->effects);
    if (writer->steps.failed)
        return baton_fail(err, BATON_E_NOMEM, "out of memory for the journal");
    entry->work_state_len += writer->steps.len - before;
    if (entry->work_state_len <= limit)
        return BATON_OK;
    buffer_clear(&engine->scratch);
    wire_state_write(&engine->scratch, entry->work);
    entry->work_state_len = engine->scratch.len;
    if (entry->work_state_len <= limit)
        return BATON_OK;
    return baton_fail(err, BATON_E_POISON, "saga %s would grow to %zu bytes, the limit is %zu (engine.maxMessageBytes)", entry->id,
                      entry->work_state_len, limit);
}

enum baton_err decide_apply(struct engine *engine, struct entry *entry, const struct saga_event *plain,
                                  const struct journal_cause *cause, struct baton_error *err)
{
    struct saga *next = NULL;
    struct saga_event gated = *plain;
    const struct saga_event *event = &gated;
    enum baton_err rc = BATON_OK;

    gate_ask(engine, &gated);
    rc = saga_next(decide_current(entry), event, &next, &engine->effects);
    if (rc != BATON_OK)
        return baton_fail(err, rc, "out of memory for saga %s", entry->id);
    if (next == NULL)
        return BATON_OK; /* nothing changed */
    if (!entry->touched)
        touch(engine, entry);
    saga_free(entry->work);
    entry->work = next;
    engine->pending[STAT_DUPLICATES] += engine->effects.disposition == IGNORED_DUPLICATE;
    engine->pending[STAT_LATE] += engine->effects.disposition == IGNORED_LATE;
    if (!gate_told(engine, entry->work, event))
        return baton_fail(err, BATON_E_NOMEM, "out of memory for saga %s", entry->id);
    rc = journal_step(engine, entry, event, cause, err);
    return rc == BATON_OK ? produce_effects(engine, entry->work, err) : rc;
}

/* --- starts --- */

static bool same_start(const struct saga *saga, const struct wire_start *start)
{
    return strcmp(saga->definition->name, start->type) == 0 && saga_is_child_of(saga, start->parent) &&
           (start->version == 0 || start->version == saga->definition->version) && json_equal(saga->input, start->input) &&
           (saga->dataref == start->dataref || json_equal(saga->dataref, start->dataref));
}

static enum baton_err decide_start(struct engine *engine, struct item *item, struct baton_error *err)
{
    struct wire_start *start = &item->start;
    struct entry *entry = cache_find(engine, item->id);
    struct journal_cause cause = decide_cause(engine, item);
    const struct definition *definition = NULL;
    struct saga_event event = {.kind = EVENT_START, .at_ms = engine->now_ms, .saga_id = start->id, .input = start->input, .dataref = start->dataref,
                               .traceparent = start->traceparent, .tracestate = start->tracestate,
                               .reply_topic = start->reply_topic, .reply_correlation = start->reply_correlation,
                               .parent = start->parent};
    struct baton_error why;
    enum baton_err rc = BATON_OK;

    if (entry->broken)
        return dead_letter(engine, item, DLQ_UNKNOWN_DEFINITION, "the saga exists, but its definition is not on the definitions topic: deploy it, then replay this", err);
    if (decide_current(entry) != NULL) {
        /* A parent that asks after its child again has not started another. */
        if (start->parent == NULL && decide_current(entry)->definition->on_duplicate == ON_DUPLICATE_REJECT)
            return dead_letter(engine, item, DLQ_DUPLICATE_START,
                               "a saga with this id exists already, and its definition refuses a second start (onDuplicate): use another id", err);
        if (same_start(decide_current(entry), start))
            return decide_apply(engine, entry, &event, &cause, err);
        return dead_letter(engine, item, DLQ_CONFLICTING_START,
                           "a saga with this id exists already with another type, version or input: use another id", err);
    }
    rc = definitions_get(engine, start->type, start->version, NULL, &definition, &why);
    if (rc == BATON_E_NOMEM) {
        *err = why;
        return rc;
    }
    if (rc != BATON_OK)
        return dead_letter(engine, item, DLQ_UNKNOWN_DEFINITION, why.text, err);
    rc = definition->input_schema == NULL ? BATON_OK : schema_check(definition->input_schema, start->input, &why);
    if (rc == BATON_E_NOMEM) {
        *err = why;
        return rc;
    }
    if (rc != BATON_OK)
        return dead_letter(engine, item, DLQ_SCHEMA, why.text, err);
    if (entry->removed)
        return baton_fail(err, BATON_E_RETRY, "saga %s was removed a moment ago, the view does not show it yet", entry->id);
    if (!entry->touched)
        touch(engine, entry);
    gate_ask(engine, &event);
    rc = saga_start(definition, &event, &entry->work, &engine->effects);
    if (rc == BATON_OK && !gate_told(engine, entry->work, &event))
        rc = BATON_E_NOMEM;
    if (rc != BATON_OK)
        return baton_fail(err, rc, "out of memory for saga %s", entry->id);
    engine->pending[STAT_STARTED]++;
    entry->work_state_len = 0;
    rc = journal_step(engine, entry, &event, &cause, err);
    return rc == BATON_OK ? produce_effects(engine, entry->work, err) : rc;
}

/* --- replies --- */

/* The reply topic that a service's replies are believed from; NULL: a child's. */
static const char *reply_topic_of(const struct engine *engine, const char *service)
{
    for (const char *const *pair = engine->options->service_replies; service != NULL && pair != NULL && pair[0] != NULL; pair += 2) {
        if (strcmp(pair[0], service) == 0)
            return pair[1];
    }
    return engine->options->replies_topic;
}

static enum baton_err decide_reply(struct engine *engine, struct item *item, struct baton_error *err)
{
    struct entry *entry = cache_find(engine, item->id);
    struct journal_cause cause = decide_cause(engine, item);
    const struct wire_message_id *id = &item->reply.id;
    const struct saga *saga = decide_current(entry);
    const struct definition_step *step = NULL;
    const struct saga_step *reached = NULL;
    const char *service = NULL;
    struct saga_event event = {.kind = EVENT_REPLY, .at_ms = engine->now_ms};
    struct baton_error why;
    struct saga_place place = SAGA_ITSELF;
    enum baton_err rc = BATON_OK;

    if (entry->broken)
        return dead_letter(engine, item, DLQ_UNKNOWN_DEFINITION, "the saga's definition is not on the definitions topic: deploy it, then replay this", err);
    if (saga == NULL)
        return dead_letter(engine, item, DLQ_ORPHAN_REPLY, "no such saga: it never started here, or its retention is over", err);
    if (saga_place_parse(saga->definition, id->step, strlen(id->step), &place))
        reached = saga_step_find(saga, place);
    if (reached == NULL || id->attempt > (id->action == ACTION_EXECUTE ? reached->attempts : reached->compensations))
        return dead_letter(engine, item, DLQ_WRONG_STEP,
                           "the saga has sent no such command: the correlation id must be echoed as it came", err);
    step = &saga->definition->steps[place.index];
    service = id->action == ACTION_EXECUTE ? step->service : saga_undo_service(saga, reached); /* NULL = a child */
    if (strcmp(reply_topic_of(engine, service), cause.topic) != 0) {
        (void)baton_fail(&why, BATON_E_POISON, "replies of %s %s are believed from %s only", service == NULL ? "the child of" : "service",
                         service == NULL ? id->step : service, reply_topic_of(engine, service));
        return dead_letter(engine, item, DLQ_WRONG_SERVICE, why.text, err);
    }
    const struct json_limits limits = {(size_t)engine->options->limits.max_message_bytes, JSON_DEPTH_MAX, JSON_VALUES_MAX};
    rc = wire_reply_read(&item->message, &limits, step->reply != NULL || step->output != NULL, &item->reply, &item->reason, &why);
    if (rc == BATON_E_POISON)
        return dead_letter(engine, item, item->reason, why.text, err);
    if (rc != BATON_OK) {
        *err = why;
        return rc;
    }
    event.place = place;
    event.action = id->action;
    event.attempt = id->attempt;
    event.outcome = item->reply.outcome;
    event.problem = item->reply.problem;
    event.retry_after_ms = item->reply.retry_after_ms;
    event.body = item->reply.body;
    event.dataref = item->reply.dataref;
    event.headers = item->reply.headers;
    event.compensation = item->reply.compensation;
    return decide_apply(engine, entry, &event, &cause, err);
}

/* --- control --- */

/* Our own events topic is always allowed: whoever reads it may as well see who asked for what. */
bool decide_may_answer(struct engine *engine, const struct item *item)
{
    const char *topic = item->control.reply_topic;

    if (topic == NULL || strcmp(topic, engine->options->events_topic) == 0 || reply_topic_allowed(engine, topic))
        return topic != NULL;
    say_not_allowed(engine, item->id, topic, "the control message has none");
    return false;
}

static enum baton_err answer_control(struct engine *engine, const struct item *item, enum wire_answer_outcome outcome, const struct saga *saga,
                                     const char *reason, struct baton_error *err)
{
    struct wire_answer answer = {.outcome = outcome, .saga_id = item->id, .saga = saga, .reason = reason,
                                 .partition = item->message.partition, .offset = item->message.offset};
    enum baton_err rc = BATON_OK;

    if (!decide_may_answer(engine, item))
        return BATON_OK;
    rc = wire_answer_write(&answer, &item->control, engine->now_ms, &engine->out, err);
    return rc == BATON_OK ? decide_produce_out(engine, TAG_CAUSE, err) : rc;
}

enum baton_err decide_control_event(struct engine *engine, const struct item *item, const struct saga *saga, struct saga_event *ret_event, struct baton_error *err)
{
    struct saga_event event = wire_control_event(&item->control, engine->now_ms);
    enum baton_err rc = BATON_OK;

    if (saga != NULL && event.kind == EVENT_VERB && event.verb == VERB_MIGRATE)
        rc = definitions_get(engine, saga->definition->name, event.version, NULL, &event.definition, err);
    if (rc == BATON_E_NOMEM)
        return rc;
    *ret_event = event;
    return BATON_OK;
}

enum baton_err decide_refused(struct engine *engine, struct item *item, const char *id, const struct saga_event *event, struct baton_error *err)
{
    struct journal_cause cause = decide_cause(engine, item);
    struct journal_writer *writer = part_writer(item->part);

    if (writer == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory for the journal");
    journal_writer_refused(writer, &cause, id, event, engine->effects.refusal);
    ENGINE_LOG(engine, LOG_LEVEL_INFO, "saga %s: %s by %s is refused: %s", id, saga_verb_name(event->verb), event->who, engine->effects.refusal);
    return BATON_OK;
}

/* One that is not taken is an event all the same: it is counted in the saga. */
static enum baton_err answer_signal(struct engine *engine, struct item *item, const struct saga *saga, struct baton_error *err)
{
    const struct saga_history *last = saga->history_len == 0 ? NULL : &saga->history[saga->history_len - 1];
    bool full = last != NULL && saga->history_new > 0 && last->kind == HISTORY_SIGNAL_REFUSED;

    if (engine->effects.disposition == APPLIED)
        return answer_control(engine, item, ANSWER_ACCEPTED, saga, NULL, err);
    return answer_control(engine, item, ANSWER_REFUSED, saga,
                          full ? "it keeps as many early signals as it may already" : "no step of it waits for this signal, or can come to that any more", err);
}

static enum baton_err decide_control(struct engine *engine, struct item *item, struct baton_error *err)
{
    static const char nobody[] = "no such saga: it never started here, or its retention is over";
    struct entry *entry = cache_find(engine, item->id);
    struct journal_cause cause = decide_cause(engine, item);
    struct saga_event event;
    enum baton_err rc = BATON_OK;

    if (entry->broken)
        return dead_letter(engine, item, DLQ_UNKNOWN_DEFINITION, "the saga's definition is not on the definitions topic: deploy it, then replay this", err);
    if (decide_current(entry) == NULL) {
        rc = dead_letter(engine, item, DLQ_UNKNOWN_SAGA, nobody, err);
        return rc == BATON_OK ? answer_control(engine, item, ANSWER_UNKNOWN_SAGA, NULL, nobody, err) : rc;
    }
    rc = decide_control_event(engine, item, decide_current(entry), &event, err);
    if (rc != BATON_OK)
        return rc;
    if (event.parent != NULL && !saga_is_child_of(decide_current(entry), event.parent))
        return dead_letter(engine, item, DLQ_UNKNOWN_SAGA, "the saga of this id is not its child", err);
    rc = decide_apply(engine, entry, &event, &cause, err);
    if (rc != BATON_OK)
        return rc;
    if (engine->effects.disposition == IGNORED_REFUSED) {
        rc = decide_refused(engine, item, item->id, &event, err);
        return rc == BATON_OK ? answer_control(engine, item, ANSWER_REFUSED, decide_current(entry), engine->effects.refusal, err) : rc;
    }
    if (event.kind == EVENT_SIGNAL)
        return answer_signal(engine, item, decide_current(entry), err);
    ENGINE_LOG(engine, LOG_LEVEL_INFO, "saga %s: %s by %s%s%s", item->id, saga_verb_name(event.verb), event.who,
               event.why == NULL ? "" : ": ", event.why == NULL ? "" : event.why);
    return answer_control(engine, item, ANSWER_ACCEPTED, decide_current(entry), NULL, err);
}

/* What a saga tells a lock. The first that asks makes it. */
static enum baton_err decide_lock(struct engine *engine, struct item *item, struct baton_error *err)
{
    struct entry *entry = cache_find(engine, item->id);
    struct journal_cause cause = decide_cause(engine, item);
    struct saga_event event = wire_lock_event(&item->control, engine->now_ms);
    const struct saga *saga = decide_current(entry);
    struct journal_writer *writer = part_writer(item->part);
    struct saga *lock = NULL;
    enum baton_err rc = BATON_OK;

    if (saga != NULL && saga->definition->is_lock)
        return decide_apply(engine, entry, &event, &cause, err);
    if (saga != NULL || entry->broken)
        return dead_letter(engine, item, DLQ_INVALID_CONTROL, "a saga has the id of this lock", err);
    if (event.leave) { /* it was purged: its owner stood still for longer than the retention */
        if (writer == NULL)
            return baton_fail(err, BATON_E_NOMEM, "out of memory for the journal");
        journal_writer_note(writer, &cause, "lock", item->id);
        return BATON_OK;
    }
    event.saga_id = item->id;
    event.input = json_pack("{s:s}", "key", item->control.lock.key);
    rc = event.input == NULL ? BATON_E_NOMEM : BATON_OK;
    if (rc == BATON_OK)
        rc = saga_start(engine->lock_definition, &event, &lock, &engine->effects);
    json_decref(event.input);
    if (rc != BATON_OK)
        return baton_fail(err, rc, "out of memory for lock %s", item->id);
    touch(engine, entry);
    entry->work = lock;
    rc = journal_step(engine, entry, &event, &cause, err);
    return rc == BATON_OK ? produce_effects(engine, entry->work, err) : rc;
}

static enum baton_err decide_forward(struct engine *engine, struct item *item, struct baton_error *err)
{
    struct journal_cause cause = decide_cause(engine, item);
    struct journal_writer *writer = part_writer(item->part);
    enum baton_err rc = wire_forward_write(&item->message, cause.topic, item->to_partition, item->id, &engine->out, err);

    if (rc == BATON_OK)
        rc = decide_produce_out(engine, TAG_CAUSE, err);
    if (rc != BATON_OK)
        return rc;
    if (writer == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory for the journal");
    journal_writer_note(writer, &cause, "forwarded", item->id);
    engine->pending[STAT_FORWARDED]++;
    if (!engine->forward_warned[item->message.input])
        ENGINE_LOG(engine, LOG_LEVEL_WARN,
                   "%s[%d]@%" PRId64 ": saga %s belongs to partition %d: forwarded; its producer should use the saga id as key and "
                   "the murmur2 partitioner (said once per topic)",
                   cause.topic, cause.partition, cause.offset, item->id, item->to_partition);
    engine->forward_warned[item->message.input] = true;
    return BATON_OK;
}

/* --- what no broker takes --- */

static bool is_culprit(const struct engine *engine, const struct item *item)
{
    return engine->culprit.set && engine->culprit.input == item->message.input &&
           engine->culprit.partition == item->message.partition && engine->culprit.offset == item->message.offset;
}

static enum baton_err park(struct engine *engine, struct entry *entry, const struct journal_cause *cause, struct baton_error *err)
{
    struct saga_event event = {.kind = EVENT_PARK, .at_ms = engine->now_ms, .reason = engine->culprit.why};

    if (decide_current(entry) == NULL || entry->broken)
        return BATON_OK;
    return decide_apply(engine, entry, &event, cause, err);
}

/* The input's effects cannot be produced: it goes to the dead letters, and a saga that exists parks with the reason. */
static enum baton_err decide_culprit(struct engine *engine, struct item *item, struct baton_error *err)
{
    struct journal_cause cause = decide_cause(engine, item);
    struct entry *entry = item->kind == ITEM_REPLY || item->kind == ITEM_CONTROL ? cache_find(engine, item->id) : NULL;
    enum baton_err rc = BATON_OK;

    if (item->kind == ITEM_DEAD || item->kind == ITEM_FORWARD)
        item->message.value_len = 0; /* the record itself is too large for the broker: all but its value is kept, its place is told */
    rc = dead_letter(engine, item, item->kind == ITEM_DEAD ? item->reason : DLQ_UNDELIVERABLE, engine->culprit.why, err);
    return rc == BATON_OK && entry != NULL ? park(engine, entry, &cause, err) : rc;
}

static enum baton_err decide_item(struct engine *engine, struct item *item, struct baton_error *err)
{
    decide_touch_part(engine, item->part);
    item->part->next_offsets[item->message.input] = item->message.offset + 1;
    engine->pending[STAT_INPUTS]++;
    if (is_culprit(engine, item))
        return decide_culprit(engine, item, err);
    switch (item->kind) {
    case ITEM_START: return decide_start(engine, item, err);
    case ITEM_REPLY: return decide_reply(engine, item, err);
    case ITEM_CONTROL:
        if (item->control.lock.saga != NULL)
            return decide_lock(engine, item, err);
        return item->control.job != NULL ? job_decide(engine, item, err) : decide_control(engine, item, err);
    case ITEM_FORWARD: return decide_forward(engine, item, err);
    case ITEM_DEAD:
        return dead_letter(engine, item, item->reason, item->explanation == NULL ? "" : item->explanation, err);
    }
    return BATON_OK;
}

static enum baton_err decide_timer(struct engine *engine, const struct timer *timer, struct baton_error *err)
{
    static const struct journal_cause nothing = {0};
    struct entry *entry = cache_find(engine, timer->id);
    const struct saga *saga = entry == NULL || entry->broken ? NULL : decide_current(entry);
    struct saga_event event = {.kind = EVENT_TIMER, .at_ms = engine->now_ms, .woken = timer->woken};

    /* The entry was a hint: the saga's own due time decides. */
    if (saga == NULL || saga->due_at_ms == 0 || (saga->due_at_ms > engine->now_ms && timer->woken == NULL))
        return BATON_OK;
    engine->pending[STAT_TIMERS]++;
    if (engine->culprit.set && engine->culprit.input < 0 && strcmp(engine->culprit.id, timer->id) == 0)
        return park(engine, entry, &nothing, err);
    return decide_apply(engine, entry, &event, &nothing, err);
}

static enum baton_err decide_purge(struct engine *engine, struct part *part, const char *id, struct baton_error *err)
{
    struct entry *entry = cache_find(engine, id);
    const struct saga *saga = entry == NULL || entry->broken ? NULL : decide_current(entry);
    struct journal_writer *writer = part_writer(part);

    if (saga == NULL || !saga_status_ended(saga->status) || saga->due_at_ms != 0 ||
        saga->updated_at_ms > engine->now_ms - engine->options->limits.retention_ms)
        return BATON_OK;
    if (writer == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory for the journal");
    if (!entry->touched)
        touch(engine, entry);
    saga_free(entry->work);
    entry->work = NULL;
    journal_writer_purge(writer, id, engine->now_ms);
    return BATON_OK;
}

enum baton_err decide_batch(struct engine *engine, struct baton_error *err)
{
    int64_t began_ms = engine_now(engine);
    enum baton_err rc = gate_announce(engine, err);
    size_t decided = 0, timers = 0;

    while (decided < engine->items_len && rc == BATON_OK && (decided == 0 || engine_now(engine) - began_ms < INPUTS_MS_MAX)) {
        if (engine->items[decided].part->state == PART_READY)
            rc = decide_item(engine, &engine->items[decided], err);
        decided++;
    }
    while (timers < engine->fired_len && rc == BATON_OK && (timers == 0 || engine_now(engine) - began_ms < TIMERS_MS_MAX)) {
        if (engine->parts[engine->fired[timers].partition].state == PART_READY)
            rc = decide_timer(engine, &engine->fired[timers], err);
        if (engine->fired[timers].woken != NULL)
            gate_decided(engine, &engine->fired[timers]);
        timers++;
    }
    if (rc == BATON_OK)
        rc = cached_ask(engine, err);
    engine->fired_decided = timers;
    engine->cut = decided < engine->items_len;
    if (engine->cut && rc == BATON_OK)
        ENGINE_LOG(engine, LOG_LEVEL_WARN, "%zu of %zu inputs took %d ms to decide, the others are left to the next transaction: are there costly expressions?", decided,
                   engine->items_len, INPUTS_MS_MAX);
    for (int32_t p = 0; p < engine->options->partitions; p++) {
        for (size_t i = 0; i < engine->parts[p].purge_len && rc == BATON_OK; i++) {
            if (engine->parts[p].state == PART_READY)
                rc = decide_purge(engine, &engine->parts[p], engine->parts[p].purge[i].id, err);
        }
    }
    return rc;
}

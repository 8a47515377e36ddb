/*
 * journal_write.c -- the one journal record of a transaction and partition.
 *
 * Owns:     the text of steps, notes, purges and of the frame (docs/protocol.md, schemas/journal-record.schema.json).
 * May use:  zlib's crc32.
 * Never:    builds a json_t, or writes a reply's body twice: an output that is the body itself is named in
 * outputIsBody. Tests:    tests/wire/test_journal.c
 */
#include "journal.h"
#include "ids.h"
#include "state.h"
#include "text.h"
#include <zlib.h>

void journal_writer_clear(struct journal_writer *writer)
{
    buffer_clear(&writer->steps);
    writer->count = 0;
}

void journal_writer_free(struct journal_writer *writer)
{
    buffer_free(&writer->steps);
    writer->count = 0;
}

static struct buffer *begin_step(struct journal_writer *writer)
{
    if (writer->count > 0)
        buffer_char(&writer->steps, ',');
    writer->count++;
    return &writer->steps;
}

static void put_cause(struct buffer *out, const struct journal_cause *cause)
{
    if (cause == NULL || cause->topic == NULL) {
        text_put(out, "\"timer\"");
        return;
    }
    buffer_char(out, '[');
    text_string(out, cause->topic);
    buffer_char(out, ',');
    buffer_int(out, cause->partition);
    buffer_char(out, ',');
    buffer_int(out, cause->offset);
    buffer_char(out, ']');
}

static const char *outcome_word(enum reply_header_outcome outcome)
{
    switch (outcome) {
    case REPLY_SUCCESS: return "success";
    case REPLY_FAILURE: return "failure";
    case REPLY_RETRY: return "retry";
    case REPLY_PENDING: return "pending";
    case REPLY_UNSAID: break;
    }
    return NULL;
}

static void put_reply(struct buffer *out, const struct saga *saga, const struct saga_event *event)
{
    const char *outcome = outcome_word(event->outcome);
    char id[WIRE_MESSAGE_ID_MAX];
    char name[SAGA_PLACE_NAME_MAX];
    size_t len = 0;

    (void)saga_place_name(saga->definition, event->place, name);
    len = command_id(id, name, event->action, event->attempt);

    text_put(out, "{\"reply\":\"");
    buffer_append(out, id, len);
    text_put(out, "\",\"at\":");
    buffer_int(out, event->at_ms);
    if (outcome != NULL) {
        text_put(out, ",\"outcome\":\"");
        buffer_text(out, outcome);
        buffer_char(out, '"');
    }
    if (event->problem)
        text_put(out, ",\"problem\":true");
    if (event->retry_after_ms > 0) {
        text_put(out, ",\"retryAfter\":");
        buffer_int(out, event->retry_after_ms);
    }
    if (event->dataref != NULL) {
        text_put(out, ",\"dataref\":");
        json_write(out, event->dataref);
    }
    if (event->compensation != NULL) {
        text_put(out, ",\"compensation\":");
        text_string(out, event->compensation);
    }
    text_put(out, ",\"body\":");
    json_write(out, event->body);
    if (event->headers != NULL) {
        text_put(out, ",\"headers\":");
        json_write(out, event->headers);
    }
}

/* A member that has a text. */
#define PUT_TEXT(out, name, value)                                                                                     \
    do {                                                                                                               \
        if ((value) != NULL) {                                                                                         \
            text_put((out), ",\"" name "\":");                                                                         \
            text_string((out), (value));                                                                               \
        }                                                                                                              \
    } while (0)

/* Of a start that made the saga it is in the state. */
static void put_parent(struct buffer *out, const struct saga_event *event)
{
    if (event->parent == NULL)
        return;
    text_put(out, ",\"parent\":");
    json_write(out, event->parent);
}

static void put_verb(struct buffer *out, const struct saga_event *event)
{
    text_put(out, "{\"verb\":\"");
    buffer_text(out, saga_verb_name(event->verb));
    text_put(out, "\",\"at\":");
    buffer_int(out, event->at_ms);
    PUT_TEXT(out, "who", event->who);
    PUT_TEXT(out, "why", event->why);
    PUT_TEXT(out, "step", event->step_name);
    if (event->value != NULL) {
        text_put(out, ",\"value\":");
        json_write(out, event->value);
    }
    if (event->version > 0) {
        text_put(out, ",\"version\":");
        buffer_int(out, event->version);
    }
    PUT_TEXT(out, "message", event->verb_id);
    PUT_TEXT(out, "job", event->job);
    put_parent(out, event);
}

static bool held_back(const struct effects *effects, const char *service)
{
    for (size_t i = 0; i < effects->len; i++) {
        if ((effects->items[i].kind == EFFECT_HELD || effects->items[i].kind == EFFECT_DIVERTED) && strcmp(effects->items[i].service, service) == 0)
            return true;
    }
    return false;
}

/* What was known of the services that held a command back: of the others it made no difference. */
static void put_gate(struct buffer *out, const struct saga_gate *gate, const struct effects *effects)
{
    bool first = true;

    for (size_t i = 0; gate != NULL && i < gate->len; i++) {
        const struct gate_service *service = &gate->services[i];

        if (!held_back(effects, service->name))
            continue;
        buffer_text(out, first ? ",\"gate\":{" : ",");
        first = false;
        text_string(out, service->name);
        text_put(out, ":{\"permits\":");
        buffer_int(out, service->permits > 0 ? service->permits : 0);
        text_put(out, ",\"open\":");
        buffer_text(out, service->open ? "true" : "false");
        text_put(out, ",\"until\":");
        buffer_int(out, service->until_ms);
        buffer_char(out, '}');
    }
    if (!first)
        buffer_char(out, '}');
}

static void put_event(struct buffer *out, const struct saga *saga, const struct saga_event *event, const struct effects *effects)
{
    switch (event->kind) {
    case EVENT_START: /* input, trace and reply address are in the state */
        text_put(out, "{\"start\":true,\"at\":");
        break;
    case EVENT_TIMER:
    case EVENT_KIND_COUNT: text_put(out, "{\"timer\":"); break;
    case EVENT_PARK:
        text_put(out, "{\"park\":");
        text_string(out, event->reason);
        text_put(out, ",\"at\":");
        break;
    case EVENT_SIGNAL:
        text_put(out, "{\"signal\":");
        text_string(out, event->signal);
        if (event->who != NULL) {
            text_put(out, ",\"who\":");
            text_string(out, event->who);
        }
        text_put(out, ",\"body\":");
        json_write(out, event->body);
        text_put(out, ",\"at\":");
        break;
    case EVENT_REPLY: put_reply(out, saga, event); break;
    case EVENT_VERB: put_verb(out, event); break;
    case EVENT_CACHED:
        text_put(out, "{\"cached\":");
        state_place_write(out, saga->definition, event->place);
        if (event->body != NULL) {
            text_put(out, ",\"since\":");
            buffer_int(out, event->cached_at_ms);
            text_put(out, ",\"body\":");
            json_write(out, event->body);
        }
        text_put(out, ",\"at\":");
        break;
    case EVENT_LOCK:
        text_put(out, "{\"lock\":\"");
        buffer_text(out, event->leave ? "leave\"" : "ask\"");
        PUT_TEXT(out, "saga", event->who);
        if (event->reject)
            text_put(out, ",\"queue\":false");
        text_put(out, ",\"at\":");
        break;
    }
    if (event->kind != EVENT_REPLY && event->kind != EVENT_VERB)
        buffer_int(out, event->at_ms);
    if (event->kind == EVENT_START && saga->seq > 1)
        put_parent(out, event);
    PUT_TEXT(out, "woken", event->woken);
    put_gate(out, event->gate, effects);
    buffer_char(out, '}');
}

static void put_sent(struct buffer *out, const struct saga *saga, const struct effects *effects)
{
    bool first = true;

    for (size_t i = 0; i < effects->len; i++) {
        const struct effect *effect = &effects->items[i];
        char id[WIRE_MESSAGE_ID_MAX], name[SAGA_PLACE_NAME_MAX];
        size_t len;

        if (effect->kind != EFFECT_COMMAND && effect->kind != EFFECT_CHILD)
            continue;
        if (first)
            text_put(out, ",\"send\":[\"");
        else
            text_put(out, ",\"");
        first = false;
        (void)saga_place_name(saga->definition, effect->place, name);
        len = command_id(id, name, effect->action, effect->attempt);
        buffer_append(out, id, len);
        buffer_char(out, '"');
    }
    if (!first)
        buffer_char(out, ']');
}

static void put_output_is_body(struct buffer *out, const struct saga *saga, const json_t *body)
{
    bool first = true;

    for (size_t i = 0; i < saga->steps_len; i++) {
        if (!patch_output_is_body(&saga->steps[i], body))
            continue;
        if (first)
            text_put(out, ",\"outputIsBody\":[");
        else
            buffer_char(out, ',');
        first = false;
        state_place_write(out, saga->definition, saga_place_of(&saga->steps[i]));
    }
    if (!first)
        buffer_char(out, ']');
}

/* Then the definition itself is another one: the state as a whole, no patch. */
static bool migrated(const struct saga_event *event)
{
    return event->kind == EVENT_VERB && event->verb == VERB_MIGRATE;
}

void journal_writer_step(struct journal_writer *writer, const struct saga *saga, const struct saga_event *event,
                         const struct journal_cause *cause, const struct effects *effects)
{
    struct buffer *out = begin_step(writer);
    const json_t *body = event->kind == EVENT_REPLY ? event->body : NULL;

    text_put(out, "{\"id\":");
    text_string(out, saga->id);
    text_put(out, ",\"seq\":");
    buffer_int(out, saga->seq);
    text_put(out, ",\"cause\":");
    put_cause(out, cause);
    text_put(out, ",\"event\":");
    put_event(out, saga, event, effects);
    text_put(out, ",\"as\":\"");
    buffer_text(out, disposition_name(effects->disposition));
    buffer_char(out, '"');
    put_sent(out, saga, effects);
    if (saga->seq == 1 || migrated(event)) {
        text_put(out, ",\"state\":");
        wire_state_write(out, saga);
    } else {
        if (!json_is_null(body))
            put_output_is_body(out, saga, body);
        text_put(out, ",\"patch\":");
        patch_write(out, saga, json_is_null(body) ? NULL : body);
    }
    buffer_char(out, '}');
}

void journal_writer_note(struct journal_writer *writer, const struct journal_cause *cause, const char *what,
                         const char *saga_id)
{
    struct buffer *out = begin_step(writer);

    text_put(out, "{\"note\":");
    text_string(out, what);
    text_put(out, ",\"cause\":");
    put_cause(out, cause);
    if (saga_id != NULL) {
        text_put(out, ",\"id\":");
        text_string(out, saga_id);
    }
    buffer_char(out, '}');
}

void journal_writer_refused(struct journal_writer *writer, const struct journal_cause *cause, const char *saga_id,
                            const struct saga_event *event, const char *reason)
{
    struct buffer *out = begin_step(writer);

    text_put(out, "{\"note\":\"refused\",\"cause\":");
    put_cause(out, cause);
    text_put(out, ",\"id\":");
    text_string(out, saga_id);
    text_put(out, ",\"event\":");
    put_verb(out, event);
    text_put(out, "},\"reason\":");
    text_string(out, reason);
    buffer_char(out, '}');
}

void journal_writer_purge(struct journal_writer *writer, const char *saga_id, int64_t at_ms)
{
    struct buffer *out = begin_step(writer);

    text_put(out, "{\"purge\":");
    text_string(out, saga_id);
    text_put(out, ",\"at\":");
    buffer_int(out, at_ms);
    buffer_char(out, '}');
}

uint32_t journal_crc(const char *head, size_t head_len, const char *steps, size_t steps_len)
{
    uLong crc = crc32_z(0, (const Bytef *)head, head_len);

    if (steps_len > 0) /* zlib reads a NULL as "start over" */
        crc = crc32_z(crc, (const Bytef *)steps, steps_len);
    return (uint32_t)crc;
}

void journal_crc_text(char out[JOURNAL_CRC_DIGITS], uint32_t crc)
{
    static const char digits[] = "0123456789abcdef";

    for (int i = 0; i < JOURNAL_CRC_DIGITS; i++)
        out[i] = digits[crc >> (28 - 4 * i) & 15];
}

static void put_head(struct buffer *out, const struct journal_head *head, size_t count)
{
    text_put(out, JOURNAL_BEGIN "\"seq\":");
    buffer_int(out, head->seq);
    text_put(out, ",\"at\":");
    buffer_int(out, head->at_ms);
    text_put(out, ",\"worker\":");
    text_string(out, head->worker);
    text_put(out, ",\"c\":");
    buffer_int(out, head->checkpoint);
    text_put(out, ",\"co\":");
    buffer_int(out, head->checkpoint_offset);
    text_put(out, ",\"part\":[");
    buffer_int(out, head->part);
    buffer_char(out, ',');
    buffer_int(out, head->parts);
    text_put(out, "],\"vector\":{");
    for (size_t i = 0; i < head->inputs_len; i++) {
        if (i > 0)
            buffer_char(out, ',');
        text_string(out, head->topics[i]);
        buffer_char(out, ':');
        buffer_int(out, head->offsets[i]);
    }
    text_put(out, "},\"n\":");
    buffer_int(out, (int64_t)count);
}

void journal_record_write(struct buffer *out, const struct journal_head *head, const struct journal_writer *writer)
{
    size_t start = out->len;
    char crc[JOURNAL_CRC_DIGITS];

    put_head(out, head, writer->count);
    if (writer->steps.failed)
        out->failed = true;
    if (out->failed)
        return;
    journal_crc_text(crc, journal_crc(out->data + start, out->len - start, writer->steps.data, writer->steps.len));
    text_put(out, JOURNAL_CRC);
    buffer_append(out, crc, sizeof crc);
    text_put(out, JOURNAL_STEPS);
    buffer_append(out, writer->steps.data, writer->steps.len);
    text_put(out, JOURNAL_END);
}

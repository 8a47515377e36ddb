/*
 * state_write.c -- the state document as text.
 *
 * Owns:     its members and their order (schemas/saga-state.schema.json): equal states give equal bytes.
 * Never:    builds a json_t: this runs at every start and every trickled state.
 * Tests:    tests/wire/test_state.c
 */
#include "state.h"
#include "text.h"

#define PUT_NUMBER(out, name, value)                                                                                   \
    do {                                                                                                               \
        if ((value) != 0) {                                                                                            \
            text_put((out), ",\"" name "\":");                                                                         \
            buffer_int((out), (value));                                                                                \
        }                                                                                                              \
    } while (0)

void state_place_write(struct buffer *out, const struct definition *definition, struct saga_place place)
{
    char name[SAGA_PLACE_NAME_MAX];

    (void)saga_place_name(definition, place, name);
    text_string(out, name);
}

/* The branches' numbers, from 1. */
static void put_lost(struct buffer *out, uint32_t lost)
{
    const char *before = ",\"lost\":[";

    for (int i = 0; i < DEFINITION_BRANCHES_MAX; i++) {
        if ((lost >> i & 1) == 0)
            continue;
        buffer_text(out, before);
        buffer_int(out, i + 1);
        before = ",";
    }
    buffer_char(out, ']');
}

void state_step_write(struct buffer *out, const struct saga_step *step, bool without_output)
{
    text_put(out, "{\"status\":\"");
    buffer_text(out, step_status_name(step->status));
    buffer_char(out, '"');
    PUT_NUMBER(out, "case", step->chosen);
    if (step->lost != 0)
        put_lost(out, step->lost);
    PUT_NUMBER(out, "count", step->count);
    PUT_NUMBER(out, "begun", step->begun);
    PUT_NUMBER(out, "finished", step->finished);
    PUT_NUMBER(out, "attempts", step->attempts);
    PUT_NUMBER(out, "compensations", step->compensations);
    PUT_NUMBER(out, "forgiven", step->forgiven);
    if (step->forever)
        text_put(out, ",\"forever\":true");
    PUT_NUMBER(out, "polls", step->polls);
    PUT_NUMBER(out, "pollFrom", step->poll_from);
    if (step->fallback != FALLBACK_NONE) {
        text_put(out, ",\"fallback\":\"");
        buffer_text(out, fallback_kind_name(step->fallback));
        buffer_char(out, '"');
    }
    if (step->refused)
        text_put(out, ",\"refused\":true");
    if (step->parked)
        text_put(out, ",\"parked\":true");
    if (step->unanswered)
        text_put(out, ",\"unanswered\":true");
    PUT_NUMBER(out, "doneOrder", step->done_order);
    PUT_NUMBER(out, "firstAt", step->first_at_ms);
    PUT_NUMBER(out, "sentAt", step->sent_at_ms);
    PUT_NUMBER(out, "dueAt", step->due_at_ms);
    PUT_NUMBER(out, "settledAt", step->settled_at_ms);
    PUT_NUMBER(out, "cachedAt", step->cached_at_ms);
    PUT_NUMBER(out, "heldSince", step->held_since_ms);
    if (step->child != NULL) {
        text_put(out, ",\"child\":");
        json_write(out, step->child);
    }
    PUT_NUMBER(out, "childrenFailed", step->children_failed);
    if (step->input != NULL) {
        text_put(out, ",\"input\":");
        json_write(out, step->input);
    }
    if (step->items != NULL) {
        text_put(out, ",\"items\":");
        json_write(out, step->items);
    }
    if (step->undo_input != NULL) {
        text_put(out, ",\"undoInput\":");
        json_write(out, step->undo_input);
    }
    if (step->undo != NULL) {
        text_put(out, ",\"undo\":");
        json_write(out, step->undo);
    }
    if (step->dataref != NULL) {
        text_put(out, ",\"dataref\":");
        json_write(out, step->dataref);
    }
    if (!without_output && step->output != NULL && !json_is_null(step->output)) {
        text_put(out, ",\"output\":");
        json_write(out, step->output);
    }
    if (step->error != NULL && !json_is_null(step->error)) {
        text_put(out, ",\"error\":");
        json_write(out, step->error);
    }
    buffer_char(out, '}');
}

void state_history_write(struct buffer *out, const struct saga *saga, size_t from)
{
    for (size_t i = from; i < saga->history_len; i++) {
        const struct saga_history *entry = &saga->history[i];

        if (i > from)
            buffer_char(out, ',');
        buffer_char(out, '[');
        buffer_int(out, entry->after_ms);
        text_put(out, ",\"");
        buffer_text(out, history_kind_name(entry->kind));
        text_put(out, "\",");
        if (entry->place.index >= 0)
            state_place_write(out, saga->definition, entry->place);
        else
            text_put(out, "null");
        buffer_char(out, ',');
        buffer_int(out, entry->attempt);
        if (entry->note != NULL) {
            buffer_char(out, ',');
            json_write(out, entry->note);
        }
        buffer_char(out, ']');
    }
}

void state_parked_write(struct buffer *out, const struct saga *saga)
{
    if (saga->parked == NULL) {
        text_put(out, "null");
        return;
    }
    text_put(out, "{\"reason\":");
    text_string(out, saga->parked);
    text_put(out, ",\"from\":\"");
    buffer_text(out, saga_status_name(saga->parked_from));
    buffer_char(out, '"');
    PUT_NUMBER(out, "pausedAt", saga->paused_at_ms);
    buffer_char(out, '}');
}

static void put_identity(struct buffer *out, const struct saga *saga)
{
    text_put(out, "{\"id\":");
    text_string(out, saga->id);
    text_put(out, ",\"definition\":");
    text_string(out, saga->definition->name);
    text_put(out, ",\"version\":");
    buffer_int(out, saga->definition->version);
    text_put(out, ",\"hash\":");
    text_string(out, saga->definition->hash);
}

static void put_progress(struct buffer *out, const struct saga *saga)
{
    text_put(out, ",\"status\":\"");
    buffer_text(out, saga_status_name(saga->status));
    text_put(out, "\",\"seq\":");
    buffer_int(out, saga->seq);
    text_put(out, ",\"startedAt\":");
    buffer_int(out, saga->started_at_ms);
    text_put(out, ",\"updatedAt\":");
    buffer_int(out, saga->updated_at_ms);
    text_put(out, ",\"endedAt\":");
    text_time(out, saga->ended_at_ms);
    text_put(out, ",\"deadlineAt\":");
    text_time(out, saga->deadline_at_ms);
    text_put(out, ",\"dueAt\":");
    text_time(out, saga->due_at_ms);
}

static void put_payloads(struct buffer *out, const struct saga *saga)
{
    text_put(out, ",\"input\":");
    json_write(out, saga->input);
    if (saga->dataref != NULL) {
        text_put(out, ",\"dataref\":");
        json_write(out, saga->dataref);
    }
    text_put(out, ",\"output\":");
    json_write(out, saga->output);
    text_put(out, ",\"error\":");
    json_write(out, saga->error);
    text_put(out, ",\"parked\":");
    state_parked_write(out, saga);
    text_put(out, ",\"turnedBack\":");
    buffer_text(out, saga->turned_back ? "true" : "false");
}

static void put_callers(struct buffer *out, const struct saga *saga)
{
    text_put(out, ",\"traceparent\":");
    text_string(out, saga->traceparent);
    text_put(out, ",\"tracestate\":");
    text_string(out, saga->tracestate);
    text_put(out, ",\"replyTo\":");
    if (saga->reply_to.topic == NULL) {
        text_put(out, "null");
    } else {
        text_put(out, "{\"topic\":");
        text_string(out, saga->reply_to.topic);
        text_put(out, ",\"correlation\":");
        text_string(out, saga->reply_to.correlation);
        buffer_char(out, '}');
    }
    if (saga->parent != NULL) {
        text_put(out, ",\"parent\":");
        json_write(out, saga->parent);
    }
    text_put(out, ",\"duplicates\":");
    buffer_int(out, saga->duplicates);
    text_put(out, ",\"late\":");
    buffer_int(out, saga->late);
}

void wire_state_write(struct buffer *out, const struct saga *saga)
{
    put_identity(out, saga);
    put_progress(out, saga);
    put_payloads(out, saga);
    put_callers(out, saga);
    text_put(out, ",\"steps\":{");
    for (size_t i = 0; i < saga->steps_len; i++) {
        if (i > 0)
            buffer_char(out, ',');
        state_place_write(out, saga->definition, saga_place_of(&saga->steps[i]));
        buffer_char(out, ':');
        state_step_write(out, &saga->steps[i], false);
    }
    text_put(out, "},\"history\":[");
    state_history_write(out, saga, 0);
    text_put(out, "],\"historyDropped\":");
    buffer_int(out, saga->history_dropped);
    if (saga->signals != NULL) { /* the last member: a patch adds it and takes it away */
        text_put(out, ",\"signals\":");
        json_write(out, saga->signals);
    }
    if (saga->queue != NULL) { /* of a lock, which keeps no signals */
        text_put(out, ",\"queue\":");
        json_write(out, saga->queue);
    }
    buffer_char(out, '}');
}

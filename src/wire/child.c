/*
 * child.c -- what a saga and its child tell each other: the start and the undoing on the control topic, the answer among the replies.
 *
 * Owns:     the headers baton-parent, baton-depth, baton-detached and baton-child (docs/protocol.md, "Child sagas").
 * Rule:     both messages to a child lie in one partition of one topic, so that no undoing overtakes its start. The answer's correlation is signed
 *           here, and never stood in a topic before: nobody can make one up.
 * Tests:    tests/wire/test_child.c
 */
#include "dataref.h"
#include "ids.h"
#include "payload.h"
#include "record.h"

#define PARENT "baton-parent"
#define DEPTH "baton-depth"
#define DETACHED "baton-detached"

static const char *child_of(const struct saga *saga, const struct effect *effect)
{
    return json_string_value(saga_step_find(saga, effect->place)->child);
}

/* --- to the child --- */

static void put_start(const struct saga *saga, const struct effect *effect, struct wire_out *out)
{
    const struct definition_step *step = &saga->definition->steps[effect->place.index];

    record_header_text(out, "saga-type", step->child);
    if (step->child_version > 0)
        record_header_number(out, "saga-version", step->child_version);
    record_header_number(out, DEPTH, json_integer_value(json_object_get(saga->parent, "depth")) + 1);
    if (step->detached)
        record_header_literal(out, DETACHED, "true");
    if (saga_step_find(saga, effect->place)->input == NULL) /* else it is an operator's */
        dataref_write(out, saga_dataref(saga, step->input, effect->place, false));
    json_write(&out->value, effect->input);
}

static void put_undo(const struct saga *saga, const char *step, struct wire_out *out)
{
    text_put(&out->value, "{\"verb\":\"compensate\",\"who\":");
    text_string(&out->value, saga->id);
    text_put(&out->value, ",\"why\":\"compensation of its parent's step ");
    buffer_text(&out->value, step); /* a name */
    text_put(&out->value, "\"}");
}

enum baton_err wire_child_write(const struct saga *saga, const struct effect *effect, const struct wire_names *names, struct wire_out *out,
                                struct baton_error *err)
{
    char id[WIRE_MESSAGE_ID_MAX], step[SAGA_PLACE_NAME_MAX];
    size_t id_len = 0;

    (void)saga_place_name(saga->definition, effect->place, step);
    id_len = wire_message_id(id, saga->id, step, effect->action, effect->attempt);
    record_begin(out);
    if (strlen(names->control) >= sizeof out->topic)
        return baton_fail(err, BATON_E_INVALID, "child of step %s: the topic name is too long", step);
    memcpy(out->topic, names->control, strlen(names->control) + 1);
    out->record.topic = out->topic;
    record_key(out, child_of(saga, effect));
    record_header(out, PARENT);
    buffer_append(&out->text, id, id_len);
    record_header_literal(out, "content-type", CONTENT_TYPE_JSON);
    record_headers_trace(out, saga, id, id_len);
    if (effect->action == ACTION_EXECUTE)
        put_start(saga, effect, out);
    else
        put_undo(saga, step, out);
    return record_end(out, "child", err);
}

static bool parent_id(const struct bus_message *message, struct wire_message_id *ret_id)
{
    struct text_view view = header_text(message, PARENT);

    return view.text != NULL && wire_message_id_parse(view.text, view.len, ret_id);
}

bool wire_child_is_start(const struct bus_message *message)
{
    return wire_header(message, "saga-type") != NULL;
}

enum baton_err wire_child_parent_read(const struct bus_message *message, enum saga_action action, json_t **ret_parent,
                                      enum dlq_reason *ret_reason, struct baton_error *err)
{
    struct text_view text = header_text(message, DEPTH);
    struct wire_message_id id;
    int64_t depth = 0;

    if (!parent_id(message, &id) || id.action != action)
        return poison(ret_reason, DLQ_INVALID_CONTROL, err, PARENT " is not the id of a parent's command; whoever has no parent starts on a start topic");
    if (action == ACTION_EXECUTE && (text.text == NULL || !number_parse(text.text, text.len, &depth) || depth < 1 || depth > SAGA_DEPTH_MAX))
        return poison(ret_reason, DLQ_INVALID_CONTROL, err, DEPTH " is not a whole number from 1 to %d", SAGA_DEPTH_MAX);
    *ret_parent = json_pack("{s:s, s:s, s:i}", "saga", id.saga_id, "step", id.step, "attempt", id.attempt);
    if (*ret_parent != NULL && depth > 0)
        (void)json_object_set_new(*ret_parent, "depth", json_integer(depth));
    if (*ret_parent != NULL && wire_header(message, DETACHED) != NULL)
        (void)json_object_set_new(*ret_parent, "detached", json_true());
    return *ret_parent == NULL ? baton_fail(err, BATON_E_NOMEM, "child: out of memory") : BATON_OK;
}

enum baton_err wire_child_start_read(const struct bus_message *message, const struct json_limits *limits, struct wire_start *ret_start,
                                     enum dlq_reason *ret_reason, struct baton_error *err)
{
    struct wire_start start;
    enum baton_err rc = wire_start_read(message, NULL, limits, &start, ret_reason, err);

    if (rc != BATON_OK)
        return rc;
    rc = wire_child_parent_read(message, ACTION_EXECUTE, &start.parent, ret_reason, err);
    if (rc == BATON_OK)
        *ret_start = start;
    else
        wire_start_clear(&start);
    return rc;
}

/* --- to the parent --- */

bool wire_child_asker(const struct bus_message *message, struct wire_message_id *ret_id)
{
    return wire_header(message, DETACHED) == NULL && parent_id(message, ret_id);
}

enum baton_err wire_child_answer_write(const struct wire_child_answer *answer, const struct wire_names *names, struct wire_out *out,
                                       struct baton_error *err)
{
    char id[WIRE_MESSAGE_ID_MAX];
    size_t id_len = wire_signer_sign(names->signer, id, wire_message_id(id, answer->parent_id, answer->step, answer->action, answer->attempt));

    record_begin(out);
    if (id_len == 0)
        return baton_fail(err, BATON_E_NOMEM, "answer to saga %s: out of memory", answer->parent_id);
    if (strlen(names->replies) >= sizeof out->topic)
        return baton_fail(err, BATON_E_INVALID, "answer to saga %s: the topic name is too long", answer->parent_id);
    memcpy(out->topic, names->replies, strlen(names->replies) + 1);
    out->record.topic = out->topic;
    record_key(out, answer->parent_id);
    record_header(out, "kafka_correlationId");
    buffer_append(&out->text, id, id_len);
    if (answer->outcome == REPLY_SUCCESS)
        record_header_literal(out, "saga-outcome", "success");
    else
        record_header_literal(out, "saga-outcome", "failure");
    record_header_text(out, "baton-child", answer->child_id);
    dataref_write(out, answer->dataref);
    record_header_literal(out, "content-type", CONTENT_TYPE_JSON);
    json_write(&out->value, answer->body);
    return record_end(out, "answer", err);
}

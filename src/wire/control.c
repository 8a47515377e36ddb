/*
 * control.c -- reading what an operator, or a program, asks of a saga.
 *
 * Owns:     the form of a control message (docs/protocol.md, schemas/control-command.schema.json): who asks must be said.
 * Never:    decides whether the saga's state allows it: that is the core's.
 * Tests:    tests/wire/test_control.c, one row a rule.
 */
#include "cloudevent.h"
#include "ids.h"
#include "job.h"
#include "lock.h"
#include "payload.h"
#include "reply_to.h"
#include <stdlib.h>

#define SIGNAL "signal"

/* Which members may go with which verb. */
static const struct form {
    bool step, needs_step;
    const char *value; /* the member that carries it; NULL = none */
    bool version;      /* of the definition: it needs one */
} forms[VERB_COUNT] = {
    [VERB_RETRY] = {.step = true, .value = "input"},
    [VERB_SKIP] = {.step = true, .needs_step = true, .value = "output"},
    [VERB_COMPLETE] = {.step = true, .needs_step = true, .value = "output"},
    [VERB_MIGRATE] = {.version = true},
};

static const struct form signal_form = {.value = "data"};

static bool of_a_job(const char *member)
{
    return strcmp(member, "where") == 0 || strcmp(member, "preview") == 0 || strcmp(member, "progress") == 0;
}

struct reading {
    struct wire_control *control;
    enum dlq_reason *ret_reason;
    struct baton_error *err;
};

#define WRONG(reading, ...) poison((reading)->ret_reason, DLQ_INVALID_CONTROL, (reading)->err, __VA_ARGS__)

static enum baton_err read_id(const struct bus_message *message, const struct reading *reading, char ret_id[SAGA_ID_MAX + 1])
{
    struct text_view view = {message->key, message->key_len};

    if (view.text == NULL || view.len == 0)
        view = header_either(message, "saga-id", "ce_sagaid");
    if (view.text == NULL)
        return poison(reading->ret_reason, DLQ_MISSING_ID, reading->err,
                      "no saga id; send it as the record's key, or in header saga-id");
    if (!saga_id_valid(view.text, view.len))
        return poison(reading->ret_reason, DLQ_INVALID_ID, reading->err,
                      "the saga id \"%.*s\" is not 1..%d of A-Z a-z 0-9 . _ : -", (int)(view.len > 160 ? 160 : view.len),
                      view.text, SAGA_ID_MAX);
    memcpy(ret_id, view.text, view.len);
    ret_id[view.len] = '\0';
    return BATON_OK;
}

static enum baton_err read_verb(const struct reading *reading)
{
    const json_t *verb = json_object_get(reading->control->doc, "verb");
    const char *text = json_string_value(verb);

    if (text == NULL)
        return WRONG(reading, "\"verb\" is missing, or no text");
    if (strcmp(text, SIGNAL) == 0) {
        reading->control->signal = text; /* read_arguments puts its name here */
        return BATON_OK;
    }
    if (!saga_verb_parse(text, json_string_length(verb), &reading->control->verb))
        return poison(reading->ret_reason, DLQ_UNKNOWN_VERB, reading->err,
                      "\"%.64s\" is no verb: signal, cancel, terminate, pause, resume, retry, skip, complete, compensate or migrate", text);
    return BATON_OK;
}

/* One line of text: it is shown to people. */
static bool is_line(const json_t *value, size_t max)
{
    const char *text = json_string_value(value);

    if (text == NULL || json_string_length(value) > max)
        return false;
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    }
    return true;
}

static enum baton_err read_who_and_why(const struct reading *reading)
{
    const json_t *who = json_object_get(reading->control->doc, "who"), *why = json_object_get(reading->control->doc, "why");

    if (reading->control->signal != NULL && who == NULL)
        return BATON_OK; /* a program: its signal says all there is to say */
    if (!is_line(who, VERB_WHO_MAX) || json_string_length(who) == 0)
        return WRONG(reading, "\"who\" must be one line of 1 to %d bytes: whoever asks, by name", VERB_WHO_MAX);
    if (why != NULL && !json_is_null(why) && !is_line(why, VERB_WHY_MAX))
        return WRONG(reading, "\"why\" must be one line of at most %d bytes", VERB_WHY_MAX);
    reading->control->who = json_string_value(who);
    reading->control->why = json_string_length(why) == 0 ? NULL : json_string_value(why);
    return BATON_OK;
}

static enum baton_err read_arguments(const struct reading *reading)
{
    struct wire_control *control = reading->control;
    const struct form *form = control->signal != NULL ? &signal_form : &forms[control->verb];
    const json_t *version = json_object_get(control->doc, "version");
    const json_t *step = json_object_get(control->doc, "step"), *signal = json_object_get(control->doc, "name");
    const char *name = NULL;
    json_t *value = NULL;

    json_object_foreach(control->doc, name, value) {
        if (strcmp(name, "verb") == 0 || strcmp(name, "who") == 0 || strcmp(name, control->signal != NULL ? "name" : "why") == 0 ||
            (form->step && strcmp(name, "step") == 0) || (form->value != NULL && strcmp(name, form->value) == 0) || (form->version && strcmp(name, "version") == 0) || (control->signal == NULL && of_a_job(name)))
            continue;
        return WRONG(reading, "%s takes no \"%.64s\"", wire_control_word(control), name);
    }
    if (control->signal != NULL && (!is_line(signal, DEFINITION_STEP_NAME_MAX) || json_string_length(signal) == 0))
        return WRONG(reading, "\"name\" must be the name of the signal");
    if (control->signal != NULL)
        control->signal = json_string_value(signal);
    if (step != NULL && (!is_line(step, SAGA_PLACE_NAME_MAX - 1) || json_string_length(step) == 0))
        return WRONG(reading, "\"step\" is not the name of a step");
    if (step == NULL && form->needs_step)
        return WRONG(reading, "%s needs a \"step\"", saga_verb_name(control->verb));
    if (form->version && (!json_is_integer(version) || json_integer_value(version) < 1 || json_integer_value(version) > INT32_MAX))
        return WRONG(reading, "%s needs a \"version\", a whole number from 1", saga_verb_name(control->verb));
    control->version = json_integer_value(version);
    control->step = json_string_value(step);
    control->value = form->value == NULL ? NULL : json_object_get(control->doc, form->value);
    return BATON_OK;
}

static enum baton_err read_job(const struct reading *reading)
{
    const json_t *where = json_object_get(reading->control->doc, "where"), *preview = json_object_get(reading->control->doc, "preview");
    const json_t *progress = json_object_get(reading->control->doc, "progress");
    struct wire_job *job = NULL;
    struct baton_error why = {0};

    if (where == NULL && (preview != NULL || progress != NULL))
        return WRONG(reading, "\"preview\" and \"progress\" go with \"where\"");
    if (where == NULL)
        return BATON_OK;
    if (!is_line(where, FILTER_TEXT_MAX))
        return WRONG(reading, "\"where\" must be one line of at most %d bytes, such as \"type=order,status=parked\"", FILTER_TEXT_MAX);
    if (preview != NULL && !json_is_boolean(preview))
        return WRONG(reading, "\"preview\" is true or false");
    job = reading->control->job = calloc(1, sizeof *job);
    if (job == NULL)
        return baton_fail(reading->err, BATON_E_NOMEM, "control: out of memory");
    if (saga_filter_parse(json_string_value(where), &job->where, &why) != BATON_OK)
        return WRONG(reading, "\"where\": %s", why.text);
    job->preview = json_is_true(preview);
    if (!job_progress_read(progress, job))
        return WRONG(reading, "\"progress\" is not one that a worker has written: leave it out");
    return BATON_OK;
}

static enum baton_err read_message_id(const struct bus_message *message, const struct reading *reading)
{
    struct wire_control *control = reading->control;
    struct text_view id = header_text(message, "ce_id");
    enum baton_err rc = reply_to_read(message, &control->reply_topic, &control->reply_correlation, reading->ret_reason, reading->err);

    if (rc != BATON_OK || id.text == NULL)
        return rc;
    if (id.len > SAGA_ID_MAX || !text_printable(id))
        return WRONG(reading, "ce_id must be at most %d printable characters", SAGA_ID_MAX);
    control->message_id = text_copy(id);
    if (control->reply_topic != NULL && control->reply_correlation == NULL)
        control->reply_correlation = text_copy(id);
    if (control->message_id == NULL || (control->reply_topic != NULL && control->reply_correlation == NULL))
        return baton_fail(reading->err, BATON_E_NOMEM, "control: out of memory");
    return BATON_OK;
}

static enum baton_err read_value(const struct bus_message *message, const struct json_limits *limits, const struct reading *reading)
{
    enum baton_err rc = payload_check_headers(message, reading->ret_reason, reading->err);

    if (rc == BATON_OK && cloudevent_is_structured(message))
        return poison(reading->ret_reason, DLQ_INVALID_CLOUDEVENT, reading->err,
                      "a control message is no structured event; send its attributes as ce_ headers");
    if (rc == BATON_OK)
        rc = cloudevent_check_binary(message, reading->ret_reason, reading->err);
    if (rc == BATON_OK && message->value != NULL && message->value_len > 0)
        rc = payload_parse("value", message->value, message->value_len, limits, &reading->control->doc, reading->ret_reason,
                           reading->err);
    if (rc == BATON_OK && !json_is_object(reading->control->doc))
        rc = poison(reading->ret_reason, DLQ_NOT_AN_OBJECT, reading->err, "a control message is a JSON object");
    return rc;
}

/* The parent of a child: it compensates, and asks for nothing else. */
static enum baton_err read_parent(const struct bus_message *message, const struct reading *reading)
{
    if (reading->control->signal != NULL || reading->control->verb != VERB_COMPENSATE)
        return WRONG(reading, "%s is not for a parent to say", wire_control_word(reading->control));
    return wire_child_parent_read(message, ACTION_COMPENSATE, &reading->control->parent, reading->ret_reason, reading->err);
}

enum baton_err wire_control_read(const struct bus_message *message, const struct json_limits *limits, char ret_id[SAGA_ID_MAX + 1],
                                 struct wire_control *ret_control, enum dlq_reason *ret_reason, struct baton_error *err)
{
    struct wire_control control = {.doc = NULL};
    struct reading reading = {&control, ret_reason, err};
    enum baton_err rc = read_id(message, &reading, ret_id);

    if (rc == BATON_OK)
        rc = read_value(message, limits, &reading);
    if (rc == BATON_OK && json_object_get(control.doc, "lock") != NULL) {
        if (lock_message_read(ret_id, control.doc, &control)) {
            *ret_control = control;
            return BATON_OK;
        }
        rc = poison(ret_reason, DLQ_INVALID_CONTROL, err, "\"lock\" is not what a worker writes to this lock: nobody else does");
    }
    if (rc == BATON_OK)
        rc = read_verb(&reading);
    if (rc == BATON_OK)
        rc = read_who_and_why(&reading);
    if (rc == BATON_OK)
        rc = read_arguments(&reading);
    if (rc == BATON_OK)
        rc = read_job(&reading);
    if (rc == BATON_OK)
        rc = read_message_id(message, &reading);
    if (rc == BATON_OK && wire_header(message, "baton-parent") != NULL)
        rc = read_parent(message, &reading);
    if (rc == BATON_OK)
        *ret_control = control;
    else
        wire_control_clear(&control);
    return rc;
}

void wire_control_clear(struct wire_control *control)
{
    if (control->job != NULL) {
        json_decref(control->job->sagas);
        json_decref(control->job->reasons);
    }
    free(control->job);
    json_decref(control->doc);
    json_decref(control->parent);
    free(control->message_id);
    free(control->reply_topic);
    free(control->reply_correlation);
    memset(control, 0, sizeof *control);
}

const char *wire_control_word(const struct wire_control *control)
{
    return control->signal != NULL ? SIGNAL : saga_verb_name(control->verb);
}

struct saga_event wire_control_event(const struct wire_control *control, int64_t at_ms)
{
    if (control->signal != NULL)
        return (struct saga_event){.kind = EVENT_SIGNAL, .at_ms = at_ms, .signal = control->signal, .who = control->who, .body = control->value};
    return (struct saga_event){.kind = EVENT_VERB, .at_ms = at_ms, .verb = control->verb, .who = control->who, .why = control->why,
                               .step_name = control->step, .value = control->value, .version = control->version, .verb_id = control->message_id,
                               .parent = control->parent};
}

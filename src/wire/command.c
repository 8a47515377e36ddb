/*
 * command.c -- writing a command record.
 *
 * Owns:     the command's topic and headers (docs/protocol.md).
 * Never:    decides: step, attempt, input and expiry are the effect's. No allocation but the buffers' growth.
 * Tests:    tests/wire/test_command.c
 */
#include "dataref.h"
#include "record.h"
#include <stdio.h>

#define SERVICE_NAMES_MAX 10000 /* pairs looked through; a list without its NULL ends here */

static const char *reply_topic(const struct wire_names *names, const char *service)
{
    for (size_t i = 0; names->service_replies != NULL && i < SERVICE_NAMES_MAX; i += 2) {
        const char *name = names->service_replies[i];

        if (name == NULL)
            break;
        if (strcmp(name, service) == 0)
            return names->service_replies[i + 1];
    }
    return names->replies;
}

static const char *or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

static bool put_topic(struct wire_out *out, const struct wire_names *names, const char *service)
{
    int len = snprintf(out->topic, sizeof out->topic, "%s%s.commands", or_empty(names->command_prefix), service);

    out->record.topic = out->topic;
    return len > 0 && (size_t)len < sizeof out->topic;
}

/* Where the input lies, if it is a value that came with a reference and goes on whole; not if an operator gave another one. */
static const json_t *reference(const struct saga *saga, const struct effect *effect)
{
    const struct definition_step *step = &saga->definition->steps[effect->place.index];
    const struct saga_step *reached = saga_step_find(saga, effect->place);
    bool undo = effect->action == ACTION_COMPENSATE;
    const json_t *other = reached == NULL ? NULL : undo ? reached->undo_input : reached->input;

    if (other != NULL || (undo && (step->compensation == NULL || (reached != NULL && reached->undo != NULL))))
        return NULL;
    return saga_dataref(saga, undo ? step->compensation->input : step->input, effect->place, undo);
}

enum baton_err wire_command_write(const struct saga *saga, const struct effect *effect, int64_t now_ms,
                                  const struct wire_names *names, struct wire_out *out, struct baton_error *err)
{
    char id[WIRE_MESSAGE_ID_MAX], key[WIRE_MESSAGE_ID_MAX], step[SAGA_PLACE_NAME_MAX];
    size_t plain_len = 0, id_len = 0, key_len = 0;

    (void)saga_place_name(saga->definition, effect->place, step);
    plain_len = wire_message_id(id, saga->id, step, effect->action, effect->attempt);
    id_len = wire_signer_sign(names->signer, id, plain_len);
    record_begin(out);
    if (!put_topic(out, names, effect->service))
        return baton_fail(err, BATON_E_INVALID, "command of step %s: the topic name of service \"%s\" is too long",
                          step, effect->service);
    if (id_len == 0)
        return baton_fail(err, BATON_E_NOMEM, "command of step %s: out of memory", step);
    record_key(out, saga->id);
    record_header(out, "ce_id");
    buffer_append(&out->text, id, id_len);
    record_headers_saga(out, saga, or_empty(names->source_prefix), effect->command, now_ms);
    record_header_text(out, "ce_sagastep", step);
    if (effect->action == ACTION_EXECUTE)
        record_header_literal(out, "ce_sagaaction", "execute");
    else
        record_header_literal(out, "ce_sagaaction", "compensate");
    record_header_number(out, "ce_sagaattempt", effect->attempt);
    if (effect->expires_at_ms > 0)
        record_header_time(out, "ce_expirytime", effect->expires_at_ms);
    record_header(out, "idempotency-key");
    key_len = wire_idempotency_key(key, saga->id, step, effect->action);
    buffer_append(&out->text, key, key_len);
    if (effect->poll > 0) {
        buffer_char(&out->text, '.');
        buffer_int(&out->text, effect->poll);
    }
    record_header(out, "kafka_correlationId");
    buffer_append(&out->text, id, id_len);
    record_header_text(out, "kafka_replyTopic", reply_topic(names, effect->service));
    dataref_write(out, reference(saga, effect));
    record_headers_trace(out, saga, id, plain_len);
    json_write(&out->value, effect->input);
    return record_end(out, "command", err);
}

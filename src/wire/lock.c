/*
 * lock.c -- what sagas and locks tell each other: control messages, the id of a lock.
 *
 * Owns:     the member "lock" of a control message, which only Baton writes.
 * Tests:    tests/wire/test_control.c
 */
#include "lock.h"
#include "record.h"
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define HASH_BYTES 16 /* of SHA-256: nobody finds two keys with the same */

/* A key that begins with a colon would look like a hash. */
static bool stands_in_an_id(const char *key)
{
    size_t len = strlen(key);

    return key[0] != ':' && len <= SAGA_ID_MAX - strlen(WIRE_LOCK_PREFIX) && saga_id_valid(key, len);
}

bool wire_lock_id(const char *key, char ret_id[SAGA_ID_MAX + 1])
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    int at = snprintf(ret_id, SAGA_ID_MAX + 1, WIRE_LOCK_PREFIX "%s", stands_in_an_id(key) ? key : ":");

    if (stands_in_an_id(key))
        return true;
    if (EVP_Digest(key, strlen(key), hash, NULL, EVP_sha256(), NULL) != 1)
        return false;
    for (int i = 0; i < HASH_BYTES; i++)
        at += snprintf(ret_id + at, (size_t)(SAGA_ID_MAX + 1 - at), "%02x", hash[i]);
    return true;
}

enum baton_err wire_tell_write(const struct effect *effect, const char *control_topic, struct wire_out *out, struct baton_error *err)
{
    const char *key = json_string_value(json_object_get(effect->input, "key"));
    char id[SAGA_ID_MAX + 1];

    if (effect->kind == EFFECT_LOCK && !wire_lock_id(key, id))
        return baton_fail(err, BATON_E_NOMEM, "lock: out of memory");
    record_begin(out);
    out->record.topic = control_topic;
    out->record.partition = -1;
    record_key(out, effect->kind == EFFECT_LOCK ? id : effect->to);
    record_header_literal(out, "content-type", CONTENT_TYPE_JSON);
    json_write(&out->value, effect->input);
    return record_end(out, "message to a lock", err);
}

bool lock_message_read(const char *id, const json_t *doc, struct wire_control *control)
{
    const json_t *what = json_object_get(doc, "lock"), *saga = json_object_get(doc, "saga"), *key = json_object_get(doc, "key");
    const json_t *queue = json_object_get(doc, "queue");
    char named[SAGA_ID_MAX + 1];

    if (!json_is_string(what) || !json_is_string(saga) || !json_is_string(key) || !json_is_boolean(queue) || json_object_size(doc) != 4 ||
        !saga_id_valid(json_string_value(saga), json_string_length(saga)) || json_string_length(key) != strlen(json_string_value(key)) ||
        json_string_length(key) == 0 || json_string_length(key) > LOCK_KEY_MAX || !wire_lock_id(json_string_value(key), named) || strcmp(named, id) != 0)
        return false;
    control->lock.leave = strcmp(json_string_value(what), "leave") == 0;
    control->lock.saga = json_string_value(saga);
    control->lock.key = json_string_value(key);
    control->lock.queue = json_is_true(queue);
    return control->lock.leave || strcmp(json_string_value(what), "ask") == 0;
}

struct saga_event wire_lock_event(const struct wire_control *control, int64_t at_ms)
{
    return (struct saga_event){.kind = EVENT_LOCK, .at_ms = at_ms, .who = control->lock.saga, .leave = control->lock.leave, .reject = !control->lock.queue};
}

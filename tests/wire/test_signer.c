/*
 * test_signer.c -- signed message ids. The tags were made by another HMAC: printf ID | openssl dgst -sha256 -hmac KEY, the first 32
 * digits; RFC 4231's own keys are shorter than the least that is taken.
 */
#include "support.h"

#define OLD "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define NEW "fedcba9876543210fedcba9876543210"
#define SHORT "0123456789abcdef0123456789abcde"
#define ID "o-1/reserve/x/1"
#define OLD_TAG "79c1b53971a35f8ae3738f347925760e"
#define NEW_TAG "721a77e652295d1e4f5d3dadf7365ad4"

static struct wire_signer *signer_of(const char *keys)
{
    struct wire_signer *signer = NULL;
    struct baton_error err;

    if (keys != NULL && wire_signer_new(keys, strlen(keys), &signer, &err) != BATON_OK)
        fail_msg("%s", err.text);
    return signer;
}

static const struct sign_row {
    const char *name;
    const char *keys; /* NULL = no file */
    const char *id, *then;
} sign_rows[] = {
    {"the tag is half an HMAC-SHA-256 of the id, in hex", OLD, ID, ID "/" OLD_TAG},
    {"another key, another tag", NEW, ID, ID "/" NEW_TAG},
    {"another attempt, another tag", OLD, "o-1/reserve/x/2", "o-1/reserve/x/2/15f09f9b5c291d6c553d16b2c78286bf"},
    {"an iteration of a for-each", OLD, "o-1/ship.7/x/1", "o-1/ship.7/x/1/06188e9ddae42e329d836cf07e73a939"},
    {"the first of several keys signs", NEW "\n" OLD "\n", ID, ID "/" NEW_TAG},
    {"blank lines and the line ends of Windows are no part of a key", "\n" OLD "\r\n\r\n", ID, ID "/" OLD_TAG},
    {"`unsigned` first: no tag", "unsigned\n" OLD, ID, ID},
    {"no key file: no tag", NULL, ID, ID},
};

static void check_sign(void **state)
{
    const struct sign_row *row = *state;
    struct wire_signer *signer = signer_of(row->keys);
    char id[WIRE_MESSAGE_ID_MAX];

    for (int time = 0; time < 2; time++) { /* a used key signs as a new one does */
        strcpy(id, row->id);
        assert_int_equal(wire_signer_sign(signer, id, strlen(id)), strlen(row->then));
        assert_string_equal(id, row->then);
    }
    wire_signer_free(signer);
}

static const struct reply_row {
    const char *name;
    const char *keys; /* NULL = no file */
    const char *id;   /* echoed by a reply */
    const char *then; /* "believed", or the dead letter's reason */
} reply_rows[] = {
    {"an id that comes back as it went", OLD, ID "/" OLD_TAG, "believed"},
    {"no tag", OLD, ID, "bad-signature"},
    {"a tag made up", OLD, ID "/00000000000000000000000000000000", "bad-signature"},
    {"the last digit is wrong", OLD, ID "/79c1b53971a35f8ae3738f347925760f", "bad-signature"},
    {"the first digit is wrong", OLD, ID "/89c1b53971a35f8ae3738f347925760e", "bad-signature"},
    {"a tag cut short", OLD, ID "/79c1b53971a35f8ae3738f347925760", "invalid-correlation"},
    {"a tag with a digit more", OLD, ID "/" OLD_TAG "0", "invalid-correlation"},
    {"a tag in capitals", OLD, ID "/79C1B53971A35F8AE3738F347925760E", "invalid-correlation"},
    {"no tag after the slash", OLD, ID "/", "invalid-correlation"},
    {"a tag of other letters", OLD, ID "/79c1b53971a35f8ae3738f347925760g", "invalid-correlation"},
    {"two tags", OLD, ID "/" OLD_TAG "/" OLD_TAG, "invalid-correlation"},
    {"the tag of another saga", OLD, ID "/7679009bac690d3c5c023b2851ce8bed", "bad-signature"},
    {"the tag of another step", OLD, ID "/6c1396606ac6bb2288bb4219d1484a08", "bad-signature"},
    {"the tag of another attempt", OLD, ID "/15f09f9b5c291d6c553d16b2c78286bf", "bad-signature"},
    {"the tag of the compensation", OLD, ID "/efa461faf653d470a9339f18351b1a3e", "bad-signature"},
    {"the tag under another key", OLD, ID "/" NEW_TAG, "bad-signature"},
    {"after a rotation the first key's", NEW "\n" OLD, ID "/" NEW_TAG, "believed"},
    {"after a rotation the old key's", NEW "\n" OLD, ID "/" OLD_TAG, "believed"},
    {"after a rotation no tag", NEW "\n" OLD, ID, "bad-signature"},
    {"the old key is dropped", NEW, ID "/" OLD_TAG, "bad-signature"},
    {"switching on: no tag yet", "unsigned\n" OLD, ID, "believed"},
    {"switching on: the key's tag", "unsigned\n" OLD, ID "/" OLD_TAG, "believed"},
    {"switching on: a tag made up is not better than none", "unsigned\n" OLD, ID "/" NEW_TAG, "bad-signature"},
    {"switched on: no tag from before", OLD "\nunsigned", ID, "believed"},
    {"no key file: a tag from before counts as none", NULL, ID "/" OLD_TAG, "believed"},
    {"no key file: it must still be a tag", NULL, ID "/tag", "invalid-correlation"},
};

static void check_reply(void **state)
{
    const struct reply_row *row = *state;
    struct wire_signer *signer = signer_of(row->keys);
    struct given given;
    struct wire_message_id id;
    enum dlq_reason reason = DLQ_REASON_COUNT;
    char headers[WIRE_MESSAGE_ID_MAX + 64];
    static const char *const names[] = {"kafka_correlationId", "ce_causationid"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        enum baton_err rc;

        (void)snprintf(headers, sizeof headers, "%s: %s", names[i], row->id);
        given_message(&given, NULL, headers, "not read before the tag: no JSON");
        rc = wire_reply_id(&given.message, signer, &id, &reason, NULL);
        assert_string_equal(rc == BATON_OK ? "believed" : dlq_reason_name(reason), row->then);
        if (rc == BATON_OK) {
            assert_string_equal(id.saga_id, "o-1");
            assert_string_equal(id.step, "reserve");
            assert_int_equal(id.attempt, 1);
        }
        given_clear(&given);
    }
    wire_signer_free(signer);
}

static void a_structured_event_is_not_believed_without_its_tag(void **state)
{
    struct wire_signer *signer = signer_of(OLD);
    struct given given;
    struct wire_message_id id;
    enum dlq_reason reason = DLQ_REASON_COUNT;

    (void)state;
    given_message(&given, NULL, "content-type: application/cloudevents+json",
                  "{\"specversion\":\"1.0\",\"id\":\"r\",\"source\":\"/x\",\"type\":\"y\",\"causationid\":\"" ID "\"}");
    assert_int_equal(wire_reply_id(&given.message, signer, &id, &reason, NULL), BATON_E_POISON);
    assert_string_equal(dlq_reason_name(reason), "bad-signature");
    given_clear(&given);
    wire_signer_free(signer);
}

static const struct file_row {
    const char *name;
    const char *keys;
    const char *then; /* of the error */
} file_rows[] = {
    {"an empty file has no key", "", "no key in it"},
    {"blank lines are no key", "\n\r\n\n", "no key in it"},
    {"a key of 31 characters is refused, and not shown", OLD "\n" SHORT "\n", "line 2: a key of 31 characters, the least is 32"},
    {"a blank in a key is refused", "0123456789abcdef 0123456789abcdef", "line 1: a key is visible ASCII"},
    {"bytes are refused", "\n\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f", "line 2: a key is visible ASCII"},
    {"nine keys are too many", OLD "\n" OLD "\n" OLD "\n" OLD "\n" OLD "\n" OLD "\n" OLD "\n" OLD "\n" OLD, "line 9: at most 8"},
    {"`unsigned` is a line of its own", "unsigned " OLD, "line 1: a key is visible ASCII"},
};

static void check_file(void **state)
{
    const struct file_row *row = *state;
    struct wire_signer *signer = NULL;
    struct baton_error err;

    assert_int_equal(wire_signer_new(row->keys, strlen(row->keys), &signer, &err), BATON_E_INVALID);
    assert_null(signer);
    if (strstr(err.text, row->then) == NULL)
        fail_msg("got: %s\nexpected: %s", err.text, row->then);
    assert_null(strstr(err.text, "0123456789abcdef"));
}

static void the_longest_id_has_room_for_its_tag(void **state)
{
    struct wire_signer *signer = signer_of(OLD);
    char saga[SAGA_ID_MAX + 1], step[SAGA_PLACE_NAME_MAX], id[WIRE_MESSAGE_ID_MAX];
    struct wire_message_id parsed;
    size_t plain, len;

    (void)state;
    memset(saga, 'a', SAGA_ID_MAX);
    memset(step, 'b', DEFINITION_STEP_NAME_MAX);
    saga[SAGA_ID_MAX] = '\0';
    strcpy(step + DEFINITION_STEP_NAME_MAX, ":fallback.9999");
    plain = wire_message_id(id, saga, step, ACTION_COMPENSATE, INT32_MAX);
    len = wire_signer_sign(signer, id, plain);
    assert_int_equal(len, plain + 1 + WIRE_TAG_LEN);
    assert_int_equal(strlen(id), len);
    assert_true(wire_message_id_parse(id, len, &parsed));
    assert_true(wire_signer_believes(signer, id, len));
    assert_int_equal(parsed.attempt, INT32_MAX);
    wire_signer_free(signer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_structured_event_is_not_believed_without_its_tag),
        cmocka_unit_test(the_longest_id_has_room_for_its_tag),
    };

    return RUN_ROWS(sign_rows, check_sign) + RUN_ROWS(reply_rows, check_reply) + RUN_ROWS(file_rows, check_file) +
           cmocka_run_group_tests(tests, NULL, NULL);
}

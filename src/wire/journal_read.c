/*
 * journal_read.c -- a journal record read back.
 *
 * Owns:     refusing what is torn, changed or of another format, before a member of it is believed.
 * Never:    applies anything.
 * Tests:    tests/wire/test_journal.c: any flipped byte is refused.
 */
#include "journal.h"
#include "ids.h"
#include <string.h>

const struct json_limits wire_own_limits = {SIZE_MAX / 4, WIRE_OWN_DEPTH_MAX, SIZE_MAX / 4};

/* The frame's parts as they stand in the text. */
struct frame {
    size_t head_len;
    const char *crc;
    const char *steps;
    size_t steps_len;
};

static bool starts(const char *text, size_t len, const char *prefix)
{
    return len >= strlen(prefix) && memcmp(text, prefix, strlen(prefix)) == 0;
}

/* The first ,"crc":" is the frame's own: before it stand only names and numbers, and a quote inside a string is
 * escaped. */
static bool find_frame(const char *text, size_t len, struct frame *ret_frame)
{
    const char *mark = memmem(text, len, JOURNAL_CRC, strlen(JOURNAL_CRC));
    size_t rest;

    if (mark == NULL)
        return false;
    ret_frame->head_len = (size_t)(mark - text);
    ret_frame->crc = mark + strlen(JOURNAL_CRC);
    rest = len - ret_frame->head_len - strlen(JOURNAL_CRC);
    if (rest < JOURNAL_CRC_DIGITS ||
        !starts(ret_frame->crc + JOURNAL_CRC_DIGITS, rest - JOURNAL_CRC_DIGITS, JOURNAL_STEPS))
        return false;
    ret_frame->steps = ret_frame->crc + JOURNAL_CRC_DIGITS + strlen(JOURNAL_STEPS);
    rest -= JOURNAL_CRC_DIGITS + strlen(JOURNAL_STEPS);
    if (rest < strlen(JOURNAL_END) ||
        !starts(ret_frame->steps + rest - strlen(JOURNAL_END), strlen(JOURNAL_END), JOURNAL_END))
        return false;
    ret_frame->steps_len = rest - strlen(JOURNAL_END);
    return true;
}

static enum baton_err check_text(const char *text, size_t len, struct baton_error *err)
{
    struct frame frame;
    char crc[JOURNAL_CRC_DIGITS];

    if (!starts(text, len, "{\"v\":"))
        return baton_fail(err, BATON_E_INVALID, "not a journal record: it does not begin with its format version");
    if (!starts(text, len, JOURNAL_BEGIN))
        return baton_fail(
            err, BATON_E_INVALID,
            "journal record of an unknown format (this worker reads format %d); use the Baton version that wrote it, "
            "or a newer one",
            JOURNAL_FORMAT);
    if (!find_frame(text, len, &frame))
        return baton_fail(err, BATON_E_INVALID, "journal record of %zu bytes is torn: its frame is not complete", len);
    journal_crc_text(crc, journal_crc(text, frame.head_len, frame.steps, frame.steps_len));
    if (memcmp(crc, frame.crc, sizeof crc) != 0)
        return baton_fail(err, BATON_E_INVALID,
                          "journal record of %zu bytes is torn: its checksum is %.8s, computed %.8s", len, frame.crc,
                          crc);
    return BATON_OK;
}

static bool get_number(const json_t *doc, const char *name, int64_t min, int64_t *ret_number)
{
    const json_t *value = json_object_get(doc, name);

    *ret_number = json_integer_value(value);
    return json_is_integer(value) && *ret_number >= min;
}

static bool get_part(const json_t *doc, int *ret_part, int *ret_parts)
{
    const json_t *pair = json_object_get(doc, "part");
    json_int_t part = json_integer_value(json_array_get(pair, 0));
    json_int_t parts = json_integer_value(json_array_get(pair, 1));

    *ret_part = (int)part;
    *ret_parts = (int)parts;
    return json_array_size(pair) == 2 && part >= 1 && parts >= part && parts <= INT32_MAX;
}

static bool all_offsets(json_t *vector)
{
    for (void *it = json_object_iter(vector); it != NULL; it = json_object_iter_next(vector, it)) {
        if (!json_is_integer(json_object_iter_value(it)))
            return false;
    }
    return json_is_object(vector);
}

/* A record of the right checksum whose members are wrong: written by a program with a fault. */
static const char *read_members(struct journal_record *record)
{
    int64_t count;

    record->vector = json_object_get(record->doc, "vector");
    record->steps = json_object_get(record->doc, "steps");
    if (!get_number(record->doc, "seq", 0, &record->seq))
        return "seq";
    if (!get_number(record->doc, "at", INT64_MIN, &record->at_ms))
        return "at";
    if (!get_number(record->doc, "c", INT64_MIN, &record->checkpoint))
        return "c";
    if (!get_number(record->doc, "co", -1, &record->checkpoint_offset))
        return "co";
    if (!get_part(record->doc, &record->part, &record->parts))
        return "part";
    if (!all_offsets(record->vector))
        return "vector";
    if (!get_number(record->doc, "n", 0, &count) || (size_t)count != json_array_size(record->steps))
        return "n";
    return NULL;
}

enum baton_err journal_record_read(const void *value, size_t len, struct journal_record *ret_record,
                                   struct baton_error *err)
{
    struct journal_record record = {.doc = NULL};
    struct baton_error cause = {BATON_OK, ""};
    enum baton_err rc;
    const char *wrong;

    if (value == NULL)
        return baton_fail(err, BATON_E_INVALID, "not a journal record: it has no value");
    rc = check_text(value, len, err);
    if (rc != BATON_OK)
        return rc;
    rc = json_parse(value, len, &wire_own_limits, &record.doc, &cause);
    if (rc != BATON_OK)
        return baton_fail(err, rc, "journal record: %s", cause.text);
    wrong = read_members(&record);
    if (wrong != NULL) {
        json_decref(record.doc);
        return baton_fail(err, BATON_E_INVALID, "journal record: member \"%s\" is wrong", wrong);
    }
    *ret_record = record;
    return BATON_OK;
}

void journal_record_clear(struct journal_record *record)
{
    json_decref(record->doc);
    memset(record, 0, sizeof *record);
}

/* Put the reply's body back as the output of the entries that name it. The document is ours to complete; doing it twice
 * changes nothing. */
static bool restore_outputs(const json_t *step, json_t *patch)
{
    json_t *names = json_object_get(step, "outputIsBody");
    json_t *body = json_object_get(json_object_get(step, "event"), "body");
    json_t *entries = json_object_get(patch, "steps");
    const json_t *name;
    size_t i;

    if (names == NULL)
        return true;
    if (!json_is_array(names) || body == NULL)
        return false;
    json_array_foreach(names, i, name)
    {
        json_t *entry = json_is_string(name) ? json_object_get(entries, json_string_value(name)) : NULL;

        if (!json_is_object(entry) || json_object_set(entry, "output", body) != 0)
            return false;
    }
    return true;
}

bool journal_step_read(const json_t *step, struct journal_step *ret_step)
{
    struct journal_step read = {
        .saga_id = json_string_value(json_object_get(step, "id")),
        .state = json_object_get(step, "state"),
        .patch = json_object_get(step, "patch"),
        .purge = json_object_get(step, "purge") != NULL,
        .note = json_object_get(step, "note") != NULL,
    };

    if (!json_is_object(step) || (read.purge && read.note))
        return false;
    if (read.purge)
        read.saga_id = json_string_value(json_object_get(step, "purge"));
    if (read.purge || read.note) {
        read.state = read.patch = NULL;
        if (read.purge && read.saga_id == NULL)
            return false;
        *ret_step = read;
        return true;
    }
    if (read.saga_id == NULL || (read.state == NULL) == (read.patch == NULL) ||
        !get_number(step, "seq", 1, &read.seq) || !restore_outputs(step, read.patch))
        return false;
    *ret_step = read;
    return true;
}

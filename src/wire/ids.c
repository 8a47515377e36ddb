/*
 * ids.c -- message ids and idempotency keys: `<saga>/<step>/<x or c>/<attempt>`, and `/<tag>` of a signed one.
 *
 * Owns:     their form, and nothing that needs more than the text.
 * May use:  the core's id rules.
 * Never:    allocation.
 * Tests:    tests/wire/test_ids.c
 */
#include "ids.h"
#include <limits.h>
#include <string.h>

#define ATTEMPT_DIGITS_MAX 10

static size_t put(char *out, size_t at, const char *text)
{
    size_t len = strlen(text);

    /* One byte stays for the NUL; ids within their limits always fit (see the assertion below). */
    if (len > WIRE_MESSAGE_ID_MAX - 1 - at)
        len = WIRE_MESSAGE_ID_MAX - 1 - at;
    memcpy(out + at, text, len);
    out[at + len] = '\0';
    return at + len;
}

_Static_assert(SAGA_ID_MAX + 1 + SAGA_PLACE_NAME_MAX + 3 + ATTEMPT_DIGITS_MAX + 1 + WIRE_TAG_LEN + 1 <= WIRE_MESSAGE_ID_MAX,
               "a message id of the longest parts must fit");

static size_t put_number(char *out, size_t at, int number)
{
    char digits[ATTEMPT_DIGITS_MAX + 2];
    size_t start = sizeof digits - 1;
    unsigned rest = number < 0 ? 0U : (unsigned)number;

    digits[start] = '\0';
    do {
        digits[--start] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    return put(out, at, digits + start);
}

size_t command_id(char out[WIRE_MESSAGE_ID_MAX], const char *step, enum saga_action action, int attempt)
{
    size_t at = put(out, 0, step);

    at = put(out, at, action == ACTION_EXECUTE ? "/x/" : "/c/");
    return put_number(out, at, attempt);
}

size_t wire_idempotency_key(char out[WIRE_MESSAGE_ID_MAX], const char *saga_id, const char *step,
                            enum saga_action action)
{
    size_t at = put(out, 0, saga_id);

    at = put(out, at, "/");
    at = put(out, at, step);
    return put(out, at, action == ACTION_EXECUTE ? "/x" : "/c");
}

size_t wire_message_id(char out[WIRE_MESSAGE_ID_MAX], const char *saga_id, const char *step, enum saga_action action,
                       int attempt)
{
    size_t at = wire_idempotency_key(out, saga_id, step, action);

    at = put(out, at, "/");
    return put_number(out, at, attempt);
}

bool number_parse(const char *text, size_t len, int64_t *ret_number)
{
    int64_t number = 0;

    if (len == 0 || len > 19 || (len > 1 && text[0] == '0'))
        return false;
    for (size_t i = 0; i < len; i++) {
        int digit = text[i] - '0';

        if (digit < 0 || digit > 9 || number > (INT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *ret_number = number;
    return true;
}

static bool letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* What may belong to a step. */
static size_t part_len(const char *text, size_t len)
{
    static const char *const parts[] = {":fallback", ":confirm"};

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        size_t n = strlen(parts[i]);

        if (len >= n && memcmp(text, parts[i], n) == 0)
            return n;
    }
    return 0;
}

/* A step name, what belongs to the step, and in a for-each its iteration: `ship`, `ship:fallback`, `ship.12`. */
static bool step_valid(const char *text, size_t len)
{
    size_t i = 0;
    int64_t iteration;

    if (len == 0 || len >= SAGA_PLACE_NAME_MAX || !letter(text[0]))
        return false;
    while (i < len && (letter(text[i]) || digit(text[i]) || text[i] == '_' || text[i] == '-'))
        i++;
    if (i > DEFINITION_STEP_NAME_MAX)
        return false;
    i += part_len(text + i, len - i);
    return i == len || (text[i] == '.' && number_parse(text + i + 1, len - i - 1, &iteration) && iteration < FOREACH_ITEMS_MAX);
}

bool wire_message_id_tagged(const char *id, size_t len)
{
    int slashes = 0;

    for (size_t i = 0; i < len; i++)
        slashes += id[i] == '/';
    return slashes == 4;
}

/* `/<tag>` at the end of the text. */
static bool tag_valid(const char *text, size_t len)
{
    if (len != 1 + WIRE_TAG_LEN)
        return false;
    for (size_t i = 1; i < len; i++) {
        if (!digit(text[i]) && !(text[i] >= 'a' && text[i] <= 'f'))
            return false;
    }
    return true;
}

bool wire_message_id_parse(const void *text, size_t len, struct wire_message_id *ret_id)
{
    const char *part[4];
    size_t part_len[4];
    const char *at = text;
    size_t rest = len;
    int64_t attempt;

    if (text == NULL || len == 0 || len >= WIRE_MESSAGE_ID_MAX)
        return false;
    for (int i = 0; i < 4; i++) {
        const char *slash = memchr(at, '/', rest);

        if (i < 3 && slash == NULL)
            return false;
        part[i] = at;
        part_len[i] = slash == NULL ? rest : (size_t)(slash - at);
        at += part_len[i];
        rest -= part_len[i];
        if (i < 3) {
            at++;
            rest--;
        }
    }
    if (!saga_id_valid(part[0], part_len[0]) || !step_valid(part[1], part_len[1]) || part_len[2] != 1 ||
        (part[2][0] != 'x' && part[2][0] != 'c') || !number_parse(part[3], part_len[3], &attempt) || attempt < 1 ||
        attempt > INT_MAX || (rest > 0 && !tag_valid(at, rest)))
        return false;
    memcpy(ret_id->saga_id, part[0], part_len[0]);
    ret_id->saga_id[part_len[0]] = '\0';
    memcpy(ret_id->step, part[1], part_len[1]);
    ret_id->step[part_len[1]] = '\0';
    ret_id->action = part[2][0] == 'x' ? ACTION_EXECUTE : ACTION_COMPENSATE;
    ret_id->attempt = (int)attempt;
    return true;
}

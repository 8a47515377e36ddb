/*
 * json_read.c -- JSON text into jansson values, within limits that are checked before anything is built.
 *
 * Owns:     the bounds (bytes, depth, values) of texts and of values, the words of a parse error, places in a text.
 * Why:      1 MiB of `{},` becomes 82 MB of jansson heap; its own depth limit is 2048 and recursion elsewhere has none.
 * Tests:    tests/core/test_json.c
 */
#include <baton/json.h>
#include <stdlib.h>
#include <string.h>

const struct json_limits json_default_limits = {JSON_BYTES_MAX, JSON_DEPTH_MAX, JSON_VALUES_MAX};

/* 1-based line and column (code points) of a byte offset. */
static void place_of(const char *text, size_t offset, int *ret_line, int *ret_column)
{
    int line = 1, column = 1;

    for (size_t i = 0; i < offset; i++) {
        if (text[i] == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)text[i] & 0xc0) != 0x80) {
            column++;
        }
    }
    *ret_line = line;
    *ret_column = column;
}

/* The end of the string that opens at text[at]: the offset after its closing quote, or len. */
static size_t skip_string(const char *text, size_t len, size_t at)
{
    for (at++; at < len; at++) {
        if (text[at] == '\\')
            at++;
        else if (text[at] == '"')
            return at + 1;
    }
    return len;
}

/* Depth and number of values, counted on the text: every value but the first follows `[`, `{`, `,` or `:`. */
static enum baton_err check_bounds(const char *text, size_t len, const struct json_limits *limits, struct baton_error *err)
{
    size_t depth = 0, values = 1;
    int line = 0, column = 0;

    for (size_t i = 0; i < len; i++) {
        switch (text[i]) {
        case '"':
            i = skip_string(text, len, i) - 1;
            break;
        case '[':
        case '{':
            values++;
            if (++depth > limits->depth_max) {
                place_of(text, i, &line, &column);
                return baton_fail(err, BATON_E_INVALID, "line %d column %d: nested deeper than %zu", line, column,
                                  limits->depth_max);
            }
            break;
        case ']':
        case '}':
            depth -= depth > 0;
            break;
        case ',':
            values++;
            break;
        default:
            break;
        }
        if (values > limits->values_max) {
            place_of(text, i, &line, &column);
            return baton_fail(err, BATON_E_INVALID, "line %d column %d: more than %zu values", line, column, limits->values_max);
        }
    }
    return BATON_OK;
}

/* jansson says `what near 'token'` and where it stopped reading, behind the token: its first character is of more use. */
static size_t begin_of(const char *text, size_t stopped, const char *message)
{
    static const char near[] = " near '";
    const char *token = strstr(message, near);
    size_t len = token == NULL ? 0 : strlen(token + sizeof near - 1);

    if (len > 1 && len - 1 <= stopped && strncmp(text + stopped - (len - 1), token + sizeof near - 1, len - 1) == 0)
        return stopped - (len - 1);
    return stopped > 0 ? stopped - 1 : 0;
}

enum baton_err json_parse(const char *text, size_t len, const struct json_limits *limits, json_t **ret_value,
                          struct baton_error *err)
{
    json_error_t where;
    json_t *value = NULL;
    enum baton_err rc = BATON_OK;

    if (len > limits->bytes_max)
        return baton_fail(err, BATON_E_INVALID, "line 1 column 1: %zu bytes, the limit is %zu", len, limits->bytes_max);
    if (text == NULL || len == 0)
        return baton_fail(err, BATON_E_INVALID, "line 1 column 1: empty, JSON expected");
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        return baton_fail(err, BATON_E_INVALID, "line 1 column 1: a byte order mark; JSON is UTF-8 without one");
    rc = check_bounds(text, len, limits, err);
    if (rc != BATON_OK)
        return rc;
    value = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
    if (value == NULL) {
        int line = 1, column = 1;

        if (json_error_code(&where) == json_error_out_of_memory)
            return baton_fail(err, BATON_E_NOMEM, "out of memory for %zu bytes of JSON", len);
        if (where.position >= 0 && (size_t)where.position <= len)
            place_of(text, begin_of(text, (size_t)where.position, where.text), &line, &column);
        return baton_fail(err, BATON_E_INVALID, "line %d column %d: %s", line, column, where.text);
    }
    *ret_value = value;
    return BATON_OK;
}

/* --- the same bounds on values --- */

#define VALUE_BYTES 4 /* of text, at the least, with what parts it from the next */

/* False as soon as one of what is left is used up. */
static bool take(const json_t *value, size_t depth, size_t *bytes, size_t *values)
{
    json_t *object = (json_t *)(uintptr_t)value; /* jansson's iterators take no const */
    size_t cost = VALUE_BYTES + json_string_length(value);

    if (depth == 0 || *values == 0 || cost > *bytes)
        return false;
    *bytes -= cost;
    --*values;
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (!take(json_array_get(value, i), depth - 1, bytes, values))
            return false;
    }
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
        size_t key = strlen(json_object_iter_key(at));

        if (key > *bytes)
            return false;
        *bytes -= key;
        if (!take(json_object_iter_value(at), depth - 1, bytes, values))
            return false;
    }
    return true;
}

bool json_take(const json_t *value, struct json_limits *left)
{
    return take(value, left->depth_max + 1, &left->bytes_max, &left->values_max); /* a scalar has no depth */
}

bool json_within(const json_t *value, const struct json_limits *limits)
{
    struct json_limits left = *limits;

    return json_take(value, &left);
}

/* --- places by JSON Pointer --- */

struct scan {
    const char *text;
    size_t len, at;
    size_t depth;
};

static void skip_space(struct scan *scan)
{
    while (scan->at < scan->len && strchr(" \t\r\n", scan->text[scan->at]) != NULL)
        scan->at++;
}

static void skip_value(struct scan *scan)
{
    size_t depth = 0;

    skip_space(scan);
    while (scan->at < scan->len) {
        char c = scan->text[scan->at];

        if (c == '"') {
            scan->at = skip_string(scan->text, scan->len, scan->at);
        } else if (c == '[' || c == '{') {
            depth++;
            scan->at++;
        } else if (c == ']' || c == '}') {
            if (depth == 0)
                return;
            depth--;
            scan->at++;
        } else if ((c == ',' || c == ':') && depth == 0) {
            return;
        } else {
            scan->at++;
        }
        if (depth == 0 && (c == '"' || c == ']' || c == '}'))
            return;
    }
}

/* Does the key literal at text[from..to) (quotes included) say token? */
static bool key_is(const struct scan *scan, size_t from, size_t to, const char *token)
{
    json_t *key = json_loadb(scan->text + from, to - from, JSON_DECODE_ANY, NULL);
    bool same = json_is_string(key) && strcmp(json_string_value(key), token) == 0;

    json_decref(key);
    return same;
}

/* Go to member or element `token` of the value at scan->at. */
static bool descend(struct scan *scan, const char *token, size_t *ret_key)
{
    skip_space(scan);
    if (scan->at >= scan->len)
        return false;
    if (scan->text[scan->at] == '[') {
        size_t index = (size_t)strtoul(token, NULL, 10);

        scan->at++;
        for (size_t i = 0; i < index; i++) {
            skip_value(scan);
            skip_space(scan);
            if (scan->at >= scan->len || scan->text[scan->at] != ',')
                return false;
            scan->at++;
        }
        skip_space(scan);
        *ret_key = scan->at;
        return scan->at < scan->len && scan->text[scan->at] != ']';
    }
    if (scan->text[scan->at] != '{')
        return false;
    scan->at++;
    for (;;) {
        size_t from = 0, to = 0;

        skip_space(scan);
        if (scan->at >= scan->len || scan->text[scan->at] != '"')
            return false;
        from = scan->at;
        to = scan->at = skip_string(scan->text, scan->len, scan->at);
        skip_space(scan);
        if (scan->at >= scan->len || scan->text[scan->at] != ':')
            return false;
        scan->at++;
        skip_space(scan);
        if (key_is(scan, from, to, token)) {
            *ret_key = from;
            return true;
        }
        skip_value(scan);
        skip_space(scan);
        if (scan->at >= scan->len || scan->text[scan->at] != ',')
            return false;
        scan->at++;
    }
}

/* The next reference token of a pointer, unescaped. */
static bool next_token(const char **pointer, char *token, size_t max)
{
    size_t n = 0;

    if (**pointer != '/')
        return false;
    for ((*pointer)++; **pointer != '\0' && **pointer != '/'; (*pointer)++) {
        char c = **pointer;

        if (c == '~' && ((*pointer)[1] == '0' || (*pointer)[1] == '1')) {
            (*pointer)++;
            c = **pointer == '0' ? '~' : '/';
        }
        if (n + 1 < max)
            token[n++] = c;
    }
    token[n] = '\0';
    return true;
}

void json_locate(const char *text, size_t len, const char *pointer, bool of_key, int *ret_line, int *ret_column)
{
    struct scan scan = {.text = text, .len = len};
    size_t best = 0, key = 0;
    char token[256];

    skip_space(&scan);
    best = key = scan.at;
    while (next_token(&pointer, token, sizeof token)) {
        if (!descend(&scan, token, &key))
            break;
        best = scan.at;
        if (*pointer == '\0' && of_key)
            best = key;
    }
    place_of(text, best, ret_line, ret_column);
}

void json_pointer_push(struct buffer *pointer, const char *token)
{
    buffer_char(pointer, '/');
    for (const char *c = token; *c != '\0'; c++) {
        if (*c == '~')
            buffer_append(pointer, "~0", 2);
        else if (*c == '/')
            buffer_append(pointer, "~1", 2);
        else
            buffer_char(pointer, *c);
    }
}

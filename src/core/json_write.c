/*
 * json_write.c -- jansson values to compact text.
 *
 * Owns:     the form of every JSON text that Baton writes: no spaces, members in insertion order, shortest numbers.
 * Why:      jansson 2.14 prints 19.99 as 19.989999999999998.
 * Tests:    tests/core/test_json.c
 */
#include <baton/json.h>
#include <string.h>

static const char hex[] = "0123456789abcdef";

static void write_escape(struct buffer *out, unsigned char c)
{
    char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};

    switch (c) {
    case '"': buffer_append(out, "\\\"", 2); break;
    case '\\': buffer_append(out, "\\\\", 2); break;
    case '\b': buffer_append(out, "\\b", 2); break;
    case '\f': buffer_append(out, "\\f", 2); break;
    case '\n': buffer_append(out, "\\n", 2); break;
    case '\r': buffer_append(out, "\\r", 2); break;
    case '\t': buffer_append(out, "\\t", 2); break;
    default: buffer_append(out, text, sizeof text); break;
    }
}

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

/* Eight bytes at once: is one of them below 0x20, a quote or a backslash? (Warren, "Hacker's Delight", 6-1.) */
static bool any_to_escape(const char *text)
{
    uint64_t word = 0, quote = 0, backslash = 0;

    memcpy(&word, text, sizeof word);
    quote = word ^ EACH_BYTE('"');
    backslash = word ^ EACH_BYTE('\\');
    return (((word - EACH_BYTE(0x20)) & ~word) | ((quote - EACH_BYTE(1)) & ~quote) | ((backslash - EACH_BYTE(1)) & ~backslash)) &
           EACH_BYTE(0x80);
}

void json_write_string(struct buffer *out, const char *text, size_t len)
{
    size_t from = 0;

    buffer_char(out, '"');
    for (size_t i = 0; i < len; i++) {
        unsigned char c = 0;

        while (len - i >= 8 && !any_to_escape(text + i))
            i += 8;
        if (i == len)
            break;
        c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buffer_append(out, text + from, i - from);
        write_escape(out, c);
        from = i + 1;
    }
    buffer_append(out, text + from, len - from);
    buffer_char(out, '"');
}

static void write_array(struct buffer *out, const json_t *value)
{
    size_t n = json_array_size(value);

    buffer_char(out, '[');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buffer_char(out, ',');
        json_write(out, json_array_get(value, i));
    }
    buffer_char(out, ']');
}

static void write_object(struct buffer *out, const json_t *value)
{
    json_t *object = (json_t *)(uintptr_t)value; /* jansson's iterators take no const */
    void *at = json_object_iter(object);
    bool first = true;

    buffer_char(out, '{');
    for (; at != NULL; at = json_object_iter_next(object, at)) {
        const char *key = json_object_iter_key(at);

        if (!first)
            buffer_char(out, ',');
        first = false;
        json_write_string(out, key, strlen(key));
        buffer_char(out, ':');
        json_write(out, json_object_iter_value(at));
    }
    buffer_char(out, '}');
}

void json_write(struct buffer *out, const json_t *value)
{
    char real[JSON_REAL_MAX];

    if (value == NULL) {
        buffer_append(out, "null", 4);
        return;
    }
    switch (json_typeof(value)) {
    case JSON_OBJECT: write_object(out, value); break;
    case JSON_ARRAY: write_array(out, value); break;
    case JSON_STRING: json_write_string(out, json_string_value(value), json_string_length(value)); break;
    case JSON_INTEGER: buffer_int(out, json_integer_value(value)); break;
    case JSON_REAL: buffer_append(out, real, json_real_text(json_real_value(value), real)); break;
    case JSON_TRUE: buffer_append(out, "true", 4); break;
    case JSON_FALSE: buffer_append(out, "false", 5); break;
    case JSON_NULL: buffer_append(out, "null", 4); break;
    }
}

/*
 * test_json.c -- JSON text in within limits, JSON text out, numbers equal, places in a text. What the messages make of it: tests/wire.
 */
#include "random.h"
#include <math.h>

/* --- in --- */

static const struct json_limits small = {.bytes_max = 40, .depth_max = 3, .values_max = 6};

static const struct read_row {
    const char *name;
    const char *text;
    const char *then; /* written again, or "! " and a part of the error */
} read_rows[] = {
    {"an object", "{\"b\":1,\"a\":[true,null]}", "{\"b\":1,\"a\":[true,null]}"},
    {"a scalar", "7", "7"},
    {"blanks around it", " [ 1 , 2 ]\n", "[1,2]"},
    {"nothing", "", "! line 1 column 1: empty"},
    {"no JSON", "OK", "! line 1 column"},
    {"two values", "1 2", "! line 1 column"},
    {"a comma too many", "[1,]", "! line 1 column 4"},
    {"the line and column of an error", "{\n  \"\xc3\xa9\": x}", "! line 2 column 8"},
    {"a key twice", "{\"a\":1,\"a\":1}", "! duplicate object key"},
    {"bytes that are not UTF-8", "\"\xff\"", "! unable to decode byte 0xff"},
    {"a NUL character", "\"a\\u0000\"", "! \\u0000"},
    {"an integer of 64 bits", "9223372036854775807", "9223372036854775807"},
    {"an integer beyond 64 bits is refused, not rounded", "9223372036854775808", "! too big integer"},
    {"a double beyond doubles is refused", "1e999", "! real number overflow"},
    {"40 bytes are within 40", "\"01234567890123456789012345678901234567\"", "\"01234567890123456789012345678901234567\""},
    {"41 bytes are not", "\"012345678901234567890123456789012345678\"", "! 41 bytes, the limit is 40"},
    {"3 levels are within 3", "[[[1]]]", "[[[1]]]"},
    {"4 levels are not", "[[[[1]]]]", "! line 1 column 4: nested deeper than 3"},
    {"brackets in a text are no levels", "\"[[[[[[\\\"[[[\"", "\"[[[[[[\\\"[[[\""},
    {"5 values in a list are within 6", "[1,2,3,4]", "[1,2,3,4]"},
    {"values are counted before they are built", "[1,2,3,4,5,6,7,8]", "! more than 6 values"},
};

static void check_read(void **state)
{
    const struct read_row *row = *state;
    size_t len = strlen(row->text);
    char *exact = malloc(len == 0 ? 1 : len); /* the sanitizer sees a read beyond it */
    struct buffer said = {0};
    struct baton_error err = {BATON_OK, ""};
    json_t *value = NULL;

    assert_non_null(exact);
    memcpy(exact, row->text, len);
    if (json_parse(exact, len, &small, &value, &err) == BATON_OK)
        json_write(&said, value);
    else
        say(&said, "! %s", err.text);
    if (row->then[0] != '!')
        assert_text(row->text, &said, row->then);
    else if (buffer_cstr(&said)[0] != '!' || strstr(said.data, row->then + 2) == NULL)
        fail_msg("%s gives %s, not %s", row->text, said.data, row->then);
    json_decref(value);
    buffer_free(&said);
    free(exact);
}

/* --- values within the same bounds --- */

static const struct within_row {
    const char *name;
    const char *text;
    bool then;
} within_rows[] = {
    {"a scalar", "1", true},
    {"3 levels", "[[[1]]]", true},
    {"4 levels", "[[[[1]]]]", false},
    {"6 values", "[1,2,3,4,5]", true},
    {"7 values", "[1,2,3,4,5,6]", false},
    {"members count", "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6}", false},
    {"a text that fits", "\"012345678901234567890123456789012345\"", true},
    {"a text too long", "\"0123456789012345678901234567890123456789\"", false},
    {"a key too long", "{\"0123456789012345678901234567890123456789\":1}", false},
};

static void check_within(void **state)
{
    const struct within_row *row = *state;
    json_t *value = parse(row->text);

    assert_int_equal(json_within(value, &small), row->then);
    json_decref(value);
}

/* 2^60 values of text in 60 of memory. */
static void shared_parts_are_counted_as_often_as_they_are_written(void **state)
{
    const struct json_limits limits = {SIZE_MAX / 4, 100, 100000};
    json_t *value = json_integer(1);

    (void)state;
    for (int i = 0; i < 60; i++) {
        json_t *twice = json_pack("[O, O]", value, value);

        json_decref(value);
        value = twice;
    }
    assert_false(json_within(value, &limits));
    json_decref(value);
}

/* --- out --- */

static const struct number_row {
    const char *name;
    double value;
    const char *then;
} number_rows[] = {
    {"money", 19.99, "19.99"},
    {"a tenth", 0.1, "0.1"},
    {"a sum that is not what it seems", 0.1 + 0.2, "0.30000000000000004"},
    {"a whole double still reads as one", 1, "1.0"},
    {"zero", 0, "0.0"},
    {"minus zero", -0.0, "-0.0"},
    {"a third", 1.0 / 3, "0.3333333333333333"},
    {"the largest exact whole", 999999999999999, "999999999999999.0"},
    {"beyond it", 1e15, "1e+15"},
    {"large", 1e300, "1e+300"},
    {"the largest", 1.7976931348623157e308, "1.7976931348623157e+308"},
    {"the smallest", 5e-324, "4.94065645841247e-324"},
    {"negative", -2.5, "-2.5"},
};

static void check_number(void **state)
{
    const struct number_row *row = *state;
    char text[JSON_REAL_MAX];

    assert_int_equal(json_real_text(row->value, text), strlen(row->then));
    assert_string_equal(text, row->then);
}

static void any_double_reads_back_equal(void **state)
{
    struct random random = random_begin("doubles");

    (void)state;
    for (int i = 0; i < 200000; i++) {
        uint64_t bits = random_next(&random);
        char text[JSON_REAL_MAX];
        double value;

        memcpy(&value, &bits, sizeof value);
        if (random_one_in(&random, 2))
            value = (double)random_below(&random, 100000000) / 100;
        if (!isfinite(value))
            continue;
        assert_true(json_real_text(value, text) < sizeof text);
        if (strtod(text, NULL) != value || signbit(strtod(text, NULL)) != signbit(value) || strpbrk(text, ".e") == NULL)
            fail_msg("%.17g became %s", value, text);
    }
}

static void any_document_reads_back_equal(void **state)
{
    struct random random = random_begin("documents");

    (void)state;
    for (int i = 0; i < 5000; i++) {
        json_t *value = random_json(&random, 5), *again = NULL;
        char *text = written(value), *text_again = NULL;

        again = parse(text);
        text_again = written(again);
        assert_true(json_equal(value, again));
        assert_string_equal(text, text_again);
        free(text);
        free(text_again);
        json_decref(value);
        json_decref(again);
    }
}

static void texts_are_escaped_where_they_must_be(void **state)
{
    struct buffer out = {0};

    (void)state;
    json_write_string(&out, "a\"\\/\b\f\n\r\t\x01\x1f\x7f\xc3\xa9", 14);
    assert_text("escapes", &out, "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\xc3\xa9\"");
    buffer_clear(&out);
    json_write(&out, NULL);
    assert_text("no value", &out, "null");
    buffer_free(&out);
}

/* --- places --- */

static const char document[] = "{ \"a\": 1,\n  \"b\": [10, {\"c/d\": \"\xc3\xa9\", \"e~f\": 2}],\n  \"\\u0067\": 3 }";

static const struct place_row {
    const char *name;
    const char *pointer;
    bool of_key;
    int line, column;
} place_rows[] = {
    {"the whole", "", false, 1, 1},
    {"a member's value", "/a", false, 1, 8},
    {"a member's key", "/a", true, 1, 3},
    {"an element", "/b/0", false, 2, 9},
    {"an element after another", "/b/1", false, 2, 13},
    {"a key with a slash", "/b/1/c~1d", false, 2, 21},
    {"a column in characters, not bytes", "/b/1/e~0f", false, 2, 33},
    {"a key that is escaped in the text", "/g", true, 3, 3},
    {"what does not exist is its nearest ancestor", "/b/7", false, 2, 8},
    {"what is not even a container", "/a/x/y", false, 1, 8},
};

static void check_place(void **state)
{
    const struct place_row *row = *state;
    int line = 0, column = 0;

    json_locate(document, sizeof document - 1, row->pointer, row->of_key, &line, &column);
    assert_int_equal(line, row->line);
    assert_int_equal(column, row->column);
}

static void a_pointer_escapes_its_tokens(void **state)
{
    struct buffer pointer = {0};

    (void)state;
    json_pointer_push(&pointer, "a/b");
    json_pointer_push(&pointer, "c~d");
    json_pointer_push(&pointer, "");
    assert_text("pointer", &pointer, "/a~1b/c~0d/");
    buffer_free(&pointer);
}

/* --- the buffer under it --- */

static void a_buffer_grows_and_says_what_it_holds(void **state)
{
    struct buffer buffer = {0};

    (void)state;
    assert_string_equal(buffer_cstr(&buffer), "");
    for (int i = 0; i < 1000; i++)
        buffer_int(&buffer, i % 10);
    assert_int_equal(buffer.len, 1000);
    assert_int_equal(strlen(buffer_cstr(&buffer)), 1000);
    buffer_clear(&buffer);
    buffer_int(&buffer, INT64_MIN);
    buffer_char(&buffer, ' ');
    buffer_int(&buffer, INT64_MAX);
    assert_text("integers", &buffer, "-9223372036854775808 9223372036854775807");
    buffer_free(&buffer);
    assert_null(buffer.data);
}

static void a_failed_buffer_stays_failed_until_it_is_cleared(void **state)
{
    struct buffer buffer = {0};

    (void)state;
    buffer_text(&buffer, "a");
    assert_false(buffer_reserve(&buffer, SIZE_MAX / 2));
    buffer_text(&buffer, "b");
    assert_true(buffer.failed);
    assert_null(buffer_cstr(&buffer));
    buffer_clear(&buffer);
    buffer_text(&buffer, "c");
    assert_text("cleared", &buffer, "c");
    buffer_free(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shared_parts_are_counted_as_often_as_they_are_written),
        cmocka_unit_test(any_double_reads_back_equal),
        cmocka_unit_test(any_document_reads_back_equal),
        cmocka_unit_test(texts_are_escaped_where_they_must_be),
        cmocka_unit_test(a_pointer_escapes_its_tokens),
        cmocka_unit_test(a_buffer_grows_and_says_what_it_holds),
        cmocka_unit_test(a_failed_buffer_stays_failed_until_it_is_cleared),
    };

    return RUN_ROWS(read_rows, check_read) + RUN_ROWS(within_rows, check_within) + RUN_ROWS(number_rows, check_number) +
           RUN_ROWS(place_rows, check_place) + cmocka_run_group_tests(tests, NULL, NULL);
}

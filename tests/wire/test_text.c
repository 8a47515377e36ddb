/*
 * test_text.c -- times, base64, trace context, offset metadata, the hash of a definition.
 */
#include "support.h"
#include "base64.h"
#include "trace.h"

/* --- times --- */

static const struct time_row {
    const char *name;
    int64_t at_ms;
    const char *then;
} time_rows[] = {
    {"the epoch", 0, "1970-01-01T00:00:00.000Z"},
    {"a day with ms", 1769860800123, "2026-01-31T12:00:00.123Z"},
    {"the last ms of a leap day", 1709251199999, "2024-02-29T23:59:59.999Z"},
    {"the day after it", 1709251200000, "2024-03-01T00:00:00.000Z"},
    {"no leap day in 2100", 4107542400000, "2100-03-01T00:00:00.000Z"},
    {"a leap day in 2000", 951782400000, "2000-02-29T00:00:00.000Z"},
    {"the last day of a year", 1767225599999, "2025-12-31T23:59:59.999Z"},
    {"before the epoch is the epoch", -1, "1970-01-01T00:00:00.000Z"},
    {"no year of five digits", INT64_MAX, "9999-12-31T23:59:59.999Z"},
};

static void check_time(void **state)
{
    const struct time_row *row = *state;
    char text[32];

    assert_int_equal(wire_time_text(text, row->at_ms), 24);
    assert_string_equal(text, row->then);
}

/* --- base64 --- */

static const struct base64_row {
    const char *name;
    const char *text;
    const char *then; /* NULL = refused */
} base64_rows[] = {
    {"nothing", "", ""},
    {"one byte", "Zg==", "f"},
    {"two bytes", "Zm8=", "fo"},
    {"three bytes", "Zm9v", "foo"},
    {"four bytes", "Zm9vYg==", "foob"},
    {"no padding is refused", "Zg", NULL},
    {"padding in the middle is refused", "Zg==Zg==", NULL},
    {"three paddings are refused", "Z===", NULL},
    {"bits under the padding are refused", "Zh==", NULL},
    {"a foreign sign is refused", "Zm-v", NULL},
};

static void check_base64(void **state)
{
    const struct base64_row *row = *state;
    struct buffer bytes = {0}, text = {0};

    if (row->then == NULL) {
        assert_false(base64_read(&bytes, row->text, strlen(row->text)));
    } else {
        assert_true(base64_read(&bytes, row->text, strlen(row->text)));
        assert_text(row->name, &bytes, row->then);
        base64_write(&text, row->then, strlen(row->then));
        assert_text(row->name, &text, row->text);
    }
    buffer_free(&bytes);
    buffer_free(&text);
}

/* --- trace context --- */

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"

static const struct trace_row {
    const char *name;
    const char *value;
    bool then;
} trace_rows[] = {
    {"a traceparent of version 00", "00-" TRACE "-00f067aa0ba902b7-01", true},
    {"any flags", "00-" TRACE "-00f067aa0ba902b7-ff", true},
    {"another version is not believed", "01-" TRACE "-00f067aa0ba902b7-01", false},
    {"upper case is not believed", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false},
    {"a zero trace id is not believed", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", false},
    {"a zero span id is not believed", "00-" TRACE "-0000000000000000-01", false},
    {"flags that are not hex are not believed", "00-" TRACE "-00f067aa0ba902b7-0g", false},
    {"too short", "00-" TRACE "-00f067aa0ba902b7-0", false},
    {"too long", "00-" TRACE "-00f067aa0ba902b7-01-x", false},
    {"no dash where one belongs", "00-" TRACE "x00f067aa0ba902b7-01", false},
};

static void check_trace(void **state)
{
    const struct trace_row *row = *state;
    struct text_view view = {row->value, strlen(row->value)};

    assert_int_equal(traceparent_valid(view), row->then);
}

static void child_keeps_the_trace_and_has_its_own_span(void **state)
{
    static const char parent[] = "00-" TRACE "-00f067aa0ba902b7-01";
    char one[TRACEPARENT_LEN], again[TRACEPARENT_LEN], two[TRACEPARENT_LEN];
    struct text_view view = {one, sizeof one};

    (void)state;
    traceparent_child(one, parent, "o/s/x/1", 7);
    traceparent_child(again, parent, "o/s/x/1", 7);
    traceparent_child(two, parent, "o/s/x/2", 7);
    assert_true(traceparent_valid(view));
    assert_memory_equal(one, again, sizeof one);
    assert_memory_equal(one, parent, 36);
    assert_memory_equal(one + 52, parent + 52, 3);
    assert_memory_not_equal(one + 36, parent + 36, 16);
    assert_memory_not_equal(one + 36, two + 36, 16);
}

/* --- offset metadata --- */

static const struct metadata_row {
    const char *name;
    const char *text;
    const char *then;
} metadata_rows[] = {
    {"seq and checkpoint", "1;seq=42;c=7", "42 7"},
    {"zero", "1;seq=0;c=0", "0 0"},
    {"the largest", "1;seq=9223372036854775807;c=9223372036854775807", "9223372036854775807 9223372036854775807"},
    {"another format is none", "2;seq=42;c=7", "none"},
    {"an overflow is none", "1;seq=9223372036854775808;c=7", "none"},
    {"a sign is none", "1;seq=-1;c=7", "none"},
    {"more behind it is none", "1;seq=1;c=7;x", "none"},
    {"less is none", "1;seq=1", "none"},
    {"empty is none", "", "none"},
    {"a foreign text is none", "{\"t\":1}", "none"},
};

static void check_metadata(void **state)
{
    const struct metadata_row *row = *state;
    struct buffer said = {0};
    int64_t seq, checkpoint;
    char text[64];

    if (wire_offset_metadata_parse(row->text, strlen(row->text), &seq, &checkpoint)) {
        say(&said, "%lld %lld", (long long)seq, (long long)checkpoint);
        assert_int_equal(wire_offset_metadata(text, seq, checkpoint), strlen(row->text));
        assert_string_equal(text, row->text);
    } else {
        say(&said, "none");
    }
    assert_text(row->name, &said, row->then);
    buffer_free(&said);
}

/* --- definition hash --- */

static const struct hash_row {
    const char *name;
    const char *one, *two;
    bool same;
} hash_rows[] = {
    {"spacing does not count", "{\"a\":1,\"b\":[1,2]}", "{ \"a\" : 1 , \"b\" : [ 1 , 2 ] }", true},
    {"order of members does not count", "{\"a\":1,\"b\":{\"c\":2,\"d\":3}}", "{\"b\":{\"d\":3,\"c\":2},\"a\":1}", true},
    {"the spelling of a number does not count", "{\"a\":19.99}", "{\"a\":19.990}", true},
    {"order of an array counts", "[1,2]", "[2,1]", false},
    {"a value counts", "{\"a\":1}", "{\"a\":2}", false},
    {"a key counts", "{\"a\":1}", "{\"b\":1}", false},
    {"1 and \"1\" differ", "{\"a\":1}", "{\"a\":\"1\"}", false},
};

static void check_hash(void **state)
{
    const struct hash_row *row = *state;
    json_t *one = parse(row->one), *two = parse(row->two);
    char hash_one[65], hash_two[65];

    assert_int_equal(wire_definition_hash(one, hash_one, NULL), BATON_OK);
    assert_int_equal(wire_definition_hash(two, hash_two, NULL), BATON_OK);
    assert_int_equal(strcmp(hash_one, hash_two) == 0, row->same);
    json_decref(one);
    json_decref(two);
}

static void hash_is_sha256_of_the_canonical_text(void **state)
{
    json_t *doc = parse("{\"b\": [1, 2.5], \"a\": \"x\"}");
    char hash[65];

    (void)state;
    assert_int_equal(wire_definition_hash(doc, hash, NULL), BATON_OK);
    /* printf '{"a":"x","b":[1,2.5]}' | sha256sum */
    assert_string_equal(hash, "66efddae6a97500318e4c6cdc4bc04149f340a165a7ef2d830393048b67b7a31");
    json_decref(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(child_keeps_the_trace_and_has_its_own_span),
        cmocka_unit_test(hash_is_sha256_of_the_canonical_text),
    };

    return RUN_ROWS(time_rows, check_time) + RUN_ROWS(base64_rows, check_base64) + RUN_ROWS(trace_rows, check_trace) +
           RUN_ROWS(metadata_rows, check_metadata) + RUN_ROWS(hash_rows, check_hash) +
           cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_error.c -- error values: the code comes back, the text is one line of UTF-8.
 */
#include "rows.h"
#include <baton/error.h>

static const struct text_row {
    const char *name;
    const char *text;
    const char *then;
} text_rows[] = {
    {"a plain text stays", "redis at x:1: refused", "redis at x:1: refused"},
    {"characters of all lengths stay", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x9a\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x9a\x80"},
    {"a line break cannot forge a log line", "a\nb\r\tc", "a?b??c"},
    {"nor an escape or a delete", "\x1b[31m\x7f", "?[31m?"},
    {"nor an escape of two bytes", "\xc2\x9b" "2J\xc2\xa0", "??2J\xc2\xa0"},
    {"nor what turns a line around", "a\xe2\x80\xae" "b\xe2\x81\xa7" "c\xe2\x80\xaf", "a???b???c\xe2\x80\xaf"},
    {"a byte that is no character", "a\xff" "b", "a?b"},
    {"a character cut at the end", "a\xe2\x82", "a??"},
    {"a character cut in the middle", "\xe2\x82" "b", "??b"},
    {"a continuation without its first byte", "\x82\xac", "??"},
    {"an overlong form", "\xc0\xaf\xe0\x80\xaf", "?????"},
    {"a surrogate", "\xed\xa0\x80", "???"},
    {"beyond the last character", "\xf4\x90\x80\x80", "????"},
    {"nothing", "", ""},
};

static void check_text(void **state)
{
    const struct text_row *row = *state;
    struct baton_error err;

    assert_int_equal(baton_fail(&err, BATON_E_POISON, "%s", row->text), BATON_E_POISON);
    assert_int_equal(err.code, BATON_E_POISON);
    assert_string_equal(err.text, row->then);
}

static void a_long_text_is_cut_and_can_stand_in_json(void **state)
{
    char text[2 * BATON_ERROR_TEXT_MAX] = "-";
    struct baton_error err;
    json_t *value = NULL;

    (void)state;
    for (size_t i = 1; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 3);
    (void)baton_fail(&err, BATON_E_INVALID, "%s", text);
    assert_int_equal(strlen(err.text), BATON_ERROR_TEXT_MAX - 1);
    value = json_string(err.text);
    assert_non_null(value);
    json_decref(value);
}

static void nobody_need_want_the_text(void **state)
{
    (void)state;
    assert_int_equal(baton_fail(NULL, BATON_E_RETRY, "x"), BATON_E_RETRY);
}

static void every_code_has_a_name(void **state)
{
    (void)state;
    for (int code = BATON_OK; code <= BATON_E_NOMEM; code++)
        assert_string_not_equal(baton_err_name((enum baton_err)code), "UNKNOWN");
    assert_string_equal(baton_err_name((enum baton_err)99), "UNKNOWN");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_text_is_cut_and_can_stand_in_json),
        cmocka_unit_test(nobody_need_want_the_text),
        cmocka_unit_test(every_code_has_a_name),
    };

    return RUN_ROWS(text_rows, check_text) + cmocka_run_group_tests(tests, NULL, NULL);
}

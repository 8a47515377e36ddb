/*
 * rows.c -- rows as tests, sentences to compare, JSON out of and into text.
 */
#include "rows.h"

static const struct json_limits limits = {SIZE_MAX / 4, 1024, SIZE_MAX / 4};

int run_rows(const char *group, const void *rows, size_t row_size, size_t count, CMUnitTestFunction check)
{
    struct CMUnitTest *tests = calloc(count, sizeof *tests);
    int failed;

    if (tests == NULL)
        return 1;
    for (size_t i = 0; i < count; i++) {
        const char *row = (const char *)rows + i * row_size;

        memcpy(&tests[i].name, row, sizeof tests[i].name);
        tests[i].test_func = check;
        tests[i].initial_state = (void *)row;
    }
    failed = _cmocka_run_group_tests(group, tests, count, NULL, NULL);
    free(tests);
    return failed;
}

void say(struct buffer *out, const char *format, ...)
{
    char text[4096];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    buffer_text(out, text);
}

json_t *parse(const char *text)
{
    struct baton_error err = {BATON_OK, ""};
    json_t *value = NULL;

    if (json_parse(text, strlen(text), &limits, &value, &err) != BATON_OK)
        fail_msg("not JSON: %s: %.200s", err.text, text);
    return value;
}

char *written(const json_t *value)
{
    struct buffer text = {0};

    json_write(&text, value);
    assert_non_null(buffer_cstr(&text));
    return text.data;
}

void assert_text(const char *what, const struct buffer *got, const char *expected)
{
    if (got->len == strlen(expected) && (got->len == 0 || memcmp(got->data, expected, got->len) == 0))
        return;
    fail_msg("%s\n  got:      %.*s\n  expected: %s", what, (int)got->len, got->data, expected);
}

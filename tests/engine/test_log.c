/*
 * test_log.c -- the form of a log line; no value from outside can forge another.
 */
#include "stage.h"
#include <sys/mman.h>
#include <unistd.h>

static const struct row {
    const char *name;
    bool json;
    enum log_level level;
    const char *text;
    const char *then; /* after the time */
} rows[] = {
    {"text", false, LOG_LEVEL_INFO, "ready", "info  ready\n"},
    {"an error", false, LOG_LEVEL_ERROR, "stopped", "error stopped\n"},
    {"below the level nothing is written", false, LOG_LEVEL_DEBUG, "detail", ""},
    {"a line break does not begin a line", false, LOG_LEVEL_WARN, "a\nb", "warn  a\\x0ab\n"},
    {"nor does an escape reach the terminal", false, LOG_LEVEL_WARN, "\x1b[2J\x7f", "warn  \\x1b[2J\\x7f\n"},
    {"quotes stand in text", false, LOG_LEVEL_INFO, "\"a\\b\"", "info  \"a\\b\"\n"},
    {"JSON", true, LOG_LEVEL_INFO, "ready", "\"level\":\"info\",\"message\":\"ready\"}\n"},
    {"a quote does not end a string", true, LOG_LEVEL_INFO, "a\",\"level\":\"x\\", "\"level\":\"info\",\"message\":\"a\\\",\\\"level\\\":\\\"x\\\\\"}\n"},
    {"nor a line break a JSON line", true, LOG_LEVEL_INFO, "a\n\tb", "\"level\":\"info\",\"message\":\"a\\u000a\\u0009b\"}\n"},
    {"UTF-8 passes", true, LOG_LEVEL_INFO, "\xc3\xa4", "\"level\":\"info\",\"message\":\"\xc3\xa4\"}\n"},
};

static size_t written(const struct logger *logger, char *line, size_t max)
{
    ssize_t len = pread(logger->fd, line, max - 1, 0);

    assert_true(len >= 0);
    line[len] = '\0';
    return (size_t)len;
}

static void check_row(void **state)
{
    const struct row *row = *state;
    struct logger logger = {.level = LOG_LEVEL_INFO, .json = row->json, .fd = memfd_create("log", 0)};
    char line[1024];
    /* 2026-01-31T12:00:00.000Z and a space; {"time":"...", */
    size_t time_len = row->json ? strlen("{\"time\":\"2026-01-31T12:00:00.000Z\",") : strlen("2026-01-31T12:00:00.000Z ");

    log_line(&logger, row->level, "%s", row->text);
    if (written(&logger, line, sizeof line) == 0)
        assert_string_equal("", row->then);
    else
        assert_string_equal(line + time_len, row->then);
    (void)close(logger.fd);
}

static void a_long_text_is_cut_and_stays_one_line(void **state)
{
    struct logger logger = {.level = LOG_LEVEL_INFO, .json = true, .fd = memfd_create("log", 0)};
    char text[4000], line[9000];
    size_t len = 0;

    (void)state;
    memset(text, '\n', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    log_line(&logger, LOG_LEVEL_INFO, "%s", text);
    len = written(&logger, line, sizeof line);
    assert_true(len > 1000);
    assert_ptr_equal(strchr(line, '\n'), line + len - 1);
    assert_string_equal(line + len - 3, "\"}\n");
    (void)close(logger.fd);
}

static const struct CMUnitTest tests[] = {
    TEST(a_long_text_is_cut_and_stays_one_line),
};

int main(void)
{
    return RUN_ROWS(rows, check_row) | RUN(tests);
}

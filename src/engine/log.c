/*
 * log.c -- one line per event worth it.
 *
 * Owns:     the form of a log line, text or JSON; escaping, so that no value from outside can forge a line.
 * Tests:    tests/engine/test_log.c
 */
#include <baton/engine.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOG_TEXT_MAX 2048

static const char *const level_names[] = {"error", "warn", "info", "debug"};

/* Control characters become \xNN; in JSON quote and backslash are escaped too. */
static size_t escape(char *out, size_t max, const char *text, bool json)
{
    size_t at = 0;

    for (const unsigned char *c = (const unsigned char *)text; *c != '\0' && at + 7 < max; c++) {
        if (*c < 0x20 || *c == 0x7f)
            at += (size_t)snprintf(out + at, max - at, json ? "\\u%04x" : "\\x%02x", *c);
        else if (json && (*c == '"' || *c == '\\'))
            at += (size_t)snprintf(out + at, max - at, "\\%c", *c);
        else
            out[at++] = (char)*c;
    }
    out[at] = '\0';
    return at;
}

void log_line(const struct logger *logger, enum log_level level, const char *format, ...)
{
    char text[LOG_TEXT_MAX], escaped[LOG_TEXT_MAX * 2], line[LOG_TEXT_MAX * 2 + 128];
    struct timespec now = {0};
    struct tm utc = {0};
    char when[40];
    int len = 0;
    va_list args;

    if (logger == NULL || level > logger->level)
        return;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)escape(escaped, sizeof escaped, text, logger->json);
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &utc);
    (void)strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &utc);
    if (logger->json)
        len = snprintf(line, sizeof line, "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"message\":\"%s\"}\n", when,
                       now.tv_nsec / 1000000, level_names[level], escaped);
    else
        len = snprintf(line, sizeof line, "%s.%03ldZ %-5s %s\n", when, now.tv_nsec / 1000000, level_names[level], escaped);
    if (len > 0) {
        /* One write per line: lines of several threads do not mix. A full disk must not stop the worker. */
        ssize_t written = write(logger->fd, line, (size_t)len < sizeof line ? (size_t)len : sizeof line - 1);

        (void)written;
    }
}

/*
 * try_print.c -- a trial's timeline for people: when, what, and below it the JSON that went with it, in 80 columns.
 *
 * Tests:    tests/cli/test_try.py, examples/try/
 */
#include "try.h"
#include <baton/json.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WIDTH 80
#define MARGIN 14 /* columns of the time */

enum tint { PLAIN, GOOD, WARN, BAD, DIM };

struct printing {
    bool color;
    const char *time; /* still to be shown; NULL = it stands above */
    char time_text[32];
};

static const char *const tints[] = {"", "\033[32m", "\033[33m", "\033[31m", "\033[2m"};

static void clock_text(char *out, size_t size, int64_t ms)
{
    (void)snprintf(out, size, "%" PRId64 ":%02d:%02d.%03d", ms / 3600000, (int)(ms / 60000 % 60), (int)(ms / 1000 % 60), (int)(ms % 1000));
}

static void duration_text(char *out, size_t size, int64_t ms)
{
    if (ms < 10000)
        (void)snprintf(out, size, "%" PRId64 " ms", ms);
    else if (ms < 600000)
        (void)snprintf(out, size, "%.1f s", (double)ms / 1000);
    else
        clock_text(out, size, ms);
}

/* Where text reaches `columns` characters; its end if it is shorter. */
static size_t fitting(const char *text, size_t len, int columns)
{
    size_t at = 0;

    for (; at < len; at++) {
        if (((unsigned char)text[at] & 0xc0) != 0x80 && columns-- == 0)
            break;
    }
    return at;
}

static void margin(struct printing *printing, int indent)
{
    (void)printf("%*s%*s", MARGIN - 2, printing->time != NULL ? printing->time : "", 2 + indent, "");
    printing->time = NULL;
}

static void line(struct printing *printing, enum tint tint, const char *text, size_t len, int indent)
{
    bool colored = printing->color && tint != PLAIN;

    margin(printing, indent);
    (void)printf("%s%.*s%s\n", colored ? tints[tint] : "", (int)len, text, colored ? "\033[0m" : "");
}

/* In as many lines as it needs, broken at blanks where there are any. */
static void say(struct printing *printing, enum tint tint, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void say(struct printing *printing, enum tint tint, const char *format, ...)
{
    char text[2048], *at = text;
    size_t len = 0;
    int indent = 0;
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    baton_text_clean(text);
    for (len = strlen(at); len > 0; indent = 3) {
        size_t fits = fitting(at, len, WIDTH - MARGIN - indent), blank = fits;

        while (fits < len && blank > 0 && at[blank] != ' ')
            blank--;
        fits = blank > 0 ? blank : fits;
        line(printing, tint, at, fits, indent);
        while (fits < len && at[fits] == ' ')
            fits++;
        at += fits;
        len -= fits;
    }
}

/* JSON below its line, cut where the line ends: -o json has all of it. */
static void show(struct printing *printing, const json_t *value)
{
    struct buffer text = {0};
    size_t fits = 0;
    const int indent = 3, columns = WIDTH - MARGIN - indent;

    if (value == NULL || json_is_null(value))
        return;
    json_write(&text, value);
    if (!text.failed) {
        fits = fitting(text.data, text.len, columns);
        if (fits < text.len) {
            fits = fitting(text.data, text.len, columns - 3);
            buffer_clear(&text);
            json_write(&text, value);
            text.len = fits;
            buffer_text(&text, "...");
            fits = text.len;
        }
        line(printing, DIM, text.data, fits, indent);
    }
    buffer_free(&text);
}

static const char *text_of(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));

    return text != NULL ? text : "";
}

static int64_t number_of(const json_t *row, const char *key)
{
    return json_integer_value(json_object_get(row, key));
}

/* "reserve #2", "reserve/c #1" */
static const char *command_name(const json_t *row, char *out, size_t size)
{
    (void)snprintf(out, size, "%s%s #%" PRId64, text_of(row, "step"), strcmp(text_of(row, "action"), "compensate") == 0 ? "/c" : "",
                   number_of(row, "attempt"));
    return out;
}

static enum tint tint_of_status(const char *status)
{
    if (strcmp(status, "completed") == 0)
        return GOOD;
    return strcmp(status, "parked") == 0 ? BAD : WARN;
}

static enum tint tint_of_answer(const char *taken)
{
    if (strcmp(taken, "done") == 0 || strcmp(taken, "undone") == 0)
        return GOOD;
    return strcmp(taken, "pending") == 0 ? PLAIN : WARN;
}

static void print_error(struct printing *printing, enum tint tint, const char *what, const json_t *error)
{
    const char *step = text_of(error, "step"), *message = text_of(error, "message");

    say(printing, tint, "%s%s%s%s%s%s%s", what, step[0] != '\0' || error != NULL ? ": " : "", step, step[0] != '\0' ? " " : "",
        text_of(error, "code"), message[0] != '\0' ? ", " : "", message);
}

static void print_row(struct printing *printing, const json_t *report, const json_t *row)
{
    const char *what = text_of(row, "what"), *step = text_of(row, "step");
    char name[128], wait[32];

    if (strcmp(what, "started") == 0) {
        say(printing, PLAIN, "%s version %" PRId64 " starts as %s", text_of(report, "definition"), number_of(report, "version"),
            text_of(report, "id"));
        show(printing, json_object_get(row, "input"));
    } else if (strcmp(what, "sent") == 0 && json_object_get(row, "child") != NULL) {
        say(printing, PLAIN, "-> %s %s as %s (%s)", strcmp(text_of(row, "action"), "compensate") == 0 ? "undo" : "start", text_of(row, "saga"),
            text_of(row, "child"), command_name(row, name, sizeof name));
        show(printing, json_object_get(row, "input"));
    } else if (strcmp(what, "sent") == 0) {
        say(printing, PLAIN, "-> %s %s (%s)", text_of(row, "service"), text_of(row, "command"), command_name(row, name, sizeof name));
        show(printing, json_object_get(row, "input"));
    } else if (strcmp(what, "answer") == 0) {
        say(printing, tint_of_answer(text_of(row, "taken")), "<- %s %s", command_name(row, name, sizeof name), text_of(row, "taken"));
        show(printing, json_object_get(row, "body"));
    } else if (strcmp(what, "found") == 0 || strcmp(what, "missed") == 0) {
        say(printing, what[0] == 'f' ? GOOD : WARN, "<- %s %s", step, what[0] == 'f' ? "is kept" : "nothing is kept");
        show(printing, json_object_get(row, "body"));
    } else if (strcmp(what, "signalled") == 0) {
        say(printing, PLAIN, "<- signal %s", text_of(row, "signal"));
        show(printing, json_object_get(row, "body"));
    } else if (strcmp(what, "waiting") == 0 && json_object_get(row, "attempt") == NULL) {
        duration_text(wait, sizeof wait, number_of(row, "dueMs") - number_of(row, "afterMs"));
        say(printing, PLAIN, "%s waits %s", step, json_object_get(row, "dueMs") == NULL ? "for ever" : wait);
    } else if (strcmp(what, "timeout") == 0 && number_of(row, "attempt") == 0) {
        say(printing, WARN, "%s no signal in time", step);
    } else if (strcmp(what, "waiting") == 0) {
        duration_text(wait, sizeof wait, number_of(row, "dueMs") - number_of(row, "afterMs"));
        say(printing, PLAIN, "%s in %s", command_name(row, name, sizeof name), wait);
    } else if (strcmp(what, "timeout") == 0 || strcmp(what, "undo-timeout") == 0) {
        say(printing, WARN, "%s%s #%" PRId64 " no answer in time", step, what[0] == 'u' ? "/c" : "", number_of(row, "attempt"));
    } else if (strcmp(what, "exhausted") == 0) {
        say(printing, WARN, "%s given up", step);
    } else if (strcmp(what, "fallback") == 0) {
        say(printing, WARN, "%s: %s stands in", step, strcmp(text_of(row, "fallback"), "service") == 0 ? "another service" : strcmp(text_of(row, "fallback"), "cached") == 0 ? "its last success" : "a value");
    } else if (strcmp(what, "lost") == 0) {
        say(printing, WARN, "%s branch %" PRId64 " has lost", step, number_of(row, "attempt"));
    } else if (strcmp(what, "deadline") == 0) {
        say(printing, WARN, "the saga's timeout has passed");
    } else if (strcmp(what, "compensating") == 0) {
        print_error(printing, WARN, "turns back", json_object_get(row, "error"));
    } else if (strcmp(what, "parked") == 0) {
        say(printing, BAD, "parked: %s", text_of(row, "reason"));
    } else if (strcmp(what, "ended") == 0) {
        print_error(printing, tint_of_status(text_of(row, "status")), text_of(row, "status"), json_object_get(row, "error"));
        show(printing, json_object_get(row, "output"));
    } else {
        say(printing, PLAIN, "%s%s%s", step, step[0] != '\0' ? " " : "", what);
    }
}

void try_print(const json_t *report, bool color)
{
    struct printing printing = {.color = color};
    json_int_t shown = -1;
    json_t *row = NULL;
    size_t i = 0;

    json_array_foreach(json_object_get(report, "timeline"), i, row) {
        if (number_of(row, "afterMs") != shown) {
            shown = number_of(row, "afterMs");
            clock_text(printing.time_text, sizeof printing.time_text, shown);
            printing.time = printing.time_text;
        }
        print_row(&printing, report, row);
    }
}

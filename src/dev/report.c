/*
 * report.c -- the report of a run, for people.
 */
#include "dev_internal.h"

#define WRONG_SHOWN_MAX 50

static int64_t number(const json_t *report, const char *object, const char *name)
{
    const json_t *place = object == NULL ? report : json_object_get(report, object);

    return json_integer_value(json_object_get(place, name));
}

static void print_outcome(const json_t *report, enum told told, FILE *out)
{
    const char *name = told_name(told);
    const json_t *latency = json_object_get(json_object_get(report, "latencyMs"), name);
    int64_t count = number(report, "outcomes", name);

    if (count == 0)
        return;
    (void)fprintf(out, "  %-12s %6lld", name, (long long)count);
    if (latency != NULL)
        (void)fprintf(out, "   p50 %5lld ms   p90 %5lld ms   p99 %5lld ms   max %5lld ms",
                      (long long)json_integer_value(json_object_get(latency, "p50")),
                      (long long)json_integer_value(json_object_get(latency, "p90")),
                      (long long)json_integer_value(json_object_get(latency, "p99")),
                      (long long)json_integer_value(json_object_get(latency, "max")));
    (void)fputc('\n', out);
}

static void print_verdict(const json_t *report, FILE *out, bool color)
{
    const json_t *wrong = json_object_get(report, "wrong"), *row = NULL;
    size_t n = json_array_size(wrong), i = 0;

    if (n == 0) {
        (void)fprintf(out, "%sright%s: every saga ended, and as its participants answered; every effect happened once or was undone, "
                           "last first\n", color ? "\033[32m" : "", color ? "\033[0m" : "");
        return;
    }
    (void)fprintf(out, "%swrong%s: %zu of %lld sagas\n", color ? "\033[31m" : "", color ? "\033[0m" : "", n,
                  (long long)number(report, NULL, "orders"));
    json_array_foreach(wrong, i, row) {
        if (i == WRONG_SHOWN_MAX) {
            (void)fprintf(out, "  and %zu more (-o json has them all)\n", n - i);
            break;
        }
        (void)fprintf(out, "  %s: %s\n", json_string_value(json_object_get(row, "id")), json_string_value(json_object_get(row, "why")));
    }
}

void dev_report_print(const json_t *report, FILE *out, bool color)
{
    (void)fprintf(out, "%lld orders in %.1f s, seed %lld\n", (long long)number(report, NULL, "orders"),
                  (double)number(report, NULL, "tookMs") / 1000, (long long)number(report, NULL, "seed"));
    for (int i = 0; i < TOLD_OTHER; i++)
        print_outcome(report, (enum told)i, out);
    (void)fprintf(out, "what the participants recorded\n");
    (void)fprintf(out, "  asked        %6lld commands, %lld compensations\n", (long long)number(report, "commands", "execute"),
                  (long long)number(report, "commands", "compensate"));
    (void)fprintf(out, "  faults       %6lld refused, %lld silent, %lld late, %lld answered twice, %lld transient\n",
                  (long long)number(report, "faults", "refused"), (long long)number(report, "faults", "silent"),
                  (long long)number(report, "faults", "late"), (long long)number(report, "faults", "twice"),
                  (long long)number(report, "faults", "transient"));
    (void)fprintf(out, "  effects      %6lld happened, %lld of them undone, %lld stand; %lld undone before they happened, %lld late commands turned away\n",
                  (long long)number(report, "effects", "applied"), (long long)number(report, "effects", "undone"),
                  (long long)number(report, "effects", "standing"), (long long)number(report, "effects", "barred"),
                  (long long)number(report, "effects", "turnedAway"));
    print_verdict(report, out, color);
}

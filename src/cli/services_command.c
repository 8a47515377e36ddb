/*
 * services_command.c -- the services that are not to be given too much: what is known of them, and what an operator says.
 *
 * Why:      a breaker is no saga's and no partition's, it lives in Redis, where every worker looks a few times a second: so that is where it is set,
 *           with who and why. The worker that sees it first logs it and tells it on the events topic.
 * Tests:    tests/cli/test_commands.py, tests/integration/test_services.py
 */
#include "cli.h"
#include <baton/wire.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t now_ms(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static json_t *time_or_null(int64_t at_ms)
{
    char text[32];

    if (at_ms == 0)
        return json_null();
    (void)wire_time_text(text, at_ms);
    return json_string(text);
}

static json_t *text_or_null(const char *text)
{
    return text[0] == '\0' ? json_null() : json_string(text);
}

static json_t *number_or_null(int64_t number)
{
    return number == 0 ? json_null() : json_integer(number);
}

static json_t *row_of(const struct service_summary *service)
{
    const struct service_breaker *breaker = &service->breaker;

    return json_pack("{s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:b, s:I, s:I, s:I, s:o, s:o, s:I, s:I}", "service", service->name, "state",
                     breaker_name(breaker->breaker), "byHand", breaker->by_hand, "since", time_or_null(breaker->since_ms), "until",
                     time_or_null(breaker->until_ms), "who", text_or_null(breaker->who), "why", text_or_null(breaker->why), "breaker",
                     service->has_breaker, "answered", (json_int_t)service->good, "failed", (json_int_t)service->bad, "inFlight",
                     (json_int_t)service->in_flight, "maxInFlight", number_or_null(service->max_in_flight), "rate",
                     service->rate_permille == 0 ? json_null() : json_real((double)service->rate_permille / 1000), "heldBack",
                     (json_int_t)service->held, "threads", (json_int_t)service->threads);
}

static const char *text_at(const json_t *row, const char *name)
{
    const char *text = json_string_value(json_object_get(row, name));

    return text != NULL ? text : "-";
}

static json_int_t number_at(const json_t *row, const char *name)
{
    return json_integer_value(json_object_get(row, name));
}

static void print_service(const json_t *row)
{
    json_int_t failed = number_at(row, "failed");

    (void)printf("%-20s %-9s since %s", text_at(row, "service"), text_at(row, "state"), text_at(row, "since"));
    if (json_is_string(json_object_get(row, "until")))
        (void)printf(" until %s", text_at(row, "until"));
    if (json_is_true(json_object_get(row, "byHand")))
        (void)printf(" by hand");
    if (json_is_string(json_object_get(row, "who")))
        (void)printf(" (%s%s%s)", text_at(row, "who"), json_is_string(json_object_get(row, "why")) ? ": " : "",
                     json_is_string(json_object_get(row, "why")) ? text_at(row, "why") : "");
    if (json_is_true(json_object_get(row, "breaker")))
        (void)printf("  failed %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT, failed, failed + number_at(row, "answered"));
    if (json_is_integer(json_object_get(row, "maxInFlight")))
        (void)printf("  in flight %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT, number_at(row, "inFlight"), number_at(row, "maxInFlight"));
    if (json_is_real(json_object_get(row, "rate")))
        (void)printf("  at most %g a second", json_real_value(json_object_get(row, "rate")));
    (void)printf("  held back %" JSON_INTEGER_FORMAT "%s\n", number_at(row, "heldBack"), number_at(row, "threads") == 0 ? "  (no worker)" : "");
}

static int list(struct cli *cli)
{
    static struct service_summary services[SERVICES_LISTED_MAX];
    struct baton_error err = {0};
    json_t *rows = json_array();
    size_t n = 0;

    if (redis_services_list(config_redis(cli->config), now_ms(), services, SERVICES_LISTED_MAX, &n, &err) != BATON_OK) {
        json_decref(rows);
        return cli_fail(&err);
    }
    for (size_t i = 0; i < n; i++)
        (void)json_array_append_new(rows, row_of(&services[i]));
    cli_print_rows(cli, rows, print_service);
    return EXIT_OK;
}

int command_services(struct cli *cli)
{
    const char *who = cli_option(cli, "--who"), *why = cli_option(cli, "--why"), *verb = NULL;
    struct baton_error err = {0};
    char me[VERB_WHO_MAX + 1];

    cli_expect(cli, 0, 2);
    if (cli->args_len == 0)
        return list(cli);
    verb = cli->args[0];
    if (strcmp(verb, "open") != 0 && strcmp(verb, "close") != 0 && strcmp(verb, "reset") != 0)
        return cli_usage(cli, "\"%s\": open, close or reset expected", verb);
    if (cli->args_len != 2)
        return cli_usage(cli, "%s: the service's name expected", verb);
    if (!service_name_valid(cli->args[1], strlen(cli->args[1])))
        return cli_usage(cli, "\"%s\" is not a service's name: 1 to 200 of A-Za-z0-9._-", cli->args[1]);
    verb_check_who(cli, who, why);
    verb_whoami(me, sizeof me);
    if (redis_service_set(config_redis(cli->config), cli->args[1], verb, who != NULL ? who : me, why, now_ms(), &err) != BATON_OK)
        return cli_fail(&err);
    if (cli->output == OUTPUT_TEXT)
        (void)printf("%s  %s accepted\n", cli->args[1], verb);
    else
        (void)printf("{\"service\":\"%s\",\"verb\":\"%s\",\"outcome\":\"accepted\"}\n", cli->args[1], verb);
    return EXIT_OK;
}

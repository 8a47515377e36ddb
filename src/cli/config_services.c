/*
 * config_services.c -- what is said of single services: a reply topic of its own, a circuit breaker, how much it may be given.
 *
 * Owns:     the members of an entry of `services`, their bounds and defaults (docs/configuration.md; schemas/configuration.schema.json).
 * Tests:    tests/cli/test_config.c, tests/schemas/schema_agreement.cpp
 */
#include "config_internal.h"
#include <baton/definition.h>
#include <baton/json.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IN_FLIGHT_MAX 1000000
#define RATE_MAX 1000000
#define CALLS_MAX 100000
#define PROBES_MAX 1000

/* An entry being read: the pointer to where we are. */
struct reading {
    const struct config *config;
    struct buffer pointer;
    struct baton_error *err;
    enum baton_err rc;
};

/* The pointer to a member of where we are; cut it off again with the length that is returned. */
static size_t enter(struct reading *reading, const char *key)
{
    size_t len = reading->pointer.len;

    json_pointer_push(&reading->pointer, key);
    return len;
}

static void leave(struct reading *reading, size_t len)
{
    reading->pointer.len = len;
}

#define WRONG(reading, of_key, ...) ((reading)->rc = config_wrong((reading)->config, buffer_cstr(&(reading)->pointer), (of_key), (reading)->err, __VA_ARGS__))

static void check_members(struct reading *reading, json_t *object, const char *const *names, size_t n)
{
    const char *key = NULL, *near = NULL;
    json_t *member = NULL;

    if (!json_is_object(object)) {
        WRONG(reading, false, "expected an object");
        return;
    }
    json_object_foreach(object, key, member) {
        size_t len = 0;
        bool known = false;

        for (size_t i = 0; i < n; i++)
            known = known || strcmp(names[i], key) == 0;
        if (known)
            continue;
        len = enter(reading, key);
        near = nearest_name(key, names, n);
        if (near != NULL)
            WRONG(reading, true, "\"%.60s\" is no setting of a service; did you mean \"%s\"?", key, near);
        else
            WRONG(reading, true, "\"%.60s\" is no setting of a service; see docs/configuration.md", key);
        leave(reading, len);
        return;
    }
}

static void read_whole(struct reading *reading, json_t *object, const char *key, int most, int *ret_number)
{
    json_t *member = json_object_get(object, key);
    size_t len = enter(reading, key);

    if (reading->rc == BATON_OK && member != NULL) {
        if (!json_is_integer(member) || json_integer_value(member) < 1 || json_integer_value(member) > most)
            WRONG(reading, false, "expected a whole number from 1 to %d", most);
        else
            *ret_number = (int)json_integer_value(member);
    }
    leave(reading, len);
}

static void read_time(struct reading *reading, json_t *object, const char *key, int64_t least, int64_t most, int64_t *ret_ms)
{
    json_t *member = json_object_get(object, key);
    size_t len = enter(reading, key);

    if (reading->rc == BATON_OK && member != NULL) {
        if (!json_is_string(member) || !duration_parse(json_string_value(member), ret_ms))
            WRONG(reading, false, "expected a duration; \"%.60s\" is not a duration such as 250ms, 30s, 5m", json_is_string(member) ? json_string_value(member) : "");
        else if (*ret_ms < least || *ret_ms > most)
            WRONG(reading, false, "\"%.60s\" is out of its range, %" PRId64 " to %" PRId64 " ms", json_string_value(member), least, most);
    }
    leave(reading, len);
}

static void read_breaker(struct reading *reading, json_t *breaker, struct service_rules *rules)
{
    static const char *const names[] = {"window", "failureRate", "minimumCalls", "open", "probes"};
    json_t *rate = json_object_get(breaker, "failureRate");
    size_t len = enter(reading, "breaker");

    check_members(reading, breaker, names, sizeof names / sizeof *names);
    read_time(reading, breaker, "window", 1000, 3600000, &rules->window_ms);
    read_time(reading, breaker, "open", 100, 3600000, &rules->open_ms);
    read_whole(reading, breaker, "minimumCalls", CALLS_MAX, &rules->minimum_calls);
    read_whole(reading, breaker, "probes", PROBES_MAX, &rules->probes);
    if (reading->rc == BATON_OK && rate != NULL) {
        size_t at = enter(reading, "failureRate");

        if (!json_is_number(rate) || json_number_value(rate) < 0.01 || json_number_value(rate) > 1)
            WRONG(reading, false, "expected a number from 0.01 to 1");
        else
            rules->failure_permille = (int)(json_number_value(rate) * 1000 + 0.5);
        leave(reading, at);
    }
    leave(reading, len);
    rules->breaker = true;
}

/* "50/s", "90/m": thousandths a second, never more than was said. */
static bool rate_parse(const char *text, int64_t *ret_permille)
{
    char *end = NULL;
    long number = text[0] >= '1' && text[0] <= '9' ? strtol(text, &end, 10) : 0;

    if (number < 1 || number > RATE_MAX || end[0] != '/' || (end[1] != 's' && end[1] != 'm') || end[2] != '\0')
        return false;
    *ret_permille = end[1] == 's' ? (int64_t)number * 1000 : (int64_t)number * 1000 / 60;
    return true;
}

static void read_rate(struct reading *reading, json_t *entry, struct service_rules *rules)
{
    json_t *rate = json_object_get(entry, "rate");
    size_t len = enter(reading, "rate");

    if (reading->rc == BATON_OK && rate != NULL && (!json_is_string(rate) || !rate_parse(json_string_value(rate), &rules->rate_permille)))
        WRONG(reading, false, "expected commands a second or a minute, such as \"50/s\" or \"90/m\", at most %d", RATE_MAX);
    leave(reading, len);
}

static void read_entry(struct reading *reading, const char *name, json_t *entry, struct service_rules *rules)
{
    static const char *const names[] = {"replyTopic", "maxInFlight", "rate", "breaker"};
    json_t *reply = json_object_get(entry, "replyTopic"), *breaker = json_object_get(entry, "breaker");

    *rules = (struct service_rules){.name = name, .window_ms = 10000, .failure_permille = 500, .minimum_calls = 20, .open_ms = 30000, .probes = 1};
    check_members(reading, entry, names, sizeof names / sizeof *names);
    if (reading->rc == BATON_OK && json_object_size(entry) == 0)
        WRONG(reading, false, "expected at least one of \"replyTopic\", \"maxInFlight\", \"rate\", \"breaker\"");
    if (reading->rc == BATON_OK && reply != NULL && !json_is_string(reply)) {
        size_t len = enter(reading, "replyTopic");

        WRONG(reading, false, "expected a string");
        leave(reading, len);
    }
    read_whole(reading, entry, "maxInFlight", IN_FLIGHT_MAX, &rules->max_in_flight);
    read_rate(reading, entry, rules);
    if (reading->rc == BATON_OK && breaker != NULL)
        read_breaker(reading, breaker, rules);
}

enum baton_err config_settle_services(struct config *config, struct baton_error *err)
{
    json_t *section = config_file_value(config, "services"), *entry = NULL;
    const char *name = NULL;
    struct reading reading = {.config = config, .err = err};

    if (section == NULL)
        return BATON_OK;
    if (!json_is_object(section))
        return config_wrong(config, "/services", false, err, "expected an object {\"<service>\": {...}}");
    if (json_object_size(section) > SERVICE_RULES_MAX)
        return config_wrong(config, "/services", false, err, "more than %d services", SERVICE_RULES_MAX);
    buffer_text(&reading.pointer, "/services");
    json_object_foreach(section, name, entry) {
        struct service_rules *rules = &config->services[config->services_len];
        size_t len = enter(&reading, name);

        if (!service_name_valid(name, strlen(name)))
            WRONG(&reading, true, "\"%.60s\" is not a service's name: 1 to 200 of A-Za-z0-9._-", name);
        else
            read_entry(&reading, config_keep(config, name), entry, rules);
        leave(&reading, len);
        if (reading.rc != BATON_OK)
            break;
        config->services_len += rules->breaker || rules->max_in_flight > 0 || rules->rate_permille > 0;
    }
    buffer_free(&reading.pointer);
    return reading.rc;
}

const struct service_rules *config_services(const struct config *config, size_t *ret_len)
{
    *ret_len = config->services_len;
    return config->services;
}

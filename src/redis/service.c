/*
 * service.c -- services that are not to be given too much: what the threads tell and hear, what people see and set.
 *
 * Owns:     the keys <prefix>:{service:<name>} and <prefix>:services (the names of those that have one).
 * Tests:    tests/redis/test_service.c
 */
#include "redis_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX (REDIS_KEY_PREFIX_MAX + SERVICE_NAME_MAX + 16)

static void service_key(char out[KEY_MAX], const struct redis_connection *connection, const char *name)
{
    (void)snprintf(out, KEY_MAX, "%s:{service:%s}", connection->prefix, name);
}

static void begin_named(struct redis_connection *connection, const char *command)
{
    char key[KEY_MAX];

    (void)snprintf(key, sizeof key, "%s:services", connection->prefix);
    redis_command_begin(connection, command);
    redis_command_text(connection, key);
}

static void put_known(struct redis_connection *connection, const struct service_breaker *known)
{
    redis_command_int(connection, known->change);
    redis_command_text(connection, breaker_name(known->breaker));
    redis_command_int(connection, known->by_hand);
    redis_command_int(connection, known->since_ms);
    redis_command_int(connection, known->until_ms);
    redis_command_text(connection, known->who);
    redis_command_text(connection, known->why);
}

static void put_report(struct redis_connection *connection, const struct service_report *report)
{
    const int64_t told[] = {report->change, report->good, report->bad, report->started, report->in_flight, report->held, report->wanted,
                            report->demand, report->oldest_ms, report->lease_ms};

    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        redis_command_int(connection, told[i]);
}

static void put_rules(struct redis_connection *connection, const struct service_rules *rules)
{
    const int64_t told[] = {rules->breaker, rules->failure_permille, rules->minimum_calls, rules->open_ms, rules->probes, rules->max_in_flight,
                            rules->rate_permille, SERVICE_MEMBER_MS, SERVICE_ORPHAN_MAX_MS, SERVICE_SETTLE_MS};

    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        redis_command_int(connection, told[i]);
}

static enum baton_err send_all(struct redis_connection *connection, const char *thread, const struct service_sync *syncs, size_t n, int64_t now_ms,
                               struct baton_error *err)
{
    enum baton_err rc = redis_exchange_begin(connection, err);

    if (rc != BATON_OK)
        return rc;
    for (size_t i = 0; i < n; i++) {
        char key[KEY_MAX];

        service_key(key, connection, syncs[i].rules->name);
        redis_command_script(connection, SCRIPT_SERVICE, key);
        redis_command_text(connection, thread);
        redis_command_int(connection, now_ms);
        put_known(connection, &syncs[i].known);
        put_report(connection, &syncs[i].report);
        put_rules(connection, syncs[i].rules);
        redis_command_end(connection);
    }
    /* Told again and again: a wipe takes the names, too. */
    begin_named(connection, "SADD");
    for (size_t i = 0; i < n; i++)
        redis_command_text(connection, syncs[i].rules->name);
    redis_command_end(connection);
    return redis_exchange_end(connection, err);
}

static void copy_text(char *out, size_t size, const redisReply *reply)
{
    (void)snprintf(out, size, "%s", reply->type == REDIS_REPLY_STRING ? reply->str : "");
}

static bool take_share(const redisReply *reply, struct service_share *share)
{
    struct service_breaker *breaker = &share->breaker;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 11 || reply->element[1]->type != REDIS_REPLY_STRING ||
        !breaker_parse(reply->element[1]->str, &breaker->breaker))
        return false;
    breaker->change = redis_reply_int(reply->element[0], 0);
    breaker->by_hand = redis_reply_int(reply->element[2], 0) != 0;
    breaker->since_ms = redis_reply_int(reply->element[3], 0);
    breaker->until_ms = redis_reply_int(reply->element[4], 0);
    copy_text(breaker->who, sizeof breaker->who, reply->element[5]);
    copy_text(breaker->why, sizeof breaker->why, reply->element[6]);
    share->probes = redis_reply_int(reply->element[7], 0);
    share->in_flight = redis_reply_int(reply->element[8], 0);
    share->rate_permille = redis_reply_int(reply->element[9], 0);
    share->announce = redis_reply_int(reply->element[10], 0) != 0;
    return true;
}

enum baton_err redis_services_sync(void *self, const char *thread, struct service_sync *syncs, size_t n, int64_t now_ms, struct baton_error *err)
{
    struct redis_connection *connection = self;
    enum baton_err rc = send_all(connection, thread, syncs, n, now_ms, err);

    if (rc == BATON_E_STALE)
        rc = send_all(connection, thread, syncs, n, now_ms, err);
    if (rc != BATON_OK)
        return rc == BATON_E_STALE ? BATON_E_RETRY : rc;
    for (size_t i = 0; i < n; i++) {
        if (!take_share(connection->replies[i], &syncs[i].ret_share))
            return redis_nonsense(connection, "service", err);
    }
    return BATON_OK;
}

/* --- for people --- */

static int64_t number_of(const char *text)
{
    return strtoll(text, NULL, 10);
}

/* "at change good bad started flight held wanted demand oldest lease ...": of a thread that told within SERVICE_MEMBER_MS of the last one. */
static void add_thread(struct service_summary *summary, const char *text, int64_t now_ms)
{
    long long at = 0, change = 0, good = 0, bad = 0, started = 0, flight = 0, held = 0;

    if (sscanf(text, "%lld %lld %lld %lld %lld %lld %lld", &at, &change, &good, &bad, &started, &flight, &held) != 7 ||
        at + SERVICE_MEMBER_MS <= now_ms)
        return;
    summary->threads++;
    summary->in_flight += flight;
    summary->held += held;
    if (change == summary->breaker.change) {
        summary->good += good;
        summary->bad += bad;
    }
}

static const char *field_of(const redisReply *reply, const char *name)
{
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        if (reply->element[i]->type == REDIS_REPLY_STRING && reply->element[i + 1]->type == REDIS_REPLY_STRING &&
            strcmp(reply->element[i]->str, name) == 0)
            return reply->element[i + 1]->str;
    }
    return "";
}

static bool take_summary(const redisReply *reply, const char *name, int64_t now_ms, struct service_summary *summary)
{
    struct service_breaker *breaker = &summary->breaker;

    *summary = (struct service_summary){.threads = 0};
    if (reply->type != REDIS_REPLY_ARRAY || !breaker_parse(field_of(reply, "state"), &breaker->breaker))
        return false;
    (void)snprintf(summary->name, sizeof summary->name, "%s", name);
    breaker->change = number_of(field_of(reply, "change"));
    breaker->by_hand = number_of(field_of(reply, "hand")) != 0;
    breaker->since_ms = number_of(field_of(reply, "since"));
    breaker->until_ms = number_of(field_of(reply, "until"));
    (void)snprintf(breaker->who, sizeof breaker->who, "%s", field_of(reply, "who"));
    (void)snprintf(breaker->why, sizeof breaker->why, "%s", field_of(reply, "why"));
    summary->max_in_flight = number_of(field_of(reply, "max"));
    summary->rate_permille = number_of(field_of(reply, "rate"));
    summary->has_breaker = number_of(field_of(reply, "breaker")) != 0;
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        if (strncmp(reply->element[i]->str, "m:", 2) == 0)
            add_thread(summary, reply->element[i + 1]->str, now_ms);
    }
    return true;
}

static int by_name(const void *a, const void *b)
{
    const struct service_summary *one = a, *two = b;

    return strcmp(one->name, two->name);
}

enum baton_err redis_services_list(const struct redis_options *options, int64_t now_ms, struct service_summary *ret_services, size_t max, size_t *ret_n,
                                   struct baton_error *err)
{
    struct redis_connection *connection = NULL;
    char (*names)[SERVICE_NAME_MAX + 1] = calloc(max, sizeof *names);
    size_t len = 0;
    enum baton_err rc = names == NULL ? baton_fail(err, BATON_E_NOMEM, "out of memory for services") : redis_connection_open(options, false, &connection, err);

    *ret_n = 0;
    if (rc == BATON_OK)
        rc = redis_exchange_begin(connection, err);
    if (rc == BATON_OK) {
        begin_named(connection, "SMEMBERS");
        redis_command_end(connection);
        rc = redis_exchange_end(connection, err);
    }
    for (size_t i = 0; rc == BATON_OK && i < connection->replies[0]->elements && len < max; i++)
        copy_text(names[len++], sizeof *names, connection->replies[0]->element[i]);
    if (rc == BATON_OK && len > 0)
        rc = redis_exchange_begin(connection, err);
    if (rc == BATON_OK && len > 0) {
        for (size_t i = 0; i < len; i++) {
            char key[KEY_MAX];

            service_key(key, connection, names[i]);
            redis_command_begin(connection, "HGETALL");
            redis_command_text(connection, key);
            redis_command_end(connection);
        }
        rc = redis_exchange_end(connection, err);
        for (size_t i = 0; rc == BATON_OK && i < len; i++)
            *ret_n += take_summary(connection->replies[i], names[i], now_ms, &ret_services[*ret_n]) ? 1 : 0;
        qsort(ret_services, *ret_n, sizeof *ret_services, by_name);
    }
    redis_connection_close(connection);
    free(names);
    return rc;
}

enum baton_err redis_service_set(const struct redis_options *options, const char *name, const char *verb, const char *who, const char *why,
                                 int64_t now_ms, struct baton_error *err)
{
    struct redis_connection *connection = NULL;
    char key[KEY_MAX];
    enum baton_err rc = redis_connection_open(options, true, &connection, err);

    if (rc != BATON_OK)
        return rc;
    rc = redis_exchange_begin(connection, err);
    if (rc == BATON_OK) {
        service_key(key, connection, name);
        redis_command_script(connection, SCRIPT_SERVICE_SET, key);
        redis_command_text(connection, verb);
        redis_command_int(connection, now_ms);
        redis_command_text(connection, who);
        redis_command_text(connection, why == NULL ? "" : why);
        redis_command_end(connection);
        rc = redis_exchange_end(connection, err);
    }
    if (rc == BATON_OK && redis_reply_int(connection->replies[0], 0) == 0)
        rc = baton_fail(err, BATON_E_NOT_FOUND, "no worker has rules for service \"%s\": name it under services in their configuration", name);
    redis_connection_close(connection);
    return rc == BATON_E_STALE ? BATON_E_RETRY : rc;
}

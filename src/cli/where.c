/*
 * where.c -- the sagas that a filter names: type=T,status=S,step=N,older=30m.
 *
 * Owns:     the filter's form. Reads Redis, the view: what it shows may be `engine.viewLag` old; whoever acts on it is told by the worker
 *           if that was too late.
 * Tests:    tests/integration/test_verbs.py
 */
#include "cli.h"
#include <baton/json.h>
#include <baton/wire.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct filter {
    char type[DEFINITION_NAME_MAX + 1], step[DEFINITION_ENTRY_NAME_MAX + 1]; /* "" = any */
    int status;       /* -1 = any that a verb can be about */
    int64_t older_ms; /* -1 = any */
};

static bool copy_text(char *out, size_t size, const char *value)
{
    (void)snprintf(out, size, "%s", value);
    return value[0] != '\0' && strlen(value) < size;
}

static bool read_condition(struct filter *filter, const char *name, const char *value)
{
    enum saga_status status = SAGA_RUNNING;

    if (strcmp(name, "type") == 0)
        return copy_text(filter->type, sizeof filter->type, value) && definition_name_valid(value, strlen(value));
    if (strcmp(name, "step") == 0)
        return copy_text(filter->step, sizeof filter->step, value);
    if (strcmp(name, "older") == 0)
        return duration_parse(value, &filter->older_ms);
    if (strcmp(name, "status") != 0 || !saga_status_parse(value, &status))
        return false;
    filter->status = (int)status;
    return true;
}

static enum baton_err read_filter(const char *text, struct filter *filter, struct baton_error *err)
{
    char *copy = strdup(text), *rest = copy, *part = NULL;
    enum baton_err rc = copy == NULL ? baton_fail(err, BATON_E_NOMEM, "out of memory") : BATON_OK;

    *filter = (struct filter){.status = -1, .older_ms = -1};
    while (rc == BATON_OK && (part = strsep(&rest, ",")) != NULL) {
        char *value = strchr(part, '=');

        if (value != NULL)
            *value++ = '\0';
        if (value == NULL || !read_condition(filter, part, value))
            rc = baton_fail(err, BATON_E_INVALID, "--where: \"%s%s%s\" is none of type=NAME, status=STATUS, step=NAME, older=DURATION", part,
                            value == NULL ? "" : "=", value == NULL ? "" : value);
    }
    free(copy);
    return rc;
}

static bool settled(const char *status)
{
    return strcmp(status, "done") == 0 || strcmp(status, "skipped") == 0 || strcmp(status, "compensated") == 0 ||
           strcmp(status, "compensation-skipped") == 0;
}

/* Is this the step that it waits for, or is parked on? */
static bool is_at(struct redis_reader *reader, int32_t partitions, const char *id, const char *step)
{
    char *text = NULL;
    json_t *doc = NULL;
    const char *status = NULL;
    bool at = false;

    if (redis_reader_state(reader, wire_partition_of(id, strlen(id), partitions), id, &text, NULL) == BATON_OK &&
        json_parse(text, strlen(text), &wire_own_limits, &doc, NULL) == BATON_OK) {
        status = json_string_value(json_object_get(json_object_get(json_object_get(doc, "steps"), step), "status"));
        at = status != NULL && !settled(status);
    }
    json_decref(doc);
    free(text);
    return at;
}

static bool fits(struct redis_reader *reader, int32_t partitions, const struct filter *filter, const struct redis_listed *saga, int64_t now_ms)
{
    if (filter->older_ms >= 0 && saga->updated_ms > now_ms - filter->older_ms)
        return false;
    return filter->step[0] == '\0' || is_at(reader, partitions, saga->id, filter->step);
}

/* Of the status asked for, or of each that a verb can be about. */
static enum baton_err list(struct redis_reader *reader, int32_t partitions, const struct filter *filter, struct redis_listed *ret_sagas, size_t max,
                           size_t *ret_n, struct baton_error *err)
{
    static const int live[] = {SAGA_RUNNING, SAGA_COMPENSATING, SAGA_PARKED};
    const int *statuses = filter->status < 0 ? live : &filter->status;
    size_t count = filter->status < 0 ? 3 : 1, some = 0;
    enum baton_err rc = BATON_OK;

    *ret_n = 0;
    for (size_t i = 0; i < count && rc == BATON_OK && *ret_n < max; i++, *ret_n += some)
        rc = redis_reader_list(reader, partitions, statuses[i], filter->type[0] == '\0' ? NULL : filter->type, ret_sagas + *ret_n,
                               max - *ret_n, &some, err);
    return rc;
}

enum baton_err where_find(struct cli *cli, const char *text, struct redis_listed *ret_sagas, size_t max, size_t *ret_n, bool *ret_more,
                          struct baton_error *err)
{
    struct redis_reader *reader = NULL;
    struct filter filter;
    struct timespec now;
    int32_t partitions = 0;
    size_t listed = 0, n = 0;
    enum baton_err rc = read_filter(text, &filter, err);

    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (rc == BATON_OK)
        rc = setup_partitions(cli, &partitions, err);
    if (rc == BATON_OK)
        rc = redis_reader_open(config_redis(cli->config), &reader, err);
    if (rc == BATON_OK)
        rc = list(reader, partitions, &filter, ret_sagas, max, &listed, err);
    for (size_t i = 0; rc == BATON_OK && i < listed; i++) {
        if (fits(reader, partitions, &filter, &ret_sagas[i], (int64_t)now.tv_sec * 1000))
            ret_sagas[n++] = ret_sagas[i];
    }
    redis_reader_close(reader);
    if (rc != BATON_OK)
        return rc;
    *ret_n = n;
    *ret_more = listed == max;
    return BATON_OK;
}

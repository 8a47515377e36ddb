/*
 * check.c -- may Baton use this Redis? It must keep what it is given: no eviction.
 *
 * Tests:    tests/redis/test_outage.c
 */
#include "redis_internal.h"
#include <stdio.h>
#include <string.h>

#define VERSION_MAX 32
#define VERSION_MAJOR_MIN 6 /* Redis 6.0; Valkey says 7.2 there */

/* "name:value\r\n" of INFO's text. */
static void field(const char *info, const char *name, char *out, size_t cap)
{
    size_t len = strlen(name);

    out[0] = '\0';
    for (const char *line = info; line != NULL && *line != '\0'; line = strchr(line, '\n'), line = line != NULL ? line + 1 : NULL) {
        if (strncmp(line, name, len) == 0 && line[len] == ':') {
            (void)snprintf(out, cap, "%.*s", (int)strcspn(line + len + 1, "\r\n"), line + len + 1);
            return;
        }
    }
}

enum baton_err redis_check(const struct redis_options *options, char *ret_version, struct baton_error *err)
{
    struct redis_connection *connection = NULL;
    char version[VERSION_MAX], policy[64];
    int major = 0;
    enum baton_err rc = redis_connection_open(options, false, &connection, err);

    if (rc == BATON_OK)
        rc = redis_exchange_begin(connection, err);
    if (rc != BATON_OK)
        goto out;
    redis_command_begin(connection, "INFO");
    redis_command_end(connection);
    rc = redis_exchange_end(connection, err);
    if (rc != BATON_OK)
        goto out;
    if (connection->replies[0]->type != REDIS_REPLY_STRING) {
        rc = redis_nonsense(connection, "INFO", err);
        goto out;
    }
    field(connection->replies[0]->str, "redis_version", version, sizeof version);
    field(connection->replies[0]->str, "maxmemory_policy", policy, sizeof policy);
    if (sscanf(version, "%d.", &major) == 1 && major < VERSION_MAJOR_MIN)
        rc = baton_fail(err, BATON_E_INVALID, "redis at %s:%d is version %s; Baton needs %d.0 or newer", connection->address.host,
                        connection->address.port, version, VERSION_MAJOR_MIN);
    else if (policy[0] != '\0' && strcmp(policy, "noeviction") != 0)
        rc = baton_fail(err, BATON_E_INVALID,
                        "redis at %s:%d has maxmemory-policy %s: it may drop live sagas; run CONFIG SET maxmemory-policy noeviction, "
                        "and set it in its configuration", connection->address.host, connection->address.port, policy);
    else
        memcpy(ret_version, version, sizeof version);
out:
    redis_connection_close(connection);
    return rc;
}

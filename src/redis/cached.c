/*
 * cached.c -- values that stand in for a step that was given up.
 *
 * Owns:     the keys <prefix>:cached:<definition>:<step>:<key>, each with its time to live.
 * Tests:    tests/redis/test_cached.c
 */
#include "redis_internal.h"

static void put_name(struct redis_connection *connection, const struct view_cached *item)
{
    redis_command_text(connection, connection->prefix);
    buffer_text(&connection->arena, ":cached:");
    buffer_text(&connection->arena, item->name);
    redis_command_grown(connection);
}

enum baton_err redis_cached_put(void *self, const struct view_cached *items, size_t n, struct baton_error *err)
{
    struct redis_connection *connection = self;
    enum baton_err rc = redis_exchange_begin(connection, err);

    for (size_t i = 0; rc == BATON_OK && i < n; i++) {
        redis_command_begin(connection, "SET");
        put_name(connection, &items[i]);
        redis_command_arg(connection, items[i].text, items[i].len);
        redis_command_text(connection, "PX");
        redis_command_int(connection, items[i].ttl_ms > 0 ? items[i].ttl_ms : 1);
        redis_command_end(connection);
    }
    return rc == BATON_OK ? redis_exchange_end(connection, err) : rc;
}

enum baton_err redis_cached_get(void *self, struct view_cached *items, size_t n, struct baton_error *err)
{
    struct redis_connection *connection = self;
    enum baton_err rc = redis_exchange_begin(connection, err);

    for (size_t i = 0; rc == BATON_OK && i < n; i++) {
        redis_command_begin(connection, "GET");
        put_name(connection, &items[i]);
        redis_command_end(connection);
    }
    if (rc == BATON_OK)
        rc = redis_exchange_end(connection, err);
    for (size_t i = 0; rc == BATON_OK && i < n; i++) {
        const redisReply *reply = connection->replies[i];

        items[i].text = reply->type == REDIS_REPLY_STRING ? reply->str : NULL;
        items[i].len = reply->type == REDIS_REPLY_STRING ? reply->len : 0;
    }
    return rc;
}

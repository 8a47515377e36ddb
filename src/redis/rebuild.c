/*
 * rebuild.c -- a partition's keys made anew, in several calls that only one rebuilder's token lets through.
 *
 * Owns:     wiping, putting, finishing.
 * Rule:     w is away from the first call to the last, so that nobody believes a half-built view (model: rebuild_is_chain); and the first
 *           call's new generation makes void whatever lay there, named by an index or not (scripts.c).
 * Tests:    tests/redis/test_view.c
 */
#include "redis_internal.h"

#define WIPE_SAGAS 1000 /* of one call: other partitions' calls come between */

/* One script call whose answer is an integer. */
static enum baton_err ask(struct redis_connection *connection, int32_t partition, const char *token, int64_t *ret_answer,
                          struct baton_error *err)
{
    enum baton_err rc = BATON_OK;

    redis_command_end(connection);
    rc = redis_exchange_end(connection, err);
    if (rc == BATON_E_STALE)
        return BATON_E_RETRY;
    if (rc != BATON_OK)
        return rc;
    *ret_answer = redis_reply_int(connection->replies[0], 0);
    if (*ret_answer == 0)
        return baton_fail(err, BATON_E_STALE, "partition %d: another worker rebuilds the view (token %s is gone)", (int)partition, token);
    return BATON_OK;
}

static enum baton_err begin(struct redis_connection *connection, enum redis_script script, int32_t partition, const char *token,
                            struct baton_error *err)
{
    char key[REDIS_KEY_PREFIX_MAX + 32];
    enum baton_err rc = redis_exchange_begin(connection, err);

    if (rc != BATON_OK)
        return rc;
    redis_key(key, connection, partition, "meta");
    redis_command_script(connection, script, key);
    redis_command_key(connection, partition, "");
    redis_command_text(connection, token);
    return BATON_OK;
}

enum baton_err redis_rebuild_begin(void *self, int32_t partition, const char *token, struct baton_error *err)
{
    struct redis_connection *connection = self;
    int64_t answer = 1;
    enum baton_err rc = begin(connection, SCRIPT_REBUILD_BEGIN, partition, token, err);

    if (rc != BATON_OK)
        return rc;
    redis_command_end(connection);
    rc = redis_exchange_end(connection, err);
    if (rc != BATON_OK)
        return rc == BATON_E_STALE ? BATON_E_RETRY : rc;
    redis_generation_note(connection, partition, connection->replies[0]);
    while (rc == BATON_OK && answer > 0) {
        rc = begin(connection, SCRIPT_REBUILD_WIPE, partition, token, err);
        if (rc != BATON_OK)
            break;
        redis_command_int(connection, WIPE_SAGAS);
        rc = ask(connection, partition, token, &answer, err);
    }
    return rc;
}

enum baton_err redis_rebuild_put(void *self, int32_t partition, const char *token, const struct view_item *items, size_t n,
                                 struct baton_error *err)
{
    struct redis_connection *connection = self;
    int64_t answer = 0;
    enum baton_err rc = begin(connection, SCRIPT_REBUILD_PUT, partition, token, err);

    if (rc != BATON_OK)
        return rc;
    for (size_t i = 0; i < n; i++)
        redis_command_item(connection, partition, &items[i]);
    return ask(connection, partition, token, &answer, err);
}

enum baton_err redis_rebuild_end(void *self, int32_t partition, const char *token, const struct view_meta *meta,
                                 struct baton_error *err)
{
    struct redis_connection *connection = self;
    int64_t answer = 0;
    enum baton_err rc = begin(connection, SCRIPT_REBUILD_END, partition, token, err);

    if (rc != BATON_OK)
        return rc;
    redis_command_int(connection, meta->w);
    redis_command_int(connection, meta->jo);
    redis_command_text(connection, meta->epoch);
    return ask(connection, partition, token, &answer, err);
}

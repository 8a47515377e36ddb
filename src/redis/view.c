/*
 * view.c -- the view of an engine thread: load and apply under the watermark, timers, ended sagas.
 *
 * Owns:     the calls of view.h but for the rebuild.
 * Rule:     a script that Redis forgot is loaded anew and the call sent again: an apply that went through the first time is then refused
 *           with w = target, which the engine takes for shown.
 * Tests:    tests/redis/test_view.c
 */
#include "redis_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t redis_reply_int(const redisReply *reply, int64_t otherwise)
{
    if (reply->type == REDIS_REPLY_INTEGER)
        return reply->integer;
    if (reply->type == REDIS_REPLY_STRING)
        return strtoll(reply->str, NULL, 10);
    return otherwise;
}

void redis_generation_note(struct redis_connection *connection, int32_t partition, const redisReply *generation)
{
    size_t at = (size_t)partition;

    if (generation->type != REDIS_REPLY_STRING || generation->len >= REDIS_GENERATION_MAX)
        return;
    if (at >= connection->generations_len) {
        void *more = realloc(connection->generations, (at + 1) * sizeof *connection->generations);

        if (more == NULL)
            return; /* what is applied will be refused */
        connection->generations = more;
        memset(connection->generations + connection->generations_len, 0,
               (at + 1 - connection->generations_len) * sizeof *connection->generations);
        connection->generations_len = at + 1;
    }
    memcpy(connection->generations[at], generation->str, generation->len + 1);
}

const char *redis_generation(const struct redis_connection *connection, int32_t partition)
{
    return (size_t)partition < connection->generations_len ? connection->generations[partition] : "";
}

static void append_version(struct buffer *arena, int64_t version)
{
    if (version == 0)
        return;
    buffer_char(arena, '@');
    buffer_int(arena, version);
}

void redis_command_item(struct redis_connection *connection, int32_t partition, const struct view_item *item)
{
    struct buffer *arena = &connection->arena;

    redis_command_text(connection, item->id);
    redis_command_int(connection, item->seq);
    redis_command_int(connection, item->due_ms);
    redis_command_int(connection, item->updated_ms);
    redis_command_text(connection, item->type);
    append_version(arena, item->version);
    buffer_char(arena, ':');
    buffer_text(arena, saga_status_name(item->status));
    redis_command_grown(connection);
    redis_command_arg(connection, "", 0);
    if (item->state == NULL)
        return;
    buffer_text(arena, redis_generation(connection, partition));
    buffer_char(arena, ' ');
    buffer_int(arena, item->seq);
    buffer_char(arena, ' ');
    buffer_text(arena, saga_status_name(item->status));
    buffer_char(arena, ' ');
    buffer_int(arena, item->due_ms);
    buffer_char(arena, ' ');
    buffer_int(arena, item->updated_ms);
    buffer_char(arena, ' ');
    buffer_text(arena, item->type);
    append_version(arena, item->version);
    buffer_char(arena, '\n');
    buffer_append(arena, item->state, item->state_len);
    redis_command_grown(connection);
}

enum baton_err redis_meta_read(struct redis_connection *connection, int32_t partition, struct view_meta *ret_meta,
                               struct baton_error *err)
{
    const redisReply *reply = NULL;
    enum baton_err rc = redis_exchange_begin(connection, err);

    if (rc != BATON_OK)
        return rc;
    redis_command_begin(connection, "HMGET");
    redis_command_key(connection, partition, "meta");
    redis_command_text(connection, "w");
    redis_command_text(connection, "jo");
    redis_command_text(connection, "epoch");
    redis_command_text(connection, "gen");
    redis_command_text(connection, "trial");
    redis_command_end(connection);
    rc = redis_exchange_end(connection, err);
    if (rc != BATON_OK)
        return rc;
    reply = connection->replies[0];
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 5)
        return redis_nonsense(connection, "HMGET", err);
    memset(ret_meta, 0, sizeof *ret_meta);
    ret_meta->w = reply->element[3]->type == REDIS_REPLY_STRING ? redis_reply_int(reply->element[0], VIEW_NO_W) : VIEW_NO_W;
    ret_meta->jo = redis_reply_int(reply->element[1], 0);
    if (reply->element[2]->type == REDIS_REPLY_STRING)
        (void)snprintf(ret_meta->epoch, sizeof ret_meta->epoch, "%s", reply->element[2]->str);
    if (reply->element[4]->type == REDIS_REPLY_STRING && reply->element[4]->len < sizeof ret_meta->trial)
        memcpy(ret_meta->trial, reply->element[4]->str, reply->element[4]->len + 1);
    redis_generation_note(connection, partition, reply->element[3]);
    return BATON_OK;
}

static enum baton_err view_meta_call(void *self, int32_t partition, struct view_meta *ret_meta, struct baton_error *err)
{
    return redis_meta_read(self, partition, ret_meta, err);
}

static enum baton_err send_loads(struct redis_connection *connection, const struct view_load *loads, size_t n, struct baton_error *err)
{
    enum baton_err rc = redis_exchange_begin(connection, err);

    for (size_t i = 0; rc == BATON_OK && i < n; i++) {
        char key[REDIS_KEY_PREFIX_MAX + 32];

        redis_key(key, connection, loads[i].partition, "meta");
        redis_command_script(connection, SCRIPT_LOAD, key);
        redis_command_key(connection, loads[i].partition, "");
        for (size_t k = 0; k < loads[i].ids_len; k++)
            redis_command_text(connection, loads[i].ids[k]);
        redis_command_end(connection);
    }
    return rc == BATON_OK ? redis_exchange_end(connection, err) : rc;
}

struct view_text redis_state_text(const redisReply *value, const redisReply *generation)
{
    const char *line = NULL;

    if (value->type != REDIS_REPLY_STRING || generation->type != REDIS_REPLY_STRING || value->len <= generation->len ||
        memcmp(value->str, generation->str, generation->len) != 0 || value->str[generation->len] != ' ')
        return (struct view_text){0};
    line = memchr(value->str, '\n', value->len);
    if (line == NULL) /* not Baton's work, and no state: whoever reads it will say so */
        return (struct view_text){.text = value->str, .len = value->len};
    return (struct view_text){.text = line + 1, .len = value->len - (size_t)(line + 1 - value->str)};
}

static enum baton_err view_load_call(void *self, struct view_load *loads, size_t n, struct baton_error *err)
{
    struct redis_connection *connection = self;
    enum baton_err rc = send_loads(connection, loads, n, err);

    if (rc == BATON_E_STALE)
        rc = send_loads(connection, loads, n, err);
    if (rc != BATON_OK)
        return rc == BATON_E_STALE ? BATON_E_RETRY : rc;
    for (size_t i = 0; i < n; i++) {
        const redisReply *reply = connection->replies[i];

        if (reply->type != REDIS_REPLY_ARRAY || reply->elements != loads[i].ids_len + 2)
            return redis_nonsense(connection, "load", err);
        loads[i].ret_w = redis_reply_int(reply->element[0], VIEW_NO_W);
        redis_generation_note(connection, loads[i].partition, reply->element[1]);
        for (size_t k = 0; k < loads[i].ids_len; k++)
            loads[i].ret_states[k] = redis_state_text(reply->element[k + 2], reply->element[1]);
    }
    return BATON_OK;
}

static enum baton_err send_applies(struct redis_connection *connection, const struct view_apply *applies, size_t n,
                                   struct baton_error *err)
{
    enum baton_err rc = redis_exchange_begin(connection, err);

    for (size_t i = 0; rc == BATON_OK && i < n; i++) {
        char key[REDIS_KEY_PREFIX_MAX + 32];

        redis_key(key, connection, applies[i].partition, "meta");
        redis_command_script(connection, SCRIPT_APPLY, key);
        redis_command_key(connection, applies[i].partition, "");
        redis_command_int(connection, applies[i].expected);
        redis_command_int(connection, applies[i].target);
        redis_command_int(connection, applies[i].jo);
        redis_command_text(connection, redis_generation(connection, applies[i].partition));
        for (size_t k = 0; k < applies[i].items_len; k++)
            redis_command_item(connection, applies[i].partition, &applies[i].items[k]);
        redis_command_end(connection);
    }
    return rc == BATON_OK ? redis_exchange_end(connection, err) : rc;
}

static enum baton_err view_apply_call(void *self, struct view_apply *applies, size_t n, struct baton_error *err)
{
    struct redis_connection *connection = self;
    enum baton_err rc = send_applies(connection, applies, n, err);

    if (rc == BATON_E_STALE)
        rc = send_applies(connection, applies, n, err);
    if (rc != BATON_OK)
        return rc == BATON_E_STALE ? BATON_E_RETRY : rc;
    for (size_t i = 0; i < n; i++) {
        const redisReply *reply = connection->replies[i];

        if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2)
            return redis_nonsense(connection, "apply", err);
        applies[i].ret_refused = redis_reply_int(reply->element[0], 0) != 1;
        applies[i].ret_w = redis_reply_int(reply->element[1], VIEW_NO_W);
    }
    return BATON_OK;
}

/* ZRANGEBYSCORE key -inf until WITHSCORES LIMIT 0 max */
static void ask_range(struct redis_connection *connection, int32_t partition, const char *rest, int64_t until_ms, size_t max)
{
    redis_command_begin(connection, "ZRANGEBYSCORE");
    redis_command_key(connection, partition, rest);
    redis_command_text(connection, "-inf");
    redis_command_int(connection, until_ms);
    redis_command_text(connection, "WITHSCORES");
    redis_command_text(connection, "LIMIT");
    redis_command_text(connection, "0");
    redis_command_int(connection, (int64_t)max);
    redis_command_end(connection);
}

static size_t take_range(const redisReply *reply, struct view_timer *ret_timers, size_t max)
{
    size_t n = 0;

    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i + 1 < reply->elements && n < max; i += 2) {
        if (reply->element[i]->type != REDIS_REPLY_STRING || reply->element[i]->len > SAGA_ID_MAX)
            continue;
        (void)snprintf(ret_timers[n].id, sizeof ret_timers[n].id, "%s", reply->element[i]->str);
        ret_timers[n++].due_ms = redis_reply_int(reply->element[i + 1], 0);
    }
    return n;
}

static enum baton_err view_timers_call(void *self, int32_t partition, int64_t until_ms, struct view_timer *ret_timers, size_t max,
                                       size_t *ret_n, struct baton_error *err)
{
    struct redis_connection *connection = self;
    enum baton_err rc = redis_exchange_begin(connection, err);

    if (rc != BATON_OK)
        return rc;
    ask_range(connection, partition, "timers", until_ms, max);
    rc = redis_exchange_end(connection, err);
    if (rc == BATON_OK)
        *ret_n = take_range(connection->replies[0], ret_timers, max);
    return rc;
}

static int older_first(const void *a, const void *b)
{
    const struct view_timer *one = a, *two = b;

    return one->due_ms < two->due_ms ? -1 : one->due_ms > two->due_ms;
}

void redis_command_types(struct redis_connection *connection, int32_t partition)
{
    redis_command_begin(connection, "HKEYS");
    redis_command_key(connection, partition, "meta");
    redis_command_end(connection);
}

const char *redis_type_in(const redisReply *fields, size_t k)
{
    static const char head[] = "type:";
    const redisReply *field = fields->element[k];

    if (field->type != REDIS_REPLY_STRING || strncmp(field->str, head, sizeof head - 1) != 0 ||
        field->len > sizeof head - 1 + REDIS_TYPE_MAX)
        return NULL;
    return field->str + sizeof head - 1;
}

void redis_type_split(const char *type, char ret_definition[DEFINITION_NAME_MAX + 1], int64_t *ret_version)
{
    size_t len = strcspn(type, "@");

    (void)snprintf(ret_definition, DEFINITION_NAME_MAX + 1, "%.*s", (int)len, type);
    *ret_version = type[len] == '@' ? strtoll(type + len + 1, NULL, 10) : 0;
}

bool redis_type_is(const char *type, const char *definition, int64_t version)
{
    char own[DEFINITION_NAME_MAX + 1];
    int64_t own_version = 0;

    redis_type_split(type, own, &own_version);
    return (definition == NULL || definition[0] == '\0' || strcmp(own, definition) == 0) && (version == 0 || own_version == version);
}

#define ENDED_TYPES_MAX 1000 /* versions of definitions of a partition that are looked at in one round */

static enum baton_err view_ended_call(void *self, int32_t partition, int64_t before_ms, struct view_timer *ret_ended, size_t max,
                                      size_t *ret_n, struct baton_error *err)
{
    struct redis_connection *connection = self;
    char types[ENDED_TYPES_MAX][REDIS_TYPE_MAX + 1];
    size_t types_len = 0, n = 0;
    enum baton_err rc = redis_exchange_begin(connection, err);

    if (rc != BATON_OK)
        return rc;
    redis_command_types(connection, partition);
    rc = redis_exchange_end(connection, err);
    if (rc != BATON_OK)
        return rc;
    for (size_t i = 0; i < connection->replies[0]->elements; i++) {
        const char *type = redis_type_in(connection->replies[0], i);

        if (type != NULL && types_len < ENDED_TYPES_MAX)
            (void)snprintf(types[types_len++], sizeof types[0], "%s", type);
    }
    *ret_n = 0;
    if (types_len == 0)
        return BATON_OK;
    rc = redis_exchange_begin(connection, err);
    if (rc != BATON_OK)
        return rc;
    for (size_t i = 0; i < types_len; i++) {
        for (int status = 0; status < SAGA_STATUS_COUNT; status++) {
            char rest[REDIS_TYPE_MAX + 48];

            if (!saga_status_ended((enum saga_status)status))
                continue;
            (void)snprintf(rest, sizeof rest, "index:%.*s:%s", REDIS_TYPE_MAX, types[i],
                           saga_status_name((enum saga_status)status));
            ask_range(connection, partition, rest, before_ms, max);
        }
    }
    rc = redis_exchange_end(connection, err);
    /* The oldest of one index may be younger than all of another: what does not fit comes in the next round. */
    for (size_t i = 0; rc == BATON_OK && i < connection->replies_len; i++)
        n += take_range(connection->replies[i], ret_ended + n, max - n);
    qsort(ret_ended, n, sizeof *ret_ended, older_first);
    *ret_n = n;
    return rc;
}

static enum baton_err view_trial_call(void *self, int32_t partition, const char *text, struct baton_error *err)
{
    struct redis_connection *connection = self;
    enum baton_err rc = redis_exchange_begin(connection, err);

    if (rc != BATON_OK)
        return rc;
    redis_command_begin(connection, text[0] != '\0' ? "HSET" : "HDEL");
    redis_command_key(connection, partition, "meta");
    redis_command_text(connection, "trial");
    if (text[0] != '\0')
        redis_command_text(connection, text);
    redis_command_end(connection);
    return redis_exchange_end(connection, err);
}

static void view_close_call(void *self)
{
    redis_connection_close(self);
}

enum baton_err redis_view_open(const struct redis_options *options, struct view *ret_view, struct baton_error *err)
{
    struct redis_connection *connection = NULL;
    enum baton_err rc = redis_connection_open(options, true, &connection, err);

    if (rc != BATON_OK)
        return rc;
    *ret_view = (struct view){
        .self = connection,
        .meta = view_meta_call,
        .load = view_load_call,
        .apply = view_apply_call,
        .rebuild_begin = redis_rebuild_begin,
        .rebuild_put = redis_rebuild_put,
        .rebuild_end = redis_rebuild_end,
        .timers = view_timers_call,
        .ended_before = view_ended_call,
        .page = redis_page,
        .trial = view_trial_call,
        .services = redis_services_sync,
        .cached_put = redis_cached_put,
        .cached_get = redis_cached_get,
        .close = view_close_call,
    };
    return BATON_OK;
}

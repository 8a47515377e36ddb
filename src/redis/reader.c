/*
 * reader.c -- the faces' read-only access: one saga, lists by update time, counts. By the indexes, never by a scan.
 *
 * Tests:    tests/redis/test_reader.c
 */
#include "redis_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_ASK_MAX 512 /* indexes asked in one exchange */

struct redis_reader {
    struct redis_connection *connection;
};

enum baton_err redis_reader_open(const struct redis_options *options, struct redis_reader **ret_reader, struct baton_error *err)
{
    struct redis_reader *reader = calloc(1, sizeof *reader);
    enum baton_err rc = BATON_OK;

    if (reader == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory for a Redis reader");
    rc = redis_connection_open(options, false, &reader->connection, err);
    if (rc != BATON_OK) {
        free(reader);
        return rc;
    }
    *ret_reader = reader;
    return BATON_OK;
}

void redis_reader_close(struct redis_reader *reader)
{
    if (reader == NULL)
        return;
    redis_connection_close(reader->connection);
    free(reader);
}

enum baton_err redis_reader_state(struct redis_reader *reader, int32_t partition, const char *id, char **ret_text,
                                  struct baton_error *err)
{
    char rest[SAGA_ID_MAX + 8];
    struct view_text state = {0};
    enum baton_err rc = redis_exchange_begin(reader->connection, err);

    if (rc != BATON_OK)
        return rc;
    (void)snprintf(rest, sizeof rest, "saga:%s", id);
    redis_command_begin(reader->connection, "GET");
    redis_command_key(reader->connection, partition, rest);
    redis_command_end(reader->connection);
    redis_command_begin(reader->connection, "HGET");
    redis_command_key(reader->connection, partition, "meta");
    redis_command_text(reader->connection, "gen");
    redis_command_end(reader->connection);
    rc = redis_exchange_end(reader->connection, err);
    if (rc != BATON_OK)
        return rc;
    state = redis_state_text(reader->connection->replies[0], reader->connection->replies[1]);
    if (state.text == NULL)
        return baton_fail(err, BATON_E_NOT_FOUND, "no saga \"%s\"", id);
    *ret_text = strndup(state.text, state.len);
    return *ret_text != NULL ? BATON_OK : baton_fail(err, BATON_E_NOMEM, "out of memory for saga %s", id);
}

enum baton_err redis_reader_meta(struct redis_reader *reader, int32_t partition, struct view_meta *ret_meta, struct baton_error *err)
{
    return redis_meta_read(reader->connection, partition, ret_meta, err);
}

/* One index of one partition. */
struct index {
    int32_t partition;
    char type[REDIS_TYPE_MAX + 1];
    enum saga_status status;
};

struct indexes {
    struct index *items;
    size_t len, cap;
};

static bool indexes_add(struct indexes *indexes, int32_t partition, const char *type, int status)
{
    if (indexes->len == indexes->cap) {
        size_t cap = indexes->cap == 0 ? 128 : indexes->cap * 2;
        struct index *items = realloc(indexes->items, cap * sizeof *items);

        if (items == NULL)
            return false;
        indexes->items = items;
        indexes->cap = cap;
    }
    indexes->items[indexes->len].partition = partition;
    indexes->items[indexes->len].status = (enum saga_status)status;
    (void)snprintf(indexes->items[indexes->len++].type, sizeof indexes->items->type, "%s", type);
    return true;
}

static bool add_statuses(struct indexes *indexes, int32_t partition, const char *type, int status)
{
    for (int s = 0; s < SAGA_STATUS_COUNT; s++) {
        if ((status < 0 || status == s) && !indexes_add(indexes, partition, type, s))
            return false;
    }
    return true;
}

/* Which indexes there are, of this definition and version (NULL, 0 = any): the types of every partition in one exchange. */
static enum baton_err find_indexes(struct redis_reader *reader, int32_t partitions, int status, const char *type, int64_t version,
                                   struct indexes *indexes, struct baton_error *err)
{
    struct redis_connection *connection = reader->connection;
    enum baton_err rc = BATON_OK;
    bool fine = true;

    rc = redis_exchange_begin(connection, err);
    if (rc != BATON_OK)
        return rc;
    for (int32_t p = 0; p < partitions; p++)
        redis_command_types(connection, p);
    rc = redis_exchange_end(connection, err);
    for (size_t p = 0; rc == BATON_OK && p < connection->replies_len; p++) {
        const redisReply *fields = connection->replies[p];

        for (size_t i = 0; i < fields->elements && fine; i++) {
            const char *found = redis_type_in(fields, i);

            if (found != NULL && redis_type_is(found, type, version))
                fine = add_statuses(indexes, (int32_t)p, found, status);
        }
    }
    return fine ? rc : baton_fail(err, BATON_E_NOMEM, "out of memory for a list");
}

static void index_rest(const struct index *index, char rest[REDIS_TYPE_MAX + 48])
{
    (void)snprintf(rest, REDIS_TYPE_MAX + 48, "index:%s:%s", index->type, saga_status_name(index->status));
}

static int newest_first(const void *a, const void *b)
{
    const struct redis_listed *one = a, *two = b;

    if (one->updated_ms != two->updated_ms)
        return one->updated_ms > two->updated_ms ? -1 : 1;
    return strcmp(one->id, two->id);
}

/* Ask up to LIST_ASK_MAX indexes for their newest; merge into listed, which keeps the newest `max` of its 2 * max places. */
static enum baton_err list_some(struct redis_reader *reader, const struct index *indexes, size_t n, struct redis_listed *listed,
                                size_t max, size_t *listed_len, struct baton_error *err)
{
    struct redis_connection *connection = reader->connection;
    enum baton_err rc = redis_exchange_begin(connection, err);

    for (size_t i = 0; rc == BATON_OK && i < n; i++) {
        char rest[REDIS_TYPE_MAX + 48];

        index_rest(&indexes[i], rest);
        redis_command_begin(connection, "ZREVRANGE");
        redis_command_key(connection, indexes[i].partition, rest);
        redis_command_text(connection, "0");
        redis_command_int(connection, (int64_t)max - 1);
        redis_command_text(connection, "WITHSCORES");
        redis_command_end(connection);
    }
    if (rc == BATON_OK)
        rc = redis_exchange_end(connection, err);
    for (size_t i = 0; rc == BATON_OK && i < n; i++) {
        const redisReply *reply = connection->replies[i];

        for (size_t k = 0; reply->type == REDIS_REPLY_ARRAY && k + 1 < reply->elements; k += 2) {
            struct redis_listed *one = &listed[(*listed_len)++];

            (void)snprintf(one->id, sizeof one->id, "%s", reply->element[k]->str);
            redis_type_split(indexes[i].type, one->type, &one->version);
            one->status = indexes[i].status;
            one->updated_ms = redis_reply_int(reply->element[k + 1], 0);
            if (*listed_len == 2 * max) {
                qsort(listed, *listed_len, sizeof *listed, newest_first);
                *listed_len = max;
            }
        }
    }
    return rc;
}

enum baton_err redis_reader_list(struct redis_reader *reader, int32_t partitions, int status, const char *type, int64_t version,
                                 struct redis_listed *ret_listed, size_t max, size_t *ret_n, struct baton_error *err)
{
    struct indexes indexes = {0};
    struct redis_listed *listed = max > 0 ? calloc(2 * max, sizeof *listed) : NULL;
    size_t len = 0;
    enum baton_err rc = BATON_OK;

    if (listed == NULL)
        return baton_fail(err, max > 0 ? BATON_E_NOMEM : BATON_E_INVALID, "a list of %zu sagas cannot be made", max);
    rc = find_indexes(reader, partitions, status, type, version, &indexes, err);
    for (size_t at = 0; rc == BATON_OK && at < indexes.len; at += LIST_ASK_MAX) {
        size_t n = indexes.len - at < LIST_ASK_MAX ? indexes.len - at : LIST_ASK_MAX;

        rc = list_some(reader, indexes.items + at, n, listed, max, &len, err);
    }
    if (rc == BATON_OK) {
        qsort(listed, len, sizeof *listed, newest_first);
        *ret_n = len < max ? len : max;
        memcpy(ret_listed, listed, *ret_n * sizeof *listed);
    }
    free(indexes.items);
    free(listed);
    return rc;
}

static int by_type(const void *a, const void *b)
{
    const struct redis_counted *one = a, *two = b;
    int order = strcmp(one->type, two->type);

    return order != 0 ? order : (one->version > two->version) - (one->version < two->version);
}

/* Of every index, one after the other, into one row for each type. */
static void add_up(const struct indexes *indexes, const struct redis_connection *connection, struct redis_counted *counted, size_t *ret_n)
{
    size_t n = 0;

    for (size_t i = 0; i < indexes->len; i++) {
        struct redis_counted one = {.version = 0}, *row = counted;

        redis_type_split(indexes->items[i].type, one.type, &one.version);
        while (row < counted + n && by_type(row, &one) != 0)
            row++;
        if (row == counted + n)
            counted[n++] = one;
        row->counts[indexes->items[i].status] += redis_reply_int(connection->replies[i], 0);
    }
    qsort(counted, n, sizeof *counted, by_type);
    *ret_n = n;
}

enum baton_err redis_reader_count(struct redis_reader *reader, int32_t partitions, struct redis_counted **ret_counted, size_t *ret_n,
                                  struct baton_error *err)
{
    struct redis_connection *connection = reader->connection;
    struct indexes indexes = {0};
    struct redis_counted *counted = NULL;
    enum baton_err rc = find_indexes(reader, partitions, -1, NULL, 0, &indexes, err);

    if (rc == BATON_OK)
        counted = calloc(indexes.len / SAGA_STATUS_COUNT + 1, sizeof *counted);
    if (rc == BATON_OK && counted == NULL)
        rc = baton_fail(err, BATON_E_NOMEM, "out of memory for counts");
    if (rc == BATON_OK)
        rc = redis_exchange_begin(connection, err);
    for (size_t i = 0; rc == BATON_OK && i < indexes.len; i++) {
        char rest[REDIS_TYPE_MAX + 48];

        index_rest(&indexes.items[i], rest);
        redis_command_begin(connection, "ZCARD");
        redis_command_key(connection, indexes.items[i].partition, rest);
        redis_command_end(connection);
    }
    if (rc == BATON_OK && indexes.len > 0)
        rc = redis_exchange_end(connection, err);
    if (rc == BATON_OK) {
        add_up(&indexes, connection, counted, ret_n);
        *ret_counted = counted;
        counted = NULL;
    }
    free(counted);
    free(indexes.items);
    return rc;
}

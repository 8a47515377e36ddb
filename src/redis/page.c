/*
 * page.c -- a partition's sagas in order of their last change, a page at a time, over all its indexes.
 *
 * Rule:     w is read after the indexes: where it is what its owner last wrote, nothing has wiped them in between.
 * Tests:    tests/redis/test_view.c
 */
#include "redis_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct paging {
    struct redis_connection *connection;
    struct view_page *page;
    char (*types)[REDIS_TYPE_MAX + 1]; /* owned */
    size_t types_len;
    struct view_timer *found; /* owned; the least so far, at most twice the page */
};

static int in_order(const void *a, const void *b)
{
    const struct view_timer *one = a, *two = b;

    return one->due_ms != two->due_ms ? (one->due_ms > two->due_ms) - (one->due_ms < two->due_ms) : strcmp(one->id, two->id);
}

/* Those of the partition that are of the definition asked for. */
static enum baton_err find_types(struct paging *paging, struct baton_error *err)
{
    struct redis_connection *connection = paging->connection;
    const struct view_page *page = paging->page;
    enum baton_err rc = redis_exchange_begin(connection, err);

    if (rc != BATON_OK)
        return rc;
    redis_command_types(connection, page->partition);
    rc = redis_exchange_end(connection, err);
    if (rc != BATON_OK)
        return rc;
    paging->types = calloc(connection->replies[0]->elements + 1, sizeof *paging->types);
    paging->found = calloc(2 * page->max, sizeof *paging->found);
    if (paging->types == NULL || paging->found == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory for a page");
    for (size_t i = 0; i < connection->replies[0]->elements; i++) {
        const char *type = redis_type_in(connection->replies[0], i);

        if (type != NULL && redis_type_is(type, page->type, 0))
            (void)snprintf(paging->types[paging->types_len++], sizeof *paging->types, "%s", type);
    }
    return BATON_OK;
}

/* ZRANGEBYSCORE index after +inf WITHSCORES LIMIT offset max */
static enum baton_err ask(struct paging *paging, const char *type, enum saga_status status, size_t offset, struct baton_error *err)
{
    struct redis_connection *connection = paging->connection;
    char rest[REDIS_TYPE_MAX + 48];
    enum baton_err rc = redis_exchange_begin(connection, err);

    if (rc != BATON_OK)
        return rc;
    (void)snprintf(rest, sizeof rest, "index:%s:%s", type, saga_status_name(status));
    redis_command_begin(connection, "ZRANGEBYSCORE");
    redis_command_key(connection, paging->page->partition, rest);
    redis_command_int(connection, paging->page->after_ms);
    redis_command_text(connection, "+inf");
    redis_command_text(connection, "WITHSCORES");
    redis_command_text(connection, "LIMIT");
    redis_command_int(connection, (int64_t)offset);
    redis_command_int(connection, (int64_t)paging->page->max);
    redis_command_end(connection);
    rc = redis_exchange_end(connection, err);
    if (rc == BATON_OK && (connection->replies[0]->type != REDIS_REPLY_ARRAY || connection->replies[0]->elements % 2 != 0))
        return redis_nonsense(connection, "ZRANGEBYSCORE", err);
    return rc;
}

/* Those of the answer that come after the page's beginning join the least found so far. Returns how many there were. */
static size_t take(struct paging *paging)
{
    const redisReply *reply = paging->connection->replies[0];
    struct view_page *page = paging->page;
    struct view_timer after = {.due_ms = page->after_ms};
    size_t n = page->ret_n, taken = 0;

    (void)strcpy(after.id, page->after_id);
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        struct view_timer *row = &paging->found[n];

        if (reply->element[i]->type != REDIS_REPLY_STRING || reply->element[i]->len > SAGA_ID_MAX)
            continue;
        (void)strcpy(row->id, reply->element[i]->str);
        row->due_ms = redis_reply_int(reply->element[i + 1], 0);
        if (in_order(&after, row) >= 0)
            continue;
        n++;
        taken++;
    }
    qsort(paging->found, n, sizeof *paging->found, in_order);
    page->ret_more = page->ret_more || n > page->max;
    page->ret_n = n < page->max ? n : page->max;
    return taken;
}

/* As many sagas as a batch holds may have changed in the same millisecond: an answer that holds only such before the page's beginning hides the next. */
static enum baton_err read_index(struct paging *paging, const char *type, enum saga_status status, struct baton_error *err)
{
    size_t taken = 0, offset = 0, got = 0;

    do {
        enum baton_err rc = ask(paging, type, status, offset, err);

        if (rc != BATON_OK)
            return rc;
        got = paging->connection->replies[0]->elements / 2;
        taken = take(paging);
        offset += got;
    } while (taken == 0 && got == paging->page->max);
    paging->page->ret_more = paging->page->ret_more || got == paging->page->max;
    return BATON_OK;
}

enum baton_err redis_page(void *self, struct view_page *page, struct baton_error *err)
{
    struct paging paging = {.connection = self, .page = page};
    struct view_meta meta = {0};
    enum baton_err rc = BATON_OK;

    page->ret_n = 0;
    page->ret_more = false;
    rc = find_types(&paging, err);
    for (size_t i = 0; i < paging.types_len && rc == BATON_OK; i++) {
        for (int status = 0; status < SAGA_STATUS_COUNT && rc == BATON_OK; status++) {
            if (page->status[status])
                rc = read_index(&paging, paging.types[i], (enum saga_status)status, err);
        }
    }
    if (rc == BATON_OK)
        rc = redis_meta_read(self, page->partition, &meta, err);
    if (rc == BATON_OK && page->ret_n > 0)
        memcpy(page->items, paging.found, page->ret_n * sizeof *page->items);
    page->ret_w = meta.w;
    free(paging.types);
    free(paging.found);
    return rc;
}

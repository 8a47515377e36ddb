/*
 * connection.c -- one connection: made when needed, dropped at the first doubt; commands in one write, replies in one wait.
 *
 * Owns:     hiredis; what an error reply means for the caller.
 * Tests:    tests/redis/test_outage.c
 */
#include "redis_internal.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define SEND_EARLY_BYTES (512 * 1024)
#define ARENA_KEEP_BYTES (1024 * 1024) /* more than this is given back after the exchange */

static struct timeval timeval_of(int ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
}

static void free_replies(struct redis_connection *connection)
{
    for (size_t i = 0; i < connection->replies_len; i++)
        freeReplyObject(connection->replies[i]);
    connection->replies_len = 0;
}

static void drop(struct redis_connection *connection)
{
    if (connection->context != NULL)
        redisFree(connection->context);
    connection->context = NULL;
    connection->sent = 0;
}

enum baton_err redis_connection_open(const struct redis_options *options, bool want_scripts, struct redis_connection **ret_connection,
                                     struct baton_error *err)
{
    const char *prefix = options->prefix != NULL ? options->prefix : "baton";
    struct redis_connection *connection = calloc(1, sizeof *connection);
    enum baton_err rc = BATON_OK;

    if (connection == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory for a Redis connection");
    if (strlen(prefix) == 0 || strlen(prefix) >= sizeof connection->prefix || strpbrk(prefix, "{} \r\n") != NULL)
        rc = baton_fail(err, BATON_E_INVALID, "redis.prefix must be 1 to %d characters without braces and blanks",
                        REDIS_KEY_PREFIX_MAX - 1);
    if (rc == BATON_OK)
        rc = redis_address_read(options, &connection->address, err);
    if (rc != BATON_OK) {
        free(connection);
        return rc;
    }
    (void)snprintf(connection->prefix, sizeof connection->prefix, "%s", prefix);
    connection->connect_timeout_ms = options->connect_timeout_ms > 0 ? options->connect_timeout_ms : REDIS_CONNECT_TIMEOUT_MS;
    connection->command_timeout_ms = options->command_timeout_ms > 0 ? options->command_timeout_ms : REDIS_COMMAND_TIMEOUT_MS;
    connection->want_scripts = want_scripts;
    *ret_connection = connection;
    return BATON_OK;
}

void redis_connection_close(struct redis_connection *connection)
{
    if (connection == NULL)
        return;
    free_replies(connection);
    drop(connection);
    buffer_free(&connection->arena);
    free(connection->starts);
    free(connection->lens);
    free(connection->argv);
    free(connection->replies);
    free(connection->generations);
    free(connection);
}

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Error replies by their first word: what they mean, and what to do. */
static const struct meaning {
    const char *word;
    enum baton_err code;
    const char *advice;
} meanings[] = {
    {"NOSCRIPT", BATON_E_STALE, "its scripts are loaded again"},
    {"LOADING", BATON_E_RETRY, "it goes on when Redis has read its files"},
    {"BUSY", BATON_E_RETRY, "somebody's script runs for long there: SCRIPT KILL ends it"},
    {"UNKILLABLE", BATON_E_RETRY, "somebody's script runs for long there: wait for it"},
    {"MASTERDOWN", BATON_E_RETRY, "it is a replica without its primary; redis.url must name the primary"},
    {"READONLY", BATON_E_RETRY, "it is a replica; redis.url must name the primary"},
    {"CLUSTERDOWN", BATON_E_RETRY, "wait for the cluster"},
    {"TRYAGAIN", BATON_E_RETRY, "wait for the cluster"},
    {"OOM", BATON_E_RETRY, "raise its maxmemory, or shorten engine.retention"},
    {"NOREPLICAS", BATON_E_RETRY, "bring its replicas back, or lower min-replicas-to-write"},
    {"MISCONF", BATON_E_RETRY, "it cannot save to its disk: see its log"},
    {"NOAUTH", BATON_E_FATAL, "set redis.passwordFile"},
    {"WRONGPASS", BATON_E_FATAL, "check redis.username and redis.passwordFile"},
    {"NOPERM", BATON_E_FATAL, "let this user run Baton's commands on the keys of redis.prefix"},
    {"WRONGTYPE", BATON_E_FATAL, "another program writes under redis.prefix; give Baton a prefix of its own"},
};

/* Before Redis 7 an error inside a script comes wrapped: "ERR Error running script (call to f_...): @user_script:1: -OOM command ...". */
static const char *unwrapped(const char *text)
{
    static const char place[] = "@user_script:";
    const char *at = has_prefix(text, "ERR Error running script") ? strstr(text, place) : NULL;

    if (at == NULL)
        return text;
    at += sizeof place - 1;
    at += strspn(at, " 0123456789");
    at += strspn(at, ": -");
    return at;
}

static enum baton_err explain(struct redis_connection *connection, const char *text, struct baton_error *err)
{
    const char *plain = unwrapped(text);
    enum baton_err rc = BATON_E_FATAL;
    const char *advice = "see Redis's own documentation of this error";

    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
        if (has_prefix(plain, meanings[i].word)) {
            rc = meanings[i].code;
            advice = meanings[i].advice;
            break;
        }
    }
    (void)baton_fail(err, rc, "redis at %s:%d: %s; %s", connection->address.host, connection->address.port, plain, advice);
    /* Another login, another primary behind the name, the scripts: all of that comes with a new connection. */
    drop(connection);
    return rc;
}

static enum baton_err lost(struct redis_connection *connection, struct baton_error *err)
{
    const redisContext *context = connection->context;
    bool silent = context != NULL && context->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK);
    enum baton_err rc = BATON_OK;

    if (silent)
        rc = baton_fail(err, BATON_E_RETRY, "redis at %s:%d: no answer within %d ms; connecting again", connection->address.host,
                        connection->address.port, connection->command_timeout_ms);
    else
        rc = baton_fail(err, BATON_E_RETRY, "redis at %s:%d: %s; connecting again", connection->address.host,
                        connection->address.port, context != NULL ? context->errstr : "out of memory");
    drop(connection);
    return rc;
}

static enum baton_err greet(struct redis_connection *connection, struct baton_error *err)
{
    const struct redis_address *address = &connection->address;
    enum baton_err rc = BATON_OK;

    if (address->password[0] != '\0') {
        redis_command_begin(connection, "AUTH");
        if (address->user[0] != '\0')
            redis_command_text(connection, address->user);
        redis_command_text(connection, address->password);
        redis_command_end(connection);
    }
    if (address->db != 0) {
        redis_command_begin(connection, "SELECT");
        redis_command_int(connection, address->db);
        redis_command_end(connection);
    }
    if (connection->sent > 0)
        rc = redis_exchange_end(connection, err);
    if (rc != BATON_OK || !connection->want_scripts)
        return rc;
    for (int i = 0; i < SCRIPT_COUNT; i++) {
        redis_command_begin(connection, "SCRIPT");
        redis_command_text(connection, "LOAD");
        redis_command_text(connection, redis_script_texts[i]);
        redis_command_end(connection);
    }
    rc = redis_exchange_end(connection, err);
    for (size_t i = 0; rc == BATON_OK && i < SCRIPT_COUNT; i++) {
        if (connection->replies[i]->type != REDIS_REPLY_STRING || connection->replies[i]->len != 40)
            return redis_nonsense(connection, "SCRIPT LOAD", err);
        memcpy(connection->sha[i], connection->replies[i]->str, 41);
    }
    return rc;
}

enum baton_err redis_exchange_begin(struct redis_connection *connection, struct baton_error *err)
{
    enum baton_err rc = BATON_OK;

    free_replies(connection);
    connection->failed = false;
    connection->sent = connection->queued = 0;
    if (connection->context != NULL)
        return BATON_OK;
    connection->context = redisConnectWithTimeout(connection->address.host, connection->address.port,
                                                  timeval_of(connection->connect_timeout_ms));
    if (connection->context == NULL || connection->context->err != 0 ||
        redisSetTimeout(connection->context, timeval_of(connection->command_timeout_ms)) != REDIS_OK)
        return lost(connection, err);
    rc = greet(connection, err);
    if (rc != BATON_OK)
        drop(connection);
    free_replies(connection);
    return rc;
}

void redis_command_arg(struct redis_connection *connection, const void *bytes, size_t len)
{
    if (connection->argc == connection->argv_cap) {
        size_t cap = connection->argv_cap == 0 ? 64 : connection->argv_cap * 2;
        size_t *starts = realloc(connection->starts, cap * sizeof *starts), *lens = NULL;
        const char **argv = NULL;

        connection->starts = starts != NULL ? starts : connection->starts;
        lens = realloc(connection->lens, cap * sizeof *lens);
        connection->lens = lens != NULL ? lens : connection->lens;
        argv = realloc(connection->argv, cap * sizeof *argv);
        connection->argv = argv != NULL ? argv : connection->argv;
        if (starts == NULL || lens == NULL || argv == NULL) {
            connection->failed = true;
            return;
        }
        connection->argv_cap = cap;
    }
    connection->starts[connection->argc] = connection->arena.len;
    connection->lens[connection->argc++] = len;
    buffer_append(&connection->arena, bytes, len);
}

void redis_command_text(struct redis_connection *connection, const char *text)
{
    redis_command_arg(connection, text, strlen(text));
}

void redis_command_int(struct redis_connection *connection, int64_t value)
{
    redis_command_arg(connection, "", 0);
    buffer_int(&connection->arena, value);
    redis_command_grown(connection);
}

void redis_command_grown(struct redis_connection *connection)
{
    if (connection->argc > 0)
        connection->lens[connection->argc - 1] = connection->arena.len - connection->starts[connection->argc - 1];
}

void redis_key(char out[REDIS_KEY_PREFIX_MAX + 32], const struct redis_connection *connection, int32_t partition, const char *rest)
{
    (void)snprintf(out, REDIS_KEY_PREFIX_MAX + 32, "%s:{%" PRId32 "}:%s", connection->prefix, partition, rest);
}

void redis_command_key(struct redis_connection *connection, int32_t partition, const char *rest)
{
    char head[REDIS_KEY_PREFIX_MAX + 32];

    redis_key(head, connection, partition, "");
    redis_command_text(connection, head);
    buffer_text(&connection->arena, rest);
    redis_command_grown(connection);
}

void redis_command_begin(struct redis_connection *connection, const char *name)
{
    connection->argc = 0;
    buffer_clear(&connection->arena);
    redis_command_text(connection, name);
}

void redis_command_script(struct redis_connection *connection, enum redis_script script, const char *key)
{
    redis_command_begin(connection, "EVALSHA");
    redis_command_text(connection, connection->sha[script]);
    redis_command_text(connection, "1");
    redis_command_text(connection, key);
}

/* A long exchange leaves command by command, so that memory holds one large command and not all. An error shows when replies are read. */
static void send_early(struct redis_connection *connection)
{
    int done = 0;

    if (connection->queued < SEND_EARLY_BYTES)
        return;
    while (!done && redisBufferWrite(connection->context, &done) == REDIS_OK)
        continue;
    connection->queued = 0;
}

void redis_command_end(struct redis_connection *connection)
{
    if (connection->arena.failed || connection->failed || connection->context == NULL) {
        connection->failed = true;
        return;
    }
    for (size_t i = 0; i < connection->argc; i++)
        connection->argv[i] = connection->arena.data + connection->starts[i];
    if (redisAppendCommandArgv(connection->context, (int)connection->argc, connection->argv, connection->lens) != REDIS_OK)
        connection->failed = true;
    else
        connection->sent++;
    connection->queued += connection->arena.len;
    send_early(connection);
}

static bool keep_reply(struct redis_connection *connection, redisReply *reply)
{
    if (connection->replies_len == connection->replies_cap) {
        size_t cap = connection->replies_cap == 0 ? 32 : connection->replies_cap * 2;
        redisReply **replies = realloc(connection->replies, cap * sizeof *replies);

        if (replies == NULL) {
            freeReplyObject(reply);
            return false;
        }
        connection->replies = replies;
        connection->replies_cap = cap;
    }
    connection->replies[connection->replies_len++] = reply;
    return true;
}

enum baton_err redis_exchange_end(struct redis_connection *connection, struct baton_error *err)
{
    const char *trouble = NULL;
    size_t due = connection->sent;

    connection->sent = connection->queued = 0;
    if (connection->arena.cap > ARENA_KEEP_BYTES)
        buffer_free(&connection->arena);
    free_replies(connection);
    if (connection->failed) {
        drop(connection); /* a half-built command may lie in its buffer */
        return baton_fail(err, BATON_E_NOMEM, "out of memory for a Redis command");
    }
    for (size_t i = 0; i < due; i++) {
        void *reply = NULL;

        if (redisGetReply(connection->context, &reply) != REDIS_OK || reply == NULL || !keep_reply(connection, reply))
            return lost(connection, err);
        if (connection->replies[i]->type == REDIS_REPLY_ERROR && trouble == NULL)
            trouble = connection->replies[i]->str;
    }
    return trouble == NULL ? BATON_OK : explain(connection, trouble, err);
}

enum baton_err redis_nonsense(struct redis_connection *connection, const char *command, struct baton_error *err)
{
    drop(connection);
    return baton_fail(err, BATON_E_RETRY, "redis at %s:%d answered %s in an unexpected form", connection->address.host,
                      connection->address.port, command);
}

/*
 * redis_internal.h -- what the files of this room share: the connection, the scripts, the names of keys.
 */
#ifndef BATON_REDIS_INTERNAL_H
#define BATON_REDIS_INTERNAL_H

#include <baton/buffer.h>
#include <baton/redis.h>
#include <hiredis/hiredis.h>

#define REDIS_KEY_PREFIX_MAX 64
#define REDIS_CONNECT_TIMEOUT_MS 2000
#define REDIS_COMMAND_TIMEOUT_MS 5000
#define REDIS_GENERATION_MAX 24

/* --- address.c --- */
struct redis_address {
    char host[256];
    int port, db;
    char user[128], password[256]; /* "" = none */
};
/** Read url, username and password file. BATON_E_INVALID says what is wrong and what forms there are. */
enum baton_err redis_address_read(const struct redis_options *options, struct redis_address *ret_address, struct baton_error *err);

/* --- scripts.c --- */
enum redis_script { SCRIPT_LOAD, SCRIPT_APPLY, SCRIPT_REBUILD_BEGIN, SCRIPT_REBUILD_WIPE, SCRIPT_REBUILD_PUT, SCRIPT_REBUILD_END,
                    SCRIPT_SERVICE, SCRIPT_SERVICE_SET,
                    SCRIPT_COUNT };
extern const char *const redis_script_texts[SCRIPT_COUNT];
/* All names of enum saga_status, as the scripts know them; tests/redis/test_view.c compares. */
#define REDIS_STATUSES "running compensating completed compensated parked cancelled terminated"

/* --- connection.c: one connection, made when it is needed, dropped at the first doubt --- */
struct redis_connection {
    struct redis_address address;
    char prefix[REDIS_KEY_PREFIX_MAX];
    int connect_timeout_ms, command_timeout_ms;
    bool want_scripts;
    redisContext *context; /* NULL = not connected */
    char sha[SCRIPT_COUNT][41];

    /* the command under construction: argv into arena, by offset until it is sent */
    struct buffer arena;
    size_t *starts, *lens;
    const char **argv;
    size_t argc, argv_cap;
    bool failed; /* memory ran out while building */
    size_t sent; /* commands whose replies are due */
    size_t queued; /* bytes of commands in the context's buffer */

    char (*generations)[REDIS_GENERATION_MAX]; /* by partition, as last seen; "" = never */
    size_t generations_len;

    redisReply **replies; /* of the last exchange, in order; freed by the next one */
    size_t replies_len, replies_cap;
};

enum baton_err redis_connection_open(const struct redis_options *options, bool want_scripts, struct redis_connection **ret_connection,
                                     struct baton_error *err);
void redis_connection_close(struct redis_connection *connection);

/** Start an exchange: connects when needed; frees the last replies. */
enum baton_err redis_exchange_begin(struct redis_connection *connection, struct baton_error *err);
/** Build a command, argument by argument; redis_command_end queues it. */
void redis_command_begin(struct redis_connection *connection, const char *name);
void redis_command_script(struct redis_connection *connection, enum redis_script script, const char *key);
void redis_command_arg(struct redis_connection *connection, const void *bytes, size_t len);
void redis_command_text(struct redis_connection *connection, const char *text);
void redis_command_int(struct redis_connection *connection, int64_t value);
void redis_command_grown(struct redis_connection *connection); /* what was appended to the arena since belongs to the last argument */
/** `<prefix>:{<partition>}:<rest>` */
void redis_command_key(struct redis_connection *connection, int32_t partition, const char *rest);
void redis_command_end(struct redis_connection *connection);
/**
 * Send all, wait for all replies (connection->replies, valid until the next exchange). An error reply to any of them makes the whole exchange fail:
 * BATON_E_RETRY (away, loading, busy, out of memory there), BATON_E_STALE (the scripts were forgotten: connection is dropped, ask
 * again), BATON_E_FATAL (no permission, wrong type).
 */
enum baton_err redis_exchange_end(struct redis_connection *connection, struct baton_error *err);
/** Drop the connection and say BATON_E_RETRY: the answer made no sense. */
enum baton_err redis_nonsense(struct redis_connection *connection, const char *command, struct baton_error *err);

/* --- view.c, rebuild.c, reader.c --- */
void redis_key(char out[REDIS_KEY_PREFIX_MAX + 32], const struct redis_connection *connection, int32_t partition, const char *rest);
/** The arguments of one item, as the scripts take them. */
void redis_command_item(struct redis_connection *connection, int32_t partition, const struct view_item *item);
/** The generation of p in which this connection writes: the one that it saw last. */
void redis_generation_note(struct redis_connection *connection, int32_t partition, const redisReply *generation);
const char *redis_generation(const struct redis_connection *connection, int32_t partition);
#define ITEM_ARGS 6
enum baton_err redis_rebuild_begin(void *self, int32_t partition, const char *token, struct baton_error *err);
enum baton_err redis_rebuild_put(void *self, int32_t partition, const char *token, const struct view_item *items, size_t n,
                                 struct baton_error *err);
enum baton_err redis_rebuild_end(void *self, int32_t partition, const char *token, const struct view_meta *meta,
                                 struct baton_error *err);
/** Of the meta hash: w, jo, epoch, and the generation, without which there is no w. */
enum baton_err redis_meta_read(struct redis_connection *connection, int32_t partition, struct view_meta *ret_meta,
                               struct baton_error *err);
int64_t redis_reply_int(const redisReply *reply, int64_t otherwise);
/** The JSON text in a saga's value; text NULL if it is none, or of another generation than p's. */
struct view_text redis_state_text(const redisReply *value, const redisReply *generation);
/** page.c */
enum baton_err redis_page(void *self, struct view_page *page, struct baton_error *err);
/* A type of the keys: <definition>@<version>, or a definition's name alone, of before versions were told apart. */
#define REDIS_TYPE_MAX (DEFINITION_NAME_MAX + 24)
/** Ask for the fields of the meta hash; NULL or the type that the k-th of them names. */
void redis_command_types(struct redis_connection *connection, int32_t partition);
const char *redis_type_in(const redisReply *fields, size_t k);
/** Is it of this definition (NULL or "" = any), and of this version (0 = any)? */
bool redis_type_is(const char *type, const char *definition, int64_t version);
/** Its parts; version 0 if it has none. */
void redis_type_split(const char *type, char ret_definition[DEFINITION_NAME_MAX + 1], int64_t *ret_version);

/* --- cached.c --- */
enum baton_err redis_cached_put(void *self, const struct view_cached *items, size_t n, struct baton_error *err);
enum baton_err redis_cached_get(void *self, struct view_cached *items, size_t n, struct baton_error *err);

/* --- service.c --- */
enum baton_err redis_services_sync(void *self, const char *thread, struct service_sync *syncs, size_t n, int64_t now_ms, struct baton_error *err);

#endif

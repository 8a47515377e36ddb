/*
 * redis.h -- Redis as Baton's view: connections, the view of an engine thread, and read-only access for the faces.
 */
#ifndef BATON_REDIS_H
#define BATON_REDIS_H

#include <baton/view.h>

struct redis_options {
    const char *url;           /* redis://[user[:password]@]host[:port][/db]; part 1: this form only, others are refused with the reason */
    const char *username;      /* NULL = from the url */
    const char *password_file; /* NULL = from the url */
    const char *prefix;        /* key prefix, "baton" */
    int connect_timeout_ms;    /* 0 = 2000 */
    int command_timeout_ms;    /* 0 = 5000 */
};

/** Checks the options and connects lazily: BATON_OK even if Redis is away; BATON_E_INVALID for a bad url. */
enum baton_err redis_view_open(const struct redis_options *options, struct view *ret_view, struct baton_error *err);

/** eviction policy, version, memory: BATON_E_INVALID with the fix if maxmemory-policy can evict (Baton needs noeviction);
 * BATON_E_RETRY when away. ret_version: at least 32 bytes. */
enum baton_err redis_check(const struct redis_options *options, char *ret_version, struct baton_error *err);

/* --- faces: read only --- */
struct redis_reader;
enum baton_err redis_reader_open(const struct redis_options *options, struct redis_reader **ret_reader, struct baton_error *err);
void redis_reader_close(struct redis_reader *reader);
/** The state's JSON text of one saga (malloc'ed, NUL-terminated, caller frees). BATON_E_NOT_FOUND, BATON_E_RETRY. */
enum baton_err redis_reader_state(struct redis_reader *reader, int32_t partition, const char *id, char **ret_text,
                                  struct baton_error *err);

struct redis_listed {
    char id[SAGA_ID_MAX + 1];
    char type[DEFINITION_NAME_MAX + 1];
    int64_t version; /* 0 = of before versions were told apart */
    enum saga_status status;
    int64_t updated_ms;
};
/** The newest sagas by update time over partitions 0..partitions-1. status < 0 = any; type NULL = any; version 0 = any. From the indexes, no
 * scan: O(versions * statuses * log n + max) per partition. */
enum baton_err redis_reader_list(struct redis_reader *reader, int32_t partitions, int status, const char *type, int64_t version,
                                 struct redis_listed *ret_listed, size_t max, size_t *ret_n, struct baton_error *err);
struct redis_counted {
    char type[DEFINITION_NAME_MAX + 1];
    int64_t version;
    int64_t counts[SAGA_STATUS_COUNT];
};
/** How many sagas there are of each version of each definition that has, or had, any; in that order. From the indexes: two exchanges, O(versions *
 * statuses * partitions). *ret_counted: free it. */
enum baton_err redis_reader_count(struct redis_reader *reader, int32_t partitions, struct redis_counted **ret_counted, size_t *ret_n,
                                  struct baton_error *err);
enum baton_err redis_reader_meta(struct redis_reader *reader, int32_t partition, struct view_meta *ret_meta, struct baton_error *err);

/** The services that workers have rules for, by name, at most max. now_ms: by which threads that have said nothing lately are not counted. */
enum baton_err redis_services_list(const struct redis_options *options, int64_t now_ms, struct service_summary *ret_services, size_t max, size_t *ret_n,
                                   struct baton_error *err);
/** An operator's "open", "close" or "reset". BATON_E_NOT_FOUND: no worker has rules for it. why NULL = not said. */
enum baton_err redis_service_set(const struct redis_options *options, const char *name, const char *verb, const char *who, const char *why,
                                 int64_t now_ms, struct baton_error *err);

#endif

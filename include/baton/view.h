/*
 * view.h -- what one engine thread needs of Redis: the watermarked view of a partition's sagas.
 *
 * The journal is the truth; this may lie, and says by w (the highest seq it shows) how far it has got. Implemented by src/redis over hiredis and two
 * Lua scripts; a simulation hands the engine one in memory. All calls come from one thread. Every call: BATON_E_RETRY = Redis
 * is away or busy (nothing is known to have happened, the connection is made anew by the next call); BATON_E_FATAL = Redis answers but can
 * never serve (wrong type, no permission): alarm, retry slowly.
 *
 * Layout: all keys of p under the hash tag {p} (one slot): baton:{p}:meta (hash: w, jo, epoch, token, gen, trial, a field type:<type> for each type),
 * baton:{p}:saga:<id> ("<gen> <seq> <status> <due ms> <updated ms> <type>\n" + the state's JSON text), baton:{p}:timers (ZSET id -> due ms),
 * baton:{p}:index:<type>:<status> (ZSET id -> updated ms). A type is <definition>@<version>. gen is of the last rebuild: a value of another one is no saga.
 */
#ifndef BATON_VIEW_H
#define BATON_VIEW_H

#include <baton/error.h>
#include <baton/gate.h>
#include <baton/saga.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VIEW_EPOCH_MAX 96
#define VIEW_NO_W (-1) /* w is missing */
#define VIEW_TRIAL_MAX 4096

struct view_meta {
    int64_t w;  /* VIEW_NO_W = nothing here, or a rebuild under way */
    int64_t jo; /* journal offset from which records with seq > w are found; <= the true one */
    char epoch[VIEW_EPOCH_MAX];
    char trial[VIEW_TRIAL_MAX]; /* the mark of the last owner; "" = none. Not of rebuild_end */
};

struct view_text {
    const char *text; /* NULL = no such saga; not NUL-terminated */
    size_t len;
};

struct view_load {
    int32_t partition;
    const char *const *ids;
    size_t ids_len;
    int64_t ret_w;          /* VIEW_NO_W = missing */
    struct view_text *ret_states; /* caller's array of ids_len; texts are valid until the next call on this view */
};

struct view_item {
    const char *id;
    const char *type; /* definition name */
    int64_t version;  /* of the definition; 0 = of before they were told apart */
    int64_t seq;
    enum saga_status status;
    int64_t due_ms; /* 0 = no timer */
    int64_t updated_ms;
    const char *state; /* JSON text; NULL = remove the saga (retention ended) */
    size_t state_len;
};

struct view_apply {
    int32_t partition;
    int64_t expected; /* goes through only if w is this, and nobody rebuilt p since this view last saw it (meta, load, rebuild) */
    int64_t target;   /* w after it */
    int64_t jo;
    const struct view_item *items; /* each saga at most once */
    size_t items_len;
    bool ret_refused;
    int64_t ret_w; /* w found when refused; VIEW_NO_W also after another's rebuild */
};

struct view_timer {
    char id[SAGA_ID_MAX + 1];
    int64_t due_ms;
};

/* Sagas by the time of their last change. */
struct view_page {
    int32_t partition;
    const char *type;       /* definition name; "" = any */
    bool status[SAGA_STATUS_COUNT]; /* those wanted */
    int64_t after_ms;       /* beyond this saga, in order of time and id */
    char after_id[SAGA_ID_MAX + 1];
    struct view_timer *items; /* the caller's, max of them; due_ms holds the time of the last change */
    size_t max;
    size_t ret_n;
    bool ret_more;  /* than fitted in */
    int64_t ret_w;  /* read after them: what they are complete up to; VIEW_NO_W = missing */
};

/* The last success of a step under a key: of no partition, written by whoever has it, gone when its time is over or the store is wiped. */
struct view_cached {
    const char *name; /* <definition>:<step>:<key> */
    const char *text; /* not NUL-terminated; of a get: valid until the next call on this view, NULL = nothing there */
    size_t len;
    int64_t ttl_ms;   /* of a put */
};

struct view {
    void *self;

    enum baton_err (*meta)(void *self, int32_t partition, struct view_meta *ret_meta, struct baton_error *err);
    /** One Lua call per load, all sent at once, one wait. */
    enum baton_err (*load)(void *self, struct view_load *loads, size_t n, struct baton_error *err);
    /** One Lua call per apply, all sent at once, one wait. Each is atomic; a saga is written only over a lower seq. */
    enum baton_err (*apply)(void *self, struct view_apply *applies, size_t n, struct baton_error *err);

    /** Rebuild of p, several calls: begin takes w away, makes void all that p has (also keys that no index names), and leaves token; put and
     * end go through only while token is there (BATON_E_STALE otherwise); put overwrites; end sets w, jo, epoch and removes the token. */
    enum baton_err (*rebuild_begin)(void *self, int32_t partition, const char *token, struct baton_error *err);
    enum baton_err (*rebuild_put)(void *self, int32_t partition, const char *token, const struct view_item *items,
                                  size_t n, struct baton_error *err);
    enum baton_err (*rebuild_end)(void *self, int32_t partition, const char *token, const struct view_meta *meta,
                                  struct baton_error *err);

    /** Timers due up to and including until_ms, earliest first, at most max. */
    enum baton_err (*timers)(void *self, int32_t partition, int64_t until_ms, struct view_timer *ret_timers, size_t max,
                             size_t *ret_n, struct baton_error *err);
    /** Ended sagas not updated since before_ms, oldest first, at most max; due_ms holds the time of the last update. */
    enum baton_err (*ended_before)(void *self, int32_t partition, int64_t before_ms, struct view_timer *ret_ended, size_t max,
                                   size_t *ret_n, struct baton_error *err);

    /** The next sagas of a page, oldest change first. */
    enum baton_err (*page)(void *self, struct view_page *page, struct baton_error *err);

    /** Leave a mark at p for the next owner, over the one that is there; "" takes it away. A rebuild leaves it alone. */
    enum baton_err (*trial)(void *self, int32_t partition, const char *text, struct baton_error *err);

    /** Tell what this thread has seen of n services, and hear its share of each; one wait for all of them. `thread` names it among all of them. */
    enum baton_err (*services)(void *self, const char *thread, struct service_sync *syncs, size_t n, int64_t now_ms, struct baton_error *err);

    /** Keep these; of two with one name the last. One wait for all. */
    enum baton_err (*cached_put)(void *self, const struct view_cached *items, size_t n, struct baton_error *err);
    enum baton_err (*cached_get)(void *self, struct view_cached *items, size_t n, struct baton_error *err);

    void (*close)(void *self); /* NULL is fine */
};

#endif

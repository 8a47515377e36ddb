/*
 * memory_view.c -- a Redis in memory: per partition w, jo, epoch, the rebuild's token and the sagas.
 *
 * Timers and the index of ended sagas are what a scan finds: two sources could disagree, one cannot.
 */
#include "memory_view.h"
#include "memory_services.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct kept {
    struct view_item item; /* its strings are owned */
    UT_hash_handle hh;
};

struct shelf { /* one partition */
    struct view_meta meta;
    char token[64];
    struct kept *sagas;
};

struct memory_view {
    struct memory_world *world;
    struct shelf *shelves;
    struct memory_services *services;
    json_t *cached; /* name -> text */
    int32_t partitions;
    int64_t written, applied, marked, service_rounds;
    bool away;
    int answers_lost;
    bool delay_next;
    struct view_apply delayed; /* owned copy; items NULL = none */
    enum memory_rebuild steal;
};

/* One thread's: texts handed out stay valid until its next call. */
struct connection {
    struct memory_view *view;
    char **texts;
    size_t texts_len, texts_cap;
};

/* --- values --- */

static char *copy_text(const char *text, size_t len)
{
    char *copy = malloc(len + 1);

    assert(copy != NULL);
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

static struct view_item copy_item(const struct view_item *item)
{
    struct view_item copy = *item;

    copy.id = copy_text(item->id, strlen(item->id));
    copy.type = copy_text(item->type, strlen(item->type));
    copy.state = item->state == NULL ? NULL : copy_text(item->state, item->state_len);
    return copy;
}

static void free_item(const struct view_item *item)
{
    free((char *)(uintptr_t)item->id);
    free((char *)(uintptr_t)item->type);
    free((char *)(uintptr_t)item->state);
}

static struct kept *find(struct shelf *shelf, const char *id)
{
    struct kept *kept = NULL;

    HASH_FIND(hh, shelf->sagas, id, strlen(id), kept);
    return kept;
}

static void drop(struct shelf *shelf, struct kept *kept)
{
    HASH_DEL(shelf->sagas, kept);
    free_item(&kept->item);
    free(kept);
}

static void put(struct shelf *shelf, const struct view_item *item, bool force)
{
    struct kept *kept = find(shelf, item->id);

    if (item->state != NULL && kept != NULL && !force && kept->item.seq >= item->seq)
        return;
    if (kept != NULL)
        drop(shelf, kept);
    if (item->state == NULL)
        return;
    kept = calloc(1, sizeof *kept);
    assert(kept != NULL);
    kept->item = copy_item(item);
    HASH_ADD_KEYPTR(hh, shelf->sagas, kept->item.id, strlen(kept->item.id), kept);
}

static void wipe(struct shelf *shelf)
{
    struct kept *kept = NULL, *next = NULL;

    HASH_ITER(hh, shelf->sagas, kept, next) {
        drop(shelf, kept);
    }
    memset(&shelf->meta, 0, sizeof shelf->meta);
    shelf->meta.w = VIEW_NO_W;
    shelf->token[0] = '\0';
}

static bool apply_one(struct memory_view *view, struct view_apply *apply)
{
    struct shelf *shelf = &view->shelves[apply->partition];

    apply->ret_w = shelf->meta.w;
    apply->ret_refused = shelf->meta.w != apply->expected;
    if (apply->ret_refused)
        return false;
    for (size_t i = 0; i < apply->items_len; i++)
        put(shelf, &apply->items[i], false);
    shelf->meta.w = apply->ret_w = apply->target;
    shelf->meta.jo = apply->jo;
    view->written += (int64_t)apply->items_len;
    view->applied++;
    return true;
}

static void forget_delayed(struct memory_view *view)
{
    for (size_t i = 0; i < view->delayed.items_len; i++)
        free_item(&view->delayed.items[i]);
    free((struct view_item *)(uintptr_t)view->delayed.items);
    memset(&view->delayed, 0, sizeof view->delayed);
}

static void keep_delayed(struct memory_view *view, const struct view_apply *apply)
{
    struct view_item *items = calloc(apply->items_len + 1, sizeof *items);

    assert(items != NULL);
    forget_delayed(view);
    for (size_t i = 0; i < apply->items_len; i++)
        items[i] = copy_item(&apply->items[i]);
    view->delayed = *apply;
    view->delayed.items = items;
}

/* --- calls of view.h --- */

/* With the lock held afterwards. */
static enum baton_err enter(struct connection *connection, struct baton_error *err)
{
    (void)pthread_mutex_lock(&connection->view->world->lock);
    for (size_t i = 0; i < connection->texts_len; i++)
        free(connection->texts[i]);
    connection->texts_len = 0;
    return connection->view->away ? baton_fail(err, BATON_E_RETRY, "redis in memory: away") : BATON_OK;
}

static enum baton_err leave(struct connection *connection, enum baton_err rc)
{
    memory_world_changed(connection->view->world);
    (void)pthread_mutex_unlock(&connection->view->world->lock);
    return rc;
}

static enum baton_err call_meta(void *self, int32_t partition, struct view_meta *ret_meta, struct baton_error *err)
{
    struct connection *connection = self;
    enum baton_err rc = enter(connection, err);

    if (rc == BATON_OK)
        *ret_meta = connection->view->shelves[partition].meta;
    return leave(connection, rc);
}

static struct view_text hand_out(struct connection *connection, const struct kept *kept)
{
    if (kept == NULL)
        return (struct view_text){0};
    if (connection->texts_len == connection->texts_cap) {
        connection->texts_cap = connection->texts_cap == 0 ? 64 : connection->texts_cap * 2;
        connection->texts = realloc(connection->texts, connection->texts_cap * sizeof *connection->texts);
        assert(connection->texts != NULL);
    }
    connection->texts[connection->texts_len] = copy_text(kept->item.state, kept->item.state_len);
    return (struct view_text){connection->texts[connection->texts_len++], kept->item.state_len};
}

static enum baton_err call_load(void *self, struct view_load *loads, size_t n, struct baton_error *err)
{
    struct connection *connection = self;
    enum baton_err rc = enter(connection, err);

    for (size_t i = 0; i < n && rc == BATON_OK; i++) {
        struct shelf *shelf = &connection->view->shelves[loads[i].partition];

        loads[i].ret_w = shelf->meta.w;
        for (size_t k = 0; k < loads[i].ids_len; k++)
            loads[i].ret_states[k] = hand_out(connection, find(shelf, loads[i].ids[k]));
    }
    return leave(connection, rc);
}

static enum baton_err call_apply(void *self, struct view_apply *applies, size_t n, struct baton_error *err)
{
    struct connection *connection = self;
    struct memory_view *view = connection->view;
    enum baton_err rc = enter(connection, err);

    for (size_t i = 0; i < n && rc == BATON_OK; i++) {
        if (view->delay_next) {
            view->delay_next = false;
            keep_delayed(view, &applies[i]);
            rc = baton_fail(err, BATON_E_RETRY, "redis in memory: an apply hangs in the network");
        } else {
            (void)apply_one(view, &applies[i]);
        }
    }
    if (rc == BATON_OK && view->answers_lost > 0) {
        view->answers_lost--;
        rc = baton_fail(err, BATON_E_RETRY, "redis in memory: the answer is lost");
    }
    return leave(connection, rc);
}

static enum baton_err call_rebuild_begin(void *self, int32_t partition, const char *token, struct baton_error *err)
{
    struct connection *connection = self;
    enum baton_err rc = enter(connection, err);

    if (rc == BATON_OK) {
        wipe(&connection->view->shelves[partition]);
        (void)snprintf(connection->view->shelves[partition].token, sizeof connection->view->shelves[partition].token, "%s", token);
    }
    return leave(connection, rc);
}

static enum baton_err token_holds(struct memory_view *view, int32_t partition, const char *token, enum memory_rebuild call,
                                  struct baton_error *err)
{
    struct shelf *shelf = &view->shelves[partition];

    if (view->steal == call) {
        view->steal = MEMORY_REBUILD_NONE;
        (void)strcpy(shelf->token, "somebody else's");
    }
    return strcmp(shelf->token, token) == 0 ? BATON_OK : baton_fail(err, BATON_E_STALE, "partition %d: token %s is gone", partition, token);
}

static enum baton_err call_rebuild_put(void *self, int32_t partition, const char *token, const struct view_item *items, size_t n,
                                       struct baton_error *err)
{
    struct connection *connection = self;
    enum baton_err rc = enter(connection, err);

    if (rc == BATON_OK)
        rc = token_holds(connection->view, partition, token, MEMORY_REBUILD_PUT, err);
    for (size_t i = 0; i < n && rc == BATON_OK; i++)
        put(&connection->view->shelves[partition], &items[i], true);
    return leave(connection, rc);
}

static enum baton_err call_rebuild_end(void *self, int32_t partition, const char *token, const struct view_meta *meta,
                                       struct baton_error *err)
{
    struct connection *connection = self;
    enum baton_err rc = enter(connection, err);

    if (rc == BATON_OK)
        rc = token_holds(connection->view, partition, token, MEMORY_REBUILD_END, err);
    if (rc == BATON_OK) {
        struct view_meta *kept = &connection->view->shelves[partition].meta;

        kept->w = meta->w;
        kept->jo = meta->jo;
        memcpy(kept->epoch, meta->epoch, sizeof kept->epoch);
        connection->view->shelves[partition].token[0] = '\0';
    }
    return leave(connection, rc);
}

static int earlier_first(const void *a, const void *b)
{
    const struct view_timer *one = a, *two = b;

    return one->due_ms != two->due_ms ? (one->due_ms > two->due_ms) - (one->due_ms < two->due_ms) : strcmp(one->id, two->id);
}

/* All of them sorted, then the first max: as ZRANGEBYSCORE ... LIMIT answers. */
static void scan(struct shelf *shelf, bool ended, int64_t until_ms, struct view_timer *ret_timers, size_t max, size_t *ret_n)
{
    struct view_timer *all = calloc(HASH_COUNT(shelf->sagas) + 1, sizeof *all);
    size_t n = 0;

    assert(all != NULL);
    for (struct kept *kept = shelf->sagas; kept != NULL; kept = kept->hh.next) {
        int64_t at = ended ? kept->item.updated_ms : kept->item.due_ms;

        if (at > until_ms || (ended ? !saga_status_ended(kept->item.status) : at == 0))
            continue;
        (void)snprintf(all[n].id, sizeof all[n].id, "%s", kept->item.id);
        all[n++].due_ms = at;
    }
    qsort(all, n, sizeof *all, earlier_first);
    *ret_n = n < max ? n : max;
    memcpy(ret_timers, all, *ret_n * sizeof *all);
    free(all);
}

static enum baton_err call_timers(void *self, int32_t partition, int64_t until_ms, struct view_timer *ret_timers, size_t max,
                                  size_t *ret_n, struct baton_error *err)
{
    struct connection *connection = self;
    enum baton_err rc = enter(connection, err);

    if (rc == BATON_OK)
        scan(&connection->view->shelves[partition], false, until_ms, ret_timers, max, ret_n);
    return leave(connection, rc);
}

static enum baton_err call_ended_before(void *self, int32_t partition, int64_t before_ms, struct view_timer *ret_ended, size_t max,
                                        size_t *ret_n, struct baton_error *err)
{
    struct connection *connection = self;
    enum baton_err rc = enter(connection, err);

    if (rc == BATON_OK)
        scan(&connection->view->shelves[partition], true, before_ms, ret_ended, max, ret_n);
    return leave(connection, rc);
}

static enum baton_err call_page(void *self, struct view_page *page, struct baton_error *err)
{
    struct connection *connection = self;
    enum baton_err rc = enter(connection, err);
    struct shelf *shelf = &connection->view->shelves[page->partition];
    struct view_timer *all = calloc(HASH_COUNT(shelf->sagas) + 1, sizeof *all), after = {.due_ms = page->after_ms};
    size_t n = 0;

    assert(all != NULL);
    (void)strcpy(after.id, page->after_id);
    for (struct kept *kept = rc == BATON_OK ? shelf->sagas : NULL; kept != NULL; kept = kept->hh.next) {
        if (!page->status[kept->item.status] || (page->type[0] != '\0' && strcmp(page->type, kept->item.type) != 0))
            continue;
        (void)snprintf(all[n].id, sizeof all[n].id, "%s", kept->item.id);
        all[n].due_ms = kept->item.updated_ms;
        n += earlier_first(&after, &all[n]) < 0;
    }
    qsort(all, n, sizeof *all, earlier_first);
    page->ret_n = n < page->max ? n : page->max;
    page->ret_more = n > page->max;
    page->ret_w = shelf->meta.w;
    memcpy(page->items, all, page->ret_n * sizeof *all);
    free(all);
    return leave(connection, rc);
}

static enum baton_err call_trial(void *self, int32_t partition, const char *text, struct baton_error *err)
{
    struct connection *connection = self;
    enum baton_err rc = enter(connection, err);

    assert(strlen(text) < VIEW_TRIAL_MAX);
    if (rc == BATON_OK)
        (void)strcpy(connection->view->shelves[partition].meta.trial, text);
    connection->view->marked += rc == BATON_OK;
    return leave(connection, rc);
}

static enum baton_err call_services(void *self, const char *thread, struct service_sync *syncs, size_t n, int64_t now_ms, struct baton_error *err)
{
    struct connection *connection = self;
    enum baton_err rc = enter(connection, err);

    if (rc == BATON_OK)
        memory_services_sync(connection->view->services, thread, syncs, n, now_ms);
    connection->view->service_rounds += rc == BATON_OK;
    return leave(connection, rc);
}

/* --- cached values: names and texts; time is not looked at --- */

static enum baton_err call_cached_put(void *self, const struct view_cached *items, size_t n, struct baton_error *err)
{
    struct connection *connection = self;
    enum baton_err rc = enter(connection, err);

    for (size_t i = 0; rc == BATON_OK && i < n; i++)
        json_object_set_new(connection->view->cached, items[i].name, json_stringn(items[i].text, items[i].len));
    return leave(connection, rc);
}

static enum baton_err call_cached_get(void *self, struct view_cached *items, size_t n, struct baton_error *err)
{
    struct connection *connection = self;
    enum baton_err rc = enter(connection, err);

    for (size_t i = 0; rc == BATON_OK && i < n; i++) {
        items[i].text = json_string_value(json_object_get(connection->view->cached, items[i].name));
        items[i].len = items[i].text == NULL ? 0 : strlen(items[i].text);
    }
    return leave(connection, rc);
}

static void call_close(void *self)
{
    struct connection *connection = self;

    if (connection == NULL)
        return;
    (void)enter(connection, NULL);
    (void)leave(connection, BATON_OK);
    free(connection->texts);
    free(connection);
}

enum baton_err memory_view_open(struct memory_view *view, struct view *ret_view, struct baton_error *err)
{
    struct connection *connection = calloc(1, sizeof *connection);

    if (connection == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory");
    connection->view = view;
    *ret_view = (struct view){
        .self = connection,
        .meta = call_meta,
        .load = call_load,
        .apply = call_apply,
        .rebuild_begin = call_rebuild_begin,
        .rebuild_put = call_rebuild_put,
        .rebuild_end = call_rebuild_end,
        .timers = call_timers,
        .ended_before = call_ended_before,
        .page = call_page,
        .trial = call_trial,
        .services = call_services,
        .cached_put = call_cached_put,
        .cached_get = call_cached_get,
        .close = call_close,
    };
    return BATON_OK;
}

/* --- the test's side --- */

struct memory_view *memory_view_new(struct memory_world *world, int32_t partitions)
{
    struct memory_view *view = calloc(1, sizeof *view);

    assert(view != NULL);
    view->world = world;
    view->partitions = partitions;
    view->services = memory_services_new();
    view->cached = json_object();
    view->shelves = calloc((size_t)partitions, sizeof *view->shelves);
    assert(view->shelves != NULL);
    for (int32_t p = 0; p < partitions; p++)
        view->shelves[p].meta.w = VIEW_NO_W;
    return view;
}

void memory_view_free(struct memory_view *view)
{
    if (view == NULL)
        return;
    for (int32_t p = 0; p < view->partitions; p++)
        wipe(&view->shelves[p]);
    forget_delayed(view);
    memory_services_free(view->services);
    json_decref(view->cached);
    free(view->shelves);
    free(view);
}

static void lock(struct memory_view *view)
{
    (void)pthread_mutex_lock(&view->world->lock);
}

static void unlock(struct memory_view *view)
{
    memory_world_changed(view->world);
    (void)pthread_mutex_unlock(&view->world->lock);
}

struct view_meta memory_view_meta(struct memory_view *view, int32_t partition)
{
    struct view_meta meta;

    lock(view);
    meta = view->shelves[partition].meta;
    unlock(view);
    return meta;
}

size_t memory_view_sagas(struct memory_view *view, int32_t partition)
{
    size_t n = 0;

    lock(view);
    n = HASH_COUNT(view->shelves[partition].sagas);
    unlock(view);
    return n;
}

void memory_view_each(struct memory_view *view, int32_t partition, void (*visit)(void *context, const struct view_item *item),
                      void *context)
{
    struct view_item *items = NULL;
    size_t n = 0;

    lock(view);
    items = calloc(HASH_COUNT(view->shelves[partition].sagas) + 1, sizeof *items);
    assert(items != NULL);
    for (struct kept *kept = view->shelves[partition].sagas; kept != NULL; kept = kept->hh.next)
        items[n++] = copy_item(&kept->item);
    unlock(view);
    for (size_t i = 0; i < n; i++) {
        visit(context, &items[i]);
        free_item(&items[i]);
    }
    free(items);
}

int64_t memory_view_written(struct memory_view *view)
{
    int64_t n = 0;

    lock(view);
    n = view->written;
    unlock(view);
    return n;
}

int64_t memory_view_applied(struct memory_view *view)
{
    int64_t n = 0;

    lock(view);
    n = view->applied;
    unlock(view);
    return n;
}

void memory_view_wipe(struct memory_view *view)
{
    lock(view);
    for (int32_t p = 0; p < view->partitions; p++)
        wipe(&view->shelves[p]);
    memory_services_wipe(view->services);
    (void)json_object_clear(view->cached);
    unlock(view);
}

struct memory_view *memory_view_snapshot(struct memory_view *view)
{
    struct memory_view *snapshot = memory_view_new(view->world, view->partitions);

    lock(view);
    for (int32_t p = 0; p < view->partitions; p++) {
        snapshot->shelves[p].meta = view->shelves[p].meta;
        for (struct kept *kept = view->shelves[p].sagas; kept != NULL; kept = kept->hh.next)
            put(&snapshot->shelves[p], &kept->item, true);
    }
    unlock(view);
    return snapshot;
}

void memory_view_roll_back(struct memory_view *view, struct memory_view *snapshot)
{
    struct shelf *shelves = NULL;

    lock(view);
    shelves = view->shelves;
    view->shelves = snapshot->shelves;
    snapshot->shelves = shelves;
    unlock(view);
    memory_view_free(snapshot);
}

void memory_view_away(struct memory_view *view, bool away)
{
    lock(view);
    view->away = away;
    unlock(view);
}

void memory_view_lose_answers(struct memory_view *view, int times)
{
    lock(view);
    view->answers_lost = times;
    unlock(view);
}

void memory_view_delay_next(struct memory_view *view)
{
    lock(view);
    view->delay_next = true;
    unlock(view);
}

bool memory_view_deliver(struct memory_view *view)
{
    bool fine = false;

    lock(view);
    view->delay_next = false;
    fine = view->delayed.items != NULL && apply_one(view, &view->delayed);
    forget_delayed(view);
    unlock(view);
    return fine;
}

int64_t memory_view_marked(struct memory_view *view)
{
    int64_t marked = 0;

    lock(view);
    marked = view->marked;
    unlock(view);
    return marked;
}

void memory_view_set_trial(struct memory_view *view, int32_t partition, const char *text)
{
    lock(view);
    (void)snprintf(view->shelves[partition].meta.trial, sizeof view->shelves[partition].meta.trial, "%s", text);
    unlock(view);
}

void memory_view_set_meta(struct memory_view *view, int32_t partition, int64_t w, int64_t jo, const char *epoch)
{
    struct view_meta *meta = &view->shelves[partition].meta;

    lock(view);
    meta->w = w;
    meta->jo = jo;
    (void)snprintf(meta->epoch, sizeof meta->epoch, "%s", epoch);
    unlock(view);
}

void memory_view_steal_token(struct memory_view *view, enum memory_rebuild before)
{
    lock(view);
    view->steal = before;
    unlock(view);
}

bool memory_view_set_service(struct memory_view *view, const char *name, const char *verb)
{
    bool fine = false;

    lock(view);
    fine = memory_services_set(view->services, name, verb, view->world->now_ms(view->world->context));
    unlock(view);
    return fine;
}

int64_t memory_view_service_rounds(struct memory_view *view)
{
    int64_t rounds = 0;

    lock(view);
    rounds = view->service_rounds;
    unlock(view);
    return rounds;
}

int64_t memory_view_service_held(struct memory_view *view, const char *name)
{
    int64_t held = 0;

    lock(view);
    held = memory_services_held(view->services, name);
    unlock(view);
    return held;
}

bool memory_view_service_is(struct memory_view *view, const char *name, const char *state)
{
    bool is = false;

    lock(view);
    is = strcmp(memory_services_field(view->services, name, "state"), state) == 0;
    unlock(view);
    return is;
}

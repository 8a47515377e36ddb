/*
 * cached.c -- the last successes of steps: kept once they are committed, told when one has to stand in.
 *
 * Owns:     what is to be kept; asking for what was, within the transaction that needs it.
 * Rule:     what a transaction has not committed is seen by nobody. What is lost on the way (a crash, a full or wiped store) is lost: it is a cache.
 * Rule:     the answer is an event of the same transaction, in the journal behind the one that asked. With the store away the whole batch waits, as for a load.
 * Tests:    tests/engine/test_cached.c, tests/integration/test_cached.py
 */
#include "cached.h"
#include <stdlib.h>

#define KEPT_BYTES_MAX (4 * 1024 * 1024) /* not yet given to the store; beyond it nothing is kept */

struct value {
    char *name, *text;
    size_t len;
    int64_t ttl_ms;
};

struct lookup {
    char *name;
    char saga[SAGA_ID_MAX + 1];
    struct saga_place place;
};

struct cached {
    struct value *values; /* the first `committed` of them are of transactions that are */
    size_t len, cap, committed, bytes;
    struct lookup *lookups;
    size_t lookups_len, lookups_cap;
};

struct cached *cached_new(void)
{
    return calloc(1, sizeof(struct cached));
}

static void drop_values(struct cached *cached, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        cached->bytes -= cached->values[i].len;
        free(cached->values[i].name);
        free(cached->values[i].text);
    }
    memmove(cached->values + from, cached->values + to, (cached->len - to) * sizeof *cached->values);
    cached->len -= to - from;
}

static void drop_lookups(struct lookup *lookups, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(lookups[i].name);
}

void cached_free(struct cached *cached)
{
    if (cached == NULL)
        return;
    if (cached->len > 0)
        drop_values(cached, 0, cached->len);
    drop_lookups(cached->lookups, cached->lookups_len);
    free(cached->values);
    free(cached->lookups);
    free(cached);
}

/* Of the step itself, whether it or what stands in for it asks. */
static char *name_of(const struct saga *saga, int step, const json_t *key)
{
    const struct definition *definition = saga->definition;
    int index = definition->steps[step].stands_in == FALLBACK_NONE ? step : definition->steps[step].parent;
    char *name = NULL;

    if (asprintf(&name, "%s:%s:%s", definition->name, definition->steps[index].name, json_string_value(key)) < 0)
        return NULL;
    return name;
}

/* One element more at the end of an array; NULL if memory ran out. */
static void *grown(void *array, size_t len, size_t *cap, size_t size)
{
    void *items = array;

    if (len < *cap)
        return array;
    items = realloc(array, (*cap == 0 ? 16 : *cap * 2) * size);
    if (items != NULL)
        *cap = *cap == 0 ? 16 : *cap * 2;
    return items;
}

static bool note_value(struct engine *engine, const struct saga *saga, const struct effect *effect)
{
    struct cached *cached = engine->cached;
    struct value *values = NULL;
    char *name = NULL, *text = NULL;

    buffer_clear(&engine->scratch);
    buffer_text(&engine->scratch, "{\"at\":");
    buffer_int(&engine->scratch, saga->updated_at_ms);
    buffer_text(&engine->scratch, ",\"value\":");
    json_write(&engine->scratch, json_object_get(effect->input, "value"));
    buffer_char(&engine->scratch, '}');
    if (engine->scratch.failed)
        return false;
    if (engine->scratch.len > CACHED_BYTES_MAX || cached->bytes + engine->scratch.len > KEPT_BYTES_MAX)
        return true;
    values = grown(cached->values, cached->len, &cached->cap, sizeof *values);
    if (values == NULL)
        return false;
    cached->values = values;
    name = name_of(saga, effect->place.index, json_object_get(effect->input, "key"));
    text = malloc(engine->scratch.len);
    if (name == NULL || text == NULL) {
        free(name);
        free(text);
        return false;
    }
    memcpy(text, engine->scratch.data, engine->scratch.len);
    cached->values[cached->len++] = (struct value){.name = name, .text = text, .len = engine->scratch.len, .ttl_ms = effect->expires_at_ms - saga->updated_at_ms};
    cached->bytes += engine->scratch.len;
    return true;
}

static bool note_lookup(struct cached *cached, const struct saga *saga, const struct effect *effect)
{
    struct lookup *lookups = grown(cached->lookups, cached->lookups_len, &cached->lookups_cap, sizeof *lookups), *lookup = NULL;

    if (lookups == NULL)
        return false;
    cached->lookups = lookups;
    lookup = &lookups[cached->lookups_len];
    *lookup = (struct lookup){.name = name_of(saga, effect->place.index, json_object_get(effect->input, "key")), .place = effect->place};
    if (lookup->name == NULL)
        return false;
    (void)strcpy(lookup->saga, saga->id);
    cached->lookups_len++;
    return true;
}

bool cached_note(struct engine *engine, const struct saga *saga, const struct effect *effect)
{
    return effect->kind == EFFECT_CACHE ? note_value(engine, saga, effect) : note_lookup(engine->cached, saga, effect);
}

void cached_flush(struct engine *engine)
{
    struct cached *cached = engine->cached;
    struct view_cached *items = cached->committed == 0 ? NULL : calloc(cached->committed, sizeof *items);
    struct baton_error err;

    if (items == NULL)
        return;
    for (size_t i = 0; i < cached->committed; i++)
        items[i] = (struct view_cached){.name = cached->values[i].name, .text = cached->values[i].text, .len = cached->values[i].len, .ttl_ms = cached->values[i].ttl_ms};
    if (engine->view.cached_put(engine->view.self, items, cached->committed, &err) != BATON_OK)
        ENGINE_LOG(engine, LOG_LEVEL_WARN, "%zu successes are not kept for fallbacks: %s", cached->committed, err.text);
    free(items);
    drop_values(cached, 0, cached->committed);
    cached->committed = 0;
}

/* What the store has of it; body NULL = nothing that can be used. */
static void read_value(const struct view_cached *item, struct saga_event *event)
{
    static const struct json_limits limits = {CACHED_BYTES_MAX, JSON_DEPTH_MAX, JSON_VALUES_MAX};
    json_t *doc = NULL;

    if (item->text == NULL || json_parse(item->text, item->len, &limits, &doc, NULL) != BATON_OK)
        return;
    event->body = json_incref(json_object_get(doc, "value"));
    event->cached_at_ms = json_integer_value(json_object_get(doc, "at"));
    json_decref(doc);
}

static enum baton_err tell_all(struct engine *engine, const struct lookup *lookups, struct saga_event *events, size_t n, struct baton_error *err)
{
    static const struct journal_cause nothing = {0};
    enum baton_err rc = BATON_OK;

    for (size_t i = 0; i < n && rc == BATON_OK; i++) {
        struct entry *entry = cache_find(engine, lookups[i].saga);

        if (entry != NULL && decide_current(entry) != NULL)
            rc = decide_apply(engine, entry, &events[i], &nothing, err);
    }
    return rc;
}

static enum baton_err ask(struct engine *engine, const struct lookup *lookups, size_t n, struct baton_error *err)
{
    struct view_cached *items = calloc(n, sizeof *items);
    struct saga_event *events = calloc(n, sizeof *events);
    enum baton_err rc = items == NULL || events == NULL ? baton_fail(err, BATON_E_NOMEM, "out of memory for cached values") : BATON_OK;

    for (size_t i = 0; i < n && rc == BATON_OK; i++)
        items[i].name = lookups[i].name;
    if (rc == BATON_OK)
        rc = view_checked(engine, engine->view.cached_get(engine->view.self, items, n, err), err);
    for (size_t i = 0; i < n && rc == BATON_OK; i++) {
        events[i] = (struct saga_event){.kind = EVENT_CACHED, .at_ms = engine->now_ms, .place = lookups[i].place};
        read_value(&items[i], &events[i]);
    }
    if (rc == BATON_OK)
        rc = tell_all(engine, lookups, events, n, err);
    for (size_t i = 0; events != NULL && i < n; i++)
        json_decref(events[i].body);
    free(items);
    free(events);
    return rc;
}

enum baton_err cached_ask(struct engine *engine, struct baton_error *err)
{
    struct cached *cached = engine->cached;
    enum baton_err rc = BATON_OK;

    while (cached->lookups_len > 0 && rc == BATON_OK) { /* the answers may have others asked for */
        struct lookup *lookups = cached->lookups;
        size_t n = cached->lookups_len;

        cached->lookups = NULL;
        cached->lookups_len = cached->lookups_cap = 0;
        cached_flush(engine);
        rc = ask(engine, lookups, n, err);
        drop_lookups(lookups, n);
        free(lookups);
    }
    return rc;
}

void cached_committed(struct engine *engine)
{
    engine->cached->committed = engine->cached->len;
}

void cached_clear(struct engine *engine)
{
    struct cached *cached = engine->cached;

    if (cached->len > cached->committed)
        drop_values(cached, cached->committed, cached->len);
    drop_lookups(cached->lookups, cached->lookups_len);
    cached->lookups_len = 0;
}

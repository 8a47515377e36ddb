/*
 * definitions.c -- the definitions all threads share, and each thread's compiled copies.
 *
 * Owns:     struct definition_store (texts, under a lock), struct compiled (per thread: expressions live in the thread's vm).
 * Rule:     (name, version) is immutable: the first content under it stays.
 * Tests:    tests/engine/test_definitions.c
 */
#include "engine_internal.h"
#include <stdlib.h>
#include <unistd.h>

struct stored {
    char key[DEFINITION_NAME_MAX + 24]; /* name@version */
    char name[DEFINITION_NAME_MAX + 1];
    int64_t version;
    char hash[65];
    char *text;
    size_t len;
    UT_hash_handle hh;
};

struct definition_store {
    pthread_mutex_t lock;
    struct stored *all;
    _Atomic uint64_t generation;
};

struct compiled {
    char key[DEFINITION_NAME_MAX + 24];
    struct definition *definition;
    UT_hash_handle hh;
};

struct definition_store *definition_store_new(void)
{
    struct definition_store *store = calloc(1, sizeof *store);

    if (store != NULL)
        (void)pthread_mutex_init(&store->lock, NULL);
    return store;
}

void definition_store_free(struct definition_store *store)
{
    struct stored *stored = NULL, *next = NULL;

    if (store == NULL)
        return;
    HASH_ITER(hh, store->all, stored, next) {
        HASH_DEL(store->all, stored);
        free(stored->text);
        free(stored);
    }
    (void)pthread_mutex_destroy(&store->lock);
    free(store);
}

static void make_key(char *out, size_t max, const char *name, int64_t version)
{
    (void)snprintf(out, max, "%s@%lld", name, (long long)version);
}

/* Compile a document in vm; the first error finding becomes the error's text. */
static enum baton_err compile(const char *text, size_t len, struct expr_vm *vm, struct definition **ret_definition,
                              struct baton_error *err)
{
    static const struct json_limits limits = {DEFINITION_BYTES_MAX, JSON_DEPTH_MAX, JSON_VALUES_MAX};
    struct findings *findings = calloc(1, sizeof *findings);
    struct definition *definition = NULL;
    json_t *doc = NULL;
    enum baton_err rc = BATON_OK;

    if (findings == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory for a definition");
    rc = json_parse(text, len, &limits, &doc, err);
    if (rc != BATON_OK)
        goto out;
    rc = definition_parse(doc, vm, findings, &definition);
    if (rc == BATON_E_INVALID) {
        for (size_t i = 0; i < findings->len; i++) {
            if (findings->items[i].level == FINDING_ERROR) {
                rc = baton_fail(err, rc, "definition at %s: %s", findings->items[i].pointer, findings->items[i].text);
                break;
            }
        }
    } else if (rc != BATON_OK) {
        (void)baton_fail(err, rc, "out of memory for a definition");
    }
    if (rc == BATON_OK)
        rc = wire_definition_hash(doc, definition->hash, err);
    if (rc != BATON_OK)
        goto out;
    *ret_definition = definition;
    definition = NULL;
out:
    definition_free(definition);
    json_decref(doc);
    free(findings);
    return rc;
}

enum baton_err definition_store_put(struct definition_store *store, const char *text, size_t len, struct baton_error *err)
{
    struct expr_vm *vm = expr_vm_new();
    struct definition *definition = NULL;
    struct stored *stored = NULL, *old = NULL;
    enum baton_err rc = BATON_OK;

    if (vm == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory for a definition");
    rc = compile(text, len, vm, &definition, err);
    if (rc != BATON_OK)
        goto out;
    stored = calloc(1, sizeof *stored);
    if (stored == NULL || (stored->text = malloc(len + 1)) == NULL) {
        rc = baton_fail(err, BATON_E_NOMEM, "out of memory for definition %s", definition->name);
        goto out;
    }
    memcpy(stored->text, text, len);
    stored->text[len] = '\0';
    stored->len = len;
    (void)snprintf(stored->name, sizeof stored->name, "%s", definition->name);
    stored->version = definition->version;
    memcpy(stored->hash, definition->hash, sizeof stored->hash);
    make_key(stored->key, sizeof stored->key, stored->name, stored->version);
    (void)pthread_mutex_lock(&store->lock);
    HASH_FIND_STR(store->all, stored->key, old);
    if (old == NULL) {
        HASH_ADD_STR(store->all, key, stored);
        atomic_fetch_add(&store->generation, 1);
        stored = NULL;
    } else if (strcmp(old->hash, stored->hash) != 0) {
        rc = baton_fail(err, BATON_E_CONFLICT,
                        "definition %s exists already with other content (hash %.12s, this one %.12s): give it a new version",
                        stored->key, old->hash, stored->hash);
    }
    (void)pthread_mutex_unlock(&store->lock);
out:
    if (stored != NULL)
        free(stored->text);
    free(stored);
    definition_free(definition);
    expr_vm_free(vm);
    return rc;
}

/* With the lock held. */
static struct stored *find(struct definition_store *store, const char *name, int64_t version)
{
    struct stored *stored = NULL, *best = NULL;
    char key[DEFINITION_NAME_MAX + 24];

    if (version > 0) {
        make_key(key, sizeof key, name, version);
        HASH_FIND_STR(store->all, key, best);
        return best;
    }
    for (stored = store->all; stored != NULL; stored = stored->hh.next) {
        if (strcmp(stored->name, name) == 0 && (best == NULL || stored->version > best->version))
            best = stored;
    }
    return best;
}

enum baton_err definition_store_get(struct definition_store *store, const char *name, int64_t version, char **ret_text,
                                    int64_t *ret_version, char ret_hash[65])
{
    struct stored *stored = NULL;
    enum baton_err rc = BATON_E_NOT_FOUND;

    (void)pthread_mutex_lock(&store->lock);
    stored = find(store, name, version);
    if (stored != NULL) {
        char *text = strdup(stored->text);

        rc = text == NULL ? BATON_E_NOMEM : BATON_OK;
        if (text != NULL) {
            *ret_text = text;
            *ret_version = stored->version;
            memcpy(ret_hash, stored->hash, sizeof stored->hash);
        }
    }
    (void)pthread_mutex_unlock(&store->lock);
    return rc;
}

static int by_name_and_version(const struct stored *a, const struct stored *b)
{
    int order = strcmp(a->name, b->name);

    return order != 0 ? order : (a->version > b->version) - (a->version < b->version);
}

void definition_store_each(struct definition_store *store,
                           void (*visit)(void *context, const char *name, int64_t version, const char *hash, const char *text),
                           void *context)
{
    (void)pthread_mutex_lock(&store->lock);
    HASH_SORT(store->all, by_name_and_version);
    for (struct stored *stored = store->all; stored != NULL; stored = stored->hh.next)
        visit(context, stored->name, stored->version, stored->hash, stored->text);
    (void)pthread_mutex_unlock(&store->lock);
}

uint64_t definition_store_generation(struct definition_store *store)
{
    return atomic_load(&store->generation);
}

/* --- one thread's --- */

/* The newest version known now; 0 = none. */
static int64_t newest(struct definition_store *store, const char *name)
{
    int64_t version = 0;
    struct stored *stored = NULL;

    (void)pthread_mutex_lock(&store->lock);
    stored = find(store, name, 0);
    if (stored != NULL)
        version = stored->version;
    (void)pthread_mutex_unlock(&store->lock);
    return version;
}

static enum baton_err get_known(struct engine *engine, const char *name, int64_t version, const char *hash,
                                const struct definition **ret_definition, struct baton_error *err)
{
    struct definition_store *store = engine->options->store;
    struct compiled *compiled = NULL;
    struct definition *definition = NULL;
    char key[DEFINITION_NAME_MAX + 24], found_hash[65], *text = NULL;
    int64_t found = version > 0 ? version : newest(store, name);
    enum baton_err rc = BATON_OK;

    if (strcmp(name, LOCK_DEFINITION) == 0) {
        *ret_definition = engine->lock_definition;
        return BATON_OK;
    }
    make_key(key, sizeof key, name, found);
    HASH_FIND_STR(engine->compiled, key, compiled);
    if (compiled == NULL) {
        rc = found == 0 ? BATON_E_NOT_FOUND : definition_store_get(store, name, found, &text, &found, found_hash);
        if (rc != BATON_OK)
            return baton_fail(err, rc, "definition %s is not on the definitions topic: deploy it", key);
        rc = compile(text, strlen(text), engine->vm, &definition, err);
        free(text);
        if (rc != BATON_OK)
            return rc;
        compiled = calloc(1, sizeof *compiled);
        if (compiled == NULL) {
            definition_free(definition);
            return baton_fail(err, BATON_E_NOMEM, "out of memory for definition %s", key);
        }
        (void)strcpy(compiled->key, key);
        compiled->definition = definition;
        HASH_ADD_STR(engine->compiled, key, compiled);
    }
    if (hash != NULL && strcmp(hash, compiled->definition->hash) != 0)
        return baton_fail(err, BATON_E_NOT_FOUND,
                          "definition %s on the definitions topic has hash %.12s, the saga is pinned to %.12s", key,
                          compiled->definition->hash, hash);
    *ret_definition = compiled->definition;
    return BATON_OK;
}

/* Until the feeder has read the definitions topic to where it ends now: only then "unknown" means unknown. */
static void wait_for_feeder(struct engine *engine)
{
    struct baton_error err;
    int64_t low = 0, high = 0, until = engine_now(engine) + DEFINITION_ASK_MS;

    if (engine->bus.watermarks(engine->bus.self, engine->options->definitions_topic, 0, DEFINITION_ASK_MS, &low, &high,
                               &err) != BATON_OK)
        return;
    while (atomic_load(&engine->worker->feed_position) < high && engine_now(engine) < until && !engine_stopping(engine))
        (void)usleep(2000);
}

enum baton_err definitions_get(struct engine *engine, const char *name, int64_t version, const char *hash,
                               const struct definition **ret_definition, struct baton_error *err)
{
    enum baton_err rc = get_known(engine, name, version, hash, ret_definition, err);

    if (rc != BATON_E_NOT_FOUND || engine->definitions_asked)
        return rc;
    wait_for_feeder(engine);
    engine->definitions_asked = true;
    return get_known(engine, name, version, hash, ret_definition, err);
}

void definitions_free(struct engine *engine)
{
    struct compiled *compiled = NULL, *next = NULL;

    HASH_ITER(hh, engine->compiled, compiled, next) {
        HASH_DEL(engine->compiled, compiled);
        definition_free(compiled->definition);
        free(compiled);
    }
}

enum baton_err definitions_read_state(struct engine *engine, const char *text, size_t len, struct saga **ret_saga,
                                      struct baton_error *err)
{
    static const struct json_limits limits = {64 * 1024 * 1024, 2 * JSON_DEPTH_MAX, SIZE_MAX};
    const struct definition *definition = NULL;
    const char *name = NULL, *hash = NULL;
    int64_t version = 0;
    json_t *doc = NULL;
    enum baton_err rc = json_parse(text, len, &limits, &doc, err);

    if (rc != BATON_OK)
        return rc;
    if (!wire_state_definition(doc, &name, &version, &hash))
        rc = baton_fail(err, BATON_E_INVALID, "a saga's state names no definition");
    else
        rc = definitions_get(engine, name, version, hash, &definition, err);
    if (rc == BATON_OK)
        rc = wire_state_read(doc, definition, ret_saga, err);
    json_decref(doc);
    return rc;
}

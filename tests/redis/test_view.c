/*
 * test_view.c -- load, apply and rebuild over a real Redis, a row each: what is done, what each call says, what then lies in partition 0.
 *
 * Calls:  new (an empty Redis, a view at w 0) | apply EXPECTED TARGET ITEM... | load ID... | begin TOKEN | put TOKEN ITEM... | end TOKEN W |
 *         redis COMMAND... (another program's hand; {} stands for the partition's key head).
 * Items:  ID@SEQ:STATUS:DUE:UPDATED, of type order unless "/TYPE" follows; its state's text is "ID@SEQ". ID@gone removes it.
 * Answers: what is not simply ok, then the keys: w (or "no w"), sagas with their text ("void" = of an older generation), timers, indexes.
 */
#include "support.h"
#include "redis_internal.h"

static struct server server;
static struct view view;

static const struct row {
    const char *name;
    const char *when;
    const char *then;
} rows[] = {
    /* apply */
    {"a saga applied is there, with its timer and its index", "new; apply 0 1 a@1:running:50:7", "w 1, a=a@1, timers a 50, order:running a 7"},
    {"one apply shows several transactions and sagas", "new; apply 0 3 a@1:running:50:7 b@3:parked:0:8",
     "w 3, a=a@1, b=b@3, timers a 50, order:parked b 8, order:running a 7"},
    {"an apply may change no saga at all", "new; apply 0 4", "w 4"},
    {"an apply from another w is refused, says the w, changes nothing", "new; apply 0 2 a@2:running:50:7; apply 1 3 a@3:running:60:8 b@3:running:60:8",
     "refused at 2; w 2, a=a@2, timers a 50, order:running a 7"},
    {"an apply sent twice is refused with its own target", "new; apply 0 2 a@2:running:50:7; apply 0 2 a@2:running:50:7",
     "refused at 2; w 2, a=a@2, timers a 50, order:running a 7"},
    {"an apply where nothing is shown is refused", "apply 0 1 a@1:running:50:7", "refused at -1; no w"},
    {"an apply with an old w that looks like a prefix is refused", "new; apply 0 12; apply 1 13", "refused at 12; w 12"},
    {"a saga is written only over a lower seq", "new; apply 0 1 a@5:parked:0:9; apply 1 2 a@4:running:50:7", "w 2, a=a@5, order:parked a 9"},
    {"the same seq again changes nothing", "new; apply 0 1 a@5:parked:0:9; apply 1 2 a@5:running:50:7", "w 2, a=a@5, order:parked a 9"},
    {"seqs are compared as numbers", "new; apply 0 1 a@9:running:0:7; apply 1 2 a@10:running:0:8", "w 2, a=a@10, order:running a 8"},
    {"another status moves it to another index", "new; apply 0 1 a@1:running:50:7; apply 1 2 a@2:compensating:50:8",
     "w 2, a=a@2, timers a 50, order:compensating a 8"},
    {"a later due time replaces the timer", "new; apply 0 1 a@1:running:50:7; apply 1 2 a@2:running:90:8", "w 2, a=a@2, timers a 90, order:running a 8"},
    {"due 0 removes the timer", "new; apply 0 1 a@1:running:50:7; apply 1 2 a@2:completed:0:8", "w 2, a=a@2, order:completed a 8"},
    {"a removal takes saga, timer and index entry", "new; apply 0 1 a@1:running:50:7 b@1:running:60:7; apply 1 2 a@gone",
     "w 2, b=b@1, timers b 60, order:running b 7"},
    {"a removal of what is not there is nothing", "new; apply 0 1 a@gone", "w 1"},
    {"a saga that was removed may come again with any seq", "new; apply 0 1 a@9:running:0:7; apply 1 2 a@gone; apply 2 3 a@1:running:0:8",
     "w 3, a=a@1, order:running a 8"},
    {"types have indexes of their own", "new; apply 0 1 a@1:running:0:7/order b@1:running:0:7/payment", "w 1, a=a@1, b=b@1, order:running a 7, payment:running b 7"},
    {"versions have indexes of their own", "new; apply 0 1 a@1:running:0:7/order@1 b@1:running:0:7/order@2", "w 1, a=a@1, b=b@1, order@1:running a 7, order@2:running b 7"},
    {"another version moves it to that one's index", "new; apply 0 1 a@1:running:0:7/order@1 b@1:running:0:7/order@1; apply 1 2 a@2:running:0:8/order@2",
     "w 2, a=a@2, b=b@1, order@1:running b 7, order@2:running a 8"},
    {"so does one of before versions were told apart", "new; apply 0 1 a@1:running:0:7/order; apply 1 2 a@2:running:0:8/order@2", "w 2, a=a@2, order@2:running a 8"},
    {"ids and types with every allowed character", "new; apply 0 1 A.z-0_:saga:1@1:running:50:7/a-0",
     "w 1, A.z-0_:saga:1=A.z-0_:saga:1@1, timers A.z-0_:saga:1 50, a-0:running A.z-0_:saga:1 7"},
    /* load */
    {"a load says w, and each state or that there is none", "new; apply 0 1 a@1:running:0:7; load a b", "w=1 a=a@1 b=-; w 1, a=a@1, order:running a 7"},
    {"a load of no saga says w", "new; apply 0 6; load", "w=6; w 6"},
    {"a load where nothing is shown says so", "load a", "w=-1 a=-; no w"},
    {"a load after a wipe of Redis says so", "new; apply 0 1 a@1:running:0:7; redis FLUSHALL; load a", "w=-1 a=-; no w"},
    {"a load finds the same saga named twice", "new; apply 0 1 a@1:running:0:7; load a a", "w=1 a=a@1 a=a@1; w 1, a=a@1, order:running a 7"},
    /* rebuild */
    {"a rebuild of nothing", "begin t; end t 3", "w 3"},
    {"a rebuild puts, then says w", "begin t; put t a@1:running:50:7; put t b@2:completed:0:8; end t 2",
     "w 2, a=a@1, b=b@2, timers a 50, order:completed b 8, order:running a 7"},
    {"begin takes w away and wipes", "new; apply 0 1 a@1:running:50:7 b@1:parked:0:7/payment; begin t", "no w"},
    {"half a rebuild is not believed", "new; begin t; put t a@1:running:50:7; load a", "w=-1 a=a@1; no w, a=a@1, timers a 50, order:running a 7"},
    {"nothing is applied to half a rebuild", "new; begin t; put t a@1:running:50:7; apply 0 1 b@1:running:0:7",
     "refused at -1; no w, a=a@1, timers a 50, order:running a 7"},
    {"a put overwrites a higher seq", "begin t; put t a@5:parked:0:9; put t a@4:running:50:7; end t 5", "w 5, a=a@4, timers a 50, order:running a 7"},
    {"a saga twice in one put: the last one stays, in one index", "begin t; put t a@1:running:50:7 b@1:running:60:7 a@2:parked:0:9; end t 3",
     "w 3, a=a@2, b=b@1, timers b 60, order:parked a 9, order:running b 7"},
    {"a saga put and removed in one call is gone", "begin t; put t a@1:running:50:7 a@gone; end t 2", "w 2"},
    {"a put without a begin is stale", "new; put t a@1:running:50:7", "stale; w 0"},
    {"an end without a begin is stale", "new; end t 7", "stale; w 0"},
    {"another token wins: the first rebuilder puts and ends nothing", "begin t; put t a@1:running:50:7; begin u; put t b@1:running:0:7; end t 4; put u c@1:running:0:7; end u 2",
     "stale; stale; w 2, c=c@1, order:running c 7"},
    {"after the end the token is gone", "begin t; end t 1; put t a@1:running:50:7; end t 9", "stale; stale; w 1"},
    {"a rebuild that died is begun anew", "begin t; put t a@1:running:50:7; begin u; put u b@1:running:0:7; end u 1", "w 1, b=b@1, order:running b 7"},
    {"a begin that died before its wipe is begun anew", "new; apply 0 1 a@1:running:50:7; redis HDEL {}meta w; redis HSET {}meta token dead; begin u; end u 1", "w 1"},
    {"a saga that no index names does not survive", "new; apply 0 1 a@1:running:50:7; redis DEL {}index:order:running; begin t; end t 1; load a", "w=1 a=-; w 1, a void"},
    {"nor one whose type is forgotten", "new; apply 0 1 a@1:running:50:7; redis HDEL {}meta type:order; begin t; end t 1; load a",
     "w=1 a=-; w 1, a void, order:running a 7"},
    {"nor one whose meta is lost", "new; apply 0 1 a@1:running:50:7; redis DEL {}meta; begin t; put t b@1:running:0:8; end t 1; load a b",
     "w=1 a=- b=b@1; w 1, a void, b=b@1, order:running b 8"},
    {"nor one that another program wrote", "new; redis SET {}saga:x forged; load x", "w=0 x=-; w 0, x void"},
    {"a void saga's seq does not keep a new one out", "new; apply 0 1 a@9:running:50:7; redis DEL {}index:order:running; begin t; end t 1; apply 1 2 a@2:parked:0:8",
     "w 2, a=a@2, order:parked a 8"},
    {"a void saga can be removed", "new; apply 0 1 a@9:running:50:7; redis DEL {}index:order:running; begin t; end t 1; apply 1 2 a@gone", "w 2"},
    {"an index of older times is emptied when its type comes again", "new; redis ZADD {}index:order:parked 1 ghost; apply 0 1 a@1:running:0:7",
     "w 1, a=a@1, order:running a 7"},
    {"an apply over another worker's rebuild is refused, even at the same w", "new; redis HSET {}meta gen other; apply 0 1 a@1:running:0:7", "refused at -1; w 0"},
    {"after a load it goes through", "new; redis HSET {}meta gen other; load; apply 0 1 a@1:running:0:7", "w=0; w 1, a=a@1, order:running a 7"},
    {"a meta hash without a generation shows nothing", "redis HSET {}meta w 3; load a; apply 3 4 a@1:running:0:7", "w=-1 a=-; refused at -1; no w"},
};

static void key_head(char out[32])
{
    (void)snprintf(out, 32, TEST_PREFIX ":{0}:");
}

/* --- calls --- */

struct items {
    struct view_item all[16];
    struct { char id[64], type[32], state[96]; } texts[16];
    size_t len;
};

static void item_add(struct items *items, const char *word)
{
    struct view_item *item = &items->all[items->len];
    char *id = items->texts[items->len].id, *type = items->texts[items->len].type, status[32];
    size_t len = strcspn(word, "/");
    const char *at = memrchr(word, '@', len);
    long long seq = 0, due = 0, updated = 0;

    assert_true(items->len < COUNT(items->all) && at != NULL);
    (void)snprintf(id, sizeof items->texts[0].id, "%.*s", (int)(at - word), word);
    if (strcmp(at, "@gone") == 0) {
        *item = (struct view_item){.id = id, .type = ""};
        items->len++;
        return;
    }
    (void)strcpy(type, "order");
    assert_true(sscanf(at, "@%lld:%31[a-z]:%lld:%lld/%31s", &seq, status, &due, &updated, type) >= 4);
    *item = (struct view_item){.id = id, .type = type, .seq = seq, .due_ms = due, .updated_ms = updated};
    assert_true(saga_status_parse(status, &item->status));
    item->state = items->texts[items->len].state;
    item->state_len = (size_t)snprintf(items->texts[items->len].state, sizeof items->texts[0].state, "%.*s@%lld", (int)(at - word), word, seq);
    items->len++;
}

static void say_code(struct buffer *out, enum baton_err rc, const struct baton_error *err)
{
    if (rc == BATON_E_STALE)
        say(out, "stale; ");
    else if (rc != BATON_OK)
        say(out, "%s (%s); ", baton_err_name(rc), err->text);
}

static void call_apply(struct buffer *out, char **words, size_t n)
{
    struct items items = {0};
    struct baton_error err = {0};
    struct view_apply apply = {.expected = atoll(words[1]), .target = atoll(words[2]), .items = items.all};

    for (size_t i = 3; i < n; i++)
        item_add(&items, words[i]);
    apply.items_len = items.len;
    say_code(out, view.apply(view.self, &apply, 1, &err), &err);
    if (apply.ret_refused)
        say(out, "refused at %lld; ", (long long)apply.ret_w);
}

static void call_load(struct buffer *out, char **words, size_t n)
{
    struct view_text states[16];
    struct view_load load = {.ids = (const char *const *)words + 1, .ids_len = n - 1, .ret_states = states};
    struct baton_error err = {0};

    say_code(out, view.load(view.self, &load, 1, &err), &err);
    say(out, "w=%lld", (long long)load.ret_w);
    for (size_t i = 0; i + 1 < n; i++)
        say(out, " %s=%.*s", words[i + 1], states[i].text == NULL ? 1 : (int)states[i].len, states[i].text == NULL ? "-" : states[i].text);
    say(out, "; ");
}

static void call_redis(char **words, size_t n)
{
    redisContext *context = redisConnect("127.0.0.1", server.port);
    char key[96];
    redisReply *reply = NULL;

    if (n > 1 && words[n > 2 ? 2 : 1][0] == '{') {
        key_head(key);
        (void)strncat(key, words[2] + 2, sizeof key - strlen(key) - 1);
        words[2] = key;
    }
    reply = redisCommandArgv(context, (int)n - 1, (const char **)(uintptr_t)(words + 1), NULL);
    assert_true(reply != NULL && reply->type != REDIS_REPLY_ERROR);
    freeReplyObject(reply);
    redisFree(context);
}

static void call(struct buffer *out, char *text)
{
    struct items items = {0};
    struct baton_error err = {0};
    char *words[16], *rest = NULL;
    size_t n = 0;

    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        assert_true(n < COUNT(words));
        words[n++] = word;
    }
    if (strcmp(words[0], "new") == 0) {
        fresh(&server, &view, 0);
    } else if (strcmp(words[0], "apply") == 0) {
        call_apply(out, words, n);
    } else if (strcmp(words[0], "load") == 0) {
        call_load(out, words, n);
    } else if (strcmp(words[0], "redis") == 0) {
        call_redis(words, n);
    } else if (strcmp(words[0], "begin") == 0) {
        say_code(out, view.rebuild_begin(view.self, 0, words[1], &err), &err);
    } else if (strcmp(words[0], "end") == 0) {
        struct view_meta meta = {.w = atoll(words[2]), .jo = 1, .epoch = "e"};

        say_code(out, view.rebuild_end(view.self, 0, words[1], &meta, &err), &err);
    } else {
        assert_string_equal(words[0], "put");
        for (size_t i = 2; i < n; i++)
            item_add(&items, words[i]);
        say_code(out, view.rebuild_put(view.self, 0, words[1], items.all, items.len, &err), &err);
    }
}

/* --- what lies there --- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void say_saga(struct buffer *out, const char *id, const redisReply *value, const redisReply *generation)
{
    struct view_text text = redis_state_text(value, generation);

    if (text.text == NULL)
        say(out, ", %s void", id);
    else
        say(out, ", %s=%.*s", id, (int)text.len, text.text);
}

static void say_key(struct buffer *out, const char *key, const redisReply *generation)
{
    const char *name = strstr(key, "}:") + 2;
    redisReply *reply = NULL;

    if (strcmp(name, "meta") == 0)
        return;
    if (strncmp(name, "saga:", 5) == 0) {
        reply = server_ask(&server, "GET %s", key);
        say_saga(out, name + 5, reply, generation);
    } else {
        reply = server_ask(&server, "ZRANGE %s 0 -1 WITHSCORES", key);
        say(out, ", %s", strncmp(name, "index:", 6) == 0 ? name + 6 : name);
        for (size_t i = 0; i < reply->elements; i++)
            say(out, " %s", reply->element[i]->str);
    }
    freeReplyObject(reply);
}

/* Sagas first, then timers and indexes: the order of the names turned round. */
static void say_keys(struct buffer *out)
{
    char head[32];
    redisReply *keys = NULL, *meta = NULL;
    char *names[64];

    key_head(head);
    meta = server_ask(&server, "HMGET %smeta w gen", head);
    keys = server_ask(&server, "KEYS *");
    assert_true(keys->elements <= COUNT(names));
    for (size_t i = 0; i < keys->elements; i++)
        names[i] = keys->element[i]->str;
    qsort(names, keys->elements, sizeof *names, by_text);
    if (meta->element[0]->type == REDIS_REPLY_STRING && meta->element[1]->type == REDIS_REPLY_STRING)
        say(out, "w %s", meta->element[0]->str);
    else
        say(out, "no w");
    for (const char *kind = "stx"; *kind != '\0'; kind++) { /* sagas, timers, indexes */
        for (size_t i = 0; i < keys->elements; i++) {
            const char *name = strstr(names[i], "}:") + 2;

            if (name[0] == (*kind == 'x' ? 'i' : *kind))
                say_key(out, names[i], meta->element[1]);
        }
    }
    freeReplyObject(meta);
    freeReplyObject(keys);
}

static void check_row(void **state)
{
    const struct row *row = *state;
    struct buffer out = {0};
    char *text = strdup(row->when), *rest = NULL;

    server_do(&server, "FLUSHALL");
    for (char *one = strtok_r(text, ";", &rest); one != NULL; one = strtok_r(NULL, ";", &rest))
        call(&out, one);
    say_keys(&out);
    assert_string_equal(buffer_cstr(&out), row->then);
    buffer_free(&out);
    free(text);
}

/* --- what no row says --- */

static void statuses_are_those_of_the_core(void **state)
{
    char names[256] = "";

    (void)state;
    for (int status = 0; status < SAGA_STATUS_COUNT; status++) {
        (void)strcat(names, status == 0 ? "" : " ");
        (void)strcat(names, saga_status_name((enum saga_status)status));
    }
    assert_string_equal(names, REDIS_STATUSES);
}

static void meta_is_what_the_rebuild_said(void **state)
{
    struct view_meta meta = {.w = INT64_MAX, .jo = INT64_MAX - 1, .epoch = "cluster.topic"}, got;
    struct baton_error err = {0};

    (void)state;
    server_do(&server, "FLUSHALL");
    assert_int_equal(view.meta(view.self, 3, &got, &err), BATON_OK);
    assert_int_equal(got.w, VIEW_NO_W);
    assert_int_equal(view.rebuild_begin(view.self, 3, "t", &err), BATON_OK);
    assert_int_equal(view.meta(view.self, 3, &got, &err), BATON_OK);
    assert_int_equal(got.w, VIEW_NO_W);
    assert_int_equal(view.rebuild_end(view.self, 3, "t", &meta, &err), BATON_OK);
    assert_int_equal(view.meta(view.self, 3, &got, &err), BATON_OK);
    assert_true(got.w == meta.w && got.jo == meta.jo);
    assert_string_equal(got.epoch, meta.epoch);
    assert_int_equal(view.meta(view.self, 4, &got, &err), BATON_OK);
    assert_int_equal(got.w, VIEW_NO_W);
    server_do(&server, "HDEL " TEST_PREFIX ":{3}:meta gen");
    assert_int_equal(view.meta(view.self, 3, &got, &err), BATON_OK);
    assert_int_equal(got.w, VIEW_NO_W);
}

static void a_mark_outlives_a_rebuild_and_an_apply(void **state)
{
    struct view_meta meta = {.w = 5, .jo = 1, .epoch = "e"}, got;
    struct view_apply apply = {.expected = 5, .target = 6};
    struct baton_error err = {0};

    (void)state;
    fresh(&server, &view, 0);
    assert_int_equal(view.meta(view.self, 0, &got, &err), BATON_OK);
    assert_string_equal(got.trial, "");
    assert_int_equal(view.trial(view.self, 0, "{\"trying\":\"batch\"}", &err), BATON_OK);
    assert_int_equal(view.trial(view.self, 0, "{\"trying\":null}", &err), BATON_OK);
    assert_int_equal(view.rebuild_begin(view.self, 0, "t", &err), BATON_OK);
    assert_int_equal(view.rebuild_end(view.self, 0, "t", &meta, &err), BATON_OK);
    assert_int_equal(view.apply(view.self, &apply, 1, &err), BATON_OK);
    assert_false(apply.ret_refused);
    assert_int_equal(view.meta(view.self, 0, &got, &err), BATON_OK);
    assert_string_equal(got.trial, "{\"trying\":null}");
    assert_int_equal(view.meta(view.self, 1, &got, &err), BATON_OK);
    assert_string_equal(got.trial, "");
    assert_int_equal(view.trial(view.self, 0, "", &err), BATON_OK);
    assert_int_equal(view.meta(view.self, 0, &got, &err), BATON_OK);
    assert_string_equal(got.trial, "");
}

/* One partition's refusal is not another's. */
static void partitions_are_apart(void **state)
{
    struct view_item item = {.id = "a", .type = "order", .seq = 1, .status = SAGA_RUNNING, .updated_ms = 7, .state = "{}", .state_len = 2};
    struct view_apply applies[2] = {{.partition = 0, .expected = 5, .target = 6, .items = &item, .items_len = 1},
                                    {.partition = 1, .expected = 0, .target = 1, .items = &item, .items_len = 1}};
    const char *ids[] = {"a"};
    struct view_text texts[2];
    struct view_load loads[2] = {{.partition = 0, .ids = ids, .ids_len = 1, .ret_states = &texts[0]},
                                 {.partition = 1, .ids = ids, .ids_len = 1, .ret_states = &texts[1]}};
    struct view_meta meta = {.epoch = "e"};
    struct baton_error err = {0};

    (void)state;
    fresh(&server, &view, 0);
    assert_int_equal(view.rebuild_begin(view.self, 1, "t", &err), BATON_OK);
    assert_int_equal(view.rebuild_end(view.self, 1, "t", &meta, &err), BATON_OK);
    assert_int_equal(view.apply(view.self, applies, 2, &err), BATON_OK);
    assert_true(applies[0].ret_refused && !applies[1].ret_refused);
    assert_int_equal(view.load(view.self, loads, 2, &err), BATON_OK);
    assert_true(loads[0].ret_w == 0 && loads[1].ret_w == 1);
    assert_null(texts[0].text);
    assert_memory_equal(texts[1].text, "{}", 2);
}

static void states_keep_every_byte(void **state)
{
    size_t len = 8u << 20;
    char *text = malloc(len);
    struct view_item item = {.id = "big", .type = "order", .seq = 1, .status = SAGA_RUNNING, .updated_ms = 7, .state = text, .state_len = len};
    struct view_apply apply = {.expected = 0, .target = 1, .items = &item, .items_len = 1};
    const char *ids[] = {"big"};
    struct view_text got;
    struct view_load load = {.ids = ids, .ids_len = 1, .ret_states = &got};
    struct baton_error err = {0};

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < len; i++)
        text[i] = (char)(i * 7); /* NUL, CR, LF, all of them */
    fresh(&server, &view, 0);
    assert_int_equal(view.apply(view.self, &apply, 1, &err), BATON_OK);
    assert_int_equal(view.load(view.self, &load, 1, &err), BATON_OK);
    assert_int_equal(got.len, len);
    assert_memory_equal(got.text, text, len);
    free(text);
}

#define MANY 20000

/* More sagas than one call of the wipe takes, and one apply and one load of them all. */
static void many_sagas_in_one_call(void **state)
{
    struct view_item *items = calloc(MANY, sizeof *items);
    char(*ids)[16] = calloc(MANY, sizeof *ids);
    const char **names = calloc(MANY, sizeof *names);
    struct view_text *texts = calloc(MANY, sizeof *texts);
    struct view_apply apply = {.expected = 0, .target = 1, .items = items, .items_len = MANY};
    struct view_load load = {.ids = names, .ids_len = MANY, .ret_states = texts};
    struct view_meta meta = {.w = 1, .epoch = "e"};
    struct baton_error err = {0};
    redisReply *left = NULL;

    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "s-%zu", i);
        names[i] = ids[i];
        items[i] = (struct view_item){.id = ids[i], .type = i % 2 == 0 ? "order" : "payment", .seq = 1, .due_ms = 5, .updated_ms = 7,
                                      .status = (enum saga_status)(i % SAGA_STATUS_COUNT), .state = ids[i], .state_len = strlen(ids[i])};
    }
    fresh(&server, &view, 0);
    assert_int_equal(view.apply(view.self, &apply, 1, &err), BATON_OK);
    assert_false(apply.ret_refused);
    assert_int_equal(view.load(view.self, &load, 1, &err), BATON_OK);
    for (size_t i = 0; i < MANY; i++)
        assert_true(texts[i].len == strlen(ids[i]) && memcmp(texts[i].text, ids[i], texts[i].len) == 0);
    assert_int_equal(view.rebuild_begin(view.self, 0, "t", &err), BATON_OK);
    left = server_ask(&server, "KEYS *");
    assert_int_equal(left->elements, 1); /* the meta hash */
    freeReplyObject(left);
    assert_int_equal(view.rebuild_end(view.self, 0, "t", &meta, &err), BATON_OK);
    free(items);
    free(ids);
    free(names);
    free(texts);
}

/* 64 partitions, all sent before the first answer is read. */
static void a_huge_pipeline(void **state)
{
    enum { PARTS = 64, EACH = 100, BYTES = 8192 };
    static struct view_item items[EACH];
    static char ids[EACH][8], text[BYTES];
    struct view_apply applies[PARTS];
    struct view_load loads[PARTS];
    static struct view_text texts[PARTS][EACH];
    const char *names[EACH];
    struct view_meta meta = {.epoch = "e"};
    struct baton_error err = {0};

    (void)state;
    server_do(&server, "FLUSHALL");
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < EACH; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "s%zu", i);
        names[i] = ids[i];
        items[i] = (struct view_item){.id = ids[i], .type = "order", .seq = 1, .status = SAGA_RUNNING, .updated_ms = 7, .state = text, .state_len = BYTES};
    }
    for (int32_t p = 0; p < PARTS; p++) {
        assert_int_equal(view.rebuild_begin(view.self, p, "t", &err), BATON_OK);
        assert_int_equal(view.rebuild_end(view.self, p, "t", &meta, &err), BATON_OK);
        applies[p] = (struct view_apply){.partition = p, .expected = 0, .target = p + 1, .items = items, .items_len = EACH};
        loads[p] = (struct view_load){.partition = p, .ids = names, .ids_len = EACH, .ret_states = texts[p]};
    }
    assert_int_equal(view.apply(view.self, applies, PARTS, &err), BATON_OK);
    assert_int_equal(view.load(view.self, loads, PARTS, &err), BATON_OK);
    for (int32_t p = 0; p < PARTS; p++) {
        assert_int_equal(loads[p].ret_w, p + 1);
        for (size_t i = 0; i < EACH; i++)
            assert_true(texts[p][i].len == BYTES && texts[p][i].text[BYTES - 1] == 'x');
    }
}

static void apply_these(const char *text)
{
    struct buffer out = {0};
    char *copy = strdup(text);

    call(&out, copy);
    assert_int_equal(out.len, 0);
    buffer_free(&out);
    free(copy);
}

static void timers_come_earliest_first(void **state)
{
    struct view_timer got[3];
    struct baton_error err = {0};
    size_t n = 9;

    (void)state;
    fresh(&server, &view, 0);
    assert_int_equal(view.timers(view.self, 0, INT64_MAX, got, 3, &n, &err), BATON_OK);
    assert_int_equal(n, 0);
    apply_these("apply 0 1 c@1:running:30:7 a@1:running:10:7 d@1:running:1700000000123:7 b@1:running:20:7");
    assert_int_equal(view.timers(view.self, 0, 20, got, 3, &n, &err), BATON_OK); /* up to and including */
    assert_int_equal(n, 2);
    assert_string_equal(got[0].id, "a");
    assert_string_equal(got[1].id, "b");
    assert_int_equal(got[1].due_ms, 20);
    assert_int_equal(view.timers(view.self, 0, INT64_MAX, got, 3, &n, &err), BATON_OK); /* at most max */
    assert_int_equal(n, 3);
    assert_string_equal(got[2].id, "c");
    apply_these("apply 1 2 a@gone b@gone c@gone");
    assert_int_equal(view.timers(view.self, 0, INT64_MAX, got, 3, &n, &err), BATON_OK);
    assert_int_equal(n, 1);
    assert_int_equal(got[0].due_ms, 1700000000123);
}

static void ended_sagas_come_oldest_first(void **state)
{
    struct view_timer got[8];
    struct baton_error err = {0};
    size_t n = 9;

    (void)state;
    fresh(&server, &view, 0);
    assert_int_equal(view.ended_before(view.self, 0, INT64_MAX, got, 8, &n, &err), BATON_OK);
    assert_int_equal(n, 0);
    apply_these("apply 0 1 live@1:running:0:1 parked@1:parked:0:1 back@1:compensating:0:1 d@1:completed:0:40/order c@1:completed:0:30/payment "
                "b@1:compensated:0:20 a@1:cancelled:0:10/payment e@1:terminated:0:50");
    assert_int_equal(view.ended_before(view.self, 0, 40, got, 8, &n, &err), BATON_OK);
    assert_int_equal(n, 4);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(got[i].id[0], 'a' + (int)i);
        assert_int_equal(got[i].due_ms, 10 * (int)(i + 1));
    }
    assert_int_equal(view.ended_before(view.self, 0, INT64_MAX, got, 2, &n, &err), BATON_OK);
    assert_int_equal(n, 2);
}

/* Beyond one saga, in order of time and id, over types and statuses; as many in one millisecond as a page does not hold. */
static void a_page_goes_on_where_the_last_one_ended(void **state)
{
    struct view_timer got[3];
    struct view_page page = {.partition = 0, .type = "", .status = {[SAGA_RUNNING] = true, [SAGA_PARKED] = true}, .items = got, .max = 3};
    struct baton_error err = {0};
    char order[16] = "";
    int pages = 0;

    (void)state;
    fresh(&server, &view, 0);
    apply_these("apply 0 1 a@1:running:0:5/order b@1:running:0:5/order c@1:running:0:5/order d@1:parked:0:5/payment e@1:running:0:5/order "
                "f@1:running:0:5/order g@1:parked:0:7/payment h@1:running:0:9/order x@1:completed:0:5/order y@1:compensating:0:6/order");
    do {
        assert_int_equal(view.page(view.self, &page, &err), BATON_OK);
        assert_int_equal(page.ret_w, 1);
        for (size_t i = 0; i < page.ret_n; i++) {
            (void)strcat(order, got[i].id);
            page.after_ms = got[i].due_ms;
            (void)strcpy(page.after_id, got[i].id);
        }
        pages++;
    } while (page.ret_more && pages < 20);
    assert_string_equal(order, "abcdefgh");
    assert_int_equal(view.page(view.self, &page, &err), BATON_OK);
    assert_int_equal(page.ret_n, 0);
    assert_false(page.ret_more);
}

static void a_page_of_one_type_holds_no_other(void **state)
{
    struct view_timer got[3];
    struct view_page page = {.partition = 0, .type = "payment", .status = {[SAGA_RUNNING] = true}, .items = got, .max = 3};
    struct baton_error err = {0};

    (void)state;
    fresh(&server, &view, 0);
    apply_these("apply 0 1 a@1:running:0:5/order b@1:running:0:6/payment");
    assert_int_equal(view.page(view.self, &page, &err), BATON_OK);
    assert_int_equal(page.ret_n, 1);
    assert_string_equal(got[0].id, "b");
    assert_false(page.ret_more);
}

static void a_page_of_one_type_holds_all_its_versions(void **state)
{
    struct view_timer got[3];
    struct view_page page = {.partition = 0, .type = "order", .status = {[SAGA_RUNNING] = true}, .items = got, .max = 3};
    struct baton_error err = {0};

    (void)state;
    fresh(&server, &view, 0);
    apply_these("apply 0 1 a@1:running:0:5/order@1 b@1:running:0:6/order@22 c@1:running:0:7/order-x@1");
    apply_these("apply 1 2 a@2:running:0:8/order@3");
    assert_int_equal(view.page(view.self, &page, &err), BATON_OK);
    assert_int_equal(page.ret_n, 2);
    assert_string_equal(got[0].id, "b");
    assert_string_equal(got[1].id, "a");
}

static void an_item_has_its_version(void **state)
{
    struct view_item item = {.id = "a", .type = "order", .version = 3, .seq = 1, .status = SAGA_RUNNING, .updated_ms = 7, .state = "{}", .state_len = 2};
    struct view_apply apply = {.partition = 0, .expected = 0, .target = 1, .items = &item, .items_len = 1};
    struct view_timer got[3];
    struct view_page page = {.partition = 0, .type = "order", .status = {[SAGA_RUNNING] = true}, .items = got, .max = 3};
    struct baton_error err = {0};
    redisReply *score = NULL;

    (void)state;
    fresh(&server, &view, 0);
    assert_int_equal(view.apply(view.self, &apply, 1, &err), BATON_OK);
    assert_false(apply.ret_refused);
    assert_int_equal(view.page(view.self, &page, &err), BATON_OK);
    assert_int_equal(page.ret_n, 1);
    score = server_ask(&server, "ZSCORE " TEST_PREFIX ":{0}:index:order@3:running a");
    assert_int_equal(score->type, REDIS_REPLY_STRING);
    freeReplyObject(score);
}

static void a_page_of_a_wiped_view_says_so(void **state)
{
    struct view_timer got[3];
    struct view_page page = {.partition = 0, .type = "order", .status = {[SAGA_RUNNING] = true}, .items = got, .max = 3};
    struct baton_error err = {0};

    (void)state;
    fresh(&server, &view, 0);
    apply_these("apply 0 1 a@1:running:0:5/order");
    server_do(&server, "FLUSHALL");
    assert_int_equal(view.page(view.self, &page, &err), BATON_OK);
    assert_int_equal(page.ret_n, 0);
    assert_int_equal(page.ret_w, VIEW_NO_W);
}

static int start(void **state)
{
    struct redis_options options;
    struct baton_error err = {0};

    (void)state;
    server_start(&server, NULL);
    options = options_of(&server);
    return redis_view_open(&options, &view, &err) == BATON_OK ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    view.close(view.self);
    server_remove(&server);
    return 0;
}

int main(void)
{
    static const struct {
        const char *name;
        CMUnitTestFunction check;
    } cases[] = {
        {"the scripts know the core's statuses", statuses_are_those_of_the_core},
        {"meta is what the rebuild said, partition by partition", meta_is_what_the_rebuild_said},
        {"a mark outlives a rebuild and an apply", a_mark_outlives_a_rebuild_and_an_apply},
        {"partitions are apart in one call", partitions_are_apart},
        {"a state of 8 MiB keeps every byte", states_keep_every_byte},
        {"20,000 sagas in one apply, one load, and a wipe in steps", many_sagas_in_one_call},
        {"a pipeline of 64 partitions and 50 MiB", a_huge_pipeline},
        {"timers come earliest first, up to the time asked, at most max", timers_come_earliest_first},
        {"ended sagas come oldest first over all types", ended_sagas_come_oldest_first},
        {"a page goes on where the last one ended", a_page_goes_on_where_the_last_one_ended},
        {"a page of one type holds no other", a_page_of_one_type_holds_no_other},
        {"a page of a wiped view says so", a_page_of_a_wiped_view_says_so},
        {"a page of one type holds all its versions", a_page_of_one_type_holds_all_its_versions},
        {"an item has its version", an_item_has_its_version},
    };
    struct CMUnitTest tests[COUNT(rows) + COUNT(cases)] = {0};

    for (size_t i = 0; i < COUNT(rows); i++) {
        tests[i].name = rows[i].name;
        tests[i].test_func = check_row;
        tests[i].initial_state = (void *)(uintptr_t)&rows[i];
    }
    for (size_t i = 0; i < COUNT(cases); i++) {
        tests[COUNT(rows) + i].name = cases[i].name;
        tests[COUNT(rows) + i].test_func = cases[i].check;
    }
    return _cmocka_run_group_tests("view", tests, COUNT(tests), start, stop);
}

/*
 * test_lock.c -- a lock: who asks, who leaves, who is told; one owner at a time, first come first served.
 *
 * Events: ask ID, try ID (ask, but do not wait), leave ID, and what is of no use to a lock: start, verb, signal, reply, timer, park.
 * Effects: ID yes, ID no; late, dup, early, refused where nothing came of it. At the end the status and who is in the queue.
 */
#include "rows.h"
#include <baton/apply.h>

static const struct row {
    const char *name, *when, *then;
} rows[] = {
    {"who asks first gets it", "ask a", "a yes; running a"},
    {"who asks next waits", "ask a, ask b", "a yes; running a b"},
    {"the next gets it when the owner leaves", "ask a, ask b, ask c, leave a", "a yes, b yes; running b c"},
    {"who gives up in the queue leaves it", "ask a, ask b, ask c, leave b, leave a", "a yes, c yes; running c"},
    {"nobody left, it is free", "ask a, leave a", "a yes; completed"},
    {"and can be had again", "ask a, leave a, ask b, ask c", "a yes, b yes; running b c"},
    {"who does not want to wait is told no", "ask a, try b, leave b", "a yes, b no, late; running a"},
    {"who does not want to wait gets a free one", "try a, leave a, try b", "a yes, b yes; running b"},
    {"who asks twice is in it once", "ask a, ask a, ask b, ask b", "a yes, dup, dup; running a b"},
    {"who leaves twice has left", "ask a, ask b, leave a, leave a", "a yes, b yes, late; running b"},
    {"who never asked leaves nothing", "ask a, leave b", "a yes, late; running a"},
    {"nobody else moves it", "ask a, ask b, start, verb, signal, reply, timer, park, leave a", "a yes, early, refused, early, early, early, early, b yes; running b"},
};

static void say_effects(struct buffer *said, const struct effects *effects)
{
    static const char *const words[] = {[IGNORED_DUPLICATE] = "dup", [IGNORED_LATE] = "late", [IGNORED_EARLY] = "early", [IGNORED_REFUSED] = "refused"};

    for (size_t i = 0; i < effects->len; i++) {
        const json_t *data = json_object_get(effects->items[i].input, "data");

        assert_int_equal(effects->items[i].kind, EFFECT_SIGNAL);
        assert_string_equal(json_string_value(json_object_get(effects->items[i].input, "name")), LOCK_SIGNAL);
        say(said, "%s%s %s", said->len == 0 ? "" : ", ", effects->items[i].to, json_is_true(json_object_get(data, "granted")) ? "yes" : "no");
    }
    if (effects->disposition != APPLIED)
        say(said, "%s%s", said->len == 0 ? "" : ", ", words[effects->disposition]);
}

static struct saga_event event_of(const char *word)
{
    static const struct {
        const char *word;
        enum saga_event_kind kind;
    } useless[] = {{"start", EVENT_START}, {"verb", EVENT_VERB}, {"signal", EVENT_SIGNAL}, {"reply", EVENT_REPLY}, {"timer", EVENT_TIMER}, {"park", EVENT_PARK}};
    struct saga_event event = {.kind = EVENT_LOCK, .saga_id = "lock:k", .leave = strncmp(word, "leave", 5) == 0, .reject = strncmp(word, "try", 3) == 0};

    event.who = strchr(word, ' ') == NULL ? "ann" : strchr(word, ' ') + 1;
    for (size_t i = 0; i < sizeof useless / sizeof *useless; i++) {
        if (strcmp(useless[i].word, word) == 0)
            event = (struct saga_event){.kind = useless[i].kind, .who = "ann", .signal = "left", .reason = "why", .attempt = 1};
    }
    return event;
}

static void check_row(void **state)
{
    const struct row *row = *state;
    struct definition *definition = lock_definition();
    json_t *input = json_pack("{s:s}", "key", "k"), *waiting = NULL;
    struct buffer said = {0};
    struct effects effects = {0};
    struct saga *lock = NULL;
    char copy[256], *rest = copy;
    int64_t clock = 1000;
    size_t i = 0;

    assert_non_null(definition);
    (void)snprintf(copy, sizeof copy, "%s", row->when);
    for (char *word = strsep(&rest, ","); word != NULL; word = strsep(&rest, ",")) {
        struct saga_event event = event_of(word + strspn(word, " "));

        event.at_ms = ++clock;
        event.input = input;
        assert_int_equal(lock == NULL ? saga_start(definition, &event, &lock, &effects) : saga_apply(&lock, &event, &effects), BATON_OK);
        say_effects(&said, &effects);
        assert_null(saga_broken_rule(lock));
    }
    say(&said, "; %s", saga_status_name(lock->status));
    json_array_foreach(lock->queue, i, waiting)
        say(&said, " %s", json_string_value(json_object_get(waiting, "saga")));
    assert_text(row->when, &said, row->then);
    buffer_free(&said);
    effects_free(&effects);
    saga_free(lock);
    definition_free(definition);
    json_decref(input);
}

static void its_queue_is_bounded(void **state)
{
    struct definition *definition = lock_definition();
    struct saga_event event = {.kind = EVENT_LOCK, .saga_id = "lock:k", .at_ms = 1, .input = json_object(), .who = "first"};
    struct effects effects = {0};
    struct saga *lock = NULL;
    char who[16];

    (void)state;
    assert_int_equal(saga_start(definition, &event, &lock, &effects), BATON_OK);
    for (int i = 1; i < LOCK_QUEUE_MAX; i++) {
        (void)snprintf(who, sizeof who, "s-%d", i);
        event.who = who;
        assert_int_equal(saga_apply(&lock, &event, &effects), BATON_OK);
        assert_int_equal(effects.len, 0);
    }
    event.who = "one too many";
    assert_int_equal(saga_apply(&lock, &event, &effects), BATON_OK);
    assert_int_equal(effects.len, 1);
    assert_false(json_is_true(json_object_get(json_object_get(effects.items[0].input, "data"), "granted")));
    assert_int_equal(json_array_size(lock->queue), LOCK_QUEUE_MAX);
    effects_free(&effects);
    saga_free(lock);
    definition_free(definition);
    json_decref(event.input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(its_queue_is_bounded)};
    int failed = RUN_ROWS(rows, check_row);

    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}

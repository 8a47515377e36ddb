/*
 * random_saga.c -- random JSON and random sagas for the property tests, from a printed seed.
 */
#include "random_saga.h"
#include <math.h>
#include <time.h>

struct random random_begin(const char *what)
{
    const char *given = getenv("BATON_TEST_SEED");
    struct timespec now;
    struct random random;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    random.state = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)now.tv_sec * 1000003U + (uint64_t)now.tv_nsec;
    print_message("%s: BATON_TEST_SEED=%llu\n", what, (unsigned long long)random.state);
    return random;
}

uint64_t random_next(struct random *random) /* splitmix64 */
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

int random_below(struct random *random, int bound)
{
    return (int)(random_next(random) % (uint64_t)bound);
}

bool random_one_in(struct random *random, int n)
{
    return random_below(random, n) == 0;
}

static double random_double(struct random *random)
{
    static const double known[] = {
        19.99, 0.1, -0.0, 1.0, 1e300, 5e-324, 1.7976931348623157e308, 0.30000000000000004, 1e21, 123456789.125};
    double value;

    if (random_one_in(random, 2))
        return known[random_below(random, (int)(sizeof known / sizeof known[0]))];
    do {
        uint64_t bits = random_next(random);

        memcpy(&value, &bits, sizeof value);
    } while (!isfinite(value));
    return value;
}

static json_t *random_string(struct random *random)
{
    static const char *const pieces[] = {
        "a", "order", "\"",   "\\",          "/", "\n", "\x01", "\x7f", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x9a\x80",
        " ", "b64:",  "${x}", ",\"crc\":\"", "]}"};
    char text[128] = "";

    for (int n = random_below(random, 8); n > 0; n--)
        strcat(text, pieces[random_below(random, (int)(sizeof pieces / sizeof pieces[0]))]);
    return json_string(text);
}

static json_t *random_integer(struct random *random)
{
    static const json_int_t known[] = {0, 1, -1, INT64_MAX, INT64_MIN, INT64_C(9007199254740993)};

    if (random_one_in(random, 3))
        return json_integer(known[random_below(random, (int)(sizeof known / sizeof known[0]))]);
    return json_integer((json_int_t)(random_next(random) >> random_below(random, 63)));
}

json_t *random_object(struct random *random, int depth)
{
    json_t *object = json_object();

    for (int n = random_below(random, 4); n > 0; n--) {
        json_t *key = random_string(random);

        json_object_set_new(object, json_string_value(key), depth > 0 ? random_json(random, depth - 1) : json_null());
        json_decref(key);
    }
    return object;
}

json_t *random_json(struct random *random, int depth)
{
    json_t *array;

    switch (random_below(random, depth > 0 ? 6 : 4)) {
    case 0: return random_integer(random);
    case 1: return json_real(random_double(random));
    case 2: return random_string(random);
    case 3: return random_one_in(random, 2) ? json_true() : json_false();
    case 4: return random_object(random, depth);
    default: break;
    }
    array = json_array();
    for (int n = random_below(random, 4); n > 0; n--)
        json_array_append_new(array, random_json(random, depth - 1));
    return array;
}

/* --- sagas --- */

static int64_t random_time(struct random *random)
{
    return random_one_in(random, 3) ? 0 : 1769860800000 + random_below(random, 1000000);
}

static void replace(json_t **slot, json_t *value)
{
    json_decref(*slot);
    *slot = value;
}

static json_t *random_error(struct random *random)
{
    json_t *code = random_string(random);
    json_t *error =
        json_pack("{s:o, s:o, s:o}", "code", code, "message", random_string(random), "details", random_json(random, 2));

    assert_non_null(error);
    return error;
}

static void change_step(struct random *random, struct saga_step *step)
{
    step->changed = true;
    step->status = (enum step_status)random_below(random, STEP_STATUS_COUNT);
    step->attempts = random_below(random, 3);
    step->compensations = random_below(random, 3);
    step->unanswered = random_one_in(random, 2);
    step->done_order = random_below(random, 4);
    step->first_at_ms = random_time(random);
    step->sent_at_ms = random_time(random);
    step->due_at_ms = random_time(random);
    step->settled_at_ms = random_time(random);
    replace(&step->output, random_one_in(random, 2) ? NULL : random_json(random, 3));
    replace(&step->error, random_one_in(random, 2) ? NULL : random_error(random));
}

static void touch_step(struct random *random, struct saga *saga)
{
    int index = random_below(random, (int)saga->definition->steps_len);
    struct saga_step *step = saga_step_find(saga, index);

    if (step == NULL) {
        step = &saga->steps[saga->steps_len++];
        memset(step, 0, sizeof *step);
        step->index = index;
    }
    change_step(random, step);
}

/* As the core keeps it: the newest entries stay, those dropped are counted. */
static void add_history(struct random *random, struct saga *saga, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (saga->history_len == SAGA_HISTORY_MAX) {
            memmove(saga->history, saga->history + 1, (SAGA_HISTORY_MAX - 1) * sizeof *saga->history);
            saga->history_len--;
            saga->history_dropped++;
            saga->history_cut++;
        }
        saga->history[saga->history_len++] = (struct saga_history){
            random_below(random, 100000), (enum history_kind)random_below(random, HISTORY_KIND_COUNT),
            random_below(random, 5) - 1, random_below(random, 3)};
        saga->history_new++;
    }
}

static void change_small(struct random *random, struct saga *saga)
{
    saga->status = (enum saga_status)random_below(random, SAGA_STATUS_COUNT);
    saga->updated_at_ms = 1769860800000 + random_below(random, 1000000);
    saga->ended_at_ms = random_time(random);
    saga->deadline_at_ms = random_time(random);
    saga->due_at_ms = random_time(random);
    saga->turned_back = random_one_in(random, 2);
    saga->duplicates = random_below(random, 2);
    saga->late = random_below(random, 2);
}

static void change_parked(struct random *random, struct saga *saga)
{
    free(saga->parked);
    saga->parked = random_one_in(random, 2) ? NULL : strdup("\"settle\" refused after the pivot");
    saga->parked_from = saga->parked != NULL && random_one_in(random, 2) ? SAGA_COMPENSATING : SAGA_RUNNING;
}

void random_event(struct random *random, struct saga *saga)
{
    for (size_t i = 0; i < saga->steps_len; i++)
        saga->steps[i].changed = false;
    saga->history_new = saga->history_cut = 0;
    saga->output_changed = random_one_in(random, 4);
    saga->error_changed = random_one_in(random, 4);
    saga->parked_changed = random_one_in(random, 4);
    saga->seq++;
    change_small(random, saga);
    if (saga->output_changed)
        replace(&saga->output, random_one_in(random, 3) ? NULL : random_json(random, 3));
    if (saga->error_changed)
        replace(&saga->error, random_one_in(random, 3) ? NULL : random_error(random));
    if (saga->parked_changed)
        change_parked(random, saga);
    for (int n = random_below(random, 4); n > 0; n--)
        touch_step(random, saga);
    add_history(random, saga, (size_t)(random_one_in(random, 8) ? random_below(random, 300) : random_below(random, 6)));
}

struct saga *random_saga(struct random *random)
{
    struct saga *saga = order_saga();
    json_t *input = random_object(random, 4);

    replace(&saga->input, input);
    if (random_one_in(random, 2)) {
        free(saga->traceparent);
        free(saga->tracestate);
        saga->traceparent = saga->tracestate = NULL;
    }
    if (random_one_in(random, 2)) {
        free(saga->reply_to.topic);
        free(saga->reply_to.correlation);
        saga->reply_to = (struct saga_reply_to){NULL, NULL};
    }
    for (int n = random_below(random, 6); n > 0; n--)
        random_event(random, saga);
    saga->seq = 1;
    return saga;
}

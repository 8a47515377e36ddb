/*
 * random_saga.c -- random sagas for the property tests, from a printed seed.
 */
#include "random_saga.h"

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

static json_t *random_signals(struct random *random)
{
    json_t *signals = json_array();

    for (int n = 1 + random_below(random, 3); n > 0; n--)
        json_array_append_new(signals, json_pack("{s:s, s:i, s:o}", "name", "approved", "at", random_below(random, 1000000), "payload", random_json(random, 2)));
    return signals;
}

static void change_step(struct random *random, struct saga_step *step)
{
    step->changed = true;
    step->status = (enum step_status)random_below(random, STEP_STATUS_COUNT);
    step->chosen = random_below(random, 4);
    step->lost = random_one_in(random, 4) ? 1U << random_below(random, 32) | 1U << random_below(random, 32) : 0;
    step->parked = random_one_in(random, 4);
    step->count = random_below(random, 4);
    step->begun = random_below(random, step->count + 1);
    step->finished = random_below(random, step->begun + 1);
    step->attempts = random_below(random, 3);
    step->compensations = random_below(random, 3);
    step->forgiven = random_below(random, 3);
    step->forever = random_one_in(random, 4);
    step->polls = random_below(random, 3);
    step->poll_from = random_below(random, 3);
    step->fallback = (enum fallback_kind)random_below(random, FALLBACK_KIND_COUNT);
    step->refused = random_one_in(random, 4);
    step->unanswered = random_one_in(random, 2);
    step->done_order = random_below(random, 4);
    step->first_at_ms = random_time(random);
    step->sent_at_ms = random_time(random);
    step->due_at_ms = random_time(random);
    step->settled_at_ms = random_time(random);
    step->held_since_ms = random_time(random);
    replace(&step->input, random_one_in(random, 4) ? random_object(random, 2) : NULL);
    replace(&step->items, step->count == 2 ? json_pack("[i, s]", 1, "x") : NULL);
    replace(&step->undo_input, random_one_in(random, 4) ? random_object(random, 2) : NULL);
    replace(&step->child, random_one_in(random, 4) ? json_string("o-1001.ship:2") : NULL);
    step->children_failed = random_below(random, 2);
    replace(&step->undo, random_one_in(random, 4) ? json_pack("{s:s, s:s, s:o}", "service", "undoer", "command", "Undo", "input", random_json(random, 2)) : NULL);
    replace(&step->output, random_one_in(random, 2) ? NULL : random_json(random, 3));
    replace(&step->dataref, random_one_in(random, 4) ? json_string("s3://bucket/\"1\"") : NULL);
    replace(&step->error, random_one_in(random, 2) ? NULL : random_error(random));
}

static void touch_step(struct random *random, struct saga *saga)
{
    int index = random_below(random, (int)saga->definition->steps_len);
    struct saga_place place = saga_place_at(saga->definition, index, random_below(random, 3));
    struct saga_step *step = saga_step_find(saga, place);

    if (step == NULL)
        step = saga_step_add(saga, place);
    assert_non_null(step);
    change_step(random, step);
}

/* As the core keeps it: the newest entries stay, those dropped are counted. */
static void add_history(struct random *random, struct saga *saga, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (saga->history_len == SAGA_HISTORY_MAX) {
            json_decref(saga->history[0].note);
            memmove(saga->history, saga->history + 1, (SAGA_HISTORY_MAX - 1) * sizeof *saga->history);
            saga->history_len--;
            saga->history_dropped++;
            saga->history_cut++;
        }
        saga->history[saga->history_len++] = (struct saga_history){
            random_below(random, 100000), (enum history_kind)random_below(random, HISTORY_KIND_COUNT),
            saga_place_at(saga->definition, random_below(random, (int)saga->definition->steps_len + 1) - 1, random_below(random, 3)), random_below(random, 3),
            random_one_in(random, 4) ? json_pack("{s:s, s:s}", "who", "ann", "why", "\"because\"") : NULL};
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
    saga->paused_at_ms = saga->parked != NULL ? random_time(random) : 0;
}

static json_t *random_parent(struct random *random)
{
    json_t *parent = json_pack("{s:s, s:s, s:i, s:i}", "saga", "o-7", "step", "pay", "attempt", 1 + random_below(random, 3), "depth",
                               1 + random_below(random, SAGA_DEPTH_MAX));

    if (random_one_in(random, 3))
        json_object_set_new(parent, "detached", json_true());
    if (random_one_in(random, 3))
        json_object_set_new(parent, "undo", json_integer(2));
    return parent;
}

/* What is parked is paused, or parked on a step. */
static void park_on_a_step(struct saga *saga)
{
    if (saga->status != SAGA_PARKED || saga->steps_len == 0)
        return;
    saga->steps[saga->steps_len - 1].parked = true;
    saga->steps[saga->steps_len - 1].changed = true;
}

void random_event(struct random *random, struct saga *saga)
{
    for (size_t i = 0; i < saga->steps_len; i++)
        saga->steps[i].changed = false;
    saga->history_new = saga->history_cut = 0;
    saga->signals_changed = random_one_in(random, 4);
    saga->output_changed = random_one_in(random, 4);
    saga->error_changed = random_one_in(random, 4);
    saga->parked_changed = random_one_in(random, 4);
    saga->parent_changed = saga->parent != NULL && random_one_in(random, 4);
    saga->seq++;
    change_small(random, saga);
    if (saga->signals_changed)
        replace(&saga->signals, random_one_in(random, 2) ? NULL : random_signals(random));
    if (saga->output_changed)
        replace(&saga->output, random_one_in(random, 3) ? NULL : random_json(random, 3));
    if (saga->error_changed)
        replace(&saga->error, random_one_in(random, 3) ? NULL : random_error(random));
    if (saga->parent_changed)
        replace(&saga->parent, random_parent(random));
    if (saga->parked_changed)
        change_parked(random, saga);
    for (int n = random_below(random, 4); n > 0; n--)
        touch_step(random, saga);
    park_on_a_step(saga);
    add_history(random, saga, (size_t)(random_one_in(random, 8) ? random_below(random, 300) : random_below(random, 6)));
}

struct saga *random_saga(struct random *random)
{
    struct saga *saga = order_saga();
    json_t *input = random_object(random, 4);

    replace(&saga->input, input);
    replace(&saga->dataref, random_one_in(random, 4) ? json_string("https://files/1?a=b&c") : NULL);
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
    if (random_one_in(random, 2))
        saga->parent = random_parent(random);
    for (int n = random_below(random, 6); n > 0; n--)
        random_event(random, saga);
    saga->seq = 1;
    return saga;
}

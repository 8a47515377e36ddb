/*
 * gate.c -- the services that are not to be given too much, as one engine thread knows them: around each event, and when its batch has committed.
 *
 * Owns:     what an event is told of them, what it sent and learnt, and who is woken when there is room.
 * Rule:     first come, first served: while somebody waits for a service, nobody else is let past. One service never holds up another.
 * Limits:   who waits is remembered for WAITING_MAX sagas a service; all others, and all after a takeover, ask by themselves when they are due.
 * Tests:    tests/engine/test_gate.c
 */
#include "gate_internal.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum op_kind { OP_SENT, OP_SETTLED, OP_PENDING, OP_HELD };

struct op { /* what counts once the batch has committed */
    enum op_kind kind;
    struct service *service;
    bool bad;
    int64_t at_ms; /* expires, or held since */
    int64_t sent_ms; /* of one that is settled: when its command was */
    int32_t partition;
    size_t id_len;
    char key[KEY_MAX];
};

bool gate_new(struct engine *engine, struct gate **ret_gate)
{
    const struct worker_options *options = engine->options;
    struct gate *gate = NULL;

    if (options->services_len == 0)
        return true;
    gate = calloc(1, sizeof *gate);
    if (gate == NULL)
        return false;
    for (; gate->len < options->services_len && gate->len < SERVICE_RULES_MAX; gate->len++) {
        gate->services[gate->len].rules = &options->services[gate->len];
        gate->services[gate->len].queue.partitions = options->partitions;
        gate->rows[gate->len].name = options->services[gate->len].name;
    }
    gate->told = (struct saga_gate){.services = gate->rows, .len = gate->len};
    gate->stale = true;
    (void)snprintf(gate->thread, sizeof gate->thread, "%s/%d", engine->worker->token, engine->thread);
    *ret_gate = gate;
    return true;
}

void gate_free(struct gate *gate)
{
    for (size_t i = 0; gate != NULL && i < gate->len; i++) {
        count_free(&gate->services[i]);
        queue_free(&gate->services[i].queue);
    }
    if (gate != NULL)
        free(gate->ops);
    free(gate);
}

void gate_lost(struct engine *engine, int32_t partition)
{
    struct gate *gate = engine->gate;

    for (size_t i = 0; gate != NULL && i < gate->len; i++) {
        queue_forget(&gate->services[i].queue, partition);
        count_lost(&gate->services[i], partition, engine_now(engine));
    }
}

static struct service *service_named(struct gate *gate, const char *name)
{
    for (size_t i = 0; i < gate->len && name != NULL; i++) { /* NULL: a child's */
        if (strcmp(gate->services[i].rules->name, name) == 0)
            return &gate->services[i];
    }
    return NULL;
}

/* --- waking --- */

static bool fire(struct engine *engine, struct service *service, const struct waiting *waiting)
{
    struct timer timer = {.due_ms = waiting->since_ms, .partition = waiting->partition, .woken = service->rules->name, .key = strdup(waiting->key)};

    timer.id = strndup(waiting->key, waiting->id_len);
    if (timer.id != NULL && timer.key != NULL && timers_fire(engine, timer))
        return true;
    free(timer.id);
    free(timer.key);
    return false;
}

void gate_take(struct engine *engine)
{
    struct gate *gate = engine->gate;
    size_t max = batch_alone(engine) ? 1 : TIMER_BATCH_MAX;

    for (size_t i = 0; gate != NULL && i < gate->len; i++) {
        struct service *service = &gate->services[i];
        int room = 0;

        room_refill(service, engine->now_ms);
        gate->stale = true;
        room = room_in(service, engine->now_ms);
        while (service->woken < room && engine->fired_len < max) {
            struct waiting *first = queue_take(&service->queue, engine->parts);

            if (first == NULL)
                break;
            service->woken += fire(engine, service, first);
            free(first);
        }
    }
}

void gate_put_back(struct engine *engine, const struct timer *timer)
{
    struct service *service = service_named(engine->gate, timer->woken);

    if (engine->parts[timer->partition].state != PART_NONE)
        queue_add(&service->queue, timer->key, strlen(timer->id), timer->due_ms, timer->partition);
}

void gate_decided(struct engine *engine, const struct timer *timer)
{
    struct service *service = service_named(engine->gate, timer->woken);

    service->woken--;
    engine->gate->stale = true;
}

/* --- around an event --- */

static void fill_row(struct engine *engine, struct service *service, struct gate_service *row, bool woken)
{
    int room = room_in(service, engine->now_ms);

    row->permits = woken || (service->woken == 0 && queue_first(&service->queue, engine->parts) == NULL) ? room : 0;
    row->open = service->breaker.breaker != BREAKER_CLOSED;
    row->until_ms = service->breaker.breaker == BREAKER_OPEN ? service->breaker.until_ms : 0;
}

void gate_ask(struct engine *engine, struct saga_event *event)
{
    struct gate *gate = engine->gate;

    if (gate == NULL)
        return;
    for (size_t i = 0; i < gate->len && (gate->stale || event->woken != NULL); i++)
        fill_row(engine, &gate->services[i], &gate->rows[i], event->woken != NULL && strcmp(event->woken, gate->rows[i].name) == 0);
    gate->stale = event->woken != NULL;
    event->gate = &gate->told;
}

static const char *service_of(const struct saga *saga, struct saga_place place, enum saga_action action)
{
    return action == ACTION_EXECUTE ? saga->definition->steps[place.index].service : saga_undo_service(saga, saga_step_find(saga, place));
}

static struct op *op_add(struct gate *gate, enum op_kind kind, struct service *service, const struct saga *saga, struct saga_place place, enum saga_action action)
{
    struct op *op = NULL;
    char name[SAGA_PLACE_NAME_MAX];

    if (gate->ops_len == gate->ops_cap) {
        size_t cap = gate->ops_cap == 0 ? 64 : gate->ops_cap * 2;
        struct op *ops = realloc(gate->ops, cap * sizeof *ops);

        if (ops == NULL)
            return NULL;
        gate->ops = ops;
        gate->ops_cap = cap;
    }
    op = &gate->ops[gate->ops_len++];
    *op = (struct op){.kind = kind, .service = service, .id_len = strlen(saga->id)};
    (void)saga_place_name(saga->definition, place, name);
    (void)snprintf(op->key, sizeof op->key, "%s/%s/%c", saga->id, name, action == ACTION_EXECUTE ? 'x' : 'c');
    return op;
}

static bool told_effect(struct engine *engine, const struct saga *saga, const struct effect *effect)
{
    struct gate *gate = engine->gate;
    bool sent = effect->kind == EFFECT_COMMAND, held = effect->kind == EFFECT_HELD;
    struct service *service = sent || held || effect->kind == EFFECT_DIVERTED ? service_named(gate, effect->service) : NULL;
    struct op *op = NULL;

    if (service == NULL)
        return true;
    service->asked++;
    service->sent += sent;
    service->sent_since += sent;
    gate->active = gate->stale = true;
    if (!sent && !held)
        return true;
    op = op_add(gate, sent ? OP_SENT : OP_HELD, service, saga, effect->place, effect->action);
    if (op == NULL)
        return false;
    op->at_ms = sent ? effect->expires_at_ms : saga_step_find(saga, effect->place)->held_since_ms;
    op->partition = wire_partition_of(saga->id, strlen(saga->id), engine->options->partitions);
    return true;
}

static bool told_outcome(struct gate *gate, const struct saga *saga, struct saga_place place, enum saga_action action, enum op_kind kind, bool bad)
{
    struct service *service = service_named(gate, service_of(saga, place, action));
    const struct saga_step *entry = saga_step_find(saga, place);
    struct op *op = service == NULL ? NULL : op_add(gate, kind, service, saga, place, action);

    if (service == NULL)
        return true;
    if (op == NULL)
        return false;
    gate->active = true;
    op->bad = bad;
    op->at_ms = kind == OP_PENDING ? entry->due_at_ms : saga->updated_at_ms;
    op->sent_ms = entry->sent_at_ms;
    return true;
}

/* Silence is told by the history: an event may end one attempt so. */
static bool told_silence(struct gate *gate, const struct saga *saga)
{
    size_t fresh = saga->history_new < saga->history_len ? saga->history_new : saga->history_len;
    bool fine = true;

    for (size_t i = saga->history_len - fresh; i < saga->history_len && fine; i++) {
        const struct saga_history *entry = &saga->history[i];

        if (entry->kind == HISTORY_TIMEOUT || entry->kind == HISTORY_UNDO_TIMEOUT)
            fine = told_outcome(gate, saga, entry->place, entry->kind == HISTORY_TIMEOUT ? ACTION_EXECUTE : ACTION_COMPENSATE, OP_SETTLED, true);
    }
    return fine;
}

bool gate_told(struct engine *engine, const struct saga *saga, const struct saga_event *event)
{
    struct gate *gate = engine->gate;
    bool fine = true;

    if (gate == NULL)
        return true;
    if (event->kind == EVENT_REPLY && engine->effects.disposition == APPLIED && engine->effects.answer != REPLY_UNSAID)
        fine = told_outcome(gate, saga, event->place, event->action, engine->effects.answer == REPLY_PENDING ? OP_PENDING : OP_SETTLED,
                            engine->effects.answer == REPLY_RETRY);
    else if (event->kind == EVENT_TIMER)
        fine = told_silence(gate, saga);
    for (size_t i = 0; i < engine->effects.len && fine; i++)
        fine = told_effect(engine, saga, &engine->effects.items[i]);
    return fine;
}

/* --- the batch has committed --- */

void gate_committed(struct engine *engine)
{
    struct gate *gate = engine->gate;

    for (size_t i = 0; gate != NULL && i < gate->ops_len; i++) {
        const struct op *op = &gate->ops[i];
        struct service *service = op->service;

        switch (op->kind) {
        case OP_SENT:
            service->tokens -= room_rate(service, engine->now_ms) >= 0 ? 1 : 0;
            count_sent(service, op->key, op->partition, op->at_ms);
            break;
        case OP_SETTLED: count_settled(service, op->key, op->sent_ms, op->at_ms, op->bad); break;
        case OP_PENDING: count_pending(service, op->key, op->at_ms); break;
        case OP_HELD: queue_add(&service->queue, op->key, op->id_len, op->at_ms, op->partition); break;
        }
    }
    for (size_t i = 0; gate != NULL && i < gate->len; i++)
        gate->services[i].announce = gate->services[i].announce && !gate->services[i].announced;
}

void gate_doubt(struct engine *engine)
{
    const struct gate *gate = engine->gate;

    for (size_t i = 0; gate != NULL && i < gate->ops_len; i++) {
        const struct op *op = &gate->ops[i];

        if (op->kind == OP_SENT && op->service->breaker.breaker == BREAKER_CLOSED) /* a probe is sent again: the breaker does not wait for its silence */
            count_sent(op->service, op->key, op->partition, op->at_ms);
    }
}

void gate_clear(struct engine *engine)
{
    struct gate *gate = engine->gate;

    if (gate == NULL)
        return;
    gate->ops_len = 0;
    gate->stale = true;
    for (size_t i = 0; i < gate->len; i++) {
        gate->services[i].sent = gate->services[i].woken = 0;
        gate->services[i].announced = false;
    }
}

/*
 * gate.c -- the services that are not to be given too much, as one engine thread knows them.
 *
 * Owns:     what was sent to them and what came back; how many commands may go now; who waits, in order of arrival, and is woken when there is room.
 * Rule:     first come, first served: while somebody waits for a service, nobody else is let past. One service never holds up another.
 * Rule:     a share of what all threads may do (gate.h) is used for a short time and no longer: one who does not hear sends nothing where the
 *           number in flight or the rate is bounded. A breaker that is not heard of stays as it was.
 * Limits:   who waits is remembered for WAITING_MAX sagas a service; all others, and all after a takeover, ask by themselves when they are due.
 * Tests:    tests/engine/test_gate.c
 */
#include "gate.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define BUCKETS 10
#define WAITING_MAX 20000
#define SYNC_IDLE_MS 400     /* how often a thread tells of services that it has nothing to do with */
#define LEASE_GRACE_MS 2000  /* after a command is due, in which its own timeout tells what became of it */
#define RAMP_MS 12000        /* after a breaker closed: as many commands a second as it has probes, twice as many each second */
#define BURST_MS 200         /* what a rate saves up for at most */
#define KEY_MAX (SAGA_ID_MAX + SAGA_PLACE_NAME_MAX + 8)

struct lease { /* a command in flight */
    int64_t change; /* of the breaker when it was sent */
    int64_t expires_ms;
    UT_hash_handle hh;
    char key[]; /* <saga>/<step>/<action> */
};

struct waiting { /* a command held back */
    int64_t since_ms;
    uint64_t order;
    int32_t partition;
    size_t id_len;
    UT_hash_handle hh;
    char key[]; /* as above */
};

struct bucket {
    int64_t slot, good, bad;
};

struct service {
    const struct service_rules *rules;
    struct service_breaker breaker;
    struct service_share share;
    int64_t heard_ms; /* 0 = never */
    bool announce;        /* a change that the world is to be told of */
    bool announced;       /* in this batch */
    struct bucket buckets[BUCKETS];
    int64_t started; /* probes of this half-open that were sent and not given back */
    struct lease *leases;
    struct waiting *waiting; /* by key */
    struct waiting **queue;  /* heap: who waits longest first */
    size_t queue_len, queue_cap;
    uint64_t orders;
    double tokens;
    int64_t tokens_at_ms;
    int64_t ramp_from_ms; /* 0 = no ramp */
    int64_t asked;        /* commands that went, or would have, since it was told */
    int64_t sent_since;   /* and those that went */
    int sent;             /* in this batch */
    int woken;            /* in this batch, not yet decided */
};

enum op_kind { OP_SENT, OP_SETTLED, OP_PENDING, OP_HELD };

struct op { /* what counts once the batch has committed */
    enum op_kind kind;
    struct service *service;
    bool bad;
    int64_t at_ms; /* expires, or held since */
    int32_t partition;
    size_t id_len;
    char key[KEY_MAX];
};

struct gate {
    struct service services[SERVICE_RULES_MAX];
    struct gate_service rows[SERVICE_RULES_MAX];
    struct saga_gate told;
    size_t len;
    bool stale; /* rows are to be filled anew */
    struct op *ops;
    size_t ops_len, ops_cap;
    int64_t synced_ms;
    bool active; /* since then */
    char thread[96];
    struct service_sync syncs[SERVICE_RULES_MAX];
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
        gate->rows[gate->len].name = options->services[gate->len].name;
    }
    gate->told = (struct saga_gate){.services = gate->rows, .len = gate->len};
    gate->stale = true;
    (void)snprintf(gate->thread, sizeof gate->thread, "%s/%d", engine->worker->token, engine->thread);
    *ret_gate = gate;
    return true;
}

static void forget_lease(struct service *service, struct lease *lease)
{
    HASH_DEL(service->leases, lease);
    free(lease);
}

void gate_free(struct gate *gate)
{
    for (size_t i = 0; gate != NULL && i < gate->len; i++) {
        struct service *service = &gate->services[i];
        struct lease *lease = NULL, *next = NULL;

        HASH_ITER(hh, service->leases, lease, next) {
            forget_lease(service, lease);
        }
        HASH_CLEAR(hh, service->waiting);
        for (size_t k = 0; k < service->queue_len; k++)
            free(service->queue[k]);
        free(service->queue);
    }
    if (gate != NULL)
        free(gate->ops);
    free(gate);
}

static struct service *service_named(struct gate *gate, const char *name)
{
    for (size_t i = 0; i < gate->len && name != NULL; i++) { /* NULL: a child's */
        if (strcmp(gate->services[i].rules->name, name) == 0)
            return &gate->services[i];
    }
    return NULL;
}

/* --- who waits --- */

static bool before(const struct waiting *a, const struct waiting *b)
{
    return a->since_ms != b->since_ms ? a->since_ms < b->since_ms : a->order < b->order;
}

static void swap(struct waiting **a, struct waiting **b)
{
    struct waiting *one = *a;

    *a = *b;
    *b = one;
}

/* Where memory runs out it asks by itself when it is due. */
static void wait_add(struct service *service, const char *key, size_t id_len, int64_t since_ms, int32_t partition)
{
    struct waiting *waiting = NULL;
    size_t at = service->queue_len;

    HASH_FIND_STR(service->waiting, key, waiting);
    if (waiting != NULL || service->queue_len >= WAITING_MAX)
        return;
    if (service->queue_len == service->queue_cap) {
        size_t cap = service->queue_cap == 0 ? 64 : service->queue_cap * 2;
        struct waiting **queue = realloc(service->queue, cap * sizeof(struct waiting *));

        if (queue == NULL)
            return;
        service->queue = queue;
        service->queue_cap = cap;
    }
    waiting = calloc(1, sizeof *waiting + strlen(key) + 1);
    if (waiting == NULL)
        return;
    (void)strcpy(waiting->key, key);
    waiting->since_ms = since_ms;
    waiting->order = service->orders++;
    waiting->partition = partition;
    waiting->id_len = id_len;
    HASH_ADD_STR(service->waiting, key, waiting);
    service->queue[service->queue_len++] = waiting;
    for (; at > 0 && before(service->queue[at], service->queue[(at - 1) / 2]); at = (at - 1) / 2)
        swap(&service->queue[at], &service->queue[(at - 1) / 2]);
}

static struct waiting *wait_first(struct service *service)
{
    struct waiting *first = service->queue[0];
    size_t at = 0;

    service->queue[0] = service->queue[--service->queue_len];
    for (;;) {
        size_t least = at, left = 2 * at + 1, right = left + 1;

        if (left < service->queue_len && before(service->queue[left], service->queue[least]))
            least = left;
        if (right < service->queue_len && before(service->queue[right], service->queue[least]))
            least = right;
        if (least == at)
            break;
        swap(&service->queue[at], &service->queue[least]);
        at = least;
    }
    HASH_DEL(service->waiting, first);
    return first;
}

/* --- how much may go --- */

static bool heard_lately(const struct service *service, int64_t now_ms)
{
    return service->heard_ms != 0 && now_ms - service->heard_ms < SERVICE_SHARE_MS;
}

/* Thousandths of a command a second that the ramp lets go; twice as many each second, evenly between. */
static int64_t ramp_rate(const struct service *service, int64_t now_ms)
{
    int64_t since = now_ms - service->ramp_from_ms, base = service->rules->probes > 0 ? service->rules->probes : 1;

    if (since < 0)
        since = 0;
    base *= 1000;
    return (base << (since / 1000)) + (base << (since / 1000)) * (since % 1000) / 1000;
}

/* -1 = any number. */
static int64_t rate_of(struct service *service, int64_t now_ms)
{
    int64_t rate = -1;

    if (service->ramp_from_ms != 0 && now_ms - service->ramp_from_ms >= RAMP_MS)
        service->ramp_from_ms = 0;
    if (service->ramp_from_ms != 0)
        rate = ramp_rate(service, now_ms);
    if (service->rules->rate_permille > 0) {
        int64_t share = heard_lately(service, now_ms) ? service->share.rate_permille : 0;

        rate = rate < 0 || share < rate ? share : rate;
    }
    return rate;
}

static void refill(struct service *service, int64_t now_ms)
{
    int64_t rate = rate_of(service, now_ms), since = now_ms - service->tokens_at_ms;
    double most = (double)rate * BURST_MS / 1e6;

    service->tokens_at_ms = now_ms;
    if (rate < 0)
        return;
    if (since > 0)
        service->tokens += (double)rate * (double)since / 1e6;
    if (service->tokens > (most < 1 ? 1 : most))
        service->tokens = most < 1 ? 1 : most;
}

static int at_most(int64_t room, int64_t most)
{
    int64_t least = room < most ? room : most;

    return least < 0 ? 0 : least > INT32_MAX ? INT32_MAX : (int)least;
}

static int room_in(struct service *service, int64_t now_ms)
{
    const struct service_rules *rules = service->rules;
    int room = INT32_MAX;

    if (service->breaker.breaker == BREAKER_OPEN)
        return 0;
    if (service->breaker.breaker == BREAKER_HALF_OPEN)
        room = at_most(room, service->share.probes - service->started - service->sent);
    if (rules->max_in_flight > 0)
        room = at_most(room, (heard_lately(service, now_ms) ? service->share.in_flight : 0) - (int64_t)HASH_COUNT(service->leases) - service->sent);
    if (rate_of(service, now_ms) >= 0)
        room = at_most(room, (int64_t)service->tokens - service->sent);
    return room;
}

/* --- to tell and to hear --- */

static void count_window(const struct service *service, int64_t now_ms, struct service_report *report)
{
    int64_t first = now_ms / (service->rules->window_ms / BUCKETS) - BUCKETS + 1;

    for (size_t i = 0; i < BUCKETS; i++) {
        if (service->buckets[i].slot < first && service->breaker.breaker != BREAKER_HALF_OPEN)
            continue;
        report->good += service->buckets[i].good;
        report->bad += service->buckets[i].bad;
    }
}

/* What was due long ago is in flight no more; a probe whose end was never told is given back. */
static void drop_leases(struct service *service, int64_t now_ms, int64_t *ret_latest_ms)
{
    struct lease *lease = NULL, *next = NULL;

    HASH_ITER(hh, service->leases, lease, next) {
        if (lease->expires_ms + LEASE_GRACE_MS <= now_ms) {
            service->started -= lease->change == service->breaker.change && service->started > 0;
            forget_lease(service, lease);
        } else if (lease->expires_ms > *ret_latest_ms) {
            *ret_latest_ms = lease->expires_ms;
        }
    }
}

static struct service_report report_of(const struct gate *gate, struct service *service, int64_t now_ms)
{
    int64_t since = now_ms - gate->synced_ms > 0 ? now_ms - gate->synced_ms : 1;
    struct service_report report = {.change = service->breaker.change};

    drop_leases(service, now_ms, &report.lease_ms);
    if (service->rules->breaker)
        count_window(service, now_ms, &report);
    report.started = service->started;
    report.in_flight = (int64_t)HASH_COUNT(service->leases);
    report.held = (int64_t)service->queue_len;
    report.wanted = report.in_flight + report.held + service->sent_since;
    report.oldest_ms = service->queue_len > 0 ? service->queue[0]->since_ms : 0;
    report.demand = service->queue_len > 0 && service->rules->rate_permille > 0 ? service->rules->rate_permille
                                                                                : service->asked * 1000000 / since;
    return report;
}

static void hear(struct engine *engine, struct service *service, const struct service_share *share, int64_t now_ms)
{
    enum breaker was = service->breaker.breaker;
    bool known = service->breaker.change != 0, changed = service->breaker.change != share->breaker.change;

    service->share = *share;
    service->heard_ms = now_ms;
    refill(service, now_ms);
    if (!changed)
        return;
    service->breaker = share->breaker;
    service->announce = service->announce || share->announce;
    service->started = 0;
    memset(service->buckets, 0, sizeof service->buckets);
    if (share->breaker.breaker == BREAKER_CLOSED && known && was != BREAKER_CLOSED) {
        service->ramp_from_ms = now_ms;
        service->tokens = 0;
        service->tokens_at_ms = now_ms;
    }
    if (!share->announce)
        return;
    engine_count(engine, STAT_SERVICE_CHANGES, 1);
    ENGINE_LOG(engine, share->breaker.breaker == BREAKER_CLOSED ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "service %s: the circuit breaker is %s%s%s%s%s", service->rules->name,
               breaker_name(share->breaker.breaker), share->breaker.who[0] == '\0' ? "" : ", by ", share->breaker.who,
               share->breaker.why[0] == '\0' ? "" : ": ", share->breaker.why);
}

static int64_t sync_at(const struct gate *gate)
{
    bool waits = gate->active;

    for (size_t i = 0; i < gate->len && !waits; i++)
        waits = gate->services[i].queue_len > 0 || gate->services[i].leases != NULL;
    return gate->synced_ms + (waits ? SERVICE_SYNC_MS : SYNC_IDLE_MS);
}

enum baton_err gate_sync(struct engine *engine, struct baton_error *err)
{
    struct gate *gate = engine->gate;
    int64_t now = engine_now(engine);
    enum baton_err rc = BATON_OK;

    if (gate == NULL || (sync_at(gate) > now && gate->synced_ms <= now))
        return BATON_OK;
    for (size_t i = 0; i < gate->len; i++)
        gate->syncs[i] = (struct service_sync){.rules = gate->services[i].rules, .known = gate->services[i].breaker,
                                               .report = report_of(gate, &gate->services[i], now)};
    rc = view_checked(engine, engine->view.services(engine->view.self, gate->thread, gate->syncs, gate->len, now, err), err);
    if (rc != BATON_OK)
        return rc;
    for (size_t i = 0; i < gate->len; i++) {
        hear(engine, &gate->services[i], &gate->syncs[i].ret_share, now);
        gate->services[i].asked = gate->services[i].sent_since = 0;
    }
    gate->synced_ms = now;
    gate->active = false;
    gate->stale = true;
    return BATON_OK;
}

int64_t gate_next(struct engine *engine)
{
    struct gate *gate = engine->gate;
    int64_t now = 0, next = INT64_MAX;

    if (gate == NULL)
        return INT64_MAX;
    now = engine_now(engine);
    next = sync_at(gate);
    for (size_t i = 0; i < gate->len; i++) {
        struct service *service = &gate->services[i];
        int64_t rate = rate_of(service, now);

        if (service->queue_len == 0)
            continue;
        refill(service, now);
        if (room_in(service, now) > 0)
            return now;
        if (rate > 0 && service->breaker.breaker == BREAKER_CLOSED && service->tokens < 1) {
            int64_t at = now + 1 + (int64_t)((1 - service->tokens) * 1e6 / (double)rate);

            next = at < next ? at : next;
        }
    }
    return next;
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

        refill(service, engine->now_ms);
        gate->stale = true;
        room = room_in(service, engine->now_ms);
        while (service->queue_len > 0 && service->woken < room && engine->fired_len < max) {
            struct waiting *first = wait_first(service);

            if (engine->parts[first->partition].state == PART_READY && fire(engine, service, first))
                service->woken++;
            free(first);
        }
    }
}

void gate_put_back(struct engine *engine, const struct timer *timer)
{
    struct service *service = service_named(engine->gate, timer->woken);

    wait_add(service, timer->key, strlen(timer->id), timer->due_ms, timer->partition);
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

    row->permits = woken || (service->queue_len == 0 && service->woken == 0) ? room : 0;
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

static void add_lease(struct service *service, const struct op *op)
{
    struct lease *lease = NULL;

    HASH_FIND_STR(service->leases, op->key, lease);
    if (lease == NULL) {
        lease = calloc(1, sizeof *lease + strlen(op->key) + 1);
        if (lease == NULL)
            return; /* counted no more: the next rounds may send one too many */
        (void)strcpy(lease->key, op->key);
        HASH_ADD_STR(service->leases, key, lease);
    }
    lease->change = service->breaker.change;
    lease->expires_ms = op->at_ms;
}

static void count_outcome(struct service *service, const struct op *op)
{
    int64_t slot = op->at_ms / (service->rules->window_ms / BUCKETS);
    struct bucket *bucket = &service->buckets[slot % BUCKETS];

    if (bucket->slot != slot && service->breaker.breaker == BREAKER_CLOSED)
        *bucket = (struct bucket){.slot = slot};
    bucket->good += !op->bad;
    bucket->bad += op->bad;
}

static void settled(struct service *service, const struct op *op)
{
    struct lease *lease = NULL;
    bool probe = false;

    HASH_FIND_STR(service->leases, op->key, lease);
    probe = lease != NULL && lease->change == service->breaker.change;
    if (service->rules->breaker && (service->breaker.breaker == BREAKER_CLOSED || (service->breaker.breaker == BREAKER_HALF_OPEN && probe)))
        count_outcome(service, op);
    if (lease != NULL)
        forget_lease(service, lease);
}

void gate_committed(struct engine *engine)
{
    struct gate *gate = engine->gate;

    for (size_t i = 0; gate != NULL && i < gate->ops_len; i++) {
        const struct op *op = &gate->ops[i];
        struct service *service = op->service;
        bool half_open = service->breaker.breaker == BREAKER_HALF_OPEN;
        struct lease *lease = NULL;

        switch (op->kind) {
        case OP_SENT:
            service->tokens -= rate_of(service, engine->now_ms) >= 0 ? 1 : 0;
            service->started += half_open;
            if (half_open || service->rules->max_in_flight > 0)
                add_lease(service, op);
            break;
        case OP_SETTLED: settled(service, op); break;
        case OP_PENDING:
            HASH_FIND_STR(service->leases, op->key, lease);
            if (lease != NULL)
                lease->expires_ms = op->at_ms;
            break;
        case OP_HELD: wait_add(service, op->key, op->id_len, op->at_ms, op->partition); break;
        }
    }
    for (size_t i = 0; gate != NULL && i < gate->len; i++)
        gate->services[i].announce = gate->services[i].announce && !gate->services[i].announced;
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

/* --- news --- */

bool gate_has_news(const struct engine *engine)
{
    const struct gate *gate = engine->gate;
    bool news = false;

    for (size_t i = 0; gate != NULL && i < gate->len; i++)
        news = news || gate->services[i].announce;
    return news;
}

/* In the transaction of any partition of ours: without offsets a transaction is not fenced. */
static struct part *any_part(struct engine *engine)
{
    for (int32_t p = 0; p < engine->options->partitions; p++) {
        if (engine->parts[p].state == PART_READY)
            return &engine->parts[p];
    }
    return NULL;
}

enum baton_err gate_announce(struct engine *engine, struct baton_error *err)
{
    struct gate *gate = engine->gate;
    struct part *part = gate_has_news(engine) ? any_part(engine) : NULL;
    enum baton_err rc = BATON_OK;

    if (part == NULL)
        return BATON_OK;
    decide_touch_part(engine, part);
    for (size_t i = 0; i < gate->len && rc == BATON_OK; i++) {
        struct service *service = &gate->services[i];

        if (!service->announce)
            continue;
        rc = wire_service_write(service->rules->name, &service->breaker, engine->options->events_topic, &engine->out, err);
        engine->out.record.tag = TAG_CAUSE;
        if (rc == BATON_OK)
            rc = decide_produce(engine, &engine->out.record, err);
        service->announced = true;
    }
    return rc;
}

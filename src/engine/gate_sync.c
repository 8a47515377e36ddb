/*
 * gate_sync.c -- what a thread tells of its services, and what it hears: a few times a second, whatever the number of messages.
 *
 * Why:      totals for everything (gate.h): a round that was lost, told twice or forgotten by Redis is made good by the next one.
 * Tests:    tests/engine/test_gate.c
 */
#include "gate_internal.h"
#include <stdlib.h>

#define SYNC_IDLE_MS 400 /* how often a thread tells of services that it has nothing to do with */

static struct service_report report_of(const struct engine *engine, struct service *service, int64_t now_ms)
{
    int64_t since = now_ms - engine->gate->synced_ms > 0 ? now_ms - engine->gate->synced_ms : 1;
    const struct waiting *first = queue_first(&service->queue, engine->parts);
    struct service_report report = {.change = service->breaker.change};

    count_report(service, now_ms, &report);
    report.held = (int64_t)queue_len(&service->queue, engine->parts);
    report.wanted = report.in_flight + report.held + service->sent_since;
    report.oldest_ms = first == NULL ? 0 : first->since_ms;
    report.demand = first != NULL && service->rules->rate_permille > 0 ? service->rules->rate_permille : service->asked * 1000000 / since;
    return report;
}

static void hear(struct engine *engine, struct service *service, const struct service_share *share, int64_t now_ms)
{
    enum breaker was = service->breaker.breaker;
    bool known = service->breaker.change != 0, changed = service->breaker.change != share->breaker.change;

    service->share = *share;
    service->heard_ms = now_ms;
    room_refill(service, now_ms);
    if (!changed)
        return;
    service->breaker = share->breaker;
    service->announce = service->announce || share->announce;
    count_anew(service);
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
        waits = gate->services[i].queue.by_key != NULL || gate->services[i].leases != NULL;
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
                                               .report = report_of(engine, &gate->services[i], now)};
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
        int64_t at = 0;

        if (queue_first(&service->queue, engine->parts) == NULL)
            continue;
        room_refill(service, now);
        at = room_in(service, now) > 0 ? now : room_at(service, now);
        next = at < next ? at : next;
    }
    return next;
}

/* --- what the world is told --- */

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

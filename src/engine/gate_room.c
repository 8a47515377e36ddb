/*
 * gate_room.c -- how many commands may go to a service now.
 *
 * Rule:     a share of what all threads may do (gate.h) is used for a short time and no longer: one who does not hear sends nothing where the
 *           number in flight or the rate is bounded. A breaker that is not heard of stays as it was.
 * Tests:    tests/engine/test_gate.c
 */
#include "gate_internal.h"

#define RAMP_MS 12000 /* after a breaker closed: as many commands a second as it has probes, twice as many each second */
#define BURST_MS 200  /* what a rate saves up for at most */

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

int64_t room_rate(struct service *service, int64_t now_ms)
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

void room_refill(struct service *service, int64_t now_ms)
{
    int64_t rate = room_rate(service, now_ms), since = now_ms - service->tokens_at_ms;
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

int room_in(struct service *service, int64_t now_ms)
{
    const struct service_rules *rules = service->rules;
    int room = INT32_MAX;

    if (service->breaker.breaker == BREAKER_OPEN)
        return 0;
    if (service->breaker.breaker == BREAKER_HALF_OPEN)
        room = at_most(room, service->share.probes - service->started - service->sent);
    if (rules->max_in_flight > 0)
        room = at_most(room, (heard_lately(service, now_ms) ? service->share.in_flight : 0) - (int64_t)HASH_COUNT(service->leases) - service->sent);
    if (room_rate(service, now_ms) >= 0)
        room = at_most(room, (int64_t)service->tokens - service->sent);
    return room;
}

int64_t room_at(struct service *service, int64_t now_ms)
{
    int64_t rate = room_rate(service, now_ms);

    if (rate <= 0 || service->breaker.breaker != BREAKER_CLOSED || service->tokens >= 1)
        return INT64_MAX;
    return now_ms + 1 + (int64_t)((1 - service->tokens) * 1e6 / (double)rate);
}

/*
 * gate_count.c -- what came of the commands that this thread sent to a service, and which are still in flight.
 *
 * Rule:     a command in flight is a lease: it ends with its answer, or when it is due. Nothing is added up that could leak.
 * Rule:     what was sent before the breaker changed tells nothing of the time after: a service that is back is not judged by the silence of before.
 * Tests:    tests/engine/test_gate.c
 */
#include "gate_internal.h"
#include <stdlib.h>

#define LEASE_GRACE_MS 2000 /* after a command is due, in which its own timeout tells what became of it */

static struct lease *lease_of(const struct service *service, const char *key)
{
    struct lease *lease = NULL;

    HASH_FIND_STR(service->leases, key, lease);
    return lease;
}

static void forget(struct service *service, struct lease *lease)
{
    HASH_DEL(service->leases, lease);
    free(lease);
}

void count_sent(struct service *service, const char *key, int32_t partition, int64_t expires_ms)
{
    bool half_open = service->breaker.breaker == BREAKER_HALF_OPEN;
    struct lease *lease = lease_of(service, key);

    service->started += half_open;
    if (!half_open && service->rules->max_in_flight == 0)
        return;
    if (lease == NULL) {
        lease = calloc(1, sizeof *lease + strlen(key) + 1);
        if (lease == NULL)
            return; /* counted no more: the next rounds may send one too many */
        (void)strcpy(lease->key, key);
        HASH_ADD_STR(service->leases, key, lease);
    }
    lease->change = service->breaker.change;
    lease->partition = partition;
    lease->expires_ms = expires_ms;
}

void count_pending(struct service *service, const char *key, int64_t expires_ms)
{
    struct lease *lease = lease_of(service, key);

    if (lease != NULL)
        lease->expires_ms = expires_ms;
}

static void count_outcome(struct service *service, int64_t at_ms, bool bad)
{
    int64_t slot = at_ms / (service->rules->window_ms / BUCKETS);
    struct bucket *bucket = &service->buckets[slot % BUCKETS];

    if (bucket->slot != slot && service->breaker.breaker == BREAKER_CLOSED)
        *bucket = (struct bucket){.slot = slot};
    bucket->good += !bad;
    bucket->bad += bad;
}

void count_settled(struct service *service, const char *key, int64_t sent_ms, int64_t at_ms, bool bad)
{
    struct lease *lease = lease_of(service, key);
    bool probe = lease != NULL && lease->change == service->breaker.change;
    bool first = service->breaker.change <= 1; /* nothing was before */

    if (service->rules->breaker && ((service->breaker.breaker == BREAKER_CLOSED && (first || sent_ms > service->breaker.since_ms)) ||
                                    (service->breaker.breaker == BREAKER_HALF_OPEN && probe)))
        count_outcome(service, at_ms, bad);
    if (lease != NULL)
        forget(service, lease);
}

void count_lost(struct service *service, int32_t partition, int64_t now_ms)
{
    struct lease *lease = NULL, *next = NULL;

    HASH_ITER(hh, service->leases, lease, next) {
        if (lease->partition == partition && lease->expires_ms > now_ms + SERVICE_ORPHAN_MAX_MS)
            lease->expires_ms = now_ms + SERVICE_ORPHAN_MAX_MS;
    }
}

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

/* A probe whose end was never told is given back. */
static void drop_leases(struct service *service, int64_t now_ms, int64_t *ret_latest_ms)
{
    struct lease *lease = NULL, *next = NULL;

    HASH_ITER(hh, service->leases, lease, next) {
        if (lease->expires_ms + LEASE_GRACE_MS <= now_ms) {
            service->started -= lease->change == service->breaker.change && service->started > 0;
            forget(service, lease);
        } else if (lease->expires_ms > *ret_latest_ms) {
            *ret_latest_ms = lease->expires_ms;
        }
    }
}

void count_report(struct service *service, int64_t now_ms, struct service_report *report)
{
    drop_leases(service, now_ms, &report->lease_ms);
    if (service->rules->breaker)
        count_window(service, now_ms, report);
    report->started = service->started;
    report->in_flight = (int64_t)HASH_COUNT(service->leases);
}

void count_anew(struct service *service)
{
    service->started = 0;
    memset(service->buckets, 0, sizeof service->buckets);
}

void count_free(struct service *service)
{
    struct lease *lease = NULL, *next = NULL;

    HASH_ITER(hh, service->leases, lease, next) {
        forget(service, lease);
    }
}

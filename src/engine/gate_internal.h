/*
 * gate_internal.h -- what one engine thread knows of the services that have rules; shared by the gate's files alone.
 */
#ifndef BATON_ENGINE_GATE_INTERNAL_H
#define BATON_ENGINE_GATE_INTERNAL_H

#include "gate.h"
#include "gate_queue.h"

#define BUCKETS 10
#define KEY_MAX (SAGA_ID_MAX + SAGA_PLACE_NAME_MAX + 8)

struct lease { /* a command in flight */
    int64_t change; /* of the breaker when it was sent */
    int64_t expires_ms;
    int32_t partition;
    UT_hash_handle hh;
    char key[]; /* <saga>/<step>/<action> */
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
    struct queue queue;
    double tokens;
    int64_t tokens_at_ms;
    int64_t ramp_from_ms; /* 0 = no ramp */
    int64_t asked;        /* commands that went, or would have, since it was told */
    int64_t sent_since;   /* and those that went */
    int sent;             /* in this batch */
    int woken;            /* in this batch, not yet decided */
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

/* --- gate_room.c: how much may go --- */
/** Thousandths of a command a second; -1 = any number. */
int64_t room_rate(struct service *service, int64_t now_ms);
void room_refill(struct service *service, int64_t now_ms);
/** Commands that may go now; INT32_MAX = any number. */
int room_in(struct service *service, int64_t now_ms);
/** When another may go by the rate alone; INT64_MAX = it is not the rate. */
int64_t room_at(struct service *service, int64_t now_ms);

/* --- gate_count.c: what came of what was sent --- */
void count_sent(struct service *service, const char *key, int32_t partition, int64_t expires_ms);
void count_pending(struct service *service, const char *key, int64_t expires_ms);
/** sent_ms: when its command was; what was sent before a change tells nothing of what is after it. */
void count_settled(struct service *service, const char *key, int64_t sent_ms, int64_t at_ms, bool bad);
/** Its sagas are another thread's, which nobody told of their commands. */
void count_lost(struct service *service, int32_t partition, int64_t now_ms);
/** What is in flight, and what was settled, into report; what was due long ago is in flight no more. */
void count_report(struct service *service, int64_t now_ms, struct service_report *report);
/** The breaker has changed: it counts anew. */
void count_anew(struct service *service);
void count_free(struct service *service);

#endif

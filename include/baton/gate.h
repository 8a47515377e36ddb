/*
 * gate.h -- how much a service is given to do: its circuit breaker, how many commands may be in flight, how many may go a second.
 *
 * Each engine thread tells, a few times a second, what it has seen of a service, and hears what all threads together make of it. What it tells are
 * totals, never differences: told twice it changes nothing, and a store that forgot everything knows it again after one round. What it is given is
 * a share for a short time: a thread that dies gives it back by saying nothing.
 */
#ifndef BATON_GATE_H
#define BATON_GATE_H

#include <baton/saga.h>

#define SERVICE_RULES_MAX 64     /* services with rules */
#define SERVICE_NAME_MAX 200
#define SERVICES_LISTED_MAX 256
#define SERVICE_SYNC_MS 200      /* how often a thread tells and hears */
#define SERVICE_SHARE_MS 2000    /* how long it may use what it was given without hearing again */
#define SERVICE_MEMBER_MS 4000   /* and after which it counts as gone; longer, so that nothing is given twice */
#define SERVICE_SETTLE_MS 1000   /* after a wipe, in which every thread tells again; nothing that is bounded is given before */
#define SERVICE_ORPHAN_MAX_MS 30000 /* commands of a thread that is gone count as in flight until they are due, but so long at most */

struct service_rules {
    const char *name;
    bool breaker;           /* has one */
    int64_t window_ms;      /* in which outcomes count */
    int failure_permille;   /* of them, from which it opens */
    int minimum_calls;      /* settled in the window, below which it does not */
    int64_t open_ms;        /* for how long */
    int probes;             /* commands that go through half-open; all must succeed */
    int max_in_flight;      /* 0 = any number */
    int64_t rate_permille;  /* thousandths of a command a second; 0 = any number */
};

enum breaker { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN, BREAKER_COUNT };
const char *breaker_name(enum breaker breaker); /* "closed", "open", "half-open" */
bool breaker_parse(const char *text, enum breaker *ret_breaker);

/* The breaker as all threads have it. The higher change holds. */
struct service_breaker {
    int64_t change; /* counts them; 0 = nothing known yet */
    enum breaker breaker;
    bool by_hand;   /* an operator's: stays so until it is reset */
    int64_t since_ms;
    int64_t until_ms; /* open by itself: until then; else 0 */
    char who[VERB_WHO_MAX + 1], why[VERB_WHY_MAX + 1]; /* of an operator's; "" else */
};

/* What one thread tells. */
struct service_report {
    int64_t change;     /* the breaker that these outcomes are of */
    int64_t good, bad;  /* settled since that change and within the window: answered, even with no; transient failures and silence. Half-open: of probes */
    int64_t started;    /* probes begun since that change and not given back */
    int64_t in_flight;  /* commands out, where they are counted */
    int64_t held;       /* commands that wait here */
    int64_t wanted;     /* how many it could have in flight now */
    int64_t demand;     /* thousandths of a command a second that it could send */
    int64_t oldest_ms;  /* since when the first of those that wait does; 0 = none waits */
    int64_t lease_ms;   /* when the last command in flight is due */
};

/* What it hears. */
struct service_share {
    struct service_breaker breaker;
    int64_t probes;        /* that this thread may have started since the change */
    int64_t in_flight;     /* commands that it may have out; of no meaning without a maximum */
    int64_t rate_permille; /* likewise */
    bool announce;         /* this thread is the one to tell the world of the change */
};

struct service_sync {
    const struct service_rules *rules;
    struct service_breaker known; /* what the thread has: taken if the store has an older one, or none */
    struct service_report report;
    struct service_share ret_share;
};

/* All threads together, for people. */
struct service_summary {
    char name[SERVICE_NAME_MAX + 1];
    struct service_breaker breaker;
    int64_t good, bad, in_flight, held, threads;
    int64_t max_in_flight, rate_permille; /* as the threads have it; 0 = any number */
    bool has_breaker;
};

#endif

/*
 * saga.h -- a saga's state, the events that move it and the effects they have. Plain values; the rules are in apply.h.
 */
#ifndef BATON_SAGA_H
#define BATON_SAGA_H

#include <baton/definition.h>
#include <baton/error.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define SAGA_ID_MAX 128
#define SAGA_DEPTH_MAX 8     /* of a child of a child ...: a saga of no parent is at 0 */
#define SAGA_SIGNALS_MAX 16  /* that came before their wait was reached, kept in the state; more are refused */
#define SAGA_HISTORY_MAX 128 /* entries kept in the state; older ones are dropped and counted (the journal has them all) */

enum saga_status {
    SAGA_RUNNING,
    SAGA_COMPENSATING,
    SAGA_COMPLETED,   /* terminal from here ... */
    SAGA_COMPENSATED,
    SAGA_PARKED,      /* ... but for this one: live, waits for an operator or a late reply, owns a reason; what is under way beside it goes on */
    SAGA_CANCELLED,
    SAGA_TERMINATED,
    SAGA_STATUS_COUNT,
};
const char *saga_status_name(enum saga_status status); /* "running", ... */
bool saga_status_parse(const char *text, enum saga_status *ret_status);
bool saga_status_ended(enum saga_status status); /* completed, compensated, cancelled, terminated */

enum step_status {
    STEP_RUNNING,      /* an execute command is outstanding until due_at; of a group: a step in it is under way */
    STEP_RETRYING,     /* the next execute attempt is sent at due_at */
    STEP_WAITING,      /* for its time or its signal, until due_at or for ever */
    STEP_DONE,
    STEP_FAILED,       /* refused, or exhausted by transient failures that were all answered: nothing happened there */
    STEP_UNKNOWN,      /* given up with an attempt unanswered: the participant may have acted */
    STEP_SKIPPED,      /* its `when` was false, or no case of it was true */
    STEP_COMPENSATING, /* a compensate command is outstanding until due_at */
    STEP_COMPENSATION_RETRYING,
    STEP_COMPENSATED,
    STEP_COMPENSATION_FAILED, /* its budget is spent: the saga is parked */
    STEP_COMPENSATION_SKIPPED, /* an operator said so: what it did stays */
    STEP_STATUS_COUNT,
};
const char *step_status_name(enum step_status status); /* "running", "retrying", ..., "compensation-retrying", ... */
bool step_status_parse(const char *text, enum step_status *ret_status);

enum saga_action { ACTION_EXECUTE, ACTION_COMPENSATE };

/* Where a step stands in a run. */
struct saga_place {
    int index;     /* in definition->steps; -1 = the saga itself */
    int iteration; /* 0..: of the forEach around it; -1 = there is none */
};
#define SAGA_ITSELF ((struct saga_place){-1, -1})
/* <step>, or <step>.<iteration>: its name in ids, in the state and to operators. */
#define SAGA_PLACE_NAME_MAX (DEFINITION_ENTRY_NAME_MAX + 8)

/* One step or group that has been reached, in order of first touch; in a forEach, in one iteration. What was decided about it is written here, never decided again. */
struct saga_step {
    int index;             /* in definition->steps; its name is there */
    int iteration;         /* as in struct saga_place */
    enum step_status status;
    int chosen;            /* of a switch: the case it took, 1..; one more than its cases = the default; 0 = none */
    uint32_t lost;         /* of a parallel: a bit for each branch that lost: what was done there is undone, whatever the saga does */
    int count;             /* of a forEach: items */
    int begun, finished;   /* of its iterations: the first `begun` have begun, and so many have come to their end */
    int attempts;          /* execute commands sent */
    int compensations;     /* compensate commands sent */
    int forgiven;          /* so many of the present direction's attempts were before an operator's retry, or of earlier polls: they count against no budget */
    bool forever;          /* waits without a due time: for a signal of which the definition says "never", or for a child, which has its own */
    int children_failed;   /* of a child saga's step: so many have ended without success; the next one has another id */
    int polls;             /* answers of a repeat that would not do */
    int poll_from;         /* so many of its attempts were of earlier polls */
    enum fallback_kind fallback; /* what stood in for it when it was given up: that has an entry of its own */
    bool refused;          /* past the pivot, where it is tried again: nothing stands in for it any more */
    bool parked;           /* the saga is parked on it: a late answer or an operator takes it on */
    bool unanswered;       /* some execute attempt timed out with no answer to any attempt since, or a poll was answered: it may have acted */
    int done_order;        /* 1.. in order of completion (or of giving up, when unknown); 0 = neither. Also of one that failed, but was done after all while
                            * something stood in for it */
    int64_t first_at_ms;   /* of the present direction's first attempt */
    int64_t sent_at_ms;    /* of the last attempt */
    int64_t due_at_ms;     /* reply due, or next attempt due; 0 = nothing outstanding */
    int64_t settled_at_ms; /* 0 = not yet */
    int64_t held_since_ms; /* its next command waits for its service (struct saga_gate), since then; due_at_ms = when it asks again. 0 = not */
    int64_t cached_at_ms;  /* of what stands in as a cached value: when that was told; 0 = it is none */
    json_t *items;         /* owned, of a forEach; NULL = as its plain path reads them from the input, which never changes */
    json_t *output;        /* owned; NULL = none */
    json_t *dataref;       /* owned; a text: where the output lies, by the reply that gave it; NULL = nowhere else */
    json_t *error;         /* owned; {"code","message","details"?}; NULL = none */
    json_t *input;         /* owned; an operator's, instead of the definition's; NULL = none */
    json_t *undo_input;    /* owned; likewise of the compensation */
    json_t *child;         /* owned; the id of the child that was started last; NULL = none */
    json_t *undo;          /* owned; {"service","command","input"?}: its compensation as a reply named it, over the definition's; NULL = none */
    bool changed;          /* by the last apply: the journal's patch holds just these */
};

/* What an operator, or another program, may ask of a saga. */
enum saga_verb {
    VERB_CANCEL,     /* turn back, and end as cancelled */
    VERB_TERMINATE,  /* end now, without compensation */
    VERB_PAUSE,      /* send nothing, let no timer fire, until it is resumed */
    VERB_RESUME,     /* after a pause */
    VERB_RETRY,      /* the parked step again, its budget anew, perhaps with another input */
    VERB_SKIP,       /* go on without this step, or without its compensation */
    VERB_COMPLETE,   /* this step, or its compensation, was done by hand */
    VERB_COMPENSATE, /* turn back, and end as compensated */
    VERB_MIGRATE,    /* go on by another version of the definition */
    VERB_COUNT,
};
const char *saga_verb_name(enum saga_verb verb); /* "cancel", ... */
bool saga_verb_parse(const char *text, size_t len, enum saga_verb *ret_verb);
#define VERB_WHO_MAX 128 /* bytes */
#define VERB_WHY_MAX 256

enum history_kind {
    HISTORY_STARTED,
    HISTORY_SENT,         /* execute command, attempt n */
    HISTORY_DONE,
    HISTORY_REFUSED,      /* business no */
    HISTORY_TRANSIENT,    /* answered "try again", attempt n */
    HISTORY_TIMEOUT,      /* no answer in time, attempt n */
    HISTORY_EXHAUSTED,    /* given up */
    HISTORY_SKIPPED,
    HISTORY_COMPENSATING, /* the saga turns back */
    HISTORY_UNDO_SENT,
    HISTORY_UNDONE,
    HISTORY_UNDO_REFUSED,
    HISTORY_UNDO_TIMEOUT,
    HISTORY_DUPLICATE,    /* reply to a settled step: counted */
    HISTORY_LATE,         /* reply after the step was given up */
    HISTORY_PENDING,      /* participant works on: deadline extended */
    HISTORY_PARKED,
    HISTORY_RESUMED,      /* from parked, by a late reply */
    HISTORY_DEADLINE,     /* saga timeout */
    HISTORY_ENDED,
    HISTORY_DUPLICATE_START,
    HISTORY_WAITING,        /* a sleep or a wait has begun */
    HISTORY_SIGNAL,         /* what a wait has waited for */
    HISTORY_SIGNAL_KEPT,    /* it came early */
    HISTORY_SIGNAL_REFUSED, /* too many came early */
    HISTORY_POLLED,         /* the answer of a repeat would not do, attempt n */
    HISTORY_UNDO_IGNORED,   /* a reply named a compensation that cannot be one, attempt n */
    HISTORY_FALLBACK,       /* something stands in for the step */
    HISTORY_LOST,           /* a branch of a parallel; the number of the attempt is the branch's, 1.. */
    HISTORY_HELD, /* its service takes no command now: the next attempt waits */
    HISTORY_VERB, /* + enum saga_verb: an operator's, with a note of who and why */
    HISTORY_VERB_LAST = HISTORY_VERB + VERB_COUNT - 1,
    HISTORY_KIND_COUNT,
};
const char *history_kind_name(enum history_kind kind);
bool history_kind_parse(const char *text, enum history_kind *ret_kind);

struct saga_history {
    int64_t after_ms; /* since started_at_ms */
    enum history_kind kind;
    struct saga_place place;
    int attempt; /* 0 = none */
    json_t *note; /* owned; {"who","why"?,"job"?} of a verb; NULL = none */
};

/* Where the starter wants its answer, if it said so. */
struct saga_reply_to {
    char *topic;       /* NULL = nowhere */
    char *correlation; /* raw bytes as hex? no: text; binary correlation ids are carried base64 with a "b64:" prefix */
};

struct saga {
    char id[SAGA_ID_MAX + 1];
    const struct definition *definition; /* borrowed; the state names it by name, version and hash */
    enum saga_status status;
    int64_t seq; /* number of events applied: the version of this state; 1 after start */
    int64_t started_at_ms, updated_at_ms;
    int64_t ended_at_ms;    /* 0 = live */
    int64_t deadline_at_ms; /* 0 = none (or passed and dealt with) */
    int64_t due_at_ms;      /* when it must be looked at next: the least of its steps' and its own; 0 = parked or ended */
    json_t *input;          /* owned; an object */
    json_t *dataref;        /* owned; a text: where the input lies, by the start command; NULL = nowhere else */
    json_t *output;         /* owned; NULL until completed */
    json_t *error;          /* owned; {"step","code","message"}; why it turned back or parked; NULL = none */
    char *parked;           /* owned; reason while status is SAGA_PARKED, else NULL */
    enum saga_status parked_from; /* SAGA_RUNNING or SAGA_COMPENSATING, while parked */
    int64_t paused_at_ms;         /* parked because an operator paused it, since then; 0 = not */
    bool turned_back;             /* compensation has begun */
    char *traceparent, *tracestate; /* owned; of the start command; NULL = none */
    struct saga_reply_to reply_to;  /* owned */
    json_t *parent; /* owned, never changed in place; NULL = none, else {"saga","step","attempt","depth"}: whose step it is and which attempt to
                     * answer, and "undo": which attempt of its compensation, or "detached": true */
    int64_t duplicates, late;       /* replies, starts and signals counted */
    json_t *signals; /* owned, never changed in place; [{"name","at","payload"}] that came early, oldest first; NULL = none */
    json_t *queue; /* owned, never changed in place; of a lock: [{"saga","at"}] who asked, the owner first; NULL = nobody */
    struct saga_step *steps;        /* owned, steps_len of them, order of first touch */
    size_t steps_len, steps_cap;
    int *slots; /* owned; once it has iterations: a hash table of positions in steps, from 1; slots_cap of them, a power of two; NULL = none yet */
    size_t slots_cap;
    struct saga_history *history; /* owned ring, oldest first */
    size_t history_len, history_cap;
    int64_t history_dropped;
    size_t history_new; /* how many of the newest entries the last apply added (for the patch) */
    size_t history_cut; /* how many of the oldest entries the last apply dropped (for the patch) */
    bool output_changed, error_changed, parked_changed, signals_changed, parent_changed, queue_changed; /* by the last apply */
};

struct saga *saga_new(void); /* zeroed; NULL if memory ran out */
struct saga *saga_clone(const struct saga *saga);
void saga_free(struct saga *saga); /* NULL is fine */
#define UNDO_BYTES_MAX 16384 /* of a compensation that a reply names */
/** Who undoes the step, whether a reply has named it or the definition; NULL = nobody. */
const char *saga_undo_service(const struct saga *saga, const struct saga_step *step);
/** The entry of the step there, or NULL if the saga has not reached it. O(1) where there are iterations. */
struct saga_step *saga_step_find(const struct saga *saga, struct saga_place place);
/** A new entry, of a step that has none; NULL if memory ran out. Pointers to entries end here. */
struct saga_step *saga_step_add(struct saga *saga, struct saga_place place);
struct saga_place saga_place_of(const struct saga_step *step);
/** Where that step stands as seen from an iteration: in it, if a forEach is around the step, else in none. index -1 = the saga. */
struct saga_place saga_place_at(const struct definition *definition, int index, int iteration);
/** Its name; the bytes written, without the NUL. Not of SAGA_ITSELF. */
size_t saga_place_name(const struct definition *definition, struct saga_place place, char out[SAGA_PLACE_NAME_MAX]);
/** Back from a name. False: the definition has no such step; or it stands in a forEach and no iteration is named; or one is, and it does not. */
bool saga_place_parse(const struct definition *definition, const char *text, size_t len, struct saga_place *ret_place);
/** The reference that goes with what a template of that step gives, borrowed; NULL = none. undo: of its compensation, to which its own output is its own and not
 * that of what stands in for it. */
const json_t *saga_dataref(const struct saga *saga, const struct template *template, struct saga_place place, bool undo);
#define DATAREF_MAX 2048 /* bytes */
/** Is it of that step of that saga (NULL: of none)? */
bool saga_is_child_of(const struct saga *saga, const json_t *parent);
/** Rough bytes of heap it holds, payloads included; for the cache's bound. */
size_t saga_heap_bytes(const struct saga *saga);

enum saga_event_kind { EVENT_START, EVENT_REPLY, EVENT_TIMER, EVENT_PARK, EVENT_VERB, EVENT_SIGNAL, EVENT_LOCK, EVENT_CACHED, EVENT_KIND_COUNT };

/* What a reply says by its headers; the body's part is decided by the core, which knows the step. */
enum reply_header_outcome { REPLY_UNSAID, REPLY_SUCCESS, REPLY_FAILURE, REPLY_RETRY, REPLY_PENDING };

/* What is known of the services as the event comes. One that is not named takes every command. */
struct gate_service {
    const char *name;
    int permits;      /* so many commands of this event may go */
    bool open;        /* its circuit breaker is; else it is only busy */
    int64_t until_ms; /* nothing goes before; 0 = not known */
};
struct saga_gate {
    const struct gate_service *services;
    size_t len;
};

struct saga_event {
    enum saga_event_kind kind;
    int64_t at_ms; /* ms since the epoch: the only clock the core sees */
    const struct saga_gate *gate; /* borrowed; NULL = every service takes every command */
    const char *woken;            /* EVENT_TIMER, borrowed: the service whose held-back command asks now; NULL = what is due */

    json_t *dataref; /* of EVENT_START and EVENT_REPLY: where the data lie, a text; borrowed; NULL = nowhere else */

    /* EVENT_START; all borrowed */
    const char *saga_id;
    json_t *input;
    const char *traceparent, *tracestate, *reply_topic, *reply_correlation; /* NULL = none */
    json_t *parent; /* as in the saga; of EVENT_VERB: VERB_COMPENSATE of the parent, which saga_is_child_of; NULL = it has none */

    /* EVENT_REPLY; all borrowed */
    struct saga_place place; /* resolved by the caller: unknown names are poison before the core */
    enum saga_action action;
    int attempt;
    enum reply_header_outcome outcome; /* header saga-outcome */
    bool problem;           /* content-type application/problem+json, or header kafka_nest-err: failure */
    int64_t retry_after_ms; /* header retry-after-ms; 0 = none */
    json_t *body;           /* NULL = empty record value */
    json_t *headers;        /* object of strings; only needed when the step has a reply mapping; NULL = none */
    const char *compensation; /* header saga-compensation; NULL = none; what cannot be one counts as none */

    /* EVENT_PARK: what the saga should do next cannot be carried out (a command no broker takes): it waits for an operator.
     * Live sagas only; what is outstanding is given up, its late reply resumes the saga. */
    const char *reason; /* borrowed */

    /* EVENT_VERB; all borrowed */
    enum saga_verb verb;
    const char *who;       /* not empty, at most VERB_WHO_MAX bytes */
    const char *why;       /* at most VERB_WHY_MAX bytes; NULL = not said */
    const char *step_name; /* NULL = none */
    json_t *value;         /* retry: the input; skip, complete: the output; NULL or null = none */
    const struct definition *definition; /* migrate: the version to go on by, must outlive the saga; NULL = it is not known */
    int64_t version;       /* migrate: its number */
    const char *verb_id;   /* of the message that asked for it, for the journal; NULL = none */
    const char *job;       /* that asks it of many sagas, kept in the history's note; NULL = none */

    /* EVENT_SIGNAL, `who` sent it (NULL = not said); all borrowed. The wait for it takes it, or will, or it is counted as late. `body` is its payload: the wait's output. */
    const char *signal; /* its name */

    /* EVENT_CACHED, to EFFECT_LOOKUP: what is kept is `body`, NULL = nothing; of the entry `place` */
    int64_t cached_at_ms; /* since when */

    /* EVENT_LOCK, of a lock: the saga `who` asks for it, or leaves it. The first one starts the lock, with saga_id and input {"key"}. */
    bool leave;
    bool reject; /* it does not want to wait */
};

enum effect_kind {
    EFFECT_COMMAND, /* send a command to a participant */
    EFFECT_CHILD,   /* to a child saga: start it with input, or undo it */
    EFFECT_ANSWER,  /* to the parent: this attempt of its step has ended as outcome says */
    EFFECT_RESULT,  /* the saga ended: publish its result */
    EFFECT_PARKED,  /* the saga parked: announce it on baton.events */
    EFFECT_RESUMED, /* a parked saga goes on by itself: announce it */
    EFFECT_LOCK,    /* tell the lock of input.key: a control message, in input */
    EFFECT_SIGNAL,  /* tell the saga `to`: likewise */
    EFFECT_HELD,    /* a command waits for its service: step, action and service say which */
    EFFECT_DIVERTED, /* likewise one that its fallback stands in for, as the service's breaker is open */
    EFFECT_CACHE,    /* once this is committed, keep input.value under input.key, of the step's own; until expires_at_ms */
    EFFECT_LOOKUP,   /* tell what is kept under input.key, of the step whose place this is the fallback of: EVENT_CACHED, at once */
};

struct effect {
    enum effect_kind kind;
    /* EFFECT_COMMAND, EFFECT_CHILD, EFFECT_ANSWER, EFFECT_HELD, EFFECT_DIVERTED */
    struct saga_place place; /* of an answer: SAGA_ITSELF */
    enum saga_action action;
    int attempt;
    int poll; /* 1.., of a repeat; 0 = the step is asked once */
    enum reply_header_outcome outcome; /* of an answer */
    const char *service, *command; /* borrowed from the definition, or from the saga */
    json_t *input;                 /* owned by the effect list; of an answer: its body; NULL = none; also of EFFECT_LOCK, EFFECT_SIGNAL, EFFECT_CACHE, EFFECT_LOOKUP */
    int64_t expires_at_ms;         /* after it, do not start the work; 0 = never */
    /* EFFECT_SIGNAL */
    char to[SAGA_ID_MAX + 1];
};

enum disposition {
    APPLIED,
    IGNORED_DUPLICATE, /* the outcome was known already */
    IGNORED_LATE,      /* the step was given up, or the saga ended */
    IGNORED_EARLY,     /* a timer with nothing due */
    IGNORED_REFUSED,           /* a verb that the state forbids: nothing changed; effects->refusal says why */
};
const char *disposition_name(enum disposition disposition);

/* Caller's memory, reused from event to event: effects_clear keeps the array. */
struct effects {
    struct effect *items;
    size_t len, cap;
    enum disposition disposition;
    enum reply_header_outcome answer; /* of EVENT_REPLY: what it meant to the step; REPLY_UNSAID if nothing could wait for it */
    char refusal[256]; /* of IGNORED_REFUSED; else empty */
};
void effects_clear(struct effects *effects);
void effects_free(struct effects *effects);

#endif

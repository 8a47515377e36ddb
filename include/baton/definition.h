/*
 * definition.h -- a saga definition, parsed, checked and compiled. Immutable after that.
 */
#ifndef BATON_DEFINITION_H
#define BATON_DEFINITION_H

#include <baton/error.h>
#include <baton/expr.h>
#include <baton/schema.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define DEFINITION_NAME_MAX 64    /* [a-z0-9][a-z0-9-]{0,63} */
#define DEFINITION_STEPS_MAX 256  /* steps of one definition, groups and what is in them counted */
#define DEFINITION_DEPTH_MAX 8    /* groups within groups */
#define DEFINITION_CASES_MAX 32   /* of one switch, its default not counted */
#define DEFINITION_BRANCHES_MAX 32 /* of one parallel */
#define FOREACH_ITEMS_MAX 10000   /* of one forEach */
#define FOREACH_CONCURRENCY_MAX 100 /* iterations of one forEach side by side */
#define FOREACH_CONCURRENCY 10      /* unless the definition says something else */
#define DEFINITION_STEP_NAME_MAX 64 /* [A-Za-z][A-Za-z0-9_-]{0,63}: readable as steps.<name> */
#define DEFINITION_ENTRY_NAME_MAX (DEFINITION_STEP_NAME_MAX + 9) /* also of what belongs to a step: <name>:fallback, <name>:confirm */
#define DEFINITION_SENSITIVE_MAX 64 /* places of one payload */
#define DEFINITION_BYTES_MAX (256 * 1024)
#define RETRY_ATTEMPTS_MAX 1000   /* or "unlimited" */
#define RETRY_UNLIMITED 0         /* in retry_policy.attempts */

struct retry_policy {
    int attempts;            /* 1..RETRY_ATTEMPTS_MAX, RETRY_UNLIMITED */
    int64_t interval_ms;     /* before the second attempt */
    double backoff;          /* factor per further attempt, >= 1 */
    int64_t max_interval_ms;
    double jitter;           /* 0..1: the delay is spread over delay*(1-jitter) .. delay*(1+jitter) */
    int64_t max_duration_ms; /* of all attempts together, from the first one; 0 = no bound */
    char **on;               /* error codes that are tried again; NULL-terminated; NULL = all */
    char **not_on;           /* error codes that are not; NULL-terminated; NULL = none */
};

struct reply_mapping { /* lets an existing service join unchanged; each may be NULL */
    struct expr *success; /* truthy = success, else failure (unless retry is truthy) */
    struct expr *retry;
    struct expr *code;
    struct expr *output;
};

/* A command that is asked again until its answer will do. Each poll is a command of its own to the participant: it has its own idempotency key. */
#define REPEAT_LIMIT_MAX 10000
struct repeat_policy {
    struct expr *until;  /* truthy = this answer is the step's; sees it as steps.<name>.output, body and headers */
    int64_t interval_ms; /* from an answer to the next poll */
    int limit;           /* polls; then the step fails with REPEAT_LIMIT */
};

struct definition_compensation {
    char *service; /* the step's if the definition names none */
    char *command;
    struct template *input; /* NULL = {"input": <step input>, "output": <step output>} */
    struct retry_policy retry;
    int64_t timeout_ms; /* of one attempt */
};

enum step_kind {
    STEP_COMMAND,
    STEP_SEQUENCE, /* a group: its steps, one after the other */
    STEP_SWITCH,   /* a group: the steps of the first case that is true, or of the default */
    STEP_PARALLEL, /* a group: its branches, side by side */
    STEP_FOREACH,  /* a group: its steps, once for each item of an array */
    STEP_SLEEP,    /* waits for a time */
    STEP_WAIT,     /* waits for a signal */
    STEP_VALUE,    /* gives its output at once: what stands in for a command */
    STEP_CACHED,   /* likewise, an earlier output of that command */
    STEP_SAGA,     /* starts a child saga, and awaits its end */
};

/* What stands in for a command that is given up. */
enum fallback_kind {
    FALLBACK_NONE,
    FALLBACK_OUTPUT,  /* a value */
    FALLBACK_SERVICE, /* another service */
    FALLBACK_CACHED,  /* its last success under a key */
    FALLBACK_KIND_COUNT,
};
const char *fallback_kind_name(enum fallback_kind kind); /* "output", "service", "cached"; NULL of FALLBACK_NONE */
bool fallback_kind_parse(const char *text, enum fallback_kind *ret_kind);

#define CACHED_KEY_MAX 512          /* bytes of the key of a value that is kept */
#define CACHED_BYTES_MAX (64 * 1024) /* of the value as text; a larger one is not kept */

/* A saga that has one asks for it before its first step, in an entry of its own called LOCK_STEP, and holds it until it ends. */
struct definition_lock {
    struct template *key; /* gives the business key; NULL = it needs no lock */
    char *key_text;       /* as it stands in the document */
    bool reject;          /* held by another, it fails at once; else it waits in a queue */
};
#define LOCK_STEP ":lock"
#define LOCK_SIGNAL ":lock"  /* by which it is told */
#define LOCK_KEY_MAX 512     /* bytes */
#define LOCK_QUEUE_MAX 1000  /* sagas that wait for one key */
#define LOCK_TIMEOUT_MS 60000 /* unless the definition says something else */
#define LOCK_DEFINITION "baton-lock" /* what locks are sagas of; Baton's own */

enum on_timeout { ON_TIMEOUT_FAIL, ON_TIMEOUT_CONTINUE, ON_TIMEOUT_GOTO };

/* A node of the tree. All of them stand in one array in pre-order: a group, then what is in it. The groups' members first. */
struct definition_step {
    char *name;
    enum step_kind kind;
    int parent;   /* the group it stands in; -1 = the definition itself */
    int branch;   /* which of that group's lists: 0.. a switch's cases, then its default; a parallel's branches */
    int position; /* in that list */
    int after;    /* index after the last of what is in it */
    int each;     /* the STEP_FOREACH around it, at whatever depth; -1 = none. There is never more than one */
    struct expr **cases; /* STEP_SWITCH: the conditions, in order; NULL else */
    int cases_len;
    int branches;        /* STEP_PARALLEL: how many lists */
    int quorum;          /* STEP_PARALLEL: so many of them done, and it is done: all, 1 for "any" */
    struct expr *items;  /* STEP_FOREACH: gives the array */
    int concurrency;     /* STEP_FOREACH: so many iterations side by side */
    struct expr *until; /* STEP_SLEEP: the time, RFC 3339; NULL = for timeout_ms */
    char *signal;       /* STEP_WAIT: the signal's name; timeout_ms 0 = it waits for ever */
    bool lock;          /* STEP_WAIT: for the saga's lock */
    enum on_timeout on_timeout;
    char *goto_name;    /* ON_TIMEOUT_GOTO: a later sequence */
    int goto_step;      /* its index */
    int skipped_to;     /* some wait's goto leads past this step, to this index; 0 = none does */
    int fallback;                 /* index of what stands in for it, its only child, called <name>:fallback; 0 = nothing does */
    enum fallback_kind stands_in; /* for its parent, and how; FALLBACK_NONE = it is a step of its own */
    struct template *key; /* STEP_CACHED: under which its parent's successes are kept */
    int64_t max_age_ms;   /* STEP_CACHED */
    bool tcc;                     /* its command tries, its compensation cancels; confirmed by a step of its own, <name>:confirm */
    int64_t expires_ms;           /* of a tcc: what was tried lasts so long; 0 = not said */
    struct definition_compensation *confirm; /* of a tcc, while it is read; NULL afterwards */
    bool confirmation;            /* it confirms a tcc step, ... */
    int confirms;                 /* ... the one with this index */
    bool input_inherited, output_inherited, reply_inherited, compensation_inherited; /* of one that stands in: as its parent says */
    char *child;           /* STEP_SAGA: the name of the child's definition */
    int64_t child_version; /* 0 = the newest */
    bool detached;         /* not awaited, nor undone with this saga */
    char *service; /* from here on STEP_COMMAND only, but for what a STEP_SAGA has too: input, output, retry, pivot, a compensation without a
                    * service, timeout_ms 0 = for ever; and `when` */
    char *command;
    struct template *input;  /* NULL = {} */
    struct template *output; /* NULL = the reply's body; `body` and `headers` in scope; of STEP_VALUE: the value */
    struct expr *when;       /* NULL = always */
    struct repeat_policy *repeat;                 /* NULL = asked once */
    struct reply_mapping *reply;                  /* NULL = none */
    struct schema *reply_schema;                  /* of a success's body; NULL = any */
    struct definition_compensation *compensation; /* NULL = nothing to undo, unless a reply says so */
    struct definition_compensation *unsaid;       /* without a compensation: how often, and how long, one is tried that a reply names; no command */
    struct retry_policy retry;
    int64_t timeout_ms; /* of one attempt; of the sleep or wait */
    bool pivot;
    char **sensitive; /* places in its output, JSON Pointers; NULL-terminated; NULL = none */
};

/* Of a start whose saga is there already. */
enum on_duplicate {
    ON_DUPLICATE_SAME,   /* with the same input it is that saga: counted */
    ON_DUPLICATE_REJECT, /* it is refused, whatever its input */
};

struct definition {
    char *name;
    int64_t version;
    char *description; /* or NULL */
    char hash[65];     /* SHA-256 of the canonical text in hex, set by the caller of definition_parse */
    int64_t timeout_ms; /* of the saga; 0 = none */
    enum on_duplicate on_duplicate;
    struct schema *input_schema; /* NULL = any object */
    struct definition_lock lock; /* steps[0] waits for it */
    bool is_lock; /* it is lock_definition() */
    struct definition_step *steps;
    size_t steps_len;
    int pivot; /* index of the pivot step, -1 = none */
    bool confirms; /* some step is a confirm: the first one that is sent is a point of no return as well */
    struct template *output; /* NULL = null */
    char **sensitive; /* places in the input; like a step's */
    struct expr_vm *vm;      /* borrowed: where the expressions live */
};

enum finding_level { FINDING_ERROR, FINDING_WARNING };

/* One thing the checker has to say. */
struct finding {
    enum finding_level level;
    char pointer[256]; /* JSON Pointer into the document */
    bool of_key;       /* points at the key, not the value (unknown member) */
    int column_in_string; /* > 0: inside the string value, 1-based code points: an expression */
    char text[512];    /* what is wrong and what to do */
};

#define FINDINGS_MAX 64

struct findings {
    struct finding items[FINDINGS_MAX];
    size_t len;     /* filled */
    size_t errors;  /* counted, also those beyond FINDINGS_MAX; an error takes a warning's place */
};

/**
 * Check and compile a definition document. Total: any JSON value is either compiled or refused with at least one error finding.
 *
 * @doc       Borrowed.
 * @vm        Borrowed; must outlive the definition.
 * @findings  Out: errors and warnings, in document order. Never NULL.
 * Returns BATON_OK and *ret_definition (free with definition_free; hash empty), BATON_E_INVALID with findings, BATON_E_NOMEM.
 *
 * Unknown members are errors with the nearest name. Warnings: undo missing before the pivot, unguarded use of a step that may be
 * skipped, unlimited retries without a saga timeout, worst-case duration over the saga timeout, compensation on the pivot.
 */
enum baton_err definition_parse(const json_t *doc, struct expr_vm *vm, struct findings *findings,
                                struct definition **ret_definition);
/** Has this version (0 = the newest) of another definition a pivot, or a tcc step, which is one once confirmed? false if it is not known. */
typedef bool definition_has_pivot(void *context, const char *name, int64_t version);
/** Warns of every child saga that may have to be undone and has one of these: then it may refuse. False if memory ran out. */
bool definition_check_children(const struct definition *definition, definition_has_pivot *has_pivot, void *context, struct findings *findings);
void definition_free(struct definition *definition); /* NULL is fine */
/** What locks are sagas of: not deployed by anybody, the same in every worker. Its hash is LOCK_DEFINITION. NULL if memory ran out. */
struct definition *lock_definition(void);

/** Index of the step, or -1. O(steps) with a small constant. */
int definition_step_index(const struct definition *definition, const char *name, size_t len);

/** The first step of a group's list (-1, 0: the definition's own), or -1 if the group has no such list. */
int definition_first(const struct definition *definition, int group, int branch);
/** The step after this one in the same list; -1 = it is the last. */
int definition_follower(const struct definition *definition, int index);
/** Which of the group's lists the step stands in, at whatever depth; the step is in the group. */
int definition_branch(const struct definition *definition, int group, int index);
/** Is the step in this group, or the group itself? Every step is in the definition, group -1. */
bool definition_contains(const struct definition *definition, int group, int index);

/** "250ms", "30s", "5m", "24h", "7d" to ms; false if it is not a duration, or over 3650d. */
bool duration_parse(const char *text, int64_t *ret_ms);
/** An RFC 3339 time from 1970 on, such as 2026-01-31T12:00:00.5+01:00, to ms since the epoch. */
bool time_parse(const char *text, int64_t *ret_ms);
/** Valid definition name / saga id (1..128 of A-Za-z0-9._:-) / service name ([A-Za-z0-9._-]{1,200}, not "." or ".."). */
bool definition_name_valid(const char *text, size_t len);
bool saga_id_valid(const char *text, size_t len);
bool service_name_valid(const char *text, size_t len);

/** The candidate nearest to word by edit distance, or NULL when none is near. For "did you mean". */
const char *nearest_name(const char *word, const char *const *candidates, size_t count);

#endif

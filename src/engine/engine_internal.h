/*
 * engine_internal.h -- one engine thread: its partitions, its cache and the batch under way.
 *
 * Who changes what: acquire.c and part.c a partition's position; cache.c the entries; batch.c collects, loads and decides; commit.c
 * writes the transaction; show.c the view; timers.c the due times. engine.c is the loop over them.
 */
#ifndef BATON_ENGINE_INTERNAL_H
#define BATON_ENGINE_INTERNAL_H

#include <baton/apply.h>
#include <baton/engine.h>
#include <pthread.h>
#include <stdatomic.h>

#include "keyed_hash.h"

/* Named limits of the loop. */
#define IDLE_WAIT_MS 100          /* longest wait for a message: bounds how late a stop is noticed */
#define TIMER_HORIZON_MS 2000     /* timers due within it are held in memory */
#define TIMER_READ_MAX 2000       /* timers read from the view at once */
#define TIMER_BATCH_MAX 1000      /* timers fired in one transaction */
#define DIRTY_COUNT_MAX 20000     /* sagas not yet in the state topic, shared evenly by the thread's partitions */
#define DIRTY_COUNT_MIN 500       /* but at least so many each */
#define DIRTY_AGE_MAX_MS 60000    /* and for how long */
#define DIRTY_JOURNAL_MAX (8 * 1024 * 1024) /* and how much journal lies behind the checkpoint */
#define TRICKLE_BATCH_MAX 200     /* states trickled per transaction and partition */
#define UNSHOWN_COUNT_MAX 20000   /* sagas changed and not yet in the view, all partitions: beyond it nothing is collected */
#define UNSHOWN_SHOW_COUNT 10000  /* shown early from here; likewise from as many bytes as the cache may have */
#define UNSHOWN_BYTES_MIN (1024 * 1024) /* but a cache smaller than this does not count for that */
#define VIEW_LAG_BUSY 10          /* viewLag is so many times longer while inputs queue up: each saga is then written less often */
#define RECORD_STEPS_BYTES_MAX 700000 /* steps' text of one journal record part */
#define CACHE_IDLE_MAX_MS 10000   /* a saga that waits longer is not kept in memory: one load, shared by its batch, brings it back */
#define ACQUIRE_RETRY_MS 50
#define ACQUIRE_PATIENCE_MS 15000 /* how long a position that makes no sense is asked for again before the partition stops */
#define STOPPED_RETRY_MS 10000    /* a stopped partition looks again */
#define PURGE_EVERY_MS 5000
#define PURGE_BATCH_MAX 200
#define REOPEN_DELAY_MIN_MS 200
#define REOPEN_DELAY_MAX_MS 5000
#define DEFINITION_ASK_MS 5000    /* how long an unknown definition is waited for */

struct part;

/* A saga as this thread knows it. */
struct entry {
    struct part *part;
    struct saga *saga; /* committed; NULL = known not to exist, or asleep */
    struct saga *work; /* what the batch under way makes of it; NULL with touched = removed */
    char *text;        /* the committed state's JSON text where it was already made; owned */
    size_t text_len;
    bool touched;      /* in this batch */
    bool unshown;      /* committed, not yet in the view: never evicted */
    size_t unshown_bytes; /* counted for it in engine->unshown_bytes */
    bool removed;      /* committed and unshown: the view must forget it */
    bool asleep;       /* it has ended: only its text is kept until the view shows it; whoever wants it parses that */
    struct wire_summary summary; /* of the committed state, for the view; valid while unshown and not removed */
    bool broken;       /* its state cannot be read (definition gone): text is what the view gave, saga is NULL */
    bool state_written; /* in this batch: its state after the batch is among the records for the state topic */
    char *work_text;   /* as text, for work */
    size_t work_text_len;
    size_t state_len;  /* of the state's text, at most: the last exact length and every patch since */
    size_t work_state_len;
    size_t bytes;      /* counted against the cache */
    int64_t used_ms;   /* by the last batch that wanted it */
    struct entry *prev, *next; /* utlist */
    struct entry *next_touched, *next_unshown;
    UT_hash_handle hh;
    char id[];
};

/* A saga changed since its last record in the state topic. */
struct dirty {
    int64_t first_seq;  /* of the partition: its first change that the state topic lacks */
    int64_t since_ms;
    struct dirty *prev, *next; /* utlist, oldest first */
    UT_hash_handle hh;
    char id[];
};

struct mark { /* where a journal record lies */
    int64_t seq, offset;
    int64_t bytes; /* of the journal up to and including it, since the partition was acquired */
};

struct timer {
    int64_t due_ms; /* of one that is woken: since when it is held back */
    char *id; /* owned */
    int32_t partition;
    const char *woken; /* the service that has room for it; NULL = it is due */
    char *key;         /* owned; of one that is woken: its place in the gate's queue */
};

/* The worker may die of what it does next: what the view is told of it (trial.c). */
#define TRIAL_WHAT_MAX (249 + SAGA_ID_MAX)
struct trial {
    bool marked;              /* since p was acquired */
    int64_t batch_seq;        /* the mark says that a batch is tried at this seq; -1 = it does not */
    size_t careful;           /* a worker died here: so many more inputs and timers are taken alone, each under its own mark */
    int64_t careful_until_ms;
    json_t *deaths;           /* owned: what a worker has died of alone, and how often; NULL = nothing */
};

enum part_state {
    PART_NONE,      /* not ours */
    PART_ACQUIRING, /* ours, position not yet known */
    PART_READY,
    PART_STOPPED,   /* its records contradict each other: alarm, decide nothing */
};

struct part {
    int32_t partition;
    enum part_state state;
    int64_t retry_at_ms;      /* next attempt to acquire */
    int64_t troubled_since_ms; /* its position makes no sense; 0 = it does */
    int64_t waiting_since_ms;  /* for its position; 0 = not */
    int64_t seq;              /* of the last committed transaction */
    int64_t checkpoint;       /* of that record */
    int64_t shown;            /* w as this thread last wrote or read it */
    int64_t last_offset;      /* journal offset of record seq; -1 = none */
    int64_t journal_bytes;    /* written since acquired */
    int64_t offsets[BUS_INPUTS_MAX]; /* vector of seq */

    struct mark *marks; /* of records with seq > checkpoint, oldest first */
    size_t marks_len, marks_cap, marks_first;
    struct dirty *dirty_by_id, *dirty_list;
    size_t dirty_len;

    struct entry *unshown;
    size_t unshown_len;
    int64_t unshown_since_ms;
    bool show_now;

    struct timer *timers; /* heap by due_ms */
    size_t timers_len, timers_cap;
    int64_t timers_until_ms; /* the view's timers are in memory up to here; 0 = read none yet */
    int64_t purge_at_ms;
    struct trial trial;

    /* the batch under way */
    bool touched;
    int64_t next_offsets[BUS_INPUTS_MAX];
    int64_t record_offset; /* of its journal record's first part, by the delivery report */
    size_t record_bytes;
    int64_t next_checkpoint;
    bool unwritten; /* some saga this batch changed is not among the records for the state topic */
    struct journal_writer *writers; /* parts of the record; all but the last are full */
    size_t writers_len, writers_cap;
    char (*trickle)[SAGA_ID_MAX + 1]; /* ids whose states ride along, TRICKLE_BATCH_MAX */
    size_t trickle_len;
    struct view_timer *purge; /* ended sagas whose retention is over, PURGE_BATCH_MAX */
    size_t purge_len;
};

enum item_kind { ITEM_START, ITEM_REPLY, ITEM_CONTROL, ITEM_DEAD, ITEM_FORWARD };

/* One input of the batch. */
struct item {
    struct bus_message message;
    enum item_kind kind;
    struct part *part;
    char id[SAGA_ID_MAX + 1]; /* of the saga it is for; "" = none */
    struct wire_start start;
    struct wire_reply reply;
    struct wire_control control;
    enum dlq_reason reason;
    char *explanation; /* owned; why it is ITEM_DEAD */
    int32_t to_partition;
    struct view_page *page; /* owned; the sagas that a job's message is about; NULL = not one */
};

enum stat {
    STAT_STARTED, STAT_COMPLETED, STAT_COMPENSATED, STAT_PARKED, STAT_CANCELLED, STAT_INPUTS, STAT_COMMANDS,
    STAT_DUPLICATES, STAT_LATE, STAT_FORWARDED, STAT_DEAD_LETTERS, STAT_TIMERS, STAT_TRANSACTIONS, STAT_ABORTS, STAT_REOPENED,
    STAT_VIEW_APPLIES, STAT_VIEW_LOADS, STAT_CATCH_UPS, STAT_REBUILDS, STAT_TRICKLED, STAT_HELD, STAT_SERVICE_CHANGES, STAT_OWNED, STAT_READY,
    STAT_CACHE_BYTES, STAT_CACHE_SAGAS, STAT_COUNT,
};

struct cached; /* cached.c: values that stand in for steps */
struct gate; /* gate.c: the services that are not to be given too much; NULL = none */
struct compiled; /* definitions.c: a definition compiled for this thread */

/* The input or timer whose effects no broker takes: found by replaying a failed batch one by one. */
struct culprit {
    bool set;
    int input; /* -1 = the timer of saga id */
    int32_t partition;
    int64_t offset;
    char id[SAGA_ID_MAX + 1];
    char why[BATON_ERROR_TEXT_MAX];
};

struct engine {
    struct worker *worker;
    const struct worker_options *options;
    int thread;
    pthread_t pthread;
    bool started;
    struct bus bus;
    bool bus_open;
    struct view view;
    bool view_open;
    int64_t view_away_until_ms; /* Redis is away: nothing is collected before */
    int64_t view_away_since_ms; /* 0 = it is there */
    int64_t view_delay_ms;
    bool parts_paused;          /* because of it */

    struct part *parts; /* options->partitions of them */
    size_t ready_parts; /* in state PART_READY when last counted */
    struct entry *entries; /* by id */
    struct entry *lru;     /* utlist, least recently used first */
    size_t cache_bytes;
    size_t unshown_total, unshown_bytes;
    struct view_item *show_items; /* reused from show to show */
    size_t show_items_cap;
    struct view_apply *show_applies; /* partitions of them */
    bool busy; /* the last batch was full: more inputs wait */

    struct expr_vm *vm;
    struct compiled *compiled;
    struct definition *lock_definition; /* owned */
    struct gate *gate;
    struct cached *cached; /* never NULL */
    struct wire_names names;

    /* the batch under way; memory is kept from batch to batch */
    struct bus_poll poll;
    struct item *items;
    size_t items_len, items_cap;
    size_t batch_bytes;
    bool rebalanced; /* while collecting: the batch is thrown away */
    bool definitions_asked; /* in this batch: the definitions topic has been read to an end later than its inputs */
    bool begun;
    int64_t now_ms;
    struct entry *touched;
    struct timer *fired; /* timers taken for this batch */
    size_t fired_len, fired_cap;
    size_t fired_decided; /* the others are left to the next batch */
    bool cut;             /* so are some inputs, the last ones: they are read again */
    struct effects effects;
    struct wire_out out;
    struct buffer scratch;
    struct bus_position *positions;
    struct culprit culprit;
    int failed_tag;             /* of the record that the broker refused */
    size_t alone;               /* so many more inputs and timers are taken one at a time */
    bool careful;               /* so are those of this round: a worker died at one of our partitions */
    struct part *tried;         /* whose input or timer tried_what is marked; NULL = none */
    char tried_what[TRIAL_WHAT_MAX];
    int64_t trickle_off_until_ms; /* the state topic refuses records: alarm raised, the rest goes on */
    int64_t hold_until_ms;      /* after an abort: do not spin */
    bool forward_warned[BUS_INPUTS_MAX];
    bool reply_to_warned;
    int64_t pending[STAT_COUNT]; /* counted when the transaction commits */
    _Atomic int64_t stats[STAT_COUNT];
    atomic_bool ended, healthy;
};

struct worker {
    const struct worker_options *options;
    struct engine *engines;
    atomic_bool stopping;
    char token[64]; /* names this process and no other that ever was */
    pthread_t feeder;
    bool feeder_started;
    _Atomic int64_t feed_position; /* next offset of the definitions topic that the feeder will see */
};

/* engine.c */
void *engine_run(void *engine);
int64_t engine_now(const struct engine *engine);
bool engine_stopping(const struct engine *engine);
#define ENGINE_LOG(engine, level, ...) log_line((engine)->options->logger, (level), __VA_ARGS__)
/** The bus is dead or the outcome of a transaction unknown: close it, forget everything, open another when the loop comes round. */
void engine_fail(struct engine *engine, const struct baton_error *err);
void engine_count(struct engine *engine, enum stat stat, int64_t more);
void engine_set(struct engine *engine, enum stat stat, int64_t value);

/* part.c */
void part_init(struct part *part, int32_t partition);
/** Forget everything known of p: entries, dirty, timers, marks. The partition's ownership is the caller's. */
void part_forget(struct engine *engine, struct part *part);
void part_free(struct part *part);
/** The writer of the record under way; a new part when the last one is full. NULL if memory ran out. */
struct journal_writer *part_writer(struct part *part);
/** Free what large batches reserved. Not within a batch. */
void part_give_back(struct part *part);
/** Forget, pause and acquire again at retry_at_ms. */
void part_stale(struct engine *engine, struct part *part, const char *why);
bool part_dirty_add(struct part *part, const char *id, int64_t seq, int64_t now_ms);
void part_dirty_remove(struct part *part, const char *id);
bool part_mark_add(struct part *part, int64_t seq, int64_t offset, size_t bytes);
void part_marks_drop(struct part *part); /* those at or below the checkpoint */

/* acquire.c */
void acquire_parts(struct engine *engine);

/* cache.c */
struct entry *cache_find(struct engine *engine, const char *id);
/** Insert a loaded (saga may be NULL: absent) entry. Takes saga over. NULL if memory ran out (saga is freed). */
struct entry *cache_insert(struct engine *engine, struct part *part, const char *id, struct saga *saga);
void cache_touch(struct engine *engine, struct entry *entry); /* most recently used */
void cache_remove(struct engine *engine, struct entry *entry);
/** Recount it; state_len = length of its state's text. */
void cache_account(struct engine *engine, struct entry *entry, size_t state_len);
size_t cache_bytes_max(const struct engine *engine); /* this thread's share */
void cache_shrink(struct engine *engine); /* to the bounds; never what is unshown or touched */

/* timers.c */
bool timers_push(struct part *part, int64_t due_ms, const char *id);
void timers_clear(struct part *part);
/** Read the next window of timers from the view where it is time. */
enum baton_err timers_refill(struct engine *engine, struct part *part, struct baton_error *err);
/** Earliest due time over ready partitions, INT64_MAX if none. */
int64_t timers_next(const struct engine *engine);
/** Move what is due into engine->fired. */
void timers_take(struct engine *engine);
/** Put fired timers back (the batch was dropped). */
void timers_restore(struct engine *engine);
/** The first so many of the fired timers are dealt with; the others are put back. */
void timers_discard(struct engine *engine, size_t decided);
/** Fire this one with the batch's. Takes id and key over, unless memory ran out. */
bool timers_fire(struct engine *engine, struct timer timer);

/* batch.c */
/** Collect, load, decide, commit: one round. */
void batch_run(struct engine *engine, int wait_ms);
/** Messages of the batch are the bus's: they go before it does. */
void batch_release(struct engine *engine);
/** Poll only, to stay a member of the group while nothing can be decided. */
void batch_idle(struct engine *engine, int wait_ms);

/* One input or timer a round? */
static inline bool batch_alone(const struct engine *engine)
{
    return engine->alone > 0 || engine->careful;
}

/* trial.c */
/** What the view's mark says of the last owner: did it die with something of p in its hands? p's position is known. */
void trial_found(struct engine *engine, struct part *part, const char *text);
/** Is the trace of a dead worker followed at some partition? */
bool trial_careful(struct engine *engine);
/** Before a message is read. *ret_condemned: NULL, or why it must not be. BATON_E_RETRY: Redis is away, do not read it now. */
enum baton_err trial_input(struct engine *engine, const struct bus_message *message, const char **ret_condemned, struct baton_error *err);
/** Before the fired timers are decided. One that must not be becomes the culprit: its saga parks. */
enum baton_err trial_timers(struct engine *engine, struct baton_error *err);
/** The worker lives. decided = what it tried has been decided; else it was dropped. */
void trial_survived(struct engine *engine, bool decided);
void trial_forget(struct engine *engine, struct part *part); /* before p's position is forgotten */

/* load.c */
/** The sagas of the batch's inputs, fired timers and trickles into the cache: one wait for all partitions. A partition whose view is not where it
 * was left is dropped from the batch and acquired again. */
enum baton_err load_batch(struct engine *engine, struct baton_error *err);

/* decide.c */
enum baton_err decide_batch(struct engine *engine, struct baton_error *err);
/** The transaction is begun by its first record. */
enum baton_err decide_produce(struct engine *engine, const struct bus_record *record, struct baton_error *err);
void decide_touch_part(struct engine *engine, struct part *part);
/** engine->out into the transaction. */
enum baton_err decide_produce_out(struct engine *engine, int tag, struct baton_error *err);
/** The saga as the batch has made it so far; NULL = there is none. */
const struct saga *decide_current(const struct entry *entry);
struct journal_cause decide_cause(const struct engine *engine, const struct item *item);
/** One event through the rules, its effects and its journal step; engine->effects says what became of it. */
enum baton_err decide_apply(struct engine *engine, struct entry *entry, const struct saga_event *event, const struct journal_cause *cause,
                            struct baton_error *err);
/** Journal a verb that the saga's state forbids; the reason is in engine->effects. */
/** The event that a control message asks for; of migrate with the definition, if it is known. BATON_E_NOMEM. */
enum baton_err decide_control_event(struct engine *engine, const struct item *item, const struct saga *saga, struct saga_event *ret_event, struct baton_error *err);
enum baton_err decide_refused(struct engine *engine, struct item *item, const char *id, const struct saga_event *event, struct baton_error *err);
/** Is an answer to this control message wanted, where it may go? */
bool decide_may_answer(struct engine *engine, const struct item *item);
/* Tags of records: whose fault it is when the broker refuses one. */
#define TAG_CAUSE 0   /* the input's or timer's */
#define TAG_JOURNAL 1 /* too large: the input's; else Baton's own topic is missing */
#define TAG_STATE 2

/* job.c */
/** Before the batch is loaded: the pages of its jobs. A partition whose view is not where it was left is acquired again. */
enum baton_err job_pages(struct engine *engine, struct baton_error *err);
enum baton_err job_decide(struct engine *engine, struct item *item, struct baton_error *err);

/* commit.c */
enum baton_err commit_batch(struct engine *engine, struct baton_error *err);
/** Undo the batch in memory: work copies go, positions stay. */
void commit_undo(struct engine *engine);
/** Choose the states that ride with this batch; true if some partition has any. */
bool commit_choose_trickle(struct engine *engine);

/* show.c */
bool show_overdue(const struct engine *engine); /* so much is unshown that nothing more may be collected */
/** The entry joins what is to be shown, and leaves it. */
void unshown_add(struct engine *engine, struct entry *entry);
void unshown_drop(struct engine *engine, struct entry *entry);
/** Apply what is unshown to the view: all ready partitions, or the one given. BATON_E_RETRY when Redis is away. */
enum baton_err show(struct engine *engine, struct part *only, struct baton_error *err);
bool show_due(const struct engine *engine, int64_t *ret_at_ms);
/** Pass the result of a view call through: where Redis is away or refuses, note it, and say BATON_E_RETRY. */
enum baton_err view_checked(struct engine *engine, enum baton_err rc, struct baton_error *err);

/* definitions.c */
/** Borrowed until the thread ends. version 0 = newest. BATON_E_NOT_FOUND; waits until the definitions topic as it is now has been
 * read before it says so. hash NULL = any. */
enum baton_err definitions_get(struct engine *engine, const char *name, int64_t version, const char *hash,
                               const struct definition **ret_definition, struct baton_error *err);
void definitions_free(struct engine *engine);
/** Build a saga from a state text: finds its definition. BATON_E_NOT_FOUND when the definition is unknown. */
enum baton_err definitions_read_state(struct engine *engine, const char *text, size_t len, struct saga **ret_saga,
                                      struct baton_error *err);

#endif

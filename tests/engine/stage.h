/*
 * stage.h -- real workers on a Kafka and a Redis in memory, participants that answer by the saga's name, and the checker.
 *
 * The clock runs with the machine's and jumps when a test says so: what the rows wait for are conditions, never times.
 */
#ifndef BATON_TESTS_STAGE_H
#define BATON_TESTS_STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "memory_kafka.h"
#include "memory_view.h"
#include <baton/engine.h>

#define STAGE_WORKERS_MAX 4
#define STAGE_PARTITIONS_MAX 8
#define EPOCH "memory/1"

/* Topics. */
#define ORDERS "orders.commands" /* start topic, bound to definition order */
#define REPLIES "baton.replies"
#define CONTROL "baton.control"
#define JOURNAL "baton.journal"
#define STATES "baton.state"
#define RESULTS "baton.results"
#define EVENTS "baton.events"
#define LETTERS "baton.dlq"
#define DEFINITIONS "baton.definitions"
#define COMMANDS "s.commands"
#define OTHER_COMMANDS "t.commands" /* of a service whose only participant is the test */

struct stage_setup { /* 0 = the default */
    int32_t partitions;    /* 2 */
    int threads;           /* 1 per worker */
    int view_lag_ms;       /* 1 */
    int batch_max_count;   /* 50 */
    int batch_max_wait_ms; /* 0 */
    size_t cache_bytes;    /* 64 MiB */
    int max_record_bytes;  /* 4 MiB */
    bool no_definition;    /* order@1 is not deployed */
    const struct service_rules *services;
    size_t services_len;
};

struct stage_worker {
    char name[16];
    struct stage *stage;
    struct worker_options options;
    struct memory_tail tail;
    struct worker *worker; /* NULL = not running */
};

struct stage {
    struct memory_world world;
    struct memory_kafka *kafka;
    struct memory_view *view;
    struct stage_setup setup;
    _Atomic int64_t jumped_ms;
    struct logger logger;
    struct stage_worker workers[STAGE_WORKERS_MAX];
    size_t workers_len;
    bool silent;        /* participants answer nothing: the test does */
    bool leaves_inputs; /* the test ends with inputs that nobody has read */
    bool ids_come_back; /* the test uses a saga id again after its retention */
    int64_t answered[STAGE_PARTITIONS_MAX]; /* how far the participants have read */
};

struct stage *stage_begin(const struct stage_setup *setup);
/** Stops what runs, gracefully; then everything is checked (see stage_check) and freed. Where several workers ran, another one owns all
 * partitions once more before that. */
void stage_end(struct stage *stage);
/** Ends it without the checks: for tests of contradictions that no worker repairs. */
void stage_drop(struct stage *stage);

/* --- workers --- */
void stage_start(struct stage *stage, const char *name);
void stage_stop(struct stage *stage, const char *name);
struct worker_stats stage_stats(struct stage *stage, const char *name);
/** All partitions are ready at some worker. */
bool stage_ready(struct stage *stage);
/** The worker's log has a line with these words. */
bool stage_logged(struct stage *stage, const char *words);

/* --- time --- */
int64_t stage_now(struct stage *stage);
void stage_jump(struct stage *stage, int64_t ms);
#define SECOND INT64_C(1000)
#define DAY (24 * 3600 * SECOND)
/* Of the order's steps. Longer than any test waits, so that nothing falls due by itself. */
#define ANSWER_LATE (61 * SECOND)
#define RETRY_DUE (31 * SECOND)
#define TRICKLE_DUE (46 * SECOND)
#define CACHE_COLD (11 * SECOND)

/** The worker's follower of the definitions topic stops before this offset. */
void stage_hold_definitions(struct stage *stage, const char *name, int64_t offset);

/* --- messages --- */
void stage_deploy(struct stage *stage, const char *definition);
/** Start order `id`. Its participants: ":no-b" refuses step b; ":mute-b" never answers it; ":slow-b" answers its second attempt;
 * ":again-b" answers its first attempt with "try again"; ":twice" answers everything twice; any of them combined. */
void stage_order(struct stage *stage, const char *id);
void stage_orders(struct stage *stage, const char *prefix, int n);
/** Any record; headers as "name: value" lines, NULL = none; partition -1 = the key's. Returns the offset. */
int64_t stage_send(struct stage *stage, const char *topic, int32_t partition, const char *key, const char *headers, const char *value);
/** A reply to message id `<saga>/<step>/<x or c>/<attempt>`. */
void stage_reply(struct stage *stage, const char *message_id, const char *outcome, const char *body);
/** Partition of a saga id. */
int32_t stage_partition(struct stage *stage, const char *id);
/** An id that lies on partition p; the n-th. Valid until the next call. */
const char *stage_id_on(struct stage *stage, int32_t partition, const char *prefix, int n);

/* --- what has happened --- */
/** Committed records. */
int64_t stage_count(struct stage *stage, const char *topic);
/** "completed", "running" ...; "none" if the view has no such saga; the text is valid for ever. */
const char *stage_status(struct stage *stage, const char *id);
/** Committed dead letters of this reason. */
int64_t stage_letters(struct stage *stage, const char *reason);
/** Commands with this message id. */
int64_t stage_commands(struct stage *stage, const char *message_id);
/** Where the journal's last record of p stands. */
struct stage_position {
    int64_t seq, checkpoint, checkpoint_offset, records;
    int64_t vector[3]; /* of ORDERS, REPLIES, CONTROL */
};
struct stage_position stage_journal(struct stage *stage, int32_t partition);

/* --- waiting: the participants answer meanwhile --- */
#define STAGE_PATIENCE_MS 30000 /* real ones; what works takes milliseconds */
void stage_wait(struct stage *stage, int64_t until_real_ms, const char *condition, const char *file, int line);
#define UNTIL(stage, condition)                                                                                                    \
    for (int64_t until_ = memory_world_real_ms() + STAGE_PATIENCE_MS; !(condition);)                                               \
    stage_wait((stage), until_, #condition, __FILE__, __LINE__)

/**
 * What must hold after every test, from the committed records alone (check.c):
 *  - the journal of each partition is one line: seq by seq, vectors that only grow, checkpoint offsets that serve;
 *  - its fold is the view, byte for byte, and the view's w is its last seq;
 *  - the state topic and the journal after the checkpoint give the same fold;
 *  - the offsets are the last record's vector, their metadata its seq and checkpoint;
 *  - every input up to there is a cause in the journal, and no saga has one twice; none is left behind;
 *  - every command of the journal is on its topic, and every message id once; every ended saga has one result;
 *  - every saga is live with a due time, parked with a reason, or ended.
 */
void stage_check(struct stage *stage);

/* --- running tests --- */
#define TEST(name) {#name, name, NULL, NULL, NULL}
#define RUN(tests) stage_ran(cmocka_run_group_tests((tests), NULL, NULL))
/** One test per row; the row's name is its first member; the row is *state in check. */
#define RUN_ROWS(rows, check) stage_run_rows((rows), sizeof(rows)[0], sizeof(rows) / sizeof(rows)[0], (check))
int stage_run_rows(const void *rows, size_t row_size, size_t count, CMUnitTestFunction check);
/** The program's exit code. After a failure it ends at once: the workers of a failed test still run. */
int stage_ran(int failed);

#endif

/*
 * memory_kafka.h -- a Kafka in memory behind `struct bus`: topics, transactions, one consumer group, and its faults.
 *
 * What it keeps of the real one: a transaction's records take their offsets when they are produced and are seen by all or none; readers stop
 * at the first undecided transaction (the last stable offset); commit markers reach each partition and the offsets one by one, late when
 * a test holds them; committed offsets carry metadata and are not told while a transaction on them is undecided; a rebalance is eager,
 * has a new generation, and commits with an old one are refused; the same transactional id fences its predecessor.
 * Harsher than the real one: group metadata are the group's of now, even for a member that was thrown out and does not know it yet,
 * so that whoever takes them too late commits a stale batch.
 * Left out: compaction, replication, time outs that a test does not ask for.
 *
 * Thread-safe. Every record stays until memory_kafka_free, deleted or not: the checker folds the journal from its beginning.
 */
#ifndef BATON_TESTS_MEMORY_KAFKA_H
#define BATON_TESTS_MEMORY_KAFKA_H

#include "memory_world.h"
#include <baton/bus.h>

struct memory_kafka;

struct memory_kafka *memory_kafka_new(struct memory_world *world);
void memory_kafka_free(struct memory_kafka *kafka); /* after every bus is closed */
void memory_kafka_create(struct memory_kafka *kafka, const char *topic, int32_t partitions);
int32_t memory_kafka_partitions(struct memory_kafka *kafka, const char *topic); /* 0 = no such topic */

/** Bus of one group member. @member  its name, and its transactional id; copied. @inputs  borrowed. */
enum baton_err memory_bus_open(struct memory_kafka *kafka, const char *member, const struct bus_input *inputs, size_t inputs_len,
                               struct bus *ret_bus, struct baton_error *err);

/* A reader without group, for struct definition_feed; it starts at offset 0 of partition 0. */
struct memory_tail {
    struct memory_kafka *kafka;
    const char *topic;
    int64_t next;
    bool at_end;
    int64_t slow_until; /* records from this offset on are held back until a test raises it; INT64_MAX = none */
};
enum baton_err memory_tail_next(void *self, int timeout_ms, struct bus_message *ret_message, struct baton_error *err);
void memory_tail_release(void *self, struct bus_message *message);

/* --- from outside, without a transaction --- */

/** partition -1 = murmur2 of the key. Returns the offset, -1 = no such topic. */
int64_t memory_kafka_produce(struct memory_kafka *kafka, const struct bus_record *record);
/** The first committed record at or after *offset, below the last stable offset; *offset becomes the next one. Deleted ones too.
 * False = none. Release it with memory_kafka_release. */
bool memory_kafka_read(struct memory_kafka *kafka, const char *topic, int32_t partition, int64_t *offset,
                       struct bus_message *ret_message);
void memory_kafka_release(struct bus_message *message);
/** Committed records of a topic. */
int64_t memory_kafka_count(struct memory_kafka *kafka, const char *topic);
/** End of the log, undecided records and markers included. */
int64_t memory_kafka_end(struct memory_kafka *kafka, const char *topic, int32_t partition);
/** What the group has committed on partition p of these inputs. */
void memory_kafka_committed(struct memory_kafka *kafka, int32_t partition, const struct bus_input *inputs, size_t inputs_len,
                            struct bus_committed *ret_committed);

/* --- faults; a member that is not there (it is just opening its bus anew) has none --- */

enum memory_commit {
    MEMORY_COMMITS,
    MEMORY_ABORTS,      /* BATON_E_ABORT: nothing happened */
    MEMORY_DIES_DONE,   /* BATON_E_FATAL: unknown to the caller, it was committed */
    MEMORY_DIES_UNDONE, /* BATON_E_FATAL: unknown to the caller, it was aborted */
};
/** How the next `times` commits end; `skip` ones before them go through. */
void memory_kafka_next_commits(struct memory_kafka *kafka, enum memory_commit how, int skip, int times);
/** True once all of them have been. */
bool memory_kafka_faults_spent(struct memory_kafka *kafka);
/** Records with a larger value are refused: by produce, or only when the transaction commits. SIZE_MAX = none. */
void memory_kafka_limit(struct memory_kafka *kafka, const char *topic, size_t bytes, bool at_commit);
/** The topic does not exist for producers (unknown topic). */
void memory_kafka_hide(struct memory_kafka *kafka, const char *topic, bool hidden);
/** Markers to this topic (NULL = to the offsets) wait from now on until they are released. */
void memory_kafka_hold_markers(struct memory_kafka *kafka, const char *topic);
void memory_kafka_release_markers(struct memory_kafka *kafka);
/** How often somebody was told to come back because a transaction is undecided or its marker late. */
int64_t memory_kafka_not_yet(struct memory_kafka *kafka);
void memory_kafka_rebalance(struct memory_kafka *kafka);
int64_t memory_kafka_generation(struct memory_kafka *kafka); /* completed rebalances */
/** The member's session times out: the others take over; it learns that it lost everything at its next poll, then joins again. */
void memory_kafka_expire(struct memory_kafka *kafka, const char *member);
/** The member hangs just before its next transaction begins, everything decided, until it is woken. */
void memory_kafka_stall(struct memory_kafka *kafka, const char *member);
/** The member hangs with the next message in its hands, nothing decided, until it is woken. */
void memory_kafka_stall_fetch(struct memory_kafka *kafka, const char *member);
bool memory_kafka_stalled(struct memory_kafka *kafka, const char *member);
void memory_kafka_wake(struct memory_kafka *kafka, const char *member);
void memory_kafka_away(struct memory_kafka *kafka, bool away); /* group and transactions: BATON_E_RETRY */
void memory_kafka_delete_before(struct memory_kafka *kafka, const char *topic, int32_t partition, int64_t offset); /* retention */
/** Somebody moves the group: offset -1 forgets it; metadata NULL = none. */
void memory_kafka_move(struct memory_kafka *kafka, const char *topic, int32_t partition, int64_t offset, const char *metadata);

#endif

/*
 * bus.h -- what one engine thread needs of Kafka, as a struct of functions.
 *
 * Owns nothing: src/kafka implements it over librdkafka; a simulation hands the engine one that lives in memory.
 * Partition p means partition p of every input topic, of the journal and of the state topic: they are owned together.
 * All calls come from one thread.
 */
#ifndef BATON_BUS_H
#define BATON_BUS_H

#include <baton/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BUS_HEADERS_MAX 64 /* headers of one message that are looked at and passed on; more = dead letter too-many-headers */
#define BUS_INPUTS_MAX 32  /* input topics */

enum bus_input_kind { INPUT_START, INPUT_REPLIES, INPUT_CONTROL };

struct bus_input {
    const char *topic;
    enum bus_input_kind kind;
    const char *binding; /* INPUT_START: definition name, NULL = header saga-type says; INPUT_REPLIES: the service it belongs to, NULL = shared */
};

struct bus_header {
    const char *name; /* NUL-terminated */
    const void *value; /* NULL = null header */
    size_t len;
};

/* A consumed record. Everything is borrowed from `handle` until release. */
struct bus_message {
    int input; /* index into the inputs the bus was opened with; -1 for a reader's message */
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms; /* -1 = none */
    const void *key;      /* NULL = no key */
    size_t key_len;
    const void *value; /* NULL = null value */
    size_t value_len;
    void *handle;
    size_t headers_total; /* > headers_len when there were more than BUS_HEADERS_MAX */
    size_t headers_len;
    struct bus_header headers[BUS_HEADERS_MAX]; /* last: what lies beyond headers_len is neither set nor copied */
};

/** Copies what is set: most messages carry few headers, the struct has room for many. */
static inline void bus_message_copy(struct bus_message *to, const struct bus_message *from)
{
    memcpy(to, from, offsetof(struct bus_message, headers) + from->headers_len * sizeof from->headers[0]);
}

/* A record to produce. Everything is copied by produce. */
struct bus_record {
    const char *topic;
    int32_t partition; /* -1 = murmur2 of the key */
    const void *key;
    size_t key_len;
    const void *value; /* NULL = tombstone */
    size_t value_len;
    const struct bus_header *headers;
    size_t headers_len;
    int tag;             /* comes back as the culprit when this record makes the transaction fail */
    int64_t *ret_offset; /* written by a successful commit; NULL = not wanted; must live until then */
};

enum bus_poll_kind { BUS_IDLE, BUS_MESSAGE, BUS_ASSIGNED, BUS_REVOKED };

struct bus_poll {
    enum bus_poll_kind kind;
    struct bus_message message;  /* BUS_MESSAGE: release it */
    const int32_t *partitions;   /* BUS_ASSIGNED, BUS_REVOKED: whole partitions p; valid until the next poll */
    size_t partitions_len;
    bool lost; /* BUS_REVOKED: already somebody else's */
};

/* The group's committed position of one partition p. */
struct bus_committed {
    int64_t offsets[BUS_INPUTS_MAX]; /* next offset per input; -1 = none committed */
    bool known;                      /* some input carries our metadata: seq and checkpoint are set */
    int64_t seq, checkpoint;         /* of `1;seq=<seq>;c=<checkpoint>` */
};

/* What a transaction commits for one partition p. */
struct bus_position {
    int32_t partition;
    int64_t offsets[BUS_INPUTS_MAX]; /* next offset per input: every input, changed or not */
    int64_t seq, checkpoint;
};

struct bus {
    void *self; /* the implementation's; handed back as every first argument */

    /* --- the group member --- */

    /** Wait at most timeout_ms for the next message or rebalance. Assigned partitions start paused and without a position: seek,
     * then resume. Revoked ones are given up before this returns (no transaction is open while polling). BATON_OK; BATON_E_RETRY: a
     * passing fault, in err, poll again; BATON_E_FATAL. */
    enum baton_err (*poll)(void *self, int timeout_ms, struct bus_poll *ret_poll, struct baton_error *err);
    void (*release)(void *self, struct bus_message *message);
    /** Remember the group metadata of now; commit sends these. Call before the first poll of a batch (metadata taken after a
     * rebalance let a stale batch commit: measured, 197 of 400 doubled). */
    void (*snapshot)(void *self);
    /** Committed offsets of n partitions, stable (isolation read_committed): BATON_E_RETRY while a predecessor's transaction is undecided
     * or the coordinator is away. Waits at most timeout_ms. */
    enum baton_err (*committed)(void *self, const int32_t *partitions, size_t n, int timeout_ms,
                                struct bus_committed *ret_committed, struct baton_error *err);
    /** Next offset of every input of p. Takes effect before this returns; messages of p fetched earlier are never delivered. */
    enum baton_err (*seek)(void *self, int32_t partition, const int64_t *offsets, struct baton_error *err);
    enum baton_err (*pause)(void *self, int32_t partition, struct baton_error *err);
    enum baton_err (*resume)(void *self, int32_t partition, struct baton_error *err);

    /* --- the transaction; producers are taken in turn behind this --- */

    enum baton_err (*begin)(void *self, struct baton_error *err); /* BATON_OK, BATON_E_RETRY, BATON_E_FATAL */
    /** BATON_OK; BATON_E_POISON: this record can never be produced (too large, bad topic): abort, and deal with its tag;
     * BATON_E_ABORT, BATON_E_FATAL. */
    enum baton_err (*produce)(void *self, const struct bus_record *record, struct baton_error *err);
    /**
     * Offsets (with the snapshot), delivery reports, commit. Retriable faults are retried inside, up to the transaction timeout.
     * BATON_OK: committed, ret_offset's written. BATON_E_ABORT: aborted, nothing happened: seek back, apply again.
     * BATON_E_POISON: aborted because of one record: *ret_culprit is its tag. BATON_E_FATAL: the outcome is unknown or the
     * client is dead: close the bus, open another, forget everything.
     */
    enum baton_err (*commit)(void *self, const struct bus_position *positions, size_t n, int *ret_culprit,
                             struct baton_error *err);
    enum baton_err (*abort)(void *self, struct baton_error *err); /* BATON_OK, BATON_E_FATAL */

    /* --- the reader: journal and state topics, read_committed, no group; one reading at a time --- */

    enum baton_err (*watermarks)(void *self, const char *topic, int32_t partition, int timeout_ms, int64_t *ret_low,
                                 int64_t *ret_high, struct baton_error *err);
    enum baton_err (*read_begin)(void *self, const char *topic, int32_t partition, int64_t offset, struct baton_error *err);
    /** BATON_OK: a message, release it. BATON_E_NOT_FOUND: at the end of what can be read now (the last stable offset);
     * ret_message->offset is the position: where the next record, if any, will be; a later call reads on. BATON_E_RETRY: nothing
     * yet within timeout_ms. BATON_E_STALE: offset out of range (deleted meanwhile). BATON_E_FATAL. */
    enum baton_err (*read_next)(void *self, int timeout_ms, struct bus_message *ret_message, struct baton_error *err);
    void (*read_end)(void *self);

    void (*close)(void *self); /* leaves the group, aborts what is open, frees self; NULL is fine */
};

/* Opens a bus; called again after BATON_E_FATAL. The same transactional ids are used again. */
struct bus_opener {
    void *self;
    enum baton_err (*open)(void *self, struct bus *ret_bus, struct baton_error *err);
};

#endif

/*
 * memory_kafka.c -- logs, transactions, the group, and a bus over them. All under the world's lock.
 */
#include "memory_kafka.h"
#include <assert.h>
#include <baton/wire.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN 64

enum decision { UNDECIDED, COMMITTED, ABORTED };

struct transaction {
    enum decision decision;
    struct reach { /* one partition it has written to */
        struct log *log;
        int64_t first;
        bool marked; /* its marker has arrived */
    } *reached;
    size_t reached_len;
    struct offered { /* the offsets it commits, one per input */
        struct log *log;
        int64_t offset, order;
        char metadata[64];
    } *offered;
    size_t offered_len;
    bool offsets_marked;
    bool poisoned; /* a record that the broker refuses only now */
    int culprit;
    struct transaction *next;
};

struct stored {
    int64_t timestamp_ms;
    struct transaction *transaction; /* NULL = none */
    bool marker;
    char *key, *value; /* NULL = null */
    size_t key_len, value_len;
    struct bus_header *headers; /* names and values owned */
    size_t headers_len;
};

struct log { /* one partition of a topic */
    struct topic *topic;
    struct stored **records;
    int64_t len, cap, low;
    /* the group's position */
    int64_t committed, committed_order;
    char metadata[64];
};

struct topic {
    char name[NAME_MAX_LEN * 2];
    struct log *logs;
    int32_t partitions;
    size_t bytes_max;
    bool refuses_at_commit, hidden, markers_held;
    struct topic *next;
};

struct member { /* a bus */
    struct memory_kafka *kafka;
    char name[NAME_MAX_LEN];
    const struct bus_input *inputs;
    size_t inputs_len;
    bool in_group, rejoined, assign_due, dead, stall, stall_fetch, stalled;
    bool *owned, *running;
    int64_t (*position)[BUS_INPUTS_MAX];
    int32_t *shown; /* partitions of the last event */
    size_t turn;    /* where the next fetch looks first */
    int64_t snapshot;
    struct transaction *open;
    /* the reader */
    struct log *read_log;
    int64_t read_next;
    bool read_at_end;
    struct member *next;
};

struct memory_kafka {
    struct memory_world *world;
    struct topic *topics;
    struct transaction *transactions; /* with markers to come */
    struct transaction *settled;      /* records still point at them */
    struct member *members;
    int32_t partitions; /* of the inputs */
    int64_t generation;
    bool joining;
    int64_t offers; /* order of offset commits in their log */
    int64_t not_yet;
    bool offset_markers_held, away;
    enum memory_commit fault;
    int fault_skip, fault_times;
};

static void lock(struct memory_kafka *kafka)
{
    (void)pthread_mutex_lock(&kafka->world->lock);
}

static void unlock(struct memory_kafka *kafka)
{
    (void)pthread_mutex_unlock(&kafka->world->lock);
}

static void changed_unlock(struct memory_kafka *kafka)
{
    memory_world_changed(kafka->world);
    unlock(kafka);
}

/* --- logs --- */

static struct topic *topic_find(struct memory_kafka *kafka, const char *name)
{
    struct topic *topic = kafka->topics;

    while (topic != NULL && strcmp(topic->name, name) != 0)
        topic = topic->next;
    return topic;
}

static struct log *log_find(struct memory_kafka *kafka, const char *name, int32_t partition)
{
    struct topic *topic = topic_find(kafka, name);

    assert(topic != NULL && partition >= 0 && partition < topic->partitions);
    return &topic->logs[partition];
}

static void *copy_bytes(const void *bytes, size_t len)
{
    char *copy = NULL;

    if (bytes == NULL)
        return NULL;
    copy = malloc(len + 1);
    assert(copy != NULL);
    memcpy(copy, bytes, len);
    copy[len] = '\0';
    return copy;
}

static struct stored *append(struct log *log)
{
    struct stored *stored = calloc(1, sizeof *stored);

    if (log->len == log->cap) {
        log->cap = log->cap == 0 ? 64 : log->cap * 2;
        log->records = realloc(log->records, (size_t)log->cap * sizeof *log->records);
    }
    assert(stored != NULL && log->records != NULL);
    log->records[log->len++] = stored;
    return stored;
}

static int64_t append_record(struct memory_kafka *kafka, struct log *log, const struct bus_record *record,
                             struct transaction *transaction)
{
    struct stored *stored = append(log);

    stored->timestamp_ms = kafka->world->now_ms(kafka->world->context);
    stored->transaction = transaction;
    stored->key = copy_bytes(record->key, record->key_len);
    stored->key_len = record->key_len;
    stored->value = copy_bytes(record->value, record->value_len);
    stored->value_len = record->value_len;
    stored->headers = calloc(record->headers_len + 1, sizeof *stored->headers);
    assert(stored->headers != NULL);
    for (; stored->headers_len < record->headers_len; stored->headers_len++) {
        const struct bus_header *from = &record->headers[stored->headers_len];

        stored->headers[stored->headers_len] = (struct bus_header){
            .name = copy_bytes(from->name, strlen(from->name)), .value = copy_bytes(from->value, from->len), .len = from->len};
    }
    return log->len - 1;
}

static void stored_free(struct stored *stored)
{
    for (size_t i = 0; i < stored->headers_len; i++) {
        free((char *)(uintptr_t)stored->headers[i].name);
        free((char *)(uintptr_t)stored->headers[i].value);
    }
    free(stored->headers);
    free(stored->key);
    free(stored->value);
    free(stored);
}

/* First offset of a transaction whose marker has not arrived here. */
static int64_t last_stable(const struct memory_kafka *kafka, const struct log *log)
{
    int64_t stable = log->len;

    for (const struct transaction *t = kafka->transactions; t != NULL; t = t->next) {
        for (size_t i = 0; i < t->reached_len; i++) {
            if (t->reached[i].log == log && !t->reached[i].marked && t->reached[i].first < stable)
                stable = t->reached[i].first;
        }
    }
    return stable;
}

/* The offset of the first record at or after `from` that a read_committed reader is shown; else the last stable offset. */
static int64_t visible_from(const struct memory_kafka *kafka, const struct log *log, int64_t from, bool *ret_found)
{
    int64_t stable = last_stable(kafka, log), at = from;

    for (; at < stable; at++) {
        const struct stored *stored = log->records[at];

        if (!stored->marker && (stored->transaction == NULL || stored->transaction->decision == COMMITTED))
            break;
    }
    *ret_found = at < stable;
    return at;
}

/* A copy of its own for every reader, so that the sanitizer sees a use after release. */
static void message_fill(struct bus_message *message, const struct log *log, int64_t offset)
{
    const struct stored *stored = log->records[offset];
    size_t bytes = stored->key_len + stored->value_len + 1;
    char *at = NULL;

    for (size_t i = 0; i < stored->headers_len; i++)
        bytes += strlen(stored->headers[i].name) + 1 + stored->headers[i].len;
    memset(message, 0, sizeof *message);
    at = message->handle = malloc(bytes);
    assert(at != NULL);
    message->input = -1;
    message->partition = (int32_t)(log - log->topic->logs);
    message->offset = offset;
    message->timestamp_ms = stored->timestamp_ms;
    if (stored->key != NULL) {
        message->key = memcpy(at, stored->key, stored->key_len);
        at += stored->key_len;
    }
    if (stored->value != NULL) {
        message->value = memcpy(at, stored->value, stored->value_len);
        at += stored->value_len;
    }
    message->key_len = stored->key_len;
    message->value_len = stored->value_len;
    message->headers_total = stored->headers_len;
    for (size_t i = 0; i < stored->headers_len && i < BUS_HEADERS_MAX; i++) {
        const struct bus_header *from = &stored->headers[i];

        message->headers[i].name = strcpy(at, from->name);
        at += strlen(from->name) + 1;
        message->headers[i].len = from->len;
        if (from->value != NULL)
            message->headers[i].value = memcpy(at, from->value, from->len);
        at += from->len;
        message->headers_len++;
    }
}

void memory_kafka_release(struct bus_message *message)
{
    free(message->handle);
    message->handle = NULL;
}

/* --- transactions --- */

static bool settled(const struct transaction *transaction)
{
    for (size_t i = 0; i < transaction->reached_len; i++) {
        if (!transaction->reached[i].marked)
            return false;
    }
    return transaction->offsets_marked || transaction->offered_len == 0;
}

static void mark_offsets(struct transaction *transaction)
{
    for (size_t i = 0; i < transaction->offered_len && transaction->decision == COMMITTED; i++) {
        struct offered *offered = &transaction->offered[i];

        /* Of two decided commits the one that lies higher in the log stays. */
        if (offered->order < offered->log->committed_order)
            continue;
        offered->log->committed = offered->offset;
        offered->log->committed_order = offered->order;
        (void)strcpy(offered->log->metadata, offered->metadata);
    }
    transaction->offsets_marked = true;
}

static void send_markers(struct memory_kafka *kafka, struct transaction *transaction)
{
    for (size_t i = 0; i < transaction->reached_len; i++) {
        struct reach *reach = &transaction->reached[i];

        if (reach->marked || reach->log->topic->markers_held)
            continue;
        append(reach->log)->marker = true;
        reach->marked = true;
    }
    if (!transaction->offsets_marked && !kafka->offset_markers_held)
        mark_offsets(transaction);
    if (settled(transaction)) {
        struct transaction **link = &kafka->transactions;

        while (*link != transaction)
            link = &(*link)->next;
        *link = transaction->next;
        transaction->next = kafka->settled;
        kafka->settled = transaction;
    }
}

static void decide(struct memory_kafka *kafka, struct member *member, enum decision decision)
{
    if (member->open == NULL)
        return;
    member->open->decision = decision;
    send_markers(kafka, member->open);
    member->open = NULL;
    memory_world_changed(kafka->world);
}

static void reach(struct transaction *transaction, struct log *log)
{
    for (size_t i = 0; i < transaction->reached_len; i++) {
        if (transaction->reached[i].log == log)
            return;
    }
    transaction->reached = realloc(transaction->reached, (transaction->reached_len + 1) * sizeof *transaction->reached);
    assert(transaction->reached != NULL);
    transaction->reached[transaction->reached_len++] = (struct reach){.log = log, .first = log->len};
}

static void offer(struct memory_kafka *kafka, struct member *member, const struct bus_position *positions, size_t n)
{
    struct transaction *transaction = member->open;

    transaction->offered = calloc(n * member->inputs_len + 1, sizeof *transaction->offered);
    assert(transaction->offered != NULL);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < member->inputs_len; k++) {
            struct offered *offered = &transaction->offered[transaction->offered_len++];

            offered->log = log_find(kafka, member->inputs[k].topic, positions[i].partition);
            offered->offset = positions[i].offsets[k];
            offered->order = ++kafka->offers;
            offered->metadata[wire_offset_metadata(offered->metadata, positions[i].seq, positions[i].checkpoint)] = '\0';
        }
    }
}

/* --- the group: eager, one assignor (range over whole partitions), generations --- */

static void rebalance_begin(struct memory_kafka *kafka)
{
    kafka->joining = true;
    for (struct member *m = kafka->members; m != NULL; m = m->next)
        m->rejoined = m->assign_due = false;
    memory_world_changed(kafka->world);
}

static bool everybody_is_back(const struct memory_kafka *kafka)
{
    for (const struct member *m = kafka->members; m != NULL; m = m->next) {
        if (m->in_group && !m->rejoined)
            return false;
    }
    return true;
}

static void rebalance_try_end(struct memory_kafka *kafka)
{
    if (!kafka->joining || !everybody_is_back(kafka))
        return;
    kafka->joining = false;
    kafka->generation++;
    for (struct member *m = kafka->members; m != NULL; m = m->next)
        m->assign_due = m->in_group;
    memory_world_changed(kafka->world);
}

/* The members in order of their names each take a range. */
static bool is_assigned(const struct memory_kafka *kafka, const struct member *member, int32_t partition)
{
    int32_t rank = 0, count = 0;

    for (const struct member *m = kafka->members; m != NULL; m = m->next) {
        count += m->in_group;
        rank += m->in_group && strcmp(m->name, member->name) < 0;
    }
    return partition * count / kafka->partitions == rank;
}

static void leave_group(struct member *member)
{
    if (!member->in_group)
        return;
    member->in_group = false;
    rebalance_begin(member->kafka);
    rebalance_try_end(member->kafka);
}

static size_t take_owned(struct member *member, bool give_up)
{
    size_t n = 0;

    for (int32_t p = 0; p < member->kafka->partitions; p++) {
        if (!member->owned[p])
            continue;
        member->shown[n++] = p;
        member->owned[p] = !give_up;
        member->running[p] = false;
    }
    return n;
}

/* True: ret_poll tells of it. */
static bool follow_group(struct member *member, struct bus_poll *ret_poll)
{
    struct memory_kafka *kafka = member->kafka;
    bool lost = !member->in_group;

    if (!member->in_group || (kafka->joining && !member->rejoined)) {
        ret_poll->partitions_len = take_owned(member, true);
        if (!member->in_group)
            rebalance_begin(kafka);
        member->in_group = member->rejoined = true;
        rebalance_try_end(kafka);
        if (ret_poll->partitions_len > 0) {
            ret_poll->kind = BUS_REVOKED;
            ret_poll->lost = lost;
            ret_poll->partitions = member->shown;
            return true;
        }
    }
    if (!member->assign_due)
        return false;
    member->assign_due = false;
    for (int32_t p = 0; p < kafka->partitions; p++) {
        member->owned[p] = is_assigned(kafka, member, p);
        for (size_t i = 0; i < BUS_INPUTS_MAX; i++)
            member->position[p][i] = -1;
    }
    ret_poll->partitions_len = take_owned(member, false);
    ret_poll->kind = BUS_ASSIGNED;
    ret_poll->partitions = member->shown;
    return true;
}

/* --- bus: the group member --- */

static enum baton_err fetch(struct member *member, struct bus_poll *ret_poll, struct baton_error *err)
{
    struct memory_kafka *kafka = member->kafka;
    size_t slots = (size_t)kafka->partitions * member->inputs_len;

    for (size_t i = 0; i < slots; i++) {
        size_t slot = (member->turn + i) % slots, input = slot % member->inputs_len;
        int32_t p = (int32_t)(slot / member->inputs_len);
        struct log *log = NULL;
        bool found = false;
        int64_t at = 0;

        if (!member->running[p])
            continue;
        log = log_find(kafka, member->inputs[input].topic, p);
        if (member->position[p][input] < log->low || member->position[p][input] > log->len)
            return baton_fail(err, BATON_E_FATAL, "%s[%d]@%lld is out of range", log->topic->name, p,
                              (long long)member->position[p][input]);
        at = visible_from(kafka, log, member->position[p][input], &found);
        if (!found)
            continue;
        message_fill(&ret_poll->message, log, at);
        ret_poll->message.input = (int)input;
        ret_poll->kind = BUS_MESSAGE;
        member->position[p][input] = at + 1;
        member->turn = slot + 1;
        return BATON_OK;
    }
    return BATON_OK;
}

static enum baton_err fenced(const struct member *member, struct baton_error *err)
{
    return baton_fail(err, BATON_E_FATAL, "member %s: fenced, or dead after an unknown outcome", member->name);
}

/* With the lock held: until a test wakes it. */
static void hang(struct member *member, const bool *here)
{
    struct memory_world *world = member->kafka->world;

    while (*here && !member->dead) {
        member->stalled = true;
        memory_world_changed(world);
        world->wait(world, 1000);
    }
    member->stalled = false;
}

static enum baton_err bus_poll_call(void *self, int timeout_ms, struct bus_poll *ret_poll, struct baton_error *err)
{
    struct member *member = self;
    struct memory_kafka *kafka = member->kafka;
    int64_t until = timeout_ms > 0 ? kafka->world->now_ms(kafka->world->context) + timeout_ms : 0;
    enum baton_err rc = BATON_OK;

    memset(ret_poll, 0, offsetof(struct bus_poll, message));
    ret_poll->kind = BUS_IDLE;
    lock(kafka);
    assert(member->open == NULL && "a transaction is open while polling");
    for (;;) {
        int64_t left = until == 0 ? 0 : until - kafka->world->now_ms(kafka->world->context);

        if (member->dead)
            rc = fenced(member, err);
        else if (!kafka->away && !follow_group(member, ret_poll))
            rc = fetch(member, ret_poll, err);
        if (rc != BATON_OK || ret_poll->kind != BUS_IDLE || left <= 0)
            break;
        kafka->world->wait(kafka->world, (int)left);
    }
    if (rc == BATON_OK && ret_poll->kind == BUS_MESSAGE)
        hang(member, &member->stall_fetch);
    if (rc == BATON_OK && kafka->away)
        rc = baton_fail(err, BATON_E_RETRY, "kafka in memory: away");
    unlock(kafka);
    return rc;
}

static void bus_release_call(void *self, struct bus_message *message)
{
    (void)self;
    memory_kafka_release(message);
}

static void bus_snapshot_call(void *self)
{
    struct member *member = self;

    lock(member->kafka);
    member->snapshot = member->kafka->generation;
    unlock(member->kafka);
}

static bool undecided_offsets(const struct memory_kafka *kafka, const struct log *log)
{
    for (const struct transaction *t = kafka->transactions; t != NULL; t = t->next) {
        for (size_t i = 0; i < t->offered_len && !t->offsets_marked; i++) {
            if (t->offered[i].log == log)
                return true;
        }
    }
    return false;
}

static bool read_committed_of(struct memory_kafka *kafka, int32_t partition, const struct bus_input *inputs, size_t inputs_len,
                              struct bus_committed *ret_committed)
{
    bool stable = true;

    memset(ret_committed, 0, sizeof *ret_committed);
    for (size_t i = 0; i < BUS_INPUTS_MAX; i++)
        ret_committed->offsets[i] = -1;
    for (size_t i = 0; i < inputs_len; i++) {
        const struct log *log = log_find(kafka, inputs[i].topic, partition);
        int64_t seq = 0, checkpoint = 0;

        stable = stable && !undecided_offsets(kafka, log);
        ret_committed->offsets[i] = log->committed;
        if (log->committed < 0 || !wire_offset_metadata_parse(log->metadata, strlen(log->metadata), &seq, &checkpoint) ||
            (ret_committed->known && seq <= ret_committed->seq))
            continue;
        ret_committed->known = true;
        ret_committed->seq = seq;
        ret_committed->checkpoint = checkpoint;
    }
    return stable;
}

static enum baton_err bus_committed_call(void *self, const int32_t *partitions, size_t n, int timeout_ms,
                                         struct bus_committed *ret_committed, struct baton_error *err)
{
    struct member *member = self;
    struct memory_kafka *kafka = member->kafka;
    enum baton_err rc = BATON_OK;

    (void)timeout_ms;
    lock(kafka);
    if (kafka->away)
        rc = baton_fail(err, BATON_E_RETRY, "kafka in memory: away");
    for (size_t i = 0; i < n && rc == BATON_OK; i++) {
        if (read_committed_of(kafka, partitions[i], member->inputs, member->inputs_len, &ret_committed[i]))
            continue;
        kafka->not_yet++;
        rc = baton_fail(err, BATON_E_RETRY, "partition %d: a transaction on its offsets is undecided", partitions[i]);
    }
    unlock(kafka);
    return rc;
}

static enum baton_err owned(const struct member *member, int32_t partition, struct baton_error *err)
{
    if (member->dead)
        return fenced(member, err);
    return member->owned[partition] ? BATON_OK : baton_fail(err, BATON_E_STALE, "partition %d is not ours", partition);
}

static enum baton_err bus_seek_call(void *self, int32_t partition, const int64_t *offsets, struct baton_error *err)
{
    struct member *member = self;
    enum baton_err rc = BATON_OK;

    lock(member->kafka);
    rc = owned(member, partition, err);
    if (rc == BATON_OK)
        memcpy(member->position[partition], offsets, member->inputs_len * sizeof *offsets);
    unlock(member->kafka);
    return rc;
}

static enum baton_err set_running(struct member *member, int32_t partition, bool running, struct baton_error *err)
{
    enum baton_err rc = BATON_OK;

    lock(member->kafka);
    rc = owned(member, partition, err);
    if (rc == BATON_OK && running && member->position[partition][0] < 0)
        rc = baton_fail(err, BATON_E_INVALID, "partition %d has no position: seek before resuming", partition);
    if (rc == BATON_OK)
        member->running[partition] = running;
    unlock(member->kafka);
    return rc;
}

static enum baton_err bus_pause_call(void *self, int32_t partition, struct baton_error *err)
{
    return set_running(self, partition, false, err);
}

static enum baton_err bus_resume_call(void *self, int32_t partition, struct baton_error *err)
{
    return set_running(self, partition, true, err);
}

/* --- bus: the transaction --- */

static enum baton_err bus_begin_call(void *self, struct baton_error *err)
{
    struct member *member = self;
    struct memory_kafka *kafka = member->kafka;
    enum baton_err rc = BATON_OK;

    lock(kafka);
    assert(member->open == NULL);
    hang(member, &member->stall);
    if (member->dead) {
        rc = fenced(member, err);
    } else if (kafka->away) {
        rc = baton_fail(err, BATON_E_RETRY, "kafka in memory: away");
    } else {
        member->open = calloc(1, sizeof *member->open);
        assert(member->open != NULL);
        member->open->next = kafka->transactions;
        kafka->transactions = member->open;
    }
    unlock(kafka);
    return rc;
}


static enum baton_err bus_produce_call(void *self, const struct bus_record *record, struct baton_error *err)
{
    struct member *member = self;
    struct memory_kafka *kafka = member->kafka;
    struct topic *topic = NULL;
    enum baton_err rc = BATON_OK;

    lock(kafka);
    topic = topic_find(kafka, record->topic);
    if (member->dead) {
        rc = fenced(member, err);
    } else if (member->open == NULL) {
        rc = baton_fail(err, BATON_E_ABORT, "produce to \"%s\": no transaction is open", record->topic);
    } else if (topic == NULL || topic->hidden) {
        rc = baton_fail(err, BATON_E_POISON, "produce %zu bytes to \"%s\": unknown topic", record->value_len, record->topic);
    } else if (record->value_len > topic->bytes_max && !topic->refuses_at_commit) {
        rc = baton_fail(err, BATON_E_POISON, "produce %zu bytes to \"%s\": too large", record->value_len, record->topic);
    } else {
        int32_t p = record->partition >= 0 ? record->partition
                                           : wire_partition_of(record->key, record->key_len, topic->partitions);
        int64_t offset = 0;

        assert(p < topic->partitions);
        if (record->value_len > topic->bytes_max && !member->open->poisoned) {
            member->open->poisoned = true;
            member->open->culprit = record->tag;
        }
        reach(member->open, &topic->logs[p]);
        offset = append_record(kafka, &topic->logs[p], record, member->open);
        if (record->ret_offset != NULL)
            *record->ret_offset = offset; /* the caller does not look before the commit */
    }
    changed_unlock(kafka);
    return rc;
}

static enum memory_commit next_fault(struct memory_kafka *kafka)
{
    if (kafka->fault_times == 0 || kafka->fault_skip-- > 0)
        return MEMORY_COMMITS;
    kafka->fault_skip = 0;
    kafka->fault_times--;
    return kafka->fault;
}

static enum baton_err commit(struct member *member, const struct bus_position *positions, size_t n, int *ret_culprit,
                             struct baton_error *err)
{
    struct memory_kafka *kafka = member->kafka;

    *ret_culprit = -1;
    if (member->dead || member->open == NULL)
        return fenced(member, err);
    if (n == 0) {
        decide(kafka, member, ABORTED);
        return baton_fail(err, BATON_E_ABORT, "a transaction without offsets is not fenced");
    }
    if (member->snapshot != kafka->generation) {
        decide(kafka, member, ABORTED);
        return baton_fail(err, BATON_E_ABORT, "illegal generation %lld, the group is at %lld", (long long)member->snapshot,
                          (long long)kafka->generation);
    }
    if (member->open->poisoned) {
        *ret_culprit = member->open->culprit;
        decide(kafka, member, ABORTED);
        return baton_fail(err, BATON_E_POISON, "the broker refuses a record: too large");
    }
    offer(kafka, member, positions, n);
    switch (next_fault(kafka)) {
    case MEMORY_COMMITS:
        break;
    case MEMORY_ABORTS:
        decide(kafka, member, ABORTED);
        return baton_fail(err, BATON_E_ABORT, "kafka in memory: aborted");
    case MEMORY_DIES_DONE:
        decide(kafka, member, COMMITTED);
        member->dead = true;
        return baton_fail(err, BATON_E_FATAL, "kafka in memory: outcome unknown");
    case MEMORY_DIES_UNDONE:
        decide(kafka, member, ABORTED);
        member->dead = true;
        return baton_fail(err, BATON_E_FATAL, "kafka in memory: outcome unknown");
    }
    decide(kafka, member, COMMITTED);
    return BATON_OK;
}

static enum baton_err bus_commit_call(void *self, const struct bus_position *positions, size_t n, int *ret_culprit,
                                      struct baton_error *err)
{
    struct member *member = self;
    enum baton_err rc = BATON_OK;

    lock(member->kafka);
    rc = commit(member, positions, n, ret_culprit, err);
    changed_unlock(member->kafka);
    return rc;
}

static enum baton_err bus_abort_call(void *self, struct baton_error *err)
{
    struct member *member = self;
    enum baton_err rc = BATON_OK;

    lock(member->kafka);
    if (member->dead)
        rc = fenced(member, err);
    else
        decide(member->kafka, member, ABORTED);
    changed_unlock(member->kafka);
    return rc;
}

/* --- bus: the reader --- */

static enum baton_err bus_watermarks_call(void *self, const char *topic, int32_t partition, int timeout_ms, int64_t *ret_low,
                                          int64_t *ret_high, struct baton_error *err)
{
    struct member *member = self;
    enum baton_err rc = BATON_OK;

    (void)timeout_ms;
    lock(member->kafka);
    if (topic_find(member->kafka, topic) == NULL) {
        rc = baton_fail(err, BATON_E_RETRY, "watermarks of %s: unknown topic", topic);
    } else {
        *ret_low = log_find(member->kafka, topic, partition)->low;
        *ret_high = log_find(member->kafka, topic, partition)->len;
    }
    unlock(member->kafka);
    return rc;
}

static enum baton_err bus_read_begin_call(void *self, const char *topic, int32_t partition, int64_t offset, struct baton_error *err)
{
    struct member *member = self;

    (void)err;
    lock(member->kafka);
    member->read_log = log_find(member->kafka, topic, partition);
    member->read_next = offset;
    member->read_at_end = false;
    unlock(member->kafka);
    return BATON_OK;
}

/* At the end it says so at once; asked again it waits. */
static enum baton_err read_next(struct memory_kafka *kafka, struct log *log, int64_t limit, int64_t *next, bool *at_end,
                                int timeout_ms, struct bus_message *ret_message, struct baton_error *err)
{
    bool found = false;

    if (*next < log->low || *next > log->len)
        return baton_fail(err, BATON_E_STALE, "%s@%lld is out of range", log->topic->name, (long long)*next);
    for (int round = 0; round < 2; round++) {
        *next = visible_from(kafka, log, *next, &found);
        if ((found && *next < limit) || !*at_end || round == 1)
            break;
        kafka->world->wait(kafka->world, timeout_ms);
    }
    if (!found || *next >= limit) {
        *at_end = true;
        kafka->not_yet += *next < log->len;
        ret_message->handle = NULL;
        ret_message->offset = *next;
        return BATON_E_NOT_FOUND;
    }
    *at_end = false;
    message_fill(ret_message, log, (*next)++);
    return BATON_OK;
}

static enum baton_err bus_read_next_call(void *self, int timeout_ms, struct bus_message *ret_message, struct baton_error *err)
{
    struct member *member = self;
    enum baton_err rc = BATON_OK;

    lock(member->kafka);
    rc = member->read_log == NULL ? baton_fail(err, BATON_E_FATAL, "nothing is being read")
                                  : read_next(member->kafka, member->read_log, INT64_MAX, &member->read_next, &member->read_at_end,
                                              timeout_ms, ret_message, err);
    unlock(member->kafka);
    return rc;
}

static void bus_read_end_call(void *self)
{
    ((struct member *)self)->read_log = NULL;
}

/* --- bus: open and close --- */

static void bus_close_call(void *self)
{
    struct member *member = self;
    struct memory_kafka *kafka = NULL;
    struct member **link = NULL;

    if (member == NULL)
        return;
    kafka = member->kafka;
    lock(kafka);
    decide(kafka, member, ABORTED);
    leave_group(member);
    for (link = &kafka->members; *link != member; link = &(*link)->next)
        ;
    *link = member->next;
    changed_unlock(kafka);
    free(member->owned);
    free(member->running);
    free(member->position);
    free(member->shown);
    free(member);
}

enum baton_err memory_bus_open(struct memory_kafka *kafka, const char *name, const struct bus_input *inputs, size_t inputs_len,
                               struct bus *ret_bus, struct baton_error *err)
{
    struct member *member = calloc(1, sizeof *member);
    size_t partitions = 0;

    assert(member != NULL && strlen(name) < sizeof member->name);
    lock(kafka);
    if (kafka->away) {
        unlock(kafka);
        free(member);
        return baton_fail(err, BATON_E_RETRY, "kafka in memory: away");
    }
    kafka->partitions = topic_find(kafka, inputs[0].topic)->partitions;
    partitions = (size_t)kafka->partitions;
    for (struct member *m = kafka->members; m != NULL; m = m->next) {
        if (strcmp(m->name, name) != 0)
            continue;
        decide(kafka, m, ABORTED);
        m->dead = true;
        leave_group(m);
    }
    member->kafka = kafka;
    (void)strcpy(member->name, name);
    member->inputs = inputs;
    member->inputs_len = inputs_len;
    member->owned = calloc(partitions, sizeof *member->owned);
    member->running = calloc(partitions, sizeof *member->running);
    member->position = calloc(partitions, sizeof *member->position);
    member->shown = calloc(partitions, sizeof *member->shown);
    assert(member->owned != NULL && member->running != NULL && member->position != NULL && member->shown != NULL);
    member->next = kafka->members;
    kafka->members = member;
    changed_unlock(kafka);
    *ret_bus = (struct bus){
        .self = member,
        .poll = bus_poll_call,
        .release = bus_release_call,
        .snapshot = bus_snapshot_call,
        .committed = bus_committed_call,
        .seek = bus_seek_call,
        .pause = bus_pause_call,
        .resume = bus_resume_call,
        .begin = bus_begin_call,
        .produce = bus_produce_call,
        .commit = bus_commit_call,
        .abort = bus_abort_call,
        .watermarks = bus_watermarks_call,
        .read_begin = bus_read_begin_call,
        .read_next = bus_read_next_call,
        .read_end = bus_read_end_call,
        .close = bus_close_call,
    };
    return BATON_OK;
}

enum baton_err memory_tail_next(void *self, int timeout_ms, struct bus_message *ret_message, struct baton_error *err)
{
    struct memory_tail *tail = self;
    enum baton_err rc = BATON_OK;

    lock(tail->kafka);
    rc = read_next(tail->kafka, log_find(tail->kafka, tail->topic, 0), tail->slow_until, &tail->next, &tail->at_end, timeout_ms,
                   ret_message, err);
    unlock(tail->kafka);
    return rc;
}

void memory_tail_release(void *self, struct bus_message *message)
{
    (void)self;
    memory_kafka_release(message);
}

/* --- the test's side --- */

struct memory_kafka *memory_kafka_new(struct memory_world *world)
{
    struct memory_kafka *kafka = calloc(1, sizeof *kafka);

    assert(kafka != NULL);
    kafka->world = world;
    return kafka;
}

static void topic_free(struct topic *topic)
{
    for (int32_t p = 0; p < topic->partitions; p++) {
        for (int64_t i = 0; i < topic->logs[p].len; i++)
            stored_free(topic->logs[p].records[i]);
        free(topic->logs[p].records);
    }
    free(topic->logs);
    free(topic);
}

static void transactions_free(struct transaction *transaction)
{
    while (transaction != NULL) {
        struct transaction *next = transaction->next;

        free(transaction->reached);
        free(transaction->offered);
        free(transaction);
        transaction = next;
    }
}

void memory_kafka_free(struct memory_kafka *kafka)
{
    if (kafka == NULL)
        return;
    assert(kafka->members == NULL);
    while (kafka->topics != NULL) {
        struct topic *topic = kafka->topics;

        kafka->topics = topic->next;
        topic_free(topic);
    }
    transactions_free(kafka->transactions);
    transactions_free(kafka->settled);
    free(kafka);
}

void memory_kafka_create(struct memory_kafka *kafka, const char *name, int32_t partitions)
{
    struct topic *topic = calloc(1, sizeof *topic);

    assert(topic != NULL && strlen(name) < sizeof topic->name);
    (void)strcpy(topic->name, name);
    topic->partitions = partitions;
    topic->bytes_max = SIZE_MAX;
    topic->logs = calloc((size_t)partitions, sizeof *topic->logs);
    assert(topic->logs != NULL);
    for (int32_t p = 0; p < partitions; p++) {
        topic->logs[p].topic = topic;
        topic->logs[p].committed = -1;
    }
    lock(kafka);
    topic->next = kafka->topics;
    kafka->topics = topic;
    changed_unlock(kafka);
}

int32_t memory_kafka_partitions(struct memory_kafka *kafka, const char *name)
{
    struct topic *topic = NULL;
    int32_t n = 0;

    lock(kafka);
    topic = topic_find(kafka, name);
    n = topic == NULL ? 0 : topic->partitions;
    unlock(kafka);
    return n;
}

int64_t memory_kafka_produce(struct memory_kafka *kafka, const struct bus_record *record)
{
    struct topic *topic = NULL;
    int64_t offset = -1;

    lock(kafka);
    topic = topic_find(kafka, record->topic);
    if (topic != NULL) {
        int32_t p = record->partition >= 0 ? record->partition
                                           : wire_partition_of(record->key, record->key_len, topic->partitions);

        offset = append_record(kafka, &topic->logs[p], record, NULL);
    }
    changed_unlock(kafka);
    return offset;
}

bool memory_kafka_read(struct memory_kafka *kafka, const char *name, int32_t partition, int64_t *offset,
                       struct bus_message *ret_message)
{
    struct log *log = NULL;
    bool found = false;

    lock(kafka);
    log = log_find(kafka, name, partition);
    *offset = visible_from(kafka, log, *offset, &found);
    if (found)
        message_fill(ret_message, log, (*offset)++);
    unlock(kafka);
    return found;
}

int64_t memory_kafka_count(struct memory_kafka *kafka, const char *name)
{
    struct topic *topic = NULL;
    int64_t n = 0;

    lock(kafka);
    topic = topic_find(kafka, name);
    for (int32_t p = 0; topic != NULL && p < topic->partitions; p++) {
        bool found = true;

        for (int64_t at = 0; found; at++) {
            at = visible_from(kafka, &topic->logs[p], at, &found);
            n += found;
        }
    }
    unlock(kafka);
    return n;
}

int64_t memory_kafka_end(struct memory_kafka *kafka, const char *name, int32_t partition)
{
    int64_t end = 0;

    lock(kafka);
    end = log_find(kafka, name, partition)->len;
    unlock(kafka);
    return end;
}

void memory_kafka_committed(struct memory_kafka *kafka, int32_t partition, const struct bus_input *inputs, size_t inputs_len,
                            struct bus_committed *ret_committed)
{
    lock(kafka);
    (void)read_committed_of(kafka, partition, inputs, inputs_len, ret_committed);
    unlock(kafka);
}

/* --- faults --- */

void memory_kafka_next_commits(struct memory_kafka *kafka, enum memory_commit how, int skip, int times)
{
    lock(kafka);
    kafka->fault = how;
    kafka->fault_skip = skip;
    kafka->fault_times = times;
    unlock(kafka);
}

bool memory_kafka_faults_spent(struct memory_kafka *kafka)
{
    bool spent = false;

    lock(kafka);
    spent = kafka->fault_times == 0;
    unlock(kafka);
    return spent;
}

void memory_kafka_limit(struct memory_kafka *kafka, const char *topic, size_t bytes, bool at_commit)
{
    lock(kafka);
    topic_find(kafka, topic)->bytes_max = bytes;
    topic_find(kafka, topic)->refuses_at_commit = at_commit;
    unlock(kafka);
}

void memory_kafka_hide(struct memory_kafka *kafka, const char *topic, bool hidden)
{
    lock(kafka);
    topic_find(kafka, topic)->hidden = hidden;
    unlock(kafka);
}

void memory_kafka_hold_markers(struct memory_kafka *kafka, const char *topic)
{
    lock(kafka);
    if (topic == NULL)
        kafka->offset_markers_held = true;
    else
        topic_find(kafka, topic)->markers_held = true;
    unlock(kafka);
}

void memory_kafka_release_markers(struct memory_kafka *kafka)
{
    lock(kafka);
    kafka->offset_markers_held = false;
    for (struct topic *topic = kafka->topics; topic != NULL; topic = topic->next)
        topic->markers_held = false;
    for (struct transaction *t = kafka->transactions, *next = NULL; t != NULL; t = next) {
        next = t->next;
        if (t->decision != UNDECIDED)
            send_markers(kafka, t);
    }
    changed_unlock(kafka);
}

int64_t memory_kafka_not_yet(struct memory_kafka *kafka)
{
    int64_t n = 0;

    lock(kafka);
    n = kafka->not_yet;
    unlock(kafka);
    return n;
}

void memory_kafka_rebalance(struct memory_kafka *kafka)
{
    lock(kafka);
    rebalance_begin(kafka);
    unlock(kafka);
}

int64_t memory_kafka_generation(struct memory_kafka *kafka)
{
    int64_t generation = 0;

    lock(kafka);
    generation = kafka->generation;
    unlock(kafka);
    return generation;
}

static struct member *member_find(struct memory_kafka *kafka, const char *name)
{
    struct member *m = kafka->members;

    while (m != NULL && (m->dead || strcmp(m->name, name) != 0))
        m = m->next;
    return m;
}

void memory_kafka_expire(struct memory_kafka *kafka, const char *member)
{
    struct member *m = NULL;

    lock(kafka);
    m = member_find(kafka, member);
    if (m != NULL)
        leave_group(m);
    changed_unlock(kafka);
}

static void set_stall(struct memory_kafka *kafka, const char *member, bool stall, bool stall_fetch)
{
    struct member *m = NULL;

    lock(kafka);
    m = member_find(kafka, member);
    if (m != NULL) {
        m->stall = stall;
        m->stall_fetch = stall_fetch;
    }
    changed_unlock(kafka);
}

void memory_kafka_stall(struct memory_kafka *kafka, const char *member)
{
    set_stall(kafka, member, true, false);
}

void memory_kafka_stall_fetch(struct memory_kafka *kafka, const char *member)
{
    set_stall(kafka, member, false, true);
}

void memory_kafka_wake(struct memory_kafka *kafka, const char *member)
{
    set_stall(kafka, member, false, false);
}

bool memory_kafka_stalled(struct memory_kafka *kafka, const char *member)
{
    struct member *m = NULL;
    bool stalled = false;

    lock(kafka);
    m = member_find(kafka, member);
    stalled = m != NULL && m->stalled;
    unlock(kafka);
    return stalled;
}

void memory_kafka_away(struct memory_kafka *kafka, bool away)
{
    lock(kafka);
    kafka->away = away;
    changed_unlock(kafka);
}

void memory_kafka_delete_before(struct memory_kafka *kafka, const char *topic, int32_t partition, int64_t offset)
{
    lock(kafka);
    log_find(kafka, topic, partition)->low = offset;
    changed_unlock(kafka);
}

void memory_kafka_move(struct memory_kafka *kafka, const char *topic, int32_t partition, int64_t offset, const char *metadata)
{
    struct log *log = NULL;

    lock(kafka);
    log = log_find(kafka, topic, partition);
    log->committed = offset;
    (void)snprintf(log->metadata, sizeof log->metadata, "%s", metadata == NULL ? "" : metadata);
    changed_unlock(kafka);
}

/*
 * transaction.c -- transactions over producers taken in turn.
 *
 * Owns:     which producer's turn it is, the order of a commit, what each error of it means.
 * May use:  librdkafka, wire_offset_metadata.
 * Never:    leave a transaction open behind BATON_E_ABORT or BATON_E_POISON of a commit.
 * Tests:    tests/kafka/test_mock.c, tests/kafka/test_group.c
 */
#include "kafka_internal.h"
#include <baton/wire.h>
#include <stdlib.h>
#include <string.h>

#define OPEN_PATIENCE_MS 30000
#define REPLACE_PATIENCE_MS 10000
#define SLOW_COMMIT_MS 2000   /* its EndTxn may still be under way somewhere: KIP-890 */
#define ABORT_PATIENCE_MS 10000
#define CLOSE_ABORT_MS 2000
#define QUEUE_WAIT_MS 10
#define MISSING_ASK_MS 1000   /* a topic that did not exist is asked for again this often */
#define METADATA_WAIT_MS 1000

enum verdict { DONE, RETRIABLE, ABORTABLE, DEAD };

static struct producer *current(struct turn *turn)
{
    return &turn->producers[turn->current];
}

/* What librdkafka's error asks for; the error is used up, its text is in err. */
static enum verdict verdict_of(const struct producer *producer, const char *doing, rd_kafka_error_t *error, struct baton_error *err)
{
    enum verdict verdict = DONE;

    if (error == NULL)
        return DONE;
    if (rd_kafka_error_is_fatal(error))
        verdict = DEAD;
    else if (rd_kafka_error_txn_requires_abort(error))
        verdict = ABORTABLE;
    else
        verdict = rd_kafka_error_is_retriable(error) ? RETRIABLE : DEAD;
    (void)baton_fail(err, verdict == DEAD ? BATON_E_FATAL : verdict == ABORTABLE ? BATON_E_ABORT : BATON_E_RETRY,
                     "%s, transactional id %s.%d: %s: %s", doing, producer->options->transactional_id, producer->number,
                     rd_kafka_error_name(error), rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return verdict;
}

static int time_left(int64_t deadline_ms)
{
    int64_t left = deadline_ms - now_ms();

    return left < 1 ? 1 : (int)left;
}

static int64_t deadline_of(const struct producer *producer)
{
    return producer->begun_at_ms + producer->transaction_timeout_ms;
}

/* --- open, close --- */

enum baton_err turn_open(struct turn *turn, const struct kafka_bus_options *options, struct baton_error *err)
{
    int64_t deadline_ms = now_ms() + OPEN_PATIENCE_MS;
    enum baton_err rc = BATON_OK;

    if (options->producers < 0 || options->producers > PRODUCERS_MAX)
        return baton_fail(err, BATON_E_INVALID, "%d producers: 1 to %d", options->producers, PRODUCERS_MAX);
    turn->len = options->producers == 0 ? PRODUCERS_DEFAULT : options->producers;
    turn->current = turn->len - 1;
    turn->offsets = rd_kafka_topic_partition_list_new(16);
    for (int i = 0; i < turn->len; i++)
        producer_init(&turn->producers[i], options, i);
    /* All connect at once, then each takes over from its predecessor. */
    for (int i = 0; i < turn->len && rc == BATON_OK; i++)
        rc = producer_open(&turn->producers[i], err);
    for (int i = 0; i < turn->len && rc == BATON_OK; i++)
        rc = producer_ready(&turn->producers[i], deadline_ms, err);
    return rc;
}

void turn_close(struct turn *turn)
{
    if (turn->open) {
        rd_kafka_error_t *error = rd_kafka_abort_transaction(current(turn)->handle, CLOSE_ABORT_MS);

        /* What stays open is aborted by the next holder of the id, or by its timeout. */
        if (error != NULL)
            rd_kafka_error_destroy(error);
    }
    for (int i = 0; i < turn->len; i++)
        producer_close(&turn->producers[i]);
    if (turn->offsets != NULL)
        rd_kafka_topic_partition_list_destroy(turn->offsets);
}

void turn_serve(struct turn *turn)
{
    for (int i = 0; i < turn->len; i++)
        producer_serve(&turn->producers[i], 0);
}

/* --- begin, produce --- */

static enum baton_err fit(struct producer *producer, struct baton_error *err)
{
    enum baton_err rc = BATON_OK;

    if (producer->retire) {
        client_log(&producer->client, 5, "RETIRE", "a commit was slow or lost a connection: the producer is replaced");
        producer_close(producer);
    }
    rc = producer_open(producer, err);
    if (rc == BATON_OK)
        rc = producer_ready(producer, now_ms() + REPLACE_PATIENCE_MS, err);
    return rc;
}

enum baton_err turn_begin(struct turn *turn, struct baton_error *err)
{
    int next = (turn->current + 1) % turn->len;
    struct producer *producer = &turn->producers[next];
    enum baton_err rc = fit(producer, err);

    if (rc != BATON_OK)
        return rc;
    producer_serve(producer, 0);
    producer->epoch++;
    producer->sent_len = producer->reported = 0;
    producer->failed = RD_KAFKA_RESP_ERR_NO_ERROR;
    producer->failed_bytes = 0;
    atomic_store(&producer->client.disconnected, false);
    switch (verdict_of(producer, "begin", rd_kafka_begin_transaction(producer->handle), err)) {
    case DONE: break;
    case RETRIABLE: return BATON_E_RETRY;
    case ABORTABLE:
    case DEAD: return BATON_E_FATAL;
    }
    producer->begun_at_ms = now_ms();
    turn->current = next;
    turn->open = true;
    return BATON_OK;
}

/* librdkafka remembers for minutes that a topic did not exist or was forbidden; whoever mended that should not wait as long. */
static void ask_again(struct producer *producer, struct topic_slot *slot)
{
    const struct rd_kafka_metadata *metadata = NULL;

    if (!slot->missing || now_ms() - slot->asked_at_ms < MISSING_ASK_MS)
        return;
    slot->asked_at_ms = now_ms();
    if (rd_kafka_metadata(producer->handle, 0, slot->topic, &metadata, METADATA_WAIT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        slot->missing = metadata->topic_cnt != 1 || metadata->topics[0].err != RD_KAFKA_RESP_ERR_NO_ERROR;
        rd_kafka_metadata_destroy(metadata);
    }
}

static bool unusable_topic(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
           code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
}

static struct sent *sent_add(struct producer *producer, const struct bus_record *record)
{
    if (producer->sent_len == producer->sent_cap) {
        size_t cap = producer->sent_cap == 0 ? 1024 : producer->sent_cap * 2;
        struct sent *more = realloc(producer->sent, cap * sizeof *more);

        if (more == NULL)
            return NULL;
        producer->sent = more;
        producer->sent_cap = cap;
    }
    producer->sent[producer->sent_len] = (struct sent){.ret_offset = record->ret_offset, .offset = -1, .tag = record->tag};
    return &producer->sent[producer->sent_len++];
}

static enum baton_err not_produced(struct producer *producer, struct topic_slot *slot, const struct bus_record *record,
                                   rd_kafka_resp_err_t code, struct baton_error *err)
{
    if (slot != NULL && unusable_topic(code)) {
        slot->missing = true;
        slot->asked_at_ms = now_ms();
    }
    if (error_is_poison(code))
        return baton_fail(err, BATON_E_POISON, "produce %zu bytes to \"%s\": %s", record->value_len, record->topic,
                          rd_kafka_err2str(code));
    return baton_fail(err, rd_kafka_fatal_error(producer->handle, NULL, 0) != RD_KAFKA_RESP_ERR_NO_ERROR ? BATON_E_FATAL : BATON_E_ABORT,
                      "produce to \"%s\": %s", record->topic, rd_kafka_err2str(code));
}

enum baton_err turn_produce(struct turn *turn, const struct bus_record *record, struct baton_error *err)
{
    struct producer *producer = current(turn);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    struct topic_slot *slot = NULL;
    void *mark = NULL;

    if (!turn->open)
        return baton_fail(err, BATON_E_ABORT, "produce to \"%s\": no transaction is open", record->topic);
    slot = topic_slot_find(producer->topics, producer->handle, record->topic, &code);
    if (slot == NULL)
        return not_produced(producer, NULL, record, code, err);
    ask_again(producer, slot);
    if (sent_add(producer, record) == NULL)
        return baton_fail(err, BATON_E_ABORT, "out of memory for a transaction of %zu records", producer->sent_len);
    mark = (void *)(((uintptr_t)producer->epoch << 32) | (producer->sent_len - 1));
    do {
        code = record_produce(producer->handle, slot->topic, record, mark);
        if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
            producer_serve(producer, QUEUE_WAIT_MS);
    } while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL && now_ms() < deadline_of(producer));
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return BATON_OK;
    producer->sent_len--;
    return not_produced(producer, slot, record, code, err);
}

/* --- commit, abort --- */

static void list_offsets(struct turn *turn, const struct bus_position *positions, size_t n)
{
    const struct kafka_bus_options *options = current(turn)->options;
    char metadata[64];

    rd_kafka_topic_partition_list_destroy(turn->offsets);
    turn->offsets = rd_kafka_topic_partition_list_new((int)(n * options->inputs_len));
    for (size_t i = 0; i < n; i++) {
        size_t len = wire_offset_metadata(metadata, positions[i].seq, positions[i].checkpoint);

        for (size_t k = 0; k < options->inputs_len; k++) {
            rd_kafka_topic_partition_t *one =
                rd_kafka_topic_partition_list_add(turn->offsets, options->inputs[k].topic, positions[i].partition);

            one->offset = positions[i].offsets[k];
            one->metadata = malloc(len); /* the list frees it */
            one->metadata_size = one->metadata == NULL ? 0 : len;
            if (one->metadata != NULL)
                memcpy(one->metadata, metadata, len);
        }
    }
}

static enum verdict send_offsets(struct turn *turn, const rd_kafka_consumer_group_metadata_t *metadata, struct baton_error *err)
{
    struct producer *producer = current(turn);
    int64_t deadline_ms = deadline_of(producer);
    enum verdict verdict;

    do {
        verdict = verdict_of(producer, "send offsets",
                             rd_kafka_send_offsets_to_transaction(producer->handle, turn->offsets, metadata, time_left(deadline_ms)),
                             err);
    } while (verdict == RETRIABLE && now_ms() < deadline_ms);
    return verdict == RETRIABLE ? ABORTABLE : verdict; /* nothing was decided yet */
}

/* message.timeout.ms bounds it: every record is reported, one way or the other. rd_kafka_flush would wake every 10 ms only. */
static void await_reports(struct producer *producer)
{
    while (producer->reported < producer->sent_len &&
           rd_kafka_fatal_error(producer->handle, NULL, 0) == RD_KAFKA_RESP_ERR_NO_ERROR &&
           now_ms() < deadline_of(producer))
        producer_serve(producer, 1);
}

static enum verdict end_commit(struct producer *producer, bool *ret_repeated, struct baton_error *err)
{
    int64_t deadline_ms = deadline_of(producer);
    enum verdict verdict;

    *ret_repeated = false;
    for (;;) {
        verdict = verdict_of(producer, "commit", rd_kafka_commit_transaction(producer->handle, time_left(deadline_ms)), err);
        if (verdict != RETRIABLE)
            return verdict;
        *ret_repeated = true;
        if (now_ms() >= deadline_ms) {
            char why[BATON_ERROR_TEXT_MAX];

            memcpy(why, err->text, sizeof why);
            (void)baton_fail(err, BATON_E_FATAL, "%.600s; given up: whether it committed is unknown", why);
            return DEAD;
        }
    }
}

static enum baton_err abort_current(struct turn *turn, struct baton_error *err)
{
    struct producer *producer = current(turn);
    int64_t started_ms = now_ms(), deadline_ms = started_ms + ABORT_PATIENCE_MS;
    enum verdict verdict;

    do {
        verdict = verdict_of(producer, "abort", rd_kafka_abort_transaction(producer->handle, time_left(deadline_ms)), err);
    } while (verdict == RETRIABLE && now_ms() < deadline_ms);
    turn->open = verdict != DONE;
    producer_serve(producer, 0);
    if (now_ms() - started_ms > SLOW_COMMIT_MS || atomic_load(&producer->client.disconnected))
        producer->retire = true;
    if (verdict == DONE)
        return BATON_OK;
    err->code = BATON_E_FATAL;
    return BATON_E_FATAL;
}

static enum baton_err abort_because(struct turn *turn, enum baton_err why, struct baton_error *err)
{
    struct baton_error second = {0};

    if (abort_current(turn, &second) != BATON_OK) {
        char first[BATON_ERROR_TEXT_MAX];

        memcpy(first, err->text, sizeof first);
        return baton_fail(err, BATON_E_FATAL, "%.350s; then %.350s", first, second.text);
    }
    err->code = why;
    return why;
}

/* A record was refused: abort, and say whose fault it is if it is one record's. */
static enum baton_err report_failed(struct turn *turn, int *ret_culprit, struct baton_error *err)
{
    struct producer *producer = current(turn);
    bool poison = error_is_poison(producer->failed);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    struct topic_slot *slot = NULL;

    (void)baton_fail(err, poison ? BATON_E_POISON : BATON_E_ABORT, "\"%s\" refuses a record of %zu bytes: %s",
                     producer->failed_topic, producer->failed_bytes, rd_kafka_err2str(producer->failed));
    if (unusable_topic(producer->failed) &&
        (slot = topic_slot_find(producer->topics, producer->handle, producer->failed_topic, &code)) != NULL) {
        slot->missing = true;
        slot->asked_at_ms = now_ms();
    }
    *ret_culprit = poison ? producer->failed_tag : -1;
    return abort_because(turn, poison ? BATON_E_POISON : BATON_E_ABORT, err);
}

static void hand_out_offsets(const struct producer *producer)
{
    for (size_t i = 0; i < producer->sent_len; i++) {
        if (producer->sent[i].ret_offset != NULL)
            *producer->sent[i].ret_offset = producer->sent[i].offset;
    }
}

enum baton_err turn_commit(struct turn *turn, const struct bus_position *positions, size_t n,
                           const rd_kafka_consumer_group_metadata_t *metadata, int *ret_culprit, struct baton_error *err)
{
    struct producer *producer = current(turn);
    struct baton_error own = {0};
    enum verdict verdict = DONE;
    bool repeated = false;
    int64_t started_ms = now_ms();

    if (err == NULL)
        err = &own;
    *ret_culprit = -1;
    if (!turn->open)
        return baton_fail(err, BATON_E_FATAL, "commit: no transaction is open");
    if (metadata == NULL || n == 0) /* a transaction without offsets is not fenced: a woken zombie would double it */
        return abort_because(turn, baton_fail(err, BATON_E_ABORT, "commit: no %s", n == 0 ? "positions" : "group metadata"), err);
    list_offsets(turn, positions, n);
    /* Before the wait: the offsets travel beside the records. */
    verdict = send_offsets(turn, metadata, err);
    if (verdict == DONE || verdict == ABORTABLE)
        await_reports(producer);
    if (verdict == DEAD)
        return BATON_E_FATAL;
    /* Records purged because the offsets were refused are no reason. */
    if (producer->failed != RD_KAFKA_RESP_ERR_NO_ERROR && (verdict == DONE || error_is_poison(producer->failed)))
        return report_failed(turn, ret_culprit, err);
    if (verdict == ABORTABLE)
        return abort_because(turn, BATON_E_ABORT, err);
    if (producer->reported < producer->sent_len)
        return abort_because(turn,
                             baton_fail(err, BATON_E_ABORT, "commit: %zu of %zu records are unconfirmed after %lld ms",
                                        producer->sent_len - producer->reported, producer->sent_len,
                                        (long long)(now_ms() - producer->begun_at_ms)),
                             err);
    verdict = end_commit(producer, &repeated, err);
    producer_serve(producer, 0);
    if (now_ms() - started_ms > SLOW_COMMIT_MS || atomic_load(&producer->client.disconnected))
        producer->retire = true;
    if (verdict == ABORTABLE) {
        enum baton_err rc = abort_because(turn, BATON_E_ABORT, err);

        /* After a repeated commit only the log knows which of the two arrived first. */
        if (rc == BATON_E_ABORT && repeated)
            rc = err->code = BATON_E_FATAL;
        return rc;
    }
    if (verdict != DONE)
        return BATON_E_FATAL;
    turn->open = false;
    hand_out_offsets(producer);
    return BATON_OK;
}

enum baton_err turn_abort(struct turn *turn, struct baton_error *err)
{
    struct baton_error own = {0};

    return turn->open ? abort_current(turn, err == NULL ? &own : err) : BATON_OK;
}

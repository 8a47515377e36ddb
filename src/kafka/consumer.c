/*
 * consumer.c -- the group member: polling, rebalances, committed offsets, positions.
 *
 * Owns:     which partitions are ours, which of them run, and the next offset of each input.
 * May use:  librdkafka, wire_offset_metadata_parse.
 * Never:    commit an offset (transaction.c does), start a partition that nobody has sought.
 * Tests:    tests/kafka/test_group.c, tests/kafka/test_position.c
 */
#include "kafka_internal.h"
#include <baton/wire.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#define SEEK_PATIENCE_MS 5000
#define SEEK_WAIT_MS 1000
#define CLOSE_PATIENCE_MS 5000
#define NOT_SOUGHT (-1)

/* --- rebalance --- */

static struct slice *slice_of(const struct consumer *consumer, int32_t partition)
{
    return partition < 0 || partition >= consumer->slices_len ? NULL : &consumer->slices[partition];
}

static int input_of_name(const struct consumer *consumer, const char *topic)
{
    for (size_t i = 0; i < consumer->options->inputs_len; i++) {
        if (strcmp(consumer->options->inputs[i].topic, topic) == 0)
            return (int)i;
    }
    return -1;
}

static bool slices_reach(struct consumer *consumer, int32_t len)
{
    struct slice *more;

    if (len <= consumer->slices_len)
        return true;
    more = realloc(consumer->slices, (size_t)len * sizeof *more);
    if (more == NULL)
        return false;
    memset(more + consumer->slices_len, 0, (size_t)(len - consumer->slices_len) * sizeof *more);
    consumer->slices = more;
    consumer->slices_len = len;
    return true;
}

static void slice_stop(struct slice *slice)
{
    slice->running = false;
    for (size_t i = 0; i < BUS_INPUTS_MAX; i++)
        slice->inputs[i].next = NOT_SOUGHT;
}

static void event_free(struct rebalance *event)
{
    if (event != NULL)
        free(event->partitions);
    free(event);
}

static void event_add(struct consumer *consumer, struct rebalance *event)
{
    struct rebalance **end = &consumer->events;

    while (*end != NULL)
        end = &(*end)->next;
    *end = event;
}

/* How many inputs of each p the list names; NULL = out of memory. */
static uint8_t *count_inputs(struct consumer *consumer, const rd_kafka_topic_partition_list_t *list)
{
    int32_t len = 0;
    uint8_t *counts;

    for (int i = 0; i < list->cnt; i++)
        len = list->elems[i].partition >= len ? list->elems[i].partition + 1 : len;
    if (!slices_reach(consumer, len))
        return NULL;
    counts = calloc((size_t)consumer->slices_len + 1, 1);
    for (int i = 0; counts != NULL && i < list->cnt; i++) {
        if (input_of_name(consumer, list->elems[i].topic) >= 0)
            counts[list->elems[i].partition]++;
    }
    return counts;
}

static struct rebalance *event_of(struct consumer *consumer, enum bus_poll_kind kind,
                                  const rd_kafka_topic_partition_list_t *list)
{
    struct rebalance *event = calloc(1, sizeof *event);
    uint8_t *counts = count_inputs(consumer, list);

    if (event == NULL || counts == NULL || (event->partitions = calloc((size_t)consumer->slices_len + 1, sizeof(int32_t))) == NULL) {
        (void)baton_fail(&consumer->broken, BATON_E_FATAL, "out of memory for a rebalance");
        event_free(event);
        free(counts);
        return NULL;
    }
    event->kind = kind;
    for (int32_t p = 0; p < consumer->slices_len; p++) {
        if (counts[p] == 0)
            continue;
        event->partitions[event->len++] = p;
        if (counts[p] != consumer->options->inputs_len)
            (void)baton_fail(&consumer->broken, BATON_E_FATAL,
                             "group %s: partition %d was given for %d of %zu input topics: all inputs need the same number of "
                             "partitions, and every member of the group the same inputs",
                             consumer->options->group_id, p, counts[p], consumer->options->inputs_len);
    }
    free(counts);
    return event;
}

/* Positions come from the journal, by seek: until then an end that any log has keeps librdkafka from asking for committed offsets
 * and from resetting. It must be the beginning: the answer to the question where that end is may come after the seek and move the position
 * there (seen under load). Of what is read again nothing is delivered; what the other end would skip would be lost. */
static rd_kafka_resp_err_t assign_paused(rd_kafka_t *handle, rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_resp_err_t code;

    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = RD_KAFKA_OFFSET_BEGINNING;
    code = rd_kafka_assign(handle, list);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? rd_kafka_pause_partitions(handle, list) : code;
}

static void on_assigned(struct consumer *consumer, rd_kafka_topic_partition_list_t *list)
{
    struct rebalance *event = event_of(consumer, BUS_ASSIGNED, list);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

    if (event == NULL || consumer->broken.code != BATON_OK) {
        event_free(event);
        (void)rd_kafka_assign(consumer->handle, NULL);
        return;
    }
    code = assign_paused(consumer->handle, list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        (void)baton_fail(&consumer->broken, BATON_E_FATAL, "group %s: cannot take partitions: %s", consumer->options->group_id,
                         rd_kafka_err2str(code));
    for (size_t i = 0; i < event->len; i++) {
        slice_stop(&consumer->slices[event->partitions[i]]);
        consumer->slices[event->partitions[i]].owned = true;
    }
    event_add(consumer, event);
}

static void on_revoked(struct consumer *consumer, const rd_kafka_topic_partition_list_t *list)
{
    struct rebalance *event = event_of(consumer, BUS_REVOKED, list);

    if (event != NULL)
        event->lost = rd_kafka_assignment_lost(consumer->handle) != 0;
    (void)rd_kafka_assign(consumer->handle, NULL);
    for (int32_t p = 0; p < consumer->slices_len; p++) {
        slice_stop(&consumer->slices[p]);
        consumer->slices[p].owned = false;
    }
    if (event != NULL)
        event_add(consumer, event);
}

/* Runs inside rd_kafka_consumer_poll and while closing. */
static void on_rebalance(rd_kafka_t *handle, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct client *client = opaque;
    struct consumer *consumer = client->owner;

    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
        on_assigned(consumer, list);
    else
        on_revoked(consumer, list);
    rd_kafka_yield(handle);
}

/* --- open and close --- */

static enum baton_err subscribe(struct consumer *consumer, struct baton_error *err)
{
    const struct kafka_bus_options *options = consumer->options;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)options->inputs_len);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    enum baton_err rc = BATON_OK;

    for (size_t i = 0; i < options->inputs_len && rc == BATON_OK; i++) {
        const char *topic = options->inputs[i].topic;

        (void)rd_kafka_topic_partition_list_add(list, topic, RD_KAFKA_PARTITION_UA);
        consumer->topics[i] = topic[0] == '^' ? NULL : rd_kafka_topic_new(consumer->handle, topic, NULL);
        if (consumer->topics[i] == NULL)
            rc = baton_fail(err, BATON_E_INVALID, "\"%s\" is not a topic name", topic);
    }
    if (rc == BATON_OK)
        code = rd_kafka_subscribe(consumer->handle, list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        rc = baton_fail(err, BATON_E_INVALID, "group %s: cannot subscribe: %s", options->group_id, rd_kafka_err2str(code));
    rd_kafka_topic_partition_list_destroy(list);
    return rc;
}

enum baton_err consumer_open(struct consumer *consumer, const struct kafka_bus_options *options, struct baton_error *err)
{
    static const struct setting defaults[] = {
        {"session.timeout.ms", "6000"},         {"heartbeat.interval.ms", "1500"}, {"fetch.wait.max.ms", "10"},
        {"queued.max.messages.kbytes", "8192"}, {"queued.min.messages", "20000"}, {"fetch.error.backoff.ms", "50"},  {"fetch.max.bytes", "2097152"},
        {"socket.timeout.ms", "10000"},         {"reconnect.backoff.max.ms", "1000"}, {NULL, NULL}};
    const struct setting fixed[] = {{"group.id", options->group_id},
                                    {"enable.auto.commit", "false"},
                                    {"enable.auto.offset.store", "false"},
                                    {"isolation.level", "read_committed"},
                                    {"auto.offset.reset", "error"},
                                    {"allow.auto.create.topics", "false"},
                                    {"partition.assignment.strategy", "range"},
                                    {"enable.partition.eof", "false"},
                                    {NULL, NULL}};
    rd_kafka_conf_t *conf = NULL;
    enum baton_err rc = BATON_OK;

    consumer->options = options;
    consumer->client.owner = consumer;
    rc = conf_new(&options->kafka, CLIENT_CONSUMER, defaults, fixed, &consumer->client, &conf, err);
    if (rc != BATON_OK)
        return rc;
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rc = conf_open(conf, CLIENT_CONSUMER, &consumer->handle, err);
    if (rc != BATON_OK)
        return rc;
    (void)rd_kafka_poll_set_consumer(consumer->handle);
    return subscribe(consumer, err);
}

/* Leaves the group, waiting for it only so long: a coordinator that is away must not keep the worker from ending. */
static void leave(struct consumer *consumer)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(consumer->handle);
    int64_t until = now_ms() + CLOSE_PATIENCE_MS;
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(consumer->handle, queue);

    if (error == NULL) {
        while (!rd_kafka_consumer_closed(consumer->handle) && now_ms() < until) {
            rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 50);

            if (event == NULL)
                continue;
            if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE)
                (void)rd_kafka_assign(consumer->handle, NULL);
            rd_kafka_event_destroy(event);
        }
    } else {
        rd_kafka_error_destroy(error);
    }
    rd_kafka_queue_destroy(queue);
}

void consumer_close(struct consumer *consumer)
{
    for (size_t i = 0; i < BUS_INPUTS_MAX; i++) {
        if (consumer->topics[i] != NULL)
            rd_kafka_topic_destroy(consumer->topics[i]);
    }
    if (consumer->snapshot != NULL)
        rd_kafka_consumer_group_metadata_destroy(consumer->snapshot);
    if (consumer->handle != NULL) {
        leave(consumer);
        rd_kafka_destroy_flags(consumer->handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    }
    while (consumer->events != NULL) {
        struct rebalance *event = consumer->events;

        consumer->events = event->next;
        event_free(event);
    }
    event_free(consumer->shown);
    free(consumer->slices);
}

/* --- poll --- */

static bool show_event(struct consumer *consumer, struct bus_poll *ret_poll)
{
    struct rebalance *event = consumer->events;

    if (event == NULL)
        return false;
    consumer->events = event->next;
    event_free(consumer->shown);
    consumer->shown = event;
    ret_poll->kind = event->kind;
    ret_poll->partitions = event->partitions;
    ret_poll->partitions_len = event->len;
    ret_poll->lost = event->lost;
    return true;
}

/* Topics are few and their handles unique: pointers are compared first. */
static int input_of(const struct consumer *consumer, const rd_kafka_message_t *message)
{
    for (size_t i = 0; i < consumer->options->inputs_len; i++) {
        if (consumer->topics[i] == message->rkt)
            return (int)i;
    }
    return message->rkt == NULL ? -1 : input_of_name(consumer, rd_kafka_topic_name(message->rkt));
}

static enum baton_err consume_error(const struct consumer *consumer, const rd_kafka_message_t *message, struct baton_error *err)
{
    const char *topic = message->rkt == NULL ? "-" : rd_kafka_topic_name(message->rkt);
    const char *text = message->payload == NULL ? "" : message->payload;

    switch ((int)message->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        return BATON_OK;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        return baton_fail(err, BATON_E_FATAL,
                          "group %s: %s[%d]@%lld no longer exists: messages were deleted before they were read; raise the topic's "
                          "retention, then set the group's position: %s",
                          consumer->options->group_id, topic, message->partition, (long long)message->offset, text);
    case RD_KAFKA_RESP_ERR__FATAL:
        return baton_fail(err, BATON_E_FATAL, "group %s: %s", consumer->options->group_id, text);
    default:
        return baton_fail(err, BATON_E_RETRY, "group %s: %s[%d]: %s (%s)", consumer->options->group_id, topic, message->partition,
                          text, rd_kafka_err2name(message->err));
    }
}

/* True: it is for the caller. What was fetched before a seek, a pause or a rebalance is not. */
static bool wanted(struct consumer *consumer, const rd_kafka_message_t *message, int *ret_input)
{
    struct slice *slice = slice_of(consumer, message->partition);
    int input = input_of(consumer, message);

    if (slice == NULL || input < 0 || !slice->running || message->offset < slice->inputs[input].next)
        return false;
    slice->inputs[input].next = message->offset + 1;
    *ret_input = input;
    return true;
}

enum baton_err consumer_poll(struct consumer *consumer, int timeout_ms, struct bus_poll *ret_poll, struct baton_error *err)
{
    int64_t until = timeout_ms > 0 ? now_ms() + timeout_ms : 0;

    ret_poll->kind = BUS_IDLE;
    for (int wait_ms = timeout_ms;;) {
        rd_kafka_message_t *message = consumer->events != NULL ? NULL : rd_kafka_consumer_poll(consumer->handle, wait_ms);
        int input = 0;

        if (message != NULL && message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            enum baton_err rc = consume_error(consumer, message, err);

            rd_kafka_message_destroy(message);
            if (rc != BATON_OK)
                return rc;
        } else if (message != NULL) {
            if (wanted(consumer, message, &input)) {
                message_borrow(message, &ret_poll->message);
                ret_poll->message.input = input;
                ret_poll->kind = BUS_MESSAGE;
                return BATON_OK;
            }
            rd_kafka_message_destroy(message);
        } else {
            if (consumer->broken.code != BATON_OK)
                return baton_fail(err, consumer->broken.code, "%s", consumer->broken.text);
            if (show_event(consumer, ret_poll))
                return BATON_OK;
        }
        if (until == 0 && message == NULL)
            return BATON_OK;
        if (until != 0) {
            int64_t left = until - now_ms();

            if (left <= 0 && message == NULL)
                return BATON_OK;
            wait_ms = left > 0 ? (int)left : 0;
        }
    }
}

void consumer_snapshot(struct consumer *consumer)
{
    if (consumer->snapshot != NULL)
        rd_kafka_consumer_group_metadata_destroy(consumer->snapshot);
    consumer->snapshot = rd_kafka_consumer_group_metadata(consumer->handle);
}

/* --- positions --- */

static void take_committed(const struct consumer *consumer, const rd_kafka_topic_partition_t *from, struct bus_committed *to)
{
    int input = input_of_name(consumer, from->topic);
    int64_t seq = 0, checkpoint = 0;

    if (input < 0 || from->offset < 0)
        return;
    to->offsets[input] = from->offset;
    if (wire_offset_metadata_parse(from->metadata, from->metadata_size, &seq, &checkpoint) && (!to->known || seq > to->seq)) {
        to->known = true;
        to->seq = seq;
        to->checkpoint = checkpoint;
    }
}

static rd_kafka_resp_err_t first_error(const rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++) {
        if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR)
            return list->elems[i].err;
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

enum baton_err consumer_committed(struct consumer *consumer, const int32_t *partitions, size_t n, int timeout_ms,
                                  struct bus_committed *ret_committed, struct baton_error *err)
{
    const struct kafka_bus_options *options = consumer->options;
    rd_kafka_topic_partition_list_t *list = NULL;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    int per = (int)options->inputs_len;

    for (size_t i = 0; i < n; i++) {
        memset(&ret_committed[i], 0, sizeof ret_committed[i]);
        for (size_t k = 0; k < BUS_INPUTS_MAX; k++)
            ret_committed[i].offsets[k] = -1;
    }
    if (options->mock || n == 0)
        return BATON_OK;
    list = rd_kafka_topic_partition_list_new((int)n * per);
    for (size_t i = 0; i < n; i++) {
        for (int k = 0; k < per; k++)
            (void)rd_kafka_topic_partition_list_add(list, options->inputs[k].topic, partitions[i]);
    }
    code = rd_kafka_committed(consumer->handle, list, timeout_ms);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = first_error(list);
    for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < list->cnt; i++)
        take_committed(consumer, &list->elems[i], &ret_committed[i / per]);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return baton_fail(err, BATON_E_RETRY, "group %s: committed offsets are not to be had now: %s", options->group_id,
                          rd_kafka_err2str(code));
    return BATON_OK;
}

/* A partition just assigned may not have been started yet: asked again until it has. */
static rd_kafka_resp_err_t seek_one(rd_kafka_topic_t *topic, int32_t partition, int64_t offset)
{
    int64_t until = now_ms() + SEEK_PATIENCE_MS;
    struct timespec step = {.tv_nsec = 1000000};
    rd_kafka_resp_err_t code;

    for (;;) {
        code = rd_kafka_seek(topic, partition, offset, SEEK_WAIT_MS);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR || now_ms() >= until)
            return code;
        (void)nanosleep(&step, NULL);
    }
}

static enum baton_err owned_slice(const struct consumer *consumer, int32_t partition, struct slice **ret_slice,
                                  struct baton_error *err)
{
    struct slice *slice = slice_of(consumer, partition);

    if (slice == NULL || !slice->owned)
        return baton_fail(err, BATON_E_STALE, "partition %d is not ours", partition);
    *ret_slice = slice;
    return BATON_OK;
}

static enum baton_err seek_inputs(struct consumer *consumer, const struct slice *slice, int32_t partition, struct baton_error *err)
{
    for (size_t i = 0; i < consumer->options->inputs_len; i++) {
        rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

        if (slice->inputs[i].next == NOT_SOUGHT)
            return baton_fail(err, BATON_E_INVALID, "partition %d has no position: seek before resuming", partition);
        code = seek_one(consumer->topics[i], partition, slice->inputs[i].next);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
            return baton_fail(err, BATON_E_FATAL, "cannot seek %s[%d] to %lld: %s", consumer->options->inputs[i].topic, partition,
                              (long long)slice->inputs[i].next, rd_kafka_err2str(code));
    }
    return BATON_OK;
}

enum baton_err consumer_seek(struct consumer *consumer, int32_t partition, const int64_t *offsets, struct baton_error *err)
{
    struct slice *slice = NULL;
    enum baton_err rc = owned_slice(consumer, partition, &slice, err);

    if (rc != BATON_OK)
        return rc;
    for (size_t i = 0; i < consumer->options->inputs_len; i++)
        slice->inputs[i].next = offsets[i];
    /* A paused partition is sought when it resumes: 2.0.2 may forget a seek made while it is paused. */
    return slice->running ? seek_inputs(consumer, slice, partition, err) : BATON_OK;
}

static enum baton_err switch_fetching(struct consumer *consumer, int32_t partition, bool on, struct baton_error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)consumer->options->inputs_len);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

    for (size_t i = 0; i < consumer->options->inputs_len; i++)
        (void)rd_kafka_topic_partition_list_add(list, consumer->options->inputs[i].topic, partition);
    code = on ? rd_kafka_resume_partitions(consumer->handle, list) : rd_kafka_pause_partitions(consumer->handle, list);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = first_error(list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return baton_fail(err, BATON_E_FATAL, "cannot %s partition %d: %s", on ? "resume" : "pause", partition,
                          rd_kafka_err2str(code));
    return BATON_OK;
}

enum baton_err consumer_pause(struct consumer *consumer, int32_t partition, struct baton_error *err)
{
    struct slice *slice = NULL;
    enum baton_err rc = owned_slice(consumer, partition, &slice, err);

    if (rc != BATON_OK || !slice->running)
        return rc;
    slice->running = false;
    return switch_fetching(consumer, partition, false, err);
}

enum baton_err consumer_resume(struct consumer *consumer, int32_t partition, struct baton_error *err)
{
    struct slice *slice = NULL;
    enum baton_err rc = owned_slice(consumer, partition, &slice, err);

    if (rc != BATON_OK || slice->running)
        return rc;
    rc = switch_fetching(consumer, partition, true, err);
    /* After, not before: resuming puts the position back to what was consumed before the pause. */
    if (rc == BATON_OK)
        rc = seek_inputs(consumer, slice, partition, err);
    slice->running = rc == BATON_OK;
    return rc;
}

/*
 * kafka_internal.h -- what the files of src/kafka know of each other.
 *
 * property.c  which properties may be set           conf.c      properties -> librdkafka handles, logs
 * consumer.c  the group member                      producer.c  one transactional producer: open, replace, reports
 * reader.c    one partition, without a group        transaction.c  begin, produce, commit, abort over producers in turn
 * bus.c       the struct of functions, close        message.c   rd_kafka_message_t -> bus_message, bus_record -> produce
 */
#ifndef BATON_KAFKA_INTERNAL_H
#define BATON_KAFKA_INTERNAL_H

#include <baton/kafka.h>
#include <librdkafka/rdkafka.h>
#include <stdatomic.h>

#define PRODUCERS_MAX 8
#define PRODUCERS_DEFAULT 3
#define TOPIC_SLOTS 64 /* topic handles a producer keeps; a collision only costs a new handle */

/* Where handles log, and whether a broker connection broke; shared by callbacks of librdkafka's threads. */
struct client {
    const struct kafka_options *options; /* borrowed */
    atomic_bool disconnected;            /* set by callbacks, cleared by whoever asks */
    void *owner;                         /* for the delivery or rebalance callback */
};

/* --- conf.c --- */
struct setting {
    const char *name, *value;
};
enum client_kind { CLIENT_CONSUMER, CLIENT_PRODUCER };

/** Baton's defaults, then the user's properties, then `fixed` (no longer the user's to change). client must outlive the handle made of it. */
enum baton_err conf_new(const struct kafka_options *options, enum client_kind kind, const struct setting *defaults,
                        const struct setting *fixed, struct client *client, rd_kafka_conf_t **ret_conf,
                        struct baton_error *err);
/** Makes a handle; conf is used up in any case. */
enum baton_err conf_open(rd_kafka_conf_t *conf, enum client_kind kind, rd_kafka_t **ret_handle, struct baton_error *err);
/** Value of a property as a number; otherwise if it has none. */
int64_t conf_number(const rd_kafka_conf_t *conf, const char *name, int64_t otherwise);
bool conf_user_set(const struct kafka_options *options, enum client_kind kind, const char *name);
void client_log(const struct client *client, int level, const char *facility, const char *text);
int64_t now_ms(void); /* monotonic */

/* --- message.c --- */
/** Borrow everything from message; the caller sets input. */
void message_borrow(rd_kafka_message_t *message, struct bus_message *ret_message);
void message_release(struct bus_message *message);

struct topic_slot {
    char *name;
    rd_kafka_topic_t *topic;
    bool missing;           /* it did not exist, or was not for us, when last asked */
    int64_t asked_at_ms;
};
/** Handle of a topic by name, kept in slots. NULL with *ret_code. */
struct topic_slot *topic_slot_find(struct topic_slot *slots, rd_kafka_t *handle, const char *name,
                                   rd_kafka_resp_err_t *ret_code);
void topic_slots_clear(struct topic_slot *slots);
/** Enqueue a copy of the record. */
rd_kafka_resp_err_t record_produce(rd_kafka_t *handle, rd_kafka_topic_t *topic, const struct bus_record *record, void *opaque);
/** This record can never be produced as it is: too large, no such topic, not allowed. */
bool error_is_poison(rd_kafka_resp_err_t code);

/* --- reader.c --- */
struct reader {
    struct client client;
    const struct kafka_options *options;
    rd_kafka_t *handle; /* opened at the first read */
    rd_kafka_t *asker;  /* read_uncommitted: the true high watermark, not the last stable offset */
    rd_kafka_topic_t *topic; /* of the reading under way; NULL = none */
    int32_t partition;
    int64_t position;
    bool at_end; /* position is the end of what could be read when last told */
};
void reader_init(struct reader *reader, const struct kafka_options *options);
void reader_clear(struct reader *reader);
enum baton_err reader_begin(struct reader *reader, const char *topic, int32_t partition, int64_t offset, struct baton_error *err);
enum baton_err reader_next(struct reader *reader, int timeout_ms, struct bus_message *ret_message, struct baton_error *err);
void reader_end(struct reader *reader);
enum baton_err reader_watermarks(struct reader *reader, const char *topic, int32_t partition, int timeout_ms,
                                 int64_t *ret_low, int64_t *ret_high, struct baton_error *err);

/* --- consumer.c --- */
struct toppar { /* one input of one partition p */
    int64_t next; /* nothing below it is delivered; -1 = not sought */
};

struct slice { /* one partition p */
    bool owned, running;
    struct toppar inputs[BUS_INPUTS_MAX];
};

struct rebalance {
    enum bus_poll_kind kind;
    bool lost;
    int32_t *partitions; /* owned */
    size_t len;
    struct rebalance *next;
};

struct consumer {
    struct client client;
    const struct kafka_bus_options *options;
    rd_kafka_t *handle;
    rd_kafka_topic_t *topics[BUS_INPUTS_MAX];
    struct slice *slices; /* by p */
    int32_t slices_len;
    struct rebalance *events; /* oldest first */
    struct rebalance *shown;  /* what the last poll returned: its array lives until the next */
    struct baton_error broken; /* code != OK: the member cannot go on */
    rd_kafka_consumer_group_metadata_t *snapshot;
};
enum baton_err consumer_open(struct consumer *consumer, const struct kafka_bus_options *options, struct baton_error *err);
void consumer_close(struct consumer *consumer);
enum baton_err consumer_poll(struct consumer *consumer, int timeout_ms, struct bus_poll *ret_poll, struct baton_error *err);
void consumer_snapshot(struct consumer *consumer);
enum baton_err consumer_committed(struct consumer *consumer, const int32_t *partitions, size_t n, int timeout_ms,
                                  struct bus_committed *ret_committed, struct baton_error *err);
enum baton_err consumer_seek(struct consumer *consumer, int32_t partition, const int64_t *offsets, struct baton_error *err);
enum baton_err consumer_pause(struct consumer *consumer, int32_t partition, struct baton_error *err);
enum baton_err consumer_resume(struct consumer *consumer, int32_t partition, struct baton_error *err);

/* --- producer.c --- */
struct sent { /* a record of the open transaction */
    int64_t *ret_offset; /* where the caller wants the offset */
    int64_t offset;
    int tag;
};

struct producer {
    struct client client;
    const struct kafka_bus_options *options;
    int number;
    rd_kafka_t *handle; /* NULL = to be opened */
    bool ready;         /* init_transactions is done */
    bool retire;        /* replace it before its next transaction */
    int64_t transaction_timeout_ms;
    struct topic_slot topics[TOPIC_SLOTS];

    /* the transaction */
    uint32_t epoch; /* of the opaques: tells reports of an older transaction */
    struct sent *sent;
    size_t sent_len, sent_cap, reported;
    rd_kafka_resp_err_t failed; /* first report that says no, poison over others */
    size_t failed_bytes;
    int failed_tag;
    char failed_topic[256];
    int64_t begun_at_ms;
};
void producer_init(struct producer *producer, const struct kafka_bus_options *options, int number);
/** Opens the handle if there is none. */
enum baton_err producer_open(struct producer *producer, struct baton_error *err);
/** init_transactions, waiting until deadline_ms (monotonic). */
enum baton_err producer_ready(struct producer *producer, int64_t deadline_ms, struct baton_error *err);
void producer_close(struct producer *producer);
/** Serves callbacks. */
void producer_serve(struct producer *producer, int timeout_ms);

/* --- transaction.c --- */
struct turn {
    struct producer producers[PRODUCERS_MAX];
    int len, current;
    bool open; /* a transaction of producers[current] */
    struct rd_kafka_topic_partition_list_s *offsets; /* reused */
};
enum baton_err turn_open(struct turn *turn, const struct kafka_bus_options *options, struct baton_error *err);
void turn_close(struct turn *turn);
void turn_serve(struct turn *turn); /* callbacks of idle producers */
enum baton_err turn_begin(struct turn *turn, struct baton_error *err);
enum baton_err turn_produce(struct turn *turn, const struct bus_record *record, struct baton_error *err);
enum baton_err turn_commit(struct turn *turn, const struct bus_position *positions, size_t n,
                           const rd_kafka_consumer_group_metadata_t *metadata, int *ret_culprit, struct baton_error *err);
enum baton_err turn_abort(struct turn *turn, struct baton_error *err);

#endif

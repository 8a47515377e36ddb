/*
 * test_mock.c -- what the bus makes of the broker's errors, on librdkafka's mock cluster: each row injects one kind of answer and says what
 * bus.h promises for it, and that the bus (or, after FATAL, another one with the same transactional id) then works.
 */
#include "rows.h"
#include <baton/kafka.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <time.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define WAIT_MS 10000

/* Kafka's numbers of the requests. */
enum { PRODUCE = 0, FETCH = 1, METADATA = 3, INIT_PRODUCER_ID = 22, ADD_PARTITIONS = 24, ADD_OFFSETS = 25, END_TXN = 26, TXN_OFFSET_COMMIT = 28 };

static rd_kafka_t *host; /* the mock cluster lives in it; both end with the process: destroying a cluster that had clients crashes 2.0.2 now and then */
static rd_kafka_mock_cluster_t *cluster;
static struct kafka_property common[] = {{"bootstrap.servers", NULL}};
static const struct kafka_property quick[] = {{"transaction.timeout.ms", "15000"}};
static const struct bus_input inputs[] = {{"in", INPUT_START, NULL}, {"replies", INPUT_REPLIES, NULL}};
static int rows_seen; /* each has a transactional id of its own */

static struct kafka_options options(void)
{
    return (struct kafka_options){.common = common, .common_len = 1, .producer = quick, .producer_len = COUNT(quick)};
}

static struct kafka_bus_options bus_options(const char *id)
{
    /* A group of its own: the mock gives partitions only after 3 s, so that a short row ends before its member has any. */
    return (struct kafka_bus_options){.kafka = options(), .group_id = id, .transactional_id = id, .producers = 1, .inputs = inputs,
                                      .inputs_len = COUNT(inputs), .max_message_bytes = 100000, .mock = true};
}

static void push(int api, rd_kafka_resp_err_t code, int times)
{
    rd_kafka_resp_err_t codes[16];

    assert_true(times <= (int)COUNT(codes));
    for (int i = 0; i < times; i++)
        codes[i] = code;
    rd_kafka_mock_push_request_errors_array(cluster, (int16_t)api, (size_t)times, codes);
}

/* Begin, two records with tags 7 and 8, offsets, commit: in words. */
static void say_transaction(struct buffer *out, struct bus *bus, const char *topic, size_t bytes)
{
    static char value[200000];
    struct bus_record record = {.topic = topic, .partition = -1, .key = "k", .key_len = 1, .value = value, .value_len = bytes, .tag = 7};
    struct bus_position position = {.partition = 0, .seq = 1};
    struct baton_error err = {0};
    int64_t offset = -1;
    int culprit = -1;
    enum baton_err rc = bus->begin(bus->self, &err);

    bus->snapshot(bus->self);
    if (rc != BATON_OK) {
        say(out, "begin %s", baton_err_name(rc));
        return;
    }
    rc = bus->produce(bus->self, &record, &err);
    if (rc != BATON_OK) {
        say(out, "produce %s, abort ", baton_err_name(rc));
        say(out, "%s", baton_err_name(bus->abort(bus->self, &err)));
        return;
    }
    record = (struct bus_record){.topic = "out", .partition = 0, .value = "v", .value_len = 1, .tag = 8, .ret_offset = &offset};
    assert_int_equal(bus->produce(bus->self, &record, &err), BATON_OK);
    rc = bus->commit(bus->self, &position, 1, &culprit, &err);
    say(out, "%s", baton_err_name(rc));
    if (culprit >= 0)
        say(out, " %d", culprit);
    if (rc != BATON_OK && err.text[0] == '\0')
        say(out, " without a word");
    if ((rc == BATON_OK) != (offset >= 0))
        say(out, " with offset %lld", (long long)offset);
    if (rc != BATON_OK)
        print_message("    %s\n", err.text);
}

/* A transaction goes through, if not the first: librdkafka may purge the records after an abort too, and asks for a topic that was refused
 * only now and then. */
static bool works(struct bus *bus)
{
    for (int tries = 0; tries < 100; tries++) {
        struct buffer out = {0};
        struct bus_poll poll;
        bool fine = false;

        say_transaction(&out, bus, "out", 5);
        fine = strcmp(buffer_cstr(&out), "OK") == 0;
        buffer_free(&out);
        if (fine)
            return true;
        (void)bus->poll(bus->self, 100, &poll, NULL);
    }
    return false;
}

static const struct row {
    const char *name;
    int api;
    rd_kafka_resp_err_t code;
    int times;
    const char *then;
} rows[] = {
    {"no error", ADD_PARTITIONS, RD_KAFKA_RESP_ERR_NO_ERROR, 0, "OK; works"},

    {"AddPartitions: the last transaction's markers are under way", ADD_PARTITIONS, RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, 3, "OK; works"},
    {"AddPartitions: the coordinator loads", ADD_PARTITIONS, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, 3, "OK; works"},
    {"AddPartitions: the coordinator moved", ADD_PARTITIONS, RD_KAFKA_RESP_ERR_NOT_COORDINATOR, 1, "OK; works"},
    {"AddPartitions: the connection broke", ADD_PARTITIONS, RD_KAFKA_RESP_ERR__TRANSPORT, 1, "OK; works"},
    {"AddPartitions: an epoch that is over", ADD_PARTITIONS, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, 1, "FATAL; reopened, works"},
    {"AddPartitions: fenced", ADD_PARTITIONS, RD_KAFKA_RESP_ERR_PRODUCER_FENCED, 1, "FATAL; reopened, works"},
    {"AddPartitions: no right to the id", ADD_PARTITIONS, RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 1, "FATAL; reopened, works"},
    {"AddPartitions: an id that was forgotten", ADD_PARTITIONS, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING, 1, "ABORT; works"},

    {"AddOffsets: the coordinator loads", ADD_OFFSETS, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, 3, "OK; works"},
    {"AddOffsets: no right to the group", ADD_OFFSETS, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, 1, "ABORT; works"},
    {"AddOffsets: fenced: the abort will tell", ADD_OFFSETS, RD_KAFKA_RESP_ERR_PRODUCER_FENCED, 1, "ABORT; works"},

    {"TxnOffsetCommit: the coordinator loads", TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, 3, "OK; works"},
    {"TxnOffsetCommit: the coordinator moved", TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_NOT_COORDINATOR, 1, "OK; works"},
    {"TxnOffsetCommit: a generation that is over", TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, 1, "ABORT; works"},
    {"TxnOffsetCommit: a member that is unknown", TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, 1, "ABORT; works"},
    {"TxnOffsetCommit: no right to the group", TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, 1, "ABORT; works"},
    {"TxnOffsetCommit: an epoch that is over", TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, 1, "FATAL; reopened, works"},

    {"Produce: the leader moved", PRODUCE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, 1, "OK; works"},
    {"Produce: too few replicas", PRODUCE, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, 3, "OK; works"},
    {"Produce: the connection broke", PRODUCE, RD_KAFKA_RESP_ERR__TRANSPORT, 1, "OK; works"},
    {"Produce: too large for the broker", PRODUCE, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 4, "POISON 7; works"},
    {"Produce: no right to the topic", PRODUCE, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 4, "POISON 7; works"},
    {"Produce: a record that the broker refuses", PRODUCE, RD_KAFKA_RESP_ERR_INVALID_RECORD, 4, "POISON 7; works"},
    {"Produce: a lost sequence", PRODUCE, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, 4, "FATAL; reopened, works"},

    {"EndTxn: the coordinator loads", END_TXN, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, 3, "OK; works"},
    {"EndTxn: the last EndTxn is under way", END_TXN, RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, 3, "OK; works"},
    {"EndTxn: the answer is lost, and asked for again", END_TXN, RD_KAFKA_RESP_ERR__TRANSPORT, 1, "OK; works"},
    {"EndTxn: an epoch that is over", END_TXN, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, 1, "FATAL; reopened, works"},
    {"EndTxn: fenced", END_TXN, RD_KAFKA_RESP_ERR_PRODUCER_FENCED, 1, "FATAL; reopened, works"},
    {"EndTxn: a state that cannot be", END_TXN, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, 1, "FATAL; reopened, works"},

    {"InitProducerId: the predecessor's transaction is under way", INIT_PRODUCER_ID, RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, 3, "OK; works"},
    {"InitProducerId: the coordinator loads", INIT_PRODUCER_ID, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, 3, "OK; works"},
    {"InitProducerId: the connection broke", INIT_PRODUCER_ID, RD_KAFKA_RESP_ERR__TRANSPORT, 1, "OK; works"},
    {"InitProducerId: no right to the id", INIT_PRODUCER_ID, RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 1, "open FATAL; reopened, works"},
    {"InitProducerId: no right to the cluster", INIT_PRODUCER_ID, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, 1, "open FATAL; reopened, works"},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    char id[32];
    struct kafka_bus_options settings = bus_options(id);
    struct bus bus = {0};
    struct baton_error err = {0};
    struct buffer out = {0};
    enum baton_err rc = BATON_OK;

    (void)snprintf(id, sizeof id, "row-%d", rows_seen++);
    if (row->api == INIT_PRODUCER_ID)
        push(row->api, row->code, row->times);
    rc = kafka_bus_open(&settings, &bus, &err);
    if (row->api != INIT_PRODUCER_ID)
        push(row->api, row->code, row->times);
    if (rc == BATON_OK)
        say_transaction(&out, &bus, "out", 5);
    else
        say(&out, "open %s", baton_err_name(rc));
    rd_kafka_mock_clear_request_errors(cluster, (int16_t)row->api);
    if (strstr(buffer_cstr(&out), "FATAL") != NULL) {
        if (rc == BATON_OK)
            bus.close(bus.self);
        rc = kafka_bus_open(&settings, &bus, &err);
        say(&out, rc == BATON_OK ? "; reopened, " : "; not reopened");
    } else {
        say(&out, "; ");
    }
    if (rc == BATON_OK) {
        say(&out, works(&bus) ? "works" : "is broken");
        bus.close(bus.self);
    }
    assert_text(row->name, &out, row->then);
    buffer_free(&out);
}

/* --- what the client itself refuses --- */

static void refused_records(void **state)
{
    struct kafka_bus_options settings = bus_options("refused");
    struct bus_record no_transaction = {.topic = "out", .partition = 0, .value = "v", .value_len = 1};
    struct bus bus = {0};
    struct bus_poll poll;
    struct baton_error err = {0};
    struct buffer out = {0};
    int tries = 0;

    (void)state;
    assert_int_equal(kafka_bus_open(&settings, &bus, &err), BATON_OK);
    assert_int_equal(bus.produce(bus.self, &no_transaction, &err), BATON_E_ABORT);
    assert_int_equal(bus.abort(bus.self, &err), BATON_OK); /* of nothing */
    say_transaction(&out, &bus, "out", 150000); /* over message.max.bytes */
    say(&out, "; ");
    rd_kafka_mock_topic_set_error(cluster, "missing", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    say_transaction(&out, &bus, "missing", 5);
    say(&out, "; ");
    say_transaction(&out, &bus, "missing", 5); /* and known to be missing */
    assert_text("records", &out, "produce POISON, abort OK; POISON 7; produce POISON, abort OK");
    rd_kafka_mock_topic_set_error(cluster, "missing", RD_KAFKA_RESP_ERR_NO_ERROR); /* somebody created it */
    assert_true(works(&bus));
    do {
        buffer_clear(&out);
        say_transaction(&out, &bus, "missing", 5);
    } while (strcmp(buffer_cstr(&out), "OK") != 0 && ++tries < 100 && bus.poll(bus.self, 100, &poll, &err) != BATON_E_FATAL);
    assert_text("records of the topic that came", &out, "OK");
    bus.close(bus.self);
    buffer_free(&out);
}

static void without_offsets_nothing_commits(void **state)
{
    struct kafka_bus_options settings = bus_options("no-offsets");
    struct bus_record record = {.topic = "out", .partition = 0, .value = "v", .value_len = 1};
    struct bus_position position = {.partition = 0, .seq = 1};
    struct bus bus = {0};
    struct baton_error err = {0};
    int culprit = 0;

    (void)state;
    assert_int_equal(kafka_bus_open(&settings, &bus, &err), BATON_OK);
    assert_int_equal(bus.begin(bus.self, &err), BATON_OK);
    assert_int_equal(bus.produce(bus.self, &record, &err), BATON_OK);
    assert_int_equal(bus.commit(bus.self, &position, 1, &culprit, &err), BATON_E_ABORT); /* no snapshot */
    assert_non_null(strstr(err.text, "no group metadata"));
    bus.snapshot(bus.self);
    assert_int_equal(bus.begin(bus.self, &err), BATON_OK);
    assert_int_equal(bus.commit(bus.self, NULL, 0, &culprit, &err), BATON_E_ABORT);
    assert_non_null(strstr(err.text, "no positions"));
    assert_int_equal(bus.commit(bus.self, &position, 1, &culprit, &err), BATON_E_FATAL); /* none is open */
    bus.close(bus.self);
}

static void settings_that_cannot_be(void **state)
{
    struct kafka_bus_options settings = bus_options("settings");
    struct bus bus = {0};
    struct baton_error err = {0};

    (void)state;
    settings.producers = 9;
    assert_int_equal(kafka_bus_open(&settings, &bus, &err), BATON_E_INVALID);
    settings.producers = 1;
    settings.inputs_len = 0;
    assert_int_equal(kafka_bus_open(&settings, &bus, &err), BATON_E_INVALID);
}

/* --- the small clients --- */

static void sends_and_reads_back(void **state)
{
    struct kafka_options settings = options();
    const struct bus_header headers[] = {{"a", "1", 1}, {"none", NULL, 0}, {"a", "2", 1}};
    struct bus_record record = {.topic = "log", .partition = 1, .key = "k\0y", .key_len = 3, .value = "v\0\n", .value_len = 3,
                                .headers = headers, .headers_len = COUNT(headers)};
    struct bus_record tombstone = {.topic = "log", .partition = 1, .key = "k", .key_len = 1};
    struct kafka_sender *sender = NULL;
    struct kafka_tail *tail = NULL;
    struct bus_message got;
    struct baton_error err = {0};
    int32_t partition = -1;
    int64_t offset = -1;
    enum baton_err rc = BATON_OK;

    (void)state;
    assert_int_equal(kafka_sender_open(&settings, &sender, &err), BATON_OK);
    assert_int_equal(kafka_sender_send(sender, &record, &partition, &offset, &err), BATON_OK);
    assert_true(partition == 1 && offset == 0);
    assert_int_equal(kafka_sender_send(sender, &tombstone, NULL, &offset, &err), BATON_OK);
    assert_int_equal(offset, 1);
    assert_int_equal(kafka_tail_open(&settings, "log", 1, -2, &tail, &err), BATON_OK);
    while ((rc = kafka_tail_next(tail, WAIT_MS, &got, &err)) == BATON_E_RETRY)
        ;
    assert_int_equal(rc, BATON_OK);
    assert_true(got.input == -1 && got.offset == 0 && got.key_len == 3 && got.value_len == 3 && got.headers_len == 3);
    assert_memory_equal(got.key, "k\0y", 3);
    assert_memory_equal(got.value, "v\0\n", 3);
    assert_string_equal(got.headers[1].name, "none");
    assert_null(got.headers[1].value);
    assert_memory_equal(got.headers[2].value, "2", 1);
    kafka_tail_release(tail, &got);
    assert_int_equal(kafka_tail_next(tail, WAIT_MS, &got, &err), BATON_OK);
    assert_null(got.value);
    kafka_tail_release(tail, &got);
    assert_int_equal(kafka_tail_next(tail, WAIT_MS, &got, &err), BATON_E_NOT_FOUND); /* the end, and where it is */
    assert_int_equal(got.offset, 2);
    assert_int_equal(kafka_tail_next(tail, 1, &got, &err), BATON_E_NOT_FOUND);
    assert_int_equal(kafka_sender_send(sender, &tombstone, NULL, NULL, &err), BATON_OK);
    while ((rc = kafka_tail_next(tail, WAIT_MS, &got, &err)) == BATON_E_NOT_FOUND)
        ;
    assert_int_equal(rc, BATON_OK); /* a later call reads on */
    assert_int_equal(got.offset, 2);
    kafka_tail_release(tail, &got);
    kafka_tail_close(tail);

    assert_int_equal(kafka_tail_open(&settings, "log", 1, 100, &tail, &err), BATON_OK);
    while ((rc = kafka_tail_next(tail, WAIT_MS, &got, &err)) == BATON_E_RETRY)
        ;
    assert_int_equal(rc, BATON_E_STALE);
    assert_non_null(strstr(err.text, "log[1]@100 no longer exists"));
    kafka_tail_close(tail);

    push(PRODUCE, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 1);
    assert_int_equal(kafka_sender_send(sender, &record, NULL, NULL, &err), BATON_E_INVALID);
    push(PRODUCE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, 1);
    assert_int_equal(kafka_sender_send(sender, &record, NULL, NULL, &err), BATON_OK);
    kafka_sender_close(sender);
    kafka_sender_close(NULL);
    kafka_tail_close(NULL);
}

static void reader_of_the_bus(void **state)
{
    struct kafka_bus_options settings = bus_options("reader");
    struct kafka_options plain = options();
    struct bus_record record = {.topic = "journal", .partition = 0, .value = "v", .value_len = 1};
    struct kafka_sender *sender = NULL;
    struct bus bus = {0};
    struct bus_message got;
    struct baton_error err = {0};
    int64_t low = -1, high = -1;
    enum baton_err rc = BATON_OK;

    (void)state;
    assert_int_equal(kafka_sender_open(&plain, &sender, &err), BATON_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(kafka_sender_send(sender, &record, NULL, NULL, &err), BATON_OK);
    kafka_sender_close(sender);
    assert_int_equal(kafka_bus_open(&settings, &bus, &err), BATON_OK);
    assert_int_equal(bus.watermarks(bus.self, "journal", 0, WAIT_MS, &low, &high, &err), BATON_OK);
    assert_true(low == 0 && high == 3);
    assert_int_equal(bus.read_next(bus.self, 1, &got, &err), BATON_E_FATAL); /* nothing is being read */
    assert_int_equal(bus.read_begin(bus.self, "journal", 0, 2, &err), BATON_OK);
    while ((rc = bus.read_next(bus.self, WAIT_MS, &got, &err)) == BATON_E_RETRY)
        ;
    assert_true(rc == BATON_OK && got.offset == 2);
    bus.release(bus.self, &got);
    assert_int_equal(bus.read_begin(bus.self, "journal", 0, 1, &err), BATON_OK); /* another reading ends the first */
    push(FETCH, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, 1);
    while ((rc = bus.read_next(bus.self, WAIT_MS, &got, &err)) == BATON_E_RETRY)
        ;
    assert_true(rc == BATON_OK && got.offset == 1);
    bus.release(bus.self, &got);
    bus.read_end(bus.self);
    bus.read_end(bus.self);
    assert_int_equal(bus.read_begin(bus.self, "journal", 0, 9, &err), BATON_OK);
    while ((rc = bus.read_next(bus.self, WAIT_MS, &got, &err)) == BATON_E_RETRY)
        ;
    assert_int_equal(rc, BATON_E_STALE);
    bus.read_end(bus.self);
    bus.close(bus.self);
}

static void topics_there_are(void **state)
{
    struct kafka_options settings = options();
    const char *const names[] = {"in", "nowhere"};
    const struct kafka_topic_spec spec = {.name = "in", .partitions = 2, .replication = 1};
    int32_t partitions[2] = {0};
    size_t created = 9;
    char id[64] = "";
    struct baton_error err = {0};

    (void)state;
    assert_int_equal(kafka_topics_describe(&settings, names, 2, partitions, id, &err), BATON_OK);
    assert_true(partitions[0] == 2 && partitions[1] == -1 && id[0] != '\0');
    assert_int_equal(kafka_topics_create(&settings, &spec, 1, &created, &err), BATON_OK); /* there already */
    assert_int_equal(created, 0);
}

/* No broker at all: what is asked for within a time comes back within it. */
static void the_broker_is_away(void **state)
{
    static const struct kafka_property nobody[] = {{"bootstrap.servers", "127.0.0.1:1"}};
    struct kafka_options settings = {.common = nobody, .common_len = 1};
    struct kafka_tail *tail = NULL;
    struct bus_message got;
    struct baton_error err = {0};

    (void)state;
    assert_int_equal(kafka_tail_open(&settings, "log", 0, 0, &tail, &err), BATON_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(kafka_tail_next(tail, 100, &got, &err), BATON_E_RETRY);
    kafka_tail_close(tail);
}

static int start(void **state)
{
    char text[256];
    static char brokers[256];

    (void)state;
    host = rd_kafka_new(RD_KAFKA_PRODUCER, NULL, text, sizeof text);
    cluster = host == NULL ? NULL : rd_kafka_mock_cluster_new(host, 1);
    if (cluster == NULL)
        return -1;
    (void)snprintf(brokers, sizeof brokers, "%s", rd_kafka_mock_cluster_bootstraps(cluster));
    common[0].value = brokers;
    return rd_kafka_mock_topic_create(cluster, "in", 2, 1) | rd_kafka_mock_topic_create(cluster, "replies", 2, 1) |
           rd_kafka_mock_topic_create(cluster, "out", 2, 1) | rd_kafka_mock_topic_create(cluster, "log", 2, 1) |
           rd_kafka_mock_topic_create(cluster, "journal", 2, 1);
}

int main(void)
{
    static const struct {
        const char *name;
        CMUnitTestFunction check;
    } cases[] = {
        {"a record that no broker takes is poison, and the transaction after it goes through", refused_records},
        {"without offsets nothing commits", without_offsets_nothing_commits},
        {"settings that cannot be", settings_that_cannot_be},
        {"what is sent is read back, byte for byte; the end; out of range", sends_and_reads_back},
        {"the bus's reader: one reading at a time, errors that pass, out of range", reader_of_the_bus},
        {"which topics there are", topics_there_are},
        {"the broker is away", the_broker_is_away},
    };
    struct CMUnitTest tests[COUNT(rows) + COUNT(cases)] = {0};
    size_t n = 0;

    for (size_t i = 0; i < COUNT(rows); i++)
        tests[n++] = (struct CMUnitTest){.name = rows[i].name, .test_func = check_row, .initial_state = (void *)(uintptr_t)&rows[i]};
    for (size_t i = 0; i < COUNT(cases); i++)
        tests[n++] = (struct CMUnitTest){.name = cases[i].name, .test_func = cases[i].check};
    return _cmocka_run_group_tests("mock", tests, n, start, NULL);
}

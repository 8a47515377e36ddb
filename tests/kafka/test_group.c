/*
 * test_group.c -- what only a real broker shows: generations that fence, offsets that are undecided, the last stable offset.
 * scripts/test says where it is (BATON_BROKERS). Every case has topics and a group of its own.
 */
#include "rows.h"
#include <baton/kafka.h>
#include <baton/wire.h>
#include <librdkafka/rdkafka.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define TRIES 300 /* of 100 ms */

static struct kafka_property common[1];
static const struct kafka_property quick[] = {{"session.timeout.ms", "6000"}};

/* The names of a case. */
struct world {
    char group[40], in[64], replies[64], journal[64];
    struct bus_input inputs[2];
    struct kafka_bus_options options[2]; /* of two workers */
};

static struct kafka_options plain(void)
{
    return (struct kafka_options){.common = common, .common_len = 1, .consumer = quick, .consumer_len = COUNT(quick)};
}

#define MUST(call) \
    do { \
        struct baton_error must = {0}; \
        if ((call) != BATON_OK) \
            fail_msg("%s: %s", #call, must.text); \
    } while (0)

static void world_make(struct world *world, const char *name)
{
    struct kafka_options options = plain();
    struct kafka_topic_spec specs[] = {{.name = world->in, .partitions = 2, .replication = 1},
                                       {.name = world->replies, .partitions = 2, .replication = 1},
                                       {.name = world->journal, .partitions = 2, .replication = 1}};
    size_t created = 0;

    (void)snprintf(world->group, sizeof world->group, "%s-%d", name, (int)getpid());
    (void)snprintf(world->in, sizeof world->in, "%s.in", world->group);
    (void)snprintf(world->replies, sizeof world->replies, "%s.replies", world->group);
    (void)snprintf(world->journal, sizeof world->journal, "%s.journal", world->group);
    world->inputs[0] = (struct bus_input){world->in, INPUT_START, NULL};
    world->inputs[1] = (struct bus_input){world->replies, INPUT_REPLIES, NULL};
    for (int i = 0; i < 2; i++)
        world->options[i] = (struct kafka_bus_options){.kafka = options, .group_id = world->group, .producers = 1,
                                                       .transactional_id = i == 0 ? world->in : world->replies,
                                                       .inputs = world->inputs, .inputs_len = 2};
    MUST(kafka_topics_create(&options, specs, COUNT(specs), &created, &must));
    assert_int_equal(created, COUNT(specs));
}

static void send_to(const char *topic, int count)
{
    struct kafka_options options = plain();
    struct bus_record record = {.topic = topic, .partition = 0, .value = "v", .value_len = 1};
    struct kafka_sender *sender = NULL;

    MUST(kafka_sender_open(&options, &sender, &must));
    for (int i = 0; i < count; i++)
        MUST(kafka_sender_send(sender, &record, NULL, NULL, &must));
    kafka_sender_close(sender);
}

/* Both members poll until `bus` has an event of this kind over n partitions. */
static void await_event(struct bus *bus, struct bus *other, enum bus_poll_kind kind, size_t n)
{
    struct bus_poll poll;
    struct baton_error err = {0};

    for (int tries = 0; tries < TRIES; tries++) {
        if (other != NULL)
            assert_int_not_equal(other->poll(other->self, 0, &poll, &err), BATON_E_FATAL);
        assert_int_not_equal(bus->poll(bus->self, 100, &poll, &err), BATON_E_FATAL);
        if (poll.kind == kind && poll.partitions_len == n)
            return;
        assert_int_not_equal(poll.kind, BUS_MESSAGE);
    }
    fail_msg("no event of kind %d: %s", (int)kind, err.text);
}

static void expect_message(struct bus *bus, int64_t offset)
{
    struct bus_poll poll;
    struct baton_error err = {0};

    for (int tries = 0; tries < TRIES; tries++) {
        assert_int_not_equal(bus->poll(bus->self, 100, &poll, &err), BATON_E_FATAL);
        if (poll.kind != BUS_MESSAGE)
            continue;
        assert_int_equal(poll.message.offset, offset);
        assert_int_equal(poll.message.input, 0);
        bus->release(bus->self, &poll.message);
        return;
    }
    fail_msg("message %lld does not come: %s", (long long)offset, err.text);
}

static void expect_silence(struct bus *bus)
{
    struct bus_poll poll;
    struct baton_error err = {0};

    for (int i = 0; i < 5; i++) {
        assert_int_not_equal(bus->poll(bus->self, 100, &poll, &err), BATON_E_FATAL);
        assert_int_equal(poll.kind, BUS_IDLE);
    }
}

static enum baton_err commit_one(struct bus *bus, const char *topic, int64_t seq, int64_t *ret_offset, struct baton_error *err)
{
    struct bus_record record = {.topic = topic, .partition = 0, .value = "v", .value_len = 1, .ret_offset = ret_offset};
    struct bus_position position = {.partition = 0, .offsets = {3, 4}, .seq = seq, .checkpoint = seq - 2};
    int culprit = -1;
    enum baton_err rc = bus->begin(bus->self, err);

    if (rc == BATON_OK)
        rc = bus->produce(bus->self, &record, err);
    return rc == BATON_OK ? bus->commit(bus->self, &position, 1, &culprit, err) : rc;
}

/* Until it is not RETRY. */
static enum baton_err committed(struct bus *bus, const int32_t *partitions, size_t n, struct bus_committed *ret_committed)
{
    struct baton_error err = {0};
    enum baton_err rc = BATON_E_RETRY;

    for (int tries = 0; tries < TRIES / 10 && rc == BATON_E_RETRY; tries++)
        rc = bus->committed(bus->self, partitions, n, 1000, ret_committed, &err);
    return rc;
}

/* --- cases --- */

static void a_stale_generation_is_refused(void **state)
{
    struct world world;
    struct bus a = {0}, b = {0};
    struct baton_error err = {0};
    int64_t low = 0, high = 0, offset = -1;

    (void)state;
    world_make(&world, "fence");
    MUST(kafka_bus_open(&world.options[0], &a, &must));
    await_event(&a, NULL, BUS_ASSIGNED, 2);
    a.snapshot(a.self);
    MUST(commit_one(&a, world.journal, 5, &offset, &must));
    assert_int_equal(offset, 0);
    MUST(kafka_bus_open(&world.options[1], &b, &must));
    await_event(&a, &b, BUS_REVOKED, 2);
    await_event(&a, &b, BUS_ASSIGNED, 1); /* the other has the other one */
    assert_int_equal(commit_one(&a, world.journal, 6, NULL, &err), BATON_E_ABORT); /* with the snapshot of before */
    assert_non_null(strstr(err.text, "ILLEGAL_GENERATION"));
    MUST(a.watermarks(a.self, world.journal, 0, 5000, &low, &high, &must));
    a.snapshot(a.self);
    MUST(commit_one(&a, world.journal, 6, &offset, &must));
    assert_true(offset >= high); /* after whatever the refused one left */
    a.close(a.self);
    b.close(b.self);
}

/* A worker that was replaced under its own transactional id. */
static void a_second_holder_of_the_id_fences_the_first(void **state)
{
    struct world world;
    struct bus a = {0}, b = {0};
    struct baton_error err = {0};

    (void)state;
    world_make(&world, "same-id");
    MUST(kafka_bus_open(&world.options[0], &a, &must));
    await_event(&a, NULL, BUS_ASSIGNED, 2);
    a.snapshot(a.self);
    MUST(commit_one(&a, world.journal, 5, NULL, &must));
    world.options[1].transactional_id = world.options[0].transactional_id;
    MUST(kafka_bus_open(&world.options[1], &b, &must));
    assert_int_equal(commit_one(&a, world.journal, 6, NULL, &err), BATON_E_FATAL);
    a.close(a.self);
    await_event(&b, NULL, BUS_ASSIGNED, 2);
    b.snapshot(b.self);
    MUST(commit_one(&b, world.journal, 6, NULL, &must));
    b.close(b.self);
}

static void committed_offsets_carry_seq_and_checkpoint(void **state)
{
    static const int32_t partitions[] = {0, 1};
    struct world world;
    struct bus_committed got[2];
    struct bus a = {0};

    (void)state;
    world_make(&world, "metadata");
    MUST(kafka_bus_open(&world.options[0], &a, &must));
    await_event(&a, NULL, BUS_ASSIGNED, 2);
    assert_int_equal(committed(&a, partitions, 2, got), BATON_OK);
    assert_false(got[0].known);
    assert_int_equal(got[0].offsets[0], -1);
    a.snapshot(a.self);
    MUST(commit_one(&a, world.journal, INT64_C(9007199254740993), NULL, &must));
    assert_int_equal(committed(&a, partitions, 2, got), BATON_OK);
    assert_true(got[0].known && got[0].seq == INT64_C(9007199254740993) && got[0].checkpoint == INT64_C(9007199254740991));
    assert_true(got[0].offsets[0] == 3 && got[0].offsets[1] == 4 && got[0].offsets[2] == -1);
    assert_false(got[1].known);
    a.close(a.self);
}

/* A transaction that some predecessor left open: a record in the journal, and offsets. */
static rd_kafka_t *predecessor(const struct world *world, bool offsets)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_t *producer = NULL;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_consumer_group_metadata_t *metadata = rd_kafka_consumer_group_metadata_new(world->group);

    (void)rd_kafka_conf_set(conf, "bootstrap.servers", common[0].value, text, sizeof text);
    (void)rd_kafka_conf_set(conf, "transactional.id", world->journal, text, sizeof text);
    producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    assert_non_null(producer);
    assert_null(rd_kafka_init_transactions(producer, 30000));
    assert_null(rd_kafka_begin_transaction(producer));
    assert_int_equal(rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(world->journal), RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_VALUE((void *)(uintptr_t)"v", 1),
                                       RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_flush(producer, 30000), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_add(list, world->in, 0)->offset = 11;
    if (offsets)
        assert_null(rd_kafka_send_offsets_to_transaction(producer, list, metadata, 30000));
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_consumer_group_metadata_destroy(metadata);
    return producer;
}

static void undecided_offsets_are_not_told(void **state)
{
    static const int32_t partitions[] = {0};
    struct world world;
    struct bus a = {0};
    struct bus_committed got;
    struct baton_error err = {0};
    rd_kafka_t *open = NULL;

    (void)state;
    world_make(&world, "stable");
    open = predecessor(&world, true);
    MUST(kafka_bus_open(&world.options[0], &a, &must));
    await_event(&a, NULL, BUS_ASSIGNED, 2);
    for (int i = 0; i < 3; i++)
        assert_int_equal(a.committed(a.self, partitions, 1, 200, &got, &err), BATON_E_RETRY);
    assert_null(rd_kafka_commit_transaction(open, 30000));
    assert_int_equal(committed(&a, partitions, 1, &got), BATON_OK);
    assert_int_equal(got.offsets[0], 11);
    assert_false(got.known); /* not by us */
    rd_kafka_destroy(open);
    a.close(a.self);
}

static enum baton_err read_on(struct bus *bus, struct bus_message *message)
{
    struct baton_error err = {0};
    enum baton_err rc = BATON_E_RETRY;

    for (int tries = 0; tries < TRIES && rc == BATON_E_RETRY; tries++)
        rc = bus->read_next(bus->self, 100, message, &err);
    return rc;
}

static void readers_stop_at_the_last_stable_offset(void **state)
{
    struct world world;
    struct bus a = {0};
    struct bus_message got;
    int64_t low = -1, high = -1;
    rd_kafka_t *open = NULL;
    enum baton_err rc = BATON_OK;

    (void)state;
    world_make(&world, "lso");
    send_to(world.journal, 2);
    open = predecessor(&world, false);
    send_to(world.journal, 1); /* behind it */
    MUST(kafka_bus_open(&world.options[0], &a, &must));
    MUST(a.watermarks(a.self, world.journal, 0, 5000, &low, &high, &must));
    assert_true(low == 0 && high == 4); /* the true high */
    MUST(a.read_begin(a.self, world.journal, 0, 0, &must));
    for (int64_t offset = 0; offset < 2; offset++) {
        assert_int_equal(read_on(&a, &got), BATON_OK);
        assert_int_equal(got.offset, offset);
        a.release(a.self, &got);
    }
    assert_int_equal(read_on(&a, &got), BATON_E_NOT_FOUND);
    assert_int_equal(got.offset, 2);
    assert_null(rd_kafka_abort_transaction(open, 30000));
    while ((rc = read_on(&a, &got)) == BATON_E_NOT_FOUND)
        ;
    assert_int_equal(rc, BATON_OK);
    assert_int_equal(got.offset, 3); /* what was aborted is not seen */
    a.release(a.self, &got);
    while ((rc = read_on(&a, &got)) == BATON_E_NOT_FOUND && got.offset < 5)
        ;
    assert_int_equal(rc, BATON_E_NOT_FOUND); /* the marker is no record, but has a place */
    rd_kafka_destroy(open);
    a.close(a.self);
}

static void nothing_fetched_before_is_delivered(void **state)
{
    struct world world;
    struct bus a = {0};
    struct baton_error err = {0};
    const int64_t begin[] = {0, 0}, ahead[] = {10, 0}, back[] = {2, 0};

    (void)state;
    world_make(&world, "seek");
    send_to(world.in, 20);
    MUST(kafka_bus_open(&world.options[0], &a, &must));
    await_event(&a, NULL, BUS_ASSIGNED, 2);
    expect_silence(&a); /* assigned partitions start paused */
    assert_int_equal(a.resume(a.self, 0, &err), BATON_E_INVALID);
    assert_int_equal(a.seek(a.self, 9, begin, &err), BATON_E_STALE);
    MUST(a.seek(a.self, 0, begin, &must));
    MUST(a.resume(a.self, 0, &must));
    for (int64_t offset = 0; offset < 5; offset++)
        expect_message(&a, offset);
    MUST(a.pause(a.self, 0, &must)); /* 5 to 19 are fetched already */
    expect_silence(&a);
    MUST(a.seek(a.self, 0, ahead, &must));
    expect_silence(&a);
    MUST(a.resume(a.self, 0, &must));
    expect_message(&a, 10);
    expect_message(&a, 11);
    MUST(a.seek(a.self, 0, back, &must)); /* while it runs */
    for (int64_t offset = 2; offset < 20; offset++)
        expect_message(&a, offset);
    expect_silence(&a);
    a.close(a.self);
}

static void topics_are_created_once(void **state)
{
    struct kafka_options options = plain();
    struct world world;
    const char *names[2] = {NULL, "nowhere"};
    struct kafka_property retention = {"retention.ms", "soon"};
    struct kafka_topic_spec spec = {.name = world.in, .partitions = 2, .replication = 1};
    struct bus a = {0};
    struct bus_record record = {.topic = "not a topic name/", .partition = -1, .value = "v", .value_len = 1, .tag = 7};
    struct bus_position position = {.partition = 0, .seq = 1};
    struct baton_error err = {0};
    int32_t partitions[2] = {0};
    size_t created = 9;
    int culprit = -1;
    enum baton_err rc = BATON_OK;

    (void)state;
    world_make(&world, "topics");
    names[0] = world.in;
    MUST(kafka_topics_create(&options, &spec, 1, &created, &must));
    assert_int_equal(created, 0);
    MUST(kafka_topics_describe(&options, names, 2, partitions, NULL, &must));
    assert_true(partitions[0] == 2 && partitions[1] == -1);
    spec = (struct kafka_topic_spec){.name = "refused", .partitions = 1, .replication = 1, .config = &retention, .config_len = 1};
    assert_int_equal(kafka_topics_create(&options, &spec, 1, &created, &err), BATON_E_INVALID);
    spec = (struct kafka_topic_spec){.name = "refused", .partitions = 1, .replication = 9};
    assert_int_equal(kafka_topics_create(&options, &spec, 1, &created, &err), BATON_E_INVALID);
    assert_non_null(strstr(err.text, "\"refused\""));

    /* and what cannot be one is poison, with its tag */
    MUST(kafka_bus_open(&world.options[0], &a, &must));
    await_event(&a, NULL, BUS_ASSIGNED, 2);
    a.snapshot(a.self);
    MUST(a.begin(a.self, &must));
    rc = a.produce(a.self, &record, &err);
    if (rc == BATON_OK)
        rc = a.commit(a.self, &position, 1, &culprit, &err);
    else
        culprit = record.tag; /* it knew at once */
    assert_int_equal(rc, BATON_E_POISON);
    assert_int_equal(culprit, 7);
    MUST(a.abort(a.self, &must));
    MUST(commit_one(&a, world.journal, 5, NULL, &must));
    a.close(a.self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {.name = "a snapshot of before a rebalance commits nothing", .test_func = a_stale_generation_is_refused},
        {.name = "a second holder of a transactional id fences the first", .test_func = a_second_holder_of_the_id_fences_the_first},
        {.name = "committed offsets carry seq and checkpoint, partition by partition", .test_func = committed_offsets_carry_seq_and_checkpoint},
        {.name = "offsets of a predecessor's open transaction are not told yet", .test_func = undecided_offsets_are_not_told},
        {.name = "readers stop at the last stable offset, watermarks do not", .test_func = readers_stop_at_the_last_stable_offset},
        {.name = "nothing fetched before a seek or a pause is delivered", .test_func = nothing_fetched_before_is_delivered},
        {.name = "topics are created once; what cannot be one is poison", .test_func = topics_are_created_once},
    };

    common[0] = (struct kafka_property){"bootstrap.servers", getenv("BATON_BROKERS")};
    if (common[0].value == NULL) {
        print_error("BATON_BROKERS is not set: run scripts/test, which starts Kafka\n");
        return 1;
    }
    return _cmocka_run_group_tests("group", tests, COUNT(tests), NULL, NULL);
}

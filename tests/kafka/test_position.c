/*
 * test_position.c -- a member's position is the one it was told, even if the broker's first answer about the partition is an error.
 *
 * Then librdkafka asks again half a second later where the logical end is with which the partition was assigned, and moves the position
 * there, over the seek: what came in meanwhile must not be skipped. On the mock cluster, which answers as it is told.
 */
#include <baton/kafka.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#define WAIT_MS 15000
#define LIST_OFFSETS 2 /* Kafka's number of the request */
#define BROKER 1
#define ANSWER_AFTER_MS 300
#define RECORDS 40 /* two seconds of them: before, while and after it asks again */
#define PACE_MS 50

static rd_kafka_t *host; /* the mock cluster lives in it */
static rd_kafka_mock_cluster_t *cluster;

static int open_cluster(void **state)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    (void)state;
    host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, NULL, 0);
    cluster = rd_kafka_mock_cluster_new(host, 1);
    return rd_kafka_mock_topic_create(cluster, "in", 1, 1) == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : -1;
}

static int close_cluster(void **state)
{
    (void)state;
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(host);
    return 0;
}

static int64_t clock_ms(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void await_assignment(const struct bus *bus)
{
    int64_t until = clock_ms() + WAIT_MS;
    struct baton_error err = {0};
    struct bus_poll poll = {.kind = BUS_IDLE};

    while (poll.kind != BUS_ASSIGNED) {
        assert_int_equal(bus->poll(bus->self, 100, &poll, &err), BATON_OK);
        assert_true(clock_ms() < until);
    }
}

static void send_one(struct kafka_sender *sender, int number)
{
    char value = (char)('a' + number % 26);
    const struct bus_record record = {.topic = "in", .partition = 0, .key = "k", .key_len = 1, .value = &value, .value_len = 1};
    struct baton_error err = {0};

    assert_int_equal(kafka_sender_send(sender, &record, NULL, NULL, &err), BATON_OK);
}

static void an_error_about_the_end_skips_nothing(void **state)
{
    const struct kafka_property common[] = {{"bootstrap.servers", rd_kafka_mock_cluster_bootstraps(cluster)}};
    const struct bus_input inputs[] = {{"in", INPUT_START, NULL}};
    const struct kafka_bus_options options = {.kafka = {.common = common, .common_len = 1}, .group_id = "g", .transactional_id = "t",
                                              .producers = 1, .inputs = inputs, .inputs_len = 1, .mock = true};
    const int64_t beginning[BUS_INPUTS_MAX] = {0};
    struct kafka_sender *sender = NULL;
    struct bus bus = {0};
    struct bus_poll poll;
    struct baton_error err = {0};
    int sent = 0, read = 0;

    (void)state;
    assert_int_equal(kafka_sender_open(&options.kafka, &sender, &err), BATON_OK);
    assert_int_equal(rd_kafka_mock_broker_push_request_error_rtts(cluster, BROKER, LIST_OFFSETS, 1,
                                                                  RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, ANSWER_AFTER_MS), 0);
    assert_int_equal(kafka_bus_open(&options, &bus, &err), BATON_OK);
    await_assignment(&bus);
    assert_int_equal(bus.seek(bus.self, 0, beginning, &err), BATON_OK);
    assert_int_equal(bus.resume(bus.self, 0, &err), BATON_OK);
    while (read < RECORDS) {
        if (sent < RECORDS)
            send_one(sender, sent++);
        assert_int_equal(bus.poll(bus.self, sent < RECORDS ? PACE_MS : WAIT_MS, &poll, &err), BATON_OK);
        if (poll.kind == BUS_IDLE && sent == RECORDS)
            fail_msg("record %d never came", read);
        if (poll.kind == BUS_MESSAGE) {
            assert_int_equal(poll.message.offset, read++);
            bus.release(bus.self, &poll.message);
        }
    }
    bus.close(bus.self);
    kafka_sender_close(sender);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(an_error_about_the_end_skips_nothing, open_cluster, close_cluster)};

    return cmocka_run_group_tests_name("kafka.position", tests, NULL, NULL);
}

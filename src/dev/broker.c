/*
 * broker.c -- librdkafka's mock cluster as a broker for every client of this machine.
 *
 * Owns:     the cluster and the handle that it lives in.
 * Never:    a promise: it has no isolation and forgets transactional offsets.
 * Tests:    tests/dev/test_dev.py
 */
#include <baton/dev.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BROKERS 1
#define REPLICATION 1
#define KNOCK_NS 2000000
#define FD_MAX 1024 /* where the listener is looked for: it was opened just now */

struct dev_broker {
    rd_kafka_t *handle; /* the cluster runs in its thread */
    rd_kafka_mock_cluster_t *cluster;
};

/* The handle is no client of anything: what it says of missing brokers means nothing. */
static void on_log(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
    (void)handle;
    (void)level;
    (void)facility;
    (void)text;
}

static int port_of(const char *address)
{
    const char *colon = strrchr(address, ':');

    return colon != NULL ? (int)strtol(colon + 1, NULL, 10) : 0;
}

/* The cluster leaves Nagle's algorithm on, so every answer waits 40 ms for the acknowledgement of the last (500 ms a hop of a saga
 * instead of 20: measured). What it accepts inherits the listener's setting; it has no call for it, so the listener is found by its port. */
static void answer_at_once(const char *address)
{
    int port = port_of(address), one = 1;

    for (int fd = 0; fd < FD_MAX; fd++) {
        struct sockaddr_in own = {0};
        socklen_t len = sizeof own;
        int listens = 0;

        if (getsockname(fd, (struct sockaddr *)&own, &len) != 0 || own.sin_family != AF_INET || ntohs(own.sin_port) != port)
            continue;
        len = sizeof listens;
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens != 0)
            (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
}

enum baton_err dev_broker_open(struct dev_broker **ret_broker, struct baton_error *err)
{
    struct dev_broker *broker = calloc(1, sizeof *broker);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[256] = "";
    enum baton_err rc = BATON_OK;

    rd_kafka_conf_set_log_cb(conf, on_log);
    if (broker == NULL) {
        rd_kafka_conf_destroy(conf);
        return baton_fail(err, BATON_E_NOMEM, "out of memory for the mock broker");
    }
    broker->handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (broker->handle == NULL) {
        rd_kafka_conf_destroy(conf);
        rc = baton_fail(err, BATON_E_FATAL, "mock broker: %s", text);
    } else if ((broker->cluster = rd_kafka_mock_cluster_new(broker->handle, BROKERS)) == NULL) {
        rc = baton_fail(err, BATON_E_FATAL, "mock broker: no loopback port can be opened");
    }
    if (rc != BATON_OK) {
        dev_broker_close(broker);
        return rc;
    }
    answer_at_once(dev_broker_address(broker));
    *ret_broker = broker;
    return BATON_OK;
}

const char *dev_broker_address(const struct dev_broker *broker)
{
    return rd_kafka_mock_cluster_bootstraps(broker->cluster);
}

/* --- calls into the cluster --- */

/* The cluster's thread looks for calls when a socket wakes it, and else once a second (an idle one took 3 s to create 13 topics: measured).
 * So somebody knocks while a call is under way. */
struct knocking {
    int port;
    atomic_bool enough;
    bool started;
    pthread_t thread;
};

static void *knock(void *argument)
{
    struct knocking *knocking = argument;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)knocking->port)};

    while (!atomic_load(&knocking->enough)) {
        struct timespec step = {.tv_nsec = KNOCK_NS};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd >= 0) {
            (void)connect(fd, (struct sockaddr *)&address, sizeof address);
            (void)close(fd);
        }
        (void)nanosleep(&step, NULL);
    }
    return NULL;
}

static void knock_begin(struct knocking *knocking, const struct dev_broker *broker)
{
    *knocking = (struct knocking){.port = port_of(dev_broker_address(broker))};
    knocking->started = pthread_create(&knocking->thread, NULL, knock, knocking) == 0;
}

static void knock_end(struct knocking *knocking)
{
    atomic_store(&knocking->enough, true);
    if (knocking->started)
        (void)pthread_join(knocking->thread, NULL);
}

enum baton_err dev_broker_topic(struct dev_broker *broker, const char *name, int32_t partitions, bool *ret_created,
                                struct baton_error *err)
{
    struct knocking knocking;
    rd_kafka_resp_err_t code;

    knock_begin(&knocking, broker);
    code = rd_kafka_mock_topic_create(broker->cluster, name, partitions, REPLICATION);
    knock_end(&knocking);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        return baton_fail(err, BATON_E_INVALID, "topic \"%s\": %s", name, rd_kafka_err2str(code));
    *ret_created = code == RD_KAFKA_RESP_ERR_NO_ERROR;
    return BATON_OK;
}

void dev_broker_close(struct dev_broker *broker)
{
    struct knocking knocking;

    if (broker == NULL)
        return;
    if (broker->cluster != NULL) {
        knock_begin(&knocking, broker);
        rd_kafka_mock_cluster_destroy(broker->cluster);
        knock_end(&knocking);
    }
    if (broker->handle != NULL)
        rd_kafka_destroy(broker->handle);
    free(broker);
}

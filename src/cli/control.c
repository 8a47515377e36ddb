/*
 * control.c -- asking something of a saga through the control topic, and waiting for what became of it.
 *
 * Owns:     one sender; one reader for each partition of the events topic that answers are awaited on.
 * Rule:     a reader stands at the end before the message is sent, so that no answer is missed; it reads committed records only, so that
 *           an answer has happened.
 * Tests:    tests/integration/test_verbs.py
 */
#include "cli.h"
#include <baton/json.h>
#include <baton/wire.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define READ_WAIT_MS 100

struct control {
    struct cli *cli;
    struct kafka_sender *sender;
    int32_t partitions;        /* of the events topic */
    struct kafka_tail **tails; /* by partition; NULL = not open */
};

enum baton_err control_open(struct cli *cli, struct control **ret_control, struct baton_error *err)
{
    const struct config_topics *topics = config_topics(cli->config);
    const char *const names[] = {topics->control, topics->events};
    int32_t partitions[2] = {0};
    struct control *control = NULL;
    enum baton_err rc = kafka_topics_describe(&cli->kafka, names, 2, partitions, NULL, err);

    for (int i = 0; i < 2 && rc == BATON_OK; i++) {
        if (partitions[i] < 1)
            rc = baton_fail(err, BATON_E_NOT_FOUND, "topic %s does not exist: no worker has run here yet, or topics.prefix is another", names[i]);
    }
    if (rc != BATON_OK)
        return rc;
    control = calloc(1, sizeof *control);
    if (control != NULL)
        control->tails = calloc((size_t)partitions[1], sizeof *control->tails);
    if (control == NULL || control->tails == NULL) {
        free(control);
        return baton_fail(err, BATON_E_NOMEM, "out of memory");
    }
    control->cli = cli;
    control->partitions = partitions[1];
    rc = kafka_sender_open(&cli->kafka, &control->sender, err);
    if (rc == BATON_OK)
        *ret_control = control;
    else
        control_close(control);
    return rc;
}

void control_close(struct control *control)
{
    if (control == NULL)
        return;
    for (int32_t p = 0; p < control->partitions; p++)
        kafka_tail_close(control->tails[p]);
    kafka_sender_close(control->sender);
    free(control->tails);
    free(control);
}

static enum baton_err send_message(struct control *control, const char *id, const char *tag, const json_t *message, struct baton_error *err)
{
    const struct config_topics *topics = config_topics(control->cli->config);
    const struct bus_header headers[] = {{"ce_id", tag, strlen(tag)},
                                         {"kafka_replyTopic", topics->events, strlen(topics->events)},
                                         {"content-type", "application/json", 16}};
    struct buffer text = {0};
    struct bus_record record = {.topic = topics->control, .partition = -1, .key = id, .key_len = strlen(id), .headers = headers, .headers_len = 3};
    enum baton_err rc = BATON_OK;

    json_write(&text, message);
    record.value = text.data;
    record.value_len = text.len;
    rc = text.failed ? baton_fail(err, BATON_E_NOMEM, "out of memory") : kafka_sender_send(control->sender, &record, NULL, NULL, err);
    buffer_free(&text);
    return rc;
}

static bool is_answer(const struct bus_message *message, const char *tag)
{
    const struct bus_header *type = wire_header(message, "ce_type"), *correlation = wire_header(message, "kafka_correlationId");

    return type != NULL && type->len > strlen("baton.control.") && memcmp(type->value, "baton.control.", strlen("baton.control.")) == 0 &&
           correlation != NULL && correlation->len == strlen(tag) && memcmp(correlation->value, tag, correlation->len) == 0;
}

static enum baton_err await_answer(struct kafka_tail *tail, const char *tag, int64_t seconds, json_t **ret_answer, struct baton_error *err)
{
    struct timespec start, now;

    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        struct bus_message message;
        enum baton_err rc = kafka_tail_next(tail, READ_WAIT_MS, &message, err);

        if (rc == BATON_OK) {
            bool found = is_answer(&message, tag);

            if (found)
                rc = json_parse(message.value, message.value_len, &json_default_limits, ret_answer, err);
            kafka_tail_release(tail, &message);
            if (found)
                return rc;
        } else if (rc != BATON_E_RETRY && rc != BATON_E_NOT_FOUND) {
            return rc;
        }
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec - start.tv_sec < seconds);
    return baton_fail(err, BATON_E_STALE, "no answer within %" PRId64 " s: does a worker run? What was asked stands, a worker will see to it", seconds);
}

enum baton_err control_ask(struct control *control, const char *id, const json_t *message, int64_t seconds, json_t **ret_answer,
                           struct baton_error *err)
{
    struct kafka_tail **tail = &control->tails[wire_partition_of(id, strlen(id), control->partitions)];
    uint64_t random[2] = {0};
    char tag[33];
    enum baton_err rc = BATON_OK;

    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return baton_fail(err, BATON_E_FATAL, "the system gives no random bytes");
    (void)snprintf(tag, sizeof tag, "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
    if (*tail == NULL)
        rc = kafka_tail_open(&control->cli->kafka, config_topics(control->cli->config)->events,
                             wire_partition_of(id, strlen(id), control->partitions), -1, tail, err);
    if (rc == BATON_OK)
        rc = send_message(control, id, tag, message, err);
    return rc == BATON_OK ? await_answer(*tail, tag, seconds, ret_answer, err) : rc;
}

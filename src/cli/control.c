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
    int32_t control_partitions;
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
    control->control_partitions = partitions[0];
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

int32_t control_partitions(const struct control *control)
{
    return control->control_partitions;
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

/* What the tail has next: the answer to one of these that has none yet, or nothing. */
static enum baton_err read_one(struct kafka_tail *tail, int wait_ms, struct control_question *questions, size_t n, size_t *ret_answered, struct baton_error *err)
{
    struct bus_message message;
    enum baton_err rc = kafka_tail_next(tail, wait_ms, &message, err);

    if (rc == BATON_E_RETRY || rc == BATON_E_NOT_FOUND)
        return BATON_OK;
    if (rc != BATON_OK)
        return rc;
    for (size_t i = 0; i < n && rc == BATON_OK; i++) {
        if (questions[i].answer != NULL || !is_answer(&message, questions[i].tag))
            continue;
        rc = json_parse(message.value, message.value_len, &json_default_limits, &questions[i].answer, err);
        *ret_answered += rc == BATON_OK;
        break;
    }
    kafka_tail_release(tail, &message);
    return rc;
}

static int64_t seconds_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static enum baton_err await_answers(struct control *control, struct control_question *questions, size_t n, int64_t seconds, struct baton_error *err)
{
    int64_t until = seconds_now() + seconds;
    size_t answered = 0;

    while (answered < n && seconds_now() <= until) {
        for (size_t i = 0; i < n; i++) {
            struct kafka_tail *tail = control->tails[wire_partition_of(questions[i].id, strlen(questions[i].id), control->partitions)];
            enum baton_err rc = questions[i].answer != NULL ? BATON_OK : read_one(tail, READ_WAIT_MS / (int)n + 1, questions, n, &answered, err);

            if (rc != BATON_OK)
                return rc;
        }
    }
    return answered == n ? BATON_OK
                         : baton_fail(err, BATON_E_STALE, "no answer within %" PRId64 " s: does a worker run? What was asked stands, a worker will see to it", seconds);
}

enum baton_err control_ask(struct control *control, struct control_question *questions, size_t n, const json_t *message, int64_t seconds,
                           struct baton_error *err)
{
    enum baton_err rc = BATON_OK;

    for (size_t i = 0; i < n && rc == BATON_OK; i++) {
        int32_t partition = wire_partition_of(questions[i].id, strlen(questions[i].id), control->partitions);

        uint64_t random[2] = {0};

        if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
            return baton_fail(err, BATON_E_FATAL, "the system gives no random bytes");
        (void)snprintf(questions[i].tag, sizeof questions[i].tag, "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
        if (control->tails[partition] == NULL)
            rc = kafka_tail_open(&control->cli->kafka, config_topics(control->cli->config)->events, partition, -1, &control->tails[partition], err);
    }
    for (size_t i = 0; i < n && rc == BATON_OK; i++)
        rc = send_message(control, questions[i].id, questions[i].tag, message, err);
    return rc == BATON_OK ? await_answers(control, questions, n, seconds, err) : rc;
}

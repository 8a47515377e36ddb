/*
 * orders.c -- a customer: places orders, waits for what it is told, then asks the ledger whether that is true.
 *
 * Owns:     the run from the first start command to the report.
 * Tests:    tests/dev/test_dev.py
 */
#include "dev_internal.h"
#include <baton/json.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define POLL_MS 20
#define END_PATIENCE_MS 60000   /* without one saga ending */
#define DRAIN_PATIENCE_MS 10000 /* for answers still held back when all sagas have ended */

struct order {
    struct order_plan plan;
    int64_t started_ms, took_ms;
    enum told told;
    UT_hash_handle hh;
};

struct run {
    const struct dev_orders_options *options;
    rd_kafka_t *producer, *consumer;
    struct order *orders; /* count of them */
    struct order *by_id;
    int started, ended;
    int by_told[TOLD_COUNT];
    int64_t begun_ms, progress_ms;
    struct talk talk;
};

static bool stopped(const struct run *run)
{
    return run->options->stop != NULL && run->options->stop(run->options->stop_context);
}

/* --- starting --- */

static enum baton_err place(struct run *run, struct order *order, const struct buffer *input, struct baton_error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_producev(
        run->producer, RD_KAFKA_V_TOPIC(run->options->start_topic), RD_KAFKA_V_KEY(order->plan.id, strlen(order->plan.id)),
        RD_KAFKA_V_VALUE(input->data, input->len), RD_KAFKA_V_HEADER("saga-type", order->plan.example->name, -1),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);

    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return baton_fail(err, BATON_E_RETRY, "cannot place order %s: %s", order->plan.id, rd_kafka_err2str(code));
    order->started_ms = client_now_ms();
    return BATON_OK;
}

/* As many as the rate allows by now. */
static enum baton_err place_due(struct run *run, struct baton_error *err)
{
    const struct dev_orders_options *options = run->options;
    int64_t now = client_now_ms();
    int64_t due = options->rate == 0 ? options->count : 1 + (now - run->begun_ms) * options->rate / 1000;
    struct buffer input = {0};
    enum baton_err rc = BATON_OK;

    while (rc == BATON_OK && run->started < options->count && run->started < due) {
        struct order *order = &run->orders[run->started];

        buffer_clear(&input);
        order_plan(options->seed, run->started, &order->plan, &input);
        if (input.failed) {
            rc = baton_fail(err, BATON_E_NOMEM, "out of memory for an order");
            break;
        }
        HASH_ADD(hh, run->by_id, plan.id, strlen(order->plan.id), order);
        rc = place(run, order, &input, err);
        run->started++;
        run->progress_ms = now;
    }
    buffer_free(&input);
    (void)rd_kafka_poll(run->producer, 0);
    return rc;
}

/* --- being told --- */

static enum told told_of(const char *status)
{
    for (int i = TOLD_COMPLETED; i < TOLD_OTHER; i++) {
        if (strcmp(status, told_name((enum told)i)) == 0)
            return (enum told)i;
    }
    return TOLD_OTHER;
}

static void take_end(struct run *run, struct order *order, enum told told)
{
    int64_t now = client_now_ms();
    struct ledger_saga saga;

    if (order->told != TOLD_NOTHING && order->told != TOLD_PARKED)
        return; /* told again: the first holds */
    if (order->told == TOLD_PARKED) {
        run->by_told[TOLD_PARKED]--;
        run->ended--;
    }
    order->told = told;
    order->took_ms = now - order->started_ms;
    run->by_told[told]++;
    run->ended++;
    run->progress_ms = now;
    if (told == TOLD_COMPENSATED && ledger_saga(run->options->ledger, order->plan.id, &saga))
        talk_compensated(&run->talk, &order->plan, &saga, order->took_ms);
}

static void take_message(struct run *run, const rd_kafka_message_t *message)
{
    struct order *order = NULL;
    json_t *doc = NULL;
    const char *status = NULL;

    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR || message->key == NULL)
        return;
    HASH_FIND(hh, run->by_id, message->key, message->key_len, order);
    if (order == NULL || json_parse(message->payload, message->len, &json_default_limits, &doc, NULL) != BATON_OK)
        return; /* somebody else's saga */
    status = json_string_value(json_object_get(doc, "status"));
    if (status != NULL)
        take_end(run, order, told_of(status));
    json_decref(doc);
}

static enum baton_err await_ends(struct run *run, struct baton_error *err)
{
    const struct dev_orders_options *options = run->options;
    enum baton_err rc = BATON_OK;

    run->begun_ms = run->progress_ms = client_now_ms();
    while (rc == BATON_OK && run->ended < options->count) {
        rd_kafka_message_t *message = NULL;

        if (stopped(run))
            return baton_fail(err, BATON_E_STALE, "stopped: %d of %d orders had ended, and none was checked", run->ended, options->count);
        rc = place_due(run, err);
        message = rd_kafka_consumer_poll(run->consumer, run->started < options->count ? 1 : POLL_MS);
        if (message != NULL) {
            take_message(run, message);
            rd_kafka_message_destroy(message);
        }
        talk_bar(&run->talk, run->ended, options->count, run->by_told, false);
        if (client_now_ms() - run->progress_ms > END_PATIENCE_MS)
            break; /* the check names those that have not ended */
    }
    return rc;
}

/* Late answers may still make, or unmake, an effect. */
static void drain(struct run *run)
{
    int64_t until = client_now_ms() + DRAIN_PATIENCE_MS;

    while (dev_participants_pending(run->options->participants) > 0 && client_now_ms() < until && !stopped(run)) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(run->consumer, POLL_MS);

        if (message != NULL)
            rd_kafka_message_destroy(message);
    }
}

/* --- the report --- */

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static json_t *latencies(const struct run *run, enum told told)
{
    int64_t *took = calloc((size_t)run->options->count + 1, sizeof *took);
    size_t n = 0;
    json_t *row = NULL;

    for (int i = 0; took != NULL && i < run->started; i++) {
        if (run->orders[i].told == told)
            took[n++] = run->orders[i].took_ms;
    }
    if (n > 0) {
        qsort(took, n, sizeof *took, by_size);
        row = json_pack("{s:I, s:I, s:I, s:I}", "p50", (json_int_t)took[n / 2], "p90", (json_int_t)took[n * 9 / 10], "p99",
                        (json_int_t)took[n * 99 / 100], "max", (json_int_t)took[n - 1]);
    }
    free(took);
    return row;
}

static json_t *check_all(struct run *run)
{
    json_t *all = json_array();
    struct buffer text = {0};

    for (int i = 0; i < run->options->count; i++) {
        struct ledger_saga saga;
        bool known = i < run->started && ledger_saga(run->options->ledger, run->orders[i].plan.id, &saga);
        const char *why = check_saga(&run->orders[i].plan, run->orders[i].told, known ? &saga : NULL, &text);

        if (why != NULL)
            (void)json_array_append_new(all, json_pack("{s:s, s:s, s:s}", "id", run->orders[i].plan.id, "told",
                                                       told_name(run->orders[i].told), "why", why));
    }
    if (!ledger_whole(run->options->ledger))
        (void)json_array_append_new(all, json_pack("{s:s, s:s, s:s}", "id", "-", "told", "-", "why", "memory ran out for the ledger"));
    buffer_free(&text);
    return all;
}

static json_t *report_of(struct run *run, int64_t took_ms)
{
    struct ledger_sums sums;
    json_t *wrong = check_all(run), *outcomes = json_object(), *latency = json_object(), *faults = json_object();

    ledger_sums(run->options->ledger, &sums);
    run->by_told[TOLD_NOTHING] = run->options->count - run->ended;
    for (int i = 0; i < TOLD_OTHER; i++) {
        json_t *row = latencies(run, (enum told)i);

        (void)json_object_set_new(outcomes, told_name((enum told)i), json_integer(run->by_told[i]));
        if (row != NULL && i != TOLD_NOTHING)
            (void)json_object_set_new(latency, told_name((enum told)i), json_incref(row));
        json_decref(row);
    }
    for (int i = 0; i < FAULT_COUNT; i++)
        (void)json_object_set_new(faults, ledger_fault_name((enum ledger_fault)i), json_integer(sums.faults[i]));
    return json_pack("{s:I, s:i, s:I, s:o, s:o, s:o, s:{s:I, s:I}, s:{s:I, s:I, s:I, s:I, s:I}, s:o, s:b}", "seed",
                     (json_int_t)run->options->seed, "orders", run->options->count, "tookMs", (json_int_t)took_ms, "outcomes", outcomes,
                     "latencyMs", latency, "faults", faults, "commands", "execute", (json_int_t)sums.asked[0], "compensate",
                     (json_int_t)sums.asked[1], "effects", "applied", (json_int_t)sums.applied, "undone", (json_int_t)sums.undone,
                     "standing", (json_int_t)(sums.applied - sums.undone), "barred", (json_int_t)sums.barred, "turnedAway",
                     (json_int_t)sums.turned_away, "wrong", wrong, "right", json_array_size(wrong) == 0);
}

enum baton_err dev_orders_run(const struct dev_orders_options *options, json_t **ret_report, struct baton_error *err)
{
    struct run run = {.options = options, .talk = {.out = options->talk, .terminal = options->terminal, .color = options->color}};
    const char *const topics[] = {options->results_topic, options->events_topic};
    enum baton_err rc = BATON_OK;

    run.orders = calloc((size_t)options->count, sizeof *run.orders);
    if (run.orders == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory for %d orders", options->count);
    rc = client_producer(options->brokers, options->start_topic, &run.producer, err);
    if (rc == BATON_OK)
        rc = client_consumer(options->brokers, topics, sizeof topics / sizeof *topics, options->partitions, &run.consumer, err);
    if (rc == BATON_OK)
        rc = await_ends(&run, err);
    if (rc == BATON_OK) {
        int64_t took_ms = client_now_ms() - run.begun_ms;

        drain(&run);
        *ret_report = report_of(&run, took_ms);
        rc = *ret_report != NULL ? BATON_OK : baton_fail(err, BATON_E_NOMEM, "out of memory for the report");
    }
    talk_end(&run.talk);
    HASH_CLEAR(hh, run.by_id);
    client_close(run.consumer);
    client_close(run.producer);
    free(run.orders);
    return rc;
}

/*
 * measure.c -- nanoseconds a call of the writers and readers that run at every step. Build with -O2; not a test.
 */
#include "support.h"
#include <time.h>

#define CALLS 200000
#define READS 20000

static double now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void report(const char *what, double started_ns, int calls, size_t bytes)
{
    printf("%-36s %8.0f ns %6zu bytes\n", what, (now_ns() - started_ns) / calls, bytes);
}

static void measure_writers(struct saga *saga)
{
    static const struct wire_names names = {.replies = "baton.replies", .command_prefix = "", .source_prefix = ""};
    static const struct journal_cause cause = {"baton.replies", 3, 344};
    struct effect effect = {.kind = EFFECT_COMMAND,
                            .place = AT(1),
                            .attempt = 1,
                            .service = "payments",
                            .command = "Authorize",
                            .input = saga->input,
                            .expires_at_ms = 1769860810000};
    struct effects effects = {.items = &effect, .len = 1, .disposition = APPLIED};
    struct saga_event event = {
        .kind = EVENT_REPLY, .at_ms = saga->updated_at_ms, .place = AT(0), .attempt = 1, .body = saga->steps[0].output};
    struct wire_out out = {.text = {0}};
    struct buffer text = {0};
    struct journal_writer writer = {.count = 0};
    double started = now_ns();

    for (int i = 0; i < CALLS; i++)
        (void)wire_command_write(saga, &effect, 1769860800120 + i, &names, &out, NULL);
    report("wire_command_write", started, CALLS, out.text.len + out.value.len);
    started = now_ns();
    for (int i = 0; i < CALLS; i++) {
        buffer_clear(&text);
        wire_state_write(&text, saga);
    }
    report("wire_state_write", started, CALLS, text.len);
    started = now_ns();
    for (int i = 0; i < CALLS; i++) {
        buffer_clear(&text);
        wire_patch_write(&text, saga);
    }
    report("wire_patch_write", started, CALLS, text.len);
    started = now_ns();
    for (int i = 0; i < CALLS; i++) {
        journal_writer_clear(&writer);
        journal_writer_step(&writer, saga, &event, &cause, &effects);
    }
    report("journal_writer_step", started, CALLS, writer.steps.len);
    started = now_ns();
    for (int i = 0; i < CALLS; i++)
        (void)wire_result_write(saga, EFFECT_RESULT, 1769860800120, "baton.results", NULL, &out, NULL);
    report("wire_result_write", started, CALLS, out.text.len + out.value.len);
    wire_out_free(&out);
    buffer_free(&text);
    journal_writer_free(&writer);
}

static void measure_readers(struct saga *saga)
{
    struct given start_given, reply_given;
    enum dlq_reason reason;
    struct buffer text = {0};
    json_t *doc;
    double started;

    given_message(&start_given, "o-1001", NULL, "{\"total\":19.99,\"items\":[{\"sku\":\"A-1\",\"count\":2}]}");
    given_message(&reply_given, "o-1001", "kafka_correlationId: o-1001/reserve/x/1", "{\"reservation\":\"r-17\"}");
    started = now_ns();
    for (int i = 0; i < CALLS; i++) {
        struct wire_start start;

        if (wire_start_read(&start_given.message, "order", &json_default_limits, &start, &reason, NULL) == BATON_OK)
            wire_start_clear(&start);
    }
    report("wire_start_read", started, CALLS, start_given.message.value_len);
    started = now_ns();
    for (int i = 0; i < CALLS; i++) {
        struct wire_message_id id;

        (void)wire_reply_id(&reply_given.message, NULL, &id, &reason, NULL);
    }
    report("wire_reply_id", started, CALLS, 0);
    started = now_ns();
    for (int i = 0; i < CALLS; i++) {
        struct wire_reply reply;

        if (wire_reply_read(&reply_given.message, &json_default_limits, false, &reply, &reason, NULL) == BATON_OK)
            wire_reply_clear(&reply);
    }
    report("wire_reply_read", started, CALLS, reply_given.message.value_len);
    wire_state_write(&text, saga);
    started = now_ns();
    for (int i = 0; i < READS; i++) {
        struct saga *again = NULL;

        if (json_parse(text.data, text.len, &wire_own_limits, &doc, NULL) == BATON_OK) {
            (void)wire_state_read(doc, &order_definition, &again, NULL);
            json_decref(doc);
            saga_free(again);
        }
    }
    report("json_parse and wire_state_read", started, READS, text.len);
    buffer_free(&text);
    given_clear(&start_given);
    given_clear(&reply_given);
}

int main(void)
{
    struct saga *saga = order_saga();

    saga->steps[0].changed = saga->steps[1].changed = true;
    saga->history_new = 2;
    measure_writers(saga);
    measure_readers(saga);
    saga_free(saga);
    return 0;
}

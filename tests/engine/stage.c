/*
 * stage.c -- workers, participants and waiting over the world in memory.
 */
#include "stage.h"
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#define LOG_TAIL 2500 /* bytes of the log that a failure shows */
#define START_MS INT64_C(1769860800000) /* 2026-01-31T12:00:00Z */

/* a and b can be undone; c is the last. A large `pad` makes b's command large. */
static const char order_definition[] =
    "{\"name\":\"order\",\"version\":1,\"timeout\":\"1h\",\"defaults\":{\"timeout\":\"60s\",\"retry\":{\"attempts\":2,\"interval\":\"30s\","
    "\"jitter\":0}},\"input\":{\"schema\":{\"properties\":{\"pad\":{\"type\":\"string\"}}}},\"steps\":["
    "{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\",\"compensation\":{\"command\":\"UndoA\",\"retry\":{\"attempts\":2}}},"
    "{\"name\":\"b\",\"service\":\"s\",\"command\":\"B\",\"input\":{\"pad\":\"${input.pad}\"},\"compensation\":{\"command\":\"UndoB\"}},"
    "{\"name\":\"c\",\"service\":\"s\",\"command\":\"C\"}],\"output\":{\"c\":\"${steps.c.output}\"}}";

static const struct bus_input inputs[] = {
    {ORDERS, INPUT_START, "order"},
    {REPLIES, INPUT_REPLIES, NULL},
    {CONTROL, INPUT_CONTROL, NULL},
};
#define INPUTS (sizeof inputs / sizeof *inputs)

int64_t stage_now(struct stage *stage)
{
    return START_MS + memory_world_real_ms() + stage->jumped_ms;
}

static int64_t world_now(void *context)
{
    return stage_now(context);
}

void stage_jump(struct stage *stage, int64_t ms)
{
    (void)pthread_mutex_lock(&stage->world.lock);
    stage->jumped_ms += ms;
    memory_world_changed(&stage->world);
    (void)pthread_mutex_unlock(&stage->world.lock);
}

struct stage *stage_begin(const struct stage_setup *setup)
{
    static const char *const keyed[] = {ORDERS, REPLIES, CONTROL, JOURNAL, STATES, RESULTS, EVENTS, COMMANDS, OTHER_COMMANDS};
    struct stage *stage = calloc(1, sizeof *stage);
    struct stage_setup *given = NULL;

    assert_non_null(stage);
    memory_world_init(&stage->world);
    stage->world.context = stage;
    stage->world.now_ms = world_now;
    given = &stage->setup;
    if (setup != NULL)
        *given = *setup;
    given->partitions = given->partitions == 0 ? 2 : given->partitions;
    given->threads = given->threads == 0 ? 1 : given->threads;
    given->view_lag_ms = given->view_lag_ms == 0 ? 1 : given->view_lag_ms;
    given->batch_max_count = given->batch_max_count == 0 ? 50 : given->batch_max_count;
    given->cache_bytes = given->cache_bytes == 0 ? 64u << 20 : given->cache_bytes;
    given->max_record_bytes = given->max_record_bytes == 0 ? 4 << 20 : given->max_record_bytes;
    stage->kafka = memory_kafka_new(&stage->world);
    stage->view = memory_view_new(&stage->world, given->partitions);
    for (size_t i = 0; i < sizeof keyed / sizeof *keyed; i++)
        memory_kafka_create(stage->kafka, keyed[i], given->partitions);
    memory_kafka_create(stage->kafka, DEFINITIONS, 1);
    memory_kafka_create(stage->kafka, LETTERS, 1);
    stage->logger = (struct logger){.level = LOG_LEVEL_DEBUG, .fd = memfd_create("log", 0)};
    assert_true(stage->logger.fd >= 0);
    if (!given->no_definition)
        stage_deploy(stage, order_definition);
    return stage;
}

/* --- workers --- */

static enum baton_err open_bus(void *context, int thread, struct bus *ret_bus, struct baton_error *err)
{
    struct stage_worker *worker = context;
    char member[40];

    (void)snprintf(member, sizeof member, "%s.%d", worker->name, thread);
    return memory_bus_open(worker->stage->kafka, member, inputs, INPUTS, ret_bus, err);
}

static enum baton_err open_view(void *context, int thread, struct view *ret_view, struct baton_error *err)
{
    struct stage_worker *worker = context;

    (void)thread;
    return memory_view_open(worker->stage->view, ret_view, err);
}

static int64_t worker_now(void *context)
{
    struct stage_worker *worker = context;

    return stage_now(worker->stage);
}

/* Made where it is not yet there. */
static struct stage_worker *find_worker(struct stage *stage, const char *name)
{
    struct stage_worker *worker = NULL;

    for (size_t i = 0; i < stage->workers_len; i++) {
        if (strcmp(stage->workers[i].name, name) == 0)
            return &stage->workers[i];
    }
    assert_true(stage->workers_len < STAGE_WORKERS_MAX);
    worker = &stage->workers[stage->workers_len++];
    (void)snprintf(worker->name, sizeof worker->name, "%s", name);
    worker->stage = stage;
    worker->tail = (struct memory_tail){.kafka = stage->kafka, .topic = DEFINITIONS, .slow_until = INT64_MAX};
    return worker;
}

void stage_hold_definitions(struct stage *stage, const char *name, int64_t offset)
{
    struct stage_worker *worker = find_worker(stage, name);

    (void)pthread_mutex_lock(&stage->world.lock);
    worker->tail.slow_until = offset;
    memory_world_changed(&stage->world);
    (void)pthread_mutex_unlock(&stage->world.lock);
}

void stage_start(struct stage *stage, const char *name)
{
    struct stage_worker *worker = find_worker(stage, name);
    struct baton_error err = {0};

    assert_null(worker->worker);
    worker->tail.next = 0;
    worker->options = (struct worker_options){
        .threads = stage->setup.threads,
        .worker_name = worker->name,
        .inputs = inputs,
        .inputs_len = INPUTS,
        .partitions = stage->setup.partitions,
        .epoch = EPOCH,
        .journal_topic = JOURNAL,
        .state_topic = STATES,
        .results_topic = RESULTS,
        .events_topic = EVENTS,
        .dlq_topic = LETTERS,
        .replies_topic = REPLIES,
        .definitions_topic = DEFINITIONS,
        .command_prefix = "",
        .limits = {.batch_max_count = stage->setup.batch_max_count,
                   .batch_max_bytes = 4u << 20,
                   .batch_max_wait_ms = stage->setup.batch_max_wait_ms,
                   .view_lag_ms = stage->setup.view_lag_ms,
                   .retention_ms = 7 * DAY,
                   .cache_bytes = stage->setup.cache_bytes,
                   .max_message_bytes = 1 << 20,
                   .max_record_bytes = stage->setup.max_record_bytes,
                   .definition_wait_ms = 1000},
        .services = stage->setup.services,
        .services_len = stage->setup.services_len,
        .store = definition_store_new(),
        .feed = {.self = &worker->tail, .next = memory_tail_next, .release = memory_tail_release},
        .logger = &stage->logger,
        .now_ms = worker_now,
        .context = worker,
        .open_bus = open_bus,
        .open_view = open_view,
    };
    if (worker_start(&worker->options, &worker->worker, &err) != BATON_OK)
        fail_msg("%s", err.text);
}

static void end_worker(struct stage *stage, struct stage_worker *worker)
{
    if (worker->worker == NULL)
        return;
    worker_stop(worker->worker);
    UNTIL(stage, worker_wait(worker->worker, 0));
    assert_true(worker_healthy(worker->worker));
    worker_free(worker->worker);
    worker->worker = NULL;
    definition_store_free(worker->options.store);
}

void stage_stop(struct stage *stage, const char *name)
{
    end_worker(stage, find_worker(stage, name));
}

struct worker_stats stage_stats(struct stage *stage, const char *name)
{
    struct worker_stats stats = {0};
    struct stage_worker *worker = find_worker(stage, name);

    if (worker->worker != NULL)
        worker_stats(worker->worker, &stats);
    return stats;
}

bool stage_ready(struct stage *stage)
{
    int64_t ready = 0;

    for (size_t i = 0; i < stage->workers_len; i++)
        ready += stage_stats(stage, stage->workers[i].name).partitions_ready;
    return ready == stage->setup.partitions;
}

static char *whole_log(struct stage *stage)
{
    off_t len = lseek(stage->logger.fd, 0, SEEK_END);
    char *text = calloc(1, (size_t)len + 1);

    assert_non_null(text);
    (void)!pread(stage->logger.fd, text, (size_t)len, 0);
    return text;
}

bool stage_logged(struct stage *stage, const char *words)
{
    char *text = whole_log(stage);
    bool found = strstr(text, words) != NULL;

    free(text);
    return found;
}

void stage_drop(struct stage *stage)
{
    for (size_t i = 0; i < stage->workers_len; i++)
        end_worker(stage, &stage->workers[i]);
    memory_kafka_free(stage->kafka);
    memory_view_free(stage->view);
    memory_world_clear(&stage->world);
    (void)close(stage->logger.fd);
    free(stage);
}

/* Nothing is left on the inputs behind the journal's vectors. */
static bool all_read(struct stage *stage)
{
    for (int32_t p = 0; p < stage->setup.partitions; p++) {
        struct stage_position last = stage_journal(stage, p);

        for (size_t i = 0; i < INPUTS; i++) {
            struct bus_message message;

            if (!memory_kafka_read(stage->kafka, inputs[i].topic, p, &last.vector[i], &message))
                continue;
            memory_kafka_release(&message);
            return false;
        }
    }
    return true;
}

void stage_end(struct stage *stage)
{
    size_t running = 0;

    for (size_t i = 0; i < stage->workers_len; i++)
        running += stage->workers[i].worker != NULL;
    if (running > 0 && !stage->leaves_inputs)
        UNTIL(stage, all_read(stage));
    for (size_t i = 0; i < stage->workers_len; i++)
        end_worker(stage, &stage->workers[i]);
    memory_kafka_release_markers(stage->kafka);
    if (running > 1) {
        /* Partitions were on the move when their owner stopped: the next one catches up. */
        stage_start(stage, "last");
        UNTIL(stage, stage_ready(stage));
        stage_stop(stage, "last");
    }
    stage_check(stage);
    stage_drop(stage);
}

/* --- messages --- */

int64_t stage_send(struct stage *stage, const char *topic, int32_t partition, const char *key, const char *headers, const char *value)
{
    struct bus_header list[BUS_HEADERS_MAX + 8];
    struct bus_record record = {.topic = topic, .partition = partition, .key = key, .key_len = key == NULL ? 0 : strlen(key),
                                .value = value, .value_len = value == NULL ? 0 : strlen(value), .headers = list};
    char *copy = strdup(headers == NULL ? "" : headers), *rest = copy;
    int64_t offset = 0;

    assert_non_null(copy);
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        char *colon = strstr(line, ": ");

        if (colon == NULL)
            continue;
        *colon = '\0';
        list[record.headers_len++] = (struct bus_header){.name = line, .value = colon + 2, .len = strlen(colon + 2)};
    }
    offset = memory_kafka_produce(stage->kafka, &record);
    free(copy);
    return offset;
}

void stage_deploy(struct stage *stage, const char *definition)
{
    (void)stage_send(stage, DEFINITIONS, 0, "x", NULL, definition);
}

void stage_order(struct stage *stage, const char *id)
{
    (void)stage_send(stage, ORDERS, -1, id, NULL, "{\"total\":19.99,\"pad\":\"-\"}");
}

void stage_orders(struct stage *stage, const char *prefix, int n)
{
    char id[64];

    for (int i = 1; i <= n; i++) {
        (void)snprintf(id, sizeof id, "%s-%d", prefix, i);
        stage_order(stage, id);
    }
}

void stage_reply(struct stage *stage, const char *message_id, const char *outcome, const char *body)
{
    char headers[512], key[SAGA_ID_MAX + 1];

    (void)snprintf(key, sizeof key, "%.*s", (int)strcspn(message_id, "/"), message_id);
    (void)snprintf(headers, sizeof headers, "kafka_correlationId: %s\nsaga-outcome: %s", message_id, outcome);
    (void)stage_send(stage, REPLIES, -1, key, headers, body);
}

int32_t stage_partition(struct stage *stage, const char *id)
{
    return wire_partition_of(id, strlen(id), stage->setup.partitions);
}

const char *stage_id_on(struct stage *stage, int32_t partition, const char *prefix, int n)
{
    static char id[64];

    for (int i = 0;; i++) {
        (void)snprintf(id, sizeof id, "%s%d", prefix, i);
        if (stage_partition(stage, id) == partition && n-- == 0)
            return id;
    }
}

/* --- participants --- */

static void header_text(const struct bus_message *message, const char *name, char *out, size_t max)
{
    const struct bus_header *header = wire_header(message, name);

    (void)snprintf(out, max, "%.*s", header == NULL ? 0 : (int)header->len, header == NULL ? "" : (const char *)header->value);
}

static bool told(const char *saga, const char *verb, const char *step)
{
    char word[96];

    (void)snprintf(word, sizeof word, ":%s-%s", verb, step);
    return strstr(saga, word) != NULL;
}

static void answer(struct stage *stage, const struct bus_message *command)
{
    char id[WIRE_MESSAGE_ID_MAX], saga[SAGA_ID_MAX + 1], step[80], action[16], attempt[16];
    const char *outcome = "success";

    header_text(command, "kafka_correlationId", id, sizeof id);
    header_text(command, "ce_sagaid", saga, sizeof saga);
    header_text(command, "ce_sagastep", step, sizeof step);
    header_text(command, "ce_sagaaction", action, sizeof action);
    header_text(command, "ce_sagaattempt", attempt, sizeof attempt);
    if (strcmp(action, "execute") == 0) {
        bool first = strcmp(attempt, "1") == 0;

        if (told(saga, "mute", step) || (told(saga, "slow", step) && first))
            return;
        if (told(saga, "no", step))
            outcome = "failure";
        if (told(saga, "again", step) && first)
            outcome = "retry";
    }
    stage_reply(stage, id, outcome, "{\"done\":true}");
    if (strstr(saga, ":twice") != NULL)
        stage_reply(stage, id, outcome, "{\"done\":true}");
}

static void answer_all(struct stage *stage)
{
    for (int32_t p = 0; p < stage->setup.partitions && !stage->silent; p++) {
        struct bus_message command;

        while (memory_kafka_read(stage->kafka, COMMANDS, p, &stage->answered[p], &command)) {
            answer(stage, &command);
            memory_kafka_release(&command);
        }
    }
}

void stage_wait(struct stage *stage, int64_t until_real_ms, const char *condition, const char *file, int line)
{
    answer_all(stage);
    if (memory_world_real_ms() > until_real_ms) {
        char *text = whole_log(stage);
        size_t len = strlen(text);

        (void)fprintf(stderr, "%s\n%s:%d: waited in vain for: %s\n", len > LOG_TAIL ? text + len - LOG_TAIL : text, file, line, condition);
        free(text);
        _fail(file, line);
    }
    (void)pthread_mutex_lock(&stage->world.lock);
    stage->world.wait(&stage->world, 5);
    (void)pthread_mutex_unlock(&stage->world.lock);
}

/* --- what has happened --- */

int64_t stage_count(struct stage *stage, const char *topic)
{
    return memory_kafka_count(stage->kafka, topic);
}

struct looked_for {
    const char *id;
    const char *status;
};

static void look(void *context, const struct view_item *item)
{
    struct looked_for *looked = context;

    if (strcmp(item->id, looked->id) == 0)
        looked->status = saga_status_name(item->status);
}

const char *stage_status(struct stage *stage, const char *id)
{
    struct looked_for looked = {.id = id, .status = "none"};

    memory_view_each(stage->view, stage_partition(stage, id), look, &looked);
    return looked.status;
}

static int64_t count_header(struct stage *stage, const char *topic, const char *name, const char *wanted)
{
    int64_t n = 0;

    for (int32_t p = 0; p < memory_kafka_partitions(stage->kafka, topic); p++) {
        int64_t at = 0;
        struct bus_message message;

        while (memory_kafka_read(stage->kafka, topic, p, &at, &message)) {
            char value[WIRE_MESSAGE_ID_MAX];

            header_text(&message, name, value, sizeof value);
            n += strcmp(value, wanted) == 0;
            memory_kafka_release(&message);
        }
    }
    return n;
}

int64_t stage_letters(struct stage *stage, const char *reason)
{
    return count_header(stage, LETTERS, "dlq-reason", reason);
}

int64_t stage_commands(struct stage *stage, const char *message_id)
{
    return count_header(stage, COMMANDS, "ce_id", message_id);
}

struct stage_position stage_journal(struct stage *stage, int32_t partition)
{
    struct stage_position position = {0};
    struct bus_message message;
    int64_t at = 0;

    while (memory_kafka_read(stage->kafka, JOURNAL, partition, &at, &message)) {
        struct journal_record record;

        if (journal_record_read(message.value, message.value_len, &record, NULL) == BATON_OK) {
            position.seq = record.seq;
            position.checkpoint = record.checkpoint;
            position.checkpoint_offset = record.checkpoint_offset;
            position.records++;
            for (size_t i = 0; i < INPUTS; i++)
                position.vector[i] = json_integer_value(json_object_get(record.vector, inputs[i].topic));
            journal_record_clear(&record);
        }
        memory_kafka_release(&message);
    }
    return position;
}

int stage_run_rows(const void *rows, size_t row_size, size_t count, CMUnitTestFunction check)
{
    struct CMUnitTest *tests = calloc(count, sizeof *tests);
    int failed = 0;

    for (size_t i = 0; i < count; i++) {
        const char *row = (const char *)rows + i * row_size;

        tests[i] = (struct CMUnitTest){.name = *(const char *const *)(const void *)row, .test_func = check, .initial_state = (void *)(uintptr_t)row};
    }
    failed = _cmocka_run_group_tests("rows", tests, count, NULL, NULL);
    free(tests);
    return stage_ran(failed);
}

int stage_ran(int failed)
{
    (void)fflush(NULL);
    if (failed != 0)
        _exit(1);
    return 0;
}

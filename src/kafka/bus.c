/*
 * bus.c -- the port bus.h over librdkafka: consumer, producers in turn, reader, wired together.
 *
 * Owns:     the life of the three.
 * Never:    decide anything about them.
 * Tests:    tests/kafka/
 */
#include "kafka_internal.h"
#include <stdlib.h>

struct kafka_bus {
    struct consumer consumer;
    struct turn turn;
    struct reader reader;
};

static enum baton_err bus_poll(void *self, int timeout_ms, struct bus_poll *ret_poll, struct baton_error *err)
{
    struct kafka_bus *bus = self;
    enum baton_err rc = consumer_poll(&bus->consumer, timeout_ms, ret_poll, err);

    if (rc == BATON_OK && ret_poll->kind == BUS_IDLE)
        turn_serve(&bus->turn);
    return rc;
}

static void bus_release(void *self, struct bus_message *message)
{
    (void)self;
    message_release(message);
}

static void bus_snapshot(void *self)
{
    struct kafka_bus *bus = self;

    consumer_snapshot(&bus->consumer);
}

static enum baton_err bus_committed(void *self, const int32_t *partitions, size_t n, int timeout_ms,
                                    struct bus_committed *ret_committed, struct baton_error *err)
{
    struct kafka_bus *bus = self;

    return consumer_committed(&bus->consumer, partitions, n, timeout_ms, ret_committed, err);
}

static enum baton_err bus_seek(void *self, int32_t partition, const int64_t *offsets, struct baton_error *err)
{
    struct kafka_bus *bus = self;

    return consumer_seek(&bus->consumer, partition, offsets, err);
}

static enum baton_err bus_pause(void *self, int32_t partition, struct baton_error *err)
{
    struct kafka_bus *bus = self;

    return consumer_pause(&bus->consumer, partition, err);
}

static enum baton_err bus_resume(void *self, int32_t partition, struct baton_error *err)
{
    struct kafka_bus *bus = self;

    return consumer_resume(&bus->consumer, partition, err);
}

static enum baton_err bus_begin(void *self, struct baton_error *err)
{
    struct kafka_bus *bus = self;

    return turn_begin(&bus->turn, err);
}

static enum baton_err bus_produce(void *self, const struct bus_record *record, struct baton_error *err)
{
    struct kafka_bus *bus = self;

    return turn_produce(&bus->turn, record, err);
}

static enum baton_err bus_commit(void *self, const struct bus_position *positions, size_t n, int *ret_culprit,
                                 struct baton_error *err)
{
    struct kafka_bus *bus = self;

    return turn_commit(&bus->turn, positions, n, bus->consumer.snapshot, ret_culprit, err);
}

static enum baton_err bus_abort(void *self, struct baton_error *err)
{
    struct kafka_bus *bus = self;

    return turn_abort(&bus->turn, err);
}

static enum baton_err bus_watermarks(void *self, const char *topic, int32_t partition, int timeout_ms, int64_t *ret_low,
                                     int64_t *ret_high, struct baton_error *err)
{
    struct kafka_bus *bus = self;

    return reader_watermarks(&bus->reader, topic, partition, timeout_ms, ret_low, ret_high, err);
}

static enum baton_err bus_read_begin(void *self, const char *topic, int32_t partition, int64_t offset, struct baton_error *err)
{
    struct kafka_bus *bus = self;

    return reader_begin(&bus->reader, topic, partition, offset, err);
}

static enum baton_err bus_read_next(void *self, int timeout_ms, struct bus_message *ret_message, struct baton_error *err)
{
    struct kafka_bus *bus = self;

    return reader_next(&bus->reader, timeout_ms, ret_message, err);
}

static void bus_read_end(void *self)
{
    struct kafka_bus *bus = self;

    reader_end(&bus->reader);
}

/* The transaction first: what it leaves open keeps the next owner of the partitions waiting. */
static void bus_close(void *self)
{
    struct kafka_bus *bus = self;

    if (bus == NULL)
        return;
    turn_close(&bus->turn);
    reader_clear(&bus->reader);
    consumer_close(&bus->consumer);
    free(bus);
}

enum baton_err kafka_bus_open(const struct kafka_bus_options *options, struct bus *ret_bus, struct baton_error *err)
{
    struct kafka_bus *bus = NULL;
    enum baton_err rc = kafka_properties_check(&options->kafka, err);

    if (rc == BATON_OK && (options->inputs_len < 1 || options->inputs_len > BUS_INPUTS_MAX))
        rc = baton_fail(err, BATON_E_INVALID, "%zu input topics: 1 to %d", options->inputs_len, BUS_INPUTS_MAX);
    if (rc != BATON_OK)
        return rc;
    bus = calloc(1, sizeof *bus);
    if (bus == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory for a bus");
    reader_init(&bus->reader, &options->kafka);
    rc = turn_open(&bus->turn, options, err);
    /* The member last: whoever joins is given partitions at once. */
    if (rc == BATON_OK)
        rc = consumer_open(&bus->consumer, options, err);
    if (rc != BATON_OK) {
        bus_close(bus);
        return rc;
    }
    *ret_bus = (struct bus){.self = bus,
                            .poll = bus_poll,
                            .release = bus_release,
                            .snapshot = bus_snapshot,
                            .committed = bus_committed,
                            .seek = bus_seek,
                            .pause = bus_pause,
                            .resume = bus_resume,
                            .begin = bus_begin,
                            .produce = bus_produce,
                            .commit = bus_commit,
                            .abort = bus_abort,
                            .watermarks = bus_watermarks,
                            .read_begin = bus_read_begin,
                            .read_next = bus_read_next,
                            .read_end = bus_read_end,
                            .close = bus_close};
    return BATON_OK;
}

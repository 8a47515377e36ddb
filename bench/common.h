/*
 * common.h -- what the three bench programs share: options, clients, time.
 */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern volatile sig_atomic_t bench_stop;

void bench_on_signals(void);
int64_t bench_now_us(void); /* monotonic */
/** The value after `--name`, or fallback; exits with usage on a name that is not in `known`. */
const char *bench_option(int argc, char **argv, const char *name, const char *fallback);
void bench_set(rd_kafka_conf_t *conf, const char *name, const char *value);
/** A consumer of `topics` (comma-separated, each with prefix) in group `group`, read_committed, from the end; returns once every partition
 * has been assigned and its position is known, so that nothing sent from now on is missed. */
rd_kafka_t *bench_consumer(const char *brokers, const char *group, const char *prefix, const char *topics);
/** Connected to the leader of `topic` already (one broker), so that the first record does not wait for that. */
rd_kafka_t *bench_producer(const char *brokers, const char *linger_ms, const char *topic);
const void *bench_header(const rd_kafka_message_t *message, const char *name, size_t *ret_len);

#endif

/*
 * config.h -- the merged configuration: flag over environment over file over default, each value with its origin.
 */
#ifndef BATON_CONFIG_H
#define BATON_CONFIG_H

#include <baton/engine.h>
#include <baton/kafka.h>
#include <baton/redis.h>
#include <jansson.h>

struct config; /* owns all strings */

struct config_override { /* a flag or an environment variable, already named by its config path: "redis.url", "kafka.bootstrap.servers" */
    const char *path;
    const char *value;  /* text; numbers and booleans are parsed by the path's type */
    const char *origin; /* "flag --redis", "environment BATON_REDIS" */
};

/**
 * Read, merge and check.
 * @file  NULL = none (then BATON_CONFIG by the caller). What is wrong in the file: BATON_E_INVALID with FILE:LINE:COLUMN, the JSON pointer and, for an unknown key, the nearest name.
 * Refuses kafka properties that break the promises (kafka_properties_check).
 */
enum baton_err config_load(const char *file, const struct config_override *overrides, size_t n, struct config **ret_config,
                           struct baton_error *err);
void config_free(struct config *config);

const struct kafka_options *config_kafka(const struct config *config);
const struct redis_options *config_redis(const struct config *config);
const char *config_group_id(const struct config *config);
struct config_topics {
    const char *prefix; /* "" by default; goes before every Baton topic and before <service>.commands */
    int32_t partitions, replication;
    const struct bus_input *inputs; /* start topics, replies (shared, then per service), control; prefix applied */
    size_t inputs_len;
    const char *replies, *control, *results, *journal, *state, *events, *definitions, *dlq; /* prefix applied */
    const char *const *allow_reply_to;  /* NULL-terminated */
    const char *const *service_replies; /* see wire_names */
};
const struct config_topics *config_topics(const struct config *config);
const struct engine_limits *config_limits(const struct config *config);
/** The services that have a breaker, a maximum in flight or a rate; as long as config. */
const struct service_rules *config_services(const struct config *config, size_t *ret_len);
int config_threads(const struct config *config);
const char *config_reply_key_file(const struct config *config); /* NULL = none */
const char *config_log_level(const struct config *config);
bool config_log_json(const struct config *config);
/** [{"path","value","origin"}...] of every setting, secrets masked; new reference. */
json_t *config_dump(const struct config *config);

#endif

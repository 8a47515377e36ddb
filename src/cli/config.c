/*
 * config.c -- the configuration: one JSON file, environment and flags over it, defaults under it, each value with its origin.
 *
 * Owns:     names, types, bounds and defaults of the settings (docs/configuration.md; schemas/configuration.schema.json).
 * Tests:    tests/cli/test_config.c
 */
#include <baton/config.h>
#include <baton/json.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FILE_BYTES_MAX (1024 * 1024)
#define PROPERTIES_MAX 256
#define INPUTS_MAX (BUS_INPUTS_MAX - 2)
#define NAMES_MAX 64

enum type { TEXT, WHOLE, DURATION };

static const struct setting {
    const char *path; /* section.name or section.part.name */
    enum type type;
    const char *standard; /* NULL = none */
    int64_t min, max;
} settings[] = {
    {"redis.url", TEXT, "redis://127.0.0.1:6379", 0, 0},
    {"redis.username", TEXT, NULL, 0, 0},
    {"redis.passwordFile", TEXT, NULL, 0, 0},
    {"redis.prefix", TEXT, "baton", 0, 0},
    {"topics.prefix", TEXT, "", 0, 0},
    {"topics.partitions", WHOLE, "8", 1, 1000},
    {"topics.replication", WHOLE, "-1", -1, 100},
    {"topics.replies", TEXT, "baton.replies", 0, 0},
    {"topics.control", TEXT, "baton.control", 0, 0},
    {"topics.results", TEXT, "baton.results", 0, 0},
    {"topics.journal", TEXT, "baton.journal", 0, 0},
    {"topics.state", TEXT, "baton.state", 0, 0},
    {"topics.events", TEXT, "baton.events", 0, 0},
    {"topics.definitions", TEXT, "baton.definitions", 0, 0},
    {"topics.dlq", TEXT, "baton.dlq", 0, 0},
    {"engine.threads", WHOLE, "1", 1, 64},
    {"engine.batch.maxCount", WHOLE, "2000", 1, 20000},
    {"engine.batch.maxBytes", WHOLE, "4194304", 1024, 64 * 1024 * 1024},
    {"engine.batch.maxWait", DURATION, "0ms", 0, 1000},
    {"engine.viewLag", DURATION, "100ms", 0, 10000},
    {"engine.retention", DURATION, "7d", 1000, INT64_C(3650) * 86400000},
    {"engine.cacheBytes", WHOLE, "33554432", 1024 * 1024, INT64_C(1) << 40},
    {"engine.maxMessageBytes", WHOLE, "1000000", 1000, 100000000},
    {"engine.definitionWait", DURATION, "10s", 0, 600000},
    {"log.level", TEXT, "info", 0, 0},
    {"log.format", TEXT, "text", 0, 0},
};
#define SETTINGS (sizeof settings / sizeof *settings)

/* Sections of the design that this version does not have: said so, instead of "unknown". */
static const char *const later[] = {"http", "security", "redis.caFile", NULL};

struct value {
    const char *path, *text, *origin; /* owned by the config */
};

struct config {
    char **owned;
    size_t owned_len, owned_cap;
    struct value values[SETTINGS];
    struct kafka_property common[PROPERTIES_MAX], consumer[PROPERTIES_MAX], producer[PROPERTIES_MAX];
    const char *common_origin[PROPERTIES_MAX], *consumer_origin[PROPERTIES_MAX], *producer_origin[PROPERTIES_MAX];
    struct kafka_options kafka;
    struct redis_options redis;
    const char *group_id, *group_origin;
    struct bus_input inputs[BUS_INPUTS_MAX];
    const char *allow_reply_to[NAMES_MAX + 1];
    const char *service_replies[2 * NAMES_MAX + 1];
    struct config_topics topics;
    struct engine_limits limits;
    int threads;
    json_t *file;
    const char *file_name;
};

/* --- strings --- */

static const char *keep(struct config *config, const char *text)
{
    char *copy = strdup(text);

    if (config->owned_len == config->owned_cap) {
        size_t cap = config->owned_cap == 0 ? 64 : config->owned_cap * 2;
        char **owned = realloc(config->owned, cap * sizeof *owned);

        if (owned == NULL) {
            free(copy);
            return NULL;
        }
        config->owned = owned;
        config->owned_cap = cap;
    }
    if (copy != NULL)
        config->owned[config->owned_len++] = copy;
    return copy;
}

static const char *prefixed(struct config *config, const char *name)
{
    char text[512];

    (void)snprintf(text, sizeof text, "%s%s", config->topics.prefix, name);
    return keep(config, text);
}

void config_free(struct config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < config->owned_len; i++)
        free(config->owned[i]);
    free(config->owned);
    json_decref(config->file);
    free(config);
}

/* --- the file --- */

static enum baton_err read_file(struct config *config, const char *path, struct baton_error *err)
{
    const struct json_limits limits = {FILE_BYTES_MAX, 16, 10000};
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t len = 0;
    struct baton_error why = {0};
    enum baton_err rc = BATON_OK;

    if (file == NULL)
        return baton_fail(err, BATON_E_INVALID, "configuration \"%s\": %s", path, strerror(errno));
    text = malloc(FILE_BYTES_MAX + 1);
    if (text != NULL)
        len = fread(text, 1, FILE_BYTES_MAX + 1, file);
    (void)fclose(file);
    if (text == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory for the configuration");
    rc = json_parse(text, len, &limits, &config->file, &why);
    if (rc != BATON_OK)
        rc = baton_fail(err, rc, "configuration \"%s\": %s", path, why.text);
    else if (!json_is_object(config->file))
        rc = baton_fail(err, BATON_E_INVALID, "configuration \"%s\": not a JSON object", path);
    free(text);
    return rc;
}

static const struct setting *setting_of(const char *path)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        if (strcmp(settings[i].path, path) == 0)
            return &settings[i];
    }
    return NULL;
}

/* A section on the way to a setting: "engine", "engine.batch". */
static bool is_section(const char *path)
{
    size_t len = strlen(path);

    for (size_t i = 0; i < SETTINGS; i++) {
        if (strncmp(settings[i].path, path, len) == 0 && settings[i].path[len] == '.')
            return true;
    }
    return false;
}

static enum baton_err unknown(const struct config *config, const char *path, struct baton_error *err)
{
    const char *names[SETTINGS + 8];
    size_t n = 0;
    const char *near = NULL;

    for (size_t i = 0; later[i] != NULL; i++) {
        if (strcmp(later[i], path) == 0)
            return baton_fail(err, BATON_E_INVALID, "configuration \"%s\": \"%s\" is not supported by this version; remove it",
                              config->file_name, path);
    }
    for (size_t i = 0; i < SETTINGS; i++)
        names[n++] = settings[i].path;
    names[n++] = "kafka";
    names[n++] = "services";
    names[n++] = "redis";
    names[n++] = "topics";
    names[n++] = "engine";
    names[n++] = "log";
    near = nearest_name(path, names, n);
    return baton_fail(err, BATON_E_INVALID, "configuration \"%s\": unknown key \"%s\"%s%s%s", config->file_name, path,
                      near != NULL ? "; did you mean \"" : "; see docs/configuration.md", near != NULL ? near : "",
                      near != NULL ? "\"?" : "");
}

/* Every member of the file is a setting, a section, or one of the free maps. */
static enum baton_err check_names(const struct config *config, json_t *object, const char *parent, struct baton_error *err)
{
    const char *name = NULL;
    json_t *member = NULL;

    json_object_foreach(object, name, member) {
        char path[256];
        enum baton_err rc = BATON_OK;

        (void)snprintf(path, sizeof path, "%s%s%.100s", parent, parent[0] != '\0' ? "." : "", name);
        if (strcmp(path, "$schema") == 0 || strcmp(path, "kafka") == 0 || strcmp(path, "services") == 0 ||
            strcmp(path, "topics.start") == 0 || strcmp(path, "topics.allowReplyTo") == 0 || setting_of(path) != NULL)
            continue;
        if (!is_section(path))
            return unknown(config, path, err);
        if (!json_is_object(member))
            return baton_fail(err, BATON_E_INVALID, "configuration \"%s\": \"%s\" must be an object", config->file_name, path);
        rc = check_names(config, member, path, err);
        if (rc != BATON_OK)
            return rc;
    }
    return BATON_OK;
}

static json_t *file_value(const struct config *config, const char *path)
{
    json_t *at = config->file;
    char copy[256], *rest = copy, *token = NULL;

    (void)snprintf(copy, sizeof copy, "%s", path);
    while (at != NULL && (token = strsep(&rest, ".")) != NULL)
        at = json_object_get(at, token);
    return at;
}

/* A scalar of the file as text; NULL if it is none. */
static const char *scalar_text(struct config *config, const json_t *value)
{
    char text[32];

    if (json_is_string(value))
        return keep(config, json_string_value(value));
    if (json_is_boolean(value))
        return json_is_true(value) ? "true" : "false";
    if (json_is_integer(value))
        (void)snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        text[json_real_text(json_real_value(value), text)] = '\0';
    else
        return NULL;
    return keep(config, text);
}

/* --- settings --- */

static enum baton_err check_type(const struct setting *setting, const struct value *value, struct baton_error *err)
{
    char *end = NULL;
    int64_t number = 0;

    if (value->text == NULL || setting->type == TEXT)
        return BATON_OK;
    if (setting->type == DURATION) {
        if (!duration_parse(value->text, &number))
            return baton_fail(err, BATON_E_INVALID, "%s \"%s\" (%s) is not a duration such as 250ms, 30s, 5m, 24h, 7d", value->path,
                              value->text, value->origin);
    } else {
        errno = 0;
        number = strtoll(value->text, &end, 10);
        if (errno != 0 || end == value->text || *end != '\0')
            return baton_fail(err, BATON_E_INVALID, "%s \"%s\" (%s) is not a whole number", value->path, value->text, value->origin);
    }
    if (number < setting->min || number > setting->max)
        return baton_fail(err, BATON_E_INVALID, "%s \"%s\" (%s) is out of its range, %" PRId64 " to %" PRId64 "%s", value->path,
                          value->text, value->origin, setting->min, setting->max, setting->type == DURATION ? " ms" : "");
    return BATON_OK;
}

static enum baton_err settle(struct config *config, const struct config_override *overrides, size_t n, struct baton_error *err)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        const struct setting *setting = &settings[i];
        struct value *value = &config->values[i];
        json_t *of_file = file_value(config, setting->path);
        enum baton_err rc = BATON_OK;

        *value = (struct value){.path = setting->path, .text = setting->standard, .origin = "default"};
        if (of_file != NULL) {
            *value = (struct value){.path = setting->path, .text = scalar_text(config, of_file), .origin = config->file_name};
            if (value->text == NULL || json_is_boolean(of_file))
                return baton_fail(err, BATON_E_INVALID, "configuration \"%s\": \"%s\" must be a %s", config->file_name, setting->path,
                                  setting->type == WHOLE ? "number" : "string");
        }
        for (size_t k = 0; k < n; k++) {
            if (strcmp(overrides[k].path, setting->path) == 0)
                *value = (struct value){.path = setting->path, .text = keep(config, overrides[k].value),
                                        .origin = keep(config, overrides[k].origin)};
        }
        rc = check_type(setting, value, err);
        if (rc != BATON_OK)
            return rc;
    }
    for (size_t k = 0; k < n; k++) {
        if (setting_of(overrides[k].path) == NULL && strncmp(overrides[k].path, "kafka.", 6) != 0)
            return baton_fail(err, BATON_E_INVALID, "%s: unknown setting \"%s\"", overrides[k].origin, overrides[k].path);
    }
    return BATON_OK;
}

static const char *text_of(const struct config *config, const char *path)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        if (strcmp(settings[i].path, path) == 0)
            return config->values[i].text;
    }
    return NULL;
}

static int64_t number_of(const struct config *config, const char *path)
{
    const char *text = text_of(config, path);
    int64_t number = 0;

    if (duration_parse(text, &number))
        return number;
    return strtoll(text, NULL, 10);
}

/* --- kafka --- */

static enum baton_err set_property(struct config *config, struct kafka_property *properties, const char **origins, size_t *len,
                                   const char *name, const char *value, const char *origin, struct baton_error *err)
{
    size_t at = 0;

    while (at < *len && strcmp(properties[at].name, name) != 0)
        at++;
    if (at == PROPERTIES_MAX)
        return baton_fail(err, BATON_E_INVALID, "more than %d kafka properties", PROPERTIES_MAX);
    properties[at] = (struct kafka_property){.name = keep(config, name), .value = value};
    origins[at] = origin;
    if (at == *len)
        (*len)++;
    return properties[at].name != NULL && value != NULL ? BATON_OK : baton_fail(err, BATON_E_NOMEM, "out of memory");
}

static enum baton_err file_properties(struct config *config, json_t *object, const char *where, struct kafka_property *properties,
                                      const char **origins, size_t *len, struct baton_error *err)
{
    const char *name = NULL;
    json_t *member = NULL;

    if (object != NULL && !json_is_object(object))
        return baton_fail(err, BATON_E_INVALID, "configuration \"%s\": \"%s\" must be an object", config->file_name, where);
    json_object_foreach(object, name, member) {
        const char *text = scalar_text(config, member);
        enum baton_err rc = BATON_OK;

        if (strcmp(where, "kafka") == 0 && (strcmp(name, "consumer") == 0 || strcmp(name, "producer") == 0))
            continue;
        if (text == NULL)
            return baton_fail(err, BATON_E_INVALID, "configuration \"%s\": %s property \"%s\" must be a string, number or boolean",
                              config->file_name, where, name);
        if (strcmp(where, "kafka") == 0 && strcmp(name, "group.id") == 0) {
            config->group_id = text;
            config->group_origin = config->file_name;
            continue;
        }
        rc = set_property(config, properties, origins, len, name, text, config->file_name, err);
        if (rc != BATON_OK)
            return rc;
    }
    return BATON_OK;
}

static enum baton_err settle_kafka(struct config *config, const struct config_override *overrides, size_t n, struct baton_error *err)
{
    json_t *section = file_value(config, "kafka");
    size_t common = 0, consumer = 0, producer = 0;
    enum baton_err rc = BATON_OK;

    config->group_id = "baton";
    config->group_origin = "default";
    rc = set_property(config, config->common, config->common_origin, &common, "bootstrap.servers", "127.0.0.1:9092", "default", err);
    if (rc == BATON_OK)
        rc = file_properties(config, section, "kafka", config->common, config->common_origin, &common, err);
    if (rc == BATON_OK)
        rc = file_properties(config, json_object_get(section, "consumer"), "kafka.consumer", config->consumer, config->consumer_origin,
                             &consumer, err);
    if (rc == BATON_OK)
        rc = file_properties(config, json_object_get(section, "producer"), "kafka.producer", config->producer, config->producer_origin,
                             &producer, err);
    for (size_t i = 0; rc == BATON_OK && i < n; i++) {
        const char *name = overrides[i].path + 6, *origin = NULL;

        if (strncmp(overrides[i].path, "kafka.", 6) != 0)
            continue;
        origin = keep(config, overrides[i].origin);
        if (strcmp(name, "group.id") == 0) {
            config->group_id = keep(config, overrides[i].value);
            config->group_origin = origin;
        } else {
            rc = set_property(config, config->common, config->common_origin, &common, name, keep(config, overrides[i].value), origin, err);
        }
    }
    config->kafka = (struct kafka_options){.common = config->common, .common_len = common, .consumer = config->consumer,
                                           .consumer_len = consumer, .producer = config->producer, .producer_len = producer};
    if (rc == BATON_OK && (config->group_id == NULL || config->group_id[0] == '\0'))
        rc = baton_fail(err, BATON_E_INVALID, "kafka.group.id is empty");
    return rc == BATON_OK ? kafka_properties_check(&config->kafka, err) : rc;
}

/* --- topics --- */

static bool topic_name_valid(const char *name)
{
    size_t len = strlen(name);

    return len >= 1 && len <= 249 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

static enum baton_err add_input(struct config *config, const char *topic, enum bus_input_kind kind, const char *binding,
                                struct baton_error *err)
{
    size_t *len = &config->topics.inputs_len;

    if (*len == BUS_INPUTS_MAX)
        return baton_fail(err, BATON_E_INVALID, "more than %d input topics", BUS_INPUTS_MAX);
    for (size_t i = 0; i < *len; i++) {
        if (strcmp(config->inputs[i].topic, topic) == 0)
            return baton_fail(err, BATON_E_INVALID, "topic \"%s\" is named twice among the inputs", topic);
    }
    config->inputs[(*len)++] = (struct bus_input){.topic = topic, .kind = kind, .binding = binding};
    return BATON_OK;
}

static enum baton_err start_topics(struct config *config, struct baton_error *err)
{
    json_t *section = file_value(config, "topics.start"), *binding = NULL;
    const char *topic = NULL;
    enum baton_err rc = BATON_OK;

    if (section == NULL)
        return add_input(config, prefixed(config, "orders.commands"), INPUT_START, NULL, err);
    if (!json_is_object(section) || json_object_size(section) == 0)
        return baton_fail(err, BATON_E_INVALID, "configuration \"%s\": \"topics.start\" must be an object {\"<topic>\": {\"saga\": "
                                                "\"<definition>\"}} with at least one topic", config->file_name);
    json_object_foreach(section, topic, binding) {
        const char *saga = json_string_value(json_object_get(binding, "saga")), *name = NULL;
        json_t *member = NULL;

        json_object_foreach(binding, name, member) {
            if (strcmp(name, "saga") != 0)
                return baton_fail(err, BATON_E_INVALID, "configuration \"%s\": \"topics.start\", \"%s\": key \"%s\" is not supported by this "
                                                        "version; it may only have \"saga\"", config->file_name, topic, name);
        }
        if (!json_is_object(binding) || (saga != NULL && !definition_name_valid(saga, strlen(saga))))
            return baton_fail(err, BATON_E_INVALID, "configuration \"%s\": \"topics.start\", \"%s\": expected {\"saga\": \"<definition>\"}",
                              config->file_name, topic);
        rc = add_input(config, prefixed(config, topic), INPUT_START, saga != NULL ? keep(config, saga) : NULL, err);
        if (rc != BATON_OK)
            return rc;
    }
    return BATON_OK;
}

static enum baton_err service_topics(struct config *config, struct baton_error *err)
{
    json_t *section = file_value(config, "services"), *service = NULL;
    const char *name = NULL;
    size_t n = 0;

    if (section != NULL && !json_is_object(section))
        return baton_fail(err, BATON_E_INVALID, "configuration \"%s\": \"services\" must be an object", config->file_name);
    json_object_foreach(section, name, service) {
        const char *key = NULL, *topic = json_string_value(json_object_get(service, "replyTopic"));
        json_t *member = NULL;
        enum baton_err rc = BATON_OK;

        json_object_foreach(service, key, member) {
            if (strcmp(key, "replyTopic") != 0)
                return baton_fail(err, BATON_E_INVALID, "configuration \"%s\": \"services\", \"%s\": key \"%s\" is not supported by this "
                                                        "version; it may only have \"replyTopic\"", config->file_name, name, key);
        }
        if (!service_name_valid(name, strlen(name)) || topic == NULL || n == NAMES_MAX)
            return baton_fail(err, BATON_E_INVALID, "configuration \"%s\": \"services\", \"%s\": expected {\"replyTopic\": \"<topic>\"} under a "
                                                    "service name, at most %d of them", config->file_name, name, NAMES_MAX);
        config->service_replies[2 * n] = keep(config, name);
        config->service_replies[2 * n + 1] = prefixed(config, topic);
        rc = add_input(config, config->service_replies[2 * n + 1], INPUT_REPLIES, config->service_replies[2 * n], err);
        if (rc != BATON_OK)
            return rc;
        n++;
    }
    return BATON_OK;
}

static enum baton_err settle_topics(struct config *config, struct baton_error *err)
{
    struct config_topics *topics = &config->topics;
    json_t *allowed = file_value(config, "topics.allowReplyTo"), *member = NULL;
    size_t i = 0;
    enum baton_err rc = BATON_OK;

    topics->prefix = text_of(config, "topics.prefix");
    topics->partitions = (int32_t)number_of(config, "topics.partitions");
    topics->replication = (int32_t)number_of(config, "topics.replication");
    if (topics->replication == 0)
        return baton_fail(err, BATON_E_INVALID, "topics.replication is 0; -1 is the broker's default");
    topics->replies = prefixed(config, text_of(config, "topics.replies"));
    topics->control = prefixed(config, text_of(config, "topics.control"));
    topics->results = prefixed(config, text_of(config, "topics.results"));
    topics->journal = prefixed(config, text_of(config, "topics.journal"));
    topics->state = prefixed(config, text_of(config, "topics.state"));
    topics->events = prefixed(config, text_of(config, "topics.events"));
    topics->definitions = prefixed(config, text_of(config, "topics.definitions"));
    topics->dlq = prefixed(config, text_of(config, "topics.dlq"));
    topics->inputs = config->inputs;
    topics->allow_reply_to = config->allow_reply_to;
    topics->service_replies = config->service_replies;
    rc = start_topics(config, err);
    if (rc == BATON_OK)
        rc = add_input(config, topics->replies, INPUT_REPLIES, NULL, err);
    if (rc == BATON_OK)
        rc = service_topics(config, err);
    if (rc == BATON_OK)
        rc = add_input(config, topics->control, INPUT_CONTROL, NULL, err);
    if (rc == BATON_OK && allowed != NULL && (!json_is_array(allowed) || json_array_size(allowed) > NAMES_MAX))
        rc = baton_fail(err, BATON_E_INVALID, "configuration \"%s\": \"topics.allowReplyTo\" must be an array of at most %d topic names",
                        config->file_name, NAMES_MAX);
    if (rc != BATON_OK)
        return rc;
    json_array_foreach(allowed, i, member) {
        if (!json_is_string(member) || !topic_name_valid(json_string_value(member)))
            return baton_fail(err, BATON_E_INVALID, "configuration \"%s\": \"topics.allowReplyTo\" holds something that is no topic name",
                              config->file_name);
        config->allow_reply_to[i] = keep(config, json_string_value(member));
    }
    for (size_t k = 0; k < topics->inputs_len; k++) {
        if (!topic_name_valid(config->inputs[k].topic))
            return baton_fail(err, BATON_E_INVALID, "\"%s\" is not a topic name: 1 to 249 of A-Za-z0-9._-", config->inputs[k].topic);
    }
    return BATON_OK;
}

static enum baton_err settle_rest(struct config *config, struct baton_error *err)
{
    const char *level = text_of(config, "log.level"), *format = text_of(config, "log.format");

    if (strcmp(level, "error") != 0 && strcmp(level, "warn") != 0 && strcmp(level, "info") != 0 && strcmp(level, "debug") != 0)
        return baton_fail(err, BATON_E_INVALID, "log.level \"%s\" must be error, warn, info or debug", level);
    if (strcmp(format, "text") != 0 && strcmp(format, "json") != 0)
        return baton_fail(err, BATON_E_INVALID, "log.format \"%s\" must be text or json", format);
    config->redis = (struct redis_options){.url = text_of(config, "redis.url"), .username = text_of(config, "redis.username"),
                                           .password_file = text_of(config, "redis.passwordFile"), .prefix = text_of(config, "redis.prefix")};
    config->threads = (int)number_of(config, "engine.threads");
    config->limits = (struct engine_limits){
        .batch_max_count = (int)number_of(config, "engine.batch.maxCount"),
        .batch_max_bytes = (size_t)number_of(config, "engine.batch.maxBytes"),
        .batch_max_wait_ms = (int)number_of(config, "engine.batch.maxWait"),
        .view_lag_ms = (int)number_of(config, "engine.viewLag"),
        .retention_ms = number_of(config, "engine.retention"),
        .cache_bytes = (size_t)number_of(config, "engine.cacheBytes"),
        .max_message_bytes = (int)number_of(config, "engine.maxMessageBytes"),
        .definition_wait_ms = (int)number_of(config, "engine.definitionWait"),
    };
    return BATON_OK;
}

enum baton_err config_load(const char *file, const struct config_override *overrides, size_t n, struct config **ret_config,
                           struct baton_error *err)
{
    struct config *config = calloc(1, sizeof *config);
    enum baton_err rc = BATON_OK;

    if (config == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory for the configuration");
    config->file_name = keep(config, file != NULL ? file : "");
    if (file != NULL)
        rc = read_file(config, file, err);
    if (rc == BATON_OK && config->file != NULL)
        rc = check_names(config, config->file, "", err);
    if (rc == BATON_OK)
        rc = settle(config, overrides, n, err);
    if (rc == BATON_OK)
        rc = settle_kafka(config, overrides, n, err);
    if (rc == BATON_OK)
        rc = settle_topics(config, err);
    if (rc == BATON_OK)
        rc = settle_rest(config, err);
    if (rc != BATON_OK) {
        config_free(config);
        return rc;
    }
    *ret_config = config;
    return BATON_OK;
}

const struct kafka_options *config_kafka(const struct config *config)
{
    return &config->kafka;
}

const struct redis_options *config_redis(const struct config *config)
{
    return &config->redis;
}

const char *config_group_id(const struct config *config)
{
    return config->group_id;
}

const struct config_topics *config_topics(const struct config *config)
{
    return &config->topics;
}

const struct engine_limits *config_limits(const struct config *config)
{
    return &config->limits;
}

int config_threads(const struct config *config)
{
    return config->threads;
}

const char *config_log_level(const struct config *config)
{
    return text_of(config, "log.level");
}

bool config_log_json(const struct config *config)
{
    return strcmp(text_of(config, "log.format"), "json") == 0;
}

/* --- showing --- */

static bool secret(const char *name)
{
    static const char *const words[] = {"password", "secret", "sasl.jaas", "oauthbearer.config", "key.pem", NULL};

    for (size_t i = 0; words[i] != NULL; i++) {
        if (strcasestr(name, words[i]) != NULL && strcasestr(name, "file") == NULL)
            return true;
    }
    return false;
}

/* A url with a password in it is shown without. */
static void add_row(json_t *rows, const char *section, const char *name, const char *value, const char *origin)
{
    char path[300], shown[600];
    const char *at = value != NULL ? strrchr(value, '@') : NULL, *scheme = value != NULL ? strstr(value, "://") : NULL;

    (void)snprintf(path, sizeof path, "%s%s", section, name);
    (void)snprintf(shown, sizeof shown, "%s", value != NULL ? value : "");
    if (secret(name))
        (void)snprintf(shown, sizeof shown, "********");
    else if (scheme != NULL && at != NULL && at > scheme)
        (void)snprintf(shown, sizeof shown, "%.*s://********%s", (int)(scheme - value), value, at);
    (void)json_array_append_new(rows, json_pack("{s:s, s:o, s:s}", "path", path, "value", value != NULL ? json_string(shown) : json_null(),
                                                "origin", origin));
}

json_t *config_dump(const struct config *config)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < config->kafka.common_len; i++)
        add_row(rows, "kafka.", config->common[i].name, config->common[i].value, config->common_origin[i]);
    add_row(rows, "kafka.", "group.id", config->group_id, config->group_origin);
    for (size_t i = 0; i < config->kafka.consumer_len; i++)
        add_row(rows, "kafka.consumer.", config->consumer[i].name, config->consumer[i].value, config->consumer_origin[i]);
    for (size_t i = 0; i < config->kafka.producer_len; i++)
        add_row(rows, "kafka.producer.", config->producer[i].name, config->producer[i].value, config->producer_origin[i]);
    for (size_t i = 0; i < SETTINGS; i++)
        add_row(rows, "", config->values[i].path, config->values[i].text, config->values[i].origin);
    for (size_t i = 0; i < config->topics.inputs_len; i++) {
        if (config->inputs[i].kind == INPUT_START)
            add_row(rows, "topics.start.", config->inputs[i].topic, config->inputs[i].binding != NULL ? config->inputs[i].binding : "",
                    json_object_get(json_object_get(config->file, "topics"), "start") != NULL ? config->file_name : "default");
    }
    return rows;
}

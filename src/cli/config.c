/*
 * config.c -- the configuration: one JSON file, environment and flags over it, defaults under it, each value with its origin.
 *
 * Owns:     the merge; what is read from the file; the words for what is wrong in it.
 * Tests:    tests/cli/test_config.c
 */
#include "config_internal.h"
#include <baton/json.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (1024 * 1024)
#define PATH_SIZE 256

static enum baton_err no_memory(struct baton_error *err)
{
    return baton_fail(err, BATON_E_NOMEM, "out of memory for the configuration");
}

const char *config_keep(struct config *config, const char *text)
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

void config_free(struct config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < config->owned_len; i++)
        free(config->owned[i]);
    free(config->owned);
    free(config->file_text);
    json_decref(config->file);
    free(config);
}

/* --- the file --- */

enum baton_err config_wrong(const struct config *config, const char *pointer, bool of_key, struct baton_error *err, const char *format, ...)
{
    char text[BATON_ERROR_TEXT_MAX];
    int line = 1, column = 1;
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (pointer == NULL)
        return no_memory(err);
    json_locate(config->file_text, config->file_len, pointer, of_key, &line, &column);
    return baton_fail(err, BATON_E_INVALID, "%s:%d:%d: %s: %s", config->file_name, line, column, pointer, text);
}

static enum baton_err read_file(struct config *config, const char *path, struct baton_error *err)
{
    const struct json_limits limits = {FILE_BYTES_MAX, 16, 10000};
    FILE *file = fopen(path, "re");
    struct baton_error why = {0};
    int line = 1, column = 1, at = 0;
    bool failed = false;
    enum baton_err rc = BATON_OK;

    if (file == NULL)
        return baton_fail(err, BATON_E_INVALID, "configuration \"%s\": %s", path, strerror(errno));
    config->file_text = malloc(FILE_BYTES_MAX + 1);
    if (config->file_text != NULL)
        config->file_len = fread(config->file_text, 1, FILE_BYTES_MAX + 1, file);
    failed = ferror(file) != 0;
    (void)fclose(file);
    if (config->file_text == NULL)
        return no_memory(err);
    if (failed)
        return baton_fail(err, BATON_E_INVALID, "configuration \"%s\" cannot be read", path);
    rc = json_parse(config->file_text, config->file_len, &limits, &config->file, &why);
    if (rc == BATON_E_INVALID && sscanf(why.text, "line %d column %d: %n", &line, &column, &at) == 2 && at > 0)
        return baton_fail(err, rc, "%s:%d:%d: %s", path, line, column, why.text + at);
    if (rc != BATON_OK)
        return baton_fail(err, rc, "configuration \"%s\": %s", path, why.text);
    return json_is_object(config->file) ? BATON_OK : config_wrong(config, "", false, err, "expected a JSON object");
}

/* A key that holds something of its own, or any scalar of the table. */
static bool is_known(const char *path)
{
    static const char *const maps[] = {"kafka", "services", "topics.start", "topics.allowReplyTo"};

    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
        if (strcmp(path, maps[i]) == 0)
            return true;
    }
    return config_setting_find(path) != NULL;
}

/* Every member of the file is a setting, a section, or one of the maps. A dot in a name would read as a path: it is none. */
static enum baton_err check_names(const struct config *config, json_t *object, const char *parent, struct buffer *pointer,
                                  struct baton_error *err)
{
    size_t len = pointer->len;
    const char *name = NULL;
    json_t *member = NULL;
    enum baton_err rc = BATON_OK;

    json_object_foreach(object, name, member) {
        char path[PATH_SIZE], advice[PATH_SIZE * 2];
        bool nested = strchr(name, '.') != NULL;

        (void)snprintf(path, sizeof path, "%s%s%.100s", parent, parent[0] != '\0' ? "." : "", name);
        json_pointer_push(pointer, name);
        if (nested && (is_known(path) || config_is_section(path))) {
            rc = config_wrong(config, buffer_cstr(pointer), true, err, "\"%.60s\" is no key: names between dots are sections, write \"%.*s\": {...}",
                              name, (int)strcspn(name, "."), name);
        } else if (strcmp(path, "$schema") == 0) {
            if (!json_is_string(member))
                rc = config_wrong(config, buffer_cstr(pointer), false, err, "expected a string");
        } else if (nested || (!is_known(path) && !config_is_section(path))) {
            config_unknown_advice(path, advice, sizeof advice);
            rc = config_wrong(config, buffer_cstr(pointer), true, err, "\"%.100s\" %s", path, advice);
        } else if (!is_known(path)) {
            rc = json_is_object(member) ? check_names(config, member, path, pointer, err)
                                        : config_wrong(config, buffer_cstr(pointer), false, err, "expected an object");
        }
        if (rc != BATON_OK)
            return rc;
        pointer->len = len;
    }
    return BATON_OK;
}

json_t *config_file_value(const struct config *config, const char *path)
{
    json_t *at = config->file;
    char copy[PATH_SIZE], *rest = copy, *token = NULL;

    (void)snprintf(copy, sizeof copy, "%s", path);
    while (at != NULL && (token = strsep(&rest, ".")) != NULL)
        at = json_object_get(at, token);
    return at;
}

/* A scalar of the file as text; NULL if it is none. */
static const char *scalar_text(struct config *config, const json_t *value)
{
    char text[JSON_REAL_MAX + 1];

    if (json_is_string(value))
        return config_keep(config, json_string_value(value));
    if (json_is_boolean(value))
        return json_is_true(value) ? "true" : "false";
    if (json_is_integer(value))
        (void)snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        text[json_real_text(json_real_value(value), text)] = '\0';
    else
        return NULL;
    return config_keep(config, text);
}

/* --- settings --- */

/* "engine.batch.maxWait" as a JSON Pointer: no name of the table needs an escape. */
static const char *pointer_of(const char *path, char out[PATH_SIZE])
{
    (void)snprintf(out, PATH_SIZE, "/%s", path);
    for (char *c = out; *c != '\0'; c++) {
        if (*c == '.')
            *c = '/';
    }
    return out;
}

static enum baton_err take_from_file(struct config *config, const struct setting *setting, struct value *value, struct baton_error *err)
{
    char pointer[PATH_SIZE], why[128];
    json_t *member = config_file_value(config, setting->path);

    if (member == NULL)
        return BATON_OK;
    (void)pointer_of(setting->path, pointer);
    if (setting->type == SETTING_WHOLE ? !json_is_integer(member) : !json_is_string(member))
        return config_wrong(config, pointer, false, err, "expected a %s",
                            setting->type == SETTING_WHOLE ? "whole number" : setting->type == SETTING_DURATION
                                ? "duration such as \"250ms\", \"30s\", \"5m\", \"24h\", \"7d\"" : "string");
    value->text = scalar_text(config, member);
    value->origin = config->file_name;
    if (value->text == NULL)
        return no_memory(err);
    return config_value_fits(setting, value->text, why, sizeof why) ? BATON_OK
                                                                    : config_wrong(config, pointer, false, err, "\"%.100s\" %s", value->text, why);
}

static enum baton_err settle(struct config *config, const struct config_override *overrides, size_t n, struct baton_error *err)
{
    for (size_t i = 0; i < config_settings_len; i++) {
        const struct setting *setting = &config_settings[i];
        struct value *value = &config->values[i];
        char why[128];
        enum baton_err rc = BATON_OK;

        *value = (struct value){.path = setting->path, .text = setting->standard, .origin = "default"};
        rc = take_from_file(config, setting, value, err);
        if (rc != BATON_OK)
            return rc;
        for (size_t k = 0; k < n; k++) {
            if (strcmp(overrides[k].path, setting->path) != 0)
                continue;
            if (!config_value_fits(setting, overrides[k].value, why, sizeof why))
                return baton_fail(err, BATON_E_INVALID, "%s: %s \"%s\" %s", overrides[k].origin, setting->path, overrides[k].value, why);
            value->text = config_keep(config, overrides[k].value);
            value->origin = config_keep(config, overrides[k].origin);
            if (value->text == NULL || value->origin == NULL)
                return no_memory(err);
        }
    }
    for (size_t k = 0; k < n; k++) {
        if (config_setting_find(overrides[k].path) == NULL && strncmp(overrides[k].path, "kafka.", 6) != 0)
            return baton_fail(err, BATON_E_INVALID, "%s: unknown setting \"%s\"", overrides[k].origin, overrides[k].path);
    }
    return BATON_OK;
}

const char *config_text(const struct config *config, const char *path)
{
    for (size_t i = 0; i < config_settings_len; i++) {
        if (strcmp(config_settings[i].path, path) == 0)
            return config->values[i].text;
    }
    return NULL;
}

int64_t config_number(const struct config *config, const char *path)
{
    const char *text = config_text(config, path);
    int64_t number = 0;

    if (duration_parse(text, &number))
        return number;
    return strtoll(text, NULL, 10);
}

/* --- kafka --- */

static enum baton_err set_property(struct config *config, struct properties *properties, const char *name, const char *value,
                                   const char *origin, struct baton_error *err)
{
    size_t at = 0;

    while (at < properties->len && strcmp(properties->items[at].name, name) != 0)
        at++;
    if (at == CONFIG_PROPERTIES_MAX)
        return baton_fail(err, BATON_E_INVALID, "more than %d kafka properties", CONFIG_PROPERTIES_MAX);
    properties->items[at] = (struct kafka_property){.name = config_keep(config, name), .value = value};
    properties->origins[at] = origin;
    properties->len += at == properties->len;
    return properties->items[at].name != NULL && value != NULL && origin != NULL ? BATON_OK : no_memory(err);
}

static enum baton_err file_property(struct config *config, const char *where, const char *name, json_t *member, struct properties *properties,
                                    struct baton_error *err)
{
    const char *text = scalar_text(config, member);
    struct buffer pointer = {0};
    enum baton_err rc = BATON_OK;

    if (text == NULL) {
        buffer_text(&pointer, where);
        json_pointer_push(&pointer, name);
        rc = config_wrong(config, buffer_cstr(&pointer), false, err, "expected a string, a number or a boolean");
        buffer_free(&pointer);
    } else if (strcmp(where, "/kafka") == 0 && strcmp(name, "group.id") == 0) {
        config->group_id = text;
        config->group_origin = config->file_name;
    } else {
        rc = set_property(config, properties, name, text, config->file_name, err);
    }
    return rc;
}

static enum baton_err file_properties(struct config *config, json_t *object, const char *where, struct properties *properties,
                                      struct baton_error *err)
{
    bool common = strcmp(where, "/kafka") == 0;
    const char *name = NULL;
    json_t *member = NULL;

    if (object != NULL && !json_is_object(object))
        return config_wrong(config, where, false, err, "expected an object of librdkafka properties");
    json_object_foreach(object, name, member) {
        enum baton_err rc = BATON_OK;

        if (common && (strcmp(name, "consumer") == 0 || strcmp(name, "producer") == 0))
            continue;
        rc = file_property(config, where, name, member, properties, err);
        if (rc != BATON_OK)
            return rc;
    }
    return BATON_OK;
}

static enum baton_err override_property(struct config *config, const struct config_override *override, struct baton_error *err)
{
    const char *name = override->path + strlen("kafka."), *value = config_keep(config, override->value),
               *origin = config_keep(config, override->origin);

    if (strcmp(name, "group.id") != 0)
        return set_property(config, &config->common, name, value, origin, err);
    config->group_id = value;
    config->group_origin = origin;
    return value != NULL && origin != NULL ? BATON_OK : no_memory(err);
}

static enum baton_err settle_kafka(struct config *config, const struct config_override *overrides, size_t n, struct baton_error *err)
{
    json_t *section = config_file_value(config, "kafka");
    enum baton_err rc = BATON_OK;

    config->group_id = "baton";
    config->group_origin = "default";
    rc = set_property(config, &config->common, "bootstrap.servers", "127.0.0.1:9092", "default", err);
    if (rc == BATON_OK)
        rc = file_properties(config, section, "/kafka", &config->common, err);
    if (rc == BATON_OK)
        rc = file_properties(config, json_object_get(section, "consumer"), "/kafka/consumer", &config->consumer, err);
    if (rc == BATON_OK)
        rc = file_properties(config, json_object_get(section, "producer"), "/kafka/producer", &config->producer, err);
    for (size_t i = 0; rc == BATON_OK && i < n; i++) {
        if (strncmp(overrides[i].path, "kafka.", 6) == 0)
            rc = override_property(config, &overrides[i], err);
    }
    config->kafka = (struct kafka_options){.common = config->common.items, .common_len = config->common.len,
                                           .consumer = config->consumer.items, .consumer_len = config->consumer.len,
                                           .producer = config->producer.items, .producer_len = config->producer.len};
    if (rc == BATON_OK && config->group_id[0] == '\0')
        rc = baton_fail(err, BATON_E_INVALID, "kafka.group.id is empty");
    return rc == BATON_OK ? kafka_properties_check(&config->kafka, err) : rc;
}

/* What Baton writes may be larger than what it reads: a dead letter carries its message and more; a state its input and outputs. Not less than a broker
 * takes unasked. */
static int record_bytes(int64_t message_bytes)
{
    int64_t bytes = 4 * message_bytes;

    return (int)(bytes > 1048588 ? bytes : 1048588);
}

/* --- all of it --- */

static void settle_rest(struct config *config)
{
    config->redis = (struct redis_options){.url = config_text(config, "redis.url"), .username = config_text(config, "redis.username"),
                                           .password_file = config_text(config, "redis.passwordFile"),
                                           .prefix = config_text(config, "redis.prefix")};
    config->threads = (int)config_number(config, "engine.threads");
    config->limits = (struct engine_limits){
        .batch_max_count = (int)config_number(config, "engine.batch.maxCount"),
        .batch_max_bytes = (size_t)config_number(config, "engine.batch.maxBytes"),
        .batch_max_wait_ms = (int)config_number(config, "engine.batch.maxWait"),
        .view_lag_ms = (int)config_number(config, "engine.viewLag"),
        .retention_ms = config_number(config, "engine.retention"),
        .cache_bytes = (size_t)config_number(config, "engine.cacheBytes"),
        .max_message_bytes = (int)config_number(config, "engine.maxMessageBytes"),
        .max_record_bytes = record_bytes(config_number(config, "engine.maxMessageBytes")),
        .definition_wait_ms = (int)config_number(config, "engine.definitionWait"),
    };
}

enum baton_err config_load(const char *file, const struct config_override *overrides, size_t n, struct config **ret_config,
                           struct baton_error *err)
{
    struct config *config = calloc(1, sizeof *config);
    struct buffer pointer = {0};
    enum baton_err rc = BATON_OK;

    if (config == NULL)
        return no_memory(err);
    config->file_name = config_keep(config, file != NULL ? file : "");
    if (config->file_name == NULL)
        rc = no_memory(err);
    else if (file != NULL)
        rc = read_file(config, file, err);
    if (rc == BATON_OK && config->file != NULL)
        rc = check_names(config, config->file, "", &pointer, err);
    if (rc == BATON_OK)
        rc = settle(config, overrides, n, err);
    if (rc == BATON_OK)
        rc = settle_kafka(config, overrides, n, err);
    if (rc == BATON_OK)
        rc = config_settle_topics(config, err);
    buffer_free(&pointer);
    if (rc != BATON_OK) {
        config_free(config);
        return rc;
    }
    settle_rest(config);
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

const char *config_reply_key_file(const struct config *config)
{
    return config_text(config, "security.replyKeyFile");
}

const char *config_log_level(const struct config *config)
{
    return config_text(config, "log.level");
}

bool config_log_json(const struct config *config)
{
    return strcmp(config_text(config, "log.format"), "json") == 0;
}

/*
 * config_table.c -- the settings: names, types, bounds, defaults.
 *
 * Owns:     what a value may be, and which name was probably meant (docs/configuration.md; schemas/configuration.schema.json).
 * Tests:    tests/cli/test_config.c, tests/schemas/schema_agreement.cpp
 */
#include "config_internal.h"
#include <baton/definition.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct setting config_settings[] = {
    {"redis.url", SETTING_TEXT, "redis://127.0.0.1:6379", 0, 0},
    {"redis.username", SETTING_TEXT, NULL, 0, 0},
    {"redis.passwordFile", SETTING_TEXT, NULL, 0, 0},
    {"redis.prefix", SETTING_TEXT, "baton", 0, 0},
    {"topics.prefix", SETTING_TEXT, "", 0, 0},
    {"topics.partitions", SETTING_WHOLE, "8", 1, 1000},
    {"topics.replication", SETTING_WHOLE, "-1", -1, 100},
    {"topics.replies", SETTING_TEXT, "baton.replies", 0, 0},
    {"topics.control", SETTING_TEXT, "baton.control", 0, 0},
    {"topics.results", SETTING_TEXT, "baton.results", 0, 0},
    {"topics.journal", SETTING_TEXT, "baton.journal", 0, 0},
    {"topics.state", SETTING_TEXT, "baton.state", 0, 0},
    {"topics.events", SETTING_TEXT, "baton.events", 0, 0},
    {"topics.definitions", SETTING_TEXT, "baton.definitions", 0, 0},
    {"topics.dlq", SETTING_TEXT, "baton.dlq", 0, 0},
    {"engine.threads", SETTING_WHOLE, "1", 1, 64},
    {"engine.batch.maxCount", SETTING_WHOLE, "2000", 1, 20000},
    {"engine.batch.maxBytes", SETTING_WHOLE, "4194304", 1024, 64 * 1024 * 1024},
    {"engine.batch.maxWait", SETTING_DURATION, "0ms", 0, 1000},
    {"engine.viewLag", SETTING_DURATION, "100ms", 0, 10000},
    {"engine.retention", SETTING_DURATION, "7d", 1000, INT64_C(3650) * 86400000},
    {"engine.cacheBytes", SETTING_WHOLE, "50331648", 1024 * 1024, INT64_C(1) << 40},
    {"engine.maxMessageBytes", SETTING_WHOLE, "1000000", 1000, 100000000},
    {"engine.definitionWait", SETTING_DURATION, "10s", 0, 600000},
    {"security.replyKeyFile", SETTING_TEXT, NULL, 0, 0},
    {"log.level", SETTING_TEXT, "info", 0, 0},
    {"log.format", SETTING_TEXT, "text", 0, 0},
};
const size_t config_settings_len = sizeof config_settings / sizeof *config_settings;
_Static_assert(sizeof config_settings / sizeof *config_settings <= CONFIG_SETTINGS_MAX, "struct config holds a value for each");

/* Keys that are no scalars, and sections. */
static const char *const others[] = {"kafka", "services", "redis", "topics", "engine", "security", "log", "topics.start", "topics.allowReplyTo"};
#define OTHERS (sizeof others / sizeof *others)

/* Of the design, not of this version: said so, instead of "unknown". */
static const char *const later[] = {"http", "redis.caFile"};
#define LATER (sizeof later / sizeof *later)

const struct setting *config_setting_find(const char *path)
{
    for (size_t i = 0; i < config_settings_len; i++) {
        if (strcmp(config_settings[i].path, path) == 0)
            return &config_settings[i];
    }
    return NULL;
}

bool config_is_section(const char *path)
{
    size_t len = strlen(path);

    for (size_t i = 0; i < config_settings_len; i++) {
        if (strncmp(config_settings[i].path, path, len) == 0 && config_settings[i].path[len] == '.')
            return true;
    }
    return false;
}

static bool one_of(const char *text, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcmp(text, *words) == 0)
            return true;
    }
    return false;
}

static bool text_fits(const char *path, const char *text, char *why, size_t why_size)
{
    static const char *const levels[] = {"error", "warn", "info", "debug", NULL}, *const formats[] = {"text", "json", NULL};

    why[0] = '\0';
    if (strcmp(path, "log.level") == 0 && !one_of(text, levels))
        (void)snprintf(why, why_size, "is not error, warn, info or debug");
    if (strcmp(path, "log.format") == 0 && !one_of(text, formats))
        (void)snprintf(why, why_size, "is not text or json");
    return why[0] == '\0';
}

bool config_value_fits(const struct setting *setting, const char *text, char *why, size_t why_size)
{
    char *end = NULL;
    int64_t number = 0;

    if (setting->type == SETTING_TEXT)
        return text_fits(setting->path, text, why, why_size);
    if (setting->type == SETTING_DURATION) {
        if (!duration_parse(text, &number)) {
            (void)snprintf(why, why_size, "is not a duration such as 250ms, 30s, 5m, 24h, 7d");
            return false;
        }
    } else {
        errno = 0;
        number = strtoll(text, &end, 10);
        if (errno != 0 || end == text || *end != '\0') {
            (void)snprintf(why, why_size, "is not a whole number");
            return false;
        }
    }
    if (number >= setting->min && number <= setting->max)
        return true;
    (void)snprintf(why, why_size, "is out of its range, %" PRId64 " to %" PRId64 "%s", setting->min, setting->max,
                   setting->type == SETTING_DURATION ? " ms" : "");
    return false;
}

void config_unknown_advice(const char *path, char *out, size_t size)
{
    const char *names[CONFIG_SETTINGS_MAX + OTHERS], *near = NULL;
    size_t n = 0;

    for (size_t i = 0; i < LATER; i++) {
        if (strcmp(later[i], path) == 0) {
            (void)snprintf(out, size, "is not supported by this version; remove it");
            return;
        }
    }
    for (size_t i = 0; i < config_settings_len; i++)
        names[n++] = config_settings[i].path;
    for (size_t i = 0; i < OTHERS; i++)
        names[n++] = others[i];
    near = nearest_name(path, names, n);
    if (near != NULL)
        (void)snprintf(out, size, "is no setting; did you mean \"%s\"?", near);
    else
        (void)snprintf(out, size, "is no setting; see docs/configuration.md");
}

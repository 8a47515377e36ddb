/*
 * config_internal.h -- what the files of the configuration know of each other.
 *
 * config.c         file, environment and flags into one value each, with its origin
 * config_table.c   the settings: names, types, bounds, defaults
 * config_topics.c  topics and start bindings, prefix applied
 * config_services.c  what is said of single services
 * config_dump.c    all of it to look at, secrets masked
 */
#ifndef BATON_CONFIG_INTERNAL_H
#define BATON_CONFIG_INTERNAL_H

#include <baton/config.h>

#define CONFIG_SETTINGS_MAX 64
#define CONFIG_PROPERTIES_MAX 256
#define CONFIG_NAMES_MAX 64

enum setting_type { SETTING_TEXT, SETTING_WHOLE, SETTING_DURATION };

struct setting {
    const char *path; /* section.name or section.part.name */
    enum setting_type type;
    const char *standard; /* NULL = none */
    int64_t min, max;     /* of a whole number, or of a duration in ms */
};

struct value {
    const char *path, *text, *origin; /* owned by the config */
};

struct properties { /* librdkafka's, as one of its clients gets them */
    struct kafka_property items[CONFIG_PROPERTIES_MAX];
    const char *origins[CONFIG_PROPERTIES_MAX];
    size_t len;
};

struct config {
    char **owned;
    size_t owned_len, owned_cap;
    struct value values[CONFIG_SETTINGS_MAX];
    struct properties common, consumer, producer;
    struct kafka_options kafka;
    struct redis_options redis;
    const char *group_id, *group_origin;
    struct bus_input inputs[BUS_INPUTS_MAX];
    const char *allow_reply_to[CONFIG_NAMES_MAX + 1];
    const char *service_replies[2 * CONFIG_NAMES_MAX + 1];
    struct config_topics topics;
    struct service_rules services[SERVICE_RULES_MAX]; /* those with rules */
    size_t services_len;
    struct engine_limits limits;
    int threads;
    json_t *file; /* NULL = none */
    const char *file_name;
    char *file_text; /* for line and column of what is wrong in it */
    size_t file_len;
};

/* config_table.c */
extern const struct setting config_settings[];
extern const size_t config_settings_len; /* at most CONFIG_SETTINGS_MAX */
/** NULL = no such setting. */
const struct setting *config_setting_find(const char *path);
/** A section on the way to a setting: "engine", "engine.batch". */
bool config_is_section(const char *path);
/** Does a value's text fit the setting? The reason, without place or origin, in why. */
bool config_value_fits(const struct setting *setting, const char *text, char *why, size_t why_size);
/** What to do about a key that is no setting: the rest of a sentence. */
void config_unknown_advice(const char *path, char *out, size_t size);

/* config.c */
/** A copy that lives as long as config; NULL if memory ran out. */
const char *config_keep(struct config *config, const char *text);
/** What is wrong in the file, with its line and column: `FILE:LINE:COLUMN: /pointer: text`. */
enum baton_err config_wrong(const struct config *config, const char *pointer, bool of_key, struct baton_error *err, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/** The file's value of a setting or section; NULL if it has none. */
json_t *config_file_value(const struct config *config, const char *path);
const char *config_text(const struct config *config, const char *path);
int64_t config_number(const struct config *config, const char *path);

/* config_services.c */
enum baton_err config_settle_services(struct config *config, struct baton_error *err);

/* config_topics.c */
enum baton_err config_settle_topics(struct config *config, struct baton_error *err);

#endif

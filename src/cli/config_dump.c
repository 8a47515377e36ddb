/*
 * config_dump.c -- every setting, its value and where it came from; secrets masked.
 *
 * Owns:     what counts as a secret.
 * Tests:    tests/cli/test_config.c
 */
#include "config_internal.h"
#include <baton/buffer.h>
#include <string.h>

#define MASK "********"

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
static void mask(struct buffer *shown, const char *name, const char *value)
{
    const char *at = strrchr(value, '@'), *scheme = strstr(value, "://");

    if (secret(name)) {
        buffer_text(shown, MASK);
    } else if (scheme != NULL && at != NULL && at > scheme) {
        buffer_append(shown, value, (size_t)(scheme - value));
        buffer_text(shown, "://" MASK);
        buffer_text(shown, at);
    } else {
        buffer_text(shown, value);
    }
}

static void add_row(json_t *rows, const char *section, const char *name, const char *value, const char *origin)
{
    struct buffer path = {0}, shown = {0};

    buffer_text(&path, section);
    buffer_text(&path, name);
    if (value != NULL)
        mask(&shown, name, value);
    (void)json_array_append_new(rows, json_pack("{s:s, s:o, s:s}", "path", buffer_cstr(&path), "value",
                                                value != NULL ? json_string(buffer_cstr(&shown)) : json_null(), "origin", origin));
    buffer_free(&path);
    buffer_free(&shown);
}

static void add_properties(json_t *rows, const char *section, const struct properties *properties)
{
    for (size_t i = 0; i < properties->len; i++)
        add_row(rows, section, properties->items[i].name, properties->items[i].value, properties->origins[i]);
}

/* What the file says of services, as it stands there. */
static void add_services(json_t *rows, const char *prefix, json_t *object, const char *origin)
{
    const char *key = NULL;
    json_t *member = NULL;

    json_object_foreach(object, key, member) {
        struct buffer path = {0};

        buffer_text(&path, prefix);
        buffer_text(&path, key);
        if (json_is_object(member)) {
            buffer_char(&path, '.');
            add_services(rows, buffer_cstr(&path), member, origin);
        } else {
            struct buffer text = {0};

            if (!json_is_string(member))
                json_write(&text, member);
            add_row(rows, "", buffer_cstr(&path), json_is_string(member) ? json_string_value(member) : buffer_cstr(&text), origin);
            buffer_free(&text);
        }
        buffer_free(&path);
    }
}

json_t *config_dump(const struct config *config)
{
    json_t *rows = json_array(), *member = NULL, *bound = config_file_value(config, "topics.start");
    size_t i = 0;

    add_properties(rows, "kafka.", &config->common);
    add_row(rows, "kafka.", "group.id", config->group_id, config->group_origin);
    add_properties(rows, "kafka.consumer.", &config->consumer);
    add_properties(rows, "kafka.producer.", &config->producer);
    for (size_t k = 0; k < config_settings_len; k++)
        add_row(rows, "", config->values[k].path, config->values[k].text, config->values[k].origin);
    for (size_t k = 0; k < config->topics.inputs_len; k++) {
        if (config->inputs[k].kind == INPUT_START)
            add_row(rows, "topics.start.", config->inputs[k].topic + strlen(config->topics.prefix), config->inputs[k].binding,
                    bound != NULL ? config->file_name : "default");
    }
    json_array_foreach(config_file_value(config, "topics.allowReplyTo"), i, member)
        add_row(rows, "topics.", "allowReplyTo", json_string_value(member), config->file_name);
    add_services(rows, "services.", config_file_value(config, "services"), config->file_name);
    return rows;
}

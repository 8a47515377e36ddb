/*
 * config_topics.c -- which topics there are: names with the prefix applied, start bindings, reply topics of services.
 *
 * Owns:     the sections topics.start and topics.allowReplyTo, services.<name>.replyTopic; what a topic may be called.
 * Tests:    tests/cli/test_config.c
 */
#include "config_internal.h"
#include <baton/json.h>
#include <stdio.h>
#include <string.h>

static bool topic_name_valid(const char *name)
{
    size_t len = strlen(name);

    return len >= 1 && len <= 249 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

/* The whole name of a topic: *ret_topic stays as it was if it cannot be one. */
static enum baton_err prefixed(struct config *config, const char *name, const char **ret_topic, struct baton_error *err)
{
    char text[512];
    const char *topic = NULL;

    (void)snprintf(text, sizeof text, "%s%s", config->topics.prefix, name);
    if (!topic_name_valid(name) || !topic_name_valid(text))
        return baton_fail(err, BATON_E_INVALID, "\"%s\" is not a topic name: 1 to 249 of A-Za-z0-9._- with topics.prefix before it", text);
    topic = config_keep(config, text);
    if (topic == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory for the configuration");
    *ret_topic = topic;
    return BATON_OK;
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

/* Is this an object with no member but `only`? */
static enum baton_err check_entry(const struct config *config, const char *section, const char *name, json_t *entry, const char *only,
                                  struct baton_error *err)
{
    struct buffer pointer = {0};
    const char *key = NULL;
    json_t *member = NULL;
    enum baton_err rc = BATON_OK;

    buffer_text(&pointer, section);
    json_pointer_push(&pointer, name);
    if (!json_is_object(entry))
        rc = config_wrong(config, buffer_cstr(&pointer), false, err, "expected an object with \"%s\"", only);
    json_object_foreach(entry, key, member) {
        if (rc != BATON_OK)
            break;
        json_pointer_push(&pointer, key);
        if (strcmp(key, only) != 0)
            rc = config_wrong(config, buffer_cstr(&pointer), true, err, "\"%.60s\" is not supported by this version; it may only have \"%s\"",
                              key, only);
        else if (!json_is_string(member))
            rc = config_wrong(config, buffer_cstr(&pointer), false, err, "expected a string");
    }
    buffer_free(&pointer);
    return rc;
}

static enum baton_err start_topics(struct config *config, struct baton_error *err)
{
    json_t *section = config_file_value(config, "topics.start"), *entry = NULL;
    const char *name = NULL, *topic = NULL;
    enum baton_err rc = BATON_OK;

    if (section == NULL) {
        rc = prefixed(config, "orders.commands", &topic, err);
        return rc == BATON_OK ? add_input(config, topic, INPUT_START, NULL, err) : rc;
    }
    if (!json_is_object(section) || json_object_size(section) == 0)
        return config_wrong(config, "/topics/start", false, err, "expected an object {\"<topic>\": {\"saga\": \"<definition>\"}} with at least one topic");
    json_object_foreach(section, name, entry) {
        const char *saga = NULL;

        rc = check_entry(config, "/topics/start", name, entry, "saga", err);
        saga = json_string_value(json_object_get(entry, "saga"));
        if (rc == BATON_OK && saga != NULL && !definition_name_valid(saga, strlen(saga)))
            rc = config_wrong(config, "/topics/start", false, err, "topic \"%.60s\": \"%.60s\" is not a definition's name", name, saga);
        if (rc == BATON_OK)
            rc = prefixed(config, name, &topic, err);
        if (rc == BATON_OK)
            rc = add_input(config, topic, INPUT_START, saga != NULL ? config_keep(config, saga) : NULL, err);
        if (rc != BATON_OK)
            return rc;
    }
    return BATON_OK;
}

/* What else is said of a service has been looked at (config_services.c). */
static enum baton_err service_topics(struct config *config, struct baton_error *err)
{
    json_t *section = config_file_value(config, "services"), *entry = NULL;
    const char *name = NULL, *topic = NULL;
    size_t n = 0;

    json_object_foreach(section, name, entry) {
        const char *reply = json_string_value(json_object_get(entry, "replyTopic"));
        enum baton_err rc = reply == NULL ? BATON_OK : prefixed(config, reply, &topic, err);

        if (rc == BATON_OK && reply != NULL) {
            config->service_replies[2 * n] = config_keep(config, name);
            config->service_replies[2 * n + 1] = topic;
            rc = add_input(config, topic, INPUT_REPLIES, config->service_replies[2 * n], err);
            n++;
        }
        if (rc != BATON_OK)
            return rc;
    }
    return BATON_OK;
}

static enum baton_err allowed_topics(struct config *config, struct baton_error *err)
{
    json_t *allowed = config_file_value(config, "topics.allowReplyTo"), *member = NULL;
    size_t i = 0;

    if (allowed != NULL && (!json_is_array(allowed) || json_array_size(allowed) > CONFIG_NAMES_MAX))
        return config_wrong(config, "/topics/allowReplyTo", false, err, "expected a list of at most %d topic names", CONFIG_NAMES_MAX);
    json_array_foreach(allowed, i, member) {
        if (!json_is_string(member) || !topic_name_valid(json_string_value(member)))
            return config_wrong(config, "/topics/allowReplyTo", false, err, "item %zu is no topic name", i);
        config->allow_reply_to[i] = config_keep(config, json_string_value(member));
    }
    return BATON_OK;
}

static enum baton_err own_topics(struct config *config, struct baton_error *err)
{
    struct config_topics *topics = &config->topics;
    const struct own {
        const char *path, **place;
    } own[] = {{"topics.replies", &topics->replies}, {"topics.control", &topics->control}, {"topics.results", &topics->results},
               {"topics.journal", &topics->journal}, {"topics.state", &topics->state}, {"topics.events", &topics->events},
               {"topics.definitions", &topics->definitions}, {"topics.dlq", &topics->dlq}};
    enum baton_err rc = BATON_OK;

    for (size_t i = 0; rc == BATON_OK && i < sizeof own / sizeof *own; i++) {
        rc = prefixed(config, config_text(config, own[i].path), own[i].place, err);
        for (size_t k = 0; rc == BATON_OK && k < i; k++) {
            if (strcmp(*own[i].place, *own[k].place) == 0)
                rc = baton_fail(err, BATON_E_INVALID, "%s and %s are both \"%s\"", own[k].path, own[i].path, *own[i].place);
        }
    }
    return rc;
}

enum baton_err config_settle_topics(struct config *config, struct baton_error *err)
{
    struct config_topics *topics = &config->topics;
    enum baton_err rc = BATON_OK;

    topics->prefix = config_text(config, "topics.prefix");
    topics->partitions = (int32_t)config_number(config, "topics.partitions");
    topics->replication = (int32_t)config_number(config, "topics.replication");
    if (topics->replication == 0)
        return baton_fail(err, BATON_E_INVALID, "topics.replication is 0; -1 is the broker's default");
    topics->inputs = config->inputs;
    topics->allow_reply_to = config->allow_reply_to;
    topics->service_replies = config->service_replies;
    rc = config_settle_services(config, err);
    if (rc == BATON_OK)
        rc = own_topics(config, err);
    if (rc == BATON_OK)
        rc = start_topics(config, err);
    if (rc == BATON_OK)
        rc = add_input(config, topics->replies, INPUT_REPLIES, NULL, err);
    if (rc == BATON_OK)
        rc = service_topics(config, err);
    if (rc == BATON_OK)
        rc = add_input(config, topics->control, INPUT_CONTROL, NULL, err);
    return rc == BATON_OK ? allowed_topics(config, err) : rc;
}

/*
 * command.c -- a command as a participant reads it: from its headers.
 */
#include "participants.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

static void copy_header(const rd_kafka_headers_t *headers, const char *name, char *out, size_t size)
{
    const char *found = NULL;
    const void *value = NULL;
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; headers != NULL && rd_kafka_header_get_all(headers, i, &found, &value, &len) == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        if (strcasecmp(found, name) == 0 && value != NULL) {
            (void)snprintf(out, size, "%.*s", (int)len, (const char *)value);
            return;
        }
    }
}

static int64_t time_of(const char *text)
{
    struct tm tm = {0};
    int ms = 0;

    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &ms) != 7)
        return 0;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    return (int64_t)timegm(&tm) * 1000 + ms;
}

bool command_read(const char *prefix, const rd_kafka_message_t *message, struct command *command)
{
    const char *topic = rd_kafka_topic_name(message->rkt) + strlen(prefix);
    rd_kafka_headers_t *headers = NULL;
    char service[DEFINITION_NAME_MAX + 16], name[128], action[16], number[16], expires[40], sent[40];

    (void)rd_kafka_message_headers(message, &headers);
    (void)snprintf(service, sizeof service, "%.*s", (int)(strlen(topic) - strlen(".commands")), topic);
    copy_header(headers, "ce_type", name, sizeof name);
    copy_header(headers, "ce_sagaid", command->saga, sizeof command->saga);
    copy_header(headers, "ce_sagastep", command->step, sizeof command->step);
    copy_header(headers, "ce_sagaaction", action, sizeof action);
    copy_header(headers, "ce_sagaattempt", number, sizeof number);
    copy_header(headers, "ce_expirytime", expires, sizeof expires);
    copy_header(headers, "ce_time", sent, sizeof sent);
    copy_header(headers, "idempotency-key", command->key, sizeof command->key);
    copy_header(headers, "kafka_correlationId", command->correlation, sizeof command->correlation);
    copy_header(headers, "kafka_replyTopic", command->reply_topic, sizeof command->reply_topic);
    command->undo = strcmp(action, "compensate") == 0;
    command->attempt = (int)strtol(number, NULL, 10);
    command->expires_in_ms = time_of(expires) - time_of(sent);
    command->role = example_step_of(service, name, &command->undo);
    return command->key[0] != '\0' && command->correlation[0] != '\0' && command->reply_topic[0] != '\0';
}

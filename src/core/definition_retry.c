/*
 * definition_retry.c -- how often and how long: of a step, of a compensation, and what the definition says for all of them.
 *
 * Owns:     retries and the defaults; a policy's lists of codes.
 * Tests:    tests/core/test_definition.c
 */
#include "definition_parts.h"
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_DEFAULT_MS 30000

static const struct retry_policy retry_default = {.attempts = 3, .interval_ms = 500, .backoff = 2.0, .max_interval_ms = 30000, .jitter = 0.2};
static const struct retry_policy undo_default = {.attempts = 10, .interval_ms = 500, .backoff = 2.0, .max_interval_ms = 30000, .jitter = 0.2};

void texts_free(char **codes)
{
    for (size_t i = 0; codes != NULL && codes[i] != NULL; i++)
        free(codes[i]);
    free(codes);
}

static char **copy_codes(struct checking *checking, char *const *codes)
{
    size_t n = 0;
    char **copied = NULL;

    if (codes == NULL)
        return NULL;
    while (codes[n] != NULL)
        n++;
    copied = calloc(n + 1, sizeof *copied);
    checking->no_memory = checking->no_memory || copied == NULL;
    for (size_t i = 0; copied != NULL && i < n; i++)
        copied[i] = read_copy(checking, codes[i]);
    return copied;
}

static void codes_of(struct checking *checking, const json_t *doc, const char *key, char ***codes)
{
    json_t *value = json_object_get(doc, key);
    size_t n = json_array_size(value);

    if (value == NULL)
        return;
    texts_free(*codes);
    *codes = calloc(n + 1, sizeof **codes);
    checking->no_memory = checking->no_memory || *codes == NULL;
    if (!json_is_array(value) || n == 0)
        WRONG(checking, key, "a list of error codes expected, at least one");
    for (size_t i = 0, used = 0; *codes != NULL && i < n; i++) {
        const char *code = json_string_value(json_array_get(value, i));

        if (code == NULL || code[0] == '\0')
            WRONG(checking, key, "a list of error codes expected: item %zu is not a text", i);
        else
            (*codes)[used++] = read_copy(checking, code);
    }
}

static void attempts_of(struct checking *checking, const json_t *doc, int *ret_attempts)
{
    json_t *value = json_object_get(doc, "attempts");

    if (value == NULL)
        return;
    if (json_is_string(value) && strcmp(json_string_value(value), "unlimited") == 0)
        *ret_attempts = RETRY_UNLIMITED;
    else if (json_is_integer(value) && json_integer_value(value) >= 1 && json_integer_value(value) <= RETRY_ATTEMPTS_MAX)
        *ret_attempts = (int)json_integer_value(value);
    else
        WRONG(checking, "attempts", "1 to %d or \"unlimited\" expected", RETRY_ATTEMPTS_MAX);
}

/* Over policy, which holds the defaults and owns its lists. */
void read_retry(struct checking *checking, const json_t *parent, struct retry_policy *policy)
{
    static const char *const names[] = {"attempts", "interval", "backoff", "maxInterval", "maxDuration", "jitter", "on", "notOn", NULL};
    const json_t *doc = json_object_get(parent, "retry");
    size_t len = 0;

    if (doc == NULL)
        return;
    len = read_enter(checking, "retry");
    if (read_members(checking, doc, names)) {
        attempts_of(checking, doc, &policy->attempts);
        read_duration(checking, doc, "interval", &policy->interval_ms);
        read_number(checking, doc, "backoff", 1, 100, &policy->backoff);
        read_duration(checking, doc, "maxInterval", &policy->max_interval_ms);
        read_duration(checking, doc, "maxDuration", &policy->max_duration_ms);
        read_number(checking, doc, "jitter", 0, 1, &policy->jitter);
        codes_of(checking, doc, "on", &policy->on);
        codes_of(checking, doc, "notOn", &policy->not_on);
        if (policy->max_interval_ms < policy->interval_ms) {
            if (json_object_get(doc, "maxInterval") != NULL)
                WRONG(checking, "maxInterval", "below \"interval\"");
            policy->max_interval_ms = policy->interval_ms;
        }
    }
    read_leave(checking, len);
}

struct retry_policy retry_inherit(struct checking *checking, const struct retry_policy *from)
{
    struct retry_policy policy = *from;

    policy.on = copy_codes(checking, from->on);
    policy.not_on = copy_codes(checking, from->not_on);
    return policy;
}

void retry_free(struct retry_policy *policy)
{
    texts_free(policy->on);
    texts_free(policy->not_on);
}

void read_defaults(struct checking *checking, const json_t *doc, struct defaults *defaults)
{
    static const char *const names[] = {"timeout", "retry", "compensation", NULL};
    static const char *const undo_names[] = {"timeout", "retry", NULL};
    const json_t *inner = json_object_get(doc, "defaults"), *undo = NULL;
    size_t len = 0;

    *defaults = (struct defaults){TIMEOUT_DEFAULT_MS, TIMEOUT_DEFAULT_MS, retry_default, undo_default};
    if (inner == NULL)
        return;
    len = read_enter(checking, "defaults");
    if (read_members(checking, inner, names)) {
        read_duration(checking, inner, "timeout", &defaults->timeout_ms);
        read_retry(checking, inner, &defaults->retry);
        defaults->undo_timeout_ms = defaults->timeout_ms;
        /* A compensation waits as long, but is tried more often: giving up leaves the effect in place. */
        defaults->undo_retry.interval_ms = defaults->retry.interval_ms;
        defaults->undo_retry.backoff = defaults->retry.backoff;
        defaults->undo_retry.max_interval_ms = defaults->retry.max_interval_ms;
        defaults->undo_retry.jitter = defaults->retry.jitter;
        undo = json_object_get(inner, "compensation");
        if (undo != NULL) {
            size_t inner_len = read_enter(checking, "compensation");

            if (read_members(checking, undo, undo_names)) {
                read_duration(checking, undo, "timeout", &defaults->undo_timeout_ms);
                read_retry(checking, undo, &defaults->undo_retry);
            }
            read_leave(checking, inner_len);
        }
    }
    read_leave(checking, len);
}

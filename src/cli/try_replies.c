/*
 * try_replies.c -- what participants answer in a trial.
 *
 * Owns:     the form of a replies file: {"<step>": [answer...], "<step>/c": [answer...]}, each list in the order of the commands; of one iteration of a forEach
 *           "<step>.<index>".
 * Tests:    tests/cli/test_try.py
 */
#include "try.h"
#include <baton/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MS 10     /* how long an answer takes if it does not say */
#define TIMES_MAX 1000
#define KEY_MAX (SAGA_PLACE_NAME_MAX + 3)
#define UNDO "/c"        /* a step's compensation */

enum kind { SUCCESS, FAILURE, RETRY, PENDING, TIMEOUT, KINDS };

static const char *const kind_names[KINDS] = {"success", "failure", "retry", "pending", "timeout"};

struct list {
    char key[KEY_MAX];
    struct saga_place place; /* without an iteration: of all of them */
    enum saga_action action;
    json_t *answers;  /* borrowed from the document; NULL = none */
    size_t at;        /* the answer that is next ... */
    int64_t repeated; /* ... and how often it has been given */
};

struct replies {
    const struct definition *definition;
    struct list *lists; /* what the definition can ask: each step, and each compensation */
    size_t lists_len;
    json_t *random_body, *made; /* bodies that answers borrow: of random refusals; of codes in the file */
    bool random;
    uint64_t state;
};

/* --- reading --- */

struct reading {
    const struct replies *replies;
    struct findings *findings;
    struct buffer pointer;
};

static void say(struct reading *reading, enum finding_level level, const char *key, bool of_key, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static void say(struct reading *reading, enum finding_level level, const char *key, bool of_key, const char *format, ...)
{
    struct findings *findings = reading->findings;
    size_t len = reading->pointer.len;
    struct finding *finding = NULL;
    const char *pointer = NULL;
    va_list args;

    findings->errors += level == FINDING_ERROR;
    if (findings->len == FINDINGS_MAX)
        return;
    if (key != NULL)
        json_pointer_push(&reading->pointer, key);
    pointer = buffer_cstr(&reading->pointer);
    finding = &findings->items[findings->len++];
    *finding = (struct finding){.level = level, .of_key = of_key};
    (void)snprintf(finding->pointer, sizeof finding->pointer, "%s", pointer == NULL ? "" : pointer);
    va_start(args, format);
    (void)vsnprintf(finding->text, sizeof finding->text, format, args);
    va_end(args);
    baton_text_clean(finding->pointer);
    baton_text_clean(finding->text);
    reading->pointer.len = len;
}

#define WRONG(reading, key, ...) say((reading), FINDING_ERROR, (key), false, __VA_ARGS__)
#define WRONG_KEY(reading, key, ...) say((reading), FINDING_ERROR, (key), true, __VA_ARGS__)

static void unknown(struct reading *reading, const char *what, const char *key, const char *const *names, size_t n)
{
    const char *near = nearest_name(key, names, n);

    if (near != NULL)
        WRONG_KEY(reading, key, "%s \"%.60s\"; did you mean \"%s\"?", what, key, near);
    else
        WRONG_KEY(reading, key, "%s \"%.60s\"", what, key);
}

static bool listed(const char *word, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(word, names[i]) == 0)
            return true;
    }
    return false;
}

/* KINDS: the body tells. */
static enum kind kind_of(const json_t *answer)
{
    const char *name = json_string_value(json_object_get(answer, "outcome"));

    for (int i = 0; name != NULL && i < KINDS; i++) {
        if (strcmp(name, kind_names[i]) == 0)
            return (enum kind)i;
    }
    return KINDS;
}

static void read_after(struct reading *reading, const json_t *answer, const char *key)
{
    json_t *value = json_object_get(answer, key);
    int64_t ms = 0;

    if (value != NULL && (!json_is_string(value) || !duration_parse(json_string_value(value), &ms)))
        WRONG(reading, key, "a duration like \"250ms\", \"30s\" or \"5m\" expected");
}

static void read_text(struct reading *reading, const json_t *answer, const char *key)
{
    json_t *value = json_object_get(answer, key);

    if (value != NULL && !json_is_string(value))
        WRONG(reading, key, "a text expected");
    else if (value != NULL && json_object_get(answer, "body") != NULL)
        WRONG_KEY(reading, key, "\"%s\" and \"body\" exclude each other: they are the body", key);
}

static void read_headers(struct reading *reading, const json_t *answer)
{
    json_t *headers = json_object_get(answer, "headers"), *value = NULL;
    const char *name = NULL;
    bool texts = json_is_object(headers);

    json_object_foreach(headers, name, value)
        texts = texts && json_is_string(value);
    if (headers != NULL && !texts)
        WRONG(reading, "headers", "an object of texts expected");
}

static void read_answer(struct reading *reading, const json_t *answer)
{
    static const char *const members[] = {"outcome", "times", "after", "headers", "body", "code", "message", "retryAfter"};
    /* How many of these each outcome has; without an outcome: up to the body. */
    static const size_t count[KINDS + 1] = {[SUCCESS] = 5, [FAILURE] = 7, [RETRY] = 8, [PENDING] = 3, [TIMEOUT] = 2, [KINDS] = 5};
    const size_t all = sizeof members / sizeof *members;
    json_t *outcome = json_object_get(answer, "outcome"), *times = json_object_get(answer, "times"), *value = NULL;
    enum kind kind = kind_of(answer);
    const char *key = NULL;

    if (!json_is_object(answer)) {
        WRONG(reading, NULL, "an answer like {\"outcome\":\"success\",\"body\":{}} expected");
        return;
    }
    if (outcome != NULL && kind == KINDS) {
        const char *word = json_is_string(outcome) ? json_string_value(outcome) : "", *near = nearest_name(word, kind_names, KINDS);

        WRONG(reading, "outcome", "success, failure, retry, pending or timeout expected%s%s%s", near != NULL ? "; did you mean \"" : "",
              near != NULL ? near : "", near != NULL ? "\"?" : "");
    } else if (outcome == NULL && json_object_get(answer, "body") == NULL) {
        WRONG(reading, NULL, "\"outcome\" is missing (or a \"body\" that tells it, as docs/protocol.md has it)");
    }
    json_object_foreach((json_t *)(uintptr_t)answer, key, value) {
        if (!listed(key, members, all))
            unknown(reading, "unknown member", key, members, all);
        else if (!listed(key, members, count[kind]))
            WRONG_KEY(reading, key, "\"%s\" has no meaning with %s%s", key, kind == KINDS ? "no outcome" : "outcome ",
                      kind == KINDS ? "" : kind_names[kind]);
    }
    if (times != NULL && (!json_is_integer(times) || json_integer_value(times) < 1 || json_integer_value(times) > TIMES_MAX))
        WRONG(reading, "times", "1 to %d expected", TIMES_MAX);
    read_after(reading, answer, "after");
    read_after(reading, answer, "retryAfter");
    read_text(reading, answer, "code");
    read_text(reading, answer, "message");
    read_headers(reading, answer);
}

static void read_list(struct reading *reading, const char *key, const json_t *answers)
{
    size_t len = reading->pointer.len;

    if (!json_is_array(answers)) {
        WRONG(reading, key, "a list of answers expected");
        return;
    }
    json_pointer_push(&reading->pointer, key);
    for (size_t i = 0; i < json_array_size(answers); i++) {
        size_t inner = reading->pointer.len;

        buffer_char(&reading->pointer, '/');
        buffer_int(&reading->pointer, (int64_t)i);
        read_answer(reading, json_array_get(answers, i));
        reading->pointer.len = inner;
    }
    reading->pointer.len = len;
}

static const struct list *list_of(const struct replies *replies, const char *key)
{
    for (size_t i = 0; i < replies->lists_len; i++) {
        if (strcmp(replies->lists[i].key, key) == 0)
            return &replies->lists[i];
    }
    return NULL;
}

/* A compensation that there is, or may be: an answer to the step names it. */
static bool is_undoable(const struct replies *replies, const struct list *list, const json_t *document)
{
    const struct definition_step *step = &replies->definition->steps[list->place.index];
    const json_t *answer = NULL;
    size_t i = 0;

    if (list->action == ACTION_EXECUTE || step->compensation != NULL)
        return true;
    json_array_foreach(json_object_get(document, step->name), i, answer) {
        if (json_object_get(json_object_get(answer, "headers"), "saga-compensation") != NULL)
            return true;
    }
    return false;
}

/* Does the key name an iteration of a step? *ret_place: which; out: the key of all of them. */
static bool without_iteration(const struct replies *replies, const char *key, char out[KEY_MAX], struct saga_place *ret_place)
{
    size_t len = strlen(key), undo = sizeof UNDO - 1;
    bool back = len > undo && strcmp(key + len - undo, UNDO) == 0;
    struct saga_place place;

    if (len >= KEY_MAX || !saga_place_parse(replies->definition, key, back ? len - undo : len, &place) || place.iteration < 0)
        return false;
    (void)snprintf(out, KEY_MAX, "%s%s", replies->definition->steps[place.index].name, back ? UNDO : "");
    if (ret_place != NULL)
        *ret_place = place;
    return true;
}

static void read_document(void *context, const json_t *document, struct findings *findings)
{
    const struct replies *replies = context;
    struct reading reading = {.replies = replies, .findings = findings};
    const char *key = NULL, *names[DEFINITION_STEPS_MAX * 2];
    char of_all[KEY_MAX];
    json_t *value = NULL;

    for (size_t i = 0; i < replies->lists_len; i++)
        names[i] = replies->lists[i].key;
    if (!json_is_object(document))
        WRONG(&reading, NULL, "an object expected: {\"<step>\": [answer...]}");
    json_object_foreach((json_t *)(uintptr_t)document, key, value) {
        size_t len = strlen(key), undo = sizeof UNDO - 1;
        const struct list *list = list_of(replies, without_iteration(replies, key, of_all, NULL) ? of_all : key);

        if (list != NULL && is_undoable(replies, list, document)) {
            read_list(&reading, key, value);
        } else if (list != NULL) {
            WRONG_KEY(&reading, key, "step %s has no compensation, and no answer of it names one", replies->definition->steps[list->place.index].name);
        } else if (len > undo && strcmp(key + len - undo, UNDO) == 0 && len < KEY_MAX) {
            char step[KEY_MAX];

            (void)snprintf(step, sizeof step, "%.*s", (int)(len - undo), key);
            if (listed(step, names, replies->lists_len))
                WRONG_KEY(&reading, key, "step %s has no compensation", step);
            else
                unknown(&reading, "no step is called so:", key, names, replies->lists_len);
        } else {
            unknown(&reading, "no step is called", key, names, replies->lists_len);
        }
    }
    buffer_free(&reading.pointer);
}

static void add_list(struct replies *replies, const char *step, int index, enum saga_action action)
{
    struct list *list = &replies->lists[replies->lists_len++];

    (void)snprintf(list->key, sizeof list->key, "%s%s", step, action == ACTION_COMPENSATE ? UNDO : "");
    list->place = (struct saga_place){index, -1};
    list->action = action;
}

/* The lists of single iterations, each before that of all of them. */
static bool add_iterations(struct replies *replies, const json_t *document)
{
    json_t *object = (json_t *)(uintptr_t)document, *answers = NULL;
    struct list *lists = calloc(replies->lists_len + json_object_size(document), sizeof *lists);
    const char *key = NULL;
    char of_all[KEY_MAX];
    size_t len = 0;

    if (lists == NULL)
        return false;
    json_object_foreach(object, key, answers) {
        struct saga_place place;

        if (!without_iteration(replies, key, of_all, &place))
            continue;
        lists[len] = (struct list){.place = place, .action = strcmp(of_all, replies->definition->steps[place.index].name) == 0 ? ACTION_EXECUTE : ACTION_COMPENSATE,
                                   .answers = answers};
        (void)snprintf(lists[len++].key, KEY_MAX, "%s", key);
    }
    memcpy(lists + len, replies->lists, replies->lists_len * sizeof *lists);
    free(replies->lists);
    replies->lists = lists;
    replies->lists_len += len;
    return true;
}

struct replies *replies_read(const char *path, const struct definition *definition, struct checked **ret_file)
{
    struct replies *replies = calloc(1, sizeof *replies);

    *ret_file = NULL;
    if (replies == NULL)
        return NULL;
    replies->definition = definition;
    replies->random_body = json_pack("{s:s, s:s}", "code", "RANDOM", "message", "drawn");
    replies->made = json_array();
    replies->lists = calloc(definition->steps_len * 2, sizeof *replies->lists);
    if (replies->lists == NULL)
        goto fail;
    for (size_t i = 0; i < definition->steps_len; i++) {
        const struct definition_step *step = &definition->steps[i];

        if (step->kind != STEP_COMMAND && step->kind != STEP_WAIT && step->kind != STEP_CACHED && (step->kind != STEP_SAGA || step->detached))
            continue;
        add_list(replies, step->name, (int)i, ACTION_EXECUTE);
        if (step->kind == STEP_COMMAND || step->kind == STEP_SAGA)
            add_list(replies, step->name, (int)i, ACTION_COMPENSATE);
    }
    if (path == NULL)
        return replies;
    *ret_file = checked_other_file(path, JSON_BYTES_MAX, read_document, replies);
    if (*ret_file == NULL || checked_document(*ret_file) == NULL)
        goto fail;
    for (size_t i = 0; i < replies->lists_len; i++)
        replies->lists[i].answers = json_object_get(checked_document(*ret_file), replies->lists[i].key);
    if (!add_iterations(replies, checked_document(*ret_file)))
        goto fail;
    return replies;
fail:
    replies_free(replies);
    return NULL;
}

void replies_free(struct replies *replies)
{
    if (replies == NULL)
        return;
    json_decref(replies->random_body);
    json_decref(replies->made);
    free(replies->lists);
    free(replies);
}

/* --- answering --- */

void replies_randomize(struct replies *replies, uint64_t seed)
{
    replies->random = true;
    replies->state = seed;
}

/* splitmix64 (Steele et al., OOPSLA 2014): 0 to 99. */
static int draw(struct replies *replies)
{
    uint64_t z = replies->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (int)((z ^ (z >> 31)) % 100);
}

static struct try_answer random_answer(struct replies *replies)
{
    int chance = draw(replies);
    struct try_answer answer = {.outcome = REPLY_SUCCESS, .after_ms = ANSWER_MS + draw(replies)};

    if (chance < 5) {
        answer.silent = true;
    } else if (chance < 10) {
        answer.outcome = REPLY_PENDING;
    } else if (chance < 30) {
        answer.outcome = chance < 20 ? REPLY_FAILURE : REPLY_RETRY;
        answer.body = replies->random_body;
    }
    return answer;
}

static int64_t duration_of(const json_t *answer, const char *key, int64_t otherwise)
{
    const char *text = json_string_value(json_object_get(answer, key));
    int64_t ms = otherwise;

    if (text != NULL)
        (void)duration_parse(text, &ms);
    return ms;
}

/* The body, or the one that its code and message make. */
static json_t *body_of(struct replies *replies, const json_t *answer)
{
    json_t *body = json_object_get(answer, "body"), *code = json_object_get(answer, "code"), *message = json_object_get(answer, "message");

    if (body != NULL || (code == NULL && message == NULL))
        return body;
    body = json_object();
    if (code != NULL)
        (void)json_object_set(body, "code", code);
    if (message != NULL)
        (void)json_object_set(body, "message", message);
    (void)json_array_append_new(replies->made, body);
    return body;
}

static int64_t times_of(const json_t *answer)
{
    json_t *times = json_object_get(answer, "times");

    return times == NULL ? 1 : json_integer_value(times);
}

static struct try_answer given_answer(struct replies *replies, struct list *list)
{
    static const enum reply_header_outcome outcomes[KINDS + 1] = {REPLY_SUCCESS, REPLY_FAILURE, REPLY_RETRY, REPLY_PENDING,
                                                                  REPLY_UNSAID,  REPLY_UNSAID};
    const json_t *given = json_array_get(list->answers, list->at);
    enum kind kind = kind_of(given);

    if (++list->repeated == times_of(given)) {
        list->repeated = 0;
        list->at++;
    }
    return (struct try_answer){
        .silent = kind == TIMEOUT,
        .outcome = outcomes[kind],
        .after_ms = duration_of(given, "after", ANSWER_MS),
        .retry_after_ms = duration_of(given, "retryAfter", 0),
        .body = body_of(replies, given),
        .headers = json_object_get(given, "headers"),
    };
}

struct try_answer replies_next(struct replies *replies, struct saga_place place, enum saga_action action)
{
    for (size_t i = 0; i < replies->lists_len; i++) {
        struct list *list = &replies->lists[i];

        if (list->place.index == place.index && (list->place.iteration < 0 || list->place.iteration == place.iteration) && list->action == action && list->at < json_array_size(list->answers))
            return given_answer(replies, list);
    }
    if (replies->random)
        return random_answer(replies);
    /* A command succeeds; nothing is kept. */
    return (struct try_answer){.outcome = replies->definition->steps[place.index].kind == STEP_CACHED ? REPLY_FAILURE : REPLY_SUCCESS, .after_ms = ANSWER_MS};
}

void replies_tell_unused(const struct replies *replies, struct checked *file)
{
    for (size_t i = 0; i < replies->lists_len; i++) {
        const struct list *list = &replies->lists[i];
        struct reading reading = {.findings = checked_findings(file)};
        size_t left = json_array_size(list->answers) - list->at;

        if (left == 0)
            continue;
        json_pointer_push(&reading.pointer, list->key);
        buffer_char(&reading.pointer, '/');
        buffer_int(&reading.pointer, (int64_t)list->at);
        if (list->repeated > 0)
            say(&reading, FINDING_WARNING, NULL, false, "used %d of %d times", (int)list->repeated,
                (int)times_of(json_array_get(list->answers, list->at)));
        else if (left == 1)
            say(&reading, FINDING_WARNING, NULL, false, "never used");
        else
            say(&reading, FINDING_WARNING, NULL, false, "never used, nor the %zu behind it", left - 1);
        buffer_free(&reading.pointer);
    }
}

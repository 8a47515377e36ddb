/*
 * tree.c -- a definition's document, and a run's state over it, into what is drawn.
 *
 * Owns:     which kinds of steps there are to draw, a row each; what is told of a step; what a status looks like.
 * Tests:    tests/graph/test_graph.py
 */
#include "graph_internal.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TEXT_SHOWN 200 /* characters of a condition, an error ...: more are in the document */

/* --- rows --- */

static void add_row(struct arena *arena, struct row **first, struct row **last, enum ink ink, const char *text)
{
    struct row *row = arena_take(arena, sizeof *row);

    if (row == NULL)
        return;
    *row = (struct row){.ink = ink, .text = text};
    if (*last != NULL)
        (*last)->next = row;
    else
        *first = row;
    *last = row;
}

static void tell(struct tree *tree, struct node *node, enum ink ink, const char *text)
{
    if (text[0] != '\0')
        add_row(&tree->arena, &node->rows, &node->rows_last, ink, text);
}

/* On one line, not too long. */
static const char *tidy(struct tree *tree, const char *text, size_t len)
{
    char *out = arena_take(&tree->arena, len + 4);
    size_t used = 0, characters = 0;

    for (size_t i = 0; out != NULL && i < len; i++) {
        bool blank = (unsigned char)text[i] <= ' ';

        if (((unsigned char)text[i] & 0xc0) != 0x80 && characters++ == TEXT_SHOWN) {
            memcpy(out + used, "\xe2\x80\xa6", 3);
            break;
        }
        if (!blank || (used > 0 && out[used - 1] != ' '))
            out[used++] = blank ? ' ' : text[i];
    }
    return out == NULL ? "" : out;
}

static const char *text_of(struct tree *tree, const json_t *doc, const char *key)
{
    const json_t *value = json_object_get(doc, key);

    return json_is_string(value) ? tidy(tree, json_string_value(value), json_string_length(value)) : "";
}

/* Of an expression: without its ${}. Numbers and words as they are. */
static const char *expression_of(struct tree *tree, const json_t *value)
{
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);

    if (json_is_integer(value))
        return arena_say(&tree->arena, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    if (text == NULL)
        return "";
    if (len > 3 && text[0] == '$' && text[1] == '{' && text[len - 1] == '}')
        return tidy(tree, text + 2, len - 3);
    return tidy(tree, text, len);
}

static const char *duration_text(struct tree *tree, int64_t ms)
{
    if (ms < 0)
        return arena_say(&tree->arena, "-%s", duration_text(tree, -ms));
    if (ms < 10000)
        return arena_say(&tree->arena, "%" PRId64 " ms", ms);
    if (ms < 120000)
        return arena_say(&tree->arena, "%" PRId64 ".%" PRId64 " s", ms / 1000, ms / 100 % 10);
    if (ms < 7200000)
        return arena_say(&tree->arena, "%" PRId64 " min %" PRId64 " s", ms / 60000, ms / 1000 % 60);
    if (ms < 172800000)
        return arena_say(&tree->arena, "%" PRId64 " h %" PRId64 " min", ms / 3600000, ms / 60000 % 60);
    return arena_say(&tree->arena, "%" PRId64 " d %" PRId64 " h", ms / 86400000, ms / 3600000 % 24);
}

/* "inventory · ReserveStock"; either may be missing. */
static const char *asked_of(struct tree *tree, const char *service, const char *command)
{
    return arena_say(&tree->arena, "%s%s%s", service, service[0] != '\0' && command[0] != '\0' ? " \xc2\xb7 " : "", command);
}

/* --- kinds --- */

static struct node *read_list(struct tree *tree, const json_t *steps, bool *ret_reached);

static struct lane *add_lane(struct tree *tree, struct node *node, const json_t *steps, const char *label)
{
    struct lane *lane = arena_take(&tree->arena, sizeof *lane), **at = &node->lanes;
    struct row *last = NULL;

    if (lane == NULL)
        return NULL;
    while (*at != NULL)
        at = &(*at)->next;
    *at = lane;
    if (label != NULL)
        add_row(&tree->arena, &lane->label, &last, INK_CODE, label);
    lane->first = read_list(tree, steps, &lane->taken);
    return lane;
}

static void read_command(struct tree *tree, struct node *node, const json_t *doc)
{
    tell(tree, node, INK_TEXT, asked_of(tree, text_of(tree, doc, "service"), text_of(tree, doc, "command")));
}

static void read_sequence(struct tree *tree, struct node *node, const json_t *doc)
{
    (void)add_lane(tree, node, json_object_get(doc, "sequence"), NULL);
}

static void read_switch(struct tree *tree, struct node *node, const json_t *doc)
{
    const json_t *item = NULL;
    json_int_t taken = json_integer_value(json_object_get(json_object_get(tree->steps, node->name), "case"));
    size_t i = 0;

    json_array_foreach(json_object_get(doc, "switch"), i, item) {
        struct lane *lane = add_lane(tree, node, json_object_get(item, "steps"), expression_of(tree, json_object_get(item, "when")));

        if (lane != NULL)
            lane->taken = lane->taken || taken == (json_int_t)i + 1;
    }
    (void)add_lane(tree, node, json_object_get(doc, "default"), "else"); /* without a default: a way past all of it */
}

static void read_parallel(struct tree *tree, struct node *node, const json_t *doc)
{
    const json_t *branch = NULL, *join = json_object_get(doc, "join"), *quorum = json_object_get(join, "quorum");
    size_t i = 0;

    if (json_is_integer(quorum))
        tell(tree, node, INK_TEXT, arena_say(&tree->arena, "%" JSON_INTEGER_FORMAT " of %zu must be done", json_integer_value(quorum),
                                             json_array_size(json_object_get(doc, "parallel"))));
    else
        tell(tree, node, INK_TEXT, json_is_string(join) && strcmp(json_string_value(join), "any") == 0 ? "one must be done" : "all must be done");
    json_array_foreach(json_object_get(doc, "parallel"), i, branch)
        (void)add_lane(tree, node, json_is_array(branch) ? branch : json_object_get(branch, "steps"), NULL);
}

static void read_each(struct tree *tree, struct node *node, const json_t *doc)
{
    const json_t *each = json_object_get(doc, "forEach"), *most = json_object_get(each, "maxConcurrency");

    tell(tree, node, INK_CODE, arena_say(&tree->arena, "in %s", expression_of(tree, json_object_get(each, "items"))));
    if (json_is_integer(most))
        tell(tree, node, INK_TEXT, arena_say(&tree->arena, "%" JSON_INTEGER_FORMAT " at a time", json_integer_value(most)));
    (void)add_lane(tree, node, json_object_get(each, "steps"), NULL);
}

static void read_sleep(struct tree *tree, struct node *node, const json_t *doc)
{
    const json_t *sleep = json_object_get(doc, "sleep");

    if (json_is_object(sleep))
        tell(tree, node, INK_CODE, arena_say(&tree->arena, "until %s", expression_of(tree, json_object_get(sleep, "until"))));
    else
        tell(tree, node, INK_TEXT, expression_of(tree, sleep));
}

static void read_wait(struct tree *tree, struct node *node, const json_t *doc)
{
    const json_t *wait = json_object_get(doc, "wait"), *then = json_object_get(wait, "onTimeout");
    const char *timeout = text_of(tree, wait, "timeout"), *word = text_of(tree, wait, "onTimeout");

    tell(tree, node, INK_TEXT, arena_say(&tree->arena, "for signal %s", text_of(tree, wait, "signal")));
    if (strcmp(timeout, "never") == 0)
        return;
    if (json_is_object(then))
        word = arena_say(&tree->arena, "go to %s", text_of(tree, then, "goto"));
    tell(tree, node, INK_TEXT, arena_say(&tree->arena, "after %s: %s", timeout, word[0] == '\0' ? "fail" : word));
}

static void read_saga(struct tree *tree, struct node *node, const json_t *doc)
{
    const json_t *child = json_object_get(doc, "saga"), *version = json_object_get(child, "version");
    const char *name = text_of(tree, child, "name");

    tell(tree, node, INK_TEXT, json_is_integer(version) ? arena_say(&tree->arena, "%s version %" JSON_INTEGER_FORMAT, name, json_integer_value(version)) : name);
    if (json_is_true(json_object_get(child, "detached")))
        tell(tree, node, INK_TEXT, "not waited for");
}

static void read_tcc(struct tree *tree, struct node *node, const json_t *doc)
{
    const json_t *tcc = json_object_get(doc, "tcc");

    tell(tree, node, INK_TEXT, asked_of(tree, text_of(tree, doc, "service"), text_of(tree, json_object_get(tcc, "try"), "command")));
    tell(tree, node, INK_TEXT, arena_say(&tree->arena, "confirm %s", text_of(tree, json_object_get(tcc, "confirm"), "command")));
    tell(tree, node, INK_UNDO, arena_say(&tree->arena, "cancel %s", text_of(tree, json_object_get(tcc, "cancel"), "command")));
}

/* What a step is, is said by one of these members; none of them: a command. */
static const struct kind {
    const char *member;
    const char *tag;
    enum shape shape;
    void (*read)(struct tree *tree, struct node *node, const json_t *doc);
} kinds[] = {
    {"sequence", "sequence", SHAPE_FRAME, read_sequence},
    {"switch", "switch", SHAPE_FRAME, read_switch},
    {"parallel", "parallel", SHAPE_FRAME, read_parallel},
    {"forEach", "for each", SHAPE_STACK, read_each},
    {"sleep", "sleep", SHAPE_ROUND, read_sleep},
    {"wait", "wait", SHAPE_POINTED, read_wait},
    {"saga", "saga", SHAPE_BAR, read_saga},
    {"tcc", "try, confirm or cancel", SHAPE_DOUBLE, read_tcc},
    {NULL, "", SHAPE_CARD, read_command},
};

/* --- what any step may have besides --- */

static void tell_when(struct tree *tree, struct node *node, const json_t *doc, const json_t *value)
{
    (void)doc;
    tell(tree, node, INK_CODE, arena_say(&tree->arena, "if %s", expression_of(tree, value)));
}

static void tell_repeat(struct tree *tree, struct node *node, const json_t *doc, const json_t *value)
{
    (void)doc;
    tell(tree, node, INK_CODE, arena_say(&tree->arena, "repeat until %s", expression_of(tree, json_object_get(value, "until"))));
}

static void tell_fallback(struct tree *tree, struct node *node, const json_t *doc, const json_t *value)
{
    const char *service = text_of(tree, value, "service"), *command = text_of(tree, value, "command");
    const json_t *cached = json_object_get(value, "cached");

    (void)doc;
    if (command[0] != '\0' || service[0] != '\0')
        tell(tree, node, INK_TEXT, arena_say(&tree->arena, "or else %s", asked_of(tree, service, command)));
    else
        tell(tree, node, INK_TEXT, cached != NULL ? "or else what is cached" : "or else a fixed output");
}

static void tell_compensation(struct tree *tree, struct node *node, const json_t *doc, const json_t *value)
{
    const char *service = text_of(tree, value, "service");

    if (strcmp(service, text_of(tree, doc, "service")) == 0)
        service = "";
    tell(tree, node, INK_UNDO, arena_say(&tree->arena, "undo %s", asked_of(tree, service, text_of(tree, value, "command"))));
}

static const struct {
    const char *member;
    void (*tell)(struct tree *tree, struct node *node, const json_t *doc, const json_t *value);
} facts[] = {
    {"when", tell_when},
    {"repeat", tell_repeat},
    {"fallback", tell_fallback},
    {"compensation", tell_compensation},
};

/* --- the run --- */

/* Statuses of steps and of sagas; one that is not here looks like one under way. */
static const struct {
    const char *status;
    enum tone tone;
} tones[] = {
    {"done", TONE_GOOD},           {"completed", TONE_GOOD},
    {"failed", TONE_BAD},          {"unknown", TONE_BAD},
    {"skipped", TONE_SKIPPED},     {"compensated", TONE_UNDONE},
    {"compensating", TONE_UNDONE}, {"compensation-retrying", TONE_UNDONE},
    {"compensation-failed", TONE_BAD}, {"compensation-skipped", TONE_UNDONE},
    {"parked", TONE_BAD},          {"cancelled", TONE_UNDONE},
    {"terminated", TONE_BAD},
};

static enum tone tone_of(const char *status)
{
    for (size_t i = 0; i < sizeof tones / sizeof *tones; i++) {
        if (strcmp(tones[i].status, status) == 0)
            return tones[i].tone;
    }
    return TONE_ACTIVE;
}

static const char *times_text(struct tree *tree, const char *singular, json_int_t n)
{
    return n <= 1 ? "" : arena_say(&tree->arena, ", %" JSON_INTEGER_FORMAT " %s", n, singular);
}

static const char *error_text(struct tree *tree, const json_t *error)
{
    const char *step = text_of(tree, error, "step"), *code = text_of(tree, error, "code"), *message = text_of(tree, error, "message");

    return arena_say(&tree->arena, "%s%s%s%s%s", step, step[0] != '\0' ? ": " : "", code, message[0] != '\0' ? ", " : "", message);
}

/* One entry of the run: the step's own, or that of what stands in for it. */
static void tell_entry(struct tree *tree, struct node *node, const json_t *step, const char *whose)
{
    const json_t *error = json_object_get(step, "error");
    const char *status = text_of(tree, step, "status");
    json_int_t first = json_integer_value(json_object_get(step, "firstAt")), settled = json_integer_value(json_object_get(step, "settledAt")),
               due = json_integer_value(json_object_get(step, "dueAt"));

    node->tone = tone_of(status);
    node->reached = node->tone != TONE_SKIPPED;
    node->undone = node->undone || node->tone == TONE_UNDONE || strcmp(status, "compensation-failed") == 0;
    tell(tree, node, INK_STATUS, arena_say(&tree->arena, "%s%s%s%s%s", whose, status, times_text(tree, "attempts", json_integer_value(json_object_get(step, "attempts"))),
                                           times_text(tree, "compensations", json_integer_value(json_object_get(step, "compensations"))),
                                           times_text(tree, "polls", json_integer_value(json_object_get(step, "polls")))));
    if (json_object_get(step, "count") != NULL)
        tell(tree, node, INK_TEXT, arena_say(&tree->arena, "%" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " iterations", json_integer_value(json_object_get(step, "finished")),
                                             json_integer_value(json_object_get(step, "count"))));
    if (settled > 0 && first > 0 && settled > first)
        tell(tree, node, INK_TEXT, arena_say(&tree->arena, "at +%s, took %s", duration_text(tree, settled - tree->started_ms), duration_text(tree, settled - first)));
    else if (settled > 0)
        tell(tree, node, INK_TEXT, arena_say(&tree->arena, "at +%s", duration_text(tree, settled - tree->started_ms)));
    if (json_object_get(step, "child") != NULL)
        tell(tree, node, INK_TEXT, arena_say(&tree->arena, "as %s", text_of(tree, step, "child")));
    if (due > 0)
        tell(tree, node, INK_TEXT, arena_say(&tree->arena, "due at +%s", duration_text(tree, due - tree->started_ms)));
    if (json_is_object(error))
        tell(tree, node, INK_ERROR, error_text(tree, error));
}

/* Tones of the iterations of one step together: what needs somebody first, then what is under way. */
static enum tone worse_of(enum tone one, enum tone other)
{
    static const enum tone order[] = {TONE_BAD, TONE_ACTIVE, TONE_UNDONE, TONE_GOOD, TONE_SKIPPED};

    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        if (one == order[i] || other == order[i])
            return order[i];
    }
    return one;
}

/* Of a step in a forEach: how many of its iterations stand how, and the first error. */
static bool tell_iterations(struct tree *tree, struct node *node)
{
    size_t len = strlen(node->name);
    json_t *tally = json_object(), *entry = NULL, *n = NULL;
    const json_t *error = NULL;
    const char *name = NULL, *status = NULL, *text = "";
    bool any = false;

    json_object_foreach((json_t *)(uintptr_t)tree->steps, name, entry) {
        if (strncmp(name, node->name, len) != 0 || name[len] != '.')
            continue;
        status = text_of(tree, entry, "status");
        (void)json_object_set_new(tally, status, json_integer(json_integer_value(json_object_get(tally, status)) + 1));
        node->tone = any ? worse_of(node->tone, tone_of(status)) : tone_of(status);
        node->undone = node->undone || tone_of(status) == TONE_UNDONE || strcmp(status, "compensation-failed") == 0;
        error = error == NULL && json_is_object(json_object_get(entry, "error")) ? json_object_get(entry, "error") : error;
        any = true;
    }
    json_object_foreach(tally, status, n)
        text = arena_say(&tree->arena, "%s%s%" JSON_INTEGER_FORMAT " %s", text, text[0] == '\0' ? "" : ", ", json_integer_value(n), status);
    if (any) {
        node->reached = node->tone != TONE_SKIPPED;
        tell(tree, node, INK_STATUS, text);
    }
    if (error != NULL)
        tell(tree, node, INK_ERROR, error_text(tree, error));
    json_decref(tally);
    return any;
}

/* What belongs to a step has an entry of its own in the state. */
static const json_t *part_of(struct tree *tree, const struct node *node, const char *part)
{
    return json_object_get(tree->steps, arena_say(&tree->arena, "%s:%s", node->name, part));
}

static void tell_run(struct tree *tree, struct node *node)
{
    const json_t *step = json_object_get(tree->steps, node->name), *other = part_of(tree, node, "fallback"), *confirm = part_of(tree, node, "confirm");

    if (tree->steps != NULL && step == NULL && !tell_iterations(tree, node))
        node->tone = TONE_AHEAD;
    if (step != NULL)
        tell_entry(tree, node, step, "");
    if (other != NULL)
        tell_entry(tree, node, other, "fallback ");
    if (confirm != NULL && strcmp(text_of(tree, step, "status"), "done") == 0) /* what is not done has nothing to confirm */
        tell_entry(tree, node, confirm, "confirm ");
}

static struct node *read_step(struct tree *tree, const json_t *doc)
{
    struct node *node = arena_take(&tree->arena, sizeof *node);
    const struct kind *kind = kinds;
    const json_t *value = NULL;
    bool pivot = json_is_true(json_object_get(doc, "pivot"));

    if (node == NULL)
        return NULL;
    while (kind->member != NULL && json_object_get(doc, kind->member) == NULL)
        kind++;
    node->shape = kind->shape;
    node->tag = kind->tag;
    node->name = text_of(tree, doc, "name");
    if (kind->read == read_parallel && ++tree->parallels > 0 && node->name[0] == '\0')
        node->name = arena_say(&tree->arena, "parallel-%d", tree->parallels);
    if (pivot)
        node->tag = kind->tag[0] == '\0' ? "pivot: no way back" : arena_say(&tree->arena, "%s, pivot: no way back", kind->tag);
    tell(tree, node, INK_TAG, node->tag);
    tell(tree, node, INK_TITLE, node->name);
    kind->read(tree, node, doc);
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        value = json_object_get(doc, facts[i].member);
        if (value != NULL)
            facts[i].tell(tree, node, doc, value);
    }
    tell_run(tree, node);
    for (const struct lane *lane = node->lanes; lane != NULL; lane = lane->next) {
        for (const struct node *step = lane->first; step != NULL; step = step->next)
            node->undone = node->undone || step->undone;
    }
    return node;
}

static struct node *read_list(struct tree *tree, const json_t *steps, bool *ret_reached)
{
    struct node *first = NULL, **at = &first;
    const json_t *doc = NULL;
    size_t i = 0;

    json_array_foreach(steps, i, doc) {
        *at = read_step(tree, doc);
        if (*at == NULL)
            break;
        *ret_reached = *ret_reached || (*at)->reached;
        at = &(*at)->next;
    }
    return first;
}

/* Before the first step the saga waits for its lock. */
static void read_lock(struct tree *tree, const json_t *lock)
{
    struct node *node = arena_take(&tree->arena, sizeof *node);
    const char *timeout = text_of(tree, lock, "timeout");

    if (node == NULL)
        return;
    node->shape = SHAPE_POINTED;
    node->tag = "lock";
    node->name = ":lock";
    tell(tree, node, INK_TAG, node->tag);
    tell(tree, node, INK_TITLE, node->name);
    tell(tree, node, INK_CODE, expression_of(tree, json_object_get(lock, "key")));
    if (strcmp(text_of(tree, lock, "mode"), "reject") == 0)
        tell(tree, node, INK_TEXT, "held by another: fail");
    else if (strcmp(timeout, "never") != 0)
        tell(tree, node, INK_TEXT, arena_say(&tree->arena, "after %s: fail", timeout[0] == '\0' ? "1m" : timeout));
    tell_run(tree, node);
    tree->lane.taken = tree->lane.taken || node->reached;
    node->next = tree->lane.first;
    tree->lane.first = node;
}

/* --- the whole --- */

static void tell_head(struct tree *tree, enum ink ink, const char *text)
{
    if (text[0] != '\0')
        add_row(&tree->arena, &tree->head, &tree->head_last, ink, text);
}

static void read_head(struct tree *tree, const json_t *definition)
{
    const json_t *saga = tree->saga, *parked = json_object_get(saga, "parked"), *error = json_object_get(saga, "error");
    json_int_t ended = json_integer_value(json_object_get(saga, "endedAt"));
    const char *status = text_of(tree, saga, "status"), *description = json_string_value(json_object_get(definition, "description"));

    tell_head(tree, INK_TITLE, arena_say(&tree->arena, "%s version %" JSON_INTEGER_FORMAT, text_of(tree, definition, "name"),
                                         json_integer_value(json_object_get(definition, "version"))));
    tree->end = "end";
    if (saga == NULL) {
        if (description != NULL)
            tell_head(tree, INK_TEXT, description);
        return;
    }
    tree->end = status;
    tree->end_tone = tone_of(status);
    tell_head(tree, INK_STATUS, arena_say(&tree->arena, "%s: %s", text_of(tree, saga, "id"), status));
    if (ended > 0)
        tell_head(tree, INK_TEXT, arena_say(&tree->arena, "took %s", duration_text(tree, ended - tree->started_ms)));
    if (json_is_object(parked))
        tell_head(tree, INK_ERROR, arena_say(&tree->arena, "parked: %s", text_of(tree, parked, "reason")));
    else if (json_is_object(error))
        tell_head(tree, INK_ERROR, error_text(tree, error));
}

bool tree_read(struct tree *tree, const json_t *definition, const json_t *saga)
{
    tree->saga = saga;
    tree->steps = json_object_get(saga, "steps");
    tree->started_ms = json_integer_value(json_object_get(saga, "startedAt"));
    tree->turned_back = json_is_true(json_object_get(saga, "turnedBack"));
    read_head(tree, definition);
    tree->lane.first = read_list(tree, json_object_get(definition, "steps"), &tree->lane.taken);
    if (json_is_object(json_object_get(definition, "lock")))
        read_lock(tree, json_object_get(definition, "lock"));
    return !tree->arena.failed;
}

void tree_free(struct tree *tree)
{
    arena_free(&tree->arena);
}

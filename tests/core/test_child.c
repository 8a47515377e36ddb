/*
 * test_child.c -- a saga, its children and theirs, as a family: rows first, then families to which anything happens.
 *
 * What they tell each other lies in two queues, as on the wire: starts and undoings in one, answers in the other, each in order.
 * Events: start; send (the next start or undoing arrives), answer (the next answer arrives); ok STEP, no STEP,
 * undone STEP, undo-no STEP (a participant's reply: STEP is of one definition only); cancel NAME, compensate NAME, terminate NAME, pause NAME, resume NAME,
 * retry NAME, retry-with NAME, complete STEP, due NAME, where NAME is of the definition.
 * Effects: STEP#n, ~STEP#n (commands), start ID, undo ID#n, answer ID ok or its code, result ID, parked ID, resumed ID, refused.
 *
 * BATON_TEST_SEED=n runs again from the family that failed.
 */
#include "random.h"
#include <baton/apply.h>

#define FAMILIES 4000
#define SAGAS_MAX 64
#define QUEUE_MAX 256
#define EVENTS_MAX 60
#define TURNS_MAX 2000

/* a can be undone; z follows the child. */
static const char plain[] =
    "{\"name\":\"parent\",\"version\":1,\"timeout\":\"1h\",\"steps\":[{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\",\"compensation\":{\"command\":\"UndoA\"}},"
    "{\"name\":\"k\",\"saga\":{\"name\":\"child\",\"input\":{\"n\":\"${steps.a.output.n}\"}},\"output\":\"${body.d}\"},"
    "{\"name\":\"z\",\"service\":\"s\",\"command\":\"Z\"}],\"output\":\"${steps.k.output}\"}";
/* The same, but it waits a minute only, twice. */
static const char impatient[] =
    "{\"name\":\"parent\",\"version\":1,\"steps\":[{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\",\"compensation\":{\"command\":\"UndoA\"}},"
    "{\"name\":\"k\",\"timeout\":\"60s\",\"retry\":{\"attempts\":2,\"interval\":\"1s\",\"jitter\":0},\"saga\":{\"name\":\"child\"}},"
    "{\"name\":\"z\",\"service\":\"s\",\"command\":\"Z\"}]}";
static const char detaching[] =
    "{\"name\":\"parent\",\"version\":1,\"steps\":[{\"name\":\"k\",\"saga\":{\"name\":\"child\",\"detached\":true}},"
    "{\"name\":\"z\",\"service\":\"s\",\"command\":\"Z\",\"input\":\"${steps.k.output.saga}\"}]}";
/* a is its pivot: there is no way back from where the child is. */
static const char committed[] =
    "{\"name\":\"parent\",\"version\":1,\"steps\":[{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\",\"pivot\":true},"
    "{\"name\":\"k\",\"timeout\":\"60s\",\"retry\":{\"attempts\":2,\"interval\":\"1s\",\"jitter\":0},\"saga\":{\"name\":\"child\"}},{\"name\":\"z\",\"service\":\"s\",\"command\":\"Z\"}]}";
/* The child's input is no object. */
static const char shapeless[] =
    "{\"name\":\"parent\",\"version\":1,\"steps\":[{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\",\"compensation\":{\"command\":\"UndoA\"}},"
    "{\"name\":\"k\",\"retry\":{\"attempts\":\"unlimited\",\"interval\":\"0ms\"},\"saga\":{\"name\":\"child\",\"input\":\"${7}\"}}]}";
static const char shapeless_late[] =
    "{\"name\":\"parent\",\"version\":1,\"steps\":[{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\",\"pivot\":true},"
    "{\"name\":\"k\",\"retry\":{\"attempts\":\"unlimited\",\"interval\":\"0ms\"},\"saga\":{\"name\":\"child\",\"input\":\"${7}\"}}]}";
static const char child[] =
    "{\"name\":\"child\",\"version\":1,\"steps\":[{\"name\":\"c\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"UndoC\",\"retry\":{\"attempts\":1}}},"
    "{\"name\":\"d\",\"service\":\"s\",\"command\":\"D\",\"compensation\":{\"command\":\"UndoD\"}}],\"output\":{\"d\":\"${steps.d.output}\"}}";
/* d cannot be undone. */
static const char final[] =
    "{\"name\":\"child\",\"version\":1,\"steps\":[{\"name\":\"c\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"UndoC\"}},"
    "{\"name\":\"d\",\"service\":\"s\",\"command\":\"D\",\"pivot\":true}]}";
/* c is tried, and confirmed at the end. */
static const char tried[] =
    "{\"name\":\"child\",\"version\":1,\"steps\":[{\"name\":\"c\",\"service\":\"s\",\"tcc\":{\"try\":{\"command\":\"C\"},\"confirm\":{\"command\":\"TakeC\"},\"cancel\":{\"command\":\"UndoC\"}}},"
    "{\"name\":\"d\",\"service\":\"s\",\"command\":\"D\",\"compensation\":{\"command\":\"UndoD\"}}]}";
static const char middle[] =
    "{\"name\":\"child\",\"version\":1,\"steps\":[{\"name\":\"g\",\"saga\":{\"name\":\"grandchild\"}},"
    "{\"name\":\"d\",\"service\":\"s\",\"command\":\"D\"}]}";
static const char grandchild[] =
    "{\"name\":\"grandchild\",\"version\":1,\"steps\":[{\"name\":\"e\",\"service\":\"s\",\"command\":\"E\",\"compensation\":{\"command\":\"UndoE\"}}]}";
/* Each starts the other. */
static const char mirror[] = "{\"name\":\"child\",\"version\":1,\"steps\":[{\"name\":\"m\",\"saga\":{\"name\":\"parent\",\"input\":{}}}]}";

#define TO_DONE "start, ok a, send, ok c, ok d, answer"
#define SAID_TO_DONE "a#1, start o.k, c#1, d#1, result o.k, answer o.k ok, z#1"

static const struct family_row {
    const char *name, *when, *then;
    const char *definitions[3];
} rows[] = {
    {"one whose input is no object is not started", "start, ok a", "a#1, ~a#1; parent compensating", {shapeless, child}},
    {"past the pivot that parks, and an operator's input will do", "start, ok a, retry parent, retry-with parent, send, ok c",
     "a#1, parked o, resumed o, parked o, resumed o, start o.k, c#1, d#1; parent running, child running", {shapeless_late, child}},
    {"a child is started and awaited", "start, ok a, send, ok c", "a#1, start o.k, c#1, d#1; parent running, child running", {plain, child}},
    {"its end is the step's, its output too", TO_DONE ", ok z", SAID_TO_DONE ", result o; parent completed, child completed", {plain, child}},
    {"it fails, is compensated, and the parent is", "start, ok a, send, ok c, no d, undone c, answer, undone a",
     "a#1, start o.k, c#1, d#1, ~c#1, result o.k, answer o.k NO, ~a#1, result o; parent compensated, child compensated", {plain, child}},
    {"a completed child is undone with its parent, last first", TO_DONE ", no z, send, undone d, undone c, answer, undone a",
     SAID_TO_DONE ", undo o.k#1, ~d#1, ~c#1, result o.k, answer o.k ok, ~a#1, result o; parent compensated, child compensated", {plain, child}},
    {"a parent that is cancelled takes its child along", "start, ok a, send, cancel parent, send, undone c, answer, undone a",
     "a#1, start o.k, c#1, undo o.k#1, ~c#1, result o.k, answer o.k ok, ~a#1, result o; parent cancelled, child compensated", {plain, child}},
    {"its deadline too", "start, ok a, send, due parent, send, undone c, answer",
     "a#1, start o.k, c#1, undo o.k#1, ~c#1, result o.k, answer o.k ok, ~a#1; parent compensating, child compensated", {plain, child}},
    {"the undoing does not overtake the start", "start, ok a, cancel parent, send, send, undone c, answer",
     "a#1, start o.k, undo o.k#1, c#1, ~c#1, result o.k, answer o.k ok, ~a#1; parent compensating, child compensated", {plain, child}},
    {"it ends while it is being undone", "start, ok a, send, ok c, cancel parent, ok d, answer, send, undone d, undone c, answer",
     "a#1, start o.k, c#1, d#1, undo o.k#1, result o.k, answer o.k ok, late, ~d#1, ~c#1, result o.k, answer o.k ok, ~a#1; parent compensating, child compensated",
     {plain, child}},
    {"it fails while it is being undone: nothing of it is left", "start, ok a, send, no c, cancel parent, answer, send, answer",
     "a#1, start o.k, c#1, result o.k, answer o.k NO, undo o.k#1, ~a#1, answer o.k ok, dup; parent compensating, child compensated", {plain, child}},
    {"a child that turns back by itself answers the undoing once", "start, ok a, send, ok c, no d, cancel parent, send, undone c, answer",
     "a#1, start o.k, c#1, d#1, ~c#1, undo o.k#1, result o.k, answer o.k ok, ~a#1; parent compensating, child compensated", {plain, child}},
    {"past its pivot it is not undone: the parent parks", TO_DONE ", no z, send, answer, due parent, send, answer",
     SAID_TO_DONE ", undo o.k#1, answer o.k PAST_PIVOT, undo o.k#2, answer o.k PAST_PIVOT; parent compensating, child completed", {plain, final}},
    {"what it has tried is cancelled with it", "start, ok a, send, ok c, cancel parent, send, undone d, undone c, answer",
     "a#1, start o.k, c#1, d#1, undo o.k#1, ~d#1, ~c#1, result o.k, answer o.k ok, ~a#1; parent compensating, child compensated", {plain, tried}},
    {"but not once it confirms", "start, ok a, send, ok c, ok d, cancel parent, send, answer, ok c:confirm",
     "a#1, start o.k, c#1, d#1, c:confirm#1, undo o.k#1, answer o.k PAST_PIVOT, result o.k, answer o.k ok; parent compensating, child completed", {plain, tried}},
    {"a pivot of which nothing is known is waited for", "start, ok a, send, ok c, cancel parent, send, answer, no d, undone c, answer, undone a",
     "a#1, start o.k, c#1, d#1, undo o.k#1, answer o.k PIVOT_UNKNOWN, ~c#1, result o.k, answer o.k NO, ~a#1, result o; parent cancelled, child compensated", {plain, final}},
    {"a child that parks on its way back is waited for", "start, ok a, send, ok c, cancel parent, send, undone d, undo-no c, undone c, answer",
     "a#1, start o.k, c#1, d#1, undo o.k#1, ~d#1, ~c#1, parked o.k, resumed o.k, result o.k, answer o.k ok, ~a#1; parent compensating, child compensated", {plain, child}},
    {"a terminated child is a failure", "start, ok a, send, terminate child, answer, undone a",
     "a#1, start o.k, c#1, result o.k, answer o.k TERMINATED, ~a#1, result o; parent compensated, child terminated", {plain, child}},
    {"a parent that is terminated leaves its child alone", "start, ok a, send, terminate parent, ok c, ok d, answer",
     "a#1, start o.k, c#1, result o, d#1, result o.k, answer o.k ok, late; parent terminated, child completed", {plain, child}},
    {"what nobody can start is a failure", "start, ok a, send, answer, undone a", "a#1, start o.k, ~a#1, result o; parent compensated", {plain}},
    {"and so it is for a parent that has turned back", "start, ok a, cancel parent, send, answer, undone a", "a#1, start o.k, undo o.k#1, ~a#1, result o; parent cancelled", {plain}},
    {"a step's timeout asks again, with the same child, then gives up", "start, ok a, send, due parent, due parent, send, due parent, send, undone c, answer",
     "a#1, start o.k, c#1, start o.k, dup, undo o.k#1, ~c#1, result o.k, answer o.k ok, ~a#1; parent compensating, child compensated", {impatient, child}},
    {"asked again, it answers again", "start, ok a, send, ok c, ok d, due parent, due parent, send, answer, answer",
     "a#1, start o.k, c#1, d#1, result o.k, answer o.k ok, start o.k, answer o.k ok, dup, z#1, dup; parent running, child completed", {impatient, child}},
    {"past the parent's pivot another child is tried", "start, ok a, send, no c, answer, due parent, send, ok c, ok d, answer",
     "a#1, start o.k, c#1, result o.k, answer o.k NO, start o.k:2, c#1, d#1, result o.k:2, answer o.k:2 ok, z#1; parent running, child completed", {committed, child}},
    {"and parks with the last one", "start, ok a, send, no c, answer, due parent, send, no c, answer, retry parent, send",
     "a#1, start o.k, c#1, result o.k, answer o.k NO, start o.k:2, c#1, result o.k:2, answer o.k:2 NO, parked o, resumed o, start o.k:3, c#1; parent running, child running",
     {committed, child}},
    {"asked after again, it fails to the newest attempt", "start, ok a, send, due parent, due parent, send, no c, answer",
     "a#1, start o.k, c#1, start o.k, dup, result o.k, answer o.k NO, parked o; parent parked, child compensated", {committed, child}},
    {"a detached child is not awaited", "start, send, ok z, ok c, ok d", "start o.k, z#1, c#1, result o, d#1, result o.k; parent completed, child completed", {detaching, child}},
    {"nor undone", "start, send, no z, ok c", "start o.k, z#1, c#1, result o, d#1; parent compensated, child running", {detaching, child}},
    {"a paused parent starts no child", "start, pause parent, ok a, resume parent, due parent", "a#1, parked o, resumed o, start o.k; parent running", {plain, child}},
    {"a paused parent hears its child", "start, ok a, send, pause parent, ok c, ok d, answer, resume parent, due parent",
     "a#1, start o.k, c#1, parked o, d#1, result o.k, answer o.k ok, resumed o, z#1; parent running, child completed", {plain, child}},
    {"a paused child is undone all the same", "start, ok a, send, pause child, cancel parent, send, undone c, answer",
     "a#1, start o.k, c#1, parked o.k, undo o.k#1, resumed o.k, ~c#1, result o.k, answer o.k ok, ~a#1; parent compensating, child compensated", {plain, child}},
    {"an operator completes the step by hand; the child is undone later", "start, ok a, send, complete k, no z, send, undone c, answer",
     "a#1, start o.k, c#1, z#1, undo o.k#1, ~c#1, result o.k, answer o.k ok, ~a#1; parent compensating, child compensated", {plain, child}},
    {"before it was started, there is none to be undone", "start, pause parent, ok a, resume parent, complete k, no z, undone a",
     "a#1, parked o, resumed o, z#1, ~a#1, result o; parent compensated", {plain, child}},
    {"nobody but its parent undoes a completed child", TO_DONE ", compensate child, cancel child", SAID_TO_DONE ", refused, refused; parent running, child completed", {plain, child}},
    {"a child that an operator cancels is a failure", "start, ok a, send, cancel child, undone c, answer",
     "a#1, start o.k, c#1, ~c#1, result o.k, answer o.k CANCELLED, ~a#1; parent compensating, child cancelled", {plain, child}},
    {"grandchildren go back with the whole family", "start, ok a, send, send, ok e, answer, ok d, answer, no z, send, send, undone e, answer, answer, undone a",
     "a#1, start o.k, start o.k.g, e#1, result o.k.g, answer o.k.g ok, d#1, result o.k, answer o.k ok, z#1, undo o.k#1, undo o.k.g#1, ~e#1, result o.k.g, answer o.k.g ok, "
     "result o.k, answer o.k ok, ~a#1, result o; parent compensated, child compensated, grandchild compensated", {plain, middle, grandchild}},
    {"a child that may have begun is not tried with another input", "start, ok a, send, due parent, due parent, due parent, retry-with parent, retry parent, send",
     "a#1, start o.k, c#1, start o.k, parked o, refused, resumed o, start o.k, dup; parent running, child running", {committed, child}},
};

struct message { /* between two sagas */
    char to[SAGA_ID_MAX + 1];
    char type[DEFINITION_NAME_MAX + 1]; /* of a start; "" = undo */
    json_t *parent, *input;
    char step[DEFINITION_STEP_NAME_MAX + 1]; /* of an answer */
    enum saga_action action;
    int attempt;
    enum reply_header_outcome outcome;
};

struct queue {
    struct message items[QUEUE_MAX];
    size_t first, len;
};

struct family {
    struct expr_vm *vm;
    struct definition *definitions[3];
    struct saga *sagas[SAGAS_MAX];
    size_t sagas_len;
    struct queue asked, answered;
    struct effects effects;
    struct buffer said;
    int64_t now;
    unsigned long long seed;
};

#define MUST(family, condition, rule) \
    do { \
        if (!(condition)) \
            fail_msg("BATON_TEST_SEED=%llu: %s\n%s", (family)->seed, (rule), buffer_cstr(&(family)->said)); \
    } while (0)

static void add(struct family *family, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct family *family, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    say(&family->said, "%s%s", family->said.len == 0 ? "" : ", ", text);
}

static struct message *push(struct family *family, struct queue *queue)
{
    MUST(family, queue->len < QUEUE_MAX, "a flood of messages");
    queue->items[(queue->first + queue->len) % QUEUE_MAX] = (struct message){.attempt = 0};
    return &queue->items[(queue->first + queue->len++) % QUEUE_MAX];
}

static bool pop(struct queue *queue, struct message *ret_message)
{
    if (queue->len == 0)
        return false;
    *ret_message = queue->items[queue->first];
    queue->first = (queue->first + 1) % QUEUE_MAX;
    queue->len--;
    return true;
}

static void message_clear(struct message *message)
{
    json_decref(message->parent);
    json_decref(message->input);
}

static void ask(struct family *family, const struct saga *saga, const struct effect *effect)
{
    const struct definition_step *step = &saga->definition->steps[effect->place.index];
    const char *id = json_string_value(saga_step_find(saga, effect->place)->child);
    struct message *message = push(family, &family->asked);

    (void)snprintf(message->to, sizeof message->to, "%s", id);
    message->action = effect->action;
    message->parent = json_pack("{s:s, s:s, s:i}", "saga", saga->id, "step", step->name, "attempt", effect->attempt);
    if (effect->action == ACTION_COMPENSATE) {
        add(family, "undo %s#%d", id, effect->attempt);
        return;
    }
    add(family, "start %s", id);
    (void)snprintf(message->type, sizeof message->type, "%s", step->child);
    message->input = json_incref(effect->input);
    (void)json_object_set_new(message->parent, "depth", json_integer(json_integer_value(json_object_get(saga->parent, "depth")) + 1));
    if (step->detached)
        (void)json_object_set_new(message->parent, "detached", json_true());
}

static void answer_to(struct family *family, const json_t *parent, enum saga_action action, int attempt, enum reply_header_outcome outcome, json_t *body)
{
    struct message *message = push(family, &family->answered);

    (void)snprintf(message->to, sizeof message->to, "%s", json_string_value(json_object_get(parent, "saga")));
    (void)snprintf(message->step, sizeof message->step, "%s", json_string_value(json_object_get(parent, "step")));
    message->action = action;
    message->attempt = attempt;
    message->outcome = outcome;
    message->input = json_incref(body);
}

/* What the saga wants goes where the wire would take it. */
static void heed(struct family *family, const struct saga *saga)
{
    static const char *const ignored[] = {NULL, "dup", "late", "early", "refused"};

    MUST(family, saga_broken_rule(saga) == NULL, saga_broken_rule(saga));
    for (size_t i = 0; i < family->effects.len; i++) {
        const struct effect *effect = &family->effects.items[i];

        switch (effect->kind) {
        case EFFECT_COMMAND:
            add(family, "%s%s#%d", effect->action == ACTION_EXECUTE ? "" : "~", saga->definition->steps[effect->place.index].name, effect->attempt);
            break;
        case EFFECT_CHILD: ask(family, saga, effect); break;
        case EFFECT_ANSWER:
            add(family, "answer %s %s", saga->id, effect->outcome == REPLY_SUCCESS ? "ok" :
                json_string_value(json_object_get(json_object_get(effect->input, "error"), "code")));
            answer_to(family, saga->parent, effect->action, effect->attempt, effect->outcome, effect->input);
            break;
        case EFFECT_RESULT: add(family, "result %s", saga->id); break;
        case EFFECT_PARKED: add(family, "parked %s", saga->id); break;
        case EFFECT_RESUMED: add(family, "resumed %s", saga->id); break;
        case EFFECT_LOCK:
        case EFFECT_SIGNAL: MUST(family, false, "nobody here wants a lock"); break;
        case EFFECT_HELD:
        case EFFECT_DIVERTED: fail(); break; /* no service has rules here */
        case EFFECT_CACHE:
        case EFFECT_LOOKUP: fail(); break; /* nothing stands in for anything */
        }
    }
    if (ignored[family->effects.disposition] != NULL)
        add(family, "%s", ignored[family->effects.disposition]);
}

static struct saga **find(struct family *family, const char *id)
{
    for (size_t i = 0; i < family->sagas_len; i++) {
        if (strcmp(family->sagas[i]->id, id) == 0)
            return &family->sagas[i];
    }
    return NULL;
}

static void happen(struct family *family, struct saga **saga, struct saga_event event)
{
    event.at_ms = ++family->now;
    assert_int_equal(saga_apply(saga, &event, &family->effects), BATON_OK);
    heed(family, *saga);
}

static void start(struct family *family, const char *id, const char *type, json_t *parent_of, json_t *input)
{
    struct saga_event event = {.kind = EVENT_START, .at_ms = ++family->now, .saga_id = id, .input = input, .parent = parent_of};
    struct saga **saga = find(family, id);

    if (saga != NULL) {
        MUST(family, saga_is_child_of(*saga, parent_of), "two steps with one child");
        happen(family, saga, event);
        return;
    }
    for (size_t i = 0; i < 3; i++) {
        if (family->definitions[i] == NULL || strcmp(family->definitions[i]->name, type) != 0)
            continue;
        MUST(family, family->sagas_len < SAGAS_MAX, "no end of children");
        saga = &family->sagas[family->sagas_len++];
        assert_int_equal(saga_start(family->definitions[i], &event, saga, &family->effects), BATON_OK);
        heed(family, *saga);
        return;
    }
    if (json_object_get(parent_of, "detached") == NULL) { /* as the engine answers what it sets aside */
        json_t *body = json_pack("{s:{s:s}}", "error", "code", "UNKNOWN_DEFINITION");

        answer_to(family, parent_of, ACTION_EXECUTE, (int)json_integer_value(json_object_get(parent_of, "attempt")), REPLY_FAILURE, body);
        json_decref(body);
    }
}

/* The next start or undoing arrives. False: there is none. */
static bool send(struct family *family)
{
    struct message message;
    struct saga **saga = NULL;

    if (!pop(&family->asked, &message))
        return false;
    saga = find(family, message.to);
    if (message.type[0] != '\0')
        start(family, message.to, message.type, message.parent, message.input);
    else if (saga != NULL)
        happen(family, saga, (struct saga_event){.kind = EVENT_VERB, .verb = VERB_COMPENSATE, .who = "its parent", .parent = message.parent});
    else {
        json_t *body = json_pack("{s:{s:s}}", "error", "code", "UNKNOWN_SAGA");

        answer_to(family, message.parent, ACTION_COMPENSATE, (int)json_integer_value(json_object_get(message.parent, "attempt")), REPLY_FAILURE, body);
        json_decref(body);
    }
    message_clear(&message);
    return true;
}

static bool answer(struct family *family)
{
    struct message message;
    struct saga **saga = NULL;
    struct saga_event event = {.kind = EVENT_REPLY};

    if (!pop(&family->answered, &message))
        return false;
    saga = find(family, message.to);
    assert_non_null(saga);
    event.place = AT(definition_step_index((*saga)->definition, message.step, strlen(message.step)));
    event.action = message.action;
    event.attempt = message.attempt;
    event.outcome = message.outcome;
    event.body = message.input;
    happen(family, saga, event);
    message_clear(&message);
    return true;
}

static void family_init(struct family *family, const char *const definitions[3])
{
    struct findings *findings = calloc(1, sizeof *findings);

    memset(family, 0, sizeof *family);
    family->vm = expr_vm_new();
    family->now = 1000000;
    for (size_t i = 0; i < 3 && definitions[i] != NULL; i++) {
        json_t *doc = parse(definitions[i]);

        assert_int_equal(definition_parse(doc, family->vm, findings, &family->definitions[i]), BATON_OK);
        json_decref(doc);
    }
    free(findings);
}

static void family_clear(struct family *family)
{
    struct message message;

    while (pop(&family->asked, &message) || pop(&family->answered, &message))
        message_clear(&message);
    for (size_t i = 0; i < family->sagas_len; i++)
        saga_free(family->sagas[i]);
    for (size_t i = 0; i < 3; i++)
        definition_free(family->definitions[i]);
    effects_free(&family->effects);
    buffer_free(&family->said);
    expr_vm_free(family->vm);
}

/* --- rows --- */

/* The newest saga that knows the step, or is of the definition. */
static struct saga **newest(struct family *family, const char *step, const char *definition)
{
    for (size_t i = family->sagas_len; i-- > 0;) {
        const struct definition *its = family->sagas[i]->definition;

        if (step != NULL ? definition_step_index(its, step, strlen(step)) >= 0 : strcmp(its->name, definition) == 0)
            return &family->sagas[i];
    }
    return NULL;
}

static void reply(struct family *family, const char *verb, const char *step)
{
    struct saga **saga = newest(family, step, NULL);
    bool undo = strncmp(verb, "und", 3) == 0, fine = strcmp(verb, "ok") == 0 || strcmp(verb, "undone") == 0;
    struct saga_event event = {.kind = EVENT_REPLY, .action = undo ? ACTION_COMPENSATE : ACTION_EXECUTE, .outcome = fine ? REPLY_SUCCESS : REPLY_FAILURE};
    const struct saga_step *entry = NULL;

    event.place = AT(definition_step_index((*saga)->definition, step, strlen(step)));
    entry = saga_step_find(*saga, event.place);
    event.attempt = undo ? entry->compensations : entry->attempts;
    event.body = fine ? json_pack("{s:i}", "n", 7) : json_pack("{s:{s:s}}", "error", "code", "NO");
    happen(family, saga, event);
    json_decref(event.body);
}

static void word(struct family *family, const char *text)
{
    char verb[16] = "", name[16] = "";
    json_t *input = json_object();
    struct saga_event event = {.kind = EVENT_VERB, .who = "ann"};

    (void)sscanf(text, "%15s %15s", verb, name);
    if (strcmp(verb, "start") == 0) {
        start(family, "o", "parent", NULL, input);
    } else if (strcmp(verb, "send") == 0) {
        assert_true(send(family));
    } else if (strcmp(verb, "answer") == 0) {
        assert_true(answer(family));
    } else if (strcmp(verb, "due") == 0) {
        family->now = (*newest(family, NULL, name))->due_at_ms;
        happen(family, newest(family, NULL, name), (struct saga_event){.kind = EVENT_TIMER});
    } else if (saga_verb_parse(verb, strcspn(verb, "-"), &event.verb)) {
        bool step = event.verb == VERB_COMPLETE;

        event.step_name = step ? name : NULL;
        event.value = strchr(verb, '-') != NULL ? input : NULL;
        happen(family, newest(family, step ? name : NULL, name), event);
    } else {
        reply(family, verb, name);
    }
    json_decref(input);
}

static void check_row(void **state)
{
    const struct family_row *row = *state;
    struct family family;
    char copy[512], *rest = copy;

    family_init(&family, row->definitions);
    (void)snprintf(copy, sizeof copy, "%s", row->when);
    for (char *text = strsep(&rest, ","); text != NULL; text = strsep(&rest, ","))
        word(&family, text + strspn(text, " "));
    for (size_t i = 0; i < 3 && family.definitions[i] != NULL; i++) {
        struct saga **saga = newest(&family, NULL, family.definitions[i]->name);

        if (saga != NULL)
            say(&family.said, "%s %s %s", i == 0 ? ";" : ",", (*saga)->definition->name, saga_status_name((*saga)->status));
    }
    assert_text(row->when, &family.said, row->then);
    family_clear(&family);
}

/* --- what is no row --- */

static void two_that_start_each_other_come_to_an_end(void **state)
{
    static const char *const definitions[3] = {plain, mirror};
    struct family family;
    int turns = 0;

    (void)state;
    family_init(&family, definitions);
    word(&family, "start");
    word(&family, "ok a");
    for (; turns < TURNS_MAX && (send(&family) || answer(&family)); turns++) {
        struct saga **last = &family.sagas[family.sagas_len - 1];

        if (last != family.sagas && strcmp((*last)->definition->name, "parent") == 0 && (*last)->steps_len == 1 && (*last)->steps[0].status == STEP_RUNNING)
            word(&family, "ok a");
        for (size_t i = 0; i < family.sagas_len; i++) {
            if (family.sagas[i]->steps[0].status == STEP_COMPENSATING && strcmp(family.sagas[i]->definition->name, "parent") == 0) {
                struct saga_event undone = {.kind = EVENT_REPLY, .place = AT(0), .action = ACTION_COMPENSATE, .attempt = 1, .outcome = REPLY_SUCCESS};

                happen(&family, &family.sagas[i], undone);
            }
        }
    }
    assert_true(turns < TURNS_MAX);
    assert_int_equal(family.sagas_len, 1 + SAGA_DEPTH_MAX);
    assert_string_equal(family.sagas[SAGA_DEPTH_MAX]->id, "o.k.m.k.m.k.m.k.m");
    for (size_t i = 0; i < family.sagas_len; i++)
        assert_int_equal(family.sagas[i]->status, SAGA_COMPENSATED);
    assert_string_equal(json_string_value(json_object_get(family.sagas[0]->error, "code")), "SAGA_DEPTH");
    family_clear(&family);
}

/* Every child has an id of its own, however long its parent's is. */
static void a_long_id_gives_a_childs_id_that_is_one(void **state)
{
    static const char *const definitions[3] = {impatient, child};
    char id[SAGA_ID_MAX + 1];
    struct family family;
    json_t *input = json_object();

    (void)state;
    family_init(&family, definitions);
    memset(id, 'i', SAGA_ID_MAX);
    id[SAGA_ID_MAX] = '\0';
    for (char c = 'a'; c <= 'b'; c++) { /* two that differ in the part that is cut off */
        id[SAGA_ID_MAX - 1] = c;
        start(&family, id, "parent", NULL, input);
        word(&family, "ok a");
        assert_true(send(&family));
        assert_true(saga_id_valid(family.sagas[family.sagas_len - 1]->id, strlen(family.sagas[family.sagas_len - 1]->id)));
    }
    assert_int_equal(family.sagas_len, 4);
    json_decref(input);
    family_clear(&family);
}

/* --- anything --- */

static bool is_outstanding(const struct saga *saga, const struct saga_step *step)
{
    return saga->definition->steps[step->index].kind == STEP_COMMAND && (step->status == STEP_RUNNING || step->status == STEP_COMPENSATING);
}

/* A participant says something to what it was asked. */
static void participant(struct family *family, struct saga **saga, struct random *random, bool goodwill)
{
    for (size_t i = 0; i < (*saga)->steps_len; i++) {
        const struct saga_step *step = &(*saga)->steps[i];
        struct saga_event event = {.kind = EVENT_REPLY, .place = saga_place_of(step), .outcome = REPLY_SUCCESS};

        if (!is_outstanding(*saga, step))
            continue;
        event.action = step->status == STEP_RUNNING ? ACTION_EXECUTE : ACTION_COMPENSATE;
        event.attempt = step->status == STEP_RUNNING ? step->attempts : step->compensations;
        if (!goodwill && random_one_in(random, event.action == ACTION_EXECUTE ? 4 : 8))
            event.outcome = random_one_in(random, 2) ? REPLY_FAILURE : REPLY_RETRY;
        happen(family, saga, event);
        return;
    }
}

static void operator_says(struct family *family, struct saga **saga, struct random *random)
{
    static const enum saga_verb verbs[] = {VERB_CANCEL, VERB_PAUSE, VERB_RESUME, VERB_RETRY, VERB_COMPENSATE};

    happen(family, saga, (struct saga_event){.kind = EVENT_VERB, .verb = verbs[random_below(random, 5)], .who = "ann"});
}

static void timer(struct family *family, struct saga **saga)
{
    if ((*saga)->due_at_ms == 0)
        return;
    if ((*saga)->due_at_ms > family->now)
        family->now = (*saga)->due_at_ms;
    happen(family, saga, (struct saga_event){.kind = EVENT_TIMER});
}

static void anything(struct family *family, struct random *random)
{
    struct saga **saga = &family->sagas[random_below(random, (int)family->sagas_len)];

    switch (random_below(random, 12)) {
    case 0: operator_says(family, saga, random); break;
    case 1: timer(family, saga); break;
    case 2: case 3: case 4: (void)send(family); break;
    case 5: case 6: case 7: (void)answer(family); break;
    default: participant(family, saga, random, false); break;
    }
}

static bool at_rest(const struct saga *saga)
{
    return (saga_status_ended(saga->status) && saga->due_at_ms == 0) || saga->status == SAGA_PARKED;
}

/* From now on everything arrives, everybody is willing, and what is parked is tried again. */
static void come_to_rest(struct family *family, struct random *random)
{
    int turns = 0;

    for (bool moving = true; moving; turns++) {
        MUST(family, turns < TURNS_MAX, "no end in sight");
        moving = false;
        while (send(family) || answer(family))
            moving = true;
        for (size_t i = 0; i < family->sagas_len; i++) {
            struct saga **saga = &family->sagas[i];
            int64_t seq = (*saga)->seq;

            if ((*saga)->paused_at_ms != 0)
                happen(family, saga, (struct saga_event){.kind = EVENT_VERB, .verb = VERB_RESUME, .who = "ann"});
            else if ((*saga)->status == SAGA_PARKED && turns < 40)
                happen(family, saga, (struct saga_event){.kind = EVENT_VERB, .verb = VERB_RETRY, .who = "ann"});
            participant(family, saga, random, true);
            if ((*saga)->seq == seq && !at_rest(*saga) && family->asked.len + family->answered.len == 0)
                timer(family, saga);
            moving = moving || (*saga)->seq != seq;
        }
    }
}

/* Of a parent that is what its children's step made of it. */
static void check_family(struct family *family)
{
    for (size_t i = 0; i < family->sagas_len; i++) {
        const struct saga *its = family->sagas[i];
        struct saga **of = its->parent == NULL ? NULL : find(family, json_string_value(json_object_get(its->parent, "saga")));
        const struct saga_step *step = NULL;
        bool newest_child = false;

        MUST(family, at_rest(its), "a saga that goes on for ever");
        if (of == NULL || json_object_get(its->parent, "detached") != NULL)
            continue;
        step = saga_step_find(*of, AT(definition_step_index((*of)->definition, json_string_value(json_object_get(its->parent, "step")),
                                                            strlen(json_string_value(json_object_get(its->parent, "step"))))));
        MUST(family, step != NULL, "a child of a step that was never reached");
        newest_child = strcmp(json_string_value(step->child), its->id) == 0;
        MUST(family, newest_child || its->status == SAGA_COMPENSATED || its->status == SAGA_CANCELLED, "an older child that did not go back");
        if ((*of)->status == SAGA_COMPLETED)
            MUST(family, !newest_child || its->status == SAGA_COMPLETED, "completed, but its child is not");
        if ((*of)->status == SAGA_COMPENSATED || (*of)->status == SAGA_CANCELLED)
            MUST(family, its->status == SAGA_COMPENSATED || its->status == SAGA_CANCELLED, "compensated, but its child is not");
    }
}

static void families_stay_of_one_mind(void **state)
{
    static const char *const parents[] = {plain, impatient, detaching, committed}, *const children[] = {child, final, middle};
    struct random seeds = random_begin("child");
    int ends[SAGA_STATUS_COUNT] = {0};

    (void)state;
    for (int i = 0; i < FAMILIES; i++) {
        struct random random = {seeds.state + (unsigned long long)i};
        const char *const definitions[3] = {parents[random_below(&random, 4)], children[random_below(&random, 3)], grandchild};
        struct family family;

        family_init(&family, definitions);
        family.seed = seeds.state + (unsigned long long)i;
        word(&family, "start");
        for (int n = random_below(&random, EVENTS_MAX); n > 0; n--)
            anything(&family, &random);
        come_to_rest(&family, &random);
        check_family(&family);
        ends[family.sagas[0]->status]++;
        family_clear(&family);
    }
    assert_true(ends[SAGA_COMPLETED] > FAMILIES / 20 && ends[SAGA_COMPENSATED] > FAMILIES / 20 && ends[SAGA_CANCELLED] > FAMILIES / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_that_start_each_other_come_to_an_end),
        cmocka_unit_test(a_long_id_gives_a_childs_id_that_is_one),
        cmocka_unit_test(families_stay_of_one_mind),
    };

    return RUN_ROWS(rows, check_row) + cmocka_run_group_tests(tests, NULL, NULL);
}

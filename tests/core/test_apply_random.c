/*
 * test_apply_random.c -- random definitions in a random world: what must hold after every event, whatever happens.
 *
 * A world answers any command at any time with anything, twice or never, and lets any time pass. Two workers, each with its own Lua and
 * its own compiled definition, apply the same events; they must agree to the letter. Beside them a book keeps what was really said and
 * sent, so that the rules are not checked against themselves.
 *
 * BATON_TEST_SEED=n runs again from the saga that failed; BATON_TEST_SAGAS=n says how many.
 */
#include "random_definition.h"
#include <baton/apply.h>

#define SAGAS 20000
#define SAGAS_OF_A_DEFINITION 8
#define EVENTS_MAX 40
#define TIMERS_MAX 20000 /* after which silence alone must have ended or parked it */
#define STEPS_MAX 128
#define ITERATIONS_MAX 3
#define SPOTS (STEPS_MAX * (1 + ITERATIONS_MAX)) /* a place in a run as a number: the step, and STEPS_MAX more for each iteration */
#define NOISE_MAX 16

static unsigned long long seed_now;
static struct buffer told; /* what worker one knew last */

#define MUST(condition, rule) \
    do { \
        if (!(condition)) \
            fail_msg("BATON_TEST_SEED=%llu: %s\n%s", seed_now, (rule), buffer_cstr(&told)); \
    } while (0)

/* --- two workers --- */

struct worker {
    struct expr_vm *vm;
    struct definition *definition;
    struct saga *saga;
    struct effects effects;
};

static void compile(struct worker *worker, const json_t *doc, const char *text)
{
    struct findings *findings = calloc(1, sizeof *findings);

    assert_non_null(findings);
    if (definition_parse(doc, worker->vm, findings, &worker->definition) != BATON_OK)
        fail_msg("BATON_TEST_SEED=%llu: %s: %s\n%s", seed_now, findings->items[0].pointer, findings->items[0].text, text);
    free(findings);
}

static void tell_json(struct buffer *out, const char *name, const json_t *value)
{
    if (value == NULL)
        return;
    say(out, " %s=", name);
    json_write(out, value);
}

/* Everything that a worker knows of the saga, and what it wants done. */
static void tell(struct buffer *out, const struct worker *worker)
{
    const struct saga *saga = worker->saga;

    buffer_clear(out);
    say(out, "%s seq=%lld at=%lld ended=%lld deadline=%lld due=%lld back=%d dup=%lld late=%lld parked=%s/%d/%lld history=%zu+%lld", saga_status_name(saga->status),
        (long long)saga->seq, (long long)saga->updated_at_ms, (long long)saga->ended_at_ms, (long long)saga->deadline_at_ms,
        (long long)saga->due_at_ms, saga->turned_back, (long long)saga->duplicates, (long long)saga->late,
        saga->parked == NULL ? "" : saga->parked, saga->parked_from, (long long)saga->paused_at_ms, saga->history_len, (long long)saga->history_dropped);
    tell_json(out, "output", saga->output);
    tell_json(out, "error", saga->error);
    tell_json(out, "dataref", saga->dataref);
    tell_json(out, "signals", saga->signals);
    tell_json(out, "parent", saga->parent);
    for (size_t i = 0; i < saga->steps_len; i++) {
        const struct saga_step *step = &saga->steps[i];

        say(out, "\n%d.%d %d of %d of %d %s case=%d lost=%x parked=%d %d ~%d -%d polls=%d-%d fallback=%d%d unanswered=%d order=%d first=%lld sent=%lld due=%lld settled=%lld held=%lld", step->index, step->iteration, step->finished, step->begun, step->count, step_status_name(step->status),
            step->chosen + 100 * step->forever, step->lost, step->parked, step->attempts, step->compensations, step->forgiven, step->polls, step->poll_from, step->fallback, step->refused, step->unanswered, step->done_order, (long long)step->first_at_ms,
            (long long)step->sent_at_ms, (long long)step->due_at_ms, (long long)step->settled_at_ms, (long long)step->held_since_ms);
        tell_json(out, "items", step->items);
        tell_json(out, "output", step->output);
        tell_json(out, "error", step->error);
        tell_json(out, "dataref", step->dataref);
        tell_json(out, "input", step->input);
        tell_json(out, "undo input", step->undo_input);
        tell_json(out, "child", step->child);
        say(out, " failed=%d", step->children_failed);
        tell_json(out, "undo", step->undo);
    }
    say(out, "\n%s %s", disposition_name(worker->effects.disposition), worker->effects.refusal);
    for (size_t i = 0; i < worker->effects.len; i++) {
        const struct effect *effect = &worker->effects.items[i];

        say(out, " %d/%d.%d/%d/%d@%lld", effect->kind, effect->place.index, effect->place.iteration, effect->action, effect->attempt, (long long)effect->expires_at_ms);
        tell_json(out, "input", effect->input);
    }
}

/* --- the book: what was really said and sent --- */

struct book {
    int sent[SPOTS][2]; /* by action */
    bool succeeded[SPOTS]; /* a participant said so, to an attempt that was made */
    int poll[SPOTS];       /* of the last command of a repeat */
    int poll_first[SPOTS]; /* its first attempt */
    bool answered[SPOTS];  /* it was, with a success */
    bool named[SPOTS];     /* with a success a compensation that can be one was named */
    bool silent[SPOTS];    /* an attempt went unanswered */
    bool by_hand[SPOTS];   /* an operator said that it was done */
    bool left[SPOTS];      /* an operator said that its compensation is left out */
    bool cancelled;
    int order[SPOTS];      /* of completion or of giving up */
    int orders;
    bool turned_back;
    int results;
    int reopened; /* completed, and then undone by its parent */
    enum reply_header_outcome child_said[SPOTS]; /* how the step's child ended: it has one end */
    char child[SPOTS][SAGA_ID_MAX + 1];          /* the one that was started last */
    int asks, leaves;          /* told to the lock */
    int64_t history; /* entries ever made */
};

struct world {
    struct random random;
    struct worker one, two;
    struct buffer told_two;
    json_t *input;
    struct book book;
    int64_t now;
    const struct saga_event *event; /* that happens */
    bool refusing;                  /* it is a participant's no */
    bool retried, skipped;          /* by an operator, ever */
    bool gated; /* services hold back, now and then */
    struct saga_place lookups[SPOTS]; /* cached values asked for, not told yet */
    size_t lookups_len;
};

/* Is it this verb that happens, and is it applied? */
static bool asked(const struct world *world, enum saga_verb verb)
{
    return world->event->kind == EVENT_VERB && world->event->verb == verb && world->one.effects.disposition == APPLIED;
}

/* --- places --- */

static int spot(struct saga_place place)
{
    assert_true(place.index < STEPS_MAX && place.iteration < ITERATIONS_MAX);
    return place.index < 0 ? -1 : place.index + STEPS_MAX * (place.iteration + 1);
}

static struct saga_place place(int spot)
{
    return (struct saga_place){spot % STEPS_MAX, spot / STEPS_MAX - 1};
}

static int spot_of(const struct saga_step *step)
{
    return spot(saga_place_of(step));
}

static int to(const struct effect *effect)
{
    return spot(effect->place);
}

static struct saga_step *entry(const struct saga *saga, int spot)
{
    return saga == NULL ? NULL : saga_step_find(saga, place(spot));
}

static const struct definition_step *defined(const struct world *world, int spot)
{
    return &world->one.definition->steps[spot % STEPS_MAX];
}

/* That step as seen from another one; -1 = none. */
static int near(const struct world *world, int from, int index)
{
    return index < 0 ? -1 : spot(saga_place_at(world->one.definition, index, place(from).iteration));
}

static int parent_of(const struct world *world, int spot)
{
    return near(world, spot, defined(world, spot)->parent);
}

static bool contains(const struct world *world, int group, int spot)
{
    return definition_contains(world->one.definition, group % STEPS_MAX, spot % STEPS_MAX) &&
           (place(group).iteration < 0 || place(group).iteration == place(spot).iteration);
}

static int branch_in(const struct world *world, int group, int spot)
{
    return definition_branch(world->one.definition, group % STEPS_MAX, spot % STEPS_MAX);
}

/* Is there such a place in this run? In a forEach: is that iteration to be, as far as is known? */
static bool exists(const struct world *world, int spot)
{
    int index = spot % STEPS_MAX, iteration = place(spot).iteration;
    int each = (size_t)index < world->one.definition->steps_len ? world->one.definition->steps[index].each : 0;

    if ((size_t)index >= world->one.definition->steps_len || (each >= 0) != (iteration >= 0))
        return false;
    return each < 0 || (entry(world->one.saga, each) != NULL && iteration < entry(world->one.saga, each)->count);
}

/* Is a first command for this step among what is sent now? */
static bool sent_now(const struct world *world, int step)
{
    bool sent = false;

    for (size_t i = 0; i < world->one.effects.len && !sent; i++)
        sent = to(&world->one.effects.items[i]) == step && world->one.effects.items[i].action == ACTION_EXECUTE;
    return sent;
}

static enum step_status status_of(const struct saga *saga, int index)
{
    const struct saga_step *step = saga == NULL ? NULL : entry(saga, index);

    return step == NULL ? STEP_STATUS_COUNT : step->status;
}

/* Sends a message, and has an answer to it. */
static bool is_asking(const struct definition *definition, int spot)
{
    int index = spot % STEPS_MAX;

    return definition->steps[index].kind == STEP_COMMAND || definition->steps[index].kind == STEP_SAGA;
}

static bool is_open(enum step_status status)
{
    return status == STEP_RUNNING || status == STEP_RETRYING;
}

static bool is_undoing(enum step_status status)
{
    return status == STEP_COMPENSATING || status == STEP_COMPENSATION_RETRYING;
}

/* --- the tree --- */

static bool is_parallel(const struct world *world, int index)
{
    return index >= 0 && defined(world, index)->kind == STEP_PARALLEL;
}

static bool is_each(const struct world *world, int index)
{
    return index >= 0 && defined(world, index)->kind == STEP_FOREACH;
}

static bool has_parallels(const struct world *world)
{
    bool has = false;

    for (size_t i = 0; i < world->one.definition->steps_len && !has; i++)
        has = is_parallel(world, (int)i) || is_each(world, (int)i);
    return has;
}

/* The way down from the definition to the step: each group, then the step itself. */
struct path {
    int groups[16];
    int len;
};

static struct path path_to(const struct world *world, int index)
{
    struct path path = {.len = 0};
    int turned[16], n = 0;

    for (; index >= 0; index = parent_of(world, index))
        turned[n++] = index;
    while (n > 0)
        path.groups[path.len++] = turned[--n];
    return path;
}

static bool branch_lost(const struct saga *saga, int parallel, int branch)
{
    const struct saga_step *group = entry(saga, parallel);

    return group != NULL && (group->lost & 1U << branch) != 0;
}

/* How far down the path leads before it comes into a branch that lost; its length = into none. */
static int steps_to_loss(const struct world *world, const struct saga *saga, const struct path *path)
{
    for (int i = 0; i + 1 < path->len; i++) {
        if (is_parallel(world, path->groups[i]) && branch_lost(saga, path->groups[i], defined(world, path->groups[i + 1])->branch))
            return i;
    }
    return path->len;
}

/* What is done here has to be undone: the saga has turned back, or a branch around has lost. */
static bool is_lost(const struct world *world, const struct saga *saga, int index)
{
    const struct path path = path_to(world, index);

    return saga != NULL && (saga->turned_back || steps_to_loss(world, saga, &path) < path.len);
}

/* How many groups two steps have in common, and whether they part at a parallel, into two branches, or at a forEach, into two iterations. */
static int common(const struct world *world, const struct path *a, const struct path *b, bool *ret_apart)
{
    int n = 0;

    while (n < a->len && n < b->len && a->groups[n] == b->groups[n])
        n++;
    *ret_apart = n > 0 && n < a->len && n < b->len &&
                 ((is_parallel(world, a->groups[n - 1]) && defined(world, a->groups[n])->branch != defined(world, b->groups[n])->branch) ||
                  (is_each(world, a->groups[n - 1]) && place(a->groups[n]).iteration != place(b->groups[n]).iteration));
    return n;
}

static bool apart(const struct world *world, int a, int b)
{
    const struct path path_a = path_to(world, a), path_b = path_to(world, b);
    bool apart = false;

    (void)common(world, &path_a, &path_b, &apart);
    return apart;
}

/* Is there an order in which these two must be undone? Not between branches, nor between a branch that lost and what comes after its group. */
static bool has_order(const struct world *world, int a, int b)
{
    bool a_first = a % STEPS_MAX < b % STEPS_MAX;
    const struct path path_a = path_to(world, a_first ? a : b), path_b = path_to(world, a_first ? b : a);
    bool apart = false;
    int n = common(world, &path_a, &path_b, &apart);

    if (apart)
        return false;
    for (int i = n; i + 1 < path_a.len; i++) { /* the earlier one, below what they have in common */
        if (is_parallel(world, path_a.groups[i]) && branch_lost(world->one.saga, path_a.groups[i], defined(world, path_a.groups[i + 1])->branch))
            return false;
    }
    return true;
}

/* In a parallel that the other step does not stand in. */
static bool in_parallel_beside(const struct world *world, int index, int other)
{
    for (int i = parent_of(world, index); i >= 0; i = parent_of(world, i)) {
        if ((is_parallel(world, i) || is_each(world, i)) && !contains(world, i, other))
            return true;
    }
    return false;
}

/* Waits for a signal or a child, and for nothing else. */
static const struct saga_step *waits_for_ever(const struct saga *saga)
{
    for (size_t i = 0; i < saga->steps_len; i++) {
        if (saga->steps[i].forever)
            return &saga->steps[i];
    }
    return NULL;
}

static bool to_be_undone(enum step_status status)
{
    return status == STEP_DONE || status == STEP_UNKNOWN;
}

/* Skipped by an operator, though it may have happened; or done after all, while something stood in for it. */
static bool skipped_perhaps_done(const struct saga *saga, int index)
{
    const struct saga_step *step = saga == NULL ? NULL : entry(saga, index);

    return step != NULL && (step->status == STEP_SKIPPED || step->status == STEP_FAILED) && step->done_order > 0;
}

/* What is done, or given up unanswered, gets its place in the order by which it must be undone; what is so by one event, in the order of the text. */
static void note_order(struct book *book, const struct saga *before, const struct saga *after)
{
    for (int n = 0; n < SPOTS; n++) {
        int i = n / (1 + ITERATIONS_MAX) + STEPS_MAX * (n % (1 + ITERATIONS_MAX));
        enum step_status was = status_of(before, i), is = status_of(after, i);

        if (to_be_undone(was) || skipped_perhaps_done(before, i) || is_undoing(was) || was == STEP_COMPENSATED || was == STEP_COMPENSATION_FAILED ||
            was == STEP_COMPENSATION_SKIPPED) {
            if (!(was == STEP_UNKNOWN && is == STEP_DONE))
                continue; /* a parked pivot that was done after all counts from now */
        }
        if (to_be_undone(is) || skipped_perhaps_done(after, i) || is_undoing(is) || is == STEP_COMPENSATION_FAILED)
            book->order[i] = ++book->orders;
    }
}

/* The answers that nobody waits for any more, because enough other branches are done. */
static void note_losers(struct world *world, const struct saga *before)
{
    for (size_t i = 0; i < world->one.saga->steps_len; i++) {
        const struct saga_step *parallel = &world->one.saga->steps[i];
        enum step_status was = status_of(before, spot_of(parallel));

        /* A child is not waited for where all is lost: it is undone at once. */
        if (defined(world, spot_of(parallel))->kind == STEP_SAGA && is_lost(world, world->one.saga, spot_of(parallel)) &&
            (was == STEP_RUNNING || sent_now(world, spot_of(parallel))))
            world->book.silent[spot_of(parallel)] = true;

        if (!is_parallel(world, spot_of(parallel)) || parallel->status != STEP_DONE || (was != STEP_RUNNING && was != STEP_STATUS_COUNT))
            continue;
        for (int k = 0; k < SPOTS; k++) {
            if (exists(world, k) && k != spot_of(parallel) && contains(world, spot_of(parallel), k) && is_lost(world, world->one.saga, k) && (status_of(before, k) == STEP_RUNNING || sent_now(world, k)))
                world->book.silent[k] = true;
        }
    }
}

/* Is this step where the saga is, or has been, or never comes? By the states alone: one that was not entered stands in a group that was not,
 * or in a case that was not taken. */
static bool behind(const struct world *world, int index)
{
    const struct definition_step *step = defined(world, index);
    const struct saga_step *is = entry(world->one.saga, index);
    const struct saga_step *group = step->parent < 0 ? NULL : entry(world->one.saga, parent_of(world, index));

    if (is != NULL)
        return is->status == STEP_DONE || is->status == STEP_SKIPPED || is->fallback != FALLBACK_NONE;
    if (step->stands_in != FALLBACK_NONE) /* and was not needed, or not yet */
        return group == NULL || group->fallback == FALLBACK_NONE;
    if (step->parent < 0)
        return false;
    return group == NULL || group->status == STEP_SKIPPED ||
           (defined(world, step->parent)->kind == STEP_SWITCH && group->chosen != step->branch + 1);
}

static bool is_group_around(const struct world *world, int index, int inner)
{
    bool lost = is_lost(world, world->one.saga, inner); /* within the event that sent it: its groups have ended */

    for (int i = parent_of(world, inner); i >= 0; inner = i, i = parent_of(world, i)) {
        const struct saga_step *group = entry(world->one.saga, i);

        if (defined(world, inner)->stands_in != FALLBACK_NONE) {
            MUST(group != NULL && (group->status == STEP_FAILED || group->status == STEP_UNKNOWN || lost) && group->fallback == defined(world, inner)->stands_in,
                 "something stands in for a step that was not given up");
            continue;
        }
        MUST(group != NULL && (group->status == STEP_RUNNING || lost), "a step goes on in a group that does not");
        MUST(group->chosen == (defined(world, i)->kind == STEP_SWITCH ? defined(world, inner)->branch + 1 : 0), "a step goes on in a case that was not taken");
        if (i == index)
            return true;
    }
    return false;
}

/* A poll ends with its first success: then the next one has the next key. */
static void check_poll(struct world *world, const struct effect *effect)
{
    const struct repeat_policy *repeat = defined(world, to(effect))->repeat;
    struct book *book = &world->book;

    MUST((repeat != NULL) == (effect->poll > 0), "a poll of a step that is asked once, or none of one that is not");
    if (repeat == NULL)
        return;
    if (effect->poll == book->poll[to(effect)]) {
        MUST(!book->answered[to(effect)], "the key of a poll that was answered");
        return;
    }
    MUST(effect->poll == book->poll[to(effect)] + 1 && (effect->poll == 1 || book->answered[to(effect)]), "another poll though the one before was not answered");
    MUST(effect->poll <= repeat->limit || world->retried || asked(world, VERB_RETRY), "a poll beyond the limit");
    book->poll[to(effect)] = effect->poll;
    book->poll_first[to(effect)] = effect->attempt;
    book->answered[to(effect)] = false;
}

/* What lost in the very event that sent a command after it is on its way back already: the state is of a later moment than the command. */
static bool was_done(const struct world *world, int index)
{
    enum step_status status = status_of(world->one.saga, index);

    return (is_undoing(status) || status == STEP_COMPENSATION_FAILED) && is_lost(world, world->one.saga, index) &&
           (world->book.succeeded[index] || world->book.by_hand[index]);
}

static void check_execute(const struct world *world, const struct effect *effect, const struct saga *before)
{
    const struct saga *after = world->one.saga;
    const struct definition_step *step = defined(world, to(effect));
    enum step_status was = status_of(before, to(effect));

    /* With a detached child sent it goes on at once: the state is of a later moment. */
    bool left_behind = step->detached && (before == NULL || !before->turned_back);

    MUST(!is_lost(world, before, to(effect)), "an execute command after compensation began");
    MUST(!after->turned_back || left_behind || has_parallels(world), "an execute command of a saga that turns back");
    MUST(was == STEP_STATUS_COUNT || is_open(was) || asked(world, VERB_RETRY), "an execute command for a settled step");
    MUST(step->stands_in == FALLBACK_NONE || was != STEP_STATUS_COUNT || !world->refusing, "something stands in for a refusal");
    for (int i = 0; i < SPOTS && !left_behind; i++) {
        if (exists(world, i) && i % STEPS_MAX < effect->place.index && !apart(world, i, to(effect)) && !in_parallel_beside(world, i, to(effect)))
            MUST(behind(world, i) || was_done(world, i) || is_group_around(world, i, to(effect)), "an execute command before the step before it was done");
    }
    MUST(!step->confirmation || world->book.succeeded[step->confirms] || world->book.by_hand[step->confirms], "a confirm of what was not tried");
    if (effect->kind == EFFECT_COMMAND)
        MUST(strcmp(effect->service, step->service) == 0 && strcmp(effect->command, step->command) == 0, "another step's command");
    /* What is lost within the event may be on its way back already: then it is another budget that the state tells of. */
    MUST(step->retry.attempts == RETRY_UNLIMITED || is_lost(world, after, to(effect)) ||
             effect->attempt - entry(after, to(effect))->forgiven <= step->retry.attempts, "an attempt beyond the budget");
}

/* By its definition, or by a reply. */
static bool undoable(const struct world *world, int index)
{
    const struct saga_step *step = entry(world->one.saga, index);

    if (defined(world, index)->kind == STEP_SAGA && (step == NULL || step->child == NULL))
        return false; /* completed by hand before a child was started: there is none */
    return defined(world, index)->compensation != NULL || (step != NULL && step->undo != NULL);
}

/* Stands i in the innermost branch around the step that has lost? Without one: in the saga. */
static bool same_loss(const struct world *world, int i, int step)
{
    const struct path path = path_to(world, step);

    for (int n = path.len - 2; n >= 0; n--) {
        int branch = defined(world, path.groups[n + 1])->branch;

        if (is_parallel(world, path.groups[n]) && branch_lost(world->one.saga, path.groups[n], branch))
            return contains(world, path.groups[n], i) && branch_in(world, path.groups[n], i) == branch;
    }
    return true;
}

static void check_compensate(const struct world *world, const struct effect *effect)
{
    const struct book *book = &world->book;
    const struct saga *after = world->one.saga;
    const json_t *named = entry(after, to(effect))->undo;
    const struct definition_step *step = defined(world, to(effect));
    const struct definition_compensation *undo = step->compensation != NULL ? step->compensation : step->unsaid;

    MUST(step->compensation != NULL || named != NULL, "a compensate command for a step that has none");
    MUST(named == NULL || world->book.named[to(effect)], "a compensation that no reply has named");
    if (effect->kind == EFFECT_COMMAND)
        MUST(named != NULL ? strcmp(effect->service, step->service) == 0 && strcmp(effect->command, "Named") == 0
                           : strcmp(effect->service, undo->service) == 0 && strcmp(effect->command, undo->command) == 0, "another compensation's command");
    MUST(undo->retry.attempts == RETRY_UNLIMITED || effect->attempt - entry(after, to(effect))->forgiven <= undo->retry.attempts, "a compensation beyond its budget");
    MUST(book->sent[to(effect)][ACTION_EXECUTE] > 0 || book->by_hand[to(effect)], "a compensation of what was never sent");
    MUST(book->succeeded[to(effect)] || book->silent[to(effect)] || book->by_hand[to(effect)], "a compensation of what was never done");
    MUST(is_lost(world, after, to(effect)), "a compensation of what has not lost");
    for (int i = 0; effect->attempt == 1 && i < SPOTS; i++) {
        enum step_status status = status_of(after, i);
        bool undoing = is_undoing(status) || status == STEP_COMPENSATION_FAILED;

        if (!exists(world, i) || i == to(effect) || !is_asking(world->one.definition, i))
            continue;
        MUST(!is_open(status) || !same_loss(world, i, to(effect)), "a compensation before what is in flight has been answered");
        if (!has_order(world, i, to(effect)) || !undoable(world, i))
            continue;
        MUST(!undoing, "two compensations at once that have an order");
        if ((to_be_undone(status) || skipped_perhaps_done(after, i)) && is_lost(world, after, i))
            MUST(book->order[i] < book->order[to(effect)], "a compensation that is not the last thing done");
    }
}

/* Another child only after the one before has ended badly; the same one is asked again. */
static void check_child(struct world *world, const struct effect *effect, const struct saga_step *step)
{
    const struct definition_step *definition = defined(world, to(effect));
    struct book *book = &world->book;
    const char *id = json_string_value(step->child);

    MUST(id != NULL && saga_id_valid(id, strlen(id)), "a child without an id");
    MUST((effect->input != NULL) == (effect->action == ACTION_EXECUTE), "a child without input, or undone with one");
    MUST(!definition->detached || (effect->action == ACTION_EXECUTE && (step->status == STEP_DONE || step->status == STEP_COMPENSATED)), "a detached child that is awaited");
    MUST(definition->detached || is_lost(world, world->one.saga, to(effect)) || step->forever == (step->due_at_ms == 0), "a child that is awaited neither for ever nor until a time");
    MUST(book->child[to(effect)][0] == '\0' || strcmp(book->child[to(effect)], id) == 0 ||
             (effect->action == ACTION_EXECUTE && book->child_said[to(effect)] == REPLY_FAILURE), "a second child beside the first");
    if (strcmp(book->child[to(effect)], id) != 0)
        book->child_said[to(effect)] = REPLY_UNSAID;
    (void)strcpy(book->child[to(effect)], id);
}

static void check_command(struct world *world, const struct effect *effect, const struct saga *before)
{
    int *sent = &world->book.sent[to(effect)][effect->action];
    const struct saga_step *step = entry(world->one.saga, to(effect));

    MUST(effect->attempt == *sent + 1, "attempt numbers of one idempotency key are not 1, 2, 3 ...");
    *sent = effect->attempt;
    /* What was sent may have lost within the same event. */
    bool lost_now = effect->action == ACTION_EXECUTE && is_lost(world, world->one.saga, to(effect));

    if (effect->kind == EFFECT_CHILD) {
        check_child(world, effect, step);
    } else {
        MUST(effect->input != NULL, "a command without input");
        MUST(effect->expires_at_ms > world->one.saga->updated_at_ms, "a command that had expired when it was sent");
        MUST(step->due_at_ms == effect->expires_at_ms || lost_now, "a command that expires when it is not due");
    }
    if (effect->action == ACTION_EXECUTE)
        check_poll(world, effect);
    if (effect->action == ACTION_EXECUTE)
        check_execute(world, effect, before);
    else
        check_compensate(world, effect);
}

/* Whatever parks or goes on is told of; an end is told by its result. */
static void check_parking(const struct saga *before, const struct saga *after, const struct effects *effects)
{
    bool was = before != NULL && before->status == SAGA_PARKED, is = after->status == SAGA_PARKED, told_of = was, newly = false;
    int parked = 0, resumed = 0;

    for (size_t i = 0; i < effects->len; i++) {
        MUST(effects->items[i].kind != EFFECT_RESUMED || told_of, "resumed, but it was not parked");
        told_of = effects->items[i].kind == EFFECT_PARKED || (told_of && effects->items[i].kind != EFFECT_RESUMED);
        parked += effects->items[i].kind == EFFECT_PARKED;
        resumed += effects->items[i].kind == EFFECT_RESUMED;
    }
    for (size_t i = 0; i < after->steps_len; i++) {
        const struct saga_step *had = before == NULL ? NULL : entry(before, spot_of(&after->steps[i]));

        newly = newly || (after->steps[i].parked && (had == NULL || !had->parked));
    }
    MUST(parked <= 1 && resumed <= 1, "told of twice");
    MUST(!newly || parked == 1, "parked on a step unsaid");
    if (was && saga_status_ended(after->status) && (before->paused_at_ms != 0 || after->status == SAGA_TERMINATED) && parked + resumed == 0)
        return;
    MUST(told_of == is, "parked or resumed unsaid");
}

/* It asks once, when it starts; it leaves once, when it ends. */
static void check_lock(struct world *world, const struct effect *effect, const struct saga *before)
{
    bool leave = strcmp(json_string_value(json_object_get(effect->input, "lock")), "leave") == 0;

    world->book.asks += !leave;
    world->book.leaves += leave;
    MUST(world->book.asks == 1 && world->book.leaves <= 1, "a lock asked for, or left, twice, or left before it was asked for");
    MUST(leave ? saga_status_ended(world->one.saga->status) : before == NULL, "a lock asked for in mid-run, or left before the end");
    MUST(strcmp(json_string_value(json_object_get(effect->input, "saga")), world->one.saga->id) == 0, "asked for another");
}

static void check_effects(struct world *world, const struct saga *before)
{
    const struct effects *effects = &world->one.effects;
    const struct saga *after = world->one.saga;
    int commands = 0, results = 0, answers = 0;
    bool parent_asks = world->event->parent != NULL && before != NULL;

    for (size_t i = 0; i < effects->len; i++) {
        const struct effect *effect = &effects->items[i];

        switch (effect->kind) {
        case EFFECT_COMMAND:
            check_command(world, effect, before);
            commands++;
            break;
        case EFFECT_RESULT:
            world->book.results++;
            results++;
            MUST(saga_status_ended(after->status), "a result of a saga that goes on");
            break;
        case EFFECT_CHILD:
            check_command(world, effect, before);
            commands += !defined(world, to(effect))->detached;
            break;
        case EFFECT_ANSWER: answers++; break;
        case EFFECT_PARKED:
        case EFFECT_RESUMED:
        case EFFECT_HELD:
        case EFFECT_DIVERTED: break;
        case EFFECT_LOCK: check_lock(world, effect, before); break;
        case EFFECT_SIGNAL: MUST(false, "a saga tells no other"); break;
        case EFFECT_CACHE:
            MUST(world->event->kind == EVENT_REPLY && world->book.succeeded[to(effect)], "something is kept that was not done");
            MUST(json_equal(json_object_get(effect->input, "value"), entry(after, to(effect))->output), "something else is kept than was done");
            break;
        case EFFECT_LOOKUP: MUST(defined(world, to(effect))->kind == STEP_CACHED, "what was kept is asked for by a step that has no use for it"); break;
        }
    }
    MUST(commands <= 1 || has_parallels(world), "two commands at once");
    MUST(commands == 0 || world->book.asks == 0 || status_of(after, 0) == STEP_DONE || status_of(after, 0) == STEP_SKIPPED, "a command without the lock");
    MUST(!saga_status_ended(after->status) || world->book.asks == world->book.leaves, "ended, and the lock is not left");
    check_parking(before, after, effects);
    MUST(commands == 0 || before == NULL || before->paused_at_ms == 0 || world->event->kind == EVENT_VERB, "a command of a paused saga");
    MUST(before == NULL || before->status != SAGA_TERMINATED || (effects->len == (size_t)answers && after->status == SAGA_TERMINATED), "a terminated saga that moves");
    world->book.reopened += parent_asks && before->ended_at_ms != 0 && !before->turned_back && after->turned_back;
    MUST(world->book.results == (after->ended_at_ms != 0) + world->book.reopened, "not exactly one result of an end");
    MUST(after->parent == NULL ? answers == 0 : answers <= 1 && answers >= results, "a parent without an answer, or with two");
    MUST(answers == (after->parent == NULL ? 0 : results) || parent_asks, "an answer that nobody waits for");
    MUST(effects->disposition == APPLIED || effects->len == (size_t)answers, "an ignored event with an effect");
}

/* Where the saga has lost, nothing goes on but what had been sent before. */
static void check_lost(const struct world *world, const struct saga *before, const struct saga_step *step)
{
    const struct saga_step *had = before == NULL ? NULL : entry(before, spot_of(step));
    bool command = defined(world, spot_of(step))->kind == STEP_COMMAND;

    if (!is_lost(world, world->one.saga, spot_of(step)))
        return;
    MUST(step->status != STEP_RETRYING && step->status != STEP_WAITING && (step->status != STEP_RUNNING || command), "a step goes on where all is lost");
    MUST(!is_lost(world, before, spot_of(step)) || (had != NULL && had->attempts == step->attempts), "something new where all is lost");
    MUST(step->status != STEP_RUNNING || !is_lost(world, before, spot_of(step)) || had->status == STEP_RUNNING, "a step begins where all is lost");
}

/* Has the branch come to its end? It has if its last step has, which is the one that no other stands behind. */
static bool at_its_end(const struct world *world, int parallel, int branch)
{
    int last = -1;

    for (int i = 0; i < SPOTS; i++) {
        if (exists(world, i) && parent_of(world, i) == parallel && defined(world, i)->branch == branch)
            last = i;
    }
    if (behind(world, last) && entry(world->one.saga, last)->fallback != FALLBACK_NONE)
        last = near(world, last, defined(world, last)->fallback);
    return behind(world, last) && entry(world->one.saga, last) != NULL && !entry(world->one.saga, last)->parked;
}

/* Did something fail for good in it? */
static bool has_failed(const struct world *world, int parallel, int branch)
{
    for (size_t i = 0; i < world->one.saga->steps_len; i++) {
        const struct saga_step *step = &world->one.saga->steps[i];

        if (spot_of(step) != parallel && contains(world, parallel, spot_of(step)) &&
            branch_in(world, parallel, spot_of(step)) == branch &&
            (step->status == STEP_FAILED || step->error != NULL))
            return true;
    }
    return false;
}

/* Done as soon as enough branches are, and not before; those that are not done then have lost. Before: those that have failed. */
static void check_join(const struct world *world, const struct saga *before, const struct saga_step *step)
{
    const struct definition_step *definition = defined(world, spot_of(step));
    const struct saga_step *had = before == NULL ? NULL : entry(before, spot_of(step));
    uint32_t was = had == NULL ? 0 : had->lost;
    bool now = step->status == STEP_DONE && (had == NULL || had->status != STEP_DONE);
    int done = 0, left = definition->branches;

    MUST((was & ~step->lost) == 0, "a branch that had lost, and has not");
    MUST(was == step->lost || had == NULL || had->status == STEP_RUNNING, "a branch that loses when all is over");
    for (int i = 0; i < definition->branches; i++) {
        bool lost = (step->lost & 1U << i) != 0;

        left -= lost;
        done += !lost && step->status != STEP_SKIPPED && step->status != STEP_FAILED && at_its_end(world, spot_of(step), i);
        MUST(step->status != STEP_DONE || is_lost(world, world->one.saga, spot_of(step)) || lost || at_its_end(world, spot_of(step), i), "done, but not this branch");
        MUST(!lost || (was & 1U << i) != 0 || now || has_failed(world, spot_of(step), i), "lost without a reason");
    }
    MUST(step->status != STEP_RUNNING || left >= definition->quorum, "goes on, and cannot be done any more");
    MUST(step->status != STEP_RUNNING || done < definition->quorum, "goes on, though enough branches are done");
    MUST(!now || done >= definition->quorum || is_lost(world, world->one.saga, spot_of(step)), "done before enough branches are");
}

/* What an iteration gives: the output of its last step that was done; a null is none, for a state that has been read again has none there. */
static const json_t *gave(const struct world *world, int each, int iteration)
{
    const json_t *output = NULL;

    for (int i = each + 1; i < defined(world, each)->after; i++) {
        const struct saga_step *step = entry(world->one.saga, spot((struct saga_place){i, iteration}));

        if (step != NULL && (step->status == STEP_DONE || step->status == STEP_SKIPPED) && step->output != NULL && !json_is_null(step->output))
            output = step->output;
    }
    return output;
}

/* So many at a time, forth and back; each of them once; done when all are, and then it has what they gave. */
static void check_each(const struct world *world, const struct saga *before, const struct saga_step *step)
{
    const struct saga_step *had = entry(before, spot_of(step));
    int most = defined(world, spot_of(step))->concurrency, undoing = 0;

    MUST(0 <= step->finished && step->finished <= step->begun && step->begun <= step->count, "iterations that nobody counts");
    MUST(step->begun - step->finished <= most, "more iterations at a time than may be");
    MUST(had == NULL || (had->count == step->count && had->begun <= step->begun && had->finished <= step->finished), "iterations that have not begun any more");
    MUST(step->status != STEP_RUNNING || (step->finished < step->count && (step->begun == step->count || step->begun - step->finished == most)),
         "an iteration that could begin, and does not");
    MUST(step->status != STEP_DONE || is_lost(world, world->one.saga, spot_of(step)) || json_array_size(step->output) == (size_t)step->count, "done, but not all of it");
    for (int i = 0; i < step->count; i++) {
        bool back = false, begun = false;

        for (int k = step->index + 1; k < defined(world, spot_of(step))->after; k++) {
            const struct saga_step *inner = entry(world->one.saga, spot((struct saga_place){k, i}));

            begun = begun || inner != NULL;
            back = back || (inner != NULL && (is_undoing(inner->status) || inner->status == STEP_COMPENSATION_FAILED));
        }
        undoing += back;
        MUST(begun == (i < step->begun), "iterations out of order");
        if (step->status == STEP_DONE && (had == NULL || had->status != STEP_DONE))
            MUST(is_lost(world, world->one.saga, spot_of(step)) || json_equal(json_array_get(step->output, (size_t)i), gave(world, step->index, i) == NULL ? json_null() : gave(world, step->index, i)),
                 "not what the iteration gave");
    }
    MUST(undoing <= most, "more iterations are undone at a time than may be");
}

static void check_steps(const struct world *world, const struct saga *before)
{
    const struct saga *after = world->one.saga;
    int64_t due = after->status == SAGA_RUNNING ? after->deadline_at_ms : 0;
    int outstanding = 0;

    for (size_t i = 0; i < after->steps_len; i++) {
        const struct saga_step *step = &after->steps[i];
        enum step_status was = status_of(before, spot_of(step));

        outstanding += step->due_at_ms != 0;
        if (step->due_at_ms != 0 && after->paused_at_ms == 0 && (due == 0 || step->due_at_ms < due))
            due = step->due_at_ms;
        check_lost(world, before, step);
        if (is_parallel(world, spot_of(step)))
            check_join(world, before, step);
        if (is_each(world, spot_of(step)))
            check_each(world, before, step);
        MUST(before == NULL || entry(before, spot_of(step)) == NULL || entry(before, spot_of(step))->chosen == step->chosen,
             "a switch that changed its mind");
        MUST(was == step->status || step->changed, "a step that changed in silence");
        MUST(was != STEP_COMPENSATED || step->status == STEP_COMPENSATED, "a step undone and no longer");
        if (!is_asking(world->one.definition, spot_of(step))) {
            MUST(step->done_order == 0 && (step->due_at_ms == 0 || step->status == STEP_WAITING), "a group that is due, or a wait to be undone");
            MUST(!step->forever || defined(world, spot_of(step))->timeout_ms == 0, "a wait for ever that has a timeout");
            continue;
        }
        MUST(!step->forever || step->status == STEP_RUNNING || step->status == STEP_COMPENSATING, "for ever, but not under way");
        MUST(!step->forever || defined(world, spot_of(step))->kind == STEP_SAGA, "a command without a timeout");
        MUST(step->status == STEP_SKIPPED || (step->status == STEP_FAILED && step->fallback != FALLBACK_NONE) ||
                 defined(world, spot_of(step))->detached ||
                 (step->done_order != 0) == (to_be_undone(step->status) || is_undoing(step->status) || step->status == STEP_COMPENSATED ||
                                             step->status == STEP_COMPENSATION_FAILED || step->status == STEP_COMPENSATION_SKIPPED),
             "a place in the order of completion, but neither done nor unknown");
    }
    MUST(outstanding <= 1 || has_parallels(world), "two commands outstanding at once");
    MUST(due == after->due_at_ms, "due at another time than its steps and its deadline say");
}

static bool past_pivot(const struct world *world)
{
    int pivot = world->one.definition->pivot;

    for (int i = 0; i < (int)world->one.definition->steps_len; i++) {
        if (world->one.definition->steps[i].confirmation && world->book.sent[i][ACTION_EXECUTE] > 0)
            return true;
    }
    return pivot >= 0 && status_of(world->one.saga, pivot) == STEP_DONE;
}

static void check_saga(struct world *world, const struct saga *before)
{
    const struct saga *after = world->one.saga;
    const char *broken = saga_broken_rule(after);
    struct book *book = &world->book;
    size_t noise = 0;

    MUST(broken == NULL, broken);
    MUST(after->seq == (before == NULL ? 1 : before->seq + 1), "seq is not one more");
    MUST(before == NULL || before->updated_at_ms <= after->updated_at_ms, "time ran back");
    MUST(before == NULL || !before->turned_back || after->turned_back, "turned back and forth");
    MUST(!(after->turned_back && before != NULL && !before->turned_back && past_pivot(world)), "turned back past the pivot");
    MUST(before == NULL || before->status != SAGA_COMPLETED || after->status == SAGA_COMPLETED || (world->event->parent != NULL && after->parent != NULL) ||
             (after->status == SAGA_PARKED && has_parallels(world)), "completed and no longer");
    MUST(before == NULL || before->ended_at_ms == 0 || before->ended_at_ms == after->ended_at_ms || world->event->parent != NULL, "ended twice");
    MUST(before == NULL || before->parent == after->parent || after->parent_changed, "a parent that changed in silence");
    book->turned_back = after->turned_back;
    book->history += (int64_t)after->history_new;
    MUST(after->history_len <= SAGA_HISTORY_MAX && (int64_t)after->history_len + after->history_dropped == book->history, "history lost");
    for (size_t i = 0; i < after->history_len; i++) {
        enum history_kind kind = after->history[i].kind;

        noise += kind == HISTORY_DUPLICATE || kind == HISTORY_LATE || kind == HISTORY_DUPLICATE_START;
    }
    MUST(json_array_size(after->signals) <= SAGA_SIGNALS_MAX, "more early signals than are kept");
    MUST(after->signals == NULL || json_array_size(after->signals) > 0, "no signals, but a list of them");
    MUST(before == NULL || before->signals == after->signals || after->signals_changed, "signals that changed in silence");
    MUST(noise <= NOISE_MAX, "a flood of duplicates in the history");
    if (after->status == SAGA_PARKED) {
        json_t *reason = json_string(after->parked);

        MUST(reason != NULL, "a reason that is not valid UTF-8");
        json_decref(reason);
    }
}

/* A duplicate or a late reply changes a counter, nothing else. */
static void check_ignored(const struct world *world, const struct saga *before)
{
    const struct saga *after = world->one.saga;
    enum disposition disposition = world->one.effects.disposition;

    if (disposition == APPLIED || before == NULL)
        return;
    MUST(after->status == before->status && after->due_at_ms == before->due_at_ms, "an ignored event that moved the saga");
    MUST(after->duplicates - before->duplicates == (disposition == IGNORED_DUPLICATE), "a duplicate uncounted");
    MUST(after->late - before->late == (disposition == IGNORED_LATE), "a late reply uncounted");
    for (size_t i = 0; i < after->steps_len; i++)
        MUST(after->steps[i].status == before->steps[i].status && after->steps[i].due_at_ms == before->steps[i].due_at_ms, "an ignored event that moved a step");
}

/* --- events --- */

static enum baton_err apply_by(struct worker *worker, const struct saga_event *event)
{
    return worker->saga == NULL ? saga_start(worker->definition, event, &worker->saga, &worker->effects)
                                : saga_apply(&worker->saga, event, &worker->effects);
}

/* Its transaction was aborted: whatever this leaves behind in the worker, the second time must come out like the first. */
static void apply_in_vain(const struct worker *worker, const struct saga_event *event)
{
    struct worker trial = {.definition = worker->definition, .saga = worker->saga == NULL ? NULL : saga_clone(worker->saga)};

    MUST(apply_by(&trial, event) == BATON_OK, "an event that cannot be applied");
    saga_free(trial.saga);
    effects_free(&trial.effects);
}

static const char *const services_named[] = {"p0", "p1", "p2", "undoer"}; /* by random_definition.c */

/* What is known of the services: any of them may be open, or have room for so many. */
static size_t random_gate(struct random *random, int64_t now, struct gate_service *services)
{
    size_t n = 0;

    for (size_t i = 0; i < sizeof services_named / sizeof *services_named; i++) {
        if (random_one_in(random, 2))
            services[n++] = (struct gate_service){.name = services_named[i], .permits = random_below(random, 3), .open = random_one_in(random, 2),
                                                  .until_ms = random_one_in(random, 2) ? 0 : now + random_below(random, 30000)};
    }
    return n;
}

static bool told_held(const struct saga *saga, struct saga_place place)
{
    for (size_t i = saga->history_len - saga->history_new; i < saga->history_len; i++) {
        if (saga->history[i].kind == HISTORY_HELD && saga->history[i].place.index == place.index && saga->history[i].place.iteration == place.iteration)
            return true;
    }
    return false;
}

/* What is held back has spent nothing, and what goes out was let out. */
static void check_gate(const struct world *world, const struct saga *before, const struct saga_gate *gate)
{
    const struct saga *after = world->one.saga;

    for (size_t i = 0; i < after->steps_len; i++) {
        const struct saga_step *step = &after->steps[i], *was = entry(before, spot_of(step));

        if (step->held_since_ms == 0)
            continue;
        MUST(step->status == STEP_RETRYING || step->status == STEP_COMPENSATION_RETRYING, "held back, but waits for something else");
        /* One that lost in the very event that sent it is held back on its way back. */
        MUST(step->status == STEP_RETRYING ? step->attempts == (was == NULL ? 0 : was->attempts) : step->compensations == (was == NULL ? 0 : was->compensations), "a step held back that spent an attempt");
        MUST(was == NULL || was->held_since_ms == 0 || was->held_since_ms == step->held_since_ms || asked(world, VERB_RETRY) || was->status != step->status,
             "a step held back that lost its place");
        MUST(step->error != NULL || step->status != STEP_RETRYING, "held back without a reason");
        MUST((was != NULL && was->held_since_ms != 0 && was->status == step->status) || told_held(after, saga_place_of(step)), "held back unsaid");
    }
    for (size_t i = 0; i < gate->len; i++) {
        int sent = 0;

        for (size_t k = 0; k < world->one.effects.len; k++)
            sent += world->one.effects.items[k].kind == EFFECT_COMMAND && strcmp(world->one.effects.items[k].service, gate->services[i].name) == 0;
        MUST(sent <= gate->services[i].permits, "a command beyond what its service takes");
    }
}

static void note_lookups(struct world *world)
{
    for (size_t i = 0; i < world->one.effects.len; i++) {
        if (world->one.effects.items[i].kind == EFFECT_LOOKUP && world->lookups_len < SPOTS)
            world->lookups[world->lookups_len++] = world->one.effects.items[i].place;
    }
}

static void happen(struct world *world, const struct saga_event *plain)
{
    struct saga *before = world->one.saga == NULL ? NULL : saga_clone(world->one.saga);
    const struct saga *same = world->one.saga;
    struct gate_service services[4];
    struct saga_gate gate = {.services = services};
    struct saga_event gated = *plain;
    const struct saga_event *event = &gated;

    if (world->gated)
        gate.len = random_gate(&world->random, plain->at_ms, services);
    gated.gate = &gate;
    world->event = event;
    if (random_one_in(&world->random, 3))
        apply_in_vain(&world->two, event);
    MUST(apply_by(&world->one, event) == BATON_OK && apply_by(&world->two, event) == BATON_OK, "an event that cannot be applied");
    tell(&told, &world->one);
    tell(&world->told_two, &world->two);
    MUST(strcmp(buffer_cstr(&told), buffer_cstr(&world->told_two)) == 0, "two workers differ");
    if (world->one.effects.disposition == IGNORED_EARLY || world->one.effects.disposition == IGNORED_REFUSED) {
        MUST(world->one.saga == same && world->one.effects.len == 0, "an early timer or a refused verb that changed something");
        MUST((world->one.effects.disposition == IGNORED_REFUSED) == (world->one.effects.refusal[0] != '\0'), "refused without a reason");
    } else {
        note_order(&world->book, before, world->one.saga);
        note_losers(world, before);
        check_saga(world, before);
        check_steps(world, before);
        check_effects(world, before);
        check_ignored(world, before);
        check_gate(world, before, &gate);
    }
    note_lookups(world);
    saga_free(before);
}

/* What is kept: something, nothing, or what is too old; now and then nobody answers. */
static void answer_lookups(struct world *world)
{
    while (world->lookups_len > 0) {
        struct saga_event event = {.kind = EVENT_CACHED, .at_ms = world->now, .place = world->lookups[--world->lookups_len],
                                   .cached_at_ms = world->now - random_below(&world->random, 60000)};

        if (random_one_in(&world->random, 6))
            continue;
        event.body = random_one_in(&world->random, 2) ? NULL : random_json(&world->random, 2);
        happen(world, &event);
        json_decref(event.body);
    }
}

/* An answer in the words that this step's definition understands. */
static void say_it(struct world *world, int step, enum saga_action action, int attempt, enum reply_header_outcome outcome)
{
    static const char *const codes[] = {"BUSY", "NO", "TRANSIENT", ""};
    struct saga_event event = {.kind = EVENT_REPLY, .at_ms = world->now, .place = place(step), .action = action, .attempt = attempt};
    static const char *const compensations[8] = {"{\"command\":\"Named\"}", "{\"command\":7}", NULL};
    struct random *random = &world->random;
    bool mapped = defined(world, step)->reply != NULL && action == ACTION_EXECUTE;
    const char *code = codes[random_below(random, 4)];

    if (random_one_in(random, 8))
        event.at_ms -= random_below(random, 5000); /* by a worker whose clock is behind */
    if (outcome == REPLY_PENDING || random_one_in(random, 2)) {
        event.outcome = outcome;
        event.body = random_one_in(random, 4) ? NULL : random_json(random, 2);
    } else if (outcome == REPLY_SUCCESS) {
        event.body = mapped ? json_pack("{s:b, s:{s:i}}", "ok", 1, "data", "v", 7) : json_pack("{s:i, s:n}", "v", 7, "error");
    } else if (mapped) {
        event.body = json_pack("{s:b, s:s}", "busy", outcome == REPLY_RETRY, "why", code);
        if (outcome == REPLY_RETRY)
            json_object_set_new(event.body, "busy", json_true());
        else
            json_object_del(event.body, "busy");
    } else {
        event.body = json_pack("{s:{s:s, s:s, s:b}}", "error", "code", code, "message", "no", "retryable", outcome == REPLY_RETRY);
    }
    if (outcome == REPLY_FAILURE && event.outcome == REPLY_UNSAID)
        event.problem = random_one_in(random, 4);
    if (random_one_in(random, 8))
        event.retry_after_ms = random_below(random, 30000);
    if (outcome == REPLY_FAILURE && random_one_in(random, 20)) { /* an error code so long that a reason must be cut, in the middle of a character */
        char odd[1201] = "-";

        for (size_t i = 1; i + 2 < sizeof odd; i += 2)
            memcpy(odd + i, "\xc3\xa9", 3);
        json_decref(event.body);
        event.body = json_pack("{s:{s:s}}", "error", "code", odd);
    }
    if (outcome == REPLY_SUCCESS && action == ACTION_EXECUTE && attempt >= 1 && attempt <= world->book.sent[step][action]) {
        world->book.succeeded[step] = true;
        world->book.answered[step] = world->book.answered[step] || attempt >= world->book.poll_first[step];
        event.compensation = compensations[random_below(random, 8)];
        world->book.named[step] = world->book.named[step] || event.compensation == compensations[0];
    }
    world->refusing = outcome == REPLY_FAILURE && action == ACTION_EXECUTE;
    happen(world, &event);
    world->refusing = false;
    json_decref(event.body);
}

/* A child has one end, of which the newest attempt to start it is told. */
static enum reply_header_outcome outcome_of_child(struct world *world, int step, int *attempt, enum reply_header_outcome outcome)
{
    enum reply_header_outcome *said = &world->book.child_said[step];

    if (entry(world->one.saga, step) != NULL)
        *attempt = entry(world->one.saga, step)->attempts;
    if (*said == REPLY_UNSAID && *attempt > 0 && (outcome == REPLY_SUCCESS || outcome == REPLY_FAILURE))
        *said = outcome;
    return *said == REPLY_UNSAID ? outcome : *said;
}

static void answer(struct world *world, int step, enum saga_action action, int attempt, enum reply_header_outcome outcome)
{
    if (action == ACTION_EXECUTE && defined(world, step)->kind == STEP_SAGA)
        outcome = outcome_of_child(world, step, &attempt, outcome);
    say_it(world, step, action, attempt, outcome);
}

static enum reply_header_outcome any_outcome(struct random *random)
{
    static const enum reply_header_outcome outcomes[] = {REPLY_SUCCESS, REPLY_SUCCESS, REPLY_SUCCESS, REPLY_FAILURE, REPLY_RETRY, REPLY_RETRY, REPLY_PENDING};

    return outcomes[random_below(random, 7)];
}

static bool is_sent(const struct saga *saga, const struct saga_step *step)
{
    return is_asking(saga->definition, spot_of(step)) && (step->status == STEP_RUNNING || step->status == STEP_COMPENSATING);
}

/* A step whose answer the saga waits for; NULL = none. */
static const struct saga_step *waiting(struct world *world)
{
    const struct saga *saga = world->one.saga;
    int n = 0;

    for (size_t i = 0; i < saga->steps_len; i++)
        n += is_sent(saga, &saga->steps[i]);
    n = n == 0 ? 0 : 1 + random_below(&world->random, n);
    for (size_t i = 0; i < saga->steps_len && n > 0; i++) {
        n -= is_sent(saga, &saga->steps[i]);
        if (n == 0)
            return &saga->steps[i];
    }
    return NULL;
}

/* Nobody waits any longer for the answers that are due by then. */
static void fall_silent(struct world *world, int64_t at)
{
    const struct saga *saga = world->one.saga;

    for (size_t i = 0; i < saga->steps_len; i++) {
        if (saga->steps[i].status == STEP_RUNNING && ((saga->steps[i].due_at_ms != 0 && saga->steps[i].due_at_ms <= at) || at == INT64_MAX))
            world->book.silent[spot_of(&saga->steps[i])] = true;
    }
}

static void fitting_answer(struct world *world)
{
    const struct saga_step *step = waiting(world);

    if (step == NULL)
        return;
    if (step->status == STEP_RUNNING)
        answer(world, spot_of(step), ACTION_EXECUTE, step->attempts, any_outcome(&world->random));
    else
        answer(world, spot_of(step), ACTION_COMPENSATE, step->compensations, any_outcome(&world->random));
}

/* Of a step; in a forEach of any iteration, the saga's or none of its. */
static int any_spot(struct world *world)
{
    int index = random_below(&world->random, (int)world->one.definition->steps_len);

    return spot(saga_place_at(world->one.definition, index, random_below(&world->random, ITERATIONS_MAX)));
}

/* Of any attempt of any command, made or not. */
static void any_answer(struct world *world)
{
    struct random *random = &world->random;

    answer(world, any_spot(world), random_one_in(random, 2) ? ACTION_EXECUTE : ACTION_COMPENSATE,
           random_below(random, 4), any_outcome(random));
}

/* Silence until the saga is due, or a little less or more. */
static void wake(struct world *world, int64_t at, const char *service)
{
    struct saga_event event = {.kind = EVENT_TIMER, .at_ms = at, .woken = service};
    const struct saga *saga = world->one.saga;
    int64_t then = at > saga->updated_at_ms ? at : saga->updated_at_ms;
    bool over = saga->status == SAGA_RUNNING && saga->deadline_at_ms != 0 && saga->deadline_at_ms <= then;

    world->now = at > world->now ? at : world->now;
    if (saga->paused_at_ms == 0)
        fall_silent(world, over ? INT64_MAX : then);
    happen(world, &event);
}

static void timer(struct world *world, int64_t at)
{
    wake(world, at, NULL);
}

/* A step of the saga that a verb is likely about. */
static const struct saga_step *at_hand(struct world *world)
{
    const struct saga *saga = world->one.saga;
    int n = 0;

    for (size_t i = 0; i < saga->steps_len; i++)
        n += is_undoing(saga->steps[i].status) || saga->steps[i].parked;
    n = n == 0 ? 0 : 1 + random_below(&world->random, n);
    for (size_t i = 0; i < saga->steps_len && n > 0; i++) {
        n -= is_undoing(saga->steps[i].status) || saga->steps[i].parked;
        if (n == 0)
            return &saga->steps[i];
    }
    return &saga->steps[saga->steps_len - 1];
}

/* Whoever does not wait for an answer has not had one. */
static void note_verb(struct world *world, const struct saga_event *event, int named)
{
    struct book *book = &world->book;
    enum step_status status = named < 0 ? STEP_STATUS_COUNT : status_of(world->one.saga, named);
    bool undoing = is_undoing(status) || status == STEP_COMPENSATION_FAILED;

    world->skipped = world->skipped || event->verb == VERB_SKIP;
    if (event->verb == VERB_CANCEL || event->verb == VERB_COMPENSATE || event->verb == VERB_TERMINATE)
        fall_silent(world, INT64_MAX);
    if (named < 0)
        return;
    if (status == STEP_RUNNING)
        book->silent[named] = true;
    book->by_hand[named] = book->by_hand[named] || (event->verb == VERB_COMPLETE && !undoing);
    book->left[named] = book->left[named] || (event->verb == VERB_SKIP && undoing);
}

static void any_verb(struct world *world)
{
    struct random *random = &world->random;
    struct saga_event event = {.kind = EVENT_VERB, .at_ms = world->now, .verb = (enum saga_verb)random_below(random, VERB_COUNT), .who = "ann"};
    int named = random_one_in(random, 4) ? any_spot(world) : spot_of(at_hand(world));
    char name[SAGA_PLACE_NAME_MAX];
    const struct book book = world->book;

    if (event.verb == VERB_TERMINATE && !random_one_in(random, 4))
        event.verb = VERB_RETRY;
    (void)saga_place_name(world->one.definition, place(named), name);
    event.step_name = name;
    if (random_one_in(random, 8)) {
        event.step_name = random_one_in(random, 2) ? "nowhere" : NULL;
        named = -1;
    }
    event.why = random_one_in(random, 2) ? NULL : "because";
    event.value = random_one_in(random, 2) ? NULL : random_json(random, 2);
    note_verb(world, &event, named);
    happen(world, &event);
    if (world->one.effects.disposition == IGNORED_REFUSED)
        world->book = book;
    world->book.cancelled = world->book.cancelled || asked(world, VERB_CANCEL);
    world->retried = world->retried || asked(world, VERB_RETRY);
    json_decref(event.value);
}

/* The one it waits for, or any. */
static void signal(struct world *world, const char *name)
{
    static const char *const names[] = {"sig0", "sig1", "nobodys", LOCK_SIGNAL};
    struct saga_event event = {.kind = EVENT_SIGNAL, .at_ms = world->now, .signal = name == NULL ? names[random_below(&world->random, 4)] : name};
    size_t had = json_array_size(world->one.saga->signals);
    int64_t late = world->one.saga->late;
    bool waited = false;

    for (size_t i = 0; i < world->one.saga->steps_len; i++) {
        const struct saga_step *step = &world->one.saga->steps[i];

        waited = waited || (step->status == STEP_WAITING && strcmp(defined(world, spot_of(step))->signal == NULL ? "" :
                                                                   defined(world, spot_of(step))->signal, event.signal) == 0);
    }
    if (strcmp(event.signal, LOCK_SIGNAL) == 0)
        event.body = json_pack("{s:b}", "granted", name != NULL || !random_one_in(&world->random, 4));
    else
        event.body = random_one_in(&world->random, 4) ? NULL : random_json(&world->random, 2);
    happen(world, &event);
    json_decref(event.body);
    /* Taken, kept or counted: never nothing of it. */
    MUST(waited || world->one.saga->late > late || json_array_size(world->one.saga->signals) > had || world->one.effects.len > 0 ||
             world->one.effects.disposition == APPLIED, "a signal that nobody saw");
    MUST(!waited || world->one.effects.disposition == APPLIED, "a signal that was waited for and not taken");
}

/* If it has a parent, that compensates it. */
static void parents_wish(struct world *world)
{
    struct saga_event event = {.kind = EVENT_VERB, .at_ms = world->now, .verb = VERB_COMPENSATE, .who = "its parent", .parent = world->one.saga->parent};
    bool turned_back = world->one.saga->turned_back, was_silent[SPOTS];

    if (event.parent == NULL)
        return;
    memcpy(was_silent, world->book.silent, sizeof was_silent);
    fall_silent(world, INT64_MAX);
    happen(world, &event);
    if (turned_back || !world->one.saga->turned_back)
        memcpy(world->book.silent, was_silent, sizeof was_silent);
}

static void any_event(struct world *world)
{
    struct random *random = &world->random;
    struct saga_event event = {.at_ms = world->now, .saga_id = world->one.saga->id, .input = world->input, .reason = "no broker takes its command"};
    int64_t due = world->one.saga->due_at_ms;

    answer_lookups(world);
    world->now += random_below(random, 800);
    event.at_ms = world->now;
    switch (random_below(random, 21)) {
    case 20: parents_wish(world); break;
    case 18: case 19: signal(world, NULL); break;
    case 0: event.kind = EVENT_START; event.parent = world->one.saga->parent; happen(world, &event); break;
    case 1:
        event.kind = EVENT_PARK;
        if (random_one_in(random, 4)) {
            fall_silent(world, INT64_MAX);
            happen(world, &event);
        }
        break;
    case 2: case 3: timer(world, due == 0 ? world->now : due + random_below(random, 100)); break;
    case 4: timer(world, due + random_below(random, 40000)); break;
    case 5:
        if (random_one_in(random, 2))
            wake(world, world->now, services_named[random_below(random, 4)]);
        else
            timer(world, world->now - random_below(random, 2000));
        break;
    case 6: case 7: any_answer(world); break;
    case 8: any_verb(world); break;
    default: fitting_answer(world); break;
    }
}

/* --- ends --- */

/* Everybody is silent from now on: only timers. */
static bool silence_ends(const struct world *world)
{
    const struct definition *definition = world->one.definition;

    for (size_t i = 0; i < definition->steps_len; i++) {
        const struct definition_step *step = &definition->steps[i];

        if ((step->retry.attempts == RETRY_UNLIMITED && step->retry.max_duration_ms == 0) ||
            (step->compensation != NULL && step->compensation->retry.attempts == RETRY_UNLIMITED))
            return false;
    }
    return true;
}

/* Everybody answers well from now on. */
static void goodwill(struct world *world)
{
    const struct saga_step *step = waiting(world);

    if (step == NULL && waits_for_ever(world->one.saga) != NULL)
        signal(world, defined(world, waits_for_ever(world->one.saga)->index)->signal);
    else if (step == NULL || (world->one.saga->due_at_ms != 0 && random_one_in(&world->random, 8))) /* not every answer moves a saga that is parked */
        timer(world, world->one.saga->due_at_ms);
    else
        answer(world, spot_of(step), step->status == STEP_RUNNING ? ACTION_EXECUTE : ACTION_COMPENSATE,
               step->status == STEP_RUNNING ? step->attempts : step->compensations, REPLY_SUCCESS);
}

static void check_end(const struct world *world)
{
    const struct saga *saga = world->one.saga;
    MUST(saga_status_ended(saga->status) || saga->status == SAGA_PARKED || waits_for_ever(saga) != NULL, "neither ended nor parked after all its timers");
    MUST(saga->status != SAGA_CANCELLED || world->book.cancelled, "cancelled by nobody");
    MUST(saga->status != SAGA_COMPENSATED || !world->book.cancelled, "cancelled, and ended otherwise");
    for (int i = 0; i < SPOTS; i++) {
        enum step_status status = status_of(saga, i);

        if (!exists(world, i))
            continue;
        if (saga->status == SAGA_COMPLETED && defined(world, i)->confirmation && status_of(saga, defined(world, i)->confirms) == STEP_DONE && !is_lost(world, saga, defined(world, i)->confirms))
            MUST(status == STEP_DONE || (status == STEP_SKIPPED && world->skipped), "completed, but what was tried is not confirmed");
        if (saga->status == SAGA_COMPLETED && !is_lost(world, saga, i))
            MUST(behind(world, i), "completed, but not all its steps are done");
        MUST(!saga_status_ended(saga->status) || !is_open(status), "ended, but a step goes on");
        if (saga_status_ended(saga->status) && saga->status != SAGA_TERMINATED && is_lost(world, saga, i) && undoable(world, i)) {
            MUST(!to_be_undone(status) && !skipped_perhaps_done(saga, i), "compensated, but a done step is not undone");
            MUST(!world->book.succeeded[i] || defined(world, i)->output != NULL || status == STEP_COMPENSATED || world->book.left[i] ||
                     entry(saga, i)->forever, "compensated, but a success was left in place");
            MUST(status != STEP_COMPENSATION_SKIPPED || world->book.left[i], "a compensation left out that nobody asked for");
        }
    }
}

/* Or has ended, and undoes what was done late. */
static bool is_live(const struct saga *saga)
{
    bool sent = false;

    for (size_t i = 0; i < saga->steps_len && !sent; i++)
        sent = is_sent(saga, &saga->steps[i]);
    return saga->status != SAGA_PARKED && (!saga_status_ended(saga->status) || sent);
}

static void end(struct world *world)
{
    bool silent = silence_ends(world) && random_one_in(&world->random, 2);
    struct saga_event resume = {.kind = EVENT_VERB, .at_ms = world->now, .verb = VERB_RESUME, .who = "ann"};

    if (world->one.saga->paused_at_ms != 0)
        happen(world, &resume);
    for (int i = 0; world->one.saga->due_at_ms != 0 || (!silent && is_live(world->one.saga)); i++) {
        MUST(i < TIMERS_MAX, "no end in sight");
        answer_lookups(world);
        if (world->one.saga->due_at_ms == 0 && (silent || !is_live(world->one.saga)))
            break;
        if (silent)
            timer(world, world->one.saga->due_at_ms);
        else
            goodwill(world);
    }
    check_end(world);
}

/* --- one saga --- */

static void run_saga(struct world *world)
{
    struct saga_event start = {.kind = EVENT_START, .saga_id = "o-1"};
    struct random *random = &world->random;

    world->book = (struct book){.results = 0};
    world->retried = world->skipped = false;
    world->lookups_len = 0;
    world->now = 1769860800000;
    world->input = json_pack("{s:i, s:[s, {s:f}]}", "total", random_below(random, 20), "items", "a", "price", 19.99);
    start.at_ms = world->now;
    start.input = world->input;
    if (random_one_in(random, 3))
        start.parent = json_pack("{s:s, s:s, s:i, s:i}", "saga", "o", "step", "k", "attempt", 1, "depth", 1 + random_below(random, SAGA_DEPTH_MAX));
    world->gated = random_one_in(random, 2);
    happen(world, &start);
    json_decref(start.parent);
    for (int i = random_below(random, EVENTS_MAX); i > 0; i--)
        any_event(world);
    world->gated = world->gated && random_one_in(random, 2); /* to the end, or all services take everything from now on */
    end(world);
    saga_free(world->one.saga);
    saga_free(world->two.saga);
    world->one.saga = world->two.saga = NULL;
    json_decref(world->input);
}

static void run_definition(struct world *world)
{
    struct buffer text = {0};
    json_t *doc = NULL;

    random_definition(&world->random, &text);
    doc = parse(buffer_cstr(&text));
    compile(&world->one, doc, text.data);
    compile(&world->two, doc, text.data);
    for (int i = 0; i < SAGAS_OF_A_DEFINITION; i++)
        run_saga(world);
    definition_free(world->one.definition);
    definition_free(world->two.definition);
    json_decref(doc);
    buffer_free(&text);
}

static void the_rules_hold_in_any_world(void **state)
{
    struct random seeds = random_begin("apply");
    const char *count = getenv("BATON_TEST_SAGAS");
    int sagas = count == NULL ? SAGAS : atoi(count);
    struct world world = {.one = {.vm = expr_vm_new()}, .two = {.vm = expr_vm_new()}};

    (void)state;
    for (seed_now = seeds.state; seed_now < seeds.state + (unsigned long long)sagas / SAGAS_OF_A_DEFINITION; seed_now++) {
        world.random.state = seed_now;
        run_definition(&world);
    }
    effects_free(&world.one.effects);
    effects_free(&world.two.effects);
    expr_vm_free(world.one.vm);
    expr_vm_free(world.two.vm);
    buffer_free(&told);
    buffer_free(&world.told_two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_rules_hold_in_any_world)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

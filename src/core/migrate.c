/*
 * migrate.c -- a saga goes on by another version of its definition.
 *
 * Owns:     when its position maps: every step that it has reached stands there in the same place, does the same, and nothing stands before it
 *           that would never run. What cannot be shown is refused.
 * Tests:    tests/core/test_migrate.c
 */
#include <baton/apply.h>
#include <stdio.h>
#include <string.h>

#define NOWHERE (-1)

struct mapping {
    const struct saga *saga;
    const struct definition *from, *to;
    int there[DEFINITION_STEPS_MAX];    /* of each old step that was reached: its index in the new version */
    bool reached[DEFINITION_STEPS_MAX]; /* of each new step */
    char *reason;
    size_t size;
};

#define REFUSE(mapping, ...) ((void)snprintf((mapping)->reason, (mapping)->size, __VA_ARGS__), false)

static bool same_text(const char *a, const char *b)
{
    return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

static bool is_known(enum step_kind kind)
{
    return kind == STEP_COMMAND || kind == STEP_SEQUENCE || kind == STEP_SWITCH || kind == STEP_SLEEP || kind == STEP_WAIT || kind == STEP_VALUE || kind == STEP_CACHED;
}

/* Is it asked for the same thing? What it is asked with, and how long it may take, may differ. */
static bool same_step(struct mapping *mapping, const struct definition_step *old, const struct definition_step *new)
{
    if (old->kind != new->kind || !is_known(old->kind) || old->cases_len != new->cases_len || old->stands_in != new->stands_in)
        return REFUSE(mapping, "step %s is of another kind there, or of one that cannot be moved", old->name);
    if (!same_text(old->service, new->service) || !same_text(old->command, new->command))
        return REFUSE(mapping, "step %s is another command there, or to another service", old->name);
    if (old->lock && !same_text(mapping->from->lock.key_text, mapping->to->lock.key_text))
        return REFUSE(mapping, "its lock has another key there");
    if (!same_text(old->signal, new->signal))
        return REFUSE(mapping, "step %s waits for another signal there", old->name);
    if (old->pivot != new->pivot)
        return REFUSE(mapping, "step %s is the pivot in one of the versions only", old->name);
    if (old->tcc != new->tcc)
        return REFUSE(mapping, "step %s is tried and confirmed in one of the versions only", old->name);
    if (old->compensation != NULL && new->compensation == NULL)
        return REFUSE(mapping, "step %s has no compensation there", old->name);
    return true;
}

static bool same_group(const struct mapping *mapping, const struct definition_step *old, const struct definition_step *new)
{
    if (old->parent < 0 || new->parent < 0)
        return old->parent < 0 && new->parent < 0;
    return old->branch == new->branch && strcmp(mapping->from->steps[old->parent].name, mapping->to->steps[new->parent].name) == 0;
}

static bool map_step(struct mapping *mapping, const struct saga_step *step)
{
    const struct definition_step *old = &mapping->from->steps[step->index];
    int index = definition_step_index(mapping->to, old->name, strlen(old->name));

    if (index < 0)
        return REFUSE(mapping, "step %s is not there, and has been reached", old->name);
    if (!same_step(mapping, old, &mapping->to->steps[index]))
        return false;
    if (!same_group(mapping, old, &mapping->to->steps[index]))
        return REFUSE(mapping, "step %s stands in another group there", old->name);
    mapping->there[step->index] = index;
    mapping->reached[index] = true;
    return true;
}

static bool same_order(struct mapping *mapping)
{
    int last = NOWHERE;

    for (size_t i = 0; i < mapping->from->steps_len; i++) {
        if (mapping->there[i] == NOWHERE)
            continue;
        if (last != NOWHERE && mapping->there[i] < mapping->there[last])
            return REFUSE(mapping, "steps %s and %s stand the other way round there", mapping->from->steps[last].name, mapping->from->steps[i].name);
        last = (int)i;
    }
    return true;
}

/* A new step behind which the saga has got already: in its own list, or because the group is done. */
static bool is_behind(const struct mapping *mapping, int index)
{
    const struct definition_step *steps = mapping->to->steps;
    int parent = steps[index].parent;

    for (int next = definition_follower(mapping->to, index); next >= 0; next = definition_follower(mapping->to, next)) {
        if (mapping->reached[next])
            return true;
    }
    for (size_t i = 0; i < mapping->saga->steps_len && parent >= 0; i++) {
        const struct saga_step *step = &mapping->saga->steps[i];

        if (mapping->there[step->index] == parent)
            return step->status == STEP_DONE && (steps[parent].kind == STEP_SEQUENCE || steps[index].branch == step->chosen - 1);
    }
    return false;
}

static bool none_left_out(struct mapping *mapping)
{
    for (size_t i = 0; i < mapping->to->steps_len; i++) {
        if (!mapping->reached[i] && mapping->to->steps[i].stands_in == FALLBACK_NONE && is_behind(mapping, (int)i))
            return REFUSE(mapping, "step %s stands there before what has been reached: it would never run", mapping->to->steps[i].name);
    }
    return true;
}

static bool map(struct mapping *mapping)
{
    for (size_t i = 0; i < DEFINITION_STEPS_MAX; i++)
        mapping->there[i] = NOWHERE;
    if (strcmp(mapping->from->name, mapping->to->name) != 0)
        return REFUSE(mapping, "it is a saga of %s, not of %s", mapping->from->name, mapping->to->name);
    if (mapping->from->version == mapping->to->version)
        return REFUSE(mapping, "it is of version %lld already", (long long)mapping->to->version);
    for (size_t i = 0; i < mapping->saga->steps_len; i++) {
        if (!map_step(mapping, &mapping->saga->steps[i]))
            return false;
    }
    return same_order(mapping) && none_left_out(mapping);
}

bool saga_migratable(const struct saga *saga, const struct definition *to, char *ret_reason, size_t size)
{
    struct mapping mapping = {.saga = saga, .from = saga->definition, .to = to, .reason = ret_reason, .size = size};

    if (saga_status_ended(saga->status))
        return REFUSE(&mapping, "it has ended: %s", saga_status_name(saga->status));
    return map(&mapping);
}

bool saga_migrate(struct saga *saga, const struct definition *to, char *ret_reason, size_t size)
{
    struct mapping mapping = {.saga = saga, .from = saga->definition, .to = to, .reason = ret_reason, .size = size};

    if (!map(&mapping))
        return false;
    for (size_t i = 0; i < saga->steps_len; i++) {
        saga->steps[i].index = mapping.there[saga->steps[i].index];
        saga->steps[i].changed = true;
    }
    for (size_t i = 0; i < saga->history_len; i++) {
        int *step = &saga->history[i].place.index;
        const char *name = *step < 0 ? NULL : mapping.from->steps[*step].name;

        if (name != NULL) /* a reply may have come for a step that was never reached */
            *step = definition_step_index(to, name, strlen(name));
    }
    saga->definition = to;
    return true;
}

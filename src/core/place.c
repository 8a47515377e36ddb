/*
 * place.c -- where a step stands in a run: the step, and the iteration of the forEach around it.
 *
 * Owns:     its name, `<step>` or `<step>.<iteration>`; finding the entry of a place.
 * Why:      entries stand in the order of first touch, as the documents do; the iterations of a forEach are too many to be looked through, so that once
 *           there are any, a hash table knows where they stand.
 * Tests:    tests/core/test_saga.c
 */
#include <baton/saga.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN 64 /* a power of two */

struct saga_place saga_place_of(const struct saga_step *step)
{
    return (struct saga_place){step->index, step->iteration};
}

struct saga_place saga_place_at(const struct definition *definition, int index, int iteration)
{
    return (struct saga_place){index, index < 0 || definition->steps[index].each < 0 ? -1 : iteration};
}

size_t saga_place_name(const struct definition *definition, struct saga_place place, char out[SAGA_PLACE_NAME_MAX])
{
    const char *name = definition->steps[place.index].name;

    if (place.iteration < 0)
        return (size_t)snprintf(out, SAGA_PLACE_NAME_MAX, "%s", name);
    return (size_t)snprintf(out, SAGA_PLACE_NAME_MAX, "%s.%d", name, place.iteration);
}

/* Digits as they are written: no zero before others. */
static bool iteration_parse(const char *text, size_t len, int *ret_iteration)
{
    int iteration = 0;

    if (len == 0 || len > 5 || (len > 1 && text[0] == '0'))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        iteration = iteration * 10 + (text[i] - '0');
    }
    *ret_iteration = iteration;
    return iteration < FOREACH_ITEMS_MAX;
}

bool saga_place_parse(const struct definition *definition, const char *text, size_t len, struct saga_place *ret_place)
{
    const char *dot = memchr(text, '.', len);
    size_t name_len = dot == NULL ? len : (size_t)(dot - text);
    struct saga_place place = {definition_step_index(definition, text, name_len), -1};

    if (place.index < 0 || (dot != NULL && !iteration_parse(dot + 1, len - name_len - 1, &place.iteration)) ||
        (definition->steps[place.index].each >= 0) != (place.iteration >= 0))
        return false;
    *ret_place = place;
    return true;
}

/* --- entries --- */

static bool stands_at(const struct saga_step *step, struct saga_place place)
{
    return step->index == place.index && step->iteration == place.iteration;
}

static size_t slot_of(const struct saga *saga, struct saga_place place)
{
    uint32_t hash = ((uint32_t)place.index * (FOREACH_ITEMS_MAX + 1) + (uint32_t)(place.iteration + 1)) * UINT32_C(2654435769); /* Knuth, TAOCP 6.4 */

    return (hash ^ hash >> 15) & (saga->slots_cap - 1);
}

struct saga_step *saga_step_find(const struct saga *saga, struct saga_place place)
{
    if (saga->slots == NULL) {
        for (size_t i = 0; i < saga->steps_len; i++) {
            if (stands_at(&saga->steps[i], place))
                return &saga->steps[i];
        }
        return NULL;
    }
    for (size_t at = slot_of(saga, place); saga->slots[at] != 0; at = (at + 1) & (saga->slots_cap - 1)) {
        if (stands_at(&saga->steps[saga->slots[at] - 1], place))
            return &saga->steps[saga->slots[at] - 1];
    }
    return NULL;
}

static void enter_slot(struct saga *saga, size_t position)
{
    size_t at = slot_of(saga, saga_place_of(&saga->steps[position]));

    while (saga->slots[at] != 0)
        at = (at + 1) & (saga->slots_cap - 1);
    saga->slots[at] = (int)position + 1;
}

/* Room for as many entries again, at most half full. */
static bool grow_slots(struct saga *saga)
{
    size_t cap = saga->slots_cap == 0 ? SLOTS_MIN : saga->slots_cap;
    int *slots = NULL;

    while (cap < saga->steps_len * 4)
        cap *= 2;
    slots = calloc(cap, sizeof *slots);
    if (slots == NULL)
        return false;
    free(saga->slots);
    saga->slots = slots;
    saga->slots_cap = cap;
    for (size_t i = 0; i < saga->steps_len; i++)
        enter_slot(saga, i);
    return true;
}

struct saga_step *saga_step_add(struct saga *saga, struct saga_place place)
{
    if (saga->steps_len == saga->steps_cap) {
        size_t cap = saga->steps_cap == 0 ? 4 : saga->steps_cap * 2;
        struct saga_step *steps = realloc(saga->steps, cap * sizeof *steps);

        if (steps == NULL)
            return NULL;
        saga->steps = steps;
        saga->steps_cap = cap;
    }
    if ((saga->slots != NULL || place.iteration >= 0) && saga->slots_cap <= saga->steps_len * 2 && !grow_slots(saga))
        return NULL;
    saga->steps[saga->steps_len++] = (struct saga_step){.index = place.index, .iteration = place.iteration};
    if (saga->slots != NULL)
        enter_slot(saga, saga->steps_len - 1);
    return &saga->steps[saga->steps_len - 1];
}

/*
 * iterations.c -- the steps of a forEach to people: as many lines as anybody reads, not as many as there are items.
 *
 * Owns:     of which steps the iterations are counted together, and which of them are told one by one.
 * Tests:    tests/integration/test_foreach.py
 */
#include "cli.h"
#include <baton/saga.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 10 /* of one step; of more, those with an error */

struct iterations {
    json_t *tallies; /* <step> -> {<status>: how many} */
    json_t *shown;   /* <step> -> lines given out */
};

/* "send" of "send.12", in out; false if it is no iteration. */
static bool step_of(const char *name, char out[SAGA_PLACE_NAME_MAX])
{
    size_t len = strcspn(name, ".");

    if (name[len] == '\0' || len >= SAGA_PLACE_NAME_MAX)
        return false;
    memcpy(out, name, len);
    out[len] = '\0';
    return true;
}

static json_int_t add_one(json_t *object, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(object, key)) + 1;

    (void)json_object_set_new(object, key, json_integer(n));
    return n;
}

struct iterations *iterations_new(json_t *steps)
{
    struct iterations *iterations = calloc(1, sizeof *iterations);
    char step[SAGA_PLACE_NAME_MAX];
    const char *name = NULL;
    json_t *entry = NULL;

    if (iterations == NULL)
        return NULL;
    iterations->tallies = json_object();
    iterations->shown = json_object();
    json_object_foreach(steps, name, entry) {
        if (!step_of(name, step))
            continue;
        if (json_object_get(iterations->tallies, step) == NULL)
            (void)json_object_set_new(iterations->tallies, step, json_object());
        (void)add_one(json_object_get(iterations->tallies, step), cli_text_at(entry, "status"));
    }
    return iterations;
}

void iterations_free(struct iterations *iterations)
{
    if (iterations == NULL)
        return;
    json_decref(iterations->tallies);
    json_decref(iterations->shown);
    free(iterations);
}

static json_int_t sum(json_t *tally)
{
    const char *status = NULL;
    json_t *n = NULL;
    json_int_t total = 0;

    json_object_foreach(tally, status, n)
        total += json_integer_value(n);
    return total;
}

bool iterations_show(struct iterations *iterations, const char *name, const json_t *entry)
{
    char step[SAGA_PLACE_NAME_MAX];
    const char *status = NULL;
    json_t *tally = NULL, *n = NULL;
    bool first = false;

    if (iterations == NULL || !step_of(name, step))
        return true;
    tally = json_object_get(iterations->tallies, step);
    if (sum(tally) <= SHOWN_MAX)
        return true;
    first = json_object_get(iterations->shown, step) == NULL;
    if (first) {
        const char *before = " ";

        (void)printf("  %-20s", step);
        json_object_foreach(tally, status, n) {
            (void)printf("%s%" JSON_INTEGER_FORMAT " %s", before, json_integer_value(n), status);
            before = ", ";
        }
        (void)putchar('\n');
        (void)json_object_set_new(iterations->shown, step, json_integer(0));
    }
    return (json_object_get(entry, "error") != NULL && !json_is_null(json_object_get(entry, "error"))) && add_one(iterations->shown, step) <= SHOWN_MAX;
}

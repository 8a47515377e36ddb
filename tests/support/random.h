/*
 * random.h -- random numbers and random JSON for the property tests, from a printed seed.
 */
#ifndef BATON_TESTS_RANDOM_H
#define BATON_TESTS_RANDOM_H

#include "rows.h"
#include <stdbool.h>

struct random {
    uint64_t state;
};

/* BATON_TEST_SEED, else the clock; printed, so that a failure can be run again. */
struct random random_begin(const char *what);
uint64_t random_next(struct random *random);
int random_below(struct random *random, int bound);
bool random_one_in(struct random *random, int n);

json_t *random_string(struct random *random);
json_t *random_json(struct random *random, int depth); /* of any kind but null */
json_t *random_object(struct random *random, int depth);

#endif

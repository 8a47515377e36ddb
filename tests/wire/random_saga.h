/*
 * random_saga.h -- random JSON and random sagas for the property tests, from a printed seed.
 */
#ifndef BATON_TESTS_WIRE_RANDOM_SAGA_H
#define BATON_TESTS_WIRE_RANDOM_SAGA_H

#include "support.h"

struct random {
    uint64_t state;
};

/* BATON_TEST_SEED, else the clock; printed, so that a failure can be run again. */
struct random random_begin(const char *what);
uint64_t random_next(struct random *random);
int random_below(struct random *random, int bound);
bool random_one_in(struct random *random, int n);

json_t *random_json(struct random *random, int depth); /* of any kind but null */
json_t *random_object(struct random *random, int depth);
/* Any state that can be written down, of order_definition. */
struct saga *random_saga(struct random *random);
/* What an event might do to it: any part changes, and the flags of the last apply say which. */
void random_event(struct random *random, struct saga *saga);

#endif

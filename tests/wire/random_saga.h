/*
 * random_saga.h -- random sagas for the property tests, from a printed seed.
 */
#ifndef BATON_TESTS_WIRE_RANDOM_SAGA_H
#define BATON_TESTS_WIRE_RANDOM_SAGA_H

#include "random.h"
#include "support.h"

/* Any state that can be written down, of order_definition. */
struct saga *random_saga(struct random *random);
/* What an event might do to it: any part changes, and the flags of the last apply say which. */
void random_event(struct random *random, struct saga *saga);

#endif

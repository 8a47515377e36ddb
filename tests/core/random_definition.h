/*
 * random_definition.h -- definitions over the whole schema, expressions that fail included.
 */
#ifndef BATON_TESTS_CORE_RANDOM_DEFINITION_H
#define BATON_TESTS_CORE_RANDOM_DEFINITION_H

#include "random.h"
#include <baton/definition.h>

/* The text of a definition that validates. */
void random_definition(struct random *random, struct buffer *text);
/* What its `reply` mappings, if it has any, read as this outcome: {"ok": true}, {"busy": true}, {}. */
extern const char random_mapping[];

#endif

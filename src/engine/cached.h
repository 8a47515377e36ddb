/*
 * cached.h -- values that stand in for steps that are given up, as one engine thread gives them to the store and asks for them.
 */
#ifndef BATON_ENGINE_CACHED_H
#define BATON_ENGINE_CACHED_H

#include "engine_internal.h"

struct cached *cached_new(void); /* NULL if memory ran out */
void cached_free(struct cached *cached); /* NULL is fine */
/** EFFECT_CACHE or EFFECT_LOOKUP of the saga, in this batch. False if memory ran out. */
bool cached_note(struct engine *engine, const struct saga *saga, const struct effect *effect);
/** What the batch asks for is asked, and told to its sagas, until nothing is left. */
enum baton_err cached_ask(struct engine *engine, struct baton_error *err);
/** What is committed goes to the store; what that does not take is kept by nobody. */
void cached_flush(struct engine *engine);
void cached_committed(struct engine *engine);
void cached_clear(struct engine *engine); /* the batch is over: what of it is not committed is dropped */

#endif

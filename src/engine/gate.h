/*
 * gate.h -- what this thread lets its sagas send to the services that have rules.
 *
 * A batch asks before each event (gate_ask) and tells after it (gate_told); what it told counts once the batch has committed.
 */
#ifndef BATON_ENGINE_GATE_H
#define BATON_ENGINE_GATE_H

#include "engine_internal.h"

struct gate; /* NULL where no service has rules: then nothing of this costs anything */

/** One for the thread; *ret_gate stays NULL if no service has rules. False if memory ran out. */
bool gate_new(struct engine *engine, struct gate **ret_gate);
void gate_free(struct gate *gate); /* NULL is fine */

/** The partition is another thread's: who waits there is no more ours to wake, and nobody tells us of commands in flight there. */
void gate_lost(struct engine *engine, int32_t partition);

/** Tell and hear, where it is time. BATON_E_RETRY: the view is away. */
enum baton_err gate_sync(struct engine *engine, struct baton_error *err);
/** When there is something to do next: to tell and hear, or to wake. INT64_MAX = never. */
int64_t gate_next(struct engine *engine);

/** Take what was held back and may go now into engine->fired, first come first. */
void gate_take(struct engine *engine);
/** One that was taken could not be decided: it goes back to its place. */
void gate_put_back(struct engine *engine, const struct timer *timer);

/** Before an event: what is known of the services. */
void gate_ask(struct engine *engine, struct saga_event *event);
/** After it: what the event sent, held back, and learnt. saga is as it left it. False if memory ran out. */
bool gate_told(struct engine *engine, const struct saga *saga, const struct saga_event *event);
/** A timer that was taken has been decided, whatever came of it. */
void gate_decided(struct engine *engine, const struct timer *timer);
/** Has a breaker changed, and this thread is to tell the world? Then a batch is wanted. */
bool gate_has_news(const struct engine *engine);
enum baton_err gate_announce(struct engine *engine, struct baton_error *err);

void gate_committed(struct engine *engine); /* the batch counts */
void gate_doubt(struct engine *engine);     /* nobody knows: what it sent counts as in flight until it is due */
void gate_clear(struct engine *engine);     /* it is over: what does not count by now never will */

#endif

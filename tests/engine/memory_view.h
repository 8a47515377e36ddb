/*
 * memory_view.h -- a Redis in memory behind `struct view`, with the faults that a real one has.
 *
 * Same rules as src/redis: an apply goes through only from the expected w, a saga is written only over a lower seq, a rebuild's calls only
 * under its token. Thread-safe; time comes from nowhere, for it needs none.
 */
#ifndef BATON_TESTS_MEMORY_VIEW_H
#define BATON_TESTS_MEMORY_VIEW_H

#include "memory_world.h"
#include <baton/view.h>

struct memory_view;

struct memory_view *memory_view_new(struct memory_world *world, int32_t partitions);
void memory_view_free(struct memory_view *view);
/** A connection for one engine thread. */
enum baton_err memory_view_open(struct memory_view *view, struct view *ret_view, struct baton_error *err);

/* --- to look at it --- */
struct view_meta memory_view_meta(struct memory_view *view, int32_t partition);
size_t memory_view_sagas(struct memory_view *view, int32_t partition);
/** Visits a copy of what is there, so that the visitor may look at the world again. */
void memory_view_each(struct memory_view *view, int32_t partition, void (*visit)(void *context, const struct view_item *item),
                      void *context);
/** Sagas written by applies so far: fewer than steps when applies are coalesced. */
int64_t memory_view_written(struct memory_view *view);
/** Applies that went through. */
int64_t memory_view_applied(struct memory_view *view);

/** Marks left by workers so far (view.h, trial). */
int64_t memory_view_marked(struct memory_view *view);

/** How often threads have told of their services. */
int64_t memory_view_service_rounds(struct memory_view *view);
/** What all threads say that they hold back for it. */
int64_t memory_view_service_held(struct memory_view *view, const char *name);
/** Is this the state of the service's breaker? */
bool memory_view_service_is(struct memory_view *view, const char *name, const char *state);
/** An operator's "open", "close", "reset". */
bool memory_view_set_service(struct memory_view *view, const char *name, const char *verb);

/* --- faults --- */
void memory_view_wipe(struct memory_view *view); /* FLUSHALL */
struct memory_view *memory_view_snapshot(struct memory_view *view);
/** A failover to a replica that lagged: everything is as it was at the snapshot, which is freed. */
void memory_view_roll_back(struct memory_view *view, struct memory_view *snapshot);
void memory_view_away(struct memory_view *view, bool away); /* every call: BATON_E_RETRY */
/** Applies so many times: BATON_E_RETRY although it went through (the answer was lost). */
void memory_view_lose_answers(struct memory_view *view, int times);
/** The next apply hangs in the network: BATON_E_RETRY, and it arrives when deliver is called. */
void memory_view_delay_next(struct memory_view *view);
bool memory_view_deliver(struct memory_view *view); /* true if it went through */
void memory_view_set_meta(struct memory_view *view, int32_t partition, int64_t w, int64_t jo, const char *epoch);
void memory_view_set_trial(struct memory_view *view, int32_t partition, const char *text); /* a dead worker's mark */
/** Another rebuild begins just before the next rebuild call of this kind: its token is taken. */
enum memory_rebuild { MEMORY_REBUILD_NONE, MEMORY_REBUILD_PUT, MEMORY_REBUILD_END };
void memory_view_steal_token(struct memory_view *view, enum memory_rebuild before);

#endif

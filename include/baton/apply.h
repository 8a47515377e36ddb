/*
 * apply.h -- the one place where a saga changes: (definition, state, event) -> (state', effects).
 */
#ifndef BATON_APPLY_H
#define BATON_APPLY_H

#include <baton/saga.h>

/**
 * Start a saga: EVENT_START on nothing.
 *
 * @definition  Borrowed; must outlive the saga. Pinned by the saga.
 * @ret_saga    Out: the new saga with seq 1, the caller's; NULL unless BATON_OK.
 * Returns BATON_OK or BATON_E_NOMEM. Total otherwise: an expression that fails fails its step, not the call.
 */
enum baton_err saga_start(const struct definition *definition, const struct saga_event *event, struct saga **ret_saga,
                          struct effects *effects);

/**
 * What one event makes of a saga.
 *
 * Pure: no clock, no randomness, no I/O. Equal input gives equal output on every worker and every version of the same
 * major, so that a topic can be replayed and a crashed step resumed elsewhere.
 *
 * @saga      Borrowed, only read.
 * @ret_next  Out: the new state, the caller's; NULL if the event changed nothing (IGNORED_EARLY, IGNORED_REFUSED) or memory ran out.
 * @event    Borrowed. EVENT_START on an existing saga counts a duplicate (the caller has checked that the input is the same).
 * @effects  Out, cleared first. In the order they must appear in the topics.
 * Returns BATON_OK (see effects->disposition) or BATON_E_NOMEM.
 *
 * Rule: a saga ends with all its steps done, or with the done ones compensated, never in between (Garcia-Molina and
 * Salem, "Sagas", SIGMOD 1987). Rule: every live saga owns a due time or a parked reason; asserted after every apply,
 * in release builds too.
 */
enum baton_err saga_next(const struct saga *saga, const struct saga_event *event, struct saga **ret_next, struct effects *effects);
/** The same in place: *saga is replaced by the new state (the old one is freed), or left exactly as it was. */
enum baton_err saga_apply(struct saga **saga, const struct saga_event *event, struct effects *effects);

/**
 * Can a live saga go on by another version of its definition? Every step that it has reached must stand there under the same name, in the same group and order,
 * and do the same; nothing may stand before it that would never run; the pivot is not changed behind its back. What it is asked with, timeouts and
 * retries may differ: they hold from the next attempt on. The saga's own timeout stays.
 *
 * @ret_reason  Out, size bytes: why not.
 */
bool saga_migratable(const struct saga *saga, const struct definition *to, char *ret_reason, size_t size);
/** The same, done: in place, or left as it was. */
bool saga_migrate(struct saga *saga, const struct definition *to, char *ret_reason, size_t size);

/** NULL if the saga keeps promise 4 (every live saga owns a due time or a parked reason), else what is wrong. */
const char *saga_broken_rule(const struct saga *saga);

/**
 * Delay before attempt number `next` (2..), in ms: interval * backoff^(next-2), capped, spread by jitter derived from the saga id,
 * the step and the attempt (so that every worker computes the same).
 */
int64_t retry_delay_ms(const struct retry_policy *policy, const char *saga_id, const char *step, int next_attempt);

#endif

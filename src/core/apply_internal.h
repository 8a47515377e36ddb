/*
 * apply_internal.h -- one application of the rules under way. apply.c opens and closes it; forward.c and compensate.c hold the rules.
 */
#ifndef BATON_CORE_APPLY_INTERNAL_H
#define BATON_CORE_APPLY_INTERNAL_H

#include "reply.h"
#include <baton/apply.h>

/* Replies that change nothing are told in the history only while so many of them are in it: a flood must not push out the rest. */
#define HISTORY_NOISE_MAX 16

struct apply {
    const struct definition *definition;
    struct saga *next; /* the copy that becomes the saga if nothing fails */
    struct effects *effects;
    int64_t at;
    bool failed; /* memory ran out: the copy and the effects are thrown away */
};

/* apply.c */
void apply_history(struct apply *apply, enum history_kind kind, int step, int attempt);
struct effect *apply_effect(struct apply *apply, enum effect_kind kind); /* NULL if memory ran out */
void apply_park(struct apply *apply, enum saga_status from, const char *format, ...) __attribute__((format(printf, 3, 4)));
void apply_resume(struct apply *apply);
struct expr_scope apply_scope(const struct apply *apply);
/** Evaluate a template; NULL template gives {}. An expression that fails: *ret_error is set (owned) and false returned. */
bool apply_template(struct apply *apply, const struct template *template, json_t **ret_value, json_t **ret_error);
void apply_set(struct apply *apply, json_t **slot, json_t *value); /* takes value over; NULL value notes the failure */
bool apply_is_group(const struct apply *apply, const struct saga_step *step);
const char *apply_step_name(const struct apply *apply, const struct saga_step *step);
/** May attempt `attempts`+1 be made after code? */
bool apply_retry_allowed(const struct apply *apply, const struct retry_policy *policy, const struct saga_step *step, int attempts,
                         const char *code, int64_t delay_ms);
/** When the time of all attempts together is over (retry.maxDuration, from the first one on); INT64_MAX = never. */
int64_t apply_latest(const struct retry_policy *policy, const struct saga_step *step);
/** When the answer to what is sent now, or goes on now, is due: the timeout of one attempt, within that of all. */
int64_t apply_reply_due(const struct apply *apply, const struct retry_policy *policy, const struct saga_step *step, int64_t timeout_ms);
const char *error_code(const json_t *error);
const char *error_message(const json_t *error);
int apply_next_order(const struct apply *apply);

/* forward.c */
void forward_from(struct apply *apply, int index); /* enter this step, and whatever follows without waiting */
void forward_reply(struct apply *apply, const struct saga_event *event, struct saga_step *step, struct reply_meaning *meaning);
void forward_due(struct apply *apply, struct saga_step *step);
bool forward_past_pivot(const struct apply *apply);

/* compensate.c */
void compensate_begin(struct apply *apply, int step, const char *code, const char *message);
void compensate_next(struct apply *apply);
void compensate_late(struct apply *apply, struct saga_step *step); /* a success after the step had been given up */
void compensate_reply(struct apply *apply, const struct saga_event *event, struct saga_step *step, struct reply_meaning *meaning);
void compensate_due(struct apply *apply, struct saga_step *step);

#endif

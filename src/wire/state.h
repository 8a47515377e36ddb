/*
 * state.h -- names and pieces of the state document that its writer, its reader, the patch and the journal share.
 */
#ifndef BATON_WIRE_STATE_H
#define BATON_WIRE_STATE_H

#include <baton/wire.h>

/* One step's entry: status, then what is not zero. without_output: the journal has the output elsewhere. */
/** The name of a step that stands there, in quotes. */
void state_place_write(struct buffer *out, const struct definition *definition, struct saga_place place);
void state_step_write(struct buffer *out, const struct saga_step *step, bool without_output);
/* The entries from index `from` on, comma-separated, without brackets. */
void state_history_write(struct buffer *out, const struct saga *saga, size_t from);
/* null or {"reason","from"} */
void state_parked_write(struct buffer *out, const struct saga *saga);

/* Is the output of this changed step the reply's body itself? Then the journal writes it once, in the event. */
bool patch_output_is_body(const struct saga_step *step, const json_t *body);
/* wire_patch_write, leaving out the outputs for which patch_output_is_body holds. body NULL = all are written. */
void patch_write(struct buffer *out, const struct saga *saga, const json_t *body);

#endif

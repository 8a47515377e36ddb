/*
 * ids.h -- numbers and ids in text, for the other files of this room.
 */
#ifndef BATON_WIRE_IDS_H
#define BATON_WIRE_IDS_H

#include <baton/wire.h>

/* A decimal number without sign, 1..19 digits, no leading zero but "0" itself. */
bool number_parse(const char *text, size_t len, int64_t *ret_number);
/* `<step>/<x|c>/<attempt>`: an id without its saga, as the journal writes it; returns its length. */
size_t command_id(char out[WIRE_MESSAGE_ID_MAX], const char *step, enum saga_action action, int attempt);

#endif

/*
 * dataref.h -- the reference to a value that lies elsewhere: CloudEvents extension dataref.
 */
#ifndef BATON_WIRE_DATAREF_H
#define BATON_WIRE_DATAREF_H

#include "cloudevent.h"
#include "record.h"

/* Header ce_dataref, else the attribute (event: NULL unless structured). *ret_dataref: new reference, NULL = none. BATON_E_POISON: too-large,
 * invalid-cloudevent; BATON_E_NOMEM. */
enum baton_err dataref_read(const struct bus_message *message, const struct cloudevent *event, json_t **ret_dataref, enum dlq_reason *ret_reason,
                            struct baton_error *err);
/* As it came; NULL = no header. */
void dataref_write(struct wire_out *out, const json_t *dataref);

#endif

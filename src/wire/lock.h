/*
 * lock.h -- reading what a saga tells a lock.
 */
#ifndef BATON_WIRE_LOCK_H
#define BATON_WIRE_LOCK_H

#include <baton/wire.h>

/* doc has a member "lock". False if it is not what a worker writes to the lock of this id. control borrows from doc. */
bool lock_message_read(const char *id, const json_t *doc, struct wire_control *control);

#endif

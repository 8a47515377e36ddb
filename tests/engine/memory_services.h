/*
 * memory_services.h -- the services of a Redis in memory: the very script of src/redis in a Lua of our own, over hashes that are Lua tables.
 */
#ifndef BATON_TESTS_MEMORY_SERVICES_H
#define BATON_TESTS_MEMORY_SERVICES_H

#include <baton/gate.h>

struct memory_services;

struct memory_services *memory_services_new(void);
void memory_services_free(struct memory_services *services);
void memory_services_sync(struct memory_services *services, const char *thread, struct service_sync *syncs, size_t n, int64_t now_ms);
void memory_services_wipe(struct memory_services *services);
/** An operator's "open", "close", "reset". False if no thread has rules for it. */
bool memory_services_set(struct memory_services *services, const char *name, const char *verb, int64_t now_ms);
/** What all threads say that they hold back. */
int64_t memory_services_held(struct memory_services *services, const char *name);
/** A field of the service's hash; "" if there is none. Valid until the next call. */
const char *memory_services_field(struct memory_services *services, const char *name, const char *field);

#endif

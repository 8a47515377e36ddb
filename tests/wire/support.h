/*
 * support.h -- messages out of text, and a small saga to write about.
 */
#ifndef BATON_TESTS_WIRE_SUPPORT_H
#define BATON_TESTS_WIRE_SUPPORT_H

#include "rows.h"
#include <baton/wire.h>

/* --- messages --- */

/* A message whose every part lies in a heap block of exactly its size, so that the sanitizer sees a read beyond it. */
struct given {
    struct bus_message message;
    void *blocks[2 + BUS_HEADERS_MAX];
    char *names;
    size_t blocks_len;
};
/*
 * @key, @value  NULL = none. In both and in header values %XX stands for a byte and %% for a percent sign.
 * @headers      "name: value" lines; a line without a colon is a header with a null value. NULL = none.
 */
void given_message(struct given *given, const char *key, const char *headers, const char *value);
void given_clear(struct given *given);

/* `name: value` of a record's header, "-" if there is none. Valid until the next call. */
const char *record_header_value(const struct bus_record *record, const char *name);
/* topic, partition, key, headers and value, a line each. */
void say_record(struct buffer *out, const struct bus_record *record);

/* --- a saga of definition order@3: reserve, authorize, settle (pivot), ship --- */

extern const struct definition order_definition;
/* Running, at step authorize, reserve done. Free with saga_free. */
struct saga *order_saga(void);

#endif

/*
 * support.h -- rows as tests, messages out of text, and a small saga to write about.
 */
#ifndef BATON_TESTS_WIRE_SUPPORT_H
#define BATON_TESTS_WIRE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <baton/wire.h>

/* --- rows --- */

/* One cmocka test per row: the row's name is its first member. The row is *state in check. */
int run_rows(const char *group, const void *rows, size_t row_size, size_t count, CMUnitTestFunction check);
#define RUN_ROWS(rows, check) run_rows(#rows, (rows), sizeof(rows)[0], sizeof(rows) / sizeof(rows)[0], (check))

/* Collects the sentence that a row is compared with. */
void say(struct buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

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

/* --- JSON --- */

json_t *parse(const char *text);    /* fails the test if it is not JSON */
char *written(const json_t *value); /* malloc'ed json_write text */
/* The same text, as string, and both named when they differ. */
void assert_text(const char *what, const struct buffer *got, const char *expected);

/* --- a saga of definition order@3: reserve, authorize, settle (pivot), ship --- */

extern const struct definition order_definition;
/* Running, at step authorize, reserve done. Free with saga_free. */
struct saga *order_saga(void);

#endif

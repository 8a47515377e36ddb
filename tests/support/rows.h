/*
 * rows.h -- rows as tests, sentences to compare, JSON out of and into text.
 */
#ifndef BATON_TESTS_ROWS_H
#define BATON_TESTS_ROWS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <baton/json.h>

/* Of a step that stands in no forEach (baton/saga.h). */
#define AT(index) ((struct saga_place){(index), -1})

/* One cmocka test per row: the row's name is its first member. The row is *state in check. */
int run_rows(const char *group, const void *rows, size_t row_size, size_t count, CMUnitTestFunction check);
#define RUN_ROWS(rows, check) run_rows(#rows, (rows), sizeof(rows)[0], sizeof(rows) / sizeof(rows)[0], (check))

/* Collects the sentence that a row is compared with. */
void say(struct buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

json_t *parse(const char *text);    /* fails the test if it is not JSON */
char *written(const json_t *value); /* malloc'ed json_write text */
/* The same text, as string, and both named when they differ. */
void assert_text(const char *what, const struct buffer *got, const char *expected);

#endif

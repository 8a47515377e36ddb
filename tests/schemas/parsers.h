/*
 * parsers.h -- what Baton itself says to a document that a schema describes.
 */
#ifndef BATON_TESTS_PARSERS_H
#define BATON_TESTS_PARSERS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum verdict {
    VERDICT_ACCEPTED,
    VERDICT_REFUSED,        /* for its shape: the schema must refuse it too */
    VERDICT_REFUSED_BEYOND, /* only for what a schema cannot say: see the lists in parsers.c */
};

/** why: what was found, for the reader of a failed test. */
enum verdict parser_definition(const char *text, char *why, size_t why_size);
/** Writes the text to `file` first: the configuration is read from there. */
enum verdict parser_configuration(const char *text, const char *file, char *why, size_t why_size);

/** The names of librdkafka's properties, one by one; NULL after the last. */
const char *parser_kafka_property(size_t index, const char **ret_value);

#ifdef __cplusplus
}
#endif

#endif

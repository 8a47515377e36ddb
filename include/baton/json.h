/*
 * json.h -- JSON text out of jansson values, and into them within limits.
 *
 * Why not json_dumps: jansson 2.14 prints 19.99 as 19.989999999999998. Why not json_loads alone: 1 MiB of `{},` becomes
 * 82 MB of heap, so bytes, depth and tokens are bounded before a value is built.
 */
#ifndef BATON_JSON_H
#define BATON_JSON_H

#include <baton/buffer.h>
#include <baton/error.h>
#include <jansson.h>

/** Compact JSON, object members in insertion order, doubles in the shortest form that reads back equal and that still
 * reads as a double (1.0 stays "1.0", 1e300 "1e+300"). NULL writes null. */
void json_write(struct buffer *out, const json_t *value);

/** A JSON string literal with its quotes. Control characters, quote and backslash are escaped; valid UTF-8 passes as is. */
void json_write_string(struct buffer *out, const char *text, size_t len);

#define JSON_REAL_MAX 32
/** Shortest round-trip text of a finite double; returns its length. */
size_t json_real_text(double value, char out[JSON_REAL_MAX]);

struct json_limits {
    size_t bytes_max;  /* of the text */
    size_t depth_max;  /* nested arrays and objects */
    size_t values_max; /* values of any kind, members included: bounds the heap */
};

/* The defaults of every message from outside. */
#define JSON_BYTES_MAX (1024 * 1024)
#define JSON_DEPTH_MAX 64
#define JSON_VALUES_MAX 100000
extern const struct json_limits json_default_limits;

/**
 * Parse one JSON text of any kind (object, array, scalar).
 *
 * Refused with BATON_E_INVALID and "line L column C: ..." in err: over a limit, invalid UTF-8, duplicate keys (the
 * error names the key), a NUL character, an integer beyond 64 bits, a real beyond double, anything after the value.
 * BATON_E_NOMEM when memory ran out.
 *
 * @ret_value  Out, new reference; written on success only.
 */
enum baton_err json_parse(const char *text, size_t len, const struct json_limits *limits, json_t **ret_value,
                          struct baton_error *err);

/**
 * Is a value within limits? Its text is estimated, not written. Stops at the first excess, so that shared parts, which
 * have more text than memory, cost no more than the limit.
 */
bool json_within(const json_t *value, const struct json_limits *limits);
/** The same of one part of a value: takes its bytes and values from what is left; left->depth_max is that of the part. */
bool json_take(const json_t *value, struct json_limits *left);

/**
 * Where a JSON Pointer (RFC 6901) stands in a text that json_parse accepts: 1-based line and column (in code points) of the value's first
 * character, or of the key if `of_key`. Nearest existing ancestor if the pointer names nothing.
 */
void json_locate(const char *text, size_t len, const char *pointer, bool of_key, int *ret_line, int *ret_column);

/** Append "/token" to a JSON Pointer with ~0 and ~1 escapes. */
void json_pointer_push(struct buffer *pointer, const char *token);

#endif

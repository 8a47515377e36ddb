/*
 * killer.c -- loaded into a worker by LD_PRELOAD: the process dies (SIGABRT) when it parses or sends certain text, as a bug in a parser or in
 * a rule would make it die. So the product needs no switch for it.
 *
 * KILLER_READING  text of a JSON document that must not be parsed
 * KILLER_SENDING  value of a header that must not be added to a record
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <jansson.h>
#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>

static void die_of(const char *variable, const void *text, size_t len)
{
    const char *poison = getenv(variable);

    if (poison != NULL && text != NULL && memmem(text, len, poison, strlen(poison)) != NULL)
        abort();
}

/* The next definition of a function: POSIX's own way to turn dlsym's object pointer into one. */
#define NEXT(function, name) (*(void **)&(function) = dlsym(RTLD_NEXT, (name)))

json_t *json_loadb(const char *buffer, size_t len, size_t flags, json_error_t *error)
{
    static json_t *(*next)(const char *, size_t, size_t, json_error_t *);

    if (next == NULL)
        NEXT(next, "json_loadb");
    die_of("KILLER_READING", buffer, len);
    return next(buffer, len, flags, error);
}

rd_kafka_resp_err_t rd_kafka_header_add(rd_kafka_headers_t *headers, const char *name, ssize_t name_size, const void *value, ssize_t value_size)
{
    static rd_kafka_resp_err_t (*next)(rd_kafka_headers_t *, const char *, ssize_t, const void *, ssize_t);

    if (next == NULL)
        NEXT(next, "rd_kafka_header_add");
    die_of("KILLER_SENDING", value, value_size < 0 ? strlen(value) : (size_t)value_size);
    return next(headers, name, name_size, value, value_size);
}

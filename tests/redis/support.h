/*
 * support.h -- a Redis of the test's own: started as its child on a free loopback port, in a private directory, ended by its pid.
 */
#ifndef BATON_TESTS_REDIS_SUPPORT_H
#define BATON_TESTS_REDIS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <baton/buffer.h>
#include <baton/redis.h>
#include <hiredis/hiredis.h>
#include <sys/types.h>

#define TEST_PREFIX "t"
#define COUNT(array) (sizeof(array) / sizeof *(array))

struct server {
    pid_t pid; /* 0 = not running */
    int port;
    char dir[64], url[64];
};

/** Start the server, or start it again on the same port with the same directory, and wait until it answers. `extra` are more arguments of
 * redis-server, NULL-terminated; NULL = none. It dies with the test, however the test ends. */
void server_start(struct server *server, const char *const *extra);
/** Kill it without a goodbye: what it did not write to its files is lost. */
void server_kill(struct server *server);
/** Kill it and remove its directory. */
void server_remove(struct server *server);

/** One command of the test's own, printf-like with hiredis's %b, over a connection of its own; fails the test on an error reply. Free the reply. */
redisReply *server_ask(const struct server *server, const char *format, ...);
/** The same, the answer dropped. */
void server_do(const struct server *server, const char *format, ...);

/** Options for the server, with a command timeout short enough to wait for in a test. */
struct redis_options options_of(const struct server *server);

/** The main of a test that needs one server and one view of it: starts, opens, runs the tests, closes, removes. Returns what main returns. */
int with_view(struct server *server, struct view *view, const struct CMUnitTest *tests, size_t tests_len);

/** Empty the server and give partition p a view that shows seq 0. */
void fresh(const struct server *server, struct view *view, int32_t partition);

/** Collects the sentence that a row is compared with. */
void say(struct buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

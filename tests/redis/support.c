/*
 * support.c -- a Redis of the test's own.
 */
#include "support.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_WAIT_MS 20000
#define START_TRIES 5 /* a free port may be taken by somebody else before Redis has it */
#define EXTRA_MAX 32

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0 && getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    (void)close(fd);
    return ntohs(address.sin_port);
}

static void spawn(struct server *server, const char *const *extra)
{
    char port[16], log[96];
    const char *argv[EXTRA_MAX + 16] = {"redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", server->dir, "--logfile", log,
                                        "--enable-protected-configs", "yes", "--save", ""};
    size_t n = 13;
    pid_t parent = getpid();

    for (size_t i = 0; extra != NULL && extra[i] != NULL; i++) {
        assert_true(i < EXTRA_MAX);
        argv[n++] = extra[i];
    }
    (void)snprintf(port, sizeof port, "%d", server->port);
    (void)snprintf(log, sizeof log, "%s/log", server->dir);
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        (void)execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
}

/* True: it answers, even if only that it loads its files. False: it ended. */
static bool comes_up(struct server *server)
{
    struct timespec step = {.tv_nsec = 2 * 1000000};

    for (int waited = 0; waited < START_WAIT_MS; waited += 2) {
        redisContext *context = redisConnect("127.0.0.1", server->port);
        redisReply *reply = context != NULL && context->err == 0 ? redisCommand(context, "PING") : NULL;
        bool up = reply != NULL;

        freeReplyObject(reply);
        if (context != NULL)
            redisFree(context);
        if (up)
            return true;
        if (waitpid(server->pid, NULL, WNOHANG) == server->pid) {
            server->pid = 0;
            return false;
        }
        (void)nanosleep(&step, NULL);
    }
    fail_msg("redis-server does not answer after %d ms; see %s/log", START_WAIT_MS, server->dir);
    return false;
}

void server_start(struct server *server, const char *const *extra)
{
    bool first = server->dir[0] == '\0';

    if (first) {
        (void)snprintf(server->dir, sizeof server->dir, "/tmp/baton-redis-test.XXXXXX");
        assert_non_null(mkdtemp(server->dir));
    }
    for (int tries = 0; tries < START_TRIES; tries++) {
        if (first)
            server->port = free_port();
        (void)snprintf(server->url, sizeof server->url, "redis://127.0.0.1:%d", server->port);
        spawn(server, extra);
        if (comes_up(server))
            return;
    }
    fail_msg("redis-server does not start; see %s/log", server->dir);
}

void server_kill(struct server *server)
{
    if (server->pid == 0)
        return;
    (void)kill(server->pid, SIGKILL);
    (void)waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

void server_remove(struct server *server)
{
    char command[96];

    server_kill(server);
    if (server->dir[0] == '\0')
        return;
    (void)snprintf(command, sizeof command, "rm -rf '%s'", server->dir);
    assert_int_equal(system(command), 0);
    server->dir[0] = '\0';
}

static redisReply *ask(const struct server *server, const char *format, va_list args)
{
    redisContext *context = redisConnect("127.0.0.1", server->port);
    redisReply *reply = NULL;

    assert_true(context != NULL && context->err == 0);
    reply = redisvCommand(context, format, args);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", format, reply->str);
    redisFree(context);
    return reply;
}

redisReply *server_ask(const struct server *server, const char *format, ...)
{
    redisReply *reply = NULL;
    va_list args;

    va_start(args, format);
    reply = ask(server, format, args);
    va_end(args);
    return reply;
}

void server_do(const struct server *server, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    freeReplyObject(ask(server, format, args));
    va_end(args);
}

struct redis_options options_of(const struct server *server)
{
    return (struct redis_options){.url = server->url, .prefix = TEST_PREFIX, .connect_timeout_ms = 2000, .command_timeout_ms = 5000};
}

void fresh(const struct server *server, struct view *view, int32_t partition)
{
    struct view_meta meta = {.w = 0, .jo = 0, .epoch = "e"};
    struct baton_error err = {0};

    server_do(server, "FLUSHALL");
    if (view->rebuild_begin(view->self, partition, "fresh", &err) != BATON_OK ||
        view->rebuild_end(view->self, partition, "fresh", &meta, &err) != BATON_OK)
        fail_msg("%s", err.text);
}

void say(struct buffer *out, const char *format, ...)
{
    char text[4096];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    buffer_text(out, text);
}

int with_view(struct server *server, struct view *view, const struct CMUnitTest *tests, size_t tests_len)
{
    struct redis_options options;
    struct baton_error err = {0};
    int failed = 0;

    server_start(server, NULL);
    options = options_of(server);
    if (redis_view_open(&options, view, &err) != BATON_OK) {
        (void)fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    failed = _cmocka_run_group_tests("tests", tests, tests_len, NULL, NULL);
    view->close(view->self);
    server_remove(server);
    return failed;
}

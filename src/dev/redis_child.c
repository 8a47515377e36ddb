/*
 * redis_child.c -- a redis-server of our own: found, started, asked whether it serves, ended.
 *
 * Owns:     the process, its port, and its directory, which is gone again once it serves: nothing stays behind, even after kill -9.
 * Tests:    tests/dev/test_dev.py
 */
#include <arpa/inet.h>
#include <baton/dev.h>
#include <baton/redis.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STARTS_MAX 5 /* somebody may take the free port before it does */
#define SERVE_PATIENCE_MS 10000
#define END_PATIENCE_MS 5000
#define STEP_MS 5
#define SERVER "redis-server"
#define LOG "redis.log"

struct dev_redis {
    pid_t pid; /* 0 = not running */
    int port;
    char program[PATH_MAX];
    char folder[128]; /* "" = removed */
    char url[64];
};

static void wait_ms(int ms)
{
    struct timespec step = {.tv_nsec = ms * 1000000L};

    (void)nanosleep(&step, NULL);
}

static bool find_program(char *ret_path, size_t size)
{
    const char *path = getenv("PATH");

    for (const char *at = path != NULL ? path : "/usr/bin:/bin"; at != NULL; at = strchr(at, ':')) {
        int len = 0;

        at += *at == ':';
        len = (int)strcspn(at, ":");
        if (len > 0 && snprintf(ret_path, size, "%.*s/" SERVER, len, at) < (int)size && access(ret_path, X_OK) == 0)
            return true;
    }
    return false;
}

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port = 0;

    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0 && getsockname(fd, (struct sockaddr *)&address, &len) == 0)
        port = ntohs(address.sin_port);
    if (fd >= 0)
        (void)close(fd);
    return port;
}

static void remove_folder(struct dev_redis *redis)
{
    char log[sizeof redis->folder + sizeof LOG + 1];

    if (redis->folder[0] == '\0')
        return;
    (void)snprintf(log, sizeof log, "%s/" LOG, redis->folder);
    (void)unlink(log);
    (void)rmdir(redis->folder);
    redis->folder[0] = '\0';
}

/* In the child. Only async-signal-safe calls: the parent has threads. */
static void become_server(const struct dev_redis *redis, pid_t parent, char *const *argv)
{
    sigset_t none;
    int null = open("/dev/null", O_RDWR);

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setpgid(0, 0); /* Ctrl-C is for the parent, which ends this one when it needs it no more */
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    if (getppid() == parent && null >= 0 && dup2(null, 0) >= 0 && dup2(null, 1) >= 0 && dup2(null, 2) >= 0)
        (void)execv(redis->program, argv);
    _exit(127);
}

static enum baton_err start(struct dev_redis *redis, struct baton_error *err)
{
    char port[16];
    char *const argv[] = {SERVER, "--bind", "127.0.0.1", "--port", port, "--dir", redis->folder,
                          "--logfile", LOG, "--save", "", "--appendonly", "no",
                          "--maxmemory-policy", "noeviction", "--daemonize", "no", NULL};
    pid_t parent = getpid();

    redis->port = free_port();
    if (redis->port == 0)
        return baton_fail(err, BATON_E_FATAL, "no free loopback port for redis-server: %s", strerror(errno));
    (void)snprintf(port, sizeof port, "%d", redis->port);
    (void)snprintf(redis->url, sizeof redis->url, "redis://127.0.0.1:%d", redis->port);
    redis->pid = fork();
    if (redis->pid == 0)
        become_server(redis, parent, argv);
    if (redis->pid < 0) {
        redis->pid = 0;
        return baton_fail(err, BATON_E_FATAL, "cannot start %s: %s", redis->program, strerror(errno));
    }
    return BATON_OK;
}

static bool ended(struct dev_redis *redis)
{
    if (redis->pid != 0 && waitpid(redis->pid, NULL, WNOHANG) == redis->pid)
        redis->pid = 0;
    return redis->pid == 0;
}

/* Its own last words, for the error. */
static void last_line(const struct dev_redis *redis, char *ret_line, size_t size)
{
    char path[sizeof redis->folder + sizeof LOG + 1], line[512];
    FILE *file = NULL;

    (void)snprintf(path, sizeof path, "%s/" LOG, redis->folder);
    (void)snprintf(ret_line, size, "it wrote no log");
    file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] != '\0')
            (void)snprintf(ret_line, size, "%s", line);
    }
    if (file != NULL)
        (void)fclose(file);
}

/* BATON_E_RETRY: it ended by itself. */
static enum baton_err await_service(struct dev_redis *redis, struct baton_error *err)
{
    const struct redis_options options = {.url = redis->url, .prefix = "baton"};
    char version[64], line[512];

    for (int waited = 0; waited < SERVE_PATIENCE_MS; waited += STEP_MS) {
        if (ended(redis)) {
            last_line(redis, line, sizeof line);
            return baton_fail(err, BATON_E_RETRY, "%s ended at once: %s", redis->program, line);
        }
        if (redis_check(&options, version, err) == BATON_OK)
            return BATON_OK;
        wait_ms(STEP_MS);
    }
    return baton_fail(err, BATON_E_FATAL, "%s does not answer on port %d after %d ms", redis->program, redis->port, SERVE_PATIENCE_MS);
}

enum baton_err dev_redis_open(struct dev_redis **ret_redis, struct baton_error *err)
{
    struct dev_redis *redis = calloc(1, sizeof *redis);
    const char *temporary = getenv("TMPDIR");
    enum baton_err rc = BATON_E_RETRY;

    if (redis == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory for redis-server");
    if (!find_program(redis->program, sizeof redis->program)) {
        free(redis);
        return baton_fail(err, BATON_E_NOT_FOUND, "there is no " SERVER " in PATH; install it: apt-get install redis-server");
    }
    (void)snprintf(redis->folder, sizeof redis->folder, "%.90s/baton-dev.XXXXXX", temporary != NULL && *temporary != '\0' ? temporary : "/tmp");
    if (mkdtemp(redis->folder) == NULL) {
        rc = baton_fail(err, BATON_E_FATAL, "%s: %s", redis->folder, strerror(errno));
        free(redis);
        return rc;
    }
    for (int i = 0; i < STARTS_MAX && rc == BATON_E_RETRY; i++) {
        rc = start(redis, err);
        if (rc == BATON_OK)
            rc = await_service(redis, err);
    }
    remove_folder(redis);
    if (rc == BATON_OK) {
        *ret_redis = redis;
        return BATON_OK;
    }
    dev_redis_close(redis);
    return rc == BATON_E_RETRY ? err->code = BATON_E_FATAL : rc;
}

const char *dev_redis_url(const struct dev_redis *redis)
{
    return redis->url;
}

void dev_redis_close(struct dev_redis *redis)
{
    if (redis == NULL)
        return;
    if (!ended(redis))
        (void)kill(redis->pid, SIGTERM);
    for (int waited = 0; !ended(redis) && waited < END_PATIENCE_MS; waited += STEP_MS)
        wait_ms(STEP_MS);
    if (!ended(redis)) {
        (void)kill(redis->pid, SIGKILL);
        (void)waitpid(redis->pid, NULL, 0);
    }
    free(redis);
}

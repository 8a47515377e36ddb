/*
 * test_outage.c -- Redis away, silent, read-only, full, loading, forgetful: which code, and what the text tells an operator to do.
 */
#include "support.h"
#include <signal.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SHORT_MS 200 /* a command's timeout where the test waits for it */

static struct server server;
static struct view view;

/* --- every answer that is an error, from a server that says only this --- */

static const struct row {
    const char *name;
    const char *answer;
    enum baton_err code;
    const char *words;
} rows[] = {
    {"loading its files passes", "-LOADING Redis is loading the dataset in memory\r\n", BATON_E_RETRY, "has read its files"},
    {"busy with a script passes", "-BUSY Redis is busy running a script.\r\n", BATON_E_RETRY, "SCRIPT KILL"},
    {"an unkillable script passes", "-UNKILLABLE Sorry the script already executed write commands\r\n", BATON_E_RETRY, "wait for it"},
    {"a replica without its primary", "-MASTERDOWN Link with MASTER is down\r\n", BATON_E_RETRY, "must name the primary"},
    {"a replica", "-READONLY You can't write against a read only replica.\r\n", BATON_E_RETRY, "must name the primary"},
    {"a cluster that is down", "-CLUSTERDOWN The cluster is down\r\n", BATON_E_RETRY, "wait for the cluster"},
    {"a slot on its way", "-TRYAGAIN Multiple keys request during rehashing of slot\r\n", BATON_E_RETRY, "wait for the cluster"},
    {"out of memory", "-OOM command not allowed when used memory > 'maxmemory'.\r\n", BATON_E_RETRY, "raise its maxmemory"},
    {"too few replicas", "-NOREPLICAS Not enough good replicas to write.\r\n", BATON_E_RETRY, "min-replicas-to-write"},
    {"cannot save", "-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to\r\n", BATON_E_RETRY, "cannot save to its disk"},
    {"no login", "-NOAUTH Authentication required.\r\n", BATON_E_FATAL, "set redis.passwordFile"},
    {"a wrong login", "-WRONGPASS invalid username-password pair\r\n", BATON_E_FATAL, "check redis.username"},
    {"no permission", "-NOPERM this user has no permissions to run the 'hmget' command\r\n", BATON_E_FATAL, "on the keys of redis.prefix"},
    {"another program's keys", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n", BATON_E_FATAL, "a prefix of its own"},
    {"a cluster node that is another's", "-MOVED 3999 127.0.0.1:6381\r\n", BATON_E_FATAL, "MOVED 3999"},
    {"an unknown error", "-ERR unknown command\r\n", BATON_E_FATAL, "ERR unknown command"},
    {"Redis 6 wraps what a script meets", "-ERR Error running script (call to f_0a1b): @user_script:1: -OOM command not allowed when used memory\r\n",
     BATON_E_RETRY, "raise its maxmemory"},
    {"and wraps it with a blank", "-ERR Error running script (call to f_0a1b): @user_script: 4: READONLY You can't write\r\n", BATON_E_RETRY,
     "must name the primary"},
    {"an answer of another form", ":7\r\n", BATON_E_RETRY, "answered HMGET in an unexpected form"},
    {"too short an answer", "*1\r\n$-1\r\n", BATON_E_RETRY, "answered HMGET in an unexpected form"},
    {"no protocol at all", "HTTP/1.1 400 Bad Request\r\n", BATON_E_RETRY, "Protocol error"},
    {"a hang-up", "", BATON_E_RETRY, "Server closed the connection; connecting again"},
};

/* A child that gives every connection the same answer. */
static pid_t answer_with(const char *answer, int *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pid_t parent = getpid(), pid = 0;

    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0 && listen(fd, 4) == 0 &&
                getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    *ret_port = ntohs(address.sin_port);
    pid = fork();
    assert_true(pid >= 0);
    if (pid > 0) {
        (void)close(fd);
        return pid;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (getppid() == parent) {
        char asked[4096];
        int one = accept(fd, NULL, NULL);

        if (recv(one, asked, sizeof asked, 0) > 0)
            (void)send(one, answer, strlen(answer), MSG_NOSIGNAL);
        (void)shutdown(one, SHUT_WR);
        (void)close(one);
    }
    _exit(0);
}

static void check_row(void **state)
{
    const struct row *row = *state;
    char url[64];
    struct redis_options options = {.url = url, .prefix = TEST_PREFIX};
    struct redis_reader *reader = NULL;
    struct view_meta meta;
    struct baton_error err = {0};
    int port = 0;
    pid_t pid = answer_with(row->answer, &port);

    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d", port);
    assert_int_equal(redis_reader_open(&options, &reader, &err), BATON_OK);
    assert_string_equal(baton_err_name(redis_reader_meta(reader, 0, &meta, &err)), baton_err_name(row->code));
    if (strstr(err.text, row->words) == NULL || strstr(err.text, "redis at 127.0.0.1:") != err.text)
        fail_msg("\"%s\" does not say \"%s\"", err.text, row->words);
    redis_reader_close(reader);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

/* --- the real one in trouble --- */

static const char *const ids[] = {"a"};

static enum baton_err load_a(int64_t *ret_w, struct baton_error *err)
{
    struct view_text text;
    struct view_load load = {.ids = ids, .ids_len = 1, .ret_states = &text};
    enum baton_err rc = view.load(view.self, &load, 1, err);

    *ret_w = rc == BATON_OK ? load.ret_w : -9;
    return rc;
}

static enum baton_err apply_a(int64_t expected, bool *ret_refused, struct baton_error *err)
{
    struct view_item item = {.id = "a", .type = "order", .seq = expected + 1, .status = SAGA_RUNNING, .updated_ms = 7, .state = "{}", .state_len = 2};
    struct view_apply apply = {.expected = expected, .target = expected + 1, .items = &item, .items_len = 1};
    enum baton_err rc = view.apply(view.self, &apply, 1, err);

    *ret_refused = apply.ret_refused;
    return rc;
}

#define EXPECT(call, wanted, words) \
    do { \
        struct baton_error err = {0}; \
        enum baton_err rc = (call); \
        if (rc != (wanted) || strstr(err.text, (words)) == NULL) \
            fail_msg("%s: \"%s\"; wanted %s: \"%s\"", baton_err_name(rc), err.text, baton_err_name(wanted), (words)); \
    } while (0)

/* The next call that can succeed does: nobody opens the view again. */
static void expect_works(int64_t w)
{
    struct baton_error err = {0};
    int64_t got = 0;

    if (load_a(&got, &err) != BATON_OK)
        fail_msg("%s", err.text);
    assert_int_equal(got, w);
}

static void killed_and_restarted(void **state)
{
    bool refused = false;
    int64_t w = 0;

    (void)state;
    fresh(&server, &view, 0);
    EXPECT(apply_a(0, &refused, &err), BATON_OK, "");
    server_kill(&server);
    EXPECT(load_a(&w, &err), BATON_E_RETRY, "connecting again");
    EXPECT(load_a(&w, &err), BATON_E_RETRY, "Connection refused");
    EXPECT(apply_a(1, &refused, &err), BATON_E_RETRY, "Connection refused");
    server_start(&server, NULL);
    expect_works(VIEW_NO_W); /* it kept nothing, and says so */
}

static void forgotten_scripts(void **state)
{
    struct view_meta meta = {.w = 3, .epoch = "e"};
    bool refused = true;

    (void)state;
    fresh(&server, &view, 0);
    server_do(&server, "SCRIPT FLUSH");
    expect_works(0);
    server_do(&server, "SCRIPT FLUSH");
    EXPECT(apply_a(0, &refused, &err), BATON_OK, "");
    assert_false(refused);
    server_do(&server, "SCRIPT FLUSH");
    EXPECT(view.rebuild_begin(view.self, 0, "t", &err), BATON_E_RETRY, "NOSCRIPT"); /* the rebuild is begun anew by its caller */
    EXPECT(view.rebuild_begin(view.self, 0, "t", &err), BATON_OK, "");
    EXPECT(view.rebuild_end(view.self, 0, "t", &meta, &err), BATON_OK, "");
    expect_works(3);
}

/* Stopped, not dead: it accepts, and says nothing. */
static void stopped_by_a_signal(void **state)
{
    struct redis_options options = options_of(&server);
    struct baton_error error = {0};
    struct view patient = view;
    bool refused = false;
    int64_t w = 0;

    (void)state;
    fresh(&server, &patient, 0);
    options.command_timeout_ms = SHORT_MS;
    assert_int_equal(redis_view_open(&options, &view, &error), BATON_OK);
    expect_works(0);
    EXPECT(apply_a(0, &refused, &err), BATON_OK, "");
    (void)kill(server.pid, SIGSTOP);
    EXPECT(apply_a(1, &refused, &err), BATON_E_RETRY, "no answer within 200 ms; connecting again");
    EXPECT(load_a(&w, &err), BATON_E_RETRY, "no answer within 200 ms; connecting again"); /* while connecting */
    (void)kill(server.pid, SIGCONT);
    /* The apply that hung may have arrived or not: the view says which. */
    do
        EXPECT(load_a(&w, &err), BATON_OK, "");
    while (w != 2 && w != 1);
    EXPECT(apply_a(1, &refused, &err), BATON_OK, "");
    expect_works(2);
    view.close(view.self);
    view = patient;
}

static void full_memory(void **state)
{
    bool refused = false;

    (void)state;
    fresh(&server, &view, 0);
    server_do(&server, "CONFIG SET maxmemory 1");
    EXPECT(apply_a(0, &refused, &err), BATON_E_RETRY, "raise its maxmemory");
    server_do(&server, "CONFIG SET maxmemory 0");
    expect_works(0);
    EXPECT(apply_a(0, &refused, &err), BATON_OK, "");
}

static void made_a_replica(void **state)
{
    bool refused = false;

    (void)state;
    fresh(&server, &view, 0);
    server_do(&server, "REPLICAOF 127.0.0.1 1");
    EXPECT(apply_a(0, &refused, &err), BATON_E_RETRY, "must name the primary");
    server_do(&server, "REPLICAOF NO ONE");
    EXPECT(apply_a(0, &refused, &err), BATON_OK, "");
}

static bool last_save_failed(void)
{
    redisReply *info = server_ask(&server, "INFO persistence");
    bool failed = strstr(info->str, "rdb_last_bgsave_status:err") != NULL;

    freeReplyObject(info);
    return failed;
}

static void cannot_save(void **state)
{
    char path[96];
    struct timespec step = {.tv_nsec = 2 * 1000000};
    bool refused = false;

    (void)state;
    fresh(&server, &view, 0);
    (void)snprintf(path, sizeof path, "%s/a-directory", server.dir);
    assert_int_equal(mkdir(path, 0700), 0);
    server_do(&server, "CONFIG SET dbfilename a-directory");
    server_do(&server, "CONFIG SET save %s", "3600 1");
    server_do(&server, "BGSAVE");
    while (!last_save_failed())
        (void)nanosleep(&step, NULL);
    EXPECT(apply_a(0, &refused, &err), BATON_E_RETRY, "cannot save to its disk");
    server_do(&server, "CONFIG SET save %s", "");
    EXPECT(apply_a(0, &refused, &err), BATON_OK, "");
}

/* Another program's script that does not end, sent without waiting for it. */
static void busy_with_a_script(void **state)
{
    redisContext *context = redisConnect("127.0.0.1", server.port);
    struct timespec step = {.tv_nsec = 2 * 1000000};
    enum baton_err rc = BATON_OK;
    struct baton_error err = {0};
    int64_t w = 0;
    int done = 0;

    (void)state;
    fresh(&server, &view, 0);
    server_do(&server, "CONFIG SET lua-time-limit 20");
    assert_int_equal(redisAppendCommand(context, "EVAL %s 0", "while true do end"), REDIS_OK);
    while (done == 0)
        assert_int_equal(redisBufferWrite(context, &done), REDIS_OK);
    while ((rc = load_a(&w, &err)) == BATON_OK)
        (void)nanosleep(&step, NULL);
    assert_int_equal(rc, BATON_E_RETRY);
    assert_non_null(strstr(err.text, "SCRIPT KILL"));
    server_do(&server, "SCRIPT KILL");
    while (load_a(&w, &err) == BATON_E_RETRY && strstr(err.text, "SCRIPT KILL") != NULL)
        (void)nanosleep(&step, NULL);
    expect_works(0);
    redisFree(context);
}

static void loading_its_files(void **state)
{
    static const char *const slowly[] = {"--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024", NULL};
    char big[4096];
    int64_t w = 0;

    (void)state;
    fresh(&server, &view, 0);
    memset(big, 'x', sizeof big);
    server_do(&server, "CONFIG SET dbfilename dump.rdb");
    server_do(&server, "CONFIG SET rdbcompression no");
    for (int i = 0; i < 200; i++)
        server_do(&server, "SET filler:%d %b", i, big, sizeof big);
    server_do(&server, "SAVE");
    server_kill(&server);
    server_start(&server, slowly);
    EXPECT(load_a(&w, &err), BATON_E_RETRY, "connecting again"); /* the old connection */
    EXPECT(load_a(&w, &err), BATON_E_RETRY, "has read its files");
    server_kill(&server);
    server_start(&server, NULL);
    do {
        struct baton_error err = {0};

        if (load_a(&w, &err) != BATON_OK && strstr(err.text, "has read its files") == NULL)
            fail_msg("%s", err.text);
    } while (w == -9);
    assert_int_equal(w, 0); /* what it had saved */
}

static void a_key_of_another_type(void **state)
{
    bool refused = false;

    (void)state;
    fresh(&server, &view, 0);
    server_do(&server, "SET " TEST_PREFIX ":{0}:timers x");
    {
        struct view_timer timer;
        size_t n = 0;

        EXPECT(view.timers(view.self, 0, 9, &timer, 1, &n, &err), BATON_E_FATAL, "a prefix of its own");
    }
    server_do(&server, "DEL " TEST_PREFIX ":{0}:timers");
    EXPECT(apply_a(0, &refused, &err), BATON_OK, "");
}

static void no_permission(void **state)
{
    struct redis_options options = options_of(&server);
    struct baton_error error = {0};
    struct view whole = view;
    char url[96];
    bool refused = false;

    (void)state;
    fresh(&server, &whole, 0);
    server_do(&server, "ACL SETUSER narrow on >pw ~other:* +@all");
    (void)snprintf(url, sizeof url, "redis://narrow:pw@127.0.0.1:%d", server.port);
    options.url = url;
    assert_int_equal(redis_view_open(&options, &view, &error), BATON_OK);
    EXPECT(apply_a(0, &refused, &err), BATON_E_FATAL, "on the keys of redis.prefix");
    view.close(view.self);
    view = whole;
}

/* --- redis_check --- */

static void check_wants_noeviction(void **state)
{
    struct redis_options options = options_of(&server);
    char version[32];

    (void)state;
    EXPECT(redis_check(&options, version, &err), BATON_OK, "");
    assert_true(version[0] >= '6' && strchr(version, '.') != NULL);
    server_do(&server, "CONFIG SET maxmemory-policy allkeys-lru");
    EXPECT(redis_check(&options, version, &err), BATON_E_INVALID, "maxmemory-policy allkeys-lru: it may drop live sagas; run CONFIG SET maxmemory-policy noeviction");
    server_do(&server, "CONFIG SET maxmemory-policy volatile-ttl");
    EXPECT(redis_check(&options, version, &err), BATON_E_INVALID, "volatile-ttl");
    server_do(&server, "CONFIG SET maxmemory-policy noeviction");
    EXPECT(redis_check(&options, version, &err), BATON_OK, "");
    options.url = "redis://127.0.0.1:1";
    EXPECT(redis_check(&options, version, &err), BATON_E_RETRY, "Connection refused");
}

static void check_answer(const char *info, enum baton_err code, const char *words)
{
    char url[64], answer[256], version[32];
    struct redis_options options = {.url = url};
    int port = 0;
    pid_t pid = 0;

    (void)snprintf(answer, sizeof answer, "$%zu\r\n%s\r\n", strlen(info), info);
    pid = answer_with(answer, &port);
    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d", port);
    EXPECT(redis_check(&options, version, &err), code, words);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

static void check_knows_versions(void **state)
{
    (void)state;
    check_answer("redis_version:5.0.14\r\nmaxmemory_policy:noeviction\r\n", BATON_E_INVALID, "is version 5.0.14; Baton needs 6.0 or newer");
    check_answer("redis_version:6.0.16\r\nmaxmemory_policy:noeviction\r\n", BATON_OK, "");
    check_answer("redis_version:10.1.0\r\nmaxmemory_policy:noeviction\r\n", BATON_OK, "");
    check_answer("redis_version:7.2.4\r\nserver_name:valkey\r\n", BATON_OK, ""); /* a policy that is not told is not held against it */
}

static int start(void **state)
{
    struct redis_options options;
    struct baton_error err = {0};

    (void)state;
    server_start(&server, NULL);
    options = options_of(&server);
    return redis_view_open(&options, &view, &err) == BATON_OK ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    view.close(view.self);
    server_remove(&server);
    return 0;
}

int main(void)
{
    static const struct {
        const char *name;
        CMUnitTestFunction check;
    } cases[] = {
        {"killed and restarted: the next call connects", killed_and_restarted},
        {"forgotten scripts are loaded again", forgotten_scripts},
        {"stopped by a signal: every call ends in time", stopped_by_a_signal},
        {"full memory", full_memory},
        {"made a replica by a failover", made_a_replica},
        {"cannot save", cannot_save},
        {"busy with somebody's script", busy_with_a_script},
        {"loading its files", loading_its_files},
        {"a key of another type", a_key_of_another_type},
        {"no permission", no_permission},
        {"a policy that evicts is refused, with the fix", check_wants_noeviction},
        {"a version that is too old is refused", check_knows_versions},
    };
    struct CMUnitTest tests[COUNT(rows) + COUNT(cases)] = {0};
    size_t n = 0;

    for (size_t i = 0; i < COUNT(rows); i++)
        tests[n++] = (struct CMUnitTest){.name = rows[i].name, .test_func = check_row, .initial_state = (void *)(uintptr_t)&rows[i]};
    for (size_t i = 0; i < COUNT(cases); i++)
        tests[n++] = (struct CMUnitTest){.name = cases[i].name, .test_func = cases[i].check};
    return _cmocka_run_group_tests("outage", tests, n, start, stop);
}

/*
 * test_address.c -- the forms of redis.url, a row each, and what else logs in.
 */
#include "support.h"
#include "redis_internal.h"
#include <unistd.h>

static const struct row {
    const char *name;
    const char *url;
    const char *then; /* "host port db user password", "-" = none; or words of the refusal */
} rows[] = {
    {"a host alone", "redis://redis", "redis 6379 0 - -"},
    {"host and port", "redis://10.0.0.7:7000", "10.0.0.7 7000 0 - -"},
    {"a slash without a database", "redis://redis:7000/", "redis 7000 0 - -"},
    {"a database", "redis://redis/15", "redis 6379 15 - -"},
    {"the highest port", "redis://redis:65535", "redis 65535 0 - -"},
    {"a password alone", "redis://:secret@redis", "redis 6379 0 - secret"},
    {"user and password", "redis://baton:secret@redis:7000/3", "redis 7000 3 baton secret"},
    {"a password with a colon", "redis://baton:a:b@redis", "redis 6379 0 baton a:b"},
    {"a password with an @: the last one ends it", "redis://baton:a@b@redis", "redis 6379 0 baton a@b"},
    {"percent escapes in user and password", "redis://b%61ton:p%40%2f%3A%25%e2%82%ac@redis", "redis 6379 0 baton p@/:%\xe2\x82\xac"},
    {"an IPv6 address", "redis://[::1]", "::1 6379 0 - -"},
    {"an IPv6 address with port, database and login", "redis://baton:secret@[fe80::1%25eth0]:7000/2", "fe80::1%25eth0 7000 2 baton secret"},
    {"no url", NULL, "redis.url must be redis://"},
    {"an empty url", "", "redis.url must be redis://"},
    {"another scheme", "http://redis", "redis.url must be redis://"},
    {"TLS is refused with a way out", "rediss://redis", "rediss:// (TLS) is not supported by this version; use redis:// on a private network, or a TLS tunnel"},
    {"sentinel is refused", "redis+sentinel://a:26379/mymaster", "sentinel and cluster urls are not supported by this version"},
    {"cluster is refused", "redis+cluster://a:7000", "sentinel and cluster urls are not supported by this version"},
    {"several hosts are refused", "redis://a:7000,b:7000", "names several hosts: sentinel and cluster are not supported by this version"},
    {"parameters are refused", "redis://redis?db=1", "has no parameters"},
    {"a password with a bare slash cannot be told from a database", "redis://baton:a/b@redis", "the port is not a number"},
    {"no host", "redis://", "has no host"},
    {"no host before a port", "redis://:7000", "has no host"},
    {"no host after a login", "redis://:secret@", "has no host"},
    {"port 0", "redis://redis:0", "the port is not a number from 1 to 65535"},
    {"a port too high", "redis://redis:65536", "the port is not a number from 1 to 65535"},
    {"a port that would wrap", "redis://redis:4294967297", "the port is not a number from 1 to 65535"},
    {"a port with a sign", "redis://redis:+7000", "the port is not a number from 1 to 65535"},
    {"a colon without a port", "redis://redis:", "the port is not a number from 1 to 65535"},
    {"a database that is no number", "redis://redis/main", "is not a database number"},
    {"a database with more behind it", "redis://redis/1/2", "is not a database number"},
    {"IPv6 without its end", "redis://[::1", "has no \"]\""},
    {"an empty IPv6 address", "redis://[]:7000", "the IPv6 address is empty"},
    {"IPv6 with something behind it", "redis://[::1]7000", "expected \":port\" after the IPv6 address"},
    {"a broken escape", "redis://:a%4@redis", "broken %XX escape"},
    {"an escape that is no number", "redis://:a%zz@redis", "broken %XX escape"},
    {"a NUL cannot be in a password", "redis://:a%00b@redis", "broken %XX escape"},
    {"a user without a password", "redis://baton@redis", "user \"baton\" has no password; give redis.passwordFile"},
};

static void say_address(struct buffer *out, const struct redis_options *options)
{
    struct redis_address address;
    struct baton_error err = {0};
    enum baton_err rc = redis_address_read(options, &address, &err);

    if (rc == BATON_OK)
        say(out, "%s %d %d %s %s", address.host, address.port, address.db, address.user[0] != '\0' ? address.user : "-",
            address.password[0] != '\0' ? address.password : "-");
    else
        say(out, "%s: %s", baton_err_name(rc), err.text);
}

static void check_row(void **state)
{
    const struct row *row = *state;
    struct redis_options options = {.url = row->url};
    struct buffer out = {0};

    say_address(&out, &options);
    if (strncmp(buffer_cstr(&out), "INVALID: ", 9) != 0)
        assert_string_equal(buffer_cstr(&out), row->then);
    else if (strstr(buffer_cstr(&out), row->then) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", buffer_cstr(&out), row->then);
    buffer_free(&out);
}

/* --- what is not in the url --- */

static const struct file_row {
    const char *name;
    const char *content; /* of the password file; NULL = there is none */
    const char *then;
} file_rows[] = {
    {"a password file", "from-file", "redis 6379 0 baton from-file"},
    {"its newline is not of the password", "from-file\n", "redis 6379 0 baton from-file"},
    {"nor is a Windows one", "from-file\r\n", "redis 6379 0 baton from-file"},
    {"blanks are", " from file ", "redis 6379 0 baton  from file "},
    {"an empty file", "\n", "is empty"},
    {"a missing file", NULL, "No such file or directory"},
    {"a file that is too long", "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
                                "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
     "longer than 254 bytes"},
};

static void check_file_row(void **state)
{
    const struct file_row *row = *state;
    char path[] = "/tmp/baton-redis-password.XXXXXX";
    int fd = mkstemp(path);
    struct redis_options options = {.url = "redis://other:in-url@redis", .username = "baton", .password_file = path};
    struct buffer out = {0};

    assert_true(fd >= 0);
    if (row->content == NULL)
        assert_int_equal(unlink(path), 0);
    else
        assert_int_equal(write(fd, row->content, strlen(row->content)), (ssize_t)strlen(row->content));
    (void)close(fd);
    say_address(&out, &options);
    if (strncmp(buffer_cstr(&out), "INVALID: ", 9) != 0)
        assert_string_equal(buffer_cstr(&out), row->then);
    else if (strstr(buffer_cstr(&out), row->then) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", buffer_cstr(&out), row->then);
    (void)unlink(path);
    buffer_free(&out);
}

/* A bad url is said when the view is opened; a Redis that is away is not, then. */
static void open_checks_without_connecting(void **state)
{
    struct redis_options options = {.url = "redis://redis:x"};
    struct redis_reader *reader = NULL;
    struct view view = {0};
    struct baton_error err = {0};
    char version[32];

    (void)state;
    assert_int_equal(redis_view_open(&options, &view, &err), BATON_E_INVALID);
    assert_int_equal(redis_reader_open(&options, &reader, &err), BATON_E_INVALID);
    assert_int_equal(redis_check(&options, version, &err), BATON_E_INVALID);
    options.url = "redis://127.0.0.1:1";
    options.prefix = "a{b}";
    assert_int_equal(redis_view_open(&options, &view, &err), BATON_E_INVALID);
    assert_non_null(strstr(err.text, "redis.prefix"));
    options.prefix = "";
    assert_int_equal(redis_view_open(&options, &view, &err), BATON_E_INVALID);
    options.prefix = NULL;
    assert_int_equal(redis_view_open(&options, &view, &err), BATON_OK);
    view.close(view.self);
    view.close(NULL);
    redis_reader_close(NULL);
}

int main(void)
{
    struct CMUnitTest tests[COUNT(rows) + COUNT(file_rows) + 1] = {0};
    size_t n = 0;

    for (size_t i = 0; i < COUNT(rows); i++)
        tests[n++] = (struct CMUnitTest){.name = rows[i].name, .test_func = check_row, .initial_state = (void *)(uintptr_t)&rows[i]};
    for (size_t i = 0; i < COUNT(file_rows); i++)
        tests[n++] = (struct CMUnitTest){.name = file_rows[i].name, .test_func = check_file_row, .initial_state = (void *)(uintptr_t)&file_rows[i]};
    tests[n++] = (struct CMUnitTest){.name = "opening checks the options and connects later", .test_func = open_checks_without_connecting};
    return _cmocka_run_group_tests("address", tests, n, NULL, NULL);
}

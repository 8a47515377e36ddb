/*
 * address.c -- where Redis is and how to log in: url, user, password file.
 *
 * Owns:     the forms of redis.url.
 * Tests:    tests/redis/test_address.c
 */
#include "redis_internal.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define URL_FORM "redis://[user[:password]@]host[:port][/db]"

/* Copy len bytes with %XX decoded. False if it does not fit or an escape is broken. */
static bool decode(char *out, size_t cap, const char *text, size_t len)
{
    size_t at = 0;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c == '%') {
            char hex[3] = "";

            if (i + 2 >= len || !isxdigit((unsigned char)text[i + 1]) || !isxdigit((unsigned char)text[i + 2]))
                return false;
            hex[0] = text[i + 1];
            hex[1] = text[i + 2];
            c = (char)strtol(hex, NULL, 16);
            i += 2;
        }
        if (c == '\0' || at + 1 >= cap)
            return false;
        out[at++] = c;
    }
    out[at] = '\0';
    return true;
}

static bool small_number(const char *text, size_t len, int max, int *ret_value)
{
    int value = 0;

    if (len == 0 || len > 5)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (text[i] - '0');
    }
    if (value > max)
        return false;
    *ret_value = value;
    return true;
}

static enum baton_err read_password_file(const char *path, struct redis_address *address, struct baton_error *err)
{
    FILE *file = fopen(path, "re");
    size_t len = 0;

    if (file == NULL)
        return baton_fail(err, BATON_E_INVALID, "redis.passwordFile \"%s\": %s", path, strerror(errno));
    len = fread(address->password, 1, sizeof address->password - 1, file);
    (void)fclose(file);
    if (len == sizeof address->password - 1)
        return baton_fail(err, BATON_E_INVALID, "redis.passwordFile \"%s\": longer than %zu bytes", path,
                          sizeof address->password - 2);
    while (len > 0 && (address->password[len - 1] == '\n' || address->password[len - 1] == '\r'))
        len--;
    address->password[len] = '\0';
    if (len == 0)
        return baton_fail(err, BATON_E_INVALID, "redis.passwordFile \"%s\" is empty", path);
    return BATON_OK;
}

static enum baton_err read_host(const char *text, size_t len, struct redis_address *address, struct baton_error *err)
{
    const char *end = text + len, *colon = NULL;

    if (memchr(text, ',', len) != NULL)
        return baton_fail(err, BATON_E_INVALID, "redis.url names several hosts: sentinel and cluster are not supported by this version; "
                                                "name one Redis");
    if (memchr(text, '?', len) != NULL || memchr(text, '#', len) != NULL)
        return baton_fail(err, BATON_E_INVALID, "redis.url has no parameters; its form is " URL_FORM ", with %%XX for ? # / @ in a password");
    if (len > 0 && text[0] == '[') { /* an IPv6 literal */
        const char *close = memchr(text, ']', len);

        if (close == NULL || close == text + 1 || (size_t)(close - text) >= sizeof address->host)
            return baton_fail(err, BATON_E_INVALID, "redis.url: the IPv6 address is empty, or has no \"]\"");
        memcpy(address->host, text + 1, (size_t)(close - text) - 1);
        colon = close + 1 < end && close[1] == ':' ? close + 1 : NULL;
        if (colon == NULL && close + 1 != end)
            return baton_fail(err, BATON_E_INVALID, "redis.url: expected \":port\" after the IPv6 address");
    } else {
        size_t host_len = 0;

        colon = memchr(text, ':', len);
        host_len = colon == NULL ? len : (size_t)(colon - text);
        if (host_len == 0 || host_len >= sizeof address->host)
            return baton_fail(err, BATON_E_INVALID, "redis.url has no host; its form is " URL_FORM);
        memcpy(address->host, text, host_len);
    }
    if (colon != NULL && (!small_number(colon + 1, (size_t)(end - colon) - 1, 65535, &address->port) || address->port == 0))
        return baton_fail(err, BATON_E_INVALID, "redis.url: the port is not a number from 1 to 65535");
    return BATON_OK;
}

enum baton_err redis_address_read(const struct redis_options *options, struct redis_address *ret_address, struct baton_error *err)
{
    struct redis_address address = {.port = 6379};
    const char *url = options->url != NULL ? options->url : "", *at = NULL, *slash = NULL;
    size_t len = 0;
    enum baton_err rc = BATON_OK;

    if (strncmp(url, "rediss://", 9) == 0)
        return baton_fail(err, BATON_E_INVALID, "redis.url: rediss:// (TLS) is not supported by this version; use redis:// on a private network, "
                                                "or a TLS tunnel such as stunnel");
    if (strncmp(url, "redis://", 8) != 0)
        return baton_fail(err, BATON_E_INVALID, "redis.url must be " URL_FORM "; sentinel and cluster urls are not supported by this version");
    url += 8;
    slash = strchr(url, '/');
    len = slash == NULL ? strlen(url) : (size_t)(slash - url);
    for (size_t i = 0; i < len; i++) {
        if (url[i] == '@')
            at = url + i;
    }
    if (at != NULL) {
        const char *colon = memchr(url, ':', (size_t)(at - url));
        size_t user_len = colon == NULL ? (size_t)(at - url) : (size_t)(colon - url);

        if (!decode(address.user, sizeof address.user, url, user_len) ||
            (colon != NULL && !decode(address.password, sizeof address.password, colon + 1, (size_t)(at - colon) - 1)))
            return baton_fail(err, BATON_E_INVALID, "redis.url: user or password is too long, or has a broken %%XX escape");
        len -= (size_t)(at - url) + 1;
        url = at + 1;
    }
    rc = read_host(url, len, &address, err);
    if (rc != BATON_OK)
        return rc;
    if (slash != NULL && slash[1] != '\0' && !small_number(slash + 1, strlen(slash + 1), 99999, &address.db))
        return baton_fail(err, BATON_E_INVALID, "redis.url: the part after the last \"/\" is not a database number");
    if (options->username != NULL) {
        if (strlen(options->username) >= sizeof address.user)
            return baton_fail(err, BATON_E_INVALID, "redis.username is longer than %zu bytes", sizeof address.user - 1);
        (void)snprintf(address.user, sizeof address.user, "%s", options->username);
    }
    if (options->password_file != NULL) {
        rc = read_password_file(options->password_file, &address, err);
        if (rc != BATON_OK)
            return rc;
    }
    if (address.user[0] != '\0' && address.password[0] == '\0')
        return baton_fail(err, BATON_E_INVALID, "redis: user \"%s\" has no password; give redis.passwordFile", address.user);
    *ret_address = address;
    return BATON_OK;
}

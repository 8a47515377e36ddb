/*
 * instance.c -- a worker's stable name: workers on one host never share one, and a restarted one finds its own again.
 *
 * Why: the transactional ids hang on it. The same id is taken over at once after a crash; a random one would have to time out first.
 */
#include "cli.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOTS_MAX 256

enum baton_err instance_name(const char *given, char *ret_name, size_t size, struct baton_error *err)
{
    char host[128] = "", folder[256];
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    struct stat about;

    if (given != NULL) {
        if (strlen(given) == 0 || strlen(given) >= size || strspn(given, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") != strlen(given))
            return baton_fail(err, BATON_E_INVALID, "--instance \"%s\" must be 1 to %zu of A-Za-z0-9._-", given, size - 1);
        (void)snprintf(ret_name, size, "%s", given);
        return BATON_OK;
    }
    (void)gethostname(host, sizeof host - 1);
    if (runtime != NULL && runtime[0] == '/')
        (void)snprintf(folder, sizeof folder, "%.200s/baton", runtime);
    else
        (void)snprintf(folder, sizeof folder, "/tmp/baton-%u", (unsigned)getuid());
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return baton_fail(err, BATON_E_INVALID, "%s: %s; name the worker with --instance", folder, strerror(errno));
    if (lstat(folder, &about) != 0 || !S_ISDIR(about.st_mode) || about.st_uid != getuid() || (about.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return baton_fail(err, BATON_E_INVALID, "%s must be a directory that only its owner, this user, can write to; name the worker with "
                          "--instance", folder);
    for (int slot = 0; slot < SLOTS_MAX; slot++) {
        char path[300];
        int fd = -1;

        (void)snprintf(path, sizeof path, "%s/slot-%d.lock", folder, slot);
        fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return baton_fail(err, BATON_E_INVALID, "%s: %s; name the worker with --instance", path, strerror(errno));
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) { /* held until the process ends */
            (void)snprintf(ret_name, size, "%s-%d", host[0] != '\0' ? host : "worker", slot);
            return BATON_OK;
        }
        (void)close(fd);
    }
    return baton_fail(err, BATON_E_INVALID, "%d workers run on this host already; name this one with --instance", SLOTS_MAX);
}

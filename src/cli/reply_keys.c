/*
 * reply_keys.c -- the file that security.replyKeyFile names: read once at the worker's start.
 *
 * Owns:     what is checked of the file. Its form is wire_signer_new's.
 * Never:    prints what is in it.
 * Tests:    tests/integration/test_signatures.py
 */
#include "cli.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_BYTES_MAX 16384

enum baton_err reply_keys_read(struct cli *cli, char **ret_keys, size_t *ret_len, struct baton_error *err)
{
    const char *path = config_reply_key_file(cli->config);
    struct wire_signer *signer = NULL;
    struct baton_error why = {0};
    struct stat status;
    char *keys = NULL;
    size_t len = 0;
    enum baton_err rc = BATON_OK;

    if (path == NULL)
        return BATON_OK;
    rc = file_read(path, FILE_BYTES_MAX, &keys, &len, &why);
    if (rc != BATON_OK)
        return baton_fail(err, rc, "security.replyKeyFile: %s", why.text);
    rc = wire_signer_new(keys, len, &signer, &why);
    if (rc != BATON_OK) {
        reply_keys_free(keys, len);
        return baton_fail(err, rc, "security.replyKeyFile: %s: %s", path, why.text);
    }
    wire_signer_free(signer);
    if (stat(path, &status) == 0 && (status.st_mode & (S_IWGRP | S_IRWXO)) != 0)
        log_line(&cli->logger, LOG_LEVEL_WARN, "security.replyKeyFile: %s has mode %04o: others could read or change the keys; chmod 600 it",
                 path, (unsigned)status.st_mode & 07777U);
    *ret_keys = keys;
    *ret_len = len;
    return BATON_OK;
}

void reply_keys_free(char *keys, size_t len)
{
    if (keys != NULL)
        explicit_bzero(keys, len);
    free(keys);
}

/*
 * signer.c -- reply keys: the tag of a message id, and whether an echoed id carries the right one.
 *
 * Owns:     the form of a key file and of a tag (docs/protocol.md, "Signed ids").
 * May use:  libcrypto.
 * Never:    says in an error what a key is, or spends time that depends on how much of a tag is right.
 * Tests:    tests/wire/test_signer.c
 */
#include "ids.h"
#include "text.h"
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#define TAG_BYTES (WIRE_TAG_LEN / 2)
#define SUM_BYTES 32        /* SHA-256 */
#define UNSIGNED "unsigned" /* the line that stands for "no tag"; too short to be a key */

struct wire_signer {
    EVP_MAC_CTX *keys[WIRE_REPLY_KEYS_MAX]; /* in the file's order, each holding its key; NULL = the line "unsigned" */
    size_t len;
};

static enum baton_err add_key(struct wire_signer *signer, EVP_MAC *hmac, const char *key, size_t len, int line,
                              struct baton_error *err)
{
    OSSL_PARAM sha256[] = {OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0), OSSL_PARAM_END};
    EVP_MAC_CTX *context = NULL;

    if (signer->len == WIRE_REPLY_KEYS_MAX)
        return baton_fail(err, BATON_E_INVALID, "line %d: at most %d keys are taken", line, WIRE_REPLY_KEYS_MAX);
    if (len == strlen(UNSIGNED) && memcmp(key, UNSIGNED, len) == 0) {
        signer->keys[signer->len++] = NULL;
        return BATON_OK;
    }
    for (size_t i = 0; i < len; i++) {
        if (key[i] <= ' ' || key[i] > '~')
            return baton_fail(err, BATON_E_INVALID, "line %d: a key is visible ASCII without blanks, such as `openssl rand -hex 32` makes",
                              line);
    }
    if (len < WIRE_REPLY_KEY_MIN)
        return baton_fail(err, BATON_E_INVALID, "line %d: a key of %zu characters, the least is %d; make one with `openssl rand -hex 32`",
                          line, len, WIRE_REPLY_KEY_MIN);
    context = EVP_MAC_CTX_new(hmac);
    if (context == NULL || EVP_MAC_init(context, (const unsigned char *)key, len, sha256) != 1) {
        EVP_MAC_CTX_free(context);
        return baton_fail(err, BATON_E_NOMEM, "reply keys: out of memory");
    }
    signer->keys[signer->len++] = context;
    return BATON_OK;
}

enum baton_err wire_signer_new(const char *keys, size_t len, struct wire_signer **ret_signer, struct baton_error *err)
{
    struct wire_signer *signer = calloc(1, sizeof *signer);
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    const char *end = keys + len;
    enum baton_err rc = BATON_OK;

    if (signer == NULL || hmac == NULL) {
        rc = baton_fail(err, BATON_E_NOMEM, "reply keys: out of memory");
        goto out;
    }
    for (int line = 1; keys < end && rc == BATON_OK; line++) {
        const char *newline = memchr(keys, '\n', (size_t)(end - keys));
        size_t line_len = (size_t)((newline == NULL ? end : newline) - keys);

        if (line_len > 0 && keys[line_len - 1] == '\r')
            line_len--;
        if (line_len > 0)
            rc = add_key(signer, hmac, keys, line_len, line, err);
        keys = newline == NULL ? end : newline + 1;
    }
    if (rc == BATON_OK && signer->len == 0)
        rc = baton_fail(err, BATON_E_INVALID, "no key in it; make one with `openssl rand -hex 32`");
    if (rc == BATON_OK) {
        *ret_signer = signer;
        signer = NULL;
    }
out:
    EVP_MAC_free(hmac);
    wire_signer_free(signer);
    return rc;
}

void wire_signer_free(struct wire_signer *signer)
{
    if (signer == NULL)
        return;
    for (size_t i = 0; i < signer->len; i++)
        EVP_MAC_CTX_free(signer->keys[i]); /* cleanses the key */
    free(signer);
}

/* The tag of id under a key, as text. */
static bool tag_of(EVP_MAC_CTX *key, const char *id, size_t len, char ret_tag[WIRE_TAG_LEN])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char sum[SUM_BYTES];
    size_t sum_len = 0;

    /* Without a key: again with the one it has. */
    if (EVP_MAC_init(key, NULL, 0, NULL) != 1 || EVP_MAC_update(key, (const unsigned char *)id, len) != 1 ||
        EVP_MAC_final(key, sum, &sum_len, sizeof sum) != 1 || sum_len != sizeof sum)
        return false;
    for (size_t i = 0; i < TAG_BYTES; i++) {
        ret_tag[2 * i] = digits[sum[i] >> 4];
        ret_tag[2 * i + 1] = digits[sum[i] & 15];
    }
    return true;
}

size_t wire_signer_sign(struct wire_signer *signer, char id[WIRE_MESSAGE_ID_MAX], size_t len)
{
    if (signer == NULL || signer->keys[0] == NULL)
        return len;
    if (len + 1 + WIRE_TAG_LEN >= WIRE_MESSAGE_ID_MAX || !tag_of(signer->keys[0], id, len, id + len + 1))
        return 0;
    id[len] = '/';
    len += 1 + WIRE_TAG_LEN;
    id[len] = '\0';
    return len;
}

bool wire_signer_believes(struct wire_signer *signer, const char *id, size_t len)
{
    bool tagged = wire_message_id_tagged(id, len), believed = false;
    size_t plain_len = tagged ? len - 1 - WIRE_TAG_LEN : len;

    if (signer == NULL)
        return true;
    for (size_t i = 0; i < signer->len; i++) {
        char tag[WIRE_TAG_LEN];

        if (signer->keys[i] == NULL)
            believed = believed || !tagged;
        else if (tagged && tag_of(signer->keys[i], id, plain_len, tag))
            believed = CRYPTO_memcmp(tag, id + plain_len + 1, WIRE_TAG_LEN) == 0 || believed;
    }
    return believed;
}

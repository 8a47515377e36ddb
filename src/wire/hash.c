/*
 * hash.c -- the content hash of a definition.
 *
 * Owns:     the canonical text: keys sorted by their bytes, compact, numbers as json_write writes them. Two documents
 * that differ only in spacing or order of members are the same definition. May use:  libcrypto. Tests:
 * tests/wire/test_text.c
 */
#include "text.h"
#include <baton/wire.h>
#include <openssl/evp.h>
#include <stdlib.h>

static void canonical(struct buffer *out, const json_t *value);

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void canonical_object(struct buffer *out, const json_t *object)
{
    size_t count = json_object_size(object);
    const char **keys = calloc(count + 1, sizeof *keys);
    size_t n = 0;

    if (keys == NULL) {
        out->failed = true;
        return;
    }
    /* The iterator does not change the object; jansson's signature lacks the const. */
    for (void *it = json_object_iter((json_t *)object); it != NULL && n < count;
         it = json_object_iter_next((json_t *)object, it))
        keys[n++] = json_object_iter_key(it);
    qsort(keys, n, sizeof *keys, compare_keys);
    buffer_char(out, '{');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buffer_char(out, ',');
        text_string(out, keys[i]);
        buffer_char(out, ':');
        canonical(out, json_object_get(object, keys[i]));
    }
    buffer_char(out, '}');
    free(keys);
}

/* As deep as the document, which json_parse has bounded. */
static void canonical(struct buffer *out, const json_t *value)
{
    size_t i;
    const json_t *item;

    if (json_is_object(value)) {
        canonical_object(out, value);
    } else if (json_is_array(value)) {
        buffer_char(out, '[');
        json_array_foreach((json_t *)value, i, item)
        {
            if (i > 0)
                buffer_char(out, ',');
            canonical(out, item);
        }
        buffer_char(out, ']');
    } else {
        json_write(out, value);
    }
}

enum baton_err wire_definition_hash(const json_t *doc, char ret_hash[65], struct baton_error *err)
{
    static const char digits[] = "0123456789abcdef";
    struct buffer text = {0};
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned sum_len = 0;
    enum baton_err rc = BATON_OK;

    canonical(&text, doc);
    if (text.failed || EVP_Digest(text.data, text.len, sum, &sum_len, EVP_sha256(), NULL) != 1 || sum_len != 32) {
        rc = baton_fail(err, BATON_E_NOMEM, "hash of a definition: out of memory");
        goto out;
    }
    for (unsigned i = 0; i < 32; i++) {
        ret_hash[2 * i] = digits[sum[i] >> 4];
        ret_hash[2 * i + 1] = digits[sum[i] & 15];
    }
    ret_hash[64] = '\0';
out:
    buffer_free(&text);
    return rc;
}

/*
 * mask.c -- sensitive places of a payload, and what stood there, out of other payloads.
 *
 * Tests:    tests/core/test_mask.c
 */
#include <baton/json.h>
#include <baton/mask.h>
#include <stdlib.h>
#include <string.h>

struct mask {
    json_t *secrets; /* an object: its keys are the secrets' JSON texts */
    json_t *inside;  /* an array: those looked for inside texts, as they would stand there */
    bool failed;
};

bool pointer_valid(const char *text)
{
    if (text[0] != '\0' && text[0] != '/')
        return false;
    for (; *text != '\0'; text++) {
        if (*text == '~' && text[1] != '0' && text[1] != '1')
            return false;
    }
    return true;
}

struct mask *mask_new(void)
{
    struct mask *mask = calloc(1, sizeof *mask);

    if (mask == NULL)
        return NULL;
    mask->secrets = json_object();
    mask->inside = json_array();
    if (mask->secrets != NULL && mask->inside != NULL)
        return mask;
    mask_free(mask);
    return NULL;
}

void mask_free(struct mask *mask)
{
    if (mask == NULL)
        return;
    json_decref(mask->secrets);
    json_decref(mask->inside);
    free(mask);
}

bool mask_empty(const struct mask *mask)
{
    return json_object_size(mask->secrets) == 0;
}

/* --- places --- */

/* Does the pointer's first token name this member? *ret_rest: what follows it. */
static bool token_is(const char *pointer, const char *name, const char **ret_rest)
{
    const char *at = pointer + 1;

    if (at[0] == '*' && (at[1] == '/' || at[1] == '\0')) {
        *ret_rest = at + 1;
        return true;
    }
    for (; *at != '\0' && *at != '/'; at++, name++) {
        char c = *at;

        if (c == '~')
            c = *++at == '1' ? '/' : '~';
        if (c != *name)
            return false;
    }
    *ret_rest = at;
    return *name == '\0';
}

static void index_text(char out[24], size_t index)
{
    char digits[24];
    size_t n = 0;

    do
        digits[n++] = (char)('0' + index % 10);
    while ((index /= 10) > 0);
    for (size_t i = 0; i < n; i++)
        out[i] = digits[n - 1 - i];
    out[n] = '\0';
}

/* --- secrets --- */

/* As it would stand in a text: a text itself, a number's digits. */
static void plain_text(struct buffer *out, const json_t *scalar)
{
    if (json_is_string(scalar))
        buffer_append(out, json_string_value(scalar), json_string_length(scalar));
    else
        json_write(out, scalar);
}

static bool is_scalar(const json_t *value)
{
    return json_is_number(value) || (json_is_string(value) && json_string_length(value) > 0);
}

static void learn_scalar(struct mask *mask, const json_t *scalar)
{
    struct buffer key = {0}, text = {0};

    json_write(&key, scalar);
    plain_text(&text, scalar);
    if (buffer_cstr(&key) == NULL || text.failed) {
        mask->failed = true;
    } else if (json_object_get(mask->secrets, key.data) == NULL) {
        mask->failed = json_object_set_new(mask->secrets, key.data, json_true()) != 0 || mask->failed;
        if (text.len >= MASK_INSIDE_MIN && json_array_size(mask->inside) <= MASK_SECRETS_MAX)
            mask->failed = json_array_append_new(mask->inside, json_stringn(text.data, text.len)) != 0 || mask->failed;
    }
    buffer_free(&key);
    buffer_free(&text);
}

static void learn_all(struct mask *mask, const json_t *value)
{
    json_t *item = NULL;
    size_t i = 0;

    if (is_scalar(value))
        learn_scalar(mask, value);
    json_array_foreach(value, i, item)
        learn_all(mask, item);
    for (void *at = json_object_iter((json_t *)(uintptr_t)value); at != NULL; at = json_object_iter_next((json_t *)(uintptr_t)value, at))
        learn_all(mask, json_object_iter_value(at));
}

static void learn_at(struct mask *mask, const char *pointer, const json_t *value)
{
    const char *rest = NULL;
    char name[24];
    json_t *item = NULL;
    size_t i = 0;

    if (pointer[0] == '\0') {
        learn_all(mask, value);
        return;
    }
    json_array_foreach(value, i, item) {
        index_text(name, i);
        if (token_is(pointer, name, &rest))
            learn_at(mask, rest, item);
    }
    for (void *at = json_object_iter((json_t *)(uintptr_t)value); at != NULL; at = json_object_iter_next((json_t *)(uintptr_t)value, at)) {
        if (token_is(pointer, json_object_iter_key(at), &rest))
            learn_at(mask, rest, json_object_iter_value(at));
    }
}

void mask_learn(struct mask *mask, char *const *places, const json_t *value)
{
    for (size_t i = 0; places != NULL && places[i] != NULL; i++)
        learn_at(mask, places[i], value);
}

/* --- masking --- */

static bool is_secret(const struct mask *mask, const json_t *scalar)
{
    struct buffer key = {0};
    bool secret = true; /* rather than to tell it when memory ran out */

    json_write(&key, scalar);
    if (buffer_cstr(&key) != NULL)
        secret = json_object_get(mask->secrets, key.data) != NULL;
    buffer_free(&key);
    return secret;
}

/* The longest secret that stands here. */
static size_t secret_at(const struct mask *mask, const char *text)
{
    const json_t *secret = NULL;
    size_t i = 0, longest = 0;

    json_array_foreach(mask->inside, i, secret) {
        size_t len = json_string_length(secret);

        if (len > longest && strncmp(text, json_string_value(secret), len) == 0)
            longest = len;
    }
    return longest;
}

static json_t *mask_string(const struct mask *mask, const json_t *value)
{
    struct buffer out = {0};
    json_t *masked = NULL;
    const char *text = json_string_value(value);

    if (is_secret(mask, value) || json_array_size(mask->inside) > MASK_SECRETS_MAX)
        return json_string(MASK_TEXT);
    for (size_t len = 0; *text != '\0'; text += len) {
        len = secret_at(mask, text);
        if (len > 0)
            buffer_text(&out, MASK_TEXT);
        else
            buffer_append(&out, text, len = 1);
    }
    if (!out.failed)
        masked = json_stringn(out.data == NULL ? "" : out.data, out.len);
    buffer_free(&out);
    return masked;
}

/* The pointers that go on into one member or element, and whether one ends there. */
struct inner {
    const char **rests;
    size_t len;
    bool ends;
};

static bool enter(const char *const *pointers, size_t len, const char *name, struct inner *ret_inner)
{
    *ret_inner = (struct inner){.rests = len == 0 ? NULL : calloc(len, sizeof(char *))};
    if (len > 0 && ret_inner->rests == NULL)
        return false;
    for (size_t i = 0; i < len; i++) {
        const char *rest = NULL;

        if (!token_is(pointers[i], name, &rest))
            continue;
        ret_inner->ends = ret_inner->ends || rest[0] == '\0';
        ret_inner->rests[ret_inner->len++] = rest;
    }
    return true;
}

static json_t *mask_inside(const struct mask *mask, const char *const *pointers, size_t len, const json_t *value);

static json_t *mask_member(const struct mask *mask, const char *const *pointers, size_t len, const char *name, const json_t *value)
{
    struct inner inner;
    json_t *masked = NULL;

    if (!enter(pointers, len, name, &inner))
        return NULL;
    masked = inner.ends ? json_string(MASK_TEXT) : mask_inside(mask, inner.rests, inner.len, value);
    free(inner.rests);
    return masked;
}

static json_t *mask_inside(const struct mask *mask, const char *const *pointers, size_t len, const json_t *value)
{
    json_t *out = NULL, *item = NULL;
    char name[24];
    size_t i = 0;

    if (json_is_string(value))
        return mask_string(mask, value);
    if (json_is_number(value))
        return is_secret(mask, value) ? json_string(MASK_TEXT) : json_copy((json_t *)(uintptr_t)value);
    if (!json_is_array(value) && !json_is_object(value))
        return json_copy((json_t *)(uintptr_t)value);
    out = json_is_array(value) ? json_array() : json_object();
    json_array_foreach(value, i, item) {
        index_text(name, i);
        if (json_array_append_new(out, mask_member(mask, pointers, len, name, item)) != 0)
            goto failed;
    }
    for (void *at = json_object_iter((json_t *)(uintptr_t)value); at != NULL; at = json_object_iter_next((json_t *)(uintptr_t)value, at)) {
        const char *key = json_object_iter_key(at);

        if (json_object_set_new(out, key, mask_member(mask, pointers, len, key, json_object_iter_value(at))) != 0)
            goto failed;
    }
    return out;
failed:
    json_decref(out);
    return NULL;
}

json_t *mask_apply(const struct mask *mask, char *const *places, const json_t *value)
{
    size_t len = 0;

    if (mask->failed)
        return json_string(MASK_TEXT);
    for (; places != NULL && places[len] != NULL; len++) {
        if (places[len][0] == '\0')
            return json_string(MASK_TEXT);
    }
    return mask_inside(mask, (const char *const *)(uintptr_t)places, len, value);
}

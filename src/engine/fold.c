/*
 * fold.c -- journal steps over states, without running the rules.
 *
 * Owns:     what catch-up and rebuild make of a record: the whole state, or a patch of the one before.
 * Tests:    tests/engine/test_fold.c
 */
#include "fold.h"
#include <stdlib.h>

static const struct json_limits state_limits = {64 * 1024 * 1024, 2 * JSON_DEPTH_MAX, SIZE_MAX};

struct folded *fold_find(struct fold *fold, const char *id)
{
    struct folded *folded = NULL;

    HASH_FIND_STR(fold->all, id, folded);
    return folded;
}

struct folded *fold_add(struct fold *fold, const char *id)
{
    struct folded *folded = fold_find(fold, id);

    if (folded != NULL || strlen(id) > SAGA_ID_MAX)
        return folded;
    folded = calloc(1, sizeof *folded);
    if (folded == NULL)
        return NULL;
    (void)strcpy(folded->id, id);
    HASH_ADD_STR(fold->all, id, folded);
    return folded;
}

static void drop_text(struct fold *fold, struct folded *folded)
{
    fold->bytes -= folded->text_len;
    free(folded->text);
    folded->text = NULL;
    folded->text_len = 0;
}

bool folded_set(struct fold *fold, struct folded *folded, const char *text, size_t len, int64_t as_of)
{
    char *copy = NULL;

    if (text != NULL) {
        copy = malloc(len + 1);
        if (copy == NULL)
            return false;
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    drop_text(fold, folded);
    json_decref(folded->doc);
    folded->doc = NULL;
    folded->text = copy;
    folded->text_len = copy == NULL ? 0 : len;
    folded->as_of = as_of;
    fold->bytes += folded->text_len;
    return true;
}

static enum baton_err parsed(struct folded *folded, struct baton_error *err)
{
    if (folded->doc != NULL || folded->text == NULL)
        return BATON_OK;
    return json_parse(folded->text, folded->text_len, &state_limits, &folded->doc, err);
}

enum baton_err folded_step(struct fold *fold, struct folded *folded, const struct journal_step *step, int64_t record_seq,
                           struct baton_error *err)
{
    enum baton_err rc = BATON_OK;

    if (record_seq <= folded->as_of)
        return BATON_OK;
    if (step->purge) {
        (void)folded_set(fold, folded, NULL, 0, folded->as_of);
        return BATON_OK;
    }
    if (step->state != NULL) {
        json_t *copy = json_deep_copy(step->state);

        if (copy == NULL)
            return baton_fail(err, BATON_E_NOMEM, "out of memory for saga %s", folded->id);
        drop_text(fold, folded);
        json_decref(folded->doc);
        folded->doc = copy;
        return BATON_OK;
    }
    if (step->patch == NULL)
        return BATON_OK;
    rc = parsed(folded, err);
    if (rc != BATON_OK)
        return rc;
    if (folded->doc == NULL)
        return baton_fail(err, BATON_E_INVALID, "the journal changes saga %s, of which no state is known", folded->id);
    drop_text(fold, folded);
    return wire_patch_apply(folded->doc, step->patch, err);
}

bool folded_settle(struct fold *fold, struct folded *folded)
{
    struct buffer text = {0};

    if (folded->doc == NULL)
        return true;
    drop_text(fold, folded);
    json_write(&text, folded->doc);
    if (buffer_cstr(&text) == NULL) {
        buffer_free(&text);
        return false;
    }
    folded->text = text.data;
    folded->text_len = text.len;
    fold->bytes += text.len;
    json_decref(folded->doc);
    folded->doc = NULL;
    return true;
}

enum baton_err folded_item(struct fold *fold, struct folded *folded, struct view_item *ret_item, struct baton_error *err)
{
    struct wire_summary summary;
    enum baton_err rc = BATON_OK;

    *ret_item = (struct view_item){.id = folded->id, .type = ""};
    if (folded->doc == NULL && folded->text != NULL && wire_state_head_read(folded->text, folded->text_len, &folded->head)) {
        ret_item->type = folded->head.type;
        ret_item->version = folded->head.version;
        ret_item->seq = folded->head.seq;
        ret_item->status = folded->head.status;
        ret_item->due_ms = folded->head.due_ms;
        ret_item->updated_ms = folded->head.updated_ms;
        ret_item->state = folded->text;
        ret_item->state_len = folded->text_len;
        return BATON_OK;
    }
    rc = parsed(folded, err);
    if (rc != BATON_OK || folded->doc == NULL)
        return rc;
    if (folded->text == NULL) {
        struct buffer text = {0};

        json_write(&text, folded->doc);
        if (buffer_cstr(&text) == NULL) {
            buffer_free(&text);
            return baton_fail(err, BATON_E_NOMEM, "out of memory for saga %s", folded->id);
        }
        folded->text = text.data;
        folded->text_len = text.len;
        fold->bytes += text.len;
    }
    if (!wire_state_summary(folded->doc, &summary))
        return baton_fail(err, BATON_E_INVALID, "saga %s: its state is not a state document", folded->id);
    ret_item->type = summary.type;
    ret_item->version = summary.version;
    ret_item->seq = summary.seq;
    ret_item->status = summary.status;
    ret_item->due_ms = summary.due_ms;
    ret_item->updated_ms = summary.updated_ms;
    ret_item->state = folded->text;
    ret_item->state_len = folded->text_len;
    return BATON_OK;
}

void fold_clear(struct fold *fold)
{
    struct folded *folded = NULL, *next = NULL;

    HASH_ITER(hh, fold->all, folded, next) {
        HASH_DEL(fold->all, folded);
        json_decref(folded->doc);
        free(folded->text);
        free(folded);
    }
    fold->bytes = 0;
}

/*
 * fold.h -- states of a few sagas while journal steps are folded over them.
 */
#ifndef BATON_FOLD_H
#define BATON_FOLD_H

#include "engine_internal.h"

struct folded {
    char id[SAGA_ID_MAX + 1];
    char *text;     /* the state; NULL = no such saga; stale while doc is set */
    size_t text_len;
    json_t *doc;    /* the state under the fold; NULL = see text */
    struct wire_state_head head; /* of text, for the view's item */
    int64_t as_of;  /* partition seq up to which it is right: steps of records at or below change nothing */
    UT_hash_handle hh;
};

struct fold {
    struct folded *all;
    size_t bytes;
};

struct folded *fold_find(struct fold *fold, const char *id);
struct folded *fold_add(struct fold *fold, const char *id); /* finds or inserts; NULL if memory ran out */
bool folded_set(struct fold *fold, struct folded *folded, const char *text, size_t len, int64_t as_of); /* text NULL = no saga */
/** Fold one step of the record with partition seq record_seq. */
enum baton_err folded_step(struct fold *fold, struct folded *folded, const struct journal_step *step, int64_t record_seq,
                           struct baton_error *err);
/** Turn doc back to text (documents take ten times the memory). */
bool folded_settle(struct fold *fold, struct folded *folded);
/** The view's item of it; strings stay valid until it changes. Parses the text if there is no doc. */
enum baton_err folded_item(struct fold *fold, struct folded *folded, struct view_item *ret_item, struct baton_error *err);
void fold_clear(struct fold *fold);

#endif

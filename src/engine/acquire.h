/*
 * acquire.h -- what the files that take over a partition know of each other: acquire.c decides what has to be done, journal_tail.c reads
 * the journal's records, catch_up.c and rebuild.c bring the view to S.
 */
#ifndef BATON_ENGINE_ACQUIRE_H
#define BATON_ENGINE_ACQUIRE_H

#include "fold.h"

#define ACQUIRE_READ_WAIT_MS 200
#define CHUNK_SAGAS 1000 /* sagas of one catch-up apply, one rebuild call */

/* What is known of p while it is being acquired. */
struct taking {
    struct engine *engine;
    struct part *part;
    struct bus_committed committed;
    struct view_meta meta;
    int64_t low, high;   /* of the journal */
    int64_t seq;         /* S; -1 = the journal's last */
    int64_t checkpoint;  /* c */
    int64_t last_seq, last_offset; /* the last whole record seen */
    int64_t checkpoint_offset;     /* of that record */
    bool began_beyond; /* the last reading met a record after S and none before it */
    bool has_vector;
    int64_t vector[BUS_INPUTS_MAX]; /* of that record; -1 = it does not name the input */
};

typedef enum baton_err (*record_visitor)(struct taking *taking, struct journal_record *record, int64_t offset, size_t bytes,
                                         void *context, struct baton_error *err);

/* journal_tail.c */
/** Read records from `from` until S has been read whole, or, if S is not known or lies before `from`, to the end. BATON_E_RETRY: S is not
 * to be seen yet. BATON_E_STALE: the journal ends before S, or begins after it. */
enum baton_err taking_read_journal(struct taking *taking, int64_t from, record_visitor visit, void *context, struct baton_error *err);
/** Find record S near the journal's end, without reading it all: its vector, its checkpoint. */
enum baton_err taking_find_last(struct taking *taking, struct baton_error *err);
/** A record_visitor without context: the sagas changed after c are dirty, their records marked. */
enum baton_err taking_visit_dirty(struct taking *taking, struct journal_record *record, int64_t offset, size_t bytes, void *context,
                                  struct baton_error *err);

/* catch_up.c */
/** Records after w over the view, until it shows S. */
enum baton_err taking_catch_up(struct taking *taking, struct baton_error *err);

/* rebuild.c */
/** The view made anew from the state topic and the journal after c. */
enum baton_err taking_rebuild(struct taking *taking, struct baton_error *err);

#endif

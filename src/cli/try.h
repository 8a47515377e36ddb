/*
 * try.h -- one saga through the pure core, in simulated time, against answers that a file gives or that are drawn.
 */
#ifndef BATON_CLI_TRY_H
#define BATON_CLI_TRY_H

#include "cli.h"
#include <baton/saga.h>

#define TRY_EVENTS_MAX 10000 /* of one run: unlimited attempts that never succeed end there */

/* What comes of one command. */
struct try_answer {
    bool silent;                       /* nothing */
    enum reply_header_outcome outcome; /* REPLY_UNSAID: the body tells */
    int64_t after_ms;                  /* since the command, or the `pending` before it */
    int64_t retry_after_ms;            /* 0 = none */
    json_t *body;                      /* borrowed from the replies; NULL = empty */
    json_t *headers;                   /* likewise; an object of texts, or NULL */
};

/* try_replies.c */
struct replies;
/**
 * @path        The file; NULL = none: every command succeeds with body null.
 * @definition  Borrowed until replies_free: the names of the file are its.
 * @ret_file    Out: to be shown, and freed after the replies; NULL without a file or if memory ran out.
 * NULL if the file is wrong (the findings are in *ret_file) or memory ran out.
 */
struct replies *replies_read(const char *path, const struct definition *definition, struct checked **ret_file);
/** From now on a command that the file says nothing of is answered at random. */
void replies_randomize(struct replies *replies, uint64_t seed);
/** The next answer to this step in this direction: of the list that names its iteration, if that has one left, else of the step's. */
struct try_answer replies_next(struct replies *replies, struct saga_place place, enum saga_action action);
/* Of a cached value: a success is what is kept, `after` its age; anything else is a miss, and so is what the file says nothing of. */
/** Warn, in the file's findings, of every answer that was never asked for. */
void replies_tell_unused(const struct replies *replies, struct checked *file);
void replies_free(struct replies *replies); /* NULL is fine */

/* try_run.c */
struct try_run {
    const struct definition *definition;
    const char *id;
    json_t *input;
    struct replies *replies;
};
/**
 * Run it to its end. The report is {"id","definition","version","status","afterMs","output","error","parked","steps","timeline":[row...]}
 * (docs/commands.md has the rows). BATON_E_FATAL: not at its end after TRY_EVENTS_MAX events; the report says how far it came.
 */
enum baton_err try_run(const struct try_run *run, json_t **ret_report, enum saga_status *ret_status, struct baton_error *err);

/* try_print.c */
/** The timeline for people, in 80 columns. */
void try_print(const json_t *report, bool color);

#endif

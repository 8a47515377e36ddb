/*
 * participants.h -- what a service's thread (participants.c), its reading of commands (command.c) and its work (work.c) share.
 */
#ifndef BATON_DEV_PARTICIPANTS_H
#define BATON_DEV_PARTICIPANTS_H

#include "dev_internal.h"
#include <pthread.h>
#include <stdatomic.h>

#define KEY_MAX (SAGA_ID_MAX + SAGA_PLACE_NAME_MAX + 16)
#define CREWS 2 /* threads; each has its services, its consumer and its producer */

struct command {
    char saga[SAGA_ID_MAX + 1], step[SAGA_PLACE_NAME_MAX];
    char key[KEY_MAX], correlation[KEY_MAX + 160], reply_topic[256];
    const struct example_step *role; /* NULL = not of an example: it is done, and that is all */
    bool undo;
    int attempt;
    int64_t expires_in_ms; /* when it was read */
};

/* What a service knows of one step of one saga. */
struct deed {
    char id[KEY_MAX]; /* saga/step */
    bool done, undone;
    bool counted[2]; /* its fault, by direction */
    UT_hash_handle hh;
};

/* Work put off: until a time, or until the saga takes the step back. */
struct job {
    struct command command;
    int64_t at_ms; /* 0 = held until the compensation comes */
    struct job *next;
};

struct crew {
    struct dev_participants *all;
    pthread_t thread;
    bool started;
    rd_kafka_t *consumer, *producer;
    struct deed *deeds;
    struct job *jobs;
};

struct dev_participants {
    struct dev_participants_options options;
    struct crew crews[CREWS];
    atomic_bool stopping;
    atomic_size_t pending;
};

/* command.c */
/** False: it lacks what an answer needs. */
bool command_read(const char *prefix, const rd_kafka_message_t *message, struct command *command);

/* work.c */
void work_handle(struct crew *crew, const struct command *command);
/** Do what was put off and is due. */
void work_due(struct crew *crew, int64_t now_ms);

#endif

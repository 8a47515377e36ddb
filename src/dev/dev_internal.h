/*
 * dev_internal.h -- what the files of src/dev know of each other.
 *
 * examples.c      what each step of the examples asks of its participant, written down a second time, by hand: the check trusts no worker
 * participants.c  command.c  work.c  the services: threads, reading, doing with faults    ledger.c  what they did
 * orders.c        start, wait, ask the check      check.c   each end against the ledger    report.c  the summary    talk.c  the terminal
 */
#ifndef BATON_DEV_INTERNAL_H
#define BATON_DEV_INTERNAL_H

#include <baton/buffer.h>
#include <baton/definition.h>
#include <baton/dev.h>
#include <baton/saga.h>
#include <librdkafka/rdkafka.h>
#include <uthash.h>

/* --- examples.c --- */
#define EXAMPLE_STEPS_MAX 8
#define EXAMPLE_ATTEMPTS 3 /* of every step that may be given up */

struct example_step {
    const char *name, *service, *command;
    const char *undo;    /* NULL = cannot be undone */
    const char *refusal; /* code of its business no; NULL = it never refuses */
    bool steadfast;      /* repeated until it is answered: from the pivot on */
    const char *answer;  /* the output, with %s for the saga's id */
};
struct example {
    const char *name;
    struct example_step steps[EXAMPLE_STEPS_MAX];
    size_t steps_len;
    int pivot;
};
extern const struct example examples[DEV_EXAMPLES];
/** The step that a command of a service belongs to, in either direction; NULL = none of ours. */
const struct example_step *example_step_of(const char *service, const char *command, bool *ret_undo);
/** Order number n under the seed: its id, its input as JSON text, and which steps are due. */
struct order_plan {
    const struct example *example;
    char id[64];
    bool due[EXAMPLE_STEPS_MAX];
};
void order_plan(uint64_t seed, int n, struct order_plan *ret_plan, struct buffer *ret_input);

/* --- draw.c: reproducible chances --- */
uint64_t draw_hash(uint64_t seed, const char *text, uint64_t salt);
double draw(uint64_t seed, const char *text, uint64_t salt); /* 0 <= d < 1 */

/* --- ledger.c --- */
struct ledger_step {
    char name[DEFINITION_ENTRY_NAME_MAX + 1];
    char keys[2][DEFINITION_ENTRY_NAME_MAX + SAGA_ID_MAX + 8]; /* the idempotency keys of both directions */
    int asked[2];       /* how often, by direction */
    int attempts;       /* the highest attempt asked for on the way forward */
    int applied, undone;
    int refused;        /* business noes given */
    int barred;         /* undone before it was done: the late command will be refused */
    int turned_away;    /* late commands refused for that */
    bool other_key;     /* an attempt came with another key than the first */
    uint64_t first[2];  /* when it was first asked, by direction: numbers of the whole ledger */
};
struct ledger_saga {
    char id[SAGA_ID_MAX + 1];
    struct ledger_step steps[EXAMPLE_STEPS_MAX];
    size_t steps_len;
    bool too_many; /* commands of more steps than an example has */
    UT_hash_handle hh;
};
enum ledger_fault { FAULT_REFUSED, FAULT_TRANSIENT, FAULT_SILENT, FAULT_LATE, FAULT_TWICE, FAULT_COUNT };
const char *ledger_fault_name(enum ledger_fault fault);

void ledger_asked(struct dev_ledger *ledger, const char *saga, const char *step, bool undo, int attempt, const char *key);
enum ledger_deed { DEED_APPLIED, DEED_UNDONE, DEED_REFUSED, DEED_BARRED, DEED_TURNED_AWAY };
void ledger_did(struct dev_ledger *ledger, const char *saga, const char *step, enum ledger_deed deed);
void ledger_fault(struct dev_ledger *ledger, enum ledger_fault fault);
/** A copy of what is known of a saga; false = nothing was ever asked of a participant. */
bool ledger_saga(struct dev_ledger *ledger, const char *id, struct ledger_saga *ret_saga);
struct ledger_sums {
    int64_t faults[FAULT_COUNT];
    int64_t sagas, asked[2], applied, undone, barred, turned_away;
};
void ledger_sums(struct dev_ledger *ledger, struct ledger_sums *ret_sums);
/** False once memory ran out: the ledger is not to be trusted. */
bool ledger_whole(struct dev_ledger *ledger);

/* --- check.c --- */
enum told { TOLD_NOTHING, TOLD_COMPLETED, TOLD_COMPENSATED, TOLD_PARKED, TOLD_OTHER, TOLD_COUNT };
const char *told_name(enum told told);
/** Compare what the starter was told with what the participants did. NULL = right; else what is wrong, in `text`. */
const char *check_saga(const struct order_plan *plan, enum told told, const struct ledger_saga *saga, struct buffer *text);

/* --- client.c: plain librdkafka clients, as any participant would use --- */
/** Knows where `topic` is before it returns. Written in any case: close it. */
enum baton_err client_producer(const char *brokers, const char *topic, rd_kafka_t **ret_producer, struct baton_error *err);
/** As the producer. Reads all partitions of the topics from their beginning, without a group. */
enum baton_err client_consumer(const char *brokers, const char *const *topics, size_t topics_len, int32_t partitions,
                               rd_kafka_t **ret_consumer, struct baton_error *err);
void client_close(rd_kafka_t *client); /* NULL is fine */
int64_t client_now_ms(void);           /* monotonic */

/* --- talk.c --- */
struct talk {
    FILE *out; /* NULL = silence */
    bool terminal, color, drawn;
    int shown[3], not_shown; /* compensated sagas, by kind */
    int64_t drawn_at_ms;
};
void talk_bar(struct talk *talk, int done, int total, const int *by_told, bool at_once);
void talk_compensated(struct talk *talk, const struct order_plan *plan, const struct ledger_saga *saga, int64_t took_ms);
void talk_end(struct talk *talk); /* the bar goes, what was said stays */

#endif

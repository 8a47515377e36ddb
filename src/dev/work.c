/*
 * work.c -- what a service does with a command: once per key, and sometimes not, late or twice.
 *
 * Owns:     each service's memory of what it did, and its faults. Tells the ledger of every effect at the place where it is made.
 * Duties:   docs/protocol.md, "Duties of a participant": once per key; a compensation of something not done is remembered, and bars it.
 * Tests:    tests/dev/test_dev.py
 */
#include "participants.h"
#include <stdlib.h>
#include <string.h>

#define LATE_BY_MS 150   /* after the attempt's expiry */
#define RETRY_AFTER "20" /* ms */

enum salt { SALT_FATE = 1, SALT_HALF, SALT_TRANSIENT, SALT_TWICE };

/* --- answering --- */

static void send_reply(struct crew *crew, const struct command *command, const char *outcome, const char *body)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(3);
    rd_kafka_resp_err_t code;

    (void)rd_kafka_header_add(headers, "kafka_correlationId", -1, command->correlation, -1);
    (void)rd_kafka_header_add(headers, "saga-outcome", -1, outcome, -1);
    if (strcmp(outcome, "retry") == 0)
        (void)rd_kafka_header_add(headers, "retry-after-ms", -1, RETRY_AFTER, -1);
    do {
        code = rd_kafka_producev(crew->producer, RD_KAFKA_V_TOPIC(command->reply_topic),
                                 RD_KAFKA_V_KEY(command->saga, strlen(command->saga)),
                                 RD_KAFKA_V_VALUE((void *)(uintptr_t)body, strlen(body)), RD_KAFKA_V_HEADERS(headers),
                                 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        (void)rd_kafka_poll(crew->producer, code == RD_KAFKA_RESP_ERR__QUEUE_FULL ? 10 : 0);
    } while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_headers_destroy(headers); /* on success they are the message's */
}

static void reply(struct crew *crew, const struct command *command, const char *outcome, const char *body)
{
    const struct dev_participants_options *options = &crew->all->options;

    send_reply(crew, command, outcome, body);
    if (draw(options->seed, command->correlation, SALT_TWICE) < options->faults.twice) {
        ledger_fault(options->ledger, FAULT_TWICE);
        send_reply(crew, command, outcome, body);
    }
}

static void refuse(struct crew *crew, const struct command *command, const char *code, const char *why)
{
    char body[256];

    (void)snprintf(body, sizeof body, "{\"code\":\"%s\",\"message\":\"%s\"}", code, why);
    reply(crew, command, "failure", body);
}

/* --- the work itself --- */

static void did(struct crew *crew, const struct command *command, enum ledger_deed deed)
{
    ledger_did(crew->all->options.ledger, command->saga, command->step, deed);
}

/* The effect of a step, once. False = it was undone before it came: it must not happen any more. */
static bool execute(struct crew *crew, const struct command *command, struct deed *deed)
{
    bool forget = crew->all->options.faults.forget;

    if (deed->undone && !forget) {
        did(crew, command, DEED_TURNED_AWAY);
        return false;
    }
    if (!deed->done || forget)
        did(crew, command, DEED_APPLIED);
    deed->done = true;
    return true;
}

static void undo(struct crew *crew, const struct command *command, struct deed *deed)
{
    bool forget = crew->all->options.faults.forget;

    if (!deed->undone || forget)
        did(crew, command, deed->done ? DEED_UNDONE : DEED_BARRED);
    deed->undone = true;
}

static void work(struct crew *crew, const struct command *command, struct deed *deed)
{
    char body[SAGA_ID_MAX + 64];

    if (command->undo) {
        undo(crew, command, deed);
        reply(crew, command, "success", "{}");
    } else if (execute(crew, command, deed)) {
        const char *answer = command->role != NULL ? command->role->answer : "{\"ok\":true}", *id = strstr(answer, "%s");
        int before = (int)(id != NULL ? id - answer : (ptrdiff_t)strlen(answer));

        (void)snprintf(body, sizeof body, "%.*s%s%s", before, answer, id != NULL ? command->saga : "", id != NULL ? id + 2 : "");
        reply(crew, command, "success", body);
    } else {
        refuse(crew, command, "TAKEN_BACK", "it was compensated before it came");
    }
}

static void put_off(struct crew *crew, const struct command *command, int64_t at_ms)
{
    struct job *job = calloc(1, sizeof *job), **end = &crew->jobs;

    if (job == NULL)
        return; /* an answer that never comes: participants do that */
    job->command = *command;
    job->at_ms = at_ms;
    while (*end != NULL)
        end = &(*end)->next;
    *end = job;
    atomic_fetch_add(&crew->all->pending, 1);
}

static struct deed *deed_of(struct crew *crew, const struct command *command)
{
    struct deed *deed = NULL;
    char id[sizeof deed->id];

    (void)snprintf(id, sizeof id, "%s/%s", command->saga, command->step);
    HASH_FIND_STR(crew->deeds, id, deed);
    if (deed != NULL || (deed = calloc(1, sizeof *deed)) == NULL)
        return deed;
    (void)strcpy(deed->id, id);
    HASH_ADD_STR(crew->deeds, id, deed);
    return deed;
}

/* Jobs that are due, or, with a saga's step, those held for its compensation; in the order in which they came. */
static void run_jobs(struct crew *crew, int64_t now_ms, const struct command *taken_back)
{
    for (struct job **at = &crew->jobs; *at != NULL;) {
        struct job *job = *at;
        bool due = taken_back == NULL ? job->at_ms != 0 && job->at_ms <= now_ms
                                      : job->at_ms == 0 && strcmp(job->command.saga, taken_back->saga) == 0 &&
                                            strcmp(job->command.step, taken_back->step) == 0;

        if (!due) {
            at = &job->next;
            continue;
        }
        *at = job->next;
        work(crew, &job->command, deed_of(crew, &job->command));
        free(job);
        atomic_fetch_sub(&crew->all->pending, 1);
    }
}

/* --- faults --- */

enum fate { FATE_FINE, FATE_REFUSE, FATE_SILENT, FATE_LATE };

static enum fate fate_of(const struct crew *crew, const struct command *command)
{
    const struct dev_faults *faults = &crew->all->options.faults;
    double at = draw(crew->all->options.seed, command->key, SALT_FATE);

    if (command->role == NULL)
        return FATE_FINE;
    if (at < faults->refuse)
        return !command->undo && command->role->refusal != NULL ? FATE_REFUSE : FATE_FINE;
    at -= faults->refuse;
    if (at < faults->silent)
        return FATE_SILENT;
    return at - faults->silent < faults->late ? FATE_LATE : FATE_FINE;
}

static void count(struct crew *crew, const struct command *command, struct deed *deed, enum ledger_fault fault)
{
    if (!deed->counted[command->undo])
        ledger_fault(crew->all->options.ledger, fault);
    deed->counted[command->undo] = true;
}

/* No answer to any attempt; where giving up is no way out, to the first one only. */
static void stay_silent(struct crew *crew, const struct command *command, struct deed *deed, bool half)
{
    count(crew, command, deed, FAULT_SILENT);
    if (!half)
        return;
    if (command->undo)
        undo(crew, command, deed);
    else
        (void)execute(crew, command, deed);
}

void work_handle(struct crew *crew, const struct command *command)
{
    const struct dev_participants_options *options = &crew->all->options;
    bool steadfast = command->undo || command->role == NULL || command->role->steadfast;
    bool half = draw(options->seed, command->key, SALT_HALF) < 0.5;
    struct deed *deed = deed_of(crew, command);
    int64_t now = client_now_ms();
    bool held_after = false;

    if (deed == NULL)
        return;
    ledger_asked(options->ledger, command->saga, command->step, command->undo, command->attempt, command->key);
    if (command->undo) {
        /* What was held back comes just before its compensation, or just after it. */
        held_after = half;
        if (!held_after)
            run_jobs(crew, now, command);
    }
    if (command->attempt == 1 && draw(options->seed, command->key, SALT_TRANSIENT) < options->faults.transient) {
        ledger_fault(options->ledger, FAULT_TRANSIENT);
        reply(crew, command, "retry", "{\"code\":\"BUSY\"}");
        return;
    }
    switch (fate_of(crew, command)) {
    case FATE_REFUSE:
        did(crew, command, DEED_REFUSED);
        refuse(crew, command, command->role->refusal, "the participant says no");
        break;
    case FATE_SILENT:
        if (!steadfast || command->attempt == 1)
            stay_silent(crew, command, deed, half);
        else
            work(crew, command, deed);
        break;
    case FATE_LATE:
        count(crew, command, deed, FAULT_LATE);
        put_off(crew, command, steadfast || half ? now + command->expires_in_ms + LATE_BY_MS : 0);
        break;
    case FATE_FINE:
        work(crew, command, deed);
        break;
    }
    if (held_after)
        run_jobs(crew, now, command);
}

void work_due(struct crew *crew, int64_t now_ms)
{
    run_jobs(crew, now_ms, NULL);
}

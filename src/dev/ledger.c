/*
 * ledger.c -- what the participants did, saga by saga and step by step, as it happened.
 *
 * Owns:     the count of every effect. It hears of an effect where the effect is made, never where it is claimed.
 */
#include "dev_internal.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct dev_ledger {
    pthread_mutex_t lock;
    struct ledger_saga *sagas;
    uint64_t next; /* order of first askings */
    struct ledger_sums sums;
    bool torn;
};

struct dev_ledger *dev_ledger_new(void)
{
    struct dev_ledger *ledger = calloc(1, sizeof *ledger);

    if (ledger != NULL)
        (void)pthread_mutex_init(&ledger->lock, NULL);
    return ledger;
}

void dev_ledger_free(struct dev_ledger *ledger)
{
    struct ledger_saga *saga = NULL, *next = NULL;

    if (ledger == NULL)
        return;
    HASH_ITER(hh, ledger->sagas, saga, next) {
        HASH_DEL(ledger->sagas, saga);
        free(saga);
    }
    (void)pthread_mutex_destroy(&ledger->lock);
    free(ledger);
}

const char *ledger_fault_name(enum ledger_fault fault)
{
    static const char *const names[] = {"refused", "transient", "silent", "late", "twice"};

    return names[fault];
}

static struct ledger_saga *saga_of(struct dev_ledger *ledger, const char *id)
{
    struct ledger_saga *saga = NULL;

    HASH_FIND_STR(ledger->sagas, id, saga);
    if (saga != NULL)
        return saga;
    saga = calloc(1, sizeof *saga);
    if (saga == NULL) {
        ledger->torn = true;
        return NULL;
    }
    (void)snprintf(saga->id, sizeof saga->id, "%s", id);
    HASH_ADD_STR(ledger->sagas, id, saga);
    ledger->sums.sagas++;
    return saga;
}

static struct ledger_step *step_of(struct dev_ledger *ledger, const char *id, const char *name)
{
    struct ledger_saga *saga = saga_of(ledger, id);
    struct ledger_step *step = NULL;

    if (saga == NULL)
        return NULL;
    for (size_t i = 0; i < saga->steps_len; i++) {
        if (strcmp(saga->steps[i].name, name) == 0)
            return &saga->steps[i];
    }
    if (saga->steps_len == EXAMPLE_STEPS_MAX) {
        saga->too_many = true;
        return NULL;
    }
    step = &saga->steps[saga->steps_len++];
    (void)snprintf(step->name, sizeof step->name, "%s", name);
    return step;
}

void ledger_asked(struct dev_ledger *ledger, const char *saga, const char *step, bool undo, int attempt, const char *key)
{
    struct ledger_step *entry = NULL;

    (void)pthread_mutex_lock(&ledger->lock);
    entry = step_of(ledger, saga, step);
    if (entry != NULL) {
        if (entry->asked[undo]++ == 0) {
            entry->first[undo] = ++ledger->next;
            (void)snprintf(entry->keys[undo], sizeof entry->keys[undo], "%s", key);
        }
        entry->other_key = entry->other_key || strcmp(entry->keys[undo], key) != 0 || strcmp(entry->keys[0], entry->keys[1]) == 0;
        if (!undo && attempt > entry->attempts)
            entry->attempts = attempt;
        ledger->sums.asked[undo]++;
    }
    (void)pthread_mutex_unlock(&ledger->lock);
}

void ledger_did(struct dev_ledger *ledger, const char *saga, const char *step, enum ledger_deed deed)
{
    struct ledger_step *entry = NULL;

    (void)pthread_mutex_lock(&ledger->lock);
    entry = step_of(ledger, saga, step);
    if (entry != NULL) {
        switch (deed) {
        case DEED_APPLIED: entry->applied++; ledger->sums.applied++; break;
        case DEED_UNDONE: entry->undone++; ledger->sums.undone++; break;
        case DEED_REFUSED: entry->refused++; ledger->sums.faults[FAULT_REFUSED] += entry->refused == 1; break;
        case DEED_BARRED: entry->barred++; ledger->sums.barred++; break;
        case DEED_TURNED_AWAY: entry->turned_away++; ledger->sums.turned_away++; break;
        }
    }
    (void)pthread_mutex_unlock(&ledger->lock);
}

void ledger_fault(struct dev_ledger *ledger, enum ledger_fault fault)
{
    (void)pthread_mutex_lock(&ledger->lock);
    ledger->sums.faults[fault]++;
    (void)pthread_mutex_unlock(&ledger->lock);
}

bool ledger_saga(struct dev_ledger *ledger, const char *id, struct ledger_saga *ret_saga)
{
    struct ledger_saga *saga = NULL;

    (void)pthread_mutex_lock(&ledger->lock);
    HASH_FIND_STR(ledger->sagas, id, saga);
    if (saga != NULL)
        *ret_saga = *saga;
    (void)pthread_mutex_unlock(&ledger->lock);
    return saga != NULL;
}

void ledger_sums(struct dev_ledger *ledger, struct ledger_sums *ret_sums)
{
    (void)pthread_mutex_lock(&ledger->lock);
    *ret_sums = ledger->sums;
    (void)pthread_mutex_unlock(&ledger->lock);
}

bool ledger_whole(struct dev_ledger *ledger)
{
    bool whole = false;

    (void)pthread_mutex_lock(&ledger->lock);
    whole = !ledger->torn;
    (void)pthread_mutex_unlock(&ledger->lock);
    return whole;
}

/*
 * talk.c -- what is said while orders run: a bar on a terminal, a line for a saga that is compensated.
 */
#include "dev_internal.h"
#include <string.h>

#define BAR_WIDTH 32
#define REDRAW_MS 50

/* Compensated sagas are of three kinds; so many of each are shown as they come, that the rare ones are not drowned. */
enum kind { NOTHING_UNDONE, REFUSED, NO_ANSWER, KIND_COUNT };
static const int shown_max[KIND_COUNT] = {2, 8, 8};

static const char *paint(const struct talk *talk, const char *code)
{
    return talk->color ? code : "";
}

#define RED "\033[31m"
#define YELLOW "\033[33m"
#define DIM "\033[2m"
#define PLAIN "\033[0m"

static void clear_bar(struct talk *talk)
{
    if (talk->drawn)
        (void)fputs("\r\033[K", talk->out);
    talk->drawn = false;
}

void talk_bar(struct talk *talk, int done, int total, const int *by_told, bool at_once)
{
    int64_t now = client_now_ms();
    int filled = total > 0 ? (int)((int64_t)done * BAR_WIDTH / total) : 0;
    char bar[BAR_WIDTH + 1];

    if (talk->out == NULL || !talk->terminal || (!at_once && now - talk->drawn_at_ms < REDRAW_MS))
        return;
    memset(bar, '#', (size_t)filled);
    memset(bar + filled, '.', (size_t)(BAR_WIDTH - filled));
    bar[BAR_WIDTH] = '\0';
    (void)fprintf(talk->out, "\r[%s] %d/%d ended: %d completed, %d compensated\033[K", bar, done, total, by_told[TOLD_COMPLETED],
                  by_told[TOLD_COMPENSATED]);
    (void)fflush(talk->out);
    talk->drawn = true;
    talk->drawn_at_ms = now;
}

static bool given_up(const struct example_step *step, const struct ledger_step *entry)
{
    return entry->refused == 0 && !step->steadfast && entry->attempts >= EXAMPLE_ATTEMPTS;
}

static const struct ledger_step *entry_of(const struct ledger_saga *saga, const struct example_step *step)
{
    for (size_t i = 0; i < saga->steps_len; i++) {
        if (strcmp(saga->steps[i].name, step->name) == 0)
            return &saga->steps[i];
    }
    return NULL;
}

static enum kind kind_of(const struct order_plan *plan, const struct ledger_saga *saga)
{
    enum kind kind = NOTHING_UNDONE;

    for (size_t i = 0; i < plan->example->steps_len; i++) {
        const struct ledger_step *entry = entry_of(saga, &plan->example->steps[i]);

        if (entry != NULL && entry->asked[1] > 0 && kind == NOTHING_UNDONE)
            kind = REFUSED;
        if (entry != NULL && given_up(&plan->example->steps[i], entry))
            kind = NO_ANSWER;
    }
    return kind;
}

static void say_step(struct talk *talk, const struct example_step *step, const struct ledger_step *entry, const char *before)
{
    if (entry->refused > 0)
        (void)fprintf(talk->out, "%s%s%s refused (%s)%s", before, paint(talk, RED), step->name, step->refusal, paint(talk, PLAIN));
    else if (given_up(step, entry))
        (void)fprintf(talk->out, "%s%s%s no answer%s", before, paint(talk, RED), step->name, paint(talk, PLAIN));
    else
        (void)fprintf(talk->out, "%s%s", before, step->name);
}

/* What was undone, in the order in which it was. */
static void say_undone(struct talk *talk, const struct ledger_saga *saga)
{
    uint64_t after = 0;
    const char *before = "; undone: ";

    for (;;) {
        const struct ledger_step *next = NULL;

        for (size_t i = 0; i < saga->steps_len; i++) {
            const struct ledger_step *entry = &saga->steps[i];

            if (entry->asked[1] > 0 && entry->first[1] > after && (next == NULL || entry->first[1] < next->first[1]))
                next = entry;
        }
        if (next == NULL)
            break;
        (void)fprintf(talk->out, "%s%s%s%s%s", before, paint(talk, YELLOW), next->name, next->applied == 0 ? " (had not happened)" : "",
                      paint(talk, PLAIN));
        before = ", ";
        after = next->first[1];
    }
    if (after == 0)
        (void)fputs("; nothing to undo", talk->out);
}

void talk_compensated(struct talk *talk, const struct order_plan *plan, const struct ledger_saga *saga, int64_t took_ms)
{
    const char *before = "";
    enum kind kind = kind_of(plan, saga);

    if (talk->out == NULL)
        return;
    if (talk->shown[kind] == shown_max[kind]) {
        talk->not_shown++;
        return;
    }
    talk->shown[kind]++;
    clear_bar(talk);
    (void)fprintf(talk->out, "compensated %s%-14s%s ", paint(talk, DIM), plan->id, paint(talk, PLAIN));
    for (size_t i = 0; i < plan->example->steps_len; i++) {
        const struct ledger_step *entry = entry_of(saga, &plan->example->steps[i]);

        if (entry == NULL)
            continue;
        say_step(talk, &plan->example->steps[i], entry, before);
        before = ", ";
    }
    say_undone(talk, saga);
    (void)fprintf(talk->out, " %s(%.2f s)%s\n", paint(talk, DIM), (double)took_ms / 1000, paint(talk, PLAIN));
    (void)fflush(talk->out);
}

void talk_end(struct talk *talk)
{
    if (talk->out == NULL)
        return;
    clear_bar(talk);
    if (talk->not_shown > 0)
        (void)fprintf(talk->out, "%sand %d more compensated%s\n", paint(talk, DIM), talk->not_shown, paint(talk, PLAIN));
    (void)fflush(talk->out);
}

/*
 * check.c -- is the end that the customer was told the right one for what the participants did?
 *
 * Owns:     the rules of a right end. Knows the ledger and the examples, nothing of the worker.
 * Rule:     a saga ends with all its steps done, or with the done ones undone, last first, never in between (Garcia-Molina and Salem,
 *           "Sagas", SIGMOD 1987).
 * Tests:    tests/dev/test_check.c, one row a rule
 */
#include "dev_internal.h"
#include <stdarg.h>
#include <string.h>

const char *told_name(enum told told)
{
    static const char *const names[] = {"unfinished", "completed", "compensated", "parked", "other"};

    return names[told];
}

/* More than one thing may be wrong: all are said. */
static void wrong(struct buffer *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void wrong(struct buffer *text, const char *format, ...)
{
    char line[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (text->len > 0)
        buffer_text(text, "; ");
    buffer_text(text, line);
}

static const struct ledger_step *entry_of(const struct ledger_saga *saga, const char *name)
{
    for (size_t i = 0; i < saga->steps_len; i++) {
        if (strcmp(saga->steps[i].name, name) == 0)
            return &saga->steps[i];
    }
    return NULL;
}

/* What no saga may do to a participant, however it ends. */
static void check_step(const struct ledger_step *entry, bool due, struct buffer *text)
{
    if (!due)
        wrong(text, "%s was asked for although the order does not need it", entry->name);
    if (entry->other_key)
        wrong(text, "%s was asked with another idempotency key than before", entry->name);
    if (entry->applied > 1)
        wrong(text, "%s happened %d times", entry->name, entry->applied);
    if (entry->undone > 1)
        wrong(text, "%s was undone %d times", entry->name, entry->undone);
    if (entry->undone > entry->applied)
        wrong(text, "%s was undone but never happened", entry->name);
}

static void check_completed(const struct order_plan *plan, const struct ledger_saga *saga, struct buffer *text)
{
    for (size_t i = 0; i < plan->example->steps_len; i++) {
        const char *name = plan->example->steps[i].name;
        const struct ledger_step *entry = entry_of(saga, name);

        if (!plan->due[i])
            continue;
        if (entry == NULL || entry->applied == 0)
            wrong(text, "completed, but %s never happened", name);
        else if (entry->undone > 0 || entry->asked[1] > 0)
            wrong(text, "completed, but %s was taken back", name);
        if (entry != NULL && entry->refused > 0)
            wrong(text, "completed, but %s was refused", name);
    }
}

/* A saga turns back at a refusal, or when every attempt that a step has is spent. */
static bool turns_back(const struct example_step *step, const struct ledger_step *entry)
{
    return entry->refused > 0 || (!step->steadfast && entry->attempts >= EXAMPLE_ATTEMPTS);
}

/* The last step that was asked for is the one at which it turned back; -1 = none was. */
static int last_asked(const struct order_plan *plan, const struct ledger_saga *saga)
{
    int last = -1;

    for (size_t i = 0; i < plan->example->steps_len; i++) {
        const struct ledger_step *entry = entry_of(saga, plan->example->steps[i].name);

        if (entry != NULL && entry->asked[0] > 0)
            last = (int)i;
    }
    return last;
}

static void check_compensated(const struct order_plan *plan, const struct ledger_saga *saga, struct buffer *text)
{
    int last = last_asked(plan, saga);
    uint64_t taken_back = UINT64_MAX; /* when the step before was */

    for (int i = 0; i <= last; i++) {
        const struct example_step *step = &plan->example->steps[i];
        const struct ledger_step *entry = entry_of(saga, step->name);

        if (i < last && plan->due[i] && (entry == NULL || entry->applied == 0))
            wrong(text, "the saga went on after %s, which never happened", step->name);
        if (entry == NULL)
            continue;
        if (i == last && !turns_back(step, entry))
            wrong(text, "compensated, though %s was neither refused nor given up", step->name);
        if (entry->applied > entry->undone)
            wrong(text, "compensated, but %s stands", step->name);
        if (entry->refused > 0 && entry->applied > 0)
            wrong(text, "%s was refused, and happened", step->name);
        if (entry->asked[1] == 0)
            continue;
        if (entry->first[1] > taken_back)
            wrong(text, "%s was taken back after a step before it", step->name);
        taken_back = entry->first[1];
    }
    if (last < 0)
        wrong(text, "compensated, though no participant was asked for anything");
}

const char *check_saga(const struct order_plan *plan, enum told told, const struct ledger_saga *saga, struct buffer *text)
{
    buffer_clear(text);
    if (told == TOLD_NOTHING || told == TOLD_PARKED || told == TOLD_OTHER || told == TOLD_COUNT)
        wrong(text, "%s, not ended", told_name(told));
    if (saga == NULL) {
        wrong(text, "no participant was ever asked");
        return buffer_cstr(text);
    }
    if (saga->too_many)
        wrong(text, "more steps were asked for than the definition has");
    for (size_t i = 0; i < saga->steps_len; i++) {
        bool due = false;

        for (size_t k = 0; k < plan->example->steps_len; k++)
            due = due || (plan->due[k] && strcmp(plan->example->steps[k].name, saga->steps[i].name) == 0);
        check_step(&saga->steps[i], due, text);
    }
    if (told == TOLD_COMPLETED)
        check_completed(plan, saga, text);
    if (told == TOLD_COMPENSATED)
        check_compensated(plan, saga, text);
    return text->len == 0 ? NULL : buffer_cstr(text);
}

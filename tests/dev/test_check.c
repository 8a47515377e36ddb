/*
 * test_check.c -- what a right end is, one row a rule: what the participants did, what the customer was told, what the check says.
 *
 * A deed is <step>:<letters>, in the order in which it happened: x asked to execute, a applied, r refused, c asked to compensate,
 * u undone, b undone before it was done, k asked with another idempotency key.
 */
#include "dev_internal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ORDER, PAYMENT };

static const struct row {
    const char *name;
    int example;
    enum told told;
    const char *did;
    const char *wrong; /* a part of what the check must say; NULL = right */
} rows[] = {
    {"all steps once is completed", ORDER, TOLD_COMPLETED, "reserve:xa authorize:xa settle:xa ship:xa", NULL},
    {"a step that was asked for twice and happened once is completed", ORDER, TOLD_COMPLETED,
     "reserve:x reserve:xa authorize:xa settle:xa ship:xa", NULL},
    {"a refusal is compensated, last first", ORDER, TOLD_COMPENSATED, "reserve:xa authorize:xa settle:xr authorize:cu reserve:cu", NULL},
    {"a refusal of the first step leaves nothing to undo", ORDER, TOLD_COMPENSATED, "reserve:xr", NULL},
    {"three silent attempts, and undone before it happened", ORDER, TOLD_COMPENSATED, "reserve:xa authorize:x authorize:x authorize:x authorize:cb reserve:cu",
     NULL},
    {"a third attempt that was answered does not turn the saga back", ORDER, TOLD_COMPENSATED,
     "reserve:xa reserve:x reserve:x authorize:xr reserve:cu", NULL},

    {"a saga that has not ended", ORDER, TOLD_NOTHING, "reserve:xa", "unfinished, not ended"},
    {"a parked saga has not ended", ORDER, TOLD_PARKED, "reserve:xa authorize:xa settle:x", "parked, not ended"},
    {"nobody was ever asked", ORDER, TOLD_COMPLETED, NULL, "no participant was ever asked"},
    {"an effect twice", ORDER, TOLD_COMPLETED, "reserve:xaa authorize:xa settle:xa ship:xa", "reserve happened 2 times"},
    {"an effect undone twice", ORDER, TOLD_COMPENSATED, "reserve:xa authorize:xr reserve:cuu", "reserve was undone 2 times"},
    {"completed without a step", ORDER, TOLD_COMPLETED, "reserve:xa authorize:xa settle:xa ship:x", "completed, but ship never happened"},
    {"completed without a step that was never asked for", ORDER, TOLD_COMPLETED, "reserve:xa settle:xa ship:xa",
     "completed, but authorize never happened"},
    {"completed, and a step undone", ORDER, TOLD_COMPLETED, "reserve:xa authorize:xa settle:xa ship:xa authorize:cu",
     "completed, but authorize was taken back"},
    {"completed against a refusal", ORDER, TOLD_COMPLETED, "reserve:xa authorize:xr authorize:xa settle:xa ship:xa",
     "completed, but authorize was refused"},
    {"a step that the order does not need", ORDER, TOLD_COMPLETED, "reserve:xa risk:xa authorize:xa settle:xa ship:xa",
     "risk was asked for although the order does not need it"},
    {"compensated, and an effect stands", ORDER, TOLD_COMPENSATED, "reserve:xa authorize:xa settle:xr authorize:cu", "compensated, but reserve stands"},
    {"compensated first to last", ORDER, TOLD_COMPENSATED, "reserve:xa authorize:xa settle:xr reserve:cu authorize:cu",
     "authorize was taken back after a step before it"},
    {"compensated without a reason", ORDER, TOLD_COMPENSATED, "reserve:xa authorize:xa authorize:cu reserve:cu",
     "compensated, though authorize was neither refused nor given up"},
    {"the pivot is never given up", ORDER, TOLD_COMPENSATED, "reserve:xa authorize:xa settle:x settle:x settle:x authorize:cu reserve:cu",
     "compensated, though settle was neither refused nor given up"},
    {"on after a refusal", ORDER, TOLD_COMPENSATED, "reserve:xr authorize:xr", "went on after reserve, which never happened"},
    {"undone, but never happened", ORDER, TOLD_COMPENSATED, "reserve:xu authorize:xr", "reserve was undone but never happened"},
    {"another key for a later attempt", ORDER, TOLD_COMPLETED, "reserve:xa reserve:k authorize:xa settle:xa ship:xa",
     "reserve was asked with another idempotency key"},
    {"the other example has other steps", PAYMENT, TOLD_COMPLETED, "reserve:xa authorize:xa risk:xa comply:xa settle:xa",
     "reserve was asked for although the order does not need it"},
};

static void play(struct dev_ledger *ledger, const char *did)
{
    char text[512], *rest = text;
    int attempts[2][26] = {{0}};

    (void)snprintf(text, sizeof text, "%s", did);
    for (char *word = strsep(&rest, " "); word != NULL; word = strsep(&rest, " ")) {
        char *letter = strchr(word, ':'), key[64];

        *letter++ = '\0';
        for (; *letter != '\0'; letter++) {
            bool undo = *letter == 'c';

            (void)snprintf(key, sizeof key, "s/%s/%s", word, *letter == 'k' ? "other" : undo ? "c" : "x");
            switch (*letter) {
            case 'x':
            case 'c':
            case 'k': ledger_asked(ledger, "s", word, undo, ++attempts[undo][word[0] - 'a'], key); break;
            case 'a': ledger_did(ledger, "s", word, DEED_APPLIED); break;
            case 'u': ledger_did(ledger, "s", word, DEED_UNDONE); break;
            case 'r': ledger_did(ledger, "s", word, DEED_REFUSED); break;
            case 'b': ledger_did(ledger, "s", word, DEED_BARRED); break;
            default: fail_msg("unknown letter %c", *letter);
            }
        }
    }
}

static void check_row(void **state)
{
    const struct row *row = *state;
    struct dev_ledger *ledger = dev_ledger_new();
    struct order_plan plan = {.example = &examples[row->example], .id = "s", .due = {true, false, true, true, true}};
    struct ledger_saga saga;
    struct buffer text = {0};
    const char *wrong = NULL;

    if (row->did != NULL)
        play(ledger, row->did);
    wrong = check_saga(&plan, row->told, ledger_saga(ledger, "s", &saga) ? &saga : NULL, &text);
    if (row->wrong == NULL && wrong != NULL)
        fail_msg("should be right: %s", wrong);
    if (row->wrong != NULL && (wrong == NULL || strstr(wrong, row->wrong) == NULL))
        fail_msg("should say \"%s\": %s", row->wrong, wrong != NULL ? wrong : "right");
    buffer_free(&text);
    dev_ledger_free(ledger);
}

int main(void)
{
    struct CMUnitTest tests[sizeof rows / sizeof *rows];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].name, .test_func = check_row, .initial_state = (void *)(uintptr_t)&rows[i]};
    return cmocka_run_group_tests_name("dev.check", tests, NULL, NULL);
}

/*
 * examples.c -- the two examples as their participants and their customers know them, and the orders that are placed.
 *
 * Owns:     a second, hand-written account of the definitions in examples/: what the check compares with must not come from the worker.
 * Tests:    tests/dev/test_examples.c holds it against the definitions themselves.
 */
#include "dev_internal.h"
#include <string.h>

const struct example examples[DEV_EXAMPLES] = {
    {.name = "order",
     .steps = {{"reserve", "inventory", "ReserveStock", "ReleaseStock", "OUT_OF_STOCK", false, "{\"reservation\":\"R-%s\"}"},
               {"risk", "risk", "Assess", "Forget", "RISK_TOO_HIGH", false, "{\"score\":0.25}"},
               {"authorize", "payments", "Authorize", "Void", "DECLINED", false, "{\"authorization\":\"A-%s\"}"},
               {"settle", "payments", "Settle", NULL, "INSUFFICIENT_FUNDS", true, "{\"receipt\":\"P-%s\"}"},
               {"ship", "shipping", "Ship", NULL, NULL, true, "{\"tracking\":\"T-%s\"}"}},
     .steps_len = 5,
     .pivot = 3},
    {.name = "payment-gateway",
     .steps = {{"authorize", "card-network", "Authorize", "Reverse", "DECLINED", false, "{\"authorization\":\"A-%s\"}"},
               {"risk", "risk", "Assess", "Forget", "RISK_TOO_HIGH", false, "{\"score\":0.25}"},
               {"comply", "compliance", "CheckPci", "Withdraw", "NOT_COMPLIANT", false, "{\"certificate\":\"C-%s\"}"},
               {"convert", "exchange", "Convert", "Unwind", "NO_RATE", false, "{\"amount\":108.25}"},
               {"settle", "settlement", "Settle", NULL, "INSUFFICIENT_FUNDS", true, "{\"settlement\":\"S-%s\"}"}},
     .steps_len = 5,
     .pivot = 4},
};

const struct example_step *example_step_of(const char *service, const char *command, bool *ret_undo)
{
    for (size_t i = 0; i < DEV_EXAMPLES; i++) {
        for (size_t k = 0; k < examples[i].steps_len; k++) {
            const struct example_step *step = &examples[i].steps[k];
            bool undo = step->undo != NULL && strcmp(step->undo, command) == 0;

            if (strcmp(step->service, service) == 0 && (undo || strcmp(step->command, command) == 0)) {
                *ret_undo = undo;
                return step;
            }
        }
    }
    return NULL;
}

static void text(struct buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void text(struct buffer *out, const char *format, ...)
{
    char line[256];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    buffer_text(out, line);
}

/* One in three is dear enough to be assessed. */
static void plan_order(uint64_t seed, struct order_plan *plan, struct buffer *input)
{
    bool dear = draw(seed, plan->id, 1) < 1.0 / 3;
    int count = 1 + (int)(draw_hash(seed, plan->id, 2) % 9), cents = (int)(draw_hash(seed, plan->id, 3) % 100);
    int euros = dear ? 1001 + (int)(draw_hash(seed, plan->id, 4) % 4000) : 5 + (int)(draw_hash(seed, plan->id, 4) % 900);

    text(input, "{\"customer\":\"c-%d\",\"items\":[{\"sku\":\"A-%d\",\"count\":%d}],\"total\":%d.%02d,\"currency\":\"EUR\"}",
         (int)(draw_hash(seed, plan->id, 5) % 1000), (int)(draw_hash(seed, plan->id, 6) % 50), count, euros, cents);
    plan->due[1] = dear;
}

/* One in two is paid in another currency than it is settled in. */
static void plan_payment(uint64_t seed, struct order_plan *plan, struct buffer *input)
{
    static const char *const currencies[] = {"EUR", "EUR", "USD", "JPY"};
    const char *currency = currencies[draw_hash(seed, plan->id, 1) % 4];

    text(input, "{\"amount\":%d.%02d,\"currency\":\"%s\",\"settlementCurrency\":\"EUR\",\"cardToken\":\"tok-%d\"}",
         1 + (int)(draw_hash(seed, plan->id, 2) % 2000), (int)(draw_hash(seed, plan->id, 3) % 100), currency,
         (int)(draw_hash(seed, plan->id, 4) % 10000));
    plan->due[3] = strcmp(currency, "EUR") != 0;
}

void order_plan(uint64_t seed, int n, struct order_plan *ret_plan, struct buffer *ret_input)
{
    int kind = n % DEV_EXAMPLES;

    ret_plan->example = &examples[kind];
    (void)snprintf(ret_plan->id, sizeof ret_plan->id, "%s-%llu-%d", kind == 0 ? "order" : "payment", (unsigned long long)seed, n + 1);
    for (size_t i = 0; i < EXAMPLE_STEPS_MAX; i++)
        ret_plan->due[i] = i < ret_plan->example->steps_len;
    if (kind == 0)
        plan_order(seed, ret_plan, ret_input);
    else
        plan_payment(seed, ret_plan, ret_input);
}

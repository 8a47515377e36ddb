/*
 * duration.c -- "250ms", "30s", "5m", "24h", "7d".
 *
 * Tests:    tests/core/test_name.c
 */
#include <baton/definition.h>
#include <string.h>

#define DAY_MS (24LL * 60 * 60 * 1000)
#define DURATION_MAX_MS (3650 * DAY_MS)

bool duration_parse(const char *text, int64_t *ret_ms)
{
    static const struct unit {
        const char *name;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 60 * 60 * 1000}, {"d", DAY_MS}};
    int64_t value = 0;
    const char *at = text;

    for (; *at >= '0' && *at <= '9'; at++) {
        value = value * 10 + (*at - '0');
        if (value > DURATION_MAX_MS)
            return false;
    }
    if (at == text)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(at, units[i].name) == 0 && value <= DURATION_MAX_MS / units[i].ms) {
            *ret_ms = value * units[i].ms;
            return true;
        }
    }
    return false;
}

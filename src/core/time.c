/*
 * time.c -- a time as RFC 3339 text, read.
 *
 * Owns:     the calendar (proleptic Gregorian), without the C library's locale and time zone. Writing is the wire's.
 * Tests:    tests/core/test_name.c
 */
#include <baton/definition.h>
#include <string.h>

#define DAY_MS INT64_C(86400000)

/* `count` digits at *text, which moves behind them; -1 = there are not so many. */
static int number(const char **text, int count)
{
    int value = 0;

    for (; count > 0; count--, (*text)++) {
        if (**text < '0' || **text > '9')
            return -1;
        value = value * 10 + (**text - '0');
    }
    return value;
}

static bool skip(const char **text, const char *any)
{
    bool there = **text != '\0' && strchr(any, **text) != NULL;

    *text += there;
    return there;
}

static int days_of(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return days[month - 1] + (leap && month == 2);
}

/* Days since 1970-01-01. */
static int64_t days_since(int year, int month, int day)
{
    int64_t from_march = month > 2 ? month - 3 : month + 9, years = month > 2 ? year : year - 1;

    return years * 365 + years / 4 - years / 100 + years / 400 + (153 * from_march + 2) / 5 + day - 1 - 719468;
}

static bool date_of(const char **text, int64_t *ret_ms)
{
    int year = number(text, 4), month = -1, day = -1;

    if (!skip(text, "-") || (month = number(text, 2)) < 1 || month > 12 || !skip(text, "-"))
        return false;
    day = number(text, 2);
    if (year < 1970 || day < 1 || day > days_of(year, month))
        return false;
    *ret_ms = days_since(year, month, day) * DAY_MS;
    return true;
}

/* "12:30:15.25"; digits beyond the millisecond are cut off. */
static bool clock_of(const char **text, int64_t *ret_ms)
{
    int hour = number(text, 2), minute = -1, second = -1, unit = 100;

    if (!skip(text, ":") || (minute = number(text, 2)) < 0 || !skip(text, ":") || (second = number(text, 2)) < 0)
        return false;
    if (hour < 0 || hour > 23 || minute > 59 || second > 59)
        return false;
    *ret_ms += ((hour * 60 + minute) * 60 + second) * INT64_C(1000);
    if (!skip(text, "."))
        return true;
    if (**text < '0' || **text > '9')
        return false;
    for (; **text >= '0' && **text <= '9'; (*text)++, unit /= 10)
        *ret_ms += (**text - '0') * unit;
    return true;
}

static bool zone_of(const char **text, int64_t *ret_ms)
{
    int sign = **text == '+' ? -1 : 1, hour = -1, minute = -1;

    if (skip(text, "Zz"))
        return true;
    if (!skip(text, "+-") || (hour = number(text, 2)) < 0 || hour > 23 || !skip(text, ":"))
        return false;
    minute = number(text, 2);
    *ret_ms += sign * (hour * 60 + minute) * INT64_C(60000);
    return minute >= 0 && minute <= 59;
}

bool time_parse(const char *text, int64_t *ret_ms)
{
    int64_t ms = 0;

    if (!date_of(&text, &ms) || !skip(&text, "Tt ") || !clock_of(&text, &ms) || !zone_of(&text, &ms) || *text != '\0' || ms < 0)
        return false;
    *ret_ms = ms;
    return true;
}

/*
 * time.c -- a time as RFC 3339 text.
 *
 * Owns:     the calendar (proleptic Gregorian, UTC), without the C library's locale and time zone.
 * Never:    asks what time it is.
 * Tests:    tests/wire/test_text.c
 */
#include <baton/wire.h>

#define DAY_MS INT64_C(86400000)
#define TIME_MAX_MS INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

static void digits(char *out, int64_t number, int count)
{
    for (int i = count - 1; i >= 0; i--) {
        out[i] = (char)('0' + number % 10);
        number /= 10;
    }
}

size_t wire_time_text(char out[32], int64_t at_ms)
{
    int64_t at = at_ms < 0 ? 0 : at_ms > TIME_MAX_MS ? TIME_MAX_MS : at_ms;
    int64_t in_day = at % DAY_MS;
    /* Days since 0000-03-01, so that a leap day is the last of its year. */
    int64_t days = at / DAY_MS + 719468;
    int64_t era = days / 146097;
    int64_t of_era = days % 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * of_year + 2) / 153;
    int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;

    digits(out, year_of_era + era * 400 + (month <= 2 ? 1 : 0), 4);
    out[4] = '-';
    digits(out + 5, month, 2);
    out[7] = '-';
    digits(out + 8, of_year - (153 * month_from_march + 2) / 5 + 1, 2);
    out[10] = 'T';
    digits(out + 11, in_day / 3600000, 2);
    out[13] = ':';
    digits(out + 14, in_day / 60000 % 60, 2);
    out[16] = ':';
    digits(out + 17, in_day / 1000 % 60, 2);
    out[19] = '.';
    digits(out + 20, in_day % 1000, 3);
    out[23] = 'Z';
    out[24] = '\0';
    return 24;
}

/*
 * name.c -- which names are valid, and which one was probably meant.
 *
 * Tests:    tests/core/test_name.c
 */
#include <baton/definition.h>
#include <baton/saga.h>
#include <string.h>

#define NEAR_MAX 64 /* longer words have no near one */

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_lower(c) || is_digit(c) || (c >= 'A' && c <= 'Z');
}

bool definition_name_valid(const char *text, size_t len)
{
    if (len < 1 || len > DEFINITION_NAME_MAX || text[0] == '-')
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!is_lower(text[i]) && !is_digit(text[i]) && text[i] != '-')
            return false;
    }
    return true;
}

bool saga_id_valid(const char *text, size_t len)
{
    if (len < 1 || len > SAGA_ID_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!is_alnum(text[i]) && (text[i] == '\0' || strchr("._:-", text[i]) == NULL))
            return false;
    }
    return true;
}

bool service_name_valid(const char *text, size_t len)
{
    if (len < 1 || len > 200 || (len == 1 && text[0] == '.') || (len == 2 && memcmp(text, "..", 2) == 0))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!is_alnum(text[i]) && (text[i] == '\0' || strchr("._-", text[i]) == NULL))
            return false;
    }
    return true;
}

static size_t least(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;

    return m < c ? m : c;
}

/* Levenshtein's distance (1965), two rows. */
static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t row[NEAR_MAX + 1];

    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t above = row[j];

            row[j] = least(row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[m];
}

const char *nearest_name(const char *word, const char *const *candidates, size_t count)
{
    const char *best = NULL;
    size_t len = strlen(word), best_distance = len / 3 + 2; /* farther is another word */

    if (len > NEAR_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        size_t other = strlen(candidates[i]), d = 0;

        if (other > NEAR_MAX)
            continue;
        d = distance(word, len, candidates[i], other);
        if (d < best_distance) {
            best = candidates[i];
            best_distance = d;
        }
    }
    return best;
}

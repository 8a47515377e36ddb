/*
 * random.c -- random numbers and random JSON for the property tests, from a printed seed.
 */
#include "random.h"
#include <math.h>
#include <time.h>

struct random random_begin(const char *what)
{
    const char *given = getenv("BATON_TEST_SEED");
    struct timespec now;
    struct random random;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    random.state = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)now.tv_sec * 1000003U + (uint64_t)now.tv_nsec;
    print_message("%s: BATON_TEST_SEED=%llu\n", what, (unsigned long long)random.state);
    return random;
}

uint64_t random_next(struct random *random) /* splitmix64 */
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

int random_below(struct random *random, int bound)
{
    return (int)(random_next(random) % (uint64_t)bound);
}

bool random_one_in(struct random *random, int n)
{
    return random_below(random, n) == 0;
}

static double random_double(struct random *random)
{
    static const double known[] = {
        19.99, 0.1, -0.0, 1.0, 1e300, 5e-324, 1.7976931348623157e308, 0.30000000000000004, 1e21, 123456789.125};
    double value;

    if (random_one_in(random, 2))
        return known[random_below(random, (int)(sizeof known / sizeof known[0]))];
    do {
        uint64_t bits = random_next(random);

        memcpy(&value, &bits, sizeof value);
    } while (!isfinite(value));
    return value;
}

json_t *random_string(struct random *random)
{
    static const char *const pieces[] = {
        "a", "order", "\"",   "\\",          "/", "\n", "\x01", "\x7f", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x9a\x80",
        " ", "b64:",  "${x}", ",\"crc\":\"", "]}"};
    char text[128] = "";

    for (int n = random_below(random, 8); n > 0; n--)
        strcat(text, pieces[random_below(random, (int)(sizeof pieces / sizeof pieces[0]))]);
    return json_string(text);
}

static json_t *random_integer(struct random *random)
{
    static const json_int_t known[] = {0, 1, -1, INT64_MAX, INT64_MIN, INT64_C(9007199254740993)};

    if (random_one_in(random, 3))
        return json_integer(known[random_below(random, (int)(sizeof known / sizeof known[0]))]);
    return json_integer((json_int_t)(random_next(random) >> random_below(random, 63)));
}

json_t *random_object(struct random *random, int depth)
{
    json_t *object = json_object();

    for (int n = random_below(random, 4); n > 0; n--) {
        json_t *key = random_string(random);

        json_object_set_new(object, json_string_value(key), depth > 0 ? random_json(random, depth - 1) : json_null());
        json_decref(key);
    }
    return object;
}

json_t *random_json(struct random *random, int depth)
{
    json_t *array;

    switch (random_below(random, depth > 0 ? 6 : 4)) {
    case 0: return random_integer(random);
    case 1: return json_real(random_double(random));
    case 2: return random_string(random);
    case 3: return random_one_in(random, 2) ? json_true() : json_false();
    case 4: return random_object(random, depth);
    default: break;
    }
    array = json_array();
    for (int n = random_below(random, 4); n > 0; n--)
        json_array_append_new(array, random_json(random, depth - 1));
    return array;
}

/*
 * test_number.c -- doubles as text: the shortest that reads back equal, by the short way and by the long one.
 */
#include "random.h"
#include <math.h>

#define DOUBLES 300000

static const struct row {
    const char *name;
    double value;
    const char *then;
} rows[] = {
    {"money", 19.99, "19.99"},
    {"a whole number stays a double", 20, "20.0"},
    {"zero", 0, "0.0"},
    {"minus zero keeps its sign", -0.0, "-0.0"},
    {"a tenth", 0.1, "0.1"},
    {"the sum of a tenth and a fifth needs all its digits", 0.1 + 0.2, "0.30000000000000004"},
    {"negative", -149.95, "-149.95"},
    {"leading zeros behind the point", 0.0042, "0.0042"},
    {"a third", 1.0 / 3, "0.3333333333333333"},
    {"small", 1e-7, "1e-07"},
    {"large", 1e300, "1e+300"},
    {"beyond the exact whole numbers", 9007199254740993.0, "9007199254740992.0"},
    {"as many digits as fit", 99999999999.9999, "99999999999.9999"},
    {"the smallest", 4.9406564584124654e-324, "4.94065645841247e-324"},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    char text[JSON_REAL_MAX];
    size_t len = json_real_text(row->value, text);

    assert_int_equal(len, strlen(text));
    assert_string_equal(text, row->then);
}

/* The long way: printf with 15, 16, 17 digits until strtod agrees. */
static void reference(double value, char out[JSON_REAL_MAX])
{
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(out, JSON_REAL_MAX, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            break;
    }
    if (strpbrk(out, ".eE") == NULL)
        (void)strcat(out, ".0");
}

static double random_double(struct random *random)
{
    static const double scales[] = {1, 10, 100, 1000, 1e4, 1e5, 1e6};
    double value = 0;
    uint64_t bits = random_next(random);

    if (random_one_in(random, 2)) { /* decimals, and their neighbours */
        value = (double)(int64_t)(bits >> random_below(random, 60) >> 4) / scales[random_below(random, 7)];
        value = random_one_in(random, 4) ? nextafter(value, INFINITY) : value;
        return random_one_in(random, 2) ? -value : value;
    }
    memcpy(&value, &bits, sizeof value);
    return isfinite(value) ? value : 0.5;
}

static void any_double_is_written_as_the_long_way_does(void **state)
{
    struct random random = random_begin("numbers");

    (void)state;
    for (int i = 0; i < DOUBLES; i++) {
        double value = random_double(&random);
        char text[JSON_REAL_MAX], wanted[JSON_REAL_MAX];
        size_t len = json_real_text(value, text);

        reference(value, wanted);
        assert_int_equal(len, strlen(text));
        assert_string_equal(text, wanted);
        assert_true(strtod(text, NULL) == value);
    }
}

static void whole_numbers_of_any_length(void **state)
{
    struct random random = random_begin("integers");
    struct buffer out = {0};

    (void)state;
    for (int i = 0; i < DOUBLES; i++) {
        int64_t value = (int64_t)(random_next(&random) >> random_below(&random, 64));
        char wanted[32];

        value = i == 0 ? INT64_MIN : i == 1 ? 0 : random_one_in(&random, 2) ? -value : value;
        (void)snprintf(wanted, sizeof wanted, "%lld", (long long)value);
        buffer_clear(&out);
        buffer_int(&out, value);
        assert_string_equal(buffer_cstr(&out), wanted);
    }
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_double_is_written_as_the_long_way_does),
        cmocka_unit_test(whole_numbers_of_any_length),
    };

    return RUN_ROWS(rows, check_row) + cmocka_run_group_tests(tests, NULL, NULL);
}

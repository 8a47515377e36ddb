/*
 * test_ids.c -- message ids: what is written reads back, anything else is not ours.
 */
#include "support.h"

static const struct row {
    const char *name;
    const char *given;
    const char *then;
} id_rows[] = {
    {"an execute command's id", "o-1/reserve/x/1", "saga o-1 step reserve execute 1"},
    {"a compensate command's id", "o-1/reserve/c/12", "saga o-1 step reserve compensate 12"},
    {"an iteration of a for-each", "o-1/ship.7/x/1", "saga o-1 step ship.7 execute 1"},
    {"what stands in for a step", "o-1/ship:fallback/x/1", "saga o-1 step ship:fallback execute 1"},
    {"what stands in for it in a for-each", "o-1/ship:fallback.7/c/1", "saga o-1 step ship:fallback.7 compensate 1"},
    {"a confirm", "o-1/book:confirm/x/1", "saga o-1 step book:confirm execute 1"},
    {"nothing else belongs to a step", "o-1/ship:other/x/1", "none"},
    {"a saga id with every kind of sign", "a.B_9:-/s/x/1", "saga a.B_9:- step s execute 1"},
    {"the largest attempt", "o/s/x/2147483647", "saga o step s execute 2147483647"},
    {"an attempt beyond int is not ours", "o/s/x/2147483648", "none"},
    {"attempt 0 is not ours", "o/s/x/0", "none"},
    {"a leading zero is not ours", "o/s/x/01", "none"},
    {"a sign is not ours", "o/s/x/+1", "none"},
    {"a direction other than x and c is not ours", "o/s/y/1", "none"},
    {"three parts are not ours", "o/s/x", "none"},
    {"a fifth part that is no tag is not ours", "o/s/x/1/tag", "none"},
    {"six parts are not ours", "o/s/x/1/0123456789abcdef0123456789abcdef/1", "none"},
    {"an empty saga is not ours", "/s/x/1", "none"},
    {"an empty step is not ours", "o//x/1", "none"},
    {"a step that begins with a digit is not ours", "o/1s/x/1", "none"},
    {"an iteration without a number is not ours", "o/s./x/1", "none"},
    {"a blank is not ours", "o 1/s/x/1", "none"},
    {"a NUL is not ours", "o%00/s/x/1", "none"},
    {"a UUID of somebody else's template is not ours", "%00%01%02%03%04%05%06%07%08%09%0a%0b%0c%0d%0e%0f", "none"},
    {"nothing is not ours", "", "none"},
};

static void check_id(void **state)
{
    const struct row *row = *state;
    struct given given;
    struct wire_message_id id;
    struct buffer said = {0};
    char text[WIRE_MESSAGE_ID_MAX];

    given_message(&given, row->given, NULL, NULL);
    if (!wire_message_id_parse(given.message.key, given.message.key_len, &id)) {
        say(&said, "none");
    } else {
        say(&said, "saga %s step %s %s %d", id.saga_id, id.step, id.action == ACTION_EXECUTE ? "execute" : "compensate",
            id.attempt);
        (void)wire_message_id(text, id.saga_id, id.step, id.action, id.attempt);
        assert_string_equal(text, row->given);
    }
    assert_text(row->name, &said, row->then);
    buffer_free(&said);
    given_clear(&given);
}

static void longest_parts_fit(void **state)
{
    char saga[SAGA_ID_MAX + 1], step[SAGA_PLACE_NAME_MAX], out[WIRE_MESSAGE_ID_MAX];
    struct wire_message_id id;
    size_t len;

    (void)state;
    memset(saga, 'a', SAGA_ID_MAX);
    memset(step, 'b', DEFINITION_STEP_NAME_MAX);
    saga[SAGA_ID_MAX] = '\0';
    strcpy(step + DEFINITION_STEP_NAME_MAX, ":fallback.9999");
    len = wire_message_id(out, saga, step, ACTION_EXECUTE, INT32_MAX);
    assert_int_equal(len, strlen(out));
    assert_true(wire_message_id_parse(out, len, &id));
    assert_string_equal(id.saga_id, saga);
    assert_string_equal(id.step, step);
}

static void idempotency_key_is_the_id_without_attempt(void **state)
{
    char out[WIRE_MESSAGE_ID_MAX];

    (void)state;
    assert_int_equal(wire_idempotency_key(out, "o-1", "reserve", ACTION_EXECUTE), strlen("o-1/reserve/x"));
    assert_string_equal(out, "o-1/reserve/x");
    assert_int_equal(wire_idempotency_key(out, "o-1", "reserve", ACTION_COMPENSATE), strlen("o-1/reserve/c"));
    assert_string_equal(out, "o-1/reserve/c");
}

/* The vectors of org.apache.kafka.common.utils.UtilsTest: murmur2 as a signed int. */
static void partition_is_the_java_clients(void **state)
{
    static const struct {
        const char *key;
        int32_t murmur2;
    } vectors[] = {{"21", -973932308}, {"foobar", -790332482}, {"a-little-bit-long-string", -985981536},
                   {"a-little-bit-longer-string", -1486304829}, {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
                   {"abc", 479470107}};

    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        int32_t positive = (int32_t)((uint32_t)vectors[i].murmur2 & UINT32_C(0x7fffffff));

        for (int32_t partitions = 1; partitions < 100; partitions++)
            assert_int_equal(wire_partition_of(vectors[i].key, strlen(vectors[i].key), partitions), positive % partitions);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partition_is_the_java_clients),
        cmocka_unit_test(longest_parts_fit),
        cmocka_unit_test(idempotency_key_is_the_id_without_attempt),
    };

    return RUN_ROWS(id_rows, check_id) + cmocka_run_group_tests(tests, NULL, NULL);
}

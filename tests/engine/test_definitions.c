/*
 * test_definitions.c -- the store that all threads share: immutable by name and version, newest on demand.
 */
#include "stage.h"

#define DOC(version, command)                                                                                                      \
    "{\"name\":\"order\",\"version\":" #version ",\"timeout\":\"1h\",\"steps\":[{\"name\":\"a\",\"service\":\"s\",\"command\":\"" command "\"}]}"

static const struct put_row {
    const char *name;
    const char *then[2]; /* after DOC(2, "A") */
} put_rows[] = {
    {"the same again is fine", {DOC(2, "A"), "OK"}},
    {"the same in other words is fine", {"{\"version\":2,\"name\":\"order\",\"timeout\":\"1h\",\"steps\":[{\"command\":\"A\",\"service\":\"s\",\"name\":\"a\"}]}", "OK"}},
    {"another version is fine", {DOC(3, "B"), "OK"}},
    {"the same version with other content is refused", {DOC(2, "B"), "CONFLICT"}},
    {"no JSON is refused", {"{", "INVALID"}},
    {"no definition is refused", {"{\"name\":\"order\",\"version\":4}", "INVALID"}},
};

static enum baton_err put(struct definition_store *store, const char *text)
{
    struct baton_error err;

    return definition_store_put(store, text, strlen(text), &err);
}

static void check_put(void **state)
{
    const struct put_row *row = *state;
    struct definition_store *store = definition_store_new();
    char *text = NULL, hash[65];
    int64_t version = 0;

    assert_int_equal(put(store, DOC(2, "A")), BATON_OK);
    assert_string_equal(baton_err_name(put(store, row->then[0])), row->then[1]);
    assert_int_equal(definition_store_get(store, "order", 2, &text, &version, hash), BATON_OK);
    assert_string_equal(text, DOC(2, "A")); /* the first content stays */
    free(text);
    definition_store_free(store);
}

static const struct get_row {
    const char *name;
    const char *definition;
    int64_t version;
    const char *then;
} get_rows[] = {
    {"0 is the newest", "order", 0, "12"}, /* by number, not by text */
    {"a version is that one", "order", 2, "2"},
    {"a version that is not there", "order", 3, "NOT_FOUND"},
    {"a name that is not there", "orders", 0, "NOT_FOUND"},
};

static void check_get(void **state)
{
    const struct get_row *row = *state;
    struct definition_store *store = definition_store_new();
    char *text = NULL, hash[65], said[16];
    int64_t version = 0;
    enum baton_err rc = BATON_OK;

    assert_int_equal(put(store, DOC(12, "A")), BATON_OK);
    assert_int_equal(put(store, DOC(2, "A")), BATON_OK);
    assert_int_equal(put(store, DOC(9, "A")), BATON_OK);
    assert_int_equal(definition_store_generation(store), 3);
    rc = definition_store_get(store, row->definition, row->version, &text, &version, hash);
    (void)snprintf(said, sizeof said, "%lld", (long long)version);
    assert_string_equal(rc == BATON_OK ? said : baton_err_name(rc), row->then);
    free(text);
    definition_store_free(store);
}

static void visit(void *context, const char *name, int64_t version, const char *hash, const char *text)
{
    char *said = context;

    assert_int_equal(strlen(hash), 64);
    assert_non_null(strstr(text, name));
    (void)sprintf(said + strlen(said), "%s@%lld ", name, (long long)version);
}

static void they_are_visited_in_order(void **state)
{
    struct definition_store *store = definition_store_new();
    char said[128] = "";

    (void)state;
    assert_int_equal(put(store, DOC(12, "A")), BATON_OK);
    assert_int_equal(put(store, DOC(2, "A")), BATON_OK);
    assert_int_equal(put(store, "{\"name\":\"a\",\"version\":1,\"timeout\":\"1h\",\"steps\":[{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\"}]}"), BATON_OK);
    definition_store_each(store, visit, said);
    assert_string_equal(said, "a@1 order@2 order@12 ");
    definition_store_free(store);
}

static const struct CMUnitTest tests[] = {
    TEST(they_are_visited_in_order),
};

int main(void)
{
    return RUN_ROWS(put_rows, check_put) | RUN_ROWS(get_rows, check_get) | RUN(tests);
}

/*
 * test_mask.c -- what is sensitive, and every copy of it, is not to be seen.
 */
#include "rows.h"
#include <baton/json.h>
#include <baton/mask.h>
#include <string.h>

static const struct row {
    const char *name;
    const char *places;  /* separated by blanks; "#" = the empty pointer */
    const char *learned; /* the payload in which the places are */
    const char *shown;   /* another payload, with no place of its own; NULL = the same one */
    const char *then;
} rows[] = {
    {"a member", "/card/number", "{'card':{'number':'4111-1','name':'x'}}", NULL, "{'card':{'number':'***','name':'x'}}"},
    {"a whole object", "/card", "{'card':{'number':1},'a':2}", NULL, "{'card':'***','a':2}"},
    {"an element", "/a/1", "{'a':['xx','yy','zz']}", NULL, "{'a':['xx','***','zz']}"},
    {"a member without a name", "/", "{'':'xy','b':1}", NULL, "{'':'***','b':1}"},
    {"every element", "/cards/*/pin", "{'cards':[{'pin':'a1'},{'pin':'b2'}],'c':{'pin':'c3'}}", NULL, "{'cards':[{'pin':'***'},{'pin':'***'}],'c':{'pin':'c3'}}"},
    {"every member", "/*/pin", "{'a':{'pin':'a1'},'b':{'pin':'b2'}}", NULL, "{'a':{'pin':'***'},'b':{'pin':'***'}}"},
    {"names with a slash and a tilde", "/a~1b/c~0d", "{'a/b':{'c~d':'secret'},'a':{'b':1}}", NULL, "{'a/b':{'c~d':'***'},'a':{'b':1}}"},
    {"a place that is not there", "/no/such /a/7 /a/x", "{'a':['b']}", NULL, "{'a':['b']}"},
    {"null and false in a sensitive place", "/a /b", "{'a':null,'b':false}", NULL, "{'a':'***','b':'***'}"},
    {"two places, one in the other", "/a /a/b", "{'a':{'b':'xyz'}}", NULL, "{'a':'***'}"},
    {"a copy somewhere else", "/card", "{'card':'4111-1'}", "{'x':[{'y':'4111-1'}],'z':'4112'}", "{'x':[{'y':'***'}],'z':'4112'}"},
    {"a copy within a longer text", "/card", "{'card':'4111-1'}", "{'m':'card 4111-1 of 4111-1 refused'}", "{'m':'card *** of *** refused'}"},
    {"the longest of several", "/a /b", "{'a':'4111','b':'4111-22'}", "['4111-22','x4111-22y4111z']", "['***','x***y***z']"},
    {"a short one alone, not within a text", "/pin", "{'pin':'123'}", "['123','1234']", "['***','1234']"},
    {"a number, also as a text", "/n", "{'n':19995}", "[19995,1999,'19995','total 19995']", "['***',1999,'***','total ***']"},
    {"a double", "/n", "{'n':19.99}", "[19.99,19,'19.99 EUR']", "['***',19,'*** EUR']"},
    {"what is deep in a sensitive object", "/card", "{'card':{'a':[{'b':'deep-secret'}]}}", "['deep-secret']", "['***']"},
    {"true and null are no secrets anywhere else", "/a", "{'a':[true,null,'']}", "[true,null,'']", "[true,null,'']"},
    {"no place, no mask", "", "{'a':'b'}", NULL, "{'a':'b'}"},
    {"a place of the whole document", "#", "{'a':'secret'}", NULL, "'***'"},
};

static json_t *document(const char *text)
{
    char copy[512];
    json_t *value = NULL;

    (void)strcpy(copy, text);
    for (char *c = copy; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    assert_int_equal(json_parse(copy, strlen(copy), &json_default_limits, &value, NULL), BATON_OK);
    return value;
}

static void check_row(void **state)
{
    const struct row *row = *state;
    char places[256], *list[8] = {NULL}, *rest = places, *place = NULL;
    json_t *learned = document(row->learned), *shown = row->shown == NULL ? json_incref(learned) : document(row->shown), *wanted = document(row->then), *masked = NULL;
    struct mask *mask = mask_new();
    struct buffer text = {0}, expected = {0};
    size_t n = 0;

    (void)strcpy(places, row->places);
    while ((place = strsep(&rest, " ")) != NULL && place[0] != '\0')
        list[n++] = strcmp(place, "#") == 0 ? place + 1 : place;
    mask_learn(mask, list, learned);
    masked = mask_apply(mask, row->shown == NULL ? list : NULL, shown);
    json_write(&text, masked);
    json_write(&expected, wanted);
    assert_string_equal(buffer_cstr(&text), buffer_cstr(&expected));
    buffer_free(&text);
    buffer_free(&expected);
    json_decref(masked);
    json_decref(wanted);
    json_decref(shown);
    json_decref(learned);
    mask_free(mask);
}

/* Beyond so many secrets no text is searched: none may tell one. */
static void test_many_secrets(void **state)
{
    char *const places[] = {"/all", NULL};
    struct mask *mask = mask_new();
    json_t *input = json_object(), *all = json_array(), *masked = NULL, *shown = json_pack("{s:s, s:i}", "m", "it was secret-1500, they say", "n", 7);

    (void)state;
    for (int i = 0; i < 2 * MASK_SECRETS_MAX; i++)
        (void)json_array_append_new(all, json_sprintf("secret-%d", i));
    (void)json_object_set_new(input, "all", all);
    mask_learn(mask, places, input);
    masked = mask_apply(mask, NULL, shown);
    assert_string_equal(json_string_value(json_object_get(masked, "m")), "***");
    assert_int_equal(json_integer_value(json_object_get(masked, "n")), 7);
    json_decref(masked);
    json_decref(shown);
    json_decref(input);
    mask_free(mask);
}

static void test_pointers(void **state)
{
    static const char *const good[] = {"", "/", "/a", "/a/b", "/~0~1", "/*", "//"}, *const bad[] = {"a", "a/b", "/~", "/~2", "/a~", "#/a"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(pointer_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(pointer_valid(bad[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_many_secrets), cmocka_unit_test(test_pointers)};

    return RUN_ROWS(rows, check_row) + cmocka_run_group_tests(tests, NULL, NULL);
}

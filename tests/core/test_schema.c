/*
 * test_schema.c -- payloads against schemas, a row each: every keyword of draft 7 kept and broken; schemas that are none; hostile ones.
 *
 * then: "fine", or what the check says. What the compiler says: "! pointer text" for errors, "~ pointer text" for warnings, parted by "; ".
 */
#include "rows.h"
#include <baton/schema.h>

static const struct row {
    const char *name;
    const char *schema, *value;
    const char *then;
} schema_rows[] = {
    {"an empty schema allows everything", "{}", "[1,null]", "fine"},
    {"a schema true", "{\"properties\":{\"a\":true}}", "{\"a\":1}", "fine"},
    {"a schema false", "{\"properties\":{\"a\":false}}", "{\"a\":1}", "/a: nothing may stand here"},
    {"type", "{\"type\":\"object\"}", "[]", "(root): an object expected, not an array"},
    {"one of several types", "{\"type\":[\"string\",\"null\"]}", "null", "fine"},
    {"none of several types", "{\"type\":[\"string\",\"null\"]}", "1", "(root): null or a text expected, not a number"},
    {"an integer is a number", "{\"type\":\"number\"}", "1", "fine"},
    {"1.0 is an integer", "{\"type\":\"integer\"}", "1.0", "fine"},
    {"1.5 is none", "{\"type\":\"integer\"}", "1.5", "(root): a whole number expected, not a number"},
    {"a boolean", "{\"type\":\"boolean\"}", "false", "fine"},
    {"enum", "{\"enum\":[\"EUR\",{\"a\":[1]},2]}", "{\"a\":[1.0]}", "fine"},
    {"enum, another value", "{\"enum\":[\"EUR\",\"USD\"]}", "\"JPY\"", "(root): not one of the 2 values that may stand here"},
    {"const", "{\"const\":{\"a\":1,\"b\":2}}", "{\"b\":2,\"a\":1}", "fine"},
    {"const, another value", "{\"const\":1}", "true", "(root): not the one value that may stand here"},
    {"const null", "{\"const\":null}", "0", "(root): not the one value that may stand here"},
    {"maximum itself", "{\"maximum\":10}", "10.0", "fine"},
    {"beyond the maximum", "{\"maximum\":10}", "10.01", "(root): at most 10 expected"},
    {"exclusiveMaximum", "{\"exclusiveMaximum\":19.99}", "19.99", "(root): less than 19.99 expected"},
    {"minimum", "{\"minimum\":0.5}", "0", "(root): at least 0.5 expected"},
    {"exclusiveMinimum", "{\"exclusiveMinimum\":0}", "0", "(root): more than 0 expected"},
    {"integers of 64 bits are compared exactly", "{\"maximum\":9007199254740992}", "9007199254740993", "(root): at most 9007199254740992 expected"},
    {"multipleOf", "{\"multipleOf\":3}", "10", "(root): a multiple of 3 expected"},
    {"cents are multiples of 0.01", "{\"multipleOf\":0.01}", "19.99", "fine"},
    {"half a cent is none", "{\"multipleOf\":0.01}", "19.995", "(root): a multiple of 0.01 expected"},
    {"a bound says nothing of a text", "{\"maximum\":1}", "\"99\"", "fine"},
    {"maxLength counts characters", "{\"maxLength\":2}", "\"\\u00e9\\u00e9\"", "fine"},
    {"maxLength", "{\"maxLength\":2}", "\"abc\"", "(root): at most 2 characters expected, not 3"},
    {"minLength", "{\"minLength\":2}", "\"a\"", "(root): at least 2 characters expected, not 1"},
    {"pattern", "{\"pattern\":\"^[A-Z]{3}$\"}", "\"EURO\"", "(root): does not match the pattern ^[A-Z]{3}$"},
    {"items", "{\"items\":{\"type\":\"integer\"}}", "[1,\"x\",2,true]", "/1: a whole number expected, not a text; /3: a whole number expected, not a boolean"},
    {"items by place", "{\"items\":[{\"type\":\"integer\"},{\"type\":\"string\"}]}", "[1,2,3]", "/1: a text expected, not a number"},
    {"additionalItems", "{\"items\":[true],\"additionalItems\":false}", "[1,2]", "/1: nothing may stand here"},
    {"additionalItems beside one schema says nothing", "{\"items\":true,\"additionalItems\":false}", "[1,2]", "fine"},
    {"maxItems", "{\"maxItems\":1}", "[1,2]", "(root): at most 1 items expected, not 2"},
    {"minItems", "{\"minItems\":1}", "[]", "(root): at least 1 items expected, not 0"},
    {"uniqueItems", "{\"uniqueItems\":true}", "[1,{\"a\":1,\"b\":2},{\"b\":2,\"a\":1.0}]", "(root): no two items alike expected"},
    {"uniqueItems, all different", "{\"uniqueItems\":true}", "[1,\"1\",true,null,[1],{\"a\":1}]", "fine"},
    {"contains", "{\"contains\":{\"const\":2}}", "[1,2]", "fine"},
    {"contains, not there", "{\"contains\":{\"const\":2}}", "[]", "(root): no item is as \"contains\" demands"},
    {"required", "{\"required\":[\"a\",\"b\"]}", "{\"a\":1}", "(root): \"b\" is missing"},
    {"required says nothing of a list", "{\"required\":[\"a\"]}", "[]", "fine"},
    {"properties", "{\"properties\":{\"a\":{\"properties\":{\"b/c\":{\"type\":\"null\"}}}}}", "{\"a\":{\"b/c\":1}}", "/a/b~1c: null expected, not a number"},
    {"patternProperties", "{\"patternProperties\":{\"^x-\":{\"type\":\"string\"}}}", "{\"x-a\":1,\"y\":1}", "/x-a: a text expected, not a number"},
    {"additionalProperties", "{\"properties\":{\"a\":true},\"patternProperties\":{\"^x-\":true},\"additionalProperties\":false}",
     "{\"a\":1,\"x-b\":2,\"c\":3}", "/c: an unknown member"},
    {"additionalProperties with a schema", "{\"additionalProperties\":{\"type\":\"integer\"}}", "{\"a\":1,\"b\":\"x\"}", "/b: a whole number expected, not a text"},
    {"maxProperties", "{\"maxProperties\":1}", "{\"a\":1,\"b\":2}", "(root): at most 1 members expected, not 2"},
    {"minProperties", "{\"minProperties\":1}", "{}", "(root): at least 1 members expected, not 0"},
    {"propertyNames", "{\"propertyNames\":{\"maxLength\":1}}", "{\"ab\":1}", "/ab: a name that \"propertyNames\" does not allow"},
    {"dependencies on names", "{\"dependencies\":{\"card\":[\"cvc\"]}}", "{\"card\":1}", "(root): with \"card\", \"cvc\" is missing"},
    {"dependencies on a schema", "{\"dependencies\":{\"card\":{\"required\":[\"cvc\"]}}}", "{\"card\":1}", "(root): \"cvc\" is missing"},
    {"dependencies on what is not there", "{\"dependencies\":{\"card\":[\"cvc\"]}}", "{}", "fine"},
    {"allOf says what each says", "{\"allOf\":[{\"type\":\"string\"},{\"minimum\":5}]}", "1", "(root): a text expected, not a number; (root): at least 5 expected"},
    {"anyOf", "{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":5}]}", "7", "fine"},
    {"anyOf, none", "{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":5}]}", "1", "(root): as none of \"anyOf\" demands"},
    {"oneOf", "{\"oneOf\":[{\"minimum\":2},{\"minimum\":5}]}", "3", "fine"},
    {"oneOf, two", "{\"oneOf\":[{\"minimum\":2},{\"minimum\":5}]}", "7", "(root): as more than one of \"oneOf\" demands"},
    {"not", "{\"not\":{\"type\":\"null\"}}", "null", "(root): as \"not\" forbids"},
    {"if and then", "{\"if\":{\"required\":[\"a\"]},\"then\":{\"required\":[\"b\"]},\"else\":false}", "{\"a\":1}", "(root): \"b\" is missing"},
    {"if and else", "{\"if\":{\"required\":[\"a\"]},\"then\":false,\"else\":{\"required\":[\"c\"]}}", "{}", "(root): \"c\" is missing"},
    {"then without if says nothing", "{\"then\":false}", "1", "fine"},
    {"$ref", "{\"definitions\":{\"n\":{\"type\":\"integer\"}},\"properties\":{\"a\":{\"$ref\":\"#/definitions/n\"}}}", "{\"a\":\"x\"}",
     "/a: a whole number expected, not a text"},
    {"$ref through its escapes", "{\"definitions\":{\"a/b~c d\":false},\"properties\":{\"a\":{\"$ref\":\"#/definitions/a~1b~0c%20d\"}}}", "{\"a\":1}",
     "/a: nothing may stand here"},
    {"what stands beside $ref says nothing", "{\"definitions\":{\"n\":{}},\"properties\":{\"a\":{\"$ref\":\"#/definitions/n\",\"type\":\"null\"}}}", "{\"a\":1}", "fine"},
    {"a tree of itself", "{\"type\":\"object\",\"properties\":{\"left\":{\"$ref\":\"#\"}}}", "{\"left\":{\"left\":7}}", "/left/left: an object expected, not a number"},
    {"format is an annotation", "{\"format\":\"email\"}", "\"no\"", "fine"},
    {"values are not told", "{\"properties\":{\"card\":{\"type\":\"integer\",\"enum\":[1]}}}", "{\"card\":\"4111\"}",
     "/card: a whole number expected, not a text; /card: not one of the 1 values that may stand here"},
    {"eight errors are told, the others counted", "{\"items\":false}", "[1,2,3,4,5,6,7,8,9,10]",
     "/0: nothing may stand here; /1: nothing may stand here; /2: nothing may stand here; /3: nothing may stand here; /4: nothing may stand here; "
     "/5: nothing may stand here; /6: nothing may stand here; /7: nothing may stand here; and 2 more"},

    /* what is no schema */
    {"a type that there is not", "{\"type\":\"strng\"}", "1",
     "! /type null, boolean, object, array, string, number or integer expected; did you mean \"string\"?"},
    {"a schema that is a number", "{\"properties\":{\"a\":1}}", "1", "! /properties/a a schema expected: an object, true or false"},
    {"an empty enum", "{\"enum\":[]}", "1", "! /enum a list of values expected, at least one"},
    {"a maximum that is a text", "{\"maximum\":\"1\"}", "1", "! /maximum a number expected"},
    {"a negative length", "{\"maxLength\":-1}", "1", "! /maxLength a whole number from 0 expected"},
    {"multiples of nothing", "{\"multipleOf\":0}", "1", "! /multipleOf a number above 0 expected"},
    {"required as in draft 3", "{\"properties\":{\"a\":{\"required\":true}}}", "1", "! /properties/a/required a list of names expected"},
    {"exclusiveMaximum as in draft 4", "{\"maximum\":1,\"exclusiveMaximum\":true}", "1", "! /exclusiveMaximum a number expected"},
    {"a pattern that is none", "{\"pattern\":\"(\"}", "1", "! /pattern pattern: character 2: a group without its \")\""},
    {"a pattern of names that is none", "{\"patternProperties\":{\"[\":{}}}", "1", "! /patternProperties/[ pattern: character 2: a class without its \"]\""},
    {"what is not used is checked too", "{\"definitions\":{\"a\":{\"type\":1}}}", "1",
     "! /definitions/a/type null, boolean, object, array, string, number or integer expected"},
    {"a reference to nothing", "{\"items\":{\"$ref\":\"#/definitions/n\"}}", "1", "! /items/$ref nothing stands at \"#/definitions/n\""},
    {"a reference out of the document", "{\"items\":{\"$ref\":\"other.json\"}}", "1",
     "! /items/$ref \"other.json\" is outside of this document: only \"#\" and \"#/...\" are followed; put it into \"definitions\""},
    {"a reference to another host", "{\"$ref\":\"https://example.org/a.json#/b\"}", "1",
     "! /$ref \"https://example.org/a.json#/b\" is outside of this document: only \"#\" and \"#/...\" are followed; put it into \"definitions\""},
    {"an $id inside", "{\"items\":{\"$id\":\"x\"}}", "1", "! /items/$id only the whole schema may have an \"$id\": references are followed from there"},
    {"an unknown keyword says nothing", "{\"nullable\":true,\"x-note\":1}", "null", "fine"},
    {"one that is nearly known is warned of", "{\"requried\":[\"a\"]}", "{}", "~ /requried unknown keyword \"requried\" says nothing; did you mean \"required\"?; fine"},
    {"another draft is warned of", "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\"}", "1",
     "~ /$schema read as draft 7 (http://json-schema.org/draft-07/schema#); fine"},

    /* hostile */
    {"a schema that is itself", "{\"allOf\":[{\"$ref\":\"#\"}]}", "1",
     "!  comes back to itself for the same value (or is nested deeper than 256): a check would never end"},
    {"two that are each other", "{\"definitions\":{\"a\":{\"$ref\":\"#/definitions/b\"},\"b\":{\"not\":{\"$ref\":\"#/definitions/a\"}}}}", "1",
     "! /definitions/a comes back to itself for the same value (or is nested deeper than 256): a check would never end"},
    {"a pattern that explodes does not", "{\"pattern\":\"^(a+)+$\"}", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\"", "(root): does not match the pattern ^(a+)+$"},
};

static void say_compiled(void *context, bool warning, const char *pointer, bool of_key, const char *text)
{
    struct buffer *said = context;

    (void)of_key;
    say(said, "%s%c %s %s", said->len > 0 ? "; " : "", warning ? '~' : '!', pointer, text);
}

static void check_schema(void **state)
{
    const struct row *row = *state;
    json_t *doc = parse(row->schema), *value = parse(row->value);
    struct schema *schema = NULL;
    struct buffer said = {0};
    struct baton_error err = {0};

    if (schema_compile(doc, say_compiled, &said, &schema) == BATON_OK)
        say(&said, "%s%s", said.len > 0 ? "; " : "", schema_check(schema, value, &err) == BATON_OK ? "fine" : err.text);
    assert_text(row->schema, &said, row->then);
    schema_free(schema);
    buffer_free(&said);
    json_decref(doc);
    json_decref(value);
}

/* --- bounds --- */

static enum baton_err check_of(const char *text, json_t *value, struct baton_error *err)
{
    json_t *doc = parse(text);
    struct buffer said = {0};
    struct schema *schema = NULL;
    enum baton_err rc = schema_compile(doc, say_compiled, &said, &schema);

    if (rc == BATON_OK)
        rc = schema_check(schema, value, err);
    else
        (void)baton_fail(err, rc, "%s", buffer_cstr(&said));
    schema_free(schema);
    buffer_free(&said);
    json_decref(doc);
    json_decref(value);
    return rc;
}

static void a_long_text_against_a_pattern_is_checked(void **state)
{
    char *text = calloc(1, 500001);
    struct baton_error err = {0};

    (void)state;
    memset(text, 'a', 500000);
    assert_int_equal(check_of("{\"pattern\":\"^[a-z]*$\"}", json_string(text), &err), BATON_OK);
    assert_int_equal(check_of("{\"pattern\":\"^(([a-z])+.)+[A-Z]([a-z])+$\"}", json_string(text), &err), BATON_E_INVALID);
    assert_string_equal(err.text, "(root): not checked to the end: it takes more than 5000000 steps");
    free(text);
}

/* d0 is d1 twice, d1 is d2 twice, ... */
static void doubling_references_are_bounded(void **state)
{
    struct buffer text = {0};
    struct baton_error err = {0};

    (void)state;
    buffer_text(&text, "{\"definitions\":{");
    for (int i = 0; i < 40; i++)
        say(&text, "\"d%d\":{\"allOf\":[{\"$ref\":\"#/definitions/d%d\"},{\"$ref\":\"#/definitions/d%d\"}]},", i, i + 1, i + 1);
    buffer_text(&text, "\"d40\":{}},\"allOf\":[{\"$ref\":\"#/definitions/d0\"}]}");
    assert_int_equal(check_of(buffer_cstr(&text), json_integer(1), &err), BATON_E_INVALID);
    assert_string_equal(err.text, "(root): not checked to the end: it takes more than 5000000 steps");
    buffer_free(&text);
}

static void a_hundred_thousand_items_are_told_apart(void **state)
{
    json_t *list = json_array();
    struct baton_error err = {0};

    (void)state;
    for (int i = 0; i < 100000; i++)
        (void)json_array_append_new(list, json_integer(i));
    assert_int_equal(check_of("{\"uniqueItems\":true}", json_incref(list), &err), BATON_OK);
    (void)json_array_append_new(list, json_real(77777.0));
    assert_int_equal(check_of("{\"uniqueItems\":true}", list, &err), BATON_E_INVALID);
    assert_string_equal(err.text, "(root): no two items alike expected");
}

static void a_huge_enum_costs_no_more_than_a_small_one(void **state)
{
    struct buffer text = {0};
    json_t *list = json_array();
    struct baton_error err = {0};

    (void)state;
    buffer_text(&text, "{\"items\":{\"enum\":[");
    for (int i = 0; i < 20000; i++)
        say(&text, "%s\"v%d\"", i > 0 ? "," : "", i);
    buffer_text(&text, "]}}");
    for (int i = 0; i < 50000; i++)
        (void)json_array_append_new(list, json_string("v19999"));
    assert_int_equal(check_of(buffer_cstr(&text), list, &err), BATON_OK);
    buffer_free(&text);
}

static void too_many_schemas_are_refused(void **state)
{
    struct buffer text = {0};
    struct baton_error err = {0};

    (void)state;
    buffer_text(&text, "{\"properties\":{");
    for (int i = 0; i < SCHEMA_NODES_MAX; i++)
        say(&text, "%s\"p%d\":{}", i > 0 ? "," : "", i);
    buffer_text(&text, "}}");
    assert_int_equal(check_of(buffer_cstr(&text), json_null(), &err), BATON_E_INVALID);
    assert_non_null(strstr(err.text, "more than 2000 schemas in one"));
    buffer_free(&text);
}

static void an_error_is_bounded_whatever_the_names(void **state)
{
    json_t *object = json_object();
    struct baton_error err = {0};

    (void)state;
    for (int i = 0; i < 20; i++) {
        char name[2000];

        (void)snprintf(name, sizeof name, "%d%01900d", i, 0);
        (void)json_object_set_new(object, name, json_integer(1));
    }
    assert_int_equal(check_of("{\"additionalProperties\":false}", object, &err), BATON_E_INVALID);
    assert_non_null(strstr(err.text, "...: an unknown member"));
    assert_true(strlen(err.text) < BATON_ERROR_TEXT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_text_against_a_pattern_is_checked), cmocka_unit_test(doubling_references_are_bounded),
        cmocka_unit_test(a_hundred_thousand_items_are_told_apart),  cmocka_unit_test(a_huge_enum_costs_no_more_than_a_small_one),
        cmocka_unit_test(too_many_schemas_are_refused),             cmocka_unit_test(an_error_is_bounded_whatever_the_names),
    };

    return RUN_ROWS(schema_rows, check_schema) + cmocka_run_group_tests(tests, NULL, NULL);
}

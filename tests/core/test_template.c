/*
 * test_template.c -- templates, a row each: a document, and what it gives in one fixed scope.
 *
 * then: JSON; "! text" = it fails when evaluated; "pointer@column text" = it does not compile, and says where.
 */
#include "rows.h"
#include <baton/expr.h>

static const struct row {
    const char *name;
    const char *doc;
    const char *then;
} template_rows[] = {
    {"a plain document is itself", "{\"a\":[1,2.5,null,true,\"x\"]}", "{\"a\":[1,2.5,null,true,\"x\"]}"},
    {"exactly an expression keeps a number", "\"${input.n}\"", "7"},
    {"exactly an expression keeps a double", "\"${input.price}\"", "19.99"},
    {"exactly an expression keeps a flag", "\"${input.yes}\"", "true"},
    {"exactly an expression keeps an object", "\"${input.o}\"", "{\"z\":1,\"a\":[2]}"},
    {"exactly an expression keeps a list", "\"${input.o.a}\"", "[2]"},
    {"exactly an expression keeps null", "\"${input.missing.all.the.way}\"", "null"},
    {"expressions stand anywhere inside", "{\"a\":{\"b\":[\"${input.n}\",{\"c\":\"${input.who}\"}]}}", "{\"a\":{\"b\":[7,{\"c\":\"Ann\"}]}}"},
    {"members keep their order", "{\"z\":\"${input.n}\",\"a\":1,\"m\":\"${input.who}\"}", "{\"z\":7,\"a\":1,\"m\":\"Ann\"}"},
    {"keys are no templates", "{\"${input.n}\":\"${input.n}\"}", "{\"${input.n}\":7}"},
    {"mixed text interpolates", "\"order ${input.n} of ${input.who}!\"", "\"order 7 of Ann!\""},
    {"two expressions side by side", "\"${input.n}${input.who}\"", "\"7Ann\""},
    {"a blank around it makes it text", "\" ${input.n}\"", "\" 7\""},
    {"a number in a text is written as JSON", "\"${input.price} EUR\"", "\"19.99 EUR\""},
    {"an object in a text is written as JSON", "\"<${input.o}>\"", "\"<{\\\"z\\\":1,\\\"a\\\":[2]}>\""},
    {"null in a text is nothing", "\"<${input.missing}>\"", "\"<>\""},
    {"$${ is ${", "\"$${input.n}\"", "\"${input.n}\""},
    {"$${ beside an expression", "\"$${x} ${input.n}\"", "\"${x} 7\""},
    {"$${ in a document without expressions", "{\"a\":[\"$${x}\"]}", "{\"a\":[\"${x}\"]}"},
    {"a $ alone is a $", "\"$5 and {x} and $\"", "\"$5 and {x} and $\""},
    {"an expression may hold braces", "\"${({a = {1}}).a[1]}\"", "1"},
    {"a brace in a text of Lua closes nothing", "\"${'}' .. input.n}\"", "\"}7\""},
    {"a quote in a text of Lua closes nothing", "\"${'it\\\\'s }'}\"", "\"it's }\""},
    {"characters beyond ASCII", "\"\xc3\xa9 ${input.n} \xe2\x82\xac\"", "\"\xc3\xa9 7 \xe2\x82\xac\""},

    {"an expression that fails, fails it", "{\"a\":[\"${input.missing + 1}\"]}", "! attempt to perform arithmetic on a nil value"},
    {"in a text too", "\"x ${1 / 0}\"", "! not a number that JSON can hold"},

    {"no closing brace", "{\"a\":\"x ${input.n\"}", "/a@3 \"${\" without its \"}\""},
    {"an empty expression", "\"${}\"", "@3 unexpected symbol"},
    {"an error's column counts from the start of the text", "{\"a\":[0,\"\xc3\xa9\xc3\xa9 ${input.n} ${inptu.n}\"]}", "/a/1@17 unknown name 'inptu'; did you mean 'input'?"},
    {"pointers escape", "{\"a/b\":{\"c~d\":\"${1 +}\"}}", "/a~1b/c~0d@6 unexpected symbol"},
};

static struct expr_vm *vm;
static struct expr_scope scope = {.index = -1, .saga_id = "o-1", .saga_type = "order", .saga_version = 3};

static void evaluate(const json_t *doc, struct buffer *said)
{
    struct template *template = NULL;
    struct expr_error_place place;
    struct baton_error err = {BATON_OK, ""};
    json_t *value = NULL;

    if (template_compile(vm, doc, &template, &place, &err) != BATON_OK) {
        assert_int_equal(err.code, BATON_E_INVALID);
        say(said, "%s@%d %s", place.pointer, place.column, err.text);
        return;
    }
    if (template_eval(vm, template, &scope, &value, &err) == BATON_OK) {
        json_write(said, value);
    } else {
        assert_int_equal(err.code, BATON_E_INVALID);
        assert_null(value);
        say(said, "! %s", err.text);
    }
    json_decref(value);
    template_free(vm, template);
}

static void check_template(void **state)
{
    const struct row *row = *state;
    json_t *doc = parse(row->doc);
    struct buffer said = {0};
    const char *words = strchr(row->then, ' ');
    bool part = words != NULL && (row->then[0] == '!' || memchr(row->then, '@', (size_t)(words - row->then)) != NULL);

    evaluate(doc, &said);
    if (!part)
        assert_text(row->doc, &said, row->then);
    else if (strncmp(buffer_cstr(&said), row->then, (size_t)(words - row->then) + 1) != 0 || strstr(said.data, words + 1) == NULL)
        fail_msg("%s gives %s, not %s", row->doc, said.data, row->then);
    buffer_free(&said);
    json_decref(doc);
}

/* --- what is no row --- */

static void a_subtree_is_the_very_value(void **state)
{
    json_t *doc = parse("\"${input.o}\""), *value = NULL;
    struct template *template = NULL;

    (void)state;
    assert_int_equal(template_compile(vm, doc, &template, NULL, NULL), BATON_OK);
    assert_int_equal(template_eval(vm, template, &scope, &value, NULL), BATON_OK);
    assert_ptr_equal(value, json_object_get(scope.input, "o"));
    json_decref(value);
    json_decref(doc);
    template_free(vm, template);
}

static json_t *nested(int levels)
{
    json_t *doc = json_string("${input.n}");

    while (levels-- > 0)
        doc = json_pack("[o]", doc);
    return doc;
}

static void a_template_nests_32_levels(void **state)
{
    (void)state;
    for (int levels = 32; levels <= 33; levels++) {
        json_t *doc = nested(levels);
        struct buffer said = {0};

        evaluate(doc, &said);
        assert_int_equal(strstr(buffer_cstr(&said), "nested deeper than 32") == NULL, levels == 32);
        buffer_free(&said);
        json_decref(doc);
    }
}

/* Each expression is small; together they would be gigabytes. */
static void a_result_has_the_limits_of_a_message(void **state)
{
    char long_text[4001];
    json_t *list = json_array(), *text = NULL;
    struct buffer said = {0}, many = {0};

    (void)state;
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    assert_int_equal(json_object_set_new(scope.input, "long", json_string(long_text)), 0);
    for (int i = 0; i < 2000; i++) {
        assert_int_equal(json_array_append_new(list, json_string("${input.long}")), 0);
        say(&many, "<${input.long}");
    }
    text = json_string(buffer_cstr(&many));
    evaluate(list, &said);
    assert_text("a list", &said, "! the result is larger or deeper than a message may be");
    buffer_clear(&said);
    evaluate(text, &said);
    assert_text("a text", &said, "! the result is larger or deeper than a message may be");
    buffer_free(&said);
    buffer_free(&many);
    (void)json_object_del(scope.input, "long");
    json_decref(list);
    json_decref(text);
}

static void visit(void *context, const struct expr *expr, const char *pointer, int column_offset)
{
    (void)expr;
    say(context, "%s+%d ", pointer, column_offset);
}

static void every_expression_is_visited_where_it_stands(void **state)
{
    json_t *doc = parse("{\"b\":\"x ${input.n} ${input.n}\",\"a\":[0,{\"c\":\"${input.n}\"}],\"d\":\"$${x}\"}");
    struct template *template = NULL;
    struct buffer said = {0};

    (void)state;
    assert_int_equal(template_compile(vm, doc, &template, NULL, NULL), BATON_OK);
    template_visit(template, visit, &said);
    assert_text("visited", &said, "/b+4 /b+15 /a/1/c+2 ");
    buffer_free(&said);
    template_free(vm, template);
    json_decref(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_subtree_is_the_very_value),
        cmocka_unit_test(a_template_nests_32_levels),
        cmocka_unit_test(a_result_has_the_limits_of_a_message),
        cmocka_unit_test(every_expression_is_visited_where_it_stands),
    };
    int failed = 0;

    vm = expr_vm_new();
    scope.input = parse("{\"n\":7,\"price\":19.99,\"yes\":true,\"who\":\"Ann\",\"o\":{\"z\":1,\"a\":[2]}}");
    failed = RUN_ROWS(template_rows, check_template) + cmocka_run_group_tests(tests, NULL, NULL);
    json_decref(scope.input);
    expr_vm_free(vm);
    return failed;
}

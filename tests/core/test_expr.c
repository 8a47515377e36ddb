/*
 * test_expr.c -- expressions, a row each: what is written, what it gives in one fixed scope.
 *
 * then: JSON; "! text" = it fails when evaluated, and says so; "@column text" = it does not compile, and says where.
 */
#include "rows.h"
#include <baton/expr.h>

#define SCOPE_INPUT \
    "{\"total\":19.99,\"count\":3,\"big\":9007199254740993,\"who\":\"Ann\",\"yes\":true,\"none\":null,\"empty\":{}," \
    "\"items\":[{\"sku\":\"A-1\",\"n\":2},{\"sku\":\"B-2\",\"n\":1}],\"by\":{\"zeta\":1,\"alpha\":2,\"mid\":3},\"a b\":7,\"end\":8}"

static const struct row {
    const char *name;
    const char *text;
    const char *then;
} expr_rows[] = {
    /* plain paths */
    {"a path gives the value it leads to", "input.who", "\"Ann\""},
    {"a subtree comes as it is", "input.items[2]", "{\"sku\":\"B-2\",\"n\":1}"},
    {"a list counts from 1", "input.items[1].sku", "\"A-1\""},
    {"a key may be quoted", "input[\"a b\"]", "7"},
    {"a key may be a word of Lua", "input.end", "8"},
    {"a number keeps all its digits", "input.big", "9007199254740993"},
    {"a double stays what it is", "input.total", "19.99"},
    {"null is nil is null", "input.none", "null"},
    {"a missing path is nil all the way", "input.no.such.thing[3].at.all", "null"},
    {"beyond the end of a list is nil", "input.items[3]", "null"},
    {"into a number is nil", "input.count.x", "null"},
    {"into true is nil", "input.yes.x", "null"},
    {"the output of a step", "steps.reserve.output.reservation", "\"r-17\""},
    {"the status of a step", "steps.reserve.status", "\"done\""},
    {"the error of a step", "steps.pay.error.code", "\"NO\""},
    {"the output of a step that was skipped is nil", "steps.risk.output.score", "null"},
    {"a step that does not exist is nil", "steps.nobody.output", "null"},
    {"the saga's id", "saga.id", "\"o-1\""},
    {"the saga's type", "saga.type", "\"order\""},
    {"the saga's version", "saga.version", "3"},
    {"the whole saga", "saga", "{\"id\":\"o-1\",\"type\":\"order\",\"version\":3}"},
    {"item and index are nil outside a for-each", "item", "null"},
    {"the body of a reply", "body.ok", "true"},
    {"a header of a reply", "headers.x", "\"1\""},

    /* the same through Lua */
    {"in brackets it is an expression, and gives the same", "(input.items[2])", "{\"sku\":\"B-2\",\"n\":1}"},
    {"a missing path is nil all the way in an expression", "(input.no.such.thing.at.all)", "null"},
    {"into a number is nil in an expression", "(input.count.x)", "null"},
    {"a default for what is missing", "input.no.such or 5", "5"},
    {"a default for a skipped step", "(steps.risk.output.score or 0) > 0.8", "false"},
    {"a step's status compared", "steps.reserve.status == 'done'", "true"},
    {"whole numbers stay whole", "input.count * 2", "6"},
    {"a double stays a double", "input.count * 2.0", "6.0"},
    {"division gives a double", "input.count / 2", "1.5"},
    {"an integer of 64 bits keeps its digits", "input.big + 1", "9007199254740994"},
    {"texts are joined", "input.who .. '-' .. input.count", "\"Ann-3\""},
    {"the length of a list", "#input.items", "2"},
    {"the number of members", "#input.by", "3"},
    {"equal by value", "input.items[1] == input.items[1] and input.items[1] ~= input.items[2]", "true"},
    {"zero and the empty text are true", "0 and '' and true", "true"},
    {"a table with texts is an object", "{b = 1, a = {2, 3}}", "{\"a\":[2,3],\"b\":1}"},
    {"an empty table is an object", "{}", "{}"},
    {"an empty array says so", "array()", "[]"},
    {"array keeps its elements", "array(1, 'x', input.items[1])", "[1,\"x\",{\"sku\":\"A-1\",\"n\":2}]"},
    {"a function of its own", "(function(x) return x + 1 end)(4)", "5"},
    {"a comment is no part of it", "input.count -- how many", "3"},
    {"a statement inside a function", "(function() local n = 0 for _, i in ipairs(input.items) do n = n + i.n end return n end)()", "3"},
    {"members are gone through by key, whatever their order",
     "(function() local s = '' for k, v in pairs(input.by) do s = s .. k .. v end return s end)()", "\"alpha2mid3zeta1\""},
    {"a table's too, numbers before texts",
     "(function() local s = '' for k in pairs({b = 1, a = 1, [10] = 1, [2] = 1}) do s = s .. k .. ' ' end return s end)()", "\"2 10 a b \""},
    {"pairs over nothing", "(function() for k in pairs(input.no) do return k end return 'none' end)()", "\"none\""},
    {"ipairs over nothing", "(function() for k in ipairs(input.no) do return k end return 'none' end)()", "\"none\""},
    {"a view is a table", "type(input) .. type(input.items) .. type(nil)", "\"tabletablenil\""},
    {"no address in a text", "tostring(input) .. tostring({}) .. tostring(pairs)", "\"tabletablefunction\""},

    /* what of the libraries is there */
    {"upper case", "input.who:upper()", "\"ANN\""},
    {"a plain find", "('a.b'):find('.')", "2"},
    {"a find that finds nothing", "('ab'):find('x')", "null"},
    {"a format", "string.format('%05.1f|%s|%d%%', 3.14159, input.who, 7)", "\"003.1|Ann|7%\""},
    {"a repetition", "('ab'):rep(3, '-')", "\"ab-ab-ab\""},
    {"a repetition of none", "('ab'):rep(-1)", "\"\""},
    {"rounding", "math.floor(input.total)", "19"},
    {"a concatenation of a list", "table.concat({'a', 'b'}, ',')", "\"a,b\""},
    {"a sort", "(function() local t = {3, 1, 2} table.sort(t) return t end)()", "[1,2,3]"},
    {"characters counted", "utf8.len('\xc3\xa9\xe2\x82\xac')", "2"},
    {"a number out of a text", "tonumber('12') + 1", "13"},

    {"sorting leaves equals as they stood", "(function() local t = {'b1', 'a1', 'b2', 'a2', 'b3'} table.sort(t, function(x, y) return x:sub(1, 1) < y:sub(1, 1) end) return t end)()",
     "[\"a1\",\"a2\",\"b1\",\"b2\",\"b3\"]"},
    {"however many there are", "(function() local t = {} for i = 1, 1000 do t[i] = i end table.sort(t, function() return false end) for i = 1, 1000 do if t[i] ~= i then return i end end return 'all' end)()",
     "\"all\""},
    {"sorting by an order that is none ends", "(function() local t = {} for i = 1, 300 do t[i] = i end table.sort(t, function() return true end) return #t end)()", "300"},
    {"sorting what has no order", "(function() table.sort({1, 'a'}) end)()", "! attempt to compare"},

    /* what is not */
    {"no os", "os.time()", "@1 unknown name 'os'"},
    {"no io", "1 + io.read()", "@5 unknown name 'io'"},
    {"no load", "load('return 1')()", "@1 unknown name 'load'"},
    {"no require", "require('os')", "@1 unknown name 'require'"},
    {"no random", "math.random()", "! attempt to call a nil value"},
    {"no clock", "clock()", "@1 unknown name 'clock'"},
    {"no globals table", "_G.os", "@1 unknown name '_G'"},
    {"no environment", "_ENV.os", "@1 unknown name '_ENV'"},
    {"no metatables", "getmetatable('').__index", "@1 unknown name 'getmetatable'"},
    {"no raw access", "rawset(string, 'upper', nil)", "@1 unknown name 'rawset'"},
    {"no next", "next(input)", "@1 unknown name 'next'"},
    {"no pcall: a budget cannot be caught", "pcall(error)", "@1 unknown name 'pcall'"},
    {"no coroutines", "coroutine.wrap(error)", "@1 unknown name 'coroutine'"},
    {"no pattern matching", "('x'):gsub('x', 'y')", "! attempt to call a nil value (method 'gsub')"},
    {"no match through the library", "string.match('x', 'x')", "! attempt to call a nil value (field 'match')"},
    {"no dump", "string.dump(error)", "! attempt to call a nil value (field 'dump')"},
    {"no address by format", "string.format('%p', {})", "! knows no %p"},
    {"no address behind flags", "string.format('%-20p', 'x')", "! knows no %p"},
    {"a table is no text for format", "string.format('%s', {})", "! a text, number or boolean expected"},

    /* nothing can be changed */
    {"the input cannot be changed", "(function() input.total = 1 return input.total end)()", "! cannot be changed"},
    {"a list of it neither", "(function() table.insert(input.items, 1) end)()", "! cannot be changed"},
    {"a step neither", "(function() steps.reserve.output = 1 end)()", "! cannot be changed"},
    {"the steps neither", "(function() steps.reserve = 1 end)()", "! cannot be changed"},
    {"a library neither", "(function() string.upper = string.lower end)()", "! cannot be changed"},
    {"nor through table.insert", "(function() table.insert(math, 1) end)()", "! cannot be changed"},
    {"a function of the environment neither", "(function() pairs = ipairs end)()", "! cannot be changed"},
    {"nor a variable of the scope", "(function() input = 1 end)()", "! cannot be changed"},

    /* what JSON cannot hold */
    {"no infinity", "1 / 0", "! not a number that JSON can hold"},
    {"no NaN", "0 / 0", "! not a number that JSON can hold"},
    {"no infinity inside a table", "{a = {math.huge}}", "! not a number that JSON can hold"},
    {"no function", "pairs", "! a function is not a value"},
    {"no hole in a list", "{1, nil, 3}", "! a list has a hole"},
    {"nor one that its length hides", "(function() local t = {1, 2, 3} t[7] = 7 t[2] = nil return t end)()", "! a list has a hole"},
    {"no list that is an object too", "{1, a = 2}", "! either a list or has texts as keys"},
    {"no key that is a number", "{[1.5] = 1}", "! either a list or has texts as keys"},
    {"no key that is true", "{[true] = 1}", "! either a list or has texts as keys"},
    {"no order of keys that are tables", "(function() for k in pairs({[{}] = 1}) do return 1 end end)()", "! has no order"},
    {"no text that is not UTF-8", "'\\xff'", "! not valid UTF-8"},
    {"no surrogate", "utf8.char(0xD800)", "! not valid UTF-8"},
    {"no NUL in a text", "'a\\0b'", "! not valid UTF-8"},
    {"no NUL in a key", "{['a\\0b'] = 1}", "! a key is not valid UTF-8"},
    {"steps alone is no value", "steps", "! name what is in them"},
    {"a step alone is no value", "steps.reserve", "! name what is in them"},
    {"a library is no value", "math", "! name what is in them"},
    {"steps cannot be gone through", "(function() for k in pairs(steps) do return k end end)()", "! name what is in them"},

    /* what fails */
    {"arithmetic on nil", "input.no + 1", "! attempt to perform arithmetic on a nil value"},
    {"arithmetic on a text", "input.who + 1", "! attempt to perform arithmetic on a string value"},
    {"an order of a text and a number", "input.who < 1", "! attempt to compare string with number"},
    {"whole division by zero", "1 // 0", "! attempt to divide by zero"},
    {"an error of its own", "error('no stock')", "! no stock"},
    {"an error that is no text", "error({})", "! an error that is not a text"},
    {"an error that is nothing", "error()", "! an error that is not a text"},
    {"an error of bytes is told in UTF-8", "error('\\xff!')", "! ?!"},

    /* budgets */
    {"an endless loop", "(function() while true do end end)()", "! more than 200000 instructions"},
    {"an endless recursion", "(function(f) return 1 + f(f) end)(function(f) return 1 + f(f) end)", "! "},
    {"an endless tail call", "(function(f) return f(f) end)(function(f) return f(f) end)", "! more than 200000 instructions"},
    {"a text of a gigabyte", "('x'):rep(1 << 30)", "! more than 200000 instructions"},
    {"a text of a megabyte", "('x'):rep(1 << 20)", "! more memory than"},
    {"nothing, repeated for hours", "(''):rep(1 << 40)", "! more than 200000 instructions"},
    {"a table without end", "(function() local t = {} for i = 1, 1 << 40 do t[i] = i end end)()", "! more "},
    {"memory by many texts", "(function() local t, s = {}, ('x'):rep(2000) for i = 1, 9000 do t[i] = s .. i end end)()", "! more memory than"},
    {"copies of a long text", "(function() local s = ('x'):rep(100000) for i = 1, 20000 do local t = s .. i end end)()", "! more than 200000 instructions"},
    {"sorting for ever", "(function() local t = {} for i = 1, 9999 do t[i] = -i end for i = 1, 9999 do table.sort(t) end end)()",
     "! more than 200000 instructions"},
    {"unpacking for ever", "(function() for i = 1, 9999 do local a = select('#', table.unpack({}, 1, 10000)) end end)()", "! more than 200000 instructions"},
    {"a result that doubles 40 times", "(function() local t = {} for _ = 1, 40 do t = {t, t} end return t end)()", "! more than 200000 instructions"},
    {"long texts compared for ever", "(function() local a, b = ('x'):rep(250000) .. 1, ('x'):rep(250000) .. 2 while true do local c = a < b end end)()",
     "! more than 200000 instructions"},
    {"a long key looked for for ever", "(function() local k = ('x'):rep(250000) while true do local v = input[k] end end)()", "! more than 200000 instructions"},
    {"a long text searched for ever", "(function() local s = ('x'):rep(250000) while true do local v = s:find('xy') end end)()", "! more than 200000 instructions"},
    {"calls within calls", "(function(f) return f(f, 1000) end)(function(f, n) if n == 0 then return 1 end return 1 + f(f, n - 1) end)",
     "! calls within calls deeper than 200"},
    {"as deep as a message is nested they may go", "(function(f) return f(f, 128) end)(function(f, n) if n == 0 then return 1 end return 1 + f(f, n - 1) end)", "129"},
    {"any number of arguments", "(function(...) return select('#', ...) end)(1, 2)", "@11 '...' cannot be used here"},
    {"one text in the result a thousand times", "(function() local s, t = ('x'):rep(250000), {} for i = 1, 1000 do t[i] = s end return t end)()", "! larger or deeper"},
    {"a result that contains itself", "(function() local t = {} t.t = t return t end)()", "! nested deeper than 64"},
    {"a result larger than a message", "(function() local t = {} for i = 1, 20000 do t[i] = input end return t end)()", "! larger or deeper"},

    /* what does not compile */
    {"nothing", "", "@1 unexpected symbol"},
    {"an operator without its right side", "input.count +", "@14 unexpected symbol"},
    {"two expressions", "input.count input.who", "@13 ')' expected"},
    {"a statement", "x = 1", "@3 ')' expected"},
    {"a bracket too many", "1), (2", "@2 ')' without its '('"},
    {"a bracket too many, in a call", "1) or (2", "@2 ')' without its '('"},
    {"a text without its end", "'abc", "@1 unfinished string"},
    {"a comment without its end", "1 --[[", "@7 unfinished long comment"},
    {"an unknown name, with the nearest", "inptu.total", "@1 unknown name 'inptu'; did you mean 'input'?"},
    {"an unknown name in columns of characters", "'\xc3\xa9\xc3\xa9' .. nobody", "@9 unknown name 'nobody'"},
    {"a member may be called anything", "input.os .. ''", "! attempt to concatenate a nil value"},
    {"a field of a table may be called anything", "{os = 1}", "{\"os\":1}"},
    {"a parameter may be called anything", "(function(os) return os end)(1)", "1"},
};

static json_t *step(const void *context, const char *name, enum expr_step_field field)
{
    static const char *const done[] = {"{\"reservation\":\"r-17\"}", NULL, "\"done\""};
    static const char *const failed[] = {NULL, "{\"code\":\"NO\",\"message\":\"no\"}", "\"failed\""};
    static const char *const skipped[] = {NULL, NULL, "\"skipped\""};
    const char *text = NULL;

    (void)context;
    if (strcmp(name, "reserve") == 0)
        text = done[field];
    else if (strcmp(name, "pay") == 0)
        text = failed[field];
    else if (strcmp(name, "risk") == 0)
        text = skipped[field];
    return text == NULL ? NULL : parse(text);
}

static struct expr_vm *vm; /* one for all rows: none may leave anything behind */
static struct expr_scope scope = {.index = -1, .saga_id = "o-1", .saga_type = "order", .saga_version = 3, .step = step};

static int open_vm(void **state)
{
    (void)state;
    vm = expr_vm_new();
    scope.input = parse(SCOPE_INPUT);
    scope.body = parse("{\"ok\":true}");
    scope.headers = parse("{\"x\":\"1\"}");
    return vm == NULL;
}

static int close_vm(void **state)
{
    (void)state;
    json_decref(scope.input);
    json_decref(scope.body);
    json_decref(scope.headers);
    expr_vm_free(vm);
    return 0;
}

/* What it gives, in the words of the rows. */
static void evaluate(const char *text, struct buffer *said)
{
    struct expr *expr = NULL;
    struct expr_error_place place;
    struct baton_error err = {BATON_OK, ""};
    json_t *value = NULL;

    if (expr_compile(vm, text, strlen(text), &expr, &place, &err) != BATON_OK) {
        assert_int_equal(err.code, BATON_E_INVALID);
        say(said, "@%d %s", place.column, err.text);
        return;
    }
    if (expr_eval(vm, expr, &scope, &value, &err) == BATON_OK) {
        json_write(said, value);
    } else {
        assert_int_equal(err.code, BATON_E_INVALID);
        assert_null(value);
        say(said, "! %s", err.text);
    }
    json_decref(value);
    expr_free(vm, expr);
}

static void check_expr(void **state)
{
    const struct row *row = *state;
    struct buffer said = {0};
    const char *words = strchr(row->then, ' ');

    evaluate(row->text, &said);
    if (row->then[0] == '!' || row->then[0] == '@') {
        if (strncmp(buffer_cstr(&said), row->then, (size_t)(words - row->then) + 1) != 0 || strstr(said.data, words + 1) == NULL)
            fail_msg("%s gives %s, not %s", row->text, said.data, row->then);
    } else {
        assert_text(row->text, &said, row->then);
    }
    buffer_free(&said);
}

/* --- what is no row --- */

static void one_evaluation_leaves_nothing_for_the_next(void **state)
{
    static const char *const texts[] = {"(function() string.upper = string.lower end)()", "('x'):upper()",
                                        "(function() math = nil end)()", "math.floor(2.5)",
                                        "(function() local t = {} for i = 1, 100 do t[i] = ('x'):rep(200000) .. i end end)()", "#('x'):rep(200000)"};
    static const char *const thens[] = {NULL, "\"X\"", NULL, "2", NULL, "200000"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct buffer said = {0};

        evaluate(texts[i], &said);
        if (thens[i] != NULL)
            assert_text(texts[i], &said, thens[i]);
        buffer_free(&said);
    }
}

static void the_longest_expression_is_4096_bytes(void **state)
{
    char *text = malloc(EXPR_TEXT_MAX + 2);
    struct expr *expr = NULL;
    struct baton_error err;

    (void)state;
    assert_non_null(text);
    memset(text, ' ', EXPR_TEXT_MAX + 1);
    text[0] = '1';
    assert_int_equal(expr_compile(vm, text, EXPR_TEXT_MAX, &expr, NULL, &err), BATON_OK);
    expr_free(vm, expr);
    assert_int_equal(expr_compile(vm, text, EXPR_TEXT_MAX + 1, &expr, NULL, &err), BATON_E_INVALID);
    assert_string_equal(err.text, "an expression of 4097 bytes, the limit is 4096");
    assert_int_equal(expr_compile(vm, "a\0b", 3, &expr, NULL, &err), BATON_E_INVALID);
    free(text);
}

static const struct field_row {
    const char *name;
    const char *text;
    const char *then; /* NULL = compiles */
} field_rows[] = {
    {"exactly one expression", "${input.yes}", NULL},
    {"text before it is refused", "x${input.yes}", "nothing before or after it"},
    {"text after it is refused", "${input.yes} ", "nothing before or after it"},
    {"no expression is refused", "yes", "nothing before or after it"},
    {"an empty text is refused", "", "nothing before or after it"},
    {"two expressions are refused", "${input.yes} and ${input.no}", "')' expected near '}'"},
};

static void check_field(void **state)
{
    const struct field_row *row = *state;
    struct expr *expr = NULL;
    struct baton_error err = {BATON_OK, ""};
    enum baton_err rc = expr_compile_field(vm, row->text, &expr, NULL, &err);

    assert_int_equal(rc, row->then == NULL ? BATON_OK : BATON_E_INVALID);
    if (row->then != NULL && strstr(err.text, row->then) == NULL)
        fail_msg("%s: %s", row->text, err.text);
    expr_free(vm, expr);
}

static const struct truth_row {
    const char *name;
    const char *text;
    bool then;
} truth_rows[] = {
    {"nil is false", "input.no", false},   {"null is false", "input.none", false}, {"false is false", "not input.yes", false},
    {"zero is true", "0", true},           {"the empty text is true", "''", true}, {"an empty object is true", "input.empty", true},
};

static void check_truth(void **state)
{
    const struct truth_row *row = *state;
    struct expr *expr = NULL;
    bool truth = !row->then;

    assert_int_equal(expr_compile(vm, row->text, strlen(row->text), &expr, NULL, NULL), BATON_OK);
    assert_int_equal(expr_eval_bool(vm, expr, &scope, &truth, NULL), BATON_OK);
    assert_int_equal(truth, row->then);
    expr_free(vm, expr);
}

static const struct reference_row {
    const char *name;
    const char *text;
    const char *then;
} reference_rows[] = {
    {"a plain path is guarded by itself", "steps.a.output.x", "a.output@1 guarded"},
    {"a bare use is not", "steps.a.output.x + 1", "a.output@1"},
    {"an `or` guards", "(steps.a.output.x or 0) + 1", "a.output@2 guarded"},
    {"each is told", "steps.a.output .. steps['b'].status", "a.output@1 b.status@19"},
    {"columns count characters", "'\xc3\xa9' .. steps.a.error.code", "a.error@8"},
    {"a text is no reference", "'steps.a.output'", ""},
    {"a comment is no reference", "1 -- steps.a.output", ""},
    {"a member called steps is none", "input.steps.a.output .. ''", ""},
};

static void check_references(void **state)
{
    const struct reference_row *row = *state;
    struct expr_reference found[8];
    struct expr *expr = NULL;
    struct buffer said = {0};

    assert_int_equal(expr_compile(vm, row->text, strlen(row->text), &expr, NULL, NULL), BATON_OK);
    for (size_t i = 0, n = expr_references(expr, found, 8); i < n; i++)
        say(&said, "%s%s.%s@%d%s", i == 0 ? "" : " ", found[i].step, found[i].field, found[i].column, found[i].guarded ? " guarded" : "");
    assert_text(row->text, &said, row->then);
    buffer_free(&said);
    expr_free(vm, expr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_evaluation_leaves_nothing_for_the_next),
        cmocka_unit_test(the_longest_expression_is_4096_bytes),
    };
    int failed = open_vm(NULL) + RUN_ROWS(expr_rows, check_expr) + RUN_ROWS(field_rows, check_field) +
                 RUN_ROWS(truth_rows, check_truth) + RUN_ROWS(reference_rows, check_references) + cmocka_run_group_tests(tests, NULL, NULL);

    (void)close_vm(NULL);
    return failed;
}

/*
 * expr.c -- one expression: the fast path for plain paths, what it refers to, Lua for the rest.
 *
 * Owns:     struct expr; the check of names.
 * Tests:    tests/core/test_expr.c
 */
#include "expr_lua.h"
#include <baton/definition.h>
#include <ctype.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENTS_MAX 16
#define LOCALS_MAX 256 /* more than Lua takes */

const struct json_limits expr_result_limits = {4 * JSON_BYTES_MAX, 4 * JSON_DEPTH_MAX, 4 * JSON_VALUES_MAX};

enum root { ROOT_INPUT, ROOT_STEPS, ROOT_SAGA, ROOT_ITEM, ROOT_INDEX, ROOT_BODY, ROOT_HEADERS, ROOT_COUNT };
static const char *const root_names[ROOT_COUNT] = {"input", "steps", "saga", "item", "index", "body", "headers"};

struct segment {
    char *key;    /* owned; NULL = element */
    size_t index; /* 0-based */
};

struct expr {
    bool plain; /* a path; else lua_ref */
    enum root root;
    struct segment segments[SEGMENTS_MAX];
    size_t segments_len;
    int lua_ref;
    bool item; /* it looks at `item` or `index` */
    struct expr_reference *references;
    size_t references_len;
};

/* --- a small scanner of Lua's tokens --- */

enum token_kind { TOKEN_END, TOKEN_NAME, TOKEN_STRING, TOKEN_OTHER };

struct scanner {
    const char *text;
    size_t len, at;
    enum token_kind kind;
    size_t from, to; /* of the token */
};

/* The end of `[[...]]` or `[==[...]==]` that opens at `at`; `at` itself if none opens there. */
static size_t long_bracket(const struct scanner *scanner, size_t at)
{
    size_t level = 0, from = at + 1;

    while (from < scanner->len && scanner->text[from] == '=') {
        from++;
        level++;
    }
    if (from >= scanner->len || scanner->text[from] != '[')
        return at;
    for (size_t i = from + 1; i < scanner->len; i++) {
        size_t n = 0;

        if (scanner->text[i] != ']')
            continue;
        while (i + 1 + n < scanner->len && scanner->text[i + 1 + n] == '=')
            n++;
        if (n == level && i + 1 + n < scanner->len && scanner->text[i + 1 + n] == ']')
            return i + n + 2;
    }
    return scanner->len;
}

static bool is_name_char(char c, bool first)
{
    return c == '_' || isalpha((unsigned char)c) || (!first && isdigit((unsigned char)c));
}

static void scan(struct scanner *scanner)
{
    const char *text = scanner->text;
    size_t at = scanner->at, len = scanner->len;

    for (;;) {
        while (at < len && isspace((unsigned char)text[at]))
            at++;
        if (at + 1 >= len || text[at] != '-' || text[at + 1] != '-')
            break;
        at += 2;
        if (at < len && text[at] == '[' && long_bracket(scanner, at) > at) {
            at = long_bracket(scanner, at);
            continue;
        }
        while (at < len && text[at] != '\n')
            at++;
    }
    scanner->from = at;
    if (at >= len) {
        scanner->kind = TOKEN_END;
    } else if (is_name_char(text[at], true)) {
        scanner->kind = TOKEN_NAME;
        while (at < len && is_name_char(text[at], false))
            at++;
    } else if (text[at] == '"' || text[at] == '\'') {
        char quote = text[at++];

        scanner->kind = TOKEN_STRING;
        while (at < len && text[at] != quote)
            at += text[at] == '\\' ? 2 : 1;
        at = at < len ? at + 1 : len;
    } else if (text[at] == '[' && long_bracket(scanner, at) > at) {
        scanner->kind = TOKEN_STRING;
        at = long_bracket(scanner, at);
    } else if (isdigit((unsigned char)text[at])) {
        scanner->kind = TOKEN_OTHER;
        while (at < len && (is_name_char(text[at], false) || text[at] == '.'))
            at++;
    } else {
        scanner->kind = TOKEN_OTHER;
        while (text[at++] == '.' && at < len && text[at] == '.') { /* `..` concatenates, `...` are arguments */
        }
    }
    scanner->to = scanner->at = at;
}

static bool token_is(const struct scanner *scanner, const char *text)
{
    return scanner->to - scanner->from == strlen(text) && memcmp(scanner->text + scanner->from, text, strlen(text)) == 0;
}

static int column_of(const struct scanner *scanner, size_t offset)
{
    int column = 1;

    for (size_t i = 0; i < offset; i++)
        column += ((unsigned char)scanner->text[i] & 0xc0) != 0x80;
    return column;
}

/* Of the token at or after offset. */
static int column_of_token(const char *text, size_t len, size_t offset)
{
    struct scanner scanner = {.text = text, .len = len};

    for (scan(&scanner); scanner.kind != TOKEN_END && scanner.to <= offset; scan(&scanner)) {
    }
    return column_of(&scanner, scanner.from);
}

static bool in_list(const struct scanner *scanner, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (token_is(scanner, *names))
            return true;
    }
    return false;
}

/* --- plain paths --- */

static bool add_segment(struct expr *expr, const char *key, size_t len, size_t index)
{
    struct segment *segment = &expr->segments[expr->segments_len];

    if (expr->segments_len == SEGMENTS_MAX)
        return false;
    if (key != NULL) {
        segment->key = strndup(key, len);
        if (segment->key == NULL)
            return false;
    }
    segment->index = index;
    expr->segments_len++;
    return true;
}

/* `[12]` or `["key"]` after the scanner's `[`. */
static bool bracket_segment(struct expr *expr, struct scanner *scanner)
{
    const char *text = scanner->text;
    bool fine = false;

    scan(scanner);
    if (scanner->kind == TOKEN_STRING && text[scanner->from] == '"' && scanner->to - scanner->from >= 2 &&
        memchr(text + scanner->from, '\\', scanner->to - scanner->from) == NULL) {
        fine = add_segment(expr, text + scanner->from + 1, scanner->to - scanner->from - 2, 0);
    } else if (scanner->kind == TOKEN_OTHER && scanner->to - scanner->from <= 6) {
        size_t index = 0;

        for (size_t i = scanner->from; i < scanner->to; i++) {
            if (!isdigit((unsigned char)text[i]))
                return false;
            index = index * 10 + (size_t)(text[i] - '0');
        }
        fine = index >= 1 && add_segment(expr, NULL, 0, index - 1);
    }
    scan(scanner);
    return fine && scanner->kind == TOKEN_OTHER && token_is(scanner, "]");
}

/* True if the whole text is one path; segments may be left over where it is not. */
static bool parse_path(struct expr *expr, const char *text, size_t len)
{
    struct scanner scanner = {.text = text, .len = len};
    int root = -1;

    scan(&scanner);
    for (int i = 0; i < ROOT_COUNT && scanner.kind == TOKEN_NAME; i++) {
        if (token_is(&scanner, root_names[i]))
            root = i;
    }
    if (root < 0)
        return false;
    expr->root = (enum root)root;
    for (scan(&scanner); scanner.kind != TOKEN_END; scan(&scanner)) {
        if (scanner.kind != TOKEN_OTHER)
            return false;
        if (token_is(&scanner, ".")) {
            scan(&scanner);
            if (scanner.kind != TOKEN_NAME || !add_segment(expr, text + scanner.from, scanner.to - scanner.from, 0))
                return false;
        } else if (!token_is(&scanner, "[") || !bracket_segment(expr, &scanner)) {
            return false;
        }
    }
    /* steps and a step are not values; Lua says so. */
    return root != ROOT_STEPS || (expr->segments_len >= 2 && expr->segments[0].key != NULL && expr->segments[1].key != NULL);
}

const char *const expr_step_fields[EXPR_STEP_FIELDS] = {"output", "error", "status", "fallback"};

static json_t *root_value(const struct expr *expr, const struct expr_scope *scope, size_t *ret_used)
{
    const char *key = expr->segments_len > 0 ? expr->segments[0].key : NULL;

    *ret_used = 0;
    switch (expr->root) {
    case ROOT_INPUT: return json_incref(scope->input);
    case ROOT_ITEM: return json_incref(scope->item);
    case ROOT_BODY: return json_incref(scope->body);
    case ROOT_HEADERS: return json_incref(scope->headers);
    case ROOT_INDEX: return scope->index < 0 ? NULL : json_integer(scope->index);
    case ROOT_SAGA:
        *ret_used = 1;
        if (key == NULL)
            return expr->segments_len > 0 ? NULL
                                          : json_pack("{s:s, s:s, s:I}", "id", scope->saga_id, "type", scope->saga_type, "version",
                                                      (json_int_t)scope->saga_version);
        if (strcmp(key, "id") == 0)
            return json_string(scope->saga_id);
        if (strcmp(key, "type") == 0)
            return json_string(scope->saga_type);
        return strcmp(key, "version") == 0 ? json_integer(scope->saga_version) : NULL;
    case ROOT_STEPS:
        *ret_used = 2;
        for (int i = 0; i < EXPR_STEP_FIELDS; i++) {
            if (strcmp(expr->segments[1].key, expr_step_fields[i]) == 0)
                return scope->step == NULL ? NULL : scope->step(scope->step_context, key, (enum expr_step_field)i);
        }
        return NULL;
    case ROOT_COUNT: break;
    }
    return NULL;
}

static json_t *eval_path(const struct expr *expr, const struct expr_scope *scope)
{
    size_t at = 0;
    json_t *value = root_value(expr, scope, &at);

    for (; value != NULL && at < expr->segments_len; at++) {
        const struct segment *segment = &expr->segments[at];
        json_t *inner = json_incref(segment->key != NULL ? json_object_get(value, segment->key)
                                                         : json_array_get(value, segment->index));

        json_decref(value);
        value = inner;
    }
    return value == NULL ? json_null() : value;
}

/* --- names --- */

struct locals {
    size_t from[LOCALS_MAX], to[LOCALS_MAX];
    size_t len;
};

static void add_local(struct locals *locals, const struct scanner *scanner)
{
    if (locals->len < LOCALS_MAX) {
        locals->from[locals->len] = scanner->from;
        locals->to[locals->len++] = scanner->to;
    }
}

static bool is_local(const struct locals *locals, const struct scanner *scanner)
{
    for (size_t i = 0; i < locals->len; i++) {
        size_t len = locals->to[i] - locals->from[i];

        if (len == scanner->to - scanner->from && memcmp(scanner->text + locals->from[i], scanner->text + scanner->from, len) == 0)
            return true;
    }
    return false;
}

/* Names that functions inside the expression bring in: parameters, locals, loop variables. Scopes are not told apart: what
 * slips through is an error at run time. */
static void find_locals(const char *text, size_t len, struct locals *locals)
{
    struct scanner scanner = {.text = text, .len = len};
    bool naming = false;

    for (scan(&scanner); scanner.kind != TOKEN_END; scan(&scanner)) {
        if (scanner.kind == TOKEN_NAME && (token_is(&scanner, "function") || token_is(&scanner, "local") || token_is(&scanner, "for")))
            naming = true;
        else if (scanner.kind == TOKEN_NAME && token_is(&scanner, "in"))
            naming = false;
        else if (scanner.kind == TOKEN_NAME && naming)
            add_local(locals, &scanner);
        else if (scanner.kind == TOKEN_OTHER && (token_is(&scanner, ")") || token_is(&scanner, "=")))
            naming = false;
    }
}

static enum baton_err unknown_name(const struct scanner *scanner, struct expr_error_place *place, struct baton_error *err)
{
    char name[72];
    const char *near = NULL;
    size_t count = 0;

    (void)snprintf(name, sizeof name, "%.*s", (int)(scanner->to - scanner->from), scanner->text + scanner->from);
    while (expr_lua_globals[count] != NULL)
        count++;
    near = nearest_name(name, expr_lua_globals, count);
    if (place != NULL)
        place->column = column_of(scanner, scanner->from);
    if (near != NULL)
        return baton_fail(err, BATON_E_INVALID, "unknown name '%s'; did you mean '%s'?", name, near);
    return baton_fail(err, BATON_E_INVALID, "unknown name '%s'; expressions see input, steps, saga and a few functions", name);
}

static enum baton_err check_names(const char *text, size_t len, struct expr_error_place *place, struct baton_error *err)
{
    static const char *const keywords[] = {"and",   "break", "do",  "else", "elseif", "end",    "false", "for",  "function", "goto", "if", "in",
                                           "local", "nil",   "not", "or",   "repeat", "return", "then",  "true", "until",    "while", NULL};
    struct scanner scanner = {.text = text, .len = len}, ahead;
    struct locals locals = {.len = 0};
    bool after_dot = false, in_table_place = false;
    int open = 0;

    find_locals(text, len, &locals);
    for (scan(&scanner); scanner.kind != TOKEN_END; scan(&scanner)) {
        if (scanner.kind == TOKEN_OTHER)
            open += token_is(&scanner, "(") - token_is(&scanner, ")");
        if (open < 0) { /* it would close the one that the compiler puts around the text */
            if (place != NULL)
                place->column = column_of(&scanner, scanner.from);
            return baton_fail(err, BATON_E_INVALID, "')' without its '('");
        }
        if (scanner.kind == TOKEN_OTHER && scanner.to - scanner.from >= 3 && text[scanner.from] == '.') { /* every call would copy them all, for the price of one instruction */
            if (place != NULL)
                place->column = column_of(&scanner, scanner.from);
            return baton_fail(err, BATON_E_INVALID, "'...' cannot be used here: name the parameters, or hand over a table");
        }
        if (scanner.kind == TOKEN_NAME && !after_dot && !in_list(&scanner, keywords) && !in_list(&scanner, expr_lua_globals) &&
            !is_local(&locals, &scanner)) {
            ahead = scanner;
            scan(&ahead);
            /* {name = value}: a field, not a variable */
            if (!(in_table_place && ahead.kind == TOKEN_OTHER && token_is(&ahead, "=")))
                return unknown_name(&scanner, place, err);
        }
        after_dot = scanner.kind == TOKEN_OTHER && (token_is(&scanner, ".") || token_is(&scanner, ":"));
        in_table_place = scanner.kind == TOKEN_OTHER &&
                         (token_is(&scanner, "{") || token_is(&scanner, ",") || token_is(&scanner, ";"));
    }
    return BATON_OK;
}

/* --- references to steps --- */

static bool is_guard(const struct scanner *scanner)
{
    static const char *const guards[] = {"or", "and", "if", "nil", "not", NULL};

    return scanner->kind == TOKEN_NAME && in_list(scanner, guards);
}

static bool guarded_somewhere(const char *text, size_t len)
{
    struct scanner scanner = {.text = text, .len = len};

    for (scan(&scanner); scanner.kind != TOKEN_END; scan(&scanner)) {
        if (is_guard(&scanner))
            return true;
    }
    return false;
}

static void take_name(char *out, size_t max, const struct scanner *scanner)
{
    size_t from = scanner->from, len = scanner->to - scanner->from;

    if (scanner->kind == TOKEN_STRING && len >= 2) {
        from++;
        len -= 2;
    }
    if (len >= max)
        len = max - 1;
    memcpy(out, scanner->text + from, len);
    out[len] = '\0';
}

/* `.name` or `["name"]` */
static bool member(struct scanner *scanner, char *out, size_t max)
{
    struct scanner start = *scanner;

    scan(scanner);
    if (scanner->kind == TOKEN_OTHER && token_is(scanner, ".")) {
        scan(scanner);
        if (scanner->kind == TOKEN_NAME) {
            take_name(out, max, scanner);
            return true;
        }
    } else if (scanner->kind == TOKEN_OTHER && token_is(scanner, "[")) {
        scan(scanner);
        if (scanner->kind == TOKEN_STRING) {
            take_name(out, max, scanner);
            scan(scanner);
            return true;
        }
    }
    *scanner = start;
    return false;
}

static bool find_references(struct expr *expr, const char *text, size_t len)
{
    struct scanner scanner = {.text = text, .len = len};
    bool guarded = expr->plain || guarded_somewhere(text, len), after_dot = false;

    for (scan(&scanner); scanner.kind != TOKEN_END; scan(&scanner)) {
        struct expr_reference reference = {.guarded = guarded};

        expr->item = expr->item || (scanner.kind == TOKEN_NAME && !after_dot && (token_is(&scanner, "item") || token_is(&scanner, "index")));
        if (scanner.kind == TOKEN_NAME && !after_dot && token_is(&scanner, "steps")) {
            reference.column = column_of(&scanner, scanner.from);
            if (member(&scanner, reference.step, sizeof reference.step)) {
                struct expr_reference *grown = NULL;

                (void)member(&scanner, reference.field, sizeof reference.field);
                if (expr->references_len == EXPR_REFERENCES_MAX)
                    return true;
                grown = realloc(expr->references, (expr->references_len + 1) * sizeof *grown);
                if (grown == NULL)
                    return false;
                expr->references = grown;
                expr->references[expr->references_len++] = reference;
            }
        }
        after_dot = scanner.kind == TOKEN_OTHER && token_is(&scanner, ".");
    }
    return true;
}

/* --- public --- */

enum baton_err expr_compile(struct expr_vm *vm, const char *text, size_t len, struct expr **ret_expr,
                            struct expr_error_place *place, struct baton_error *err)
{
    struct expr *expr = NULL;
    size_t offset = 0;
    enum baton_err rc = BATON_OK;

    if (place != NULL)
        *place = (struct expr_error_place){.column = 1};
    if (len > EXPR_TEXT_MAX)
        return baton_fail(err, BATON_E_INVALID, "an expression of %zu bytes, the limit is %d", len, EXPR_TEXT_MAX);
    if (memchr(text, '\0', len) != NULL)
        return baton_fail(err, BATON_E_INVALID, "an expression with a NUL character");
    expr = calloc(1, sizeof *expr);
    if (expr == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory for an expression");
    expr->lua_ref = LUA_NOREF;
    expr->plain = parse_path(expr, text, len);
    if (!expr->plain) {
        rc = expr_lua_compile(vm, text, len, &expr->lua_ref, &offset, err);
        if (rc == BATON_E_INVALID && place != NULL)
            place->column = column_of_token(text, len, offset);
        if (rc == BATON_OK)
            rc = check_names(text, len, place, err);
    }
    if (rc == BATON_OK && !find_references(expr, text, len))
        rc = baton_fail(err, BATON_E_NOMEM, "out of memory for an expression");
    if (rc != BATON_OK) {
        expr_free(vm, expr);
        return rc;
    }
    *ret_expr = expr;
    return BATON_OK;
}

enum baton_err expr_compile_field(struct expr_vm *vm, const char *text, struct expr **ret_expr,
                                  struct expr_error_place *place, struct baton_error *err)
{
    size_t len = strlen(text);
    enum baton_err rc = BATON_OK;

    if (place != NULL)
        *place = (struct expr_error_place){.column = 1};
    if (len < 3 || strncmp(text, "${", 2) != 0 || text[len - 1] != '}')
        return baton_fail(err, BATON_E_INVALID, "an expression \"${...}\" expected, nothing before or after it");
    rc = expr_compile(vm, text + 2, len - 3, ret_expr, place, err);
    if (rc != BATON_OK && place != NULL)
        place->column += 2;
    return rc;
}

void expr_free(struct expr_vm *vm, struct expr *expr)
{
    if (expr == NULL)
        return;
    for (size_t i = 0; i < expr->segments_len; i++)
        free(expr->segments[i].key);
    if (expr->lua_ref != LUA_NOREF)
        expr_lua_release(vm, expr->lua_ref);
    free(expr->references);
    free(expr);
}

enum baton_err expr_eval(struct expr_vm *vm, const struct expr *expr, const struct expr_scope *scope, json_t **ret_value,
                         struct baton_error *err)
{
    enum baton_err rc = BATON_OK;

    if (expr->plain) {
        *ret_value = eval_path(expr, scope); /* a part of something that is within the limits */
        return BATON_OK;
    }
    rc = expr_lua_eval(vm, expr->lua_ref, scope, ret_value, err);
    if (rc == BATON_OK && !json_within(*ret_value, &expr_result_limits)) {
        json_decref(*ret_value);
        *ret_value = NULL;
        rc = baton_fail(err, BATON_E_INVALID, "the result is larger or deeper than a message may be");
    }
    return rc;
}

enum baton_err expr_eval_bool(struct expr_vm *vm, const struct expr *expr, const struct expr_scope *scope, bool *ret_value,
                              struct baton_error *err)
{
    json_t *value = NULL;
    enum baton_err rc = expr_eval(vm, expr, scope, &value, err);

    if (rc == BATON_OK)
        *ret_value = !json_is_null(value) && !json_is_false(value);
    json_decref(value);
    return rc;
}

size_t expr_references(const struct expr *expr, struct expr_reference *out, size_t max)
{
    for (size_t i = 0; i < expr->references_len && i < max; i++)
        out[i] = expr->references[i];
    return expr->references_len;
}

enum template_source expr_copies(const struct expr *expr, const char **ret_step)
{
    if (!expr->plain)
        return TEMPLATE_OTHER;
    if (expr->root == ROOT_INPUT && expr->segments_len == 0)
        return TEMPLATE_INPUT;
    if (expr->root != ROOT_STEPS || expr->segments_len != 2 || strcmp(expr->segments[1].key, "output") != 0)
        return TEMPLATE_OTHER;
    *ret_step = expr->segments[0].key;
    return TEMPLATE_OUTPUT;
}

bool expr_is_of_input(const struct expr *expr)
{
    return expr->plain && expr->root == ROOT_INPUT;
}

bool expr_uses_item(const struct expr *expr)
{
    return expr->item;
}

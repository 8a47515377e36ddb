/*
 * expr_lua.c -- Lua 5.4 in a sandbox over read-only JSON.
 *
 * Owns:     the environment an expression sees; budgets of instructions and memory; JSON views; Lua values -> JSON.
 * Never:    io, os, load, require, random, clock, addresses, hash order: equal scope gives equal result on every worker. No pattern
 *           matching: it can take exponential time inside one C call, which no instruction budget sees.
 * Tests:    tests/core/test_expr.c
 */
#include "expr_lua.h"
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define VIEW "baton.view"
#define ARRAY "baton.array"
#define HOOK_EVERY 1000
#define RESULT_DEPTH_MAX 64
#define COLLECT_EVERY 256 /* evaluations: views keep JSON alive that Lua does not count */

struct expr_vm {
    lua_State *lua;
    size_t used, budget; /* bytes */
    bool exhausted;      /* the budget said no, not malloc */
    int instructions;
    unsigned evaluations;
    const struct expr_scope *scope; /* of the evaluation under way */
    int environment;                /* registry reference */
};

const char *const expr_lua_globals[] = {
    "input", "steps", "saga",   "item",   "index",  "body",     "headers",  "math", "string", "table",
    "utf8",  "pairs", "ipairs", "select", "type",   "tostring", "tonumber", "error", "array",  NULL,
};

static struct expr_vm *vm_of(lua_State *lua)
{
    return *(struct expr_vm **)lua_getextraspace(lua);
}

static void *allocate(void *context, void *block, size_t old_size, size_t new_size)
{
    struct expr_vm *vm = context;
    void *moved = NULL;

    if (block == NULL)
        old_size = 0; /* then it is a kind of object, not a size */
    if (new_size == 0) {
        vm->used -= old_size;
        free(block);
        return NULL;
    }
    if (new_size > old_size && vm->used + (new_size - old_size) > vm->budget) {
        vm->exhausted = true;
        return NULL;
    }
    moved = realloc(block, new_size);
    if (moved != NULL)
        vm->used += new_size - old_size;
    return moved;
}

static void count_instructions(lua_State *lua, lua_Debug *debug)
{
    struct expr_vm *vm = vm_of(lua);

    (void)debug;
    vm->instructions += HOOK_EVERY;
    if (vm->instructions > EXPR_INSTRUCTIONS_MAX)
        (void)luaL_error(lua, "more than %d instructions", EXPR_INSTRUCTIONS_MAX);
}

/* --- JSON views: userdata over a borrowed-by-reference json_t --- */

static void push_json(lua_State *lua, json_t *value)
{
    json_t **view = NULL;

    if (!lua_checkstack(lua, 4))
        (void)luaL_error(lua, "too much on the stack");
    if (value == NULL) {
        lua_pushnil(lua);
        return;
    }
    switch (json_typeof(value)) {
    case JSON_NULL: lua_pushnil(lua); return;
    case JSON_TRUE: lua_pushboolean(lua, 1); return;
    case JSON_FALSE: lua_pushboolean(lua, 0); return;
    case JSON_INTEGER: lua_pushinteger(lua, json_integer_value(value)); return;
    case JSON_REAL: lua_pushnumber(lua, json_real_value(value)); return;
    case JSON_STRING: lua_pushlstring(lua, json_string_value(value), json_string_length(value)); return;
    case JSON_OBJECT:
    case JSON_ARRAY:
        view = lua_newuserdatauv(lua, sizeof(json_t *), 0);
        *view = NULL;
        luaL_setmetatable(lua, VIEW);
        *view = json_incref(value);
        return;
    }
}

static json_t *view_at(lua_State *lua, int index)
{
    json_t **view = luaL_testudata(lua, index, VIEW);

    return view == NULL ? NULL : *view;
}

static int view_gc(lua_State *lua)
{
    json_t **view = luaL_checkudata(lua, 1, VIEW);

    json_decref(*view);
    *view = NULL;
    return 0;
}

static int view_index(lua_State *lua)
{
    json_t *value = view_at(lua, 1);

    if (json_is_array(value) && lua_isinteger(lua, 2) && lua_tointeger(lua, 2) >= 1)
        push_json(lua, json_array_get(value, (size_t)lua_tointeger(lua, 2) - 1));
    else if (json_is_object(value) && lua_type(lua, 2) == LUA_TSTRING)
        push_json(lua, json_object_get(value, lua_tostring(lua, 2)));
    else
        lua_pushnil(lua);
    return 1;
}

static int view_length(lua_State *lua)
{
    json_t *value = view_at(lua, 1);

    lua_pushinteger(lua, (lua_Integer)(json_is_array(value) ? json_array_size(value) : json_object_size(value)));
    return 1;
}

static int view_equal(lua_State *lua)
{
    lua_pushboolean(lua, json_equal(view_at(lua, 1), view_at(lua, 2)));
    return 1;
}

static int view_write(lua_State *lua)
{
    return luaL_error(lua, "input and outputs cannot be changed");
}

/* --- steps.<name>.<field>: asked for when looked at --- */

static int step_index(lua_State *lua)
{
    static const char *const fields[] = {"output", "error", "status"};
    const struct expr_scope *scope = vm_of(lua)->scope;
    const char *name = lua_tostring(lua, lua_upvalueindex(1)), *field = lua_tostring(lua, 2);

    for (int i = 0; field != NULL && i < 3; i++) {
        if (strcmp(field, fields[i]) == 0 && scope->step != NULL) {
            json_t *value = scope->step(scope->step_context, name, (enum expr_step_field)i);

            push_json(lua, value);
            json_decref(value);
            return 1;
        }
    }
    lua_pushnil(lua);
    return 1;
}

static int steps_index(lua_State *lua)
{
    if (lua_type(lua, 2) != LUA_TSTRING) {
        lua_pushnil(lua);
        return 1;
    }
    lua_newtable(lua);
    lua_newtable(lua);
    lua_pushvalue(lua, 2);
    lua_pushcclosure(lua, step_index, 1);
    lua_setfield(lua, -2, "__index");
    lua_pushcfunction(lua, view_write);
    lua_setfield(lua, -2, "__newindex");
    (void)lua_setmetatable(lua, -2);
    return 1;
}

/* --- the functions that had to be made deterministic --- */

static int type_rank(lua_State *lua, int index)
{
    return lua_type(lua, index) == LUA_TNUMBER ? 0 : lua_type(lua, index) == LUA_TSTRING ? 1 : 2;
}

static int key_less(lua_State *lua)
{
    int a = type_rank(lua, 1), b = type_rank(lua, 2);

    lua_pushboolean(lua, a != b ? a < b : a == 2 ? 0 : lua_compare(lua, 1, 2, LUA_OPLT));
    return 1;
}

/* The keys of the table or view at 1, ordered, as a new array on the stack. */
static void push_keys(lua_State *lua)
{
    json_t *value = view_at(lua, 1);
    lua_Integer n = 0;

    lua_newtable(lua);
    if (json_is_object(value)) {
        for (void *at = json_object_iter(value); at != NULL; at = json_object_iter_next(value, at)) {
            lua_pushstring(lua, json_object_iter_key(at));
            lua_rawseti(lua, -2, ++n);
        }
    } else if (json_is_array(value)) {
        for (size_t i = 1; i <= json_array_size(value); i++) {
            lua_pushinteger(lua, (lua_Integer)i);
            lua_rawseti(lua, -2, ++n);
        }
        return;
    } else {
        luaL_checktype(lua, 1, LUA_TTABLE);
        for (lua_pushnil(lua); lua_next(lua, 1) != 0; lua_pop(lua, 1)) {
            lua_pushvalue(lua, -2);
            lua_rawseti(lua, -4, ++n);
        }
    }
    /* table.sort(keys, key_less) */
    lua_rawgetp(lua, LUA_REGISTRYINDEX, (void *)(uintptr_t)key_less);
    lua_pushvalue(lua, -2);
    lua_pushcfunction(lua, key_less);
    lua_call(lua, 2, 0);
}

/* upvalues: subject, keys, position */
static int pairs_next(lua_State *lua)
{
    lua_Integer at = lua_tointeger(lua, lua_upvalueindex(3)) + 1;

    lua_pushinteger(lua, at);
    lua_replace(lua, lua_upvalueindex(3));
    if (lua_rawgeti(lua, lua_upvalueindex(2), at) == LUA_TNIL)
        return 1;
    lua_pushvalue(lua, -1);
    (void)lua_gettable(lua, lua_upvalueindex(1));
    return 2;
}

static int ordered_pairs(lua_State *lua)
{
    luaL_checkany(lua, 1);
    if (lua_isnil(lua, 1)) {
        lua_settop(lua, 0);
        lua_newtable(lua); /* a missing path has nothing to iterate over */
    }
    push_keys(lua);
    lua_pushvalue(lua, 1);
    lua_insert(lua, -2);
    lua_pushinteger(lua, 0);
    lua_pushcclosure(lua, pairs_next, 3);
    return 1;
}

static int ipairs_next(lua_State *lua)
{
    lua_Integer at = luaL_checkinteger(lua, 2) + 1;

    lua_pushinteger(lua, at);
    return lua_geti(lua, 1, at) == LUA_TNIL ? 1 : 2;
}

static int plain_ipairs(lua_State *lua)
{
    luaL_checkany(lua, 1);
    lua_pushcfunction(lua, ipairs_next);
    if (lua_isnil(lua, 1))
        lua_newtable(lua);
    else
        lua_pushvalue(lua, 1);
    lua_pushinteger(lua, 0);
    return 3;
}

static int plain_type(lua_State *lua)
{
    luaL_checkany(lua, 1);
    lua_pushstring(lua, view_at(lua, 1) != NULL ? "table" : luaL_typename(lua, 1));
    return 1;
}

static int plain_tostring(lua_State *lua)
{
    luaL_checkany(lua, 1);
    switch (lua_type(lua, 1)) {
    case LUA_TNUMBER:
    case LUA_TSTRING:
    case LUA_TBOOLEAN:
    case LUA_TNIL:
        (void)luaL_tolstring(lua, 1, NULL);
        break;
    default: /* never an address */
        lua_pushstring(lua, view_at(lua, 1) != NULL ? "table" : luaL_typename(lua, 1));
        break;
    }
    return 1;
}

/* string.find, plain only. */
static int plain_find(lua_State *lua)
{
    size_t len = 0, what_len = 0;
    const char *text = luaL_checklstring(lua, 1, &len), *what = luaL_checklstring(lua, 2, &what_len);
    lua_Integer from = luaL_optinteger(lua, 3, 1);
    const char *found = NULL;

    if (from < 0)
        from = (lua_Integer)len + from + 1;
    if (from < 1)
        from = 1;
    if ((size_t)from - 1 <= len)
        found = what_len == 0 ? text + from - 1 : memmem(text + from - 1, len - (size_t)from + 1, what, what_len);
    if (found == NULL) {
        lua_pushnil(lua);
        return 1;
    }
    lua_pushinteger(lua, found - text + 1);
    lua_pushinteger(lua, found - text + (lua_Integer)what_len);
    return 2;
}

/* string.format without %p (an address), and tables through tostring. Upvalue: the real one. */
static int plain_format(lua_State *lua)
{
    const char *format = luaL_checkstring(lua, 1);
    int n = lua_gettop(lua);

    for (const char *c = strchr(format, '%'); c != NULL; c = strchr(c + 1, '%')) {
        c += 1 + strspn(c + 1, "-+ #0123456789.");
        if (*c == 'p')
            return luaL_error(lua, "string.format knows no %%p here");
        if (*c == '\0')
            break;
    }
    for (int i = 2; i <= n; i++) {
        if (lua_istable(lua, i) || lua_isuserdata(lua, i) || lua_isfunction(lua, i))
            return luaL_argerror(lua, i, "a text, number or boolean expected");
    }
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    lua_call(lua, n, 1);
    return 1;
}

/* array(a, b, ...): a list that stays one when it is empty. */
static int make_array(lua_State *lua)
{
    int n = lua_gettop(lua);

    lua_createtable(lua, n, 0);
    luaL_setmetatable(lua, ARRAY);
    lua_insert(lua, 1);
    for (int i = n; i >= 1; i--)
        lua_rawseti(lua, 1, i);
    return 1;
}

static int nil_index(lua_State *lua)
{
    lua_pushnil(lua);
    return 1;
}

/* --- the environment --- */

static int environment_index(lua_State *lua)
{
    const struct expr_scope *scope = vm_of(lua)->scope;
    const char *name = lua_tostring(lua, 2);

    if (name == NULL || scope == NULL) {
        lua_pushnil(lua);
        return 1;
    }
    if (strcmp(name, "input") == 0) {
        push_json(lua, scope->input);
    } else if (strcmp(name, "item") == 0) {
        push_json(lua, scope->item);
    } else if (strcmp(name, "body") == 0) {
        push_json(lua, scope->body);
    } else if (strcmp(name, "headers") == 0) {
        push_json(lua, scope->headers);
    } else if (strcmp(name, "index") == 0) {
        if (scope->index < 0)
            lua_pushnil(lua);
        else
            lua_pushinteger(lua, scope->index);
    } else if (strcmp(name, "saga") == 0) {
        lua_createtable(lua, 0, 3);
        lua_pushstring(lua, scope->saga_id);
        lua_setfield(lua, -2, "id");
        lua_pushstring(lua, scope->saga_type);
        lua_setfield(lua, -2, "type");
        lua_pushinteger(lua, scope->saga_version);
        lua_setfield(lua, -2, "version");
    } else {
        return luaL_error(lua, "unknown name '%s'", name);
    }
    return 1;
}

static void copy_functions(lua_State *lua, const char *library, const char *const *names)
{
    (void)lua_getglobal(lua, library);
    lua_newtable(lua);
    for (; *names != NULL; names++) {
        (void)lua_getfield(lua, -2, *names);
        lua_setfield(lua, -2, *names);
    }
    lua_remove(lua, -2);
}

static void new_metatable(lua_State *lua, const char *name, const luaL_Reg *functions)
{
    (void)luaL_newmetatable(lua, name);
    luaL_setfuncs(lua, functions, 0);
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_pop(lua, 1);
}

static int build(lua_State *lua)
{
    static const char *const math_names[] = {"abs", "ceil", "floor", "fmod", "max", "min", "modf", "sqrt", "tointeger", "type",
                                             "ult", "huge", "maxinteger", "mininteger", "pi", NULL};
    static const char *const string_names[] = {"len", "sub", "upper", "lower", "rep", "reverse", "byte", "char", NULL};
    static const char *const table_names[] = {"concat", "insert", "remove", "unpack", "sort", NULL};
    static const char *const utf8_names[] = {"char", "codepoint", "len", "offset", NULL};
    static const char *const base_names[] = {"select", "tonumber", "error", NULL};
    static const luaL_Reg view_functions[] = {{"__index", view_index},    {"__len", view_length}, {"__eq", view_equal},
                                              {"__newindex", view_write}, {"__gc", view_gc},      {NULL, NULL}};
    static const luaL_Reg none[] = {{NULL, NULL}};

    luaL_requiref(lua, "_G", luaopen_base, 1);
    luaL_requiref(lua, "math", luaopen_math, 1);
    luaL_requiref(lua, "string", luaopen_string, 1);
    luaL_requiref(lua, "table", luaopen_table, 1);
    luaL_requiref(lua, "utf8", luaopen_utf8, 1);
    lua_settop(lua, 0);
    new_metatable(lua, VIEW, view_functions);
    new_metatable(lua, ARRAY, none);

    (void)lua_getglobal(lua, "table");
    (void)lua_getfield(lua, -1, "sort");
    lua_rawsetp(lua, LUA_REGISTRYINDEX, (void *)(uintptr_t)key_less);
    lua_settop(lua, 0);

    lua_newtable(lua); /* 1: the environment */
    for (const char *const *name = base_names; *name != NULL; name++) {
        (void)lua_getglobal(lua, *name);
        lua_setfield(lua, 1, *name);
    }
    lua_pushcfunction(lua, ordered_pairs);
    lua_setfield(lua, 1, "pairs");
    lua_pushcfunction(lua, plain_ipairs);
    lua_setfield(lua, 1, "ipairs");
    lua_pushcfunction(lua, plain_type);
    lua_setfield(lua, 1, "type");
    lua_pushcfunction(lua, plain_tostring);
    lua_setfield(lua, 1, "tostring");
    lua_pushcfunction(lua, make_array);
    lua_setfield(lua, 1, "array");
    copy_functions(lua, "math", math_names);
    lua_setfield(lua, 1, "math");
    copy_functions(lua, "table", table_names);
    lua_setfield(lua, 1, "table");
    copy_functions(lua, "utf8", utf8_names);
    lua_setfield(lua, 1, "utf8");
    copy_functions(lua, "string", string_names); /* 2 */
    lua_pushcfunction(lua, plain_find);
    lua_setfield(lua, 2, "find");
    (void)lua_getglobal(lua, "string");
    (void)lua_getfield(lua, -1, "format");
    lua_pushcclosure(lua, plain_format, 1);
    lua_setfield(lua, 2, "format");
    lua_pop(lua, 1);
    /* ("x"):upper() goes through the metatable of strings: the same few functions. */
    lua_pushliteral(lua, "");
    lua_newtable(lua);
    lua_pushvalue(lua, 2);
    lua_setfield(lua, -2, "__index");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    (void)lua_setmetatable(lua, -2);
    lua_pop(lua, 1);
    lua_setfield(lua, 1, "string");
    /* A missing path is nil all the way. */
    lua_pushnil(lua);
    lua_newtable(lua);
    lua_pushcfunction(lua, nil_index);
    lua_setfield(lua, -2, "__index");
    (void)lua_setmetatable(lua, -2);
    lua_pop(lua, 1);

    lua_newtable(lua); /* steps */
    lua_newtable(lua);
    lua_pushcfunction(lua, steps_index);
    lua_setfield(lua, -2, "__index");
    lua_pushcfunction(lua, view_write);
    lua_setfield(lua, -2, "__newindex");
    (void)lua_setmetatable(lua, -2);
    lua_setfield(lua, 1, "steps");

    lua_newtable(lua);
    lua_pushcfunction(lua, environment_index);
    lua_setfield(lua, -2, "__index");
    lua_pushcfunction(lua, view_write);
    lua_setfield(lua, -2, "__newindex");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    (void)lua_setmetatable(lua, 1);
    lua_settop(lua, 1);
    vm_of(lua)->environment = luaL_ref(lua, LUA_REGISTRYINDEX);
    return 0;
}

struct expr_vm *expr_vm_new(void)
{
    struct expr_vm *vm = calloc(1, sizeof *vm);

    if (vm == NULL)
        return NULL;
    vm->budget = SIZE_MAX / 2;
    vm->lua = lua_newstate(allocate, vm);
    if (vm->lua == NULL) {
        free(vm);
        return NULL;
    }
    *(struct expr_vm **)lua_getextraspace(vm->lua) = vm;
    lua_pushcfunction(vm->lua, build);
    if (lua_pcall(vm->lua, 0, 0, 0) != LUA_OK) {
        expr_vm_free(vm);
        return NULL;
    }
    return vm;
}

void expr_vm_free(struct expr_vm *vm)
{
    if (vm == NULL)
        return;
    lua_close(vm->lua);
    free(vm);
}

/* --- compile --- */

struct feed { /* hands out one byte at a time, so that where the parser stopped is known */
    const char *prefix, *text, *suffix;
    size_t len, given;
    int stage;
};

static const char *feed_next(lua_State *lua, void *context, size_t *ret_len)
{
    struct feed *feed = context;

    (void)lua;
    if (feed->stage == 0) {
        feed->stage = 1;
        *ret_len = strlen(feed->prefix);
        return feed->prefix;
    }
    if (feed->stage == 1) {
        if (feed->given < feed->len) {
            *ret_len = 1;
            return feed->text + feed->given++;
        }
        feed->stage = 2;
        *ret_len = strlen(feed->suffix);
        return feed->suffix;
    }
    *ret_len = 0;
    return NULL;
}

static int column_at(const char *text, size_t offset)
{
    int column = 1;

    for (size_t i = 0; i < offset; i++)
        column += ((unsigned char)text[i] & 0xc0) != 0x80;
    return column;
}

/* Lua says `expression:1: unexpected symbol near ')'`: only what follows the place is of use. */
static const char *plain_message(const char *message)
{
    static const char chunk[] = "expression:";
    const char *at = strncmp(message, chunk, sizeof chunk - 1) == 0 ? strchr(message + sizeof chunk - 1, ':') : NULL;

    return at == NULL ? message : at + 1 + (at[1] == ' ');
}

enum baton_err expr_lua_compile(struct expr_vm *vm, const char *text, size_t len, int *ret_ref, int *ret_column,
                                struct baton_error *err)
{
    /* The parentheses make it one expression: no statement can hide behind it. */
    struct feed feed = {.prefix = "return (", .text = text, .len = len, .suffix = "\n)"};
    lua_State *lua = vm->lua;
    int rc = LUA_OK;

    vm->budget = SIZE_MAX / 2;
    rc = lua_load(lua, feed_next, &feed, "=expression", "t");
    if (rc == LUA_OK) {
        (void)lua_rawgeti(lua, LUA_REGISTRYINDEX, vm->environment);
        (void)lua_setupvalue(lua, -2, 1);
        *ret_ref = luaL_ref(lua, LUA_REGISTRYINDEX);
        return BATON_OK;
    }
    if (rc == LUA_ERRMEM) {
        lua_settop(lua, 0);
        return baton_fail(err, BATON_E_NOMEM, "out of memory for an expression");
    }
    *ret_column = column_at(text, feed.given > 0 ? feed.given - 1 : 0);
    (void)baton_fail(err, BATON_E_INVALID, "%s", plain_message(lua_tostring(lua, -1)));
    lua_settop(lua, 0);
    return BATON_E_INVALID;
}

void expr_lua_release(struct expr_vm *vm, int ref)
{
    luaL_unref(vm->lua, LUA_REGISTRYINDEX, ref);
}

/* --- result: Lua -> JSON --- */

static bool utf8_valid(const char *text, size_t len)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + len;

    while (at < end) {
        size_t more = *at < 0x80 ? 0 : *at >= 0xc2 && *at < 0xe0 ? 1 : (*at & 0xf0) == 0xe0 ? 2 : *at >= 0xf0 && *at < 0xf5 ? 3 : 9;

        if (*at == 0 || more == 9 || (size_t)(end - at) <= more)
            return false;
        if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f) || (*at == 0xf0 && at[1] < 0x90) ||
            (*at == 0xf4 && at[1] > 0x8f))
            return false;
        for (size_t i = 1; i <= more; i++) {
            if ((at[i] & 0xc0) != 0x80)
                return false;
        }
        at += more + 1;
    }
    return true;
}

static json_t *to_json(lua_State *lua, int index, int depth);

/* A list has the keys 1..n; an object has texts; the two do not mix. */
static json_t *table_to_json(lua_State *lua, int index, int depth)
{
    lua_Integer n = (lua_Integer)lua_rawlen(lua, index), keys = 0;
    bool list = n > 0, tagged = false;
    json_t *value = NULL;

    if (lua_getmetatable(lua, index)) {
        (void)luaL_getmetatable(lua, ARRAY);
        tagged = lua_rawequal(lua, -1, -2);
        lua_pop(lua, 2);
        if (!tagged) {
            (void)luaL_error(lua, "steps is not a value: name a step and its output");
        }
    }
    list = list || tagged;
    for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1)) {
        keys++;
        if (list ? !lua_isinteger(lua, -2) : lua_type(lua, -2) != LUA_TSTRING)
            (void)luaL_error(lua, "a table is either a list or has texts as keys");
    }
    if (list && keys != n)
        (void)luaL_error(lua, "a list has a hole");
    value = list ? json_array() : json_object();
    if (value == NULL)
        (void)luaL_error(lua, "out of memory");
    /* In a view, so that an error half-way frees it. */
    push_json(lua, value);
    json_decref(value);
    if (list) {
        for (lua_Integer i = 1; i <= n; i++) {
            (void)lua_rawgeti(lua, index, i);
            if (json_array_append_new(value, to_json(lua, lua_gettop(lua), depth + 1)) != 0)
                (void)luaL_error(lua, "out of memory");
            lua_pop(lua, 1);
        }
        return json_incref(value);
    }
    /* Ordered by key: a Lua table has no order that two workers share. */
    lua_pushcfunction(lua, ordered_pairs);
    lua_pushvalue(lua, index);
    lua_call(lua, 1, 1);
    for (;;) {
        lua_pushvalue(lua, -1);
        lua_call(lua, 0, 2);
        if (lua_isnil(lua, -2))
            break;
        const char *key = lua_tostring(lua, -2);
        if (!utf8_valid(key, lua_rawlen(lua, -2)))
            (void)luaL_error(lua, "a key is not valid UTF-8");
        if (json_object_set_new(value, key, to_json(lua, lua_gettop(lua), depth + 1)) != 0)
            (void)luaL_error(lua, "out of memory");
        lua_pop(lua, 2);
    }
    return json_incref(value);
}

static json_t *to_json(lua_State *lua, int index, int depth)
{
    json_t *view = view_at(lua, index);
    size_t len = 0;
    const char *text = NULL;

    if (depth > RESULT_DEPTH_MAX)
        (void)luaL_error(lua, "nested deeper than %d", RESULT_DEPTH_MAX);
    luaL_checkstack(lua, 12, "nested too deep");
    if (view != NULL)
        return json_incref(view);
    switch (lua_type(lua, index)) {
    case LUA_TNIL: return json_null();
    case LUA_TBOOLEAN: return json_boolean(lua_toboolean(lua, index));
    case LUA_TNUMBER:
        if (lua_isinteger(lua, index))
            return json_integer(lua_tointeger(lua, index));
        if (!isfinite(lua_tonumber(lua, index)))
            (void)luaL_error(lua, "the result is not a number that JSON can hold");
        return json_real(lua_tonumber(lua, index));
    case LUA_TSTRING:
        text = lua_tolstring(lua, index, &len);
        if (!utf8_valid(text, len))
            (void)luaL_error(lua, "the result is not valid UTF-8");
        return json_stringn(text, len);
    case LUA_TTABLE: return table_to_json(lua, index, depth);
    default: break;
    }
    (void)luaL_error(lua, "a %s is not a value that JSON can hold", luaL_typename(lua, index));
    return NULL;
}

/* 1 = the compiled function, 2 = where the result goes */
static int evaluate(lua_State *lua)
{
    json_t **result = lua_touserdata(lua, 2);

    lua_pushvalue(lua, 1);
    lua_call(lua, 0, 1);
    *result = to_json(lua, lua_gettop(lua), 0);
    return 0;
}

enum baton_err expr_lua_eval(struct expr_vm *vm, int ref, const struct expr_scope *scope, json_t **ret_value,
                             struct baton_error *err)
{
    lua_State *lua = vm->lua;
    json_t *result = NULL;
    int rc = LUA_OK;
    enum baton_err code = BATON_OK;

    if (++vm->evaluations % COLLECT_EVERY == 0 || vm->used > EXPR_MEMORY_MAX / 2)
        (void)lua_gc(lua, LUA_GCCOLLECT);
    vm->budget = vm->used + EXPR_MEMORY_MAX;
    vm->exhausted = false;
    vm->instructions = 0;
    vm->scope = scope;
    lua_sethook(lua, count_instructions, LUA_MASKCOUNT, HOOK_EVERY);
    lua_pushcfunction(lua, evaluate);
    (void)lua_rawgeti(lua, LUA_REGISTRYINDEX, ref);
    lua_pushlightuserdata(lua, &result);
    rc = lua_pcall(lua, 2, 0, 0);
    lua_sethook(lua, NULL, 0, 0);
    vm->scope = NULL;
    vm->budget = SIZE_MAX / 2;
    if (rc == LUA_OK && result != NULL) {
        *ret_value = result;
    } else if (rc == LUA_ERRMEM && vm->exhausted) {
        code = baton_fail(err, BATON_E_INVALID, "more than %d bytes of memory", EXPR_MEMORY_MAX);
    } else if (rc == LUA_OK || rc == LUA_ERRMEM) {
        code = baton_fail(err, BATON_E_NOMEM, "out of memory for an expression");
    } else {
        const char *message = lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : "an error that is not a text";

        code = baton_fail(err, BATON_E_INVALID, "%s", plain_message(message));
    }
    lua_settop(lua, 0);
    return code;
}

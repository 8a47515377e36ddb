/*
 * expr_library.c -- the functions an expression may call, and the environment in which it finds them.
 *
 * Owns:     what is let in of Lua's libraries, each call charged for what it does in C; `pairs` ordered by key; no address in a text.
 * Never:    io, os, load, require, random, clock, metatables, hash order. No pattern matching: it can take exponential time inside one
 *           call. Nothing here can be changed by an expression: what one evaluation does, the next cannot see.
 * Tests:    tests/core/test_expr.c
 */
#include "expr_lua.h"
#include "expr_vm.h"
#include <lualib.h>
#include <string.h>

#define SORT_COST 16   /* instructions for each element of what is sorted */
#define REPEATS_COST 16 /* repetitions for one instruction */

const char *const expr_lua_globals[] = {
    "input", "steps", "saga",   "item",   "index",  "body",     "headers",  "math", "string", "table",
    "utf8",  "pairs", "ipairs", "select", "type",   "tostring", "tonumber", "error", "array",  NULL,
};

/* --- made deterministic --- */

/* Numbers before texts. */
static int key_less(lua_State *lua)
{
    bool a = lua_type(lua, 1) == LUA_TSTRING, b = lua_type(lua, 2) == LUA_TSTRING;

    lua_pushboolean(lua, a != b ? b : lua_compare(lua, 1, 2, LUA_OPLT));
    return 1;
}

/* The keys of the table or view at 1, ordered, as a new array on the stack. */
static void push_keys(lua_State *lua)
{
    json_t *value = expr_view_at(lua, 1);
    lua_Integer n = 0;

    lua_newtable(lua);
    if (json_is_object(value)) {
        for (void *at = json_object_iter(value); at != NULL; at = json_object_iter_next(value, at)) {
            lua_pushstring(lua, json_object_iter_key(at));
            lua_rawseti(lua, -2, ++n);
        }
    } else if (json_is_array(value)) {
        expr_charge(lua, json_array_size(value));
        for (size_t i = 1; i <= json_array_size(value); i++) {
            lua_pushinteger(lua, (lua_Integer)i);
            lua_rawseti(lua, -2, ++n);
        }
        return;
    } else {
        luaL_checktype(lua, 1, LUA_TTABLE);
        if (!expr_is_plain_table(lua, 1))
            (void)luaL_error(lua, "steps and libraries cannot be gone through: name what is in them");
        for (lua_pushnil(lua); lua_next(lua, 1) != 0; lua_pop(lua, 1)) {
            if (lua_type(lua, -2) != LUA_TSTRING && lua_type(lua, -2) != LUA_TNUMBER)
                (void)luaL_error(lua, "a key that is neither a text nor a number has no order");
            lua_pushvalue(lua, -2);
            lua_rawseti(lua, -4, ++n);
        }
    }
    expr_charge(lua, (size_t)n * SORT_COST);
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

int expr_pairs(lua_State *lua)
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
    lua_pushstring(lua, expr_view_at(lua, 1) != NULL ? "table" : luaL_typename(lua, 1));
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
        lua_pushstring(lua, expr_view_at(lua, 1) != NULL ? "table" : luaL_typename(lua, 1));
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

    expr_charge(lua, expr_cost_of_bytes(len));
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

/* The values at a and b: does the first come before the second, by the function at 2 or by `<`? */
static bool comes_before(lua_State *lua, int a, int b)
{
    bool before = false;

    if (lua_isnoneornil(lua, 2))
        return lua_compare(lua, a, b, LUA_OPLT) != 0;
    lua_pushvalue(lua, 2);
    lua_pushvalue(lua, a);
    lua_pushvalue(lua, b);
    lua_call(lua, 2, 1);
    before = lua_toboolean(lua, -1) != 0;
    lua_pop(lua, 1);
    return before;
}

/* The sorted runs from..middle and middle+1..to of the table at `of` as one, into the one at `into`. */
static void merge(lua_State *lua, int of, int into, lua_Integer from, lua_Integer middle, lua_Integer to)
{
    lua_Integer left = from, right = middle + 1;
    int top = lua_gettop(lua);

    for (lua_Integer at = from; at <= to; at++) {
        (void)lua_rawgeti(lua, of, left);
        (void)lua_rawgeti(lua, of, right);
        if (left > middle || (right <= to && comes_before(lua, top + 2, top + 1))) {
            lua_rawseti(lua, into, at);
            right++;
        } else {
            lua_pushvalue(lua, top + 1);
            lua_rawseti(lua, into, at);
            left++;
        }
        lua_settop(lua, top);
    }
}

/* table.sort. Lua's own draws a pivot from the clock when its luck is bad, and then orders what is equal otherwise than another worker: this one leaves
 * equals as they stood. */
static int stable_sort(lua_State *lua)
{
    lua_Integer n = luaL_len(lua, 1);
    int of = 3, into = 4;

    lua_settop(lua, 2);
    if (!lua_isnil(lua, 2))
        luaL_checktype(lua, 2, LUA_TFUNCTION);
    expr_charge(lua, n > 0 ? (size_t)n * SORT_COST : 0);
    lua_newtable(lua);
    lua_newtable(lua);
    for (lua_Integer i = 1; i <= n; i++) {
        (void)lua_geti(lua, 1, i);
        lua_rawseti(lua, of, i);
    }
    for (lua_Integer width = 1; width < n; width *= 2) {
        for (lua_Integer from = 1; from <= n; from += 2 * width) {
            lua_Integer middle = from + width - 1 < n ? from + width - 1 : n;
            lua_Integer to = middle + width < n ? middle + width : n;

            merge(lua, of, into, from, middle, to);
        }
        lua_pushvalue(lua, of);
        lua_copy(lua, into, of);
        lua_replace(lua, into);
    }
    for (lua_Integer i = 1; i <= n; i++) {
        (void)lua_rawgeti(lua, of, i);
        lua_seti(lua, 1, i);
    }
    return 0;
}

/* array(a, b, ...): a list that stays one when it is empty. */
static int make_array(lua_State *lua)
{
    int n = lua_gettop(lua);

    lua_createtable(lua, n, 0);
    luaL_setmetatable(lua, EXPR_ARRAY);
    lua_insert(lua, 1);
    for (int i = n; i >= 1; i--)
        lua_rawseti(lua, 1, i);
    return 1;
}

/* --- let in --- */

/* A function of Lua's libraries, paid for: by its arguments before, by its results after. Upvalue: the function. */
static int charged(lua_State *lua)
{
    int n = lua_gettop(lua);

    for (int i = 1; i <= n; i++) {
        if (lua_type(lua, i) == LUA_TSTRING)
            expr_charge(lua, expr_cost_of_bytes(lua_rawlen(lua, i)));
        else if (lua_istable(lua, i))
            expr_charge(lua, lua_rawlen(lua, i));
        else if (expr_view_at(lua, i) != NULL)
            expr_charge(lua, json_array_size(expr_view_at(lua, i)));
    }
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    lua_call(lua, n, LUA_MULTRET);
    expr_charge(lua, (size_t)lua_gettop(lua));
    return lua_gettop(lua);
}

/* string.rep, paid for by the number too: an empty text repeats for nothing but time. Upvalue: the real one. */
static int charged_repeat(lua_State *lua)
{
    lua_Integer times = luaL_checkinteger(lua, 2);

    expr_charge(lua, times <= 0 ? 0 : (size_t)times / REPEATS_COST);
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    lua_call(lua, lua_gettop(lua) - 1, 1);
    return 1;
}

/* The table or userdata on the top can be read, not written, and its metatable not be had. */
static void seal(lua_State *lua, lua_CFunction index)
{
    lua_newtable(lua);
    lua_newtable(lua);
    if (index == NULL)
        lua_pushvalue(lua, -3);
    else
        lua_pushcfunction(lua, index);
    lua_setfield(lua, -2, "__index");
    lua_pushcfunction(lua, expr_read_only);
    lua_setfield(lua, -2, "__newindex");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    (void)lua_setmetatable(lua, -2);
    lua_remove(lua, -2);
}

/* Into the table on the top: these of the library's, functions charged. */
static void let_in(lua_State *lua, const char *library, const char *const *names)
{
    int to = lua_gettop(lua);

    (void)lua_getglobal(lua, library);
    for (; *names != NULL; names++) {
        (void)lua_getfield(lua, to + 1, *names);
        if (lua_isfunction(lua, -1)) {
            lua_pushcclosure(lua, charged, 1);
        }
        lua_setfield(lua, to, *names);
    }
    lua_settop(lua, to);
}

static void set_function(lua_State *lua, const char *name, lua_CFunction function)
{
    lua_pushcfunction(lua, function);
    lua_setfield(lua, -2, name);
}

/* Over what the library has under that name: the function with the real one as its upvalue. */
static void set_around(lua_State *lua, const char *name, lua_CFunction function)
{
    (void)lua_getfield(lua, -1, name);
    lua_pushcclosure(lua, function, 1);
    lua_setfield(lua, -2, name);
}

static int nil_index(lua_State *lua)
{
    lua_pushnil(lua);
    return 1;
}

/* The metatable of all values of the type of the one on the top; pops it. */
static void index_by(lua_State *lua, lua_CFunction index)
{
    lua_newtable(lua);
    lua_pushcfunction(lua, index);
    lua_setfield(lua, -2, "__index");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    (void)lua_setmetatable(lua, -2);
    lua_pop(lua, 1);
}

static void open_scalars(lua_State *lua)
{
    /* A missing path is nil all the way, and so is one that goes on where there is no object. */
    lua_pushnil(lua);
    index_by(lua, nil_index);
    lua_pushinteger(lua, 0);
    index_by(lua, nil_index);
    lua_pushboolean(lua, 0);
    index_by(lua, nil_index);
    (void)luaL_newmetatable(lua, EXPR_ARRAY);
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_pop(lua, 1);
}

static void open_string(lua_State *lua)
{
    static const char *const names[] = {"len", "sub", "upper", "lower", "rep", "reverse", "byte", "char", "format", NULL};

    lua_newtable(lua);
    let_in(lua, "string", names);
    set_around(lua, "rep", charged_repeat);
    set_around(lua, "format", plain_format);
    set_function(lua, "find", plain_find);
    /* ("x"):upper() goes through the metatable of texts: the same few functions. */
    lua_pushliteral(lua, "");
    lua_newtable(lua);
    lua_pushvalue(lua, -3);
    lua_setfield(lua, -2, "__index");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    (void)lua_setmetatable(lua, -2);
    lua_pop(lua, 1);
    seal(lua, NULL);
}

static void open_sealed(lua_State *lua, const char *library, const char *const *names, lua_CFunction sort)
{
    lua_newtable(lua);
    let_in(lua, library, names);
    if (sort != NULL)
        set_function(lua, "sort", sort);
    seal(lua, NULL);
    lua_setfield(lua, -2, library);
}

int expr_library_open(lua_State *lua)
{
    static const char *const math_names[] = {"abs", "ceil", "floor", "fmod", "max", "min", "modf", "sqrt", "tointeger", "type",
                                             "ult", "huge", "maxinteger", "mininteger", "pi", NULL};
    static const char *const table_names[] = {"concat", "insert", "remove", "unpack", NULL};
    static const char *const utf8_names[] = {"char", "codepoint", "len", "offset", NULL};
    static const char *const base_names[] = {"select", "tonumber", "error", NULL};

    luaL_requiref(lua, "_G", luaopen_base, 1);
    luaL_requiref(lua, "math", luaopen_math, 1);
    luaL_requiref(lua, "string", luaopen_string, 1);
    luaL_requiref(lua, "table", luaopen_table, 1);
    luaL_requiref(lua, "utf8", luaopen_utf8, 1);
    lua_settop(lua, 0);
    expr_view_open(lua);
    open_scalars(lua);
    (void)lua_getglobal(lua, "table");
    (void)lua_getfield(lua, -1, "sort");
    lua_rawsetp(lua, LUA_REGISTRYINDEX, (void *)(uintptr_t)key_less);
    lua_settop(lua, 0);

    lua_newtable(lua); /* what is the same for every evaluation */
    let_in(lua, "_G", base_names);
    set_function(lua, "pairs", expr_pairs);
    set_function(lua, "ipairs", plain_ipairs);
    set_function(lua, "type", plain_type);
    set_function(lua, "tostring", plain_tostring);
    set_function(lua, "array", make_array);
    open_sealed(lua, "math", math_names, NULL);
    open_sealed(lua, "table", table_names, stable_sort);
    open_sealed(lua, "utf8", utf8_names, NULL);
    open_string(lua);
    lua_setfield(lua, -2, "string");
    lua_newtable(lua);
    seal(lua, expr_steps_index);
    lua_setfield(lua, -2, "steps");
    /* The environment finds those, else the scope's variables. */
    lua_pushcclosure(lua, expr_scope_index, 1);
    lua_newtable(lua);
    lua_newtable(lua);
    lua_pushvalue(lua, 1);
    lua_setfield(lua, -2, "__index");
    lua_pushcfunction(lua, expr_read_only);
    lua_setfield(lua, -2, "__newindex");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    (void)lua_setmetatable(lua, -2);
    expr_vm_of(lua)->environment = luaL_ref(lua, LUA_REGISTRYINDEX);
    lua_settop(lua, 0);
    return 0;
}

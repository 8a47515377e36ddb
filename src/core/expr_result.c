/*
 * expr_result.c -- what an expression gives, as JSON.
 *
 * Owns:     which Lua values are JSON: no hole in a list, no NaN, no text that is not UTF-8; objects ordered by key, because a Lua
 *           table has no order that two workers share.
 * Tests:    tests/core/test_expr.c
 */
#include "expr_vm.h"
#include "utf8.h"
#include <math.h>

#define RESULT_DEPTH_MAX 64

static bool utf8_valid(const char *text, size_t len)
{
    for (size_t n = 0; len > 0; text += n, len -= n) {
        n = utf8_char(text, len);
        if (n == 0 || *text == '\0')
            return false;
    }
    return true;
}

bool expr_is_plain_table(lua_State *lua, int index)
{
    bool plain = true;

    if (lua_getmetatable(lua, index)) {
        (void)luaL_getmetatable(lua, EXPR_ARRAY);
        plain = lua_rawequal(lua, -1, -2);
        lua_pop(lua, 2);
    }
    return plain;
}

static json_t *to_json(lua_State *lua, int index, int depth);

/* Out of the view on the top. */
static json_t *take(lua_State *lua, json_t **view)
{
    json_t *value = *view;

    *view = NULL;
    lua_pop(lua, 1);
    return value;
}

/* A text of the result, copied out of Lua's memory into ours: its budget does not bind there. */
static void take_bytes(lua_State *lua, size_t len)
{
    struct expr_vm *vm = expr_vm_of(lua);

    expr_charge(lua, expr_cost_of_bytes(len));
    vm->result_bytes += len;
    if (vm->result_bytes > expr_result_limits.bytes_max)
        (void)luaL_error(lua, "the result is larger or deeper than a message may be");
}

/* A list has the keys 1..n; an object has texts; the two do not mix. */
static json_t *table_to_json(lua_State *lua, int index, int depth)
{
    lua_Integer n = (lua_Integer)lua_rawlen(lua, index), keys = 0;
    int top = lua_gettop(lua);
    bool list = n > 0, tagged = false;
    json_t **view = NULL, *value = NULL;

    if (lua_getmetatable(lua, index)) {
        tagged = true;
        lua_pop(lua, 1);
        if (!expr_is_plain_table(lua, index))
            (void)luaL_error(lua, "steps and libraries are not values: name what is in them");
    }
    list = list || tagged;
    for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1)) {
        keys++;
        if (list ? !lua_isinteger(lua, -2) : lua_type(lua, -2) != LUA_TSTRING)
            (void)luaL_error(lua, "a table is either a list or has texts as keys");
        if (list && (lua_tointeger(lua, -2) < 1 || lua_tointeger(lua, -2) > n))
            (void)luaL_error(lua, "a list has a hole");
    }
    if (list && keys != n)
        (void)luaL_error(lua, "a list has a hole");
    view = expr_view_new(lua); /* so that an error half-way frees it */
    *view = value = list ? json_array() : json_object();
    if (value == NULL)
        (void)luaL_error(lua, "out of memory");
    if (list) {
        for (lua_Integer i = 1; i <= n; i++) {
            (void)lua_rawgeti(lua, index, i);
            if (json_array_append_new(value, to_json(lua, lua_gettop(lua), depth + 1)) != 0)
                (void)luaL_error(lua, "out of memory");
            lua_pop(lua, 1);
        }
        lua_settop(lua, top + 1);
        return take(lua, view);
    }
    /* Ordered by key: a Lua table has no order that two workers share. */
    lua_pushcfunction(lua, expr_pairs);
    lua_pushvalue(lua, index);
    lua_call(lua, 1, 1);
    for (;;) {
        lua_pushvalue(lua, -1);
        lua_call(lua, 0, 2);
        if (lua_isnil(lua, -2))
            break;
        const char *key = lua_tostring(lua, -2);
        take_bytes(lua, lua_rawlen(lua, -2));
        if (!utf8_valid(key, lua_rawlen(lua, -2)))
            (void)luaL_error(lua, "a key is not valid UTF-8");
        if (json_object_set_new(value, key, to_json(lua, lua_gettop(lua), depth + 1)) != 0)
            (void)luaL_error(lua, "out of memory");
        lua_pop(lua, 2);
    }
    lua_settop(lua, top + 1);
    return take(lua, view);
}

static json_t *to_json(lua_State *lua, int index, int depth)
{
    json_t *view = expr_view_at(lua, index);
    size_t len = 0;
    const char *text = NULL;

    if (depth > RESULT_DEPTH_MAX)
        (void)luaL_error(lua, "nested deeper than %d", RESULT_DEPTH_MAX);
    luaL_checkstack(lua, 12, "nested too deep");
    expr_charge(lua, 1); /* a table may stand in the result more often than in memory */
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
        take_bytes(lua, len);
        if (!utf8_valid(text, len))
            (void)luaL_error(lua, "the result is not valid UTF-8");
        return json_stringn(text, len);
    case LUA_TTABLE: return table_to_json(lua, index, depth);
    default: break;
    }
    (void)luaL_error(lua, "a %s is not a value that JSON can hold", luaL_typename(lua, index));
    return NULL;
}

json_t *expr_result(lua_State *lua, int index)
{
    return to_json(lua, index, 0);
}

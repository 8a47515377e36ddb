/*
 * expr_view.c -- JSON and the saga as an expression sees them: read-only, looked up when looked at.
 *
 * Owns:     views (userdata over a json_t that they keep), `steps`, and the variables of the scope.
 * Tests:    tests/core/test_expr.c
 */
#include "expr_vm.h"
#include <string.h>

#define VIEW "baton.view"

json_t **expr_view_new(lua_State *lua)
{
    json_t **view = lua_newuserdatauv(lua, sizeof *view, 0);

    *view = NULL;
    luaL_setmetatable(lua, VIEW);
    return view;
}

void expr_view_push(lua_State *lua, json_t *value)
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
    case JSON_STRING:
        expr_charge(lua, expr_cost_of_bytes(json_string_length(value)));
        lua_pushlstring(lua, json_string_value(value), json_string_length(value));
        return;
    case JSON_OBJECT:
    case JSON_ARRAY:
        view = expr_view_new(lua);
        *view = json_incref(value);
        return;
    }
}

json_t *expr_view_at(lua_State *lua, int index)
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
    json_t *value = expr_view_at(lua, 1);

    if (json_is_array(value) && lua_isinteger(lua, 2) && lua_tointeger(lua, 2) >= 1) {
        expr_view_push(lua, json_array_get(value, (size_t)lua_tointeger(lua, 2) - 1));
    } else if (json_is_object(value) && lua_type(lua, 2) == LUA_TSTRING) {
        expr_charge(lua, expr_cost_of_bytes(lua_rawlen(lua, 2)));
        expr_view_push(lua, json_object_get(value, lua_tostring(lua, 2)));
    } else {
        lua_pushnil(lua);
    }
    return 1;
}

static int view_length(lua_State *lua)
{
    json_t *value = expr_view_at(lua, 1);

    lua_pushinteger(lua, (lua_Integer)(json_is_array(value) ? json_array_size(value) : json_object_size(value)));
    return 1;
}

static size_t weight(const json_t *value)
{
    size_t n = 1 + expr_cost_of_bytes(json_string_length(value));

    if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++)
            n += weight(json_array_get(value, i));
    } else if (json_is_object(value)) {
        json_t *object = (json_t *)(uintptr_t)value;

        for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at))
            n += weight(json_object_iter_value(at));
    }
    return n;
}

static int view_equal(lua_State *lua)
{
    expr_charge(lua, weight(expr_view_at(lua, 1)));
    lua_pushboolean(lua, json_equal(expr_view_at(lua, 1), expr_view_at(lua, 2)));
    return 1;
}

int expr_read_only(lua_State *lua)
{
    return luaL_error(lua, "input, outputs and functions cannot be changed");
}

/* --- steps.<name>.<field>: asked for when looked at --- */

static int step_index(lua_State *lua)
{
    const struct expr_scope *scope = expr_vm_of(lua)->scope;
    const char *name = lua_tostring(lua, lua_upvalueindex(1)), *field = lua_tostring(lua, 2);

    for (int i = 0; field != NULL && i < EXPR_STEP_FIELDS; i++) {
        if (strcmp(field, expr_step_fields[i]) == 0 && scope->step != NULL) {
            json_t **view = expr_view_new(lua);

            *view = scope->step(scope->step_context, name, (enum expr_step_field)i);
            if (!json_is_object(*view) && !json_is_array(*view))
                expr_view_push(lua, *view);
            return 1;
        }
    }
    lua_pushnil(lua);
    return 1;
}

int expr_steps_index(lua_State *lua)
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
    lua_pushcfunction(lua, expr_read_only);
    lua_setfield(lua, -2, "__newindex");
    (void)lua_setmetatable(lua, -2);
    return 1;
}

static void push_saga(lua_State *lua, const struct expr_scope *scope)
{
    lua_createtable(lua, 0, 3);
    lua_pushstring(lua, scope->saga_id);
    lua_setfield(lua, -2, "id");
    lua_pushstring(lua, scope->saga_type);
    lua_setfield(lua, -2, "type");
    lua_pushinteger(lua, scope->saga_version);
    lua_setfield(lua, -2, "version");
}

/* Upvalue: what is the same for every evaluation. */
int expr_scope_index(lua_State *lua)
{
    const struct expr_scope *scope = expr_vm_of(lua)->scope;
    const char *name = lua_tostring(lua, 2);

    lua_pushvalue(lua, 2);
    if (lua_rawget(lua, lua_upvalueindex(1)) != LUA_TNIL || name == NULL || scope == NULL)
        return 1;
    if (strcmp(name, "input") == 0)
        expr_view_push(lua, scope->input);
    else if (strcmp(name, "item") == 0)
        expr_view_push(lua, scope->item);
    else if (strcmp(name, "body") == 0)
        expr_view_push(lua, scope->body);
    else if (strcmp(name, "headers") == 0)
        expr_view_push(lua, scope->headers);
    else if (strcmp(name, "saga") == 0)
        push_saga(lua, scope);
    else if (strcmp(name, "index") != 0)
        return luaL_error(lua, "unknown name '%s'", name);
    else if (scope->index < 0)
        lua_pushnil(lua);
    else
        lua_pushinteger(lua, scope->index);
    return 1;
}

void expr_view_open(lua_State *lua)
{
    static const luaL_Reg functions[] = {{"__index", view_index},        {"__len", view_length}, {"__eq", view_equal},
                                         {"__newindex", expr_read_only}, {"__gc", view_gc},      {NULL, NULL}};

    (void)luaL_newmetatable(lua, VIEW);
    luaL_setfuncs(lua, functions, 0);
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_pop(lua, 1);
}

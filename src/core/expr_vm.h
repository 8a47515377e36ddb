/*
 * expr_vm.h -- one Lua state and its budgets, shared by the files of the sandbox: expr_lua.c evaluates, expr_library.c is what an expression
 * sees, expr_view.c carries JSON in, expr_result.c carries it out.
 */
#ifndef BATON_CORE_EXPR_VM_H
#define BATON_CORE_EXPR_VM_H

#include <baton/expr.h>
#include <lauxlib.h>
#include <lua.h>

#define EXPR_ARRAY "baton.array" /* metatable of a list that stays one when it is empty */

struct expr_vm {
    lua_State *lua;
    size_t used, budget; /* bytes; the budget binds evaluations only */
    size_t base;         /* bytes of the compiled code alone */
    bool stale;          /* code has come or gone: base is to be measured anew */
    bool exhausted;      /* the budget said no, not malloc */
    int instructions;    /* spent by the evaluation under way */
    int64_t event_left;  /* instructions that the expressions of this event may still spend */
    size_t longest;      /* bytes of the longest text that the evaluation under way has made */
    size_t result_bytes; /* of texts in its result */
    unsigned evaluations;
    const struct expr_scope *scope; /* of the evaluation under way; NULL = none */
    int environment;                /* registry reference */
};

struct expr_vm *expr_vm_of(lua_State *lua);
/** Spend instructions for what one call does in C. Raises a Lua error when the budget is spent. */
void expr_charge(lua_State *lua, size_t instructions);
/** Instructions for so many bytes. */
size_t expr_cost_of_bytes(size_t bytes);

/* expr_view.c */
void expr_view_open(lua_State *lua); /* its metatable */
/** Push an empty view. What is put into it is freed with it, also when an error comes between. */
json_t **expr_view_new(lua_State *lua);
/** Push a JSON value: a read-only view of an array or object, else the value; NULL and null are nil. */
void expr_view_push(lua_State *lua, json_t *value);
/** The JSON behind the view at index; NULL = no view. Borrowed. */
json_t *expr_view_at(lua_State *lua, int index);
/** lua_CFunctions: `__index` of the environment and of `steps`, `__newindex` of all that is read-only. */
int expr_scope_index(lua_State *lua);
int expr_steps_index(lua_State *lua);
int expr_read_only(lua_State *lua);

/* expr_library.c */
int expr_library_open(lua_State *lua); /* lua_CFunction: builds the environment */
int expr_pairs(lua_State *lua);        /* lua_CFunction: `pairs`, ordered by key */

/* expr_result.c */
/** False for `steps`, its members and the libraries. */
bool expr_is_plain_table(lua_State *lua, int index);
/** New reference; raises a Lua error where JSON cannot hold the value at index. */
json_t *expr_result(lua_State *lua, int index);

#endif

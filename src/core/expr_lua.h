/*
 * expr_lua.h -- the sandbox: Lua text in, JSON out, within budgets.
 */
#ifndef BATON_CORE_EXPR_LUA_H
#define BATON_CORE_EXPR_LUA_H

#include <baton/expr.h>

/** Compile `return <text>`; *ret_ref names it in the vm. BATON_E_INVALID with *ret_offset: a byte of the token that is wrong, len = the end. */
enum baton_err expr_lua_compile(struct expr_vm *vm, const char *text, size_t len, int *ret_ref, size_t *ret_offset,
                                struct baton_error *err);
void expr_lua_release(struct expr_vm *vm, int ref);
enum baton_err expr_lua_eval(struct expr_vm *vm, int ref, const struct expr_scope *scope, json_t **ret_value,
                             struct baton_error *err);

/* The names an expression may use besides its own locals; NULL-terminated. */
extern const char *const expr_lua_globals[];

#endif

/*
 * expr_lua.c -- Lua 5.4 in a sandbox: compile, evaluate, within budgets.
 *
 * Owns:     the Lua state, its budgets of instructions and memory. What an expression sees is in expr_library.c and expr_view.c, what it
 *           gives in expr_result.c.
 * Rule:     equal scope gives equal result on every worker, whatever was evaluated there before.
 * Tests:    tests/core/test_expr.c
 */
#include "expr_lua.h"
#include "expr_vm.h"
#include <baton/json.h>
#include <stdlib.h>
#include <string.h>

#define HOOK_EVERY 1000
#define COLLECT_EVERY 256 /* evaluations: views keep JSON alive that Lua does not count */
#define BYTES_FOR_ONE 256 /* copied in the time of an instruction, roughly */
#define BLOCK_FREE 4096   /* bytes: smaller blocks cost nothing beyond their instruction */
#define TEXT_FREE 16384   /* bytes: with longer texts about every instruction costs more, because it may compare two of them */
#define CALLS_MAX 200     /* within each other */
#define EVALUATION_COST 100 /* instructions: of an event, for an expression however short */

struct expr_vm *expr_vm_of(lua_State *lua)
{
    return *(struct expr_vm **)lua_getextraspace(lua);
}

size_t expr_cost_of_bytes(size_t bytes)
{
    return bytes / BYTES_FOR_ONE;
}

static bool spent(const struct expr_vm *vm)
{
    return vm->instructions > EXPR_INSTRUCTIONS_MAX;
}

static void spend(struct expr_vm *vm, size_t instructions)
{
    vm->instructions = instructions > EXPR_INSTRUCTIONS_MAX ? EXPR_INSTRUCTIONS_MAX + 1 : vm->instructions + (int)instructions;
}

void expr_charge(lua_State *lua, size_t instructions)
{
    struct expr_vm *vm = expr_vm_of(lua);

    spend(vm, instructions);
    if (vm->scope != NULL && spent(vm))
        (void)luaL_error(lua, "more than %d instructions", EXPR_INSTRUCTIONS_MAX);
}

/* A return hands its values from call to call: how many calls there are bounds what an instruction can move. */
static void count_instructions(lua_State *lua, lua_Debug *debug)
{
    lua_Debug outermost;

    (void)debug;
    expr_charge(lua, HOOK_EVERY * (1 + expr_vm_of(lua)->longest / TEXT_FREE));
    if (lua_getstack(lua, CALLS_MAX, &outermost) == 1)
        (void)luaL_error(lua, "calls within calls deeper than %d", CALLS_MAX);
}

/* One instruction can ask for a block of any size: within an evaluation it is paid for by its bytes. What only grows, by half or more, has
 * been paid for by what it holds; and how far Lua's own stack and list of texts have grown depends on what was evaluated before. */
static bool within_budget(struct expr_vm *vm, bool is_new, size_t grows_by, size_t new_size, bool is_text)
{
    if (vm->scope == NULL)
        return true;
    if (is_new && new_size >= BLOCK_FREE)
        spend(vm, expr_cost_of_bytes(new_size));
    if (is_text && new_size > vm->longest)
        vm->longest = new_size;
    return vm->used + grows_by <= vm->budget && !spent(vm) && !(is_text && new_size > EXPR_STRING_MAX);
}

static void *allocate(void *context, void *block, size_t old_size, size_t new_size)
{
    struct expr_vm *vm = context;
    bool is_text = block == NULL && old_size == LUA_TSTRING;
    void *moved = NULL;

    if (block == NULL)
        old_size = 0; /* then it is a kind of object, not a size */
    if (new_size == 0) {
        vm->used -= old_size;
        free(block);
        return NULL;
    }
    if (new_size > old_size && !within_budget(vm, block == NULL, new_size - old_size, new_size, is_text)) {
        vm->exhausted = true;
        return NULL;
    }
    moved = realloc(block, new_size);
    if (moved != NULL)
        vm->used += new_size - old_size;
    return moved;
}

struct expr_vm *expr_vm_new(void)
{
    struct expr_vm *vm = calloc(1, sizeof *vm);

    if (vm == NULL)
        return NULL;
    vm->lua = lua_newstate(allocate, vm);
    if (vm->lua == NULL) {
        free(vm);
        return NULL;
    }
    *(struct expr_vm **)lua_getextraspace(vm->lua) = vm;
    expr_vm_begin(vm);
    lua_pushcfunction(vm->lua, expr_library_open);
    if (lua_pcall(vm->lua, 0, 0, 0) != LUA_OK) {
        expr_vm_free(vm);
        return NULL;
    }
    return vm;
}

void expr_vm_begin(struct expr_vm *vm)
{
    if (vm != NULL) /* a lock has no expressions */
        vm->event_left = EXPR_EVENT_INSTRUCTIONS_MAX;
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
    const char *text;
    size_t len, given;
    bool begun;
};

/* The parentheses make it one expression: no statement can hide behind it. */
static const char prefix[] = "return (", suffix[] = "\n)";

static const char *feed_next(lua_State *lua, void *context, size_t *ret_len)
{
    struct feed *feed = context;
    size_t at = feed->given;

    (void)lua;
    if (!feed->begun) {
        feed->begun = true;
        *ret_len = sizeof prefix - 1;
        return prefix;
    }
    *ret_len = at < feed->len + sizeof suffix - 1;
    if (*ret_len == 0)
        return NULL;
    feed->given++;
    return at < feed->len ? feed->text + at : suffix + (at - feed->len);
}

/* Lua says `expression:1: unexpected symbol near ')'`: only what follows the place is of use. */
static const char *plain_message(const char *message)
{
    static const char chunk[] = "expression:";
    const char *at = strncmp(message, chunk, sizeof chunk - 1) == 0 ? strchr(message + sizeof chunk - 1, ':') : NULL;

    return at == NULL ? message : at + 1 + (at[1] == ' ');
}

enum baton_err expr_lua_compile(struct expr_vm *vm, const char *text, size_t len, int *ret_ref, size_t *ret_offset,
                                struct baton_error *err)
{
    struct feed feed = {.text = text, .len = len};
    lua_State *lua = vm->lua;
    const char *message = NULL;
    int rc = LUA_OK;

    vm->stale = true;
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
    *ret_offset = feed.given < 2 ? 0 : feed.given - 2; /* the parser knows one byte more than the token */
    message = plain_message(lua_tostring(lua, -1));
    if (strncmp(message, "C stack overflow", strlen("C stack overflow")) == 0)
        message = "parentheses, tables or functions nested too deep";
    (void)baton_fail(err, BATON_E_INVALID, "%s", message);
    lua_settop(lua, 0);
    return BATON_E_INVALID;
}

void expr_lua_release(struct expr_vm *vm, int ref)
{
    luaL_unref(vm->lua, LUA_REGISTRYINDEX, ref);
    vm->stale = true;
}

/* --- evaluate --- */

/* 1 = the compiled function, 2 = where the result goes */
static int evaluate(lua_State *lua)
{
    json_t **result = lua_touserdata(lua, 2);

    lua_pushvalue(lua, 1);
    lua_call(lua, 0, 1);
    *result = expr_result(lua, lua_gettop(lua));
    return 0;
}

enum baton_err expr_lua_eval(struct expr_vm *vm, int ref, const struct expr_scope *scope, json_t **ret_value,
                             struct baton_error *err)
{
    lua_State *lua = vm->lua;
    json_t *result = NULL;
    int rc = LUA_OK;
    enum baton_err code = BATON_OK;

    if (vm->event_left <= 0)
        return baton_fail(err, BATON_E_INVALID, "the expressions of one event have spent more than %d instructions", EXPR_EVENT_INSTRUCTIONS_MAX);
    if (++vm->evaluations % COLLECT_EVERY == 0 || vm->stale) {
        (void)lua_gc(lua, LUA_GCCOLLECT);
        vm->base = vm->used;
        vm->stale = false;
    }
    /* Not over what is used now: what others left as garbage must not count. Lua collects it before it gives up. */
    vm->budget = vm->base + EXPR_MEMORY_MAX;
    vm->exhausted = false;
    vm->instructions = 0;
    vm->longest = vm->result_bytes = 0;
    vm->scope = scope;
    lua_sethook(lua, count_instructions, LUA_MASKCOUNT, HOOK_EVERY);
    lua_pushcfunction(lua, evaluate);
    (void)lua_rawgeti(lua, LUA_REGISTRYINDEX, ref);
    lua_pushlightuserdata(lua, &result);
    rc = lua_pcall(lua, 2, 0, 0);
    lua_sethook(lua, NULL, 0, 0);
    vm->scope = NULL;
    vm->event_left -= EVALUATION_COST + vm->instructions;
    if (rc == LUA_OK && result != NULL) {
        *ret_value = result;
    } else if (rc == LUA_ERRMEM && spent(vm)) {
        code = baton_fail(err, BATON_E_INVALID, "more than %d instructions", EXPR_INSTRUCTIONS_MAX);
    } else if (rc == LUA_ERRMEM && vm->exhausted) {
        code = baton_fail(err, BATON_E_INVALID, "more memory than %d bytes, or a text of more than %d", EXPR_MEMORY_MAX, EXPR_STRING_MAX);
    } else if (rc == LUA_OK || rc == LUA_ERRMEM) {
        code = baton_fail(err, BATON_E_NOMEM, "out of memory for an expression");
    } else {
        const char *message = lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : "an error that is not a text";

        code = baton_fail(err, BATON_E_INVALID, "%s", plain_message(message));
    }
    lua_settop(lua, 0);
    return code;
}

/*
 * memory_services.c -- src/redis/service_script.h in a Lua of our own.
 */
#include "memory_services.h"
#include "service_script.h"
#include <assert.h>
#include <inttypes.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct memory_services {
    lua_State *lua;
    char field[512];
};

/* Values are texts, as in Redis. */
static const char redis[] =
    "store = {}\n"
    "redis = {call = function(command, key, ...)\n"
    "  local hash, given = store[key] or {}, {...}\n"
    "  store[key] = hash\n"
    "  if command == 'HGETALL' then\n"
    "    local all = {}\n"
    "    for field, value in pairs(hash) do all[#all + 1] = field; all[#all + 1] = value end\n"
    "    return all\n"
    "  elseif command == 'HGET' then return hash[given[1]] or false\n"
    "  elseif command == 'HSET' then for i = 1, #given, 2 do hash[given[i]] = tostring(given[i + 1]) end\n"
    "  elseif command == 'HDEL' then hash[given[1]] = nil\n"
    "  else error(command) end\n"
    "end}\n";

static void must(struct memory_services *services, int rc)
{
    if (rc == LUA_OK)
        return;
    (void)fprintf(stderr, "service script: %s\n", lua_tostring(services->lua, -1));
    abort();
}

struct memory_services *memory_services_new(void)
{
    struct memory_services *services = calloc(1, sizeof *services);

    assert(services != NULL);
    services->lua = luaL_newstate();
    assert(services->lua != NULL);
    luaL_openlibs(services->lua);
    must(services, luaL_dostring(services->lua, redis));
    return services;
}

void memory_services_free(struct memory_services *services)
{
    lua_close(services->lua);
    free(services);
}

void memory_services_wipe(struct memory_services *services)
{
    must(services, luaL_dostring(services->lua, "store = {}"));
}

static void begin(struct memory_services *services, const char *name)
{
    lua_settop(services->lua, 0);
    lua_newtable(services->lua);
    lua_pushstring(services->lua, name);
    lua_rawseti(services->lua, -2, 1);
    lua_setglobal(services->lua, "KEYS");
    lua_newtable(services->lua);
}

static void text(struct memory_services *services, const char *value)
{
    lua_pushstring(services->lua, value);
    lua_rawseti(services->lua, -2, (lua_Integer)lua_rawlen(services->lua, -2) + 1);
}

static void number(struct memory_services *services, int64_t value)
{
    char digits[24];

    (void)snprintf(digits, sizeof digits, "%" PRId64, value);
    text(services, digits);
}

static void run(struct memory_services *services, const char *script)
{
    lua_setglobal(services->lua, "ARGV");
    must(services, luaL_loadstring(services->lua, script));
    must(services, lua_pcall(services->lua, 0, 1, 0));
}

static const char *result(struct memory_services *services, int i)
{
    lua_settop(services->lua, 1);
    lua_rawgeti(services->lua, 1, i);
    return lua_tostring(services->lua, -1);
}

static int64_t whole(struct memory_services *services, int i)
{
    return strtoll(result(services, i), NULL, 10);
}

static void sync_one(struct memory_services *services, const char *thread, struct service_sync *sync, int64_t now_ms)
{
    const struct service_breaker *known = &sync->known;
    const struct service_report *report = &sync->report;
    const struct service_rules *rules = sync->rules;
    const int64_t told[] = {report->change, report->good, report->bad, report->started, report->in_flight, report->held, report->wanted, report->demand,
                            report->oldest_ms, report->lease_ms, rules->breaker, rules->failure_permille, rules->minimum_calls, rules->open_ms, rules->probes,
                            rules->max_in_flight, rules->rate_permille, SERVICE_MEMBER_MS, SERVICE_ORPHAN_MAX_MS, SERVICE_SETTLE_MS};
    struct service_share *share = &sync->ret_share;

    begin(services, rules->name);
    text(services, thread);
    number(services, now_ms);
    number(services, known->change);
    text(services, breaker_name(known->breaker));
    number(services, known->by_hand);
    number(services, known->since_ms);
    number(services, known->until_ms);
    text(services, known->who);
    text(services, known->why);
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        number(services, told[i]);
    run(services, SERVICE_SCRIPT);
    *share = (struct service_share){.breaker = {.change = whole(services, 1), .by_hand = whole(services, 3) != 0, .since_ms = whole(services, 4),
                                                .until_ms = whole(services, 5)},
                                    .probes = whole(services, 8), .in_flight = whole(services, 9), .rate_permille = whole(services, 10),
                                    .announce = whole(services, 11) != 0};
    assert(breaker_parse(result(services, 2), &share->breaker.breaker));
    (void)snprintf(share->breaker.who, sizeof share->breaker.who, "%s", result(services, 6));
    (void)snprintf(share->breaker.why, sizeof share->breaker.why, "%s", result(services, 7));
}

void memory_services_sync(struct memory_services *services, const char *thread, struct service_sync *syncs, size_t n, int64_t now_ms)
{
    for (size_t i = 0; i < n; i++)
        sync_one(services, thread, &syncs[i], now_ms);
}

bool memory_services_set(struct memory_services *services, const char *name, const char *verb, int64_t now_ms)
{
    begin(services, name);
    text(services, verb);
    number(services, now_ms);
    text(services, "ann");
    text(services, "maintenance");
    run(services, SERVICE_SET_SCRIPT);
    return lua_tointeger(services->lua, -1) != 0;
}

int64_t memory_services_held(struct memory_services *services, const char *name)
{
    int64_t held = 0;

    lua_settop(services->lua, 0);
    must(services, luaL_loadstring(services->lua, "local held = 0\n"
                                                  "for field, value in pairs(store[...] or {}) do\n"
                                                  "  held = held + (string.match(field, '^m:') and string.match(value, '^' .. string.rep('%S+ ', 6) .. '(%S+)') or 0)\n"
                                                  "end\n"
                                                  "return held\n"));
    (void)lua_pushstring(services->lua, name);
    must(services, lua_pcall(services->lua, 1, 1, 0));
    held = (int64_t)lua_tonumber(services->lua, -1);
    return held;
}

const char *memory_services_field(struct memory_services *services, const char *name, const char *field)
{
    const char *value = NULL;

    lua_settop(services->lua, 0);
    lua_getglobal(services->lua, "store");
    if (lua_getfield(services->lua, -1, name) == LUA_TTABLE) {
        (void)lua_getfield(services->lua, -1, field);
        value = lua_tostring(services->lua, -1);
    }
    (void)snprintf(services->field, sizeof services->field, "%s", value == NULL ? "" : value);
    return services->field;
}

/*
 * scripts.c -- the Lua that runs inside Redis: each call is atomic there.
 *
 * Owns:     how a saga lies in the keys. KEYS[1] is the partition's meta hash; the other keys share its hash tag, so that one
 *           Redis Cluster slot holds them all.
 * Layout:   <base>saga:<id> = "<generation> <seq> <status> <due> <updated> <type>\n<state>", <base>timers, <base>index:<type>:<status>;
 *           a type is <definition>@<version>; in the meta hash: w, jo, epoch, token, gen, trial, and a field `type:<type>` for each type that has indexes.
 * Rule:     a rebuild must not leave anything of what was there before, not even a key that no index names (a lost index, another program's
 *           writes). Finding such keys would need a scan of all keys; making them void does not: each rebuild gives p a new generation, a value
 *           of another one is no saga. So the first call of a rebuild wipes everything at once; the calls after it only give memory back.
 * Tests:    tests/redis/test_view.c, a row each
 */
#include "redis_internal.h"
#include "service_script.h"

/* w, or nothing: a meta hash without a generation is no view. */
#define WATERMARK "local meta = redis.call('HMGET', KEYS[1], 'w', 'gen')\n" \
                  "local w, gen = meta[2] and meta[1], meta[2]\n"

/* An item is six arguments: id, seq, due, updated, "<type>:<status>", value ("" = remove; it begins with the generation, which the caller
 * knows: to join it here would copy every state). A type that is new to this generation has no indexes: what lies under their names is older.
 * What is written is gathered and goes in few calls at the end: a call from Lua costs more than most of what it does. */
#define PUT_ITEM \
    "local call, match, timers = redis.call, string.match, ARGV[1] .. 'timers'\n" \
    "local sets, adds, rems, known, seen = {{}}, {}, {}, {}, {}\n" \
    "local function gather(lists, key, one, two)\n" \
    "  local list = lists[key]\n" \
    "  if not list then list = {}; lists[key] = list end\n" \
    "  list[#list + 1] = one\n" \
    "  if two then list[#list + 1] = two end\n" \
    "end\n" \
    "local function many(list, write)\n" \
    "  for i = 1, #list, " MANY_ARGUMENTS " do write(unpack(list, i, math.min(i + " MANY_ARGUMENTS " - 1, #list))) end\n" \
    "end\n" \
    "local function write_all()\n" \
    "  many(sets[1], function(...) call('MSET', ...) end)\n" \
    "  for key, list in pairs(rems) do many(list, function(...) call('ZREM', key, ...) end) end\n" \
    "  for key, list in pairs(adds) do many(list, function(...) call('ZADD', key, ...) end) end\n" \
    "  sets, adds, rems, known = {{}}, {}, {}, {}\n" \
    "end\n" \
    "local function put(base, head, i, force)\n" \
    "  local id, seq, due, updated, index, value = ARGV[i], ARGV[i+1], ARGV[i+2], ARGV[i+3], ARGV[i+4], ARGV[i+5]\n" \
    "  local key = base .. 'saga:' .. id\n" \
    "  if known[id] then write_all() end\n" \
    "  known[id] = true\n" \
    "  local oldseq, oldstatus, oldtype = match(call('GETRANGE', key, 0, 191), head)\n" \
    "  local oldindex = oldseq and oldtype .. ':' .. oldstatus\n" \
    "  if value == '' then\n" \
    "    call('DEL', key)\n" \
    "    call('ZREM', timers, id)\n" \
    "    if oldseq then call('ZREM', base .. 'index:' .. oldindex, id) end\n" \
    "    return\n" \
    "  end\n" \
    "  if oldseq and not force and tonumber(oldseq) >= tonumber(seq) then return end\n" \
    "  gather(sets, 1, key, value)\n" \
    "  if due == '0' then gather(rems, timers, id) else gather(adds, timers, due, id) end\n" \
    "  if oldindex ~= index then\n" \
    "    local kind = match(index, '^[^:]*')\n" \
    "    if kind ~= oldtype and not seen[kind] and call('HSETNX', KEYS[1], 'type:' .. kind, 1) == 1 then\n" \
    "      for status in string.gmatch('" REDIS_STATUSES "', '%S+') do call('UNLINK', base .. 'index:' .. kind .. ':' .. status) end\n" \
    "    end\n" \
    "    seen[kind] = true\n" \
    "    if oldseq then gather(rems, base .. 'index:' .. oldindex, id) end\n" \
    "  end\n" \
    "  gather(adds, base .. 'index:' .. index, updated, id)\n" \
    "end\n"

/* Even: members come in pairs. Well below what a Lua call can take (8,000). */
#define MANY_ARGUMENTS "1000"

/* The head line of a value of this generation. */
#define HEAD "local head = '^' .. gen .. ' (%d+) (%S+) %S+ %S+ (%S+)\\n'\n"

#define TOKEN_HOLDS "if redis.call('HGET', KEYS[1], 'token') ~= ARGV[2] then return 0 end\n"

const char *const redis_script_texts[SCRIPT_COUNT] = {
    /* ARGV: base, ids... -> w (or -1), generation, values... (of any generation: the caller compares) */
    [SCRIPT_LOAD] = WATERMARK "local found = {tonumber(w or -1), gen or ''}\n"
                              "for i = 2, #ARGV do found[i + 1] = redis.call('GET', ARGV[1] .. 'saga:' .. ARGV[i]) end\n"
                              "return found\n",
    /* ARGV: base, expected, target, jo, generation, items... -> 1 and target, or 0 and the w found (-1 if of another generation) */
    [SCRIPT_APPLY] = PUT_ITEM WATERMARK "if w ~= ARGV[2] then return {0, tonumber(w or -1)} end\n"
                                        "if gen ~= ARGV[5] then return {0, -1} end\n"
                                        HEAD "for i = 6, #ARGV, 6 do put(ARGV[1], head, i, false) end\n"
                                        "write_all()\n"
                                        "redis.call('HSET', KEYS[1], 'w', ARGV[3], 'jo', ARGV[4])\n"
                                        "return {1, tonumber(ARGV[3])}\n",
    /* ARGV: base, token -> the new generation. The types stay: the indexes to be wiped are found by them. */
    [SCRIPT_REBUILD_BEGIN] = "local now = redis.call('TIME')\n"
                             "local gen = string.format('%x', now[1] * 1000000 + now[2])\n"
                             "redis.call('HDEL', KEYS[1], 'w', 'jo', 'epoch')\n"
                             "redis.call('HSET', KEYS[1], 'token', ARGV[2], 'gen', gen)\n"
                             "redis.call('UNLINK', ARGV[1] .. 'timers')\n"
                             "return gen\n",
    /* ARGV: base, token, most -> -1 = all gone, 0 = token lost, 1 = go on */
    [SCRIPT_REBUILD_WIPE] = TOKEN_HOLDS "local base, left = ARGV[1], tonumber(ARGV[3])\n"
                            "for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do\n"
                            "  local kind = string.match(field, '^type:(.*)')\n"
                            "  if kind then\n"
                            "    for status in string.gmatch('" REDIS_STATUSES "', '%S+') do\n"
                            "      local index = base .. 'index:' .. kind .. ':' .. status\n"
                            "      for _, id in ipairs(redis.call('ZRANGE', index, 0, left - 1)) do\n"
                            "        redis.call('UNLINK', base .. 'saga:' .. id)\n"
                            "        redis.call('ZREM', index, id)\n"
                            "        left = left - 1\n"
                            "      end\n"
                            "      if left <= 0 then return 1 end\n"
                            "    end\n"
                            "    redis.call('HDEL', KEYS[1], field)\n"
                            "  end\n"
                            "end\n"
                            "return -1\n",
    /* ARGV: base, token, items... */
    [SCRIPT_REBUILD_PUT] = PUT_ITEM TOKEN_HOLDS "local gen = redis.call('HGET', KEYS[1], 'gen')\n"
                                                HEAD "for i = 3, #ARGV, 6 do put(ARGV[1], head, i, true) end\n"
                                                "write_all()\n"
                                                "return 1\n",
    /* ARGV: base, token, w, jo, epoch */
    [SCRIPT_REBUILD_END] = TOKEN_HOLDS "redis.call('HSET', KEYS[1], 'w', ARGV[3], 'jo', ARGV[4], 'epoch', ARGV[5])\n"
                                       "redis.call('HDEL', KEYS[1], 'token')\n"
                                       "return 1\n",
    [SCRIPT_SERVICE] = SERVICE_SCRIPT,
    [SCRIPT_SERVICE_SET] = SERVICE_SET_SCRIPT,
};

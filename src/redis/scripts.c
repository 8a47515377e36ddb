/*
 * scripts.c -- the Lua that runs inside Redis: each call is atomic there.
 *
 * Owns:     how a saga lies in the keys. KEYS[1] is the partition's meta hash; the other keys share its hash tag, so that one
 *           Redis Cluster slot holds them all.
 * Layout:   <base>saga:<id> = "<seq> <status> <due> <updated> <type>\n<state>", <base>timers, <base>index:<type>:<status>, <base>types.
 * Tests:    tests/redis/test_view.c
 */
#include "redis_internal.h"

/* An item is six arguments: id, seq, due, updated, "<type>:<status>", value ("" = remove). */
#define PUT_ITEM \
    "local function put(base, i, force)\n" \
    "  local id, seq, due, updated, index, value = ARGV[i], ARGV[i+1], ARGV[i+2], ARGV[i+3], ARGV[i+4], ARGV[i+5]\n" \
    "  local key = base .. 'saga:' .. id\n" \
    "  local old = redis.call('GETRANGE', key, 0, 191)\n" \
    "  local oldseq, oldstatus, oldtype = string.match(old, '^(%d+) (%S+) %S+ %S+ (%S+)\\n')\n" \
    "  if value == '' then\n" \
    "    redis.call('DEL', key)\n" \
    "    redis.call('ZREM', base .. 'timers', id)\n" \
    "    if oldseq then redis.call('ZREM', base .. 'index:' .. oldtype .. ':' .. oldstatus, id) end\n" \
    "    return\n" \
    "  end\n" \
    "  if oldseq and not force and tonumber(oldseq) >= tonumber(seq) then return end\n" \
    "  redis.call('SET', key, value)\n" \
    "  if due == '0' then\n" \
    "    redis.call('ZREM', base .. 'timers', id)\n" \
    "  else\n" \
    "    redis.call('ZADD', base .. 'timers', due, id)\n" \
    "  end\n" \
    "  if not oldseq then\n" \
    "    redis.call('SADD', base .. 'types', string.match(index, '^[^:]*'))\n" \
    "  elseif oldtype .. ':' .. oldstatus ~= index then\n" \
    "    redis.call('ZREM', base .. 'index:' .. oldtype .. ':' .. oldstatus, id)\n" \
    "  end\n" \
    "  redis.call('ZADD', base .. 'index:' .. index, updated, id)\n" \
    "end\n"

#define TOKEN_HOLDS "if redis.call('HGET', KEYS[1], 'token') ~= ARGV[2] then return 0 end\n"

const char *const redis_script_texts[SCRIPT_COUNT] = {
    /* ARGV: base, ids... -> w (or -1), values... */
    [SCRIPT_LOAD] = "local found = {tonumber(redis.call('HGET', KEYS[1], 'w') or -1)}\n"
                    "for i = 2, #ARGV do found[i] = redis.call('GET', ARGV[1] .. 'saga:' .. ARGV[i]) end\n"
                    "return found\n",
    /* ARGV: base, expected, target, jo, items... -> 1 and target, or 0 and the w found */
    [SCRIPT_APPLY] = PUT_ITEM "local w = redis.call('HGET', KEYS[1], 'w')\n"
                              "if w ~= ARGV[2] then return {0, tonumber(w or -1)} end\n"
                              "for i = 5, #ARGV, 6 do put(ARGV[1], i, false) end\n"
                              "redis.call('HSET', KEYS[1], 'w', ARGV[3], 'jo', ARGV[4])\n"
                              "return {1, tonumber(ARGV[3])}\n",
    /* ARGV: base, token */
    [SCRIPT_REBUILD_BEGIN] = "redis.call('DEL', KEYS[1])\n"
                             "redis.call('HSET', KEYS[1], 'token', ARGV[2])\n"
                             "return 1\n",
    /* ARGV: base, token, most, statuses... -> -1 = all gone, 0 = token lost, 1 = go on. By the indexes: every saga is in exactly one. */
    [SCRIPT_REBUILD_WIPE] = TOKEN_HOLDS "local base, left = ARGV[1], tonumber(ARGV[3])\n"
                            "for _, kind in ipairs(redis.call('SMEMBERS', base .. 'types')) do\n"
                            "  for s = 4, #ARGV do\n"
                            "    local index = base .. 'index:' .. kind .. ':' .. ARGV[s]\n"
                            "    for _, id in ipairs(redis.call('ZRANGE', index, 0, left - 1)) do\n"
                            "      redis.call('UNLINK', base .. 'saga:' .. id)\n"
                            "      redis.call('ZREM', index, id)\n"
                            "      left = left - 1\n"
                            "    end\n"
                            "    if left <= 0 then return 1 end\n"
                            "  end\n"
                            "end\n"
                            "redis.call('UNLINK', base .. 'types', base .. 'timers')\n"
                            "return -1\n",
    /* ARGV: base, token, items... */
    [SCRIPT_REBUILD_PUT] = PUT_ITEM TOKEN_HOLDS "for i = 3, #ARGV, 6 do put(ARGV[1], i, true) end\n"
                                                "return 1\n",
    /* ARGV: base, token, w, jo, epoch */
    [SCRIPT_REBUILD_END] = TOKEN_HOLDS "redis.call('HSET', KEYS[1], 'w', ARGV[3], 'jo', ARGV[4], 'epoch', ARGV[5])\n"
                                       "redis.call('HDEL', KEYS[1], 'token')\n"
                                       "return 1\n",
};

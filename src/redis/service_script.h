/*
 * service_script.h -- what all engine threads together make of one service, decided inside Redis: one call a thread and round.
 *
 * Owns:     the breaker's changes; who may send a probe; how many in flight and how many a second each thread may.
 * Layout:   KEYS[1] = <prefix>:{service:<name>}, a hash: change, state, hand, since, until, who, why, told, now; for people max, rate, breaker;
 *           born and wiped, the times; and m:<thread> = what that thread told last, and what it was given.
 * Rule:     threads tell totals, so a call that is sent twice changes nothing, and after a wipe each brings its part back with its next one; a
 *           breaker that is missing, or older than the caller's, becomes the caller's. What all were given never sums up to more than there is: each
 *           call counts what the others were given last; after a wipe nobody is given more than he has until all have told again. The time is the caller's; of two clocks the one that is ahead leads.
 * Tests:    tests/redis/test_service.c; the engine's tests run this very text in a Lua of their own, so it keeps to what 5.1 and 5.4 share.
 */
#ifndef BATON_REDIS_SERVICE_SCRIPT_H
#define BATON_REDIS_SERVICE_SCRIPT_H

#pragma GCC diagnostic ignored "-Woverlength-strings" /* ISO C promises 4,095 characters of a literal; every compiler of ours takes more */

/* ARGV: 1 thread, 2 now, 3..9 the breaker it knows (change, state, by hand, since, until, who, why), 10..18 what it tells (change, good, bad, started,
 * in flight, held, wanted, demand, oldest), 19 lease, 20..28 the rules (breaker, failure per mille, minimum calls, open ms, probes, max in flight, rate, ms
 * after which a thread is gone, and after which what it left in flight is), 29 ms in which all have told again after a wipe
 * -> change, state, by hand, since, until, who, why, probes, in flight, rate, announce */
#define SERVICE_SCRIPT \
    "local key, me, now = KEYS[1], ARGV[1], tonumber(ARGV[2])\n" \
    "local function arg(i) return tonumber(ARGV[i]) end\n" \
    "local h, threads, all = {}, {}, redis.call('HGETALL', key)\n" \
    "for i = 1, #all, 2 do\n" \
    "  local name = string.match(all[i], '^m:(.*)$')\n" \
    "  if name then threads[name] = all[i + 1] else h[all[i]] = all[i + 1] end\n" \
    "end\n" \
    "local seen = tonumber(h.now or '0')\n" \
    "if seen > now and seen - now <= 10000 then now = seen end\n" \
    /* the breaker: the newer one of the two */ \
    "local change, state, hand, since, till, who, why, told\n" \
    "if h.change and tonumber(h.change) >= arg(3) then\n" \
    "  change, state, hand, since, till = tonumber(h.change), h.state, tonumber(h.hand), tonumber(h.since), tonumber(h['until'])\n" \
    "  who, why, told = h.who, h.why, tonumber(h.told)\n" \
    "elseif arg(3) > 0 then\n" \
    "  change, state, hand, since, till, who, why, told = arg(3), ARGV[4], arg(5), arg(6), arg(7), ARGV[8], ARGV[9], arg(3)\n" \
    "else\n" \
    "  change, state, hand, since, till, who, why, told = 1, 'closed', 0, now, 0, '', '', 1\n" \
    "end\n" \
    /* the threads */ \
    "local names = {'at', 'change', 'good', 'bad', 'started', 'flight', 'held', 'wanted', 'demand', 'oldest', 'lease', 'level', 'probes', 'rate'}\n" \
    "local mine = {at = now, change = arg(10), good = arg(11), bad = arg(12), started = arg(13), flight = arg(14), held = arg(15),\n" \
    "  wanted = arg(16), demand = arg(17), oldest = arg(18), lease = arg(19), level = 0, probes = 0, rate = 0}\n" \
    "local others, orphans = {}, 0\n" \
    "for name, text in pairs(threads) do\n" \
    "  if name ~= me then\n" \
    "    local m, i = {}, 0\n" \
    "    for n in string.gmatch(text, '%S+') do i = i + 1; m[names[i]] = tonumber(n) end\n" \
    "    if m.at + arg(27) > now then others[#others + 1] = m\n" \
    "    elseif m.flight > 0 and math.min(m.lease, m.at + arg(28)) > now then orphans = orphans + m.flight\n" \
    "    else redis.call('HDEL', key, 'm:' .. name) end\n" \
    "  end\n" \
    "end\n" \
    /* Wiped: somebody knows this service, and it does not know them. The others are out there with what they were given. */ \
    "local born, wiped = tonumber(h.born or now), tonumber(h.wiped or '0')\n" \
    "if wiped == 0 and arg(3) > 0 and not threads[me] and now - born < arg(29) then wiped = now end\n" \
    "local settling = wiped > 0 and now - wiped < arg(29)\n" \
    /* changes */ \
    "local good, bad = 0, 0\n" \
    "local function count(m) if m.change == change then good, bad = good + m.good, bad + m.bad end end\n" \
    "for _, m in ipairs(others) do count(m) end\n" \
    "count(mine)\n" \
    "local function turn(to, ends) change, state, since, till, who, why = change + 1, to, now, ends, '', '' end\n" \
    "if hand == 0 then\n" \
    "  if arg(20) == 0 then\n" \
    "    if state ~= 'closed' then turn('closed', 0) end\n" \
    "  elseif state == 'open' then\n" \
    "    if now >= till then turn('half-open', 0) end\n" \
    "  elseif state == 'half-open' then\n" \
    "    if bad > 0 then turn('open', now + arg(23)) elseif good >= arg(24) then turn('closed', 0) end\n" \
    "  elseif good + bad >= arg(22) and bad * 1000 >= arg(21) * (good + bad) then\n" \
    "    turn('open', now + arg(23))\n" \
    "  end\n" \
    "end\n" \
    "if mine.change ~= change then mine.change, mine.good, mine.bad, mine.started = change, 0, 0, 0 end\n" \
    /* probes: what the others have begun, or may, is taken */ \
    "if state == 'half-open' then\n" \
    "  local free = arg(24) - mine.started\n" \
    "  for _, m in ipairs(others) do if m.change == change then free = free - math.max(m.started, m.probes) end end\n" \
    "  local want = math.max(mine.held, mine.demand > 0 and 1 or 0)\n" \
    "  mine.probes = mine.started + (settling and 0 or math.max(0, math.min(want, free)))\n" \
    "end\n" \
    /* Max-min: who wants less than an even part has what it wants, the others divide the rest; what does not divide goes to who waits longest; what
     * nobody wants is there for whoever will. */ \
    "local function divide(total, want)\n" \
    "  local open, every, left = {}, {mine}, math.max(0, total)\n" \
    "  for _, m in ipairs(others) do every[#every + 1] = m end\n" \
    "  for _, m in ipairs(every) do\n" \
    "    m.got = 0\n" \
    "    if m[want] > 0 then open[#open + 1] = m end\n" \
    "  end\n" \
    "  local function age(m) return m.oldest > 0 and m.oldest or 1e15 end\n" \
    "  table.sort(open, function(a, b) return age(a) < age(b) end)\n" \
    "  while #open > 0 and left > 0 do\n" \
    "    local part, still = math.floor(left / #open), {}\n" \
    "    for i, m in ipairs(open) do\n" \
    "      local give = part > 0 and math.min(part, m[want] - m.got) or (i <= left and 1 or 0)\n" \
    "      m.got = m.got + give\n" \
    "      if m.got < m[want] then still[#still + 1] = m end\n" \
    "    end\n" \
    "    left = math.max(0, total)\n" \
    "    for _, m in ipairs(every) do left = left - m.got end\n" \
    "    open = part > 0 and still or {}\n" \
    "  end\n" \
    "  return mine.got + math.floor(left / #every)\n" \
    "end\n" \
    "if arg(25) > 0 then\n" \
    "  local free = arg(25) - orphans\n" \
    "  for _, m in ipairs(others) do free = free - math.max(m.level, m.flight) end\n" \
    "  mine.level = math.max(0, math.min(divide(arg(25) - orphans, 'wanted'), settling and mine.flight or free))\n" \
    "end\n" \
    "if arg(26) > 0 then\n" \
    "  local free = arg(26)\n" \
    "  for _, m in ipairs(others) do free = free - m.rate end\n" \
    "  mine.rate = settling and 0 or math.max(0, math.min(divide(arg(26), 'demand'), free))\n" \
    "end\n" \
    "local announce = told < change and 1 or 0\n" \
    "local text = {}\n" \
    "for i, name in ipairs(names) do text[i] = string.format('%d', mine[name]) end\n" \
    "local function whole(n) return string.format('%d', n) end\n" \
    "redis.call('HSET', key, 'change', whole(change), 'state', state, 'hand', whole(hand), 'since', whole(since), 'until', whole(till), 'who', who,\n" \
    "  'why', why, 'told', whole(change), 'now', whole(now), 'max', ARGV[25], 'rate', ARGV[26], 'breaker', ARGV[20], 'born', whole(born), 'wiped', whole(wiped), 'm:' .. me, table.concat(text, ' '))\n" \
    "return {whole(change), state, whole(hand), whole(since), whole(till), who, why, whole(mine.probes), whole(mine.level), whole(mine.rate), whole(announce)}\n"

/* ARGV: verb (open, close, reset), now, who, why -> the change, 0 = no thread has rules for this service */
#define SERVICE_SET_SCRIPT \
    "local change = tonumber(redis.call('HGET', KEYS[1], 'change') or '0')\n" \
    "if change == 0 then return 0 end\n" \
    "redis.call('HSET', KEYS[1], 'change', string.format('%d', change + 1), 'state', ARGV[1] == 'open' and 'open' or 'closed',\n" \
    "  'hand', ARGV[1] == 'reset' and '0' or '1', 'since', ARGV[2], 'until', '0', 'who', ARGV[3], 'why', ARGV[4])\n" \
    "return change + 1\n"

#endif

/*
 * random_definition.c -- definitions over the whole schema, expressions that fail included.
 */
#include "random_definition.h"

const char random_mapping[] =
    "{\"success\":\"${body.ok}\",\"retry\":\"${body.busy}\",\"code\":\"${body.why}\",\"output\":\"${body.data}\"}";

/* All of it validates; none of it may make apply fail, hang or differ between two workers. */
static const char *const hostile[] = {
    "${input.missing + 1}",
    "${input.total .. nil}",
    "${1 / 0}",
    "${0 / 0}",
    "${1 // 0}",
    "${input.total.too.deep}",
    "${steps}",
    "${error()}",
    "${error({})}",
    "${error('\\\\xff')}",
    "${error('-' .. ('\xc3\xa9'):rep(1000))}", /* cut in the middle of a character */
    "${'\\\\xff'}",
    "${'a\\\\0b'}",
    "${utf8.char(0xD800)}",
    "${('x'):rep(1 << 40)}",
    "${{1, nil, 3}}",
    "${{a = 1, 2}}",
    "${{[true] = 1}}",
    "${math.floor}",
    "${(function() string.upper = string.lower math = nil end)()}",
    "${(function() input.total = 1 return input.total end)()}",
    "${string.format('%d', 1.5)}",
    "${('x'):bad()}",
    "${table.concat({{}, {}})}",
    "${index + 1}",
    "${#nil}",
};

/* These spend a whole budget before they fail. */
static const char *const costly[] = {
    "${('x'):rep(9000000)}",
    "${(function(f) return f(f) end)(function(f) return 1 + f(f) end)}",
    "${(function() local t = {} t.t = t return t end)()}",
    "${(function() local t = {} for _ = 1, 40 do t = {t, t} end return t end)()}",
    "${(function() local t = {} for _ = 1, 40 do t = {a = t, b = t} end return t end)()}",
    "${(function() while true do end end)()}",
    "${(function() local s = ('x'):rep(100000) for i = 1, 100000 do local t = s .. i end end)()}",
    "${(function() local t = {} for i = 1, 20000 do t[i] = i end while true do table.sort(t) end end)()}",
    "${(''):rep(1 << 40)}",
    "${(function() local t = {} for i = 1, 5000 do t[i] = input end return t end)()}",
};

static const char *const harmless[] = {
    "${input}",
    "${input.items[1]}",
    "${input.total}",
    "${input.missing.all.the.way}",
    "order ${saga.id} of ${input.total} ($${not})",
    "${(input.total or 0) * 2}",
    "${saga.type .. '-' .. saga.version}",
    "${#(input.items or {})}",
    "${string.upper(input.who or 'x')}",
};

#define PICK(random, list) (list)[random_below((random), (int)(sizeof(list) / sizeof *(list)))]

/* "steps.<one before>" or anything else. */
static void expression(struct random *random, struct buffer *text, int steps_before)
{
    if (random_one_in(random, 40))
        say(text, "\"%s\"", random_one_in(random, 20) ? PICK(random, costly) : PICK(random, hostile));
    else if (steps_before > 0 && random_one_in(random, 2))
        say(text, "\"${steps.s%d.%s}\"", random_below(random, steps_before),
            random_one_in(random, 4) ? "status" : random_one_in(random, 3) ? "error.code" : "output.v");
    else
        say(text, "\"%s\"", PICK(random, harmless));
}

static void condition(struct random *random, struct buffer *text, int steps_before)
{
    static const char *const conditions[] = {"${input.total > 10}", "${input.who}", "${not input.items}"};

    if (random_one_in(random, 20))
        say(text, "\"%s\"", PICK(random, hostile));
    else if (steps_before > 0 && random_one_in(random, 2))
        say(text, "\"${steps.s%d.status == 'done'}\"", random_below(random, steps_before));
    else
        say(text, "\"%s\"", PICK(random, conditions));
}

static void document(struct random *random, struct buffer *text, int steps_before)
{
    if (random_one_in(random, 3)) {
        expression(random, text, steps_before);
        return;
    }
    say(text, "{\"plain\":[1,2.5,null,\"x\"]");
    for (int i = random_below(random, 3); i > 0; i--) {
        say(text, ",\"m%d\":", i);
        expression(random, text, steps_before);
    }
    say(text, "}");
}

static void codes(struct random *random, struct buffer *text, const char *member)
{
    static const char *const lists[] = {"[\"TIMEOUT\"]", "[\"BUSY\"]", "[\"BUSY\",\"TIMEOUT\",\"TRANSIENT\"]"};

    say(text, ",\"%s\":%s", member, PICK(random, lists));
}

static void retry(struct random *random, struct buffer *text, bool may_be_unlimited)
{
    if (may_be_unlimited && random_one_in(random, 8))
        say(text, "{\"attempts\":\"unlimited\"");
    else
        say(text, "{\"attempts\":%d", 1 + random_below(random, 4));
    say(text, ",\"interval\":\"%dms\",\"backoff\":%d.5,\"jitter\":0.%d", random_one_in(random, 4) ? 0 : random_below(random, 3000),
        1 + random_below(random, 3), random_below(random, 10));
    if (random_one_in(random, 4))
        say(text, ",\"maxInterval\":\"%ds\"", 3 + random_below(random, 10));
    if (random_one_in(random, 4))
        say(text, ",\"maxDuration\":\"%ds\"", 1 + random_below(random, 30));
    if (random_one_in(random, 8))
        codes(random, text, "on");
    if (random_one_in(random, 8))
        codes(random, text, "notOn");
    say(text, "}");
}

static void compensation(struct random *random, struct buffer *text, int index)
{
    say(text, ",\"compensation\":{\"command\":\"Undo%d\"", index);
    if (random_one_in(random, 4))
        say(text, ",\"service\":\"undoer\"");
    if (random_one_in(random, 3))
        say(text, ",\"timeout\":\"%ds\"", 1 + random_below(random, 20));
    if (random_one_in(random, 2)) {
        say(text, ",\"retry\":");
        retry(random, text, true);
    }
    if (random_one_in(random, 3)) {
        say(text, ",\"input\":");
        document(random, text, index + 1);
    }
    say(text, "}");
}

static void step(struct random *random, struct buffer *text, int index, bool pivot)
{
    say(text, "%s{\"name\":\"s%d\",\"service\":\"p%d\",\"command\":\"Do%d\"", index == 0 ? "" : ",", index, index % 3, index);
    if (pivot)
        say(text, ",\"pivot\":true");
    if (random_one_in(random, 2)) {
        say(text, ",\"input\":");
        document(random, text, index);
    }
    if (random_one_in(random, 5)) {
        say(text, ",\"when\":");
        condition(random, text, index);
    }
    if (random_one_in(random, 6)) {
        say(text, ",\"output\":");
        document(random, text, index);
    }
    if (random_one_in(random, 2))
        say(text, ",\"timeout\":\"%ds\"", 1 + random_below(random, 20));
    if (random_one_in(random, 2)) {
        say(text, ",\"retry\":");
        retry(random, text, true);
    }
    if (random_one_in(random, 5))
        say(text, ",\"reply\":%s", random_mapping);
    if (!random_one_in(random, 4))
        compensation(random, text, index);
    say(text, "}");
}

void random_definition(struct random *random, struct buffer *text)
{
    int steps = 1 + random_below(random, random_one_in(random, 10) ? 12 : 5);
    int pivot = random_one_in(random, 2) ? random_below(random, steps) : -1;

    say(text, "{\"name\":\"d\",\"version\":%d", 1 + random_below(random, 9));
    if (random_one_in(random, 2))
        say(text, ",\"timeout\":\"%ds\"", 2 + random_below(random, 120));
    if (random_one_in(random, 2)) {
        say(text, ",\"defaults\":{\"timeout\":\"%ds\",\"retry\":", 1 + random_below(random, 20));
        retry(random, text, false);
        say(text, "}");
    }
    if (random_one_in(random, 3)) {
        say(text, ",\"output\":");
        document(random, text, steps);
    }
    say(text, ",\"steps\":[");
    for (int i = 0; i < steps; i++)
        step(random, text, i, i == pivot);
    say(text, "]}");
}

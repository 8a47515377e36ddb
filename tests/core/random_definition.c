/*
 * random_definition.c -- definitions over the whole schema, expressions that fail included.
 */
#include "random_definition.h"

#define COMMANDS_MAX 64   /* wanted, and what the last lists add: each has at least one */
#define GROUPS_DEPTH_MAX 3

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
    "${item}",
    "${index}",
    "${(index or 0) + 1}",
    "${item and item.price}",
};

#define PICK(random, list) (list)[random_below((random), (int)(sizeof(list) / sizeof *(list)))]

/* The steps that an expression may name here: those of another case of a switch are not among them. */
struct seen {
    int commands[COMMANDS_MAX];
    int len;
};

static int any_of(struct random *random, const struct seen *seen)
{
    return seen->commands[random_below(random, seen->len)];
}

/* "steps.<one before>" or anything else. */
static void expression(struct random *random, struct buffer *text, const struct seen *seen)
{
    if (random_one_in(random, 40))
        say(text, "\"%s\"", random_one_in(random, 20) ? PICK(random, costly) : PICK(random, hostile));
    else if (seen->len > 0 && random_one_in(random, 2))
        say(text, "\"${steps.s%d.%s}\"", any_of(random, seen),
            random_one_in(random, 4) ? "status" : random_one_in(random, 8) ? "fallback" : random_one_in(random, 3) ? "error.code" : "output.v");
    else
        say(text, "\"%s\"", PICK(random, harmless));
}

static void condition(struct random *random, struct buffer *text, const struct seen *seen)
{
    static const char *const conditions[] = {"${input.total > 10}", "${input.who}", "${not input.items}"};

    if (random_one_in(random, 20))
        say(text, "\"%s\"", PICK(random, hostile));
    else if (seen->len > 0 && random_one_in(random, 2))
        say(text, "\"${steps.s%d.status == 'done'}\"", any_of(random, seen));
    else
        say(text, "\"%s\"", PICK(random, conditions));
}

static void document(struct random *random, struct buffer *text, const struct seen *seen)
{
    if (random_one_in(random, 3)) {
        expression(random, text, seen);
        return;
    }
    say(text, "{\"plain\":[1,2.5,null,\"x\"]");
    for (int i = random_below(random, 3); i > 0; i--) {
        say(text, ",\"m%d\":", i);
        expression(random, text, seen);
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

static void compensation(struct random *random, struct buffer *text, int index, const struct seen *seen)
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
        document(random, text, seen);
    }
    say(text, "}");
}

static void repeat(struct random *random, struct buffer *text, int index)
{
    say(text, ",\"repeat\":{\"interval\":\"%dms\",\"limit\":%d,\"until\":", 1 + random_below(random, 5000), 1 + random_below(random, 4));
    if (random_one_in(random, 20))
        say(text, "\"%s\"}", PICK(random, hostile));
    else if (random_one_in(random, 2))
        say(text, "\"${steps.s%d.output.v == 7}\"}", index);
    else
        say(text, "\"${body.v or body.data}\"}");
}

static void fallback(struct random *random, struct buffer *text, int index, const struct seen *seen)
{
    static const char *const keys[] = {"k", "total-${input.total}", "${saga.id}", "${item}", "${input.total}"}; /* the last one is no text */

    say(text, ",\"fallback\":{");
    if (random_one_in(random, 3)) {
        say(text, "\"cached\":\"%s\",\"maxAge\":\"%ds\"}", keys[random_below(random, 5)], 1 + random_below(random, 100));
        return;
    }
    if (random_one_in(random, 2)) {
        say(text, "\"output\":");
        document(random, text, seen);
        say(text, "}");
        return;
    }
    say(text, "\"service\":\"other\",\"command\":\"Instead%d\"", index);
    if (random_one_in(random, 3))
        say(text, ",\"timeout\":\"%ds\"", 1 + random_below(random, 20));
    if (random_one_in(random, 2)) {
        say(text, ",\"retry\":");
        retry(random, text, false);
    }
    if (random_one_in(random, 5))
        say(text, ",\"reply\":%s", random_mapping);
    if (random_one_in(random, 3)) {
        say(text, ",\"input\":");
        document(random, text, seen);
    }
    if (random_one_in(random, 4))
        compensation(random, text, index, seen);
    say(text, "}");
}

/* A tree under construction. */
struct maker {
    struct random *random;
    struct buffer *text;
    int commands, groups; /* made */
    int wanted;           /* commands in all, or a few more */
    int pivot;            /* number of the command; -1 = none; not in a parallel */
    int parallels;        /* and forEachs around */
    bool each;            /* in a forEach: no other stands in it */
    struct seen seen;
};

static void when(struct maker *maker)
{
    if (!random_one_in(maker->random, 5))
        return;
    say(maker->text, ",\"when\":");
    condition(maker->random, maker->text, &maker->seen);
}

static void command(struct maker *maker)
{
    struct random *random = maker->random;
    struct buffer *text = maker->text;
    int index = maker->commands++;

    say(text, "{\"name\":\"s%d\",\"service\":\"p%d\",\"command\":\"Do%d\"", index, index % 3, index);
    if (index == maker->pivot && maker->parallels == 0)
        say(text, ",\"pivot\":true");
    if (random_one_in(random, 2)) {
        say(text, ",\"input\":");
        document(random, text, &maker->seen);
    }
    when(maker);
    if (random_one_in(random, 6)) {
        say(text, ",\"output\":");
        document(random, text, &maker->seen);
    }
    if (random_one_in(random, 2))
        say(text, ",\"timeout\":\"%ds\"", 1 + random_below(random, 20));
    if (random_one_in(random, 2)) {
        say(text, ",\"retry\":");
        retry(random, text, true);
    }
    if (random_one_in(random, 5))
        say(text, ",\"reply\":%s", random_mapping);
    if (random_one_in(random, 8))
        say(text, ",\"sensitive\":[\"/a/*\",\"/n\"]");
    maker->seen.commands[maker->seen.len++] = index;
    if (!random_one_in(random, 4))
        compensation(random, text, index, &maker->seen);
    if (random_one_in(random, 5))
        repeat(random, text, index);
    if (index != maker->pivot && random_one_in(random, 3))
        fallback(random, text, index, &maker->seen);
    say(text, "}");
}

/* A command as any other to whoever looks on: it is sent, answered and undone. */
static void child(struct maker *maker)
{
    struct random *random = maker->random;
    struct buffer *text = maker->text;
    int index = maker->commands++;
    bool detached = (index != maker->pivot || maker->parallels > 0) && random_one_in(random, 4);

    say(text, "{\"name\":\"s%d\"", index);
    if (index == maker->pivot && maker->parallels == 0)
        say(text, ",\"pivot\":true");
    when(maker);
    say(text, ",\"saga\":{\"name\":\"other\",\"input\":");
    document(random, text, &maker->seen);
    say(text, "%s%s}", random_one_in(random, 3) ? ",\"version\":3" : "", detached ? ",\"detached\":true" : "");
    maker->seen.commands[maker->seen.len++] = index;
    if (!detached && random_one_in(random, 6)) {
        say(text, ",\"output\":");
        document(random, text, &maker->seen);
    }
    if (!detached && random_one_in(random, 2))
        say(text, ",\"timeout\":\"%ds\"", 1 + random_below(random, 20));
    if (!detached && random_one_in(random, 2)) {
        say(text, ",\"retry\":");
        retry(random, text, true);
    }
    say(text, "}");
}

/* Sends nothing; its own number among the groups. A goto leads to the sequence at the end of the list: *jump is its number. */
static void pause_step(struct maker *maker, int *jump)
{
    static const char *const times[] = {"${'2026-01-31T12:00:30Z'}", "${'1999-12-31T23:59:59.5+01:00'}", "${input.total}", "${input.at}"};
    struct random *random = maker->random;
    struct buffer *text = maker->text;

    say(text, "{\"name\":\"g%d\"", maker->groups++);
    when(maker);
    switch (random_below(random, 4)) {
    case 0: say(text, ",\"sleep\":\"%ds\"}", 1 + random_below(random, 40)); return;
    case 1: say(text, ",\"sleep\":{\"until\":\"%s\"}}", PICK(random, times)); return;
    default: say(text, ",\"wait\":{\"signal\":\"sig%d\",\"timeout\":", random_below(random, 2)); break;
    }
    if (random_one_in(random, 4))
        say(text, "\"never\"");
    else
        say(text, "\"%ds\"", 1 + random_below(random, 40));
    switch (random_below(random, 3)) {
    case 0: say(text, ",\"onTimeout\":\"continue\""); break;
    case 1:
        *jump = *jump < 0 ? maker->groups++ : *jump;
        say(text, ",\"onTimeout\":{\"goto\":\"g%d\"}", *jump);
        break;
    default: break;
    }
    say(text, "}}");
}

/* Tried; its name and its place among what is seen are a command's. */
static void tcc(struct maker *maker)
{
    struct random *random = maker->random;
    struct buffer *text = maker->text;
    int index = maker->commands++;

    say(text, "{\"name\":\"s%d\",\"service\":\"p%d\"", index, index % 3);
    when(maker);
    if (random_one_in(random, 2)) {
        say(text, ",\"input\":");
        document(random, text, &maker->seen);
    }
    maker->seen.commands[maker->seen.len++] = index;
    say(text, ",\"tcc\":{\"try\":{\"command\":\"Try\"},\"confirm\":{\"command\":\"Confirm\"");
    if (random_one_in(random, 4)) {
        say(text, ",\"input\":");
        document(random, text, &maker->seen);
    }
    if (random_one_in(random, 2)) {
        say(text, ",\"retry\":");
        retry(random, text, true);
    }
    say(text, "},\"cancel\":{\"command\":\"Cancel\"}");
    if (random_one_in(random, 3))
        say(text, ",\"expires\":\"%ds\"", 1 + random_below(random, 30));
    say(text, "}}");
}

static void list(struct maker *maker, int depth);

/* What is seen in one case is not seen in another; after the switch all of it is, and may be nil. */
static void cases(struct maker *maker, int depth)
{
    struct seen before = maker->seen, after = maker->seen;
    int n = 1 + random_below(maker->random, 3);
    bool otherwise = random_one_in(maker->random, 2);

    say(maker->text, "\"switch\":[");
    for (int i = 0; i < n + otherwise; i++) {
        if (i < n) {
            say(maker->text, "%s{\"when\":", i == 0 ? "" : ",");
            condition(maker->random, maker->text, &before);
        }
        say(maker->text, i < n ? ",\"steps\":" : "],\"default\":");
        list(maker, depth);
        say(maker->text, i < n ? "}" : "");
        while (maker->seen.len > before.len)
            after.commands[after.len++] = maker->seen.commands[--maker->seen.len];
    }
    say(maker->text, otherwise ? "" : "]");
    maker->seen = after;
}

/* Likewise; what has lost is nil or not. */
static void branches(struct maker *maker, int depth)
{
    struct seen before = maker->seen, after = maker->seen;
    int n = 1 + random_below(maker->random, 4);

    maker->parallels++;
    say(maker->text, "\"parallel\":[");
    for (int i = 0; i < n; i++) {
        say(maker->text, i == 0 ? "" : ",");
        list(maker, depth);
        while (maker->seen.len > before.len)
            after.commands[after.len++] = maker->seen.commands[--maker->seen.len];
    }
    maker->parallels--;
    maker->seen = after;
    switch (random_below(maker->random, 4)) {
    case 0: say(maker->text, "]"); break;
    case 1: say(maker->text, "],\"join\":\"all\""); break;
    case 2: say(maker->text, "],\"join\":\"any\""); break;
    default: say(maker->text, "],\"join\":{\"quorum\":%d}", 1 + random_below(maker->random, n)); break;
    }
}

/* What is in it cannot be named outside of it. */
static void each(struct maker *maker, int depth)
{
    static const char *const items[] = {"${input.items}", "${input.items}", "${input.items}", "${{1, 2, 3}}", "${{}}", "${{'a', {b = 1}}}", "${input.total}",
                                        "${saga.id}",     "${1 + nil}"};
    struct seen before = maker->seen;

    maker->parallels++;
    maker->each = true;
    say(maker->text, "\"forEach\":{\"items\":\"%s\"", items[random_below(maker->random, random_one_in(maker->random, 4) ? 9 : 5)]);
    if (random_one_in(maker->random, 2))
        say(maker->text, ",\"maxConcurrency\":%d", 1 + random_below(maker->random, 3));
    say(maker->text, ",\"steps\":");
    list(maker, depth);
    say(maker->text, "}");
    maker->each = false;
    maker->parallels--;
    maker->seen = before;
}

static void group(struct maker *maker, int depth)
{
    int kind = random_below(maker->random, maker->each ? 4 : 6);

    say(maker->text, "{\"description\":\"\"");
    if (kind > 1 || random_one_in(maker->random, 2))
        say(maker->text, ",\"name\":\"g%d\"", maker->groups++);
    when(maker);
    say(maker->text, ",");
    switch (kind) {
    case 0:
    case 1: branches(maker, depth + 1); break;
    case 2:
        say(maker->text, "\"sequence\":");
        list(maker, depth + 1);
        break;
    case 3: cases(maker, depth + 1); break;
    default: each(maker, depth + 1); break;
    }
    say(maker->text, "}");
}

static void list(struct maker *maker, int depth)
{
    int n = depth == 0 ? COMMANDS_MAX : 1 + random_below(maker->random, 3), jump = -1;

    say(maker->text, "[");
    for (int i = 0; i < n && (i == 0 || maker->commands < maker->wanted); i++) {
        say(maker->text, i == 0 ? "" : ",");
        if (depth < GROUPS_DEPTH_MAX && random_one_in(maker->random, 4))
            group(maker, depth);
        else if (random_one_in(maker->random, 6))
            pause_step(maker, &jump);
        else if (random_one_in(maker->random, 6))
            child(maker);
        else if (maker->commands != maker->pivot && !maker->each && random_one_in(maker->random, 6))
            tcc(maker);
        else
            command(maker);
    }
    if (jump >= 0) {
        say(maker->text, ",{\"name\":\"g%d\",\"sequence\":[", jump);
        command(maker);
        say(maker->text, "]}");
    }
    say(maker->text, "]");
}

void random_definition(struct random *random, struct buffer *text)
{
    struct maker maker = {.random = random, .text = text, .wanted = 1 + random_below(random, random_one_in(random, 10) ? 12 : 5)};

    maker.pivot = random_one_in(random, 2) ? random_below(random, maker.wanted) : -1;
    say(text, "{\"name\":\"d\",\"version\":%d", 1 + random_below(random, 9));
    if (random_one_in(random, 2))
        say(text, ",\"timeout\":\"%ds\"", 2 + random_below(random, 120));
    if (random_one_in(random, 2)) {
        say(text, ",\"defaults\":{\"timeout\":\"%ds\",\"retry\":", 1 + random_below(random, 20));
        retry(random, text, false);
        say(text, "}");
    }
    if (random_one_in(random, 4)) {
        static const char *const keys[] = {"k", "total-${input.total}", "${saga.id}", "${input.total}"}; /* the last one is no text */
        static const char *const more[] = {"", ",\"mode\":\"reject\"", ",\"timeout\":\"2s\"", ",\"timeout\":\"never\""};

        say(text, ",\"lock\":{\"key\":\"%s\"%s}", keys[random_below(random, 4)], more[random_below(random, 4)]);
    }
    say(text, ",\"steps\":");
    list(&maker, 0);
    if (random_one_in(random, 3)) {
        say(text, ",\"output\":");
        document(random, text, &maker.seen);
    }
    say(text, "}");
}

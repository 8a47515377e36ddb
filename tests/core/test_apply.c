/*
 * test_apply.c -- the rules, a row each: what is given as events, what comes as effects, where it ends.
 *
 * Events: start; ok STEP (success), seven STEP (success with {"n":7}: the only one with a body), no STEP (refusal), again STEP (transient), later STEP (transient, not before 5 s), wait STEP (pending), undone STEP, undo-no STEP, undo-wait STEP;
 * STEP#n means attempt n instead of the last; due (the saga's timer), early (a timer before that), +n (n seconds pass, then its timer), park, signal NAME (with {"n":7}), granted and locked (by the lock).
 * claim STEP (success with a reference), found STEP (what is kept is {"n":7}, a minute old), old STEP (two hours old), miss STEP (nothing is).
 * Verbs: cancel, terminate, pause, resume, compensate, retry, retry STEP, retry-with STEP (another input), skip STEP, complete STEP.
 * STEP diverted: its fallback stands in, as the breaker is open.
 * Services: shut S (its breaker is open), busy S, free S; woken S (its held-back command asks now).
 * Effects: STEP held, ~STEP held (it waits for its service), STEP#n (execute, attempt n), ~STEP#n (compensate), result, parked, resumed, ask KEY and leave KEY (to a lock); late, dup, early and refused where the event changed nothing.
 */
#include "rows.h"
#include <baton/apply.h>

/* a, b can be undone; p is the pivot; z comes after it. */
static const char order[] =
    "{\"name\":\"order\",\"version\":1,\"timeout\":\"1h\",\"defaults\":{\"timeout\":\"10s\",\"retry\":{\"attempts\":2,\"interval\":\"1s\",\"jitter\":0}},"
    "\"steps\":[{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\",\"compensation\":{\"command\":\"UndoA\",\"retry\":{\"attempts\":2}}},"
    "{\"name\":\"b\",\"service\":\"s\",\"command\":\"B\",\"compensation\":{\"command\":\"UndoB\"}},"
    "{\"name\":\"w\",\"service\":\"s\",\"command\":\"W\",\"when\":\"${input.w}\"},"
    "{\"name\":\"p\",\"service\":\"s\",\"command\":\"P\",\"pivot\":true,\"compensation\":{\"command\":\"UndoP\"}},"
    "{\"name\":\"z\",\"service\":\"s\",\"command\":\"Z\"}]}";

/* The pivot cannot be undone; y comes after it, and its output cannot be computed from 0. */
static const char pivotal[] =
    "{\"name\":\"order\",\"version\":1,\"timeout\":\"60s\",\"defaults\":{\"timeout\":\"10s\",\"retry\":{\"attempts\":2,\"interval\":\"1s\",\"jitter\":0}},"
    "\"steps\":[{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\",\"compensation\":{\"command\":\"UndoA\",\"retry\":{\"attempts\":1}}},"
    "{\"name\":\"p\",\"service\":\"s\",\"command\":\"P\",\"pivot\":true},"
    "{\"name\":\"y\",\"service\":\"s\",\"command\":\"Y\",\"output\":\"${body + 1}\"}]}";

/* Each way in which an expression can fail a step; budgets of time; codes. */
static const char odd[] =
    "{\"name\":\"order\",\"version\":1,\"defaults\":{\"timeout\":\"10s\",\"retry\":{\"attempts\":3,\"interval\":\"2s\",\"backoff\":1,\"jitter\":0}},"
    "\"steps\":[{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\",\"retry\":{\"maxDuration\":\"25s\"},"
    "\"compensation\":{\"command\":\"UndoA\",\"input\":\"${steps.a.output}\",\"retry\":{\"attempts\":\"unlimited\",\"interval\":\"2s\",\"maxDuration\":\"25s\"}}},"
    "{\"name\":\"n\",\"service\":\"s\",\"command\":\"N\",\"retry\":{\"notOn\":[\"TRANSIENT\"]},\"compensation\":{\"command\":\"UndoN\",\"input\":\"${input.no + 1}\"}},"
    "{\"name\":\"o\",\"service\":\"s\",\"command\":\"O\",\"retry\":{\"on\":[\"TRANSIENT\"]}},"
    "{\"name\":\"i\",\"service\":\"s\",\"command\":\"I\",\"input\":\"${steps.o.output + 1}\"}]}";

/* The compensation of a has an input that cannot be computed. */
static const char blocked[] =
    "{\"name\":\"order\",\"version\":1,\"steps\":[{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\",\"compensation\":{\"command\":\"UndoA\",\"input\":\"${input.no + 1}\"}},"
    "{\"name\":\"b\",\"service\":\"s\",\"command\":\"B\",\"compensation\":{\"command\":\"UndoB\"}}]}";

/* No answer of these tests is as the schemas demand. */
static const char typed[] =
    "{\"name\":\"order\",\"version\":1,\"steps\":[{\"name\":\"w\",\"service\":\"s\",\"command\":\"W\",\"when\":\"${input.w}\"},"
    "{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\",\"when\":\"${not input.w}\",\"compensation\":{\"command\":\"UndoA\"},\"reply\":{\"schema\":{\"type\":\"array\"}}},"
    "{\"name\":\"b\",\"service\":\"s\",\"command\":\"B\"}]}";

static const char typed_pivot[] =
    "{\"name\":\"order\",\"version\":1,\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"P\",\"pivot\":true,\"reply\":{\"schema\":{\"type\":\"array\"}}},"
    "{\"name\":\"b\",\"service\":\"s\",\"command\":\"B\"}]}";

/* As often as need be. */
static const char endless[] =
    "{\"name\":\"order\",\"version\":1,\"steps\":[{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\",\"timeout\":\"1s\","
    "\"retry\":{\"attempts\":\"unlimited\",\"interval\":\"0ms\"}},{\"name\":\"b\",\"service\":\"s\",\"command\":\"B\",\"when\":\"${steps.a.output + 1}\"}]}";

/* Groups in groups: of the cases of c the second is true, nothing is true in m, o has a default. */
static const char tree[] =
    "{\"name\":\"order\",\"version\":1,\"timeout\":\"1h\",\"defaults\":{\"timeout\":\"10s\",\"retry\":{\"attempts\":2,\"interval\":\"1s\",\"jitter\":0}},"
    "\"steps\":[{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\",\"compensation\":{\"command\":\"UndoA\"}},"
    "{\"name\":\"g\",\"sequence\":[{\"name\":\"b\",\"service\":\"s\",\"command\":\"B\",\"compensation\":{\"command\":\"UndoB\"}},"
    "{\"name\":\"c\",\"switch\":[{\"when\":\"${input.w}\",\"steps\":[{\"name\":\"d\",\"service\":\"s\",\"command\":\"D\"}]},"
    "{\"when\":\"${steps.b.status == 'done'}\",\"steps\":[{\"name\":\"e\",\"service\":\"s\",\"command\":\"E\",\"compensation\":{\"command\":\"UndoE\"}},"
    "{\"name\":\"h\",\"sequence\":[{\"name\":\"f\",\"service\":\"s\",\"command\":\"F\"}]}]}],"
    "\"default\":[{\"name\":\"i\",\"service\":\"s\",\"command\":\"I\"}]}]},"
    "{\"name\":\"k\",\"when\":\"${input.w}\",\"sequence\":[{\"name\":\"l\",\"service\":\"s\",\"command\":\"L\"}]},"
    "{\"name\":\"m\",\"switch\":[{\"when\":\"${input.w}\",\"steps\":[{\"name\":\"n\",\"service\":\"s\",\"command\":\"N\"}]}]},"
    "{\"name\":\"o\",\"switch\":[{\"when\":\"${input.w}\",\"steps\":[{\"name\":\"q\",\"service\":\"s\",\"command\":\"Q\"}]}],"
    "\"default\":[{\"name\":\"r\",\"service\":\"s\",\"command\":\"R\"}]}]}";

/* Past the pivot, in a group, a condition that fails; before it, one in a case. */
static const char torn[] =
    "{\"name\":\"order\",\"version\":1,\"steps\":[{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\",\"compensation\":{\"command\":\"UndoA\"}},"
    "{\"name\":\"c\",\"switch\":[{\"when\":\"${steps.a.output.n + 1 == 8}\",\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"P\",\"pivot\":true},"
    "{\"name\":\"y\",\"when\":\"${input.no + 1}\",\"sequence\":[{\"name\":\"z\",\"service\":\"s\",\"command\":\"Z\"}]}]}]}]}";

/* Waits that fail, go on, lead on; one for ever, whose signal has the name of the one before it. */
static const char failing[] =
    "{\"name\":\"order\",\"version\":1,\"timeout\":\"1h\",\"defaults\":{\"timeout\":\"10s\"},\"steps\":["
    "{\"name\":\"a\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"}},"
    "{\"name\":\"w\",\"wait\":{\"signal\":\"go\",\"timeout\":\"10s\"}},"
    "{\"name\":\"b\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"}}]}";

static const char going_on[] =
    "{\"name\":\"order\",\"version\":1,\"timeout\":\"1h\",\"defaults\":{\"timeout\":\"10s\"},\"steps\":["
    "{\"name\":\"a\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"}},"
    "{\"name\":\"w\",\"wait\":{\"signal\":\"go\",\"timeout\":\"10s\",\"onTimeout\":\"continue\"}},"
    "{\"name\":\"b\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"}}]}";

static const char leading[] =
    "{\"name\":\"order\",\"version\":1,\"timeout\":\"1h\",\"defaults\":{\"timeout\":\"10s\"},\"steps\":["
    "{\"name\":\"a\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"}},"
    "{\"name\":\"g\",\"sequence\":[{\"name\":\"w\",\"wait\":{\"signal\":\"go\",\"timeout\":\"10s\",\"onTimeout\":{\"goto\":\"t\"}}},{\"name\":\"b\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"}}]},"
    "{\"name\":\"c\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"}},"
    "{\"name\":\"t\",\"sequence\":[{\"name\":\"d\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"}}]}]}";

static const char patient[] =
    "{\"name\":\"order\",\"version\":1,\"defaults\":{\"timeout\":\"10s\"},\"steps\":["
    "{\"name\":\"a\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"}},"
    "{\"name\":\"v\",\"wait\":{\"signal\":\"go\",\"timeout\":\"never\"}},"
    "{\"name\":\"w\",\"wait\":{\"signal\":\"go\",\"timeout\":\"never\"}},"
    "{\"name\":\"b\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"}}]}";

static const char patient_one[] =
    "{\"name\":\"order\",\"version\":1,\"steps\":["
    "{\"name\":\"a\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"}},{\"name\":\"w\",\"wait\":{\"signal\":\"go\",\"timeout\":\"never\"}},{\"name\":\"b\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"}}]}";

static const char cases[] =
    "{\"name\":\"order\",\"version\":1,\"timeout\":\"1h\",\"defaults\":{\"timeout\":\"10s\"},\"steps\":["
    "{\"name\":\"a\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"}},"
    "{\"name\":\"c\",\"switch\":[{\"when\":\"${input.x}\",\"steps\":[{\"name\":\"w\",\"wait\":{\"signal\":\"go\",\"timeout\":\"never\"}}]}],\"default\":[{\"name\":\"v\",\"wait\":{\"signal\":\"other\",\"timeout\":\"never\"}}]}]}";

static const char pivoted[] =
    "{\"name\":\"order\",\"version\":1,\"timeout\":\"1h\",\"defaults\":{\"timeout\":\"10s\"},\"steps\":["
    "{\"name\":\"a\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"},\"pivot\":true},"
    "{\"name\":\"w\",\"wait\":{\"signal\":\"go\",\"timeout\":\"10s\"}},"
    "{\"name\":\"b\",\"service\":\"s\",\"command\":\"C\"}]}";

/* A nap, a time given, a time that is none. */
static const char sleepy[] =
    "{\"name\":\"order\",\"version\":1,\"timeout\":\"1h\",\"defaults\":{\"timeout\":\"10s\"},\"steps\":["
    "{\"name\":\"a\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"}},"
    "{\"name\":\"nap\",\"sleep\":\"20s\"},"
    "{\"name\":\"b\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"}},"
    "{\"name\":\"till\",\"sleep\":{\"until\":\"${'1970-01-01T00:20:00Z'}\"}},"
    "{\"name\":\"past\",\"sleep\":{\"until\":\"${'1970-01-01T00:00:01+00:00'}\"}},"
    "{\"name\":\"c\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"}},"
    "{\"name\":\"odd\",\"sleep\":{\"until\":\"${steps.c.status}\"}}]}";

/* Branches side by side; every step can be undone, with two attempts. */
#define ONE_HOUR "{\"name\":\"order\",\"version\":1,\"timeout\":\"1h\",\"defaults\":{\"timeout\":\"10s\",\"retry\":{\"attempts\":2,\"interval\":\"1s\",\"jitter\":0}},\"steps\":["
#define DO(name) "{\"name\":\"" name "\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\",\"retry\":{\"attempts\":2}}}"
#define PIVOT(name) "{\"name\":\"" name "\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true}"
#define SIDE_BY_SIDE(branches, join) "{\"parallel\":[" branches "],\"join\":" join "}"
static const char both[] = ONE_HOUR DO("a") "," SIDE_BY_SIDE("[" DO("b") "," DO("c") "],[" DO("d") "]", "\"all\"") "," DO("z") "]}";
static const char race[] = ONE_HOUR DO("a") "," SIDE_BY_SIDE("[" DO("b") "],[" DO("c") "," DO("d") "],[" DO("e") "]", "\"any\"") "," DO("z") "]}";
static const char votes[] = ONE_HOUR DO("a") "," SIDE_BY_SIDE("[" DO("b") "],[" DO("c") "],[" DO("d") "]", "{\"quorum\":2}") "," DO("z") "]}";
static const char deep[] = ONE_HOUR DO("a") "," SIDE_BY_SIDE("[" SIDE_BY_SIDE("[" DO("b") "],[" DO("c") "]", "\"all\"") "],[" DO("d") "]", "\"any\"") "," DO("z") "]}";
static const char forward_only[] = ONE_HOUR PIVOT("p") "," SIDE_BY_SIDE("[" DO("b") "],[" DO("d") "]", "\"all\"") "," DO("z") "]}";
static const char forward_race[] = ONE_HOUR PIVOT("p") "," SIDE_BY_SIDE("[" DO("b") "],[" DO("d") "]", "\"any\"") "," DO("z") "]}";
static const char either[] = ONE_HOUR SIDE_BY_SIDE("[{\"name\":\"w\",\"wait\":{\"signal\":\"go\",\"timeout\":\"never\"}}],[" DO("b") "]", "\"any\"") "]}";
static const char to_come[] = ONE_HOUR SIDE_BY_SIDE("[" DO("b") ",{\"name\":\"w\",\"wait\":{\"signal\":\"go\",\"timeout\":\"never\"}}],[" DO("c") "]", "\"any\"") "]}";
static const char at_once[] =
    ONE_HOUR SIDE_BY_SIDE("[" DO("a") "],[{\"name\":\"n\",\"service\":\"s\",\"command\":\"C\",\"when\":\"${input.w}\"}],[" DO("b") "]", "\"any\"") "]}";

/* Once for each item; the rows' sagas have none as their input, so that these are written down. Each output is {"n":7} where the row says seven. */
#define FOR_EACH(name, members, steps) "{\"name\":\"" name "\",\"forEach\":{" members "\"steps\":[" steps "]}}"
#define THREE "\"items\":\"${{'p', 'q', 'r'}}\","
static const char each[] = ONE_HOUR DO("a") "," FOR_EACH("f", THREE "\"maxConcurrency\":2,", DO("b") "," DO("c")) "," DO("z") "]}";
static const char each_alone[] = ONE_HOUR DO("a") "," FOR_EACH("f", THREE, DO("b")) "," DO("z") "]}";
static const char each_none[] = ONE_HOUR DO("a") "," FOR_EACH("f", "\"items\":\"${input.none or steps.a.output.list}\",", DO("b")) "," DO("z") "]}";
static const char each_empty[] = ONE_HOUR FOR_EACH("f", "\"items\":\"${{}}\",", DO("b")) "," DO("z") "]}";
static const char each_some[] = ONE_HOUR FOR_EACH("f", THREE "\"maxConcurrency\":1,", "{\"name\":\"b\",\"when\":\"${item == 'q'}\",\"service\":\"s\",\"command\":\"C\"}") "," DO("z") "]}";
static const char each_forward[] = ONE_HOUR PIVOT("p") "," FOR_EACH("f", THREE "\"maxConcurrency\":2,", DO("b")) "," DO("z") "]}";
static const char each_race[] = ONE_HOUR SIDE_BY_SIDE("[" FOR_EACH("f", THREE "\"maxConcurrency\":2,", DO("b")) "],[" DO("d") "]", "\"any\"") "," DO("z") "]}";
static const char races[] = ONE_HOUR FOR_EACH("f", THREE "\"maxConcurrency\":2,", SIDE_BY_SIDE("[" DO("b") "],[" DO("c") "]", "\"any\"")) "," DO("z") "]}";
static const char each_waits[] = ONE_HOUR FOR_EACH("f", THREE "\"maxConcurrency\":1,", DO("b") ",{\"name\":\"w\",\"wait\":{\"signal\":\"go\",\"timeout\":\"never\"}}") "]}";
static const char waits_first[] = ONE_HOUR FOR_EACH("f", THREE "\"maxConcurrency\":1,", "{\"name\":\"w\",\"wait\":{\"signal\":\"go\",\"timeout\":\"never\"}}," DO("b")) "]}";
static const char each_instead[] =
    ONE_HOUR FOR_EACH("f", THREE "\"maxConcurrency\":2,", "{\"name\":\"b\",\"service\":\"s\",\"command\":\"C\",\"retry\":{\"attempts\":1},\"fallback\":{\"service\":\"o\",\"command\":\"C\"}}") "," DO("z") "]}";

static const struct row {
    const char *name;
    const char *when;
    const char *then;
    const char *definition; /* NULL = order */
} rows[] = {
    {"a start sends the first step", "start", "a#1; running", NULL},
    {"a done step starts the next one", "start, ok a", "a#1, b#1; running", NULL},
    {"a step whose condition is false is skipped", "start, ok a, ok b", "a#1, b#1, p#1; running", NULL},
    {"the last done step completes it", "start, ok a, ok b, ok p, ok z", "a#1, b#1, p#1, z#1, result; completed", NULL},
    {"a refusal compensates the done steps, last first", "start, ok a, ok b, no p, undone b, undone a",
     "a#1, b#1, p#1, ~b#1, ~a#1, result; compensated", NULL},
    {"a refusal of the first step has nothing to undo", "start, no a", "a#1, result; compensated", NULL},
    {"a transient failure is tried again after the interval", "start, again a, due", "a#1, a#2; running", NULL},
    {"exhausted by answers: nothing happened there", "start, again a, due, again a", "a#1, a#2, result; compensated", NULL},
    {"a timeout is tried again", "start, due, due", "a#1, a#2; running", NULL},
    {"exhausted by silence: it may have acted, and is compensated", "start, due, due, due, undone a", "a#1, a#2, ~a#1, result; compensated", NULL},
    {"the first outcome of any attempt settles the step", "start, due, due, ok a#1", "a#1, a#2, b#1; running", NULL},
    {"a second outcome is a duplicate", "start, ok a, ok a", "a#1, b#1, dup; running", NULL},
    {"another outcome than the one that settled it is late, not a duplicate", "start, ok a, no a", "a#1, b#1, late; running", NULL},
    {"a late success of a step given up changes nothing while it is compensated", "start, due, due, due, ok a", "a#1, a#2, ~a#1, late; compensating", NULL},
    {"a compensation is tried again", "start, ok a, no b, due, due", "a#1, b#1, ~a#1, ~a#2; compensating", NULL},
    {"a compensation whose budget is spent parks the saga", "start, ok a, no b, due, due, due", "a#1, b#1, ~a#1, ~a#2, parked; parked", NULL},
    {"a late success resumes what was parked", "start, ok a, no b, due, due, due, undone a",
     "a#1, b#1, ~a#1, ~a#2, parked, resumed, result; compensated", NULL},
    {"past the pivot there is no way back: refused, tried again", "start, ok a, ok b, ok p, no z, due", "a#1, b#1, p#1, z#1, z#2; running", NULL},
    {"past the pivot, exhausted: parked", "start, ok a, ok b, ok p, no z, due, no z", "a#1, b#1, p#1, z#1, z#2, parked; parked", NULL},
    {"a second start is counted", "start, start", "a#1, dup; running", NULL},
    {"a reply after the end is late", "start, no a, again a", "a#1, result, late; compensated", NULL},

    /* replies */
    {"a reply to a step not reached yet is late", "start, ok b", "a#1, late; running", NULL},
    {"a reply to an attempt not made yet is late", "start, ok a#2", "a#1, late; running", NULL},
    {"transient news of an attempt that was replaced are late", "start, due, due, again a#1", "a#1, a#2, late; running", NULL},
    {"a refusal of an attempt that was replaced settles the step", "start, due, due, no a#1", "a#1, a#2, result; compensated", NULL},
    {"a success between two attempts settles the step", "start, again a, ok a", "a#1, b#1; running", NULL},
    {"an attempt's first answer is believed, once", "start, again a, again a", "a#1, late; running", NULL},
    {"a refusal that comes twice is a duplicate", "start, no a, no a", "a#1, result, dup; compensated", NULL},
    {"a success after the refusal is compensated, without a second result", "start, no a, ok a, undone a",
     "a#1, result, ~a#1; compensated", NULL},
    {"and has one result even if an operator had to see to it", "start, no a, ok a, due, due, due, undone a",
     "a#1, result, ~a#1, ~a#2, parked, resumed; compensated", NULL},
    {"and parks when it cannot be", "start, no a, ok a, due, due, due", "a#1, result, ~a#1, ~a#2, parked; parked", NULL},
    {"a success after the refusal waits for the compensation under way", "start, ok a, ok b, no p, ok p, undone b, undone p, undone a",
     "a#1, b#1, p#1, ~b#1, ~p#1, ~a#1, result; compensated", NULL},
    {"a timer before the time changes nothing", "start, early, ok a", "a#1, early, b#1; running", NULL},
    {"pending extends the deadline", "start, +9, wait a, +9, ok a", "a#1, early, early, b#1; running", NULL},
    {"and then it passes", "start, wait a, due, due", "a#1, a#2; running", NULL},
    {"a participant may ask for a longer wait than the interval", "start, later a, +4, +1", "a#1, early, a#2; running", NULL},
    {"pending of an attempt that was replaced is late", "start, due, due, wait a#1", "a#1, a#2, late; running", NULL},

    /* compensation */
    {"a compensation that answers pending is waited for", "start, ok a, no b, undo-wait a, early, undone a",
     "a#1, b#1, ~a#1, early, result; compensated", NULL},
    {"a compensation that is refused is tried again", "start, ok a, no b, undo-no a, due, undone a", "a#1, b#1, ~a#1, ~a#2, result; compensated", NULL},
    {"a compensation refused to the end parks", "start, ok a, no b, undo-no a, due, undo-no a", "a#1, b#1, ~a#1, ~a#2, parked; parked", NULL},
    {"a compensation done twice is a duplicate", "start, ok a, ok b, no p, undone b, undone b", "a#1, b#1, p#1, ~b#1, ~a#1, dup; compensating", NULL},
    {"a compensation nobody asked for is late", "start, undone a", "a#1, late; running", NULL},
    {"an old attempt of a compensation does as well", "start, ok a, no b, due, due, undone a#1", "a#1, b#1, ~a#1, ~a#2, result; compensated", NULL},
    {"a refusal of an old attempt of a compensation is late", "start, ok a, no b, due, due, undo-no a#1", "a#1, b#1, ~a#1, ~a#2, late; compensating", NULL},

    /* the pivot, the deadline */
    {"past the deadline it turns back, the unanswered step first", "start, ok a, +3600, undone b, undone a", "a#1, b#1, ~b#1, ~a#1, result; compensated", NULL},
    {"past the deadline a step that waits to be retried was answered: nothing happened there", "start, ok a, again b, +3600, undone a",
     "a#1, b#1, ~a#1, result; compensated", NULL},
    {"past the pivot the deadline means nothing", "start, ok a, ok b, ok p, +3600, due, ok z", "a#1, b#1, p#1, z#1, z#2, result; completed", NULL},
    {"a pivot refused can be turned back from", "start, ok a, no p, undone a", "a#1, p#1, ~a#1, result; compensated", pivotal},
    {"a pivot of unknown outcome that cannot be undone parks", "start, ok a, due, due, due", "a#1, p#1, p#2, parked; parked", pivotal},
    {"and goes on when it was done after all", "start, ok a, due, due, due, ok p", "a#1, p#1, p#2, parked, resumed, y#1; running", pivotal},
    {"and turns back when it was refused after all", "start, ok a, due, due, due, no p, undone a",
     "a#1, p#1, p#2, parked, resumed, ~a#1, result; compensated", pivotal},
    {"the deadline waits for a pivot that has been sent and cannot be undone", "start, ok a, +5, +56, no p, undone a",
     "a#1, p#1, early, ~a#1, result; compensated", pivotal},
    {"a refusal of an old attempt past the pivot is late", "start, ok a, ok p, due, due, no y#1", "a#1, p#1, y#1, y#2, late; running", pivotal},
    {"a late success past the pivot resumes what was parked", "start, ok a, ok b, ok p, no z, due, no z, ok z",
     "a#1, b#1, p#1, z#1, z#2, parked, resumed, result; completed", NULL},
    {"and parks again when its output cannot be used", "start, ok a, ok p, due, due, due, ok y", "a#1, p#1, y#1, y#2, parked, resumed, parked; parked", pivotal},

    /* budgets of time, codes */
    {"maxDuration cuts the last attempt short", "start, +10, +2, +10, +2, +1, undone a", "a#1, a#2, a#3, ~a#1, result; compensated", odd},
    {"a retry whose timer comes after maxDuration is not sent", "start, again a, +30", "a#1, result; compensated", odd},
    {"a compensation's maxDuration bounds pending too", "start, no a, ok a, +9, undo-wait a, +9, undo-wait a, +8",
     "a#1, result, ~a#1, early, early, parked; parked", odd},
    {"a code that is not to be retried", "start, ok a, again n, undone a", "a#1, n#1, ~a#1, result; compensated", odd},
    {"but another is", "start, ok a, due, due", "a#1, n#1, n#2; running", odd},
    {"only a code that is to be retried is", "start, ok a, ok n, again o, due", "a#1, n#1, o#1, o#2; running", odd},
    {"a silence is retried only if it is listed", "start, ok a, ok n, due", "a#1, n#1, o#1, parked; parked", odd},
    {"unlimited attempts go on", "start, due, due, due, due, due, due, due, due, due, due", "a#1, a#2, a#3, a#4, a#5, a#6, a#7, a#8, a#9, a#10, a#11; running", endless},

    /* expressions that fail */
    {"an input that fails, fails its step", "start, ok a, ok n, ok o", "a#1, n#1, o#1, parked; parked", odd},
    {"a condition that fails, fails its step", "start, ok a", "a#1, result; compensated", endless},
    {"an output that fails past the pivot parks", "start, ok a, ok p, ok y", "a#1, p#1, y#1, parked; parked", pivotal},
    {"a compensation's input that fails parks", "start, ok a, ok n, no o", "a#1, n#1, o#1, parked; parked", odd},

    {"a success that its schema forbids has happened: it is compensated too", "start, ok a, undone a", "a#1, ~a#1, result; compensated", typed},
    {"a refusal is not held against the schema: nothing happened", "start, no a", "a#1, result; compensated", typed},
    {"a pivot's success that its schema forbids parks: there is no way back", "start, ok p", "p#1, parked; parked", typed_pivot},

    /* groups */
    {"a group is entered at its first step", "start, ok a", "a#1, b#1; running", tree},
    {"a switch takes the first case that is true", "start, ok a, ok b", "a#1, b#1, e#1; running", tree},
    {"a group within a case", "start, ok a, ok b, ok e", "a#1, b#1, e#1, f#1; running", tree},
    {"at the end of its groups comes what follows them; without a true case the default", "start, ok a, ok b, ok e, ok f",
     "a#1, b#1, e#1, f#1, r#1; running", tree},
    {"done with the last group it completes", "start, ok a, ok b, ok e, ok f, ok r", "a#1, b#1, e#1, f#1, r#1, result; completed", tree},
    {"out of groups it turns back like out of a list", "start, ok a, ok b, ok e, no f, undone e, undone b, undone a",
     "a#1, b#1, e#1, f#1, ~e#1, ~b#1, ~a#1, result; compensated", tree},
    {"and into groups that are done", "start, ok a, ok b, ok e, ok f, no r, undone e, undone b, undone a",
     "a#1, b#1, e#1, f#1, r#1, ~e#1, ~b#1, ~a#1, result; compensated", tree},
    {"past the deadline it turns back out of its groups", "start, ok a, ok b, +3600, undone e, undone b, undone a",
     "a#1, b#1, e#1, ~e#1, ~b#1, ~a#1, result; compensated", tree},
    {"a reply to a group is late", "start, ok g", "a#1, late; running", tree},
    {"parked in a group, its answer resumes it", "start, ok a, park, ok b", "a#1, b#1, parked, resumed, e#1; running", tree},
    {"the condition of a case that fails, fails the switch", "start, ok a, undone a", "a#1, ~a#1, result; compensated", torn},
    {"the condition of a group that fails past the pivot parks", "start, seven a, ok p", "a#1, p#1, parked; parked", torn},

    /* waits: signal NAME, carries {"n":7} */
    {"a wait ends with its signal", "start, ok a, signal go", "a#1, b#1; running", failing},
    {"it waits while nothing comes", "start, ok a, +9", "a#1, early; running", failing},
    {"another signal is late", "start, ok a, signal stop", "a#1, late; running", failing},
    {"without a signal it fails", "start, ok a, due, undone a", "a#1, ~a#1, result; compensated", failing},
    {"or goes on", "start, ok a, due", "a#1, b#1; running", going_on},
    {"or leads on: what is between is left out", "start, ok a, due, ok d", "a#1, d#1, result; completed", leading},
    {"with its signal nothing is left out", "start, ok a, signal go, ok b, ok c, ok d", "a#1, b#1, c#1, d#1, result; completed", leading},
    {"a signal that comes early is kept", "start, signal go, ok a", "a#1, b#1; running", failing},
    {"and is taken once, the oldest first", "start, signal go, ok a, signal go", "a#1, b#1; running", patient},
    {"for ever is for ever", "start, ok a, +86400, signal go, +86400, signal go", "a#1, early, early, b#1; running", patient},
    {"a signal after its wait is late", "start, ok a, signal go, signal go", "a#1, b#1, late; running", failing},
    {"what stands in another case never waits", "start, ok a, signal go", "a#1, late; running", cases},
    {"but before the switch has chosen it may", "start, signal go, ok a", "a#1; running", cases},
    {"a signal to a saga that turns back is late", "start, ok a, due, signal go", "a#1, ~a#1, late; compensating", failing},
    {"a signal after the end is late", "start, no a, signal go", "a#1, result, late; compensated", failing},
    {"the saga's deadline ends a wait", "start, ok a, +3600, undone a", "a#1, ~a#1, result; compensated", cases},
    {"past the pivot a wait that fails parks, and its signal resumes", "start, ok a, due, signal go", "a#1, parked, resumed, b#1; running", pivoted},
    {"parked while it waits, its signal resumes", "start, ok a, park, signal go", "a#1, parked, resumed, b#1; running", failing},
    {"a signal kept while the saga is parked", "start, park, signal go, ok a", "a#1, parked, resumed, b#1; running", failing},
    {"an operator can end a wait", "start, ok a, complete w", "a#1, b#1; running", patient_one},
    {"or leave it out", "start, ok a, skip w", "a#1, b#1; running", patient_one},
    {"cancelled while it waits", "start, ok a, cancel, undone a", "a#1, ~a#1, result; cancelled", patient_one},
    {"terminated while it waits", "start, ok a, terminate", "a#1, result; terminated", patient_one},
    {"parked on a wait that has failed, it waits anew", "start, ok a, due, retry w, due", "a#1, parked, resumed, parked; parked", pivoted},
    {"a signal while it is paused ends the wait, and nothing is sent before it is resumed", "start, ok a, pause, signal go, resume, due",
     "a#1, parked, resumed, b#1; running", patient_one},
    {"a wait stands still while it is paused", "start, ok a, pause, +30, resume, +9, due, undone a", "a#1, parked, early, resumed, early, ~a#1, result; compensated", failing},
    {"a reply to a wait is late", "start, ok a, ok w", "a#1, late; running", failing},

    /* parallel: all */
    {"branches begin side by side", "start, ok a", "a#1, b#1, d#1; running", both},
    {"each goes on by itself, and the group is done when all are", "start, ok a, ok d, ok b, ok c", "a#1, b#1, d#1, c#1, z#1; running", both},
    {"their answers may be late at the same time", "start, ok a, due, due", "a#1, b#1, d#1, b#2, d#2; running", both},
    {"one fails: the answer in flight is waited for, and nothing new is sent", "start, ok a, no d, ok b, undone b, undone a",
     "a#1, b#1, d#1, ~b#1, ~a#1, result; compensated", both},
    {"a transient answer is the last then", "start, ok a, no d, again b, undone a", "a#1, b#1, d#1, ~a#1, result; compensated", both},
    {"silence too, and that is undone", "start, ok a, no d, due, undone b, undone a", "a#1, b#1, d#1, ~b#1, ~a#1, result; compensated", both},
    {"work that goes on is waited for longer", "start, ok a, no d, +9, wait b, +9, ok b", "a#1, b#1, d#1, early, early, ~b#1; compensating", both},
    {"an attempt still to come is not made", "start, ok a, again b, no d, undone a", "a#1, b#1, d#1, ~a#1, result; compensated", both},
    {"branches are undone side by side, each last first", "start, ok a, ok b, ok d, no c, undone d, undone b, undone a",
     "a#1, b#1, d#1, c#1, ~b#1, ~d#1, ~a#1, result; compensated", both},
    {"what came after them first, what came before them last", "start, ok a, ok d, ok b, ok c, cancel, undone z, undone c, undone d, undone b, undone a",
     "a#1, b#1, d#1, c#1, z#1, ~z#1, ~d#1, ~c#1, ~b#1, ~a#1, result; cancelled", both},
    {"cancelled, all that is in flight is given up", "start, ok a, cancel, undone d, undone b, undone a", "a#1, b#1, d#1, ~b#1, ~d#1, ~a#1, result; cancelled", both},
    {"terminated, too", "start, ok a, terminate, ok b", "a#1, b#1, d#1, result, late; terminated", both},
    {"paused, no branch sends", "start, ok a, pause, ok b, ok d, resume, due", "a#1, b#1, d#1, parked, resumed, c#1; running", both},
    {"one step of them is completed by hand", "start, ok a, complete d, ok b, ok c", "a#1, b#1, d#1, c#1, z#1; running", both},
    {"one that is waited for on the way back, too", "start, ok a, no d, complete b, undone b, undone a", "a#1, b#1, d#1, ~b#1, ~a#1, result; compensated", both},
    {"parked from outside, each answer settles its own step", "start, ok a, park, ok b, ok d", "a#1, b#1, d#1, parked, c#1, resumed; running", both},
    {"and turns it back with what the others may have done", "start, ok a, park, no b, undone d, undone a",
     "a#1, b#1, d#1, parked, resumed, ~d#1, ~a#1, result; compensated", both},
    {"parked on its way back, nothing is sent for what was waited for", "start, ok a, no d, park, retry b, skip b, undone b, undone a",
     "a#1, b#1, d#1, parked, refused, resumed, ~b#1, ~a#1, result; compensated", both},
    {"past the pivot it parks on one, and the other goes on", "start, ok p, no b, due, no b, ok d, ok b", "p#1, b#1, d#1, b#2, parked, resumed, z#1; running", forward_only},
    {"parked on two, a verb has to name the step", "start, ok p, no b, no d, due, due, no b, no d, retry, retry b, ok b, retry, ok d",
     "p#1, b#1, d#1, b#2, d#2, parked, parked, refused, b#3, resumed, d#3, z#1; running", forward_only},

    /* parallel: any */
    {"the first that is done decides: the others are undone while the saga goes on", "start, ok a, ok e", "a#1, b#1, c#1, e#1, ~b#1, ~c#1, z#1; running", race},
    {"a loser is undone last first", "start, ok a, ok c, ok e, undone d, ok z, undone b, undone c",
     "a#1, b#1, c#1, e#1, d#1, ~b#1, ~d#1, z#1, ~c#1, result; completed", race},
    {"a saga ends when its losers are undone", "start, ok a, ok e, ok z, undone b", "a#1, b#1, c#1, e#1, ~b#1, ~c#1, z#1; running", race},
    {"and no deadline turns it back then", "start, ok a, ok e, ok z, pause, +3600, resume, due, undone b, undone c",
     "a#1, b#1, c#1, e#1, ~b#1, ~c#1, z#1, parked, early, resumed, result; completed", race},
    {"a success that comes after its loss is late", "start, ok a, ok e, ok b", "a#1, b#1, c#1, e#1, ~b#1, ~c#1, z#1, late; running", race},
    {"one of a step whose attempts were answered is undone", "start, ok a, again b, ok e, ok b", "a#1, b#1, c#1, e#1, ~c#1, z#1, ~b#1; running", race},
    {"also when the saga has completed, without a second result", "start, ok a, again b, again c, ok e, ok z, ok b, undone b", "a#1, b#1, c#1, e#1, z#1, result, ~b#1; completed", race},
    {"or with an operator's help", "start, ok a, again b, again c, ok e, ok z, ok b, due, due, due, complete b", "a#1, b#1, c#1, e#1, z#1, result, ~b#1, ~b#2, parked, resumed; completed", race},
    {"a branch that fails has lost, the others go on", "start, ok a, ok c, no d, undone c, ok b, undone e", "a#1, b#1, c#1, e#1, d#1, ~c#1, ~e#1, z#1; running", race},
    {"the last one turns the saga back", "start, ok a, no b, no e, no c, undone a", "a#1, b#1, c#1, e#1, ~a#1, result; compensated", race},
    {"what cannot be undone parks it, and what is beside goes on", "start, ok a, ok e, undone c, undo-no b, due, undo-no b, ok z, skip b",
     "a#1, b#1, c#1, e#1, ~b#1, ~c#1, z#1, ~b#2, parked, resumed, result; completed", race},
    {"parked on a loser it can be cancelled, and what came before waits for it", "start, ok a, ok e, undone c, undo-no b, due, undo-no b, cancel, undone z, undone e, skip b, undone a",
     "a#1, b#1, c#1, e#1, ~b#1, ~c#1, z#1, ~b#2, parked, ~z#1, ~e#1, resumed, ~a#1, result; cancelled", race},
    {"past the pivot a branch may fail as well", "start, ok p, no b, ok d", "p#1, b#1, d#1, z#1; running", forward_race},
    {"but not the last one", "start, ok p, no b, no d, due, no d", "p#1, b#1, d#1, d#2, parked; parked", forward_race},
    {"a signal decides", "start, signal go, undone b", "b#1, ~b#1, result; completed", either},
    {"a wait that has lost takes none", "start, ok b, signal go", "b#1, result, late; completed", either},
    {"nor one that would have come after what failed", "start, no b, signal go", "b#1, c#1, late; running", to_come},
    {"a branch whose steps are skipped is done at once", "start, undone a", "a#1, ~a#1, result; completed", at_once},

    /* parallel: quorum, nested */
    {"two of three are enough", "start, ok a, ok d, ok b", "a#1, b#1, c#1, d#1, ~c#1, z#1; running", votes},
    {"one of three may fail", "start, ok a, no b, ok c, ok d", "a#1, b#1, c#1, d#1, z#1; running", votes},
    {"two may not: what is in flight is waited for and undone", "start, ok a, no b, no c, ok d, undone d, undone a",
     "a#1, b#1, c#1, d#1, ~d#1, ~a#1, result; compensated", votes},
    {"a group in a branch fails with that branch", "start, ok a, no b, ok d", "a#1, b#1, c#1, d#1, z#1; running", deep},
    {"what is in flight in it is waited for", "start, ok a, no b, ok c", "a#1, b#1, c#1, d#1, ~c#1; running", deep},
    {"both in it are needed", "start, ok a, ok b, ok c, undone d", "a#1, b#1, c#1, d#1, ~d#1, z#1; running", deep},

    /* forEach */
    {"so many iterations at a time, and each goes on by itself", "start, ok a, ok b.1, ok b.0, ok c.1", "a#1, b.0#1, b.1#1, c.1#1, c.0#1, b.2#1; running", each},
    {"done when all are", "start, ok a, ok b.1, ok b.0, ok b.2, ok z", "a#1, b.0#1, b.1#1, b.2#1, z#1, result; completed", each_alone},
    {"one fails: what is in flight is waited for, and no other begins", "start, ok a, no b.0, ok b.1, undone b.1, undone a", "a#1, b.0#1, b.1#1, ~b.1#1, ~a#1, result; compensated", each},
    {"they are undone side by side, each of them last first, after what came after them and before what came before",
     "start, ok a, ok b.0, ok b.1, ok b.2, cancel, undone z, undone b.1, undone b.0, undone b.2, undone a",
     "a#1, b.0#1, b.1#1, b.2#1, z#1, ~z#1, ~b.0#1, ~b.1#1, ~b.2#1, ~a#1, result; cancelled", each_alone},
    {"no more of them at a time than went forth",
     "start, ok a, ok b.0, ok b.1, ok c.0, ok c.1, ok b.2, ok c.2, cancel, undone z, undone c.1, undone b.1, undone c.0, undone c.2, undone b.0, undone b.2, undone a",
     "a#1, b.0#1, b.1#1, c.0#1, c.1#1, b.2#1, c.2#1, z#1, ~z#1, ~c.0#1, ~c.1#1, ~b.1#1, ~c.2#1, ~b.0#1, ~b.2#1, ~a#1, result; cancelled", each},
    {"each iteration has its own attempts", "start, ok a, again b.0, ok b.1, due, again b.0, no c.1, undone b.1, undone a",
     "a#1, b.0#1, b.1#1, c.1#1, b.0#2, ~b.1#1, ~a#1, result; compensated", each},
    {"no array, no forEach", "start, ok a, undone a", "a#1, ~a#1, result; compensated", each_none},
    {"an empty one is done at once", "start, ok z", "z#1, result; completed", each_empty},
    {"iterations that have nothing to do are done at once", "start, ok b.1, ok z", "b.1#1, z#1, result; completed", each_some},
    {"past the pivot one parks, and the others go on", "start, ok p, no b.0, ok b.1, due, no b.0, ok b.2, retry b.0, ok b.0",
     "p#1, b.0#1, b.1#1, b.2#1, b.0#2, parked, resumed, b.0#3, z#1; running", each_forward},
    {"an operator names the iteration", "start, ok p, no b.0, due, no b.0, skip b, skip b.1, skip b.0, ok b.2", "p#1, b.0#1, b.1#1, b.0#2, parked, refused, b.2#1, resumed, z#1; running", each_forward},
    {"an answer of an iteration that has not begun is late", "start, ok a, ok b.2#1, ok b.7#1", "a#1, b.0#1, b.1#1, late, late; running", each},
    {"in a branch that loses, all of it is given up and undone", "start, ok b.0, ok d, undone b.0, undone b.1, undone b.2, ok z", "d#1, b.0#1, b.1#1, b.2#1, ~b.0#1, ~b.1#1, z#1, ~b.2#1, result; completed", each_race},
    {"in a branch that fails, too", "start, ok b.0, no b.1, ok b.2, ok d, undone b.0, undone b.2", "d#1, b.0#1, b.1#1, b.2#1, ~b.0#1, ~b.2#1, z#1; running", each_race},
    {"a race in each iteration", "start, ok b.0, ok c.1, undone c.0", "b.0#1, c.0#1, b.1#1, c.1#1, ~c.0#1, b.2#1, c.2#1, ~b.1#1; running", races},
    {"paused, none begins", "start, ok a, pause, ok b.0, ok b.1, resume, due", "a#1, b.0#1, b.1#1, parked, resumed, c.0#1, c.1#1; running", each},
    {"one signal for each iteration, early ones are kept", "start, signal go, ok b.0, signal go, signal go, signal go, ok b.1, ok b.2", "b.0#1, b.1#1, b.2#1, result; completed", each_waits},
    {"one for the last iteration, which is under way", "start, ok b.0, signal go, ok b.1, signal go, signal go, ok b.2", "b.0#1, b.1#1, b.2#1, result; completed", each_waits},
    {"one for an iteration to come", "start, signal go, signal go, ok b.0, ok b.1", "b.0#1, b.1#1; running", waits_first},
    {"but none for iterations that are over", "start, ok b.0, signal go, ok b.1, signal go, ok b.2, signal go, signal go", "b.0#1, b.1#1, b.2#1, result, late; completed", each_waits},
    {"something stands in for a step of one iteration", "start, ok b.0, again b.1, ok b:fallback.1, ok b.2", "b.0#1, b.1#1, b.2#1, b:fallback.1#1, z#1; running", each_instead},
    {"terminated", "start, ok a, ok b.0, terminate, ok b.1", "a#1, b.0#1, b.1#1, c.0#1, result, late; terminated", each},

    /* sleeps; the rows begin at 1000 s */
    {"a sleep ends by itself", "start, ok a, +19, due", "a#1, early, b#1; running", sleepy},
    {"a sleep until a time, one until a time that is past, one until nonsense", "start, ok a, due, ok b, +200, ok c, undone c, undone b, undone a",
     "a#1, b#1, c#1, ~c#1, ~b#1, ~a#1, result; compensated", sleepy},

    /* park */
    {"parked from outside it waits", "start, park, early", "a#1, parked, early; parked", NULL},
    {"parked twice is parked", "start, park, park", "a#1, parked, early; parked", NULL},
    {"what is ended is not parked", "start, no a, park", "a#1, result, early; compensated", NULL},
    {"its answer resumes it", "start, park, ok a", "a#1, parked, resumed, b#1; running", NULL},
    {"a refusal resumes it too, and turns it back", "start, ok a, park, no b, undone a", "a#1, b#1, parked, resumed, ~a#1, result; compensated", NULL},
    {"a transient answer does not", "start, park, again a", "a#1, parked, late; parked", NULL},
    {"parked on its way back, the compensation's answer resumes it", "start, ok a, ok b, no p, park, undone b, undone a",
     "a#1, b#1, p#1, ~b#1, parked, resumed, ~a#1, result; compensated", NULL},

    /* verbs: cancel, compensate */
    {"cancelled, it turns back, the unanswered step first, and ends as cancelled", "start, ok a, cancel, undone b, undone a",
     "a#1, b#1, ~b#1, ~a#1, result; cancelled", NULL},
    {"compensate ends as compensated", "start, ok a, compensate, undone b, undone a", "a#1, b#1, ~b#1, ~a#1, result; compensated", NULL},
    {"cancelled before its first step has been answered", "start, cancel, undone a", "a#1, ~a#1, result; cancelled", NULL},
    {"cancelled between two attempts that were answered: nothing happened there", "start, again a, cancel", "a#1, result; cancelled", NULL},
    {"a success after the cancellation of such a step is compensated, and it stays cancelled", "start, again a, cancel, ok a, undone a",
     "a#1, result, ~a#1; cancelled", NULL},
    {"also when an operator had to see to it", "start, again a, cancel, ok a, due, due, due, undone a",
     "a#1, result, ~a#1, ~a#2, parked, resumed; cancelled", NULL},
    {"a success after the cancellation of an unanswered step is late, it is compensated anyway", "start, cancel, ok a, undone a",
     "a#1, ~a#1, late, result; cancelled", NULL},
    {"cancelled twice is refused", "start, cancel, cancel", "a#1, ~a#1, refused; compensating", NULL},
    {"a saga that turns back anyway is not cancelled", "start, ok a, no b, cancel", "a#1, b#1, ~a#1, refused; compensating", NULL},
    {"past the pivot cancel is refused", "start, ok a, ok b, ok p, cancel", "a#1, b#1, p#1, z#1, refused; running", NULL},
    {"past the pivot compensate is refused", "start, ok a, ok b, ok p, compensate", "a#1, b#1, p#1, z#1, refused; running", NULL},
    {"parked past the pivot too", "start, ok a, ok b, ok p, no z, due, no z, compensate", "a#1, b#1, p#1, z#1, z#2, parked, refused; parked", NULL},
    {"a pivot that has been sent and can be undone is cancelled with the rest", "start, ok a, ok b, cancel, undone p, undone b, undone a",
     "a#1, b#1, p#1, ~p#1, ~b#1, ~a#1, result; cancelled", NULL},
    {"a pivot that has been sent and cannot be undone is waited for", "start, ok a, cancel, compensate", "a#1, p#1, refused, refused; running", pivotal},
    {"so it is when its next attempt waits", "start, ok a, due, cancel", "a#1, p#1, refused; running", pivotal},
    {"if every attempt was answered it is cancelled", "start, ok a, again p, cancel, undone a", "a#1, p#1, ~a#1, result; cancelled", pivotal},
    {"parked on the pivot it cannot be cancelled", "start, ok a, due, due, due, cancel", "a#1, p#1, p#2, parked, refused; parked", pivotal},
    {"but compensated, on an operator's word", "start, ok a, due, due, due, compensate, undone a",
     "a#1, p#1, p#2, parked, resumed, ~a#1, result; compensated", pivotal},
    {"parked before the pivot it is cancelled", "start, ok a, park, cancel, undone b, undone a",
     "a#1, b#1, parked, resumed, ~b#1, ~a#1, result; cancelled", NULL},
    {"parked on the way back there is nothing to cancel", "start, ok a, no b, due, due, due, cancel", "a#1, b#1, ~a#1, ~a#2, parked, refused; parked", NULL},
    {"what has ended takes no verb", "start, no a, cancel, terminate, pause, resume, retry, skip a, complete a, compensate",
     "a#1, result, refused, refused, refused, refused, refused, refused, refused, refused; compensated", NULL},

    /* verbs: terminate */
    {"terminated, it ends at once and nothing is undone", "start, ok a, terminate", "a#1, b#1, result; terminated", NULL},
    {"late answers are only counted", "start, ok a, terminate, ok b, no b, undone a", "a#1, b#1, result, late, late, late; terminated", NULL},
    {"terminated on its way back, what is under way is left", "start, ok a, ok b, no p, terminate, undone b",
     "a#1, b#1, p#1, ~b#1, result, late; terminated", NULL},
    {"terminated past the pivot", "start, ok a, ok b, ok p, terminate", "a#1, b#1, p#1, z#1, result; terminated", NULL},
    {"terminated while parked", "start, ok a, no b, due, due, due, terminate, undone a", "a#1, b#1, ~a#1, ~a#2, parked, result, late; terminated", NULL},
    {"terminated while paused", "start, pause, terminate", "a#1, parked, result; terminated", NULL},
    {"what has had its result has no second one", "start, no a, ok a, due, due, due, terminate", "a#1, result, ~a#1, ~a#2, parked, refused; parked", NULL},

    /* verbs: pause, resume */
    {"paused, no timer fires", "start, pause, +3600, +1", "a#1, parked, early, early; parked", NULL},
    {"an answer counts, but nothing is sent", "start, pause, ok a", "a#1, parked; parked", NULL},
    {"resumed, what waited is sent", "start, pause, ok a, resume, due", "a#1, parked, resumed, b#1; running", NULL},
    {"resumed, the time that was left is left", "start, +9, pause, +100, resume, +0, due", "a#1, early, parked, early, resumed, early; running", NULL},
    {"and then it passes", "start, +9, pause, +100, resume, due, due", "a#1, early, parked, early, resumed, a#2; running", NULL},
    {"a retry waits as long as it would have", "start, pause, +100, again a, +100, resume, +0, +2", "a#1, parked, early, early, resumed, early, a#2; running", NULL},
    {"the saga's deadline does not stand still", "start, ok a, pause, +3600, resume, due, undone b, undone a",
     "a#1, b#1, parked, early, resumed, ~b#1, ~a#1, result; compensated", NULL},
    {"a refusal turns it back, without a command", "start, ok a, pause, no b, resume, due, undone a",
     "a#1, b#1, parked, resumed, ~a#1, result; compensated", NULL},
    {"a success that comes after the refusal, still in the pause, is undone first", "start, ok a, pause, no b, ok b, resume, due, undone b, undone a",
     "a#1, b#1, parked, resumed, ~b#1, ~a#1, result; compensated", NULL},
    {"and is on its way back when it is resumed", "start, ok a, pause, no b, resume", "a#1, b#1, parked, resumed; compensating", NULL},
    {"an answer on the way back as well", "start, ok a, ok b, no p, pause, undone b, resume, due, undone a",
     "a#1, b#1, p#1, ~b#1, parked, resumed, ~a#1, result; compensated", NULL},
    {"the last answer ends it", "start, ok a, ok b, ok p, pause, ok z", "a#1, b#1, p#1, z#1, parked, result; completed", NULL},
    {"what cannot go on parks for that reason", "start, ok a, ok p, pause, ok y, resume", "a#1, p#1, y#1, parked, parked, refused; parked", pivotal},
    {"paused twice is refused", "start, pause, pause", "a#1, parked, refused; parked", NULL},
    {"what is parked is not paused", "start, park, pause, resume", "a#1, parked, refused, refused; parked", NULL},
    {"what runs is not resumed", "start, resume", "a#1, refused; running", NULL},
    {"a paused saga is cancelled at once", "start, ok a, pause, cancel, undone b, undone a", "a#1, b#1, parked, resumed, ~b#1, ~a#1, result; cancelled", NULL},
    {"a paused saga takes no verb of a step", "start, pause, retry, skip a, complete a", "a#1, parked, refused, refused, refused; parked", NULL},
    {"a second start of a paused saga is counted", "start, pause, start", "a#1, parked, dup; parked", NULL},

    /* verbs: retry, skip, complete */
    {"retried, a parked step has its budget anew", "start, ok a, ok b, ok p, no z, due, no z, retry, no z, due, no z",
     "a#1, b#1, p#1, z#1, z#2, parked, resumed, z#3, z#4, parked; parked", NULL},
    {"retried by name", "start, ok a, ok b, ok p, no z, due, no z, retry z, ok z", "a#1, b#1, p#1, z#1, z#2, parked, resumed, z#3, result; completed", NULL},
    {"retried by the name of another it is refused", "start, ok a, ok b, ok p, no z, due, no z, retry a, retry q",
     "a#1, b#1, p#1, z#1, z#2, parked, refused, refused; parked", NULL},
    {"the first answer of any attempt settles a retried step", "start, ok a, ok b, ok p, no z, due, no z, retry, ok z#1",
     "a#1, b#1, p#1, z#1, z#2, parked, resumed, z#3, result; completed", NULL},
    {"a parked compensation is retried, its budget anew", "start, ok a, no b, due, due, due, retry a, due, due, due",
     "a#1, b#1, ~a#1, ~a#2, parked, resumed, ~a#3, ~a#4, parked; parked", NULL},
    {"with an input of its own where the definition's cannot be computed", "start, ok a, ok n, no o, retry-with n, undone n, undone a",
     "a#1, n#1, o#1, parked, resumed, ~n#1, ~a#1, result; compensated", odd},
    {"a time budget begins anew too", "start, no a, ok a, +9, undo-wait a, +9, undo-wait a, +8, retry, +9, undone a",
     "a#1, result, ~a#1, early, early, parked, resumed, ~a#2, early; compensated", odd},
    {"what is not parked is not retried", "start, retry a, ok a, no b, retry a", "a#1, refused, b#1, ~a#1, refused; compensating", NULL},
    {"what a retry has forgiven the step is not forgiven its compensation", "start, park, retry, ok a, no b, due, due, due",
     "a#1, parked, resumed, a#2, b#1, ~a#1, ~a#2, parked; parked", NULL},
    {"a success that came while it was parked is undone before a compensation that was never sent", "start, ok a, no b, ok b, retry-with a, undone b, undone a",
     "a#1, b#1, parked, resumed, ~b#1, ~a#1, result; compensated", blocked},
    {"what no broker took is retried", "start, park, retry, ok a", "a#1, parked, resumed, a#2, b#1; running", NULL},
    {"a step whose output cannot be used is not retried", "start, ok a, ok p, ok y, retry", "a#1, p#1, y#1, parked, refused; parked", pivotal},
    {"but completed by hand", "start, ok a, ok p, ok y, complete y", "a#1, p#1, y#1, parked, resumed, result; completed", pivotal},
    {"or left as it is", "start, ok a, ok p, ok y, skip y", "a#1, p#1, y#1, parked, resumed, result; completed", pivotal},
    {"skipped, the next step follows", "start, ok a, ok b, ok p, no z, due, no z, skip z", "a#1, b#1, p#1, z#1, z#2, parked, resumed, result; completed", NULL},
    {"a running step is skipped", "start, skip a", "a#1, b#1; running", NULL},
    {"and undone with the rest, as it may have happened", "start, skip a, no b, undone a", "a#1, b#1, ~a#1, result; compensated", NULL},
    {"unless every attempt was answered", "start, again a, skip a, no b", "a#1, b#1, result; compensated", NULL},
    {"if it was done after all, it is", "start, again a, skip a, ok a, no b, undone a", "a#1, b#1, late, ~a#1, result; compensated", NULL},
    {"also when that comes on the way back", "start, again a, skip a, no b, ok a, undone a", "a#1, b#1, result, ~a#1; compensated", NULL},
    {"a late success of a skipped step of a completed saga stays", "start, ok a, ok b, ok p, again z, skip z, ok z",
     "a#1, b#1, p#1, z#1, result, late; completed", NULL},
    {"a skipped pivot has not been passed", "start, ok a, due, due, due, skip p, cancel, undone a", "a#1, p#1, p#2, parked, resumed, y#1, ~a#1, result; cancelled", pivotal},
    {"completed by hand it is done, and undone with the rest", "start, complete a, no b, undone a", "a#1, b#1, ~a#1, result; compensated", NULL},
    {"a pivot completed by hand is passed", "start, ok a, due, due, due, complete p, cancel", "a#1, p#1, p#2, parked, resumed, y#1, refused; running", pivotal},
    {"an answer to a step completed by hand is a duplicate", "start, complete a, ok a", "a#1, b#1, dup; running", NULL},
    {"a compensation done by hand is done", "start, ok a, no b, due, due, due, complete a",
     "a#1, b#1, ~a#1, ~a#2, parked, resumed, result; compensated", NULL},
    {"a compensation under way is completed by hand", "start, ok a, no b, complete a", "a#1, b#1, ~a#1, result; compensated", NULL},
    {"a compensation skipped leaves what was done, and goes on", "start, ok a, ok b, no p, skip b, undone a", "a#1, b#1, p#1, ~b#1, ~a#1, result; compensated", NULL},
    {"its late answer is late", "start, ok a, ok b, no p, skip b, undone b, undone a", "a#1, b#1, p#1, ~b#1, ~a#1, late, result; compensated", NULL},
    {"a group whose condition cannot be computed is skipped, not retried", "start, seven a, ok p, retry, complete y, skip y",
     "a#1, p#1, parked, refused, refused, resumed, result; completed", torn},
    {"cancelled in a group", "start, ok a, ok b, cancel, undone e, undone b, undone a", "a#1, b#1, e#1, ~e#1, ~b#1, ~a#1, result; cancelled", tree},
    {"terminated in a group", "start, ok a, ok b, terminate, ok e", "a#1, b#1, e#1, result, late; terminated", tree},
    {"paused in a group, and resumed", "start, ok a, pause, ok b, resume, due", "a#1, b#1, parked, resumed, e#1; running", tree},
    {"a step of a group is completed by hand", "start, ok a, complete b, ok e", "a#1, b#1, e#1, f#1; running", tree},
    /* services that take no commands */
    {"held back, it goes when it asks again", "shut s, start, due, due, free s, due", "a held, a held, a held, a#1; running", NULL},
    {"no attempt is spent", "start, again a, shut s, due, due, free s, due, again a", "a#1, a held, a held, a#2, result; compensated", NULL},
    {"woken, it asks at once", "shut s, start, free s, woken s", "a held, a#1; running", NULL},
    {"woken in vain, it waits on", "busy s, start, woken s", "a held, a held; running", NULL},
    {"woken for another service, it does not ask", "shut s, start, free s, woken t", "a held, early; running", NULL},
    {"what waits for no service is not woken", "start, woken s, again a, woken s", "a#1, early, early; running", NULL},
    {"the saga's deadline goes on", "shut s, start, ok a, +3601", "a held, late, result; compensated", NULL},
    {"so does the time of all attempts, from when it was first held", "shut s, start, +24, +2", "a held, a held, result; compensated", odd},
    {"and it asks before that is over", "shut s, start, +24, free s, due", "a held, a held, result; compensated", odd},
    {"what is let go in time has what is left of it", "shut s, start, +20, free s, woken s, due", "a held, a held, a#1, ~a#1; compensating", odd},
    {"an answer to an earlier attempt settles it", "start, due, shut s, due, ok a", "a#1, a held, b held; running", NULL},
    {"given up while held, unanswered, it is undone", "start, due, shut s, due, cancel, free s, woken s, undone a", "a#1, a held, ~a held, ~a#1, result; cancelled", NULL},
    {"never sent, it is not", "shut s, start, cancel", "a held, result; cancelled", NULL},
    {"a compensation is held back too", "start, ok a, shut s, no b, due, free s, due, undone a", "a#1, b#1, ~a held, ~a held, ~a#1, result; compensated", NULL},
    {"its attempts are not spent", "start, ok a, no b, due, shut s, due, due, free s, due, due", "a#1, b#1, ~a#1, ~a held, ~a held, ~a#2, parked; parked", NULL},
    {"never sent, it waits as long as it takes", "start, ok a, shut s, no n, +3600, due, free s, due", "a#1, n#1, ~a held, ~a held, ~a held, ~a#1; compensating", odd},
    {"a late success is undone before one that is held", "start, ok a, shut s, no b, ok b, free s, woken s", "a#1, b#1, ~a held, ~b held, ~b#1; compensating", NULL},
    {"a paused saga is not woken", "shut s, start, pause, free s, woken s, resume, due", "a held, parked, early, resumed, a#1; running", NULL},
    {"skipped while held, it is not undone", "shut s, start, skip a, free s, woken s, no b", "a held, b held, b#1, result; compensated", NULL},
    {"parked while held and retried, it has its time anew", "shut s, start, park, +20, retry, +20, free s, woken s", "a held, parked, early, resumed, a held, a held, a#1; running", odd},
    {"parked while held, it is retried", "shut s, start, park, retry, free s, woken s", "a held, parked, resumed, a held, a#1; running", NULL},

    {"a step that is not at hand is not skipped or completed", "start, ok a, skip a, complete w, skip q, complete",
     "a#1, b#1, refused, refused, refused, refused; running", NULL},
};

static void add(struct buffer *said, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct buffer *said, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    say(said, "%s%s", said->len == 0 ? "" : ", ", text);
}

static void say_effects(struct buffer *said, const struct saga *saga, const struct effects *effects)
{
    for (size_t i = 0; i < effects->len; i++) {
        const struct effect *effect = &effects->items[i];
        char name[SAGA_PLACE_NAME_MAX];

        switch (effect->kind) {
        case EFFECT_COMMAND:
            (void)saga_place_name(saga->definition, effect->place, name);
            add(said, "%s%s#%d", effect->action == ACTION_EXECUTE ? "" : "~", name, effect->attempt);
            break;
        case EFFECT_CHILD: /* test_child.c has those */
        case EFFECT_ANSWER: break;
        case EFFECT_RESULT:
            add(said, "result");
            break;
        case EFFECT_PARKED:
            add(said, "parked");
            break;
        case EFFECT_RESUMED:
            add(said, "resumed");
            break;
        case EFFECT_LOCK:
            add(said, "%s %s", json_string_value(json_object_get(effect->input, "lock")), json_string_value(json_object_get(effect->input, "key")));
            break;
        case EFFECT_SIGNAL:
            fail_msg("a saga tells no other saga");
            break;
        case EFFECT_CACHE:
        case EFFECT_LOOKUP:
            add(said, "%s %s", effect->kind == EFFECT_CACHE ? "keep" : "look", json_string_value(json_object_get(effect->input, "key")));
            break;
        case EFFECT_HELD:
        case EFFECT_DIVERTED:
            (void)saga_place_name(saga->definition, effect->place, name);
            add(said, "%s%s %s", effect->action == ACTION_EXECUTE ? "" : "~", name, effect->kind == EFFECT_HELD ? "held" : "diverted");
            break;
        }
    }
    if (effects->disposition == IGNORED_DUPLICATE)
        add(said, "dup");
    if (effects->disposition == IGNORED_LATE)
        add(said, "late");
    if (effects->disposition == IGNORED_EARLY)
        add(said, "early");
    if (effects->disposition == IGNORED_REFUSED)
        add(said, "refused");
}

static json_t *given; /* by an operator */
static json_t *reference; /* with a claim check */

static struct gate_service gate_services[4];
static struct saga_gate gate = {.services = gate_services};

/* "shut s", "busy s", "free s": what is known of a service from now on. */
static bool is_of_a_service(const char *word)
{
    bool shut = strncmp(word, "shut ", 5) == 0, busy = strncmp(word, "busy ", 5) == 0;

    if (strncmp(word, "free ", 5) == 0) {
        gate.len = 0;
        return true;
    }
    if (shut || busy)
        gate_services[gate.len++] = (struct gate_service){.name = "s", .open = shut};
    return shut || busy;
}

/* "ok a#1" to an event; the attempt is the last one sent unless it is named. */
static struct saga_event event_of(const struct saga *saga, const char *word, int64_t *clock)
{
    static const struct {
        const char *verb;
        enum saga_action action;
        enum reply_header_outcome outcome;
    } replies[] = {
        {"ok", ACTION_EXECUTE, REPLY_SUCCESS}, {"seven", ACTION_EXECUTE, REPLY_SUCCESS}, {"claim", ACTION_EXECUTE, REPLY_SUCCESS}, {"no", ACTION_EXECUTE, REPLY_FAILURE}, {"again", ACTION_EXECUTE, REPLY_RETRY},
        {"later", ACTION_EXECUTE, REPLY_RETRY}, {"wait", ACTION_EXECUTE, REPLY_PENDING}, {"undone", ACTION_COMPENSATE, REPLY_SUCCESS},
        {"undo-no", ACTION_COMPENSATE, REPLY_FAILURE}, {"undo", ACTION_EXECUTE, REPLY_SUCCESS}, {"odd", ACTION_EXECUTE, REPLY_SUCCESS}, {"undo-wait", ACTION_COMPENSATE, REPLY_PENDING},
    };
    static char step[16];
    char verb[16] = "";
    int attempt = 0;
    struct saga_event event = {.kind = EVENT_TIMER};

    if (strcmp(word, "due") == 0) {
        *clock = saga->due_at_ms;
        event.at_ms = *clock;
        return event;
    }
    if (strcmp(word, "early") == 0) {
        event.at_ms = saga->due_at_ms - 1;
        return event;
    }
    if (word[0] == '+') {
        *clock += atoi(word + 1) * 1000;
        event.at_ms = *clock;
        return event;
    }
    event.at_ms = ++*clock;
    if (strncmp(word, "woken ", 6) == 0) {
        event.woken = word + 6;
        return event;
    }
    if (strncmp(word, "signal ", 7) == 0) {
        event.kind = EVENT_SIGNAL;
        event.signal = word + 7;
        event.body = json_pack("{s:i}", "n", 7);
        return event;
    }
    if (strcmp(word, "granted") == 0 || strcmp(word, "locked") == 0) {
        event.kind = EVENT_SIGNAL;
        event.signal = LOCK_SIGNAL;
        event.body = json_pack("{s:b, s:{s:s}}", "granted", word[0] == 'g', "details", "owner", "o-2");
        return event;
    }
    if (strcmp(word, "park") == 0) {
        event.kind = EVENT_PARK;
        event.reason = "no broker takes it";
        return event;
    }
    step[0] = '\0';
    (void)sscanf(word, "%15s %15[^#]#%d", verb, step, &attempt);
    if (saga_verb_parse(verb, strcspn(verb, "-"), &event.verb)) {
        event.kind = EVENT_VERB;
        event.who = "ann";
        event.why = "she knows";
        event.step_name = step[0] == '\0' ? NULL : step;
        event.value = strchr(verb, '-') == NULL ? NULL : given;
        return event;
    }
    if (step[0] == '\0')
        fail_msg("row says \"%s\"", word);
    event.kind = EVENT_REPLY;
    if (!saga_place_parse(saga->definition, step, strlen(step), &event.place))
        fail_msg("row says \"%s\"", word);
    if (strcmp(verb, "found") == 0 || strcmp(verb, "old") == 0 || strcmp(verb, "miss") == 0) {
        event.kind = EVENT_CACHED;
        event.cached_at_ms = event.at_ms - (verb[0] == 'o' ? 7200000 : 60000);
        event.body = verb[0] == 'm' ? NULL : json_pack("{s:i}", "n", 7);
        return event;
    }
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        if (strcmp(replies[i].verb, verb) == 0) {
            const struct saga_step *entry = saga_step_find(saga, event.place);

            event.action = replies[i].action;
            event.outcome = replies[i].outcome;
            event.body = strcmp(verb, "seven") == 0 ? json_pack("{s:i}", "n", 7) : NULL;
            event.dataref = strcmp(verb, "claim") == 0 ? reference : NULL;
            event.retry_after_ms = strcmp(verb, "later") == 0 ? 5000 : 0;
            event.compensation = strcmp(verb, "undo") == 0 ? "{\"command\":\"V\"}" : strcmp(verb, "odd") == 0 ? "{\"comand\":\"V\"}" : NULL;
            event.attempt = attempt > 0 ? attempt : entry == NULL ? 1 : replies[i].action == ACTION_EXECUTE ? entry->attempts : entry->compensations;
            return event;
        }
    }
    fail_msg("row says \"%s\"", word);
    return event;
}

struct stage {
    struct expr_vm *vm;
    struct definition *definition;
    struct saga *saga;
    struct buffer effects_said;
};

static void play(struct stage *stage, const struct row *row)
{
    struct findings *findings = calloc(1, sizeof *findings);
    json_t *doc = parse(row->definition == NULL ? order : row->definition), *input = json_object();
    struct effects effects = {0};
    char copy[512], *rest = copy;
    int64_t clock = 1000000;

    *stage = (struct stage){.vm = expr_vm_new()};
    gate.len = 0;
    assert_int_equal(definition_parse(doc, stage->vm, findings, &stage->definition), BATON_OK);
    (void)snprintf(copy, sizeof copy, "%s", row->when);
    for (char *word = strsep(&rest, ","); word != NULL; word = strsep(&rest, ",")) {
        struct saga_event event = {.kind = EVENT_START, .at_ms = ++clock, .saga_id = "o-1", .input = input};

        word += strspn(word, " ");
        if (is_of_a_service(word))
            continue;
        if (strcmp(word, "start") != 0)
            event = event_of(stage->saga, word, &clock);
        event.gate = &gate;
        assert_int_equal(stage->saga == NULL ? saga_start(stage->definition, &event, &stage->saga, &effects)
                                             : saga_apply(&stage->saga, &event, &effects), BATON_OK);
        json_decref(event.body);
        say_effects(&stage->effects_said, stage->saga, &effects);
        assert_true((effects.disposition == IGNORED_REFUSED) == (effects.refusal[0] != '\0'));
        assert_null(saga_broken_rule(stage->saga));
    }
    effects_free(&effects);
    free(findings);
    json_decref(doc);
    json_decref(input);
}

static void leave(struct stage *stage)
{
    buffer_free(&stage->effects_said);
    saga_free(stage->saga);
    definition_free(stage->definition);
    expr_vm_free(stage->vm);
}

static void check_row(void **state)
{
    const struct row *row = *state;
    struct stage stage;

    play(&stage, row);
    say(&stage.effects_said, "; %s", saga_status_name(stage.saga->status));
    assert_text(row->when, &stage.effects_said, row->then);
    leave(&stage);
}

/* --- a cached value that stands in --- */

#define KEPT(key) "{\"name\":\"b\",\"service\":\"s\",\"command\":\"C\",\"retry\":{\"attempts\":1},\"compensation\":{\"command\":\"U\"},\"fallback\":{\"cached\":\"" key "\",\"maxAge\":\"1h\"}}"
static const char kept[] = ONE_HOUR KEPT("k/${saga.type}") "," DO("z") "]}";
static const char kept_forward[] = ONE_HOUR PIVOT("p") "," KEPT("k") "," DO("z") "]}";
static const char kept_nowhere[] = ONE_HOUR KEPT("${input.none}") "," DO("z") "]}";
static const char kept_race[] = ONE_HOUR SIDE_BY_SIDE("[" KEPT("k") "],[" DO("d") "]", "\"any\"") "," DO("z") "]}";

static const struct row cached_rows[] = {
    {"a success is kept", "start, seven b", "b#1, keep k/order, z#1; running", kept},
    {"one that lies elsewhere is not", "start, claim b", "b#1, z#1; running", kept},
    {"given up, it has the last one", "start, again b, found b:fallback, ok z", "b#1, look k/order, z#1, result; completed", kept},
    {"which is not kept again", "start, again b, found b:fallback, seven b", "b#1, look k/order, z#1, late; running", kept},
    {"with nothing there it fails", "start, again b, miss b:fallback", "b#1, look k/order, result; compensated", kept},
    {"nor is one of use that is too old", "start, again b, old b:fallback", "b#1, look k/order, result; compensated", kept},
    {"nothing stands in for a refusal", "start, no b", "b#1, result; compensated", kept},
    {"unanswered, it is undone with the rest", "start, due, found b:fallback, no z, undone b", "b#1, look k/order, z#1, ~b#1, result; compensated", kept},
    {"whoever does not hear asks again", "start, again b, due, found b:fallback", "b#1, look k/order, look k/order, z#1; running", kept},
    {"and is told once", "start, again b, found b:fallback, miss b:fallback", "b#1, look k/order, z#1, early; running", kept},
    {"nobody is told who has not asked", "start, found b:fallback", "b#1, early; running", kept},
    {"turned back meanwhile, it wants nothing any more", "start, again b, cancel, found b:fallback", "b#1, look k/order, result, early; cancelled", kept},
    {"past the pivot it parks, and asks again when it is retried", "start, ok p, again b, miss b:fallback, retry, found b:fallback",
     "p#1, b#1, look k, parked, resumed, look k, z#1; running", kept_forward},
    {"under a key that is none nothing is kept", "start, ok b", "b#1, z#1; running", kept_nowhere},
    {"nor found", "start, again b", "b#1, result; compensated", kept_nowhere},
    {"its branch has lost meanwhile", "start, again b, ok d, found b:fallback", "b#1, d#1, look k, z#1, early; running", kept_race},
    {"paused, it is found, and nothing is sent", "start, pause, again b, found b:fallback, resume, due", "b#1, parked, look k/order, resumed, z#1; running", kept},
};

static void what_was_kept_is_the_output_and_says_since_when(void **state)
{
    static const struct row row = {"", "start, again b, found b:fallback", "", kept};
    const struct saga_step *step = NULL, *other = NULL;
    struct stage stage;

    (void)state;
    play(&stage, &row);
    step = saga_step_find(stage.saga, AT(0));
    other = saga_step_find(stage.saga, AT(1));
    assert_int_equal(step->fallback, FALLBACK_CACHED);
    assert_int_equal(json_integer_value(json_object_get(other->output, "n")), 7);
    assert_int_equal(other->cached_at_ms, other->settled_at_ms - 60000);
    leave(&stage);
}

/* --- the lock that a saga wants --- */

#define LOCKED(lock) \
    "{\"name\":\"order\",\"version\":1,\"lock\":" lock ",\"steps\":[{\"name\":\"a\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"}}," \
    "{\"name\":\"b\",\"service\":\"s\",\"command\":\"C\"}]}"
static const char locked[] = LOCKED("{\"key\":\"account/${saga.type}\",\"timeout\":\"30s\"}");
static const char patiently[] = LOCKED("{\"key\":\"k\",\"timeout\":\"never\"}");
static const char no_key[] = LOCKED("{\"key\":\"${input.none}\"}");
static const char torn_key[] = LOCKED("{\"key\":\"${input.none + 1}\"}");

static const struct row lock_rows[] = {
    {"nothing is sent before the lock is there", "start, early, granted, ok a, ok b", "ask account/order, early, a#1, b#1, result, leave account/order; completed", locked},
    {"refused, and undone, it leaves at the end", "start, granted, ok a, no b, undone a", "ask k, a#1, b#1, ~a#1, result, leave k; compensated", patiently},
    {"held by another it fails", "start, locked", "ask k, result, leave k; compensated", patiently},
    {"it waits for so long", "start, +29, +1", "ask account/order, early, result, leave account/order; compensated", locked},
    {"or for ever", "start, +864000, granted", "ask k, early, a#1; running", patiently},
    {"granted when it has given up, it has left already", "start, due, granted", "ask account/order, result, leave account/order, late; compensated", locked},
    {"cancelled while it waits", "start, cancel", "ask k, result, leave k; cancelled", patiently},
    {"terminated", "start, granted, terminate", "ask k, a#1, result, leave k; terminated", patiently},
    {"parked it holds the lock", "start, granted, park, terminate", "ask k, a#1, parked, result, leave k; terminated", patiently},
    {"paused while it waits, it starts when it is resumed", "start, pause, granted, resume, due", "ask k, parked, resumed, a#1; running", patiently},
    {"parked while it waits, an operator's retry asks nothing twice", "start, park, retry :lock, granted", "ask k, parked, resumed, a#1; running", patiently},
    {"an operator may go on without it", "start, skip :lock, granted", "ask k, a#1, late; running", patiently},
    {"a lock told twice is told once", "start, granted, granted", "ask k, a#1, late; running", patiently},
    {"no signal of another name", "start, signal go", "ask k, late; running", patiently},
    {"a key that is none", "start", "result; compensated", no_key},
    {"a key that cannot be computed", "start", "result; compensated", torn_key},
};

static void the_error_says_who_holds_the_lock(void **state)
{
    static const struct row row = {"", "start, locked", "", patiently};
    struct buffer said = {0};
    struct stage stage;

    (void)state;
    play(&stage, &row);
    json_write(&said, stage.saga->error);
    assert_text("error", &said, "{\"step\":\":lock\",\"code\":\"LOCKED\",\"message\":\"another saga holds the lock\"}");
    buffer_clear(&said);
    json_write(&said, saga_step_find(stage.saga, AT(0))->error);
    assert_text("error", &said, "{\"code\":\"LOCKED\",\"message\":\"another saga holds the lock\",\"details\":{\"owner\":\"o-2\"}}");
    buffer_free(&said);
    leave(&stage);
}

/* --- what stands in for a step that is given up --- */

/* b may be done by another service, undone by the same command there. */
static const char spare[] =
    "{\"name\":\"order\",\"version\":1,\"timeout\":\"1h\",\"defaults\":{\"timeout\":\"10s\",\"retry\":{\"attempts\":2,\"interval\":\"1s\",\"jitter\":0}},\"steps\":["
    "{\"name\":\"a\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"}},"
    "{\"name\":\"b\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\",\"input\":\"${steps.b.output}\"},"
    "\"fallback\":{\"service\":\"t\",\"command\":\"D\",\"retry\":{\"attempts\":1}}},"
    "{\"name\":\"c\",\"service\":\"s\",\"command\":\"C\",\"input\":{\"b\":\"${steps.b.output}\",\"by\":\"${steps.b.fallback}\",\"why\":\"${steps.b.error.code}\"},"
    "\"compensation\":{\"command\":\"U\"}}]}";

/* A value will do for b before the pivot, for y after it; that of x cannot be computed. */
static const char lenient[] =
    "{\"name\":\"order\",\"version\":1,\"timeout\":\"1h\",\"defaults\":{\"timeout\":\"10s\",\"retry\":{\"attempts\":2,\"interval\":\"1s\",\"jitter\":0}},\"steps\":["
    "{\"name\":\"b\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"},\"fallback\":{\"output\":{\"n\":3}}},"
    "{\"name\":\"p\",\"service\":\"s\",\"command\":\"P\",\"pivot\":true,\"input\":{\"b\":\"${steps.b.output.n}\"}},"
    "{\"name\":\"y\",\"service\":\"s\",\"command\":\"Y\",\"fallback\":{\"output\":\"${steps.y.error.code}\"}},"
    "{\"name\":\"x\",\"service\":\"s\",\"command\":\"X\",\"fallback\":{\"output\":\"${input.no + 1}\"}}]}";

/* t is asked until it answers 7, three times at most. */
static const char polling[] =
    "{\"name\":\"order\",\"version\":1,\"timeout\":\"1h\",\"defaults\":{\"timeout\":\"10s\",\"retry\":{\"attempts\":2,\"interval\":\"1s\",\"jitter\":0}},\"steps\":["
    "{\"name\":\"a\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"}},"
    "{\"name\":\"t\",\"service\":\"s\",\"command\":\"T\",\"repeat\":{\"until\":\"${steps.t.output.n == 7}\",\"interval\":\"5s\",\"limit\":3},\"compensation\":{\"command\":\"U\"}},"
    "{\"name\":\"c\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"}}]}";

/* Past the pivot; what u is asked for cannot be computed from 0; for v a value will do. */
static const char polling_on[] =
    "{\"name\":\"order\",\"version\":1,\"timeout\":\"1h\",\"defaults\":{\"timeout\":\"10s\"},\"steps\":["
    "{\"name\":\"p\",\"service\":\"s\",\"command\":\"P\",\"pivot\":true},"
    "{\"name\":\"t\",\"service\":\"s\",\"command\":\"T\",\"repeat\":{\"until\":\"${body.n == 7}\",\"interval\":\"5s\",\"limit\":2}},"
    "{\"name\":\"v\",\"service\":\"s\",\"command\":\"V\",\"repeat\":{\"until\":\"${body.n == 7}\",\"interval\":\"5s\",\"limit\":1},\"fallback\":{\"output\":7}},"
    "{\"name\":\"u\",\"service\":\"s\",\"command\":\"U\",\"repeat\":{\"until\":\"${body.n + 1}\",\"interval\":\"5s\",\"limit\":2}}]}";

/* h and i are confirmed behind the pivot; with w false, i is not even tried. */
static const char tried[] =
    "{\"name\":\"order\",\"version\":1,\"timeout\":\"1h\",\"defaults\":{\"timeout\":\"10s\",\"retry\":{\"attempts\":2,\"interval\":\"1s\",\"jitter\":0},\"compensation\":{\"retry\":{\"attempts\":2}}},\"steps\":["
    "{\"name\":\"h\",\"service\":\"s\",\"tcc\":{\"try\":{\"command\":\"Try\"},\"confirm\":{\"command\":\"Confirm\"},\"cancel\":{\"command\":\"Cancel\"},\"expires\":\"30s\"}},"
    "{\"name\":\"i\",\"service\":\"s\",\"when\":\"${not input.w}\",\"tcc\":{\"try\":{\"command\":\"Try\"},\"confirm\":{\"command\":\"Confirm\"},\"cancel\":{\"command\":\"Cancel\"}}},"
    "{\"name\":\"p\",\"service\":\"s\",\"command\":\"P\",\"pivot\":true},"
    "{\"name\":\"z\",\"service\":\"s\",\"command\":\"Z\"}]}";

/* Without a pivot: at the end. The last one is not tried. */
static const char tried_last[] =
    "{\"name\":\"order\",\"version\":1,\"timeout\":\"1h\",\"defaults\":{\"timeout\":\"10s\",\"retry\":{\"attempts\":2,\"interval\":\"1s\",\"jitter\":0},\"compensation\":{\"retry\":{\"attempts\":2}}},\"steps\":["
    "{\"name\":\"h\",\"service\":\"s\",\"tcc\":{\"try\":{\"command\":\"Try\"},\"confirm\":{\"command\":\"Confirm\"},\"cancel\":{\"command\":\"Cancel\"},\"expires\":\"30s\"}},"
    "{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\",\"compensation\":{\"command\":\"U\"}},"
    "{\"name\":\"i\",\"service\":\"s\",\"when\":\"${input.w}\",\"tcc\":{\"try\":{\"command\":\"Try\"},\"confirm\":{\"command\":\"Confirm\"},\"cancel\":{\"command\":\"Cancel\"}}}]}";

/* x, tried, is in a branch that may lose; its reservation lasts as long as one answer may take. */
static const char tried_in_vain[] = ONE_HOUR SIDE_BY_SIDE("[{\"name\":\"x\",\"service\":\"s\",\"tcc\":{\"try\":{\"command\":\"Try\"},\"confirm\":{\"command\":\"Confirm\"},\"cancel\":{\"command\":\"Cancel\"},\"expires\":\"10s\"}}," DO("b") "],[" DO("c") "]", "\"any\"")
    "," DO("n") "," PIVOT("p") "]}";

static const struct row tcc_rows[] = {
    {"what was tried is confirmed behind the pivot, in order", "start, ok h, ok i, ok p, ok h:confirm, ok i:confirm, ok z", "h#1, i#1, p#1, h:confirm#1, i:confirm#1, z#1, result; completed", tried},
    {"on the way back it is cancelled, last first", "start, ok h, ok i, no p, undone i, undone h", "h#1, i#1, p#1, ~i#1, ~h#1, result; compensated", tried},
    {"a try that was not answered is cancelled too", "start, due, due, due, undone h", "h#1, h#2, ~h#1, result; compensated", tried},
    {"a try that was refused is not", "start, ok h, no i, undone h", "h#1, i#1, ~h#1, result; compensated", tried},
    {"a confirm that is refused is tried again, and parks", "start, ok h, ok i, ok p, no h:confirm, due, no h:confirm, retry, ok h:confirm",
     "h#1, i#1, p#1, h:confirm#1, h:confirm#2, parked, resumed, h:confirm#3, i:confirm#1; running", tried},
    {"pending extends a confirm", "start, ok h, ok i, ok p, +9, wait h:confirm, +9, ok h:confirm", "h#1, i#1, p#1, h:confirm#1, early, early, i:confirm#1; running", tried},
    {"without a pivot it is confirmed at the end", "start, ok h, ok a, ok h:confirm", "h#1, a#1, h:confirm#1, result; completed", tried_last},
    {"the first confirm is a point of no return", "start, ok h, ok a, cancel, +3600, no h:confirm, due, due, complete h:confirm",
     "h#1, a#1, h:confirm#1, refused, h:confirm#2, parked, resumed, result; completed", tried_last},
    {"before it there is a way back", "start, ok h, no a, undone h", "h#1, a#1, ~h#1, result; compensated", tried_last},
    {"what has expired is not confirmed: the saga turns back", "start, ok h, wait a, +9, wait a, +9, wait a, +9, wait a, +9, ok a, undone a, undone h",
     "h#1, a#1, early, early, early, early, ~a#1, ~h#1, result; compensated", tried_last},
    {"nor is the pivot passed for it", "start, ok h, wait i, +9, wait i, +9, wait i, +9, wait i, +9, ok i, undone i, undone h",
     "h#1, i#1, early, early, early, early, ~i#1, ~h#1, result; compensated", tried},
    {"what expires while the pivot is held back is not paid for", "start, ok h, shut s, ok i, free s, +31, undone i, undone h",
     "h#1, i#1, p held, ~i#1, ~h#1, result; compensated", tried},
    {"nor what expires in a pause", "start, ok h, pause, ok i, +31, resume, due, undone i, undone h",
     "h#1, i#1, parked, early, resumed, ~i#1, ~h#1, result; compensated", tried},
    {"a pivot that has been sent is sent again, whatever expires", "start, ok h, ok i, wait p, +9, wait p, +9, wait p, +9, wait p, +9, again p, due", "h#1, i#1, p#1, early, early, early, early, p#2; running", tried},
    {"what was tried in vain may expire, and is not confirmed", "start, ok x, ok c, wait n, undo-wait b, +9, wait n, undo-wait b, +9, ok n, undone b, undone x, ok p",
     "x#1, c#1, b#1, ~b#1, n#1, early, early, p#1, ~x#1, result; completed", tried_in_vain},
    {"a try that an operator skips is not confirmed", "start, skip h, ok i, ok p, ok i:confirm", "h#1, i#1, p#1, i:confirm#1, z#1; running", tried},
};

/* What a reply names goes before it; of b the definition names none, the pivot may be undone by t. */
static const char named[] =
    "{\"name\":\"order\",\"version\":1,\"timeout\":\"1h\",\"defaults\":{\"timeout\":\"10s\",\"retry\":{\"attempts\":1},\"compensation\":{\"retry\":{\"attempts\":2,\"interval\":\"1s\",\"jitter\":0}}},\"steps\":["
    "{\"name\":\"a\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\",\"retry\":{\"attempts\":1}}},"
    "{\"name\":\"b\",\"service\":\"s\",\"command\":\"C\"},"
    "{\"name\":\"c\",\"service\":\"t\",\"command\":\"C\"}]}";

/* "undo STEP" is a success that names a compensation, "odd STEP" one that names what cannot be one. */
static const struct row undo_rows[] = {
    {"what a reply names undoes a step of which the definition says nothing", "start, ok a, undo b, no c, undone b, undone a", "a#1, b#1, c#1, ~b#1, ~a#1, result; compensated", named},
    {"it is tried as often as compensations are", "start, ok a, undo b, no c, due, due, due, retry, undone b, undone a",
     "a#1, b#1, c#1, ~b#1, ~b#2, parked, resumed, ~b#3, ~a#1, result; compensated", named},
    {"what cannot be one counts as none", "start, ok a, odd b, no c, undone a", "a#1, b#1, c#1, ~a#1, result; compensated", named},
    {"a late success names it too", "start, ok a, due, undo b, undone a, undone b", "a#1, b#1, ~a#1, ~b#1, result; compensated", named},
    {"also when all is over", "start, ok a, due, undone a, undo b, undone b", "a#1, b#1, ~a#1, result, ~b#1; compensated", named},
    {"a refusal names nothing", "start, ok a, no b, undone a", "a#1, b#1, ~a#1, result; compensated", named},
};

static const struct row repeat_rows[] = {
    {"an answer that will not do is followed by another poll", "start, ok a, ok t, due, seven t", "a#1, t#1, t#2, c#1; running", polling},
    {"not before its time", "start, ok a, ok t, early, due", "a#1, t#1, early, t#2; running", polling},
    {"each poll has its attempts", "start, ok a, due, due, ok t, due, due, due, seven t#3", "a#1, t#1, t#2, t#3, t#4, c#1; running", polling},
    {"a poll that nobody answers is given up", "start, ok a, ok t, due, due, due, due, undone t, undone a", "a#1, t#1, t#2, t#3, ~t#1, ~a#1, result; compensated", polling},
    {"at its limit it fails, and is undone once", "start, ok a, ok t, due, ok t, due, ok t, undone t, undone a", "a#1, t#1, t#2, t#3, ~t#1, ~a#1, result; compensated", polling},
    {"what is said of an earlier poll changes nothing", "start, ok a, ok t, due, seven t#1, no t#1, again t#1", "a#1, t#1, t#2, dup, late, late; running", polling},
    {"it may have acted, though it refuses now", "start, ok a, ok t, due, no t, undone t, undone a", "a#1, t#1, t#2, ~t#1, ~a#1, result; compensated", polling},
    {"refused at once it has done nothing", "start, ok a, no t, undone a", "a#1, t#1, ~a#1, result; compensated", polling},
    {"pending extends a poll", "start, ok a, ok t, due, +9, wait t, +9, seven t", "a#1, t#1, t#2, early, early, c#1; running", polling},
    {"cancelled between two polls it is undone", "start, ok a, ok t, cancel, undone t, undone a", "a#1, t#1, ~t#1, ~a#1, result; cancelled", polling},
    {"paused between two polls", "start, ok a, ok t, pause, +60, resume, early, due", "a#1, t#1, parked, early, resumed, early, t#2; running", polling},
    {"past the pivot it parks at its limit, and an operator has it asked as often again", "start, ok p, ok t, due, ok t, retry, ok t, due, seven t",
     "p#1, t#1, t#2, parked, resumed, t#3, t#4, v#1; running", polling_on},
    {"parked at its limit, what is said of the last poll is old", "start, ok p, ok t, due, ok t, seven t, no t", "p#1, t#1, t#2, parked, dup, late; parked", polling_on},
    {"something may stand in at its limit", "start, ok p, seven t, ok v", "p#1, t#1, v#1, u#1; running", polling_on},
    {"until cannot be computed: it is done, and of no use", "start, ok p, seven t, seven v, ok u", "p#1, t#1, v#1, u#1, parked; parked", polling_on},
};

static const struct row fallback_rows[] = {
    {"a step that is exhausted is done by another service", "start, ok a, due, due, due, ok b:fallback", "a#1, b#1, b#2, b:fallback#1, c#1; running", spare},
    {"where both may have acted both are undone, last first", "start, ok a, due, due, due, ok b:fallback, no c, undone b:fallback, undone b, undone a",
     "a#1, b#1, b#2, b:fallback#1, c#1, ~b:fallback#1, ~b#1, ~a#1, result; compensated", spare},
    {"what was answered each time is not undone", "start, ok a, again b, due, again b, ok b:fallback, no c, undone b:fallback, undone a",
     "a#1, b#1, b#2, b:fallback#1, c#1, ~b:fallback#1, ~a#1, result; compensated", spare},
    {"nothing stands in for a refusal", "start, ok a, no b, undone a", "a#1, b#1, ~a#1, result; compensated", spare},
    {"a refusal of what stands in turns back", "start, ok a, due, due, due, no b:fallback, undone b, undone a",
     "a#1, b#1, b#2, b:fallback#1, ~b#1, ~a#1, result; compensated", spare},
    {"silence of what stands in counts as maybe done", "start, ok a, again b, due, again b, due, undone b:fallback, undone a",
     "a#1, b#1, b#2, b:fallback#1, ~b:fallback#1, ~a#1, result; compensated", spare},
    {"a late success is used by nobody, and undone with the rest", "start, ok a, again b, due, again b, ok b#1, ok b:fallback, no c, undone b:fallback, undone b, undone a",
     "a#1, b#1, b#2, b:fallback#1, late, c#1, ~b:fallback#1, ~b#1, ~a#1, result; compensated", spare},
    {"it is undone before what was done before it came", "start, ok a, again b, due, again b, ok b:fallback, ok b, ok b, no c, undone b, undone b:fallback, undone a",
     "a#1, b#1, b#2, b:fallback#1, c#1, late, late, ~b#1, ~b:fallback#1, ~a#1, result; compensated", spare},
    {"a late success of a completed saga is left in place", "start, ok a, again b, due, again b, ok b:fallback, ok c, ok b",
     "a#1, b#1, b#2, b:fallback#1, c#1, result, late; completed", spare},
    {"a success that comes on the way back is undone", "start, ok a, again b, due, again b, no b:fallback, ok b, undone a, undone b",
     "a#1, b#1, b#2, b:fallback#1, ~a#1, ~b#1, result; compensated", spare},
    {"while the breaker is open what stands in stands in at once", "start, shut s, ok a, ok b:fallback, no c", "a#1, b diverted, b:fallback#1, c held, late; running", spare},
    {"with an attempt unanswered the step is undone, too", "start, ok a, due, shut s, due, free s, no b:fallback, undone b", "a#1, b#1, b diverted, b:fallback#1, ~b#1, ~a#1; compensating", spare},
    {"what is only busy is waited for", "start, busy s, ok a, free s, due", "a#1, b held, b#1; running", spare},
    {"a breaker that opens while it waits diverts it", "start, busy s, ok a, free s, shut s, due", "a#1, b held, b diverted, b:fallback#1; running", spare},
    {"past the pivot a step that was refused is waited for", "start, ok b, ok p, no y, shut s, due", "b#1, p#1, y#1, y held; running", lenient},
    {"pending extends what stands in", "start, ok a, due, due, due, +9, wait b:fallback, +9, ok b:fallback", "a#1, b#1, b#2, b:fallback#1, early, early, c#1; running", spare},
    {"cancelled while the other service is at work", "start, ok a, due, due, due, cancel, undone b:fallback, undone b, undone a",
     "a#1, b#1, b#2, b:fallback#1, ~b:fallback#1, ~b#1, ~a#1, result; cancelled", spare},
    {"paused, the other service is asked when it goes on", "start, ok a, again b, due, pause, again b, resume, due", "a#1, b#1, b#2, parked, resumed, b:fallback#1; running", spare},
    {"a value stands in at once", "start, due, due, due", "b#1, b#2, p#1; running", lenient},
    {"a step that may have acted is undone, whatever stood in for it", "start, due, due, due, no p, undone b", "b#1, b#2, p#1, ~b#1, result; compensated", lenient},
    {"past the pivot a value keeps the saga from parking", "start, ok b, ok p, due, due, due", "b#1, p#1, y#1, y#2, x#1; running", lenient},
    {"past the pivot nothing stands in for what was refused", "start, ok b, ok p, no y, due, no y", "b#1, p#1, y#1, y#2, parked; parked", lenient},
    {"refused once is refused", "start, ok b, ok p, no y, due, due", "b#1, p#1, y#1, y#2, parked; parked", lenient},
    {"a value that cannot be computed fails", "start, ok b, ok p, ok y, due, due, due, retry, complete x:fallback", "b#1, p#1, y#1, x#1, x#2, parked, resumed, parked, resumed, result; completed", lenient},
};

/* --- where the groups stand --- */

static const struct row status_rows[] = {
    {"a group runs as long as a step in it", "start, ok a", "a done, g running, b running", tree},
    {"a switch remembers its case", "start, ok a, ok b", "a done, g running, b done, c running 2, e running", tree},
    {"a group is done with its last step; one that is not wanted is skipped whole", "start, ok a, ok b, ok e, ok f",
     "a done, g done, b done, c done 2, e done, h done, f done, k skipped, m skipped, o running 2, r running", tree},
    {"a step that fails takes the groups around it along, not those that are done", "start, ok a, ok b, ok e, ok f, no r",
     "a done, g done, b done, c done 2, e compensating, h done, f done, k skipped, m skipped, o failed 2, r failed", tree},
    {"a wait waits", "start, ok a", "a done, w waiting", failing},
    {"what a wait leads past is skipped, the group that it leaves is done", "start, ok a, due", "a done, g done, w done, b skipped, c skipped, t running, d running", leading},
    {"turned back, it waits no more", "start, ok a, +3600", "a compensating, c failed 2, v failed", cases},
    {"what stands in is done, the step itself has failed", "start, due, due, due", "b unknown, b:fallback done, p running", lenient},
    {"parked past the pivot its groups go on", "start, seven a, ok p", "a done, c running 1, p done, y failed", torn},
};

static void say_steps(struct buffer *said, const struct saga *saga)
{
    for (size_t i = 0; i < saga->steps_len; i++) {
        const struct saga_step *step = &saga->steps[i];

        add(said, "%s %s", saga->definition->steps[step->index].name, step_status_name(step->status));
        if (step->chosen > 0)
            say(said, " %d", step->chosen);
    }
}

static void check_statuses(void **state)
{
    const struct row *row = *state;
    struct stage stage;
    struct buffer said = {0};

    play(&stage, row);
    say_steps(&said, stage.saga);
    assert_text(row->when, &said, row->then);
    buffer_free(&said);
    leave(&stage);
}

/* --- what is no row --- */

static struct saga *saga_of(const char *text, struct expr_vm *vm, struct definition **ret_definition, struct effects *effects)
{
    json_t *doc = parse(text), *input = json_object();
    struct findings *findings = calloc(1, sizeof *findings);
    struct saga_event start = {.kind = EVENT_START, .at_ms = 1000000, .saga_id = "o-1", .input = input};
    struct saga *saga = NULL;

    assert_non_null(findings);
    assert_int_equal(definition_parse(doc, vm, findings, ret_definition), BATON_OK);
    assert_int_equal(saga_start(*ret_definition, &start, &saga, effects), BATON_OK);
    free(findings);
    json_decref(doc);
    json_decref(input);
    return saga;
}

static void the_history_keeps_the_newest_and_counts_the_rest(void **state)
{
    struct expr_vm *vm = expr_vm_new();
    struct definition *definition = NULL;
    struct effects effects = {0};
    struct saga *saga = saga_of(endless, vm, &definition, &effects);
    int64_t entries = (int64_t)saga->history_len;

    (void)state;
    for (int i = 0; i < 200; i++) {
        struct saga_event timer = {.kind = EVENT_TIMER, .at_ms = saga->due_at_ms};

        assert_int_equal(saga_apply(&saga, &timer, &effects), BATON_OK);
        entries += (int64_t)saga->history_new;
    }
    assert_int_equal(saga->history_len, SAGA_HISTORY_MAX);
    assert_int_equal(saga->history_dropped, entries - SAGA_HISTORY_MAX);
    assert_int_equal(saga->history[SAGA_HISTORY_MAX - 1].kind, HISTORY_SENT);
    assert_int_equal(saga->history[SAGA_HISTORY_MAX - 1].attempt, 201);
    effects_free(&effects);
    saga_free(saga);
    definition_free(definition);
    expr_vm_free(vm);
}

/* The state knows no difference between a null output and none: neither may the rules, or two workers would differ. */
static void a_null_output_is_none(void **state)
{
    static const char once[] = "{\"name\":\"order\",\"version\":1,\"steps\":[{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\",\"retry\":{\"attempts\":1}}]}";
    struct expr_vm *vm = expr_vm_new();
    struct definition *definition = NULL;
    struct effects effects = {0};
    struct saga *saga = saga_of(once, vm, &definition, &effects);
    struct saga_event timer = {.kind = EVENT_TIMER, .at_ms = saga->due_at_ms};
    struct saga_event late = {.kind = EVENT_REPLY, .at_ms = saga->due_at_ms, .place = AT(0), .attempt = 1, .outcome = REPLY_SUCCESS};

    (void)state;
    assert_int_equal(saga_apply(&saga, &timer, &effects), BATON_OK);
    assert_int_equal(saga->steps[0].status, STEP_UNKNOWN);
    assert_int_equal(saga_apply(&saga, &late, &effects), BATON_OK);
    late.body = json_integer(7);
    assert_int_equal(saga_apply(&saga, &late, &effects), BATON_OK);
    assert_int_equal(json_integer_value(saga->steps[0].output), 7);
    json_decref(late.body);
    effects_free(&effects);
    saga_free(saga);
    definition_free(definition);
    expr_vm_free(vm);
}

static void apply_signal(struct saga **saga, struct effects *effects, const char *name, int n)
{
    struct saga_event signal = {.kind = EVENT_SIGNAL, .at_ms = (*saga)->updated_at_ms, .signal = name, .body = json_integer(n)};

    assert_int_equal(saga_apply(saga, &signal, effects), BATON_OK);
    json_decref(signal.body);
}

static void sixteen_early_signals_are_kept_and_given_out_in_order(void **state)
{
    struct expr_vm *vm = expr_vm_new();
    struct definition *definition = NULL;
    struct effects effects = {0};
    struct saga *saga = saga_of(patient, vm, &definition, &effects);
    struct saga_event done = {.kind = EVENT_REPLY, .at_ms = 1000000, .place = AT(0), .attempt = 1, .outcome = REPLY_SUCCESS};

    (void)state;
    for (int i = 0; i < SAGA_SIGNALS_MAX; i++) {
        apply_signal(&saga, &effects, "go", i);
        assert_int_equal(effects.disposition, APPLIED);
    }
    apply_signal(&saga, &effects, "go", 99);
    assert_int_equal(effects.disposition, IGNORED_LATE);
    assert_int_equal(saga->late, 1);
    assert_int_equal(saga->history[saga->history_len - 1].kind, HISTORY_SIGNAL_REFUSED);
    assert_int_equal(json_array_size(saga->signals), SAGA_SIGNALS_MAX);
    assert_int_equal(saga_apply(&saga, &done, &effects), BATON_OK);
    assert_int_equal(json_integer_value(saga_step_find(saga, AT(1))->output), 0);
    assert_int_equal(json_integer_value(saga_step_find(saga, AT(2))->output), 1);
    assert_int_equal(json_array_size(saga->signals), SAGA_SIGNALS_MAX - 2);
    effects_free(&effects);
    saga_free(saga);
    definition_free(definition);
    expr_vm_free(vm);
}

static void a_flood_of_duplicates_does_not_push_out_the_rest(void **state)
{
    struct expr_vm *vm = expr_vm_new();
    struct definition *definition = NULL;
    struct effects effects = {0};
    struct saga *saga = saga_of(endless, vm, &definition, &effects);
    struct saga_event again = {.kind = EVENT_START, .at_ms = 1000000};
    size_t noise = 0;

    (void)state;
    for (int i = 0; i < 40; i++)
        assert_int_equal(saga_apply(&saga, &again, &effects), BATON_OK);
    for (size_t i = 0; i < saga->history_len; i++)
        noise += saga->history[i].kind == HISTORY_DUPLICATE_START;
    assert_int_equal(noise, 16);
    assert_int_equal(saga->duplicates, 40);
    effects_free(&effects);
    saga_free(saga);
    definition_free(definition);
    expr_vm_free(vm);
}

/* It goes out with every attempt from then on, and is what the compensation is told. */
static void an_operators_input_stays(void **state)
{
    static const char undoable[] = "{\"name\":\"order\",\"version\":1,\"steps\":[{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\",\"timeout\":\"1s\","
                                   "\"retry\":{\"attempts\":2,\"interval\":\"0ms\"},\"compensation\":{\"command\":\"UndoA\"}}]}";
    struct expr_vm *vm = expr_vm_new();
    struct definition *definition = NULL;
    struct effects effects = {0};
    struct saga *saga = saga_of(undoable, vm, &definition, &effects);
    struct saga_event event = {.kind = EVENT_PARK, .at_ms = 1000000, .reason = "no broker takes it"};

    (void)state;
    assert_int_equal(saga_apply(&saga, &event, &effects), BATON_OK);
    event = (struct saga_event){.kind = EVENT_VERB, .at_ms = 1000000, .verb = VERB_RETRY, .who = "ann", .value = given};
    assert_int_equal(saga_apply(&saga, &event, &effects), BATON_OK);
    assert_int_equal(effects.len, 2);
    assert_true(json_equal(effects.items[1].input, given));
    event = (struct saga_event){.kind = EVENT_TIMER, .at_ms = saga->due_at_ms};
    assert_int_equal(saga_apply(&saga, &event, &effects), BATON_OK);
    assert_true(json_equal(effects.items[0].input, given));
    event = (struct saga_event){.kind = EVENT_TIMER, .at_ms = saga->due_at_ms};
    assert_int_equal(saga_apply(&saga, &event, &effects), BATON_OK);
    assert_int_equal(effects.items[0].action, ACTION_COMPENSATE);
    assert_true(json_equal(json_object_get(effects.items[0].input, "input"), given));
    effects_free(&effects);
    saga_free(saga);
    definition_free(definition);
    expr_vm_free(vm);
}

static void what_is_parked_waits_for_an_operator_and_not_for_ever(void **state)
{
    static const char parent[] = "{\"name\":\"order\",\"version\":1,\"steps\":[{\"name\":\"k\",\"saga\":{\"name\":\"child\"}}]}";
    static const struct row awaiting = {"", "start", "", parent}, parked = {"", "start, park", "", parent};
    struct stage stage;

    (void)state;
    play(&stage, &awaiting);
    assert_true(saga_step_find(stage.saga, AT(0))->forever);
    leave(&stage);
    play(&stage, &parked);
    assert_false(saga_step_find(stage.saga, AT(0))->forever);
    leave(&stage);
}

static json_t *input_of(const struct effects *effects, size_t i)
{
    assert_true(i < effects->len && effects->items[i].kind == EFFECT_COMMAND);
    return effects->items[i].input;
}

static void reply(struct saga **saga, struct effects *effects, const char *step, enum saga_action action, json_t *body)
{
    int index = definition_step_index((*saga)->definition, step, strlen(step));
    const struct saga_step *entry = saga_step_find(*saga, AT(index));
    struct saga_event event = {.kind = EVENT_REPLY, .at_ms = (*saga)->updated_at_ms, .place = AT(index), .action = action, .outcome = body == NULL ? REPLY_FAILURE : REPLY_SUCCESS,
                               .attempt = action == ACTION_EXECUTE ? entry->attempts : entry->compensations, .body = body};

    assert_int_equal(saga_apply(saga, &event, effects), BATON_OK);
    json_decref(body);
}

/* Later steps see what stood in; each compensation what was done at its own service. */
static void what_stands_in_has_the_output(void **state)
{
    struct expr_vm *vm = expr_vm_new();
    struct definition *definition = NULL;
    struct effects effects = {0};
    struct saga *saga = saga_of(spare, vm, &definition, &effects);
    json_t *seen = parse("{\"b\":2,\"by\":\"service\",\"why\":\"TIMEOUT\"}");

    (void)state;
    reply(&saga, &effects, "a", ACTION_EXECUTE, json_null());
    for (int i = 0; i < 3; i++) {
        struct saga_event timer = {.kind = EVENT_TIMER, .at_ms = saga->due_at_ms};

        assert_int_equal(saga_apply(&saga, &timer, &effects), BATON_OK);
    }
    assert_string_equal(effects.items[0].service, "t");
    assert_string_equal(effects.items[0].command, "D");
    reply(&saga, &effects, "b", ACTION_EXECUTE, json_integer(1));
    reply(&saga, &effects, "b:fallback", ACTION_EXECUTE, json_integer(2));
    assert_true(json_equal(input_of(&effects, 0), seen));
    reply(&saga, &effects, "c", ACTION_EXECUTE, NULL);
    assert_int_equal(json_integer_value(input_of(&effects, 0)), 2);
    assert_string_equal(effects.items[0].service, "t");
    assert_string_equal(effects.items[0].command, "U");
    reply(&saga, &effects, "b:fallback", ACTION_COMPENSATE, json_null());
    assert_int_equal(json_integer_value(input_of(&effects, 0)), 1);
    assert_string_equal(effects.items[0].service, "s");
    json_decref(seen);
    effects_free(&effects);
    saga_free(saga);
    definition_free(definition);
    expr_vm_free(vm);
}

/* As it is for a worker that has read the state, where a null output is none. */
static void an_iteration_whose_last_answer_is_null_gives_the_one_before(void **state)
{
    static const char one[] = ONE_HOUR FOR_EACH("f", "\"items\":\"${{'p'}}\",", DO("b") "," DO("c")) "]}";
    struct expr_vm *vm = expr_vm_new();
    struct definition *definition = NULL;
    struct effects effects = {0};
    struct saga *saga = saga_of(one, vm, &definition, &effects);
    json_t *answers[] = {json_integer(7), json_null()}, *gives = parse("[7]");

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct saga_event event = {.kind = EVENT_REPLY, .at_ms = 1000000, .place = {definition_step_index(definition, i == 0 ? "b" : "c", 1), 0},
                                   .action = ACTION_EXECUTE, .outcome = REPLY_SUCCESS, .attempt = 1, .body = answers[i]};

        assert_int_equal(saga_apply(&saga, &event, &effects), BATON_OK);
        json_decref(answers[i]);
    }
    assert_true(json_equal(saga_step_find(saga, AT(definition_step_index(definition, "f", 1)))->output, gives));
    json_decref(gives);
    effects_free(&effects);
    saga_free(saga);
    definition_free(definition);
    expr_vm_free(vm);
}

/* Confirm and cancel are told what the try was given, and what it answered. */
static void a_confirm_is_told_what_was_tried(void **state)
{
    struct expr_vm *vm = expr_vm_new();
    struct definition *definition = NULL;
    struct effects effects = {0};
    struct saga *saga = saga_of(tried_last, vm, &definition, &effects);
    json_t *told = parse("{\"input\":{},\"output\":7}");

    (void)state;
    reply(&saga, &effects, "h", ACTION_EXECUTE, json_integer(7));
    reply(&saga, &effects, "a", ACTION_EXECUTE, json_null());
    assert_string_equal(effects.items[0].command, "Confirm");
    assert_true(json_equal(input_of(&effects, 0), told));
    json_decref(told);
    effects_free(&effects);
    saga_free(saga);
    definition_free(definition);
    expr_vm_free(vm);
}

/* What is named, and what comes of it: service, command and input; "-" = the definition's. */
static void a_reply_names_what_undoes_its_step(void **state)
{
    static char too_long[UNDO_BYTES_MAX + 64];
    static const struct {
        const char *named, *then;
    } texts[] = {
        {"{\"command\":\"V\"}", "s V {\"input\":{},\"output\":7}"},
        {"{\"command\":\"V\",\"input\":[1]}", "s V [1]"},
        {"{\"command\":\"V\",\"input\":null,\"service\":\"t\"}", "t V null"},
        {"{\"command\":\"V\",\"service\":\"elsewhere\"}", "-"},
        {"{\"command\":\"V\",\"service\":7}", "-"},
        {"{\"command\":\"V\",\"inputs\":1}", "-"},
        {"{\"command\":\"\"}", "-"},
        {"{\"command\":\"a\\nb\"}", "-"},
        {"{\"input\":1}", "-"},
        {"[]", "-"},
        {"{", "-"},
        {"", "-"},
        {too_long, "-"},
    };
    struct expr_vm *vm = expr_vm_new();

    (void)state;
    (void)snprintf(too_long, sizeof too_long, "{\"command\":\"V\",\"input\":\"%0*d\"}", UNDO_BYTES_MAX, 0);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct definition *definition = NULL;
        struct effects effects = {0};
        struct saga *saga = saga_of(named, vm, &definition, &effects);
        struct saga_event event = {.kind = EVENT_REPLY, .at_ms = 1000000, .place = AT(0), .attempt = 1, .outcome = REPLY_SUCCESS, .body = json_integer(7), .compensation = texts[i].named};
        struct buffer said = {0};

        assert_int_equal(saga_apply(&saga, &event, &effects), BATON_OK);
        json_decref(event.body);
        assert_true((saga->history[saga->history_len - 2].kind == HISTORY_UNDO_IGNORED || saga->history[saga->history_len - 3].kind == HISTORY_UNDO_IGNORED) ==
                    (strcmp(texts[i].then, "-") == 0));
        reply(&saga, &effects, "b", ACTION_EXECUTE, NULL);
        say(&said, "%s %s ", effects.items[0].service, effects.items[0].command);
        json_write(&said, effects.items[0].input);
        assert_text(texts[i].named, &said, strcmp(texts[i].then, "-") == 0 ? "s U {\"input\":{},\"output\":7}" : texts[i].then);
        buffer_free(&said);
        effects_free(&effects);
        saga_free(saga);
        definition_free(definition);
    }
    expr_vm_free(vm);
}

static void time_never_runs_back(void **state)
{
    struct expr_vm *vm = expr_vm_new();
    struct definition *definition = NULL;
    struct effects effects = {0};
    struct saga *saga = saga_of(endless, vm, &definition, &effects);
    struct saga_event late_clock = {.kind = EVENT_REPLY, .at_ms = 1, .place = AT(0), .attempt = 1, .outcome = REPLY_PENDING};

    (void)state;
    assert_int_equal(saga_apply(&saga, &late_clock, &effects), BATON_OK);
    assert_int_equal(saga->updated_at_ms, 1000000);
    assert_int_equal(saga->due_at_ms, 1001000);
    effects_free(&effects);
    saga_free(saga);
    definition_free(definition);
    expr_vm_free(vm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_history_keeps_the_newest_and_counts_the_rest),
        cmocka_unit_test(a_null_output_is_none),
        cmocka_unit_test(sixteen_early_signals_are_kept_and_given_out_in_order),
        cmocka_unit_test(a_flood_of_duplicates_does_not_push_out_the_rest),
        cmocka_unit_test(an_operators_input_stays),
        cmocka_unit_test(what_is_parked_waits_for_an_operator_and_not_for_ever),
        cmocka_unit_test(the_error_says_who_holds_the_lock),
        cmocka_unit_test(what_was_kept_is_the_output_and_says_since_when),
        cmocka_unit_test(what_stands_in_has_the_output),
        cmocka_unit_test(an_iteration_whose_last_answer_is_null_gives_the_one_before),
        cmocka_unit_test(a_confirm_is_told_what_was_tried),
        cmocka_unit_test(a_reply_names_what_undoes_its_step),
        cmocka_unit_test(time_never_runs_back),
    };

    int failed = 0;

    given = json_pack("{s:i}", "by", 7);
    reference = json_string("s3://b/1");
    failed = RUN_ROWS(rows, check_row) + RUN_ROWS(lock_rows, check_row) + RUN_ROWS(fallback_rows, check_row) + RUN_ROWS(repeat_rows, check_row) + RUN_ROWS(undo_rows, check_row) + RUN_ROWS(tcc_rows, check_row) + RUN_ROWS(cached_rows, check_row) + RUN_ROWS(status_rows, check_statuses) + cmocka_run_group_tests(tests, NULL, NULL);
    json_decref(given);
    json_decref(reference);
    return failed;
}

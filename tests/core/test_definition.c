/*
 * test_definition.c -- what a definition may say and may not, a row each: members put into a small definition that is right.
 *
 * then: "fine", or each finding as "pointer text" (warnings begin with ~, findings about a key say so), parted by "; ".
 */
#include "rows.h"
#include <baton/definition.h>

/* One step that can be undone, then the pivot: nothing to find. */
static const char base[] = "{\"name\":\"order\",\"version\":1,\"steps\":["
                           "{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\",\"compensation\":{\"command\":\"UndoA\"}},"
                           "{\"name\":\"p\",\"service\":\"s\",\"command\":\"P\",\"pivot\":true}]}";

#define U(name) "{\"name\":\"" name "\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"}}"

static const struct row {
    const char *name;
    const char *where; /* "" = the definition, "0" = its first step, "0/compensation", ... */
    const char *set;   /* members to set; a null removes */
    const char *then;
} definition_rows[] = {
    {"the least", "", "{}", "fine"},
    {"all of it", "", "{\"$schema\":\"x\",\"description\":\"x\",\"timeout\":\"15m\",\"defaults\":{\"timeout\":\"10s\",\"retry\":{\"attempts\":5},"
     "\"compensation\":{\"timeout\":\"9s\",\"retry\":{\"attempts\":7}}},\"output\":{\"r\":\"${steps.p.output.r}\"}}", "fine"},

    {"no name", "", "{\"name\":null}", " \"name\" is missing"},
    {"a name that is no text", "", "{\"name\":1}", "/name a text expected"},
    {"a name in upper case", "", "{\"name\":\"Order\"}", "/name 1 to 64 of a-z, 0-9 and '-' expected, not '-' first"},
    {"no version", "", "{\"version\":null}", " \"version\" is missing"},
    {"version 0", "", "{\"version\":0}", "/version a whole number from 1 expected"},
    {"a version that is a double", "", "{\"version\":1.0}", "/version a whole number from 1 expected"},
    {"a description that is no text", "", "{\"description\":1}", "/description a text expected"},
    {"a saga timeout that is no duration", "", "{\"timeout\":\"soon\"}",
     "/timeout a duration like \"250ms\", \"30s\", \"5m\", \"24h\" or \"7d\" expected, at most 3650d"},
    {"a saga timeout of zero", "", "{\"timeout\":\"0s\"}", "/timeout a duration above zero expected"},
    {"no steps", "", "{\"steps\":null}", " \"steps\" is missing"},
    {"an empty list of steps", "", "{\"steps\":[]}", "/steps a list of 1 to 256 steps expected"},
    {"steps that are no list", "", "{\"steps\":{}}", "/steps a list of 1 to 256 steps expected"},
    {"steps that are no objects", "", "{\"steps\":[1]}", "/steps/0 an object expected"},
    {"an unknown member, with the nearest name", "", "{\"timeuot\":\"1s\"}", "/timeuot(key) unknown member \"timeuot\"; did you mean \"timeout\"?"},
    {"an unknown member without a near one", "", "{\"banana\":1}", "/banana(key) unknown member \"banana\""},
    {"sensitive places of the input, and of an output", "0", "{\"sensitive\":[\"\",\"/card/*/number\",\"/a~1b~0\"]}", "fine"},
    {"a sensitive place that is no pointer", "", "{\"sensitive\":[\"/a\",\"$.card.number\"]}", "/sensitive/1 a JSON Pointer begins with '/'; did you mean \"/card/number\"?"},
    {"a tilde that stands for nothing", "0", "{\"sensitive\":[\"/a~2\"]}", "/steps/0/sensitive/0 in a JSON Pointer '~' stands as \"~0\", and '/' in a name as \"~1\""},
    {"a sensitive place that is no text", "0", "{\"sensitive\":[1]}", "/steps/0/sensitive/0 a JSON Pointer such as \"/card/number\" expected"},
    {"no sensitive place", "", "{\"sensitive\":[]}", "/sensitive a list of 1 to 64 JSON Pointers such as \"/card/number\" expected"},
    {"a sensitive place that stands alone", "", "{\"sensitive\":\"/a\"}", "/sensitive a list of 1 to 64 JSON Pointers such as \"/card/number\" expected"},
    {"each id once", "", "{\"onDuplicate\":\"reject\"}", "fine"},
    {"the same start is the same saga", "", "{\"onDuplicate\":\"same\"}", "fine"},
    {"an id that is used again", "", "{\"onDuplicate\":\"afterEnd\"}", "/onDuplicate \"afterEnd\" is not supported by this version: give each start an id of its own, and the definition a lock on what they share"},
    {"another word for duplicates", "", "{\"onDuplicate\":\"refuse\"}", "/onDuplicate \"same\" or \"reject\" expected"},
    {"duplicates by a flag", "", "{\"onDuplicate\":true}", "/onDuplicate a text expected"},
    {"a lock", "", "{\"lock\":{\"key\":\"account/${input.account}\",\"mode\":\"queue\",\"timeout\":\"5m\"}}", "fine"},
    {"a lock for which it waits for ever", "", "{\"lock\":{\"key\":\"k\",\"timeout\":\"never\"}}", "fine"},
    {"a lock without a key", "", "{\"lock\":{}}", "/lock \"key\" is missing: the business key, such as \"${input.account}\""},
    {"a lock whose key is no text", "", "{\"lock\":{\"key\":7}}", "/lock/key a text expected, such as \"${input.account}\""},
    {"a lock of another mode", "", "{\"lock\":{\"key\":\"k\",\"mode\":\"wait\"}}", "/lock/mode \"queue\" or \"reject\" expected"},
    {"a lock with an unknown member", "", "{\"lock\":{\"kee\":\"k\",\"key\":\"k\"}}", "/lock/kee(key) unknown member \"kee\"; did you mean \"key\"?"},
    {"a lock that is no object", "", "{\"lock\":\"k\"}", "/lock an object expected"},
    {"a lock's key with a step in it", "", "{\"lock\":{\"key\":\"${steps.a.output.id}\"}}", "/lock/key:3 steps.a is used before it runs"},
    {"a lock's key that does not parse", "", "{\"lock\":{\"key\":\"${input.}\"}}", "/lock/key:9 <name> expected near ')'"},
    {"a definition with the name of the locks'", "", "{\"name\":\"baton-lock\"}", "/name baton-lock is Baton's own"},
    {"an input schema", "", "{\"input\":{\"schema\":{\"type\":\"object\"}}}", "fine"},
    {"an input without its schema", "", "{\"input\":{}}", "/input \"schema\" is missing"},
    {"an input with an unknown member", "", "{\"input\":{\"shcema\":{}}}", "/input/shcema(key) unknown member \"shcema\"; did you mean \"schema\"?; /input \"schema\" is missing"},
    {"a schema that is the name of a file", "", "{\"input\":{\"schema\":\"order.schema.json\"}}",
     "/input/schema the schema itself expected: the file of a definition may name a file, but what is published holds everything (baton deploy puts it in)"},
    {"a schema that is neither", "", "{\"input\":{\"schema\":true}}", "/input/schema a JSON Schema, or in a file the name of one, expected"},
    {"a broken schema is told where it is broken", "", "{\"input\":{\"schema\":{\"properties\":{\"a\":{\"type\":\"txt\",\"minimun\":1}}}}}",
     "~/input/schema/properties/a/minimun(key) unknown keyword \"minimun\" says nothing; did you mean \"minimum\"?; "
     "/input/schema/properties/a/type null, boolean, object, array, string, number or integer expected"},
    {"defaults that are no object", "", "{\"defaults\":1}", "/defaults an object expected"},
    {"an unknown default", "", "{\"defaults\":{\"retires\":1}}", "/defaults/retires(key) unknown member \"retires\"; did you mean \"retry\"?"},
    {"a saga output that does not compile", "", "{\"output\":{\"r\":\"x ${1 +}\"}}", "/output/r:8 unexpected symbol near ')'"},

    {"a step without a name", "0", "{\"name\":null}", "/steps/0 \"name\" is missing"},
    {"a step name that begins with a digit", "0", "{\"name\":\"1a\"}", "/steps/0/name a letter and then up to 63 letters, digits, '_' or '-' expected"},
    {"a step name with a dot", "0", "{\"name\":\"a.b\"}", "/steps/0/name a letter and then up to 63 letters, digits, '_' or '-' expected"},
    {"the same step name twice", "1", "{\"name\":\"a\"}", "/steps/1/name \"a\" is the name of step 1 too"},
    {"a child saga", "0", "{\"service\":null,\"command\":null,\"compensation\":null,\"saga\":{\"name\":\"payment\",\"version\":2,\"input\":{\"t\":\"${input.total}\"}},\"output\":\"${body.r}\","
     "\"timeout\":\"5m\",\"retry\":{\"attempts\":2},\"pivot\":false}", "fine"},
    {"a child that is not awaited", "1", "{\"service\":null,\"command\":null,\"pivot\":null,\"saga\":{\"name\":\"mail\",\"detached\":true}}", "fine"},
    {"a child without a name", "0", "{\"service\":null,\"command\":null,\"compensation\":null,\"saga\":{}}", "/steps/0/saga \"name\" is missing"},
    {"a child whose name is none", "0", "{\"service\":null,\"command\":null,\"compensation\":null,\"saga\":{\"name\":\"Pay\"}}",
     "/steps/0/saga/name the name of a definition expected: 1 to 64 of a-z, 0-9 and '-', not '-' first"},
    {"a child of version 0", "0", "{\"service\":null,\"command\":null,\"compensation\":null,\"saga\":{\"name\":\"pay\",\"version\":0}}",
     "/steps/0/saga/version a whole number from 1 expected, or none for the newest"},
    {"a misspelt member of a child", "0", "{\"service\":null,\"command\":null,\"compensation\":null,\"saga\":{\"name\":\"pay\",\"inptu\":{}}}",
     "/steps/0/saga/inptu(key) unknown member \"inptu\"; did you mean \"input\"?"},
    {"a child with a compensation of its step", "0", "{\"service\":null,\"command\":null,\"saga\":{\"name\":\"pay\"}}", "/steps/0/compensation(key) unknown member \"compensation\""},
    {"a definition that starts itself", "0", "{\"service\":null,\"command\":null,\"compensation\":null,\"saga\":{\"name\":\"order\",\"version\":1}}",
     "/steps/0/saga/name order starts itself: there would be no end to it"},
    {"a timeout of what is not awaited", "0", "{\"service\":null,\"command\":null,\"compensation\":null,\"saga\":{\"name\":\"pay\",\"detached\":true},\"timeout\":\"1s\",\"output\":1}",
     "/steps/0/saga a detached child is not awaited: \"output\" of its step has no meaning; /steps/0/saga a detached child is not awaited: \"timeout\" of its step has no meaning"},
    {"a child's input that names a later step", "0", "{\"service\":null,\"command\":null,\"compensation\":null,\"saga\":{\"name\":\"pay\",\"input\":{\"x\":\"${steps.p.output}\"}}}",
     "/steps/0/saga/input/x:3 steps.p is used before it runs"},
    {"unlimited children and no timeout", "0", "{\"service\":null,\"command\":null,\"compensation\":null,\"saga\":{\"name\":\"pay\"},\"timeout\":\"1s\",\"retry\":{\"attempts\":\"unlimited\"}}",
     "~/steps/0/retry(key) unlimited attempts and no saga timeout: it may wait for ever"},
    {"a step without a service", "0", "{\"service\":null}", "/steps/0 \"service\" is missing"},
    {"a service that is no topic", "0", "{\"service\":\"a/b\"}",
     "/steps/0/service 1 to 200 of letters, digits, '.', '_' and '-' expected: it names the topic <service>.commands"},
    {"a step without a command", "0", "{\"command\":null}", "/steps/0 \"command\" is missing"},
    {"an empty command", "0", "{\"command\":\"\"}", "/steps/0/command 1 to 200 characters expected"},
    {"a command that cannot stand in a header", "0", "{\"command\":\"a\\nb\"}", "/steps/0/command control characters cannot stand in a header"},
    {"an unknown member of a step", "0", "{\"compensate\":{}}", "/steps/0/compensate(key) unknown member \"compensate\"; did you mean \"compensation\"?"},

    {"tried, confirmed, cancelled", "", "{\"steps\":[{\"name\":\"h\",\"service\":\"s\",\"tcc\":{\"try\":{\"command\":\"T\"},\"confirm\":{\"command\":\"C\"},\"cancel\":{\"command\":\"X\"},\"expires\":\"15m\"}}]}", "fine"},
    {"tried, and nothing else", "", "{\"steps\":[{\"name\":\"h\",\"service\":\"s\",\"tcc\":{\"try\":{\"command\":\"T\"}}}]}", "/steps/0/tcc \"confirm\" is missing; /steps/0/tcc \"cancel\" is missing"},
    {"a confirm without a command", "", "{\"steps\":[{\"name\":\"h\",\"service\":\"s\",\"tcc\":{\"try\":{\"command\":\"T\"},\"confirm\":{},\"cancel\":{\"command\":\"X\"}}}]}", "/steps/0/tcc/confirm \"command\" is missing"},
    {"an unknown member of a tcc", "", "{\"steps\":[{\"name\":\"h\",\"service\":\"s\",\"tcc\":{\"try\":{\"command\":\"T\"},\"confirm\":{\"command\":\"C\"},\"cancel\":{\"command\":\"X\"},\"expire\":\"1s\"}}]}", "/steps/0/tcc/expire(key) unknown member \"expire\"; did you mean \"expires\"?"},
    {"a reference in a confirm", "", "{\"steps\":[{\"name\":\"h\",\"service\":\"s\",\"tcc\":{\"try\":{\"command\":\"T\"},\"confirm\":{\"command\":\"C\",\"input\":\"${steps.no.output}\"},\"cancel\":{\"command\":\"X\"}}}]}", "/steps/0/tcc/confirm/input:3 no step is called \"no\""},
    {"a reference in a cancel", "", "{\"steps\":[{\"name\":\"h\",\"service\":\"s\",\"tcc\":{\"try\":{\"command\":\"T\"},\"confirm\":{\"command\":\"C\"},\"cancel\":{\"command\":\"X\",\"input\":\"${steps.no.output}\"}}}]}", "/steps/0/tcc/cancel/input:3 no step is called \"no\""},
    {"the last step before a confirm, which may turn back", "", "{\"steps\":[{\"name\":\"h\",\"service\":\"s\",\"tcc\":{\"try\":{\"command\":\"T\"},\"confirm\":{\"command\":\"C\"},\"cancel\":{\"command\":\"X\"}}},{\"name\":\"n\",\"service\":\"s\",\"command\":\"N\"}]}", "~/steps/1 step n cannot be undone when a later step fails: give it a compensation"},
    {"a tcc in a forEach", "", "{\"steps\":[{\"name\":\"g\",\"forEach\":{\"items\":\"${input.a}\",\"steps\":[{\"name\":\"q\",\"sequence\":[{\"name\":\"h\",\"service\":\"s\",\"tcc\":{\"try\":{\"command\":\"T\"},\"confirm\":{\"command\":\"C\"},\"cancel\":{\"command\":\"X\"}}}]}]}}]}", "/steps/0/forEach/steps/0/sequence/0/tcc a forEach cannot be tried and confirmed: start a child saga for each item"},
    {"a reservation that may expire", "", "{\"steps\":[{\"name\":\"h\",\"service\":\"s\",\"tcc\":{\"try\":{\"command\":\"T\"},\"confirm\":{\"command\":\"C\"},\"cancel\":{\"command\":\"X\"},\"expires\":\"10s\"}},{\"name\":\"n\",\"sleep\":\"11s\"}]}", "~/steps/0/tcc/expires 10 s, and the steps up to the confirm can take 11 s with all their attempts: it may come too late"},
    {"one that may, for what goes on beside it", "", "{\"steps\":[{\"parallel\":[[{\"name\":\"h\",\"service\":\"s\",\"tcc\":{\"try\":{\"command\":\"T\"},\"confirm\":{\"command\":\"C\"},\"cancel\":{\"command\":\"X\"},\"expires\":\"10s\"}}],[{\"name\":\"n\",\"sleep\":\"11s\"}]]}]}", "~/steps/0/parallel/0/0/tcc/expires 10 s, and the steps up to the confirm can take 11 s with all their attempts: it may come too late"},
    {"one that lasts", "", "{\"steps\":[{\"parallel\":[[{\"name\":\"h\",\"service\":\"s\",\"tcc\":{\"try\":{\"command\":\"T\"},\"confirm\":{\"command\":\"C\"},\"cancel\":{\"command\":\"X\"},\"expires\":\"12s\"}},{\"name\":\"m\",\"sleep\":\"11s\"}],[{\"name\":\"n\",\"sleep\":\"11s\"}]]}]}", "fine"},
    {"asked until it will do", "0", "{\"repeat\":{\"until\":\"${steps.a.output.ok and body.ok}\",\"interval\":\"2s\",\"limit\":30}}", "fine"},
    {"asked without end", "0", "{\"repeat\":{}}", "/steps/0/repeat \"until\" is missing; /steps/0/repeat \"interval\" is missing; /steps/0/repeat \"limit\" is missing"},
    {"asked without a pause", "0", "{\"repeat\":{\"until\":\"${true}\",\"interval\":\"0ms\",\"limit\":1}}", "/steps/0/repeat/interval a duration above zero expected"},
    {"a pause that is none", "0", "{\"repeat\":{\"until\":\"${true}\",\"interval\":2,\"limit\":1}}",
     "/steps/0/repeat/interval a duration like \"250ms\", \"30s\", \"5m\", \"24h\" or \"7d\" expected, at most 3650d"},
    {"asked too often", "0", "{\"repeat\":{\"until\":\"${true}\",\"interval\":\"1s\",\"limit\":10001}}", "/steps/0/repeat/limit 1 to 10000 polls expected"},
    {"an unknown member of repeat", "0", "{\"repeat\":{\"untill\":\"${true}\",\"until\":\"${true}\",\"interval\":\"1s\",\"limit\":1}}",
     "/steps/0/repeat/untill(key) unknown member \"untill\"; did you mean \"until\"?"},
    {"a reference in until", "0", "{\"repeat\":{\"until\":\"${steps.p.output}\",\"interval\":\"1s\",\"limit\":1}}", "/steps/0/repeat/until:3 steps.p is used before it runs"},
    {"polls take their time", "", "{\"timeout\":\"60s\",\"steps\":[{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\",\"timeout\":\"1s\",\"retry\":{\"attempts\":1},"
     "\"repeat\":{\"until\":\"${true}\",\"interval\":\"2s\",\"limit\":21}}]}",
     "~/timeout the steps can take 63 s with all their attempts, the saga's timeout is 60 s: late attempts will be cut off"},
    {"a value that stands in", "0", "{\"fallback\":{\"output\":{\"n\":0}}}", "fine"},
    {"nothing stands in", "0", "{\"fallback\":{}}", "/steps/0/fallback \"output\" is missing: a value; or \"service\" and \"command\": another service; or \"cached\" and \"maxAge\": the last success"},
    {"a cached fallback", "0", "{\"fallback\":{\"cached\":\"k/${input.a}\",\"maxAge\":\"1h\"}}", "fine"},
    {"a cached fallback without an age", "0", "{\"fallback\":{\"cached\":\"k\"}}", "/steps/0/fallback \"maxAge\" is missing: how old it may be"},
    {"one whose key is no text", "0", "{\"fallback\":{\"cached\":7,\"maxAge\":\"1h\"}}", "/steps/0/fallback/cached a text expected: the key of what is kept, such as \"quote/${input.sku}\""},
    {"one whose key is what the step makes", "0", "{\"fallback\":{\"cached\":\"${steps.a.output.id}\",\"maxAge\":\"1h\"}}", "/steps/0/fallback/cached:3 steps.a is used before it runs"},
    {"a fallback that is no object", "0", "{\"fallback\":0.5}", "/steps/0/fallback an object expected"},
    {"another service", "0", "{\"fallback\":{\"service\":\"t\",\"command\":\"D\"}}", "fine"},
    {"all of another service", "0", "{\"fallback\":{\"service\":\"t\",\"command\":\"D\",\"input\":\"${steps.a.error.code}\",\"output\":\"${body.x}\",\"timeout\":\"1s\","
     "\"retry\":{\"attempts\":1},\"reply\":{\"success\":\"${body.ok}\"},\"compensation\":{\"command\":\"U\"}}}", "fine"},
    {"another service without a command", "0", "{\"fallback\":{\"service\":\"t\"}}", "/steps/0/fallback \"command\" is missing"},
    {"an unknown member of another service", "0", "{\"fallback\":{\"service\":\"t\",\"command\":\"D\",\"imput\":1}}",
     "/steps/0/fallback/imput(key) unknown member \"imput\"; did you mean \"input\"?"},
    {"an unknown member of a value", "0", "{\"fallback\":{\"output\":1,\"ouput\":1}}", "/steps/0/fallback/ouput(key) unknown member \"ouput\"; did you mean \"output\"?"},
    {"a fallback of the pivot", "1", "{\"fallback\":{\"output\":1}}", "/steps/1/fallback the pivot has none: whether it was done must be known, for there is no way back from it"},
    {"a value that does not compile", "0", "{\"fallback\":{\"output\":{\"x\":\"${1 +}\"}}}", "/steps/0/fallback/output/x:6 unexpected symbol near ')'"},
    {"a reference in a value", "0", "{\"fallback\":{\"output\":\"${steps.no.output}\"}}", "/steps/0/fallback/output:3 no step is called \"no\""},
    {"a reference in what another service is asked", "0", "{\"fallback\":{\"service\":\"t\",\"command\":\"D\",\"input\":\"${steps.p.output}\"}}",
     "/steps/0/fallback/input:3 steps.p is used before it runs"},
    {"what is inherited is said once", "0", "{\"input\":\"${steps.no.output}\",\"fallback\":{\"service\":\"t\",\"command\":\"D\"}}", "/steps/0/input:3 no step is called \"no\""},
    {"another service takes its time too", "", "{\"timeout\":\"60s\",\"defaults\":{\"timeout\":\"10s\",\"retry\":{\"attempts\":1}},\"steps\":[{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\","
     "\"fallback\":{\"service\":\"t\",\"command\":\"D\",\"timeout\":\"51s\"}}]}",
     "~/timeout the steps can take 61 s with all their attempts, the saga's timeout is 60 s: late attempts will be cut off"},
    {"an attempt's timeout of zero", "0", "{\"timeout\":\"0ms\"}", "/steps/0/timeout a duration above zero expected"},
    {"a pivot that is no flag", "0", "{\"pivot\":1}", "/steps/0/pivot true or false expected"},
    {"two pivots", "0", "{\"pivot\":true}", "/steps/1/pivot step 1 is the pivot already: there is one point of no return"},
    {"a condition that is no text", "0", "{\"when\":true}", "/steps/0/when an expression \"${...}\" expected"},
    {"a condition that is no expression", "0", "{\"when\":\"yes\"}", "/steps/0/when:1 an expression \"${...}\" expected, nothing before or after it"},
    {"a condition that does not compile", "0", "{\"when\":\"${input.a >}\"}", "/steps/0/when:12 unexpected symbol near ')'"},
    {"an input that does not compile", "0", "{\"input\":{\"x\":[0,\"${inptu.a}\"]}}", "/steps/0/input/x/1:3 unknown name 'inptu'; did you mean 'input'?"},
    {"an output that does not compile", "0", "{\"output\":\"${body.}\"}", "/steps/0/output:8 <name> expected near ')'"},

    {"retry that is no object", "0", "{\"retry\":3}", "/steps/0/retry an object expected"},
    {"an unknown member of retry", "0", "{\"retry\":{\"atempts\":3}}", "/steps/0/retry/atempts(key) unknown member \"atempts\"; did you mean \"attempts\"?"},
    {"the most attempts", "0", "{\"retry\":{\"attempts\":1000}}", "fine"},
    {"more than that", "0", "{\"retry\":{\"attempts\":1001}}", "/steps/0/retry/attempts 1 to 1000 or \"unlimited\" expected"},
    {"no attempt", "0", "{\"retry\":{\"attempts\":0}}", "/steps/0/retry/attempts 1 to 1000 or \"unlimited\" expected"},
    {"another word", "0", "{\"retry\":{\"attempts\":\"many\"}}", "/steps/0/retry/attempts 1 to 1000 or \"unlimited\" expected"},
    {"no interval at all", "0", "{\"retry\":{\"interval\":\"0ms\"}}", "fine"},
    {"a backoff below one", "0", "{\"retry\":{\"backoff\":0.5}}", "/steps/0/retry/backoff a number from 1 to 100 expected"},
    {"a backoff above a hundred", "0", "{\"retry\":{\"backoff\":101}}", "/steps/0/retry/backoff a number from 1 to 100 expected"},
    {"a jitter above one", "0", "{\"retry\":{\"jitter\":1.5}}", "/steps/0/retry/jitter a number from 0 to 1 expected"},
    {"a maxInterval below the interval", "0", "{\"retry\":{\"interval\":\"2s\",\"maxInterval\":\"1s\"}}", "/steps/0/retry/maxInterval below \"interval\""},
    {"an interval above the default maxInterval raises it", "0", "{\"retry\":{\"interval\":\"60s\"}}", "fine"},
    {"a maxDuration of zero", "0", "{\"retry\":{\"maxDuration\":\"0s\"}}", "/steps/0/retry/maxDuration a duration above zero expected"},
    {"codes to retry on", "0", "{\"retry\":{\"on\":[\"BUSY\"],\"notOn\":[\"GONE\"]}}", "fine"},
    {"an empty list of codes", "0", "{\"retry\":{\"on\":[]}}", "/steps/0/retry/on a list of error codes expected, at least one"},
    {"codes that are no list", "0", "{\"retry\":{\"notOn\":\"GONE\"}}", "/steps/0/retry/notOn a list of error codes expected, at least one"},
    {"a code that is no text", "0", "{\"retry\":{\"on\":[\"A\",1]}}", "/steps/0/retry/on a list of error codes expected: item 1 is not a text"},

    {"a compensation without a command", "0", "{\"compensation\":{}}", "/steps/0/compensation \"command\" is missing"},
    {"a compensation elsewhere", "0", "{\"compensation\":{\"service\":\"t\",\"command\":\"U\",\"input\":{\"x\":\"${steps.a.output.x}\"},\"timeout\":\"1s\"}}", "fine"},
    {"an unknown member of a compensation", "0", "{\"compensation\":{\"command\":\"U\",\"imput\":1}}",
     "/steps/0/compensation/imput(key) unknown member \"imput\"; did you mean \"input\"?"},

    {"a reply mapping", "0", "{\"reply\":{\"success\":\"${body.ok}\",\"retry\":\"${body.busy}\",\"code\":\"${body.c}\",\"output\":\"${body.d}\"}}", "fine"},
    {"a reply mapping that does not compile", "0", "{\"reply\":{\"success\":\"${body.ok ==}\"}}", "/steps/0/reply/success:13 unexpected symbol near ')'"},
    {"an unknown member of a reply mapping", "0", "{\"reply\":{\"sucess\":\"${true}\"}}",
     "/steps/0/reply/sucess(key) unknown member \"sucess\"; did you mean \"success\"?"},
    {"a reply schema", "0", "{\"reply\":{\"schema\":{\"required\":[\"id\"]}}}", "fine"},
    {"a reply schema that is broken", "0", "{\"reply\":{\"schema\":{\"required\":\"id\"}}}", "/steps/0/reply/schema/required a list of names expected"},

    /* the checker */
    {"an undefined step, with the nearest name", "1", "{\"input\":\"${steps.aa.output}\"}", "/steps/1/input:3 no step is called \"aa\"; did you mean \"a\"?"},
    {"a step used before it runs", "0", "{\"input\":{\"x\":\"${steps.p.output}\"}}", "/steps/0/input/x:3 steps.p is used before it runs"},
    {"a step's own output in its input", "0", "{\"input\":\"${steps.a.output}\"}", "/steps/0/input:3 steps.a is used before it runs"},
    {"a field that a step does not have", "1", "{\"input\":\"${steps.a.result}\"}", "/steps/1/input:3 steps.a has output, error, status and fallback, not \"result\""},
    {"a reference after a join", "1", "{\"input\":\"${'x' .. steps.no.output}\"}", "/steps/1/input:10 no step is called \"no\""},
    {"a reference in a condition", "1", "{\"when\":\"${steps.no.status == 'done'}\"}", "/steps/1/when:3 no step is called \"no\""},
    {"a reference in a reply mapping", "1", "{\"reply\":{\"success\":\"${steps.no.output}\"}}", "/steps/1/reply/success:3 no step is called \"no\""},
    {"a reference in a compensation", "0/compensation", "{\"input\":\"${steps.p.output}\"}", "/steps/0/compensation/input:3 steps.p is used before it runs"},
    {"a reference in the saga's output", "", "{\"output\":\"${steps.no.output}\"}", "/output:3 no step is called \"no\""},
    {"an undo missing before the pivot", "0", "{\"compensation\":null}", "~/steps/0 step a cannot be undone when a later step fails: give it a compensation"},
    {"the last step needs none", "1", "{\"pivot\":false}", "fine"},
    {"a compensation after the pivot", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"P\",\"pivot\":true},"
     "{\"name\":\"z\",\"service\":\"s\",\"command\":\"Z\",\"compensation\":{\"command\":\"U\"}}]}",
     "~/steps/1/compensation(key) never used: the step comes after the pivot"},
    {"a compensation of the pivot is of use", "1", "{\"compensation\":{\"command\":\"U\"}}", "fine"},
    {"unlimited attempts without a saga timeout", "0", "{\"retry\":{\"attempts\":\"unlimited\"}}",
     "~/steps/0/retry(key) unlimited attempts and no saga timeout: it may wait for ever"},
    {"unlimited attempts of the pivot", "1", "{\"retry\":{\"attempts\":\"unlimited\"}}", "fine"},
    {"a compensation tried for ever", "0/compensation", "{\"retry\":{\"attempts\":\"unlimited\"}}",
     "~/steps/0/compensation(key) tried for ever: the saga never parks, nobody is told"},
    {"steps that can take longer than the saga", "", "{\"timeout\":\"60s\"}",
     "~/timeout the steps can take 184 s with all their attempts, the saga's timeout is 60 s: late attempts will be cut off"},
    {"maxDuration bounds the worst case", "",
     "{\"timeout\":\"60s\",\"defaults\":{\"retry\":{\"maxDuration\":\"25s\"}}}", "fine"},

    /* groups */
    {"a sequence and a switch", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"g\",\"description\":\"x\",\"when\":\"${input.a}\",\"sequence\":[{\"name\":\"x\",\"service\":\"s\",\"command\":\"C\"}]},{\"name\":\"c\",\"switch\":[{\"when\":\"${input.a}\",\"steps\":[{\"name\":\"y\",\"service\":\"s\",\"command\":\"C\"}]},{\"when\":\"${true}\",\"steps\":[{\"name\":\"z\",\"service\":\"s\",\"command\":\"C\"}]}],\"default\":[{\"name\":\"d\",\"service\":\"s\",\"command\":\"C\"}]}]}",
     "fine"},
    {"groups nested to the limit", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"g7\",\"sequence\":[{\"name\":\"g6\",\"sequence\":[{\"name\":\"g5\",\"sequence\":[{\"name\":\"g4\",\"sequence\":[{\"name\":\"g3\",\"sequence\":[{\"name\":\"g2\",\"sequence\":[{\"name\":\"g1\",\"sequence\":[{\"name\":\"g0\",\"sequence\":[{\"name\":\"x\",\"service\":\"s\",\"command\":\"C\"}]}]}]}]}]}]}]}]}]}",
     "fine"},
    {"groups nested beyond it", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"g8\",\"sequence\":[{\"name\":\"g7\",\"sequence\":[{\"name\":\"g6\",\"sequence\":[{\"name\":\"g5\",\"sequence\":[{\"name\":\"g4\",\"sequence\":[{\"name\":\"g3\",\"sequence\":[{\"name\":\"g2\",\"sequence\":[{\"name\":\"g1\",\"sequence\":[{\"name\":\"g0\",\"sequence\":[{\"name\":\"x\",\"service\":\"s\",\"command\":\"C\"}]}]}]}]}]}]}]}]}]}]}",
     "/steps/1/sequence/0/sequence/0/sequence/0/sequence/0/sequence/0/sequence/0/sequence/0/sequence/0/sequence groups are nested 8 deep at most"},
    {"an empty sequence", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"g\",\"sequence\":[]}]}",
     "/steps/1/sequence a list of 1 to 256 steps expected"},
    {"a group without a name", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"sequence\":[{\"name\":\"x\",\"service\":\"s\",\"command\":\"C\"}]}]}",
     "/steps/1 \"name\" is missing"},
    {"a group with a command", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"g\",\"sequence\":[{\"name\":\"x\",\"service\":\"s\",\"command\":\"C\"}],\"command\":\"C\"}]}",
     "/steps/1/command(key) unknown member \"command\""},
    {"branches side by side: all, any, two of three; one without a name", "",
     "{\"steps\":[{\"name\":\"g\",\"parallel\":[[" U("b") "],[" U("c") "," U("d") "]]},{\"parallel\":[[" U("e") "],[" U("f") "]],\"join\":\"any\"},"
     "{\"name\":\"q\",\"when\":\"${input.a}\",\"parallel\":[[" U("h") "],[" U("i") "],[" U("j") "]],\"join\":{\"quorum\":2}}]}",
     "fine"},
    {"what is behind a parallel sees all of its branches", "",
     "{\"steps\":[{\"parallel\":[[" U("b") "],[" U("c") "]]},{\"name\":\"w\",\"service\":\"s\",\"command\":\"C\",\"input\":\"${steps.b.output.n + steps.c.output.n}\"}]}",
     "fine"},
    {"one that may have lost is guarded", "",
     "{\"steps\":[{\"parallel\":[[" U("b") "],[" U("c") "]],\"join\":\"any\"},{\"name\":\"w\",\"service\":\"s\",\"command\":\"C\",\"input\":\"${steps.b.output.n + 1}\"}]}",
     "~/steps/1/input:3 step b may be in a branch that loses, then this is nil: write (steps.b.output... or <value>)"},
    {"a branch does not see another", "",
     "{\"steps\":[{\"parallel\":[[" U("b") "],[{\"name\":\"w\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"},\"input\":\"${steps.b.output}\"}]]}]}",
     "/steps/0/parallel/1/0/input:3 steps.b is in another branch of the same parallel: it may be there or not; use it after the parallel"},
    {"neither one that is written after it", "",
     "{\"steps\":[{\"parallel\":[[{\"name\":\"g\",\"sequence\":[{\"name\":\"w\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"},\"when\":\"${steps.b.status == 'done'}\"}]}],[" U("b") "]]}]}",
     "/steps/0/parallel/0/0/sequence/0/when:3 steps.b is in another branch of the same parallel: it may be there or not; use it after the parallel"},
    {"a parallel has no output", "",
     "{\"steps\":[{\"parallel\":[[" U("b") "]]}],\"output\":\"${steps['parallel-1'].output}\"}",
     "/output:3 parallel-1 is a group: it has a status, the steps in it have outputs"},
    {"a name that a parallel has without one", "",
     "{\"steps\":[{\"parallel\":[[" U("b") "]]}," U("parallel-1") "]}",
     "/steps/1/name \"parallel-1\" is the name of step 1 too"},
    {"a pivot in a branch", "",
     "{\"steps\":[{\"name\":\"g\",\"parallel\":[[" U("b") "],[{\"name\":\"w\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true}]]}]}",
     "/steps/0/parallel/1/0/pivot a pivot cannot stand in a parallel: the branches beside it may still fail, and then there has to be a way back; put it after g"},
    {"no branches", "",
     "{\"steps\":[{\"parallel\":[]}]}",
     "/steps/0/parallel a list of 1 to 32 branches expected, each a list of steps"},
    {"a branch that is a step", "",
     "{\"steps\":[{\"parallel\":[" U("b") "]}]}",
     "/steps/0/parallel/0 a list of 1 to 256 steps expected"},
    {"a quorum that cannot be", "",
     "{\"steps\":[{\"parallel\":[[" U("b") "],[" U("c") "]],\"join\":{\"quorum\":3}}]}",
     "/steps/0/join/quorum more branches than there are: 2"},
    {"a quorum of none", "",
     "{\"steps\":[{\"parallel\":[[" U("b") "]],\"join\":{\"quorum\":0}}]}",
     "/steps/0/join/quorum a number of branches expected, 1 to 32"},
    {"a join that is none", "",
     "{\"steps\":[{\"parallel\":[[" U("b") "]],\"join\":\"most\"}]}",
     "/steps/0/join \"all\", \"any\" or {\"quorum\": <number of branches>} expected"},
    {"a join with a member too many", "",
     "{\"steps\":[{\"parallel\":[[" U("b") "]],\"join\":{\"quorom\":1}}]}",
     "/steps/0/join/quorom(key) unknown member \"quorom\"; did you mean \"quorum\"?; /steps/0/join \"quorum\" is missing"},
    {"a branch that cannot be undone when it loses", "",
     "{\"steps\":[{\"parallel\":[[" U("b") "],[{\"name\":\"w\",\"service\":\"s\",\"command\":\"C\"}]],\"join\":\"any\"}]}",
     "~/steps/0/parallel/1/0 step w cannot be undone when its branch loses: give it a compensation"},
    {"the last step of a branch of all cannot be undone", "",
     "{\"steps\":[{\"parallel\":[[" U("b") "],[{\"name\":\"w\",\"service\":\"s\",\"command\":\"C\"}]]}]}",
     "~/steps/0/parallel/1/0 step w cannot be undone when a later step fails: give it a compensation"},
    {"behind the pivot what may lose is undone", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"parallel\":[[" U("b") "],[" U("c") "]],\"join\":\"any\"}]}",
     "fine"},
    {"a forEach, its item in a step and in what undoes it", "",
     "{\"steps\":[{\"name\":\"f\",\"forEach\":{\"items\":\"${input.items}\",\"maxConcurrency\":100,\"steps\":[{\"name\":\"b\",\"service\":\"s\",\"command\":\"C\",\"input\":{\"a\":\"${item.a}\",\"n\":\"${index}\"},\"compensation\":{\"command\":\"U\",\"input\":\"${item}\"}}]}},{\"name\":\"w\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"},\"input\":\"${#steps.f.output}\"}]}",
     "fine"},
    {"a step of an iteration from outside", "",
     "{\"steps\":[{\"name\":\"f\",\"forEach\":{\"items\":\"${input.items}\",\"steps\":[" U("b") "]}},{\"name\":\"w\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"},\"input\":\"${steps.b.output}\"}]}",
     "/steps/1/input:3 steps.b is there once for each item; outside of the forEach use steps.f.output, an array"},
    {"from its own items", "",
     "{\"steps\":[{\"name\":\"f\",\"forEach\":{\"items\":\"${steps.b.output}\",\"steps\":[" U("b") "]}}]}",
     "/steps/0/forEach/items:3 steps.b is there once for each item; outside of the forEach use steps.f.output, an array"},
    {"from the output of the definition", "",
     "{\"steps\":[{\"name\":\"f\",\"forEach\":{\"items\":\"${input.items}\",\"steps\":[" U("b") "]}}],\"output\":\"${steps.b.status}\"}",
     "/output:3 steps.b is there once for each item; outside of the forEach use steps.f.output, an array"},
    {"the forEach from within", "",
     "{\"steps\":[{\"name\":\"f\",\"forEach\":{\"items\":\"${input.items}\",\"steps\":[{\"name\":\"b\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"},\"input\":\"${steps.f.output}\"}]}}]}",
     "/steps/0/forEach/steps/0/input:3 steps.f is the forEach around it, which is done when all its iterations are; see item and index"},
    {"a step before it in the iteration", "",
     "{\"steps\":[{\"name\":\"f\",\"forEach\":{\"items\":\"${input.items}\",\"steps\":[" U("b") ",{\"name\":\"c\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"},\"input\":\"${steps.b.output}\"}]}}]}",
     "fine"},
    {"an item where there is none", "",
     "{\"steps\":[{\"name\":\"b\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"},\"input\":{\"x\":\"${(item or {}).n}\"}}]}",
     "~/steps/0/input/x:3 item and index are nil here: they belong to the steps in a forEach"},
    {"a forEach in a forEach", "",
     "{\"steps\":[{\"name\":\"f\",\"forEach\":{\"items\":\"${input.items}\",\"steps\":[{\"name\":\"s\",\"sequence\":[{\"name\":\"g\",\"forEach\":{\"items\":\"${input.items}\",\"steps\":[" U("b") "]}}]}]}}]}",
     "/steps/0/forEach/steps/0/sequence/0/forEach a forEach cannot stand in another one: start a child saga for each item of the inner one"},
    {"a pivot in a forEach", "",
     "{\"steps\":[{\"name\":\"f\",\"forEach\":{\"items\":\"${input.items}\",\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true}]}}]}",
     "/steps/0/forEach/steps/0/pivot a pivot cannot stand in a forEach: it would be passed once for each item, and the others may still fail; put it after f"},
    {"a child that is the pivot, in a parallel", "",
     "{\"steps\":[{\"name\":\"g\",\"parallel\":[[{\"name\":\"k\",\"saga\":{\"name\":\"x\",\"input\":{}},\"pivot\":true}]]}]}",
     "/steps/0/parallel/0/0/pivot a pivot cannot stand in a parallel: the branches beside it may still fail, and then there has to be a way back; put it after g"},
    {"a forEach of nothing", "",
     "{\"steps\":[{\"name\":\"f\",\"forEach\":{\"steps\":[" U("b") "]}}]}",
     "/steps/0/forEach \"items\" is missing: an array, such as \"${input.items}\""},
    {"a forEach without steps", "",
     "{\"steps\":[{\"name\":\"f\",\"forEach\":{\"items\":\"${input.a}\"}}]}",
     "/steps/0/forEach \"steps\" is missing"},
    {"a forEach that is no object", "",
     "{\"steps\":[{\"name\":\"f\",\"forEach\":[]}]}",
     "/steps/0/forEach an object expected"},
    {"items that are written down", "",
     "{\"steps\":[{\"name\":\"f\",\"forEach\":{\"items\":\"abc\",\"steps\":[" U("b") "]}}]}",
     "/steps/0/forEach/items:1 an expression \"${...}\" expected, nothing before or after it"},
    {"none at a time", "",
     "{\"steps\":[{\"name\":\"f\",\"forEach\":{\"items\":\"${input.items}\",\"maxConcurrency\":0,\"steps\":[" U("b") "]}}]}",
     "/steps/0/forEach/maxConcurrency 1 to 100 iterations at a time expected"},
    {"too many at a time", "",
     "{\"steps\":[{\"name\":\"f\",\"forEach\":{\"items\":\"${input.items}\",\"maxConcurrency\":101,\"steps\":[" U("b") "]}}]}",
     "/steps/0/forEach/maxConcurrency 1 to 100 iterations at a time expected"},
    {"a goto out of its iteration", "",
     "{\"steps\":[{\"name\":\"f\",\"forEach\":{\"items\":\"${input.items}\",\"steps\":[{\"name\":\"w\",\"wait\":{\"signal\":\"go\",\"timeout\":\"5s\",\"onTimeout\":{\"goto\":\"g\"}}}]}},{\"name\":\"g\",\"sequence\":[" U("b") "]}]}",
     "/steps/0/forEach/steps/0/wait/onTimeout/goto \"g\" is not the name of a later sequence of this list, or of one around it, within the forEach"},
    {"a step whose fellows may still fail", "",
     "{\"steps\":[{\"name\":\"f\",\"forEach\":{\"items\":\"${input.items}\",\"steps\":[{\"name\":\"b\",\"service\":\"s\",\"command\":\"C\"}]}}]}",
     "~/steps/0/forEach/steps/0 step b cannot be undone when a later step fails: give it a compensation"},
    {"a goto out of its branch", "",
     "{\"steps\":[{\"parallel\":[[{\"name\":\"w\",\"wait\":{\"signal\":\"go\",\"timeout\":\"5s\",\"onTimeout\":{\"goto\":\"g\"}}}]]},{\"name\":\"g\",\"sequence\":[" U("b") "]}]}",
     "/steps/0/parallel/0/0/wait/onTimeout/goto \"g\" is not the name of a later sequence of this list, or of one around it, within the branch"},
    {"a goto into a branch", "",
     "{\"steps\":[{\"name\":\"w\",\"wait\":{\"signal\":\"go\",\"timeout\":\"5s\",\"onTimeout\":{\"goto\":\"g\"}}},{\"parallel\":[[{\"name\":\"g\",\"sequence\":[" U("b") "]}]]}]}",
     "/steps/0/wait/onTimeout/goto \"g\" is not the name of a later sequence of this list, or of one around it"},
    {"branches take as long as the longest", "",
     "{\"timeout\":\"50s\",\"defaults\":{\"timeout\":\"40s\",\"retry\":{\"attempts\":1}},\"steps\":[{\"parallel\":[[" U("b") "],[" U("c") "]]}]}",
     "fine"},
    {"branches that take longer than the saga may", "",
     "{\"timeout\":\"50s\",\"defaults\":{\"timeout\":\"40s\",\"retry\":{\"attempts\":1}},\"steps\":[{\"parallel\":[[" U("b") "],[" U("c") "," U("d") "]]}]}",
     "~/timeout the steps can take 80 s with all their attempts, the saga's timeout is 50 s: late attempts will be cut off"},
    {"a switch without cases", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"g\",\"switch\":[]}]}",
     "/steps/1/switch a list of 1 to 32 cases expected"},
    {"a case without a condition", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"g\",\"switch\":[{\"steps\":[{\"name\":\"x\",\"service\":\"s\",\"command\":\"C\"}]}]}]}",
     "/steps/1/switch/0 \"when\" is missing"},
    {"a case without steps", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"g\",\"switch\":[{\"when\":\"${true}\"}]}]}",
     "/steps/1/switch/0 \"steps\" is missing"},
    {"an unknown member of a case", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"g\",\"switch\":[{\"when\":\"${true}\",\"steps\":[{\"name\":\"x\",\"service\":\"s\",\"command\":\"C\"}],\"name\":1}]}]}",
     "/steps/1/switch/0/name(key) unknown member \"name\""},
    {"a name that is used in a group already", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"g\",\"sequence\":[{\"name\":\"x\",\"service\":\"s\",\"command\":\"C\"}]},{\"name\":\"x\",\"service\":\"s\",\"command\":\"C\"}]}",
     "/steps/2/name \"x\" is the name of step 3 too"},
    {"a second pivot in a group", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"g\",\"sequence\":[{\"name\":\"q\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true}]}]}",
     "/steps/1/sequence/0/pivot step 1 is the pivot already: there is one point of no return"},
    {"a case's condition refers to nothing", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"c\",\"switch\":[{\"when\":\"${input.a}\",\"steps\":[{\"name\":\"x\",\"service\":\"s\",\"command\":\"C\"}]},{\"when\":\"${steps.no.output}\",\"steps\":[{\"name\":\"y\",\"service\":\"s\",\"command\":\"C\"}]}],\"default\":[{\"name\":\"z\",\"service\":\"s\",\"command\":\"C\"}]}]}",
     "/steps/1/switch/1/when:3 no step is called \"no\""},
    {"a reference to a step of another case", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"c\",\"switch\":[{\"when\":\"${input.a}\",\"steps\":[{\"name\":\"x\",\"service\":\"s\",\"command\":\"C\"}]},{\"when\":\"${true}\",\"steps\":[{\"name\":\"y\",\"service\":\"s\",\"command\":\"C\",\"input\":\"${steps.x.output}\"}]}],\"default\":[{\"name\":\"z\",\"service\":\"s\",\"command\":\"C\"}]}]}",
     "/steps/1/switch/1/steps/0/input:3 steps.x is in another case of the same switch: never both"},
    {"from the default too, however deep", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"c\",\"switch\":[{\"when\":\"${input.a}\",\"steps\":[{\"name\":\"x\",\"service\":\"s\",\"command\":\"C\"}]},{\"when\":\"${true}\",\"steps\":[{\"name\":\"y\",\"service\":\"s\",\"command\":\"C\"}]}],\"default\":[{\"name\":\"g\",\"sequence\":[{\"name\":\"z\",\"service\":\"s\",\"command\":\"C\",\"input\":\"${steps.x.status == 'done'}\"}]}]}]}",
     "/steps/1/default/0/sequence/0/input:3 steps.x is in another case of the same switch: never both"},
    {"a reference within a case", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"c\",\"switch\":[{\"when\":\"${input.a}\",\"steps\":[{\"name\":\"x\",\"service\":\"s\",\"command\":\"C\"},{\"name\":\"w\",\"service\":\"s\",\"command\":\"C\",\"input\":\"${steps.x.output}\"}]},{\"when\":\"${true}\",\"steps\":[{\"name\":\"y\",\"service\":\"s\",\"command\":\"C\"}]}],\"default\":[{\"name\":\"z\",\"service\":\"s\",\"command\":\"C\"}]}]}",
     "fine"},
    {"a reference into a switch from behind it", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"c\",\"switch\":[{\"when\":\"${input.a}\",\"steps\":[{\"name\":\"x\",\"service\":\"s\",\"command\":\"C\"}]},{\"when\":\"${true}\",\"steps\":[{\"name\":\"y\",\"service\":\"s\",\"command\":\"C\"}]}],\"default\":[{\"name\":\"z\",\"service\":\"s\",\"command\":\"C\"}]},{\"name\":\"w\",\"service\":\"s\",\"command\":\"C\",\"input\":\"${steps.x.output.n + 1}\"}]}",
     "~/steps/2/input:3 step x may be skipped, then this is nil: write (steps.x.output... or <value>)"},
    {"a reference into a group that may be skipped", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"g\",\"when\":\"${input.a}\",\"sequence\":[{\"name\":\"x\",\"service\":\"s\",\"command\":\"C\"},{\"name\":\"y\",\"service\":\"s\",\"command\":\"C\",\"input\":\"${steps.x.output}\"}]},{\"name\":\"w\",\"service\":\"s\",\"command\":\"C\",\"input\":\"${steps.x.output.n + 1}\"}]}",
     "~/steps/2/input:3 step x may be skipped, then this is nil: write (steps.x.output... or <value>)"},
    {"a group has no output", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"g\",\"sequence\":[{\"name\":\"x\",\"service\":\"s\",\"command\":\"C\"}]},{\"name\":\"w\",\"service\":\"s\",\"command\":\"C\",\"input\":\"${steps.g.output}\"}]}",
     "/steps/2/input:3 g is a group: it has a status, the steps in it have outputs"},
    {"a group has a status", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"g\",\"sequence\":[{\"name\":\"x\",\"service\":\"s\",\"command\":\"C\"}]},{\"name\":\"w\",\"service\":\"s\",\"command\":\"C\",\"input\":\"${steps.g.status}\"}]}",
     "fine"},
    {"behind a pivot that may not be reached a step must be undone", "",
     "{\"steps\":[{\"name\":\"c\",\"switch\":[{\"when\":\"${input.a}\",\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true}]},{\"when\":\"${true}\",\"steps\":[{\"name\":\"y\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"}}]}],\"default\":[{\"name\":\"z\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"}}]},{\"name\":\"w\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"}},{\"name\":\"x\",\"service\":\"s\",\"command\":\"C\"}]}",
     "fine"},
    {"and is warned of if it cannot be", "",
     "{\"steps\":[{\"name\":\"c\",\"switch\":[{\"when\":\"${input.a}\",\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true}]},{\"when\":\"${true}\",\"steps\":[{\"name\":\"y\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"}}]}],\"default\":[{\"name\":\"z\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"}}]},{\"name\":\"x\",\"service\":\"s\",\"command\":\"C\"},{\"name\":\"v\",\"service\":\"s\",\"command\":\"C\"}]}",
     "~/steps/1 step x cannot be undone when a later step fails: give it a compensation"},
    {"the last step of a group is not the last of all", "",
     "{\"steps\":[{\"name\":\"g\",\"sequence\":[{\"name\":\"x\",\"service\":\"s\",\"command\":\"C\"}]},{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true}]}",
     "~/steps/0/sequence/0 step x cannot be undone when a later step fails: give it a compensation"},
    {"the last step of each case is", "",
     "{\"steps\":[{\"name\":\"c\",\"switch\":[{\"when\":\"${input.a}\",\"steps\":[{\"name\":\"x\",\"service\":\"s\",\"command\":\"C\"}]},{\"when\":\"${true}\",\"steps\":[{\"name\":\"y\",\"service\":\"s\",\"command\":\"C\"}]}],\"default\":[{\"name\":\"z\",\"service\":\"s\",\"command\":\"C\"}]}]}",
     "fine"},
    {"a sleep, a wait", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"n\",\"sleep\":\"5m\"},{\"name\":\"u\",\"when\":\"${input.x}\",\"sleep\":{\"until\":\"${input.at}\"}},{\"name\":\"w\",\"wait\":{\"signal\":\"go\",\"timeout\":\"never\"}},{\"name\":\"x\",\"wait\":{\"signal\":\"go\",\"timeout\":\"24h\",\"onTimeout\":\"fail\"}},{\"name\":\"y\",\"wait\":{\"signal\":\"go\",\"timeout\":\"24h\",\"onTimeout\":\"continue\"}},{\"name\":\"z\",\"wait\":{\"signal\":\"go\",\"timeout\":\"24h\",\"onTimeout\":{\"goto\":\"t\"}}},{\"name\":\"t\",\"sequence\":[{\"name\":\"d\",\"service\":\"s\",\"command\":\"C\"}]}]}",
     "fine"},
    {"a sleep of no time", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"n\",\"sleep\":\"0s\"}]}",
     "/steps/1/sleep a duration above zero expected"},
    {"a sleep until nothing", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"n\",\"sleep\":{}}]}",
     "/steps/1/sleep \"until\" is missing"},
    {"a sleep with a service", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"n\",\"sleep\":\"5m\",\"service\":\"s\"}]}",
     "/steps/1/service(key) unknown member \"service\""},
    {"a wait for nothing", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"w\",\"wait\":{\"timeout\":\"1s\"}}]}",
     "/steps/1/wait \"signal\" is missing"},
    {"a wait that does not say how long", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"w\",\"wait\":{\"signal\":\"go\"}}]}",
     "/steps/1/wait \"timeout\" is missing: how long, or \"never\""},
    {"a signal's name with a blank", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"w\",\"wait\":{\"signal\":\"go on\",\"timeout\":\"1s\"}}]}",
     "/steps/1/wait/signal a letter and then up to 63 letters, digits, '_' or '-' expected"},
    {"a word for the timeout that is none", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"w\",\"wait\":{\"signal\":\"go\",\"timeout\":\"1s\",\"onTimeout\":\"stop\"}}]}",
     "/steps/1/wait/onTimeout \"fail\", \"continue\" or {\"goto\": \"<a later sequence>\"} expected"},
    {"a goto to nowhere", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"w\",\"wait\":{\"signal\":\"go\",\"timeout\":\"1s\",\"onTimeout\":{\"goto\":\"t\"}}}]}",
     "/steps/1/wait/onTimeout/goto \"t\" is not the name of a later sequence of this list, or of one around it"},
    {"a goto back", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"t\",\"sequence\":[{\"name\":\"d\",\"service\":\"s\",\"command\":\"C\"}]},{\"name\":\"w\",\"wait\":{\"signal\":\"go\",\"timeout\":\"1s\",\"onTimeout\":{\"goto\":\"t\"}}}]}",
     "/steps/2/wait/onTimeout/goto \"t\" is not the name of a later sequence of this list, or of one around it"},
    {"a goto to a command", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"w\",\"wait\":{\"signal\":\"go\",\"timeout\":\"1s\",\"onTimeout\":{\"goto\":\"t\"}}},{\"name\":\"t\",\"service\":\"s\",\"command\":\"C\"}]}",
     "/steps/1/wait/onTimeout/goto \"t\" is not the name of a later sequence of this list, or of one around it"},
    {"a goto into a group", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"w\",\"wait\":{\"signal\":\"go\",\"timeout\":\"1s\",\"onTimeout\":{\"goto\":\"t\"}}},{\"name\":\"g\",\"sequence\":[{\"name\":\"t\",\"sequence\":[{\"name\":\"d\",\"service\":\"s\",\"command\":\"C\"}]}]}]}",
     "/steps/1/wait/onTimeout/goto \"t\" is not the name of a later sequence of this list, or of one around it"},
    {"a goto into another case", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"c\",\"switch\":[{\"when\":\"${input.a}\",\"steps\":[{\"name\":\"w\",\"wait\":{\"signal\":\"go\",\"timeout\":\"1s\",\"onTimeout\":{\"goto\":\"t\"}}}]}],\"default\":[{\"name\":\"t\",\"sequence\":[{\"name\":\"d\",\"service\":\"s\",\"command\":\"C\"}]}]}]}",
     "/steps/1/switch/0/steps/0/wait/onTimeout/goto \"t\" is not the name of a later sequence of this list, or of one around it"},
    {"a goto out of a case", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"c\",\"switch\":[{\"when\":\"${input.a}\",\"steps\":[{\"name\":\"w\",\"wait\":{\"signal\":\"go\",\"timeout\":\"1s\",\"onTimeout\":{\"goto\":\"t\"}}}]}]},{\"name\":\"t\",\"sequence\":[{\"name\":\"d\",\"service\":\"s\",\"command\":\"C\"}]}]}",
     "fine"},
    {"what a goto leads past may be skipped", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"w\",\"wait\":{\"signal\":\"go\",\"timeout\":\"1s\",\"onTimeout\":{\"goto\":\"t\"}}},{\"name\":\"b\",\"service\":\"s\",\"command\":\"C\"},{\"name\":\"t\",\"sequence\":[{\"name\":\"d\",\"service\":\"s\",\"command\":\"C\"}]},{\"name\":\"e\",\"service\":\"s\",\"command\":\"C\",\"input\":\"${steps.b.output.n + 1}\"}]}",
     "~/steps/4/input:3 step b may be skipped, then this is nil: write (steps.b.output... or <value>)"},
    {"but not on the way past it", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"w\",\"wait\":{\"signal\":\"go\",\"timeout\":\"1s\",\"onTimeout\":{\"goto\":\"t\"}}},{\"name\":\"b\",\"service\":\"s\",\"command\":\"C\"},{\"name\":\"c\",\"service\":\"s\",\"command\":\"C\",\"input\":\"${steps.b.output.n + 1}\"},{\"name\":\"t\",\"sequence\":[{\"name\":\"d\",\"service\":\"s\",\"command\":\"C\"}]}]}",
     "fine"},
    {"a wait that may end without a signal", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"w\",\"wait\":{\"signal\":\"go\",\"timeout\":\"1s\",\"onTimeout\":\"continue\"}},{\"name\":\"b\",\"service\":\"s\",\"command\":\"C\",\"input\":\"${steps.w.output.n + 1}\"}]}",
     "~/steps/2/input:3 step w may end without a signal, then this is nil: write (steps.w.output... or <value>)"},
    {"a wait that fails then has its payload", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"w\",\"wait\":{\"signal\":\"go\",\"timeout\":\"1s\"}},{\"name\":\"b\",\"service\":\"s\",\"command\":\"C\",\"input\":\"${steps.w.output.n + 1}\"}]}",
     "fine"},
    {"a sleep has no output", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"n\",\"sleep\":\"5m\"},{\"name\":\"b\",\"service\":\"s\",\"command\":\"C\",\"input\":\"${steps.n.output}\"}]}",
     "/steps/2/input:3 n is a sleep: it has no output"},
    {"a time until which is asked of nothing", "",
     "{\"steps\":[{\"name\":\"p\",\"service\":\"s\",\"command\":\"C\",\"pivot\":true},{\"name\":\"n\",\"sleep\":{\"until\":\"${steps.zz.output}\"}}]}",
     "/steps/1/sleep/until:3 no step is called \"zz\""},
    {"sleeps and waits take time", "",
     "{\"timeout\":\"9s\",\"steps\":[{\"name\":\"n\",\"sleep\":\"4s\"},{\"name\":\"w\",\"wait\":{\"signal\":\"go\",\"timeout\":\"6s\"}},{\"name\":\"x\",\"wait\":{\"signal\":\"go\",\"timeout\":\"never\"}}]}",
     "~/timeout the steps can take 10 s with all their attempts, the saga's timeout is 9 s: late attempts will be cut off"},
    {"of a switch the longest case counts", "",
     "{\"timeout\":\"60s\",\"defaults\":{\"retry\":{\"attempts\":1}},\"steps\":[{\"name\":\"c\",\"switch\":[{\"when\":\"${true}\",\"steps\":[{\"name\":\"x\",\"service\":\"s\",\"command\":\"C\"}]}],\"default\":[{\"name\":\"y\",\"service\":\"s\",\"command\":\"C\"}]}]}",
     "fine"},
    {"of a sequence the sum", "",
     "{\"timeout\":\"59s\",\"defaults\":{\"retry\":{\"attempts\":1}},\"steps\":[{\"name\":\"g\",\"sequence\":[{\"name\":\"x\",\"service\":\"s\",\"command\":\"C\",\"compensation\":{\"command\":\"U\"}},{\"name\":\"y\",\"service\":\"s\",\"command\":\"C\"}]}]}",
     "~/timeout the steps can take 60 s with all their attempts, the saga's timeout is 59 s: late attempts will be cut off"},
};

static json_t *place(json_t *doc, const char *where)
{
    json_t *at = where[0] == '\0' ? doc : json_array_get(json_object_get(doc, "steps"), (size_t)(where[0] - '0'));

    return strlen(where) > 1 ? json_object_get(at, where + 2) : at;
}

static void say_findings(struct buffer *out, const struct findings *findings)
{
    if (findings->len == 0)
        say(out, "fine");
    for (size_t i = 0; i < findings->len; i++) {
        const struct finding *finding = &findings->items[i];

        say(out, "%s%s%s%s", i == 0 ? "" : "; ", finding->level == FINDING_WARNING ? "~" : "", finding->pointer, finding->of_key ? "(key)" : "");
        if (finding->column_in_string > 0)
            say(out, ":%d", finding->column_in_string);
        say(out, " %s", finding->text);
    }
}

static struct expr_vm *vm;

/* NULL if it was refused; what was found is said. */
static struct definition *compiled(const json_t *doc, struct buffer *said)
{
    struct findings *findings = calloc(1, sizeof *findings);
    struct definition *definition = NULL;
    enum baton_err rc = BATON_OK;

    assert_non_null(findings);
    rc = definition_parse(doc, vm, findings, &definition);
    assert_int_equal(rc, findings->errors > 0 ? BATON_E_INVALID : BATON_OK);
    say_findings(said, findings);
    free(findings);
    return definition;
}

static void check_definition(void **state)
{
    const struct row *row = *state;
    json_t *doc = parse(base), *set = parse(row->set), *at = place(doc, row->where);
    struct buffer said = {0};

    for (void *member = json_object_iter(set); member != NULL; member = json_object_iter_next(set, member)) {
        if (json_is_null(json_object_iter_value(member)))
            (void)json_object_del(at, json_object_iter_key(member));
        else
            assert_int_equal(json_object_set(at, json_object_iter_key(member), json_object_iter_value(member)), 0);
    }
    definition_free(compiled(doc, &said));
    assert_text(row->set, &said, row->then);
    buffer_free(&said);
    json_decref(set);
    json_decref(doc);
}

/* --- what is no row --- */

static struct definition *right(const char *text)
{
    json_t *doc = parse(text);
    struct buffer said = {0};
    struct definition *definition = compiled(doc, &said);

    if (definition == NULL)
        fail_msg("%s", buffer_cstr(&said));
    buffer_free(&said);
    json_decref(doc);
    return definition;
}

static void what_is_left_out_has_a_default(void **state)
{
    struct definition *definition = right(base);
    const struct definition_step *step = &definition->steps[0];

    (void)state;
    assert_int_equal(definition->timeout_ms, 0);
    assert_int_equal(definition->pivot, 1);
    assert_int_equal(step->timeout_ms, 30000);
    assert_int_equal(step->retry.attempts, 3);
    assert_int_equal(step->retry.interval_ms, 500);
    assert_int_equal(step->compensation->retry.attempts, 10);
    assert_int_equal(step->compensation->timeout_ms, 30000);
    assert_string_equal(step->compensation->service, "s");
    definition_free(definition);
}

static void a_step_goes_over_the_defaults(void **state)
{
    struct definition *definition =
        right("{\"name\":\"d\",\"version\":1,\"defaults\":{\"timeout\":\"4s\",\"retry\":{\"attempts\":7,\"interval\":\"1s\",\"on\":[\"A\"]},"
              "\"compensation\":{\"retry\":{\"attempts\":9}}},\"steps\":["
              "{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\",\"retry\":{\"interval\":\"2s\"},\"compensation\":{\"command\":\"U\"}},"
              "{\"name\":\"b\",\"service\":\"s\",\"command\":\"B\",\"timeout\":\"5s\",\"retry\":{\"attempts\":\"unlimited\",\"maxDuration\":\"1h\",\"on\":[\"B\"]}}]}");
    const struct definition_step *a = &definition->steps[0], *b = &definition->steps[1];

    (void)state;
    assert_int_equal(a->timeout_ms, 4000);
    assert_int_equal(a->retry.attempts, 7);
    assert_int_equal(a->retry.interval_ms, 2000);
    assert_string_equal(a->retry.on[0], "A");
    assert_int_equal(a->compensation->timeout_ms, 4000);
    assert_int_equal(a->compensation->retry.attempts, 9);
    assert_int_equal(a->compensation->retry.interval_ms, 1000);
    assert_null(a->compensation->retry.on);
    assert_int_equal(b->timeout_ms, 5000);
    assert_int_equal(b->retry.attempts, RETRY_UNLIMITED);
    assert_int_equal(b->retry.max_duration_ms, 3600000);
    assert_string_equal(b->retry.on[0], "B");
    assert_null(b->retry.on[1]);
    definition_free(definition);
}

static void a_step_that_may_be_skipped_is_used_guarded(void **state)
{
    static const char text[] = "{\"name\":\"d\",\"version\":1,\"steps\":["
                               "{\"name\":\"a\",\"service\":\"s\",\"command\":\"A\",\"when\":\"${input.x}\",\"compensation\":{\"command\":\"U\"}},"
                               "{\"name\":\"b\",\"service\":\"s\",\"command\":\"B\",\"input\":[\"${steps.a.output.n + 1}\",\"${(steps.a.output.n or 0) + 1}\"]}]}";
    json_t *doc = parse(text);
    struct buffer said = {0};

    (void)state;
    definition_free(compiled(doc, &said));
    assert_text("findings", &said, "~/steps/1/input/0:3 step a may be skipped, then this is nil: write (steps.a.output... or <value>)");
    buffer_free(&said);
    json_decref(doc);
}

static json_t *many_steps(int n)
{
    json_t *doc = parse(base), *steps = json_object_get(doc, "steps");

    (void)json_array_clear(steps);
    for (int i = 0; i < n; i++) {
        char name[16];

        (void)snprintf(name, sizeof name, "s%d", i);
        assert_int_equal(json_array_append_new(steps, json_pack("{s:s, s:s, s:s}", "name", name, "service", "s", "command", "C")), 0);
    }
    return doc;
}

static void a_definition_has_256_steps(void **state)
{
    (void)state;
    for (int n = 256; n <= 257; n++) {
        json_t *doc = many_steps(n);
        struct buffer said = {0};
        struct definition *definition = compiled(doc, &said);

        assert_int_equal(definition != NULL, n == 256);
        definition_free(definition);
        buffer_free(&said);
        json_decref(doc);
    }
}

/* 99 warnings come first; whoever is refused must see why. */
static void an_error_is_found_among_any_number_of_warnings(void **state)
{
    json_t *doc = many_steps(100);
    struct buffer said = {0};

    (void)state;
    assert_int_equal(json_object_set_new(json_array_get(json_object_get(doc, "steps"), 98), "input", json_string("${steps.no.output}")), 0);
    assert_null(compiled(doc, &said));
    assert_non_null(strstr(buffer_cstr(&said), "; /steps/98/input:3 no step is called \"no\""));
    buffer_free(&said);
    json_decref(doc);
}

static void any_json_is_compiled_or_refused(void **state)
{
    static const char *const texts[] = {"null", "1", "\"x\"", "[]", "{}", "{\"steps\":[[]],\"defaults\":{\"retry\":[],\"compensation\":[]}}",
                                        "{\"steps\":[{\"retry\":{\"on\":[null]},\"compensation\":[],\"reply\":[],\"input\":\"${\"}]}"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        json_t *doc = parse(texts[i]);
        struct buffer said = {0};

        assert_null(compiled(doc, &said));
        buffer_free(&said);
        json_decref(doc);
    }
}

static void a_step_is_found_by_its_whole_name(void **state)
{
    struct definition *definition = right(base);

    (void)state;
    assert_int_equal(definition_step_index(definition, "p", 1), 1);
    assert_int_equal(definition_step_index(definition, "px", 1), 1);
    assert_int_equal(definition_step_index(definition, "px", 2), -1);
    assert_int_equal(definition_step_index(definition, "", 0), -1);
    definition_free(definition);
    definition_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_out_has_a_default),
        cmocka_unit_test(a_step_goes_over_the_defaults),
        cmocka_unit_test(a_step_that_may_be_skipped_is_used_guarded),
        cmocka_unit_test(a_definition_has_256_steps),
        cmocka_unit_test(an_error_is_found_among_any_number_of_warnings),
        cmocka_unit_test(any_json_is_compiled_or_refused),
        cmocka_unit_test(a_step_is_found_by_its_whole_name),
    };
    int failed = 0;

    vm = expr_vm_new();
    failed = RUN_ROWS(definition_rows, check_definition) + cmocka_run_group_tests(tests, NULL, NULL);
    expr_vm_free(vm);
    return failed;
}

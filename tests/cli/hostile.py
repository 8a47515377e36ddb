"""Hostile definitions: what an author may write, by mistake or by malice, and what becomes of it.

Owns:     the rows. REFUSED: what `validate` says, where and how. BOUNDED: what validates and then hurts no saga but its own.
Used by:  test_hostile.py (validate and try); tests/integration/test_hostile.py runs some of them beside other sagas."""
import json


def command(name="a", **more):
    return {"name": name, "service": "s", "command": "C", "compensation": {"command": "U"}, **more}


def definition(*steps, **more):
    return {"name": "hostile", "version": 1, "steps": list(steps), **more}


def text(document):
    return json.dumps(document, ensure_ascii=False)


def nested(levels, inner):
    for level in range(levels):
        inner = {"name": f"g{level}", "sequence": [inner]}
    return inner


def switch(cases, **more):
    return {"name": "w", "switch": cases, **more}


def switches(levels):
    """In the last of 32 cases the next one."""
    inner = [switches(levels - 1)] if levels > 1 else [command("last")]
    return {"name": f"w{levels}", "switch": [{"when": "${false}", "steps": [command(f"w{levels}c{i}")]} for i in range(31)] + [{"when": "${true}", "steps": inner}]}


def lua(body):
    """A function's body as an expression."""
    return "${(function() " + body + " end)()}"


def at(document, part, more=0):
    """(text, column of `part` in it): where an error must point."""
    whole = document if isinstance(document, str) else text(document)
    return whole, f"1:{whole.index(part) + 1 + more}"


def step(name, **more):
    return text(definition(command(name), **more))


# (sentence, (the file's text or bytes, "line:column"), what the error says)
REFUSED = [
    # --- the document ---
    ("no text at all", (b"", "1:1"), "empty, JSON expected"),
    ("a byte order mark", (b"\xef\xbb\xbf{}", "1:1"), "byte order mark"),
    ("invalid UTF-8 in a name", (b'{"name": "a\xff"}', "1:10"), "unable to decode byte 0xff"),
    ("half a character at the end", (b'{"name": "\xc3', "1:10"), "unable to decode byte 0xc3"),
    ("an overlong encoding of a slash", (b'{"name": "\xc0\xaf"}', "1:10"), "unable to decode byte 0xc0"),
    ("a surrogate without its half", (b'{"name": "\\ud800"}', "1:10"), "invalid Unicode"),
    ("a NUL character in a name", (b'{"name": "a\\u0000b"}', "1:10"), "\\u0000 is not allowed"),
    ("a NUL byte", (b'{"name":\0"a"}', "1:9"), "invalid token"),
    ("the same key twice", (b'{"name": "a", "name": "b"}', "1:15"), 'duplicate object key near \'"name"\''),
    ("the same key twice, once escaped", (b'{"name": "a", "n\\u0061me": "b"}', "1:15"), "duplicate object key"),
    ("nested a thousand deep", ("[" * 1000, "1:65"), "nested deeper than 64"),
    ("nested a thousand deep in a step's input", at(text(definition(command(input=None))).replace("null", "[" * 1000 + "]" * 1000), "[[[[", 61), "nested deeper than 64"),
    ("a hundred thousand empty values", ('{"steps":[' + "0," * 110000 + "0]}", "1:200006"), "more than 100000 values"),
    ("longer than a definition may be", (text(definition(command(description="x" * 262144))), None), "longer than 262144 bytes"),
    ("a number beyond 64 bits", at('{"version": 18446744073709551616}', "18446"), "too big integer"),
    ("a number beyond double", at('{"version": 1e999}', "1e999"), "real number overflow"),
    ("a number that JSON has not", at('{"version": NaN}', "NaN"), "invalid token"),
    ("no object", ("[]", "1:1"), "an object expected"),

    # --- numbers at their edges ---
    ("version zero", at(text({**definition(command()), "version": 0}), "0,"), "a whole number from 1 expected"),
    ("the version after the last", at(text({**definition(command()), "version": 2147483648}), "2147483648"), "a whole number from 1"),
    ("attempts beyond their limit", at(text(definition(command(retry={"attempts": 1001}))), "1001"), '1 to 1000 or "unlimited" expected'),
    ("a fraction of an attempt", at(text(definition(command(retry={"attempts": 1.0}))), "1.0"), '1 to 1000 or "unlimited" expected'),
    ("a backoff of next to nothing", at(text(definition(command(retry={"backoff": 0.9999}))), "0.9999"), "a number from 1 to 100 expected"),
    ("a duration of ten years and a day", at(text(definition(command(timeout="3651d"))), '"3651d"'), "at most 3650d"),
    ("a duration that overflows", at(text(definition(command(timeout="9223372036854775807d"))), '"9223'), "at most 3650d"),
    ("a negative duration", at(text(definition(command(timeout="-1s"))), '"-1s"'), "a duration like"),
    ("a duration of full-width digits", at(text(definition(command(timeout="１s"))), '"１s"'), "a duration like"),

    # --- names ---
    ("two steps of one name", (text(definition(command(), command())), "1:135"), '"a" is the name of step 1 too'),
    ("a group of a step's name", at(text(definition(command("a"), {"name": "a", "sequence": [command("b")]})), '"a", "sequence"'), '"a" is the name of step 1 too'),
    ("a step of the name of the group around it", at(text(definition({"name": "g", "sequence": [command("g")]})), '"g", "service"'), '"g" is the name of step 1 too'),
    ("one name in two cases of a switch",
     at(text(definition(switch([{"when": "${true}", "steps": [command("a")]}, {"when": "${true}", "steps": [command("a", description="2")]}]))), '"a", "service": "s", "command": "C", "compensation": {"command": "U"}, "description"'),
     "is the name of step 2 too"),
    ("a look-alike in Cyrillic", at(step("аpprove"), '"аpprove"'), "a letter and then up to 63 letters"),
    ("a name with a space of no width", at(step("a\u200bb"), '"a\u200bb"'), "a letter and then up to 63 letters"),
    ("a name that turns the text around", at(step("\u202etset"), '"\u202etset"'), "a letter and then up to 63 letters"),
    ("a name with a slash, like a message id", at(step("a/x"), '"a/x"'), "a letter and then up to 63 letters"),
    ("a name like an iteration's", at(step("a.1"), '"a.1"'), "a letter and then up to 63 letters"),
    ("a name like a stand-in's", at(step("a:fallback"), '"a:fallback"'), "a letter and then up to 63 letters"),
    ("a name like a table's hook", at(step("__index"), '"__index"'), "a letter and then up to 63 letters"),
    ("an empty name", at(step(""), '""'), "a letter and then up to 63 letters"),
    ("a name of 65 letters", at(step("a" * 65), '"aaaaa'), "a letter and then up to 63 letters"),
    ("a name with a control character", at(step("a\tb"), '"a\\tb"'), "a letter and then up to 63 letters"),
    ("a definition's name in upper case", at(text({**definition(command()), "name": "Order"}), '"Order"'), "of a-z, 0-9 and '-' expected"),
    ("a service that leaves its topic", at(text(definition(command(service="../x"))), '"../x"'), "letters, digits, '.', '_' and '-' expected"),
    ("a service called dot dot", at(text(definition(command(service=".."))), '".."'), "letters, digits, '.', '_' and '-' expected"),
    ("a command with a line break, for a header", at(text(definition(command(command="A\r\nx: y"))), '"A\\r'), "control characters cannot stand in a header"),
    ("a member of an object's inside", at(text({**definition(command()), "__proto__": {}}), '"__proto__"'), 'unknown member "__proto__"'),

    ("a saga that starts itself", at(text(definition({"name": "c", "saga": {"name": "hostile"}})), '"hostile"}}'), "itself"),
    ("a name that a parallel without one would get", at(text(definition({"parallel": [[command("a")]]}, command("parallel-1"))), '"parallel-1"'), "is the name of step 1 too"),

    # --- sizes ---
    ("257 steps", (text(definition(*[command(f"s{i}") for i in range(257)])), "1:44"), "a list of 1 to 256 steps expected"),
    ("257 steps in two groups", (text(definition({"name": "g", "sequence": [command(f"s{i}") for i in range(128)]},
                                                {"name": "h", "sequence": [command(f"t{i}") for i in range(128)]})), None), "at most 256 steps expected in all"),
    ("33 cases", at(text(definition(switch([{"when": "${true}", "steps": [command(f"s{i}")]} for i in range(33)]))), '[{"when"'), "1 to 32 cases expected"),
    ("groups nested ten deep", at(text(definition(nested(10, command()))), '[{"name": "g0"'), "groups are nested 8 deep at most"),
    ("a template nested 33 deep", at(text(definition(command(input=json.loads("[" * 34 + "]" * 34)))), "[[[", 33), "nested deeper than 32"),
    ("an expression of 5,000 bytes", at(text(definition(command(when="${" + "1+" * 2500 + "1}"))), '"${1+', 3), "an expression of 5001 bytes, the limit is 4096"),

    # --- expressions that do not compile ---
    ("parentheses two thousand deep", (text(definition(command(when="${" + "(" * 1900 + "1" + ")" * 1900 + "}"))), None), "nested too deep"),
    ("tables a thousand deep", (text(definition(command(input="${" + "{" * 1000 + "}" * 1000 + "}"))), None), "nested too deep"),
    ("functions two hundred deep", (text(definition(command(input="${" + "(function()" * 200 + "end)" * 200 + "}"))), None), "nested too deep"),
    ("three hundred locals", (text(definition(command(input=lua("local " + ",".join(f"a{i}" for i in range(300)) + " = 1")))), None), "too many local variables"),
    ("any number of arguments", at(text(definition(command(input="${(function(...) return ... end)(1)}"))), "...)", 0), "'...' cannot be used here"),
    ("io", at(text(definition(command(when="${io.read()}"))), "io.read"), "unknown name 'io'"),
    ("the globals' table", at(text(definition(command(when="${_G.x}"))), "_G"), "unknown name '_G'"),
    ("a goto out of the expression", (text(definition(command(when=lua("goto x")))), None), "no visible label 'x'"),
    ("more than one expression", at(text(definition(command(when="${1), (2}"))), "), (2"), "')' without its '('"),
    ("an unfinished text", at(text(definition(command(input="a ${'x} b"))), '"a $', 3), '"${" without its "}"'),

    # --- schemas ---
    ("a schema that is itself", at(text(definition(command(), input={"schema": {"$ref": "#"}})), '{"$ref"'), "a check would never end"),
    ("schemas that are each other", (text(definition(command(), input={"schema": {"$ref": "#/definitions/a", "definitions": {"a": {"$ref": "#/definitions/b"}, "b": {"$ref": "#/definitions/a"}}}})), None),
     "a check would never end"),
    ("a schema that is not here", at(text(definition(command(), input={"schema": {"$ref": "http://example.org/x"}})), '"http:'), "is outside of this document"),
    ("a backreference", at(text(definition(command(), input={"schema": {"pattern": "(a)\\1"}})), '"(a)'), "backreferences are not supported"),
    ("a lookahead", at(text(definition(command(), input={"schema": {"pattern": "(?=a)"}})), '"(?='), "pattern"),
    ("a pattern that repeats a repetition a million times", at(text(definition(command(), input={"schema": {"pattern": "((a{1000}){1000}){1000}"}})), '"((a'), "pattern"),
    ("groups a thousand deep in a pattern", (text(definition(command(), input={"schema": {"pattern": "(" * 1000 + "a" + ")" * 1000}})), None), "pattern"),
]

FAILS = "${nil + 1}"
NIL = "attempt to perform arithmetic on a nil value"
BUDGET, MEMORY, LARGE = "more than 200000 instructions", "more memory than 8388608 bytes", "larger or deeper than a message may be"
LONG = "local s = ('x'):rep(250000) "
ANY, MUTE = {"a": [{"body": {}}]}, {"a": [{"outcome": "timeout"}]}
LEVELS = {f"l{i}": {"allOf": [{"$ref": f"#/definitions/l{i + 1}"}] * 2} for i in range(40)}


def fed(expression, **more):
    """The step that fails stands second: the first must be undone."""
    return definition(command("first"), command(input=expression, **more))


# (sentence, the definition, the start's input, its end, what is said there[, replies])
BOUNDED = [
    # --- time ---
    ("an endless loop", fed(lua("while true do end")), {}, "compensated", BUDGET),
    ("an endless loop that makes garbage", fed(lua("while true do local t = {1, 2, 3} end")), {}, "compensated", BUDGET),
    ("an endless tail call", fed("${(function(f) return f(f) end)(function(f) return f(f) end)}"), {}, "compensated", BUDGET),
    ("an endless recursion", fed("${(function(f) return 1 + f(f) end)(function(f) return 1 + f(f) end)}"), {}, "compensated", "calls within calls deeper than 200"),
    ("an iterator that never ends", fed(lua("for _ in function() return 1 end do end")), {}, "compensated", BUDGET),
    ("a loop of 64 bits", fed(lua("for i = math.mininteger, math.maxinteger do end")), {}, "compensated", BUDGET),
    ("a text of nothing, repeated for ever", fed("${(''):rep(1 << 60)}"), {}, "compensated", BUDGET),
    ("long texts compared for ever", fed(lua(LONG + "local a, b = s .. 1, s .. 2 while true do local c = a < b end")), {}, "compensated", BUDGET),
    ("a long key looked up for ever", fed(lua(LONG + "while true do local v = input[s] end")), {}, "compensated", BUDGET),
    ("a long text searched for ever", fed(lua(LONG + "while true do local v = s:find('xy') end")), {}, "compensated", BUDGET),
    ("a long number read for ever", fed(lua("local s = ('9'):rep(250000) while true do local v = tonumber(s) end")), {}, "compensated", BUDGET),
    ("a list sorted for ever", fed(lua("local t = {} for i = 1, 5000 do t[i] = -i end while true do table.sort(t) end")), {}, "compensated", BUDGET),
    ("a list sorted by an order that is none", fed(lua("local t = {} for i = 1, 3000 do t[i] = i end table.sort(t, function() return true end) return #t")), {}, "completed", None),
    ("values unpacked for ever", fed(lua("while true do local n = select('#', table.unpack({}, 1, 10000)) end")), {}, "compensated", BUDGET),
    ("values handed up through calls", fed(lua("local function f(n) if n == 0 then return table.unpack({}, 1, 80000) end return 1, f(n - 1) end return f(12000)")), {}, "compensated",
     "calls within calls deeper than 200"),
    ("the input compared for ever", fed(lua("while true do local c = input.list == input.other end")), {"list": [0] * 5000, "other": [0] * 5000}, "compensated", BUDGET),
    ("a pattern: there are none", fed("${('x'):rep(30):find('(x+x+)+y', 1)}"), {}, "completed", None),
    ("a gsub bomb", fed("${('x'):rep(30):gsub('.-.-.-.-y', '%1')}"), {}, "compensated", "attempt to call a nil value (method 'gsub')"),
    ("a thousand expressions that each spend what one may", fed([lua("for i = 1, 90000 do end")] * 1000), {}, "compensated", "the expressions of one event have spent more than 5000000 instructions"),
    # --- memory ---
    ("a text of a gigabyte", fed("${('x'):rep(1 << 30)}"), {}, "compensated", BUDGET),
    ("a text of a megabyte", fed("${('x'):rep(1 << 20)}"), {}, "compensated", MEMORY),
    ("a text that doubles", fed(lua("local s = 'x' while true do s = s .. s end")), {}, "compensated", MEMORY),
    ("a text of a list, joined again and again", fed(lua("local t = {} for i = 1, 1 << 40 do t[i] = table.concat(t) .. 'x' end")), {}, "compensated", MEMORY),
    ("a table that grows", fed(lua("local t = {} for i = 1, 1 << 40 do t[i] = {i} end")), {}, "compensated", "more "),
    ("a table that is full of long texts", fed(lua("local t, s = {}, ('x'):rep(4000) for i = 1, 9000 do t[i] = s .. i end")), {}, "compensated", MEMORY),
    ("one text a thousand times in the result", fed(lua(LONG + "local t = {} for i = 1, 1000 do t[i] = s end return t")), {}, "compensated", LARGE),
    ("the input a thousand times in the result", fed(lua("local t = {} for i = 1, 1000 do t[i] = input end return t")), {"text": "x" * 100000}, "compensated", LARGE),
    ("a result that doubles forty times", fed(lua("local t = {} for _ = 1, 40 do t = {t, t} end return t")), {}, "compensated", BUDGET),
    ("a result within itself", fed(lua("local t = {} t.t = t return t")), {}, "compensated", "nested deeper than 64"),
    ("a template that doubles the input twenty times", fed(["${input.text}"] * 20), {"text": "x" * 400000}, "compensated", LARGE),
    ("a template of texts around the input, five thousand of them", fed(["<${input.text}>"] * 5000), {"text": "x" * 400000}, "compensated", LARGE),
    ("a template of texts, each of what an expression may give", fed([lua(LONG + "return s")] * 40), {}, "compensated", LARGE),
    # --- what is not ---
    ("the clock", fed("${os.time()}"), {}, "refused", "unknown name 'os'"),
    ("a way out through a text's metatable", fed("${(('').x or {}).y}"), {}, "completed", None),
    ("a library changed for whoever comes after", fed(lua("string.upper = error")), {}, "compensated", "cannot be changed"),
    ("an error that is no text", fed("${error({})}"), {}, "compensated", "an error that is not a text"),
    ("an error of two thousand characters", fed("${error(('é'):rep(2000))}"), {}, "compensated", "éééé"),
    ("an error that talks to the terminal", fed("${error('\\27[2J')}"), {}, "compensated", "EXPRESSION"),
    # --- what JSON cannot hold ---
    ("infinity", fed("${1 / 0}"), {}, "compensated", "not a number that JSON can hold"),
    ("no number", fed("${0 / 0}"), {}, "compensated", "not a number that JSON can hold"),
    ("the least integer divided by minus one", fed("${math.mininteger // -1}"), {}, "completed", None),
    ("a function", fed("${error}"), {}, "compensated", "is not a value that JSON can hold"),
    ("half a character", fed("${('é'):sub(1, 1)}"), {}, "compensated", "not valid UTF-8"),
    ("a surrogate", fed("${utf8.char(0xD800)}"), {}, "compensated", "not valid UTF-8"),
    ("a NUL character", fed("${'\\0'}"), {}, "compensated", "not valid UTF-8"),
    # --- an expression that fails, wherever one may stand ---
    ("in a step's when", definition(command("first"), command(when=FAILS)), {}, "compensated", NIL),
    ("in a group's when", definition(command("first"), {"name": "g", "when": FAILS, "sequence": [command()]}), {}, "compensated", NIL),
    ("in a case", definition(command("first"), switch([{"when": FAILS, "steps": [command()]}], default=[command("b")])), {}, "compensated", NIL),
    ("in the second case", definition(command("first"), switch([{"when": "${false}", "steps": [command()]}, {"when": FAILS, "steps": [command("b")]}])), {}, "compensated", NIL),
    ("in a sleep's until", definition(command("first"), {"name": "n", "sleep": {"until": FAILS}}), {}, "compensated", NIL),
    ("in an input", fed({"deep": [0, {"x": FAILS}]}), {}, "compensated", NIL),
    ("in the middle of a text", fed("a ${'b'} ${nil + 1}"), {}, "compensated", NIL),
    ("in a step's output", definition(command("first"), command(output={"x": FAILS}), command("b")), {}, "compensated", NIL),
    ("in reply.success", definition(command("first"), command(reply={"success": FAILS})), {}, "compensated", NIL, ANY),
    ("in reply.retry", definition(command("first"), command(reply={"retry": FAILS})), {}, "compensated", NIL, ANY),
    ("in reply.output", definition(command("first"), command(reply={"success": "${true}", "output": FAILS})), {}, "compensated", NIL, ANY),
    ("in reply.code", definition(command("first"), command(reply={"success": "${false}", "code": FAILS})), {}, "compensated", None, ANY),
    ("in a fallback's value", definition(command("first"), command(retry={"attempts": 1}, fallback={"output": [FAILS]})), {}, "compensated", NIL, MUTE),
    ("in a fallback's input", definition(command("first"), command(retry={"attempts": 1}, fallback={"service": "s", "command": "C", "input": FAILS})), {}, "compensated", NIL, MUTE),
    ("in repeat.until", definition(command("first"), command(repeat={"until": FAILS, "interval": "1s", "limit": 2})), {}, "compensated", NIL),
    ("in one of two branches", definition(command("first"), {"parallel": [[command(input=FAILS)], [command("b")]]}), {}, "compensated", NIL),
    ("in a child's input", definition(command("first"), {"name": "c", "saga": {"name": "other", "input": {"x": FAILS}}}), {}, "compensated", NIL),
    ("in a compensation's input", definition(command("first", compensation={"command": "U", "input": FAILS}), command(when=FAILS)), {}, "parked", NIL),
    ("in the saga's output", definition(command("first"), output=FAILS), {}, "completed", NIL),
    ("behind the pivot", definition(command("first", pivot=True), {"name": "a", "service": "s", "command": "C", "input": FAILS}), {}, "parked", NIL),
    ("in the pivot's output", definition(command("first", pivot=True, output=FAILS)), {}, "parked", NIL),
    # --- names that mean something to somebody ---
    ("steps called like Lua's words", definition(command("end"), command("nil", input="${steps['end'].output}"), command("function", when="${steps['nil'].status == 'done'}")), {}, "completed", None),
    ("steps called like what expressions see", definition(*[command(name) for name in ("input", "steps", "saga", "item", "output", "error", "status")],
                                                          output={"x": "${steps.steps.output}", "y": "${steps.output.output}", "z": "${steps.status.status}"}), {}, "completed", None),
    ("steps called like JSON's and Python's insides", definition(*[command(name) for name in ("constructor", "prototype", "toString", "hasOwnProperty", "length", "null", "true", "NaN")]), {}, "completed", None),
    ("steps that differ in case alone", definition(command("pay"), command("Pay", input="${steps.pay.output}"), command("PAY", input="${steps.Pay.output}")), {}, "completed", None),
    ("steps called like a message id's parts", definition(command("x"), command("c", input="${steps.x.output}"), command("x-1"), command("x_1")), {}, "completed", None),
    ("members of the input called like hooks", fed({"a": "${input.__index}", "b": "${input['__proto__']}", "c": "${input.__gc or 'none'}"}), {"__index": 1, "__proto__": {"x": 1}, "__gc": None}, "completed", None),
    ("keys that differ in form alone", fed({"é": "${input.x}", "e\u0301": 2}), {}, "completed", None),
    # --- sizes ---
    ("256 steps", definition(*[command(f"s{i}", input="${steps.s%d.output}" % (i - 1) if i else {}) for i in range(256)]), {}, "completed", None),
    ("32 cases, the last one true", definition(switch([{"when": "${input.x == %d}" % i, "steps": [command(f"s{i}")]} for i in range(32)])), {"x": 31}, "completed", None),
    ("32 cases in each of seven switches, one in the other", definition(switches(7)), {}, "completed", None),
    ("groups nested eight deep", definition(nested(8, command())), {}, "completed", None),
    ("250 steps that are skipped in one go", definition(*[command(f"s{i}", when="${#saga.id < 0}") for i in range(256)]), {}, "completed", None),
    ("an input of 1 MB, handed on untouched", fed("${input}"), {"text": "x" * 1000000}, "completed", None),
    ("one text of 1 MB in Lua", fed("${#input.text}"), {"text": "x" * 1000000}, "compensated", MEMORY),
    ("the largest numbers", fed({"a": "${input.a}", "b": "${input.a + 0}", "c": "${input.b}"}), {"a": 9223372036854775807, "b": 1.7976931348623157e308}, "completed", None),
    # --- schemas ---
    ("a schema that doubles at each level", definition(command("first"), input={"schema": {"$ref": "#/definitions/l0", "definitions": {**LEVELS, "l40": {}}}}), {}, "refused input",
     "5000000 steps"),
    ("a pattern that blows up elsewhere", definition(command("first"), input={"schema": {"properties": {"x": {"pattern": "^(a+)+$"}}}}), {"x": "a" * 5000 + "b"}, "refused input", "does not match"),
    ("an enum of ten thousand", definition(command("first"), input={"schema": {"properties": {"x": {"enum": [f"v{i}" for i in range(10000)]}}}}), {"x": "none"}, "refused input", "/x: "),
]

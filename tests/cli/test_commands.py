"""What the binary says and answers without a broker: exit codes, help, bad command lines, bad definitions, a broker that is away."""
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import tempfile

BATON = sys.argv[1]
NOBODY = "127.0.0.1:1"  # a port that nothing listens on
failures = []
folder = tempfile.mkdtemp(prefix="baton-cli.")


def call(*arguments, stdin=b"", env=None):
    plain = {name: value for name, value in os.environ.items() if not name.startswith("BATON_")}
    done = subprocess.run([BATON, *arguments], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder,
                          env={**plain, **(env or {})}, timeout=100)
    return done.returncode, done.stdout.decode(), done.stderr.decode(errors="replace")


def check(what, call_made, code, out=(), err=()):
    """out, err: texts that must stand there; None: nothing may."""
    got = call_made
    wrong = [] if got[0] == code else [f"exit code {got[0]}, wanted {code}"]
    for name, text, wanted in (("stdout", got[1], out), ("stderr", got[2], err)):
        if wanted is None and text:
            wrong.append(f"{name} should be empty")
        for part in wanted or ():
            if part not in text:
                wrong.append(f"{name} lacks {part!r}")
    if "AddressSanitizer" in got[2] or "runtime error" in got[2]:
        wrong.append("a sanitizer speaks")
    if wrong:
        failures.append(what)
        print(f"FAILED: {what}: {'; '.join(wrong)}\n--- stdout\n{got[1]}--- stderr\n{got[2]}")
    return got


def write(name, text):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as out:
        out.write(text if isinstance(text, bytes) else text.encode())
    return name


# --- help and usage ---

HELP = check("help lists the commands on stdout", call("--help"), 0, out=["usage: baton COMMAND", "worker", "validate"], err=None)[1]
COMMANDS = [line.split()[0] for line in HELP.splitlines() if line.startswith("  ")]
if len(COMMANDS) < 11:
    failures.append("the help names the commands")
for command in COMMANDS:
    check(f"{command} --help", call(command, "--help"), 0, out=[f"usage: baton {command}", "-o text|json|jsonl"], err=None)
    check(f"{command} refuses an unknown option", call(command, "x", "--frobnicate"), 2, out=None, err=["--frobnicate", f"usage: baton {command}"])
    check(f"{command} refuses another form", call(command, "-o", "yaml"), 2, out=None, err=['-o "yaml"', "text, json or jsonl"])
check("without a command", call(), 2, out=None, err=["usage: baton COMMAND"])
check("an unknown command has the nearest name", call("statsu"), 2, out=None, err=['unknown command "statsu"; did you mean "status"?'])
for what, line, says in [
    ("an unknown option has the nearest name", ["start", "order", "--wiat"], '"--wiat"; did you mean "--wait"?'),
    ("an option of all commands too", ["status", "x", "--broker", "h:1"], 'did you mean "--brokers"?'),
    ("an option without its value", ["start", "order", "--id"], "--id needs a value"),
    ("an option given twice", ["start", "order", "--id", "a", "--id", "b"], "--id is given twice"),
    ("a switch with a value", ["worker", "--no-create=yes"], "--no-create takes no value"),
    ("an argument too few", ["status"], "ID is missing"),
    ("an argument too many", ["status", "a", "b"], '"b" is one argument too many'),
    ("-X without a value", ["config", "-X", "linger.ms"], '-X "linger.ms": PROPERTY=VALUE expected'),
    ("a configuration where none is read", ["validate", "x.json", "-c", "y.json"], "-c is of no use here"),
    ("a bad definition name", ["start", "Order"], '"Order" cannot be the name of a definition'),
    ("a bad saga id", ["start", "order", "--id", "a b"], '--id "a b"'),
    ("a bad time to wait", ["start", "order", "--wait=soon"], "--wait: a whole number expected"),
    ("a bad status", ["list", "--status", "done"], '--status "done"'),
    ("a bad limit", ["list", "--limit", "5x"], '--limit "5x"'),
    ("a limit of none", ["list", "--limit", "0"], '--limit "0"'),
    ("a bad type", ["list", "--type", "Order"], '--type "Order"'),
    ("something else with topics", ["topics", "delete"], 'only "ensure"'),
    ("a verb without a saga", ["cancel"], "ID is missing"),
    ("a verb without its step", ["skip", "o-1"], "ID STEP is missing"),
    ("a step where none belongs", ["pause", "o-1", "a"], '"a" is one argument too many'),
    ("done by hand without an output", ["complete", "o-1", "a"], "--output is missing"),
    ("a reason too long", ["cancel", "o-1", "--why", "x" * 257], "--why: at most 256 bytes"),
    ("nobody", ["cancel", "o-1", "--who", ""], "--who: 1 to 128 bytes"),
    ("a bad time for the answer", ["cancel", "o-1", "--timeout", "0"], '--timeout "0"'),
    ("--yes to nothing", ["cancel", "o-1", "--yes"], "--yes goes with --where"),
    ("a saga and a filter", ["cancel", "o-1", "--where", "type=order"], '"o-1" is one argument too many'),
    ("a bad service", ["topics", "ensure", "--service", "a/b"], '--service "a/b"'),
]:
    check(what, call(*line), 2, out=None, err=[says, f"usage: baton {line[0]}"])
check("after -- nothing is an option", call("status", "-b", NOBODY, "--", "--limit"), 5, out=None)
for line, code, says in [(["cancel", "a b"], 3, "is not a saga id"), (["cancel", "o-1", "-b", NOBODY], 5, ""),
                         (["retry", "o-1", "--input", "{"], 3, "--input: line 1"), (["skip", "o-1", "a", "--output", "@none.json"], 3, "none.json"),
                         (["cancel", "--where", "state=parked"], 3, '"state=parked"'), (["cancel", "--where", "older=soon"], 3, '"older=soon"')]:
    check(" ".join(line), call(*line), code, out=None, err=[says])
check("a saga id that is none", call("status", "a b"), 3, out=None, err=['"a b" is not a saga id'])

# --- version, config ---

check("version", call("version"), 0, out=["baton ", "librdkafka ", "jansson "], err=None)
for form in ("json", "jsonl"):
    if set(json.loads(check(f"version -o {form}", call("version", "-o", form), 0, err=None)[1])) != {"version", "librdkafka", "jansson"}:
        failures.append(f"version -o {form}")


def settings(*arguments, **keywords):
    code, out, err = check("config " + " ".join(arguments), call("config", "-o", "json", *arguments, **keywords), 0, err=None)
    return {row["path"]: (row["value"], row["origin"]) for row in json.loads(out)} if code == 0 else {}


def equal(what, got, wanted):
    if got != wanted:
        failures.append(what)
        print(f"FAILED: {what}: got {got!r}, wanted {wanted!r}")


write("baton.json", '{"kafka": {"bootstrap.servers": "file:1", "sasl.password": "s3cret"}, "redis": {"url": "redis://file"}, "topics": {"prefix": "file."}}')
VARIABLES = {"BATON_BROKERS": "env:1", "BATON_REDIS": "redis://env", "BATON_TOPIC_PREFIX": "env."}
rows = settings("-c", "baton.json")
equal("brokers of the file", rows["kafka.bootstrap.servers"], ("file:1", "baton.json"))
equal("a secret", rows["kafka.sasl.password"], ("********", "baton.json"))
rows = settings("-c", "baton.json", env=VARIABLES)
equal("brokers of the environment", rows["kafka.bootstrap.servers"], ("env:1", "environment BATON_BROKERS"))
equal("redis of the environment", rows["redis.url"], ("redis://env", "environment BATON_REDIS"))
equal("prefix of the environment", rows["topics.prefix"], ("env.", "environment BATON_TOPIC_PREFIX"))
equal("a variable set to nothing", settings("-c", "baton.json", env={"BATON_BROKERS": ""})["kafka.bootstrap.servers"], ("file:1", "baton.json"))
rows = settings("-c", "baton.json", "-b", "flag:1", "--redis=redis://flag", "-X", "linger.ms=7", "-X", "group.id=g", env=VARIABLES)
equal("brokers of the flag", rows["kafka.bootstrap.servers"], ("flag:1", "flag --brokers"))
equal("redis of the flag", rows["redis.url"], ("redis://flag", "flag --redis"))
equal("a property of -X", rows["kafka.linger.ms"], ("7", "flag -X"))
equal("the group of -X", rows["kafka.group.id"], ("g", "flag -X"))
equal("the file by the environment", settings(env={"BATON_CONFIG": "baton.json"})["redis.url"], ("redis://file", "baton.json"))
lines = [json.loads(line) for line in call("config", "-o", "jsonl")[1].splitlines()]
equal("config -o jsonl: a row a line", [set(line) for line in lines], [{"path", "value", "origin"}] * len(lines))
check("config in words", call("config", "-c", "baton.json"), 0, out=["kafka.sasl.password", "********", "redis://file", "baton.json"], err=None)
write("typo.json", '{"redis": {\n  "ulr": "redis://x"}}')
check("a wrong configuration", call("config", "-c", "typo.json"), 3, out=None, err=['typo.json:2:3: /redis/ulr', 'did you mean "redis.url"?'])
check("a missing configuration", call("list", "-c", "nowhere.json"), 3, out=None, err=['configuration "nowhere.json": No such file'])
check("a refused property", call("worker", "-X", "acks=1"), 3, out=None, err=['"acks" cannot be set: a record counts when'])
check("a url of no Redis", call("config", "--redis", "http://x"), 3, out=None, err=["redis.url must be redis://"])
check("a password file that is not there", call("config", "-c", write("pw.json", '{"redis": {"passwordFile": "/nowhere/pw"}}')), 3, out=None,
      err=['redis.passwordFile "/nowhere/pw"'])

# --- validate ---

STEP = {"name": "reserve", "service": "inventory", "command": "ReserveStock"}


def definition(*steps, **members):
    return json.dumps({"name": "order", "version": 1, "steps": list(steps) or [STEP], **members}, indent=1)


GOOD = write("good.json", definition())
check("a good definition", call("validate", GOOD), 0, out=["good.json: order version 1 is valid\n"], err=None)
check("on standard input", call("validate", "-", stdin=definition().encode()), 0, out=["<stdin>: order version 1 is valid"], err=None)
check("one with a warning is valid", call("validate", write("warned.json", definition(STEP, {**STEP, "name": "pay"}))), 0,
      out=["is valid, with warnings"], err=["warned.json:5:3: warning: step reserve cannot be undone"])
REFERENCE = '{"name":"order","version":1,"steps":[{"name":"a","service":"s","command":"C",\n  "input":{"x":"${%s}"}}]}'
for what, text, place, says, mark in [
    # shape
    ("a missing member", '{"version":1,"steps":[]}', "1:1", '"name" is missing', "^"),
    ("an unknown member", '{"name":"order","version":1,\n "stesp":[]}', "2:2", 'unknown member "stesp"; did you mean "steps"?', '"stesp"'),
    ("a wrong type", '{"name":"order","version":"1","steps":[]}', "1:27", "a whole number from 1 expected", '"1"'),
    ("a wrong duration", definition(timeout="5 minutes"), "11:13", "a duration like", '"5 minutes"'),
    ("no steps", '{"name":"order","version":1,"steps":[]}', "1:37", "a list of 1 to 256 steps expected", "[]"),
    ("not an object", "[1]", "1:1", "an object expected", "[1]"),
    # names
    ("a bad name", '{"name":"Order","version":1,"steps":[]}', "1:9", "a-z, 0-9 and '-' expected", '"Order"'),
    ("a bad step name", definition({**STEP, "name": "1st"}), "6:12", "a letter and then", '"1st"'),
    ("a name used twice", definition(STEP, STEP), "11:12", '"reserve" is the name of step 1 too', '"reserve"'),
    ("two pivots", definition({**STEP, "pivot": True}, {**STEP, "name": "b", "pivot": True}), "15:13", "step 1 is the pivot already", "true"),
    # references
    ("a step that does not exist", REFERENCE % "steps.b.output.id", "2:19", 'no step is called "b"', "steps.b"),
    ("a step by a wrong name", REFERENCE.replace('"a"', '"reserve"') % "steps.resreve.output", "2:19", 'did you mean "reserve"?', "steps.resreve"),
    ("a step before it runs", REFERENCE % "steps.a.output.id", "2:19", "steps.a is used before it runs", "steps.a"),
    ("a field that a step has not", definition(STEP, output="${steps.reserve.result}"), "11:15", 'not "result"', "steps.reserve"),
    # expressions
    ("Lua that does not compile", REFERENCE % "input.total >", "2:", "", ""),
    ("an unknown name", REFERENCE % "inptu.total", "2:19", "unknown name 'inptu'; did you mean 'input'?", "inptu"),
    ("an expression that does not close", REFERENCE.replace("}", "", 1) % "input.total", "2:17", '"${" without its "}"', "${input"),
    ("an expression after wide characters", REFERENCE.replace("${", "größe ${") % "inptu", "2:25", "unknown name 'inptu'", "inptu"),
    ("a when that is no expression", definition({**STEP, "when": "input.total"}), "9:13", 'an expression "${...}" expected', ""),
    # not JSON
    ("an empty file", "", "1:1", "empty, JSON expected", ""),
    ("not JSON", "name: order\n", "1:", "invalid token near 'name'", ""),
    ("an end too early", '{"name":"order",\n', "1:", "", ""),
    ("a comma too many", '{"name":"order",\n}', "2:1", "", "}"),
    ("a key given twice", '{"name":"order",\n"name":"order"}', "2:", "duplicate object key", ""),
    ("bytes that are no UTF-8", b'{"name":"\xff"}', "1:", "", ""),
    ("what a terminal would obey", '{"name":"\x1b[2J"}', "1:", "control character 0x1b", ""),
    ("a byte order mark", b"\xef\xbb\xbf{}", "1:1", "a byte order mark", ""),
]:
    name = write("bad.json", text)
    code, out, err = check(f"validate: {what}", call("validate", name), 3, out=None, err=[f"bad.json:{place}", ": error: ", says])
    if "\x1b" in err:
        failures.append(f"validate: {what}: an escape sequence reaches the terminal")
    # Under the finding: the line, and a caret below the very place.
    finding = next((i for i, line in enumerate(err.splitlines()) if line.startswith(f"bad.json:{place}") and says in line), None)
    if mark and finding is not None:
        source, caret = err.splitlines()[finding + 1:finding + 3]
        if not source[caret.index("^"):].startswith(mark if mark != "^" else ""):
            failures.append(what)
            print(f"FAILED: validate: {what}: the caret does not stand below {mark!r}:\n{err}")
    row = json.loads(call("validate", "-o", "json", name)[1])[0]
    found = [f for f in row["findings"] if f"{f['line']}:{f['column']}".startswith(place) and says in f["text"]]
    equal(f"validate -o json: {what}", (row["file"], row["valid"], len(found) > 0), ("bad.json", False, True))

check("several at once: all are looked at", call("validate", "bad.json", GOOD, "nowhere.json"), 3, out=["good.json: order version 1 is valid"],
      err=["bad.json:1:1: error", "nowhere.json: No such file"])
write("many/b.json", definition())
write("many/a.json", definition(name="another"))
write("many/readme.txt", "not a definition")
code, out, err = check("a directory: its *.json in order of name", call("validate", "many"), 0, err=None)
equal("files of a directory", out, "many/a.json: another version 1 is valid\nmany/b.json: order version 1 is valid\n")

# --- several together: a child saga with a pivot may refuse to be undone ---

AGAIN, LAST = {**STEP, "name": "again"}, {**STEP, "name": "last"}
for step in (AGAIN, LAST):
    step.pop("compensation", None)
HAS_A_PIVOT = "warning: final has a pivot or confirms what it tried: past that, it cannot be undone when a later step fails, and this saga parks"


def child(**more):
    return {"name": "child", "saga": {"name": "final"}, **more}


TRIED = {"name": "last", "service": LAST["service"], "tcc": {"try": {"command": "Hold"}, "confirm": {"command": "Take"}, "cancel": {"command": "Drop"}, "expires": "15m"}}


def together(what, steps, warned, version=1, pivot=True, alone=False, last=None):
    last = last or {**LAST, "pivot": pivot}
    files = [write("together/parent.json", definition(*steps, name="parent")), write("together/final.json", definition(last, name="final", version=version))]
    code, out, err = call("validate", *files[:1 if alone else 2])
    equal(f"children: {what}", (code, HAS_A_PIVOT in err), (0, warned))
    return err


said = together("one that may have to be undone", [child(), AGAIN], True).splitlines()
at = next(i for i, line in enumerate(said) if HAS_A_PIVOT in line)
equal("children: the caret is at its name", said[at + 2].index("^"), said[at + 1].index('"final"'))
together("its definition is not at hand", [child(), AGAIN], False, alone=True)
together("it has no pivot", [child(), AGAIN], False, pivot=False)
together("it has no pivot, and confirms what it tried", [child(), AGAIN], True, last=TRIED)
together("nothing comes after it", [child()], False)
together("it is the pivot itself", [child(pivot=True), AGAIN], False)
together("it comes after the pivot", [{**AGAIN, "pivot": True}, child(), LAST], False)
together("it is not awaited", [child(saga={"name": "final", "detached": True}), AGAIN], False)
together("another version of it has one", [child(saga={"name": "final", "version": 2}), AGAIN], False)
together("that version of it has one", [child(saga={"name": "final", "version": 2}), AGAIN], True, version=2)
together("its branch may lose, though the pivot is passed", [{**AGAIN, "pivot": True}, {"parallel": [[child()], [LAST]], "join": "any"}], True)

write("empty/readme.txt", "")
check("a directory without definitions", call("validate", "empty"), 3, out=None, err=["empty: no file in it ends in .json"])
check("a directory as a file", call("validate", "-c"), 2, out=None)
equal("validate -o jsonl", [json.loads(line)["valid"] for line in call("validate", "-o", "jsonl", GOOD, "bad.json")[1].splitlines()], [True, False])
check("a file beyond the limit", call("validate", write("huge.json", '"' + "x" * 300000 + '"')), 3, out=None, err=["huge.json: longer than 262144 bytes"])

# --- start: its input is checked before anything is sent ---

for what, given, says in [
    ("broken JSON", '{"a":', "--input: line 1"),
    ("no object", "[1]", "--input must be a JSON object"),
    ("a file that is not there", "@nowhere.json", "nowhere.json: No such file"),
    ("an integer beyond 64 bits", '{"a":18446744073709551616}', "--input: line 1"),
]:
    check(f"start: {what}", call("start", "order", "-b", NOBODY, "--input", given), 3, out=None, err=[says])
check("start: broken JSON on standard input", call("start", "order", "-b", NOBODY, "--input", "-", stdin=b"{"), 3, out=None, err=["--input: line 1"])

# --- broker away ---

AWAY = {"status": ["status", "o-1"], "history": ["history", "o-1"], "list": ["list"], "start": ["start", "order"], "deploy": ["deploy", GOOD],
        "definitions": ["definitions"], "topics": ["topics", "ensure"], "worker": ["worker", "--instance", "a", "--redis", "redis://127.0.0.1:1"]}
with concurrent.futures.ThreadPoolExecutor(len(AWAY)) as pool:  # each waits a while for the broker: all at once
    for what, done in [(what, pool.submit(call, *line, "-b", NOBODY)) for what, line in AWAY.items()]:
        check(f"{what}: the broker is away", done.result(), 5, err=[f"error: kafka at {NOBODY}: ", "is bootstrap.servers right"])
check("deploy checks before it connects", call("deploy", "-b", NOBODY, GOOD, "bad.json"), 3, err=["bad.json is not valid; nothing was published"])
check("deploy of what is no definition, on standard input", call("deploy", "-b", NOBODY, "-", stdin=b"{}"), 3, err=["<stdin>:1:1: error", "nothing was published"])

shutil.rmtree(folder)
if failures:
    sys.exit(f"{len(failures)} failed")

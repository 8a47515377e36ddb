"""The commands against a real Kafka and Redis: what they print in each form, which exit code tells what, how a worker begins and ends."""
import json
import os
import signal
import subprocess

from participants import Answer, done, refused
from stack import BATON, STACK_DIR, Baton, equal, said, spawn, stop, until

AWAY = "redis://127.0.0.1:1"
ORDER = {"name": "cmd-order", "version": 1, "defaults": {"timeout": "60s", "retry": {"attempts": 1}, "compensation": {"retry": {"attempts": 1}}},
         "steps": [
    {"name": "reserve", "service": "stock", "command": "Reserve", "input": {"items": "${input.items}"}, "compensation": {"command": "Release"}},
    {"name": "gift", "when": "${input.gift}", "service": "stock", "command": "Wrap", "compensation": {"command": "Unwrap"}},
    {"name": "settle", "service": "payments", "command": "Settle", "pivot": True}], "output": {"ref": "${steps.settle.output.ref}"}}
SMALL = {"name": "cmd-small", "version": 1, "steps": [{"name": "one", "service": "stock", "command": "One"}]}

os.environ["XDG_RUNTIME_DIR"] = os.path.join(STACK_DIR, f"run.{os.getpid()}")  # instance slots of our own
os.mkdir(os.environ["XDG_RUNTIME_DIR"])
baton = Baton("commands", definitions=[ORDER])
FOLDER = os.path.join(STACK_DIR, baton.prefix + "files")
os.mkdir(FOLDER)


def write(name, value):
    path = os.path.join(FOLDER, name)
    with open(path, "w") as out:
        out.write(value if isinstance(value, str) else json.dumps(value))
    return path


def call(what, code, *arguments, err="", stdin=None):
    """Runs a command; its exit code, and a part of what it must say on stderr. Returns stdout."""
    process = subprocess.run(baton.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             **({"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}))
    equal(f"{what}: exit code\n{process.stdout}{process.stderr}", process.returncode, code)
    if err not in process.stderr:
        raise SystemExit(f"FAILED: {what}: stderr lacks {err!r}:\n{process.stderr}")
    return process.stdout


def forms(what, *arguments):
    """The same rows as one array and as lines; and the text."""
    rows = json.loads(call(what, 0, *arguments, "-o", "json"))
    equal(f"{what} -o jsonl", [json.loads(line) for line in call(what, 0, *arguments, "-o", "jsonl").splitlines()], rows)
    text = call(what, 0, *arguments).splitlines()
    equal(f"{what}: lines of text", len(text), len(rows))
    return rows, text


def worker(*arguments):
    process = spawn(f"{baton.prefix}worker{len(baton.workers)}", baton.command("worker", *arguments))
    baton.workers.append(process)
    return process


# --- before anything is there ---

MISSING = "does not exist"
call("status without topics", 4, "status", "o-1", err=MISSING)
call("list without topics", 4, "list", err=MISSING)
call("start without topics", 4, "start", "cmd-order", err=MISSING)
call("definitions without topics", 4, "definitions", err='run "baton topics ensure"')
call("a worker that may not create topics", 4, "worker", "--no-create", err='run "baton topics ensure"')

# --- topics ---

created = int(call("topics", 0, "topics", "ensure").split()[0])
assert created > 8, created
equal("topics a second time", call("topics again", 0, "topics", "ensure"), "0 topics created\n")
equal("topics as data", json.loads(call("topics -o json", 0, "topics", "ensure", "--service", "a", "--service=b", "-o", "json")), {"created": 2})
equal("command topics a second time", json.loads(call("topics", 0, "topics", "ensure", "--service", "a", "-o", "jsonl")), {"created": 0})
with open(baton.config) as file:
    other = json.load(file)
other["topics"]["partitions"] = 5
OTHER = write("other.json", other)
for what in (["topics", "ensure"], ["worker"], ["definitions"]):
    process = subprocess.run([BATON, *what, "-c", OTHER], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    equal(f"{what} with another partition count", process.returncode, 6)
    assert "has 4 partitions, topics.partitions says 5" in process.stderr and "set topics.partitions to 4" in process.stderr, process.stderr

# --- deploy, definitions ---

small, order = write("small.json", SMALL), write("order.json", ORDER)
equal("deploy", call("deploy", 0, "deploy", small, order), "cmd-small@1 deployed\ncmd-order@1 deployed\n")
equal("deploy again", json.loads(call("deploy again", 0, "deploy", order, "-o", "json")), [{"definition": "cmd-order@1", "result": "unchanged"}])
changed = write("changed.json", {**SMALL, "timeout": "1m"})
equal("deploy of other content: what went before", call("conflict", 6, "deploy", order, changed, err="cmd-small"), "cmd-order@1 unchanged\n")
call("deploy of a child with a pivot", 0, "deploy", write("final.json", {**SMALL, "name": "cmd-final", "steps": [{**SMALL["steps"][0], "pivot": True}]}))
call("deploy of its parent: the child's definition is the one that is deployed", 0, "deploy", write("parent.json", {"name": "cmd-parent", "version": 1, "steps": [
    {"name": "k", "saga": {"name": "cmd-final"}}, {**SMALL["steps"][0], "name": "z"}]}), err="cmd-final has a pivot or confirms")
call("deploy of a bad file: nothing is published", 3, "deploy", write("next.json", {**SMALL, "version": 2}), write("bad.json", "{}"), err="bad.json:1:1: error")
rows, text = forms("definitions", "definitions")
equal("definitions", [(row["name"], row["version"], len(row["hash"])) for row in rows], [(f"cmd-{name}", 1, 64) for name in ("final", "order", "parent", "small")])
assert text[1].split()[:2] == ["cmd-order", "1"], text

# --- start: what is sent, what is said ---

first = worker()
baton.ready(first)
people = baton.participants()
INPUT = {"items": [{"sku": "a", "price": 19.99}], "gift": False}

equal("start", call("start", 0, "start", "cmd-order", "--id", "plain"), "plain\n")
equal("its input", baton.ends("plain", "completed")["input"], {})
equal("start as data", json.loads(call("start", 0, "start", "cmd-order", "--id", "data", "-o", "json")), {"id": "data", "definition": "cmd-order"})
for name, given, stdin in [("inline", json.dumps(INPUT), None), ("file", "@" + write("input.json", INPUT), None), ("pipe", "-", json.dumps(INPUT))]:
    call(f"start with input {name}", 0, "start", "cmd-order", "--id", name, "--input", given, "--wait", "60", stdin=stdin)
    equal(f"input {name}", baton.state(name)["input"], INPUT)
saga = call("start without an id", 0, "start", "cmd-order").strip()
equal("a made id", len(saga), 32)
baton.ends(saga, "completed")
call("broken input", 3, "start", "cmd-order", "--id", "broken", "--input", '{"a":', err="--input: line 1 column")
call("input that is no object", 3, "start", "cmd-order", "--id", "broken", "--input", "[]", err="must be a JSON object")
call("nothing of it was sent", 4, "status", "broken", err='no saga "broken"')

# --- start --wait: the exit code tells the end ---

people.script("no", "settle", refused("DECLINED"))
people.script("stuck", "settle", refused("DECLINED"))
people.script("stuck", "reserve", refused("NEVER"), action="compensate")
people.script("slow", "settle", done().with_(held="slow"))
out = call("completed", 0, "start", "cmd-order", "--id", "yes", "--input", json.dumps(INPUT), "--wait", "60", "-o", "json", err="started yes")
equal("a completed saga", {name: json.loads(out)[name] for name in ("id", "status", "output")}, {"id": "yes", "status": "completed", "output": {"ref": "r-1"}})
out = call("compensated", 10, "start", "cmd-order", "--id", "no", "--wait", "60")
assert "compensated" in out and "DECLINED" in out, out
out = call("parked", 11, "start", "cmd-order", "--id", "stuck", "--wait=60")
assert "parked: " in out and "compensation-failed" in out, out
equal("data of one that did not end", call("timed out", 7, "start", "cmd-order", "--id", "slow", "--wait", "0", "-o", "json", err="saga slow"), "")
call("a definition that nobody knows", 7, "start", "cmd-nobody", "--id", "nobody", "--wait", "1", err="has not begun within 1 s")
call("Redis away: nothing is sent", 5, "start", "cmd-order", "--id", "unsent", "--wait", "--redis", AWAY, err="redis at 127.0.0.1:1")
call("Redis away: status", 5, "status", "yes", "--redis", AWAY, err="redis at 127.0.0.1:1: Connection refused")
call("Redis away: list", 5, "list", "--redis", AWAY, err="redis at 127.0.0.1:1")
call("it was not sent", 4, "status", "unsent")

# --- status, history ---

doc = json.loads(call("status", 0, "status", "no", "-o", "json"))
for member in ("id", "definition", "version", "status", "seq", "input", "output", "steps", "parked", "error"):
    assert member in doc, f"status lacks {member}: {doc}"
equal("who and what", [doc[name] for name in ("id", "definition", "version", "status", "output", "parked")], ["no", "cmd-order", 1, "compensated", None, None])
equal("steps", {name: step["status"] for name, step in doc["steps"].items()}, {"reserve": "compensated", "gift": "skipped", "settle": "failed"})
for name, step in doc["steps"].items():
    assert {"status", "attempts", "output", "error"} <= set(step), f"step {name} lacks a member: {step}"
equal("a skipped step", [doc["steps"]["gift"][name] for name in ("attempts", "output", "error")], [0, None, None])
equal("a failed step", doc["steps"]["settle"]["error"]["code"], "DECLINED")
equal("status -o jsonl", json.loads(call("status", 0, "status", "no", "-o", "jsonl")), doc)
assert json.loads(call("status", 0, "status", "stuck", "-o", "json"))["parked"]["reason"]
call("a saga that is not there", 4, "status", "o-404", err='no saga "o-404"')
call("history of one that is not there", 4, "history", "o-404", err='no saga "o-404"')
rows, text = forms("history", "history", "no")
equal("history", [(row["what"], row["step"], row["attempt"]) for row in rows if row["what"] in ("sent", "undone", "refused", "ended")],
      [("sent", "reserve", 1), ("sent", "settle", 1), ("refused", "settle", 1), ("undone", "reserve", 1), ("ended", None, 0)])
assert all(row["at"].endswith("Z") and row["afterMs"] >= 0 for row in rows), rows
assert text[1].split()[-3:] == ["sent", "reserve", "#1"], text

# --- graph ---

svg = call("graph of what is deployed", 0, "graph", "cmd-order")
equal("it is what the file gives", call("graph of a file", 0, "graph", write("drawn.json", ORDER)), svg)
equal("a version by its number", call("graph NAME@VERSION", 0, "graph", "cmd-order@1"), svg)
for form, begins in (("svg", "<svg "), ("mermaid", "flowchart "), ("dot", "digraph ")):
    drawn = call(f"a run as {form}", 0, "graph", "cmd-order", "--saga", "no", "--format", form)
    assert drawn.startswith(begins) and "DECLINED" in drawn and "compensated" in drawn and "reserve" in drawn, drawn
call("graph of nothing", 4, "graph", "cmd-nothing", err="no definition cmd-nothing is deployed")
call("graph of no such version", 4, "graph", "cmd-order@2", err="version 2 of definition cmd-order is not deployed")
call("a run of no saga", 4, "graph", "cmd-order", "--saga", "o-404", err='no saga "o-404"')
call("a run over another definition", 6, "graph", write("small.json", SMALL), "--saga", "no", err="saga no is of cmd-order version 1")
call("graph of a wrong file", 3, "graph", write("wrong.json", {"name": "wrong"}), err='"version" is missing')
call("a form that is none", 2, "graph", "cmd-order", "--format", "png", err="svg, mermaid or dot expected")

# --- sensitive fields ---

call("deploy of secrets", 0, "deploy", write("secret.json", {"name": "cmd-secret", "version": 1, "sensitive": ["/card/number"], "steps": [
    {"name": "reserve", "service": "stock", "command": "Reserve", "input": {"card": "${input.card.number}"}, "compensation": {"command": "Release"}, "sensitive": ["/token"]},
    {"name": "settle", "service": "payments", "command": "Settle"}]}))
people.script("hush", "reserve", done({"token": "tok-9876"}))
people.script("hush", "settle", Answer({"code": "DECLINED", "message": "no 4111-1111 by tok-9876"}, [("saga-outcome", b"failure")]))
SECRET = {"card": {"number": "4111-1111", "name": "seen"}}
shown = [call("a start with secrets", 10, "start", "cmd-secret", "--id", "hush", "--input", json.dumps(SECRET), "--wait", "60"),
         *(call(f"{what} of secrets", 0, *what.split()) for what in ("status hush", "status hush -o json", "history hush", "graph cmd-secret --saga hush"))]
for text in shown:
    assert "4111-1111" not in text and "tok-9876" not in text, text
doc = json.loads(shown[2])
equal("the input, but for what is sensitive", doc["input"], {"card": {"number": "***", "name": "seen"}})
equal("an output, an error's message", (doc["steps"]["reserve"]["output"], doc["steps"]["settle"]["error"]["message"]), ({"token": "***"}, "no *** by ***"))
state = baton.state("hush")
equal("in Redis they are whole", (state["input"], state["steps"]["reserve"]["output"]), (SECRET, {"token": "tok-9876"}))
assert "4111-1111" not in open(first.log).read(), "the worker's log tells a secret"

# --- list ---

everything = {"hush", "plain", "data", "inline", "file", "pipe", saga, "yes", "no", "stuck", "slow"}
until(lambda: {row["id"] for row in json.loads(call("list", 0, "list", "-o", "json"))} == everything, "all sagas in the list")
rows, text = forms("list", "list")
equal("the last changed first", [row["updatedAt"] for row in rows], sorted((row["updatedAt"] for row in rows), reverse=True))
equal("its members", {name for row in rows for name in row}, {"id", "definition", "version", "status", "updatedAt"})
for arguments, wanted in [(["--status", "compensated"], {"no", "hush"}), (["--status", "parked"], {"stuck"}), (["--status=running"], {"slow"}),
                          (["--type", "cmd-order"], everything - {"hush"}), (["--type", "cmd-small"], set()), (["--type", "cmd-small", "--status", "parked"], set())]:
    equal(f"list {arguments}", {row["id"] for row in forms("list", "list", *arguments)[0]}, wanted)
equal("list --limit", [row["id"] for row in forms("list", "list", "--limit", "3")[0]], [row["id"] for row in rows[:3]])

# --- versions ---

call("deploy of a new version", 0, "deploy", write("newer.json", {**ORDER, "version": 2}))
call("a start of the newest", 0, "start", "cmd-order", "--id", "newest", "--wait", "60")
call("a start of a named version", 0, "start", "cmd-order", "--id", "older", "--version", "1", "--wait", "60")
equal("their versions", [baton.state(saga)["version"] for saga in ("newest", "older")], [2, 1])
call("a version that is none", 2, "start", "cmd-order", "--version", "0", err="a whole number from 1 expected")
call("a start of a version that is not there", 7, "start", "cmd-order", "--id", "ninth", "--version", "9", "--wait", "1", err="has not begun within 1 s")
equal("list --version", [row["id"] for row in forms("list", "list", "--type", "cmd-order", "--version", "2")[0]], ["newest"])
equal("list of a version and a status", [row["id"] for row in forms("list", "list", "--version", "1", "--status", "running")[0]], ["slow"])
rows, text = forms("definitions", "definitions")
counted = {(row["name"], row["version"]): (row["live"], row["sagas"]["completed"], row["sagas"]["compensated"], row["sagas"]["parked"]) for row in rows}
equal("sagas of each version", counted, {("cmd-final", 1): (0, 0, 0, 0), ("cmd-parent", 1): (0, 0, 0, 0), ("cmd-order", 1): (2, 8, 1, 1), ("cmd-order", 2): (0, 1, 0, 0), ("cmd-secret", 1): (0, 0, 1, 0), ("cmd-small", 1): (0, 0, 0, 0)})
assert text[1].split()[-2:] == ["2", "live"], text
rows = json.loads(call("definitions without Redis", 0, "definitions", "-o", "json", "--redis", AWAY, err="the sagas are not counted: redis at 127.0.0.1:1"))
equal("what is deployed without Redis", [(row["name"], row["version"], row["live"]) for row in rows],
      [("cmd-final", 1, None), ("cmd-order", 1, None), ("cmd-order", 2, None), ("cmd-parent", 1, None), ("cmd-secret", 1, None), ("cmd-small", 1, None)])
everything |= {"newest", "older"}

people.release("slow")
baton.ends("slow", "completed")

# --- workers: names, and their ends ---

second = worker()
until(lambda: said(second, " worker ") or second.poll() is not None, "a second worker's name")
names = [next(word for line in open(process.log) if " worker " in line for word in [line.split(" worker ")[1].split(",")[0]]) for process in (first, second)]
equal("slots of one host", [name.rsplit("-", 1)[1] for name in names], ["0", "1"])
assert names[0].rsplit("-", 1)[0] == names[1].rsplit("-", 1)[0], names
stop(second)
assert said(second, "stopping: finishing what is open") and said(second, "stopped: "), open(second.log).read()
third = worker("--instance", "named")
baton.ready(third)
assert said(third, " worker named,"), open(third.log).read()
third.send_signal(signal.SIGSTOP)  # both signals wait for it: the second one comes while it stops
third.send_signal(signal.SIGTERM)
third.send_signal(signal.SIGINT)
third.send_signal(signal.SIGCONT)
equal("exit code after a second signal", third.wait(60), 1)
assert said(third, "second signal: ending at once") and not said(third, "stopped: "), open(third.log).read()
baton.check(len(everything), compensated=2, parked=1, completed=10)

"""`baton try`: what a saga does with given answers, where a replies file is wrong, and that drawn answers always lead to an end."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

BATON = sys.argv[1]
folder = tempfile.mkdtemp(prefix="baton-try.")
failures = []

STEPS = [
    {"name": "reserve", "service": "inventory", "command": "Reserve", "compensation": {"command": "Release"}},
    {"name": "settle", "service": "payments", "command": "Settle", "input": {"of": "${steps.reserve.output.id}"},
     "compensation": {"service": "bank", "command": "Refund", "retry": {"attempts": 2}}},
    {"name": "ship", "when": "${input.ship}", "service": "shipping", "command": "Ship", "retry": {"attempts": 2},
     "reply": {"success": "${body.ok and headers.kind == 'A'}", "code": "${body.why}"}},
]
DEFINITION = {"name": "trial", "version": 1, "timeout": "10m", "defaults": {"timeout": "5s", "retry": {"attempts": 3, "interval": "1s", "jitter": 0}},
              "steps": STEPS, "output": "${steps.settle.output}"}
OK, NO, RETRY, PENDING, SILENT = ({"outcome": word} for word in ("success", "failure", "retry", "pending", "timeout"))


def write(name, value):
    with open(os.path.join(folder, name), "w") as file:
        file.write(value if isinstance(value, str) else json.dumps(value))
    return name


def call(*arguments):
    done = subprocess.run([BATON, "try", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder, timeout=60)
    if "Sanitizer" in done.stderr or "runtime error" in done.stderr:
        failures.append(arguments)
        print(f"FAILED: a sanitizer speaks: {done.stderr}")
    return done.returncode, done.stdout, done.stderr


def equal(what, got, wanted):
    if got != wanted:
        failures.append(what)
        print(f"FAILED: {what}: got {got!r}, wanted {wanted!r}")


def sentence(row):
    """A row of the timeline in a few words; commands and waiting left to the rows that ask for them."""
    name = row.get("step", "") + ("/c" if row.get("action") == "compensate" else "")
    if row["what"] == "answer":
        return f"{name} #{row['attempt']} {row['taken']}"
    if row["what"] in ("timeout", "undo-timeout"):
        return f"{row['what']} {name} #{row['attempt']}"
    if row["what"] == "ended":
        return row["status"]
    return f"{row['what']} {name}".strip()


# --- the timeline ---

write("definition.json", DEFINITION)
for what, given, replies, code, timeline in [
    ("without replies everything succeeds", {}, None, 0, "reserve #1 done, settle #1 done, skipped ship, completed"),
    ("a step without an entry succeeds", {}, {"settle": [OK]}, 0, "reserve #1 done, settle #1 done, skipped ship, completed"),
    ("a refusal turns back", {}, {"settle": [NO]}, 10, "reserve #1 done, settle #1 refused, compensating settle, reserve/c #1 undone, compensated"),
    ("a timeout is tried again", {}, {"reserve": [SILENT, OK]}, 0, "timeout reserve #1, reserve #2 done, settle #1 done, skipped ship, completed"),
    ("times repeats an answer", {}, {"reserve": [{**RETRY, "times": 2}, OK]}, 0,
     "reserve #1 transient, reserve #2 transient, reserve #3 done, settle #1 done, skipped ship, completed"),
    ("silence three times is given up and undone", {}, {"reserve": [{**SILENT, "times": 3}]}, 10,
     "timeout reserve #1, timeout reserve #2, timeout reserve #3, exhausted reserve, compensating reserve, reserve/c #1 undone, compensated"),
    ("pending is followed by the outcome", {}, {"reserve": [{**PENDING, "after": "4s"}, {**OK, "after": "4s"}]}, 0,
     "reserve #1 pending, reserve #1 done, settle #1 done, skipped ship, completed"),
    ("pending and then silence is a timeout", {}, {"reserve": [PENDING, SILENT, NO]}, 10,
     "reserve #1 pending, timeout reserve #1, reserve #2 refused, compensating reserve, compensated"),
    ("an answer after the timeout is late, and settles the step", {}, {"reserve": [{**OK, "after": "5500ms"}]}, 0,
     "timeout reserve #1, reserve #1 done, settle #1 done, skipped ship, completed"),
    ("a success of what is undone is late", {}, {"reserve": [SILENT, SILENT, {**OK, "after": "1m"}]}, 10,
     "timeout reserve #1, timeout reserve #2, timeout reserve #3, exhausted reserve, compensating reserve, reserve/c #1 undone, compensated, reserve #3 late"),
    ("a compensation that never succeeds parks", {"ship": True}, {"ship": [{"body": {"ok": False, "why": "FULL"}, "headers": {"kind": "A"}}], "settle/c": [NO, SILENT]}, 11,
     "reserve #1 done, settle #1 done, ship #1 refused, compensating ship, settle/c #1 undo-refused, undo-timeout settle #2, parked"),
    ("an answer without an outcome goes through the reply mapping", {"ship": True}, {"ship": [{"body": {"ok": True}, "headers": {"kind": "A"}}]}, 0,
     "reserve #1 done, settle #1 done, ship #1 done, completed"),
    ("so does its header", {"ship": True}, {"ship": [{"body": {"ok": True}, "headers": {"kind": "B"}}]}, 10,
     "reserve #1 done, settle #1 done, ship #1 refused, compensating ship, settle/c #1 undone, reserve/c #1 undone, compensated"),
    ("the saga's timeout passes", {}, {"reserve": [{**PENDING, "after": "4s", "times": 200}]}, 10, None),
]:
    arguments = ["definition.json", "--input", json.dumps(given)] + ([] if replies is None else ["--replies", write("replies.json", replies)])
    got, out, err = call(*arguments, "-o", "json")
    equal(f"{what}: exit code", got, code)
    report = json.loads(out)
    rows = [sentence(row) for row in report["timeline"] if row["what"] not in ("started", "sent", "waiting")]
    if timeline is not None:
        equal(what, ", ".join(rows), timeline)
        equal(f"{what}: no warning", err, "")
    else:
        equal(what, "deadline" in rows, True)
    lines = [json.loads(line) for line in call(*arguments, "-o", "jsonl")[1].splitlines()]
    equal(f"{what}: -o jsonl is the timeline", lines, report["timeline"])
    times = [row["afterMs"] for row in report["timeline"]]
    equal(f"{what}: time runs on", times, sorted(times))
    wide = [line for line in call(*arguments)[1].splitlines() if len(line) > 80 or "\033" in line]
    equal(f"{what}: 80 columns, no colour", wide, [])

report = json.loads(call("definition.json", "--id", "o-1", "-o", "json", "--replies",
                         write("replies.json", {"reserve": [{**SILENT}, {**OK, "body": {"id": 7}}], "settle": [{**NO, "code": "POOR", "message": "no money"}]}))[1])
rows = report["timeline"]
equal("a command with its input", [row for row in rows if row["what"] == "sent" and row["step"] == "settle"],
      [{"afterMs": 6010, "what": "sent", "step": "settle", "action": "execute", "attempt": 1, "service": "payments", "command": "Settle", "input": {"of": 7}, "dueMs": 11010}])
equal("what is waited for", [row for row in rows if row["what"] == "waiting"],
      [{"afterMs": 5000, "what": "waiting", "step": "reserve", "action": "execute", "attempt": 2, "dueMs": 6000}])
equal("the end", {key: report[key] for key in report if key not in ("timeline", "steps")},
      {"id": "o-1", "definition": "trial", "version": 1, "status": "compensated", "afterMs": 6030,
       "error": {"step": "settle", "code": "POOR", "message": "no money"}})
equal("each step's end", {name: (step["status"], step["attempts"], step["compensations"]) for name, step in report["steps"].items()},
      {"reserve": ("compensated", 2, 1), "settle": ("failed", 1, 0)})
equal("the saga's timeout is simulated", call("definition.json", "--replies", "replies.json")[0], 10)

# --- what is sensitive ---

write("secret.json", {**DEFINITION, "sensitive": ["/card", "/pin"], "output": {"is": "card ${input.card}, pin ${input.pin}", "ref": "${steps.settle.output.ref}"},
                      "steps": [{"name": "reserve", "service": "s", "command": "C", "input": {"card": "${input.card.number}", "of": "x${input.pin}"}, "compensation": {"command": "U"}},
                                {"name": "hear", "wait": {"signal": "word", "timeout": "1h"}, "sensitive": ["/word"]},
                                {"name": "settle", "service": "s", "command": "D", "input": {"w": "${steps.hear.output.word}"}, "sensitive": ["/ref"]}]})
SECRET = ["--input", '{"card": {"number": "4111-1111"}, "pin": 98765, "open": "seen-it"}', "--replies",
          write("replies.json", {"reserve": [{**OK, "body": {"was": "4111-1111"}}], "hear": [{**OK, "body": {"word": "sesame"}}],
                                 "settle": [{"outcome": "retry", "code": "T", "message": "card 4111-1111 is locked"}, {**OK, "body": {"ref": "ref-42"}}]})]
for form in ("text", "json", "jsonl"):
    code, out, err = call("secret.json", *SECRET, "-o", form)
    equal(f"{form}: its end", code, 0)
    for secret in ("4111-1111", "98765", "sesame", "ref-42"):
        equal(f"{form}: {secret} is not to be seen", secret in out + err, False)
    equal(f"{form}: what is not sensitive is", "seen-it" in out, True)
report = json.loads(call("secret.json", *SECRET, "-o", "json")[1])
equal("a sensitive object is masked whole", report["timeline"][0]["input"], {"card": "***", "pin": "***", "open": "seen-it"})
equal("a copy, and a part of a text", report["timeline"][1]["input"], {"card": "***", "of": "x***"})
equal("its output", report["output"]["ref"], "***")

# --- what is wrong ---

for what, text, place, says in [
    ("a step that there is not", '{"resreve": []}', "1:2", 'no step is called "resreve"; did you mean "reserve"?'),
    ("a compensation that there is not", '{\n "ship/c": []}', "2:2", "step ship has no compensation, and no answer of it names one"),
    ("a compensation by a wrong name", '{"setle/c": []}', "1:2", 'did you mean "settle/c"?'),
    ("an outcome that there is not", '{"reserve": [{"outcome": "sucess"}]}', "1:26", 'timeout expected; did you mean "success"?'),
    ("an outcome that is no text", '{"reserve": [{"outcome": 1}]}', "1:26", "success, failure, retry, pending or timeout expected"),
    ("no outcome and no body", '{"reserve": [{}]}', "1:14", '"outcome" is missing'),
    ("an unknown member", '{"reserve": [{"outcome": "failure", "cod": "X"}]}', "1:37", 'unknown member "cod"; did you mean "code"?'),
    ("a code of a success", '{"reserve": [{"outcome": "success", "code": "X"}]}', "1:37", '"code" has no meaning with outcome success'),
    ("a body of a silence", '{"reserve": [{"outcome": "timeout", "body": 1}]}', "1:37", '"body" has no meaning with outcome timeout'),
    ("a code beside a body", '{"reserve": [{"outcome": "failure", "code": "X", "body": {}}]}', "1:37", '"code" and "body" exclude each other'),
    ("a time that is none", '{"reserve": [{"outcome": "success", "after": "soon"}]}', "1:46", "a duration like"),
    ("times beyond the limit", '{"reserve": [{"outcome": "retry", "times": 1001}]}', "1:44", "1 to 1000 expected"),
    ("headers that are no texts", '{"reserve": [{"body": 1, "headers": {"a": 1}}]}', "1:37", "an object of texts expected"),
    ("a list that is none", '{"reserve": {"outcome": "success"}}', "1:13", "a list of answers expected"),
    ("an answer that is none", '{"reserve": ["success"]}', "1:14", "an answer like"),
    ("a file that is none", "[]", "1:1", "an object expected"),
    ("a file that is no JSON", '{"reserve": [}', "1:14", ""),
]:
    code, out, err = call("definition.json", "--replies", write("wrong.json", text))
    equal(f"{what}: exit code", code, 3)
    if f"wrong.json:{place}: error: " not in err or says not in err or "wrong.json is not valid" not in err or out:
        failures.append(what)
        print(f"FAILED: {what}: {err}{out}")
for what, arguments, code, says in [
    ("no replies file", ["definition.json", "--replies", "nowhere.json"], 3, "nowhere.json: No such file"),
    ("a definition that is none", [write("bad.json", {**DEFINITION, "stesp": []})], 3, 'bad.json:1:'),
    ("an input that is none", ["definition.json", "--input", "[1]"], 3, "--input must be a JSON object"),
    ("a seed without a draw", ["definition.json", "--seed", "1"], 2, "--seed is of use with --random only"),
    ("a seed that is none", ["definition.json", "--random", "--seed", "x"], 2, '--seed "x": a whole number expected'),
    ("an id that is none", ["definition.json", "--id", "a b"], 2, '--id "a b"'),
]:
    got, out, err = call(*arguments)
    equal(f"{what}: exit code", got, code)
    equal(f"{what}: {err}", says in err, True)

code, out, err = call("definition.json", "--replies", write("left.json", '{"reserve": [{"outcome": "success"}, {"outcome": "retry"}],\n "ship": [{"outcome": "retry", "times": 2}, {"outcome": "retry"}]}'))
equal("replies that were never used leave the exit code", code, 0)
equal("they are told with their place", [line for line in err.splitlines() if line.startswith("left.json")],
      ["left.json:1:38: warning: never used", "left.json:2:11: warning: never used, nor the 1 behind it"])
code, out, err = call("definition.json", "--replies", write("left.json", '{"settle": [{"outcome": "failure"}], "reserve/c": [{"outcome": "pending", "times": 2}, {"outcome": "success"}, {"outcome": "retry"}]}'))
equal("a reply of a compensation, too", (code, [line for line in err.splitlines() if line.startswith("left.json")]),
      (10, ["left.json:1:112: warning: never used"]))
code, out, err = call("definition.json", "--input", '{"ship": true}', "--replies", write("left.json", '{"ship": [{"outcome": "failure"}],\n "settle/c": [{"outcome": "retry", "times": 3}]}'))
equal("one that was used less often than said", (code, "left.json:2:15: warning: used 2 of 3 times" in err), (11, True))

# --- no end ---

ENDLESS = {**DEFINITION, "steps": [{"name": "pay", "service": "s", "command": "C", "pivot": True, "retry": {"attempts": "unlimited"}}]}
del ENDLESS["timeout"], ENDLESS["output"]
write("endless.json", ENDLESS)
code, out, err = call("endless.json", "--replies", write("silent.json", {"pay": [{**SILENT, "times": 1000}] * 10}))
equal("a run without an end is bounded", (code, "not at its end after 10000 events: it is running" in err), (1, True))

# --- drawn ---

ends = set()
for seed in range(60):
    got = call("definition.json", "--input", '{"ship": true}', "--random", "--seed", str(seed), "-o", "json")
    ends.add(got[0])
    report = json.loads(got[1])
    equal(f"seed {seed}: an end", (got[0], report["status"]) in ((0, "completed"), (10, "compensated"), (11, "parked")), True)
    equal(f"seed {seed} is printed", (f"seed {seed}\n" in got[2], report["seed"]), (True, seed))
    left = [name for name, step in report["steps"].items() if step["status"] in ("done", "unknown") and name != "ship"]
    equal(f"seed {seed}: compensated leaves nothing done", left if got[0] == 10 else [], [])
equal("a seed draws the same again", call("definition.json", "--random", "--seed", "3"), call("definition.json", "--random", "--seed", "3"))
equal("seeds lead to more than one end", len(ends) > 1, True)
equal("without a seed one is drawn and told", "seed " in call("definition.json", "--random")[2], True)

shutil.rmtree(folder)
if failures:
    sys.exit(f"{len(failures)} failed")

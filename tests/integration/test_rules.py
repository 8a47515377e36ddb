"""The rules of a saga, seen from its participants: attempts and their distance, silence, lateness, the way back, the pivot, parking.

One worker of three threads, six definitions at once; all scenarios wait at the same time."""
import json
import subprocess

from checker import header
from participants import SILENT, done, error, passing, pending, problem, refused, structured, thrown
from stack import Baton, equal, run_scenarios, said, scenario, until

RETRY = {"attempts": 4, "interval": "100ms", "backoff": 2.0, "maxInterval": "300ms", "jitter": 0.2}


def step(name, **more):
    return {"name": name, "service": f"{name}-service", "command": f"Do{name.title()}", "compensation": {"command": f"Undo{name.title()}"}, **more}


UNDO = {"command": "UndoA", "retry": {"attempts": 2, "interval": "50ms"}}
PATIENT = {"timeout": "60s", "retry": RETRY}
trip = {"name": "trip", "version": 1, "defaults": PATIENT, "steps": [step("a"), step("b")]}
hasty = {"name": "hasty", "version": 1, "defaults": {"timeout": "300ms", "retry": {"attempts": 2, "interval": "50ms"},
                                                    "compensation": {"timeout": "60s"}},
         "steps": [step("a", timeout="60s"), step("b")]}
stubborn = {"name": "stubborn", "version": 1, "defaults": {"timeout": "300ms", "retry": {"attempts": "unlimited", "interval": "50ms"}},
            "timeout": "10m", "steps": [step("a")]}
limited = {"name": "limited", "version": 1, "timeout": "3s", "defaults": PATIENT, "steps": [step("a"), step("b")]}
pivotal = {"name": "pivotal", "version": 1, "defaults": PATIENT,
           "steps": [step("a", compensation=UNDO), step("b", pivot=True), step("c", retry={"attempts": 3, "interval": "50ms"})]}
long = {"name": "long", "version": 1, "defaults": PATIENT,
        "steps": [step("a"), step("b", compensation={"service": "refunds", "command": "Refund", "input": {"ref": "${steps.b.output.ref}"}}),
                  step("c", when="${input.wanted}"), {"name": "d", "service": "d-service", "command": "Look"}, step("e"), step("f")]}

baton = Baton("rules", partitions=6, threads=3, definitions=[trip, hasty, stubborn, limited, pivotal, long])
worker = baton.worker("one")
baton.ready(worker)
people = baton.participants()


def distances(commands):
    return [after.at_ms - before.at_ms for before, after in zip(commands, commands[1:])]


def statuses(state):
    return {name: entry["status"] for name, entry in state["steps"].items()}


def kinds(state):
    return [entry[1] for entry in state["history"]]


@scenario("a passing fault is tried again, at growing distance, under one idempotency key")
def retries():
    people.script("retry", "a", passing(), passing(), passing(), done())
    baton.start("trip", "retry")
    yield
    baton.ends("retry", "completed")
    commands = people.seen("retry", "a")
    equal("attempts", [command.attempt for command in commands], [1, 2, 3, 4])
    equal("idempotency keys", {command.headers["idempotency-key"] for command in commands}, {b"retry/a/x"})
    for distance, least in zip(distances(commands), (80, 160, 240)):  # 100, 200, 300 ms less the jitter
        assert distance >= least, f"distances {distances(commands)}"


@scenario("retry-after-ms is waited for")
def retry_after():
    people.script("after", "a", passing(700), done())
    baton.start("trip", "after")
    yield
    baton.ends("after", "completed")
    assert distances(people.seen("after", "a"))[0] >= 700, distances(people.seen("after", "a"))


@scenario("attempts exhausted by passing faults: the step has failed, what was done before is undone")
def exhausted():
    people.script("spent", "b", error("BUSY", retryable=True))
    baton.start("trip", "spent")
    yield
    state = baton.ends("spent", "compensated")
    equal("steps", statuses(state), {"a": "compensated", "b": "failed"})
    equal("attempts, code", (state["steps"]["b"]["attempts"], state["error"]["code"]), (4, "BUSY"))
    equal("compensations of the failed step", people.seen("spent", "b", "compensate"), [])


@scenario("a step that never answers has an unknown outcome: it is undone too, last first")
def silence():
    people.script("mute", "b", SILENT)
    baton.start("hasty", "mute")
    yield
    state = baton.ends("mute", "compensated")
    equal("attempts, code", (state["steps"]["b"]["attempts"], state["error"]["code"]), (2, "TIMEOUT"))
    equal("undone", [command.step for command in people.seen("mute", action="compensate")], ["b", "a"])
    assert distances(people.seen("mute", "b", "execute"))[0] >= 300, "the second attempt came before the first one's time was up"


@scenario("the late answer of an earlier attempt settles the step")
def late_attempt():
    people.script("tardy", "a", done({"ref": "first"}).with_(held="tardy"), SILENT)
    baton.start("stubborn", "tardy")
    until(lambda: len(people.seen("tardy", "a")) >= 2, "the second attempt")
    people.release("tardy")
    yield
    state = baton.ends("tardy", "completed")
    equal("output", state["steps"]["a"]["output"], {"ref": "first"})
    assert state["steps"]["a"]["attempts"] >= 2


@scenario("a success that comes after the step was given up is undone, and the result stays the one that was told")
def late_success():
    people.script("ghost", "b", [passing(), done({"ref": "late"}).with_(held="ghost")], passing())
    baton.start("trip", "ghost")
    yield
    baton.ends("ghost", "compensated")
    equal("undone before the late success", [command.step for command in people.seen("ghost", action="compensate")], ["a"])
    people.release("ghost")
    until(lambda: people.seen("ghost", "b", "compensate"), "the late success undone")
    state = baton.reaches("ghost", lambda state: statuses(state)["b"] == "compensated", "b undone")
    equal("status", state["status"], "compensated")
    equal("what it is undone with", json.loads(people.seen("ghost", "b", "compensate")[0].value)["output"], {"ref": "late"})


@scenario("a late success of a step whose outcome was unknown is counted, and undone once")
def late_unknown():
    people.script("doubt", "b", done().with_(held="doubt"), SILENT)
    baton.start("hasty", "doubt")
    yield
    baton.ends("doubt", "compensated")
    people.release("doubt")
    state = baton.reaches("doubt", lambda state: state["late"] == 1, "the late answer counted")
    equal("undone", [command.step for command in people.seen("doubt", action="compensate")], ["b", "a"])
    equal("status", state["status"], "compensated")


@scenario("an answer that comes twice is counted once more, and changes nothing")
def double():
    people.script("twice", "a", [done({"ref": "one"}), done({"ref": "two"})])
    baton.start("trip", "twice")
    yield
    state = baton.reaches("twice", lambda state: state["status"] == "completed" and state["duplicates"] == 1, "completed, one duplicate")
    equal("output", state["steps"]["a"]["output"], {"ref": "one"})


@scenario("pending is no answer: the deadline starts anew")
def pends():
    people.script("slow", "a", [pending().with_(held="pending"), done().with_(held="done")])
    baton.start("trip", "slow")
    before = baton.reaches("slow", lambda state: state["steps"]["a"]["status"] == "running", "the command sent")
    until(lambda: people.holds("pending"), "the command at its participant")
    people.release("pending")
    after = baton.reaches("slow", lambda state: "pending" in kinds(state), "pending")
    equal("due, from the news on", after["steps"]["a"]["dueAt"] - after["updatedAt"], 60000)
    assert after["dueAt"] > before["dueAt"]
    people.release("done")
    yield
    equal("attempts", baton.ends("slow", "completed")["steps"]["a"]["attempts"], 1)


@scenario("the saga's timeout turns it back, the step under way included")
def deadline():
    people.script("overdue", "b", SILENT)
    baton.start("limited", "overdue")
    yield
    state = baton.ends("overdue", "compensated")
    equal("error", (state["error"]["step"], state["error"]["code"]), ("b", "DEADLINE"))
    equal("undone", [command.step for command in people.seen("overdue", action="compensate")], ["b", "a"])


ANSWERS = {  # how the second step answers, what becomes of the saga, the error's code
    "outcome-failure": (refused("SOLD_OUT"), "compensated", "SOLD_OUT"),
    "problem-json": (problem("LIMIT"), "compensated", "LIMIT"),
    "nest-error": (thrown("E_NEST"), "compensated", "E_NEST"),
    "error-body": (error("BAD_CARD"), "compensated", "BAD_CARD"),
    "structured": (structured({"ref": "s-1"}), "completed", None),
    "structured-error": (structured({"error": {"code": "CLOSED", "message": "no"}}), "compensated", "CLOSED"),
    "empty-body": (done().with_(value=b""), "completed", None),
    "causation-id": (lambda command: done().with_(correlated=False, headers=[("ce_causationid", command.id.encode())]), "completed", None),
}


@scenario("an answer may be told by header, problem+json, NestJS error, error body or structured CloudEvent")
def answer_forms():
    for saga, (answer, _, _) in ANSWERS.items():
        people.script(saga, "b", answer)
        baton.start("trip", saga)
    yield
    for saga, (_, status, code) in ANSWERS.items():
        state = baton.ends(saga, status)
        equal(f"error of {saga}", (state["error"] or {}).get("code"), code)
    equal("output of the structured one", baton.state("structured")["steps"]["b"]["output"], {"ref": "s-1"})


@scenario("the way back runs in reverse, past a skipped step and one that cannot be undone")
def reverse():
    people.script("back", "f", refused())
    people.script("back", "b", done({"ref": "b-7"}))
    baton.start("long", "back", {"wanted": False})
    yield
    state = baton.ends("back", "compensated")
    equal("steps", statuses(state), {"a": "compensated", "b": "compensated", "c": "skipped", "d": "done", "e": "compensated", "f": "failed"})
    undone = people.seen("back", action="compensate")
    equal("undone", [(command.step, command.type) for command in undone], [("e", "UndoE"), ("b", "Refund"), ("a", "UndoA")])
    equal("input as the definition says", json.loads(undone[1].value), {"ref": "b-7"})
    equal("input where it says nothing", json.loads(undone[2].value), {"input": {}, "output": {"ref": "r-1"}})


@scenario("past the pivot there is only the way forward: a refusal is tried again")
def forward_only():
    people.script("onward", "c", refused(), refused(), done())
    baton.start("pivotal", "onward")
    yield
    state = baton.ends("onward", "completed")
    equal("attempts", state["steps"]["c"]["attempts"], 3)
    equal("compensations", people.seen("onward", action="compensate"), [])


@scenario("the pivot itself refused: the way back")
def pivot_refused():
    people.script("turn", "b", refused())
    baton.start("pivotal", "turn")
    yield
    baton.ends("turn", "compensated")
    equal("undone", [command.step for command in people.seen("turn", action="compensate")], ["a"])


@scenario("past the pivot, attempts exhausted: parked with a reason, announced, exit code 11")
def parked():
    people.script("stuck", "c", refused("NEVER"))
    waiting = subprocess.Popen(baton.command("start", "pivotal", "--id", "stuck", "--wait", "60"), stdout=subprocess.DEVNULL)
    yield
    equal("exit code of start --wait", waiting.wait(70), 11)
    state = baton.state("stuck")
    assert "NEVER" in state["parked"]["reason"] and "pivot" in state["parked"]["reason"], state["parked"]
    equal("from, due", (state["parked"]["from"], state["dueAt"]), ("running", None))
    events = [record for record in baton.records("baton.events") if record.key == b"stuck"]
    equal("events", [header(record, "ce_type") for record in events], ["baton.saga.parked.v1"])
    equal("its reason", json.loads(events[0].value)["reason"], state["parked"]["reason"])
    equal("compensations", people.seen("stuck", action="compensate"), [])
    assert said(worker, "saga stuck is parked")


@scenario("a compensation whose budget is spent parks the saga; its late success lets it go on")
def undo_exhausted():
    people.script("hold", "b", refused())
    people.script("hold", "a", [passing(), done().with_(held="hold")], passing(), action="compensate")
    baton.start("pivotal", "hold")
    yield
    state = baton.reaches("hold", lambda state: state["status"] == "parked", "parked")
    equal("from", state["parked"]["from"], "compensating")
    assert "compensation of a" in state["parked"]["reason"], state["parked"]
    equal("attempts", [command.attempt for command in people.seen("hold", "a", "compensate")], [1, 2])
    people.release("hold")
    baton.ends("hold", "compensated")
    until(lambda: [header(record, "ce_type") for record in baton.records("baton.events") if record.key == b"hold"]
          == ["baton.saga.parked.v1", "baton.saga.resumed.v1"], "parked and resumed announced")


run_scenarios()
baton.check()

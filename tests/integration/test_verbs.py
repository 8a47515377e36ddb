"""An operator's verbs by the command line, on a real Kafka and Redis: what each does, when it is refused, and that it happens once.

Two workers; all scenarios wait at the same time; then the workers are killed while verbs come, and while a job goes on."""
import json
import random
import threading
import time

from checker import header
from participants import SILENT, done, refused
from stack import Baton, equal, run_scenarios, scenario, stop, until

SEED = time.time_ns()
print(f"seed {SEED}")
random.seed(SEED)


def step(name, **more):
    return {"name": name, "service": f"{name}-service", "command": f"Do{name.title()}", "compensation": {"command": f"Undo{name.title()}"}, **more}


ONCE = {"attempts": 1}
trip = {"name": "trip", "version": 1, "timeout": "1h", "defaults": {"timeout": "60s", "retry": {"attempts": 2, "interval": "100ms"}},
        "steps": [step("a"), step("b"), step("p", pivot=True), {"name": "z", "service": "z-service", "command": "DoZ", "retry": ONCE}]}
hasty = {"name": "hasty", "version": 1, "defaults": {"timeout": "1s", "retry": ONCE},
         "steps": [step("a", compensation={"command": "UndoA", "retry": ONCE}), step("b")]}

patient = {"name": "patient", "version": 1, "defaults": {"timeout": "60s"}, "steps": [
    step("a"), {"name": "approve", "wait": {"signal": "approved", "timeout": "never"}},
    {"name": "b", "service": "b-service", "command": "DoB", "input": {"by": "${steps.approve.output.by}"}}]}

baton = Baton("verbs", partitions=4, threads=2, definitions=[trip, hasty, patient])
workers = [baton.worker("one")]
baton.ready(workers[0])
people = baton.participants()


def verb(code, *arguments):
    """The answer of a verb, and its exit code."""
    got, out, err = baton.call(*arguments, "-o", "json", "--who", "ann", "--timeout", "60")
    equal(f"exit code of {arguments}: {out}{err}", got, code)
    return json.loads(out)


def begin(saga, kind="trip", sent="b"):
    baton.start(kind, saga)
    until(lambda: people.seen(saga, sent), f"{saga}: the command of {sent}")


def history(saga, what):
    code, out, err = baton.call("history", saga, "-o", "json")
    equal(f"history {saga}: {err}", code, 0)
    return [row for row in json.loads(out) if row["what"] == what]


@scenario("cancelled in mid-flight it turns back; the success that comes late changes nothing more")
def cancel_in_flight():
    people.script("o-cancel", "b", done().with_(held="cancel"))
    begin("o-cancel")
    yield
    answer = verb(0, "cancel", "o-cancel", "--why", "the customer called")
    equal("answer", (answer["outcome"], answer["status"], answer["reason"]), ("accepted", "compensating", None))
    people.release("cancel")
    state = baton.ends("o-cancel", "cancelled")
    equal("undone", [command.step for command in people.seen("o-cancel", action="compensate")], ["b", "a"])
    equal("error", (state["error"]["code"], state["error"]["message"]), ("CANCELLED", "cancelled by ann: the customer called"))
    equal("who", [(row["who"], row["why"]) for row in history("o-cancel", "cancel")], [("ann", "the customer called")])
    assert "cancel  by ann: the customer called" in baton.call("status", "o-cancel")[1]
    assert "has ended: cancelled" in verb(6, "cancel", "o-cancel")["reason"]


@scenario("past the pivot it is refused, and nothing changes")
def past_the_pivot():
    people.script("o-past", "z", done().with_(held="past"))
    begin("o-past", sent="z")
    yield
    seq = baton.state("o-past")["seq"]
    answer = verb(6, "cancel", "o-past")
    assert "past the pivot" in answer["reason"], answer
    equal("its state", (answer["seq"], answer["status"]), (seq, "running"))
    people.release("past")
    equal("history", history("o-past", "cancel"), [])
    baton.ends("o-past", "completed")


@scenario("terminated, nothing is compensated, and a late answer is counted")
def terminate():
    people.script("o-end", "b", done().with_(held="end"))
    begin("o-end")
    yield
    equal("answer", verb(0, "terminate", "o-end")["status"], "terminated")
    people.release("end")
    state = baton.reaches("o-end", lambda state: state["late"] == 1, "the late answer")
    equal("status", state["status"], "terminated")
    equal("compensations", people.seen("o-end", action="compensate"), [])


@scenario("parked, it is retried with another input, and goes on")
def retry_with_input():
    people.script("o-retry", "z", refused("ACCOUNT"), done())
    begin("o-retry", sent="z")
    yield
    assert "ACCOUNT" in baton.reaches("o-retry", lambda state: state["status"] == "parked", "parked")["parked"]["reason"]
    assert "it is parked on z" in verb(6, "retry", "o-retry", "a")["reason"]
    equal("answer", verb(0, "retry", "o-retry", "z", "--input", '{"account":"a-2"}')["status"], "running")
    baton.ends("o-retry", "completed")
    second = people.seen("o-retry", "z")[1]
    equal("the second attempt", (second.attempt, json.loads(second.value)), (2, {"account": "a-2"}))
    equal("its key", second.headers["idempotency-key"], people.seen("o-retry", "z")[0].headers["idempotency-key"])


@scenario("skipped, the saga goes on with an output of the operator's")
def skip():
    people.script("o-skip", "z", refused("NEVER"))
    begin("o-skip", sent="z")
    yield
    baton.reaches("o-skip", lambda state: state["status"] == "parked", "parked")
    equal("answer", verb(0, "skip", "o-skip", "z", "--output", '{"by":"hand"}')["status"], "completed")
    equal("step", {name: baton.ends("o-skip", "completed")["steps"]["z"][name] for name in ("status", "output")},
          {"status": "skipped", "output": {"by": "hand"}})


@scenario("completed by hand on the way forward, the step is undone like any other")
def complete():
    people.script("o-hand", "b", SILENT)
    people.script("o-hand", "p", refused("NO"))
    begin("o-hand")
    yield
    equal("answer", verb(0, "complete", "o-hand", "b", "--output", "7")["status"], "running")
    baton.ends("o-hand", "compensated")
    equal("undone", [command.step for command in people.seen("o-hand", action="compensate")], ["b", "a"])


@scenario("a compensation that nobody answers is completed by hand")
def complete_compensation():
    people.script("o-back", "b", refused("NO"))
    people.script("o-back", "a", SILENT, action="compensate")
    begin("o-back", "hasty")
    yield
    baton.reaches("o-back", lambda state: state["status"] == "parked", "parked")
    assert "turned back already" in verb(6, "compensate", "o-back")["reason"]
    equal("answer", verb(0, "complete", "o-back", "a", "--output", "null")["status"], "compensated")


@scenario("paused it is silent across a restart of its worker; resumed it goes on")
def pause():
    people.script("o-pause", "a", done().with_(held="pause"))
    begin("o-pause", sent="a")
    yield
    equal("answer", verb(0, "pause", "o-pause", "--why", "audit")["status"], "parked")
    equal("reason", baton.reaches("o-pause", lambda state: state["parked"], "paused")["parked"]["reason"], "paused by ann: audit")
    people.release("pause")
    baton.reaches("o-pause", lambda state: state["steps"]["a"]["status"] == "done", "the answer")
    stop(workers[0])
    workers[0] = baton.worker("one")
    baton.ready(workers[0])
    baton.start("hasty", "o-witness")
    baton.ends("o-witness", "completed")
    equal("commands of a paused saga", [command.id for command in people.seen("o-pause")], ["o-pause/a/x/1"])
    equal("answer", verb(0, "resume", "o-pause")["status"], "running")
    baton.ends("o-pause", "completed")


@scenario("a signal ends a wait, and its payload is what later steps see; without a wait it is refused")
def signal():
    begin("o-signal", "patient", "a")
    begin("o-early", "patient", "a")
    yield
    assert "no step of it waits" in verb(6, "signal", "o-signal", "rejected")["reason"]
    equal("answer", verb(0, "signal", "o-signal", "approved", "--data", '{"by":"ann"}')["verb"], "signal")
    baton.ends("o-signal", "completed")
    equal("the next step's input", json.loads(people.seen("o-signal", "b")[0].value), {"by": "ann"})
    baton.send("baton.control", '{"verb":"signal","name":"approved","data":{"by":"a program"}}', "o-early")
    baton.ends("o-early", "completed")


@scenario("what is not there is a dead letter, and exit code 4")
def nobody():
    yield
    assert "no such saga" in verb(4, "cancel", "o-404")["reason"]
    until(lambda: "unknown-saga" in [header(letter, "dlq-reason") for letter in baton.records("baton.dlq")], "the dead letter")


@scenario("a filter counts, and acts only when told to")
def where():
    for saga in ("w-1", "w-2", "w-3"):
        people.script(saga, "z", refused("NEVER"))
        begin(saga, sent="z")
    begin("w-other", "hasty", "a")
    yield
    for saga in ("w-1", "w-2", "w-3"):
        baton.reaches(saga, lambda state: state["status"] == "parked", "parked")
    code, out, err = baton.call("skip", "--where", "type=trip,status=parked,step=z", "z", "-o", "json")
    job = json.loads(out)
    equal("preview", (code, job["found"], sorted(row["id"] for row in job["sagas"])), (0, 3, ["w-1", "w-2", "w-3"]))
    equal("what would become of them", (job["accepted"], job["refused"], job["reasons"]), (3, 0, {}))
    code, out, err = baton.call("resume", "--where", "type=trip,status=parked,step=z")
    equal("a preview of what is refused", (code, {line.split()[0] for line in out.splitlines()}), (6, {"refused"}))
    assert err.splitlines()[0] == "3 sagas, of which 3 would be refused; nothing was asked of them" and err.splitlines()[1].split()[0] == "3", err
    equal("older than an hour", json.loads(baton.call("skip", "--where", "type=trip,status=parked,older=1h", "z", "-o", "json")[1])["found"], 0)
    job = verb(0, "skip", "--where", "type=trip,version=1,status=parked,step=z,service=z-service", "z", "--yes")
    equal("asked", sorted((row["id"], row["outcome"]) for row in job["sagas"]), [(saga, "accepted") for saga in ("w-1", "w-2", "w-3")])
    equal("counts", [job[name] for name in ("found", "accepted", "refused", "complete")], [3, 3, 0, True])
    for saga in ("w-1", "w-2", "w-3"):
        baton.ends(saga, "completed")


run_scenarios()


# --- kill -9 while verbs come: each is applied or refused once, answered once; the checker counts ---

COUNT = 200
workers.append(baton.worker("two"))
baton.ready(workers[1])
for number in range(COUNT):
    people.script(f"k-{number}", "b", SILENT)
    baton.start("trip", f"k-{number}")
until(lambda: all(people.seen(f"k-{number}", "b") for number in range(COUNT)), "200 sagas at b")
ASKED = ["cancel", "compensate", "terminate", "pause", "complete"]
for number in range(COUNT):
    asked = {"verb": ASKED[number % len(ASKED)], "who": "ann", **({"step": "b"} if number % len(ASKED) == 4 else {})}
    for again in range(2):  # the second time it is refused, or comes too late
        baton.send("baton.control", json.dumps(asked), f"k-{number}", [("ce_id", f"m-{number}-{again}"), ("kafka_replyTopic", baton.prefix + "baton.events")])
    if number in (40, 90, 140):
        victim = random.randrange(2)
        workers[victim].kill()
        workers[victim].wait()
        workers[victim] = baton.worker(("one", "two")[victim])
ENDS = ["cancelled", "compensated", "terminated", "parked", "completed"]
for number in range(COUNT):
    baton.ends(f"k-{number}", ENDS[number % len(ENDS)])

# --- kill -9 while a job goes from page to page: it is done by whoever is there, each saga asked once ---

for number in range(COUNT):
    people.script(f"j-{number}", "b", SILENT)
    baton.start("trip", f"j-{number}")
until(lambda: all(people.seen(f"j-{number}", "b") for number in range(COUNT)), "200 more sagas at b")
answers = []
job = threading.Thread(target=lambda: answers.append(baton.call("pause", "--where", "type=trip,step=b,status=running", "--who", "ann", "--why", "audit", "--yes",
                                                                "-o", "json", "--timeout", "120")))
job.start()
until(lambda: baton.state("j-0")["status"] == "parked", "the job has begun")
for victim in range(2):
    workers[victim].kill()
    workers[victim].wait()
    workers[victim] = baton.worker(("one", "two")[victim])
job.join()
code, out, err = answers[0]
equal(f"the job {out} {err}", code, 0)
equal("its counts", [json.loads(out)[name] for name in ("found", "accepted", "refused")], [COUNT, COUNT, 0])
for number in range(COUNT):
    baton.ends(f"j-{number}", "parked")
case = baton.check()
equal("jobs seen by the checker", sum(sum(found.accepted.values()) for found in case.jobs.values()), COUNT + 3)
outcomes = [outcome for outcome, _ in case.verbs.values()]
assert outcomes.count("accepted") >= COUNT and outcomes.count("refused") >= COUNT, outcomes

"""Running sagas go on by another version: as a job of the workers, journalled, rebuilt from the journal alone, finished by the new version."""
import json
import os
import signal

import checker
from participants import done
from stack import REDIS, Baton, equal, until


def step(name, **more):
    return {"name": name, "service": f"{name}-service", "command": f"Do{name.title()}", "compensation": {"command": f"Undo{name.title()}"}, **more}


def version(number, *steps):
    return {"name": "trip", "version": number, "defaults": {"timeout": "60s"}, "steps": list(steps)}


baton = Baton("migrate", partitions=3, definitions=[version(1, step("a"), step("b"), step("c")), version(2, step("a"), step("b", timeout="50s"), step("d", input={"by": "${saga.version}"})),
                                                    version(3, step("a"), step("c"))])
worker = baton.worker("one")
baton.ready(worker)
people = baton.participants()
AT_A, AT_B = [f"at-a-{i}" for i in range(4)], [f"at-b-{i}" for i in range(8)]


def migrate(code, *arguments):
    got, out, err = baton.call("migrate", "trip", *arguments, "-o", "json")
    equal(f"exit code of migrate {arguments}: {out}{err}", got, code)
    return json.loads(out) if out else err


def versions():
    return {saga: baton.state(saga)["version"] for saga in AT_A + AT_B}


for saga in AT_A:
    people.script(saga, "a", done().with_(held="a"))
for saga in AT_B:
    people.script(saga, "b", done().with_(held="b"))
for saga in AT_A + AT_B:
    baton.start("trip", saga, {}, [("saga-version", "1")])
for saga in AT_A + AT_B:
    until(lambda: people.seen(saga, "a" if saga in AT_A else "b"), f"{saga}: its command")
until(lambda: all(baton.state(saga) and "b" in baton.state(saga)["steps"] for saga in AT_B), "the view shows them")

# --- what would become of them ---

NOT_THERE = "step b is not there, and has been reached"
equal("a dry run", {row["id"]: row["outcome"] for row in migrate(0, "1", "2", "--dry-run")["sagas"]}, {saga: "accepted" for saga in AT_A + AT_B})
foreseen = migrate(6, "1", "3", "--dry-run")
equal("a dry run to where b is not", {row["id"]: row["reason"] for row in foreseen["sagas"]}, {**{saga: None for saga in AT_A}, **{saga: NOT_THERE for saga in AT_B}})
equal("its counts", (foreseen["preview"], foreseen["found"], foreseen["accepted"], foreseen["refused"], foreseen["reasons"]), (True, 12, 4, 8, {NOT_THERE: 8}))
equal("a dry run of some", {row["id"] for row in migrate(0, "1", "3", "--dry-run", "--where", "step=a")["sagas"]}, set(AT_A))
equal("nothing has moved", set(versions().values()), {1})
assert "version 9 of definition trip is not deployed" in migrate(4, "1", "9")
assert "type and version are said already" in migrate(3, "1", "2", "--where", "version=3")
assert "versions are whole numbers from 1" in migrate(2, "one", "2")

# --- those that can ---

answer = migrate(6, "1", "3", "--who", "ann")
equal("those that can move do, the others stay", (answer["found"], answer["accepted"], answer["refused"]), (12, 4, 8))
equal("as it was foreseen", *[{row["id"]: (row["outcome"], row["reason"]) for row in job["sagas"]} for job in (answer, foreseen)])
until(lambda: versions() == {**{saga: 3 for saga in AT_A}, **{saga: 1 for saga in AT_B}}, "the view shows where they are")
answer = migrate(0, "1", "2", "--where", "step=b", "--who", "ann", "--why", "b is better there")
equal("all that are left", (answer["found"], answer["accepted"]), (8, 8))
equal("nobody is left", migrate(0, "1", "2")["found"], 0)
until(lambda: versions() == {**{saga: 3 for saga in AT_A}, **{saga: 2 for saga in AT_B}}, "the view shows all of them")
code, out, err = baton.call("definitions", "-o", "json")
equal("how many live on each version", [(row["version"], row["live"]) for row in json.loads(out)], [(1, 0), (2, 8), (3, 4)])

# --- the journal alone gives them back, and they go on ---

os.kill(worker.pid, signal.SIGKILL)
worker.wait()
checker.Redis(REDIS)(("FLUSHALL",))
baton.ready(baton.worker("two"))
until(lambda: all(baton.state(saga) for saga in AT_A + AT_B), "the view is rebuilt")
equal("their versions after a rebuild", versions(), {**{saga: 3 for saga in AT_A}, **{saga: 2 for saga in AT_B}})
people.release("a")
people.release("b")
for saga in AT_A + AT_B:
    baton.ends(saga, "completed")
equal("by version 3 there is no b", [[command.id for command in people.seen(saga)] for saga in AT_A], [[f"{saga}/a/x/1", f"{saga}/c/x/1"] for saga in AT_A])
equal("by version 2 comes d, and nothing twice", [[command.id for command in people.seen(saga)] for saga in AT_B],
      [[f"{saga}/a/x/1", f"{saga}/b/x/1", f"{saga}/d/x/1"] for saga in AT_B])
equal("its commands say so", {(command.headers["ce_sagaversion"], command.value) for saga in AT_B for command in people.seen(saga, "d")}, {(b"2", b'{"by":2}')})
code, out, err = baton.call("history", AT_B[0], "-o", "json")
equal("who and why", [(row["who"], row["why"]) for row in json.loads(out) if row["what"] == "migrate"], [("ann", "b is better there")])
baton.check(12, completed=12)

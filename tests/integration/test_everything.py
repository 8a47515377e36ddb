"""One saga that uses everything (examples/everything.json) on a real Kafka and Redis, to its completed and to its compensated end.

Two workers, one partition; whoever has it is killed while a command is at its participant."""
import json

from participants import SILENT, Answer, done, passing, refused
from stack import Baton, definition_file, equal, run_scenarios, scenario, until

everything = definition_file("examples", "everything.json")
everything["defaults"]["timeout"] = "60s"  # whoever is silent here is so on purpose
everything["steps"][0]["sequence"][1]["timeout"] = "500ms"  # risk
CHILDREN = [{"name": "insurance", "version": 1, "output": {"policy": "${steps.cover.output.policy}"},
             "steps": [{"name": "cover", "service": "insurer", "command": "Cover", "input": "${input}", "compensation": {"command": "Revoke"}}]},
            {"name": "newsletter", "version": 1, "steps": [{"name": "enlist", "service": "mail", "command": "Enlist", "input": "${input}"}]}]
baton = Baton("everything", partitions=1, definitions=[everything, *CHILDREN])
workers = {"one": baton.worker("one")}
baton.ready(workers["one"])
workers["two"] = baton.worker("two")  # ready when it has the partition, if it gets it
people = baton.participants()


def undone(saga):
    return [command.step for command in people.seen(saga, action="compensate")]


def statuses(state):
    return {name: entry["status"] for name, entry in state["steps"].items()}


def signal(saga, name, data):
    baton.send("baton.control", json.dumps({"verb": "signal", "name": name, "data": data}), saga)


def kill_the_owner():
    """Of the two workers the one that has the partition: the last one that became ready with it."""
    owner = max(workers, key=lambda name: [line for line in open(workers[name].log) if "partition 0: ready" in line][-1:])
    workers[owner].kill()
    workers[owner].wait()
    workers[owner] = baton.worker(owner)


@scenario("completed: by card, the booking by another carrier, both signals, the parcel asked for until it has arrived")
def completed():
    people.script("c", "reserve", passing(), done({"id": "R-1"}).with_(headers=[("trace", b"t-1")]))
    people.script("c", "risk", SILENT)
    people.script("c", "book", passing())
    people.script("c", "book:fallback", done({"booking": "P-7"}))
    people.script("c", "authorize", done({"status": "BUSY"}), done({"status": "OK", "data": {"token": "T-1"}}))
    people.script("c.insure", "cover", done({"policy": "I-1"}))
    people.script("c", "track", lambda command: done({"state": "ARRIVED" if command.headers["idempotency-key"].endswith(b"x.2") else "ON_ITS_WAY"}))
    people.script("c", "slot", done({"slot": "9-11", "code": "K-77"}))
    people.script("c", "settle", done({"receipt": "S-1"}))
    baton.start("everything", "c", {"items": ["shoes", "hat"], "wrapped": True, "slot": True, "total": 2000, "card": "4242", "gift": True, "notBefore": "2001-01-01T00:00:00Z", "who": "Ann",
                                     "insured": True})
    baton.reaches("c", lambda state: "reserve" in state["steps"], "started")
    signal("c", "card-text", {"text": "hurrah"})  # early: they are kept
    signal("c", "approved", {"by": "Bob"})
    yield
    state = baton.ends("c", "completed")
    equal("output", state["output"], {"receipt": "S-1", "score": 0.5, "by": "service"})
    equal("steps that are not done", {name: status for name, status in statuses(state).items() if status != "done"}, {"risk": "unknown", "book": "failed"})
    equal("undone", undone("c"), [])
    equal("output of the child", state["steps"]["insure"]["output"], {"policy": "I-1"})
    equal("input of the detached child", json.loads(people.seen("c.news", "enlist")[0].value) if baton.ends("c.news", "completed") else None, {"customer": "Ann"})
    equal("output of reserve", state["steps"]["reserve"]["output"], {"reservation": "R-1", "trace": "t-1"})
    settle = json.loads(people.seen("c", "settle")[0].value)
    equal("slot", [(command.step, command.type, command.action, json.loads(command.value)) for command in people.seen("c") if command.step.startswith("slot")],
          [("slot", "HoldSlot", "execute", {"order": "c"}), ("slot:confirm", "TakeSlot", "execute", {"slot": "9-11"})])
    equal("wrapped", [json.loads(command.value) for command in sorted(people.seen("c"), key=lambda command: command.step) if command.type == "Wrap"],
          [{"what": "shoes", "number": 1}, {"what": "hat", "number": 2}])
    equal("input of settle", settle, {"order": "c", "text": "hurrah", "by": "service"})


@scenario("compensated: nobody approves, so it goes on to the handover; the parcel never arrives, and all is undone, last first, each where it was done")
def compensated():
    people.script("u", "reserve", done({"id": "R-2"}).with_(headers=[("trace", b"t-2")]))
    people.script("u", "book", Answer({"booking": "E-1"}))
    people.script("u", "track", done({"state": "ON_ITS_WAY"}))
    people.script("u", "voucher", passing(), done(), action="compensate")
    baton.start("everything", "u", {"items": ["shoes", "hat", "scarf"], "wrapped": True, "total": 1500, "insured": True})
    yield
    state = baton.ends("u", "compensated")
    equal("error", (state["error"]["step"], state["error"]["code"]), ("track", "REPEAT_LIMIT"))
    equal("undone", [step for number, step in enumerate(undone("u")) if step not in undone("u")[:number] and "." not in step], ["track", "voucher", "book", "risk", "reserve"])
    equal("undone of the child", undone("u.insure") if baton.ends("u.insure", "compensated") else None, ["cover"])
    equal("unwrapped", sorted(json.loads(command.value)["what"] for command in people.seen("u", action="compensate") if command.type == "Unwrap"), ["hat", "scarf", "shoes"])
    release = people.seen("u", "reserve", "compensate")[0]
    equal("undone by", (release.type, json.loads(release.value)), ("Release", {"reservation": "R-2"}))
    equal("skipped", sorted(name for name, status in statuses(state).items() if status == "skipped"), ["hold", "papers", "praise", "slot", "weather", "wish"])


@scenario("compensated: the bill is refused, what stood in for the carrier is undone where it was done")
def refused_bill():
    people.script("r", "book", passing())
    people.script("r", "book:fallback", done({"booking": "P-8"}))
    people.script("r", "bill", refused("POOR"))
    baton.start("everything", "r", {"items": ["shoes"], "total": 50, "invoice": True})
    yield
    state = baton.ends("r", "compensated")
    equal("error", (state["error"]["step"], state["error"]["code"]), ("bill", "POOR"))
    equal("undone", undone("r"), ["book:fallback", "reserve"])


@scenario("a start that its schema forbids is a dead letter")
def forbidden():
    baton.start("everything", "f", {"items": [], "total": 1})
    yield
    until(lambda: [letter for letter in baton.records("baton.dlq") if letter.key == b"f"], "its dead letter")


@scenario("a worker killed in the middle changes nothing")
def killed():
    people.script("k", "reserve", lambda command: done({"id": "R-3"}).with_(held="k"))
    baton.start("everything", "k", {"items": ["shoes"], "total": 50})
    until(lambda: people.holds("k"), "the command at its participant")
    kill_the_owner()
    people.release("k")
    people.script("k", "track", done({"state": "ARRIVED"}))
    yield
    baton.ends("k", "completed")


run_scenarios()
baton.check(11)  # with the children and the locks

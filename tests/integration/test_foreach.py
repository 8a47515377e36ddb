"""forEach on a real Kafka and Redis: some hundred iterations of one saga, forth and back, with the worker killed on the way; what people are shown of them."""
import json
import os

from participants import done, passing, refused
from stack import Baton, equal, run_scenarios, scenario, until

ITEMS = int(os.environ.get("ITEMS", 200))
parcels = {"name": "parcels", "version": 1, "defaults": {"timeout": "60s", "retry": {"attempts": 3, "interval": "20ms"}}, "steps": [
    {"name": "pay", "service": "bank", "command": "Pay", "compensation": {"command": "Refund"}},
    {"name": "ship", "forEach": {"items": "${input.parcels}", "maxConcurrency": 20, "steps": [
        {"name": "post", "service": "post", "command": "Post", "input": {"parcel": "${item}", "number": "${index}"},
         "compensation": {"command": "Fetch", "input": {"parcel": "${item}", "tracking": "${steps.post.output.tracking}"}}}]}},
    {"name": "tell", "service": "mail", "command": "Tell", "input": {"sent": "${#steps.ship.output}"}, "retry": {"attempts": "unlimited"}, "when": "${not input.refused}"},
    {"name": "sign", "service": "mail", "command": "Sign", "retry": {"attempts": 1}}], "output": "${steps.ship.output}"}
baton = Baton("foreach", partitions=2, definitions=[parcels])
worker = baton.worker("one")
baton.ready(worker)


def participant(command):
    """Tracks a parcel by its number. One is busy at first."""
    if command.id == "forth/post.9/x/1":
        return passing()
    return done({"tracking": f"T-{json.loads(command.value)['number']}"} if command.type == "Post" else {})


people = baton.participants(participant)


def of(saga, kind):
    return [command for command in people.seen(saga) if command.type == kind]


def kill_after(saga, kind, commands):
    """The worker dies, and another one takes over."""
    global worker
    until(lambda: len(of(saga, kind)) >= commands, f"{commands} commands {kind}")
    worker.kill()
    worker.wait()
    worker = baton.worker("one")


@scenario("each parcel is sent once, though the worker dies among them")
def sent():
    baton.start("parcels", "forth", {"parcels": [f"p{number}" for number in range(ITEMS)]})
    kill_after("forth", "Post", ITEMS // 3)
    yield
    state = baton.ends("forth", "completed")
    equal("output", state["output"], [{"tracking": f"T-{number}"} for number in range(ITEMS)])
    equal("keys", len({command.headers["idempotency-key"] for command in of("forth", "Post")}), ITEMS)
    equal("commands", len(of("forth", "Post")), ITEMS + 1)
    equal("steps", len(state["steps"]), ITEMS + 4)
    entry = state["steps"]["ship"]
    equal("counts", (entry["count"], entry["begun"], entry["finished"], "items" in entry), (ITEMS, ITEMS, ITEMS, False))


@scenario("all that were sent are fetched back, each with its own item, though the worker dies among them")
def fetched():
    people.script("back", "sign", refused("NO"))
    baton.start("parcels", "back", {"parcels": [f"p{number}" for number in range(ITEMS)], "refused": True})
    kill_after("back", "Fetch", ITEMS // 3)
    yield
    baton.ends("back", "compensated")
    equal("fetched", sorted(command.value for command in of("back", "Fetch")),
          sorted(json.dumps({"parcel": f"p{number}", "tracking": f"T-{number}"}, separators=(",", ":")).encode() for number in range(ITEMS)))
    equal("refunded last", people.seen("back")[-1].type, "Refund")


@scenario("people are told how many stand how, and which of them need them")
def shown():
    people.script("shown", "post.3", refused("LOST"))
    people.script("shown", "pay", lambda command: done({}))
    baton.start("parcels", "shown", {"parcels": list(range(20))})
    yield
    baton.ends("shown", "compensated")
    code, out, err = baton.call("status", "shown")
    equal(f"exit code: {err}", code, 0)
    lines = [line.split() for line in out.splitlines()]
    assert ["post.3", "failed", "attempts", "1"] in lines, out
    assert any(line[:1] == ["post"] and "compensated," in line or line[-1:] == ["compensated"] for line in lines), out
    assert len(lines) < 20, out
    code, out, err = baton.call("graph", "parcels", "--saga", "shown", "--format", "mermaid")
    equal(f"exit code of graph: {err}", code, 0)
    assert "1 failed" in out, out


run_scenarios()
baton.check(3, completed=1, compensated=2)

"""The saga language on a real Kafka and Redis: what a definition can say beside commands in a row.

One worker of three threads, all scenarios at once; the checker knows the tree."""
import json
import time

from checker import header
from participants import SILENT, done, refused
from stack import Baton, definition_file, equal, run_scenarios, scenario, until

delivery = definition_file("examples", "delivery.json")
delivery["defaults"]["timeout"] = "60s"


def command(name, **more):
    return {"name": name, "service": "office", "command": name.title(), "compensation": {"command": f"Un{name}"}, **more}


waits = {"name": "waits", "version": 1, "defaults": {"timeout": "60s"}, "steps": [
    command("one"), {"name": "nap", "sleep": "300ms"}, {"name": "till", "sleep": {"until": "${input.until}"}},
    {"name": "ask", "wait": {"signal": "go", "timeout": "200ms", "onTimeout": {"goto": "rest"}}},
    command("two"), {"name": "rest", "sequence": [command("three"), {"name": "again", "when": "${input.again}", "wait": {"signal": "go", "timeout": "200ms"}}]}]}
booking, carrier = definition_file("examples", "booking.json"), definition_file("examples", "carrier.json")
for definition in (booking, carrier):
    definition["defaults"]["timeout"] = "60s"
transfer = {"name": "transfer", "version": 1, "lock": {"key": "account/${input.account}", "timeout": "2m"}, "defaults": {"timeout": "60s"},
            "steps": [command("debit"), command("credit")]}
hasty = {**transfer, "name": "hasty-transfer", "lock": {"key": "account/${input.account}", "mode": "reject"}}
baton = Baton("language", partitions=6, threads=3, definitions=[
    delivery, waits, booking, carrier, transfer, hasty, {"name": "once", "version": 1, "onDuplicate": "reject", "steps": [command("one")]}])
worker = baton.worker("one")
baton.ready(worker)
people = baton.participants()


def statuses(state):
    return {name: entry["status"] for name, entry in state["steps"].items()}


@scenario("a switch takes the first case that is true, a group that is not wanted is skipped whole")
def first_case():
    people.script("bern", "post", done({"booking": "p-1"}))
    baton.start("delivery", "bern", {"country": "CH", "express": True, "items": []})
    yield
    state = baton.ends("bern", "completed")
    equal("steps", statuses(state), {"pick": "done", "gift": "skipped", "route": "done", "post": "done", "collect": "done"})
    equal("case, output", (state["steps"]["route"]["case"], state["output"]), (1, {"booking": "p-1"}))


@scenario("without a true case the default")
def default():
    baton.start("delivery", "sydney", {"country": "AU", "items": [], "gift": {"text": "hi"}})
    yield
    state = baton.ends("sydney", "completed")
    equal("commands", [command.step for command in people.seen("sydney")], ["pick", "wrap", "card", "ship", "collect"])
    equal("case", state["steps"]["route"]["case"], 3)


@scenario("out of a case the saga turns back through its groups, last first")
def turns_back():
    people.script("oslo", "fly", refused("FULL"))
    baton.start("delivery", "oslo", {"country": "NO", "express": True, "items": [], "gift": {"text": "hi"}})
    yield
    state = baton.ends("oslo", "compensated")
    equal("undone", [command.step for command in people.seen("oslo", action="compensate")], ["customs", "card", "wrap", "pick"])
    equal("groups", (state["steps"]["gift"]["status"], state["steps"]["route"]["status"]), ("done", "failed"))


@scenario("sleeps end by themselves, a wait without its signal leads on")
def sleeps():
    baton.start("waits", "sleeper", {"until": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))})
    yield
    state = baton.ends("sleeper", "completed")
    equal("steps", statuses(state), {"one": "done", "nap": "done", "till": "done", "ask": "done", "two": "skipped", "rest": "done", "three": "done",
                                     "again": "skipped"})
    equal("error of the wait", state["steps"]["ask"]["error"]["code"], "TIMEOUT")
    one, three = people.seen("sleeper")
    assert three.at_ms - one.at_ms >= 300, "the sleep was cut short"


@scenario("a definition may take each id once")
def once():
    baton.start("once", "single", {"n": 1})
    baton.ends("single", "completed")
    baton.start("once", "single", {"n": 1})
    baton.start("once", "single", {"n": 2})
    yield
    until(lambda: [header(letter, "dlq-reason") for letter in baton.records("baton.dlq") if letter.key == b"single"] == ["duplicate-start"] * 2, "two dead letters")
    equal("commands, duplicates", ([command.step for command in people.seen("single")], baton.state("single")["duplicates"]), (["one"], 0))


@scenario("a wait that fails turns the saga back")
def gives_up():
    baton.start("waits", "giver", {"until": "1999-01-01T00:00:00Z", "again": True})
    yield
    state = baton.ends("giver", "compensated")
    equal("error", (state["error"]["step"], state["error"]["code"]), ("again", "TIMEOUT"))
    equal("undone", [command.step for command in people.seen("giver", action="compensate")], ["three", "one"])


@scenario("branches side by side: all of them are done before the saga goes on")
def side_by_side():
    people.script("oslo-trip", "hotel", done({"booking": "H-1"}))
    baton.start("booking", "oslo-trip", {"trip": "Oslo"})
    yield
    state = baton.ends("oslo-trip", "completed")
    equal("steps", statuses(state), {"quote": "done", "parts": "done", "flight": "done", "hotel": "done", "car": "skipped", "seat": "done", "pay": "done"})
    equal("pay", json.loads(people.seen("oslo-trip", "pay")[0].value)["hotel"], "H-1")


@scenario("one of them fails: each of the others is undone, last first, and what came before them last")
def one_fails():
    people.script("bern-trip", "hotel", refused("FULL"))
    baton.start("booking", "bern-trip", {"trip": "Bern", "car": True})
    yield
    state = baton.ends("bern-trip", "compensated")
    undone = [command.step for command in people.seen("bern-trip", action="compensate")]
    equal("error, group", (state["error"]["step"], state["steps"]["parts"]["status"]), ("hotel", "failed"))
    equal("undone", (set(undone) - {"seat"}, undone[-1]), ({"flight", "car", "quote"}, "quote"))


@scenario("the first branch that is done decides, what lost is undone before the saga ends")
def first_wins():
    people.script("parcel", "swift", SILENT)
    people.script("parcel", "register", SILENT)
    baton.start("carrier", "parcel", {})
    yield
    state = baton.ends("parcel", "completed")
    equal("lost", (state["steps"]["carriers"]["status"], state["steps"]["carriers"]["lost"]), ("done", [1, 2]))
    equal("undone", {command.step for command in people.seen("parcel", action="compensate")}, {"swift", "register"})


@scenario("of the sagas of one key one runs at a time, and each has its turn")
def one_at_a_time():
    names = [f"t-{number}" for number in range(20)]
    people.script("t-3", "credit", refused("CLOSED"))
    for number, name in enumerate(names):
        baton.start("transfer", name, {"account": number % 2})
    yield
    for name in names:
        baton.ends(name, "compensated" if name == "t-3" else "completed")
    for account in range(2):
        turns = [command.saga for command in sorted((command for name in names[account::2] for command in people.seen(name)), key=lambda command: command.at_ms)]
        equal(f"turns of account {account}", len([saga for at, saga in enumerate(turns) if at == 0 or turns[at - 1] != saga]), 10)


@scenario("who does not want to wait for a lock fails, and says who holds it")
def locked():
    people.script("holder", "debit", done().with_(held="lock"))
    baton.start("transfer", "holder", {"account": "x"})
    until(lambda: people.seen("holder", "debit"), "the holder's first command")
    baton.start("hasty-transfer", "hurried", {"account": "x"})
    yield
    state = baton.ends("hurried", "compensated")
    equal("error", (state["error"]["code"], state["steps"][":lock"]["error"]["details"]["owner"]), ("LOCKED", "holder"))
    equal("commands", people.seen("hurried"), [])
    people.release("lock")
    baton.ends("holder", "completed")


run_scenarios()
baton.check()

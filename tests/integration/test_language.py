"""The saga language on a real Kafka and Redis: what a definition can say beside commands in a row.

One worker of three threads, all scenarios at once; the checker knows the tree."""
from participants import done, refused
from stack import Baton, definition_file, equal, run_scenarios, scenario

delivery = definition_file("examples", "delivery.json")
delivery["defaults"]["timeout"] = "60s"

baton = Baton("language", partitions=6, threads=3, definitions=[delivery])
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


run_scenarios()
baton.check()

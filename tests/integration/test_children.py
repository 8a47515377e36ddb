"""Families of sagas on a real Kafka and Redis: three workers, kill -9 at random points while trips with children and grandchildren run, a quarter of
them refused in the child, a quarter after it. Then children in single: cancelled, by hand, unknown, somebody else's. The checker knows the families."""
import os
import random
import re
import time

from participants import SILENT, done, refused
from stack import Baton, equal, until

COUNT = int(os.environ.get("TRIPS", 300))
SEED = time.time_ns()
print(f"seed {SEED}")
random.seed(SEED)


def command(name, **more):
    return {"name": name, "service": "office", "command": name.title(), "compensation": {"command": f"Un{name}"}, **more}


def definition(name, *steps, **more):
    return {"name": name, "version": 1, "defaults": {"timeout": "60s"}, "steps": list(steps), **more}


trip = definition("trip", command("flight"), {"name": "stay", "saga": {"name": "hotel", "input": {"trip": "${saga.id}"}}, "output": {"room": "${body.room}"}},
                  command("settle"), {"name": "thank", "saga": {"name": "mail", "input": "${input}", "detached": True}}, output="${steps.stay.output}")
hotel = definition("hotel", command("room"), {"name": "meal", "saga": {"name": "kitchen", "version": 1}}, command("key"), output={"room": "${steps.room.output.nr}"})
ping, pong = (definition(one, {"name": "next", "saga": {"name": other}}) for one, other in (("ping", "pong"), ("pong", "ping")))
lost = definition("lost", command("flight"), {"name": "stay", "saga": {"name": "nowhere"}})
baton = Baton("children", partitions=6, threads=2, definitions=[trip, hotel, definition("kitchen", command("cook")), definition("mail", command("send")), ping, pong, lost])
workers = {name: baton.worker(name) for name in ("a", "b", "c")}
baton.ready(workers["a"])


def answer(called):
    number = int(re.match(r"t-(\d+)", called.saga).group(1)) if called.saga.startswith("t-") else 2
    if called.action == "execute" and (called.step, number % 4) in (("settle", 0), ("key", 1)):
        return refused("NO")
    if called.action == "execute" and called.step == "cook" and called.saga.startswith("mute"):
        return SILENT
    return done({"nr": 204})


people = baton.participants(answer)


def all_ended(ids):
    return all((baton.state(saga) or {"status": None})["status"] in ("completed", "compensated") for saga in ids)


# --- kill -9 ---

for n in range(COUNT):
    baton.producer.produce(baton.prefix + "orders.commands", value=b"{}", key=f"t-{n}", headers=[("saga-type", b"trip")])
baton.producer.flush(30)
kills = 0
while kills < 6:
    name = random.choice(list(workers))
    goal = baton.count() + random.randint(1, 150)  # a random distance into the work, not into time
    until(lambda: baton.count() >= min(goal, 3 * COUNT), "progress", 120)
    workers[name].kill()
    workers[name].wait()
    workers[name] = baton.worker(name)
    kills += 1
until(lambda: all_ended(f"t-{n}" for n in range(COUNT)), "all trips to end", 200)
state = baton.state("t-2")
equal("output", (state["status"], state["output"]), ("completed", {"room": 204}))
equal("children", [state["steps"][step]["child"] for step in ("stay", "thank")], ["t-2.stay", "t-2.thank"])
equal("parent", baton.state("t-2.stay.meal")["parent"], {"saga": "t-2.stay", "step": "meal", "attempt": 1, "depth": 2})

# --- in single ---

baton.start("trip", "mute")
until(lambda: people.seen("mute.stay.meal"), "the grandchild at work")
equal("cancel", baton.call("cancel", "mute", "--why", "test")[0], 0)
baton.ends("mute", "cancelled")
equal("the family", [baton.state(saga)["status"] for saga in ("mute.stay", "mute.stay.meal")], ["compensated", "compensated"])

baton.start("lost", "lost")
state = baton.ends("lost", "compensated")
equal("error", (state["error"]["step"], state["error"]["code"]), ("stay", "UNKNOWN_DEFINITION"))

baton.start("trip", "claim", headers=[("ce_dataref", "https://store/claim")])
baton.ends("claim", "completed")
equal("where a child's input lies", baton.ends("claim.thank", "completed")["dataref"], "https://store/claim")

baton.start("ping", "circle")
state = baton.ends("circle", "compensated")
equal("error", (state["error"]["step"], state["error"]["code"]), ("next", "SAGA_DEPTH"))

baton.start("kitchen", "taken.stay")
baton.ends("taken.stay", "completed")
baton.start("trip", "taken")
state = baton.ends("taken", "compensated")
equal("error", state["error"]["code"], "CONFLICTING_START")
equal("somebody else's", baton.state("taken.stay")["status"], "completed")

shown = baton.call("status", "t-2")[1], baton.call("status", "t-2.stay")[1]
assert "child t-2.stay\n" in shown[0] and "child of t-2, step stay\n" in shown[1], shown
case = baton.check()
equal("commands of a second attempt", [saga for saga, its in case.sagas.items() if saga.startswith("t-") and
                                       any(entry.get("attempts", 0) > 1 or entry.get("compensations", 0) > 1 for entry in its.state["steps"].values())], [])
trips = [case.sagas[f"t-{n}"].state["status"] for n in range(COUNT)]
equal("trips", (trips.count("completed"), trips.count("compensated")), (COUNT // 2, COUNT // 2))
print(f"{kills} kills, {len(case.sagas)} sagas")

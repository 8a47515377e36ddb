"""A message and a timer that kill the worker that takes them: three times each, then the one is in the dead letters unread and the other's saga is
parked; all that lies beside them goes on. A worker killed from outside, in whatever innocent batch, condemns nothing."""
import json
import os
import random
import resource
import time

import participants
from checker import header
from stack import Baton, definition_file, equal, until

SEED = time.time_ns()
print(f"seed {SEED}")
random.seed(SEED)
INNOCENT, MORE, KILLS = 20, 300, 3
DEATHS_MAX = 12  # two suspects, three deaths each, and one more where the last owner had already committed something; then room
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
os.environ.update(LD_PRELOAD=os.environ["KILLER"], KILLER_READING="kills whoever reads it", KILLER_SENDING="timer/reserve/x/2")

order, impatient = definition_file("bench", "bench-order.json"), definition_file("bench", "bench-order.json")
impatient["name"], impatient["defaults"]["timeout"] = "impatient", "2s"
baton = Baton("killer", partitions=1, definitions=[order, impatient])
worker = baton.worker("one")
baton.ready(worker)
people = baton.participants()
people.script("timer", "reserve", participants.SILENT)
deaths = 0


def lives_on(process):
    """The worker, or the next one: started anew as often as it dies."""
    global deaths
    if process.poll() is None:
        return process
    deaths += 1
    assert deaths <= DEATHS_MAX, f"{deaths} deaths"
    return baton.worker("one")


def over():
    global worker
    worker = lives_on(worker)
    state = baton.state("timer")
    return baton.records("baton.dlq") and state and state["status"] == "parked" and baton.count() == INNOCENT + 1 and \
        all((baton.state(f"o-{number}") or {"status": None})["status"] == "completed" for number in range(INNOCENT))


baton.start("impatient", "timer")
until(lambda: people.seen("timer"), "the first command of the timer's saga")
POISON = b'{"note":"kills whoever reads it"}'
for number in range(INNOCENT):
    if number == INNOCENT // 2:
        baton.send("orders.commands", POISON, b"poison", [("saga-type", b"bench-order"), ("mine", b"\x00\xff")])
    baton.start("bench-order", f"o-{number}")
until(over, "the end of all but the two", 150)
print(f"{deaths} deaths")
assert deaths >= 3, f"only {deaths} deaths: it proved nothing"
letter, = baton.records("baton.dlq")
equal("dead letter", (header(letter, "dlq-reason"), letter.key, letter.value, dict(letter.headers)["mine"]),
      ("kills-worker", b"poison", POISON, b"\x00\xff"))
assert baton.state("timer")["parked"]["reason"].startswith("kills-worker"), baton.state("timer")["parked"]

# Innocent batches: the first ones after a take-over, where a dead worker's mark says most.
for number in range(MORE):
    baton.start("bench-order", f"p-{number}")
for kill in range(KILLS):
    before = baton.count()
    until(lambda: baton.count() > before or baton.count() == INNOCENT + 1 + MORE, "progress")
    worker.kill()
    worker.wait()
    worker = baton.worker("one")
    baton.ready(worker)
until(lambda: baton.count() == INNOCENT + 1 + MORE, "all sagas")
case = baton.check(INNOCENT + 1 + MORE, completed=INNOCENT + MORE, parked=1)
equal("dead letters", len(case.evidence.of("dlq")), 1)
baton.once(case)

"""Services that are not to be given too much: a participant that dies for a while is isolated, the others go on, and it recovers by itself; what is
held back spends no attempt. In between Redis is wiped, a worker is killed, an operator opens and closes. Then: how many in flight, and how many a second."""
import collections
import json
import signal
import threading
import time

import checker
import participants
from stack import REDIS, Baton, equal, said, until

RETRY = {"attempts": 3, "interval": "300ms", "jitter": 0}
DELIVER = {"name": "deliver", "version": 1, "timeout": "10m", "defaults": {"timeout": "800ms", "retry": RETRY}, "steps": [
    {"name": "pack", "service": "inventory", "command": "Pack", "compensation": {"command": "Unpack"}},
    {"name": "ship", "service": "carrier", "command": "Ship", "retry": {"attempts": 40}, "compensation": {"command": "Recall"}},
    {"name": "bill", "service": "inventory", "command": "Bill"}]}
PICK = {"name": "pick", "version": 1, "defaults": {"timeout": "20s"}, "steps": [
    {"name": "pack", "service": "inventory", "command": "Pack", "compensation": {"command": "Unpack"}},
    {"name": "ship", "service": "carrier", "command": "Ship", "compensation": {"command": "Recall"}, "fallback": {"output": {"by": "hand"}}}],
    "output": "${steps.ship.output}"}
PLAIN = {"name": "plain", "version": 1, "defaults": {"timeout": "20s"}, "steps": [{"name": "pack", "service": "inventory", "command": "Pack"}]}
PAY = {"name": "pay", "version": 1, "defaults": {"timeout": "50s"}, "steps": [{"name": "charge", "service": "bank", "command": "Charge"}]}
MAIL = {"name": "mail", "version": 1, "defaults": {"timeout": "50s"}, "steps": [{"name": "send", "service": "mailer", "command": "Send"}]}

BANK, RATE = 3, 20
baton = Baton("services", partitions=4, definitions=[DELIVER, PICK, PLAIN, PAY, MAIL], threads=2)
baton.configure(services={
    "carrier": {"breaker": {"window": "20s", "failureRate": 0.5, "minimumCalls": 6, "open": "2s", "probes": 2}},
    "bank": {"maxInFlight": BANK}, "mailer": {"rate": f"{RATE}/s"}, "inventory": {"breaker": {"minimumCalls": 1000}}})
alive = threading.Event()
alive.set()


def answer(command):
    if "carrier" in command.headers["kafka_replyTopic"].decode() or command.type in ("Ship", "Recall"):
        return participants.done() if alive.is_set() else participants.SILENT
    return participants.done().with_(held="bank") if command.type == "Charge" else participants.done()


def service(name):
    code, out, err = baton.call("services", "-o", "json")
    equal(f"exit code of services: {err}", code, 0)
    return next((row for row in json.loads(out) if row["service"] == name), None)


def completed(sagas, what):
    until(lambda: all((baton.state(saga) or {}).get("status") == "completed" for saga in sagas), what)


def start(kind, tag, count):
    sagas = [f"{tag}-{n}" for n in range(count)]
    for saga in sagas:
        baton.start(kind, saga)
    return sagas


first, second = baton.worker("one"), baton.worker("two")
baton.ready(first)
baton.ready(second)
people = baton.participants(answer)

# While all is well nothing is held back.
well = start("deliver", "well", 10)
completed(well, "the orders of a good day")
equal("the breaker", (service("carrier")["state"], service("carrier")["failed"]), ("closed", 0))

# The carrier dies. After a few silences nobody asks it any more; who comes then is held back and has spent nothing.
alive.clear()
early = start("deliver", "early", 12)
until(lambda: service("carrier")["state"] != "closed", "an open breaker")
# Every thread knows it when an order of each partition is held back; those before may have been sent.
canaries = []
for partition in range(baton.partitions):
    while True:
        canary = next(saga for saga in (f"canary-{len(canaries)}-{n}" for n in range(100)) if baton.home(saga) == partition)
        canaries.append(canary)
        baton.start("deliver", canary)
        if "heldSince" in baton.reaches(canary, lambda state: "ship" in state["steps"], "at the carrier")["steps"]["ship"]:
            break
held = start("deliver", "held", 40)
until(lambda: service("carrier")["heldBack"] >= 40, "orders held back")
for saga in held[:5]:
    entry = baton.reaches(saga, lambda state: "heldSince" in state["steps"].get("ship", {}), "held back")["steps"]["ship"]
    equal(f"{saga}: why", entry["error"]["code"], "BREAKER_OPEN")
asked = collections.Counter(command.saga for command in people.commands if command.type == "Ship")
assert sum(asked[saga] > 0 for saga in held) < 20, f"half of the orders that came later were sent to a dead carrier: {asked}"

# The others go on, and a step with a fallback goes its own way.
other = start("plain", "other", 20)
completed(other, "orders that need no carrier")
diverted = start("pick", "diverted", 10)
completed(diverted[2:], "orders that can do without it")  # two at most are probes

# Redis forgets everything: the breaker is open again. A worker dies: the other holds back what that one held.
checker.Redis(REDIS)(("FLUSHALL",))
until(lambda: service("carrier") and service("carrier")["state"] != "closed", "the breaker after a wipe")
second.send_signal(signal.SIGKILL)
second.wait()
baton.workers.remove(second)
later = start("deliver", "later", 10)
until(lambda: all((baton.state(saga) or {"steps": {}})["steps"].get("ship") for saga in later), "orders after the kill")

# It comes back: probes find out, all that waited goes, nobody has to do anything.
alive.set()
until(lambda: service("carrier")["state"] == "closed", "a closed breaker")
completed(early + canaries + held + later + diverted, "what was held back")
attempts = [baton.state(saga)["steps"]["ship"]["attempts"] for saga in held + later]
assert sum(attempts) <= 3 * len(attempts), f"held back, but tried again and again: {attempts}"

# An operator opens another service by hand, and closes it again.
equal("open an unknown service", baton.call("services", "open", "nobody")[0], 4)
equal("open by hand", baton.call("services", "open", "inventory", "--why", "stocktaking", "--who", "ann")[:2], (0, "inventory  open accepted\n"))
until(lambda: said(first, "service inventory: the circuit breaker is open, by ann: stocktaking"), "the worker's notice")
stock = []
until(lambda: stock.extend(start("plain", f"stock{len(stock)}", 1)) or service("inventory")["heldBack"] >= 5, "orders held back by hand")
row = service("inventory")
equal("what is shown", (row["state"], row["byHand"], row["who"], row["why"], row["until"]), ("open", True, "ann", "stocktaking", None))
equal("close by hand", baton.call("services", "close", "inventory")[0], 0)
completed(stock, "what was held back by hand")
equal("reset", baton.call("services", "reset", "inventory")[0], 0)
until(lambda: service("inventory")["byHand"] is False, "left to its rules")

# No more than three are at the bank at a time, and in the order in which they came to it.
pays = start("pay", "pay", 12)
until(lambda: service("bank")["heldBack"] == 12 - BANK and len(people.held["bank"]) == BANK, "payments held back")
while len(people.held["bank"]) > 0:
    assert len(people.held["bank"]) <= BANK, f"{len(people.held['bank'])} in flight"
    done = sum((baton.state(saga) or {}).get("status") == "completed" for saga in pays) + len(people.held["bank"])
    people.release("bank")
    until(lambda: people.holds("bank") or all((baton.state(saga) or {}).get("status") == "completed" for saga in pays), "the next payments")
completed(pays, "payments")

# Twenty a second, whoever sends them.
begun = time.time() * 1000
mails = start("mail", "mail", 60)
completed(mails, "mails")
times = sorted(command.at_ms for command in people.commands if command.type == "Send")
for n, at_ms in enumerate(times):
    most = 8 + RATE * (at_ms - begun) / 1000  # what a share may have saved up, of each thread
    assert n <= most, f"mail {n} was sent after {at_ms - begun:.0f} ms"

told = [json.loads(record.value) for record in baton.records("baton.events") if checker.header(record, "ce_type").startswith("baton.service.")]
states = [value["state"] for value in told if value["service"] == "carrier"]
equal("what the events tell of the carrier", (states[0], states[-1]), ("open", "closed"))
equal("and of an operator", [(value["state"], value["who"] is not None, value["why"]) for value in told if value["service"] == "inventory"],
      [("open", True, "stocktaking"), ("closed", True, None), ("closed", True, None)])
everybody = well + early + canaries + held + other + diverted + later + stock + pays + mails
baton.check(len(everybody), completed=len(everybody))

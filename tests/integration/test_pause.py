"""A worker is stopped (SIGSTOP), its partitions move, it wakes: what it held is refused, nothing is done twice.

Twice: an idle one that holds timers, which no input fences; and one in the middle of its work."""
import json
import signal

from participants import SILENT, done
from stack import Baton, definition_file, equal, said, share, until

COUNT, REFUSED, MUTE = 2000, 200, 100
# The first attempt is never answered: the second one is a timer's, which the sleeper has in memory.
mute = {"name": "mute", "version": 1, "defaults": {"timeout": "1s", "retry": {"attempts": 50, "interval": "50ms", "backoff": 1}},
        "steps": [{"name": "call", "service": "mute", "command": "Call", "compensation": {"command": "Back"}}]}
baton = Baton("pause", definitions=[definition_file("bench", "bench-order.json"), mute])
first = baton.worker("one")
baton.ready(first)
people = baton.participants(share(10))


def noticed(worker):
    return said(worker, "lost") or said(worker, "joining again") or said(worker, "revoked")


mutes = [f"mute-{number}" for number in range(MUTE)]
for saga in mutes:
    people.script(saga, "call", SILENT, SILENT, done())
    baton.start("mute", saga)
until(lambda: all(people.seen(saga) for saga in mutes), "the commands whose time will be up while it sleeps")
first.send_signal(signal.SIGSTOP)
second = baton.worker("two")
baton.ready(second)  # it has the partitions: the first one's session is over
until(lambda: all(len(people.seen(saga)) >= 2 for saga in mutes), "the second attempts, by the new owner")
first.send_signal(signal.SIGCONT)
for saga in mutes:
    baton.ends(saga, "completed")
until(lambda: noticed(first), "the woken worker to notice")

load = baton.load("p-", COUNT)
until(lambda: baton.count() >= MUTE + 200, "200 sagas")
second.send_signal(signal.SIGSTOP)
until(lambda: load.poll() is not None or baton.count() >= MUTE + 1200, "sagas by the other one")
assert load.poll() is None, "the load ended before the pause did: it proved nothing"
second.send_signal(signal.SIGCONT)
result = json.loads(load.communicate(timeout=240)[0])
equal("orders sent, completed, compensated", (result["sent"], result["completed"], result["compensated"]), (COUNT, COUNT - REFUSED, REFUSED))
until(lambda: noticed(second), "the woken worker to notice")
baton.once(baton.check(COUNT + MUTE, completed=COUNT - REFUSED + MUTE, compensated=REFUSED), "p-")

"""A worker is stopped (SIGSTOP), its partitions move, it wakes: what it held, inputs and timers alike, is refused; nothing is done twice."""
import json
import signal

from participants import SILENT, done
from stack import Baton, definition_file, equal, said, share, until

COUNT, REFUSED, MUTE = 2000, 200, 100
# Its first attempt is never answered: the second one is a timer's, with no input that would fence it.
mute = {"name": "mute", "version": 1, "timeout": "10m", "defaults": {"timeout": "1500ms", "retry": {"attempts": "unlimited", "interval": "1500ms", "backoff": 1}},
        "steps": [{"name": "call", "service": "mute", "command": "Call", "compensation": {"command": "Back"}}]}
baton = Baton("pause", definitions=[definition_file("bench", "bench-order.json"), mute])
first = baton.worker("one")
baton.ready(first)
people = baton.participants(share(10))
load = baton.load("p-", COUNT)
until(lambda: baton.count() >= 200, "200 sagas")
mutes = [f"mute-{number}" for number in range(MUTE)]
for saga in mutes:
    people.script(saga, "call", SILENT, SILENT, done())
    baton.start("mute", saga)
until(lambda: sum(len(people.seen(saga)) for saga in mutes) >= MUTE, "the commands whose time will be up while it sleeps")
first.send_signal(signal.SIGSTOP)
second = baton.worker("two")
baton.ready(second)  # it has the partitions: the first one's session is over
assert load.poll() is None, "the load ended before the pause: it proved nothing"
first.send_signal(signal.SIGCONT)
result = json.loads(load.communicate(timeout=240)[0])
equal("orders sent, completed, compensated", (result["sent"], result["completed"], result["compensated"]), (COUNT, COUNT - REFUSED, REFUSED))
for saga in mutes:
    baton.ends(saga, "completed")
until(lambda: said(first, "lost") or said(first, "joining again") or said(first, "revoked"), "the woken worker to notice")
baton.check(COUNT + MUTE, completed=COUNT - REFUSED + MUTE, compensated=REFUSED)

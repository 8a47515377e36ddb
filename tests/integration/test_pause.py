"""A worker is stopped (SIGSTOP), its partitions move, it wakes: what it held is refused, nothing is done twice."""
import json
import signal

from stack import Baton, equal, said, share, until

COUNT, REFUSED = 2000, 200
baton = Baton("pause")
first = baton.worker("one")
baton.ready(first)
baton.participants(share(10))
load = baton.load("p-", COUNT)
until(lambda: baton.count() >= 200, "200 sagas")
first.send_signal(signal.SIGSTOP)
second = baton.worker("two")
baton.ready(second)  # it has the partitions: the first one's session is over
assert load.poll() is None, "the load ended before the pause: it proved nothing"
first.send_signal(signal.SIGCONT)
result = json.loads(load.communicate(timeout=240)[0])
equal("orders sent, completed, compensated", (result["sent"], result["completed"], result["compensated"]), (COUNT, COUNT - REFUSED, REFUSED))
until(lambda: said(first, "lost") or said(first, "joining again") or said(first, "revoked"), "the woken worker to notice")
baton.once(baton.check(COUNT, completed=COUNT - REFUSED, compensated=REFUSED))

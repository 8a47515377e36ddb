"""A worker is stopped (SIGSTOP), its partitions move, it wakes: what it held is refused, nothing is done twice."""
import json
import signal

from stack import Baton, equal, exactly_once, said, until

COUNT = 2000
baton = Baton("pause.")
first = baton.worker("one")
baton.ready(first)
baton.participants()
load = baton.load("p-", COUNT)
until(lambda: len(baton.listed(COUNT)) >= 200, "200 sagas")
first.send_signal(signal.SIGSTOP)
second = baton.worker("two")
baton.ready(second)  # it has the partitions: the first one's session is over
first.send_signal(signal.SIGCONT)
result = json.loads(load.communicate(timeout=240)[0])
equal("orders sent, ended, completed", (result["sent"], result["done"], result["completed"]), (COUNT, COUNT, COUNT))
until(lambda: sum(row["status"] == "completed" for row in baton.listed()) == COUNT, "all orders in the view")
attempts = [step["attempts"] for row in baton.listed()[::10] for step in baton.status(row["id"])["steps"].values()]
equal("attempts of each step", set(attempts), {1})
exactly_once(baton, COUNT)
until(lambda: said(first, "lost") or said(first, "joining again") or said(first, "revoked"), "the woken worker to notice")

"""Redis may lie: FLUSHALL in mid-run, then a restart that loses everything: no order is lost, none is done twice."""
import json
import os
import subprocess

from stack import STACK_DIR, Baton, equal, exactly_once, until

COUNT = 2000
STACK = os.environ["STACK"]
with open(os.path.join(STACK_DIR, "redis.port")) as port:
    REDIS_PORT = port.read().strip()
baton = Baton("lies.")
worker = baton.worker("one")
baton.ready(worker)
baton.participants()
load = baton.load("l-", COUNT)


def reach(sagas):
    until(lambda: load.poll() is not None or len(baton.listed(COUNT)) >= sagas, f"{sagas} sagas")
    assert load.poll() is None, "the load ended before the fault: it proved nothing"


reach(200)
subprocess.run(["redis-cli", "-p", REDIS_PORT, "flushall"], check=True, stdout=subprocess.DEVNULL)
reach(800)
subprocess.run([STACK, "redis-kill", STACK_DIR], check=True)
subprocess.run(["rm", "-rf", os.path.join(STACK_DIR, "appendonlydir")], check=True)
subprocess.run([STACK, "redis-start", STACK_DIR], check=True)

result = json.loads(load.communicate(timeout=240)[0])
equal("orders sent, ended, completed", (result["sent"], result["done"], result["completed"]), (COUNT, COUNT, COUNT))
until(lambda: sum(row["status"] == "completed" for row in baton.listed()) == COUNT, "all orders in the view again")
attempts = [step["attempts"] for row in baton.listed()[::10] for step in baton.status(row["id"])["steps"].values()]
equal("attempts of each step", set(attempts), {1})
exactly_once(baton, COUNT)

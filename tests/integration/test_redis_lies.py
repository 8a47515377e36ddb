"""Redis may lie: FLUSHALL in mid-run, then a restart that loses everything, while a quarter of the orders is refused: no order is lost,
none is done or undone twice."""
import json
import os
import subprocess

from stack import STACK, STACK_DIR, Baton, equal, share, until

COUNT, REFUSED = 2000, 500
with open(os.path.join(STACK_DIR, "redis.port")) as port:
    REDIS_PORT = port.read().strip()
baton = Baton("lies")
worker = baton.worker("one")
baton.ready(worker)
baton.participants(share(25))
load = baton.load("l-", COUNT)


def reach(sagas):
    until(lambda: load.poll() is not None or baton.count() >= sagas, f"{sagas} sagas")
    assert load.poll() is None, "the load ended before the fault: it proved nothing"


reach(200)
subprocess.run(["redis-cli", "-p", REDIS_PORT, "flushall"], check=True, stdout=subprocess.DEVNULL)
reach(800)
subprocess.run([STACK, "redis-kill", STACK_DIR], check=True)
subprocess.run(["rm", "-rf", os.path.join(STACK_DIR, "appendonlydir")], check=True)
subprocess.run([STACK, "redis-start", STACK_DIR], check=True)

result = json.loads(load.communicate(timeout=240)[0])
equal("orders sent, completed, compensated", (result["sent"], result["completed"], result["compensated"]), (COUNT, COUNT - REFUSED, REFUSED))
baton.once(baton.check(COUNT, completed=COUNT - REFUSED, compensated=REFUSED))

"""The broker is restarted in mid-run, gently and by kill -9: the worker starts over by itself, every order ends once."""
import json
import subprocess

from stack import STACK, STACK_DIR, Baton, equal, share, until

COUNT, REFUSED = 2000, 200
baton = Baton("broker")
worker = baton.worker("one")
baton.ready(worker)
baton.participants(share(10))
load = baton.load("b-", COUNT)
for sagas, fault in ((200, "kafka-stop"), (900, "kafka-kill")):
    until(lambda: load.poll() is not None or baton.count() >= sagas, f"{sagas} sagas", 120)
    assert load.poll() is None, "the load ended before the fault: it proved nothing"
    subprocess.run([STACK, fault, STACK_DIR], check=True)
    subprocess.run([STACK, "kafka-start", STACK_DIR], check=True)
result = json.loads(load.communicate(timeout=240)[0])
equal("orders sent, completed, compensated", (result["sent"], result["completed"], result["compensated"]), (COUNT, COUNT - REFUSED, REFUSED))
equal("the worker still runs", worker.poll(), None)
baton.check(COUNT, completed=COUNT - REFUSED, compensated=REFUSED)

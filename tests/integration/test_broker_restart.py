"""The broker is restarted in mid-run, gently and by kill -9: the worker starts over by itself, every order ends once."""
import json
import os
import subprocess

from stack import STACK_DIR, Baton, equal, exactly_once, until

COUNT = 2000
STACK = os.environ["STACK"]
baton = Baton("broker.")
worker = baton.worker("one")
baton.ready(worker)
baton.participants()
load = baton.load("b-", COUNT)
for sagas, fault in ((200, "kafka-stop"), (900, "kafka-kill")):
    until(lambda: load.poll() is not None or len(baton.listed(COUNT)) >= sagas, f"{sagas} sagas", 120)
    assert load.poll() is None, "the load ended before the fault: it proved nothing"
    subprocess.run([STACK, fault, STACK_DIR], check=True)
    subprocess.run([STACK, "kafka-start", STACK_DIR], check=True)
result = json.loads(load.communicate(timeout=240)[0])
equal("orders sent, ended, completed", (result["sent"], result["done"], result["completed"]), (COUNT, COUNT, COUNT))
until(lambda: sum(row["status"] == "completed" for row in baton.listed()) == COUNT, "all orders in the view")
equal("the worker still runs", worker.poll(), None)
exactly_once(baton, COUNT)

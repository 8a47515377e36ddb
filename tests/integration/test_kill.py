"""Three workers, kill -9 at random points while 2,000 orders run: every order ends once, every command attempt is seen once."""
import json
import random
import time

from stack import Baton, equal, exactly_once, until

COUNT = 2000
SEED = time.time_ns()
print(f"seed {SEED}")
random.seed(SEED)
baton = Baton("kill.", partitions=6)
workers = {name: baton.worker(name) for name in ("a", "b", "c")}
baton.ready(workers["a"])
baton.participants()
load = baton.load("k-", COUNT)
kills = 0
while load.poll() is None and kills < 6:
    name = random.choice(list(workers))
    before = len(baton.listed(COUNT))
    # A random distance into the work, not into time.
    until(lambda: load.poll() is not None or len(baton.listed(COUNT)) >= min(COUNT, before + random.randint(1, 200)), "progress", 120)
    workers[name].kill()
    workers[name].wait()
    workers[name] = baton.worker(name)
    kills += 1
result = json.loads(load.communicate(timeout=240)[0])
equal("orders sent and ended", (result["sent"], result["done"], result["completed"]), (COUNT, COUNT, COUNT))
until(lambda: sum(row["status"] == "completed" for row in baton.listed(COUNT)) == COUNT, "all orders in the view")
rows = baton.listed(10000)
equal("sagas in the view", len(rows), COUNT)
attempts = [step["attempts"] for row in rows[:200] for step in baton.status(row["id"])["steps"].values()]
equal("attempts of each step", set(attempts), {1})
exactly_once(baton, COUNT)
print(f"{kills} kills")

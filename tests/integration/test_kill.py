"""Three workers of two threads, kill -9 at random points while 2,000 orders run and a quarter of them is refused: every order ends once,
completed or compensated; every command attempt is seen once."""
import json
import random
import time

from stack import Baton, equal, share, until

COUNT, REFUSED = 2000, 500
SEED = time.time_ns()
print(f"seed {SEED}")
random.seed(SEED)
baton = Baton("kill", partitions=6, threads=2)
workers = {name: baton.worker(name) for name in ("a", "b", "c")}
baton.ready(workers["a"])
baton.participants(share(25))
load = baton.load("k-", COUNT)
kills = 0
while load.poll() is None and kills < 6:
    name = random.choice(list(workers))
    # A random distance into the work, not into time.
    goal = min(COUNT, baton.count() + random.randint(1, 200))
    until(lambda: load.poll() is not None or baton.count() >= goal, "progress", 120)
    workers[name].kill()
    workers[name].wait()
    workers[name] = baton.worker(name)
    kills += 1
result = json.loads(load.communicate(timeout=240)[0])
equal("orders sent, completed, compensated", (result["sent"], result["completed"], result["compensated"]), (COUNT, COUNT - REFUSED, REFUSED))
until(lambda: baton.count() == COUNT, "all orders in the view")
print(f"{kills} kills")
assert kills > 0, "the load ended before the first kill: it proved nothing"
for name, worker in workers.items():
    until(lambda: worker.poll() is None, f"worker {name} runs")
baton.once(baton.check(COUNT, completed=COUNT - REFUSED, compensated=REFUSED))

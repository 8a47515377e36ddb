"""Redis may lie: rolled back to an earlier second as by a failover, FLUSHALL, then a restart that loses everything, all in mid-run and while
a quarter of the orders is refused: no order is lost, none is done or undone twice."""
import json
import os
import subprocess

import checker
from stack import REDIS, STACK, STACK_DIR, Baton, equal, share, until

COUNT, REFUSED = 2000, 500
# More sagas under way than the cache holds: replies find theirs in Redis, or do not.
baton = Baton("lies", cacheBytes=1048576)
worker = baton.worker("one")
baton.ready(worker)
baton.participants(share(25))
load = baton.load("l-", COUNT, window=1000)


def reach(sagas):
    until(lambda: load.poll() is not None or baton.count() >= sagas, f"{sagas} sagas")
    assert load.poll() is None, "the load ended before the fault: it proved nothing"


def keys(redis):
    return redis(("KEYS", baton.prefix + "baton:*"))[0]


def watermarks():
    return [int(w or 0) for w in redis(*[("HGET", f"{baton.prefix}baton:{{{partition}}}:meta", "w") for partition in range(baton.partitions)])]


def beyond(before, what):
    """Every partition shows more than it did."""
    until(lambda: all(now > then for now, then in zip(watermarks(), before)), what)


reach(100)
redis = checker.Redis(REDIS)
names, before = keys(redis), watermarks()
earlier = [(name, value) for name, value in zip(names, redis(*[("DUMP", name) for name in names])) if value]
beyond(before, "transactions that the older view does not show")
newest = watermarks()
redis(("MULTI",), ("DEL", *keys(redis)), *[("RESTORE", name, 0, value) for name, value in earlier], ("EXEC",))
beyond(newest, "the repair of what was rolled back")
reach(800)
newest = watermarks()
redis(("FLUSHALL",))
beyond(newest, "the repair of what was wiped")
reach(1100)
subprocess.run([STACK, "redis-kill", STACK_DIR], check=True)
subprocess.run(["rm", "-rf", os.path.join(STACK_DIR, "appendonlydir")], check=True)
subprocess.run([STACK, "redis-start", STACK_DIR], check=True)

result = json.loads(load.communicate(timeout=240)[0])
equal("orders sent, completed, compensated", (result["sent"], result["completed"], result["compensated"]), (COUNT, COUNT - REFUSED, REFUSED))
baton.once(baton.check(COUNT, completed=COUNT - REFUSED, compensated=REFUSED))

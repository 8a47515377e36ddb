"""A worker is killed (-9) with answers under way: the other one, with nothing but Kafka and Redis, goes on where it was."""
import json
import time

from participants import done
from stack import Baton, equal, until

SAGAS = 60
baton = Baton("handover", partitions=4, consumer={})  # the session timeout that a worker has by itself
workers = {name: baton.worker(name) for name in ("one", "two")}
for worker in workers.values():
    baton.ready(worker)
people = baton.participants()


def owners():
    """Partition -> the worker that wrote its last journal record."""
    return {record.partition: json.loads(record.value)["worker"] for record in baton.records("baton.journal")}


# Both work: whatever is started now spreads over both.
rounds = 0
while set(owners().values()) != set(workers):
    sagas = [f"first-{rounds}-{number}" for number in range(SAGAS)]
    for saga in sagas:
        baton.start("bench-order", saga)
    for saga in sagas:
        baton.ends(saga, "completed")
    rounds += 1
    assert rounds < 20, f"one worker has everything: {owners()}"
victim = "one"
theirs = [partition for partition, owner in owners().items() if owner == victim]
orphans = [f"orphan-{number}" for number in range(SAGAS) if baton.home(f"orphan-{number}") in theirs]
assert orphans
for saga in orphans:
    people.script(saga, "authorize", done().with_(held="answers"))
    baton.start("bench-order", saga)
until(lambda: sum(len(people.seen(saga, "authorize")) for saga in orphans) == len(orphans), "the commands at their participants")

killed_ms = time.time_ns() // 1000000
workers[victim].kill()
workers[victim].wait()
people.release("answers")
for saga in orphans:
    baton.ends(saga, "completed")
case = baton.check(rounds * SAGAS + len(orphans), completed=rounds * SAGAS + len(orphans))
baton.once(case)
for partition in theirs:
    names = [record["worker"] for record in case.journal[partition]]
    last = len(names) - 1 - names[::-1].index(victim)
    equal(f"writers of partition {partition} after the killed one", set(names[last + 1:]), {"two"})
    print(f"partition {partition}: {case.journal[partition][last + 1]['at'] - killed_ms} ms from kill -9 to the next transaction")

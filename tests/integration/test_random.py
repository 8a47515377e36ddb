"""A hundred random definitions, random participants, two workers, one of them killed in the middle: every saga ends, or parks with a reason.

The definitions are those of core.apply_random's generator, with every duration a twentieth as long; participants succeed, refuse, fail for a while, are
silent, late, pending or say everything twice, and from the fourth attempt on they do what is asked, so that there is an end. Signals come early, late and
to whoever waits for ever. The checker judges; besides, what a participant said it has done is held against the state, reply mappings included.

usage: test_random.py [--seed N|new] [--definitions N] [--sagas N]"""
import argparse
import collections
import json
import os
import random
import re
import subprocess
import time
import zlib

import checker
from participants import SILENT, Answer, done, error, passing, pending, problem, refused, thrown
from stack import BATON, REDIS, Baton, equal, until

WINDOW = 150  # sagas under way
PATIENCE = 180
arguments = argparse.ArgumentParser(usage=__doc__)
arguments.add_argument("--seed", default="new")
arguments.add_argument("--definitions", type=int, default=100)
arguments.add_argument("--sagas", type=int, default=800)
arguments = arguments.parse_args()
SEED = time.time_ns() if arguments.seed == "new" else int(arguments.seed)
print(f"seed {SEED} (again: --seed {SEED})", flush=True)


def drawn(*what):
    """A source of its own for each thing, so that the order in which things happen changes nothing that is drawn."""
    return random.Random(zlib.crc32(repr((SEED, *what)).encode()))


# --- definitions ---

UNITS = {"ms": 1, "s": 1000, "m": 60000, "h": 3600000, "d": 86400000}


def quick(value):
    """Durations a twentieth as long, times long past."""
    if isinstance(value, dict):
        return {key: quick(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [quick(inner) for inner in value]
    duration = re.fullmatch(r"(\d+)(ms|s|m|h|d)", value) if isinstance(value, str) else None
    if duration:
        ms = int(duration[1]) * UNITS[duration[2]]
        return f"{max(1, ms // 20) if ms else 0}ms"
    return re.sub(r"20\d\d-(\d\d-\d\dT)", r"2001-\1", value) if isinstance(value, str) else value


lines = subprocess.run([os.environ["PRINT_DEFINITIONS"], str(SEED), str(arguments.definitions)], stdout=subprocess.PIPE, check=True).stdout
definitions = [{**quick(json.loads(line)), "name": f"r{number}"} for number, line in enumerate(lines.splitlines())]
equal("definitions", len(definitions), arguments.definitions)
for definition in definitions:
    definition.setdefault("defaults", {}).setdefault("timeout", "500ms")  # else it is half a minute
    definition.get("lock", {}).setdefault("timeout", "500ms")  # else it is a minute
    for step, *_ in checker.tree(definition["steps"]):
        if "saga" in step and step.get("retry", {}).get("attempts") == "unlimited":
            step["retry"]["attempts"] = 4  # one whose input is no object can never be started
# What their children are of: the definitions name it, in its newest version or in 3. Here the largest of them that has no children itself.
childless = [definition for definition in definitions if not any("saga" in step for step, *_ in checker.tree(definition["steps"]))]
definitions += [{**max(childless, key=lambda definition: len(json.dumps(definition["steps"]))), "name": "other", "version": version} for version in (1, 3)]
baton = Baton("random", partitions=4, threads=2, definitions=definitions)
validated = subprocess.run([BATON, "validate", baton.definitions], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
equal(f"exit code of validate: {validated.stderr[-2000:]}", validated.returncode, 0)
steps = {definition["name"]: {step["name"]: step for step, *_ in checker.tree(definition["steps"])} for definition in definitions}

# --- participants ---

said = collections.defaultdict(set)  # (saga, step, action) -> outcomes
kinds = collections.Counter()


def answer_as(outcome, command, draw):
    """In the words that the step's definition understands: header, body, problem, mapping."""
    mapped = command.action == "execute" and "reply" in steps[command.headers["ce_sagatype"].decode()][command.step.partition(".")[0]]
    code = draw.choice(["BUSY", "NO", "TRANSIENT"])
    if outcome == "pending":
        return pending()
    if mapped and draw.random() < 0.7:
        return done({"success": {"ok": True, "data": {"v": 7}}, "failure": {"ok": False, "why": code}, "retry": {"busy": True, "why": code}}[outcome])
    if outcome == "success":
        return Answer({"v": draw.randrange(9)}, [("saga-outcome", b"success")])
    if outcome == "retry":
        return passing(draw.choice([None, 50])) if mapped else draw.choice([passing(draw.choice([None, 50])), error(code, retryable=True)])
    return refused(code) if mapped else draw.choice([refused(code), error(code), problem(code), thrown(code)])


def behaves(command):
    draw = drawn(command.saga, command.step, command.action, command.attempt)
    outcome = draw.choices(["success", "failure", "retry", "silence", "pending"], [62, 8 if command.action == "execute" else 3, 12, 8, 10])[0]
    if command.attempt >= 4:
        outcome = "success"
    kinds[outcome] += 1
    if outcome == "silence":
        return SILENT
    answers = [answer_as(outcome, command, draw)]
    if outcome == "pending" and draw.random() < 0.8:
        outcome = "success"
        answers.append(answer_as(outcome, command, draw).with_(late=0.02))
    said[command.saga, command.step, command.action].add(outcome)
    if draw.random() < 0.1:
        kinds["twice"] += 1
        answers.append(answers[-1])
    if draw.random() < 0.1:
        kinds["late"] += 1
        answers = [answer.with_(late=draw.uniform(0.05, 2)) for answer in answers]
    return answers


# --- the run ---

ids = [f"r{number % arguments.definitions}-{number}" for number in range(arguments.sagas)]
workers = {name: baton.worker(name) for name in ("a", "b")}
for worker in workers.values():
    baton.ready(worker)
people = baton.participants(behaves)


def start(saga):
    draw = drawn(saga)
    given = {"total": draw.randrange(20), "items": ["a", {"price": 19.99}]}
    given.update(draw.choice([{}, {"who": "ann"}, {"at": "2001-01-31T12:00:00Z"}]))
    baton.producer.produce(baton.prefix + "orders.commands", value=json.dumps(given), key=saga, headers=[("saga-type", saga.split("-")[0].encode())])
    if draw.random() < 0.2:
        signal(saga, f"sig{draw.randrange(2)}")


def signal(saga, name):
    kinds["signal"] += 1
    baton.producer.produce(baton.prefix + "baton.control", value=json.dumps({"verb": "signal", "name": name, "data": {"v": 1}}), key=saga)


def is_lock(saga):
    return saga.startswith("lock:")


def look():
    """id -> status of all sagas in the view, and how many have something due."""
    redis, found, due = checker.Redis(REDIS), {}, 0
    for partition in range(baton.partitions):
        key = f"{baton.prefix}baton:{{{partition}}}"
        due_here, indexes = redis(("ZCARD", key + ":timers"), ("KEYS", key + ":index:*"))
        due += due_here
        for index, members in zip(indexes, redis(*[("ZRANGE", index, 0, -1) for index in indexes]) if indexes else []):
            found.update((member.decode(), index.rsplit(b":", 1)[1].decode()) for member in members)
    return found, due


started, killed, signalled = 0, False, set()


def queue_of(lock):
    return [row["saga"] for row in (baton.state(lock) or {}).get("queue", [])]


def rests(saga, found, asked=()):
    """Does it wait for a child, or for a lock's owner, that is parked or rests itself? Whoever waits for a signal without an end gets it."""
    def blocked(other):
        return found.get(other) == "parked" or (found.get(other) in ("running", "compensating") and (other in asked or rests(other, found, (*asked, saga))))

    state = baton.state(saga)
    if state is None or state["dueAt"] is not None:
        return False
    if is_lock(saga):
        return any(blocked(owner) for owner in queue_of(saga)[:1])
    for name, entry in state["steps"].items():
        if not entry.get("forever"):
            continue
        if "child" in entry:
            return blocked(entry["child"])
        if name == ":lock":
            return any(blocked(queue[0]) for queue in map(queue_of, filter(is_lock, found)) if saga in queue)
        if (saga, name) not in signalled:
            signalled.add((saga, name))
            signal(saga, steps[state["definition"]][name.partition(".")[0]]["wait"]["signal"])
    return False


def at_rest():
    """Everything is started, nothing is under way or due, and nobody has anything to say any more. Starts and a kill on the way."""
    global started, killed
    found, due = look()
    ours = sum("." not in saga and not is_lock(saga) for saga in found)
    under_way = [saga for saga, status in found.items() if status in ("running", "compensating")]
    while started < len(ids) and started < ours - len(under_way) + WINDOW:
        start(ids[started])
        started += 1
    if not killed and ours - len(under_way) >= arguments.sagas // 3:
        workers["a"].kill()
        workers["a"].wait()
        workers["a"] = baton.worker("a")
        killed = True
    waiting = [saga for saga in under_way if not rests(saga, found)]
    baton.producer.poll(0)
    return started == len(ids) == ours and not waiting and not due and not people.late


began = time.monotonic()
until(at_rest, "the end of all sagas", PATIENCE)
print(f"{arguments.sagas} sagas of {arguments.definitions} definitions in {time.monotonic() - began:.0f} s: "
      f"{', '.join(f'{count} {kind}' for kind, count in sorted(kinds.items()))}", flush=True)
assert killed, "no worker was killed: it proved nothing"
case = baton.check()
equal("sagas that were started", sum("parent" not in saga.state and not is_lock(name) for name, saga in case.sagas.items()), arguments.sagas)

# --- what was said that it is done, against the state ---

wrong = []
for saga, found in case.sagas.items():
    for name, entry in found.state["steps"].items():
        step = case.step_of(found.state, name)
        if found.state["status"] in ("compensated", "cancelled") and "compensation" in step and "success" in said[saga, name, "execute"] and \
                "success" not in said[saga, name, "compensate"]:
            wrong.append(f"{saga}: compensated, but {name} is done and {entry['status']}")
reasons = collections.Counter(re.sub(r"\d+", "N", found.state["parked"]["reason"])[:90] for found in case.sagas.values() if found.state["parked"])
for reason, count in reasons.most_common(12):
    print(f"parked {count}: {reason}")
equal("effects left behind", wrong, [])

"""checker.py -- a second opinion on a run: from the raw records in Kafka and the keys in Redis alone.

Owns:     what docs/protocol.md promises of them, said again in another language and with none of the worker's code: reading, the
          journal's fold, the patch, the partitioner, the order of compensations.
Never:    believes a state because the worker wrote it; writes anything.
Tests:    test_checker.py, one row a kind of damage.

usage: checker.py --brokers B --redis URL [--prefix P] [--save FILE]   judge what is there; exit 1 if something is wrong
       checker.py --load FILE                                          judge what was saved
"""
import argparse
import base64
import collections
import itertools
import json
import os
import re
import socket
import struct
import sys
import time
import zlib

PATIENCE_SECONDS = 60
HEADERS_MAX = 64
ENDED = ("completed", "compensated", "cancelled", "terminated")
REASONS = {"invalid-json", "too-large", "too-deep", "too-many-headers", "missing-id", "invalid-id", "missing-type", "unknown-definition",
           "conflicting-start", "not-an-object", "missing-correlation", "invalid-correlation", "orphan-reply", "wrong-step", "wrong-service",
           "invalid-cloudevent", "invalid-outcome", "bad-signature", "wrong-partition", "unknown-verb", "invalid-control", "unknown-saga", "reply-topic-not-allowed",
           "undeliverable", "kills-worker", "schema", "duplicate-start"}

Record = collections.namedtuple("Record", "topic partition offset key value headers")


def header(record, name):
    """The first header of that name as text; None if there is none."""
    for have, value in record.headers:
        if have.lower() == name.lower() and value is not None:
            return value.decode("utf-8", "replace")
    return None


def exact(text):
    """JSON with reals kept as they are written: 1.0, 1.00 and -0.0 differ from each other and from 1 and 0."""
    return json.loads(text, parse_float=lambda digits: {"real": digits})


def canonical(document):
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def plain(message):
    """A message id without its tag."""
    parts = (message or "").split("/")
    return "/".join(parts[:4]) if len(parts) == 5 and len(parts[4]) == 32 and set(parts[4]) <= set("0123456789abcdef") else message


def murmur2(key):
    """org.apache.kafka.common.utils.Utils.murmur2, as the Java client's partitioner uses it."""
    word = 0xffffffff
    h = 0x9747b28c ^ len(key)
    whole = len(key) // 4 * 4
    for at in range(0, whole, 4):
        k = int.from_bytes(key[at:at + 4], "little") * 0x5bd1e995 & word
        k = (k ^ k >> 24) * 0x5bd1e995 & word
        h = (h * 0x5bd1e995 & word) ^ k
    if len(key) > whole:
        h = (h ^ int.from_bytes(key[whole:], "little")) * 0x5bd1e995 & word
    h = (h ^ h >> 13) * 0x5bd1e995 & word
    return (h ^ h >> 15) & 0x7fffffff


# --- the evidence ---


class Evidence:
    """What was found: records by topic in the order of partition and offset, committed offsets, Redis keys."""

    def __init__(self, prefix="", allowed=()):
        self.prefix = prefix
        self.allowed = list(allowed)  # topics that starters may have their results sent to
        self.partitions = {}          # topic -> count
        self.records = {}             # topic -> [Record], empty topics too
        self.offsets = {}             # (topic, partition) -> (offset, metadata)
        self.redis = {}               # key -> bytes, dict of a hash, dict of a sorted set or a set

    def topic(self, role):
        return f"{self.prefix}baton.{role}"

    def of(self, role):
        return self.records.get(self.topic(role), [])

    def save(self, path):
        """One line for each thing, so that a recording can be read and compared."""
        things = [["prefix", self.prefix], ["allowed", self.allowed]]
        things += [["topic", topic, count] for topic, count in sorted(self.partitions.items())]
        things += [["offset", *where, *what] for where, what in sorted(self.offsets.items())]
        things += [["record", topic, r.partition, r.offset, latin(r.key), latin(r.value), [[name, latin(value)] for name, value in r.headers]]
                   for topic, records in sorted(self.records.items()) for r in records]
        things += [["key", key, latin(value) if isinstance(value, bytes) else sorted(value) if isinstance(value, set) else value]
                   for key, value in sorted(self.redis.items())]
        with open(path, "w", encoding="utf-8") as out:
            out.writelines(json.dumps(thing, separators=(",", ":")) + "\n" for thing in things)

    @classmethod
    def load(cls, path):
        evidence = cls()
        with open(path, encoding="utf-8") as file:
            for line in file:
                kind, *thing = json.loads(line)
                if kind in ("prefix", "allowed"):
                    setattr(evidence, kind, thing[0])
                elif kind == "topic":
                    evidence.partitions[thing[0]] = thing[1]
                    evidence.records[thing[0]] = []
                elif kind == "offset":
                    evidence.offsets[tuple(thing[:2])] = tuple(thing[2:])
                elif kind == "record":
                    topic, partition, offset, key, value, headers = thing
                    headers = [(name, raw(text)) for name, text in headers]
                    evidence.records[topic].append(Record(topic, partition, offset, raw(key), raw(value), headers))
                else:
                    key, value = thing
                    evidence.redis[key] = raw(value) if isinstance(value, str) else set(value) if isinstance(value, list) else value
        return evidence


def latin(value):
    return None if value is None else value.decode("latin-1")


def raw(text):
    return None if text is None else text.encode("latin-1")


class Redis:
    """The protocol's few lines: commands in one write, replies in order."""

    def __init__(self, url):
        host, port = url.split("//")[1].split("/")[0].rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=30)
        self.file = self.socket.makefile("rb")

    def __call__(self, *commands):
        packed = []
        for command in commands:
            packed.append(b"*%d\r\n" % len(command))
            for part in command:
                part = part if isinstance(part, bytes) else str(part).encode()
                packed.append(b"$%d\r\n%s\r\n" % (len(part), part))
        self.socket.sendall(b"".join(packed))
        return [self.reply() for _ in commands]

    def reply(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        return int(rest) if kind == b":" else rest


def read_redis(url, prefix):
    """Every key of the prefix."""
    redis = Redis(url)
    keys, cursor = set(), b"0"
    while True:
        cursor, found = redis(("SCAN", cursor, "MATCH", prefix + ":*", "COUNT", 2000))[0]
        keys.update(found)
        if cursor == b"0":
            break
    keys = sorted(keys)
    ask = {b"string": ("GET",), b"hash": ("HGETALL",), b"zset": ("ZRANGE", 0, -1, "WITHSCORES"), b"set": ("SMEMBERS",)}
    kinds = redis(*[("TYPE", key) for key in keys]) if keys else []
    values = redis(*[(ask[kind][0], key, *ask[kind][1:]) for key, kind in zip(keys, kinds)]) if keys else []
    found = {}
    for key, kind, value in zip(keys, kinds, values):
        if kind == b"hash":
            value = {name.decode(): text.decode() for name, text in zip(value[::2], value[1::2])}
        elif kind == b"zset":
            value = {name.decode(): int(float(score)) for name, score in zip(value[::2], value[1::2])}
        elif kind == b"set":
            value = {name.decode() for name in value}
        found[key.decode()] = value
    return found


def client(brokers):
    """What every client of the tests has: a broker that a test restarts is no news."""
    return {"bootstrap.servers": brokers, "log_level": 2}


def read_topics(brokers, wanted):
    """Partition counts and all records of the topics for which wanted(name), as a read_committed reader sees them to their very end."""
    from confluent_kafka import Consumer, KafkaError, TopicPartition

    common = {**client(brokers), "group.id": "checker", "enable.auto.commit": False}
    ends = Consumer({**common, "isolation.level": "read_uncommitted"})
    topics = {name: topic for name, topic in ends.list_topics(timeout=30).topics.items() if wanted(name)}
    places = [TopicPartition(name, partition) for name, topic in topics.items() for partition in topic.partitions]
    left = {}
    for place in places:
        low, high = ends.get_watermark_offsets(place, timeout=30)
        if low < high:
            left[place.topic, place.partition] = high
            place.offset = low
    ends.close()
    consumer = Consumer({**common, "isolation.level": "read_committed", "enable.partition.eof": True, "auto.offset.reset": "error",
                         "fetch.wait.max.ms": 20, "fetch.message.max.bytes": 4000000})
    consumer.assign([place for place in places if (place.topic, place.partition) in left])
    records = {name: [] for name in topics}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while left:
        for message in consumer.consume(2000, 0.1):
            place = message.topic(), message.partition()
            if message.error() is None:
                records[place[0]].append(Record(*place, message.offset(), message.key(), message.value(), message.headers() or []))
            elif message.error().code() != KafkaError._PARTITION_EOF:
                raise SystemExit(f"checker: {place}: {message.error()}")
            elif message.offset() >= left.get(place, 0):  # else a transaction is still undecided
                left.pop(place, None)
        if time.monotonic() > deadline:
            raise SystemExit(f"checker: not readable to their ends, a transaction is still open: {sorted(left)}")
    consumer.close()
    for found in records.values():
        found.sort(key=lambda record: record[1:3])
    return {name: len(topic.partitions) for name, topic in topics.items()}, records


def committed_offsets(records, group):
    """The newest offset and metadata of each partition, from the group coordinator's own log."""
    found = {}

    def text(data, at):
        length = struct.unpack_from(">h", data, at)[0]
        return data[at + 2:at + 2 + length].decode(), at + 2 + length

    for record in records:
        if struct.unpack_from(">h", record.key)[0] > 1:
            continue  # a group's metadata
        name, at = text(record.key, 2)
        topic, at = text(record.key, at)
        partition = struct.unpack_from(">i", record.key, at)[0]
        if name != group:
            continue
        if record.value is None:
            found.pop((topic, partition), None)
            continue
        version, offset = struct.unpack_from(">hq", record.value)
        at = 10 + (4 if version >= 3 else 0)
        if version >= 4:  # a compact string; the metadata are far below 127 bytes
            found[topic, partition] = offset, record.value[at + 1:at + record.value[at]].decode()
        else:
            found[topic, partition] = offset, text(record.value, at)[0]
    return found


def collect(brokers, redis_url, prefix, group=None, redis_prefix=None, allowed=()):
    evidence = Evidence(prefix, allowed)
    offsets = "__consumer_offsets"
    evidence.partitions, evidence.records = read_topics(brokers, lambda name: name == offsets or name.startswith(prefix) or name in allowed)
    evidence.offsets = committed_offsets(evidence.records.pop(offsets, []), group or prefix + "baton")
    evidence.partitions.pop(offsets, None)
    evidence.redis = read_redis(redis_url, redis_prefix or prefix + "baton")
    return evidence


# --- the journal and its fold ---


Step = collections.namedtuple("Step", "seq partition step before after")  # one event of one saga; before and after: its whole state


class Saga:
    def __init__(self, partition):
        self.partition = partition
        self.state = None     # None: not started, or purged
        self.steps = []       # [Step]
        self.changed_at = 0   # seq of the partition at its last change
        self.at_seq = []      # [(seq of the partition, state as text or None)]


def apply_patch(state, patch):
    """The state after; the one before stays as it was."""
    after = dict(state)
    given = patch["set"]
    for name in ("status", "seq", "updatedAt"):
        after[name] = given[name]
    for name, otherwise in (("endedAt", None), ("deadlineAt", None), ("dueAt", None), ("turnedBack", False), ("duplicates", 0), ("late", 0),
                            ("historyDropped", 0)):
        after[name] = given.get(name, otherwise)
    for name in ("output", "error", "parked"):
        after[name] = given.get(name, state[name])
    if "parent" in given:
        after["parent"] = given["parent"]
    if "queue" in given:
        after["queue"] = given["queue"]
        if given["queue"] is None:
            del after["queue"]
    if "signals" in given:
        after["signals"] = given["signals"]
        if given["signals"] is None:
            del after["signals"]
    after["steps"] = {**state["steps"], **patch.get("steps", {})}
    after["history"] = state["history"][patch.get("cut", 0):] + patch.get("history", [])
    return after


def stand_in(step):
    """What stands in for a step that is given up, as a step: what it leaves out is as the step says, but it is undone where it was done."""
    inherited = {key: step[key] for key in ("reply", "compensation") if key in step and "service" in step["fallback"]}
    if "compensation" in inherited:
        inherited["compensation"] = {key: value for key, value in inherited["compensation"].items() if key != "service"}
    return {**inherited, **step["fallback"], "name": step["name"] + ":fallback"}


def as_command(step):
    """A tcc step is a command that tries, and a compensation that cancels."""
    return {**step, "command": step["tcc"]["try"]["command"], "compensation": step["tcc"]["cancel"]} if "tcc" in step else step


def tree(steps, numbers=None, group=None, case=0, way=()):
    """(step, name of the group it stands in or None, its case there from 1, 0 = no switch, its way), in the order of the text. The way is
    that of the groups around it, from the outermost: (name, number of the branch from 1, 0 = no parallel, EACH = a forEach, whose iterations
    are its branches in a run). Numbers: of parallels."""
    numbers = numbers or itertools.count(1)
    for step in steps:
        if "parallel" in step:
            step = {"name": f"parallel-{next(numbers)}", **step}
        name = step["name"]
        yield as_command(step), group, case, way
        if "fallback" in step:
            yield stand_in(step), None, 0, way + ((name, 0),)
        if "tcc" in step:
            yield {**step["tcc"]["confirm"], "name": name + ":confirm", "service": step["service"], "confirms": name}, None, 0, ()
        yield from tree(step.get("sequence", []), numbers, name, 0, way + ((name, 0),))
        for number, item in enumerate(step.get("switch", []), 1):
            yield from tree(item["steps"], numbers, name, number, way + ((name, 0),))
        yield from tree(step.get("default", []), numbers, name, len(step.get("switch", [])) + 1, way + ((name, 0),))
        for number, branch in enumerate(step.get("parallel", []), 1):
            yield from tree(branch, numbers, name, 0, way + ((name, number),))
        yield from tree(step.get("forEach", {}).get("steps", []), numbers, name, 0, way + ((name, EACH),))


EACH = -1


def each_around(way):
    """The forEach on this way, or None."""
    return next((name for name, branch in way if branch == EACH), None)


def in_iteration(defined, each, iteration):
    """The step's definition as it stands in one iteration: so are the names of what is in there with it."""
    step, group, case, way = defined
    outside = [name for name, _ in way].index(each)
    inside = tuple((f"{name}.{iteration}", branch) for name, branch in way[outside + 1:])
    return step, group if group in (None, each) else f"{group}.{iteration}", case, way[:outside] + ((each, iteration + 1),) + inside


def stand_in_of(name):
    """Of `pay` it is `pay:fallback`, of `pay.3` it is `pay:fallback.3`."""
    base, dot, iteration = name.partition(".")
    return f"{base}:fallback{dot}{iteration}"


def quorum_of(step):
    """So many branches of the parallel have to be done."""
    join = step.get("join", "all")
    return join["quorum"] if isinstance(join, dict) else 1 if join == "any" else len(step["parallel"])


def same_branch(way, other):
    """As far as both go: is there no parallel of which they are in two branches?"""
    for (name, branch), (its, another) in zip(way, other):
        if name != its:
            return True
        if branch != another:
            return False
    return True


class Job:
    """What the journal says of a job: its pages' messages, and how often it changed each saga, or was refused by it."""

    def __init__(self):
        self.pages, self.accepted, self.refused = [], collections.Counter(), collections.Counter()


class Case:
    """The evidence taken apart once; what does not even parse is a finding already."""

    def __init__(self, evidence):
        self.evidence = evidence
        self.findings = []
        self.sagas = {}                                     # id -> Saga
        self.journal = collections.defaultdict(list)        # partition -> [whole record: seq, vector, c, co, offset, steps]
        self.causes = collections.defaultdict(list)         # (topic, partition) -> [offset], as events and notes name them
        self.notes = []                                     # (what, topic, partition, offset, saga id or None)
        self.verbs = {}                                     # (topic, partition, offset) of a control message -> (outcome, seq or None)
        self.jobs = collections.defaultdict(Job)            # id -> what the journal says of it
        self.by_hand = set()                                # (saga id, step) that an operator skipped or completed
        self.on_duplicate = {}                              # (name, version) -> what becomes of a start whose saga exists
        self.runs = {}                                      # what defined() has made, by the number of items of each forEach
        self.definitions = {}                               # (name, version) -> {step name: (step, name of its group, case)}
        for record in evidence.of("definitions"):
            if record.value and not record.key.startswith(b"."):
                definition = json.loads(record.value)
                self.on_duplicate[definition["name"], definition["version"]] = definition.get("onDuplicate", "same")
                self.definitions[definition["name"], definition["version"]] = {
                    step["name"]: (step, *at) for step, *at in tree(definition["steps"])}
                if "lock" in definition:
                    wait = {"signal": ":lock", "timeout": definition["lock"].get("timeout", "1m")}
                    self.definitions[definition["name"], definition["version"]][":lock"] = {"name": ":lock", "wait": wait}, None, 0, ()
        self.definitions["baton-lock", 1] = {"held": ({"name": "held", "wait": {"signal": "left", "timeout": "never"}}, None, 0, ())}
        self.read_journal()
        for partition, records in sorted(self.journal.items()):
            for record in records:
                for step in record["steps"]:
                    self.fold(partition, record, step)

    def wrong(self, text):
        self.findings.append(text)

    def step_of(self, state, name):
        return self.definitions.get((state["definition"], state["version"]), {}).get(name.partition(".")[0], ({},))[0]

    def defined(self, state):
        """Of its definition, in this run: step name -> (step, group, case, way); what stands in a forEach once for each iteration that there is."""
        raw = self.definitions.get((state["definition"], state["version"]), {})
        counts = tuple((name, state["steps"].get(name, {}).get("count", 0)) for name, (step, *_) in raw.items() if "forEach" in step)
        if not counts:
            return raw
        known = self.runs.get((state["definition"], state["version"], counts))
        if known is None:
            known = self.runs[state["definition"], state["version"], counts] = {}
            for name, defined in raw.items():
                each = each_around(defined[3])
                if each is None:
                    known[name] = defined
                for iteration in range(dict(counts)[each] if each else 0):
                    known[f"{name}.{iteration}"] = in_iteration(defined, each, iteration)
        return known

    def loss(self, state, name):
        """The way to the innermost branch around the step that has lost; () = the saga has turned back, None = nothing is lost there."""
        way = self.defined(state).get(name, ({}, None, 0, ()))[3]
        for depth in range(len(way), 0, -1):
            group, branch = way[depth - 1]
            if branch in state["steps"].get(group, {}).get("lost", []):
                return way[:depth]
        return () if state["turnedBack"] else None

    def have_order(self, state, one, other):
        """Must these two be undone one after the other? Not in two branches, and not if one stands in a branch that lost and the other
        comes after that group."""
        ways = self.defined(state)
        first, second = sorted((one, other), key=list(ways).index)
        if not same_branch(ways[first][3], ways[second][3]):
            return False
        common = len(os.path.commonprefix([ways[first][3], ways[second][3]]))
        return not any(branch in state["steps"].get(group, {}).get("lost", []) for group, branch in ways[first][3][common:])

    def read_record(self, record):
        """Its document, or None: framing, CRC and count are judged here."""
        where = f"journal[{record.partition}]@{record.offset}"
        mark = record.value.find(b',"crc":"')
        begin = record.value.find(b'","steps":[', mark)
        if not record.value.startswith(b'{"v":1,"seq":') or mark < 0 or begin != mark + 16 or not record.value.endswith(b"]}"):
            self.wrong(f"{where}: not framed as a journal record")
            return None
        inside = record.value[begin + len(b'","steps":['):-2]
        if zlib.crc32(inside, zlib.crc32(record.value[:mark])) != int(record.value[mark + 8:mark + 16], 16):
            self.wrong(f"{where}: CRC")
            return None
        document = exact(record.value)
        if document["n"] != len(document["steps"]):
            self.wrong(f"{where}: n is {document['n']}, it has {len(document['steps'])} steps")
        return document

    def read_journal(self):
        """Records by partition, parts joined; no gap in seq, vectors and checkpoints that only grow."""
        parts = []
        for record in self.evidence.of("journal"):
            where = f"journal[{record.partition}]@{record.offset}"
            document = self.read_record(record)
            if document is None:
                continue
            k, n = document["part"]
            if parts and (parts[0]["seq"] != document["seq"] or k != len(parts) + 1):
                self.wrong(f"{where}: part {k} of {n} of seq {document['seq']} after part {len(parts)} of seq {parts[0]['seq']}")
                parts = []
            elif not parts and k != 1:
                self.wrong(f"{where}: part {k} of {n} of seq {document['seq']} without the parts before")
            document["offset"] = record.offset
            parts.append(document)
            if k < n:
                continue
            whole = {**parts[0], "steps": [step for part in parts for step in part["steps"]]}
            parts = []
            before = self.journal[record.partition][-1] if self.journal[record.partition] else None
            self.follow(where, before, whole)
            self.journal[record.partition].append(whole)

    def follow(self, where, before, record):
        if record["seq"] != (before["seq"] + 1 if before else 1):
            self.wrong(f"{where}: seq {record['seq']} after {before['seq'] if before else 'nothing'}")
        if record["c"] > record["seq"]:
            self.wrong(f"{where}: checkpoint {record['c']} beyond seq {record['seq']}")
        if before is None:
            return
        if set(record["vector"]) != set(before["vector"]):
            self.wrong(f"{where}: the vector names other topics than the one before")
        for topic, offset in record["vector"].items():
            if offset < before["vector"].get(topic, 0):
                self.wrong(f"{where}: the vector of {topic} goes back from {before['vector'][topic]} to {offset}")
        if record["c"] < before["c"]:
            self.wrong(f"{where}: the checkpoint goes back from {before['c']} to {record['c']}")

    def note_cause(self, partition, record, step, counts):
        if step["cause"] == "timer":
            return
        topic, cause_partition, offset = step["cause"]
        where = f"journal[{partition}] seq {record['seq']}"
        if cause_partition != partition:
            self.wrong(f"{where}: an input of partition {cause_partition} is in it")
        if not offset < record["vector"].get(topic, 0):
            self.wrong(f"{where}: {topic}@{offset} is not before its vector")
        if counts:
            self.causes[topic, partition].append(offset)

    def fold(self, partition, record, step):
        where = f"journal[{partition}] seq {record['seq']}"
        if "note" in step:
            job = step.get("event", {}).get("job")
            self.note_cause(partition, record, step, job is None)  # the job's own note stands for its message
            self.notes.append((step["note"], *step["cause"], step.get("id")))
            if step["note"] == "job":
                self.jobs[step["id"]].pages.append(tuple(step["cause"]))
            elif job is not None:
                self.jobs[job].refused[step["id"]] += 1
            elif step["note"] == "refused":
                self.verbs[tuple(step["cause"])] = "refused", None
            elif step["note"] == "dead-letter:unknown-saga":
                self.verbs[tuple(step["cause"])] = "unknown-saga", None
            return
        saga_id = step["purge"] if "purge" in step else step["id"]
        saga = self.sagas.setdefault(saga_id, Saga(partition))
        if murmur2(saga_id.encode()) % self.evidence.partitions[self.evidence.topic("journal")] != partition:
            self.wrong(f"{where}: saga {saga_id} is not at home in this partition")
        before = saga.state
        if "purge" in step:
            saga.state = None
        else:
            # A parking, and what a job asks, stand beside the note of their input.
            self.note_cause(partition, record, step, "park" not in step["event"] and "job" not in step["event"])
            saga.state = self.next_state(where, saga, step)
            if "signal" in step["event"]:
                self.verbs[tuple(step["cause"])] = "accepted" if step["as"] == "applied" else "refused", step["seq"]
            elif "verb" in step["event"]:
                if "job" in step["event"]:
                    self.jobs[step["event"]["job"]].accepted[saga_id] += 1
                else:
                    self.verbs[tuple(step["cause"])] = "accepted", step["seq"]
                if step["event"]["verb"] in ("skip", "complete"):
                    self.by_hand.add((saga_id, step["event"]["step"]))
        if saga.state is not None:
            if saga.state["seq"] != step["seq"] or saga.state["id"] != saga_id:
                self.wrong(f"{where}: saga {saga_id}: the state after it is of {saga.state['id']} seq {saga.state['seq']}, the step says "
                           f"{step['seq']}")
            saga.steps.append(Step(record["seq"], partition, step, before, saga.state))
        saga.changed_at = record["seq"]
        saga.at_seq.append((record["seq"], None if saga.state is None else canonical(saga.state)))

    def next_state(self, where, saga, step):
        had = saga.state["seq"] if saga.state else 0
        if step["seq"] != had + 1:
            self.wrong(f"{where}: saga {step['id']} goes from seq {had} to {step['seq']}")
        if "state" in step:
            return step["state"]
        if saga.state is None:
            return None
        patch = step["patch"]
        for name in step.get("outputIsBody", []):
            patch["steps"][name]["output"] = step["event"]["body"]
        return apply_patch(saga.state, patch)


# --- judgements: each yields sentences ---


def check_offsets(case):
    """What the group has committed is what the last journal record says: a transaction is one."""
    for partition, records in case.journal.items():
        last = records[-1]
        for topic, offset in last["vector"].items():
            have, metadata = case.evidence.offsets.get((topic, partition), (None, None))
            if have != offset:
                yield f"{topic}[{partition}]: the group's offset is {have}, the journal's vector says {offset}"
            if metadata != f"1;seq={last['seq']};c={last['c']}":
                yield f"{topic}[{partition}]: the group's metadata are {metadata}, the journal ends at seq {last['seq']}, c {last['c']}"


def check_inputs(case):
    """Every input that was read is journalled, once: applied, ignored with a word, forwarded or a dead letter."""
    topics = {topic for records in case.journal.values() for record in records for topic in record["vector"]}
    for topic in sorted(topics):
        for partition in range(case.evidence.partitions.get(topic, 0)):
            records = case.journal.get(partition)
            end = records[-1]["vector"][topic] if records else 0
            read = [record.offset for record in case.evidence.records[topic] if record.partition == partition and record.offset < end]
            told = case.causes[topic, partition]
            if sorted(told) != told:
                yield f"{topic}[{partition}]: inputs are journalled in another order than they lie in the topic"
            counts = collections.Counter(told)
            for offset in read:
                if counts[offset] != 1:
                    yield f"{topic}[{partition}]@{offset}: journalled {counts[offset]} times"
            for offset in set(told) - set(read):
                yield f"{topic}[{partition}]@{offset}: journalled, but no such record is to be seen"
            for record in case.evidence.records[topic]:
                if record.partition == partition and record.offset >= end:
                    yield f"{topic}[{partition}]@{record.offset}: never read"


def lookup(case, topic, partition, offset):
    return next((record for record in case.evidence.records.get(topic, []) if record.partition == partition and record.offset == offset), None)


def without(headers, prefix):
    return [(name, value) for name, value in headers if not name.lower().startswith(prefix)]


def check_dead_letters(case):
    """Each one noted in the journal, once, and whole: key, value and headers to the byte."""
    noted = {tuple(note[1:4]): note[0].split(":", 1)[1] for note in case.notes if note[0].startswith("dead-letter:")}
    seen = set()
    for letter in case.evidence.of("dlq"):
        where = f"dead letter @{letter.offset}"
        origin = header(letter, "dlq-topic"), int(header(letter, "dlq-partition") or -1), int(header(letter, "dlq-offset") or -1)
        reason = header(letter, "dlq-reason")
        original = lookup(case, *origin)
        if original is None:
            yield f"{where}: its origin {origin} is not there"
            continue
        if origin in seen:
            yield f"{where}: {origin} is in the dead letters already"
        seen.add(origin)
        if noted.get(origin) != reason or reason not in REASONS:
            yield f"{where}: its reason is {reason}, the journal says {noted.get(origin)}"
        if not header(letter, "dlq-error"):
            yield f"{where}: does not say what is wrong"
        if letter.key != original.key or letter.value != original.value:
            yield f"{where}: key or value is not that of {origin}"
        whole = without(original.headers[:HEADERS_MAX], "dlq-")
        if without(letter.headers, "dlq-") != whole:
            yield f"{where}: its headers are not those of {origin}"
        if int(header(letter, "dlq-headers-dropped") or 0) != max(0, len(original.headers) - HEADERS_MAX):
            yield f"{where}: dlq-headers-dropped is wrong"
    for origin in set(noted) - seen:
        yield f"{origin}: journalled as a dead letter, but not in the dead letters"


def check_duplicates(case):
    """A start whose saga exists is counted or refused, as the saga's definition says."""
    for saga_id, saga in case.sagas.items():
        for step in saga.steps:
            policy = case.on_duplicate.get((step.after["definition"], step.after["version"]), "same")
            event = step.step["event"]
            if "start" in event and step.step["as"] == "duplicate" and "parent" not in event and policy == "reject":
                yield f"saga {saga_id}: started again, though its definition takes each id once"
    for what, topic, partition, offset, saga_id in case.notes:
        steps = case.sagas[saga_id].steps if what == "dead-letter:duplicate-start" and saga_id in case.sagas else []
        if what == "dead-letter:duplicate-start" and "reject" not in {case.on_duplicate.get((step.after["definition"], step.after["version"])) for step in steps}:
            yield f"{topic}[{partition}]@{offset}: refused as a duplicate, though the definition of saga {saga_id} takes the same start again"


def check_forwarded(case):
    """Each forwarded message arrives once, whole, on the saga's own partition."""
    arrived = collections.Counter()
    for topic, records in case.evidence.records.items():
        for record in records:
            origin = (header(record, "baton-forwarded") or "").rsplit("/", 2)
            if origin[0] != topic:
                continue  # a copy in the dead letters, or somebody else's header
            where = f"{topic}[{record.partition}]@{record.offset}"
            arrived["/".join(origin)] += 1
            original = lookup(case, topic, int(origin[1]), int(origin[2]))
            if original is None or original.value != record.value or without(record.headers, "baton-forwarded") != original.headers:
                yield f"{where}: not what was forwarded from {origin}"
            if murmur2(record.key or b"") % case.evidence.partitions[topic] != record.partition:
                yield f"{where}: forwarded to a wrong partition"
    noted = collections.Counter(f"{topic}/{partition}/{offset}" for what, topic, partition, offset, _ in case.notes if what == "forwarded")
    if noted != arrived:
        yield f"forwarded: the journal says {dict(noted - arrived)}, the topics {dict(arrived - noted)}"


def commands_of(case):
    for topic, records in case.evidence.records.items():
        if topic.endswith(".commands"):
            for record in records:
                if header(record, "ce_sagaaction"):
                    yield record


def check_dataref(got, state, step, defined, own):
    """A reference goes on with a value that is passed on whole, and with no other."""
    template = defined.get("input")
    whole = re.fullmatch(r"\$\{\s*(?:input|steps\.([A-Za-z0-9_]+)\.output)\s*\}", template) if isinstance(template, str) else None
    source = None if whole is None else state["steps"].get(whole[1] + step.partition(".")[1] + step.partition(".")[2], state["steps"].get(whole[1], {})) if whole[1] else state
    if got is not None and (source is None or source.get("dataref", got) != got and "fallback" not in source):
        yield f"ce_dataref {got}, of which its input is no copy"
    if got is None and whole is not None and not whole[1] and "dataref" in state and own not in state["steps"].get(step, {}):
        yield f"its input is the saga's, its ce_dataref {state['dataref']} is missing"


def check_commands(case):
    """Each attempt once, in its service's topic; ids, keys and partition of one mind; and just those that the journal sent."""
    seen, polls = collections.Counter(), collections.defaultdict(list)
    for command in commands_of(case):
        message, saga_id = header(command, "ce_id"), header(command, "ce_sagaid")
        step, action, attempt = header(command, "ce_sagastep"), header(command, "ce_sagaaction"), header(command, "ce_sagaattempt")
        where = f"{command.topic}[{command.partition}]@{command.offset}"
        seen[plain(message)] += 1
        letter = {"execute": "x", "compensate": "c"}.get(action)
        if plain(message) != f"{saga_id}/{step}/{letter}/{attempt}" or header(command, "kafka_correlationId") != message:
            yield f"{where}: command {message}: its ids do not fit together"
        key, _, poll = header(command, "idempotency-key").removeprefix(f"{saga_id}/{step}/").partition(".")
        if key != letter:
            yield f"{where}: command {message}: its idempotency key is {header(command, 'idempotency-key')}"
        polls[saga_id, step, letter].append((int(attempt), int(poll or 0)))
        if command.key != saga_id.encode() or murmur2(command.key) % case.evidence.partitions[command.topic] != command.partition:
            yield f"{where}: command {message}: its key or its partition is not its saga's"
        saga = case.sagas.get(saga_id)
        if saga is None or not saga.steps:
            continue
        defined = case.step_of(saga.steps[-1].after, step)
        service, name = defined.get("service"), defined.get("command")
        if action == "compensate":
            undo = saga.steps[-1].after["steps"].get(step, {}).get("undo", defined.get("compensation", {}))  # as a reply named it, else as defined
            service, name = undo.get("service", service), undo.get("command")
        if command.topic != f"{case.evidence.prefix}{service}.commands" or header(command, "ce_type") != name:
            yield f"{where}: command {message}: it is {header(command, 'ce_type')}, the definition says {name} of {service}"
        for fault in check_dataref(header(command, "ce_dataref"), saga.steps[-1].after, step, defined if action == "execute" else defined.get("compensation", {}),
                                   "input" if action == "execute" else "undoInput"):
            yield f"{where}: command {message}: {fault}"
    seen.update(header(record, "baton-parent") for record in case.evidence.of("control") if is_to_child(record))  # check_children looks into them
    sent = collections.Counter(f"{saga_id}/{command}" for saga_id, saga in case.sagas.items() for step in saga.steps
                               for command in step.step.get("send", []))
    for (saga_id, step, letter), numbers in polls.items():
        repeats = letter == "x" and saga_id in case.sagas and case.sagas[saga_id].steps and "repeat" in case.step_of(case.sagas[saga_id].steps[-1].after, step)
        numbers = [poll for _, poll in sorted(numbers)]
        if numbers[0] != bool(repeats) or any(poll - before not in ((0, 1) if repeats else (0,)) for before, poll in zip(numbers, numbers[1:])):
            yield f"saga {saga_id}: the polls of {step}/{letter} are {numbers}"
    for message, count in seen.items():
        if count != 1:
            yield f"command {message}: {count} times"
        if message not in sent:
            yield f"command {message}: the journal has not sent it"
    for message, count in sent.items():
        if message not in seen:
            yield f"command {message}: the journal has sent it, but it is not there"
        if count != 1:
            yield f"command {message}: the journal has sent it {count} times"


def ends_of(saga):
    """The states in which it ended: one, or two of a child that its parent undid after its end."""
    return [step.after for step in saga.steps if step.after["endedAt"] is not None and
            (step.before is None or step.before["endedAt"] is None or (step.before["status"], step.after["status"]) == ("completed", "compensated"))]


def check_results(case):
    """One result for each saga that has ended, none for another; it says what the state says; the starter's copy is the same."""
    wanted = {saga_id: ends_of(saga) for saga_id, saga in case.sagas.items() if not is_lock(saga_id) and ends_of(saga)}
    copies = {topic: {saga_id: ends for saga_id, ends in wanted.items() if ends[0]["replyTo"] and ends[0]["replyTo"]["topic"] == topic}
              for topic in case.evidence.allowed}
    for topic, expected in ((case.evidence.topic("results"), wanted), *copies.items()):
        seen = collections.Counter()
        for record in case.evidence.records.get(topic, []):
            if (header(record, "ce_type") or "").startswith("baton.control."):
                continue  # check_answers
            saga_id = record.key.decode() if record.key else None
            seen[saga_id] += 1
            if saga_id not in expected:
                yield f"{topic}@{record.offset}: saga {saga_id} has not ended, or has not asked for it"
                continue
            state = expected[saga_id][min(seen[saga_id], len(expected[saga_id])) - 1]
            value = exact(record.value)
            said = value["id"], value["definition"], value["version"], value["status"], value["output"], value["error"]
            if said != tuple(state[name] for name in ("id", "definition", "version", "status", "output", "error")):
                yield f"{topic}@{record.offset}: the result of saga {saga_id} is not what the journal says"
            if header(record, "ce_id") != f"{saga_id}/{state['status']}/{state['seq']}" or \
                    header(record, "ce_type") != f"baton.saga.{state['status']}.v1":
                yield f"{topic}@{record.offset}: {header(record, 'ce_id')} of type {header(record, 'ce_type')}: not this saga's end"
            if topic in copies and answer_to(state) != next((text for name, text in record.headers if name == "kafka_correlationId"), None):
                yield f"{topic}@{record.offset}: saga {saga_id}: the starter's correlation is not echoed"
        for saga_id, ends in expected.items():
            if seen[saga_id] != len(ends):
                yield f"{topic}: saga {saga_id} has {seen[saga_id]} results, and {len(ends)} ends"


def answer_to(state):
    """The starter's correlation id as it came; None if it gave none."""
    text = state["replyTo"]["correlation"]
    if text is None:
        return None
    return base64.b64decode(text[4:]) if text.startswith("b64:") else text.encode()


def check_events(case):
    """Each parking and each resumption announced once."""
    happened = collections.Counter()
    for saga_id, saga in case.sagas.items():
        for step in saga.steps:
            fresh = step.step["state"]["history"] if "state" in step.step else step.step["patch"].get("history", [])
            for entry in fresh:
                if entry[1] in ("parked", "resumed"):
                    happened[f"{saga_id}/{entry[1]}/{step.after['seq']}"] += 1
    told = collections.Counter(header(record, "ce_id") for record in case.evidence.of("events")
                               if header(record, "ce_type").startswith("baton.saga."))
    if told != happened:
        yield f"events: told {dict(told - happened)} too much, {dict(happened - told)} too little"


LEADS_TO = {"closed": ("open",), "open": ("half-open",), "half-open": ("open", "closed")}


def check_services(case):
    """Each change of a breaker told once, and each leads on from the one before it, unless an operator made it."""
    told = collections.defaultdict(dict)
    for record in case.evidence.of("events"):
        if not header(record, "ce_type").startswith("baton.service."):
            continue
        service, state, change = header(record, "ce_id").rsplit("/", 2)
        if int(change) in told[service]:
            yield f"events: change {change} of service {service} is told twice"
        told[service][int(change)] = json.loads(record.value)
        if record.key != service.encode() or json.loads(record.value)["state"] != state:
            yield f"events: change {change} of service {service}: its key or its state is another's"
    for service, changes in told.items():
        for change, value in changes.items():
            before = changes.get(change - 1, {"state": "closed", "byHand": False} if change == 2 else None)
            if before and value["who"] is None and not before["byHand"] and value["state"] not in LEADS_TO[before["state"]]:
                yield f"events: service {service} went from {before['state']} to {value['state']}"


def check_held(case):
    """What is held back spends no attempt and keeps its place; no event sends a service more than was known to be let through."""
    for saga_id, saga in case.sagas.items():
        for step in saga.steps:
            before = step.before["steps"] if step.before else {}
            for name, entry in step.after["steps"].items():
                was = before.get(name, {})
                if "heldSince" in entry and entry["status"] not in ("retrying", "compensation-retrying"):
                    yield f"saga {saga_id}: {name} is held back, and {entry['status']}"
                count = "attempts" if entry["status"] == "retrying" else "compensations"
                if "heldSince" in entry and entry.get(count, 0) != was.get(count, 0):
                    yield f"saga {saga_id}: {name} was held back and spent an attempt"
                if "heldSince" in entry and entry["status"] == "retrying" and "error" not in entry:
                    yield f"saga {saga_id}: {name} is held back without a reason"
            sent = collections.Counter()
            for command in step.step.get("send", []):
                name, letter, _ = command.split("/")
                defined = case.step_of(step.after, name)
                sent[defined.get("compensation", {}).get("service", defined.get("service")) if letter == "c" else defined.get("service")] += 1
            for service, known in step.step["event"].get("gate", {}).items():
                if sent[service] > known["permits"]:
                    yield f"saga {saga_id}: {sent[service]} commands for {service}, which took {known['permits']}"


def check_answers(case):
    """One answer for each control message that wanted one where it may, and it says what the journal says; every verb has its message."""
    control, events = case.evidence.topic("control"), case.evidence.topic("events")
    messages = {(control, record.partition, record.offset): record for record in case.evidence.of("control")}
    answers = collections.defaultdict(list)
    for topic in {events, *case.evidence.allowed}:
        for record in case.evidence.records.get(topic, []):
            if (header(record, "ce_type") or "").startswith("baton.control.") and header(record, "ce_type") != "baton.control.job.v1":
                answers[header(record, "ce_id")].append(record)
    for place, (outcome, seq) in case.verbs.items():
        message = messages.get(place)
        if message is None:
            yield f"{place}: a verb is journalled, but no such message is to be seen"
            continue
        saga_id = (message.key or header(message, "saga-id").encode()).decode()
        found = answers.pop(f"{saga_id}/control/{place[1]}/{place[2]}", [])
        wanted = header(message, "kafka_replyTopic") in (events, *case.evidence.allowed)
        if len(found) != wanted:
            yield f"{place}: {len(found)} answers to {message.value}, {int(wanted)} wanted"
        for answer in found:
            value = json.loads(answer.value)
            if value["outcome"] != outcome or header(answer, "ce_type") != f"baton.control.{outcome}.v1" or (seq and value["seq"] != seq):
                yield f"{place}: the answer says {answer.value}, the journal {outcome}, seq {seq}"
            if bool(value["reason"]) != (outcome != "accepted"):
                yield f"{place}: {outcome}, and its reason is {value['reason']}"
            if header(answer, "kafka_correlationId") != (header(message, "kafka_correlationId") or header(message, "ce_id")):
                yield f"{place}: the correlation is not echoed"
    if answers:
        yield f"answers to messages that the journal does not know: {sorted(answers)}"


def check_jobs(case):
    """Each page of a job is a message of the control topic, noted once and in order; each saga is changed once; the last page is answered with what was done."""
    control, events = case.evidence.topic("control"), case.evidence.topic("events")
    messages, answers = collections.defaultdict(list), collections.defaultdict(list)
    for record in case.evidence.of("control"):
        if record.key and record.key.decode() in case.jobs:
            messages[record.key.decode()].append((control, record.partition, record.offset))
    for record in case.evidence.records.get(events, []):
        if header(record, "ce_type") == "baton.control.job.v1":
            answers[record.key.decode()].append(record)
    for job_id, job in case.jobs.items():
        if job.pages != messages[job_id]:
            yield f"job {job_id}: the journal has pages {job.pages}, the topic {messages[job_id]}"
        twice = [saga_id for saga_id, count in job.accepted.items() if count > 1]
        if twice:
            yield f"job {job_id}: sagas {twice} were changed by it more than once"
        if len(answers[job_id]) != 1:
            yield f"job {job_id}: {len(answers[job_id])} answers on the events topic"
            continue
        answer = json.loads(answers[job_id][0].value)
        done = (sum(job.accepted.values()), sum(job.refused.values()))
        if done != ((0, 0) if answer["preview"] else (answer["accepted"], answer["refused"])):
            yield f"job {job_id}: it says {answer}, the journal {len(job.accepted)} accepted, {len(job.refused)} refused"
        if sum(answer["reasons"].values()) > answer["refused"]:
            yield f"job {job_id}: more reasons than were refused: {answer}"
        if answer["found"] != answer["accepted"] + answer["refused"]:
            yield f"job {job_id}: found are not accepted and refused: {answer}"


def is_lock(saga_id):
    return saga_id.startswith("lock:")


def check_locks(case):
    """What sagas told a lock, in the order of the topic, gives its queue and whom it told; its owner is alive; nobody goes on without it."""
    queues, told = collections.defaultdict(list), collections.Counter()
    for record in case.evidence.of("control"):
        message = json.loads(record.value) if record.value and b'"lock"' in record.value else {}
        if "lock" not in message:
            continue
        queue, saga_id = queues[record.key.decode()], message["saga"]
        owner = queue[:1]
        if message["lock"] == "ask" and saga_id not in queue:
            if queue and not message["queue"]:
                told[saga_id, False] += 1
            else:
                queue.append(saga_id)
        elif message["lock"] == "leave" and saga_id in queue:
            queue.remove(saga_id)
        if queue and queue[:1] != owner:
            told[queue[0], True] += 1
    signals = collections.Counter()
    for record in case.evidence.of("control"):
        if record.value and b'":lock"' in record.value:
            signals[record.key.decode(), json.loads(record.value)["data"]["granted"]] += 1
    if signals != told:
        yield f"locks: told {dict(signals - told)} too much, {dict(told - signals)} too little"
    for lock_id, queue in queues.items():
        state = case.sagas[lock_id].state if lock_id in case.sagas else None
        have = [row["saga"] for row in state.get("queue", [])] if state else []
        if have != queue:
            yield f"{lock_id}: its queue is {have}, by what it was told {queue}"
        for saga_id in queue:
            if saga_id not in case.sagas or case.sagas[saga_id].state is None or case.sagas[saga_id].state["status"] in ENDED:
                yield f"{lock_id}: saga {saga_id} is in its queue, but has ended"
    for saga_id, saga in case.sagas.items():
        for step in saga.steps:
            entry = step.after["steps"].get(":lock")
            if entry and entry["status"] not in ("done", "skipped") and len(step.after["steps"]) > 1:
                yield f"saga {saga_id}: goes on, and its lock is {entry['status']}"


def check_waits(case):
    """A wait is due at some time, or its definition says never; a saga keeps 16 early signals at most, each of a wait that it has."""
    for saga_id, saga in case.sagas.items():
        for step in saga.steps:
            for name, entry in step.after["steps"].items():
                never = case.step_of(step.after, name).get("wait", {}).get("timeout") == "never"
                if entry["status"] == "waiting" and step.after["status"] == "running" and ("dueAt" in entry) == never:
                    yield f"saga {saga_id}: {name} waits {'until a time though it should for ever' if never else 'without a due time'}"
                awaits = "saga" in case.step_of(step.after, name) and entry["status"] in ("running", "compensating")
                if entry.get("forever") and not awaits and (entry["status"] != "waiting" or not never):
                    yield f"saga {saga_id}: {name} is {entry['status']} for ever"
            names = {inner["wait"]["signal"] for inner, *_ in case.definitions.get((step.after["definition"], step.after["version"]), {}).values() if "wait" in inner}
            signals = step.after.get("signals", [])
            if len(signals) > 16 or ("signals" in step.after and not signals) or any(signal["name"] not in names for signal in signals):
                yield f"saga {saga_id}: keeps signals that it should not"


def child_ended(case, entry):
    child = case.sagas.get(entry.get("child"))
    return child is not None and child.state is not None and child.state["status"] in ENDED


def check_ends(case):
    """Every saga has ended and owes nothing any more, is parked with a reason, or waits for ever as its definition says."""
    for saga_id, saga in case.sagas.items():
        state = saga.state
        if state is None:
            continue
        for name, entry in state["steps"].items():
            confirm = state["steps"].get(name + ":confirm", {})
            if "tcc" in case.step_of(state, name) and state["status"] == "completed" and entry["status"] == "done" and confirm.get("status") not in ("done", "skipped"):
                yield f"saga {saga_id}: completed, but {name} is not confirmed"
            if state["status"] in ("compensated", "cancelled") and confirm.get("attempts"):
                yield f"saga {saga_id}: {state['status']}, but {name} was confirmed"
        if state["status"] == "parked":
            if not (state["parked"] and state["parked"]["reason"]):
                yield f"saga {saga_id}: parked without a reason"
        elif any(entry.get("forever") and not child_ended(case, entry) for entry in state["steps"].values()):
            continue
        elif state["status"] not in ENDED or state["endedAt"] is None or state["dueAt"] is not None:
            yield f"saga {saga_id}: {state['status']}, neither ended nor parked"


def check_groups(case):
    """What is in a group is reached only while the group runs, and only in the case that it took; one that ends takes its steps along."""
    for saga_id, saga in case.sagas.items():
        for step in saga.steps:
            entries, before = step.after["steps"], step.before["steps"] if step.before else {}
            defined = case.defined(step.after)
            for name, entry in entries.items():
                _, group, number, _ = defined.get(name, ({}, None, 0, ()))
                if group and (group not in entries or entries[group].get("case", 0) != number):
                    yield f"saga {saga_id}: {name} is reached, but not the case of {group} that it stands in"
                if "case" in before.get(name, {}) and before[name]["case"] != entry.get("case"):
                    yield f"saga {saga_id}: {name} has taken another case than before"
                if step.after["status"] in ("completed", "compensated") and entry["status"] in ("running", "retrying", "waiting"):
                    yield f"saga {saga_id}: {step.after['status']}, but {name} is {entry['status']}"
                if step.after["status"] == "completed" and entry["status"] == "done":
                    missing = [inner for inner, (_, at, its, _) in defined.items() if at == name and its == entry.get("case", 0) and
                               case.loss(step.after, inner) is None and entries.get(inner, {}).get("status") not in ("done", "skipped") and "fallback" not in entries.get(inner, {})]
                    if missing:
                        yield f"saga {saga_id}: completed, but {missing} in {name} are not done"


def is_undoable(defined, entry):
    """A step completed by hand before its child was started has no child to be undone."""
    return "undo" in entry or "compensation" in defined or ("saga" in defined and not defined["saga"].get("detached") and "child" in entry)


UNDOING = ("compensating", "compensation-retrying", "compensated", "compensation-failed", "compensation-skipped")


def finished(defined, entries, parallel, branch):
    """Has the branch come to its end? Its last step has, or what stands in for it."""
    last = [name for name, (_, group, _, way) in defined.items() if group == parallel and way[-1] == (parallel, branch)][-1]
    if "fallback" in entries.get(last, {}):
        last = stand_in_of(last)
    return entries.get(last, {}).get("status") in ("done", "skipped") and not entries[last].get("parked")


def check_joins(case):
    """A parallel is done as soon as enough of its branches are, and not before; those that are not have lost. Before that only a branch loses
    in which something failed, and enough others are left."""
    for saga_id, saga in case.sagas.items():
        for step in saga.steps:
            entries, before = step.after["steps"], step.before["steps"] if step.before else {}
            defined = case.defined(step.after)
            for name, entry in entries.items():
                parallel = defined.get(name, ({},))[0]
                lost, was = set(entry.get("lost", [])), set(before.get(name, {}).get("lost", []))
                if was - lost:
                    yield f"saga {saga_id}: branches {was - lost} of {name} had lost, and have not"
                if "parallel" not in parallel or case.loss(step.after, name) is not None:
                    continue
                done = {branch for branch in range(1, len(parallel["parallel"]) + 1)
                        if branch not in lost and entry["status"] in ("running", "done") and finished(defined, entries, name, branch)}
                if entry["status"] == "running" and len(done) >= quorum_of(parallel):
                    yield f"saga {saga_id}: {name} goes on, but {done} of its branches are done"
                if entry["status"] == "running" and len(parallel["parallel"]) - len(lost) < quorum_of(parallel):
                    yield f"saga {saga_id}: {name} goes on, but only {len(parallel['parallel']) - len(lost)} of its branches are left"
                if entry["status"] == "done" and before.get(name, {}).get("status") != "done" and len(done) < quorum_of(parallel):
                    yield f"saga {saga_id}: {name} is done, but of its branches only {done} are"
                for branch in lost - was if entry["status"] == "running" else ():
                    if not any("error" in inner or inner["status"] == "failed" for inside, inner in entries.items()
                               if (name, branch) in defined.get(inside, ({}, None, 0, ()))[3]):
                        yield f"saga {saga_id}: branch {branch} of {name} has lost, but nothing failed in it"


def given_by(case, state, each, iteration):
    """What an iteration gives: the output of the last of its steps, in the order of the text, that was done or skipped with one."""
    inside = [name for name, (*_, way) in case.defined(state).items() if (each, iteration + 1) in way]
    outputs = [entry["output"] for entry in (state["steps"].get(name, {}) for name in inside) if entry.get("status") in ("done", "skipped") and "output" in entry]
    return outputs[-1] if outputs else None


def check_iterations(case):
    """Of a forEach so many iterations are under way at a time, forth and back; it is done when all of them are, and gives what they gave."""
    for saga_id, saga in case.sagas.items():
        for step in saga.steps:
            entries, before = step.after["steps"], step.before["steps"] if step.before else {}
            undoing = collections.defaultdict(set)
            for name, entry in entries.items():
                if "." in name and entry["status"] in ("compensating", "compensation-retrying", "compensation-failed"):
                    undoing[case.defined(step.after)[name][3]].add(name.partition(".")[2])
                each = case.step_of(step.after, name).get("forEach")
                if each is None:
                    continue
                count, begun, ended = entry.get("count", 0), entry.get("begun", 0), entry.get("finished", 0)
                if not ended <= begun <= count or begun - ended > each.get("maxConcurrency", 10):
                    yield f"saga {saga_id}: {name} has begun {begun} of {count} iterations, {ended} have ended"
                if entry["status"] == "done" and case.loss(step.after, name) is None and before.get(name, {}).get("status") != "done":
                    if ended != count or entry.get("output") != [given_by(case, step.after, name, iteration) for iteration in range(count)]:
                        yield f"saga {saga_id}: {name} is done with {ended} of {count} iterations, and is not what they gave"
            for each in {each_around(defined[3]) for defined in case.definitions.get((step.after["definition"], step.after["version"]), {}).values()} - {None}:
                back = {iteration for way, iterations in undoing.items() for iteration in iterations if each in dict(way)}
                if len(back) > case.step_of(step.after, each)["forEach"].get("maxConcurrency", 10):
                    yield f"saga {saga_id}: {len(back)} iterations of {each} are undone at a time"


def undone_too_early(case, state, done, name):
    """Why the first command that undoes the step must not be sent yet; done: step -> its place in the order of completion."""
    loss = case.loss(state, name)
    if loss is None:
        yield ", but its branch has not lost, nor has the saga turned back"
        return
    for other, entry in state["steps"].items():
        if other == name or not {"command", "saga"} & set(case.step_of(state, other)):
            continue
        if entry["status"] in ("running", "retrying") and case.defined(state)[other][3][:len(loss)] == loss:
            yield f", but {other} has not been answered"
        if not case.have_order(state, name, other):
            continue
        if entry["status"] in ("compensating", "compensation-retrying", "compensation-failed"):
            yield f" while {other} is being undone"
        elif done.get(other, 0) > done.get(name, 0) and case.loss(state, other) is not None:
            yield f", but the last thing done is {other}"


def has_no_way_on(case, step, name):
    """Had the saga ended, or had the step lost, before it was sent? Where branches run side by side that may happen within the event that
    sends it, else not even that."""
    if step.before and (step.before["endedAt"] is not None or case.loss(step.before, name) is not None):
        return True
    side_by_side = any({"parallel", "forEach"} & set(defined[0]) for defined in case.defined(step.after).values())
    detached = case.step_of(step.after, name).get("saga", {}).get("detached")  # what comes after it comes in the same step
    return not side_by_side and not detached and (step.after["endedAt"] is not None or step.after["turnedBack"])


def check_compensations(case):
    """What was done, or may have been, is undone where the saga or a branch has lost, and only there: of two that have an order the last
    one first, and never both at once."""
    for saga_id, saga in case.sagas.items():
        done, reached, attempts = {}, set(), collections.Counter()
        for step in saga.steps:
            steps = step.after["steps"]
            for name, entry in steps.items():
                undoable = is_undoable(case.step_of(step.after, name), entry)
                if undoable and name not in reached and (entry["status"] in ("done", "unknown", *UNDOING) or "doneOrder" in entry):
                    reached.add(name)
                    done[name] = len(reached)
                nothing_left = entry["status"] == "failed" and "child" in entry  # it told late that it had undone what it did
                if nothing_left or entry["status"] in ("compensated", "compensation-skipped"):
                    done.pop(name, None)
            for command in step.step.get("send", []):
                name, action, attempt = command.rsplit("/", 2)
                attempts[name, action] += 1
                if int(attempt) != attempts[name, action]:
                    yield f"saga {saga_id}: {command} after {attempts[name, action] - 1} attempts"
                if action == "x":
                    if has_no_way_on(case, step, name):
                        yield f"saga {saga_id}: {command} is sent although its branch has lost, or the saga has turned back or ended"
                    continue
                if name not in done:
                    yield f"saga {saga_id}: {command}, but it was not done"
                if int(attempt) == 1:
                    yield from (f"saga {saga_id}: {command}{why}" for why in undone_too_early(case, step.after, done, name))
        if saga.state is None:
            continue
        left = [name for name in done if case.loss(saga.state, name) is not None]
        if saga.state["status"] in ("completed", "compensated", "cancelled") and left:
            yield f"saga {saga_id}: {saga.state['status']}, but {left} are not undone"
        if saga.state["status"] == "completed" and any(action == "c" and case.loss(saga.state, name) is None for name, action in attempts):
            yield f"saga {saga_id}: completed, but compensations were sent"


def check_fallbacks(case):
    """Something stands in for a step that was given up, and for no refusal; it is what the definition says; a saga that completes has it. A cached value is one that
    the step has had in some saga."""
    told = {(step.after["definition"], name.partition(".")[0], canonical(entry.get("output"))) for saga in case.sagas.values() for step in saga.steps
            for name, entry in step.step.get("patch", {}).get("steps", {}).items() if entry["status"] == "done" and ":" not in name}
    for saga_id, saga in case.sagas.items():
        for step in saga.steps:
            entries, before = step.after["steps"], step.before["steps"] if step.before else {}
            for name, entry in entries.items():
                defined, other = case.step_of(step.after, name), entries.get(stand_in_of(name))
                if other is None and "fallback" not in entry:
                    continue
                kind = next((kind for kind in ("service", "cached", "output") if kind in defined.get("fallback", {})), None)
                if "cachedAt" in (other or {}) and (step.after["definition"], name.partition(".")[0], canonical(other.get("output"))) not in told:
                    yield f"saga {saga_id}: what stands in for {name} was never said by it"
                if entry.get("fallback") != kind:
                    yield f"saga {saga_id}: {name} says that {entry.get('fallback')} stands in for it, the definition says {kind}"
                if other is None or entry["status"] in ("done", "running", "retrying") and not step.after["turnedBack"]:
                    yield f"saga {saga_id}: {name} is {entry['status']}, {'nothing' if other is None else 'something'} stands in for it"
                if "fallback" not in before.get(name, {}) and ["refused", name] in [done[1:3] for done in step.step.get("patch", {}).get("history", [])]:
                    yield f"saga {saga_id}: something stands in for {name}, which was refused"
                if step.after["status"] == "completed" and (other or {}).get("status") not in ("done", "skipped") and case.loss(step.after, name) is None:
                    yield f"saga {saga_id}: completed, but what stands in for {name} is not done"


def outcome_of(reply):
    """What a reply says, by the rules of the wire alone; None where a mapping of the definition might decide."""
    if header(reply, "saga-outcome"):
        return header(reply, "saga-outcome")
    kind = (header(reply, "content-type") or "").split(";")[0].strip().lower()
    if header(reply, "kafka_nest-err") or kind == "application/problem+json":
        return "failure"
    try:
        body = json.loads(reply.value) if reply.value else None
    except ValueError:
        return None
    if kind == "application/cloudevents+json":
        if body.get("datacontenttype") == "application/problem+json":
            return "failure"
        body = body.get("data")
    if isinstance(body, dict) and body.get("error") is not None:
        return "retry" if isinstance(body["error"], dict) and body["error"].get("retryable") is True else "failure"
    return "success"


def check_effects(case):
    """By what the participants said, not by what was made of it: an effect of a compensated saga is undone, each step of a completed one
    succeeded."""
    said, named = collections.defaultdict(set), collections.defaultdict(list)
    dead = {note[1:4] for note in case.notes if note[0].startswith("dead-letter:")}
    for record in case.evidence.of("replies"):
        message = header(record, "kafka_correlationId") or header(record, "ce_causationid")
        if message is None and (header(record, "content-type") or "").startswith("application/cloudevents+json"):
            message = json.loads(record.value).get("causationid")
        message = plain(message)
        if message and message.count("/") == 3 and (record.topic, record.partition, record.offset) not in dead:
            said[message.rsplit("/", 1)[0]].add(outcome_of(record))
            named[message.rsplit("/", 1)[0]].append(header(record, "saga-compensation"))
    for saga_id, saga in case.sagas.items():
        for name, entry in (saga.state["steps"] if saga.state else {}).items():
            defined = case.step_of(saga.state, name)
            if "reply" in defined or "command" not in defined:
                continue
            execute, undo = said[f"{saga_id}/{name}/x"], said[f"{saga_id}/{name}/c"]
            if "undo" in entry and not any(text and json.loads(text)["command"] == entry["undo"]["command"] for text in named[f"{saga_id}/{name}/x"]):
                yield f"saga {saga_id}: {name} is undone by {entry['undo']}, which no reply has named"
            if (saga_id, name) in case.by_hand:
                continue  # an operator knows better
            lost = saga.state["status"] in ("completed", "compensated", "cancelled") and case.loss(saga.state, name) is not None
            if lost and "success" in execute and ("compensation" in defined or "undo" in entry) and "success" not in undo:
                yield f"saga {saga_id}: {saga.state['status']}, but the participant of {name} has done it and not undone it"
            if saga.state["status"] == "completed" and not lost and entry["status"] != "skipped" and "fallback" not in entry and "success" not in execute:
                yield f"saga {saga_id}: completed, but the participant of {name} has not said that it is done"


def is_to_child(record):
    return header(record, "baton-parent") is not None


def check_asked(case, record):
    """A start or an undoing is what the parent's definition says, under the child's id."""
    message, child_id = header(record, "baton-parent"), record.key.decode()
    parent_id, name, action, attempt = message.split("/")
    where = f"control[{record.partition}]@{record.offset}: {message}"
    if murmur2(record.key) % case.evidence.partitions[record.topic] != record.partition:
        yield f"{where}: the child is not at home in this partition"
    steps = case.sagas[parent_id].steps if parent_id in case.sagas else []
    sent = next((step.after for step in steps if f"{name}/{action}/{attempt}" in step.step.get("send", [])), None)
    if sent is None:
        return  # check_commands says so
    defined = case.step_of(sent, name).get("saga", {})
    if sent["steps"][name].get("child") != child_id:
        yield f"{where}: goes to {child_id}, the child is {sent['steps'][name].get('child')}"
    if action == "c":
        if json.loads(record.value)["verb"] != "compensate" or header(record, "saga-type"):
            yield f"{where}: does not compensate"
        return
    said = header(record, "saga-type"), int(header(record, "saga-version") or 0), int(header(record, "baton-depth")), header(record, "baton-detached") == "true"
    if said != (defined.get("name"), defined.get("version", 0), sent.get("parent", {}).get("depth", 0) + 1, defined.get("detached", False)):
        yield f"{where}: starts {said}, the definition says {defined}"
    for fault in check_dataref(header(record, "ce_dataref"), sent, name, defined, "input"):
        yield f"{where}: {fault}"


def answers_owed(saga):
    """(command of the parent, outcome) that this child owes, in the order of its life."""
    ends = ends_of(saga)
    for step in saga.steps:
        parent, status, asked = step.after.get("parent"), step.after["status"], step.step["event"].get("parent")
        if not parent or parent.get("detached"):
            continue
        step_id = f"{parent['saga']}/{parent['step']}"
        execute = f"{step_id}/x/{parent['attempt']}", "success" if status == "completed" else "failure"
        if any(step.after is end for end in ends):
            yield (f"{step_id}/c/{parent['undo']}", "success" if status in ("compensated", "cancelled") else "failure") if parent.get("undo") else execute
        elif asked and "verb" in step.step["event"]:
            if status in ("compensated", "cancelled"):
                yield f"{step_id}/c/{asked['attempt']}", "success"
            elif status == "terminated" or not step.after["turnedBack"]:
                yield f"{step_id}/c/{asked['attempt']}", "failure"
        elif asked and status in ENDED:
            yield execute


def check_children(case):
    """A child is started and undone as its parent's definition says; each of its ends is told once, to the command that asked; and parent and child end of one mind."""
    dead = {note[1:4] for note in case.notes if note[0].startswith("dead-letter:")}
    owed = collections.Counter(answer for saga in case.sagas.values() for answer in answers_owed(saga))
    for record in filter(is_to_child, case.evidence.of("control")):
        yield from check_asked(case, record)
        if (record.topic, record.partition, record.offset) in dead and header(record, "baton-detached") is None:
            owed[header(record, "baton-parent"), "failure"] += 1
    told = collections.Counter((plain(header(record, "kafka_correlationId")), header(record, "saga-outcome")) for record in case.evidence.of("replies")
                               if header(record, "baton-child") is not None)
    if told != owed:
        yield f"children: told {dict(told - owed)} too much, {dict(owed - told)} too little"
    for saga_id, saga in case.sagas.items():
        parent = saga.state and saga.state.get("parent")
        of = case.sagas.get(parent["saga"]) if parent and not parent.get("detached") else None
        if of is None or of.state is None or (parent["saga"], parent["step"]) in case.by_hand:
            continue
        step = of.state["steps"][parent["step"]]
        newest = step.get("child") == saga_id
        wanted = ("completed",) if step["status"] == "done" else ("compensated", "cancelled", "terminated")  # in a branch that lost
        if of.state["status"] == "completed" and newest and saga.state["status"] not in wanted:
            yield f"saga {parent['saga']}: completed, but its child {saga_id} is {saga.state['status']}"
        if (of.state["status"] in ("compensated", "cancelled") or not newest) and saga.state["status"] not in ("compensated", "cancelled", "terminated"):
            yield f"saga {parent['saga']}: {of.state['status']}, but its child {saga_id} is {saga.state['status']}"


def expected_keys(case):
    """What the keys must be, by the fold: (name -> value), and the types that each partition's meta must name."""
    expected, types = {}, collections.defaultdict(set)
    for saga_id, saga in case.sagas.items():
        if saga.state is None:
            continue
        state, base = saga.state, f"{{{saga.partition}}}:"
        expected[f"{base}saga:{saga_id}"] = (f"{state['seq']} {state['status']} {state['dueAt'] or 0} {state['updatedAt']} "
                                             f"{state['definition']}@{state['version']}"), canonical(state)
        types[saga.partition].add(f"{state['definition']}@{state['version']}")
        expected.setdefault(f"{base}index:{state['definition']}@{state['version']}:{state['status']}", {})[saga_id] = state["updatedAt"]
        if state["dueAt"]:
            expected.setdefault(base + "timers", {})[saga_id] = state["dueAt"]
    return expected, types


def check_meta(case, partition, meta, types):
    last = case.journal[partition][-1]
    if int(meta.get("w", -1)) != last["seq"]:
        yield f"redis: partition {partition} shows seq {meta.get('w')}, the journal ends at {last['seq']}"
    if int(meta.get("jo", -1)) > last["offset"]:
        yield f"redis: partition {partition}: jo {meta.get('jo')} is beyond the last record, {last['offset']}"
    if "token" in meta:
        yield f"redis: partition {partition} is being rebuilt"
    for name in types:
        if f"type:{name}" not in meta:
            yield f"redis: partition {partition}: type {name} is not named"


def check_view(case):
    """Redis shows the journal, field by field, and nothing else."""
    prefix = case.evidence.prefix + "baton:"
    found = {key[len(prefix):]: value for key, value in case.evidence.redis.items()}
    expected, types = expected_keys(case)
    for partition in case.journal:
        yield from check_meta(case, partition, found.get(f"{{{partition}}}:meta", {}), types[partition])
    for key, value in sorted(found.items()):
        if key.endswith(":meta") or key == "services" or key.startswith("{service:"):  # of services: no saga's
            continue
        generation = found.get(key[:key.index(":")] + ":meta", {}).get("gen", "")
        wanted = expected.pop(key, None)
        if wanted is None:
            if not isinstance(value, bytes) or value.startswith(generation.encode() + b" "):  # of an older generation it is void
                yield f"redis: {key}: nothing in the journal says that it should be there"
        elif isinstance(value, bytes):
            head, _, text = value.decode().partition("\n")
            try:
                state = canonical(exact(text))
            except ValueError:
                state = None
            if head != f"{generation} {wanted[0]}":
                yield f"redis: {key}: its first line is {head!r}, the journal says {wanted[0]!r} in generation {generation}"
            if state != wanted[1]:
                yield f"redis: {key}: the state differs from the journal's{difference(state, wanted[1])}"
        elif value != wanted:
            missing, other = sorted(set(wanted) - set(value)), sorted(name for name in value if value[name] != wanted.get(name))
            yield f"redis: {key}: {missing} are missing, {other} are other than the states say"
    for key in sorted(expected):
        yield f"redis: {key}: missing"


def difference(state, wanted):
    if state is None:
        return ": not JSON"
    have, want = json.loads(state), json.loads(wanted)
    return ": " + ", ".join(name for name in {**have, **want} if canonical(have.get(name)) != canonical(want.get(name)))


def check_states(case):
    """The state topic tells the truth of its seq, and, with the journal after the checkpoint, everything: Redis could be lost now."""
    newest = {}
    for record in case.evidence.of("state"):
        saga_id, as_of = record.key.decode(), int(header(record, "baton-seq") or -1)
        where = f"state[{record.partition}]@{record.offset}: saga {saga_id}"
        saga = case.sagas.get(saga_id)
        if saga is None or saga.partition != record.partition:
            yield f"{where}: the journal of this partition does not know it"
            continue
        newest[saga_id] = as_of
        last = next((text for seq, text in reversed(saga.at_seq) if seq <= as_of), None)
        if (None if record.value is None else canonical(exact(record.value))) != last:
            yield f"{where}: not its state at seq {as_of}"
    for saga_id, saga in case.sagas.items():
        checkpoint = case.journal[saga.partition][-1]["c"]
        covered = max((seq for seq, _ in saga.at_seq if seq <= checkpoint), default=None)
        if covered is not None and newest.get(saga_id, -1) < covered:
            yield f"state: saga {saga_id} changed at seq {covered}, before checkpoint {checkpoint}, and the state topic has not got it"
    for partition, records in case.journal.items():
        last = records[-1]
        first_after = next((record["offset"] for record in records if record["seq"] > last["c"]), None)
        if last["co"] >= 0 and first_after is not None and last["co"] > first_after:
            yield f"journal[{partition}]: co is {last['co']}, the first record after checkpoint {last['c']} is at {first_after}"


CHECKS = (check_offsets, check_inputs, check_dead_letters, check_duplicates, check_forwarded, check_commands, check_results, check_events, check_services, check_held, check_answers, check_jobs, check_locks, check_ends, check_waits,
          check_groups, check_joins, check_iterations, check_compensations, check_fallbacks, check_effects, check_children, check_view, check_states)


def findings(evidence):
    """Everything that is wrong, as sentences; and the case, for whoever wants to count."""
    case = Case(evidence)
    for check in CHECKS:
        case.findings.extend(check(case))
    return case.findings, case


def summary(case):
    states = collections.Counter(saga.state["status"] if saga.state else "purged" for saga in case.sagas.values())
    return (f"checker: {sum(states.values())} sagas ({', '.join(f'{count} {status}' for status, count in sorted(states.items()))}), "
            f"{sum(len(records) for records in case.journal.values())} journal records, {sum(1 for _ in commands_of(case))} commands, "
            f"{len(case.evidence.of('dlq'))} dead letters")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    for option in ("--brokers", "--redis", "--save", "--load"):
        parser.add_argument(option)
    parser.add_argument("--prefix", default="")
    arguments = parser.parse_args()
    evidence = Evidence.load(arguments.load) if arguments.load else collect(arguments.brokers, arguments.redis, arguments.prefix)
    if arguments.save:
        evidence.save(arguments.save)
    wrong, case = findings(evidence)
    print(summary(case))
    for finding in wrong[:50]:
        print(finding)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

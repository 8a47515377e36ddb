"""What the integration tests share: workers and participants, waits for conditions, scenarios, the checker at the end.

Every run of a test has a topic prefix and a Redis prefix of its own, so that they share one stack."""
import atexit
import json
import os
import re
import select
import signal
import subprocess
import sys
import time

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

import checker
import participants

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WAIT_SECONDS = 60
for name in ("BATON_BROKERS", "BATON_REDIS", "STACK_DIR", "STACK", "BATON", "BENCH"):
    if name not in os.environ:
        sys.exit(f"{name} is not set: run scripts/test, which starts Kafka and Redis")
BROKERS, REDIS, STACK_DIR = os.environ["BATON_BROKERS"], os.environ["BATON_REDIS"], os.environ["STACK_DIR"]
BATON, BENCH, STACK = os.environ["BATON"], os.environ["BENCH"], os.environ["STACK"]
processes = []


def end_all():
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait()


atexit.register(end_all)


def until(condition, what, seconds=WAIT_SECONDS):
    """Poll a condition: the tests wait for what must come, never for a time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise SystemExit(f"FAILED: {what} did not come within {seconds} s")
        select.select([], [], [], 0.02)


def equal(what, got, wanted):
    if got != wanted:
        raise SystemExit(f"FAILED: {what}: got {got!r}, wanted {wanted!r}")


def spawn(name, command):
    log = os.path.join(STACK_DIR, f"{name}.log")
    with open(log, "w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    process.log = log
    processes.append(process)
    return process


def lines(process, words):
    with open(process.log) as log:
        return [line for line in log if words in line]


def said(process, words):
    return bool(lines(process, words))


def stop(process):
    process.send_signal(signal.SIGTERM)
    assert process.wait(WAIT_SECONDS) == 0, open(process.log).read()


def definition_file(*where):
    with open(os.path.join(ROOT, *where)) as file:
        return json.load(file)


class Baton:
    """One deployment: its configuration, topics and keys; its workers; what is in Redis."""

    def __init__(self, name, partitions=4, definitions=None, consumer=None, topics=None, **engine):
        self.prefix = prefix = f"{name}.{os.getpid()}."
        self.partitions, self.allowed = partitions, [prefix + topic for topic in (topics or {}).get("allowReplyTo", [])]
        topics = {**(topics or {}), "allowReplyTo": self.allowed}
        self.inputs = [prefix + topic for topic in (*topics.get("start", ["orders.commands"]), "baton.replies", "baton.control")]
        self.config = os.path.join(STACK_DIR, f"{prefix}config.json")
        with open(self.config, "w") as out:
            json.dump({"kafka": {"bootstrap.servers": BROKERS, "group.id": prefix + "baton",
                                 "consumer": {"session.timeout.ms": 6000} if consumer is None else consumer},
                       "redis": {"url": REDIS, "prefix": prefix + "baton"},
                       "topics": {"prefix": prefix, "partitions": partitions, **topics}, "engine": engine}, out)
        self.definitions = os.path.join(STACK_DIR, f"{prefix}definitions")
        os.makedirs(self.definitions, exist_ok=True)
        definitions = definitions or [definition_file("bench", "bench-order.json")]
        self.services = sorted({part["service"] for definition in definitions for step, *_ in checker.tree(definition["steps"])
                                for part in (step, step.get("compensation", step)) if "service" in part})
        for definition in definitions:
            with open(os.path.join(self.definitions, f"{definition['name']}-{definition['version']}.json"), "w") as out:
                json.dump(definition, out)
        self.producer = Producer({**checker.client(BROKERS), "partitioner": "murmur2_random", "linger.ms": 0, "message.max.bytes": 2000000})
        self.workers, self.people = [], None

    def configure(self, **sections):
        """More sections of the configuration, for workers and commands started from now on."""
        with open(self.config) as old:
            merged = {**json.load(old), **sections}
        with open(self.config, "w") as out:
            json.dump(merged, out)

    # --- processes ---

    def worker(self, instance):
        process = spawn(f"{self.prefix}{instance}-{time.monotonic_ns()}",
                        [BATON, "worker", "-c", self.config, "--definitions", self.definitions, "--instance", instance])
        self.workers.append(process)
        return process

    def ready(self, process):
        until(lambda: said(process, "ready:") or process.poll() is not None, "a ready worker")
        assert process.poll() is None, open(process.log).read()

    def participants(self, fallback=lambda command: participants.done()):
        self.people = participants.Participants(BROKERS, self.prefix, self.services, fallback)
        return self.people

    def load(self, tag, count, seconds=200, window=400):
        process = subprocess.Popen([os.path.join(BENCH, "bench-load"), "--brokers", BROKERS, "--prefix", self.prefix, "--count", str(count),
                                    "--tag", tag, "--seconds", str(seconds), "--window", str(window)], stdout=subprocess.PIPE, text=True)
        processes.append(process)
        return process

    def command(self, *arguments):
        return [BATON, arguments[0], "-c", self.config, *arguments[1:]]

    def call(self, *arguments):
        done = subprocess.run(self.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr

    # --- what goes in ---

    def create(self, topic, config=None):
        """A topic that is not the worker's to make."""
        admin = AdminClient(checker.client(BROKERS))
        for made in admin.create_topics([NewTopic(self.prefix + topic, 1, 1, config=config or {})]).values():
            made.result(30)

    def send(self, topic, value, key=None, headers=(), partition=None):
        headers = [(name, text.encode() if isinstance(text, str) else text) for name, text in headers]
        place = {} if partition is None else {"partition": partition}
        self.producer.produce(self.prefix + topic, value=value, key=key, headers=headers, **place)
        equal("records not delivered", self.producer.flush(30), 0)

    def start(self, kind, saga, order=None, headers=(), partition=None):
        self.send("orders.commands", json.dumps(order or {}), saga, [("saga-type", kind), *headers], partition)

    # --- what is there ---

    def home(self, saga):
        return checker.murmur2(saga.encode()) % self.partitions

    def state(self, saga):
        """The saga as Redis shows it now; None if it does not."""
        value = checker.Redis(REDIS)(("GET", f"{self.prefix}baton:{{{self.home(saga)}}}:saga:{saga}"))[0]
        return None if value is None else json.loads(value.partition(b"\n")[2])

    def reaches(self, saga, condition, what, seconds=WAIT_SECONDS):
        """The first state for which the condition holds."""
        def look():
            state = self.state(saga)
            return state if state and condition(state) else None
        return until(look, f"saga {saga}: {what}", seconds)

    def ends(self, saga, status):
        return self.reaches(saga, lambda state: state["status"] == status and state["dueAt"] is None, status)

    def count(self):
        """Sagas in the view."""
        keys = [f"{self.prefix}baton:{{{partition}}}" for partition in range(self.partitions)]
        redis = checker.Redis(REDIS)
        fields = redis(*[("HKEYS", key + ":meta") for key in keys])
        statuses = ("running", "compensating", "parked", *checker.ENDED)
        asked = [("ZCARD", f"{key}:index:{name.decode()[len('type:'):]}:{status}") for key, names in zip(keys, fields)
                 for name in names if name.startswith(b"type:") for status in statuses]
        return sum(redis(*asked)) if asked else 0

    def records(self, role):
        """A topic of the deployment as a read_committed reader sees it now."""
        topic = self.prefix + role
        return checker.read_topics(BROKERS, lambda name: name == topic)[1].get(topic, [])

    def status(self, saga):
        code, out, err = self.call("status", saga, "-o", "json")
        equal(f"exit code of status {saga}: {err}", code, 0)
        return json.loads(out)

    # --- the end ---

    def drained(self):
        """Has the group read its inputs to their ends? A commit marker may be the last thing in a topic that messages were forwarded on."""
        consumer = Consumer({**checker.client(BROKERS), "group.id": self.prefix + "baton"})
        places = [TopicPartition(name, partition) for name in self.inputs for partition in range(self.partitions)]
        positions = {(place.topic, place.partition): place.offset for place in consumer.committed(places, timeout=30)}
        consumer.close()
        records = checker.read_topics(BROKERS, lambda name: name in self.inputs)[1]
        return all(record.offset < positions[record.topic, record.partition] for found in records.values() for record in found)

    def check(self, sagas=None, **statuses):
        """Let the workers read what there is and stop everything, then hand what Kafka and Redis hold to the checker. Returns its case."""
        until(self.drained, "the end of the inputs")
        for process in self.workers:
            if process.poll() is None:
                stop(process)
        if self.people:
            self.people.stop()
        evidence = checker.collect(BROKERS, REDIS, self.prefix, allowed=self.allowed)
        if "SAVE_EVIDENCE" in os.environ:  # how evidence.jsonl, which test_checker.py damages, was recorded by test_wire.py
            evidence.save(os.environ["SAVE_EVIDENCE"])
        wrong, case = checker.findings(evidence)
        print(checker.summary(case), flush=True)
        if wrong:
            raise SystemExit("FAILED: the checker found:\n" + "\n".join(wrong[:30]) + f"\n{len(wrong)} in all")
        if sagas is not None:
            equal("sagas", len(case.sagas), sagas)
        for status, count in statuses.items():
            equal(f"sagas {status}", sum(saga.state["status"] == status for saga in case.sagas.values()), count)
        return case

    def once(self, case, tag=""):
        """Of sagas whose participants are never at fault (their ids begin with the tag): one attempt of each command."""
        messages = [checker.header(command, "ce_id") for command in checker.commands_of(case) if checker.header(command, "ce_sagaattempt") != "1"]
        equal("commands of a second attempt", [message for message in messages if message.startswith(tag)], [])


def share(percent):
    """Participants of which settlement refuses a share of the orders, always the same ones."""
    def answer(command):
        number = int(re.sub(r"\D", "", command.saga) or 0)
        no = command.step == "settle" and command.action == "execute" and number * 37 % 100 < percent
        return participants.refused("DECLINED") if no else participants.done()
    return answer


# --- scenarios: each starts its sagas, yields, and looks at them: all wait at the same time ---

scenarios = []


def scenario(sentence):
    def add(function):
        scenarios.append((sentence, function))
        return function
    return add


def run_scenarios():
    failed = []
    begun = []
    for sentence, function in scenarios:
        run = function()
        next(run)
        begun.append((sentence, run))
    for sentence, run in begun:
        try:
            for _ in run:
                raise AssertionError("a scenario yields once")
            print(f"ok      {sentence}", flush=True)
        except (SystemExit, AssertionError, KeyError, TypeError, IndexError) as reason:
            failed.append(sentence)
            print(f"not ok  {sentence}: {type(reason).__name__}: {reason}", flush=True)
    if failed:
        raise SystemExit(f"FAILED: {len(failed)} of {len(scenarios)} scenarios")

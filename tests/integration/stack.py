"""What the integration tests share: workers and participants as processes of their own, waits for conditions, the checker.

Every test has a topic prefix and a Redis prefix of its own, so that they share one stack."""
import atexit
import json
import os
import select
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WAIT_SECONDS = 60
for name in ("BATON_BROKERS", "BATON_REDIS", "STACK_DIR", "STACK", "BATON", "BENCH"):
    if name not in os.environ:
        sys.exit(f"{name} is not set: run scripts/test, which starts Kafka and Redis")
BROKERS, REDIS, STACK_DIR = os.environ["BATON_BROKERS"], os.environ["BATON_REDIS"], os.environ["STACK_DIR"]
BATON, BENCH = os.environ["BATON"], os.environ["BENCH"]
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
        select.select([], [], [], 0.05)


def spawn(name, command):
    log = os.path.join(STACK_DIR, f"{name}.log")
    with open(log, "w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    process.log = log
    processes.append(process)
    return process


def said(process, words):
    with open(process.log) as log:
        return words in log.read()


class Baton:
    def __init__(self, prefix, partitions=4, **engine):
        self.prefix = prefix
        self.config = os.path.join(STACK_DIR, f"{prefix}config.json")
        with open(self.config, "w") as out:
            json.dump({"kafka": {"bootstrap.servers": BROKERS, "group.id": prefix + "baton",
                                 "consumer": {"session.timeout.ms": 6000}},
                       "redis": {"url": REDIS, "prefix": prefix + "baton"},
                       "topics": {"prefix": prefix, "partitions": partitions}, "engine": engine}, out)
        self.definitions = os.path.join(STACK_DIR, f"{prefix}definitions")
        os.makedirs(self.definitions, exist_ok=True)
        with open(os.path.join(ROOT, "bench", "bench-order.json")) as source:
            with open(os.path.join(self.definitions, "bench-order.json"), "w") as out:
                out.write(source.read())

    def worker(self, instance):
        return spawn(f"{self.prefix}{instance}-{time.monotonic_ns()}",
                     [BATON, "worker", "-c", self.config, "--definitions", self.definitions, "--instance", instance])

    def ready(self, process):
        until(lambda: said(process, "ready:") or process.poll() is not None, "a ready worker")
        assert process.poll() is None, open(process.log).read()

    def participants(self, refuse="-"):
        process = spawn(f"{self.prefix}echo", [os.path.join(BENCH, "bench-echo"), "--brokers", BROKERS, "--prefix", self.prefix,
                                               "--refuse", refuse])
        until(lambda: said(process, "ready"), "participants")
        return process

    def load(self, tag, count, seconds=200, window=400):
        return subprocess.Popen([os.path.join(BENCH, "bench-load"), "--brokers", BROKERS, "--prefix", self.prefix, "--count", str(count),
                                 "--tag", tag, "--seconds", str(seconds), "--window", str(window)],
                                stdout=subprocess.PIPE, text=True)

    def call(self, *arguments):
        done = subprocess.run([BATON, arguments[0], "-c", self.config, *arguments[1:]], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr

    def status(self, saga):
        code, out, err = self.call("status", saga, "-o", "json")
        assert code == 0, err
        return json.loads(out)

    def listed(self, limit=10000):
        code, out, err = self.call("list", "--limit", str(limit), "-o", "json")
        assert code == 0, err
        return json.loads(out)


def stop(process):
    process.send_signal(signal.SIGTERM)
    assert process.wait(WAIT_SECONDS) == 0, open(process.log).read()


def equal(what, got, wanted):
    if got != wanted:
        raise SystemExit(f"FAILED: {what}: got {got!r}, wanted {wanted!r}")


def header_values(topic, name):
    """The header's value of every record, as a read_committed reader sees the topic from its beginning to its end."""
    out = subprocess.run(["kcat", "-C", "-e", "-q", "-b", BROKERS, "-t", topic, "-o", "beginning", "-X", "isolation.level=read_committed",
                          "-f", "%h\\n"], check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True).stdout
    values = []
    for line in out.splitlines():
        values += [pair[len(name) + 1:] for pair in line.split(",") if pair.startswith(name + "=")]
    return values


def exactly_once(baton, sagas, services=("inventory", "payments", "settlement")):
    """Every order has one result; every command attempt is in its topic once; without a fault of a participant there is one attempt."""
    results = header_values(baton.prefix + "baton.results", "ce_sagaid")
    equal("results", (len(results), len(set(results))), (sagas, sagas))
    for service in services:
        ids = header_values(f"{baton.prefix}{service}.commands", "ce_id")
        equal(f"commands of {service}: all, different", (len(ids), len(set(ids))), (sagas, sagas))

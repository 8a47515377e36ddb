"""Participants that do as they are told: for each saga, step and attempt the answers that a test wants, when it wants them, from one thread of its own.

They read what a participant reads and answer by the wire contract alone. A saga that nobody has scripted is served at once."""
import collections
import heapq
import itertools
import json
import threading
import time

from confluent_kafka import Consumer, Producer, TopicPartition

import checker

Command = collections.namedtuple("Command", "id saga step action attempt type key value headers at_ms")


class Answer:
    """One reply: body and headers; where to (another partition, no key); when (at once, `late` seconds after the command, or when `held` is released)."""

    def __init__(self, body=None, headers=(), value=None, keyed=True, partition=None, correlated=True, held=None, late=0):
        self.value = value if value is not None else b"" if body is None else json.dumps(body).encode()
        self.headers, self.keyed, self.partition, self.correlated, self.held = list(headers), keyed, partition, correlated, held
        self.late = late

    def with_(self, **changes):
        other = Answer()
        other.__dict__.update(self.__dict__, **changes)
        return other


def done(body=None):
    return Answer({"ref": "r-1"} if body is None else body)


def refused(code="NO"):
    return Answer({"code": code, "message": "no"}, [("saga-outcome", b"failure")])


def passing(after_ms=None):
    return Answer(None, [("saga-outcome", b"retry")] + ([("retry-after-ms", str(after_ms).encode())] if after_ms is not None else []))


def pending():
    return Answer(None, [("saga-outcome", b"pending")])


def error(code, retryable=False):
    return Answer({"error": {"code": code, "message": "no", "retryable": retryable}})


def problem(code):
    return Answer({"title": "no", "code": code}, [("content-type", b"application/problem+json; charset=utf-8")])


def thrown(code):
    return Answer(None, [("kafka_nest-err", json.dumps({"code": code, "message": "thrown"}).encode())])


def structured(body):
    """A CloudEvent in structured mode; the correlation is in it."""
    return lambda command: Answer({"specversion": "1.0", "id": "e-1", "source": "/participant", "type": "done", "causationid": command.id,
                                   "data": body}, [("content-type", b"application/cloudevents+json")], correlated=False)


SILENT = []


class Participants:
    """`fallback(command)` answers what is not scripted; `script` says what each attempt gets, the last entry all later ones. An entry is an
    Answer, a list of them, or a function of the command."""

    def __init__(self, brokers, prefix, services, fallback=lambda command: done()):
        self.fallback = fallback
        self.plans, self.held, self.commands = {}, collections.defaultdict(list), []
        self.late, self.number = [], itertools.count()  # (when, number, command, answer): what is still to be said
        self.lock, self.stopping = threading.Lock(), threading.Event()
        self.producer = Producer({**checker.client(brokers), "partitioner": "murmur2_random", "linger.ms": 0})
        self.consumer = Consumer({**checker.client(brokers), "group.id": prefix + "participants", "enable.auto.commit": False,
                                  "isolation.level": "read_committed", "fetch.wait.max.ms": 10, "auto.offset.reset": "earliest"})
        topics = self.consumer.list_topics(timeout=30).topics
        self.consumer.assign([TopicPartition(f"{prefix}{service}.commands", partition, 0) for service in services
                              for partition in topics[f"{prefix}{service}.commands"].partitions])
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def script(self, saga, step, *entries, action="execute"):
        self.plans[saga, step, action] = entries

    def release(self, name):
        with self.lock:
            answers = self.held.pop(name, [])
        assert answers, f"nothing is held as {name}"
        for command, answer in answers:
            self.send(command, answer)
        self.producer.flush(10)

    def holds(self, name):
        return name in self.held

    def seen(self, saga, step=None, action=None):
        with self.lock:
            return [command for command in self.commands
                    if command.saga == saga and step in (None, command.step) and action in (None, command.action)]

    def serve(self):
        while not self.stopping.is_set():
            for message in self.consumer.consume(500, 0.01):
                if message.error() is None:
                    self.take(message)
            while self.late and self.late[0][0] <= time.monotonic():
                self.send(*self.late[0][2:])
                heapq.heappop(self.late)
            self.producer.poll(0)
        self.producer.flush(10)
        self.consumer.close()

    def take(self, message):
        headers = dict(message.headers())
        text = {name: value.decode() for name, value in headers.items()}
        command = Command(text["ce_id"], text["ce_sagaid"], text["ce_sagastep"], text["ce_sagaaction"], int(text["ce_sagaattempt"]),
                          text["ce_type"], message.key(), message.value(), headers, message.timestamp()[1])
        plan = self.plans.get((command.saga, command.step, command.action))
        entry = plan[min(command.attempt, len(plan)) - 1] if plan else self.fallback(command)
        entry = entry(command) if callable(entry) else entry
        with self.lock:
            self.commands.append(command)
            for answer in entry if isinstance(entry, list) else [entry]:
                if answer.held:
                    self.held[answer.held].append((command, answer))
        for answer in entry if isinstance(entry, list) else [entry]:
            if answer.late:
                heapq.heappush(self.late, (time.monotonic() + answer.late, next(self.number), command, answer))
            elif not answer.held:
                self.send(command, answer)

    def send(self, command, answer):
        headers = list(answer.headers)
        if answer.correlated:
            headers.append(("kafka_correlationId", command.headers["kafka_correlationId"]))
        place = {} if answer.partition is None else {"partition": answer.partition}
        self.producer.produce(command.headers["kafka_replyTopic"].decode(), value=answer.value, key=command.key if answer.keyed else None,
                              headers=headers, **place)

    def stop(self):
        self.stopping.set()
        self.thread.join()

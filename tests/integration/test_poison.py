"""Messages that cannot be applied: each lands whole in the dead-letter topic with its reason, to the byte; the partition goes on."""
import json

from checker import header
from stack import Baton, definition_file, equal, until

# The topic of its service takes small messages only.
swollen = {"name": "swollen", "version": 1,
           "steps": [{"name": "small", "service": "swollen", "command": "Small", "compensation": {"command": "Shrink"}},
                     {"name": "large", "service": "swollen", "command": "Large", "input": {"much": "${input.much}"}}]}
swollen_at_once = {**swollen, "name": "swollen-at-once", "steps": swollen["steps"][1:]}
baton = Baton("poison", partitions=1, definitions=[definition_file("bench", "bench-order.json"), swollen, swollen_at_once])
baton.create("swollen.commands", {"max.message.bytes": "10000"})
worker = baton.worker("one")
baton.ready(worker)
people = baton.participants()
equal("exit code of an order", baton.call("start", "bench-order", "--id", "known", "--input", "{}", "--wait", "60")[0], 0)

START = [("saga-type", b"bench-order")]
STARTS, REPLIES, CONTROL = "orders.commands", "baton.replies", "baton.control"
EVENT = [("content-type", b"application/cloudevents+json")]


def echo(message):
    return [("kafka_correlationId", message.encode())]


def padded(count, headers):
    return [*headers, *[(f"h-{number}", bytes([number])) for number in range(count - len(headers) - 1)]]


CASES = {  # what: where, value, key, headers, reason
    "broken JSON": (STARTS, b'{"items":', b"p-1", START, "invalid-json"),
    "invalid UTF-8": (STARTS, b'{"a":"\xff\xfe"}', b"p-2", START, "invalid-json"),
    "duplicate keys": (STARTS, b'{"a":1,"a":2}', b"p-3", START, "invalid-json"),
    "an integer beyond 64 bits": (STARTS, b'{"a":18446744073709551616}', b"p-4", START, "invalid-json"),
    "a real beyond a double": (STARTS, b'{"a":1e999}', b"p-4", START, "invalid-json"),
    "a binary value": (STARTS, bytes(range(256)), b"p-5", START, "invalid-json"),
    "deep nesting": (STARTS, b'{"a":' + b"[" * 500 + b"]" * 500 + b"}", b"p-6", START, "too-deep"),
    "not an object": (STARTS, b"[1]", b"p-7", START, "not-an-object"),
    "an empty value": (STARTS, b"", b"p-8", START, "not-an-object"),
    "no value": (STARTS, None, b"p-9", START, "not-an-object"),
    "no type": (STARTS, b"{}", b"p-10", [], "missing-type"),
    "an unknown type": (STARTS, b"{}", b"p-11", [("saga-type", b"nobody-knows")], "unknown-definition"),
    "an unknown version": (STARTS, b"{}", b"p-11", [*START, ("saga-version", b"9")], "unknown-definition"),
    "no id": (STARTS, b"{}", None, START, "missing-id"),
    "an empty id": (STARTS, b"{}", b"", START, "missing-id"),
    "a bad id": (STARTS, b"{}", b"p 12", START, "invalid-id"),
    "a binary id": (STARTS, b"{}", bytes(range(256)), START, "invalid-id"),
    "oversized": (STARTS, b'{"a":"' + b"x" * 1_010_000 + b'"}', b"p-13", START, "too-large"),
    "64 headers": (STARTS, b"{", b"p-14", padded(64, START), "invalid-json"),
    "65 headers": (STARTS, b"{}", b"p-15", padded(65, START), "too-many-headers"),
    "headers without value, doubled, with old dlq- ones": (STARTS, b"{", b"p-16", [*START, ("x", None), ("x", b""), ("x", b"\x00\xff"), ("X", b"2"),
                                                                                ("dlq-reason", b"old")], "invalid-json"),
    "another input under a known id": (STARTS, b'{"other":1}', b"known", START, "conflicting-start"),
    "a reply topic that is none": (STARTS, b"{}", b"p-17", [*START, ("kafka_replyTopic", b"no topic")], "reply-topic-not-allowed"),
    "a correlation beyond its bound": (STARTS, b"{}", b"p-18", [*START, ("kafka_replyTopic", b"t"), ("kafka_correlationId", b"x" * 1025)],
                                       "invalid-correlation"),
    "an event without its attributes": (STARTS, b'{"specversion":"1.0","data":{}}', b"p-19", [*START, *EVENT], "invalid-cloudevent"),
    "another specversion": (STARTS, b"{}", b"p-20", [*START, ("ce_specversion", b"0.3")], "invalid-cloudevent"),
    "a reply without correlation": (REPLIES, b"{}", b"p-21", [], "missing-correlation"),
    "a reply with a foreign correlation": (REPLIES, b"{}", b"p-22", echo("what"), "invalid-correlation"),
    "a reply for nobody": (REPLIES, b"{}", b"p-23", echo("p-23/reserve/x/1"), "orphan-reply"),
    "a reply for no step": (REPLIES, b"{}", b"known", echo("known/nothing/x/1"), "wrong-step"),
    "a reply to an attempt that was never sent": (REPLIES, b"{}", b"known", echo("known/reserve/x/2"), "wrong-step"),
    "a reply to a compensation that was never sent": (REPLIES, b"{}", b"known", echo("known/reserve/c/1"), "wrong-step"),
    "a reply with another outcome": (REPLIES, b"{}", b"known", [*echo("known/reserve/x/1"), ("saga-outcome", b"maybe")], "invalid-outcome"),
    "a reply of broken JSON, no key": (REPLIES, b"{", None, echo("known/reserve/x/1"), "invalid-json"),
    "an order to the worker that it does not know": (CONTROL, b'{"verb":"explode","who":"ann"}', b"known", [], "unknown-verb"),
}
for what, (topic, value, key, headers, _) in CASES.items():
    baton.send(topic, value, key, [("case", what.encode()), *headers])

letters = until(lambda: (lambda found: found if len(found) >= len(CASES) else None)(baton.records("baton.dlq")), "all dead letters", 30)
equal("dead letters", sorted(header(letter, "case") for letter in letters), sorted(CASES))
for letter in letters:
    what = header(letter, "case")
    topic, value, key, headers, reason = CASES[what]
    equal(f"reason of {what}", header(letter, "dlq-reason"), reason)
    equal(f"key of {what}", letter.key, key)
    equal(f"value of {what}", letter.value, value)
    wanted = [("case", what.encode()), *headers][:64]
    equal(f"headers of {what}", [pair for pair in letter.headers if not pair[0].startswith("dlq-")],
          [pair for pair in wanted if not pair[0].startswith("dlq-")])
    equal(f"origin of {what}", (header(letter, "dlq-topic"), header(letter, "dlq-partition")), (baton.prefix + topic, "0"))
    assert header(letter, "dlq-error") and header(letter, "dlq-timestamp") and header(letter, "dlq-offset"), letter.headers

equal("exit code of the next order", baton.call("start", "bench-order", "--id", "fine", "--input", "{}", "--wait", "60")[0], 0)
equal("commands for the poisoned sagas", {command.saga for command in people.commands}, {"known", "fine"})

# What no broker takes: a start becomes a dead letter, a saga under way parks; the rest of their batch is read again and goes on.
much = {"much": "x" * 20_000}
beside = [f"beside-{number}" for number in range(20)]
for saga in beside[:10]:
    baton.start("bench-order", saga)
baton.start("swollen", "bursts", much)
baton.start("swollen-at-once", "bursts-at-once", much)
for saga in beside[10:]:
    baton.start("bench-order", saga)
letter = until(lambda: next((letter for letter in baton.records("baton.dlq") if letter.key == b"bursts-at-once"), None), "its dead letter")
equal("reason, value", (header(letter, "dlq-reason"), json.loads(letter.value)), ("undeliverable", much))
equal("its saga", baton.state("bursts-at-once"), None)
state = baton.reaches("bursts", lambda state: state["status"] == "parked", "parked")
assert "too large" in state["parked"]["reason"], state["parked"]
for saga in beside:
    baton.ends(saga, "completed")
baton.check(2 + len(beside) + 1, completed=2 + len(beside), parked=1)

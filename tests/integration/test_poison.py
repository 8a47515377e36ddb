"""Messages that cannot be applied: each lands whole in the dead-letter topic with its reason, the partition goes on."""
import subprocess

from stack import BROKERS, Baton, equal, header_values, stop, until

baton = Baton("poison.", partitions=1)
worker = baton.worker("one")
baton.ready(worker)
baton.participants()


def send(topic, value, key, headers):
    command = ["kcat", "-P", "-b", BROKERS, "-t", baton.prefix + topic, "-p", "0", "-D", "\\0", "-X", "message.max.bytes=2000000"]
    for name, text in headers.items():
        command += ["-H", f"{name}={text}"]
    if key is not None:
        command += ["-k", key]
    subprocess.run(command, input=value, check=True)


START = {"saga-type": "bench-order"}
CASES = [  # what, where, value, key, headers, reason
    ("broken JSON", "orders.commands", b'{"items":', "p-1", START, "invalid-json"),
    ("invalid UTF-8", "orders.commands", b'{"a":"\xff\xfe"}', "p-2", START, "invalid-json"),
    ("duplicate keys", "orders.commands", b'{"a":1,"a":2}', "p-3", START, "invalid-json"),
    ("an integer beyond 64 bits", "orders.commands", b'{"a":18446744073709551616}', "p-4", START, "invalid-json"),
    ("deep nesting", "orders.commands", b'{"a":' + b"[" * 500 + b"]" * 500 + b"}", "p-5", START, "too-deep"),
    ("not an object", "orders.commands", b"[1]", "p-6", START, "not-an-object"),
    ("no type", "orders.commands", b"{}", "p-7", {}, "missing-type"),
    ("an unknown type", "orders.commands", b"{}", "p-8", {"saga-type": "nobody-knows"}, "unknown-definition"),
    ("no id", "orders.commands", b"{}", None, START, "missing-id"),
    ("a bad id", "orders.commands", b"{}", "p 9", START, "invalid-id"),
    ("oversized", "orders.commands", b'{"a":"' + b"x" * 1_010_000 + b'"}', "p-10", START, "too-large"),
    ("a reply without correlation", "baton.replies", b"{}", "p-11", {}, "missing-correlation"),
    ("a reply with a foreign correlation", "baton.replies", b"{}", "p-12", {"kafka_correlationId": "what"}, "invalid-correlation"),
    ("a reply for nobody", "baton.replies", b"{}", "p-13", {"kafka_correlationId": "p-13/reserve/x/1"}, "orphan-reply"),
]
for what, topic, value, key, headers, reason in CASES:
    before = len(header_values(baton.prefix + "baton.dlq", "dlq-reason"))
    send(topic, value, key, headers)
    reasons = until(lambda: (lambda got: got if len(got) > before else None)(header_values(baton.prefix + "baton.dlq", "dlq-reason")),
                    f"the dead letter of {what}")
    equal(f"reason of {what}", reasons[-1], reason)

equal("exit code of the next order", baton.call("start", "bench-order", "--id", "fine", "--input", "{}", "--wait", "60")[0], 0)
equal("another input under its id: dead letters", baton.call("start", "bench-order", "--id", "fine", "--input", '{"other":1}')[0], 0)
until(lambda: header_values(baton.prefix + "baton.dlq", "dlq-reason")[-1] == "conflicting-start", "the conflicting start's dead letter")
equal("dead letters", len(header_values(baton.prefix + "baton.dlq", "dlq-reason")), len(CASES) + 1)
stop(worker)

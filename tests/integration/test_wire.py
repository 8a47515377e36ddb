"""The wire contract from outside: starts in their three forms, traces, reply topics, numbers, messages that come on a wrong partition."""
import json

from checker import header
from participants import Answer, done, passing, refused
from stack import Baton, equal, lines, run_scenarios, said, scenario, until

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE = [("traceparent", PARENT), ("tracestate", "vendor=1,other=2")]
mirror = {"name": "mirror", "version": 1, "defaults": {"timeout": "60s", "retry": {"attempts": 2, "interval": "50ms"}, "compensation": {"retry": {"attempts": 2}}},
          "steps": [{"name": "show", "service": "mirror", "command": "Show", "input": {"all": "${input}"}, "compensation": {"command": "Hide"}},
                    {"name": "last", "service": "mirror", "command": "End"},
                    {"name": "after", "when": "${input.more}", "service": "mirror", "command": "More", "pivot": True}],
          "output": {"shown": "${steps.show.output.all}"}}
chain = {"name": "chain", "version": 1, "defaults": mirror["defaults"],
         "steps": [{"name": name, "service": "chain", "command": f"Do{name}", "compensation": {"command": f"Undo{name}"}} for name in "ABC"]}

claim = {"name": "claim", "version": 1, "defaults": mirror["defaults"],
         "steps": [{"name": "render", "service": "mirror", "command": "Render", "input": "${input}", "compensation": {"command": "Drop", "input": "${steps.render.output}"}},
                   {"name": "print", "service": "mirror", "command": "Print", "input": "${steps.render.output}", "compensation": {"command": "Shred"}},
                   {"name": "send", "service": "mirror", "command": "Send", "input": {"all": "${input}"}}]}

turns = {"name": "turns", "version": 1, "lock": {"key": "desk/${input.desk}"}, "steps": [{"name": "sit", "service": "mirror", "command": "Sit"}]}

rows = {"name": "rows", "version": 1, "defaults": mirror["defaults"],
        "steps": [{"name": "each", "forEach": {"items": "${input.rows}", "maxConcurrency": 2, "steps": [
                      {"name": "row", "service": "mirror", "command": "Row", "input": {"row": "${item}"}, "compensation": {"command": "Unrow", "input": {"row": "${item}"}}}]}},
                  {"name": "last", "service": "mirror", "command": "End", "input": "${steps.each.output}"}]}

baton = Baton("wire", partitions=3, definitions=[mirror, {**mirror, "version": 2}, chain, claim, turns, rows],
              topics={"start": {"orders.commands": {}, "shop.orders": {"saga": "mirror"}}, "allowReplyTo": ["shop.answers"]})
baton.create("shop.answers")
worker = baton.worker("one")
baton.ready(worker)
people = baton.participants()


def elsewhere(saga):
    return (baton.home(saga) + 1) % baton.partitions


def event(**attributes):
    return json.dumps({"specversion": "1.0", "id": "e-1", "source": "/shop", "type": "shop.order.v1", **attributes})


def traced(saga):
    """The saga's commands carry the starter's trace, each as a span of its own."""
    commands = people.seen(saga)
    parents = [command.headers["traceparent"].decode() for command in commands]
    equal(f"traces of {saga}", {parent[:36] + parent[52:] for parent in parents}, {PARENT[:36] + PARENT[52:]})
    equal(f"spans of {saga}", len({*parents, PARENT}), len(commands) + 1)
    equal(f"tracestate of {saga}", {command.headers["tracestate"] for command in commands}, {b"vendor=1,other=2"})


@scenario("a plain start: key, saga-type, JSON")
def plain():
    people.script("plain", "show", lambda command: done().with_(value=command.value))
    baton.start("mirror", "plain", {"a": 1}, TRACE)
    yield
    equal("output, version", [baton.ends("plain", "completed")[name] for name in ("output", "version")], [{"shown": {"a": 1}}, 2])
    traced("plain")


@scenario("a start as a CloudEvent in binary mode: ce_id is the saga, ce_sagaversion the version")
def binary():
    baton.send("orders.commands", '{"a":1}', None, [("ce_specversion", "1.0"), ("ce_id", "binary"), ("ce_source", "/shop"),
                                                    ("ce_type", "shop.order.v1"), ("ce_sagatype", "mirror"), ("ce_sagaversion", "1"), *TRACE],
               baton.home("binary"))
    yield
    equal("version, input", [baton.ends("binary", "completed")[name] for name in ("version", "input")], [1, {"a": 1}])
    traced("binary")


@scenario("a start as a CloudEvent in structured mode: everything is in the event")
def structured():
    baton.send("orders.commands", event(id="structured", sagatype="mirror", data={"a": 1}, traceparent=PARENT,
                                        tracestate="vendor=1,other=2"),
               None, [("content-type", "application/cloudevents+json; charset=utf-8")], baton.home("structured"))
    yield
    equal("input", baton.ends("structured", "completed")["input"], {"a": 1})
    traced("structured")


@scenario("an iteration of a forEach has its index in ids and keys, and its item on the way back")
def iterations():
    people.script("rows", "last", refused("FULL"))
    baton.start("rows", "rows", {"rows": ["a", "b", "c"]})
    yield
    baton.ends("rows", "compensated")
    commands = [command for command in people.seen("rows") if command.type == "Row"]
    equal("keys", sorted(command.headers["idempotency-key"].decode() for command in commands), ["rows/row.0/x", "rows/row.1/x", "rows/row.2/x"])
    equal("ids", sorted(command.headers["ce_id"].decode() for command in commands), ["rows/row.0/x/1", "rows/row.1/x/1", "rows/row.2/x/1"])
    equal("undone", sorted((command.step, json.loads(command.value)["row"]) for command in people.seen("rows", action="compensate")), [("row.0", "a"), ("row.1", "b"), ("row.2", "c")])


@scenario("a topic bound to a definition needs a key and a value")
def bound():
    baton.send("shop.orders", '{"a":1}', "bound")
    yield
    equal("definition", baton.ends("bound", "completed")["definition"], "mirror")


@scenario("a reference goes on with its value, and with nothing else")
def references():
    people.script("refers", "render", Answer(None, [("ce_dataref", b"s3://rendered/1?v=2")]))
    people.script("refers", "send", refused("FULL"))
    baton.send("orders.commands", None, "refers", [("saga-type", "claim"), ("ce_dataref", "s3://orders/refers")])
    yield
    state = baton.ends("refers", "compensated")
    equal("input, references", (state["input"], state["dataref"], state["steps"]["render"]["dataref"]), ({}, "s3://orders/refers", "s3://rendered/1?v=2"))
    equal("the commands' references", [(command.id, command.headers.get("ce_dataref")) for command in people.seen("refers")],
          [("refers/render/x/1", b"s3://orders/refers"), ("refers/print/x/1", b"s3://rendered/1?v=2"), ("refers/send/x/1", None),
           ("refers/print/c/1", None), ("refers/render/c/1", b"s3://rendered/1?v=2")])


@scenario("the same start with another reference is a dead letter")
def other_reference():
    for place in ("s3://orders/1", "s3://orders/1", "s3://orders/2"):
        baton.send("orders.commands", None, "refers-twice", [("saga-type", "claim"), ("ce_dataref", place)])
    yield
    baton.reaches("refers-twice", lambda state: state["status"] == "completed" and state["duplicates"] == 1, "completed, one duplicate")


@scenario("a trace that is not valid costs no order")
def bad_trace():
    baton.start("mirror", "untraced", {}, [("traceparent", "00-zz"), ("tracestate", "vendor=1")])
    yield
    baton.ends("untraced", "completed")
    equal("traces", {command.headers.get("traceparent") for command in people.seen("untraced")}, {None})


@scenario("the same start again, in whatever form, is the same saga")
def duplicates():
    baton.start("mirror", "again", {"a": 1, "b": 2.50})
    baton.send("orders.commands", '{"b":2.5, "a":1}', "again", [("saga-type", "mirror")])
    baton.send("orders.commands", event(sagaid="again", sagatype="mirror", data={"b": 2.5, "a": 1}), "again",
               [("content-type", "application/cloudevents+json")])
    yield
    baton.reaches("again", lambda state: state["status"] == "completed" and state["duplicates"] == 2, "completed, two duplicates")
    equal("commands", [command.id for command in people.seen("again")], ["again/show/x/1", "again/last/x/1"])


@scenario("the same id with another input, type or version is a dead letter, and the saga goes on")
def conflicting():
    baton.start("mirror", "torn", {"a": 1})
    baton.start("mirror", "torn", {"a": 2})
    baton.start("mirror", "torn", {"a": 1}, [("saga-version", "1")])
    yield
    equal("input", baton.ends("torn", "completed")["input"], {"a": 1})
    until(lambda: [header(letter, "dlq-reason") for letter in baton.records("baton.dlq") if letter.key == b"torn"] == ["conflicting-start"] * 2,
          "two dead letters")


@scenario("the starter's own topic gets the result, its correlation echoed to the byte, if it is on the list")
def answers():
    baton.start("mirror", "asks", {}, [("kafka_replyTopic", baton.prefix + "shop.answers"), ("kafka_correlationId", b"\x00\xff\x10 bytes")])
    baton.start("mirror", "asks-text", {}, [("kafka_replyTopic", baton.prefix + "shop.answers"), ("kafka_correlationId", "b64:text")])
    baton.start("mirror", "pushy", {}, [("kafka_replyTopic", "nobody.allowed.this")])
    yield
    for saga in ("asks", "asks-text", "pushy"):
        baton.ends(saga, "completed")
    got = until(lambda: (lambda records: records if len(records) == 2 else None)(baton.records("shop.answers")), "two answers")
    correlations = {record.key: dict(record.headers)["kafka_correlationId"] for record in got}
    equal("correlations", correlations, {b"asks": b"\x00\xff\x10 bytes", b"asks-text": b"b64:text"})
    results = {record.key: record for record in baton.records("baton.results")}
    for record in got:
        equal("value", record.value, results[record.key].value)
    assert b"pushy" in results and said(worker, "topics.allowReplyTo does not name")


NUMBERS = ('{"price":19.99,"exact":9007199254740993,"huge":1e300,"minus":-0.0,"one":1.0,"most":9223372036854775807,'
           '"least":-9223372036854775808,"tiny":5e-324,"third":0.3333333333333333,"ten":[10,10.0,1E1]}')


@scenario("numbers come out equal: start, command, reply, output, result")
def numbers():
    people.script("sums", "show", lambda command: done().with_(value=command.value))
    baton.send("orders.commands", NUMBERS, "sums", [("saga-type", "mirror")])
    yield
    baton.ends("sums", "completed")
    wanted = repr(json.loads(NUMBERS))
    equal("in the command", repr(json.loads(people.seen("sums", "show")[0].value)["all"]), wanted)
    equal("in the view", repr(baton.state("sums")["input"]), wanted)
    result = next(record for record in baton.records("baton.results") if record.key == b"sums")
    equal("in the result", repr(json.loads(result.value)["output"]["shown"]), wanted)
    assert b"19.99," in result.value and b"9007199254740993" in result.value, result.value


@scenario("what comes on a wrong partition, or without a key, is forwarded once and warned of once")
def forwarded():
    people.script("astray", "show", lambda command: done().with_(partition=elsewhere("astray")))
    people.script("keyless", "show", lambda command: done().with_(keyed=False, partition=elsewhere("keyless")))
    people.script("keyless", "last", lambda command: done().with_(keyed=False, partition=baton.home("keyless")))
    baton.start("mirror", "astray", {}, partition=elsewhere("astray"))
    baton.start("mirror", "keyless", {}, partition=elsewhere("keyless"))
    yield
    baton.ends("astray", "completed")
    baton.ends("keyless", "completed")
    for topic in ("orders.commands", "baton.replies"):
        places = [header(record, "baton-forwarded") for record in baton.records(topic)
                  if record.key in (b"astray", b"keyless") and header(record, "baton-forwarded")]
        equal(f"messages of {topic} forwarded, different", (len(places), len(set(places))), (2, 2))
        equal(f"warnings of {topic}", len([line for line in lines(worker, ": forwarded;") if baton.prefix + topic in line]), 1)


@scenario("a message that was forwarded once and is still astray is a dead letter")
def forwarded_twice():
    baton.start("mirror", "lost", {}, [("baton-forwarded", "x/1/1")], elsewhere("lost"))
    yield
    letter = until(lambda: next((letter for letter in baton.records("baton.dlq") if letter.key == b"lost"), None), "its dead letter")
    equal("reason", header(letter, "dlq-reason"), "wrong-partition")
    equal("saga", baton.state("lost"), None)


@scenario("a refused saga and a parked one beside them")
def others():
    people.script("no", "C", refused())
    people.script("never", "C", refused())
    people.script("never", "B", passing(), action="compensate")
    baton.start("chain", "no")
    baton.start("chain", "never")
    yield
    baton.ends("no", "compensated")
    baton.reaches("never", lambda state: state["status"] == "parked", "parked")


@scenario("two sagas of one lock, and what they and it tell each other")
def turn_by_turn():
    people.script("sits", "sit", done().with_(held="desk"))
    baton.start("turns", "sits", {"desk": 4})
    until(lambda: people.seen("sits", "sit"), "the first one's command")
    baton.start("turns", "stands", {"desk": 4})
    yield
    baton.reaches("stands", lambda state: state["steps"][":lock"]["status"] == "waiting", "waiting")
    lock = next(record.key.decode() for record in baton.records("baton.control") if record.key.startswith(b"lock:"))
    baton.reaches(lock, lambda state: [row["saga"] for row in state["queue"]] == ["sits", "stands"], "both in the queue")
    people.release("desk")
    baton.ends("stands", "completed")
    baton.ends(lock, "completed")


@scenario("a job that only counts, and one that is refused")
def jobs():
    yield
    baton.reaches("never", lambda state: state["status"] == "parked", "parked")
    code, out, err = baton.call("cancel", "--where", "status=parked,type=chain", "-o", "json")
    equal(f"exit code of the preview: {err}", (code, json.loads(out)["found"]), (6, 1))
    code, out, err = baton.call("resume", "--where", "status=parked,type=chain", "--yes", "-o", "json")
    equal(f"exit code of what is refused: {err}", (code, json.loads(out)["refused"]), (6, 1))


run_scenarios()
baton.check()

"""The checker finds what is wrong: a recorded run that is right, damaged in one place at a time. Needs no broker.

evidence-children.jsonl was recorded by TRIPS=4 SAVE_EVIDENCE=... test_children.py; the other by SAVE_EVIDENCE=evidence.jsonl test_wire.py: a saga compensated ("no"), one parked ("never"), forwarded messages, dead letters, a job that
only says what it would do and one that is refused."""
import copy
import json
import os
import zlib

import checker

HERE = os.path.dirname(os.path.abspath(__file__))
RECORDING = checker.Evidence.load(os.path.join(HERE, "evidence.jsonl"))
CHILDREN = checker.Evidence.load(os.path.join(HERE, "evidence-children.jsonl"))


# --- damage ---


def place(evidence, role, condition):
    """The list that holds the one record, and where in it."""
    topic = evidence.prefix + role
    found = [at for at, record in enumerate(evidence.records[topic]) if condition(record)]
    assert found, f"the recording has no such record in {role}"
    return evidence.records[topic], found[0]


def of(name, text):
    return lambda record: checker.header(record, name) == text


def keyed(key):
    return lambda record: record.key == key


def drop(role, condition):
    def damage(evidence):
        records, at = place(evidence, role, condition)
        del records[at]
    return damage


def double(role, condition):
    """The same record once more, as a transaction that was done twice would leave it."""
    def damage(evidence):
        records, at = place(evidence, role, condition)
        records.append(records[at]._replace(offset=records[-1].offset + 1000))
    return damage


def change(role, condition, **changes):
    def damage(evidence):
        records, at = place(evidence, role, condition)
        records[at] = records[at]._replace(**{name: value(getattr(records[at], name)) if callable(value) else value
                                              for name, value in changes.items()})
    return damage


def relabel(name, text):
    return lambda headers: [(have, text.encode() if have == name else value) for have, value in headers]


def swap(old, new):
    def damage(value):
        assert old in value
        return value.replace(old, new, 1)
    return damage


def step_of(saga, command):
    """Journal records that send a command."""
    return lambda record: any(step.get("id") == saga and command in step.get("send", []) for step in json.loads(record.value)["steps"])


def rewrite(condition, edit):
    """A journal record that says something else, well framed: no CRC gives it away."""
    def damage(evidence):
        records, at = place(evidence, "baton.journal", condition)
        document = json.loads(records[at].value, parse_float=lambda digits: float(digits))
        edit(document)
        crc = document.pop("crc")
        steps = document.pop("steps")
        head = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()[:-1]
        inside = json.dumps(steps, separators=(",", ":"), ensure_ascii=False).encode()[1:-1]
        crc = zlib.crc32(inside, zlib.crc32(head))
        records[at] = records[at]._replace(value=head + b',"crc":"%08x","steps":[' % crc + inside + b"]}")
    return damage


def last_of(saga):
    return lambda record: any(step.get("id") == saga and (step.get("patch", {}).get("set", {}).get("endedAt")) for step in
                              json.loads(record.value)["steps"])


def its(document, saga):
    return [step for step in document["steps"] if step.get("id") == saga][-1]


def has_note(record):
    return any("note" in step for step in json.loads(record.value)["steps"])


def offset(change_offset=0, metadata=None):
    def damage(evidence):
        where = next(where for where in sorted(evidence.offsets) if where[0].endswith("baton.replies"))
        have = evidence.offsets[where]
        evidence.offsets[where] = have[0] + change_offset, metadata or have[1]
    return damage


def key_of(evidence, part):
    return next(key for key in sorted(evidence.redis) if part in key)


def redis(part, value):
    """Change the first key whose name has the part; None removes it."""
    def damage(evidence):
        key = key_of(evidence, part)
        evidence.redis[key] = value(evidence.redis[key]) if value else None
        if value is None:
            del evidence.redis[key]
    return damage


def ghost(name, value):
    def damage(evidence):
        meta = key_of(evidence, ":meta")
        evidence.redis[meta.replace("meta", name)] = value(evidence.redis[meta]["gen"])
    return damage


def defined(key, edit):
    """The definition says something else than what was run."""
    def damage(evidence):
        records, at = place(evidence, "baton.definitions", keyed(key))
        document = json.loads(records[at].value)
        edit(document["steps"])
        records[at] = records[at]._replace(value=json.dumps(document).encode())
    return damage


def said_of(key, **members):
    """Likewise of a member beside its steps."""
    def damage(evidence):
        records, at = place(evidence, "baton.definitions", keyed(key))
        records[at] = records[at]._replace(value=json.dumps({**json.loads(records[at].value), **members}).encode())
    return damage


def is_letter(note):
    return lambda record: any(step.get("note") == note for step in json.loads(record.value)["steps"])


def grouped(name, count, **group):
    """The first steps stand in a group."""
    def edit(steps):
        steps[:count] = [{"name": name, "sequence": steps[:count], **group}]
    return edit


def both(one, other):
    def damage(evidence):
        one(evidence)
        other(evidence)
    return damage


def given_up(status, **patch):
    """A of saga "no" may be answered by a value, and was."""
    return both(defined(b"chain@1", lambda steps: steps[0].update(fallback={"output": 1})), rewrite(step_of("no", "B/x/1"), lambda document: (
        its(document, "no")["patch"]["steps"].update({"A": {"status": status, "fallback": "output"}, "A:fallback": {"status": "done"}}), its(document, "no")["patch"].update(patch))))


def branches(join, entry):
    """A of saga "no" is one of three branches."""
    def edit(steps):
        steps[:1] = [{"name": "P", "parallel": [[steps[0]], [{"name": "X"}], [{"name": "Y"}]], "join": join}]
    return both(defined(b"chain@1", edit), rewrite(step_of("no", "B/x/1"), lambda document: its(document, "no")["patch"]["steps"].update(P=entry)))


def refusing(record):
    return checker.header(record, "ce_type") == "baton.control.job.v1" and b'"refused":1' in record.value


def foreseeing(record):
    return b'"preview":true' in record.value


def breaker(*changes):
    """A parking becomes the first of these changes of a service's breaker, the others come after it."""
    def damage(evidence):
        records, at = place(evidence, "baton.events", of("ce_type", "baton.saga.parked.v1"))
        told = [records[at]._replace(key=b"bank", offset=records[-1].offset + 1000 + number, headers=[("ce_id", f"bank/{state}/{number}".encode()),
                ("ce_type", f"baton.service.{state}.v1".encode())], value=b'{"state":"%s","byHand":false,"who":null}' % said.encode())
                for state, number, said in changes]
        records[at:at + 1] = told
    return damage


UNDO = "no/B/c/1"
ROWS = [  # what is damaged, how, what the checker says of it
    ("a command sent twice", double("chain.commands", of("ce_id", UNDO)), f"command {UNDO}: 2 times"),
    ("a lost compensation", drop("chain.commands", of("ce_id", UNDO)), f"command {UNDO}: the journal has sent it, but it is not there"),
    ("a command of no transaction", change("chain.commands", of("ce_id", UNDO), headers=relabel("ce_id", "no/B/c/2")),
     "command no/B/c/2: the journal has not sent it"),
    ("another idempotency key", change("chain.commands", of("ce_id", UNDO), headers=relabel("idempotency-key", "no/B/c/1")),
     "its idempotency key is no/B/c/1"),
    ("a poll of a step that is asked once", change("chain.commands", of("ce_id", UNDO), headers=relabel("idempotency-key", "no/B/c.2")),
     "saga no: the polls of B/c are [2]"),
    ("another correlation", change("chain.commands", of("ce_id", UNDO), headers=relabel("kafka_correlationId", "no/B/x/1")),
     "its ids do not fit together"),
    ("a command with another key", change("chain.commands", of("ce_id", UNDO), key=b"never"), "its key or its partition is not its saga's"),
    ("a command of another name", change("chain.commands", of("ce_id", UNDO), headers=relabel("ce_type", "UndoA")),
     "it is UndoA, the definition says UndoB of chain"),
    ("a change of a breaker told twice", breaker(("open", 2, "open"), ("open", 2, "open")), "change 2 of service bank is told twice"),
    ("a breaker that leaves out its trial", breaker(("open", 2, "open"), ("closed", 3, "closed")), "service bank went from open to closed"),
    ("a breaker that is first tried", breaker(("half-open", 2, "half-open")), "service bank went from closed to half-open"),
    ("a breaker of two minds", breaker(("open", 2, "closed")), "its key or its state is another's"),
    ("a step held back that is done", rewrite(step_of("no", "B/x/1"), lambda document: its(document, "no")["patch"]["steps"]["A"].update(heldSince=1)),
     "saga no: A is held back, and done"),
    ("a step held back that spent an attempt", rewrite(step_of("no", "B/x/1"), lambda document: its(document, "no")["patch"]["steps"]["B"].update(
        status="retrying", heldSince=1)), "saga no: B was held back and spent an attempt"),
    ("a command that its service did not take", rewrite(step_of("no", "B/x/1"), lambda document: its(document, "no")["event"].update(
        gate={"chain": {"permits": 0, "open": True, "until": 0}})), "saga no: 1 commands for chain, which took 0"),
    ("a second result", double("baton.results", keyed(b"no")), "saga no has 2 results"),
    ("no result", drop("baton.results", keyed(b"no")), "saga no has 0 results"),
    ("another result", change("baton.results", keyed(b"no"), value=swap(b'"NO"', b'"ON"')), "the result of saga no is not what the journal says"),
    ("a result of a parked saga", change("baton.results", keyed(b"no"), key=b"never"), "saga never has not ended"),
    ("a result with a foreign id", change("baton.results", keyed(b"no"), headers=relabel("ce_id", "no/compensated/1")), "not this saga's end"),
    ("a lost answer to the starter", drop("shop.answers", keyed(b"asks")), "saga asks has 0 results"),
    ("a broken correlation", change("shop.answers", keyed(b"asks"), headers=relabel("kafka_correlationId", "x")), "correlation is not echoed"),
    ("no news of the parking", drop("baton.events", keyed(b"never")), "events: told {}"),
    ("an answer to nobody", change("baton.events", keyed(b"never"), headers=relabel("ce_type", "baton.control.accepted.v1")), "answers to messages"),
    ("no answer of a job", drop("baton.events", of("ce_type", "baton.control.job.v1")), "0 answers on the events topic"),
    ("a job that says more than it did", change("baton.events", lambda record: refusing(record) and not foreseeing(record), value=swap(b'"accepted":0', b'"accepted":1')), "it says"),
    ("a preview that forgets a saga", change("baton.events", lambda record: refusing(record) and foreseeing(record), value=swap(b'"refused":1', b'"refused":0')), "found are not accepted and refused"),
    ("a job with more reasons than refusals", change("baton.events", refusing, value=swap(b'"refused":1', b'"refused":0')), "more reasons than were refused"),
    ("a job that did less than it found", change("baton.events", refusing, value=swap(b'"found":1', b'"found":2')), "found are not accepted and refused"),
    ("a job's page that nobody journalled", double("baton.control", lambda record: b'"where"' in record.value), "the journal has pages"),
    ("a lock that told nobody", drop("baton.control", lambda record: record.key == b"stands" and b'":lock"' in record.value), "locks: told"),
    ("a lock whose owner never left", drop("baton.control", lambda record: b'"leave","saga":"sits"' in record.value), "by what it was told"),
    ("a dead letter too few", drop("baton.dlq", keyed(b"torn")), "journalled as a dead letter, but not in the dead letters"),
    ("a dead letter too many", double("baton.dlq", keyed(b"torn")), "is in the dead letters already"),
    ("a dead letter with another value", change("baton.dlq", keyed(b"torn"), value=b"{}"), "key or value is not that of"),
    ("a dead letter without its key", change("baton.dlq", keyed(b"torn"), key=None), "key or value is not that of"),
    ("a dead letter that lost a header", change("baton.dlq", keyed(b"torn"), headers=lambda headers: headers[1:]), "its headers are not those of"),
    ("a dead letter of another reason", change("baton.dlq", keyed(b"torn"), headers=relabel("dlq-reason", "invalid-json")),
     "its reason is invalid-json, the journal says conflicting-start"),
    ("a duplicate of what is taken once", said_of(b"mirror@2", onDuplicate="reject"), "saga again: started again, though its definition takes each id once"),
    ("a duplicate refused where it need not be", rewrite(is_letter("dead-letter:conflicting-start"), lambda document: next(
        step for step in document["steps"] if step.get("note") == "dead-letter:conflicting-start").update(note="dead-letter:duplicate-start")), "refused as a duplicate, though"),
    ("a forwarded message lost", drop("orders.commands", lambda record: record.key == b"astray" and checker.header(record, "baton-forwarded")),
     "forwarded: the journal says"),
    ("a forwarded message changed", change("orders.commands", lambda record: record.key == b"astray" and
                                           checker.header(record, "baton-forwarded"), value=b"[]"), "not what was forwarded from"),
    ("a start that was never read", change("orders.commands", keyed(b"plain"), offset=999), ": never read"),
    ("a start lost by retention", drop("orders.commands", keyed(b"plain")), "journalled, but no such record is to be seen"),
    ("an input in no journal record", rewrite(has_note, lambda document: document["steps"].pop(
        next(at for at, step in enumerate(document["steps"]) if "note" in step))), "journalled 0 times"),
    ("an input applied twice", rewrite(has_note, lambda document: document["steps"].append(
        next(step for step in document["steps"] if "note" in step))), "journalled 2 times"),
    ("a journal record lost", drop("baton.journal", step_of("no", "B/c/1")), ": seq "),
    ("a journal record written twice", double("baton.journal", step_of("no", "B/c/1")), ": seq "),
    ("a byte of a journal record", change("baton.journal", step_of("no", "B/c/1"), value=swap(b'"applied"', b'"applier"')), ": CRC"),
    ("a wrong count of steps", rewrite(step_of("no", "B/c/1"), lambda document: document.update(n=document["n"] + 1)), ": n is"),
    ("a vector that goes back", rewrite(last_of("no"), lambda document: document["vector"].update(
        {topic: 0 for topic in document["vector"]})), "goes back from"),
    ("a checkpoint beyond the end", rewrite(last_of("no"), lambda document: document.update(c=document["seq"] + 1)), "beyond seq"),
    ("a saga that skips a version", rewrite(step_of("no", "B/c/1"), lambda document: its(document, "no").update(seq=9)), "saga no goes from seq"),
    ("offsets behind the journal", offset(-1), "the group's offset is"),
    ("offsets of another transaction", offset(0, "1;seq=1;c=0"), "the group's metadata are 1;seq=1;c=0"),
    ("compensations in the order of doing", rewrite(step_of("no", "B/c/1"), lambda document: (
        its(document, "no").update(send=["A/c/1"]), its(document, "no")["patch"]["steps"].pop("B"))), "saga no: A/c/1, but the last thing done is B"),
    ("a compensation before an answer", rewrite(step_of("no", "B/c/1"), lambda document: its(document, "no")["patch"]["steps"].update(A={"status": "running"})),
     "saga no: B/c/1, but A has not been answered"),
    ("a compensation on the way forward", rewrite(step_of("no", "B/x/1"), lambda document: its(document, "no")["send"].append("A/c/1")),
     "saga no: A/c/1, but its branch has not lost, nor has the saga turned back"),
    ("a parallel that goes on", branches("any", {"status": "running"}), "saga no: P goes on, but {1} of its branches are done"),
    ("a parallel that is done too early", branches({"quorum": 2}, {"status": "done", "lost": [2, 3]}), "saga no: P is done, but of its branches only {1} are"),
    ("a parallel that cannot be done any more", branches({"quorum": 2}, {"status": "running", "lost": [2, 3]}),
     "saga no: P goes on, but only 1 of its branches are left"),
    ("more iterations at a time than may be", defined(b"rows@1", lambda steps: steps[0]["forEach"].update(maxConcurrency=1)), "saga rows: each has begun 2 of 3 iterations"),
    ("more iterations undone at a time than may be", defined(b"rows@1", lambda steps: steps[0]["forEach"].update(maxConcurrency=1)), "saga rows: 2 iterations of each are undone at a time"),
    ("another output than the iterations gave", rewrite(step_of("rows", "last/x/1"), lambda document: its(document, "rows")["patch"]["steps"]["each"].update(output=[1, 2, 3])),
     "saga rows: each is done with 3 of 3 iterations, and is not what they gave"),
    ("done before all iterations are", rewrite(step_of("rows", "last/x/1"), lambda document: its(document, "rows")["patch"]["steps"]["each"].update(finished=2)),
     "saga rows: each is done with 2 of 3 iterations"),
    ("an iteration undone before what came after it", rewrite(step_of("rows", "row.0/c/1"), lambda document: its(document, "rows")["patch"]["steps"].update(
        last={"status": "running", "attempts": 1})), "saga rows: row.0/c/1, but last has not been answered"),
    ("a branch that has lost for nothing", branches({"quorum": 2}, {"status": "running", "lost": [2]}),
     "saga no: branch 2 of P has lost, but nothing failed in it"),
    ("a branch that had lost", both(branches("any", {"status": "done", "lost": [2, 3]}), rewrite(step_of("no", "B/c/1"), lambda document: its(
        document, "no")["patch"]["steps"].update(P={"status": "done", "lost": [2]}))), "saga no: branches {3} of P had lost, and have not"),
    ("a compensation begun before the last one ended", rewrite(step_of("no", "B/c/1"), lambda document: its(document, "no")["send"].append("A/c/1")),
     "saga no: A/c/1 while B is being undone"),
    ("a compensation sent as new twice", rewrite(step_of("never", "B/c/2"), lambda document: its(document, "never").update(send=["B/c/1"])),
     "saga never: B/c/1 after 1 attempts"),
    ("a command after the end", rewrite(last_of("no"), lambda document: its(document, "no").update(send=["A/x/2"])),
     "saga no: A/x/2 is sent although its branch has lost, or the saga has turned back or ended"),
    ("a compensation left out", rewrite(last_of("no"), lambda document: its(document, "no")["patch"]["steps"]["A"].update(status="done")),
     "saga no: compensated, but ['A'] are not undone"),
    ("a step of a group that was not entered", defined(b"chain@1", grouped("G", 2)), "saga no: B is reached, but not the case of G that it stands in"),
    ("a step of another case", rewrite(step_of("no", "B/x/1"), lambda document: its(document, "no")["patch"]["steps"].update(
        A={"status": "done", "case": 1}, B={"status": "running", "case": 2})), "saga no: A has taken another case than before"),
    ("a compensated saga with a step under way", rewrite(last_of("no"), lambda document: its(document, "no")["patch"]["steps"].update(
        C={"status": "running"})), "saga no: compensated, but C is running"),
    ("a completed group that lacks a step", defined(b"mirror@1", lambda steps: steps[0].update(sequence=[{"name": "inner"}])),
     "completed, but ['inner'] in show are not done"),
    ("a value in place of another service", both(given_up("failed"), defined(b"chain@1", lambda steps: steps[0].update(fallback={"service": "x"}))),
     "saga no: A says that output stands in for it, the definition says service"),
    ("a value for what is done", given_up("done"), "saga no: A is done, something stands in for it"),
    ("a value for a refusal", given_up("failed", history=[[1, "refused", "A", 1]]), "saga no: something stands in for A, which was refused"),
    ("a completed saga that lacks what stands in", both(defined(b"mirror@2", lambda steps: steps[-1].update(fallback={"output": 1})),
                                                        rewrite(last_of("plain"), lambda document: its(document, "plain")["patch"]["steps"]["after"].update(fallback="output"))),
     "saga plain: completed, but what stands in for after is not done"),
    ("a try that nobody confirmed", defined(b"mirror@2", lambda steps: steps[0].update(tcc={"try": {"command": "Show"}, "confirm": {"command": "Show"}, "cancel": {"command": "Hide"}})),
     "saga plain: completed, but show is not confirmed"),
    ("a wait that is never due", rewrite(step_of("no", "B/x/1"), lambda document: its(document, "no")["patch"]["steps"].update(A={"status": "waiting"})),
     "saga no: A waits without a due time"),
    ("a step for ever", rewrite(step_of("no", "B/x/1"), lambda document: its(document, "no")["patch"]["steps"].update(A={"status": "done", "forever": True})),
     "saga no: A is done for ever"),
    ("a signal for nobody", rewrite(step_of("no", "B/x/1"), lambda document: its(document, "no")["patch"]["set"].update(signals=[{"name": "go", "at": 1}])),
     "saga no: keeps signals that it should not"),
    ("a completed saga that sent a compensation", rewrite(last_of("plain"), lambda document: its(document, "plain").update(send=["show/c/1"])),
     "saga plain: completed, but compensations were sent"),
    ("a saga without an end", rewrite(last_of("no"), lambda document: its(document, "no")["patch"]["set"].update(status="running")),
     "saga no: running, neither ended nor parked"),
    ("an ended saga that still waits", rewrite(last_of("no"), lambda document: its(document, "no")["patch"]["set"].update(dueAt=1)),
     "neither ended nor parked"),
    ("an effect that nobody undid", change("baton.replies", of("kafka_correlationId", "no/C/x/1"),
                                           headers=lambda headers: headers[1:], value=b"{}"), "the participant of C has done it and not undone it"),
    ("a compensation that nobody named", rewrite(last_of("no"), lambda document: its(document, "no")["patch"]["steps"]["A"].update(undo={"service": "chain", "command": "UndoA"})),
     "saga no: A is undone by {'service': 'chain', 'command': 'UndoA'}, which no reply has named"),
    ("a completion that nobody confirmed", change("baton.replies", of("kafka_correlationId", "plain/show/x/1"),
                                                  headers=lambda headers: [("saga-outcome", b"failure"), *headers]),
     "the participant of show has not said that it is done"),
    ("a byte of a state in Redis", redis(":saga:no", swap(b'"code":"NO"', b'"code":"ON"')), "saga:no: the state differs from the journal's: error"),
    ("a number of a state in Redis", redis(":saga:sums", swap(b"19.99", b"19.990000000000002")), "saga:sums: the state differs"),
    ("the sign of a zero in Redis", redis(":saga:sums", swap(b"-0.0", b"0.0")), "saga:sums: the state differs"),
    ("the head line of a state in Redis", redis(":saga:no", swap(b" compensated ", b" running ")), "saga:no: its first line is"),
    ("a state cut short in Redis", redis(":saga:no", lambda value: value[:-1]), "saga:no: the state differs from the journal's: not JSON"),
    ("a saga missing in Redis", redis(":saga:no", None), "saga:no: missing"),
    ("a ghost in Redis", ghost("saga:nobody", lambda gen: gen.encode() + b" 1 running 0 0 chain\n{}"), "saga:nobody: nothing in the journal says that it should be there"),
    ("a ghost timer in Redis", ghost("timers", lambda gen: {"no": 1}), ":timers: nothing in the journal says that it should be there"),
    ("an index entry missing", redis("index:chain@1:compensated", None), "index:chain@1:compensated: missing"),
    ("an index entry of another time", redis("index:chain@1:compensated", lambda scores: {"no": 1}), "['no'] are other than the states say"),
    ("a type missing", redis(":meta", lambda meta: {name: value for name, value in meta.items() if not name.startswith("type:")}),
     "is not named"),
    ("a state of another generation", redis(":saga:no", lambda value: b"0" + value), "saga:no: its first line is"),
    ("a view that lags", redis(":meta", lambda meta: {**meta, "w": "0"}), "shows seq 0, the journal ends at"),
    ("a journal offset from the future", redis(":meta", lambda meta: {**meta, "jo": "99999"}), "jo 99999 is beyond the last record"),
    ("a rebuild that never ended", redis(":meta", lambda meta: {**meta, "token": "t"}), "is being rebuilt"),
    ("a state record that lies", change("baton.state", keyed(b"no"), value=swap(b'"NO"', b'"ON"')), "saga no: not its state at seq"),
    ("a state record of another time", change("baton.state", keyed(b"no"), headers=[("baton-seq", b"1")]), "saga no: not its state at seq 1"),
    ("a state lost before the checkpoint", drop("baton.state", keyed(b"plain")), "and the state topic has not got it"),
    ("a state of nobody", change("baton.state", keyed(b"no"), key=b"nobody"), "the journal of this partition does not know it"),
]

START = of("baton-parent", "t-2/stay/x/1")
CHILD_ROWS = [
    ("a child started twice", double("baton.control", START), "command t-2/stay/x/1: 2 times"),
    ("a child that was not started", drop("baton.control", START), "command t-2/stay/x/1: the journal has sent it, but it is not there"),
    ("a child of another definition", change("baton.control", START, headers=relabel("saga-type", "mail")), "t-2/stay/x/1: starts ('mail', 0, 1, False)"),
    ("a child that is not so deep", change("baton.control", of("baton-parent", "t-2.stay/meal/x/1"), headers=relabel("baton-depth", "1")), "t-2.stay/meal/x/1: starts"),
    ("a child of another id", change("baton.control", START, key=b"t-3.stay"), "goes to t-3.stay, the child is t-2.stay"),
    ("an undoing that does something else", change("baton.control", of("baton-parent", "t-0/stay/c/1"), value=swap(b"compensate", b"terminate")), "does not compensate"),
    ("an answer to nobody", double("baton.replies", of("baton-child", "t-2.stay")), "children: told {('t-2/stay/x/1', 'success'): 1} too much"),
    ("a lost answer", drop("baton.replies", of("kafka_correlationId", "t-0/stay/c/1")), "{('t-0/stay/c/1', 'success'): 1} too little"),
    ("a lost answer to a start that was refused", drop("baton.replies", of("kafka_correlationId", "lost/stay/x/1")), "{('lost/stay/x/1', 'failure'): 1} too little"),
    ("an answer of another outcome", change("baton.replies", of("baton-child", "t-2.stay"), headers=relabel("saga-outcome", "failure")), "children: told"),
    ("a completed saga with a child that is not", rewrite(last_of("t-2.stay"), lambda document: its(document, "t-2.stay")["patch"]["set"].update(status="compensated")),
     "saga t-2: completed, but its child t-2.stay is compensated"),
    ("a compensated saga with a child that is not", rewrite(last_of("t-1.stay"), lambda document: its(document, "t-1.stay")["patch"]["set"].update(status="completed")),
     "saga t-1: compensated, but its child t-1.stay is completed"),
    ("one result of two ends", drop("baton.results", lambda record: record.key == b"t-0.stay" and b'"compensated"' in record.value), "saga t-0.stay has 1 results, and 2 ends"),
    ("a child that waits for nobody", rewrite(last_of("t-2"), lambda document: (its(document, "t-2")["patch"]["set"].update(status="running"),
                                                                                 its(document, "t-2")["patch"]["steps"].update(stay={"status": "running", "forever": True, "child": "t-2.stay"}))),
     "saga t-2: running, neither ended nor parked"),
]


def main():
    failed = []
    for recording in (RECORDING, CHILDREN):
        wrong, case = checker.findings(copy.deepcopy(recording))
        if wrong:
            failed.append(f"a run that is right: found {wrong}")
    idle = {check.__name__ for check in checker.CHECKS}
    for what, damage, words, recording in [(*row, RECORDING) for row in ROWS] + [(*row, CHILDREN) for row in CHILD_ROWS]:
        evidence = copy.deepcopy(recording)
        damage(evidence)
        found, case = checker.findings(evidence)
        idle -= {check.__name__ for check in checker.CHECKS if next(check(case), None)}
        if not any(words in finding for finding in found):
            failed.append(f"{what}: not found; found instead: {found[:3]}")
    if idle:
        failed.append(f"no row makes these speak: {sorted(idle)}")
    for key, hashed in ((b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536),
                        (b"a-little-bit-longer-string", -1486304829), (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971)):
        if checker.murmur2(key) != hashed & 0x7fffffff:
            failed.append(f"murmur2 of {key}")
    print(f"{len(ROWS) + len(CHILD_ROWS)} damages, {len(failed)} failures")
    if failed:
        raise SystemExit("FAILED:\n" + "\n".join(failed))


if __name__ == "__main__":
    main()

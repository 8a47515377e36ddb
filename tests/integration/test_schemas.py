"""Payload schemas on a real Kafka and Redis: a start that is not so goes to the dead letters, a success that is not so is undone."""
import json
import os

from checker import header
from participants import done, refused
from stack import STACK_DIR, Baton, equal, run_scenarios, scenario, until

FOLDER = os.path.join(STACK_DIR, "schemas")
RESERVATION = {"type": "object", "required": ["reservation"], "properties": {"reservation": {"type": "string", "pattern": "^R-[0-9]+$"}}}
INPUT = {"type": "object", "required": ["total"], "additionalProperties": False,
         "properties": {"total": {"type": "number", "minimum": 0, "multipleOf": 0.01}, "note": {"$ref": "#/definitions/note"}},
         "definitions": {"note": {"type": "string", "maxLength": 5}}}
DEFINITION = {"name": "typed", "version": 1, "defaults": {"timeout": "60s"}, "input": {"schema": "files/input.json"}, "steps": [
    {"name": "reserve", "service": "stock", "command": "Reserve", "compensation": {"command": "Release"}, "reply": {"schema": "files/reservation.json"}},
    {"name": "pay", "service": "bank", "command": "Pay", "pivot": True, "reply": {"schema": {"required": ["receipt"]}}},
    {"name": "ship", "service": "post", "command": "Ship"}], "output": "${steps.reserve.output.reservation}"}


def write(name, value):
    path = os.path.join(FOLDER, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        json.dump(value, file)
    return path


write("files/input.json", INPUT)
write("files/reservation.json", RESERVATION)
plain = {"name": "plain", "version": 1, "steps": [{"name": service, "service": service, "command": "C"} for service in ("stock", "bank", "post")]}
baton = Baton("schemas", partitions=4, threads=2, definitions=[plain])
worker = baton.worker("one")
baton.ready(worker)
equal("deployed from files", baton.call("deploy", write("typed.json", DEFINITION))[:2], (0, "typed@1 deployed\n"))
equal("deployed again", baton.call("deploy", write("typed.json", DEFINITION))[:2], (0, "typed@1 unchanged\n"))
write("files/reservation.json", {**RESERVATION, "title": "changed"})
equal("a changed schema is another content", baton.call("deploy", write("typed.json", DEFINITION))[0], 6)
people = baton.participants()
GOOD = done({"reservation": "R-1"})
PAID = done({"receipt": "B-1"})


def letters(saga):
    return [letter for letter in baton.records("baton.dlq") if letter.key == saga.encode()]


@scenario("payloads as the schemas demand")
def good():
    people.script("good", "reserve", GOOD)
    people.script("good", "pay", PAID)
    baton.start("typed", "good", {"total": 19.99, "note": "gift"})
    yield
    equal("output", baton.ends("good", "completed")["output"], "R-1")


@scenario("a start that is not so is dead-lettered with every pointer, and without a value")
def bad_start():
    baton.start("typed", "bad", {"total": "secret", "note": "too long", "extra": 1})
    yield
    letter = until(lambda: letters("bad"), "the dead letter")[0]
    equal("reason", header(letter, "dlq-reason"), "schema")
    equal("error", header(letter, "dlq-error"), "/total: a number expected, not a text; /note: at most 5 characters expected, not 8; /extra: an unknown member")
    equal("value", json.loads(letter.value), {"total": "secret", "note": "too long", "extra": 1})
    equal("commands", people.seen("bad"), [])


@scenario("the same id with a good input afterwards is a saga")
def second_try():
    people.script("second", "reserve", GOOD)
    people.script("second", "pay", PAID)
    baton.start("typed", "second", {})
    until(lambda: letters("second"), "the dead letter")
    baton.start("typed", "second", {"total": 1})
    yield
    baton.ends("second", "completed")


@scenario("a success that is not so has happened: it is compensated too")
def bad_reply():
    people.script("reply", "reserve", done({"reservation": 7}))
    baton.start("typed", "reply", {"total": 1})
    yield
    state = baton.ends("reply", "compensated")
    equal("error", state["error"], {"step": "reserve", "code": "SCHEMA", "message": "/reservation: a text expected, not a number"})
    equal("undone", [(command.step, json.loads(command.value)["output"]) for command in people.seen("reply", action="compensate")], [("reserve", {"reservation": 7})])


@scenario("a refusal is not held against the schema")
def refusal():
    people.script("no", "reserve", refused("GONE"))
    baton.start("typed", "no", {"total": 1})
    yield
    equal("error", baton.ends("no", "compensated")["error"]["code"], "GONE")


@scenario("a pivot's success that is not so parks: there is no way back")
def bad_pivot():
    people.script("pivot", "reserve", GOOD)
    people.script("pivot", "pay", done({}))
    baton.start("typed", "pivot", {"total": 1})
    yield
    equal("parked", baton.ends("pivot", "parked")["parked"]["reason"], "step pay: (root): \"receipt\" is missing")


run_scenarios()
baton.check()

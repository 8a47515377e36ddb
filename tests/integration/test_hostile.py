"""Hostile definitions on a real Kafka and Redis: each saga fails alone, while orders on the same partition, in the same batches, go on.

The rows are those of tests/cli/hostile.py; what a broker alone can refuse is added here."""
import json
import os
import sys

from stack import ROOT, Baton, definition_file, equal, said, until

sys.path.insert(0, os.path.join(ROOT, "tests", "cli"))
import hostile  # noqa: E402

ORDERS = 300
# Each of these spends all that the expressions of one event may: together far more time than a transaction has.
COSTLY, TRANSACTION_MS = 600, 6000
ROWS = [row for row in hostile.BOUNDED if row[0] in {
    "an endless loop", "an endless recursion", "long texts compared for ever", "a thousand expressions that each spend what one may", "a table that grows",
    "one text a thousand times in the result", "a template that doubles the input twenty times", "an error that talks to the terminal", "half a character", "in a case",
    "in a step's output", "in a compensation's input", "in the saga's output", "behind the pivot", "256 steps", "250 steps that are skipped in one go", "the largest numbers"}]
equal("rows of that name", len(ROWS), 17)
# Nobody can say before the command is made that its topic does not take it.
COPIES, NARROW = {"text": "x" * 30000}, 100000
ROWS += [("a command that no broker takes", hostile.fed(["${input.text}"] * 4, service="narrow"), COPIES, "parked", "narrow.commands"),
         ("a first command that no broker takes", hostile.definition(hostile.command(service="narrow", input=["${input.text}"] * 4)), COPIES, "dead", None)]
definitions = [{**row[1], "name": f"hostile-{number}"} for number, row in enumerate(ROWS)]
definitions.append({**hostile.definition(hostile.command(input=[hostile.lua("for i = 1, 90000 do end")] * 100)), "name": "costly"})

baton = Baton("hostile", partitions=1, definitions=[definition_file("bench", "bench-order.json"), *definitions])
with open(baton.config) as file:
    baton.configure(kafka={**json.load(file)["kafka"], "producer": {"transaction.timeout.ms": TRANSACTION_MS}})
baton.create("narrow.commands", {"max.message.bytes": str(NARROW)})
worker = baton.worker("one")
baton.ready(worker)
people = baton.participants()
for number in range(COSTLY):
    baton.producer.produce(baton.prefix + "orders.commands", value=b"{}", key=f"costly-{number}", headers=[("saga-type", b"costly")])
load = baton.load("o-", ORDERS)
for number, (sentence, document, given, *_) in enumerate(ROWS):
    baton.start(f"hostile-{number}", f"h-{number}", given)
for number, (sentence, document, given, end, says, *_) in enumerate(ROWS):
    if end == "dead":
        until(lambda: baton.records("baton.dlq"), f"{sentence}: a dead letter")
        continue
    state = baton.reaches(f"h-{number}", lambda state: state["status"] == end, f"{sentence}: {end}")
    told = json.dumps([state["error"], state["parked"]], ensure_ascii=False)
    if says and says not in told:
        raise SystemExit(f"FAILED: {sentence}: {told} does not say {says}")
    print(f"ok      {sentence}: {end}, {told[:200]}", flush=True)
result = json.loads(load.communicate(timeout=240)[0])
equal("orders sent, completed", (result["sent"], result["completed"]), (ORDERS, ORDERS))
equal("the worker is the one that was started", worker.poll(), None)
# The reply and the start whose commands could not be sent.
letters = {(letter.key, dict(letter.headers)["dlq-reason"]) for letter in baton.records("baton.dlq")}
equal("dead letters", letters, {(f"h-{len(ROWS) - back}".encode(), b"undeliverable") for back in (1, 2)})
until(lambda: baton.count() == ORDERS + len(ROWS) - 1 + COSTLY, "the costly ones")
assert said(worker, "left to the next transaction"), "the costly ones were not costly: they proved nothing"
case = baton.check(ORDERS + len(ROWS) - 1 + COSTLY)
equal("ends of the costly ones", {saga.state["status"] for name, saga in case.sagas.items() if name.startswith("costly-")}, {"compensated"})

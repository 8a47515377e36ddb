"""The last success of a step stands in for it, on a real Kafka and Redis: found by another saga and another worker, gone with Redis, never a wrong one."""
import checker
from participants import SILENT, done, passing
from stack import REDIS, Baton, equal

rates = {"name": "rates", "version": 1, "defaults": {"timeout": "60s", "retry": {"attempts": 1}}, "steps": [
    {"name": "rate", "service": "exchange", "command": "Quote", "compensation": {"command": "Withdraw"},
     "fallback": {"cached": "rate/${input.currency}", "maxAge": "1h"}},
    {"name": "charge", "service": "bank", "command": "Charge", "input": "${steps.rate.output}"}],
    "output": {"rate": "${steps.rate.output.rate}", "by": "${steps.rate.fallback or 'exchange'}"}}
# The same with less patience: what is kept is of both.
hasty = {**rates, "version": 2, "steps": [{**rates["steps"][0], "timeout": "300ms"}, rates["steps"][1]]}
baton = Baton("cached", partitions=4, threads=2, definitions=[rates, hasty])
workers = {name: baton.worker(name) for name in ("one", "two")}
baton.ready(workers["one"])
people = baton.participants()


def rate(saga, currency, *answers):
    people.script(saga, "rate", *answers)
    baton.start("rates", saga, {"currency": currency}, [("saga-version", "2" if SILENT in answers else "1")])


for number, currency in enumerate(("EUR", "CHF")):
    rate(f"told-{currency}", currency, done({"rate": 1.5 + number}))
    equal("output", baton.ends(f"told-{currency}", "completed")["output"], {"rate": 1.5 + number, "by": "exchange"})
for number in range(8):  # in any partition
    rate(f"silent-{number}", "EUR", SILENT)
    rate(f"busy-{number}", "CHF", passing())
for number in range(8):
    equal("output", baton.ends(f"silent-{number}", "completed")["output"], {"rate": 1.5, "by": "cached"})
    equal("output", baton.ends(f"busy-{number}", "completed")["output"], {"rate": 2.5, "by": "cached"})
entry = baton.state("busy-0")["steps"]["rate:fallback"]
assert entry["cachedAt"] <= entry["settledAt"], entry
for worker in workers.values():  # whoever had it is gone: it is not theirs
    worker.kill()
    worker.wait()
workers = {name: baton.worker(name) for name in ("three", "four")}
rate("after", "CHF", passing())
equal("output", baton.ends("after", "completed")["output"], {"rate": 2.5, "by": "cached"})
rate("never", "USD", passing())
equal("error", baton.ends("never", "compensated")["error"], {"step": "rate:fallback", "code": "CACHE_MISS", "message": "nothing is kept under its key"})
checker.Redis(REDIS)(("FLUSHALL",))
rate("wiped", "EUR", SILENT)
equal("error", baton.ends("wiped", "compensated")["error"]["code"], "CACHE_MISS")
equal("undone, as it may have acted", [command.type for command in people.seen("wiped")], ["Quote", "Withdraw"])
rate("again", "EUR", done({"rate": 1.75}))
baton.ends("again", "completed")
rate("found", "EUR", passing())
equal("output", baton.ends("found", "completed")["output"], {"rate": 1.75, "by": "cached"})
baton.check(23, completed=21, compensated=2)

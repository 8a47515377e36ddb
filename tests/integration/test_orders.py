"""An order goes through, step by step; a second start with the same id and input is the same saga; bad calls say so."""
from stack import Baton, equal

baton = Baton("orders")
worker = baton.worker("one")
baton.ready(worker)
baton.participants()
order = '{"items":[{"sku":"a"}],"total":19.99,"currency":"EUR"}'

code, out, err = baton.call("start", "bench-order", "--id", "o-1", "--input", order, "--wait", "60")
equal("exit code of a completed saga", code, 0)
state = baton.status("o-1")
equal("status", state["status"], "completed")
equal("steps", {name: step["status"] for name, step in state["steps"].items()}, {"reserve": "done", "authorize": "done", "settle": "done"})
equal("input, to the last digit", state["input"]["total"], 19.99)

code, out, err = baton.call("start", "bench-order", "--id", "o-1", "--input", order, "--wait", "60")
equal("exit code of the same start", code, 0)
baton.reaches("o-1", lambda state: state["duplicates"] == 1, "the second start counted")
equal("steps sent again", [step["attempts"] for step in baton.status("o-1")["steps"].values()], [1, 1, 1])

equal("unknown saga", baton.call("status", "nobody")[0], 4)
equal("bad id", baton.call("status", "no body")[0], 3)
equal("bad command", baton.call("statsu", "o-1")[0], 2)
baton.check(1, completed=1)

"""A refused step turns the saga back: the done steps are compensated, last first."""
from stack import Baton, equal, share

baton = Baton("refusal")
worker = baton.worker("one")
baton.ready(worker)
baton.participants(share(100))

code, out, err = baton.call("start", "bench-order", "--id", "r-1", "--input", "{}", "--wait", "60")
equal("exit code of a compensated saga", code, 10)
state = baton.status("r-1")
equal("status", state["status"], "compensated")
equal("error", (state["error"]["step"], state["error"]["code"]), ("settle", "DECLINED"))
equal("steps", {name: step["status"] for name, step in state["steps"].items()},
      {"reserve": "compensated", "authorize": "compensated", "settle": "failed"})
equal("undone, last first", [entry[2] for entry in state["history"] if entry[1] == "undone"], ["authorize", "reserve"])
baton.check(1, compensated=1)

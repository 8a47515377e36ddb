"""Reply keys: a forged reply is a dead letter and the saga goes on; a key is replaced without losing the replies in flight."""
import hashlib
import hmac
import os

import checker
import participants
from stack import STACK_DIR, Baton, equal, said, stop, until

OLD, NEW, SHORT = "0123456789abcdef" * 4, "fedcba9876543210" * 4, "0123456789abcdef"
baton = Baton("signatures")
KEYS = os.path.join(STACK_DIR, baton.prefix + "keys")
baton.configure(security={"replyKeyFile": KEYS})


def write_keys(*lines, mode=0o600):
    with open(KEYS, "w") as out:
        out.write("".join(line + "\n" for line in lines))
    os.chmod(KEYS, mode)


def tag(key, message):
    return hmac.new(key.encode(), message.encode(), hashlib.sha256).hexdigest()[:32]


# A file that holds no key ends the worker at its start.
code, out, err = baton.call("worker", "--instance", "one")
equal("exit code without the key file", (code, "No such file" in err), (3, True))
write_keys(SHORT)
code, out, err = baton.call("worker", "--instance", "one")
equal("exit code with a short key", (code, "16 characters" in err, SHORT in out + err), (3, True, False))

# Two sagas wait for their first reply, which the participants hold back.
write_keys(OLD, mode=0o644)
worker = baton.worker("one")
baton.ready(worker)
equal("a warning that others may read the file", said(worker, "chmod 600"), True)
people = baton.participants()
for saga in ("s-1", "s-2"):
    people.script(saga, "reserve", participants.done({"ref": "genuine"}).with_(held="both"))
    baton.start("bench-order", saga)
    baton.reaches(saga, lambda state: people.seen(saga, "reserve"), "its first command")

# Whoever has not seen the command of s-1 cannot answer it.
FORGED = {
    "no tag": "s-1/reserve/x/1",
    "a tag made up": "s-1/reserve/x/1/" + "0" * 32,
    "the tag of another saga": "s-1/reserve/x/1/" + tag(OLD, "s-2/reserve/x/1"),
    "the tag of another attempt": "s-1/reserve/x/1/" + tag(OLD, "s-1/reserve/x/2"),
    "the tag of a key that is not ours": "s-1/reserve/x/1/" + tag(NEW, "s-1/reserve/x/1"),
}
for what, correlation in FORGED.items():
    baton.send("baton.replies", b'{"ref":"forged"}', b"s-1", [("kafka_correlationId", correlation), ("case", what)])
letters = until(lambda: (lambda found: found if len(found) >= len(FORGED) else None)(baton.records("baton.dlq")), "the dead letters")
equal("dead letters", sorted(checker.header(letter, "case") for letter in letters), sorted(FORGED))
for letter in letters:
    what = checker.header(letter, "case")
    equal(f"dead letter, {what}", (checker.header(letter, "dlq-reason"), letter.key, letter.value, checker.header(letter, "kafka_correlationId")),
          ("bad-signature", b"s-1", b'{"ref":"forged"}', FORGED[what]))
state = baton.status("s-1")
equal("the saga still waits", (state["status"], state["steps"]["reserve"]["status"], state["duplicates"]), ("running", "running", 0))

# The key is replaced while both commands are out: the old tags are still believed, new commands carry the new one.
stop(worker)
write_keys(NEW, OLD)
worker = baton.worker("one")
baton.ready(worker)
equal("no warning about a file of one's own", said(worker, "chmod 600"), False)
people.release("both")
for saga in ("s-1", "s-2"):
    equal("the output", baton.ends(saga, "completed")["steps"]["reserve"]["output"], {"ref": "genuine"})
config = baton.call("config")
equal("the path is shown, the key is not", (KEYS in config[1], NEW in config[1] + config[2]), (True, False))

case = baton.check(2, completed=2)
baton.once(case)
equal("the tags", {checker.header(command, "ce_id") for command in checker.commands_of(case)},
      {f"{message}/{tag(key, message)}" for saga in ("s-1", "s-2") for step, key in (("reserve", OLD), ("authorize", NEW), ("settle", NEW))
       for message in [f"{saga}/{step}/x/1"]})

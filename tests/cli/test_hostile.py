"""Hostile definitions (hostile.py) at the author's desk: each is refused with its place, or fails alone and within bounds.

What is bounded is counted, never timed: instructions and bytes by the product, and here the most memory that a run ever held."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

import hostile

BATON = os.path.abspath(sys.argv[1])
RESIDENT_KIB_MAX = 160 * 1024  # with the sanitizer's own; an idle run holds 17 MiB, the largest input of the rows 60
SAID_BYTES_MAX = 64 * 1024
CODES = {"completed": 0, "compensated": 10, "parked": 11, "refused": 3, "refused input": 3}
folder = tempfile.mkdtemp(prefix="baton-hostile.")
failures = []


def write(name, value):
    with open(os.path.join(folder, name), "wb") as file:
        file.write(value if isinstance(value, bytes) else value.encode())


def call(sentence, *arguments):
    """Exit code, standard output and error; what holds of every run is checked here."""
    said, told = tempfile.TemporaryFile(dir=folder), tempfile.TemporaryFile(dir=folder)
    process = subprocess.Popen([BATON, *arguments], stdout=said, stderr=told, stdin=subprocess.DEVNULL, cwd=folder)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    out, err = (file.seek(0) or file.read().decode() for file in (said, told))
    check(f"{sentence}: ends by itself, no sanitizer speaks: {err[-2000:]}", process.returncode >= 0 and "Sanitizer" not in err and "runtime error" not in err)
    check(f"{sentence}: {usage.ru_maxrss} KiB resident", usage.ru_maxrss <= RESIDENT_KIB_MAX)
    check(f"{sentence}: says {len(err)} bytes on stderr", len(err) <= SAID_BYTES_MAX)
    return process.returncode, out, err


def check(what, holds):
    if not holds:
        failures.append(what)
        print(f"FAILED: {what}", flush=True)


for sentence, (text, place), says in hostile.REFUSED:
    write("hostile.json", text)
    code, out, err = call(sentence, "validate", "hostile.json")
    line = next((line for line in err.splitlines() if says in line), "")
    check(f"{sentence}: refused: exit code {code}, {err[:500]}", code == 3 and not out and line)
    check(f"{sentence}: at {place}: {line[:200]}", place is None or line.startswith(f"hostile.json:{place}: error: "))
for sentence, document, given, end, says, *replies in hostile.BOUNDED:
    write("hostile.json", hostile.text(document))
    write("input.json", hostile.text(given))
    write("replies.json", hostile.text(replies[0] if replies else {}))
    valid = call(sentence, "validate", "hostile.json")
    check(f"{sentence}: {'validates' if end != 'refused' else 'is refused'}: {valid}", valid[0] == (3 if end == "refused" else 0))
    code, out, err = call(sentence, "try", "hostile.json", "--input", "@input.json", "--replies", "replies.json", "-o", "json")
    report = json.loads(out) if out else {}
    told = json.dumps([report.get("error"), report.get("parked")], ensure_ascii=False) + err
    check(f"{sentence}: {end}: exit code {code}, {told[:500]}", code == CODES[end])
    check(f"{sentence}: says {says}: {told[:500]}", says is None or says in told)
    left = [name for name, step in report.get("steps", {}).items() if end == "compensated" and step["status"] in ("done", "unknown")]
    check(f"{sentence}: leaves {left} done", not left)
print(f"{len(hostile.REFUSED)} refused, {len(hostile.BOUNDED)} bounded")
shutil.rmtree(folder)
if failures:
    sys.exit(f"{len(failures)} failed")

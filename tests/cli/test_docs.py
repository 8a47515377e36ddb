"""docs/commands.md and docs/configuration.md say what the binary has: every command, flag, exit code, key, default and refused property."""
import json
import os
import re
import subprocess
import sys

BATON = sys.argv[1]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("BATON_")}
failures = []


def read(*where):
    with open(os.path.join(ROOT, *where)) as file:
        return file.read()


def baton(*arguments):
    return subprocess.run([BATON, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, timeout=60)


def differ(what, got, wanted):
    if got != wanted:
        failures.append(what)
        print(f"FAILED: {what}: {got!r}, not {wanted!r}")


# --- commands ---

text = read("docs", "commands.md")
sections = dict(re.findall(r"^## `baton (\w+)`\n(.*?)(?=^## |\Z)", text, re.M | re.S))
commands = [line.split()[0] for line in baton("--help").stdout.splitlines() if line.startswith("  ")]
differ("commands of docs/commands.md", sorted(sections), sorted(commands))
for command in commands:
    own, common = baton(command, "--help").stdout.split("\noptions of all commands:\n")
    flags = re.findall(r"^  (--?\w[\w-]*)", own, re.M)
    documented = re.findall(r"^- `(--?\w[\w-]*)", sections.get(command, ""), re.M)
    differ(f"flags of {command}", sorted(documented), sorted(flags))
    for flag in re.findall(r"^  (--?\w[\w-]*)", common, re.M) + re.findall(r": (--[a-z]+)", common):
        if f"`{flag}" not in text:
            differ(f"option {flag}", None, "in docs/commands.md")
with open(os.path.join(ROOT, "src", "cli", "cli.h")) as file:
    codes = set(re.findall(r"\bEXIT_\w+ = (\d+)", file.read()))
differ("exit codes", sorted(map(int, set(re.findall(r"\d+", " ".join(re.findall(r"^\| ([\d, ]+) \|", text, re.M))))), ), sorted(map(int, codes)))

# --- keys ---

text = read("docs", "configuration.md")
schema = json.loads(read("schemas", "configuration.schema.json"))
keys = {key: default for key, default in re.findall(r"^\| `([^`]+)` \| [^|]+ \| ([^|]+) \| ", text, re.M)}
MAPS = ("kafka.", "topics.start.", "topics.allowReplyTo", "services.")
settings = {row["path"]: row["value"] for row in json.loads(baton("config", "-o", "json").stdout) if not row["path"].startswith(MAPS)}
differ("keys of docs/configuration.md", sorted(key for key in keys if not key.startswith(MAPS)), sorted(settings))
for path, value in settings.items():
    told = keys.get(path, "").strip("`")
    differ(f"default of {path} in docs/configuration.md", {"-": None, "(empty)": ""}.get(told, told), value)
    place = schema
    for name in path.split("."):
        place = place.get("properties", {}).get(name, {})
    differ(f"{path} in the schema", "description" in place, True)
    differ(f"default of {path} in the schema", None if value is None else str(place.get("default")), value)

# --- refused properties ---

told = re.findall(r"^\| `([a-z._]+)` \| [^|]+ \|$", text, re.M)
names = schema["properties"]["kafka"]["properties"]["consumer"]["propertyNames"]["not"]["anyOf"][0]["enum"]
differ("refused properties: docs and schema", sorted(told), sorted(names))
for name in told:
    # group.id is refused of librdkafka's own, and has a key beside.
    if name != "group.id" and f'"{name}" cannot be set: ' not in baton("config", "-X", f"{name}=1").stderr:
        differ(f"{name} of docs/configuration.md", "accepted", "refused")
for page in ("commands.md", "configuration.md", "protocol.md"):
    differ(f"README links docs/{page}", f"(docs/{page})" in read("README.md"), True)
if failures:
    sys.exit(f"{len(failures)} failed")

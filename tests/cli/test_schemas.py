"""Payload schemas at the author's desk: files put into a definition, what is wrong with them and where; `try` holds payloads against them."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

BATON = sys.argv[1]
folder = tempfile.mkdtemp(prefix="baton-schemas.")
failures = []

DEFINITION = {"name": "typed", "version": 1, "input": {"schema": "files/input.json"}, "steps": [
    {"name": "group", "sequence": [
        {"name": "reserve", "service": "stock", "command": "Reserve", "input": {"reply": {"schema": "a payload's own"}},
         "compensation": {"command": "Release"}, "reply": {"schema": "files/reply.json"}}]}]}
INPUT = '{ "type": "object",\n  "required": ["total"],\n  "properties": { "total": { "type": "number" } } }'
REPLY = '{ "properties": { "id": { "type": "string" } } }'


def write(name, value):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(value if isinstance(value, str) else json.dumps(value))
    return name


def call(*arguments, cwd=folder, stdin=""):
    done = subprocess.run([BATON, *arguments], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd, timeout=60)
    if "Sanitizer" in done.stderr or "runtime error" in done.stderr:
        failures.append(arguments)
        print(f"FAILED: a sanitizer speaks: {done.stderr}")
    return done.returncode, done.stdout, done.stderr


def check(what, got, code, *says):
    missing = [part for part in says if part not in got[1] + got[2]]
    if got[0] != code or missing:
        failures.append(what)
        print(f"FAILED: {what}: exit code {got[0]}, wanted {code}; lacks {missing}\n{got[1]}{got[2]}")


# --- files ---

write("definition.json", DEFINITION)
write("files/input.json", INPUT)
write("files/reply.json", REPLY)
check("schema files beside the definition", call("validate", "definition.json"), 0, "definition.json: typed version 1 is valid")
check("they are relative to the definition, not to the caller", call("validate", os.path.join(folder, "definition.json"), cwd="/"), 0, "is valid")
check("on standard input they are relative to the caller", call("validate", "-", stdin=json.dumps(DEFINITION)), 0, "<stdin>: typed version 1 is valid")
for what, text, says in [
    ("a broken schema is told where it stands in its file", INPUT.replace('"number"', '"numbr"'),
     ['files/input.json:3:38: error: null, boolean, object, array, string, number or integer expected; did you mean "number"?', '"numbr" } } }\n' + " " * 41 + "^"]),
    ("a pattern that is none", '{ "pattern": "(a" }', ["files/input.json:1:14: error: pattern: character 3: a group without its"]),
    ("a pattern that cannot be matched in linear time", '{ "pattern": "(a)\\\\1" }', ["files/input.json:1:14: error: pattern", "backreferences are not supported"]),
    ("a reference out of the file", '{ "$ref": "https://example.org/x.json" }', ["files/input.json:1:11: error:", "is outside of this document"]),
    ("a schema that comes back to itself", '{ "allOf": [{ "$ref": "#" }] }', ["files/input.json:1:", "a check would never end"]),
    ("no JSON", '{ "type": }', ["definition.json:1:53: error: files/input.json: line 1 column 11"]),
    ("no schema", "[]", ["definition.json:1:53: error: files/input.json: a JSON Schema is an object"]),
    ("a file beyond the limit", '{"enum":["' + "x" * 262144 + '"]}', ["files/input.json: longer than 262144 bytes"]),
    ("one that makes the definition too long", '{"enum":["' + "x" * 262000 + '"]}', ["definition.json:1:1: error: with its schema files it is longer"]),
    ("one that nests too deep", '{"not":' * 70 + "{}" + "}" * 70, ["files/input.json: line 1", "deep"]),
    ("too many schemas", json.dumps({"properties": {f"p{i}": {} for i in range(2500)}}), ["more than 2000 schemas in one"]),
    ("a huge enum is fine, if it fits", json.dumps({"enum": list(range(20000))}), None),
    ("a typo is warned of", '{ "requird": ["a"] }', None),
]:
    write("files/input.json", text)
    check(what, call("validate", "definition.json"), 0 if says is None else 3, *(says or ["is valid"]))
check("the warning stands in its file", call("validate", "definition.json"), 0, 'files/input.json:1:3: warning: unknown keyword "requird" says nothing; did you mean "required"?')
finding = json.loads(call("validate", "-o", "json", "definition.json")[1])[0]["findings"][0]
if (finding["file"], finding["pointer"], finding["line"], finding["column"]) != ("files/input.json", "/input/schema/requird", 1, 3):
    failures.append("findings as JSON name the file")
    print(f"FAILED: findings as JSON name the file: {finding}")
os.remove(os.path.join(folder, "files/input.json"))
check("a file that is not there", call("validate", "definition.json"), 3, "definition.json:1:53: error: files/input.json: No such file")
write("files/input.json", INPUT)
write("files/reply.json", '{ "properties": [] }')
check("a broken schema of a reply, in a group", call("validate", "definition.json"), 3, "files/reply.json:1:17: error: an object of schemas expected")
write("files/reply.json", REPLY)
write("inline.json", {**DEFINITION, "input": {"schema": {"type": "objct"}}})
check("a schema in the definition itself", call("validate", "inline.json"), 3, "inline.json:1:", 'did you mean "object"?')

# --- try ---

write("good.json", {"reserve": [{"outcome": "success", "body": {"id": "R-1"}}]})
write("bad.json", {"reserve": [{"outcome": "success", "body": {"id": 1}}]})
check("an input that is not so", call("try", "definition.json", "--input", '{"total":"x"}'), 3,
      "error: --input is not as the definition's schema demands: /total: a number expected, not a text")
check("payloads as demanded", call("try", "definition.json", "--input", '{"total":1}', "--replies", "good.json"), 0, "completed")
check("a success that is not so is undone", call("try", "definition.json", "--input", '{"total":1}', "--replies", "bad.json"), 10,
      "<- reserve #1 done", "turns back: reserve SCHEMA, /id: a text expected, not a number", "(reserve/c #1)")

shutil.rmtree(folder)
if failures:
    sys.exit(f"{len(failures)} failed")

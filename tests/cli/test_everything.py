"""examples/everything.json says everything: each member of the definition's schema is in it, so that whoever adds one adds it there."""
import json
import os

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def load(*where):
    with open(os.path.join(ROOT, *where)) as file:
        return json.load(file)


schema, everything = load("schemas", "saga-definition.schema.json"), load("examples", "everything.json")
ONE = {"pivot"}  # a definition has it once, whatever kind of step it is
known, used = {}, set()  # (place in the schema, member)


def resolve(part, place):
    while "$ref" in part:
        place = part["$ref"]
        name = place.rsplit("/", 1)[1]
        part = schema["definitions"][name]
    return part, place


def learn(part, place):
    """Every member that the schema knows, wherever it may stand."""
    for name, inner in part.get("properties", {}).items():
        known[place, name] = inner
        learn(inner, f"{place}/{name}")
    for word in ("anyOf", "oneOf", "allOf"):
        for number, inner in enumerate(part.get(word, [])):
            learn(inner, f"{place}/{word}{number}")
    if isinstance(part.get("items"), dict):
        learn(part["items"], f"{place}/items")


def fits(part, value):
    if isinstance(value, dict):
        return set(value) <= set(part.get("properties", {})) and set(part.get("required", [])) <= set(value)
    return "properties" not in part


def walk(part, place, value):
    """Mark the members that the value has."""
    part, place = resolve(part, place)
    for word in ("anyOf", "oneOf"):
        for number, inner in enumerate(part.get(word, [])):
            target, where = resolve(inner, f"{place}/{word}{number}")
            if word in target or fits(target, value):
                walk(target, where, value)
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in part.get("properties", {}):
                used.add((place, name))
                walk(part["properties"][name], f"{place}/{name}", inner)
    if isinstance(value, list) and isinstance(part.get("items"), dict):
        for inner in value:
            walk(part["items"], f"{place}/items", inner)


learn({name: part for name, part in schema.items() if name != "definitions"}, "#")
for name, part in schema["definitions"].items():
    learn(part, f"#/definitions/{name}")
walk(schema, "#", everything)
missing = sorted(f"{place} {name}" for place, name in set(known) - used if not (name in ONE and any(name == other for _, other in used)))
print(f"{len(used)} of {len(known)} members")
if missing:
    raise SystemExit("examples/everything.json does not use:\n" + "\n".join(missing))

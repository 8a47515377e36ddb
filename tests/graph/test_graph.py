"""Pictures of definitions and runs, as they come out: XML that a parser takes, no box over another, every text in its box, every name there;
Mermaid and Graphviz by a small grammar of what we write."""
import glob
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

DRAW = sys.argv[1]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SVG = "{http://www.w3.org/2000/svg}"
failures = []


def check(what, holds):
    if not holds:
        failures.append(what)
        print(f"FAILED: {what}")


def draw(form, definition, run=None):
    files = []
    for document in [definition] + ([run] if run else []):
        files.append(f"graph.{os.getpid()}.{len(files)}.json")
        with open(files[-1], "w") as file:
            json.dump(document, file)
    done = subprocess.run([DRAW, form, *files], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    for file in files:
        os.remove(file)
    check(f"{definition['name']} as {form}: {done.stderr.decode()}", done.returncode == 0)
    return done.stdout.decode()


# --- definitions ---

def step(name, **more):
    return {"name": name, "service": "stock", "command": f"Do{name}", "compensation": {"command": f"Undo{name}"}, **more}


def nested(depth):
    steps = [step("core")]
    for i in range(depth):
        inner = {"sequence": steps} if i % 2 else {"switch": [{"when": f"${{input.depth > {i}}}", "steps": steps}], "default": [step(f"other{i}")]}
        steps = [step(f"before{i}"), {"name": f"group{i}", **inner}]
    return steps


def definition(name, steps, **more):
    return {"name": name, "version": 1, "steps": steps, **more}


HOSTILE = "</text><script>alert('1')</script> & \" ]]> <!-- ${ \u0001\u007f\ufffe\u202e --> ; }} end \\ |"
KINDS = [
    step("plain", when="${input.total > 0}", fallback={"output": {}}),
    {"name": "both", "parallel": [[step("left")], [step("right"), step("rightmost")]], "join": "all"},
    {"name": "some", "parallel": [[step("one")], [step("two")], [step("three")], [step("four")]], "join": {"quorum": 2}},
    {"parallel": [[step("fifth")], [step("sixth")]]},
    {"name": "each", "forEach": {"items": "${input.items}", "maxConcurrency": 3, "steps": [step("pack"), step("label")]}},
    {"name": "approve", "wait": {"signal": "approved", "timeout": "24h", "onTimeout": {"goto": "later"}}},
    {"name": "rest", "sleep": "5m"}, {"name": "rise", "sleep": {"until": "${input.at}"}},
    {"name": "child", "saga": {"name": "payment", "version": 2, "input": {}}},
    {"name": "book", "service": "hotel", "tcc": {"try": {"command": "Try"}, "confirm": {"command": "Confirm"}, "cancel": {"command": "Cancel"}}},
    step("poll", repeat={"until": "${output.ready}", "interval": "2s", "limit": 30}, fallback={"service": "other", "command": "Poll"}),
    {"name": "later", "sequence": [step("finish")]},
    {"name": "settle", "service": "payments", "command": "Settle", "pivot": True}]
DEFINITIONS = [
    definition("one", [step("only")]),
    definition("slots", [{"name": name, "service": "post", "tcc": {"try": {"command": "Hold"}, "confirm": {"command": "Take"}, "cancel": {"command": "Drop"}}} for name in ("room", "car", "bus")]),
    definition("largest", [step(f"s{i}") for i in range(256)]),
    definition("deepest", nested(8)),
    definition("widest", [{"name": "choose", "switch": [{"when": f"${{input.kind == '{i}'}}", "steps": [step(f"case{i}")]} for i in range(32)]}]),
    definition("l" * 64, [step("W" * 64), step("AuthorizeThePaymentOfTheCustomerWithTheBankOfHerChoice", service="s" * 200, command="c" * 200),
                          {"name": "m-" * 31 + "x", "wait": {"signal": "M" * 64, "timeout": "never"}},
                          {"name": "way", "switch": [{"when": "${" + "aB " * 300 + "}", "steps": [step("x")]}]}], description="word " * 200),
    definition("hostile", [step("x", service="a", command=HOSTILE), step("y", when="${" + HOSTILE + "}"),
                           {"name": "z", "switch": [{"when": HOSTILE, "steps": [step("u")]}]}, step("v", command="日本語のコマンド🎉" * 9)], description=HOSTILE),
    definition("kinds", KINDS),
]
for path in sorted(glob.glob(os.path.join(ROOT, "examples", "*.json"))):
    with open(path) as file:
        DEFINITIONS.append(json.load(file))


def names(document, parallels=None):
    """Of all steps, wherever they stand; a parallel without a name is called by its number."""
    parallels = [] if parallels is None else parallels
    if isinstance(document, list):
        return [name for item in document for name in names(item, parallels)]
    if not isinstance(document, dict):
        return []
    parallels += ["one"] if "parallel" in document else []
    own = [document["name"]] if "name" in document else [f"parallel-{len(parallels)}"] if "parallel" in document else []
    return own + [name for key in ("steps", "sequence", "switch", "default", "parallel", "forEach") for name in names(document.get(key), parallels)]


# --- SVG ---

# A part of its size that a character has at least, in any usual font: what is narrower has been measured wrongly.
LEAST = {**{c: 0.18 for c in map(chr, range(32, 127))}, **{c: 0.45 for c in "abcdeghknopqsuvxyzABCDEFGHKLNOPQRSTUVXYZ0123456789"}, **{c: 0.65 for c in "mwMW"}}
SIZES = {"title": 14, "tag": 11}


def box_of(group):
    """Of the first shape of a step: left, top, right, bottom."""
    rect, polygon = group.find(SVG + "rect"), group.find(SVG + "polygon")
    if polygon is not None:
        points = [tuple(map(float, point.split(","))) for point in polygon.get("points").split()]
        return min(x for x, _ in points), min(y for _, y in points), max(x for x, _ in points), max(y for _, y in points)
    if rect is None:
        return None
    x, y, w, h = (float(rect.get(name)) for name in ("x", "y", "width", "height"))
    return x, y, x + w, y + h


def text_box(text):
    size = SIZES.get(text.get("class"), 12)
    width = float(text.get("textLength", 0)) or sum(LEAST.get(c, 0.5) for c in text.text or "") * size
    x, y = float(text.get("x")), float(text.get("y"))
    if text.get("text-anchor") == "middle":
        x -= width / 2
    return x, y - size * 0.8, x + width, y + size * 0.2


def inside(inner, outer):
    return inner[0] >= outer[0] and inner[1] >= outer[1] and inner[2] <= outer[2] and inner[3] <= outer[3]


def apart(a, b):
    return a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def check_svg(what, document, text):
    root = ET.fromstring(text)
    page = (0, 0, float(root.get("width")), float(root.get("height")))
    steps = {group.get("data-step"): group for group in root.iter(SVG + "g")}
    check(f"{what}: every step is drawn, once", [group.get("data-step") for group in root.iter(SVG + "g")] ==
          ([":lock"] if "lock" in document else []) + names(document["steps"]))
    for name, group in steps.items():
        check(f"{what}: the name of {name} can be read", name in "".join(t.text for t in group.iter(SVG + "text") if t.get("class") == "title"))
    boxes = [box for box in map(box_of, steps.values()) if box]
    frames = [tuple(map(float, (rect.get("x"), rect.get("y"), float(rect.get("x")) + float(rect.get("width")),
                                float(rect.get("y")) + float(rect.get("height")))))
              for rect in root.findall(SVG + "rect") if rect.get("class") == "frame"]
    for i, box in enumerate(boxes):
        check(f"{what}: a box is on the page", inside(box, page))
        for other in boxes[:i]:
            check(f"{what}: no box is over another: {box}, {other}", apart(box, other))
        for frame in frames:
            check(f"{what}: a box is in a frame or beside it: {box}, {frame}", apart(box, frame) or inside(box, frame))
    for i, frame in enumerate(frames):
        check(f"{what}: a frame is on the page", inside(frame, page))
    texts = [(text_box(t), t) for t in root.iter(SVG + "text")]
    for box, t in texts:
        check(f"{what}: a text is on the page: {t.text}", inside(box, page))
    for group in steps.values():
        box = box_of(group)
        for t in group.iter(SVG + "text"):
            check(f"{what}: a text is in its box: {t.text}", box is None or inside(text_box(t), box))
    texts.sort(key=lambda pair: pair[0][1])
    for i, (box, t) in enumerate(texts):
        for other, u in texts[i + 1:]:
            if other[1] >= box[3]:
                break
            check(f"{what}: no text is over another: {t.text!r}, {u.text!r}", apart(box, other))
        for card in boxes:
            check(f"{what}: a text is in a box or beside it: {t.text!r}", apart(box, card) or inside(box, card))
    check(f"{what}: nothing but shapes and texts", {e.tag.replace(SVG, "") for e in root.iter()} <= {"svg", "title", "style", "rect", "circle", "path", "polygon", "g", "text"})
    check(f"{what}: nothing turns the direction of writing", not re.search("[\u202a-\u202e\u2066-\u2069]", text))
    return root


# --- Mermaid and Graphviz ---

LABEL = r'"(?:[^"&<>]|<br/>|#\d+;)*"'
MERMAID = [re.compile(pattern) for pattern in (
    r"flowchart TD", rf"  \w+(?:\[{LABEL}\]|\[\[{LABEL}\]\]|\{{\{{{LABEL}\}}\}}|\(\[{LABEL}\]\))(?::::\w+)?", r'  \w+\(\(" "\)\)', rf"  subgraph \w+\[{LABEL}\]", r"  end",
    rf"  \w+ -->(?:\|{LABEL}\|)? \w+", r"  classDef \w+ [\w:#,. -]+")]
QUOTED = r'"(?:[^"\\]|\\.)*"'
DOT = [re.compile(pattern) for pattern in (
    r"digraph saga \{", r"  (?:node|edge) \[.*\];", rf"  \w+ \[(?:\w+=(?:[\w.]+|{QUOTED}),?)+\];", r"  subgraph \w+ \{", rf"  label={QUOTED};", r"  \}", r"\}",
    rf"  \w+ -> \w+(?: \[label={QUOTED}\])?;")]


def check_text(what, document, text, grammar, edge):
    for line in text.splitlines():
        check(f"{what}: {line!r} is in the grammar", any(rule.fullmatch(line) for rule in grammar))
    defined = set(re.findall(r"^  (\w+)(?: ?\[|\(|\{)", text, re.M)) - {"node", "edge"}
    used = set()
    for pair in re.findall(edge, text, re.M):
        used.update(pair)
    check(f"{what}: every edge joins nodes, every node is joined: {defined ^ used}", defined == used)
    for name in names(document["steps"]):
        check(f"{what}: {name} is there", name in text)


# --- a run ---

AT = 1769860800000
RUN = {"id": "r-1", "definition": "delivery", "version": 1, "status": "compensated", "startedAt": AT, "endedAt": AT + 412, "turnedBack": True, "parked": None,
       "error": {"step": "collect", "code": "NO_VAN", "message": "<none> & nobody"},
       "steps": {"pick": {"status": "compensated", "attempts": 1, "compensations": 2, "firstAt": AT + 300, "settledAt": AT + 410}, "gift": {"status": "skipped"},
                 "route": {"status": "failed", "case": 2}, "customs": {"status": "compensated", "attempts": 2, "compensations": 1, "firstAt": AT + 90, "settledAt": AT + 130},
                 "fly": {"status": "compensated", "attempts": 1, "compensations": 1, "firstAt": AT + 200, "settledAt": AT + 250},
                 "collect": {"status": "failed", "attempts": 1, "firstAt": AT + 60, "settledAt": AT + 80, "error": {"code": "NO_VAN", "message": "<none> & nobody"}}}}
WAITS = {"id": "r-2", "definition": "approval", "version": 1, "status": "running", "startedAt": AT, "endedAt": None, "turnedBack": False, "parked": None, "error": None,
         "steps": {"draft": {"status": "done", "attempts": 1, "firstAt": AT, "settledAt": AT + 40}, "approve": {"status": "waiting", "dueAt": AT + 86400000}}}
PARKED = {"id": "r-3", "definition": "one", "version": 1, "status": "parked", "startedAt": AT, "endedAt": None, "turnedBack": False, "error": None,
          "parked": {"reason": "step only: <exhausted>", "from": "running"},
          "steps": {"only": {"status": "failed", "attempts": 3, "firstAt": AT, "settledAt": AT + 40, "error": {"code": "X", "message": ""}}}}


def look_of(root, name):
    for group in root.iter(SVG + "g"):
        if group.get("data-step") == name:
            shape = group.find(SVG + "rect") if group.find(SVG + "rect") is not None else group.find(SVG + "polygon")
            return shape.get("class"), " / ".join(t.text for t in group.iter(SVG + "text"))
    return None, ""


def check_arrows(what, root, wanted):
    """An arrow's head ends in the middle of the top of its step."""
    heads = {polygon.get("points").split()[-1]: polygon.get("class") for polygon in root.findall(SVG + "polygon")}
    got = {}
    for group in root.iter(SVG + "g"):
        box = box_of(group)
        if box is not None:
            got[group.get("data-step")] = heads.get(f"{int(box[0] + (box[2] - box[0]) // 2)},{int(box[1])}")
    for name, look in wanted.items():
        check(f"{what}: the arrow to {name} looks {look}: {got[name]}", got[name] == look)


def main():
    by_name = {document["name"]: document for document in DEFINITIONS}
    for document in DEFINITIONS:
        svg = draw("svg", document)
        check(f"{document['name']}: equal documents give equal bytes", draw("svg", document) == svg)
        check_svg(document["name"], document, svg)
        check_text(f"{document['name']} in Mermaid", document, draw("mermaid", document), MERMAID, r"^  (\w+) -->(?:\|[^|]*\|)? (\w+)$")
        check_text(f"{document['name']} for Graphviz", document, draw("dot", document), DOT, r"^  (\w+) -> (\w+)")
    for run in (RUN, WAITS, PARKED):
        document = by_name[run["definition"]]
        for form, grammar, edge in (("mermaid", MERMAID, r"^  (\w+) -->(?:\|[^|]*\|)? (\w+)$"), ("dot", DOT, r"^  (\w+) -> (\w+)")):
            check_text(f"{run['id']} as {form}", document, draw(form, document, run), grammar, edge)
    root = check_svg("a run", by_name["delivery"], draw("svg", by_name["delivery"], RUN))
    for name, tone, told in (
            ("pick", "undone", "compensated, 2 compensations / at +410 ms, took 110 ms"), ("customs", "undone", "compensated, 2 attempts / at +130 ms, took 40 ms"),
            ("post", "ahead", "post · Book"), ("collect", "bad", "failed / at +80 ms, took 20 ms / NO_VAN, <none> & nobody")):
        look, texts = look_of(root, name)
        check(f"a run: {name} looks {tone}: {look}", look == f"card {tone}")
        check(f"a run: {name} says {told!r}: {texts}", told in texts)
    check("a run: what became of it stands above", [t.text for t in root.findall(SVG + "text")][:4] == ["delivery version 1", "r-1: compensated", "took 412 ms", "collect: NO_VAN, <none> & nobody"])
    turns = [p for p in root.iter(SVG + "path") if p.get("class") == "turn"]
    check(f"a run: arrows lead back from where it failed to the first step that is undone: {len(turns)}", len(turns) == 4)
    check_arrows("a run", root, {"pick": "head", "customs": "head", "fly": "head", "post": "head idle", "ship": "head idle", "wrap": "head idle", "collect": "head"})
    root = check_svg("a run that waits", by_name["approval"], draw("svg", by_name["approval"], WAITS))
    check("a wait under way looks active, and says until when", look_of(root, "approve") == ("card active", "wait / approve / for signal approved / after 24h: continue / waiting / due at +24 h 0 min"))
    check_arrows("a run that waits", root, {"draft": "head", "approve": "head", "hold": "head idle", "remind": "head idle", "again": "head idle", "send": "head idle"})
    check("nothing leads back", not [p for p in root.iter(SVG + "path") if p.get("class") == "turn"])
    root = check_svg("a parked run", by_name["one"], draw("svg", by_name["one"], PARKED))
    check("why it is parked stands above", "parked: step only: <exhausted>" in [t.text for t in root.findall(SVG + "text")])
    stood_in = {"id": "r-4", "definition": "one", "version": 1, "status": "completed", "startedAt": AT, "endedAt": AT + 50, "turnedBack": False, "parked": None, "error": None,
                "steps": {"only": {"status": "unknown", "attempts": 3, "fallback": "service", "firstAt": AT, "settledAt": AT + 40},
                          "only:fallback": {"status": "done", "attempts": 2, "firstAt": AT + 40, "settledAt": AT + 45}}}
    look, texts = look_of(check_svg("a run with a fallback", by_name["one"], draw("svg", by_name["one"], stood_in)), "only")
    check(f"what stands in tells the outcome: {look}, {texts}", look == "card good" and "unknown, 3 attempts / at +40 ms, took 40 ms / fallback done, 2 attempts / at +45 ms" in texts)
    held = {"id": "r-5", "definition": "slots", "version": 1, "status": "parked", "startedAt": AT, "turnedBack": False, "parked": {"reason": "step room:confirm: BUSY"}, "error": None,
            "steps": {"room": {"status": "done", "attempts": 1, "firstAt": AT, "settledAt": AT + 40}, "car": {"status": "done", "attempts": 1, "firstAt": AT + 40, "settledAt": AT + 50},
                      "bus": {"status": "skipped", "settledAt": AT + 50}, "room:confirm": {"status": "done", "attempts": 2, "firstAt": AT + 50, "settledAt": AT + 60},
                      "car:confirm": {"status": "failed", "attempts": 3, "firstAt": AT + 60, "settledAt": AT + 90, "error": {"code": "BUSY", "message": ""}}, "bus:confirm": {"status": "skipped", "settledAt": AT + 60}}}
    root = check_svg("a run that confirms", by_name["slots"], draw("svg", by_name["slots"], held))
    for name, tone, told in (("room", "good", "done / at +40 ms, took 40 ms / confirm done, 2 attempts / at +60 ms, took 10 ms"), ("car", "bad", "confirm failed, 3 attempts / at +90 ms, took 30 ms / BUSY"),
                             ("bus", "skipped", "skipped / at +50 ms")):
        look, texts = look_of(root, name)
        check(f"a confirm is told of at its try: {name}: {look}, {texts}", look == f"card {tone}" and texts.endswith(told))
    for word in ("all must be done", "2 of 4 must be done", "in input.items", "3 at a time", "for signal approved", "after 24h: go to later", "5m", "until input.at", "payment version 2",
                 "hotel · Try", "confirm Confirm", "cancel Cancel", "repeat until output.ready", "or else other · Poll", "or else a fixed output", "if input.total > 0", "pivot: no way back"):
        check(f"kinds: {word!r} is told", word in [t.text for t in ET.fromstring(draw("svg", by_name["kinds"])).iter(SVG + "text")])


main()
if failures:
    sys.exit(f"{len(failures)} failed")

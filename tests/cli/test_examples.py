"""Each transcript of examples/try: its first line is a command, the rest what it says and its exit code. With --update they are written anew."""
import glob
import os
import shlex
import subprocess
import sys

BATON = sys.argv[1]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
failures = []
tried, used = set(), set()

for path in sorted(glob.glob(os.path.join(ROOT, "examples", "try", "*.txt"))):
    with open(path) as file:
        wanted = file.read()
    command = wanted.splitlines()[0]
    arguments = shlex.split(command)
    if arguments[:3] != ["$", "baton", "try"]:
        sys.exit(f"{path}: its first line must be \"$ baton try FILE ...\"")
    done = subprocess.run([BATON, *arguments[2:]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT, timeout=60)
    got = f"{command}\n{done.stdout}exit code {done.returncode}\n"
    tried.add(arguments[3])
    used.update(arguments)
    if "--update" in sys.argv:
        with open(path, "w") as file:
            file.write(got)
    elif got != wanted:
        failures.append(path)
        print(f"FAILED: {path}\n--- wanted\n{wanted}--- got\n{got}")
    wide = [line for line in got.splitlines()[1:] if len(line) > 80]
    if wide:
        failures.append(path)
        print(f"FAILED: {path}: wider than 80 columns: {wide}")
for path in sorted(glob.glob(os.path.join(ROOT, "examples", "*.json"))):
    name = os.path.relpath(path, ROOT)
    if name not in tried:
        failures.append(name)
        print(f"FAILED: {name} has no transcript: write examples/try/<name>.txt with the line \"$ baton try {name}\" and run this with --update")
for path in sorted(glob.glob(os.path.join(ROOT, "examples", "try", "*.json"))):
    if os.path.relpath(path, ROOT) not in used:
        failures.append(path)
        print(f"FAILED: no transcript uses {path}")
if failures or not tried:
    sys.exit(f"{len(failures)} failed")

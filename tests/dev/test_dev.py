"""`baton dev` as a newcomer meets it: right runs, a run whose participants break their duty, bad flags, and nothing left behind."""
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time

BATON = os.path.abspath(sys.argv[1])
HOME = tempfile.mkdtemp(prefix="baton-test-dev.")
PLAIN = {"PATH": os.environ["PATH"], "TMPDIR": HOME}


def run(*args, **more):
    return subprocess.run([BATON, "dev", *args], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, cwd=HOME,
                          env=more.pop("env", PLAIN), **more)


def check(condition, what):
    if not condition:
        sys.exit(f"FAILED: {what}")
    print(f"ok: {what}")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


def gone(pid):
    """No such process, or one that only waits for its parent to notice."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def until(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"FAILED: {what} did not come within {seconds} s")
        select.select([], [], [], 0.05)


def a_run_adds_up():
    result = run("--orders", "60", "--seed", "7", "-o", "json")
    check(result.returncode == 0, f"60 orders end right: exit {result.returncode}\n{result.stderr}{result.stdout}")
    report = json.loads(result.stdout)
    outcomes, effects = report["outcomes"], report["effects"]
    check(report["right"] is True and report["wrong"] == [], "nothing is wrong")
    check((report["orders"], report["seed"]) == (60, 7), "the report says what was asked for")
    check(sum(outcomes.values()) == 60, f"the outcomes add up to the orders: {outcomes}")
    check(outcomes["completed"] > 0 and outcomes["compensated"] > 0, "more than one outcome occurs")
    check(outcomes["parked"] == outcomes["unfinished"] == 0, "none is left behind")
    check(effects["standing"] == effects["applied"] - effects["undone"], "the effects add up")
    # 4 or 5 steps of each completed saga, none of any other
    check(4 * outcomes["completed"] <= effects["standing"] <= 5 * outcomes["completed"], "what stands is what the completed sagas did")
    check(report["faults"]["refused"] > 0 and report["faults"]["twice"] > 0, f"faults occur: {report['faults']}")
    check(set(report["latencyMs"]) == {"completed", "compensated"}, "latencies are given by outcome")
    check("compensated" in result.stderr and "undone: " in result.stderr, "a compensated saga is shown with what was undone")
    check("\033" not in result.stdout + result.stderr, "no colours and no bar without a terminal")


def every_fault_at_once():
    result = run("--orders", "40", "--seed", "11", "--rate", "0", "--refuse", "10%", "--silent", "8%", "--late", "12%", "--twice", "50%",
                 "--transient", "30%", "-o", "json")
    check(result.returncode == 0, f"and with many faults: exit {result.returncode}\n{result.stderr}{result.stdout}")
    report = json.loads(result.stdout)
    check(all(count > 0 for count in report["faults"].values()), f"each fault occurred: {report['faults']}")
    check(report["effects"]["barred"] > 0 and report["effects"]["turnedAway"] > 0, "late commands met their compensation and were turned away")


def the_check_can_fail():
    result = run("--orders", "30", "--seed", "7", "--late", "30%", "--forget", "-o", "json")
    report = json.loads(result.stdout)
    check(result.returncode == 1 and report["right"] is False, f"participants that forget are noticed: exit {result.returncode}")
    check(all(row["id"] and row["why"] for row in report["wrong"]), "each wrong saga is named with the reason")
    check(any("happened 2 times" in row["why"] or "happened 3 times" in row["why"] for row in report["wrong"]), "what they did twice is said")
    text = run("--orders", "30", "--seed", "7", "--late", "30%", "--forget")
    check(text.returncode == 1 and report["wrong"][0]["id"] in text.stdout, "also in the text for people")


def bad_flags_are_usage():
    for args in (["--orders", "0"], ["--orders", "many"], ["--refuse", "120%"], ["--refuse", "60%", "--late", "60%"], ["--seed", "-1"],
                 ["--nonsense"], ["-b", "localhost:9092"], ["surplus"]):
        result = run(*args)
        check(result.returncode == 2 and "usage: " in result.stderr, f"{' '.join(args)} is a usage error: exit {result.returncode}")


def without_redis():
    result = run("--orders", "1", env={**PLAIN, "PATH": HOME})
    check(result.returncode == 4 and "apt-get install redis-server" in result.stderr, f"a missing redis-server says what to install: {result.stderr}")


def ready(*args):
    process = subprocess.Popen([BATON, "dev", "-o", "json", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=HOME, env=PLAIN,
                               stdin=subprocess.DEVNULL)
    if not select.select([process.stdout], [], [], 60)[0]:
        sys.exit("FAILED: no addresses within 60 s")
    return process, json.loads(process.stdout.readline())


def other_commands_work_against_it():
    process, addresses = ready()
    redis = children(process.pid)
    environment = {**PLAIN, "BATON_BROKERS": addresses["brokers"], "BATON_REDIS": addresses["redis"]}

    def other(*args):
        return subprocess.run([BATON, *args], capture_output=True, text=True, timeout=60, env=environment, stdin=subprocess.DEVNULL)

    check(len(redis) == 1, "one child: its Redis")
    payment = '{"amount":10.5,"currency":"USD","settlementCurrency":"EUR","cardToken":"t"}'
    result = other("start", "payment-gateway", "--id", "p-1", "--input", payment, "--wait", "30")
    check(result.returncode == 0, f"start --wait completes a payment: {result.stdout}{result.stderr}")
    saga = json.loads(other("status", "p-1", "-o", "json").stdout)
    check(saga["status"] == "completed" and saga["output"] == {"settlement": "S-p-1"}, "status shows its output")
    definition = os.path.join(HOME, "own.json")
    with open(definition, "w") as file:
        json.dump({"name": "own", "version": 1, "steps": [{"name": "a", "service": "my-service", "command": "Do"}]}, file)
    result = other("deploy", definition)
    check(result.returncode == 0, f"a definition of one's own can be deployed: {result.stderr}")
    process.send_signal(signal.SIGINT)
    check(process.wait(timeout=60) == 0, "Ctrl-C ends it with 0")
    check(gone(redis[0]), "and its Redis")


def it_ends_in_mid_run():
    for how in (signal.SIGINT, signal.SIGTERM):
        process = subprocess.Popen([BATON, "dev", "--orders", "500", "--rate", "20", "--refuse", "30%"], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True, cwd=HOME, env=PLAIN)
        for line in process.stderr:
            if line.startswith("compensated"):
                break
        redis = children(process.pid)
        process.send_signal(how)
        rest = process.stderr.read()
        check(process.wait(timeout=60) == 1 and "stopped: " in rest, f"{how.name} in mid-run is said, and is not success")
        check(gone(redis[0]), "its Redis is gone")


def killed_it_leaves_nothing():
    process, _ = ready()
    redis = children(process.pid)
    process.kill()
    process.wait()
    until(lambda: gone(redis[0]), "the end of the Redis of a killed one")
    print("ok: kill -9 takes its Redis with it")


a_run_adds_up()
every_fault_at_once()
the_check_can_fail()
bad_flags_are_usage()
without_redis()
other_commands_work_against_it()
it_ends_in_mid_run()
killed_it_leaves_nothing()
check(os.listdir(HOME) == ["own.json"], f"nothing stays in the temporary directory: {os.listdir(HOME)}")
os.unlink(os.path.join(HOME, "own.json"))
os.rmdir(HOME)

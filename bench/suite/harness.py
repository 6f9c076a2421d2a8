"""What the benchmark suites share: subjects, sinks, rounds, and the report. Used by run.py and run_cassandra.py.

A row of the report is {name, value, unit, peer, peer_value, ratio, goal, met, machine}. Rows of both suites stand in
one file: who writes replaces the rows of the same names and keeps the others.
"""
import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ARGS = None  # the command line, as parse() left it: build, quick, out
STOCK = "opentelemetry-cpp 1.19 BSP+OTLP"
REPORT = []


def parse(parser, measurements):
    """Adds the options of every suite and returns the names of the measurements that are wanted."""
    global ARGS
    parser.add_argument("--build", default="build/release", help="directory with the release build")
    parser.add_argument("--out", default="build/bench/report.json", help="where the JSON goes")
    parser.add_argument("--only", help="names of measurements, comma-separated: " + ", ".join(measurements))
    parser.add_argument("--check", action="store_true", help="fail when a goal is not met")
    ARGS = parser.parse_args()
    wanted = ARGS.only.split(",") if ARGS.only else list(measurements)
    for name in wanted:
        if name not in measurements:
            parser.error(f"there is no measurement {name}")
    return wanted


def binary(name):
    path = os.path.join(ARGS.build, name)
    for candidate in (path, os.path.join(ARGS.build, "bench", "suite", name)):
        if os.path.exists(candidate):
            return candidate
    sys.exit(f"{path} is missing: run `make` first")


def cpu_seconds_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Sink:
    """One `arca sink`, cheap enough not to be what is measured."""

    def __init__(self, *options):
        self.directory = tempfile.mkdtemp(prefix="arca-bench-")
        self.process = subprocess.Popen(
            [binary("arca"), "sink", "--grpc-port", "0", "--http-port", "0", "--control-port", "0", "--quiet", *options],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        ports = dict(re.findall(r"(\w+)=(127\.0\.0\.1:\d+)", line))
        self.grpc, self.control = ports["grpc"], ports["control"]

    def report(self):
        with urllib.request.urlopen(f"http://{self.control}/report", timeout=20) as answer:
            return json.load(answer)

    def spans(self):
        return self.report()["signals"]["traces"]["items"]

    def behave(self, words):
        body = json.dumps({"behave": words}).encode()
        request = urllib.request.Request(f"http://{self.control}/behave", data=body, method="POST")
        urllib.request.urlopen(request, timeout=20).read()

    def cpu_seconds(self):
        return cpu_seconds_of(self.process.pid)

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def last_json(text):
    lines = [line for line in text.splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if lines else {}


def subject(name, endpoint, *options, timeout=300, prefix=(), variables=None):
    """Runs a subject to its end and returns the JSON it printed."""
    state = tempfile.mkdtemp(prefix="arca-bench-state-")
    try:
        command = [*prefix, binary(f"subject_{name}"), "--endpoint", endpoint, "--state", state, *map(str, options)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False,
                              env={**os.environ, **(variables or {})})
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)} failed with {done.returncode}:\n{done.stderr}")
        return last_json(done.stdout)
    finally:
        shutil.rmtree(state, ignore_errors=True)


def rounds(full, quick):
    return quick if ARGS.quick else full


def median(values):
    return statistics.median(values)


def machine():
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{os.cpu_count()} x {model}, {platform.system()} {platform.release()}"


def add(name, value, unit, goal, met, peer_value=None, ratio=None, note="", peer=STOCK):
    row = {"name": name, "value": value, "unit": unit, "peer": peer if peer_value is not None else None,
           "peer_value": peer_value, "ratio": ratio, "goal": goal, "met": bool(met), "machine": machine()}
    REPORT.append(row)
    text = f"{name:32} {value:>14.4g} {unit:10}"
    if peer_value is not None:
        text += f" peer {peer_value:>12.4g}  ratio {ratio:>8.4g}"
    print(f"{text}  goal {goal}  {'met' if met else 'NOT MET'}  {note}", flush=True)


def finish(begin):
    """Writes the report, says what missed its goal, and ends with 1 if that was asked for."""
    os.makedirs(os.path.dirname(ARGS.out) or ".", exist_ok=True)
    names = {row["name"] for row in REPORT}
    try:
        with open(ARGS.out, encoding="utf-8") as file:
            kept = [row for row in json.load(file) if row["name"] not in names]
    except (OSError, ValueError):
        kept = []
    with open(ARGS.out, "w", encoding="utf-8") as file:
        json.dump(kept + REPORT, file, indent=1)
    missed = [row["name"] for row in REPORT if not row["met"]]
    print(f"{len(REPORT)} figures in {time.monotonic() - begin:.0f} s, written to {ARGS.out}; "
          + (f"goals not met: {', '.join(missed)}" if missed else "all goals met"))
    if ARGS.check and missed:
        sys.exit(1)

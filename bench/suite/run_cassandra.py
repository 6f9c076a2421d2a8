#!/usr/bin/env python3
"""The benchmarks of the Cassandra tier: Arca beside the specification's design in Go (bench/peers/go), in one run.

One real Cassandra node, the generator, and all that measures share the machine's cores. Rounds of Arca and of its peers
are interleaved; what is quoted is the median of the rounds and of their ratios. A rate counts spans that Cassandra
acknowledged (or, in recovery, that the sink received) over the time until the last one was; a run that lost a span has
no rate.

    run_cassandra.py --build build/release [--quick] [--only NAME,...] [--out build/bench/report.json]
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import harness
from cassandra_node import Collector, Node, free_port, go_peer
from harness import Sink, add, binary, machine, median, rounds, subject

AS_SPECIFIED = "opentelemetry-go 1.44 + gocql 1.7, one INSERT a span in sequence"
IMPROVED = "the same with 256 INSERTs at once"
# For filling: a generator that is too fast for the machine waits, and nothing is refused.
WAITS = {"ARCA_WHEN_FULL": "block", "ARCA_BLOCK_TIMEOUT": "60s"}
NODE = None


def nobody():
    """Where no Collector listens."""
    return f"127.0.0.1:{free_port()}"


def park(*options, keyspace=None, keep=False, environment=None, **variables):
    """One run of the subject without a Collector: everything goes to Cassandra."""
    used = keyspace or NODE.fresh_keyspace()
    server = NODE.cpu_seconds()
    result = subject("arca", nobody(), "--traces", "yes", "--drain", 120, *options, timeout=900,
                     variables={**NODE.variables(used, **variables), **(environment or {})})
    result["server_cpu_s"] = NODE.cpu_seconds() - server
    result["whole"] = result["flushed"] and result["parked"] == result["made"] and result["refused"] == 0
    if not result["whole"]:
        print(f"  not all of it was parked: {result}")
    result["per_s"] = result["parked"] / (result["wall_s"] + result["drain_s"]) if result["whole"] else 0
    if not keep:
        NODE.drop(used)
    return result


def best_parking(rates, seconds):
    """The run with the highest rate of acknowledged spans among runs at these offered rates."""
    return max((park("--rate", rate, "--seconds", seconds) for rate in rates), key=lambda run: run["per_s"])


# --- the measurements ---------------------------------------------------------------------------

def parking():
    """park_spans_per_s and its client CPU, beside the peers."""
    seconds = rounds(8, 5)
    runs, specified, improved = [], [], []
    park("--rate", 300_000, "--seconds", 5)  # the server's code is compiled by now
    for _ in range(rounds(3, 1)):
        specified.append(max((go_peer(NODE, mode, seconds) for mode in ("syncer", "blocking")),
                             key=lambda run: run["per_s"]))
        improved.append(go_peer(NODE, "concurrent", seconds))
        runs.append(best_parking((450_000, 700_000) if harness.ARGS.quick else (300_000, 450_000, 700_000, 1_000_000),
                                 seconds))
    peers_in_full(seconds)
    rate = median([run["per_s"] for run in runs])
    for name, peers, label, least in (("park_spans_per_s", specified, AS_SPECIFIED, 500),
                                      ("park_spans_per_s_improved_peer", improved, IMPROVED, 30)):
        ratio = median([run["per_s"] / peer["per_s"] for run, peer in zip(runs, peers)])
        add(name, rate, "spans/s", f">= 4e5 and ratio >= {least}", rate >= 4e5 and ratio >= least,
            median([peer["per_s"] for peer in peers]), ratio, f"one node on the same {os.cpu_count()} cores, load "
            f"{os.getloadavg()[0]:.1f}", label)
    cpu = median([run["cpu_s"] / run["made"] * 1e6 for run in runs])
    peer_cpu = median([peer["cpu_s_per_M"] for peer in improved])
    server = median([run["server_cpu_s"] / run["made"] * 1e6 for run in runs])
    add("park_client_cpu_s_per_M", cpu, "s/M", "<= 1.5", cpu <= 1.5, peer_cpu,
        median([peer["cpu_s_per_M"] / (run["cpu_s"] / run["made"] * 1e6) for run, peer in zip(runs, improved)]),
        f"with the caller's; the server took {server:.2f} s/M", IMPROVED)


def peers_in_full(seconds):
    """All the ways to use the specified exporter, for the table."""
    for mode in ("syncer", "batch", "blocking", "concurrent"):
        run = go_peer(NODE, mode, seconds)
        print(f"  peer {mode:10} caller {run['caller_ns']:>11,.0f} ns, p99 {run['caller_p99_ns']:>11,} ns, offered "
              f"{run['offered']:>8,}, lost {run['lost']:>8,} ({100 * run['lost'] / max(1, run['offered']):.1f} %), "
              f"{run['per_s']:>8,.0f} spans/s, {run['cpu_s_per_M']:>7.1f} CPU-s/M", flush=True)


def caller():
    """What the caller pays while everything goes to Cassandra, and while the Collector takes it."""
    seconds = rounds(10, 5)
    pairs = []
    for _ in range(rounds(5, 3)):
        with Sink("--track", "none") as sink:
            normal = subject("arca", sink.grpc, "--traces", "yes", "--rate", 50_000, "--seconds", seconds)
        pairs.append((park("--rate", 50_000, "--seconds", seconds), normal))
    ratio = median([away["caller_p99_ns"] / normal["caller_p99_ns"] for away, normal in pairs])
    value = median([away["caller_p99_ns"] for away, _ in pairs])
    add("park_caller_p99_ns", value, "ns", "<= 2x without outage", ratio <= 2,
        note=f"at 50,000 spans/s; without outage {median([normal['caller_p99_ns'] for _, normal in pairs]):.0f} ns, "
             f"{ratio:.2f}x of it in the median of {len(pairs)} rounds")


def rows():
    """Rows for look-up, alone: what is still to be written once all chunks are parked."""
    rates = []
    for _ in range(rounds(3, 1)):
        keyspace = NODE.fresh_keyspace()
        run = park("--rate", 200_000, "--seconds", rounds(4, 2), "--rows", "yes", keyspace=keyspace, keep=True, ROWS="true")
        counted = NODE.count_spans(keyspace)
        if counted < run["parked"]:
            print(f"  rows are missing: {counted} of {run['parked']}")
        rates.append(run["rows"] / run["rows_s"] if counted >= run["parked"] and run["rows_s"] > 0 else 0)
        NODE.drop(keyspace)
    value = median(rates)
    add("rows_spans_per_s", value, "spans/s", ">= 5e4", value >= 5e4,
        note="one unlogged batch for the ten spans of a trace; all rows counted by the Python driver")


def stored_bytes():
    """What a span takes in Cassandra, of what it takes on the wire."""
    keyspace = NODE.fresh_keyspace()
    run = park("--rate", 200_000, "--seconds", rounds(5, 3), "--rows", "yes", keyspace=keyspace, keep=True, ROWS="true")
    raw = raw_bytes(keyspace) / run["made"]
    chunks = NODE.bytes_on_disk(keyspace, "overflow_chunks") / run["made"]
    look_up = sum(NODE.bytes_on_disk(keyspace, table) for table in
                  ("traces_overflow", "overflow_traces", "overflow_names")) / run["made"]
    NODE.drop(keyspace)
    add("stored_bytes_percent_of_raw", 100 * chunks / raw, "%", "<= 25", chunks <= 0.25 * raw,
        note=f"files of the chunks on disk, {chunks:.0f} of {raw:.0f} bytes of OTLP a span; the rows for look-up, which "
             f"hold each span a second time, {look_up:.0f} more")


def raw_bytes(keyspace):
    """Of the parked OTLP: the directory says so of sealed segments."""
    return sum(row["raw_bytes"] or 0 for row in NODE.rows(f"SELECT raw_bytes FROM {keyspace}.overflow_segments"))


def option1():
    """arca::CassandraSpanExporter behind the stock SDK's BatchSpanProcessor."""
    best = 0
    for rate in rounds((150_000, 300_000, 450_000, 600_000), (200_000, 400_000)):
        keyspace = NODE.fresh_keyspace()
        run = subject("option1", "none", "--traces", "yes", "--rate", rate, "--seconds", rounds(6, 4), "--drain", 120,
                      variables=NODE.variables(keyspace))
        NODE.drop(keyspace)
        if run["parked"] != run["made"]:
            print(f"  at {rate:,} spans/s offered {run['made'] - run['parked']:,} of {run['made']:,} were not parked: {run}")
            continue
        best = max(best, run["parked"] / (run["wall_s"] + run["drain_s"]))
    add("option1_spans_per_s", best, "spans/s", ">= 3e5", best >= 3e5,
        note="highest rate through the stock SDK's batcher that was parked whole")


class Memory(threading.Thread):
    """Looks at what a process has resident, ten times a second."""

    def __init__(self, pid):
        super().__init__()
        self.pid, self.samples, self.over = pid, [], threading.Event()

    def run(self):
        while not self.over.wait(0.1):
            try:
                with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
                    self.samples.append((time.monotonic(), int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")))
            except (OSError, IndexError):
                return

    def steady(self):
        """The median of the last half: start and growth are over."""
        sizes = [size for _, size in self.samples]
        return median(sizes[len(sizes) // 2:] or [0])


def recover(endpoint, keyspace):
    """One pass of `arca recover`; its answer, its time, its CPU and its memory."""
    state = tempfile.mkdtemp(prefix="arca-bench-state-")
    begin = time.monotonic()
    process = subprocess.Popen(
        [binary("arca"), "recover", "--state", state, "--endpoint", f"http://{endpoint}", "--rate", "0", "--deadline",
         "30m"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, **NODE.variables(keyspace, RECOVERY="true")})
    memory = Memory(process.pid)
    memory.start()
    out, _ = process.communicate(timeout=2400)
    taken = time.monotonic() - begin
    memory.over.set()
    memory.join()
    shutil.rmtree(state, ignore_errors=True)
    if process.returncode != 0:
        print(f"  arca recover ended with {process.returncode}:\n{out}")
    return {"code": process.returncode, "s": taken, "memory": memory}


def recovery():
    """From Cassandra into `arca sink`: rate, and memory at four times as much."""
    sizes = rounds((1.0, 4.0), (0.1, 0.4))  # GB in Cassandra
    steady, peaks, rates = [], [], []
    for size in sizes:
        keyspace, spans = fill(size)
        with Sink("--track", "ids" if size < 2 else "none") as sink:
            run = recover(sink.grpc, keyspace)
            report = sink.report()["signals"]["traces"]
        arrived = report["items"]
        if size < 2 and report["unique"] != spans or arrived < spans:
            print(f"  {arrived} of {spans} spans arrived, {report.get('duplicates', 0)} twice")
            rates.append(0)
        else:
            rates.append(spans / run["s"])
        steady.append(run["memory"].steady())
        peaks.append(max(size for _, size in run["memory"].samples))
        NODE.drop(keyspace)
        print(f"  {size} GB parked, {spans:,} spans: {rates[-1]:,.0f} spans/s in {run['s']:.1f} s, RSS steady "
              f"{steady[-1] / 1e6:.1f} MB, peak {peaks[-1] / 1e6:.1f} MB", flush=True)
    add("recover_spans_per_s", max(rates), "spans/s", ">= 4e5", min(rates) > 0 and max(rates) >= 4e5,
        note=f"from the start of `arca recover` to its end, {sizes[0]} and {sizes[1]} GB: "
             f"{rates[0]:.4g} and {rates[1]:.4g}")
    growth = 100 * (steady[1] / steady[0] - 1)
    add("recover_rss_growth_percent", growth, "%", "<= 5", growth <= 5,
        note=f"{steady[0] / 1e6:.1f} MB at {sizes[0]} GB parked, {steady[1] / 1e6:.1f} MB at {sizes[1]} GB")


def fill(gigabytes):
    """Parks so much, as stored; the keyspace and how many spans there are in it."""
    keyspace, spans, stored = NODE.fresh_keyspace(), 0, 0
    while stored < 0.98 * gigabytes * 1e9:
        seconds = 2 if spans == 0 else max(1, min(60, (gigabytes * 1e9 - stored) / (stored / spans) / 350_000))
        run = park("--rate", 350_000, "--seconds", seconds, keyspace=keyspace, keep=True, environment=WAITS)
        if not run["whole"]:
            sys.exit("Cassandra could not be filled")
        stored += run["stored_bytes"]
        spans += run["parked"] + 64  # and what the subject warmed up with
    return keyspace, spans


def saturated_collector():
    """Into the real Collector: as fast as Arca's live way feeds it flat out, no slower."""
    seconds = rounds(10, 5)
    with Collector() as collector:
        live = subject("arca", collector.grpc, "--traces", "yes", "--mode", "max", "--seconds", seconds, "--drain", 120)
        before = collector.cpu_seconds()
    per_s = live["made"] / (live["wall_s"] + live["drain_s"])
    keyspace, spans = fill(rounds(0.4, 0.1))
    with Collector() as collector:
        run = recover(collector.grpc, keyspace)
        share = collector.cpu_seconds() / run["s"]
    NODE.drop(keyspace)
    rate = spans / run["s"] if run["code"] == 0 else 0
    add("recover_collector_spans_per_s", rate, "spans/s", "ratio >= 0.8", rate >= 0.8 * per_s, per_s, rate / per_s,
        f"it used {100 * share:.0f} % of a core, Cassandra has the rest; live {100 * before / seconds:.0f} %",
        "Arca's live way, flat out, into the same Collector")


MEASUREMENTS = {"parking": parking, "caller": caller, "rows": rows, "stored_bytes": stored_bytes, "option1": option1,
                "recovery": recovery, "saturated_collector": saturated_collector}


def main():
    global NODE
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round of each: about five minutes")
    parser.add_argument("--heap", type=int, default=1024, help="of the node, in MB")
    wanted = harness.parse(parser, MEASUREMENTS)
    begin = time.monotonic()
    print(f"machine: {machine()}, load {os.getloadavg()[0]:.1f}", flush=True)
    with Node(harness.ARGS.heap) as node:
        NODE = node
        for name in wanted:
            MEASUREMENTS[name]()
    harness.finish(begin)


if __name__ == "__main__":
    main()

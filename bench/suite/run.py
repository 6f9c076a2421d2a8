#!/usr/bin/env python3
"""The benchmark suite: Arca beside stock opentelemetry-cpp (BatchSpanProcessor, OTLP/gRPC), in one run.

Both run the same workload (workload.hpp) against the same kind of sink (`arca sink`) on loopback. Rounds of the two
are interleaved and compared round by round; what is quoted is the median of the rounds' ratios, because machines
are noisy and drift. Throughput counts only what the sink received, over the time until it had everything; a run that
lost spans has no zero-loss rate.

    run.py --build build/release [--quick] [--only NAME,...] [--out build/bench/report.json]
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import tempfile
import time

import harness
from harness import Sink, add, binary, machine, median, rounds, subject


# --- the measurements ---------------------------------------------------------------------------

def caller_cost():
    pairs = []
    spans = rounds(400_000, 150_000)
    with Sink("--track", "none") as sink:
        for _ in range(rounds(15, 7)):
            ours = subject("arca", sink.grpc, "--mode", "hot", "--spans", spans)["caller_ns"]
            peer = subject("stock", sink.grpc, "--mode", "hot", "--spans", spans // 2, "--null-export", "yes")["caller_ns"]
            pairs.append((ours, peer))
    value, peer = median([p[0] for p in pairs]), median([p[1] for p in pairs])
    ratio = median([p[1] / p[0] for p in pairs])
    spread = f"rounds {len(pairs)}, ours {min(p[0] for p in pairs):.0f}-{max(p[0] for p in pairs):.0f} ns"
    add("caller_ns", value, "ns/span", "<= 250 and ratio >= 8", value <= 250 and ratio >= 8, peer, ratio, spread)


def instructions(name, endpoint, *options):
    """Per span: what 10,000 more spans add. The threads beside the caller come and go as the machine likes, and each of
    their visits costs him a few instructions; the least of three runs is the code's own cost."""
    def count(spans):
        out = tempfile.mktemp(prefix="arca-callgrind-")
        subject(name, endpoint, "--mode", "instructions", "--spans", spans, *options, timeout=600,
                prefix=("valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--collect-atstart=no",
                        "--toggle-collect=bench::counted_loop*", "--separate-threads=no", "-q"))
        with open(out, encoding="utf-8", errors="replace") as file:
            found = re.search(r"^(?:summary|totals): (\d+)", file.read(), re.M)
        os.unlink(out)
        return int(found.group(1))

    few, many = (min(count(spans) for _ in range(3)) for spans in (2_000, 12_000))
    return (many - few) / 10_000


def caller_instructions():
    with Sink("--track", "none") as sink:
        ours = instructions("arca", sink.grpc)
        peer = None if harness.ARGS.without_peer else instructions("stock", sink.grpc, "--null-export", "yes")
    add("caller_instructions", ours, "instr/span", "<= 3000", ours <= 3000, peer, peer and peer / ours,
        "callgrind, caller only")


def caller_mallocs():
    with Sink("--track", "none") as sink:
        ours = subject("arca", sink.grpc, "--mode", "mallocs", "--spans", 20_000)["mallocs_per_span"]
        peer = None
        if not harness.ARGS.without_peer:
            answer = subject("stock", sink.grpc, "--mode", "mallocs", "--spans", 5_000, "--null-export", "yes")
            peer = answer["mallocs_per_span"]
    add("caller_mallocs", ours, "per span", "0", ours < 0.0005, peer, peer and peer / max(ours, 0.001), "warm thread")


def one_run(name, *options, track="none"):
    with Sink("--track", track) as sink:
        result = subject(name, sink.grpc, *options)
        result["received"] = sink.spans()
        result["sink_cpu_s"] = sink.cpu_seconds()
    return result


def rate_without_loss(name, rate, seconds):
    """What a run at this offered rate is credited with: all that arrived over the time for making it and for what was
    still to be delivered then. Nothing if one span is missing. The better of two: the machine has its moments."""
    best = 0
    for _ in range(2):
        run = one_run(name, "--rate", rate, "--seconds", seconds)
        if run["received"] == run["made"]:
            best = max(best, run["received"] / (run["wall_s"] + run["drain_s"]))
        if best >= 0.9 * rate:
            break
    return best


def zero_loss_rate(name, low, steps):
    """The highest rate of delivery without loss, by the same rule for both: the offered rate is doubled until a run
    loses or does not keep up (is credited with less than nine tenths of what was offered), then bisected. Beyond that
    rate the stock pipeline drops, and Arca goes through its journal, which loses nothing but is slower."""
    seconds = rounds(4, 3)
    best, high = 0, low
    while high <= 6_400_000:
        credited = rate_without_loss(name, high, seconds)
        best = max(best, credited)
        if credited < 0.9 * high:
            break
        low, high = high, 2 * high
    for _ in range(steps):
        middle = (low + high) // 2
        credited = rate_without_loss(name, middle, seconds)
        best = max(best, credited)
        low, high = (middle, high) if credited >= 0.9 * middle else (low, middle)
    return best


def throughput():
    rates, peer_rates = [], []
    for _ in range(rounds(3, 1)):
        peer_rates.append(zero_loss_rate("stock", 25_000, rounds(4, 3)))
        rates.append(zero_loss_rate("arca", 800_000, rounds(4, 3)))
    value, peer_value = median(rates), median(peer_rates)
    ratio = median([ours / peer if peer else 0 for ours, peer in zip(rates, peer_rates)])
    add("zero_loss_spans_per_s", value, "spans/s", ">= 1.5e6 and ratio >= 12", value >= 1.5e6 and ratio >= 12,
        peer_value, ratio, f"highest offered rate that arrived whole, of {len(rates)} searches; sink on the same "
        f"{os.cpu_count()} cores")


def saturated():
    flat, ours_cpu, peer_cpu, cpu_ratios = [], [], [], []
    for _ in range(rounds(9, 3)):
        ours = one_run("arca", "--mode", "max", "--seconds", 4)
        peer = one_run("stock", "--mode", "max", "--seconds", 4)
        lost = ours["made"] - ours["received"]
        if lost != 0:
            print(f"  arca lost {lost} of {ours['made']} (duplicates count as negative)")
        flat.append(0 if lost else ours["received"] / (ours["wall_s"] + ours["drain_s"]))
        ours_cpu.append(ours["cpu_s"] / ours["received"] * 1e6)
        peer_cpu.append(peer["cpu_s"] / max(1, peer["received"]) * 1e6)
        cpu_ratios.append(peer_cpu[-1] / ours_cpu[-1])
    add("client_cpu_s_per_M_saturated", median(ours_cpu), "s/M", "ratio >= 12", median(cpu_ratios) >= 12,
        median(peer_cpu), median(cpu_ratios), "per received span, flat out with all that went through the journal; "
        f"received {median(flat):.3g} spans/s until the journal was empty again")


def cpu_at_100k():
    ours_cpu, peer_cpu, ratios = [], [], []
    for _ in range(rounds(9, 3)):
        ours = one_run("arca", "--rate", 100_000, "--seconds", 4)
        peer = one_run("stock", "--rate", 100_000, "--seconds", 4)
        ours_cpu.append(ours["cpu_s"] / max(1, ours["received"]) * 1e6)
        peer_cpu.append(peer["cpu_s"] / max(1, peer["received"]) * 1e6)
        ratios.append(peer_cpu[-1] / ours_cpu[-1])
    add("client_cpu_s_per_M_100k", median(ours_cpu), "s/M", "ratio >= 6", median(ratios) >= 6, median(peer_cpu),
        median(ratios), "100,000 spans/s offered; per received span")


def outage():
    seconds = rounds(60, 15)
    normal = one_run("arca", "--rate", 50_000, "--seconds", 10 if not harness.ARGS.quick else 5)
    with Sink("--track", "ids") as sink:
        sink.behave("refuse")
        state = tempfile.mkdtemp(prefix="arca-bench-state-")
        process = subprocess.Popen(
            [binary("subject_arca"), "--endpoint", sink.grpc, "--state", state, "--rate", "50000", "--seconds",
             str(seconds), "--drain", "120"], stdout=subprocess.PIPE, text=True)
        time.sleep(seconds)
        sink.behave("ok")
        returned = time.monotonic()
        while sink.spans() == 0 and process.poll() is None:
            time.sleep(0.01)
        first = time.monotonic()  # the breaker has tried again
        arrived, last = 0, first  # the drain ends when the last span arrives, not with the process
        while process.poll() is None:
            if (spans := sink.spans()) != arrived:
                arrived, last = spans, time.monotonic()
            time.sleep(0.01)
        out, _ = process.communicate(timeout=300)
        result = json.loads(out.splitlines()[-1])
        taken = last - first
        report = sink.report()["signals"]["traces"]
        shutil.rmtree(state, ignore_errors=True)
    lost = result["made"] - report["unique"]
    add("outage_60s_lost", lost, "spans", "0", lost == 0, note=f"{seconds} s without Collector at 50,000 spans/s, "
        f"{result['made']} made, {report['duplicates']} came twice, RSS {result['rss_kib'] // 1024} MiB after it")
    ratio = result["caller_p99_ns"] / max(1, normal["caller_p99_ns"])
    add("outage_caller_p99_ns", result["caller_p99_ns"], "ns", "<= 2x normal", ratio <= 2,
        note=f"normal {normal['caller_p99_ns']} ns, {ratio:.2f}x")
    drain = result["made"] / max(0.001, taken)
    add("drain_spans_per_s", drain, "spans/s", ">= 3e5", drain >= 3e5, note=f"{taken:.1f} s from the first span to the last, "
        f"begun {first - returned:.1f} s after the Collector's return")


def idle():
    with Sink("--track", "none") as sink:
        share = subject("arca", sink.grpc, "--mode", "idle", "--threads", 200, "--seconds", rounds(20, 8))
    add("idle_cpu_percent", share["idle_cpu_percent"], "% of a core", "<= 0.2", share["idle_cpu_percent"] <= 0.2,
        note="200 threads that have recorded and now sleep")


def freshness():
    samples = []
    with Sink("--track", "none") as sink:
        state = tempfile.mkdtemp(prefix="arca-bench-state-")
        count = rounds(15, 6)
        process = subprocess.Popen([binary("subject_arca"), "--endpoint", sink.grpc, "--state", state, "--mode",
                                    "freshness", "--spans", str(count)], stdout=subprocess.PIPE, text=True)
        for expected in range(1, count + 1):
            ended = int(process.stdout.readline().split()[1])
            while sink.spans() < expected:
                if time.monotonic_ns() - ended > 10e9:
                    break
                time.sleep(0.004)
            samples.append((time.monotonic_ns() - ended) / 1e6)
        process.wait(timeout=30)
        shutil.rmtree(state, ignore_errors=True)
    worst = max(samples)
    add("freshness_ms", worst, "ms", "<= schedule delay (1000) + 100", worst <= 1100,
        note=f"worst of {len(samples)} lone spans, median {median(samples):.0f}")


MEASUREMENTS = {"caller_ns": caller_cost, "caller_instructions": caller_instructions, "caller_mallocs": caller_mallocs,
                "throughput": throughput, "saturated": saturated, "cpu_100k": cpu_at_100k, "outage": outage, "idle": idle,
                "freshness": freshness}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: under five minutes")
    parser.add_argument("--without-peer", action="store_true",
                        help="caller_instructions and caller_mallocs of Arca alone: what the test bench.budget runs")
    wanted = harness.parse(parser, MEASUREMENTS)
    begin = time.monotonic()
    print(f"machine: {machine()}, load {os.getloadavg()[0]:.1f}", flush=True)
    for name in wanted:
        MEASUREMENTS[name]()
    harness.finish(begin)


if __name__ == "__main__":
    main()

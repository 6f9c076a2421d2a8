"""What the two demonstrations (tools/run_demo, tools/run_demo_cassandra) have in common: a shop under load beside `arca
agent`, a Collector that is lost and comes back, a service that is killed, the table that shows it live, the judgement."""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from demo_peers import RealCollector, ArcaSink, free_port

ROOT = Path(__file__).resolve().parent.parent
SIGNALS = ("traces", "metrics", "logs")
KEPT = ("parked", "in_journal", "in_memory")


class DemoFailure(Exception):
    pass


class Child:
    """One process that we started: ended by its own id, never by name."""

    def __init__(self, name, command, directory, environment=None):
        self.name, self.command, self.directory = name, [str(part) for part in command], directory
        self.environment = environment
        self.process = None
        self.start()

    def start(self):
        self.log = self.directory / f"{self.name}.out"
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(self.command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                            env=self.environment, start_new_session=True)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, seconds=12):
        """SIGTERM, then SIGKILL when it does not end in time. Returns whether it ended by itself."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(seconds)
            return True
        except subprocess.TimeoutExpired:
            self.kill()
            return False

    def check(self):
        if self.process.poll() is not None:
            tail = self.log.read_text(errors="replace")[-2000:]
            raise DemoFailure(f"{self.name} ended with {self.process.returncode}:\n{tail}")


def wait_for_port(child, port, seconds=15):
    deadline = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).read()
            return
        except OSError:
            child.check()
            if time.monotonic() > deadline:
                raise DemoFailure(f"{child.name} does not answer on port {port}")
            time.sleep(0.05)


class Table:
    """Rewrites one line per second on a terminal; prints plain lines otherwise."""

    HEADER = f"{'time':>5}  {'orders':>7}  {'accepted':>9}  {'delivered':>9}  {'kept':>7}  {'recovered':>9}  {'lost':>4}   state"

    def __init__(self):
        self.terminal = sys.stdout.isatty()
        print(self.HEADER, flush=True)

    def row(self, seconds, orders, law, recovered, state):
        kept = sum(law[key] for key in KEPT)
        text = (f"{seconds:>4.0f}s  {orders:>7,}  {law['accepted']:>9,}  {law['delivered']:>9,}  {kept:>7,}  "
                f"{recovered:>9,}  {law['lost']:>4}   {state}")
        if self.terminal:
            print(f"\r\x1b[K{text}", end="", flush=True)
        else:
            print(text, flush=True)

    def event(self, text):
        if self.terminal:
            print(f"\r\x1b[K\x1b[1m  --- {text}\x1b[0m", flush=True)
        else:
            print(f"  --- {text}", flush=True)


class Demo:
    def __init__(self, arguments, directory):
        self.arguments, self.directory = arguments, directory
        build = ROOT / arguments.build
        self.arca = build / "arca"
        self.shop = build / "examples" / "shop"
        for program in (self.arca, self.shop / "shop-web", self.shop / "shop-inventory", self.shop / "shop-load"):
            if not program.exists():
                raise DemoFailure(f"{program} is missing; build it with: tools/build release")
        self.state = directory / "state"
        self.answered = directory / "answered.log"
        self.children = []
        self.peer = None
        self.started = time.monotonic()

    # What runs.

    def child(self, name, command, environment=None):
        one = Child(name, command, self.directory, environment)
        self.children.append(one)
        return one

    def environment(self):
        wanted = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "ARCA_"))}
        wanted.update(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{self.peer.port}", OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
                      OTEL_METRIC_EXPORT_INTERVAL="2000", ARCA_STATE_DIRECTORY=str(self.state))
        return wanted

    def start(self):
        collector = ROOT / ".cache" / "collector" / "otelcol-arca"
        maker = RealCollector if collector.exists() and not self.arguments.sink else ArcaSink
        self.peer = maker(collector if maker is RealCollector else self.arca, self.directory)
        print(f"{self.peer.title} on 127.0.0.1:{self.peer.port}; state in {self.state}", flush=True)
        environment = self.environment()
        self.inventory_port, self.web_port = free_port(), free_port()
        self.inventory = self.child("shop-inventory", [self.shop / "shop-inventory", "--port", self.inventory_port], environment)
        wait_for_port(self.inventory, self.inventory_port)
        self.web = self.child("shop-web", [self.shop / "shop-web", "--port", self.web_port, "--inventory",
                                           f"http://127.0.0.1:{self.inventory_port}"], environment)
        wait_for_port(self.web, self.web_port)
        config = self.directory / "agent.yaml"
        config.write_text(
            "host: {interval: 1s}\n"
            "processes: {select: [{name: shop-web}, {name: shop-inventory}]}\n"
            f"logs: {{files: [{{path: {self.answered}, start_at: beginning}}]}}\n"
            "probes:\n"
            f"- {{name: web, url: 'http://127.0.0.1:{self.web_port}/health', interval: 1s}}\n"
            f"- {{name: inventory, url: 'http://127.0.0.1:{self.inventory_port}/health', interval: 1s}}\n")
        self.agent = self.child("agent", [self.arca, "agent", "--config", config], environment)
        self.load = self.child("shop-load", [self.shop / "shop-load", "--url", f"http://127.0.0.1:{self.web_port}", "--rate",
                                             self.arguments.rate, "--seconds", self.arguments.seconds, "--answered",
                                             self.answered])

    # What is seen.

    def status(self):
        done = subprocess.run([self.arca, "status", "--json", "--sample", "0", "--state", self.state], capture_output=True,
                              text=True, timeout=20)
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise DemoFailure(f"arca status said no JSON (exit {done.returncode}): {done.stdout}{done.stderr}")

    @staticmethod
    def total(status):
        return {key: sum(status["signals"][one][key] for one in SIGNALS)
                for key in ("accepted", "delivered", "quarantined", "refused", "lost") + KEPT}

    def orders(self):
        try:
            return [line.split() for line in self.answered.read_text().splitlines()]
        except FileNotFoundError:
            return []

    def show(self, table, state):
        status = self.status()
        recovered = self.peer.ended_between(self.outage) if self.outage else 0
        table.row(time.monotonic() - self.started, len(self.orders()), self.total(status), recovered, state)
        return status

    def story(self):
        """What happens when, as a share of the time of the load."""
        return [(0.25, self.lose_collector), (0.42, self.kill_inventory), (0.48, self.restart_inventory),
                (0.70, self.return_collector)]

    def run(self):
        self.outage = None
        table = Table()
        seconds = self.arguments.seconds
        beats = self.story()
        state = "all is well"
        begun = time.monotonic()
        while self.load.process.poll() is None:
            if beats and time.monotonic() - begun >= beats[0][0] * seconds:
                text, state = beats.pop(0)[1]()
                table.event(text)
            for child in (self.web, self.agent):
                child.check()
            self.show(table, state)
            time.sleep(1)
        if self.load.process.returncode != 0:
            self.load.check()
        if beats:
            raise DemoFailure("the load ended before the story did; raise --seconds")
        table.event("the load has ended; delivering what is left")
        self.drain(table)

    def lose_collector(self):
        self.peer.lose()
        self.outage = [time.time_ns(), None]
        return f"{self.peer.loss}", "Collector away"

    def kill_inventory(self):
        self.inventory.kill()
        return "shop-inventory killed with SIGKILL", "Collector away, inventory dead"

    def restart_inventory(self):
        self.inventory.start()
        wait_for_port(self.inventory, self.inventory_port)
        return "shop-inventory started again; it adopts what its predecessor left", "Collector away"

    def return_collector(self):
        self.outage[1] = time.time_ns()
        self.peer.come_back()
        return "the Collector is back", "recovering"

    def drain(self, table):
        # The services first, so that their last metrics are part of it; the agent last: it reads the load's log.
        self.wait_until_kept_nothing(table, "draining", 20, exact=False)
        for child in (self.web, self.inventory, self.agent):
            if not child.stop():
                raise DemoFailure(f"{child.name} did not end within its deadline after SIGTERM")
        status = self.status()
        if any(status["signals"][one][key] for one in SIGNALS for key in KEPT):
            subprocess.run([self.arca, "recover", "--state", self.state], env=self.environment(), timeout=60,
                           stdout=subprocess.DEVNULL)
            self.wait_until_kept_nothing(table, "recovering the rest", 5, exact=True)

    def wait_until_kept_nothing(self, table, state, seconds, exact):
        deadline = time.monotonic() + seconds
        while True:
            law = self.total(self.show(table, state))
            # Live processes always have something under way: little enough counts.
            if sum(law[key] for key in KEPT) <= (0 if exact else 500) or time.monotonic() > deadline:
                return
            time.sleep(1)

    # What is judged.

    def judge(self):
        self.peer.stop()
        seen = self.peer.records()
        status = self.status()
        orders = self.orders()
        report = json.loads((self.directory / "shop-load.out").read_text().strip().splitlines()[-1])
        failures = []

        def expect(truth, text):
            print(f"  {'ok  ' if truth else 'FAIL'}  {text}")
            if not truth:
                failures.append(text)

        print("\n\nthe law, per signal (items):")
        print(f"  {'':<12}" + "".join(f"{one:>12}" for one in SIGNALS))
        for key in ("accepted", "delivered", "parked", "quarantined", "in_journal", "in_memory", "refused", "lost"):
            print(f"  {key:<12}" + "".join(f"{status['signals'][one][key]:>12,}" for one in SIGNALS))
        print("\nwhat the Collector wrote, compared with what was accepted:")
        traces = status["signals"]["traces"]
        web = {span.request for span in seen.spans if span.name == "GET /buy"}
        reserved = {span.request for span in seen.spans if span.name == "POST /reserve"}
        logged = seen.log_requests
        ids = {order[0] for order in orders}
        answered_by_inventory = {order[0] for order in orders if order[1] in ("200", "409")}
        lines = {" ".join(order) for order in orders}
        outage = self.peer.ended_between(self.outage)
        expect(len(ids) > 0 and len(ids) + report["unanswered"] == report["sent"],
               f"{report['sent']:,} orders sent, {len(ids):,} answered {report.get('answered')}")
        expect(seen.unique_spans == traces["accepted"],
               f"{seen.unique_spans:,} unique span ids of {traces['accepted']:,} accepted; "
               f"{seen.span_count - seen.unique_spans:,} came twice")
        expect(ids <= web, f"a shop-web span for each answered order; missing {len(ids - web)}")
        expect(answered_by_inventory <= reserved,
               f"a shop-inventory span for each order that it answered; missing {len(answered_by_inventory - reserved)}")
        expect(ids <= logged, f"a log record for each answered order; missing {len(ids - logged)}")
        expect(lines <= seen.log_bodies, f"each of {len(lines):,} lines that the agent followed; "
                                         f"missing {len(lines - seen.log_bodies)}")
        expect(seen.log_count >= status["signals"]["logs"]["accepted"], f"{seen.log_count:,} log records, "
               f"{status['signals']['logs']['accepted']:,} accepted")
        expect(seen.point_count >= status["signals"]["metrics"]["accepted"] > 0,
               f"{seen.point_count:,} data points, {status['signals']['metrics']['accepted']:,} accepted")
        expect(outage > 0, f"{outage:,} spans that ended while the Collector was away were recovered")
        total = self.total(status)
        expect(status["holds"] and total["lost"] == 0 and total["refused"] == 0 and total["quarantined"] == 0,
               "the law holds; nothing lost, refused or quarantined")
        self.judge_tiers(expect, seen, total)
        law = " + ".join(f"{total[key]:,} {key}" for key in
                         ("delivered", "parked", "quarantined", "in_journal", "in_memory", "refused", "lost"))
        print(f"\naccepted {total['accepted']:,} == {law}")
        print(f"lost {total['lost']}" if not failures else f"FAILED: {len(failures)} expectations")
        return not failures

    def judge_tiers(self, expect, seen, total):
        expect(total["accepted"] == total["delivered"], f"delivered {total['delivered']:,} of {total['accepted']:,}")

    def end(self):
        for child in reversed(self.children):
            if child.process.poll() is None:
                child.stop(5)
        if self.peer:
            self.peer.stop()


def main(kind, description):
    """Runs a Demo, or a kind of it, from the command line."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", help="where the programs are (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=42, help="how long the load lasts (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=100, help="orders per second (default: %(default)s)")
    parser.add_argument("--sink", action="store_true", help="use `arca sink` even when the real Collector is there")
    parser.add_argument("--keep", action="store_true", help="keep the temporary directory")
    arguments = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="arca-demo-"))
    demo, good = None, False
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the cleaning below happens
    try:
        demo = kind(arguments, directory)
        demo.start()
        demo.run()
        good = demo.judge()
    except DemoFailure as failure:
        print(f"\n{Path(sys.argv[0]).name}: {failure}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"\n{Path(sys.argv[0]).name}: interrupted", file=sys.stderr)
    finally:
        if demo:
            demo.end()
        if good and not arguments.keep:
            shutil.rmtree(directory, ignore_errors=True)
        else:
            print(f"logs, state and the Collector's file are kept in {directory}", file=sys.stderr)
    return 0 if good else 1

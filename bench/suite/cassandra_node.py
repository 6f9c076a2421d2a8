"""A real Cassandra for the benchmarks (tools/cassandra), the Go peer, and the Collector. Used by run_cassandra.py."""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import harness

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Node:
    """One node, whose data is removed at the end. Every measurement has a keyspace of its own in it."""

    def __init__(self, heap_mb):
        self.directory = tempfile.mkdtemp(prefix="arca-bench-cassandra-")
        self.tool = os.path.join(ROOT, "tools", "cassandra")
        done = subprocess.run([self.tool, "start", "1", "--dir", self.directory, "--heap", str(heap_mb)],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"no Cassandra: {done.stderr}")
        self.state = json.loads(done.stdout)
        self.address, self.port, self.pid = self.state["contact_points"][0], self.state["port"], self.state["pids"][0]
        self.keyspaces = 0

    def fresh_keyspace(self):
        self.keyspaces += 1
        return f"bench_{self.keyspaces}"

    def variables(self, keyspace, **more):
        """What an Arca process is told. It parks and does nothing else, unless `more` says so."""
        told = {"CONTACT_POINTS": f"{self.address}:{self.port}", "KEYSPACE": keyspace, "REPLICATION_FACTOR": "1",
                "RECOVERY": "false", "ROWS": "false", **more}
        return {f"ARCA_CASSANDRA_{name}": value for name, value in told.items()}

    def rows(self, statement):
        done = subprocess.run([self.tool, "cql", "--dir", self.directory, statement], capture_output=True, text=True,
                              check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def count_spans(self, keyspace):
        """Of traces_overflow, page by page through a client that shares no line with ours."""
        done = subprocess.run([self.state["python"], os.path.join(ROOT, "bench", "suite", "count_rows.py"), self.address,
                               str(self.port), keyspace], capture_output=True, text=True, check=True)
        return int(done.stdout)

    def bytes_on_disk(self, keyspace, table):
        """Of the files of a table, once everything in memory and in the commit log is in them."""
        subprocess.run([self.tool, "nodetool", "--dir", self.directory, "1", "flush", keyspace, table], capture_output=True,
                       check=True)
        found = 0
        for path, _, files in os.walk(self.directory):
            if f"/{keyspace}/{table}-" in path + "/":
                found += sum(os.path.getsize(os.path.join(path, name)) for name in files)
        return found

    def drop(self, keyspace):
        self.rows(f"DROP KEYSPACE IF EXISTS {keyspace}")
        for path, names, _ in os.walk(self.directory):  # with its snapshot
            if os.path.basename(path) == keyspace:
                shutil.rmtree(path, ignore_errors=True)
                names.clear()

    def cpu_seconds(self):
        return harness.cpu_seconds_of(self.pid)

    def close(self):
        subprocess.run([self.tool, "stop", "--dir", self.directory, "--remove"], capture_output=True, check=False)
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def go_peer(node, mode, seconds, keyspace="go_peer", text_format="json"):
    command = [os.path.join(ROOT, ".cache", "peers", "peer"), "--addresses", node.address, "--port", str(node.port),
               "--keyspace", keyspace, "--mode", mode, "--seconds", str(seconds), "--format", text_format]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed with {done.returncode}:\n{done.stderr}")
    result = harness.last_json(done.stdout)
    result["per_s"] = result["delivered"] / (result["wall_s"] + result["drain_s"])
    result["cpu_s_per_M"] = result["cpu_s"] / max(1, result["delivered"]) * 1e6
    return result


COLLECTOR = """
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{port}"}}}}}}}}
exporters: {{nop: {{}}}}
service:
  telemetry: {{metrics: {{level: none}}, logs: {{level: warn}}}}
  pipelines: {{traces: {{receivers: [otlp], exporters: [nop]}}}}
"""


class Collector:
    """The real one, which takes and forgets."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="arca-bench-collector-")
        port = free_port()
        self.grpc = f"127.0.0.1:{port}"
        path = os.path.join(self.directory, "collector.yaml")
        with open(path, "w", encoding="ascii") as file:
            file.write(COLLECTOR.format(port=port))
        program = os.path.join(ROOT, ".cache", "collector", "otelcol-arca")
        with open(os.path.join(self.directory, "collector.log"), "wb") as log:
            self.process = subprocess.Popen([program, "--config", path], stdout=log, stderr=log)
        until = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    sys.exit("the Collector does not start: tools/setup builds it")
                time.sleep(0.02)

    def cpu_seconds(self):
        return harness.cpu_seconds_of(self.process.pid)

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=30)
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

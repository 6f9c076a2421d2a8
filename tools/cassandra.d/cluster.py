"""A test cluster of one or three nodes on loopback, and everything about it in one directory: state.json (what it is),
node1 to node3, tls. Commands find it by that directory."""
import contextlib
import fcntl
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import sys
import tempfile

import install
import processes
import tls
from node import STORAGE_PORT, SUPERUSER, Node

CQL_PORT = 9042
START_SECONDS = 240  # a limit for a machine that is busy with other tests, not an expectation
STOP_SECONDS = 40


class Failed(Exception):
    pass


class Cluster:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory).resolve()
        self.state_file = self.directory / "state.json"
        self.watcher_file = self.directory / "watcher.pid"
        try:
            self.options = json.loads(self.state_file.read_text())
        except OSError:
            raise Failed(f"{self.directory}: no cluster here (no state.json); `tools/cassandra start` makes one") from None
        self.nodes = [Node(self.directory, number, self.options)
                      for number in range(1, len(self.options["addresses"]) + 1)]

    @staticmethod
    def create(directory, size, options, base_address=None):
        """Writes the state of a new cluster; starts nothing."""
        directory = pathlib.Path(directory or tempfile.mkdtemp(prefix="arca-cassandra-")).resolve()
        if (directory / "state.json").exists():
            raise Failed(f"{directory}: there is a cluster already; `tools/cassandra restart` or another --dir")
        own = not directory.exists() or not any(directory.iterdir())
        directory.mkdir(parents=True, exist_ok=True)
        addresses = _free_addresses(size, options["port"], base_address)
        state = {**options, "directory": str(directory), "own_directory": own, "addresses": addresses,
                 "jmx_ports": _free_ports(size), "login": SUPERUSER}
        if options["tls"]:
            tls.make(directory / "tls", addresses)
        _write(directory / "state.json", state)
        return Cluster(directory)

    @staticmethod
    def shared(owner_pid, size, options):
        """The one cluster that all commands with this owner share: joined when it is there, else created. What others
        killed, start() starts again."""
        owner = _existing(owner_pid)
        directory = pathlib.Path(tempfile.gettempdir()) / f"arca-cassandra-of-{owner.pid}-{owner.start_time}"
        try:
            return Cluster(directory)
        except Failed:
            return Cluster.create(directory, size, options)

    @contextlib.contextmanager
    def changing(self):
        """One command at a time changes which nodes run."""
        with open(self.directory / "lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def node(self, number):
        if not 1 <= number <= len(self.nodes):
            raise Failed(f"there is no node {number}: the cluster has {len(self.nodes)}")
        return self.nodes[number - 1]

    def start(self, nodes=None):
        """Launches those of the nodes (all) that do not run, and waits until all that run serve and see each other."""
        for node in nodes or self.nodes:
            if node.state == "gone":
                node.launch()
        self.wait_until_serving(nodes or self.nodes)

    def wait_until_serving(self, launched):
        """A running node that was not launched may end meanwhile: then it no longer counts."""
        reasons = {}

        def ready():
            running = [node for node in self.nodes if node.state == "running"]
            for node in launched:
                if node.state == "gone":
                    raise Failed(f"node {node.number} ended while it started; the end of its log:\n{node.log_tail()}")
            reasons.clear()
            for node in running:
                reason = node.reason_not_to_serve(len(running))
                if reason:
                    reasons[node] = reason
                    return False
            return True

        if not processes.wait_for(ready, START_SECONDS, 0.05):
            node, reason = next(iter(reasons.items()))
            raise Failed(f"node {node.number} does not serve after {START_SECONDS} s ({reason}); the end of its log:\n"
                         f"{node.log_tail()}")

    def stop(self, nodes=None, polite=True):
        if not processes.end([node.identity for node in nodes or self.nodes], STOP_SECONDS if polite else 0):
            raise Failed("a node is still there after SIGKILL")

    def watch(self, owner_pid):
        """All of it ends when that process is gone."""
        owner = _existing(owner_pid)
        if processes.state_of(processes.identity_in(self.watcher_file)) != "gone":
            return
        processes.start([sys.executable, install.HERE / "watcher.py", self.directory, owner.pid, owner.start_time],
                        self.watcher_file, self.directory / "watcher.log", self.directory)

    def stop_watching(self):
        processes.send(processes.identity_in(self.watcher_file), signal.SIGKILL)

    def discard(self):
        """After a start that failed: nothing of it stays, but a directory that the caller named."""
        self.stop(polite=False)
        self.stop_watching()
        if self.options["own_directory"]:
            self.remove()

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def description(self):
        options = self.options
        described = {
            "directory": str(self.directory), "contact_points": options["addresses"], "port": options["port"],
            "pids": [node.identity.pid if node.identity else None for node in self.nodes],
            "jmx_ports": options["jmx_ports"], "auth": options["auth"], "tls": options["tls"],
            "client_auth": options["client_auth"], "state_file": str(self.state_file),
            "python": str(install.PYTHON), "client": str(install.HERE / "client.py"),
        }
        if options["auth"]:
            described |= {"user": SUPERUSER[0], "password": SUPERUSER[1]}
        if options["tls"]:
            described["certificates"] = str(self.directory / "tls")
        return described


@contextlib.contextmanager
def one_start_at_a_time():
    """Between all commands of a checkout. The lock is on a directory that is always there: no file of it stays behind."""
    descriptor = os.open(install.HERE, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _existing(pid):
    identity = processes.identity_of(pid)
    if identity is None:
        raise Failed(f"--owner {pid}: there is no such process")
    return identity


def _write(path, value):
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(value, indent=1) + "\n")
    fresh.replace(path)


def _is_free(address, port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            return True
        except OSError:
            return False


def _free_addresses(size, port, base_address):
    """Linux answers on all of 127/8, so that every cluster has addresses, not ports, of its own."""
    for _ in range(1000):
        base = base_address or f"127.{random.randint(64, 126)}.{random.randint(1, 254)}.1"
        head, _, last = base.rpartition(".")
        addresses = [f"{head}.{int(last) + index}" for index in range(size)]
        if all(_is_free(one, number) for one in addresses for number in (port, STORAGE_PORT)):
            return addresses
        if base_address:
            raise Failed(f"{base_address}: port {port} or {STORAGE_PORT} is taken there")
    raise Failed("no free loopback address found")


def _free_ports(count):
    """Below the range from which the kernel takes the ports of clients."""
    found = []
    while len(found) < count:
        port = random.randint(12000, 31999)
        if port not in found and _is_free("127.0.0.1", port):
            found.append(port)
    return found

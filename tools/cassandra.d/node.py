"""One node of a test cluster: its configuration, its JVM and the directory in which both live."""
import json
import signal

import install
import probe
import processes

# What Cassandra 5.0 asks of Java 17, as its own start script passes it.
_EXPORTS = """java.base/jdk.internal.misc java.management.rmi/com.sun.jmx.remote.internal.rmi
java.management/com.sun.jmx.remote.security java.rmi/sun.rmi.registry java.rmi/sun.rmi.server java.sql/java.sql
java.base/java.lang.ref jdk.unsupported/sun.misc""".split()
_OPENS = """java.base/java.lang.module java.base/jdk.internal.loader java.base/jdk.internal.ref
java.base/jdk.internal.reflect java.base/jdk.internal.math java.base/jdk.internal.module java.base/jdk.internal.util.jar
jdk.management/com.sun.management.internal java.base/sun.nio.ch java.base/java.io java.base/java.lang.reflect
java.base/java.lang java.base/java.util java.base/java.nio""".split()

STORAGE_PORT = 7000
SUPERUSER = ("cassandra", "cassandra")


def module_flags():
    return ([flag for one in _EXPORTS for flag in ("--add-exports", one + "=ALL-UNNAMED")]
            + [flag for one in _OPENS for flag in ("--add-opens", one + "=ALL-UNNAMED")])


class Node:
    """`options` are those of the cluster (see cluster.py); numbers begin with 1."""

    def __init__(self, directory, number, options):
        self.number, self.options = number, options
        self.directory = directory / f"node{number}"
        self.authority = directory / "tls"
        self.address = options["addresses"][number - 1]
        self.pid_file = self.directory / "node.pid"
        self.log_file = self.directory / "node.log"

    # --- the process

    @property
    def identity(self):
        return processes.identity_in(self.pid_file)

    @property
    def state(self):
        return processes.state_of(self.identity)

    def launch(self):
        for name in ("tmp", "data"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        (self.directory / "cassandra.yaml").write_text(self._yaml())
        process = processes.start(self._command(), self.pid_file, self.log_file, self.directory)
        # Known by its own file from now on; until that is written, a waiting command would think that it has died.
        processes.wait_for(lambda: self.identity or process.poll() is not None, 10)

    def send(self, number):
        return processes.send(self.identity, number)

    def pause(self):
        """Every thread of it has stopped when this returns."""
        self.send(signal.SIGSTOP)
        return processes.wait_for(lambda: processes.has_stopped(self.identity), 10)

    def resume(self):
        self.send(signal.SIGCONT)
        return processes.wait_for(lambda: self.state == "running", 10)

    def log_tail(self, lines=30):
        try:
            return "\n".join(line[:300] for line in self.log_file.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return "(no log)"

    # --- what it answers

    def ask(self, statement, consistency=1, timeout=2.0):
        tls = None
        if self.options["tls"]:
            client = [str(self.authority / name) for name in ("client.pem", "client.key")]
            tls = (str(self.authority / "ca.pem"), *(client if self.options["client_auth"] else (None, None)))
        probe.select(self.address, self.options["port"], statement, consistency,
                     SUPERUSER if self.options["auth"] else None, tls, timeout)

    def reason_not_to_serve(self, running):
        """None when it serves, and sees as many nodes as run: in a cluster of three, a keyspace with three replicas is
        read, and that many of them have to answer."""
        try:
            if len(self.options["addresses"]) == 1:
                self.ask("SELECT key FROM system.local")
            else:
                self.ask("SELECT status FROM system_distributed.view_build_status "
                         "WHERE keyspace_name = 'a' AND view_name = 'b'", running)
            return None
        except probe.NotServing as error:
            return str(error)

    # --- how it is started

    def _command(self):
        options, directory = self.options, self.directory
        size, heap = len(options["addresses"]), options["heap"]
        properties = {
            "cassandra.config": (directory / "cassandra.yaml").as_uri(),
            "cassandra.storagedir": directory / "data",
            "cassandra.logdir": directory,
            "logback.configurationFile": install.HERE / "logback.xml",
            "cassandra-foreground": "yes",
            "cassandra.jmx.local.port": options["jmx_ports"][self.number - 1],
            "cassandra.skip_wait_for_gossip_to_settle": 0,  # our own look at all nodes comes afterwards
            "cassandra.ring_delay_ms": 1000,
            "cassandra.load_ring_state": "false",
            "cassandra.superuser_setup_delay_ms": 0,
            "cassandra.system_auth.default_rf": size,  # or nobody could log in without the node that has the roles
            "cassandra.available_processors": 2,
            "cassandra.shutdown_announce_in_ms": 100,
            "java.io.tmpdir": directory / "tmp",
            "jna.tmpdir": directory / "tmp",
            "java.rmi.server.hostname": "127.0.0.1",
            "java.net.preferIPv4Stack": "true",
            "java.awt.headless": "true",
            "jdk.attach.allowAttachSelf": "true",
            "io.netty.tryReflectionSetAccessible": "true",
            "io.netty.allocator.useCacheForAllThreads": "true",
            "io.netty.allocator.maxOrder": 11,
        }
        return [install.java(), *module_flags(), *install.archive_flags(options.get("archive_to")),
                f"-javaagent:{install.agent()}",
                f"-Xms{heap // 4}m", f"-Xmx{heap}m", f"-XX:MaxDirectMemorySize={heap}m", "-Xss256k", "-XX:+UseG1GC",
                "-XX:G1HeapRegionSize=4m", "-XX:ActiveProcessorCount=2", "-XX:+PerfDisableSharedMem",
                "-XX:+ExitOnOutOfMemoryError",
                # Without the optimising compiler a node starts in half the time, and serves tests as well.
                *([] if options["full_speed"] else ["-XX:TieredStopAtLevel=1"]),
                *(f"-D{key}={value}" for key, value in properties.items()),
                "-cp", install.class_path(), "org.apache.cassandra.service.CassandraDaemon"]

    def _commit_log_sync(self):
        """Periodic, the default, replays after a kill only up to its last sync marker, written every 100 ms
        (CASSANDRA-13987): what a test was told is kept must not be lost with one node, so tests wait for the sync."""
        if self.options["full_speed"]:
            return {"commitlog_sync": "periodic", "commitlog_sync_period": "10s"}
        return {"commitlog_sync": "batch"}

    def _yaml(self):
        """JSON is YAML too, and quotes by itself."""
        options, data = self.options, self.directory / "data"
        size = len(options["addresses"])
        settings = {
            "cluster_name": "arca-test",
            "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
            "endpoint_snitch": "SimpleSnitch",
            "num_tokens": 1,
            "initial_token": str(-2**63 + (self.number - 1) * 2**64 // size),
            "auto_bootstrap": False,
            "seed_provider": [{"class_name": "org.apache.cassandra.locator.SimpleSeedProvider",
                               "parameters": [{"seeds": ",".join(options["addresses"])}]}],
            "listen_address": self.address, "rpc_address": self.address,
            "storage_port": STORAGE_PORT, "native_transport_port": options["port"], "start_native_transport": True,
            "data_file_directories": [str(data / "data")],
            "commitlog_directory": str(data / "commitlog"), "saved_caches_directory": str(data / "saved_caches"),
            "hints_directory": str(data / "hints"), "cdc_raw_directory": str(data / "cdc_raw"),
            **self._commit_log_sync(), "commitlog_segment_size": "32MiB",
            "commitlog_disk_access_mode": "mmap", "commitlog_total_space": "1GiB",
            "memtable_allocation_type": "offheap_objects",
            "memtable": {"configurations": {"skiplist": {"class_name": "SkipListMemtable"},
                                            "trie": {"class_name": "TrieMemtable"}, "default": {"inherits": "trie"}}},
            "sstable": {"selected_format": "bti"}, "storage_compatibility_mode": "NONE", "auto_snapshot": False,
            "concurrent_reads": 8, "concurrent_writes": 16, "concurrent_compactors": 1, "memtable_flush_writers": 1,
            "native_transport_max_threads": 32, "key_cache_size": "0MiB", "write_request_timeout": "10000ms",
            "paxos_variant": "v2", "phi_convict_threshold": 12,
        }
        if options["auth"]:
            settings |= {"authenticator": "PasswordAuthenticator", "authorizer": "CassandraAuthorizer",
                         "role_manager": "CassandraRoleManager"}
        if options["tls"]:
            settings["client_encryption_options"] = {
                "enabled": True, "optional": False, "require_client_auth": options["client_auth"],
                "ssl_context_factory": {"class_name": "org.apache.cassandra.security.PEMBasedSslContextFactory"},
                "keystore": str(self.authority / f"{options['node_certificate']}{self.number}.chain"),
                "truststore": str(self.authority / "ca.pem")}
        return json.dumps(settings, indent=1) + "\n"

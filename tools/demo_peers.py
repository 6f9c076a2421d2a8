"""The two peers of run_demo: the real Collector with a file exporter, or `arca sink` where the Collector is missing. Both can
be lost and come back, and both keep what they took, which is read here record by record."""
import json
import socket
import subprocess
import time
import urllib.request
from collections import namedtuple

Span = namedtuple("Span", "span_id name request end")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Records:
    """What a peer took, each span and log record once."""

    def __init__(self):
        self.by_id = {}
        self.span_count = self.log_count = self.point_count = 0
        self.log_requests, self.log_bodies = set(), set()

    def add_span(self, span):
        self.span_count += 1
        self.by_id[span.span_id] = span

    def add_log(self, body, request):
        self.log_count += 1
        self.log_bodies.add(body)
        if request:
            self.log_requests.add(request)

    @property
    def spans(self):
        return self.by_id.values()

    @property
    def unique_spans(self):
        return len(self.by_id)

    def ended_between(self, window):
        begin, end = window
        return sum(1 for span in self.spans if begin <= span.end < (end or begin))


class RealCollector:
    title = "the OpenTelemetry Collector"
    loss = "Collector killed with SIGKILL"

    def __init__(self, program, directory):
        self.port = free_port()
        self.program, self.directory = program, directory
        self.output = directory / "collector.json"
        self.config = directory / "collector.yaml"
        # With "rotation" the file exporter writes without a buffer: what it acknowledged survives its end.
        self.config.write_text(
            f"receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:{self.port}'}}}}}}}}\n"
            f"exporters: {{file: {{path: '{self.output}', rotation: {{max_megabytes: 1000000}}}}}}\n"
            "service:\n  telemetry: {metrics: {level: none}, logs: {level: warn}}\n  pipelines:\n"
            + "".join(f"    {one}: {{receivers: [otlp], exporters: [file]}}\n" for one in ("traces", "metrics", "logs")))
        self.read_bytes = 0
        self.seen = Records()
        self.process = None
        self.come_back()

    def come_back(self):
        if self.output.exists() and not self.output.read_bytes().endswith(b"\n"):
            with open(self.output, "ab") as file:  # a line torn by the kill was never acknowledged
                file.write(b"\n")
        with open(self.directory / "collector.out", "ab") as out:
            self.process = subprocess.Popen([self.program, "--config", self.config], stdout=out, stderr=out,
                                            stdin=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 15
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the Collector does not start: " + (self.directory / "collector.out").read_text())
                time.sleep(0.05)

    def lose(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(15)

    def records(self):
        """Reads what was added since the last call."""
        if not self.output.exists():
            return self.seen
        with open(self.output, "rb") as file:
            file.seek(self.read_bytes)
            fresh = file.read()
        complete = fresh.rfind(b"\n") + 1
        self.read_bytes += complete
        for line in fresh[:complete].splitlines():
            try:
                self._add(json.loads(line))
            except ValueError:
                continue  # torn by the kill
        return self.seen

    def ended_between(self, window):
        return self.records().ended_between(window)

    def _add(self, request):
        for resource in request.get("resourceSpans", []):
            for scope in resource.get("scopeSpans", []):
                for span in scope.get("spans", []):
                    self.seen.add_span(Span(span["traceId"] + span["spanId"], span["name"], _text(span, "shop.request.id"),
                                            int(span["endTimeUnixNano"])))
        for resource in request.get("resourceLogs", []):
            for scope in resource.get("scopeLogs", []):
                for record in scope.get("logRecords", []):
                    self.seen.add_log(record.get("body", {}).get("stringValue"), _text(record, "shop.request.id"))
        for resource in request.get("resourceMetrics", []):
            for scope in resource.get("scopeMetrics", []):
                for metric in scope.get("metrics", []):
                    for kind in ("sum", "gauge", "histogram", "exponentialHistogram", "summary"):
                        self.seen.point_count += len(metric.get(kind, {}).get("dataPoints", []))


def _text(record, key):
    for attribute in record.get("attributes", []):
        if attribute["key"] == key:
            return attribute["value"].get("stringValue")
    return None


class ArcaSink:
    title = "arca sink (the real Collector is not built; tools/setup says why)"
    loss = "the sink refuses: sockets closed, connections cut"

    def __init__(self, program, directory):
        self.directory, self.output = directory, directory / "sink.bin"
        ready = directory / "sink.ready"
        with open(directory / "sink.out", "ab") as out:
            self.process = subprocess.Popen(
                [program, "sink", "--grpc-port", "0", "--http-port", "0", "--control-port", "0", "--ready-file", ready,
                 "--write", self.output, "--write-max", "2GB"],
                stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 15
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("arca sink does not start: " + (directory / "sink.out").read_text())
            time.sleep(0.02)
        ports = dict(part.split("=") for part in ready.read_text().split()[1:])
        self.port = int(ports["grpc"].split(":")[1])
        self.control = ports["control"]
        self.read_bytes = 0
        self.seen = Records()

    def _behave(self, behaviour):
        body = json.dumps({"behave": behaviour}).encode()
        urllib.request.urlopen(urllib.request.Request(f"http://{self.control}/behave", body), timeout=5).read()

    def lose(self):
        self._behave("refuse")

    def come_back(self):
        self._behave("ok")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(15)

    def ended_between(self, window):
        return self.records().ended_between(window)

    def records(self):
        if not self.output.exists():
            return self.seen
        with open(self.output, "rb") as file:
            file.seek(self.read_bytes)
            fresh = file.read()
        at = 0
        while at + 5 <= len(fresh):
            size, kind = int.from_bytes(fresh[at:at + 4], "little"), fresh[at + 4]
            if at + 5 + size > len(fresh):
                break
            (self._add_traces, self._add_metrics, self._add_logs)[kind](fresh[at + 5:at + 5 + size])
            at += 5 + size
        self.read_bytes += at
        return self.seen

    def _add_traces(self, request):
        for resource in _fields(request, 1):
            for scope in _fields(resource, 2):
                for span in _fields(scope, 2):
                    only = dict(_walk(span))
                    self.seen.add_span(Span((only[1] + only[2]).hex(), only.get(5, b"").decode(),
                                            _attribute(_fields(span, 9)), only.get(8, 0)))

    def _add_logs(self, request):
        for resource in _fields(request, 1):
            for scope in _fields(resource, 2):
                for record in _fields(scope, 2):
                    body = next((dict(_walk(value)).get(1, b"") for value in _fields(record, 5)), b"")
                    self.seen.add_log(body.decode(errors="replace") if isinstance(body, bytes) else None,
                                      _attribute(_fields(record, 6)))

    def _add_metrics(self, request):
        for resource in _fields(request, 1):
            for scope in _fields(resource, 2):
                for metric in _fields(scope, 2):
                    for number in (5, 7, 9, 10, 11):  # gauge, sum, histogram, exponential histogram, summary
                        for data in _fields(metric, number):
                            self.seen.point_count += sum(1 for _ in _fields(data, 1))


def _walk(message):
    """The fields of a protobuf message: number and value."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    while at < len(message):
        tag = varint()
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            yield number, varint()
        elif wire == 2:
            size = varint()
            yield number, message[at:at + size]
            at += size
        else:
            size = 8 if wire == 1 else 4
            yield number, int.from_bytes(message[at:at + size], "little")
            at += size


def _fields(message, wanted):
    return [value for number, value in _walk(message) if number == wanted]


def _attribute(pairs):
    for pair in pairs:
        only = dict(_walk(pair))
        if only.get(1) == b"shop.request.id":
            return dict(_walk(only[2])).get(1, b"").decode()
    return None

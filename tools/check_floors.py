#!/usr/bin/env python3
"""The table of the floors as code (docs/architecture.md): who may include whom, and where each library may be seen.

usage: tools/check_floors.py [ROOT]

Reads every #include in include/, src/, examples/ and checks it. A message names file, line, offender and the cure.
Exit code 1 when anything is wrong.
"""
import pathlib
import re
import sys

# A floor sees itself, the floors named here, and the public headers.
FLOORS = {
    "base": set(),
    "os": {"base"},
    "model": {"base"},
    "otlp": {"base", "model"},
    "journal": {"base", "os", "model"},
    "net": {"base", "os", "model"},
    "flow": {"base", "os", "model", "journal"},
    "sinks": {"base", "os", "model", "otlp", "journal", "net"},
    "cassandra": {"base", "os", "model", "otlp", "net"},
    "telemetry": {"base", "os", "model", "otlp", "journal", "net", "flow", "sinks", "cassandra"},
    "cli": {"base", "os", "model", "otlp", "journal", "net", "flow", "sinks", "cassandra", "telemetry"},
}

# Where the headers of a library may be seen. The first pattern that matches decides.
LIBRARIES = [
    (r"grpc(pp|\+\+)?/", "the gRPC library", set()),
    (r"nghttp2/", "nghttp2", {"src/cli/sink/"}),
    (r"curl/", "libcurl", {"src/net/"}),
    (r"arca_cql\.h", "the interface of the Cassandra driver", {"src/cassandra/cql_library"}),
    (r"openssl/", "OpenSSL", {"src/net/"}),
    (r"isa-l(/|\.h)", "ISA-L", {"src/net/", "src/cli/sink/"}),
    (r"(zlib\.h|zstd\.h)", "zlib or zstd", {"src/net/", "src/cli/sink/"}),
    (r"opentelemetry/(proto|exporters)/", "the protobuf classes or stock exporters", set()),
    (r"google/protobuf/", "protobuf", set()),
    (r"opentelemetry/sdk/", "the OpenTelemetry SDK", {"src/telemetry/", "src/cli/", "examples/", "include/arca/cassandra_exporter"}),
    (r"opentelemetry/", "the OpenTelemetry API", {"src/telemetry/", "src/cli/", "examples/", "include/arca/"}),
    (r"yaml-cpp/", "yaml-cpp", {"src/telemetry/", "src/cli/"}),
    (r"(CLI/|httplib\.h|nlohmann/)", "CLI11, cpp-httplib or nlohmann-json", {"src/cli/", "examples/"}),
    (r"tl/", "tl::expected", {"include/arca/", "src/"}),
    (r"(fmt|xxhash)", "fmt or xxhash", {"src/"}),
    (r"spdlog/", "spdlog", {"src/cli/", "examples/"}),
]

# Headers of the language, POSIX and Linux have no dot, end in .h, or lie in these folders.
SYSTEM = re.compile(r"^([a-z_0-9]+(\.h)?|(sys|netinet|arpa|linux|net)/[a-z_0-9]+\.h)$")
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')


def library_problem(path, header):
    for pattern, name, rooms in LIBRARIES:
        if re.match(pattern, header):
            if any(path.startswith(room) for room in rooms):
                return None
            allowed = ", ".join(sorted(rooms)) or "tests/ and bench/"
            return f"{name} may be seen only in {allowed}: put a seam there and include that instead"
    if SYSTEM.match(header):
        return None
    return "unknown library: add it to LIBRARIES in tools/check_floors.py with the rooms that may see it"


def own_problem(path, header, root):
    if header.startswith("arca/"):
        return None
    floor_used = header.split("/")[0]
    if path.startswith("include/"):
        return "a public header may include only public headers: move what it needs to include/arca/ or hide it in src/"
    if path.startswith("examples/"):
        if (root / path).parent.joinpath(header).exists() or header.startswith("shop/"):
            return None
        return "an example is a user: it may include only arca/ headers and its own"
    floor = path.split("/")[1]
    if floor_used == floor:
        return None
    if floor_used not in FLOORS:
        return 'write the path from src/ or include/, for example "model/chunk.hpp"'
    if floor_used not in FLOORS[floor]:
        return (f"floor {floor} may use only {', '.join(sorted(FLOORS[floor])) or 'nothing below it'}: move the code up, "
                f"or pass what is needed as an argument or through a seam of a lower floor")
    return None


def check_file(root, path):
    problems = []
    text = (root / path).read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        bracket, header = match.groups()
        is_library = any(re.match(pattern, header) for pattern, _, _ in LIBRARIES)
        if (bracket == '"' and not is_library) or header.startswith("arca/"):
            problem = own_problem(path, header, root)
        else:
            problem = library_problem(path, header)
        if problem:
            problems.append(f"{path}:{number}: includes {header}: {problem}")
    return problems


def sources(root):
    for folder in ("include", "src", "examples"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".hpp", ".cpp", ".h", ".c", ".cc"):
                yield path.relative_to(root).as_posix()


def misplaced(root):
    problems = []
    for path in sources(root):
        parts = path.split("/")
        if parts[0] == "include" and (parts[1] != "arca" or not path.endswith(".hpp")):
            problems.append(f"{path}: only headers (*.hpp) in include/arca/ belong here: move it to src/")
        if parts[0] == "src" and parts[1] not in FLOORS:
            problems.append(f"{path}: no such floor; the floors are {', '.join(FLOORS)}: move it, or extend FLOORS")
    return problems


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent).resolve()
    problems = misplaced(root)
    count = 0
    for path in sources(root):
        count += 1
        if not any(problem.startswith(path + ":") for problem in problems):
            problems += check_file(root, path)
    for problem in problems:
        print(problem)
    print(f"floors: {count} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""clang-tidy over the sources of src/, in parallel, with the compile commands of the clang preset.

usage: tools/check_clang_tidy.py [--all | --changed | --share N | FILE...]

--all       every source in src/ (default)
--changed   those that differ from the last commit, or include a header that does
--share N   those that the last commit changed, and one N-th of the others, another one after each commit

A file whose text and headers are the same as when it last passed, format aside, is not looked at again
(build/clang/tidy/).
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "clang"
INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([a-z_]+/[^">]+)[">]', re.M)


def own_headers(source, seen):
    """The project's headers that a file includes, directly or not."""
    for header in INCLUDE.findall(source.read_text(encoding="utf-8")):
        for folder in ("src", "include"):
            path = ROOT / folder / header
            if path.exists() and path not in seen:
                seen.add(path)
                own_headers(path, seen)
    return seen


def essence(path):
    """The text without what tools/format may change (spaces, the order of includes, the flow of comments), so that a new
    format is not a new run."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    includes = sorted(line for line in lines if line.startswith("#include"))
    code = [line for line in lines if not line.startswith("#include") and (not line.startswith("//") or "NOLINT" in line)]
    return "\n".join(includes) + re.sub(r"\s+", "", "".join(code))


def fingerprint(source):
    digest = hashlib.sha256((ROOT / ".clang-tidy").read_bytes())
    for path in [source, *sorted(own_headers(source, set()))]:
        digest.update(essence(path).encode())
    return digest.hexdigest()


def git(*arguments):
    return subprocess.run(["git", "-C", str(ROOT), *arguments], check=True, capture_output=True, text=True).stdout


def changed_files():
    return {ROOT / line[3:].split(" -> ")[-1] for line in git("status", "--porcelain").splitlines()}


def share(every, parts):
    commit = git("rev-parse", "HEAD").strip()
    changed = {ROOT / name for name in git("show", "--format=", "--name-only", "HEAD").splitlines()}
    turn = int(commit[:8], 16) % parts
    return [path for index, path in enumerate(every) if index % parts == turn or path in changed]


def sources(arguments):
    known = {pathlib.Path(entry["file"]) for entry in json.loads((BUILD / "compile_commands.json").read_text())}
    every = sorted(path for path in known if (ROOT / "src") in path.parents and path.exists())
    if arguments == ["--changed"]:
        changed = changed_files()
        return [path for path in every if path in changed or changed & own_headers(path, set())]
    if arguments[:1] == ["--share"]:
        return share(every, int(arguments[1]))
    if arguments and arguments != ["--all"]:
        return [pathlib.Path(name).resolve() for name in arguments]
    return every


def check(source):
    passed = BUILD / "tidy" / source.relative_to(ROOT).as_posix().replace("/", "__")
    wanted = fingerprint(source)
    if passed.exists() and passed.read_text() == wanted:
        return source, True, ""
    run = subprocess.run(["clang-tidy", "--quiet", "-p", str(BUILD), str(source)], capture_output=True, text=True)
    if run.returncode == 0:
        passed.write_text(wanted)
    return source, run.returncode == 0, run.stdout


def main():
    subprocess.run(["cmake", "--preset", "clang"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    (BUILD / "tidy").mkdir(exist_ok=True)
    files = sources(sys.argv[1:])
    failures = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for source, good, output in pool.map(check, files):
            if not good:
                failures += 1
                print(f"{source.relative_to(ROOT)}:\n{output}", flush=True)
    print(f"clang-tidy: {len(files)} files, {failures} with findings")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

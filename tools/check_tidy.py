#!/usr/bin/env python3
"""Tidiness as a test: sizes of files and functions, words that must not appear, links that lead nowhere.

usage: tools/check_tidy.py [ROOT]

Checks the files that git knows (or would add) below ROOT. A message names file, line, offender and the cure. Exit
code 1 when anything is wrong.
"""
import pathlib
import re
import subprocess
import sys

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
CODE = {".hpp", ".cpp", ".h", ".c", ".go", ".rs"}
TEXT = CODE | {".md", ".cmake", ".txt", ".py", ".sh", ".json", ".yaml", ".yml", ".in", ""}
# Written in pieces, so that this file does not contain what it forbids.
MARKERS = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
FORBIDDEN = [
    (re.compile(r"/(work|home|root|Users)/[a-z]"), "a path of one machine: use a path relative to the project"),
    (re.compile(r"\b(proxy\.golang|sum\.golang|registry\.npmjs|pypi\.org|crates\.io|repo1?\.maven)", re.I),
     "a registry host name: name the package, not where it comes from"),
    (re.compile(r"\b(DISABLED_[A-Z]\w+|GTEST_SKIP)\b"),
     "a test that does not run: mend it, or fail and say what is missing"),
]
GETENV = re.compile(r"\b(secure_)?getenv\s*\(")
# Whoever writes these as documents or data may be as long as it takes.
LONG_ALLOWED = {"LICENSE", "CHANGELOG.md", "tools/collector/go.sum", "tools/collector/go.mod"}
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
STANDARD_ONLY = re.compile(r"^\s*#\s*include\s+<(bits/|experimental/|stdio\.h|stdlib\.h|string\.h|stdint\.h|assert\.h|math\.h"
                           r"|limits\.h|stddef\.h|errno\.h)")  # <signal.h>, <time.h>: POSIX has more in them


def tracked(root):
    try:
        output = subprocess.run(["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard"],
                                check=True, capture_output=True, text=True).stdout
        names = output.splitlines()
    except (OSError, subprocess.CalledProcessError):
        names = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
    return sorted(name for name in names if (root / name).is_file())


def function_problems(name, lines):
    """Finds bodies by indentation, which clang-format guarantees: a line that opens a brace at column 0 or inside a
    class, closed by the first brace at the same column."""
    problems = []
    opened = {}
    for number, line in enumerate(lines, 1):
        indent = indent_of(line)
        stripped = line.strip()
        if stripped.startswith("}") and indent in opened:
            start, title = opened.pop(indent)
            if number - start > FUNCTION_LINES_MAX:
                problems.append(f"{name}:{start}: function of {number - start} lines ({title[:60]}): more than "
                                f"{FUNCTION_LINES_MAX} do not fit a screen; give its parts names of their own")
            for deeper in [key for key in opened if key > indent]:
                del opened[deeper]
        if stripped.endswith("{"):
            first, head = head_of(lines, number - 1)
            if indent_of(lines[first]) <= 2 and is_function_head(head):
                opened[indent_of(lines[first])] = (number, head)
    return problems


def indent_of(line):
    return len(line) - len(line.lstrip())


def head_of(lines, index):
    """The statement that ends in the brace on lines[index]: the index of its first line, and all of it joined."""
    first = index
    while first > 0 and lines[first - 1].strip() and lines[first - 1].strip()[-1] not in ";{}:":
        if lines[first - 1].lstrip().startswith(("//", "#")):
            break
        first -= 1
    return first, " ".join(line.strip() for line in lines[first:index + 1])


def is_function_head(head):
    if re.match(r"(inline )?namespace\b|extern \"C\"|(template\s*<.*>\s*)?(class|struct|enum|union)\b", head):
        return False
    return "(" in head and not re.match(r"(if|for|while|switch|do|else|try|catch)\b", head)


def line_problems(name, lines):
    problems = []
    is_code = pathlib.PurePosixPath(name).suffix in CODE
    for number, line in enumerate(lines, 1):
        where = f"{name}:{number}: "
        marker = MARKERS.search(line)
        if marker:
            problems.append(where + f"{marker.group(0)}: do it, or write it down where plans are kept")
        for pattern, cure in FORBIDDEN:
            found = pattern.search(line)
            if found and name not in ("tools/check_tidy.py", "tests/tools/checkers_test.py"):
                problems.append(where + f"{found.group(0)}: {cure}")
        if is_code and name.startswith(("src/", "include/")):
            if GETENV.search(line) and name != "src/os/environment.cpp" and not line.lstrip().startswith("//"):
                problems.append(where + "getenv: only src/os/environment.cpp asks; take an os::Environment instead")
        # driver/include: a header for C.
        if is_code and name.endswith(("pp", ".h")) and not name.startswith("driver/") and STANDARD_ONLY.match(line):
            problems.append(where + f"{line.strip()}: use the C++ header (<cstdint> for <stdint.h>, ...), no internal ones")
        if line != line.rstrip() and not name.endswith(".md"):
            problems.append(where + "space at the end of the line: remove it")
    return problems


def link_problems(root, name, text):
    problems = []
    for number, line in enumerate(text.splitlines(), 1):
        for target in LINK.findall(line):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            file = (root / name).parent / path if path else root / name
            if not file.exists():
                problems.append(f"{name}:{number}: link to {target}: there is no such file")
            elif anchor and file.suffix == ".md" and anchor not in anchors_of(file):
                problems.append(f"{name}:{number}: link to {target}: that page has no such heading")
    return problems


def anchors_of(file):
    result = set()
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            title = line.lstrip("#").strip().lower()
            result.add(re.sub(r"[^\w\- ]", "", title).replace(" ", "-"))
    return result


def check_file(root, name):
    path = root / name
    if path.suffix not in TEXT or name == "LICENSE":
        return []
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return []
    lines = text.splitlines()
    problems = [] if name.startswith(("tools/collector/go.", "fuzz/corpus/")) else line_problems(name, lines)
    if path.suffix in CODE and name not in LONG_ALLOWED:
        if len(lines) > FILE_LINES_MAX:
            problems.append(f"{name}:{len(lines)}: file of {len(lines)} lines: more than {FILE_LINES_MAX}; "
                            "is there more than one thing in it?")
        if path.suffix != ".go":
            problems += function_problems(name, lines)
        if path.suffix == ".hpp" and "#pragma once" not in lines:
            problems.append(f"{name}:1: no #pragma once: add it below the opening comment")
        if path.suffix == ".hpp" and not text.startswith("//"):
            problems.append(f"{name}:1: no opening comment: say what the header is and who uses it")
    if path.suffix == ".md":
        problems += link_problems(root, name, text)
    if text and not text.endswith("\n"):
        problems.append(f"{name}:{len(lines)}: no newline at the end: add it")
    return problems


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent).resolve()
    names = tracked(root)
    problems = [problem for name in names for problem in check_file(root, name)]
    for problem in problems:
        print(problem)
    print(f"tidy: {len(names)} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

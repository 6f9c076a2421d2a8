#!/usr/bin/env python3
"""The checkers find what they promise to find: each law plants one fault in a small tree of its own."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOLS = pathlib.Path(__file__).resolve().parent.parent.parent / "tools"


class Tree(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.directory.name)
        self.addCleanup(self.directory.cleanup)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run_tool(self, tool):
        run = subprocess.run([sys.executable, str(TOOLS / tool), str(self.root)], capture_output=True, text=True)
        return run.returncode, run.stdout

    def assert_finds(self, tool, *words):
        code, output = self.run_tool(tool)
        self.assertEqual(code, 1, output)
        for word in words:
            self.assertIn(word, output)

    def assert_content(self, tool):
        code, output = self.run_tool(tool)
        self.assertEqual(code, 0, output)


class Floors(Tree):
    def test_a_floor_may_use_itself_what_lies_below_and_public_headers(self):
        self.write("src/journal/a.cpp", '#include "journal/a.hpp"\n#include "os/clock.hpp"\n#include "arca/result.hpp"\n'
                   "#include <vector>\n#include <sys/mman.h>\n#include <fmt/format.h>\n")
        self.assert_content("check_floors.py")

    def test_upward_is_wrong(self):
        self.write("src/os/a.cpp", '\n#include "journal/pool.hpp"\n')
        self.assert_finds("check_floors.py", "src/os/a.cpp:2", "journal/pool.hpp", "floor os may use only base")

    def test_sideways_is_wrong(self):
        self.write("src/journal/a.cpp", '#include "otlp/wire_writer.hpp"\n')
        self.assert_finds("check_floors.py", "src/journal/a.cpp:1", "floor journal may use only")

    def test_a_library_outside_its_room_is_wrong(self):
        self.write("src/flow/a.cpp", "#include <curl/curl.h>\n")
        self.assert_finds("check_floors.py", "src/flow/a.cpp:1", "libcurl", "src/net/")

    def test_an_unknown_library_is_wrong(self):
        self.write("src/flow/a.cpp", "#include <boost/asio.hpp>\n")
        self.assert_finds("check_floors.py", "boost/asio.hpp", "unknown library")

    def test_a_public_header_may_not_include_an_internal_one(self):
        self.write("include/arca/a.hpp", '#include "model/chunk.hpp"\n')
        self.assert_finds("check_floors.py", "include/arca/a.hpp:1", "public headers")

    def test_a_source_file_in_the_public_folder_is_wrong(self):
        self.write("include/arca/a.cpp", "")
        self.assert_finds("check_floors.py", "include/arca/a.cpp", "move it to src/")

    def test_an_unknown_floor_is_wrong(self):
        self.write("src/attic/a.cpp", "")
        self.assert_finds("check_floors.py", "src/attic/a.cpp", "no such floor")


class Tidiness(Tree):
    def test_tidy_files_pass(self):
        self.write("src/os/a.hpp", "// What it is.\n#pragma once\n#include <cstdint>\n")
        self.write("docs/a.md", "# A page\n[itself](#a-page) and [code](../src/os/a.hpp)\n")
        self.assert_content("check_tidy.py")

    def test_a_long_file_is_found(self):
        self.write("src/os/a.cpp", "int a;\n" * 401)
        self.assert_finds("check_tidy.py", "src/os/a.cpp:401", "more than 400")

    def test_a_long_function_is_found(self):
        self.write("src/os/a.cpp", "namespace arca {\nint f(int a,\n      int b) {\n" + "  a += b;\n" * 70 + "}\n}\n")
        self.assert_finds("check_tidy.py", "src/os/a.cpp:3", "function of 71 lines")

    def test_a_long_method_is_found(self):
        self.write("src/os/a.hpp", "// A.\n#pragma once\nclass A {\n  void f() {\n" + "    g();\n" * 70 + "  }\n};\n")
        self.assert_finds("check_tidy.py", "src/os/a.hpp:4", "function of 71 lines")

    def test_getenv_outside_its_file_is_found(self):
        self.write("src/net/a.cpp", 'const char* a = std::getenv("A");\n')
        self.assert_finds("check_tidy.py", "src/net/a.cpp:1", "os::Environment")

    def test_a_marker_is_found(self):
        self.write("src/net/a.cpp", "// TO" + "DO: later\n")
        self.assert_finds("check_tidy.py", "src/net/a.cpp:1")

    def test_a_path_of_one_machine_is_found(self):
        self.write("docs/a.md", "See /" + "home/me/arca.\n")
        self.assert_finds("check_tidy.py", "docs/a.md:1", "path of one machine")

    def test_a_dead_link_is_found(self):
        self.write("docs/a.md", "[gone](gone.md)\n")
        self.assert_finds("check_tidy.py", "docs/a.md:1", "no such file")

    def test_a_link_to_a_missing_heading_is_found(self):
        self.write("docs/a.md", "# One\n[two](#two)\n")
        self.assert_finds("check_tidy.py", "docs/a.md:2", "no such heading")

    def test_a_skipped_test_is_found(self):
        self.write("tests/os/a_test.cpp", "TEST(A, B) { GTEST_" + "SKIP(); }\n")
        self.assert_finds("check_tidy.py", "tests/os/a_test.cpp:1", "does not run")

    def test_a_header_without_guard_is_found(self):
        self.write("src/os/a.hpp", "// What it is.\n")
        self.assert_finds("check_tidy.py", "no #pragma once")


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""The demonstration with Cassandra leaves nothing behind, and fails when one of its steps does."""
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import tempfile
import types
import unittest
from unittest import mock

TOOLS = pathlib.Path(__file__).resolve().parent.parent.parent / "tools"


def load(name):
    loader = importlib.machinery.SourceFileLoader(name, str(TOOLS / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


class CassandraDemo(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name)
        for program in ("arca", "examples/shop/shop-web", "examples/shop/shop-inventory", "examples/shop/shop-load"):
            path = self.root / program
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("#!/bin/sh\nexit 0\n")
            path.chmod(0o755)
        self.module = load("run_demo_cassandra")
        self.started = []
        with mock.patch.object(self.module.CassandraDemo, "cassandra", self.note):
            self.demo = self.module.CassandraDemo(types.SimpleNamespace(build=self.root), self.root)
        self.demo.peer = types.SimpleNamespace(port=4317)

    def note(self, *words):
        self.started.append(words)
        return json.dumps({"contact_points": ["127.0.0.1"]})

    def test_cassandra_ends_with_the_demonstration_however_that_ends(self):
        self.assertEqual(self.started, [("start", "1", "--owner", str(os.getpid()))])

    def test_a_query_that_fails_fails_the_demonstration(self):
        self.demo.query("services")
        self.demo.arca.write_text("#!/bin/sh\necho nothing was found >&2\nexit 7\n")
        with self.assertRaisesRegex(self.module.demo.DemoFailure, "ended with 7: nothing was found"):
            self.demo.query("services")


if __name__ == "__main__":
    unittest.main()

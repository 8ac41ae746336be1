"""What the determinism check finds in a contract's source, and what it leaves alone."""

import io
import textwrap

import pytest

from chaincode.shim import check_command
from chaincode.shim.determinism import findings, module_findings
from chaincode.shim.determinism.reached_modules import reached_sources
from chaincode.shim.errors import DefinitionError


def rules(source: str) -> list[str]:
    return [finding.rule for finding in findings(textwrap.dedent(source), "c.py")]


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        ("import time", "clock"),
        ("from time import time as now", "clock"),
        ("from zoneinfo import ZoneInfo", "clock"),
        ("import datetime as d\nd.datetime.now(d.UTC)", "clock"),
        ("from datetime import datetime\nclock = datetime.utcnow", "clock"),
        ("from datetime import date\ndate.today()", "clock"),
        ("from datetime import datetime\ndatetime.fromtimestamp(5)", "clock"),
        ("def f(t):\n    return t.astimezone()", "clock"),
        ("import random", "randomness"),
        ("def f():\n    from secrets import token_hex", "randomness"),
        ("from uuid import uuid4\nuuid4()", "randomness"),
        ("import numpy.random as r", "floats"),
        ("price = 0.5", "floats"),
        ("def f(a, b):\n    return a / b", "floats"),
        ("def f(a):\n    a /= 2", "floats"),
        ("def f(a):\n    return a ** -1", "floats"),
        ("x = float('1')", "floats"),
        ("from math import sqrt\nsqrt(4)", "floats"),
        ("import math\nmath.pi", "floats"),
        ("def f(t):\n    return t.timestamp()", "floats"),
        ("import os.path", "io"),
        ("from urllib.request import urlopen", "io"),
        ("from urllib import request", "io"),
        ("import logging", "io"),
        ("open('f')", "io"),
        ("def f(x):\n    print(x)", "io"),
        ("breakpoint()", "io"),
        ("import asyncio", "threads"),
        ("from concurrent.futures import ThreadPoolExecutor", "threads"),
        ("import sys", "environment"),
        ("eval('1')", "environment"),
        ("try:\n    f()\nexcept (ValueError, RecursionError):\n    pass", "environment"),
        ("def f(x):\n    return id(x)", "identity"),
        ("sorted([], key=hash)", "identity"),
        ("n = 0\ndef f():\n    global n\n    n += 1", "memory"),
        ("class C(Contract):\n    async def f(self):\n        self.count += 1", "memory"),
        ("class C:\n    def __del__(self):\n        pass", "memory"),
        ("def broken(:", "syntax"),
        ("x = '\0'", "syntax"),
        ("x = 1  # deterministic:", "syntax"),
        ("-" * 100_000 + "1", "syntax"),
    ],
)
def test_what_differs_between_peers_is_found(source, rule):
    found = findings(source, "c.py")
    assert [finding.rule for finding in found] == [rule], found
    assert found[0].filename == "c.py"
    assert found[0].line >= 1
    assert found[0].message


@pytest.mark.parametrize(
    "line",
    [
        "for x in words: f(x)",
        "[x for x in words]",
        "{x: 1 for x in words}",
        "list(words)",
        "tuple(words | other)",
        "','.join(words)",
        "','.join(x for x in words)",
        "words.pop()",
        "[*words]",
        "f(*words)",
        "a, b = words",
        "f'{words}'",
        "str(words)",
        "next(iter(words))",
        "sorted(words, key=len)",
        "max((w for w in words), key=len)",
        "result.extend(words)",
        "dict.fromkeys(words)",
        "for x in first.keys() & second: f(x)",
        "for x in (words or other): f(x)",
        "for x in self.tags: f(x)",
        "for x in tagged(): f(x)",
        "for x in CONSTANT: f(x)",
        "(lambda given: [x for x in words])(1)",
    ],
)
def test_the_order_of_a_set_is_found(line):
    source = f"""
from dataclasses import dataclass

@dataclass
class Record:
    tags: frozenset[str]

def tagged() -> set[str]: ...

def function(self, words: set[str], first, second):
    other = {{"a", "b"}}
    {line}

CONSTANT = frozenset(("a", "b"))
"""
    found = findings(source, "c.py")
    assert {finding.rule for finding in found} == {"set-order"}, found
    assert {finding.line for finding in found} == {12}


@pytest.mark.parametrize(
    "line",
    [
        "for x in sorted(words): f(x)",
        "found = 'a' in words",
        "n = len(words) + sum(w for w in words) + len({*words, *other})",
        "any(f(x) for x in words)",
        "{f(x) for x in words}",
        "(x,) = words",
        "words.add('a'); words.discard('b')",
        "words = sorted(words)\n    for x in words: f(x)",
        "for x in first.keys(): f(x)",
        "def inner(words: list[str]): return list(words)",
        "id = 3; return id",
        "def open(x): return x\n    open(1)",
        "return int(first.timestamp()) // 3",
        "return math.isqrt(first) + math.gcd(first, second)",
        "import urllib.parse; from urllib.parse import quote",
        "from datetime import UTC, datetime; datetime.fromtimestamp(1, tz=UTC)",
        "return 1 / 3  # deterministic: never called",
        "record.count = 1; self.total = 2",
        "text = '# deterministic:'",
        "nobody = uuid.uuid5(space, name)",
    ],
)
def test_what_is_the_same_everywhere_is_left_alone(line):
    source = f"""
import math
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import time

class Record:
    def __init__(self):
        self.total = 0

def function(self, words: set[str], first, second, record):
    other = {{"a", "b"}}
    {line}
"""
    assert findings(source, "c.py") == ()


def test_a_waiver_counts_for_its_line_only():
    assert rules("x = 0.5  # deterministic: a constant\ny = 0.5\n") == ["floats"]


def test_findings_come_by_line_and_read_like_a_compilers():
    found = findings("x = 0.5\nimport time\n", "market.py")
    assert [finding.line for finding in found] == [1, 2]
    assert str(found[1]).startswith("market.py:2:1: clock: `time`: the machine's clock")


def test_bytes_are_read_as_utf_8_and_nothing_else():
    assert findings("x = 'é'".encode(), "c.py") == ()
    assert findings(b"x = '\xe9'", "c.py")[0].rule == "syntax"
    assert findings("#" * 2_000_000, "c.py")[0].message.startswith("longer than")


def test_the_energy_contracts_have_nothing_that_differs():
    assert module_findings("chaincode.energy") == ()
    assert "chaincode.energy.settlement.pool" in reached_sources("chaincode.energy")


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "determinism_sample"
    folder.mkdir()
    (folder / "__init__.py").write_text("from . import prices\nfrom .missing import x\n")
    (folder / "prices.py").write_text("import random\n")
    (folder / "unused.py").write_text("import time\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "determinism_sample.prices"


def test_the_command_names_file_line_and_count(package):
    output, errors = io.StringIO(), io.StringIO()
    assert check_command.main([package], output, errors) == 1
    assert "prices.py:1:1: randomness" in output.getvalue()
    assert "1 place where peers may differ" in output.getvalue()


def test_the_command_is_content_with_the_energy_contracts():
    output = io.StringIO()
    assert check_command.main(["chaincode.energy"], output) == 0
    assert "nothing found" in output.getvalue()


def test_a_module_that_is_not_there_is_a_wrong_use():
    errors = io.StringIO()
    assert check_command.main(["no_such_module"], io.StringIO(), errors) == 2
    assert "no source of a module no_such_module" in errors.getvalue()
    with pytest.raises(DefinitionError):
        module_findings("chaincode.no_such_module")

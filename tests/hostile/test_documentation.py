"""docs/hostile-input.md names tests that exist, and every row once."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent.parent
PAGE = (TESTS.parent / "docs" / "hostile-input.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\d+) \|.*$", PAGE, re.MULTILINE)
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)))


NAMES = {
    "wrong signature",
    "replayed signature",
    "tampered proposal",
    "foreign listing",
    "foreign certificate",
    "session of another household",
    "CSRF",
    "XSS through names",
    "oversized bodies",
    "slow clients",
    "path traversal",
    "enumeration of accounts",
    "expired enrolment code, or one used twice",
    "dump of the database",
}
"""What a gateway is asked to withstand."""


def test_the_gateway_s_answers_are_there_by_name_with_their_tests():
    section = PAGE.partition("## The gateway's answers, by name")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| ([^|`]+) \| [^|]+ \| (`.+`) \|$", section, re.MULTILINE))
    assert set(rows) == NAMES
    assert all("::test_" in tests for tests in rows.values())


def test_every_row_stands_there_once():
    assert sorted(map(int, ROWS)) == list(range(1, len(ROWS) + 1))


def test_every_row_has_a_test():
    rows = [line for line in PAGE.splitlines() if re.match(r"\| \d+ \|", line)]
    assert [line for line in rows if "::test_" not in line] == []


def test_every_test_that_is_named_exists():
    missing = [f"{path}::{name}" for path, name in NAMED if name not in _tests_of(path)]
    assert missing == []


def _tests_of(path: str) -> set[str]:
    file = TESTS / path
    if not file.exists():
        return set()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}

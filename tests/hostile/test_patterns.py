"""Regular expressions that a hostile text cannot make run without end.

An expression backtracks exponentially when a repeat stands inside a repeat and nothing tells
where one round ends and the next begins. A text that matches almost to its end then stops the
whole peer: 41 letters are enough.
"""

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path
from re import _constants, _parser  # the standard library's own reading of an expression

import pytest

from ledger.crypto.policy_text import POLICY_TEXT_MAX, parse_policy
from ledger.endorsement.lifecycle.definitions import FullDefinition
from ledger.endorsement.lifecycle.rules import LifecycleRefused, require_definable
from ledger.endorsement.packages.package import PackageRefused, read_package
from ledger.errors import InvalidMessage
from ledger.wire import protos_pb2
from tests.support.package_files import package_of

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("ledger", "chaincode", "gateway", "network")
FUNCTIONS = {"compile", "fullmatch", "match", "search", "sub", "split", "findall", "finditer"}
REPEATS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT)
SHORT_ROUNDS = 4
"""A repeat of at most so many rounds has few ways to divide a text."""
LONG = 1_000_000


def _expressions() -> Iterator[tuple[str, str | bytes]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and _is_expression(node):
                    where = f"{path.relative_to(ROOT)}:{node.lineno}"
                    yield where, node.args[0].value


def _is_expression(node: ast.Call) -> bool:
    called = node.func
    return (
        isinstance(called, ast.Attribute)
        and isinstance(called.value, ast.Name)
        and called.value.id == "re"
        and called.attr in FUNCTIONS
        and isinstance(node.args[0], ast.Constant)
    )


def _is_long(operation, argument) -> bool:
    return operation in REPEATS and argument[1] > SHORT_ROUNDS


def _inside(tree) -> Iterator[tuple[object, object]]:
    """Every operation of an expression, however deep."""
    for operation, argument in tree:
        yield operation, argument
        for part in _parts(argument):
            yield from _inside(part)


def _parts(argument) -> Iterator[object]:
    if isinstance(argument, _parser.SubPattern):
        yield argument
    elif isinstance(argument, tuple | list):
        for one in argument:
            yield from _parts(one)


def _matched(operation, argument) -> set[str]:
    """Characters one simple operation takes; all of them where this is not told."""
    every = set(string.printable)
    if operation is _constants.LITERAL:
        return {chr(argument)}
    if operation is not _constants.IN:
        return every
    found: set[str] = set()
    for kind, value in argument:
        if kind is _constants.LITERAL:
            found.add(chr(value))
        elif kind is _constants.RANGE:
            found |= {chr(code) for code in range(value[0], value[1] + 1)}
        elif kind is _constants.CATEGORY and value is _constants.CATEGORY_WORD:
            found |= set(string.ascii_letters + string.digits + "_")
        else:
            return every
    return found


def _round(body) -> list[tuple[object, object]]:
    """One round's operations, out of their brackets."""
    items = list(body)
    if len(items) == 1 and items[0][0] is _constants.SUBPATTERN:
        return _round(items[0][1][-1])
    return items


def _is_ambiguous(body) -> bool:
    """Whether repeats inside may take what begins the next round."""
    first = _round(body)[0]
    inner = [argument for operation, argument in _inside(body) if _is_long(operation, argument)]
    begin = _matched(*first)
    return any(begin & _matched(*next(iter(one[2]))) for one in inner)


def _ambiguous(expression: str | bytes) -> bool:
    text = expression.decode("ascii") if isinstance(expression, bytes) else expression
    flags = re.VERBOSE if "\n" in text else 0
    return any(
        _is_ambiguous(argument[2])
        for operation, argument in _inside(_parser.parse(text, flags))
        if _is_long(operation, argument)
    )


@pytest.mark.parametrize("expression", [r"a+(a+)*", r"([A-Za-z]+)*", r"(x?[ab]*)+", r"(\w+\s*)*"])
def test_a_repeat_of_repeats_is_seen(expression):
    assert _ambiguous(expression)


@pytest.mark.parametrize("expression", [r"a+(-a+)*", r"\w+(\.[a-z]\w*)*", r"(ab)*c+", r"[a-z]{9}"])
def test_rounds_that_are_told_apart_are_fine(expression):
    assert not _ambiguous(expression)


def test_no_expression_of_ours_repeats_what_repeats():
    found = dict(_expressions())
    assert len(found) > 30
    assert [where for where, expression in found.items() if _ambiguous(expression)] == []


@pytest.mark.parametrize("name", ["a" * 41 + "!", "a" * LONG + "!", "a" * LONG, "-" * LONG])
def test_a_name_that_almost_matches_is_refused(name):
    package = protos_pb2.CollectionConfigPackage()
    package.config.add().static_collection_config.name = name
    with pytest.raises(LifecycleRefused, match="invalid collection name"):
        require_definable(
            FullDefinition("energy", 1, "1.0", collections=package.SerializeToString()), None, ()
        )
    with pytest.raises(LifecycleRefused, match="invalid chaincode name"):
        require_definable(FullDefinition(name + "!", 1, "1.0"), None, ())
    with pytest.raises(LifecycleRefused, match="invalid chaincode version"):
        require_definable(FullDefinition("energy", 1, name + "!"), None, ())


def test_texts_that_almost_match_elsewhere_are_refused():
    with pytest.raises(PackageRefused, match="invalid label"):
        read_package(package_of({"m.py": b""}, label="a" * 41 + "!"))
    with pytest.raises(InvalidMessage):
        parse_policy("OR('" + "a." * (POLICY_TEXT_MAX // 2 - 4) + "')")

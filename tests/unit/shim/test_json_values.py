"""The one encoding of a value: records as objects, whatever they hold, and no room for doubt."""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple

import pytest

from chaincode.shim.json_values import DEPTH_MAX, canonical_json


class Side(StrEnum):
    OFFER = "offer"


class Place(NamedTuple):
    block: int
    transaction: int


@dataclass(frozen=True, slots=True)
class Row:
    quantity_wh: int
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Book:
    kind: ClassVar[str] = "no member"
    side: Side
    rows: tuple[Row, ...]
    by_name: dict[str, list[Row]]
    place: Place
    is_open: bool = True


BOOK = Book(Side.OFFER, (Row(2), Row(1, "é")), {"b": [Row(3)], "a": []}, Place(7, 0))


def test_a_record_has_the_text_of_its_members_whatever_holds_them():
    expected = json.dumps(
        asdict(BOOK), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()
    assert canonical_json(BOOK) == expected
    assert b"kind" not in expected
    assert canonical_json({"books": [BOOK]}) == b'{"books":[' + expected + b"]}"


@dataclass(frozen=True, slots=True)
class Nothing:
    pass


def test_a_record_without_members_is_an_empty_object():
    assert canonical_json(Nothing()) == b"{}"


@dataclass(frozen=True, slots=True)
class Anything:
    value: Any


def nested(levels):
    value = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.parametrize("value", [1.5, b"raw", {1, 2}, {3: "number"}, Row, object()], ids=repr)
def test_what_has_no_exact_text_is_refused_inside_a_record_too(value):
    for inside in (value, [value], Anything(value), Anything([Anything(value)])):
        with pytest.raises(TypeError):
            canonical_json(inside)


def test_a_record_counts_as_a_level():
    canonical_json(nested(DEPTH_MAX))
    canonical_json(Anything(nested(DEPTH_MAX - 1)))
    for too_deep in (nested(DEPTH_MAX + 1), Anything(nested(DEPTH_MAX)), nested_records(50_000)):
        with pytest.raises(TypeError, match="levels"):
            canonical_json(too_deep)


def nested_records(levels):
    value = Anything(None)
    for _ in range(levels - 1):
        value = Anything(value)
    return value

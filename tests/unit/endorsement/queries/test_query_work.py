"""The work of a rich query on one row ends with its time, whatever takes it."""

import json

import pytest

from ledger.endorsement.limits import QueryLimits
from ledger.endorsement.queries.json_order import order_key
from ledger.endorsement.queries.rich_queries import parse_rich_query, run_rich_query
from ledger.endorsement.queries.work import STEPS_PER_CLOCK_READING, QueryWork
from ledger.endorsement.simulation.use import SimulationRefused
from ledger.model.rwset import Version
from ledger.model.state import VersionedValue

ITEMS = 20_000
READINGS_OF_ONE_ITEM = 3 * ITEMS // STEPS_PER_CLOCK_READING
"""More than an array needs that is looked at once or twice."""


class Readings:
    """A clock that counts how often it is read, and stands still until so many readings."""

    def __init__(self, late_after=None):
        self.count = 0
        self._late_after = late_after

    def __call__(self):
        self.count += 1
        return 3_600.0 if self._late_after is not None and self.count > self._late_after else 0.0


def row(value, key="k"):
    return key, VersionedValue(json.dumps(value).encode(), Version(1, 0))


def run(query, rows, clock):
    limits = QueryLimits()
    return run_rich_query(
        parse_rich_query(json.dumps(query), limits),
        rows,
        rows_max=10,
        after=None,
        limits=limits,
        work=QueryWork(limits.time_ms, clock),
    )


def test_an_array_is_gone_through_once_however_many_conditions_it_has_to_meet():
    rows = [row({"a": [0] * ITEMS})]
    one, many = Readings(), Readings()
    assert run({"selector": {"a": {"$ne": 1}}}, rows, one)
    assert run({"selector": {"$and": [{"a": {"$ne": n}} for n in range(40)]}}, rows, many)
    assert ITEMS // STEPS_PER_CLOCK_READING <= one.count <= READINGS_OF_ONE_ITEM
    assert many.count <= one.count + 1


HEAVY = {
    "order": {"a": {"$ne": 1}},
    "in": {"a": {"$nin": [1]}},
    "all": {"a": {"$not": {"$all": [1]}}},
    "elements": {"a": {"$not": {"$elemMatch": {"$gt": 1}}}},
    "sizes of elements": {"a": {"$not": {"$elemMatch": {"$size": 1}}}},
    "nothing asked of elements": {"a": {"$elemMatch": {"$nor": [{}]}}},
    "a long path": {"a": {"$elemMatch": {".".join("x" * 100): 1}}},
    "many alternatives": {"a": {"$elemMatch": {"$or": [{"$eq": n} for n in range(1, 30)]}}},
}


@pytest.mark.parametrize("name", HEAVY)
def test_a_query_ends_within_one_value(name):
    """Its first row is begun in time; the clock is late at a reading that is inside it."""
    rows = [row({"a": [0] * ITEMS})]
    clock = Readings(late_after=5)
    with pytest.raises(SimulationRefused, match="takes longer than 5000 ms"):
        run({"selector": HEAVY[name]}, rows, clock)
    assert clock.count == 6


def test_searching_a_long_text_counts_for_its_length():
    rows = [row({"a": "x" * 100_000})]
    clock = Readings()
    run({"selector": {"$nor": [{"a": {"$regex": "y"}} for _ in range(10)]}}, rows, clock)
    assert clock.count >= 10


def test_sorting_is_work_too():
    rows = [row({"a": [0] * 1_000 + [n]}, f"k{n}") for n in range(100, 0, -1)]
    unsorted, in_order = Readings(), Readings()
    run({"selector": {}, "limit": 10}, rows[:10], unsorted)
    found = run({"selector": {}, "sort": ["a"]}, rows, in_order)
    assert [one.key for one in found] == [f"k{n}" for n in range(1, 11)]
    # a row's clock reading and its array's, and 99 comparisons at the least
    assert in_order.count >= 2 * len(rows) + 99
    with pytest.raises(SimulationRefused, match="takes longer than"):
        run({"selector": {}, "sort": ["a"]}, rows, Readings(late_after=in_order.count - 1))


def test_keys_are_those_of_the_order_and_no_documents_are_mixed_up():
    work = QueryWork(1, lambda: 0.0)
    for number in range(50):
        work.next_document()
        value = {"b": [number, {"x": None}], "a": True}
        assert work.key(value) == work.key_to_hash(value) == order_key(value)
        assert work.key(value["b"]) == order_key(value["b"])


def test_what_is_held_of_a_row_counts_even_if_one_field_is_asked_for():
    limits = QueryLimits(found_bytes_max=1_000)
    query = parse_rich_query('{"selector":{},"fields":["n"]}', limits)
    rows = [row({"n": 1, "rest": "x" * 1_000})]
    with pytest.raises(SimulationRefused, match="more than 1000 bytes found"):
        run_rich_query(query, rows, rows_max=10, after=None, limits=limits)

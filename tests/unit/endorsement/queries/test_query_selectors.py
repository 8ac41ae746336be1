"""Selectors of rich queries: CouchDB's conditions, one by one."""

import pytest

from ledger.endorsement.queries.json_order import encode_value, order_key, parse_object
from ledger.endorsement.queries.query_selectors import (
    CONDITIONS_MAX,
    DEPTH_MAX,
    PATTERN_CHARACTERS_MAX,
    SEARCHED_CHARACTERS_MAX,
    compile_selector,
)
from ledger.endorsement.queries.work import QueryWork
from ledger.endorsement.simulation.use import SimulationRefused

DOCUMENT = {
    "owner": "tom",
    "size": 5,
    "price": 2.5,
    "active": True,
    "nothing": None,
    "tags": ["red", "big", 3],
    "home": {"city": "Graz", "rooms": [{"name": "hall"}, {"name": "attic", "area": 20}]},
    "a.b": "dotted",
}


def matches(selector, document=None):
    work = QueryWork(time_ms=0, clock_s=lambda: 0.0)
    return compile_selector(selector)(DOCUMENT if document is None else document, work)


@pytest.mark.parametrize(
    "selector",
    [
        {},
        {"owner": "tom"},
        {"owner": {"$eq": "tom"}},
        {"size": 5.0},
        {"nothing": None},
        {"owner": {"$ne": "ann"}},
        {"size": {"$gt": 4}},
        {"size": {"$gte": 5, "$lte": 5}},
        {"size": {"$lt": 6}},
        {"price": {"$gt": 2}},
        {"size": {"$gt": None}},
        {"owner": {"$gt": 1_000}},
        {"tags": {"$gt": "zzz"}},
        {"home": {"$gt": ["z"]}},
        {"active": {"$lt": 0}},
        {"owner": {"$in": ["ann", "tom"]}},
        {"tags": {"$in": ["red"]}},
        {"owner": {"$nin": ["ann"]}},
        {"owner": {"$regex": "^t.m$"}},
        {"owner": {"$regex": "o"}},
        {"owner": {"$exists": True}},
        {"gone": {"$exists": False}},
        {"home.city": "Graz"},
        {"home": {"city": "Graz"}},
        {"home.rooms.1.area": {"$gt": 10}},
        {"a\\.b": "dotted"},
        {"tags": {"$all": ["big", "red"]}},
        {"tags": {"$size": 3}},
        {"tags": {"$elemMatch": {"$eq": 3}}},
        {"home.rooms": {"$elemMatch": {"name": "attic", "area": {"$gt": 19}}}},
        {"tags": ["red", "big", 3]},
        {"$and": [{"owner": "tom"}, {"size": 5}]},
        {"$or": [{"owner": "ann"}, {"size": 5}]},
        {"$nor": [{"owner": "ann"}, {"size": 6}]},
        {"$not": {"owner": "ann"}},
        {"$not": {"$and": [{"owner": "tom"}, {"size": 6}]}},
        {"owner": {"$not": {"$regex": "^a"}}},
        {"owner": {"$not": "ann"}},
        {"size": {"$not": {"$gt": 5}}},
        {"gone": {"$not": {"$exists": True}}},
        {"tags": {"$not": {"$elemMatch": {"$eq": 4}}}},
        {"owner": {"$or": [{"$eq": "ann"}, {"$regex": "m$"}]}},
    ],
)
def test_it_matches(selector):
    assert matches(selector)
    assert not matches({"$not": selector})


@pytest.mark.parametrize(
    "selector",
    [
        {"owner": "Tom"},
        {"active": 1},
        {"size": True},
        {"size": "5"},
        {"nothing": 0},
        {"size": {"$gt": "4"}},
        {"size": {"$regex": "5"}},
        {"tags": {"$size": 2}},
        {"owner": {"$size": 3}},
        {"tags": {"$all": ["big", "small"]}},
        {"home.rooms.7.area": 1},
        {"home.rooms.99999999999.area": {"$gt": None}},
        {"a.b": "dotted"},
        {"owner": {"$elemMatch": {"$eq": "t"}}},
        {"home": {}},
        {"$or": [{"owner": "ann"}, {"size": 6}]},
    ],
)
def test_it_does_not_match(selector):
    assert not matches(selector)


@pytest.mark.parametrize(
    "condition",
    ["x", {"$ne": "x"}, {"$nin": ["x"]}, {"$gt": None}, {"$exists": True}, {"$regex": ""}],
)
def test_a_missing_field_meets_no_condition_negated_or_not(condition):
    assert not matches({"gone": condition})
    if condition != {"$exists": True}:
        assert not matches({"$not": {"gone": condition}})


def deep(levels):
    selector = {"owner": "tom"}
    for _ in range(levels):
        selector = {"$and": [selector]}
    return selector


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        ([], "a selector is a JSON object"),
        ({"$and": {"owner": "tom"}}, "$and takes an array"),
        ({"$or": ["tom"]}, "a selector is a JSON object"),
        ({"owner": {"$like": "t%"}}, "operator $like is not supported"),
        ({"owner": {"$in": "tom"}}, "$in takes an array"),
        ({"owner": {"$exists": 1}}, "$exists takes true or false"),
        ({"tags": {"$size": True}}, "$size takes a whole number"),
        ({"owner": {"$regex": 5}}, "$regex takes text"),
        ({"owner": {"$regex": "x" * (PATTERN_CHARACTERS_MAX + 1)}}, "$regex takes text"),
        ({"owner": {"$regex": "("}}, "is not supported"),
        ({"owner": {"$regex": r"(a)\1"}}, "no back references"),
        ({"owner": {"$regex": "(?=a)"}}, "no look-around"),
        ({"owner": {"$regex": "((a{1000}){1000})"}}, "is not supported"),
        ({"owner": {"$regex": "\ud800"}}, "is not supported"),
        ({"tags": {"$elemMatch": 5}}, "a selector is a JSON object"),
        (deep(DEPTH_MAX + 2), "nested deeper"),
        ({"$or": [{"owner": "tom"}] * (CONDITIONS_MAX + 1)}, "conditions"),
    ],
)
def test_what_is_no_selector_is_refused_by_name(selector, text):
    with pytest.raises(SimulationRefused) as refusal:
        compile_selector(selector)
    assert str(refusal.value).startswith("rich query: ")
    assert text in str(refusal.value)


def test_a_pattern_that_ruins_other_engines_is_answered():
    document = {"owner": "x" * 50_000}
    assert not matches({"owner": {"$regex": "(x+x+)+y"}}, document)
    assert not matches({"owner": {"$regex": "(a|aa)+$"}}, {"owner": "a" * 50_000 + "b"})


def test_a_text_too_long_to_search_is_refused_by_name():
    owner = "x" * SEARCHED_CHARACTERS_MAX
    assert matches({"owner": {"$regex": "x$"}}, {"owner": owner})
    with pytest.raises(SimulationRefused, match="does not search more than"):
        matches({"owner": {"$regex": "x$"}}, {"owner": owner + "x"})


def test_half_a_surrogate_pair_in_a_value_matches_no_pattern():
    assert not matches({"owner": {"$regex": "."}}, parse_object(b'{"owner":"\\ud800"}'))


def test_kinds_of_values_have_couchdbs_order():
    ascending = [None, False, True, -1, 0.5, 1, "", "a", "b", [], ["a"], ["a", 1], {}, {"a": 1}]
    shuffled = ascending[::-1]
    assert sorted(shuffled, key=order_key) == ascending


@pytest.mark.parametrize(
    "raw", [b"", b"[1]", b"5", b"{", b'{"a":NaN}', b'{"a":1e999}', b"\xff", b'{"a":' * 100_000]
)
def test_a_value_that_is_no_json_object_is_no_document(raw):
    assert parse_object(raw) is None


def test_values_are_encoded_the_same_everywhere():
    value = parse_object('{"b":"é","a":"\\ud800","c":1.0}'.encode())
    assert encode_value(value) == '{"a":"\\ud800","b":"é","c":1.0}'.encode()

"""Rich queries over a committed ledger, as contracts ask for them and validation sees them."""

import json

import pytest

from ledger.crypto.policy_text import parse_policy
from ledger.endorsement.limits import QueryLimits, SimulationLimits
from ledger.endorsement.runtimes.query_handler import LongRequest
from ledger.endorsement.runtimes.shim_handler import TransactionHandler
from ledger.endorsement.simulation.collection_access import CollectionAccess
from ledger.endorsement.simulation.simulator import SimulationRefused, TransactionSimulator
from ledger.model.codes import ValidationCode
from ledger.model.private_collections import Collection
from ledger.model.rwset import Version
from ledger.model.state import VersionedValue
from ledger.wire import protos_pb2, queryresult_pb2
from ledger.wire.protos_pb2 import ChaincodeMessage
from tests.support.ledger_world import CHAINCODE, LedgerWorld, delete, market, put

OFFERS = {
    "offer/1": {"owner": "tom", "price": 61, "zone": {"name": "north"}},
    "offer/2": {"owner": "ann", "price": 54},
    "offer/3": {"owner": "tom", "price": 54, "open": True},
    "offer/4": {"owner": "eve", "price": 70},
    "offer/5": {"owner": "tom"},
}


@pytest.fixture(scope="module")
def world():
    world = LedgerWorld()
    writes = [put(key, json.dumps(value).encode()) for key, value in OFFERS.items()]
    writes += [put("plain", b"tom"), put("list", b'["tom"]'), put("gone", b'{"owner":"tom"}')]
    assert world.commit(world.transaction(market(writes=writes))) == (ValidationCode.VALID,)
    assert world.commit(world.transaction(market(writes=[delete("gone")]))) == (
        ValidationCode.VALID,
    )
    return world


class Contract:
    """One transaction that asks its peer."""

    def __init__(self, world, limits=None):
        self.simulator = TransactionSimulator(world.store.snapshot(), "tx", limits)
        self.handler = TransactionHandler(CHAINCODE, self.simulator)

    def ask(self, query, *, collection="", metadata=b""):
        text = query if isinstance(query, str) else json.dumps(query)
        request = protos_pb2.GetQueryResult(query=text, collection=collection, metadata=metadata)
        answer = self.handler.answer(
            ChaincodeMessage.GET_QUERY_RESULT, request.SerializeToString()
        )
        assert isinstance(answer, LongRequest)
        return protos_pb2.QueryResponse.FromString(answer.run())

    def rows(self, query, **options):
        return rows_of(self.ask(query, **options))

    def keys(self, query):
        return [row.key for row in self.rows(query)]

    def page(self, query, size, bookmark=""):
        wanted = protos_pb2.QueryMetadata(pageSize=size, bookmark=bookmark)
        response = self.ask(query, metadata=wanted.SerializeToString())
        assert not response.has_more
        found = protos_pb2.QueryResponseMetadata.FromString(response.metadata)
        keys = [row.key for row in rows_of(response)]
        assert found.fetched_records_count == len(keys)
        return keys, found.bookmark

    def put(self, key):
        request = protos_pb2.PutState(key=key, value=b"1").SerializeToString()
        self.handler.answer(ChaincodeMessage.PUT_STATE, request)

    def reads(self):
        return self.simulator.results().namespaces[0].reads


def rows_of(response):
    return [queryresult_pb2.KV.FromString(row.resultBytes) for row in response.results]


TOMS = {"selector": {"owner": "tom"}}


def test_rows_come_in_the_order_of_their_keys_with_their_values_as_written(world):
    rows = Contract(world).rows(TOMS)
    assert [row.key for row in rows] == ["offer/1", "offer/3", "offer/5"]
    assert rows[0].namespace == CHAINCODE
    assert rows[0].value == json.dumps(OFFERS["offer/1"]).encode()


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ({"selector": {"_id": {"$gte": "offer/4"}}}, ["offer/4", "offer/5"]),
        ({**TOMS, "limit": 2}, ["offer/1", "offer/3"]),
        ({**TOMS, "limit": 0}, []),
        ({**TOMS, "skip": 1, "limit": 1}, ["offer/3"]),
        ({**TOMS, "use_index": "owners"}, ["offer/1", "offer/3", "offer/5"]),
        ({"selector": {}, "sort": ["price"]}, ["offer/2", "offer/3", "offer/1", "offer/4"]),
        (
            {"selector": {}, "sort": [{"price": "desc"}]},
            ["offer/4", "offer/1", "offer/3", "offer/2"],
        ),
        (
            {"selector": {}, "sort": ["owner", {"price": "asc"}], "skip": 1},
            ["offer/4", "offer/3", "offer/1"],
        ),
        ({"selector": {}, "sort": [{"price": "desc"}], "limit": 1}, ["offer/4"]),
    ],
)
def test_sort_limit_and_skip(world, query, keys):
    assert Contract(world).keys(query) == keys


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        (["price", "owner"], b'{"owner":"tom","price":61}'),
        (["zone.name", "nothing", "_id"], b'{"zone":{"name":"north"}}'),
        (["zone", "zone.name"], b'{"zone":{"name":"north"}}'),
        (["owner", "owner.first"], b'{"owner":"tom"}'),
    ],
)
def test_fields_choose_parts_of_values(world, fields, value):
    query = {"selector": {"_id": "offer/1"}, "fields": fields}
    assert [row.value for row in Contract(world).rows(query)] == [value]


@pytest.mark.parametrize(
    "query",
    [
        TOMS,
        {"selector": {}, "sort": ["price"]},
        {"selector": {}, "sort": [{"price": "desc"}, {"owner": "desc"}]},
    ],
)
def test_pages_by_bookmark_are_the_whole_once(world, query):
    contract = Contract(world)
    whole, pages, bookmark = contract.keys(query), [], ""
    while True:
        keys, bookmark = contract.page({**query, "limit": 1}, 2, bookmark)
        if not keys:
            break
        pages.append(keys)
    assert [key for keys in pages for key in keys] == whole
    assert [len(keys) for keys in pages[:-1]] == [2] * (len(pages) - 1)


@pytest.mark.parametrize("bookmark", ["x", "e30=", "Im9mZmVyIg==", "WzFd", "é", "WyJhIiwiYiJd"])
def test_a_bookmark_of_nothing_is_refused(world, bookmark):
    with pytest.raises(SimulationRefused, match="the bookmark is not one of"):
        Contract(world).page(TOMS, 2, bookmark)


def test_a_page_request_of_nothing_is_refused(world):
    with pytest.raises(SimulationRefused, match="the request for a page does not parse"):
        Contract(world).ask(TOMS, metadata=b"\xff\xff")


def test_rows_given_are_read_and_others_are_not(world):
    contract = Contract(world)
    contract.ask(TOMS)
    assert [(read.key, read.version) for read in contract.reads()] == [
        (key, Version(1, 0)) for key in ("offer/1", "offer/3", "offer/5")
    ]
    assert contract.simulator.results().namespaces[0].range_queries == ()


def test_a_changed_row_is_a_conflict_and_a_new_one_is_not_noticed():
    world = LedgerWorld()
    world.commit(world.transaction(market(writes=[put("a", b'{"owner":"tom"}')])))
    asking, late = Contract(world), Contract(world)
    for contract in (asking, late):
        assert contract.keys(TOMS) == ["a"]
        contract.put("count")
    new = world.transaction(market(writes=[put("b", b'{"owner":"tom"}')]))
    assert world.commit(new) == (ValidationCode.VALID,)
    entry = world.transaction(asking.simulator.results())
    assert world.commit(entry) == (ValidationCode.VALID,)
    changed = world.transaction(market(writes=[put("a", b'{"owner":"ann"}')]))
    assert world.commit(changed) == (ValidationCode.VALID,)
    entry = world.transaction(late.simulator.results())
    assert world.commit(entry) == (ValidationCode.MVCC_READ_CONFLICT,)


def test_a_hundred_rows_a_message_and_reads_as_they_are_fetched():
    world = LedgerWorld()
    writes = [put(f"k{n:03}", b'{"n":1}') for n in range(250)]
    world.commit(world.transaction(market(writes=writes)))
    contract = Contract(world)
    response = contract.ask({"selector": {"n": 1}})
    counts = [len(response.results)]
    assert len(contract.reads()) == 100
    while response.has_more:
        request = protos_pb2.QueryStateNext(id=response.id).SerializeToString()
        raw = contract.handler.answer(ChaincodeMessage.QUERY_STATE_NEXT, request)
        response = protos_pb2.QueryResponse.FromString(raw)
        counts.append(len(response.results))
    assert counts == [100, 100, 50]
    assert len(contract.reads()) == 250


def test_pages_are_for_transactions_that_write_nothing(world):
    contract = Contract(world)
    contract.page(TOMS, 2)
    with pytest.raises(SimulationRefused, match="Writes are not allowed"):
        contract.put("k")
    contract = Contract(world)
    contract.put("k")
    assert contract.keys(TOMS) == ["offer/1", "offer/3", "offer/5"]
    with pytest.raises(SimulationRefused, match="only in a read-only transaction"):
        contract.page(TOMS, 2)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("", "the query is not JSON"),
        ("{", "the query is not JSON"),
        ("[" * 50_000, "the query is not JSON"),
        ("[]", "no JSON object with a selector"),
        ("{}", "no JSON object with a selector"),
        ({**TOMS, "having": 1}, "'having' is not supported"),
        ({**TOMS, "sort": "price"}, "sort takes an array"),
        ({**TOMS, "sort": [{"a": "asc", "b": "asc"}]}, "sort takes names and objects"),
        ({**TOMS, "sort": ["a", {"b": "desc"}]}, "one direction"),
        ({**TOMS, "sort": [{"b": ["desc"]}]}, "one direction"),
        ({**TOMS, "fields": [1]}, "fields takes names"),
        ({**TOMS, "limit": "2"}, "limit takes a whole number"),
        ({**TOMS, "skip": -1}, "skip takes a whole number"),
    ],
)
def test_what_is_no_query_is_refused_by_name(world, query, text):
    with pytest.raises(SimulationRefused) as refusal:
        Contract(world).ask(query)
    assert str(refusal.value).startswith("rich query: ")
    assert text in str(refusal.value)


@pytest.mark.parametrize(
    ("limits", "query", "text"),
    [
        ({"text_bytes_max": 20}, TOMS, "the limit is 20"),
        ({"rows_max": 3}, TOMS, "more than 3 rows to look at"),
        ({"found_bytes_max": 50}, TOMS, "more than 50 bytes found"),
        ({"time_ms": -1}, TOMS, "takes longer than"),
    ],
)
def test_each_limit_of_a_query_has_its_own_refusal(world, limits, query, text):
    contract = Contract(world, SimulationLimits(queries=QueryLimits(**limits)))
    with pytest.raises(SimulationRefused, match=text):
        contract.ask(query)


def test_rows_found_count_as_reads(world):
    with pytest.raises(SimulationRefused, match="more than 2 keys read"):
        Contract(world, SimulationLimits(reads_max=2)).ask(TOMS)
    with pytest.raises(SimulationRefused, match="a page of 3 rows is not possible"):
        Contract(world, SimulationLimits(reads_max=2)).page(TOMS, 3)


def test_a_value_nested_too_deeply_to_compare_ends_the_query():
    world = LedgerWorld()
    deep = b'{"a":' + b"[" * 900 + b"]" * 900 + b"}"
    world.commit(world.transaction(market(writes=[put("deep", deep)])))
    try:
        assert Contract(world).keys({"selector": {"a": 1}}) == []
    except SimulationRefused as refusal:
        assert "nested too deeply" in str(refusal)  # noqa: PT017 - which one is up to the stack


# -- private data ---------------------------------------------------------------------------------

PRIVATE = Collection("meters", parse_policy("OR('CoopMSP.member')"))


class PrivateRows:
    """A snapshot whose collection holds two rows."""

    def range_private(self, namespace, collection, start_key, end_key):
        for key, owner in (("m/1", "tom"), ("m/2", "ann")):
            value = json.dumps({"owner": owner}).encode()
            yield key, VersionedValue(value, Version(1, 0))


def test_private_rows_are_found_and_not_recorded():
    contract = Contract.__new__(Contract)
    access = CollectionAccess(find=lambda _namespace, name: {"meters": PRIVATE}.get(name))
    contract.simulator = TransactionSimulator(PrivateRows(), "tx", None, access)
    contract.handler = TransactionHandler(CHAINCODE, contract.simulator)
    assert [row.key for row in contract.rows(TOMS, collection="meters")] == ["m/1"]
    assert contract.simulator.results().namespaces == ()
    with pytest.raises(SimulationRefused, match="queries on pvt data"):
        contract.put("k")

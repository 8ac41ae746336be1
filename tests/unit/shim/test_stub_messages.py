"""Reads and writes of a contract, as messages to its peer."""

import hashlib
from collections.abc import Awaitable
from typing import Any

import pytest

from chaincode.shim import ChaincodeStub
from chaincode.shim.errors import ProtocolError
from ledger.wire import protos_pb2
from tests.unit.shim.scripted_peer import (
    CREATOR,
    NONCE,
    SECONDS,
    SIGNED,
    TX_ID,
    M,
    Peer,
    keys_of,
    rows,
)

PAGING = protos_pb2.QueryMetadata(pageSize=2, bookmark="b").SerializeToString()


POLICY = protos_pb2.StateMetadata(metakey="VALIDATION_PARAMETER", value=b"policy")


POLICIES = protos_pb2.StateMetadataResult(entries=[POLICY]).SerializeToString()


TEXT = '{"selector":{"kind":"offer"}}'


SELECTOR = {"selector": {"kind": "offer"}}


READS = [
    (
        "get_state",
        lambda s: s.get_state("k"),
        M.GET_STATE,
        protos_pb2.GetState(key="k"),
        b"v",
        "v",
    ),
    (
        "get_private_data",
        lambda s: s.get_private_data("c", "k"),
        M.GET_STATE,
        protos_pb2.GetState(key="k", collection="c"),
        b"v",
        "v",
    ),
    (
        "get_private_data_hash",
        lambda s: s.get_private_data_hash("c", "k"),
        M.GET_PRIVATE_DATA_HASH,
        protos_pb2.GetState(key="k", collection="c"),
        b"hash",
        "hash",
    ),
    (
        "get_state_by_range",
        lambda s: keys_of(s.get_state_by_range("", "z")),
        M.GET_STATE_BY_RANGE,
        protos_pb2.GetStateByRange(startKey="\x01", endKey="z"),
        rows("a", "b"),
        '["a","b"]',
    ),
    (
        "get_state_by_range_with_pagination",
        lambda s: page(s.get_state_by_range_with_pagination("a", "", 2, "b")),
        M.GET_STATE_BY_RANGE,
        protos_pb2.GetStateByRange(startKey="a", endKey="", metadata=PAGING),
        rows("b", "c", bookmark="d"),
        '[["b","c"],"d"]',
    ),
    (
        "get_state_by_partial_composite_key",
        lambda s: keys_of(s.get_state_by_partial_composite_key("t", ["x"])),
        M.GET_STATE_BY_RANGE,
        protos_pb2.GetStateByRange(startKey="\0t\0x\0", endKey="\0t\0x\0\U0010ffff"),
        rows("\0t\0x\x001\0"),
        '["\\u0000t\\u0000x\\u00001\\u0000"]',
    ),
    (
        "get_state_by_partial_composite_key_with_pagination",
        lambda s: page(s.get_state_by_partial_composite_key_with_pagination("t", [], 2, "b")),
        M.GET_STATE_BY_RANGE,
        protos_pb2.GetStateByRange(startKey="\0t\0", endKey="\0t\0\U0010ffff", metadata=PAGING),
        rows(),
        '[[],""]',
    ),
    (
        "get_private_data_by_range",
        lambda s: keys_of(s.get_private_data_by_range("c", "a", "b")),
        M.GET_STATE_BY_RANGE,
        protos_pb2.GetStateByRange(startKey="a", endKey="b", collection="c"),
        rows("a"),
        '["a"]',
    ),
    (
        "get_private_data_by_partial_composite_key",
        lambda s: keys_of(s.get_private_data_by_partial_composite_key("c", "t", [])),
        M.GET_STATE_BY_RANGE,
        protos_pb2.GetStateByRange(startKey="\0t\0", endKey="\0t\0\U0010ffff", collection="c"),
        rows(),
        "[]",
    ),
    (
        "get_query_result",
        lambda s: keys_of(s.get_query_result(SELECTOR)),
        M.GET_QUERY_RESULT,
        protos_pb2.GetQueryResult(query=TEXT),
        rows("a"),
        '["a"]',
    ),
    (
        "get_query_result_with_pagination",
        lambda s: page(s.get_query_result_with_pagination(TEXT, 2, "b")),
        M.GET_QUERY_RESULT,
        protos_pb2.GetQueryResult(query=TEXT, metadata=PAGING),
        rows("a", bookmark="next"),
        '[["a"],"next"]',
    ),
    (
        "get_private_data_query_result",
        lambda s: keys_of(s.get_private_data_query_result("c", TEXT)),
        M.GET_QUERY_RESULT,
        protos_pb2.GetQueryResult(query=TEXT, collection="c"),
        rows("a"),
        '["a"]',
    ),
    (
        "get_history_for_key",
        lambda s: modified(s.get_history_for_key("k")),
        M.GET_HISTORY_FOR_KEY,
        protos_pb2.GetHistoryForKey(key="k"),
        rows("t2", "t1", history=True),
        '["t2","t1"]',
    ),
    (
        "get_state_validation_parameter",
        lambda s: s.get_state_validation_parameter("k"),
        M.GET_STATE_METADATA,
        protos_pb2.GetStateMetadata(key="k"),
        POLICIES,
        "policy",
    ),
    (
        "get_private_data_validation_parameter",
        lambda s: s.get_private_data_validation_parameter("c", "k"),
        M.GET_STATE_METADATA,
        protos_pb2.GetStateMetadata(key="k", collection="c"),
        POLICIES,
        "policy",
    ),
]


async def page(awaited: Awaitable[Any]) -> list[Any]:
    found, bookmark = await awaited
    return [[row.key for row in found], bookmark]


async def modified(iterator: Any) -> list[str]:
    return [row.tx_id async for row in iterator]


@pytest.mark.parametrize(
    ("use", "kind", "wire", "answer", "result"),
    [pytest.param(*row[1:], id=row[0]) for row in READS],
)
def test_a_read_is_one_message(use, kind, wire, answer, result):
    peer = Peer(use)
    response = peer.run(answer)
    assert peer.requests == [(kind, wire.SerializeToString())]
    assert (response.status, response.payload.decode()) == (200, result)


WRITES = [
    (
        lambda s: s.put_state("k", "v"),
        M.PUT_STATE,
        protos_pb2.PutState(key="k", value=b"v"),
        {"value": b"v"},
    ),
    (lambda s: s.del_state("k"), M.DEL_STATE, protos_pb2.DelState(key="k"), {}),
    (
        lambda s: s.set_state_validation_parameter("k", b"policy"),
        M.PUT_STATE_METADATA,
        protos_pb2.PutStateMetadata(key="k", metadata=POLICY),
        {"metadata": POLICY},
    ),
    (
        lambda s: s.put_private_data("c", "k", b"v"),
        M.PUT_STATE,
        protos_pb2.PutState(key="k", value=b"v", collection="c"),
        {"value": b"v", "collection": "c"},
    ),
    (
        lambda s: s.del_private_data("c", "k"),
        M.DEL_STATE,
        protos_pb2.DelState(key="k", collection="c"),
        {"collection": "c"},
    ),
    (
        lambda s: s.purge_private_data("c", "k"),
        M.PURGE_PRIVATE_DATA,
        protos_pb2.PurgePrivateState(key="k", collection="c"),
        {"collection": "c"},
    ),
    (
        lambda s: s.set_private_data_validation_parameter("c", "k", b"policy"),
        M.PUT_STATE_METADATA,
        protos_pb2.PutStateMetadata(key="k", collection="c", metadata=POLICY),
        {"metadata": POLICY, "collection": "c"},
    ),
]


@pytest.mark.parametrize(("use", "kind", "wire", "_record"), WRITES)
def test_an_older_peer_gets_one_message_for_each_write(use, kind, wire, _record):
    peer = Peer(use)
    assert peer.run().status == 200
    assert peer.requests == [(kind, wire.SerializeToString())]


@pytest.mark.parametrize(("use", "kind", "_wire", "record"), WRITES)
def test_a_peer_that_offers_batches_gets_records(use, kind, _wire, record):
    peer = Peer(use, batches=10)
    assert peer.run().status == 200
    (batch,) = batches_of(peer)
    assert list(batch) == [protos_pb2.WriteRecord(key="k", type=kind, **record)]


def batches_of(peer: Peer) -> list[Any]:
    assert {kind for kind, _ in peer.requests} == {M.WRITE_BATCH_STATE}
    return [protos_pb2.WriteBatchState.FromString(payload).rec for _, payload in peer.requests]


def test_no_batch_is_larger_than_the_peer_allows():
    async def write_five(stub: ChaincodeStub) -> None:
        for number in range(5):
            await stub.put_state(f"k{number}", b"v")

    peer = Peer(write_five, batches=2)
    peer.run()
    assert [[r.key for r in batch] for batch in batches_of(peer)] == [
        ["k0", "k1"],
        ["k2", "k3"],
        ["k4"],
    ]


def test_the_last_write_of_a_key_counts():
    async def write(stub: ChaincodeStub) -> None:
        await stub.put_state("k", b"1")
        await stub.put_private_data("c", "k", b"2")
        await stub.purge_private_data("c", "k")
        await stub.delete_state("k")

    peer = Peer(write)
    peer.run()
    assert [kind for kind, _ in peer.requests] == [M.DEL_STATE, M.PURGE_PRIVATE_DATA]


@pytest.mark.parametrize("collection", ["", "c"])
def test_several_keys_are_read_in_as_few_messages_as_the_peer_allows(collection):
    def use(stub: ChaincodeStub) -> Awaitable[Any]:
        keys = ["a", "b", "c"]
        if collection:
            return stub.get_multiple_private_data(collection, keys)
        return stub.get_multiple_states(keys)

    async def joined(stub: ChaincodeStub) -> bytes:
        return b",".join(await use(stub))

    old = Peer(joined)
    assert old.run(b"1", b"", b"3").payload == b"1,,3"
    assert [kind for kind, _ in old.requests] == [M.GET_STATE] * 3

    new = Peer(joined, batches=2)
    answers = [
        protos_pb2.GetStateMultipleResult(values=values).SerializeToString()
        for values in ([b"1", b""], [b"3"])
    ]
    assert new.run(*answers).payload == b"1,,3"
    wanted = protos_pb2.GetStateMultiple(keys=["a", "b"], collection=collection)
    assert new.requests[0] == (M.GET_STATE_MULTIPLE, wanted.SerializeToString())


def test_a_peer_that_answers_fewer_values_than_keys_ends_the_session():
    peer = Peer(lambda s: s.get_states(["a", "b"]), batches=2)
    with pytest.raises(ProtocolError, match="asked for 2 keys, got 1"):
        peer.run(protos_pb2.GetStateMultipleResult(values=[b"1"]).SerializeToString())


def test_further_pages_are_asked_for_as_they_are_read_and_a_query_is_closed():
    async def two_rows(stub: ChaincodeStub) -> list[str]:
        found = []
        iterator = await stub.get_state_by_range("a", "z")
        async for row in iterator:
            found.append(row.key)
            if len(found) == 2:
                break
        await iterator.close()
        await iterator.close()
        return found

    peer = Peer(two_rows)
    assert peer.run(rows("a", more=True), rows("b", more=True), b"").payload == b'["a","b"]'
    assert [kind for kind, _ in peer.requests] == [
        M.GET_STATE_BY_RANGE,
        M.QUERY_STATE_NEXT,
        M.QUERY_STATE_CLOSE,
    ]
    assert protos_pb2.QueryStateClose.FromString(peer.requests[2][1]).id == "q1"


def test_another_chaincode_is_called_by_name_and_channel():
    async def call(stub: ChaincodeStub) -> list[Any]:
        answer = await stub.invoke_chaincode("tokens", ["balance", b"\x01"], "other")
        return [answer.status, answer.message, answer.payload.decode()]

    inner = protos_pb2.Response(status=404, message="none", payload=b"p").SerializeToString()
    peer = Peer(call)
    answer = M(type=M.COMPLETED, payload=inner).SerializeToString()
    assert peer.run(answer).payload == b'[404,"none","p"]'
    ((kind, payload),) = peer.requests
    spec = protos_pb2.ChaincodeSpec.FromString(payload)
    assert (kind, spec.chaincode_id.name) == (M.INVOKE_CHAINCODE, "tokens/other")
    assert list(spec.input.args) == [b"balance", b"\x01"]

    failed = M(type=M.ERROR, payload=b"no such chaincode").SerializeToString()
    assert Peer(call).run(failed).payload == b'[500,"no such chaincode",""]'


def test_what_the_client_signed_can_be_read():
    async def facts(stub: ChaincodeStub) -> list[Any]:
        assert stub.get_txid() == stub.get_tx_id()
        assert stub.get_signed_proposal() == SIGNED.SerializeToString()
        assert stub.get_binding() == hashlib.sha256(NONCE + CREATOR + bytes(8)).digest()
        assert stub.get_args() == (b"run",)
        return [
            stub.get_tx_id(),
            stub.get_channel_id(),
            stub.get_function_and_parameters(),
            stub.get_string_args(),
            stub.get_creator().decode(),
            stub.get_tx_timestamp(),
            stub.get_tx_datetime().isoformat(),
            {name: value.hex() for name, value in stub.get_transient().items()},
            {name: value.decode() for name, value in stub.get_decorations().items()},
            stub.get_mspid(),
        ]

    assert Peer(facts, mspid="CoopMSP").run().payload.decode() == (
        f'["{TX_ID}","energy",["run",[]],["run"],"creator",{SECONDS}000005000,'
        '"2026-01-01T00:00:00.000005+00:00",{"secret":"01"},{"d":"1"},"CoopMSP"]'
    )

"""Every function of the stub as the peer sees it: the message it sends, the answer it reads."""

import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from chaincode.shim import ChaincodeStub, Context, Contract, ContractError, query, transaction
from chaincode.shim.chaincode import Chaincode
from chaincode.shim.errors import ProtocolError
from chaincode.shim.session import IN_FLIGHT_MAX, ChaincodeSession
from ledger.wire import common_pb2, protos_pb2, queryresult_pb2
from ledger.wire.protos_pb2 import ChaincodeMessage

M = ChaincodeMessage
CHANNEL, TX_ID = "energy", "ab" * 32
CREATOR, NONCE = b"creator", b"nonce"
SECONDS, NANOS = 1_767_225_600, 5_000

Use = Callable[[ChaincodeStub], Awaitable[Any]]


class Probe(Contract):
    """Runs what a test wants of the stub."""

    def __init__(self, use: Use) -> None:
        self.use = use

    @transaction
    async def run(self, ctx: Context) -> Any:
        return await self.use(ctx.stub)


class Peer:
    """Answers one transaction's requests in the order given, and keeps them."""

    def __init__(self, use: Use, *, batches: int = 0, mspid: str = "") -> None:
        self.session = ChaincodeSession(Chaincode([Probe(use)]), "probe:1", mspid=mspid)
        params = protos_pb2.ChaincodeAdditionalParams(
            use_write_batch=bool(batches),
            max_size_write_batch=batches,
            use_get_multiple_keys=bool(batches),
            max_size_get_multiple_keys=batches,
        )
        self.session.receive(M(type=M.REGISTERED).SerializeToString())
        ready = params.SerializeToString() if batches else b""
        self.session.receive(M(type=M.READY, payload=ready).SerializeToString())
        self.requests: list[tuple[int, bytes]] = []

    def run(self, *answers: bytes, args: tuple[bytes, ...] = (b"run",)) -> protos_pb2.Response:
        """The response of COMPLETED; `answers` are payloads of RESPONSE, then empty ones."""
        waiting = list(answers)
        message = self._send(self._start(args))
        while message.type != M.COMPLETED:
            self.requests.append((message.type, message.payload))
            answer = waiting.pop(0) if waiting else b""
            message = self._send(M(type=M.RESPONSE, payload=answer))
        assert not waiting, "the contract asked less than was answered"
        assert (message.txid, message.channel_id) == (TX_ID, CHANNEL)
        return protos_pb2.Response.FromString(message.payload)

    def _send(self, message: ChaincodeMessage) -> ChaincodeMessage:
        message.txid, message.channel_id = TX_ID, CHANNEL
        (answer,) = self.session.receive(message.SerializeToString())
        return M.FromString(answer)

    def _start(self, args: tuple[bytes, ...]) -> ChaincodeMessage:
        given = protos_pb2.ChaincodeInput(args=args, decorations={"d": b"1"})
        start = M(type=M.TRANSACTION, payload=given.SerializeToString())
        start.proposal.CopyFrom(SIGNED)
        return start


def signed_proposal() -> protos_pb2.SignedProposal:
    channel = common_pb2.ChannelHeader(channel_id=CHANNEL, tx_id=TX_ID)
    channel.timestamp.seconds, channel.timestamp.nanos = SECONDS, NANOS
    signature = common_pb2.SignatureHeader(creator=CREATOR, nonce=NONCE)
    header = common_pb2.Header(
        channel_header=channel.SerializeToString(), signature_header=signature.SerializeToString()
    )
    payload = protos_pb2.ChaincodeProposalPayload(TransientMap={"secret": b"\x01"})
    proposal = protos_pb2.Proposal(
        header=header.SerializeToString(), payload=payload.SerializeToString()
    )
    return protos_pb2.SignedProposal(
        proposal_bytes=proposal.SerializeToString(), signature=b"signed"
    )


SIGNED = signed_proposal()


def rows(*keys: str, more: bool = False, bookmark: str = "", history: bool = False) -> bytes:
    """QueryResponse bytes with a row for each key."""
    found = protos_pb2.QueryResponseMetadata(
        fetched_records_count=len(keys), bookmark=bookmark
    ).SerializeToString()
    contents = [
        queryresult_pb2.KeyModification(tx_id=key, value=b"v")
        if history
        else queryresult_pb2.KV(namespace="probe", key=key, value=b"v")
        for key in keys
    ]
    return protos_pb2.QueryResponse(
        results=[
            protos_pb2.QueryResultBytes(resultBytes=row.SerializeToString()) for row in contents
        ],
        has_more=more,
        id="q1",
        metadata=found if bookmark else b"",
    ).SerializeToString()


async def keys_of(iterator: Any) -> list[str]:
    return [row.key async for row in iterator]


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


async def _composite(stub: ChaincodeStub, attribute: str) -> None:
    stub.create_composite_key("type", [attribute])


@pytest.mark.parametrize(
    ("use", "code"),
    [
        (lambda s: s.get_private_data("", "k"), "INVALID_COLLECTION"),
        (lambda s: s.put_private_data("", "k", b"v"), "INVALID_COLLECTION"),
        (lambda s: s.purge_private_data("c", ""), "INVALID_KEY"),
        (lambda s: s.get_multiple_private_data("c", ["a", "\0"]), "INVALID_KEY"),
        (lambda s: keys_of(s.get_state_by_range("\0a", "")), "INVALID_KEY"),
        (lambda s: keys_of(s.get_query_result("")), "INVALID_ARGUMENT"),
        (lambda s: s.get_state_by_range_with_pagination("", "", 0), "INVALID_ARGUMENT"),
        (lambda s: s.get_query_result_with_pagination("{}", 2**31), "INVALID_ARGUMENT"),
        (lambda s: s.put_state("\ud800", b"v"), "INVALID_KEY"),
        (lambda s: _composite(s, "\ud800"), "INVALID_KEY"),
        (lambda s: keys_of(s.get_state_by_range("a", "\ud800")), "INVALID_KEY"),
        (lambda s: s.set_state_validation_parameter("", b""), "INVALID_KEY"),
        (lambda s: s.get_private_data_validation_parameter("", "k"), "INVALID_COLLECTION"),
    ],
)
def test_a_wrong_use_is_refused_before_anything_is_sent(use, code):
    peer = Peer(use)
    response = peer.run()
    assert response.status == 400
    assert response.message.startswith(code)
    assert peer.requests == []


@pytest.mark.parametrize("name", ["n" * 129, "\udfff"])
def test_an_event_name_is_text_and_has_a_length(name):
    async def loud(stub: ChaincodeStub) -> None:
        stub.set_event(name, b"")

    assert Peer(loud).run().message.startswith("INVALID_EVENT")
    assert Peer(loud).run().status == 400


@pytest.mark.parametrize(
    "use",
    [
        lambda s: s.put_private_data("\ud800", "k", b"v"),
        lambda s: keys_of(s.get_query_result("\ud800")),
        lambda s: s.invoke_chaincode("\ud800", []),
        lambda s: s.put_state("k", 7),
    ],
)
def test_what_cannot_be_sent_fails_its_own_transaction_only(use):
    """Whatever a client made the contract ask: the others in the process go on."""
    response = Peer(use).run()
    assert response.status == 500
    assert response.message.startswith("INTERNAL: ")


def test_a_contract_that_insists_on_what_cannot_be_sent_is_ended():
    async def insisting(stub: ChaincodeStub) -> None:
        while True:
            with suppress(ValueError):
                await stub.invoke_chaincode("\ud800", [])

    response = Peer(insisting).run()
    assert response.message == "INTERNAL: a request cannot be sent (UnicodeEncodeError)"


def test_what_a_refusal_quotes_need_not_be_text():
    async def quoting(_stub: ChaincodeStub) -> None:
        raise ContractError("UNKNOWN", "there is no \ud800")

    assert Peer(quoting).run().message == "UNKNOWN: there is no \\ud800"


def test_a_session_runs_so_many_transactions_and_no_more():
    session = Peer(lambda s: s.get_state("k")).session
    given = protos_pb2.ChaincodeInput(args=[b"run"]).SerializeToString()
    start = M(type=M.TRANSACTION, payload=given, channel_id=CHANNEL, proposal=SIGNED)
    for number in range(IN_FLIGHT_MAX + 1):
        start.txid = str(number)
        (answer,) = session.receive(start.SerializeToString())
    refused = M.FromString(answer)
    assert (refused.type, refused.txid) == (M.COMPLETED, str(IN_FLIGHT_MAX))
    assert b"OVERLOADED" in refused.payload
    assert not session.is_idle


def test_a_transaction_that_runs_already_ends_the_session():
    session = Peer(lambda s: s.get_state("k")).session
    given = protos_pb2.ChaincodeInput(args=[b"run"]).SerializeToString()
    start = M(type=M.TRANSACTION, payload=given, txid="t", channel_id="c", proposal=SIGNED)
    session.receive(start.SerializeToString())
    with pytest.raises(ProtocolError, match="already running"):
        session.receive(start.SerializeToString())


class Careless(Contract):
    @query
    async def peek(self, ctx: Context) -> None:
        await ctx.stub.put_private_data("c", "k", b"v")


def test_a_query_may_not_write_private_data_either():
    session = ChaincodeSession(Chaincode([Careless()]), "careless:1")
    given = protos_pb2.ChaincodeInput(args=[b"peek"]).SerializeToString()
    start = M(type=M.TRANSACTION, payload=given, txid="t", channel_id="c", proposal=SIGNED)
    (answer,) = session.receive(start.SerializeToString())
    assert b"QUERY_WRITES" in M.FromString(answer).payload


def test_a_contract_error_keeps_its_event_and_writes_to_itself():
    async def refuse(stub: ChaincodeStub) -> None:
        await stub.put_state("k", b"v")
        stub.set_event("happened", b"")
        raise ContractError("NO", "not now", 409)

    peer = Peer(refuse)
    response = peer.run()
    assert (response.status, response.message) == (409, "NO: not now")
    assert peer.requests == []

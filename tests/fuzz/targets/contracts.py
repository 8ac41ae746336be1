"""Both ends of the stream between a peer and a contract."""

from chaincode.shim.chaincode import load_chaincode
from chaincode.shim.errors import ProtocolError
from chaincode.shim.session import ChaincodeSession
from ledger.endorsement.limits import QueryLimits, SimulationLimits
from ledger.endorsement.queries.rich_queries import (
    Position,
    decode_bookmark,
    encode_bookmark,
    parse_rich_query,
    run_rich_query,
)
from ledger.endorsement.runtimes.peer_session import PeerSession, RunningTransaction, StreamBroken
from ledger.endorsement.simulation.use import SimulationRefused
from ledger.model.rwset import Version
from ledger.model.state import VersionedValue
from ledger.wire.protos_pb2 import (
    ChaincodeID,
    ChaincodeInput,
    ChaincodeMessage,
    GetQueryResult,
    GetState,
    GetStateByRange,
    GetStateMetadata,
    GetStateMultiple,
    PutState,
    PutStateMetadata,
    QueryMetadata,
    QueryStateNext,
    Response,
    WriteBatchState,
    WriteRecord,
)
from tests.fuzz import samples
from tests.fuzz.engine import Attempt, FuzzTarget, Shape
from tests.support.endorsing_world import SAMPLE_MODULE
from tests.support.identities import CHANNEL_ID
from tests.support.ledger_world import CHAINCODE

ID = f"{CHAINCODE}:1.0"
MESSAGE_BYTES_MAX = 1024 * 1024
"""Frames may be 16 MiB; ones of that size cost more than fuzzing wants."""

RICH_QUERY = (
    '{"selector": {"$and": [{"owner": {"$regex": "^t"}}, {"tags": {"$elemMatch": {"$gte": 3}}},'
    ' {"$not": {"size": {"$in": [1, 2.5, null]}}}]}, "sort": [{"home.city": "desc"}],'
    ' "fields": ["owner", "home.rooms.0"], "limit": 5, "skip": 0}'
)
ROWS = tuple(
    (key, VersionedValue(value, Version(1, 0)))
    for key, value in (
        ("a", b'{"owner":"tom","size":5,"tags":[3,"x"],"home":{"city":"Graz","rooms":[1]}}'),
        ("b", b'{"owner":null,"home":[]}'),
        ("c", b"plain"),
    )
)


def _rich_query(raw: bytes) -> None:
    """A query of a contract, over rows of every kind."""
    limits = QueryLimits()
    query = parse_rich_query(raw.decode("utf-8", "replace"), limits)
    for after in (None, Position(("x",) * len(query.sort), "a")):
        for row in run_rich_query(query, ROWS, rows_max=2, after=after, limits=limits):
            decode_bookmark(query, encode_bookmark(row.position))


def _bookmark(raw: bytes) -> None:
    query = parse_rich_query(RICH_QUERY, QueryLimits())
    decode_bookmark(query, raw.decode("utf-8", "replace"))


def _message(kind: int, payload: bytes) -> bytes:
    return ChaincodeMessage(
        type=kind, payload=payload, txid=samples.proposals()[0].tx_id, channel_id=CHANNEL_ID
    ).SerializeToString()


def _requests() -> list[bytes]:
    """One of each request a contract may make, and its end."""
    batch = WriteBatchState(
        rec=[
            WriteRecord(key="a", value=b"1", type=WriteRecord.PUT_STATE),
            WriteRecord(key="b", type=WriteRecord.DEL_STATE),
        ]
    )
    metadata = PutStateMetadata(key="a")
    metadata.metadata.metakey, metadata.metadata.value = "note", b"text"
    page = QueryMetadata(pageSize=2, bookmark="b").SerializeToString()
    rich = GetQueryResult(query=RICH_QUERY)
    requests = (
        (ChaincodeMessage.GET_STATE, GetState(key="a")),
        (ChaincodeMessage.GET_STATE_MULTIPLE, GetStateMultiple(keys=["a", "b"])),
        (ChaincodeMessage.GET_STATE_METADATA, GetStateMetadata(key="a")),
        (ChaincodeMessage.GET_STATE_BY_RANGE, GetStateByRange(startKey="a", endKey="c")),
        (ChaincodeMessage.GET_STATE_BY_RANGE, GetStateByRange(startKey="a", metadata=page)),
        (ChaincodeMessage.QUERY_STATE_NEXT, QueryStateNext(id="1")),
        (ChaincodeMessage.PUT_STATE, PutState(key="a", value=b"1")),
        (ChaincodeMessage.PUT_STATE_METADATA, metadata),
        (ChaincodeMessage.WRITE_BATCH_STATE, batch),
        (ChaincodeMessage.GET_QUERY_RESULT, rich),
        (ChaincodeMessage.COMPLETED, Response(status=200, payload=b"done")),
        (ChaincodeMessage.ERROR, Response(message="no")),
    )
    return [
        ChaincodeMessage(
            type=ChaincodeMessage.REGISTER, payload=ChaincodeID(name=ID).SerializeToString()
        ).SerializeToString(),
        *(_message(kind, request.SerializeToString()) for kind, request in requests),
    ]


def _peer_side() -> Attempt:
    """A registered contract with one transaction says something."""
    here, proposal = samples.world(), samples.proposals()[0]
    register = _requests()[0]

    def attempt(raw: bytes) -> None:
        ended: list[object] = []
        session = PeerSession(ID, on_ready=lambda: None, on_call=lambda *_: None)
        session.receive(register)
        transaction = RunningTransaction(
            namespace=CHAINCODE,
            proposal=proposal,
            args=proposal.args,
            simulator=here.simulator(proposal, SimulationLimits(reads_max=1_000)),
            on_done=ended.append,
        )
        session.begin(transaction)
        session.receive(raw)
        transaction.simulator.results()

    return attempt


def _answers() -> list[bytes]:
    """What a peer says to a contract."""
    arguments = ChaincodeInput(args=[b"shelf:put", b"a", b"1"]).SerializeToString()
    return [
        _message(ChaincodeMessage.TRANSACTION, arguments),
        _message(ChaincodeMessage.INIT, arguments),
        _message(ChaincodeMessage.RESPONSE, b"value"),
        _message(ChaincodeMessage.ERROR, b"refused"),
        ChaincodeMessage(type=ChaincodeMessage.READY).SerializeToString(),
        ChaincodeMessage(type=ChaincodeMessage.REGISTERED).SerializeToString(),
        ChaincodeMessage(type=ChaincodeMessage.KEEPALIVE).SerializeToString(),
    ]


def _contract_side() -> Attempt:
    """A contract hears something while one transaction of it waits for an answer."""
    chaincode = load_chaincode(SAMPLE_MODULE)
    started = _answers()[0]

    def attempt(raw: bytes) -> None:
        session = ChaincodeSession(chaincode, ID, on_resume=lambda _: None)
        session.receive(started)
        session.receive(raw)

    return attempt


TARGETS = (
    FuzzTarget(
        "contract-to-peer",
        "a contract's messages to its peer",
        _requests,
        _peer_side,
        MESSAGE_BYTES_MAX,
        allowed=(StreamBroken,),
    ),
    FuzzTarget(
        "rich-query",
        "a contract's query by JSON selector",
        lambda: [RICH_QUERY.encode(), b'{"selector":{}}'],
        lambda: _rich_query,
        64 * 1024,
        allowed=(SimulationRefused, RecursionError),
        shape=Shape.TEXT,
    ),
    FuzzTarget(
        "rich-query-bookmark",
        "where a contract's next page begins",
        lambda: [encode_bookmark(Position(("Graz",), "a")).encode()],
        lambda: _bookmark,
        64 * 1024,
        allowed=(SimulationRefused,),
        shape=Shape.TEXT,
    ),
    FuzzTarget(
        "peer-to-contract",
        "a peer's messages to a contract",
        _answers,
        _contract_side,
        MESSAGE_BYTES_MAX,
        allowed=(ProtocolError,),
    ),
)

"""A peer of a script: takes a contract's messages, answers as told."""

from collections.abc import Awaitable, Callable
from typing import Any

from chaincode.shim import ChaincodeStub, Context, Contract, transaction
from chaincode.shim.chaincode import Chaincode
from chaincode.shim.session import ChaincodeSession
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

"""The peer's side of a stream to one chaincode, without the stream.

The chaincode speaks first (REGISTER); afterwards `begin` gives the message that starts a
transaction and `receive` the messages to send back. Many transactions interleave. The same
session serves the socket to a process of ours and a gRPC stream of a chaincode service.
"""

from collections.abc import Callable
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from ledger.endorsement.runtimes.query_handler import LongRequest
from ledger.endorsement.runtimes.shim_handler import (
    GET_MULTIPLE_MAX,
    WRITE_BATCH_MAX,
    ChaincodeCall,
    TransactionHandler,
)
from ledger.endorsement.simulation.simulator import SimulationRefused, TransactionSimulator
from ledger.errors import GridledgerError
from ledger.model.transaction import ChaincodeEvent, ChaincodeResponse, SignedProposal
from ledger.wire import protos_pb2
from ledger.wire.protos_pb2 import ChaincodeMessage

STATUS_ERROR = 500

Key = tuple[str, str]
"""(channel id, transaction id)"""


class StreamBroken(GridledgerError):  # noqa: N818 - what happened, and to the stream only
    """The chaincode broke the shim protocol; its stream has to end."""


class ExecutionFailed(GridledgerError):  # noqa: N818 - a fact about one transaction
    """This peer could not run the transaction; another peer may."""


@dataclass(frozen=True, slots=True)
class Execution:
    """What a contract answered, and the simulation it ran in."""

    response: ChaincodeResponse
    event: ChaincodeEvent | None
    simulator: TransactionSimulator


Outcome = Execution | bytes | str
"""What a contract waits for: a called chaincode's result, the answer itself, or why not."""


class RunningTransaction:
    """One transaction in a chaincode; `on_done` is called once, with the result or the reason."""

    __slots__ = (
        "args",
        "attempts",
        "awaits_answer",
        "handler",
        "is_init",
        "namespace",
        "on_done",
        "proposal",
        "simulator",
    )

    def __init__(
        self,
        *,
        namespace: str,
        proposal: SignedProposal,
        args: tuple[bytes, ...] | None,
        simulator: TransactionSimulator,
        on_done: Callable[[Execution | ExecutionFailed], None],
    ) -> None:
        """`args` are another chaincode's that calls; None: the proposal's own."""
        self.namespace = namespace
        self.proposal = proposal
        self.args = proposal.args if args is None else args
        self.is_init = proposal.is_init and args is None
        self.simulator = simulator
        self.on_done = on_done
        self.attempts = 0
        self.restart()

    @property
    def key(self) -> Key:
        """Channel and transaction."""
        return self.proposal.header.channel.channel_id, self.proposal.tx_id

    def restart(self) -> None:
        """Forget what an ended process asked for; the next one begins anew."""
        self.attempts += 1
        if self.attempts > 1:
            self.simulator = self.simulator.fresh()
        self.simulator.read_definition(self.namespace)
        self.awaits_answer = False
        self.handler = TransactionHandler(self.namespace, self.simulator, is_init=self.is_init)


class PeerSession:
    """Transactions of one registered chaincode.

    `on_ready` is called once it registered under `chaincode_id`; `on_call` when a contract calls
    another chaincode and `on_long` for a request that takes time (left out: it runs at once),
    both to be answered later by `call_answered`.
    """

    def __init__(
        self,
        chaincode_id: str,
        *,
        on_ready: Callable[[], None],
        on_call: Callable[[RunningTransaction, ChaincodeCall], None],
        on_long: Callable[[RunningTransaction, LongRequest], None] | None = None,
    ) -> None:
        self._chaincode_id = chaincode_id
        self._on_ready = on_ready
        self._on_call = on_call
        self._on_long = on_long
        self._running: dict[Key, RunningTransaction] = {}
        self.is_ready = False

    def begin(self, transaction: RunningTransaction) -> bytes:
        """The message that starts a transaction."""
        proposal = transaction.proposal
        channel_id, tx_id = transaction.key
        self._running[(channel_id, tx_id)] = transaction
        is_init = transaction.is_init
        kind = ChaincodeMessage.INIT if is_init else ChaincodeMessage.TRANSACTION
        arguments = protos_pb2.ChaincodeInput(args=transaction.args, is_init=is_init)
        return ChaincodeMessage(
            type=kind,
            payload=arguments.SerializeToString(),
            txid=tx_id,
            channel_id=channel_id,
            proposal=protos_pb2.SignedProposal(
                proposal_bytes=proposal.proposal_raw, signature=proposal.signature
            ),
        ).SerializeToString()

    def is_running(self, key: Key) -> bool:
        """Whether the transaction was begun and has not ended."""
        return key in self._running

    def forget(self, key: Key) -> None:
        """Nobody waits for this transaction any more; its next request is refused."""
        self._running.pop(key, None)

    def receive(self, raw: bytes) -> list[bytes]:
        """Messages to send for one received; raises StreamBroken."""
        try:
            message = ChaincodeMessage.FromString(raw)
            if message.type == ChaincodeMessage.REGISTER:
                return self._register(message)
        except DecodeError as error:
            raise StreamBroken("the chaincode sent what does not parse") from error
        if not self.is_ready:
            raise StreamBroken("the chaincode did not register first")
        if message.type == ChaincodeMessage.KEEPALIVE:
            return []
        key = (message.channel_id, message.txid)
        transaction = self._running.get(key)
        if transaction is None:
            return _unknown(message)
        if message.type == ChaincodeMessage.COMPLETED:
            del self._running[key]
            transaction.on_done(_execution(transaction, message))
            return []
        if message.type == ChaincodeMessage.ERROR:
            del self._running[key]
            text = message.payload.decode("utf-8", "replace")
            response = ChaincodeResponse(STATUS_ERROR, text, b"")
            transaction.on_done(Execution(response, None, transaction.simulator))
            return []
        return self._request(transaction, message)

    def call_answered(self, transaction: RunningTransaction, outcome: Outcome) -> bytes:
        """The message that gives a contract the answer it waits for."""
        transaction.awaits_answer = False
        if isinstance(outcome, str):
            return _error(transaction.key, outcome)
        if isinstance(outcome, bytes):
            return _response(transaction.key, outcome)
        response = outcome.response
        called = ChaincodeMessage(
            type=ChaincodeMessage.COMPLETED,
            payload=protos_pb2.Response(
                status=response.status, message=response.message, payload=response.payload
            ).SerializeToString(),
        )
        return _response(transaction.key, called.SerializeToString())

    def _register(self, message: ChaincodeMessage) -> list[bytes]:
        name = protos_pb2.ChaincodeID.FromString(message.payload).name
        if self.is_ready or name != self._chaincode_id:
            raise StreamBroken(f"{name[:80]!r} registered where {self._chaincode_id} is expected")
        self.is_ready = True
        registered = ChaincodeMessage(type=ChaincodeMessage.REGISTERED)
        offered = protos_pb2.ChaincodeAdditionalParams(
            use_write_batch=True,
            max_size_write_batch=WRITE_BATCH_MAX,
            use_get_multiple_keys=True,
            max_size_get_multiple_keys=GET_MULTIPLE_MAX,
        )
        ready = ChaincodeMessage(type=ChaincodeMessage.READY, payload=offered.SerializeToString())
        self._on_ready()
        return [registered.SerializeToString(), ready.SerializeToString()]

    def _request(self, transaction: RunningTransaction, message: ChaincodeMessage) -> list[bytes]:
        if transaction.awaits_answer:
            return []  # one request at a time; Fabric's peer says nothing to a second either
        try:
            answer = transaction.handler.answer(message.type, message.payload)
            if isinstance(answer, LongRequest) and self._on_long is None:
                answer = answer.run()
        except SimulationRefused as refusal:
            return [_error(transaction.key, str(refusal))]
        if isinstance(answer, ChaincodeCall):
            transaction.awaits_answer = True
            self._on_call(transaction, answer)
            return []
        if isinstance(answer, LongRequest):
            assert self._on_long is not None
            transaction.awaits_answer = True
            self._on_long(transaction, answer)
            return []
        return [_response(transaction.key, answer)]


def _execution(transaction: RunningTransaction, message: ChaincodeMessage) -> Execution:
    try:
        wire = protos_pb2.Response.FromString(message.payload)
    except DecodeError as error:
        raise StreamBroken("the chaincode's response does not parse") from error
    event = None
    if message.HasField("chaincode_event"):
        event = ChaincodeEvent(
            chaincode_name=transaction.namespace,
            tx_id=transaction.proposal.tx_id,
            name=message.chaincode_event.event_name,
            payload=message.chaincode_event.payload,
        )
    response = ChaincodeResponse(wire.status, wire.message, wire.payload)
    return Execution(response, event, transaction.simulator)


def _unknown(message: ChaincodeMessage) -> list[bytes]:
    if message.type in (ChaincodeMessage.COMPLETED, ChaincodeMessage.ERROR):
        return []  # it ended before it heard that nobody waits
    return [_error((message.channel_id, message.txid), "the transaction has been given up")]


def _response(key: Key, payload: bytes) -> bytes:
    return ChaincodeMessage(
        type=ChaincodeMessage.RESPONSE, payload=payload, txid=key[1], channel_id=key[0]
    ).SerializeToString()


def _error(key: Key, text: str) -> bytes:
    return ChaincodeMessage(
        type=ChaincodeMessage.ERROR, payload=text.encode(), txid=key[1], channel_id=key[0]
    ).SerializeToString()

"""The chaincode's side of a stream to its peer, without the stream.

`hello()` gives the first message; `receive(message)` gives the messages to send back. Many
transactions interleave; each has at most one request open. The same session serves a socket to
the peer that started the process and a gRPC stream.
"""

import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError

from chaincode.shim.chaincode import Chaincode
from chaincode.shim.errors import STATUS_INTERNAL_ERROR, PeerError, ProtocolError
from chaincode.shim.peer_features import PeerFeatures
from chaincode.shim.peer_messages import (
    decode_answer,
    decode_features,
    decode_proposal_facts,
    encode_completed,
    encode_request,
)
from chaincode.shim.requests import Request, Response
from chaincode.shim.stub import ChaincodeStub
from chaincode.shim.time_limit import OutOfTime, TimeLimit
from chaincode.shim.transaction_facts import PeerFacts, TransactionInput
from ledger.wire.protos_pb2 import ChaincodeID, ChaincodeInput, ChaincodeMessage

log = logging.getLogger(__name__)

RESULT_BYTES_MAX = 1024 * 1024
"""Largest result or event payload of a transaction."""
PEER_MSPID_VARIABLE = "CORE_PEER_LOCALMSPID"
"""Environment variable that tells a chaincode whose peer it runs beside, as in Fabric."""
IN_FLIGHT_MAX = 10_000
"""Transactions of one session at once; further ones fail."""
REFUSALS_MAX = 2
"""ERROR answers after which a transaction is ended, whatever its contract does with them."""

Key = tuple[str, str]
"""(channel id, transaction id)"""


@dataclass(slots=True)
class _Running:
    stub: ChaincodeStub
    run: Coroutine[Request[Any], Any, Response]
    request: Request[Any] | None = None
    refusals: int = 0

    def resume(self, answer: Any) -> None:
        """Run to the next request; StopIteration with the response at the end."""
        if isinstance(answer, Exception):
            self.request = self.run.throw(answer)
        else:
            self.request = self.run.send(answer)


class ChaincodeSession:
    """One registration with one peer, of member `mspid` if that is known.

    `on_resume` is told each transaction before it runs.
    """

    def __init__(
        self,
        chaincode: Chaincode,
        chaincode_id: str,
        on_resume: Callable[[str], None] = lambda _tx_id: None,
        *,
        mspid: str = "",
        time_limit: TimeLimit | None = None,
    ) -> None:
        self._chaincode = chaincode
        self._chaincode_id = chaincode_id
        self._on_resume = on_resume
        self._mspid = mspid
        self._time_limit = time_limit or TimeLimit()
        self._features = PeerFeatures()
        self._running: dict[Key, _Running] = {}

    @property
    def is_idle(self) -> bool:
        """Whether no transaction is running."""
        return not self._running

    def hello(self) -> bytes:
        """REGISTER, which the chaincode sends first whoever dialled."""
        payload = ChaincodeID(name=self._chaincode_id).SerializeToString()
        message = ChaincodeMessage(type=ChaincodeMessage.REGISTER, payload=payload)
        return message.SerializeToString()

    def receive(self, raw: bytes) -> list[bytes]:
        """Messages to send for one received; ProtocolError ends the session."""
        try:
            message = ChaincodeMessage.FromString(raw)
            kind = message.type
            if kind == ChaincodeMessage.RESPONSE:
                return self._resume(message)
            if kind in (ChaincodeMessage.TRANSACTION, ChaincodeMessage.INIT):
                return self._start(message)
            if kind == ChaincodeMessage.ERROR:
                return self._refused(message)
            if kind == ChaincodeMessage.READY:
                self._features = decode_features(message.payload)
            elif kind == ChaincodeMessage.KEEPALIVE:
                return [raw]
            elif kind != ChaincodeMessage.REGISTERED:
                raise ProtocolError(f"the peer sent a message of type {kind}")
        except DecodeError as error:
            raise ProtocolError("the peer sent what does not parse") from error
        return []

    def _start(self, message: ChaincodeMessage) -> list[bytes]:
        key = (message.channel_id, message.txid)
        if key in self._running:
            raise ProtocolError(f"transaction {message.txid} is already running")
        stub = ChaincodeStub(self._input(message))
        if len(self._running) >= IN_FLIGHT_MAX:
            text = f"OVERLOADED: {IN_FLIGHT_MAX} transactions are running"
            response = Response(STATUS_INTERNAL_ERROR, text, b"")
            return [_completed(key, response, None)]
        running = self._running[key] = _Running(stub, self._chaincode.invoke(stub))
        return self._step(key, running, None)

    def _input(self, message: ChaincodeMessage) -> TransactionInput:
        sent = ChaincodeInput.FromString(message.payload)
        return TransactionInput(
            channel_id=message.channel_id,
            tx_id=message.txid,
            args=tuple(sent.args),
            proposal=decode_proposal_facts(message.proposal),
            features=self._features,
            peer=PeerFacts(self._mspid, dict(sent.decorations)),
        )

    def _resume(self, message: ChaincodeMessage) -> list[bytes]:
        key = (message.channel_id, message.txid)
        running = self._running.get(key)
        if running is None or running.request is None:
            raise ProtocolError(f"an answer for {message.txid}, which asked nothing")
        return self._step(key, running, decode_answer(running.request, message.payload))

    def _refused(self, message: ChaincodeMessage) -> list[bytes]:
        key = (message.channel_id, message.txid)
        running = self._running.get(key)
        if running is None:
            raise ProtocolError(f"an error for {message.txid}, which is not running")
        text = message.payload.decode("utf-8", "replace")
        return self._throw(key, running, PeerError(text), text)

    def _throw(self, key: Key, running: _Running, refusal: Exception, text: str) -> list[bytes]:
        """The contract learns that it does not get what it wants; `text` ends it if it insists."""
        running.refusals += 1
        if running.refusals > REFUSALS_MAX:
            running.run.close()
            return self._finish(key, running, Response(STATUS_INTERNAL_ERROR, text, b""))
        return self._step(key, running, refusal)

    def _step(self, key: Key, running: _Running, answer: Any) -> list[bytes]:
        """Run the contract to its next request or its end."""
        channel_id, tx_id = key
        self._on_resume(tx_id)
        try:
            if self._time_limit.limit_ms:
                with self._time_limit.applied():
                    running.resume(answer)
            else:
                running.resume(answer)
        except StopIteration as finished:
            return self._finish(key, running, finished.value)
        except OutOfTime:
            log.error("transaction %s was interrupted", tx_id)  # noqa: TRY400 - where is no matter
            text = f"TIMED_OUT: contract code ran {self._time_limit.limit_ms} ms without a pause"
            return self._finish(key, running, Response(STATUS_INTERNAL_ERROR, text, b""))
        assert running.request is not None, "a contract that goes on has asked for something"
        try:
            kind, payload = encode_request(running.request)
        except (TypeError, ValueError) as error:  # half a surrogate pair, a number beyond int32
            text = f"INTERNAL: a request cannot be sent ({type(error).__name__})"
            return self._throw(key, running, error, text)
        message = ChaincodeMessage(type=kind, payload=payload, txid=tx_id, channel_id=channel_id)  # type: ignore[arg-type]
        return [message.SerializeToString()]

    def _finish(self, key: Key, running: _Running, response: Response) -> list[bytes]:
        del self._running[key]
        event = running.stub.event
        if len(response.payload) + (len(event[1]) if event else 0) > RESULT_BYTES_MAX:
            text = f"RESULT_TOO_LARGE: result and event exceed {RESULT_BYTES_MAX} bytes"
            response = Response(STATUS_INTERNAL_ERROR, text, b"")
        if response.status >= 400:  # noqa: PLR2004 - Fabric's threshold of refusal
            event = None
        return [_completed(key, response, event)]


def _completed(key: Key, response: Response, event: tuple[str, bytes] | None) -> bytes:
    return encode_completed(channel_id=key[0], tx_id=key[1], response=response, event=event)

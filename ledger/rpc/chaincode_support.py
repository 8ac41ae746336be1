"""protos.ChaincodeSupport: a chaincode that dials in, on a listener of its own.

The operator names the chaincodes that may and the certificate each must show; the listener takes
no caller without one. A second registration while the first is there is refused.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import grpc
from cryptography.hazmat.primitives.serialization import Encoding
from google.protobuf.message import DecodeError
from grpc import aio

from ledger.crypto.certificates import load_x509
from ledger.crypto.hashing import sha256
from ledger.endorsement.limits import StreamLimits
from ledger.endorsement.runtimes.chaincode_life import LifeParts
from ledger.endorsement.runtimes.peer_session import StreamBroken
from ledger.endorsement.runtimes.runtime import CallChaincode
from ledger.endorsement.runtimes.stream_life import MessageStream, StreamLife
from ledger.endorsement.runtimes.supervision import SupervisedRuntime
from ledger.errors import InvalidMessage
from ledger.rpc.chaincode_connect import GrpcMessageStream
from ledger.rpc.transport import identity_bytes
from ledger.wire.protos_pb2 import ChaincodeID, ChaincodeMessage

REGISTRATION_TIMEOUT_MS = 3_000
"""From the call to its first message."""
NAME_CHARACTERS_SHOWN = 80

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AllowedChaincode:
    """A chaincode that may dial in."""

    chaincode_id: str
    """What it registers as: a package id, or `name:version`."""
    certificate_sha256: bytes
    """Of the DER of the TLS certificate it must show."""


@dataclass(frozen=True, slots=True)
class _Visit:
    stream: MessageStream
    has_ended: asyncio.Event


class ChaincodeDoor:
    """Where one allowed chaincode comes in and its runtime waits for it."""

    def __init__(self, allowed: AllowedChaincode) -> None:
        self.allowed = allowed
        self._visits: asyncio.Queue[_Visit] = asyncio.Queue(maxsize=1)
        self.is_taken = False

    async def attend(self, stream: MessageStream) -> None:
        """Hand a stream to the runtime and wait until it has ended."""
        assert not self.is_taken
        self.is_taken = True
        visit = _Visit(stream, asyncio.Event())
        self._visits.put_nowait(visit)
        try:
            await visit.has_ended.wait()
        finally:
            self.is_taken = False
            while not self._visits.empty():
                self._visits.get_nowait()  # it left before the runtime took it

    @asynccontextmanager
    async def open(self) -> AsyncIterator[MessageStream]:
        """The next stream, whenever it comes."""
        visit = await self._visits.get()
        try:
            yield visit.stream
        finally:
            visit.has_ended.set()


class _Refused(Exception):  # noqa: N818 - what happened to the registration
    """A registration is refused; the texts go to the caller."""

    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def certificate_fingerprint(pem: bytes) -> bytes:
    """SHA-256 of a certificate's DER; raises InvalidMessage for what is no certificate."""
    return sha256(load_x509(pem).public_bytes(Encoding.DER))


class ChaincodeSupportService:
    """Register: finds the door of who calls."""

    def __init__(self, doors: Iterable[ChaincodeDoor]) -> None:
        self._doors = {door.allowed.chaincode_id: door for door in doors}

    def rpc_handlers(self) -> grpc.GenericRpcHandler:
        """The handler table to add to a server."""
        return grpc.method_handlers_generic_handler(
            "protos.ChaincodeSupport",
            {
                "Register": grpc.stream_stream_rpc_method_handler(
                    self._register, identity_bytes, identity_bytes
                )
            },
        )

    async def _register(
        self,
        _requests: AsyncIterator[bytes],
        context: aio.ServicerContext[bytes, bytes],
    ) -> None:
        stream = GrpcMessageStream(context)
        try:
            first, door = await self._admit(stream, context)
        except _Refused as refused:
            log.warning("refused a chaincode: %s", refused.text)
            await context.abort(refused.code, refused.text)
        await door.attend(_Resumed(first, stream))

    async def _admit(
        self, stream: MessageStream, context: aio.ServicerContext[bytes, bytes]
    ) -> tuple[bytes, ChaincodeDoor]:
        first = await _first_message(stream)
        name = _registered_name(first)
        shown = name[:NAME_CHARACTERS_SHOWN]
        door = self._doors.get(name)
        if door is None or not _shows(context, door.allowed):
            raise _Refused(
                grpc.StatusCode.PERMISSION_DENIED,
                f"chaincode {shown!r} may not register at this peer with this certificate",
            )
        if door.is_taken:
            raise _Refused(grpc.StatusCode.ALREADY_EXISTS, f"duplicate chaincodeID: {shown}")
        return first, door


class _Resumed:
    """A stream whose first message was read already."""

    def __init__(self, first: bytes, stream: MessageStream) -> None:
        self._first: bytes | None = first
        self._stream = stream

    async def read(self) -> bytes | None:
        if self._first is None:
            return await self._stream.read()
        first, self._first = self._first, None
        return first

    async def write(self, message: bytes) -> None:
        await self._stream.write(message)


def dialled_in_chaincode(
    name: str,
    door: ChaincodeDoor,
    *,
    limits: StreamLimits | None = None,
    call: CallChaincode | None = None,
) -> SupervisedRuntime:
    """The runtime of chaincode `name` that comes in at `door`."""
    bounds = replace(limits or StreamLimits(), restart_backoff_ms=0)

    def new_life(parts: LifeParts) -> StreamLife:
        return StreamLife(door.allowed.chaincode_id, door.open, bounds, parts)

    return SupervisedRuntime(name, new_life, bounds, call)


async def _first_message(stream: MessageStream) -> bytes:
    """Empty when there is none."""
    try:
        async with asyncio.timeout(REGISTRATION_TIMEOUT_MS / 1000):
            return await stream.read() or b""
    except (TimeoutError, StreamBroken):
        return b""


def _registered_name(raw: bytes) -> str:
    """Empty when the first message is no registration."""
    try:
        message = ChaincodeMessage.FromString(raw)
        if message.type != ChaincodeMessage.REGISTER:
            return ""
        return ChaincodeID.FromString(message.payload).name
    except DecodeError:
        return ""


def _shows(context: "aio.ServicerContext[bytes, bytes]", allowed: AllowedChaincode) -> bool:
    """Whether the caller's TLS certificate is the one the operator named."""
    shown = context.auth_context().get("x509_pem_cert", [])
    if not shown:
        return False
    try:
        return certificate_fingerprint(shown[0]) == allowed.certificate_sha256
    except InvalidMessage:
        return False

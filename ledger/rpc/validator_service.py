"""gridledger.Validator: the receiving end of other nodes' streams.

The caller is known by the key of its TLS certificate: a validator's is recorded in the channel's
configuration; a member's node with any other key may only follow. Nothing is read from a stream
before that, and a stream ends when a configuration makes its caller somebody else.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from grpc import aio

from ledger.errors import InvalidMessage
from ledger.rpc.frames import FrameWriter, decode_frame
from ledger.rpc.misbehaviour import BARRED_MS, RejectionHandler, nobody_counts
from ledger.rpc.transport import identity_bytes
from ledger.wire.validator_pb2 import Item

MALFORMED_FRAMES_MAX = 10

log = logging.getLogger(__name__)

Reply = Callable[[Item], bool]
ItemHandler = Callable[[int, Item, Reply], None]
Identify = Callable[[bytes], int | None]
"""Who has this TLS key (SubjectPublicKeyInfo): a consenter's id, a negative number for a node that
may only follow, or None for nobody who is let in."""


def _nobody_cares(_sender: int) -> None:
    """For nodes that keep nothing about their callers."""


@dataclass(slots=True, eq=False)
class _Stream:
    """One open stream of a caller."""

    sender: int
    key: bytes
    writer: FrameWriter = field(default_factory=FrameWriter)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class ValidatorService:
    """Accepts streams from the channel's other consenters, and from those who follow."""

    def __init__(
        self,
        *,
        identify: Identify,
        on_item: ItemHandler,
        on_closed: Callable[[int], None] = _nobody_cares,
        on_rejected: RejectionHandler = nobody_counts,
        is_barred: Callable[[int], bool] = lambda _sender: False,
    ) -> None:
        """`on_rejected` hears of unreadable frames, `is_barred` says who sent too many."""
        self._identify = identify
        self._on_item = on_item
        self._on_closed = on_closed
        self._on_rejected = on_rejected
        self._is_barred = is_barred
        self._streams: set[_Stream] = set()

    def rpc_handlers(self) -> grpc.GenericRpcHandler:
        """The handler table to add to a server."""
        return grpc.method_handlers_generic_handler(
            "gridledger.Validator",
            {
                "Exchange": grpc.stream_stream_rpc_method_handler(
                    self._exchange,
                    request_deserializer=identity_bytes,
                    response_serializer=identity_bytes,
                )
            },
        )

    def end_changed_streams(self) -> None:
        """The configuration changed: end the streams of callers that are now somebody else."""
        for stream in self._streams:
            if self._identify(stream.key) != stream.sender:
                stream.ended.set()

    def end_streams_of(self, sender: int) -> None:
        """The sender is barred."""
        for stream in self._streams:
            if stream.sender == sender:
                stream.ended.set()

    async def _exchange(
        self, requests: AsyncIterator[bytes], context: aio.ServicerContext[bytes, bytes]
    ) -> None:
        key = _caller_key(context)
        sender = None if key is None else self._identify(key)
        if key is None or sender is None:
            await context.abort(
                grpc.StatusCode.PERMISSION_DENIED,
                "UNKNOWN_MEMBER: the TLS certificate is nobody's who may connect to this channel",
            )
            return
        if self._is_barred(sender):
            await context.abort(
                grpc.StatusCode.UNAVAILABLE,
                f"BARRED: too many unreadable messages; try again in {BARRED_MS // 1000} s",
            )
            return
        await context.send_initial_metadata(())
        stream = _Stream(sender, key)
        self._streams.add(stream)
        tasks: list[asyncio.Task[object]] = [
            asyncio.create_task(stream.writer.run(context.write)),
            asyncio.create_task(self._read(stream, requests, context)),
            asyncio.create_task(stream.ended.wait()),
        ]
        try:
            # Without answers a stream is of no use; the other side opens a new one.
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            self._streams.discard(stream)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._on_closed(sender)

    async def _read(
        self,
        stream: _Stream,
        requests: AsyncIterator[bytes],
        context: aio.ServicerContext[bytes, bytes],
    ) -> None:
        malformed = 0
        async for raw in requests:
            try:
                frame = decode_frame(raw)
            except InvalidMessage as error:
                malformed += 1
                self._on_rejected(stream.sender, error)
                if malformed >= MALFORMED_FRAMES_MAX:
                    await context.abort(
                        grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED: too many broken frames"
                    )
                continue
            for item in frame.items:
                self._on_item(stream.sender, item, stream.writer.send)


def _caller_key(context: aio.ServicerContext[bytes, bytes]) -> bytes | None:
    """SubjectPublicKeyInfo of the certificate that TLS has checked."""
    pem = next(iter(context.auth_context().get("x509_pem_cert", ())), None)
    if pem is None:
        return None
    public_key = x509.load_pem_x509_certificate(pem).public_key()
    return public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

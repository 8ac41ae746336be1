"""gridledger.Validator: the receiving end of the other validators' streams.

The caller is known by its TLS certificate, which must be the one the channel configuration
records for a consenter; nothing is read from a stream before that.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from grpc import aio

from ledger.errors import InvalidMessage
from ledger.rpc.frames import FrameWriter, decode_frame
from ledger.rpc.transport import identity_bytes
from ledger.wire.validator_pb2 import Item

MALFORMED_FRAMES_MAX = 10

log = logging.getLogger(__name__)

Reply = Callable[[Item], bool]
ItemHandler = Callable[[int, Item, Reply], None]


class ValidatorService:
    """Accepts streams from the channel's other consenters."""

    def __init__(
        self, *, consenter_by_tls_certificate: Callable[[bytes], int | None], on_item: ItemHandler
    ) -> None:
        self._consenter_by_tls_certificate = consenter_by_tls_certificate
        self._on_item = on_item

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

    async def _exchange(
        self, requests: AsyncIterator[bytes], context: aio.ServicerContext[bytes, bytes]
    ) -> None:
        sender = self._sender(context)
        if sender is None:
            await context.abort(
                grpc.StatusCode.PERMISSION_DENIED,
                "UNKNOWN_MEMBER: the TLS certificate is not a consenter's of this channel",
            )
            return
        await context.send_initial_metadata(())
        writer = FrameWriter()
        tasks = [
            asyncio.create_task(writer.run(context.write)),
            asyncio.create_task(self._read(sender, requests, writer, context)),
        ]
        try:
            # Without answers a stream is of no use; the other side opens a new one.
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(
        self,
        sender: int,
        requests: AsyncIterator[bytes],
        writer: FrameWriter,
        context: aio.ServicerContext[bytes, bytes],
    ) -> None:
        malformed = 0
        async for raw in requests:
            try:
                frame = decode_frame(raw)
            except InvalidMessage as error:
                malformed += 1
                log.warning("consenter %d sent a broken frame: %s", sender, error)
                if malformed >= MALFORMED_FRAMES_MAX:
                    await context.abort(
                        grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED: too many broken frames"
                    )
                continue
            for item in frame.items:
                self._on_item(sender, item, writer.send)

    def _sender(self, context: aio.ServicerContext[bytes, bytes]) -> int | None:
        auth = context.auth_context()
        pem = next(iter(auth.get("x509_pem_cert", ())), None)
        if pem is None:
            return None
        der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
        return self._consenter_by_tls_certificate(der)

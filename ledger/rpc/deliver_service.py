"""Block streams: protos.Deliver (full, filtered, with private data) and the orderer's Deliver.

A client sends one signed SeekInfo; blocks follow from `start` to `stop`, then a status. Refusals
are statuses inside the stream, as Fabric sends them.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

import grpc

from ledger.errors import InvalidMessage, Reason
from ledger.model.codec import decode_request
from ledger.model.codec_block import decode_block
from ledger.model.codec_filtered import filtered_block, without_transactions
from ledger.model.codec_parsing import length_delimited, parse_message
from ledger.model.codes import HeaderType
from ledger.model.private_rwset import PrivateReadWriteSet, wire_private_read_write_set
from ledger.rpc.access import RequestAccess
from ledger.rpc.block_source import BlockBeforeSnapshot, BlockSource
from ledger.rpc.client_limits import (
    DELIVER,
    QUESTION_BYTES_MAX,
    ClientLimits,
    RefusalCounter,
    Slots,
    require_size,
)
from ledger.rpc.client_streams import (
    ClientTooSlow,
    Context,
    first_in_time,
    give_up,
    write_in_time,
)
from ledger.rpc.status import abort, gateway_error
from ledger.rpc.transport import identity_bytes
from ledger.wire import common_pb2, orderer_pb2, protos_pb2

SEEK_TIME_WINDOW_MS = 15 * 60 * 1000
ENDLESS_STOP = 2**53 - 1
"""SDKs send 2^53-1 and Fabric peers 2^64-1 for "never stop"."""

Encode = Callable[[bytes, bytes], Awaitable[bytes]]
"""From block bytes as stored, which go out unchanged, and who asks, to the stream's response."""
EncodeStatus = Callable[[int], bytes]
PrivateDataOf = Callable[[int, bytes], Awaitable[Mapping[int, PrivateReadWriteSet]]]
"""(block number, who asks) to what they may have of it, by position in the block."""


async def _no_private_data(_number: int, _identity: bytes) -> Mapping[int, PrivateReadWriteSet]:
    return {}


@dataclass(frozen=True, slots=True)
class _Seek:
    start: int
    stop: int | None
    final_status: int
    """Sent after the last block."""
    headers_only: bool = False
    """Of blocks that change no configuration, the header and the metadata with the signatures."""
    identity: bytes = b""


class SeekRefused(Exception):  # noqa: N818 - what happened, not a mistake
    """The stream ends with this common.Status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class DeliverService:
    """All block streams of a peer over one source of committed blocks."""

    def __init__(
        self,
        *,
        channel_id: str,
        source: BlockSource,
        access: RequestAccess,
        clock_ms: Callable[[], int],
        limits: ClientLimits | None = None,
        refusals: RefusalCounter | None = None,
        private_data: PrivateDataOf = _no_private_data,
    ) -> None:
        allowed = limits or ClientLimits()
        self._refusals = refusals or RefusalCounter()
        self._streams = Slots(
            DELIVER,
            "block streams",
            total=allowed.block_streams_max,
            each=allowed.streams_per_identity_max,
        )
        self._opening = Slots(DELIVER, total=allowed.opening_streams_max)
        self._channel_id = channel_id
        self._source = source
        self._access = access
        self._clock_ms = clock_ms
        self._private_data = private_data

    def rpc_handlers(self) -> grpc.GenericRpcHandler:
        """The handler table of protos.Deliver."""
        return grpc.method_handlers_generic_handler(
            "protos.Deliver",
            {
                "Deliver": self._handler(_peer_block, _peer_status),
                "DeliverFiltered": self._handler(self._peer_filtered, _peer_status),
                "DeliverWithPrivateData": self._handler(self._peer_private, _peer_status),
            },
        )

    def orderer_handler(self) -> grpc.RpcMethodHandler:
        """orderer.AtomicBroadcast/Deliver, for Fabric peers that follow our ordering."""
        return self._handler(_orderer_block, _orderer_status)

    def _handler(self, encode: Encode, encode_status: EncodeStatus) -> grpc.RpcMethodHandler:
        async def stream(requests: AsyncIterator[bytes], context: Context) -> None:
            try:
                with self._opening.place():
                    raw = await first_in_time(requests)
                while raw is not None:
                    if not await self._serve(raw, context, encode, encode_status):
                        return
                    raw = await anext(requests, None)
            except ClientTooSlow as error:
                self._refusals.note("Deliver", "TOO_SLOW", str(error))
                give_up(context, error)
            except InvalidMessage as error:
                self._refusals.note("Deliver", error.reason, error.detail)
                await abort(context, gateway_error(error))

        return grpc.stream_stream_rpc_method_handler(stream, identity_bytes, identity_bytes)

    async def _serve(
        self, raw: bytes, context: Context, encode: Encode, encode_status: EncodeStatus
    ) -> bool:
        """Answer one request; false when the stream ends with it."""
        try:
            require_size(raw, QUESTION_BYTES_MAX)
            seek = await self._seek(raw)
            with self._streams.place(seek.identity):
                async for block_raw in self._source.follow_raw(seek.start, seek.stop):
                    self._require_still_allowed(seek.identity)
                    sent = without_transactions(block_raw) if seek.headers_only else block_raw
                    await write_in_time(context, await encode(sent, seek.identity))
        except BlockBeforeSnapshot:
            await write_in_time(context, encode_status(common_pb2.NOT_FOUND))
            return False
        except SeekRefused as refused:
            self._refusals.note("Deliver", common_pb2.Status.Name(refused.status), str(refused))
            await write_in_time(context, encode_status(refused.status))
            return False
        except InvalidMessage as error:
            self._refusals.note("Deliver", error.reason, error.detail)
            overloaded = error.reason is Reason.OVERLOADED
            status = common_pb2.SERVICE_UNAVAILABLE if overloaded else common_pb2.BAD_REQUEST
            await write_in_time(context, encode_status(status))
            return False
        await write_in_time(context, encode_status(seek.final_status))
        return seek.final_status == common_pb2.SUCCESS

    def _require_still_allowed(self, identity: bytes) -> None:
        """Whoever is revoked, expires or leaves while it follows gets no more blocks."""
        try:
            self._access.require_allowed(identity)
        except InvalidMessage as error:
            raise SeekRefused(common_pb2.FORBIDDEN) from error

    async def _peer_filtered(self, block_raw: bytes, _identity: bytes) -> bytes:
        filtered = filtered_block(self._channel_id, decode_block(block_raw))
        return protos_pb2.DeliverResponse(filtered_block=filtered).SerializeToString()

    async def _peer_private(self, block_raw: bytes, identity: bytes) -> bytes:
        private = await self._private_data(decode_block(block_raw).number, identity)
        entries = b"".join(
            protos_pb2.BlockAndPrivateData(
                private_data_map={tx_number: wire_private_read_write_set(sets)}
            ).SerializeToString()
            for tx_number, sets in sorted(private.items())
        )
        block = length_delimited(protos_pb2.BlockAndPrivateData.BLOCK_FIELD_NUMBER, block_raw)
        return length_delimited(
            protos_pb2.DeliverResponse.BLOCK_AND_PRIVATE_DATA_FIELD_NUMBER, block + entries
        )

    async def _seek(self, raw: bytes) -> _Seek:
        try:
            envelope = decode_request(raw)
        except InvalidMessage as error:
            raise SeekRefused(common_pb2.BAD_REQUEST) from error
        header = envelope.header
        if header.channel.type != HeaderType.DELIVER_SEEK_INFO:
            raise SeekRefused(common_pb2.BAD_REQUEST)
        if abs(header.channel.timestamp_ns // 1_000_000 - self._clock_ms()) > SEEK_TIME_WINDOW_MS:
            raise SeekRefused(common_pb2.BAD_REQUEST)
        if header.channel.channel_id != self._channel_id:
            raise SeekRefused(common_pb2.NOT_FOUND)
        try:
            await self._access.admit(header.creator, envelope.payload_raw, envelope.signature)
        except InvalidMessage as error:
            raise SeekRefused(common_pb2.FORBIDDEN) from error
        try:
            info = parse_message(orderer_pb2.SeekInfo, envelope.data_raw)
        except InvalidMessage as error:
            raise SeekRefused(common_pb2.BAD_REQUEST) from error
        return replace(self._range(info), identity=header.creator)

    def _range(self, info: orderer_pb2.SeekInfo) -> _Seek:
        start = self._position(info.start)
        is_oldest = info.stop.WhichOneof("Type") == "oldest"  # Fabric: where it begins it ends
        stop: int | None = start if is_oldest else self._position(info.stop)
        if stop is not None and stop >= ENDLESS_STOP:
            stop = None
        elif stop is not None and start > stop:
            raise SeekRefused(common_pb2.BAD_REQUEST)
        headers_only = info.content_type == orderer_pb2.SeekInfo.HEADER_WITH_SIG
        fail = info.behavior == orderer_pb2.SeekInfo.FAIL_IF_NOT_READY
        if fail and not self._source.has(start):
            raise SeekRefused(common_pb2.NOT_FOUND)
        last = self._source.height - 1
        if fail and (stop is None or stop > last):
            return _Seek(start, last, common_pb2.NOT_FOUND, headers_only)
        return _Seek(start, stop, common_pb2.SUCCESS, headers_only)

    def _position(self, position: orderer_pb2.SeekPosition) -> int:
        kind = position.WhichOneof("Type")
        if kind == "oldest":
            return 0
        if kind == "newest":
            return self._source.height - 1
        if kind == "next_commit":
            return self._source.height
        if kind == "specified":
            return position.specified.number
        raise SeekRefused(common_pb2.BAD_REQUEST)


async def _peer_block(block_raw: bytes, _identity: bytes) -> bytes:
    return length_delimited(protos_pb2.DeliverResponse.BLOCK_FIELD_NUMBER, block_raw)


def _peer_status(status: int) -> bytes:
    response = protos_pb2.DeliverResponse()
    response.status = status  # type: ignore[assignment]  # Fabric's numbers
    return response.SerializeToString()


async def _orderer_block(block_raw: bytes, _identity: bytes) -> bytes:
    return length_delimited(orderer_pb2.DeliverResponse.BLOCK_FIELD_NUMBER, block_raw)


def _orderer_status(status: int) -> bytes:
    response = orderer_pb2.DeliverResponse()
    response.status = status  # type: ignore[assignment]  # Fabric's numbers
    return response.SerializeToString()

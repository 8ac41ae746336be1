"""A client of protos.Deliver: committed blocks as they come, from a given number on."""

import secrets
from collections.abc import AsyncIterator
from time import time_ns

from grpc import aio

from ledger.crypto.signing import SigningIdentity
from ledger.errors import InvalidMessage, Reason
from ledger.model.block import Block
from ledger.model.codec import encode_envelope, encode_request_payload
from ledger.model.codec_block import decode_block
from ledger.model.codec_header import NONCE_BYTES
from ledger.model.codes import HeaderType
from ledger.rpc.transport import identity_bytes
from ledger.wire import common_pb2, orderer_pb2, protos_pb2

ENDLESS = 2**64 - 1


def seek_request(
    identity: SigningIdentity, channel_id: str, first_number: int, last_number: int = ENDLESS
) -> bytes:
    """A signed SeekInfo envelope for the blocks first_number to last_number (inclusive)."""
    info = orderer_pb2.SeekInfo(behavior=orderer_pb2.SeekInfo.BLOCK_UNTIL_READY)
    info.start.specified.number = first_number
    info.stop.specified.number = last_number
    return _signed(identity, channel_id, info)


async def newest_block(channel: aio.Channel, identity: SigningIdentity, channel_id: str) -> Block:
    """The newest block the peer has committed, flags and commit hash in its metadata."""
    info = orderer_pb2.SeekInfo(behavior=orderer_pb2.SeekInfo.BLOCK_UNTIL_READY)
    info.start.newest.SetInParent()
    info.stop.newest.SetInParent()
    async for block in _blocks(channel, _signed(identity, channel_id, info)):
        return block
    raise InvalidMessage(Reason.MALFORMED, "the peer answered without a block")


def _signed(identity: SigningIdentity, channel_id: str, info: orderer_pb2.SeekInfo) -> bytes:
    payload = encode_request_payload(
        header_type=HeaderType.DELIVER_SEEK_INFO,
        channel_id=channel_id,
        creator=identity.serialized,
        nonce=secrets.token_bytes(NONCE_BYTES),
        timestamp_ns=time_ns(),
        data=info.SerializeToString(),
    )
    return encode_envelope(payload, identity.sign(payload))


async def follow_blocks(
    channel: aio.Channel,
    identity: SigningIdentity,
    channel_id: str,
    first_number: int,
    last_number: int = ENDLESS,
) -> AsyncIterator[Block]:
    """Blocks in order; ends after `last_number`.

    Raises InvalidMessage when the peer refuses the request, AioRpcError when the peer is gone.
    """
    request = seek_request(identity, channel_id, first_number, last_number)
    async for block in _blocks(channel, request):
        yield block


async def _blocks(channel: aio.Channel, request: bytes) -> AsyncIterator[Block]:
    deliver = channel.stream_stream("/protos.Deliver/Deliver", identity_bytes, identity_bytes)
    call = deliver()
    await call.write(request)
    try:
        async for raw in call:
            response = protos_pb2.DeliverResponse.FromString(raw)
            if response.WhichOneof("Type") == "status":
                if response.status == common_pb2.NOT_FOUND:
                    raise InvalidMessage(
                        Reason.WRONG_HEIGHT,
                        "the peer has no such channel, or joined it from a later snapshot",
                    )
                if response.status != common_pb2.SUCCESS:
                    raise InvalidMessage(
                        Reason.ROLE_NOT_ALLOWED,
                        f"the peer refuses to deliver blocks: status {response.status}",
                    )
                return
            yield decode_block(response.block.SerializeToString())
    finally:
        call.cancel()

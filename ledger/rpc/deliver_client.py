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
from ledger.model.codes import HeaderType
from ledger.rpc.transport import identity_bytes
from ledger.wire import orderer_pb2, protos_pb2

NONCE_BYTES = 24
ENDLESS = 2**64 - 1


def seek_request(
    identity: SigningIdentity, channel_id: str, first_number: int, last_number: int = ENDLESS
) -> bytes:
    """A signed SeekInfo envelope for the blocks first_number to last_number (inclusive)."""
    info = orderer_pb2.SeekInfo(behavior=orderer_pb2.SeekInfo.BLOCK_UNTIL_READY)
    info.start.specified.number = first_number
    info.stop.specified.number = last_number
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
    deliver = channel.stream_stream("/protos.Deliver/Deliver", identity_bytes, identity_bytes)
    call = deliver()
    await call.write(seek_request(identity, channel_id, first_number, last_number))
    try:
        async for raw in call:
            response = protos_pb2.DeliverResponse.FromString(raw)
            if response.WhichOneof("Type") == "status":
                if response.status != 200:  # noqa: PLR2004 - common.Status SUCCESS
                    raise InvalidMessage(
                        Reason.ROLE_NOT_ALLOWED,
                        f"the peer refuses to deliver blocks: status {response.status}",
                    )
                return
            yield decode_block(response.block.SerializeToString())
    finally:
        call.cancel()

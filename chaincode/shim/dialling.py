"""A contract that dials its peer: Fabric's `protos.ChaincodeSupport/Register`.

For development, and where the peer can be reached and the contract cannot. A stream that ends is
dialled again.
"""

import asyncio
import logging
from dataclasses import dataclass, field

import grpc
from grpc import aio

from chaincode.shim.chaincode import Chaincode
from chaincode.shim.errors import ProtocolError
from chaincode.shim.service import MESSAGE_BYTES_MAX
from chaincode.shim.session import ChaincodeSession
from chaincode.shim.time_limit import TimeLimit

log = logging.getLogger(__name__)

REGISTER_METHOD = "/protos.ChaincodeSupport/Register"
PAUSE_MS_MIN, PAUSE_MS_MAX = 100, 5_000
"""Before dialling again; doubled while nobody answers."""


@dataclass(frozen=True, slots=True)
class PeerTls:
    """PEM bytes: the authority of the peer's certificate, and what is shown to the peer."""

    ca_pem: bytes
    certificate_pem: bytes = b""
    key_pem: bytes = field(default=b"", repr=False)
    server_name: str = ""
    """The name in the peer's certificate where that is not its host."""


class DiallingChaincode:
    """Use from one event loop, in the main thread: `run` until it is cancelled."""

    def __init__(
        self,
        chaincode: Chaincode,
        chaincode_id: str,
        *,
        peer_address: str,
        tls: PeerTls | None = None,
        mspid: str = "",
        time_limit: TimeLimit | None = None,
    ) -> None:
        """`chaincode_id` is the package id, or name:version on a peer in development mode."""
        self._chaincode = chaincode
        self._chaincode_id = chaincode_id
        self._peer_address = peer_address
        self._tls = tls
        self._mspid = mspid
        self._time_limit = time_limit or TimeLimit()

    async def run(self) -> None:
        """Serve the peer, over one stream after another; ProtocolError if it breaks the rules."""
        pause_ms = PAUSE_MS_MIN
        async with self._channel() as channel:
            while True:
                try:
                    if await self._one_stream(channel):
                        pause_ms = PAUSE_MS_MIN
                except aio.AioRpcError as error:
                    reason = f"{error.code().name}: {error.details()}"
                    log.warning("peer %s: %s", self._peer_address, reason)
                await asyncio.sleep(pause_ms / 1000)
                pause_ms = min(2 * pause_ms, PAUSE_MS_MAX)

    async def _one_stream(self, channel: aio.Channel) -> bool:
        """Whether the peer said anything before it ended the stream."""
        session = ChaincodeSession(
            self._chaincode, self._chaincode_id, mspid=self._mspid, time_limit=self._time_limit
        )
        call = channel.stream_stream(REGISTER_METHOD)()
        has_answered = False
        try:
            await call.write(session.hello())
            while (message := await call.read()) is not aio.EOF:
                if not has_answered:
                    has_answered = True
                    log.info("registered at peer %s", self._peer_address)
                for answer in session.receive(message):
                    await call.write(answer)
        except asyncio.InvalidStateError:  # gRPC's word for writing to an ended stream
            log.debug("the stream ended while an answer was written")
        except ProtocolError:
            log.exception("peer %s broke the protocol", self._peer_address)
            raise
        finally:
            call.cancel()
        return has_answered

    def _channel(self) -> aio.Channel:
        options: list[tuple[str, int | str]] = [
            ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
            ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
        ]
        tls = self._tls
        if tls is None:
            return aio.insecure_channel(self._peer_address, options=options)
        if tls.server_name:
            options.append(("grpc.ssl_target_name_override", tls.server_name))
        credentials = grpc.ssl_channel_credentials(
            tls.ca_pem, tls.key_pem or None, tls.certificate_pem or None
        )
        return aio.secure_channel(self._peer_address, credentials, options=options)

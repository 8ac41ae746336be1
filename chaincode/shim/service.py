"""A contract as a service that peers dial: Fabric's `protos.Chaincode/Connect`.

One process serves any number of peers, each over a stream with a session of its own. Contract
code runs in the one thread there is; a function that does not come back within the time limit is
interrupted and fails, and the others go on.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import grpc
from grpc import aio

from chaincode.shim.chaincode import Chaincode
from chaincode.shim.errors import ProtocolError
from chaincode.shim.session import ChaincodeSession
from chaincode.shim.time_limit import TimeLimit

log = logging.getLogger(__name__)

SERVICE_NAME = "protos.Chaincode"
METHOD_NAME = "Connect"
MESSAGE_BYTES_MAX = 100 * 1024 * 1024
"""As a Fabric peer's own limit."""
STREAMS_MAX = 100
"""Peers connected at once."""
PEER_PING_INTERVAL_MS_MIN = 10_000
"""Fabric peers ping every minute by default and may be set to more."""
STOP_GRACE_S = 5.0
"""For transactions that are running when the service is told to stop."""


@dataclass(frozen=True, slots=True)
class ServiceTls:
    """PEM bytes. With `client_ca_pem`, peers must show a certificate that it issued."""

    certificate_pem: bytes
    key_pem: bytes = field(repr=False)
    client_ca_pem: bytes = b""


class ChaincodeService:
    """Use from one event loop, in the main thread: `start`, then `stop`."""

    def __init__(
        self,
        chaincode: Chaincode,
        chaincode_id: str,
        *,
        address: str,
        tls: ServiceTls | None = None,
        mspid: str = "",
        time_limit: TimeLimit | None = None,
    ) -> None:
        """`chaincode_id` is the package id peers expect, `address` host:port (port 0: any)."""
        self._chaincode = chaincode
        self._chaincode_id = chaincode_id
        self._address = address
        self._tls = tls
        self._mspid = mspid
        self._time_limit = time_limit or TimeLimit()
        self._sessions: dict[ChaincodeSession, asyncio.Task[object]] = {}
        """And the task that reads each one's stream."""
        self._is_stopping = False
        self._idle = asyncio.Event()
        self._server: aio.Server | None = None

    async def start(self) -> int:
        """Listen; the port. RuntimeError if the address is taken."""
        server = aio.server(options=_server_options(), maximum_concurrent_rpcs=STREAMS_MAX)
        connect = grpc.stream_stream_rpc_method_handler(self._connect)
        handler = grpc.method_handlers_generic_handler(SERVICE_NAME, {METHOD_NAME: connect})
        server.add_generic_rpc_handlers((handler,))
        if self._tls is None:
            port = server.add_insecure_port(self._address)
        else:
            port = server.add_secure_port(self._address, _credentials(self._tls))
        await server.start()
        self._server = server
        return int(port)

    async def stop(self) -> None:
        """Close the streams, once what runs has finished or its grace is over."""
        if self._server is None:
            return
        self._note_idle()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), STOP_GRACE_S)
        self._is_stopping = True
        for task in self._sessions.values():
            task.cancel()
        await self._server.stop(None)

    async def _connect(
        self, messages: AsyncIterator[bytes], context: "aio.ServicerContext[bytes, bytes]"
    ) -> AsyncIterator[bytes]:
        peer = context.peer()  # asked for now: an ended call has none, and gRPC crashes on it
        session = ChaincodeSession(
            self._chaincode,
            self._chaincode_id,
            mspid=self._mspid,
            time_limit=self._time_limit,
        )
        reading = asyncio.current_task()
        assert reading is not None, "gRPC runs each call in a task"
        self._sessions[session] = reading
        log.info("peer %s is connected", peer)
        yield session.hello()
        try:
            async for message in messages:
                for answer in session.receive(message):
                    yield answer
                self._note_idle()
        except asyncio.CancelledError:
            if not self._is_stopping:
                raise
        except ProtocolError as error:
            log.exception("peer %s broke the protocol", peer)
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        finally:
            del self._sessions[session]
            self._note_idle()
            log.info("peer %s has left", peer)

    def _note_idle(self) -> None:
        if all(session.is_idle for session in self._sessions):
            self._idle.set()
        else:
            self._idle.clear()


def _credentials(tls: ServiceTls) -> grpc.ServerCredentials:
    return grpc.ssl_server_credentials(
        [(tls.key_pem, tls.certificate_pem)],
        root_certificates=tls.client_ca_pem or None,
        require_client_auth=bool(tls.client_ca_pem),
    )


def _server_options() -> Sequence[tuple[str, int]]:
    return (
        ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
        ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
        ("grpc.http2.min_ping_interval_without_data_ms", PEER_PING_INTERVAL_MS_MIN),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.so_reuseport", 0),
    )

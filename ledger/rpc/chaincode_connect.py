"""protos.Chaincode: a chaincode that runs as a service, which the peer dials.

The peer keeps one stream open and dials again when it ends; what a service does to it is seen
by that service's transactions only.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Protocol, cast

import grpc
from grpc import aio

from ledger.endorsement.limits import StreamLimits
from ledger.endorsement.packages.package import ServiceConnection
from ledger.endorsement.runtimes.chaincode_life import LifeParts
from ledger.endorsement.runtimes.peer_session import StreamBroken
from ledger.endorsement.runtimes.runtime import CallChaincode
from ledger.endorsement.runtimes.stream_life import MessageStream, StreamLife
from ledger.endorsement.runtimes.supervision import SupervisedRuntime
from ledger.rpc.transport import channel_options, identity_bytes

CONNECT_METHOD = "/protos.Chaincode/Connect"
DIAL_PAUSE_MS_MIN = 50
DIAL_PAUSE_MS_MAX = 500
"""Between two attempts to reach a service within its dial timeout."""

log = logging.getLogger(__name__)


class _Messages(Protocol):
    """What a client's call and a server's context have in common."""

    async def read(self) -> object: ...

    async def write(self, message: bytes) -> None: ...


class GrpcMessageStream:
    """A gRPC stream of chaincode messages, whichever side dialled."""

    def __init__(self, messages: _Messages) -> None:
        self._messages = messages

    async def read(self) -> bytes | None:
        """See `MessageStream.read`."""
        try:
            message = await self._messages.read()
        except aio.AioRpcError as error:
            raise StreamBroken(_reason(error)) from error
        except (asyncio.InvalidStateError, aio.UsageError) as error:
            raise StreamBroken("the stream has ended") from error
        return None if message is aio.EOF else cast("bytes", message)

    async def write(self, message: bytes) -> None:
        """See `MessageStream.write`."""
        try:
            await self._messages.write(message)
        except aio.AioRpcError as error:
            raise StreamBroken(_reason(error)) from error
        except (asyncio.InvalidStateError, aio.UsageError) as error:
            raise StreamBroken("the stream has ended") from error


class ServiceDialer:
    """Dials one service, again and again."""

    def __init__(self, chaincode_id: str, connection: ServiceConnection) -> None:
        self._chaincode_id = chaincode_id
        self._connection = connection
        self._told = ""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[MessageStream]:
        """A stream that the service has accepted; StreamBroken after the dial timeout."""
        async with _channel(self._connection) as channel:
            call = await self._dial(channel)
            try:
                yield GrpcMessageStream(call)
            finally:
                call.cancel()

    async def _dial(self, channel: aio.Channel) -> "aio.StreamStreamCall[bytes, bytes]":
        connection = self._connection
        connect = channel.stream_stream(CONNECT_METHOD, identity_bytes, identity_bytes)
        reason = "no answer"
        pause_ms = DIAL_PAUSE_MS_MIN
        with suppress(TimeoutError):
            async with asyncio.timeout(connection.dial_timeout_ms / 1000):
                while True:
                    call = connect()
                    try:
                        await call.wait_for_connection()
                    except aio.AioRpcError as error:
                        reason = _reason(error)
                    else:
                        self._tell("")
                        return call
                    await asyncio.sleep(pause_ms / 1000)
                    pause_ms = min(2 * pause_ms, DIAL_PAUSE_MS_MAX)
        self._tell(reason)
        raise StreamBroken(f"connection to {connection.address} failed: {reason}")

    def _tell(self, reason: str) -> None:
        """One log line for each change, not for each attempt."""
        if reason == self._told:
            return
        self._told = reason
        where = (self._chaincode_id, self._connection.address)
        if reason:
            log.warning("chaincode %s at %s cannot be reached: %s", *where, reason)
        else:
            log.info("chaincode %s at %s is connected", *where)


def chaincode_service(
    name: str,
    package_id: str,
    connection: ServiceConnection,
    *,
    limits: StreamLimits | None = None,
    call: CallChaincode | None = None,
) -> SupervisedRuntime:
    """The runtime of chaincode `name` whose service registers as `package_id`."""
    bounds = limits or StreamLimits()
    dialer = ServiceDialer(package_id, connection)

    def new_life(parts: LifeParts) -> StreamLife:
        return StreamLife(package_id, dialer.open, bounds, parts)

    return SupervisedRuntime(name, new_life, bounds, call)


def _channel(connection: ServiceConnection) -> aio.Channel:
    options = channel_options()
    if not connection.tls_required:
        return aio.insecure_channel(connection.address, options=options)
    credentials = grpc.ssl_channel_credentials(connection.root_certificate)
    if connection.client_auth_required:
        credentials = grpc.ssl_channel_credentials(
            connection.root_certificate, connection.client_key, connection.client_certificate
        )
    return aio.secure_channel(connection.address, credentials, options=options)


def _reason(error: aio.AioRpcError) -> str:
    return f"{error.code().name}: {error.details()}"

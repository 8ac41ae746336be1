"""Rows 21, 34, 50: what gRPC itself refuses for us, so that an update of it cannot change it."""

import asyncio
import ssl
import warnings
from contextlib import suppress

import grpc
import pytest
from grpc import aio

from ledger.rpc import transport
from ledger.rpc.transport import (
    CLIENT_MESSAGE_BYTES_MAX,
    CONCURRENT_STREAMS_MAX,
    MESSAGE_BYTES_MAX,
    identity_bytes,
    server_credentials,
    server_options,
)
from tests.support.conditions import until
from tests.support.identities import consortium
from tests.unit.rpc.loopback import serving, unary
from tests.unit.rpc.test_validator_streams import tls_of

pytestmark = pytest.mark.anyio
METHOD = "/hostile.Test/Call"


class Handler:
    """A method that notes what it gets and answers when it is told to."""

    def __init__(self, *, waits: bool = False) -> None:
        self.got: list[int] = []
        self.go_on = asyncio.Event()
        if not waits:
            self.go_on.set()

    async def _call(self, raw: bytes, _context: object) -> bytes:
        self.got.append(len(raw))
        await self.go_on.wait()
        return b"done"

    def table(self) -> grpc.GenericRpcHandler:
        handler = grpc.unary_unary_rpc_method_handler(self._call, identity_bytes, identity_bytes)
        return grpc.method_handlers_generic_handler("hostile.Test", {"Call": handler})


async def test_a_message_that_inflates_beyond_the_limit_is_refused():
    handler = Handler()
    async with serving(handler.table()) as channel:
        call = unary(channel, METHOD)
        small = call(bytes(1024), compression=grpc.Compression.Gzip)
        assert await small == b"done"
        with pytest.raises(aio.AioRpcError) as caught:
            await call(bytes(2 * MESSAGE_BYTES_MAX), compression=grpc.Compression.Gzip)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert handler.got == [1024]


async def test_one_connection_has_so_many_calls_at_once_and_no_more():
    handler = Handler(waits=True)
    async with serving(handler.table()) as channel:
        call = unary(channel, METHOD)
        handler.go_on.set()
        await call(b"the client hears of the limit")
        handler.go_on.clear()
        handler.got.clear()
        calls = [
            asyncio.ensure_future(_awaited(call(b"x"))) for _ in range(CONCURRENT_STREAMS_MAX + 50)
        ]
        await until(lambda: len(handler.got) == CONCURRENT_STREAMS_MAX)
        await asyncio.wait(calls, timeout=0.05)
        assert len(handler.got) == CONCURRENT_STREAMS_MAX
        handler.go_on.set()
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert answers.count(b"done") >= CONCURRENT_STREAMS_MAX


async def _awaited(call: aio.UnaryUnaryCall) -> bytes:
    return await call


def client_context(version: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:eNULL:@SECLEVEL=0")
    context.set_alpn_protocols(["h2"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    return context


@pytest.mark.parametrize(
    ("version", "is_taken"),
    [
        (ssl.TLSVersion.TLSv1, False),
        (ssl.TLSVersion.TLSv1_1, False),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_3, True),
    ],
)
async def test_old_versions_of_tls_are_refused(version, is_taken):
    server = aio.server(options=server_options())
    credentials = server_credentials(lambda: tls_of(consortium(), 0), require_client=False)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        opening = asyncio.open_connection("127.0.0.1", port, ssl=client_context(version))
        if is_taken:
            _, writer = await opening
            cipher, _, bits = writer.get_extra_info("cipher")
            assert "NULL" not in cipher
            assert bits >= 128
            writer.close()
        else:
            with pytest.raises(OSError):
                await opening
    finally:
        await server.stop(0)


async def test_a_connection_without_a_handshake_is_closed(monkeypatch):
    monkeypatch.setattr(transport, "HANDSHAKE_TIMEOUT_MS", 100)
    server = aio.server(options=server_options())
    credentials = server_credentials(lambda: tls_of(consortium(), 0), require_client=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(60):
            with suppress(ConnectionError):
                assert await reader.read() == b""
    finally:
        writer.close()
        await server.stop(0)


async def test_a_cipher_that_hides_nothing_is_refused():
    context = client_context(ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("eNULL:aNULL:@SECLEVEL=0")
    server = aio.server(options=server_options())
    credentials = server_credentials(lambda: tls_of(consortium(), 0), require_client=False)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", port, ssl=context)
    finally:
        await server.stop(0)


def test_fabrics_clients_may_ping_and_send_what_they_may_at_fabric():
    options = dict(server_options(message_bytes_max=CLIENT_MESSAGE_BYTES_MAX))
    fabric_ping_interval_ms = 60_000
    assert options["grpc.http2.min_ping_interval_without_data_ms"] < fabric_ping_interval_ms
    assert options["grpc.keepalive_permit_without_calls"] == 1
    assert options["grpc.max_receive_message_length"] == 100 * 1024 * 1024

"""How often a quiet client may ping: what Fabric's clients do is fine, a flood of pings is not."""

import asyncio
from pathlib import Path

import grpc
import pytest
from grpc import aio

from ledger.rpc import transport
from ledger.rpc.transport import identity_bytes, server_options
from tests.support.node_runtime import node_runtime

pytestmark = [pytest.mark.anyio, pytest.mark.full]

CLIENT = Path(__file__).parent / "fabric_sdk"
PING_INTERVAL_MS = 1_000
"""The shortest that Node's gRPC has."""
QUIET_S = 6
RESOURCE_EXHAUSTED = "8"


async def ending_of_a_quiet_call() -> str:
    """What a client hears that pings all through a call in which nobody says anything."""

    async def wait(_raw: bytes, _context: object) -> bytes:
        await asyncio.sleep(QUIET_S)
        return b""

    server = aio.server(options=server_options())
    handler = grpc.unary_unary_rpc_method_handler(wait, identity_bytes, identity_bytes)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("quiet.Test", {"Wait": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        node = node_runtime()
        done = await asyncio.to_thread(
            node.run,
            "pings.mjs",
            str(port),
            str(PING_INTERVAL_MS),
            folder=node.install_packages(CLIENT),
            timeout_s=60,
        )
    finally:
        await server.stop(0)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


async def test_pings_at_the_allowed_interval(monkeypatch):
    monkeypatch.setattr(transport, "CLIENT_PING_INTERVAL_MS_MIN", PING_INTERVAL_MS * 9 // 10)
    assert await ending_of_a_quiet_call() == "ok"


async def test_pings_far_too_often():
    assert await ending_of_a_quiet_call() == RESOURCE_EXHAUSTED

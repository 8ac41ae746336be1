"""Rows 18, 20, 26, 27: slow, many, ambiguous and misdirected HTTP requests."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import cache

import pytest
import uvicorn
from fastapi import FastAPI

from gateway.api.hosts import HEAD_BYTES_MAX, AllowedHosts
from gateway.application import create_app
from gateway.http_connections import ConnectionLimits
from gateway.server import web_config
from tests.support.conditions import until
from tests.unit.gateway.ledger_double import LedgerDouble, services_over

pytestmark = pytest.mark.anyio
SOON = ConnectionLimits(head_timeout_ms=60, body_timeout_ms=60)
WAIT_S = 60.0


class Client:
    """One connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, text: str | bytes) -> None:
        self.writer.write(text.encode() if isinstance(text, str) else text)
        await self.writer.drain()

    async def answer(self) -> tuple[int, bytes]:
        """Status and body of the next response."""
        async with asyncio.timeout(WAIT_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            lengths = re.findall(r"(?im)^content-length: (\d+)", head)
            body = self.reader.readexactly(int(lengths[0])) if lengths else self.reader.read()
            return int(head.split()[1]), await body

    async def closed(self) -> bytes:
        """What came before the server closed the connection."""
        async with asyncio.timeout(WAIT_S):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""


class Site:
    """A gateway on a port of its own."""

    def __init__(self, server: uvicorn.Server) -> None:
        self.port = server.servers[0].sockets[0].getsockname()[1]
        self.open = server.config.http.keywords["open_connections"]

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Client]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield Client(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def ask(self, text: str | bytes) -> tuple[int, bytes]:
        async with self.connected() as client:
            await client.send(text)
            return await client.answer()


@cache
def app() -> FastAPI:
    """Made once: it takes longer than a test."""
    services = services_over(LedgerDouble(lambda _function, _args: {}))
    return create_app(services, hosts=AllowedHosts.of("127.0.0.1"))


@asynccontextmanager
async def a_site(limits: ConnectionLimits | None = None) -> AsyncIterator[Site]:
    server = uvicorn.Server(web_config(app(), "127.0.0.1", 0, limits))
    server.install_signal_handlers = lambda: None
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup()
    try:
        yield Site(server)
    finally:
        await server.shutdown()


def get(path: str = "/v1/blocks", host: str = "127.0.0.1", *headers: str) -> str:
    return "\r\n".join((f"GET {path} HTTP/1.1", f"Host: {host}", *headers, "", ""))


def post(*headers: str, body: str = "", host: str = "127.0.0.1") -> str:
    head = ("POST /v1/proposals HTTP/1.1", f"Host: {host}", "Content-Type: application/json")
    return "\r\n".join((*head, *headers, "", body))


# -- slow clients ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "begun",
    ["", "G", "GET /v1/blocks HTTP/1.1\r\n", get()[:-2], get() + "GET /v1"],
    ids=["nothing", "a byte", "a line", "all but the end", "a second request"],
)
async def test_a_head_that_does_not_end_closes_the_connection(begun):
    async with a_site(SOON) as site, site.connected() as client:
        await client.send(begun)
        await client.closed()
        assert site.open.refused == {"head too slow": 1}


async def test_bytes_one_by_one_win_no_time():
    async with a_site(SOON) as site, site.connected() as client:
        closed = asyncio.create_task(client.closed())
        while not closed.done():
            client.writer.write(b"X")
            await asyncio.sleep(0.005)
        assert site.open.refused == {"head too slow": 1}


async def test_a_body_that_does_not_end_closes_the_connection():
    async with a_site(SOON) as site, site.connected() as client:
        await client.send(post("Content-Length: 1000", body='{"creator":'))
        await client.closed()
        assert site.open.refused == {"body too slow": 1}


async def test_who_asks_in_time_may_wait_for_the_answer_and_ask_again():
    async with a_site(SOON) as site, site.connected() as client:
        for _ in range(3):
            await client.send(get())
            assert (await client.answer())[0] == 200
        assert not site.open.refused


# -- many and large -------------------------------------------------------------------------------


async def test_connections_of_an_address_and_of_all_are_limited():
    for limits in (
        ConnectionLimits(connections_per_address_max=2),
        ConnectionLimits(connections_max=2),
    ):
        async with a_site(limits) as site, AsyncExitStack() as stack:
            first = await stack.enter_async_context(site.connected())
            second = await stack.enter_async_context(site.connected())
            for client in (first, second):
                await client.send(get())
                await client.answer()
            async with site.connected() as third:
                assert (await third.closed()).startswith(b"HTTP/1.1 503 ")
            await first.send(get())
            assert (await first.answer())[0] == 200
            second.writer.close()
            await until(lambda site=site: site.open.by_address.total() == 1)
            assert (await site.ask(get()))[0] == 200


async def test_only_a_trusted_proxy_speaks_for_its_clients():
    seen: list[str] = []

    async def app_that_notes(scope, receive, send) -> None:
        if scope["type"] == "http":
            seen.append(scope["client"][0])
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    for proxies in ((), ("127.0.0.9",), ("127.0.0.1",)):
        config = web_config(app_that_notes, "127.0.0.1", 0, trusted_proxies=proxies)
        config.lifespan = "off"
        config.load()
        scope = {
            "type": "http",
            "client": ("127.0.0.1", 1),
            "scheme": "http",
            "headers": [(b"x-forwarded-for", b"203.0.113.7")],
        }

        async def nothing(*_: object) -> None: ...

        await config.loaded_app(scope, nothing, nothing)
    assert seen == ["127.0.0.1", "127.0.0.1", "203.0.113.7"]


async def test_a_head_larger_than_its_limit_is_refused():
    large = get("/v1/blocks", "127.0.0.1", f"X: {'x' * HEAD_BYTES_MAX}")
    async with a_site() as site:
        assert (await site.ask(large))[0] == 400


# -- one reading ----------------------------------------------------------------------------------

AMBIGUOUS = {
    "length and chunks": post("Content-Length: 2", "Transfer-Encoding: chunked", body="0\r\n\r\n"),
    "two lengths": post("Content-Length: 2", "Content-Length: 3", body="{}"),
    "a signed length": post("Content-Length: +2", body="{}"),
    "a negative length": post("Content-Length: -2", body="{}"),
    "chunks of another coding": post("Transfer-Encoding: chunked, identity", body="0\r\n\r\n"),
    "a space before the colon": get("/v1/blocks", "127.0.0.1", "Content-Length : 2"),
    "a bare line feed in a name": get("/v1/blocks", "127.0.0.1", "A\nB: c"),
    "no host": "GET /v1/blocks HTTP/1.1\r\n\r\n",
    "two hosts": get("/v1/blocks", "127.0.0.1", "Host: 127.0.0.1"),
    "another version": "GET /v1/blocks HTTP/3.0\r\nHost: 127.0.0.1\r\n\r\n",
}


@pytest.mark.parametrize("request_text", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
async def test_a_request_with_two_readings_is_refused(request_text):
    async with a_site() as site:
        status, _ = await site.ask(request_text)
        assert status == 400


async def test_a_query_that_is_no_ascii_is_refused():
    raw = b"GET /v1/blocks?limit=\xff HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with a_site() as site:
        assert (await site.ask(raw))[0] == 400
        assert (await site.ask(get("/v1/blocks?limit=%ff")))[0] == 422


async def test_broken_chunks_are_refused_and_the_connection_is_closed():
    async with a_site() as site, site.connected() as client:
        await client.send(post("Transfer-Encoding: chunked", body="zz\r\n{}\r\n"))
        assert b" 400 " in (await client.closed())[:20]


# -- meant for somebody else ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", ""]
)
async def test_another_site_s_name_for_our_address_is_refused(host):
    async with a_site() as site:
        status, body = await site.ask(get(host=host))
        assert status == 400
        assert json.loads(body)["type"] == "/problems/malformed-request"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1234", "[::1]:80", "LOCALHOST"])
async def test_our_own_names_are_answered(host):
    async with a_site() as site:
        assert (await site.ask(get(host=host)))[0] == 200


def test_who_listens_everywhere_names_its_names_or_takes_all():
    assert AllowedHosts.of("0.0.0.0").allows(b"anything")
    named = AllowedHosts.of("0.0.0.0", ("energy.example",))
    assert named.allows(b"energy.example:443")
    assert not named.allows(b"evil.example")


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "DEBUG", "PATCH", "DELETE"])
async def test_other_methods_are_refused(method):
    async with a_site() as site:
        status, body = await site.ask(get().replace("GET", method, 1))
        assert status == 405
        assert json.loads(body)["type"] == "/problems/method-not-allowed"


async def test_no_other_origin_is_allowed_and_no_form_passes_for_json():
    async with a_site() as site, site.connected() as client:
        await client.send(get("/v1/blocks", "127.0.0.1", "Origin: https://evil.example"))
        async with asyncio.timeout(WAIT_S):
            head = await client.reader.readuntil(b"\r\n\r\n")
        assert b"access-control" not in head.lower()
        form = post("Content-Length: 2", body="{}").replace("application/json", "text/plain")
        assert (await site.ask(form))[0] == 415

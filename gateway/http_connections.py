"""HTTP connections within limits: how many there are, and how long one may take to ask.

uvicorn bounds neither the time a request takes to arrive nor the connections of one address, so
its protocol is extended here. A request has one reading only: both `Content-Length` and
`Transfer-Encoding`, or a header given in a form that h11 refuses, end the connection.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

CLOSING = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What clients may do before a request is complete."""

    connections_max: int = 2_000
    connections_per_address_max: int = 64
    """Browsers open six each; a household's agents and devices may share an address."""
    head_timeout_ms: int = 10_000
    """From the connection, or the first byte of a further request, to the end of its headers."""
    body_timeout_ms: int = 30_000
    """From the end of the headers to the end of the body."""


@dataclass(slots=True)
class OpenConnections:
    """All connections of one server."""

    limits: ConnectionLimits
    proxies: frozenset[str] = frozenset()
    """Addresses that carry many clients: only the limit of all connections counts for them."""
    by_address: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    """How often a connection was closed, by reason."""

    def admit(self, address: str) -> bool:
        """Count a connection unless there are too many."""
        if self.by_address.total() >= self.limits.connections_max:
            self.refused["too many connections"] += 1
        elif self._is_one_too_many(address):
            self.refused["too many connections of one address"] += 1
        else:
            self.by_address[address] += 1
            return True
        return False

    def _is_one_too_many(self, address: str) -> bool:
        if address in self.proxies:
            return False
        return self.by_address[address] >= self.limits.connections_per_address_max

    def left(self, address: str) -> None:
        """One connection less."""
        self.by_address[address] -= 1
        if not self.by_address[address]:
            del self.by_address[address]


class LimitedHttp(H11Protocol):
    """uvicorn's protocol with deadlines for each part of a request."""

    def __init__(self, *arguments: Any, open_connections: OpenConnections, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._open = open_connections
        self._address: str | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._awaited = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connected; one too many is told so and closed."""
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        if not self._open.admit(address):
            transport.write(CLOSING)
            transport.close()
            return
        self._address = address
        self._await("head", self._open.limits.head_timeout_ms)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed, by whomever."""
        self._await("")
        if self._address is not None:
            self._open.left(self._address)
            self._address = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request; they move its deadline only when they complete a part."""
        if self._address is None:
            return
        super().data_received(data)
        self._set_deadline()

    def on_response_complete(self) -> None:
        """Uvicorn may begin with the next request of a pipeline here."""
        super().on_response_complete()
        self._set_deadline()

    def _set_deadline(self) -> None:
        state = self.conn.their_state
        if state is h11.SEND_BODY:
            self._await("body", self._open.limits.body_timeout_ms)
        elif state is h11.IDLE and self.conn.trailing_data[0]:
            self._await("head", self._open.limits.head_timeout_ms)
        elif state is not h11.IDLE or self.cycle is not None:
            # Complete, or between two requests, where uvicorn's own timeout counts.
            self._await("")

    def _await(self, part: str, timeout_ms: int = 0) -> None:
        """Let a deadline run for this part, one that runs for it already goes on; "": none."""
        if part == self._awaited:
            return
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._awaited = part
        if part:
            self._deadline = self.loop.call_later(timeout_ms / 1000, self._late)

    def _late(self) -> None:
        self._open.refused[f"{self._awaited} too slow"] += 1
        self.transport.close()


def limited_http(connections: OpenConnections) -> type[asyncio.Protocol]:
    """What uvicorn is given as its `http`."""
    made: Callable[..., LimitedHttp] = partial(LimitedHttp, open_connections=connections)
    return cast(type[asyncio.Protocol], made)

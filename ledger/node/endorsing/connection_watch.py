"""Waiting until another validator connects."""

import asyncio


class ConnectionWatch:
    """Told of every new connection; wakes everyone who waits for one."""

    def __init__(self) -> None:
        self._connected = asyncio.Event()

    def connected(self) -> None:
        """A stream to another validator is open."""
        connected, self._connected = self._connected, asyncio.Event()
        connected.set()

    async def next_connection(self) -> None:
        """Return when the next one is."""
        await self._connected.wait()

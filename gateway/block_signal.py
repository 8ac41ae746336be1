"""Waiting for the next block that the projection has applied."""

import asyncio


class BlockSignal:
    """Wakes everyone who waits for a block after a given height."""

    def __init__(self) -> None:
        self._height = 0
        self._changed = asyncio.Condition()

    async def announce(self, height: int) -> None:
        """The projection has applied `height` blocks."""
        async with self._changed:
            self._height = height
            self._changed.notify_all()

    async def next(self, height: int) -> None:
        """Return when more than `height` blocks are applied."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._height > height)

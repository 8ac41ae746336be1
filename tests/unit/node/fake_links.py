"""The streams to the other validators, with nobody at the other end but the test."""

import asyncio
from collections.abc import Callable

from ledger.wire.validator_pb2 import Item

WAIT_S = 60.0


class FakeLinks:
    """Records what is sent; `up` says who can be reached."""

    def __init__(self, *up: int) -> None:
        self.up = set(up)
        self.sent: list[tuple[int, Item]] = []
        self._changed = asyncio.Event()

    @property
    def connected_ids(self) -> tuple[int, ...]:
        return tuple(sorted(self.up))

    def send(self, consenter_id: int, item: Item) -> bool:
        if consenter_id not in self.up:
            return False
        self.sent.append((consenter_id, item))
        self._changed.set()
        return True

    def broadcast(self, item: Item) -> None:
        for consenter_id in self.connected_ids:
            self.send(consenter_id, item)

    def of(self, kind: str) -> list[tuple[int, Item]]:
        return [(to, item) for to, item in self.sent if item.WhichOneof("kind") == kind]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return once enough was sent to make the condition true."""
        async with asyncio.timeout(WAIT_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

"""Committed blocks in order, waiting for the next one: what every stream to a client reads."""

from collections.abc import AsyncIterator
from typing import Protocol

from ledger.model.block import Block
from ledger.rpc.commit_notifier import CommitNotifier


class BlockReader(Protocol):
    """Where committed blocks are stored."""

    def height(self) -> int:
        """Number of blocks."""

    def block(self, number: int) -> Block | None:
        """The block, or None when it is not committed."""


class BlockSource:
    """Reads committed blocks and waits for more."""

    def __init__(self, reader: BlockReader, notifier: CommitNotifier) -> None:
        self._reader = reader
        self._notifier = notifier

    @property
    def height(self) -> int:
        """Number of committed blocks."""
        return self._notifier.height

    async def follow(self, start: int, stop: int | None = None) -> AsyncIterator[Block]:
        """Blocks `start` to `stop` (included; None: for ever), each as soon as it is committed."""
        number = start
        while stop is None or number <= stop:
            await self._notifier.wait_for_height(number + 1)
            block = self._reader.block(number)
            assert block is not None, "a committed block is readable"
            yield block
            number += 1

    def has(self, number: int) -> bool:
        """Whether the block is committed."""
        return number < self._notifier.height

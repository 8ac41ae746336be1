"""Committed blocks in order, waiting for the next one: what every stream to a client reads."""

from collections.abc import AsyncIterator
from typing import Protocol

import grpc

from ledger.model.block import Block
from ledger.model.codec_block import decode_block
from ledger.rpc.commit_notifier import CommitNotifier
from ledger.rpc.status import GatewayError


class BlockReader(Protocol):
    """Where committed blocks are stored."""

    def height(self) -> int:
        """Number of blocks."""

    def block_raw(self, number: int) -> bytes | None:
        """Block bytes as stored; None when it is not committed, or before a snapshot."""


class BlockBeforeSnapshot(GatewayError):  # noqa: N818 - what is asked for
    """The block was committed, but this peer's ledger began with a later snapshot."""

    def __init__(self, number: int) -> None:
        super().__init__(
            grpc.StatusCode.NOT_FOUND,
            f"this peer joined from a snapshot and does not have block {number}; ask another peer",
        )


class BlockSource:
    """Reads committed blocks and waits for more."""

    def __init__(self, reader: BlockReader, notifier: CommitNotifier) -> None:
        self._reader = reader
        self._notifier = notifier

    @property
    def height(self) -> int:
        """Number of committed blocks."""
        return self._notifier.height

    async def follow(self, start: int) -> AsyncIterator[Block]:
        """Blocks from `start` on, for ever, each as soon as it is committed.

        Raises BlockBeforeSnapshot.
        """
        async for raw in self.follow_raw(start):
            yield decode_block(raw)

    async def follow_raw(self, start: int, stop: int | None = None) -> AsyncIterator[bytes]:
        """The bytes of blocks `start` to `stop` (included; None: for ever), as stored.

        Raises BlockBeforeSnapshot.
        """
        number = start
        while stop is None or number <= stop:
            await self._notifier.wait_for_height(number + 1)
            raw = self._reader.block_raw(number)
            if raw is None:
                raise BlockBeforeSnapshot(number)
            yield raw
            number += 1

    def has(self, number: int) -> bool:
        """Whether the block is committed."""
        return number < self._notifier.height

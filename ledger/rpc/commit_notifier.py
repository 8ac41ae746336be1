"""Who waits for which transaction or height, told when a block is committed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.errors import InvalidMessage, Reason
from ledger.model.codes import ValidationCode

WAITERS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class CommittedTransaction:
    """Where a transaction ended up and with which code."""

    tx_id: str
    code: ValidationCode
    block_number: int


class CommitNotifier:
    """Single-threaded: called and awaited on the node's event loop only."""

    def __init__(self, height: int) -> None:
        self._height = height
        self._grown = asyncio.Event()
        self._waiting: dict[str, list[asyncio.Future[CommittedTransaction]]] = {}
        self._waiters = 0

    @property
    def height(self) -> int:
        """Number of committed blocks."""
        return self._height

    def committed(self, height: int, transactions: Sequence[CommittedTransaction]) -> None:
        """Tell everyone who waits; the block is durable by now."""
        self._height = height
        for transaction in transactions:
            for future in self._waiting.pop(transaction.tx_id, ()):
                if not future.done():
                    future.set_result(transaction)
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    async def wait_for_transaction(self, tx_id: str) -> CommittedTransaction:
        """The transaction's fate once a block carries it; the caller sets the deadline."""
        if self._waiters >= WAITERS_MAX:
            raise InvalidMessage(Reason.OVERLOADED, "too many callers wait for commit status")
        future: asyncio.Future[CommittedTransaction] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tx_id, []).append(future)
        self._waiters += 1
        try:
            return await future
        finally:
            self._waiters -= 1
            self._forget(tx_id, future)

    async def wait_for_height(self, height: int) -> None:
        """Return once at least `height` blocks are committed."""
        while self._height < height:
            await self._grown.wait()

    def _forget(self, tx_id: str, future: asyncio.Future[CommittedTransaction]) -> None:
        futures = self._waiting.get(tx_id)
        if futures is None or future not in futures:
            return
        futures.remove(future)
        if not futures:
            del self._waiting[tx_id]

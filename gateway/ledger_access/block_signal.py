"""Waiting for blocks: for the next one, or for the one that holds a certain transaction."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gateway.readmodel.records import TransactionRecord

Outcome = asyncio.Future[TransactionRecord]


class BlockSignal:
    """Wakes those who wait. One per process: replicas see the same blocks, each by itself."""

    def __init__(self) -> None:
        self.height = 0
        """Blocks announced; the read model has at least these."""
        self._changed = asyncio.Condition()
        self._outcomes: defaultdict[str, set[Outcome]] = defaultdict(set)

    async def announce(self, height: int, transactions: Sequence[TransactionRecord] = ()) -> None:
        """The read model has `height` blocks; the newest of them holds these transactions."""
        for record in transactions:
            for outcome in self._outcomes.get(record.tx_id, ()):
                if not outcome.done():
                    outcome.set_result(record)
        async with self._changed:
            self.height = max(self.height, height)
            self._changed.notify_all()

    async def next(self, height: int) -> None:
        """Return when more than `height` blocks are applied."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.height > height)

    @contextmanager
    def outcome_of(self, tx_id: str) -> Iterator[Outcome]:
        """A future with the transaction's record, once a block that comes from now on holds it."""
        outcome: Outcome = asyncio.get_running_loop().create_future()
        self._outcomes[tx_id].add(outcome)
        try:
            yield outcome
        finally:
            self._outcomes[tx_id].discard(outcome)
            if not self._outcomes[tx_id]:
                del self._outcomes[tx_id]

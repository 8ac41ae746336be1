"""Transactions accepted for ordering and not yet in a block.

A pool keeps arrival order, refuses duplicates and is bounded in number and bytes. It does no
I/O and reads no clock: the node checks signatures before `add` and tells it what committed.
Transactions enter on the event loop and leave on the consensus thread, hence the lock.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ledger.errors import InvalidMessage, Reason
from ledger.model.transaction import Envelope


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """How much may wait for ordering."""

    transactions_max: int = 5_000
    transactions_per_creator_max: int = 500
    """Of one certificate, so that no client displaces the others."""
    bytes_max: int = 64 * 1024 * 1024
    transaction_bytes_max: int = 1024 * 1024


@dataclass(frozen=True, slots=True)
class BlockLimits:
    """How much one block may carry (channel configuration)."""

    transactions_max: int = 500
    bytes_max: int = 2 * 1024 * 1024
    transaction_bytes_max: int = 1024 * 1024
    """No larger transaction enters a pool, so none has a place in a block."""
    absolute_bytes_max: int = 8 * 1024 * 1024
    """No block is larger than this, even one with a single transaction."""


class TransactionPool:
    """Waiting envelopes by transaction id, in order of arrival."""

    def __init__(self, limits: PoolLimits) -> None:
        self._limits = limits
        self._waiting: dict[str, Envelope] = {}
        self._of_creator: Counter[bytes] = Counter()
        self._bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, tx_id: str) -> bool:
        return tx_id in self._waiting

    def get(self, tx_id: str) -> Envelope | None:
        """The waiting envelope with this transaction id."""
        return self._waiting.get(tx_id)

    def check_size(self, raw: bytes) -> None:
        """Raise InvalidMessage OVERSIZED for an envelope that no pool takes."""
        if len(raw) > self._limits.transaction_bytes_max:
            raise InvalidMessage(
                Reason.OVERSIZED,
                f"transaction of {len(raw)} bytes, at most {self._limits.transaction_bytes_max}",
            )

    def add(self, envelope: Envelope, *, is_committed: Callable[[str], bool]) -> bool:
        """Keep an envelope; false when it already waits (adding twice is not an error).

        Raises InvalidMessage REPLAYED for one that is in the ledger by now, OVERSIZED for a
        single envelope above the limit and OVERLOADED when the pool is full or its creator's share
        is; nothing is evicted to make room.
        """
        self.check_size(envelope.raw)
        size = len(envelope.raw)
        with self._lock:
            if envelope.tx_id in self._waiting:
                return False
            # Inside the lock: a commit either is seen here or removes the envelope afterwards.
            if is_committed(envelope.tx_id):
                raise InvalidMessage(
                    Reason.REPLAYED, f"transaction {envelope.tx_id} is already in the ledger"
                )
            full = len(self._waiting) >= self._limits.transactions_max
            if full or self._bytes + size > self._limits.bytes_max:
                raise InvalidMessage(
                    Reason.OVERLOADED, "transaction pool is full, try again later"
                )
            creator = envelope.header.creator
            if self._of_creator[creator] >= self._limits.transactions_per_creator_max:
                raise InvalidMessage(
                    Reason.OVERLOADED,
                    f"{self._of_creator[creator]} transactions of this identity wait already",
                )
            self._waiting[envelope.tx_id] = envelope
            self._of_creator[creator] += 1
            self._bytes += size
        return True

    def remove(self, tx_ids: Iterable[str]) -> None:
        """Forget transactions that are in a committed block, whatever their validation code."""
        with self._lock:
            for tx_id in tx_ids:
                self._forget(tx_id)

    def remove_entries(self, raws: Iterable[bytes]) -> None:
        """Forget transactions by their bytes: some are recorded without their id."""
        with self._lock:
            recorded = set(raws)
            for tx_id in [i for i, e in self._waiting.items() if e.raw in recorded]:
                self._forget(tx_id)

    def _forget(self, tx_id: str) -> None:
        envelope = self._waiting.pop(tx_id, None)
        if envelope is None:
            return
        self._bytes -= len(envelope.raw)
        creator = envelope.header.creator
        self._of_creator[creator] -= 1
        if not self._of_creator[creator]:
            del self._of_creator[creator]

    def oldest(self, limits: BlockLimits) -> tuple[Envelope, ...]:
        """The next batch in order of arrival within the block limits; nothing is removed.

        A configuration stands alone. What became too large for a block by a change of limits is
        passed over.
        """
        batch: list[Envelope] = []
        size = 0
        largest = min(limits.transaction_bytes_max, limits.absolute_bytes_max)
        for envelope in self.all():
            if len(envelope.raw) > largest:
                continue
            size += len(envelope.raw)
            if len(batch) >= limits.transactions_max or (batch and size > limits.bytes_max):
                break
            if envelope.is_config:
                return tuple(batch) or (envelope,)
            batch.append(envelope)
        return tuple(batch)

    def all(self) -> tuple[Envelope, ...]:
        """Everything that waits, oldest first (to send to a peer that reconnects)."""
        with self._lock:
            return tuple(self._waiting.values())

"""What the gateway needs of a ledger, named for the need; `gateway.ledger_link` provides it."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from ledger.model.block import Block


class Ledger(Protocol):
    """One channel through one peer. Every call raises `gateway.errors.LedgerRefusal`."""

    channel_id: str

    async def endorse(self, tx_id: str, proposal: bytes, signature: bytes) -> bytes:
        """Collect endorsements; returns the envelope payload the client has to sign."""

    async def submit(self, tx_id: str, payload: bytes, signature: bytes) -> None:
        """Hand a signed transaction to ordering; returns when a quorum holds it."""

    async def evaluate(self, function: str, args: Sequence[str]) -> bytes:
        """Ask a contract as the gateway's own identity; nothing is ordered."""

    async def height(self) -> int:
        """How many blocks the ledger has now."""

    def blocks(self, first_number: int) -> AsyncIterator[Block]:
        """Committed blocks from `first_number` on, without end."""

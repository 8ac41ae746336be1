"""What a good ledger turned out to contain."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Findings:
    """Counts, and the hashes to compare with other validators' ledgers."""

    genesis_hash: bytes
    first_block: int = 0
    """Where the unbroken row of blocks begins: later than 0 after a snapshot."""
    blocks: int = 0
    transactions: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    unjudged: Counter[int] = field(default_factory=Counter)
    """Refused transactions, by code, that this reading can open and finds nothing wrong with."""
    states: int = 0
    tip_hash: bytes = b""
    commit_hash: bytes = b""

    def count(self, codes: bytes) -> None:
        """One more block."""
        self.blocks += 1
        self.transactions += len(codes)
        self.codes.update(codes)

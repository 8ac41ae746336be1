"""What the audit asks of whoever stores a ledger."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from ledger.audit.state_digest import Place
from ledger.audit.world_state import StateKey, StateValue


class Savepoint(NamedTuple):
    """What a ledger says of its newest block."""

    height: int
    last_config: int
    """Number of the newest configuration block."""
    tip_hash: bytes
    commit_hash: bytes
    state_digest: bytes


class StoredLedger(Protocol):
    """What a peer has on disk."""

    def block(self, number: int) -> bytes | None:
        """The stored bytes of a block."""
        ...

    def block_numbers(self) -> Iterable[int]:
        """Numbers of all stored blocks, ascending."""
        ...

    def first_block(self) -> int:
        """Number of the first block of the unbroken row; later than 0 after a snapshot."""
        ...

    def named_ledger(self) -> tuple[bytes | None, bytes | None]:
        """(channel id, hash of the genesis block) as a peer noted them; None: gone."""
        ...

    def marked_namespaces(self) -> Iterable[str]:
        """Namespaces in which a peer looks for metadata; in others it takes none to exist."""
        ...

    def savepoint(self) -> Savepoint:
        """What the peer takes for its newest block."""
        ...

    def states(self) -> Iterable[tuple[StateKey, StateValue]]:
        """The whole world state."""
        ...

    def transactions(self) -> Iterable[tuple[str, Place]]:
        """The index of transactions."""
        ...

    def block_hashes(self) -> Iterable[tuple[bytes, int]]:
        """The index of blocks by hash."""
        ...

    def history(self) -> Iterable[tuple[str, str, int, int]]:
        """(namespace, key, block number, index) of every recorded write."""
        ...

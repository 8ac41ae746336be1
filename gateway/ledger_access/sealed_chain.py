"""The gateway believes no peer: every block it follows is checked against the one before.

The checks are those of `gridledger verify-chain` (`ledger.audit.chain`): parent, data hash, Merkle
root, configuration, and seals of a quorum of the validators in force. What the seals vote on is
the whole block with the state after its parent, so a peer can only withhold blocks, not make them.
"""

from collections.abc import Callable

from ledger.audit.block_reading import read_block
from ledger.audit.chain import (
    ChainBroken,
    ChainHead,
    extend_chain,
    resume_chain,
    start_chain,
)
from ledger.audit.seals import is_good_seal
from ledger.audit.wire_fields import BrokenBytes

StoredBlocks = Callable[[int], bytes | None]
"""Bytes of a block that was checked before, by its number."""


class SealedChain:
    """Follows one chain; `genesis_hash` is that of the block 0 agreed on, if it is known."""

    def __init__(
        self, head: ChainHead | None = None, *, genesis_hash: bytes | None = None
    ) -> None:
        self._head = head
        self._genesis_hash = genesis_hash

    @classmethod
    def behind(
        cls, number: int, stored: StoredBlocks, *, genesis_hash: bytes | None = None
    ) -> "SealedChain":
        """A chain whose next block is `number`; the blocks before it are stored."""
        if number == 0:
            return cls(genesis_hash=genesis_hash)
        newest = stored(number - 1)
        if newest is None:
            raise ChainBroken(number - 1, "is not stored")
        configuration = stored(_last_config(newest))
        if configuration is None:
            raise ChainBroken(number - 1, "names a configuration block that is not stored")
        return cls(resume_chain(newest, configuration), genesis_hash=genesis_hash)

    def check(self, raw: bytes) -> None:
        """Accept the next block; `ChainBroken` says what is wrong with it, then it is not part."""
        if self._head is not None:
            self._head = extend_chain(self._head, raw, seal_is_good=is_good_seal)
            return
        head = start_chain(raw)
        if self._genesis_hash is not None and head.block_hash != self._genesis_hash:
            raise ChainBroken(0, "is not the genesis block agreed on")
        self._head = head


def genesis_hash_of(raw: bytes) -> bytes:
    """The hash of a genesis block file; `ValueError` if it holds none."""
    try:
        return read_block(raw).block_hash
    except BrokenBytes as error:
        raise ValueError(f"this is no block: {error}") from error


def _last_config(raw: bytes) -> int:
    try:
        return read_block(raw).last_config
    except BrokenBytes as error:
        raise ChainBroken(None, f"a stored block cannot be read: {error}") from error

"""When the hashes of private values leave the world state: the collection's block-to-live.

What expires in which block is itself part of the world state, in a namespace no chaincode has. So
every peer removes the same hashes in the same block, a snapshot carries the schedule, and the
commit hash vouches for it. An entry is named by the block that removes and by the hash; its
version is the write's, and a key written again since then stays.
"""

from collections.abc import Iterator

from ledger.model.rwset import Version
from ledger.model.state import KeyUpdate, StateKey, StateReader

EXPIRY_NAMESPACE = "$$expiry"
_NUMBER_DIGITS = 16
_SEPARATOR = "\0"


def scheduled(hashed: StateKey, version: Version, expires_at: int) -> tuple[StateKey, KeyUpdate]:
    """The entry that lets a hash expire when block `expires_at` commits."""
    key = _SEPARATOR.join((_number(expires_at), *hashed))
    return (EXPIRY_NAMESPACE, key), KeyUpdate(b"", version)


def due(state: StateReader, block_number: int) -> Iterator[tuple[StateKey, StateKey, Version]]:
    """(entry, hash, version of the write) of everything that block `block_number` removes."""
    end = _number(block_number + 1)
    for key, entry in state.range_state(EXPIRY_NAMESPACE, "", end):
        # A collection's name may hold any character, the hash at the end is hexadecimal.
        namespace, _, key_hash = key[_NUMBER_DIGITS + 1 :].rpartition(_SEPARATOR)
        yield (EXPIRY_NAMESPACE, key), (namespace, key_hash), entry.version


def _number(block_number: int) -> str:
    return f"{block_number:0{_NUMBER_DIGITS}x}"

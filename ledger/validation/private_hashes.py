"""Whether private writes are what the ledger has the hashes of.

Whoever sends them may lie, so every key and value is compared. A set from which a member removed
purged keys has another hash as a whole and is still good for what is left.
"""

from collections.abc import Mapping

from ledger.crypto.hashing import sha256
from ledger.errors import InvalidMessage, Reason
from ledger.model.private_rwset import PrivateWrites, decode_private_writes
from ledger.model.rwset import CollectionReadWriteSet, KeyWrite
from ledger.model.state import StateReader, hashed_key, hashed_namespace


def require_hashed(raw: bytes, public: CollectionReadWriteSet) -> PrivateWrites:
    """Decoded private writes, each with its hash in the transaction.

    Raises InvalidMessage DIGEST_MISMATCH for a write that the transaction does not have, also
    MALFORMED or OVERSIZED.
    """
    private = decode_private_writes(raw)
    expected = {
        write.key_hash: b"" if write.is_delete or write.is_purge else write.value_hash
        for write in public.hashed_writes
    }
    metadata = {write.key_hash for write in public.hashed_metadata_writes}
    _require_values(private, expected)
    for key in private.metadata_keys:
        if sha256(key.encode()) not in metadata:
            raise InvalidMessage(
                Reason.DIGEST_MISMATCH, "metadata of a private key that the ledger does not name"
            )
    return private


def is_whole(
    private: PrivateWrites,
    raw: bytes,
    public: CollectionReadWriteSet,
    *,
    namespace: str,
    state: StateReader,
) -> bool:
    """Whether nothing that counts is left out of private writes.

    What was replaced or purged since may be gone; a value whose hash is in the state may not.
    """
    if sha256(raw) == public.private_rwset_hash:
        return True
    there = {sha256(write.key.encode()) for write in private.writes}
    space = hashed_namespace(namespace, public.collection)
    for write in public.hashed_writes:
        held = state.get_state(space, hashed_key(write.key_hash))
        in_force = held is not None and held.value == write.value_hash and not write.is_delete
        if in_force and write.key_hash not in there:
            return False
    return True


def values_in_force(
    raw: bytes, state: StateReader, namespace: str, collection: str
) -> tuple[KeyWrite, ...]:
    """Of private values that came without their transaction, those the state has the hash of."""
    space = hashed_namespace(namespace, collection)
    kept = []
    for write in decode_private_writes(raw).writes:
        held = state.get_state(space, hashed_key(sha256(write.key.encode())))
        if held is not None and write.value and held.value == sha256(write.value):
            kept.append(write)
    return tuple(kept)


def _require_values(private: PrivateWrites, expected: Mapping[bytes, bytes]) -> None:
    seen = set()
    for write in private.writes:
        key_hash = sha256(write.key.encode())
        value_hash = sha256(write.value) if write.value and not write.is_delete else b""
        if key_hash in seen or expected.get(key_hash) != value_hash:
            raise InvalidMessage(
                Reason.DIGEST_MISMATCH, "a private write that the ledger has no hash of"
            )
        seen.add(key_hash)

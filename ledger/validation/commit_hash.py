"""The chained hash over validation codes, changes and state: equal on every correct peer.

Each block's signed metadata carries the commit hash of the block before, so a commit seal also
votes on the state: a peer whose state diverges cannot follow and stops.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.crypto.hashing import sha256
from ledger.crypto.set_digest import EMPTY_SET, SetDigest
from ledger.model.codes import ValidationCode
from ledger.model.state import KeyUpdate, StateKey, StateReader, StateUpdates
from ledger.validation.state_digest import digest_after, state_hash
from ledger.validation.transaction_index import RecordedTransaction

_DOMAIN = b"gridledger commit hash v2"
_LENGTH = struct.Struct(">I")
_VERSION = struct.Struct(">QIB")
_METADATA_COUNT = struct.Struct(">H")


@dataclass(frozen=True, slots=True)
class StateCommitment:
    """What a ledger's outcome up to a block is known by, and what the next block needs of it."""

    commit_hash: bytes
    digest: SetDigest
    """Of world state and used transaction ids after the block."""


BEFORE_GENESIS = StateCommitment(commit_hash=b"", digest=EMPTY_SET)


def commitment_after(
    before: StateCommitment,
    *,
    block_number: int,
    codes: Sequence[ValidationCode],
    updates: StateUpdates,
    recorded: Sequence[RecordedTransaction],
    state: StateReader,
) -> StateCommitment:
    """The commitment after a block; `state` is the world state before it."""
    digest = digest_after(before.digest, block_number, updates, recorded, state)
    after = commit_hash(before.commit_hash, codes, updates_hash(updates), state_hash(digest))
    return StateCommitment(after, digest)


def commit_hash(
    previous: bytes, codes: Sequence[ValidationCode], changes: bytes, state: bytes
) -> bytes:
    """Commit hash after a block, 32 bytes.

    `previous` is the commit hash after the block before (empty for the genesis block), `changes`
    the `updates_hash`, `state` the `state_hash` after the block. Every part is preceded by its
    length, so no two histories share an input. Changes and state enter as hashes: a receipt
    proves a code without showing them.
    """
    parts = (_DOMAIN, previous, bytes(codes), changes, state)
    return sha256(b"".join(map(_sized, parts)))


def updates_hash(updates: StateUpdates) -> bytes:
    """SHA-256, 32 bytes, over what a block changes, keys in bytewise order."""
    parts = [_LENGTH.pack(len(updates.keys))]
    for state_key in sorted(updates.keys):
        _append_update(parts, state_key, updates.keys[state_key])
    return sha256(b"".join(parts))


def _append_update(parts: list[bytes], state_key: StateKey, update: KeyUpdate) -> None:
    namespace, key = state_key
    exists = update.value is not None
    parts += (
        _sized(namespace.encode()),
        _sized(key.encode()),
        _VERSION.pack(update.version.block_number, update.version.tx_number, exists),
        _sized(update.value or b""),
        _METADATA_COUNT.pack(len(update.metadata)),
    )
    for name, content in update.metadata:
        parts += (_sized(name.encode()), _sized(content))


def _sized(content: bytes) -> bytes:
    return _LENGTH.pack(len(content)) + content

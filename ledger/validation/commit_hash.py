"""The chained hash over validation codes and state: equal on every correct peer.

Each block's signed metadata carries the commit hash of the block before, so a commit seal also
votes on the state: a peer whose state diverges cannot follow and stops.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.crypto.hashing import sha256
from ledger.crypto.set_digest import EMPTY_SET, SetDigest
from ledger.model.codes import ValidationCode
from ledger.model.state import StateReader, StateUpdates
from ledger.validation.state_digest import digest_after, state_hash
from ledger.validation.transaction_index import RecordedTransaction

_DOMAIN = b"gridledger commit hash v3"
_LENGTH = struct.Struct(">I")


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
    genesis_hash: bytes,
    block_number: int,
    codes: Sequence[ValidationCode],
    outcome: bytes,
    updates: StateUpdates,
    recorded: Sequence[RecordedTransaction],
    state: StateReader,
) -> StateCommitment:
    """The commitment after a block; `state` is the world state before it.

    `outcome` is the block's `ledger.validation.outcome.outcome_hash`.
    """
    digest = digest_after(before.digest, block_number, updates, recorded, state)
    after = commit_hash(
        genesis_hash=genesis_hash,
        previous=before.commit_hash,
        codes=bytes(codes),
        outcome=outcome,
        state=state_hash(digest),
    )
    return StateCommitment(after, digest)


def commit_hash(
    *, genesis_hash: bytes, previous: bytes, codes: bytes, outcome: bytes, state: bytes
) -> bytes:
    """Commit hash after a block, 32 bytes.

    `genesis_hash` is the genesis block's, so that a proof means nothing on another chain of the
    same validators; `previous` the commit hash after the block before (empty for the genesis
    block), `codes` one byte for each entry, `outcome` the block's outcome hash, `state` the
    `state_hash` after the block. Every part is preceded by its length, so no two histories share
    an input.
    """
    return sha256(b"".join(map(_sized, (_DOMAIN, genesis_hash, previous, codes, outcome, state))))


def _sized(content: bytes) -> bytes:
    return _LENGTH.pack(len(content)) + content

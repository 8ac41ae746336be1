"""Reading a snapshot and checking it, frame by frame, in bounded memory.

Nothing in it is believed. Who seals is followed from the operator's genesis block; the state is
summed up again and must be what the seals of the block after it name. What a ledger database
would hold is handed on as it is read, so it counts only when the reading ends well.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import BinaryIO

from ledger.crypto.hashing import block_hash
from ledger.errors import InvalidMessage
from ledger.model.block import (
    SLOT_SIGNATURES,
    SLOT_TRANSACTIONS_FILTER,
    Block,
    BlockSignatures,
    ConsenterMetadata,
)
from ledger.model.codec import decode_entry
from ledger.model.codec_block import (
    decode_block,
    decode_block_signatures,
    decode_consenter_metadata,
    encode_block,
    encode_commit_hash,
)
from ledger.model.codes import ValidationCode
from ledger.node.snapshots.records import RecordSum, Writes
from ledger.node.snapshots.trust import TrustChain
from ledger.ordering.seals import seals_only
from ledger.storage import keyspace
from ledger.storage.keyspace import Savepoint
from ledger.storage.snapshot_errors import SnapshotProblem, SnapshotRefused
from ledger.storage.snapshot_file import (
    Counts,
    FrameKind,
    Head,
    decode_end,
    decode_head,
    read_frames,
)
from ledger.validation.commit_hash import commit_hash
from ledger.validation.outcome import outcome_hash
from ledger.validation.state_digest import state_hash

Sink = Callable[[Writes], None]

_ONCE = (FrameKind.HEAD, FrameKind.BLOCK, FrameKind.NEXT, FrameKind.END)
_CODES = frozenset(ValidationCode)


@dataclass(frozen=True, slots=True)
class SnapshotFindings:
    """A snapshot that was found good."""

    head: Head
    counts: Counts
    block_hash: bytes
    block_time_ms: int
    commit_hash: bytes
    """After the snapshot's block, as the seals of the next block name it."""
    last_config_number: int
    sealed_by: tuple[tuple[int, str], ...]
    """(consenter id, MSP id) of those whose seals vouch for the state."""
    validators: int
    last_writes: tuple[tuple[bytes, bytes | None], ...]
    """What makes a ledger of the records: the block and the savepoint."""


@dataclass(frozen=True, slots=True)
class _Proven:
    """The snapshot's block and what its seals and the next block's say."""

    block: Block
    block_time_ms: int
    commit_hash_before: bytes
    commit_hash: bytes
    signers: frozenset[int]


def read_snapshot(file: BinaryIO, genesis: Block, sink: Sink) -> SnapshotFindings:
    """Check all of a snapshot; raises SnapshotRefused naming what is wrong.

    `genesis` is the operator's own copy; NodeFault when it is none. `sink` gets the records of a
    ledger database.
    """
    reading = _Reading(genesis, sink)
    for kind, payload in read_frames(file):
        reading.take(kind, payload)
    return reading.findings()


class _Reading:
    """What is known after the frames so far."""

    def __init__(self, genesis: Block, sink: Sink) -> None:
        self._genesis = genesis
        self._trust = TrustChain(genesis)
        self._sink = sink
        self._seen: set[FrameKind] = set()
        self._head = Head("", b"", 0)
        self._block: tuple[Block, ConsenterMetadata] | None = None
        self._proven: _Proven | None = None
        self._config_blocks = 0
        self._records = RecordSum()
        self._told: Counts | None = None

    def take(self, kind: FrameKind, payload: bytes) -> None:
        """One frame; kinds come ascending."""
        missing = [one for one in _ONCE if one < kind and one not in self._seen]
        if missing:
            raise SnapshotRefused(
                SnapshotProblem.OUT_OF_ORDER, f"{kind.name} comes without {missing[0].name}"
            )
        if kind in _ONCE and kind in self._seen:
            raise SnapshotRefused(SnapshotProblem.OUT_OF_ORDER, f"{kind.name} comes twice")
        self._seen.add(kind)
        if kind is FrameKind.HEAD:
            self._take_head(decode_head(payload))
        elif kind is FrameKind.CONFIG:
            self._take_config(_block(payload))
        elif kind is FrameKind.BLOCK:
            self._take_block(_block(payload))
        elif kind is FrameKind.NEXT:
            self._take_next(_block(payload))
        elif kind is FrameKind.END:
            self._told = decode_end(payload)
        else:
            self._sink(self._records.take(kind, payload, up_to=self._head.block_number))

    def _take_head(self, head: Head) -> None:
        channel_id = self._trust.state.config.channel_id
        if head.channel_id != channel_id:
            raise SnapshotRefused(
                SnapshotProblem.OTHER_CHANNEL, f"it is of {head.channel_id!r}, not {channel_id!r}"
            )
        if head.genesis_hash != block_hash(self._genesis.header):
            raise SnapshotRefused(
                SnapshotProblem.OTHER_GENESIS, "it begins with another genesis block than yours"
            )
        if head.block_number == 0:
            raise SnapshotRefused(SnapshotProblem.BAD_BLOCK, "the state after block 0 is empty")
        self._head = head

    def _take_config(self, block: Block) -> None:
        if block.number >= self._head.block_number:
            raise SnapshotRefused(
                SnapshotProblem.BEYOND_ITS_HEIGHT, f"it holds configuration block {block.number}"
            )
        self._trust.follow(block)
        self._config_blocks += 1
        # Nobody vouches here for the commit hash after this block.
        self._sink(_block_writes(block, state=b"", after=b""))

    def _take_block(self, block: Block) -> None:
        if block.number != self._head.block_number:
            raise SnapshotRefused(
                SnapshotProblem.BAD_BLOCK,
                f"block {block.number} in a snapshot of block {self._head.block_number}",
            )
        codes = block.metadata[SLOT_TRANSACTIONS_FILTER]
        if len(codes) != len(block.entries) or not set(codes) <= _CODES:
            raise SnapshotRefused(SnapshotProblem.BAD_BLOCK, "its codes do not fit its entries")
        self._block = block, self._trust.check_sealed(block)

    def _take_next(self, following: Block) -> None:
        """Header and seals of the block that votes on the state."""
        assert self._block is not None, "frames come in order"
        block, sealed = self._block
        if following.number != block.number + 1 or following.entries:
            raise SnapshotRefused(SnapshotProblem.BAD_BLOCK, "NEXT is no header of the next block")
        if following.header.previous_hash != block_hash(block.header):
            raise SnapshotRefused(
                SnapshotProblem.BAD_BLOCK, f"block {following.number} follows another block"
            )
        signed = _signatures(following)
        if _config_before(signed) == block.number:
            self._trust.follow(block)
        promised = self._trust.check_header_sealed(following)
        if promised.block_time_ms <= sealed.block_time_ms:
            raise SnapshotRefused(SnapshotProblem.BAD_BLOCK, "the next block is not later")
        self._proven = _Proven(
            block=block,
            block_time_ms=sealed.block_time_ms,
            commit_hash_before=sealed.previous_commit_hash,
            commit_hash=promised.previous_commit_hash,
            signers=frozenset(one.consenter_id for one in signed.signatures),
        )

    def findings(self) -> SnapshotFindings:
        """The verdict, once END was read."""
        proven = self._proven
        assert proven is not None, "END comes last"
        counts = replace(self._records.counts, config_blocks=self._config_blocks)
        if self._told != counts:
            raise SnapshotRefused(
                SnapshotProblem.WRONG_COUNT, f"it says {self._told} and holds {counts}"
            )
        state = state_hash(self._records.digest)
        found = self._commit_hash(proven, state)
        if found != proven.commit_hash:
            raise SnapshotRefused(
                SnapshotProblem.OTHER_STATE,
                "its codes, values and transactions are not the state that block"
                f" {proven.block.number + 1} was sealed on",
            )
        channel = self._trust.state
        members = {one.consenter_id: one.mspid for one in channel.config.consenters}
        savepoint = Savepoint(
            height=proven.block.number + 1,
            last_config_number=channel.config_block,
            tip_hash=block_hash(proven.block.header),
            commit_hash=found,
            state_digest=self._records.digest,
        )
        return SnapshotFindings(
            head=self._head,
            counts=counts,
            block_hash=savepoint.tip_hash,
            block_time_ms=proven.block_time_ms,
            commit_hash=found,
            last_config_number=channel.config_block,
            sealed_by=tuple((signer, members[signer]) for signer in sorted(proven.signers)),
            validators=len(members),
            last_writes=(
                *_block_writes(
                    proven.block, state=encode_commit_hash(state), after=encode_commit_hash(found)
                ),
                # The genesis block's note of what it replaced; the new tip has none.
                (keyspace.BEFORE_TIP_KEY, None),
                (keyspace.FIRST_BLOCK_KEY, keyspace.encode_number(proven.block.number)),
                (keyspace.SAVEPOINT_KEY, keyspace.encode_savepoint(savepoint)),
            ),
        )

    def _commit_hash(self, proven: _Proven, state: bytes) -> bytes:
        """What the state that was read and the block's codes lead to."""
        block = proven.block
        codes = [ValidationCode(code) for code in block.metadata[SLOT_TRANSACTIONS_FILTER]]
        return commit_hash(
            genesis_hash=self._head.genesis_hash,
            previous=proven.commit_hash_before,
            codes=bytes(codes),
            outcome=outcome_hash(
                block.number, block.entries, list(map(decode_entry, block.entries)), codes
            ),
            state=state,
        )


def _block(raw: bytes) -> Block:
    try:
        return decode_block(raw)
    except InvalidMessage as error:
        raise SnapshotRefused(SnapshotProblem.DAMAGED, str(error)) from error


def _signatures(block: Block) -> BlockSignatures:
    try:
        return decode_block_signatures(block.metadata[SLOT_SIGNATURES])
    except InvalidMessage as error:
        raise SnapshotRefused(SnapshotProblem.BAD_SEALS, str(error)) from error


def _config_before(signed: BlockSignatures) -> int:
    try:
        return decode_consenter_metadata(signed.consenter_metadata_raw).config_before
    except InvalidMessage as error:
        raise SnapshotRefused(SnapshotProblem.BAD_SEALS, str(error)) from error


def _block_writes(block: Block, *, state: bytes, after: bytes) -> Writes:
    """A block as a ledger stores it, without what nobody signed."""
    _, _, codes, _, _ = block.metadata
    stored = replace(block, metadata=(seals_only(_signatures(block)), b"", codes, state, after))
    number = keyspace.encode_number(block.number)
    return [
        (keyspace.block_key(block.number), encode_block(stored)),
        (keyspace.block_by_hash_key(block_hash(block.header)), number),
    ]

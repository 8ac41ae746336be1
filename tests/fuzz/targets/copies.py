"""Copies of a ledger: snapshots, and stored blocks as the independent verifier reads them."""

import struct

from ledger.audit.block_reading import read_block
from ledger.audit.read_write_sets import read_write_sets
from ledger.audit.transaction_reading import read_entry
from ledger.audit.wire_fields import BrokenBytes
from ledger.model.codec_rwset import encode_read_write_set
from ledger.storage.snapshot_errors import SnapshotRefused
from ledger.storage.snapshot_file import MAGIC, FrameKind
from tests.fuzz import samples
from tests.fuzz.engine import Attempt, FuzzTarget, Shape
from tests.support.snapshot_world import read, reconfigured, snapshot_of, written

SNAPSHOT_BYTES_MAX = 256 * 1024
AUDITED_BYTES_MAX = 16 * 1024
"""The verifier reads in Python and in a command of its own: nobody waits for it."""
_FRAME_HEAD = struct.Struct(">BI")
_CHECKSUM_BYTES = 4
_VERSION_BYTES = 4


def _snapshots() -> list[bytes]:
    return [snapshot_of(samples.world()), snapshot_of(reconfigured())]


def _reading() -> Attempt:
    genesis = samples.world().consortium.genesis
    return lambda raw: read(raw, genesis)


def _reading_forged() -> Attempt:
    """Frames as they are found in the input, with good checksums and a good running hash."""
    genesis = samples.world().consortium.genesis
    return lambda raw: read(written(_frames(raw)), genesis)


def _frames(raw: bytes) -> list[tuple[FrameKind, bytes]]:
    at, frames = len(MAGIC) + _VERSION_BYTES, []
    while at + _FRAME_HEAD.size <= len(raw):
        kind, length = _FRAME_HEAD.unpack_from(raw, at)
        at += _FRAME_HEAD.size
        known = list(FrameKind)
        frames.append((known[kind % len(known)] if kind > len(known) else FrameKind(kind or 1),
                       raw[at : at + length]))  # fmt: skip
        at += length + _CHECKSUM_BYTES
    return frames


def _audited_block(raw: bytes) -> None:
    for entry in read_block(raw).entries[:4]:
        read_entry(entry)


TARGETS = (
    FuzzTarget(
        "snapshot",
        "a snapshot file",
        _snapshots,
        _reading,
        SNAPSHOT_BYTES_MAX,
        allowed=(SnapshotRefused,),
        shape=Shape.BYTES,
    ),
    FuzzTarget(
        "snapshot-forged",
        "a snapshot file whose forger repaired the checksums",
        _snapshots,
        _reading_forged,
        SNAPSHOT_BYTES_MAX,
        allowed=(SnapshotRefused,),
        shape=Shape.BYTES,
    ),
    FuzzTarget(
        "audited-block",
        "a stored block as the independent verifier reads it",
        samples.block_bytes,
        lambda: _audited_block,
        AUDITED_BYTES_MAX,
        allowed=(BrokenBytes,),
    ),
    FuzzTarget(
        "audited-results",
        "read-write sets as the independent verifier reads them",
        lambda: [encode_read_write_set(one) for one in samples.read_write_sets()],
        lambda: read_write_sets,
        AUDITED_BYTES_MAX,
        allowed=(BrokenBytes,),
    ),
)

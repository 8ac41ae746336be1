"""A ledger worth copying, its snapshot, and ways to write a snapshot that lies."""

import io
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest

from ledger.model.block import Block
from ledger.node.snapshots.reading import SnapshotFindings, read_snapshot
from ledger.storage.snapshot_errors import SnapshotProblem, SnapshotRefused
from ledger.storage.snapshot_export import export_snapshot
from ledger.storage.snapshot_file import FrameKind, FrameWriter, decode_end, read_frames
from tests.support.config_world import ConfigWorld
from tests.support.ledger_world import LedgerWorld, delete, market, put

RECORD_LENGTHS = struct.Struct(">II")
END_COUNTS = struct.Struct(">QQQ")

Frames = list[tuple[FrameKind, bytes]]


def filled(world: LedgerWorld, *, blocks: int = 4) -> LedgerWorld:
    """Values written, replaced and deleted, conflicts, and repeated transactions."""
    for number in range(blocks):
        writes = [put("shared", b"%d" % number), put(f"own{number}", b"v" * number or b"-")]
        stale = world.transaction(market(reads=[world.read("shared")]))
        entry = world.transaction(market(writes=writes))
        gone = world.transaction(market(writes=[delete(f"own{number - 1}")]))
        world.commit(entry, stale, gone)
    return world


def reconfigured() -> ConfigWorld:
    """Four validators become five, then one of the first leaves; blocks in between."""
    world = ConfigWorld()
    world.follow(world.transaction(market(writes=[put("a", b"1")])))
    world.reconfigure(world.with_consenters(*world.config.consenters, world.candidate(5)))
    world.follow(world.transaction(market(writes=[put("b", b"2")])), signers=(2, 3, 4, 5))
    _, *staying = world.config.consenters
    world.reconfigure(
        world.with_consenters(*staying, removed_consenter_id=1),
        signers=(2, 3, 4, 5),
    )
    for value in (b"3", b"4"):
        world.follow(world.transaction(market(writes=[put("c", value)])), signers=(3, 4, 5))
    return world


def snapshot_of(world: LedgerWorld) -> bytes:
    """The file as `gridledger snapshot create` writes it."""
    file = io.BytesIO()
    export_snapshot(world.kv, world.store, file)
    return file.getvalue()


def read(raw: bytes, genesis: Block) -> SnapshotFindings:
    return read_snapshot(io.BytesIO(raw), genesis, lambda _: None)


def problem(raw: bytes, world: LedgerWorld) -> SnapshotProblem:
    """Why this file is refused; it must be."""
    with pytest.raises(SnapshotRefused) as refused:
        read(raw, world.consortium.genesis)
    return refused.value.problem


def records(*pairs: tuple[bytes, bytes]) -> bytes:
    """The payload of a frame of these records."""
    return b"".join(
        RECORD_LENGTHS.pack(len(key), len(value)) + key + value for key, value in pairs
    )


def end(config_blocks: int, values: int, transactions: int) -> bytes:
    """The payload of the last frame, its running hash left empty."""
    return END_COUNTS.pack(config_blocks, values, transactions) + bytes(32)


def frames_of(raw: bytes) -> Frames:
    return list(read_frames(io.BytesIO(raw)))


def written(frames: Iterable[tuple[FrameKind, bytes]]) -> bytes:
    """A file of these frames with good checksums and a good running hash; END has its counts."""
    file = io.BytesIO()
    writer = FrameWriter(file)
    for kind, payload in frames:
        if kind is FrameKind.END:
            writer.end(decode_end(payload))
        else:
            writer.write(kind, payload)
    return file.getvalue()


@dataclass(frozen=True)
class Forger:
    """Changes parts of a good snapshot and repairs everything that needs no key."""

    raw: bytes

    def with_frame(self, kind: FrameKind, change: Callable[[bytes], bytes], nth: int = 0) -> bytes:
        """The n-th frame of a kind has another payload."""
        frames = frames_of(self.raw)
        place = [at for at, (found, _) in enumerate(frames) if found is kind][nth]
        frames[place] = kind, change(frames[place][1])
        return written(frames)

    def without(self, kind: FrameKind) -> bytes:
        return written([frame for frame in frames_of(self.raw) if frame[0] is not kind])

    def with_frames(self, change: Callable[[Frames], Frames]) -> bytes:
        return written(change(frames_of(self.raw)))

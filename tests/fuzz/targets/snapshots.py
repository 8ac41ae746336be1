"""A snapshot from a stranger: the file, and what stands in frames whose checksums are good."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from ledger.model.block import Block
from ledger.node.snapshots.reading import read_snapshot
from ledger.storage.snapshot_errors import SnapshotRefused
from ledger.storage.snapshot_file import FrameKind
from tests.fuzz.engine import Attempt, FuzzTarget, Shape
from tests.support.config_world import ConfigWorld
from tests.support.ledger_world import LedgerWorld
from tests.support.snapshot_world import Frames, filled, frames_of, snapshot_of, written

FILE_BYTES_MAX = 512 * 1024
FRAME_BYTES_MAX = 128 * 1024


@dataclass(frozen=True)
class _Sample:
    """A ledger and its snapshot."""

    genesis: Block
    raw: bytes

    def read(self, raw: bytes) -> None:
        read_snapshot(io.BytesIO(raw), self.genesis, lambda _: None)

    def payloads(self, kind: FrameKind) -> list[bytes]:
        return [payload for found, payload in frames_of(self.raw) if found is kind]

    def inside(self, kind: FrameKind) -> Attempt:
        """The input in place of the first frame of a kind."""
        frames = frames_of(self.raw)
        place = next(at for at, one in enumerate(frames) if one[0] is kind)

        def attempt(raw: bytes) -> None:
            changed: Frames = [*frames]
            changed[place] = kind, raw
            self.read(written(changed))

        return attempt


@cache
def _plain() -> _Sample:
    world = filled(LedgerWorld(), blocks=3)
    return _Sample(world.consortium.genesis, snapshot_of(world))


@cache
def _configured() -> _Sample:
    """A fifth validator joined."""
    world = ConfigWorld()
    world.reconfigure(world.with_consenters(*world.config.consenters, world.candidate(5)))
    for _ in range(2):
        world.follow(signers=(1, 2, 3, 5))
    return _Sample(world.consortium.genesis, snapshot_of(world))


def _frame_target(kind: FrameKind, about: str, sample: Callable[[], _Sample]) -> FuzzTarget:
    holds_block = kind in (FrameKind.CONFIG, FrameKind.BLOCK, FrameKind.NEXT)
    return FuzzTarget(
        f"snapshot-{kind.name.lower()}",
        about,
        lambda: sample().payloads(kind),
        lambda: sample().inside(kind),
        FRAME_BYTES_MAX,
        allowed=(SnapshotRefused,),
        shape=Shape.WIRE if holds_block else Shape.BYTES,
    )


TARGETS = (
    FuzzTarget(
        "snapshot-file",
        "a snapshot file, with whatever a disk or a liar made of it",
        lambda: [_plain().raw],
        lambda: _plain().read,
        FILE_BYTES_MAX,
        allowed=(SnapshotRefused,),
        shape=Shape.BYTES,
    ),
    _frame_target(FrameKind.HEAD, "what a snapshot says it is", _plain),
    _frame_target(FrameKind.CONFIG, "a configuration block in a snapshot", _configured),
    _frame_target(FrameKind.BLOCK, "a snapshot's own block", _plain),
    _frame_target(FrameKind.NEXT, "the seals that vouch for a snapshot", _plain),
    _frame_target(FrameKind.STATE, "values in a snapshot", _plain),
    _frame_target(FrameKind.TRANSACTIONS, "transaction ids in a snapshot", _plain),
)

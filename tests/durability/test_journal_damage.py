"""A validator starts on a journal that is cut or changed at every byte: it repeats or it observes.

The journal is one that the driver wrote: two heights decided, the third one locked and its round
given up. Only a last record that nobody was told about may be missing without a word.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ledger.storage.length_mark import LengthMark
from ledger.wire.validator_pb2 import Item
from tests.durability.crash_stage import (
    JOURNAL,
    OTHERS,
    CrashStage,
    decide_first,
    decide_second,
    require_sound,
)
from tests.durability.crashing_disk import CrashingDisk, Image, image_of, load
from tests.durability.real_stage import transactions

MARK = JOURNAL.with_name("journal.mark")


class NotingStage(CrashStage):
    """Notes how long the journal was when each message left."""

    def __init__(self, folder: Path) -> None:
        self.sent_at: list[int] = []
        super().__init__(folder, transactions(), rotation_bytes=1 << 20)

    def _on_sent(self, item: Item) -> None:
        self.sent_at.append(len(self.disk.names[JOURNAL].content))
        super()._on_sent(item)


@dataclass(frozen=True)
class Written:
    """A validator stopped at height 3, and its journal after each record."""

    stage: CrashStage
    image: Image
    ends: list[int]
    marks: list[bytes]
    said: list
    """All it ever sent, and below how long the journal was then."""
    said_at: list[int]

    @property
    def journal(self) -> bytes:
        return self.image.files[JOURNAL]

    def start_on(self, journal: bytes, mark: bytes, *, dies_at: int = 1 << 60) -> CrashStage:
        """Start on this journal and ask for votes that contradict what was sent.

        What was sent when the journal was longer than `dies_at` was not sent in this life.
        """
        stage = self.stage
        load(stage.disk, self.image, {JOURNAL: journal, MARK: mark})
        stage.sent = [m for m, at in zip(self.said, self.said_at, strict=True) if at <= dies_at]
        stage.news.clear()
        stage.start()
        rival = stage.world.block(transactions()[9], proposer=OTHERS[2])
        stage.receive(stage.world.proposal(rival))
        stage.receive(*[stage.world.prepare(i, rival) for i in OTHERS])
        changes = tuple(stage.world.round_change(i, 1) for i in OTHERS)
        stage.receive(*changes)
        require_sound(stage)
        return stage


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Written:
    stage = NotingStage(tmp_path_factory.mktemp("journal"))
    stage.start()
    decide_first(stage)
    decide_second(stage)
    world = stage.world
    block = stage.proposed(OTHERS[2], stage.transactions[2])
    stage.receive(world.proposal(block), *[world.prepare(i, block) for i in OTHERS])
    stage.wait(2_500)
    image = image_of(stage.disk)
    ends = frame_ends(image.files[JOURNAL])
    marks = [mark_at(image.files[JOURNAL], end) for end in ends]
    assert marks[-1] == image.files[MARK]
    return Written(stage, image, ends, marks, list(stage.sent), list(stage.sent_at))


def frame_ends(journal: bytes) -> list[int]:
    """Where each frame ends: 16 bytes of header with the length at 4, payload, checksum."""
    ends = [0]
    while ends[-1] < len(journal):
        (length,) = struct.unpack_from(">I", journal, ends[-1] + 4)
        ends.append(ends[-1] + 16 + length + 4)
    return ends[1:]


def mark_at(journal: bytes, size_bytes: int) -> bytes:
    """The mark as it was when the journal had this length."""
    disk = CrashingDisk()
    (first,) = struct.unpack_from(">I", journal, frame_ends(journal)[0] - 4)
    LengthMark(JOURNAL, disk).write(first=first, size_bytes=size_bytes)
    return bytes(disk.names[MARK].content)


def is_observer(stage: CrashStage) -> bool:
    return stage.core.state.quarantine is not None


def cuts(written: Written) -> Iterator[int]:
    return iter(range(written.ends[-4], written.ends[-1]))


def test_the_journal_has_records_to_cut(written):
    assert len(written.ends) >= 10


def test_a_torn_end_loses_only_what_was_never_acknowledged(written):
    """Every byte of the last three records, each time with the mark of the record before."""
    for cut in cuts(written):
        last_whole = max(i for i, end in enumerate(written.ends) if end <= cut)
        stage = written.start_on(written.journal[:cut], written.marks[last_whole], dies_at=cut)
        assert not is_observer(stage), f"cut at {cut}"


def test_a_cut_into_what_was_acknowledged_makes_an_observer_at_every_byte(written):
    for cut in cuts(written):
        stage = written.start_on(written.journal[:cut], written.marks[-1])
        assert is_observer(stage), f"cut at {cut}"
        kept = stage.disk.names[Path("/disk/journal.damaged-1")]
        assert bytes(kept.content) == written.journal[:cut]


@pytest.mark.parametrize("bit", [0, 7])
def test_every_flipped_byte_of_the_last_record_is_damage_with_and_without_the_mark(written, bit):
    """A full frame whose checksum fails is no torn end: it is named, set aside, never guessed."""
    for position in range(written.ends[-2], written.ends[-1]):
        changed = bytearray(written.journal)
        changed[position] ^= 1 << bit
        for mark in (written.marks[-1], b""):
            stage = written.start_on(bytes(changed), mark)
            assert is_observer(stage), f"byte {position}"
            cause = stage.journal.content.quarantine.cause
            assert f"damaged at byte {written.ends[-2]}" in cause


def test_flipped_bytes_anywhere_are_damage(written):
    for position in range(0, written.ends[-2], 61):
        changed = bytearray(written.journal)
        changed[position] ^= 0x40
        stage = written.start_on(bytes(changed), b"")
        assert is_observer(stage), f"byte {position}"


def test_an_untouched_journal_is_believed(written):
    assert not is_observer(written.start_on(written.journal, written.marks[-1]))

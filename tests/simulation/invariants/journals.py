"""I11: what leaves a validator is on its disk first, read from the bytes that a crash leaves.

The journal is read here by its file format alone, frame by frame, and only what is new of it.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from ledger.audit.block_reading import block_id, header_der
from ledger.audit.wire_fields import read_fields
from tests.simulation.invariants.mail import Mail
from tests.simulation.observer import Violation
from tests.simulation.oracle import COMMIT, PREPARE, PROPOSAL, ROUND_CHANGE, Statement

if TYPE_CHECKING:
    from tests.simulation.disk import SimulatedDisk
    from tests.simulation.node import SimNode

_FRAME = struct.Struct(">IIII")
_ENTRY = struct.Struct(">BI")
_SLOT = struct.Struct(">QQB")
_DIGEST = struct.Struct(">H")
_RECORD, _VOTE = 1, 2
_KINDS = {
    b"Proposal": PROPOSAL,
    b"Prepare": PREPARE,
    b"Commit": COMMIT,
    b"RoundChange": ROUND_CHANGE,
}

Saying = tuple[int, int, int, bytes]
"""(kind, height, round, digest): what a validator binds itself to"""

RECORDS_FOR = {
    PROPOSAL: {1},
    PREPARE: {1, 2},
    COMMIT: {3},
    ROUND_CHANGE: {4},
}
"""Kind of message → kinds of journal record of which one must stand before it."""


@dataclass(slots=True)
class DurableFile:
    """One file as far as it has been read."""

    content: bytes = b""
    votes: set[Saying] = field(default_factory=set)
    records: set[Saying] = field(default_factory=set)


@dataclass(slots=True)
class Journals:
    """What each place's disk is known to hold."""

    files: dict[tuple[int, int], DurableFile] = field(default_factory=dict)
    good: dict[int, set[Mail]] = field(default_factory=dict)
    """Slot → messages that were found covered."""

    def on_sent(self, node: "SimNode", mail: Mail) -> None:
        """An honest node sends a consensus message of its own."""
        good = self.good.setdefault(node.slot, set())
        if mail not in good:
            assert mail.statement is not None, "an honest node's message can be read"
            i11_persisted_before_sent(self, node, mail.statement)
            good.add(mail)

    def on_started(self, node: "SimNode") -> None:
        """A crash may have changed the disk."""
        self.good.pop(node.slot, None)

    def durable(self, slot: int, disk: "SimulatedDisk") -> Iterator[DurableFile]:
        """Every file of a disk, read again where its durable bytes have changed."""
        for inode in disk.durable_names.values():
            known = self.files.get((slot, inode.number))
            if known is None:
                known = self.files[slot, inode.number] = DurableFile()
            if known.content is not inode.durable:
                if not inode.durable.startswith(known.content):
                    known = self.files[slot, inode.number] = DurableFile()
                _read_on(known, inode.durable)
            yield known


def i11_persisted_before_sent(journals: Journals, node: "SimNode", said: Statement) -> None:
    """The durable journal holds the vote and its record, or the height is durably decided."""
    digest = said.digest
    if said.kind == ROUND_CHANGE:
        digest = said.lock[1] if said.lock is not None else b""
    vote = (said.kind, said.height, said.round, digest)
    files = list(journals.durable(node.slot, node.disk))
    if not any(vote in file.votes for file in files):
        if node.store.height() > said.height:
            return
        raise Violation(f"I11: node {node.slot} sends {_named(said)}, its vote is not durable")
    covered = {
        (kind, said.height, said.round, b"" if kind == 4 else digest)
        for kind in RECORDS_FOR[said.kind]
    }
    if not any(covered & file.records for file in files):
        raise Violation(f"I11: node {node.slot} sends {_named(said)}, no record of it is durable")


def _named(said: Statement) -> str:
    return f"kind {said.kind} for {said.height}/{said.round}"


def _read_on(file: DurableFile, content: bytes) -> None:
    offset = len(file.content)
    file.content = content
    while offset + _FRAME.size <= len(content):
        _, length, _, _ = _FRAME.unpack_from(content, offset)
        body = offset + _FRAME.size
        end = body + length + 4
        if end > len(content):
            break
        checksum = int.from_bytes(content[end - 4 : end], "big")
        if zlib.crc32(content[offset : end - 4]) != checksum:
            break
        _read_entries(file, content[body : end - 4])
        offset = end
    file.content = content[:offset] if offset < len(content) else content


def _read_entries(file: DurableFile, payload: bytes) -> None:
    offset = 0
    while offset < len(payload):
        kind, length = _ENTRY.unpack_from(payload, offset)
        offset += _ENTRY.size
        content = payload[offset : offset + length]
        offset += length
        if kind == _VOTE:
            file.votes.add(_vote(content))
        elif kind == _RECORD:
            file.records.add(_record(content))


def _vote(content: bytes) -> Saying:
    height, round_number, name_length = _SLOT.unpack_from(content)
    lengths_at = _SLOT.size + name_length
    name = content[_SLOT.size : lengths_at]
    (digest_length,) = _DIGEST.unpack_from(content, lengths_at)
    digest_at = lengths_at + struct.calcsize(">HIH")
    digest = content[digest_at : digest_at + digest_length]
    return _KINDS[name], height, round_number, digest


@lru_cache(maxsize=512)
def _record(content: bytes) -> Saying:
    fields = read_fields(content)
    digest = fields.content(4)
    if fields.has(5):
        block = read_fields(fields.content(5))
        header = block.message(1)
        digest = block_id(
            header_der(header.number(1), header.content(2), header.content(3)),
            last_config=block.number(3),
            consenter_metadata=block.content(4),
        )
    return fields.number(1), fields.number(2), fields.number(3), digest

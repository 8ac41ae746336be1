"""What a journal holds, entry by entry, and what a new file must carry over from the old one."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum

from ledger.storage.files import FileIdentity
from ledger.storage.frame_log import LogDamaged

QUARANTINE_CAUSE_BYTES_MAX = 1_024


class EntryKind(IntEnum):
    """First byte of an entry."""

    RECORD = 1
    """A record of the consensus core, of the current height."""
    VOTE = 2
    """A signed vote of the sign guard, of the current height."""
    HEIGHT = 3
    """A new height begins; records and votes before it are over."""
    BIRTH = 4
    """The first entry of a validator's first journal: hash of the ledger's genesis block."""
    BOOT = 5
    QUARANTINE = 6


Entry = tuple[EntryKind, bytes]


@dataclass(frozen=True, slots=True)
class Boot:
    """One start of the node."""

    epoch: int
    """Counts the starts, from 1."""
    file: FileIdentity
    """Which file this journal was then; a restored copy is another one."""


@dataclass(frozen=True, slots=True)
class QuarantineNote:
    """This validator's memory of its votes was lost at some time."""

    cause: str
    vote_from: int | None
    """It votes from this height on; None while that is not known."""
    set_hash: bytes = b""
    """Of the validators for whom that was found out."""


@dataclass(slots=True)
class JournalContent:
    """The entries of a journal folded into what counts now."""

    genesis_hash: bytes | None = None
    boot: Boot | None = None
    quarantine: QuarantineNote | None = None
    height: int | None = None
    records: list[bytes] = field(default_factory=list)
    votes: list[bytes] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever written."""
        return (
            self.genesis_hash is None
            and self.boot is None
            and self.height is None
            and not self.records
            and not self.votes
        )

    def is_trusted_at(self, height: int) -> bool:
        """Whether whatever was signed for that height is written here."""
        note = self.quarantine
        return note is None or (note.vote_from is not None and height >= note.vote_from)

    def note(self, entry: Entry) -> None:
        """Take one more entry; raises LogDamaged for one that cannot be decoded."""
        kind, content = entry
        try:
            match kind:
                case EntryKind.RECORD:
                    self.records.append(content)
                case EntryKind.VOTE:
                    self.votes.append(content)
                case EntryKind.HEIGHT:
                    (self.height,) = _HEIGHT.unpack(content)
                    self.records, self.votes = [], []
                case EntryKind.BIRTH:
                    self.genesis_hash = content
                case EntryKind.BOOT:
                    epoch, inode, generation = _BOOT.unpack(content)
                    self.boot = Boot(epoch, (inode, generation))
                case EntryKind.QUARANTINE:
                    self.quarantine = _decode_quarantine(content)
        except (struct.error, UnicodeDecodeError) as error:
            raise LogDamaged(f"a journal entry of kind {kind} cannot be decoded") from error

    def carried_to(self, file: FileIdentity, height: int) -> list[Entry]:
        """What a new file begins with when it takes over at `height`."""
        entries: list[Entry] = []
        if self.genesis_hash is not None:
            entries.append(birth_entry(self.genesis_hash))
        if self.boot is not None:
            entries.append(boot_entry(Boot(self.boot.epoch, file)))
        note = self.quarantine
        if note is not None and (note.vote_from is None or note.vote_from > height):
            entries.append(quarantine_entry(note))
        entries.append(height_entry(height))
        return entries


_ENTRY_HEAD = struct.Struct(">BI")
_HEIGHT = struct.Struct(">Q")
_BOOT = struct.Struct(">QQq")
_VOTE_FROM = struct.Struct(">QB")
_UNDECIDED = 2**64 - 1


def height_entry(height: int) -> Entry:
    """Height `height` begins."""
    return EntryKind.HEIGHT, _HEIGHT.pack(height)


def birth_entry(genesis_hash: bytes) -> Entry:
    """The journal belongs to the ledger that begins with this block."""
    return EntryKind.BIRTH, genesis_hash


def boot_entry(boot: Boot) -> Entry:
    """The node started."""
    return EntryKind.BOOT, _BOOT.pack(boot.epoch, *boot.file)


def quarantine_entry(note: QuarantineNote) -> Entry:
    """Memory was lost; the cause is cut to its limit."""
    vote_from = _UNDECIDED if note.vote_from is None else note.vote_from
    cause = note.cause.encode()[:QUARANTINE_CAUSE_BYTES_MAX]
    head = _VOTE_FROM.pack(vote_from, len(note.set_hash))
    return EntryKind.QUARANTINE, head + note.set_hash + cause


def _decode_quarantine(content: bytes) -> QuarantineNote:
    vote_from, hash_bytes = _VOTE_FROM.unpack_from(content)
    cause_at = _VOTE_FROM.size + hash_bytes
    cause = content[cause_at:].decode(errors="replace")
    set_hash = content[_VOTE_FROM.size : cause_at]
    return QuarantineNote(cause, None if vote_from == _UNDECIDED else vote_from, set_hash)


def encode_entry(entry: Entry) -> bytes:
    """Kind, length, content."""
    kind, content = entry
    return _ENTRY_HEAD.pack(kind, len(content)) + content


def encode_entries(entries: Iterable[Entry]) -> bytes:
    """The payload of one frame."""
    return b"".join(map(encode_entry, entries))


def decode_entries(payload: bytes) -> list[Entry]:
    """Entries of one frame; raises LogDamaged when they do not fill it."""
    entries, offset = [], 0
    try:
        while offset < len(payload):
            number, length = _ENTRY_HEAD.unpack_from(payload, offset)
            offset += _ENTRY_HEAD.size
            content = payload[offset : offset + length]
            if len(content) < length:
                raise LogDamaged("a journal entry is longer than its frame")
            entries.append((EntryKind(number), content))
            offset += length
    except (struct.error, ValueError) as error:
        raise LogDamaged("a journal entry has an unknown form") from error
    return entries

"""What is read back from a disk: journal, votes, records of the database.

Bytes that passed no checksum are as hostile here as any: damage is named (NodeFault), never
guessed, and never another exception.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from ledger.consensus import events as ev
from ledger.consensus.records import Record
from ledger.consensus.recovery import recover
from ledger.errors import NodeFault
from ledger.ordering.journal_codec import decode_record, encode_record
from ledger.storage import keyspace
from ledger.storage.files import FileIdentity
from ledger.storage.frame_log import FrameLog
from ledger.storage.journal import Journal
from ledger.storage.sign_guard import SignGuard
from tests.fuzz import samples
from tests.fuzz.engine import REFUSALS, FuzzTarget, Shape
from tests.unit.consensus.scene import Scene

RECORD_BYTES_MAX = 128 * 1024
JOURNAL_BYTES_MAX = 128 * 1024
PATH = Path("/journal")


@dataclass(slots=True)
class MemoryFile:
    """A LogFile of bytes."""

    content: bytes

    def read_all(self) -> bytes:
        return self.content

    def append(self, content: bytes) -> None:
        self.content += content

    def overwrite(self, content: bytes) -> None:
        self.content = content + self.content[len(content) :]

    def sync(self) -> None:
        pass

    def cut(self, size_bytes: int) -> None:
        self.content = self.content[:size_bytes]

    def identity(self) -> FileIdentity:
        return (1, 0)

    def close(self) -> None:
        pass


class MemoryFiles:
    """A disk with one file that holds whatever a target puts there."""

    def __init__(self, content: bytes) -> None:
        self.files = {PATH: MemoryFile(content)}

    def exists(self, path: Path) -> bool:
        return path in self.files

    def open(self, path: Path) -> MemoryFile:
        return self.files.setdefault(path, MemoryFile(b""))

    def rename(self, source: Path, target: Path) -> None:
        self.files[target] = self.files.pop(source)

    def sync_folder(self, folder: Path) -> None:
        pass

    @property
    def content(self) -> bytes:
        return self.files[PATH].content


# -- records and votes ----------------------------------------------------------------------------


def _record_seeds() -> list[bytes]:
    """Records of validators that proposed, voted, locked a block and changed rounds."""
    proposer, voter = Scene(own=2), Scene(own=1)
    block = voter.block()
    proposer.tell(ev.TransactionsWaiting())
    proposer.tell(ev.BlockBuilt(1, 0, block))
    voter.receive(voter.proposal(block))
    voter.prepared_own(block)
    voter.timeout()
    records = [*proposer.journal, *voter.journal]
    assert {type(record) for record in records} == set(get_args(Record))
    return [encode_record(record) for record in records]


def _record(raw: bytes) -> None:
    record = decode_record(raw)
    recover([record])
    assert decode_record(encode_record(record)) == record


def _vote(raw: bytes) -> None:
    files = MemoryFiles(b"")
    journal = Journal(PATH, files=files)
    journal.append_vote(raw)
    SignGuard(journal)


def _vote_seeds() -> list[bytes]:
    journal = Journal(PATH, files=MemoryFiles(b""))
    guard = SignGuard(journal)
    for kind in ("proposal", "prepare", "commit"):
        guard.sign_once(
            height=3, round_=1, kind=kind, digest=b"d" * 32, payload=b"payload", sign=bytes.upper
        )
    return journal.read_votes()


# -- files ----------------------------------------------------------------------------------------


def _journal_seeds() -> list[bytes]:
    files = MemoryFiles(b"")
    journal = Journal(PATH, files=files)
    found = [b""]
    for height in (1, 2):
        journal.restart(height)
        journal.append_all(_record_seeds())
        for vote in _vote_seeds():
            journal.append_vote(vote)
        found.append(files.content)
    return found


def _journal(raw: bytes) -> None:
    """As a validator opens it; what was found is found again by the next opening."""
    files = MemoryFiles(raw)
    journal = Journal(PATH, files=files)
    found = journal.read_all(), journal.read_votes(), journal.height
    SignGuard(journal)
    recover([decode_record(record) for record in found[0]])
    again = Journal(PATH, files=MemoryFiles(files.content))
    assert (again.read_all(), again.read_votes(), again.height) == found


def _entries(raw: bytes) -> None:
    """Bytes that pass the checksums of a frame."""
    files = MemoryFiles(b"")
    FrameLog(PATH, files=files).append(raw)
    _journal(files.content)


def _entry_seeds() -> list[bytes]:
    return [
        payload
        for content in _journal_seeds()
        for payload in FrameLog(PATH, files=MemoryFiles(content)).take_recovered()
    ]


# -- the database ---------------------------------------------------------------------------------


def _database_value(raw: bytes) -> None:
    """Every reader gets every value: whichever fits accepts it."""
    problems = []
    for read in (
        keyspace.decode_state,
        keyspace.decode_savepoint,
        keyspace.decode_location,
        keyspace.decode_number,
    ):
        try:
            read(raw)
        except NodeFault as error:
            problems.append(error)
    if problems:
        raise problems[0]


def _database_seeds() -> list[bytes]:
    return [value for _, value in samples.world().kv.iterate(b"", b"\xff") if len(value) < 4096]


TARGETS = (
    FuzzTarget(
        "journal-record",
        "a record of the consensus journal",
        _record_seeds,
        lambda: _record,
        RECORD_BYTES_MAX,
        allowed=(NodeFault,),
    ),
    FuzzTarget(
        "guarded-vote",
        "a vote as the sign guard wrote it",
        _vote_seeds,
        lambda: _vote,
        RECORD_BYTES_MAX,
        allowed=(NodeFault,),
        shape=Shape.BYTES,
    ),
    FuzzTarget(
        "journal-file",
        "the journal file, with whatever a disk made of it",
        _journal_seeds,
        lambda: _journal,
        JOURNAL_BYTES_MAX,
        allowed=(NodeFault,),
        shape=Shape.BYTES,
    ),
    FuzzTarget(
        "journal-frame",
        "the inside of a frame whose checksums are good",
        _entry_seeds,
        lambda: _entries,
        JOURNAL_BYTES_MAX,
        allowed=(NodeFault,),
        shape=Shape.BYTES,
    ),
    FuzzTarget(
        "database-value",
        "values of the ledger database",
        _database_seeds,
        lambda: _database_value,
        RECORD_BYTES_MAX,
        allowed=(*REFUSALS, NodeFault),
        shape=Shape.BYTES,
    ),
)

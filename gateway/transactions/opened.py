"""A transaction opened down to what it read and wrote.

Who may see that is `gateway.transactions.insight.sees_read_write_set`.
"""

from dataclasses import dataclass

from gateway.readmodel.queries import ReadModel
from gateway.readmodel.records import TransactionRecord
from ledger.errors import TransactionInvalid
from ledger.model.codec import decode_envelope
from ledger.model.rwset import NamespaceReadWriteSet, Version

ROWS_MAX = 200
"""Reads, and writes, that are shown of a transaction."""
VALUE_CHARACTERS_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Read:
    """A key, and the transaction whose value was read; None where there was no value."""

    namespace: str
    key: str
    version: Version | None


@dataclass(frozen=True, slots=True)
class Write:
    """A key and its new value as text; None deletes it, private ones are hashes."""

    namespace: str
    key: str
    value: str | None


@dataclass(frozen=True, slots=True)
class OpenedTransaction:
    """What a transaction read and wrote, at most ROWS_MAX of each."""

    reads: tuple[Read, ...]
    writes: tuple[Write, ...]
    is_shortened: bool


def opened(readmodel: ReadModel, record: TransactionRecord) -> OpenedTransaction | None:
    """From the stored block; None for what has no read-write set."""
    block = readmodel.whole_block(record.block_number)
    if block is None:
        return None
    try:
        envelope = decode_envelope(block.entries[record.index])
    except TransactionInvalid:
        return None
    if envelope.transaction is None:
        return None
    namespaces = envelope.transaction.action.results.namespaces
    reads = [read for part in namespaces for read in _reads(part)]
    writes = [write for part in namespaces for write in _writes(part)]
    return OpenedTransaction(
        reads=tuple(reads[:ROWS_MAX]),
        writes=tuple(writes[:ROWS_MAX]),
        is_shortened=max(len(reads), len(writes)) > ROWS_MAX,
    )


def _reads(part: NamespaceReadWriteSet) -> list[Read]:
    listed = [read for query in part.range_queries for read in query.reads]
    return [Read(part.namespace, read.key, read.version) for read in (*part.reads, *listed)]


def _writes(part: NamespaceReadWriteSet) -> list[Write]:
    public = [
        Write(part.namespace, write.key, None if write.is_delete else _text(write.value))
        for write in part.writes
    ]
    private = [
        Write(f"{part.namespace}/{one.collection}", write.key_hash.hex(), write.value_hash.hex())
        for one in part.collections
        for write in one.hashed_writes
    ]
    return public + private


def _text(value: bytes) -> str:
    text = value.decode(errors="replace")
    return text if len(text) <= VALUE_CHARACTERS_MAX else f"{text[:VALUE_CHARACTERS_MAX]}…"

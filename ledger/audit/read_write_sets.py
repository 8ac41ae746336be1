"""What a transaction read and wrote, from Fabric's `rwset.TxReadWriteSet` bytes.

Collections of private data become namespaces of their own, as the world state keeps them: the
hashes of a collection `c` of chaincode `n` lie under `n$$hc`, keys in lower-case hex.
"""

from dataclasses import dataclass

from ledger.audit.wire_fields import BrokenBytes, Fields, read_fields

Position = tuple[int, int]
"""A version: block number and index in the block."""


@dataclass(frozen=True, slots=True)
class ReadScan:
    """A range scan: what it saw, as rows or as the Merkle summary of many rows."""

    start_key: str
    end_key: str
    is_exhausted: bool
    rows: tuple[tuple[str, Position | None], ...]
    summary: tuple[int, int, tuple[bytes, ...]] | None
    """(degree, level, hashes of that level)"""


@dataclass(frozen=True, slots=True)
class NamespaceSet:
    """Reads and writes of one namespace of the world state."""

    namespace: str
    reads: tuple[tuple[str, Position | None], ...] = ()
    scans: tuple[ReadScan, ...] = ()
    writes: tuple[tuple[str, bytes | None], ...] = ()
    """None deletes."""
    metadata_writes: tuple[tuple[str, tuple[tuple[str, bytes], ...]], ...] = ()

    @property
    def has_writes(self) -> bool:
        """Whether anything of it would change."""
        return bool(self.writes or self.metadata_writes)


@dataclass(frozen=True, slots=True)
class ChaincodeSet:
    """One chaincode's own namespace and the hashed ones of its collections, by name."""

    own: NamespaceSet
    collections: tuple[tuple[str, NamespaceSet], ...] = ()

    @property
    def has_writes(self) -> bool:
        """Whether the chaincode's namespaces would change."""
        return any(part.has_writes for part in (self.own, *(part for _, part in self.collections)))


def read_write_sets(raw: bytes) -> tuple[ChaincodeSet, ...]:
    """In the order they stand; raises BrokenBytes."""
    whole = read_fields(raw)
    if whole.number(1):
        raise BrokenBytes(f"data model {whole.number(1)}")
    return tuple(_chaincode_set(read_fields(part)) for part in whole.contents(2))


def _chaincode_set(fields: Fields) -> ChaincodeSet:
    namespace = text(fields.content(1))
    keys = read_fields(fields.content(2))
    own = NamespaceSet(
        namespace=namespace,
        reads=_reads(keys, 1),
        scans=tuple(_scan(read_fields(part)) for part in keys.contents(2)),
        writes=tuple(_write(read_fields(part)) for part in keys.contents(3)),
        metadata_writes=tuple(_metadata_write(read_fields(part)) for part in keys.contents(4)),
    )
    collections = tuple(_collection(namespace, read_fields(part)) for part in fields.contents(3))
    return ChaincodeSet(own, collections)


def _write(fields: Fields) -> tuple[str, bytes | None]:
    """Writing nothing is deleting, as Fabric has it."""
    value = fields.content(3)
    return text(fields.content(1)), None if fields.number(2) or not value else value


def _metadata_write(fields: Fields) -> tuple[str, tuple[tuple[str, bytes], ...]]:
    return text(fields.content(1)), _entries(fields)


def _entries(fields: Fields) -> tuple[tuple[str, bytes], ...]:
    entries = (read_fields(entry) for entry in fields.contents(2))
    return tuple((text(e.content(1)), e.content(2)) for e in entries)


def _collection(namespace: str, fields: Fields) -> tuple[str, NamespaceSet]:
    name = text(fields.content(1))
    hashed = read_fields(fields.content(2))
    writes = (read_fields(part) for part in hashed.contents(2))
    return name, NamespaceSet(
        namespace=f"{namespace}$$h{name}",
        reads=tuple(
            (part.content(1).hex(), _position(part))
            for part in map(read_fields, hashed.contents(1))
        ),
        writes=tuple(
            (w.content(1).hex(), None if w.number(2) or w.number(4) else w.content(3))
            for w in writes
        ),
        metadata_writes=tuple(
            (part.content(1).hex(), _entries(part))
            for part in map(read_fields, hashed.contents(3))
        ),
    )


def _scan(fields: Fields) -> ReadScan:
    summary = None
    if fields.has(5):
        found = fields.message(5)
        summary = (found.number(1), found.number(2), found.contents(3))
    return ReadScan(
        start_key=text(fields.content(1)),
        end_key=text(fields.content(2)),
        is_exhausted=bool(fields.number(3)),
        rows=_reads(fields.message(4), 1),
        summary=summary,
    )


def _reads(fields: Fields, field: int) -> tuple[tuple[str, Position | None], ...]:
    parts = map(read_fields, fields.contents(field))
    return tuple((text(part.content(1)), _position(part)) for part in parts)


def _position(fields: Fields) -> Position | None:
    """Field 2; an absent one says that the key did not exist, {0, 0} does not."""
    if not fields.has(2):
        return None
    version = fields.message(2)
    return version.number(1), version.number(2)


def text(raw: bytes) -> str:
    """A protobuf string."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise BrokenBytes(f"a text is not UTF-8: {error}") from error

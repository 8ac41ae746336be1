"""What a stopped peer has in its LevelDB folder, read key by key.

One byte of prefix tells the kind: B block, X number by hash, T place of a transaction, S state,
H history, M namespace with metadata, s savepoint, b first block after a snapshot, c channel id,
g hash of the genesis block.
Numbers are big-endian; names are preceded by their length.
"""

import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import plyvel

from ledger.audit.chain import ChainBroken
from ledger.audit.state_digest import Place
from ledger.audit.storage_port import Savepoint
from ledger.audit.world_state import StateKey, StateValue

DATABASE_FOLDER = "blocks-and-state"
_FORMAT_KEY, _SAVEPOINT_KEY, _FIRST_BLOCK_KEY = b"f", b"s", b"b"
_CHANNEL_KEY, _GENESIS_HASH_KEY = b"c", b"g"
_FORMAT = (3).to_bytes(8, "big")
_NUMBER = struct.Struct(">Q")
_PLACE = struct.Struct(">QIB")
_STATE = struct.Struct(">QIH")
_ENTRY = struct.Struct(">HI")
_SAVEPOINT = struct.Struct(">QQ32s32s2048s")
_NAME, _KEY, _POSITION = struct.Struct(">H"), struct.Struct(">I"), struct.Struct(">QI")


class NoLedger(Exception):  # noqa: N818 - what is wrong, not that something is
    """There is no ledger that could be checked; the text says why."""


class LevelDbLedger:
    """Implements `storage_port.StoredLedger`; records that cannot be read raise ChainBroken."""

    def __init__(self, database: plyvel.DB) -> None:
        self._database = database

    def block(self, number: int) -> bytes | None:
        """The stored bytes of a block."""
        found: bytes | None = self._database.get(b"B" + _NUMBER.pack(number))
        return found

    def block_numbers(self) -> Iterable[int]:
        """Numbers of all stored blocks, ascending."""
        return (_number(key) for key, _ in self._under(b"B"))

    def first_block(self) -> int:
        """Number of the first block of the unbroken row; later than 0 after a snapshot."""
        found = self._database.get(_FIRST_BLOCK_KEY)
        return 0 if found is None else _number(found)

    def named_ledger(self) -> tuple[bytes | None, bytes | None]:
        """(channel id, hash of the genesis block) as noted when the ledger began."""
        return self._database.get(_CHANNEL_KEY), self._database.get(_GENESIS_HASH_KEY)

    def marked_namespaces(self) -> Iterator[str]:
        """Namespaces in which a key got metadata once."""
        for name, _ in self._under(b"M"):
            with _readable(f"the mark of namespace {name!r}"):
                yield name.decode()

    def savepoint(self) -> Savepoint:
        """What the peer takes for its newest block."""
        with _readable("the savepoint"):
            return Savepoint(*_SAVEPOINT.unpack(self._database.get(_SAVEPOINT_KEY, b"")))

    def states(self) -> Iterator[tuple[StateKey, StateValue]]:
        """The whole world state."""
        for key, record in self._under(b"S"):
            with _readable(f"state record {key!r}"):
                name_end = _NAME.size + _NAME.unpack_from(key)[0]
                namespace, state_key = key[_NAME.size : name_end], key[name_end:]
                yield (namespace.decode(), state_key.decode()), _state_value(record)

    def transactions(self) -> Iterator[tuple[str, Place]]:
        """The index of transactions."""
        for key, record in self._under(b"T"):
            with _readable(f"the place of transaction {key!r}"):
                number, index, code = _PLACE.unpack(record)
                yield key.decode(), (number, index, code)

    def block_hashes(self) -> Iterator[tuple[bytes, int]]:
        """The index of blocks by hash."""
        return ((key, _number(record)) for key, record in self._under(b"X"))

    def history(self) -> Iterator[tuple[str, str, int, int]]:
        """(namespace, key, block number, index) of every recorded write."""
        for raw, value in self._under(b"H"):
            if value:
                raise ChainBroken(None, f"history record {raw!r} has a value; the blocks have it")
            with _readable(f"history record {raw!r}"):
                name_end = _NAME.size + _NAME.unpack_from(raw)[0]
                key_at = name_end + _KEY.size
                key_end = key_at + _KEY.unpack_from(raw, name_end)[0]
                number, index = _POSITION.unpack(raw[key_end:])
                namespace = raw[_NAME.size : name_end].decode()
                yield namespace, raw[key_at:key_end].decode(), number, index

    def _under(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Records below a prefix, which is cut off."""
        with self._database.iterator(prefix=prefix) as records:
            for key, value in records:
                yield key[len(prefix) :], value


@contextmanager
def open_stored_ledger(folder: Path) -> Iterator[LevelDbLedger]:
    """The ledger in a stopped peer's data folder; raises NoLedger when there is none to read."""
    place = folder if (folder / "CURRENT").exists() else folder / DATABASE_FOLDER
    if not (place / "CURRENT").exists():
        raise NoLedger(f"there is no ledger in {folder}")
    try:
        database = plyvel.DB(str(place), create_if_missing=False)
    except plyvel.Error as error:
        raise NoLedger(
            f"{place} cannot be opened; stop the validator that uses it first ({_words_of(error)})"
        ) from error
    try:
        if database.get(_FORMAT_KEY) != _FORMAT:
            raise NoLedger(f"{place} is not in the format this program reads")
        yield LevelDbLedger(database)
    except plyvel.Error as error:
        raise ChainBroken(None, f"the database is damaged: {_words_of(error)}") from error
    finally:
        database.close()


def _words_of(error: Exception) -> str:
    """LevelDB's own words; plyvel hands them on as bytes."""
    said = error.args[0] if error.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(error)


def _number(raw: bytes) -> int:
    with _readable("a block number"):
        return int(_NUMBER.unpack(raw)[0])


def _state_value(record: bytes) -> StateValue:
    number, index, entries = _STATE.unpack_from(record)
    offset = _STATE.size
    metadata = []
    for _ in range(entries):
        name_length, content_length = _ENTRY.unpack_from(record, offset)
        name_end = offset + _ENTRY.size + name_length
        name = record[offset + _ENTRY.size : name_end].decode()
        offset = name_end + content_length
        metadata.append((name, record[name_end:offset]))
    return StateValue(record[offset:], (number, index), tuple(metadata))


@contextmanager
def _readable(what: str) -> Iterator[None]:
    try:
        yield
    except (struct.error, UnicodeDecodeError) as error:
        raise ChainBroken(None, f"{what} cannot be read: {error}") from error

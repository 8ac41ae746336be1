"""Private writes between endorsement and block: the transient store.

They are kept by the hash of what they are, so a false set takes nobody's place: it is never the
one the block names. Each sender, this peer itself among them, has a share of its own; when it is
full, that sender's oldest sets go. A set that several gave is kept for each of them: a sender
cannot offer first what another endorses and then make it go. What no block names goes after some
blocks.
"""

import struct
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ledger.crypto.hashing import HASH_BYTES, sha256
from ledger.errors import NodeFault
from ledger.model.private_rwset import PrivateReadWriteSet
from ledger.model.state import private_namespace
from ledger.storage.kv import KeyValueStore

OWN = 0
"""Sender of this peer's own endorsements."""
_PREFIX = b"t"
_HEIGHT = struct.Struct(">Q")
_SENDER = struct.Struct(">I")

Writes = list[tuple[bytes, bytes | None]]


@dataclass(frozen=True, slots=True)
class TransientLimits:
    """Bounds of what waits for a block."""

    sets_per_sender_max: int = 2_000
    bytes_per_sender_max: int = 32 * 1024 * 1024
    blocks_max: int = 1_000
    """Blocks after which a set that no block named is removed."""


@dataclass(frozen=True, slots=True)
class TransientKey:
    """A private set by its transaction, its collection and its own hash."""

    tx_id: str
    set_hash: bytes
    name: str
    """`private_namespace` of the collection."""

    def database_key(self, sender: int) -> bytes:
        """Where it lies for this sender."""
        tx_id, name = self.tx_id.encode(), self.name.encode()
        length, giver = bytes((len(tx_id),)), _SENDER.pack(sender)
        return b"".join((_PREFIX, length, tx_id, self.set_hash, giver, name))


@dataclass(frozen=True, slots=True)
class _Kept:
    sender: int
    height: int
    size: int


_Copy = tuple[TransientKey, int]
"""A set and the sender for whom it is kept."""


class TransientStore:
    """Safe to use from several threads; a set is on disk when `put` returns."""

    def __init__(self, kv: KeyValueStore, limits: TransientLimits | None = None) -> None:
        """Reads back what waited when the peer stopped."""
        self._kv = kv
        self._limits = limits or TransientLimits()
        self._lock = threading.Lock()
        # Insertion-ordered: a sender's oldest sets stand first.
        self._kept: dict[int, dict[TransientKey, _Kept]] = {}
        self._of_transaction: dict[str, dict[TransientKey, set[int]]] = {}
        self._bytes: dict[int, int] = {}
        for key, kept in sorted(_stored(kv), key=lambda pair: pair[1].height):
            self._note(key, kept)

    def put(self, tx_id: str, private: PrivateReadWriteSet, *, sender: int, height: int) -> None:
        """Keep the private writes of a transaction, this peer being at `height`."""
        writes: Writes = []
        with self._lock:
            for one in private.collections:
                name = private_namespace(one.namespace, one.collection)
                key = TransientKey(tx_id, sha256(one.raw), name)
                if key not in self._kept.get(sender, {}):
                    self._note(key, _Kept(sender, height, len(one.raw)))
                    writes.append((key.database_key(sender), _HEIGHT.pack(height) + one.raw))
            writes += self._make_room(sender)
        self._kv.write(writes, sync=True)

    def find(self, tx_id: str, namespace: str, collection: str, set_hash: bytes) -> bytes | None:
        """The kvrwset.KVRWSet bytes with this hash, if they are here."""
        key = TransientKey(tx_id, set_hash, private_namespace(namespace, collection))
        with self._lock:
            senders = sorted(self._of_transaction.get(tx_id, {}).get(key, ()))
        # Another thread may drop a sender's copy meanwhile.
        for sender in senders:
            record = self._kv.get(key.database_key(sender))
            if record is not None:
                return record[_HEIGHT.size :]
        return None

    def settled(self, tx_ids: Iterable[str], *, keep: Iterable[tuple[str, str]] = ()) -> Writes:
        """Forget what waited for these transactions, but not (tx id, `private_namespace`) `keep`.

        The database writes are for the block's batch.
        """
        kept = set(keep)
        with self._lock:
            gone = [
                (key, sender)
                for tx_id in tx_ids
                for key, senders in self._of_transaction.get(tx_id, {}).items()
                if (tx_id, key.name) not in kept
                for sender in senders
            ]
            return self._drop(gone)

    def outdated(self, height: int) -> Writes:
        """Forget what no block named for too long; the writes are for the block's batch."""
        with self._lock:
            gone: list[_Copy] = []
            for sender, kept in self._kept.items():
                for key, one in kept.items():
                    if one.height + self._limits.blocks_max >= height:
                        break
                    gone.append((key, sender))
            return self._drop(gone)

    def _note(self, key: TransientKey, kept: _Kept) -> None:
        self._kept.setdefault(kept.sender, {})[key] = kept
        self._of_transaction.setdefault(key.tx_id, {}).setdefault(key, set()).add(kept.sender)
        self._bytes[kept.sender] = self._bytes.get(kept.sender, 0) + kept.size

    def _make_room(self, sender: int) -> Writes:
        """The sender's oldest sets beyond its share."""
        kept = self._kept.get(sender, {})
        excess_sets = len(kept) - self._limits.sets_per_sender_max
        excess_bytes = self._bytes.get(sender, 0) - self._limits.bytes_per_sender_max
        gone: list[_Copy] = []
        for key, one in kept.items():
            if excess_sets <= 0 and excess_bytes <= 0:
                break
            gone.append((key, sender))
            excess_sets -= 1
            excess_bytes -= one.size
        return self._drop(gone)

    def _drop(self, copies: list[_Copy]) -> Writes:
        for key, sender in copies:
            of_transaction = self._of_transaction[key.tx_id]
            of_transaction[key].remove(sender)
            if not of_transaction[key]:
                del of_transaction[key]
            if not of_transaction:
                del self._of_transaction[key.tx_id]
            self._bytes[sender] -= self._kept[sender].pop(key).size
        return [(key.database_key(sender), None) for key, sender in copies]


def _stored(kv: KeyValueStore) -> Iterator[tuple[TransientKey, _Kept]]:
    for database_key, record in kv.iterate(_PREFIX, _PREFIX + b"\xff"):
        try:
            hash_at = 2 + database_key[1]
            sender_at = hash_at + HASH_BYTES
            name_at = sender_at + _SENDER.size
            (sender,) = _SENDER.unpack_from(database_key, sender_at)
            (height,) = _HEIGHT.unpack_from(record)
            key = TransientKey(
                tx_id=database_key[2:hash_at].decode(),
                set_hash=database_key[hash_at:sender_at],
                name=database_key[name_at:].decode(),
            )
        except (struct.error, IndexError, UnicodeDecodeError) as error:
            raise NodeFault(f"a record of the transient store is damaged: {error}") from error
        yield key, _Kept(sender, height, len(record) - _HEIGHT.size)

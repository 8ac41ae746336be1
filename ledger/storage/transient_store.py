"""Private writes between endorsement and block: the transient store.

They are kept by the hash of what they are, so a false set takes nobody's place: it is never the
one the block names. Each sender, this peer itself among them, has a share of its own; when it is
full, that sender's oldest sets go. A set that several gave is kept for each of them: a sender
cannot offer first what another endorses and then make it go. What no block names goes after some
blocks.

What this peer endorsed for collections it is no member of stays a little longer than the block
that names it, until a member's peer has it or some blocks passed: the members may yet ask for it.
"""

import struct
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ledger.crypto.hashing import HASH_BYTES, sha256
from ledger.errors import InvalidMessage, NodeFault
from ledger.model.private_rwset import PrivateCollectionSet, PrivateReadWriteSet
from ledger.model.state import private_namespace
from ledger.storage.kv import KeyValueStore
from ledger.storage.private_batch import set_without

OWN = 0
"""Sender of this peer's own endorsements."""
FOR_MEMBERS = 2**32 - 1
"""Stands for the sender of this peer's endorsements for others once their block is committed."""
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
    blocks_for_members_max: int = 20
    """Blocks after its own for which a set of other members is kept for them."""


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


GoneKeys = Collection[bytes]
"""SHA-256 of keys that were purged."""
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
        self._received: dict[str, set[TransientKey]] = {}
        self._bytes: dict[int, int] = {}
        for key, kept in sorted(_stored(kv), key=lambda pair: pair[1].height):
            self._note(key, kept)

    def put(self, tx_id: str, private: PrivateReadWriteSet, *, sender: int, height: int) -> None:
        """Keep the private writes of a transaction, this peer being at `height`."""
        writes: Writes = []
        with self._lock:
            for one in private.collections:
                key = _key_of(tx_id, one)
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

    def received(self, tx_id: str, sets: Iterable[PrivateCollectionSet]) -> None:
        """A member's peer has these: they need not outlast their block here."""
        with self._lock:
            here = self._of_transaction.get(tx_id, {}).keys()
            received = here & {_key_of(tx_id, one) for one in sets}
            if received:
                self._received.setdefault(tx_id, set()).update(received)

    def settled(
        self,
        tx_ids: Iterable[str],
        *,
        height: int,
        for_members: Mapping[TransientKey, GoneKeys] | None = None,
    ) -> Writes:
        """Forget what waited for the transactions of block `height`.

        Of `for_members` stays what this peer endorsed and no member's peer is known to have, but
        not these keys of it. The database writes are for the block's batch.
        """
        wanted = for_members or {}
        with self._lock:
            before = {tx_id: dict(self._of_transaction.get(tx_id, {})) for tx_id in tx_ids}
            kept: list[tuple[TransientKey, bytes]] = []
            for tx_id, sets in before.items():
                for key, senders in sets.items():
                    is_received = key in self._received.get(tx_id, ())
                    if key in wanted and OWN in senders and not is_received:
                        raw = self._without(key, OWN, wanted[key])
                        kept += [(key, raw)] if raw is not None else []
            copies = [
                (key, sender)
                for sets in before.values()
                for key, senders in sets.items()
                for sender in senders
                if sender != FOR_MEMBERS  # a later block repeats the transaction in vain
            ]
            writes = self._drop(copies)
            for key, raw in kept:
                self._note(key, _Kept(FOR_MEMBERS, height, len(raw)))
                writes.append((key.database_key(FOR_MEMBERS), _HEIGHT.pack(height) + raw))
            return writes + self._make_room(FOR_MEMBERS)

    def purged(self, gone: Mapping[str, GoneKeys]) -> Writes:
        """Remove keys, by `private_namespace`, from what is kept for members.

        What still waits for its block is written after the purge, if ever, and stays.
        """
        writes: Writes = []
        with self._lock:
            for key, one in list(self._kept.get(FOR_MEMBERS, {}).items()):
                if key.name not in gone:
                    continue
                raw = self._without(key, FOR_MEMBERS, gone[key.name])
                if raw is None:
                    writes += self._drop([(key, FOR_MEMBERS)])
                    continue
                self._bytes[FOR_MEMBERS] += len(raw) - one.size
                self._kept[FOR_MEMBERS][key] = _Kept(FOR_MEMBERS, one.height, len(raw))
                writes.append((key.database_key(FOR_MEMBERS), _HEIGHT.pack(one.height) + raw))
        return writes

    def outdated(self, height: int) -> Writes:
        """Forget what no block named, or no member asked for, for too long.

        The writes are for the batch of block `height`.
        """
        with self._lock:
            gone: list[_Copy] = []
            for sender, kept in self._kept.items():
                is_committed = sender == FOR_MEMBERS
                limits = self._limits
                blocks = limits.blocks_for_members_max if is_committed else limits.blocks_max
                for key, one in kept.items():
                    is_received = is_committed and key in self._received.get(key.tx_id, ())
                    if one.height + blocks < height or is_received:
                        gone.append((key, sender))
                    elif not is_committed:
                        break
            return self._drop(gone)

    def _without(self, key: TransientKey, sender: int, gone: GoneKeys) -> bytes | None:
        """Bytes of a set but for these keys; None if there is nothing to keep."""
        record = self._kv.get(key.database_key(sender))
        raw = None if record is None else record[_HEIGHT.size :]
        if raw is None or not gone:
            return raw
        try:
            return set_without(raw, gone)
        except InvalidMessage:
            return None  # nobody can use it either

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
                self._received.pop(key.tx_id, None)
            self._bytes[sender] -= self._kept[sender].pop(key).size
        return [(key.database_key(sender), None) for key, sender in copies]


def _key_of(tx_id: str, one: PrivateCollectionSet) -> TransientKey:
    return TransientKey(tx_id, sha256(one.raw), private_namespace(one.namespace, one.collection))


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

"""Private writes of a transaction: what member peers keep, and how its hashes vouch for it.

`TxPvtReadWriteSet` on the wire. The public read-write set has, for each collection, the hash of
its encoded private writes and the hashes of every key and value.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ledger.errors import InvalidMessage, Reason
from ledger.model.codec_parsing import parse_message
from ledger.model.rwset import KeyWrite
from ledger.model.transaction_limits import NAME_CHARACTERS_MAX, RWSET_ENTRIES_MAX
from ledger.wire import kvrwset_pb2, rwset_pb2

PRIVATE_BYTES_MAX = 1024 * 1024 + 256 * 1024
"""Private writes of one transaction: a simulation's limit on what is written, and its framing."""
COLLECTION_SETS_MAX = 1_000
"""(namespace, collection) pairs in one transaction."""


@dataclass(frozen=True, slots=True)
class PrivateCollectionSet:
    """Private writes of one collection; the ledger has the hash of `raw` (kvrwset.KVRWSet)."""

    namespace: str
    collection: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class PrivateReadWriteSet:
    """All private writes of one transaction, ascending by namespace, then collection."""

    collections: tuple[PrivateCollectionSet, ...] = ()

    def __bool__(self) -> bool:
        """Whether the transaction writes anything private."""
        return bool(self.collections)


@dataclass(frozen=True, slots=True)
class PrivateWrites:
    """The decoded private writes of one collection."""

    writes: tuple[KeyWrite, ...] = ()
    metadata_keys: tuple[str, ...] = ()
    """Keys whose metadata changes; the metadata itself is public, by the key's hash."""


def encode_private_writes(writes: Iterable[KeyWrite], metadata_keys: Iterable[str]) -> bytes:
    """kvrwset.KVRWSet bytes of one collection, in the order given (ascending by key)."""
    return kvrwset_pb2.KVRWSet(
        writes=[
            kvrwset_pb2.KVWrite(key=w.key, is_delete=w.is_delete, value=w.value) for w in writes
        ],
        metadata_writes=[kvrwset_pb2.KVMetadataWrite(key=key) for key in metadata_keys],
    ).SerializeToString()


def encode_private_read_write_set(private: PrivateReadWriteSet) -> bytes:
    """TxPvtReadWriteSet bytes, in the order given; sets of one namespace stand together."""
    return wire_private_read_write_set(private).SerializeToString()


def wire_private_read_write_set(private: PrivateReadWriteSet) -> rwset_pb2.TxPvtReadWriteSet:
    """The message, for those that carry it in another one."""
    wire = rwset_pb2.TxPvtReadWriteSet()
    namespace: rwset_pb2.NsPvtReadWriteSet | None = None
    for one in private.collections:
        if namespace is None or namespace.namespace != one.namespace:
            namespace = wire.ns_pvt_rwset.add(namespace=one.namespace)
        namespace.collection_pvt_rwset.add(collection_name=one.collection, rwset=one.raw)
    return wire


def decode_private_read_write_set(raw: bytes) -> PrivateReadWriteSet:
    """From TxPvtReadWriteSet bytes; raises InvalidMessage MALFORMED or OVERSIZED.

    The sets of the collections stay bytes: they are looked into only once their hash is right.
    """
    _require_size(raw)
    wire = parse_message(rwset_pb2.TxPvtReadWriteSet, raw)
    if len(wire.ns_pvt_rwset) > COLLECTION_SETS_MAX:
        raise InvalidMessage(Reason.OVERSIZED, f"more than {COLLECTION_SETS_MAX} namespaces")
    total = sum(len(namespace.collection_pvt_rwset) for namespace in wire.ns_pvt_rwset)
    if total > COLLECTION_SETS_MAX:
        raise InvalidMessage(Reason.OVERSIZED, f"more than {COLLECTION_SETS_MAX} collections")
    found = tuple(
        [
            PrivateCollectionSet(namespace.namespace, one.collection_name, one.rwset)
            for namespace in wire.ns_pvt_rwset
            for one in namespace.collection_pvt_rwset
        ]
    )
    places = [(one.namespace, one.collection) for one in found]
    if any(max(map(len, place)) > NAME_CHARACTERS_MAX for place in places):
        raise InvalidMessage(Reason.OVERSIZED, "the name of a collection is too long")
    if len(set(places)) < len(places):
        raise InvalidMessage(Reason.MALFORMED, "a collection is listed twice")
    return PrivateReadWriteSet(found)


def decode_private_writes(raw: bytes) -> PrivateWrites:
    """From the kvrwset.KVRWSet bytes of one collection; raises InvalidMessage."""
    _require_size(raw)
    wire = parse_message(kvrwset_pb2.KVRWSet, raw)
    entries = len(wire.writes) + len(wire.metadata_writes)
    if entries > RWSET_ENTRIES_MAX:
        raise InvalidMessage(Reason.OVERSIZED, f"more than {RWSET_ENTRIES_MAX} private writes")
    return PrivateWrites(
        writes=tuple([KeyWrite(w.key, w.value, w.is_delete) for w in wire.writes]),
        metadata_keys=tuple([w.key for w in wire.metadata_writes]),
    )


def _require_size(raw: bytes) -> None:
    if len(raw) > PRIVATE_BYTES_MAX:
        raise InvalidMessage(
            Reason.OVERSIZED, f"private writes take at most {PRIVATE_BYTES_MAX} bytes"
        )

"""Read-write sets to bytes and back.

Encoding keeps the order of the sets it is given; the simulator builds them in the order by rule
(`ledger.model.rwset`), so equal simulations give equal bytes.
"""

from collections.abc import Iterable

from ledger.errors import TransactionInvalid
from ledger.model.codec_parsing import parse_part
from ledger.model.codes import ValidationCode
from ledger.model.rwset import (
    CollectionReadWriteSet,
    HashedMetadataWrite,
    HashedRead,
    HashedWrite,
    KeyRead,
    KeyWrite,
    MetadataWrite,
    NamespaceReadWriteSet,
    RangeQuery,
    RangeSummary,
    ReadWriteSet,
    Version,
)
from ledger.model.transaction_limits import (
    NAMESPACES_MAX,
    EntryCounter,
    require_at_most,
    require_name,
)
from ledger.wire import kvrwset_pb2, rwset_pb2

_BAD_RWSET = ValidationCode.BAD_RWSET


# -- decoding -------------------------------------------------------------------------------------


def decode_read_write_set(raw: bytes) -> ReadWriteSet:
    """TxReadWriteSet bytes; raises TransactionInvalid BAD_RWSET, also for too many entries."""
    wire = parse_part(rwset_pb2.TxReadWriteSet, raw, _BAD_RWSET)
    if wire.data_model != rwset_pb2.TxReadWriteSet.KV:
        raise TransactionInvalid(_BAD_RWSET, f"unknown data model {wire.data_model}")
    require_at_most(len(wire.ns_rwset), NAMESPACES_MAX, "namespaces", _BAD_RWSET)
    counter = EntryCounter()
    return ReadWriteSet(tuple([_namespace(namespace, counter) for namespace in wire.ns_rwset]))


def _namespace(wire: rwset_pb2.NsReadWriteSet, counter: EntryCounter) -> NamespaceReadWriteSet:
    keys = parse_part(kvrwset_pb2.KVRWSet, wire.rwset, _BAD_RWSET)
    _count_keys(keys, counter)
    counter.add(len(wire.collection_hashed_rwset))
    return NamespaceReadWriteSet(
        namespace=require_name(wire.namespace),
        reads=_reads(keys.reads),
        range_queries=tuple([_range_query(query) for query in keys.range_queries_info]),
        writes=tuple([KeyWrite(w.key, w.value, w.is_delete) for w in keys.writes]),
        metadata_writes=tuple(
            [MetadataWrite(w.key, _entries(w.entries)) for w in keys.metadata_writes]
        ),
        collections=tuple([_collection(c, counter) for c in wire.collection_hashed_rwset]),
    )


def _count_keys(keys: kvrwset_pb2.KVRWSet, counter: EntryCounter) -> None:
    counter.add(len(keys.reads))
    counter.add(len(keys.writes))
    counter.add(len(keys.range_queries_info))
    for query in keys.range_queries_info:
        counter.add(len(query.raw_reads.kv_reads))
        counter.add(len(query.reads_merkle_hashes.max_level_hashes))
    counter.add(len(keys.metadata_writes))
    for write in keys.metadata_writes:
        counter.add(len(write.entries))


def _reads(reads: Iterable[kvrwset_pb2.KVRead]) -> tuple[KeyRead, ...]:
    return tuple([KeyRead(read.key, _version(read)) for read in reads])


def _version(read: kvrwset_pb2.KVRead | kvrwset_pb2.KVReadHash) -> Version | None:
    """An absent version says that the key did not exist; {0, 0} says that genesis wrote it."""
    if not read.HasField("version"):
        return None
    version = read.version
    return Version(version.block_num, version.tx_num)


def _range_query(query: kvrwset_pb2.RangeQueryInfo) -> RangeQuery:
    summary = None
    if query.HasField("reads_merkle_hashes"):
        hashes = query.reads_merkle_hashes
        summary = RangeSummary(hashes.max_degree, hashes.max_level, tuple(hashes.max_level_hashes))
    return RangeQuery(
        start_key=query.start_key,
        end_key=query.end_key,
        exhausted=query.itr_exhausted,
        reads=_reads(query.raw_reads.kv_reads),
        summary=summary,
    )


def _collection(
    wire: rwset_pb2.CollectionHashedReadWriteSet, counter: EntryCounter
) -> CollectionReadWriteSet:
    hashed = parse_part(kvrwset_pb2.HashedRWSet, wire.hashed_rwset, _BAD_RWSET)
    counter.add(len(hashed.hashed_reads))
    counter.add(len(hashed.hashed_writes))
    counter.add(len(hashed.metadata_writes))
    for write in hashed.metadata_writes:
        counter.add(len(write.entries))
    return CollectionReadWriteSet(
        collection=require_name(wire.collection_name),
        hashed_reads=tuple([HashedRead(r.key_hash, _version(r)) for r in hashed.hashed_reads]),
        hashed_writes=tuple(
            [
                HashedWrite(w.key_hash, w.value_hash, w.is_delete, w.is_purge)
                for w in hashed.hashed_writes
            ]
        ),
        private_rwset_hash=wire.pvt_rwset_hash,
        hashed_metadata_writes=tuple(
            [HashedMetadataWrite(w.key_hash, _entries(w.entries)) for w in hashed.metadata_writes]
        ),
    )


def _entries(
    entries: Iterable[kvrwset_pb2.KVMetadataEntry],
) -> tuple[tuple[str, bytes], ...]:
    return tuple([(require_name(entry.name), entry.value) for entry in entries])


# -- encoding -------------------------------------------------------------------------------------


def encode_read_write_set(read_write_set: ReadWriteSet) -> bytes:
    """TxReadWriteSet bytes, in the order given."""
    return rwset_pb2.TxReadWriteSet(
        ns_rwset=[
            rwset_pb2.NsReadWriteSet(
                namespace=namespace.namespace,
                rwset=encode_namespace_keys(namespace),
                collection_hashed_rwset=[_wire_collection(c) for c in namespace.collections],
            )
            for namespace in read_write_set.namespaces
        ]
    ).SerializeToString()


def encode_namespace_keys(namespace: NamespaceReadWriteSet) -> bytes:
    """KVRWSet bytes of one namespace, or of one collection's private values."""
    return kvrwset_pb2.KVRWSet(
        reads=_wire_reads(namespace.reads),
        range_queries_info=[_wire_range_query(query) for query in namespace.range_queries],
        writes=[
            kvrwset_pb2.KVWrite(key=w.key, is_delete=w.is_delete, value=w.value)
            for w in namespace.writes
        ],
        metadata_writes=[
            kvrwset_pb2.KVMetadataWrite(key=w.key, entries=_wire_entries(w.entries))
            for w in namespace.metadata_writes
        ],
    ).SerializeToString()


def _wire_reads(reads: Iterable[KeyRead]) -> list[kvrwset_pb2.KVRead]:
    return [
        kvrwset_pb2.KVRead(key=read.key, version=_wire_version(read.version)) for read in reads
    ]


def _wire_version(version: Version | None) -> kvrwset_pb2.Version | None:
    if version is None:
        return None
    return kvrwset_pb2.Version(block_num=version.block_number, tx_num=version.tx_number)


def _wire_range_query(query: RangeQuery) -> kvrwset_pb2.RangeQueryInfo:
    """A query without results carries neither reads nor summary, as Fabric encodes it."""
    wire = kvrwset_pb2.RangeQueryInfo(
        start_key=query.start_key, end_key=query.end_key, itr_exhausted=query.exhausted
    )
    if query.summary is not None:
        wire.reads_merkle_hashes.max_degree = query.summary.max_degree
        wire.reads_merkle_hashes.max_level = query.summary.max_level
        wire.reads_merkle_hashes.max_level_hashes.extend(query.summary.max_level_hashes)
        wire.reads_merkle_hashes.SetInParent()
    elif query.reads:
        wire.raw_reads.kv_reads.extend(_wire_reads(query.reads))
    return wire


def _wire_collection(
    collection: CollectionReadWriteSet,
) -> rwset_pb2.CollectionHashedReadWriteSet:
    hashed = kvrwset_pb2.HashedRWSet(
        hashed_reads=[
            kvrwset_pb2.KVReadHash(key_hash=r.key_hash, version=_wire_version(r.version))
            for r in collection.hashed_reads
        ],
        hashed_writes=[
            kvrwset_pb2.KVWriteHash(
                key_hash=w.key_hash,
                is_delete=w.is_delete,
                value_hash=w.value_hash,
                is_purge=w.is_purge,
            )
            for w in collection.hashed_writes
        ],
        metadata_writes=[
            kvrwset_pb2.KVMetadataWriteHash(key_hash=w.key_hash, entries=_wire_entries(w.entries))
            for w in collection.hashed_metadata_writes
        ],
    )
    return rwset_pb2.CollectionHashedReadWriteSet(
        collection_name=collection.collection,
        hashed_rwset=hashed.SerializeToString(),
        pvt_rwset_hash=collection.private_rwset_hash,
    )


def _wire_entries(
    entries: Iterable[tuple[str, bytes]],
) -> list[kvrwset_pb2.KVMetadataEntry]:
    return [kvrwset_pb2.KVMetadataEntry(name=name, value=value) for name, value in entries]

"""Row 4: what a transaction may contain is counted before anything is built from it."""

import pytest

from ledger.endorsement.limits import SimulationLimits
from ledger.errors import InvalidMessage, Reason, TransactionInvalid
from ledger.model import transaction_limits as limits
from ledger.model.codec import decode_envelope
from ledger.model.codec_rwset import decode_read_write_set
from ledger.model.codes import ValidationCode
from ledger.wire import kvrwset_pb2, rwset_pb2
from tests.support.endorsing_world import EndorsingWorld
from tests.support.ledger_world import market


@pytest.fixture(scope="module")
def world():
    return EndorsingWorld()


def keys_of_one_namespace(**fields: object) -> bytes:
    keys = kvrwset_pb2.KVRWSet(**fields)
    namespace = rwset_pb2.NsReadWriteSet(namespace="market", rwset=keys.SerializeToString())
    return rwset_pb2.TxReadWriteSet(ns_rwset=[namespace]).SerializeToString()


def many(kind: type, count: int = limits.RWSET_ENTRIES_MAX) -> list:
    return [kind()] * count


@pytest.mark.parametrize(
    "fields",
    [
        {"reads": many(kvrwset_pb2.KVRead)},
        {"writes": many(kvrwset_pb2.KVWrite)},
        {"range_queries_info": many(kvrwset_pb2.RangeQueryInfo)},
        {"metadata_writes": many(kvrwset_pb2.KVMetadataWrite)},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_entries_of_a_read_write_set_are_counted(fields):
    decode_read_write_set(keys_of_one_namespace(**fields))
    one_more = {**fields, "metadata_writes": many(kvrwset_pb2.KVMetadataWrite, 1)}
    if "metadata_writes" in fields:
        one_more = {**fields, "reads": many(kvrwset_pb2.KVRead, 1)}
    assert refusal(keys_of_one_namespace(**one_more)) is ValidationCode.BAD_RWSET


def test_rows_hashes_and_metadata_inside_an_entry_are_counted_too():
    rows = kvrwset_pb2.RangeQueryInfo()
    rows.raw_reads.kv_reads.extend(many(kvrwset_pb2.KVRead))
    hashes = kvrwset_pb2.RangeQueryInfo()
    hashes.reads_merkle_hashes.max_level_hashes.extend([b""] * limits.RWSET_ENTRIES_MAX)
    entries = kvrwset_pb2.KVMetadataWrite(entries=many(kvrwset_pb2.KVMetadataEntry))
    for fields in (
        {"range_queries_info": [rows]},
        {"range_queries_info": [hashes]},
        {"metadata_writes": [entries]},
    ):
        assert refusal(keys_of_one_namespace(**fields)) is ValidationCode.BAD_RWSET


def test_namespaces_are_counted():
    namespaces = many(rwset_pb2.NsReadWriteSet, limits.NAMESPACES_MAX)
    wire = rwset_pb2.TxReadWriteSet(ns_rwset=namespaces)
    decode_read_write_set(wire.SerializeToString())
    wire.ns_rwset.add()
    assert refusal(wire.SerializeToString()) is ValidationCode.BAD_RWSET


def test_hashes_of_private_data_are_counted():
    hashed = kvrwset_pb2.HashedRWSet(hashed_writes=many(kvrwset_pb2.KVWriteHash))
    wire = rwset_pb2.TxReadWriteSet()
    collection = wire.ns_rwset.add().collection_hashed_rwset.add(collection_name="c")
    collection.hashed_rwset = hashed.SerializeToString()
    assert refusal(wire.SerializeToString()) is ValidationCode.BAD_RWSET


@pytest.mark.parametrize("where", ["namespace", "collection", "metadata"])
def test_names_fit_into_the_database(where):
    name = "n" * (limits.NAME_CHARACTERS_MAX + 1)
    wire = rwset_pb2.TxReadWriteSet()
    if where == "namespace":
        wire.ns_rwset.add(namespace=name)
    elif where == "collection":
        wire.ns_rwset.add().collection_hashed_rwset.add(collection_name=name)
    else:
        write = kvrwset_pb2.KVMetadataWrite(entries=[kvrwset_pb2.KVMetadataEntry(name=name)])
        keys = kvrwset_pb2.KVRWSet(metadata_writes=[write])
        wire.ns_rwset.add(rwset=keys.SerializeToString())
    assert refusal(wire.SerializeToString()) is ValidationCode.BAD_RWSET


def test_what_a_simulation_may_make_passes():
    simulation = SimulationLimits()
    made = simulation.reads_max + simulation.writes_max + simulation.range_queries_max
    assert made <= limits.RWSET_ENTRIES_MAX


def test_endorsements_are_counted_before_any_signature(world):
    endorser = world.nodes(1)
    good = world.transaction(market(), endorsers=endorser * limits.ENDORSEMENTS_MAX)
    decode_envelope(good)
    bad = world.transaction(market(), endorsers=endorser * (limits.ENDORSEMENTS_MAX + 1))
    with pytest.raises(TransactionInvalid, match="more than 100 endorsements") as caught:
        decode_envelope(bad)
    assert caught.value.code is ValidationCode.INVALID_ENDORSER_TRANSACTION


def test_arguments_and_transient_entries_of_a_proposal_are_counted(world):
    world.propose("f", *["a"] * (limits.ARGUMENTS_MAX - 1))
    for arguments, transient in (
        (limits.ARGUMENTS_MAX, {}),
        (0, {str(number): b"" for number in range(limits.TRANSIENT_ENTRIES_MAX + 1)}),
    ):
        with pytest.raises(InvalidMessage) as caught:
            world.propose("f", *["a"] * arguments, transient=transient)
        assert caught.value.reason is Reason.OVERSIZED


def refusal(raw: bytes) -> ValidationCode:
    with pytest.raises(TransactionInvalid) as caught:
        decode_read_write_set(raw)
    return caught.value.code

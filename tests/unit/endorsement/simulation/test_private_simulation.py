"""Private data in a simulation: values for the members, hashes for the ledger."""

import hashlib

import pytest

from ledger.crypto.policy_text import parse_policy
from ledger.endorsement.limits import SimulationLimits
from ledger.endorsement.runtimes.shim_handler import TransactionHandler
from ledger.endorsement.simulation.collection_access import CollectionAccess
from ledger.endorsement.simulation.simulator import SimulationRefused, TransactionSimulator
from ledger.model.codec_rwset import decode_read_write_set, encode_read_write_set
from ledger.model.private_collections import Collection
from ledger.model.private_rwset import (
    PrivateWrites,
    decode_private_writes,
)
from ledger.model.rwset import HashedMetadataWrite, HashedRead, HashedWrite, KeyWrite, Version
from ledger.model.state import VersionedValue, hashed_key, hashed_namespace
from ledger.wire import protos_pb2
from ledger.wire.protos_pb2 import ChaincodeMessage, WriteRecord

NS = "market"
OPEN = Collection("open", parse_policy("OR('CoopMSP.member')"))
CLOSED = Collection(
    "closed",
    parse_policy("OR('CoopMSP.member')"),
    member_only_read=True,
    member_only_write=True,
)
VERSION = Version(4, 1)


def sha256(data):
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).digest()


class Snapshot:
    """One committed private key, `known`, whose value this peer may or may not have."""

    height = 5

    def __init__(self, *, has_value=True):
        self.private = {"known": VersionedValue(b"secret", VERSION)} if has_value else {}

    def get_state(self, namespace, key):
        if (namespace, key) == (hashed_namespace(NS, "open"), hashed_key(sha256("known"))):
            return VersionedValue(sha256(b"secret"), VERSION, (("OLD", b"1"),))
        return None

    def get_private(self, namespace, collection, key):
        return self.private.get(key)

    def range_private(self, namespace, collection, start_key, end_key):
        return iter(sorted(self.private.items()))


def simulation(*, member=False, limits=None, **held):
    collections = {one.name: one for one in (OPEN, CLOSED)}
    access = CollectionAccess(
        "energy",
        find=lambda namespace, name: collections.get(name) if namespace == NS else None,
        is_member=lambda _collection: member,
    )
    return TransactionSimulator(Snapshot(**held), "ab" * 32, limits, access)


def hashes(simulator):
    """The one collection on the ledger, as it is there: from bytes."""
    (namespace,) = decode_read_write_set(encode_read_write_set(simulator.results())).namespaces
    (collection,) = namespace.collections
    return collection


def test_the_ledger_gets_hashes_and_the_members_get_values():
    simulator = simulation()
    simulator.private.put(NS, "open", "b", b"2")
    simulator.private.put(NS, "open", "a", b"1")
    simulator.private.delete(NS, "open", "c")
    (private,) = simulator.private_results().collections
    assert (private.namespace, private.collection) == (NS, "open")
    assert decode_private_writes(private.raw) == PrivateWrites(
        (KeyWrite("a", b"1"), KeyWrite("b", b"2"), KeyWrite("c", b"", is_delete=True))
    )
    public = hashes(simulator)
    assert public.private_rwset_hash == sha256(private.raw)
    assert public.hashed_writes == (
        HashedWrite(sha256("a"), sha256("1")),
        HashedWrite(sha256("b"), sha256("2")),
        HashedWrite(sha256("c"), b"", is_delete=True),
    )
    assert b"secret" not in encode_read_write_set(simulator.results())


def test_a_read_is_recorded_by_hash_and_is_no_private_write():
    simulator = simulation()
    assert simulator.private.get(NS, "open", "known") == b"secret"
    assert simulator.private.get(NS, "open", "absent") == b""
    assert hashes(simulator).hashed_reads == (
        HashedRead(sha256("absent"), None),
        HashedRead(sha256("known"), VERSION),
    )
    assert hashes(simulator).private_rwset_hash == b""
    assert not simulator.private_results()
    assert simulator.private.reads == {(NS, "open")}


def test_a_peer_without_the_value_says_so_in_fabric_s_words():
    simulator = simulation(has_value=False)
    with pytest.raises(SimulationRefused) as refused:
        simulator.private.get(NS, "open", "known")
    assert str(refused.value) == (
        "private data matching public hash version is not available. Public hash version = "
        "{BlockNum: 4, TxNum: 1}, Private data version = <nil>"
    )


def test_any_peer_can_read_the_hash_and_the_metadata():
    simulator = simulation(has_value=False)
    assert simulator.private.get_hash(NS, "open", "known") == sha256(b"secret")
    assert simulator.private.get_hash(NS, "open", "absent") == b""
    assert simulator.private.get_metadata(NS, "open", "known") == (("OLD", b"1"),)
    assert simulator.private.reads == frozenset()


def test_a_purge_is_marked_until_the_key_is_written_again():
    simulator = simulation()
    simulator.private.purge(NS, "open", "gone")
    assert hashes(simulator).hashed_writes == (
        HashedWrite(sha256("gone"), b"", is_delete=True, is_purge=True),
    )
    simulator.private.put(NS, "open", "gone", b"new")
    assert hashes(simulator).hashed_writes == (HashedWrite(sha256("gone"), sha256(b"new")),)


def test_metadata_is_public_by_the_key_s_hash_and_members_learn_the_key():
    simulator = simulation()
    simulator.private.put_metadata(NS, "open", "known", "NEW", b"2")
    (private,) = simulator.private_results().collections
    assert decode_private_writes(private.raw) == PrivateWrites((), ("known",))
    assert hashes(simulator).hashed_metadata_writes == (
        HashedMetadataWrite(sha256("known"), (("NEW", b"2"), ("OLD", b"1"))),
    )


def test_scans_are_for_transactions_that_write_nothing():
    simulator = simulation()
    scan = simulator.private.scan(NS, "open", "", "")
    assert scan.next_row() == ("known", VersionedValue(b"secret", VERSION))
    assert scan.next_row() is None
    with pytest.raises(SimulationRefused, match="already performed queries on pvt data"):
        simulator.put_state(NS, "k", b"1")
    with pytest.raises(SimulationRefused, match="already performed queries on pvt data"):
        simulator.private.put(NS, "open", "k", b"1")
    assert simulator.results().namespaces == ()


def test_a_scan_after_a_write_is_refused():
    simulator = simulation()
    simulator.put_state(NS, "k", b"1")
    with pytest.raises(SimulationRefused, match="pvt data is supported only in a read-only"):
        simulator.private.scan(NS, "open", "", "")


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({"reads_max": 3}, "more than 3 keys read"),
        ({"writes_max": 3}, "more than 3 writes"),
        ({"write_bytes_max": 10}, "more than 10 bytes written"),
    ],
)
def test_private_reads_and_writes_count_as_the_public_ones(limits, text):
    simulator = simulation(limits=SimulationLimits(**limits))

    def much():
        for n in range(10):
            simulator.private.put(NS, "open", f"k{n}", b"1")
            simulator.private.get(NS, "open", f"k{n}")

    with pytest.raises(SimulationRefused, match=text):
        much()


@pytest.mark.parametrize(
    "use",
    [
        lambda private: private.get(NS, "none", "k"),
        lambda private: private.get_hash(NS, "none", "k"),
        lambda private: private.get_metadata(NS, "none", "k"),
        lambda private: private.scan(NS, "none", "", ""),
        lambda private: private.put(NS, "none", "k", b"1"),
        lambda private: private.purge(NS, "none", "k"),
        lambda private: private.put_metadata(NS, "none", "k", "N", b"1"),
    ],
)
def test_a_collection_nobody_defined(use):
    text = r"collection \[none\] not defined in the collection config for chaincode \[market\]"
    with pytest.raises(SimulationRefused, match=text):
        use(simulation().private)


def test_a_fresh_simulation_remembers_no_private_writes():
    simulator = simulation()
    simulator.private.put(NS, "open", "k", b"1")
    assert not simulator.fresh().private_results()
    simulator.fresh().private.put(NS, "open", "k", b"1")


def record(kind, collection, key="k"):
    metadata = protos_pb2.StateMetadata(metakey="N", value=b"1")
    return WriteRecord(type=kind, collection=collection, key=key, value=b"1", metadata=metadata)


def requests(collection):
    """Every request that reads or writes a key of a collection."""
    one = protos_pb2.GetState(key="k", collection=collection).SerializeToString()
    metadata = protos_pb2.StateMetadata(metakey="N", value=b"1")
    reading = {
        ChaincodeMessage.GET_STATE: one,
        ChaincodeMessage.GET_STATE_METADATA: one,
        ChaincodeMessage.GET_STATE_MULTIPLE: protos_pb2.GetStateMultiple(
            keys=["k"], collection=collection
        ).SerializeToString(),
        ChaincodeMessage.GET_STATE_BY_RANGE: protos_pb2.GetStateByRange(
            collection=collection
        ).SerializeToString(),
    }
    writing = {
        ChaincodeMessage.PUT_STATE: protos_pb2.PutState(
            key="k", value=b"1", collection=collection
        ).SerializeToString(),
        ChaincodeMessage.DEL_STATE: one,
        ChaincodeMessage.PURGE_PRIVATE_DATA: one,
        ChaincodeMessage.PUT_STATE_METADATA: protos_pb2.PutStateMetadata(
            key="k", collection=collection, metadata=metadata
        ).SerializeToString(),
        ChaincodeMessage.WRITE_BATCH_STATE: protos_pb2.WriteBatchState(
            rec=[record(WriteRecord.PUT_STATE, collection)]
        ).SerializeToString(),
    }
    return reading, writing


@pytest.mark.parametrize("is_write", [False, True])
def test_members_only_means_the_creator_of_the_transaction(is_write):
    word = "write" if is_write else "read"
    for kind, payload in requests("closed")[is_write].items():
        with pytest.raises(SimulationRefused) as refused:
            TransactionHandler(NS, simulation()).answer(kind, payload)
        assert str(refused.value) == (
            f"tx creator does not have {word} access permission on privatedata in"
            " chaincodeName:market collectionName: closed"
        )
        TransactionHandler(NS, simulation(member=True)).answer(kind, payload)


def test_the_hash_of_a_closed_collection_is_for_everybody():
    payload = protos_pb2.GetState(key="k", collection="closed").SerializeToString()
    answer = TransactionHandler(NS, simulation()).answer(
        ChaincodeMessage.GET_PRIVATE_DATA_HASH, payload
    )
    assert answer == b""


def test_init_has_no_private_data():
    for kinds in requests("open"):
        for kind, payload in kinds.items():
            handler = TransactionHandler(NS, simulation(), is_init=True)
            with pytest.raises(SimulationRefused, match=r"not allowed in chaincode Init\(\)"):
                handler.answer(kind, payload)


def test_a_batch_writes_what_its_records_say():
    simulator = simulation()
    records = [
        record(WriteRecord.PUT_STATE, "open", "a"),
        record(WriteRecord.DEL_STATE, "open", "b"),
        record(WriteRecord.PURGE_PRIVATE_DATA, "open", "c"),
        record(WriteRecord.PUT_STATE_METADATA, "open", "d"),
        record(WriteRecord.PUT_STATE, "", "public"),
    ]
    payload = protos_pb2.WriteBatchState(rec=records).SerializeToString()
    TransactionHandler(NS, simulator).answer(ChaincodeMessage.WRITE_BATCH_STATE, payload)
    (private,) = simulator.private_results().collections
    assert decode_private_writes(private.raw) == PrivateWrites(
        (
            KeyWrite("a", b"1"),
            KeyWrite("b", b"", is_delete=True),
            KeyWrite("c", b"", is_delete=True),
        ),
        ("d",),
    )
    assert simulator.results().namespaces[0].writes == (KeyWrite("public", b"1"),)


def test_a_range_of_private_keys_comes_page_by_page():
    payload = protos_pb2.GetStateByRange(collection="open").SerializeToString()
    answer = TransactionHandler(NS, simulation()).answer(
        ChaincodeMessage.GET_STATE_BY_RANGE, payload
    )
    response = protos_pb2.QueryResponse.FromString(answer)
    assert not response.has_more
    assert len(response.results) == 1

"""The audit comes to the same codes and state as validation, by its own reading."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.audit.range_summaries import summarize
from ledger.crypto.hashing import transaction_id
from ledger.crypto.policy_text import parse_policy
from ledger.model.codec import encode_envelope
from ledger.model.codes import ValidationCode as Code
from ledger.model.policy_codec import encode_signature_policy
from ledger.model.private_collections import Collection
from ledger.model.rwset import (
    CollectionReadWriteSet,
    HashedRead,
    HashedWrite,
    KeyRead,
    MetadataWrite,
    NamespaceReadWriteSet,
    RangeQuery,
    ReadWriteSet,
    Version,
)
from ledger.model.state import VALIDATION_PARAMETER
from ledger.validation.range_summary import summarize_range
from ledger.wire import common_pb2
from tests.support.identities import COOPERATIVE
from tests.support.ledger_world import CHAINCODE, delete, market, put
from tests.unit.audit.ledgers import DefinedWorld, audit

KEYS = ("a", "b", "c", "d")
OF_COOPERATIVE = encode_signature_policy(parse_policy(f"AND('{COOPERATIVE}.peer')"))


@pytest.fixture
def world():
    return DefinedWorld()


def own_policy(key: str) -> MetadataWrite:
    return MetadataWrite(key, ((VALIDATION_PARAMETER, OF_COOPERATIVE),))


def agrees(world: DefinedWorld, *expected: Code) -> None:
    """The newest block has these codes, and the audit thinks so too."""
    newest = world.store.block(world.store.height() - 1)
    assert tuple(map(Code, newest.metadata[2])) == expected
    findings = audit(world.records())
    assert not findings.unjudged
    assert findings.blocks == world.store.height()


def test_signatures_ids_and_replays(world):
    good = world.transaction(market(writes=[put("a")]))
    wire = common_pb2.Envelope.FromString(good)
    unsigned = encode_envelope(wire.payload, world.client.sign(b"something else"))
    payload = common_pb2.Payload.FromString(wire.payload)
    channel = common_pb2.ChannelHeader.FromString(payload.header.channel_header)
    channel.tx_id = transaction_id(b"another nonce", world.client.serialized)
    payload.header.channel_header = channel.SerializeToString()
    world.commit(unsigned, world.sign(payload.SerializeToString()), good, good)
    agrees(
        world, Code.BAD_CREATOR_SIGNATURE, Code.BAD_PROPOSAL_TXID, Code.VALID, Code.DUPLICATE_TXID
    )
    world.commit(good)
    agrees(world, Code.DUPLICATE_TXID)


def test_channels_names_and_write_sets(world):
    twice = NamespaceReadWriteSet(CHAINCODE, writes=(put("a"),))
    system = ReadWriteSet((NamespaceReadWriteSet("lscc", writes=(put("a"),)),))
    world.commit(
        world.transaction(channel_id="elsewhere"),
        world.transaction(endorsed_chaincode="other"),
        world.transaction(version=""),
        world.transaction(event_of="other"),
        world.transaction(ReadWriteSet((twice, twice))),
        world.transaction(system),
        world.transaction(market(writes=[put("")])),
        world.transaction(chaincode="unknown", endorsed_chaincode="unknown"),
        b"no envelope",
    )
    agrees(
        world,
        Code.TARGET_CHAIN_NOT_FOUND,
        Code.INVALID_CHAINCODE,
        Code.INVALID_CHAINCODE,
        Code.INVALID_OTHER_REASON,
        Code.ILLEGAL_WRITESET,
        Code.ILLEGAL_WRITESET,
        Code.INVALID_WRITESET,
        Code.INVALID_CHAINCODE,
        Code.INVALID_OTHER_REASON,
    )


def test_endorsements_and_policies_of_keys(world):
    one, three = world.nodes(1), world.nodes(3)
    world.commit(world.transaction(market(writes=[put("a"), put("b")]), endorsers=three))
    world.commit(
        world.transaction(market(writes=[put("c")]), endorsers=one),
        world.transaction(market(metadata=[own_policy("a")]), endorsers=three),
        world.transaction(market(writes=[put("a")]), endorsers=three),
    )
    agrees(
        world,
        Code.ENDORSEMENT_POLICY_FAILURE,
        Code.VALID,
        Code.ENDORSEMENT_POLICY_FAILURE,  # its policy changed earlier in the block
    )
    others = tuple(node for node in world.nodes(4) if node.mspid != COOPERATIVE)
    world.commit(
        world.transaction(market(writes=[put("a")]), endorsers=others),
        world.transaction(market(writes=[put("a", b"2")]), endorsers=three),
    )
    agrees(world, Code.ENDORSEMENT_POLICY_FAILURE, Code.VALID)
    world.commit(world.transaction(market(writes=[delete("a")]), endorsers=three))
    agrees(world, Code.VALID)


def test_hashes_of_private_data(world):
    def private(read: Version | None) -> ReadWriteSet:
        collection = CollectionReadWriteSet(
            "meters",
            hashed_reads=(HashedRead(b"k" * 32, read),),
            hashed_writes=(HashedWrite(b"k" * 32, b"v" * 32),),
            private_rwset_hash=b"h" * 32,
        )
        return ReadWriteSet((NamespaceReadWriteSet(CHAINCODE, collections=(collection,)),))

    world.define_collections(Collection("meters", parse_policy("OR('CoopMSP.member')")))
    world.commit(world.transaction(private(None)), world.transaction(private(None)))
    agrees(world, Code.VALID, Code.MVCC_READ_CONFLICT)
    world.commit(world.transaction(private(Version(world.store.height() - 1, 0))))
    agrees(world, Code.VALID)


PLANS = st.tuples(
    st.frozensets(st.sampled_from(KEYS), max_size=2),
    st.none() | st.tuples(st.sampled_from(KEYS), st.sampled_from((*KEYS, "")), st.booleans()),
    st.dictionaries(st.sampled_from(KEYS), st.sampled_from([b"", b"1", b"2"]), max_size=2),
)


@settings(max_examples=25)
@given(blocks=st.lists(st.lists(PLANS, min_size=1, max_size=5), min_size=1, max_size=3))
def test_reads_and_scans_of_random_blocks(blocks):
    world = DefinedWorld()
    stale = [world.read(key) for key in KEYS]
    for plans in blocks:
        entries = []
        for number, (reads, scan, writes) in enumerate(plans):
            taken = stale if number % 2 else [world.read(key) for key in KEYS]
            ranges = []
            if scan is not None:
                start, end, exhausted = scan
                ranges = [world.scan(start, end, exhausted=exhausted)]
            results = market(
                reads=[read for read in taken if read.key in reads],
                ranges=ranges,
                writes=[put(k, v) if v else delete(k) for k, v in sorted(writes.items())],
            )
            entries.append(world.transaction(results))
        world.commit(*entries)
    findings = audit(world.records())
    assert findings.codes.total() == 2 + sum(map(len, blocks))


@given(rows=st.integers(0, 400), degree=st.integers(2, 7))
def test_summaries_of_long_scans(rows, degree):
    reads = [KeyRead(f"k{number:04d}", Version(number, number % 3)) for number in range(rows)]
    expected = summarize_range(reads, degree)
    found = summarize(
        [(read.key, (read.version.block_number, read.version.tx_number)) for read in reads],
        degree=degree,
    )
    if expected is None:
        assert found is None
    else:
        assert found == (expected.max_degree, expected.max_level, expected.max_level_hashes)


def test_a_long_scan_that_changed_is_a_phantom(world):
    world.commit(world.transaction(market(writes=[put(f"k{n:03d}") for n in range(120)])))
    full = world.scan("k", "l")
    summary = summarize_range(full.reads)
    scan = RangeQuery("k", "l", exhausted=True, summary=summary)
    reading = world.transaction(market(ranges=[scan]))
    late = world.transaction(market(ranges=[scan], writes=[put("k500")]))
    world.commit(reading, late, world.transaction(market(ranges=[scan])))
    agrees(world, Code.VALID, Code.VALID, Code.PHANTOM_READ_CONFLICT)

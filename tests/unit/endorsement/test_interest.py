"""Which policies a simulation calls for, and how that travels to who plans the endorsements."""

import pytest

from ledger.crypto.hashing import sha256
from ledger.crypto.policy_text import parse_policy
from ledger.endorsement.interest import simulation_interest
from ledger.errors import InvalidMessage
from ledger.model.codec_action import decode_proposal_response, encode_proposal_response
from ledger.model.interest import CallInterest, Interest
from ledger.model.policy_codec import encode_signature_policy
from ledger.model.rwset import (
    CollectionReadWriteSet,
    HashedRead,
    HashedWrite,
    KeyRead,
    KeyWrite,
    MetadataWrite,
    NamespaceReadWriteSet,
    ReadWriteSet,
    Version,
)
from ledger.model.state import VALIDATION_PARAMETER, VersionedValue, hashed_key, hashed_namespace
from ledger.model.transaction import ChaincodeResponse, ProposalResponse
from ledger.wire import protos_pb2

POLICY = encode_signature_policy(parse_policy("AND('A.peer')"))
OTHER_POLICY = encode_signature_policy(parse_policy("AND('B.peer')"))
WRITTEN = Version(1, 0)


class State:
    """Committed keys, some with a policy of their own."""

    def __init__(self, **policies: bytes) -> None:
        self.policies = {("cc", key): policy for key, policy in policies.items()}

    def get_state(self, namespace: str, key: str) -> VersionedValue | None:
        policy = self.policies.get((namespace, key))
        metadata = () if policy is None else ((VALIDATION_PARAMETER, policy),)
        return VersionedValue(b"v", WRITTEN, metadata)

    def has_metadata(self, namespace: str) -> bool:
        return any(known == namespace for known, _ in self.policies)


def collection(name: str, *keys: bytes, reads: tuple[bytes, ...] = ()) -> CollectionReadWriteSet:
    return CollectionReadWriteSet(
        collection=name,
        hashed_reads=tuple(HashedRead(sha256(key), WRITTEN) for key in reads),
        hashed_writes=tuple(HashedWrite(sha256(key), sha256(b"v")) for key in keys),
        private_rwset_hash=b"",
    )


def interest(state: State, *sets: NamespaceReadWriteSet, private_reads=()) -> Interest:
    return simulation_interest(ReadWriteSet(sets), state, private_reads)


def writes(*keys: str) -> NamespaceReadWriteSet:
    return NamespaceReadWriteSet("cc", writes=tuple(KeyWrite(key, b"v") for key in keys))


def test_writes_and_mere_reads_call_for_the_chaincodes_policy():
    reads = NamespaceReadWriteSet("cc", reads=(KeyRead("k", WRITTEN),))
    assert interest(State(), writes("k")) == (CallInterest("cc"),)
    assert interest(State(), reads) == (CallInterest("cc"),)
    assert interest(State(k=POLICY), reads) == (CallInterest("cc"),)


def test_what_system_chaincodes_read_calls_for_nothing():
    lifecycle = NamespaceReadWriteSet("_lifecycle", reads=(KeyRead("k", WRITTEN),))
    assert interest(State(), lifecycle) == ()
    assert interest(State(), lifecycle, writes("k")) == (CallInterest("cc"),)


def test_a_written_key_with_a_policy_calls_for_it_instead():
    state = State(k=POLICY, other=OTHER_POLICY)
    assert interest(state, writes("k")) == (
        CallInterest("cc", key_policies=(POLICY,), disregard_namespace_policy=True),
    )
    [both] = interest(state, writes("k", "plain"))
    assert (both.key_policies, both.disregard_namespace_policy) == ((POLICY,), False)
    [two] = interest(state, writes("k", "other"))
    assert sorted(two.key_policies) == sorted((POLICY, OTHER_POLICY))


def test_changing_a_policy_calls_for_the_old_one():
    change = MetadataWrite("k", ((VALIDATION_PARAMETER, OTHER_POLICY),))
    rwset = NamespaceReadWriteSet("cc", metadata_writes=(change,))
    [call] = interest(State(k=POLICY), rwset)
    assert call.key_policies == (POLICY,)


def test_private_writes_call_for_the_collections_policy():
    rwset = NamespaceReadWriteSet("cc", collections=(collection("one", b"k"),))
    assert interest(State(), rwset) == (
        CallInterest("cc", collection_names=("one",), no_private_reads=True),
    )
    with_public = NamespaceReadWriteSet(
        "cc", writes=(KeyWrite("k", b"v"),), collections=(collection("one", b"k"),)
    )
    assert interest(State(), with_public) == (
        CallInterest("cc"),
        CallInterest("cc", collection_names=("one",), no_private_reads=True),
    )


def test_private_reads_are_told_apart_from_reads_of_hashes():
    only_hash = NamespaceReadWriteSet("cc", collections=(collection("one", reads=(b"k",)),))
    assert interest(State(), only_hash) == (CallInterest("cc"),)
    assert interest(State(), only_hash, private_reads={("cc", "one")}) == (
        CallInterest("cc"),
        CallInterest("cc", collection_names=("one",)),
    )
    written = NamespaceReadWriteSet("cc", collections=(collection("one", b"k"),))
    [call] = interest(State(), written, private_reads={("cc", "one"), ("another", "two")})
    assert call == CallInterest("cc", collection_names=("one",))


def test_a_private_key_with_a_policy_of_its_own():
    state = State()
    space = hashed_namespace("cc", "one")
    state.policies[(space, hashed_key(sha256(b"k")))] = POLICY
    rwset = NamespaceReadWriteSet("cc", collections=(collection("one", b"k"),))
    assert interest(state, rwset) == (
        CallInterest("cc", key_policies=(POLICY,), disregard_namespace_policy=True),
    )
    mixed = NamespaceReadWriteSet("cc", collections=(collection("one", b"k", b"plain"),))
    assert interest(state, mixed) == (
        CallInterest("cc", key_policies=(POLICY,), disregard_namespace_policy=True),
        CallInterest("cc", collection_names=("one",), no_private_reads=True),
    )


def test_a_policy_that_cannot_be_read_says_so():
    with pytest.raises(InvalidMessage):
        interest(State(k=b"\xff"), writes("k"))


def test_it_travels_in_fabrics_message():
    said = (
        CallInterest("cc", key_policies=(POLICY,), disregard_namespace_policy=True),
        CallInterest("cc", collection_names=("one",), no_private_reads=True),
    )
    answer = ProposalResponse(ChaincodeResponse(200, "", b""), b"payload", None, said)
    raw = encode_proposal_response(answer)
    assert decode_proposal_response(raw) == answer
    wire = protos_pb2.ProposalResponse.FromString(raw).interest
    assert [call.name for call in wire.chaincodes] == ["cc", "cc"]
    assert wire.chaincodes[0].key_policies[0].SerializeToString() == POLICY
    assert list(wire.chaincodes[1].collection_names) == ["one"]


def test_a_policy_that_does_not_parse_is_not_sent():
    broken = ProposalResponse(
        ChaincodeResponse(200, "", b""), b"", None, (CallInterest("cc", key_policies=(b"\xff",)),)
    )
    with pytest.raises(InvalidMessage):
        encode_proposal_response(broken)

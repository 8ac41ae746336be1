"""Chaincode definitions: what Fabric writes, who may approve and commit, and every refusal."""

from dataclasses import replace

import pytest

from ledger.crypto.hashing import sha256
from ledger.endorsement.lifecycle.agreement import DefinitionFunctions
from ledger.endorsement.lifecycle.definitions import FullDefinition, committed_definition
from ledger.endorsement.lifecycle.messages import (
    Approval,
    decode_all_committed,
    decode_approved,
    decode_committed,
    decode_readiness,
    encode_approve_arguments,
    encode_commit_arguments,
    encode_query_approved_arguments,
    encode_query_arguments,
    encode_readiness_arguments,
)
from ledger.endorsement.simulation.collection_access import CollectionAccess
from ledger.endorsement.simulation.simulator import TransactionSimulator
from ledger.model.codes import ValidationCode
from ledger.model.policy import Principal, Role, SignaturePolicy, SignedBy
from ledger.model.private_collections import Collection, encode_collections, find_collection
from ledger.wire import lifecycle_pb2
from tests.support.endorsing_world import EndorsingWorld
from tests.support.identities import MSPIDS
from tests.support.ledger_world import application_policy
from tests.support.lifecycle_world import LifecycleWorld
from tests.unit.model.fabric_blocks import all_blocks, endorser_transactions

POLICY = application_policy("OR('CoopMSP.peer')")
DEFINITION = FullDefinition("energy", 1, "1.0", POLICY)
PACKAGE = "energy_1.0:" + "ab" * 32
FABRIC = [transaction for _, transaction in endorser_transactions(all_blocks())]


def of_fabric(function: bytes):
    return [one for one in FABRIC if one.args[0] == function]


def lifecycle_part(transaction):
    """Fabric also looks into the registry of its version 1, which is not here."""
    namespaces = transaction.action.results.namespaces
    return next(one for one in namespaces if one.namespace == "_lifecycle")


@pytest.fixture
def world(tmp_path):
    return LifecycleWorld(tmp_path)


def simulated(function, transaction, msp="Org1MSP"):
    """One of Fabric's own proposals, run here on an empty ledger."""
    world = EndorsingWorld()
    functions = DefinitionFunctions(mspid=msp, channel_id="ch", members=lambda: [msp])
    access = CollectionAccess("ch", lambda _namespace, name: find_collection(name, {}))
    simulator = TransactionSimulator(world.store.snapshot(), "tx", collections=access)
    getattr(functions, function)(transaction.args[1], simulator)
    return simulator.results()


def test_an_approval_writes_the_hashes_that_fabric_wrote():
    approvals = of_fabric(b"ApproveChaincodeDefinitionForMyOrg")
    assert approvals
    for transaction in approvals:
        theirs = lifecycle_part(transaction)
        msp = theirs.collections[0].collection.removeprefix("_implicit_org_")
        (ours,) = simulated("approve", transaction, msp).namespaces
        assert ours.reads == theirs.reads
        assert ours.writes == theirs.writes == ()
        assert ours.collections[0].hashed_reads == theirs.collections[0].hashed_reads
        assert ours.collections[0].hashed_writes == theirs.collections[0].hashed_writes
        assert ours.collections[0].private_rwset_hash == theirs.collections[0].private_rwset_hash


def test_a_commit_reads_and_writes_what_fabric_did(monkeypatch):
    commits = of_fabric(b"CommitChaincodeDefinition")
    assert len(commits) == 2
    # On an empty ledger nobody approved; what is read and written is asked about here.
    monkeypatch.setattr("ledger.endorsement.lifecycle.agreement.differing_fields", _all_agreed)
    for transaction in commits:
        theirs = lifecycle_part(transaction)
        msp = theirs.collections[0].collection.removeprefix("_implicit_org_")
        (ours,) = simulated("commit", transaction, msp).namespaces
        assert ours.reads == theirs.reads
        assert ours.writes == theirs.writes
        ours_read = [read.key_hash for read in ours.collections[0].hashed_reads]
        assert ours_read == [read.key_hash for read in theirs.collections[0].hashed_reads]


def _all_agreed(state, structure):
    for key, _ in structure.entries():
        state.get_hash(key)
    return []


def test_members_approve_and_a_commit_makes_it_so(world):
    assert committed_definition("energy", world.store) is None
    world.approve(DEFINITION, PACKAGE)
    assert world.commit_definition(DEFINITION) == ValidationCode.VALID
    found = committed_definition("energy", world.store)
    assert (found.version, found.sequence, found.policy) == ("1.0", 1, POLICY)
    answer = world.invoke("QueryChaincodeDefinition", encode_query_arguments("energy")).response
    assert decode_committed("energy", answer.payload) == (
        DEFINITION,
        dict.fromkeys(MSPIDS, True),
    )
    everything = world.invoke("QueryChaincodeDefinitions", b"").response
    assert decode_all_committed(everything.payload) == [DEFINITION]


def test_what_a_member_approved_is_for_its_own_peers_to_read(world):
    world.approve(DEFINITION, PACKAGE, "CoopMSP")
    for sequence in (0, 1):
        asked = encode_query_approved_arguments("energy", sequence)
        answer = world.invoke("QueryApprovedChaincodeDefinition", asked).response
        assert decode_approved("energy", answer.payload) == Approval(DEFINITION, PACKAGE)
    others = world.refusal("QueryApprovedChaincodeDefinition", asked, at="DsoMSP")
    assert others.endswith(
        "could not fetch approved chaincode definition (name: 'energy', sequence: '1')"
        " on channel 'energy'"
    )
    raw = world.invoke("QueryApprovedChaincodeDefinitions", b"").response.payload
    listed = lifecycle_pb2.QueryApprovedChaincodeDefinitionsResult.FromString(raw)
    (one,) = listed.approved_chaincode_definitions
    assert (one.name, one.sequence, one.source.local_package.package_id) == (
        "energy", 1, PACKAGE,
    )  # fmt: skip


def test_others_see_hashes_of_an_approval_only(world):
    raw = encode_approve_arguments(DEFINITION, PACKAGE)
    results = world.invoke("ApproveChaincodeDefinitionForMyOrg", raw).simulator.results()
    (namespace,) = results.namespaces
    assert namespace.writes == ()
    hashes = {write.key_hash for write in namespace.collections[0].hashed_writes}
    assert sha256(b"chaincode-sources/fields/energy#1/PackageID") in hashes
    assert PACKAGE not in repr(results)


def test_an_approval_needs_the_endorsement_of_that_member(world):
    raw = encode_approve_arguments(DEFINITION, PACKAGE)
    execution = world.invoke("ApproveChaincodeDefinitionForMyOrg", raw)
    assert world.record(execution, "DsoMSP", "UtilityMSP", "MunicipalityMSP") == (
        ValidationCode.ENDORSEMENT_POLICY_FAILURE
    )


def test_readiness_names_what_each_member_approved_otherwise(world):
    world.approve(DEFINITION, PACKAGE, "CoopMSP")
    world.approve(replace(DEFINITION, version="1.1"), PACKAGE, "DsoMSP")
    other = replace(DEFINITION, policy=application_policy("OR('DsoMSP.peer')"))
    world.approve(other, PACKAGE, "UtilityMSP")
    answer = world.invoke("CheckCommitReadiness", encode_readiness_arguments(DEFINITION))
    readiness = decode_readiness(answer.response.payload)
    assert readiness.approvals == {
        "CoopMSP": True, "DsoMSP": False, "MunicipalityMSP": False, "UtilityMSP": False,
    }  # fmt: skip
    assert readiness.mismatches == {
        "DsoMSP": ("EndorsementInfo",),
        "UtilityMSP": ("ValidationInfo",),
        "MunicipalityMSP": ("ChaincodeParameters",),
    }


def test_a_peer_endorses_no_commit_that_its_member_did_not_approve(world):
    world.approve(DEFINITION, PACKAGE, "CoopMSP", "DsoMSP")
    text = world.refusal(
        "CommitChaincodeDefinition", encode_commit_arguments(DEFINITION), at="UtilityMSP"
    )
    assert text == (
        "failed to invoke backing implementation of 'CommitChaincodeDefinition': chaincode"
        " definition not agreed to by this org (UtilityMSP)"
    )
    wanted = encode_commit_arguments(replace(DEFINITION, version="2"))
    assert "not agreed to by this org (CoopMSP)" in world.refusal(
        "CommitChaincodeDefinition", wanted
    )


def test_two_of_four_members_are_not_enough(world):
    world.approve(DEFINITION, PACKAGE, "CoopMSP", "DsoMSP")
    code = world.commit_definition(DEFINITION, "CoopMSP", "DsoMSP")
    assert code == ValidationCode.ENDORSEMENT_POLICY_FAILURE
    assert committed_definition("energy", world.store) is None
    world.approve(DEFINITION, PACKAGE, "UtilityMSP")
    code = world.commit_definition(DEFINITION, "CoopMSP", "DsoMSP", "UtilityMSP")
    assert code == ValidationCode.VALID


def test_an_approval_that_came_after_the_commit_was_endorsed_changes_nothing(world):
    """What other members approved was read by its hash: a change makes the commit stale."""
    world.approve(DEFINITION, PACKAGE, "CoopMSP", "DsoMSP", "UtilityMSP")
    raw = encode_commit_arguments(DEFINITION)
    commit = world.invoke("CommitChaincodeDefinition", raw)
    world.approve(replace(DEFINITION, version="9"), PACKAGE, "UtilityMSP")
    code = world.record(commit, "CoopMSP", "DsoMSP", "UtilityMSP")
    assert code == ValidationCode.MVCC_READ_CONFLICT


def test_an_upgrade_needs_new_approvals_and_the_next_sequence(world):
    world.approve(DEFINITION, PACKAGE)
    world.commit_definition(DEFINITION)
    upgrade = replace(DEFINITION, sequence=2, version="2.0")
    assert "not agreed to" in world.refusal(
        "CommitChaincodeDefinition", encode_commit_arguments(upgrade)
    )
    world.approve(upgrade, PACKAGE)
    commit = world.invoke("CommitChaincodeDefinition", encode_commit_arguments(upgrade))
    (namespace,) = commit.simulator.results().namespaces
    assert [write.key for write in namespace.writes] == [
        "namespaces/fields/energy/EndorsementInfo",
        "namespaces/fields/energy/Sequence",
    ], "Fabric writes what changed and nothing else"
    assert world.record(commit, *MSPIDS) == ValidationCode.VALID
    assert committed_definition("energy", world.store).version == "2.0"


@pytest.mark.parametrize("sequence", [0, 2, 7, -1])
def test_a_commit_follows_the_one_before(world, sequence):
    wanted = replace(DEFINITION, sequence=sequence)
    for function, raw in (
        ("CommitChaincodeDefinition", encode_commit_arguments(wanted)),
        ("CheckCommitReadiness", encode_readiness_arguments(wanted)),
    ):
        assert world.refusal(function, raw).endswith(
            f"requested sequence is {sequence}, but new definition must be sequence 1"
        )


def test_sequences_of_approvals(world):
    world.approve(DEFINITION, PACKAGE)
    world.commit_definition(DEFINITION)
    upgrade = replace(DEFINITION, sequence=2, version="2.0")
    world.approve(upgrade, PACKAGE)
    world.commit_definition(upgrade)

    def refused(definition, package_id=PACKAGE):
        raw = encode_approve_arguments(definition, package_id)
        return world.refusal("ApproveChaincodeDefinitionForMyOrg", raw).partition("': ")[2]

    assert refused(DEFINITION) == (
        "currently defined sequence 2 is larger than requested sequence 1"
    )
    assert refused(replace(upgrade, sequence=4)) == (
        "requested sequence 4 is larger than the next available sequence number 3"
    )
    assert refused(replace(upgrade, version="3")).startswith(
        "attempted to redefine the current committed sequence (2) for namespace energy with"
        " different parameters: expected Version '2.0' does not match passed Version '3'"
    )
    assert refused(upgrade) == (
        "attempted to redefine the current committed sequence (2) for namespace energy"
    )
    assert refused(replace(DEFINITION, name="other", sequence=0)) == (
        "requested sequence is 0, but first definable sequence number is 1"
    )
    following = replace(upgrade, sequence=3)
    world.approve(following, PACKAGE, "CoopMSP")
    assert refused(following) == (
        "attempted to redefine uncommitted sequence (3) for namespace energy with unchanged"
        " content"
    )
    world.approve(following, "energy_3:" + "cd" * 32, "CoopMSP")


def test_another_package_may_be_approved_for_what_is_committed(world):
    world.approve(DEFINITION, PACKAGE)
    world.commit_definition(DEFINITION)
    world.approve(DEFINITION, "", "CoopMSP")
    asked = encode_query_approved_arguments("energy", 1)
    answer = world.invoke("QueryApprovedChaincodeDefinition", asked).response
    wire = lifecycle_pb2.QueryApprovedChaincodeDefinitionResult.FromString(answer.payload)
    assert wire.source.WhichOneof("Type") == "unavailable"


def test_a_transaction_under_the_old_definition_is_stale_after_an_upgrade(world):
    world.approve(DEFINITION, PACKAGE)
    world.commit_definition(DEFINITION)
    simulator = world.simulator(world.propose("run"))
    simulator.read_definition("energy")
    entry = world.transaction(results=simulator.results())
    upgrade = replace(DEFINITION, sequence=2)
    world.approve(upgrade, PACKAGE)
    world.commit_definition(upgrade)
    assert world.codes(entry) == (ValidationCode.MVCC_READ_CONFLICT,)


def test_an_unknown_name_is_not_found(world):
    response = world.invoke("QueryChaincodeDefinition", encode_query_arguments("nothing")).response
    assert (response.status, response.message) == (404, "namespace nothing is not defined")


@pytest.mark.parametrize(
    ("function", "args", "words"),
    [
        ("Nothing", (b"",), "failed ACL check: Unmapped policy for _lifecycle/Nothing"),
        ("CommitChaincodeDefinition", (), "exactly two arguments but received 1"),
        ("CommitChaincodeDefinition", (b"\xff",), "could not decode input arg"),
        ("ApproveChaincodeDefinitionForMyOrg", (b"\xff",), "could not decode input arg"),
    ],
)
def test_a_call_that_is_none_is_refused(world, function, args, words):
    assert words in world.refusal(function, *args)


MEMBER_POLICY = SignaturePolicy(SignedBy(0), (Principal("CoopMSP", Role.MEMBER),))
SHARED = Collection(name="shared", member_policy=MEMBER_POLICY, block_to_live=10)
STRANGERS = SignaturePolicy(SignedBy(0), (Principal("NobodyMSP", Role.MEMBER),))


def collections(*several):
    return encode_collections(several)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "no name"}, "invalid chaincode name 'no name'. Names can only consist"),
        ({"name": ""}, "invalid chaincode name ''"),
        ({"name": "a/b"}, "invalid chaincode name"),
        ({"name": "qscc"}, "chaincode name 'qscc' is the name of a system chaincode"),
        ({"name": "a" * 100}, "invalid chaincode name"),
        ({"version": ""}, "invalid chaincode version ''. Versions can only consist"),
        ({"version": "1 0"}, "invalid chaincode version '1 0'"),
        ({"policy": b"\xff"}, "the endorsement policy cannot be used"),
        (
            {"collections": collections(replace(SHARED, name="_own"))},
            "invalid collection name '_own'",
        ),
        ({"collections": collections(SHARED, SHARED)}, "found duplicate in collection"),
        (
            {"collections": collections(replace(SHARED, required_peer_count=2))},
            "maximum peer count (0) cannot be less than the required peer count (2)",
        ),
        (
            {"collections": collections(replace(SHARED, member_policy=STRANGERS))},
            "collection member 'NobodyMSP' is not part of the channel",
        ),
    ],
)
def test_a_definition_nobody_may_agree_on(world, change, words):
    wanted = replace(DEFINITION, **change)
    for function, raw in (
        ("ApproveChaincodeDefinitionForMyOrg", encode_approve_arguments(wanted, PACKAGE)),
        ("CommitChaincodeDefinition", encode_commit_arguments(wanted)),
    ):
        text = world.refusal(function, raw)
        assert "error validating chaincode definition: " in text
        assert words in text


def test_collections_stay_and_keep_their_time(world):
    with_collection = replace(DEFINITION, collections=collections(SHARED))
    world.approve(with_collection, PACKAGE)
    world.commit_definition(with_collection)
    for kept, words in (
        (b"", "does not contain previously defined collections"),
        (collections(replace(SHARED, name="other")), "existing collection [shared] missing"),
        (collections(replace(SHARED, block_to_live=11)), "BlockToLive in an existing collection"),
    ):
        wanted = replace(with_collection, sequence=2, collections=kept)
        raw = encode_approve_arguments(wanted, PACKAGE)
        assert words in world.refusal("ApproveChaincodeDefinitionForMyOrg", raw)


@pytest.mark.parametrize(
    "function",
    [
        "InstallChaincode",
        "QueryInstalledChaincodes",
        "GetInstalledChaincodePackage",
        "ApproveChaincodeDefinitionForMyOrg",
        "QueryApprovedChaincodeDefinition",
    ],
)
def test_operators_functions_are_for_the_members_own_administrators(world, function):
    client = world.consortium.member("CoopMSP").client
    words = "Failed to authorize invocation due to failed ACL check: Failed verifying that"
    assert world.refusal(function, b"", client=client).startswith(words)
    stranger = world.refusal(function, b"", client=world.admin("DsoMSP"))
    assert "expected MSP ID CoopMSP, received DsoMSP" in stranger


def test_commits_are_for_writers_of_the_channel(world):
    raw = encode_readiness_arguments(DEFINITION)
    node = world.consortium.member("DsoMSP").node
    assert "policy [/Channel/Application/Writers]" in world.refusal(
        "CheckCommitReadiness", raw, client=node
    )
    client = world.consortium.member("DsoMSP").client
    assert world.invoke("CheckCommitReadiness", raw, client=client).response.status == 200

"""Chaincode definitions: the state Fabric writes, and who may change it."""

from dataclasses import replace

import pytest

from ledger.endorsement.definitions import FullDefinition, committed_definition
from ledger.endorsement.lifecycle import Lifecycle, encode_commit_arguments
from ledger.endorsement.simulator import LIFECYCLE_NAMESPACE
from ledger.model.codes import ValidationCode
from ledger.validation.context import ChaincodeDefinition
from ledger.wire import lifecycle_pb2
from tests.support.endorsing_world import EndorsingWorld
from tests.support.ledger_world import application_policy
from tests.unit.model.fabric_blocks import all_blocks, endorser_transactions

POLICY = application_policy("OR('CoopMSP.peer')")
DEFINITION = FullDefinition("energy", 1, "1.0", POLICY)
FABRIC_COMMITS = [
    transaction
    for _, transaction in endorser_transactions(all_blocks())
    if transaction.args[0] == b"CommitChaincodeDefinition"
]


@pytest.fixture
def world():
    world = EndorsingWorld()
    lifecycle = ChaincodeDefinition(
        version="syscc", sequence=0, policy=application_policy("OR('CoopMSP.peer')")
    )
    world.definitions[LIFECYCLE_NAMESPACE] = lifecycle
    return world


def invoke(world, approved, *args):
    simulator = world.simulator(world.propose("run"))
    return Lifecycle("CoopMSP", approved).invoke(args, simulator)


def commit(world, definition):
    execution = invoke(world, [definition], *encode_commit_arguments(definition))
    assert execution.response.status == 200, execution.response
    entry = world.transaction(
        results=execution.simulator.results(),
        chaincode=LIFECYCLE_NAMESPACE,
        endorsed_chaincode=LIFECYCLE_NAMESPACE,
        version="syscc",
    )
    assert world.commit(entry) == (ValidationCode.VALID,)


def query(world, name):
    argument = lifecycle_pb2.QueryChaincodeDefinitionArgs(name=name).SerializeToString()
    return invoke(world, [], b"QueryChaincodeDefinition", argument).response


def test_a_commit_writes_the_bytes_that_fabric_wrote():
    assert len(FABRIC_COMMITS) == 2
    for transaction in FABRIC_COMMITS:
        wire = lifecycle_pb2.CommitChaincodeDefinitionArgs.FromString(transaction.args[1])
        approved = FullDefinition(
            name=wire.name,
            sequence=wire.sequence,
            version=wire.version,
            policy=wire.validation_parameter,
            collections=wire.collections.SerializeToString(),
        )
        ours = invoke(EndorsingWorld(), [approved], *transaction.args).simulator.results()
        theirs = next(
            n for n in transaction.action.results.namespaces if n.namespace == "_lifecycle"
        )
        assert ours.namespaces[0].reads == theirs.reads
        assert ours.namespaces[0].writes == theirs.writes


def test_what_is_committed_is_found(world):
    assert committed_definition("energy", world.store) is None
    commit(world, DEFINITION)
    found = committed_definition("energy", world.store)
    assert (found.version, found.sequence, found.policy) == ("1.0", 1, POLICY)
    answer = lifecycle_pb2.QueryChaincodeDefinitionResult.FromString(
        query(world, "energy").payload
    )
    assert (answer.version, answer.sequence, answer.validation_parameter) == ("1.0", 1, POLICY)
    everything = invoke(world, [], b"QueryChaincodeDefinitions", b"").response.payload
    listed = lifecycle_pb2.QueryChaincodeDefinitionsResult.FromString(everything)
    assert [d.name for d in listed.chaincode_definitions] == ["energy"]


def test_the_lifecycle_needs_no_definition(world):
    assert committed_definition("_lifecycle", world.store).version == "syscc"


def test_an_unknown_name_is_not_found(world):
    response = query(world, "nothing")
    assert response.status == 404
    assert response.message.startswith("failed to invoke backing implementation of 'Query")
    assert response.message.endswith("namespace nothing is not defined")


@pytest.mark.parametrize(
    "change",
    [
        {"version": "1.1"},
        {"policy": application_policy("OR('UtilityMSP.peer')")},
        {"init_required": True},
        {"validation_plugin": "other"},
    ],
)
def test_a_peer_endorses_only_what_its_operator_approved(world, change):
    wanted = replace(DEFINITION, **change)
    execution = invoke(world, [DEFINITION], *encode_commit_arguments(wanted))
    assert execution.response.status == 500
    assert "not agreed to by this org (CoopMSP)" in execution.response.message
    assert next(iter(change)) in execution.response.message
    assert not execution.simulator.results().namespaces[0].writes


def test_without_any_approval_nothing_is_endorsed(world):
    response = invoke(world, [], *encode_commit_arguments(DEFINITION)).response
    assert response.status == 500
    assert "not agreed to" in response.message


@pytest.mark.parametrize("sequence", [0, 2, 7, -1])
def test_sequences_have_no_gaps(world, sequence):
    wanted = replace(DEFINITION, sequence=sequence)
    response = invoke(world, [wanted], *encode_commit_arguments(wanted)).response
    assert response.message.endswith(
        f"requested sequence is {sequence}, but new definition must be sequence 1"
    )


def test_an_upgrade_needs_the_next_sequence_and_every_endorsers_approval(world):
    commit(world, DEFINITION)
    again = invoke(world, [DEFINITION], *encode_commit_arguments(DEFINITION)).response
    assert "must be sequence 2" in again.message
    upgrade = replace(DEFINITION, sequence=2, version="2.0")
    refused = invoke(world, [DEFINITION], *encode_commit_arguments(upgrade)).response
    assert refused.status == 500
    commit(world, upgrade)
    assert committed_definition("energy", world.store).version == "2.0"


def test_a_transaction_under_the_old_definition_is_stale_after_an_upgrade(world):
    commit(world, DEFINITION)
    simulator = world.simulator(world.propose("run"))
    simulator.read_definition("energy")
    entry = world.transaction(results=simulator.results())
    commit(world, replace(DEFINITION, sequence=2))
    assert world.codes(entry) == (ValidationCode.MVCC_READ_CONFLICT,)


@pytest.mark.parametrize(
    "args", [(), (b"Nothing", b""), (b"CommitChaincodeDefinition",), (b"\xff", b"")]
)
def test_a_call_that_is_none_is_refused(world, args):
    assert invoke(world, [], *args).response.status == 500


def test_an_argument_that_does_not_parse_is_refused(world):
    response = invoke(world, [], b"CommitChaincodeDefinition", b"\xff\xff").response
    assert (response.status, response.message) == (
        500,
        "failed to decode input arg to CommitChaincodeDefinition",
    )

"""Installing packages, `qscc` and `cscc`: answers and refusals as Fabric has them."""

import asyncio
from dataclasses import replace

import pytest

from ledger.crypto.hashing import block_hash
from ledger.endorsement.lifecycle.definitions import FullDefinition
from ledger.endorsement.lifecycle.invocable import (
    INITIALIZED_KEY,
    Invocable,
    NotInvocable,
    note_initialisation,
    require_initialised,
)
from ledger.endorsement.lifecycle.messages import (
    decode_all_installed,
    decode_approved,
    encode_install_arguments,
    encode_query_approved_arguments,
)
from ledger.endorsement.runtimes.peer_session import ExecutionFailed
from ledger.endorsement.system.configuration_chaincode import ConfigurationChaincode
from ledger.endorsement.system.query_chaincode import QueryChaincode
from ledger.model.codec_block import decode_block
from ledger.wire import common_pb2, lifecycle_pb2, protos_pb2
from tests.support.identities import CHANNEL_ID, MSPIDS
from tests.support.ledger_world import CHAINCODE, market, put
from tests.support.lifecycle_world import LifecycleWorld
from tests.support.package_files import package_of, python_package, service_package

RAW = python_package("market", "x = 1\n", label="energy_1.0")


@pytest.fixture
def world(tmp_path):
    return LifecycleWorld(tmp_path)


def install(world, raw, at="CoopMSP"):
    response = world.invoke("InstallChaincode", encode_install_arguments(raw), at=at).response
    assert response.status == 200, response
    return lifecycle_pb2.InstallChaincodeResult.FromString(response.payload)


# -- packages -------------------------------------------------------------------------------------


def test_a_package_is_installed_listed_and_given_back(world):
    result = install(world, RAW)
    assert (result.label, result.package_id[:11]) == ("energy_1.0", "energy_1.0:")
    assert world.peers["CoopMSP"].installs == 1
    listed = world.invoke("QueryInstalledChaincodes", b"").response.payload
    assert decode_all_installed(listed) == {result.package_id: []}
    asked = lifecycle_pb2.GetInstalledChaincodePackageArgs(package_id=result.package_id)
    given = world.invoke("GetInstalledChaincodePackage", asked.SerializeToString()).response
    found = lifecycle_pb2.GetInstalledChaincodePackageResult.FromString(given.payload)
    assert found.chaincode_install_package == RAW


def test_who_runs_from_a_package_is_told(world):
    package_id = install(world, RAW).package_id
    definition = FullDefinition("energy", 1, "1.0")
    world.approve(definition, package_id)
    world.commit_definition(definition)
    asked = lifecycle_pb2.QueryInstalledChaincodeArgs(package_id=package_id).SerializeToString()
    payload = world.invoke("QueryInstalledChaincode", asked).response.payload
    found = lifecycle_pb2.QueryInstalledChaincodeResult.FromString(payload)
    (chaincode,) = found.references[CHANNEL_ID].chaincodes
    assert (chaincode.name, chaincode.version) == ("energy", "1.0")


def test_a_service_is_installed_in_whatever_language(world):
    assert install(world, service_package()).label == "basic_1.0"


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "could not parse as a chaincode install package: error reading as gzip stream"),
        (package_of({"main.go": b""}, kind="golang"), "could not build chaincode: chaincode type"),
        (package_of({"x.py": b""}, path="y"), "could not build chaincode: code.tar.gz does not"),
        (package_of({"../x": b""}), "could not build chaincode: code.tar.gz: the path '../x'"),
        (service_package(address="nowhere"), "could not build chaincode: connection.json"),
    ],
)
def test_a_package_this_peer_cannot_run_is_not_kept(world, raw, words):
    text = world.refusal("InstallChaincode", encode_install_arguments(raw))
    assert text.startswith("failed to invoke backing implementation of 'InstallChaincode': ")
    assert words in text
    assert world.peers["CoopMSP"].store.installed() == ()


def test_installing_twice_is_told(world):
    package_id = install(world, RAW).package_id
    assert world.refusal("InstallChaincode", encode_install_arguments(RAW)).endswith(
        f"chaincode already successfully installed (package ID '{package_id}')"
    )


def test_a_package_that_is_not_here(world):
    asked = lifecycle_pb2.QueryInstalledChaincodeArgs(package_id="x:1").SerializeToString()
    assert "could not find chaincode with package id 'x:1'" in world.refusal(
        "QueryInstalledChaincode", asked
    )
    assert "could not load cc install package: chaincode install package 'x:1' not found" in (
        world.refusal("GetInstalledChaincodePackage", asked)
    )


# -- what a peer may run --------------------------------------------------------------------------

DEFINITION = FullDefinition("energy", 1, "1.0")


def invocable(world, at="CoopMSP"):
    return world.peers[at].chaincodes.invocable("energy", world.store.snapshot())


def test_a_peer_runs_what_is_committed_approved_and_installed(world):
    package_id = install(world, RAW).package_id
    world.approve(DEFINITION, package_id)
    world.commit_definition(DEFINITION)
    assert invocable(world) == Invocable("energy", "1.0", package_id, init_required=False)
    to_run = world.peers["CoopMSP"].chaincodes.to_run(world.store.snapshot())
    assert list(to_run) == [invocable(world)]


def test_a_peer_that_lost_its_private_data_runs_what_its_member_approved(world):
    package_id = install(world, RAW).package_id
    world.approve(DEFINITION, package_id)
    world.commit_definition(DEFINITION)
    world.lose_private_data("CoopMSP")
    assert invocable(world).package_id == package_id
    assert len(list(world.peers["CoopMSP"].chaincodes.to_run(world.store.snapshot()))) == 1
    asked = encode_query_approved_arguments("energy", 1)
    world.refusal("QueryApprovedChaincodeDefinition", asked)
    world.approve(DEFINITION, package_id, "CoopMSP")
    answer = world.invoke("QueryApprovedChaincodeDefinition", asked).response
    assert decode_approved("energy", answer.payload).package_id == package_id


def test_every_reason_why_a_peer_does_not_run_a_chaincode(world):
    def reason(at="CoopMSP"):
        with pytest.raises(NotInvocable) as refused:
            invocable(world, at)
        text = str(refused.value)
        assert text.startswith(
            "make sure the chaincode energy has been successfully defined on channel energy and"
            " try again: "
        )
        return text.partition("try again: ")[2]

    assert reason() == "chaincode energy not found"
    package_id = install(world, RAW).package_id
    world.approve(DEFINITION, package_id, *MSPIDS[:3])
    world.commit_definition(DEFINITION)
    assert reason("UtilityMSP") == (
        "chaincode definition for 'energy' at sequence 1 on channel 'energy' has not yet been"
        " approved by this org"
    )
    assert reason("DsoMSP") == (
        "chaincode definition for 'energy' exists, but chaincode is not installed"
    )
    upgrade = replace(DEFINITION, sequence=2, version="2.0")
    world.approve(upgrade, package_id, *MSPIDS[1:])
    world.commit_definition(upgrade, *MSPIDS[1:])
    assert "at sequence 2 on channel 'energy' has not yet been approved" in reason("CoopMSP")


def test_a_successor_is_started_before_it_is_committed(world):
    package_id = install(world, RAW).package_id
    following = install(world, python_package("market", "x = 2\n", label="energy_2.0")).package_id
    world.approve(DEFINITION, package_id)
    world.commit_definition(DEFINITION)
    world.approve(replace(DEFINITION, sequence=2, version="2.0"), following, "CoopMSP")
    to_run = world.peers["CoopMSP"].chaincodes.to_run(world.store.snapshot())
    assert [(one.version, one.package_id) for one in to_run] == [
        ("1.0", package_id), ("2.0", following),
    ]  # fmt: skip


def test_a_chaincode_is_initialised_once_for_each_version(world):
    chaincode = Invocable(CHAINCODE, "1.0", "id", init_required=True)
    proposal = world.propose("run")

    def require(chaincode, *, is_init):
        require_initialised(chaincode, proposal, world.store, is_init=is_init)

    with pytest.raises(ExecutionFailed, match="has not been initialized for this version"):
        require(chaincode, is_init=False)
    require(chaincode, is_init=True)
    simulator = world.simulator(proposal)
    note_initialisation(chaincode, simulator, is_init=True)
    world.commit(world.transaction(results=simulator.results()))
    assert world.store.get_state(CHAINCODE, INITIALIZED_KEY).value == b"1.0"
    require(chaincode, is_init=False)
    with pytest.raises(ExecutionFailed, match="is already initialized but called as init"):
        require(chaincode, is_init=True)
    with pytest.raises(ExecutionFailed, match="must call as init first"):
        require(replace(chaincode, version="2.0"), is_init=False)
    without = replace(chaincode, init_required=False)
    with pytest.raises(ExecutionFailed, match="does not require initialization but called as"):
        require(without, is_init=True)
    require(without, is_init=False)


# -- qscc -----------------------------------------------------------------------------------------


def ask(world, chaincode, function, *args, client=None):
    proposal = world.propose(
        function, *args, client=client, chaincode=type(chaincode).__name__, channel_id=""
    )
    simulator = world.simulator(proposal)
    execution = asyncio.run(chaincode.invoke(proposal, simulator))
    assert simulator.results().namespaces == ()
    return execution.response


@pytest.fixture
def qscc(world):
    world.commit(world.transaction(results=market(writes=[put("a")])))
    return QueryChaincode(CHANNEL_ID, world.store, world.peers["CoopMSP"].access)


def test_chain_info(world, qscc):
    raw = ask(world, qscc, "GetChainInfo", CHANNEL_ID).payload
    info = common_pb2.BlockchainInfo.FromString(raw)
    genesis, first = world.store.block(0), world.store.block(1)
    assert info.height == 2
    assert info.currentBlockHash == block_hash(first.header)
    assert info.previousBlockHash == block_hash(genesis.header)


def test_blocks_and_transactions(world, qscc):
    stored = world.store.block_raw(1)
    block = decode_block(stored)
    envelope = common_pb2.Envelope.FromString(block.entries[0])
    payload = common_pb2.Payload.FromString(envelope.payload)
    tx_id = common_pb2.ChannelHeader.FromString(payload.header.channel_header).tx_id
    for function, argument in (
        ("GetBlockByNumber", "1"),
        ("GetBlockByHash", block_hash(block.header)),
        ("GetBlockByTxID", tx_id),
    ):
        assert ask(world, qscc, function, CHANNEL_ID, argument).payload == stored
    raw = ask(world, qscc, "GetTransactionByID", CHANNEL_ID, tx_id).payload
    found = protos_pb2.ProcessedTransaction.FromString(raw)
    assert found.transactionEnvelope.SerializeToString() == block.entries[0]
    assert found.validationCode == 0


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("GetChainInfo",), "Incorrect number of arguments, 1"),
        (("GetBlockByNumber", CHANNEL_ID), "missing 3rd argument for GetBlockByNumber"),
        (("GetChainInfo", "other"), "Invalid chain ID, other"),
        (("GetBlockByNumber", CHANNEL_ID, "-1"), "Failed to parse block number with error"),
        (("GetBlockByNumber", CHANNEL_ID, "9" * 19), "Failed to get block number 9"),
        (("GetBlockByNumber", CHANNEL_ID, "9" * 20), "Failed to parse block number"),
        (("GetBlockByHash", CHANNEL_ID, b"\0" * 32), "Failed to get block hash 00"),
        (("GetTransactionByID", CHANNEL_ID, "ab"), "no such transaction ID [ab] in index"),
        (("GetBlockByTxID", CHANNEL_ID, "ab"), "Failed to get block for txID ab, error"),
        (("Nothing", CHANNEL_ID, ""), "access denied for [Nothing][energy]"),
    ],
)
def test_a_wrong_question(world, qscc, args, words):
    response = ask(world, qscc, *args)
    assert response.status == 500
    assert words in response.message


# -- cscc -----------------------------------------------------------------------------------------


@pytest.fixture
def cscc(world):
    return ConfigurationChaincode(
        CHANNEL_ID,
        config_block=lambda: b"block",
        channel_config=lambda: b"config",
        access=world.peers["CoopMSP"].access,
    )


def test_the_channel_and_its_configuration(world, cscc):
    raw = ask(world, cscc, "GetChannels").payload
    found = protos_pb2.ChannelQueryResponse.FromString(raw)
    assert [one.channel_id for one in found.channels] == [CHANNEL_ID]
    assert ask(world, cscc, "GetConfigBlock", CHANNEL_ID).payload == b"block"
    assert ask(world, cscc, "GetChannelConfig", CHANNEL_ID).payload == b"config"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("GetConfigBlock",), "Incorrect number of arguments, 1"),
        (("GetConfigBlock", "other"), "Unknown channel ID, other"),
        (("JoinChain", b""), "its configuration names its channel"),
        (("Nothing", ""), "Requested function Nothing not found."),
    ],
)
def test_what_the_configuration_does_not_answer(world, cscc, args, words):
    response = ask(world, cscc, *args)
    assert (response.status, words in response.message) == (500, True)


def test_channels_are_told_to_the_members_own_people(world, cscc):
    stranger = world.consortium.member("DsoMSP").client
    response = ask(world, cscc, "GetChannels", client=stranger)
    assert response.message.startswith("access denied for [GetChannels]: ")

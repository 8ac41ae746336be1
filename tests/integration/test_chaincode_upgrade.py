"""Chaincodes of a running network: installed, approved, upgraded, refused, and still there."""

import asyncio
import json
from pathlib import Path

import pytest

from ledger.client.ordering import broadcast
from ledger.endorsement.lifecycle.messages import encode_approve_arguments
from ledger.model.codec import encode_envelope, prepared_transaction_payload
from ledger.model.codec_proposal import decode_proposal
from ledger.model.codes import ValidationCode
from network.chaincode.lifecycle_client import ChaincodeRefused
from network.chaincode.planned import commit_definitions, lifecycle_client
from network.commands.chaincode import main as chaincode
from network.running.clients import channel_to
from network.running.lifecycle import down, up
from tests.integration.running_network import RunningNetwork, running_network

pytestmark = pytest.mark.slow

CONTRACT = """
from chaincode.shim import Context, Contract, query, transaction


class Notes(Contract):
    name = "notes"

    @transaction
    async def write(self, ctx: Context, key: str, pages: int, tags: list) -> str:
        await ctx.stub.put_state(key, str(pages + len(tags)).encode())
        return "VERSION"

    @query
    async def read(self, ctx: Context, key: str) -> str:
        return (await ctx.stub.get_state(key)).decode()

    @query
    async def version(self, ctx: Context) -> str:
        BODY
        return "VERSION"


CONTRACTS = (Notes,)
"""
NAME = "notes"


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    with running_network(tmp_path_factory.mktemp("upgrade")) as running:
        asyncio.run(commit_definitions(running.plan, running.layout))
        yield running


class Operator:
    """Types `gridledger chaincode ...` and reads what it says."""

    def __init__(self, network: RunningNetwork, folder: Path, capsys) -> None:
        self.network, self.folder, self.capsys = network, folder, capsys

    def run(self, action: str, *words: str, member: str = "cooperative") -> tuple[int, str]:
        self.capsys.readouterr()
        plan = str(self.network.plan_path)
        status = chaincode([action, "--plan", plan, "--as", member, *words])
        said = self.capsys.readouterr()
        return status, said.out + said.err

    def package(self, version: str, body: str = "pass") -> tuple[str, str]:
        """(file, package id) of a version of the contract."""
        module = self.folder / "notes_contract.py"
        module.write_text(CONTRACT.replace("VERSION", version).replace("BODY", body))
        file = self.folder / f"notes_{version}.tar.gz"
        self.capsys.readouterr()
        words = ["package", "notes_contract", "--root", str(self.folder), "--no-check"]
        assert chaincode([*words, "--label", f"notes_{version}", "-o", str(file)]) == 0
        return str(file), self.capsys.readouterr().out.split()[-1]

    def install(self, file: str, *members: str) -> None:
        for member in members:
            assert self.run("install", file, member=member)[0] == 0

    def approve(self, version: str, package_id: str, *members: str) -> None:
        for member in members:
            words = (NAME, "--version", version, "--package-id", package_id)
            status, said = self.run("approve", *words, member=member)
            assert status == 0, said
            assert "tried on the state after" in said
            assert "notes:version" in said

    def version(self, member: str = "cooperative") -> str:
        status, said = self.run("query", NAME, "version", member=member)
        assert status == 0, said
        return said.strip()


async def endorsed_before(network: RunningNetwork, function: str, *args: str) -> tuple[str, bytes]:
    """Id and payload of a transaction that waits at its client."""
    client = lifecycle_client(network.plan, network.plan.members[0], network.layout)
    try:
        proposal = client.gateway.propose(client.identity.serialized, NAME, function, args)
        signature = client.identity.sign(proposal.raw)
        return proposal.tx_id, await client.gateway.endorse(proposal, signature)
    finally:
        await client.close()


async def ordered(network: RunningNetwork, tx_id: str, payload: bytes) -> ValidationCode:
    """The code the ledger gives a transaction that was endorsed before."""
    client = lifecycle_client(network.plan, network.plan.members[0], network.layout)
    try:
        await client.gateway.submit(tx_id, payload, client.identity.sign(payload))
        return (await client.gateway.commit_status(tx_id, client.identity)).code
    finally:
        await client.close()


@pytest.fixture
def operator(network, tmp_path, capsys):
    return Operator(network, tmp_path, capsys)


THREE = ("cooperative", "municipality", "dso")


def test_a_chaincode_of_three_members_runs_at_theirs_and_is_refused_elsewhere(operator):
    file, package_id = operator.package("1.0")
    operator.install(file, *THREE)
    operator.approve("1.0", package_id, *THREE)
    status, said = operator.run("readiness", NAME, "--version", "1.0")
    assert (status, said.count(" approved\n")) == (1, 3)
    assert operator.run("commit", NAME, "--version", "1.0")[0] == 0
    assert operator.version() == "1.0"
    written = ("write", "key=a", "pages=3", 'tags=["x", "y"]')
    status, said = operator.run("invoke", NAME, *written)
    assert status == 0, said
    assert "block " in said

    assert operator.version(member="utility") == "1.0", "its peer asks another"
    status, said = operator.run("invoke", NAME, *written, "--org", "UtilityMSP")
    assert status == 1
    assert "at sequence 1 on channel 'energy' has not yet been approved by this org" in said


@pytest.mark.row("E112")
def test_two_of_four_approvals_activate_nothing_and_three_do(operator):
    file, package_id = operator.package("2.0")
    held = asyncio.run(endorsed_before(operator.network, "write", "a", "9", "[]"))
    operator.install(file, *THREE)
    operator.approve("2.0", package_id, "cooperative", "dso")
    status, said = operator.run("commit", NAME, "--version", "2.0")
    assert status == 1
    assert "chaincode definition not agreed to by this org (MunicipalityMSP)" in said or (
        "chaincode definition not agreed to by this org (UtilityMSP)" in said
    )
    assert operator.version() == "1.0"
    operator.approve("2.0", package_id, "municipality")
    assert operator.run("commit", NAME, "--version", "2.0")[0] == 0
    assert operator.version() == "2.0"
    status, said = operator.run("definitions", NAME)
    assert "notes version 2.0, sequence 2" in said
    assert asyncio.run(ordered(operator.network, *held)) == ValidationCode.MVCC_READ_CONFLICT, (
        "the old version writes no more"
    )
    assert operator.run("query", NAME, "read", "key=a") == (0, "5\n"), "what it wrote is there"
    assert "UtilityMSP         has not approved" in said


def test_a_version_that_fails_on_the_present_state_is_not_approved(operator):
    file, package_id = operator.package("3.0", body="raise KeyError('state')")
    operator.install(file, "cooperative")
    words = (NAME, "--version", "3.0", "--package-id", package_id)
    status, said = operator.run("approve", *words)
    assert status == 1
    assert "INTERNAL: notes:version failed with KeyError" in said
    assert "nothing was approved" in said
    status, said = operator.run("dry-run", NAME, "--package-id", package_id)
    assert (status, "FAILS" in said) == (1, True)


def test_arguments_have_the_types_of_the_contract(operator):
    for words, text in (
        (("pages=3", "tags=[]"), "key is missing"),
        (("key=a", "pages"), "'pages' is not key=value"),
        (("key=a", "pages=three", "tags=[]"), "pages=three is not a whole number"),
        (("key=a", "pages=3", "tags={}"), "tags={} is no JSON array"),
        (("key=a", "tags=[]"), "pages is missing"),
        (("key=a", "page=3", "tags=[]"), "no parameter 'page'; did you mean pages?"),
    ):
        status, said = operator.run("invoke", NAME, "write", *words)
        assert status == 1
        assert text in said
    status, said = operator.run("query", NAME, "erase")
    assert (status, "notes:write key=<string> pages=<integer> tags=<array>" in said) == (1, True)


def test_a_package_that_is_none_harms_nobody(operator, tmp_path):
    bad = tmp_path / "bad.tar.gz"
    bad.write_bytes(b"no archive")
    status, said = operator.run("install", str(bad))
    assert (status, "gzip" in said) == (1, True)

    async def install() -> None:
        client = lifecycle_of(operator)
        try:
            await client.install(b"no archive")
        finally:
            await client.close()

    with pytest.raises(ChaincodeRefused, match="could not parse as a chaincode install package"):
        asyncio.run(install())
    assert operator.version() == "2.0"


def lifecycle_of(operator):
    network = operator.network
    return lifecycle_client(network.plan, network.plan.members[0], network.layout)


def test_a_member_that_comes_later_approves_as_fabrics_own_command_does(operator):
    """`peer lifecycle` asks one peer to endorse, then hands the envelope to ordering itself."""
    network = operator.network
    file, package_id = operator.package("2.0")
    operator.install(file, "utility")
    status, said = operator.run("query", NAME, "version", "--org", "UtilityMSP")
    assert status == 1
    assert "has not yet been approved by this org" in said

    async def approve() -> None:
        member = network.plan.member("utility")
        client = lifecycle_client(network.plan, member, network.layout)
        committed = await client.committed(NAME)
        assert committed is not None
        proposal = client.gateway.propose(
            client.identity.serialized,
            "_lifecycle",
            "ApproveChaincodeDefinitionForMyOrg",
            [encode_approve_arguments(committed[0], package_id)],
        )
        signature = client.identity.sign(proposal.raw)
        answer = await client.gateway.process_proposal(proposal, signature)
        payload = prepared_transaction_payload(
            decode_proposal(proposal.raw, signature), answer.payload_raw, [answer.endorsement]
        )
        envelope = encode_envelope(payload, client.identity.sign(payload))
        channel = channel_to(member.address, network.layout)
        try:
            assert (await broadcast(channel, envelope)).is_accepted
            status = await client.gateway.commit_status(proposal.tx_id, client.identity)
            assert status.is_valid
        finally:
            await channel.close()
            await client.close()

    asyncio.run(approve())
    status, said = operator.run(
        "invoke", NAME, "write", "key=b", "pages=1", "tags=[]", "--org", "UtilityMSP",
        "--org", "CooperativeMSP", "--org", "DsoMSP", member="utility",
    )  # fmt: skip
    assert status == 0, said
    assert operator.run("query", NAME, "version", "--org", "UtilityMSP") == (0, "2.0\n")


def test_peers_that_start_again_still_have_their_packages(operator):
    before = operator.run("installed")[1]
    assert len(before.splitlines()) == 4, "energy and three versions of the notes"
    down(operator.network.plan)
    up(operator.network.plan)
    assert operator.run("installed")[1] == before
    assert operator.version() == "2.0"
    status, said = operator.run("query", NAME, "org.hyperledger.fabric:GetMetadata", "--raw")
    assert status == 0
    assert "notes" in json.loads(said)["contracts"]

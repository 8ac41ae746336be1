"""What clients of a running network hear when contracts misbehave, and who is asked to endorse."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass

import grpc
import pytest
from grpc import aio

from ledger.client.gateway import CommitStatus, GatewayClient
from ledger.client.refusals import peer_errors
from ledger.crypto.policy_text import parse_policy
from ledger.crypto.signing import SigningIdentity
from ledger.model.codec import decode_prepared_transaction
from ledger.model.codec_header import decode_identity
from ledger.model.codes import ValidationCode
from ledger.model.policy_codec import encode_signature_policy
from network.chaincode.planned import commit_definitions
from network.running.clients import admin_identity, connect, wait_everywhere
from tests.integration.running_network import RunningNetwork, running_network

pytestmark = pytest.mark.slow

MEMBERS = ("CooperativeMSP", "MunicipalityMSP", "DsoMSP", "UtilityMSP")


def anyone_of(*mspids: str) -> str:
    """A policy's text: one of them is enough."""
    return "OR(" + ", ".join(f"'{mspid}.member'" for mspid in mspids) + ")"


def collection(name: str, *mspids: str) -> dict[str, object]:
    """Of these members, each of whom may write it."""
    policy = anyone_of(*mspids)
    return {"name": name, "policy": policy, "endorsementPolicy": {"signaturePolicy": policy}}


COLLECTIONS = [collection("shared", MEMBERS[0], MEMBERS[2]), collection("third", MEMBERS[2])]
MORE_PLAN = f"""
[[chaincodes]]
name = "sample"
version = "1.0"
module = "tests.unit.shim.sample_contracts"

[[chaincodes]]
name = "private"
version = "1.0"
module = "tests.interop.contracts.private"
endorsement_policy = "{anyone_of(*MEMBERS)}"
collections = '''{json.dumps(COLLECTIONS)}'''
"""
STATUS_INTERNAL = "chaincode response 500"


@dataclass(frozen=True)
class Scene:
    """One client of the first member's peer."""

    network: RunningNetwork
    runner: asyncio.Runner
    client: GatewayClient
    admin: SigningIdentity
    mspids: tuple[str, ...]

    async def endorse(self, function: str, *args: str | bytes, by: tuple[str, ...] = ()) -> bytes:
        """The prepared payload."""
        proposal = self.client.propose(self.admin.serialized, "sample", function, args)
        return await self.client.endorse(proposal, self.admin.sign(proposal.raw), by)

    async def submit(
        self, function: str, *args: str | bytes, by: tuple[str, ...] = ()
    ) -> CommitStatus:
        """The fate of a transaction, known to every peer."""
        proposal = self.client.propose(self.admin.serialized, "sample", function, args)
        status = (await self.client.order(self.admin, proposal, by)).status
        await wait_everywhere(self.network.plan, self.network.layout, status.block_number)
        return status

    async def ask(self, function: str, *args: str) -> bytes:
        return await self.client.evaluate_transaction(self.admin, "sample", function, *args)

    async def refused(self, call) -> tuple[aio.AioRpcError, list[str]]:
        """The error of a call, and each peer's words; the peer goes on serving."""
        with pytest.raises(aio.AioRpcError) as caught:
            await call
        assert await self.ask("peer_member") == self.mspids[0].encode()
        return caught.value, [one.message for one in peer_errors(caught.value)]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("gateway-semantics")
    with running_network(folder, more_plan=MORE_PLAN) as network, asyncio.Runner() as runner:
        runner.run(commit_definitions(network.plan, network.layout))
        first = network.plan.members[0]

        async def connected() -> GatewayClient:
            return connect(network.plan, first, network.layout)

        client = runner.run(connected())
        mspids = tuple(member.mspid for member in network.plan.members)
        yield Scene(network, runner, client, admin_identity(first, network.layout), mspids)
        runner.run(client.close())


def endorsers(payload: bytes) -> list[str]:
    transaction = decode_prepared_transaction(payload).transaction
    assert transaction is not None
    return sorted(decode_identity(one.endorser)[0] for one in transaction.endorsements)


# -- contracts that misbehave ---------------------------------------------------------------------


@pytest.mark.parametrize("function", ["trouble:die", "trouble:crash", "trouble:leave"])
def test_a_crashing_contract(scene: Scene, function: str) -> None:
    async def act() -> None:
        error, words = await scene.refused(scene.endorse(function))
        assert error.code() is grpc.StatusCode.ABORTED
        assert error.details().startswith("failed to endorse transaction, see attached details")
        assert len(words) == 1, "only the own organization's peer was asked"
        assert words[0].endswith("chaincode stream terminated")

        error, words = await scene.refused(scene.ask(function))
        assert error.code() is grpc.StatusCode.ABORTED
        assert error.details().startswith("failed to evaluate transaction, see attached details")
        assert len(words) == 4, "every peer was tried"
        assert all(word.endswith("chaincode stream terminated") for word in words)

    scene.runner.run(act())


def test_a_hanging_contract(scene: Scene) -> None:
    async def act() -> None:
        error, [word] = await scene.refused(scene.endorse("trouble:loop"))
        assert error.code() is grpc.StatusCode.ABORTED
        assert word.endswith("timeout expired while executing transaction")

    scene.runner.run(act())


def test_a_contract_that_eats_memory(scene: Scene) -> None:
    async def act() -> None:
        error, [word] = await scene.refused(scene.endorse("trouble:eat_memory"))
        assert error.code() is grpc.StatusCode.ABORTED
        assert word.endswith("chaincode stream terminated") or STATUS_INTERNAL in word

    scene.runner.run(act())


def test_an_answer_of_two_mebibytes(scene: Scene) -> None:
    async def act() -> None:
        error, [word] = await scene.refused(scene.ask("trouble:shout", str(2 * 1024 * 1024)))
        assert error.code() is grpc.StatusCode.UNKNOWN
        assert error.details().startswith("evaluate call to endorser returned error: ")
        assert "1048576" in word, "the limit is named"
        assert len(await scene.ask("trouble:shout", str(1_000_000))) >= 1_000_000

    scene.runner.run(act())


def test_a_contract_that_refuses(scene: Scene) -> None:
    async def act() -> None:
        error, [word] = await scene.refused(scene.ask("trouble:refuse"))
        assert error.code() is grpc.StatusCode.UNKNOWN
        assert word.startswith("chaincode response 409, NOT_TODAY: come back")
        error, [same] = await scene.refused(scene.endorse("trouble:refuse"))
        assert (error.code(), same) == (grpc.StatusCode.ABORTED, word)

    scene.runner.run(act())


def test_results_that_differ_between_peers(scene: Scene) -> None:
    async def act() -> None:
        error, words = await scene.refused(scene.endorse("peer_member"))
        assert error.code() is grpc.StatusCode.ABORTED
        assert error.details().startswith("failed to collect enough transaction endorsements")
        assert set(words) == {"ProposalResponsePayloads do not match"}

    scene.runner.run(act())


# -- who endorses ---------------------------------------------------------------------------------


def test_a_policy_that_is_not_met(scene: Scene) -> None:
    async def act() -> None:
        status = await scene.submit("put", "alone", "v", by=scene.mspids[:1])
        assert status.code is ValidationCode.ENDORSEMENT_POLICY_FAILURE

    scene.runner.run(act())


def test_named_organizations_endorse_alone(scene: Scene) -> None:
    async def act() -> None:
        chosen = (scene.mspids[3], scene.mspids[1])
        assert endorsers(await scene.endorse("put", "named", "v", by=chosen)) == sorted(chosen)

    scene.runner.run(act())


def test_a_keys_own_policy_says_who_endorses_its_writes(scene: Scene) -> None:
    owners = (scene.mspids[2], scene.mspids[3])
    names = ", ".join(f"'{mspid}.peer'" for mspid in owners)
    policy = encode_signature_policy(parse_policy(f"AND({names})"))

    async def act() -> None:
        assert (await scene.submit("put", "mine", "first")).is_valid
        assert (await scene.submit("protect", "mine", policy)).is_valid

        assert endorsers(await scene.endorse("put", "mine", "second")) == sorted(owners)
        assert (await scene.submit("put", "mine", "second")).is_valid
        assert len(endorsers(await scene.endorse("put", "another", "v"))) == 3

        status = await scene.submit("put", "mine", "third", by=scene.mspids[:3])
        assert status.code is ValidationCode.ENDORSEMENT_POLICY_FAILURE
        assert await scene.ask("get", "mine") == b"second"

    scene.runner.run(act())


# -- transient data -------------------------------------------------------------------------------


async def write_private(scene: Scene, collections: str) -> list[str]:
    """Write the same to all of them; who endorsed it."""
    transient = {"collection": collections.encode(), "key": b"k", "value": b"secret"}
    proposal = scene.client.propose(
        scene.admin.serialized, "private", "WritePrivateData", (), transient
    )
    payload = await scene.client.endorse(proposal, scene.admin.sign(proposal.raw))
    await scene.client.submit(proposal.tx_id, payload, scene.admin.sign(payload))
    status = await scene.client.commit_status(proposal.tx_id, scene.admin)
    assert status.is_valid
    return endorsers(payload)


def test_collections_say_who_is_shown_transient_data(scene: Scene) -> None:
    async def act() -> None:
        assert await write_private(scene, "shared") == [MEMBERS[0]]
        assert await write_private(scene, "shared,third") == [MEMBERS[2]]
        read = await scene.client.evaluate_transaction(
            scene.admin, "private", "ReadPrivateData", "shared", "k"
        )
        assert read == b"secret"

    scene.runner.run(act())

"""Evaluating a query: who is asked, in which order, and what the client hears when nobody can."""

import asyncio

import grpc
import pytest

from ledger.errors import InvalidMessage, Reason
from ledger.rpc.status import GatewayError
from tests.support.endorsing_peers import CRASHED, EndorsingScene
from tests.support.identities import MSPIDS
from tests.support.ledger_world import CHAINCODE

pytestmark = pytest.mark.anyio
COOP, MUNICIPALITY, DSO, UTILITY = MSPIDS


@pytest.fixture
async def scene():
    """Peers 1 and 3 are the cooperative's, 2 and 4 the municipality's, 5 the grid operator's."""
    made = EndorsingScene((COOP, MUNICIPALITY, COOP, MUNICIPALITY, DSO))
    yield made
    made.close()


async def ask(scene: EndorsingScene, *organizations: str, **options: object):
    async with asyncio.timeout(60):
        return await scene.evaluator.evaluate(scene.propose(**options), organizations)


async def failure(scene: EndorsingScene, *organizations: str, **options: object) -> GatewayError:
    with pytest.raises(GatewayError) as failed:
        await ask(scene, *organizations, **options)
    return failed.value


async def test_the_own_peer_answers(scene):
    answer = await ask(scene)
    assert (answer.status, answer.payload) == (200, b"result")
    assert scene.asked == [1, 0, 0, 0, 0]


async def test_the_highest_ledger_of_the_own_organization_answers(scene):
    scene.heights = {3: 11, 2: 20}
    await ask(scene)
    assert scene.asked == [0, 0, 1, 0, 0]


async def test_named_organizations_answer_alone(scene):
    scene.heights = {4: 11}
    await ask(scene, MUNICIPALITY)
    assert scene.asked == [0, 0, 0, 1, 0]
    await ask(scene, DSO, COOP)
    assert scene.asked == [1, 0, 0, 1, 0], "the own organization first wherever it is named"


async def test_the_others_are_asked_when_the_own_cannot_answer(scene):
    scene.heights = {5: 11}
    for index in (0, 2):
        scene.members[index].failure = CRASHED
    await ask(scene)
    assert scene.asked == [1, 0, 1, 0, 1]


async def test_every_peer_tried_is_named(scene):
    for member in scene.members:
        member.failure = CRASHED
    error = await failure(scene)
    assert (error.code, error.message) == (
        grpc.StatusCode.ABORTED,
        "failed to evaluate transaction, see attached details for more info",
    )
    assert [d.address for d in error.details] == [f"peer{n}:7051" for n in (1, 3, 2, 4, 5)]
    assert all(d.message.endswith("chaincode stream terminated") for d in error.details)


async def test_a_contracts_refusal_is_not_repeated_elsewhere(scene):
    scene.members[0].status = 500
    error = await failure(scene)
    assert error.code is grpc.StatusCode.UNKNOWN
    assert error.message == (
        "evaluate call to endorser returned error: chaincode response 500, it says so"
    )
    assert [(d.address, d.message) for d in error.details] == [
        ("peer1:7051", "chaincode response 500, it says so")
    ]
    assert sum(scene.asked) == 1


async def test_a_refused_request_is_not_repeated_elsewhere(scene):
    scene.members[0].refusal = InvalidMessage(Reason.CERTIFICATE_REVOKED, "revoked")
    error = await failure(scene)
    assert error.code is grpc.StatusCode.FAILED_PRECONDITION
    assert error.message.startswith(
        "evaluate call to endorser returned error: error validating proposal: "
        "access denied: channel [energy] creator org [CoopMSP]"
    )
    assert sum(scene.asked) == 1


async def test_a_peer_that_has_too_much_of_a_client_says_so(scene):
    scene.members[0].refusal = InvalidMessage(Reason.OVERLOADED, "too many")
    assert (await failure(scene)).code is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_an_unreachable_organization_cannot_be_asked(scene):
    scene.streams.down = {5}
    error = await failure(scene, DSO)
    assert error.code is grpc.StatusCode.FAILED_PRECONDITION
    assert error.message == "no peers available to evaluate chaincode market in channel energy"


async def test_a_peer_lost_while_it_is_asked_counts_as_tried(scene):
    scene.members[4].is_silent = True
    task = asyncio.create_task(failure(scene, DSO))
    await scene.members[4].called.wait()
    scene.remotes[0].on_disconnected(5)
    error = await task
    assert error.code is grpc.StatusCode.UNAVAILABLE
    assert [d.address for d in error.details] == ["peer5:7051"]


async def test_unknown_chaincodes_and_channels(scene):
    error = await failure(scene, chaincode="nothing")
    assert error.code is grpc.StatusCode.FAILED_PRECONDITION
    assert error.message == "no peers available to evaluate chaincode nothing in channel energy"
    error = await failure(scene, channel_id="elsewhere")
    assert error.code is grpc.StatusCode.UNAVAILABLE
    assert error.message == "failed to get config for channel [elsewhere]"
    assert sum(scene.asked) == 0


async def test_transient_data_stays_in_the_own_organization(scene):
    for index in (0, 2):
        scene.members[index].failure = CRASHED
    error = await failure(scene, transient={"key": b"secret"})
    assert [d.address for d in error.details] == ["peer1:7051", "peer3:7051"]
    assert scene.asked == [1, 0, 1, 0, 0]
    await ask(scene, DSO, transient={"key": b"secret"})
    assert scene.asked == [1, 0, 1, 0, 1], "but it goes where the client says"


async def test_transient_data_without_a_peer_at_home(scene):
    scene.not_here = {CHAINCODE}
    scene.streams.down = {3}
    error = await failure(scene, transient={"key": b"secret"})
    assert error.code is grpc.StatusCode.FAILED_PRECONDITION
    assert error.message.startswith(
        "no endorsers found in the gateway's organization; retry specifying target"
    )
    await ask(scene)
    assert sum(scene.asked[1:]) == 1

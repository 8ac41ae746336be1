"""Collecting endorsements: which peers are asked, what must agree, and how failures look."""

import asyncio

import grpc
import pytest

from ledger.crypto import peer_sets
from ledger.crypto.policy_text import parse_policy
from ledger.errors import InvalidMessage, Reason
from ledger.model.interest import CallInterest
from ledger.model.policy_codec import encode_signature_policy
from ledger.model.private_collections import Collection
from ledger.node.endorsing import endorsements, remote_endorsers
from ledger.rpc.status import GatewayError
from ledger.validation.context import ChaincodeDefinition
from tests.support.endorsing_peers import CRASHED, EndorsingScene, Member
from tests.support.identities import MSPIDS
from tests.support.ledger_world import CHAINCODE, application_policy

pytestmark = pytest.mark.anyio
COOP, MUNICIPALITY, DSO, UTILITY = MSPIDS


@pytest.fixture
async def scene(monkeypatch):
    monkeypatch.setattr(endorsements, "CONNECT_WAIT_MS", 5)
    made = EndorsingScene()
    yield made
    made.close()


async def failure(scene: EndorsingScene, *organizations: str, **options: object) -> GatewayError:
    with pytest.raises(GatewayError) as failed:
        await scene.collector.endorse(scene.propose(**options), organizations)
    return failed.value


async def test_own_peer_and_as_many_others_as_the_policy_needs(scene):
    found = await scene.endorsers()
    assert found[0] == COOP
    assert len(found) == 3
    assert sum(scene.asked) == 3


async def test_the_work_is_spread_over_the_others(scene):
    for _ in range(60):
        await scene.endorsers()
    assert all(asked for asked in scene.asked)


async def test_an_id_that_is_no_number_is_refused_by_the_peers(scene):
    """Nothing about a proposal is checked yet when its endorsers are chosen."""
    scene.members[0].refusal = InvalidMessage(Reason.BAD_TRANSACTION_ID, "not the hash")
    proposal = scene.propose()
    object.__setattr__(proposal.header.channel, "tx_id", "zz")
    with pytest.raises(GatewayError) as failed:
        await scene.collector.endorse(proposal, ())
    assert failed.value.code is grpc.StatusCode.ABORTED


async def test_an_unreachable_peer_is_not_asked(scene):
    scene.streams.down = {3}
    assert sorted(await scene.endorsers()) == sorted([COOP, MUNICIPALITY, UTILITY])


async def asked(*members: Member) -> None:
    """Return once each has been asked."""
    async with asyncio.timeout(60):
        for member in members:
            await member.called.wait()


async def test_a_named_peer_lost_while_it_is_asked_is_an_error(scene):
    scene.members[1].is_silent = True
    task = asyncio.create_task(scene.endorsers(COOP, MUNICIPALITY, DSO))
    await asked(scene.members[1])
    scene.remotes[0].on_disconnected(2)
    with pytest.raises(GatewayError) as failed:
        await task
    assert "was lost" in failed.value.details[0].message


async def test_a_peer_lost_while_it_is_asked_is_replaced(scene):
    """With one member down the other three are all needed; then that one comes back."""
    scene.streams.down = {4}
    scene.members[1].is_silent = True
    task = asyncio.create_task(scene.endorsers())
    await asked(scene.members[1])
    scene.streams.down = set()
    scene.remotes[0].on_disconnected(2)
    async with asyncio.timeout(60):
        assert sorted(await task) == [COOP, DSO, UTILITY]


async def test_too_few_reachable(scene):
    scene.streams.down = {2, 3}
    error = await failure(scene)
    assert error.code is grpc.StatusCode.UNAVAILABLE


async def test_a_peer_that_connects_meanwhile_is_waited_for(scene, monkeypatch):
    monkeypatch.setattr(endorsements, "CONNECT_WAIT_MS", 5_000)
    scene.streams.down = {2, 3}
    task = asyncio.create_task(scene.endorsers())
    await asyncio.sleep(0)
    scene.streams.down = {3}
    scene.watch.connected()
    async with asyncio.timeout(60):
        assert len(await task) == 3


async def test_named_peers_are_asked_exactly(scene):
    assert sorted(await scene.endorsers(UTILITY, DSO)) == [DSO, UTILITY]
    assert scene.asked == [0, 0, 1, 1]


async def test_a_named_organisation_without_a_peer(scene):
    error = await failure(scene, COOP, "NobodyMSP")
    assert error.code is grpc.StatusCode.UNAVAILABLE
    assert error.message.endswith("NobodyMSP")
    assert "failed to find any endorsing peers for org(s)" in error.message


async def test_an_unknown_chaincode(scene):
    error = await failure(scene, chaincode="nothing")
    assert error.code is grpc.StatusCode.FAILED_PRECONDITION
    assert error.message.startswith("no combination of peers can be derived")
    assert "chaincode nothing in channel energy" in error.message


async def test_an_unknown_channel(scene):
    error = await failure(scene, channel_id="elsewhere")
    assert error.code is grpc.StatusCode.FAILED_PRECONDITION
    assert "in channel elsewhere" in error.message
    assert sum(scene.asked) == 0


async def test_a_refusal_of_the_request_names_the_own_organizations_peers(scene):
    for member in scene.members:
        member.refusal = InvalidMessage(Reason.BAD_SIGNATURE, "it does not fit")
    error = await failure(scene)
    assert error.code is grpc.StatusCode.ABORTED
    assert error.message.startswith("failed to endorse transaction")
    [detail] = error.details
    assert (detail.mspid, detail.address) == (COOP, "peer1:7051")
    assert detail.message == (
        "error validating proposal: access denied: channel [energy] creator org [CoopMSP]; "
        "BAD_SIGNATURE: it does not fit"
    )


async def test_peers_that_have_too_much_of_a_client_say_so_in_the_status(scene):
    for member in scene.members:
        member.refusal = InvalidMessage(Reason.OVERLOADED, "too many")
    assert (await failure(scene)).code is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_contract_error_shows_its_text(scene):
    for member in scene.members:
        member.status = 500
    error = await failure(scene)
    assert error.code is grpc.StatusCode.ABORTED
    assert error.details[0].message == "chaincode response 500, it says so"


async def test_one_failing_endorser_of_several(scene):
    scene.members[3].status = 500
    error = await failure(scene, COOP, DSO, UTILITY)
    assert error.message.startswith("failed to collect enough transaction endorsements")
    assert [(d.mspid, d.address) for d in error.details] == [(UTILITY, "peer4:7051")]


async def test_results_that_stay_different_are_an_error(scene):
    scene.members[1].written = lambda _height: b"other"
    error = await failure(scene, COOP, MUNICIPALITY, DSO)
    assert error.code is grpc.StatusCode.ABORTED
    assert [(d.mspid, d.message) for d in error.details] == [
        (MUNICIPALITY, "ProposalResponsePayloads do not match")
    ]


async def test_peers_at_different_heights_meet_at_the_highest(scene):
    for member in scene.members:
        member.written = lambda height: b"%d" % height
    scene.members[2].notifier.committed(11, ())
    task = asyncio.create_task(scene.endorsers(COOP, MUNICIPALITY, DSO))
    await asked(*scene.members[:3])
    for index in (0, 1):
        scene.members[index].notifier.committed(11, ())
    async with asyncio.timeout(60):
        assert len(await task) == 3


async def test_silence_counts_as_unreachable(scene, monkeypatch):
    monkeypatch.setattr(remote_endorsers, "REMOTE_ENDORSE_TIMEOUT_MS", 1)
    scene.members[1].is_silent = True
    error = await failure(scene, COOP, MUNICIPALITY)
    assert "did not answer" in error.details[0].message
    assert scene.remotes[0]._waiting == {}


async def test_a_client_that_leaves_frees_what_waited(scene):
    scene.members[1].is_silent = True
    task = asyncio.create_task(scene.endorsers(COOP, MUNICIPALITY))
    await asked(scene.members[1])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert scene.remotes[0]._waiting == {}


async def test_only_the_peer_that_was_asked_may_answer(scene):
    scene.members[1].is_silent = True
    task = asyncio.create_task(scene.endorsers(COOP, MUNICIPALITY))
    await asked(scene.members[1])
    ((request_id, (_, future)),) = scene.remotes[0]._waiting.items()
    scene.remotes[0].on_result(
        4, remote_endorsers.EndorseResult(request_id=request_id, reason="MALFORMED")
    )
    assert not future.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


# -- which policies count -------------------------------------------------------------------------


def policy_of(*mspids: str) -> bytes:
    """A key's own policy: one peer of each."""
    names = ", ".join(f"'{mspid}.peer'" for mspid in mspids)
    return encode_signature_policy(parse_policy(f"AND({names})"))


def collection(*members: str, endorsers: str = "") -> Collection:
    names = ", ".join(f"'{mspid}.member'" for mspid in members)
    return Collection(
        name="secret",
        member_policy=parse_policy(f"OR({names})"),
        endorsement_policy=application_policy(endorsers) if endorsers else b"",
    )


def anyone(scene: EndorsingScene) -> None:
    """One endorsement is enough for the chaincode."""
    text = "OR(" + ", ".join(f"'{mspid}.peer'" for mspid in MSPIDS) + ")"
    scene.world.definitions[CHAINCODE] = ChaincodeDefinition("1.0", 1, application_policy(text))


async def test_one_is_enough_where_the_policy_says_so(scene):
    anyone(scene)
    assert await scene.endorsers() == [COOP]
    assert scene.asked == [1, 0, 0, 0]


async def test_keys_with_policies_of_their_own_replace_the_chaincodes(scene):
    interest = CallInterest(
        CHAINCODE, key_policies=(policy_of(DSO, UTILITY),), disregard_namespace_policy=True
    )
    scene.members[0].interest = (interest,)
    assert sorted(await scene.endorsers()) == [DSO, UTILITY]
    assert scene.asked == [1, 0, 1, 1]


async def test_a_keys_policy_counts_beside_the_chaincodes(scene):
    anyone(scene)
    scene.members[0].interest = (CallInterest(CHAINCODE, key_policies=(policy_of(DSO),)),)
    assert sorted(await scene.endorsers()) == [DSO]


async def test_a_collections_policy_counts_for_its_writes(scene):
    anyone(scene)
    scene.collections["secret"] = collection(COOP, DSO, endorsers=f"AND('{DSO}.peer')")
    scene.members[0].interest = (
        CallInterest(CHAINCODE),
        CallInterest(CHAINCODE, collection_names=("secret",), no_private_reads=True),
    )
    assert await scene.endorsers() == [DSO]
    scene.collections["secret"] = collection(COOP, UTILITY)
    assert await scene.endorsers() == [COOP], "without a policy of its own the chaincode's counts"


async def test_keys_with_more_policies_than_can_be_planned_are_refused(scene, monkeypatch):
    monkeypatch.setattr(peer_sets, "PLANNING_STEPS_MAX", 10)
    policies = (policy_of(COOP, DSO), policy_of(COOP, UTILITY), policy_of(*MSPIDS))
    scene.members[0].interest = (CallInterest(CHAINCODE, key_policies=policies),)
    error = await failure(scene)
    assert error.code is grpc.StatusCode.FAILED_PRECONDITION
    assert error.message.endswith("no peer combination can satisfy the endorsement policy")


async def test_only_members_of_a_collection_can_endorse_what_reads_it(scene):
    text = f"AND('{COOP}.peer', OR('{MUNICIPALITY}.peer', '{UTILITY}.peer'))"
    scene.world.definitions[CHAINCODE] = ChaincodeDefinition("1.0", 1, application_policy(text))
    scene.collections["secret"] = collection(COOP, UTILITY)
    scene.members[0].interest = (CallInterest(CHAINCODE, collection_names=("secret",)),)
    for _ in range(10):
        assert sorted(await scene.endorsers()) == [COOP, UTILITY]
    scene.collections["secret"] = collection(COOP, DSO)
    error = await failure(scene)
    assert error.code is grpc.StatusCode.FAILED_PRECONDITION
    assert error.message == (
        "no combination of peers can be derived which satisfy the endorsement policy: "
        "no peer combination can satisfy the endorsement policy"
    )


async def test_transient_data_goes_to_members_of_the_collection_only(scene):
    text = f"AND('{COOP}.peer', OR('{MUNICIPALITY}.peer', '{UTILITY}.peer'))"
    scene.world.definitions[CHAINCODE] = ChaincodeDefinition("1.0", 1, application_policy(text))
    written = CallInterest(CHAINCODE, collection_names=("secret",), no_private_reads=True)
    scene.members[0].interest = (written,)
    scene.collections["secret"] = collection(COOP, UTILITY)
    for _ in range(10):
        assert await scene.endorsers(transient={"key": b"secret"}) == [COOP, UTILITY]
    assert scene.asked[1] == scene.asked[2] == 0
    scene.collections["secret"] = collection(COOP)
    assert len(await scene.endorsers()) == 2, "without transient data anybody can simulate it"
    before = scene.asked
    error = await failure(scene, transient={"key": b"secret"})
    assert error.code is grpc.StatusCode.FAILED_PRECONDITION
    assert error.message == (
        "requires endorsement from organisation(s) that are not in the distribution policy of "
        "the private data collection(s): [secret]; retry specifying trusted endorsing "
        "organizations to protect transient data"
    )
    assert scene.asked == [before[0] + 1, *before[1:]]


async def test_a_chaincode_called_by_the_invoked_one_counts_too(scene):
    anyone(scene)
    text = f"AND('{UTILITY}.peer')"
    scene.world.definitions["called"] = ChaincodeDefinition("1.0", 1, application_policy(text))
    scene.members[0].interest = (CallInterest("called"),)
    assert await scene.endorsers() == [UTILITY], "one endorsement serves both policies"
    scene.members[0].interest = (CallInterest("nowhere"),)
    error = await failure(scene)
    assert error.message.endswith("No metadata was found for chaincode nowhere in channel energy")


async def test_a_policy_that_no_peer_can_satisfy(scene):
    text = f"AND('{COOP}.admin')"
    scene.world.definitions[CHAINCODE] = ChaincodeDefinition("1.0", 1, application_policy(text))
    assert (await failure(scene)).code is grpc.StatusCode.FAILED_PRECONDITION


# -- without the chaincode at home ----------------------------------------------------------------


async def test_others_endorse_what_this_peer_has_not(scene):
    scene.not_here = {CHAINCODE}
    scene.world.definitions[CHAINCODE] = ChaincodeDefinition(
        "1.0", 1, application_policy(f"OutOf(2, '{DSO}.peer', '{UTILITY}.peer')")
    )
    assert sorted(await scene.endorsers()) == [DSO, UTILITY]
    assert scene.asked == [0, 0, 1, 1]


async def test_transient_data_does_not_leave_for_want_of_the_chaincode(scene):
    scene.not_here = {CHAINCODE}
    error = await failure(scene, transient={"key": b"secret"})
    assert error.code is grpc.StatusCode.FAILED_PRECONDITION
    assert error.message == (
        "no endorsers found in the gateway's organization; retry specifying endorsing "
        "organization(s) to protect transient data"
    )
    assert sum(scene.asked) == 0


# -- several peers of an organization -------------------------------------------------------------


@pytest.fixture
async def crowd(monkeypatch):
    """Peers 1 and 3 are the cooperative's, 2 and 4 the municipality's, 5 the grid operator's."""
    monkeypatch.setattr(endorsements, "CONNECT_WAIT_MS", 5)
    made = EndorsingScene((COOP, MUNICIPALITY, COOP, MUNICIPALITY, DSO))
    text = f"AND('{COOP}.member', '{MUNICIPALITY}.member', '{DSO}.member')"
    made.world.definitions[CHAINCODE] = ChaincodeDefinition("1.0", 1, application_policy(text))
    yield made
    made.close()


async def test_one_peer_of_each_organization(crowd):
    assert sorted(await crowd.endorsers()) == [COOP, DSO, MUNICIPALITY]
    assert crowd.asked == [1, 1, 0, 0, 1]
    assert sorted(await crowd.endorsers(COOP, MUNICIPALITY)) == [COOP, MUNICIPALITY]
    assert crowd.asked == [2, 2, 0, 0, 1]


async def test_the_highest_ledger_of_an_organization_is_asked_first(crowd):
    crowd.heights = {1: 10, 2: 10, 3: 12, 4: 11}
    await crowd.endorsers()
    assert crowd.asked == [0, 0, 1, 1, 1]


async def test_another_peer_of_the_own_organization_endorses_first(crowd):
    crowd.members[0].failure = CRASHED
    assert len(await crowd.endorsers()) == 3
    assert crowd.asked == [1, 1, 1, 0, 1]


async def test_every_peer_of_the_own_organization_is_named_when_none_endorses(crowd):
    for index in (0, 2):
        crowd.members[index].status = 500
    error = await failure(crowd)
    assert (error.code, error.message) == (
        grpc.StatusCode.ABORTED,
        "failed to endorse transaction, see attached details for more info",
    )
    assert [(d.address, d.message) for d in error.details] == [
        ("peer1:7051", "chaincode response 500, it says so"),
        ("peer3:7051", "chaincode response 500, it says so"),
    ]


async def test_another_peer_of_another_organization_steps_in(crowd):
    crowd.members[1].failure = CRASHED
    assert len(await crowd.endorsers()) == 3
    assert crowd.asked == [1, 1, 0, 1, 1]


async def test_everyone_who_failed_is_named(crowd):
    for index in (1, 3, 4):
        crowd.members[index].status = 500
    error = await failure(crowd)
    assert (error.code, error.message) == (
        grpc.StatusCode.ABORTED,
        "failed to collect enough transaction endorsements, see attached details for more info",
    )
    assert sorted(d.address for d in error.details) == ["peer2:7051", "peer4:7051", "peer5:7051"]


async def test_every_differing_result_is_named(crowd):
    for index, member in enumerate(crowd.members):
        member.written = lambda _height, own=index: b"%d" % own
    error = await failure(crowd)
    assert error.code is grpc.StatusCode.ABORTED
    assert sorted((d.address, d.message) for d in error.details) == [
        (f"peer{number}:7051", "ProposalResponsePayloads do not match") for number in (2, 4, 5)
    ]


async def test_a_policy_may_need_two_peers_of_one_organization(crowd):
    text = f"AND('{MUNICIPALITY}.peer', '{MUNICIPALITY}.peer')"
    crowd.world.definitions[CHAINCODE] = ChaincodeDefinition("1.0", 1, application_policy(text))
    assert await crowd.endorsers() == [MUNICIPALITY, MUNICIPALITY]
    assert crowd.asked == [1, 1, 0, 1, 0]


async def test_another_layout_takes_over_where_an_organization_fails(crowd):
    text = f"OR(AND('{COOP}.peer', '{DSO}.peer'), AND('{COOP}.peer', '{MUNICIPALITY}.peer'))"
    crowd.world.definitions[CHAINCODE] = ChaincodeDefinition("1.0", 1, application_policy(text))
    crowd.members[4].failure = CRASHED
    for _ in range(40):
        assert sorted(await crowd.endorsers()) == [COOP, MUNICIPALITY]
    assert crowd.members[4].asked, "it is asked when its layout comes first"


# -- policies with very many ways -----------------------------------------------------------------


def many_ways(scene: EndorsingScene, *, needed: int) -> None:
    """Wanted are `needed` of the members and twenty without a peer: too many sets to list."""
    absent = [f"M{number}MSP" for number in range(20)]
    leaves = ", ".join(f"'{mspid}.peer'" for mspid in (*absent, *MSPIDS))
    policy = application_policy(f"OutOf({needed}, {leaves})")
    scene.world.definitions[CHAINCODE] = ChaincodeDefinition("1.0", 1, policy)


async def test_peers_in_reach_are_found_where_the_sets_are_too_many_to_list(scene):
    many_ways(scene, needed=3)
    assert len(await scene.endorsers()) == 3
    scene.members[1].refusal = CRASHED
    for _ in range(10):
        assert sorted(await scene.endorsers()) == sorted([COOP, DSO, UTILITY])


async def test_too_few_in_reach_where_the_sets_are_too_many_to_list(scene):
    many_ways(scene, needed=5)
    error = await failure(scene)
    assert error.code is grpc.StatusCode.UNAVAILABLE


async def test_a_policy_that_takes_too_many_steps_is_refused(scene, monkeypatch):
    many_ways(scene, needed=3)
    monkeypatch.setattr(peer_sets, "PLANNING_STEPS_MAX", 40)
    error = await failure(scene)
    assert error.code is grpc.StatusCode.FAILED_PRECONDITION
    assert error.message.startswith("no combination of peers can be derived")

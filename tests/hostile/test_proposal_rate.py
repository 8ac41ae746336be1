"""Row 23: an identity has so many proposals a second; only what it signed counts for it."""

import pytest

from ledger.crypto.signing import SigningIdentity, verify_signature
from ledger.endorsement import proposal_rate
from ledger.endorsement.dispatch import ChaincodeDispatch
from ledger.endorsement.endorser import Endorser, EndorserPorts
from ledger.endorsement.lifecycle.invocable import MemberChaincodes
from ledger.endorsement.limits import SimulationLimits
from ledger.endorsement.proposal_checks import ProposalRules
from ledger.endorsement.proposal_rate import ProposalRate, ProposalRateLimit
from ledger.errors import InvalidMessage, Reason
from ledger.model.codec_proposal import decode_proposal
from ledger.storage.state_view import StateView
from tests.support.endorsing_world import EndorsingWorld
from tests.support.ledger_world import START_NS

pytestmark = pytest.mark.anyio


def refused(rate: ProposalRate, identity: bytes, now_ms: int, under_way: int = 1_000) -> bool:
    try:
        rate.take(identity, now_ms, under_way)
    except InvalidMessage as error:
        return error.reason is Reason.OVERLOADED
    return False


def test_a_bucket_empties_and_fills_again():
    rate = ProposalRate(ProposalRateLimit(per_second=10, burst=3))
    assert [refused(rate, b"a", 0) for _ in range(4)] == [False, False, False, True]
    assert not refused(rate, b"b", 0), "another identity has its own"
    assert [refused(rate, b"a", 99), refused(rate, b"a", 100)] == [True, False]
    assert [refused(rate, b"a", 10_000) for _ in range(4)] == [False, False, False, True]


def test_a_clock_that_goes_back_fills_nothing():
    rate = ProposalRate(ProposalRateLimit(per_second=10, burst=1))
    assert not refused(rate, b"a", 5_000)
    assert refused(rate, b"a", 0)


def test_a_peer_with_little_to_do_refuses_nobody():
    rate = ProposalRate(ProposalRateLimit(per_second=10, burst=2, busy_from=5))
    assert not any(refused(rate, b"a", 0, under_way=4) for _ in range(10))
    assert refused(rate, b"a", 0, under_way=5), "what it had is counted"
    assert not refused(rate, b"b", 0, under_way=5)
    assert not refused(rate, b"a", 100, under_way=5), "and it owes nothing"


def test_the_number_of_buckets_is_bounded(monkeypatch):
    monkeypatch.setattr(proposal_rate, "IDENTITIES_TRACKED_MAX", 2)
    rate = ProposalRate(ProposalRateLimit(burst=1))
    for identity in (b"a", b"b", b"c"):
        rate.take(identity, 0, 1_000)
    assert refused(rate, b"c", 0)
    assert not refused(rate, b"a", 0), "it rested longest and was forgotten"


def _nothing_to_run() -> ChaincodeDispatch:
    chaincodes = MemberChaincodes(mspid="CoopMSP", channel_id="energy", packages=list)
    return ChaincodeDispatch(channel_id="energy", system={}, chaincodes=chaincodes, runtimes=None)


class Peer(EndorsingWorld):
    """A peer without contracts: what gets as far as a contract is counted."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[str] = []
        registry = self.consortium.registry()
        rules = ProposalRules(
            channel_id="energy",
            registry=registry,
            policies=self.policies,
            is_recorded=lambda _tx_id: False,
            limits=SimulationLimits(),
        )

        async def verify(identity: bytes, message: bytes, signature: bytes) -> None:
            verify_signature(registry.identity(identity).public_key, message, signature)

        self.endorser = Endorser(
            identity=lambda: self.consortium.nodes()[0],
            dispatch=_nothing_to_run(),
            ports=EndorserPorts(
                rules=lambda: rules,
                verify=verify,
                snapshot=self._snapshot,
                clock_ms=lambda: START_NS // 1_000_000,
                on_signed=lambda *_: None,
                settled=self._settled,
            ),
            limits=SimulationLimits(),
            rate=ProposalRateLimit(burst=2, busy_from=0),
        )

    def _snapshot(self) -> StateView:
        self.steps.append("snapshot")
        return self.store.snapshot()

    async def _settled(self) -> None:
        self.steps.append("wait")

    async def ask(self, client: SigningIdentity, signer: SigningIdentity | None = None) -> None:
        raw = self.propose("run", client=client).proposal_raw
        await self.endorser.process(decode_proposal(raw, (signer or client).sign(raw)))


async def test_only_what_an_identity_signed_counts_for_it():
    peer = Peer()
    victim, other = (member.client for member in peer.consortium.members[:2])
    for _ in range(5):
        with pytest.raises(InvalidMessage) as caught:
            await peer.ask(victim, signer=other)
        assert caught.value.reason is Reason.BAD_SIGNATURE
    for _ in range(2):
        await peer.ask(victim)
    with pytest.raises(InvalidMessage) as caught:
        await peer.ask(victim)
    assert caught.value.reason is Reason.OVERLOADED
    await peer.ask(other)


async def test_only_a_proposal_that_is_simulated_waits_for_private_values():
    peer = Peer()
    victim, other = (member.client for member in peer.consortium.members[:2])
    with pytest.raises(InvalidMessage):
        await peer.ask(victim, signer=other)
    assert peer.steps == []
    await peer.ask(victim)
    assert peer.steps == ["wait", "snapshot"]

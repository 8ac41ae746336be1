"""A proposal's way through the endorser: what is refused, what is signed, what commits."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ledger.crypto.hashing import endorsement_message, proposal_hash
from ledger.crypto.signing import verify_signature
from ledger.endorsement.dispatch import ChaincodeDispatch
from ledger.endorsement.endorser import Endorser, EndorserPorts
from ledger.endorsement.lifecycle.definitions import FullDefinition
from ledger.endorsement.lifecycle.invocable import INITIALIZED_KEY, MemberChaincodes
from ledger.endorsement.limits import ProcessLimits, SimulationLimits
from ledger.endorsement.proposal_checks import ProposalRules
from ledger.endorsement.runtimes.child_process import ChaincodeProgram
from ledger.endorsement.runtimes.process import ChaincodeProcess
from ledger.endorsement.simulation.simulator import LIFECYCLE_NAMESPACE
from ledger.errors import InvalidMessage, Reason
from ledger.model.codec_action import decode_proposal_response_payload
from ledger.model.codec_proposal import decode_proposal, strip_transient
from ledger.model.codes import ValidationCode
from tests.support.endorsing_world import SAMPLE_MODULE
from tests.support.identities import make_consortium
from tests.support.ledger_world import CHAINCODE, THREE_OF_FOUR, application_policy
from tests.support.lifecycle_world import LifecycleWorld

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SECOND = "tokens"
PACKAGE_ID = "package:" + "0" * 64
LIMITS = SimulationLimits()


class EndorsingPeer(LifecycleWorld):
    """The first member's peer with two chaincodes, both defined on the channel."""

    def __init__(self, folder: Path, limits: SimulationLimits = LIMITS) -> None:
        super().__init__(folder)
        self.limits = limits
        self.now_ms = int(datetime.now(UTC).timestamp() * 1000)
        self.signed = []
        registry = self.consortium.registry()
        rules = ProposalRules(
            channel_id="energy",
            registry=registry,
            policies=self.policies,
            is_recorded=lambda tx_id: self.store.transaction_location(tx_id) is not None,
            limits=limits,
        )

        async def verify(identity, message, signature):
            verify_signature(registry.identity(identity).public_key, message, signature)

        self.processes = {
            name: ChaincodeProcess(
                ChaincodeProgram(name, "1.0", SAMPLE_MODULE),
                ProcessLimits(execute_timeout_ms=2_000),
                call=self.call,
            )
            for name in (CHAINCODE, SECOND)
        }
        self.dispatch = ChaincodeDispatch(
            channel_id="energy",
            system={LIFECYCLE_NAMESPACE: self.peers["CoopMSP"].lifecycle},
            chaincodes=MemberChaincodes(
                mspid="CoopMSP", channel_id="energy", packages=lambda: [PACKAGE_ID]
            ),
            runtimes=self,
        )
        self.endorser = Endorser(
            identity=lambda: self.consortium.nodes()[0],
            dispatch=self.dispatch,
            ports=EndorserPorts(
                rules=lambda: rules,
                verify=verify,
                snapshot=lambda: self.store.snapshot(),  # noqa: PLW0108 - the store is opened anew
                clock_ms=lambda: self.now_ms,
                on_signed=lambda *signed: self.signed.append(signed),
            ),
            limits=limits,
        )
        self.define(FullDefinition(CHAINCODE, 1, "1.0", application_policy(THREE_OF_FOUR)))
        self.define(FullDefinition(SECOND, 1, "1.0", application_policy(THREE_OF_FOUR)))

    async def running(self, chaincode):
        """`ledger.endorsement.dispatch.Runtimes`."""
        return self.processes[chaincode.name]

    async def call(self, transaction, call):
        return await self.dispatch.call(transaction, call)

    def define(self, definition, *members):
        """Approved by those members (all if none is named), then committed."""
        self.approve(definition, PACKAGE_ID, *members)
        assert self.commit_definition(definition, *members) == ValidationCode.VALID

    def ask(self, function, *args, **options):
        options.setdefault("timestamp_ns", self.now_ms * 1_000_000)
        return self.propose(function, *args, **options)

    async def endorse(self, function, *args, **options):
        return await self.endorser.process(self.ask(function, *args, **options))


@asynccontextmanager
async def endorsing_peer(limits=LIMITS):
    with TemporaryDirectory() as folder:
        peer = EndorsingPeer(Path(folder), limits)
        await asyncio.gather(*(process.start() for process in peer.processes.values()))
        try:
            yield peer
        finally:
            await asyncio.gather(*(process.stop() for process in peer.processes.values()))


async def refusal(peer, proposal):
    with pytest.raises(InvalidMessage) as refused:
        await peer.endorser.process(proposal)
    return refused.value.reason


async def test_an_endorsement_covers_result_proposal_and_endorser():
    async with endorsing_peer() as peer:
        proposal = peer.ask("move", '["a","b"]', "c", transient={"secret": b"hidden"})
        answer = await peer.endorser.process(proposal)
    endorsement = answer.endorsement
    node = peer.consortium.nodes()[0]
    assert endorsement.endorser == node.serialized
    message = endorsement_message(answer.payload_raw, endorsement.endorser)
    verify_signature(node.signer.public_key, message, endorsement.signature)
    assert peer.signed == [(node.serialized, message, endorsement.signature)]
    bound_to, action = decode_proposal_response_payload(answer.payload_raw)
    assert bound_to == proposal_hash(
        proposal.header.channel_header_raw,
        proposal.header.signature_header_raw,
        strip_transient(proposal.payload_raw),
    )
    assert (action.chaincode_name, action.chaincode_version) == (CHAINCODE, "1.0")
    assert action.response == answer.response
    assert action.event.name == "moved"
    assert [n.namespace for n in action.results.namespaces] == ["_lifecycle", CHAINCODE]
    assert b"hidden" not in answer.payload_raw


async def test_proposals_that_may_not_be_simulated():
    async with endorsing_peer() as peer:
        good = peer.ask("put", "k", "v")
        header = good.header
        assert (
            await refusal(peer, peer.ask("put", "k", "v", channel_id="other"))
            == Reason.WRONG_CHANNEL
        )
        renamed = replace(header, channel=replace(header.channel, tx_id="00" * 32))
        assert await refusal(peer, replace(good, header=renamed)) == Reason.BAD_TRANSACTION_ID
        forged = decode_proposal(good.proposal_raw, b"\x30\x06\x02\x01\x01\x02\x01\x01")
        assert await refusal(peer, forged) == Reason.BAD_SIGNATURE
        stranger = make_consortium(datetime.now(UTC)).members[0].client
        assert (
            await refusal(peer, peer.ask("put", "k", "v", client=stranger))
            == Reason.CERTIFICATE_INVALID
        )
        for minutes in (-16, 16):
            late = peer.ask("put", timestamp_ns=(peer.now_ms + minutes * 60_000) * 1_000_000)
            assert await refusal(peer, late) == Reason.TIMESTAMP_OUT_OF_WINDOW
        large = peer.ask("put", "k", "v" * LIMITS.argument_bytes_max)
        assert await refusal(peer, large) == Reason.OVERSIZED
        peer.now_ms += int(timedelta(days=36_500).total_seconds() * 1000)
        old = peer.ask("put", "k", "v")
        assert await refusal(peer, old) == Reason.CERTIFICATE_EXPIRED
        assert peer.signed == []


async def test_a_transaction_id_in_the_ledger_is_not_used_again():
    async with endorsing_peer() as peer:
        peer.commit(peer.transaction())
        peer._nonces -= 1
        used = peer.ask("put", "k", "v")
        assert peer.store.transaction_location(used.tx_id) is not None
        assert await refusal(peer, used) == Reason.REPLAYED


async def test_a_contracts_refusal_is_an_answer_without_endorsement():
    async with endorsing_peer() as peer:
        refused = await peer.endorse("trouble:refuse")
        assert (refused.response.status, refused.payload_raw, refused.endorsement) == (
            409,
            b"",
            None,
        )
        assert refused.response.message == "NOT_TODAY: come back tomorrow"
        broken = await peer.endorse("trouble:bug", "secret")
        assert broken.endorsement is None
        assert broken.payload_raw  # the contract's own failure, the same on every peer


async def test_a_failure_of_this_peer_has_no_payload():
    async with endorsing_peer() as peer:
        looping = await peer.endorse("trouble:loop")
        unknown = await peer.endorse("put", "k", "v", chaincode="nothing")
    for answer in (looping, unknown):
        assert answer.response.status == 500
        assert (answer.payload_raw, answer.endorsement) == (b"", None)
    assert "timeout expired while executing transaction" in looping.response.message
    assert "make sure the chaincode nothing has been" in unknown.response.message


async def test_a_version_that_the_own_member_did_not_approve_is_not_run():
    async with endorsing_peer() as peer:
        upgrade = FullDefinition(CHAINCODE, 2, "2.0", application_policy(THREE_OF_FOUR))
        peer.define(upgrade, "MunicipalityMSP", "DsoMSP", "UtilityMSP")
        answer = await peer.endorse("put", "k", "v")
    assert (answer.response.status, answer.payload_raw) == (500, b"")
    assert answer.response.message == (
        "make sure the chaincode market has been successfully defined on channel energy and try"
        " again: chaincode definition for 'market' at sequence 2 on channel 'energy' has not yet"
        " been approved by this org"
    )


async def test_a_version_is_initialised_before_anything_else():
    async with endorsing_peer() as peer:
        policy = application_policy(THREE_OF_FOUR)
        peer.define(FullDefinition(CHAINCODE, 2, "2.0", policy, init_required=True))
        early = await peer.endorse("put", "k", "v")
        assert early.response.message.endswith(
            "invalid invocation: chaincode 'market' has not been initialized for this version,"
            " must call as init first"
        )
        answer = await peer.endorse("put", "k", "v", is_init=True)
        _, action = decode_proposal_response_payload(answer.payload_raw)
        written = [w.key for n in action.results.namespaces for w in n.writes]
        assert written == [INITIALIZED_KEY, "k"]
        peer.commit(peer.transaction(results=action.results, version="2.0"))
        assert (await peer.endorse("put", "k", "w")).endorsement is not None
        again = await peer.endorse("put", "k", "v", is_init=True)
        assert "is already initialized but called as init" in again.response.message


async def test_what_is_asked_of_the_peer_itself_is_answered_without_endorsement():
    async with endorsing_peer() as peer:
        options = {
            "chaincode": LIFECYCLE_NAMESPACE,
            "channel_id": "",
            "client": peer.admin("CoopMSP"),
        }
        answer = await peer.endorse("QueryInstalledChaincodes", b"", **options)
        assert answer.response.status == 200
        assert (answer.payload_raw, answer.endorsement) == (b"", None)
        other = peer.ask("put", "k", "v", channel_id="")
        assert await refusal(peer, other) == Reason.WRONG_CHANNEL


async def test_results_too_large_for_a_block_are_refused_by_name():
    async with endorsing_peer(SimulationLimits(result_bytes_max=100)) as peer:
        assert (await peer.endorse("trouble:shout", "100")).endorsement is not None
        answer = await peer.endorse("trouble:shout", "101")
    assert (answer.response.status, answer.endorsement) == (400, None)
    assert "result and event are 101 bytes, the limit is 100" in answer.response.message


async def test_a_contract_calls_another_in_the_same_simulation():
    async with endorsing_peer() as peer:
        answer = await peer.endorse("call_other_with", SECOND, "put", "k", "v")
        assert answer.response.payload == b"200  "
        _, action = decode_proposal_response_payload(answer.payload_raw)
        namespaces = {n.namespace: n for n in action.results.namespaces}
        assert [w.key for w in namespaces[SECOND].writes] == ["k"]
        assert [w.key for w in namespaces[CHAINCODE].writes] == ["called"]
        assert len(namespaces["_lifecycle"].reads) == 2
        for name, text in (
            (CHAINCODE, "cannot call itself"),
            ("nothing", "successfully defined"),
            ("_lifecycle", "system chaincode _lifecycle cannot be called by a contract"),
        ):
            refused = await peer.endorse("call_other", name, "put")
            assert refused.response.status == 500
            assert text in refused.response.message


async def test_a_called_contract_that_loops_fails_the_whole_transaction():
    async with endorsing_peer() as peer:
        answer = await peer.endorse("call_other", SECOND, "trouble:loop")
        assert answer.response.status == 500
        assert "timeout expired" in answer.response.message
        assert answer.endorsement is None
        assert (await peer.endorse("put", "k", "v")).endorsement is not None

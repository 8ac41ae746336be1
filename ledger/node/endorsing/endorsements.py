"""Collecting the endorsements a transaction needs.

A peer of the own organization simulates first; what it touched says whose policies apply, and so
which other organizations to ask. Who fails is replaced by another peer of its organization, an
organization that fails by other organizations the policies allow. All results must be equal, byte
for byte. With organizations named by the client, one peer of each endorses and nobody else.
"""

import asyncio
from collections.abc import Callable

import grpc

from ledger.crypto.peer_sets import layout_of
from ledger.endorsement.layouts import (
    EndorsementChoice,
    NoLayout,
    among_readers,
    unknown_chaincode,
)
from ledger.model.codec import prepared_transaction_payload
from ledger.model.interest import CallInterest, Interest
from ledger.model.transaction import SignedProposal
from ledger.node.endorsing.connection_watch import ConnectionWatch
from ledger.node.endorsing.endorsement_plan import EndorsementPlan, plan_of
from ledger.node.endorsing.organizations import EndorsingPeer, PeersByOrganization
from ledger.node.endorsing.peer_answers import Outcome, PeerAnswer, PeerQuestions
from ledger.rpc.status import (
    COLLECT_FAILED,
    ENDORSE_FAILED,
    NO_COMBINATION,
    NO_ENDORSERS_OF_ORGANIZATIONS,
    NO_LOCAL_ENDORSERS,
    NOT_AMONG_READERS,
    PEERS_UNAVAILABLE,
    GatewayError,
)

MISMATCH_RETRIES_MAX = 2
CONNECT_WAIT_MS = 5_000
"""How long a proposal waits for peers of a layout to connect before it is refused.

Longer than a link pauses between two attempts: a peer that has just started again is found.
"""


class EndorsementCollector:
    """Asks, compares, and prepares the transaction for the client to sign."""

    def __init__(
        self,
        *,
        channel_id: str,
        peers: PeersByOrganization,
        questions: PeerQuestions,
        layouts: Callable[[Interest], EndorsementChoice],
        is_defined: Callable[[str], bool],
        runs_here: Callable[[str], bool],
        watch: ConnectionWatch,
    ) -> None:
        """`layouts` raises NoLayout; `is_defined` and `runs_here` take a chaincode's name."""
        self._channel_id = channel_id
        self._peers = peers
        self._questions = questions
        self._layouts = layouts
        self._is_defined = is_defined
        self._runs_here = runs_here
        self._watch = watch

    async def endorse(self, proposal: SignedProposal, organizations: tuple[str, ...]) -> bytes:
        """The unsigned envelope payload; raises GatewayError with each failing peer's words."""
        # A client that saw its last transaction committed here builds on it now.
        height = self._questions.own_height
        for retries_left in reversed(range(MISMATCH_RETRIES_MAX + 1)):
            plan = await self._begin(proposal, organizations, height)
            await self._complete(plan, proposal, height)
            endorsements = plan.endorsements()
            if endorsements is not None and plan.payload is not None:
                return prepared_transaction_payload(proposal, plan.payload, endorsements)
            if not plan.differing or not retries_left:
                break
            # Peers commit the same block at slightly different moments: meet at the highest.
            height = max(height, plan.height)
            await self._questions.reach(height)
        raise _failure(COLLECT_FAILED, plan.failed, plan)

    # -- planning ---------------------------------------------------------------------------------

    async def _begin(
        self, proposal: SignedProposal, organizations: tuple[str, ...], height: int
    ) -> EndorsementPlan:
        if organizations:
            return self._plan_for(proposal, tuple(dict.fromkeys(organizations)))
        own = self._own_organization(proposal)
        if not own:
            return self._plan_without_own(proposal)
        first = await self._first_answer(own, proposal, height)
        plan = self._plan(self._choice_after(first, proposal), first.peer.mspid, proposal)
        plan.take(first)
        return plan

    def _plan_for(
        self, proposal: SignedProposal, organizations: tuple[str, ...]
    ) -> EndorsementPlan:
        known = self._is_known(proposal)
        missing = [one for one in organizations if not known or not self._peers.of(one)]
        if missing:
            text = NO_ENDORSERS_OF_ORGANIZATIONS.format(", ".join(missing))
            raise GatewayError(grpc.StatusCode.UNAVAILABLE, text)
        return EndorsementPlan([layout_of(dict.fromkeys(organizations, 1))], self._peers.of)

    def _own_organization(self, proposal: SignedProposal) -> list[EndorsingPeer]:
        """Peers of the own organization that may have the chaincode."""
        if not self._is_known(proposal):
            return []
        own = self._peers.own
        found = self._peers.of(own.mspid)
        if self._runs_here(proposal.chaincode_name):
            return found
        return [peer for peer in found if peer != own]

    def _plan_without_own(self, proposal: SignedProposal) -> EndorsementPlan:
        if not self._is_known(proposal):
            channel_id = proposal.header.channel.channel_id
            raise _no_combination(unknown_chaincode(proposal.chaincode_name, channel_id))
        if proposal.transient:
            raise GatewayError(grpc.StatusCode.FAILED_PRECONDITION, NO_LOCAL_ENDORSERS)
        choice = self._choice_for(_with_invoked((), proposal))
        return self._plan(choice, self._peers.own.mspid, proposal)

    def _plan(
        self, choice: EndorsementChoice, first_mspid: str, proposal: SignedProposal
    ) -> EndorsementPlan:
        tx_id = proposal.tx_id
        return plan_of(choice, self._peers.of, first_mspid=first_mspid, tx_id=tx_id)

    async def _first_answer(
        self, candidates: list[EndorsingPeer], proposal: SignedProposal, height: int
    ) -> PeerAnswer:
        failed = []
        for peer in candidates:
            answer = await self._questions.ask(peer, proposal, height)
            if answer.outcome is Outcome.SUCCESS:
                return answer
            failed.append(answer)
        raise _failure(ENDORSE_FAILED, failed)

    def _choice_after(self, first: PeerAnswer, proposal: SignedProposal) -> EndorsementChoice:
        reported = first.response.interest if first.response is not None else ()
        interest = _with_invoked(reported, proposal)
        if proposal.transient:
            return self._choice_among_readers(interest)
        return self._choice_for(interest)

    def _choice_among_readers(self, interest: Interest) -> EndorsementChoice:
        """Only peers that may see what the transient data is written to are shown it."""
        careful, protected = among_readers(interest)
        try:
            return self._choice_for(careful)
        except GatewayError as error:
            if not protected:
                raise
            self._choice_for(interest)
            text = NOT_AMONG_READERS.format(" ".join(protected))
            raise GatewayError(grpc.StatusCode.FAILED_PRECONDITION, text) from error

    def _choice_for(self, interest: Interest) -> EndorsementChoice:
        try:
            return self._layouts(interest)
        except NoLayout as error:
            raise _no_combination(error) from error

    def _is_known(self, proposal: SignedProposal) -> bool:
        is_ours = proposal.header.channel.channel_id == self._channel_id
        return is_ours and self._is_defined(proposal.chaincode_name)

    # -- asking -----------------------------------------------------------------------------------

    async def _complete(
        self, plan: EndorsementPlan, proposal: SignedProposal, height: int
    ) -> None:
        """Ask until a layout is complete or none can be."""
        height = max(height, plan.height)
        while plan.endorsements() is None:
            peers = await self._next_peers(plan)
            if not peers:
                return
            obtained = (self._obtain(plan, peer, proposal, height) for peer in peers)
            await asyncio.gather(*obtained)

    async def _obtain(
        self, plan: EndorsementPlan, peer: EndorsingPeer, proposal: SignedProposal, height: int
    ) -> None:
        """One endorsement of the peer's organization, whichever of its peers gives it."""
        asked: EndorsingPeer | None = peer
        while asked is not None:
            if plan.take(await self._questions.ask(asked, proposal, height)):
                return
            asked = plan.replacement(asked)

    async def _next_peers(self, plan: EndorsementPlan) -> list[EndorsingPeer]:
        """With some patience for peers that are just (re)starting."""
        try:
            async with asyncio.timeout(CONNECT_WAIT_MS / 1000):
                while not (peers := plan.next_peers()) and not plan.errors:
                    await self._watch.next_connection()
                return peers
        except TimeoutError:
            away = " ".join(peer.address for peer in self._peers.unreachable())
            text = PEERS_UNAVAILABLE.format(away)
            raise GatewayError(grpc.StatusCode.UNAVAILABLE, text) from None


def _with_invoked(interest: Interest, proposal: SignedProposal) -> Interest:
    """The policy of the chaincode that was invoked counts even if it touched nothing."""
    name = proposal.chaincode_name
    if any(call.name == name for call in interest):
        return interest
    return (CallInterest(name), *interest)


def _no_combination(reason: NoLayout) -> GatewayError:
    return GatewayError(grpc.StatusCode.FAILED_PRECONDITION, f"{NO_COMBINATION}: {reason}")


def _failure(
    text: str, failed: list[PeerAnswer], plan: EndorsementPlan | None = None
) -> GatewayError:
    overloaded = bool(failed) and all(answer.is_overloaded for answer in failed)
    code = grpc.StatusCode.RESOURCE_EXHAUSTED if overloaded else grpc.StatusCode.ABORTED
    details = plan.errors if plan else tuple(answer.detail for answer in failed)
    return GatewayError(code, text, details)

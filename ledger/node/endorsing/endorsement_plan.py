"""Whom to ask next for an endorsement, and what was collected. No I/O: the collector asks.

Layouts are tried in order of preference. An endorsement counts for every layout that wants it, so
nobody is asked twice; who fails is replaced by another peer of its organization, and where there
is none left the next layout that can still be completed takes over. Where the layouts are too many
to list, or none of those listed can be completed, a set is searched among the peers in reach.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

from ledger.crypto.peer_sets import Layout, Requirement, peers_by_member, satisfying_set
from ledger.endorsement.layouts import EndorsementChoice
from ledger.model.transaction import Endorsement
from ledger.node.endorsing.organizations import EndorsingPeer
from ledger.node.endorsing.peer_answers import Outcome, PeerAnswer
from ledger.rpc.status import PAYLOADS_DIFFER, PeerError

Quantities = Sequence[tuple[str, int]]
"""How many peers of each organization (MSP id)."""


@dataclass(frozen=True, slots=True)
class Search:
    """Finds a set of peers that satisfies everything, those that endorsed already among them."""

    requirement: Requirement
    organizations: tuple[str, ...]
    """MSP ids of all that may be asked, the preferred ones first."""

    def __call__(self, usable: Callable[[str], int], have: Mapping[str, int]) -> Quantities | None:
        """`usable`: how many peers of an organization may be in the set."""
        available = {mspid: usable(mspid) for mspid in self.organizations}
        found = satisfying_set(self.requirement, available, have)
        return None if found is None else tuple(found.items())


class EndorsementPlan:
    """The state of collecting one proposal's endorsements."""

    def __init__(
        self,
        layouts: Sequence[Layout],
        peers_of: Callable[[str], Sequence[EndorsingPeer]],
        search: Search | None = None,
    ) -> None:
        """`layouts` in order of preference; `peers_of` an organization's reachable peers.

        `search` is asked when no layout will do; without it there is nothing but the layouts.
        """
        self._search = search
        self._layouts = [tuple(peers_by_member(layout).items()) for layout in layouts]
        self._peers_of = peers_of
        self._asked: set[int] = set()
        self._endorsed: list[tuple[str, Endorsement]] = []
        self._have: dict[str, int] = {}
        self.payload: bytes | None = None
        """ProposalResponsePayload bytes of the first endorser; the others must equal it."""
        self.failed: list[PeerAnswer] = []
        self.differing: list[PeerAnswer] = []
        self._errors: list[PeerError] = []
        self.height = 0
        """The most blocks any endorser simulated on."""

    def take(self, answer: PeerAnswer) -> bool:
        """Note an answer; whether it is an endorsement of the common result."""
        self._asked.add(answer.peer.consenter_id)
        self.height = max(self.height, answer.height)
        response = answer.response
        if answer.outcome is not Outcome.SUCCESS or response is None or not response.endorsement:
            self.failed.append(answer)
            self._errors.append(answer.detail)
            return False
        if self.payload is None:
            self.payload = response.payload_raw
        elif response.payload_raw != self.payload:
            self.differing.append(answer)
            peer = answer.peer
            self._errors.append(PeerError(peer.address, peer.mspid, PAYLOADS_DIFFER))
            return False
        mspid = answer.peer.mspid
        self._endorsed.append((mspid, response.endorsement))
        self._have[mspid] = self._have.get(mspid, 0) + 1
        return True

    def endorsements(self) -> list[Endorsement] | None:
        """Those of the first complete layout in the order they came; None without one."""
        for layout in self._layouts:
            if not self._missing(layout):
                return self._for(layout)
        found = self._searched(lambda mspid: self._have.get(mspid, 0))
        return None if found is None else self._for(found)

    def next_peers(self) -> list[EndorsingPeer]:
        """Whom to ask together for the first layout that can be completed; empty without one."""
        for layout in self._layouts:
            chosen = self._completing(layout)
            if chosen:
                return chosen
        found = self._searched(self._usable)
        return [] if found is None else self._completing(found)

    def replacement(self, peer: EndorsingPeer) -> EndorsingPeer | None:
        """Another peer of the same organization to ask instead; it counts as asked from now on."""
        for other in self._peers_of(peer.mspid):
            if other.consenter_id not in self._asked:
                self._asked.add(other.consenter_id)
                return other
        return None

    @property
    def errors(self) -> tuple[PeerError, ...]:
        """What to tell the client of everyone who failed or differed."""
        return tuple(self._errors)

    def _for(self, layout: Quantities) -> list[Endorsement]:
        wanted = dict(layout)
        chosen = []
        for mspid, endorsement in self._endorsed:
            if wanted.get(mspid, 0) > 0:
                wanted[mspid] -= 1
                chosen.append(endorsement)
        return chosen

    def _missing(self, layout: Quantities) -> Quantities:
        have = self._have
        return [
            (mspid, wanted - have.get(mspid, 0))
            for mspid, wanted in layout
            if wanted > have.get(mspid, 0)
        ]

    def _completing(self, layout: Quantities) -> list[EndorsingPeer]:
        chosen: list[EndorsingPeer] = []
        for mspid, quantity in self._missing(layout):
            free = self._free(mspid)
            if len(free) < quantity:
                return []
            chosen += free[:quantity]
        self._asked.update(peer.consenter_id for peer in chosen)
        return chosen

    def _searched(self, usable: Callable[[str], int]) -> Quantities | None:
        return None if self._search is None else self._search(usable, self._have)

    def _free(self, mspid: str) -> list[EndorsingPeer]:
        return [p for p in self._peers_of(mspid) if p.consenter_id not in self._asked]

    def _usable(self, mspid: str) -> int:
        return self._have.get(mspid, 0) + len(self._free(mspid))


def plan_of(
    choice: EndorsementChoice,
    peers_of: Callable[[str], Sequence[EndorsingPeer]],
    *,
    first_mspid: str,
    tx_id: str,
) -> EndorsementPlan:
    """A new plan that prefers the first endorser's organization."""

    def rank(mspid: str) -> tuple[bool, int]:
        return mspid != first_mspid, crc32(f"{tx_id} {mspid}".encode())

    search = Search(choice.requirement, tuple(sorted(choice.organizations, key=rank)))
    return EndorsementPlan(in_preference(choice.layouts, first_mspid, tx_id), peers_of, search)


def in_preference(layouts: Sequence[Layout], first_mspid: str, tx_id: str) -> list[Layout]:
    """Those with the first endorser's organization, then those with few peers.

    Among equals the transaction id decides, which spreads the work over the organizations.
    """
    if len(layouts) == 1:
        return list(layouts)

    def rank(layout: Layout) -> tuple[bool, int, int]:
        names = repr(sorted(layout))
        return (first_mspid, 0) not in layout, len(layout), crc32(f"{tx_id} {names}".encode())

    return sorted(layouts, key=rank)

"""The channel's peers by organization, as a proposal's gateway sees them: who is asked first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EndorsingPeer:
    """A peer that endorses for its organization."""

    mspid: str
    consenter_id: int
    address: str
    """host:port at which clients know it."""


class PeersByOrganization:
    """Peers that can be asked now; within an organization the highest ledger first."""

    def __init__(
        self,
        *,
        own: EndorsingPeer,
        others: Callable[[], Sequence[EndorsingPeer]],
        is_reachable: Callable[[int], bool],
        height: Callable[[int], int],
    ) -> None:
        """`others` are the other validators' peers in the configuration in force.

        The same object each time until they change: what follows from it is remembered. `height`
        is the number of blocks a consenter last said it has.
        """
        self.own = own
        self._others = others
        self._is_reachable = is_reachable
        self._height = height
        self._known: tuple[Sequence[EndorsingPeer], dict[str, list[EndorsingPeer]]] = ((), {})

    def of(self, mspid: str) -> list[EndorsingPeer]:
        """Reachable peers of one organization."""
        members = self._by_organization().get(mspid, [])
        return sorted(filter(self._can_ask, members), key=self._preference)

    def everyone(self, mspids: Sequence[str] = ()) -> list[EndorsingPeer]:
        """Reachable peers of these (or all) organizations, those of the own one first."""
        chosen = mspids or tuple(self._by_organization())
        others = [peer for mspid in chosen if mspid != self.own.mspid for peer in self.of(mspid)]
        own = self.of(self.own.mspid) if self.own.mspid in chosen else []
        return own + sorted(others, key=self._preference)

    def unreachable(self) -> list[EndorsingPeer]:
        """Peers of the channel that cannot be asked now."""
        return [
            peer
            for members in self._by_organization().values()
            for peer in members
            if not self._can_ask(peer)
        ]

    def _by_organization(self) -> dict[str, list[EndorsingPeer]]:
        others = self._others()
        if others is not self._known[0] or not self._known[1]:
            members: dict[str, list[EndorsingPeer]] = {}
            for peer in (self.own, *others):
                members.setdefault(peer.mspid, []).append(peer)
            self._known = (others, members)
        return self._known[1]

    def _can_ask(self, peer: EndorsingPeer) -> bool:
        return peer == self.own or self._is_reachable(peer.consenter_id)

    def _preference(self, peer: EndorsingPeer) -> tuple[int, bool, int]:
        """The lower the better: the highest ledger, on a tie the own peer."""
        return (-self._height(peer.consenter_id), peer != self.own, peer.consenter_id)

"""What the gateway keeps retained at the broker, sent again only when it changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.hems.home_assistant import Standing, discovery
from gateway.mqtt.topics import market_topic

EVERY_MS = 10_000
"""How often it is looked whether something changed."""


class Standings(Protocol):
    """Where the state comes from; `gateway.hems.home_assistant.StandingSource`."""

    def of(self, idgrid: str) -> Standing:
        """How things stand for a household; blocks."""


@dataclass(frozen=True, slots=True)
class Retained:
    """A message to retain."""

    topic: str
    payload: bytes


class HomeAssistants:
    """The discovery and the state of every household that has one."""

    def __init__(
        self, homes: Sequence[str], standings: Standings, community: str, community_name: str
    ) -> None:
        """`homes`: the IDgrids of those households."""
        self._homes = homes
        self._standings = standings
        self._community = community
        self._community_name = community_name
        self._sent: dict[str, bytes] = {}
        self._next_ms = 0

    def connected(self) -> None:
        """The connection is new: the broker may have forgotten everything."""
        self._sent, self._next_ms = {}, 0

    def due(self, now_ms: int) -> list[Retained]:
        """What to publish now; blocks."""
        if now_ms < self._next_ms:
            return []
        self._next_ms = now_ms + EVERY_MS
        wanted = dict(self._wanted())
        changed = [Retained(*one) for one in wanted.items() if self._sent.get(one[0]) != one[1]]
        self._sent = wanted
        return changed

    def _wanted(self) -> list[tuple[str, bytes]]:
        found = []
        for idgrid in self._homes:
            found.append(discovery(self._community, self._community_name, idgrid))
            state = self._standings.of(idgrid).message()
            found.append((market_topic(self._community, idgrid), state))
        return found

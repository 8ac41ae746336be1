"""The network between simulated validators: delay, loss, clogs, partitions, broken connections."""

import random
from typing import TYPE_CHECKING

from tests.simulation.swarm import DELAY_BOUND_MS, NetworkFaults, Partition

if TYPE_CHECKING:
    from tests.simulation.places import Place
    from tests.simulation.world import World

TAIL = 20
"""A delay of the tail is stretched up to so many times, never beyond this many D."""
CLOG_MS_MAX = 5_000

Link = tuple[int, int]
"""(slot of the sender, slot of the receiver)"""


class Network:
    """Decides when, how often and whether a message arrives."""

    def __init__(self, world: "World", rng: random.Random, faults: NetworkFaults) -> None:
        self._world = world
        self._rng = rng
        self._faults = faults
        self._blocked: frozenset[Link] = frozenset()
        self._clogged: dict[Link, int] = {}
        self.epochs: dict[Link, int] = {}
        """How often a connection broke: what was sent before is lost."""
        self.is_calm = False

    def delays(self, source: int, to: int) -> tuple[int, ...]:
        """Milliseconds after which copies arrive; none when the message is lost."""
        rng, faults = self._rng, self._faults
        if self.is_calm:
            return (rng.randint(1, DELAY_BOUND_MS),)
        if (source, to) in self._blocked:
            self._world.tally["message cut off"] += 1
            return ()
        if faults.loss and rng.random() < faults.loss:
            self._world.tally["message lost"] += 1
            return ()
        if faults.duplicate and rng.random() < faults.duplicate:
            self._world.tally["message doubled"] += 1
            return self._delay(source, to), self._delay(source, to)
        return (self._delay(source, to),)

    def _delay(self, source: int, to: int) -> int:
        rng, faults = self._rng, self._faults
        delay_ms = 1 + int(rng.expovariate(1) * faults.mean_delay_ms)
        if faults.tail and rng.random() < faults.tail:
            delay_ms *= rng.randint(2, TAIL)
            self._world.tally["message late"] += 1
        delay_ms = min(delay_ms, TAIL * DELAY_BOUND_MS)
        if faults.clog:
            link, now_ms = (source, to), self._world.now_ms
            if rng.random() < faults.clog:
                self._clogged[link] = now_ms + rng.randint(1, CLOG_MS_MAX)
                self._world.tally["link clogged"] += 1
            delay_ms = max(delay_ms, self._clogged.get(link, 0) - now_ms + 1)
        return delay_ms

    def connected_ids(self, place: "Place") -> list[int]:
        """Consenters whose process runs and whom this place can reach."""
        return sorted(
            {
                other.identity
                for other in self._world.places
                if other.alive
                and other.identity != place.identity
                and (place.slot, other.slot) not in self._blocked
            }
        )

    # -- what goes wrong --------------------------------------------------------------------------

    def change_partition(self) -> None:
        """Split anew, or heal: who can reach each other again notices."""
        before, self._blocked = self._blocked, self._draw()
        for source, to in sorted(before - self._blocked):
            self._reconnect(source, to)

    def heal(self) -> None:
        """Every connection works from now on."""
        before, self._blocked = self._blocked, frozenset()
        self._clogged.clear()
        self.is_calm = True
        for source, to in sorted(before):
            self._reconnect(source, to)

    def reset_connection(self) -> None:
        """One connection breaks, both ways, and is made again."""
        self._world.tally["connection broken"] += 1
        places = self._world.places
        one, other = self._rng.sample(range(len(places)), 2)
        for source, to in ((one, other), (other, one)):
            self.epochs[source, to] = self.epochs.get((source, to), 0) + 1
            self._reconnect(source, to)

    def reach_again(self, slot: int) -> None:
        """A process runs again: everyone's stream to it opens."""
        for other in self._world.places:
            if other.slot != slot:
                self._reconnect(other.slot, slot)

    def _reconnect(self, source: int, to: int) -> None:
        places = self._world.places
        self._world.at(
            self._rng.randint(1, DELAY_BOUND_MS),
            source,
            self._world.connected,
            places[source],
            places[to].identity,
        )

    def _draw(self) -> frozenset[Link]:
        rng, count = self._rng, len(self._world.places)
        if rng.random() < 0.35:
            return frozenset()
        slots = list(range(count))
        kind = rng.choice(self._faults.partitions)
        self._world.tally[f"partition: {kind}"] += 1
        match kind:
            case Partition.UNIFORM:
                groups = {slot: rng.randrange(2) for slot in slots}
                cut = {(a, b) for a in slots for b in slots if groups[a] != groups[b]}
            case Partition.HALF:
                rng.shuffle(slots)
                half = set(slots[: (count + 1) // 2])
                cut = {(a, b) for a in slots for b in slots if (a in half) != (b in half)}
            case Partition.SINGLE:
                alone = rng.choice(slots)
                cut = {(a, b) for a in slots for b in slots if (a == alone) != (b == alone)}
            case Partition.RING:
                rng.shuffle(slots)
                near = {frozenset((slots[i], slots[i - 1])) for i in range(count)}
                cut = {(a, b) for a in slots for b in slots if frozenset((a, b)) not in near}
        if self._faults.asymmetric:
            cut = {(a, b) for a, b in cut if rng.random() < 0.5}
        return frozenset((a, b) for a, b in cut if a != b)

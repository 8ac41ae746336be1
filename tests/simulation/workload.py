"""What clients do: read from some validator, submit, repeat themselves, come all at once."""

import random
from typing import TYPE_CHECKING

from ledger.errors import NodeFault
from ledger.model.rwset import Version
from tests.simulation.node import SimNode
from tests.simulation.swarm import Load
from tests.simulation.transactions import CHAINCODE, KEYS, LARGEST_VALUE_BYTES, Order, build

if TYPE_CHECKING:
    from tests.simulation.world import World


class Workload:
    """Makes transactions from what nodes hold and gives them to nodes."""

    def __init__(self, world: "World", rng: random.Random, load: Load) -> None:
        self._world = world
        self._rng = rng
        self._load = load
        self._serial = 0
        self.submitted = 0
        self.last: bytes | None = None

    def plan(self, duration_ms: int) -> None:
        """Transactions at random times, or in bursts."""
        rng, load = self._rng, self._load
        burst_at_ms = rng.randrange(duration_ms)
        for _ in range(load.transactions):
            at_ms = burst_at_ms if load.burst else rng.randrange(duration_ms)
            self._world.at(at_ms, 0, self._submit_one)

    def _submit_one(self) -> None:
        rng, load = self._rng, self._load
        if self.last is not None and rng.random() < load.duplicates:
            self._give(self.last)
            return
        self._give(self._transaction())
        if rng.random() < load.conflicts:
            self._give(self._transaction())

    def submit_calm(self) -> None:
        """One that must commit, by whichever validator its client gets hold of."""
        raw = self._transaction()
        self.submitted += 1
        self._world.observer.submitted(raw)
        # A node that only follows takes no transactions.
        opened = [node for node in self._world.honest if node.has_opened_ledger]
        newest = max(opened, key=lambda node: node.height).committer.tip
        validators = [node for node in opened if node.identity in newest.validators]
        for node in self._rng.sample(validators, len(validators)):
            node.work(node.submit, raw)
            if node.alive:  # else it died of it, and the client tries another
                return

    def _give(self, raw: bytes) -> None:
        running = [place for place in self._world.places if place.alive]
        if not running:
            return
        self.last = raw
        self.submitted += 1
        self._world.observer.submitted(raw)
        place = self._rng.choice(running)
        place.work(place.submit, raw)

    def _transaction(self) -> bytes:
        rng = self._rng
        self._serial += 1
        key = rng.choice(KEYS)
        is_large = self._load.largest and rng.random() < self._load.largest
        members = len(self._world.consortium.members)
        order = Order(
            serial=self._serial,
            key=key,
            version=self._version(key),
            endorsers=members // 2 + 1 if rng.random() > 0.02 else 1,
            value_bytes=LARGEST_VALUE_BYTES if is_large else 8,
        )
        return build(self._world.consortium, order)

    def _version(self, key: str) -> Version | None:
        """What an endorser that runs would read now."""
        running = [n for n in self._world.nodes if isinstance(n, SimNode) and n.alive]
        if not running:
            return None
        try:
            value = self._rng.choice(running).store.get_state(CHAINCODE, key)
        except NodeFault:  # its database is damaged; the client reads nothing
            return None
        return None if value is None else value.version

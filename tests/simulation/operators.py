"""What operators do and fail to do: disks get full and are cleared, versions are upgraded."""

import random
from typing import TYPE_CHECKING

from tests.simulation.node import SimNode
from tests.simulation.versions import Version

if TYPE_CHECKING:
    from tests.simulation.world import World

SHORT_MS = (200, 12_000)
UPGRADES = (Version.OLDER, Version.SHIPPED), (Version.SHIPPED, Version.NEWER)
"""(version before, version after) of a run with two versions."""


class Operators:
    """Plans it when chaos begins."""

    def __init__(self, world: "World", rng: random.Random) -> None:
        self._world = world
        self._rng = rng

    def plan(self) -> None:
        """What the seed's swarm says."""
        swarm = self._world.swarm
        if swarm.space_short_every_ms:
            step_ms = swarm.space_short_every_ms
            for at_ms in range(step_ms // 2, swarm.chaos_ms, step_ms):
                self._world.at(at_ms, 0, self._run_short)
        if swarm.mixed_versions:
            self._plan_upgrades()

    def calm(self) -> None:
        """Every disk has room. Versions stay mixed."""
        for node in self._world.nodes:
            if node.disk.is_nearly_full:
                self._make_room(node)

    # -- disks that are nearly full ---------------------------------------------------------------

    def _run_short(self) -> None:
        node, duration_ms = self._rng.choice(self._world.nodes), self._rng.randint(*SHORT_MS)
        self._world.at(duration_ms, node.slot, self._make_room, node)
        self._world.log(f"node {node.slot} has hardly any disk space")
        self._world.tally["voting paused"] += 1
        node.set_space(True)

    def _make_room(self, node: SimNode) -> None:
        self._world.log(f"node {node.slot} has enough disk space")
        node.set_space(False)

    # -- versions ---------------------------------------------------------------------------------

    def _plan_upgrades(self) -> None:
        """Some have been upgraded before, some are during chaos, some never."""
        world, rng = self._world, self._rng
        before, after = rng.choice(UPGRADES)
        for node in world.nodes:
            node.version = rng.choice((before, after))
            if node.version is before and rng.random() < 0.5:
                world.at(
                    rng.randrange(world.swarm.chaos_ms), node.slot, self._upgrade, node, after
                )
        world.tally["two versions"] += 1

    def _upgrade(self, node: SimNode, version: Version) -> None:
        node.version = version
        self._world.stop_for_upgrade(node)

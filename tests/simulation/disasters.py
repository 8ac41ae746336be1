"""What happens to disks from outside: lost, damaged, put back from a copy.

It happens to at most as many honest validators as the seed's swarm says (`forgetful`), because
each of them may have forgotten votes; they must notice it by themselves. Damage that cannot be
noticed happens only to a validator that counts as faulty (`Byzantine.BAD_DISK`).
"""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.simulation.disk import Backup, SimulatedDisk
from tests.simulation.node import SimNode
from tests.simulation.swarm import Byzantine

if TYPE_CHECKING:
    from tests.simulation.world import World

MISDIRECTED = 0.02
"""Chance for each write of a bad disk."""

Damage = Callable[[SimulatedDisk], None]


class Disasters:
    """Plans them when chaos begins."""

    def __init__(self, world: "World", rng: random.Random) -> None:
        self._world = world
        self._rng = rng
        self._backups: dict[int, Backup] = {}
        self.victims: list[SimNode] = []
        """Honest nodes that may have forgotten votes."""

    def plan(self) -> None:
        """Each victim once; a bad disk all the time."""
        world, rng = self._world, self._rng
        self.victims = rng.sample(world.honest, world.swarm.forgetful)
        for node in self.victims:
            at_ms = rng.randrange(world.swarm.chaos_ms)
            world.at(rng.randint(0, at_ms), node.slot, self._back_up, node)
            world.at(at_ms, node.slot, self._strike, node)
        if world.swarm.byzantine is Byzantine.BAD_DISK:
            for node in world.nodes:
                if not node.is_honest:
                    self._plan_bad_disk(node)

    def _back_up(self, node: SimNode) -> None:
        """A copy from before the first start cannot be told from a new validator, and is none."""
        if node.has_noted_start:
            self._backups[node.slot] = node.disk.copy()

    def _strike(self, node: SimNode) -> None:
        """The machine stops, something happens to its disk, somebody starts it again."""
        rng, disk = self._rng, node.disk
        kinds: dict[str, Callable[[], object]] = {
            "the disk is replaced by an empty one": disk.wipe,
            "the journal is lost": disk.wipe_journal,
            "the ledger is lost": disk.wipe_database,
            "a bit of the journal flips": disk.flip_bit,
            "the database is damaged": disk.damage_database,
        }
        backup = self._backups.get(node.slot)
        if backup is not None:
            kinds["a backup is restored"] = lambda: disk.restore(backup)
            kinds["a backup of the ledger is restored"] = lambda: disk.restore_database(backup)
            kinds["a backup of the journal is restored"] = lambda: disk.restore_files(backup)
        kind = rng.choice(sorted(kinds))
        self._world.strike(node, kind, kinds[kind])

    def _plan_bad_disk(self, node: SimNode) -> None:
        rng, world = self._rng, self._world
        node.disk.faults = replace(node.disk.faults, misdirected=MISDIRECTED)
        for _ in range(rng.randint(0, 2)):
            world.at(rng.randrange(world.swarm.chaos_ms), node.slot, node.disk.keep_image)
            world.at(rng.randrange(world.swarm.chaos_ms), node.slot, self._forget, node)

    def _forget(self, node: SimNode) -> None:
        kinds = {
            "its synced tail is gone": node.disk.cut_tail,
            "an older image is put back": node.disk.go_back,
        }
        kind = self._rng.choice(sorted(kinds))
        self._world.strike(node, kind, kinds[kind])

"""A validator's clocks: a wall clock that may be wrong, and a steady one that may be slow."""

from typing import TYPE_CHECKING

from tests.simulation.disk import SimulatedDisk

if TYPE_CHECKING:
    from tests.simulation.world import World


class NodeClock:
    """Derived from virtual time; a node sees nothing else of it."""

    def __init__(
        self, world: "World", disk: SimulatedDisk, *, offset_ms: int = 0, drift_permille: int = 0
    ) -> None:
        self._world = world
        self._disk = disk
        self.offset_ms = offset_ms
        self.drift_permille = drift_permille
        self.stopped_at_ms: int | None = None
        self._began_ms = world.now_ms

    def steady_ms(self) -> int:
        """Time since the world began, by this node's quartz."""
        elapsed_ms = self._world.now_ms + self._disk.spent_ms - self._began_ms
        if self.drift_permille:
            elapsed_ms += elapsed_ms * self.drift_permille // 1000
        return elapsed_ms

    def wall_ms(self) -> int:
        """Milliseconds since 1970 as this node believes."""
        if self.stopped_at_ms is not None:
            return self.stopped_at_ms
        return self._began_ms + self.steady_ms() + self.offset_ms

    def until(self, wait_ms: int) -> int:
        """Virtual time in which this node's quartz counts `wait_ms`, rounded up."""
        if not self.drift_permille:
            return wait_ms
        return -(-wait_ms * 1000 // (1000 + self.drift_permille))

    def stop(self) -> None:
        self.stopped_at_ms = self.wall_ms()

    def set_right(self) -> None:
        """Synchronised now: the wall clock may jump, the steady one does not."""
        self.stopped_at_ms = None
        self.offset_ms = self._world.now_ms - self._began_ms - self.steady_ms()

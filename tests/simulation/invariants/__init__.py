"""What must hold after every step, written without the core's own code.

Numbers are those of the catalogue in docs/reliability.md. `WorldMonitor` watches a world;
`Monitor` is the part that judges votes alone and also serves scripted scenes.
"""

from tests.simulation.invariants.votes import Monitor, two_thirds
from tests.simulation.invariants.watch import WorldMonitor
from tests.simulation.observer import Violation

__all__ = ["Monitor", "Violation", "WorldMonitor", "two_thirds"]

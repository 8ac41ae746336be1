"""How often liars did what, so that a run of seeds shows what it covered."""

from collections import Counter
from typing import TYPE_CHECKING

from tests.simulation.byzantine.behaviours import Behaviour
from tests.simulation.byzantine.liar import Liar

if TYPE_CHECKING:
    from tests.simulation.world import World


def lies_told(world: "World") -> Counter[Behaviour]:
    """Of all liars of a world, twins among them."""
    told: Counter[Behaviour] = Counter()
    conspiracies = {id(p.conspiracy): p.conspiracy for p in world.places if isinstance(p, Liar)}
    for conspiracy in conspiracies.values():
        told += conspiracy.hits
    contradictions = getattr(world.observer, "contradictions", 0)
    if contradictions:
        told[Behaviour.TWIN] += contradictions
    return told

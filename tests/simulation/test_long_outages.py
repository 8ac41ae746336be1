"""C25: an outage of half an hour must not need half an hour to heal."""

import pytest

from ledger.consensus.limits import MAX_TIMEOUT_MS
from tests.simulation.swarm import quiet_swarm
from tests.simulation.world import World

PAUSE_MS = 30 * 60 * 1000
BEFORE_MS = 1_000


def paused_world(seed: int, paused: tuple[int, ...], pause_ms: int = PAUSE_MS) -> World:
    world = World(seed=seed, validators=4, swarm=quiet_swarm(BEFORE_MS + pause_ms))
    for slot in paused:
        world.at(BEFORE_MS, slot, world.nodes[slot].pause, pause_ms)
    return world


@pytest.mark.parametrize("seed", range(6))
def test_two_of_four_stand_still_for_half_an_hour(seed):
    report = paused_world(seed, (0, 1)).run()
    assert report.height >= 1
    assert report.recovery_ms <= 2 * MAX_TIMEOUT_MS


def test_all_four_stand_still_for_half_an_hour():
    assert paused_world(1, (0, 1, 2, 3)).run().recovery_ms <= 2 * MAX_TIMEOUT_MS


def test_in_an_outage_nobody_runs_up_its_round():
    """Otherwise the timeout after it would be the longest there is."""
    assert paused_world(2, (0, 1)).run().max_round <= 2

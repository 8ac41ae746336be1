"""What random seeds found in shipped code, as worlds that do it on purpose.

A seed means other events after every change of the code, so each finding is played here by a
script: the faults that mattered and nothing else. The seeds that showed it first are named.
"""

from dataclasses import replace

import pytest

from ledger.consensus.limits import MAX_CLOCK_SKEW_MS
from ledger.storage.kv import StoreDamaged
from tests.simulation.adversary import Adversary
from tests.simulation.disk import DiskFaults
from tests.simulation.places import Place
from tests.simulation.swarm import (
    DELAY_BOUND_MS,
    LIVENESS_CAP_MS,
    MINUTES_10_MS,
    Byzantine,
    ProcessFaults,
    quiet_swarm,
)
from tests.simulation.world import World

SEEDS = range(5)
CALM_BOUND_MS = 50 * DELAY_BOUND_MS


@pytest.mark.parametrize("seed", SEEDS)
def test_a_validator_that_is_rounds_ahead_and_a_dead_one(seed):
    """Liveness, seeds 24 and 193 of four: with all timers at the cap, the one ahead stayed ahead.

    Two of the three that live stand still for a minute while the third gives up rounds.
    """
    swarm = replace(
        quiet_swarm(70_000), byzantine=Byzantine.SILENT, faulty=1, max_timeout_ms=LIVENESS_CAP_MS
    )
    world = World(seed=seed, validators=4, swarm=swarm)
    for node in world.nodes[:2]:
        world.at(1_000, node.slot, node.pause, 60_000)
    assert world.run().calm_ms <= CALM_BOUND_MS


@pytest.mark.parametrize("seed", SEEDS)
def test_validators_that_were_pulled_to_a_round_while_their_disks_were_full(seed):
    """Liveness, seed 700083 of seven; safety, seed 700484 of five: no quorum met in that round.

    With room again they said nothing of the round that the others had taken them to.
    """
    world = World(seed=seed, validators=5, swarm=quiet_swarm(20_000))
    for node in world.nodes[:3]:
        world.at(10, node.slot, node.set_space, True)
    assert world.run().calm_ms <= CALM_BOUND_MS


def test_everyone_reaches_a_process_that_starts_in_calm(monkeypatch):
    """Safety, seed 2058706 of four: a new process heard of no block when all others rested.

    The simulator's mistake: only the streams from the process opened, none to it.
    """
    world = World(seed=1, validators=4, swarm=quiet_swarm(20_000))
    node, opened = world.nodes[1], []
    shipped = World.connected

    def note(world: World, place: Place, consenter_id: int) -> None:
        opened.append((world.now_ms, place.identity, consenter_id))
        shipped(world, place, consenter_id)

    def strike() -> None:
        node.disk.fault_count, node.disk.has_forgotten = 1, True
        node.disk.damage_database()
        world.stopped(node, StoreDamaged("the test says so"))

    monkeypatch.setattr(World, "connected", note)
    world.at(20_001, node.slot, strike)
    world.run()
    others = {one.identity for one in world.nodes} - {node.identity}
    assert {place for when, place, to in opened if when > 20_001 and to == node.identity} == others


@pytest.mark.parametrize("seed", range(12))
def test_no_backup_is_made_before_the_first_start(seed):
    """Safety, seed 4020658 of four: a copy from before it cannot be told from a new validator.

    docs/consensus.md names it as what is left; the simulator made such copies.
    """
    swarm = replace(quiet_swarm(20_000), process=ProcessFaults(crash=0.999), forgetful=1)
    world = World(seed=seed, validators=4, swarm=swarm)
    world.run()
    assert not {"a backup is restored", "a backup of the journal is restored"} & set(world.tally)


def test_a_liar_that_hears_of_a_transaction_before_any_ledger_is_open():
    """Safety, seed 4030693 of four: every node died in its first start."""
    swarm = replace(quiet_swarm(1_000), byzantine=Byzantine.ADVERSARY, faulty=1)
    world = World(seed=1, validators=4, swarm=swarm)
    liar = next(iter(place for place in world.places if isinstance(place, Adversary)))
    for node in world.nodes:
        assert not hasattr(node, "committer")
    liar.act()


def test_calm_begins_before_a_validator_has_opened_its_ledger():
    """Disk, seed 5000988 of four: no start of it succeeded, the last for its ledger.

    The simulator's mistake: it asked such a node for its tip.
    """
    swarm = replace(quiet_swarm(20_000), process=ProcessFaults(crash=0.999))
    world = World(seed=1, validators=4, swarm=swarm)
    node = world.nodes[3]

    def damage() -> None:
        assert not node.has_opened_ledger
        node.disk.database.damaged.update(node.disk.database.view.ordered_keys)
        node.disk.fault_count, node.disk.has_forgotten = 1, True

    world.at(19_999, node.slot, damage)
    assert world.run().calm_ms <= CALM_BOUND_MS
    assert any(kind.startswith("stop: ") for kind in world.tally)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_tip_from_fast_clocks(seed):
    """Safety, seed 19 of four: with right clocks again nobody proposed for ten minutes."""
    world = World(seed=seed, validators=4, swarm=quiet_swarm(20_000))
    for node in world.nodes:
        node.clock.offset_ms = MINUTES_10_MS
    report = world.run()
    assert report.height >= 2, "something was decided with the wrong clocks"
    assert report.calm_ms <= CALM_BOUND_MS


def test_a_tip_from_clocks_that_are_a_little_fast():
    world = World(seed=1, validators=4, swarm=quiet_swarm(20_000))
    for node in world.nodes:
        node.clock.offset_ms = MAX_CLOCK_SKEW_MS
    assert world.run().calm_ms <= CALM_BOUND_MS


@pytest.mark.parametrize("seed", range(12))
def test_votes_that_a_failed_sync_left_in_the_cache(seed):
    """Disk, seeds 118, 213, 285 of four, and safety 30: a restart sent what was not durable (I11).

    The process ends between write and sync, or the sync fails; later the power goes.
    """
    swarm = replace(
        quiet_swarm(40_000),
        disk=DiskFaults(sync_fails=0.03),
        process=ProcessFaults(crash=0.01, power_share=0.5),
    )
    World(seed=seed, validators=4, swarm=swarm).run()


@pytest.mark.parametrize("seed", range(3))
def test_mail_of_a_height_before_the_configuration(seed):
    """Membership, seeds 1, 6, 12 and 39 of four: late mail was held against its honest author."""
    swarm = quiet_swarm(30_000)
    swarm = replace(
        swarm,
        config_changes=6,
        network=replace(swarm.network, mean_delay_ms=600, tail=0.05),
        process=ProcessFaults(crash=0.002, power_share=0.5),
    )
    World(seed=seed, validators=4, profile="membership", swarm=swarm).run()

"""Disks that get full, two versions at once, and a copy put back that no disk shows."""

from dataclasses import replace

import pytest

from ledger.wire.validator_pb2 import BlockRequest, Item, Status, TransactionBatch
from tests.simulation.observer import Violation
from tests.simulation.operators import UPGRADES
from tests.simulation.swarm import Byzantine, quiet_swarm
from tests.simulation.versions import UNKNOWN_FIELD, Forms, Version
from tests.simulation.world import World

CHAOS_MS = 20_000


# -- a nearly full disk ---------------------------------------------------------------------------


def test_who_has_no_room_does_not_vote_also_after_a_crash_and_votes_again_with_room():
    lines: list[str] = []
    world = World(seed=1, validators=4, swarm=quiet_swarm(CHAOS_MS), log=lines.append)
    node = world.nodes[1]
    world.at(1, node.slot, node.set_space, True)
    world.at(5_000, node.slot, world.strike, node, "power", lambda: None)
    report = world.run()
    assert report.crashes == 1
    assert node.committer.tip.height == report.height > 1, "it takes blocks in all the same"
    moments_ms = [int(line.split()[0]) for line in lines if "node 1 signs" in line]
    assert moments_ms
    assert min(moments_ms) >= CHAOS_MS


def test_a_quorum_without_room_stops_everything_until_there_is():
    world = World(seed=2, validators=4, swarm=quiet_swarm(CHAOS_MS))
    for node in world.nodes[:2]:
        world.at(1, node.slot, node.set_space, True)
    heights: list[int] = []
    world.at(CHAOS_MS - 1, 0, lambda: heights.append(world.nodes[3].committer.tip.height))
    assert world.run().height >= 1
    assert heights == [0]


# -- two versions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "item",
    [
        Item(status=Status(height=3, block_hash=b"b", commit_hash=b"c", observes=True)),
        Item(block_request=BlockRequest(from_number=1, to_number=2)),
        Item(transactions=TransactionBatch(envelopes=[b"t"])),
    ],
)
def test_a_newer_version_says_the_same_and_something_nobody_knows_yet(item):
    raw = Forms().of(item, Version.NEWER).SerializeToString()
    assert UNKNOWN_FIELD in raw
    read = Item.FromString(raw)
    getattr(read, item.WhichOneof("kind")).DiscardUnknownFields()
    assert read == item


def test_an_older_version_lacks_what_came_last():
    item = Item(status=Status(height=3, block_hash=b"b", commit_hash=b"c", observes=True))
    assert Forms().of(item, Version.OLDER).status == Status(
        height=3, block_hash=b"b", commit_hash=b"c"
    )


@pytest.mark.parametrize("version", list(Version))
def test_what_is_signed_is_the_same_in_every_version(version):
    item = Item(consensus_message=b"signed bytes")
    assert Forms().of(item, version) is item


@pytest.mark.parametrize("seed", range(6))
def test_versions_run_together_while_one_after_the_other_is_upgraded(seed):
    swarm = replace(quiet_swarm(CHAOS_MS), mixed_versions=True, calm_heights=2)
    world = World(seed=seed, validators=4, swarm=swarm)
    report = world.run()
    assert report.tally["two versions"] == 1
    assert {node.version for node in world.nodes} <= set(UPGRADES[0]) | set(UPGRADES[1])


def test_upgrades_happen():
    swarm = replace(quiet_swarm(CHAOS_MS), mixed_versions=True)
    upgrades = [World(seed=s, validators=4, swarm=swarm).run().tally["upgrade"] for s in range(6)]
    assert sum(upgrades) > 3


# -- an older copy in the files of the newer one --------------------------------------------------


def world_with_a_copy_put_back(seed: int, *, is_faulty: bool) -> World:
    """Votes of a height are made, then ledger and journal are what they were before."""
    swarm = quiet_swarm(CHAOS_MS)
    if is_faulty:
        swarm = replace(swarm, byzantine=Byzantine.BAD_DISK, faulty=1)
    world = World(seed=seed, validators=4, swarm=swarm)
    victim = next(node for node in world.nodes if node.is_honest is not is_faulty)
    silent = next(node for node in world.nodes if node is not victim)
    for node in world.nodes:
        if node not in (victim, silent):
            world.at(1, node.slot, node.set_space, True)  # too few votes for a block
    world.at(1, victim.slot, victim.disk.keep_image)
    world.at(15_000, victim.slot, world.strike, victim, "copy put back", victim.disk.go_back)
    return world


def test_a_copy_put_back_is_noticed_when_a_forgotten_vote_comes_back():
    noticed = [
        world_with_a_copy_put_back(seed, is_faulty=True).run().tally["forgotten vote came back"]
        for seed in range(8)
    ]
    assert any(noticed)


def test_no_honest_validator_may_ever_meet_a_vote_that_it_forgot():
    found = []
    for seed in range(8):
        try:
            world_with_a_copy_put_back(seed, is_faulty=False).run()
        except Violation as violation:
            found.append(str(violation))
    assert any("forgot that it signed" in text for text in found)

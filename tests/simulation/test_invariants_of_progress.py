"""Invariants of effort and progress can fail, too: the least that violates each is noticed."""

import random
from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import patch

import pytest

from ledger.consensus.core import Core
from ledger.consensus.effects import RequestBlock, SetTimer
from ledger.ordering.consensus_verifier import ConsensusVerifier
from tests.simulation.adversary import Adversary
from tests.simulation.invariants import Violation
from tests.simulation.invariants.bounds import (
    Bounds,
    Effort,
    i12_bounded_memory,
    i13_bounded_work,
    i16_no_storm,
)
from tests.simulation.invariants.mail import MailReader
from tests.simulation.invariants.scenes import calm_swarm, calm_world, first_violation, violates
from tests.simulation.network import Network
from tests.simulation.parcels import Parcels
from tests.simulation.world import World

A = b"a" * 32


# -- bounds: I12, I13, I15, I16 -------------------------------------------------------------------


@pytest.mark.parametrize("what", ["claims of height", "own messages", "early messages"])
def test_i12_a_node_keeps_too_much(what):
    world = calm_world()
    world.run()
    node = world.honest[0]
    many = dict.fromkeys(range(5_000))
    state = node.core.state
    match what:
        case "claims of height":
            node.catch_up._claims.update(many)
        case "own messages":
            state.now.own.update(many)
        case _:
            state.future._messages.extend(many)
    with pytest.raises(Violation, match=rf"^I12: .* {what}"):
        i12_bounded_memory(world.observer.bounds, node)


def test_i13_more_is_verified_than_came():
    key = SimpleNamespace(checks=0)
    effort = Effort((key,), validators=4)
    raw = prepare_bytes()
    effort.on_mail(MailReader(Parcels()).bytes(raw))
    key.checks += 2  # the vote and a seal
    i13_bounded_work(effort)
    key.checks += 1
    with violates("I13"):
        i13_bounded_work(effort)


def prepare_bytes() -> bytes:
    world = calm_world()
    for node in world.nodes:
        node.install()
    for place in world.places:
        place.start()
    return Adversary(world=world, slot=9, identity=1).prepare(1, 0, A)


def test_i13_a_world_that_verifies_everything_five_times():
    original = ConsensusVerifier._check_signed

    def again_and_again(verifier, *what):
        for _ in range(5):
            verifier._good.clear()
            original(verifier, *what)

    with patch.object(ConsensusVerifier, "_check_signed", again_and_again), violates("I13"):
        calm_world().run()


def test_i15_rounds_run_away_after_calm():
    bounds = Bounds(validators=4, repeat_ms=1_000)
    node = SimpleNamespace(slot=0)
    bounds.on_progress(node, (1, 90, -1), may_build=True)  # chaos: anything goes
    bounds.on_calm([(2, 5, -1), (2, 1, -1)])
    bounds.on_progress(node, (2, 9, -1), may_build=True)
    bounds.on_progress(node, (3, 4, -1), may_build=True)
    with violates("I15"):
        bounds.on_progress(node, (3, 5, -1), may_build=True)


def test_i15_a_world_whose_rounds_are_too_short():
    class Impatient(Core):
        def step(self, event):
            return tuple(
                replace(effect, duration_ms=100) if isinstance(effect, SetTimer) else effect
                for effect in super().step(event)
            )

    found = first_violation(range(5), swarm=calm_swarm(calm_heights=3), core_factory=Impatient)
    assert found.startswith(("I15", "I16"))


def test_i16_a_node_repeats_itself_without_end():
    bounds = Bounds(validators=4, repeat_ms=1_000)
    for _ in range(12):
        i16_no_storm(bounds, 0, 5_000, (1, 0), is_new_run=False)
    with violates("I16"):
        for _ in range(100):
            i16_no_storm(bounds, 0, 5_000, (1, 0), is_new_run=False)


def test_i16_what_the_rules_ask_for_is_no_storm():
    """Four kinds to three others in every round and again every interval, for a long time."""
    bounds = Bounds(validators=4, repeat_ms=1_000)
    for interval in range(100):
        for _ in range(12):
            i16_no_storm(bounds, 0, interval * 1_000, (1, interval // 4), is_new_run=False)


# -- progress: I14, I17 ---------------------------------------------------------------------------


def test_i14_a_world_in_which_nobody_proposes():
    class Mute(Core):
        def step(self, event):
            return tuple(e for e in super().step(event) if not isinstance(e, RequestBlock))

    with violates("I1[45]"):
        calm_world(core_factory=Mute).run()


def test_i17_a_node_dies_of_an_exception():
    class Clumsy(Core):
        def step(self, event):
            raise KeyError("oops")

    with violates("I17"):
        calm_world(core_factory=Clumsy).run()


def test_i17_a_node_stops_although_its_disk_is_good():
    with (
        patch("ledger.storage.journal.RECORD_BYTES_MAX", 10),
        violates("I17"),
    ):
        calm_world().run()


# -- honest validators do not blame one another ---------------------------------------------------


def test_a_message_of_an_honest_validator_is_refused():
    with (
        patch("ledger.consensus.upon_vote.MAX_ROUND", -1),
        pytest.raises(Violation, match="honest message of"),
    ):
        calm_world().run()


# -- determinism: I18 -----------------------------------------------------------------------------


def test_i18_a_seed_has_one_trace():
    traces = set()
    for _ in range(2):
        world = World(seed=5, validators=4)
        world.run()
        traces.add(world.observer.trace)
    assert len(traces) == 1


def test_i18_a_world_with_chance_from_outside_the_seed_has_many():
    original = Network.delays

    def by_chance(network, source, to):
        return tuple(
            d + random.SystemRandom().randint(0, 50) for d in original(network, source, to)
        )

    traces = set()
    with patch.object(Network, "delays", by_chance):
        for _ in range(3):
            world = World(seed=5, validators=4)
            world.run()
            traces.add((world.observer.trace, world.trace))
    assert len(traces) > 1

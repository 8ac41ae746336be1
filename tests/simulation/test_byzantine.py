"""Every way to lie really happens, and honest validators answer it as they should."""

import random
from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from unittest.mock import patch

import pytest

from ledger.errors import InvalidMessage, Reason
from tests.simulation.adversary import STRATEGIES, Adversary
from tests.simulation.byzantine.behaviours import (
    NOISE,
    PLANNED,
    Behaviour,
    draw_behaviours,
)
from tests.simulation.byzantine.tally import lies_told
from tests.simulation.invariants import WorldMonitor
from tests.simulation.swarm import Byzantine, ClockFaults, Profile, draw_swarm
from tests.simulation.world import World

SEEDS = 25
EVIDENCE = "evidence"
NOT_EVEN_HEARD: frozenset[str] = frozenset()

ANSWERS: dict[Behaviour, Collection[str]] = {
    Behaviour.TWO_PROPOSALS: {EVIDENCE},
    Behaviour.DOUBLE_VOTE: {EVIDENCE},
    Behaviour.FALSE_LOCK: {Reason.NOT_JUSTIFIED, Reason.ROUND_OUT_OF_BOUNDS},
    Behaviour.LOWER_CERTIFICATE: {Reason.NOT_JUSTIFIED},
    Behaviour.BROKEN_JUSTIFICATION: {Reason.NOT_JUSTIFIED, Reason.BAD_SIGNATURE},
    Behaviour.WRONG_PROPOSER: {Reason.WRONG_PROPOSER, Reason.BAD_SIGNATURE},
    Behaviour.BAD_BLOCK: {Reason.MALFORMED},
    Behaviour.BAD_SEALS: {Reason.POLICY_NOT_SATISFIED},
    Behaviour.HUGE_ROUND: {Reason.ROUND_OUT_OF_BOUNDS},
    Behaviour.FLOOD: {EVIDENCE},
    Behaviour.SYNC_LIE: {Reason.POLICY_NOT_SATISFIED},
    Behaviour.MALLEATED: {Reason.HIGH_S_SIGNATURE},
    Behaviour.MUTATION: {Reason.BAD_SIGNATURE, Reason.MALFORMED},
}
"""What honest validators say to it. The others break no rule that one validator could see."""


class Answers(WorldMonitor):
    """Also notes why messages are refused."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.given: Counter[str] = Counter()

    def rejected(self, node, author: int, error: InvalidMessage) -> None:
        super().rejected(node, author, error)
        if node.is_honest:
            self.given[error.reason] += 1

    def evidence(self, node, author: int) -> None:
        super().evidence(node, author)
        self.given[EVIDENCE] += 1


def run_with(kind: Byzantine, seed: int, validators: int = 4) -> World:
    """A world as the seed has it, but with liars of this kind and good clocks."""
    most = (validators - 1) // 3
    swarm = draw_swarm(random.Random(f"{seed} swarm"), Profile.SAFETY, max_faulty=most)
    swarm = replace(swarm, byzantine=kind, faulty=most, forgetful=0, clock=ClockFaults())
    world = World(seed=seed, validators=validators, swarm=swarm, observer_factory=Answers)
    world.run()
    return world


@pytest.mark.parametrize("behaviour", [b for b in Behaviour if b is not Behaviour.TWIN])
def test_a_liar_that_can_do_one_thing_does_it_and_is_answered(behaviour):
    told: Counter[str] = Counter()
    answers: Counter[str] = Counter()
    expected = ANSWERS.get(behaviour, NOT_EVEN_HEARD)
    with patch("tests.simulation.byzantine.liar.draw_behaviours", lambda _rng: {behaviour: 1}):
        for seed in range(SEEDS):
            world = run_with(Byzantine.ADVERSARY, seed)
            told += lies_told(world)
            answers += world.observer.given
            if told[behaviour] > 2 and set(expected) <= set(answers):
                break
    assert set(told) == {behaviour}
    assert set(expected) <= set(answers)


@pytest.mark.parametrize("kind", [Byzantine.TWIN, Byzantine.MIXED])
def test_twins_contradict_each_other(kind):
    told: Counter[str] = Counter()
    for seed in range(SEEDS):
        told += lies_told(run_with(kind, seed))
        if told[Behaviour.TWIN] > 2:
            break
    assert told[Behaviour.TWIN] > 2
    assert (len(told) > 1) is (kind is Byzantine.MIXED)


def test_the_catalogue_is_complete():
    assert set(STRATEGIES) == set(Behaviour) - {Behaviour.TWIN}
    assert set(PLANNED) | set(NOISE) == set(STRATEGIES)
    numbers = {int(behaviour.split()[0][1:]) for behaviour in Behaviour}
    assert numbers >= set(range(1, 24))


def test_seeds_differ_in_what_liars_do():
    plans = [draw_behaviours(random.Random(seed)) for seed in range(200)]
    assert {behaviour for plan in plans for behaviour in plan} == set(STRATEGIES)
    assert min(map(len, plans)) < 6
    assert max(map(len, plans)) == len(STRATEGIES)


def test_all_liars_of_a_world_share_a_plan():
    world = run_with(Byzantine.ADVERSARY, 3, validators=7)
    liars = [place for place in world.places if isinstance(place, Adversary)]
    assert len(liars) == 2
    assert liars[0].conspiracy is liars[1].conspiracy
    assert set(liars[0].conspiracy.liars) == world.byzantine

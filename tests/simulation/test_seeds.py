"""Random schedules over the shipped core; a failure names the command that replays it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.invariants import Violation
from tests.simulation.mutations import MUTATIONS, planted
from tests.simulation.world import World

SEEDS = {4: 300, 5: 150, 6: 100, 7: 100}
SEEDS_TO_FIND_A_PLANTED_MISTAKE = 1500


@pytest.mark.parametrize("validators", sorted(SEEDS))
def test_no_seed_breaks_safety_or_stalls_once_the_network_is_calm(validators):
    kinds = set()
    highest_round = crashes = evidence = 0
    for seed in range(SEEDS[validators]):
        try:
            report = World(seed=seed, validators=validators).run()
        except Violation as violation:
            pytest.fail(
                f"{violation}; python -m tests.simulation --validators {validators} --seed {seed}"
            )
        kinds.add(report.byzantine)
        highest_round = max(highest_round, report.max_round)
        crashes += report.crashes
        evidence += report.evidence
    # The schedules must really have been hard, or passing them means nothing.
    assert len(kinds) == 3
    assert highest_round >= 3
    assert crashes > SEEDS[validators]
    assert evidence > 0


def test_a_seed_replays_exactly():
    first = World(seed=2, validators=4).run()
    assert World(seed=2, validators=4).run() == first
    assert World(seed=3, validators=4).run().trace != first.trace


def test_a_seed_replays_exactly_under_another_hash_seed():
    outputs = {
        subprocess.run(
            [sys.executable, "-m", "tests.simulation", "--validators", "7", "--seed", "11"],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(outputs) == 1


@pytest.mark.parametrize("mistake", sorted(MUTATIONS))
def test_a_planted_mistake_is_found(mistake):
    with planted(mistake):
        for seed in range(SEEDS_TO_FIND_A_PLANTED_MISTAKE):
            try:
                World(seed=seed, validators=4).run()
            except Violation:
                return
    pytest.fail(f"{mistake}: not found in {SEEDS_TO_FIND_A_PLANTED_MISTAKE} seeds")

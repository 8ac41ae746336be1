"""Random schedules over the shipped code; a failure names the command that replays it.

The short form runs some hundred seeds of each kind, `./test --full` more than twenty thousand.
"""

import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.simulation.campaign import Campaign, Summary, run
from tests.simulation.swarm import Byzantine, Profile, draw_swarm

CORES = os.cpu_count() or 1
SHORT = {
    (4, Profile.SAFETY): 150,
    (4, Profile.DISK): 100,
    (4, Profile.LIVENESS): 100,
    (4, Profile.MEMBERSHIP): 10,
    (5, Profile.SAFETY): 60,
    (6, Profile.SAFETY): 40,
    (7, Profile.SAFETY): 30,
    (7, Profile.DISK): 30,
}
FULL = {
    (4, Profile.SAFETY): 9_000,
    (4, Profile.DISK): 4_000,
    (4, Profile.MEMBERSHIP): 1_000,
    (5, Profile.SAFETY): 3_000,
    (6, Profile.SAFETY): 2_000,
    (7, Profile.SAFETY): 1_000,
    (7, Profile.DISK): 1_000,
}
LIVENESS_RUNS = 1_000
ROOT = Path(__file__).parents[2]


def run_without_violation(campaign: Campaign) -> Summary:
    summary = run(campaign)
    for seed, text in summary.violations:
        pytest.fail(f"{text}\nreplay: {campaign.replay_command(seed)}")
    return summary


@pytest.mark.parametrize(("validators", "profile"), sorted(SHORT))
def test_no_seed_breaks_an_invariant(validators, profile):
    run_without_violation(Campaign(validators, profile, 0, SHORT[validators, profile]))


def test_the_schedules_are_hard():
    """Passing them would mean nothing otherwise."""
    summary = run_without_violation(Campaign(4, Profile.SAFETY, 0, 60))
    assert {report.byzantine for report in summary.reports} >= {
        Byzantine.NONE,
        Byzantine.TWIN,
        Byzantine.ADVERSARY,
        Byzantine.SILENT,
    }
    assert max(report.max_round for report in summary.reports) >= 3
    assert summary.total("crashes") > 30
    assert summary.total("faults") > 0
    assert summary.total("evidence") > 0
    assert summary.tally["voting paused"] > 5
    assert summary.tally["two versions"] > 1


def test_twins_are_the_most_common_liars_and_everyone_else_lies_too():
    drawn = Counter(
        draw_swarm(random.Random(seed), Profile.SAFETY, max_faulty=1).byzantine
        for seed in range(1_000)
    )
    [(most_common, _)] = drawn.most_common(1)
    assert most_common is Byzantine.TWIN
    assert drawn[Byzantine.MIXED] + drawn[Byzantine.ADVERSARY] > 300
    assert drawn[Byzantine.SILENT] > 50


@pytest.mark.full
@pytest.mark.parametrize(("validators", "profile"), sorted(FULL))
def test_no_seed_of_many_breaks_an_invariant(validators, profile):
    """Other seeds than in the short form."""
    run_without_violation(
        Campaign(validators, profile, 1_000, FULL[validators, profile], jobs=CORES)
    )


@pytest.mark.full
def test_calm_heals_in_bounded_time():
    """C20: a thousand runs, in D, the longest delay of a message in a calm network."""
    campaign = Campaign(4, Profile.LIVENESS, 0, LIVENESS_RUNS, jobs=CORES)
    summary = run_without_violation(campaign)
    _, p99, highest = summary.delays("calm_ms")
    assert p99 <= 50
    assert highest <= 100
    assert summary.stalls == 0


@pytest.mark.parametrize("profile", list(Profile))
def test_a_seed_replays_exactly(profile):
    first = run(Campaign(4, profile, 0, 5)).trace
    assert run(Campaign(4, profile, 0, 5)).trace == first
    assert run(Campaign(4, profile, 1, 5)).trace != first


def test_seeds_do_not_depend_on_what_ran_before_them_or_on_the_number_of_processes():
    one_by_one = [run(Campaign(4, Profile.SAFETY, seed, 1)).reports[0] for seed in (31, 30)]
    together = run(Campaign(4, Profile.SAFETY, 30, 2, jobs=2)).reports
    assert sorted(together, key=lambda r: -r.seed) == one_by_one


@pytest.mark.parametrize("profile", list(Profile))
def test_a_seed_replays_exactly_under_another_hash_seed(profile):
    """Every event of it, in processes of their own."""
    seed = ["--profile", profile, "--validators", "4", "--seed", "11", "--trace"]
    outputs = {
        subprocess.run(
            [sys.executable, "-m", "tests.simulation", *seed],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_seeds_hold_with_real_signatures_too():
    run_without_violation(Campaign(4, Profile.SAFETY, 0, 8, real_signatures=True))

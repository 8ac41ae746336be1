"""What tests of invariants share: worlds in which nothing goes wrong, and what a violation is."""

from contextlib import contextmanager
from dataclasses import replace

import pytest

from tests.simulation.observer import Violation
from tests.simulation.swarm import LIVENESS_CAP_MS, Swarm, quiet_swarm
from tests.simulation.world import World


def calm_swarm(**changes) -> Swarm:
    """Nothing goes wrong."""
    return replace(quiet_swarm(10_000), max_timeout_ms=LIVENESS_CAP_MS, **changes)


def calm_world(seed: int = 1, **options) -> World:
    options.setdefault("swarm", calm_swarm())
    return World(seed=seed, validators=4, **options)


@contextmanager
def violates(number: str):
    with pytest.raises(Violation, match=rf"^{number}: "):
        yield


def first_violation(seeds, **options) -> str:
    """Of random schedules of four validators."""
    for seed in seeds:
        try:
            World(seed=seed, validators=4, **options).run()
        except Violation as violation:
            return str(violation)
    return "none"

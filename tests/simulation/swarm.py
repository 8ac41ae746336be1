"""Which faults a seed has, and how often: drawn anew, so that seeds differ in kind."""

import random
from dataclasses import dataclass
from enum import StrEnum

DELAY_BOUND_MS = 50
"""D: after stabilisation every message arrives within this time."""


class Byzantine(StrEnum):
    """What the faulty validators do."""

    NONE = "none"
    TWIN = "twin"
    """Two correct nodes share one key (and one of them forgets its journal when it crashes)."""
    ADVERSARY = "adversary"
    """Votes for anything, hides locks, proposes twice, completes old certificates."""


@dataclass(frozen=True, slots=True)
class Swarm:
    """Rates are probabilities; durations are virtual milliseconds."""

    loss: float
    duplicate: float
    mean_delay_ms: int
    tail: float
    partition_every_ms: int
    crash: float
    byzantine: Byzantine
    faulty: int
    chaos_ms: int
    transactions: int
    base_timeout_ms: int = 4 * DELAY_BOUND_MS


def draw_swarm(rng: random.Random, *, max_faulty: int) -> Swarm:
    byzantine = rng.choice(list(Byzantine)) if max_faulty else Byzantine.NONE
    return Swarm(
        loss=rng.choice([0, 0.02, 0.1, 0.25]),
        duplicate=rng.choice([0, 0.05, 0.2]),
        mean_delay_ms=rng.choice([5, 20, 60]),
        tail=rng.choice([0, 0.05]),
        partition_every_ms=rng.choice([0, 300, 900]),
        crash=rng.choice([0, 0.002, 0.01, 0.03]),
        byzantine=byzantine,
        faulty=rng.randint(1, max_faulty) if byzantine is not Byzantine.NONE else 0,
        chaos_ms=rng.choice([1000, 2500, 5000]),
        transactions=rng.randint(2, 6),
    )

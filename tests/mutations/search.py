"""Random schedules against planted mistakes: how many does it take until the right alarm rings?

What was measured stands in `found.toml`. A recorded seed is worth as much as the world it was
found in: when the world has changed and it finds nothing any more, the first seeds are searched
again, and when these do not help, measure again.
"""

import random
import time
import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from ledger.consensus.quorum import max_faulty
from tests.mutations.mutation import REFUSED, Mutation, Search
from tests.mutations.planting import planted
from tests.simulation.observer import Violation
from tests.simulation.swarm import Byzantine, Profile, Swarm, draw_swarm
from tests.simulation.world import World

FOUND = Path(__file__).with_name("found.toml")
HEADER = """\
# Where random search found each planted mistake: written by `python -m tests.mutations --measure`.
# schedules: how many it took, from seed 0 on; 0: not found, and `tried` says in how many.
"""


@dataclass(frozen=True, slots=True)
class Found:
    """How a search ended."""

    invariant: str = ""
    seed: int = -1
    schedules: int = 0
    tried: int = 0
    others: tuple[str, ...] = ()
    """Other alarms that rang on the way, most frequent first."""
    seconds: float = 0

    @property
    def is_found(self) -> bool:
        return bool(self.invariant)


def violation_of(search: Search, seed: int) -> str:
    """The number of the invariant that a seed breaks, as the code now stands; empty: none."""
    try:
        World(
            seed=seed,
            validators=search.validators,
            profile=search.profile,
            swarm=_swarm_with_liars(search, seed) if search.liars else None,
        ).run()
    except Violation as violation:
        text = str(violation)
        return REFUSED if text.startswith("honest message") else text.split(":", maxsplit=1)[0]
    return ""


def _swarm_with_liars(search: Search, seed: int) -> Swarm:
    """What the seed draws, with as many liars as there may be."""
    faulty = max_faulty(search.validators)
    rng = random.Random(f"{seed} swarm")
    drawn = draw_swarm(rng, Profile(search.profile), max_faulty=faulty)
    return replace(drawn, byzantine=Byzantine.ADVERSARY, faulty=faulty, forgetful=0)


def hunt(mutation: Mutation, seeds: Iterable[int], *, seconds_max: float | None = None) -> Found:
    """Search these seeds with the mistake planted, until one of its invariants breaks."""
    search = mutation.search
    assert search is not None, "only mistakes that the simulator can see are searched for"
    began, tried = time.monotonic(), 0
    others: Counter[str] = Counter()
    with planted(mutation.edits):
        for seed in seeds:
            if seconds_max is not None and time.monotonic() - began > seconds_max:
                break
            tried += 1
            invariant = violation_of(search, seed)
            if invariant in search.breaks:
                return Found(
                    invariant, seed, tried, tried, _names(others), time.monotonic() - began
                )
            others[invariant] += bool(invariant)
    return Found(tried=tried, others=_names(others), seconds=time.monotonic() - began)


def _names(others: Counter[str]) -> tuple[str, ...]:
    return tuple(name for name, count in others.most_common() if count)


def read_found() -> dict[str, Found]:
    """What was measured last, by number."""
    if not FOUND.exists():
        return {}
    table = tomllib.loads(FOUND.read_text(encoding="utf-8"))
    return {
        number: Found(
            invariant=entry.get("invariant", ""),
            seed=entry.get("seed", -1),
            schedules=entry.get("schedules", 0),
            tried=entry["tried"],
        )
        for number, entry in table.items()
    }


def write_found(found: dict[str, Found]) -> None:
    """Keep what was measured."""
    parts = [HEADER]
    for number, entry in found.items():
        parts.append(f"[{number}]")
        if entry.is_found:
            parts.append(f'invariant = "{entry.invariant}"')
            parts.append(f"seed = {entry.seed}")
            parts.append(f"schedules = {entry.schedules}")
        parts.append(f"tried = {entry.tried}\n")
    FOUND.write_text("\n".join(parts), encoding="utf-8")

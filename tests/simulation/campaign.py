"""Many seeds, on several processes: what was found, how fast, and how soon calm heals."""

import gc
import logging
import multiprocessing
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from tests.simulation.observer import Violation
from tests.simulation.swarm import DELAY_BOUND_MS
from tests.simulation.world import Report, World

SEEDS_PER_JOB = 25
"""One process runs so many before it reports and collects its garbage."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """Which seeds, in which world."""

    validators: int
    profile: str
    first_seed: int
    seeds: int
    real_signatures: bool = False
    jobs: int = 1

    @property
    def last_seed(self) -> int:
        return self.first_seed + self.seeds - 1

    def replay_command(self, seed: int) -> str:
        """What to type to see a seed again."""
        real = " --real-signatures" if self.real_signatures else ""
        return (
            f"gridledger simulate --validators {self.validators} --profile {self.profile}"
            f" --seed {seed} --trace{real}"
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one seed."""

    seed: int
    report: Report | None
    violation: str = ""


@dataclass(slots=True)
class Summary:
    """Grows with every outcome; the order of outcomes does not matter."""

    schedules: int = 0
    violations: list[tuple[int, str]] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    cpu_s: float = 0

    def add(self, outcome: Outcome) -> None:
        self.schedules += 1
        if outcome.report is not None:
            self.reports.append(outcome.report)
        else:
            self.violations.append((outcome.seed, outcome.violation))

    @property
    def stalls(self) -> int:
        """Runs in which calm did not heal in time."""
        return sum(text.startswith("I14") for _, text in self.violations)

    def total(self, name: str) -> int:
        return sum(getattr(report, name) for report in self.reports)

    @property
    def tally(self) -> Counter[str]:
        """How often each fault happened and each lie was told."""
        total: Counter[str] = Counter()
        for report in self.reports:
            total.update(report.tally)
        return total

    def delays(self, name: str) -> tuple[float, float, float]:
        """(p50, p99, max) of a time of the reports, in D."""
        values = sorted(getattr(report, name) / DELAY_BOUND_MS for report in self.reports)
        if not values:
            return 0, 0, 0
        return values[len(values) // 2], values[len(values) * 99 // 100], values[-1]

    @property
    def trace(self) -> int:
        """One number for everything that happened in these seeds."""
        trace = 0
        for report in sorted(self.reports, key=lambda report: report.seed):
            trace = zlib.crc32(b"%d %d" % (report.seed, report.trace), trace)
        return trace


def run_seed(
    campaign: Campaign, seed: int, *, log: Callable[[str], None] | None = None
) -> Outcome:
    """One world from its seed; a violation is an outcome, not an error."""
    world = World(
        seed=seed,
        validators=campaign.validators,
        profile=campaign.profile,
        real_signatures=campaign.real_signatures,
        log=log,
    )
    try:
        return Outcome(seed, world.run())
    except Violation as violation:
        cause = violation.__cause__
        text = str(violation)
        if cause is not None:
            text += "\n" + "".join(traceback.format_exception(cause))
        return Outcome(seed, None, text)
    finally:
        world.dissolve()


def run(campaign: Campaign, on_outcome: Callable[[Outcome], None] | None = None) -> Summary:
    """All seeds of a campaign."""
    summary = Summary()
    for outcomes, cpu_s in _results(campaign):
        summary.cpu_s += cpu_s
        for outcome in outcomes:
            summary.add(outcome)
            if on_outcome is not None:
                on_outcome(outcome)
    summary.violations.sort()
    return summary


def _results(campaign: Campaign) -> Iterator[tuple[list[Outcome], float]]:
    portions = [
        (campaign, range(first, min(first + SEEDS_PER_JOB, campaign.last_seed + 1)))
        for first in range(campaign.first_seed, campaign.last_seed + 1, SEEDS_PER_JOB)
    ]
    if campaign.jobs == 1:
        yield from map(_run_portion, portions)
        return
    with multiprocessing.get_context("spawn").Pool(campaign.jobs) as pool:
        yield from pool.imap_unordered(_run_portion, portions)


def _run_portion(portion: tuple[Campaign, Iterable[int]]) -> tuple[list[Outcome], float]:
    """In a worker process, or in this one."""
    campaign, seeds = portion
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # simulated nodes have much to complain about
    gc.disable()
    gc.freeze()  # what is here by now stays; only the worlds of this portion go
    began_s = time.process_time()
    try:
        outcomes = [run_seed(campaign, seed) for seed in seeds]
    finally:
        gc.enable()
        gc.collect()
        logging.disable(level)
    return outcomes, time.process_time() - began_s

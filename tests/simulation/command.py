"""`gridledger simulate`: run or replay seeds of the simulator."""

import argparse
import logging
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path

from network.progress import progress
from tests.simulation.byzantine.behaviours import Behaviour
from tests.simulation.campaign import Campaign, Outcome, Summary, run, run_seed
from tests.simulation.swarm import DELAY_BOUND_MS, Profile
from tests.simulation.world import Report
from tests.support.command_line import positive_count, whole_number

SEEDS_DEFAULT = 100
DESCRIPTION = """\
Runs the shipped consensus, storage and validation code of several validators in one process, on
simulated networks, disks and clocks, with liars among them. Everything comes from the seed: the
same seed does the same again. Times are in D, the longest delay of a message in a calm network.
"""


def main(arguments: Sequence[str]) -> int:
    """Status 0 when no seed found a violation."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.trace and options.seed is None:
        parser.error("--trace shows the events of one seed: give it with --seed S")
    if options.seed is not None and (options.seeds, options.first_seed) != (None, None):
        parser.error("--seed S runs that one alone: give it without --seeds and --first-seed")
    if options.seed is not None:
        return _replay(_campaign(options, first_seed=options.seed, seeds=1), trace=options.trace)
    campaign = _campaign(
        options,
        first_seed=options.first_seed or 0,
        seeds=SEEDS_DEFAULT if options.seeds is None else options.seeds,
    )
    say(
        f"{campaign.profile}, {campaign.validators} validators, seeds {campaign.first_seed} to "
        f"{campaign.last_seed}, commit {commit()}"
    )
    began_s = time.monotonic()
    with progress("running seeds") as report:
        ended = count(1)

        def on_outcome(outcome: Outcome) -> None:
            report(next(ended), campaign.seeds)
            _tell(campaign, outcome)

        summary = run(campaign, on_outcome)
    for line in summary_lines(campaign, summary, time.monotonic() - began_s):
        say(line)
    return 1 if summary.violations else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gridledger simulate", description=DESCRIPTION)
    parser.add_argument(
        "--seeds", type=positive_count, metavar="N", help=f"how many seeds ({SEEDS_DEFAULT})"
    )
    parser.add_argument(
        "--first-seed", type=whole_number, metavar="S", help="the first of them (0)"
    )
    parser.add_argument(
        "--seed", type=whole_number, metavar="S", help="run this one and show what it did"
    )
    parser.add_argument("--trace", action="store_true", help="with --seed: every event")
    parser.add_argument("--validators", type=int, choices=(4, 5, 6, 7), default=4)
    parser.add_argument(
        "--profile", choices=[str(one) for one in Profile], default=str(Profile.SAFETY)
    )
    parser.add_argument(
        "--jobs",
        type=positive_count,
        default=1,
        metavar="N",
        help="seeds run in so many processes at once (default 1; one for each core is fastest);"
        " the results are the same",
    )
    parser.add_argument(
        "--real-signatures", action="store_true", help="P-256 instead of a keyed hash for votes"
    )
    return parser


def say(line: str) -> None:
    """To whoever runs the command."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _campaign(options: argparse.Namespace, *, first_seed: int, seeds: int) -> Campaign:
    return Campaign(
        validators=options.validators,
        profile=str(options.profile),
        first_seed=first_seed,
        seeds=seeds,
        real_signatures=options.real_signatures,
        jobs=options.jobs,
    )


def _replay(campaign: Campaign, *, trace: bool) -> int:
    logging.disable(logging.CRITICAL)
    outcome = run_seed(campaign, campaign.first_seed, log=say if trace else None)
    if outcome.report is not None:
        for line in report_lines(outcome.report):
            say(line)
        return 0
    _tell(campaign, outcome)
    return 1


def _tell(campaign: Campaign, outcome: Outcome) -> None:
    if outcome.report is None:
        for line in violation_lines(campaign, outcome):
            say(line)


def violation_lines(campaign: Campaign, outcome: Outcome) -> list[str]:
    """Seed, invariant, what happened, and how to see it again; a traceback if there is one."""
    text, _, cause = outcome.violation.partition("\n")
    invariant, found, what = text.partition(": ")
    is_numbered = bool(found) and invariant[:1] == "I" and invariant[1:].isdecimal()
    return [
        f"seed {outcome.seed} breaks an invariant",
        f"  invariant: {invariant if is_numbered else 'honest validators accept one another'}",
        f"  what:      {what if is_numbered else text}",
        f"  replay:    {campaign.replay_command(outcome.seed)}",
        *(f"  {line}" for line in cause.splitlines()),
    ]


def report_lines(report: Report) -> list[str]:
    """What one seed did."""
    return [
        (
            f"seed {report.seed}, {report.profile}, {report.validators} validators,"
            f" liars: {report.byzantine}"
        ),
        (
            f"  {report.events} events, {report.height} blocks, highest round {report.max_round},"
            f" {report.transactions} transactions"
        ),
        (
            f"  {report.crashes} crashes, {report.faults} stops for a disk,"
            f" {report.evidence} proofs of double signing"
        ),
        (
            f"  calm until the first block is everywhere: {_in_d(report.recovery_ms)},"
            f" the last: {_in_d(report.calm_ms)}"
        ),
        *(f"  {line}" for line in _tally_lines(report.tally)),
        f"  no violation; trace {report.trace:08x}",
    ]


def _in_d(duration_ms: int) -> str:
    return f"{duration_ms / DELAY_BOUND_MS:.1f} D"


def summary_lines(campaign: Campaign, summary: Summary, seconds: float) -> list[str]:
    """What a run of seeds says at its end."""
    per_s = summary.schedules / max(seconds, 0.001)
    per_core_s = summary.schedules / max(summary.cpu_s, 0.001)
    kinds = sorted({str(report.byzantine) for report in summary.reports})
    speed = (
        f"{summary.schedules} schedules in {seconds:.1f} s: {per_s:.0f} schedules/s,"
        f" {per_core_s:.0f} per second of one core"
    )
    deeds = (
        f"{summary.total('events')} events, {summary.total('crashes')} crashes,"
        f" {summary.total('faults')} stops for a disk, {summary.total('evidence')} proofs of"
        f" double signing, liars: {', '.join(kinds)}"
    )
    lines = [speed, deeds, *_tally_lines(summary.tally)]
    for name, what in (("recovery_ms", "first"), ("calm_ms", "last")):
        p50, p99, highest = summary.delays(name)
        lines.append(
            f"calm until the {what} block is everywhere: p50 {p50:.1f} D, p99 {p99:.1f} D,"
            f" max {highest:.1f} D"
        )
    lines.append(f"{summary.stalls} stalls, {len(summary.violations)} violations")
    lines.append(f"trace {summary.trace:08x}")
    return lines


def _tally_lines(tally: Mapping[str, int]) -> list[str]:
    """What these seeds covered: faults, then lies by their number."""
    lies = sorted((int(name[1:].split()[0]), name) for name in tally if name in set(Behaviour))
    faults = sorted(set(tally) - {name for _, name in lies})
    told = [name for _, name in lies]
    return [
        f"{what}: " + ", ".join(f"{name} {tally[name]}" for name in names)
        for what, names in (("faults", faults), ("lies", told))
        if names
    ]


def commit() -> str:
    """Which code this was, if the repository can tell."""
    root = Path(__file__).parents[2]
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=10"],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m tests.fuzz --target NAME --seconds S [--seed N]`: fuzz for as long as you like.

Inputs that get a wrong answer are written to tests/fuzz/regressions and from then on tried by
every test run.
"""

import argparse
import logging
import sys
import warnings
from collections.abc import Sequence

from tests.fuzz.engine import ACCEPTED, REGRESSIONS, Finding, FuzzTarget, Report, run
from tests.fuzz.registry import TARGETS, target_named
from tests.support.command_line import positive_seconds

SECONDS_DEFAULT = 60.0
FINDINGS_MAX = 5


def main(arguments: Sequence[str]) -> int:
    """Status 1 when something was found."""
    options = _parser().parse_args(arguments)
    warnings.simplefilter("error")  # as in the test suite
    logging.disable(logging.CRITICAL)
    if options.list:
        for target in TARGETS:
            print(f"{target.name:<28} {target.about}")
        return 0
    chosen = TARGETS if options.target is None else [options.target]
    found = 0
    for target in chosen:
        report = run(target, seed=options.seed, seconds=options.seconds, findings_max=FINDINGS_MAX)
        _print_report(report, show_answers=options.answers)
        found += len(report.findings)
        for finding in report.findings:
            _keep(target, finding)
    return 1 if found else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--target", type=_target, metavar="NAME", help="one that --list shows")
    parser.add_argument(
        "--seconds", type=positive_seconds, default=SECONDS_DEFAULT, help="for each target"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--list", action="store_true", help="print the targets and end")
    parser.add_argument("--answers", action="store_true", help="print every kind of answer")
    return parser


def _target(name: str) -> FuzzTarget:
    if all(target.name != name for target in TARGETS):
        raise argparse.ArgumentTypeError(f"there is no target {name!r}; --list shows all")
    return target_named(name)


def _print_report(report: Report, *, show_answers: bool) -> None:
    accepted = report.answers[ACCEPTED]
    print(
        f"{report.target:<28} {report.inputs:>8} inputs  {accepted:>8} accepted  "
        f"{len(report.answers):>4} kinds of answer  slowest {report.slowest_ms:5.1f} ms  "
        f"{len(report.findings)} findings",
        flush=True,
    )
    if show_answers:
        for answer, count in report.answers.most_common():
            print(f"    {count:>8}  {answer}")


def _keep(target: FuzzTarget, finding: Finding) -> None:
    folder = REGRESSIONS / target.name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / finding.file_name
    path.write_bytes(finding.data)
    print(f"    {finding.problem}\n    input of {len(finding.data)} bytes kept in {path}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

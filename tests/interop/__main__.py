# ruff: noqa: T201 - a command prints
"""`tests/interop/run`: other projects' suites against our peers, and a table of what passed."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.interop.fv_suite import run_functional_tests
from tests.interop.peer_cli_suite import run_peer_commands
from tests.interop.registry_suites import run_registry_suites
from tests.interop.scenario_suite import SUITE, TOKEN_SUITE, run_scenarios
from tests.interop.workshop import Counted, SuiteError, Workshop

DESCRIPTION = """\
Runs what the machine's registries of packages give. The other suites need a checkout of their
project, or its programs, on this machine; without the option for them they are named as not run.
"""
NEED_PATHS = {
    "scenario": ((SUITE, TOKEN_SUITE), "--scenario CHECKOUT"),
    "fv": (("Node chaincode tests",), "--fv CHECKOUT"),
    "peer": (("Fabric's peer command",), "--peer RELEASE"),
}
"""Option: the suites it adds, and how it is given."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suites there are; 0 when every part of those that ran passed."""
    options = _parser().parse_args(arguments)
    counted: list[Counted] = []
    with tempfile.TemporaryDirectory(prefix="gridledger-interop-") as temporary:
        folder: Path = options.keep or Path(temporary)
        for name, run in _suites(options):
            try:
                counted += run(Workshop(folder.resolve() / name))
            except SuiteError as error:
                print(error, file=sys.stderr)
                counted.append(Counted(name, 0, 1, ("it did not run",)))
    counted += not_run(options)
    print(table(counted))
    return 0 if all(one.passed == one.total for one in counted) else 1


def _suites(
    options: argparse.Namespace,
) -> Iterator[tuple[str, Callable[[Workshop], list[Counted]]]]:
    yield "registries", run_registry_suites
    if options.scenario:
        features = tuple(options.feature)
        yield "scenario", lambda shop: run_scenarios(options.scenario, shop, features=features)
    if options.fv:
        yield "fv", lambda shop: [run_functional_tests(options.fv, shop)]
    if options.peer:
        yield "peer", lambda shop: [run_peer_commands(options.peer, shop)]


def not_run(options: argparse.Namespace) -> list[Counted]:
    """The suites whose path was not given."""
    return [
        Counted(suite, 0, 0, needs=words)
        for option, (suites, words) in NEED_PATHS.items()
        if not getattr(options, option)
        for suite in suites
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests/interop/run", description=DESCRIPTION)
    parser.add_argument(
        "--scenario", type=Path, metavar="CHECKOUT", help="of fabric-gateway: client scenarios"
    )
    parser.add_argument(
        "--feature", action="append", default=[], metavar="NAME", help="only these scenarios"
    )
    parser.add_argument(
        "--fv",
        type=Path,
        metavar="CHECKOUT",
        help="of fabric-chaincode-node: its functional tests",
    )
    parser.add_argument(
        "--peer", type=Path, metavar="RELEASE", help="Fabric's binaries: its `peer` command"
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="work there and keep it")
    return parser


def table(counted: Sequence[Counted]) -> str:
    """One line for each suite: name, passed, total, what failed or what it needs to run."""
    width = max(len(one.suite) for one in counted)
    lines = [f"{'suite':<{width}} {'passed':>7} {'total':>6}"]
    for one in counted:
        went = f"not run: needs {one.needs}" if one.needs else f"{one.passed:>7} {one.total:>6}"
        lines.append(f"{one.suite:<{width}} {went}")
        lines += [f"    failed: {name}" for name in one.failures]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

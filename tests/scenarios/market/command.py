"""`gridledger scenario`: narrated runs on the test ledger, measured by documented figures."""

import argparse
import sys
from collections.abc import Callable, Sequence

from tests.scenarios.market.narration import Differs, Story
from tests.scenarios.market.scenarios import SCENARIOS

EXIT_DIFFERS = 1
EXIT_USAGE = 2
DESCRIPTION = """\
Runs one scenario of the market and tells it step by step. No network is needed: the shipped
contracts run on a ledger in memory, with the peers' own simulator and validator. A line that
begins with = is a figure the source documents give, or that follows from them by hand; the
command fails if the run has another one.
"""


def main(arguments: Sequence[str], write: Callable[[str], object] = sys.stdout.write) -> int:
    """Status 0 when every figure is the documented one, 1 otherwise, 2 for an unknown name."""

    def say(line: str) -> None:
        write(line + "\n")

    name = _parser().parse_args(arguments).name
    if name is None:
        say(listing())
        return 0
    if name not in SCENARIOS:
        sys.stderr.write(f"gridledger scenario: there is none called {name!r}\n{listing()}\n")
        return EXIT_USAGE
    return tell(name, say)


def tell(name: str, say: Callable[[str], None]) -> int:
    """Run one scenario and say what happens."""
    scenario = SCENARIOS[name]
    story = Story(say)
    say(f"{name}: {scenario.title}\n")
    try:
        scenario.run(story)
    except Differs as difference:
        say(f"\nDIFFERS: {difference}")
        return EXIT_DIFFERS
    say(f"\n{len(story.figures)} figures as expected, {len(story.refusals)} kinds of refusal.")
    return 0


def listing() -> str:
    """The names, one a line."""
    lines = [f"  {name:<18} {scenario.title}" for name, scenario in SCENARIOS.items()]
    return "\n".join(["scenarios:", *lines])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gridledger scenario",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=listing(),
    )
    parser.add_argument("name", nargs="?", help="which one; without a name they are listed")
    return parser

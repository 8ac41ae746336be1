"""`gridledger timetable MEMBER`: run the market's timetable on a member's machine."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from network.arguments import whole_number
from network.commands.member import add_plan_option, run_action
from network.commands.member_process import become, prepare_process

NAME = "scheduler"
POLL_MS_MIN, POLL_MS_MAX = 50, 3_600_000


def main(arguments: Sequence[str]) -> int:
    """Write the settings, with a certificate at the first time, and become the process."""
    parser = argparse.ArgumentParser(
        prog="gridledger timetable",
        description="Opens, closes, clears and settles listings when they are due. Any member"
        " may run one; the community's manager names who (`registry:configure`).",
    )
    add_plan_option(parser)
    parser.add_argument("member", help="whose scheduler it is, by its id in the plan")
    parser.add_argument("--chaincode", default="energy", help="(energy)")
    parser.add_argument(
        "--poll-ms",
        type=whole_number(POLL_MS_MIN, POLL_MS_MAX),
        default=1000,
        help="how often it looks (1000)",
    )
    parser.add_argument(
        "--write-only", action="store_true", help="write the settings and do not start"
    )
    options = parser.parse_args(arguments)

    def act() -> int:
        settings = prepare(options.plan, options.member, options.chaincode, options.poll_ms)
        sys.stdout.write(f"{settings}\n")
        return 0 if options.write_only else become("gateway.timetable.server", settings)

    return run_action("timetable", act)


def prepare(plan_file: Path, member_id: str, chaincode: str, poll_ms: int) -> Path:
    """The settings file of a member's scheduler; its certificate is issued once."""
    return prepare_process(
        plan_file,
        member_id,
        chaincode=chaincode,
        role=NAME,
        file_name="timetable.json",
        more={"poll_ms": poll_ms},
    )

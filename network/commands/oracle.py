"""`gridledger oracle MEMBER`: run a member's oracle."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from network.commands.member import add_plan_option, run_action
from network.commands.member_process import become, prepare_process

NAME = "oracle"
RUN_LOG = "oracle.jsonl"
"""Beside the settings."""
WH_PER_KWH = 1_000
UTOKEN_PER_TOKEN = 1_000_000


def main(arguments: Sequence[str]) -> int:
    """Write the settings, with a certificate at the first time, and become the process."""
    parser = argparse.ArgumentParser(
        prog="gridledger oracle",
        description="Answers what the ledger asks of this member. The community's manager names"
        " the members that are asked (`oracle:name_panel`).",
    )
    add_plan_option(parser)
    parser.add_argument("member", help="whose oracle it is, by its id in the plan")
    parser.add_argument("--chaincode", default="energy", help="(energy)")
    parser.add_argument(
        "--hems", metavar="URL", help="gateway that answers /battery-soc and /smartmeter"
    )
    parser.add_argument(
        "--hems-token", type=Path, metavar="FILE", help="holds one of its `oracle_tokens`"
    )
    parser.add_argument(
        "--price",
        metavar="URL",
        help='answers {"value": tokens per kWh}; {subject} stands for the price series',
    )
    parser.add_argument(
        "--write-only", action="store_true", help="write the settings and do not start"
    )
    options = parser.parse_args(arguments)
    if not options.hems and not options.price:
        parser.error("give --hems, --price or both: what should it ask?")

    def act() -> int:
        token = options.hems_token.read_text("ascii").strip() if options.hems_token else ""
        jobs = jobs_for(hems=options.hems, token=token, price=options.price)
        settings = prepare(options.plan, options.member, options.chaincode, jobs)
        sys.stdout.write(f"{settings}\n")
        return 0 if options.write_only else become("gateway.oracle.server", settings)

    return run_action("oracle", act)


def jobs_for(*, hems: str | None, token: str, price: str | None) -> list[dict[str, Any]]:
    """The jobs of an oracle's settings (docs/oracle.md)."""
    jobs: list[dict[str, Any]] = []
    if hems:
        for kind, path in (("battery_soc", "battery-soc"), ("smartmeter", "smartmeter")):
            url = f"{hems.rstrip('/')}/{path}/{{subject}}?at_ms={{at_ms}}"
            jobs.append({"kind": kind, "url": url, "token": token, "times": WH_PER_KWH})
    if price:
        jobs.append({"kind": "price", "url": price, "times": UTOKEN_PER_TOKEN})
    return jobs


def prepare(plan_file: Path, member_id: str, chaincode: str, jobs: list[dict[str, Any]]) -> Path:
    """The settings file of a member's oracle; its certificate is issued once."""
    return prepare_process(
        plan_file,
        member_id,
        chaincode=chaincode,
        role=NAME,
        file_name="oracle.json",
        more={"jobs": jobs, "run_log": RUN_LOG},
    )

"""`gridledger oracle MEMBER`: run a member's oracle."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from network.arguments import whole_number
from network.commands.member import add_plan_option, run_action
from network.commands.member_process import become, prepare_process

NAME = "oracle"
RUN_LOG = "oracle.jsonl"
"""Beside the settings."""
MINUTE_MS = 60_000
WH_PER_KWH = 1_000
UTOKEN_PER_TOKEN = 1_000_000


def main(arguments: Sequence[str]) -> int:
    """Write the settings, with a certificate at the first time, and become the process."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not (options.hems or options.price or options.database):
        parser.error("give --hems, --database or --price: what should it ask?")

    def act() -> int:
        token = options.hems_token.read_text("ascii").strip() if options.hems_token else ""
        settings = prepare(
            options.plan,
            options.member,
            options.chaincode,
            jobs_for(hems=options.hems, token=token, price=options.price),
            reports=reports_from(
                hems=options.hems,
                token=token,
                database=options.database,
                every_minutes=options.every_minutes,
            ),
            ca=options.hems_ca,
        )
        sys.stdout.write(f"{settings}\n")
        return 0 if options.write_only else become("gateway.oracle.server", settings)

    return run_action("oracle", act)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gridledger oracle",
        description="Reports what the meters measured at the end of every hour, and answers what"
        " the ledger asks of this member. The community's manager names whose oracles count"
        " (`registry:configure`), and whose are asked (`oracle:name_panel`).",
    )
    add_plan_option(parser)
    parser.add_argument("member", help="whose oracle it is, by its id in the plan")
    parser.add_argument("--chaincode", default="energy", help="(energy)")
    _add_sources(parser)
    parser.add_argument(
        "--every-minutes",
        type=whole_number(1, 24 * 60),
        default=60,
        metavar="N",
        help="which readings are reported: those at the ends of so many minutes (60)",
    )
    parser.add_argument(
        "--write-only", action="store_true", help="write the settings and do not start"
    )
    return parser


def _add_sources(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--hems",
        metavar="URL",
        help="gateway with the devices: readings, /battery-soc and /smartmeter",
    )
    parser.add_argument(
        "--hems-token", type=Path, metavar="FILE", help="holds one of its `oracle_tokens`"
    )
    parser.add_argument(
        "--hems-ca",
        type=Path,
        metavar="FILE",
        help="certificate of its authority, if the system does not know it",
    )
    parser.add_argument(
        "--database",
        metavar="URL",
        help="take the readings from the database of the own gateway instead",
    )
    parser.add_argument(
        "--price",
        metavar="URL",
        help='answers {"value": tokens per kWh}; {subject} stands for the price series',
    )


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


def reports_from(
    *, hems: str | None, token: str, database: str | None, every_minutes: int
) -> dict[str, Any] | None:
    """Where an oracle takes signed readings from, and which; None: it reports none."""
    every = {"every_ms": every_minutes * MINUTE_MS}
    if database:
        return {"database": database} | every
    return {"gateway": hems, "token": token} | every if hems else None


def prepare(
    plan_file: Path,
    member_id: str,
    chaincode: str,
    jobs: list[dict[str, Any]],
    *,
    reports: dict[str, Any] | None = None,
    ca: Path | None = None,
) -> Path:
    """The settings file of a member's oracle; its certificate is issued once."""
    more: dict[str, Any] = {"jobs": jobs, "run_log": RUN_LOG}
    if reports:
        more["reports"] = reports
    if ca:
        more["ca"] = str(ca.resolve(strict=True))
    return prepare_process(
        plan_file,
        member_id,
        chaincode=chaincode,
        role=NAME,
        file_name="oracle.json",
        more=more,
    )

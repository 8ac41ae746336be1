"""`gridledger timetable MEMBER`: run the market's timetable on a member's machine."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from network.arguments import whole_number
from network.creation import member_authority, write_pair
from network.layout import Credential, NetworkLayout, write_replacing
from network.lifecycle import require_network
from network.member_command import add_plan_option, run_action
from network.plan import MemberPlan, Plan, load_plan

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
        return 0 if options.write_only else _run(settings)

    return run_action("timetable", act)


def prepare(plan_file: Path, member_id: str, chaincode: str, poll_ms: int) -> Path:
    """The settings file of a member's scheduler; its certificate is issued once."""
    plan = load_plan(plan_file)
    layout = require_network(plan)
    member = plan.member(member_id)
    place = layout.member(member.id).user(NAME)
    if not place.certificate.exists():
        _issue(plan, layout, member, place)
    settings = layout.member(member.id).root / "timetable.json"
    content = {
        "ledger": {
            "channel_id": plan.channel_id,
            "chaincode": chaincode,
            "tls_ca": str(layout.tls_ca_bundle),
            "peers": [{"mspid": member.mspid, "address": member.address}],
        },
        "identity": {
            "mspid": member.mspid,
            "certificate": str(place.certificate),
            "key": str(place.key),
        },
        "poll_ms": poll_ms,
    }
    write_replacing(settings, json.dumps(content, indent=1).encode())
    return settings


def _issue(plan: Plan, layout: NetworkLayout, member: MemberPlan, place: Credential) -> None:
    authority = member_authority(plan, member.id, layout)
    now = datetime.now(tz=UTC)
    write_pair(place, authority.issue_client(f"{NAME}.{member.id}", {"role": NAME}, now=now))


def _run(settings: Path) -> int:
    """Become the process: signals reach it as they are."""
    sys.stdout.flush()
    command = [sys.executable, "-m", "gateway.timetable_server", "--config", str(settings)]
    os.execv(sys.executable, command)  # noqa: S606 - our own module

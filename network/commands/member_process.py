"""What a member's own process beside its peer is told: the peer, and an identity made once."""

import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from network.certificates.credentials import member_authority, write_pair
from network.layout import Credential, NetworkLayout, write_replacing
from network.plan import MemberPlan, Plan, load_plan
from network.running.lifecycle import require_network


def prepare_process(
    plan_file: Path,
    member_id: str,
    *,
    chaincode: str,
    role: str,
    file_name: str,
    more: Mapping[str, Any],
) -> Path:
    """Write the settings of a process in a member's folder; returns the file.

    `role` names its certificate and stands in it; it is issued the first time. `more` is added to
    the parts `ledger` and `identity`.
    """
    plan = load_plan(plan_file)
    layout = require_network(plan)
    member = plan.member(member_id)
    place = layout.member(member.id).user(role)
    if not place.certificate.exists():
        _issue(plan, layout, member, place, role)
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
        **more,
    }
    settings = layout.member(member.id).root / file_name
    write_replacing(settings, json.dumps(content, indent=1).encode())
    return settings


def become(module: str, settings: Path) -> int:
    """Become the process: signals reach it as they are."""
    sys.stdout.flush()
    command = [sys.executable, "-m", module, "--config", str(settings)]
    os.execv(sys.executable, command)  # noqa: S606 - our own module


def _issue(
    plan: Plan, layout: NetworkLayout, member: MemberPlan, place: Credential, role: str
) -> None:
    authority = member_authority(plan, member.id, layout)
    now = datetime.now(tz=UTC)
    write_pair(place, authority.issue_client(f"{role}.{member.id}", {"role": role}, now=now))

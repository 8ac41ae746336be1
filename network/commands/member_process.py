"""What a member's own process beside its peer is told: the peer, and an identity made once."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from network.certificates.credentials import member_authority, write_pair
from network.layout import NetworkLayout, write_replacing
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
    place = member_place(plan_file, member_id)
    content = {
        "ledger": place.ledger(chaincode),
        "identity": place.identity(role, role=role),
        **more,
    }
    settings = place.folder / file_name
    write_replacing(settings, json.dumps(content, indent=1).encode())
    return settings


@dataclass(frozen=True, slots=True)
class MemberPlace:
    """A member of a network on this machine: its folder, and what its processes are told."""

    plan: Plan
    layout: NetworkLayout
    member: MemberPlan

    @property
    def folder(self) -> Path:
        """Where the member's settings are."""
        return self.layout.member(self.member.id).root

    def ledger(self, chaincode: str) -> dict[str, Any]:
        """The part `ledger`: the member's own peer."""
        return {
            "channel_id": self.plan.channel_id,
            "chaincode": chaincode,
            "tls_ca": str(self.layout.tls_ca_bundle),
            "peers": [{"mspid": self.member.mspid, "address": self.member.address}],
        }

    def identity(self, name: str, *, role: str) -> dict[str, str]:
        """A part that names an identity; it is issued the first time, with the role in it."""
        place = self.layout.member(self.member.id).user(name)
        if not place.certificate.exists():
            authority = member_authority(self.plan, self.member.id, self.layout)
            now = datetime.now(tz=UTC)
            common_name = f"{name}.{self.member.id}"
            write_pair(place, authority.issue_client(common_name, {"role": role}, now=now))
        return {
            "mspid": self.member.mspid,
            "certificate": str(place.certificate),
            "key": str(place.key),
        }


def member_place(plan_file: Path, member_id: str) -> MemberPlace:
    """The member by its id in the plan; `PlanError`, `LifecycleError` where there is none."""
    plan = load_plan(plan_file)
    return MemberPlace(plan, require_network(plan), plan.member(member_id))


def become(module: str, settings: Path) -> int:
    """Become the process: signals reach it as they are."""
    sys.stdout.flush()
    command = [sys.executable, "-m", module, "--config", str(settings)]
    os.execv(sys.executable, command)  # noqa: S606 - our own module

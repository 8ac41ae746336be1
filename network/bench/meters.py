"""`gridledger bench meters`: a network and a broker's certificate for `gateway.measuring.meters`.

A fresh four-validator network runs beside it, where the gateway's oracle anchors what it stores.
Counted as the gateway's share of a core are its process and the broker's; what the validators and
their contract processes took over the whole run is told by itself.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from network.bench.trial_households import CHAINCODE, TrialHouseholds, submitting
from network.certificates.authority import MemberAuthority
from network.certificates.credentials import write_pair
from network.chaincode.planned import commit_definitions
from network.founding.creation import create_network
from network.founding.throwaway import throwaway_plan
from network.layout import NetworkLayout
from network.plan import Plan, load_plan
from network.progress import step
from network.running.clients import connect, wait_everywhere
from network.running.lifecycle import LifecycleError, down, up, validator_pids
from network.running.process_usage import spending
from network.running.processes import ProcessError

EXIT_FAILED = 1
SBIN = "/usr/sbin:/usr/local/sbin:/sbin"
"""Where Debian puts daemons, off a user's path."""


def main(arguments: Sequence[str]) -> int:
    """Measure in a folder of its own; 1 when mosquitto is missing or a goal is missed."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path=SBIN)
    if program is None:
        return _failed("mosquitto is missing (apt install mosquitto)")
    with tempfile.TemporaryDirectory(prefix="gridledger-meters-") as name:
        folder = Path(name)
        _write_broker_certificate(folder)
        path = folder / "network.toml"
        text = throwaway_plan("bench-meters")
        path.write_text(text, encoding="utf-8")
        plan = load_plan(path)
        layout = create_network(plan, text, now=datetime.now(tz=UTC))
        try:
            step("starting four validators")
            up(plan)
            uvloop.run(_prepare(plan, layout, folder))
            return _measure(plan, layout, folder, [*arguments, "--program", program])
        except (LifecycleError, ProcessError, OSError) as error:
            return _failed(str(error))
        finally:
            down(plan)


def _measure(plan: Plan, layout: NetworkLayout, folder: Path, arguments: Sequence[str]) -> int:
    step("meters")
    spent = spending(validator_pids(plan, layout))
    command = [sys.executable, "-m", "gateway.measuring.meters", str(folder), *arguments]
    status = subprocess.run(command, check=False).returncode  # noqa: S603 - our own module
    took = spent()
    share = 100 * took.cpu_s / took.wall_s
    print(
        f"four validators beside it: {share:.0f} % of one core over all {took.wall_s:.0f} s,"
        f" {took.cpu_s:.1f} s of CPU (not in the goal)"
    )
    return status


async def _prepare(plan: Plan, layout: NetworkLayout, folder: Path) -> None:
    """Contracts, staff, and `ledger.json` with the oracle of a member."""
    await commit_definitions(plan, layout)
    trial = TrialHouseholds(plan, layout, name="meters")
    client = connect(plan, plan.peers[0], layout)
    try:
        await wait_everywhere(plan, layout, await trial.configure(submitting(client)))
    finally:
        await client.close()
    place = layout.wallet("meters-oracle")
    write_pair(place, trial.oracle_pair)
    identity = {
        "mspid": trial.oracle.mspid,
        "certificate": str(place.certificate),
        "key": str(place.key),
    }
    content = {
        "peer": plan.peers[0].address,
        "tls_ca": str(layout.tls_ca_bundle),
        "channel_id": plan.channel_id,
        "chaincode": CHAINCODE,
        "identity": identity,
    }
    (folder / "ledger.json").write_text(json.dumps(content), encoding="utf-8")


def _write_broker_certificate(folder: Path) -> None:
    now = datetime.now(tz=UTC)
    authority = MemberAuthority.create("BenchMSP", "Bench", now=now)
    pair = authority.issue_tls("broker", now=now)
    (folder / "ca.crt").write_bytes(authority.tls.certificate_pem)
    (folder / "broker.crt").write_bytes(pair.certificate_pem)
    (folder / "broker.key").write_bytes(pair.key_pem)
    (folder / "broker.key").chmod(0o600)


def _failed(why: str) -> int:
    print(f"gridledger bench meters: {why}", file=sys.stderr)
    return EXIT_FAILED

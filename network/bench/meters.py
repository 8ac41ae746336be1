"""`gridledger bench meters`: the certificate of a broker, then `gateway.mqtt.bench_meters`."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from network.certificates.authority import MemberAuthority

EXIT_MISSING = 1
SBIN = "/usr/sbin:/usr/local/sbin:/sbin"
"""Where Debian puts daemons, off a user's path."""


def main(arguments: Sequence[str]) -> int:
    """Measure in a folder of its own; 1 when mosquitto is missing or a goal is missed."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path=SBIN)
    if program is None:
        print(
            "gridledger bench meters: mosquitto is missing (apt install mosquitto)",
            file=sys.stderr,
        )
        return EXIT_MISSING
    with tempfile.TemporaryDirectory(prefix="gridledger-meters-") as name:
        folder, now = Path(name), datetime.now(tz=UTC)
        authority = MemberAuthority.create("BenchMSP", "Bench", now=now)
        pair = authority.issue_tls("broker", now=now)
        (folder / "ca.crt").write_bytes(authority.tls.certificate_pem)
        (folder / "broker.crt").write_bytes(pair.certificate_pem)
        (folder / "broker.key").write_bytes(pair.key_pem)
        (folder / "broker.key").chmod(0o600)
        command = [sys.executable, "-m", "gateway.mqtt.bench_meters", name, "--program", program]
        return subprocess.run([*command, *arguments], check=False).returncode  # noqa: S603

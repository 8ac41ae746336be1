"""`gridledger broker MEMBER`: everything a mosquitto of a community needs, in one folder."""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ledger.crypto.certificates import load_x509
from network.arguments import whole_number
from network.certificates.authority import KeyPair, MemberAuthority, host_name
from network.certificates.credentials import member_authority, read_pair
from network.commands.member import add_plan_option, run_action
from network.layout import PRIVATE_FOLDER_MODE, Credential, write_replacing
from network.plan import load_plan
from network.running.lifecycle import require_network

BROKER = "broker"
MOSQUITTO_PORT = 8883
RENEW_BEFORE = timedelta(days=30)
"""A certificate that ends sooner is made anew when the command is run."""
FOREIGN_KINDS = ("source", "tasmota", "shelly", "shelly1", "p1", "energy")
"""As `gateway.settings.ForeignDevices` has them; a test compares."""


def main(arguments: Sequence[str]) -> int:
    """Issue the certificate once, write configuration, rights and tokens; print how to start."""
    parser = argparse.ArgumentParser(
        prog="gridledger broker",
        description="Configuration, certificate, passwords and rights of a mosquitto. Run it again"
        " with all devices when there are new ones: tokens that exist stay, and who has one"
        " is named again or removed.",
    )
    add_plan_option(parser)
    parser.add_argument("member", help="whose authority vouches for the broker")
    parser.add_argument("--folder", type=Path, required=True, help="where to write")
    parser.add_argument("--community", required=True, help="as in the topics")
    parser.add_argument("--device", action="append", default=[], help="may be given again")
    about = (
        "IDgrid of a household that hears its notices, market and devices, and switches its"
        " approved plugs; may be given again"
    )
    parser.add_argument("--person", action="append", default=[], metavar="IDGRID", help=about)
    for kind in FOREIGN_KINDS:
        about = "a foreign device and its name in topics (docs/mqtt.md); may be given again"
        parser.add_argument(
            f"--{kind}", action="append", default=[], metavar="NAME=DEVICE", help=about
        )
    about = "who shall have no token any more; may be given again"
    parser.add_argument("--remove", action="append", default=[], metavar="NAME", help=about)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--name", action="append", default=[], help="host names it is reached by")
    port = whole_number(1, 65_535)
    parser.add_argument("--port", type=port, default=MOSQUITTO_PORT, help=f"({MOSQUITTO_PORT})")
    parser.add_argument(
        "--client-certificates", action="store_true", help="ask every client for a certificate"
    )
    options = parser.parse_args(arguments)
    return run_action("broker", lambda: _write(options))


def _certify(place: Credential, authority: MemberAuthority, hosts: Sequence[str]) -> None:
    """A certificate for these names, unless there is one that has them and lasts."""
    now = datetime.now(tz=UTC)
    is_there = place.certificate.exists() and place.key.exists()
    if is_there and not _is_outdated(read_pair(place), hosts, now):
        return
    pair = authority.issue_tls(BROKER, hosts, now=now)
    write_replacing(place.certificate, pair.certificate_pem)
    write_replacing(place.key, pair.key_pem)


def _is_outdated(pair: KeyPair, hosts: Sequence[str], now: datetime) -> bool:
    """Too old, without one of the names, or not of this key: the last writing broke off."""
    found = load_x509(pair.certificate_pem)
    key = load_pem_private_key(pair.key_pem, password=None)
    if key.public_key() != found.public_key():
        return True
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    ends = found.not_valid_after_utc
    return not {host_name(host) for host in hosts} <= set(names) or ends < now + RENEW_BEFORE


def _write(options: argparse.Namespace) -> int:
    folder = options.folder.absolute()
    folder.mkdir(mode=PRIVATE_FOLDER_MODE, parents=True, exist_ok=True)
    plan = load_plan(options.plan)
    layout = require_network(plan)
    authority = member_authority(plan, plan.member(options.member).id, layout)
    hosts = (options.host, *options.name, "localhost", "127.0.0.1")
    _certify(Credential(folder / "broker.crt", folder / "broker.key"), authority, hosts)
    write_replacing(folder / "ca.crt", authority.tls.certificate_pem)
    command = [sys.executable, "-m", "gateway.mqtt.mosquitto", str(folder)]
    command += ["--community", options.community, "--host", options.host]
    command += ["--port", str(options.port)]
    command += [word for device in options.device for word in ("--device", device)]
    command += [word for idgrid in options.person for word in ("--person", idgrid)]
    command += [word for name in options.remove for word in ("--remove", name)]
    for kind in FOREIGN_KINDS:
        command += [word for pair in getattr(options, kind) for word in (f"--{kind}", pair)]
    command += ["--client-certificates"] if options.client_certificates else []
    return subprocess.run(command, check=False).returncode

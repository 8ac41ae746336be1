"""A mosquitto for a community: its configuration, who may sign in, who may use which topic.

    python -m gateway.mqtt.mosquitto FOLDER --community val --device meter-01 --device node-1

writes `mosquitto.conf`, `passwords` and `rights` (both 0600) into FOLDER, where `broker.crt`,
`broker.key` and `ca.crt` lie already, and `tokens.json` (0600) with the tokens that are new; run
again it keeps those it knows. `issued.json` says when each token was made. `gridledger broker`
issues the certificate and calls this. What a reload does not disturb, `kill -HUP` makes mosquitto
read: passwords and rights.
"""

import argparse
import base64
import getpass
import json
import os
import secrets
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from chaincode.energy.idgrid import problem_with
from gateway.mqtt.adapters import foreign_access
from gateway.mqtt.broker_folder import ISSUED_FILE, issued_at
from gateway.mqtt.embedded_broker import new_token
from gateway.mqtt.topics import (
    GATEWAY,
    NAME,
    Access,
    gateway_access,
    meter_access,
    oracle_access,
    person_access,
)
from gateway.settings import ForeignDevices

PORT = 8883
MESSAGES_IN_FLIGHT_MAX = 2_000
"""More than the gateway takes in one batch."""
MESSAGES_QUEUED_MAX = 500_000
"""For the gateway while it is away: 2,000 meters at one reading per 10 s fill it in 41 minutes.
Mosquitto's default of 1,000 lost two thirds of a burst of 30,000."""
BYTES_QUEUED_MAX = 512 * 1024 * 1024
PACKET_BYTES_MAX = 16 * 1024
AUTOSAVE_S = 60
PASSWORD_ITERATIONS = 101
"""As mosquitto_passwd: tokens are 256 random bits, so more would only cost connects."""
_SALT_BYTES, _HASH_BYTES = 12, 64
_PRIVATE = 0o600
ORACLE = "oracle"
FOREIGN_KINDS = tuple(kind.name for kind in fields(ForeignDevices))
REMOVE_HELP = "who shall have no token any more; may be given again"
PERSON_HELP = (
    "IDgrid of a household that hears its notices, market and devices, and switches its"
    " approved plugs; may be given again"
)
NO_FOREIGN = ForeignDevices()
NOTHING = Access(publish=(), receive=())


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the broker listens; `asks_certificates`: devices sign in by certificate as well."""

    host: str = "127.0.0.1"
    port: int = PORT
    asks_certificates: bool = False


def configuration(folder: Path, listening: Listening) -> str:
    """The text of `mosquitto.conf`: TLS only, nobody unknown, nothing lost by a small queue."""
    files = {name: folder / name for name in ("ca.crt", "broker.crt", "broker.key")}
    lines = [
        f"listener {listening.port} {listening.host}",
        f"cafile {files['ca.crt']}",
        f"certfile {files['broker.crt']}",
        f"keyfile {files['broker.key']}",
        "tls_version tlsv1.2",
        f"require_certificate {'true' if listening.asks_certificates else 'false'}",
        "use_username_as_clientid true",
        "allow_anonymous false",
        f"password_file {folder / 'passwords'}",
        f"acl_file {folder / 'rights'}",
        "",
        f"max_inflight_messages {MESSAGES_IN_FLIGHT_MAX}",
        f"max_queued_messages {MESSAGES_QUEUED_MAX}",
        f"max_queued_bytes {BYTES_QUEUED_MAX}",
        f"max_packet_size {PACKET_BYTES_MAX}",
        "persistence true",
        f"persistence_location {folder}/",
        f"autosave_interval {AUTOSAVE_S}",
        "persistent_client_expiration 7d",
        # The gateway's audit counts failed logins by these lines.
        "connection_messages true",
        "log_type error",
        "log_type warning",
        "log_type notice",
        "log_dest stderr",
        "log_dest topic",
        # Started as root it would become a user who cannot read these files.
        f"user {getpass.getuser()}",
        "",
    ]
    return "\n".join(lines)


def password_line(user: str, token: str, salt: bytes) -> str:
    """A line of mosquitto's password file: PBKDF2 with SHA-512."""
    kdf = PBKDF2HMAC(SHA512(), _HASH_BYTES, salt, PASSWORD_ITERATIONS)
    salt_text, digest = (
        base64.b64encode(part).decode("ascii") for part in (salt, kdf.derive(token.encode()))
    )
    return f"{user}:$7${PASSWORD_ITERATIONS}${salt_text}${digest}"


def rights(access: Mapping[str, Access]) -> str:
    """Mosquitto's ACL file: each user its own topics and no other."""
    parts = []
    for user, granted in sorted(access.items()):
        parts.append(f"user {user}")
        parts += [f"topic write {topic}" for topic in granted.publish]
        parts += [f"topic read {topic}" for topic in granted.receive]
        parts.append("")
    return "\n".join(parts)


def access_of(
    community: str,
    devices: Sequence[str],
    foreign: ForeignDevices = NO_FOREIGN,
    people: Sequence[str] = (),
) -> dict[str, Access]:
    """Everybody's topics; raises ValueError for a name that cannot be one, or is two's."""
    strangers = foreign_access(foreign)
    if both := set(people) & {*devices, *strangers}:
        raise ValueError(f"{min(both)!r} is a device and a household")
    for name in (community, *devices, *strangers, *people):
        if not NAME.fullmatch(name) or name in {GATEWAY, ORACLE} - {community}:
            raise ValueError(f"{name!r} is no name of a community or device")
    access = {name: meter_access(community, name) for name in devices}
    access |= {idgrid: person_access(community, idgrid) for idgrid in people}
    access |= {GATEWAY: gateway_access(community), ORACLE: oracle_access(community)}
    for name, granted in strangers.items():
        access[name] = access.get(name, NOTHING).joined(granted)
        access[GATEWAY] = access[GATEWAY].joined(granted.reversed())
    return access


def write_broker(
    folder: Path,
    community: str,
    devices: Sequence[str],
    listening: Listening,
    foreign: ForeignDevices = NO_FOREIGN,
    people: Sequence[str] = (),
    removed: Sequence[str] = (),
) -> dict[str, str]:
    """Write the files of a broker; returns every user's token.

    Raises `ValueError` for a user of before who is neither named again nor in `removed`: with its
    token gone a node forgotten here would need a new image.
    """
    access = access_of(community, devices, foreign, people)
    known = _known_tokens(folder)
    if forgotten := sorted(known.keys() - access.keys() - set(removed)):
        raise ValueError(
            f"{', '.join(forgotten)}: not named, though with a token here: name again,"
            " or take the token away with --remove"
        )
    tokens = {user: known.get(user) or new_token() for user in sorted(access)}
    lines = [
        password_line(user, token, secrets.token_bytes(_SALT_BYTES))
        for user, token in tokens.items()
    ]
    before, now_ms = issued_at(folder), time.time_ns() // 1_000_000
    issued = {user: before.get(user, 0) if user in known else now_ms for user in tokens}
    _write(folder / ISSUED_FILE, json.dumps(issued, indent=1))
    _write(folder / "tokens.json", json.dumps(tokens, indent=1))
    _write(folder / "passwords", "\n".join(lines) + "\n")
    _write(folder / "rights", rights(access))
    _write(folder / "mosquitto.conf", configuration(folder, listening))
    return tokens


def main() -> int:
    """Write what the command line asks for; 1 and a sentence when it cannot be."""
    parser = argparse.ArgumentParser(prog="python -m gateway.mqtt.mosquitto")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--community", required=True)
    parser.add_argument("--device", action="append", default=[], help="may be given again")
    parser.add_argument("--person", action="append", default=[], help=PERSON_HELP)
    for kind in FOREIGN_KINDS:
        parser.add_argument(
            f"--{kind}",
            action="append",
            default=[],
            metavar="NAME=DEVICE",
            help="a device with topics of its own (docs/mqtt.md); may be given again",
        )
    parser.add_argument("--remove", action="append", default=[], metavar="NAME", help=REMOVE_HELP)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--client-certificates", action="store_true")
    options = parser.parse_args()
    listening = Listening(options.host, options.port, options.client_certificates)
    try:
        foreign = ForeignDevices(
            **{kind: _pairs(getattr(options, kind)) for kind in FOREIGN_KINDS}
        )
        write_broker(
            options.folder.absolute(),
            options.community,
            options.device,
            listening,
            foreign,
            _checked_people(options.person),
            options.remove,
        )
    except (OSError, ValueError) as error:
        sys.stderr.write(f"gridledger broker: {error}\n")
        return 1
    sys.stdout.write(f"mosquitto -c {options.folder.absolute() / 'mosquitto.conf'}\n")
    return 0


def _pairs(texts: Sequence[str]) -> dict[str, str]:
    """`NAME=DEVICE` by name; raises `ValueError` for one without `=`, or a name given twice."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, device = text.partition("=")
        if not equals:
            raise ValueError(f"{text!r} is not of the form NAME=DEVICE")
        if found.setdefault(name, device) != device:
            raise ValueError(f"{name!r} is given to {found[name]} and to {device}")
    return found


def _checked_people(idgrids: Sequence[str]) -> Sequence[str]:
    """The same; raises `ValueError` for a mistyped one: nobody would ever sign in as that."""
    for idgrid in idgrids:
        if problem := problem_with(idgrid):
            raise ValueError(f"{idgrid}: {problem}")
    return idgrids


def _known_tokens(folder: Path) -> dict[str, str]:
    try:
        content = (folder / "tokens.json").read_text(encoding="ascii")
    except FileNotFoundError:
        return {}
    return {str(user): str(token) for user, token in json.loads(content).items()}


def _write(path: Path, text: str) -> None:
    """Replace a file as a whole, readable by its owner only."""
    new = path.with_name(path.name + ".new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text)
    new.replace(path)


if __name__ == "__main__":
    sys.exit(main())

"""`gridledger gateway MEMBER`: run the gateway of a community on a member's machine."""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chaincode.energy.hours import HOUR_MS
from ledger.errors import GridledgerError
from network.certificates.gateway_tls import write_gateway_tls
from network.commands.broker import MOSQUITTO_PORT
from network.commands.member import add_plan_option, run_action
from network.commands.member_process import MemberPlace, become, member_place
from network.layout import write_new
from network.tokens import new_token

SETTINGS = "gateway.json"
AUTHORITY_SOCKET = "authority.sock"
ORACLE_TOKEN = "oracle.token"  # noqa: S105 - a file's name
GATEWAY_USER = "gateway"
"""At the broker, as `gridledger broker` names it."""
LOOPBACK_NAMES = ("127.0.0.1", "::1", "localhost")
ALL_ADDRESSES = ("0.0.0.0", "::")  # noqa: S104 - compared, not listened on


class GatewaySettingsError(GridledgerError):
    """Something the settings need is missing; the text says what, and how to get it."""


def main(arguments: Sequence[str]) -> int:
    """Write the settings at the first time, and become the process."""
    options = _parser().parse_args(arguments)

    def act() -> int:
        settings = options.plan.absolute().with_name(SETTINGS)
        if settings.exists():
            sys.stdout.write(f"{settings}\n")
        else:
            content = prepare(options, settings)
            sys.stdout.write(f"{settings}: written; yours to change\n")
            sys.stdout.write(_first_steps(content))
        return 0 if options.write_only else become("gateway.server", settings)

    return run_action("gateway", act)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gridledger gateway",
        description=f"Writes {SETTINGS} beside the plan, with keys and tokens, unless it is there;"
        " then runs the gateway with it, in the foreground until SIGTERM.",
    )
    add_plan_option(parser)
    parser.add_argument("member", help="whose gateway it is, by its id in the plan")
    parser.add_argument("--chaincode", default="energy", help="(energy)")
    parser.add_argument("--community", metavar="ID", help="as in the broker's topics")
    parser.add_argument("--name", help="what the pages call the community")
    parser.add_argument("--time-zone", default="UTC", metavar="ZONE", help="IANA name (UTC)")
    parser.add_argument("--host", help="address to listen on (the plan's)")
    parser.add_argument(
        "--tls-name",
        action="append",
        default=[],
        metavar="NAME",
        help="name or address people open; HTTPS with an authority of its own; may be given again",
    )
    parser.add_argument(
        "--broker", type=Path, metavar="FOLDER", help="of `gridledger broker`; without: no meters"
    )
    parser.add_argument("--broker-host", default="127.0.0.1", help="where it is (127.0.0.1)")
    parser.add_argument(
        "--broker-port", type=int, default=MOSQUITTO_PORT, help=f"({MOSQUITTO_PORT})"
    )
    parser.add_argument(
        "--write-only", action="store_true", help="write the settings and do not start"
    )
    return parser


def prepare(options: argparse.Namespace, settings: Path) -> dict[str, Any]:
    """Write the settings (0600), which must not exist; returns what is in them.

    Raises `GatewaySettingsError`, and what `member_place` raises.
    """
    if not options.community:
        raise GatewaySettingsError("the first time it needs --community ID, as in the topics")
    place = member_place(options.plan, options.member)
    folder = settings.parent
    host = options.host or place.plan.gateway_host
    content = {
        "host": host,
        "port": place.plan.gateway_port,
        "ledger": place.ledger(options.chaincode) | {"genesis": str(place.layout.genesis_block)},
        "identity": place.identity("gateway", role="auditor"),
        "community": {
            "id": options.community,
            "name": options.name or options.community,
            "hour_ms": HOUR_MS,
            "time_zone": options.time_zone,
        },
        "issuer_socket": str(folder / AUTHORITY_SOCKET),
        "links": [{"token": new_token(), "idgrid": "", "is_manager": True}],
        "watch_token": new_token(),
        "oracle_tokens": [_oracle_token(folder / ORACLE_TOKEN)],
    }
    if options.broker:
        content |= _metering(options, place)
    if options.tls_name or host not in LOOPBACK_NAMES:
        names = _names(options.tls_name, host)
        content["tls"] = write_gateway_tls(folder, names, now=datetime.now(tz=UTC))
        content["allowed_hosts"] = names
    write_new(settings, json.dumps(content, indent=1).encode(), private=True)
    return content


def _metering(options: argparse.Namespace, place: MemberPlace) -> dict[str, Any]:
    """The parts `mqtt` and `hems`: the broker, and the member's oracle, who anchors raw data."""
    folder = options.broker.absolute()
    try:
        token = json.loads((folder / "tokens.json").read_bytes())[GATEWAY_USER]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GatewaySettingsError(
            f"{folder} has no token for the gateway: `gridledger broker` writes it"
        ) from error
    return {
        "mqtt": {
            "host": options.broker_host,
            "port": options.broker_port,
            "ca": str(folder / "ca.crt"),
            "username": GATEWAY_USER,
            "token": token,
        },
        "hems": {
            "broker_folder": str(folder),
            "oracle": place.identity("oracle", role="oracle"),
        },
    }


def _names(given: list[str], host: str) -> list[str]:
    """What people call the gateway, the main name first."""
    names = list(dict.fromkeys((*given, *({host} - set(ALL_ADDRESSES)))))
    if not names:
        raise GatewaySettingsError(f"listening on {host} it needs --tls-name: what people open")
    return names


def _oracle_token(path: Path) -> str:
    """What members' oracles sign in with; made once, and kept in a file for them."""
    if not path.exists():
        write_new(path, new_token().encode(), private=True)
    return path.read_text(encoding="ascii").strip()


def _first_steps(content: dict[str, Any]) -> str:
    scheme = "https" if "tls" in content else "http"
    names = content.get("allowed_hosts") or [content["host"]]
    token = content["links"][0]["token"]
    return f"manager, once, within a day: {scheme}://{names[0]}:{content['port']}/login/{token}\n"

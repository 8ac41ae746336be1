"""The demo's identities and settings files: who issues which certificate, who is told what."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from chaincode.energy.idgrid import with_check_character
from network.certificates.authority import KeyPair, MemberAuthority
from network.certificates.credentials import member_authority, write_pair
from network.certificates.gateway_tls import write_gateway_tls
from network.demo.equipment import equipment_of, foreign_of
from network.layout import Credential, NetworkLayout, write_new
from network.plan import Plan
from network.tokens import new_token

COMMUNITY_ID, COMMUNITY_NAME = "fontana", "Fontana energy community"
IDGRID_PREFIX = "FON"
HOUSEHOLDS_MAX = 17
"""Homes in the data set."""
FIRST_DAY, LAST_DAY = date(2016, 8, 1), date(2017, 7, 30)
"""Of the data set, whole in the homes' zone."""
UTC_OFFSET_MINUTES = -7 * 60
CHAINCODE = "energy"
HOME_MEMBER = "cooperative"
HOME_THAT_SLEEPS = 3
"""An agent orders for it, with a key of its own; with fewer homes it is the last one."""
SILENT_AFTER_PERCENT = 100
"""Of a market hour, in which the demo's meters tell their values several times."""
LOOPBACK = "127.0.0.1"
PUSH_CONTACT = "mailto:demo@localhost"
"""Whom push services are told to write to; the demo has nobody, but no push goes out without."""
STAFF_MEMBERS = {
    "community_manager": "cooperative",
    "scheduler": "cooperative",
    "auditor": "municipality",
    "dso": "dso",
    "oracle": "dso",
    "notifier": "cooperative",
}
"""Which member employs which role; the same table goes onto the ledger."""


@dataclass(frozen=True, slots=True)
class DemoPorts:
    """Free ports for the broker and the mailbox."""

    broker: int
    mail: int


@dataclass(frozen=True, slots=True)
class HomeAutomation:
    """How the printed household's Home Assistant would reach the broker."""

    host: str
    port: int
    ca: Path
    user: str
    token: str


@dataclass(frozen=True, slots=True)
class DemoFiles:
    """What was written for the other processes, and the tokens of the printed links."""

    url: str
    gateway_settings: Path
    demo_settings: Path
    report: Path
    gateway_log: Path
    authority_socket: Path
    """Where the cooperative's authority certifies households for the gateway."""
    household_token: str
    manager_token: str
    mail_folder: Path
    """Where every mail of the gateway ends up, a file each."""
    home_automation: HomeAutomation


def idgrid_of(home: int) -> str:
    """IDgrid of a home of the data set."""
    return with_check_character(f"{IDGRID_PREFIX}-{home:04d}")


def household_label() -> str:
    """The household of the printed login link."""
    return idgrid_of(1)


def write_demo_files(
    plan: Plan,
    layout: NetworkLayout,
    *,
    folder: Path,
    households: int,
    hours: int,
    hour_ms: int,
    day: date | None,
    ports: DemoPorts,
    has_tls: bool,
    now: datetime,
) -> DemoFiles:
    """Issue every certificate and write both settings files (0600) into the folder."""
    files = _files_in(folder, plan, layout, ports, has_tls=has_tls)
    broker = Broker(port=ports.broker, token=new_token())
    common = {
        "ledger": _ledger(plan, layout),
        "community": _community(hour_ms),
    }
    authorities = {m.id: member_authority(plan, m.id, layout) for m in plan.members}
    gateway = _gateway_settings(plan, layout, authorities, files, broker, now=now)
    watching = new_token()
    gateway["links"].append({"token": watching, "idgrid": "", "is_manager": True})
    demo = _demo_settings(layout, authorities, files, broker, now=now)
    demo["households"] = homes = [
        _household(authorities[HOME_MEMBER], layout, home, now=now)
        | equipment_of(home, has_batteries=day is None)
        for home in range(1, households + 1)
    ]
    homes[0]["broker_token"] = files.home_automation.token
    asleep = homes[min(HOME_THAT_SLEEPS, households) - 1]
    asleep["agent"] = _agent(authorities[HOME_MEMBER], layout, asleep["idgrid"], now=now)
    demo["mailbox"] = {"port": ports.mail, "folder": str(files.mail_folder)}
    gateway["mail"] = _mail(ports.mail, demo["staff"]["notifier"])
    gateway["hems"] = _hems(hour_ms) | {
        "oracle": demo["staff"]["oracle"],
        "foreign": foreign_of(homes),
        "home_assistant": [files.home_automation.user],
    }
    if has_tls:
        gateway["tls"] = write_gateway_tls(folder, [plan.gateway_host], now=now)
        demo["gateway_ca"] = gateway["tls"]["ca"]
    _write(files.gateway_settings, common | gateway)
    run = {"hours": hours, "manager_link": watching} | ({"day": str(day)} if day else {})
    _write(files.demo_settings, common | demo | run)
    return files


def _files_in(
    folder: Path, plan: Plan, layout: NetworkLayout, ports: DemoPorts, *, has_tls: bool
) -> DemoFiles:
    return DemoFiles(
        url=f"{'https' if has_tls else 'http'}://{plan.gateway_host}:{plan.gateway_port}",
        gateway_settings=folder / "gateway.json",
        demo_settings=folder / "demo.json",
        report=folder / "report.json",
        gateway_log=folder / "gateway.log",
        authority_socket=folder / "authority.sock",
        household_token=new_token(),
        manager_token=new_token(),
        mail_folder=folder / "mail",
        home_automation=HomeAutomation(
            LOOPBACK, ports.broker, layout.tls_ca_bundle, household_label(), new_token()
        ),
    )


def _community(hour_ms: int) -> dict[str, Any]:
    return {
        "id": COMMUNITY_ID,
        "name": COMMUNITY_NAME,
        "hour_ms": hour_ms,
        "utc_offset_minutes": UTC_OFFSET_MINUTES,
    }


def _hems(hour_ms: int) -> dict[str, Any]:
    return {
        "interval_ms": hour_ms,
        "silent_after_ms": hour_ms * SILENT_AFTER_PERCENT // 100,
        "anchor_every_ms": hour_ms,
    }


def _mail(port: int, reader: dict[str, str]) -> dict[str, Any]:
    """Mail goes to the demo's own mailbox on this machine."""
    return {
        "host": LOOPBACK,
        "port": port,
        "sender": f"notices@{COMMUNITY_ID}.example",
        "starttls": False,
        "reader": reader,
    }


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the embedded broker will listen, and the gateway's token for it."""

    port: int
    token: str

    def address(self, layout: NetworkLayout) -> dict[str, Any]:
        """As a client's settings name it."""
        return {"host": LOOPBACK, "port": self.port, "ca": str(layout.tls_ca_bundle)}


def _gateway_settings(
    plan: Plan,
    layout: NetworkLayout,
    authorities: Mapping[str, MemberAuthority],
    files: DemoFiles,
    broker: Broker,
    *,
    now: datetime,
) -> dict[str, Any]:
    place, reader = layout.wallet("gateway"), {"role": "auditor"}
    return {
        "host": plan.gateway_host,
        "issuer_socket": str(files.authority_socket),
        "notices": {"allowed_networks": [f"{LOOPBACK}/32"], "contact": PUSH_CONTACT},
        "port": plan.gateway_port,
        "identity": _issued(authorities[HOME_MEMBER], place, "gateway", reader, now=now),
        "mqtt": broker.address(layout) | {"username": "gateway", "token": broker.token},
        "watch_token": new_token(),
        "links": [
            {"token": files.household_token, "idgrid": household_label(), "is_manager": False},
            {"token": files.manager_token, "idgrid": "", "is_manager": True},
        ],
    }


def _demo_settings(
    layout: NetworkLayout,
    authorities: Mapping[str, MemberAuthority],
    files: DemoFiles,
    broker: Broker,
    *,
    now: datetime,
) -> dict[str, Any]:
    tls = layout.wallet("broker-tls")
    write_pair(tls, authorities[HOME_MEMBER].issue_tls("broker", now=now))
    return {
        "gateway_url": files.url,
        "broker": broker.address(layout)
        | {
            "certificate": str(tls.certificate),
            "key": str(tls.key),
            "gateway_token": broker.token,
        },
        "staff": {
            role: _issued(authorities[member], layout.wallet(role), role, {"role": role}, now=now)
            for role, member in STAFF_MEMBERS.items()
        },
    }


def _household(
    authority: MemberAuthority, layout: NetworkLayout, home: int, *, now: datetime
) -> dict[str, Any]:
    idgrid = idgrid_of(home)
    attributes = {"role": "prosumer", "idgrid": idgrid}
    identity = _issued(authority, layout.wallet(idgrid), idgrid, attributes, now=now)
    return {"idgrid": idgrid, "home": home, "identity": identity}


def _agent(
    authority: MemberAuthority, layout: NetworkLayout, idgrid: str, *, now: datetime
) -> dict[str, str]:
    """The key of a household's agent; the ledger learns what it may do."""
    name = f"{idgrid}-agent"
    attributes = {"role": "prosumer", "idgrid": idgrid}
    return _issued(authority, layout.wallet(name), name, attributes, now=now)


def _issued(
    authority: MemberAuthority,
    place: Credential,
    name: str,
    attributes: Mapping[str, str],
    *,
    now: datetime,
) -> dict[str, str]:
    """A new client identity on disk, as the settings files name it."""
    pair: KeyPair = authority.issue_client(name, attributes, now=now)
    write_pair(place, pair)
    return {
        "mspid": authority.mspid,
        "certificate": str(place.certificate),
        "key": str(place.key),
    }


def _ledger(plan: Plan, layout: NetworkLayout) -> dict[str, Any]:
    return {
        "channel_id": plan.channel_id,
        "chaincode": CHAINCODE,
        "tls_ca": str(layout.tls_ca_bundle),
        "genesis": str(layout.genesis_block),
        "peers": [{"mspid": m.mspid, "address": m.address} for m in plan.members],
    }


def _write(path: Path, content: dict[str, Any]) -> None:
    write_new(path, json.dumps(content, indent=1).encode(), private=True)

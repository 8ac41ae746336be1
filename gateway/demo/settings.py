"""What `gridledger demo` tells the process of its people (`demo.json`)."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from gateway.settings import (
    CommunitySettings,
    ForeignDevices,
    IdentityFiles,
    LedgerSettings,
    identity_from,
    ledger_from,
)
from gateway.strict_json import parse_strictly

PLUG_KINDS = ("tasmota", "shelly")


@dataclass(frozen=True, slots=True)
class PlugSettings:
    """A shop-bought plug: the device on the ledger, and its own name in topics."""

    device: str
    kind: str
    """One of `PLUG_KINDS`."""
    name: str


@dataclass(frozen=True, slots=True)
class HouseholdSettings:
    """One household of the demo: its identity, the home it replays, and its equipment."""

    idgrid: str
    home: int
    identity: IdentityFiles
    pv_meter: str = ""
    """A meter of its own at the solar panels; empty: there is none."""
    battery: str = ""
    """The battery at its connection; empty: there is none."""
    plugs: tuple[PlugSettings, ...] = ()
    broker_token: str = ""
    """Of its home automation at the broker; empty: it has none."""
    agent: IdentityFiles | None = None
    """Orders for it while it sleeps; none: it orders itself."""

    @property
    def meter(self) -> str:
        """The meter at its connection."""
        return f"meter-{self.home:02d}"

    @property
    def devices(self) -> list[str]:
        """Those that speak our own topics: meters and battery."""
        return [name for name in (self.meter, self.pv_meter, self.battery) if name]


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """The embedded broker."""

    host: str
    port: int
    certificate: Path
    key: Path
    ca: Path
    gateway_token: str


@dataclass(frozen=True, slots=True)
class MailboxSettings:
    """Where the gateway hands its mail: a port of this machine, and the folder it ends up in."""

    port: int
    folder: Path


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """Everything `python -m gateway.demo_runner` needs."""

    gateway_url: str
    ledger: LedgerSettings
    community: CommunitySettings
    broker: BrokerSettings
    staff: dict[str, IdentityFiles]
    """By role: community_manager, dso, oracle, scheduler, auditor, notifier."""
    households: tuple[HouseholdSettings, ...]
    hours: int
    manager_link: str
    """Token of a one-time login link: transfers and alarms are read as the manager."""
    mailbox: MailboxSettings
    day: date | None = None
    """Of the data set, to be replayed from midnight on and compared."""
    gateway_ca: Path | None = None
    """The gateway's own authority, if it speaks HTTPS."""

    @property
    def plugs(self) -> ForeignDevices:
        """All plugs, as the gateway's settings name them."""
        found = [plug for home in self.households for plug in home.plugs]
        by_kind = {
            kind: {plug.name: plug.device for plug in found if plug.kind == kind}
            for kind in PLUG_KINDS
        }
        return ForeignDevices(**by_kind)


def load_demo_settings(path: Path) -> DemoSettings:
    """Read the demo's file; a wrong one raises `ValueError`, `KeyError` or `TypeError`."""
    raw = parse_strictly(path.read_bytes())
    broker, mailbox = raw["broker"], raw["mailbox"]
    return DemoSettings(
        gateway_url=raw["gateway_url"],
        ledger=ledger_from(raw["ledger"]),
        community=CommunitySettings(**raw["community"]),
        broker=BrokerSettings(
            host=broker["host"],
            port=broker["port"],
            certificate=Path(broker["certificate"]),
            key=Path(broker["key"]),
            ca=Path(broker["ca"]),
            gateway_token=broker["gateway_token"],
        ),
        staff={role: identity_from(files) for role, files in raw["staff"].items()},
        households=tuple(_household(home) for home in raw["households"]),
        hours=raw["hours"],
        manager_link=raw["manager_link"],
        mailbox=MailboxSettings(port=mailbox["port"], folder=Path(mailbox["folder"])),
        day=date.fromisoformat(raw["day"]) if "day" in raw else None,
        gateway_ca=Path(raw["gateway_ca"]) if "gateway_ca" in raw else None,
    )


def _household(raw: dict[str, Any]) -> HouseholdSettings:
    parsed = {
        "identity": identity_from(raw["identity"]),
        "plugs": tuple(PlugSettings(**plug) for plug in raw.get("plugs", ())),
        "agent": identity_from(raw["agent"]) if "agent" in raw else None,
    }
    return HouseholdSettings(**(raw | parsed))

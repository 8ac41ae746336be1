"""What the gateway and the demo's community are told: JSON files, read into frozen settings.

Paths are absolute. The files name keys and hold tokens, so they have mode 0600.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.currency import Currencies, units_from
from gateway.hems.mirror_push import MirrorChannel
from gateway.hems.retention import Retention
from gateway.local_time import LocalTime, fixed, named
from gateway.mqtt.topics import NAME
from gateway.notices.mail import MailSettings
from gateway.notices.notice_settings import NoticeSettings
from gateway.notices.outside_http import Reach
from gateway.strict_json import parse_strictly
from ledger.crypto.signing import Signer, SigningIdentity

LOOPBACK_NAMES = ("127.0.0.1", "::1", "localhost")
SHARED_KEY_BYTES = 32
"""What a meter of tier A shares with its gateway (docs/mqtt.md)."""
DATABASE_FILE = "gateway.db"
"""Beside the gateway's settings, unless they name another database."""


@dataclass(frozen=True, slots=True)
class IdentityFiles:
    """A certificate and its key on disk."""

    mspid: str
    certificate: Path
    key: Path

    def load(self) -> SigningIdentity:
        """The identity, able to sign."""
        return SigningIdentity(
            self.mspid, self.certificate.read_bytes(), Signer(self.key.read_bytes())
        )


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """A peer to talk to."""

    mspid: str
    address: str


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """Which channel, through which peers."""

    channel_id: str
    chaincode: str
    tls_ca: Path
    peers: tuple[PeerAddress, ...]
    """In the order in which they are asked."""
    genesis: Path | None = None
    """The genesis block agreed on; without it block 0 is believed as it comes first."""


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """How a client reaches the broker: TLS with the given authority, user name and token."""

    host: str
    port: int
    ca: Path
    username: str
    token: str


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """HTTPS: certificate, key, and the authority that households add to their devices."""

    certificate: Path
    key: Path
    ca: Path
    trust_port: int | None = None
    """Where the trust page is served without HTTPS; None: nowhere."""


@dataclass(frozen=True, slots=True)
class ForeignDevices:
    """Devices with topics of their own, by kind: the name in the topic → the device."""

    source: dict[str, str] = field(default_factory=dict)
    """`{"p2p": "house-1"}`: the source documents' topics, a prefix per house."""
    tasmota: dict[str, str] = field(default_factory=dict)
    shelly: dict[str, str] = field(default_factory=dict)
    """Of generation 2 and later."""
    shelly1: dict[str, str] = field(default_factory=dict)
    """Of generation 1."""
    p1: dict[str, str] = field(default_factory=dict)
    """`{"p1-reader": "meter-3"}`: readers of smart meters that publish telegrams as they come."""
    energy: dict[str, str] = field(default_factory=dict)
    """`{"p2p": "old-oracle"}`: transfers are told on `p2p/energy`, where that user may publish."""

    def __post_init__(self) -> None:
        """Raise ValueError for a name that would be a wildcard or a level of a topic."""
        for kind in fields(self):
            names = getattr(self, kind.name)
            for name in (*names, *names.values()):
                if not NAME.fullmatch(name):
                    raise ValueError(f"{name!r} is no name of a device or in a topic")


@dataclass(frozen=True, slots=True)
class AttestingSettings:
    """Meters of tier A, whose readings this gateway attests with a key of its own."""

    key: Path
    """P-256 private key, PEM; its public half is registered for each of these meters."""
    secrets: Mapping[str, bytes] = field(repr=False)
    """What each of them shares with the gateway: `SHARED_KEY_BYTES`, hexadecimal in the file."""


@dataclass(frozen=True, slots=True)
class PlugService:
    """Where a plug's maker, or a bridge to it, answers for one plug."""

    url: str
    """Without a slash at the end; HTTPS, unless it is on this machine."""
    token: str = ""

    def __post_init__(self) -> None:
        """Raise ValueError for an address that would send the token in the clear."""
        parts = urlsplit(self.url)
        is_here = parts.scheme == "http" and parts.hostname in LOOPBACK_NAMES
        if not parts.hostname or not (parts.scheme == "https" or is_here):
            raise ValueError(f"the service of a plug needs https: {self.url!r}")


@dataclass(frozen=True, slots=True)
class HemsSettings:
    """The home energy data service; None stands for what follows from the market hour."""

    interval_ms: int | None = None
    """Between two readings of a meter."""
    silent_after_ms: int | None = None
    anchor_every_ms: int = 15 * 60_000
    oracle: IdentityFiles | None = None
    """The member's oracle, who puts anchors on the ledger; without it there are none."""
    attesting: AttestingSettings | None = None
    foreign: ForeignDevices = field(default_factory=ForeignDevices)
    plug_services: dict[str, PlugService] = field(default_factory=dict)
    """By device: plugs that speak no MQTT."""
    mirrors: dict[str, MirrorChannel] = field(default_factory=dict)
    """Cloud channels that get copies of the newest values, by name; none unless named."""
    home_assistant: tuple[str, ...] = ()
    """IDgrids of households whose Home Assistant is told how things stand."""
    broker_folder: Path | None = None
    """Where `gridledger broker` wrote, if the broker is on this machine: for the audit."""
    retention: Retention | None = None
    """How long raw data stays in the database; None: for ever."""
    buses: dict[str, str] = field(default_factory=dict)
    """Device → bus of its relays; empty: all nodes share one. In the file: bus → devices."""
    updates: dict[str, Path] = field(default_factory=dict)
    """Node → the `manifest.json` of the update it is offered (firmware/release.py)."""


@dataclass(frozen=True, slots=True)
class LoginLink:
    """A one-time login link."""

    token: str
    idgrid: str
    is_manager: bool


@dataclass(frozen=True, slots=True)
class CommunitySettings:
    """Name and clock of the community."""

    id: str
    """In MQTT topics."""
    name: str
    hour_ms: int
    """Real milliseconds per market hour."""
    utc_offset_minutes: int = 0
    """Of clocks that never change; counts without `time_zone`."""
    time_zone: str = ""
    """IANA name such as `America/Santiago`: days of 23 and 25 hours come with it."""

    def __post_init__(self) -> None:
        """`ValueError` for a zone nobody knows."""
        _ = self.local_time

    @property
    def local_time(self) -> LocalTime:
        """The community's clocks."""
        return named(self.time_zone) if self.time_zone else fixed(self.utc_offset_minutes)


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Everything `python -m gateway.server` needs."""

    host: str
    port: int
    ledger: LedgerSettings
    identity: IdentityFiles
    community: CommunitySettings
    mqtt: MqttSettings | None
    links: tuple[LoginLink, ...]
    database: str
    """URL: `sqlite:////path/gateway.db`, or `postgresql://…` for several gateways to share."""
    tls: TlsSettings | None = None
    """Required unless the gateway listens on this machine only or stands behind a TLS proxy."""
    issuer_socket: Path | None = None
    """Where `gridledger cert serve` listens; without it nobody is certified through the page."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses of reverse proxies, whose `X-Forwarded-For` and `X-Forwarded-Proto` count."""
    allowed_hosts: tuple[str, ...] = ()
    """Further names this gateway answers to, beside the address it listens on."""
    oracle_tokens: tuple[str, ...] = ()
    """Bearer tokens of the members' oracles, for `/battery-soc` and `/smartmeter`."""
    watch_token: str = field(default="", repr=False)
    """Of the operator's `gridledger top`: reads the community's devices; empty: there is none."""
    currencies: Currencies = field(default_factory=Currencies)
    """Units beside micro-tokens in which prices are shown."""
    terms: str = ""
    """What households agree to; empty: the pages' own short text. In the file: a path."""
    hems: HemsSettings = field(default_factory=HemsSettings)
    mail: MailSettings | None = None
    """Where notices are mailed; None: they are in the inbox only."""
    mail_reader: IdentityFiles | None = None
    """Of a `notifier`, who may read addresses in the private data; required with `mail`."""
    notices: NoticeSettings = field(default_factory=NoticeSettings)
    """Ways of notices beside the inbox and mail."""


def load_gateway_settings(path: Path) -> GatewaySettings:
    """Read the gateway's file; a wrong one raises `ValueError`, `KeyError` or `TypeError`."""
    raw = parse_strictly(path.read_bytes())
    tls = _tls(raw["tls"]) if raw.get("tls") else None
    if tls is None and not raw.get("behind_tls_proxy") and raw["host"] not in LOOPBACK_NAMES:
        raise ValueError(
            f"browsers make keys over HTTPS only: a gateway on {raw['host']} needs `tls`"
            " (gridledger cert tls), or `behind_tls_proxy`: true"
        )
    return GatewaySettings(
        host=raw["host"],
        tls=tls,
        port=raw["port"],
        ledger=ledger_from(raw["ledger"]),
        identity=identity_from(raw["identity"]),
        community=CommunitySettings(**raw["community"]),
        mqtt=_mqtt(raw["mqtt"]) if raw.get("mqtt") else None,
        links=tuple(LoginLink(**link) for link in raw.get("links", ())),
        database=str(raw.get("database", f"sqlite:///{path.absolute().with_name(DATABASE_FILE)}")),
        issuer_socket=Path(raw["issuer_socket"]) if "issuer_socket" in raw else None,
        trusted_proxies=tuple(str(name) for name in raw.get("trusted_proxies", ())),
        allowed_hosts=tuple(str(name) for name in raw.get("allowed_hosts", ())),
        oracle_tokens=tuple(str(token) for token in raw.get("oracle_tokens", ())),
        watch_token=str(raw.get("watch_token", "")),
        currencies=Currencies(units_from(raw["currencies"]))
        if "currencies" in raw
        else Currencies(),
        terms=Path(raw["terms"]).read_text(encoding="utf-8") if "terms" in raw else "",
        hems=_hems(raw.get("hems", {})),
        mail=_mail(raw["mail"]) if "mail" in raw else None,
        mail_reader=identity_from(raw["mail"]["reader"]) if "mail" in raw else None,
        notices=_notices(raw.get("notices", {}), path.absolute().parent),
    )


def ledger_from(raw: dict[str, Any]) -> LedgerSettings:
    """The part `ledger` of any of these files."""
    return LedgerSettings(
        channel_id=raw["channel_id"],
        chaincode=raw["chaincode"],
        tls_ca=Path(raw["tls_ca"]),
        peers=tuple(PeerAddress(**peer) for peer in raw["peers"]),
        genesis=Path(raw["genesis"]) if "genesis" in raw else None,
    )


def identity_from(raw: dict[str, Any]) -> IdentityFiles:
    """A part that names an identity's files."""
    return IdentityFiles(
        mspid=raw["mspid"], certificate=Path(raw["certificate"]), key=Path(raw["key"])
    )


def _tls(raw: dict[str, Any]) -> TlsSettings:
    return TlsSettings(
        certificate=Path(raw["certificate"]),
        key=Path(raw["key"]),
        ca=Path(raw["ca"]),
        trust_port=raw.get("trust_port"),
    )


def _hems(raw: dict[str, Any]) -> HemsSettings:
    oracle = identity_from(raw["oracle"]) if "oracle" in raw else None
    foreign = ForeignDevices(**raw.get("foreign", {}))
    attesting = _attesting(raw["attesting"]) if "attesting" in raw else None
    services = {name: PlugService(**one) for name, one in raw.get("plug_services", {}).items()}
    parsed = {
        "oracle": oracle,
        "foreign": foreign,
        "attesting": attesting,
        "plug_services": services,
        "mirrors": {n: MirrorChannel(**one) for n, one in raw.get("mirrors", {}).items()},
        "home_assistant": tuple(str(idgrid) for idgrid in raw.get("home_assistant", ())),
        "broker_folder": Path(raw["broker_folder"]) if "broker_folder" in raw else None,
        "retention": _retention(raw["retention"]) if "retention" in raw else None,
        "buses": _buses(raw.get("buses", {})),
        "updates": {name: Path(file) for name, file in raw.get("updates", {}).items()},
    }
    return HemsSettings(**(raw | parsed))


def _buses(raw: dict[str, list[str]]) -> dict[str, str]:
    """Device → bus; ValueError for a device on two."""
    found: dict[str, str] = {}
    for bus, devices in raw.items():
        for device in devices:
            if device in found:
                raise ValueError(f"{device} is on the buses {found[device]} and {bus}")
            found[device] = bus
    return found


def _retention(raw: dict[str, Any]) -> Retention:
    return Retention(keep_days=int(raw["keep_days"]), folder=Path(raw["folder"]))


def _attesting(raw: dict[str, Any]) -> AttestingSettings:
    secrets = {name: bytes.fromhex(secret) for name, secret in dict(raw["secrets"]).items()}
    for name, secret in secrets.items():
        if len(secret) != SHARED_KEY_BYTES:
            raise ValueError(f"the secret of {name} is not {SHARED_KEY_BYTES} bytes")
    return AttestingSettings(key=Path(raw["key"]), secrets=secrets)


def _mail(raw: dict[str, Any]) -> MailSettings:
    starttls = bool(raw.get("starttls", True))
    if not starttls and raw["host"] not in LOOPBACK_NAMES:
        raise ValueError(f"mail to {raw['host']} needs `starttls`")
    return MailSettings(
        host=raw["host"],
        port=int(raw["port"]),
        sender=raw["sender"],
        starttls=starttls,
        ca=Path(raw["ca"]) if "ca" in raw else None,
        username=str(raw.get("username", "")),
        password_file=Path(raw["password_file"]) if "password_file" in raw else None,
        language=str(raw.get("language", "en")),
    )


def _notices(raw: dict[str, Any], folder: Path) -> NoticeSettings:
    return NoticeSettings(
        key_folder=Path(raw.get("key_folder", folder)),
        language=str(raw.get("language", "en")),
        reach=Reach.of(raw.get("allowed_networks", ())),
        contact=str(raw.get("contact", "")),
        ca=Path(raw["ca"]) if "ca" in raw else None,
    )


def _mqtt(raw: dict[str, Any]) -> MqttSettings:
    return MqttSettings(
        host=raw["host"],
        port=raw["port"],
        ca=Path(raw["ca"]),
        username=raw["username"],
        token=raw["token"],
    )

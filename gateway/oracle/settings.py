"""What a member's oracle is told: `oracle.json`, read into frozen settings (docs/oracle.md)."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chaincode.energy.hours import DAY_MS, MINUTE_MS
from gateway.oracle.instants import Instants, ReportTimes
from gateway.oracle.job import JobSpec
from gateway.settings import IdentityFiles, LedgerSettings, identity_from, ledger_from
from gateway.strict_json import parse_strictly

EVERY_MS_MIN = 1_000
"""For communities whose market hour is short: trials, tests."""
_WAITS_MS = {
    "hold_ms": (0, DAY_MS),
    "spread_ms": (0, 10 * MINUTE_MS),
    "look_back_ms": (MINUTE_MS, 90 * DAY_MS),
    "retry_ms": (100, 10 * MINUTE_MS),
}
"""Settings of `ReportTimes`: at least, at most."""


@dataclass(frozen=True, slots=True)
class ReportSettings:
    """Where signed readings are taken from, and when they are reported.

    Either `gateway` is the address of one, with the oracle's `token` there, or `database` the URL
    of the own gateway's.
    """

    gateway: str = ""
    token: str = field(default="", repr=False)
    database: str = ""
    times: ReportTimes = field(default_factory=ReportTimes)


@dataclass(frozen=True, slots=True)
class OracleSettings:
    """Everything an oracle is told; the file holds tokens, so it has mode 0600."""

    ledger: LedgerSettings
    identity: IdentityFiles
    jobs: tuple[JobSpec, ...]
    run_log: Path
    """In the file relative to its folder, or absolute."""
    reports: ReportSettings | None = None
    ca: Path | None = None
    """Of the gateways it asks over HTTPS, where the system does not know their authority."""


def load_oracle_settings(path: Path) -> OracleSettings:
    """Read the oracle's file; a wrong one raises `ValueError`, `KeyError` or `TypeError`."""
    raw = parse_strictly(path.read_bytes())
    return OracleSettings(
        ledger=ledger_from(raw["ledger"]),
        identity=identity_from(raw["identity"]),
        jobs=tuple(_job(job) for job in raw["jobs"]),
        run_log=path.parent / raw["run_log"],
        reports=_reports(raw["reports"]) if "reports" in raw else None,
        ca=Path(raw["ca"]) if "ca" in raw else None,
    )


def _job(raw: dict[str, Any]) -> JobSpec:
    path = raw.get("value_path", ["value"])
    spec = JobSpec(**(raw | {"value_path": tuple(str(name) for name in path)}))
    try:
        spec.url.format(subject="", at_ms=0)
    except (LookupError, ValueError) as error:
        raise ValueError(f"{spec.url}: only {{subject}} and {{at_ms}} may stand in it") from error
    return spec


def _reports(raw: dict[str, Any]) -> ReportSettings:
    waits = {name: _whole(raw, name, *_WAITS_MS[name]) for name in _WAITS_MS if name in raw}
    every = Instants()
    if "every_ms" in raw:
        every = replace(every, every_ms=_whole(raw, "every_ms", EVERY_MS_MIN, DAY_MS))
    sources = {name: str(raw[name]) for name in ("gateway", "token", "database") if name in raw}
    unknown = raw.keys() - sources.keys() - waits.keys() - {"every_ms"}
    if unknown:
        raise ValueError(f"reports: {min(unknown)} is no setting")
    settings = ReportSettings(**sources, times=ReportTimes(every, **waits))
    if bool(settings.gateway) == bool(settings.database):
        raise ValueError("reports: name the `gateway` or the `database` readings come from")
    file = settings.database.removeprefix("sqlite:///")
    if file != settings.database and not Path(file).exists():
        raise ValueError(f"reports: there is no database {file}")
    if settings.gateway and urlsplit(settings.gateway).scheme not in {"http", "https"}:
        raise ValueError(f"reports: {settings.gateway} is no address of a gateway")
    return settings


def _whole(raw: dict[str, Any], name: str, at_least: int, at_most: int) -> int:
    value = raw[name]
    if type(value) is not int or not at_least <= value <= at_most:
        raise ValueError(f"reports: {name} is not between {at_least} and {at_most}")
    return value

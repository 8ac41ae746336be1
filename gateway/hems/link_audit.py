"""The regular audit of devices' links: what the manager's page shows of them, and what is wrong.

Once a day, at the start, and when the manager asks, the gateway looks at every device: the age of
its credential at the broker, its failed logins, its firmware as its own retained state tells it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from gateway.hems.devices import DeviceBook
from gateway.hems.links import Link, LinkBook
from gateway.mqtt.broker_folder import certificate_ends_ms, issued_at

MS_PER_DAY = 24 * 3_600_000
EVERY_MS = MS_PER_DAY
CREDENTIAL_DAYS_MAX = 365
CERTIFICATE_DAYS_MIN = 30
FAILED_DAYS = 7
"""A failed login longer ago is not news."""


class Concern(StrEnum):
    """What the manager should look into."""

    OLD_CREDENTIAL = "old_credential"
    FAILED_LOGINS = "failed_logins"
    NO_FIRMWARE = "no_firmware"
    NEVER_CONNECTED = "never_connected"
    STRANGER = "stranger"


@dataclass(frozen=True, slots=True)
class AuditedLink:
    """A link with the device's firmware version, empty if it told none."""

    link: Link
    firmware: str
    concerns: tuple[Concern, ...]

    def credential_days(self, now_ms: int) -> int | None:
        """The age of its credential; None if nobody noted when it was issued."""
        issued_ms = self.link.credential_ms
        return (now_ms - issued_ms) // MS_PER_DAY if issued_ms else None


class LinkAudit:
    """Looks at all links; `broker_folder` is where `gridledger broker` wrote, if it is here."""

    def __init__(
        self,
        links: LinkBook,
        devices: DeviceBook,
        clock_ms: Callable[[], int],
        broker_folder: Path | None = None,
    ) -> None:
        self._links = links
        self._devices = devices
        self._clock_ms = clock_ms
        self._folder = broker_folder

    async def run(self) -> None:
        """Look once a day, for ever."""
        while True:
            await asyncio.to_thread(self.look)
            await asyncio.sleep(EVERY_MS / 1_000)

    def look(self) -> None:
        """Look at every device now, and note that it was; blocks."""
        issued = issued_at(self._folder) if self._folder is not None else {}
        self._links.audit(issued, self._clock_ms())

    def found(self) -> list[AuditedLink]:
        """Every link as it stands; blocks."""
        now_ms = self._clock_ms()
        devices = {device.device_id: device for device in self._devices.all()}
        return [
            AuditedLink(link, firmware, concerns_about(link, firmware, now_ms))
            for link in self._links.all()
            for firmware in [devices[link.subject].firmware if link.subject in devices else ""]
        ]

    def certificate_days(self) -> int | None:
        """Days the broker's certificate has left; None if its folder is not here."""
        if self._folder is None:
            return None
        return (certificate_ends_ms(self._folder) - self._clock_ms()) // MS_PER_DAY


def concerns_about(link: Link, firmware: str, now_ms: int) -> tuple[Concern, ...]:
    """What is wrong with a link. Pure."""
    if not link.is_device:
        return (Concern.STRANGER,)
    age_ms = now_ms - link.credential_ms if link.credential_ms else 0
    since_failed_ms = now_ms - link.failed_ms
    found = {
        Concern.OLD_CREDENTIAL: age_ms > CREDENTIAL_DAYS_MAX * MS_PER_DAY,
        Concern.FAILED_LOGINS: link.failed_logins > 0
        and since_failed_ms <= FAILED_DAYS * MS_PER_DAY,
        Concern.NO_FIRMWARE: link.connected_ms > 0 and not firmware,
        Concern.NEVER_CONNECTED: link.connected_ms == 0,
    }
    return tuple(concern for concern, is_so in found.items() if is_so)

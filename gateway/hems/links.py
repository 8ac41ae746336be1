"""Devices' links to the broker, for the audit: sign-ins, failed logins, age of credentials.

Whom a broker turned away it may know by name, or only by address (`gateway.mqtt.broker_log`). An
address counts as a device's if that device, and no other, signed in from it last.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import delete, insert, select

from gateway.database import Database
from gateway.hems.tables import LinkRow
from gateway.mqtt.broker_log import SignIn

STRANGERS_MAX = 1_000
"""Addresses and names that are no device's; what comes from more of them is counted together."""
ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class Link:
    """A device's link, or with `is_device` false an address or name that belongs to none.

    `credential_ms` is when its token was issued, `checked_ms` when this was last looked at by the
    audit; 0 for what is not known.
    """

    subject: str
    is_device: bool
    address: str = ""
    connected_ms: int = 0
    failed_logins: int = 0
    failed_ms: int = 0
    credential_ms: int = 0
    checked_ms: int = 0


class LinkBook:
    """All links, by subject. Calls block."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._changing = threading.Lock()
        """Readings and writings of a change belong together: collector and audit both change."""

    def all(self) -> list[Link]:
        """Devices first, then strangers, by name."""
        with self._database.reading() as connection:
            found = [
                Link(
                    row.subject,
                    bool(row.is_device),
                    row.address,
                    row.connected_ms,
                    row.failed_logins,
                    row.failed_ms,
                    row.credential_ms,
                    row.checked_ms,
                )
                for row in connection.execute(select(LinkRow.__table__))
            ]
        return sorted(found, key=lambda link: (not link.is_device, link.subject))

    def note(self, sign_ins: Sequence[SignIn], now_ms: int) -> None:
        """Count failed logins, and remember from where devices come."""
        if sign_ins:
            with self._changing:
                self._note(sign_ins, now_ms)

    def _note(self, sign_ins: Sequence[SignIn], now_ms: int) -> None:
        known = {link.subject: link for link in self.all()}
        before = dict(known)
        for one in sign_ins:
            subject = _subject(one, known)
            link = known.get(subject, Link(subject, is_device=not one.is_refused))
            if one.is_refused:
                link = replace(link, failed_logins=link.failed_logins + 1, failed_ms=now_ms)
            else:
                link = replace(link, is_device=True, address=one.address, connected_ms=now_ms)
            known[subject] = link
        self._write([link for link in known.values() if before.get(link.subject) != link])

    def audit(self, issued_ms: Mapping[str, int], now_ms: int) -> list[Link]:
        """Look at every device's link; `issued_ms`: the age of each credential at the broker.

        A credential that is gone is no longer one of a device.
        """
        with self._changing:
            self._audit(issued_ms, now_ms)
        return self.all()

    def _audit(self, issued_ms: Mapping[str, int], now_ms: int) -> None:
        known = {link.subject: link for link in self.all()}
        for name in issued_ms:
            known.setdefault(name, Link(name, is_device=True))
        checked = [
            replace(
                link,
                is_device=link.subject in issued_ms if issued_ms else link.is_device,
                credential_ms=issued_ms.get(link.subject, 0),
                checked_ms=now_ms,
            )
            for link in known.values()
        ]
        self._write(checked)

    def _write(self, links: Sequence[Link]) -> None:
        if not links:
            return
        with self._database.writing() as connection:
            names = [link.subject for link in links]
            connection.execute(delete(LinkRow).where(LinkRow.subject.in_(names)))
            connection.execute(insert(LinkRow), [_values(link) for link in links])


def _subject(one: SignIn, known: Mapping[str, Link]) -> str:
    if not one.is_refused or (one.name in known and known[one.name].is_device):
        return one.name
    there = [link for link in known.values() if link.is_device and link.address == one.address]
    if one.address and len(there) == 1:
        return there[0].subject
    stranger = one.address or one.name or ELSEWHERE
    strangers = sum(not link.is_device for link in known.values())
    return stranger if stranger in known or strangers < STRANGERS_MAX else ELSEWHERE


def _values(link: Link) -> dict[str, object]:
    return {
        "subject": link.subject,
        "is_device": int(link.is_device),
        "address": link.address,
        "connected_ms": link.connected_ms,
        "failed_logins": link.failed_logins,
        "failed_ms": link.failed_ms,
        "credential_ms": link.credential_ms,
        "checked_ms": link.checked_ms,
    }

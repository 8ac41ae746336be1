"""Who did what about whose identity; entries are added and never changed."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from sqlalchemy import Connection, insert, select

from gateway.database import Database
from gateway.identity.holders import STAFF
from gateway.identity.tables import IdentityLogRow

TIME_DIGITS = 15
ENTRY_RANDOM_BYTES = 2
ENTRIES_IN_ORDER = 2**16
"""Entries of one process in one millisecond keep their order."""
DETAIL_CHARACTERS_MAX = 200
STAFF_SEPARATOR = ": "
"""Between `manager` and what the session of one of them is called."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One act. `actor` is an IDgrid, `manager`, or empty for who has not signed in.

    `manager: Ana, phone` is which of the staff it was, where that is known.
    """

    entry_id: str
    time_ms: int
    actor: str
    action: str
    idgrid: str
    detail: str


def staff_called(session_name: str) -> str:
    """The actor of an act of staff, told from its colleagues by what its session is called."""
    return f"{STAFF}{STAFF_SEPARATOR}{session_name}" if session_name else STAFF


class IdentityLog:
    """The log, written inside the transaction of what it tells."""

    def __init__(self, database: Database, clock_ms: Callable[[], int]) -> None:
        self._database = database
        self._clock_ms = clock_ms
        self._numbers = count()

    def add(
        self, connection: Connection, *, actor: str, action: str, idgrid: str, detail: str = ""
    ) -> None:
        """Write an entry; it is there if and only if what it tells is."""
        now_ms = self._clock_ms()
        number = next(self._numbers) % ENTRIES_IN_ORDER
        unique = secrets.token_hex(ENTRY_RANDOM_BYTES)
        entry_id = f"{now_ms:0{TIME_DIGITS}d}-{number:04x}{unique}"
        values = {
            "entry_id": entry_id,
            "time_ms": now_ms,
            "actor": actor,
            "action": action,
            "idgrid": idgrid,
            "detail": detail[:DETAIL_CHARACTERS_MAX],
        }
        connection.execute(insert(IdentityLogRow), values)

    def entries(self, *, below: str | None = None, limit: int, idgrid: str = "") -> list[LogEntry]:
        """The newest first; `below` is the `entry_id` of the last one of the page before."""
        wanted = select(IdentityLogRow.__table__).order_by(IdentityLogRow.entry_id.desc())
        if below is not None:
            wanted = wanted.where(IdentityLogRow.entry_id < below)
        if idgrid:
            wanted = wanted.where(IdentityLogRow.idgrid == idgrid)
        with self._database.reading() as connection:
            return [LogEntry(**row) for row in connection.execute(wanted.limit(limit)).mappings()]

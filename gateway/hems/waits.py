"""Since when this gateway waits to hear something, restarts notwithstanding.

A wait that only a process remembers begins anew with each restart: one that restarts often would
never call a device silent. A wait goes on over a break of `break_ms_max`, and begins anew after a
longer one, in which nobody could be heard.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import delete, insert, select

from gateway.database import Database
from gateway.hems.tables import WaitRow

LISTENING = ""
"""The wait for whatever may come; the others are named by what is waited for."""
NOTED_EVERY_MS = 60_000


@dataclass(frozen=True, slots=True)
class Wait:
    """Since when, and when it was noted last that it goes on."""

    since_ms: int
    noted_ms: int


class WaitBook:
    """All waits that go on."""

    def __init__(self, database: Database, *, break_ms_max: int) -> None:
        """`break_ms_max`: at most so long may nobody have waited meanwhile."""
        self._database = database
        self._break_ms_max = break_ms_max
        wanted = select(WaitRow.name, WaitRow.since_ms, WaitRow.noted_ms)
        with database.reading() as connection:
            self._waits = {row[0]: Wait(*row[1:]) for row in connection.execute(wanted)}
        self._going_on: set[str] = set()

    def since_ms(self, name: str, now_ms: int) -> int:
        """Since when it is waited for; asking says that it still is."""
        known = self._waits.get(name)
        may_be_broken, self._going_on = name not in self._going_on, self._going_on | {name}
        if known is None or (may_be_broken and now_ms - known.noted_ms > self._break_ms_max):
            return self._note(name, Wait(now_ms, now_ms))
        if now_ms - known.noted_ms >= NOTED_EVERY_MS:
            return self._note(name, Wait(known.since_ms, now_ms))
        return known.since_ms

    def only(self, names: Iterable[str]) -> None:
        """Nothing else is waited for now."""
        self._going_on &= {LISTENING, *names}

    def interrupted(self) -> None:
        """Nobody could be heard just now: how long is looked at with the next question."""
        self._going_on = set()

    def _note(self, name: str, wait: Wait) -> int:
        self._waits[name] = wait
        with self._database.writing() as connection:
            connection.execute(delete(WaitRow).where(WaitRow.name == name))
            values = {"name": name, "since_ms": wait.since_ms, "noted_ms": wait.noted_ms}
            connection.execute(insert(WaitRow).values(values))
        return wait.since_ms

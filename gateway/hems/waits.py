"""Since when this gateway waits to hear something, restarts notwithstanding.

A wait that only a process remembers begins anew with each restart: one that restarts often would
never call a device silent. A wait goes on over a break of `break_ms_max`, and begins anew after a
longer one, in which nobody could be heard.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import bindparam, delete, select

from gateway.database import Database
from gateway.database.upserting import insert_or_replace
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
        return self.all_since_ms([name], now_ms)[name]

    def all_since_ms(self, names: Collection[str], now_ms: int) -> dict[str, int]:
        """The same of many, in one transaction at most: it is asked where commands are sent."""
        waits = {name: self._going_on_now(name, now_ms) for name in names}
        self._going_on |= set(names)
        noted = {name: one for name, one in waits.items() if one != self._waits.get(name)}
        self._waits |= noted
        over = self._over(now_ms)
        if noted or over:
            self._store(noted, over, now_ms)
        return {name: wait.since_ms for name, wait in waits.items()}

    def only(self, names: Iterable[str]) -> None:
        """Nothing else is waited for now."""
        self._going_on &= {LISTENING, *names}

    def interrupted(self) -> None:
        """Nobody could be heard just now: how long is looked at with the next question."""
        self._going_on = set()

    def _going_on_now(self, name: str, now_ms: int) -> Wait:
        known, may_be_broken = self._waits.get(name), name not in self._going_on
        if known is None or (may_be_broken and self._is_broken(known, now_ms)):
            return Wait(now_ms, now_ms)
        if now_ms - known.noted_ms >= NOTED_EVERY_MS:
            return Wait(known.since_ms, now_ms)
        return known

    def _is_broken(self, wait: Wait, now_ms: int) -> bool:
        return now_ms - wait.noted_ms > self._break_ms_max

    def _over(self, now_ms: int) -> list[str]:
        """Nobody waits for these, and who does again begins anew: nothing is lost with them."""
        return [
            name
            for name, wait in self._waits.items()
            if name not in self._going_on and self._is_broken(wait, now_ms)
        ]

    def _store(self, noted: Mapping[str, Wait], over: Sequence[str], now_ms: int) -> None:
        # By name: another process of this gateway locks the same rows in the same order.
        rows = [{"name": name} | asdict(noted[name]) for name in sorted(noted)]
        # Not what another process waits for still, and noted since.
        is_over = WaitRow.noted_ms < now_ms - self._break_ms_max
        with self._database.writing() as connection:
            insert_or_replace(connection, WaitRow, rows)
            if over:
                ended = delete(WaitRow).where(WaitRow.name == bindparam("ended"), is_over)
                connection.execute(ended, [{"ended": name} for name in sorted(over)])
        for name in over:
            del self._waits[name]

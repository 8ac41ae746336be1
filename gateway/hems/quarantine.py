"""Readings that were set aside: which device, when, and why; never what was in them.

A message that was not believed stays in the database, whole, as evidence for whoever has to look
into it there (docs/mqtt.md). Pages and routes name the reason only: its values may be a
household's. Calls block.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select

from gateway.database import Database
from gateway.hems.tables import SetAsideRow
from gateway.strict_json import BadJson, parse_strictly

PAGE_MAX = 100


@dataclass(frozen=True, slots=True)
class SetAside:
    """One of them; `t_end_ms` is the end of the period it says it is of, None if it says none."""

    number: int
    device_id: str
    doubt: str
    detail: str
    received_ms: int
    t_end_ms: int | None

    @property
    def concerned_ms(self) -> int:
        """The instant at which a reading may be missing now."""
        return self.received_ms if self.t_end_ms is None else self.t_end_ms


class Quarantine:
    """What a gateway set aside."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self,
        device_ids: Collection[str] | None = None,
        *,
        below: int | None = None,
        limit: int = PAGE_MAX,
    ) -> list[SetAside]:
        """The newest first, of these devices (None: all), with a number under `below`."""
        wanted = select(SetAsideRow).order_by(SetAsideRow.number.desc()).limit(limit)
        if device_ids is not None:
            wanted = wanted.where(SetAsideRow.device_id.in_(device_ids))
        if below is not None:
            wanted = wanted.where(SetAsideRow.number < below)
        with self._database.reading() as connection:
            return [
                SetAside(
                    number=row.number,
                    device_id=row.device_id,
                    doubt=row.doubt,
                    detail=row.detail,
                    received_ms=row.received_ms,
                    t_end_ms=_t_end_ms(row.raw),
                )
                for row in connection.execute(wanted)
            ]


def _t_end_ms(raw: bytes) -> int | None:
    try:
        content = parse_strictly(raw)
    except BadJson:
        return None
    said = content.get("t_end") if isinstance(content, dict) else None
    return said if type(said) is int and said >= 0 else None

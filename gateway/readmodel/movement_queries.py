"""Questions to the read model about money that moved: a purse's movements, and their sums."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, func, select, tuple_

from gateway.readmodel import rows
from gateway.readmodel.movement_rows import OWN_PURSE
from gateway.readmodel.queries import ReadModel
from gateway.readmodel.records import Cause, Movement, Position, PurseSum, Slice
from gateway.readmodel.snapshots import page_rows
from gateway.readmodel.tables import MovementRow

_AMOUNTS = ("free_utoken", "locked_utoken", "sold_wh", "bought_wh")
_SUMS = [func.coalesce(func.sum(getattr(MovementRow, name)), 0).label(name) for name in _AMOUNTS]


def movements(
    readmodel: ReadModel,
    idgrid: str,
    *,
    group_id: str = OWN_PURSE,
    below: Position | None = None,
    limit: int,
) -> Slice[Movement]:
    """A purse's movements, the newest first; `below` is the `next` of the page before."""
    wanted = select(MovementRow).where(*_purse(idgrid, group_id))
    if below is not None:
        wanted = wanted.where(_is_before(below))
    wanted = wanted.order_by(MovementRow.block_number.desc(), MovementRow.tx_index.desc())
    with readmodel.connection() as connection:
        found = [
            rows.movement(row) for row in connection.execute(wanted.limit(page_rows(limit) + 1))
        ]
    last = found[limit - 1] if len(found) > limit else None
    following = str(Position(last.block_number, last.index)) if last else None
    return Slice(found[:limit], following)


def movements_between(
    readmodel: ReadModel, idgrid: str, from_ms: int, to_ms: int, *, group_id: str = OWN_PURSE
) -> list[Movement]:
    """A purse's movements whose blocks are of [from_ms, to_ms), the oldest first."""
    wanted = (
        select(MovementRow)
        .where(*_purse(idgrid, group_id))
        .where(MovementRow.at_ms >= from_ms, MovementRow.at_ms < to_ms)
        .order_by(MovementRow.block_number, MovementRow.tx_index)
    )
    with readmodel.connection() as connection:
        return [rows.movement(row) for row in connection.execute(wanted)]


def sum_until(
    readmodel: ReadModel,
    idgrid: str,
    *,
    until_ms: int | None = None,
    below: Position | None = None,
    group_id: str = OWN_PURSE,
) -> PurseSum:
    """What was in a purse before this instant, or before this place; now if none is named."""
    wanted = select(*_SUMS).where(*_purse(idgrid, group_id))
    if until_ms is not None:
        wanted = wanted.where(MovementRow.at_ms < until_ms)
    if below is not None:
        wanted = wanted.where(_is_before(below))
    with readmodel.connection() as connection:
        return _sum(connection.execute(wanted).one())


def sums_by_cause(
    readmodel: ReadModel, idgrid: str, from_ms: int, to_ms: int, *, group_id: str = OWN_PURSE
) -> Mapping[Cause, PurseSum]:
    """A purse's movements of [from_ms, to_ms) added up."""
    wanted = (
        select(MovementRow.cause, *_SUMS)
        .where(*_purse(idgrid, group_id))
        .where(MovementRow.at_ms >= from_ms, MovementRow.at_ms < to_ms)
        .group_by(MovementRow.cause)
        .order_by(MovementRow.cause)
    )
    with readmodel.connection() as connection:
        return {Cause(row.cause): _sum(row) for row in connection.execute(wanted)}


def sums_of_accounts(readmodel: ReadModel) -> Mapping[str, PurseSum]:
    """What every account's movements add up to, by IDgrid or name."""
    wanted = (
        select(MovementRow.idgrid, *_SUMS)
        .where(MovementRow.group_id == OWN_PURSE)
        .group_by(MovementRow.idgrid)
    )
    with readmodel.connection() as connection:
        return {row.idgrid: _sum(row) for row in connection.execute(wanted)}


def sums_of_cause(readmodel: ReadModel, cause: Cause) -> Mapping[str, PurseSum]:
    """What movements of one cause add up to on every account that has some."""
    wanted = (
        select(MovementRow.idgrid, *_SUMS)
        .where(MovementRow.group_id == OWN_PURSE, MovementRow.cause == cause)
        .group_by(MovementRow.idgrid)
    )
    with readmodel.connection() as connection:
        return {row.idgrid: _sum(row) for row in connection.execute(wanted)}


def times_of(readmodel: ReadModel, idgrid: str) -> list[int]:
    """The instants, ms UTC, at which something moved on an account."""
    wanted = select(MovementRow.at_ms).where(*_purse(idgrid, OWN_PURSE)).distinct()
    with readmodel.connection() as connection:
        return list(connection.execute(wanted).scalars())


def groups_with(readmodel: ReadModel, idgrid: str) -> list[str]:
    """Groups in whose purse a household has or had a part, by id."""
    wanted = (
        select(MovementRow.group_id)
        .where(MovementRow.idgrid == idgrid, MovementRow.group_id != OWN_PURSE)
        .distinct()
        .order_by(MovementRow.group_id)
    )
    with readmodel.connection() as connection:
        return list(connection.execute(wanted).scalars())


def _purse(idgrid: str, group_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return MovementRow.idgrid == idgrid, MovementRow.group_id == group_id


def _is_before(position: Position) -> ColumnElement[bool]:
    place = tuple_(MovementRow.block_number, MovementRow.tx_index)
    return place < (position.block_number, position.index)


def _sum(row: Any) -> PurseSum:
    """A row of `_SUMS`; PostgreSQL sums to decimals."""
    return PurseSum(*(int(getattr(row, name)) for name in _AMOUNTS))

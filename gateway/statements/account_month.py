"""A month of a household's purse: what was in it, every movement, what is in it.

By the community's local midnight and the time of the blocks, as a bank's statement is; the energy
of a month goes by delivery hour (`settlements`), and some of it is paid in the next one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.local_time import LocalTime
from gateway.readmodel import movement_queries
from gateway.readmodel.movement_rows import OWN_PURSE
from gateway.readmodel.queries import ReadModel
from gateway.readmodel.records import Cause, Movement, Position, Slice

_HOUR = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2})(\.[0-9a-f]+)?$")
"""A listing, or a post of the marketplace."""


@dataclass(frozen=True, slots=True)
class AccountMonth:
    """Free and locked money together, micro-tokens; [from_ms, to_ms) in ms UTC."""

    from_ms: int
    to_ms: int
    opening_utoken: int
    changes: Mapping[Cause, int]
    """What moved, by cause; locking and freeing money changes nothing here."""
    closing_utoken: int


@dataclass(frozen=True, slots=True)
class AccountLine:
    """A movement, and what the purse had after it."""

    movement: Movement
    balance_utoken: int

    @property
    def hour(self) -> str:
        """The delivery hour it is about; empty where it is about none."""
        found = _HOUR.match(self.movement.subject)
        return found.group(1) if found else ""


def account_month(readmodel: ReadModel, local: LocalTime, idgrid: str, month: str) -> AccountMonth:
    """The month `YYYY-MM` of a household's account; `ValueError` for any other text."""
    from_ms, to_ms = local.month_ms(month)
    with readmodel.at_one_height():
        opening = movement_queries.sum_until(readmodel, idgrid, until_ms=from_ms)
        closing = movement_queries.sum_until(readmodel, idgrid, until_ms=to_ms)
        sums = movement_queries.sums_by_cause(readmodel, idgrid, from_ms, to_ms)
    changes = {cause: found.amount_utoken for cause, found in sums.items() if found.amount_utoken}
    return AccountMonth(
        from_ms=from_ms,
        to_ms=to_ms,
        opening_utoken=opening.amount_utoken,
        changes=changes,
        closing_utoken=closing.amount_utoken,
    )


def account_lines(
    readmodel: ReadModel,
    idgrid: str,
    *,
    group_id: str = OWN_PURSE,
    below: Position | None = None,
    limit: int,
) -> Slice[AccountLine]:
    """A purse's movements with the balance after each, the newest first.

    `below` is the `next` of the page before.
    """
    with readmodel.at_one_height():
        found = movement_queries.movements(
            readmodel, idgrid, group_id=group_id, below=below, limit=limit
        )
        after = movement_queries.sum_until(readmodel, idgrid, group_id=group_id, below=below)
    lines, balance = [], after.amount_utoken
    for movement in found.items:
        lines.append(AccountLine(movement, balance))
        balance -= movement.amount_utoken
    return Slice(lines, found.next)


def months_with_movements(readmodel: ReadModel, local: LocalTime, idgrid: str) -> list[str]:
    """Local months in which something moved, the latest first."""
    times = movement_queries.times_of(readmodel, idgrid)
    return sorted({local.month_of(at_ms) for at_ms in times}, reverse=True)

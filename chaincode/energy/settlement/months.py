"""A month of one household added up: pure, from its lines and their corrections.

A line belongs to the month in which its delivery begins, in UTC, whenever it is corrected.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from chaincode.energy.settlement.planning import AMOUNTS
from chaincode.energy.settlement.records import SettlementLine, SettlementRecord

_MONTH_FORMAT = "%Y-%m"
_MONTHS = 12
SETTLED_AMOUNTS = (
    "sold_wh",
    "received_utoken",
    "paid_utoken",
    "refunded_utoken",
    "network_charge_utoken",
    "pool_share_utoken",
    "imported_wh",
    "exported_wh",
    "bought_from_utility_wh",
    "owed_to_utility_utoken",
    "sold_to_utility_wh",
    "owed_by_utility_utoken",
)
"""Columns the settlement records give the sums of."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One household's month. `amounts` are the columns of its lines, added up.

    `balance_utoken` is what the month changed on its account apart from deposits;
    `utility_balance_utoken` what the utility owes it (negative: what it owes the utility), which
    is billed outside the account.
    """

    idgrid: str
    month: str
    run: int
    hours: int
    corrections: int
    amounts: dict[str, int]
    balance_utoken: int
    utility_balance_utoken: int


def month_end_ms(month: str) -> int:
    """The first instant after a month `YYYY-MM`. Raises `ValueError` for any other text."""
    begins = datetime.strptime(month, _MONTH_FORMAT).replace(tzinfo=UTC)
    if begins.strftime(_MONTH_FORMAT) != month:
        raise ValueError(f"{month!r} is not of the form YYYY-MM")
    years, at = divmod(begins.month, _MONTHS)
    ends = begins.replace(year=begins.year + years, month=at + 1)
    return int(ends.timestamp()) * 1000


def statement_of(
    *,
    idgrid: str,
    month: str,
    run: int,
    lines: list[SettlementLine],
    corrections: list[SettlementLine],
) -> Statement:
    """Add up a household's month."""
    amounts = added_up([*lines, *corrections])
    earned = amounts["received_utoken"] - amounts["pool_share_utoken"]
    spent = amounts["paid_utoken"] + amounts["network_charge_utoken"]
    return Statement(
        idgrid=idgrid,
        month=month,
        run=run,
        hours=len(lines),
        corrections=len(corrections),
        amounts=amounts,
        balance_utoken=earned - spent,
        utility_balance_utoken=amounts["owed_by_utility_utoken"]
        - amounts["owed_to_utility_utoken"],
    )


def added_up(lines: Iterable[SettlementLine]) -> dict[str, int]:
    """Every column of the lines."""
    total = dict.fromkeys(AMOUNTS, 0)
    for line in lines:
        for name in AMOUNTS:
            total[name] += getattr(line, name)
    return total


def summed(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    """Two sets of columns added."""
    return {name: one[name] + other[name] for name in AMOUNTS}


def imbalance(amounts: dict[str, int], settled: Iterable[SettlementRecord]) -> list[str]:
    """Columns in which statements and settlements differ, and sums that do not close."""
    due = dict.fromkeys(SETTLED_AMOUNTS, 0)
    for record in settled:
        for name, value in _totals(record).items():
            due[name] += value
    wrong = [name for name in SETTLED_AMOUNTS if amounts[name] != due[name]]
    if amounts["sold_wh"] != amounts["bought_wh"]:
        wrong.append("bought_wh")
    if amounts["received_utoken"] != amounts["paid_utoken"]:
        wrong.append("paid_utoken")
    return wrong


def _totals(record: SettlementRecord) -> dict[str, int]:
    own = {"sold_wh": record.settled_wh}
    own |= dict.fromkeys(("received_utoken", "paid_utoken"), record.total_utoken)
    return {name: own[name] if name in own else getattr(record, name) for name in SETTLED_AMOUNTS}

"""Use cases of reading what was settled: hours, corrections and deals; notices and months.

Everything comes from the read model; energy in Wh, money in micro-tokens.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any

from chaincode.energy import keys, records
from chaincode.energy.settlement.months import Statement, month_end_ms, statement_of
from chaincode.energy.settlement.records import SettlementLine
from gateway.books.ledger_records import LedgerRecords
from gateway.local_time import LocalTime
from gateway.readmodel.queries import ReadModel
from gateway.readmodel.records import Position, Slice
from gateway.statements.account_month import AccountMonth, account_month, months_with_movements
from gateway.statements.deals import DealSums, HouseholdDeal, deal_sums, deals_of
from gateway.statements.group_hours import GroupHour, group_hours, summed_parts


@dataclass(frozen=True, slots=True)
class Notice:
    """What a settlement, a correction of it, or a deal did on a household's account.

    `kind` is settled, corrected or deal; `listing_id` is the delivery hour also of a deal, which
    `post_id` names. `amount_utoken` is what it got for energy, negative what it paid; the rest of
    what it had locked is `refunded_utoken`. `block_number` and `index` tell which notice is newer,
    `revision` which correction of the hour it is, from 1; 0 is the settlement itself.
    """

    listing_id: str
    kind: str
    energy_wh: int
    amount_utoken: int
    refunded_utoken: int
    network_charge_utoken: int
    pool_share_utoken: int
    block_number: int
    index: int
    revision: int
    post_id: str = ""

    @property
    def position(self) -> Position:
        """Where it stands on the ledger."""
        return Position(self.block_number, self.index)


@dataclass(frozen=True, slots=True)
class MonthlyStatement:
    """A month of a household: the auction's statement with its lines, and all else that counts.

    It is issued once the community's run is, nothing was corrected since, and no deal waits.
    """

    statement: Statement
    is_issued: bool
    lines: list[tuple[str, str, SettlementLine]]
    """(listing, "line" or "correction", the line) in the order of the hours."""
    deals: list[HouseholdDeal]
    group_hours: list[GroupHour]
    account: AccountMonth

    @property
    def deal_sums(self) -> DealSums:
        """The month's deals added up."""
        return deal_sums(self.deals)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was traded in this month and nothing moved."""
        return not (self.lines or self.deals or self.group_hours or self.account.changes)


class Settlements:
    """Questions about settlements, answered at the read model's height."""

    def __init__(self, readmodel: ReadModel, local: LocalTime) -> None:
        self._readmodel = readmodel
        self._ledger = LedgerRecords(readmodel)
        self._local = local

    @property
    def height(self) -> int:
        """Blocks the answers are based on."""
        return self._ledger.height

    def notices(self, idgrid: str) -> list[Notice]:
        """A household's notices, the newest first."""
        found = [
            _notice(kind, key, records.decode(SettlementLine, entry.value), entry)
            for kind in ("line", "correction")
            for key, entry in self._ledger.under(kind, idgrid)
        ]
        found += [_deal_notice(deal) for deal in deals_of(self._ledger, idgrid) if deal.is_over]
        told = [n for n in found if n.energy_wh or n.amount_utoken or n.refunded_utoken]
        return sorted(told, key=lambda notice: notice.position, reverse=True)

    def notices_page(
        self, idgrid: str, *, below: Position | None = None, limit: int
    ) -> Slice[Notice]:
        """Some of the notices, the newest first; `below` is the `next` of the page before.

        What one transaction did stays on one page, which may be longer than `limit` by that.
        """
        left = self.notices(idgrid)
        if below is not None:
            left = [notice for notice in left if notice.position < below]
        if len(left) <= limit:
            return Slice(left, None)
        last = left[limit - 1].position
        shown = [notice for notice in left if notice.position >= last]
        return Slice(shown, str(last) if len(shown) < len(left) else None)

    def months(self, idgrid: str) -> list[str]:
        """Months `YYYY-MM` a household has a statement of, the latest first."""
        hours = [_listing_of(key) for key, _ in self._ledger.under("line", idgrid)]
        hours += [deal.hour for deal in deals_of(self._ledger, idgrid)]
        moved = months_with_movements(self._readmodel, self._local, idgrid)
        return sorted({*moved, *(hour[:7] for hour in hours)}, reverse=True)

    def month(self, idgrid: str, month: str) -> MonthlyStatement:
        """A household's month as the ledger has it; `ValueError` if it is not YYYY-MM."""
        month_end_ms(month)
        with self._readmodel.at_one_height():
            return self._month(idgrid, month)

    def _month(self, idgrid: str, month: str) -> MonthlyStatement:
        lines = self._lines("line", idgrid, month)
        corrections = self._lines("correction", idgrid, month)
        run = self._ledger.json(keys.statement_run(month)) or {}
        number = int(run.get("issued_run", 0))
        now = statement_of(
            idgrid=idgrid,
            month=month,
            run=number,
            lines=[line for _, line in lines],
            corrections=[line for _, line in corrections],
        )
        issued = self._ledger.find(Statement, keys.statement(idgrid, month, number))
        rows = [(listing, "line", line) for listing, line in lines]
        rows += [(listing, "correction", line) for listing, line in corrections]
        deals = deals_of(self._ledger, idgrid, month)
        return MonthlyStatement(
            statement=now,
            is_issued=number > 0 and issued == now and all(deal.is_over for deal in deals),
            lines=sorted(rows, key=lambda row: row[0]),
            deals=deals,
            group_hours=group_hours(self._readmodel, idgrid, month),
            account=account_month(self._readmodel, self._local, idgrid, month),
        )

    def _lines(self, kind: str, idgrid: str, month: str) -> list[tuple[str, SettlementLine]]:
        return [
            (_listing_of(key), records.decode(SettlementLine, entry.value))
            for key, entry in self._ledger.under(kind, idgrid)
            if _listing_of(key).startswith(f"{month}-")
        ]


def _notice(kind: str, key: str, line: SettlementLine, entry: Any) -> Notice:
    return Notice(
        listing_id=_listing_of(key),
        kind="settled" if kind == "line" else "corrected",
        energy_wh=line.sold_wh + line.bought_wh,
        amount_utoken=line.received_utoken - line.paid_utoken,
        refunded_utoken=line.refunded_utoken,
        network_charge_utoken=line.network_charge_utoken,
        pool_share_utoken=line.pool_share_utoken,
        block_number=entry.version.block_number,
        index=entry.version.tx_number,
        revision=int(key.split("~")[3]) if kind == "correction" else 0,
    )


def _deal_notice(deal: HouseholdDeal) -> Notice:
    return Notice(
        listing_id=deal.hour,
        kind="deal",
        energy_wh=deal.delivered_wh or 0,
        amount_utoken=deal.amount_utoken,
        refunded_utoken=deal.refunded_utoken,
        network_charge_utoken=0,
        pool_share_utoken=0,
        block_number=deal.block_number,
        index=deal.index,
        revision=0,
        post_id=deal.post_id,
    )


def _listing_of(key: str) -> str:
    """The hour in `line~id~hour` and `correction~id~hour~revision`."""
    return key.split("~")[2]


def as_json(month: MonthlyStatement) -> dict[str, Any]:
    """The statement as a JSON object."""
    content: dict[str, Any] = json.loads(records.encode(month.statement))
    return content | {
        "is_issued": month.is_issued,
        "deals": asdict(month.deal_sums),
        "group_hours": len(month.group_hours),
        "group_amounts": summed_parts(month.group_hours),
        "account": asdict(month.account),
    }

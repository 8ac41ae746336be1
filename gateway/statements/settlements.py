"""Use cases of reading what was settled: lines with corrections, notices to a household, months.

Everything comes from the read model; energy in Wh, money in micro-tokens.
"""

import json
from dataclasses import dataclass
from typing import Any

from chaincode.energy import keys, records
from chaincode.energy.settlement.months import Statement, month_end_ms, statement_of
from chaincode.energy.settlement.records import SettlementLine
from gateway.books.ledger_records import LedgerRecords
from gateway.readmodel.queries import ReadModel


@dataclass(frozen=True, slots=True)
class Notice:
    """What a settlement, or a correction of it, did on a household's account.

    `amount_utoken` is what it got for energy, negative what it paid; the rest of what it had
    locked is `refunded_utoken`. `block_number` and `index` tell which notice is newer, `revision`
    which correction of the hour it is, from 1; 0 is the settlement itself.
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


@dataclass(frozen=True, slots=True)
class MonthlyStatement:
    """A month of a household: the statement, its lines, and whether it was issued."""

    statement: Statement
    is_issued: bool
    lines: list[tuple[str, str, SettlementLine]]
    """(listing, "line" or "correction", the line) in the order of the hours."""


class Settlements:
    """Questions about settlements, answered at the read model's height."""

    def __init__(self, readmodel: ReadModel) -> None:
        self._ledger = LedgerRecords(readmodel)

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
        told = [n for n in found if n.energy_wh or n.amount_utoken or n.refunded_utoken]
        return sorted(told, key=lambda notice: (notice.block_number, notice.index), reverse=True)

    def month(self, idgrid: str, month: str) -> MonthlyStatement:
        """A household's month as the ledger has it; `ValueError` if it is not YYYY-MM.

        Issued means: the run of statements is issued, and nothing was corrected since.
        """
        month_end_ms(month)
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
        return MonthlyStatement(
            statement=now,
            is_issued=number > 0 and issued == now,
            lines=sorted(rows, key=lambda row: row[0]),
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


def _listing_of(key: str) -> str:
    """The hour in `line~id~hour` and `correction~id~hour~revision`."""
    return key.split("~")[2]


def as_json(month: MonthlyStatement) -> dict[str, Any]:
    """The statement as a JSON object."""
    content: dict[str, Any] = json.loads(records.encode(month.statement))
    return content | {"is_issued": month.is_issued}

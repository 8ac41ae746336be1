"""Whether a month may be sent to anybody: everything settled, and what adds up adds up.

The contract makes the same check when it issues the statements (docs/settlement.md); this is for
the person who presses the button, before it is pressed. Energy in Wh, money in micro-tokens.
"""

from dataclasses import dataclass

from chaincode.energy import keys, records
from chaincode.energy.settlement.months import month_end_ms
from chaincode.energy.settlement.planning import AMOUNTS
from chaincode.energy.settlement.records import SettlementLine
from chaincode.energy.settlement.statements import StatementRun
from gateway.community import Community
from gateway.ledger_records import LedgerRecords
from gateway.readmodel.queries import ReadModel

FINAL = frozenset({"SETTLED", "CANCELLED"})


@dataclass(frozen=True, slots=True)
class MonthCheck:
    """A month before its statements: `amounts` are the columns of all lines with corrections."""

    month: str
    is_over: bool
    households: int
    hours: int
    unsettled: tuple[str, ...]
    """Listings that are not settled, or disputed."""
    amounts: dict[str, int]
    is_money_conserved: bool
    run: StatementRun | None
    is_issued: bool

    @property
    def is_energy_balanced(self) -> bool:
        """What members sold each other is what they bought of each other."""
        return self.amounts["sold_wh"] == self.amounts["bought_wh"]

    @property
    def is_money_balanced(self) -> bool:
        """What buyers paid is what sellers received, and no token appeared or vanished."""
        same = self.amounts["paid_utoken"] == self.amounts["received_utoken"]
        return same and self.is_money_conserved

    @property
    def may_issue(self) -> bool:
        """Whether everything is in order and there is something left to do."""
        in_order = self.is_over and not self.unsettled
        balanced = self.is_energy_balanced and self.is_money_balanced
        return in_order and balanced and self.households > 0 and not self.is_issued


def month_check(readmodel: ReadModel, month: str, now_ms: int) -> MonthCheck:
    """The check of a month `YYYY-MM`; `ValueError` for any other text."""
    over_ms = month_end_ms(month)
    ledger = LedgerRecords(readmodel)
    amounts = dict.fromkeys(AMOUNTS, 0)
    households, hours = set(), set()
    with readmodel.at_one_height():
        for kind in ("line", "correction"):
            for key, entry in ledger.under(kind):
                _, idgrid, hour, *_ = key.split("~")
                if not hour.startswith(f"{month}-"):
                    continue
                line = records.decode(SettlementLine, entry.value)
                households.add(idgrid)
                hours.add(hour)
                for name in AMOUNTS:
                    amounts[name] += getattr(line, name)
        unsettled = tuple(
            key.split("~")[1]
            for key, state in _listing_states(ledger, month)
            if state not in FINAL
        )
        run = ledger.find(StatementRun, keys.statement_run(month))
        is_conserved = Community(readmodel).money().is_conserved
    return MonthCheck(
        month=month,
        is_over=now_ms >= over_ms,
        households=len(households),
        hours=len(hours),
        unsettled=unsettled,
        amounts=amounts,
        is_money_conserved=is_conserved,
        run=run,
        is_issued=run is not None and run.state == "ISSUED",
    )


def months_with_settlements(readmodel: ReadModel) -> list[str]:
    """Months `YYYY-MM` with a settled listing, the latest first."""
    found = {key.split("~")[1][:7] for key, _ in LedgerRecords(readmodel).under("settlement")}
    return sorted(found, reverse=True)


def _listing_states(ledger: LedgerRecords, month: str) -> list[tuple[str, str]]:
    found = []
    for key, _ in ledger.under("listing"):
        if key.split("~")[1].startswith(f"{month}-"):
            content = ledger.json(key) or {}
            found.append((key, str(content.get("state", ""))))
    return found

"""Whether a month may be sent to anybody: everything settled, and what adds up adds up.

The contract makes the same check (`settlement.months.imbalance`) when it issues the statements
(docs/settlement.md); this is for the person who presses the button, before it is pressed. Energy
in Wh, money in micro-tokens.
"""

from dataclasses import dataclass

from chaincode.energy import keys, records
from chaincode.energy.market.records import ListingState
from chaincode.energy.settlement.months import added_up, imbalance, month_end_ms
from chaincode.energy.settlement.records import SettlementLine, SettlementRecord
from chaincode.energy.settlement.statements import RunState, StatementRun
from gateway.books.community import Community
from gateway.books.ledger_records import LedgerRecords
from gateway.readmodel.queries import ReadModel
from gateway.statements.closing import DealsChecked, deals_checked, unclosed_accounts
from gateway.statements.deals import posts_dealt

FINAL = frozenset({ListingState.SETTLED, ListingState.CANCELLED})


@dataclass(frozen=True, slots=True)
class MonthCheck:
    """A month before its statements: `amounts` are the columns of all lines with corrections.

    `deals` are those of the marketplace that are delivered in it, over or not.
    """

    month: str
    is_over: bool
    households: int
    hours: int
    unsettled: tuple[str, ...]
    """Listings that are not settled, or disputed."""
    amounts: dict[str, int]
    out_of_balance: tuple[str, ...]
    """Columns that do not close, or differ from the settlements' own sums."""
    deals: DealsChecked
    unclosed_accounts: tuple[str, ...]
    """Accounts whose settlements and deals, or whose movements, are not what is on them."""
    is_money_conserved: bool
    run: StatementRun | None
    is_issued: bool

    @property
    def is_energy_balanced(self) -> bool:
        """What members sold each other is what they bought of each other, as it was settled."""
        return not any(name.endswith("_wh") for name in self.out_of_balance)

    @property
    def is_money_balanced(self) -> bool:
        """What buyers paid is what sellers received, and no token appeared or vanished."""
        is_closed = not any(name.endswith("_utoken") for name in self.out_of_balance)
        return is_closed and self.is_money_conserved and self.deals.is_balanced

    @property
    def may_issue(self) -> bool:
        """Whether everything is in order and there is something left to do."""
        in_order = self.is_over and not self.unsettled and not self.deals.waiting
        balanced = self.is_energy_balanced and self.is_money_balanced
        closed = balanced and not self.unclosed_accounts
        return in_order and closed and self.households > 0 and not self.is_issued


def month_check(readmodel: ReadModel, month: str, now_ms: int) -> MonthCheck:
    """The check of a month `YYYY-MM`; `ValueError` for any other text."""
    over_ms = month_end_ms(month)
    ledger = LedgerRecords(readmodel)
    lines, households, hours = list[SettlementLine](), set[str](), set[str]()
    with readmodel.at_one_height():
        for kind in ("line", "correction"):
            for key, entry in ledger.under(kind):
                _, idgrid, hour, *_ = key.split("~")
                if not hour.startswith(f"{month}-"):
                    continue
                lines.append(records.decode(SettlementLine, entry.value))
                households.add(idgrid)
                hours.add(hour)
        settled = [
            records.decode(SettlementRecord, entry.value)
            for key, entry in ledger.under("settlement")
            if key.split("~")[1].startswith(f"{month}-")
        ]
        unsettled = tuple(
            key.split("~")[1]
            for key, state in _listing_states(ledger, month)
            if state not in FINAL
        )
        run = ledger.find(StatementRun, keys.statement_run(month))
        is_conserved = Community(readmodel).money().is_conserved
        deals = deals_checked(posts_dealt(ledger, month))
        unclosed = unclosed_accounts(readmodel)
    amounts = added_up(lines)
    return MonthCheck(
        month=month,
        is_over=now_ms >= over_ms,
        households=len(households),
        hours=len(hours),
        unsettled=unsettled,
        amounts=amounts,
        out_of_balance=tuple(imbalance(amounts, settled)),
        deals=deals,
        unclosed_accounts=unclosed,
        is_money_conserved=is_conserved,
        run=run,
        is_issued=run is not None and run.state == RunState.ISSUED,
    )


def months_with_settlements(readmodel: ReadModel) -> list[str]:
    """Months `YYYY-MM` with a settled listing or a deal, the latest first."""
    ledger = LedgerRecords(readmodel)
    found = {key.split("~")[1][:7] for key, _ in ledger.under("settlement")}
    found |= {key.split("~")[2][:7] for key, _ in ledger.under("deal")}
    return sorted(found, reverse=True)


def _listing_states(ledger: LedgerRecords, month: str) -> list[tuple[str, str]]:
    found = []
    for key, _ in ledger.under("listing"):
        if key.split("~")[1].startswith(f"{month}-"):
            content = ledger.json(key) or {}
            found.append((key, str(content.get("state", ""))))
    return found

"""A monthly statement as CSV and as PDF, both from the same rows.

CSV: RFC 4180, UTF-8, one row an hour or correction and a row of sums; whole Wh and
micro-tokens, so that the sums can be checked. PDF: the sums for a person, in kWh and tokens.
"""

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields

from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table

from chaincode.energy.marketplace.records import SELL
from chaincode.energy.settlement.planning import AMOUNTS
from chaincode.energy.settlement.records import SettlementLine
from gateway.currency import Currencies
from gateway.local_time import LocalTime
from gateway.readmodel.records import Cause
from gateway.statements.account_month import AccountMonth
from gateway.statements.deals import HouseholdDeal
from gateway.statements.group_hours import summed_parts
from gateway.statements.settlements import MonthlyStatement

WH_PER_KWH = 1_000
UTOKEN_PER_TOKEN = 1_000_000
_GAP_POINTS = 6
_MARGIN = 40
_WIDTHS_POINTS = (300, 140)
_COLUMNS = [field.name for field in fields(SettlementLine) if field.name != "idgrid"]
_GRID = [("LINEBELOW", (0, 0), (-1, -1), 0.25, "#999999"), ("ALIGN", (1, 0), (1, -1), "RIGHT")]
TITLE, ISSUED, PRELIMINARY = "Statement", "issued", "preliminary"
BALANCE, UTILITY_BALANCE = "What the auction changed on the account", "Balance with the utility"
AUCTION, DEALS, GROUPS, ACCOUNT = "Auction", "From house to house", "Through groups", "Account"
DEALS_COUNTED = "{count} deals, {waiting} not settled"
OPENING, CLOSING = "On the account on {day}, 0:00", "On the account on {day}, 0:00, after it all"
COUNTED = "{hours} hours, {corrections} corrections, run {run}"
ROWS = (
    ("Imported from the grid connection", "imported_wh"),
    ("Exported to the grid connection", "exported_wh"),
    ("Sold in the community", "sold_wh"),
    ("Bought in the community", "bought_wh"),
    ("Received for energy sold", "received_utoken"),
    ("Community pool share", "pool_share_utoken"),
    ("Paid for energy bought", "paid_utoken"),
    ("Network charge", "network_charge_utoken"),
    ("Bought from the utility", "bought_from_utility_wh"),
    ("Owed to the utility", "owed_to_utility_utoken"),
    ("Sold to the utility", "sold_to_utility_wh"),
    ("Owed by the utility", "owed_by_utility_utoken"),
)

DEAL_ROWS = (
    ("Sold to neighbours", "sold_wh"),
    ("Bought from neighbours", "bought_wh"),
    ("Received for energy sold", "received_utoken"),
    ("Paid for energy bought", "paid_utoken"),
    ("Given back", "refunded_utoken"),
)
GROUP_ROWS = (
    ("Sold in the community", "sold_wh"),
    ("Bought in the community", "bought_wh"),
    ("Received for energy sold", "received_utoken"),
    ("Community pool share", "pool_share_utoken"),
    ("Paid for energy bought", "paid_utoken"),
    ("Network charge", "network_charge_utoken"),
)
CAUSES: Mapping[Cause, str] = {
    Cause.DEPOSIT: "Paid in",
    Cause.REDEMPTION: "Paid out",
    Cause.LOCKED: "Locked",
    Cause.FREED: "Set free",
    Cause.SETTLEMENT: "Auction, settled",
    Cause.CORRECTION: "Auction, corrected",
    Cause.DEAL: "From house to house",
    Cause.FUND: "From the community",
    Cause.GROUP: "Purse of a group",
    Cause.GROUP_HOUR: "Traded through a group",
    Cause.FORFEIT: "Forfeited",
    Cause.OTHER: "Other",
}


def as_csv(month: MonthlyStatement) -> bytes:
    """Rows of the month and their sums; of deals and groups only the columns they have."""
    rows = [(listing, kind, "", asdict(line)) for listing, kind, line in month.lines]
    rows += [(deal.hour, "deal", deal.post_id, _deal_columns(deal)) for deal in month.deals]
    rows += [
        (hour.listing_id, "group", hour.group_id, asdict(hour.part)) for hour in month.group_hours
    ]
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["listing_id", "kind", "of", *_COLUMNS])
    for listing_id, kind, name, values in rows:
        writer.writerow([listing_id, kind, name, *(values.get(name, "") for name in _COLUMNS)])
    sums = [
        sum(values.get(name, 0) for *_, values in rows) if name in AMOUNTS else ""
        for name in _COLUMNS
    ]
    writer.writerow([month.statement.month, "sum", "", *sums])
    return text.getvalue().encode("utf-8")


def as_pdf(
    month: MonthlyStatement,
    community_name: str,
    local: LocalTime,
    words: Callable[[str], str] = str,
    currencies: Currencies | None = None,
) -> bytes:
    """One page for a person; the same input gives the same bytes. `words` translates a text.

    What is on the account in the end is written in each unit of `currencies`, too.
    """
    statement, style = month.statement, getSampleStyleSheet()
    state = words(ISSUED if month.is_issued else PRELIMINARY)
    title = f"{words(TITLE)} {statement.month}"
    story = [
        Paragraph(_escaped(title), style["Title"]),
        Paragraph(_escaped(f"{community_name}, {statement.idgrid}, {state}"), style["Normal"]),
    ]
    sections = _sections(month, local, words)
    sections[-1][1].extend(_in_units(month.account.closing_utoken, currencies))
    for heading, rows in sections:
        story += [
            Spacer(1, _GAP_POINTS),
            Paragraph(_escaped(heading), style["Heading4"]),
            Table(rows, colWidths=_WIDTHS_POINTS, style=_GRID),
        ]
    out = io.BytesIO()
    named = f"{title} {statement.idgrid}"
    SimpleDocTemplate(
        out, pagesize=A4, title=named, invariant=1, topMargin=_MARGIN, bottomMargin=_MARGIN
    ).build(story)
    return out.getvalue()


def _sections(
    month: MonthlyStatement, local: LocalTime, words: Callable[[str], str]
) -> list[tuple[str, list[list[str]]]]:
    """Headings with their rows; what a household does not do has none."""
    statement = month.statement
    counted = words(COUNTED).format(
        hours=statement.hours, corrections=statement.corrections, run=statement.run
    )
    rows = [[words(label), amount(name, statement.amounts[name])] for label, name in ROWS]
    rows.append([words(BALANCE), amount("_utoken", statement.balance_utoken)])
    rows.append([words(UTILITY_BALANCE), amount("_utoken", statement.utility_balance_utoken)])
    sections = [(f"{words(AUCTION)}: {counted}", rows)]
    if month.deals:
        sums = month.deal_sums
        counted = words(DEALS_COUNTED).format(count=sums.count, waiting=sums.waiting)
        rows = [[words(label), amount(name, getattr(sums, name))] for label, name in DEAL_ROWS]
        sections.append((f"{words(DEALS)}: {counted}", rows))
    if month.group_hours:
        amounts = summed_parts(month.group_hours)
        rows = [[words(label), amount(name, amounts[name])] for label, name in GROUP_ROWS]
        sections.append((words(GROUPS), rows))
    sections.append((words(ACCOUNT), _account_rows(month.account, local, words)))
    return sections


def _account_rows(
    account: AccountMonth, local: LocalTime, words: Callable[[str], str]
) -> list[list[str]]:
    first, last = local.day_of(account.from_ms), local.day_of(account.to_ms)
    return [
        [words(OPENING).format(day=first.isoformat()), amount("_utoken", account.opening_utoken)],
        *(
            [words(CAUSES[cause]), amount("_utoken", value)]
            for cause, value in account.changes.items()
        ),
        [words(CLOSING).format(day=last.isoformat()), amount("_utoken", account.closing_utoken)],
    ]


def _in_units(utoken: int, currencies: Currencies | None) -> list[list[str]]:
    """Rows of an amount in each unit but the token."""
    shown = currencies.in_all(utoken) if currencies is not None else {}
    return [["", f"{text} {name}"] for name, text in shown.items() if name != "token"]


def _deal_columns(deal: HouseholdDeal) -> dict[str, int]:
    """The columns of a settlement line that a deal fills; none before it is settled."""
    if not deal.is_over:
        return {}
    delivered_wh = deal.delivered_wh or 0
    if deal.side == SELL:
        return {"sold_wh": delivered_wh, "received_utoken": deal.amount_utoken}
    return {
        "bought_wh": delivered_wh,
        "paid_utoken": -deal.amount_utoken,
        "refunded_utoken": deal.refunded_utoken,
    }


def amount(name: str, value: int) -> str:
    """`..._wh` in kWh with three digits, `..._utoken` in tokens with six; exact."""
    unit, divisor, digits = (
        ("kWh", WH_PER_KWH, 3) if name.endswith("_wh") else ("token", UTOKEN_PER_TOKEN, 6)
    )
    whole, rest = divmod(abs(value), divisor)
    sign = "-" if value < 0 else ""
    return f"{sign}{whole}.{rest:0{digits}} {unit}"


def _escaped(text: str) -> str:
    """The name as text of a paragraph, which knows tags."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

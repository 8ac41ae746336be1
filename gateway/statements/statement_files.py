"""A monthly statement as CSV and as PDF, both from the same rows.

CSV: RFC 4180, UTF-8, one row an hour or correction and a row of sums; whole Wh and
micro-tokens, so that the sums can be checked. PDF: the sums for a person, in kWh and tokens.
"""

import csv
import io
from collections.abc import Callable
from dataclasses import astuple, fields

from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table

from chaincode.energy.settlement.planning import AMOUNTS
from chaincode.energy.settlement.records import SettlementLine
from gateway.statements.settlements import MonthlyStatement

WH_PER_KWH = 1_000
UTOKEN_PER_TOKEN = 1_000_000
_GAP_POINTS = 12
_COLUMNS = [field.name for field in fields(SettlementLine) if field.name != "idgrid"]
_GRID = [("LINEBELOW", (0, 0), (-1, -1), 0.25, "#999999"), ("ALIGN", (1, 0), (1, -1), "RIGHT")]
TITLE, ISSUED, PRELIMINARY = "Statement", "issued", "preliminary"
BALANCE, UTILITY_BALANCE = "Balance of the account", "Balance with the utility"
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


def as_csv(month: MonthlyStatement) -> bytes:
    """Rows of the month and their sums."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["listing_id", "kind", *_COLUMNS])
    for listing_id, kind, line in month.lines:
        writer.writerow([listing_id, kind, *astuple(line)[1:]])
    amounts = month.statement.amounts
    sums = [amounts[name] if name in AMOUNTS else "" for name in _COLUMNS]
    writer.writerow([month.statement.month, "sum", *sums])
    return text.getvalue().encode("utf-8")


def as_pdf(
    month: MonthlyStatement, community_name: str, words: Callable[[str], str] = str
) -> bytes:
    """One page for a person; the same input gives the same bytes. `words` translates a text."""
    statement, style = month.statement, getSampleStyleSheet()
    state = words(ISSUED if month.is_issued else PRELIMINARY)
    rows = [[words(label), amount(name, statement.amounts[name])] for label, name in ROWS]
    rows.append([words(BALANCE), amount("_utoken", statement.balance_utoken)])
    rows.append([words(UTILITY_BALANCE), amount("_utoken", statement.utility_balance_utoken)])
    counted = words(COUNTED).format(
        hours=statement.hours, corrections=statement.corrections, run=statement.run
    )
    title = f"{words(TITLE)} {statement.month}"
    story = [
        Paragraph(_escaped(title), style["Title"]),
        Paragraph(_escaped(f"{community_name}, {statement.idgrid}, {state}"), style["Normal"]),
        Paragraph(_escaped(counted), style["Normal"]),
        Spacer(1, _GAP_POINTS),
        Table(rows, style=_GRID),
    ]
    out = io.BytesIO()
    named = f"{title} {statement.idgrid}"
    SimpleDocTemplate(out, pagesize=A4, title=named, invariant=1).build(story)
    return out.getvalue()


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

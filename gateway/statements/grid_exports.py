"""CSV files for the grid operator: energy per hour and connection, devices, sharing keys.

Comma-separated, UTF-8, CRLF (RFC 4180); energy in Wh, times in UTC. Text that a spreadsheet would
take for a formula is quoted with an apostrophe.
"""

import csv
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from io import StringIO

from chaincode.energy import records
from chaincode.energy.settlement.months import month_end_ms
from chaincode.energy.settlement.records import SettlementLine
from chaincode.energy.sharing.records import SharingKey
from gateway.books.community import Community
from gateway.books.ledger_records import LedgerRecords
from gateway.readmodel.queries import ReadModel

ENERGY_COLUMNS = (
    "imported_wh",
    "exported_wh",
    "bought_wh",
    "sold_wh",
    "bought_from_utility_wh",
    "sold_to_utility_wh",
    "metering",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def energy_csv(readmodel: ReadModel, month: str) -> str:
    """Each household's hours of a month, corrections as rows of their own; no money.

    `ValueError` if the month is not YYYY-MM.
    """
    month_end_ms(month)
    rows = []
    for kind in ("line", "correction"):
        for key, entry in LedgerRecords(readmodel).under(kind):
            _, idgrid, hour, *_ = key.split("~")
            if hour.startswith(f"{month}-"):
                line = records.decode(SettlementLine, entry.value)
                rows.append((hour, idgrid, kind, *(getattr(line, c) for c in ENERGY_COLUMNS)))
    return _csv(("hour_utc", "idgrid", "kind", *ENERGY_COLUMNS), sorted(rows))


def devices_csv(readmodel: ReadModel) -> str:
    """Every registered device, with the fingerprint of its key."""
    head = ("device_id", "kind", "owner_idgrid", "res_id", "status", "tier", "key_fingerprint")
    meters = Community(readmodel).meters()
    rows = [
        (m.meter_id, m.kind, m.owner_idgrid, m.res_id or "", m.status, m.tier, m.key_fingerprint)
        for m in meters
    ]
    return _csv(head, rows)


def sharing_csv(readmodel: ReadModel) -> str:
    """Every version of the sharing key: from when, and each member's part or rank."""
    head = ("version", "kind", "slot_minutes", "effective_from_utc", "idgrid", "ppm", "rank")
    rows: list[Sequence[object]] = []
    for key in LedgerRecords(readmodel).all(SharingKey, "sharingkey"):
        start = datetime.fromtimestamp(key.effective_from_ms / 1_000, UTC).isoformat()
        version = (key.version, key.kind, key.slot_minutes, start)
        named = sorted(key.parts | key.ranks) or [""]
        rows += [
            (*version, idgrid, key.parts.get(idgrid, ""), key.ranks.get(idgrid, ""))
            for idgrid in named
        ]
    return _csv(head, rows)


def _csv(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(head)
    writer.writerows([_harmless(value) for value in row] for row in rows)
    return text.getvalue()


def _harmless(value: object) -> object:
    is_formula = isinstance(value, str) and value.startswith(_FORMULA)
    return f"'{value}" if is_formula else value

"""Recoveries of a household's keys: told when they begin, and when the new key acts.

The ledger has an event for the beginning only; the end is an instant. What waits for it is kept
in a table until it is told, or until the recovery is undone.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select

from gateway.books.community import Community
from gateway.database.upserting import insert_or_replace
from gateway.notices.records import RECOVERIES_OVER, Kind, Notice, Source
from gateway.notices.tables import RecoveryRow

PLACES_PER_BLOCK = 100_000
"""More transactions than a block has: block and index become one number."""


def watch(connection: Connection, begun: Sequence[Notice], community: Community) -> None:
    """Remember recoveries that have begun, as the ledger has them now."""
    rows: dict[tuple[str, str], dict[str, object]] = {}
    for notice in begun:
        participant = community.participant(notice.idgrid)
        fingerprint = notice.facts["key_fingerprint"]
        signer = participant.signer(fingerprint) if participant is not None else None
        if signer is not None:
            rows[notice.idgrid, fingerprint] = {
                "idgrid": notice.idgrid,
                "key_fingerprint": fingerprint,
                "block_number": notice.source.block_number,
                "tx_index": notice.source.index,
                "from_ms": signer.from_ms,
            }
    insert_or_replace(connection, RecoveryRow, list(rows.values()))


def over(connection: Connection, community: Community, now_ms: int) -> list[tuple[Notice, int]]:
    """Recoveries whose key acts from now on, and since when; those undone are forgotten."""
    due = select(RecoveryRow.__table__).where(RecoveryRow.from_ms <= now_ms)
    found = []
    rows = connection.execute(due.order_by(RecoveryRow.from_ms)).all()
    for row in rows:
        participant = community.participant(row.idgrid)
        signer = participant.signer(row.key_fingerprint) if participant is not None else None
        if signer is not None and not signer.has_ended(now_ms):
            place = row.block_number * PLACES_PER_BLOCK + row.tx_index
            facts = {"key_fingerprint": row.key_fingerprint, "what": "recovered"}
            source = Source(RECOVERIES_OVER, place)
            found.append((Notice(row.idgrid, Kind.KEYS, source, facts), row.from_ms))
    if rows:
        connection.execute(delete(RecoveryRow).where(RecoveryRow.from_ms <= now_ms))
    return found

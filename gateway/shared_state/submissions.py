"""Transactions on their way: any replica can say that it is known and waits for a block."""

from collections.abc import Callable

from sqlalchemy import delete, select

from gateway.database import Database
from gateway.database.upserting import insert_or_keep
from gateway.shared_state.tables import SubmissionRow

KEPT_MS = 60 * 60 * 1000
"""Ordering has long decided by then, or lost it."""


class Submissions:
    """See `SubmissionRow`; calls block."""

    def __init__(self, database: Database, clock_ms: Callable[[], int]) -> None:
        self._database = database
        self._clock_ms = clock_ms

    def remember(self, tx_id: str) -> None:
        """It is about to be handed to ordering."""
        now_ms = self._clock_ms()
        old = delete(SubmissionRow).where(SubmissionRow.submitted_ms < now_ms - KEPT_MS)
        with self._database.writing() as connection:
            connection.execute(old)
            insert_or_keep(connection, SubmissionRow, {"tx_id": tx_id, "submitted_ms": now_ms})

    def forget(self, tx_id: str) -> None:
        """Ordering refused it."""
        with self._database.writing() as connection:
            connection.execute(delete(SubmissionRow).where(SubmissionRow.tx_id == tx_id))

    def knows(self, tx_id: str) -> bool:
        """Whether it was handed to ordering not long ago."""
        wanted = select(SubmissionRow.tx_id).where(SubmissionRow.tx_id == tx_id)
        with self._database.reading() as connection:
            return connection.execute(wanted).first() is not None

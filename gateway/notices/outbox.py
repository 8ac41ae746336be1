"""What is to be sent: taken one at a time, so that several gateways share the work.

Whoever takes an item first moves its next attempt into the future, and only then sends it: an
item is not sent twice by two gateways, and one whose sender dies is tried again later.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update

from gateway.database import Database
from gateway.notices.book import notice_from
from gateway.notices.records import Channel, Notice
from gateway.notices.tables import OutboxRow

ATTEMPTS_MAX = 8
RETRY_MS_MIN, RETRY_MS_MAX = 60_000, 60 * 60 * 1_000
"""The first pause is longer than an attempt may last, the last attempt about two hours later."""
FAILURE_CHARACTERS_MAX = 200
WAITING, SENT, GIVEN_UP = "waiting", "sent", "given_up"


class Undelivered(Exception):  # noqa: N818 - an answer of the other side, not a fault
    """Nobody took a notice; `is_final`: nobody ever will."""

    def __init__(self, reason: str, *, is_final: bool) -> None:
        super().__init__(reason)
        self.is_final = is_final


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """A notice somebody has taken to send it; `attempt` counts from 1."""

    channel: Channel
    target: str
    """Which address of the household's, where a channel has several."""
    notice: Notice
    created_ms: int
    attempt: int


def retry_pause_ms(attempt: int) -> int:
    """How long after attempt `attempt` (from 1) the next one comes: doubling, with a limit."""
    return int(min(RETRY_MS_MIN * 2 ** (attempt - 1), RETRY_MS_MAX))


class Outbox:
    """Notices on their way out. Blocks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, channel: Channel, now_ms: int) -> OutboxItem | None:
        """The item that is due longest; None if none is due."""
        due = (
            select(OutboxRow)
            .where(
                OutboxRow.channel == channel.value,
                OutboxRow.state == WAITING,
                OutboxRow.due_ms <= now_ms,
            )
            .order_by(OutboxRow.due_ms, OutboxRow.block_number, OutboxRow.tx_index)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        with self._database.writing() as connection:
            row: Any = connection.execute(due).one_or_none()
            if row is None:
                return None
            item = OutboxItem(
                channel, row.target, notice_from(row), row.created_ms, row.attempts + 1
            )
            changes = {
                "attempts": item.attempt,
                "due_ms": now_ms + retry_pause_ms(item.attempt),
            }
            connection.execute(_row_of(item).values(**changes))
        return item

    def sent(self, item: OutboxItem) -> None:
        """It arrived at the next station."""
        self._change(item, state=SENT, failure="")

    def failed(self, item: OutboxItem, failure: str, *, for_good: bool = False) -> None:
        """It did not; tried again later unless that is pointless or was tried often enough."""
        state = GIVEN_UP if for_good or item.attempt >= ATTEMPTS_MAX else WAITING
        self._change(item, state=state, failure=failure[:FAILURE_CHARACTERS_MAX])

    def _change(self, item: OutboxItem, **changes: str) -> None:
        with self._database.writing() as connection:
            connection.execute(_row_of(item).values(**changes))


def _row_of(item: OutboxItem) -> Any:
    notice = item.notice
    return update(OutboxRow).where(
        OutboxRow.channel == item.channel.value,
        OutboxRow.target == item.target,
        OutboxRow.idgrid == notice.idgrid,
        OutboxRow.block_number == notice.source.block_number,
        OutboxRow.tx_index == notice.source.index,
        OutboxRow.kind == notice.kind.value,
    )
